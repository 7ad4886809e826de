package p2p

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func pair(t testing.TB, change ...func(*Config)) (*node, *node) {
	a, b := start(t, testKey(0), change...), start(t, testKey(1), change...)
	a.add(b)
	b.add(a)
	return a, b
}

func TestF6_MessagesArriveOnceInOrderBothWays(t *testing.T) {
	a, b := pair(t)
	const n = 3000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if err := a.Send(b.Address(), numbered(i, i%2000)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range n {
		require.NoError(t, b.Send(a.Address(), numbered(i, 0)))
	}
	<-done
	for i := range n {
		in := b.receive()
		require.Equal(t, a.Address(), in.From)
		require.Equal(t, numbered(i, i%2000), in.Body)
	}
	a.receiveRow(0, n)
	await(t, "everything acknowledged", func() bool { return a.Peers()[0].Queued == 0 && b.Peers()[0].Queued == 0 })
	require.Zero(t, value(t, a.m.queued))
	require.Zero(t, a.queuedBytes.Load())
	require.Equal(t, float64(n), value(t, a.m.outAcked))
	require.NotZero(t, value(t, a.m.ackRTT))
	require.NotZero(t, a.Peers()[0].RTT)
}

func TestF6_LargestAndEmptyMessages(t *testing.T) {
	a, b := pair(t)
	big := numbered(7, MaxMessage)
	for range 10 {
		require.NoError(t, a.Send(b.Address(), big))
		require.NoError(t, a.Send(b.Address(), nil))
	}
	for range 10 {
		require.Equal(t, big, b.receive().Body)
		require.Empty(t, b.receive().Body)
	}
}

func TestF6_CutConnectionsLoseAndRepeatNothing(t *testing.T) {
	a, b := start(t, testKey(0)), start(t, testKey(1))
	p := startProxy(t, tcpTarget(b), 25, 12_000, 60_000)
	require.NoError(t, b.AddPeer(a.Address(), nil))
	require.NoError(t, a.AddPeer(b.Address(), []string{p.multiaddr(b)}))
	const n, back = 6000, 1500
	errs := make(chan error, 1)
	go func() {
		for i := range n {
			if err := a.Send(b.Address(), numbered(i, 300)); err != nil {
				errs <- err
				return
			}
		}
		errs <- nil
	}()
	answers := 0
	for i := range n { // every fourth is answered, so that both directions are cut
		in := b.receive()
		require.Equal(t, uint64(i), binary.BigEndian.Uint64(in.Body))
		if i%4 == 0 {
			require.NoError(t, b.Send(a.Address(), numbered(answers, 300)))
			answers++
		}
	}
	require.NoError(t, <-errs)
	require.Equal(t, back, answers)
	a.receiveRow(0, back)
	p.mu.Lock()
	require.Zero(t, p.cuts, "the test is about connections being cut")
	p.mu.Unlock()
	require.NotZero(t, value(t, a.m.resends))
	require.Equal(t, float64(n), value(t, b.m.inDelivered))
}

func TestF6_QueueWaitsWhilePeerIsAway(t *testing.T) {
	a, b := start(t, testKey(0)), start(t, testKey(1))
	listen := strings.Split(b.Addrs()[0], "/p2p/")[0]
	a.add(b)
	b.stop()
	for i := range 500 {
		require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
	}
	require.Equal(t, 500, a.Peers()[0].Queued)
	b = start(t, testKey(1), func(c *Config) { c.Listen = []string{listen} })
	require.NoError(t, b.AddPeer(a.Address(), nil))
	b.receiveRow(0, 500)
}

func TestF6_SendSaysWhatIsWrong(t *testing.T) {
	a := start(t, testKey(0), func(c *Config) {
		c.Limits.QueueMessages, c.Limits.QueueBytes, c.Limits.TotalQueueBytes = 3, MaxMessage, MaxMessage+100
	})
	far := testAddr(1)
	require.ErrorIs(t, a.Send(far, nil), ErrUnknownPeer)
	require.NoError(t, a.AddPeer(far, nil))
	require.ErrorIs(t, a.Send(far, make([]byte, MaxMessage+1)), ErrTooLarge)
	for range 3 {
		a.mustSend(far, "x")
	}
	err := a.Send(far, []byte("x"))
	require.ErrorIs(t, err, ErrQueueFull)
	require.Contains(t, err.Error(), "3 messages (3 bytes)")
	require.NoError(t, a.AddPeer(testAddr(2), nil))
	require.NoError(t, a.Send(testAddr(2), make([]byte, MaxMessage)))
	require.ErrorIs(t, a.Send(testAddr(2), []byte("x")), ErrQueueFull, "bytes of the peer")
	require.NoError(t, a.AddPeer(testAddr(3), nil))
	require.ErrorIs(t, a.Send(testAddr(3), make([]byte, 98)), ErrQueueFull, "bytes of all")
	require.NoError(t, a.Send(testAddr(3), make([]byte, 97)))
	require.Equal(t, float64(3), value(t, a.m.dropped.WithLabelValues(dropQueueFull)))
	require.Equal(t, float64(5), value(t, a.m.queued))
	require.NoError(t, a.RemovePeer(testAddr(2)))
	require.NoError(t, a.Send(testAddr(3), make([]byte, 1000)), "room again")
	require.ErrorIs(t, a.RemovePeer(testAddr(2)), ErrUnknownPeer)
	a.stop()
	require.ErrorIs(t, a.Send(far, nil), ErrClosed)
	require.ErrorIs(t, a.AddPeer(far, nil), ErrClosed)
}

func TestF6_ReceiverRestartRedeliversWhatWasNotAcknowledged(t *testing.T) {
	a, b := pair(t)
	listen := strings.Split(b.Addrs()[0], "/p2p/")[0]
	for i := range 10 {
		require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
	}
	b.receiveRow(0, 6)
	late := make([]Inbound, 0, 4)
	for range 4 {
		late = append(late, b.take())
	}
	await(t, "six acknowledged", func() bool { return a.Peers()[0].Queued == 4 })
	b.stop()
	for _, in := range late {
		in.Ack() // too late: the process is over
	}
	first := a.waitEvent(Connected, b.Address()).Session
	a.waitEvent(Disconnected, b.Address())
	b = start(t, testKey(1), func(c *Config) { c.Listen = []string{listen} })
	b.add(a)
	b.receiveRow(6, 10)
	require.NotEqual(t, first, a.waitEvent(Connected, b.Address()).Session)
	b.mustSend(a.Address(), "from the new process")
	require.Equal(t, "from the new process", string(a.receive().Body))
}

func TestF6_SenderRestartBeginsNewSession(t *testing.T) {
	a, b := pair(t)
	for i := range 5 {
		require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
	}
	b.receiveRow(0, 5)
	a.stop()
	b.waitEvent(Disconnected, a.Address())
	a = start(t, testKey(0))
	a.add(b)
	for i := range 5 {
		require.NoError(t, a.Send(b.Address(), numbered(100+i, 0)))
	}
	b.receiveRow(100, 105)
}

func TestF6_RemovedAndAddedPeerIsANewSession(t *testing.T) {
	a, b := pair(t)
	a.mustSend(b.Address(), "one")
	require.Equal(t, "one", string(b.receive().Body))
	require.NoError(t, a.RemovePeer(b.Address()))
	b.waitEvent(Disconnected, a.Address())
	require.ErrorIs(t, a.Send(b.Address(), nil), ErrUnknownPeer)
	a.add(b)
	a.mustSend(b.Address(), "two")
	require.Equal(t, "two", string(b.receive().Body))
}

func TestF6_BothSidesDialAtOnce(t *testing.T) {
	for round := range 15 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			a, b := start(t, testKey(0)), start(t, testKey(1))
			start := make(chan struct{})
			errs := make(chan error, 2)
			for _, s := range [][2]*node{{a, b}, {b, a}} {
				go func() {
					<-start
					err := s[0].AddStaticPeer(s[1].Address(), s[1].Addrs())
					for i := 0; i < 200 && err == nil; i++ {
						err = s[0].Send(s[1].Address(), numbered(i, 0))
					}
					errs <- err
				}()
			}
			close(start)
			require.NoError(t, <-errs)
			require.NoError(t, <-errs)
			a.receiveRow(0, 200)
			b.receiveRow(0, 200)
			await(t, "one link on each side", func() bool { return links(a, b) == 1 && links(b, a) == 1 })
			for i := range 100 {
				require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
				require.NoError(t, b.Send(a.Address(), numbered(i, 0)))
			}
			a.receiveRow(0, 100)
			b.receiveRow(0, 100)
		})
	}
}

