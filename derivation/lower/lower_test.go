package lower_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/derivation/wasm"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

func program(t testing.TB, binary []byte) *lower.Program {
	t.Helper()
	m, err := wasm.Decode(binary)
	require.NoError(t, err)
	l, err := lower.Lower(m)
	require.NoError(t, err)
	require.Len(t, l.Offsets, len(l.Program.Code))
	return l.Program
}

// TestF11_EveryInstructionHasALoweredForm: nothing of the subset is forgotten, and names and numbers are pinned.
func TestF11_EveryInstructionHasALoweredForm(t *testing.T) {
	made := map[wasm.Opcode]bool{}
	for _, op := range lower.Ops() {
		require.True(t, op.Valid())
		require.NotContains(t, op.String(), "instruction")
		if code, ok := op.Wasm(); ok {
			require.Equal(t, code.String(), op.String())
			made[code] = true
		}
	}
	require.Len(t, lower.Ops(), 109)
	require.False(t, lower.Op(0).Valid())
	require.False(t, lower.Op(110).Valid())
	plain := 0
	for _, code := range wasm.Accepted() {
		if _, _, ok := code.Arity(); ok && code != wasm.OpI32Const && code != wasm.OpI64Const && code != wasm.OpI64ExtendU {
			require.True(t, made[code], code.String())
			plain++
		}
	}
	require.Len(t, made, plain)
	for op, want := range map[lower.Op]string{1: "fuel", 2: "enter", 9: "return", 21: "constant", 22: "i32.load", 40: "i64.store32", 41: "memory.size",
		43: "i32.eqz", lower.I32Add: "i32.add", lower.I64Rotr: "i64.rotr", lower.MemoryCopy: "memory.copy", 109: "memory.fill"} {
		require.Equal(t, want, op.String())
	}
}

// TestF11_DecodeIsTheInverseOfEncode on real modules and random ones; lowering twice gives the same bytes.
func TestF11_DecodeIsTheInverseOfEncode(t *testing.T) {
	binaries := [][]byte{counter.Wasm, raid.Wasm}
	for seed := range uint64(100) {
		rng, choices := rand.New(rand.NewPCG(seed, 1)), make([]byte, 50*seed)
		for i := range choices {
			choices[i] = byte(rng.Uint32())
		}
		binaries = append(binaries, modgen.Generate(choices).Binary)
	}
	for _, b := range binaries {
		p := program(t, b)
		encoded := p.Encode()
		require.Equal(t, encoded, program(t, b).Encode())
		again, err := lower.Decode(encoded)
		require.NoError(t, err)
		require.Equal(t, p, again)
		require.Equal(t, p.Hash(), again.Hash())
		for pc := range p.Code {
			f := p.Functions[p.FunctionAt(pc)]
			require.LessOrEqual(t, int(f.Entry), pc)
		}
	}
}

