package verifier_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
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
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/mudbridge/worlddeploy"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

const (
	chainID   = 31337
	minWindow = 1
	window    = 600 // seconds of a publication
	coin      = 1e18

	owner     = 0 // of the World; keys by their index
	publisher = 5
	prover    = 6
	other     = 7
)

var bond = *uint256.NewInt(coin)

// base is a chain that every test starts from: the contracts, a real World, the counter registered, a policy.
type base struct {
	state     string // file of anvil
	contracts adjudicator.Contracts
	world     worlddeploy.Deployment
	module    *derivation.Module
	config    common.Hash
}

var theBase = sync.OnceValues(func() (b *base, err error) {
	dir, err := os.MkdirTemp("", "verifier")
	if err != nil {
		return nil, err
	}
	b = &base{state: filepath.Join(dir, "state.json"), config: common.Hash{0xc0}}
	ctx := context.Background()
	n, err := anvil.Start(ctx, anvil.Options{StateFile: b.state, ExtraArgs: []string{"--preserve-historical-states"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	eth, keys := ethclient.NewClient(n.Client()), anvil.Keys()
	send := func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, keys[owner], &c.To, c.Value, c.Data)
	}
	if b.contracts, _, err = adjudicator.Deploy(ctx, eth, send, minWindow, common.Hash{}); err != nil {
		return nil, err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	if b.world, err = worlddeploy.Run(ctx, worlddeploy.Config{Script: filepath.Join(root, "examples", "raid", "world", "deploy.mjs"), RPC: n.URL(), Key: keys[owner]}); err != nil {
		return nil, err
	}
	engine, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	if err != nil {
		return nil, err
	}
	if b.module, err = engine.Load(counter.Wasm, counter.Options()); err != nil {
		return nil, err
	}
	if _, _, err = adjudicator.Register(ctx, eth, send, b.contracts.Registry, b.module.Program().Encode(), b.module.Manifest()); err != nil {
		return nil, err
	}
	call, err := adjudicator.SetPolicy(b.contracts.Policies, b.world.World, b.world.NamespaceID.Hash(), b.module.Hash(), b.config, adjudicator.Policy{
		Modes: adjudicator.ModeOptimistic | adjudicator.ModeExecuted, Window: window, Bond: bond, MaxJournalBytes: 1 << 20, Guardian: crypto.PubkeyToAddress(keys[other].PublicKey),
	})
	if err != nil {
		return nil, err
	}
	_, err = send(ctx, call)
	return b, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := theBase(); err == nil && b != nil {
		_ = os.RemoveAll(filepath.Dir(b.state)) // left over in the temporary folder at worst
	}
	os.Exit(code)
}

// chain is a chain of one test.
type chain struct {
	*base
	t      *testing.T
	node   *anvil.Node
	eth    *ethclient.Client
	keys   []*ecdsa.PrivateKey
	reader adjudicator.Reader
	games  uint64
}

func newChain(t *testing.T, o anvil.Options) *chain {
	t.Helper()
	b, err := theBase()
	require.NoError(t, err, "run `make deps` first")
	state, err := os.ReadFile(b.state)
	require.NoError(t, err)
	o.StateFile = filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(o.StateFile, state, 0o600))
	n, err := anvil.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	eth := ethclient.NewClient(n.Client())
	return &chain{base: b, t: t, node: n, eth: eth, keys: anvil.Keys(), reader: adjudicator.NewReader(eth, b.contracts)}
}

func (c *chain) address(key int) common.Address { return crypto.PubkeyToAddress(c.keys[key].PublicKey) }

// send sends a call and gives its facts.
func (c *chain) send(key int) func(adjudicator.Call, error) []adjudicator.Fact {
	return func(call adjudicator.Call, err error) []adjudicator.Fact {
		c.t.Helper()
		require.NoError(c.t, err)
		receipt, err := c.node.Send(context.Background(), c.keys[key], &call.To, call.Value, call.Data)
		require.NoError(c.t, err)
		require.EqualValues(c.t, 1, receipt.Status)
		return c.facts(receipt)
	}
}

func (c *chain) facts(receipt *types.Receipt) (facts []adjudicator.Fact) {
	for _, l := range receipt.Logs {
		f, ok, err := c.contracts.DecodeLog(*l)
		require.NoError(c.t, err)
		if ok {
			facts = append(facts, f)
		}
	}
	return facts
}

// refused gives the error with which a contract refuses a call.
func (c *chain) refused(key int) func(adjudicator.Call, error) string {
	return func(call adjudicator.Call, err error) string {
		c.t.Helper()
		require.NoError(c.t, err)
		_, err = c.eth.CallContract(context.Background(), ethereum.CallMsg{From: c.address(key), To: &call.To, Value: call.Value, Data: call.Data}, nil)
		var withData rpc.DataError
		require.True(c.t, errors.As(err, &withData), "%v", err)
		text, ok := withData.ErrorData().(string)
		require.True(c.t, ok)
		r, ok := adjudicator.ParseRevert(hexutil.MustDecode(text))
		require.True(c.t, ok, text)
		return r.Name
	}
}

// game is a channel of two players without stakes, whose journal both sign, whatever it says.
type game struct {
	c       *chain
	rules   *channel.Rules
	journal *proof.Journal
	states  []*channel.State // as the leaves say, where somebody made them
	signers []*ecdsa.PrivateKey
}

// play plays a game of n events, the last of which ends it.
func (c *chain) play(n int) *game {
	c.t.Helper()
	c.games++
	g := &game{c: c}
	genesis := slices.Concat(common.LeftPadBytes(c.contracts.Settlement[:], 32), common.LeftPadBytes(c.world.World[:], 32), c.world.NamespaceID.Hash().Bytes(), c.config[:], make([]byte, 32))
	p := &channel.Params{
		ChainID: *uint256.NewInt(chainID), Adjudicator: c.contracts.Adjudicator, Nonce: c.games, Window: 60, ForceQuota: 4,
		ModuleHash: c.module.Hash(), GenesisHash: channel.GenesisHash(genesis), FundingHash: channel.Funding{}.Hash(), FundingDeadline: 1 << 40,
	}
	for i := range 2 {
		key, err := crypto.GenerateKey()
		require.NoError(c.t, err)
		g.signers = append(g.signers, key)
		p.Participants = append(p.Participants, channel.Participant{Signer: crypto.PubkeyToAddress(key.PublicKey), Owner: c.address(i)})
	}
	var err error
	g.rules, err = channel.NewRules(p, channel.Funding{}, c.module)
	require.NoError(c.t, err)
	state, v := g.rules.Genesis(genesis)
	require.Equal(c.t, channel.Accepted, v.Status, v.Text())
	g.journal = &proof.Journal{Genesis: genesis, Leaves: []proof.Leaf{{StateHash: state.Hash()}}}
	g.states = []*channel.State{state}
	for seq := uint64(1); seq <= uint64(n); seq++ {
		author := uint8(seq % 2)
		e := channel.Event{ChannelID: g.rules.ID(), Author: author, Nonce: state.Header.Nonces[author] + 1, Timestamp: 1_700_000_000 + seq, Payload: []byte("move")}
		if seq == uint64(n) {
			e.Payload = counter.PayloadEnd
		}
		state, v = g.rules.Apply(state, seq, &e)
		require.Equal(c.t, channel.Accepted, v.Status, v.Text())
		g.journal.Leaves = append(g.journal.Leaves, proof.Leaf{Entry: channel.Entry{Event: &channel.SignedEvent{Event: e}}, StateHash: state.Hash()})
		g.states = append(g.states, state)
	}
	return g
}

// forge has everybody agree on another state at one leaf.
func (g *game) forge(seq int, change func(s *channel.State)) *game {
	s := *g.states[seq]
	s.Header.Nonces = slices.Clone(s.Header.Nonces)
	s.App = slices.Clone(s.App)
	change(&s)
	g.states[seq], g.journal.Leaves[seq].StateHash = &s, s.Hash()
	return g
}

// rich is a million that nobody earned.
func rich(s *channel.State) { s.App[2] = 0x0f }

func (g *game) id() common.Hash { return g.rules.ID() }

func (g *game) update() channel.Update {
	n := uint64(len(g.journal.Leaves))
	root, err := g.journal.Tree(g.rules.Params).RootAt(n)
	require.NoError(g.c.t, err)
	return channel.Update{ChannelID: g.id(), Seq: n - 1, JournalRoot: root, StateHash: g.journal.Leaves[n-1].StateHash}
}

func (g *game) sign(m channel.Message) (out []channel.Signature) {
	for _, key := range g.signers {
		s, err := channel.Sign(g.rules.Params.Domain().Digest(m), key)
		require.NoError(g.c.t, err)
		out = append(out, s)
	}
	return out
}

// conclude ends the channel on chain with the journal that both sign.
func (g *game) conclude() *game {
	u := g.update()
	g.c.send(publisher)(adjudicator.Conclude(g.rules.Params, channel.Funding{}, u, g.sign(u), nil, g.states[u.Seq]))
	return g
}

// calls are the transactions that publish the journal in chunks of so many entries.
func (g *game) calls(entries int) []adjudicator.Call {
	calls, err := adjudicator.PublishAll(g.c.contracts.Publications, g.rules.Params, channel.Funding{}, g.journal, proof.Budget{Bytes: 100_000, Entries: entries}, bond)
	require.NoError(g.c.t, err)
	return calls
}

// publish publishes the journal and gives the publication.
func (g *game) publish(entries int) adjudicator.Published {
	g.c.t.Helper()
	var last []adjudicator.Fact
	for _, c := range g.calls(entries) {
		last = g.c.send(publisher)(c, nil)
	}
	require.Len(g.c.t, last, 2)
	p, ok := last[1].Body.(adjudicator.Published)
	require.True(g.c.t, ok)
	return p
}

func (g *game) standing() adjudicator.Standing {
	s, err := g.c.reader.Standing(context.Background(), g.id())
	require.NoError(g.c.t, err)
	return s
}

func (g *game) claim() adjudicator.Claim {
	joins := make([][]byte, 2)
	for i := range joins {
		s, err := channel.Sign(g.rules.Params.Domain().Digest(channel.Join{ChannelID: g.id(), Signer: g.rules.Params.Participants[i].Signer}), g.c.keys[i])
		require.NoError(g.c.t, err)
		joins[i] = s[:]
	}
	return adjudicator.Claim{Params: g.rules.Params, State: g.states[len(g.states)-1], GenesisInput: g.journal.Genesis, Joins: joins}
}

// guard is a verifier that runs.
type guard struct {
	c       *chain
	v       *verifier.Verifier
	reports chan verifier.Report
	cancel  context.CancelFunc
	done    chan error
	seen    []verifier.Report
	told    map[int]bool // of seen: what until has given
}

// txConfig sends quickly: blocks are made at once.
func txConfig(key *ecdsa.PrivateKey) txmgr.CLIConfig {
	cfg := txmgr.NewCLIConfig("http://127.0.0.1:1", plugin.TxFlagDefaults) // the chain's address replaces it
	cfg.PrivateKey = hexutil.Encode(crypto.FromECDSA(key))
	cfg.ReceiptQueryInterval, cfg.RetryInterval = 20*time.Millisecond, 20*time.Millisecond
	cfg.ResubmissionTimeout = 500 * time.Millisecond
	return cfg
}

func (c *chain) guard(key int, cfg verifier.Config) *guard {
	c.t.Helper()
	logger := log.NewLogger(log.DiscardHandler())
	if testing.Verbose() {
		logger = log.NewLogger(log.LogfmtHandlerWithLevel(testWriter{c.t}, log.LevelInfo))
	}
	ch, err := plugin.Dial(c.t.Context(), plugin.Config{RPC: c.node.URL(), ChainID: chainID, PollInterval: 20 * time.Millisecond, Logger: logger})
	require.NoError(c.t, err)
	deps := verifier.Deps{Feed: ch, Client: ch.Client(), Log: logger}
	g := &guard{c: c, reports: make(chan verifier.Report, 1024), done: make(chan error, 1), told: map[int]bool{}}
	deps.Report = func(r verifier.Report) { g.reports <- r }
	closeSender := func() {}
	if !cfg.DryRun {
		s, err := plugin.NewSubmitter(ch, plugin.SubmitterConfig{Tx: txConfig(c.keys[key]), DecodeRevert: adjudicator.DecodeRevert})
		require.NoError(c.t, err)
		deps.Sender = s
		closeSender = func() {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.Close(over) // what is under way is given up
		}
	}
	cfg.Contracts, cfg.Retry = c.contracts, 50*time.Millisecond
	g.v, err = verifier.New(cfg, deps)
	require.NoError(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.done <- g.v.Run(ctx)
		closeSender()
		ch.Close()
	}()
	c.t.Cleanup(func() { cancel(); <-ended })
	return g
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", b)
	}
	return len(b), nil
}

const patience = time.Minute

// until waits for a kind of report about a channel, the first of them that it has not given yet.
func (g *guard) until(kind string, id common.Hash) verifier.Report {
	g.c.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for i := 0; ; i++ {
		if i == len(g.seen) {
			select {
			case r := <-g.reports:
				g.seen = append(g.seen, r)
			case <-timer.C:
				g.c.t.Fatalf("no report %q about %s; so far %+v", kind, id, g.seen)
			}
		}
		if r := g.seen[i]; r.Kind == kind && r.ChannelID == id && !g.told[i] {
			g.told[i] = true
			return r
		}
	}
}

// once waits for the end of a run with Once.
func (g *guard) once() verifier.Summary {
	g.c.t.Helper()
	select {
	case err := <-g.done:
		require.NoError(g.c.t, err)
	case <-time.After(patience):
		g.c.t.Fatalf("the run does not end; reports so far %+v", append(g.seen, drained(g.reports)...))
	}
	g.seen = append(g.seen, drained(g.reports)...)
	return g.v.Summary()
}

// stop ends a run and waits for it.
func (g *guard) stop() {
	g.c.t.Helper()
	g.cancel()
	require.ErrorIs(g.c.t, <-g.done, context.Canceled)
	g.seen = append(g.seen, drained(g.reports)...)
}

func drained(reports chan verifier.Report) (out []verifier.Report) {
	for {
		select {
		case r := <-reports:
			out = append(out, r)
		default:
			return out
		}
	}
}

func (g *guard) kinds() (out []string) {
	for _, r := range g.seen {
		if r.Kind != verifier.ReportProgress {
			out = append(out, r.Kind)
		}
	}
	return out
}

func (c *chain) balance(a common.Address) *big.Int {
	b, err := c.eth.BalanceAt(context.Background(), a, nil)
	require.NoError(c.t, err)
	return b
}
