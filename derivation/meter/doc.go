// Package meter rewrites a module so that it counts its own fuel and the height of its own stack, the same on every
// engine that can run WebAssembly. The rules below are part of the semantics of a module (docs/protocol.md §2): each
// executor, whether it runs the rewritten module or the lowered program, must charge and stop at the same points.
//
// # Fuel
//
// One unit of fuel is at least one unit of gas of the chain's machine (package evm), so that an event within its fuel
// limit can be executed on chain within a known gas budget: evm.GasBound adds what a call costs besides. Weights are the
// most that the handlers of the contract can cost, no more: evm's tests compute them from its code, and search for what
// costs more than it is charged. Weight gives the fuel of an instruction.
//
// A call starts with the manifest's fuel limit. Charging n means: fuel -= n; if fuel < 0 the call ends at once as "out
// of fuel", whatever else would have happened. Charges are made at these points and nowhere else:
//
//	input        before each argument is copied in: InputWord per started 32 bytes
//	output       when the entry has returned a range inside of the memory: OutputWord per started 32 bytes
//	block        at the beginning of each basic block: Block plus the charges of all its instructions (func Charge)
//	host         inside each host function, before it acts: HostCall plus NoticeWord per started 32 bytes of its length,
//	             keccak256 HashCall plus HashWord
//	bulk         before memory.copy and memory.fill act, and before they check bounds: BulkWord per started 32 bytes
//	grow         before memory.grow succeeds: GrowPage per page that the memory then has, because what was there is moved
//	             on chain and what is new is cleared; a memory.grow that fails charges nothing. What the EVM asks for its
//	             own memory is not fuel: it depends on the program's size and is bounded by the page limit (evm.GasBound)
//
// A basic block begins at the entry of a function, after loop, if, else, end and br_if. It extends to the next such
// point; calls do not end it. Code that no path reaches syntactically (after br, br_table, return, unreachable, up to
// the end or else of the enclosing block) is dropped and belongs to no block. The entry block of a function also pays
// Param for each of its parameters and Local for each of its other locals. The end of the function itself counts as
// return. An i64.const below 2^32 counts as i32.const.
//
// A br, br_if, br_table or return that has to drop operands below those it keeps also pays UnwindBase, and Unwind for
// each operand that it drops or keeps, in its block, whether it is taken or not; a br_table pays for the target that has
// most. A br, br_if or br_table that can leave the function also pays what return costs.
//
// # Stack
//
// A frame costs FrameBase + the largest number of operands its function has at any reachable point + one per started
// LocalsPerSlot parameters and locals. When a function is entered, before its first block is charged, the cost is
// added to the height of the stack; if that makes more than StackLimit, the call traps (stack exhausted). When it
// returns, the cost is taken off. Host functions have no frame. StackLimit leaves room in the EVM's 1,024 slots.
//
// # What is injected
//
// Two globals (fuel: i64, height: i32), one function per import that charges and calls it, and one each for
// memory.copy, memory.fill and memory.grow; two locals per function. They have indices above those that the module
// was validated with, so no instruction of the module can name them. The exports are replaced by the required ones,
// plus the injected globals and the module's mutable globals under names the host uses to reset them. The maximum of
// the memory is lowered to the page limit, so that memory.grow beyond it gives -1 everywhere.
package meter
