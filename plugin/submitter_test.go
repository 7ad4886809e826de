package plugin_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	txmetrics "github.com/ethereum-optimism/optimism/op-service/txmgr/metrics"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

func submitterConfig(key int) plugin.SubmitterConfig {
	tx := txmgr.NewCLIConfig("", plugin.TxFlagDefaults)
	tx.PrivateKey = hex.EncodeToString(crypto.FromECDSA(anvil.Keys()[key]))
	tx.ReceiptQueryInterval = 10 * time.Millisecond
	return plugin.SubmitterConfig{Tx: tx}
}

func newSubmitter(t *testing.T, c *plugin.Chain, cfg plugin.SubmitterConfig) *plugin.Submitter {
	t.Helper()
	s, err := plugin.NewSubmitter(c, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
	})
	return s
}

func result(t *testing.T, s *plugin.Submitter) plugin.Result {
	t.Helper()
	select {
	case r, ok := <-s.Results():
		require.True(t, ok, "results ended")
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no result within 30 s")
		return plugin.Result{}
	}
}

// sendsInOrder submits count calls at once and checks nonces, order and logs.
func sendsInOrder(t *testing.T, n *anvil.Node, url string, count int) {
	c := dial(t, testConfig(url))
	contract := deploy(t, n, emitterCode)
	s := newSubmitter(t, c, submitterConfig(0))
	first, err := c.Client().NonceAt(context.Background(), s.From(), nil)
	require.NoError(t, err)
	begin := time.Now()
	for i := range count {
		require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(i), To: contract, Data: word(uint64(i))}))
	}
	require.Less(t, time.Since(begin), time.Second, "Submit waits for the chain")
	results := map[string]plugin.Result{}
	for range count {
		r := result(t, s)
		require.NoError(t, r.Err)
		require.Equal(t, r.TxHash, r.Receipt.TxHash)
		results[r.ID] = r
	}
	t.Logf("%d transactions mined in %s", count, time.Since(begin))
	for i := range count {
		r := results[fmt.Sprint(i)]
		tx, _, err := c.Client().TransactionByHash(context.Background(), r.TxHash)
		require.NoError(t, err)
		require.Equal(t, first+uint64(i), tx.Nonce(), "request %d", i)
		require.Equal(t, word(uint64(i)), r.Receipt.Logs[0].Data)
	}
}

func TestF7_FiftyTransactionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	for name, url := range transports(n) {
		t.Run("block per transaction, "+name, func(t *testing.T) { sendsInOrder(t, n, url, 50) })
	}
	t.Run("block per second", func(t *testing.T) {
		n := startChain(t, anvil.Options{BlockTime: time.Second})
		sendsInOrder(t, n, n.URL(), 50)
	})
}

func TestF7_RefusedCallIsNotSent(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	reg := prometheus.NewRegistry()
	ccfg := testConfig(n.URL())
	ccfg.Registerer = reg
	c := dial(t, ccfg)
	reverter, emitter := deploy(t, n, reverterCode), deploy(t, n, emitterCode)
	known := crypto.Keccak256([]byte("Known(uint256)"))[:4]
	cfg := submitterConfig(0)
	cfg.DecodeRevert = func(data []byte) (string, bool) {
		return "known to the decoder", len(data) == 36 && bytes.Equal(data[:4], known)
	}
	s := newSubmitter(t, c, cfg)
	text := append(common.FromHex("08c379a0"), append(append(word(32), word(5)...), common.RightPadBytes([]byte("hello"), 32)...)...)
	for name, tc := range map[string]struct {
		data   []byte
		reason string
	}{
		"decoded":  {append(bytes.Clone(known), word(1)...), "known to the decoder"},
		"text":     {text, "hello"},
		"panic":    {append(common.FromHex("4e487b71"), word(0x11)...), "arithmetic underflow or overflow"},
		"unknown":  {[]byte{1, 2, 3, 4, 5}, "unknown error 0x01020304 with 1 bytes"},
		"no words": {nil, "revert"},
	} {
		for _, gas := range []uint64{0, 100_000} {
			begin := time.Now()
			require.NoError(t, s.Submit(plugin.Request{ID: name, To: reverter, Data: tc.data, GasLimit: gas}))
			r := result(t, s)
			require.Less(t, time.Since(begin), 2*time.Second, "a refusal is not tried again")
			require.Equal(t, name, r.ID)
			require.ErrorIs(t, r.Err, plugin.ErrReverted)
			var revert *plugin.RevertError
			require.ErrorAs(t, r.Err, &revert)
			require.False(t, revert.Mined)
			require.Contains(t, revert.Reason, tc.reason)
			require.Equal(t, len(tc.data), len(revert.Data))
			require.Zero(t, r.TxHash)
			require.Nil(t, r.Receipt)
		}
	}
	require.NoError(t, s.Submit(plugin.Request{ID: "next", To: emitter, Data: word(1)}))
	require.NoError(t, result(t, s).Err, "a refusal holds up what follows")
	require.EqualValues(t, 10, metric(t, reg, "op_channels_chain_tx_total", "refused"))
	require.EqualValues(t, 1, metric(t, reg, "op_channels_chain_tx_total", "success"))
	require.Zero(t, metric(t, reg, "op_channels_chain_tx_pending", ""))
}

