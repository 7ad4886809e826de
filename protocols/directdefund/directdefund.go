// Package directdefund is the objective that ends a channel cooperatively (docs/protocol.md §4, Close).
//
// A supported terminal Update is enough to conclude. Before that, every owner must ask for it: each signs one Close for
// the supported head and nothing after it (S5).
package directdefund

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Name of the objective, in records and metrics.
const Name = "directdefund"

// Phase is how far the objective is.
type Phase uint8

const (
	Idle       Phase = iota // nobody wants to close
	Draining                // our owner wants to close; Updates of ours are still in flight
	Consenting              // we signed Close and wait for the others'
	Concluding              // everything for one conclude is there
	Final                   // the chain paid out
)

const maxRequests = 64 // of our owner, waiting for the end

func (p Phase) String() string {
	return [...]string{"idle", "draining", "consenting", "concluding", "final"}[min(int(p), 4)]
}

// Config fixes what the objective depends on.
type Config struct {
	Rules *channel.Rules
	Me    uint8
	// Turn is how many seconds a participant leaves to each one before it to conclude; the sequencer is first.
	Turn  uint64
	Stall uint64
}

// Objective is a value: Crank returns the next one.
type Objective struct {
	cfg       *Config
	domain    channel.Domain
	n         uint8
	phase     Phase
	at        protocols.Progress
	mine      channel.Close // signed, or decided to be signed, by us
	sigs      []channel.Signature
	others    []channel.Close // what the others signed
	requests  []uint64
	wanted    bool // our owner asked
	since     uint64
	submitted bool
	again     uint64 // not submitted again before this, after a failure
	payable   bool   // the chain shows the channel funded and not final
	seen      bool   // somebody's conclusion is on chain and does not count yet
	endSeq    uint64 // where the chain ended the channel
	now       uint64 // of the newest Tick
	progress  uint64
}

// New is the objective of a channel that nobody wants to close yet.
func New(cfg *Config) Objective {
	n := len(cfg.Rules.Params.Participants)
	return Objective{
		cfg: cfg, domain: cfg.Rules.Params.Domain(), n: uint8(n),
		sigs: make([]channel.Signature, n), others: make([]channel.Close, n),
	}
}

type record struct {
	Phase  uint8
	Wanted bool
	Mine   channel.Close
	Others []channel.Close
	Sigs   []channel.Signature
}

// Restore is the inverse of what RecordObjective stored.
func Restore(cfg *Config, data []byte) (Objective, error) {
	o := New(cfg)
	var r record
	if err := rlp.DecodeBytes(data, &r); err != nil || len(r.Sigs) != int(o.n) || len(r.Others) != int(o.n) || Phase(r.Phase) > Final {
		return o, fmt.Errorf("restore directdefund of %s: the record is malformed (%v)", cfg.Rules.ID(), err)
	}
	o.phase, o.wanted, o.mine, o.others, o.sigs = Phase(r.Phase), r.Wanted, r.Mine, r.Others, r.Sigs
	return o, nil
}

func (o *Objective) save() protocols.Action {
	data, err := rlp.EncodeToBytes(record{uint8(o.phase), o.wanted, o.mine, o.others, o.sigs})
	if err != nil {
		panic(err) // the record's type is fixed and encodable
	}
	return protocols.RecordObjective{Name: Name, Data: data}
}

// Phase is how far the objective is.
func (o Objective) Phase() Phase { return o.phase }

// Conclusion is what conclude needs beside the state: the supported Update, its signatures, and everyone's Close
// (nil for a terminal state).
func (o Objective) Conclusion() (u channel.Update, sigs, closes []channel.Signature) {
	if !o.at.Terminal {
		closes = o.sigs
	}
	return o.at.Supported, o.at.Signatures, closes
}

// WaitingFor names what the objective cannot go on without.
func (o Objective) WaitingFor() protocols.WaitingFor {
	switch o.phase {
	case Draining:
		return "support of the newest Update"
	case Consenting:
		for i, s := range o.sigs {
			if s.IsZero() || o.others[i] != o.mine {
				return protocols.WaitingFor(fmt.Sprintf("participant %d to close", i))
			}
		}
	case Concluding:
		return "the conclusion on chain"
	}
	return ""
}

