package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	opcrypto "github.com/ethereum-optimism/optimism/op-service/crypto"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

// censor stands in front of an L2's node, which it lets be read, and keeps transactions to itself.
type censor struct {
	node string
	mu   sync.Mutex
	mode string // "": all pass; swallow: answers with the hash; refuse: answers with an error
	kept []hexutil.Bytes
}

func (c *censor) set(mode string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = mode
}

// taken are the transactions that it kept, the oldest first.
func (c *censor) taken() []hexutil.Bytes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]hexutil.Bytes{}, c.kept...)
}

func (c *censor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var q struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params []hexutil.Bytes `json:"params"`
	}
	w.Header().Set("content-type", "application/json")
	if json.Unmarshal(body, &q) == nil && q.Method == "eth_sendRawTransaction" {
		c.mu.Lock()
		mode := c.mode
		if mode != "" {
			c.kept = append(c.kept, q.Params[0])
		}
		c.mu.Unlock()
		answer := map[string]any{"jsonrpc": "2.0", "id": q.ID}
		switch mode {
		case "swallow":
			answer["result"] = crypto.Keccak256Hash(q.Params[0])
		case "refuse":
			answer["error"] = map[string]any{"code": -32000, "message": "not from you"}
		}
		if mode != "" {
			_ = json.NewEncoder(w).Encode(answer)
			return
		}
	}
	answer, err := http.Post(c.node, "application/json", bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	_, _ = io.Copy(w, answer.Body)
}

// twoLayers is an L1 with a portal, an L2 that derives deposits from it, and a censor before the L2.
type twoLayers struct {
	t      *testing.T
	l1, l2 *anvil.Node
	portal common.Address
	censor *censor
	url    string // of the censor
	reg    *prometheus.Registry
	chain  *plugin.Chain

	mu     sync.Mutex
	paused bool // no deposits are derived
	still  bool // no blocks are built
	seen   map[common.Hash]bool
}

func startLayers(t *testing.T) *twoLayers {
	t.Helper()
	l := &twoLayers{
		t: t, l1: startChain(t, anvil.Options{ChainID: 900}), l2: startChain(t, anvil.Options{Network: "optimism", NoMining: true}),
		seen: map[common.Hash]bool{}, reg: prometheus.NewRegistry(),
	}
	var err error
	l.portal, _, err = l.l1.DeployPortal(context.Background(), anvil.Keys()[9])
	require.NoError(t, err)
	l.censor = &censor{node: l.l2.URL()}
	server := httptest.NewServer(l.censor)
	t.Cleanup(server.Close)
	l.url = server.URL
	cfg := testConfig(l.url)
	cfg.Registerer = l.reg
	l.chain = dial(t, cfg)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				l.derive()
				l.build() // the L2 goes on, with or without transactions
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return l
}

func (l *twoLayers) pause(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = on
}

func (l *twoLayers) build() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.still {
		_ = l.l2.Mine(context.Background(), 1)
	}
}

func (l *twoLayers) stand(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.still = on
}

// derive does what an op-node does with the portal's logs.
func (l *twoLayers) derive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		return
	}
	logs, err := ethclient.NewClient(l.l1.Client()).FilterLogs(context.Background(), ethereum.FilterQuery{FromBlock: common.Big0, Addresses: []common.Address{l.portal}})
	if err != nil {
		return
	}
	for _, raw := range logs {
		tx, err := plugin.Deposit(&raw)
		if err != nil || l.seen[tx.Hash()] {
			continue // of the deployment
		}
		b, err := tx.MarshalBinary()
		if err == nil && l.l2.Client().Call(nil, "eth_sendRawTransaction", hexutil.Bytes(b)) == nil {
			l.seen[tx.Hash()] = true
		}
	}
}

func (l *twoLayers) config(key int, force plugin.ForceConfig) plugin.SubmitterConfig {
	cfg := submitterConfig(key)
	force.L1RPC, force.Portal, force.PollInterval = l.l1.URL(), l.portal, 10*time.Millisecond
	cfg.Force = force
	return cfg
}

func (l *twoLayers) nonce(n *anvil.Node, who common.Address) uint64 {
	nonce, err := ethclient.NewClient(n.Client()).NonceAt(context.Background(), who, nil)
	require.NoError(l.t, err)
	return nonce
}

