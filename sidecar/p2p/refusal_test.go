package p2p

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// dialState returns the dial attempts to a peer and when the next is due.
func dialState(n *node, to common.Address) (int, time.Time) {
	r := n.peer(to)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts, r.notBefore
}

func TestR8_OtherVersionOrNetworkIsRefusedWithCodeAndNoRetryStorm(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   Code
		change func(*Config)
	}{
		{"version", CodeVersion, func(c *Config) { c.ProtocolVersion = 2 }},
		{"network", CodeNetwork, func(c *Config) { c.Network = "1/0x00000000000000000000000000000000000000ad" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := start(t, testKey(0)), start(t, testKey(1), c.change)
			require.NoError(t, b.AddPeer(a.Address(), nil))
			a.add(b)
			a.mustSend(b.Address(), "never arrives")
			e := a.waitEvent(Refused, b.Address())
			require.Equal(t, c.code, e.Code)
			require.NotEmpty(t, e.Reason)
			require.Equal(t, c.code, b.waitEvent(Refused, a.Address()).Code)
			await(t, "next dial put off", func() bool { n, _ := dialState(a, b.Address()); return n == 1 })
			attempts, next := dialState(a, b.Address())
			require.Equal(t, 1, attempts)
			require.Greater(t, time.Until(next), a.cfg.Limits.RefusedRetry/3)
			require.Equal(t, c.code, a.Peers()[0].Refused)
			require.False(t, a.Peers()[0].Connected)
			require.Equal(t, 1, a.Peers()[0].Queued, "kept")
			require.NotZero(t, value(t, b.m.refused.WithLabelValues("us", c.code.String())))
		})
	}
}

func TestR8_PeerOfAnotherLibp2pProtocolIsRefused(t *testing.T) {
	a := start(t, testKey(0))
	p := startRawKey(t, 1) // answers no stream
	m := p.host.ListenAddresses()[0].String() + "/p2p/" + p.host.LocalPeer().String()
	a.cfg.Limits.HandshakeTimeout = 200 * time.Millisecond
	require.NoError(t, a.AddPeer(testAddr(1), []string{m}))
	a.mustSend(testAddr(1), "x")
	await(t, "failed dials", func() bool { n, _ := dialState(a, testAddr(1)); return n >= 2 })
	require.False(t, a.Peers()[0].Connected)
}

func TestR8_UnknownAddressGetsACodedRefusal(t *testing.T) {
	a, b := start(t, testKey(0)), start(t, testKey(1))
	a.add(b)
	a.mustSend(b.Address(), "hello?")
	e := a.waitEvent(Refused, b.Address())
	require.Equal(t, CodeUnknown, e.Code)
	require.True(t, e.Remote)
	require.Contains(t, e.Reason, a.Address().Hex())
	e = b.waitEvent(Refused, a.Address())
	require.Equal(t, CodeUnknown, e.Code)
	require.False(t, e.Remote)
	// Once added, the message arrives without anything else being done.
	require.NoError(t, b.AddPeer(a.Address(), nil))
	require.Equal(t, "hello?", string(b.receive().Body))
}

func TestR8_DeniedAddressCannotConnectNorBeAdded(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"deny list":             func(c *Config) { c.DenyList = []common.Address{testAddr(0)} },
		"not on the allow list": func(c *Config) { c.AllowList = []common.Address{testAddr(5)} },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, testKey(0)), start(t, testKey(1), change)
			require.ErrorIs(t, b.AddPeer(a.Address(), a.Addrs()), ErrDenied)
			a.add(b)
			a.mustSend(b.Address(), "x")
			await(t, "two failed dials", func() bool { n, _ := dialState(a, b.Address()); return n >= 2 })
			require.NotZero(t, value(t, b.m.refused.WithLabelValues("us", "denied")))
			require.Empty(t, b.Peers())
			require.False(t, a.Peers()[0].Connected)
		})
	}
}

func TestR8_AllowListAndAcceptUnknownLetStrangersIn(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"allow list":     func(c *Config) { c.AllowList = []common.Address{testAddr(0), testAddr(2)} },
		"accept unknown": func(c *Config) { c.AcceptUnknown = true },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, testKey(0)), start(t, testKey(1), change)
			a.add(b)
			a.mustSend(b.Address(), "new here")
			in := b.receive()
			require.Equal(t, a.Address(), in.From)
			b.mustSend(in.From, "welcome")
			require.Equal(t, "welcome", string(a.receive().Body))
		})
	}
}

