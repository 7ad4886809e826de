// Package modgen makes random modules that are valid, so that the engines can be compared on programs that no compiler
// would write. The bytes given decide every choice: native fuzzing can drive it, and the same bytes give the same module
// everywhere.
//
// A module has the whole interface. Its reduce takes its operands from the event and goes through structured control
// flow of every kind (values on the way out of blocks, dead code, br_table), calls, calls through a table with null,
// host and mistyped elements, globals of both types, loads and stores of every width, memory.copy, fill and grow, all
// numeric instructions, traps and host calls. Loops need not end: fuel ends them.
package modgen

import (
	"github.com/evmts/channels/derivation/internal/asm"
)

// Module is a generated module and the limits it is meant to run with.
type Module struct {
	Binary    []byte
	FuelLimit uint64
	PageLimit uint32
}

// signature of a function or block.
type signature struct{ params, results []byte }

const i32, i64 = asm.I32, asm.I64

// signatures are the types of generated functions, blocks and indirect calls, by index in the module.
var signatures = []signature{
	{nil, nil},
	{[]byte{i32}, []byte{i32}},
	{[]byte{i64}, []byte{i64}},
	{[]byte{i32, i64}, []byte{i64}},
	{[]byte{i32, i32, i32}, []byte{i32}},
	{nil, []byte{i64, i32}},
	{[]byte{i64, i64}, nil},
	{[]byte{i32}, []byte{i32, i64}},
	{[]byte{i32, i32}, nil}, // also that of reject, log and emit
	{nil, []byte{i32}},
	{nil, []byte{i64}},
}

// Indices in a generated module.
const (
	keccak     = 0
	imports    = 4 // keccak256, reject, log, emit
	generated  = imports + 4
	scratch    = 2048 // memory that reduce returns begins here
	globalBase = 1    // global 0 is the allocator's
)

// Generate makes a module. Any bytes give a valid one; when they run out, the simplest choices are made.
func Generate(data []byte) Module {
	g := &generator{choices: data}
	m := asm.Reducer(nil, nil)
	for _, s := range signatures {
		m.ExtraTypes = append(m.ExtraTypes, [2][]byte{s.params, s.results})
	}
	m.Imports = asm.Host("keccak256", "reject", "log", "emit")
	m.Pages, m.MaxPages = 1, g.below(4)
	for range 1 + g.below(4) {
		t := g.valueType()
		g.globals = append(g.globals, t)
		m.Globals = append(m.Globals, asm.Global{Type: t, Mutable: true, Init: int64(int32(g.interesting()))})
	}
	for range g.below(6) {
		g.functions = append(g.functions, g.below(len(signatures)))
	}
	m.Table = 1 + g.below(6)
	for i := range m.Table {
		if f := g.below(len(g.functions) + 4); f > 0 {
			target := f // 1, 2, 3: reject, log, emit
			if f > 3 {
				target = generated + f - 4
			}
			m.Elements = append(m.Elements, asm.Segment{At: int32(i), Funcs: []uint32{uint32(target)}})
		}
	}
	for range g.below(3) {
		b := make([]byte, g.below(40))
		for i := range b {
			b[i] = g.byte()
		}
		m.Data = append(m.Data, asm.Segment{At: int32(g.below(60000)), Bytes: b})
	}
	g.table = m.Table
	for _, s := range g.functions {
		m.Funcs = append(m.Funcs, g.function(signatures[s]))
	}
	reduce := g.function(signature{[]byte{i32, i32, i32, i32}, []byte{i64}})
	m.Funcs[3].Locals, m.Funcs[3].Body = reduce.Locals, reduce.Body
	if g.below(8) == 1 {
		start := g.function(signature{})
		m.Funcs = append(m.Funcs, start)
		m.Start = imports + len(m.Funcs)
	}
	return Module{Binary: m.Bytes(), FuelLimit: 10_000 + uint64(g.byte())*400, PageLimit: 1 + uint32(g.below(4))}
}

// generator spends choices.
type generator struct {
	choices   []byte
	globals   []byte // types, without the allocator's
	functions []int  // signatures
	table     int

	// Of the function that is being written.
	locals []byte
	labels [][]byte // types that a branch to each takes, the innermost last
	budget int      // instructions that may still be written, roughly
	code   []byte
}

func (g *generator) byte() byte {
	if len(g.choices) == 0 {
		return 0
	}
	b := g.choices[0]
	g.choices = g.choices[1:]
	return b
}

func (g *generator) below(n int) int { return int(g.byte()) % n }

func (g *generator) valueType() byte { return []byte{i32, i64}[g.below(2)] }

