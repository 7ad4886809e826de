package p2p

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

var (
	// ErrUnknownPeer reports an address that was not added.
	ErrUnknownPeer = errors.New("unknown peer")
	// ErrQueueFull reports a peer, or all together, with too much unacknowledged.
	ErrQueueFull = errors.New("queue to peer is full")
	// ErrTooLarge reports a message above MaxMessage.
	ErrTooLarge = errors.New("message too large")
	// ErrDenied reports an address that the deny or allow list excludes.
	ErrDenied = errors.New("address may not be a peer")
	// ErrTooManyPeers reports that Limits.Peers are known.
	ErrTooManyPeers = errors.New("too many peers")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("p2p transport is closed")
)

// PeerInfo is what is known about one peer.
type PeerInfo struct {
	Address        common.Address
	Multiaddrs     []string // with /p2p/<id>; empty for peers that only connect to us
	Static         bool     // kept connected
	Connected      bool
	Session        Session       // the peer's, of the newest link; 0 before the first
	Queued         int           // messages not yet acknowledged by the peer
	QueuedBytes    int           // and their bytes
	Unacknowledged int           // messages of the peer that were not acknowledged to it
	RTT            time.Duration // smoothed time from writing a message to its acknowledgement; 0 before the first
	Refused        Code          // why the last link was refused, 0 if it was not
	BannedUntil    time.Time     // zero if not banned
}

// Transport connects a node with its peers. All methods are safe for
// concurrent use.
type Transport struct {
	cfg       Config
	addr      common.Address
	id        peer.ID
	log       log.Logger
	m         *metrics
	host      *host
	mux       *msmux.MultistreamMuxer[protocol.ID]
	conns     *connections
	offenders *offenders
	events    *eventQueue
	inbound   chan Inbound
	start     time.Time
	allow     map[common.Address]struct{}
	deny      map[common.Address]struct{}

	queuedBytes atomic.Int64

	ctx    context.Context // ends with the transport
	cancel context.CancelFunc
	eventC context.CancelFunc
	wg     sync.WaitGroup // everything that may touch inbound and events
	evWG   sync.WaitGroup

	life   sync.Mutex // guards closed against wg
	closed bool
	ended  chan struct{} // closed when Close has finished
	endErr error

	mu    sync.RWMutex
	peers map[common.Address]*remote
}

// New starts a transport: it listens, and dials the static peers. Errors wrap
// ErrConfig or ErrBadMultiaddr when the configuration is at fault.
func New(cfg Config) (*Transport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	key, err := hostKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("derive peer ID: %w", err)
	}
	t := &Transport{
		cfg: cfg, addr: crypto.PubkeyToAddress(cfg.Key.PublicKey), id: id,
		mux:    msmux.NewMultistreamMuxer[protocol.ID](),
		events: newEventQueue(), inbound: make(chan Inbound, cfg.Limits.InboundBuffer), start: time.Now(),
		offenders: newOffenders(cfg.Limits.PenaltiesPerSecond, cfg.Limits.BanDuration, time.Now),
		allow:     set(cfg.AllowList), deny: set(cfg.DenyList),
		ended: make(chan struct{}), peers: make(map[common.Address]*remote),
	}
	t.log = cfg.Logger.New("service", "p2p")
	if t.m, err = newMetrics(cfg.Registerer); err != nil {
		return nil, err
	}
	t.mux.AddHandler(ProtocolID, nil)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	g := &gater{screen: t.screen, known: t.known, max: cfg.Limits.Strangers, strangers: make(map[network.Conn]struct{}),
		closed: func(addr common.Address, code Code) { t.m.refused.WithLabelValues("us", code.String()).Inc() }}
	t.conns = newConnections(cfg.Limits.HandshakeTimeout, func() { t.m.drop(dropConnection, 1) })
	if t.host, err = newHost(key, id, &cfg, g); err != nil {
		return nil, fmt.Errorf("start libp2p: %w", err)
	}
	t.host.Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { g.connected(c); t.conns.opened(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { g.disconnected(c); t.conns.closed(c) },
	})
	t.host.SetStreamHandler(t.serve)
	var eventCtx context.Context
	eventCtx, t.eventC = context.WithCancel(context.Background())
	t.evWG.Add(1)
	go func() {
		defer t.evWG.Done()
		t.events.run(eventCtx)
	}()
	if err := t.begin(); err != nil {
		return nil, errors.Join(err, t.Close(context.Background()))
	}
	return t, nil
}

