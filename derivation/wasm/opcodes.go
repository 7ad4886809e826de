package wasm

import "fmt"

// Opcode is an instruction: its byte, or Prefixed plus the number after the prefix 0xfc.
type Opcode uint16

// Prefixed is added to the number of an instruction behind the prefix byte 0xfc.
const Prefixed Opcode = 0x100

// The instructions that the packages above have to know by name; all others they take from the tables.
const (
	OpUnreachable  Opcode = 0x00
	OpNop          Opcode = 0x01
	OpBlock        Opcode = 0x02
	OpLoop         Opcode = 0x03
	OpIf           Opcode = 0x04
	OpElse         Opcode = 0x05
	OpEnd          Opcode = 0x0b
	OpBr           Opcode = 0x0c
	OpBrIf         Opcode = 0x0d
	OpBrTable      Opcode = 0x0e
	OpReturn       Opcode = 0x0f
	OpCall         Opcode = 0x10
	OpCallIndirect Opcode = 0x11
	OpDrop         Opcode = 0x1a
	OpSelect       Opcode = 0x1b
	OpLocalGet     Opcode = 0x20
	OpLocalSet     Opcode = 0x21
	OpLocalTee     Opcode = 0x22
	OpGlobalGet    Opcode = 0x23
	OpGlobalSet    Opcode = 0x24
	OpI32Load      Opcode = 0x28
	OpI32Store     Opcode = 0x36
	OpI64Store32   Opcode = 0x3e
	OpMemorySize   Opcode = 0x3f
	OpMemoryGrow   Opcode = 0x40
	OpI32Const     Opcode = 0x41
	OpI64Const     Opcode = 0x42
	OpI32Eqz       Opcode = 0x45
	OpI64Eqz       Opcode = 0x50
	OpI64GeU       Opcode = 0x5a
	OpI32Clz       Opcode = 0x67
	OpI64Clz       Opcode = 0x79
	OpI64Rotr      Opcode = 0x8a
	OpI32WrapI64   Opcode = 0xa7
	OpI64ExtendS   Opcode = 0xac
	OpI64ExtendU   Opcode = 0xad
	OpI32Extend8S  Opcode = 0xc0
	OpI64Extend32S Opcode = 0xc4
	OpMemoryCopy   Opcode = Prefixed + 10
	OpMemoryFill   Opcode = Prefixed + 11
)

// String is the name of the instruction in the text format.
func (op Opcode) String() string {
	if int(op) < len(names) && names[op] != "" {
		return names[op]
	}
	if op >= Prefixed {
		return fmt.Sprintf("instruction 0xfc %d", int(op-Prefixed))
	}
	return fmt.Sprintf("instruction 0x%02x", byte(op))
}

// Known reports whether the opcode is an instruction of the accepted subset.
func (op Opcode) Known() bool { return op == OpNop || int(op) < len(known) && known[op] }

// Accepted lists the accepted instructions in ascending order.
func Accepted() []Opcode {
	var ops []Opcode
	for op := range Opcode(len(known)) {
		if op.Known() {
			ops = append(ops, op)
		}
	}
	return ops
}

// signature of a plain instruction: what it pops (first operand first) and what it pushes.
type signature struct {
	pop  []ValueType
	push []ValueType
	size uint32 // log2 of the natural alignment, for loads and stores
}

var (
	names [Prefixed + 18]string
	known [Prefixed + 18]bool
	plain [Prefixed + 18]*signature // instructions whose type does not depend on the module
)

