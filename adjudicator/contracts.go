package adjudicator

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Contracts are where the contracts are. Those that a node has nothing to do with may be zero.
type Contracts struct {
	Adjudicator  common.Address `json:"adjudicator"`
	Machine      common.Address `json:"machine"`      // WasmMachine
	Registry     common.Address `json:"registry"`     // ModuleRegistry
	Derivation   common.Address `json:"derivation"`   // δ
	Policies     common.Address `json:"policies"`     // what owners of namespaces allow
	Tickets      common.Address `json:"tickets"`      // snapshots and seeds
	Publications common.Address `json:"publications"` // journals, proofs and bonds
	Settlement   common.Address `json:"settlement"`   // MudSettlement
}

// Addresses are the contracts whose logs are facts, as far as they are known.
func (c Contracts) Addresses() (out []common.Address) {
	for _, a := range []common.Address{c.Adjudicator, c.Registry, c.Policies, c.Tickets, c.Publications, c.Settlement} {
		if a != (common.Address{}) {
			out = append(out, a)
		}
	}
	return out
}

// Discover asks a settlement for the addresses of everything that it works with.
func Discover(ctx context.Context, backend Backend, settlement common.Address) (Contracts, error) {
	c := Contracts{Settlement: settlement}
	s, d := settlementABI, derivationABI
	for _, step := range []struct {
		name   string
		at     *common.Address
		data   []byte
		unpack func([]byte) (common.Address, error)
		into   *common.Address
	}{
		{"adjudicator", &c.Settlement, s.PackAdjudicator(), s.UnpackAdjudicator, &c.Adjudicator},
		{"derivation", &c.Settlement, s.PackDerivation(), s.UnpackDerivation, &c.Derivation},
		{"policies", &c.Settlement, s.PackPolicies(), s.UnpackPolicies, &c.Policies},
		{"publications", &c.Settlement, s.PackPublications(), s.UnpackPublications, &c.Publications},
		{"tickets", &c.Settlement, s.PackTickets(), s.UnpackTickets, &c.Tickets},
		{"machine", &c.Derivation, d.PackMachine(), d.UnpackMachine, &c.Machine},
		{"registry", &c.Derivation, d.PackRegistry(), d.UnpackRegistry, &c.Registry},
	} {
		a, err := read(ctx, NewReader(backend, c), step.name, *step.at, step.data, nil, step.unpack)
		if err != nil {
			return c, fmt.Errorf("the contracts of settlement %s: %w", settlement, err)
		}
		*step.into = a
	}
	return c, nil
}
