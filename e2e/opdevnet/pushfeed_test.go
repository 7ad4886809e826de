//go:build opstack

package opdevnet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// pushed are the blocks that the feed handed on, in their order.
type pushed struct {
	mu     sync.Mutex
	blocks []*eth.ExecutionPayload
}

func (p *pushed) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	var call struct {
		Params []*eth.ExecutionPayloadEnvelope
	}
	if json.Unmarshal(b, &call) != nil || len(call.Params) != 1 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, call.Params[0].ExecutionPayload)
}

func (p *pushed) all() []*eth.ExecutionPayload {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*eth.ExecutionPayload(nil), p.blocks...)
}

// feedStage is an op-node whose conductor is `op-channels push-feed`, behind a socket that is held as systemd does, with a sidecar.
type feedStage struct {
	t      *testing.T
	dir    string
	binary string
	socket *os.File
	args   []string
	feed   *exec.Cmd
	stack  *Stack
	eth    *ethclient.Client
	side   *child.Process
	rpc    *rpc.Client // the sidecar's
	metric string      // where its metrics are
	pushed pushed
}

func newFeedStage(t *testing.T) *feedStage {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	s := &feedStage{t: t, dir: t.TempDir()}
	s.binary = filepath.Join(s.dir, "op-channels")
	build := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "./cmd/op-channels")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	ports, err := child.FreePorts(4)
	require.NoError(t, err)
	nodePort, sidePort, pushPort, metricsPort := ports[0], strconv.Itoa(ports[1]), strconv.Itoa(ports[2]), strconv.Itoa(ports[3])
	watch := httptest.NewServer(&s.pushed)
	t.Cleanup(watch.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	s.socket, err = l.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.socket.Close() })
	s.args = []string{"push-feed", "--to", "http://127.0.0.1:" + pushPort, "--to", watch.URL, "--start-sequencer", "http://127.0.0.1:" + strconv.Itoa(nodePort)}
	s.metric = "http://127.0.0.1:" + metricsPort + "/metrics"
	s.startFeed()

	binaries, err := FindBinaries(root)
	require.NoError(t, err)
	s.stack, err = Start(ctx, Options{
		Dir: filepath.Join(s.dir, "chain"), Binaries: binaries, NodePort: nodePort,
		NodeArgs: []string{"--conductor.enabled", "--conductor.rpc=http://" + l.Addr().String()},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of op-node's log:\n%s", child.Tail(s.stack.Node.LogFile, 8<<10))
		}
		require.NoError(t, s.stack.Close())
	})
	s.eth = ethclient.NewClient(s.stack.Client())
	require.Eventually(t, func() bool { // a young op-geth says that it is indexing instead
		_, err := s.eth.TransactionReceipt(ctx, common.Hash{1})
		return errors.Is(err, ethereum.NotFound)
	}, time.Minute, 50*time.Millisecond)

	contracts, _, err := adjudicator.Deploy(ctx, s.eth, func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return anvil.Send(ctx, s.stack.Client(), anvil.Keys()[2], &c.To, c.Value, c.Data)
	}, 60, common.Hash{})
	require.NoError(t, err)
	key := filepath.Join(s.dir, "session.key")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("01", 32)), 0o600))
	log, err := os.Create(filepath.Join(s.dir, "sidecar.log"))
	require.NoError(t, err)
	defer log.Close()
	s.side, err = child.Start(log, []string{"OP_CHANNELS_PRIVATE_KEY=0x" + hex.EncodeToString(crypto.FromECDSA(anvil.Keys()[3]))}, s.binary,
		"run", "--l2-eth-rpc", s.stack.URL(), "--chain-id", "901", "--adjudicator", contracts.Adjudicator.Hex(), "--session-key", key, "--trust", "unsafe",
		"--data-dir", filepath.Join(s.dir, "data"), "--p2p.listen", "/ip4/127.0.0.1/tcp/0", "--rpc.port", sidePort, "--log.level", "debug",
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", metricsPort, "--push-feed.enabled", "--push-feed.port", pushPort,
		"--poll-interval", "1h", "--l2-stall", "0") // what is seen of the chain is seen because it was pushed
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.side.Kill()
		if t.Failed() {
			t.Logf("the end of the sidecar's log:\n%s", child.Tail(log.Name(), 8<<10))
		}
	})
	s.rpc, err = rpc.Dial("http://127.0.0.1:" + sidePort)
	require.NoError(t, err)
	t.Cleanup(s.rpc.Close)
	require.Eventually(t, func() bool { return s.rpc.Call(nil, "channels_nodeInfo") == nil }, time.Minute, 50*time.Millisecond)
	return s
}

