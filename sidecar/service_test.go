package sidecar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/signer/signertest"
	"github.com/evmts/channels/sidecar/tracing/tracingtest"
	"github.com/stretchr/testify/require"
)

// chain is a development chain with the contracts on it. Blocks come by transactions and by Mine only.
type chain struct {
	*anvil.Node
	contracts adjudicator.Contracts
}

func startChain(t *testing.T, o anvil.Options) chain {
	t.Helper()
	n, err := anvil.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	c, _, err := adjudicator.Deploy(t.Context(), ethclient.NewClient(n.Client()), func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, anvil.Keys()[0], &c.To, c.Value, c.Data)
	}, 1, common.Hash{})
	require.NoError(t, err)
	return chain{n, c}
}

// logs collects what a service says.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ownerKey is an account of the development chain.
func ownerKey() string { return hexutil.Encode(crypto.FromECDSA(anvil.Keys()[6])) }

// startService runs a sidecar as `op-channels run` does, in this process.
func startService(t *testing.T, c chain, args ...string) (*sidecar.Service, *logs) {
	t.Helper()
	out := new(logs)
	cfg, err := parse(t, append([]string{
		"--l2-eth-rpc", c.URL(), "--chain-id", "31337", "--adjudicator", c.contracts.Adjudicator.Hex(), "--private-key", ownerKey(),
		"--session-key", write(t, "session.key", strings.Repeat("01", 32)), "--data-dir", t.TempDir(), "--trust", "unsafe",
		"--poll-interval", "20ms", "--p2p.listen", "/ip4/127.0.0.1/tcp/0", "--rpc.port", "0", "--log.level", "warn", "--log.color=false",
	}, args...)...)
	require.NoError(t, err)
	s := sidecar.NewService(cfg, oplog.NewLogger(out, cfg.Log), func(err error) { t.Errorf("the service ends: %v", err) })
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s, out
}

// counterModule is a folder with the counter and its manifest.
func counterModule(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "counter.wasm"), counter.Wasm, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "counter"+derivation.ManifestSuffix), []byte(`{"pageLimit": 1, "independent": true}`), 0o600))
	return dir
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

func readiness(t *testing.T, body string) (out sidecar.Readiness) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &out), body)
	return out
}

const patience, poll = 20 * time.Second, 20 * time.Millisecond

// TestReadyzFollowsTheChain: ready when everything is there, not ready with a reason when the newest block is too old or no module
// is installed; /healthz does not mind either. Neither wants the RPC's secret: probes have none.
func TestReadyzFollowsTheChain(t *testing.T) {
	c := startChain(t, anvil.Options{GenesisTime: uint64(time.Now().Add(-time.Hour).Unix())})
	secret := write(t, "jwt", strings.Repeat("ab", 32))
	s, _ := startService(t, c, "--module", counterModule(t), "--rpc.jwt-secret", secret, "--settlement", c.contracts.Settlement.Hex(), "--verifier")
	url := "http://" + s.RPCEndpoint()

	var body string
	require.Eventually(t, func() bool { _, body = get(t, url+"/readyz"); return readiness(t, body).Head > 0 }, patience, poll)
	code, body := get(t, url+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	r := readiness(t, body)
	require.False(t, r.Ready)
	require.Contains(t, r.Checks["chain"].Reason, "old, more than --max-head-age")
	for _, part := range []string{"engine", "store", "modules", "verifier"} {
		require.Equal(t, sidecar.Check{OK: true}, r.Checks[part], part)
	}
	code, body = get(t, url+"/healthz")
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, `"version":"test"`)

	require.NoError(t, c.Advance(t.Context(), time.Hour))
	require.NoError(t, c.Mine(t.Context(), 1))
	require.Eventually(t, func() bool { code, body = get(t, url+"/readyz"); return code == http.StatusOK }, patience, poll)
	r = readiness(t, body)
	require.True(t, r.Ready, body)
	require.Equal(t, r.Head, r.Trusted)

	none, _ := startService(t, c)
	var second sidecar.Readiness
	require.Eventually(t, func() bool {
		_, body := get(t, "http://"+none.RPCEndpoint()+"/readyz")
		second = readiness(t, body)
		return second.Checks["chain"].OK
	}, patience, poll)
	require.False(t, second.Ready)
	require.Contains(t, second.Checks["modules"].Reason, "--module")
}

