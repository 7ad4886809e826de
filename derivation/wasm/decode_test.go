package wasm_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/wasm"
)

func load(b []byte) error {
	m, err := wasm.Decode(b)
	if err != nil {
		return err
	}
	return m.CheckABI(4)
}

// reduce is a module whose reduce runs the code and returns a valid result.
func reduce(code ...[]byte) asm.Module {
	return asm.Reducer([]byte{asm.I32, asm.I64}, asm.Cat(asm.Cat(code...), asm.Result(0, 1)))
}

func with(m asm.Module, change func(*asm.Module)) []byte {
	m.Funcs, m.Data, m.Globals = slices.Clone(m.Funcs), slices.Clone(m.Data), slices.Clone(m.Globals)
	change(&m)
	return m.Bytes()
}

func TestF11_AcceptedModules(t *testing.T) {
	two := asm.Module{ExtraTypes: [][2][]byte{{nil, {asm.I32, asm.I64}}, {{asm.I32}, {asm.I32}}}}
	for name, b := range map[string][]byte{
		"plain":             reduce().Bytes(),
		"sign extension":    reduce(asm.Const32(200), asm.Op(0xc0, 0x1a), asm.Const64(1), asm.Op(0xc4, 0x1a)).Bytes(),
		"memory.copy, fill": reduce(asm.Const32(0), asm.Const32(0), asm.Const32(0), asm.Op(0xfc, 10, 0, 0), asm.Const32(0), asm.Const32(0), asm.Const32(0), asm.Op(0xfc, 11, 0)).Bytes(),
		"multi-value block": with(reduce(asm.Block(0, asm.Const32(1), asm.Const64(2)), asm.Op(0x1a, 0x1a)), func(m *asm.Module) { m.ExtraTypes = two.ExtraTypes }),
		"block parameters":  with(reduce(asm.Const32(1), asm.Block(1, asm.Op(0x45)), asm.Op(0x1a)), func(m *asm.Module) { m.ExtraTypes = two.ExtraTypes }),
		"dead code":         reduce(asm.Block(asm.Void, asm.Br(0), asm.Op(0x6a, 0x1a), asm.Block(asm.I32, asm.Op(0x00)), asm.Op(0x1a))).Bytes(),
		"br_table":          reduce(asm.Block(asm.Void, asm.Block(asm.Void, asm.Const32(0), asm.Op(0x0e, 1, 0, 1)))).Bytes(),
		"all imports": with(reduce(), func(m *asm.Module) {
			m.Imports = asm.Host("keccak256", "emit", "log", "reject")
			m.Globals[0].Init = 1024
		}),
		"table and indirect call": with(reduce(asm.Const32(8), asm.Const32(0), asm.CallIndirect(1), asm.Op(0x1a)), func(m *asm.Module) {
			m.ExtraTypes, m.Table, m.Elements = two.ExtraTypes, 2, []asm.Segment{{At: 1, Funcs: []uint32{0}}}
		}),
		"custom section at the end": append(reduce().Bytes(), 0, 3, 1, 'x', 0xff),
		"exports beyond the needed": with(reduce(), func(m *asm.Module) { m.Exports, m.Extra = []byte{1, 'g', 3, 0}, 1 }),
	} {
		require.NoError(t, load(b), name)
	}
}

