// Numbers without floats: fixed point with 32 bits after the point in an i64, and the exact operations under it.
// Whatever does not fit refuses the event. Products and quotients are rounded towards zero.

import { reject } from "./host";

/** 1 in fixed point. The range is -2^31 to just below 2^31, in steps of 2^-32. */
export const ONE: i64 = 1 << 32;

export function toFixed(v: i32): i64 {
  return (<i64>v) << 32;
}

/** The largest integer not above. */
export function floorFixed(v: i64): i32 {
  return <i32>(v >> 32);
}

export function addFixed(a: i64, b: i64): i64 {
  const sum = a + b;
  if (((a ^ sum) & (b ^ sum)) < 0) reject("a number is too large");
  return sum;
}

export function subFixed(a: i64, b: i64): i64 {
  const difference = a - b;
  if (((a ^ b) & (a ^ difference)) < 0) reject("a number is too large");
  return difference;
}

export function mulFixed(a: i64, b: i64): i64 {
  return signed(mulDiv(magnitude(a), magnitude(b), <u64>ONE), (a ^ b) < 0);
}

export function divFixed(a: i64, b: i64): i64 {
  return signed(mulDiv(magnitude(a), <u64>ONE, magnitude(b)), (a ^ b) < 0);
}

function magnitude(v: i64): u64 {
  return v < 0 ? 0 - <u64>v : <u64>v;
}

function signed(v: u64, negative: bool): i64 {
  if (v > (<u64>i64.MAX_VALUE) + u64(negative)) reject("a number is too large");
  return negative ? <i64>(0 - v) : <i64>v;
}

/** a · b / c, rounded down, with all 128 bits of the product. */
export function mulDiv(a: u64, b: u64, c: u64): u64 {
  if (c == 0) reject("a division by zero");
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const ll = al * bl;
  const m = ah * bl + (ll >> 32);
  const n = al * bh + (m & 0xffffffff);
  const low = (n << 32) | (ll & 0xffffffff);
  const high = ah * bh + (m >> 32) + (n >> 32);
  if (high == 0) return low / c;
  if (high >= c) reject("a number is too large");

  // Two digits of 32 bits, each guessed from the divisor's first digit and then put right (Knuth, volume 2, 4.3.1 D).
  const shift = clz(c);
  const d = c << shift;
  const d1 = d >> 32;
  const d0 = d & 0xffffffff;
  const top = shift == 0 ? high : (high << shift) | (low >> (64 - shift));
  const rest = low << shift;
  const q1 = digit(top, rest >> 32, d1, d0);
  const next = ((top << 32) | (rest >> 32)) - q1 * d;
  const q0 = digit(next, rest & 0xffffffff, d1, d0);
  return (q1 << 32) | q0;
}

/** The digit of (top · 2^32 + next) / (d1 · 2^32 + d0), for top below the divisor. */
function digit(top: u64, next: u64, d1: u64, d0: u64): u64 {
  let q = top / d1;
  let r = top % d1;
  while (q >> 32 != 0 || q * d0 > ((r << 32) | next)) {
    q--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  return q;
}

/** The square root, rounded down. */
export function isqrt(v: u64): u64 {
  let root: u64 = 0;
  for (let bit: u64 = 1 << 62; bit != 0; bit >>= 2) {
    if (v >= root + bit) {
      v -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return root;
}
