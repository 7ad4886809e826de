package eventstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

// model is the store as one would explain it: maps and lists, no bytes.
type model struct {
	channels   map[common.Hash]*modelChannel
	objectives map[string]ObjectiveRecord
	facts      []Fact
	cursors    map[string]Cursor
	meta       map[string]string
	log        []string // message of each event
	feed       []string
	kept       int
}

type modelChannel struct {
	record    ChannelRecord
	entries   []JournalEntry
	signed    *channel.Update
	supported *channel.Update
	closes    map[bool]channel.Close
	pending   map[uint64]channel.SignedEvent
	snapshots map[uint64][]byte
	script    *script
}

func newModel(kept int) *model {
	return &model{map[common.Hash]*modelChannel{}, map[string]ObjectiveRecord{}, nil, map[string]Cursor{}, map[string]string{}, nil, nil, kept}
}

func (m *model) clone() *model {
	c := *m
	c.channels = map[common.Hash]*modelChannel{}
	for id, ch := range m.channels {
		n := *ch
		n.entries = slices.Clone(ch.entries)
		n.closes, n.pending, n.snapshots = maps.Clone(ch.closes), maps.Clone(ch.pending), maps.Clone(ch.snapshots)
		c.channels[id] = &n
	}
	c.objectives, c.cursors, c.meta = maps.Clone(m.objectives), maps.Clone(m.cursors), maps.Clone(m.meta)
	c.facts, c.log, c.feed = slices.Clone(m.facts), slices.Clone(m.log), slices.Clone(m.feed)
	return &c
}

// operation is one write, as the store and as the model do it. The model returns the sentinel or nil.
type operation struct {
	name  string
	put   func(*Batch)
	apply func(*model) error
}

// generator makes random operations, most of them legal for the model's state at that moment.
type generator struct {
	rng     *rand.Rand
	scripts []*script
	n       int
}

func newGenerator(seed uint64, channels int) *generator {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 17))}
	for i := range channels {
		g.scripts = append(g.scripts, newScript(uint64(i), 2+i%3))
	}
	return g
}