func init() {
	list := func(first Opcode, s ...string) {
		for i, name := range s {
			names[first+Opcode(i)] = name
		}
	}
	list(0x00, "unreachable", "nop", "block", "loop", "if", "else", "try", "catch", "throw", "rethrow", "throw_ref", "end", "br", "br_if", "br_table", "return",
		"call", "call_indirect", "return_call", "return_call_indirect", "call_ref", "return_call_ref")
	list(0x18, "delegate", "catch_all", "drop", "select", "select t")
	list(0x1f, "try_table", "local.get", "local.set", "local.tee", "global.get", "global.set", "table.get", "table.set")
	list(0x28, "i32.load", "i64.load", "f32.load", "f64.load", "i32.load8_s", "i32.load8_u", "i32.load16_s", "i32.load16_u", "i64.load8_s", "i64.load8_u",
		"i64.load16_s", "i64.load16_u", "i64.load32_s", "i64.load32_u", "i32.store", "i64.store", "f32.store", "f64.store", "i32.store8", "i32.store16",
		"i64.store8", "i64.store16", "i64.store32", "memory.size", "memory.grow", "i32.const", "i64.const", "f32.const", "f64.const")
	compare := []string{"eqz", "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"}
	compareFloat := []string{"eq", "ne", "lt", "gt", "le", "ge"}
	arithmetic := []string{"clz", "ctz", "popcnt", "add", "sub", "mul", "div_s", "div_u", "rem_s", "rem_u", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"}
	arithmeticFloat := []string{"abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt", "add", "sub", "mul", "div", "min", "max", "copysign"}
	typed := func(first Opcode, t string, s []string) {
		for i, name := range s {
			names[first+Opcode(i)] = t + "." + name
		}
	}
	typed(0x45, "i32", compare)
	typed(0x50, "i64", compare)
	typed(0x5b, "f32", compareFloat)
	typed(0x61, "f64", compareFloat)
	typed(0x67, "i32", arithmetic)
	typed(0x79, "i64", arithmetic)
	typed(0x8b, "f32", arithmeticFloat)
	typed(0x99, "f64", arithmeticFloat)
	list(0xa7, "i32.wrap_i64", "i32.trunc_f32_s", "i32.trunc_f32_u", "i32.trunc_f64_s", "i32.trunc_f64_u", "i64.extend_i32_s", "i64.extend_i32_u",
		"i64.trunc_f32_s", "i64.trunc_f32_u", "i64.trunc_f64_s", "i64.trunc_f64_u", "f32.convert_i32_s", "f32.convert_i32_u", "f32.convert_i64_s",
		"f32.convert_i64_u", "f32.demote_f64", "f64.convert_i32_s", "f64.convert_i32_u", "f64.convert_i64_s", "f64.convert_i64_u", "f64.promote_f32",
		"i32.reinterpret_f32", "i64.reinterpret_f64", "f32.reinterpret_i32", "f64.reinterpret_i64",
		"i32.extend8_s", "i32.extend16_s", "i64.extend8_s", "i64.extend16_s", "i64.extend32_s")
	list(0xd0, "ref.null", "ref.is_null", "ref.func")
	list(Prefixed, "i32.trunc_sat_f32_s", "i32.trunc_sat_f32_u", "i32.trunc_sat_f64_s", "i32.trunc_sat_f64_u", "i64.trunc_sat_f32_s", "i64.trunc_sat_f32_u",
		"i64.trunc_sat_f64_s", "i64.trunc_sat_f64_u", "memory.init", "data.drop", "memory.copy", "memory.fill", "table.init", "elem.drop", "table.copy",
		"table.grow", "table.size", "table.fill")

	for _, op := range []Opcode{OpUnreachable, OpNop, OpBlock, OpLoop, OpIf, OpElse, OpEnd, OpBr, OpBrIf, OpBrTable, OpReturn, OpCall, OpCallIndirect,
		OpDrop, OpSelect, OpLocalGet, OpLocalSet, OpLocalTee, OpGlobalGet, OpGlobalSet} {
		known[op] = true
	}
	define := func(op Opcode, size uint32, pop, push []ValueType) {
		known[op] = true
		plain[op] = &signature{pop, push, size}
	}
	none := []ValueType{}
	one := map[ValueType][]ValueType{I32: {I32}, I64: {I64}}
	two := map[ValueType][]ValueType{I32: {I32, I32}, I64: {I64, I64}}
	loads := []struct {
		op   Opcode
		size uint32
		t    ValueType
	}{{0x28, 2, I32}, {0x29, 3, I64}, {0x2c, 0, I32}, {0x2d, 0, I32}, {0x2e, 1, I32}, {0x2f, 1, I32},
		{0x30, 0, I64}, {0x31, 0, I64}, {0x32, 1, I64}, {0x33, 1, I64}, {0x34, 2, I64}, {0x35, 2, I64}}
	for _, l := range loads {
		define(l.op, l.size, one[I32], one[l.t])
	}
	stores := []struct {
		op   Opcode
		size uint32
		t    ValueType
	}{{0x36, 2, I32}, {0x37, 3, I64}, {0x3a, 0, I32}, {0x3b, 1, I32}, {0x3c, 0, I64}, {0x3d, 1, I64}, {0x3e, 2, I64}}
	for _, s := range stores {
		define(s.op, s.size, []ValueType{I32, s.t}, none)
	}
	define(OpMemorySize, 0, none, one[I32])
	define(OpMemoryGrow, 0, one[I32], one[I32])
	define(OpI32Const, 0, none, one[I32])
	define(OpI64Const, 0, none, one[I64])
	for first, t := range map[Opcode]ValueType{0x45: I32, 0x50: I64} {
		define(first, 0, one[t], one[I32])
		for i := range Opcode(10) {
			define(first+1+i, 0, two[t], one[I32])
		}
	}
	for first, t := range map[Opcode]ValueType{0x67: I32, 0x79: I64} {
		for i := range Opcode(3) {
			define(first+i, 0, one[t], one[t])
		}
		for i := range Opcode(15) {
			define(first+3+i, 0, two[t], one[t])
		}
	}
	define(OpI32WrapI64, 0, one[I64], one[I32])
	define(OpI64ExtendS, 0, one[I32], one[I64])
	define(OpI64ExtendU, 0, one[I32], one[I64])
	for op, t := range map[Opcode]ValueType{0xc0: I32, 0xc1: I32, 0xc2: I64, 0xc3: I64, 0xc4: I64} {
		define(op, 0, one[t], one[t])
	}
	define(OpMemoryCopy, 0, []ValueType{I32, I32, I32}, none)
	define(OpMemoryFill, 0, []ValueType{I32, I32, I32}, none)
}

// refusal says why an instruction outside of the subset is not accepted, and what its author can do.
func refusal(op Opcode) string {
	const floats = "is not accepted: floats are not deterministic (NaN bits differ between machines); use integers or fixed-point numbers"
	switch {
	case op == 0x2a || op == 0x2b || op == 0x38 || op == 0x39 || op == 0x43 || op == 0x44,
		op >= 0x5b && op <= 0x66, op >= 0x8b && op <= 0xbf, op >= Prefixed && op < Prefixed+8:
		return floats
	case op >= 0x06 && op <= 0x0a, op == 0x18, op == 0x19, op == 0x1f:
		return "is not accepted: exceptions are outside of the subset; compile without them"
	case op == 0x12 || op == 0x13 || op == 0x15:
		return "is not accepted: tail calls are outside of the subset; compile without the tail-call feature"
	case op == 0x14, op == 0x1c, op >= 0x25 && op <= 0x26, op >= 0xd0 && op <= 0xd6:
		return "is not accepted: reference types are outside of the subset; compile without the reference-types feature"
	case op == Prefixed+8 || op == Prefixed+9:
		return "is not accepted: passive data segments are outside of the subset; only active ones are loaded"
	case op >= Prefixed+12 && op <= Prefixed+17:
		return "is not accepted: tables cannot change after the start, so that a snapshot of memory and globals is complete"
	case op == 0xfb:
		return "is not accepted: garbage-collected types are outside of the subset"
	case op == 0xfd:
		return "is not accepted: SIMD is outside of the subset; compile without the simd128 feature"
	case op == 0xfe:
		return "is not accepted: threads and atomics are not deterministic; compile without the threads feature"
	}
	return "is not accepted: it is not an instruction of the subset"
}

// Branches reports whether op is br, br_if, br_table or return.
func (op Opcode) Branches() bool { return op >= OpBr && op <= OpReturn }

// Arity is how many operands a plain instruction takes and gives; ok is false for those whose type depends on the
// module (control, calls, variables, drop, select).
func (op Opcode) Arity() (pops, pushes int, ok bool) {
	if int(op) >= len(plain) || plain[op] == nil {
		return 0, 0, false
	}
	return len(plain[op].pop), len(plain[op].push), true
}
