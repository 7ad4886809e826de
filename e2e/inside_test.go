//go:build opstack

package e2e

import (
	"context"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// The operator's sidecar runs inside the sequencer's op-geth, the players' beside it. op-geth starts without the sidecar's options, so that
// all of the contracts and the World are deployed on a node whose sidecar cannot start; then there are options, and the whole story is told. Before
// it a raid goes on although op-geth, and the operator in it, are killed while it is played.
func TestU1_RaidWithTheOperatorInsideOpGeth(t *testing.T) {
	root, err := devnet.FindRoot("")
	require.NoError(t, err)
	d, err := devnet.Start(within(t, time.Minute), devnet.Options{
		Dir: filepath.Join(t.TempDir(), "d"), Root: root, Binary: filepath.Join(root, "build", "bin", "op-channels"), OpStack: true, Inside: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, d.Stop(ctx))
	})
	operator := d.Sidecars[0]
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, d)
		}
	})
	log, err := os.ReadFile(operator.LogFile)
	require.NoError(t, err)
	require.Contains(t, string(log), "the node goes on without it", "it was there before its options were")
	reachable(t, d)

	ctx := within(t, 90*time.Second)
	id := openRaid(ctx, t, d)
	errs := make(chan error, len(d.Sidecars))
	for i := range d.Sidecars {
		p := d.Player(i)
		go func() { errs <- p.Play(ctx, id) }()
	}
	require.NoError(t, killAt(ctx, d, id, moment{"event 10", 0, headFrom(10)}))
	for range d.Sidecars {
		require.NoError(t, <-errs)
	}
	require.NoError(t, await(ctx, operator, id, hasStatus("settled")))
	for _, s := range d.Sidecars[1:] {
		require.NoError(t, await(ctx, s, id, hasStatus("final", "settled")))
	}

	sum, err := story.Tell(within(t, time.Minute), d, story.Options{})
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.NotEmpty(t, sum.Records)
	t.Logf("%d events, p50 %.1f ms, p99 %.1f ms, %v", sum.Events, sum.Latency.P50, sum.Latency.P99, sum.Seconds)
}

// reachable: the operator answers on op-geth's authenticated endpoint, to those who have its secret, and not on the public one.
func reachable(t *testing.T, d *devnet.Devnet) {
	ctx, stack := within(t, 20*time.Second), d.Chain.OpStack
	text, err := os.ReadFile(stack.JWTFile())
	require.NoError(t, err)
	var secret [32]byte
	_, err = hex.Decode(secret[:], text)
	require.NoError(t, err)
	auth, err := rpc.DialOptions(ctx, stack.EngineURL(), rpc.WithHTTPAuth(node.NewJWTAuth(secret)))
	require.NoError(t, err)
	defer auth.Close()
	var info sidecar.NodeInfo
	require.NoError(t, auth.CallContext(ctx, &info, "channels_nodeInfo"))
	require.Equal(t, d.Sidecars[0].Session(), info.Session)
	require.ErrorContains(t, stack.Client().CallContext(ctx, &info, "channels_nodeInfo"), "does not exist")
	require.Eventually(t, func() bool {
		r, err := http.Get(stack.URL() + "/channels/readyz")
		return err == nil && r.Body.Close() == nil && r.StatusCode == http.StatusOK
	}, 20*time.Second, 100*time.Millisecond)
}

// keepLogs saves what explains a failure from the test's folder, which is deleted.
func keepLogs(t *testing.T, d *devnet.Devnet) {
	dir, err := os.MkdirTemp("", "op-channels-inside-")
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(d.Options.Dir, "logs"))))
	t.Logf("logs are kept in %s", dir)
}
