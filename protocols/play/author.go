package play

import (
	"slices"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// author makes an event of ours (S7: only on a supported head, unless the module is independent).
func (o *Objective) author(in protocols.Request, ask protocols.AskAuthor) []protocols.Action {
	refuse := func(code channel.Code, format string, args ...any) []protocols.Action {
		return []protocols.Action{protocols.Respond{ID: in.ID, Err: channel.Refuse(code, format, args...)}}
	}
	last := o.head.State.Header.Nonces[o.cfg.Me]
	if len(o.mine) > 0 {
		last = max(last, o.mine[len(o.mine)-1].event.Nonce)
	}
	switch {
	case o.phase == Waiting:
		return refuse(channel.CodeNotReady, "the deposits have not been seen on chain yet: try again when the channel is open")
	case o.phase != Playing:
		return refuse(channel.CodePhase, "the channel is %s: no event can be played now", o.phase)
	case o.head.State.Header.Terminal:
		return refuse(channel.CodePhase, "the game is over: close the channel")
	case len(ask.Payload) > channel.MaxPayload:
		return refuse(channel.CodeTooLarge, "payload of %d bytes, allowed are %d", len(ask.Payload), channel.MaxPayload)
	case o.independent() && len(o.mine) >= protocols.MaxInFlight:
		return refuse(channel.CodeNotReady, "%d of your events wait for support: try again when one is final", len(o.mine))
	case !o.independent() && (o.head.Seq != o.supported.Update.Seq || len(o.mine) > 0):
		return refuse(channel.CodeNotReady, "event %d is not supported by everybody yet: try again when it is", max(o.head.Seq, o.supported.Update.Seq+1))
	}
	e := channel.Event{
		ChannelID: o.cfg.Rules.ID(), Author: o.cfg.Me, Nonce: last + 1, NotAfter: ask.NotAfter, Timestamp: in.Now, Payload: ask.Payload,
	}
	if m := o.cfg.Rules.Module; m != nil && m.Manifest().Sparse && ask.Nonce != 0 {
		if e.Nonce = ask.Nonce; e.Nonce <= last {
			return refuse(channel.CodeStale, "your newest nonce is %d, the next must be above it", last)
		}
	}
	if len(o.mine) == 0 && len(o.flights) == 0 {
		if _, verdict := o.cfg.Rules.Apply(o.head.State, o.head.Seq+1, &e); verdict.Status != channel.Accepted {
			return refuse(channel.CodeRejected, "%s", verdict.Text())
		}
	}
	o.mine = append(slices.Clone(o.mine), authored{event: e, hash: e.StructHash(), request: in.ID})
	return []protocols.Action{protocols.RecordPending{Event: channel.SignedEvent{Event: e}}, protocols.Sign{Message: e}}
}

func (o *Objective) onEventSigned(e channel.Event, sig channel.Signature) []protocols.Action {
	hash := e.StructHash()
	i := slices.IndexFunc(o.mine, func(a authored) bool { return a.hash == hash })
	if i < 0 {
		return nil
	}
	o.mine = slices.Clone(o.mine)
	o.mine[i].sig = sig
	signed := channel.SignedEvent{Event: e, Signature: sig}
	if o.sequencer() {
		return o.enqueue(arrival{signed, o.cfg.Me})
	}
	if o.phase == Waiting {
		return nil // sent when the channel opens and both are in step
	}
	return []protocols.Action{protocols.Send{To: o.cfg.Rules.Params.Sequencer, Body: protocols.Submit{Event: signed}}}
}

// resubmit brings our unplaced events to the sequencer again.
func (o *Objective) resubmit(peer uint8) []protocols.Action {
	if peer != o.cfg.Rules.Params.Sequencer {
		return nil
	}
	var acts []protocols.Action
	for _, a := range o.mine {
		if a.placed == 0 && !a.sig.IsZero() {
			acts = append(acts, protocols.Send{To: peer, Body: protocols.Submit{Event: channel.SignedEvent{Event: a.event, Signature: a.sig}}})
		}
	}
	return acts
}

// place notes that an entry of the journal is an event of ours.
func (o *Objective) place(seq uint64, e *channel.SignedEvent) []protocols.Action {
	if e == nil || e.Author != o.cfg.Me {
		return nil
	}
	hash := e.StructHash()
	acts := []protocols.Action{protocols.RecordPlaced{Nonce: e.Nonce}}
	var rest []authored
	for _, a := range o.mine {
		switch {
		case a.hash == hash:
			a.placed = seq
			rest = append(rest, a)
		case a.placed == 0 && a.event.Nonce <= e.Nonce: // another event of ours with this nonce stands
			acts = append(acts, o.failure(a, channel.Refuse(channel.CodeConflict, "another event of yours with nonce %d is in the journal at %d", e.Nonce, seq))...)
		default:
			rest = append(rest, a)
		}
	}
	o.mine = rest
	return acts
}

// onRefusal ends the wait for an event that the sequencer does not take.
func (o *Objective) onRefusal(from uint8, m protocols.Refusal) []protocols.Action {
	if from != o.cfg.Rules.Params.Sequencer {
		return o.drop(from, channel.CodeNotParticipant, "only the sequencer refuses events")
	}
	i := slices.IndexFunc(o.mine, func(a authored) bool { return a.hash == m.Ref && a.placed == 0 })
	if i < 0 {
		return nil
	}
	a := o.mine[i]
	if channel.Code(m.Code) == channel.CodeStale && a.event.Nonce > o.head.State.Header.Nonces[o.cfg.Me] {
		return []protocols.Action{o.sync(from)} // it, or another of its nonce, is in a part of the journal that we lack
	}
	o.mine = slices.Delete(slices.Clone(o.mine), i, i+1)
	acts := []protocols.Action{
		protocols.RecordPlaced{Nonce: a.event.Nonce},
		protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteRefused, Code: channel.Code(m.Code), Text: m.Text}},
	}
	return append(acts, o.failure(a, channel.Refuse(channel.Code(m.Code), "%s", m.Text))...)
}

func (o *Objective) failure(a authored, why *channel.Refusal) []protocols.Action {
	if a.request == 0 {
		return nil
	}
	return []protocols.Action{protocols.Respond{ID: a.request, Err: why}}
}

// failMine ends the wait for our events, and forgets those that are not in the journal.
func (o *Objective) failMine(why *channel.Refusal) (acts []protocols.Action) {
	for _, a := range o.mine {
		if a.placed == 0 {
			acts = append(acts, protocols.RecordPlaced{Nonce: a.event.Nonce})
		}
		acts = append(acts, o.failure(a, why)...)
	}
	o.mine = nil
	return acts
}