func (l *twoLayers) balance(n *anvil.Node, who common.Address) *big.Int {
	b, err := ethclient.NewClient(n.Client()).BalanceAt(context.Background(), who, nil)
	require.NoError(l.t, err)
	return b
}

func (l *twoLayers) forced(result string) float64 {
	return metric(l.t, l.reg, "op_channels_chain_forced_total", result)
}

// gatedCode reverts while its balance is zero.
var gatedCode = common.FromHex("47600857600080fd5b00")

func TestA26_WhatTheSequencerDropsGoesThroughL1(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"swallow", "refuse"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := startLayers(t)
			gated := common.HexToAddress("0x6a7ed")
			require.NoError(t, l.l2.SetCode(ctx, gated, gatedCode))
			s := newSubmitter(t, l.chain, l.config(0, plugin.ForceConfig{After: 400 * time.Millisecond}))
			l.censor.set(mode)
			require.NoError(t, s.Submit(plugin.Request{ID: "approve", To: gated, Value: big.NewInt(1)}))
			require.NoError(t, s.Submit(plugin.Request{ID: "deposit", To: gated}))
			for i, id := range []string{"approve", "deposit"} {
				r := result(t, s)
				require.Equal(t, id, r.ID)
				require.NoError(t, r.Err)
				require.NotNil(t, r.Forced)
				require.Positive(t, r.Forced.L1Gas)
				require.Positive(t, r.Forced.L1Fee.Sign())
				require.EqualValues(t, types.DepositTxType, r.Receipt.Type)
				require.EqualValues(t, i+1, l.forced("success"))
			}
			require.EqualValues(t, 1, metric(t, l.reg, "op_channels_chain_censored", ""))
			require.EqualValues(t, 2, l.nonce(l.l1, s.From()), "one transaction per call on L1")
			// The pool's transaction can never be mined any more.
			require.NotEmpty(t, l.censor.taken())
			require.ErrorContains(t, l.l2.Client().Call(nil, "eth_sendRawTransaction", l.censor.taken()[0]), "nonce too low")

			l.censor.set("")
			require.NoError(t, s.Submit(plugin.Request{ID: "next", To: gated}))
			r := result(t, s)
			require.NoError(t, r.Err)
			require.Nil(t, r.Forced, "the next one is tried in the ordinary way")
			require.Zero(t, metric(t, l.reg, "op_channels_chain_censored", ""))
			require.EqualValues(t, 3, l.nonce(l.l2, s.From()))
		})
	}
}

// The stake comes from the L2's balance as far as that goes, and from L1 beyond.
// The key is with a signer elsewhere: what is forced is its signature on L1 too.
func TestF7_AKeyElsewhereSignsWhatIsForced(t *testing.T) {
	t.Parallel()
	l := startLayers(t)
	cfg := l.config(4, plugin.ForceConfig{Always: true})
	key := anvil.Keys()[4]
	cfg.Tx.PrivateKey, cfg.From = "", crypto.PubkeyToAddress(key.PublicKey)
	var mu sync.Mutex
	asked := map[string]int{}
	cfg.Signer = func(chain *big.Int) opcrypto.SignerFn {
		signer := types.LatestSignerForChainID(chain)
		return func(_ context.Context, from common.Address, tx *types.Transaction) (*types.Transaction, error) {
			require.Equal(t, cfg.From, from)
			mu.Lock()
			asked[chain.String()]++
			mu.Unlock()
			return types.SignTx(tx, signer, key)
		}
	}
	s, err := plugin.NewSubmitter(l.chain, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	require.Equal(t, cfg.From, s.From())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to := common.Address{0x77}
	r, err := s.Send(ctx, plugin.Request{ID: "forced", To: to, Value: big.NewInt(5)})
	require.NoError(t, err)
	require.NotNil(t, r.Forced)
	require.EqualValues(t, 5, l.balance(l.l2, to).Int64())
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string]int{"900": 1}, asked)
}

