package lifecycle_test

import (
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/play"
	"github.com/stretchr/testify/require"
)

// tape reads decisions from the fuzzer's bytes; at its end everything is zero.
type tape []byte

func (t *tape) next(n int) int {
	if len(*t) == 0 {
		return 0
	}
	b := int((*t)[0])
	*t = (*t)[1:]
	return b % n
}

// villain makes messages of everybody but one honest node, valid in parts: real keys, positions near the head, and Updates
// and signatures of its own earlier making.
type villain struct {
	*cluster
	*tape
	honest  int
	points  []play.Point
	entries [][]channel.Entry // after the first three that everybody has
	updates []channel.Update
	seen    []channel.Signature
}

func (v *villain) who() int {
	if i := v.next(2); i < v.honest {
		return i
	} else {
		return i + 1
	}
}

// grow adds a point to the journals that the villain knows.
func (v *villain) grow() {
	i := v.next(len(v.points))
	at := v.points[i]
	author := v.who()
	payload := []string{"x", "y", "end"}[v.next(3)]
	if at.State.Header.Terminal || len(v.points) > 12 {
		return
	}
	next, entry := v.extend(at, v.event(author, at.State.Header.Nonces[author]+1, payload))
	v.points = append(v.points, next)
	v.entries = append(v.entries, append(append([]channel.Entry(nil), v.entries[i]...), entry...))
	v.updates = append(v.updates, next.Update(v.id()))
}

func (v *villain) update() channel.Update {
	u := v.updates[v.next(len(v.updates))]
	switch v.next(12) {
	case 0:
		u.Seq += uint64(v.next(4))
	case 1:
		u.StateHash[0]++
	case 2:
		u.JournalRoot[0]++
	case 3:
		u.ChannelID[0]++
	}
	return u
}

func (v *villain) sig(m channel.Message) channel.Signature {
	switch v.next(8) {
	case 0:
		return channel.Signature{}
	case 1:
		if len(v.seen) > 0 {
			return v.seen[v.next(len(v.seen))]
		}
	}
	s := v.sign(v.who(), m)
	v.seen = append(v.seen, s)
	return s
}

func (v *villain) head() protocols.Head {
	h := protocols.Head{Update: v.update(), Signatures: make([]channel.Signature, 3)}
	for i := range h.Signatures {
		if i != v.honest && v.next(4) > 0 {
			h.Signatures[i] = v.sign(i, h.Update)
		} else {
			h.Signatures[i] = v.sig(h.Update)
		}
	}
	return h
}

func (v *villain) someEntries() (from uint64, entries []channel.Entry) {
	i := v.next(len(v.points))
	entries = v.entries[i]
	skip := min(v.next(4), len(entries))
	return uint64(4+skip) - uint64(v.next(2)), entries[skip:]
}

func (v *villain) body() protocols.Body {
	switch v.next(9) {
	case 0:
		author := v.who()
		e := v.event(author, uint64(1+v.next(6)), []string{"s", "no", "end"}[v.next(3)])
		if v.next(6) == 0 {
			e.Signature = v.sig(e.Event)
		}
		return protocols.Submit{Event: e}
	case 1, 2:
		from, entries := v.someEntries()
		u := v.update()
		sig := v.sig(u)
		if v.next(3) > 0 && v.honest != 0 {
			sig = v.sign(0, u)
		}
		if len(entries) == 0 {
			return protocols.Sync{}
		}
		u.Seq = from + uint64(len(entries)) - 1
		return protocols.Append{From: from, Entries: entries, Update: u, Signature: sig}
	case 3:
		u := v.update()
		return protocols.Countersign{Seq: u.Seq, Signature: v.sig(u)}
	case 4:
		u := v.update()
		return protocols.Sync{Seq: u.Seq, Root: u.JournalRoot, Supported: uint64(v.next(8))}
	case 5, 6:
		from, entries := v.someEntries()
		m := protocols.CatchUp{From: from, Entries: entries, Heads: make([]protocols.Head, v.next(3))}
		for i := range m.Heads {
			m.Heads[i] = v.head()
		}
		for range v.next(4) {
			m.Proof = append(m.Proof, v.update().JournalRoot)
		}
		return m
	case 7:
		u := v.update()
		cl := channel.Close{ChannelID: u.ChannelID, Seq: u.Seq, StateHash: u.StateHash, InDispute: v.next(8) == 0}
		return protocols.CloseConsent{Close: cl, Signature: v.sig(cl)}
	}
	switch v.next(4) {
	case 0:
		return protocols.Diverged{Seq: uint64(v.next(8))}
	case 1:
		return protocols.Accept{Signature: v.sig(v.updates[0]), Want: true}
	case 2:
		return protocols.Proposal{}
	}
	var ref common.Hash
	if n := v.nodes[v.honest]; len(n.disk.pending) > 0 && v.next(2) == 0 {
		for _, e := range n.disk.pending {
			ref = e.StructHash()
		}
	}
	return protocols.Refusal{Ref: ref, Code: "stale"}
}

