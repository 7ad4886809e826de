// Package lower turns a module into the flat program that its programHash commits to and that every machine executes:
// branches resolved, instructions of fixed width, fuel and frames explicit, memory as the start function left it.
//
// Lowering is a function of the .wasm binary alone: no limit of the manifest, machine, map order or version of a
// compiler enters, so everybody who holds the binary gets the same bytes. Package derivation/machine runs the start
// function and completes the program. Fuel is charged by Fuel instructions exactly where package meter says, inside
// host functions, memory.copy, memory.fill and memory.grow, and for arguments and output.
//
// # Format
//
// All integers are big-endian. A section follows the one before without a gap; the length of the whole is what the
// header says.
//
//	header     64 bytes
//	   0  4  magic "\0low"               16  4  N, instructions   ≤ 1,048,576
//	   4  2  version 1                   20  4  K, constants      ≤ 65,536
//	   6  2  pages at the start ≤ max    24  4  S, segments       ≤ 32,768
//	   8  2  max pages ≤ 16              28  4  I, bytes of all segments ≤ 65,536 × pages
//	  10  2  G, globals   ≤ 1,024        32 16  code addresses of allocate, init, reduce, effects
//	  12  2  T, elements  ≤ 4,096               (ffffffff: the program has none)
//	  14  2  F, functions ≤ 4,096        48 16  zero
//	code       N × 8    op (2) ‖ b (2) ‖ c (4)
//	constants  K × 8    the 64-bit constants above 2^32 - 1, each once, in the order of their first use
//	globals    G × 32   values, zero-extended
//	table      T × 8    kind (2) ‖ type (2) ‖ code address (4);  kind 0 null, 1 function, 2 + n host function n
//	segments   S × 8    address (4) ‖ size (4), ascending
//	image      I        the bytes of each segment, last byte first
//	functions  F × 16   code address (4) ‖ type (2) ‖ params (1) ‖ results (1) ‖ locals (2) ‖ operands (2) ‖ zero (4)
//
// A code address counts bytes from the beginning of the code. op is the instruction's number (Op) × 64. Where c is an
// index it counts bytes as well: × 8 for jumps, calls and constants, × 32 for locals and globals. Fields that an
// instruction does not use are zero. A type is the index of the first equal type of the module. Host functions are
// 0 keccak256, 1 emit, 2 log, 3 reject. A segment is a longest run of 32-byte words of the memory that begins and ends
// with a word that is not zero and has at most three zero words in a row. locals counts the parameters, operands is
// the largest number that a reachable point of the function has on the stack.
//
// # Why this form
//
// It is made for an interpreter in EVM bytecode whose operands are on the EVM's stack:
//
//   - Eight bytes per instruction: one MLOAD gets an instruction, the next is eight bytes on, and a jump goes to c plus
//     the address where the code begins.
//   - op × 64 in the upper 16 bits: a machine that puts the handler of instruction n at code address 64 × n dispatches
//     with 240 SHR JUMP, needs no table, and no handler address becomes part of the format. 0 is no instruction because
//     execution of a contract begins there.
//   - c in the lowest bits of the word, and premultiplied: 192 SHR, mask; an index into words of memory costs no
//     multiplication.
//   - Constants of 64 bits are rare, so they are in a pool and do not widen every instruction.
//   - Globals are whole words, so that the section is copied into memory as it is. The image is reversed because a
//     machine that keeps its memory reversed loads little-endian numbers with one MLOAD.
//   - Enter makes the frame: a call need not know what it calls, so call_indirect is a call of what the table says.
//   - Nothing is left to search: targets, how many operands a branch drops (Unwind), arities and frames are there.
//   - i32 values are kept zero-extended; i64.extend_i32_u is no instruction.
//
// The last section is for debuggers and for verification; a machine in a contract does not read it.
package lower
