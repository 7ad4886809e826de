package adjudicator

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// Mode is how the effects of a channel are shown to follow the rules; a Policy allows a set of them.
type Mode uint8

// Modes of a Policy, as bits.
const (
	ModeAttested   Mode = 1 // attestors that replayed the journal sign it
	ModeExecuted   Mode = 2 // the chain runs every leaf
	ModeOptimistic Mode = 4 // the journal is published and can be disproved for a window

	ModeNone Mode = 0 // revoked, or never allowed
)

// Policy is what the owner of a namespace allows a (moduleHash, configHash) pair (docs/protocol.md §6).
type Policy struct {
	Modes           Mode             `json:"modes"`
	Threshold       uint8            `json:"threshold"`       // attested: how many attestors must sign
	Window          uint32           `json:"window"`          // optimistic: seconds in which a publication can be disproved
	Guardian        common.Address   `json:"guardian"`        // optimistic: may veto inside the window; zero: nobody
	Bond            uint256.Int      `json:"bond"`            // optimistic: what a publisher risks, in the chain's coin; below 2^128
	MaxJournalBytes uint32           `json:"maxJournalBytes"` // optimistic, executed: of genesis input and entries
	NeedsTicket     bool             `json:"needsTicket"`
	TicketPrice     uint256.Int      `json:"ticketPrice"` // in the chain's coin; below 2^128
	MinFundingAsset common.Address   `json:"minFundingAsset"`
	MinFunding      uint256.Int      `json:"minFunding"`
	Attestors       []common.Address `json:"attestors"` // strictly ascending, at most 16
	Permissions     []Permission     `json:"permissions"`
}

// Permission is one thing that effects may do. The three limits are below 2^128.
type Permission struct {
	ResourceID  common.Hash `json:"resourceId"`  // the table (set, delete, increment) or the System (call)
	Op          uint8       `json:"op"`          // channel.EffectSet, EffectDelete, EffectIncrement or EffectCall
	Field       uint8       `json:"field"`       // increment: index in the value schema
	Selector    [4]byte     `json:"selector"`    // call: the System's function
	MaxIncrease uint256.Int `json:"maxIncrease"` // increment: of one effect
	MaxDecrease uint256.Int `json:"maxDecrease"` // increment: of one effect, as a magnitude
	PerChannel  uint256.Int `json:"perChannel"`  // increment: sum of magnitudes; otherwise: number of effects
}

func (p Policy) wire() (bindings.Policy, error) {
	w := bindings.Policy{
		Modes: uint8(p.Modes), Threshold: p.Threshold, Window: p.Window, Guardian: p.Guardian, Bond: p.Bond.ToBig(),
		MaxJournalBytes: p.MaxJournalBytes, NeedsTicket: p.NeedsTicket, TicketPrice: p.TicketPrice.ToBig(),
		MinFundingAsset: p.MinFundingAsset, MinFunding: p.MinFunding.ToBig(),
		Attestors: p.Attestors, Permissions: make([]bindings.Permission, len(p.Permissions)),
	}
	if p.Bond.BitLen() > 128 || p.TicketPrice.BitLen() > 128 {
		return w, fmt.Errorf("%w: the policy's bond or ticket price is above 128 bits", ErrCall)
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
		Modes: Mode(w.Modes), Threshold: w.Threshold, Window: w.Window, Guardian: w.Guardian, Bond: amount(w.Bond),
		MaxJournalBytes: w.MaxJournalBytes, NeedsTicket: w.NeedsTicket, TicketPrice: amount(w.TicketPrice),
		MinFundingAsset: w.MinFundingAsset, MinFunding: amount(w.MinFunding),
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
func SetPolicy(policies, world common.Address, namespaceID, moduleHash, configHash common.Hash, p Policy) (Call, error) {
	w, err := p.wire()
	if err != nil {
		return Call{}, err
	}
	data, err := policiesABI.TryPackSetPolicy(world, namespaceID, moduleHash, configHash, w)
	return call(policies, data, err)
}

// AttestorSignature is the word of the attestor at Index of the policy's list that it replayed the journal.
type AttestorSignature struct {
	Index       uint8             `json:"index"`
	Attestation channel.Signature `json:"attestation"` // on channel.Attestation
}

// Claim is a finished channel whose effects are to be written. What they are is executed on chain, from the state.
type Claim struct {
	Params       *channel.Params
	Funding      channel.Funding
	State        *channel.State // the terminal state that the channel ended with
	GenesisInput []byte
	// Joins has one entry per participant: nil where its owner deposited, else the owner's signature on channel.Join, of
	// 65 bytes by a key or of any form by a contract wallet (ERC-1271).
	Joins    [][]byte
	Ticket   Ticket   // behind the genesis input's fifth word; the zero value when that is zero
	Snapshot []Record // behind Ticket.Snapshot; needed for set and delete only
}

func (c Claim) wire() (bindings.Claim, error) {
	if c.Params == nil || c.State == nil {
		return bindings.Claim{}, fmt.Errorf("%w: a claim needs params and state", ErrCall)
	}
	if len(c.Joins) != len(c.Params.Participants) {
		return bindings.Claim{}, fmt.Errorf("%w: %d joins for %d participants", ErrCall, len(c.Joins), len(c.Params.Participants))
	}
	return bindings.Claim{
		Params: params(c.Params), Funding: funding(c.Funding), State: c.State.Bytes(), GenesisInput: c.GenesisInput, Joins: c.Joins,
		Ticket: c.Ticket.wire(), Snapshot: records(c.Snapshot),
	}, nil
}

// SettleAttested writes the effects of a concluded channel into the World that its genesis input names, on the word of attestors
// (ascending by Index). Anyone may send it, as all three.
func SettleAttested(settlement common.Address, c Claim, attestors []AttestorSignature) (Call, error) {
	w, err := c.wire()
	if err != nil {
		return Call{}, err
	}
	list := make([]bindings.AttestorSignature, len(attestors))
	for i, a := range attestors {
		list[i] = bindings.AttestorSignature{Index: a.Index, Attestation: a.Attestation[:]}
	}
	data, err := settlementABI.TryPackSettleAttested(w, list)
	return call(settlement, data, err)
}

// SettleExecuted is SettleAttested for a channel whose every leaf the chain ran.
func SettleExecuted(settlement common.Address, c Claim) (Call, error) {
	w, err := c.wire()
	if err != nil {
		return Call{}, err
	}
	data, err := settlementABI.TryPackSettleExecuted(w)
	return call(settlement, data, err)
}

// SettleOptimistic is SettleAttested for a channel whose publication stands past its deadline.
func SettleOptimistic(settlement common.Address, c Claim) (Call, error) {
	w, err := c.wire()
	if err != nil {
		return Call{}, err
	}
	data, err := settlementABI.TryPackSettleOptimistic(w)
	return call(settlement, data, err)
}
