// Package directfund is the objective that opens a channel funded directly on chain (docs/protocol.md §4, Open).
//
// The proposer sends what the channel is; everybody checks it, derives leaf 0 and signs Update 0, which pays everyone back
// what the genesis says. Only with all signatures does anyone deposit, in parallel. A channel that is not fully funded at
// its deadline can only be refunded.
package directfund

import (
	"fmt"
	"math"
	"slices"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Name of the objective, in records and metrics.
const Name = "directfund"

// Phase is how far the objective is.
type Phase uint8

const (
	Asking    Phase = iota // the owner must approve or reject
	Signing                // collecting the signatures on Update 0
	Funding                // deposits are on their way
	Open                   // done: funded at the level of trust that policy demands
	Refunding              // past the deadline, our deposits are on their way back
	Abandoned              // done: rejected, or refunded
)

func (p Phase) String() string {
	return [...]string{"asking", "signing", "funding", "open", "refunding", "abandoned"}[min(int(p), 5)]
}

// Config fixes what the objective depends on.
type Config struct {
	Rules   *channel.Rules
	Genesis []byte         // genesis input
	Update0 channel.Update // over leaf 0, derived by ourselves
	Me      uint8
	// Margin is how many seconds before the funding deadline we stop depositing.
	Margin uint64
	// Stall is after how many seconds without progress messages are sent again.
	Stall uint64
}

// Objective is a value: Crank returns the next one.
type Objective struct {
	cfg      *Config
	domain   channel.Domain
	n        uint8
	phase    Phase
	sigs     []channel.Signature
	joins    []channel.Signature
	proposer bool
	signed   bool         // we decided to sign Update 0
	asked    []bool       // deposits submitted, by asset
	view     channelFacts // newest picture of the chain
	requests []uint64     // who waits for the channel to open
	progress uint64
	reason   string
	// The owner's key may be elsewhere: when its Join could not be had, it is asked for again.
	unsigned  uint64 // times in a row
	signAgain uint64 // not before then, if unsigned
}

type channelFacts = protocols.ChainView

// Propose is New for the participant that proposes the channel to the others.
func Propose(cfg *Config) Objective {
	o := New(cfg)
	o.proposer = true
	return o
}

// New is an objective whose signature nobody has asked for yet.
func New(cfg *Config) Objective {
	n := len(cfg.Rules.Params.Participants)
	return Objective{
		cfg: cfg, domain: cfg.Rules.Params.Domain(), n: uint8(n), sigs: make([]channel.Signature, n),
		joins: make([]channel.Signature, n), asked: make([]bool, len(cfg.Rules.Funding)),
	}
}

type record struct {
	Phase    uint8
	Proposer bool
	Signed   bool
	Sigs     []channel.Signature
	Joins    []channel.Signature
	Reason   string
}

// Restore is the inverse of what RecordObjective stored.
func Restore(cfg *Config, data []byte) (Objective, error) {
	o := New(cfg)
	var r record
	if err := rlp.DecodeBytes(data, &r); err != nil || len(r.Sigs) != int(o.n) || len(r.Joins) != int(o.n) || Phase(r.Phase) > Abandoned {
		return o, fmt.Errorf("restore directfund of %s: the record is malformed (%v)", cfg.Rules.ID(), err)
	}
	o.phase, o.proposer, o.signed, o.sigs, o.joins, o.reason = Phase(r.Phase), r.Proposer, r.Signed, r.Sigs, r.Joins, r.Reason
	return o, nil
}

// Encode is what Restore reads.
func (o Objective) Encode() []byte {
	data, err := rlp.EncodeToBytes(record{uint8(o.phase), o.proposer, o.signed, o.sigs, o.joins, o.reason})
	if err != nil {
		panic(err) // the record's type is fixed and encodable
	}
	return data
}

func (o *Objective) save() protocols.Action {
	return protocols.RecordObjective{Name: Name, Data: o.Encode()}
}

// Phase, Signatures on Update 0, Joins by participant, and the reason of an abandoned channel.
func (o Objective) Phase() Phase                    { return o.phase }
func (o Objective) Signatures() []channel.Signature { return o.sigs }
func (o Objective) Joins() []channel.Signature      { return o.joins }
func (o Objective) Reason() string                  { return o.reason }

// WaitingFor names what the objective cannot go on without.
func (o Objective) WaitingFor() protocols.WaitingFor {
	switch o.phase {
	case Asking:
		return "the owner's approval"
	case Signing:
		for i := range o.sigs {
			if uint8(i) == o.cfg.Me && !o.complete(o.cfg.Me) {
				return "our own signatures"
			}
			if !o.complete(uint8(i)) {
				return protocols.WaitingFor(fmt.Sprintf("participant %d to accept", i))
			}
		}
	case Funding:
		return "deposits on chain"
	case Refunding:
		return "the refund on chain"
	}
	return ""
}

// needsJoin tells whether participant i pays nothing, so that its owner must consent by a Join.
func (o *Objective) needsJoin(i uint8) bool {
	for _, s := range o.cfg.Rules.Funding {
		if !s.Amounts[i].IsZero() {
			return false
		}
	}
	return true
}

func (o *Objective) complete(i uint8) bool {
	return !o.sigs[i].IsZero() && (!o.needsJoin(i) || !o.joins[i].IsZero())
}

// Resume repeats what a crash may have interrupted.
func (o Objective) Resume() (acts []protocols.Action) {
	if o.signed && o.phase == Signing {
		acts = append(acts, o.signOwn()...)
	}
	return acts
}

func (o *Objective) signOwn() []protocols.Action {
	acts := []protocols.Action{protocols.Sign{Message: o.cfg.Update0}}
	if o.needsJoin(o.cfg.Me) {
		acts = append(acts, o.signJoin())
	}
	return acts
}

func (o *Objective) signJoin() protocols.Action {
	return protocols.Sign{Message: o.join(o.cfg.Me), Key: protocols.OwnerKey}
}

func (o *Objective) join(i uint8) channel.Join {
	return channel.Join{ChannelID: o.cfg.Rules.ID(), Signer: o.cfg.Rules.Params.Participants[i].Signer}
}

// Crank takes one input.
func (o Objective) Crank(in protocols.Input) (Objective, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Request:
		acts = o.onRequest(in)
	case protocols.Received:
		acts = o.onReceived(in)
	case protocols.Signed:
		acts = o.onSigned(in)
	case protocols.Unsigned:
		acts = o.onUnsigned(in)
	case protocols.Connected:
		acts = o.tell(in.Peer)
	case protocols.ChainView:
		acts = o.onChain(in)
	case protocols.Submitted:
		acts = o.onSubmitted(in)
	case protocols.Tick:
		acts = o.onTick(in.Now)
	}
	return o, acts
}

