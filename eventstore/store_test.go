package eventstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

// played is a store with one channel of `last` entries, signed and supported at the end.
func played(t testing.TB, fs vfs.FS, c *script, last uint64, opts ...Option) *Store {
	s := open(t, fs, opts...)
	require.NoError(t, commit(s, func(b *Batch) {
		b.PutChannel(c.id, c.record)
		c.append(b, 1, last)
		u := c.update(last)
		b.PutSigned(c.id, u)
		b.PutSupported(c.id, u, c.signatures(u))
	}))
	return s
}

func TestF4_EverythingIsReadBackAfterReopening(t *testing.T) {
	fs, c := vfs.NewMem(), newScript(1, 3)
	s := played(t, fs, c, 20)
	pending := *c.event(30, 30)
	unsigned := *c.event(31, 31)
	unsigned.Signature = channel.Signature{}
	closing := channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]}
	fact := Fact{Block: 9, BlockHash: common.Hash{9}, LogIndex: 3, TxHash: common.Hash{8}, Channel: c.id, Kind: "Deposited", Data: []byte{1, 2}}
	require.NoError(t, commit(s, func(b *Batch) {
		b.PutPending(c.id, pending)
		b.PutPending(c.id, unsigned)
		c.snapshot(b, 0)
		c.snapshot(b, 20)
		b.PutClose(c.id, closing)
		b.PutObjective("directfund-1", ObjectiveRecord{Kind: "directfund", Channel: c.id, Status: "done", Data: []byte("x"), Version: 4})
		b.PutFact(fact)
		b.PutCursor("unsafe", 10, common.Hash{10})
		b.PutMeta("node", []byte{})
		b.Log(NewNodeEvent(77, &MessageAcked{Channel: Hash(c.id), Message: "m1", Peer: Address{2}}))
	}))
	require.NoError(t, s.Close())
	s = open(t, fs)

	got, err := s.Channel(c.id)
	require.NoError(t, err)
	require.Equal(t, encodeChannel(&c.record), encodeChannel(got))
	require.Equal(t, c.id, got.ID)
	var ids []common.Hash
	for rec, err := range s.Channels() {
		require.NoError(t, err)
		ids = append(ids, rec.ID)
	}
	require.Equal(t, []common.Hash{c.id}, ids)

	last, err := s.LastSeq(c.id)
	require.NoError(t, err)
	require.EqualValues(t, 20, last)
	entries, err := s.Entries(c.id, 0, 1000)
	require.NoError(t, err)
	require.Len(t, entries, 20)
	for i, e := range entries {
		require.Equal(t, JournalEntry{uint64(i + 1), c.entries[i+1], c.hashes[i+1]}, e)
	}
	one, stateHash, err := s.Entry(c.id, 14)
	require.NoError(t, err)
	require.Equal(t, c.entries[14], one)
	require.Equal(t, c.hashes[14], stateHash)
	_, _, err = s.Entry(c.id, 21)
	require.ErrorIs(t, err, ErrNotFound)

	u, err := s.Signed(c.id)
	require.NoError(t, err)
	require.Equal(t, c.update(20), u)
	u, sigs, err := s.Supported(c.id)
	require.NoError(t, err)
	require.Equal(t, c.update(20), u)
	require.Equal(t, c.signatures(u), sigs)
	events, err := s.Pending(c.id)
	require.NoError(t, err)
	require.Equal(t, []channel.SignedEvent{pending, unsigned}, events)
	cl, err := s.CloseSigned(c.id, false)
	require.NoError(t, err)
	require.Equal(t, closing, cl)
	_, err = s.CloseSigned(c.id, true)
	require.ErrorIs(t, err, ErrNotFound)
	snap, err := s.Snapshot(c.id, 19)
	require.NoError(t, err)
	require.EqualValues(t, 0, snap.Seq)
	snap, err = s.Snapshot(c.id, ^uint64(0))
	require.NoError(t, err)
	require.Equal(t, &Snapshot{20, c.states[20].Bytes(), c.journals[20].Peaks()}, snap)
	o, err := s.Objective("directfund-1")
	require.NoError(t, err)
	require.Equal(t, &ObjectiveRecord{"directfund-1", "directfund", c.id, "done", []byte("x"), 4}, o)
	facts, err := s.Facts(c.id)
	require.NoError(t, err)
	require.Equal(t, []Fact{fact}, facts)
	cur, err := s.Cursor("unsafe")
	require.NoError(t, err)
	require.Equal(t, Cursor{10, common.Hash{10}}, cur)
	meta, err := s.Meta("node")
	require.NoError(t, err)
	require.Empty(t, meta)
	log, err := s.NodeEvents(0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	require.EqualValues(t, 77, log[0].Time)
	require.Equal(t, &MessageAcked{Channel: Hash(c.id), Message: "m1", Peer: Address{2}}, log[0].Body)

	tree, err := s.Tree(c.id)
	require.NoError(t, err)
	root, err := tree.RootAt(21)
	require.NoError(t, err)
	require.Equal(t, c.update(20).JournalRoot, root)
	report, err := s.Check(c.id)
	require.NoError(t, err)
	require.Equal(t, c.update(20).JournalRoot, report.JournalRoot)
	require.Equal(t, 2, report.Snapshots)
	require.NoError(t, commit(s, func(b *Batch) { b.DeletePending(c.id, 30); b.PutMeta("node", nil) }))
	events, err = s.Pending(c.id)
	require.NoError(t, err)
	require.Equal(t, []channel.SignedEvent{unsigned}, events)
	_, err = s.Meta("node")
	require.ErrorIs(t, err, ErrNotFound)
}

