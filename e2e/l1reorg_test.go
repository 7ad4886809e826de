//go:build opstack

package e2e

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// L1 takes back the blocks that a channel's stakes depend on: nobody takes the channel for open any more, nobody plays it, and
// it opens when the stakes are there again, in other blocks. A raid whose stakes are final is played on all the time.
func TestA12_AL1ReorgTakesStakesBackAndARaidGoesOn(t *testing.T) {
	d := network(t)
	ctx, stack := within(t, 3*time.Minute), d.Chain.OpStack
	going := openRaid(ctx, t, d)
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	// The ticket and the other raid must stay: their blocks are final.
	settled := heads(ctx, t, d, func(*eth.SyncStatus) bool { return true }).UnsafeL2.Number
	heads(ctx, t, d, func(s *eth.SyncStatus) bool { return s.FinalizedL2.Number >= settled })

	require.NoError(t, stack.HoldL1(ctx))
	t.Cleanup(func() { // the next test wants the chain as it was
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = errors.Join(stack.ReleaseL1(ctx), stack.SetRecoverMode(ctx, false))
	})
	heads(ctx, t, d, func(s *eth.SyncStatus) bool { return s.UnsafeL2.L1Origin == s.HeadL1.ID() })
	var id common.Hash
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &id, "channels_open", req))
	was := make([]sidecar.ChannelInfo, len(d.Sidecars))
	for i, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool { was[i] = *info; return info.Status == "open" }))
	}
	origin := heads(ctx, t, d, func(*eth.SyncStatus) bool { return true }).UnsafeL2.L1Origin

	played := make(chan error, len(d.Sidecars))
	for i := range d.Sidecars {
		p := d.Player(i)
		p.Pace = 500 * time.Millisecond
		go func() { played <- p.Play(ctx, going) }()
	}
	require.NoError(t, await(ctx, d.Sidecars[1], going, headFrom(5)))

	// The sequencer builds empty blocks, so that what was taken back stays away until everybody has been looked at.
	rewinds := make([]float64, len(d.Sidecars))
	for i, s := range d.Sidecars {
		rewinds[i] = metric(ctx, t, s, "op_channels_chain_rewinds_total")
	}
	require.NoError(t, stack.SetRecoverMode(ctx, true))
	require.NoError(t, stack.L1.Reorg(ctx, 1))
	require.NoError(t, stack.ReleaseL1(ctx))
	for i, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool { return info.Status != "open" && len(info.Facts) == 0 }))
		require.Greater(t, metric(ctx, t, s, "op_channels_chain_rewinds_total"), rewinds[i], s.Name)
		var done sidecar.Submitted
		err := dial(ctx, t, s).CallContext(ctx, &done, "channels_submit", id, hexutil.Bytes{1}, nil)
		require.Equal(t, channel.CodeNotReady, sidecar.ErrorCode(err), "%s plays on stakes that are gone: %v", s.Name, err)
	}
	// The raid goes on meanwhile, on stakes that are final.
	var at sidecar.ChannelInfo
	require.NoError(t, dial(ctx, t, d.Sidecars[1]).CallContext(ctx, &at, "channels_get", going))
	require.Equal(t, "open", at.Status)
	require.NoError(t, await(ctx, d.Sidecars[1], going, headFrom(at.HeadSeq+5)))
	empty := heads(ctx, t, d, func(s *eth.SyncStatus) bool { return s.UnsafeL2.L1Origin.Number > origin.Number })
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool { return info.Status != "open" && len(info.Facts) == 0 }))
	}

	require.NoError(t, stack.SetRecoverMode(ctx, false))
	for i, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(info *sidecar.ChannelInfo) bool {
			return info.Status == "open" && len(info.Facts) >= len(d.Sidecars) && info.Facts[0].BlockHash != was[i].Facts[0].BlockHash
		}))
	}
	// What L1 took back of the batcher it forgot, which other nodes than anvil put into their pools: its operator restarts it.
	require.NoError(t, stack.Batcher.Kill9())
	require.NoError(t, stack.Batcher.Start(ctx))
	playAll(ctx, t, d, id)
	for range d.Sidecars {
		require.NoError(t, <-played)
	}
	reader := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts)
	for _, raid := range []common.Hash{id, going} {
		require.NoError(t, await(ctx, d.Sidecars[0], raid, hasStatus("settled")))
		held, err := reader.Held(ctx, raid, common.Address{})
		require.NoError(t, err)
		require.Zero(t, held.Sign(), "everything is paid out")
	}
	heads(ctx, t, d, func(s *eth.SyncStatus) bool { return s.SafeL2.Number > empty.UnsafeL2.Number })
}

// heads asks op-node until its heads are as wished.
func heads(ctx context.Context, t *testing.T, d *devnet.Devnet, wish func(*eth.SyncStatus) bool) *eth.SyncStatus {
	t.Helper()
	for {
		status, err := d.Chain.OpStack.Status(ctx)
		if err == nil && wish(status) {
			return status
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("op-node is at %+v (%v)", status, err)
		}
	}
}

// metric reads one value of a sidecar.
func metric(ctx context.Context, t *testing.T, s *devnet.Sidecar, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.MetricsURL(), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			return v
		}
	}
	t.Fatalf("%s has no metric %s", s.Name, name)
	return 0
}
