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
	c, s := Contracts{Settlement: settlement}, settlementABI
	err := discover(ctx, backend, []question{
		{"adjudicator", &c.Settlement, s.PackAdjudicator(), s.UnpackAdjudicator, &c.Adjudicator},
		{"derivation", &c.Settlement, s.PackDerivation(), s.UnpackDerivation, &c.Derivation},
		{"policies", &c.Settlement, s.PackPolicies(), s.UnpackPolicies, &c.Policies},
		{"publications", &c.Settlement, s.PackPublications(), s.UnpackPublications, &c.Publications},
		{"tickets", &c.Settlement, s.PackTickets(), s.UnpackTickets, &c.Tickets},
		ofDerivation(&c)[0], ofDerivation(&c)[1],
	})
	if err != nil {
		return c, fmt.Errorf("the contracts of settlement %s: %w", settlement, err)
	}
	return c, nil
}

// DiscoverPublications is Discover from a publications contract. Settlement and Tickets stay unknown: any number of settlements may
// work with it.
func DiscoverPublications(ctx context.Context, backend Backend, publications common.Address) (Contracts, error) {
	c, p := Contracts{Publications: publications}, publicationsABI
	err := discover(ctx, backend, []question{
		{"adjudicator", &c.Publications, p.PackAdjudicator(), p.UnpackAdjudicator, &c.Adjudicator},
		{"derivation", &c.Publications, p.PackDerivation(), p.UnpackDerivation, &c.Derivation},
		{"policies", &c.Publications, p.PackPolicies(), p.UnpackPolicies, &c.Policies},
		ofDerivation(&c)[0], ofDerivation(&c)[1],
	})
	if err != nil {
		return c, fmt.Errorf("the contracts of publications %s: %w", publications, err)
	}
	return c, nil
}

// question asks the contract at an address for another's.
type question struct {
	name   string
	at     *common.Address // may be the answer to an earlier one
	data   []byte
	unpack func([]byte) (common.Address, error)
	into   *common.Address
}

func ofDerivation(c *Contracts) [2]question {
	d := derivationABI
	return [2]question{
		{"machine", &c.Derivation, d.PackMachine(), d.UnpackMachine, &c.Machine},
		{"registry", &c.Derivation, d.PackRegistry(), d.UnpackRegistry, &c.Registry},
	}
}

func discover(ctx context.Context, backend Backend, questions []question) error {
	for _, q := range questions {
		a, err := read(ctx, NewReader(backend, Contracts{}), q.name, *q.at, q.data, nil, q.unpack)
		if err != nil {
			return err
		}
		*q.into = a
	}
	return nil
}