// TestF11_DecodeRefuses: a program that a machine could not trust. Each case changes one field of a good one, whose
// code the test of package derivation pins.
func TestF11_DecodeRefuses(t *testing.T) {
	m := asm.Reducer(nil, asm.Cat(asm.Const32(7), asm.Loop(asm.Void, asm.Get(1), asm.BrIf(0)), asm.Op(0x1a), asm.Result(0, 1)))
	m.Table, m.Elements = 2, []asm.Segment{{Funcs: []uint32{0}}}
	p := program(t, m.Bytes())
	good := p.Encode()
	code := func(i int) int { return 64 + 8*i }
	reduce := int(p.Functions[3].Entry)
	jump := reduce
	for p.Code[jump].Op != lower.JumpIf {
		jump++
	}
	table := code(len(p.Code)) + 8*len(p.Constants) + 32
	set16 := func(at int, v uint16) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint16(b[at:], v) } }
	set32 := func(at int, v uint32) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) } }
	for name, change := range map[string]func([]byte){
		"magic": set16(0, 1), "version": set16(4, 2), "pages": set16(6, 17), "too many globals": set16(10, 60000), "count of functions": set16(14, 5), "count of instructions": set32(16, 1<<30),
		"segments": set32(24, 1<<31), "image": set32(28, 64), "entry inside of a function": set32(32, 8), "entry of another type": set32(36, 0), "zero": set16(50, 1),
		"instruction 0": set16(code(1), 0), "unknown instruction": set16(code(1), 110<<6), "handler offset": set16(code(1), 65), "free of charge": set32(code(1)+4, 59),
		"frame too small": set32(code(0)+4, 1<<24|1<<12|5), "another function's enter": set16(code(0)+2, 1), "field that means nothing": set16(code(3)+2, 1),
		"jump to no instruction": set32(code(jump)+4, 4), "jump to the frame": set32(code(jump)+4, uint32(8*reduce)), "jump out of the function": set32(code(jump)+4, 8),
		"jump beyond the end": set32(code(jump)+4, uint32(8*len(p.Code))), "loop without a charge": set32(code(jump)+4, uint32(8*(jump-1))),
		"local that does not exist": set32(code(jump-1)+4, 32*4), "global that does not exist": set32(code(2)+4, 32), "operands missing": set16(code(reduce+2), uint16(lower.Drop)<<6),
		"operands left": set16(code(len(p.Code)-3), uint16(lower.MemorySize)<<6), "falls off the end": set16(code(len(p.Code)-1), uint16(lower.Drop)<<6),
		"return of another number": set16(code(7)+2, 0), "element of no kind": set16(table, 6), "element of another type": set16(table+2, 1), "element inside of a function": set32(table+4, 8),
		"null with a type": set16(table+8+2, 1), "segment outside": set32(table+16, 65536), "segment between words": set32(table+16, 65),
		"function's params": func(b []byte) { b[len(b)-16+6] = 3 }, "function's operands": set16(len(good)-6, 9), "zero at the end": set16(len(good)-2, 1),
	} {
		b := append([]byte(nil), good...)
		change(b)
		require.NotEqual(t, good, b, name)
		_, err := lower.Decode(b)
		require.ErrorIs(t, err, lower.ErrProgram, name)
	}
	for n := range 200 {
		_, err := lower.Decode(good[:len(good)*n/200])
		require.ErrorIs(t, err, lower.ErrProgram)
	}
}

// A branch that drops nothing is a jump, one that drops operands unwinds first; br_table reaches those by detours.
func TestF11_BranchesAreResolved(t *testing.T) {
	body := asm.Cat(asm.Const32(1), asm.Const32(2), asm.Block(asm.I32, asm.Const32(3), asm.Const32(4), asm.Get(0), asm.Op(0x0e, 2, 0, 1, 0)), asm.Op(0x6a, 0x6a))
	m := asm.Reducer(nil, asm.Result(0, 1), asm.Func{Params: []byte{asm.I32}, Results: []byte{asm.I32}, Body: body})
	p := program(t, m.Bytes())
	entry := p.Functions[4].Entry
	require.EqualValues(t, 20, entry)
	var got []string
	for _, in := range p.Code[entry:] {
		got = append(got, in.String())
	}
	require.Equal(t, []string{
		"enter function 4, 1 params, 1 locals, 8 slots", "fuel 831", "const 1", "const 2", "const 3", "const 4", "local.get 0",
		"table 2", "jump 31", "jump 33", "jump 31",
		"unwind keep 1, drop 1", "jump 35",
		"unwind keep 1, drop 3", "return 1",
		"fuel 228", "i32.add", "i32.add", "return 1",
	}, got)
}

func FuzzDecode(f *testing.F) {
	f.Add(program(f, counter.Wasm).Encode())
	m := asm.Reducer(nil, asm.Cat(asm.Loop(asm.Void, asm.Get(1), asm.BrIf(0)), asm.Result(0, 1)))
	m.Table, m.Elements = 2, []asm.Segment{{Funcs: []uint32{0}}}
	f.Add(program(f, m.Bytes()).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := lower.Decode(b)
		if err != nil {
			require.ErrorIs(t, err, lower.ErrProgram)
			return
		}
		require.Equal(t, b, p.Encode())
	})
}
