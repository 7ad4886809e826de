package derivation_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

// counting is a journal of n events of the counter.
func counting(t testing.TB, m channel.Module, n uint64) *journal {
	w := newWorld(t, m, nil)
	state, v := w.rules.Genesis(nil)
	require.Equal(t, channel.Accepted, v.Status)
	j := &journal{rules: w.rules, hashes: []common.Hash{state.Hash()}, states: [][]byte{state.Bytes()}}
	for seq := uint64(1); seq <= n; seq++ {
		e := w.event(0, seq, []byte("an event of a counter"))
		state, v = w.rules.Apply(state, seq, e)
		require.Equal(t, channel.Accepted, v.Status, v.Text())
		j.entries = append(j.entries, channel.Entry{Event: &channel.SignedEvent{Event: *e}})
		j.hashes, j.states = append(j.hashes, state.Hash()), append(j.states, state.Bytes())
	}
	return j
}

// TestF11_MetamorphicReplay: the same events give the same state hashes and roots, whatever the engine, the interval of
// the snapshots, what the replayer remembers from before, and the order in which seqs are asked for.
func TestF11_MetamorphicReplay(t *testing.T) {
	all := engines(t)
	m, err := all["compiler"].Load(raid.Wasm, raidOptions())
	require.NoError(t, err)
	c, err := all["compiler"].Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	for _, game := range []struct {
		binary  []byte
		options derivation.Options
		*journal
	}{{raid.Wasm, raidOptions(), playRaid(t, m)}, {counter.Wasm, counter.Options(), counting(t, c, 60)}} {
		last := uint64(len(game.entries))
		want, err := derivation.NewReplayer(game.rules, game.genesis, game.journal, derivation.ReplayConfig{}).At(context.Background(), last)
		require.NoError(t, err)
		root := want.Journal.Root()
		for name, engine := range all {
			module, err := engine.Load(game.binary, game.options)
			require.NoError(t, err)
			rules, err := channel.NewRules(game.rules.Params, game.rules.Funding, module)
			require.NoError(t, err)
			for seed := range uint64(6) {
				rng := rand.New(rand.NewPCG(seed, 5))
				config, kept := derivation.ReplayConfig{}, &shelf{}
				if interval := rng.Uint64N(40); interval > 0 {
					config = config.WithSnapshots(kept, interval)
				}
				r := derivation.NewReplayer(rules, game.genesis, game.journal, config)
				for range 8 {
					if rng.IntN(3) == 0 { // forget what it derived, keep the snapshots
						r = derivation.NewReplayer(rules, game.genesis, game.journal, config)
					}
					if rng.IntN(4) == 0 && len(kept.kept) > 0 { // lose a snapshot
						kept.kept = append(kept.kept[:0:0], kept.kept[1:]...)
					}
					seq := rng.Uint64N(last + 1)
					p, err := r.At(context.Background(), seq)
					require.NoError(t, err)
					require.Equal(t, game.hashes[seq], p.State.Hash(), "%s, seed %d, seq %d", name, seed, seq)
				}
				p, err := r.At(context.Background(), last)
				require.NoError(t, err)
				require.Equal(t, root, p.Journal.Root(), "%s, seed %d", name, seed)
			}
		}
	}
}

// idle opens n channels over one loaded module, plays an event in each and gives what they keep alive per channel, in
// bytes of Go heap beyond the state itself.
func idle(t testing.TB, n int) (perChannel, state int) {
	engine := newEngine(t, derivation.Config{})
	heap := func() int {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what finalizers held is gone after the second
		runtime.ReadMemStats(&s)
		return int(s.HeapAlloc)
	}
	m, err := engine.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	j := counting(t, m, 1)
	type open struct {
		rules    *channel.Rules
		replayer *derivation.Replayer
		position *derivation.Position
	}
	channels := make([]open, n)
	before := heap()
	for i := range channels {
		again, err := engine.Load(counter.Wasm, counter.Options()) // as every channel does that is opened
		require.NoError(t, err)
		params := *j.rules.Params
		rules, err := channel.NewRules(&params, j.rules.Funding, again)
		require.NoError(t, err)
		r := derivation.NewReplayer(rules, nil, j, derivation.ReplayConfig{})
		p, err := r.At(context.Background(), 1)
		require.NoError(t, err)
		channels[i], state = open{rules, r, p}, len(p.State.Bytes())
	}
	after := heap()
	runtime.KeepAlive(channels)
	return (after-before)/n - state, state
}

// TestF11_IdleChannelsShareTheModule: a thousand channels of one module keep its code and instances once.
func TestF11_IdleChannelsShareTheModule(t *testing.T) {
	perChannel, state := idle(t, 1000)
	t.Logf("an idle channel keeps %d bytes beyond its state of %d", perChannel, state)
	require.Less(t, perChannel, 64<<10)
}

