package pushfeed_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/plugin/pushfeed"
)

func receive(t *testing.T, c pushfeed.Chain) (*pushfeed.Receiver, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	r, err := pushfeed.NewReceiver(c, false, reg, quiet())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, reg
}

// TestReceiverTakesBlocksOfThisChainOnly: what reaches the chain as built has the hash that it says, and stands on a block that the
// execution client has.
func TestReceiverTakesBlocksOfThisChainOnly(t *testing.T) {
	n, err := anvil.Start(context.Background(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	c, err := plugin.Dial(context.Background(), plugin.Config{RPC: n.URL(), ChainID: 31337, Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, n.Mine(context.Background(), 3))
	head, err := c.Head(context.Background(), plugin.Unsafe)
	require.NoError(t, err)
	r, reg := receive(t, c)
	var want pushfeed.Status
	check := func(what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got := r.Status()
			got.At, want.At = 0, 0
			return got == want
		}, patience, poll, "%s: %+v, wanted %+v", what, r.Status(), want)
	}
	pushed := func(env any) {
		t.Helper()
		w := push(r, rawCommit(t, env))
		require.Equal(t, http.StatusOK, w.Code)
		require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"result":null}`, w.Body.String())
	}
	child := block(head.Number+1, head.Time+1, head.Hash)
	pushed(child)
	want.Taken, want.Built = 1, plugin.BlockRef{Number: head.Number + 1, Hash: child.ExecutionPayload.BlockHash, ParentHash: head.Hash, Time: head.Time + 1}
	check("a child of the head")
	built, _ := c.NewestBuilt()
	require.Equal(t, want.Built, built)
	pushed(child)
	want.Duplicate++
	check("the same again")

	forged := block(head.Number+1, head.Time+1, head.Hash)
	forged.ExecutionPayload.StateRoot[0]++
	pushed(forged)
	want.Invalid++
	check("another state under the same hash")
	for _, malformed := range []any{nil, 7, map[string]any{}, map[string]any{"executionPayload": nil}, map[string]any{"executionPayload": map[string]any{"blockNumber": "0xffffffffffffffff"}}} {
		pushed(malformed)
		want.Invalid++
		check("malformed")
	}
	for name, foreign := range map[string]any{
		"a parent that nobody has": block(head.Number+1, head.Time+1, common.Hash{1}),
		"another number":           block(head.Number+2, head.Time+1, head.Hash),
		"before its parent":        block(head.Number+1, head.Time-1, head.Hash),
	} {
		pushed(foreign)
		want.Foreign++
		check(name)
	}
	// A sibling on a block of the chain is one that a sequencer could have built instead.
	sibling := block(head.Number+1, head.Time+2, head.Hash)
	pushed(sibling)
	want.Taken++
	want.Built.Hash, want.Built.Time = sibling.ExecutionPayload.BlockHash, head.Time+2
	check("a sibling")
	// Blocks that were made up stand on each other only so far.
	last := sibling.ExecutionPayload
	for i := range uint64(6) {
		b := block(uint64(last.BlockNumber)+1, uint64(last.Timestamp)+1, last.BlockHash)
		pushed(b)
		if i < 4 {
			want.Taken++
			want.Built = plugin.BlockRef{Number: uint64(last.BlockNumber) + 1, Hash: b.ExecutionPayload.BlockHash, ParentHash: last.BlockHash, Time: uint64(last.Timestamp) + 1}
			last = b.ExecutionPayload
		} else {
			want.Foreign++
		}
		check("made up")
	}
	families, err := testutil.GatherAndCount(reg, "op_channels_chain_pushed_payloads_total")
	require.NoError(t, err)
	require.Equal(t, 5, families)

	w := push(r, []byte(`{"id":1,"method":"conductor_leader"}`))
	require.Contains(t, w.Body.String(), "op-channels push-feed", "a sidecar is no conductor")
	require.NotContains(t, w.Body.String(), `"result"`)
}

// stuck is an execution client that does not answer.
type stuck struct {
	asked chan struct{}
	once  sync.Once
	built int
}

func (s *stuck) Built(plugin.BlockRef) { s.built++ }
func (s *stuck) HasBlock(ctx context.Context, _ common.Hash) (plugin.BlockRef, bool, error) {
	s.once.Do(func() { close(s.asked) })
	<-ctx.Done()
	return plugin.BlockRef{}, false, ctx.Err()
}

// TestReceiverAnswersWhileItsNodeIsStuck: a flood is answered, bounded, and the oldest go.
func TestReceiverAnswersWhileItsNodeIsStuck(t *testing.T) {
	s := &stuck{asked: make(chan struct{})}
	r, _ := receive(t, s)
	for i := range uint64(100) {
		require.Equal(t, http.StatusOK, push(r, rawCommit(t, block(10+i, i, common.Hash{byte(i)}))).Code)
		if i == 0 {
			<-s.asked
		}
	}
	require.EqualValues(t, 100-1-16, r.Status().Dropped, "one is looked at, 16 wait")
	r.Close()
	require.Zero(t, s.built)
}

func TestReceiverRefusesABlockOfTooManyParts(t *testing.T) {
	s := &stuck{asked: make(chan struct{})}
	r, _ := receive(t, s)
	push(r, []byte(`{"id":1,"method":"conductor_commitUnsafePayload","params":[{"executionPayload":{"transactions":["0x"`+strings.Repeat(`,"0x"`, 1<<18)+`]}}]}`))
	require.Eventually(t, func() bool { return r.Status().Invalid == 1 }, patience, poll)
	push(r, []byte(`{"id":1,"method":"conductor_commitUnsafePayload","params":["`+strings.Repeat("a", 25<<20)+`"]}`))
	require.EqualValues(t, 1, r.Status().Dropped, "too large")
}

// TestReceiverOverForwarder is the way of a block from op-node to the sidecar.
func TestReceiverOverForwarder(t *testing.T) {
	s := new(collector)
	r, _ := receive(t, s)
	l, _, err := pushfeed.Listen("127.0.0.1:0")
	require.NoError(t, err)
	server := pushfeed.Serve(l, r, quiet())
	t.Cleanup(func() { require.NoError(t, server.Close(context.Background())) })
	f := startFeed(t, "", "http://"+l.Addr().String())
	parent := common.Hash{}
	var hashes []common.Hash
	for i := range uint64(20) {
		b := block(i+1, i, parent)
		require.NoError(t, f.commit(b))
		parent = b.ExecutionPayload.BlockHash
		hashes = append(hashes, parent)
		require.Eventually(t, func() bool { return len(s.hashes()) == len(hashes) }, patience, time.Millisecond)
	}
	require.Equal(t, hashes, s.hashes())
}

// collector is a chain that has every parent.
type collector struct {
	mu   sync.Mutex
	seen []plugin.BlockRef
}

func (c *collector) Built(b plugin.BlockRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, b)
}

func (c *collector) HasBlock(_ context.Context, hash common.Hash) (plugin.BlockRef, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.seen {
		if b.Hash == hash {
			return b, true, nil
		}
	}
	return plugin.BlockRef{Hash: hash}, hash == common.Hash{}, nil
}

func (c *collector) hashes() (out []common.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.seen {
		out = append(out, b.Hash)
	}
	return out
}
