package derivation_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

// workload is a module with the input of one typical call.
type workload struct {
	name         string
	binary       []byte
	options      derivation.Options
	state, event []byte
}

func workloads(b *testing.B) []workload {
	e := newEngine(b, derivation.Config{})
	c, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(b, err)
	s, v := newWorld(b, c, nil).rules.Genesis(nil)
	require.Equal(b, channel.Accepted, v.Status)
	r, err := e.Load(raid.Wasm, raidOptions())
	require.NoError(b, err)
	j := playRaid(b, r)
	mid, costly, most := len(j.inputs)/2, 0, uint64(0)
	for i := range j.inputs {
		if f := r.Reduce(j.states[i], j.inputs[i]).Fuel; f > most {
			costly, most = i, f
		}
	}
	return []workload{
		{"counter", counter.Wasm, counter.Options(), s.Bytes(), eventInput(0, []byte("payload of an event"))},
		{"loop", loop().Bytes(), derivation.Options{}, nil, nil},
		{"raid", raid.Wasm, raidOptions(), j.states[mid], j.inputs[mid]},
		{"raid-costliest", raid.Wasm, raidOptions(), j.states[costly], j.inputs[costly]},
	}
}

// loop is a reducer that does nothing but compute: 1,000 rounds of xorshift, 20,000 instructions. It is the worst case
// for metering, because its blocks are short.
func loop() asm.Module {
	shift := func(n int64, op byte) []byte {
		return asm.Cat(asm.Get(4), asm.Get(4), asm.Const64(n), asm.Op(op, 0x85), asm.Set(4))
	}
	return asm.Reducer([]byte{asm.I64, asm.I32}, asm.Cat(asm.Const64(88172645463325252), asm.Set(4),
		asm.Loop(asm.Void, shift(13, 0x86), shift(7, 0x88), shift(17, 0x86),
			asm.Get(5), asm.Const32(1), asm.Op(0x6a), asm.Tee(5), asm.Const32(1000), asm.Op(0x49), asm.BrIf(0)),
		asm.Const32(8), asm.Get(4), asm.Store(0x37, 0), asm.Result(0, 16)))
}

// BenchmarkReduce compares one reduce on a metered, pooled, reset instance with the bare module: called on one instance
// that is never reset (which is not a correct way to run modules), and on a fresh instance for each call.
func BenchmarkReduce(b *testing.B) {
	for _, w := range workloads(b) {
		run := func(name string, call func() bool) {
			b.Run(w.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !call() {
						b.Fatal("the call failed")
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			})
		}
		for name, config := range map[string]derivation.Config{"metered": {}, "metered-interpreter": derivation.Config{}.WithInterpreter()} {
			m, err := newEngine(b, config).Load(w.binary, w.options)
			require.NoError(b, err)
			var fuel uint64
			run(name, func() bool {
				r := m.Reduce(w.state, w.event)
				fuel = r.Fuel
				return r.Status == channel.Accepted
			})
			if name == "metered" {
				b.Logf("%s: %d fuel", w.name, fuel)
			}
		}
		plain := newBare(b, w.binary)
		one := plain.instance(b)
		run("bare-kept", func() bool {
			// The allocator only goes forward, so it is set back by a fresh instance when the memory is full.
			if out, err := one.call(w.state, w.event); err != nil || len(out) == 0 {
				one = plain.instance(b)
				_, err = one.call(w.state, w.event)
				return err == nil
			}
			return true
		})
		run("bare-instantiated", func() bool {
			i := plain.instance(b)
			_, err := i.call(w.state, w.event)
			return err == nil && i.Close(context.Background()) == nil
		})
	}
}

// BenchmarkReject is what a refused event costs: the trap that ends the call is slower than a return.
func BenchmarkReject(b *testing.B) {
	m, err := newEngine(b, derivation.Config{}).Load(raid.Wasm, raidOptions())
	require.NoError(b, err)
	j := playRaid(b, m)
	state, event := j.states[len(j.states)/2], j.inputs[0]
	require.Equal(b, channel.RejectedByModule, m.Reduce(state, event).Status)
	for b.Loop() {
		m.Reduce(state, event)
	}
}

// BenchmarkLoad checks, meters, compiles and starts a module in a new engine.
func BenchmarkLoad(b *testing.B) {
	for name, binary := range map[string][]byte{"counter": counter.Wasm, "raid": raid.Wasm} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				e, err := derivation.NewEngine(derivation.Config{})
				require.NoError(b, err)
				b.StartTimer()
				_, err = e.Load(binary, derivation.Options{})
				require.NoError(b, err)
				b.StopTimer()
				require.NoError(b, e.Close())
				b.StartTimer()
			}
		})
	}
}

// BenchmarkReplay derives a whole raid from its genesis, state hashes and journal root included.
func BenchmarkReplay(b *testing.B) {
	m, err := newEngine(b, derivation.Config{}).Load(raid.Wasm, raidOptions())
	require.NoError(b, err)
	j := playRaid(b, m)
	r := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{})
	for b.Loop() {
		_, err := r.Verify(context.Background(), uint64(len(j.entries)), nil)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N*len(j.entries))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkInstanceMemory reports the Go heap that one more idle instance of a module keeps.
func BenchmarkInstanceMemory(b *testing.B) {
	for _, w := range workloads(b) {
		if w.name == "raid-costliest" {
			continue
		}
		b.Run(w.name, func(b *testing.B) {
			const n = 64
			heap := func() uint64 {
				var s runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&s)
				return s.HeapAlloc
			}
			for b.Loop() {
				plain := newBare(b, w.binary)
				before := heap()
				kept := make([]bareInstance, n)
				for i := range kept {
					kept[i] = plain.instance(b)
					_, err := kept[i].call(w.state, w.event)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(heap()-before)/n/1024, "KiB/instance")
				runtime.KeepAlive(kept)
			}
		})
	}
}
