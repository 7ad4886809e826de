package pushfeed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin/pushfeed"
)

const patience, poll = 20 * time.Second, 5 * time.Millisecond

// opNodeTimeout is how long op-node waits for its conductor (--conductor.rpc-timeout).
const opNodeTimeout = time.Second

func quiet() log.Logger { return log.NewLogger(log.DiscardHandler()) }

// block is a payload whose hash is right.
func block(number, timestamp uint64, parent common.Hash, txs ...eth.Data) *eth.ExecutionPayloadEnvelope {
	root := common.Hash{0x77}
	zero := eth.Uint64Quantity(0)
	env := &eth.ExecutionPayloadEnvelope{ParentBeaconBlockRoot: &common.Hash{}, ExecutionPayload: &eth.ExecutionPayload{
		ParentHash: parent, BlockNumber: eth.Uint64Quantity(number), Timestamp: eth.Uint64Quantity(timestamp), GasLimit: 60_000_000, ExtraData: eth.BytesMax32{},
		Transactions: txs, BlobGasUsed: &zero, ExcessBlobGas: &zero, WithdrawalsRoot: &root,
	}}
	if txs == nil {
		env.ExecutionPayload.Transactions = []eth.Data{}
	}
	env.ExecutionPayload.BlockHash, _ = env.CheckBlockHash()
	return env
}

// feed is a Conductor as `op-channels push-feed` runs it, and what op-node calls it with.
type feed struct {
	t       *testing.T
	url     string
	metrics *pushfeed.Metrics
	node    *rpc.Client
	server  *pushfeed.Server
}

func startFeed(t *testing.T, upstream string, to ...string) *feed {
	t.Helper()
	m, err := pushfeed.NewMetrics(nil)
	require.NoError(t, err)
	forwarder, err := pushfeed.NewForwarder(to, nil, m, quiet())
	require.NoError(t, err)
	t.Cleanup(forwarder.Close)
	c, err := pushfeed.NewConductor(pushfeed.ConductorConfig{Upstream: upstream, Forward: forwarder.Forward, Metrics: m, Log: quiet()})
	require.NoError(t, err)
	l, handed, err := pushfeed.Listen("127.0.0.1:0")
	require.NoError(t, err)
	require.False(t, handed)
	require.True(t, pushfeed.IsLoopback(l.Addr()))
	f := &feed{t: t, url: "http://" + l.Addr().String(), metrics: m, server: pushfeed.Serve(l, c, quiet())}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, f.server.Close(ctx))
	})
	f.node, err = rpc.DialContext(context.Background(), f.url) // the client of op-node's conductor.go is this one
	require.NoError(t, err)
	t.Cleanup(f.node.Close)
	return f
}

// commit is what op-node does with a block that it has built, once.
func (f *feed) commit(env *eth.ExecutionPayloadEnvelope) error {
	ctx, cancel := context.WithTimeout(context.Background(), opNodeTimeout)
	defer cancel()
	return f.node.CallContext(ctx, nil, "conductor_commitUnsafePayload", env)
}

func (f *feed) leader() (leader bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), opNodeTimeout)
	defer cancel()
	err = f.node.CallContext(ctx, &leader, "conductor_leader")
	return leader, err
}

// sidecar takes what is handed on.
type sidecar struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (s *sidecar) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, b)
}

func (s *sidecar) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestConductorAnswersTheOnlySequencer(t *testing.T) {
	s := new(sidecar)
	f := startFeed(t, "", serve(t, s))
	ok, err := f.leader()
	require.NoError(t, err)
	require.True(t, ok)
	var active bool
	require.NoError(t, f.node.Call(&active, "conductor_active"))
	require.True(t, active)
	require.NoError(t, f.node.Call(nil, "conductor_overrideLeader", true))
	want := block(7, 70, common.Hash{6}, eth.Data{1, 2, 3})
	require.NoError(t, f.commit(want))
	require.Eventually(t, func() bool { return s.count() == 1 }, patience, poll)
	var got struct {
		Params []*eth.ExecutionPayloadEnvelope
	}
	require.NoError(t, json.Unmarshal(s.bodies[0], &got))
	require.Equal(t, want, got.Params[0])

	var coded rpc.Error
	for _, method := range []string{"admin_startSequencer", "eth_chainId", "conductor_transferLeader", "conductor_clusterMembership"} {
		require.ErrorAs(t, f.node.Call(nil, method), &coded, method)
		require.Equal(t, -32601, coded.ErrorCode(), method)
	}
}

