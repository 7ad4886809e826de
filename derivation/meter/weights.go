package meter

import "github.com/evmts/channels/derivation/wasm"

// Weights that do not belong to one instruction, in fuel. They are upper estimates from a threaded machine in EVM
// bytecode (65-77 gas for a plain instruction, which includes fetching and dispatching it).
const (
	Block     = 60   // subtracting, storing and testing the fuel
	Local     = 30   // clearing a local's slot in a new frame
	Unwind    = 24   // dropping an operand under those that a branch keeps, or keeping one above them
	InputWord = 220  // reversing 32 bytes into little-endian memory and storing them
	BulkWord  = 120  // one step of a copying or filling loop
	GrowPage  = 6000 // EVM memory for 64 KiB, not linear but bounded by the page limit
	HostCall  = 300

	HashWord   = 250 // reversing 32 bytes out of memory, keccak's own 6
	NoticeWord = 16  // emit, log, reject: nothing happens on chain
)

// Limits of the stack, in slots.
const (
	FrameBase     = 2 // return address and the caller's frame
	LocalsPerSlot = 8
	// FreeParams is how many parameters the weights of calls include; each further one costs Local.
	FreeParams = 8
	StackLimit = 900
)

// weights of the instructions, in fuel. Zero: the instruction costs nothing by itself.
var weights = func() (w [0x110]uint32) {
	const plain = 72
	for _, op := range wasm.Accepted() {
		w[op] = plain
	}
	set := func(cost uint32, ops ...wasm.Opcode) {
		for _, op := range ops {
			w[op] = cost
		}
	}
	set(0, wasm.OpNop, wasm.OpBlock, wasm.OpLoop, wasm.OpEnd) // resolved by lowering
	set(40, wasm.OpDrop)
	set(90, wasm.OpBrIf, wasm.OpIf, wasm.OpSelect)
	set(130, wasm.OpBrTable)
	set(140, wasm.OpReturn)
	set(260, wasm.OpCall)
	set(420, wasm.OpCallIndirect)
	for op := wasm.OpI32Load; op <= wasm.OpI64Store32; op++ {
		if op.Known() {
			w[op] = 110
		}
	}
	set(150, wasm.OpMemoryCopy, wasm.OpMemoryFill, wasm.OpMemoryGrow)
	for _, first := range []wasm.Opcode{0x67, 0x79} { // i32.clz, i64.clz
		set(260, first, first+1)                     // clz, ctz
		set(700, first+2)                            // popcnt
		set(110, first+6, first+7, first+8, first+9) // div, rem
		set(100, first+13, first+14, first+15)       // shifts
		set(130, first+16, first+17)                 // rotations
	}
	return w
}()

// Weight is the fuel of one instruction, without what depends on its operands.
func Weight(op wasm.Opcode) uint64 { return uint64(weights[op]) }

// Unwound is what a branch costs besides, per wasm.Function.Unwind.
func Unwound(operands uint16) uint64 { return Unwind * uint64(operands) }

// Entry is what the first block of a function costs besides.
func Entry(m *wasm.Module, f *wasm.Function) uint64 {
	return Local * uint64(len(f.Locals)+max(0, len(m.Types[f.Type].Params)-FreeParams))
}

// Frame is the number of stack slots that a call of the function takes.
func Frame(m *wasm.Module, f *wasm.Function) uint32 {
	locals := len(m.Types[f.Type].Params) + len(f.Locals)
	return uint32(FrameBase + f.Height + (locals+LocalsPerSlot-1)/LocalsPerSlot)
}

// Words is the number of started 32-byte words in n bytes.
func Words(n int) uint64 { return (uint64(n) + 31) / 32 }
