package plugin_test

import (
	"context"
	"flag"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

const chainID = 31337

// Three contracts in bytecode, each behind the constructor that returns what follows it.
var (
	// logs its first argument word as data under topic 0xaa
	emitterCode = common.FromHex("600e600c600039600e6000f3" + "60003560005260aa60206000a100")
	// reverts with its calldata
	reverterCode = common.FromHex("600a600c600039600a6000f3" + "36600060003736" + "6000fd")
	// works once, reverts ever after
	onceCode = common.FromHex("6012600c60003960126000f3" + "600054600c576001600055005b60006000fd")
)

func startChain(t *testing.T, o anvil.Options) *anvil.Node {
	t.Helper()
	n, err := anvil.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func testConfig(url string) plugin.Config {
	return plugin.Config{RPC: url, ChainID: chainID, PollInterval: 10 * time.Millisecond, VerifyReceipts: true, Logger: testLogger()}
}

var verbose = flag.Bool("chain.log", false, "show the chain service's log")

func testLogger() log.Logger {
	if *verbose {
		return log.NewLogger(log.LogfmtHandlerWithLevel(logWriter{}, log.LevelDebug))
	}
	return log.NewLogger(log.DiscardHandler())
}

type logWriter struct{}

func (logWriter) Write(p []byte) (int, error) { print(string(p)); return len(p), nil }

func dial(t *testing.T, cfg plugin.Config) *plugin.Chain {
	t.Helper()
	c, err := plugin.Dial(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func deploy(t *testing.T, n *anvil.Node, code []byte) common.Address {
	t.Helper()
	r, err := n.Send(context.Background(), anvil.Keys()[9], nil, nil, code)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Status)
	return r.ContractAddress
}

func word(v uint64) []byte { return common.LeftPadBytes(new(big.Int).SetUint64(v).Bytes(), 32) }

func TestA13_DialRefusesAnotherChain(t *testing.T) {
	n := startChain(t, anvil.Options{ChainID: 77})
	for _, url := range []string{n.URL(), n.WebSocketURL()} {
		_, err := plugin.Dial(context.Background(), testConfig(url))
		require.ErrorIs(t, err, plugin.ErrWrongChain)
		require.ErrorContains(t, err, "77")
		require.ErrorContains(t, err, "31337")
	}
}

func TestF7_DialSaysWhatIsWrong(t *testing.T) {
	n := startChain(t, anvil.Options{})
	url := n.URL()
	require.NoError(t, n.Close())
	_, err := plugin.Dial(context.Background(), testConfig(url))
	require.ErrorIs(t, err, plugin.ErrUnreachable)
	_, err = plugin.Dial(context.Background(), plugin.Config{ChainID: 1})
	require.ErrorIs(t, err, plugin.ErrConfig)
	_, err = plugin.Dial(context.Background(), plugin.Config{RPC: url})
	require.ErrorIs(t, err, plugin.ErrConfig)
}

func TestF7_HeadsClockAndBalance(t *testing.T) {
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 1, GenesisTime: 1_900_000_000})
	reg := prometheus.NewRegistry()
	cfg := testConfig(n.URL())
	cfg.Registerer = reg
	c := dial(t, cfg)
	dial(t, cfg) // a second connection shares the metrics
	require.NoError(t, n.Mine(ctx, 5))
	for level, number := range map[plugin.Level]uint64{plugin.Unsafe: 5, plugin.Safe: 4, plugin.Finalized: 3} {
		b, err := c.Head(ctx, level)
		require.NoError(t, err)
		require.Equal(t, number, b.Number, level.String())
	}
	clock, err := c.BlockTime(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, clock, uint64(1_900_000_000))
	b, err := c.Balance(ctx, crypto.PubkeyToAddress(anvil.Keys()[0].PublicKey))
	require.NoError(t, err)
	require.Equal(t, "10000000000000000000000", b.String())
	require.EqualValues(t, chainID, c.ChainID())

	require.NoError(t, n.Close())
	_, err = c.BlockTime(ctx)
	require.ErrorIs(t, err, plugin.ErrUnreachable)
	require.Positive(t, metric(t, reg, "op_channels_chain_rpc_errors_total", ""))
}

// metric sums the values of a metric over the label values that match.
func metric(t *testing.T, reg *prometheus.Registry, name, label string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if label != "" && (len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() != label) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func TestLevelText(t *testing.T) {
	for _, l := range []plugin.Level{plugin.Unsafe, plugin.Safe, plugin.Finalized} {
		text, err := l.MarshalText()
		require.NoError(t, err)
		var back plugin.Level
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, l, back)
	}
	_, err := plugin.ParseLevel("latest")
	require.ErrorIs(t, err, plugin.ErrLevel)
	require.ErrorContains(t, err, "finalized")
	_, err = plugin.Level(9).MarshalText()
	require.ErrorIs(t, err, plugin.ErrLevel)
	var l plugin.Level
	require.NoError(t, l.Set("safe"))
	require.Equal(t, plugin.Safe, l)
}