func (t *Transport) begin() error {
	if err := t.host.listen(t.cfg.Listen); err != nil {
		return err
	}
	for _, s := range t.cfg.Static {
		addr, err := ParsePeer(s)
		if err != nil {
			return fmt.Errorf("static peer: %w", err)
		}
		if err := t.AddStaticPeer(addr, []string{s}); err != nil {
			return fmt.Errorf("static peer: %w", err)
		}
	}
	t.log.Info("Listening for peers", "address", t.addr, "multiaddrs", t.Addrs())
	return nil
}

func set(addrs []common.Address) map[common.Address]struct{} {
	m := make(map[common.Address]struct{}, len(addrs))
	for _, a := range addrs {
		m[a] = struct{}{}
	}
	return m
}

func newSession() Session {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		if s := Session(binary.BigEndian.Uint64(b[:])); s != 0 {
			return s
		}
	}
}

// Address is the node's own address.
func (t *Transport) Address() common.Address { return t.addr }

// Addrs are the multiaddrs the node listens on, with /p2p/<id>: what to give to
// peers. Wildcard addresses are resolved to those of the interfaces.
func (t *Transport) Addrs() []string {
	addrs, err := t.host.InterfaceListenAddresses()
	if err != nil {
		addrs = t.host.ListenAddresses()
	}
	out := make([]string, 0, len(addrs))
	for _, m := range addrs {
		out = append(out, m.String()+"/p2p/"+t.id.String())
	}
	return out
}

// Inbound delivers the messages of all peers, each peer's in order. It is
// closed after Close. A slow reader slows the peers; nothing is dropped.
func (t *Transport) Inbound() <-chan Inbound { return t.inbound }

// Events delivers changes of peers' states, coalesced per peer when read
// slowly. It is closed after Close. Events and Inbound are not ordered against
// each other.
func (t *Transport) Events() <-chan Event { return t.events.out }

// AddPeer makes an address a peer. Multiaddrs, each ending in /p2p/<id> of that
// address, say where to dial it when there is something to send; without them
// only the peer can connect. Adding again replaces the multiaddrs if some are
// given, and makes the next dial happen at once. Errors: ErrBadMultiaddr,
// ErrDenied, ErrTooManyPeers, ErrClosed.
func (t *Transport) AddPeer(addr common.Address, multiaddrs []string) error {
	return t.add(addr, multiaddrs, false)
}

// AddStaticPeer is AddPeer for a peer to stay connected to.
func (t *Transport) AddStaticPeer(addr common.Address, multiaddrs []string) error {
	return t.add(addr, multiaddrs, true)
}

func (t *Transport) add(addr common.Address, multiaddrs []string, static bool) error {
	id, where, err := parseMultiaddrs(addr, multiaddrs)
	if err != nil {
		return err
	}
	if addr == t.addr {
		return fmt.Errorf("%w: %s is this node", ErrDenied, addr)
	}
	if t.listed(addr) != 0 {
		return fmt.Errorf("%w: %s is on the deny list or not on the allow list", ErrDenied, addr)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peers == nil {
		return ErrClosed
	}
	r := t.peers[addr]
	if r == nil {
		if !t.room() {
			return fmt.Errorf("%w: %d are known; remove one or raise the limit", ErrTooManyPeers, len(t.peers))
		}
		r = newRemote(t, addr)
		t.peers[addr] = r
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(where) > 0 {
		r.id, r.where = id, where
	}
	r.static = r.static || static
	r.auto = false
	r.attempts, r.notBefore = 0, time.Time{}
	if until, banned := t.offenders.bannedUntil(addr); banned {
		r.notBefore = until
	}
	notify(r.kick)
	r.maybeDial()
	return nil
}

// room says whether one more peer may be known, forgetting one that connected
// by itself and is away if need be. Called with mu.
func (t *Transport) room() bool {
	if len(t.peers) < t.cfg.Limits.Peers {
		return true
	}
	for addr, r := range t.peers {
		r.mu.Lock()
		forget := r.auto && r.idle()
		r.removed = r.removed || forget
		r.mu.Unlock()
		if forget {
			delete(t.peers, addr)
			return true
		}
	}
	return false
}

// RemovePeer forgets a peer, what is queued for it, and what was received from
// it and not yet read. Errors: ErrUnknownPeer.
func (t *Transport) RemovePeer(addr common.Address) error {
	t.mu.Lock()
	r := t.peers[addr]
	delete(t.peers, addr)
	t.mu.Unlock()
	if r == nil {
		return fmt.Errorf("%w: %s", ErrUnknownPeer, addr)
	}
	r.remove()
	return nil
}

// Peers lists the known peers, ordered by address.
func (t *Transport) Peers() []PeerInfo {
	t.mu.RLock()
	out := make([]PeerInfo, 0, len(t.peers))
	for _, r := range t.peers {
		out = append(out, r.info())
	}
	t.mu.RUnlock()
	for i := range out {
		out[i].BannedUntil, _ = t.offenders.bannedUntil(out[i].Address)
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Address[:], out[j].Address[:]) < 0 })
	return out
}

