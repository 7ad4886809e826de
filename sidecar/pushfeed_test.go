package sidecar_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/plugin/pushfeed"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// builtOn is the commit of a block on a parent.
func builtOn(t *testing.T, parent plugin.BlockRef) []byte {
	t.Helper()
	root := common.Hash{1}
	env := &eth.ExecutionPayloadEnvelope{ExecutionPayload: &eth.ExecutionPayload{
		ParentHash: parent.Hash, BlockNumber: eth.Uint64Quantity(parent.Number + 1), Timestamp: eth.Uint64Quantity(parent.Time + 1),
		ExtraData: eth.BytesMax32{}, Transactions: []eth.Data{}, WithdrawalsRoot: &root,
	}}
	env.ExecutionPayload.BlockHash, _ = env.CheckBlockHash()
	params, err := json.Marshal(env)
	require.NoError(t, err)
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"conductor_commitUnsafePayload","params":[%s]}`, params)
}

func postJSON(t *testing.T, url string, body []byte) (int, string) {
	t.Helper()
	r, err := http.Post(url, "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

// TestF7_PushFeedIsAPortOfItsOwn: it takes blocks and nothing else, also while the engine's loop stands still, and the RPC takes none.
func TestF7_PushFeedIsAPortOfItsOwn(t *testing.T) {
	c := startChain(t, anvil.Options{})
	s, _ := startService(t, c, "--module", counterModule(t), "--push-feed.enabled", "--push-feed.port", "0", "--poll-interval", "1h", "--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0")
	api, err := rpc.Dial("http://" + s.RPCEndpoint())
	require.NoError(t, err)
	t.Cleanup(api.Close)
	info := func() (info sidecar.NodeInfo) {
		require.NoError(t, api.Call(&info, "channels_nodeInfo"))
		require.NotNil(t, info.PushFeed)
		return info
	}
	require.Eventually(t, func() bool { return info().Head > 0 }, patience, poll)
	feed := "http://" + s.PushFeedEndpoint()
	for _, method := range []string{"channels_nodeInfo", "admin_status", "conductor_leader"} {
		code, body := postJSON(t, feed, []byte(`{"jsonrpc":"2.0","id":1,"method":"`+method+`"}`))
		require.Equal(t, http.StatusOK, code)
		require.Contains(t, body, `"code":-32601`, method)
	}
	code, _ := get(t, feed+"/healthz")
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.ErrorContains(t, api.Call(nil, "conductor_commitUnsafePayload", nil), "does not exist")

	head, err := s.Link().Head(t.Context())
	require.NoError(t, err)
	release := make(chan struct{})
	s.HoldLoop(release)
	code, body := postJSON(t, feed, builtOn(t, head))
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"result":null}`, body)
	require.NoError(t, c.Mine(t.Context(), 1)) // the block that the chain has is another one: the push only says when to look
	close(release)
	require.Eventually(t, func() bool {
		now := info()
		return uint64(now.Head) == head.Number+1 && now.PushFeed.Built.Number == head.Number+1 && now.PushFeed.Taken == 1
	}, patience, poll)
	_, metrics := get(t, "http://"+s.MetricsEndpoint()+"/metrics")
	require.Contains(t, metrics, `op_channels_chain_pushed_payloads_total{result="built"} 1`)
	require.Contains(t, metrics, fmt.Sprintf("op_channels_chain_pushed_head %d", head.Number+1))

	off, _ := startService(t, c)
	require.Empty(t, off.PushFeedEndpoint())
	require.Nil(t, off.Info().PushFeed)
}

// TestPushFeedBeyondLoopbackNeedsASecret: without one it does not start, with one it takes only what is signed.
func TestPushFeedBeyondLoopbackNeedsASecret(t *testing.T) {
	_, err := parse(t, append(needed(t), "--push-feed.enabled", "--push-feed.addr", "0.0.0.0")...)
	require.ErrorContains(t, err, "--push-feed.jwt-secret")
	secret := write(t, "jwt", strings.Repeat("cd", 32))
	c := startChain(t, anvil.Options{})
	s, _ := startService(t, c, "--push-feed.enabled", "--push-feed.addr", "0.0.0.0", "--push-feed.port", "0", "--push-feed.jwt-secret", secret)
	_, port, ok := strings.Cut(strings.TrimPrefix(s.PushFeedEndpoint(), "[::]"), ":")
	require.True(t, ok)
	url := "http://127.0.0.1:" + port
	head, err := s.Link().Head(t.Context())
	require.NoError(t, err)
	code, _ := postJSON(t, url, builtOn(t, head))
	require.Equal(t, http.StatusUnauthorized, code)
	require.Zero(t, s.Info().PushFeed.Taken)

	var key [32]byte
	for i := range key {
		key[i] = 0xcd
	}
	m, err := pushfeed.NewMetrics(nil)
	require.NoError(t, err)
	f, err := pushfeed.NewForwarder([]string{url}, node.NewJWTAuth(key), m, log.Root())
	require.NoError(t, err)
	t.Cleanup(f.Close)
	f.Forward(builtOn(t, head))
	require.Eventually(t, func() bool { return s.Info().PushFeed.Taken == 1 }, patience, poll)
}
