package wasm

import (
	"fmt"
	"slices"
)

// unknown is the type of an operand in code that cannot be reached.
const unknown ValueType = 0

// frame is one entry of the control stack of the specification's validation algorithm (core 1.0, appendix A.3).
type frame struct {
	op          Opcode // block, loop, if, else; OpCall for the function itself
	typ         FuncType
	height      int  // operands below the frame
	unreachable bool // the rest of the frame, after a branch
	dead        bool // the whole frame, because it begins in unreachable code
}

func (f *frame) label() []ValueType {
	if f.op == OpLoop {
		return f.typ.Params
	}
	return f.typ.Results
}

type validator struct {
	m      *Module
	fn     *Function
	locals []ValueType
	vals   []ValueType
	ctrl   []frame
	in     *Instr
	err    *Error
	joins  int // places where paths can meet
}

// validate type-checks the body of defined function i and sets its Height and Leaf.
func (m *Module) validate(i int) error {
	fn := &m.Functions[i]
	typ := m.Types[fn.Type]
	locals := make([]ValueType, 0, len(typ.Params)+len(fn.Locals))
	v := &validator{m: m, fn: fn, locals: append(append(locals, typ.Params...), fn.Locals...)}
	v.ctrl = append(v.ctrl, frame{op: OpCall, typ: FuncType{Results: typ.Results}})
	fn.Leaf = true
	code := m.Instructions(i)
	v.in = &code.In
	for code.Next() {
		if len(v.ctrl) == 0 {
			return &Error{ErrMalformed, len(m.Imports) + i, v.in.Offset, "", "instructions after the end of the function"}
		}
		v.instr()
		if v.err != nil {
			v.err.Function, v.err.Offset, v.err.Op = len(m.Imports)+i, v.in.Offset, v.in.Op.String()
			return v.err
		}
	}
	if err := code.Err(); err != nil {
		return err
	}
	if fn.Flow = v.joins * (len(v.locals) + 1); fn.Flow > MaxFlow {
		return &Error{ErrLimit, len(m.Imports) + i, fn.Offset, "", fmt.Sprintf("%d branches with %d locals would take too long to compile (the product is limited to %d); split the function", v.joins, len(v.locals), MaxFlow)}
	}
	if len(v.ctrl) != 0 {
		return &Error{ErrMalformed, len(m.Imports) + i, fn.Offset + len(fn.Body), "", "the body ends without end"}
	}
	return nil
}

func (v *validator) fail(kind error, format string, args ...any) {
	if v.err == nil {
		v.err = fail(kind, 0, format, args...)
	}
}

func (v *validator) top() *frame { return &v.ctrl[len(v.ctrl)-1] }

func (v *validator) reached() bool { return !v.top().unreachable && !v.top().dead }

func (v *validator) push(t ValueType) {
	v.vals = append(v.vals, t)
	if len(v.vals) > MaxHeight {
		v.fail(ErrLimit, "more than %d operands on the stack; split the expression or the function", MaxHeight)
	}
	if v.reached() {
		v.fn.Height = max(v.fn.Height, len(v.vals))
	}
}

func (v *validator) pushAll(ts []ValueType) {
	for _, t := range ts {
		v.push(t)
	}
}

// pop removes the top operand and gives its type, unknown only where nothing is known.
func (v *validator) pop(want ValueType) ValueType {
	f := v.top()
	if len(v.vals) == f.height {
		if !f.unreachable {
			v.fail(ErrInvalid, "an operand of type %s is missing", want)
		}
		return unknown
	}
	got := v.vals[len(v.vals)-1]
	v.vals = v.vals[:len(v.vals)-1]
	if got != unknown && want != unknown && got != want {
		v.fail(ErrInvalid, "the operand is %s, not %s", got, want)
	}
	return got
}

func (v *validator) popAll(ts []ValueType) {
	for i := len(ts) - 1; i >= 0; i-- {
		v.pop(ts[i])
	}
}

func (v *validator) enter(op Opcode, typ FuncType) {
	if len(v.ctrl) >= MaxNesting {
		v.fail(ErrLimit, "blocks are nested more than %d deep", MaxNesting)
		return
	}
	v.ctrl = append(v.ctrl, frame{op: op, typ: typ, height: len(v.vals), dead: !v.reached()})
	v.pushAll(typ.Params)
}

func (v *validator) leave() frame {
	f := *v.top()
	v.popAll(f.typ.Results)
	if len(v.vals) != f.height {
		v.fail(ErrInvalid, "%d operands are left over at the end of the %s", len(v.vals)-f.height, f.op)
	}
	v.ctrl = v.ctrl[:len(v.ctrl)-1]
	return f
}

func (v *validator) dead() {
	f := v.top()
	v.vals = v.vals[:f.height]
	f.unreachable = true
}

// target is the frame that a branch of the given depth leaves.
func (v *validator) target(depth uint32) *frame {
	if uint64(depth) >= uint64(len(v.ctrl)) {
		v.fail(ErrInvalid, "there is no label %d, only %d blocks are open", depth, len(v.ctrl))
		return v.top()
	}
	return &v.ctrl[len(v.ctrl)-1-int(depth)]
}

