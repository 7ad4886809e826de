package p2p

import (
	"context"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestF6_PeerIsNamedByItsAddress(t *testing.T) {
	a := start(t, testKey(0))
	require.Equal(t, crypto.PubkeyToAddress(testKey(0).PublicKey), a.Address())
	addr, err := ParsePeer(a.Addrs()[0])
	require.NoError(t, err)
	require.Equal(t, a.Address(), addr)
	id := "/p2p/" + a.id.String()
	for _, s := range []string{"", "nonsense", "/ip4/127.0.0.1/tcp/1", id, "/ip4/127.0.0.1/udp/1/quic-v1" + id, "/ip4/127.0.0.1/tcp/1/ws" + id,
		"/ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY/p2p-circuit" + id,
		"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV"} {
		_, err := ParsePeer(s)
		require.ErrorIs(t, err, ErrBadMultiaddr, s)
	}
	require.ErrorIs(t, a.AddPeer(testAddr(1), a.Addrs()), ErrBadMultiaddr, "another peer's multiaddr")
	require.ErrorIs(t, a.AddPeer(a.Address(), nil), ErrDenied, "itself")
	many := make([]string, maxMultiaddrs+1)
	require.ErrorIs(t, a.AddPeer(testAddr(1), many), ErrBadMultiaddr)
	require.Empty(t, a.Peers())
}

func TestF6_PeersAreListedWithWhatIsKnown(t *testing.T) {
	a, b := pair(t)
	require.NoError(t, a.AddPeer(testAddr(5), nil))
	b.mustSend(a.Address(), "x")
	in := a.take()
	list := a.Peers()
	require.Len(t, list, 2)
	require.True(t, sort.SliceIsSorted(list, func(i, j int) bool { return list[i].Address.Cmp(list[j].Address) < 0 }))
	for _, p := range list {
		if p.Address == b.Address() {
			require.Equal(t, b.Addrs(), p.Multiaddrs)
			require.True(t, p.Connected)
			require.NotZero(t, p.Session)
			require.Equal(t, 1, p.Unacknowledged)
		} else {
			require.Equal(t, PeerInfo{Address: testAddr(5)}, p)
		}
	}
	in.Ack()
}

func TestF12_ConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no key":            func(c *Config) { c.Key = nil },
		"no network":        func(c *Config) { c.Network = "" },
		"long network":      func(c *Config) { c.Network = strings.Repeat("x", maxNetwork+1) },
		"network not UTF-8": func(c *Config) { c.Network = "\xff" },
		"small window":      func(c *Config) { c.Limits.WindowBytes = MaxMessage - 1 },
		"negative queue":    func(c *Config) { c.Limits.QueueMessages = -1 },
		"negative time":     func(c *Config) { c.Limits.AckDelay = -1 },
		"listen on UDP":     func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1"} },
	} {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			_, err := New(testConfig(testKey(0), change))
			require.ErrorIs(t, err, ErrConfig)
		})
	}
	checkLeaks(t)
	_, err := New(testConfig(testKey(0), func(c *Config) { c.Static = []string{"/ip4/127.0.0.1/tcp/1"} }))
	require.ErrorIs(t, err, ErrBadMultiaddr)
	a := start(t, testKey(0))
	_, err = New(testConfig(testKey(1), func(c *Config) { c.Listen = []string{strings.Split(a.Addrs()[0], "/p2p/")[0]} }))
	require.Error(t, err, "port in use")
}

func TestF12_MetricsAreRegisteredOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	a := start(t, testKey(0), func(c *Config) { c.Registerer = reg })
	require.NoError(t, a.AddPeer(testAddr(1), nil))
	a.mustSend(testAddr(1), "queued")
	families, err := reg.Gather()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range families {
		require.True(t, strings.HasPrefix(f.GetName(), "op_channels_p2p_"), f.GetName())
		names[f.GetName()] = true
	}
	for _, n := range []string{"messages_total", "bytes_total", "dropped_total", "resends_total", "queue_length", "queue_bytes", "peers_connected",
		"bans_total", "penalties_total", "ack_rtt_seconds"} {
		require.True(t, names["op_channels_p2p_"+n], n)
	}
	_, err = New(testConfig(testKey(1), func(c *Config) { c.Registerer = reg }))
	require.ErrorIs(t, err, ErrConfig)
}

