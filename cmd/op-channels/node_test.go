package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNodeReadyExitsAsTheSidecarAnswers: a health check has the exit code only. The answers are those of sidecar/health.go, whose
// tests ask a running one.
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
