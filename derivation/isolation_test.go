package derivation_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/examples/counter"
)

// leaky is a module that tries to remember. Its event's first byte says what to do, and reduce returns everything that
// could have been left behind by another call: globals of both types, the bytes at 300 and at the end of memory, the
// size of the memory, what the start function did (global 3).
//
//	0 nothing   1 write all of it   2 write and trap   3 write and reject   4 write and loop for ever   5 write and grow
//	6 fill the whole memory   7 write and recurse for ever
func leaky() asm.Module {
	write := asm.Cat(
		asm.Const32(99), asm.GlobalSet(0), asm.Const64(-7), asm.GlobalSet(1), asm.GlobalGet(2), asm.Const32(1), asm.Op(0x6a), asm.GlobalSet(2),
		asm.Const32(300), asm.Const64(0x1122334455667788), asm.Store(0x37, 0), asm.Const32(65528), asm.Const64(-1), asm.Store(0x37, 0))
	when := func(kind int32, code ...[]byte) []byte {
		return asm.Cat(asm.Get(2), asm.Load(0x2d, 0), asm.Const32(kind), asm.Op(0x46), asm.If(asm.Void, asm.Cat(code...)))
	}
	report := asm.Cat(
		asm.Const32(501), asm.GlobalGet(0), asm.Store(0x36, 0), asm.Const32(501), asm.GlobalGet(1), asm.Store(0x37, 4),
		asm.Const32(501), asm.GlobalGet(2), asm.Store(0x36, 12), asm.Const32(501), asm.Const32(300), asm.Load(0x29, 0), asm.Store(0x37, 16),
		asm.Const32(501), asm.Const32(65528), asm.Load(0x29, 0), asm.Store(0x37, 24), asm.Const32(501), asm.Op(0x3f, 0), asm.Store(0x36, 32),
		asm.Const32(501), asm.GlobalGet(3), asm.Store(0x36, 36), asm.Result(500, 41))
	m := asm.Reducer(nil, asm.Cat(
		// Report first: what the call itself writes is not in its own report.
		report, asm.Op(0x1a),
		when(1, write), when(2, write, asm.Op(0x00)), when(3, write, asm.Const32(0), asm.Const32(0), asm.Call(0)), when(4, write, asm.Loop(asm.Void, asm.Br(0))),
		when(5, write, asm.Const32(1), asm.Op(0x40, 0, 0x1a), asm.Const32(65536), asm.Const64(-1), asm.Store(0x37, 0)),
		when(6, asm.Const32(600), asm.Const32(0xaa), asm.Const32(65536-600), asm.Op(0xfc, 11, 0)),
		when(7, write, asm.Get(0), asm.Get(1), asm.Get(2), asm.Get(3), asm.Call(1+reduceIndex), asm.Op(0x1a)),
		asm.Result(500, 41)),
		asm.Func{Body: asm.Cat(asm.Const32(77), asm.GlobalSet(3), asm.Const32(300), asm.Const64(42), asm.Store(0x37, 0))})
	m.Globals = append(m.Globals, asm.Global{Type: asm.I64, Mutable: true, Init: 5}, asm.Global{Type: asm.I32, Mutable: true, Init: 6}, asm.Global{Type: asm.I32, Mutable: true})
	m.Imports, m.Start = asm.Host("reject"), 1+5
	return m
}

// TestF11_A9_NothingLeaksBetweenCalls runs random sequences of misbehaving calls, on one instance and many, and
// compares every result with that of a module on which nothing else ever ran.
func TestF11_A9_NothingLeaksBetweenCalls(t *testing.T) {
	binary := leaky().Bytes()
	for name, config := range map[string]derivation.Config{
		"compiler": derivation.Config{}.WithInstances(1), "interpreter": derivation.Config{}.WithInterpreter().WithInstances(1),
		"four instances": derivation.Config{}.WithInstances(4), "machine": derivation.Config{}.WithMachine().WithInstances(1),
	} {
		t.Run(name, func(t *testing.T) {
			var want [8]channel.Result
			for kind := range want {
				fresh, err := newEngine(t, config).Load(binary, limits)
				require.NoError(t, err)
				want[kind] = fresh.Reduce([]byte("state"), []byte{byte(kind)})
			}
			require.Equal(t, channel.Accepted, want[0].Status)
			require.Equal(t, channel.Accepted, want[6].Status)
			require.EqualValues(t, 77, want[0].Output[37], "the start function's global")
			require.EqualValues(t, 42, want[0].Output[17], "the start function's memory")
			require.Equal(t, []channel.Status{channel.RejectedTrap, channel.RejectedByModule, channel.RejectedOutOfFuel, channel.Accepted},
				[]channel.Status{want[2].Status, want[3].Status, want[4].Status, want[5].Status})
			require.Equal(t, derivation.TrapStack, want[7].Reason)

			m, err := newEngine(t, config).Load(binary, limits)
			require.NoError(t, err)
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range 400 {
				kind := rng.IntN(8)
				require.Equal(t, want[kind], m.Reduce([]byte("state"), []byte{byte(kind)}), "call %d of kind %d", i, kind)
			}
		})
	}
}

