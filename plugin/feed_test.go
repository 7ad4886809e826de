package plugin_test

import (
	"context"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

// follower applies Steps as an engine does, and checks what every Step promises.
type follower struct {
	t       *testing.T
	chain   *plugin.Chain
	cfg     plugin.FeedConfig
	logs    []types.Log
	last    plugin.Step
	rewinds []plugin.BlockRef
	steps   int

	out    chan plugin.Step
	cancel context.CancelFunc
	ended  chan error
}

func follow(t *testing.T, c *plugin.Chain, cfg plugin.FeedConfig) *follower {
	f := &follower{t: t, chain: c, cfg: cfg}
	f.last.Unsafe = cfg.From
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *follower) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.out, f.cancel, f.ended = make(chan plugin.Step), cancel, make(chan error, 1)
	cfg, out, ended := f.cfg, f.out, f.ended
	cfg.From = f.last.Unsafe
	go func() { ended <- f.chain.Follow(ctx, cfg, out) }()
}

func (f *follower) stop() {
	if f.cancel == nil {
		return
	}
	f.cancel()
	f.cancel = nil
	require.ErrorIs(f.t, <-f.ended, context.Canceled)
}

// next applies one Step; false when none arrives in time.
func (f *follower) next(timeout time.Duration) bool {
	select {
	case s := <-f.out:
		f.apply(s)
		return true
	case err := <-f.ended:
		f.ended <- err
		require.NoError(f.t, err)
	case <-time.After(timeout):
	}
	return false
}

func (f *follower) apply(s plugin.Step) {
	require := require.New(f.t)
	f.steps++
	before := f.last.Unsafe.Number
	if s.Rewind != nil {
		require.Empty(s.Logs)
		require.Equal(*s.Rewind, s.Unsafe)
		f.rewinds = append(f.rewinds, *s.Rewind)
		f.logs = slices.DeleteFunc(f.logs, func(l types.Log) bool { return l.BlockNumber > s.Rewind.Number })
	} else {
		require.GreaterOrEqual(s.Unsafe.Number, before)
		for _, l := range s.Logs {
			require.Greater(l.BlockNumber, before)
			require.LessOrEqual(l.BlockNumber, s.Unsafe.Number)
		}
		f.logs = append(f.logs, s.Logs...)
	}
	safe, _ := s.At(plugin.Safe)
	final, _ := s.At(plugin.Finalized)
	unsafe, ok := s.At(plugin.Unsafe)
	require.True(ok)
	require.LessOrEqual(final.Number, safe.Number)
	require.LessOrEqual(safe.Number, unsafe.Number)
	f.last = s
}

// catchUp applies Steps until the node's newest block is delivered.
func (f *follower) catchUp() {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		head, err := f.chain.Head(context.Background(), plugin.Unsafe)
		require.NoError(f.t, err)
		if f.last.Unsafe.Hash == head.Hash {
			return
		}
		require.True(f.t, f.next(time.Until(deadline)), "block %s was not delivered, but %s", head, f.last.Unsafe)
	}
}

// agrees compares with what the node says now, asked in one go.
func (f *follower) agrees() {
	f.t.Helper()
	f.catchUp()
	want, err := f.chain.Client().FilterLogs(context.Background(), ethereum.FilterQuery{Addresses: f.cfg.Addresses, Topics: f.cfg.Topics})
	require.NoError(f.t, err)
	require.Equal(f.t, len(want), len(f.logs))
	for i := range want {
		require.Equal(f.t, want[i].BlockHash, f.logs[i].BlockHash)
		require.Equal(f.t, want[i].Index, f.logs[i].Index)
		require.Equal(f.t, want[i].Data, f.logs[i].Data)
	}
}

func emit(t *testing.T, n *anvil.Node, to common.Address, values ...uint64) {
	t.Helper()
	for _, v := range values {
		r, err := n.Send(context.Background(), anvil.Keys()[8], &to, nil, word(v))
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Status)
	}
}

func transports(n *anvil.Node) map[string]string {
	return map[string]string{"polled": n.URL(), "pushed": n.WebSocketURL()}
}

func TestF7_FollowBackfillsThenFollows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 1})
	contract, other := deploy(t, n, emitterCode), deploy(t, n, emitterCode)
	for i := uint64(0); i < 6; i++ {
		emit(t, n, contract, i)
		emit(t, n, other, 1000+i)
		require.NoError(t, n.Mine(ctx, 40))
	}
	for name, url := range transports(n) {
		t.Run(name, func(t *testing.T) {
			f := follow(t, dial(t, testConfig(url)), plugin.FeedConfig{Addresses: []common.Address{contract}, MaxBlockRange: 30})
			f.agrees()
			require.Greater(t, f.steps, 5, "a range was larger than allowed")
			before := len(f.logs)
			emit(t, n, contract, 100)
			emit(t, n, other, 2000)
			emit(t, n, contract, 101)
			f.agrees()
			require.Len(t, f.logs, before+2)
			require.Empty(t, f.rewinds)
			require.NoError(t, n.Mine(ctx, 3))
			f.catchUp()
			final, ok := f.last.At(plugin.Finalized)
			require.True(t, ok)
			require.Equal(t, f.last.Unsafe.Number-2, final.Number)
		})
	}
}

