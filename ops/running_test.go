package ops_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/plugin/pushfeed"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// node is a running sidecar with everything on that an operator can turn on.
type node struct {
	*sidecar.Service
	owner  *ecdsa.PrivateKey
	client *rpc.Client
}

func (n *node) metrics(t *testing.T) string {
	t.Helper()
	r, err := http.Get("http://" + n.MetricsEndpoint() + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// feedMetrics are those of `op-channels push-feed`, which is a program of its own.
func feedMetrics(t *testing.T) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	_, err := pushfeed.NewMetrics(reg)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func file(t *testing.T, dir, name string, content []byte) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func start(t *testing.T, owner *ecdsa.PrivateKey, args ...string) *node {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	var cfg *sidecar.Config
	app := cli.NewApp()
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Commands = []*cli.Command{{Name: "run", Flags: flags.Run(), Action: func(ctx *cli.Context) (err error) {
		cfg, err = sidecar.ConfigFromCLI(ctx, "test")
		return err
	}}}
	require.NoError(t, app.Run(append([]string{
		"op-channels", "run", "--session-key", file(t, t.TempDir(), "session.key", []byte(hex.EncodeToString(crypto.FromECDSA(key)))),
		"--private-key", hexutil.Encode(crypto.FromECDSA(owner)), "--data-dir", t.TempDir(), "--trust", "unsafe", "--poll-interval", "20ms",
		"--p2p.listen", "/ip4/127.0.0.1/tcp/0", "--rpc.port", "0", "--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", "0",
		"--policy.max-stake", "0x0000000000000000000000000000000000000000=1000", "--policy.min-window", "7200", "--conclude-turn", "1s", "--txmgr.receipt-query-interval", "20ms",
	}, args...)))
	var log bytes.Buffer
	n := &node{Service: sidecar.NewService(cfg, oplog.NewLogger(&log, cfg.Log), func(err error) { t.Errorf("the service ends: %v", err) }), owner: owner}
	require.NoError(t, n.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, n.Stop(ctx))
		if t.Failed() {
			t.Log(log.String())
		}
	})
	n.client, err = rpc.Dial("ws://" + n.RPCEndpoint())
	require.NoError(t, err)
	t.Cleanup(n.client.Close)
	return n
}

// opNode says of anvil's chain what an op-node says of an L2: what an operator who has one sees of it is to be seen here too.
type opNode struct{ eth *ethclient.Client }

// SyncStatus is optimism_syncStatus: nothing is safe.
func (o *opNode) SyncStatus() *eth.SyncStatus { return new(eth.SyncStatus) }

// RollupConfig is optimism_rollupConfig.
func (o *opNode) RollupConfig(ctx context.Context) (map[string]any, error) {
	genesis, err := o.eth.HeaderByNumber(ctx, new(big.Int))
	if err != nil {
		return nil, err
	}
	return map[string]any{"l2_chain_id": 31337, "genesis": map[string]any{"l2": eth.BlockID{Hash: genesis.Hash()}}}, nil
}

func startOpNode(t *testing.T, chain *anvil.Node) string {
	s := rpc.NewServer()
	require.NoError(t, s.RegisterName("optimism", &opNode{ethclient.NewClient(chain.Client())}))
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); s.Stop() })
	return server.URL
}

// play runs two sidecars on a chain: they fund a channel, play and close it; a proposal is refused; then the chain's node goes away.
// What is given back is the one that was proposed to.
func play(t *testing.T) *node {
	t.Helper()
	chain, err := anvil.Start(context.Background(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = chain.Close() })
	contracts, _, err := adjudicator.Deploy(t.Context(), ethclient.NewClient(chain.Client()), func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return chain.Send(ctx, anvil.Keys()[0], &c.To, c.Value, c.Data)
	}, 1, common.Hash{})
	require.NoError(t, err)
	modules := t.TempDir()
	file(t, modules, "counter.wasm", counter.Wasm)
	file(t, modules, "counter"+derivation.ManifestSuffix, []byte(`{"pageLimit": 1, "independent": true}`))
	all := []string{
		"--l2-eth-rpc", chain.URL(), "--rollup-rpc", startOpNode(t, chain), "--chain-id", "31337", "--adjudicator", contracts.Adjudicator.Hex(), "--settlement", contracts.Settlement.Hex(),
		"--module", modules, "--publish", "--verifier", "--p2p.accept-unknown", "--push-feed.enabled", "--push-feed.port", "0",
		"--attestor.signer.endpoint", chain.URL(), "--attestor.signer.address", crypto.PubkeyToAddress(anvil.Keys()[7].PublicKey).Hex(), "--attestor.signer.tls.enabled=false",
	}
	a, b := start(t, anvil.Keys()[5], all...), start(t, anvil.Keys()[6], append(all, "--policy.min-window", "3600")...)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var participants []map[string]any
	for _, n := range []*node{a, b} {
		participants = append(participants, map[string]any{"signer": n.Info().Session, "owner": n.Info().Owner})
	}
	require.NoError(t, b.client.CallContext(ctx, nil, "channels_addPeer", a.Info().Multiaddrs[0]))
	args := map[string]any{
		"participants": participants, "moduleHash": a.ModuleList()[0].Hash, "genesis": hexutil.Bytes(make([]byte, 160)), "forceQuota": 256, "window": 7200,
		"funding": []map[string]any{{"asset": common.Address{}, "amounts": []string{"1000", "1000"}}},
	}
	var id common.Hash
	require.NoError(t, b.client.CallContext(ctx, &id, "channels_open", args))
	require.NoError(t, b.client.CallContext(ctx, nil, "channels_submit", id, hexutil.Bytes(counter.PayloadEnd)))
	args["window"] = 3600
	require.ErrorContains(t, b.client.CallContext(ctx, nil, "channels_open", args), "window of 3600 s")
	for _, n := range []*node{a, b} {
		require.Eventually(t, func() bool {
			var info sidecar.ChannelInfo
			require.NoError(t, n.client.CallContext(ctx, &info, "channels_get", id))
			// A transaction without its receipt would be waited for when the sidecar stops.
			return info.Status == "final" && strings.Contains(n.metrics(t), "\nop_channels_chain_tx_pending 0\n")
		}, 30*time.Second, 20*time.Millisecond)
	}
	require.NoError(t, chain.Close())
	return a
}
