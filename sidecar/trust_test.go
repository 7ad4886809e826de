package sidecar_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// upTo is how many blocks must be mined on anvil for the newest one to reach a level: its epochs have 32 blocks.
var upTo = map[plugin.Level]uint64{plugin.Safe: 32 + 1, plugin.Finalized: 64 + 1}

// TestTrust_EachKindNeedsItsLevel states which level counts for what.
func TestTrust_EachKindNeedsItsLevel(t *testing.T) {
	trust := sidecar.Trust{Deposits: plugin.Safe, Conclusions: plugin.Finalized, Publications: plugin.Safe}
	for kind, want := range map[sidecar.FactKind]struct {
		group sidecar.FactGroup
		level plugin.Level
	}{
		sidecar.FactDeposited: {sidecar.GroupDeposits, plugin.Safe},
		sidecar.FactFunded:    {sidecar.GroupDeposits, plugin.Safe},
		sidecar.FactConcluded: {sidecar.GroupConclusions, plugin.Finalized},
		sidecar.FactRefunded:  {sidecar.GroupConclusions, plugin.Finalized},
		sidecar.FactSettled:   {sidecar.GroupConclusions, plugin.Finalized},
		sidecar.FactPublished: {sidecar.GroupPublications, plugin.Safe},
		sidecar.FactExecuted:  {sidecar.GroupPublications, plugin.Safe},
		sidecar.FactDisproved: {sidecar.GroupRefusals, plugin.Unsafe},
		sidecar.FactVetoed:    {sidecar.GroupRefusals, plugin.Unsafe},
		"of the future":       {sidecar.GroupConclusions, plugin.Finalized},
	} {
		require.Equal(t, want.group, kind.Group(), kind)
		require.Equal(t, want.level, trust.Needs(kind, nil), kind)
	}
	require.Equal(t, plugin.Finalized, trust.Of(nil), "time passes when everything counts")
}

func TestTrust_StakesAboveAnAmountNeedMore(t *testing.T) {
	gold, silver := common.Address{1}, common.Address{2}
	trust := sidecar.Trust{DepositsAbove: []sidecar.StakeTrust{
		{Asset: gold, Above: *uint256.NewInt(10), Level: plugin.Safe}, {Asset: gold, Above: *uint256.NewInt(100), Level: plugin.Finalized},
	}}
	stake := func(asset common.Address, amounts ...uint64) channel.Funding {
		s := channel.Stake{Asset: asset}
		for _, a := range amounts {
			s.Amounts = append(s.Amounts, *uint256.NewInt(a))
		}
		return channel.Funding{s}
	}
	most := stake(gold, 0, 1)
	most[0].Amounts[0].SetAllOne()
	for name, c := range map[string]struct {
		funding channel.Funding
		want    plugin.Level
	}{
		"nothing at stake":              {nil, plugin.Unsafe},
		"together at the amount":        {stake(gold, 4, 6), plugin.Unsafe},
		"together above it":             {stake(gold, 5, 6), plugin.Safe},
		"the others' alone":             {stake(gold, 0, 11), plugin.Safe},
		"above the higher amount":       {stake(gold, 1, 100), plugin.Finalized},
		"more than a number can hold":   {most, plugin.Finalized},
		"an asset that no rule names":   {stake(silver, 1, 0), plugin.Finalized},
		"nothing of an unnamed asset":   {stake(silver, 0, 0), plugin.Unsafe},
		"little of one, much of others": {append(stake(gold, 1, 1), stake(gold, 50, 1)...), plugin.Safe},
	} {
		require.Equal(t, c.want, trust.Needs(sidecar.FactDeposited, c.funding), name)
		require.Equal(t, c.want, trust.Needs(sidecar.FactFunded, c.funding), name)
		require.Equal(t, c.want, trust.Of(c.funding), name)
		require.Equal(t, plugin.Unsafe, trust.Needs(sidecar.FactConcluded, c.funding), name)
	}
	trust.Deposits = plugin.Safe
	require.Equal(t, plugin.Safe, trust.Needs(sidecar.FactDeposited, stake(gold, 1, 1)), "a rule never lowers a level")
}