func (o *Objective) onRequest(in protocols.Request) []protocols.Action {
	switch ask := in.Ask.(type) {
	case protocols.AskApprove:
		if o.phase != Asking {
			return []protocols.Action{protocols.Respond{ID: in.ID, Err: channel.Refuse(channel.CodePhase, "the channel is %s", o.phase)}}
		}
		o.phase, o.signed, o.progress = Signing, true, in.Now
		o.requests = append(slices.Clone(o.requests), in.ID)
		acts := []protocols.Action{o.save(), protocols.RecordSigned{Update: o.cfg.Update0}}
		return append(acts, o.signOwn()...)
	case protocols.AskReject:
		if o.phase != Asking {
			return []protocols.Action{protocols.Respond{ID: in.ID, Err: channel.Refuse(channel.CodePhase, "the channel is %s: too late to reject", o.phase)}}
		}
		acts := o.abandon(channel.CodePolicy, "rejected: "+ask.Reason)
		acts = append(acts, protocols.ToOthers(o.n, o.cfg.Me, protocols.Refusal{Code: string(channel.CodePolicy), Text: clip(ask.Reason)})...)
		return append(acts, protocols.Respond{ID: in.ID})
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 400)] }

func (o *Objective) abandon(code channel.Code, why string) []protocols.Action {
	o.phase, o.reason = Abandoned, clip(why)
	acts := []protocols.Action{o.save(), protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteAbandoned, Code: code, Text: why}}}
	for _, id := range o.requests {
		acts = append(acts, protocols.Respond{ID: id, Err: channel.Refuse(code, "%s", why)})
	}
	o.requests = nil
	return acts
}

func (o *Objective) onReceived(in protocols.Received) []protocols.Action {
	if in.From >= o.n || in.From == o.cfg.Me {
		return []protocols.Action{protocols.Drop{From: in.From, Code: channel.CodeNotParticipant, Text: "no such participant"}}
	}
	switch m := in.Body.(type) {
	case protocols.Proposal: // sent again: it may lack our answer
		if o.phase == Abandoned {
			return []protocols.Action{protocols.Send{To: in.From, Body: protocols.Refusal{Code: string(channel.CodePhase), Text: clip("abandoned: " + o.reason)}}}
		}
		return o.accept(in.From)
	case protocols.Accept:
		return o.onAccept(in.From, m, in.Now)
	case protocols.Refusal:
		if o.phase == Asking || o.phase == Signing && !o.allSigned() {
			return o.abandon(channel.Code(m.Code), fmt.Sprintf("participant %d refused (%s): %s", in.From, m.Code, m.Text))
		}
	}
	return nil
}

