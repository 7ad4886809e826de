package p2p

import (
	"context"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// EventKind says what happened to a peer.
type EventKind uint8

// The kinds of events.
const (
	// Connected: hellos were exchanged; messages flow. Raised again with each
	// new session of the peer and after each interruption: resynchronise then.
	Connected EventKind = iota + 1
	// Disconnected: the last link to the peer ended, for Reason.
	Disconnected
	// Refused: a link was refused with Code, by us or (Remote) by the peer.
	Refused
	// Banned: the peer sent too many invalid messages and is refused until Until.
	Banned
)

// String gives the kind in lower case.
func (k EventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Refused:
		return "refused"
	case Banned:
		return "banned"
	}
	return "unknown"
}

// Event is a change of one peer's state. Events of one peer are coalesced when
// they are read slowly: the latest Connected or Disconnected is kept, the
// latest Refused, and the latest Banned.
type Event struct {
	Kind    EventKind
	Peer    common.Address
	Session Session   // Connected, Disconnected: the peer's session
	Code    Code      // Refused, and Disconnected when the peer said goodbye
	Remote  bool      // Refused, Disconnected: the peer ended it
	Reason  string    // for people
	Until   time.Time // Banned
}

// maxStrangerEvents bounds events about addresses that are no peers: there are
// as many as there are keys.
const maxStrangerEvents = 256

type eventKey struct {
	peer common.Address
	kind EventKind
}

// eventQueue holds the latest event per peer and kind until it is read.
type eventQueue struct {
	mu      sync.Mutex
	pending map[eventKey]Event
	order   []eventKey
	wake    chan struct{}
	out     chan Event
}

func newEventQueue() *eventQueue {
	return &eventQueue{pending: make(map[eventKey]Event), wake: make(chan struct{}, 1), out: make(chan Event)}
}

// put never blocks. It reports false when the event was dropped.
func (q *eventQueue) put(e Event, stranger bool) bool {
	key := eventKey{e.Peer, e.Kind}
	if e.Kind == Disconnected {
		key.kind = Connected // one slot: the latest state wins
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.pending[key]; !ok {
		if stranger && len(q.order) >= maxStrangerEvents {
			return false
		}
		q.order = append(q.order, key)
	}
	q.pending[key] = e
	notify(q.wake)
	return true
}

func (q *eventQueue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		q.order = nil
		return Event{}, false
	}
	key := q.order[0]
	q.order = q.order[1:]
	e := q.pending[key]
	delete(q.pending, key)
	return e, true
}

func (q *eventQueue) run(ctx context.Context) {
	defer close(q.out)
	for {
		e, ok := q.take()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case q.out <- e:
		case <-ctx.Done():
			return
		}
	}
}

// notify wakes the reader of a channel of capacity 1 without blocking.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