// startFeed runs the feed on the held socket. systemd sets the pid of what it starts, which exec keeps.
func (s *feedStage) startFeed() {
	log, err := os.OpenFile(filepath.Join(s.dir, "push-feed.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(s.t, err)
	defer log.Close()
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, s.binary}, s.args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = append(os.Environ(), "LISTEN_FDS=1"), log, log, []*os.File{s.socket}
	require.NoError(s.t, cmd.Start())
	s.feed = cmd
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func (s *feedStage) killFeed() {
	require.NoError(s.t, s.feed.Process.Kill())
	_ = s.feed.Wait()
}

func (s *feedStage) head() uint64 {
	n, err := s.eth.BlockNumber(s.t.Context())
	require.NoError(s.t, err)
	return n
}

// pace waits for more blocks, and says how long the longest pause between two of them was.
func (s *feedStage) pace(what string, blocks uint64) {
	s.t.Helper()
	begin, last, seen, longest := time.Now(), time.Now(), s.head(), time.Duration(0)
	end := seen + blocks
	require.Eventually(s.t, func() bool {
		if n := s.head(); n > seen {
			longest, last, seen = max(longest, time.Since(last)), time.Now(), n
		}
		return seen >= end
	}, 2*time.Minute, 10*time.Millisecond, what)
	s.t.Logf("%-60s %d blocks in %5.1f s, the longest pause %4.1f s", what, blocks, time.Since(begin).Seconds(), longest.Seconds())
}

// stands waits until op-node has failed twice to give a block to its conductor, and checks that there is none meanwhile.
func (s *feedStage) stands(why string) {
	s.t.Helper()
	failed := func() int {
		b, err := os.ReadFile(s.stack.Node.LogFile)
		require.NoError(s.t, err)
		return strings.Count(string(b), "failed to commit unsafe payload to conductor")
	}
	before, begin := failed(), time.Now()
	require.Eventually(s.t, func() bool { return failed() > before }, time.Minute, 10*time.Millisecond)
	head := s.head()
	require.Eventually(s.t, func() bool { return failed() > before+3 }, time.Minute, 10*time.Millisecond)
	require.Equal(s.t, head, s.head(), "no block while the feed is %s", why)
	s.t.Logf("the feed is %s for %.1f s: no block", why, time.Since(begin).Seconds())
}

func (s *feedStage) info() (info sidecar.NodeInfo) {
	require.NoError(s.t, s.rpc.Call(&info, "channels_nodeInfo"))
	require.NotNil(s.t, info.PushFeed)
	return info
}

// follows waits until the sidecar, which never polls, has applied a block that is built from now on.
func (s *feedStage) follows() {
	s.t.Helper()
	want := s.head() + 2
	require.Eventually(s.t, func() bool { return uint64(s.info().Head) >= want }, time.Minute, 50*time.Millisecond)
}

// TestF7_APushedBlockIsSeenAndNothingHoldsUpTheSequencer: op-node with the feed as its conductor. Every block that it builds is pushed, and is
// the chain's. The sequencer does not notice a sidecar that is stopped; it goes on when the feed is killed behind a socket that is
// held, and after an op-node's restart, and it takes up what it missed while the feed itself was stopped.
func TestF7_APushedBlockIsSeenAndNothingHoldsUpTheSequencer(t *testing.T) {
	s := newFeedStage(t)
	s.pace("with the feed", 10)
	s.follows()

	require.NoError(t, syscall.Kill(s.side.PID(), syscall.SIGSTOP))
	s.pace("the sidecar is stopped (SIGSTOP)", 10)
	require.NoError(t, syscall.Kill(s.side.PID(), syscall.SIGCONT))
	s.follows()

	for range 3 {
		s.killFeed()
		s.startFeed()
		s.pace("the feed was killed (SIGKILL) and started on its held socket", 5)
	}
	s.follows()

	// What no design of ours can change: without an answer op-node builds nothing. It takes that up again.
	s.killFeed()
	s.stands("gone")
	s.startFeed()
	s.pace("the feed had been gone", 5)
	require.NoError(t, s.feed.Process.Signal(syscall.SIGSTOP))
	s.stands("stopped")
	require.NoError(t, s.feed.Process.Signal(syscall.SIGCONT))
	s.pace("the feed had been stopped (SIGSTOP)", 5)
	s.follows()

	require.NoError(t, s.stack.Node.Stop(t.Context()))
	require.NoError(t, s.stack.Node.Start(t.Context()))
	s.pace("op-node was started again", 5)
	s.follows()

	// Every block from the feed is the chain's, and none is left out but those that the feed was killed with.
	blocks := s.pushed.all()
	require.Greater(t, len(blocks), 40)
	seen := make(map[common.Hash]bool)
	other := 0
	for _, b := range blocks {
		var head *types.Header
		require.NoError(t, s.stack.Client().Call(&head, "eth_getBlockByNumber", hexutil.Uint64(b.BlockNumber), false))
		if seen[b.BlockHash] = true; head == nil || head.Hash() != b.BlockHash {
			other++
		}
	}
	require.LessOrEqual(t, other, 1, "the newest may not be in the chain yet")
	missing := 0
	for n := uint64(blocks[0].BlockNumber); n < s.head(); n++ {
		head, err := s.eth.HeaderByNumber(t.Context(), new(big.Int).SetUint64(n))
		require.NoError(t, err)
		if !seen[head.Hash()] {
			missing++
		}
	}
	t.Logf("%d pushes of %d blocks, %d blocks of the chain were not handed on", len(blocks), len(seen), missing)
	require.LessOrEqual(t, missing, 5, "a block is in the hands of the feed when that is killed, five times at most")
	status := s.info().PushFeed
	require.Zero(t, status.Invalid)
	require.Positive(t, status.Taken)
	t.Logf("the sidecar: %+v", *status)
	s.showMetrics()

	// The last resort of an operator whose feed does not come back.
	s.killFeed()
	s.stands("gone")
	require.NoError(t, s.stack.node.Call(nil, "admin_overrideLeader"))
	s.pace("op-node does without its conductor (admin_overrideLeader)", 5)
}

// showMetrics logs what the sidecar measured.
func (s *feedStage) showMetrics() {
	t := s.t
	resp, err := http.Get(s.metric)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "op_channels_chain_pushed") && !strings.Contains(line, "_bucket") || strings.HasPrefix(line, "op_channels_chain_pushed_lead_seconds_bucket") {
			t.Log(line)
		}
	}
}
