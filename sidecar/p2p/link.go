package p2p

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// link is one stream to a peer after the exchange of hellos. Its reader is the
// goroutine that runs it; a second goroutine is the only writer.
type link struct {
	r      *remote
	stream network.Stream
	br     *bufio.Reader
	flow   *inflow

	windowMessages uint64
	windowBytes    uint64

	wake     chan struct{} // there may be something to write
	retiring chan struct{} // closed when retired
	done     chan struct{} // closed when the writer must stop
	written  chan struct{} // closed when the writer has stopped
	finished chan struct{} // closed when the stream is closed too

	// Guarded by r.mu.
	retired  bool // no longer sends, and what arrives is discarded
	progress bool // carried something valid after the hello
	bye      *goodbye
	ackSent  uint64
}

// ending says why a link ended.
type ending struct {
	code   Code // 0 without goodbye
	text   string
	remote bool
}

func (e ending) String() string {
	switch {
	case e.code == 0:
		return e.text
	case e.text == "":
		return e.code.String()
	}
	return e.code.String() + ": " + e.text
}

// errGoodbye is a goodbye received from the peer.
type errGoodbye struct{ goodbye }

func (e *errGoodbye) Error() string {
	return fmt.Sprintf("the peer said goodbye: %s: %s", e.code, e.text)
}

// errRefusal is a reason of ours to refuse a peer.
type errRefusal struct{ goodbye }

func (e *errRefusal) Error() string { return fmt.Sprintf("refused the peer: %s: %s", e.code, e.text) }

// errStale asks for another attempt: the hellos crossed with acknowledgements.
var errStale = errors.New("the hello was overtaken; connect again")

const (
	readBuffer = 32 << 10
	// farewell bounds how long and how much is read from a peer after goodbye,
	// so that the goodbye is not lost in a reset.
	farewell      = time.Second
	farewellBytes = 1 << 20
	keepBuffer    = 4 * batchBytes
)

// handshake exchanges hellos over a negotiated stream and establishes a link.
// Errors are *errGoodbye, *errRefusal, ErrMalformed, or of the stream.
func (r *remote) handshake(s network.Stream) (*link, error) {
	cfg := &r.t.cfg
	if err := s.SetDeadline(time.Now().Add(cfg.Limits.HandshakeTimeout)); err != nil {
		return nil, fmt.Errorf("set handshake deadline: %w", err)
	}
	r.mu.Lock()
	mine := hello{version: cfg.ProtocolVersion, network: cfg.Network, session: r.session, first: r.acked + 1,
		windowMessages: uint64(cfg.Limits.WindowMessages), windowBytes: uint64(cfg.Limits.WindowBytes)}
	if r.flow != nil {
		mine.known, mine.next = r.flow.session, r.flow.next
	}
	r.mu.Unlock()
	if _, err := s.Write(appendHello(nil, &mine)); err != nil {
		return nil, fmt.Errorf("write hello: %w", err)
	}
	br := bufio.NewReaderSize(s, readBuffer)
	theirs, err := readHello(br, cfg.ProtocolVersion)
	if err != nil {
		return nil, err
	}
	if theirs.version != cfg.ProtocolVersion {
		return nil, &errRefusal{goodbye{CodeVersion, fmt.Sprintf("this node speaks version %d, the peer %d; use the same release on both sides",
			cfg.ProtocolVersion, theirs.version)}}
	}
	if theirs.network != cfg.Network {
		return nil, &errRefusal{goodbye{CodeNetwork, fmt.Sprintf("this node is on network %q, the peer is not; check chain id and adjudicator", cfg.Network)}}
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clear handshake deadline: %w", err)
	}
	return r.establish(s, br, &mine, theirs)
}