// Every refusal with its kind and message: what a game developer gets to see.
func TestF11_A9_Refusals(t *testing.T) {
	plain := reduce()
	cases := []struct {
		name string
		b    []byte
		kind error
		text string
	}{
		{"empty file", nil, wasm.ErrMalformed, "this is not a WebAssembly file"},
		{"component", append([]byte("\x00asm"), 0x0d, 0, 1, 0), wasm.ErrMalformed, "not components"},
		{"too large", make([]byte, wasm.MaxBinaryBytes+1), wasm.ErrLimit, "strip debug information"},
		{"truncated", plain.Bytes()[:40], wasm.ErrMalformed, "only"},
		{"unknown section", append(plain.Bytes(), 14, 0), wasm.ErrMalformed, "there is no section 14"},
		{"tags", append(plain.Bytes(), 13, 0), wasm.ErrNotAccepted, "exception tags"},
		{"section twice", append(plain.Bytes(), 11, 1, 0), wasm.ErrMalformed, "out of order or given twice"},
		{"section too long", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{11: {0, 0}} }), wasm.ErrMalformed, "1 bytes longer"},
		{"padded LEB128", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{11: {0x80, 0x80, 0x80, 0x80, 0x80, 0}} }), wasm.ErrMalformed, "not an unsigned 32-bit LEB128"},
		{"high bits in LEB128", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{11: {0x80, 0x80, 0x80, 0x80, 0x10}} }), wasm.ErrMalformed, "not an unsigned 32-bit LEB128"},
		{"signed LEB128 without sign", reduce(asm.Op(0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a)).Bytes(), wasm.ErrMalformed, "not a signed 32-bit LEB128"},
		{"too many types", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{1: asm.U(wasm.MaxTypes + 1)} }), wasm.ErrLimit, "at most 1000"},
		{"count beyond the file", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{1: asm.U(wasm.MaxTypes)} }), wasm.ErrMalformed, "do not fit"},

		{"f32.add", reduce(asm.Op(0x92)).Bytes(), wasm.ErrNotAccepted, "f32.add is not accepted: floats are not deterministic"},
		{"f64.load", reduce(asm.Const32(0), asm.Load(0x2b, 0)).Bytes(), wasm.ErrNotAccepted, "f64.load is not accepted: floats"},
		{"f64.const", reduce(asm.Op(0x44, 0, 0, 0, 0, 0, 0, 0, 0)).Bytes(), wasm.ErrNotAccepted, "f64.const is not accepted: floats"},
		{"reinterpret", reduce(asm.Op(0xbc)).Bytes(), wasm.ErrNotAccepted, "i32.reinterpret_f32 is not accepted: floats"},
		{"saturating truncation", reduce(asm.Op(0xfc, 0)).Bytes(), wasm.ErrNotAccepted, "i32.trunc_sat_f32_s is not accepted: floats"},
		{"float parameter", with(plain, func(m *asm.Module) { m.ExtraTypes = [][2][]byte{{{asm.F64}, nil}} }), wasm.ErrNotAccepted, "f64 in type 0 is not accepted: floats"},
		{"float local", asm.Reducer([]byte{asm.F32}, asm.Result(0, 1)).Bytes(), wasm.ErrNotAccepted, "f32 in the locals is not accepted"},
		{"float global", with(plain, func(m *asm.Module) { m.Globals = append(m.Globals, asm.Global{Type: asm.F32}) }), wasm.ErrNotAccepted, "f32 in global 1"},
		{"float block", reduce(asm.Block(asm.F32, asm.Op(0x00)), asm.Op(0x1a)).Bytes(), wasm.ErrNotAccepted, "its result is f32"},
		{"SIMD", reduce(asm.Op(0xfd, 12)).Bytes(), wasm.ErrNotAccepted, "SIMD"},
		{"v128 local", asm.Reducer([]byte{asm.V128}, asm.Result(0, 1)).Bytes(), wasm.ErrNotAccepted, "v128"},
		{"threads", reduce(asm.Op(0xfe, 0)).Bytes(), wasm.ErrNotAccepted, "threads and atomics"},
		{"shared memory", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{5: {1, 3, 1, 1}} }), wasm.ErrNotAccepted, "shared memory"},
		{"memory64", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{5: {1, 4, 1}} }), wasm.ErrNotAccepted, "compile for wasm32"},
		{"two memories", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{5: {2, 0, 1, 0, 1}} }), wasm.ErrNotAccepted, "more than one memory"},
		{"two tables", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{4: {2, 0x70, 0, 1, 0x70, 0, 1}} }), wasm.ErrNotAccepted, "more than one table"},
		{"externref table", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{4: {1, 0x6f, 0, 1}} }), wasm.ErrNotAccepted, "a table of externref"},
		{"memory index 1", reduce(asm.Const32(0), asm.Op(0x40, 1, 0x1a)).Bytes(), wasm.ErrNotAccepted, "there is one memory"},
		{"tail call", reduce(asm.Op(0x12, 0)).Bytes(), wasm.ErrNotAccepted, "return_call is not accepted: tail calls"},
		{"exceptions", reduce(asm.Op(0x06, 0x40)).Bytes(), wasm.ErrNotAccepted, "try is not accepted: exceptions"},
		{"typed select", reduce(asm.Op(0x1c, 1, 0x7f)).Bytes(), wasm.ErrNotAccepted, "reference types"},
		{"ref.null", reduce(asm.Op(0xd0, 0x70)).Bytes(), wasm.ErrNotAccepted, "ref.null is not accepted: reference types"},
		{"table.set", reduce(asm.Op(0x26, 0)).Bytes(), wasm.ErrNotAccepted, "table.set is not accepted"},
		{"table.grow", reduce(asm.Op(0xfc, 15, 0)).Bytes(), wasm.ErrNotAccepted, "table.grow is not accepted: tables cannot change"},
		{"memory.init", reduce(asm.Op(0xfc, 8, 0, 0)).Bytes(), wasm.ErrNotAccepted, "memory.init is not accepted: passive"},
		{"gc", reduce(asm.Op(0xfb, 0)).Bytes(), wasm.ErrNotAccepted, "garbage-collected"},
		{"no such instruction", reduce(asm.Op(0xc9)).Bytes(), wasm.ErrMalformed, "there is no instruction 0xc9"},
		{"no such prefixed instruction", reduce(asm.Op(0xfc, 60)).Bytes(), wasm.ErrMalformed, "there is no instruction 0xfc 60"},
		{"passive data", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{11: {1, 1, 1, 0}} }), wasm.ErrNotAccepted, "data segment 0 is passive"},
		{"passive elements", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{9: {1, 1, 0, 0}} }), wasm.ErrNotAccepted, "only active segments"},
		{"extended constant", with(plain, func(m *asm.Module) {
			m.Raw = map[byte][]byte{6: {1, 0x7f, 1, 0x41, 1, 0x41, 1, 0x6a, 0x0b}}
		}), wasm.ErrNotAccepted, "extended constant"},

		{"operand missing", reduce(asm.Op(0x6a, 0x1a)).Bytes(), wasm.ErrInvalid, "i32.add: an operand of type i32 is missing"},
		{"operand of another type", reduce(asm.Const64(1), asm.Op(0x45, 0x1a)).Bytes(), wasm.ErrInvalid, "the operand is i64, not i32"},
		{"left over", reduce(asm.Block(asm.Void, asm.Const32(1))).Bytes(), wasm.ErrInvalid, "1 operands are left over"},
		{"no such label", reduce(asm.Br(7)).Bytes(), wasm.ErrInvalid, "there is no label 7"},
		{"no such local", reduce(asm.Get(99), asm.Op(0x1a)).Bytes(), wasm.ErrInvalid, "there is no local 99"},
		{"no such global", reduce(asm.GlobalGet(1), asm.Op(0x1a)).Bytes(), wasm.ErrInvalid, "there is no global 1"},
		{"the injected fuel global", reduce(asm.Const64(1<<40), asm.GlobalSet(1)).Bytes(), wasm.ErrInvalid, "there is no global 1"},
		{"no such function", reduce(asm.Call(9)).Bytes(), wasm.ErrInvalid, "there is no function 9"},
		{"no such type", reduce(asm.Op(0x02, 50, 0x0b)).Bytes(), wasm.ErrInvalid, "there is no type 50"},
		{"if without else", reduce(asm.Const32(1), asm.If(asm.I32, asm.Const32(1)), asm.Op(0x1a)).Bytes(), wasm.ErrInvalid, "needs an else"},
		{"alignment", reduce(asm.Const32(0), asm.Op(0x28, 3, 0, 0x1a)).Bytes(), wasm.ErrInvalid, "larger than the access"},
		{"constant global", with(reduce(asm.Const32(1), asm.GlobalSet(1)), func(m *asm.Module) { m.Globals = append(m.Globals, asm.Global{Type: asm.I32}) }), wasm.ErrInvalid, "global 1 is a constant"},
		{"no table", reduce(asm.Const32(0), asm.CallIndirect(0)).Bytes(), wasm.ErrInvalid, "the module has no table"},
		{"code after the end", reduce(asm.Result(0, 1), asm.Op(0x0b)).Bytes(), wasm.ErrMalformed, "after the end of the function"},
		{"data outside", with(plain, func(m *asm.Module) { m.Data[0].At = 65536 - 8 }), wasm.ErrInvalid, "data segment 0 does not fit"},
		{"negative data offset", with(plain, func(m *asm.Module) { m.Data[0].At = -8 }), wasm.ErrInvalid, "data segment 0 does not fit"},
		{"elements outside", with(plain, func(m *asm.Module) { m.Table, m.Elements = 1, []asm.Segment{{At: 1, Funcs: []uint32{0}}} }), wasm.ErrInvalid, "does not fit in the table"},
		{"start with parameters", with(plain, func(m *asm.Module) { m.Start = 1 }), wasm.ErrInvalid, "the start function 0 has the type"},
		{"no such export", with(plain, func(m *asm.Module) { m.Exports, m.Extra = []byte{1, 'x', 0, 50}, 1 }), wasm.ErrInvalid, "which does not exist"},
		{"export twice", with(plain, func(m *asm.Module) { m.Exports, m.Extra = []byte{6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0}, 1 }), wasm.ErrInvalid, "given twice"},
		{"function without body", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{10: {0}} }), wasm.ErrMalformed, "have a body"},
		{"data count", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{12: {9}} }), wasm.ErrMalformed, "the data count is 9"},
		{"nesting", reduce(bytes.Repeat([]byte{0x02, 0x40}, 300), bytes.Repeat([]byte{0x0b}, 300)).Bytes(), wasm.ErrLimit, "nested more than"},
		{"height", reduce(bytes.Repeat(asm.Const32(1), 300), bytes.Repeat([]byte{0x1a}, 300)).Bytes(), wasm.ErrLimit, "operands on the stack"},
		{"locals", asm.Reducer(bytes.Repeat([]byte{asm.I32}, 256), asm.Result(0, 1)).Bytes(), wasm.ErrLimit, "more than 256 parameters and locals"},
		{"locals in one run", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{10: {4, 6, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}} }), wasm.ErrLimit, "function 0, "},
		{"long body", reduce(bytes.Repeat([]byte{0x01}, wasm.MaxFunctionBytes)).Bytes(), wasm.ErrLimit, "split the function"},
		{"flow", asm.Reducer(bytes.Repeat([]byte{asm.I32}, 250), asm.Cat(bytes.Repeat([]byte{0x02, 0x40, 0x0b}, 600), asm.Result(0, 1))).Bytes(), wasm.ErrLimit, "would take too long to compile"},
		{"flow of the module", with(plain, func(m *asm.Module) {
			for range 5 {
				m.Funcs = append(m.Funcs, asm.Func{Locals: bytes.Repeat([]byte{asm.I32}, 250), Body: bytes.Repeat([]byte{0x02, 0x40, 0x0b}, 520)})
			}
		}), wasm.ErrLimit, "make functions smaller"},
		{"many targets", reduce(asm.Const32(0), asm.Op(0x0e), asm.U(2000), make([]byte, 2001)).Bytes(), wasm.ErrLimit, "targets of br_table"},

		{"unknown import", with(plain, func(m *asm.Module) { m.Imports = []asm.Import{{Module: "env", Name: "abort"}} }), wasm.ErrABI, `"env"."abort" is unknown`},
		{"unknown host function", with(plain, func(m *asm.Module) { m.Imports = []asm.Import{{Module: "channels", Name: "time"}} }), wasm.ErrABI, `"channels"."time" is unknown`},
		{"mistyped import", with(plain, func(m *asm.Module) { m.Imports = []asm.Import{{Module: "channels", Name: "log"}} }), wasm.ErrABI, "has the type () -> (), it must be (i32, i32) -> ()"},
		{"imported memory", with(plain, func(m *asm.Module) {
			m.Raw = map[byte][]byte{2: asm.Cat([]byte{1, 8}, []byte("channels"), []byte{6}, []byte("memory"), []byte{2, 0, 1})}
		}), wasm.ErrNotAccepted, "is a memory"},
		{"memory not exported", with(plain, func(m *asm.Module) { m.Raw = map[byte][]byte{7: {0}} }), wasm.ErrABI, "must be exported as"},
		{"no memory", with(plain, func(m *asm.Module) { m.Pages, m.Data = -1, nil }), wasm.ErrABI, "must be exported as"},
		{"missing effects", with(plain, func(m *asm.Module) { m.Funcs[2].Export = "" }), wasm.ErrABI, `the function "effects" of type (i32, i32) -> (i64) must be exported`},
		{"mistyped reduce", with(plain, func(m *asm.Module) { m.Funcs[3].Params = []byte{asm.I32, asm.I32} }), wasm.ErrABI, `"reduce" has the type (i32, i32) -> (i64), it must be`},
		{"mistyped allocate", with(plain, func(m *asm.Module) { m.Funcs[0].Export, m.Funcs[1].Export = "init", "allocate" }), wasm.ErrABI, `"allocate" has the type (i32, i32) -> (i64), it must be (i32) -> (i32)`},
		{"pages above the limit", with(plain, func(m *asm.Module) { m.Pages = 5 }), wasm.ErrLimit, "the page limit is 4"},
		{"pages above any limit", with(plain, func(m *asm.Module) { m.Pages = 17 }), wasm.ErrLimit, "at most 16"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := load(c.b)
			var e *wasm.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, c.kind)
			require.Contains(t, err.Error(), c.text)
			require.True(t, strings.HasPrefix(err.Error(), "wasm: "))
		})
	}
}

