package meter

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/evmts/channels/derivation/wasm"
)

// Names under which the rewritten module exports what the host reads and resets.
const (
	FuelExport   = "fuel"
	HeightExport = "height"
)

// GlobalExport is the name under which the module's mutable global i is exported.
func GlobalExport(i int) string { return fmt.Sprintf("global %d", i) }

// ErrTooDeep means that one frame alone is above the stack limit, or the rewritten module above a limit of the format.
var ErrTooDeep = errors.New("derivation/meter: the function does not fit on the stack")

// Metered is a rewritten module.
type Metered struct {
	Binary   []byte
	Globals  []int  // indices of the module's mutable globals, each exported as GlobalExport(i)
	Pages    uint32 // at the start
	MaxPages uint32
}

// Rewrite gives the metered form of a module that wasm.Decode and CheckABI accepted. The start function runs with
// startFuel. pageLimit is the largest size of the memory in pages, at least the size it starts with.
//
// In the rewritten module the host functions return an i32: not zero ends the call at once (the instance then holds
// no more than the host knows). channels.reject must always return a value that is not zero.
func Rewrite(m *wasm.Module, pageLimit uint32, startFuel uint64) (*Metered, error) {
	if startFuel > math.MaxInt64 {
		return nil, fmt.Errorf("derivation/meter: start fuel %d does not fit in 63 bits", startFuel)
	}
	return newRewriter(m, pageLimit).rewrite(startFuel)
}

// RewriteAll is Rewrite for looking inside: it keeps the exports that the interface does not require, so that any
// function can be called on its own. pageLimit may be anything.
func RewriteAll(m *wasm.Module, pageLimit uint32, startFuel uint64) (*Metered, error) {
	w := newRewriter(m, pageLimit)
	w.keepAll = true
	return w.rewrite(startFuel)
}

func (w *rewriter) rewrite(startFuel uint64) (*Metered, error) {
	m := w.m
	for i := range m.Functions {
		if err := w.function(i); err != nil {
			return nil, err
		}
	}
	for i, im := range m.Imports {
		w.addHost(uint32(i), im)
	}
	out := &Metered{}
	if m.Memory != nil {
		w.addBulk()
		w.addGrow()
		out.Pages, out.MaxPages = m.Memory.Min, w.maxPages
	}
	for i, g := range m.Globals {
		if g.Mutable {
			out.Globals = append(out.Globals, i)
		}
	}
	out.Binary = w.encode(startFuel, w.exports(out.Globals))
	return out, nil
}

func newRewriter(m *wasm.Module, pageLimit uint32) *rewriter {
	w := &rewriter{
		m: m, maxPages: pageLimit, types: slices.Clone(m.Types),
		fuel: uint32(len(m.Globals)), height: uint32(len(m.Globals)) + 1,
	}
	if m.Memory != nil && m.Memory.HasMax {
		w.maxPages = min(w.maxPages, m.Memory.Max)
	}
	return w
}

type rewriter struct {
	m            *wasm.Module
	maxPages     uint32
	types        []wasm.FuncType
	fuel, height uint32   // indices of the injected globals
	funcs        []uint32 // type of each function in the rewritten code section
	bodies       [][]byte
	keepAll      bool // also the exports that the interface does not require
}

// Indices of the injected functions, behind all the module's own.
func (w *rewriter) host(i uint32) uint32 { return uint32(w.m.FunctionCount()) + i }
func (w *rewriter) copy() uint32         { return uint32(w.m.FunctionCount() + len(w.m.Imports)) }
func (w *rewriter) fill() uint32         { return w.copy() + 1 }
func (w *rewriter) grow() uint32         { return w.copy() + 2 }

// target maps a function index of the module to that of the rewritten one: imports are called through their wrapper.
func (w *rewriter) target(f uint32) uint32 {
	if int(f) < len(w.m.Imports) {
		return w.host(f)
	}
	return f
}

func (w *rewriter) typeOf(t wasm.FuncType) uint32 {
	for i, have := range w.types {
		if have.Equal(t) {
			return uint32(i)
		}
	}
	w.types = append(w.types, t)
	return uint32(len(w.types) - 1)
}

