package evm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/wasm"
)

// loaded is a program in data contracts.
type loaded struct {
	program *lower.Program
	size    int
	chunks  []common.Address
}

func load(t testing.TB, c *evmrun.Chain, binary []byte) loaded {
	m, err := wasm.Decode(binary)
	require.NoError(t, err)
	l, err := machine.Lower(m, 1<<40)
	require.NoError(t, err)
	b := l.Program.Encode()
	_, err = lower.Decode(b) // what a registry would be given
	require.NoError(t, err)
	return loaded{l.Program, len(b), c.Store(b, 0)}
}

// bounded runs a call on the chain and in the reference machine: they agree, and the gas is within GasBound.
func (l loaded) bounded(t testing.TB, c *evmrun.Chain, r evmrun.Request) (evmrun.Verdict, uint64) {
	r.Chunks = l.chunks
	v, gas := run(t, c, &r)
	require.Equal(t, expected(t, l.program, &r), v)
	require.LessOrEqual(t, gas, evm.GasBound(v.Fuel, min(r.Pages, l.program.MaxPages), l.size))
	return v, gas
}

// rounds is a module whose reduce carries out code as often as the event's first four bytes say. Locals of the code: 0 to
// 3 are reduce's parameters, 4 the counter, 5 an i32, 6 an i64.
func rounds(code []byte, more ...asm.Func) asm.Module {
	m := asm.Reducer([]byte{asm.I32, asm.I32, asm.I64}, asm.Cat(asm.Get(2), asm.Load(0x28, 0), asm.Set(4),
		asm.Loop(asm.Void, code, asm.Get(4), asm.Const32(1), asm.Op(0x6b), asm.Tee(4), asm.BrIf(0)), asm.Result(0, 1)), more...)
	m.Imports, m.Pages, m.MaxPages = asm.Host("keccak256", "reject", "log", "emit"), 2, 16
	for i := range m.Funcs {
		m.Funcs[i].Body = bytes.Clone(m.Funcs[i].Body)
	}
	return m
}

// imported is the number of host functions that rounds imports: its first own function has this index.
const imported = 4

// charge asserts that what one round costs is charged: gas of more rounds against their fuel.
func charge(t testing.TB, c *evmrun.Chain, name string, m asm.Module) (gas, fuel uint64) {
	l := load(t, c, m.Bytes())
	run := func(n byte) (uint64, uint64) {
		v, gas := l.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: 16, Entry: lower.Reduce, MaxOutput: 1 << 16, Arguments: [][]byte{nil, {n, 0, 0, 0}}})
		require.Zero(t, v.Status, name)
		return gas, v.Fuel
	}
	gas1, fuel1 := run(1)
	gas9, fuel9 := run(9)
	require.LessOrEqual(t, gas9-gas1, fuel9-fuel1, "%s: a round costs more gas than fuel", name)
	return (gas9 - gas1) / 8, (fuel9 - fuel1) / 8
}

// value pushes a constant of a type.
func value(typ byte, v int64) []byte {
	if typ == asm.I32 {
		return asm.Const32(int32(v))
	}
	return asm.Const64(v)
}

// isolated gives code that carries out a plain instruction with operands and drops what it gives.
func isolated(op wasm.Opcode, operands [3]int64) []byte {
	name := op.String()
	typ := byte(asm.I32)
	if strings.HasPrefix(name, "i64") {
		typ = asm.I64
	}
	pops, pushes, _ := op.Arity()
	var code []byte
	for i := range pops {
		t := typ
		switch {
		case op >= wasm.OpI32Load && op <= wasm.OpI64Store32 && i == 0, strings.HasPrefix(name, "memory"), op == wasm.OpI64ExtendS, op == wasm.OpI64ExtendU:
			t = asm.I32
		case op == wasm.OpI32WrapI64:
			t = asm.I64
		}
		v := operands[i]
		if op >= wasm.OpI32Load && op <= wasm.OpI64Store32 && i == 0 {
			v &= 0xfff0
		}
		code = append(code, value(t, v)...)
	}
	switch {
	case op >= wasm.OpI32Load && op <= wasm.OpI64Store32:
		code = append(code, asm.Load(byte(op), int(operands[2]&0xfff0))...)
	case op == wasm.OpMemorySize, op == wasm.OpMemoryGrow:
		code = append(code, byte(op), 0)
	case op == wasm.OpMemoryCopy:
		code = append(code, 0xfc, 10, 0, 0)
	case op == wasm.OpMemoryFill:
		code = append(code, 0xfc, 11, 0)
	case op == wasm.OpI32Const, op == wasm.OpI64Const:
		code = append(code, value(typ, operands[0])...)
	default:
		code = append(code, byte(op))
	}
	return append(code, bytes.Repeat([]byte{byte(wasm.OpDrop)}, pushes)...)
}

