// What a module of a channel asks of its host, and how it answers.
//
// The host calls allocate(len), writes the input there, and calls init, reduce or effects; the answer is
// ptr << 32 | len, unsigned (docs/encoding.md 21-24). Every call starts from the same snapshot of the memory,
// so nothing is ever freed.

import { NAME } from "../name";

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

/** Memory for `len` bytes, zero when fresh. The memory grows at need, up to the module's own maximum. */
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
  hostLog(ascii("", message), message.length);
}

/** Refuses the event: the call ends here and the state stays as it was. ASCII, at most 256 characters with NAME. */
export function bail(message: string): void {
  hostReject(ascii(NAME, message), NAME.length + message.length);
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

/** Writes two texts as ASCII, without a length, and gives their address. */
function ascii(first: string, second: string): usize {
  const out = allocate(first.length + second.length);
  narrow(first, out);
  narrow(second, out + first.length);
  return out;
}

/** Strings are UTF-16 in memory: keeps the low byte of each unit. */
export function narrow(text: string, out: usize): void {
  const chars = changetype<usize>(text);
  for (let i: usize = 0, n = <usize>text.length; i < n; i++) store<u8>(out + i, <u8>load<u16>(chars + (i << 1)));
}

/** Replaces the runtime's own abort, which would import from `env`. */
export function abort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}
