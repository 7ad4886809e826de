//! Numbers without floats: fixed point with 32 bits after the point in an i64, and the exact operations under it.
//! Whatever does not fit refuses the event. Products and quotients are rounded towards zero.

use crate::host::reject;

const TOO_LARGE: &str = "a number is too large";

/// 1 in fixed point. The range is -2^31 to just below 2^31, in steps of 2^-32.
pub const ONE: i64 = 1 << 32;

pub fn from_int(v: i32) -> i64 {
    (v as i64) << 32
}

/// The largest integer not above.
pub fn floor(v: i64) -> i32 {
    (v >> 32) as i32
}

pub fn add(a: i64, b: i64) -> i64 {
    a.checked_add(b).unwrap_or_else(|| reject(TOO_LARGE))
}

pub fn sub(a: i64, b: i64) -> i64 {
    a.checked_sub(b).unwrap_or_else(|| reject(TOO_LARGE))
}

pub fn mul(a: i64, b: i64) -> i64 {
    signed(mul_div(a.unsigned_abs(), b.unsigned_abs(), ONE as u64), (a ^ b) < 0)
}

pub fn div(a: i64, b: i64) -> i64 {
    signed(mul_div(a.unsigned_abs(), ONE as u64, b.unsigned_abs()), (a ^ b) < 0)
}

fn signed(v: u64, negative: bool) -> i64 {
    if v > i64::MAX as u64 + negative as u64 {
        reject(TOO_LARGE)
    }
    if negative {
        (v as i64).wrapping_neg()
    } else {
        v as i64
    }
}

/// a · b / c, rounded down, with all 128 bits of the product.
pub fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    if c == 0 {
        reject("a division by zero")
    }
    let product = a as u128 * b as u128;
    let (high, low) = ((product >> 64) as u64, product as u64);
    if high == 0 {
        return low / c;
    }
    if high >= c {
        reject(TOO_LARGE)
    }
    // Two digits of 32 bits, each guessed from the divisor's first digit and then put right (Knuth, volume 2, 4.3.1 D).
    let shift = c.leading_zeros();
    let d = c << shift;
    let product = product << shift;
    let (top, rest) = ((product >> 64) as u64, product as u64);
    let q1 = digit(top, rest >> 32, d);
    let next = (top << 32 | rest >> 32).wrapping_sub(q1.wrapping_mul(d));
    q1 << 32 | digit(next, rest & 0xffff_ffff, d)
}

/// The digit of (top · 2^32 + next) / d, for top below d, whose highest bit is set.
fn digit(top: u64, next: u64, d: u64) -> u64 {
    let (d1, d0) = (d >> 32, d & 0xffff_ffff);
    let (mut q, mut r) = (top / d1, top % d1);
    while q >> 32 != 0 || q * d0 > (r << 32 | next) {
        q -= 1;
        r += d1;
        if r >> 32 != 0 {
            break;
        }
    }
    q
}

/// The square root, rounded down.
pub fn isqrt(mut v: u64) -> u64 {
    let mut root = 0;
    let mut bit = 1 << 62;
    while bit != 0 {
        if v >= root + bit {
            v -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    root
}
