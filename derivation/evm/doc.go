// Package evm generates the contract that executes modules: WasmMachine, a threaded interpreter of lowered programs in
// EVM bytecode. It is written as text for a small assembler (one line, one thought: what is on the stack), handler by
// handler; `go run ./derivation/evm/gen` writes the listing, the code and the table of prices, and a test holds them.
//
// # Why bytecode
//
// Code that executes money must be the same for ever: no version of a compiler enters, and what is reviewed is what runs.
// The stack of the module is the EVM's own, which no compiler would leave alone. An instruction costs 62 to 72 gas on the
// example modules (examples/*/testdata/gas.txt), charges of fuel included, loading and the copying of arguments not.
//
// # How it works
//
// The handler of instruction n is at code address 64 × n; the format of programs is made so (package lower). On the stack
// are the module's operands and, on top, ip: the address in memory of the instruction. A handler ends with
//
//	PUSH1 8 ADD DUP1 MLOAD PUSH1 240 SHR JUMP       macro next: 26 gas, and 1 for the JUMPDEST
//
// Handlers that are too long for 64 bytes continue behind the others. Memory, in this order, so that only the last part
// grows:
//
//	slots        what does not change often: fuel, limits, addresses of sections
//	frames       downwards: header (address of the call ‖ height ‖ caller's frame), then parameters and locals
//	program      as it is; the globals are used where they are
//	memory       of the module, last byte first: a little-endian load is one MLOAD and a mask
//
// memory.grow moves the module's memory up, so a call pays the EVM for the pages it has and not for those it could have.
// Height of the stack and depth of calls are bounded by package meter's rules, the same in every executor: the EVM's 1,024
// slots and the memory for frames are never exceeded (a test tries the worst).
//
// # Calldata
//
// Words of 32 bytes:
//
//	fuel limit ‖ page limit ‖ entry ‖ most bytes of output ‖ C ‖ A ‖ C addresses ‖ A sizes ‖ bytes of the A arguments, unpadded
//
// The C contracts hold 0x00 ‖ bytes of the program each. The entry is lower.Init, Reduce or Effects. The answer is
//
//	status ‖ fuel used ‖ size ‖ output, padded with zeros to whole words
//
// with the status of docs/encoding.md 18: 0 returned, 7 rejected, 8 trap, 9 out of fuel, 10 output empty or too long. Fuel
// and status are those of package machine in every case; a program with more pages than the limit, which cannot be loaded
// off chain, traps with no fuel used.
//
// # What it cannot do
//
// It has no storage, calls nobody, and reads code of the chunks only. It ends with RETURN of a verdict, or the call fails
// with nothing returned: running out of gas is no verdict. Nobody checks a program on chain: one that was not made by
// lowering, or whose weights are too low, can give any verdict about itself or none, and touches nobody else. Whoever
// relies on a module checks that its programHash is that of its binary.
//
// # Fuel and gas
//
// For everything that a program does, gas ≤ fuel (README.md is the table, package meter the rules). GasBound adds what a
// call costs besides. Prices are those of the Cancun fork, and of Osaka, where a test finds the same; a fork that makes one
// of the machine's opcodes dearer needs new weights, and so new programs.
package evm
