//go:build opstack

package opdevnet

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-core/predeploys"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/stretchr/testify/require"
)

// One chain serves all tests: each leaves all of its programs running.
var stack *Stack

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return fatal(err)
	}
	binaries, err := FindBinaries(root)
	if err != nil {
		return fatal(err)
	}
	dir, err := os.MkdirTemp("", "op-channels-opdevnet-")
	if err != nil {
		return fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if stack, err = Start(ctx, Options{Dir: dir, Binaries: binaries}); err != nil {
		return fatal(err)
	}
	code = m.Run()
	stop, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := stack.Stop(stop); err != nil {
		code = fatal(err)
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "logs are kept in", filepath.Join(dir, "logs"))
		return code
	}
	if err := os.RemoveAll(dir); err != nil {
		return fatal(err)
	}
	return 0
}

func fatal(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// until asks op-node for its heads until they are as wished.
func until(ctx context.Context, t *testing.T, wish func(*eth.SyncStatus) bool) *eth.SyncStatus {
	t.Helper()
	for {
		status, err := stack.Status(ctx)
		if err == nil && wish(status) {
			return status
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			t.Fatalf("op-node is at %+v (%v)", status, err)
		}
	}
}

func now(t *testing.T) *eth.SyncStatus {
	t.Helper()
	status, err := stack.Status(t.Context())
	require.NoError(t, err)
	return status
}

func receiptOf(ctx context.Context, t *testing.T, tx common.Hash) *types.Receipt {
	t.Helper()
	client := ethclient.NewClient(stack.Client())
	for {
		r, err := client.TransactionReceipt(ctx, tx)
		if err == nil {
			return r
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			t.Fatalf("%s is not on L2: %v", tx, err)
		}
	}
}

func TestAllThreeHeadsAdvance(t *testing.T) {
	ctx, began := within(t, 90*time.Second), now(t)
	status := until(ctx, t, func(s *eth.SyncStatus) bool {
		return s.UnsafeL2.Number > began.UnsafeL2.Number && s.SafeL2.Number > began.SafeL2.Number && s.FinalizedL2.Number > began.FinalizedL2.Number
	})
	require.LessOrEqual(t, status.SafeL2.Number, status.UnsafeL2.Number)
	// What op-node calls safe, op-geth answers under that name.
	client := ethclient.NewClient(stack.Client())
	for _, label := range []int64{-4, -3} { // safe, finalized
		h, err := client.HeaderByNumber(ctx, big.NewInt(label))
		require.NoError(t, err)
		require.Positive(t, h.Number.Sign())
	}
	t.Logf("unsafe %d, safe %d, finalized %d at L1 block %d", status.UnsafeL2.Number, status.SafeL2.Number, status.FinalizedL2.Number, status.HeadL1.Number)
}

// Blocks of one second, one after the other: their times say so.
func TestBlocksAreOneSecondApart(t *testing.T) {
	ctx, client := within(t, 30*time.Second), ethclient.NewClient(stack.Client())
	head := until(ctx, t, func(s *eth.SyncStatus) bool { return s.UnsafeL2.Number >= 5 }).UnsafeL2
	for i := head.Number - 3; i <= head.Number; i++ {
		h, err := client.HeaderByNumber(ctx, new(big.Int).SetUint64(i))
		require.NoError(t, err)
		require.Equal(t, stack.Rollup.Genesis.L2Time+i, h.Time)
		block, err := client.BlockByHash(ctx, h.Hash())
		require.NoError(t, err)
		require.EqualValues(t, types.DepositTxType, block.Transactions()[0].Type(), "every block begins with what it knows of L1")
	}
}

// A transaction pays for L1 data too, which a chain without the real predeploys would not ask for.
func TestTransactionPaysTheL1Fee(t *testing.T) {
	ctx, key, to := within(t, 30*time.Second), anvil.Keys()[1], common.HexToAddress("0x70")
	client, from := ethclient.NewClient(stack.Client()), crypto.PubkeyToAddress(key.PublicKey)
	had, err := client.BalanceAt(ctx, from, nil)
	require.NoError(t, err)
	r, err := anvil.Send(ctx, stack.Client(), key, &to, big.NewInt(7), nil)
	require.NoError(t, err)
	require.Equal(t, types.ReceiptStatusSuccessful, r.Status)
	require.Positive(t, r.L1Fee.Sign())
	has, err := client.BalanceAt(ctx, from, r.BlockNumber)
	require.NoError(t, err)
	paid := new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed))
	paid.Add(paid, r.L1Fee).Add(paid, big.NewInt(7))
	require.Equal(t, paid.String(), new(big.Int).Sub(had, has).String())
	// It becomes safe: its batch is on L1.
	until(within(t, time.Minute), t, func(s *eth.SyncStatus) bool { return s.SafeL2.Number >= r.BlockNumber.Uint64() })
}

// L1 forces a transaction on the L2: it mints, calls and is known by its hash before it is there.
func TestDepositIsForcedOnTheL2(t *testing.T) {
	ctx, client, to := within(t, time.Minute), ethclient.NewClient(stack.Client()), common.HexToAddress("0xdeb0517")
	value := big.NewInt(1e15)
	began := time.Now()
	d, err := stack.Deposit(ctx, anvil.Keys()[2], to, value, 100_000, nil)
	require.NoError(t, err)
	r := receiptOf(ctx, t, d.L2)
	require.Equal(t, types.ReceiptStatusSuccessful, r.Status)
	require.EqualValues(t, types.DepositTxType, r.Type)
	has, err := client.BalanceAt(ctx, to, r.BlockNumber)
	require.NoError(t, err)
	require.Equal(t, value.String(), has.String())
	// The block of L2 belongs to the epoch of the deposit's block on L1.
	number, err := client.CallContract(ctx, callL1BlockNumber(), r.BlockNumber)
	require.NoError(t, err)
	require.Equal(t, d.L1.BlockNumber.String(), new(big.Int).SetBytes(number).String())
	t.Logf("on L2 %s after it was sent to L1", time.Since(began).Round(time.Millisecond))
}