func (o *Objective) onAccept(from uint8, m protocols.Accept, now uint64) []protocols.Action {
	if o.complete(from) || o.phase > Funding {
		return o.answer(from, m)
	}
	bad := func(err error) []protocols.Action {
		return []protocols.Action{protocols.Drop{From: from, Code: channel.CodeSignature, Text: err.Error()}}
	}
	p := o.cfg.Rules.Params.Participants[from]
	if err := m.Signature.Verify(o.domain.Digest(o.cfg.Update0), p.Signer); err != nil {
		return bad(fmt.Errorf("on Update 0 (%s): %w", o.cfg.Update0.StateHash, err))
	}
	if o.needsJoin(from) {
		if err := m.Join.Verify(o.domain.Digest(o.join(from)), p.Owner); err != nil {
			return bad(fmt.Errorf("the owner's Join: %w", err))
		}
	}
	o.sigs, o.joins = slices.Clone(o.sigs), slices.Clone(o.joins)
	o.sigs[from], o.progress = m.Signature, now
	if o.needsJoin(from) {
		o.joins[from] = m.Join
	}
	acts := []protocols.Action{o.save(), protocols.Notify{Event: protocols.Notification{
		Kind: protocols.NoteAccepted, Text: fmt.Sprintf("participant %d", from),
	}}}
	return append(append(acts, o.answer(from, m)...), o.advance()...)
}

// accept tells one participant that we accept, once we do.
func (o *Objective) accept(to uint8) []protocols.Action {
	if !o.complete(o.cfg.Me) {
		return nil
	}
	return []protocols.Action{protocols.Send{To: to, Body: protocols.Accept{
		Signature: o.sigs[o.cfg.Me], Join: o.joins[o.cfg.Me], Want: o.phase <= Funding && !o.complete(to),
	}}}
}

// answer gives our Accept to who asks for it: it may not have known the channel when we sent it, or it was lost.
func (o *Objective) answer(to uint8, m protocols.Accept) []protocols.Action {
	if !m.Want || o.phase == Abandoned {
		return nil
	}
	return o.accept(to)
}

func (o *Objective) proposal() protocols.Proposal {
	r := o.cfg.Rules
	return protocols.Proposal{Params: r.Params.Encode(), Funding: r.Funding.Encode(), Genesis: o.cfg.Genesis}
}

// tell brings a participant up to date while signatures are missing.
func (o *Objective) tell(peer uint8) (acts []protocols.Action) {
	if o.phase > Funding || peer >= o.n || peer == o.cfg.Me {
		return nil
	}
	if o.proposer && o.signed && !o.complete(peer) {
		acts = append(acts, protocols.Send{To: peer, Body: o.proposal()})
	}
	return append(acts, o.accept(peer)...)
}

func (o *Objective) onSigned(in protocols.Signed) []protocols.Action {
	me := o.cfg.Me
	o.sigs, o.joins = slices.Clone(o.sigs), slices.Clone(o.joins)
	switch m := in.Message.(type) {
	case channel.Update:
		if m != o.cfg.Update0 {
			return nil
		}
		o.sigs[me] = in.Signature
	case channel.Join:
		if m != o.join(me) {
			return nil
		}
		o.joins[me] = in.Signature
	default:
		return nil
	}
	if !o.complete(me) {
		return nil
	}
	acts := []protocols.Action{o.save()}
	for i := uint8(0); i < o.n; i++ {
		acts = append(acts, o.tell(i)...)
	}
	return append(acts, o.advance()...)
}

// onUnsigned says it, and lets the Join be asked for again after a while.
func (o *Objective) onUnsigned(in protocols.Unsigned) []protocols.Action {
	m, ok := in.Message.(channel.Join)
	if !ok || m != o.join(o.cfg.Me) || o.phase != Signing {
		return nil
	}
	o.unsigned++
	o.signAgain = 0 // counted from the next Tick: only that knows the time
	return []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteRefused, Code: in.Code, Text: "our owner's Join: " + in.Err}}}
}

// resign asks for our owner's Join again when it is time.
func (o *Objective) resign(now uint64) []protocols.Action {
	switch {
	case o.unsigned == 0 || o.phase != Signing || !o.joins[o.cfg.Me].IsZero():
		return nil
	case o.signAgain == 0:
		o.signAgain = now + protocols.Patience(o.cfg.Stall, o.unsigned-1)
		return nil
	case now < o.signAgain:
		return nil
	}
	o.signAgain = math.MaxUint64 // until it is known how this one ends
	return []protocols.Action{o.signJoin()}
}