// TestConductorWaitsForNoSidecar: sidecars that are gone, hang, or refuse cost op-node nothing, and what they miss is counted.
func TestConductorWaitsForNoSidecar(t *testing.T) {
	held := make(chan struct{})
	hangs := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	t.Cleanup(func() { close(held) })
	refuses := serve(t, http.NotFoundHandler())
	works := new(sidecar)
	f := startFeed(t, "", hangs, "http://127.0.0.1:1", refuses, serve(t, works))
	parent := common.Hash{}
	const blocks = 200
	for i := range uint64(blocks) {
		b := block(i+1, i, parent)
		require.NoError(t, f.commit(b))
		parent = b.ExecutionPayload.BlockHash
		require.Eventually(t, func() bool { return works.count() == int(i+1) }, patience, time.Millisecond, "one that works is not held up by the others")
	}
	require.Positive(t, testutil.ToFloat64(f.metrics.Dropped.WithLabelValues("slow")))
	require.Positive(t, testutil.ToFloat64(f.metrics.Forwarded.WithLabelValues(strings.TrimPrefix(refuses, "http://"), "failed")))
}

// post sends raw bytes.
func (f *feed) post(contentType, host string, body io.Reader) (int, string) {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.url, body)
	require.NoError(f.t, err)
	r.Header.Set("Content-Type", contentType)
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	return resp.StatusCode, string(b)
}