// TestF7_CallThatNeedsAnEarlierOne sends two calls to a contract that works once: the second may be simulated before the first
// is mined, or after.
func TestF7_CallThatNeedsAnEarlierOne(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{NoMining: true})
	ctx := context.Background()
	require.NoError(t, n.SetAutomine(ctx, true))
	once := deploy(t, n, onceCode)
	require.NoError(t, n.SetAutomine(ctx, false))
	s := newSubmitter(t, dial(t, testConfig(n.URL())), submitterConfig(0))
	for _, id := range []string{"a", "b"} {
		require.NoError(t, s.Submit(plugin.Request{ID: id, To: once, GasLimit: 100_000}))
	}
	mine(t, n, s, 2)
	a, b := result(t, s), result(t, s)
	if a.ID == "b" {
		a, b = b, a
	}
	require.NoError(t, a.Err)
	var revert *plugin.RevertError
	require.ErrorAs(t, b.Err, &revert)
	require.True(t, revert.Mined, "both were in the pool")
	require.NotNil(t, b.Receipt)
	require.EqualValues(t, types.ReceiptStatusFailed, b.Receipt.Status)
	require.NotEmpty(t, revert.Reason)

	require.NoError(t, s.Submit(plugin.Request{ID: "c", To: once}))
	require.ErrorAs(t, result(t, s).Err, &revert)
	require.False(t, revert.Mined)
}

// mine waits until count transactions of s are in the pool and mines them.
func mine(t *testing.T, n *anvil.Node, s *plugin.Submitter, count uint64) {
	t.Helper()
	pooled(t, n, s.From(), count)
	require.NoError(t, n.Mine(context.Background(), 1))
}

func pooled(t *testing.T, n *anvil.Node, from common.Address, count uint64) {
	t.Helper()
	c := dial(t, testConfig(n.URL())).Client()
	require.Eventually(t, func() bool {
		pending, err := c.PendingNonceAt(context.Background(), from)
		require.NoError(t, err)
		mined, err := c.NonceAt(context.Background(), from, nil)
		require.NoError(t, err)
		return pending-mined == count
	}, 10*time.Second, 5*time.Millisecond)
}

// TestF7_DependentCallWaitsForTheCallBeforeIt: the second call is refused on the present state and works on the next.
func TestF7_DependentCallWaitsForTheCallBeforeIt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{NoMining: true})
	s := newSubmitter(t, dial(t, testConfig(n.URL())), submitterConfig(0))
	gated := common.HexToAddress("0x6a7ed") // reverts while its balance is zero
	require.NoError(t, n.SetCode(ctx, gated, common.FromHex("47600857600080fd5b00")))
	require.NoError(t, s.Submit(plugin.Request{ID: "approve", To: gated, Value: big.NewInt(1), GasLimit: 100_000}))
	require.NoError(t, s.Submit(plugin.Request{ID: "deposit", To: gated, GasLimit: 100_000}))
	mine(t, n, s, 1)
	r := result(t, s)
	require.Equal(t, "approve", r.ID)
	require.NoError(t, r.Err)
	mine(t, n, s, 1)
	r = result(t, s)
	require.Equal(t, "deposit", r.ID)
	require.NoError(t, r.Err)
}