func (g *generator) next(m *model) operation {
	c := g.scripts[g.rng.IntN(len(g.scripts))]
	ch := m.channels[c.id]
	g.n++
	if ch == nil {
		rec := c.record
		return operation{"channel", func(b *Batch) { b.PutChannel(c.id, rec) }, func(m *model) error {
			if m.channels[c.id] == nil {
				m.channels[c.id] = &modelChannel{record: rec, closes: map[bool]channel.Close{}, pending: map[uint64]channel.SignedEvent{},
					snapshots: map[uint64][]byte{}, script: c}
			}
			return nil
		}}
	}
	last := uint64(len(ch.entries))
	c.grow(last + 4)
	near := func() uint64 { return min(last+2, last+3-min(last+3, uint64(g.rng.IntN(8)))) }
	switch g.rng.IntN(20) {
	case 0, 1, 2, 3, 4, 5, 6:
		seq := last + 1
		if g.rng.IntN(15) == 0 {
			seq = near()
		}
		e, h := c.entries[seq], c.hashes[seq]
		return operation{"append", func(b *Batch) { b.AppendEntry(c.id, seq, e, h) }, func(m *model) error {
			ch := m.channels[c.id]
			if seq != uint64(len(ch.entries))+1 {
				return ErrNotAppend
			}
			ch.entries = append(ch.entries, JournalEntry{seq, e, h})
			m.feed = append(m.feed, fmt.Sprintf("entry %s %d", c.id, seq))
			return nil
		}}
	case 7, 8, 9:
		u := c.update(near())
		if g.rng.IntN(20) == 0 {
			u.JournalRoot[5]++
		}
		return operation{"signed", func(b *Batch) { b.PutSigned(c.id, u) }, func(m *model) error { return m.channels[c.id].sign(u) }}
	case 10, 11:
		u := c.update(near())
		return operation{"supported", func(b *Batch) { b.PutSupported(c.id, u, c.signatures(u)) }, func(m *model) error {
			ch := m.channels[c.id]
			if ch.supported == nil || u.Seq > ch.supported.Seq {
				ch.supported = &u
			}
			return nil
		}}
	case 12:
		e := *c.event(uint64(g.rng.IntN(5)), uint64(g.rng.IntN(100)))
		if g.rng.IntN(2) == 0 {
			e.Signature = channel.Signature{}
		}
		return operation{"pending", func(b *Batch) { b.PutPending(c.id, e) }, func(m *model) error {
			old, ok := m.channels[c.id].pending[e.Nonce]
			if !ok || !e.Signature.IsZero() || old.StructHash() != e.StructHash() {
				m.channels[c.id].pending[e.Nonce] = e
			}
			return nil
		}}
	case 13:
		nonce := uint64(g.rng.IntN(5))
		return operation{"unpend", func(b *Batch) { b.DeletePending(c.id, nonce) }, func(m *model) error {
			delete(m.channels[c.id].pending, nonce)
			return nil
		}}
	case 14:
		seq := near()
		if g.rng.IntN(2) == 0 {
			seq = last
		}
		return operation{"snapshot", func(b *Batch) { c.snapshot(b, seq) }, func(m *model) error { return m.snapshot(c, seq) }}
	case 15:
		return g.fact(c, m)
	case 16:
		return g.chain(m)
	case 17:
		if g.rng.IntN(12) == 0 {
			cl := channel.Close{ChannelID: c.id, Seq: last, StateHash: c.hashes[last], InDispute: g.rng.IntN(2) == 0}
			return operation{"close", func(b *Batch) { b.PutClose(c.id, cl) }, func(m *model) error {
				ch := m.channels[c.id]
				if old, ok := ch.closes[cl.InDispute]; ok && old != cl {
					return ErrContradiction
				}
				ch.closes[cl.InDispute] = cl
				return nil
			}}
		}
		fallthrough
	case 18:
		o := ObjectiveRecord{ID: fmt.Sprintf("o%d", g.rng.IntN(6)), Kind: "play", Channel: c.id, Status: fmt.Sprint(g.n), Data: []byte{byte(g.n)}, Version: uint64(g.n)}
		return operation{"objective", func(b *Batch) { b.PutObjective(o.ID, o) }, func(m *model) error { m.objectives[o.ID] = o; return nil }}
	}
	name := fmt.Sprint("event ", g.n)
	return operation{"log", func(b *Batch) {
		b.Log(NewNodeEvent(uint64(g.n), &MessageAcked{Channel: Hash(c.id), Message: name}))
		b.PutMeta("last", []byte(name))
	}, func(m *model) error {
		m.feed = append(m.feed, fmt.Sprintf("event %d", len(m.log)))
		m.log = append(m.log, name)
		m.meta["last"] = name
		return nil
	}}
}

func (ch *modelChannel) sign(u channel.Update) error {
	switch {
	case ch.signed != nil && *ch.signed == u:
		return nil
	case ch.signed != nil && u.Seq <= ch.signed.Seq:
		return ErrContradiction
	case len(ch.closes) > 0:
		return ErrContradiction
	case u.Seq > uint64(len(ch.entries)):
		return ErrNotAppend
	case u != ch.script.update(u.Seq):
		return ErrContradiction
	}
	ch.signed = &u
	return nil
}

func (m *model) snapshot(c *script, seq uint64) error {
	ch := m.channels[c.id]
	if seq > uint64(len(ch.entries)) {
		return ErrNotAppend
	}
	ch.snapshots[seq] = c.states[seq].Bytes()
	for {
		seqs := slices.Sorted(maps.Keys(ch.snapshots))
		if seqs[0] == 0 {
			seqs = seqs[1:]
		}
		if len(seqs) <= m.kept {
			return nil
		}
		delete(ch.snapshots, seqs[0])
	}
}

func (g *generator) fact(c *script, m *model) operation {
	f := Fact{Block: uint64(g.rng.IntN(12)), BlockHash: common.Hash{byte(g.rng.IntN(6) / 5)}, LogIndex: uint32(g.rng.IntN(4)), Channel: c.id, Kind: "k", Data: []byte{1}}
	return operation{"fact", func(b *Batch) { b.PutFact(f) }, func(m *model) error {
		for _, old := range m.facts {
			if old.Block == f.Block && old.BlockHash != f.BlockHash {
				return ErrContradiction
			}
			if old.Block == f.Block && old.LogIndex == f.LogIndex {
				if old.Channel != f.Channel {
					return ErrContradiction
				}
				return nil
			}
		}
		m.facts = append(m.facts, f)
		return nil
	}}
}