func TestF7_ForcedValueIsMintedAsFarAsItIsMissing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := startLayers(t)
	s := newSubmitter(t, l.chain, l.config(1, plugin.ForceConfig{Always: true}))
	to, value := common.HexToAddress("0x1234"), big.NewInt(1e18)
	for name, c := range map[string]struct{ has, mint, left int64 }{
		"enough": {5e18, 0, 4e18}, "exactly enough": {1e18, 0, 0}, "too little": {1e17, 9e17, 0}, "nothing": {0, 1e18, 0},
	} {
		require.NoError(t, l.l2.SetBalance(ctx, s.From(), big.NewInt(c.has)))
		before, got := l.balance(l.l1, s.From()), l.balance(l.l2, to)
		r, err := s.Send(ctx, plugin.Request{ID: name, To: to, Value: value})
		require.NoError(t, err, name)
		require.NotNil(t, r.Forced)
		require.Equal(t, c.left, l.balance(l.l2, s.From()).Int64(), name)
		require.Equal(t, value, new(big.Int).Sub(l.balance(l.l2, to), got), name)
		paid := new(big.Int).Sub(before, l.balance(l.l1, s.From()))
		require.Equal(t, c.mint, paid.Sub(paid, r.Forced.L1Fee).Int64(), name)
	}
	// What the contract refuses is not sent, and what fails on the L2 says why.
	reverter := deploy(t, l.l2, reverterCode)
	_, err := s.Send(ctx, plugin.Request{ID: "refused", To: reverter, Data: []byte{1, 2, 3, 4}})
	require.ErrorIs(t, err, plugin.ErrReverted)
	require.EqualValues(t, 4, l.nonce(l.l1, s.From()))

	require.NoError(t, l.l1.SetBalance(ctx, s.From(), big.NewInt(1e6)))
	_, err = s.Send(ctx, plugin.Request{ID: "poor", To: to})
	require.ErrorIs(t, err, plugin.ErrInsufficientFunds)
	require.ErrorContains(t, err, "on L1")
	require.EqualValues(t, 1, l.forced("failed"))

	require.NoError(t, l.l1.SetBalance(ctx, s.From(), big.NewInt(1e18)))
	dear := l.config(1, plugin.ForceConfig{Always: true, MaxBaseFeeGwei: 0.01, MaxTipCapGwei: 0.01})
	_, err = newSubmitter(t, l.chain, dear).Send(ctx, plugin.Request{ID: "dear", To: to})
	require.ErrorIs(t, err, plugin.ErrFeeCap)
	require.ErrorContains(t, err, "on L1")
	_, err = s.Send(ctx, plugin.Request{ID: "too large", To: to, Data: make([]byte, 120_001), GasLimit: 5_000_000})
	require.ErrorIs(t, err, plugin.ErrNotForced)
	require.EqualValues(t, 4, l.nonce(l.l1, s.From()))
}

// Both the ordinary transaction and the deposit are mined, in either order: the call has its effect once, and its Result says so.
func TestA26_DropedTransactionThatComesBackHasNoSecondEffect(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := startLayers(t)
	once := deploy(t, l.l2, onceCode)
	s := newSubmitter(t, l.chain, l.config(1, plugin.ForceConfig{After: 300 * time.Millisecond}))
	l.censor.set("swallow")
	l.pause(true)
	require.NoError(t, s.Submit(plugin.Request{ID: "once", To: once}))
	require.Eventually(t, func() bool { return l.nonce(l.l1, s.From()) == 1 }, 20*time.Second, 5*time.Millisecond)
	dropped := l.censor.taken()
	var hash common.Hash
	require.NoError(t, l.l2.Client().Call(&hash, "eth_sendRawTransaction", dropped[len(dropped)-1]))
	l.pause(false)
	r := result(t, s)
	require.NoError(t, r.Err)
	require.Nil(t, r.Forced)
	require.Equal(t, hash, r.TxHash)
	require.EqualValues(t, 1, l.forced("needless"))
	require.EqualValues(t, 2, l.nonce(l.l2, s.From()), "the deposit was executed too")
	// Nonces are counted anew after that.
	l.censor.set("")
	r, err := s.Send(ctx, plugin.Request{ID: "next", To: common.HexToAddress("0x1234")})
	require.NoError(t, err)
	tx, _, err := l.chain.Client().TransactionByHash(ctx, r.TxHash)
	require.NoError(t, err)
	require.EqualValues(t, 2, tx.Nonce())
}