// Send queues a message for a peer and returns at once. The transport keeps
// body until it is acknowledged: it must not be changed. Errors: ErrTooLarge,
// ErrUnknownPeer, ErrQueueFull, ErrClosed; the message is not queued then.
func (t *Transport) Send(to common.Address, body []byte) error {
	if len(body) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, at most %d; split it", ErrTooLarge, len(body), MaxMessage)
	}
	t.mu.RLock()
	r, open := t.peers[to], t.peers != nil
	t.mu.RUnlock()
	if !open {
		return ErrClosed
	}
	if r == nil {
		return fmt.Errorf("%w: %s; add it first", ErrUnknownPeer, to)
	}
	return r.enqueue(body)
}

// Penalize counts an invalid message against an address. More than
// Limits.PenaltiesPerSecond in a second ban it for Limits.BanDuration (R8).
func (t *Transport) Penalize(addr common.Address, reason string) {
	t.m.penalties.Inc()
	t.log.Debug("Invalid message", "peer", addr, "reason", reason)
	until, banned := t.offenders.count(addr)
	if !banned {
		return
	}
	t.m.bans.Inc()
	t.log.Warn("Banned peer for too many invalid messages", "peer", addr, "until", until, "reason", reason)
	r := t.peer(addr)
	t.event(Event{Kind: Banned, Peer: addr, Code: CodeBanned, Reason: reason, Until: until}, r == nil)
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.hangUp(goodbye{CodeBanned, "too many invalid messages"})
	}
}

func (t *Transport) peer(addr common.Address) *remote {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.peers[addr]
}

// listed returns CodeDenied for addresses that the lists exclude.
func (t *Transport) listed(addr common.Address) Code {
	if _, denied := t.deny[addr]; denied {
		return CodeDenied
	}
	if _, allowed := t.allow[addr]; len(t.allow) > 0 && !allowed {
		return CodeDenied
	}
	return 0
}

// screen returns why no link to the address may exist, 0 if it may.
func (t *Transport) screen(addr common.Address) Code {
	if code := t.listed(addr); code != 0 {
		return code
	}
	if _, banned := t.offenders.bannedUntil(addr); banned {
		return CodeBanned
	}
	return 0
}

// welcome says whether an address may connect without having been added.
func (t *Transport) welcome(addr common.Address) bool {
	_, allowed := t.allow[addr]
	return allowed || t.cfg.AcceptUnknown
}

func (t *Transport) known(addr common.Address) bool {
	return t.peer(addr) != nil || t.welcome(addr)
}

// addrLess says whether our address is the lower one.
func (t *Transport) addrLess(other common.Address) bool {
	return bytes.Compare(t.addr[:], other[:]) < 0
}

// event raises an event; stranger says that it is about no peer. It may be
// called with a remote's mu.
func (t *Transport) event(e Event, stranger bool) {
	if !t.events.put(e, stranger) {
		t.m.drop(dropEvent, 1)
	}
}