func (o *Objective) allSigned() bool {
	for i := uint8(0); i < o.n; i++ {
		if !o.complete(i) {
			return false
		}
	}
	return true
}

// advance goes from signing to funding when Update 0 is supported: from here on depositing is safe.
func (o *Objective) advance() []protocols.Action {
	if o.phase != Signing || !o.allSigned() {
		return nil
	}
	o.phase = Funding
	acts := []protocols.Action{o.save(), protocols.RecordSupported{Update: o.cfg.Update0, Signatures: o.sigs}}
	return append(acts, o.fund()...)
}

// fund submits the deposits that the chain does not show, or ends the objective.
func (o *Objective) fund() []protocols.Action {
	v := o.view
	switch {
	case o.phase != Funding || v.Time == 0: // the chain has not been seen yet
		return nil
	case v.Funded:
		o.phase = Open
		acts := []protocols.Action{o.save()}
		for _, id := range o.requests {
			acts = append(acts, protocols.Respond{ID: id})
		}
		o.requests = nil
		return acts
	case v.Time >= o.cfg.Rules.Params.FundingDeadline:
		return o.refund()
	case max(v.Time, v.Seen.Time)+o.cfg.Margin >= o.cfg.Rules.Params.FundingDeadline:
		return nil
	}
	var acts []protocols.Action
	o.asked = slices.Clone(o.asked)
	for a, s := range o.cfg.Rules.Funding {
		paid := v.Paid(protocols.Deposit{Participant: o.cfg.Me, Asset: uint8(a)})
		if !s.Amounts[o.cfg.Me].IsZero() && !paid && !o.asked[a] {
			o.asked[a] = true
			acts = append(acts, protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxDeposit, Asset: uint8(a)}})
		}
	}
	return acts
}

func (o *Objective) refund() []protocols.Action {
	if !slices.ContainsFunc(o.view.Deposited, func(d protocols.Deposit) bool { return d.Participant == o.cfg.Me }) {
		return o.abandon(channel.CodeChain, "not funded before the deadline")
	}
	o.phase = Refunding
	return []protocols.Action{o.save(), protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxRefund}}}
}

func (o *Objective) onChain(v protocols.ChainView) []protocols.Action {
	for a := range o.asked { // a reorg took a deposit of ours away (attack 24), whether it counted or not: it may be paid again
		d := protocols.Deposit{Participant: o.cfg.Me, Asset: uint8(a)}
		if o.asked[a] && o.view.Paid(d) && !v.Paid(d) {
			o.asked = slices.Clone(o.asked)
			o.asked[a] = false
		}
	}
	o.view = v
	switch o.phase {
	case Asking, Signing:
		if v.Time >= o.cfg.Rules.Params.FundingDeadline {
			return o.abandon(channel.CodeChain, "not everybody signed before the funding deadline")
		}
	case Funding:
		return o.fund()
	case Open:
		if !v.Funded && !v.Final && v.Time != 0 {
			o.phase = Funding // a reorg took deposits away (attack 24): pay what is missing again
			o.asked = make([]bool, len(o.asked))
			return append([]protocols.Action{o.save()}, o.fund()...)
		}
	case Refunding:
		if v.Refunded {
			return o.abandon(channel.CodeChain, "not funded before the deadline; our deposits came back")
		}
	}
	return nil
}

// onSubmitted lets a failed transaction be tried again at the next stall.
func (o *Objective) onSubmitted(in protocols.Submitted) []protocols.Action {
	if in.Err == "" {
		return nil
	}
	if in.Tx.Kind == protocols.TxDeposit && int(in.Tx.Asset) < len(o.asked) {
		o.asked = slices.Clone(o.asked)
		o.asked[in.Tx.Asset] = false
	}
	return []protocols.Action{protocols.Notify{Event: protocols.Notification{
		Kind: protocols.NoteRefused, Code: channel.CodeChain, Text: in.Tx.Kind.String() + ": " + in.Err,
	}}}
}

func (o *Objective) onTick(now uint64) (acts []protocols.Action) {
	acts = o.resign(now)
	if now < o.progress+o.cfg.Stall {
		return acts
	}
	o.progress = now
	switch o.phase {
	case Signing:
		for i := uint8(0); i < o.n; i++ {
			if !o.complete(i) {
				acts = append(acts, o.tell(i)...)
			}
		}
	case Funding:
		acts = append(acts, o.fund()...)
	case Refunding:
		if !o.view.Seen.Refunded {
			acts = append(acts, protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxRefund}})
		}
	}
	return acts
}
