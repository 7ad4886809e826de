package derivation_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/wasm"
)

// TestF11_A10_CompileBombs: modules that are as hard to compile as the limits allow, in every shape known to be hard. A
// peer may propose a module, so looking at it must not stop a node: without MaxFlow the first of these takes minutes.
func TestF11_A10_CompileBombs(t *testing.T) {
	const locals = 250
	var moves []byte
	for i := range 120 {
		moves = append(moves, asm.Cat(asm.Get(4+(i*7)%locals), asm.Set(4+(i*13+1)%locals))...)
	}
	for name, unit := range map[string][]byte{
		"ifs":    asm.Cat(asm.Get(4), asm.If(asm.Void, asm.Get(5), asm.Set(6))),
		"loops":  asm.Loop(asm.Void, asm.Get(7), asm.Set(8), asm.Get(9), asm.BrIf(0)),
		"moves":  asm.Cat(asm.Get(9), asm.If(asm.Void, moves)),
		"loads":  asm.Cat(asm.Get(4), asm.Load(0x28, 0), asm.Set(5)),
		"calls":  asm.Call(1),
		"nested": asm.Cat(bytes.Repeat([]byte{0x03, 0x40}, 40), asm.Get(9), asm.Set(10), bytes.Repeat([]byte{0x20, 11, 0x0d, 0, 0x0b}, 40)),
		"table":  asm.Cat(bytes.Repeat([]byte{0x02, 0x40}, 30), asm.Get(9), asm.Op(0x0e, 30), bytes.Repeat([]byte{5, 9, 1, 0, 20}, 6), []byte{1}, bytes.Repeat([]byte{0x20, 11, 0x21, 12, 0x0b}, 30)),
	} {
		t.Run(name, func(t *testing.T) {
			build := func(repeat, functions int) []byte {
				body := bytes.Repeat(unit, repeat)
				if name == "calls" { // a call of init, whose result is dropped
					body = bytes.Repeat(asm.Cat(asm.Const32(0), asm.Const32(0), unit, asm.Op(0x1a)), repeat)
				}
				var more []asm.Func
				for range functions {
					more = append(more, asm.Func{Locals: bytes.Repeat([]byte{asm.I32}, locals+4), Body: body})
				}
				return asm.Reducer(nil, asm.Result(0, 1), more...).Bytes()
			}
			ok := func(repeat, functions int) bool {
				_, err := wasm.Decode(build(repeat, functions))
				return err == nil
			}
			repeat, functions := 1, 1
			for repeat < 1<<14 && ok(repeat+repeat/8+1, 1) {
				repeat += repeat/8 + 1
			}
			for functions < 64 && ok(repeat, functions+1) {
				functions++
			}
			engine, start := newEngine(t, derivation.Config{}), time.Now()
			_, err := engine.Load(build(repeat, functions), limits)
			require.NoError(t, err)
			// The bound is generous, machines differ; what it must exclude are minutes.
			took := time.Since(start)
			t.Logf("%d × %d in %d functions: %v", repeat, len(unit), functions, took)
			require.Less(t, took, time.Minute)
		})
	}
}
