// Package machine is the reference: it executes a lowered program one instruction at a time, in the plainest way that
// is fast enough, so that every other executor can be compared with it, a debugger can stop anywhere, and a proof can
// begin in the middle.
//
// A Machine carries out one call at a time (Begin, then Run or Finish) with the semantics of package derivation: the
// same fuel, stack limit, traps and outputs as the metered module under wazero and as the machine on chain. Between
// any two instructions Encode gives its whole state; Restore continues it on another machine. Hook sees each
// instruction before it is executed.
//
// # State
//
// All integers are big-endian. The program is not part of the state, its hash is.
//
//	  0  4  magic "\0mch"            48  8  limit of fuel
//	  4  2  version 1                56  8  fuel left, two's complement
//	  6  1  status                   64  4  pc, next instruction
//	  7  1  trap                     68  4  base of the frame
//	  8  1  entry, 4 = none          72  4  V, values on the stack
//	  9  1  A, arguments ≤ 2         76  4  D, frames
//	 10  1  arguments copied in      80  4  height in slots
//	 11  1  zero                     84  4  page limit, already the smaller one
//	 12 32  programHash              88  4  pages
//	 44  4  zero                     92 32  4 parameters of the entry
//	124     V × 8 values ‖ D × 12 frames (return address, caller's base, slots) ‖ globals × 8 ‖ memory
//	        ‖ A × (length (4) ‖ bytes)
package machine