// BenchmarkFigures has what issue and docs promise, side by side:
//
//	<module>/…          one reduce: as the compiler runs it bare, metered, metered and isolated (the way it is used),
//	                    interpreted, and on the reference machine; ratio is what metering costs, at most 1.5 on real modules
//	raid/event          one event of a raid through the shell, the hash of its state included
//	replay/10000        raids of 10,000 events from their genesis, state hashes and journal roots included
//	replay/last         the last state of a journal of 10,000 events, from snapshots every 1,000
//	idle/1000           memory of a channel that is open and does nothing
func BenchmarkFigures(b *testing.B) {
	for _, w := range workloads(b) {
		figureReduce(b, w)
	}
	m, err := newEngine(b, derivation.Config{}).Load(raid.Wasm, raidOptions())
	require.NoError(b, err)
	j := playRaid(b, m)
	b.Run("raid/event", func(b *testing.B) {
		var states []*channel.State
		for _, s := range j.states {
			state, err := channel.DecodeState(s, j.rules.Shape())
			require.NoError(b, err)
			states = append(states, state)
		}
		i, before := 0, cpu(b)
		for b.Loop() {
			next, v := j.rules.Apply(states[i], uint64(i+1), &j.entries[i].Event.Event)
			if v.Status != channel.Accepted || next.Hash() != j.hashes[i+1] {
				b.Fatal(v.Text())
			}
			i = (i + 1) % len(j.entries)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(b.N)/(cpu(b)-before).Seconds(), "events/cpu-s")
	})
	b.Run("replay/10000", func(b *testing.B) {
		for b.Loop() {
			for events := 0; events < 10_000; events += len(j.entries) {
				_, err := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}).Verify(context.Background(), uint64(len(j.entries)), nil)
				require.NoError(b, err)
			}
		}
	})
	b.Run("replay/last", func(b *testing.B) {
		c, err := newEngine(b, derivation.Config{}).Load(counter.Wasm, counter.Options())
		require.NoError(b, err)
		long, kept := counting(b, c, 10_999), &shelf{}
		config := derivation.ReplayConfig{}.WithSnapshots(kept, 0)
		_, err = derivation.NewReplayer(long.rules, nil, long, config).At(context.Background(), 10_999)
		require.NoError(b, err)
		for b.Loop() { // 999 events behind the last snapshot: the worst place
			_, err := derivation.NewReplayer(long.rules, nil, long, config).At(context.Background(), 10_999)
			require.NoError(b, err)
		}
	})
	b.Run("idle/1000", func(b *testing.B) {
		for b.Loop() {
			perChannel, _ := idle(b, 1000)
			b.ReportMetric(float64(perChannel), "B/channel")
		}
	})
}

// cpu is the time that this process has computed: what a figure per core is about when the machine does other things.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func figureReduce(b *testing.B, w workload) {
	run := func(name string, call func() bool) {
		b.Run(w.name+"/"+name, func(b *testing.B) {
			for b.Loop() {
				if !call() {
					b.Fatal("the call failed")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
	plain := newBare(b, w.binary)
	one := plain.instance(b)
	run("bare", func() bool {
		if out, err := one.call(w.state, w.event); err != nil || len(out) == 0 {
			one = plain.instance(b) // the allocator only goes forward
			_, err = one.call(w.state, w.event)
			return err == nil
		}
		return true
	})
	compiled, err := newEngine(b, derivation.Config{}).Load(w.binary, w.options)
	require.NoError(b, err)
	kept := compiled.Kept()
	run("metered", func() bool {
		return kept(w.state, w.event).Status == channel.Accepted || kept(w.state, w.event).Status == channel.Accepted
	})
	b.Run(w.name+"/ratio", func(b *testing.B) {
		batch := func(call func()) time.Duration {
			start := time.Now()
			for range 100 {
				call()
			}
			return time.Since(start)
		}
		bare, metered := time.Hour, time.Hour // the best of many short batches, in turns: other load touches both alike
		for b.Loop() {
			bare = min(bare, batch(func() {
				if out, err := one.call(w.state, w.event); err != nil || len(out) == 0 {
					one = plain.instance(b)
				}
			}))
			metered = min(metered, batch(func() { kept(w.state, w.event) }))
		}
		b.ReportMetric(float64(metered)/float64(bare), "metered/bare")
	})
	for _, e := range []struct {
		name   string
		config derivation.Config
	}{{"isolated", derivation.Config{}}, {"interpreter", derivation.Config{}.WithInterpreter()}} {
		m, err := newEngine(b, e.config).Load(w.binary, w.options)
		require.NoError(b, err)
		run(e.name, func() bool { return m.Reduce(w.state, w.event).Status == channel.Accepted })
	}
	b.Run(w.name+"/machine", func(b *testing.B) {
		x, err := compiled.Machine(lower.Reduce, w.state, w.event)
		require.NoError(b, err)
		steps := 0
		for b.Loop() {
			x.Begin(lower.Reduce, [][]byte{w.state, w.event}, compiled.Manifest().FuelLimit)
			steps += x.Run(1 << 30)
		}
		require.Equal(b, machine.Done, x.Status())
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Mops/s")
	})
}