// TestF7_RefusedCallHoldsUpNoOtherGroup: what the contract refuses for good, as a conclusion that somebody else was first with, is refused at
// once, and does not wait for the transactions of other channels.
func TestF7_RefusedCallHoldsUpNoOtherGroup(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{NoMining: true})
	s := newSubmitter(t, dial(t, testConfig(n.URL())), submitterConfig(0))
	gated := common.HexToAddress("0x6a7ed") // reverts while its balance is zero
	require.NoError(t, n.SetCode(context.Background(), gated, common.FromHex("47600857600080fd5b00")))
	payee := common.Address{0x77}
	require.NoError(t, s.Submit(plugin.Request{ID: "first", Group: "a", To: payee, Value: big.NewInt(1), GasLimit: 100_000}))
	pooled(t, n, s.From(), 1)
	require.NoError(t, s.Submit(plugin.Request{ID: "refused", Group: "b", To: gated, GasLimit: 100_000}))
	require.NoError(t, s.Submit(plugin.Request{ID: "next", Group: "c", To: payee, Value: big.NewInt(1), GasLimit: 100_000}))
	r := result(t, s) // no block was mined
	require.Equal(t, "refused", r.ID)
	require.ErrorIs(t, r.Err, plugin.ErrReverted)
	pooled(t, n, s.From(), 2)

	// What belongs together waits for its own.
	require.NoError(t, s.Submit(plugin.Request{ID: "approve", Group: "d", To: gated, Value: big.NewInt(1), GasLimit: 100_000}))
	require.NoError(t, s.Submit(plugin.Request{ID: "deposit", Group: "d", To: gated, GasLimit: 100_000}))
	mine(t, n, s, 3)
	var mined []string
	for range 3 {
		r := result(t, s)
		require.NoError(t, r.Err)
		mined = append(mined, r.ID)
	}
	require.ElementsMatch(t, []string{"first", "next", "approve"}, mined)
	mine(t, n, s, 1)
	r = result(t, s)
	require.Equal(t, "deposit", r.ID)
	require.NoError(t, r.Err)
}

func TestF7_AccountWithoutFundsIsNamed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	emitter := deploy(t, n, emitterCode)
	s := newSubmitter(t, dial(t, testConfig(n.URL())), submitterConfig(2))
	require.NoError(t, n.SetBalance(ctx, s.From(), big.NewInt(1000)))
	for _, gas := range []uint64{0, 100_000} {
		begin := time.Now()
		require.NoError(t, s.Submit(plugin.Request{ID: "poor", To: emitter, Data: word(1), GasLimit: gas}))
		r := result(t, s)
		require.ErrorIs(t, r.Err, plugin.ErrInsufficientFunds)
		require.ErrorContains(t, r.Err, s.From().Hex())
		require.Less(t, time.Since(begin), 5*time.Second)
	}
	require.NoError(t, n.SetBalance(ctx, s.From(), big.NewInt(1e18)))
	r, err := s.Send(ctx, plugin.Request{ID: "poor", To: emitter, Data: word(1)})
	require.NoError(t, err)
	require.NotNil(t, r.Receipt)
}

func TestA10_QueueIsBounded(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{NoMining: true})
	cfg := submitterConfig(0)
	cfg.QueueSize, cfg.MaxPending = 3, 1
	s := newSubmitter(t, dial(t, testConfig(n.URL())), cfg)
	to := common.HexToAddress("0x1234")
	for i := range 3 {
		require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(i), To: to}))
	}
	require.ErrorIs(t, s.Submit(plugin.Request{ID: "3", To: to}), plugin.ErrQueueFull)
	require.ErrorIs(t, s.Submit(plugin.Request{ID: "2", To: to}), plugin.ErrUnderWay)
	mine(t, n, s, 1)
	require.Eventually(t, func() bool { return len(s.Results()) == 1 }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, s.Submit(plugin.Request{ID: "3", To: to}), plugin.ErrQueueFull, "a result that nobody took holds its place")
	require.NoError(t, result(t, s).Err)
	require.NoError(t, s.Submit(plugin.Request{ID: "3", To: to}))
}

