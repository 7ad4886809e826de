package evm_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// many repeats code.
func many(n int, code []byte) []byte { return bytes.Repeat(code, n) }

// drops drops n operands.
func drops(n int) []byte { return many(n, asm.Op(0x1a)) }

// function is one that takes and gives i32s, with locals.
func function(params, results, locals int, body []byte) asm.Func {
	return asm.Func{Params: many(params, []byte{asm.I32}), Results: many(results, []byte{asm.I32}), Locals: many(locals, []byte{asm.I32}), Body: body}
}

// typed is a block of a type that is in ExtraTypes.
func typed(op byte, index int, code ...[]byte) []byte {
	return asm.Cat([]byte{op}, asm.S(int64(index)), asm.Cat(code...), []byte{0x0b})
}

// TestA11_ControlIsPaid: variables, branches of every kind, unwinding, calls with all sizes of frames.
func TestA11_ControlIsPaid(t *testing.T) {
	c := newChain(t)
	check := func(name string, m asm.Module) {
		gas, fuel := charge(t, c, name, m)
		t.Logf("%-44s gas %7d fuel %7d", name, gas, fuel)
	}
	first := imported + 4 // index of the first function that is added
	one, zero := asm.Const32(1), asm.Const32(0)
	for name, code := range map[string][]byte{
		"constants":   many(20, asm.Cat(asm.Const64(1<<40), asm.Const64(7), asm.Const32(-1), drops(3))),
		"locals":      many(20, asm.Cat(asm.Get(5), asm.Tee(5), asm.Set(5), asm.Get(6), asm.Tee(6), asm.Set(6))),
		"globals":     many(20, asm.Cat(asm.GlobalGet(0), asm.GlobalSet(0))),
		"select 1":    many(20, asm.Cat(one, one, one, asm.Op(0x1b), drops(1))),
		"select 0":    many(20, asm.Cat(one, one, zero, asm.Op(0x1b), drops(1))),
		"if 1":        many(20, asm.Cat(one, asm.If(asm.Void, asm.Op(0x01)))),
		"if 0":        many(20, asm.Cat(zero, asm.If(asm.Void, asm.Op(0x01)))),
		"if else 1":   many(20, asm.Cat(one, asm.If(asm.Void, asm.Op(0x05)))),
		"if else 0":   many(20, asm.Cat(zero, asm.If(asm.Void, asm.Op(0x05)))),
		"br":          many(20, asm.Block(asm.Void, asm.Br(0))),
		"br_if 1":     many(20, asm.Block(asm.Void, one, asm.BrIf(0))),
		"br_if 0":     many(20, asm.Block(asm.Void, zero, asm.BrIf(0))),
		"br_table 0":  many(20, asm.Block(asm.Void, asm.Block(asm.Void, zero, asm.Op(0x0e, 1, 0, 1)))),
		"br_table 9":  many(20, asm.Block(asm.Void, asm.Block(asm.Void, asm.Const32(9), asm.Op(0x0e, 1, 0, 1)))),
		"br_table -1": many(20, asm.Block(asm.Void, asm.Const32(-1), asm.Op(0x0e, 0, 0))),
	} {
		check(name, rounds(code))
	}
	unwind := func(op byte, keep, drop int) asm.Module {
		condition := one
		if op == 0x0e {
			condition = zero
		}
		branch := asm.Op(op, 0)
		switch op {
		case 0x0c:
			condition = nil
		case 0x0e:
			branch = asm.Op(op, 0, 0)
		}
		tail := []byte(nil)
		if op == 0x0d {
			tail = asm.Cat(drops(keep), drops(drop), many(keep, one))
		}
		m := rounds(asm.Cat(typed(0x02, 0, many(drop+keep, one), condition, branch, tail), drops(keep)))
		m.ExtraTypes = [][2][]byte{{nil, many(keep, []byte{asm.I32})}}
		return m
	}
	for _, op := range []byte{0x0c, 0x0d, 0x0e} {
		for _, keep := range []int{0, 1, 2, 3, 16} {
			for _, drop := range []int{1, 2, 17, 200} {
				check(fmt.Sprintf("unwind by %#x, %d kept, %d dropped", op, keep, drop), unwind(op, keep, drop))
			}
		}
	}
	for _, params := range []int{0, 1, 2, 9, 32} {
		for _, locals := range []int{0, 1, 30, 224} {
			for _, results := range []int{0, 1, 16} {
				out := many(results, one)
				for name, body := range map[string][]byte{
					"end": out, "return": asm.Cat(out, asm.Op(0x0f)), "return, unwinding": asm.Cat(one, out, asm.Op(0x0f)), "br": asm.Cat(out, asm.Br(0)),
					"br_if": asm.Cat(out, one, asm.BrIf(0)), "br_table": asm.Cat(out, zero, asm.Op(0x0e, 0, 0)),
					"br_if, unwinding": asm.Cat(one, out, one, asm.BrIf(0), drops(1+results), out),
				} {
					if params == 9 && locals != 1 && name != "end" {
						continue // enough of them
					}
					f := function(params, results, locals, body)
					check(fmt.Sprintf("call, %d params, %d locals, %d results, %s", params, locals, results, name),
						rounds(asm.Cat(many(params, one), asm.Call(first), drops(results)), f))
					m := rounds(asm.Cat(many(params, one), zero, asm.CallIndirect(0), drops(results)), f)
					m.ExtraTypes = [][2][]byte{{f.Params, f.Results}}
					m.Table, m.Elements = 1, []asm.Segment{{Funcs: []uint32{uint32(first)}}}
					check(fmt.Sprintf("call_indirect, %d params, %d locals, %d results, %s", params, locals, results, name), m)
				}
			}
		}
	}
}

