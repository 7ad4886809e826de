// Package asm writes small WebAssembly binaries, so that the tests of this tree can build modules that no compiler
// would give: malformed, outside of the subset, or at a limit.
package asm

import "github.com/evmts/channels/derivation/wasm"

// Value types, also those that modules may not use.
const (
	I32  = 0x7f
	I64  = 0x7e
	F32  = 0x7d
	F64  = 0x7c
	V128 = 0x7b
	Void = 0x40
)

// Func is a defined function. The final end is added to Body by Bytes.
type Func struct {
	Params, Results, Locals []byte
	Body                    []byte
	Export                  string
}

// Import is an imported function.
type Import struct {
	Module, Name    string
	Params, Results []byte
}

// Global is a global variable.
type Global struct {
	Type    byte
	Mutable bool
	Init    int64
}

// Segment is an active data segment or, with Funcs, an element segment.
type Segment struct {
	At    int32
	Bytes []byte
	Funcs []uint32
}

// Module is what Bytes writes. Types are made from the functions; ExtraTypes come first, so that their indices are known.
type Module struct {
	ExtraTypes [][2][]byte
	Imports    []Import
	Funcs      []Func
	Table      int // entries, 0 = none
	Pages      int // at the start, -1 = no memory
	MaxPages   int // 0 = none
	Globals    []Global
	Exports    []byte // further entries of the export section, ExtraExports many
	Extra      int
	Start      int // index + 1
	Elements   []Segment
	Data       []Segment
	Raw        map[byte][]byte // content of sections, instead of what would be written
}

// U is an unsigned LEB128, S a signed one.
func U(v int) []byte   { return wasm.AppendU32(nil, uint32(v)) }
func S(v int64) []byte { return wasm.AppendI64(nil, v) }

// Cat joins parts of code.
func Cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Op is an instruction without immediates, or several.
func Op(b ...byte) []byte { return b }

func Const32(v int32) []byte           { return append([]byte{0x41}, S(int64(v))...) }
func Const64(v int64) []byte           { return append([]byte{0x42}, S(v)...) }
func Get(i int) []byte                 { return append([]byte{0x20}, U(i)...) }
func Set(i int) []byte                 { return append([]byte{0x21}, U(i)...) }
func Tee(i int) []byte                 { return append([]byte{0x22}, U(i)...) }
func GlobalGet(i int) []byte           { return append([]byte{0x23}, U(i)...) }
func GlobalSet(i int) []byte           { return append([]byte{0x24}, U(i)...) }
func Call(i int) []byte                { return append([]byte{0x10}, U(i)...) }
func CallIndirect(typ int) []byte      { return append(append([]byte{0x11}, U(typ)...), 0) }
func Br(i int) []byte                  { return append([]byte{0x0c}, U(i)...) }
func BrIf(i int) []byte                { return append([]byte{0x0d}, U(i)...) }
func Load(op byte, at int) []byte      { return append([]byte{op, 0}, U(at)...) }
func Store(op byte, at int) []byte     { return append([]byte{op, 0}, U(at)...) }
func Block(t byte, b ...[]byte) []byte { return Cat([]byte{0x02, t}, Cat(b...), []byte{0x0b}) }
func Loop(t byte, b ...[]byte) []byte  { return Cat([]byte{0x03, t}, Cat(b...), []byte{0x0b}) }
func If(t byte, b ...[]byte) []byte    { return Cat([]byte{0x04, t}, Cat(b...), []byte{0x0b}) }

func name(s string) []byte { return append(U(len(s)), s...) }

