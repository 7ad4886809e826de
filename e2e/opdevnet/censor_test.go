package opdevnet_test

import (
	"context"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/opdevnet"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/stretchr/testify/require"
)

// One account's transactions are dropped or refused, over both transports, alone and in batches; everything else passes.
func TestCensorDropsOneAccountsTransactions(t *testing.T) {
	n, err := anvil.Start(t.Context(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	c, err := opdevnet.NewCensor(n.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	keys, to := anvil.Keys(), common.HexToAddress("0x1234")
	dropped := crypto.PubkeyToAddress(keys[1].PublicKey)
	for _, url := range []string{c.URL(), c.WebSocketURL()} {
		eth, err := ethclient.Dial(url)
		require.NoError(t, err)
		t.Cleanup(eth.Close)
		make := func(key int, size int) *types.Transaction {
			from := crypto.PubkeyToAddress(keys[key].PublicKey)
			nonce, err := eth.PendingNonceAt(ctx, from)
			require.NoError(t, err)
			tx, err := types.SignNewTx(keys[key], types.LatestSignerForChainID(big.NewInt(31337)), &types.DynamicFeeTx{
				ChainID: big.NewInt(31337), Nonce: nonce, To: &to, Gas: 20_000_000, GasFeeCap: big.NewInt(1e10), Data: []byte(strings.Repeat("x", size)),
			})
			require.NoError(t, err)
			return tx
		}
		for _, size := range []int{0, 300, 100_000} { // frames of all three lengths, and split ones
			before := len(c.Dropped(dropped))
			c.Set(dropped, opdevnet.Swallow)
			tx := make(1, size)
			require.NoError(t, eth.SendTransaction(ctx, tx))
			require.Len(t, c.Dropped(dropped), before+1)
			require.Equal(t, tx.Hash(), c.Dropped(dropped)[before].Hash())
			_, _, err := eth.TransactionByHash(ctx, tx.Hash())
			require.Error(t, err, "the node has it")
			c.Set(dropped, opdevnet.Refuse)
			require.ErrorContains(t, eth.SendTransaction(ctx, tx), "not wanted")
			other := make(2, size)
			require.NoError(t, eth.SendTransaction(ctx, other))
			_, _, err = eth.TransactionByHash(ctx, other.Hash())
			require.NoError(t, err)
			c.Set(dropped, opdevnet.Pass)
			require.NoError(t, eth.SendTransaction(ctx, tx))
			_, _, err = eth.TransactionByHash(ctx, tx.Hash())
			require.NoError(t, err)
		}
	}
	eth, err := ethclient.Dial(c.WebSocketURL())
	require.NoError(t, err)
	t.Cleanup(eth.Close)
	c.Set(dropped, opdevnet.Swallow)
	tx, err := types.SignNewTx(keys[1], types.LatestSignerForChainID(big.NewInt(31337)), &types.DynamicFeeTx{ChainID: big.NewInt(31337), To: &to})
	require.NoError(t, err)
	raw, err := tx.MarshalBinary()
	require.NoError(t, err)
	for _, url := range []string{c.URL(), c.WebSocketURL()} {
		client, err := rpc.Dial(url)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		var hash common.Hash
		var number hexutil.Uint64
		batch := []rpc.BatchElem{
			{Method: "eth_blockNumber", Result: &number}, {Method: "eth_sendRawTransaction", Args: []any{hexutil.Bytes(raw)}, Result: &hash},
		}
		require.NoError(t, client.BatchCallContext(ctx, batch))
		require.NoError(t, batch[0].Error)
		require.NoError(t, batch[1].Error)
		require.Equal(t, tx.Hash(), hash)
		require.Positive(t, number)
	}
	heads := make(chan *types.Header, 1)
	sub, err := eth.SubscribeNewHead(ctx, heads)
	require.NoError(t, err)
	t.Cleanup(sub.Unsubscribe)
	require.NoError(t, n.Mine(ctx, 1))
	select {
	case <-heads:
	case err := <-sub.Err():
		t.Fatal(err)
	case <-ctx.Done():
		t.Fatal("no subscription passes")
	}
}