func TestA10_StrangersTakeNoPlaceOfPeers(t *testing.T) {
	hub := start(t, testKey(1), func(c *Config) { c.AcceptUnknown = true; c.Limits.Peers = 2 })
	friend := start(t, testKey(2))
	require.NoError(t, hub.AddPeer(friend.Address(), nil))
	one, two := start(t, testKey(3)), start(t, testKey(4))
	one.add(hub)
	one.mustSend(hub.Address(), "one")
	require.Equal(t, "one", string(hub.receive().Body))
	two.add(hub)
	two.mustSend(hub.Address(), "two")
	require.Equal(t, CodeBusy, two.waitEvent(Refused, hub.Address()).Code)
	require.ErrorIs(t, hub.AddPeer(testAddr(9), nil), ErrTooManyPeers)
	one.stop() // a stranger that went away makes room
	require.Equal(t, "two", string(hub.receive().Body))
	friend.add(hub)
	friend.mustSend(hub.Address(), "friend")
	require.Equal(t, "friend", string(hub.receive().Body))
}

func TestR8_IdentityWithoutAddressIsRefused(t *testing.T) {
	b := start(t, testKey(1), func(c *Config) { c.AcceptUnknown = true })
	key, _, err := libcrypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	p := startRaw(t, key)
	if err := p.connect(b); err == nil { // noise may be done before the other side refuses
		await(t, "connection closed", func() bool { return len(p.host.ConnsToPeer(b.id)) == 0 })
	}
	await(t, "refusal counted", func() bool { return value(t, b.m.refused.WithLabelValues("us", "denied")) == 1 })
	id, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	_, err = AddressOf(id)
	require.ErrorIs(t, err, ErrKeyType)
}

func TestA7_StrangersHoldFewConnections(t *testing.T) {
	b := start(t, testKey(1), func(c *Config) { c.Limits.Strangers = 1 })
	p, q, friend := startRawKey(t, 3), startRawKey(t, 4), startRawKey(t, 5)
	require.NoError(t, b.AddPeer(testAddr(5), nil))
	require.NoError(t, p.connect(b))
	await(t, "first stranger there", func() bool { return len(b.host.Conns()) == 1 })
	if err := q.connect(b); err == nil { // noise may be done before the other side refuses
		await(t, "second stranger refused", func() bool { return len(q.host.Conns()) == 0 })
	}
	require.Len(t, p.host.Conns(), 1)
	friend.open(b).send(appendHello(nil, testHello(1, 1)))
	b.waitEvent(Connected, testAddr(5))
}

func TestA7_ConnectionsWithoutLinkAreClosed(t *testing.T) {
	b := start(t, testKey(1))
	b.conns.timeout = 5 * time.Millisecond // nobody connected yet
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	p := startRawKey(t, 0)
	_ = p.connect(b) // fails when the connection is closed before it is used
	await(t, "drop counted", func() bool { return value(t, b.m.dropped.WithLabelValues(dropConnection)) == 1 })
	await(t, "idle connection closed", func() bool { return len(b.host.Conns()) == 0 && len(p.host.Conns()) == 0 })
}

func TestA29_MalformedFramesEndTheLinkAndAreCounted(t *testing.T) {
	hi := appendHello(nil, testHello(1, 1))
	frame := func(typ byte, body ...byte) []byte { return append(appendFrameHeader(nil, typ, len(body)), body...) }
	for _, c := range []struct {
		name  string
		bytes []byte
		after bool // the hello
	}{
		{"length zero", []byte{0}, true},
		{"length beyond limit", binary.AppendUvarint(nil, maxFrame+1), true},
		{"length not shortest", []byte{0x82, 0x00, 3, 1}, true},
		{"length endless", []byte{0xff, 0xff, 0xff, 0xff, 0xff}, true},
		{"unknown type", frame(9, 1), true},
		{"ack too long for its type", append(binary.AppendUvarint(nil, 1<<20), typeAck), true},
		{"second hello", hi, true},
		{"data id zero", appendData(nil, 0, nil), true},
		{"data id not shortest", frame(typeData, 0x81, 0x00), true},
		{"data without id", frame(typeData), true},
		{"data gap", appendData(nil, 2, nil), true},
		{"ack zero", appendAck(nil, 0), true},
		{"ack of what was not sent", appendAck(nil, 1), true},
		{"goodbye without code", frame(typeGoodbye), true},
		{"goodbye not UTF-8", frame(typeGoodbye, 1, 0xff), true},
		{"data before hello", appendData(nil, 1, nil), false},
		{"hello short", frame(typeHello, 1, 3, 'a'), false},
		{"hello session zero", appendHello(nil, testHello(0, 1)), false},
		{"hello first zero", appendHello(nil, testHello(1, 0)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, testKey(1))
			require.NoError(t, b.AddPeer(testAddr(0), nil))
			s := startRawKey(t, 0).open(b)
			if c.after {
				s.send(hi)
			}
			s.send(c.bytes)
			require.Equal(t, CodeMalformed, s.goodbye().code)
			require.Equal(t, float64(1), value(t, b.m.dropped.WithLabelValues(dropMalformed)))
			require.Equal(t, float64(1), value(t, b.m.penalties))
			select {
			case in := <-b.Inbound():
				require.Failf(t, "delivered", "%v", in)
			default:
			}
		})
	}
}

