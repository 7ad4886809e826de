package sidecar_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// ground is a chain with the contracts on it, and two sidecars that follow it.
type ground struct {
	t         *testing.T
	node      *anvil.Node
	eth       *ethclient.Client
	contracts adjudicator.Contracts
	from      uint64 // first block after the contracts
	trust     sidecar.Trust
	peers     [2]*peer
	tracers   [2]*tracing.Tracer
	id        common.Hash
}

var stakes = [2]uint64{3e15, 5e15}

const groundWindow = 60 // seconds

func newGround(t *testing.T) *ground { return newGroundOf(t, sidecar.TrustOf(plugin.Unsafe)) }

func newGroundOf(t *testing.T, trust sidecar.Trust) *ground {
	return newGroundWith(t, trust, [2]*tracing.Tracer{})
}

func newGroundWith(t *testing.T, trust sidecar.Trust, tracers [2]*tracing.Tracer) *ground {
	ctx := context.Background()
	n, err := anvil.Start(ctx, anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	g := &ground{t: t, trust: trust, node: n, eth: ethclient.NewClient(n.Client()), tracers: tracers}
	g.contracts, _, err = adjudicator.Deploy(ctx, g.eth, func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, anvil.Keys()[9], &c.To, c.Value, c.Data)
	}, groundWindow, common.Hash{})
	require.NoError(t, err)
	require.NoError(t, n.Mine(ctx, 70)) // depth for reorganisations, a safe and a final block
	g.from, err = g.eth.BlockNumber(ctx)
	require.NoError(t, err)
	for i := range g.peers {
		g.start(i, t.TempDir())
	}
	acquaint(t, g.peers[0], g.peers[1])
	return g
}

// start runs participant i over a data folder.
func (g *ground) start(i int, dir string) {
	t := g.t
	session, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i + 1)}))
	require.NoError(t, err)
	owner := anvil.Keys()[i]
	logger := keptLog(t, i)
	p := &peer{key: session, dir: dir, reg: prometheus.NewRegistry()}
	runtime, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	library := derivation.NewLibrary(runtime)
	p.module, err = library.Add("counter", counter.Wasm, counter.Options())
	require.NoError(t, err)
	p.store, err = eventstore.Open(filepath.Join(dir, "store"), eventstore.WithLogger(logger))
	require.NoError(t, err)
	p.net, err = p2p.New(p2p.Config{Key: session, Network: "reorg", Logger: logger})
	require.NoError(t, err)
	tx := txmgr.NewCLIConfig("", plugin.TxFlagDefaults)
	tx.PrivateKey, tx.ReceiptQueryInterval = hex.EncodeToString(crypto.FromECDSA(owner)), 20*time.Millisecond
	link, err := sidecar.NewLink(context.Background(), &sidecar.Config{
		L2EthRPC: g.node.WebSocketURL(), ChainID: 31337, Adjudicator: g.contracts.Adjudicator, StartBlock: g.from, Trust: g.trust,
		PollInterval: 20 * time.Millisecond, VerifyReceipts: true, Tx: tx, Keys: sidecar.Keys{Session: session, Owner: owner},
	}, p.store, logger, p.reg)
	require.NoError(t, err)
	p.metrics = sidecar.NewMetrics(p.reg)
	p.engine, err = sidecar.NewEngine(sidecar.EngineConfig{
		Keys: sidecar.Keys{Session: session, Owner: owner}, ChainID: 31337, Adjudicator: g.contracts.Adjudicator,
		Policy: sidecar.Policy{MaxStake: map[common.Address]channel.Amount{{}: *uint256.NewInt(1e18)}},
		Trust:  g.trust, Stall: time.Second, Skew: 30 * time.Second, Margin: time.Minute, Turn: 10 * time.Second,
		Store: p.store, Network: p.net, Chain: link, Modules: sidecar.ModulesOf(library), Metrics: p.metrics, Tracer: g.tracers[i], Log: logger,
	})
	require.NoError(t, err)
	p.api = sidecar.NewAPI(p.engine, nil)
	go func() { _ = p.engine.Run() }()
	link.Start()
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, p.engine.Stop(ctx))
		require.NoError(t, p.net.Close(ctx))
		_ = link.Close(ctx) // transactions may be under way on a chain that stands still
		require.NoError(t, p.store.Close())
		require.NoError(t, runtime.Close())
	})
	t.Cleanup(p.stop)
	g.peers[i] = p
}

