//go:build opstack

package e2e

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// What transactions pay for their data on L1 is what was estimated: the bound holds, and the estimate is near it for data that does not
// compress. L1's base fee only falls while its blocks are nearly empty, so that a later block is not dearer.
func TestF7_L1FeesAreWhatReceiptsSay(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	stack := d.Chain.OpStack
	registry := prometheus.NewRegistry()
	chain, err := plugin.Dial(ctx, plugin.Config{RPC: stack.URL(), RollupRPC: stack.NodeURL(), ChainID: d.Chain.ID, Registerer: registry})
	require.NoError(t, err)
	t.Cleanup(chain.Close)
	tx := txmgr.NewCLIConfig("", plugin.TxFlagDefaults)
	tx.PrivateKey, tx.ReceiptQueryInterval = hex.EncodeToString(crypto.FromECDSA(anvil.Keys()[7])), 100*time.Millisecond
	sender, err := plugin.NewSubmitter(chain, plugin.SubmitterConfig{Tx: tx})
	require.NoError(t, err)
	t.Cleanup(func() { _ = sender.Close(ctx) })
	random := rand.New(rand.NewSource(1))
	to := common.HexToAddress("0x1234")
	incompressible := func(n int) []byte { b := make([]byte, n); random.Read(b); return b }
	conclude, err := adjudicator.WithdrawBond(d.Chain.Contracts.Publications, to)
	require.NoError(t, err)
	sum := 0.0
	for _, data := range [][]byte{nil, conclude.Data, incompressible(1000), incompressible(48 << 10), make([]byte, 20_000)} {
		bound, err := chain.L1FeeBound(ctx, len(data))
		require.NoError(t, err)
		fees, err := chain.Fees(ctx)
		require.NoError(t, err)
		unsigned, err := types.NewTx(&types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(d.Chain.ID), GasTipCap: big.NewInt(1e6), GasFeeCap: big.NewInt(1e9), Gas: 1e6, To: &to, Data: data,
		}).MarshalBinary()
		require.NoError(t, err)
		estimate, err := chain.L1Fee(ctx, unsigned)
		require.NoError(t, err)
		r, err := sender.Send(ctx, plugin.Request{ID: fmt.Sprint(len(data)), To: to, Data: data})
		require.NoError(t, err)
		paid := r.Receipt.L1Fee
		require.Positive(t, paid.Sign())
		wei, _ := new(big.Float).SetInt(paid).Float64()
		sum += wei
		t.Logf("%6d bytes: paid %d, estimated %d, bound %d wei", len(data), paid, estimate, bound)
		require.LessOrEqual(t, paid.Cmp(bound), 0, "%d bytes", len(data))
		require.LessOrEqual(t, estimate.Cmp(bound), 0, "%d bytes", len(data))
		require.LessOrEqual(t, paid.Cmp(fees.Of(1, uint64(len(data)), r.Receipt.GasUsed)), 0, "%d bytes", len(data))
		// A hundredth: what the contract takes a signature for.
		require.GreaterOrEqual(t, new(big.Int).Mul(estimate, big.NewInt(101)).Cmp(new(big.Int).Mul(paid, big.NewInt(100))), 0, "%d bytes", len(data))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	found := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "op_channels_chain_tx_l1_fee_wei_total" })
	require.GreaterOrEqual(t, found, 0)
	require.InEpsilon(t, sum, families[found].GetMetric()[0].GetCounter().GetValue(), 1e-9)
}
