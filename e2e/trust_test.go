//go:build opstack

package e2e

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// While no batch reaches L1, stakes that need a safe block are seen by everybody and count for nobody. When the batcher is back the raid opens,
// and its end, which needs no more than an unsafe block, counts while the batcher is gone again.
func TestTrust_StakesWaitForTheBatcherAndEndsDoNot(t *testing.T) {
	d := world(t, devnet.Options{Args: func(string) []string { return []string{"--trust-deposits", "safe"} }})
	ctx := within(t, 2*time.Minute)
	require.NoError(t, d.Chain.OpStack.Batcher.Stop(ctx))
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	req.NoWait = true
	var id common.Hash
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &id, "channels_open", req))
	level := func(info *sidecar.ChannelInfo, kind sidecar.FactKind) (has, needs plugin.Level, ok bool) {
		for _, f := range info.Facts {
			if f.Kind == kind {
				return f.Level, f.Needs, true
			}
		}
		return 0, 0, false
	}
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool {
			has, needs, ok := level(info, sidecar.FactFunded)
			if !ok {
				return false
			}
			require.Equal(t, plugin.Unsafe, has)
			require.Equal(t, plugin.Safe, needs)
			require.Equal(t, "funding", info.Status)
			require.Contains(t, info.WaitingFor, "funded is seen")
			return true
		}))
	}
	require.NoError(t, d.Chain.OpStack.Batcher.Start(ctx))
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool {
			if info.Status != "open" {
				return false
			}
			has, _, _ := level(info, sidecar.FactFunded)
			require.GreaterOrEqual(t, has, plugin.Safe)
			return true
		}))
	}
	require.NoError(t, d.Chain.OpStack.Batcher.Stop(ctx))
	playAll(ctx, t, d, id)
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool {
			if info.Status != "settled" {
				return false
			}
			has, needs, _ := level(info, sidecar.FactConcluded)
			require.Equal(t, plugin.Unsafe, needs)
			require.Equal(t, plugin.Unsafe, has)
			return true
		}))
	}
	require.NoError(t, d.Chain.OpStack.Batcher.Start(ctx))
}
