package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestVerifierTellsWhetherItFollows: `op-channels verify` alone serves its health beside its metrics: not ready while the chain's
// newest block is an hour old, ready when there is a new one; profiles where they are asked for.
func TestVerifierTellsWhetherItFollows(t *testing.T) {
	n, err := anvil.Start(context.Background(), anvil.Options{GenesisTime: uint64(time.Now().Add(-time.Hour).Unix())})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	c, _, err := adjudicator.Deploy(t.Context(), ethclient.NewClient(n.Client()), func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, anvil.Keys()[0], &c.To, c.Value, c.Data)
	}, 1, common.Hash{})
	require.NoError(t, err)

	port, profiles := freePort(t), freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		app := newApp()
		app.Writer, app.ErrWriter = new(bytes.Buffer), new(bytes.Buffer)
		ended <- app.RunContext(ctx, []string{
			"op-channels", "verify", "--l2-rpc", n.URL(), "--settlement", c.Settlement.Hex(), "--dry-run", "--poll-interval", "20ms", "--log.level", "crit",
			"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", fmt.Sprint(port), "--pprof.enabled", "--pprof.port", fmt.Sprint(profiles),
		})
	}()
	get := func(port int, path string) (code int, body string) {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			return 0, err.Error() // it is starting
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
	readiness := func() (code int, out sidecar.Readiness) {
		code, body := get(port, "/readyz")
		if code != 0 {
			require.NoError(t, json.Unmarshal([]byte(body), &out), body)
		}
		return code, out
	}
	require.Eventually(t, func() bool { _, r := readiness(); return r.Head > 0 }, 20*time.Second, 20*time.Millisecond)
	code, r := readiness()
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, r.Checks["chain"].Reason, "old, more than --max-head-age")
	code, body := get(port, "/healthz")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, version)
	require.NoError(t, n.Advance(t.Context(), time.Hour))
	require.NoError(t, n.Mine(t.Context(), 1))
	require.Eventually(t, func() bool { code, r := readiness(); return code == http.StatusOK && r.Ready }, 20*time.Second, 20*time.Millisecond)
	_, body = get(port, "/metrics")
	require.Contains(t, body, "op_channels_verifier_publications_open 0")
	code, _ = get(profiles, "/debug/pprof/")
	require.Equal(t, http.StatusOK, code)
	cancel()
	require.NoError(t, <-ended)
}
