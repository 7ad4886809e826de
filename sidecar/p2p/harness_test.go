package p2p

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// patience bounds waits for things that must happen; no test waits for time to
// pass.
const patience = 30 * time.Second

const testNetwork = "901/0x00000000000000000000000000000000000000ad"

// testKey gives keys whose addresses ascend with i, so that tests know which
// side is the lower one.
func testKey(i int) *ecdsa.PrivateKey {
	keysOnce.Do(func() {
		for n := range 16 {
			k, err := crypto.ToECDSA(crypto.Keccak256([]byte(fmt.Sprint("p2p test key ", n))))
			if err != nil {
				panic(err)
			}
			keys = append(keys, k)
		}
		less := func(a, b *ecdsa.PrivateKey) bool {
			return crypto.PubkeyToAddress(a.PublicKey).Cmp(crypto.PubkeyToAddress(b.PublicKey)) < 0
		}
		for a := range keys {
			for b := range a {
				if less(keys[a], keys[b]) {
					keys[a], keys[b] = keys[b], keys[a]
				}
			}
		}
	})
	return keys[i]
}

var (
	keysOnce sync.Once
	keys     []*ecdsa.PrivateKey
)

func testAddr(i int) common.Address { return crypto.PubkeyToAddress(testKey(i).PublicKey) }

type node struct {
	*Transport
	t      testing.TB
	events *recorder
	closed bool
}

// recorder reads all events and lets tests wait for one.
type recorder struct {
	mu   sync.Mutex
	list []Event
	more chan struct{}
}

func (rec *recorder) run(events <-chan Event) {
	for e := range events {
		rec.mu.Lock()
		rec.list = append(rec.list, e)
		close(rec.more)
		rec.more = make(chan struct{})
		rec.mu.Unlock()
	}
}

// wait returns the first event that match accepts, consuming those before it.
func (rec *recorder) wait(t testing.TB, what string, match func(Event) bool) Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		rec.mu.Lock()
		for len(rec.list) > 0 {
			e := rec.list[0]
			rec.list = rec.list[1:]
			if match(e) {
				rec.mu.Unlock()
				return e
			}
		}
		more := rec.more
		rec.mu.Unlock()
		select {
		case <-more:
		case <-timeout:
			require.FailNow(t, "no event: "+what)
		}
	}
}

func (n *node) waitEvent(kind EventKind, from common.Address) Event {
	n.t.Helper()
	return n.events.wait(n.t, kind.String(), func(e Event) bool { return e.Kind == kind && e.Peer == from })
}

func testConfig(key *ecdsa.PrivateKey, change ...func(*Config)) Config {
	cfg := Config{Key: key, Network: testNetwork, Logger: log.NewLogger(log.DiscardHandler()), Registerer: prometheus.NewRegistry(),
		Limits: Limits{BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, RefusedRetry: time.Hour}}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// start runs a transport until the test ends and checks that it leaves nothing
// running.
func start(t testing.TB, key *ecdsa.PrivateKey, change ...func(*Config)) *node {
	t.Helper()
	checkLeaks(t)
	tr, err := New(testConfig(key, change...))
	require.NoError(t, err)
	n := &node{Transport: tr, t: t, events: &recorder{more: make(chan struct{})}}
	go n.events.run(tr.Events())
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	if n.closed {
		return
	}
	n.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(n.t, n.Close(ctx))
}

func (n *node) add(o *node) {
	n.t.Helper()
	require.NoError(n.t, n.AddPeer(o.Address(), o.Addrs()))
}

// receive takes one message and acknowledges it.
func (n *node) receive() Inbound {
	n.t.Helper()
	in := n.take()
	in.Ack()
	return in
}

func (n *node) take() Inbound {
	n.t.Helper()
	select {
	case in, ok := <-n.Inbound():
		require.True(n.t, ok, "inbound closed")
		return in
	case <-time.After(patience):
		require.FailNow(n.t, "no message")
	}
	return Inbound{}
}

func (n *node) mustSend(to common.Address, body string) {
	n.t.Helper()
	require.NoError(n.t, n.Send(to, []byte(body)))
}

// receiveRow takes messages numbered from..to-1 by numbered, in order.
func (n *node) receiveRow(from, to int) {
	n.t.Helper()
	for i := from; i < to; i++ {
		in := n.receive()
		require.Equal(n.t, uint64(i), binary.BigEndian.Uint64(in.Body))
	}
}

func numbered(i, size int) []byte {
	b := make([]byte, max(8, size))
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

// await polls a condition that has no channel. The pause only spares the
// processor: no outcome depends on it.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		require.True(t, time.Now().Before(deadline), "never: "+what)
		time.Sleep(200 * time.Microsecond)
	}
}

func value(t testing.TB, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return float64(m.Histogram.GetSampleCount())
}

// checkLeaks fails the test if goroutines of this package or of libp2p are
// left when it is over.
func checkLeaks(t testing.TB) {
	if checked[t] {
		return // the first call's cleanup runs last
	}
	checked[t] = true
	before := ours()
	t.Cleanup(func() {
		delete(checked, t)
		deadline := time.Now().Add(patience)
		for {
			after := ours()
			if len(after) <= len(before) {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines before, %d after:\n%s", len(before), len(after), strings.Join(after, "\n\n"))
				return
			}
			time.Sleep(200 * time.Microsecond)
		}
	})
}