func (v *validator) instr() {
	in := v.in
	if sig := plain[in.Op]; sig != nil {
		v.plain(sig)
		return
	}
	switch in.Op {
	case OpNop:
	case OpUnreachable:
		v.dead()
	case OpBlock, OpLoop, OpIf, OpElse, OpEnd:
		v.joins++
		v.structured()
	case OpBr:
		v.joins++
		v.unwind(in.Index)
		v.popAll(v.target(in.Index).label())
		v.dead()
	case OpBrIf:
		v.joins++
		v.pop(I32)
		v.unwind(in.Index)
		label := v.target(in.Index).label()
		v.popAll(label)
		v.pushAll(label)
	case OpBrTable:
		v.branchTable()
	case OpReturn:
		v.unwind(uint32(len(v.ctrl) - 1))
		v.popAll(v.ctrl[0].typ.Results)
		v.dead()
	case OpCall, OpCallIndirect:
		v.call()
	case OpDrop:
		v.pop(unknown)
	case OpSelect:
		v.pop(I32)
		a := v.pop(unknown)
		if b := v.pop(a); b != unknown {
			a = b
		}
		v.push(a)
	case OpLocalGet, OpLocalSet, OpLocalTee:
		if uint64(in.Index) >= uint64(len(v.locals)) {
			v.fail(ErrInvalid, "there is no local %d, the function has %d", in.Index, len(v.locals))
			return
		}
		t := v.locals[in.Index]
		if in.Op != OpLocalGet {
			v.pop(t)
		}
		if in.Op != OpLocalSet {
			v.push(t)
		}
	case OpGlobalGet, OpGlobalSet:
		if uint64(in.Index) >= uint64(len(v.m.Globals)) {
			v.fail(ErrInvalid, "there is no global %d, the module has %d", in.Index, len(v.m.Globals))
			return
		}
		g := v.m.Globals[in.Index]
		if in.Op == OpGlobalGet {
			v.push(g.Type)
		} else if v.pop(g.Type); !g.Mutable {
			v.fail(ErrInvalid, "global %d is a constant", in.Index)
		}
	default:
		v.fail(ErrNotAccepted, "%s", refusal(in.Op))
	}
}

func (v *validator) plain(sig *signature) {
	op := v.in.Op
	memory := op >= OpI32Load && op <= OpMemoryGrow || op >= Prefixed
	if memory && v.m.Memory == nil {
		v.fail(ErrInvalid, "the module has no memory")
	}
	if op >= OpI32Load && op <= OpI64Store32 && v.in.Index > sig.size {
		v.fail(ErrInvalid, "the alignment 2^%d is larger than the access", v.in.Index)
	}
	v.popAll(sig.pop)
	v.pushAll(sig.push)
}

// unwind notes how many operands the branch moves that leaves to one of the labels.
func (v *validator) unwind(depths ...uint32) {
	most := 0
	for _, depth := range depths {
		f := v.target(depth)
		if keep := len(f.label()); v.reached() && len(v.vals) > f.height+keep {
			most = max(most, len(v.vals)-f.height)
		}
	}
	v.fn.Unwind = append(v.fn.Unwind, uint16(most))
}

func (v *validator) structured() {
	in := v.in
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		if in.Block.Index >= 0 && int(in.Block.Index) >= len(v.m.Types) {
			v.fail(ErrInvalid, "there is no type %d, the module has %d", in.Block.Index, len(v.m.Types))
			return
		}
		typ := v.m.BlockType(in.Block)
		if in.Op == OpIf {
			v.pop(I32)
		}
		v.popAll(typ.Params)
		v.enter(in.Op, typ)
	case OpElse:
		if v.top().op != OpIf {
			v.fail(ErrInvalid, "there is no if that this else belongs to")
			return
		}
		f := v.leave()
		v.enter(OpElse, f.typ)
	case OpEnd:
		f := v.leave()
		if f.op == OpIf && !slices.Equal(f.typ.Params, f.typ.Results) {
			v.fail(ErrInvalid, "an if of type %s needs an else", f.typ)
		}
		if len(v.ctrl) == 0 {
			return // the function's own end: its results are the caller's operands
		}
		v.pushAll(f.typ.Results)
	}
}

func (v *validator) branchTable() {
	v.pop(I32)
	targets := v.in.Targets
	v.unwind(targets...)
	v.joins += len(targets)
	arity := len(v.target(targets[len(targets)-1]).label())
	for _, depth := range targets {
		label := v.target(depth).label()
		if v.err != nil {
			return
		}
		if len(label) != arity {
			v.fail(ErrInvalid, "its targets expect different numbers of operands")
			return
		}
		// The operands stay for the next target, and what is unknown stays unknown.
		popped := make([]ValueType, arity)
		for i := arity - 1; i >= 0; i-- {
			popped[i] = v.pop(label[i])
		}
		v.pushAll(popped)
	}
	v.popAll(v.target(targets[len(targets)-1]).label())
	v.dead()
}

func (v *validator) call() {
	var t FuncType
	if v.in.Op == OpCall {
		if uint64(v.in.Index) >= uint64(v.m.FunctionCount()) {
			v.fail(ErrInvalid, "there is no function %d, the module has %d", v.in.Index, v.m.FunctionCount())
			return
		}
		t = v.m.FunctionType(v.in.Index)
	} else {
		if v.m.Table == nil {
			v.fail(ErrInvalid, "the module has no table")
			return
		}
		if uint64(v.in.Index) >= uint64(len(v.m.Types)) {
			v.fail(ErrInvalid, "there is no type %d, the module has %d", v.in.Index, len(v.m.Types))
			return
		}
		v.pop(I32)
		t = v.m.Types[v.in.Index]
	}
	v.fn.Leaf = v.fn.Leaf && !v.reached()
	v.popAll(t.Params)
	v.pushAll(t.Results)
}