// Resume repeats what a crash may have interrupted.
func (o Objective) Resume() (acts []protocols.Action) {
	switch {
	case o.phase == Draining:
		acts = append(acts, protocols.HoldPlay{Hold: protocols.Hold{Sign: true}})
	case o.mine != (channel.Close{}):
		acts = append(acts, protocols.HoldPlay{}, protocols.Sign{Message: o.mine})
	case o.phase == Final: // nothing is signed any more, not even what was decided before
		acts = append(acts, protocols.HoldPlay{})
	case slices.ContainsFunc(o.sigs, func(s channel.Signature) bool { return !s.IsZero() }): // somebody else wants to close
		acts = append(acts, protocols.HoldPlay{Hold: protocols.Hold{Sign: true}})
	}
	return acts
}

// Crank takes one input.
func (o Objective) Crank(in protocols.Input) (Objective, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Progress:
		if o.phase < Concluding {
			o.at = in
		} else if o.at.Signatures == nil {
			o.at = in // after a restart
		}
		acts = o.advance()
	case protocols.Request:
		if _, ok := in.Ask.(protocols.AskClose); ok {
			acts = o.onAsk(in)
		}
	case protocols.Received:
		if m, ok := in.Body.(protocols.CloseConsent); ok {
			acts = o.onConsent(in.From, m)
		}
	case protocols.Signed:
		if m, ok := in.Message.(channel.Close); ok && m == o.mine {
			o.sigs, o.others = slices.Clone(o.sigs), slices.Clone(o.others)
			o.sigs[o.cfg.Me], o.others[o.cfg.Me] = in.Signature, m
			acts = append(protocols.ToOthers(o.n, o.cfg.Me, protocols.CloseConsent{Close: m, Signature: in.Signature}), o.advance()...)
		}
	case protocols.Connected:
		acts = o.tell(in.Peer)
	case protocols.ChainView:
		acts = o.onChain(in)
	case protocols.Submitted:
		if in.Tx.Kind == protocols.TxConclude && in.Err != "" && o.phase != Final {
			o.submitted, o.again = false, o.now+o.cfg.Stall
			acts = []protocols.Action{protocols.Notify{Event: protocols.Notification{
				Kind: protocols.NoteRefused, Code: channel.CodeChain, Text: "conclude: " + in.Err,
			}}}
		}
	case protocols.Tick:
		acts = o.onTick(in.Now)
	}
	return o, acts
}

func (o *Objective) onAsk(in protocols.Request) []protocols.Action {
	if o.phase == Final {
		return []protocols.Action{protocols.Respond{ID: in.ID, Seq: o.endSeq}}
	}
	if len(o.requests) >= maxRequests {
		return []protocols.Action{protocols.Respond{ID: in.ID, Err: channel.Refuse(channel.CodeBusy, "%d requests to close wait already", maxRequests)}}
	}
	o.requests = append(slices.Clone(o.requests), in.ID)
	o.wanted, o.progress = true, in.Now
	var acts []protocols.Action
	if o.phase == Idle && !o.at.Terminal {
		o.phase = Draining
		acts = append(acts, o.save(), protocols.HoldPlay{Hold: protocols.Hold{Sign: true}})
	}
	return append(acts, o.advance()...)
}

// advance does what the newest head and the Closes at hand allow.
func (o *Objective) advance() []protocols.Action {
	var acts []protocols.Action
	if o.at.Signatures == nil {
		return nil
	}
	if o.phase == Draining && o.mine == (channel.Close{}) && o.drained() {
		u := o.at.Supported
		o.mine = channel.Close{ChannelID: u.ChannelID, Seq: u.Seq, StateHash: u.StateHash}
		o.phase = Consenting
		acts = append(acts, protocols.RecordClose{Close: o.mine}, o.save(), protocols.HoldPlay{}, protocols.Sign{Message: o.mine})
	}
	ready := o.at.Terminal || o.phase == Consenting && o.unanimous()
	if ready && o.phase < Concluding {
		o.phase, o.since, o.submitted = Concluding, 0, false
		acts = append(acts, o.save(), protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteClosing, Seq: o.at.Supported.Seq}})
	}
	return append(acts, o.conclude()...)
}

// drained tells whether we may sign Close for the supported head: nothing we signed is above it, or somebody who will
// not sign anything else any more has named it.
func (o *Objective) drained() bool {
	u := o.at.Supported
	if o.at.SignedSeq == u.Seq {
		return true
	}
	return slices.ContainsFunc(o.others, func(c channel.Close) bool {
		return c.ChannelID == u.ChannelID && c.Seq == u.Seq && c.StateHash == u.StateHash
	})
}

