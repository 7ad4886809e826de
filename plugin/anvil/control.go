package anvil

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// wellKnownKeys are the keys of the mnemonic "test test test test test test test test test test test junk", which every
// development chain funds. They are public.
var wellKnownKeys = [...]string{
	"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
	"59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
	"5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
	"7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
	"47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
	"8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
	"92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
	"4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
	"dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
	"2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
}

// Keys are the funded keys, 10,000 coins each.
func Keys() []*ecdsa.PrivateKey {
	keys := make([]*ecdsa.PrivateKey, len(wellKnownKeys))
	for i, h := range wellKnownKeys {
		k, err := crypto.HexToECDSA(h)
		if err != nil {
			panic(err) // a constant of this package is misspelt
		}
		keys[i] = k
	}
	return keys
}

func (n *Node) call(ctx context.Context, result any, method string, args ...any) error {
	if err := n.client.CallContext(ctx, result, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Mine makes count blocks at once.
func (n *Node) Mine(ctx context.Context, count uint64) error {
	return n.call(ctx, nil, "anvil_mine", hexutil.Uint64(count))
}

// SetAutomine switches the block per transaction on or off.
func (n *Node) SetAutomine(ctx context.Context, on bool) error {
	return n.call(ctx, nil, "evm_setAutomine", on)
}

// Reorg replaces the newest depth blocks by empty ones.
func (n *Node) Reorg(ctx context.Context, depth uint64) error {
	return n.call(ctx, nil, "anvil_reorg", depth, []any{})
}

// Mined is a signed transaction for ReorgWith; Block counts from the first replaced one.
type Mined struct {
	Tx    *types.Transaction
	Block uint64
}

// ReorgWith is Reorg with these transactions in the new blocks.
func (n *Node) ReorgWith(ctx context.Context, depth uint64, txs ...Mined) error {
	list := make([]any, len(txs))
	for i, tx := range txs {
		raw, err := tx.Tx.MarshalBinary()
		if err != nil {
			return fmt.Errorf("transaction %s: %w", tx.Tx.Hash(), err)
		}
		list[i] = []any{hexutil.Bytes(raw), tx.Block}
	}
	return n.call(ctx, nil, "anvil_reorg", depth, list)
}

// Rollback drops the newest depth blocks.
func (n *Node) Rollback(ctx context.Context, depth uint64) error {
	return n.call(ctx, nil, "anvil_rollback", depth)
}

// Snapshot remembers the chain for Revert.
func (n *Node) Snapshot(ctx context.Context) (id string, err error) {
	return id, n.call(ctx, &id, "evm_snapshot")
}

// Revert takes the chain back to a snapshot, once.
func (n *Node) Revert(ctx context.Context, id string) error {
	var done bool
	if err := n.call(ctx, &done, "evm_revert", id); err != nil {
		return err
	}
	if !done {
		return fmt.Errorf("evm_revert: there is no snapshot %s", id)
	}
	return nil
}

// Advance moves the time of the next block, and of all that follow, by d in whole seconds.
func (n *Node) Advance(ctx context.Context, d time.Duration) error {
	return n.call(ctx, nil, "evm_increaseTime", hexutil.Uint64(d/time.Second))
}

// SetBalance gives an account this many of the coin's smallest unit.
func (n *Node) SetBalance(ctx context.Context, account common.Address, wei *big.Int) error {
	return n.call(ctx, nil, "anvil_setBalance", account, (*hexutil.Big)(wei))
}

// SetCode puts code at an address.
func (n *Node) SetCode(ctx context.Context, account common.Address, code []byte) error {
	return n.call(ctx, nil, "anvil_setCode", account, hexutil.Bytes(code))
}

// Send is the package's Send on this node.
func (n *Node) Send(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Receipt, error) {
	return Send(ctx, n.client, key, to, value, data)
}

// Publish is Send without the wait.
func (n *Node) Publish(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Transaction, error) {
	return Publish(ctx, n.client, key, to, value, data)
}

// Send signs a transaction with key, sends it to a node and waits for its receipt, asking every 10 ms. A nil to creates a contract. It
// is meant for setting a development chain up, this one or another: nonces are taken from the pool, so one caller per key at a time.
func Send(ctx context.Context, client *rpc.Client, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Receipt, error) {
	tx, err := Publish(ctx, client, key, to, value, data)
	if err != nil {
		return nil, err
	}
	return waitReceipt(ctx, ethclient.NewClient(client), tx.Hash())
}

// Publish is Send without the wait.
func Publish(ctx context.Context, client *rpc.Client, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Transaction, error) {
	eth := ethclient.NewClient(client)
	from := crypto.PubkeyToAddress(key.PublicKey)
	id, err := eth.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("chain id: %w", err)
	}
	nonce, err := eth.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("nonce of %s: %w", from, err)
	}
	head, err := eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("base fee: %w", err)
	}
	// A fixed tip: anvil suggests what recent transactions paid, so that offering more than suggested grows without end.
	tip := big.NewInt(1_000_000)
	price := new(big.Int).Add(new(big.Int).Mul(head.BaseFee, big.NewInt(3)), tip)
	gas, err := eth.EstimateGas(ctx, ethereum.CallMsg{From: from, To: to, Value: value, Data: data})
	if err != nil {
		return nil, fmt.Errorf("estimate gas: %w", err)
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, GasTipCap: tip, GasFeeCap: price, Gas: gas + gas/4, To: to, Value: value, Data: data,
	})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if err := eth.SendTransaction(ctx, tx); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return tx, nil
}
