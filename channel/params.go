package channel

import (
	"bytes"
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Bounds of Params (docs/protocol.md §1, inclusive).
const (
	MinParticipants  = 2
	MaxParticipants  = 16
	MaxBeneficiaries = 8
	MaxGuarantors    = 4
	MaxAssets        = 8
	MaxWindow        = 30 * 24 * 3600
	MaxForceQuota    = 256
	// MaxFundingDelay bounds fundingDeadline from the first deposit, in seconds.
	MaxFundingDelay = 7 * 24 * 3600
)

// Participant is a session key and the wallet behind it. The owner pays the stake, receives the payout and is the player
// in the World.
type Participant struct {
	Signer common.Address `json:"signer"`
	Owner  common.Address `json:"owner"`
}

// Params fix a channel for its whole life; their hash is its id.
type Params struct {
	ChainID         uint256.Int      `json:"chainId"`
	Adjudicator     common.Address   `json:"adjudicator"`
	Participants    []Participant    `json:"participants"`
	Beneficiaries   []common.Address `json:"beneficiaries"` // receive, never sign
	Guarantors      []common.Address `json:"guarantors"`    // hubs of a virtual channel
	Nonce           uint64           `json:"nonce"`
	Window          uint32           `json:"window"`     // seconds of one challenge window
	ForceQuota      uint16           `json:"forceQuota"` // events that one participant may force on chain
	Sequencer       uint8            `json:"sequencer"`  // index of the participant that orders events
	ModuleHash      common.Hash      `json:"moduleHash"` // zero: the null module, a ledger channel
	GenesisHash     common.Hash      `json:"genesisHash"`
	FundingHash     common.Hash      `json:"fundingHash"`
	FundingDeadline uint64           `json:"fundingDeadline"` // UNIX seconds
	IsVirtual       bool             `json:"isVirtual"`
}

// MarshalJSON has a value receiver, because a Params that is not addressable would write chainId as an array of limbs.
func (p Params) MarshalJSON() ([]byte, error) {
	type plain Params
	return json.Marshal((*plain)(&p))
}

// wireParams is Params as go-ethereum's abi package wants it.
type wireParams struct {
	ChainId         *big.Int
	Adjudicator     common.Address
	Participants    []Participant
	Beneficiaries   []common.Address
	Guarantors      []common.Address
	Nonce           uint64
	Window          uint32
	ForceQuota      uint16
	Sequencer       uint8
	ModuleHash      [32]byte
	GenesisHash     [32]byte
	FundingHash     [32]byte
	FundingDeadline uint64
	IsVirtual       bool
}

var paramsArgs = tupleArgument("tuple", []abi.ArgumentMarshaling{
	{Name: "chainId", Type: "uint256"},
	{Name: "adjudicator", Type: "address"},
	{Name: "participants", Type: "tuple[]", Components: []abi.ArgumentMarshaling{
		{Name: "signer", Type: "address"}, {Name: "owner", Type: "address"},
	}},
	{Name: "beneficiaries", Type: "address[]"},
	{Name: "guarantors", Type: "address[]"},
	{Name: "nonce", Type: "uint64"},
	{Name: "window", Type: "uint32"},
	{Name: "forceQuota", Type: "uint16"},
	{Name: "sequencer", Type: "uint8"},
	{Name: "moduleHash", Type: "bytes32"},
	{Name: "genesisHash", Type: "bytes32"},
	{Name: "fundingHash", Type: "bytes32"},
	{Name: "fundingDeadline", Type: "uint64"},
	{Name: "isVirtual", Type: "bool"},
})

func tupleArgument(typ string, components []abi.ArgumentMarshaling) abi.Arguments {
	t, err := abi.NewType(typ, "", components)
	if err != nil {
		panic(err) // a constant of this package is misspelt
	}
	return abi.Arguments{{Type: t}}
}

func (p *Params) wire() wireParams {
	return wireParams{
		p.ChainID.ToBig(), p.Adjudicator, p.Participants, p.Beneficiaries, p.Guarantors, p.Nonce, p.Window, p.ForceQuota,
		p.Sequencer, p.ModuleHash, p.GenesisHash, p.FundingHash, p.FundingDeadline, p.IsVirtual,
	}
}

// Encode is abi.encode(Params).
func (p *Params) Encode() []byte { return pack(paramsArgs, p.wire()) }

// ID is channelId = H(abi.encode(Params)).
func (p *Params) ID() common.Hash { return crypto.Keccak256Hash(p.Encode()) }

// maxEncodedParams bounds what DecodeParams looks at: the head, and every list at its limit.
const maxEncodedParams = 32 * (1 + 14 + 3 + 2*MaxParticipants + MaxBeneficiaries + MaxGuarantors)

// DecodeParams reads what Encode wrote and nothing else: another encoding of the same values is refused.
func DecodeParams(b []byte) (*Params, error) {
	if len(b) > maxEncodedParams {
		return nil, Refuse(CodeMalformed, "params are %d bytes long, at most %d are possible", len(b), maxEncodedParams)
	}
	r := &reader{b}
	r.skip(1)
	p := &Params{ChainID: r.uint256(), Adjudicator: r.address()}
	r.skip(3) // where the three lists are
	p.Nonce, p.Window, p.ForceQuota, p.Sequencer = r.uint(), uint32(r.uint()), uint16(r.uint()), uint8(r.uint())
	p.ModuleHash, p.GenesisHash, p.FundingHash = r.word(), r.word(), r.word()
	p.FundingDeadline, p.IsVirtual = r.uint(), r.uint() != 0
	p.Participants = make([]Participant, r.count())
	for i := range p.Participants {
		p.Participants[i] = Participant{Signer: r.address(), Owner: r.address()}
	}
	p.Beneficiaries, p.Guarantors = r.addresses(), r.addresses()
	if !bytes.Equal(p.Encode(), b) {
		return nil, Refuse(CodeMalformed, "params are not in the canonical ABI encoding")
	}
	return p, nil
}

// Validate checks the bounds that do not depend on a chain or on a policy (docs/protocol.md §1, docs/encoding.md 14-15).
func (p *Params) Validate() error {
	bad := func(format string, args ...any) error { return Refuse(CodeParams, format, args...) }
	n := len(p.Participants)
	switch {
	case n < MinParticipants || n > MaxParticipants:
		return bad("%d participants, allowed are %d to %d", n, MinParticipants, MaxParticipants)
	case len(p.Beneficiaries) > MaxBeneficiaries:
		return bad("%d beneficiaries, allowed are %d", len(p.Beneficiaries), MaxBeneficiaries)
	case len(p.Guarantors) > MaxGuarantors:
		return bad("%d guarantors, allowed are %d", len(p.Guarantors), MaxGuarantors)
	case int(p.Sequencer) >= n:
		return bad("sequencer %d of %d participants", p.Sequencer, n)
	case p.Window == 0 || p.Window > MaxWindow:
		return bad("window of %d s, allowed are 1 to %d", p.Window, MaxWindow)
	case p.ForceQuota == 0 || p.ForceQuota > MaxForceQuota:
		return bad("forceQuota %d, allowed are 1 to %d", p.ForceQuota, MaxForceQuota)
	case p.Adjudicator == (common.Address{}):
		return bad("the adjudicator's address is zero")
	case p.ChainID.IsZero():
		return bad("chainId is zero")
	case p.IsVirtual && len(p.Beneficiaries) > 0:
		return bad("a virtual channel has no beneficiaries")
	case p.IsVirtual != (len(p.Guarantors) > 0):
		return bad("guarantors belong to virtual channels, and every virtual channel has one")
	}
	keys := make(map[common.Address]bool)
	for i, part := range p.Participants {
		if part.Signer == (common.Address{}) || part.Owner == (common.Address{}) {
			return bad("participant %d has a zero signer or owner", i)
		}
		if keys[part.Signer] {
			return bad("signer %s appears twice", part.Signer)
		}
		keys[part.Signer] = true
	}
	for _, g := range p.Guarantors {
		if g == (common.Address{}) || keys[g] {
			return bad("guarantor %s is zero or appears twice among the signers", g)
		}
		keys[g] = true
	}
	for i, b := range p.Beneficiaries {
		if b == (common.Address{}) {
			return bad("beneficiary %d is zero", i)
		}
	}
	return nil
}

// Index is the place of a session key among the participants, or -1.
func (p *Params) Index(signer common.Address) int {
	for i, part := range p.Participants {
		if part.Signer == signer {
			return i
		}
	}
	return -1
}

// IsLedger tells whether the channel has the null module.
func (p *Params) IsLedger() bool { return p.ModuleHash == common.Hash{} }

// Domain is the EIP-712 domain of everything signed for this channel.
func (p *Params) Domain() Domain { return NewDomain(&p.ChainID, p.Adjudicator) }

// GenesisHash is eventHash_0 = H(raw genesis input), also when it is empty.
func GenesisHash(input []byte) common.Hash { return crypto.Keccak256Hash(input) }