// Somebody uses the key for a deposit by hand: it takes the nonce of the transaction that the Submitter has sent, which is made anew.
func TestF7_DepositByHandTakesANonce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := startLayers(t)
	emitter := deploy(t, l.l2, emitterCode)
	cfg := submitterConfig(1)
	cfg.Tx.RebroadcastInterval = 50 * time.Millisecond
	s := newSubmitter(t, l.chain, cfg)
	l.censor.set("swallow")
	require.NoError(t, s.Submit(plugin.Request{ID: "pooled", To: emitter, Data: word(7)}))
	require.Eventually(t, func() bool { return len(l.censor.taken()) > 0 }, 20*time.Second, 5*time.Millisecond)
	data, err := plugin.DepositCall(common.HexToAddress("0x1234"), common.Big0, 100_000, nil)
	require.NoError(t, err)
	_, err = l.l1.Send(ctx, anvil.Keys()[1], &l.portal, nil, data)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return l.nonce(l.l2, s.From()) == 1 }, 20*time.Second, 5*time.Millisecond)
	l.censor.set("")
	r := result(t, s)
	require.NoError(t, r.Err)
	tx, _, err := l.chain.Client().TransactionByHash(ctx, r.TxHash)
	require.NoError(t, err)
	require.EqualValues(t, 1, tx.Nonce())
}

// A transaction behind a gap, which a reorganisation made, is in no block either: it is made anew, and not forced.
func TestA26_GapInTheNoncesIsNoCensorship(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := startLayers(t)
	emitter := deploy(t, l.l2, emitterCode)
	s := newSubmitter(t, l.chain, l.config(1, plugin.ForceConfig{After: 400 * time.Millisecond}))
	first, err := s.Send(ctx, plugin.Request{ID: "first", To: emitter, Data: word(1)})
	require.NoError(t, err)
	l.stand(true)
	require.NoError(t, s.Submit(plugin.Request{ID: "second", To: emitter, Data: word(2)}))
	pooled(t, l.l2, s.From(), 1)
	head, err := l.chain.Client().BlockNumber(ctx)
	require.NoError(t, err)
	require.NoError(t, l.l2.Rollback(ctx, head-first.Receipt.BlockNumber.Uint64()+1))
	l.stand(false)
	r := result(t, s)
	require.NoError(t, r.Err)
	require.Nil(t, r.Forced)
	tx, _, err := l.chain.Client().TransactionByHash(ctx, r.TxHash)
	require.NoError(t, err)
	require.Zero(t, tx.Nonce())
	require.Zero(t, l.nonce(l.l1, s.From()))
}

// L1 forgets the deposit before the L2 has derived it, or moves it to another block, which makes it another transaction of the L2.
func TestA12_DepositSurvivesReorganisationsOfL1(t *testing.T) {
	t.Parallel()
	for name, moved := range map[string]bool{"forgotten": false, "moved": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := startLayers(t)
			once := deploy(t, l.l2, onceCode)
			l.pause(true)
			s := newSubmitter(t, l.chain, l.config(1, plugin.ForceConfig{Always: true, LostAfter: 300 * time.Millisecond}))
			require.NoError(t, s.Submit(plugin.Request{ID: "once", To: once}))
			require.Eventually(t, func() bool { return metric(t, l.reg, "op_channels_chain_forced_pending", "") == 1 }, 20*time.Second, 5*time.Millisecond)
			eth := ethclient.NewClient(l.l1.Client())
			head, err := eth.BlockByNumber(ctx, nil)
			require.NoError(t, err)
			require.Len(t, head.Transactions(), 1)
			require.NoError(t, l.l1.SetAutomine(ctx, !moved))
			require.NoError(t, l.l1.Rollback(ctx, 1))
			if moved {
				require.NoError(t, l.l1.Mine(ctx, 1))
				require.NoError(t, eth.SendTransaction(ctx, head.Transactions()[0]))
				require.NoError(t, l.l1.Mine(ctx, 1))
			}
			require.Eventually(t, func() bool { return l.nonce(l.l1, s.From()) == 1 }, 20*time.Second, 5*time.Millisecond)
			again, err := eth.BlockByNumber(ctx, nil)
			require.NoError(t, err)
			require.NotEqual(t, head.Hash(), again.Hash())
			require.Equal(t, moved, l.forced("lost") == 0)
			l.pause(false)
			r := result(t, s)
			require.NoError(t, r.Err)
			require.EqualValues(t, 1, l.nonce(l.l1, s.From()))
			require.EqualValues(t, 1, l.nonce(l.l2, s.From()))
		})
	}
}

