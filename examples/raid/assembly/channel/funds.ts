// The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves,
// moves from one column to another of the same asset, so the sums cannot change, down to the last wei.

import { allocate } from "./host";

export class Funds {
  constructor(
    public base: usize,
    public assets: u32,
    public columns: u32,
  ) {}

  /** Address of what `column` holds of `asset`. */
  at(asset: u32, column: u32): usize {
    return this.base + ((<usize>(asset * this.columns + column)) << 5);
  }
}

/** A 256-bit zero. */
export function zero(): usize {
  const at = allocate(32);
  memory.fill(at, 0, 32);
  return at;
}

/** to += from, from = 0. The sum of an asset fits 256 bits, so this cannot overflow. */
export function moveAll(from: usize, to: usize): void {
  move(from, to, from);
  memory.fill(from, 0, 32);
}

/** from -= amount, to += amount, for amount <= from. Two passes, so that `amount` may be `from` itself. */
export function move(from: usize, to: usize, amount: usize): void {
  let carry: u64 = 0;
  for (let i: i32 = 28; i >= 0; i -= 4) {
    carry += <u64>limb(to, i) + <u64>limb(amount, i);
    setLimb(to, i, <u32>carry);
    carry >>= 32;
  }
  if (from == amount) return;
  let borrow: u64 = 0;
  for (let i: i32 = 28; i >= 0; i -= 4) {
    const d = <u64>limb(from, i) - <u64>limb(amount, i) - borrow;
    setLimb(from, i, <u32>d);
    borrow = d >> 63;
  }
}

/** out = value / 2, rounded down. */
export function half(value: usize, out: usize): void {
  portion(value, 1, 2, out);
}

/** out = value · part / whole, rounded down, for part <= whole and whole > 0: the product has 288 bits. */
export function portion(value: usize, part: u32, whole: u32, out: usize): void {
  const product = allocate(36);
  let carry: u64 = 0;
  for (let i: i32 = 28; i >= 0; i -= 4) {
    carry += <u64>limb(value, i) * <u64>part;
    store<u32>(product + i + 4, <u32>carry);
    carry >>= 32;
  }
  let rest: u64 = carry; // below part <= whole, so the quotient has no ninth limb
  for (let i: i32 = 0; i <= 28; i += 4) {
    const v = (rest << 32) | <u64>load<u32>(product + i + 4);
    setLimb(out, i, <u32>(v / whole));
    rest = v % whole;
  }
}

function limb(at: usize, i: i32): u32 {
  return bswap<u32>(load<u32>(at + i));
}

function setLimb(at: usize, i: i32, v: u32): void {
  store<u32>(at + i, bswap<u32>(v));
}
