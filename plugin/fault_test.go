package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

// rpcMessage is a JSON-RPC request or answer.
type rpcMessage struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// faulty stands between a Chain and its node and changes answers.
type faulty struct {
	node string
	mu   sync.Mutex
	// change may alter the answer to a request; false drops the connection.
	change func(request rpcMessage, answer *rpcMessage) bool
}

func (p *faulty) set(change func(rpcMessage, *rpcMessage) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change = change
}

func (p *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer, err := http.Post(p.node, "application/json", bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	out, _ := io.ReadAll(answer.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := len(body) > 0 && body[0] == '['
	requests, answers := make([]rpcMessage, 1), make([]rpcMessage, 1)
	if batch {
		_ = json.Unmarshal(body, &requests)
		_ = json.Unmarshal(out, &answers)
	} else {
		_ = json.Unmarshal(body, &requests[0])
		_ = json.Unmarshal(out, &answers[0])
	}
	for i := range answers {
		for _, request := range requests {
			if bytes.Equal(request.ID, answers[i].ID) && p.change != nil && !p.change(request, &answers[i]) {
				panic(http.ErrAbortHandler)
			}
		}
	}
	w.Header().Set("content-type", "application/json")
	if batch {
		_ = json.NewEncoder(w).Encode(answers)
	} else {
		_ = json.NewEncoder(w).Encode(answers[0])
	}
}

func (m *rpcMessage) fail(code, text string) {
	m.Result, m.Error = nil, json.RawMessage(`{"code":`+code+`,"message":"`+text+`"}`)
}

func newFaulty(t *testing.T, n *anvil.Node) (*faulty, string) {
	p := &faulty{node: n.URL()}
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = nil
	server.Start()
	t.Cleanup(server.Close)
	return p, server.URL
}

func TestF7_FollowAsksForLessWhenTheNodeRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 1})
	contract := deploy(t, n, emitterCode)
	for i := range uint64(6) {
		emit(t, n, contract, i)
		require.NoError(t, n.Mine(ctx, 50))
	}
	p, url := newFaulty(t, n)
	var refused atomic.Int32
	p.set(func(q rpcMessage, a *rpcMessage) bool {
		var query []struct{ FromBlock, ToBlock string }
		if q.Method == "eth_getLogs" && json.Unmarshal(q.Params, &query) == nil && query[0].FromBlock != "" {
			from, to := common.HexToHash(query[0].FromBlock).Big().Uint64(), common.HexToHash(query[0].ToBlock).Big().Uint64()
			if to-from >= 40 {
				refused.Add(1)
				a.fail("-32005", "query exceeds max block range 40")
			}
		}
		return true
	})
	f := follow(t, dial(t, testConfig(url)), plugin.FeedConfig{Addresses: []common.Address{contract}, MaxBackoff: 50 * time.Millisecond})
	f.agrees()
	require.Positive(t, refused.Load())
	require.Len(t, f.logs, 6)
}

func TestF7_NodeWithoutSafeBlocksHasNone(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{SlotsInEpoch: 1})
	contract := deploy(t, n, emitterCode)
	p, url := newFaulty(t, n)
	withoutTags := func(q rpcMessage, a *rpcMessage) bool {
		if strings.Contains(string(q.Params), `"safe"`) {
			a.fail("-32602", "invalid block number")
		}
		if strings.Contains(string(q.Params), `"finalized"`) {
			a.Result = json.RawMessage("null")
		}
		return true
	}
	p.set(withoutTags)
	c := dial(t, testConfig(url))
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{contract}})
	emit(t, n, contract, 1, 2, 3)
	f.agrees()
	for _, l := range []plugin.Level{plugin.Safe, plugin.Finalized} {
		_, ok := f.last.At(l)
		require.False(t, ok, "unsafe blocks are called %s", l)
		b, err := c.Head(context.Background(), l)
		require.NoError(t, err)
		require.Zero(t, b)
	}
	p.set(nil) // the first batch reached L1
	require.True(t, f.next(10*time.Second), "levels alone are no step")
	require.Empty(t, f.rewinds)
	safe, ok := f.last.At(plugin.Safe)
	require.True(t, ok)
	require.Equal(t, f.last.Unsafe.Number-1, safe.Number)

	// A node that loses its tags, as over a restart, takes no trust back: the block is still there.
	p.set(withoutTags)
	emit(t, n, contract, 4, 5)
	f.agrees()
	kept, ok := f.last.At(plugin.Safe)
	require.True(t, ok)
	require.Equal(t, safe.Hash, kept.Hash)
	// When it is not, what is final is all that is known to be safe.
	require.NoError(t, n.Reorg(context.Background(), f.last.Unsafe.Number-safe.Number+1))
	f.until(func() bool { return len(f.rewinds) > 0 }, "no rewind")
	f.agrees()
	require.Equal(t, safe.ParentHash, f.last.Finalized.Hash)
	require.Equal(t, f.last.Finalized, f.last.Safe)
}

