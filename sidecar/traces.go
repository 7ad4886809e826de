package sidecar

import (
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar/tracing"
	"go.opentelemetry.io/otel/attribute"
)

// traces follows events through the loop, from outside of the objectives: from what goes into them and what they ask for. Nil
// follows none. It belongs to the loop.
type traces struct {
	tracer *tracing.Tracer
	early  map[authorship]*early // events that have no seq yet: without one there is no trace to put them into
	fresh  []*early              // in the batch
	dirty  []*track              // in the batch
	ready  []ready               // supported, in the batch
	open   int                   // tracks of all channels
}

// authorship names an event before it has a place in the journal.
type authorship struct {
	channel common.Hash
	author  uint8
	nonce   uint64
}

// early is what happened to an event before it was ordered.
type early struct {
	arrived time.Time // at the sequencer
	began   time.Time // its author here wanted it
	steps   []tracing.Span
}

// track is an event on its way to everybody's signature.
type track struct {
	life     tracing.Life
	seq      uint64
	author   int // -1: none, a top-up
	bytes    int
	began    time.Time
	signed   bool
	sent     tracing.Span // to all that it was sent to
	messages int
	marks    []tracing.Mark
}

// ready is a channel's newest supported seq.
type ready struct {
	c     *running
	seq   uint64
	began time.Time
}

// Bounds. What is beyond them is not followed; nothing waits for it.
const (
	maxEarly  = 4096
	maxTracks = 16_384
	maxMarks  = 2 * channel.MaxParticipants
)

func newTraces(t *tracing.Tracer) *traces {
	if t == nil {
		return nil
	}
	return &traces{tracer: t, early: make(map[authorship]*early)}
}

// now is the time when something is followed at all.
func (t *traces) now() (at time.Time) {
	if t != nil {
		at = time.Now()
	}
	return at
}

// cranked looks at an input that an objective took since start, and at what it asks for.
func (t *traces) cranked(c *running, in protocols.Input, acts []protocols.Action, start time.Time) {
	if t == nil {
		return
	}
	end := time.Now()
	if in, ok := in.(protocols.Received); ok {
		t.received(c, in, start)
	}
	entries := 0
	for _, a := range acts {
		if _, ok := a.(protocols.RecordEntry); ok {
			entries++
		}
	}
	for _, a := range acts {
		switch a := a.(type) {
		case protocols.RecordPending:
			e := t.before(authorship{c.id, a.Event.Author, a.Event.Nonce})
			e.began = start
			t.fresh = append(t.fresh, e)
		case protocols.RecordEntry:
			t.entered(c, a, tracing.Span{Name: "derive", Start: start, End: end, About: []attribute.KeyValue{attribute.Int("events", entries)}})
		case protocols.RecordSupported:
			t.ready = append(t.ready, ready{c, a.Update.Seq, start})
		}
	}
}

// before is what is known of an event without a place. What was refused stays here until there is too much: it is only times.
func (t *traces) before(a authorship) *early {
	e := t.early[a]
	if e == nil {
		if len(t.early) >= maxEarly {
			clear(t.early)
		}
		e = new(early)
		t.early[a] = e
	}
	return e
}

func (t *traces) received(c *running, in protocols.Received, at time.Time) {
	switch m := in.Body.(type) {
	case protocols.Submit:
		t.before(authorship{c.id, m.Event.Author, m.Event.Nonce}).arrived = at
	case protocols.Countersign:
		for _, tr := range c.tracks {
			if tr.seq <= m.Seq && len(tr.marks) < maxMarks {
				tr.marks = append(tr.marks, tracing.Mark{Name: "countersign received", At: at, About: []attribute.KeyValue{attribute.Int("participant", int(in.From))}})
			}
		}
	}
}

