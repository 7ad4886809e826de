package p2p

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/libp2p/go-libp2p/core/control"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// host is a libp2p swarm and what belongs to it. The parts are put together by
// hand because libp2p.New also starts identify, address discovery and
// reachability checks: protocols that strangers could talk to and that a node
// with known peers has no use for.
type host struct {
	*swarm.Swarm
	rm    network.ResourceManager
	store peerstore.Peerstore
}

// maxStreamWindow bounds what yamux buffers of one peer. It is above
// MaxMessage, and the delivery window bounds honest peers anyway.
const maxStreamWindow = 4 << 20

func newHost(key libcrypto.PrivKey, id peer.ID, cfg *Config, g *gater) (_ *host, err error) {
	l := cfg.Limits
	rm, err := newResourceManager(l)
	if err != nil {
		return nil, fmt.Errorf("create resource manager: %w", err)
	}
	h := &host{rm: rm}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.store, err = pstoremem.NewPeerstore(); err != nil {
		return nil, fmt.Errorf("create peerstore: %w", err)
	}
	if err = errors.Join(h.store.AddPrivKey(id, key), h.store.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, fmt.Errorf("store identity: %w", err)
	}
	muxConfig := *yamux.DefaultTransport.Config()
	muxConfig.KeepAliveInterval = l.Keepalive
	muxConfig.ConnectionWriteTimeout = l.WriteTimeout
	muxConfig.MaxStreamWindowSize = maxStreamWindow
	muxConfig.AcceptBacklog = 16
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: (*yamux.Transport)(&muxConfig)}}
	security, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return nil, fmt.Errorf("create noise: %w", err)
	}
	up, err := upgrader.New([]sec.SecureTransport{security}, muxers, nil, rm, g, upgrader.WithAcceptTimeout(l.HandshakeTimeout))
	if err != nil {
		return nil, fmt.Errorf("create upgrader: %w", err)
	}
	h.Swarm, err = swarm.NewSwarm(id, h.store, eventbus.NewBus(),
		swarm.WithConnectionGater(g), swarm.WithResourceManager(rm), swarm.WithDialTimeout(l.DialTimeout),
		swarm.WithDialTimeoutLocal(l.DialTimeout), swarm.WithDialRanker(swarm.NoDelayDialRanker),
		swarm.WithUDPBlackHoleSuccessCounter(nil), swarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return nil, fmt.Errorf("create swarm: %w", err)
	}
	// Without reuseport two nodes that dial each other cannot end up in one TCP
	// connection on which both believe to be the dialler.
	transport, err := tcp.NewTCPTransport(up, rm, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(l.DialTimeout))
	if err != nil {
		return nil, fmt.Errorf("create TCP transport: %w", err)
	}
	if err = h.AddTransport(transport); err != nil {
		return nil, fmt.Errorf("add TCP transport: %w", err)
	}
	return h, nil
}

func newResourceManager(l Limits) (network.ResourceManager, error) {
	// A peer needs one connection, two while both sides dial; the others are
	// in the handshake.
	inbound := 2*l.Peers + l.Strangers + 64
	n := func(v int) rcmgr.LimitVal { return rcmgr.LimitVal(v) }
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{Conns: n(2 * inbound), ConnsInbound: n(inbound), ConnsOutbound: n(inbound), FD: n(2*inbound + 64),
			Streams: n(4 * inbound), StreamsInbound: n(2 * inbound), StreamsOutbound: n(2 * inbound),
			Memory: rcmgr.LimitVal64((64 + int64(l.Peers)) << 20)},
		Transient: rcmgr.ResourceLimits{Conns: 128, ConnsInbound: 64, ConnsOutbound: 64, FD: 128,
			Streams: 256, StreamsInbound: 128, StreamsOutbound: 128, Memory: 64 << 20},
		PeerDefault: rcmgr.ResourceLimits{Conns: 8, ConnsInbound: 4, ConnsOutbound: 4, FD: 8,
			Streams: 16, StreamsInbound: 8, StreamsOutbound: 8, Memory: 32 << 20},
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet([]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: l.ConnectionsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: l.ConnectionsPerIP}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: loopbackUnlimited,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 1, Burst: l.ConnectionsPerIP}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: rate.Limit{RPS: 1, Burst: l.ConnectionsPerIP}}},
				GracePeriod:      time.Minute,
			},
		}))
}

// loopbackUnlimited lets nodes of one machine connect as often as they like.
var loopbackUnlimited = []rate.PrefixLimit{
	{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
	{Prefix: netip.MustParsePrefix("::1/128")},
}

func (h *host) listen(listen []string) error {
	addrs := make([]ma.Multiaddr, 0, len(listen))
	for _, s := range listen {
		m, err := ma.NewMultiaddr(s)
		if err != nil || !isTCP(m) {
			return fmt.Errorf("%w: cannot listen on %q; use a TCP address such as /ip4/0.0.0.0/tcp/9222", ErrConfig, s)
		}
		addrs = append(addrs, m)
	}
	// One by one: the swarm is content when one of several succeeds, an
	// operator who named them all is not.
	for _, m := range addrs {
		if err := h.Listen(m); err != nil {
			return fmt.Errorf("listen on %s: %w", m, err)
		}
	}
	return nil
}

func (h *host) close() error {
	var errs []error
	if h.Swarm != nil {
		errs = append(errs, h.Swarm.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(append(errs, h.rm.Close())...)
}

// gater refuses connections before they cost anything: of addresses that are
// denied or banned, of identities without an address, and of strangers beyond
// a small number, which get a coded refusal over a link.
type gater struct {
	// screen returns a non-zero code for addresses that are denied or banned.
	screen func(common.Address) Code
	known  func(common.Address) bool
	closed func(addr common.Address, code Code)
	max    int

	mu        sync.Mutex
	strangers map[network.Conn]struct{}
}

func (g *gater) InterceptPeerDial(id peer.ID) bool {
	addr, err := AddressOf(id)
	return err == nil && g.screen(addr) == 0
}

func (g *gater) InterceptAddrDial(_ peer.ID, m ma.Multiaddr) bool { return isTCP(m) }

func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g *gater) InterceptSecured(dir network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	addr, err := AddressOf(id)
	if err != nil {
		g.closed(common.Address{}, CodeDenied)
		return false
	}
	if code := g.screen(addr); code != 0 {
		g.closed(addr, code)
		return false
	}
	if dir == network.DirInbound && !g.known(addr) {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.strangers) < g.max
	}
	return true
}

func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func (g *gater) connected(c network.Conn) {
	if addr, err := AddressOf(c.RemotePeer()); err == nil && c.Stat().Direction == network.DirInbound && !g.known(addr) {
		g.mu.Lock()
		g.strangers[c] = struct{}{}
		g.mu.Unlock()
	}
}

func (g *gater) disconnected(c network.Conn) {
	g.mu.Lock()
	delete(g.strangers, c)
	g.mu.Unlock()
}