func TestF7_CloseDeliversEverything(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{NoMining: true})
	cfg := submitterConfig(0)
	cfg.MaxPending = 1
	s := newSubmitter(t, dial(t, testConfig(n.URL())), cfg)
	to := common.HexToAddress("0x1234")
	for i := range 3 {
		require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(i), To: to}))
	}
	pooled(t, n, s.From(), 1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	require.Eventually(t, func() bool { return errors.Is(s.Submit(plugin.Request{ID: "0", To: to}), plugin.ErrClosed) }, 5*time.Second, time.Millisecond)
	require.NoError(t, n.Mine(context.Background(), 1))
	require.NoError(t, <-closed)
	byID := map[string]error{}
	for r := range s.Results() {
		byID[r.ID] = r.Err
	}
	require.Len(t, byID, 3)
	require.NoError(t, byID["0"])
	require.ErrorIs(t, byID["1"], plugin.ErrClosed)
	require.ErrorIs(t, byID["2"], plugin.ErrClosed)
}

// abandon submits requests to a Submitter that ends while they are in the pool.
func abandon(t *testing.T, n *anvil.Node, c *plugin.Chain, requests ...plugin.Request) {
	t.Helper()
	s := newSubmitter(t, c, submitterConfig(0))
	for _, r := range requests {
		require.NoError(t, s.Submit(r))
	}
	pooled(t, n, s.From(), uint64(len(requests)))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Close(ended), context.Canceled)
	for r := range s.Results() {
		require.ErrorIs(t, r.Err, plugin.ErrClosed)
		require.NotZero(t, r.TxHash, "the pool still has it")
	}
}

func TestA13_RestartWaitsForWhatIsPending(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	once := deploy(t, n, onceCode)
	require.NoError(t, n.SetAutomine(ctx, false))
	c := dial(t, testConfig(n.URL()))
	r := plugin.Request{ID: "once", To: once}
	abandon(t, n, c, r)
	s := newSubmitter(t, c, submitterConfig(0))
	require.NoError(t, s.Submit(r))
	select {
	case r := <-s.Results():
		t.Fatalf("did not wait: %v", r.Err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, n.Mine(ctx, 1))
	again := result(t, s)
	require.ErrorIs(t, again.Err, plugin.ErrReverted)
	require.Zero(t, again.TxHash, "sent twice")
	nonce, err := c.Client().NonceAt(ctx, s.From(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, nonce)
}

// published counts what the transaction manager put into the pool.
type published struct {
	txmetrics.NoopTxMetrics
	count atomic.Int32
}

func (p *published) TxPublished(problem string) {
	if problem == "" {
		p.count.Add(1)
	}
}

func TestA13_RestartReplacesWhatIsStuck(t *testing.T) {
	t.Parallel()
	for name, tip := range map[string]float64{"same fees": plugin.TxFlagDefaults.MinTipCapGwei, "higher fees": 3, "fees to bump": 1.01} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			n := startChain(t, anvil.Options{NoMining: true})
			c := dial(t, testConfig(n.URL()))
			var requests []plugin.Request
			for i := range 4 {
				requests = append(requests, plugin.Request{ID: fmt.Sprint(i), To: common.HexToAddress("0x1234"), Value: big.NewInt(1)})
			}
			abandon(t, n, c, requests...)
			count := new(published)
			cfg := submitterConfig(0)
			cfg.PoolTimeout, cfg.Metrics = 50*time.Millisecond, count
			cfg.Tx.MinTipCapGwei, cfg.Tx.MinBaseFeeGwei = tip, max(tip, cfg.Tx.MinBaseFeeGwei)
			s := newSubmitter(t, c, cfg)
			for _, r := range requests {
				require.NoError(t, s.Submit(r))
			}
			require.Eventually(t, func() bool { return count.count.Load() >= 4 }, 20*time.Second, time.Millisecond, "not replaced")
			require.NoError(t, n.Mine(ctx, 1))
			for range requests {
				require.NoError(t, result(t, s).Err)
			}
			nonce, err := c.Client().NonceAt(ctx, s.From(), nil)
			require.NoError(t, err)
			require.EqualValues(t, 4, nonce, "sent twice")
		})
	}
}

