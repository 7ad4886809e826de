package plugin

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Deposits are how L1 forces transactions on its L2 (op-stack specification, deposits.md): the OptimismPortal on L1 writes a log
//
//	TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData)
//
// with version 0 and opaqueData = mint (32) ‖ value (32) ‖ gas limit (8) ‖ is creation (1) ‖ data, and every block of the L2 that begins
// a new L1 origin carries those of that L1 block. mint is what the portal was paid; it is the sender's on the L2 even when the call
// reverts there, and value is taken from the sender's balance after it.

// Deposited is the topic of the portal's log.
var deposited = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))

// opaqueHead is what opaqueData has before the call's data, in bytes.
const opaqueHead = 32 + 32 + 8 + 1

// maxDepositData is the most calldata that the portal takes, in bytes.
const maxDepositData = 120_000

// errDeposit is returned for a log that is no deposit.
var errDeposit = errors.New("the log is no deposit of version 0")

func abiType(name string) abi.Type {
	t, err := abi.NewType(name, "", nil)
	if err != nil {
		panic(err) // a constant of this package is misspelt
	}
	return t
}

// depositTransaction of the portal.
var depositTransaction = abi.NewMethod("depositTransaction", "depositTransaction", abi.Function, "payable", false, true, abi.Arguments{
	{Name: "to", Type: abiType("address")}, {Name: "value", Type: abiType("uint256")}, {Name: "gasLimit", Type: abiType("uint64")},
	{Name: "isCreation", Type: abiType("bool")}, {Name: "data", Type: abiType("bytes")},
}, nil)

var opaqueBytes = abi.Arguments{{Type: abiType("bytes")}}

// DepositCall is the portal's calldata that makes a call on the L2, with gas as its limit there. What the portal is paid is minted on
// the L2.
func DepositCall(to common.Address, value *big.Int, gas uint64, data []byte) ([]byte, error) {
	args, err := depositTransaction.Inputs.Pack(to, value, gas, false, data)
	if err != nil {
		return nil, fmt.Errorf("encode a deposit: %w", err)
	}
	return append(common.CopyBytes(depositTransaction.ID), args...), nil
}

// depositGas is the least gas limit that every version of the portal takes for a call with so many bytes of data.
func depositGas(size int) uint64 { return uint64(size)*40 + 21_000 }

// Deposit is the L2 transaction that a log of the portal makes. Its hash depends on the L1 block that the log is in: after a
// reorganisation of L1 the same deposit is another transaction.
func Deposit(l *types.Log) (*types.Transaction, error) {
	if len(l.Topics) != 4 || l.Topics[0] != deposited || l.Topics[3] != (common.Hash{}) {
		return nil, errDeposit
	}
	args, err := opaqueBytes.Unpack(l.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDeposit, err)
	}
	b, ok := args[0].([]byte)
	if !ok || len(b) < opaqueHead {
		return nil, fmt.Errorf("%w: %d bytes", errDeposit, len(b))
	}
	tx := &types.DepositTx{
		SourceHash: sourceHash(l.BlockHash, uint64(l.Index)), From: common.BytesToAddress(l.Topics[1][12:]),
		Value: new(big.Int).SetBytes(b[32:64]), Gas: new(big.Int).SetBytes(b[64:72]).Uint64(), Data: b[opaqueHead:],
	}
	if mint := new(big.Int).SetBytes(b[:32]); mint.Sign() > 0 {
		tx.Mint = mint
	}
	if b[72] == 0 {
		to := common.BytesToAddress(l.Topics[2][12:])
		tx.To = &to
	}
	return types.NewTx(tx), nil
}

// DepositIn finds the deposit of an account in the receipt of a call of the portal.
func DepositIn(receipt *types.Receipt, portal, from common.Address) (*types.Transaction, error) {
	for _, l := range receipt.Logs {
		if l.Address == portal && len(l.Topics) == 4 && l.Topics[0] == deposited && common.BytesToAddress(l.Topics[1][12:]) == from {
			return Deposit(l)
		}
	}
	return nil, fmt.Errorf("transaction %s on L1: %w", receipt.TxHash, errDeposit)
}

// sourceHash tells deposits with the same content apart: domain 0 is that of users.
func sourceHash(l1Block common.Hash, logIndex uint64) common.Hash {
	where := crypto.Keccak256(l1Block[:], common.BigToHash(new(big.Int).SetUint64(logIndex)).Bytes())
	return crypto.Keccak256Hash(common.Hash{}.Bytes(), where)
}
