package play

import (
	"slices"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// sync tells a peer where we stand; it answers with what we lack.
func (o *Objective) sync(peer uint8) protocols.Action {
	return protocols.Send{To: peer, Body: protocols.Sync{Seq: o.head.Seq, Root: o.head.Journal.Root(), Supported: o.supported.Update.Seq}}
}

func (o *Objective) onSync(from uint8, m protocols.Sync) []protocols.Action {
	if m.Seq <= o.head.Seq && m.Supported <= o.head.Seq {
		o.unheard &^= 1 << from
	}
	switch {
	case m.Seq > o.head.Seq:
		acts := []protocols.Action{o.sync(from)}
		if m.Supported < o.supported.Update.Seq { // it has the entries, but not everyone's signatures
			acts = append(acts, protocols.SendEntries{To: from, From: m.Seq + 1, Heads: o.heads()})
		}
		return acts
	case m.Seq == o.head.Seq && m.Root != o.head.Journal.Root():
		return append(o.drop(from, channel.CodeDiverged, "its journal of the same length has another root"),
			protocols.Send{To: from, Body: protocols.Diverged{Seq: o.head.Seq, StateHash: o.head.Hash}})
	}
	return []protocols.Action{protocols.SendEntries{To: from, From: m.Seq + 1, Heads: o.heads()}}
}

// heads are the Updates worth telling: the supported one and those in flight, newest last. One that lacks the sequencer's
// signature, after a restart, nobody could extend to.
func (o *Objective) heads() []protocols.Head {
	out := []protocols.Head{{Update: o.supported.Update, Signatures: o.supported.Signatures}}
	for _, f := range o.flights {
		if !f.sigs[o.cfg.Rules.Params.Sequencer].IsZero() {
			out = append(out, protocols.Head{Update: f.update, Signatures: slices.Clone(f.sigs)})
		}
	}
	return out
}

func (o *Objective) onCatchUp(from uint8, m protocols.CatchUp, now uint64) (acts []protocols.Action) {
	if len(m.Heads) == 0 {
		return o.drop(from, channel.CodeMalformed, "catch-up without a head")
	}
	for _, h := range m.Heads {
		if len(h.Signatures) != int(o.n) {
			return o.drop(from, channel.CodeMalformed, "a head without a place for everyone's signature")
		}
		if h.Update.Seq > o.signed.Seq && o.ours(h) {
			return o.halt(protocols.NoteHalted, h.Update.Seq, channel.CodeConflict,
				"our own signature on an Update we do not know: this store is older than what was signed (S6), do not play on from it", h)
		}
		acts = append(append(acts, o.merge(from, h)...), o.recall(h)...)
	}
	last := m.Heads[len(m.Heads)-1]
	if last.Update.Seq <= o.head.Seq {
		o.unheard &^= 1 << from
	}
	if last.Update.Seq == 0 || last.Update.Seq <= o.supported.Update.Seq {
		return acts // genesis and settled heads need no sequencer's signature of their own
	}
	if last.Signatures[o.cfg.Rules.Params.Sequencer].IsZero() {
		return acts // the sequencer restarted and has not signed it again yet
	}
	return append(acts, o.extend(from, m.From, m.Entries, last, m.Proof, now)...)
}

// recall takes up an Update that everybody signed, we too, but that a restart made us forget: only the newest Update of
// ours is restored, and a participant may have closed at an older one.
func (o *Objective) recall(h protocols.Head) []protocols.Action {
	seq := h.Update.Seq
	if seq <= o.supported.Update.Seq || seq > o.head.Seq || o.flight(seq) >= 0 || o.phase == Stopped || !o.ours(h) {
		return nil
	}
	for i, p := range o.cfg.Rules.Params.Participants {
		if h.Signatures[i].Verify(o.domain.Digest(h.Update), p.Signer) != nil {
			return nil
		}
	}
	return []protocols.Action{protocols.Recall{Update: h.Update, Signatures: slices.Clone(h.Signatures)}}
}

func (o *Objective) onRecalled(in protocols.Recalled) []protocols.Action {
	if o.phase == Halted || o.phase == Stopped || in.Update.Seq <= o.supported.Update.Seq || in.Update.Seq > o.head.Seq {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(o.flights), func(f flight) bool { return f.update.Seq <= in.Update.Seq })
	return o.moveSupport(Supported{in.Update, in.State, in.Signatures}, rest, false)
}

// ours tells whether the head carries our valid signature.
func (o *Objective) ours(h protocols.Head) bool {
	sig := h.Signatures[o.cfg.Me]
	return !sig.IsZero() && h.Update.ChannelID == o.cfg.Rules.ID() &&
		sig.Verify(o.domain.Digest(h.Update), o.cfg.Rules.Params.Participants[o.cfg.Me].Signer) == nil
}