// TestA11_GrowingMemoryIsPaid: page after page, all at once, not at all, beyond the limit.
func TestA11_GrowingMemoryIsPaid(t *testing.T) {
	c := newChain(t)
	for pages := 1; pages <= 16; pages++ {
		for by := range 17 {
			m := rounds(asm.Cat(asm.Const32(int32(by)), asm.Op(0x40, 0), drops(1)))
			m.Pages = pages
			l := load(t, c, m.Bytes())
			for _, n := range []byte{1, 2, 3, 20} {
				for _, limit := range []uint32{uint32(pages), 16} {
					v, _ := l.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: limit, Entry: lower.Reduce, MaxOutput: 1 << 16, Arguments: [][]byte{nil, {n, 0, 0, 0}}})
					require.Zero(t, v.Status)
				}
			}
			if by == 0 || pages == 16 {
				charge(t, c, fmt.Sprintf("%d pages, grown by %d", pages, by), m)
			}
		}
	}
}

// deepest are functions that call themselves until the stack is full, with frames that fill the EVM's stack or memory
// most. Each has its operands on the stack when it calls.
func deepest() map[string]asm.Func {
	self := imported + 4
	out := map[string]asm.Func{}
	for _, params := range []int{0, 1, 16, 32} {
		for _, locals := range []int{0, 1, 2, 100, 224} {
			for _, operands := range []int{0, 1, 2, 50, 200} {
				n := max(operands-params, 0) // below the arguments
				body := asm.Cat(many(n, asm.Const32(3)), many(params, asm.Const32(5)), asm.Call(self), drops(n))
				out[fmt.Sprintf("%d params, %d locals, %d operands", params, locals, n)] = function(params, 0, locals, body)
			}
		}
	}
	return out
}

// TestA9_A11_TheDeepestStackOverflowsNothing: the stack's limit ends a recursion before the EVM's 1,024 slots or the
// memory for frames are exceeded, for every shape of frames, by call and through the table; and that costs what it may.
func TestA9_A11_TheDeepestStackOverflowsNothing(t *testing.T) {
	c := newChain(t)
	for name, f := range deepest() {
		m := rounds(asm.Cat(many(len(f.Params), asm.Const32(1)), asm.Call(imported+4)), f)
		l := load(t, c, m.Bytes())
		v, _ := l.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: 2, Entry: lower.Reduce, MaxOutput: 1 << 16, Arguments: [][]byte{nil, {1, 0, 0, 0}}})
		require.EqualValues(t, 8, v.Status, name)
		require.Greater(t, v.Fuel, uint64(meter.Block*2), name)
	}
	// Slots of the stack cover the words of a frame, with one to spare for the header that all begin with.
	for locals := range wasm.MaxLocals + 1 {
		require.Less(t, 1+locals, meter.LocalsPerSlot*(meter.FrameBase+(locals+meter.LocalsPerSlot-1)/meter.LocalsPerSlot))
	}
	// Operands of all frames, the arguments of the entry, ip, and what the deepest handler puts on top.
	require.LessOrEqual(t, meter.StackLimit+4+1+32, 1024)
}
