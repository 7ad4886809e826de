// Package play is the objective of an open channel: it authors, orders, derives and signs events (docs/protocol.md §4).
//
// The sequencer orders the events it gets, derives them and signs an Update over the new head; everybody derives the same
// and countersigns to all. An Update with everyone's signature is supported and ends the wait of the events' authors.
// After a restart or a lost message, Sync and CatchUp bring both sides to the same head.
package play

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Phase is how far a channel is in its life, seen from play.
type Phase uint8

const (
	Waiting Phase = iota // not funded yet, or not any more after a reorg
	Playing
	Holding // somebody wants to close: no new events, still countersigning
	Stopped // we signed a Close, or the chain is final: nothing is signed any more
	Halted  // something that must not happen happened; a dispute is the way out
)

func (p Phase) String() string {
	return [...]string{"waiting", "playing", "holding", "stopped", "halted"}[min(int(p), 4)]
}

// Config fixes what does not change over the channel's life.
type Config struct {
	Rules *channel.Rules
	Me    uint8
	// Skew is how many seconds an event's timestamp may be ahead of our clock (S8).
	Skew uint64
	// Stall is after how many seconds without progress the peers are asked where they stand.
	Stall uint64
}

// Point is a place in the journal: the leaf at Seq, the state it leads to and the journal that ends with it.
type Point struct {
	Seq     uint64
	State   *channel.State
	Hash    common.Hash // stateHash
	Journal channel.Journal
}

// Update is the journal head to sign for this point.
func (p Point) Update(id common.Hash) channel.Update {
	return channel.Update{ChannelID: id, Seq: p.Seq, JournalRoot: p.Journal.Root(), StateHash: p.Hash}
}

// Supported is an Update with everyone's signature, and the state it leads to.
type Supported struct {
	Update     channel.Update
	State      *channel.State
	Signatures []channel.Signature
}

// flight is an Update above the supported one, with the signatures known so far.
type flight struct {
	update  channel.Update
	state   *channel.State
	sigs    []channel.Signature
	known   []channel.Signature // those in RecordSigned
	entries []channel.Entry     // what the sequencer sends with it; none after a restart
}

// derivable tells whether the records hold every signature but ours.
func (f flight) derivable(me uint8) bool {
	for i := range f.sigs {
		if i != int(me) && (i >= len(f.known) || f.known[i].IsZero()) {
			return false
		}
	}
	return true
}

func (f flight) complete() bool {
	return !slices.ContainsFunc(f.sigs, channel.Signature.IsZero)
}

// authored is an event of ours on its way.
type authored struct {
	event   channel.Event
	hash    common.Hash
	sig     channel.Signature
	request uint64 // 0: nobody waits for an answer
	placed  uint64 // seq, 0 = not in the journal yet
}

// arrival is an event that the sequencer has not ordered yet.
type arrival struct {
	event channel.SignedEvent
	from  uint8
}

// Objective is the state of play. It is a value: Crank returns the next one and leaves the old one as it was.
type Objective struct {
	cfg    *Config
	domain channel.Domain
	n      uint8

	phase     Phase
	head      Point
	supported Supported
	signed    channel.Update // newest Update we signed or decided to sign
	flights   []flight       // oldest first, all above supported
	mine      []authored     // oldest first
	waiting   []arrival
	early     []earlySig // countersignatures that came before the Update they are for; bounded per sender
	progress  uint64     // when something last moved, UNIX seconds
	refused   []refusal  // what this sequencer refused, newest last; bounded per author
	held      bool       // somebody wants to close; outlives a reorg and a restart, unlike the phase
	halted    Halt       // counts only in phase Halted
	unheard   uint16     // participants, by bit, of whom we do not know since a restart that they hold nothing above our head
}

type earlySig struct {
	from uint8
	seq  uint64
	sig  channel.Signature
}

// refusal is an event that its author was told will not stand.
type refusal struct {
	author uint8
	hash   common.Hash
}

const maxWaiting = 4 * protocols.MaxInFlight

// Start begins at the genesis, whose Update everybody signed.
func Start(cfg *Config, genesis Point, sigs []channel.Signature) Objective {
	u := genesis.Update(cfg.Rules.ID())
	o := Restore(cfg, Restored{Head: genesis, Supported: Supported{u, genesis.State, sigs}, Signed: u})
	o.unheard = 0
	return o
}

// Restored is what the store knows of a channel.
type Restored struct {
	Head      Point
	Supported Supported
	Signed    channel.Update
	Known     []channel.Signature // of the others on Signed, as recorded with it
	Pending   []channel.SignedEvent
	Halt      *Halt // nil: play did not halt
}

