package meter_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

func rewrite(t *testing.T, m asm.Module) *meter.Metered {
	decoded, err := wasm.Decode(m.Bytes())
	require.NoError(t, err)
	out, err := meter.Rewrite(decoded, 4, 1000)
	require.NoError(t, err)
	return out
}

// Only what lowering resolves is free; nothing outside of the subset has a weight.
func TestF11_EveryInstructionHasAWeight(t *testing.T) {
	free := map[wasm.Opcode]bool{wasm.OpNop: true, wasm.OpBlock: true, wasm.OpLoop: true, wasm.OpEnd: true, wasm.OpI64ExtendU: true}
	require.Len(t, wasm.Accepted(), 111)
	for _, op := range wasm.Accepted() {
		require.Equal(t, free[op], meter.Weight(op) == 0, op.String())
	}
	for op := range wasm.Opcode(0x110) {
		if !op.Known() {
			require.Zero(t, meter.Weight(op), op.String())
		}
	}
}

// A module cannot reach what is injected: not by index, not by a name of its own.
func TestF11_A9_InjectedPartsAreOutOfReach(t *testing.T) {
	plain := asm.Reducer(nil, asm.Result(0, 1))
	plain.Exports, plain.Extra = asm.Cat([]byte{4}, []byte(meter.FuelExport), []byte{3, 0, 6}, []byte(meter.HeightExport), []byte{3, 0}), 2
	out := rewrite(t, plain)
	decoded, err := wasm.Decode(out.Binary) // names given twice would be refused here
	require.NoError(t, err)
	for _, e := range decoded.Exports {
		if e.Name == meter.FuelExport || e.Name == meter.HeightExport {
			require.Positive(t, e.Index, "global 0 is the module's own")
		}
	}
	functions := len(plain.Funcs)
	for name, code := range map[string][]byte{
		"fuel": asm.Cat(asm.Const64(1<<40), asm.GlobalSet(1)), "height": asm.Cat(asm.Const32(0), asm.GlobalSet(2)),
		"copy": asm.Cat(asm.Const32(0), asm.Const32(0), asm.Const32(0), asm.Call(functions)), "grow": asm.Cat(asm.Const32(0), asm.Call(functions+2), asm.Op(0x1a)),
		"fuel local": asm.Cat(asm.Const64(0), asm.Set(4)),
	} {
		_, err := wasm.Decode(asm.Reducer(nil, asm.Cat(code, asm.Result(0, 1))).Bytes())
		require.ErrorIs(t, err, wasm.ErrInvalid, name)
	}
}

func TestF11_RewritingIsDeterministicAndKeepsTheLimits(t *testing.T) {
	m := asm.Reducer(nil, asm.Result(0, 1))
	m.MaxPages = 3
	out := rewrite(t, m)
	require.Equal(t, out.Binary, rewrite(t, m).Binary)
	require.EqualValues(t, 1, out.Pages)
	require.EqualValues(t, 3, out.MaxPages)
	require.Equal(t, []int{0}, out.Globals)
	m.MaxPages = 0
	require.EqualValues(t, 4, rewrite(t, m).MaxPages)

	decoded, err := wasm.Decode(m.Bytes())
	require.NoError(t, err)
	_, err = meter.Rewrite(decoded, 4, 1<<63)
	require.ErrorContains(t, err, "63 bits")
	// The largest frame that is valid fits on the stack: the limits of wasm are below StackLimit.
	big := asm.Reducer(bytes.Repeat([]byte{asm.I32}, 252), asm.Cat(bytes.Repeat(asm.Const32(1), 256), bytes.Repeat([]byte{0x1a}, 256), asm.Result(0, 1)))
	decoded, err = wasm.Decode(big.Bytes())
	require.NoError(t, err)
	require.EqualValues(t, 2+256+128, meter.Frame(decoded, &decoded.Functions[3]))
	require.Less(t, meter.Frame(decoded, &decoded.Functions[3]), uint32(meter.StackLimit))
}
