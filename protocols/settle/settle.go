// Package settle is the objective of whoever brings a finished channel's effects into its World (docs/protocol.md §6).
//
// Once the channel is final at a terminal state, the whole journal is derived again from the store. An attestor then signs
// what it found and submits it: the records land at once. A publisher puts the journal on chain, to be executed there or to
// stand open to proofs of fraud for the World's window, submits when it stands, and takes its bond back. Nobody else's signature is needed; what
// the effects are the chain derives itself.
package settle

import (
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Name of the objective, in records and metrics.
const Name = "settle"

// Phase is how far the objective is.
type Phase uint8

const (
	Watching   Phase = iota // not final yet, or nothing for us to do
	Replaying               // deriving the journal again
	Attesting               // waiting for our own signature
	Publishing              // the journal is on its way to the chain
	Standing                // the journal is there; waiting until nobody can disprove it any more
	Submitting              // the settlement is on its way
	Settled                 // the World has the records
	Failed                  // the replay did not lead to what is on chain: nothing is attested or published
	Nothing                 // the terminal state has no effects
	Void                    // a leaf was disproved, or the World's guardian vetoed: there will be no records
)

func (p Phase) String() string {
	return [...]string{"watching", "replaying", "attesting", "publishing", "standing", "submitting", "settled", "failed", "nothing", "void"}[min(int(p), 9)]
}

// Config fixes what the objective depends on.
type Config struct {
	Rules   *channel.Rules
	Attest  bool   // we are an attestor of the channel's World
	Publish bool   // we publish journals, and risk the World's bond for them
	Stall   uint64 // seconds until a failed transaction is tried again
}

// Objective is a value: Crank returns the next one. It needs no record: everything follows from the chain and the journal.
type Objective struct {
	cfg         *Config
	phase       Phase
	at          protocols.Progress
	view        protocols.ChainView
	update      channel.Update
	attestation channel.Signature
	publishes   bool   // attesting was not possible, or is not ours: the journal is published
	now         uint64 // of the newest Tick
	again       uint64 // when a failed transaction or signature is tried again, if retry
	retry       bool
	unsigned    uint64 // signatures in a row that there were none of
}

// New watches.
func New(cfg *Config) Objective { return Objective{cfg: cfg} }

// Phase is how far the objective is.
func (o Objective) Phase() Phase { return o.phase }

// Settlement is what the transaction needs of us: the Update that the channel ended at and, when we attest, our signature
// on it (zero: the journal is published).
func (o Objective) Settlement() (u channel.Update, attestation channel.Signature) {
	if o.publishes {
		return o.update, channel.Signature{}
	}
	return o.update, o.attestation
}

// WaitingFor names what the objective cannot go on without.
func (o Objective) WaitingFor() protocols.WaitingFor {
	switch o.phase {
	case Replaying:
		return "the replay"
	case Attesting:
		return "our signature"
	case Publishing:
		return "the journal on chain"
	case Standing:
		return "the end of the window"
	case Submitting:
		return "the settlement on chain"
	}
	return ""
}

// Crank takes one input.
func (o Objective) Crank(in protocols.Input) (Objective, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Progress:
		o.at = in
	case protocols.ChainView:
		seen := o.view.Seen
		o.view = in
		if acts = o.onChain(); len(acts) == 0 {
			acts = o.lost(seen)
		}
	case protocols.Replayed:
		acts = o.onReplayed(in)
	case protocols.Signed:
		acts = o.onSigned(in)
	case protocols.Unsigned:
		acts = o.onUnsigned(in)
	case protocols.Submitted:
		acts = o.onSubmitted(in)
	case protocols.Tick:
		o.now = in.Now
		if o.retry && in.Now >= o.again {
			acts = o.submit()
		}
	}
	return o, acts
}

// lost sends again what a reorg took away before it counted; it may have been ours.
func (o *Objective) lost(before protocols.Seen) []protocols.Action {
	seen := o.view.Seen
	if o.phase == Publishing && before.Proven && !seen.Proven || o.phase == Submitting && before.Settled && !seen.Settled {
		return o.submit()
	}
	return nil
}

// submit asks for the signature or the transaction of the phase, unless what it is for is on chain already and only does not count yet.
func (o *Objective) submit() []protocols.Action {
	o.retry = false
	switch seen := o.view.Seen; {
	case o.phase == Publishing && seen.Proven, o.phase == Submitting && seen.Settled:
		return nil
	}
	switch o.phase {
	case Attesting:
		return []protocols.Action{protocols.Sign{Message: channel.Attestation(o.update), Key: protocols.AttestorKey}}
	case Publishing:
		return []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxPublish}}}
	case Submitting:
		return []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxSettle}}}
	case Settled: // also after a restart, when we do not know any more whether it was us who published
		return []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxRelease}}}
	}
	return nil
}