// Each row is refused whole: the marker in its batch is not written, and the journal stays.
func TestF1_R2_A2_A3_RefusedBatchesWriteNothing(t *testing.T) {
	c, stranger := newScript(1, 2), newScript(2, 2)
	c.grow(30)
	at := func(seq uint64, change func(*channel.Update)) channel.Update {
		u := c.update(seq)
		change(&u)
		return u
	}
	same := func(*channel.Update) {}
	rows := []struct {
		name string
		want error
		put  func(*Batch)
	}{
		{"skip a seq", ErrNotAppend, func(b *Batch) { b.AppendEntry(c.id, 22, c.entries[22], c.hashes[22]) }},
		{"overwrite the last", ErrNotAppend, func(b *Batch) { b.AppendEntry(c.id, 20, c.entries[20], c.hashes[20]) }},
		{"overwrite the genesis", ErrNotAppend, func(b *Batch) { b.AppendEntry(c.id, 0, c.entries[1], c.hashes[1]) }},
		{"twice in one batch", ErrNotAppend, func(b *Batch) { c.append(b, 21, 21); c.append(b, 21, 21) }},
		{"unknown channel", ErrUnknownChannel, func(b *Batch) { stranger.append(b, 1, 1) }},
		{"event of another channel", ErrInvalid, func(b *Batch) { b.AppendEntry(c.id, 21, channel.Entry{Event: stranger.event(1, 1)}, c.hashes[21]) }},
		{"unsigned event", ErrInvalid, func(b *Batch) {
			e := *c.event(5, 5)
			e.Signature = channel.Signature{}
			b.AppendEntry(c.id, 21, channel.Entry{Event: &e}, c.hashes[21])
		}},
		{"payload too long", ErrInvalid, func(b *Batch) {
			e := *c.event(5, 5)
			e.Payload = make([]byte, channel.MaxPayload+1)
			b.AppendEntry(c.id, 21, channel.Entry{Event: &e}, c.hashes[21])
		}},
		{"S1 another root at the same seq", ErrContradiction, func(b *Batch) { b.PutSigned(c.id, at(20, func(u *channel.Update) { u.JournalRoot[0]++ })) }},
		{"S1 another state at the same seq", ErrContradiction, func(b *Batch) { b.PutSigned(c.id, at(20, func(u *channel.Update) { u.StateHash[0]++ })) }},
		{"S1 lower seq", ErrContradiction, func(b *Batch) { b.PutSigned(c.id, at(19, same)) }},
		{"S1 beyond the journal", ErrNotAppend, func(b *Batch) { b.PutSigned(c.id, at(21, same)) }},
		{"S2 not the journal's root", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 22)
			b.PutSigned(c.id, at(21, func(u *channel.Update) { u.JournalRoot[31]++ }))
		}},
		{"S2 not the journal's state", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 22)
			b.PutSigned(c.id, at(22, func(u *channel.Update) { u.StateHash[31]++ }))
		}},
		{"S1 twice in one batch", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 22)
			b.PutSigned(c.id, at(22, same))
			b.PutSigned(c.id, at(21, same))
		}},
		{"signed under another id", ErrInvalid, func(b *Batch) { b.PutSigned(stranger.id, c.update(20)) }},
		{"supported with other root", ErrContradiction, func(b *Batch) {
			b.PutSupported(c.id, at(20, func(u *channel.Update) { u.JournalRoot[0]++ }), c.signatures(c.update(20)))
		}},
		{"supported that is not the journal", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 21)
			b.PutSupported(c.id, at(21, func(u *channel.Update) { u.StateHash[0]++ }), c.signatures(c.update(21)))
		}},
		{"supported by a majority", ErrInvalid, func(b *Batch) { b.PutSupported(c.id, at(25, same), c.signatures(c.update(25))[:1]) }},
		{"supported with a hole", ErrInvalid, func(b *Batch) { b.PutSupported(c.id, at(25, same), make([]channel.Signature, 2)) }},
		{"S5 Update after Close", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 21)
			b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]})
			b.PutSigned(c.id, c.update(21))
		}},
		{"S5 Update after Close in dispute", ErrContradiction, func(b *Batch) {
			c.append(b, 21, 21)
			b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 40, InDispute: true})
			b.PutSigned(c.id, c.update(21))
		}},
		{"S5 two Closes", ErrContradiction, func(b *Batch) {
			b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]})
			b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 19, StateHash: c.hashes[19]})
		}},
		{"S5 Close of another state", ErrContradiction, func(b *Batch) {
			b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[19]})
		}},
		{"snapshot of another state", ErrContradiction, func(b *Batch) {
			b.PutSnapshot(c.id, 20, c.states[19].Bytes(), c.journals[20].Peaks())
		}},
		{"snapshot with other peaks", ErrContradiction, func(b *Batch) {
			b.PutSnapshot(c.id, 19, c.states[19].Bytes(), c.journals[18].Peaks())
		}},
		{"snapshot beyond the journal", ErrNotAppend, func(b *Batch) { c.snapshot(b, 21) }},
		{"snapshot of no state", ErrInvalid, func(b *Batch) { b.PutSnapshot(c.id, 20, []byte{1}, c.journals[20].Peaks()) }},
		{"channel with another seat", ErrContradiction, func(b *Batch) { r := c.record; r.Me = 1; b.PutChannel(c.id, r) }},
		{"channel with another genesis state", ErrContradiction, func(b *Batch) { r := c.record; r.StateHash[0]++; b.PutChannel(c.id, r) }},
		{"channel with another genesis input", ErrInvalid, func(b *Batch) { r := c.record; r.GenesisInput = nil; b.PutChannel(c.id, r) }},
		{"channel with another funding", ErrInvalid, func(b *Batch) { r := c.record; r.Funding = nil; b.PutChannel(c.id, r) }},
		{"channel under another id", ErrInvalid, func(b *Batch) { b.PutChannel(stranger.id, c.record) }},
		{"channel with seat beyond the table", ErrInvalid, func(b *Batch) { r := stranger.record; r.Me = 2; b.PutChannel(stranger.id, r) }},
		{"pending of another channel", ErrInvalid, func(b *Batch) { b.PutPending(c.id, *stranger.event(1, 1)) }},
		{"pending of an unknown channel", ErrUnknownChannel, func(b *Batch) { b.PutPending(stranger.id, *stranger.event(1, 1)) }},
		{"attack 10: too many pending", ErrInvalid, func(b *Batch) {
			for i := range uint64(MaxPending + 1) {
				b.PutPending(c.id, *c.event(i, i))
			}
		}},
		{"nameless cursor", ErrInvalid, func(b *Batch) { b.PutCursor("", 1, common.Hash{}) }},
		{"nameless objective", ErrInvalid, func(b *Batch) { b.PutObjective("", ObjectiveRecord{}) }},
		{"endless status", ErrInvalid, func(b *Batch) { b.PutObjective("o", ObjectiveRecord{Status: strings.Repeat("x", MaxStatus+1)}) }},
		{"huge meta", ErrInvalid, func(b *Batch) { b.PutMeta("m", make([]byte, MaxMeta+1)) }},
		{"huge fact", ErrInvalid, func(b *Batch) { b.PutFact(Fact{Data: make([]byte, MaxFactData+1)}) }},
		{"empty node event", ErrInvalid, func(b *Batch) { b.Log(NodeEvent{}) }},
		{"endless node event", ErrInvalid, func(b *Batch) { b.Log(NewNodeEvent(0, &MessageDropped{Reason: strings.Repeat("x", MaxNodeEvent)})) }},
		{"endless batch", ErrInvalid, func(b *Batch) {
			for range MaxBatch + 1 {
				b.DeletePending(c.id, 0)
			}
		}},
		{"heavy batch", ErrInvalid, func(b *Batch) {
			for range MaxBatchBytes/MaxMeta + 1 {
				b.PutMeta("m", make([]byte, MaxMeta))
			}
		}},
	}
	fs := vfs.NewMem()
	s := played(t, fs, c, 20)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := dump(t, s)
			require.ErrorIs(t, commit(s, func(b *Batch) {
				b.PutMeta("marker", []byte(row.name))
				row.put(b)
			}), row.want)
			require.Equal(t, before, dump(t, s))
		})
	}
	// None of them left anything behind in memory either.
	require.NoError(t, commit(s, func(b *Batch) { c.append(b, 21, 22); b.PutSigned(c.id, c.update(22)) }))
	_, err := s.Verify(c.id)
	require.ErrorIs(t, err, ErrCorrupt, "made-up signatures do not verify")
	_, err = s.Check(c.id)
	require.NoError(t, err)
}

