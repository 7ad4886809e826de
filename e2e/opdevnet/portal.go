package opdevnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/plugin"
)

// Deposit is a transaction that L1 forces on the L2.
type Deposit struct {
	L1 *types.Receipt
	L2 common.Hash // the transaction on L2, which is in the first block of an epoch of L1's block or later
}

// Deposit sends a transaction to the L2 through L1, where the sequencer can delay but not drop it. value is minted on L2 and goes
// with the call; gas is the call's limit there, paid for on L1.
func (s *Stack) Deposit(ctx context.Context, key *ecdsa.PrivateKey, to common.Address, value *big.Int, gas uint64, data []byte) (d Deposit, err error) {
	call, err := plugin.DepositCall(to, value, gas, data)
	if err != nil {
		return d, err
	}
	if d.L1, err = s.L1.Send(ctx, key, &s.Rollup.DepositContractAddress, value, call); err != nil {
		return d, fmt.Errorf("send a deposit to L1: %w", err)
	}
	if d.L1.Status != types.ReceiptStatusSuccessful {
		return d, fmt.Errorf("the deposit %s reverted on L1", d.L1.TxHash)
	}
	tx, err := plugin.DepositIn(d.L1, s.Rollup.DepositContractAddress, crypto.PubkeyToAddress(key.PublicKey))
	if err != nil {
		return d, err
	}
	d.L2 = tx.Hash()
	return d, nil
}
