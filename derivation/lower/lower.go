package lower

import (
	"fmt"

	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// Lowered is what Lower gives.
type Lowered struct {
	Program *Program // memory and globals as they are before the start function
	Start   int      // function to run before anything else, -1 = none
	Offsets []uint32 // in the .wasm file, of the WebAssembly instruction that each instruction of Code comes from
}

// Lower translates a module that wasm.Decode accepted. Its imports must be host functions (wasm.Module.CheckABI). The
// error wraps ErrModule or meter.ErrTooDeep.
func Lower(m *wasm.Module) (*Lowered, error) {
	l := &lowering{m: m, out: &Lowered{Program: &Program{Entries: [EntryCount]uint32{None, None, None, None}}, Start: -1}, pool: make(map[uint64]uint32)}
	for t := range m.Types {
		l.types = append(l.types, uint16(m.TypeID(uint32(t))))
	}
	for _, im := range m.Imports {
		host, ok := hostNumber(im.Name)
		if !ok || im.Module != wasm.HostModule {
			return nil, fmt.Errorf("%w: the import %q.%q is unknown", ErrModule, im.Module, im.Name)
		}
		l.hosts = append(l.hosts, host)
	}
	for i := range m.Functions {
		if err := l.function(i); err != nil {
			return nil, err
		}
	}
	p := l.out.Program
	for i, in := range p.Code { // functions are known now
		if in.Op == Call {
			p.Code[i].C = p.Functions[in.C].Entry
		}
	}
	if len(p.Code) > MaxInstructions || len(p.Constants) > MaxConstants {
		return nil, fmt.Errorf("%w: %d instructions and %d constants, allowed are %d and %d; make the module smaller", ErrModule, len(p.Code), len(p.Constants), MaxInstructions, MaxConstants)
	}
	l.data()
	for _, e := range m.Exports {
		for i, name := range EntryNames {
			if e.Kind == wasm.ExternFunction && e.Name == name && int(e.Index) >= len(m.Imports) && m.FunctionType(e.Index).Equal(wasm.Required[name]) {
				p.Entries[i] = e.Index - uint32(len(m.Imports))
			}
		}
	}
	if m.Start != nil {
		if int(*m.Start) < len(m.Imports) { // cannot be: no host function has its type
			return nil, fmt.Errorf("%w: the start function is imported", ErrModule)
		}
		l.out.Start = int(*m.Start) - len(m.Imports)
	}
	return l.out, nil
}

// data lays out memory, globals and table. The segments fit: Decode refuses those that do not.
func (l *lowering) data() {
	m, p := l.m, l.out.Program
	for _, g := range m.Globals {
		p.Globals = append(p.Globals, g.Init)
	}
	if m.Memory != nil {
		p.Memory = make([]byte, int(m.Memory.Min)*wasm.PageSize)
		p.MaxPages = wasm.MaxPages
		if m.Memory.HasMax {
			p.MaxPages = min(p.MaxPages, m.Memory.Max)
		}
		for _, d := range m.Data {
			copy(p.Memory[d.At:], d.Bytes)
		}
	}
	if m.Table != nil {
		p.Table = make([]Element, m.Table.Min)
		for _, e := range m.Elements {
			for i, f := range e.Functions {
				p.Table[int(e.At)+i] = l.element(f)
			}
		}
	}
}

func (l *lowering) element(f uint32) Element {
	typ := l.types[l.m.TypeIndex(f)]
	if int(f) < len(l.hosts) {
		return Element{Kind: ElementHost + l.hosts[f], Type: typ}
	}
	return Element{Kind: ElementFunction, Type: typ, Function: f - uint32(len(l.hosts))}
}

type lowering struct {
	m     *wasm.Module
	out   *Lowered
	hosts []uint16 // number of the host function by import
	types []uint16 // number of the first equal type by type
	pool  map[uint64]uint32

	// Of the function that is being lowered.
	offset  uint32
	results int
	height  int // of the operands, after the instruction so far
	blocks  []block
	fuel    int    // the open basic block's Fuel
	unwound uint16 // operands that the branch moves which is being lowered
	dead    bool   // nothing reaches what follows
	deep    int    // blocks that were opened in dead code
	fail    error
}

// block is an open block of the module.
type block struct {
	loop          bool
	base          int // operands below it
	params, arity int // arity: results
	start         uint32
	otherwise     int   // JumpUnless of an if whose else has not come, or -1
	exits         []int // instructions whose C is the end
}

func (l *lowering) emit(op Op, b uint16, c uint32) int {
	p := l.out.Program
	p.Code = append(p.Code, Instr{op, b, c})
	l.out.Offsets = append(l.out.Offsets, l.offset)
	return len(p.Code) - 1
}

func (l *lowering) here() uint32 { return uint32(len(l.out.Program.Code)) }

// begin opens a basic block, at the points that package meter names.
func (l *lowering) begin() { l.fuel, l.dead = l.emit(Fuel, 0, meter.Block), false }

func (l *lowering) charge(fuel uint64) { l.out.Program.Code[l.fuel].C += uint32(fuel) }

func (l *lowering) function(i int) error {
	f := &l.m.Functions[i]
	typ := l.m.Types[f.Type]
	params, locals := len(typ.Params), len(typ.Params)+len(f.Locals)
	frame := meter.Frame(l.m, f)
	if frame > meter.StackLimit {
		return fmt.Errorf("%w: function %d needs %d slots, the limit is %d", meter.ErrTooDeep, len(l.m.Imports)+i, frame, meter.StackLimit)
	}
	l.out.Program.Functions = append(l.out.Program.Functions, Function{Entry: l.here(), Type: l.types[f.Type],
		Params: uint8(params), Results: uint8(len(typ.Results)), Locals: uint16(locals), Height: uint16(f.Height)})
	l.offset, l.results, l.height, l.deep = uint32(f.Offset), len(typ.Results), 0, 0
	l.blocks = append(l.blocks[:0], block{arity: len(typ.Results), otherwise: -1})
	l.emit(Enter, uint16(i), uint32(params)<<24|uint32(locals)<<12|frame)
	l.begin()
	l.charge(meter.Entry(l.m, f))
	in := l.m.Instructions(i)
	unwinds := f.Unwind
	for in.Next() {
		l.offset, l.unwound = uint32(in.In.Offset), 0
		if in.In.Op.Branches() {
			l.unwound, unwinds = unwinds[0], unwinds[1:]
		}
		if !l.skipped(&in.In) {
			l.instr(&in.In)
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return l.fail
}

// skipped drops what no path reaches.
func (l *lowering) skipped(in *wasm.Instr) bool {
	if !l.dead {
		return false
	}
	switch in.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		l.deep++
		return true
	case wasm.OpElse, wasm.OpEnd:
		if l.deep == 0 {
			return false
		}
		if in.Op == wasm.OpEnd {
			l.deep--
		}
	}
	return true
}

func (l *lowering) instr(in *wasm.Instr) {
	if !l.dead {
		l.charge(meter.Charge(in, l.unwound, uint32(len(l.blocks)-1)))
	}
	switch in.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf, wasm.OpElse, wasm.OpEnd:
		l.structured(in)
	case wasm.OpBr:
		l.branch(in.Index)
		l.dead = true
	case wasm.OpBrIf:
		l.height--
		b := l.label(in.Index)
		if drop, _ := l.excess(b); drop == 0 && b != &l.blocks[0] {
			l.jump(JumpIf, b)
		} else {
			over := l.emit(JumpUnless, 0, 0)
			l.branch(in.Index)
			l.out.Program.Code[over].C = l.here()
		}
		l.begin()
	case wasm.OpBrTable:
		l.table(in.Targets)
		l.dead = true
	case wasm.OpReturn:
		l.branch(uint32(len(l.blocks) - 1))
		l.dead = true
	case wasm.OpUnreachable:
		l.emit(Unreachable, 0, 0)
		l.dead = true
	default:
		l.plain(in)
	}
}

func (l *lowering) structured(in *wasm.Instr) {
	code := func() []Instr { return l.out.Program.Code }
	switch in.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		typ := l.m.BlockType(in.Block)
		b := block{loop: in.Op == wasm.OpLoop, params: len(typ.Params), arity: len(typ.Results), otherwise: -1}
		if in.Op == wasm.OpIf {
			l.height--
			b.otherwise = l.emit(JumpUnless, 0, 0)
		}
		b.base, b.start = l.height-b.params, l.here()
		l.blocks = append(l.blocks, b)
		if in.Op != wasm.OpBlock {
			l.begin()
		}
	case wasm.OpElse:
		b := &l.blocks[len(l.blocks)-1]
		if !l.dead {
			b.exits = append(b.exits, l.emit(Jump, 0, 0))
		}
		code()[b.otherwise].C, b.otherwise = l.here(), -1
		l.height = b.base + b.params
		l.begin()
	case wasm.OpEnd:
		b := l.blocks[len(l.blocks)-1]
		l.blocks = l.blocks[:len(l.blocks)-1]
		if len(l.blocks) == 0 {
			if !l.dead {
				l.charge(meter.Weight(wasm.OpReturn))
				l.emit(Return, uint16(l.results), 0)
			}
			return
		}
		if b.otherwise >= 0 {
			b.exits = append(b.exits, b.otherwise)
		}
		for _, e := range b.exits {
			code()[e].C = l.here()
		}
		l.height = b.base + b.arity
		l.begin()
	}
}