// TestReadyzFollowsTheSigners: signers that are down keep nobody from starting; /readyz names them, and not where they are.
func TestReadyzFollowsTheSigners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := signertest.New(anvil.Keys()[6], "account_signTypedData", "eth_signTransaction")
	require.NoError(t, server.HTTP.Listener.Close())
	server.HTTP.Listener = l // takes connections, and answers none until it is started
	endpoint := "http://" + l.Addr().String() + "/secret"
	s, out := startService(t, startChain(t, anvil.Options{}), "--module", counterModule(t), "--private-key", "",
		"--signer.endpoint", endpoint, "--signer.address", server.Address().Hex(), "--signer.tls.enabled=false",
		"--attestor.signer.endpoint", endpoint, "--attestor.signer.address", server.Address().Hex(), "--attestor.signer.tls.enabled=false")
	url := "http://" + s.RPCEndpoint()
	require.Equal(t, server.Address(), s.Info().Owner)
	require.Equal(t, server.Address(), s.Info().Attestor)
	var body string
	require.Eventually(t, func() bool { _, body = get(t, url+"/readyz"); return readiness(t, body).Checks["chain"].OK }, patience, poll)
	for _, part := range []string{"owner", "attestor"} {
		require.Contains(t, readiness(t, body).Checks[part].Reason, "has not answered yet")
	}
	require.NotContains(t, body, "secret")
	server.Start()
	t.Cleanup(server.Close)
	code := 0
	require.Eventually(t, func() bool { code, body = get(t, url+"/readyz"); return code == http.StatusOK }, patience, poll, body)
	require.NotContains(t, out.String(), "secret")
}

