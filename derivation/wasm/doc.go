// Package wasm decides which WebAssembly binaries are modules: it decodes the binary format, refuses whatever is not
// deterministic or not part of the agreed subset, validates every body, and executes nothing.
//
// The accepted subset is WebAssembly 1.0 without floating point, plus sign extension, mutable globals, multi-value, and
// memory.copy / memory.fill (docs/protocol.md §2, docs/encoding.md 21-24). Everything else is refused by name, with the
// function index, the byte offset in the file, and the opcode.
//
//	binary   = "\0asm" ‖ 01 00 00 00 ‖ section*          sections in the order of the specification, each at most once
//	section  = id (1 byte) ‖ size (u32 LEB128) ‖ content  the content fills exactly size bytes
//	custom   = id 0, anywhere, content ignored
//	accepted = 1 type, 2 import (functions of "channels" only), 3 function, 4 table (one, funcref), 5 memory (one),
//	           6 global, 7 export, 8 start, 9 element (active), 10 code, 11 data (active), 12 data count
//
// LEB128 is read strictly: at most ⌈N/7⌉ bytes, and the unused bits of the last one must be the sign (or zero). Longer
// paddings of the same number within that bound are allowed, as the specification allows them.
//
// Decode gives a Module whose bodies are type-checked and whose operand heights are known; CheckABI then decides
// whether it has the imports and exports of a module of this system. Both bound every count they read before they
// allocate for it (Max… constants), so the cost of looking at a hostile file is linear in its length.
package wasm