func TestF7_FollowGoesOnFromItsCursor(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 1})
	contract := deploy(t, n, emitterCode)
	head, err := dial(t, testConfig(n.URL())).Head(ctx, plugin.Unsafe)
	require.NoError(t, err)
	f := follow(t, dial(t, testConfig(n.URL())), plugin.FeedConfig{Addresses: []common.Address{contract}, From: plugin.BlockRef{Number: head.Number}})
	for i := uint64(0); i < 5; i++ {
		emit(t, n, contract, i)
		f.agrees()
		f.stop()
		emit(t, n, contract, 50+i)
		require.NoError(t, n.Mine(ctx, 70*(i%2)))
		f.start()
		f.agrees()
	}
	require.Empty(t, f.rewinds)
	require.Len(t, f.logs, 10)
}

// A node that was restarted while the chain stood still has to know where it stands, and what time it is, without a block.
func TestF7_FollowThatStartsAtTheHeadSaysSo(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	require.NoError(t, n.Mine(context.Background(), 3))
	c := dial(t, testConfig(n.URL()))
	head, err := c.Head(context.Background(), plugin.Unsafe)
	require.NoError(t, err)
	f := follow(t, c, plugin.FeedConfig{From: plugin.BlockRef{Number: head.Number, Hash: head.Hash}})
	require.True(t, f.next(10*time.Second), "no Step")
	require.Equal(t, head, f.last.Unsafe)
	require.Equal(t, 1, f.steps)
}

func TestA12_FollowRewindsAReorganisation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	contract := deploy(t, n, emitterCode)
	for name, url := range transports(n) {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			cfg := testConfig(url)
			cfg.Registerer = reg
			f := follow(t, dial(t, cfg), plugin.FeedConfig{Addresses: []common.Address{contract}})
			emit(t, n, contract, 1, 2, 3)
			f.agrees()
			top, before := f.last.Unsafe.Number, len(f.logs)
			require.NoError(t, n.Reorg(ctx, 2))
			emit(t, n, contract, 4)
			f.agrees()
			require.Len(t, f.rewinds, 1)
			require.Equal(t, top-2, f.rewinds[0].Number, "not the common ancestor")
			require.Len(t, f.logs, before-2+1)
			f.stop()
			require.EqualValues(t, 1, metric(t, reg, "op_channels_chain_rewinds_total", ""))
			require.EqualValues(t, 2, metric(t, reg, "op_channels_chain_rewound_blocks_total", ""))
			require.EqualValues(t, f.last.Unsafe.Number, metric(t, reg, "op_channels_chain_head", "unsafe"))
		})
	}
}

func TestA12_FollowRewindsWhatHappenedWhileItWasDown(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	contract := deploy(t, n, emitterCode)
	f := follow(t, dial(t, testConfig(n.URL())), plugin.FeedConfig{Addresses: []common.Address{contract}, Start: 1})
	emit(t, n, contract, 1, 2)
	f.agrees()
	kept := f.last.Unsafe
	emit(t, n, contract, 3)
	f.agrees()
	f.stop()
	require.NoError(t, n.Reorg(ctx, 1))
	emit(t, n, contract, 4, 5)

	f.cfg.Known = []plugin.BlockRef{kept}
	f.start()
	f.agrees()
	require.Equal(t, []plugin.BlockRef{kept}, f.rewinds, "a known block that stands is not taken back")

	f.cfg.Known = nil
	f.stop()
	require.NoError(t, n.Reorg(ctx, 2))
	emit(t, n, contract, 6, 7, 8)
	f.start()
	f.agrees()
	require.Len(t, f.rewinds, 2)
	require.EqualValues(t, 1, f.rewinds[1].Number, "nothing is known that stands, so all is delivered again")
	require.Len(t, f.logs, 5) // 1, 2, 6, 7, 8
}

func TestA12_FollowRewindsARollback(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	contract := deploy(t, n, emitterCode)
	f := follow(t, dial(t, testConfig(n.URL())), plugin.FeedConfig{Addresses: []common.Address{contract}, RewindGrace: 100 * time.Millisecond})
	emit(t, n, contract, 1)
	f.agrees()
	stands := f.last.Unsafe
	id, err := n.Snapshot(ctx)
	require.NoError(t, err)
	emit(t, n, contract, 2, 3)
	f.agrees()
	require.NoError(t, n.Revert(ctx, id))
	f.agrees()
	require.Equal(t, []plugin.BlockRef{stands}, f.rewinds)
	require.Len(t, f.logs, 1)
	emit(t, n, contract, 4)
	f.agrees()
	require.Len(t, f.rewinds, 1)
}

func TestF7_FollowDoesNotRewindForANodeThatLags(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{})
	contract := deploy(t, n, emitterCode)
	f := follow(t, dial(t, testConfig(n.URL())), plugin.FeedConfig{Addresses: []common.Address{contract}, RewindGrace: time.Hour})
	emit(t, n, contract, 1)
	f.agrees()
	id, err := n.Snapshot(ctx)
	require.NoError(t, err)
	emit(t, n, contract, 2)
	f.agrees()
	require.NoError(t, n.Revert(ctx, id))
	require.False(t, f.next(100*time.Millisecond), "a node that is behind was taken for a reorganisation")
	emit(t, n, contract, 3) // another block in that place: now it is one
	f.agrees()
	require.Len(t, f.rewinds, 1)
}

