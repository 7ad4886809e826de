package channel

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Rules are everything δ depends on besides state and event.
type Rules struct {
	Params  *Params
	Funding Funding
	Module  Module  // nil for the null module
	TopUps  []TopUp // what the chain recorded so far: TopUps[i].Index is i

	id    common.Hash
	shape Shape
	pot   []Amount
}

// NewRules checks that the parts belong together: bounds, fundingHash, moduleHash.
func NewRules(p *Params, f Funding, m Module) (*Rules, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := f.Validate(len(p.Participants)); err != nil {
		return nil, err
	}
	if f.Hash() != p.FundingHash {
		return nil, Refuse(CodeParams, "fundingHash is %s, but the funding given hashes to %s", p.FundingHash, f.Hash())
	}
	switch {
	case p.IsLedger() != (m == nil):
		return nil, Refuse(CodeUnknownModule, "the channel wants module %s", p.ModuleHash)
	case m != nil && m.Manifest().Hash() != p.ModuleHash:
		return nil, Refuse(CodeModuleHash, "the channel wants module %s, the one given has %s", p.ModuleHash, m.Manifest().Hash())
	}
	return &Rules{Params: p, Funding: f, Module: m, id: p.ID(), shape: ShapeOf(p, f), pot: f.Pot()}, nil
}

// ID is the channel's id, computed once.
func (r *Rules) ID() common.Hash { return r.id }

// Shape is the shape of the channel's states, computed once.
func (r *Rules) Shape() Shape { return r.shape }

// Pot is what the funds must sum to per asset when `counted` top-ups are counted.
func (r *Rules) Pot(counted uint32) []Amount {
	if counted == 0 {
		return r.pot
	}
	pot := append([]Amount(nil), r.pot...)
	for _, t := range r.TopUps[:min(int(counted), len(r.TopUps))] {
		if int(t.Asset) < len(pot) { // ApplyTopUp counts no other
			pot[t.Asset].Add(&pot[t.Asset], &t.Amount)
		}
	}
	return pot
}

// Verdict says how δ judged one entry.
type Verdict struct {
	Status Status
	Reason string // for people
	Fuel   uint64
}

// Err is nil when the entry was accepted.
func (v Verdict) Err() error {
	if v.Status == Accepted {
		return nil
	}
	return Refuse(CodeRejected, "%s", v.Text())
}

// Text is the status and the reason, for people.
func (v Verdict) Text() string {
	if v.Reason == "" {
		return v.Status.String()
	}
	return v.Status.String() + ": " + v.Reason
}

var initArgs = abi.Arguments{paramsArgs[0], fundingArgs[0], arguments("bytes")[0]}

// emptyGuarantees is abi.encode of an empty Guarantee[], the app of a ledger's genesis.
var emptyGuarantees = append(append(make([]byte, 0, 64), uintWordBytes(32)...), uintWordBytes(0)...)

func uintWordBytes(v uint64) []byte { w := uintWord(v); return w[:] }

// Genesis derives state 0 from the input that hashes to the params' genesisHash. A rejection means that the channel
// cannot exist.
func (r *Rules) Genesis(input []byte) (*State, Verdict) {
	header := Header{Nonces: make([]uint64, r.shape.Participants)}
	if len(input) > MaxGenesis {
		return nil, Verdict{Status: RejectedOversize, Reason: "genesis input"}
	}
	if r.Module == nil && len(input) != 0 {
		return nil, Verdict{Status: RejectedOversize, Reason: "the null module takes no genesis input"}
	}
	if crypto.Keccak256Hash(input) != r.Params.GenesisHash {
		return nil, Verdict{Status: RejectedChannel, Reason: "the genesis input does not hash to the genesisHash of the params"}
	}
	if r.Module == nil {
		return &State{header, r.stakes(), bytes.Clone(emptyGuarantees)}, Verdict{}
	}
	res := r.Module.Init(pack(initArgs, r.Params.wire(), r.Funding.wire(), input))
	return r.finish(header, res)
}

// stakes are the funds as they were paid in.
func (r *Rules) stakes() []byte {
	b := make([]byte, r.shape.FundsLen())
	for a, s := range r.Funding {
		for p := range s.Amounts {
			w := s.Amounts[p].Bytes32()
			copy(b[word*(a*r.shape.Holders()+p):], w[:])
		}
	}
	return b
}