// keptLog shows the log of a sidecar when its test fails.
func keptLog(t *testing.T, i int) log.Logger {
	out := new(lockedBuffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of participant %d:\n%s", i, out)
		}
	})
	return log.NewLogger(log.LogfmtHandlerWithLevel(out, log.LevelDebug))
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// open opens a channel with both stakes and waits until both sidecars see it funded.
func (g *ground) open() {
	g.propose(stakes)
	g.await("open")
}

// propose proposes a channel with these stakes, in which nobody waits for the owner.
func (g *ground) propose(stakes [2]uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := sidecar.OpenArgs{GenesisHex: make(hexutil.Bytes, 160)}
	args.ModuleHash, args.ForceQuota, args.Window = g.peers[0].module.Manifest().Hash(), 256, groundWindow
	stake := channel.Stake{}
	for i, p := range g.peers {
		args.Participants = append(args.Participants, channel.Participant{Signer: p.engine.SessionAddress(), Owner: p.engine.OwnerAddress()})
		stake.Amounts = append(stake.Amounts, *uint256.NewInt(stakes[i]))
	}
	args.Funding = channel.Funding{stake}
	var err error
	args.NoWait = true
	g.id, err = g.peers[0].api.Open(ctx, args)
	require.NoError(g.t, err)
	require.Eventually(g.t, func() bool { // the other one has heard of it
		_, err := g.peers[1].api.Get(ctx, g.id)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
}

func (g *ground) info(i int) *sidecar.ChannelInfo {
	info, err := g.peers[i].api.Get(context.Background(), g.id)
	require.NoError(g.t, err)
	return info
}

// await waits until the channel has this status for both.
func (g *ground) await(status string) {
	g.t.Helper()
	for i := range g.peers {
		require.Eventually(g.t, func() bool { return g.info(i).Status == status }, time.Minute, 5*time.Millisecond,
			"participant %d: %s, waiting for %s, not %s", i, g.info(i).Status, g.info(i).WaitingFor, status)
	}
}

// awaitFacts waits until both sidecars know of the channel what the chain's logs say now, and nothing else.
func (g *ground) awaitFacts(kinds ...sidecar.FactKind) (facts []sidecar.FactInfo) {
	g.t.Helper()
	for i := range g.peers {
		require.Eventually(g.t, func() bool {
			facts = g.info(i).Facts
			var got []sidecar.FactKind
			for _, f := range facts {
				got = append(got, f.Kind)
			}
			return len(got) == len(kinds) && (len(kinds) == 0 || equal(got, kinds)) && g.onChain(facts)
		}, 20*time.Second, 5*time.Millisecond, "facts of participant %d: %v, wanted %v", i, g.info(i).Facts, kinds)
	}
	return facts
}

func equal[T comparable](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// onChain compares facts with the logs of the node.
func (g *ground) onChain(facts []sidecar.FactInfo) bool {
	logs, err := g.eth.FilterLogs(context.Background(), ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(g.from), Addresses: []common.Address{g.contracts.Adjudicator}, Topics: adjudicator.Topics(),
	})
	require.NoError(g.t, err)
	n := 0
	for _, l := range logs {
		f, known, err := g.contracts.DecodeLog(l)
		require.NoError(g.t, err)
		if id, ok := f.Body.Channel(); !known || !ok || id != g.id || f.Body.Kind() == (adjudicator.Paid{}).Kind() {
			continue // a payment says nothing that the conclusion does not
		}
		if n == len(facts) || facts[n].BlockHash != l.BlockHash || facts[n].TxHash != l.TxHash {
			return false
		}
		n++
	}
	return n == len(facts)
}

// play submits an event of each participant, and checks that both derive the same journal.
func (g *ground) play() {
	g.t.Helper()
	before := g.info(0).HeadSeq
	require.Equal(g.t, before+1, submit(g.t, g.peers[0], g.id))
	require.Equal(g.t, before+2, submit(g.t, g.peers[1], g.id))
	var roots []common.Hash
	for _, p := range g.peers {
		rep, err := p.api.Verify(context.Background(), g.id)
		require.NoError(g.t, err)
		require.Equal(g.t, before+2, rep.Seq)
		roots = append(roots, rep.JournalRoot)
	}
	require.Equal(g.t, roots[0], roots[1])
}

// refused checks that nobody can play on.
func (g *ground) refused() {
	g.t.Helper()
	for _, p := range g.peers {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := p.api.Submit(ctx, g.id, hexutil.Bytes{1}, nil)
		cancel()
		require.Equal(g.t, channel.CodeNotReady, sidecar.ErrorCode(err), "%v", err)
		require.ErrorContains(g.t, err, "deposits have not been seen on chain")
	}
}

func (g *ground) automine(on bool) {
	g.t.Helper()
	require.NoError(g.t, g.node.SetAutomine(context.Background(), on))
	if on {
		require.NoError(g.t, g.node.Mine(context.Background(), 1)) // what waits in the pool
	}
}

// depthOf is how many blocks from the head on must go for a block to be replaced.
func (g *ground) depthOf(block uint64) uint64 {
	head, err := g.eth.BlockNumber(context.Background())
	require.NoError(g.t, err)
	return head - block + 1
}

// again is a transaction of the same account, nonce and call with more wei, or less. It has gas to spare: the first deposit of a channel
// needs more than the others.
func (g *ground) again(hash common.Hash, more int64) *types.Transaction {
	tx, _, err := g.eth.TransactionByHash(context.Background(), hash)
	require.NoError(g.t, err)
	signer := types.LatestSignerForChainID(tx.ChainId())
	from, err := types.Sender(signer, tx)
	require.NoError(g.t, err)
	for _, key := range anvil.Keys()[:2] {
		if crypto.PubkeyToAddress(key.PublicKey) == from {
			return types.MustSignNewTx(key, signer, &types.DynamicFeeTx{
				ChainID: tx.ChainId(), Nonce: tx.Nonce(), To: tx.To(), Value: new(big.Int).Add(tx.Value(), big.NewInt(more)), Data: tx.Data(),
				Gas: 300_000, GasFeeCap: new(big.Int).Mul(tx.GasFeeCap(), big.NewInt(4)), GasTipCap: tx.GasTipCap(),
			})
		}
	}
	g.t.Fatalf("%s is no participant", from)
	return nil
}

// held is what the contract has for all channels.
func (g *ground) held() uint64 {
	b, err := g.eth.BalanceAt(context.Background(), g.contracts.Adjudicator, nil)
	require.NoError(g.t, err)
	return b.Uint64()
}

func (g *ground) close() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var ended sync.WaitGroup
	for _, p := range g.peers {
		ended.Go(func() { _, _ = p.api.Close(ctx, g.id) }) // what matters is what follows on chain
	}
	g.await("final")
	ended.Wait()
}

// TestA12_ADepositIsRemoved takes the second deposit out of the chain while the channel is played: it stops, the deposit is paid again, and
// play goes on where it was.
func TestA12_ADepositIsRemoved(t *testing.T) {
	g := newGround(t)
	g.open()
	g.play()
	facts := g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	for _, f := range facts {
		require.Equal(t, plugin.Unsafe, f.Level)
	}
	g.automine(false)
	require.NoError(t, g.node.Reorg(context.Background(), g.depthOf(facts[1].Block)))
	g.awaitFacts(sidecar.FactDeposited)
	g.await("funding")
	g.refused()
	g.automine(true)
	g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	g.await("open")
	require.Equal(t, stakes[0]+stakes[1], g.held(), "each stake is paid once")
	g.play()
	g.close()
	require.Zero(t, g.held())
	require.NoError(t, g.node.Mine(context.Background(), 64+1)) // two epochs: all of it is final
	for i := range g.peers {
		require.Eventually(t, func() bool {
			facts := g.info(i).Facts
			return len(facts) == 4 && facts[3].Level == plugin.Finalized
		}, time.Minute, 5*time.Millisecond)
		want := `
# HELP op_channels_facts Facts on chain about channels of ours, by kind and trust level.
# TYPE op_channels_facts gauge
`
		for _, f := range []struct {
			kind  sidecar.FactKind
			count int
		}{{sidecar.FactConcluded, 1}, {sidecar.FactDeposited, 2}, {sidecar.FactFunded, 1}} {
			want += fmt.Sprintf("op_channels_facts{kind=%q,level=\"finalized\"} %d\n", f.kind, f.count)
			for _, level := range []plugin.Level{plugin.Safe, plugin.Unsafe} {
				want += fmt.Sprintf("op_channels_facts{kind=%q,level=%q} 0\n", f.kind, level)
			}
		}
		var err error
		require.Eventually(t, func() bool {
			err = testutil.GatherAndCompare(g.peers[i].reg, strings.NewReader(want), "op_channels_facts")
			return err == nil
		}, 20*time.Second, 20*time.Millisecond, "%v", err)
	}
}

// TestA12_DepositsAreMinedInAnotherOrder puts both deposits into other blocks, the second one first: the channel stays open, and what is
// known of the chain is the new branch's.
func TestA12_DepositsAreMinedInAnotherOrder(t *testing.T) {
	g := newGround(t)
	g.open()
	g.play()
	before := g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	first, second := g.again(before[1].TxHash, 0), g.again(before[0].TxHash, 0)
	g.automine(false)
	require.NoError(t, g.node.ReorgWith(context.Background(), g.depthOf(before[0].Block),
		anvil.Mined{Tx: first, Block: 0}, anvil.Mined{Tx: second, Block: 1}))
	after := g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	require.Equal(t, first.Hash(), after[0].TxHash)
	require.Equal(t, second.Hash(), after[1].TxHash)
	g.await("open")
	g.play()
	g.automine(true)
	g.close()
	require.Zero(t, g.held())
}

// TestA12_ADepositIsMinedWithAnotherAmount replaces a deposit by one of the same account and nonce that pays one wei less, which the contract
// refuses: it does not count, the stake is still owed, and it is paid.
func TestA12_ADepositIsMinedWithAnotherAmount(t *testing.T) {
	g := newGround(t)
	g.open()
	g.play()
	before := g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	less, other := g.again(before[0].TxHash, -1), g.again(before[1].TxHash, 0)
	g.automine(false)
	require.NoError(t, g.node.ReorgWith(context.Background(), g.depthOf(before[0].Block),
		anvil.Mined{Tx: less, Block: 0}, anvil.Mined{Tx: other, Block: 0}))
	receipt, err := g.eth.TransactionReceipt(context.Background(), less.Hash())
	require.NoError(t, err)
	require.EqualValues(t, types.ReceiptStatusFailed, receipt.Status)
	g.awaitFacts(sidecar.FactDeposited)
	g.await("funding")
	g.refused()
	g.automine(true)
	after := g.awaitFacts(sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded)
	require.Equal(t, other.Hash(), after[0].TxHash)
	require.NotContains(t, []common.Hash{before[0].TxHash, less.Hash()}, after[1].TxHash)
	g.await("open")
	require.Equal(t, stakes[0]+stakes[1], g.held())
	g.play()
	g.close()
	require.Zero(t, g.held())
}

// TestA12_AConclusionIsRemoved takes the conclusion of a closed channel away, while one of the sidecars is down: the channel is no longer
// final, is concluded again with the same signatures, and pays once.
func TestA12_AConclusionIsRemoved(t *testing.T) {
	g := newGround(t)
	g.open()
	g.play()
	g.close()
	all := []sidecar.FactKind{sidecar.FactDeposited, sidecar.FactDeposited, sidecar.FactFunded, sidecar.FactConcluded}
	before := g.awaitFacts(all...)
	require.Zero(t, g.held())
	supported := g.info(1).Supported

	dir := g.peers[1].dir
	g.peers[1].stop()
	g.automine(false)
	require.NoError(t, g.node.Reorg(context.Background(), g.depthOf(before[3].Block)))
	require.Equal(t, stakes[0]+stakes[1], g.held())
	g.start(1, dir)
	acquaint(t, g.peers[0], g.peers[1])
	g.awaitFacts(all[:3]...)
	g.await("concluding")
	require.Equal(t, supported, g.info(1).Supported)
	g.automine(true)
	g.await("final")
	after := g.awaitFacts(all...)
	require.NotEqual(t, before[3].BlockHash, after[3].BlockHash)
	require.Zero(t, g.held())
	require.Equal(t, supported, g.info(1).Supported)
}
