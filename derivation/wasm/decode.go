package wasm

import (
	"bytes"
	"fmt"
)

const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
)

// order is the place of each section in the file: the data count comes between elements and code.
var order = [...]int{sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionGlobal: 6,
	sectionExport: 7, sectionStart: 8, sectionElement: 9, sectionDataCount: 10, sectionCode: 11, sectionData: 12}

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

type decoder struct {
	reader
	m         *Module
	declared  []uint32 // type of each defined function, from the function section
	dataCount *uint32
}

// Decode reads and validates a binary. The error is an *Error whose kind is one of the Err… values. The module refers
// to the bytes of binary, which must not be changed afterwards.
func Decode(binary []byte) (*Module, error) {
	if len(binary) > MaxBinaryBytes {
		return nil, fail(ErrLimit, -1, "the file has %d bytes, at most %d are allowed; strip debug information and optimise for size", len(binary), MaxBinaryBytes)
	}
	if len(binary) < 8 || !bytes.Equal(binary[:4], []byte("\x00asm")) {
		return nil, fail(ErrMalformed, 0, "this is not a WebAssembly file: it does not start with \\0asm")
	}
	if !bytes.Equal(binary[4:8], []byte{1, 0, 0, 0}) {
		return nil, fail(ErrMalformed, 4, "version %x of the binary format is not known; modules are core modules of version 1, not components", binary[4:8])
	}
	d := &decoder{reader: reader{binary, 8, len(binary)}, m: &Module{}}
	if err := d.sections(); err != nil {
		return nil, err
	}
	if err := d.consistent(); err != nil {
		return nil, err
	}
	flow := 0
	for i := range d.m.Functions {
		if err := d.m.validate(i); err != nil {
			return nil, err
		}
		if flow += d.m.Functions[i].Flow; flow > MaxModuleFlow {
			return nil, fail(ErrLimit, -1, "the module would take too long to compile: branches × locals are limited to %d over all functions; make functions smaller", MaxModuleFlow)
		}
	}
	return d.m, nil
}

func (d *decoder) sections() error {
	last, customs := 0, 0
	for d.left() > 0 {
		start := d.pos
		id, err := d.byte("a section")
		if err != nil {
			return err
		}
		size, err := d.u32("the size of a section")
		if err != nil {
			return err
		}
		if uint64(size) > uint64(d.left()) {
			return fail(ErrMalformed, start, "section %d claims %d bytes, only %d are left", id, size, d.left())
		}
		whole := d.end
		d.end = d.pos + int(size)
		if id == sectionCustom {
			if customs++; customs > MaxCustom {
				return fail(ErrLimit, start, "more than %d custom sections", MaxCustom)
			}
			if _, err := d.name("the name of a custom section"); err != nil {
				return err
			}
			d.pos = d.end
		} else {
			if int(id) >= len(order) {
				if id == 13 {
					return fail(ErrNotAccepted, start, "exception tags are not accepted: compile without exceptions")
				}
				return fail(ErrMalformed, start, "there is no section %d", id)
			}
			if order[id] <= last {
				return fail(ErrMalformed, start, "the %s section is out of order or given twice", sectionNames[id])
			}
			last = order[id]
			if err := d.section(id); err != nil {
				return err
			}
			if d.pos != d.end {
				return fail(ErrMalformed, d.pos, "the %s section is %d bytes longer than its content", sectionNames[id], d.end-d.pos)
			}
		}
		d.end = whole
	}
	return nil
}

func (d *decoder) section(id byte) error {
	switch id {
	case sectionType:
		return d.vector(MaxTypes, "types", d.funcType)
	case sectionImport:
		return d.vector(MaxImports, "imports", d.importEntry)
	case sectionFunction:
		return d.vector(MaxFunctions, "functions", func(int) error {
			start := d.pos
			t, err := d.u32("a type index")
			if err == nil && int(t) >= len(d.m.Types) {
				err = fail(ErrInvalid, start, "function %d has type %d, there are %d types", len(d.m.Imports)+len(d.declared), t, len(d.m.Types))
			}
			d.declared = append(d.declared, t)
			return err
		})
	case sectionTable:
		return d.table()
	case sectionMemory:
		return d.memory()
	case sectionGlobal:
		return d.vector(MaxGlobals, "globals", d.global)
	case sectionExport:
		return d.vector(MaxExports, "exports", d.export)
	case sectionStart:
		f, err := d.u32("the start function")
		d.m.Start = &f
		return err
	case sectionElement:
		return d.vector(MaxElements, "element segments", d.element)
	case sectionDataCount:
		n, err := d.u32("the data count")
		d.dataCount = &n
		return err
	case sectionCode:
		return d.vector(MaxFunctions, "function bodies", d.body)
	default:
		return d.vector(MaxDataSegments, "data segments", d.data)
	}
}