func readHello(br *bufio.Reader, version uint64) (*hello, error) {
	typ, body, err := readFrame(br)
	if err != nil {
		return nil, fmt.Errorf("read hello: %w", err)
	}
	switch typ {
	case typeHello:
		return decodeHello(body, version)
	case typeGoodbye:
		g, err := decodeGoodbye(body)
		if err != nil {
			return nil, err
		}
		return nil, &errGoodbye{g}
	}
	return nil, malformed("frame type %#x before hello", typ)
}

// establish makes the stream the current link of the peer.
func (r *remote) establish(s network.Stream, br *bufio.Reader, mine, theirs *hello) (*link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing:
		return nil, &errRefusal{goodbye{CodeShutdown, "the node stops"}}
	case r.removed:
		return nil, &errRefusal{goodbye{CodeUnknown, "the peer was removed"}}
	}
	if code := r.t.screen(r.addr); code != 0 {
		return nil, &errRefusal{goodbye{code, ""}}
	}
	resume := r.acked + 1
	if theirs.known == r.session {
		if theirs.next > r.written+1 {
			return nil, malformed("hello expects message %d, %d were sent", theirs.next, r.written)
		}
		resume = max(resume, theirs.next)
	} else if mine.first != resume {
		return nil, errStale
	}
	before := r.flow
	r.flow = r.flowFor(theirs.session, theirs.first)
	l := &link{r: r, stream: s, br: br, flow: r.flow, windowMessages: theirs.windowMessages, windowBytes: theirs.windowBytes, ackSent: r.flow.base,
		wake: make(chan struct{}, 1), retiring: make(chan struct{}), done: make(chan struct{}), written: make(chan struct{}), finished: make(chan struct{})}
	r.links = append(r.links, l)
	r.rewind(resume)
	if len(r.links) == 1 {
		r.t.m.connected.Inc()
	}
	superseded := goodbye{CodeSuperseded, "another link is used"}
	switch {
	case before != r.flow:
		r.hangUpBut(l, superseded) // links of a process that is gone
	case r.t.addrLess(r.addr):
		r.hangUpBut(l, superseded) // one side decides, or both could close the other's choice
	case len(r.links) > 2:
		r.links[0].say(superseded)
		r.retire(r.links[0], ending{code: superseded.code})
	}
	r.refused = 0
	r.flow.ackNow = true // acknowledgements on the link before may be lost
	notify(l.wake)
	r.t.conns.settled(s.Conn())
	r.t.event(Event{Kind: Connected, Peer: r.addr, Session: r.flow.session}, false)
	r.t.log.Info("Connected to peer", "peer", r.addr, "session", r.flow.session, "at", s.Conn().RemoteMultiaddr())
	return l, nil
}

func (r *remote) hangUpBut(keep *link, g goodbye) {
	for len(r.links) > 1 {
		old := r.links[0]
		old.say(g)
		r.retire(old, ending{code: g.code, text: g.text})
	}
}

// retire takes l out of use. Called with mu.
func (r *remote) retire(l *link, why ending) {
	if l.retired {
		return
	}
	wasCurrent := r.current() == l
	l.retired = true
	close(l.retiring)
	for i, o := range r.links {
		if o == l {
			r.links = append(r.links[:i:i], r.links[i+1:]...)
			break
		}
	}
	if cur := r.current(); cur != nil {
		if wasCurrent {
			r.rewind(r.acked + 1)
			cur.flow.ackNow = true
			notify(cur.wake)
		}
		return
	}
	r.cursor, r.inflight = 0, 0
	r.t.m.connected.Dec()
	r.t.event(Event{Kind: Disconnected, Peer: r.addr, Session: l.flow.session, Code: why.code, Remote: why.remote, Reason: why.String()}, false)
	r.t.log.Info("Disconnected from peer", "peer", r.addr, "session", l.flow.session, "reason", why)
	if l.progress && why.code != CodeMalformed {
		r.attempts, r.notBefore = 0, time.Time{}
	}
	if why.code != 0 || !l.progress {
		r.postpone(why.code)
	}
	r.maybeDial()
}

