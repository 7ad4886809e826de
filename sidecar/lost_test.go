package sidecar_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/examples/tictactoe"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// TestA12_WhatWasMinedAndNeverSeenIsSentAgain: the block of a transaction is reorganised away before the feed shows it, so that there is no
// fact which could be taken back: the receipt alone said that it was there.
func TestA12_WhatWasMinedAndNeverSeenIsSentAgain(t *testing.T) {
	wasm, err := tictactoe.Wasm("c")
	require.NoError(t, err)
	attestor, _ := remoteKey(t, "attestor")
	chain := newObliging()
	chain.loses = map[protocols.TxKind]bool{protocols.TxConclude: true, protocols.TxSettle: true}
	a := startPeerAs(t, 1, t.TempDir(), wasm, tictactoe.Options(), func(c *sidecar.EngineConfig) {
		c.Keys.Attestor, c.Settlement, c.Chain = attestor, common.Address{0x5e}, chain
	})
	b := startPeer(t, 2, t.TempDir(), wasm, tictactoe.Options())
	acquaint(t, a, b)
	id := game(t, a, b)
	require.Eventually(t, func() bool {
		info, err := a.api.Get(t.Context(), id)
		return err == nil && info.Status == "settled"
	}, 30*time.Second, 5*time.Millisecond)
	require.Len(t, chain.requests(protocols.TxConclude), 2)
	require.Len(t, chain.requests(protocols.TxSettle), 2)
}

// TestF7_ATransactionThatSomebodyWasFirstWithIsNoFailure: a conclusion that another participant has sent is refused when ours comes to it. That
// is how it should be: no alert, no word to the owner, nothing is tried again.
func TestF7_ATransactionThatSomebodyWasFirstWithIsNoFailure(t *testing.T) {
	wasm, err := tictactoe.Wasm("c")
	require.NoError(t, err)
	chain := newObliging()
	chain.late = make(chan sidecar.TxRequest, 1)
	a := startPeerAs(t, 1, t.TempDir(), wasm, tictactoe.Options(), func(c *sidecar.EngineConfig) { c.Chain = chain })
	b := startPeer(t, 2, t.TempDir(), wasm, tictactoe.Options())
	acquaint(t, a, b)
	id := game(t, a, b)
	asked := <-chain.late
	u := asked.Conclude.Update
	chain.mu.Lock()
	chain.mine(sidecar.ChainFact{Channel: id, Kind: sidecar.FactConcluded, Detail: sidecar.FactDetail{Seq: u.Seq, JournalRoot: u.JournalRoot, StateHash: u.StateHash}})
	chain.mu.Unlock()
	require.Eventually(t, func() bool {
		info, err := a.api.Get(t.Context(), id)
		return err == nil && info.Status == "final"
	}, 20*time.Second, 5*time.Millisecond)
	chain.results <- sidecar.TxResult{Channel: id, Tx: asked.Tx, Err: errors.New("not sent: the contract refuses it")}
	count := func(result string) float64 {
		return testutil.ToFloat64(a.metrics.Transactions.WithLabelValues(protocols.TxConclude.String(), result))
	}
	require.Eventually(t, func() bool { return count("needless") == 1 }, 20*time.Second, 5*time.Millisecond)
	require.Zero(t, count("failed"))
}
