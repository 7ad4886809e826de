package profile_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/debug"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/derivation/profile"
)

func random(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 11)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func engine(t *testing.T) *derivation.Engine {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// TestProfileOfRandomModules: whatever a module does and however its call ends, the table and the tree account for the fuel
// of the compiled engine and for the instructions that the machine executes, to the unit.
func TestProfileOfRandomModules(t *testing.T) {
	e, ends := engine(t), map[channel.Status]int{}
	for seed := range uint64(240) {
		g := modgen.Generate(random(seed, 200+int(seed)*8))
		limit := g.FuelLimit
		if seed%4 == 0 {
			limit = 200 + seed*37 // ends somewhere in between
		}
		m, err := e.Load(g.Binary, derivation.Options{FuelLimit: limit, PageLimit: g.PageLimit})
		if err != nil {
			require.ErrorIs(t, err, derivation.ErrModule)
			continue
		}
		symbols, err := debug.ReadSymbols(g.Binary)
		require.NoError(t, err)
		p, fuel, operations := profile.New(symbols), uint64(0), uint64(0)
		for i := range 4 {
			state, event := random(seed+1000, 100*i), random(seed+2000+uint64(i), 64)
			r := m.Reduce(state, event)
			ends[r.Status]++
			x, err := m.Machine(lower.Reduce, state, event)
			require.NoError(t, err)
			require.Equal(t, r.Fuel, p.Call(x), "seed %d", seed)
			fuel += r.Fuel
			again, err := m.Machine(lower.Reduce, state, event)
			require.NoError(t, err)
			operations += uint64(again.Run(math.MaxInt))
		}
		require.Equal(t, fuel, p.Fuel())
		self, executed := uint64(0), uint64(0)
		for _, r := range p.Table() {
			self, executed = self+r.Self, executed+r.Operations
			require.LessOrEqual(t, r.Self, r.Total)
			require.LessOrEqual(t, r.Total, fuel)
		}
		require.Equal(t, fuel, self)
		require.Equal(t, operations, executed)
		wellFormed(t, p)
	}
	for _, s := range []channel.Status{channel.Accepted, channel.RejectedTrap, channel.RejectedOutOfFuel, channel.RejectedByModule} {
		require.Positive(t, ends[s], "no call ended as %s", s)
	}
}

func wellFormed(t *testing.T, p *profile.Profile) {
	var b bytes.Buffer
	require.NoError(t, p.FlameGraph(&b, `a "title" <of> & some`))
	for dec := xml.NewDecoder(&b); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}

// TestProfileOfRecursion: a function that calls itself has each unit of fuel in its total once.
func TestProfileOfRecursion(t *testing.T) {
	const self = 5 // 0 keccak256, 1 allocate, 2 init, 3 effects, 4 reduce
	body := asm.Cat(asm.Const32(7), asm.Call(self), asm.Result(64, 1))
	recursive := asm.Func{Params: []byte{asm.I32}, Body: asm.Cat(asm.Get(0), asm.If(0x40, asm.Get(0), asm.Const32(1), asm.Op(0x6b), asm.Call(self),
		asm.Const32(64), asm.Const32(32), asm.Const32(128), asm.Call(0)))}
	module := asm.Reducer(nil, body, recursive)
	module.Imports = asm.Host("keccak256")
	binary := module.Bytes()
	m, err := engine(t).Load(binary, derivation.Options{})
	require.NoError(t, err)
	symbols, err := debug.ReadSymbols(binary)
	require.NoError(t, err)
	p := profile.New(symbols)
	x, err := m.Machine(lower.Reduce, nil, nil)
	require.NoError(t, err)
	require.Equal(t, m.Reduce(nil, nil).Fuel, p.Call(x))
	rows := map[string]profile.Row{}
	for _, r := range p.Table() {
		rows[r.Name] = r
	}
	require.EqualValues(t, 8, rows["f5"].Calls)
	require.EqualValues(t, 7, rows["keccak256"].Calls)
	require.True(t, rows["keccak256"].Host)
	require.Equal(t, rows["f5"].Self+rows["keccak256"].Self, rows["f5"].Total)
	require.Equal(t, rows["reduce"].Self+rows["f5"].Total, rows["reduce"].Total)
}