func TestF7_FollowRefusesLogsThatDoNotFit(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	contract, other := deploy(t, n, emitterCode), deploy(t, n, emitterCode)
	for name, change := range map[string]func(string) string{
		"of another contract": func(s string) string {
			return strings.ReplaceAll(s, strings.ToLower(contract.Hex()), strings.ToLower(other.Hex()))
		},
		"twice":            func(s string) string { return s[:len(s)-1] + "," + s[1:] },
		"of another block": replaceHash,
		"null":             func(string) string { return "null" },
		"removed":          func(s string) string { return strings.ReplaceAll(s, `"removed":false`, `"removed":true`) },
	} {
		t.Run(name, func(t *testing.T) {
			p, url := newFaulty(t, n)
			var lied atomic.Int32
			p.set(func(q rpcMessage, a *rpcMessage) bool {
				if q.Method == "eth_getLogs" && len(a.Result) > 2 {
					changed := change(string(a.Result))
					if changed != string(a.Result) {
						lied.Add(1)
					}
					a.Result = json.RawMessage(changed)
				}
				return true
			})
			head, err := dial(t, testConfig(n.URL())).Head(context.Background(), plugin.Unsafe)
			require.NoError(t, err)
			f := follow(t, dial(t, testConfig(url)), plugin.FeedConfig{Addresses: []common.Address{contract}, From: head, MaxBackoff: 50 * time.Millisecond})
			emit(t, n, contract, 1)
			for deadline := time.Now().Add(10 * time.Second); lied.Load() < 2; {
				require.True(t, time.Now().Before(deadline))
				require.False(t, f.next(20*time.Millisecond) && len(f.logs) > 0, "delivered")
			}
			p.set(nil)
			require.True(t, f.next(10*time.Second))
			require.Len(t, f.logs, 1)
		})
	}
}

// replaceHash gives every log another block hash.
func replaceHash(s string) string {
	const key = `"blockHash":"0x`
	parts := strings.Split(s, key)
	for i := 1; i < len(parts); i++ {
		parts[i] = "00000000" + parts[i][8:]
	}
	return strings.Join(parts, key)
}

func TestF7_FollowGetsThroughABadConnection(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 4})
	contract := deploy(t, n, emitterCode)
	p, url := newFaulty(t, n)
	reg := prometheus.NewRegistry()
	cfg := testConfig(url)
	cfg.Registerer = reg
	c := dial(t, cfg)
	rnd := rand.New(rand.NewSource(7))
	p.set(func(_ rpcMessage, a *rpcMessage) bool {
		switch rnd.Intn(20) {
		case 0:
			return false
		case 1:
			a.fail("-32000", "try again later")
		case 2:
			a.Result = json.RawMessage("null")
		}
		return true
	})
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{contract}, MaxBlockRange: 50, MaxBackoff: 50 * time.Millisecond})
	for i := range uint64(6) {
		emit(t, n, contract, i)
		require.NoError(t, n.Mine(ctx, 15*i))
		require.NoError(t, n.Reorg(ctx, i%3+1))
		for range 5 {
			f.next(20 * time.Millisecond)
		}
	}
	emit(t, n, contract, 9)
	f.chain = dial(t, testConfig(n.URL())) // what is right comes from the node itself
	f.agrees()
	require.Positive(t, metric(t, reg, "op_channels_chain_rpc_errors_total", ""))
}
