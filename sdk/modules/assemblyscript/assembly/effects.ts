// Records for tables of a MUD World: abi.encode(Effect[]) (docs/encoding.md 24).
//
// A channel may have 32 effects in 8 KiB. What does not fit is not added, and the method says so with false: write
// what matters most first. Keys are words of 32 bytes, one after the other; putAddress and putUint write them.

import { putWord } from "./abi";
import { allocate, answer, narrow, reversed } from "./host";

const MAX_EFFECTS: u32 = 32;
const MAX_BYTES: u32 = 8 << 10;
/** The array's offset and length, and an offset for each effect: room for it is kept before the first effect. */
const MAX_HEAD: u32 = 64 + MAX_EFFECTS * 32;

const OP_SET: u32 = 0;
const OP_DELETE: u32 = 1;
const OP_INCREMENT: u32 = 2;
const OP_CALL: u32 = 3;

export class Effects {
  private count: u32 = 0;
  private first: usize;
  private at: usize;
  private starts: usize;

  constructor() {
    this.starts = allocate(MAX_EFFECTS << 2);
    this.first = allocate(MAX_HEAD + MAX_BYTES) + MAX_HEAD;
    this.at = this.first;
  }

  /** A static field of a record grows by `delta`, or shrinks. `field` is its index in the table's schema. */
  increment(table: usize, keys: usize, keyCount: u32, field: u32, delta: i64): bool {
    if (!this.begin(OP_INCREMENT, table, keys, keyCount, 64)) return false;
    const at = putWord(this.at, field);
    if (delta < 0) memory.fill(at, 0xff, 24);
    store<u64>(at, reversed(<u64>delta), 24);
    this.at = at + 32;
    return true;
  }

  /** A whole record, packed as MUD packs it; `lengths` is the address of its 32 bytes of encodedLengths. */
  set(table: usize, keys: usize, keyCount: u32, fixed: usize, fixedSize: u32, lengths: usize, dynamic: usize, dynamicSize: u32): bool {
    const first = padded(fixedSize);
    if (!this.begin(OP_SET, table, keys, keyCount, 160 + first + padded(dynamicSize))) return false;
    let at = putWord(this.at, 96);
    memory.copy(at, lengths, 32);
    at = putWord(at + 32, 128 + first);
    at = putBytes(at, fixed, fixedSize);
    this.at = putBytes(at, dynamic, dynamicSize);
    return true;
  }

  /** A record disappears. */
  remove(table: usize, keys: usize, keyCount: u32): bool {
    return this.begin(OP_DELETE, table, keys, keyCount, 0);
  }

  /** A call of a System: `data` is selector ‖ arguments. */
  call(system: usize, data: usize, size: u32): bool {
    if (!this.begin(OP_CALL, system, 0, 0, size)) return false;
    memory.copy(this.at, data, size);
    this.at += padded(size);
    return true;
  }

  answer(): u64 {
    const head: usize = this.first - 64 - ((<usize>this.count) << 5);
    putWord(putWord(head, 32), this.count);
    const base = head + 64; // element offsets count from here
    for (let k: u32 = 0; k < this.count; k++) putWord(base + (k << 5), load<u32>(this.starts + (k << 2)) - <u32>base);
    return answer(head, this.at - head);
  }

  /** Everything of an effect before the content of its data. False when there is no room. */
  private begin(op: u32, resource: usize, keys: usize, keyCount: u32, dataSize: u32): bool {
    // Each bound by itself first, so that the sum cannot wrap.
    if (this.count == MAX_EFFECTS || keyCount > MAX_BYTES || dataSize > MAX_BYTES) return false;
    const size: u32 = 192 + (keyCount << 5) + padded(dataSize);
    const used: u32 = 64 + (this.count << 5) + <u32>(this.at - this.first);
    if (used + 32 + size > MAX_BYTES) return false;
    store<u32>(this.starts + (this.count << 2), <u32>this.at);
    this.count++;
    let at = putWord(this.at, op);
    memory.copy(at, resource, 32);
    at = putWord(at + 32, 128);
    at = putWord(at, 160 + (keyCount << 5));
    at = putWord(at, keyCount);
    memory.copy(at, keys, keyCount << 5);
    this.at = putWord(at + (keyCount << 5), dataSize);
    return true;
  }
}

function padded(size: u32): u32 {
  if (size > MAX_BYTES) return MAX_BYTES + 1; // too much, whatever it is
  return (size + 31) & ~31;
}

function putBytes(at: usize, from: usize, size: u32): usize {
  at = putWord(at, size);
  memory.copy(at, from, size);
  return at + padded(size);
}

/** A key word that is an address: 20 bytes at `from`. The word must be zero before. Gives the address after it. */
export function putAddress(at: usize, from: usize): usize {
  memory.copy(at + 12, from, 20);
  return at + 32;
}

/** A key word that is an unsigned integer. The word must be zero before. Gives the address after it. */
export function putUint(at: usize, value: u64): usize {
  store<u64>(at, reversed(value), 24);
  return at + 32;
}

/** The 32 bytes "tb" ‖ namespace (14 bytes at `namespace`) ‖ name (ASCII, at most 16). */
export function tableId(namespace: usize, name: string): usize {
  return resourceId(0x6274, namespace, name);
}

/** The 32 bytes "sy" ‖ namespace ‖ name, for call. */
export function systemId(namespace: usize, name: string): usize {
  return resourceId(0x7973, namespace, name);
}

function resourceId(type: u16, namespace: usize, name: string): usize {
  const at = allocate(32);
  store<u16>(at, type);
  memory.copy(at + 2, namespace, 14);
  narrow(name.length > 16 ? name.substring(0, 16) : name, at + 16);
  return at;
}
