package eventstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// Filter says what a subscriber wants. The zero Filter is everything from the beginning.
type Filter struct {
	// From is the first feed index wanted: 0 for all there ever was, Store.FeedEnd for what comes from now on, the last
	// Notification's Index + 1 to resume.
	From    uint64
	Channel common.Hash // zero: of all channels
	// SkipEntries and SkipNodeEvents leave out one sort.
	SkipEntries, SkipNodeEvents bool
}

// Notification is one thing that is on disk: a journal entry, or an event of the node's own log; or why there are no more.
type Notification struct {
	Index     uint64 // in the feed, increasing; resume at Index + 1
	Channel   common.Hash
	Entry     *JournalEntry // either
	NodeEvent *NodeEvent    // or
	// Err is set in the last notification before the channel is closed, unless the subscriber's context ended: ErrSlow,
	// ErrClosed, ErrPoisoned or ErrCorrupt. Index is then where to resume.
	Err error
}

// feed wakes subscribers. end is the first index that is not on disk yet.
type feed struct {
	mu    sync.Mutex
	end   uint64
	moved chan struct{} // closed when end moves
}

func (f *feed) init(end uint64) { f.end, f.moved = end, make(chan struct{}) }

func (f *feed) publish(end uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end > f.end {
		f.end = end
		close(f.moved)
		f.moved = make(chan struct{})
	}
}

func (f *feed) load() (end uint64, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end, f.moved
}

// FeedEnd is the feed index after everything that is on disk.
func (s *Store) FeedEnd() uint64 {
	end, _ := s.feed.load()
	return end
}

// feedBuffer is the capacity of a subscriber's channel.
const feedBuffer = 64

// Subscribe delivers what matches in the order of the commits, first what is stored, then what is committed, without a gap
// between them. Only what is on disk is delivered: the writes of a Commit without sync wait for the next one with. A
// subscriber reads from the store at its own pace; one that takes nothing while more than the lag of WithMaxLag is
// committed is dropped with ErrSlow. The channel is closed when ctx ends, or after a notification with Err.
func (s *Store) Subscribe(ctx context.Context, f Filter) <-chan Notification {
	out := make(chan Notification, feedBuffer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		out <- Notification{Index: f.From, Err: ErrClosed}
		close(out)
		return out
	}
	s.workers.Add(1)
	go s.deliver(ctx, f, out)
	return out
}

func (s *Store) deliver(ctx context.Context, f Filter, out chan<- Notification) {
	defer close(out)
	last := s.deliverAll(ctx, f, out)
	// Close waits for what may touch the database, not for a subscriber that has still to take its last notification.
	s.workers.Done()
	if last.Err != nil {
		select {
		case out <- last:
		case <-ctx.Done():
		}
	}
}

// deliverAll returns the last notification, without Err when the subscriber left.
func (s *Store) deliverAll(ctx context.Context, f Filter, out chan<- Notification) Notification {
	next := f.From
	for {
		end, moved := s.feed.load()
		for next < end {
			if ctx.Err() != nil {
				return Notification{}
			}
			n, err := s.notification(f, next)
			if err != nil {
				return Notification{Index: next, Err: err}
			}
			if n != nil {
				if err := s.send(ctx, out, *n); err != nil {
					return Notification{Index: next, Err: err}
				}
			}
			next++
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return Notification{}
		case <-s.poisoned:
			return Notification{Index: next, Err: s.Err()}
		case <-s.closing:
			return Notification{Index: next, Err: ErrClosed}
		}
	}
}

// send waits for the subscriber until the feed has moved on too far.
func (s *Store) send(ctx context.Context, out chan<- Notification, n Notification) error {
	start, _ := s.feed.load()
	for {
		end, moved := s.feed.load()
		if end-start > s.maxLag {
			return fmt.Errorf("%w: %d notifications were committed since it took one; resume at %d", ErrSlow, end-start, n.Index)
		}
		select {
		case out <- n:
			return nil
		case <-moved:
		case <-ctx.Done():
			return nil
		case <-s.poisoned:
			return s.Err()
		case <-s.closing:
			return ErrClosed
		}
	}
}

// notification reads what the feed has at an index; nil when the filter leaves it out.
func (s *Store) notification(f Filter, index uint64) (*Notification, error) {
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	defer release()
	key := indexKey(spaceFeed, index)
	value, err := get(s.db, key)
	if err != nil {
		return nil, corrupt(key, err)
	}
	item, err := decodeFeed(value)
	if err != nil {
		return nil, corrupt(key, err)
	}
	all := f.Channel == common.Hash{}
	if item.kind == feedEntry {
		if f.SkipEntries || !all && item.channel != f.Channel {
			return nil, nil
		}
		e, stateHash, err := s.Entry(item.channel, item.number)
		if err != nil {
			return nil, err
		}
		return &Notification{Index: index, Channel: item.channel, Entry: &JournalEntry{item.number, e, stateHash}}, nil
	}
	if f.SkipNodeEvents {
		return nil, nil
	}
	key = indexKey(spaceEvent, item.number)
	if value, err = get(s.db, key); err != nil {
		return nil, corrupt(key, err)
	}
	e, err := nodeSchemas.decode(value)
	if err != nil {
		return nil, corrupt(key, err)
	}
	e.Index = item.number
	if !all && e.Body.ChannelID() != f.Channel {
		return nil, nil
	}
	return &Notification{Index: index, Channel: e.Body.ChannelID(), NodeEvent: &e}, nil
}