// The sequencer is killed: the chain stands, a deposit that was made meanwhile lands when it is back.
func TestSequencerComesBackAfterKill9(t *testing.T) {
	ctx, to := within(t, 2*time.Minute), common.HexToAddress("0xdead2")
	require.NoError(t, stack.Node.Kill9())
	require.False(t, stack.Node.Running())
	client := ethclient.NewClient(stack.Client())
	stood, err := client.BlockNumber(ctx)
	require.NoError(t, err)
	d, err := stack.Deposit(ctx, anvil.Keys()[2], to, big.NewInt(1), 100_000, nil)
	require.NoError(t, err)
	same, err := client.BlockNumber(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, same, stood+1, "at most the block that was being built")
	require.NoError(t, stack.Node.Start(ctx))
	r := receiptOf(ctx, t, d.L2)
	require.Greater(t, r.BlockNumber.Uint64(), stood)
	until(ctx, t, func(s *eth.SyncStatus) bool { return s.SafeL2.Number >= r.BlockNumber.Uint64() })
	select {
	case <-stack.Done():
		t.Fatal("a program that was told to end counts as a failure")
	default:
	}
}

// Without the batcher the chain goes on but nothing new becomes safe; with it everything does.
func TestSafeHeadStandsWhileTheBatcherIsStopped(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	require.NoError(t, stack.Batcher.Stop(ctx))
	// What it sent last may still be on its way: a few blocks of L1, then nothing can follow.
	stopped := now(t)
	settled := until(ctx, t, func(s *eth.SyncStatus) bool { return s.CurrentL1.Number >= stopped.HeadL1.Number+4 })
	later := until(ctx, t, func(s *eth.SyncStatus) bool { return s.CurrentL1.Number >= settled.CurrentL1.Number+2 })
	require.Equal(t, settled.SafeL2.Number, later.SafeL2.Number)
	require.Greater(t, later.UnsafeL2.Number, settled.UnsafeL2.Number)
	require.NoError(t, stack.Batcher.Start(ctx))
	until(ctx, t, func(s *eth.SyncStatus) bool { return s.SafeL2.Number >= later.UnsafeL2.Number })
}

func TestProgramThatRunsIsNotStartedTwice(t *testing.T) {
	require.ErrorIs(t, stack.Geth.Start(t.Context()), ErrProgram)
	require.True(t, stack.Geth.Running())
}

func callL1BlockNumber() ethereum.CallMsg {
	to := predeploys.L1BlockAddr
	return ethereum.CallMsg{To: &to, Data: crypto.Keccak256([]byte("number()"))[:4]}
}

// L1 takes back a block with a deposit: the L2 takes back what followed from it and goes on.
func TestL1ReorgRollsTheL2Back(t *testing.T) {
	ctx, client, to := within(t, 2*time.Minute), ethclient.NewClient(stack.Client()), common.HexToAddress("0x4e046")
	d, err := stack.Deposit(ctx, anvil.Keys()[2], to, big.NewInt(1), 100_000, nil)
	require.NoError(t, err)
	// L1 stands until it is reorganized, so that the deposit's block cannot become final meanwhile.
	require.NoError(t, stack.HoldL1(ctx))
	was := receiptOf(ctx, t, d.L2)
	l1, err := ethclient.NewClient(stack.L1.Client()).BlockNumber(ctx)
	require.NoError(t, err)
	depth := l1 - d.L1.BlockNumber.Uint64() + 1
	require.LessOrEqual(t, depth, uint64(2), "finalized blocks of L1 must stay")
	require.NoError(t, stack.L1.Reorg(ctx, depth))
	require.NoError(t, stack.ReleaseL1(ctx))

	for {
		_, err := client.TransactionReceipt(ctx, d.L2)
		if errors.Is(err, ethereum.NotFound) {
			break
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			t.Fatalf("the deposit stays on L2: %v", err)
		}
	}
	until(ctx, t, func(s *eth.SyncStatus) bool { return s.UnsafeL2.Number > was.BlockNumber.Uint64()+2 })
	// anvil forgets the transactions of the blocks that it takes back, where other nodes put them into their pools again. The
	// batcher goes on with the nonce that follows, which L1 will never mine: it is restarted, as its operator would.
	require.NoError(t, stack.Batcher.Kill9())
	require.NoError(t, stack.Batcher.Start(ctx))
	status := until(ctx, t, func(s *eth.SyncStatus) bool { return s.SafeL2.Number > was.BlockNumber.Uint64()+2 })
	now, err := client.HeaderByNumber(ctx, was.BlockNumber)
	require.NoError(t, err)
	require.NotEqual(t, was.BlockHash, now.Hash())
	has, err := client.BalanceAt(ctx, to, new(big.Int).SetUint64(status.SafeL2.Number))
	require.NoError(t, err)
	require.Zero(t, has.Sign(), "L1 has no such deposit any more")
}