// TestF7_KeyUsedElsewhere: another process uses up the nonces that the queue counted on.
func TestF7_KeyUsedElsewhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	emitter := deploy(t, n, emitterCode)
	c := dial(t, testConfig(n.URL()))
	s := newSubmitter(t, c, submitterConfig(0))
	for round := range 3 {
		for i := range 5 {
			require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(round, i), To: emitter, Data: word(uint64(i))}))
		}
		for range 5 {
			require.NoError(t, result(t, s).Err)
		}
		_, err := n.Send(ctx, anvil.Keys()[0], &emitter, nil, word(99))
		require.NoError(t, err)
	}
	nonce, err := c.Client().NonceAt(ctx, s.From(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 18, nonce)
}

// TestA12_SendsAgainAfterItsTransactionsWereReorganisedAway: the chain forgets what was mined, and the pool does not bring it back.
func TestA12_SendsAgainAfterItsTransactionsWereReorganisedAway(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	emitter := deploy(t, n, emitterCode)
	c := dial(t, testConfig(n.URL()))
	s := newSubmitter(t, c, submitterConfig(0))
	before, err := c.Client().BlockNumber(ctx)
	require.NoError(t, err)
	first, err := c.Client().NonceAt(ctx, s.From(), nil)
	require.NoError(t, err)
	for round := range 2 {
		for i := range 3 {
			require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(round, i), To: emitter, Data: word(uint64(i))}))
		}
		for range 3 {
			require.NoError(t, result(t, s).Err)
		}
		nonce, err := c.Client().NonceAt(ctx, s.From(), nil)
		require.NoError(t, err)
		require.EqualValues(t, first+3, nonce)
		if round == 0 {
			head, err := c.Client().BlockNumber(ctx)
			require.NoError(t, err)
			require.NoError(t, n.Rollback(ctx, head-before))
		}
	}
}

// TestA12_WhatWaitsBehindAGapIsMadeAnew: a reorganisation takes the transaction before the one that is in the pool. Behind the gap it
// would never be mined; the send timeout has it made anew.
func TestA12_WhatWaitsBehindAGapIsMadeAnew(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	emitter := deploy(t, n, emitterCode)
	c := dial(t, testConfig(n.URL()))
	cfg := submitterConfig(0)
	cfg.Tx.TxSendTimeout = time.Second
	s := newSubmitter(t, c, cfg)
	require.NoError(t, s.Submit(plugin.Request{ID: "first", To: emitter, Data: word(1)}))
	require.NoError(t, result(t, s).Err)
	require.NoError(t, n.SetAutomine(ctx, false))
	require.NoError(t, s.Submit(plugin.Request{ID: "second", To: emitter, Data: word(2)}))
	pending := func() uint64 {
		nonce, err := c.Client().PendingNonceAt(ctx, s.From())
		require.NoError(t, err)
		return nonce
	}
	before, err := c.Client().NonceAt(ctx, s.From(), nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return pending() == before+1 }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, n.Rollback(ctx, 1))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for { // the chain goes on
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				_ = n.Mine(ctx, 1)
			}
		}
	}()
	r := result(t, s)
	close(stop)
	<-done
	require.NoError(t, r.Err)
	tx, _, err := c.Client().TransactionByHash(ctx, r.TxHash)
	require.NoError(t, err)
	require.Equal(t, before-1, tx.Nonce())
}

func TestSubmitterRefusesBadSettings(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	c := dial(t, testConfig(n.URL()))
	cfg := submitterConfig(0)
	cfg.Tx.PrivateKey = ""
	_, err := plugin.NewSubmitter(c, cfg)
	require.ErrorIs(t, err, plugin.ErrConfig)
	require.ErrorContains(t, err, "private key")
	cfg = submitterConfig(0)
	cfg.QueueSize = -1
	_, err = plugin.NewSubmitter(c, cfg)
	require.ErrorIs(t, err, plugin.ErrConfig)
}
