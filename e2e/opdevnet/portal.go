package opdevnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum-optimism/optimism/op-node/bindings"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/plugin/anvil"
)

// portalABI is the OptimismPortal's.
var portalABI = func() *abi.ABI {
	a, err := bindings.OptimismPortalMetaData.GetAbi()
	if err != nil {
		panic(err) // a constant of optimism is broken
	}
	return a
}()

// depositEvent is how a deposit shows on L1 (op-stack specification, deposits.md).
var depositEvent = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))

// The limits of deposits in the place of SystemConfig, as op-stack chains have them: resourceConfig() returns
// (maxResourceLimit, elasticityMultiplier, baseFeeMaxChangeDenominator, minimumBaseFee, systemTxMaxGas, maximumBaseFee).
var depositLimits = []*big.Int{
	big.NewInt(20_000_000), big.NewInt(10), big.NewInt(8), big.NewInt(1e9), big.NewInt(1_000_000),
	new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)),
}

// limitsCode is creation code of a contract that answers every call with depositLimits.
func limitsCode() []byte {
	var data []byte
	for _, word := range depositLimits {
		data = append(data, common.BigToHash(word).Bytes()...)
	}
	size := byte(len(data))
	// codecopy(0, 12, size) return(0, size)
	runtime := append([]byte{0x60, size, 0x60, 12, 0x60, 0, 0x39, 0x60, size, 0x60, 0, 0xf3}, data...)
	return append([]byte{0x60, byte(len(runtime)), 0x60, 12, 0x60, 0, 0x39, 0x60, byte(len(runtime)), 0x60, 0, 0xf3}, runtime...)
}

// cloneCode is creation code of a minimal proxy (ERC-1167). The portal's constructor uses up its initializer, so that it is
// used behind a proxy only, as in production.
func cloneCode(of common.Address) []byte {
	code := common.FromHex("0x3d602d80600a3d3981f3363d3d373d3d3d363d73")
	code = append(code, of.Bytes()...)
	return append(code, common.FromHex("0x5af43d82803e903d91602b57fd5bf3")...)
}

// deployPortal puts the OptimismPortal on L1.
func deployPortal(ctx context.Context, l1 *anvil.Node, key *ecdsa.PrivateKey) (portal, systemConfig common.Address, err error) {
	create := func(what string, code []byte) (common.Address, error) {
		r, err := l1.Send(ctx, key, nil, nil, code)
		if err == nil && r.Status != types.ReceiptStatusSuccessful {
			err = fmt.Errorf("transaction %s reverted", r.TxHash)
		}
		if err != nil {
			return common.Address{}, fmt.Errorf("deploy %s on L1: %w", what, err)
		}
		return r.ContractAddress, nil
	}
	if systemConfig, err = create("the limits of deposits", limitsCode()); err != nil {
		return portal, systemConfig, err
	}
	implementation, err := create("the OptimismPortal", common.FromHex(bindings.OptimismPortalMetaData.Bin))
	if err != nil {
		return portal, systemConfig, err
	}
	if portal, err = create("the OptimismPortal's proxy", cloneCode(implementation)); err != nil {
		return portal, systemConfig, err
	}
	// There is no oracle of outputs and no superchain: both matter to withdrawals only.
	call, err := portalABI.Pack("initialize", common.Address{}, systemConfig, common.Address{})
	if err != nil {
		return portal, systemConfig, fmt.Errorf("initialize the OptimismPortal: %w", err)
	}
	r, err := l1.Send(ctx, key, &portal, nil, call)
	if err == nil && r.Status != types.ReceiptStatusSuccessful {
		err = fmt.Errorf("transaction %s reverted", r.TxHash)
	}
	if err != nil {
		return portal, systemConfig, fmt.Errorf("initialize the OptimismPortal: %w", err)
	}
	return portal, systemConfig, nil
}

// Deposit is a transaction that L1 forces on the L2.
type Deposit struct {
	L1 *types.Receipt
	L2 common.Hash // the transaction on L2, which is in the first block of an epoch of L1's block or later
}

// Deposit sends a transaction to the L2 through L1, where the sequencer can delay but not drop it. value is minted on L2 and goes
// with the call; gas is the call's limit there, paid for on L1.
func (s *Stack) Deposit(ctx context.Context, key *ecdsa.PrivateKey, to common.Address, value *big.Int, gas uint64, data []byte) (d Deposit, err error) {
	call, err := portalABI.Pack("depositTransaction", to, value, gas, false, data)
	if err != nil {
		return d, fmt.Errorf("encode a deposit: %w", err)
	}
	if d.L1, err = s.L1.Send(ctx, key, &s.Rollup.DepositContractAddress, value, call); err != nil {
		return d, fmt.Errorf("send a deposit to L1: %w", err)
	}
	if d.L1.Status != types.ReceiptStatusSuccessful {
		return d, fmt.Errorf("the deposit %s reverted on L1", d.L1.TxHash)
	}
	for _, l := range d.L1.Logs {
		if l.Address == s.Rollup.DepositContractAddress && len(l.Topics) == 4 && l.Topics[0] == depositEvent {
			d.L2, err = depositHash(l)
			return d, err
		}
	}
	return d, fmt.Errorf("%s on L1 has no deposit in its log", d.L1.TxHash)
}

// opaque is mint ‖ value ‖ gas limit ‖ is creation ‖ data: version 0 of a deposit's opaque data.
const opaque = 32 + 32 + 8 + 1

// depositHash is the hash of the L2 transaction that a deposit's log makes.
func depositHash(l *types.Log) (common.Hash, error) {
	args, err := portalABI.Events["TransactionDeposited"].Inputs.NonIndexed().Unpack(l.Data)
	if err != nil {
		return common.Hash{}, fmt.Errorf("read the log of a deposit: %w", err)
	}
	b, ok := args[0].([]byte)
	if !ok || len(b) < opaque || l.Topics[3] != (common.Hash{}) {
		return common.Hash{}, fmt.Errorf("the deposit in log %d of %s has another version", l.Index, l.TxHash)
	}
	tx := &types.DepositTx{
		SourceHash: sourceHash(l.BlockHash, uint64(l.Index)), From: common.BytesToAddress(l.Topics[1][12:]),
		Value: new(big.Int).SetBytes(b[32:64]), Gas: new(big.Int).SetBytes(b[64:72]).Uint64(), Data: b[opaque:],
	}
	if mint := new(big.Int).SetBytes(b[:32]); mint.Sign() > 0 {
		tx.Mint = mint
	}
	if b[72] == 0 {
		to := common.BytesToAddress(l.Topics[2][12:])
		tx.To = &to
	}
	return types.NewTx(tx).Hash(), nil
}

// sourceHash tells deposits with the same content apart: domain 0 is that of users.
func sourceHash(l1Block common.Hash, logIndex uint64) common.Hash {
	where := crypto.Keccak256(l1Block[:], common.BigToHash(new(big.Int).SetUint64(logIndex)).Bytes())
	return crypto.Keccak256Hash(common.Hash{}.Bytes(), where)
}
