package p2p

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// outgoing is a queued message. Its id follows from its place in the queue.
type outgoing struct {
	body []byte
	sent time.Duration // when it was last written, since the transport's start
}

// remote is one peer: the queue towards it, where its own messages stand, the
// links to it, and the attempts to reach it. mu guards everything below it and
// is held for short, non-blocking stretches only.
type remote struct {
	t    *Transport
	addr common.Address

	mu      sync.Mutex
	id      peer.ID // empty until known from a multiaddr or a connection
	where   []ma.Multiaddr
	static  bool
	auto    bool // connected by itself, was not added
	removed bool
	closing bool // the transport closes

	// Sending. queue holds ids acked+1, acked+2, …; of these the first cursor
	// are in flight on the current link, inflight bytes together.
	session    Session
	queue      ring[outgoing]
	queueBytes int
	acked      uint64
	written    uint64 // highest id ever written to a link
	cursor     int
	inflight   int
	rtt        time.Duration // smoothed

	// Receiving.
	flow      *inflow
	flows     []*inflow // flow and a few before it, newest last
	held      int       // messages passed on and not acknowledged by the user
	heldBytes int
	freed     chan struct{} // closed and replaced when held shrinks, if somebody waits
	backlog   ring[Inbound] // did not fit into the Inbound channel
	pumping   bool
	ackTimer  *time.Timer
	ackArmed  bool

	// Links, oldest first; the last is the current one.
	links      []*link
	handshakes int

	// Dialling.
	dialing   bool
	kick      chan struct{}
	attempts  int
	notBefore time.Time
	refused   Code
}

func newRemote(t *Transport, addr common.Address) *remote {
	return &remote{t: t, addr: addr, session: newSession(), kick: make(chan struct{}, 1)}
}

// enqueue adds a message to the queue and has it sent.
func (r *remote) enqueue(body []byte) error {
	t, l := r.t, &r.t.cfg.Limits
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.removed {
		return fmt.Errorf("%w: %s was removed", ErrUnknownPeer, r.addr)
	}
	if r.queue.len() >= l.QueueMessages || r.queueBytes+len(body) > l.QueueBytes {
		t.m.drop(dropQueueFull, 1)
		return fmt.Errorf("%w: %d messages (%d bytes) wait for %s; send again after it has acknowledged some, or check why it is away",
			ErrQueueFull, r.queue.len(), r.queueBytes, r.addr)
	}
	if t.queuedBytes.Add(int64(len(body))) > int64(l.TotalQueueBytes) {
		t.queuedBytes.Add(-int64(len(body)))
		t.m.drop(dropQueueFull, 1)
		return fmt.Errorf("%w: %d bytes wait for all peers together; send again after some were acknowledged, or remove peers that stay away",
			ErrQueueFull, t.queuedBytes.Load())
	}
	r.queue.push(outgoing{body: body})
	r.queueBytes += len(body)
	t.m.outQueued.Inc()
	t.m.queued.Inc()
	t.m.queuedB.Add(float64(len(body)))
	if cur := r.current(); cur != nil {
		notify(cur.wake)
	} else {
		r.maybeDial()
	}
	return nil
}

func (r *remote) current() *link {
	if n := len(r.links); n > 0 {
		return r.links[n-1]
	}
	return nil
}

// rewind makes id the next to be written. Called when the current link changes.
func (r *remote) rewind(id uint64) {
	r.cursor = int(id - r.acked - 1)
	r.inflight = 0
	for i := range r.cursor {
		r.inflight += len(r.queue.at(i).body)
	}
}

// batchBytes is how much is gathered before one write to the stream.
const batchBytes = 64 << 10