// say has the writer send a goodbye after what may still be written. Called
// with mu.
func (l *link) say(g goodbye) {
	if l.bye == nil {
		l.bye = &g
		notify(l.wake)
	}
}

// run reads until the link ends. The stream and, unless others use it, its
// connection are closed when it returns.
func (l *link) run() {
	defer close(l.finished)
	go l.write()
	err := l.read()
	r := l.r
	why := ending{text: "connection lost"}
	var g *errGoodbye
	switch {
	case errors.As(err, &g):
		why = ending{code: g.code, text: g.text, remote: true}
		if g.code.lasting() || g.code == CodeUnknown {
			r.t.refusedEvent(r.addr, g.goodbye, true)
		}
	case errors.Is(err, ErrMalformed):
		why = ending{code: CodeMalformed, text: err.Error()}
		r.t.m.drop(dropMalformed, 1)
		r.t.Penalize(r.addr, err.Error())
	case err != nil && !errors.Is(err, io.EOF):
		why.text = "connection lost: " + err.Error()
	}
	r.mu.Lock()
	if why.code == CodeMalformed {
		l.say(goodbye{CodeMalformed, why.text})
	}
	r.retire(l, why)
	farewells := l.bye != nil
	r.mu.Unlock()
	switch {
	case why.remote: // the peer listens no more: nothing is lost by cutting the writer short
		_ = l.stream.SetWriteDeadline(time.Now())
	case why.code == CodeMalformed:
		<-l.written
		l.drain()
	case !farewells:
		_ = l.stream.Reset()
	}
	close(l.done)
	<-l.written
	closeStream(l.stream)
}

// drain lets the peer read our goodbye before the connection goes.
func (l *link) drain() {
	if l.stream.SetReadDeadline(time.Now().Add(farewell)) == nil {
		_, _ = io.CopyN(io.Discard, l.stream, farewellBytes)
	}
}

// closeStream closes a stream, and its connection when nothing else uses it.
func closeStream(s network.Stream) {
	_ = s.Close()
	if c := s.Conn(); len(c.GetStreams()) == 0 {
		_ = c.Close()
	}
}

func (l *link) read() error {
	for {
		typ, body, err := readFrame(l.br)
		if err != nil {
			return err
		}
		l.r.t.m.bytesIn.Add(float64(len(body) + 2))
		switch typ {
		case typeData:
			id, message, err := decodeData(body)
			if err != nil {
				return err
			}
			if err := l.r.deliver(l, id, message); err != nil {
				return err
			}
		case typeAck:
			id, err := decodeAck(body)
			if err != nil {
				return err
			}
			if err := l.r.acknowledge(l, id); err != nil {
				return err
			}
		case typeGoodbye:
			g, err := decodeGoodbye(body)
			if err != nil {
				return err
			}
			return &errGoodbye{g}
		default:
			return malformed("second hello")
		}
	}
}

// write sends what the peer may be sent until the link ends.
func (l *link) write() {
	defer close(l.written)
	timeout := l.r.t.cfg.Limits.WriteTimeout
	var buf []byte
	for {
		buf = l.r.fill(l, buf[:0])
		bye := false
		if len(buf) == 0 {
			if g := l.farewell(); g != nil {
				buf, bye = appendGoodbye(buf, *g), true
			} else {
				select {
				case <-l.wake:
					continue
				case <-l.done:
					return
				}
			}
		}
		if l.stream.SetWriteDeadline(time.Now().Add(timeout)) != nil {
			_ = l.stream.Reset() // ends the reader, which ends the link
			return
		}
		if _, err := l.stream.Write(buf); err != nil {
			_ = l.stream.Reset()
			return
		}
		l.r.t.m.bytesOut.Add(float64(len(buf)))
		if bye {
			_ = l.stream.CloseWrite()
			_ = l.stream.SetReadDeadline(time.Now().Add(farewell))
			return
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

func (l *link) farewell() *goodbye {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.bye
}
