package sidecar_test

import (
	"context"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/mudbridge/worlddeploy"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// sample is the value of a series in /metrics; ok is false when there is none.
func sample(t *testing.T, s *sidecar.Service, series string) (v float64, ok bool) {
	t.Helper()
	_, body := get(t, "http://"+s.MetricsEndpoint()+"/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	return v, true
}

// TestFundsAreComparedWithWhatMayHaveToBePaid: a stake that is promised, the bond that the World's policy names, a verifier's proof;
// the shortage is said once, and its end too.
func TestFundsAreComparedWithWhatMayHaveToBePaid(t *testing.T) {
	c := startChain(t, anvil.Options{})
	ctx, deployer, me := t.Context(), anvil.Keys()[0], crypto.PubkeyToAddress(anvil.Keys()[6].PublicKey)
	w, err := worlddeploy.Run(ctx, worlddeploy.Config{Script: filepath.Join("..", "examples", "raid", "world", "deploy.mjs"), RPC: c.URL(), Key: deployer})
	require.NoError(t, err)
	dir := counterModule(t)
	runtime, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = runtime.Close() })
	library := derivation.NewLibrary(runtime)
	require.NoError(t, sidecar.InstallModules(library, []string{dir}))
	module := sidecar.ModuleInfos(library)[0].Hash
	call, err := adjudicator.SetPolicy(c.contracts.Policies, w.World, w.NamespaceID.Hash(), module, common.Hash{}, adjudicator.Policy{
		Modes: adjudicator.ModeOptimistic, Window: 600, Bond: *uint256.NewInt(2e18), MaxJournalBytes: 1 << 20,
	})
	require.NoError(t, err)
	receipt, err := c.Send(ctx, deployer, &call.To, call.Value, call.Data)
	require.NoError(t, err)
	require.EqualValues(t, 1, receipt.Status)

	s, out := startService(t, c, "--module", dir, "--settlement", c.contracts.Settlement.Hex(), "--publish", "--verifier", "--funds-interval", "50ms",
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0", "--log.level", "info")
	const owed = `op_channels_owner_obligations_ether{purpose="`
	about := func(series string, ok func(v float64) bool) {
		t.Helper()
		require.Eventually(t, func() bool { v, there := sample(t, s, series); return there && ok(v) }, patience, poll, series)
	}
	above := func(least float64) func(float64) bool { return func(v float64) bool { return v > least } }
	equal := func(want float64) func(float64) bool { return func(v float64) bool { return v == want } }
	about("op_channels_owner_balance_ether", above(9_000))
	about(owed+`proof"}`, above(0))
	about(owed+`bond"}`, equal(0))
	about(owed+`deposit"}`, equal(0))
	require.NotContains(t, out.String(), "cannot pay")

	client, err := rpc.Dial("http://" + s.RPCEndpoint())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	var info sidecar.NodeInfo
	require.NoError(t, client.Call(&info, "channels_nodeInfo"))
	genesis := slices.Concat(common.LeftPadBytes(c.contracts.Settlement[:], 32), common.LeftPadBytes(w.World[:], 32), w.NamespaceID.Hash().Bytes(), make([]byte, 64))
	require.NoError(t, client.Call(nil, "channels_open", map[string]any{
		"participants": []map[string]any{{"signer": info.Session, "owner": me}, {"signer": common.Address{2}, "owner": common.Address{3}}},
		"moduleHash":   module, "genesis": hexutil.Bytes(genesis), "forceQuota": 256, "noWait": true,
		"funding": []map[string]any{{"asset": common.Address{}, "amounts": []string{"1500000000000000000", "0"}}},
	}))
	about(owed+`bond"}`, equal(2))
	about(owed+`deposit"}`, func(v float64) bool { return v > 1.5 && v < 1.6 })
	about(owed+`conclude"}`, above(0))
	about(owed+`publish"}`, above(0))
	require.NotContains(t, out.String(), "cannot pay")

	require.NoError(t, c.SetBalance(context.Background(), me, big.NewInt(3*params.Ether)))
	about("op_channels_owner_balance_ether", equal(3))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "cannot pay for what this node may have to send") }, patience, poll)
	require.NoError(t, c.SetBalance(context.Background(), me, big.NewInt(9*params.Ether)))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "can pay again") }, patience, poll)
	require.Equal(t, 1, strings.Count(out.String(), "cannot pay"))
	v, ok := sample(t, s, "op_channels_owner_checks_failed_total")
	require.True(t, ok)
	require.Zero(t, v)
	require.NoError(t, c.Close())
	about("op_channels_owner_checks_failed_total", above(0))
}

// What it would cost to force everything through L1 is compared with what the owner has there.
func TestFundsOnL1AreComparedToo(t *testing.T) {
	c, l1 := startChain(t, anvil.Options{}), startChain(t, anvil.Options{ChainID: 900})
	ctx, me := t.Context(), crypto.PubkeyToAddress(anvil.Keys()[6].PublicKey)
	portal, _, err := l1.DeployPortal(ctx, anvil.Keys()[0])
	require.NoError(t, err)
	s, out := startService(t, c, "--settlement", c.contracts.Settlement.Hex(), "--verifier", "--funds-interval", "50ms",
		"--l1-eth-rpc", l1.URL(), "--l1-portal", portal.Hex(),
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0", "--log.level", "info")
	about := func(series string, ok func(v float64) bool) {
		t.Helper()
		require.Eventually(t, func() bool { v, there := sample(t, s, series); return there && ok(v) }, patience, poll, series)
	}
	about("op_channels_owner_l1_balance_ether", func(v float64) bool { return v > 9_000 })
	about("op_channels_owner_l1_obligations_ether", func(v float64) bool { return v > 0 && v < 1 })
	require.NotContains(t, out.String(), "cannot pay")
	require.NoError(t, l1.SetBalance(ctx, me, big.NewInt(1e12)))
	require.Eventually(t, func() bool {
		return strings.Contains(out.String(), "The owner cannot pay on L1 for what this node may have to force through it")
	}, patience, poll)
	require.NoError(t, l1.SetBalance(ctx, me, big.NewInt(params.Ether)))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "can pay again on L1") }, patience, poll)
	require.NotContains(t, out.String(), "cannot pay for what this node may have to send")
}
