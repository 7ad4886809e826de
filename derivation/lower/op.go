package lower

import (
	"fmt"

	"github.com/evmts/channels/derivation/wasm"
)

// Op is the number of an instruction of the lowered program. The numbers are part of the format.
type Op uint16

// The instructions that lowering makes itself. In their descriptions b and c are the fields of the instruction.
const (
	_            Op = iota // 0 is no instruction: a machine's code begins where its handler would be
	Fuel                   // charge c
	Enter                  // first of function b: check the height, make the frame; c = params<<24 | locals<<12 | frame
	Unreachable            // trap
	Jump                   // go to c
	JumpIf                 // pop; if it is not zero go to c
	JumpUnless             // pop; if it is zero go to c
	Table                  // pop i; continue with instruction min(i, b) of the b + 1 Jumps that follow
	Unwind                 // keep the top b operands, drop the c below them
	Return                 // leave the function; its b results are its only operands
	Call                   // call the function that begins at c
	CallHost               // call host function b
	CallIndirect           // pop i; call element i of the table, whose type must be b; c = params<<8 | results
	Drop                   // drop an operand
	Select                 // pop x, v, u; push u if x is not zero, else v
	LocalGet               // c = local, parameters first
	LocalSet               //
	LocalTee               //
	GlobalGet              // c = global
	GlobalSet              //
	Const                  // push c, zero-extended
	Constant               // push constant c of the pool
)

// The instructions that WebAssembly has too, in the order of its opcodes. For loads and stores c is the offset.
const (
	I32Load Op = iota + Constant + 1
	I64Load
	I32Load8S
	I32Load8U
	I32Load16S
	I32Load16U
	I64Load8S
	I64Load8U
	I64Load16S
	I64Load16U
	I64Load32S
	I64Load32U
	I32Store
	I64Store
	I32Store8
	I32Store16
	I64Store8
	I64Store16
	I64Store32
	MemorySize
	MemoryGrow
	I32Eqz
	I32Eq
	I32Ne
	I32LtS
	I32LtU
	I32GtS
	I32GtU
	I32LeS
	I32LeU
	I32GeS
	I32GeU
	I64Eqz
	I64Eq
	I64Ne
	I64LtS
	I64LtU
	I64GtS
	I64GtU
	I64LeS
	I64LeU
	I64GeS
	I64GeU
	I32Clz
	I32Ctz
	I32Popcnt
	I32Add
	I32Sub
	I32Mul
	I32DivS
	I32DivU
	I32RemS
	I32RemU
	I32And
	I32Or
	I32Xor
	I32Shl
	I32ShrS
	I32ShrU
	I32Rotl
	I32Rotr
	I64Clz
	I64Ctz
	I64Popcnt
	I64Add
	I64Sub
	I64Mul
	I64DivS
	I64DivU
	I64RemS
	I64RemU
	I64And
	I64Or
	I64Xor
	I64Shl
	I64ShrS
	I64ShrU
	I64Rotl
	I64Rotr
	I32WrapI64
	I64ExtendI32S
	I32Extend8S
	I32Extend16S
	I64Extend8S
	I64Extend16S
	I64Extend32S
	MemoryCopy
	MemoryFill
	opEnd
)

var own = [...]string{Fuel: "fuel", Enter: "enter", Unreachable: "unreachable", Jump: "jump", JumpIf: "jump_if", JumpUnless: "jump_unless", Table: "table",
	Unwind: "unwind", Return: "return", Call: "call", CallHost: "call_host", CallIndirect: "call_indirect", Drop: "drop", Select: "select",
	LocalGet: "local.get", LocalSet: "local.set", LocalTee: "local.tee", GlobalGet: "global.get", GlobalSet: "global.set", Const: "const", Constant: "constant"}

// plainOps are the WebAssembly instructions from I32Load on; index 0 is I32Load's. fromWasm is the inverse.
var (
	plainOps []wasm.Opcode
	fromWasm = map[wasm.Opcode]Op{}
)

func init() {
	for _, op := range wasm.Accepted() {
		if _, _, plain := op.Arity(); !plain || op == wasm.OpI32Const || op == wasm.OpI64Const || op == wasm.OpI64ExtendU {
			continue
		}
		fromWasm[op] = I32Load + Op(len(plainOps))
		plainOps = append(plainOps, op)
	}
}

// Valid reports whether op is an instruction.
func (op Op) Valid() bool { return op >= Fuel && op < opEnd }

// Wasm is the WebAssembly instruction that op is, ok is false for those that lowering makes.
func (op Op) Wasm() (code wasm.Opcode, ok bool) {
	if op < I32Load || op >= opEnd {
		return 0, false
	}
	return plainOps[op-I32Load], true
}

func (op Op) String() string {
	if code, ok := op.Wasm(); ok {
		return code.String()
	}
	if int(op) < len(own) && own[op] != "" {
		return own[op]
	}
	return fmt.Sprintf("instruction %d", uint16(op))
}

// Ops lists all instructions in ascending order.
func Ops() []Op {
	ops := make([]Op, 0, opEnd)
	for op := Fuel; op < opEnd; op++ {
		ops = append(ops, op)
	}
	return ops
}