func TestF6_EventsKeepTheLatestState(t *testing.T) {
	q := newEventQueue()
	a, b := testAddr(0), testAddr(1)
	for s := range 1000 {
		require.True(t, q.put(Event{Kind: Connected, Peer: a, Session: Session(s)}, false))
		require.True(t, q.put(Event{Kind: Disconnected, Peer: a, Session: Session(s)}, false))
		require.True(t, q.put(Event{Kind: Refused, Peer: b, Code: CodeNetwork}, false))
	}
	q.put(Event{Kind: Connected, Peer: a, Session: 7}, false)
	e, ok := q.take()
	require.True(t, ok)
	require.Equal(t, Event{Kind: Connected, Peer: a, Session: 7}, e)
	e, ok = q.take()
	require.True(t, ok)
	require.Equal(t, b, e.Peer)
	_, ok = q.take()
	require.False(t, ok)
	for i := range 2 * maxStrangerEvents {
		ok := q.put(Event{Kind: Refused, Peer: common.BytesToAddress([]byte{byte(i >> 8), byte(i), 1})}, true)
		require.Equal(t, i < maxStrangerEvents, ok)
	}
	require.True(t, q.put(Event{Kind: Connected, Peer: a}, false), "strangers leave room for peers")
}

func TestF6_RingIsAQueue(t *testing.T) {
	var r ring[int]
	var oracle []int
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 50_000 {
		if grow := i%10_000 < 5_000; rng.IntN(10) < 3 || (grow && rng.IntN(10) < 8) || len(oracle) == 0 {
			r.push(i)
			oracle = append(oracle, i)
		} else {
			require.Equal(t, oracle[0], r.pop())
			oracle = oracle[1:]
		}
		require.Equal(t, len(oracle), r.len())
		if n := len(oracle); n > 0 {
			k := rng.IntN(n)
			require.Equal(t, oracle[k], *r.at(k))
		}
	}
}

func TestF6_CloseSendsWhatIsQueuedAndSaysGoodbye(t *testing.T) {
	a, b := pair(t)
	a.mustSend(b.Address(), "0")
	b.receive()
	const n = 300
	for i := range n {
		require.NoError(t, a.Send(b.Address(), numbered(i, 1000)))
	}
	a.stop()
	b.receiveRow(0, n)
	e := b.waitEvent(Disconnected, a.Address())
	require.Equal(t, CodeShutdown, e.Code)
	require.True(t, e.Remote)
	_, open := <-a.Inbound()
	require.False(t, open)
	require.NoError(t, a.Close(context.Background()), "again")
}

func TestF6_CloseDoesNotWaitForAnybody(t *testing.T) {
	t.Run("user that reads neither messages nor events", func(t *testing.T) {
		checkLeaks(t)
		b, err := New(testConfig(testKey(1), func(c *Config) { c.Limits.InboundBuffer = 1 }))
		require.NoError(t, err)
		a := start(t, testKey(0))
		require.NoError(t, b.AddPeer(a.Address(), nil))
		require.NoError(t, a.AddPeer(b.Address(), b.Addrs()))
		for i := range 3000 {
			require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
		}
		await(t, "window full", func() bool { return b.Peers()[0].Unacknowledged == b.cfg.Limits.WindowMessages })
		require.NoError(t, b.Close(context.Background()))
	})
	t.Run("peer that reads nothing", func(t *testing.T) {
		b := start(t, testKey(1))
		require.NoError(t, b.AddPeer(testAddr(0), nil))
		s := startRawKey(t, 0).open(b)
		h := testHello(1, 1)
		h.windowMessages, h.windowBytes = 1<<20, 1<<40
		s.send(appendHello(nil, h))
		b.waitEvent(Connected, testAddr(0))
		for range 20 {
			require.NoError(t, b.Send(testAddr(0), make([]byte, MaxMessage)))
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.NoError(t, b.Close(ctx))
		b.closed = true
	})
	t.Run("dials under way", func(t *testing.T) {
		p := startRawKey(t, 1) // accepts connections and streams, never answers
		m := p.host.ListenAddresses()[0].String() + "/p2p/" + p.host.LocalPeer().String()
		a := start(t, testKey(0))
		require.NoError(t, a.AddStaticPeer(testAddr(1), []string{m}))
		await(t, "connected at the lower layer", func() bool { return len(p.host.Conns()) == 1 })
		require.NoError(t, a.Close(context.Background()))
		a.closed = true
	})
}
