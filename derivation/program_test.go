package derivation_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/examples/counter"
)

// A whole program, as the package doc of lower draws it. Its reduce leaves a block early, drops an operand and returns.
func TestF11_LoweredProgramIsPinned(t *testing.T) {
	m := asm.Reducer(nil, asm.Cat(asm.Const32(7), asm.Block(asm.Void, asm.Get(1), asm.Op(0x45), asm.BrIf(0)), asm.Op(0x1a), asm.Result(0, 1)))
	l, err := derivation.Lower(m.Bytes())
	require.NoError(t, err)
	golden := []struct{ text, bytes string }{
		{"enter function 0, 1 params, 1 locals, 6 slots", "0080000001001006"},
		{"fuel 441", "00400000000001b9"},
		{"global.get 0", "0480000000000000"},
		{"global.get 0", "0480000000000000"},
		{"local.get 0", "03c0000000000000"},
		{"i32.add", "1100000000000000"},
		{"global.set 0", "04c0000000000000"},
		{"return 1", "0240000100000000"},
		{"enter function 1, 2 params, 2 locals, 4 slots", "0080000102002004"},
		{"fuel 224", "00400000000000e0"},
		{"const 1", "0500000000000001"},
		{"return 1", "0240000100000000"},
		{"enter function 2, 2 params, 2 locals, 4 slots", "0080000202002004"},
		{"fuel 242", "00400000000000f2"},
		{"constant 0", "0540000000000000"},
		{"return 1", "0240000100000000"},
		{"enter function 3, 4 params, 4 locals, 6 slots", "0080000304004006"},
		{"fuel 347", "004000000000015b"},
		{"const 7", "0500000000000007"},
		{"local.get 1", "03c0000000000020"},
		{"i32.eqz", "0ac0000000000000"},
		{"jump_if 23", "01400000000000b8"},
		{"fuel 81", "0040000000000051"},
		{"fuel 224", "00400000000000e0"},
		{"drop", "0340000000000000"},
		{"const 1", "0500000000000001"},
		{"return 1", "0240000100000000"},
	}
	zeros := func(n int) string { return strings.Repeat("00", n) }
	// Magic, version, pages, maximum, globals, elements, functions; instructions, constants, segments, image; entries.
	want := "006c6f77" + "0001" + "0001" + "0010" + "0001" + "0000" + "0004" + "0000001b" + "00000001" + "00000001" + "00000020" +
		"00000000" + "00000040" + "00000080" + "00000060" + zeros(16)
	require.Len(t, l.Program.Code, len(golden))
	for i, g := range golden {
		require.Equal(t, g.text, l.Program.Code[i].String())
		want += g.bytes
	}
	want += "0000004000000040" + zeros(30) + "0400" + // the constant, the global
		"00000040" + "00000020" + "20" + zeros(31) + // the segment, last byte first
		"00000000" + "0000" + "0101" + "0001" + "0003" + zeros(4) + "00000040" + "0001" + "0201" + "0002" + "0001" + zeros(4) +
		"00000060" + "0001" + "0201" + "0002" + "0001" + zeros(4) + "00000080" + "0002" + "0401" + "0004" + "0002" + zeros(4)
	got := hex.EncodeToString(l.Program.Encode())
	require.Equal(t, want[:len(want)-128], got[:len(want)-128])
	require.Equal(t, want[len(want)-128:], got[len(want)-128:])
}

// TestF11_ProgramHashIsPinned: the hash is the same on every machine, for ever. A change of it is a change of the protocol.
func TestF11_ProgramHashIsPinned(t *testing.T) {
	for range 3 {
		hash, err := derivation.ProgramHash(counter.Wasm)
		require.NoError(t, err)
		require.Equal(t, "0x2dd39fac607dfea86bfdf2c66bc6955bb9709d3b28654a0e25a3817eb54efd1f", hash.Hex())
	}
	_, err := derivation.ProgramHash([]byte("hello"))
	require.ErrorIs(t, err, derivation.ErrModule)
}

// A custom section changes the binary and not the program: the module is the same.
func TestF11_ProgramDependsOnTheCodeOnly(t *testing.T) {
	plain := asm.Reducer(nil, asm.Result(0, 1)).Bytes()
	named := asm.Cat(plain, []byte{0, 5, 4}, []byte("name"))
	a, err := derivation.ProgramHash(plain)
	require.NoError(t, err)
	b, err := derivation.ProgramHash(named)
	require.NoError(t, err)
	require.Equal(t, a, b)
}

// The start function's growth is part of the program, so the manifest's limit must allow it.
func TestF11_StartThatGrowsBeyondThePageLimitIsRefused(t *testing.T) {
	m := asm.Reducer(nil, asm.Result(0, 1), asm.Func{Body: asm.Cat(asm.Const32(2), asm.Op(0x40, 0, 0x1a))})
	m.Start = 5
	for name, engine := range engines(t) {
		_, err := engine.Load(m.Bytes(), derivation.Options{PageLimit: 2})
		require.ErrorIs(t, err, derivation.ErrModule, name)
		require.ErrorContains(t, err, "3 pages")
		loaded, err := engine.Load(m.Bytes(), derivation.Options{PageLimit: 3})
		require.NoError(t, err)
		require.EqualValues(t, 3, loaded.Program().Pages())
		require.Equal(t, channel.Accepted, loaded.Init(nil).Status)
	}
}

func TestF11_MachineOfAModule(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(leaky().Bytes(), limits)
	require.NoError(t, err)
	x, err := m.Machine(lower.Reduce, []byte("state"), []byte{0})
	require.NoError(t, err)
	require.Equal(t, machine.Done, x.Finish())
	r := m.Reduce([]byte("state"), []byte{0})
	require.Equal(t, r.Output, x.Output())
	require.Equal(t, r.Fuel, x.FuelUsed())
	_, err = m.Machine(lower.Reduce, nil)
	require.ErrorIs(t, err, derivation.ErrEntry)
	_, err = m.Machine(lower.Allocate, nil)
	require.ErrorIs(t, err, derivation.ErrEntry)
}
