package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"
)

func runPushFeed(ctx context.Context, args ...string) error {
	app := newApp()
	app.Writer, app.ErrWriter = io.Discard, io.Discard
	return app.RunContext(ctx, append([]string{"op-channels", "push-feed"}, args...))
}

func TestPushFeedRefusesWhatIsNotSafe(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("abcd"), 0o600))
	for want, args := range map[string][]string{
		"reachable from elsewhere": {"--addr", "0.0.0.0", "--port", "0"},
		"contradict each other":    {"--upstream", "http://127.0.0.1:1", "--start-sequencer", "http://127.0.0.1:2"},
		"32 bytes in hex":          {"--jwt-secret", short},
		"--jwt-secret":             {"--jwt-secret", short + "er"},
		"op-conductor must be":     {"--upstream", "127.0.0.1:8547"},
		"no address of a sidecar":  {"--to", "127.0.0.1:9546"},
		"takes no argument":        {"now"},
		"address of the op-node":   {"--port", "0", "--start-sequencer", "::"},
	} {
		require.ErrorContains(t, runPushFeed(t.Context(), args...), want)
	}
}

// TestPushFeedAnswersUntilItIsTold: with nobody to hand blocks to.
func TestPushFeedAnswersUntilItIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- runPushFeed(ctx, "--port", strconv.Itoa(port), "--to", "http://127.0.0.1:1") }()
	c, err := rpc.Dial("http://127.0.0.1:" + strconv.Itoa(port))
	require.NoError(t, err)
	defer c.Close()
	var leader bool
	require.Eventually(t, func() bool { return c.Call(&leader, "conductor_leader") == nil }, 20*time.Second, 10*time.Millisecond)
	require.True(t, leader)
	require.NoError(t, c.Call(nil, "conductor_commitUnsafePayload", map[string]any{}))
	stop()
	require.NoError(t, <-ended)
}
