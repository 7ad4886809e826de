package play

import (
	"slices"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// onSubmit is the sequencer's: an event to order. It is idempotent by author and nonce.
func (o *Objective) onSubmit(from uint8, e channel.SignedEvent, now uint64) []protocols.Action {
	refuse := func(code channel.Code, text string) []protocols.Action {
		return []protocols.Action{
			protocols.Drop{From: from, Code: code, Text: text},
			protocols.Send{To: from, Body: protocols.Refusal{Ref: e.StructHash(), Code: string(code), Text: text}},
		}
	}
	switch {
	case !o.sequencer():
		return refuse(channel.CodePolicy, "this node is not the channel's sequencer")
	case e.ChannelID != o.cfg.Rules.ID():
		return refuse(channel.CodeUnknownChannel, "the event names another channel")
	case e.Author >= o.n:
		return refuse(channel.CodeNotParticipant, "the event's author has no place in this channel")
	}
	hash := e.StructHash()
	author := o.cfg.Rules.Params.Participants[e.Author].Signer
	if err := e.Signature.Verify(o.domain.Digest(e.Event), author); err != nil {
		return refuse(channel.CodeSignature, "the event: "+err.Error())
	}
	switch {
	case e.Nonce <= o.head.State.Header.Nonces[e.Author]:
		if o.inFlight(&e) {
			return nil // sent twice; its author learns of it by the Update
		}
		return refuse(channel.CodeStale, "an event of this author with this or a higher nonce is in the journal")
	case slices.Contains(o.refused, refusal{e.Author, hash}):
		return refuse(channel.CodeRejected, "this event was refused before: make a new one")
	case o.phase != Playing:
		return o.refuseEvent(arrival{e, from}, channel.CodePhase, "the channel is "+o.phase.String())
	case e.Timestamp > now+o.cfg.Skew:
		return o.refuseEvent(arrival{e, from}, channel.CodePolicy, "the event's timestamp is ahead of the sequencer's clock: set the clock")
	}
	return o.enqueue(arrival{e, from})
}

// inFlight tells whether the event is in an Update that waits for support.
func (o *Objective) inFlight(e *channel.SignedEvent) bool {
	hash := e.StructHash()
	for _, f := range o.flights {
		for _, entry := range f.entries {
			if entry.Event != nil && entry.Event.Author == e.Author && entry.Event.Nonce == e.Nonce {
				return entry.Event.StructHash() == hash
			}
		}
	}
	return false
}

// enqueue keeps an event until it is ordered; a newer one of the same author and nonce takes its place.
func (o *Objective) enqueue(a arrival) []protocols.Action {
	o.waiting = slices.Clone(o.waiting)
	mine := 0
	for i, w := range o.waiting {
		if w.event.Author != a.event.Author {
			continue
		}
		if w.event.Nonce == a.event.Nonce {
			o.waiting[i] = a
			return nil
		}
		mine++
	}
	if mine >= protocols.MaxInFlight || len(o.waiting) >= maxWaiting {
		return o.refuseEvent(a, channel.CodeBusy, "too many events of this author wait to be ordered: try again")
	}
	o.waiting = append(o.waiting, a)
	return nil
}

// refuseEvent answers whoever brought an event that the sequencer does not order. The word holds: a copy of the event that
// comes later, when the state is another one, is not ordered either.
func (o *Objective) refuseEvent(a arrival, code channel.Code, text string) []protocols.Action {
	if a.from != o.cfg.Me {
		o.remember(refusal{a.event.Author, a.event.StructHash()})
		if len(text) > 400 {
			text = text[:400]
		}
		return []protocols.Action{
			protocols.Drop{From: a.from, Code: code, Text: text},
			protocols.Send{To: a.from, Body: protocols.Refusal{Ref: a.event.StructHash(), Code: string(code), Text: text}},
		}
	}
	hash := a.event.StructHash()
	i := slices.IndexFunc(o.mine, func(m authored) bool { return m.hash == hash })
	if i < 0 {
		return nil
	}
	m := o.mine[i]
	o.mine = slices.Delete(slices.Clone(o.mine), i, i+1)
	return append([]protocols.Action{protocols.RecordPlaced{Nonce: m.event.Nonce}}, o.failure(m, channel.Refuse(code, "%s", text))...)
}

// remember keeps the newest refusals of each author.
func (o *Objective) remember(r refusal) {
	same := func(x refusal) bool { return x.author == r.author }
	count := 0
	for _, x := range o.refused {
		if same(x) {
			count++
		}
	}
	o.refused = slices.Clone(o.refused)
	if count >= protocols.MaxInFlight {
		i := slices.IndexFunc(o.refused, same)
		o.refused = slices.Delete(o.refused, i, i+1)
	}
	o.refused = append(o.refused, r)
}

// refuseWaiting answers whoever brought the events that will not be ordered any more.
func (o *Objective) refuseWaiting(why *channel.Refusal) (acts []protocols.Action) {
	queue := o.waiting
	o.waiting = nil
	for _, a := range queue {
		acts = append(acts, o.refuseEvent(a, why.Code, why.Detail)...)
	}
	return acts
}

// order appends what waits, as one Update, when the Updates in flight allow another (S3: only the sequencer does this).
// After a restart it waits until everybody said where they stand: a store that is older than what was signed would sign
// something else at the same seq (S6, attack 25). Without everybody nothing could become supported anyway.
func (o *Objective) order(now uint64) []protocols.Action {
	if len(o.waiting) == 0 || len(o.flights) >= o.ahead() || o.unheard != 0 {
		return nil
	}
	var acts []protocols.Action
	var entries []channel.Entry
	bytes, queue := 0, o.waiting
	for len(queue) > 0 && len(entries) < protocols.MaxEntries && bytes < protocols.MaxEntriesBytes-channel.MaxPayload {
		a := queue[0]
		queue = queue[1:]
		seq := o.head.Seq + 1
		next, verdict := o.cfg.Rules.Apply(o.head.State, seq, &a.event.Event)
		if verdict.Status != channel.Accepted {
			acts = append(acts, o.refuseEvent(a, channel.CodeRejected, verdict.Text())...)
			continue
		}
		event := a.event
		entry := channel.Entry{Event: &event}
		o.advance(entry, next)
		acts = append(append(acts, o.recordHead(entry)), o.place(seq, &event)...)
		entries = append(entries, entry)
		bytes += len(event.Payload) + 256
	}
	o.waiting = slices.Clone(queue)
	if len(entries) == 0 {
		return acts
	}
	o.progress = now
	return append(acts, o.sign(entries, nil)...)
}

// advance moves the head by one entry.
func (o *Objective) advance(entry channel.Entry, next *channel.State) {
	hash := next.Hash()
	leaf := channel.LeafHash(entry.Hash(o.cfg.Rules.ID()), hash)
	o.head = Point{o.head.Seq + 1, next, hash, o.head.Journal.Append(leaf)}
}

func (o *Objective) recordHead(entry channel.Entry) protocols.Action {
	return protocols.RecordEntry{Seq: o.head.Seq, Entry: entry, State: o.head.State, StateHash: o.head.Hash, Journal: o.head.Journal}
}

// sign decides to sign the head (S1). known are signatures of others on the same Update.
func (o *Objective) sign(entries []channel.Entry, known []channel.Signature) []protocols.Action {
	u := o.head.Update(o.cfg.Rules.ID())
	f := flight{update: u, state: o.head.State, sigs: make([]channel.Signature, o.n), entries: entries}
	copy(f.sigs, known)
	o.flights = append(slices.Clone(o.flights), f)
	o.signed = u
	i := len(o.flights) - 1
	acts := o.takeEarly(i)
	o.flights[i].known = o.flights[i].sigs
	return append([]protocols.Action{
		protocols.RecordSigned{Update: u, Known: o.flights[i].known},
		protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteAppended, Seq: u.Seq}},
		protocols.Sign{Message: u},
	}, acts...)
}