func (o *Objective) onChain() []protocols.Action {
	v := o.view
	switch {
	case v.Settled && o.phase != Settled:
		o.phase, o.retry = Settled, false
		acts := []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteSettled, Seq: v.FinalSeq}}}
		if o.cfg.Publish && v.Proven && v.Deadline != 0 {
			acts = append(acts, o.submit()...)
		}
		return acts
	case !v.Settled && o.phase == Settled && v.Time != 0, !v.Final && o.phase > Watching, !v.Void && o.phase == Void && v.Time != 0:
		o.phase, o.retry = Watching, false // a reorg took it away
		return o.onChain()
	case v.Void && !v.Settled && o.phase != Void && o.concerned():
		o.phase, o.retry = Void, false
		return []protocols.Action{protocols.Notify{Event: protocols.Notification{
			Kind: protocols.NoteRefused, Code: channel.CodeDiverged, Text: "the journal is void: a leaf was disproved on chain, or the World's guardian vetoed",
		}}}
	case o.phase == Watching && v.Final && o.concerned() && o.at.Terminal &&
		v.FinalSeq == o.at.Supported.Seq && v.FinalHash == o.at.Supported.StateHash:
		o.phase = Replaying
		return []protocols.Action{protocols.Replay{Seq: v.FinalSeq}}
	case o.phase == Publishing && v.Proven:
		o.phase, o.retry = Standing, false
		return o.onChain()
	case o.phase == Standing && !v.Proven:
		return o.publish() // a reorg took the publication away
	case o.phase == Standing && v.Time >= v.Deadline:
		o.phase = Submitting
		return o.submit()
	}
	return nil
}

func (o *Objective) concerned() bool { return o.cfg.Attest || o.cfg.Publish }

func (o *Objective) publish() []protocols.Action {
	o.phase, o.publishes = Publishing, true
	if o.view.Proven { // somebody else did
		return o.onChain()
	}
	return o.submit()
}

func (o *Objective) onReplayed(in protocols.Replayed) []protocols.Action {
	if o.phase != Replaying {
		return nil
	}
	fail := func(text string) []protocols.Action {
		o.phase = Failed
		return []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteRefused, Code: channel.CodeDiverged, Text: text}}}
	}
	switch {
	case in.Err != "":
		return fail("not settled: " + in.Err)
	case in.Update != o.at.Supported:
		return fail("not settled: the journal replays to another head than the one on chain")
	case len(in.Effects) == 0:
		o.phase = Nothing
		return nil
	}
	o.update = in.Update
	if !o.cfg.Attest {
		return o.publish()
	}
	o.phase, o.publishes, o.unsigned = Attesting, false, 0
	return o.submit()
}

func (o *Objective) onSigned(in protocols.Signed) []protocols.Action {
	m, ok := in.Message.(channel.Attestation)
	if !ok || o.phase != Attesting || m != channel.Attestation(o.update) {
		return nil
	}
	o.attestation, o.phase = in.Signature, Submitting
	return o.submit()
}

// onUnsigned asks again, each time after twice as long: there may be a person behind the signer. The journal is not published
// instead: that would risk a bond for a fault of ours.
func (o *Objective) onUnsigned(in protocols.Unsigned) []protocols.Action {
	m, ok := in.Message.(channel.Attestation)
	if !ok || o.phase != Attesting || m != channel.Attestation(o.update) {
		return nil
	}
	o.retry, o.again = true, o.now+protocols.Patience(o.cfg.Stall, o.unsigned)
	o.unsigned++
	return []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteRefused, Code: in.Code, Text: "not attested yet: " + in.Err}}}
}

// onSubmitted tries again what failed. A World that does not take our word gets the journal instead, if we publish.
func (o *Objective) onSubmitted(in protocols.Submitted) []protocols.Action {
	ours := in.Tx.Kind == protocols.TxSettle && o.phase == Submitting || in.Tx.Kind == protocols.TxPublish && o.phase == Publishing ||
		in.Tx.Kind == protocols.TxRelease && o.phase == Settled
	if !ours || in.Err == "" {
		return nil
	}
	acts := []protocols.Action{protocols.Notify{Event: protocols.Notification{
		Kind: protocols.NoteRefused, Code: channel.CodeChain, Text: in.Tx.Kind.String() + ": " + in.Err,
	}}}
	if in.Tx.Kind == protocols.TxSettle && o.cfg.Publish && !o.publishes {
		return append(acts, o.publish()...)
	}
	o.retry, o.again = true, o.now+o.cfg.Stall
	return acts
}