// Bytes writes the module.
func (m Module) Bytes() []byte {
	types := make([][]byte, 0, len(m.ExtraTypes))
	encode := func(params, results []byte) []byte {
		return Cat([]byte{0x60}, U(len(params)), params, U(len(results)), results)
	}
	for _, t := range m.ExtraTypes {
		types = append(types, encode(t[0], t[1]))
	}
	typeOf := func(params, results []byte) []byte {
		e := encode(params, results)
		for i, t := range types {
			if string(t) == string(e) {
				return U(i)
			}
		}
		types = append(types, e)
		return U(len(types) - 1)
	}
	var imports, funcs, exports, codes, globals, elements, data [][]byte
	for _, im := range m.Imports {
		imports = append(imports, Cat(name(im.Module), name(im.Name), []byte{0}, typeOf(im.Params, im.Results)))
	}
	if m.Pages >= 0 {
		exports = append(exports, Cat(name("memory"), []byte{2, 0}))
	}
	for i, f := range m.Funcs {
		funcs = append(funcs, typeOf(f.Params, f.Results))
		locals := U(len(f.Locals))
		for _, t := range f.Locals {
			locals = append(locals, 1, t)
		}
		body := Cat(locals, f.Body, []byte{0x0b})
		codes = append(codes, Cat(U(len(body)), body))
		if f.Export != "" {
			exports = append(exports, Cat(name(f.Export), []byte{0}, U(len(m.Imports)+i)))
		}
	}
	for _, g := range m.Globals {
		mut := byte(0)
		if g.Mutable {
			mut = 1
		}
		op := byte(0x41)
		if g.Type == I64 {
			op = 0x42
		}
		globals = append(globals, Cat([]byte{g.Type, mut, op}, S(g.Init), []byte{0x0b}))
	}
	for _, e := range m.Elements {
		b := Cat([]byte{0, 0x41}, S(int64(e.At)), []byte{0x0b}, U(len(e.Funcs)))
		for _, f := range e.Funcs {
			b = append(b, U(int(f))...)
		}
		elements = append(elements, b)
	}
	for _, d := range m.Data {
		data = append(data, Cat([]byte{0, 0x41}, S(int64(d.At)), []byte{0x0b}, U(len(d.Bytes)), d.Bytes))
	}
	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	section := func(id byte, entries [][]byte) {
		content, ok := m.Raw[id]
		if !ok {
			if len(entries) == 0 {
				return
			}
			content = Cat(U(len(entries)), Cat(entries...))
		}
		b = Cat(b, []byte{id}, U(len(content)), content)
	}
	section(1, types)
	section(2, imports)
	section(3, funcs)
	if m.Table > 0 {
		section(4, [][]byte{Cat([]byte{0x70, 0}, U(m.Table))})
	} else {
		section(4, nil)
	}
	switch {
	case m.Pages < 0:
		section(5, nil)
	case m.MaxPages > 0:
		section(5, [][]byte{Cat([]byte{1}, U(m.Pages), U(m.MaxPages))})
	default:
		section(5, [][]byte{Cat([]byte{0}, U(m.Pages))})
	}
	section(6, globals)
	if m.Extra > 0 {
		content := Cat(U(len(exports)+m.Extra), Cat(exports...), m.Exports)
		b = Cat(b, []byte{7}, U(len(content)), content)
	} else {
		section(7, exports)
	}
	if m.Start > 0 {
		content := U(m.Start - 1)
		b = Cat(b, []byte{8}, U(len(content)), content)
	}
	section(9, elements)
	section(12, nil)
	section(10, codes)
	section(11, data)
	return b
}

// Reducer is a module with the whole interface whose reduce has the given body. Its function indices are, behind the
// imports: 0 allocate, 1 init, 2 effects, 3 reduce, then more. Global 0 is the end of what allocate gave out, from
// 1024. init and effects return a valid output: terminal 0 and no more, or the ABI's empty array at address 64.
// Locals of reduce: state, stateLen, event, eventLen, then locals.
func Reducer(locals, body []byte, more ...Func) Module {
	return Module{
		Pages:   1,
		Globals: []Global{{I32, true, 1024}},
		Data:    []Segment{{At: 64, Bytes: Cat(make([]byte, 31), []byte{32}, make([]byte, 32))}},
		Funcs: append([]Func{
			{Params: []byte{I32}, Results: []byte{I32}, Export: "allocate",
				Body: Cat(GlobalGet(0), GlobalGet(0), Get(0), Op(0x6a), GlobalSet(0))},
			{Params: []byte{I32, I32}, Results: []byte{I64}, Export: "init", Body: Result(0, 1)},
			{Params: []byte{I32, I32}, Results: []byte{I64}, Export: "effects", Body: Result(64, 64)},
			{Params: []byte{I32, I32, I32, I32}, Results: []byte{I64}, Locals: locals, Body: body, Export: "reduce"},
		}, more...),
	}
}

// Result is the i64 that names an output.
func Result(ptr, size int64) []byte { return Const64(ptr<<32 | size) }

// Host is an import of the host functions, by name.
func Host(names ...string) []Import {
	var out []Import
	for _, n := range names {
		params := []byte{I32, I32}
		if n == "keccak256" {
			params = []byte{I32, I32, I32}
		}
		out = append(out, Import{Module: "channels", Name: n, Params: params})
	}
	return out
}