func (o *Objective) unanimous() bool {
	for i, s := range o.sigs {
		if s.IsZero() || o.others[i] != o.mine {
			return false
		}
	}
	return true
}

// conclude submits when it is our turn.
func (o *Objective) conclude() []protocols.Action {
	if o.phase != Concluding || o.submitted || o.at.Signatures == nil || !o.payable || o.seen {
		return nil
	}
	if o.now < o.again || !o.ourTurn(o.now) {
		return nil
	}
	o.submitted = true
	return []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxConclude}}}
}

// ourTurn spreads the participants over time so that one conclude is sent, not N; whoever is asked by its owner does not
// wait, and nobody waits for ever.
func (o *Objective) ourTurn(now uint64) bool {
	rank := (uint64(o.cfg.Me) + uint64(o.n) - uint64(o.cfg.Rules.Params.Sequencer)) % uint64(o.n)
	if rank == 0 || len(o.requests) > 0 && o.at.Terminal {
		return true
	}
	return o.since != 0 && now >= o.since+rank*o.cfg.Turn
}

func (o *Objective) onConsent(from uint8, m protocols.CloseConsent) []protocols.Action {
	drop := func(code channel.Code, text string) []protocols.Action {
		return []protocols.Action{protocols.Drop{From: from, Code: code, Text: text}}
	}
	switch {
	case from >= o.n || from == o.cfg.Me:
		return drop(channel.CodeNotParticipant, "no such participant")
	case m.Close.ChannelID != o.cfg.Rules.ID() || m.Close.InDispute:
		return drop(channel.CodeMalformed, "a Close for something else")
	case o.phase >= Concluding || o.others[from] == m.Close && !o.sigs[from].IsZero():
		return nil
	case !o.sigs[from].IsZero():
		return drop(channel.CodeConflict, "a second Close (S5)")
	}
	if err := m.Signature.Verify(o.domain.Digest(m.Close), o.cfg.Rules.Params.Participants[from].Signer); err != nil {
		return drop(channel.CodeSignature, "Close: "+err.Error())
	}
	o.sigs, o.others = slices.Clone(o.sigs), slices.Clone(o.others)
	o.sigs[from], o.others[from] = m.Signature, m.Close
	acts := []protocols.Action{o.save(), protocols.HoldPlay{Hold: protocols.Hold{Sign: true}}, protocols.Notify{Event: protocols.Notification{
		Kind: protocols.NoteClosing, Seq: m.Close.Seq, Text: fmt.Sprintf("participant %d wants to close", from),
	}}}
	return append(acts, o.advance()...)
}

func (o *Objective) tell(peer uint8) []protocols.Action {
	if o.phase < Consenting || peer >= o.n || peer == o.cfg.Me || o.mine == (channel.Close{}) || o.sigs[o.cfg.Me].IsZero() {
		return nil
	}
	return []protocols.Action{protocols.Send{To: peer, Body: protocols.CloseConsent{Close: o.mine, Signature: o.sigs[o.cfg.Me]}}}
}

func (o *Objective) onChain(v protocols.ChainView) []protocols.Action {
	if o.seen && !v.Seen.Final && !v.Final { // a reorg took the conclusion away before it counted: it may have been ours
		o.submitted = false
	}
	o.payable, o.seen, o.endSeq = v.Time != 0 && v.Funded && !v.Final, v.Seen.Final && !v.Final, v.FinalSeq
	switch {
	case v.Final && o.phase != Final:
		o.phase = Final
		acts := []protocols.Action{o.save(), protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteFinal, Seq: v.FinalSeq}}}
		for _, id := range o.requests {
			acts = append(acts, protocols.Respond{ID: id, Seq: v.FinalSeq})
		}
		o.requests = nil
		return acts
	case !v.Final && v.Time != 0 && o.phase == Final: // the conclusion was in a block that is gone: do it again
		o.phase, o.submitted = Concluding, false
		return append([]protocols.Action{o.save()}, o.conclude()...)
	}
	return o.conclude()
}

func (o *Objective) onTick(now uint64) (acts []protocols.Action) {
	o.now = now
	if now >= o.progress+o.cfg.Stall {
		o.progress = now
		if o.phase == Consenting || o.phase == Concluding { // another may lack our Close although we hold everything
			for i := uint8(0); i < o.n; i++ {
				acts = append(acts, o.tell(i)...)
			}
		}
	}
	if o.phase == Concluding {
		if o.since == 0 {
			o.since = now
		}
		acts = append(acts, o.conclude()...)
	}
	return acts
}
