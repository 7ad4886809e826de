// Package derivation runs the deterministic reducers of applications: it loads a WebAssembly module, refuses what
// could behave differently on two machines, and derives the same bytes, status and fuel from the same input everywhere.
//
// An Engine holds programs; Engine.Load turns a binary into a Module, which implements channel.Module and is safe for
// concurrent use. Each module is lowered (package derivation/lower) to the program that its programHash commits to, and
// runs on one of three engines that agree on every byte, status and fuel: wazero's compiler, its interpreter (both on
// metered code), and the reference machine over the lowered program (package derivation/machine), which Module.Machine
// also gives to debuggers, profilers and proofs. Package derivation/wasm says which binaries are accepted, package derivation/meter where fuel and
// stack are counted. A Library finds loaded modules by moduleHash; a Replayer derives the state at any seq of a journal.
//
// # One call
//
// Every call starts from the same snapshot: memory and globals as the start function left them. With the manifest's
// fuel limit as budget the host then does, for each argument in order, charge meter.InputWord per started 32 bytes,
// call allocate(length), and copy the argument to the pointer it returns; then it calls init, reduce or effects with
// pointers and lengths. The i64 result, unsigned, is ptr<<32 | len; those bytes are the output, for which the host
// charges meter.OutputWord per started 32 bytes before it looks at them. The snapshot is restored before the instance
// serves another call, so nothing survives.
//
// The first that applies decides the status (docs/encoding.md 18):
//
//	out of fuel          a charge made the fuel negative; Fuel is then the limit
//	rejected by module   channels.reject was called
//	trap                 a trap of WebAssembly, the stack limit, a pointer outside of the memory
//	output               the result is empty, too long, or its terminal byte is neither 0 nor 1
//	accepted
//
// Whatever is not accepted changes nothing. What the module logs or emits is bounded and never part of the result.
package derivation
