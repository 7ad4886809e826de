// The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves,
// moves from one cell to another of the same asset, so the sums cannot change, down to the last wei.
//
// transferAll works on words. A game that divides amounts reckons in cells of 128 bits, because wide numbers are dear
// on chain: words are unpacked into cells, one asset at a time, and packed again. No participant may have 2^124 or
// more of an asset then, which `check` establishes for the first funds and for each top-up, so that sixteen fit a cell.

import { allocate, reject, reversed } from "./host";

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
    if (asset >= this.assets || column >= this.columns) reject("no such column of the funds");
    return this.base + ((<usize>(asset * this.columns + column)) << 5);
  }

  /** All that `from` holds of an asset goes to `to`. Amounts may be of any size: a pot fits a word. */
  transferAll(asset: u32, from: u32, to: u32): void {
    const source = this.word(asset, from);
    const target = this.word(asset, to);
    if (source == target) return;
    let carry: u64 = 0;
    for (let i: i32 = 24; i >= 0; i -= 8) {
      const a = reversed(load<u64>(source + i));
      const b = reversed(load<u64>(target + i));
      const sum = a + b;
      const all = sum + carry;
      carry = u64(sum < a) | u64(all < sum);
      store<u64>(target + i, reversed(all));
      store<u64>(source + i, 0);
    }
    if (carry != 0) reject("an amount is too large");
  }

  /** Refuses amounts of 2^124 and more in the first `count` columns. */
  check(count: u32): void {
    for (let a: u32 = 0; a < this.assets; a++) {
      for (let p: u32 = 0; p < count; p++) {
        const at = this.word(a, p);
        if ((load<u64>(at) | load<u64>(at, 8)) != 0 || load<u8>(at, 16) > 15) reject("a stake is 2^124 or more");
      }
    }
  }

  /** Fills cells with the first `count` columns of an asset. */
  unpack(asset: u32, count: u32, cells: usize): void {
    if (count == 0) return;
    this.word(asset, count - 1); // all of them are there
    let at = this.word(asset, 0);
    for (const end = at + (count << 5); at < end; at += 32) {
      store<u64>(cells, reversed(load<u64>(at, 24)));
      store<u64>(cells, reversed(load<u64>(at, 16)), 8);
      cells += CELL;
    }
  }

  /** The inverse of unpack. */
  pack(asset: u32, count: u32, cells: usize): void {
    if (count == 0) return;
    this.word(asset, count - 1);
    let at = this.word(asset, 0);
    for (const end = at + (count << 5); at < end; at += 32) {
      store<u64>(at, reversed(load<u64>(cells)), 24);
      store<u64>(at, reversed(load<u64>(cells, 8)), 16);
      cells += CELL;
    }
  }
}

/** `count` cells of zero. */
export function zeros(count: u32): usize {
  return allocate(count * CELL);
}

/** from -= amount, to += amount; refuses when from holds less. Three different cells. */
export function move(from: usize, to: usize, amount: usize): void {
  const low = load<u64>(amount);
  const high = load<u64>(amount, 8);
  const had = load<u64>(from);
  const hadHigh = load<u64>(from, 8);
  if (hadHigh < high || (hadHigh == high && had < low)) reject("a cell holds too little");
  store<u64>(from, had - low);
  store<u64>(from, hadHigh - high - u64(had < low), 8);
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
 * Divides `pot` by weight: adds pot · weight / sum of weights, rounded down, to each of `count` cells, and leaves in
 * pot what does not divide, less than `count`. Weights are 4 bytes, one per cell; their sum is 1 to 2^32 - 1.
 *
 * With pot = q · whole + r a share is q · weight + r · weight / whole, so only the pot needs a long division.
 */
export function split(pot: usize, weights: usize, cells: usize, count: u32): void {
  let by: u64 = 0;
  for (let i: u32 = 0; i < count; i++) by += load<u32>(weights + (i << 2));
  if (by == 0 || by >> 32 != 0) reject("weights sum to nothing or to too much");
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