// entered begins to follow an event that has got its place.
func (t *traces) entered(c *running, r protocols.RecordEntry, derive tracing.Span) {
	tr := &track{seq: r.Seq, author: -1, began: derive.Start, life: t.tracer.Event(c.id, r.Seq)}
	var e *early
	if ev := r.Entry.Event; ev != nil {
		a := authorship{c.id, ev.Author, ev.Nonce}
		e, tr.author, tr.bytes = t.early[a], int(ev.Author), len(ev.Payload)
		delete(t.early, a)
	}
	if !tr.life.Recorded() || t.open >= maxTracks {
		return
	}
	if e != nil {
		for _, at := range []time.Time{e.arrived, e.began} {
			if !at.IsZero() && at.Before(tr.began) {
				tr.began = at
			}
		}
		for _, s := range e.steps {
			tr.life.Step(s)
		}
		if !e.arrived.IsZero() {
			tr.life.Step(tracing.Span{Name: "wait", Start: e.arrived, End: derive.Start})
		}
	}
	tr.life.Step(derive)
	t.open++
	t.dirty = append(t.dirty, tr)
	c.tracks = append(c.tracks, tr)
}

// committed says that the batch is durable.
func (t *traces) committed(start time.Time) {
	if t == nil {
		return
	}
	end := time.Now()
	for _, e := range t.fresh {
		e.steps = append(e.steps, tracing.Span{Name: "author.persist", Start: start, End: end})
	}
	for _, tr := range t.dirty {
		tr.life.Step(tracing.Span{Name: "persist", Start: start, End: end, About: []attribute.KeyValue{attribute.Int("events", len(t.dirty))}})
	}
	for _, r := range t.ready {
		n := 0
		for _, tr := range r.c.tracks {
			if tr.seq > r.seq {
				break
			}
			tr.life.Step(tracing.Span{Name: "support", Start: r.began, End: end})
			t.finish(r.c, tr, end, true)
			n++
		}
		r.c.tracks = r.c.tracks[n:]
	}
	t.fresh, t.dirty, t.ready = t.fresh[:0], t.dirty[:0], t.ready[:0]
}

// signed follows a signature of the session key.
func (t *traces) signed(c *running, m channel.Message, start time.Time) {
	if t == nil {
		return
	}
	end := time.Now()
	switch m := m.(type) {
	case channel.Event:
		if e := t.early[authorship{c.id, m.Author, m.Nonce}]; e != nil {
			e.steps = append(e.steps, tracing.Span{Name: "author.sign", Start: start, End: end})
		}
	case channel.Update:
		for _, tr := range c.tracks {
			if tr.seq <= m.Seq && !tr.signed {
				tr.signed = true
				tr.life.Step(tracing.Span{Name: "sign", Start: start, End: end, About: []attribute.KeyValue{attribute.Int64("update", int64(m.Seq))}})
			}
		}
	}
}

// sent follows a message that was given to the transport.
func (t *traces) sent(c *running, body protocols.Body, start time.Time) {
	if t == nil {
		return
	}
	end := time.Now()
	var seq uint64
	switch m := body.(type) {
	case protocols.Submit:
		if e := t.early[authorship{c.id, m.Event.Author, m.Event.Nonce}]; e != nil {
			e.steps = append(e.steps, tracing.Span{Name: "author.send", Start: start, End: end})
		}
		return
	case protocols.Append:
		seq = m.Update.Seq
	case protocols.Countersign:
		seq = m.Seq
	}
	for _, tr := range c.tracks {
		if tr.seq > seq {
			continue
		}
		if tr.messages == 0 {
			tr.sent = tracing.Span{Name: "send", Start: start, About: []attribute.KeyValue{attribute.String("message", protocols.Message{Body: body}.Kind().String())}}
		}
		tr.sent.End = end
		tr.messages++
	}
}

// finish ends this node's part in an event.
func (t *traces) finish(c *running, tr *track, end time.Time, supported bool) {
	t.open--
	if tr.messages > 0 {
		tr.sent.About = append(tr.sent.About, attribute.Int("messages", tr.messages))
		tr.life.Step(tr.sent)
	}
	name := "follow"
	if c.Me() == c.Rules().Params.Sequencer {
		name = "sequence"
	}
	tr.life.Node(tracing.Span{Name: name, Start: tr.began, End: end, Marks: tr.marks, Links: []tracing.Life{t.tracer.Channel(c.id)}, About: append(about(c.id, tr.seq),
		attribute.Int("participant", int(c.Me())), attribute.Int("author", tr.author), attribute.Int("payload.bytes", tr.bytes), attribute.Bool("supported", supported))})
}