func (l *lowering) label(depth uint32) *block { return &l.blocks[len(l.blocks)-1-int(depth)] }

// excess is how many operands a branch drops, and how many above them it keeps.
func (l *lowering) excess(b *block) (drop, keep int) {
	keep = b.arity
	if b.loop {
		keep = b.params
	}
	return l.height - keep - b.base, keep
}

// jump emits a jump to a block's label.
func (l *lowering) jump(op Op, b *block) {
	at := l.emit(op, 0, b.start)
	if !b.loop {
		b.exits = append(b.exits, at)
	}
}

// branch leaves to a label, the function's own included.
func (l *lowering) branch(depth uint32) {
	b := l.label(depth)
	if drop, keep := l.excess(b); drop > 0 {
		if drop+keep > int(l.unwound) { // cannot be: the validator counted the same
			l.fail = fmt.Errorf("%w: a branch moves %d operands and pays for %d", ErrModule, drop+keep, l.unwound)
		}
		l.emit(Unwind, uint16(keep), uint32(drop))
	}
	if b == &l.blocks[0] {
		l.emit(Return, uint16(l.results), 0)
		return
	}
	l.jump(Jump, b)
}

// table emits a Table and its jumps. Targets that drop operands, or leave the function, are reached by a detour.
func (l *lowering) table(targets []uint32) {
	l.height--
	l.emit(Table, uint16(len(targets)-1), 0)
	detours := make(map[uint32][]int)
	var order []uint32
	for _, depth := range targets {
		b := l.label(depth)
		if drop, _ := l.excess(b); drop == 0 && b != &l.blocks[0] {
			l.jump(Jump, b)
			continue
		}
		if detours[depth] == nil {
			order = append(order, depth)
		}
		detours[depth] = append(detours[depth], l.emit(Jump, 0, 0))
	}
	for _, depth := range order {
		for _, at := range detours[depth] {
			l.out.Program.Code[at].C = l.here()
		}
		l.branch(depth)
	}
}

