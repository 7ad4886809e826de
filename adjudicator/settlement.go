package adjudicator

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// Mode is how the effects of a channel are shown to follow the rules.
type Mode uint8

// Modes of a Policy.
const (
	ModeNone     Mode = 0 // not allowed
	ModeAttested Mode = 1 // attestors that replayed the journal sign the effects
)

// Policy is what the owner of a namespace allows a (moduleHash, configHash) pair (docs/protocol.md §6).
type Policy struct {
	Mode            Mode             `json:"mode"`
	Threshold       uint8            `json:"threshold"` // how many attestors must sign
	MinFundingAsset common.Address   `json:"minFundingAsset"`
	MinFunding      uint256.Int      `json:"minFunding"`
	Attestors       []common.Address `json:"attestors"` // strictly ascending, at most 16
	Permissions     []Permission     `json:"permissions"`
}

// Permission is one thing that effects may do. The three limits are below 2^128.
type Permission struct {
	ResourceID  common.Hash `json:"resourceId"`  // the table (increment) or the System (call)
	Op          uint8       `json:"op"`          // channel.EffectIncrement or channel.EffectCall
	Field       uint8       `json:"field"`       // increment: index in the value schema
	Selector    [4]byte     `json:"selector"`    // call: the System's function
	MaxIncrease uint256.Int `json:"maxIncrease"` // increment: of one effect
	MaxDecrease uint256.Int `json:"maxDecrease"` // increment: of one effect, as a magnitude
	PerChannel  uint256.Int `json:"perChannel"`  // increment: sum of magnitudes; call: number of calls
}

func (p Policy) wire() (bindings.Policy, error) {
	w := bindings.Policy{
		Mode: uint8(p.Mode), Threshold: p.Threshold, MinFundingAsset: p.MinFundingAsset, MinFunding: p.MinFunding.ToBig(),
		Attestors: p.Attestors, Permissions: make([]bindings.Permission, len(p.Permissions)),
	}
	for i, x := range p.Permissions {
		for _, limit := range []*uint256.Int{&x.MaxIncrease, &x.MaxDecrease, &x.PerChannel} {
			if limit.BitLen() > 128 {
				return w, fmt.Errorf("%w: a limit of permission %d is above 128 bits", ErrCall, i)
			}
		}
		w.Permissions[i] = bindings.Permission{
			ResourceId: x.ResourceID, Op: x.Op, Field: x.Field, Selector: x.Selector,
			MaxIncrease: x.MaxIncrease.ToBig(), MaxDecrease: x.MaxDecrease.ToBig(), PerChannel: x.PerChannel.ToBig(),
		}
	}
	return w, nil
}

func policyOf(w bindings.Policy) Policy {
	p := Policy{
		Mode: Mode(w.Mode), Threshold: w.Threshold, MinFundingAsset: w.MinFundingAsset, MinFunding: amount(w.MinFunding),
		Attestors: w.Attestors, Permissions: make([]Permission, len(w.Permissions)),
	}
	for i, x := range w.Permissions {
		p.Permissions[i] = Permission{
			ResourceID: x.ResourceId, Op: x.Op, Field: x.Field, Selector: x.Selector,
			MaxIncrease: amount(x.MaxIncrease), MaxDecrease: amount(x.MaxDecrease), PerChannel: amount(x.PerChannel),
		}
	}
	return p
}

// amount is for values that an ABI decoder bounded to 256 bits.
func amount(b *big.Int) (a channel.Amount) {
	if b != nil {
		a.SetFromBig(b)
	}
	return a
}

// SetPolicy replaces the policy of a pair in a namespace. Only the namespace's owner in that World may send it.
func SetPolicy(settlement, world common.Address, namespaceID, moduleHash, configHash common.Hash, p Policy) (Call, error) {
	w, err := p.wire()
	if err != nil {
		return Call{}, err
	}
	data, err := settlementABI.TryPackSetPolicy(world, namespaceID, moduleHash, configHash, w)
	return call(settlement, data, err)
}

// AttestorSignature is the word of the attestor at Index of the policy's list: that it replayed the journal, and that
// the effects are what the module derives.
type AttestorSignature struct {
	Index       uint8             `json:"index"`
	Attestation channel.Signature `json:"attestation"` // on channel.Attestation
	Effects     channel.Signature `json:"effects"`     // on channel.AttestedEffects
}

// AttestedClaim is everything that a settlement by attestation needs.
type AttestedClaim struct {
	Params       *channel.Params
	Funding      channel.Funding
	State        *channel.State // the terminal state that the channel ended with
	GenesisInput []byte
	Effects      []channel.Effect
	// Joins has one entry per participant: nil where its owner deposited, else the owner's signature on channel.Join, of
	// 65 bytes by a key or of any form by a contract wallet (ERC-1271).
	Joins     [][]byte
	Attestors []AttestorSignature // ascending by Index
}

// SettleAttested writes the effects of a concluded channel into the World that its genesis input names. Anyone may send it.
func SettleAttested(settlement common.Address, c AttestedClaim) (Call, error) {
	w := bindings.AttestedClaim{
		Params: params(c.Params), Funding: funding(c.Funding), State: stateView(c.State), GenesisInput: c.GenesisInput,
		Effects: make([]bindings.Effect, len(c.Effects)), Joins: c.Joins, Attestors: make([]bindings.AttestorSignature, len(c.Attestors)),
	}
	if len(c.Joins) != len(c.Params.Participants) {
		return Call{}, fmt.Errorf("%w: %d joins for %d participants", ErrCall, len(c.Joins), len(c.Params.Participants))
	}
	for i, e := range c.Effects {
		key := make([][32]byte, len(e.Key))
		for j := range e.Key {
			key[j] = e.Key[j]
		}
		w.Effects[i] = bindings.Effect{Op: e.Op, ResourceId: e.ResourceID, Key: key, Data: e.Data}
	}
	for i, a := range c.Attestors {
		w.Attestors[i] = bindings.AttestorSignature{Index: a.Index, Attestation: a.Attestation[:], Effects: a.Effects[:]}
	}
	data, err := settlementABI.TryPackSettleAttested(w)
	return call(settlement, data, err)
}
