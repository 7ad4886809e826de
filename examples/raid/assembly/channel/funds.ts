// The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves,
// moves from one cell to another of the same asset, so the sums cannot change, down to the last wei.
//
// A game reckons in cells of 128 bits, because wide numbers are dear on chain: words are unpacked into cells, one
// asset at a time, and packed again. No participant has 2^124 or more of an asset, which `check` establishes for
// the first funds and for each top-up, so that sixteen of them fit a cell.

import { allocate, bail } from "./host";

/** Bytes of a cell: low and high 64 bits, in the machine's order. */
export const CELL: u32 = 16;

export class Funds {
  constructor(
    public base: usize,
    public assets: u32,
    public columns: u32,
  ) {}

  /** Address of the word that says what `column` holds of `asset`. */
  word(asset: u32, column: u32): usize {
    return this.base + ((<usize>(asset * this.columns + column)) << 5);
  }

  /** Refuses amounts of 2^124 and more in the first `count` columns. */
  check(count: u32): void {
    for (let a: u32 = 0; a < this.assets; a++) {
      for (let p: u32 = 0; p < count; p++) {
        const at = this.word(a, p);
        if ((load<u64>(at) | load<u64>(at, 8)) != 0 || load<u8>(at, 16) > 15) bail("a stake is 2^124 or more");
      }
    }
  }

  /** Fills cells with the first `count` columns of an asset. */
  unpack(asset: u32, count: u32, cells: usize): void {
    let at = this.word(asset, 0);
    for (let end = at + (count << 5); at < end; at += 32) {
      store<u64>(cells, reversed(load<u64>(at, 24)));
      store<u64>(cells, reversed(load<u64>(at, 16)), 8);
      cells += CELL;
    }
  }

  /** The inverse of unpack. */
  pack(asset: u32, count: u32, cells: usize): void {
    let at = this.word(asset, 0);
    for (let end = at + (count << 5); at < end; at += 32) {
      store<u64>(at, reversed(load<u64>(cells)), 24);
      store<u64>(at, reversed(load<u64>(cells, 8)), 16);
      cells += CELL;
    }
  }
}

/** The bytes of `v` in the opposite order, in fewer steps than the library's: bytes in pairs, then pairs in eights. */
// @ts-ignore: decorator
@inline
function reversed(v: u64): u64 {
  const pairs = ((v & 0x00ff00ff00ff00ff) << 8) | ((v >> 8) & 0x00ff00ff00ff00ff);
  return rotr(pairs & 0x0000ffff0000ffff, 16) | (rotl(pairs, 16) & 0x0000ffff0000ffff);
}

/** `count` cells of zero. */
export function zeros(count: u32): usize {
  const at = allocate(count * CELL);
  memory.fill(at, 0, count * CELL);
  return at;
}

/** from -= amount, to += amount, for amount <= from. Three different cells. */
export function move(from: usize, to: usize, amount: usize): void {
  const low = load<u64>(amount);
  const high = load<u64>(amount, 8);
  const had = load<u64>(from);
  store<u64>(from, had - low);
  store<u64>(from, load<u64>(from, 8) - high - u64(had < low), 8);
  const sum = load<u64>(to) + low;
  store<u64>(to, sum);
  store<u64>(to, load<u64>(to, 8) + high + u64(sum < low), 8);
}

/** to += from, from = 0. Different cells. */
export function moveAll(from: usize, to: usize): void {
  const low = load<u64>(from);
  const sum = load<u64>(to) + low;
  store<u64>(to, sum);
  store<u64>(to, load<u64>(to, 8) + load<u64>(from, 8) + u64(sum < low), 8);
  store<u64>(from, 0);
  store<u64>(from, 0, 8);
}

/** out = value / 2, rounded down. */
export function half(value: usize, out: usize): void {
  const high = load<u64>(value, 8);
  store<u64>(out, (load<u64>(value) >> 1) | (high << 63));
  store<u64>(out, high >> 1, 8);
}

/**
 * Divides `pot` by weight: adds pot · weight / whole, rounded down, to each of `count` cells, and leaves in pot what
 * does not divide, less than `count`. Weights are 4 bytes, one per cell; `whole` > 0 is their sum.
 *
 * With pot = q · whole + r a share is q · weight + r · weight / whole, so only the pot needs a long division.
 */
export function split(pot: usize, weights: usize, whole: u32, cells: usize, count: u32): void {
  const by = <u64>whole;
  const d3 = <u64>load<u32>(pot, 12);
  const d2 = ((d3 % by) << 32) | <u64>load<u32>(pot, 8);
  const d1 = ((d2 % by) << 32) | <u64>load<u32>(pot, 4);
  const d0 = ((d1 % by) << 32) | <u64>load<u32>(pot);
  const q3 = d3 / by;
  const q2 = d2 / by;
  const q1 = d1 / by;
  const q0 = d0 / by;
  const r = d0 % by;
  let left: u64 = 0;
  for (const end = cells + count * CELL; cells < end; cells += CELL, weights += 4) {
    const w = <u64>load<u32>(weights);
    if (w == 0) continue;
    const f = r * w;
    left += f % by;
    const p0 = q0 * w + f / by;
    const p1 = q1 * w + (p0 >> 32);
    const p2 = q2 * w + (p1 >> 32);
    const low = (p1 << 32) | (p0 & 0xffffffff);
    const sum = load<u64>(cells) + low;
    store<u64>(cells, sum);
    store<u64>(cells, load<u64>(cells, 8) + p2 + ((q3 * w) << 32) + u64(sum < low), 8);
  }
  store<u64>(pot, left / by);
  store<u64>(pot, 0, 8);
}