func links(n, to *node) int {
	r := n.peer(to.Address())
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links)
}

func TestF6_StaticPeerIsKeptConnected(t *testing.T) {
	b := start(t, testKey(1))
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	a := start(t, testKey(0), func(c *Config) { c.Static = b.Addrs() })
	for range 5 {
		a.waitEvent(Connected, b.Address())
		require.NoError(t, a.host.ClosePeer(b.id))
		a.waitEvent(Disconnected, b.Address())
	}
	a.waitEvent(Connected, b.Address())
	require.True(t, a.Peers()[0].Static)
}

func TestA10_UnacknowledgedMessagesStopOnePeerOnly(t *testing.T) {
	const window = 16
	b := start(t, testKey(1), func(c *Config) { c.Limits.WindowMessages, c.Limits.InboundBuffer = window, 2 })
	a, other := start(t, testKey(0)), start(t, testKey(2))
	for _, n := range []*node{a, other} {
		require.NoError(t, b.AddPeer(n.Address(), nil))
		n.add(b)
	}
	const n = 500
	for i := range n {
		require.NoError(t, a.Send(b.Address(), numbered(i, 0)))
	}
	var held []Inbound
	for range window {
		held = append(held, b.take())
	}
	other.mustSend(b.Address(), "still served")
	in := b.receive()
	require.Equal(t, "still served", string(in.Body), "the window of the first peer is used up, the second is served")
	require.Equal(t, n, a.Peers()[0].Queued, "nothing dropped at the sender")
	for i, in := range held {
		require.Equal(t, uint64(i), binary.BigEndian.Uint64(in.Body))
		in.Ack()
		in.Ack() // harmless
	}
	b.receiveRow(window, n)
}

