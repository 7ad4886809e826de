package anvil

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// Call is a transaction to be made.
type Call struct {
	To    common.Address
	Value *big.Int
	Data  []byte
}

// SendAll is Send for calls of one kind: the gas of the first is the measure for all, and they share blocks. It gives one receipt
// for each, in their order, also of those that reverted.
func SendAll(ctx context.Context, client *rpc.Client, key *ecdsa.PrivateKey, calls []Call) ([]*types.Receipt, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	first, err := Publish(ctx, client, key, &calls[0].To, calls[0].Value, calls[0].Data)
	if err != nil {
		return nil, err
	}
	eth := ethclient.NewClient(client)
	hashes := []common.Hash{first.Hash()}
	for i, c := range calls[1:] {
		tx, err := types.SignNewTx(key, types.LatestSignerForChainID(first.ChainId()), &types.DynamicFeeTx{
			ChainID: first.ChainId(), Nonce: first.Nonce() + uint64(i) + 1, GasTipCap: first.GasTipCap(), GasFeeCap: first.GasFeeCap(),
			Gas: first.Gas() + first.Gas()/4, To: &c.To, Value: c.Value, Data: c.Data,
		})
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		if err := eth.SendTransaction(ctx, tx); err != nil {
			return nil, fmt.Errorf("send %d of %d from %s: %w", i+2, len(calls), crypto.PubkeyToAddress(key.PublicKey), err)
		}
		hashes = append(hashes, tx.Hash())
	}
	receipts := make([]*types.Receipt, len(hashes))
	for i, hash := range hashes {
		if receipts[i], err = waitReceipt(ctx, eth, hash); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// waitReceipt asks every 10 ms.
func waitReceipt(ctx context.Context, eth *ethclient.Client, hash common.Hash) (*types.Receipt, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		receipt, err := eth.TransactionReceipt(ctx, hash)
		switch {
		case err == nil:
			return receipt, nil
		case !errors.Is(err, ethereum.NotFound):
			return nil, fmt.Errorf("receipt of %s: %w", hash, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("receipt of %s: %w", hash, ctx.Err())
		}
	}
}
