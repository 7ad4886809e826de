package anvil

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// Options of a Node. The zero value is a chain with id 31337 that mines a block per transaction.
type Options struct {
	Binary        string        // path of anvil; empty: Find
	Port          int           // 0: the kernel picks a free one
	ChainID       uint64        // 0: 31337
	BlockTime     time.Duration // 0: a block per transaction; otherwise a block per interval, in whole seconds
	NoMining      bool          // blocks only by Mine
	SlotsInEpoch  uint64        // safe is one epoch behind latest, finalized two; 0: anvil's 32
	Accounts      int           // 0: 10, at most 10
	GenesisTime   uint64        // UNIX seconds; 0: now
	Network       string        // "", or "optimism" for deposit transactions
	GasLimit      uint64        // of a block; 0: anvil's 30,000,000
	Output        io.Writer     // anvil's own log; nil: dropped
	StartTimeout  time.Duration // 0: 20 s
	ExtraArgs     []string      // passed through
	StateFile     string        // load from and dump to; empty: memory only
	HistoryBlocks uint64        // states kept in memory; 0: all
}

// Node is a running anvil.
type Node struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	port   int
	client *rpc.Client

	exited  chan struct{}
	exitErr error // set before exited is closed

	closeOnce sync.Once
}

// ErrStart is returned when anvil ends or stays silent before it is ready.
var ErrStart = errors.New("anvil did not start")

// Start runs anvil and returns when it answers. Its life ends with Close or with ctx.
func Start(ctx context.Context, o Options) (*Node, error) {
	if o.Binary == "" {
		var err error
		if o.Binary, err = Find(); err != nil {
			return nil, err
		}
	}
	args, err := o.args()
	if err != nil {
		return nil, err
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 20 * time.Second
	}
	runCtx, cancel := context.WithCancel(ctx)
	n := &Node{cancel: cancel, exited: make(chan struct{})}
	n.cmd = exec.CommandContext(runCtx, o.Binary, args...)
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(os.Interrupt) }
	n.cmd.WaitDelay = 3 * time.Second // then it is killed
	dieWithParent(n.cmd)
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	output := o.Output
	if output == nil {
		output = io.Discard
	}
	tail := &lastLines{}
	n.cmd.Stderr = io.MultiWriter(output, tail)

	started, ready := make(chan error, 1), make(chan int, 1)
	go n.run(started, func() { readLines(stdout, io.MultiWriter(output, tail), ready) })
	if err := <-started; err != nil {
		cancel()
		return nil, fmt.Errorf("%w: run %s: %w", ErrStart, o.Binary, err)
	}
	timeout := time.NewTimer(o.StartTimeout)
	defer timeout.Stop()
	select {
	case n.port = <-ready:
	case <-n.exited:
		cancel()
		return nil, fmt.Errorf("%w: %s %s: %v: %s", ErrStart, o.Binary, strings.Join(args, " "), n.exitErr, tail)
	case <-timeout.C:
		_ = n.Close()
		return nil, fmt.Errorf("%w within %s: %s", ErrStart, o.StartTimeout, tail)
	case <-ctx.Done():
		_ = n.Close()
		return nil, fmt.Errorf("%w: %w", ErrStart, ctx.Err())
	}
	if n.client, err = rpc.DialContext(ctx, n.URL()); err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("%w: connect to %s: %w", ErrStart, n.URL(), err)
	}
	return n, nil
}

// run starts the child and waits for it on one thread that lives as long as the child: the kernel's parent-death signal
// is tied to the thread, not to the process.
func (n *Node) run(started chan<- error, read func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := n.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); read() }()
	<-done // Wait closes the pipe, so everything must be read first
	n.exitErr = n.cmd.Wait()
	close(n.exited)
}

func (o Options) args() ([]string, error) {
	args := []string{"--host", "127.0.0.1", "--port", strconv.Itoa(o.Port), "--color", "never"}
	add := func(set bool, flag string, value string) {
		if set {
			args = append(args, flag)
			if value != "" {
				args = append(args, value)
			}
		}
	}
	if o.BlockTime != 0 && (o.BlockTime < time.Second || o.BlockTime%time.Second != 0) {
		return nil, fmt.Errorf("%w: a block time of %s is not in whole seconds", ErrStart, o.BlockTime)
	}
	if o.Accounts < 0 || o.Accounts > len(wellKnownKeys) {
		return nil, fmt.Errorf("%w: %d accounts, allowed are 1 to %d; give others money with SetBalance", ErrStart, o.Accounts, len(wellKnownKeys))
	}
	if o.Network != "" && o.Network != "optimism" {
		return nil, fmt.Errorf("%w: unknown network %q, known is \"optimism\"", ErrStart, o.Network)
	}
	add(o.ChainID != 0, "--chain-id", strconv.FormatUint(o.ChainID, 10))
	add(o.BlockTime != 0, "--block-time", strconv.FormatInt(int64(o.BlockTime/time.Second), 10))
	add(o.NoMining, "--no-mining", "")
	add(o.SlotsInEpoch != 0, "--slots-in-an-epoch", strconv.FormatUint(o.SlotsInEpoch, 10))
	add(o.Accounts != 0, "--accounts", strconv.Itoa(o.Accounts))
	add(o.GenesisTime != 0, "--timestamp", strconv.FormatUint(o.GenesisTime, 10))
	add(o.Network != "", "--network", o.Network)
	add(o.GasLimit != 0, "--gas-limit", strconv.FormatUint(o.GasLimit, 10))
	add(o.StateFile != "", "--state", o.StateFile)
	add(o.HistoryBlocks != 0, "--prune-history", strconv.FormatUint(o.HistoryBlocks, 10))
	return append(args, o.ExtraArgs...), nil
}

const listening = "Listening on 127.0.0.1:"

// readLines copies the child's output and reports the port when it says that it listens.
func readLines(r io.Reader, out io.Writer, ready chan<- int) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			_, _ = io.WriteString(out, line) // a full disk of the log's reader must not stop the chain
		}
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), listening); ok && ready != nil {
			if port, err := strconv.Atoi(rest); err == nil {
				ready <- port
				ready = nil
			}
		}
		if err != nil {
			return
		}
	}
}

// lastLines keeps the end of the output for error messages.
type lastLines struct {
	mu  sync.Mutex
	buf []byte
}

const keepOutput = 2 << 10

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p[max(0, len(p)-keepOutput):]...)
	l.buf = l.buf[max(0, len(l.buf)-keepOutput):]
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.buf))
}

// URL is the node's JSON-RPC address over HTTP.
func (n *Node) URL() string { return "http://127.0.0.1:" + strconv.Itoa(n.port) }

// WebSocketURL is the node's JSON-RPC address over WebSocket, with subscriptions.
func (n *Node) WebSocketURL() string { return "ws://127.0.0.1:" + strconv.Itoa(n.port) }

// Port is the TCP port on 127.0.0.1.
func (n *Node) Port() int { return n.port }

// PID is the child's process id.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Client is a connection to the node; Close closes it.
func (n *Node) Client() *rpc.Client { return n.client }

// Done is closed when the process has ended.
func (n *Node) Done() <-chan struct{} { return n.exited }

// Close ends the process and waits for it: SIGINT first, which lets it dump its state, SIGKILL after 3 s. It may be called more than once.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		if n.client != nil {
			n.client.Close()
		}
		n.cancel()
	})
	<-n.exited
	return nil
}
