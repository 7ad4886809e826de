package plugin_test

import (
	"context"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
)

// opNode answers as op-node does, in op-service's own types, about the chain of a real node: an op-node itself needs an L1, and is part of
// the op-stack devnet. What is safe is the test's choice.
type opNode struct {
	eth  *ethclient.Client
	down atomic.Bool // it drops what is asked

	mu        sync.Mutex
	chainID   uint64
	safe      uint64
	finalized uint64
	branch    common.Hash // the safe block's hash, when it is on another branch
	state     common.Hash // the safe block's state root, when the two disagree
	asked     int         // for outputs
	l1        uint64      // chain id; 0: 900
	portal    common.Address
}

func (o *opNode) set(change func(*opNode)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *opNode) ref(ctx context.Context, number uint64) (eth.L2BlockRef, error) {
	h, err := o.eth.HeaderByNumber(ctx, new(big.Int).SetUint64(number))
	if err != nil {
		return eth.L2BlockRef{}, err
	}
	return eth.L2BlockRef{Hash: h.Hash(), Number: number, ParentHash: h.ParentHash, Time: h.Time}, nil
}

// SyncStatus is optimism_syncStatus.
func (o *opNode) SyncStatus(ctx context.Context) (*eth.SyncStatus, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	safe, err := o.ref(ctx, o.safe)
	if err != nil {
		return nil, err
	}
	if o.branch != (common.Hash{}) {
		safe.Hash = o.branch
	}
	finalized, err := o.ref(ctx, o.finalized)
	return &eth.SyncStatus{SafeL2: safe, FinalizedL2: finalized}, err
}

// RollupConfig is optimism_rollupConfig, by the names of rollup.Config.
func (o *opNode) RollupConfig(ctx context.Context) (map[string]any, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	genesis, err := o.ref(ctx, 0)
	return map[string]any{
		"l1_chain_id": max(o.l1, 900), "deposit_contract_address": o.portal, "l2_chain_id": new(big.Int).SetUint64(o.chainID), "block_time": 1,
		"genesis": map[string]any{"l1": eth.BlockID{Number: 5}, "l2": eth.BlockID{Hash: genesis.Hash}, "l2_time": genesis.Time},
	}, err
}

// OutputAtBlock is optimism_outputAtBlock.
func (o *opNode) OutputAtBlock(ctx context.Context, number hexutil.Uint64) (*eth.OutputResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	h, err := o.eth.HeaderByNumber(ctx, new(big.Int).SetUint64(uint64(number)))
	if err != nil {
		return nil, err
	}
	ref, err := o.ref(ctx, uint64(number))
	if err != nil {
		return nil, err
	}
	state, storage := h.Root, crypto.Keccak256Hash([]byte("withdrawals"))
	if o.state != (common.Hash{}) {
		state = o.state
	}
	root := eth.OutputRoot(&eth.OutputV0{StateRoot: eth.Bytes32(state), MessagePasserStorageRoot: eth.Bytes32(storage), BlockHash: ref.Hash})
	return &eth.OutputResponse{OutputRoot: root, BlockRef: ref, WithdrawalStorageRoot: storage, StateRoot: state}, nil
}

func newOpNode(t *testing.T, tw *twins) (*opNode, *httptest.Server) {
	o := &opNode{eth: ethclient.NewClient(tw.nodes[0].Client()), chainID: chainID}
	s := rpc.NewServer()
	require.NoError(t, s.RegisterName("optimism", o))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.down.Load() {
			panic(http.ErrAbortHandler)
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); s.Stop() })
	return o, server
}