// Apply is δ for an author's event. It does not check the signature: who signs an Update checks that first.
// seq is the index of the leaf that the event would get. On rejection the state is nil and unchanged by meaning.
func (r *Rules) Apply(prev *State, seq uint64, e *Event) (*State, Verdict) {
	switch {
	case e.ChannelID != r.id:
		return nil, Verdict{Status: RejectedChannel}
	case prev.Header.Terminal:
		return nil, Verdict{Status: RejectedTerminal}
	case int(e.Author) >= r.shape.Participants:
		return nil, Verdict{Status: RejectedAuthor}
	case !r.nonceFollows(prev.Header.Nonces[e.Author], e.Nonce):
		return nil, Verdict{Status: RejectedNonce}
	case e.NotAfter != 0 && e.NotAfter < seq:
		return nil, Verdict{Status: RejectedNotAfter}
	case len(e.Payload) > MaxPayload:
		return nil, Verdict{Status: RejectedOversize}
	case r.Module == nil:
		return nil, Verdict{Status: RejectedByModule, Reason: "the null module accepts no events"}
	}
	time := max(prev.Header.LastTimestamp, e.Timestamp)
	header := prev.Header
	header.LastTimestamp = time
	header.Nonces = append([]uint64(nil), prev.Header.Nonces...)
	header.Nonces[e.Author] = e.Nonce
	res := r.Module.Reduce(prev.Bytes(), reduceInput(r.shape, kindEvent, e.Author, time, seq, e.Nonce, e.Payload))
	return r.finish(header, res)
}

func (r *Rules) nonceFollows(last, next uint64) bool {
	if r.Module != nil && r.Module.Manifest().Sparse {
		return next > last
	}
	return last != 1<<64-1 && next == last+1
}

// ApplyTopUp is δ for the next top-up that the chain recorded.
func (r *Rules) ApplyTopUp(prev *State, seq uint64) (*State, Verdict) {
	index := prev.Header.TopUps
	switch {
	case prev.Header.Terminal:
		return nil, Verdict{Status: RejectedTerminal}
	case uint64(index) >= uint64(len(r.TopUps)):
		return nil, Verdict{Status: RejectedAuthor, Reason: "the chain recorded no such top-up"}
	case r.Module == nil:
		return nil, Verdict{Status: RejectedByModule, Reason: "the null module accepts no events"}
	}
	t := r.TopUps[index]
	if t.Index != index || int(t.Participant) >= r.shape.Participants || int(t.Asset) >= r.shape.Assets {
		return nil, Verdict{Status: RejectedAuthor, Reason: fmt.Sprintf("top-up %d of the facts given names index %d, participant %d, asset %d", index, t.Index, t.Participant, t.Asset)}
	}
	raised := &State{prev.Header, append([]byte(nil), prev.Funds...), prev.App}
	raised.Header.TopUps++
	i := word * (int(t.Asset)*r.shape.Holders() + int(t.Participant))
	var v Amount
	v.SetBytes32(raised.Funds[i : i+word])
	if _, overflow := v.AddOverflow(&v, &t.Amount); overflow {
		return nil, Verdict{Status: RejectedSums}
	}
	w := v.Bytes32()
	copy(raised.Funds[i:], w[:])
	amount := t.Amount.Bytes32()
	payload := append([]byte{t.Asset}, amount[:]...)
	res := r.Module.Reduce(raised.Bytes(), reduceInput(r.shape, kindTopUp, t.Participant, prev.Header.LastTimestamp, seq, 0, payload))
	return r.finish(raised.Header, res)
}

// Timeout is what the adjudicator does when nobody moves: never a leaf.
func (r *Rules) Timeout(prev *State, seq, blockTime uint64) (*State, Verdict) {
	if prev.Header.Terminal || r.Module == nil {
		return nil, Verdict{Status: RejectedTerminal}
	}
	header := prev.Header
	header.LastTimestamp = max(header.LastTimestamp, blockTime)
	res := r.Module.Reduce(prev.Bytes(), reduceInput(r.shape, kindTimeout, timeoutAuthor, header.LastTimestamp, seq, 0, nil))
	return r.finish(header, res)
}

// Effects runs the module's effects on a terminal state and decodes them strictly.
func (r *Rules) Effects(s *State) ([]Effect, Verdict) {
	if r.Module == nil || !s.Header.Terminal {
		return nil, Verdict{Status: RejectedTerminal, Reason: "effects come from terminal states only"}
	}
	res := r.Module.Effects(s.Bytes())
	v := Verdict{res.Status, res.Reason, res.Fuel}
	if res.Status != Accepted {
		return nil, v
	}
	effects, err := DecodeEffects(res.Output)
	if err != nil {
		v.Status, v.Reason = RejectedOutput, err.Error()
	}
	return effects, v
}

// finish makes a state of a module's result, or a rejection.
func (r *Rules) finish(header Header, res Result) (*State, Verdict) {
	v := Verdict{res.Status, res.Reason, res.Fuel}
	if res.Status != Accepted {
		return nil, v
	}
	funds := 1 + r.shape.FundsLen()
	if len(res.Output) < funds || len(res.Output) > funds+MaxApp || res.Output[0] > 1 {
		v.Status = RejectedOutput
		return nil, v
	}
	header.Terminal = res.Output[0] == 1
	out := bytes.Clone(res.Output)
	s := &State{header, out[1:funds:funds], out[funds:]}
	sums, ok := Sums(s.Funds, r.shape)
	pot := r.Pot(header.TopUps)
	for a := range sums {
		ok = ok && sums[a] == pot[a]
	}
	if !ok {
		v.Status = RejectedSums
		return nil, v
	}
	return s, v
}
