package opgeth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

const (
	chainID        = 1337
	patience, poll = 20 * time.Second, 10 * time.Millisecond
)

// emitter logs its calldata under the topic 0x2a, whoever calls it.
var (
	emitter     = common.HexToAddress("0xe0")
	emitterCode = common.FromHex("365f5f37602a365fa100")
	topic       = common.BigToHash(big.NewInt(0x2a))
)

// the proxy that contracts are deployed through has no constructor: it is in the genesis of every op-stack chain.
var deployerCode = common.FromHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3")

// host is a real node of op-geth; the test is its consensus layer.
type host struct {
	t       testing.TB
	stack   *node.Node
	service *eth.Ethereum
	engine  *catalyst.ConsensusAPI
	log     *lines
	client  *ethclient.Client
	closed  bool
}

// lines collects what a node says.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// chainConfig has the forks up to Cancun.
func chainConfig() *params.ChainConfig {
	c := *params.AllDevChainProtocolChanges
	c.PragueTime, c.OsakaTime = nil, nil
	c.BlobScheduleConfig = &params.BlobScheduleConfig{Cancun: params.DefaultCancunBlobConfig}
	return &c
}

var secret = [32]byte{1, 2, 3}

// newHost makes a node and starts nothing.
func newHost(t testing.TB, dir string) *host {
	t.Helper()
	h := &host{t: t, log: new(lines)}
	secretFile := filepath.Join(t.TempDir(), "jwt.hex")
	require.NoError(t, os.WriteFile(secretFile, []byte(hex.EncodeToString(secret[:])), 0o600))
	c := node.DefaultConfig
	c.Name, c.DataDir, c.IPCPath = "geth", dir, "geth.ipc"
	c.HTTPHost, c.HTTPPort, c.HTTPModules = "127.0.0.1", 0, []string{"eth", Namespace}
	c.WSHost, c.WSPort, c.WSModules = "127.0.0.1", 0, []string{"eth", Namespace}
	c.AuthAddr, c.AuthPort, c.JWTSecret = "127.0.0.1", 0, secretFile
	c.P2P = p2p.Config{NoDiscovery: true, ListenAddr: "127.0.0.1:0"}
	c.Logger = log.NewLogger(log.LogfmtHandlerWithLevel(h.log, log.LevelInfo))
	var err error
	h.stack, err = node.New(&c)
	require.NoError(t, err)

	alloc := types.GenesisAlloc{
		emitter: {Code: emitterCode, Balance: new(big.Int)}, adjudicator.Deployer: {Code: deployerCode, Balance: new(big.Int)},
	}
	for _, k := range anvil.Keys() {
		alloc[crypto.PubkeyToAddress(k.PublicKey)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether))}
	}
	e := ethconfig.Defaults
	e.Genesis = &core.Genesis{Config: chainConfig(), GasLimit: 60_000_000, Alloc: alloc, BaseFee: big.NewInt(params.GWei)}
	e.SyncMode, e.NetworkId, e.StateScheme, e.NoPruning = ethconfig.FullSync, chainID, "hash", true
	e.TxPool.NoLocals = true
	h.service, err = eth.New(h.stack, &e)
	require.NoError(t, err)
	fs := filters.NewFilterSystem(h.service.APIBackend, filters.Config{})
	h.stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(fs)}})
	require.NoError(t, catalyst.Register(h.stack, h.service))
	t.Cleanup(h.close)
	return h
}

// begin starts the node.
func (h *host) begin() {
	h.t.Helper()
	require.NoError(h.t, h.stack.Start())
	h.engine = catalyst.NewConsensusAPI(h.service)
	h.client = ethclient.NewClient(h.stack.Attach())
}

// close ends the node in order; a hang is a failure.
func (h *host) close() {
	if h.closed {
		return
	}
	h.closed = true
	if h.client != nil {
		h.client.Close()
	}
	ended := make(chan error, 1)
	go func() { ended <- h.stack.Close() }()
	select {
	case err := <-ended:
		if h.client != nil { // one that never started complains of what its database has open
			require.NoError(h.t, err)
		}
	case <-time.After(patience):
		h.t.Fatal("the node hangs at its end:\n" + h.log.String())
	}
	if h.t.Failed() {
		h.t.Log(h.log.String())
	}
}

