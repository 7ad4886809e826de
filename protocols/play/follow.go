package play

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

func (o *Objective) onAppend(from uint8, m protocols.Append, now uint64) []protocols.Action {
	if from != o.cfg.Rules.Params.Sequencer {
		return o.drop(from, channel.CodePolicy, "only the sequencer appends")
	}
	sigs := make([]channel.Signature, o.n)
	sigs[from] = m.Signature
	return o.extend(from, m.From, m.Entries, protocols.Head{Update: m.Update, Signatures: sigs}, nil, now)
}

// extend derives entries that follow our head and signs the Update they lead to. Nothing of it is kept unless the
// sequencer's signature covers it: the last entry is the Update's, or the proof shows it to be a prefix.
func (o *Objective) extend(from uint8, first uint64, entries []channel.Entry, target protocols.Head, proof []common.Hash, now uint64) []protocols.Action {
	u, sequencer := target.Update, o.cfg.Rules.Params.Sequencer
	if u.ChannelID != o.cfg.Rules.ID() {
		return o.drop(from, channel.CodeUnknownChannel, "the Update names another channel")
	}
	signer := o.cfg.Rules.Params.Participants[sequencer].Signer
	if err := target.Signatures[sequencer].Verify(o.domain.Digest(u), signer); err != nil {
		return o.drop(from, channel.CodeSignature, "the sequencer's: "+err.Error())
	}
	if i := o.flight(u.Seq); i >= 0 || u.Seq == o.signed.Seq || u.Seq == o.supported.Update.Seq {
		return o.known(from, i, target)
	}
	if u.Seq < o.head.Seq {
		return nil // old news
	}
	if o.phase == Stopped {
		return o.drop(from, channel.CodePhase, "we signed a Close, or the channel is final: no Update any more")
	}
	if o.sequencer() {
		return o.halt(protocols.NoteHalted, u.Seq, channel.CodeConflict,
			"our own signature on an Update we do not know: this store is older than what was signed (S6), do not play on from it", target)
	}
	if len(o.flights) >= protocols.MaxInFlight {
		return o.drop(from, channel.CodeBusy, "too many Updates wait for support")
	}
	for first <= o.head.Seq && len(entries) > 0 {
		first, entries = first+1, entries[1:]
	}
	if first > o.head.Seq+1 && (u.Seq > o.head.Seq || len(entries) > 0) {
		return append(o.drop(from, channel.CodeGap, fmt.Sprintf("entries from %d, ours end at %d", first, o.head.Seq)), o.sync(from))
	}
	trial := *o
	acts, refused := trial.derive(entries, now)
	if refused != nil {
		if refused.Code == channel.CodeRejected && from == sequencer {
			return o.diverge(trial.head.Seq+1, entries[trial.head.Seq-o.head.Seq].Hash(u.ChannelID), common.Hash{}, refused.Error(), target)
		}
		return o.drop(from, refused.Code, refused.Detail)
	}
	if trial.head.Seq > u.Seq {
		return o.drop(from, channel.CodeMalformed, "entries beyond the Update they come with")
	}
	if trial.head.Seq < u.Seq { // a part; the proof must show that the sequencer signed it
		if err := channel.VerifyConsistency(trial.head.Journal.Size(), u.Seq+1, proof, trial.head.Journal.Root(), u.JournalRoot); err != nil {
			return o.drop(from, channel.CodeMalformed, err.Error())
		}
		*o = trial
		o.progress = now
		return append(acts, o.sync(from))
	}
	if got := trial.head.Update(u.ChannelID); got != u {
		if from != sequencer {
			return o.drop(from, channel.CodeDiverged, "the entries do not lead to the sequencer's Update")
		}
		var event common.Hash
		if len(entries) > 0 {
			event = entries[len(entries)-1].Hash(u.ChannelID)
		}
		return o.diverge(u.Seq, event, got.StateHash, fmt.Sprintf("we derive root %s and state %s", got.JournalRoot, got.StateHash), target)
	}
	sigs := make([]channel.Signature, o.n)
	sigs[sequencer] = target.Signatures[sequencer]
	*o = trial
	o.progress = now
	return append(append(acts, o.sign(nil, sigs)...), o.merge(from, target)...)
}

// known handles an Update at a seq that we signed, or that everybody signed: the same again, or evidence against the sequencer.
func (o *Objective) known(from uint8, i int, target protocols.Head) []protocols.Action {
	ours := protocols.Head{Update: o.signed}
	if i >= 0 {
		ours = protocols.Head{Update: o.flights[i].update, Signatures: o.flights[i].sigs}
	} else if target.Update.Seq == o.supported.Update.Seq {
		ours = protocols.Head{Update: o.supported.Update, Signatures: o.supported.Signatures}
	}
	if target.Update != ours.Update {
		return o.halt(protocols.NoteHalted, target.Update.Seq, channel.CodeConflict,
			fmt.Sprintf("the sequencer signed two Updates at %d: dispute the channel", target.Update.Seq), ours, target)
	}
	acts := o.merge(from, target)
	if i >= 0 && !o.flights[i].sigs[o.cfg.Me].IsZero() && target.Signatures[o.cfg.Me].IsZero() {
		acts = append(acts, protocols.Send{To: from, Body: protocols.Countersign{Seq: target.Update.Seq, Signature: o.flights[i].sigs[o.cfg.Me]}})
	}
	return acts
}