// A process ends while its deposit is on L1 and not on the L2. The next one waits for it, and then the call is refused by simulation.
func TestA13_RestartWaitsForWhatIsForced(t *testing.T) {
	t.Parallel()
	for name, force := range map[string]plugin.ForceConfig{"by policy": {After: time.Hour}, "always": {Always: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLayers(t)
			once := deploy(t, l.l2, onceCode)
			l.pause(true)
			first := newSubmitter(t, l.chain, l.config(1, plugin.ForceConfig{Always: true}))
			require.NoError(t, first.Submit(plugin.Request{ID: "once", To: once}))
			require.Eventually(t, func() bool { return l.nonce(l.l1, first.From()) == 1 }, 20*time.Second, 5*time.Millisecond)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, first.Close(ended), context.Canceled)
			require.ErrorIs(t, result(t, first).Err, plugin.ErrClosed)

			s := newSubmitter(t, l.chain, l.config(1, force))
			require.NoError(t, s.Submit(plugin.Request{ID: "again", To: once}))
			select {
			case r := <-s.Results():
				t.Fatalf("did not wait: %v", r.Err)
			case <-time.After(100 * time.Millisecond):
			}
			l.pause(false)
			r := result(t, s)
			require.ErrorIs(t, r.Err, plugin.ErrReverted)
			require.Zero(t, r.TxHash, "sent twice")
			require.EqualValues(t, 1, l.nonce(l.l1, s.From()))
			require.EqualValues(t, 1, l.nonce(l.l2, s.From()))
		})
	}
}

func TestForcingRefusesBadSettings(t *testing.T) {
	t.Parallel()
	l := startLayers(t)
	for name, c := range map[string]struct {
		change func(*plugin.ForceConfig)
		want   error
		text   string
	}{
		"no L1":               {func(f *plugin.ForceConfig) { *f = plugin.ForceConfig{Always: true} }, plugin.ErrConfig, "--l1-eth-rpc"},
		"a portal alone":      {func(f *plugin.ForceConfig) { f.L1RPC = "" }, plugin.ErrConfig, "--l1-eth-rpc"},
		"no portal":           {func(f *plugin.ForceConfig) { f.Portal = common.Address{} }, plugin.ErrConfig, "--l1-portal"},
		"nothing there":       {func(f *plugin.ForceConfig) { f.Portal = common.Address{1} }, plugin.ErrWrongChain, "no contract"},
		"the L2 as L1":        {func(f *plugin.ForceConfig) { f.L1RPC = l.l2.URL() }, plugin.ErrWrongChain, "no contract"},
		"a negative patience": {func(f *plugin.ForceConfig) { f.After = -1 }, plugin.ErrConfig, "negative"},
	} {
		cfg := l.config(0, plugin.ForceConfig{})
		c.change(&cfg.Force)
		_, err := plugin.NewSubmitter(l.chain, cfg)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.text, name)
	}
	cfg := l.config(0, plugin.ForceConfig{})
	cfg.Force.L1RPC = "http://secret@127.0.0.1:1/token"
	_, err := plugin.NewSubmitter(l.chain, cfg)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "token")
	require.NotContains(t, err.Error(), "secret")
}