// interesting is a number that is at an edge more often than not.
func (g *generator) interesting() int64 {
	switch k := g.below(16); {
	case k < 10:
		return []int64{0, 1, -1, 2, 1 << 31, -1 << 31, 1<<63 - 1, -1 << 63, 255, 65535}[k]
	case k < 13:
		return int64(g.byte())
	}
	v := int64(0)
	for range 8 {
		v = v<<8 | int64(g.byte())
	}
	return v
}

func (g *generator) put(parts ...[]byte) {
	for _, p := range parts {
		g.code = append(g.code, p...)
	}
	g.budget--
}

// function writes a function of a type.
func (g *generator) function(s signature) asm.Func {
	f := asm.Func{Params: s.params, Results: s.results}
	for range g.below(6) {
		f.Locals = append(f.Locals, g.valueType())
	}
	g.locals = append(append([]byte(nil), s.params...), f.Locals...)
	g.labels, g.code, g.budget = [][]byte{s.results}, nil, 20+g.below(120)
	if len(s.params) == 4 { // reduce: let the event decide
		g.fromEvent()
	}
	for range 1 + g.below(8) {
		g.statement(0)
	}
	if len(s.params) == 4 {
		g.report()
	} else {
		for _, t := range s.results {
			g.expression(t, 1)
		}
	}
	f.Body = g.code
	return f
}

// fromEvent sets locals and globals from the event's bytes, which the allocator put at local 2.
func (g *generator) fromEvent() {
	for i, t := range g.globals {
		g.put(asm.Get(2), asm.Load(map[byte]byte{i32: 0x28, i64: 0x29}[t], 8*i), asm.GlobalSet(globalBase+i))
	}
	for i, t := range g.locals[4:] {
		g.put(asm.Get(2), asm.Load(map[byte]byte{i32: 0x28, i64: 0x29}[t], 5*i), asm.Set(4+i))
	}
}

// report stores locals and globals where the output is and returns it; sometimes it returns anything.
func (g *generator) report() {
	at := 1
	value := func(t byte, get []byte) {
		g.put(asm.Const32(scratch), get, asm.Store(map[byte]byte{i32: 0x36, i64: 0x37}[t], at))
		at += 8
	}
	for i, t := range g.locals {
		value(t, asm.Get(i))
	}
	for i, t := range g.globals {
		value(t, asm.GlobalGet(globalBase+i))
	}
	if g.below(16) == 1 {
		g.expression(i64, 1)
		return
	}
	g.put(asm.Const32(scratch), asm.Const32(0), asm.Store(0x3a, 0), asm.Result(scratch, int64(at)))
}

// local picks a local of a type.
func (g *generator) local(t byte) (int, bool) {
	if len(g.locals) == 0 {
		return 0, false
	}
	first := g.below(len(g.locals))
	for i := range g.locals {
		if at := (first + i) % len(g.locals); g.locals[at] == t {
			return at, true
		}
	}
	return 0, false
}

func (g *generator) global(t byte) (int, bool) {
	first := g.below(len(g.globals))
	for i := range g.globals {
		if at := (first + i) % len(g.globals); g.globals[at] == t {
			return globalBase + at, true
		}
	}
	return 0, false
}

// label picks a label that takes the given types; depth counts from the innermost.
func (g *generator) label(types []byte) (depth int, ok bool) {
	first := g.below(len(g.labels))
	for i := range g.labels {
		at := (first + i) % len(g.labels)
		if string(g.labels[at]) == string(types) {
			return len(g.labels) - 1 - at, true
		}
	}
	return 0, false
}

func (g *generator) expressions(types []byte, depth int) {
	for _, t := range types {
		g.expression(t, depth)
	}
}

// store takes the operands of the given types off the stack, into locals or nowhere.
func (g *generator) store(types []byte) {
	for i := len(types) - 1; i >= 0; i-- {
		if at, ok := g.local(types[i]); ok && g.below(3) > 0 {
			g.put(asm.Set(at))
		} else {
			g.put(asm.Op(0x1a))
		}
	}
}

// nested writes a block, loop or if of a type: what comes after op is written inside, with the parameters as operands.
func (g *generator) nested(op byte, typ []byte, s signature, inside func()) {
	g.put(append([]byte{op}, typ...))
	label := s.results
	if op == 0x03 {
		label = s.params
	}
	g.labels = append(g.labels, label)
	inside()
	g.labels = g.labels[:len(g.labels)-1]
	g.put(asm.Op(0x0b))
}

// blockType is how a block names signature i: by its index, or the short way.
func (g *generator) blockType(i int) []byte {
	s := signatures[i]
	if len(s.params) == 0 && len(s.results) < 2 && g.below(2) == 0 {
		if len(s.results) == 0 {
			return []byte{asm.Void}
		}
		return s.results
	}
	return asm.S(int64(i))
}

const maxDepth = 7

func (g *generator) deep(depth int) bool { return depth > maxDepth || g.budget <= 0 }