// plain lowers an instruction that does not end a basic block.
func (l *lowering) plain(in *wasm.Instr) {
	effect := func(typ wasm.FuncType) { l.height += len(typ.Results) - len(typ.Params) }
	switch in.Op {
	case wasm.OpNop, wasm.OpI64ExtendU: // an i32 is kept zero-extended
	case wasm.OpCall:
		effect(l.m.FunctionType(in.Index))
		if int(in.Index) < len(l.hosts) {
			l.emit(CallHost, l.hosts[in.Index], 0)
		} else {
			l.emit(Call, 0, in.Index-uint32(len(l.hosts)))
		}
	case wasm.OpCallIndirect:
		typ := l.m.Types[in.Index]
		l.height--
		effect(typ)
		l.emit(CallIndirect, l.types[in.Index], uint32(len(typ.Params))<<8|uint32(len(typ.Results)))
	case wasm.OpDrop:
		l.height--
		l.emit(Drop, 0, 0)
	case wasm.OpSelect:
		l.height -= 2
		l.emit(Select, 0, 0)
	case wasm.OpLocalGet:
		l.height++
		l.emit(LocalGet, 0, in.Index)
	case wasm.OpLocalSet:
		l.height--
		l.emit(LocalSet, 0, in.Index)
	case wasm.OpLocalTee:
		l.emit(LocalTee, 0, in.Index)
	case wasm.OpGlobalGet:
		l.height++
		l.emit(GlobalGet, 0, in.Index)
	case wasm.OpGlobalSet:
		l.height--
		l.emit(GlobalSet, 0, in.Index)
	case wasm.OpI32Const:
		l.height++
		l.emit(Const, 0, uint32(in.Const))
	case wasm.OpI64Const:
		l.height++
		l.constant(uint64(in.Const))
	default:
		op, ok := fromWasm[in.Op]
		if !ok { // cannot be: Decode accepts nothing else
			l.fail = fmt.Errorf("%w: %s has no lowered form", ErrModule, in.Op)
			return
		}
		pops, pushes, _ := in.Op.Arity()
		l.height += pushes - pops
		c := uint32(0)
		if op >= I32Load && op <= I64Store32 {
			c = uint32(in.Const)
		}
		l.emit(op, 0, c)
	}
}

// constant pushes a 64-bit constant: immediate where it fits, from the pool otherwise.
func (l *lowering) constant(v uint64) {
	if v>>32 == 0 {
		l.emit(Const, 0, uint32(v))
		return
	}
	i, ok := l.pool[v]
	if !ok {
		p := l.out.Program
		i = uint32(len(p.Constants))
		p.Constants, l.pool[v] = append(p.Constants, v), i
	}
	l.emit(Constant, 0, i)
}
