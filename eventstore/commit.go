package eventstore

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
)

// request is one Commit on its way to the applier.
type request struct {
	ops  []func(*tx) error
	sync bool
	// what the applier answers
	done    chan error
	pending *pebble.Batch // to be waited for, when sync
	feedEnd uint64        // feed index after this batch
}

// Commit writes the batch whole or not at all, and empties it. With sync it returns when it, and everything committed
// before it, is on disk; an empty batch with sync is a way to wait for that. Concurrent calls share fsyncs. Errors
// other than ErrPoisoned and ErrClosed leave the store as it was.
func (s *Store) Commit(b *Batch, sync bool) error {
	ops, err := b.ops, b.err
	b.Reset()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	release, err := s.use()
	if err != nil {
		return err
	}
	defer release()
	r := &request{ops: ops, sync: sync, done: make(chan error, 1)}
	select {
	case s.requests <- r:
	case <-s.poisoned:
		return s.Err()
	}
	// The applier can hang in a database that cannot write any more; the poison then frees the caller.
	select {
	case err = <-r.done:
	case <-s.poisoned:
		return s.Err()
	}
	if err != nil {
		return err
	}
	if r.pending != nil {
		err = r.pending.SyncWait()
		if err != nil {
			s.poison(fmt.Errorf("write-ahead log: %w", err))
		}
		if err := s.Err(); err != nil {
			return err
		}
		_ = r.pending.Close() // only returns memory
	}
	// A later batch may have found the disk failing before this one was acknowledged; then nothing is promised.
	if err := s.Err(); err != nil {
		return err
	}
	if sync {
		s.feed.publish(r.feedEnd)
	}
	return nil
}

// maxHeads bounds the cache of heads; it is emptied when full.
const maxHeads = 8192

// applier is the state of the one goroutine that writes.
type applier struct {
	heads     map[common.Hash]head
	nextEvent uint64
	nextFeed  uint64
}

func (s *Store) loadApplier() (err error) {
	s.heads = make(map[common.Hash]head)
	if s.nextEvent, err = nextIndex(s.db, spaceEvent); err != nil {
		return err
	}
	s.nextFeed, err = nextIndex(s.db, spaceFeed)
	return err
}

func nextIndex(r pebble.Reader, space byte) (next uint64, err error) {
	err = descend(r, []byte{space}, func(key, _ []byte) (bool, error) {
		if len(key) != 9 {
			return false, corrupt(key, malformed("key of %d bytes", len(key)))
		}
		next = tail64(key) + 1
		return false, nil
	})
	return next, err
}

func (s *Store) applyLoop() {
	defer s.workers.Done()
	for {
		select {
		case r := <-s.requests:
			r.done <- s.apply(r)
		case <-s.closing:
			// Close waited for every Commit before.
			return
		case <-s.poisoned:
			return
		}
	}
}

// apply checks and writes one batch; it does not wait for the disk.
func (s *Store) apply(r *request) (err error) {
	if err := s.Err(); err != nil {
		return err
	}
	t := &tx{s: s, pb: s.db.NewIndexedBatch(), heads: make(map[common.Hash]head), nextEvent: s.nextEvent, nextFeed: s.nextFeed}
	for _, op := range r.ops {
		if err := op(t); err != nil {
			_ = t.pb.Close() // never applied
			return fmt.Errorf("commit: %w", err)
		}
	}
	if t.pb.Empty() && r.sync {
		// Nothing new, but what came before must be on disk: a record that is only in the log.
		if err := t.pb.LogData([]byte{0}, nil); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	defer func() {
		// The database panics when it cannot make a new log file.
		if p := recover(); p != nil {
			s.poison(fmt.Errorf("write: %v", p))
			err = s.Err()
		}
	}()
	if r.sync {
		err = s.db.ApplyNoSyncWait(t.pb, pebble.Sync)
		r.pending = t.pb
	} else {
		err = s.db.Apply(t.pb, pebble.NoSync)
	}
	if err != nil {
		s.poison(fmt.Errorf("write: %w", err))
	}
	if err := s.Err(); err != nil {
		return err
	}
	if !r.sync {
		_ = t.pb.Close() // only returns memory
	}
	if len(s.heads)+len(t.heads) > maxHeads {
		clear(s.heads)
	}
	maps.Copy(s.heads, t.heads)
	s.nextEvent, s.nextFeed = t.nextEvent, t.nextFeed
	r.feedEnd = t.nextFeed
	return nil
}

// tx is a batch while the applier checks it. Reads through pb see the writes before them.
type tx struct {
	s         *Store
	pb        *pebble.Batch
	heads     map[common.Hash]head
	nextEvent uint64
	nextFeed  uint64
}

func (t *tx) set(key, value []byte) error {
	if err := t.pb.Set(key, value, nil); err != nil {
		return fmt.Errorf("write record %s: %w", describeKey(key), err)
	}
	return nil
}

func (t *tx) delete(key []byte) error {
	if err := t.pb.Delete(key, nil); err != nil {
		return fmt.Errorf("delete record %s: %w", describeKey(key), err)
	}
	return nil
}

// has reads a record that may be missing.
func (t *tx) has(key []byte) (value []byte, found bool, err error) {
	value, err = get(t.pb, key)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	return value, err == nil, err
}

func (t *tx) publish(item feedItem) error {
	key := indexKey(spaceFeed, t.nextFeed)
	t.nextFeed++
	return t.set(key, encodeFeed(item))
}

func (t *tx) log(value []byte) error {
	index := t.nextEvent
	t.nextEvent++
	if err := t.set(indexKey(spaceEvent, index), value); err != nil {
		return err
	}
	return t.publish(feedItem{kind: feedEvent, number: index})
}