func (g *generator) chain(m *model) operation {
	to := Cursor{uint64(g.rng.IntN(12)), common.Hash{byte(g.rng.IntN(6) / 5)}}
	if g.rng.IntN(2) == 0 {
		name := fmt.Sprint("cursor", g.rng.IntN(3))
		return operation{"cursor", func(b *Batch) { b.PutCursor(name, to.Number, to.Hash) }, func(m *model) error { m.cursors[name] = to; return nil }}
	}
	return operation{"rewind", func(b *Batch) { b.RewindFacts(to.Number, to.Hash) }, func(m *model) error {
		for _, f := range m.facts {
			if f.Block == to.Number && f.BlockHash != to.Hash {
				return ErrContradiction
			}
		}
		m.facts = slices.DeleteFunc(slices.Clone(m.facts), func(f Fact) bool { return f.Block > to.Number })
		for name, c := range m.cursors {
			if c.Number > to.Number {
				m.cursors[name] = to
			}
		}
		return nil
	}}
}

// lines shows a model or a store in the same words.
type lines []string

func (l *lines) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

func (l *lines) entry(e JournalEntry) {
	if e.Entry.Event == nil {
		l.add(" top-up %d %d %s", e.Seq, e.Entry.TopUp, e.StateHash)
		return
	}
	l.add(" entry %d %v %s", e.Seq, *e.Entry.Event, e.StateHash)
}

func (l *lines) fact(f Fact) {
	l.add("fact %d %s %d %s %s %x", f.Block, f.BlockHash, f.LogIndex, f.Channel, f.Kind, f.Data)
}

func (m *model) dump() string {
	var l lines
	for _, id := range slices.SortedFunc(maps.Keys(m.channels), common.Hash.Cmp) {
		ch := m.channels[id]
		l.add("channel %s %s", id, ch.record.Status)
		for _, e := range ch.entries {
			l.entry(e)
		}
		if ch.signed != nil {
			l.add(" signed %v", *ch.signed)
		}
		if ch.supported != nil {
			l.add(" supported %v", *ch.supported)
		}
		for _, inDispute := range []bool{false, true} {
			if c, ok := ch.closes[inDispute]; ok {
				l.add(" close %v", c)
			}
		}
		for _, nonce := range slices.Sorted(maps.Keys(ch.pending)) {
			e := ch.pending[nonce]
			l.add(" pending %s %v", e.StructHash(), e.Signature)
		}
		for _, seq := range slices.Backward(slices.Sorted(maps.Keys(ch.snapshots))) {
			l.add(" snapshot %d %s", seq, crypto.Keccak256Hash(ch.snapshots[seq]))
		}
	}
	for _, o := range slices.SortedFunc(maps.Values(m.objectives), func(a, b ObjectiveRecord) int { return strings.Compare(a.ID, b.ID) }) {
		l.add("objective %v", o)
	}
	slices.SortFunc(m.facts, func(a, b Fact) int { return slices.Compare(factKeyOf(a), factKeyOf(b)) })
	for _, f := range m.facts {
		l.fact(f)
	}
	for _, name := range slices.Sorted(maps.Keys(m.cursors)) {
		l.add("cursor %s %v", name, m.cursors[name])
	}
	for _, key := range slices.Sorted(maps.Keys(m.meta)) {
		l.add("meta %s %s", key, m.meta[key])
	}
	for i, e := range m.log {
		l.add("log %d %s", i, e)
	}
	for i, f := range m.feed {
		l.add("feed %d %s", i, f)
	}
	return strings.Join(l, "\n")
}

func factKeyOf(f Fact) []byte { return factKey(f.Block, f.LogIndex) }