// step is one thing that happens to the honest node.
func (v *villain) step() {
	n := v.nodes[v.honest]
	switch v.next(16) {
	case 0:
		v.author(v.honest, 7000, []string{"h", "no", "end"}[v.next(3)])
	case 1:
		v.tick(uint64(v.next(12)))
	case 2:
		v.input(n, protocols.Connected{Peer: uint8(v.who())})
	case 3:
		v.crash(v.honest)
		v.restart(v.honest)
	case 4:
		if v.next(4) == 0 {
			v.close(v.honest, 7001)
		}
	case 5:
		view := v.view
		view.Funded, view.Final, view.Time = v.next(4) > 0, v.next(16) == 1, v.now*uint64(min(1, v.next(8)))
		v.input(n, view)
	case 6, 7:
		v.grow()
	case 8:
		left := v.next(4)
		n.fuse = func(protocols.Action) bool { left--; return left < 0 }
	default:
		v.tell(v.who(), v.honest, v.body())
	}
	if !n.up {
		v.restart(v.honest)
	}
	for _, e := range v.net { // what the honest node said is known to the others
		m, err := protocols.DecodeMessage(e.msg)
		if err != nil {
			v.t.Fatal(err)
		}
		switch b := m.Body.(type) {
		case protocols.Append:
			v.seen, v.updates = append(v.seen, b.Signature), append(v.updates, b.Update)
		case protocols.Countersign:
			v.seen = append(v.seen, b.Signature)
		case protocols.CloseConsent:
			v.seen = append(v.seen, b.Signature)
		}
	}
	v.net = nil
}

// FuzzCrank plays arbitrary messages of dishonest peers, with time, crashes and requests between them, against one honest
// node in the middle of a game. The oracle of the cluster checks S1-S7 at every record and signature.
func FuzzCrank(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 6, 0, 0, 0, 6, 1, 1, 1, 9, 0, 1, 1, 0, 1, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Add([]byte{0, 0, 0, 9, 1, 0, 0, 1, 0, 3, 10, 0, 3, 5, 1, 3, 11, 1, 7, 0, 0, 1, 1, 4, 0, 12, 0, 5, 1, 1, 0, 2, 2, 9})
	long := make([]byte, 600)
	for i := range long {
		long[i] = byte(i*i*7 + i*31 + i/9)
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		besiege(t, data)
	})
}

// TestA10_RandomVillains is FuzzCrank over random tapes, most of whose bytes lead somewhere.
func TestA10_RandomVillains(t *testing.T) {
	halted, ended := 0, 0
	for seed := range seeds(150) {
		data := make([]byte, 1200)
		rand.New(rand.NewSource(int64(seed))).Read(data)
		n := besiege(t, data)
		if n.halted {
			halted++
		}
		if n.disk.close != nil {
			ended++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	require.Positive(t, halted, "no villain was caught: the tapes do not get deep enough")
	require.Positive(t, ended)
	t.Logf("%d halted, %d signed a Close", halted, ended)
}

// middles are clusters in the middle of a game, made once.
var middles [2]*cluster

func besiege(t *testing.T, data []byte) *node {
	in := tape(data)
	honest := in.next(3)
	kind := in.next(4) / 3
	if middles[kind] == nil {
		c := openCluster(t, options{n: 3, independent: kind == 1})
		for i := range 3 {
			c.author(i, uint64(500+i), "a")
			c.stabilize()
		}
		c.dishonest = true
		middles[kind] = c
	}
	c := middles[kind].clone(t)
	for i, n := range c.nodes {
		n.up = i == honest
	}
	v := &villain{cluster: c, tape: &in, honest: honest, points: []play.Point{c.head(honest)}, entries: [][]channel.Entry{nil}}
	v.updates = []channel.Update{c.head(honest).Update(c.id())}
	for len(in) > 0 {
		v.step()
	}
	return c.nodes[honest]
}

// clone is a cluster of its own in the same state; messages and transactions on their way are left behind.
func (c *cluster) clone(t testing.TB) *cluster {
	out := &cluster{t: t, view: c.view, now: c.now, quiet: true, dishonest: c.dishonest, supported: maps.Clone(c.supported)}
	for _, n := range c.nodes {
		m, d := *n, *n.disk
		d.objectives, d.pending = maps.Clone(d.objectives), maps.Clone(d.pending)
		d.entries, d.hashes = slices.Clone(d.entries), slices.Clone(d.hashes)
		d.tree = channel.Tree{}
		d.tree.Append(n.cfg.Start.Journal.Peaks()[0])
		for i, e := range d.entries {
			d.tree.Append(channel.LeafHash(e.Hash(n.cfg.Rules.ID()), d.hashes[i]))
		}
		m.disk, m.ever, m.answered, m.requested = &d, maps.Clone(n.ever), maps.Clone(n.answered), maps.Clone(n.requested)
		m.drops, m.answers, m.notes = nil, nil, nil
		out.nodes = append(out.nodes, &m)
	}
	return out
}