func TestA13_SayingTheSameAgainIsNoChange(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 20)
	closing := channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]}
	fact := Fact{Block: 3, BlockHash: common.Hash{3}, Channel: c.id}
	signed := *c.event(40, 40)
	repeat := func(b *Batch) {
		b.PutChannel(c.id, c.record)
		b.PutSigned(c.id, c.update(20))
		b.PutSupported(c.id, c.update(20), c.signatures(c.update(20)))
		b.PutSupported(c.id, c.update(12), c.signatures(c.update(12))) // older: the newer supports it
		b.PutClose(c.id, closing)
		b.PutFact(fact)
		b.PutPending(c.id, signed)
	}
	require.NoError(t, commit(s, repeat))
	before := dump(t, s)
	require.NoError(t, commit(s, repeat))
	unsigned := signed
	unsigned.Signature = channel.Signature{}
	require.NoError(t, commit(s, func(b *Batch) { b.PutPending(c.id, unsigned) }), "a signed event does not become unsigned")
	require.Equal(t, before, dump(t, s))
	// Cancelling: another event with the nonce replaces it.
	require.NoError(t, commit(s, func(b *Batch) { b.PutPending(c.id, *c.event(40, 41)) }))
	pending, err := s.Pending(c.id)
	require.NoError(t, err)
	require.Equal(t, []channel.SignedEvent{*c.event(40, 41)}, pending)
	// The status is the one thing that may change.
	rec := c.record
	rec.Status = "closed"
	require.NoError(t, commit(s, func(b *Batch) { b.PutChannel(c.id, rec) }))
	got, err := s.Channel(c.id)
	require.NoError(t, err)
	require.Equal(t, "closed", got.Status)
}

