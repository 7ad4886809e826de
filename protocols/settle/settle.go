// Package settle is the objective of an attestor: it brings a finished channel's effects into its World
// (docs/protocol.md §6, attested).
//
// Once the channel is final at a terminal state, the attestor derives the whole journal again from the store, signs what
// it found and submits it. Nobody's signature but the attestors' is needed.
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
	Watching   Phase = iota // not final yet, or nothing for us to attest
	Replaying               // deriving the journal again
	Attesting               // waiting for our own signatures
	Submitting              // the transaction is on its way
	Settled                 // the World has the records
	Failed                  // the replay did not lead to what is on chain: nothing is attested
	Nothing                 // the terminal state has no effects
)

func (p Phase) String() string {
	return [...]string{"watching", "replaying", "attesting", "submitting", "settled", "failed", "nothing"}[min(int(p), 6)]
}

// Config fixes what the objective depends on.
type Config struct {
	Rules  *channel.Rules
	Attest bool   // we are an attestor of the channel's World
	Stall  uint64 // seconds until a failed transaction is tried again
}

// Objective is a value: Crank returns the next one. It needs no record: everything follows from the chain and the journal.
type Objective struct {
	cfg     *Config
	phase   Phase
	at      protocols.Progress
	update  channel.Update
	effects []channel.Effect
	sigs    [2]channel.Signature // Attestation, AttestedEffects
	now     uint64               // of the newest Tick
	again   uint64               // when a failed transaction is tried again, if retry
	retry   bool
}

// New watches.
func New(cfg *Config) Objective { return Objective{cfg: cfg} }

// Phase is how far the objective is.
func (o Objective) Phase() Phase { return o.phase }

// Settlement is what settleAttested needs of us.
func (o Objective) Settlement() (u channel.Update, effects []channel.Effect, attestation, attestedEffects channel.Signature) {
	return o.update, o.effects, o.sigs[0], o.sigs[1]
}

// WaitingFor names what the objective cannot go on without.
func (o Objective) WaitingFor() protocols.WaitingFor {
	switch o.phase {
	case Replaying:
		return "the replay"
	case Attesting:
		return "our signatures"
	case Submitting:
		return "the settlement on chain"
	}
	return ""
}

func (o *Objective) attestation() channel.Attestation { return channel.Attestation(o.update) }

func (o *Objective) attestedEffects() channel.AttestedEffects {
	return channel.AttestedEffects{ChannelID: o.update.ChannelID, StateHash: o.update.StateHash, EffectsHash: channel.EffectsHash(o.effects)}
}

// Crank takes one input.
func (o Objective) Crank(in protocols.Input) (Objective, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Progress:
		o.at = in
	case protocols.ChainView:
		acts = o.onChain(in)
	case protocols.Replayed:
		acts = o.onReplayed(in)
	case protocols.Signed:
		acts = o.onSigned(in)
	case protocols.Submitted:
		if in.Tx.Kind == protocols.TxSettle && in.Err != "" && o.phase == Submitting {
			o.retry, o.again = true, o.now+o.cfg.Stall
			acts = []protocols.Action{protocols.Notify{Event: protocols.Notification{
				Kind: protocols.NoteRefused, Code: channel.CodeChain, Text: "settle: " + in.Err,
			}}}
		}
	case protocols.Tick:
		o.now = in.Now
		if o.phase == Submitting && o.retry && in.Now >= o.again {
			o.retry = false
			acts = []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxSettle}}}
		}
	}
	return o, acts
}

func (o *Objective) onChain(v protocols.ChainView) []protocols.Action {
	switch {
	case v.Settled && o.phase != Settled:
		o.phase = Settled
		return []protocols.Action{protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteSettled, Seq: v.FinalSeq}}}
	case !v.Settled && o.phase == Settled && v.Time != 0, !v.Final && o.phase > Watching:
		o.phase = Watching // a reorg took it away
		return o.onChain(v)
	case o.phase == Watching && v.Final && o.cfg.Attest && o.at.Terminal &&
		v.FinalSeq == o.at.Supported.Seq && v.FinalHash == o.at.Supported.StateHash:
		o.phase = Replaying
		return []protocols.Action{protocols.Replay{Seq: v.FinalSeq}}
	}
	return nil
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
		return fail("not attested: " + in.Err)
	case in.Update != o.at.Supported:
		return fail("not attested: the journal replays to another head than the one on chain")
	case len(in.Effects) == 0:
		o.phase = Nothing
		return nil
	}
	o.phase, o.update, o.effects = Attesting, in.Update, in.Effects
	return []protocols.Action{
		protocols.Sign{Message: o.attestation(), Key: protocols.AttestorKey},
		protocols.Sign{Message: o.attestedEffects(), Key: protocols.AttestorKey},
	}
}

func (o *Objective) onSigned(in protocols.Signed) []protocols.Action {
	if o.phase != Attesting {
		return nil
	}
	switch m := in.Message.(type) {
	case channel.Attestation:
		if m == o.attestation() {
			o.sigs[0] = in.Signature
		}
	case channel.AttestedEffects:
		if m == o.attestedEffects() {
			o.sigs[1] = in.Signature
		}
	}
	if o.sigs[0].IsZero() || o.sigs[1].IsZero() {
		return nil
	}
	o.phase = Submitting
	return []protocols.Action{protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxSettle}}}
}