// commit makes a block of these transactions, as op-node has its blocks made: by the engine API, with a list and without the pool.
func (h *host) commit(txs ...*types.Transaction) *types.Header {
	h.t.Helper()
	parent, ctx := h.head(), context.Background()
	attributes := &engine.PayloadAttributes{Timestamp: parent.Time + 1, BeaconRoot: new(common.Hash), Withdrawals: []*types.Withdrawal{}, NoTxPool: true}
	for _, tx := range txs {
		raw, err := tx.MarshalBinary()
		require.NoError(h.t, err)
		attributes.Transactions = append(attributes.Transactions, raw)
	}
	built, err := h.engine.ForkchoiceUpdatedV3(ctx, h.choice(parent), attributes)
	require.NoError(h.t, err)
	require.NotNil(h.t, built.PayloadID, "%+v", built)
	payload, err := h.engine.GetPayloadV3(*built.PayloadID)
	require.NoError(h.t, err)
	status, err := h.engine.NewPayloadV3(ctx, *payload.ExecutionPayload, []common.Hash{}, attributes.BeaconRoot)
	require.NoError(h.t, err)
	require.Equal(h.t, engine.VALID, status.Status)
	block := h.service.BlockChain().GetHeaderByHash(payload.ExecutionPayload.BlockHash)
	_, err = h.engine.ForkchoiceUpdatedV3(ctx, h.choice(block), nil)
	require.NoError(h.t, err)
	require.Equal(h.t, block.Hash(), h.head().Hash(), "no block was made")
	return block
}

// finality is how many blocks become final at a time.
const finality = 32

// choice calls a head safe, and what is before the last multiple of finality final.
func (h *host) choice(head *types.Header) engine.ForkchoiceStateV1 {
	final := head
	for final.Number.Uint64()%finality != 0 {
		final = h.service.BlockChain().GetHeaderByHash(final.ParentHash)
	}
	return engine.ForkchoiceStateV1{HeadBlockHash: head.Hash(), SafeBlockHash: head.Hash(), FinalizedBlockHash: final.Hash()}
}

func (h *host) head() *types.Header { return h.service.BlockChain().CurrentBlock() }

// fork makes an older block the head.
func (h *host) fork(number uint64) {
	h.t.Helper()
	_, err := h.service.BlockChain().SetCanonical(h.service.BlockChain().GetBlockByNumber(number))
	require.NoError(h.t, err)
}

