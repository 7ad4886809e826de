package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/stretchr/testify/require"
)

// TestNodeReadyExitsAsTheSidecarAnswers: a health check has the exit code only. Answers that a running sidecar does not give when it is
// asked to come from elsewhere here.
func TestNodeReadyExitsAsTheSidecarAnswers(t *testing.T) {
	status, body := http.StatusOK, `{"ready":true,"version":"1","checks":{"chain":{"ok":true}}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	for _, url := range []string{server.URL, strings.Replace(server.URL, "http", "ws", 1) + "/"} {
		out, code, err := op(t, "node", "ready", "--rpc", url)
		require.NoError(t, err)
		require.Zero(t, code)
		require.Equal(t, "chain    ok\n", out)
	}
	status, body = http.StatusServiceUnavailable, `{"ready":false,"checks":{"chain":{"ok":false,"reason":"it stands still"}}}`
	out, code, err := op(t, "node", "ready", "--rpc", server.URL)
	require.EqualError(t, err, "the sidecar is not ready")
	require.Equal(t, 1, code)
	require.Equal(t, "chain    it stands still\n", out)
	body = "<html>"
	_, code, err = op(t, "node", "ready", "--rpc", server.URL)
	require.ErrorContains(t, err, "is no sidecar")
	require.Equal(t, 1, code)
	server.Close()
	_, code, err = op(t, "node", "ready", "--rpc", server.URL)
	require.ErrorContains(t, err, "start one with `op-channels run`")
	require.Equal(t, 1, code)
}

// TestNodeReadyAsksARunningSidecar: `op-channels run` with a file alone, on a chain, answers it; when it has ended nobody does.
func TestNodeReadyAsksARunningSidecar(t *testing.T) {
	n, err := anvil.Start(context.Background(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	c, _, err := adjudicator.Deploy(t.Context(), ethclient.NewClient(n.Client()), func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, anvil.Keys()[0], &c.To, c.Value, c.Data)
	}, 1, common.Hash{})
	require.NoError(t, err)
	dir, port := t.TempDir(), freePort(t)
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	module := write("counter.wasm", counter.Wasm)
	write("counter"+derivation.ManifestSuffix, []byte(`{"pageLimit": 1, "independent": true}`))
	config := write("op-channels.toml", fmt.Appendf(nil, `
l2-eth-rpc = %q
chain-id = 31337
adjudicator = %q
settlement = %q
session-key = %q
data-dir = %q
module = [%q]
trust = "unsafe"
max-head-age = "0s"
[p2p]
listen = ["/ip4/127.0.0.1/tcp/0"]
[rpc]
port = %d
[log]
level = "crit"
`, n.URL(), c.Adjudicator, c.Settlement, write("session.key", []byte(strings.Repeat("01", 32))), filepath.Join(dir, "data"), module, port))
	t.Setenv("OP_CHANNELS_PRIVATE_KEY", hexutil.Encode(crypto.FromECDSA(anvil.Keys()[6])))

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		app := newApp()
		app.Writer, app.ErrWriter = new(bytes.Buffer), new(bytes.Buffer)
		ended <- app.RunContext(ctx, []string{"op-channels", "run", "--config", config})
	}()
	url := fmt.Sprintf("ws://127.0.0.1:%d", port)
	var out string
	require.Eventually(t, func() bool {
		var code int
		out, code, _ = op(t, "node", "ready", "--rpc", url)
		return code == 0
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, "chain    ok\nengine   ok\nmodules  ok\nstore    ok\n", out)
	cancel()
	<-ended // a lifecycle that its context ends says so
	_, code, err := op(t, "node", "ready", "--rpc", url)
	require.ErrorContains(t, err, "no sidecar at")
	require.Equal(t, 1, code)
}
