package plugin_test

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

func refOf(t *testing.T, n *anvil.Node, number uint64) plugin.BlockRef {
	t.Helper()
	c := dial(t, testConfig(n.URL()))
	b, err := c.Head(context.Background(), plugin.Unsafe)
	require.NoError(t, err)
	require.Equal(t, number, b.Number)
	return b
}

// TestF7_ABuiltBlockIsLookedForAtOnce: with a poll that never comes, what is pushed is delivered, also when the execution client gets it
// a moment after the push; what it does not get is not waited for for ever, and the feed goes on.
func TestF7_ABuiltBlockIsLookedForAtOnce(t *testing.T) {
	ctx, n := context.Background(), startChain(t, anvil.Options{})
	cfg := testConfig(n.URL())
	cfg.PollInterval, cfg.Registerer = time.Hour, prometheus.NewRegistry()
	c := dial(t, cfg)
	f := follow(t, c, plugin.FeedConfig{From: plugin.BlockRef{Number: 0}})
	require.True(t, f.next(20*time.Second), "the first look needs no push")

	require.NoError(t, n.Mine(ctx, 1))
	require.False(t, f.next(300*time.Millisecond), "the next poll is an hour away")
	c.Built(refOf(t, n, 1))
	require.True(t, f.next(20*time.Second))
	require.EqualValues(t, 1, f.last.Unsafe.Number)

	// Pushed before it is there. Of a block that another one overtakes only the number is waited for.
	c.Built(plugin.BlockRef{Number: 2, Hash: common.Hash{2}})
	require.NoError(t, n.Mine(ctx, 1))
	require.True(t, f.next(20*time.Second))
	require.EqualValues(t, 2, f.last.Unsafe.Number)

	// Never there: given up, and the next push is heard again.
	c.Built(plugin.BlockRef{Number: 9, Hash: common.Hash{9}})
	require.Eventually(t, func() bool {
		return counterOf(t, cfg.Registerer.(*prometheus.Registry), "op_channels_chain_pushed_missed_total") == 1
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, n.Mine(ctx, 1))
	c.Built(refOf(t, n, 3))
	require.True(t, f.next(20*time.Second))
	require.EqualValues(t, 3, f.last.Unsafe.Number)

	b, at := c.NewestBuilt()
	require.EqualValues(t, 3, b.Number)
	require.False(t, at.IsZero())
	has, ok, err := c.HasBlock(ctx, b.Hash)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, b, has)
	_, ok, err = c.HasBlock(ctx, common.Hash{9})
	require.NoError(t, err)
	require.False(t, ok)
}

func counterOf(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := r.Gather()
	require.NoError(t, err)
	for _, m := range all {
		if m.GetName() == name {
			return m.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
