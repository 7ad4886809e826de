package eventstore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

// take receives n notifications; the deadline only ends a test that has failed.
func take(t *testing.T, in <-chan Notification, n int) (got []Notification) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for range n {
		select {
		case x, ok := <-in:
			require.True(t, ok, "closed after %d of %d", len(got), n)
			got = append(got, x)
		case <-deadline:
			t.Fatalf("only %d of %d notifications came", len(got), n)
		}
	}
	return got
}

func TestF1_SubscriptionsDeliverStoredThenNew(t *testing.T) {
	a, b2 := newScript(1, 2), newScript(2, 2)
	s := played(t, vfs.NewMem(), a, 3)
	require.NoError(t, commit(s, func(b *Batch) { b.PutChannel(b2.id, b2.record) }))
	ctx, cancel := context.WithCancel(t.Context())
	all := s.Subscribe(ctx, Filter{})
	onlyA := s.Subscribe(ctx, Filter{Channel: a.id, SkipNodeEvents: true})
	events := s.Subscribe(ctx, Filter{SkipEntries: true})
	fresh := s.Subscribe(ctx, Filter{From: s.FeedEnd()})
	for i := uint64(1); i <= 3; i++ {
		require.NoError(t, commit(s, func(b *Batch) {
			b2.append(b, i, i)
			a.append(b, 3+i, 3+i)
			b.Log(NewNodeEvent(i, &MessageAcked{Channel: Hash(b2.id), Message: fmt.Sprint(i)}))
		}))
	}
	got := take(t, all, 12)
	for i, n := range got {
		require.EqualValues(t, i, n.Index)
		require.NoError(t, n.Err)
	}
	require.EqualValues(t, 3, got[2].Entry.Seq)
	require.Equal(t, b2.id, got[3].Channel)
	require.Equal(t, &MessageAcked{Channel: Hash(b2.id), Message: "1"}, got[5].NodeEvent.Body)
	for i, n := range take(t, onlyA, 6) {
		require.Equal(t, &JournalEntry{uint64(i + 1), a.entries[i+1], a.hashes[i+1]}, n.Entry)
	}
	for i, n := range take(t, events, 3) {
		require.EqualValues(t, i, n.NodeEvent.Index)
	}
	require.Equal(t, got[3:], take(t, fresh, 9))
	// Resuming at an index gives exactly the rest.
	require.Equal(t, got[8:], take(t, s.Subscribe(ctx, Filter{From: got[7].Index + 1}), 4))
	cancel()
	for range all { //nolint:revive // until closed
	}
}

func TestF1_SubscribersSeeOnlyWhatIsOnDisk(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 1)
	sub := s.Subscribe(t.Context(), Filter{})
	require.EqualValues(t, 1, take(t, sub, 1)[0].Entry.Seq)
	b := s.NewBatch()
	c.append(b, 2, 5)
	require.NoError(t, s.Commit(b, false))
	require.EqualValues(t, 1, s.FeedEnd())
	require.NoError(t, s.Commit(b, true), "an empty batch waits for what came before")
	require.EqualValues(t, 5, s.FeedEnd())
	require.EqualValues(t, 2, take(t, sub, 1)[0].Entry.Seq)
}

func TestF1_A10_SlowSubscriberIsDroppedAndMayResume(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 1, WithMaxLag(100))
	slow := s.Subscribe(t.Context(), Filter{})
	for seq := uint64(2); seq <= 400; seq++ {
		require.NoError(t, commit(s, func(b *Batch) { c.append(b, seq, seq) }))
		if seq == uint64(cap(slow))+2 { // it must be waiting for this subscriber when the feed moves on
			require.Eventually(t, func() bool { return len(slow) == cap(slow) }, 30*time.Second, time.Millisecond)
		}
	}
	var last Notification
	next := uint64(0)
	for n := range slow {
		last = n
		if n.Err == nil {
			require.Equal(t, next, n.Index)
			next++
		}
	}
	require.ErrorIs(t, last.Err, ErrSlow)
	require.Equal(t, next, last.Index)
	require.Less(t, next, uint64(400))
	rest := take(t, s.Subscribe(t.Context(), Filter{From: last.Index}), int(400-next))
	require.EqualValues(t, 400, rest[len(rest)-1].Entry.Seq)
}

func TestF1_SubscriptionsEndWithTheStore(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 200)
	full := s.Subscribe(t.Context(), Filter{}) // never read before Close: Close must not wait for it
	idle := s.Subscribe(t.Context(), Filter{From: s.FeedEnd()})
	require.NoError(t, s.Close())
	require.ErrorIs(t, take(t, idle, 1)[0].Err, ErrClosed)
	var last Notification
	for n := range full {
		last = n
	}
	require.ErrorIs(t, last.Err, ErrClosed)
	require.ErrorIs(t, take(t, s.Subscribe(t.Context(), Filter{}), 1)[0].Err, ErrClosed)
}

// Several writers, readers, subscribers, a backup: run with -race. Each journal stays whole, a reader sees growing
// prefixes, every subscriber sees the same order.
func TestF4_R1_ConcurrentUse(t *testing.T) {
	const writers, length = 8, 60
	fs := vfs.NewMem()
	s := open(t, fs, tuned(small), WithSnapshotInterval(8), WithSnapshotsKept(2))
	scripts := make([]*script, writers)
	for i := range scripts {
		scripts[i] = newScript(uint64(i), 2)
		scripts[i].grow(length)
		require.NoError(t, commit(s, func(b *Batch) { b.PutChannel(scripts[i].id, scripts[i].record) }))
	}
	subs := []<-chan Notification{s.Subscribe(t.Context(), Filter{}), s.Subscribe(t.Context(), Filter{})}
	var work, readers sync.WaitGroup
	for i, c := range scripts {
		work.Go(func() {
			b := s.NewBatch()
			for seq := uint64(1); seq <= length; seq++ {
				c.append(b, seq, seq)
				b.PutSigned(c.id, c.update(seq))
				b.Log(NewNodeEvent(seq, &SupportedUpdated{Channel: Hash(c.id), Head: Head{Seq: seq}}))
				if s.SnapshotDue(c.id, seq) {
					c.snapshot(b, seq)
				}
				if err := s.Commit(b, (seq+uint64(i))%3 != 0 || seq == length); err != nil {
					t.Error(err)
				}
			}
		})
		readers.Go(func() {
			for last := uint64(0); last < length; {
				now, err := s.LastSeq(c.id)
				if err != nil || now < last {
					t.Errorf("last seq %d after %d: %v", now, last, err)
					return
				}
				last = now
				if _, err := s.Check(c.id); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var backup error
	work.Go(func() { backup = s.Backup("backup") })
	work.Wait()
	readers.Wait()
	require.NoError(t, backup)
	require.Equal(t, take(t, subs[0], 2*writers*length), take(t, subs[1], 2*writers*length))
	events, err := s.NodeEvents(0, MaxRead)
	require.NoError(t, err)
	require.Len(t, events, writers*length)
	seen := map[common.Hash]uint64{}
	for _, e := range events {
		id := e.Body.ChannelID()
		seen[id]++
		require.Equal(t, seen[id], e.Body.(*SupportedUpdated).Head.Seq)
	}
	copied, err := Open("backup", WithFS(fs))
	require.NoError(t, err)
	defer copied.Close()
	for _, c := range scripts {
		_, err := copied.Check(c.id)
		require.NoError(t, err)
	}
}
