package p2p

import (
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// Inbound is a message from a peer.
type Inbound struct {
	From common.Address
	Body []byte // owned by the reader

	// Ack tells the transport that what the message caused is durable, so that
	// the peer may forget it. Messages are acknowledged to the peer in order:
	// one that is never acknowledged, refused ones included, finally stops the
	// peer's window. Safe to call from any goroutine, more than once, and late.
	Ack func()
}

// rememberedSessions is how many sessions of a peer are kept to tell duplicates
// when a link of an older process shows up late.
const rememberedSessions = 4

// inflow is where one session of a peer stands.
type inflow struct {
	session Session
	base    uint64        // acked at the beginning: nothing to report about
	next    uint64        // id expected
	acked   uint64        // everything up to here was acknowledged by the user
	pending ring[receipt] // ids acked+1 … next-1

	// Acknowledged by the user, not yet reported to the peer.
	unreported      int
	unreportedBytes int
	ackNow          bool
}

type receipt struct {
	size  int
	acked bool
}

// flowFor returns the inflow of the peer's session, which lacks nothing from
// first on. Called with mu.
func (r *remote) flowFor(s Session, first uint64) *inflow {
	for i, f := range r.flows {
		if f.session != s {
			continue
		}
		if first <= f.next {
			r.flows = append(append(r.flows[:i:i], r.flows[i+1:]...), f)
			return f
		}
		// The peer holds nothing between: an earlier process of this node
		// acknowledged it, so it is durable here.
		r.flows = append(r.flows[:i:i], r.flows[i+1:]...)
		break
	}
	f := &inflow{session: s, base: first - 1, next: first, acked: first - 1}
	r.flows = append(r.flows, f)
	if len(r.flows) > rememberedSessions {
		r.flows = r.flows[1:]
	}
	return f
}

// deliver passes on a message of the peer, or drops it as a duplicate. It
// blocks while the user owes the peer's window of acknowledgements.
func (r *remote) deliver(l *link, id uint64, body []byte) error {
	limits := &r.t.cfg.Limits
	f := l.flow
	r.mu.Lock()
	for {
		if l.retired {
			r.mu.Unlock()
			r.t.m.drop(dropRetired, 1)
			return nil
		}
		l.progress = true
		if id < f.next {
			r.mu.Unlock()
			r.t.m.duplicates.Inc()
			return nil
		}
		if id > f.next {
			next := f.next
			r.mu.Unlock()
			return malformed("message %d where %d is next", id, next)
		}
		if r.held < limits.WindowMessages && r.heldBytes+len(body) <= limits.WindowBytes {
			break
		}
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		r.mu.Unlock()
		select {
		case <-freed:
		case <-l.retiring:
		}
		r.mu.Lock()
	}
	f.next++
	f.pending.push(receipt{size: len(body)})
	r.held++
	r.heldBytes += len(body)
	r.t.m.inDelivered.Inc()
	in := Inbound{From: r.addr, Body: body, Ack: func() { r.accept(f, id) }}
	if !r.pumping {
		select {
		case r.t.inbound <- in: // usual: no goroutine between reader and user
			r.mu.Unlock()
			return nil
		default:
		}
		r.pumping = true
		r.t.wg.Add(1) // the link's goroutine is counted, so this cannot meet a finished Wait
		go r.pump(r.t.ctx)
	}
	r.backlog.push(in)
	r.mu.Unlock()
	return nil
}

// accept is Inbound.Ack.
func (r *remote) accept(f *inflow, id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id <= f.acked || f.pending.at(int(id-f.acked-1)).acked {
		return
	}
	f.pending.at(int(id - f.acked - 1)).acked = true
	n, bytes := 0, 0
	for f.pending.len() > 0 && f.pending.at(0).acked {
		bytes += f.pending.pop().size
		n++
	}
	if n == 0 {
		return
	}
	f.acked += uint64(n)
	f.unreported += n
	f.unreportedBytes += bytes
	r.held -= n
	r.heldBytes -= bytes
	r.t.m.inAcked.Add(float64(n))
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
	if f == r.flow && !f.ackNow {
		r.scheduleAck(f)
	}
}

const ackEvery = 64

// scheduleAck has acknowledgements reported at once when many wait, else within
// AckDelay, so that they can travel with messages or together. Called with mu.
func (r *remote) scheduleAck(f *inflow) {
	limits := &r.t.cfg.Limits
	if f.unreported >= min(ackEvery, max(1, limits.WindowMessages/4)) || f.unreportedBytes >= limits.WindowBytes/4 {
		r.reportAcks()
		return
	}
	if r.ackArmed {
		return
	}
	r.ackArmed = true
	if r.ackTimer == nil {
		r.ackTimer = time.AfterFunc(limits.AckDelay, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ackArmed = false
			r.reportAcks()
		})
		return
	}
	r.ackTimer.Reset(limits.AckDelay)
}

func (r *remote) reportAcks() {
	if r.flow == nil || r.flow.unreported == 0 {
		return // an acknowledgement travelled with a message
	}
	r.flow.ackNow = true
	if cur := r.current(); cur != nil {
		notify(cur.wake)
	}
}