func TestA29_HelloThatContradictsOurCounterIsRefused(t *testing.T) {
	b := start(t, testKey(1))
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	p := startRawKey(t, 0)
	s := p.open(b)
	s.send(appendHello(nil, testHello(1, 1)))
	theirs := s.hello()
	s = p.open(b)
	h := testHello(1, 1)
	h.known, h.next = theirs.session, 7 // nothing was ever sent
	s.send(appendHello(nil, h))
	require.Equal(t, CodeMalformed, s.goodbye().code)
}

func TestR8_MoreThan100InvalidMessagesInASecondBan(t *testing.T) {
	a, b := pair(t)
	a.mustSend(b.Address(), "x")
	b.receive()
	b.waitEvent(Connected, a.Address())
	now := time.Now()
	b.offenders.mu.Lock() // links may still be settling
	b.offenders.now = func() time.Time { return now }
	b.offenders.mu.Unlock()
	for range 100 {
		b.Penalize(a.Address(), "invalid signature")
	}
	b.offenders.mu.Lock()
	now = now.Add(time.Second)
	b.offenders.mu.Unlock()
	for range 100 {
		b.Penalize(a.Address(), "invalid signature")
	}
	require.Zero(t, value(t, b.m.bans), "100 in a second are tolerated")
	b.Penalize(a.Address(), "invalid signature")
	require.Equal(t, float64(1), value(t, b.m.bans))
	e := b.waitEvent(Banned, a.Address())
	require.Equal(t, now.Add(b.cfg.Limits.BanDuration), e.Until)
	e = a.events.wait(t, "disconnected as banned", func(e Event) bool { return e.Kind == Disconnected && e.Code == CodeBanned })
	require.True(t, e.Remote)
	require.Equal(t, e.Peer, b.Address())
	require.Equal(t, now.Add(b.cfg.Limits.BanDuration), b.Peers()[0].BannedUntil)
	attempts, next := dialState(a, b.Address())
	require.LessOrEqual(t, attempts, 1)
	require.Greater(t, time.Until(next), a.cfg.Limits.RefusedRetry/3)
	require.Error(t, startRawKey(t, 0).tryStream(b), "a banned address gets no stream")
}

// tryStream opens a stream and reads from it.
func (p *rawPeer) tryStream(n *node) error {
	if err := p.connect(n); err != nil {
		return err
	}
	ctx := p.t.Context()
	s, err := p.host.NewStream(ctx, n.id)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	return errors.Join(s.SetDeadline(time.Now().Add(patience)), func() error { _, err := s.Read(make([]byte, 1)); return err }())
}

func TestR8_BanEndsAndOffendersAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	o := newOffenders(2, time.Minute, func() time.Time { return now })
	bad := testAddr(0)
	for i, want := range []bool{false, false, true, false} {
		_, banned := o.count(bad)
		require.Equal(t, want, banned, i)
	}
	_, banned := o.bannedUntil(bad)
	require.True(t, banned)
	for i := range 3 * maxOffenders {
		o.count(common.BigToAddress(big.NewInt(int64(i + 1))))
		require.LessOrEqual(t, len(o.counts), maxOffenders)
	}
	_, banned = o.bannedUntil(bad)
	require.True(t, banned, "a ban outlives a flood of small offences")
	now = now.Add(time.Minute)
	_, banned = o.bannedUntil(bad)
	require.False(t, banned)
	_, banned = o.count(bad)
	require.False(t, banned)
}