// checked holds the running tests that check for leaks; tests are not parallel.
var checked = map[testing.TB]bool{}

func ours() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var out []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "testing.tRunner") || strings.Contains(g, "testing.(*B)") {
			continue
		}
		if strings.Contains(g, "libp2p") || strings.Contains(g, "sidecar/p2p") {
			out = append(out, g)
		}
	}
	return out
}

// rawPeer speaks frames by hand, to do what a Transport never does.
type rawPeer struct {
	t    testing.TB
	host *host
}

func startRaw(t testing.TB, key libcrypto.PrivKey) *rawPeer {
	t.Helper()
	checkLeaks(t)
	cfg, err := testConfig(testKey(0)).withDefaults()
	require.NoError(t, err)
	id, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	g := &gater{screen: func(common.Address) Code { return 0 }, known: func(common.Address) bool { return true },
		closed: func(common.Address, Code) {}, strangers: map[network.Conn]struct{}{}}
	h, err := newHost(key, id, &cfg, g)
	require.NoError(t, err)
	require.NoError(t, h.listen(cfg.Listen))
	t.Cleanup(func() { require.NoError(t, h.close()) })
	return &rawPeer{t: t, host: h}
}

func startRawKey(t testing.TB, i int) *rawPeer {
	key, err := hostKey(testKey(i))
	require.NoError(t, err)
	return startRaw(t, key)
}

type rawStream struct {
	network.Stream
	t  testing.TB
	br *bufio.Reader
}

func (p *rawPeer) connect(n *node) error {
	m, err := ma.NewMultiaddr(n.Addrs()[0])
	require.NoError(p.t, err)
	where, id := peer.SplitAddr(m)
	p.host.store.AddAddrs(id, []ma.Multiaddr{where}, peerstore.PermanentAddrTTL)
	p.host.Backoff().Clear(id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = p.host.DialPeer(ctx, id)
	return err
}

func (p *rawPeer) open(n *node) *rawStream {
	p.t.Helper()
	require.NoError(p.t, p.connect(n))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.host.NewStream(ctx, n.id)
	require.NoError(p.t, err)
	require.NoError(p.t, msmux.SelectProtoOrFail(protocol.ID(ProtocolID), s))
	require.NoError(p.t, s.SetDeadline(time.Now().Add(patience)))
	return &rawStream{Stream: s, t: p.t, br: bufio.NewReader(s)}
}

func (s *rawStream) send(frames []byte) {
	s.t.Helper()
	_, err := s.Write(frames)
	require.NoError(s.t, err)
}

func (s *rawStream) frame() (byte, []byte) {
	s.t.Helper()
	typ, body, err := readFrame(s.br)
	require.NoError(s.t, err)
	return typ, body
}

// goodbye skips frames until the goodbye.
func (s *rawStream) goodbye() goodbye {
	s.t.Helper()
	for {
		typ, body := s.frame()
		if typ == typeGoodbye {
			g, err := decodeGoodbye(body)
			require.NoError(s.t, err)
			return g
		}
	}
}

func (s *rawStream) hello() *hello {
	s.t.Helper()
	typ, body := s.frame()
	require.Equal(s.t, typeHello, typ)
	h, err := decodeHello(body, 1)
	require.NoError(s.t, err)
	return h
}

func testHello(session Session, first uint64) *hello {
	return &hello{version: 1, network: testNetwork, session: session, first: first, windowMessages: 1024, windowBytes: 8 << 20}
}

// proxy forwards TCP to target, and cuts each connection after a random number
// of bytes until cuts is used up.
type proxy struct {
	t      testing.TB
	ln     net.Listener
	target string
	mu     sync.Mutex
	rng    *rand.Rand
	cuts   int
	open   map[net.Conn]struct{}
	wg     sync.WaitGroup
	min    int64
	spread int64
}

func startProxy(t testing.TB, target string, cuts int, min, spread int64) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{t: t, ln: ln, target: target, rng: rand.New(rand.NewPCG(1, 2)), cuts: cuts, open: map[net.Conn]struct{}{}, min: min, spread: spread}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		left := int64(1) << 60
		if p.cuts > 0 {
			p.cuts--
			left = p.min + p.rng.Int64N(p.spread)
		}
		p.open[in], p.open[out] = struct{}{}, struct{}{}
		p.mu.Unlock()
		var once sync.Once
		cut := func() { _, _ = in.Close(), out.Close() }
		p.wg.Add(2)
		for _, d := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				defer p.wg.Done()
				_, _ = io.CopyN(d[1], d[0], left)
				once.Do(cut)
			}()
		}
	}
}

// multiaddr of the proxy, naming the node behind it.
func (p *proxy) multiaddr(n *node) string {
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", p.ln.Addr().(*net.TCPAddr).Port, n.id)
}

func tcpTarget(n *node) string {
	parts := strings.Split(n.Addrs()[0], "/")
	return net.JoinHostPort(parts[2], parts[4])
}