func TestF7_TheOpNodeSaysWhatIsTrusted(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	o, server := newOpNode(t, tw)
	c, reg := several(t, func(cfg *plugin.Config) { cfg.RollupRPC, cfg.CheckOutputs = server.URL, true }, tw.nodes[0].URL(), tw.nodes[1].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	at := func(l plugin.Level) uint64 { b, _ := f.last.At(l); return b.Number }
	for i := range uint64(8) {
		tw.emit(i)
	}
	tw.build(0, 1)
	f.reaches(tw, 0)
	require.Zero(t, at(plugin.Safe), "the execution client's tags, 8 and 7, do not count")
	o.set(func(o *opNode) { o.safe, o.finalized = 5, 3 })
	f.until(func() bool { return at(plugin.Safe) == 5 && at(plugin.Finalized) == 3 }, "safe is %d", at(plugin.Safe))
	b, err := c.Head(context.Background(), plugin.Safe)
	require.NoError(t, err)
	require.EqualValues(t, 5, b.Number)
	require.EqualValues(t, 1, labelled(t, reg, "op_channels_chain_rollup_up", server.URL[len("http://"):]))
	require.Positive(t, labelled(t, reg, "op_channels_chain_checked_outputs_total"))

	// Without an answer blocks go on, trust stays.
	server.Close()
	tw.emit(100)
	tw.build(0, 1)
	f.reaches(tw, 0)
	require.EqualValues(t, 5, at(plugin.Safe))
	require.Zero(t, labelled(t, reg, "op_channels_chain_rollup_up", server.URL[len("http://"):]))
	require.Zero(t, labelled(t, reg, "op_channels_chain_failovers_total"))
}

// Of several op-nodes the next one takes over, and the preferred one again; what was trusted stays trusted, also by one that is behind.
func TestF7_AnotherOpNodeTakesOver(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	for i := range uint64(9) {
		tw.emit(i)
	}
	tw.build(0, 1)
	first, firstServer := newOpNode(t, tw)
	second, secondServer := newOpNode(t, tw)
	first.set(func(o *opNode) { o.safe, o.finalized = 5, 3 })
	second.set(func(o *opNode) { o.safe, o.finalized = 4, 3 })
	c, reg := several(t, func(cfg *plugin.Config) {
		cfg.RollupRPC, cfg.ProbeInterval = firstServer.URL+","+secondServer.URL, 50*time.Millisecond
	}, tw.nodes[0].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	at := func(l plugin.Level) uint64 { b, _ := f.last.At(l); return b.Number }
	f.until(func() bool { return at(plugin.Safe) == 5 }, "safe is %d", at(plugin.Safe))

	first.down.Store(true)
	up := func(url string) float64 {
		return labelled(t, reg, "op_channels_chain_rollup_up", url[len("http://"):])
	}
	f.until(func() bool { return up(firstServer.URL) == 0 && up(secondServer.URL) == 1 }, "the first is still asked")
	tw.emit(100)
	tw.build(0, 1)
	f.reaches(tw, 0)
	require.EqualValues(t, 5, at(plugin.Safe), "the second one is behind: trust stays")
	second.set(func(o *opNode) { o.safe, o.finalized = 7, 6 })
	f.until(func() bool { return at(plugin.Safe) == 7 && at(plugin.Finalized) == 6 }, "safe is %d", at(plugin.Safe))

	first.down.Store(false)
	first.set(func(o *opNode) { o.safe, o.finalized = 8, 7 })
	f.until(func() bool { return at(plugin.Safe) == 8 }, "the preferred one is not asked again: safe is %d", at(plugin.Safe))
	second.set(func(o *opNode) { o.safe = 9 })
	first.set(func(o *opNode) { o.finalized = 8 })
	f.until(func() bool { return at(plugin.Finalized) == 8 }, "finalized is %d", at(plugin.Finalized))
	require.EqualValues(t, 8, at(plugin.Safe), "the preferred one's word")
}

// An op-node that answers and stands still, while another one goes on, is left after the time that a node may stall.
func TestF7_AnOpNodeThatStandsStillIsLeft(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	for i := range uint64(6) {
		tw.emit(i)
	}
	tw.build(0, 1)
	first, firstServer := newOpNode(t, tw)
	second, secondServer := newOpNode(t, tw)
	first.set(func(o *opNode) { o.safe = 2 })
	second.set(func(o *opNode) { o.safe = 2 })
	c, _ := several(t, func(cfg *plugin.Config) {
		cfg.RollupRPC, cfg.ProbeInterval, cfg.StallTimeout = firstServer.URL+","+secondServer.URL, 20*time.Millisecond, 100*time.Millisecond
	}, tw.nodes[0].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	safe := func() uint64 { b, _ := f.last.At(plugin.Safe); return b.Number }
	f.until(func() bool { return safe() == 2 }, "safe is %d", safe())
	second.set(func(o *opNode) { o.safe = 5 })
	f.until(func() bool { return safe() == 5 }, "safe is %d", safe())
}

// The block that one op-node trusted is gone when the next one is asked: what that one trusts counts, though it is less.
func TestA12_TrustGoesBackWithAReorganisationBetweenOpNodes(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	for i := range uint64(6) {
		tw.emit(i)
	}
	tw.build(0, 1)
	first, firstServer := newOpNode(t, tw)
	second, secondServer := newOpNode(t, tw)
	first.set(func(o *opNode) { o.safe = 6 })
	second.set(func(o *opNode) { o.safe = 3 })
	c, _ := several(t, func(cfg *plugin.Config) { cfg.RollupRPC = firstServer.URL + "," + secondServer.URL }, tw.nodes[0].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	safe := func() uint64 { b, _ := f.last.At(plugin.Safe); return b.Number }
	f.until(func() bool { return safe() == 6 }, "safe is %d", safe())
	first.down.Store(true)
	require.NoError(t, tw.nodes[0].Reorg(context.Background(), 3))
	f.until(func() bool { return len(f.rewinds) > 0 && safe() == 3 }, "safe is %d", safe())
}

// The op-node calls a block safe that the execution clients have otherwise: nothing of that is delivered as trusted.
func TestF7_TheOpNodeIsOnAnotherBranch(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	tw.emit(1, 2)
	tw.build(0, 1)
	o, server := newOpNode(t, tw)
	o.set(func(o *opNode) { o.safe, o.branch = 2, common.Hash{7} })
	c, reg := several(t, func(cfg *plugin.Config) { cfg.RollupRPC = server.URL }, tw.nodes[0].URL(), tw.nodes[1].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	inconsistent := func(i int) bool {
		return labelled(t, reg, "op_channels_chain_endpoint_faults_total", tw.nodes[i].URL()[len("http://"):], "inconsistent") > 0
	}
	f.until(func() bool { return inconsistent(0) && inconsistent(1) }, "nothing is said")
	require.Zero(t, f.steps)
	o.set(func(o *opNode) { o.branch = common.Hash{} })
	f.reaches(tw, 0)
	safe, ok := f.last.At(plugin.Safe)
	require.True(t, ok)
	require.EqualValues(t, 2, safe.Number)
}

// An execution client that is behind what the op-node trusts is not followed: nobody can say whether its blocks are the trusted ones.
func TestF7_TheExecutionClientIsBehindTheOpNode(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	o, server := newOpNode(t, tw)
	tw.emit(1)
	tw.build(0, 1)
	tw.emit(2)
	tw.build(0)
	o.set(func(o *opNode) { o.safe = 3 })
	c, reg := several(t, func(cfg *plugin.Config) { cfg.RollupRPC = server.URL }, tw.nodes[1].URL(), tw.nodes[0].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	f.reaches(tw, 0)
	require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", tw.nodes[1].URL()[len("http://"):], "inconsistent"))
	require.Empty(t, f.rewinds)
}

func TestF7_OutputsThatDisagreeAreAFault(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	tw.emit(1, 2)
	tw.build(0, 1)
	o, server := newOpNode(t, tw)
	o.set(func(o *opNode) { o.safe, o.state = 2, common.Hash{9} })
	c, reg := several(t, func(cfg *plugin.Config) { cfg.RollupRPC, cfg.CheckOutputs = server.URL, true }, tw.nodes[0].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	f.until(func() bool {
		return labelled(t, reg, "op_channels_chain_endpoint_faults_total", tw.nodes[0].URL()[len("http://"):], "forged") > 0
	}, "nothing is said")
	require.Zero(t, f.steps)
	o.set(func(o *opNode) { o.state = common.Hash{} })
	f.reaches(tw, 0)
	for range 5 {
		f.next(10 * time.Millisecond)
	}
	asked := 0
	o.set(func(o *opNode) { asked = o.asked })
	for range 5 {
		f.next(20 * time.Millisecond)
	}
	o.set(func(o *opNode) { require.Equal(t, asked, o.asked, "once per safe block") })
}

func TestA13_AnOpNodeOfAnotherChainIsRefused(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	o, server := newOpNode(t, tw)
	cfg := testConfig(tw.nodes[0].URL())
	cfg.RollupRPC = server.URL
	dial(t, cfg)
	o.set(func(o *opNode) { o.chainID = 5 })
	_, err := plugin.Dial(context.Background(), cfg)
	require.ErrorIs(t, err, plugin.ErrWrongChain)
	require.ErrorContains(t, err, "op-node")
	o.set(func(o *opNode) { o.chainID = chainID })
	other := newTwins(t) // the same first block
	o.set(func(o *opNode) { o.eth = ethclient.NewClient(other.nodes[0].Client()) })
	dial(t, cfg)
	cfg.Genesis = plugin.BlockRef{Hash: common.Hash{1}}
	_, err = plugin.Dial(context.Background(), cfg)
	require.ErrorIs(t, err, plugin.ErrWrongChain)
	server.Close()
	cfg.Genesis = plugin.BlockRef{}
	_, err = plugin.Dial(context.Background(), cfg)
	require.ErrorIs(t, err, plugin.ErrUnreachable)
	cfg.RollupRPC, cfg.CheckOutputs = "", true
	_, err = plugin.Dial(context.Background(), cfg)
	require.ErrorIs(t, err, plugin.ErrConfig)
}