func TestF11_ConcurrentCalls(t *testing.T) {
	engine := newEngine(t, derivation.Config{}.WithInstances(3))
	m, err := engine.Load(leaky().Bytes(), limits)
	require.NoError(t, err)
	c, err := engine.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	w := newWorld(t, c, nil)
	genesis, v := w.rules.Genesis(nil)
	require.Equal(t, channel.Accepted, v.Status)
	var want [8]channel.Result
	for kind := range want {
		want[kind] = m.Reduce([]byte("state"), []byte{byte(kind)})
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 0))
			for range 100 {
				kind := rng.IntN(8)
				if r := m.Reduce([]byte("state"), []byte{byte(kind)}); r.Status != want[kind].Status || r.Fuel != want[kind].Fuel || !bytes.Equal(r.Output, want[kind].Output) {
					errs <- fmt.Errorf("kind %d: %+v", kind, r)
					return
				}
				if s, v := w.rules.Apply(genesis, 1, w.event(0, 1, nil)); v.Status != channel.Accepted || s.App[0] != 1 {
					errs <- fmt.Errorf("counter: %+v", v)
					return
				}
				if _, err := engine.Load(counter.Wasm, counter.Options()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

func TestF11_CloseWaitsAndThenRefuses(t *testing.T) {
	engine := newEngine(t, derivation.Config{})
	m, err := engine.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	loop, err := engine.Load(asm.Reducer(nil, asm.Cat(asm.Loop(asm.Void, asm.Br(0)), asm.Op(0x00))).Bytes(), derivation.Options{})
	require.NoError(t, err)
	done := make(chan channel.Result, 50)
	var wg sync.WaitGroup
	for range cap(done) {
		wg.Go(func() { done <- loop.Reduce(nil, nil) })
	}
	require.NoError(t, engine.Close())
	require.NoError(t, engine.Close())
	wg.Wait()
	close(done)
	for r := range done {
		if r.Status != channel.RejectedOutOfFuel {
			require.Contains(t, r.Reason, derivation.ErrClosed.Error())
		}
	}
	r := m.Init(nil)
	require.Equal(t, channel.RejectedTrap, r.Status)
	require.Contains(t, r.Reason, derivation.ErrClosed.Error())
	_, err = engine.Load(counter.Wasm, counter.Options())
	require.ErrorIs(t, err, derivation.ErrClosed)
}

func TestF11_LoadRefuses(t *testing.T) {
	engine := newEngine(t, derivation.Config{})
	_, err := engine.Load(asm.Reducer(nil, asm.Op(0x92)).Bytes(), limits)
	require.ErrorIs(t, err, derivation.ErrModule)
	require.ErrorContains(t, err, "function 3, offset")
	_, err = engine.Load(counter.Wasm, derivation.Options{FuelLimit: derivation.MaxFuelLimit + 1})
	require.ErrorIs(t, err, derivation.ErrOptions)
	big := derivation.Options{FuelLimit: derivation.MaxFuelLimit, PageLimit: derivation.MaxPageLimit}
	_, err = engine.Load(counter.Wasm, big) // its memory has a maximum of one page, and is no more than that
	require.NoError(t, err)
	grows := asm.Reducer(nil, asm.Result(0, 1))
	_, err = engine.Load(grows.Bytes(), big)
	require.ErrorIs(t, err, derivation.ErrOptions)
	require.ErrorContains(t, err, "on chain a call may cost")
	big.FuelLimit = 11_000_000
	_, err = engine.Load(grows.Bytes(), big)
	require.NoError(t, err)
	_, err = engine.Load(counter.Wasm, derivation.Options{PageLimit: derivation.MaxPageLimit + 1})
	require.ErrorIs(t, err, derivation.ErrOptions)

	for reason, body := range map[string][]byte{
		derivation.TrapUnreachable: asm.Op(0x00), // also what an endless start function ends with, the fuel is named in the text
		"rejected: ":               asm.Cat(asm.Const32(0), asm.Const32(0), asm.Call(0)),
	} {
		m := asm.Reducer(nil, asm.Result(0, 1), asm.Func{Body: body})
		m.Imports, m.Start = asm.Host("reject"), 1+5
		_, err = engine.Load(m.Bytes(), limits)
		require.ErrorIs(t, err, derivation.ErrModule)
		require.ErrorContains(t, err, "the start function failed")
		require.ErrorContains(t, err, reason)
	}
	m := asm.Reducer(nil, asm.Result(0, 1), asm.Func{Body: asm.Cat(asm.Loop(asm.Void, asm.Br(0)), asm.Op(0x00))})
	m.Start = 5
	_, err = engine.Load(m.Bytes(), limits)
	require.ErrorContains(t, err, "the start function failed")
}

// Manifests differ in hash, code is shared; the page limit is part of the code.
func TestF11_ManifestAndSharing(t *testing.T) {
	engine := newEngine(t, derivation.Config{})
	a, err := engine.Load(counter.Wasm, derivation.Options{})
	require.NoError(t, err)
	hash, err := derivation.ProgramHash(counter.Wasm)
	require.NoError(t, err)
	require.Equal(t, channel.Manifest{ProgramHash: hash, FuelLimit: derivation.DefaultFuelLimit, PageLimit: derivation.DefaultPageLimit}, a.Manifest())
	require.Equal(t, a.Manifest().Hash(), a.Hash())
	b, err := engine.Load(counter.Wasm, derivation.Options{MaxEvents: 7, Sparse: true, Independent: true})
	require.NoError(t, err)
	require.NotEqual(t, a.Hash(), b.Hash())
	require.Equal(t, derivation.Info{Bytes: len(counter.Wasm), Program: 4992, Functions: a.Info().Functions, Pages: 1, MaxPages: 1}, a.Info())
}
