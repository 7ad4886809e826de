//go:build opstack

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// Sidecars that count safe blocks only: nothing of the raid is believed before its batch is on L1.
func TestU1_RaidAtTheSafeLevel(t *testing.T) {
	ctx := within(t, 3*time.Minute)
	d := world(t, devnet.Options{Args: func(string) []string { return []string{"--trust", "safe"} }})
	// What op-node says at the moment in which the sidecars say that the raid is settled.
	var at *eth.SyncStatus
	sum, err := story.Tell(ctx, d, story.Options{Step: func(text string) {
		if strings.HasPrefix(text, "reading back") {
			var err error
			at, err = d.Chain.OpStack.Status(ctx)
			require.NoError(t, err)
		}
	}})
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.NotNil(t, at)
	last := sum.Transactions[len(sum.Transactions)-1]
	require.Equal(t, "settle", last.Kind)
	require.GreaterOrEqual(t, at.SafeL2.Number, last.Block)
	t.Logf("settled in block %d, seen with the safe head at %d and the unsafe one at %d, %v", last.Block, at.SafeL2.Number, at.UnsafeL2.Number, sum.Seconds)
}

// The sequencer is killed before the stakes are paid: nobody takes an unpaid channel for open, and it opens when blocks come again.
func TestA12_AChannelOpensWhenTheSequencerIsBack(t *testing.T) {
	d := network(t)
	ctx := within(t, 2*time.Minute)
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	req.NoWait = true
	require.NoError(t, d.Chain.OpStack.Node.Kill9())
	stood, err := d.Chain.Eth.BlockNumber(ctx)
	require.NoError(t, err)
	var id common.Hash
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &id, "channels_open", req))
	// Everybody knows the channel, and the stakes wait in the pool of op-geth.
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, func(*sidecar.ChannelInfo) bool { return true }))
	}
	pending := func() (n uint64) {
		for _, s := range d.Sidecars {
			next, err := d.Chain.Eth.PendingNonceAt(ctx, s.Owner())
			require.NoError(t, err)
			mined, err := d.Chain.Eth.NonceAt(ctx, s.Owner(), nil)
			require.NoError(t, err)
			n += next - mined
		}
		return n
	}
	require.Eventually(t, func() bool { return pending() == uint64(len(d.Sidecars)) }, 30*time.Second, 100*time.Millisecond)
	for _, s := range d.Sidecars {
		var info sidecar.ChannelInfo
		require.NoError(t, dial(ctx, t, s).CallContext(ctx, &info, "channels_get", id))
		require.NotEqual(t, "open", info.Status)
	}
	now, err := d.Chain.Eth.BlockNumber(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, now, stood+1, "at most the block that was being built")

	require.NoError(t, d.Chain.OpStack.Node.Start(ctx))
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, hasStatus("open")))
	}
	playAll(ctx, t, d, id)
}

// The operator's op-geth is restarted while a raid is played: play needs no chain, and its end finds the node again.
func TestA12_ARaidGoesOnWhileOpGethIsAway(t *testing.T) {
	d := network(t)
	ctx := within(t, 2*time.Minute)
	id := openRaid(ctx, t, d)
	require.NoError(t, d.Chain.OpStack.Geth.Stop(ctx))
	errs := make(chan error, len(d.Sidecars))
	for i := range d.Sidecars {
		p := d.Player(i)
		go func() { errs <- p.Play(ctx, id) }()
	}
	for range d.Sidecars {
		require.NoError(t, <-errs)
	}
	require.False(t, d.Chain.OpStack.Geth.Running())
	require.NoError(t, d.Chain.OpStack.Geth.Start(ctx))
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, hasStatus("final", "settled")))
	}
}

// A participant pays its stake through L1, past the sequencer: the contract takes it as if it had come the usual way.
func TestA12_AStakeIsPaidThroughL1(t *testing.T) {
	d := network(t)
	ctx := within(t, 2*time.Minute)
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	params, alice := d.Params(req), 1
	call, err := adjudicator.Deposit(params, req.Funding, alice, 0)
	require.NoError(t, err)
	deposit, err := d.Chain.OpStack.Deposit(ctx, d.Sidecars[alice].OwnerKey, call.To, call.Value, 500_000, call.Data)
	require.NoError(t, err)
	var receipt *types.Receipt
	require.Eventually(t, func() bool {
		receipt, err = d.Chain.Eth.TransactionReceipt(ctx, deposit.L2)
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, types.ReceiptStatusSuccessful, receipt.Status)
	held, err := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts).Held(ctx, params.ID(), common.Address{})
	require.NoError(t, err)
	require.Equal(t, req.Funding[0].Amounts[alice], held)
}