func (d *decoder) vector(max int, what string, entry func(i int) error) error {
	n, err := d.count(max, what)
	if err != nil {
		return err
	}
	for i := range n {
		if err := entry(i); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) valueType(where string) (ValueType, error) {
	start := d.pos
	b, err := d.byte(where)
	if err != nil {
		return 0, err
	}
	switch t := ValueType(b); t {
	case I32, I64:
		return t, nil
	case 0x7d, 0x7c:
		return 0, fail(ErrNotAccepted, start, "%s in %s is not accepted: floats are not deterministic; use integers or fixed-point numbers", t, where)
	case 0x7b:
		return 0, fail(ErrNotAccepted, start, "v128 in %s is not accepted: SIMD is outside of the subset", where)
	case 0x70, 0x6f:
		return 0, fail(ErrNotAccepted, start, "%s in %s is not accepted: reference types are outside of the subset", t, where)
	}
	return 0, fail(ErrMalformed, start, "0x%02x in %s is not a value type", b, where)
}

func (d *decoder) valueTypes(max int, what, where string) ([]ValueType, error) {
	n, err := d.count(max, what)
	if err != nil {
		return nil, err
	}
	ts := make([]ValueType, n)
	for i := range ts {
		if ts[i], err = d.valueType(where); err != nil {
			return nil, err
		}
	}
	return ts, nil
}

func (d *decoder) funcType(i int) error {
	start := d.pos
	form, err := d.byte("a type")
	if err != nil {
		return err
	}
	if form != 0x60 {
		return fail(ErrMalformed, start, "type %d has the form 0x%02x; only function types exist in the subset", i, form)
	}
	where := fmt.Sprintf("type %d", i)
	var t FuncType
	if t.Params, err = d.valueTypes(MaxParams, "parameters", where); err != nil {
		return err
	}
	if t.Results, err = d.valueTypes(MaxResults, "results", where); err != nil {
		return err
	}
	d.m.Types = append(d.m.Types, t)
	return nil
}

func (d *decoder) importEntry(i int) error {
	start := d.pos
	mod, err := d.name("the module of an import")
	if err != nil {
		return err
	}
	name, err := d.name("the name of an import")
	if err != nil {
		return err
	}
	kind, err := d.byte("an import")
	if err != nil {
		return err
	}
	if kind != byte(ExternFunction) {
		return fail(ErrNotAccepted, start, "the import %q.%q is a %s: only functions of \"channels\" can be imported; define the memory, tables and globals in the module", mod, name, ExternKind(kind))
	}
	t, err := d.u32("the type of an import")
	if err != nil {
		return err
	}
	if int(t) >= len(d.m.Types) {
		return fail(ErrInvalid, start, "the import %q.%q has type %d, there are %d types", mod, name, t, len(d.m.Types))
	}
	d.m.Imports = append(d.m.Imports, Import{mod, name, t, start})
	return nil
}

func (d *decoder) limits(what string, max uint32) (Range, error) {
	rg := Range{Offset: d.pos}
	flags, err := d.byte(what)
	if err != nil {
		return rg, err
	}
	switch {
	case flags >= 4 && flags < 8:
		return rg, fail(ErrNotAccepted, rg.Offset, "a 64-bit %s is not accepted: compile for wasm32", what)
	case flags >= 2 && flags < 4:
		return rg, fail(ErrNotAccepted, rg.Offset, "a shared %s is not accepted: threads are not deterministic", what)
	case flags >= 8:
		return rg, fail(ErrMalformed, rg.Offset, "the limits of the %s have the flags 0x%02x", what, flags)
	}
	if rg.Min, err = d.u32("the minimum of the " + what); err != nil {
		return rg, err
	}
	if rg.HasMax = flags == 1; rg.HasMax {
		if rg.Max, err = d.u32("the maximum of the " + what); err != nil {
			return rg, err
		}
		if rg.Max < rg.Min {
			return rg, fail(ErrInvalid, rg.Offset, "the maximum of the %s is below its minimum", what)
		}
	}
	if rg.Min > max {
		return rg, fail(ErrLimit, rg.Offset, "the %s starts with %d, at most %d are allowed", what, rg.Min, max)
	}
	return rg, nil
}

func (d *decoder) table() error {
	start := d.pos
	n, err := d.count(2, "tables")
	if err != nil || n == 0 {
		return err
	}
	if n > 1 {
		return fail(ErrNotAccepted, start, "more than one table is not accepted")
	}
	start = d.pos
	t, err := d.byte("the table")
	if err != nil {
		return err
	}
	if t != 0x70 {
		return fail(ErrNotAccepted, start, "a table of %s is not accepted: tables hold functions", ValueType(t))
	}
	rg, err := d.limits("table (in entries)", MaxTableEntries)
	d.m.Table = &rg
	return err
}

func (d *decoder) memory() error {
	start := d.pos
	n, err := d.count(2, "memories")
	if err != nil || n == 0 {
		return err
	}
	if n > 1 {
		return fail(ErrNotAccepted, start, "more than one memory is not accepted")
	}
	rg, err := d.limits("memory (in pages of 64 KiB)", MaxPages)
	if err == nil && rg.HasMax && rg.Max > 65536 {
		err = fail(ErrInvalid, rg.Offset, "the maximum of the memory is above 65536 pages")
	}
	d.m.Memory = &rg
	return err
}

// constant reads an initialiser: one constant and end. Imported globals, which MVP's global.get may name, cannot exist.
func (d *decoder) constant(want ValueType, where string) (uint64, error) {
	start := d.pos
	b, err := d.byte(where)
	if err != nil {
		return 0, err
	}
	var v int64
	switch {
	case Opcode(b) == OpI32Const:
		v, err = d.sint(32, "a constant")
		v = int64(uint32(v))
	case Opcode(b) == OpI64Const:
		v, err = d.sint(64, "a constant")
	case b == 0x43 || b == 0x44 || b == 0xd2 || b == 0xd0 || b == 0xfd:
		err = fail(ErrNotAccepted, start, "%s in %s %s", Opcode(b), where, refusal(Opcode(b)))
	case Opcode(b) == OpGlobalGet:
		err = fail(ErrNotAccepted, start, "global.get in %s is not accepted: it may name imported globals only, and those do not exist", where)
	default:
		err = fail(ErrInvalid, start, "%s is not constant: one i32.const or i64.const is expected", where)
	}
	if err != nil {
		return 0, err
	}
	if got := map[Opcode]ValueType{OpI32Const: I32, OpI64Const: I64}[Opcode(b)]; got != want {
		return 0, fail(ErrInvalid, start, "%s is an %s, not an %s", where, got, want)
	}
	end, err := d.byte(where)
	if err == nil && Opcode(end) != OpEnd {
		err = fail(ErrNotAccepted, start, "%s is more than one constant: extended constant expressions are not accepted", where)
	}
	return uint64(v), err
}

func (d *decoder) global(i int) error {
	where := fmt.Sprintf("global %d", i)
	t, err := d.valueType(where)
	if err != nil {
		return err
	}
	start := d.pos
	mut, err := d.byte(where)
	if err != nil {
		return err
	}
	if mut > 1 {
		return fail(ErrMalformed, start, "%s has the mutability %d", where, mut)
	}
	v, err := d.constant(t, "the initial value of "+where)
	d.m.Globals = append(d.m.Globals, Global{t, mut == 1, v})
	return err
}

func (d *decoder) export(i int) error {
	e := Export{Offset: d.pos}
	var err error
	if e.Name, err = d.name("the name of an export"); err != nil {
		return err
	}
	start := d.pos
	kind, err := d.byte("an export")
	if err != nil {
		return err
	}
	if e.Kind = ExternKind(kind); e.Kind > ExternGlobal {
		return fail(ErrMalformed, start, "the export %q is of kind %d", e.Name, kind)
	}
	e.Index, err = d.u32("the index of an export")
	d.m.Exports = append(d.m.Exports, e)
	return err
}

func (d *decoder) element(i int) error {
	start := d.pos
	flags, err := d.u32("an element segment")
	if err != nil {
		return err
	}
	if flags != 0 {
		return fail(ErrNotAccepted, start, "element segment %d is of kind %d: only active segments of table 0 that list function indices are accepted", i, flags)
	}
	where := fmt.Sprintf("the offset of element segment %d", i)
	at, err := d.constant(I32, where)
	if err != nil {
		return err
	}
	n, err := d.count(MaxTableEntries, "entries of an element segment")
	if err != nil {
		return err
	}
	if d.m.Table == nil {
		return fail(ErrInvalid, start, "element segment %d needs a table", i)
	}
	if at+uint64(n) > uint64(d.m.Table.Min) {
		return fail(ErrInvalid, start, "element segment %d does not fit in the table", i)
	}
	seg := Element{At: uint32(at), Functions: make([]uint32, n)}
	for j := range seg.Functions {
		if seg.Functions[j], err = d.u32("a function index"); err != nil {
			return err
		}
	}
	d.m.Elements = append(d.m.Elements, seg)
	return nil
}

func (d *decoder) data(i int) error {
	start := d.pos
	flags, err := d.u32("a data segment")
	if err != nil {
		return err
	}
	switch flags {
	case 0:
	case 1:
		return fail(ErrNotAccepted, start, "data segment %d is passive: only active ones are accepted", i)
	default:
		return fail(ErrNotAccepted, start, "data segment %d is of kind %d: only active segments of memory 0 are accepted", i, flags)
	}
	at, err := d.constant(I32, fmt.Sprintf("the offset of data segment %d", i))
	if err != nil {
		return err
	}
	n, err := d.u32("the length of a data segment")
	if err != nil {
		return err
	}
	b, err := d.bytes(n, "a data segment")
	if err != nil {
		return err
	}
	if d.m.Memory == nil {
		return fail(ErrInvalid, start, "data segment %d needs a memory", i)
	}
	if at+uint64(n) > uint64(d.m.Memory.Min)*PageSize {
		return fail(ErrInvalid, start, "data segment %d does not fit in the memory", i)
	}
	d.m.Data = append(d.m.Data, Data{uint32(at), b})
	return nil
}

// body reads the locals; the instructions are validated when all sections are known.
func (d *decoder) body(i int) error {
	start := d.pos
	if i >= len(d.declared) {
		return fail(ErrMalformed, start, "there are more function bodies than functions (%d)", len(d.declared))
	}
	size, err := d.u32("the size of a function body")
	if err != nil {
		return err
	}
	if size > MaxFunctionBytes {
		return d.inFunction(i, fail(ErrLimit, start, "the body has %d bytes, at most %d are allowed; split the function", size, MaxFunctionBytes))
	}
	if uint64(size) > uint64(d.left()) {
		return d.inFunction(i, fail(ErrMalformed, start, "the body claims %d bytes, only %d are left", size, d.left()))
	}
	r := reader{d.b, d.pos, d.pos + int(size)}
	d.pos = r.end
	f := Function{Type: d.declared[i]}
	params := len(d.m.Types[f.Type].Params)
	runs, err := r.count(MaxLocals, "groups of locals")
	if err != nil {
		return d.inFunction(i, err)
	}
	sub := &decoder{reader: r}
	for range runs {
		at := sub.pos
		n, err := sub.u32("the number of locals")
		if err != nil {
			return d.inFunction(i, err)
		}
		if uint64(params)+uint64(len(f.Locals))+uint64(n) > MaxLocals {
			return d.inFunction(i, fail(ErrLimit, at, "more than %d parameters and locals; optimise the module or split the function", MaxLocals))
		}
		t, err := sub.valueType("the locals")
		if err != nil {
			return d.inFunction(i, err)
		}
		for range n {
			f.Locals = append(f.Locals, t)
		}
	}
	f.Offset, f.Body = sub.pos, d.b[sub.pos:sub.end]
	d.m.Functions = append(d.m.Functions, f)
	return nil
}

func (d *decoder) inFunction(i int, err error) error {
	if e, ok := err.(*Error); ok {
		e.Function = len(d.m.Imports) + i
	}
	return err
}

// consistent checks what needs more than one section.
func (d *decoder) consistent() error {
	m := d.m
	if len(d.declared) != len(m.Functions) {
		return fail(ErrMalformed, -1, "%d functions are declared, %d have a body", len(d.declared), len(m.Functions))
	}
	if d.dataCount != nil && int(*d.dataCount) != len(m.Data) {
		return fail(ErrMalformed, -1, "the data count is %d, there are %d data segments", *d.dataCount, len(m.Data))
	}
	seen := make(map[string]bool, len(m.Exports))
	for _, e := range m.Exports {
		if seen[e.Name] {
			return fail(ErrInvalid, e.Offset, "the export %q is given twice", e.Name)
		}
		seen[e.Name] = true
		n := 0
		switch e.Kind {
		case ExternFunction:
			n = m.FunctionCount()
		case ExternTable:
			if m.Table != nil {
				n = 1
			}
		case ExternMemory:
			if m.Memory != nil {
				n = 1
			}
		case ExternGlobal:
			n = len(m.Globals)
		}
		if uint64(e.Index) >= uint64(n) {
			return fail(ErrInvalid, e.Offset, "the export %q names %s %d, which does not exist", e.Name, e.Kind, e.Index)
		}
	}
	for i, seg := range m.Elements {
		for _, f := range seg.Functions {
			if uint64(f) >= uint64(m.FunctionCount()) {
				return fail(ErrInvalid, -1, "element segment %d names function %d, which does not exist", i, f)
			}
		}
	}
	if m.Start != nil {
		if uint64(*m.Start) >= uint64(m.FunctionCount()) {
			return fail(ErrInvalid, -1, "the start function %d does not exist", *m.Start)
		}
		if t := m.FunctionType(*m.Start); len(t.Params) != 0 || len(t.Results) != 0 {
			return fail(ErrInvalid, -1, "the start function %d has the type %s, not () -> ()", *m.Start, t)
		}
	}
	return nil
}