// sign makes a transaction for the next block of account key, which comes after `before` others of it there.
func (h *host) sign(key *ecdsa.PrivateKey, before uint64, gas uint64, to common.Address, value *big.Int, data []byte) *types.Transaction {
	h.t.Helper()
	state, err := h.service.BlockChain().State()
	require.NoError(h.t, err)
	return types.MustSignNewTx(key, types.LatestSignerForChainID(big.NewInt(chainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: state.GetNonce(crypto.PubkeyToAddress(key.PublicKey)) + before, Gas: gas, GasTipCap: big.NewInt(1),
		GasFeeCap: big.NewInt(100 * params.GWei), To: &to, Value: value, Data: data,
	})
}

// send has a call mined in a block of its own.
func (h *host) send(to common.Address, value *big.Int, data []byte) *types.Receipt {
	h.t.Helper()
	block := h.commit(h.sign(anvil.Keys()[0], 0, 15_000_000, to, value, data))
	receipts := h.service.BlockChain().GetReceiptsByHash(block.Hash())
	require.Len(h.t, receipts, 1)
	require.Equal(h.t, types.ReceiptStatusSuccessful, receipts[0].Status)
	return receipts[0]
}

// deploy puts the contracts on the chain, without a World.
func (h *host) deploy() adjudicator.Contracts {
	h.t.Helper()
	c, _, err := adjudicator.Deploy(h.t.Context(), h.client, func(_ context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return h.send(c.To, c.Value, c.Data), nil
	}, 1, common.Hash{})
	require.NoError(h.t, err)
	return c
}

// options are a sidecar's for this chain, in arguments of op-geth-channels.
func (h *host) options(c adjudicator.Contracts, more ...string) []string {
	h.t.Helper()
	dir := h.t.TempDir()
	require.NoError(h.t, os.WriteFile(filepath.Join(dir, "session.key"), []byte(strings.Repeat("01", 32)), 0o600))
	require.NoError(h.t, os.WriteFile(filepath.Join(dir, "counter.wasm"), counter.Wasm, 0o600))
	require.NoError(h.t, os.WriteFile(filepath.Join(dir, "counter"+derivation.ManifestSuffix), []byte(`{"pageLimit": 1, "independent": true}`), 0o600))
	return append([]string{
		"--channels", "--channels.chain-id", fmt.Sprint(chainID), "--channels.adjudicator", c.Adjudicator.Hex(), "--channels.trust", "unsafe",
		"--channels.private-key", hexutil.Encode(crypto.FromECDSA(anvil.Keys()[6])), "--channels.session-key", filepath.Join(dir, "session.key"),
		"--channels.module", dir, "--channels.p2p.listen", "/ip4/127.0.0.1/tcp/0", "--channels.max-head-age", "0",
	}, more...)
}

// parse reads arguments as op-geth-channels does.
func parse(t testing.TB, args ...string) (cfg Config) {
	t.Helper()
	app := &cli.App{Flags: cliapp.ProtectFlags(Flags()), Action: func(ctx *cli.Context) error {
		require.True(t, ctx.Bool(EnabledFlag.Name))
		cfg = ConfigFromCLI(ctx, "test")
		return nil
	}}
	require.NoError(t, app.Run(append([]string{"op-geth-channels"}, args...)))
	return cfg
}

// register puts a sidecar into the host.
func (h *host) register(cfg Config) *Plugin {
	h.t.Helper()
	cfg.Logger = h.stack.Config().Logger
	p, err := Register(h.stack, h.service.APIBackend, cfg)
	require.NoError(h.t, err)
	return p
}

func (h *host) await(what string, done func() bool) {
	h.t.Helper()
	require.Eventually(h.t, done, patience, poll, "%s; the log:\n%s", what, h.log)
}

// up waits until the sidecar runs.
func (h *host) up(p *Plugin) *sidecar.Service {
	h.t.Helper()
	var s *sidecar.Service
	h.await("the sidecar does not run", func() bool {
		var err error
		s, err = p.Service()
		return err == nil
	})
	return s
}

// dial connects to one of the node's endpoints.
func (h *host) dial(url string, options ...rpc.ClientOption) *rpc.Client {
	h.t.Helper()
	c, err := rpc.DialOptions(h.t.Context(), url, options...)
	require.NoError(h.t, err)
	h.t.Cleanup(c.Close)
	return c
}

func withJWT() rpc.ClientOption { return rpc.WithHTTPAuth(node.NewJWTAuth(secret)) }

// ready asks ReadyPath.
func (h *host) ready() (code int, out sidecar.Readiness) {
	h.t.Helper()
	r, err := http.Get(h.stack.HTTPEndpoint() + ReadyPath)
	require.NoError(h.t, err)
	defer r.Body.Close()
	require.NoError(h.t, decode(r.Body, &out))
	return r.StatusCode, out
}

// deployed is the chain with the contracts after a node has ended, so that another one goes on in the folder with a sidecar from its start.
func deployed(t testing.TB) (dir string, c adjudicator.Contracts) {
	t.Helper()
	dir = t.TempDir()
	h := newHost(t, dir)
	h.begin()
	c = h.deploy()
	h.close()
	return dir, c
}

// local is the feed's view of the host; what asks by RPC gets no answer.
func (h *host) local() *plugin.Local {
	return &plugin.Local{Name: Name, Backend: h.service.APIBackend, Attach: func() *rpc.Client { return rpc.DialInProc(rpc.NewServer()) }}
}