// TestTrust_ADepositCountsAtItsLevel: nobody plays before a deposit has the level it needs; a deposit that is reorganised away before is
// paid again, and one that is reorganised away after it takes play back with it.
func TestTrust_ADepositCountsAtItsLevel(t *testing.T) {
	for _, level := range []plugin.Level{plugin.Safe, plugin.Finalized} {
		t.Run(level.String(), func(t *testing.T) {
			g := newGroundOf(t, sidecar.Trust{Deposits: level})
			g.propose(stakes)
			all := []sidecar.FactKind{sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded}
			g.paysAgain(g.awaitFacts(all...), all)
			g.stillWaits("funding", "deposited is seen")
			g.refused()
			for _, f := range g.info(0).Facts {
				require.Equal(t, level, f.Needs)
				require.Equal(t, plugin.Unsafe, f.Level)
			}
			require.NoError(t, g.node.Mine(context.Background(), upTo[level]))
			g.await("open")
			g.counted(level)
			g.play()

			g.paysAgain(g.awaitFacts(all...), all)
			g.stillWaits("funding", "deposited is seen")
			g.refused()
			require.NoError(t, g.node.Mine(context.Background(), upTo[level]))
			g.await("open")
			require.Equal(t, stakes[0]+stakes[1], g.held(), "each stake is paid once")
			g.play()
			g.close()
			require.Zero(t, g.held())
		})
	}
}

// paysAgain takes the second deposit out of the chain and waits until it is there again.
func (g *ground) paysAgain(facts []sidecar.FactInfo, all []sidecar.FactKind) {
	g.t.Helper()
	g.automine(false)
	require.NoError(g.t, g.node.Reorg(context.Background(), g.depthOf(facts[1].Block)))
	g.awaitFacts(sidecar.FactDeposited)
	g.await("funding")
	g.automine(true)
	g.awaitFacts(all...)
}

// stillWaits checks that facts which are known do not count for either, and that this is said.
func (g *ground) stillWaits(status, what string) {
	g.t.Helper()
	for i := range g.peers {
		info := g.info(i)
		require.Equal(g.t, status, info.Status)
		require.Contains(g.t, info.WaitingFor, what)
	}
}

// counted waits until the metrics say that no deposit waits any more.
func (g *ground) counted(level plugin.Level) {
	g.t.Helper()
	for _, p := range g.peers {
		require.Eventually(g.t, func() bool {
			return testutil.ToFloat64(p.metrics.FactsWaiting.WithLabelValues(string(sidecar.FactDeposited), level.String())) == 0 &&
				testutil.ToFloat64(p.metrics.TrustedTime.WithLabelValues(string(sidecar.GroupDeposits))) > 0
		}, 20*time.Second, 20*time.Millisecond)
	}
}

// TestTrust_AConclusionCountsAtItsLevel: with deposits that count at once, a conclusion is believed only when it is safe, or final; one that
// is reorganised away before is sent again, and one that goes later is taken back.
func TestTrust_AConclusionCountsAtItsLevel(t *testing.T) {
	for _, level := range []plugin.Level{plugin.Safe, plugin.Finalized} {
		t.Run(level.String(), func(t *testing.T) {
			g := newGroundOf(t, sidecar.Trust{Conclusions: level})
			g.open()
			g.play()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			var ended sync.WaitGroup
			for _, p := range g.peers {
				ended.Go(func() { _, _ = p.api.Close(ctx, g.id) })
			}
			all := []sidecar.FactKind{sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded, sidecar.FactConcluded}
			facts := g.awaitFacts(all...)
			for range 2 { // the second time it has counted
				g.automine(false)
				require.NoError(t, g.node.Reorg(ctx, g.depthOf(facts[3].Block)))
				g.awaitFacts(all[:3]...)
				g.await("concluding")
				require.Equal(t, stakes[0]+stakes[1], g.held())
				g.automine(true)
				facts = g.awaitFacts(all...)
				require.Equal(t, level, facts[3].Needs)
				g.stillWaits("concluding", "concluded is seen")
				require.NoError(t, g.node.Mine(ctx, upTo[level]))
				g.await("final")
				require.Zero(t, g.held())
			}
			ended.Wait()
			require.NoError(t, ctx.Err(), "who closes is answered when the conclusion counts")
		})
	}
}

// TestTrust_LargeStakesWaitLonger: of two channels of one node the one with more money in it needs a safer chain.
func TestTrust_LargeStakesWaitLonger(t *testing.T) {
	g := newGroundOf(t, sidecar.Trust{DepositsAbove: []sidecar.StakeTrust{{Above: *uint256.NewInt(stakes[0] + stakes[1] - 1), Level: plugin.Safe}}})
	g.propose([2]uint64{stakes[0], stakes[1] - 1})
	g.await("open")
	g.play()
	g.propose(stakes)
	g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	g.stillWaits("funding", "funded is seen")
	g.refused()
	require.NoError(t, g.node.Mine(context.Background(), upTo[plugin.Safe]))
	g.await("open")
	g.play()
}
