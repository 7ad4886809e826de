package eventstore

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

func benchStore(b *testing.B) *Store {
	s, err := Open(b.TempDir())
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// bench is a channel that grows without keeping anything.
type bench struct {
	c       *script
	journal channel.Journal
	seq     uint64
}

func newBench(tb testing.TB, s *Store, nonce uint64) *bench {
	c := newScript(nonce, 3)
	require.NoError(tb, commit(s, func(b *Batch) { b.PutChannel(c.id, c.record) }))
	return &bench{c, c.journals[0], 0}
}

// put appends n entries and signs the last head: what a node does before it answers.
func (x *bench) put(b *Batch, n int) {
	for range n {
		x.seq++
		e := channel.Entry{Event: x.c.event(x.seq, x.seq)}
		hash := common.Hash{1}
		x.journal = x.journal.Append(channel.LeafHash(e.Hash(x.c.id), hash))
		b.AppendEntry(x.c.id, x.seq, e, hash)
	}
	b.PutSigned(x.c.id, channel.Update{ChannelID: x.c.id, Seq: x.seq, JournalRoot: x.journal.Root(), StateHash: common.Hash{1}})
}

func BenchmarkN_AppendDurable(b *testing.B) {
	for _, size := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := benchStore(b)
			x, batch := newBench(b, s, 1), s.NewBatch()
			b.ResetTimer()
			for i := 0; i < b.N; i += size {
				x.put(batch, size)
				require.NoError(b, s.Commit(batch, true))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	for _, writers := range []int{8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := benchStore(b)
			xs := make([]*bench, writers)
			for i := range xs {
				xs[i] = newBench(b, s, uint64(i))
			}
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for _, x := range xs {
				wg.Go(func() {
					batch := s.NewBatch()
					for left.Add(-1) >= 0 {
						x.put(batch, 1)
						if err := s.Commit(batch, true); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	b.Run("nosync", func(b *testing.B) {
		s := benchStore(b)
		x, batch := newBench(b, s, 1), s.NewBatch()
		b.ResetTimer()
		for range b.N {
			x.put(batch, 1)
			require.NoError(b, s.Commit(batch, false))
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
}

func filledStore(b *testing.B, entries int) (dir string, id common.Hash) {
	dir = b.TempDir()
	s, err := Open(dir)
	require.NoError(b, err)
	x := newBench(b, s, 1)
	batch := s.NewBatch()
	for i := 0; i < entries; i += 100 {
		x.put(batch, 100)
		require.NoError(b, s.Commit(batch, true))
	}
	require.NoError(b, s.Close())
	return dir, x.c.id
}

// From a closed process to the first answer and the first write, with 10,000 entries and no snapshot to start from.
func BenchmarkN_Restart10k(b *testing.B) {
	dir, id := filledStore(b, 10_000)
	for b.Loop() {
		s, err := Open(dir)
		require.NoError(b, err)
		last, err := s.LastSeq(id)
		require.NoError(b, err)
		require.EqualValues(b, 10_000, last)
		u, err := s.Signed(id)
		require.NoError(b, err)
		require.NoError(b, commit(s, func(b *Batch) { b.PutSupported(id, u, make3(u.Seq)) }))
		require.NoError(b, s.Close())
	}
}

func make3(tag uint64) []channel.Signature {
	return []channel.Signature{fakeSignature(tag), fakeSignature(tag + 1), fakeSignature(tag + 2)}
}

func BenchmarkN_Read(b *testing.B) {
	dir, id := filledStore(b, 10_000)
	s, err := Open(dir)
	require.NoError(b, err)
	defer s.Close()
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			entries, err := s.Entries(id, 0, MaxRead)
			require.NoError(b, err)
			require.Len(b, entries, 10_000)
		}
		b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Check(id)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("signed", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Signed(id)
			require.NoError(b, err)
		}
	})
}

// The applier's work without a disk: what bounds many writers.
func BenchmarkApplierInMemory(b *testing.B) {
	s, err := Open("db", WithFS(vfs.NewMem()))
	require.NoError(b, err)
	defer s.Close()
	x, batch := newBench(b, s, 1), s.NewBatch()
	for b.Loop() {
		x.put(batch, 1)
		require.NoError(b, s.Commit(batch, false))
	}
}