// serve answers a stream that a peer opened.
func (t *Transport) serve(s network.Stream) {
	if !t.enter() {
		_ = s.Reset()
		return
	}
	defer t.wg.Done()
	fail := func() {
		_ = s.Reset()
		closeStream(s)
	}
	addr, err := AddressOf(s.Conn().RemotePeer())
	if err != nil || s.SetDeadline(time.Now().Add(t.cfg.Limits.HandshakeTimeout)) != nil {
		fail()
		return
	}
	if _, _, err := t.mux.Negotiate(s); err != nil || s.SetProtocol(ProtocolID) != nil {
		t.log.Debug("Stream of another protocol", "peer", addr, "err", err)
		fail()
		return
	}
	r, why := t.admit(addr, s.Conn().RemotePeer())
	if r == nil {
		t.refuse(s, addr, why)
		return
	}
	l, err := r.handshake(s)
	r.mu.Lock()
	r.handshakes--
	r.mu.Unlock()
	if err != nil {
		t.handshakeFailed(r, s, err)
		r.mu.Lock()
		r.maybeDial()
		r.mu.Unlock()
		return
	}
	l.run()
}

// admit returns the peer that opened a stream, its handshakes incremented, or
// why it may not.
func (t *Transport) admit(addr common.Address, id peer.ID) (*remote, goodbye) {
	if code := t.screen(addr); code != 0 {
		return nil, goodbye{code, ""}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.peers[addr]
	if r == nil {
		if t.peers == nil || !t.welcome(addr) {
			return nil, goodbye{CodeUnknown, "ask the operator of this node to add your address " + addr.Hex()}
		}
		if !t.room() {
			return nil, goodbye{CodeBusy, "too many peers; try later"}
		}
		r = newRemote(t, addr)
		r.auto = true
		t.peers[addr] = r
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handshakes >= 2 {
		return nil, goodbye{CodeBusy, "too many handshakes at a time"}
	}
	r.handshakes++
	r.id = id // an address has one key, and a key one ID
	return r, goodbye{}
}

// handshakeFailed ends a stream whose handshake failed, telling the peer and
// the user why.
func (t *Transport) handshakeFailed(r *remote, s network.Stream, err error) {
	var refused *errRefusal
	var bye *errGoodbye
	switch {
	case errors.As(err, &refused):
		t.refuse(s, r.addr, refused.goodbye)
		return
	case errors.As(err, &bye):
		if bye.code != CodeShutdown && bye.code != CodeSuperseded {
			t.refusedEvent(r.addr, bye.goodbye, true)
		}
	case errors.Is(err, ErrMalformed):
		t.m.drop(dropMalformed, 1)
		t.Penalize(r.addr, err.Error())
		t.refuse(s, r.addr, goodbye{CodeMalformed, err.Error()})
		return
	}
	_ = s.Reset()
	closeStream(s)
}

func (t *Transport) refusedEvent(addr common.Address, g goodbye, remote bool) {
	by := "us"
	if remote {
		by = "peer"
	}
	t.m.refused.WithLabelValues(by, codeLabel(g.code)).Inc()
	stranger := t.peer(addr) == nil
	level := log.LevelInfo
	if stranger {
		level = log.LevelDebug // anybody can make a key: not a way to fill disks
	}
	t.log.Log(level, "Link refused", "peer", addr, "by", by, "code", g.code, "reason", g.text)
	t.event(Event{Kind: Refused, Peer: addr, Code: g.code, Remote: remote, Reason: ending{code: g.code, text: g.text}.String()}, stranger)
}

// refuse says goodbye on a stream without a link and waits a moment for the
// peer to have read it.
func (t *Transport) refuse(s network.Stream, addr common.Address, g goodbye) {
	t.refusedEvent(addr, g, false)
	if s.SetDeadline(time.Now().Add(farewell)) == nil {
		if _, err := s.Write(appendGoodbye(nil, g)); err == nil && s.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, s, farewellBytes)
		}
	}
	_ = s.Reset()
	closeStream(s)
}

// enter adds to wg unless the transport is closed.
func (t *Transport) enter() bool {
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return false
	}
	t.wg.Add(1)
	return true
}