// Restore goes on where the records end. Resume gives the actions that follow from it.
func Restore(cfg *Config, r Restored) Objective {
	o := Objective{
		cfg: cfg, domain: cfg.Rules.Params.Domain(), n: uint8(len(cfg.Rules.Params.Participants)),
		head: r.Head, supported: r.Supported, signed: r.Signed,
	}
	if r.Signed.Seq > r.Supported.Update.Seq && r.Signed.Seq == r.Head.Seq {
		f := flight{update: r.Signed, state: r.Head.State, sigs: make([]channel.Signature, o.n), known: r.Known}
		copy(f.sigs, r.Known)
		f.sigs[cfg.Me] = channel.Signature{}
		o.flights = []flight{f}
	}
	o.unheard = (1<<o.n - 1) &^ (1 << cfg.Me)
	if r.Halt != nil {
		o.phase, o.halted = Halted, *r.Halt
	}
	for _, e := range r.Pending {
		if e.Nonce > r.Head.State.Header.Nonces[cfg.Me] {
			o.mine = append(o.mine, authored{event: e.Event, hash: e.StructHash()})
		}
	}
	return o
}

// Resume signs again what may have been lost with the process: the same Update and the same events, nothing else.
func (o Objective) Resume() []protocols.Action {
	if o.phase == Halted {
		return nil
	}
	var acts []protocols.Action
	for _, f := range o.flights {
		acts = append(acts, protocols.Sign{Message: f.update})
	}
	for _, a := range o.mine {
		acts = append(acts, protocols.Sign{Message: a.event})
	}
	return acts
}

// Phase is where the channel stands.
func (o Objective) Phase() Phase { return o.phase }

// Head is the newest point derived, Supported the newest that everybody signed.
func (o Objective) Head() Point          { return o.head }
func (o Objective) Supported() Supported { return o.supported }

// Signed is the newest Update that we signed.
func (o Objective) Signed() channel.Update { return o.signed }

// InFlight is how many Updates wait for support.
func (o Objective) InFlight() int { return len(o.flights) }

// Progress is what directdefund needs to know.
func (o Objective) Progress() protocols.Progress {
	return protocols.Progress{
		Supported: o.supported.Update, Signatures: o.supported.Signatures,
		Terminal: o.supported.State.Header.Terminal, SignedSeq: o.signed.Seq,
	}
}

// WaitingFor names what play cannot go on without.
func (o Objective) WaitingFor() protocols.WaitingFor {
	switch {
	case o.phase == Halted:
		return "a dispute"
	case o.phase == Waiting:
		return "funding"
	case len(o.flights) > 0:
		for i, s := range o.flights[len(o.flights)-1].sigs {
			if s.IsZero() {
				return protocols.WaitingFor("the signature of participant " + string(rune('0'+i/10)) + string(rune('0'+i%10)))
			}
		}
	case len(o.mine) > 0:
		return "the sequencer"
	case o.supported.State.Header.Terminal, o.phase == Stopped:
		return ""
	}
	return "events"
}

func (o Objective) sequencer() bool { return o.cfg.Me == o.cfg.Rules.Params.Sequencer }
func (o Objective) independent() bool {
	return o.cfg.Rules.Module != nil && o.cfg.Rules.Module.Manifest().Independent
}

// ahead is how many Updates may wait for support at once.
func (o Objective) ahead() int {
	if o.independent() {
		return protocols.MaxInFlight
	}
	return 1
}

// Crank takes one input.
func (o Objective) Crank(in protocols.Input) (Objective, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Received:
		if in.From >= o.n || in.From == o.cfg.Me {
			return o, []protocols.Action{protocols.Drop{From: in.From, Code: channel.CodeNotParticipant, Text: "no such participant"}}
		}
		acts = o.receive(in)
	case protocols.Signed:
		acts = o.onSigned(in)
	case protocols.Connected:
		if o.phase != Waiting && in.Peer < o.n && in.Peer != o.cfg.Me {
			acts = append([]protocols.Action{o.sync(in.Peer)}, o.resubmit(in.Peer)...)
		}
	case protocols.ChainView:
		acts = o.onChain(in)
	case protocols.Hold:
		acts = o.hold(in.Sign)
	case protocols.Request:
		if ask, ok := in.Ask.(protocols.AskAuthor); ok {
			acts = o.author(in, ask)
		}
	case protocols.Tick:
		acts = o.tick(in.Now)
	case protocols.Recalled:
		acts = o.onRecalled(in)
	case protocols.Flush:
		acts = o.flush(in.Now)
	}
	return o, acts
}

// hold makes way for a Close. With sign, what is in flight may still become supported; without, our own Close was signed
// and nothing that comes later counts (S5): not even the rest of the signatures on an Update that we signed before.
func (o *Objective) hold(sign bool) []protocols.Action {
	o.held = true
	why := channel.Refuse(channel.CodePhase, "the channel is closing")
	acts := o.refuseWaiting(why)
	switch {
	case o.phase == Halted:
	case !sign:
		o.phase, o.flights = Stopped, nil
		acts = append(acts, o.failMine(why)...)
	case o.phase == Playing:
		o.phase = Holding
	}
	return acts
}

