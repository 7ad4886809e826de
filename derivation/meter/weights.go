package meter

import "github.com/evmts/channels/derivation/wasm"

// Weights that do not belong to one instruction, in fuel: what package evm measures of the contract, see its README.
const (
	Block      = 81  // subtracting, storing and testing the fuel
	Local      = 3   // clearing a local
	Param      = 16  // moving an argument to the frame
	UnwindBase = 201 // dropping operands under those that a branch keeps, and the jump behind
	Unwind     = 23  // for each that it keeps or drops
	InputWord  = 201 // copying 32 bytes and reversing them
	OutputWord = 198 // reversing 32 bytes
	BulkWord   = 6   // MCOPY; memory.fill does it in doubling steps
	GrowPage   = 6144
	HostCall   = 100 // and the weight of the call
	HashCall   = 480 // for keccak256 instead
	HashWord   = 402 // reversing 32 bytes there and back, keccak's own 6
	NoticeWord = 3   // emit, log, reject: nothing happens on chain
)

// Limits of the stack, in slots.
const (
	FrameBase = 2 // return address and the caller's frame
	// LocalsPerSlot bounds the memory that frames take: StackLimit × LocalsPerSlot words, which every call on chain pays
	// because the module's own memory lies behind. With 8 a call with four pages would cost 280,000 gas more, and with 1
	// compiled functions, which have few operands and tens of locals, could not call each other half as deep.
	LocalsPerSlot = 2
	StackLimit    = 900
)

// weights of the instructions, in fuel. Zero: the instruction costs nothing by itself.
var weights = func() (w [0x110]uint32) {
	set := func(cost uint32, ops ...wasm.Opcode) {
		for _, op := range ops {
			w[op] = cost
		}
	}
	set(12, wasm.OpUnreachable)
	set(42, wasm.OpBr, wasm.OpElse) // else: the jump over it
	set(58, wasm.OpIf)
	set(59, wasm.OpBrIf)
	set(127, wasm.OpBrTable) // and a jump
	set(63, wasm.OpReturn)
	set(303, wasm.OpCall)
	set(435, wasm.OpCallIndirect)
	set(32, wasm.OpDrop)
	set(51, wasm.OpSelect)
	set(59, wasm.OpLocalGet, wasm.OpLocalSet, wasm.OpLocalTee)
	set(60, wasm.OpGlobalGet, wasm.OpGlobalSet)
	set(48, wasm.OpI32Const)
	set(66, wasm.OpI64Const) // from the pool
	run := func(first wasm.Opcode, costs ...uint32) {
		for i, cost := range costs {
			w[first+wasm.Opcode(i)] = cost
		}
	}
	run(wasm.OpI32Load, 97, 97, 0, 0, 104, 97, 105, 97, 104, 97, 105, 97, 105, 97) // and two of floats
	run(wasm.OpI32Store, 114, 114, 0, 0, 94, 120, 94, 120, 120)
	set(51, wasm.OpMemorySize)
	set(242, wasm.OpMemoryGrow)
	set(206, wasm.OpMemoryCopy)
	set(490, wasm.OpMemoryFill) // with what the doubling of many words costs beyond BulkWord
	for _, first := range []wasm.Opcode{wasm.OpI32Eqz, wasm.OpI64Eqz} {
		run(first, 36, 36, 39, 51, 36, 51, 36, 54, 39, 54, 39)
	}
	for _, first := range []wasm.Opcode{wasm.OpI32Clz, wasm.OpI64Clz} {
		run(first, 223, 241, 131, 42, 42, 44, 107, 57, 85, 57, 36, 36, 36, 51, 59, 45, 65, 59)
	}
	run(wasm.OpI64Clz, 256, 274) // a step more
	set(39, wasm.OpI32WrapI64)
	set(47, wasm.OpI64ExtendS)
	run(wasm.OpI32Extend8S, 46, 47, 46, 47, 47)
	return w
}()

// Weight is the fuel of one instruction, without what depends on its operands.
func Weight(op wasm.Opcode) uint64 { return uint64(weights[op]) }

// Unwound is what a branch costs besides, per wasm.Function.Unwind.
func Unwound(operands uint16) uint64 {
	if operands == 0 {
		return 0
	}
	return UnwindBase + Unwind*uint64(operands)
}

// Charge is what an instruction adds to the charge of its block. unwound is 0 for all but branches; nesting is the
// number of blocks around the instruction, without the function itself.
func Charge(in *wasm.Instr, unwound uint16, nesting uint32) uint64 {
	n := Weight(in.Op) + Unwound(unwound)
	leaves := false
	switch in.Op {
	case wasm.OpI64Const:
		if uint64(in.Const)>>32 == 0 { // no need for the pool
			return Weight(wasm.OpI32Const)
		}
	case wasm.OpBr, wasm.OpBrIf:
		leaves = in.Index >= nesting
	case wasm.OpBrTable:
		for _, t := range in.Targets {
			leaves = leaves || t >= nesting
		}
	}
	if leaves {
		n += Weight(wasm.OpReturn)
	}
	return n
}

// Entry is what the first block of a function costs besides.
func Entry(m *wasm.Module, f *wasm.Function) uint64 {
	return Local*uint64(len(f.Locals)) + Param*uint64(len(m.Types[f.Type].Params))
}

// Frame is the number of stack slots that a call of the function takes.
func Frame(m *wasm.Module, f *wasm.Function) uint32 {
	locals := len(m.Types[f.Type].Params) + len(f.Locals)
	return uint32(FrameBase + f.Height + (locals+LocalsPerSlot-1)/LocalsPerSlot)
}

// Words is the number of started 32-byte words in n bytes.
func Words(n int) uint64 { return (uint64(n) + 31) / 32 }