func TestF4_HeadsAreCheckedBeyondTheRememberedRoots(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 700)
	old := c.update(5)
	require.NoError(t, commit(s, func(b *Batch) { b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 5, StateHash: old.StateHash}) }))
	c2 := newScript(2, 2)
	require.NoError(t, commit(s, func(b *Batch) { b.PutChannel(c2.id, c2.record); c2.append(b, 1, 700) }))
	wrong := c2.update(3)
	wrong.JournalRoot[3]++
	require.ErrorIs(t, commit(s, func(b *Batch) { b.PutSupported(c2.id, wrong, c2.signatures(wrong)) }), ErrContradiction)
	require.NoError(t, commit(s, func(b *Batch) { b.PutSupported(c2.id, c2.update(3), c2.signatures(c2.update(3))) }))
	require.NoError(t, commit(s, func(b *Batch) { b.PutSupported(c2.id, c2.update(900), c2.signatures(c2.update(900))) }),
		"a hub or a tower holds Updates without their journal")
}

func TestF1_SnapshotsEveryIntervalNewestKept(t *testing.T) {
	c, fs := newScript(1, 2), vfs.NewMem()
	s := open(t, fs, WithSnapshotInterval(4), WithSnapshotsKept(3))
	require.NoError(t, commit(s, func(b *Batch) { b.PutChannel(c.id, c.record); c.snapshot(b, 0) }))
	for seq := uint64(1); seq <= 41; seq++ {
		require.NoError(t, commit(s, func(b *Batch) {
			c.append(b, seq, seq)
			if s.SnapshotDue(c.id, seq) {
				c.snapshot(b, seq)
			}
		}))
	}
	var kept []uint64
	for at := ^uint64(0); ; {
		snap, err := s.Snapshot(c.id, at)
		require.NoError(t, err)
		kept = append(kept, snap.Seq)
		if snap.Seq == 0 {
			break
		}
		at = snap.Seq - 1
	}
	require.Equal(t, []uint64{40, 36, 32, 0}, kept)
	// A restart continues from the newest one.
	require.NoError(t, s.Close())
	s = open(t, fs)
	require.NoError(t, commit(s, func(b *Batch) { c.append(b, 42, 42); b.PutSigned(c.id, c.update(42)) }))
	_, err := s.Check(c.id)
	require.NoError(t, err)
}

