// What a module of a channel asks of its host, and how it answers.
//
// The host calls allocate(len), writes the input there, and calls init, reduce or effects; the answer is
// ptr << 32 | len, unsigned (docs/encoding.md 21-24). Every call starts from the same snapshot of the memory,
// so nothing is ever freed. Build with `--use abort=`, so that the runtime imports nothing of its own.

// @ts-ignore: decorator
@external("channels", "keccak256")
declare function hostKeccak256(ptr: usize, len: usize, out: usize): void;

// @ts-ignore: decorator
@external("channels", "reject")
declare function hostReject(ptr: usize, len: usize): void;

// @ts-ignore: decorator
@external("channels", "emit")
declare function hostEmit(ptr: usize, len: usize): void;

// @ts-ignore: decorator
@external("channels", "log")
declare function hostLog(ptr: usize, len: usize): void;

/** Memory for `len` bytes, all zero. The memory grows at need, up to the module's own maximum; beyond that the call traps. */
export function allocate(len: usize): usize {
  return heap.alloc(len);
}

/** keccak256 of `len` bytes at `ptr`, written to the 32 bytes at `out`. */
export function keccak256(ptr: usize, len: usize, out: usize): void {
  hostKeccak256(ptr, len, out);
}

/** Hands bytes to whoever watches the derivation. Never part of the state. */
export function emit(ptr: usize, len: usize): void {
  hostEmit(ptr, len);
}

/** Writes a line for the module's developer. ASCII only. Never part of the state. */
export function log(message: string): void {
  hostLog(ascii(message), message.length);
}

/** Refuses the event: the call ends here and the state stays as it was. ASCII, at most 256 characters; players read it. */
export function reject(reason: string): void {
  hostReject(ascii(reason), reason.length);
  unreachable();
}

/** The answer of a call. */
export function answer(ptr: usize, len: usize): u64 {
  return ((<u64>ptr) << 32) | (<u64>len);
}

/** True when the `len` bytes at `ptr` spell `text` (ASCII). */
export function spells(ptr: usize, len: u32, text: string): bool {
  if (len != <u32>text.length) return false;
  const chars = changetype<usize>(text);
  for (let i: usize = 0; i < len; i++) {
    if (<u32>load<u8>(ptr + i) != <u32>load<u16>(chars + (i << 1))) return false;
  }
  return true;
}

/** The first `size` bytes at `a` and `b` are the same. `size` is a multiple of 8. */
export function same(a: usize, b: usize, size: usize): bool {
  for (let i: usize = 0; i < size; i += 8) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  }
  return true;
}

/** Writes a text as ASCII at `out`, without a length. Strings are UTF-16 in memory: keeps the low byte of each unit. */
export function narrow(text: string, out: usize): void {
  const chars = changetype<usize>(text);
  for (let i: usize = 0, n = <usize>text.length; i < n; i++) store<u8>(out + i, <u8>load<u16>(chars + (i << 1)));
}

function ascii(text: string): usize {
  const out = allocate(text.length);
  narrow(text, out);
  return out;
}

/** The bytes of `v` in the opposite order, in fewer steps than the library's: bytes in pairs, then pairs in eights. */
// @ts-ignore: decorator
@inline
export function reversed(v: u64): u64 {
  const pairs = ((v & 0x00ff00ff00ff00ff) << 8) | ((v >> 8) & 0x00ff00ff00ff00ff);
  return rotr(pairs & 0x0000ffff0000ffff, 16) | (rotl(pairs, 16) & 0x0000ffff0000ffff);
}