func TestConductorAnswersWhatItCannotRead(t *testing.T) {
	s := new(sidecar)
	f := startFeed(t, "", serve(t, s))
	const js = "application/json"
	// The block is nobody's business here: whatever it is, op-node goes on.
	for i, params := range []string{`[]`, `[null]`, `["0x"]`, `{}`, `[{"executionPayload":{}}]`, `null`} {
		code, body := f.post(js, "", strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"conductor_commitUnsafePayload","params":`+params+`}`))
		require.Equal(t, http.StatusOK, code)
		require.JSONEq(t, `{"jsonrpc":"2.0","id":7,"result":null}`, body)
		require.Eventually(t, func() bool { return s.count() == i+1 }, patience, poll)
	}
	for _, bad := range []string{``, `{`, `[]`, `[{"id":1,"method":"conductor_leader"}]`, `7`, `{"id":1}`, `{"method":"conductor_leader"}`, `{"id":{},"method":"conductor_leader"}`,
		`{"id":1,"method":7}`, `{"id":"` + strings.Repeat("x", 200) + `","method":"conductor_leader"}`, `{"id":1,"params":[`} {
		code, body := f.post(js, "", strings.NewReader(bad))
		require.Equal(t, http.StatusOK, code, bad)
		require.Contains(t, body, `"error"`, bad)
		require.NotContains(t, body, `"result"`, bad)
	}
	code, body := f.post(js, "localhost:8547", strings.NewReader(`{"params":[],"id":"a","method":"conductor_leader"}`))
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":"a","result":true}`, body)
	leader := `{"id":1,"method":"conductor_leader"}`
	// What a browser can be made to send.
	code, _ = f.post("text/plain", "", strings.NewReader(leader))
	require.Equal(t, http.StatusUnsupportedMediaType, code)
	code, _ = f.post(js, "evil.example", strings.NewReader(leader))
	require.Equal(t, http.StatusForbidden, code)
	resp, err := http.Get(f.url)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

// TestConductorAnswersForABlockThatIsTooLarge: it is not handed on, and op-node goes on.
func TestConductorAnswersForABlockThatIsTooLarge(t *testing.T) {
	s := new(sidecar)
	f := startFeed(t, "", serve(t, s))
	large := block(1, 1, common.Hash{}, make(eth.Data, 13<<20))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, f.node.CallContext(ctx, nil, "conductor_commitUnsafePayload", large))
	require.EqualValues(t, 1, testutil.ToFloat64(f.metrics.Dropped.WithLabelValues("size")))
	require.NoError(t, f.commit(block(1, 1, common.Hash{})))
	require.Eventually(t, func() bool { return s.count() == 1 }, patience, poll)
}

// TestConductorAnswersDuringAFlood: more connections than it keeps, each of which sends half a request and waits.
func TestConductorAnswersDuringAFlood(t *testing.T) {
	f := startFeed(t, "")
	address := strings.TrimPrefix(f.url, "http://")
	for i := range 600 {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		half := "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		if i%2 == 0 {
			half += "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
		}
		_, err = io.WriteString(c, half)
		if err != nil {
			require.ErrorContains(t, err, "reset")
		}
		if i%20 == 0 {
			ok, err := f.leader()
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, f.commit(block(uint64(i+1), 1, common.Hash{}, make(eth.Data, 100<<10))))
			require.LessOrEqual(t, f.server.Conns(), 256)
		}
	}
}

// opConductor is the API of an op-conductor as far as op-node uses it, over go-ethereum's server.
type opConductor struct {
	mu     sync.Mutex
	leads  bool
	fails  error
	blocks []uint64
	enter  chan struct{} // commits begin
	hold   chan struct{} // nil: commits end at once
	ended  chan struct{} // the caller of a held one hung up
}

func (o *opConductor) Leader() (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leads, o.fails
}

func (o *opConductor) ClusterMembership() string { return "us" }

func (o *opConductor) CommitUnsafePayload(ctx context.Context, env *eth.ExecutionPayloadEnvelope) error {
	o.mu.Lock()
	hold := o.hold
	o.mu.Unlock()
	if hold != nil {
		o.enter <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
			o.ended <- struct{}{}
			return ctx.Err()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails != nil {
		return o.fails
	}
	o.blocks = append(o.blocks, uint64(env.ExecutionPayload.BlockNumber))
	return nil
}

type adminOfAll struct{ called bool }

func (a *adminOfAll) StartSequencer() { a.called = true }

// TestConductorHasNoWordBesideAnOpConductor: with one behind it, leadership, refusals, errors and silence are the op-conductor's.
func TestConductorHasNoWordBesideAnOpConductor(t *testing.T) {
	o, admin := &opConductor{enter: make(chan struct{}, 1), ended: make(chan struct{}, 1)}, new(adminOfAll)
	server := rpc.NewServer()
	server.SetHTTPBodyLimit(64 << 20)
	require.NoError(t, server.RegisterName("conductor", o))
	require.NoError(t, server.RegisterName("admin", admin))
	up := httptest.NewServer(server)
	t.Cleanup(up.Close)
	s := new(sidecar)
	f := startFeed(t, up.URL, serve(t, s))

	for _, leads := range []bool{false, true, false} {
		o.mu.Lock()
		o.leads = leads
		o.mu.Unlock()
		got, err := f.leader()
		require.NoError(t, err)
		require.Equal(t, leads, got)
	}
	require.NoError(t, f.commit(block(1, 1, common.Hash{})))
	var cluster string
	require.NoError(t, f.node.Call(&cluster, "conductor_clusterMembership"))
	require.Equal(t, "us", cluster)
	require.Error(t, f.node.Call(nil, "admin_startSequencer"), "an op-conductor serves more than its own methods, which is not for op-node")
	require.False(t, admin.called)

	o.mu.Lock()
	o.fails = errors.New("node is not the leader")
	o.mu.Unlock()
	require.ErrorContains(t, f.commit(block(2, 2, common.Hash{})), "node is not the leader")
	_, err := f.leader()
	require.ErrorContains(t, err, "node is not the leader")
	o.mu.Lock()
	o.fails, o.hold = nil, make(chan struct{})
	o.mu.Unlock()

	// It hangs: op-node's own timeout ends it, and the op-conductor sees that.
	ctx, hangUp := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		failed <- f.node.CallContext(ctx, nil, "conductor_commitUnsafePayload", block(3, 3, common.Hash{}))
	}()
	<-o.enter
	hangUp()
	require.ErrorIs(t, <-failed, context.Canceled)
	select {
	case <-o.ended:
	case <-time.After(patience):
		t.Fatal("the op-conductor was not told that op-node hung up")
	}
	o.mu.Lock()
	o.hold = nil
	o.mu.Unlock()

	// A block that is too large to be handed on is still the op-conductor's.
	long, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, f.node.CallContext(long, nil, "conductor_commitUnsafePayload", block(4, 4, common.Hash{}, make(eth.Data, 13<<20))))
	o.mu.Lock()
	require.Equal(t, []uint64{1, 4}, o.blocks)
	o.mu.Unlock()
	require.Eventually(t, func() bool { return s.count() == 3 }, patience, poll, "blocks 1, 2 and 3")

	up.Close() // gone: nothing is answered in its place
	_, err = f.leader()
	require.Error(t, err)
	require.Error(t, f.commit(block(5, 5, common.Hash{})))
	require.Positive(t, testutil.ToFloat64(f.metrics.Unreached))
}

func TestConductorRefusesAnAddressThatIsNone(t *testing.T) {
	for _, a := range []string{"127.0.0.1:8547", "ws://127.0.0.1:8547", "http://", "::"} {
		_, err := pushfeed.NewConductor(pushfeed.ConductorConfig{Upstream: a})
		require.ErrorIs(t, err, pushfeed.ErrUpstream, a)
		_, err = pushfeed.NewForwarder([]string{a}, nil, nil, quiet())
		require.Error(t, err, a)
	}
}

func rawCommit(t *testing.T, env any) []byte {
	t.Helper()
	params, err := json.Marshal(env)
	require.NoError(t, err)
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"conductor_commitUnsafePayload","params":[%s]}`, params)
}

func push(h http.Handler, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