func TestA12_Attack24_ReorgRewindsFacts(t *testing.T) {
	c := newScript(1, 2)
	s := open(t, vfs.NewMem())
	fact := func(block uint64, branch byte, log uint32) Fact {
		return Fact{Block: block, BlockHash: common.Hash{byte(block), branch}, LogIndex: log, Channel: c.id, Kind: "Deposited"}
	}
	require.NoError(t, commit(s, func(b *Batch) {
		for block := uint64(1); block <= 5; block++ {
			b.PutFact(fact(block, 0, 1))
			b.PutFact(fact(block, 0, 7))
		}
		b.PutCursor("unsafe", 5, common.Hash{5, 0})
		b.PutCursor("finalized", 2, common.Hash{2, 0})
	}))
	require.ErrorIs(t, commit(s, func(b *Batch) { b.PutFact(fact(4, 1, 9)) }), ErrContradiction, "a second branch needs a rewind")
	other := fact(4, 0, 7)
	other.Kind = "Withdrawn"
	require.ErrorIs(t, commit(s, func(b *Batch) { b.PutFact(other) }), ErrContradiction)
	require.ErrorIs(t, commit(s, func(b *Batch) { b.RewindFacts(4, common.Hash{4, 1}) }), ErrContradiction, "not a shared block")
	require.NoError(t, commit(s, func(b *Batch) { b.RewindFacts(3, common.Hash{3, 0}); b.PutFact(fact(4, 1, 2)) }))
	got, err := s.Facts(c.id)
	require.NoError(t, err)
	require.Equal(t, []Fact{fact(1, 0, 1), fact(1, 0, 7), fact(2, 0, 1), fact(2, 0, 7), fact(3, 0, 1), fact(3, 0, 7), fact(4, 1, 2)},
		slices.Collect(func(yield func(Fact) bool) {
			for _, f := range got {
				f.Data = nil
				if !yield(f) {
					return
				}
			}
		}))
	cur, err := s.Cursor("unsafe")
	require.NoError(t, err)
	require.Equal(t, Cursor{3, common.Hash{3, 0}}, cur)
	cur, err = s.Cursor("finalized")
	require.NoError(t, err)
	require.Equal(t, Cursor{2, common.Hash{2, 0}}, cur)
	none := 0
	for range s.Channels() {
		none++
	}
	require.Zero(t, none, "facts about a strange channel make no channel")
}

