// A strict reader of the part of MessagePack that payloads and configurations need: unsigned integers of any
// width, booleans, strings, byte strings, arrays, maps. Anything else is refused: nil, floats, negative numbers,
// extensions, more or fewer bytes than the value has. Every refusal is a rejection of the event.

import { reject, spells } from "./host";

export class MsgPackReader {
  /** Address of the last string or byte string read. */
  start: usize = 0;
  /** Its length. */
  length: u32 = 0;

  private at: usize;
  private end: usize;

  constructor(ptr: usize, len: u32) {
    this.at = ptr;
    this.end = ptr + len;
  }

  /** An unsigned integer not above `max`. */
  uint(max: u64): u64 {
    const tag = <u32>this.take(1);
    let v: u64 = tag;
    if (tag > 0x7f) {
      if (tag >= 0xcc && tag <= 0xcf) v = this.take(1 << (tag - 0xcc));
      else if (tag >= 0xd0 && tag <= 0xd3) v = this.positive(1 << (tag - 0xd0));
      else reject("expected an unsigned integer");
    }
    if (v > max) reject("an integer is too large");
    return v;
  }

  /** true or false. */
  boolean(): bool {
    const tag = <u32>this.take(1);
    if (tag != 0xc2 && tag != 0xc3) reject("expected true or false");
    return tag == 0xc3;
  }

  /** A string; see `start` and `length`. */
  string(): void {
    const tag = <u32>this.take(1);
    if (tag >= 0xa0 && tag <= 0xbf) this.content(tag & 31);
    else if (tag >= 0xd9 && tag <= 0xdb) this.content(this.take(1 << (tag - 0xd9)));
    else reject("expected a string");
  }

  /** A byte string; see `start` and `length`. Gives its address. */
  bytes(): usize {
    const tag = <u32>this.take(1);
    if (tag < 0xc4 || tag > 0xc6) reject("expected bytes");
    this.content(this.take(1 << (tag - 0xc4)));
    return this.start;
  }

  /** A byte string of exactly 32 bytes, and its address. */
  bytes32(): usize {
    const at = this.bytes();
    if (this.length != 32) reject("expected 32 bytes");
    return at;
  }

  /** The head of an array: how many values follow, at most `max`. */
  array(max: u32): u32 {
    return this.count(0x90, 0xdc, max);
  }

  /** The head of a map: how many keys and values follow, at most `max`. */
  map(max: u32): u32 {
    return this.count(0x80, 0xde, max);
  }

  /** The last string or byte string read spells `text`. */
  is(text: string): bool {
    return spells(this.start, this.length, text);
  }

  /** Nothing may follow. */
  done(): void {
    if (this.at != this.end) reject("bytes follow the value");
  }

  private count(fix: u32, wide: u32, max: u32): u32 {
    const tag = <u32>this.take(1);
    let n: u64 = 0;
    if ((tag & 0xf0) == fix) n = tag & 15;
    else if (tag == wide) n = this.take(2);
    else if (tag == wide + 1) n = this.take(4);
    else reject(fix == 0x80 ? "expected a map" : "expected an array");
    if (n > <u64>max) reject("too many elements");
    return <u32>n;
  }

  private positive(size: u32): u64 {
    const v = this.take(size);
    if (v >> ((size << 3) - 1)) reject("expected an unsigned integer");
    return v;
  }

  private content(length: u64): void {
    if (length > <u64>(this.end - this.at)) reject("the input ends too early");
    this.start = this.at;
    this.length = <u32>length;
    this.at += <usize>length;
  }

  /** `size` bytes as a big-endian integer. */
  private take(size: u32): u64 {
    if (size > <u32>(this.end - this.at)) reject("the input ends too early");
    let v: u64 = 0;
    for (let i: u32 = 0; i < size; i++) v = (v << 8) | load<u8>(this.at + i);
    this.at += size;
    return v;
  }
}
