package pushfeed_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin/pushfeed"
)

// opNode is what Starter needs of an op-node's RPC, over go-ethereum's server. The real one is in e2e.
type opNode struct {
	mu             sync.Mutex
	active, behind bool
	looks, starts  int
}

func (o *opNode) SequencerActive() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looks++
	return o.active
}

func (o *opNode) StartSequencer(head common.Hash) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.behind || head != (common.Hash{7}) {
		return errors.New("block hash does not match")
	}
	o.active = true
	o.starts++
	return nil
}

type opNodeStatus struct{}

func (opNodeStatus) SyncStatus() map[string]any {
	return map[string]any{"unsafe_l2": map[string]any{"hash": common.Hash{7}}}
}

func (o *opNode) set(change func(*opNode)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *opNode) get(what func(*opNode) int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return what(o)
}

func (o *opNode) awaitLooks(t *testing.T, more int) {
	t.Helper()
	before := o.get(func(o *opNode) int { return o.looks })
	require.Eventually(t, func() bool { return o.get(func(o *opNode) int { return o.looks }) >= before+more }, patience, poll)
}

// up serves an op-node at an address until down.
func (o *opNode) up(t *testing.T, address string) (down func()) {
	t.Helper()
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("admin", o))
	require.NoError(t, server.RegisterName("optimism", opNodeStatus{}))
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	h := &http.Server{Handler: server}
	go func() { _ = h.Serve(l) }()
	return func() { _ = h.Close() }
}

// awaitSeenDown is a program that hangs up, until somebody has asked it something.
func awaitSeenDown(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	for range 2 { // the first may be a connection that was under way before
		c, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	require.NoError(t, l.Close())
}

// TestStarterStartsWhatComesUpOnly: an op-node that comes up is started, also when it takes a while; one that somebody stopped is not.
func TestStarterStartsWhatComesUpOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	m, err := pushfeed.NewMetrics(nil)
	require.NoError(t, err)
	starts := func(n int) func() bool {
		return func() bool { return testutil.ToFloat64(m.Started) == float64(n) }
	}
	begin := func() *pushfeed.Starter {
		s, err := pushfeed.NewStarter("http://"+address, m, quiet())
		require.NoError(t, err)
		return s
	}
	s := begin()
	o := &opNode{behind: true}
	awaitSeenDown(t, address)
	down := o.up(t, address)
	o.awaitLooks(t, 2)
	require.True(t, starts(0)(), "it is not there yet")
	o.set(func(o *opNode) { o.behind = false })
	require.Eventually(t, starts(1), patience, poll)
	o.awaitLooks(t, 2)

	// A restart, seen or too quick to be seen: an op-node with a conductor begins stopped.
	restart := func(seen bool) {
		down()
		o.set(func(o *opNode) { o.active = false })
		if seen {
			awaitSeenDown(t, address)
		}
		down = o.up(t, address)
	}
	for i, seen := range []bool{true, false} {
		restart(seen)
		require.Eventually(t, starts(2+i), patience, poll)
		o.awaitLooks(t, 2)
	}
	o.set(func(o *opNode) { o.active = false }) // admin_stopSequencer
	o.awaitLooks(t, 3)
	require.True(t, starts(3)(), "somebody stopped it")
	for _, seen := range []bool{true, false} {
		restart(seen)
		o.awaitLooks(t, 3)
		require.True(t, starts(3)(), "it was stopped when its op-node went away")
	}
	s.Close()
	s = begin()
	defer s.Close()
	o.awaitLooks(t, 3)
	require.True(t, starts(3)(), "it was stopped before we began: for all that is known by somebody")
	down()
}

// TestListenTakesTheSocketThatSystemdHolds: the process behind a held socket is killed, and who connects meanwhile is answered by the next.
func TestListenTakesTheSocketThatSystemdHolds(t *testing.T) {
	if os.Getenv("PUSHFEED_HELPER") == "1" {
		l, handed, err := pushfeed.Listen("256.0.0.1:1") // never opened
		require.NoError(t, err)
		require.True(t, handed)
		m, err := pushfeed.NewMetrics(nil)
		require.NoError(t, err)
		c, err := pushfeed.NewConductor(pushfeed.ConductorConfig{Forward: func([]byte) {}, Metrics: m, Log: quiet()})
		require.NoError(t, err)
		<-pushfeed.Serve(l, c, quiet()).Done()
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	held, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer held.Close()
	start := func() *exec.Cmd {
		// systemd sets the pid of the process that it starts, which exec keeps.
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "-test.run=^TestListenTakesTheSocketThatSystemdHolds$")
		cmd.Env = append(os.Environ(), "PUSHFEED_HELPER=1", "LISTEN_FDS=1")
		cmd.ExtraFiles = []*os.File{held}
		require.NoError(t, cmd.Start())
		return cmd
	}
	client, err := rpc.Dial("http://" + l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	for range 3 {
		asked := make(chan error, 1)
		go func() { // nobody accepts yet
			var leader bool
			err := client.Call(&leader, "conductor_leader")
			if err != nil { // its old connection was that of the killed one; op-node tries twice too
				err = client.Call(&leader, "conductor_leader")
			}
			if err == nil && !leader {
				err = errors.New("it says that we do not lead")
			}
			asked <- err
		}()
		cmd := start()
		require.NoError(t, <-asked)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}