// TestA11_EveryPlainInstructionIsPaid: each alone in a loop, with operands at many edges.
func TestA11_EveryPlainInstructionIsPaid(t *testing.T) {
	c, slack := newChain(t), map[uint64]int{}
	edges := []int64{0, 1, 2, -1, 31, 32, 255, 65535, 1 << 31, -1 << 31, 1<<63 - 1, 0x5555555555555555}
	for _, op := range wasm.Accepted() {
		if _, _, plain := op.Arity(); !plain || op == wasm.OpMemoryGrow {
			continue
		}
		var code []byte
		for i, x := range edges {
			y := edges[(i*5+1)%len(edges)]
			if strings.Contains(op.String(), ".div") || strings.Contains(op.String(), ".rem") {
				if y == 0 || y == -1 {
					y = 3
				}
				if int32(y) == 0 || int32(y) == -1 {
					y = 7
				}
			}
			operands := [3]int64{x, y, edges[(i*7+2)%len(edges)]}
			if op == wasm.OpMemoryCopy || op == wasm.OpMemoryFill {
				operands = [3]int64{x & 0xffff, y & 0xffff, edges[(i*7+2)%len(edges)] & 0xffff}
			}
			code = append(code, isolated(op, operands)...)
		}
		gas, fuel := charge(t, c, op.String(), rounds(code))
		slack[(fuel-gas)*1000/fuel/10]++
	}
	t.Logf("instructions by percent of fuel that is not gas: %v", slack)
}

// TestA11_SizesArePaid: bulk instructions and host functions at odd sizes, small and large.
func TestA11_SizesArePaid(t *testing.T) {
	c := newChain(t)
	var sizes []int32
	for _, n := range []int32{0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 1000, 4095} {
		sizes = append(sizes, n)
	}
	for k := int32(7); k < 17; k++ {
		sizes = append(sizes, 1<<k-1, 1<<k, 1<<k+1, 1<<k+32, 1<<k+33)
	}
	call := func(f int, host bool) func(int32) []byte {
		return func(n int32) []byte {
			code := asm.Cat(asm.Const32(40), asm.Const32(n))
			if f == 0 {
				code = asm.Cat(code, asm.Const32(7))
			}
			if host {
				return asm.Cat(code, asm.Call(f))
			}
			return asm.Cat(code, asm.Const32(int32(f)), asm.CallIndirect(min(f, 1)))
		}
	}
	for name, code := range map[string]func(int32) []byte{
		"copy up": func(n int32) []byte {
			return asm.Cat(asm.Const32(9), asm.Const32(2), asm.Const32(n), asm.Op(0xfc, 10, 0, 0))
		},
		"copy down": func(n int32) []byte {
			return asm.Cat(asm.Const32(2), asm.Const32(9), asm.Const32(n), asm.Op(0xfc, 10, 0, 0))
		},
		"fill": func(n int32) []byte {
			return asm.Cat(asm.Const32(5), asm.Const32(n), asm.Const32(n), asm.Op(0xfc, 11, 0))
		},
		"keccak256": call(0, true), "log": call(2, true), "emit": call(3, true),
		"keccak256 from the table": call(0, false), "log from the table": call(2, false),
	} {
		worst, at := int64(1<<40), int32(0)
		for _, n := range sizes {
			m := rounds(code(n))
			m.ExtraTypes = [][2][]byte{{{asm.I32, asm.I32, asm.I32}, nil}, {{asm.I32, asm.I32}, nil}}
			m.Table, m.Elements = 4, []asm.Segment{{Funcs: []uint32{0, 1, 2, 3}}}
			gas, fuel := charge(t, c, fmt.Sprintf("%s %d", name, n), m)
			if left := int64(fuel) - int64(gas); left < worst {
				worst, at = left, n
			}
		}
		t.Logf("%s: fuel is at least %d more than gas, at %d bytes", name, worst, at)
	}
}