// derive appends entries to the head; each is checked like our own.
func (o *Objective) derive(entries []channel.Entry, now uint64) (acts []protocols.Action, refused *channel.Refusal) {
	rules := o.cfg.Rules
	for _, entry := range entries {
		seq := o.head.Seq + 1
		var next *channel.State
		var verdict channel.Verdict
		if e := entry.Event; e != nil {
			if int(e.Author) >= len(rules.Params.Participants) {
				return nil, channel.Refuse(channel.CodeNotParticipant, "entry %d has no author", seq)
			}
			if !o.made(e) {
				if err := e.Signature.Verify(o.domain.Digest(e.Event), rules.Params.Participants[e.Author].Signer); err != nil {
					return nil, channel.Refuse(channel.CodeSignature, "entry %d: %v", seq, err)
				}
			}
			if e.Timestamp > now+o.cfg.Skew {
				return nil, channel.Refuse(channel.CodePolicy, "entry %d is from the future: check the clocks", seq)
			}
			next, verdict = rules.Apply(o.head.State, seq, &e.Event)
		} else {
			if entry.TopUp != o.head.State.Header.TopUps {
				return nil, channel.Refuse(channel.CodeRejected, "entry %d counts top-up %d out of order", seq, entry.TopUp)
			}
			next, verdict = rules.ApplyTopUp(o.head.State, seq)
		}
		if verdict.Status != channel.Accepted {
			return nil, channel.Refuse(channel.CodeRejected, "entry %d: %s", seq, verdict.Text())
		}
		o.advance(entry, next)
		acts = append(append(acts, o.recordHead(entry)), o.place(seq, entry.Event)...)
	}
	return acts, nil
}

// made tells whether this very event, signature included, is one that we authored and that is on its way.
func (o *Objective) made(e *channel.SignedEvent) bool {
	if e.Author != o.cfg.Me || e.Signature.IsZero() {
		return false
	}
	return slices.ContainsFunc(o.mine, func(a authored) bool { return a.sig == e.Signature && a.hash == e.StructHash() })
}

func (o *Objective) diverge(seq uint64, event, state common.Hash, why string, evidence protocols.Head) []protocols.Action {
	text := fmt.Sprintf("our derivation differs from the sequencer's at %d (%s): dispute the channel", seq, why)
	acts := o.halt(protocols.NoteDiverged, seq, channel.CodeDiverged, text, evidence)
	return append(acts, protocols.ToOthers(o.n, o.cfg.Me, protocols.Diverged{Seq: seq, EventHash: event, StateHash: state})...)
}

// onDiverged is another's word: shown to the owner, but it cannot stop us.
func (o *Objective) onDiverged(from uint8, m protocols.Diverged) []protocols.Action {
	return []protocols.Action{protocols.Notify{Event: protocols.Notification{
		Kind: protocols.NoteDiverged, Seq: m.Seq, Code: channel.CodeDiverged,
		Text: fmt.Sprintf("participant %d derives state %s from event %s", from, m.StateHash, m.EventHash),
	}}}
}

func (o *Objective) onCountersign(from uint8, m protocols.Countersign) []protocols.Action {
	if m.Seq <= o.supported.Update.Seq {
		return nil
	}
	i := o.flight(m.Seq)
	if i < 0 {
		if m.Seq <= o.head.Seq {
			return nil // a newer one will do
		}
		o.keepEarly(earlySig{from, m.Seq, m.Signature})
		return nil
	}
	return o.addSig(i, from, m.Signature, from)
}

// keepEarly keeps the newest signatures of each participant, so that nobody can push out another's.
func (o *Objective) keepEarly(s earlySig) {
	oldest, count := -1, 0
	for i, e := range o.early {
		if e.from != s.from {
			continue
		}
		if oldest < 0 {
			oldest = i
		}
		if e.seq == s.seq {
			oldest, count = i, protocols.MaxInFlight
			break
		}
		count++
	}
	o.early = slices.Clone(o.early)
	if count >= protocols.MaxInFlight {
		o.early = slices.Delete(o.early, oldest, oldest+1)
	}
	o.early = append(o.early, s)
}

// takeEarly gives a new flight the signatures that came before it. They are checked like any other; bad ones vanish.
func (o *Objective) takeEarly(i int) (acts []protocols.Action) {
	var rest []earlySig
	for _, e := range o.early {
		switch {
		case e.seq == o.flights[i].update.Seq:
			acts = append(acts, o.addSig(i, e.from, e.sig, e.from)...)
		case e.seq > o.flights[i].update.Seq:
			rest = append(rest, e)
		}
	}
	o.early = rest
	return acts
}

func (o *Objective) addSig(i int, who uint8, sig channel.Signature, from uint8) []protocols.Action {
	f := o.flights[i]
	if !f.sigs[who].IsZero() {
		return nil
	}
	if err := sig.Verify(o.domain.Digest(f.update), o.cfg.Rules.Params.Participants[who].Signer); err != nil {
		return o.drop(from, channel.CodeSignature, fmt.Sprintf("participant %d on Update %d: %v", who, f.update.Seq, err))
	}
	o.setSig(i, who, sig)
	return nil
}

// merge takes the signatures of a head that we have in flight.
func (o *Objective) merge(from uint8, h protocols.Head) (acts []protocols.Action) {
	i := o.flight(h.Update.Seq)
	if i < 0 || o.flights[i].update != h.Update {
		return nil
	}
	for who, sig := range h.Signatures {
		if who < int(o.n) && who != int(o.cfg.Me) && !sig.IsZero() {
			acts = append(acts, o.addSig(i, uint8(who), sig, from)...)
		}
	}
	return acts
}