func TestA10_ReceiverHoldsTheWindowAgainstASenderThatIgnoresIt(t *testing.T) {
	const window = 8
	b := start(t, testKey(1), func(c *Config) { c.Limits.WindowMessages, c.Limits.InboundBuffer = window, 1 })
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	s := startRawKey(t, 0).open(b)
	s.send(appendHello(nil, testHello(1, 1)))
	s.hello()
	var flood []byte
	for i := range 4 * window {
		flood = appendData(flood, uint64(i+1), numbered(i, 0))
	}
	s.send(flood)
	r := b.peer(testAddr(0))
	await(t, "window full", func() bool { return b.Peers()[0].Unacknowledged == window })
	for i := range 4 * window {
		in := b.take()
		require.Equal(t, uint64(i), binary.BigEndian.Uint64(in.Body))
		r.mu.Lock()
		held, backlog := r.held, r.backlog.len()
		r.mu.Unlock()
		require.LessOrEqual(t, held, window)
		require.LessOrEqual(t, backlog, window)
		in.Ack()
	}
}

func TestF6_AcksOutOfOrderReportOnlyTheUnbrokenRow(t *testing.T) {
	b := start(t, testKey(1))
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	s := startRawKey(t, 0).open(b)
	s.send(appendHello(nil, testHello(1, 5)))
	s.hello()
	s.send(appendData(appendData(appendData(nil, 5, nil), 6, nil), 7, nil))
	in := []Inbound{b.take(), b.take(), b.take()}
	in[2].Ack()
	in[0].Ack()
	typ, body := s.frame()
	require.Equal(t, typeAck, typ)
	id, err := decodeAck(body)
	require.NoError(t, err)
	require.EqualValues(t, 5, id)
	in[1].Ack()
	_, body = s.frame()
	id, err = decodeAck(body)
	require.NoError(t, err)
	require.EqualValues(t, 7, id)
}

func TestF6_DuplicatesAreToldAcrossSessions(t *testing.T) {
	b := start(t, testKey(1))
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	p := startRawKey(t, 0)
	say := func(session Session, first uint64, ids ...uint64) (*rawStream, *hello) {
		s := p.open(b)
		s.send(appendHello(nil, testHello(session, first)))
		h := s.hello()
		for _, id := range ids {
			s.send(appendData(nil, id, []byte(fmt.Sprint(session, " ", id))))
		}
		return s, h
	}
	body := func() string { return string(b.receive().Body) }
	_, h := say(0xa, 1, 1, 2)
	require.Zero(t, h.known)
	require.Equal(t, "000000000000000a 1", body())
	require.Equal(t, "000000000000000a 2", body())
	_, h = say(0xb, 1, 1)
	require.Equal(t, Session(0xa), h.known)
	require.EqualValues(t, 3, h.next)
	require.Equal(t, "000000000000000b 1", body())
	_, h = say(0xa, 1, 1, 2, 3)
	require.Equal(t, Session(0xb), h.known)
	require.Equal(t, "000000000000000a 3", body(), "1 and 2 were passed on before")
	_, _ = say(0xa, 10, 10)
	require.Equal(t, "000000000000000a 10", body(), "the sender holds nothing before 10")
	require.Equal(t, float64(2), value(t, b.m.duplicates))
}

func TestF6_StuckPeerIsDroppedAfterTheWriteTimeout(t *testing.T) {
	b := start(t, testKey(1), func(c *Config) { c.Limits.WriteTimeout = 100 * time.Millisecond })
	require.NoError(t, b.AddPeer(testAddr(0), nil))
	s := startRawKey(t, 0).open(b)
	h := testHello(1, 1)
	h.windowMessages, h.windowBytes = 1<<20, 1<<40
	s.send(appendHello(nil, h))
	b.waitEvent(Connected, testAddr(0))
	for range 20 { // more than yamux and the kernel take
		require.NoError(t, b.Send(testAddr(0), make([]byte, MaxMessage)))
	}
	b.waitEvent(Disconnected, testAddr(0))
	require.Equal(t, 20, b.Peers()[0].Queued)
}
