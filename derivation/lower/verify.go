package lower

import (
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// verifier walks every instruction that can be reached once and knows the height of the operands there.
type verifier struct {
	p     *Program
	types map[uint16][2]int // parameters and results by type
	begin map[uint32]int    // function by entry

	fn      *Function
	end     uint32
	heights []int16 // before each instruction, -1 = not reached yet
	todo    []uint32
}

func (p *Program) verify() error {
	_, err := p.Heights()
	return err
}

// Heights verifies the program and gives the number of operands before each instruction, -1 where no path leads.
func (p *Program) Heights() ([]int16, error) {
	v := newVerifier(p)
	if err := v.all(); err != nil {
		return nil, err
	}
	return v.heights, nil
}

func newVerifier(p *Program) *verifier {
	v := &verifier{p: p, types: map[uint16][2]int{}, begin: map[uint32]int{}, heights: make([]int16, len(p.Code))}
	for i := range v.heights {
		v.heights[i] = -1
	}
	return v
}

func (v *verifier) all() error {
	p := v.p
	if len(p.Functions) == 0 != (len(p.Code) == 0) {
		return bad("functions and code do not belong together")
	}
	for i, f := range p.Functions {
		if f.Params > wasm.MaxParams || f.Results > wasm.MaxResults || f.Locals > wasm.MaxLocals || f.Height > wasm.MaxHeight || int(f.Locals) < int(f.Params) {
			return bad("function %d is above a limit", i)
		}
		if i == 0 && f.Entry != 0 || i > 0 && f.Entry <= p.Functions[i-1].Entry || int(f.Entry)+2 > len(p.Code) {
			return bad("function %d is not behind the one before", i)
		}
		v.begin[f.Entry] = i
		if !v.sameType(f.Type, int(f.Params), int(f.Results)) {
			return bad("function %d has another type than its like", i)
		}
	}
	for i, e := range p.Table {
		if err := v.element(e); err != nil {
			return bad("element %d of the table: %v", i, err)
		}
	}
	for i, e := range p.Entries {
		if e == None {
			continue
		}
		want := wasm.Required[EntryNames[i]]
		if f := p.Functions[e]; int(f.Params) != len(want.Params) || int(f.Results) != len(want.Results) {
			return bad("the entry %s has another type", EntryNames[i])
		}
	}
	for i := range p.Functions {
		if err := v.function(i); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) element(e Element) error {
	switch {
	case e.Kind == ElementNull:
		if e.Type != 0 {
			return bad("it is null and has a type")
		}
	case e.Kind == ElementFunction:
		if v.p.Functions[e.Function].Type != e.Type {
			return bad("its type is not its function's")
		}
	case int(e.Kind-ElementHost) < len(HostNames):
		if !v.sameType(e.Type, hostArity(e.Kind-ElementHost), 0) {
			return bad("its type is not its host function's")
		}
	default:
		return bad("its kind is unknown")
	}
	return nil
}

// sameType remembers what a type number stands for.
func (v *verifier) sameType(t uint16, params, results int) bool {
	have, ok := v.types[t]
	if !ok {
		v.types[t] = [2]int{params, results}
		return t < wasm.MaxTypes
	}
	return have == [2]int{params, results}
}

func (v *verifier) function(i int) error {
	f := &v.p.Functions[i]
	v.fn, v.end = f, uint32(len(v.p.Code))
	if i+1 < len(v.p.Functions) {
		v.end = v.p.Functions[i+1].Entry
	}
	enter := v.p.Code[f.Entry]
	params, locals, slots := enter.Frame()
	want := meter.FrameBase + int(f.Height) + (locals+meter.LocalsPerSlot-1)/meter.LocalsPerSlot
	if enter.Op != Enter || int(enter.B) != i || params != int(f.Params) || locals != int(f.Locals) || slots != want || slots > meter.StackLimit {
		return bad("function %d does not begin with its frame", i)
	}
	if f.Entry+1 >= v.end || v.p.Code[f.Entry+1].Op != Fuel {
		return bad("function %d is entered without a charge", i)
	}
	v.heights[f.Entry] = 0
	v.todo = append(v.todo[:0], f.Entry+1)
	v.heights[f.Entry+1] = 0
	for len(v.todo) > 0 {
		pc := v.todo[len(v.todo)-1]
		v.todo = v.todo[:len(v.todo)-1]
		if err := v.instr(pc, int(v.heights[pc])); err != nil {
			return err
		}
	}
	// What nothing reaches must still name what exists, so that it can be shown.
	for pc := f.Entry + 1; pc < v.end; pc++ {
		if err := v.fields(pc); err != nil {
			return err
		}
	}
	return nil
}

// reach notes that an instruction can follow with a height.
func (v *verifier) reach(from, to uint32, height int) error {
	switch {
	case to <= v.fn.Entry || to >= v.end:
		return bad("instruction %d leads out of its function", from)
	case to <= from && v.p.Code[to].Op != Fuel:
		return bad("instruction %d leads back to one that charges nothing", from)
	case height < 0 || height > int(v.fn.Height):
		return bad("instruction %d leaves %d operands", from, height)
	case v.heights[to] < 0:
		v.heights[to] = int16(height)
		v.todo = append(v.todo, to)
	case int(v.heights[to]) != height:
		return bad("instruction %d is reached with %d and %d operands", to, v.heights[to], height)
	}
	return nil
}

// operands of an instruction: how many it takes and gives.
func (v *verifier) operands(in Instr) (pops, pushes int) {
	switch in.Op {
	case Unreachable, Fuel, Jump, LocalTee:
		return 0, 0
	case JumpIf, JumpUnless, Table, Drop, LocalSet, GlobalSet:
		return 1, 0
	case LocalGet, GlobalGet, Const, Constant:
		return 0, 1
	case Select:
		return 3, 1
	case Unwind:
		return int(in.B) + int(in.C), int(in.B)
	case Return:
		return int(in.B), 0
	case Call:
		f := v.p.Functions[v.begin[in.C]]
		return int(f.Params), int(f.Results)
	case CallHost:
		return hostArity(in.B), 0
	case CallIndirect:
		return 1 + int(in.C>>8), int(in.C & 0xff)
	}
	code, _ := in.Op.Wasm()
	pops, pushes, _ = code.Arity()
	return pops, pushes
}

func (v *verifier) instr(pc uint32, height int) error {
	if err := v.fields(pc); err != nil {
		return err
	}
	in := v.p.Code[pc]
	pops, pushes := v.operands(in)
	if pops > height || in.Op == LocalTee && height == 0 {
		return bad("instruction %d lacks operands", pc)
	}
	height += pushes - pops
	switch in.Op {
	case Unreachable:
		return nil
	case Return:
		if height != 0 || in.B != uint16(v.fn.Results) {
			return bad("instruction %d returns with %d operands too many", pc, height)
		}
		return nil
	case Jump:
		return v.reach(pc, in.C, height)
	case JumpIf, JumpUnless:
		if err := v.reach(pc, in.C, height); err != nil {
			return err
		}
	case Table:
		for i := range uint32(in.B) + 1 {
			if at := pc + 1 + i; at >= v.end || v.p.Code[at].Op != Jump {
				return bad("the Table at %d lacks Jumps", pc)
			}
			if err := v.reach(pc, pc+1+i, height); err != nil {
				return err
			}
		}
		return nil
	}
	return v.reach(pc, pc+1, height)
}

// fields checks that an instruction's B and C name what exists and are zero where they mean nothing.
func (v *verifier) fields(pc uint32) error {
	in, c, b := v.p.Code[pc], uint32(0), uint16(0) // the largest that B and C may be
	switch in.Op {
	case Fuel:
		if c = 1<<31 - 1; in.C < meter.Block {
			return bad("instruction %d charges too little", pc)
		}
	case Jump, JumpIf, JumpUnless:
		if in.C <= v.fn.Entry {
			return bad("instruction %d leads out of its function", pc)
		}
		c = v.end - 1
	case Table:
		b = wasm.MaxTargets
	case Unwind:
		if b, c = wasm.MaxResults+wasm.MaxParams, wasm.MaxHeight; in.C == 0 {
			return bad("instruction %d unwinds nothing", pc)
		}
	case Return:
		b = uint16(v.fn.Results)
	case Call:
		if _, ok := v.begin[in.C]; !ok {
			return bad("instruction %d calls no function", pc)
		}
		c = in.C
	case CallHost:
		b = uint16(len(HostNames) - 1)
	case CallIndirect:
		if b, c = wasm.MaxTypes-1, wasm.MaxParams<<8|0xff; in.C&0xff > wasm.MaxResults || !v.sameType(in.B, int(in.C>>8), int(in.C&0xff)) {
			return bad("instruction %d calls a type that is another elsewhere", pc)
		}
	case LocalGet, LocalSet, LocalTee:
		return v.index(pc, in, int(v.fn.Locals))
	case GlobalGet, GlobalSet:
		return v.index(pc, in, len(v.p.Globals))
	case Constant:
		return v.index(pc, in, len(v.p.Constants))
	case Const:
		c = 1<<32 - 1
	case Enter:
		return bad("instruction %d begins a function inside of another", pc)
	default:
		if in.Op >= I32Load && in.Op <= I64Store32 {
			c = 1<<32 - 1
		}
	}
	if in.B > b || in.C > c {
		return bad("a field of instruction %d (%s) is too large", pc, in.Op)
	}
	return nil
}

func (v *verifier) index(pc uint32, in Instr, count int) error {
	if in.B != 0 || int(in.C) >= count {
		return bad("instruction %d (%s) names what does not exist", pc, in)
	}
	return nil
}