func TestF11_ErrorsNameTheirPlace(t *testing.T) {
	b := reduce(asm.Const32(1), asm.Op(0x92)).Bytes()
	at := bytes.Index(b, []byte{0x41, 1, 0x92}) + 2
	err := load(b)
	var e *wasm.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 3, e.Function)
	require.Equal(t, at, e.Offset)
	require.Equal(t, "f32.add", e.Op)
	require.Regexp(t, `^wasm: function 3, offset 0x[0-9a-f]+: f32\.add is not accepted: floats`, err.Error())
}

func TestF11_HeightCountsReachedCodeOnly(t *testing.T) {
	height := func(code ...[]byte) int {
		m, err := wasm.Decode(reduce(code...).Bytes())
		require.NoError(t, err)
		return m.Functions[3].Height
	}
	require.Equal(t, 1, height())
	require.Equal(t, 3, height(asm.Const32(1), asm.Const32(1), asm.Const32(1), asm.Op(0x1a, 0x1a, 0x1a)))
	require.Equal(t, 1, height(asm.Block(asm.Void, asm.Br(0), asm.Block(asm.Void, asm.Const32(1), asm.Const32(1), asm.Op(0x1a, 0x1a)))))
}

func TestF11_LEB128(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 1<<31 - 1, -1 << 31, 1<<63 - 1, -1 << 63} {
		m, err := wasm.Decode(reduce(asm.Const64(v), asm.Op(0x1a)).Bytes())
		require.NoError(t, err)
		code := m.Instructions(3)
		require.True(t, code.Next())
		require.Equal(t, v, code.In.Const)
	}
}

// FuzzDecode: any bytes give a module or an *Error of a known kind, never a panic, and what is accepted stays within
// the limits.
func FuzzDecode(f *testing.F) {
	f.Add(reduce().Bytes())
	f.Add(reduce(asm.Block(asm.Void, asm.Br(0), asm.Op(0x6a, 0x1a)), asm.Const32(0), asm.Op(0x40, 0, 0x1a)).Bytes())
	f.Add(reduce(asm.Op(0x92)).Bytes())
	f.Add(with(reduce(asm.Const32(0), asm.CallIndirect(0)), func(m *asm.Module) {
		m.Imports, m.Table, m.Elements, m.Start = asm.Host("reject", "keccak256"), 3, []asm.Segment{{Funcs: []uint32{0, 3}}}, 7
		m.Funcs = append(m.Funcs, asm.Func{})
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wasm.Decode(b)
		if err != nil {
			var e *wasm.Error
			if !errors.As(err, &e) || e.Text == "" || e.Offset > len(b) {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, fn := range m.Functions {
			if fn.Height > wasm.MaxHeight || len(fn.Locals) > wasm.MaxLocals {
				t.Fatal("beyond the limits")
			}
		}
		_ = m.CheckABI(wasm.MaxPages)
	})
}