// dump reads everything there is through the public reads, and by key what has none.
func dump(t testing.TB, s *Store) string {
	var l lines
	for rec, err := range s.Channels() {
		require.NoError(t, err)
		dumpChannel(t, s, rec, &l)
	}
	for o, err := range s.Objectives() {
		require.NoError(t, err)
		l.add("objective %v", *o)
	}
	each := func(space byte, visit func(key, value []byte)) {
		require.NoError(t, ascend(s.db, []byte{space}, nil, func(key, value []byte) (bool, error) { visit(key, value); return true, nil }))
	}
	each(spaceFact, func(key, value []byte) {
		f, err := decodeFact(tail64(key[:9]), uint32(key[12]), value)
		require.NoError(t, err)
		l.fact(*f)
		_, closer, err := s.db.Get(factIndexKey(f.Channel, f.Block, f.LogIndex))
		require.NoError(t, err)
		require.NoError(t, closer.Close())
	})
	each(spaceCursor, func(key, _ []byte) {
		c, err := s.Cursor(string(key[1:]))
		require.NoError(t, err)
		l.add("cursor %s %v", key[1:], c)
	})
	each(spaceMeta, func(key, value []byte) { l.add("meta %s %s", key[1:], value) })
	events, err := s.NodeEvents(0, MaxRead)
	require.NoError(t, err)
	for _, e := range events {
		l.add("log %d %s", e.Index, e.Body.(*MessageAcked).Message)
	}
	each(spaceFeed, func(key, value []byte) {
		item, err := decodeFeed(value)
		require.NoError(t, err)
		if item.kind == feedEntry {
			l.add("feed %d entry %s %d", tail64(key), item.channel, item.number)
		} else {
			l.add("feed %d event %d", tail64(key), item.number)
		}
	})
	return strings.Join(l, "\n")
}

func dumpChannel(t testing.TB, s *Store, rec *ChannelRecord, l *lines) {
	id := rec.ID
	l.add("channel %s %s", id, rec.Status)
	entries, err := s.Entries(id, 0, MaxRead)
	require.NoError(t, err)
	for _, e := range entries {
		l.entry(e)
	}
	if u, err := s.Signed(id); err == nil {
		l.add(" signed %v", u)
	} else {
		require.ErrorIs(t, err, ErrNotFound)
	}
	if u, sigs, err := s.Supported(id); err == nil {
		l.add(" supported %v", u)
		require.Len(t, sigs, len(rec.Params.Participants))
	} else {
		require.ErrorIs(t, err, ErrNotFound)
	}
	for _, inDispute := range []bool{false, true} {
		if c, err := s.CloseSigned(id, inDispute); err == nil {
			l.add(" close %v", c)
		} else {
			require.ErrorIs(t, err, ErrNotFound)
		}
	}
	pending, err := s.Pending(id)
	require.NoError(t, err)
	for _, e := range pending {
		l.add(" pending %s %v", e.StructHash(), e.Signature)
	}
	for at := ^uint64(0); ; {
		snap, err := s.Snapshot(id, at)
		if err != nil {
			require.ErrorIs(t, err, ErrNotFound)
			break
		}
		l.add(" snapshot %d %s", snap.Seq, crypto.Keccak256Hash(snap.State))
		if snap.Seq == 0 {
			break
		}
		at = snap.Seq - 1
	}
	_, err = s.Check(id)
	require.NoError(t, err)
}

// small makes the database flush and compact all the time.
func small(o *pebble.Options) {
	o.MemTableSize = 32 << 10
	o.L0CompactionThreshold = 2
}

func tuned(f func(*pebble.Options)) Option { return func(s *settings) { s.tune = f } }

// The same operations, with random batch boundaries, syncs, cache sizes and restarts, give what the model gives.
func TestF4_F1_Metamorphic(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := newGenerator(seed, 4)
			kept := 1 + g.rng.IntN(4)
			m := newModel(kept)
			fs := vfs.NewMem()
			reopen := func() *Store {
				opts := []Option{WithSnapshotsKept(kept), WithCacheSize(int64(g.rng.IntN(1 << 20)))}
				if g.rng.IntN(2) == 0 {
					opts = append(opts, tuned(small))
				}
				return open(t, fs, opts...)
			}
			s := reopen()
			b := s.NewBatch()
			refused := 0
			for range 250 {
				next := m.clone()
				var want error
				for range 1 + g.rng.IntN(6) {
					op := g.next(next)
					op.put(b)
					if want == nil {
						want = op.apply(next)
					}
				}
				err := s.Commit(b, g.rng.IntN(3) == 0)
				if want != nil {
					require.ErrorIs(t, err, want)
					refused++
				} else {
					require.NoError(t, err)
					m = next
				}
				if g.rng.IntN(25) == 0 {
					require.Equal(t, m.dump(), dump(t, s))
				}
				if g.rng.IntN(50) == 0 {
					require.NoError(t, s.Close())
					s = reopen()
					b = s.NewBatch()
				}
			}
			require.Equal(t, m.dump(), dump(t, s))
			require.NotZero(t, refused)
		})
	}
}