// TestTracesByFlags: a service sends spans where it is told, with its name.
func TestTracesByFlags(t *testing.T) {
	c := tracingtest.Start(nil)
	t.Cleanup(c.Close)
	s, _ := startService(t, startChain(t, anvil.Options{}), "--module", counterModule(t), "--tracing.enabled", "--tracing.endpoint", c.URL, "--tracing.sample", "1",
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0")
	client, err := rpc.Dial("http://" + s.RPCEndpoint())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	var id common.Hash
	require.NoError(t, client.Call(&id, "channels_open", map[string]any{
		"participants": []map[string]any{
			{"signer": s.Info().Session, "owner": s.Info().Owner}, {"signer": common.Address{2}, "owner": common.Address{3}},
		},
		"moduleHash": s.ModuleList()[0].Hash, "genesis": hexutil.Bytes(make([]byte, 160)), "forceQuota": 256, "noWait": true,
	}))
	require.Eventually(t, func() bool {
		spans := c.Spans(traceOf("channel", id))
		return len(spans) == 1 && spans[0].Name == "asking" && spans[0].About["then"] == "signing" && spans[0].Node == s.Info().Session.Hex()
	}, patience, poll)
	require.Eventually(t, func() bool {
		sent, _ := sample(t, s, `op_channels_tracing_spans_total{result="exported"}`)
		return sent == 1
	}, patience, poll)
	require.Empty(t, c.Faults())
}

// TestHealthzSeesALoopThatDoesNotTurn: the process alone is no health.
func TestHealthzSeesALoopThatDoesNotTurn(t *testing.T) {
	s, _ := startService(t, startChain(t, anvil.Options{}), "--module", counterModule(t))
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		s.Probe(50*time.Millisecond).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	require.Eventually(t, func() bool { code, _ := ask("/healthz"); return code == http.StatusOK }, patience, poll)
	release := make(chan struct{})
	s.HoldLoop(release)
	for _, path := range []string{"/healthz", "/readyz"} {
		code, body := ask(path)
		require.Equal(t, http.StatusServiceUnavailable, code)
		require.Contains(t, body, "the engine loop has not turned within 50ms")
	}
	close(release)
	require.Eventually(t, func() bool { code, _ := ask("/healthz"); return code == http.StatusOK }, patience, poll)
}

// TestAdminIsOffUnlessEnabled, and what it changes when it is on: the log's level, entering channels, publishing.
func TestAdminIsOffUnlessEnabled(t *testing.T) {
	c := startChain(t, anvil.Options{})
	modules := counterModule(t)
	closed, _ := startService(t, c, "--module", modules)
	dialed := func(s *sidecar.Service) *rpc.Client {
		client, err := rpc.Dial("http://" + s.RPCEndpoint())
		require.NoError(t, err)
		t.Cleanup(client.Close)
		return client
	}
	require.ErrorContains(t, dialed(closed).Call(nil, "admin_setLogLevel", "debug"), "does not exist")

	s, out := startService(t, c, "--module", modules, "--rpc.enable-admin", "--settlement", c.contracts.Settlement.Hex(), "--publish",
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0")
	client := dialed(s)
	status := func() (st sidecar.AdminStatus) {
		require.NoError(t, client.Call(&st, "admin_status"))
		return st
	}
	require.Equal(t, sidecar.AdminStatus{Accepting: true, Publishing: true}, status())

	require.NotContains(t, out.String(), "lvl=debug")
	require.NoError(t, client.Call(nil, "admin_setLogLevel", "debug"))
	require.NoError(t, c.Mine(t.Context(), 1))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "lvl=debug") }, patience, poll)
	require.Error(t, client.Call(nil, "admin_setLogLevel", "loud"))

	var modulesHere []sidecar.ModuleInfo
	require.NoError(t, client.Call(&modulesHere, "channels_modules"))
	me := crypto.PubkeyToAddress(anvil.Keys()[6].PublicKey)
	open := func() error {
		var info sidecar.NodeInfo
		require.NoError(t, client.Call(&info, "channels_nodeInfo"))
		return client.Call(nil, "channels_open", map[string]any{
			"participants": []map[string]any{
				{"signer": info.Session, "owner": me}, {"signer": common.Address{2}, "owner": common.Address{3}},
			},
			"moduleHash": modulesHere[0].Hash, "genesis": hexutil.Bytes(make([]byte, 160)), "forceQuota": 256, "noWait": true,
		})
	}
	require.NoError(t, client.Call(nil, "admin_stopAccepting"))
	require.False(t, status().Accepting)
	err := open()
	require.ErrorContains(t, err, "enters no new channels")
	require.EqualValues(t, "busy", sidecar.ErrorCode(err))
	require.NoError(t, client.Call(nil, "admin_startAccepting"))
	require.NoError(t, open())

	require.NoError(t, client.Call(nil, "admin_stopPublishing"))
	require.False(t, status().Publishing)
	request := sidecar.TxRequest{Tx: protocols.Tx{Kind: protocols.TxPublish}}
	_, err = s.Link().Calls(request)
	require.ErrorIs(t, err, sidecar.ErrQuiet)
	s.Link().Submit(request)
	require.Eventually(t, func() bool {
		held, _ := sample(t, s, `op_channels_transactions_total{kind="publish",result="held"}`)
		return held == 1
	}, patience, poll)
	failed, _ := sample(t, s, `op_channels_transactions_total{kind="publish",result="failed"}`)
	require.Zero(t, failed, "an alert would call somebody for what they asked for")
	require.NoError(t, client.Call(nil, "admin_startPublishing"))
	require.Equal(t, sidecar.AdminStatus{Accepting: true, Publishing: true}, status())
}

// TestPprofIsServedWhereItIsSaid and nowhere else.
func TestPprofIsServedWhereItIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	c := startChain(t, anvil.Options{})
	s, _ := startService(t, c, "--pprof.enabled", "--pprof.port", strconv.Itoa(port))
	code, body := get(t, "http://127.0.0.1:"+strconv.Itoa(port)+"/debug/pprof/")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "goroutine")
	code, _ = get(t, "http://"+s.RPCEndpoint()+"/debug/pprof/")
	require.Equal(t, http.StatusNotFound, code)
	cfg, err := parse(t, needed(t)...)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", cfg.Pprof.ListenAddr)
	require.False(t, cfg.Pprof.ListenEnabled)
	require.False(t, cfg.RPC.EnableAdmin)
}