// end gives what is on its way when the loop ends.
func (t *traces) end(channels map[common.Hash]*running) {
	if t == nil {
		return
	}
	for _, c := range channels {
		for _, tr := range c.tracks {
			t.finish(c, tr, time.Now(), false)
		}
		c.tracks = nil
	}
}

func about(id common.Hash, seq uint64) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("channel", id.Hex()), attribute.Int64("seq", int64(seq))}
}

// answered is the author's own view of an event: from the request to the answer. Every other span of the event is below it.
func (t *traces) answered(id common.Hash, seq uint64, start time.Time, bytes int) {
	if t == nil {
		return
	}
	t.tracer.Event(id, seq).Root(tracing.Span{
		Name: "event", Start: start, End: time.Now(), About: append(about(id, seq), attribute.Int("payload.bytes", bytes)), Links: []tracing.Life{t.tracer.Channel(id)},
	})
}

// phase follows the objectives of a channel: it was in a phase until now. The channel's first participant gives the root.
func (t *traces) phase(c *running, was, is string) {
	if t == nil {
		return
	}
	now, life := time.Now(), t.tracer.Channel(c.id)
	began := c.phaseSince
	c.phaseSince = now
	life.Step(tracing.Span{Name: was, Start: began, End: now, About: []attribute.KeyValue{attribute.String("then", is)}})
	if c.traced || is != "final" && is != "abandoned" {
		return
	}
	c.traced = true
	whole := tracing.Span{Name: "channel", Start: time.Unix(int64(c.record.CreatedAt), 0), End: now, About: []attribute.KeyValue{
		attribute.String("channel", c.id.Hex()), attribute.String("end", is), attribute.Int("participants", len(c.record.Params.Participants)),
	}}
	if c.Me() == 0 {
		life.Root(whole)
	}
	whole.Name, whole.About = "participant", append(whole.About, attribute.Int("participant", int(c.Me())))
	life.Node(whole)
}

// during follows something else that an objective had done: a replay, a signature of a key elsewhere.
func (t *traces) during(id common.Hash, name string, start time.Time, result string) {
	if t == nil {
		return
	}
	t.tracer.Channel(id).Step(tracing.Span{Name: name, Start: start, End: time.Now(), About: []attribute.KeyValue{attribute.String("result", result)}})
}

// transaction follows one that ended, with what it took.
func (t *traces) transaction(c *running, r TxResult) {
	if t == nil {
		return
	}
	asked := c.txsSince[r.Tx]
	delete(c.txsSince, r.Tx)
	if asked.IsZero() {
		return
	}
	s := tracing.Span{Name: "transaction", Start: asked, End: time.Now(), About: []attribute.KeyValue{
		attribute.String("channel", c.id.Hex()), attribute.String("kind", r.Tx.Kind.String()), attribute.String("result", resultWord(r.Err)),
	}}
	gas := uint64(0)
	for _, m := range r.Mined {
		gas += m.GasUsed
	}
	s.About = append(s.About, attribute.Int64("gas", int64(gas)))
	if p, ok := c.Play(); ok { // what it brings to the chain
		s.Links = []tracing.Life{t.tracer.Event(c.id, p.Supported().Update.Seq)}
	}
	life := t.tracer.Channel(c.id).Step(s)
	for _, step := range r.Took {
		if !step.Start.IsZero() && !step.End.IsZero() {
			life.Step(tracing.Span{Name: step.Name, Start: step.Start, End: step.End})
		}
	}
}

// asked remembers when a transaction was asked for.
func (t *traces) asked(c *running, tx protocols.Tx) {
	if t == nil {
		return
	}
	if c.txsSince == nil {
		c.txsSince = make(map[protocols.Tx]time.Time)
	}
	c.txsSince[tx] = time.Now()
}
