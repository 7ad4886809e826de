package eventstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// history remembers what the store must be after each commit: a crash may lead to any version from the last one that was
// promised to the last one that was begun.
type history struct {
	mu       sync.Mutex
	models   []*model // after each commit
	promised int
}

func (h *history) begin(m *model) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.models = append(h.models, m)
}

func (h *history) promise() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.promised = len(h.models) - 1
}

func (h *history) window() (from, to int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.promised, len(h.models) - 1
}

// run makes random commits until n of them or the first that fails on the disk, which it returns.
func (h *history) run(t testing.TB, s *Store, g *generator, m *model, n int) (*model, error) {
	b := s.NewBatch()
	for range n {
		next := m.clone()
		var want error
		for range 1 + g.rng.IntN(5) {
			op := g.next(next)
			op.put(b)
			if want == nil {
				want = op.apply(next)
			}
		}
		if want == nil {
			h.begin(next)
		}
		sync := g.rng.IntN(2) == 0
		err := s.Commit(b, sync)
		switch {
		case errors.Is(err, ErrPoisoned):
			return m, err
		case want != nil:
			require.ErrorIs(t, err, want)
		case err != nil:
			return m, err
		default:
			m = next
			if sync {
				h.promise()
			}
		}
	}
	return m, nil
}

// recover opens what a crash left, checks that it is a version in the window, and that work goes on from there.
func (h *history) recover(t testing.TB, fs *vfs.MemFS, from, to int, kept int) {
	t.Helper()
	s, err := Open("db", WithFS(fs), WithSnapshotsKept(kept), WithCacheSize(1<<20))
	require.NoError(t, err)
	defer s.Close()
	got := dump(t, s) // also checks every channel: no gap, roots as signed
	at := -1
	for v := to; v >= from; v-- {
		if h.models[v].dump() == got {
			at = v
			break
		}
	}
	if at < 0 {
		t.Fatalf("after the crash the store is none of the versions %d to %d; version %d would be\n%s\nbut it is\n%s", from, to, to, h.models[to].dump(), got)
	}
	g := newGenerator(uint64(at), 3)
	fresh := &history{}
	m := h.models[at].clone()
	fresh.begin(m)
	m, err = fresh.run(t, s, g, m, 5)
	require.NoError(t, err)
	require.Equal(t, m.dump(), dump(t, s))
}

// The machine dies before a random file operation, in the middle of commits, flushes, compactions and log rotations; of
// what was not synced, any part may survive.
func TestF4_A13_Attack25_CrashAtAnyFileOperation(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := newGenerator(seed, 3)
			kept := 1 + g.rng.IntN(3)
			mem := vfs.NewCrashableMem()
			h := &history{}
			m := newModel(kept)
			h.begin(m)

			type crash struct {
				fs       *vfs.MemFS
				from, to int
				made     bool // the store had been made: Open had returned
			}
			var made atomic.Bool
			var mu sync.Mutex
			var crashes []crash
			rng := rand.New(rand.NewPCG(seed, 99))
			hook := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if len(crashes) < 6 && rng.IntN(60) == 0 {
					from, _ := h.window()
					fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
					_, to := h.window()
					crashes = append(crashes, crash{fs, from, to, made.Load()})
				}
				return nil
			})
			s := open(t, errorfs.Wrap(mem, hook), tuned(small), WithSnapshotsKept(kept))
			made.Store(true)
			m, err := h.run(t, s, g, m, 120)
			require.NoError(t, err)
			from, to := h.window()
			crashes = append(crashes, crash{mem.CrashClone(vfs.CrashCloneCfg{}), from, to, true})
			require.NoError(t, s.Close())
			for _, c := range crashes {
				if !c.made {
					// A folder that was never finished: nothing was promised in it. It opens, or it says that it does not.
					if s, err := Open("db", WithFS(c.fs)); err == nil {
						require.NoError(t, s.Close())
						h.recover(t, c.fs, c.from, c.to, kept)
					}
					continue
				}
				h.recover(t, c.fs, c.from, c.to, kept)
			}
			_ = m
		})
	}
}

// One file operation fails, at each index in turn: the commit that needed it fails, so does every later one, and what is
// found after a restart is everything promised and nothing else.
func TestF4_A13_DiskErrorPoisons(t *testing.T) {
	for _, forever := range []bool{false, true} {
		poisoned, failedOpen := 0, 0
		step := 3
		if testing.Short() {
			step = 9
		}
		for index := 0; ; index += step {
			mem := vfs.NewCrashableMem()
			var mu sync.Mutex
			count, hit := 0, false
			healed := false
			inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				count++
				if !healed && (count-1 == index || forever && count > index) {
					hit = true
					return errorfs.ErrInjected
				}
				return nil
			})
			g := newGenerator(5, 2)
			h := &history{}
			m := newModel(10)
			h.begin(m)
			s, err := Open("db", WithFS(errorfs.Wrap(mem, inj)), tuned(small), WithCacheSize(1<<20))
			if err != nil {
				failedOpen++
				require.True(t, hit)
			} else {
				_, err = h.run(t, s, g, m, 160)
				if err != nil {
					poisoned++
					require.True(t, hit)
					require.ErrorIs(t, err, ErrPoisoned)
					require.ErrorContains(t, err, "restart")
					<-s.Failed()
					for range 3 {
						require.ErrorIs(t, commit(s, func(b *Batch) { b.PutMeta("later", []byte{1}) }), ErrPoisoned)
						require.ErrorIs(t, s.Commit(s.NewBatch(), true), ErrPoisoned)
					}
				}
			}
			from, to := h.window()
			crashed := mem.CrashClone(vfs.CrashCloneCfg{})
			mu.Lock()
			healed = true // let what the abandoned database still does come to an end
			done := !hit
			mu.Unlock()
			if s != nil && s.Err() == nil {
				if done {
					require.Eventually(t, func() bool { return s.db.Metrics().Flush.Count > 0 }, 30*time.Second, time.Millisecond,
						"the workload must reach flushes and log rotations") // they run beside the commits
				}
				_ = s.Close()
			}
			h.recover(t, crashed, from, to, 10)
			if done {
				t.Logf("%d file operations", index)
				break
			}
		}
		require.NotZero(t, poisoned)
		require.NotZero(t, failedOpen)
		t.Logf("forever=%t: %d poisoned, %d refused to open", forever, poisoned, failedOpen)
	}
}

// A sync that repeats what a commit without sync wrote must not return before that is on disk.
func TestA13_SyncOfNothingNewMakesTheEarlierDurable(t *testing.T) {
	mem, c := vfs.NewCrashableMem(), newScript(1, 2)
	s := played(t, mem, c, 3)
	sign := func(b *Batch) { b.PutSigned(c.id, c.update(5)) }
	b := s.NewBatch()
	c.append(b, 4, 5)
	sign(b)
	require.NoError(t, s.Commit(b, false))
	lost, err := Open("db", WithFS(mem.CrashClone(vfs.CrashCloneCfg{})))
	require.NoError(t, err)
	u, err := lost.Signed(c.id)
	require.NoError(t, err)
	require.EqualValues(t, 3, u.Seq, "without sync nothing was promised")
	require.NoError(t, lost.Close())

	require.NoError(t, commit(s, sign))
	kept, err := Open("db", WithFS(mem.CrashClone(vfs.CrashCloneCfg{})))
	require.NoError(t, err)
	defer kept.Close()
	u, err = kept.Signed(c.id)
	require.NoError(t, err)
	require.Equal(t, c.update(5), u)
}