func TestF7_FollowSurvivesTheNode(t *testing.T) {
	t.Parallel()
	outer := t
	first := anvil.Options{GenesisTime: uint64(time.Now().Unix())}
	n := startChain(t, first)
	first.Port = n.Port()
	contract := deploy(t, n, emitterCode)
	for name, url := range transports(n) {
		t.Run(name, func(t *testing.T) {
			f := follow(t, dial(t, testConfig(url)), plugin.FeedConfig{Addresses: []common.Address{contract}})
			emit(t, n, contract, 1)
			f.agrees()
			require.NoError(t, n.Close())
			require.False(t, f.next(60*time.Millisecond))
			n = startChain(outer, first) // the same beginning, nothing of what came after it
			require.Equal(t, contract, deploy(t, n, emitterCode))
			emit(t, n, contract, 7, 8, 9)
			f.agrees()
			require.NotEmpty(t, f.rewinds)
			require.Len(t, f.logs, 3)
		})
	}
}

func TestA13_FollowStopsAtAnotherChain(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	c := dial(t, testConfig(n.URL()))
	f := follow(t, c, plugin.FeedConfig{})
	require.NoError(t, n.Mine(context.Background(), 3))
	f.catchUp()
	port := n.Port()
	require.NoError(t, n.Close())
	other := startChain(t, anvil.Options{Port: port, ChainID: 5})
	require.NoError(t, other.Mine(context.Background(), 9))
	select {
	case err := <-f.ended:
		require.ErrorIs(t, err, plugin.ErrWrongChain)
	case s := <-f.out:
		t.Fatalf("delivered %+v of another chain", s)
	case <-time.After(10 * time.Second):
		t.Fatal("goes on with another chain")
	}
	f.cancel = nil
}

// TestA12_RandomHistories plays random histories against a follower that is stopped at random, and compares with the
// node in the end.
func TestA12_RandomHistories(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startChain(t, anvil.Options{SlotsInEpoch: 8})
	contract := deploy(t, n, emitterCode)
	for seed := int64(1); seed <= 6; seed++ {
		rnd := rand.New(rand.NewSource(seed))
		url := n.URL()
		if seed%2 == 0 {
			url = n.WebSocketURL()
		}
		f := follow(t, dial(t, testConfig(url)), plugin.FeedConfig{
			Addresses: []common.Address{contract}, MaxBlockRange: 1 + uint64(rnd.Intn(40)), History: 1 + rnd.Intn(30), RewindGrace: 50 * time.Millisecond,
		})
		f.agrees()
		running := true
		for op := 0; op < 40; op++ {
			switch rnd.Intn(8) {
			case 0, 1, 2:
				emit(t, n, contract, rnd.Uint64())
			case 3:
				require.NoError(t, n.Mine(ctx, uint64(1+rnd.Intn(4))))
			case 4:
				require.NoError(t, n.Mine(ctx, uint64(10+rnd.Intn(100))))
			case 5:
				require.NoError(t, n.Reorg(ctx, uint64(1+rnd.Intn(6))))
			case 6:
				if running {
					f.stop()
				} else {
					f.start()
				}
				running = !running
			case 7:
				if running {
					f.next(2 * time.Millisecond)
				}
			}
		}
		if !running {
			f.start()
		}
		f.agrees()
		f.stop()
	}
}

// TestF7_EventSeenInTime measures from the answer to the sending of a transaction to the Step with its log.
func TestF7_EventSeenInTime(t *testing.T) {
	n := startChain(t, anvil.Options{})
	contract := deploy(t, n, emitterCode)
	for name, url := range transports(n) {
		cfg := testConfig(url)
		cfg.PollInterval = 100 * time.Millisecond
		f := follow(t, dial(t, cfg), plugin.FeedConfig{Addresses: []common.Address{contract}})
		f.agrees()
		var took []time.Duration
		for i := uint64(0); i < 30; i++ {
			before := len(f.logs)
			tx, err := n.Publish(context.Background(), anvil.Keys()[8], &contract, nil, word(i))
			require.NoError(t, err)
			sent := time.Now()
			for len(f.logs) == before {
				require.True(t, f.next(5*time.Second), "event of %s not seen within 5 s", tx.Hash())
			}
			took = append(took, time.Since(sent))
		}
		f.stop()
		slices.Sort(took)
		t.Logf("%s: event seen p50 %s, max %s after its transaction was sent", name, took[len(took)/2], took[len(took)-1])
		require.Less(t, took[len(took)-1], 5*time.Second)
	}
}

func TestFollowRefusesBadSettings(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	c := dial(t, testConfig(n.URL()))
	err := c.Follow(context.Background(), plugin.FeedConfig{History: -1}, nil)
	require.ErrorIs(t, err, plugin.ErrConfig)
}