// fill appends to buf the frames that l may write now.
func (r *remote) fill(l *link, buf []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current() != l {
		return buf
	}
	now := time.Since(r.t.start)
	sent, resent := 0, 0
	for r.cursor < r.queue.len() && uint64(r.cursor) < l.windowMessages && len(buf) < batchBytes {
		o := r.queue.at(r.cursor)
		if r.cursor > 0 && uint64(r.inflight+len(o.body)) > l.windowBytes {
			break
		}
		id := r.acked + 1 + uint64(r.cursor)
		if id <= r.written {
			resent++
		}
		r.written = max(r.written, id)
		buf = appendData(buf, id, o.body)
		o.sent = now
		r.cursor++
		r.inflight += len(o.body)
		sent++
	}
	r.t.m.outSent.Add(float64(sent))
	r.t.m.resends.Add(float64(resent))
	if f := l.flow; f.ackNow || sent > 0 {
		if f.acked > l.ackSent {
			buf = appendAck(buf, f.acked)
		}
		l.ackSent, f.unreported, f.unreportedBytes, f.ackNow = f.acked, 0, 0, false
	}
	return buf
}

// acknowledge drops what the peer has made durable from the queue.
func (r *remote) acknowledge(l *link, id uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id > r.written {
		return malformed("ack of message %d, %d were sent", id, r.written)
	}
	if l.retired || id <= r.acked {
		return nil
	}
	l.progress = true
	var last outgoing
	n := int(id - r.acked)
	bytes, flying := 0, 0
	for i := range n {
		last = r.queue.pop()
		bytes += len(last.body)
		if i < r.cursor {
			flying += len(last.body)
		}
	}
	r.acked = id
	r.cursor = max(0, r.cursor-n)
	r.inflight -= flying
	r.dequeued(n, bytes)
	r.t.m.outAcked.Add(float64(n))
	rtt := time.Since(r.t.start) - last.sent
	r.t.m.ackRTT.Observe(rtt.Seconds())
	if r.rtt == 0 {
		r.rtt = rtt
	}
	r.rtt += (rtt - r.rtt) / 8
	if r.cursor < r.queue.len() {
		if cur := r.current(); cur != nil {
			notify(cur.wake)
		}
	}
	return nil
}

func (r *remote) dequeued(n, bytes int) {
	r.queueBytes -= bytes
	r.t.queuedBytes.Add(-int64(bytes))
	r.t.m.queued.Sub(float64(n))
	r.t.m.queuedB.Sub(float64(bytes))
}

// remove ends everything about the peer.
func (r *remote) remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed = true
	r.hangUp(goodbye{CodeUnknown, "the peer was removed"})
	n := r.queue.len()
	r.t.m.drop(dropRemoved, n+r.backlog.len())
	r.dequeued(n, r.queueBytes)
	r.queue, r.backlog, r.cursor, r.inflight = ring[outgoing]{}, ring[Inbound]{}, 0, 0
	notify(r.kick)
}

// hangUp says goodbye on all links and stops listening to them. Called with mu.
func (r *remote) hangUp(g goodbye) {
	for len(r.links) > 0 {
		l := r.links[0]
		l.say(g)
		r.retire(l, ending{code: g.code, text: g.text})
	}
}

// idle says whether forgetting the peer loses nothing. Called with mu.
func (r *remote) idle() bool {
	return len(r.links) == 0 && r.handshakes == 0 && r.queue.len() == 0 && r.held == 0 && !r.dialing
}

func (r *remote) info() PeerInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	info := PeerInfo{Address: r.addr, Static: r.static, Connected: len(r.links) > 0, Queued: r.queue.len(), QueuedBytes: r.queueBytes,
		Unacknowledged: r.held, RTT: r.rtt, Refused: r.refused}
	if r.flow != nil {
		info.Session = r.flow.session
	}
	for _, m := range r.where {
		info.Multiaddrs = append(info.Multiaddrs, m.String()+"/p2p/"+r.id.String())
	}
	return info
}

// pump moves the backlog into the Inbound channel at the pace of its reader.
func (r *remote) pump(ctx context.Context) {
	defer r.t.wg.Done()
	for {
		r.mu.Lock()
		if r.backlog.len() == 0 {
			r.pumping = false
			r.mu.Unlock()
			return
		}
		in := r.backlog.pop()
		r.mu.Unlock()
		select {
		case r.t.inbound <- in:
		case <-ctx.Done():
			return
		}
	}
}
