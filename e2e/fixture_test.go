package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// environment is shared by all tests: its start takes longer than most of them. Every test leaves all sidecars running.
type environment struct {
	once sync.Once
	dir  string
	d    *devnet.Devnet
	err  error
}

var shared environment

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.stop(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "stop the devnet:", err)
		code = 1
	}
	os.Exit(code)
}

// stop ends the devnet; with keep its logs and data stay for whoever looks for the reason of a failure.
func (e *environment) stop(keep bool) error {
	if e.d != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.d.Stop(ctx); err != nil {
			return err
		}
	}
	if e.dir == "" {
		return nil
	}
	if keep {
		fmt.Fprintln(os.Stderr, "logs and data are kept in", e.dir)
		return os.Remove(filepath.Join(e.dir, "op-channels")) // large, and soon built again
	}
	return os.RemoveAll(e.dir)
}

func (e *environment) binary() string { return filepath.Join(e.dir, "op-channels") }

// start builds op-channels once and brings up the devnet. Only the operator has the counter module.
func (e *environment) start() error {
	root, err := devnet.FindRoot("")
	if err != nil {
		return err
	}
	if err := devnet.CheckDeps(root); err != nil {
		return err
	}
	if e.dir, err = os.MkdirTemp("", "op-channels-e2e-"); err != nil {
		return err
	}
	binary := e.binary()
	build := exec.Command("go", "build", "-o", binary, "./cmd/op-channels")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build op-channels: %w: %s", err, out)
	}
	extra := filepath.Join(e.dir, "extra")
	if err := writeCounter(extra); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	e.d, err = devnet.Start(ctx, devnet.Options{
		Dir: filepath.Join(e.dir, "devnet"), Root: root, Binary: binary, OpStack: onOpStack,
		Args: func(name string) []string {
			if name == "operator" {
				return []string{"--module", extra}
			}
			return nil
		},
	})
	return err
}

func writeCounter(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "counter.wasm"), counter.Wasm, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "counter"+derivation.ManifestSuffix), []byte(`{"pageLimit": 1, "independent": true}`), 0o644)
}

// network is the shared devnet with all sidecars running.
func network(t *testing.T) *devnet.Devnet {
	t.Helper()
	shared.once.Do(func() { shared.err = shared.start() })
	require.NoError(t, shared.err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, s := range shared.d.Sidecars {
				t.Logf("the log of %s: %s", s.Name, s.LogFile)
			}
		}
	})
	return shared.d
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slowness*d)
	t.Cleanup(cancel)
	return ctx
}

func dial(ctx context.Context, t *testing.T, s *devnet.Sidecar) *rpc.Client {
	t.Helper()
	c, err := s.Dial(ctx)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// openRaid opens a raid of all sidecars and gives its id.
func openRaid(ctx context.Context, t *testing.T, d *devnet.Devnet) (id common.Hash) {
	t.Helper()
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &id, "channels_open", req))
	for _, s := range d.Sidecars { // each sees the deposits by itself
		require.NoError(t, await(ctx, s, id, hasStatus("open")))
	}
	return id
}

// await looks at a channel through a sidecar whenever something happens to it, until done. A sidecar that goes away is
// asked again when it is back.
func await(ctx context.Context, s *devnet.Sidecar, id common.Hash, done func(*sidecar.ChannelInfo) bool) error {
	last := "never reached"
	for ctx.Err() == nil {
		over, seen := awaitOnce(ctx, s, id, done)
		if over {
			return nil
		}
		if seen != "" {
			last = seen
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("channel %s at %s: %s: %w", id, s.Name, last, ctx.Err())
}

func awaitOnce(ctx context.Context, s *devnet.Sidecar, id common.Hash, done func(*sidecar.ChannelInfo) bool) (over bool, last string) {
	c, err := s.Dial(ctx)
	if err != nil {
		return false, ""
	}
	defer c.Close()
	notes := make(chan sidecar.Notification, 1024)
	sub, err := c.Subscribe(ctx, "channels", notes, "events", id)
	if err != nil {
		return false, ""
	}
	defer sub.Unsubscribe()
	for {
		var info sidecar.ChannelInfo
		if err := c.CallContext(ctx, &info, "channels_get", id); err == nil {
			if done(&info) {
				return true, ""
			}
			last = fmt.Sprintf("%s at %d, waiting for %q", info.Status, info.HeadSeq, info.WaitingFor)
		} else if sidecar.ErrorCode(err) == "" {
			return false, last
		}
		select {
		case <-notes:
		case <-time.After(200 * time.Millisecond):
		case <-sub.Err():
			return false, last
		case <-ctx.Done():
			return false, last
		}
	}
}

func hasStatus(wanted ...string) func(*sidecar.ChannelInfo) bool {
	return func(info *sidecar.ChannelInfo) bool {
		for _, w := range wanted {
			if info.Status == w {
				return true
			}
		}
		return false
	}
}

func headFrom(seq uint64) func(*sidecar.ChannelInfo) bool {
	return func(info *sidecar.ChannelInfo) bool { return info.HeadSeq >= seq || info.Terminal }
}