func TestF4_TwoOpensAreRefused(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir := fs.PathJoin(t.TempDir(), "store")
			require.NoError(t, fs.MkdirAll(dir, 0o700))
			s, err := Open(dir, WithFS(fs))
			require.NoError(t, err)
			_, err = Open(dir, WithFS(fs))
			require.ErrorIs(t, err, ErrLocked)
			require.ErrorContains(t, err, "stop the other process")
			require.NoError(t, s.Close())
			require.NoError(t, s.Close())
			s, err = Open(dir, WithFS(fs))
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

func TestF4_ClosedStoreAnswersErrClosed(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 3)
	require.NoError(t, s.Close())
	require.ErrorIs(t, commit(s, func(b *Batch) { b.PutMeta("a", nil) }), ErrClosed)
	_, err := s.Channel(c.id)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Entries(c.id, 0, 1)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Check(c.id)
	require.ErrorIs(t, err, ErrClosed)
	for _, err := range s.Channels() {
		require.ErrorIs(t, err, ErrClosed)
	}
	require.ErrorIs(t, s.Backup("b"), ErrClosed)
}

func TestF4_OtherSchemaVersionIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	require.NoError(t, s.db.Set(schemaKey, binary.BigEndian.AppendUint32(nil, SchemaVersion+1), pebble.Sync))
	require.NoError(t, s.Close())
	_, err := Open("db", WithFS(fs))
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "run the program that wrote it")
	// Nothing stays locked.
	_, err = Open("db", WithFS(fs))
	require.ErrorIs(t, err, ErrVersion)
}

func TestAttack25_S6_BackupNeverSignsUpdates(t *testing.T) {
	fs, c, fresh := vfs.NewMem(), newScript(1, 2), newScript(2, 2)
	s := played(t, fs, c, 20)
	require.NoError(t, s.Backup("copy"))
	require.Error(t, s.Backup("copy"), "a backup is never written over")
	// The original goes on and signs what the backup does not know.
	require.NoError(t, commit(s, func(b *Batch) { c.append(b, 21, 22); b.PutSigned(c.id, c.update(22)) }))

	r, err := Open("copy", WithFS(fs))
	require.NoError(t, err)
	defer r.Close()
	_, err = r.Check(c.id)
	require.NoError(t, err)
	at, frozen, err := r.Frozen(c.id)
	require.NoError(t, err)
	require.True(t, frozen)
	require.NotZero(t, at)
	require.NoError(t, commit(r, func(b *Batch) { c.append(b, 21, 21) }), "it may learn the journal from peers")
	err = commit(r, func(b *Batch) { b.PutSigned(c.id, c.update(21)) })
	require.ErrorIs(t, err, ErrFrozen)
	require.ErrorContains(t, err, "close it cooperatively or dispute")
	require.NoError(t, commit(r, func(b *Batch) { b.PutSigned(c.id, c.update(20)) }), "what it knows to have signed, it may repeat")
	require.NoError(t, commit(r, func(b *Batch) {
		b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]})
		b.PutChannel(fresh.id, fresh.record)
		b.PutSigned(fresh.id, fresh.update(0))
	}), "closing, and new channels, are free")
	_, frozen, err = s.Frozen(c.id)
	require.NoError(t, err)
	require.False(t, frozen)
}

func TestF1_NodeLogIndexIsGapFree(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	for i := range 30 {
		require.NoError(t, commit(s, func(b *Batch) {
			for j := range i % 4 {
				b.Log(NewNodeEvent(uint64(j), &MessageAcked{Message: fmt.Sprint(i, j)}))
			}
		}))
		if i%10 == 9 {
			_ = commit(s, func(b *Batch) {
				b.Log(NewNodeEvent(0, &MessageAcked{}))
				b.PutSigned(common.Hash{}, channel.Update{}) // refused with all of its batch
			})
			require.NoError(t, s.Close())
			s = open(t, fs)
		}
	}
	events, err := s.NodeEvents(0, 1000)
	require.NoError(t, err)
	require.Len(t, events, 43)
	for i, e := range events {
		require.EqualValues(t, i, e.Index)
	}
	events, err = s.NodeEvents(40, 2)
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.EqualValues(t, 40, events[0].Index)
	require.NoError(t, s.db.Delete(indexKey(spaceEvent, 12), pebble.NoSync))
	_, err = s.NodeEvents(0, 1000)
	require.ErrorIs(t, err, ErrCorrupt)
	require.True(t, errors.Is(ErrUnknownChannel, ErrNotFound))
}