func (w *rewriter) function(i int) error {
	f := &w.m.Functions[i]
	typ := w.m.Types[f.Type]
	params := uint32(len(typ.Params))
	c := &code{w: w, fuelLocal: params + uint32(len(f.Locals)), heightLocal: params + uint32(len(f.Locals)) + 1}
	frame := Frame(w.m, f)
	if frame > StackLimit {
		return fmt.Errorf("%w: function %d needs %d slots, the limit is %d", ErrTooDeep, len(w.m.Imports)+i, frame, StackLimit)
	}
	c.enter(frame, f.Leaf)
	if !f.Leaf {
		// Every way out but a trap ends at this block, where the frame is taken off again.
		c.op(wasm.OpBlock)
		c.b = wasm.AppendI64(c.b, int64(w.typeOf(wasm.FuncType{Results: typ.Results})))
	}
	if err := c.body(w.m.Instructions(i), f, Entry(w.m, f)); err != nil {
		return err
	}
	if !f.Leaf {
		c.addHeight(-int64(frame))
		c.op(wasm.OpEnd)
	}
	w.add(f.Type, append(append([]wasm.ValueType(nil), f.Locals...), wasm.I64, wasm.I32), c.b)
	return nil
}

// add appends a function with its locals and instructions.
func (w *rewriter) add(typ uint32, locals []wasm.ValueType, instructions []byte) {
	var b []byte
	b = wasm.AppendU32(b, uint32(len(locals)))
	for _, t := range locals {
		b = append(b, 1, byte(t))
	}
	w.funcs = append(w.funcs, typ)
	w.bodies = append(w.bodies, append(b, instructions...))
}

// addHost adds the wrapper of an import: charge, call, stop when the host says so.
func (w *rewriter) addHost(i uint32, im wasm.Import) {
	params := len(w.m.Types[im.Type].Params)
	c := &code{w: w, fuelLocal: uint32(params)}
	base, rate := int64(HostCall), int64(NoticeWord)
	if im.Name == "keccak256" {
		base, rate = HashCall, HashWord
	}
	c.chargeWords(base, rate, 1) // every host function has its length second
	for p := range params {
		c.local(wasm.OpLocalGet, uint32(p))
	}
	c.index(wasm.OpCall, i)
	c.trapIf()
	c.op(wasm.OpEnd)
	w.add(im.Type, []wasm.ValueType{wasm.I64}, c.b)
}

func (w *rewriter) addBulk() {
	typ := w.typeOf(wasm.FuncType{Params: []wasm.ValueType{wasm.I32, wasm.I32, wasm.I32}})
	for _, raw := range [][]byte{{0xfc, 10, 0, 0}, {0xfc, 11, 0}} {
		c := &code{w: w, fuelLocal: 3}
		c.chargeWords(0, BulkWord, 2)
		for p := range uint32(3) {
			c.local(wasm.OpLocalGet, p)
		}
		c.b = append(c.b, raw...)
		c.op(wasm.OpEnd)
		w.add(typ, []wasm.ValueType{wasm.I64}, c.b)
	}
}

// addGrow: if size + delta > limit then -1 else charge and grow.
func (w *rewriter) addGrow() {
	typ := w.typeOf(wasm.FuncType{Params: []wasm.ValueType{wasm.I32}, Results: []wasm.ValueType{wasm.I32}})
	c := &code{w: w, fuelLocal: 1}
	c.b = append(c.b, byte(wasm.OpMemorySize), 0, byte(wasm.OpI64ExtendU))
	c.local(wasm.OpLocalGet, 0)
	c.op(wasm.OpI64ExtendU)
	c.b = append(c.b, opI64Add)
	c.constant(int64(w.maxPages))
	c.b = append(c.b, opI64GtU, byte(wasm.OpIf), 0x40, byte(wasm.OpI32Const), 0x7f, byte(wasm.OpReturn), byte(wasm.OpEnd))
	c.charge(func() {
		c.b = append(c.b, byte(wasm.OpMemorySize), 0, byte(wasm.OpI64ExtendU))
		c.local(wasm.OpLocalGet, 0)
		c.op(wasm.OpI64ExtendU)
		c.b = append(c.b, opI64Add)
		c.constant(GrowPage)
		c.b = append(c.b, opI64Mul)
	})
	c.local(wasm.OpLocalGet, 0)
	c.b = append(c.b, byte(wasm.OpMemoryGrow), 0)
	c.op(wasm.OpEnd)
	w.add(typ, []wasm.ValueType{wasm.I64}, c.b)
}
