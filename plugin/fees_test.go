package plugin_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
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