// The op-node knows where the portal is, and of which L1.
func TestF7_TheOpNodeNamesThePortal(t *testing.T) {
	t.Parallel()
	l := startLayers(t)
	o := &opNode{eth: ethclient.NewClient(l.l2.Client()), chainID: chainID, portal: l.portal}
	s := rpc.NewServer()
	require.NoError(t, s.RegisterName("optimism", o))
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); s.Stop() })
	cfg := testConfig(l.url)
	cfg.RollupRPC = server.URL
	l.chain = dial(t, cfg)
	named := l.config(1, plugin.ForceConfig{Always: true})
	named.Force.Portal = common.Address{}
	r, err := newSubmitter(t, l.chain, named).Send(context.Background(), plugin.Request{ID: "named", To: common.HexToAddress("0x1234")})
	require.NoError(t, err)
	require.NotNil(t, r.Forced)
	o.set(func(o *opNode) { o.portal = common.Address{1} })
	_, err = plugin.NewSubmitter(l.chain, l.config(1, plugin.ForceConfig{}))
	require.ErrorIs(t, err, plugin.ErrWrongChain)
	require.ErrorContains(t, err, "--l1-portal")
	o.set(func(o *opNode) { o.portal, o.l1 = l.portal, 901 })
	_, err = plugin.NewSubmitter(l.chain, named)
	require.ErrorIs(t, err, plugin.ErrWrongChain)
	require.ErrorContains(t, err, "chain id 900")
}

// A call above the cap is refused, whether it would go to the L2 or through L1.
func TestF7_GasCapIsKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := startLayers(t)
	emitter := deploy(t, l.l2, emitterCode)
	for name, force := range map[string]plugin.ForceConfig{"ordinary": {}, "forced": {Always: true}} {
		cfg := l.config(1, force)
		cfg.GasCap = 100_000
		s := newSubmitter(t, l.chain, cfg)
		before := l.nonce(l.l2, s.From())
		_, err := s.Send(ctx, plugin.Request{ID: "much", To: emitter, Data: word(1), GasLimit: 100_001})
		require.ErrorIs(t, err, plugin.ErrGasCap, name)
		require.ErrorContains(t, err, "--tx.gas-cap")
		_, err = s.Send(ctx, plugin.Request{ID: "large", To: emitter, Data: bytes.Repeat([]byte{1}, 8_000)})
		require.ErrorIs(t, err, plugin.ErrGasCap, name)
		require.Equal(t, before, l.nonce(l.l2, s.From()))
		_, err = s.Send(ctx, plugin.Request{ID: "little", To: emitter, Data: word(1), GasLimit: 100_000})
		require.NoError(t, err, name)
	}
}

// A log that is none of the portal's deposits is not taken for one.
func TestDepositReadsOnlyDeposits(t *testing.T) {
	t.Parallel()
	l := startLayers(t)
	data, err := plugin.DepositCall(common.HexToAddress("0x1234"), big.NewInt(7), 100_000, []byte("data"))
	require.NoError(t, err)
	receipt, err := l.l1.Send(context.Background(), anvil.Keys()[3], &l.portal, big.NewInt(5), data)
	require.NoError(t, err)
	from := crypto.PubkeyToAddress(anvil.Keys()[3].PublicKey)
	tx, err := plugin.DepositIn(receipt, l.portal, from)
	require.NoError(t, err)
	require.Equal(t, big.NewInt(5), tx.Mint())
	require.Equal(t, big.NewInt(7), tx.Value())
	require.EqualValues(t, 100_000, tx.Gas())
	require.Equal(t, []byte("data"), tx.Data())
	for name, change := range map[string]func(*types.Log){
		"another topic":   func(l *types.Log) { l.Topics[0][0]++ },
		"another version": func(l *types.Log) { l.Topics[3][31]++ },
		"too few topics":  func(l *types.Log) { l.Topics = l.Topics[:3] },
		"no data":         func(l *types.Log) { l.Data = nil },
		"short data":      func(l *types.Log) { l.Data = append(append(word(32), word(8)...), word(0)...) },
	} {
		raw := *receipt.Logs[0]
		raw.Topics, raw.Data = append([]common.Hash{}, raw.Topics...), bytes.Clone(raw.Data)
		change(&raw)
		_, err := plugin.Deposit(&raw)
		require.Error(t, err, name)
	}
	_, err = plugin.DepositIn(receipt, common.Address{1}, from)
	require.Error(t, err, "another contract's log")
	_, err = plugin.DepositIn(receipt, l.portal, common.Address{1})
	require.Error(t, err, "somebody else's deposit")
}