func (o *Objective) receive(in protocols.Received) []protocols.Action {
	if o.phase == Waiting || o.phase == Halted {
		return o.drop(in.From, channel.CodeNotReady, "the channel is "+o.phase.String())
	}
	switch m := in.Body.(type) {
	case protocols.Submit:
		return o.onSubmit(in.From, m.Event, in.Now)
	case protocols.Append:
		return o.onAppend(in.From, m, in.Now)
	case protocols.Countersign:
		return o.onCountersign(in.From, m)
	case protocols.Sync:
		return o.onSync(in.From, m)
	case protocols.CatchUp:
		return o.onCatchUp(in.From, m, in.Now)
	case protocols.Refusal:
		return o.onRefusal(in.From, m)
	case protocols.Diverged:
		return o.onDiverged(in.From, m)
	}
	return o.drop(in.From, channel.CodePhase, "not a message of play")
}

func (o *Objective) onChain(v protocols.ChainView) []protocols.Action {
	switch {
	case v.Final:
		if o.phase != Halted {
			o.phase = Stopped
		}
		why := channel.Refuse(channel.CodePhase, "the channel is final on chain")
		return append(o.refuseWaiting(why), o.failMine(why)...)
	case v.Funded && o.phase == Waiting:
		o.phase = Playing
		if o.held {
			o.phase = Holding
		}
		acts := []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteOpen, Seq: o.head.Seq}}}
		for i := uint8(0); i < o.n; i++ {
			if i != o.cfg.Me {
				acts = append(append(acts, o.sync(i)), o.resubmit(i)...)
			}
		}
		return acts
	case !v.Funded && (o.phase == Playing || o.phase == Holding):
		o.phase = Waiting // the deposit was in a block that is gone (attack 24)
	}
	return nil
}

func (o *Objective) onSigned(in protocols.Signed) []protocols.Action {
	switch m := in.Message.(type) {
	case channel.Update:
		i := o.flight(m.Seq)
		if i < 0 || o.flights[i].update != m {
			return nil
		}
		o.setSig(i, o.cfg.Me, in.Signature)
		if !o.sequencer() {
			return protocols.ToOthers(o.n, o.cfg.Me, protocols.Countersign{Seq: m.Seq, Signature: in.Signature})
		}
		f := o.flights[i]
		if f.entries == nil { // after a restart: who lacks the entries asks for them
			return protocols.ToOthers(o.n, o.cfg.Me, protocols.CatchUp{From: m.Seq + 1, Heads: []protocols.Head{{Update: f.update, Signatures: f.sigs}}})
		}
		return protocols.ToOthers(o.n, o.cfg.Me, protocols.Append{
			From: m.Seq + 1 - uint64(len(f.entries)), Entries: f.entries, Update: m, Signature: in.Signature,
		})
	case channel.Event:
		return o.onEventSigned(m, in.Signature)
	}
	return nil
}

// flush does what is worth doing once for many inputs: support, then order.
func (o *Objective) flush(now uint64) []protocols.Action {
	acts := o.support(now)
	if o.sequencer() && o.phase == Playing {
		acts = append(acts, o.order(now)...)
	}
	return acts
}

// support moves the supported point to the newest Update that carries every signature.
func (o *Objective) support(now uint64) []protocols.Action {
	newest := -1
	for i, f := range o.flights {
		if f.complete() {
			newest = i
		}
	}
	if newest < 0 {
		return nil
	}
	f := o.flights[newest]
	o.progress = now
	return o.moveSupport(Supported{f.update, f.state, f.sigs}, slices.Clone(o.flights[newest+1:]), f.update == o.signed && f.derivable(o.cfg.Me))
}

func (o *Objective) moveSupport(s Supported, flights []flight, derivable bool) []protocols.Action {
	o.supported, o.flights = s, flights
	acts := []protocols.Action{
		protocols.RecordSupported{Update: s.Update, Signatures: s.Signatures, Derivable: derivable},
		protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteSupported, Seq: s.Update.Seq}},
	}
	var rest []authored
	for _, a := range o.mine {
		if a.placed == 0 || a.placed > s.Update.Seq {
			rest = append(rest, a)
		} else if a.request != 0 {
			acts = append(acts, protocols.Respond{ID: a.request, Seq: a.placed})
		}
	}
	o.mine = rest
	return acts
}

// tick asks the peers where they stand when nothing moves although something should.
func (o *Objective) tick(now uint64) []protocols.Action {
	settled := o.head.Seq == o.supported.Update.Seq && len(o.mine) == 0 && len(o.waiting) == 0
	if o.phase == Waiting || o.phase >= Stopped || settled {
		o.progress = now
		return nil
	}
	if now < o.progress+o.cfg.Stall {
		return nil
	}
	o.progress = now
	var acts []protocols.Action
	for i := uint8(0); i < o.n; i++ {
		if i != o.cfg.Me {
			acts = append(append(acts, o.sync(i)), o.resubmit(i)...)
		}
	}
	return acts
}

func (o *Objective) flight(seq uint64) int {
	return slices.IndexFunc(o.flights, func(f flight) bool { return f.update.Seq == seq })
}

func (o *Objective) setSig(i int, who uint8, sig channel.Signature) {
	o.flights = slices.Clone(o.flights)
	o.flights[i].sigs = slices.Clone(o.flights[i].sigs)
	o.flights[i].sigs[who] = sig
}

func (o *Objective) drop(from uint8, code channel.Code, text string) []protocols.Action {
	return []protocols.Action{protocols.Drop{From: from, Code: code, Text: text}}
}
