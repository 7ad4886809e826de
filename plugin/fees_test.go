package plugin_test

import (
	"context"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

var oracleAddress = common.HexToAddress("0x420000000000000000000000000000000000000F")

func requireFees(t *testing.T, c *plugin.Chain, l1, operator int64) {
	t.Helper()
	ctx := context.Background()
	for _, ask := range []func() (*big.Int, error){
		func() (*big.Int, error) { return c.L1Fee(ctx, make([]byte, 100)) },
		func() (*big.Int, error) { return c.L1FeeBound(ctx, 100) },
	} {
		fee, err := ask()
		require.NoError(t, err)
		require.Equal(t, l1, fee.Int64())
	}
	fee, err := c.OperatorFee(ctx, 100_000)
	require.NoError(t, err)
	require.Equal(t, operator, fee.Int64())
}

// A chain without the oracle takes nothing beside gas; one that refuses stops nothing.
func TestF7_ChainWithoutOracleTakesGasAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, code := range map[string]string{"none": "", "refuses": "60006000fd", "says nothing": "00"} {
		n := startChain(t, anvil.Options{})
		if code != "" {
			require.NoError(t, n.SetCode(ctx, oracleAddress, common.FromHex(code)))
		}
		c := dial(t, testConfig(n.URL()))
		requireFees(t, c, 0, 0)
		fees, err := c.Fees(ctx)
		require.NoError(t, err)
		require.Zero(t, fees.Of(10, 1<<20, 1e9).Sign(), name)
		_, err = newSubmitter(t, c, submitterConfig(0)).Send(ctx, plugin.Request{ID: name, To: common.HexToAddress("0x1234")})
		require.NoError(t, err, name)
	}
}

// What L1 and the operator take counts before anything is sent: the account has enough for the gas, not for them.
func TestF7_FeesBesideGasCountBeforeSending(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	// mstore(0, 10^17) return(0, 32), whatever is asked
	require.NoError(t, n.SetCode(ctx, oracleAddress, common.FromHex("67016345785d8a000060005260206000f3")))
	cfg := testConfig(n.URL())
	reg := prometheus.NewRegistry()
	cfg.Registerer = reg
	c := dial(t, cfg)
	requireFees(t, c, 1e17, 1e17)
	fees, err := c.Fees(ctx)
	require.NoError(t, err)
	// Two transactions with 64 KiB and ten million gas each: that much for each of them, and for what they have.
	want, _ := new(big.Int).SetString("800000000000000000", 10)
	require.Equal(t, want, fees.Of(2, 2*64<<10, 20_000_000))

	s := newSubmitter(t, c, submitterConfig(2))
	require.NoError(t, n.SetBalance(ctx, s.From(), big.NewInt(15e16)))
	_, err = s.Send(ctx, plugin.Request{ID: "poor", To: common.HexToAddress("0x1234"), Value: big.NewInt(1000)})
	require.ErrorIs(t, err, plugin.ErrInsufficientFunds)
	for _, part := range []string{s.From().Hex(), "has 150000000000000000 wei and lacks 5", "its data on L1 100000000000000000", "the operator's fee 100000000000000000", "and 1000 go with the call"} {
		require.ErrorContains(t, err, part)
	}
	nonce, err := c.Client().PendingNonceAt(ctx, s.From())
	require.NoError(t, err)
	require.Zero(t, nonce, "nothing is sent")
	require.NoError(t, n.SetBalance(ctx, s.From(), big.NewInt(25e16)))
	_, err = s.Send(ctx, plugin.Request{ID: "rich", To: common.HexToAddress("0x1234"), Value: big.NewInt(1000)})
	require.NoError(t, err)
}

// The caps on the price of gas hold for the first offer and for every bump of it.
func TestF7_FeeCapsAreKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{NoMining: true})
	p := &censor{node: n.URL(), mode: "swallow"}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	c := dial(t, testConfig(server.URL))
	head, err := c.Client().HeaderByNumber(ctx, nil)
	require.NoError(t, err)
	base, _ := new(big.Float).Quo(new(big.Float).SetInt(head.BaseFee), big.NewFloat(1e9)).Float64()

	cfg := submitterConfig(3)
	cfg.Tx.MaxBaseFeeGwei = base / 2
	_, err = newSubmitter(t, c, cfg).Send(ctx, plugin.Request{ID: "dear", To: common.HexToAddress("0x1234")})
	require.ErrorIs(t, err, plugin.ErrFeeCap)
	require.ErrorContains(t, err, "--txmgr.max-basefee")
	require.Empty(t, p.taken())

	cfg = submitterConfig(3)
	cfg.Tx.MaxBaseFeeGwei, cfg.Tx.FeeLimitMultiplier, cfg.Tx.FeeLimitThresholdGwei = 2*base, 2, 0.000001
	cfg.Tx.ResubmissionTimeout, cfg.Tx.RebroadcastInterval = 20*time.Millisecond, 5*time.Millisecond
	s := newSubmitter(t, c, cfg)
	require.NoError(t, s.Submit(plugin.Request{ID: "bumped", To: common.HexToAddress("0x1234")}))
	prices := func() (out []*big.Int) {
		for _, raw := range p.taken() {
			tx := new(types.Transaction)
			require.NoError(t, tx.UnmarshalBinary(raw))
			out = append(out, tx.GasFeeCap())
		}
		return out
	}
	require.Eventually(t, func() bool { // bumped as far as it goes, and sent again and again since
		all := prices()
		return len(all) > 20 && all[len(all)-1].Cmp(all[0]) > 0 && all[len(all)-1].Cmp(all[len(all)-10]) == 0
	}, 20*time.Second, 5*time.Millisecond)
	tip, err := c.Client().SuggestGasTipCap(ctx)
	require.NoError(t, err)
	suggested := new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, common.Big2))
	for _, price := range prices() {
		require.LessOrEqual(t, price.Cmp(new(big.Int).Mul(suggested, common.Big2)), 0)
	}
}
