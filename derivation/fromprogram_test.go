package derivation_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/examples/counter"
)

// TestC2_FromProgramGivesTheSameModule: what the chain keeps is enough to derive everything.
func TestC2_FromProgramGivesTheSameModule(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	encoded := m.Program().Encode()
	again, err := derivation.FromProgram(encoded, m.Manifest())
	require.NoError(t, err)
	clear(encoded) // the caller's bytes are not kept
	require.Equal(t, m.Hash(), again.Hash())
	require.Equal(t, m.Manifest(), again.Manifest())
	a, b := newWorld(t, m, nil), newWorld(t, again, nil)
	x, v := a.rules.Genesis(nil)
	require.Equal(t, channel.Accepted, v.Status, v.Text())
	y, w := b.rules.Genesis(nil)
	require.Equal(t, v, w)
	for i := uint64(1); i < 20; i++ {
		require.Equal(t, x, y)
		payload := []byte("x")
		if i == 19 {
			payload = counter.PayloadEnd
		}
		x, v = a.rules.Apply(x, i, a.event(0, i, payload))
		require.Equal(t, channel.Accepted, v.Status, v.Text())
		y, w = b.rules.Apply(y, i, b.event(0, i, payload))
		require.Equal(t, v, w)
	}
	require.True(t, x.Header.Terminal)
	require.Equal(t, m.Effects(x.Bytes()), again.Effects(y.Bytes()))
}

// TestAttack29_FromProgramRefusesJunk: anybody registers anything.
func TestAttack29_FromProgramRefusesJunk(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	encoded := m.Program().Encode()
	_, err = derivation.FromProgram(append(encoded, 0), m.Manifest())
	require.ErrorIs(t, err, derivation.ErrOtherModule)
	named := func(b []byte) channel.Manifest {
		x := m.Manifest()
		x.ProgramHash = crypto.Keccak256Hash(b)
		return x
	}
	for _, junk := range [][]byte{nil, {1, 2, 3}, append(common.CopyBytes(encoded), 0), encoded[:len(encoded)-1]} {
		_, err = derivation.FromProgram(junk, named(junk))
		require.ErrorIs(t, err, derivation.ErrModule)
		require.ErrorIs(t, err, lower.ErrProgram)
	}
	for entry := range lower.EntryCount {
		p, err := lower.Decode(encoded)
		require.NoError(t, err)
		p.Entries[entry] = lower.None
		without := p.Encode()
		_, err = derivation.FromProgram(without, named(without))
		require.ErrorIs(t, err, derivation.ErrModule, "no %s", lower.EntryNames[entry])
	}
	huge := m.Manifest()
	huge.FuelLimit = 1 << 63
	_, err = derivation.FromProgram(encoded, huge)
	require.ErrorIs(t, err, derivation.ErrOptions)

	none := m.Manifest()
	none.PageLimit = 0
	trapping, err := derivation.FromProgram(encoded, none)
	require.NoError(t, err)
	_, v := newWorld(t, trapping, nil).rules.Genesis(nil)
	require.Equal(t, channel.RejectedTrap, v.Status)
	require.Zero(t, v.Fuel)
}

// TestAttack28_FromProgramRefusesWhatChargesTooLittle: anybody registers a program whose Fuel instructions are not what package meter says.
// One call of it would take minutes within its fuel limit, and nothing can end a call.
func TestAttack28_FromProgramRefusesWhatChargesTooLittle(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	p, err := lower.Decode(m.Program().Encode())
	require.NoError(t, err)
	// A loop around as much as fits, for the least that a Fuel may charge.
	f := p.Functions[len(p.Functions)-1]
	at := uint32(len(p.Code))
	body := []lower.Instr{{Op: lower.Enter, B: uint16(len(p.Functions)), C: meter.FrameBase + 1}, {Op: lower.Fuel, C: meter.Block}}
	for range 20_000 {
		body = append(body, lower.Instr{Op: lower.Const, C: 1}, lower.Instr{Op: lower.Drop})
	}
	body = append(body, lower.Instr{Op: lower.Jump, C: at + 1}, lower.Instr{Op: lower.Unreachable})
	loop := lower.Function{Entry: at, Type: 900, Height: 1}
	require.NotEqual(t, loop.Type, f.Type)
	p.Code, p.Functions = append(p.Code, body...), append(p.Functions, loop)
	encoded := p.Encode()
	_, err = lower.Decode(encoded)
	require.NoError(t, err, "the test's program is none")
	manifest := m.Manifest()
	manifest.ProgramHash = crypto.Keccak256Hash(encoded)
	_, err = derivation.FromProgram(encoded, manifest)
	require.ErrorIs(t, err, derivation.ErrModule)
	require.ErrorContains(t, err, "charges less")
}

// TestAttack28_WhatIsLoweredChargesEnough: no program of the examples comes near to being refused.
func TestAttack28_WhatIsLoweredChargesEnough(t *testing.T) {
	files, err := filepath.Glob("../examples/*/*.wasm")
	require.NoError(t, err)
	require.Greater(t, len(files), 4)
	engine := newEngine(t, derivation.Config{}.WithMachine())
	loaded := 0
	check := func(name string, binary []byte) {
		m, err := engine.Load(binary, derivation.Options{PageLimit: derivation.DefaultPageLimit, FuelLimit: 1_000_000})
		if generated := errors.Is(err, derivation.ErrModule) && strings.HasPrefix(name, "random"); generated {
			return // some are above a limit
		}
		require.NoError(t, err, name)
		loaded++
		_, err = derivation.FromProgram(m.Program().Encode(), m.Manifest())
		require.NoError(t, err, name)
	}
	for _, file := range files {
		binary, err := os.ReadFile(file)
		require.NoError(t, err)
		check(file, binary)
	}
	for seed := range uint64(300) {
		check(fmt.Sprint("random module ", seed), modgen.Generate(randomBytes(seed, 2000)).Binary)
	}
	require.Greater(t, loaded, 200)
}

func FuzzFromProgram(f *testing.F) {
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(f, err)
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(f, err)
	encoded := m.Program().Encode()
	f.Add(encoded, uint64(1000), uint32(1))
	f.Add(encoded[:len(encoded)/2], uint64(1000), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, fuel uint64, pages uint32) {
		manifest := channel.Manifest{ProgramHash: crypto.Keccak256Hash(b), FuelLimit: fuel % 100_000, PageLimit: pages % 17}
		m, err := derivation.FromProgram(b, manifest)
		if err != nil {
			return
		}
		for _, r := range []channel.Result{m.Init([]byte("x")), m.Reduce([]byte("x"), []byte("y")), m.Effects([]byte("x"))} {
			if r.Fuel > manifest.FuelLimit {
				t.Fatalf("%d fuel of %d", r.Fuel, manifest.FuelLimit)
			}
		}
	})
}
