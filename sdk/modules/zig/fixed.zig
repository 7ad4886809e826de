//! Numbers without floats: fixed point with 32 bits after the point in an i64, and the exact operations under it.
//! Whatever does not fit refuses the event. Products and quotients are rounded towards zero.

const host = @import("host.zig");

const too_large = "a number is too large";

/// 1 in fixed point. The range is -2^31 to just below 2^31, in steps of 2^-32.
pub const one: i64 = 1 << 32;

pub fn fromInt(v: i32) i64 {
    return @as(i64, v) << 32;
}

/// The largest integer not above.
pub fn floor(v: i64) i32 {
    return @truncate(v >> 32);
}

pub fn add(a: i64, b: i64) i64 {
    const r = @addWithOverflow(a, b);
    if (r[1] != 0) host.reject(too_large);
    return r[0];
}

pub fn sub(a: i64, b: i64) i64 {
    const r = @subWithOverflow(a, b);
    if (r[1] != 0) host.reject(too_large);
    return r[0];
}

pub fn mul(a: i64, b: i64) i64 {
    return signed(mulDiv(magnitude(a), magnitude(b), one), (a ^ b) < 0);
}

pub fn div(a: i64, b: i64) i64 {
    return signed(mulDiv(magnitude(a), one, magnitude(b)), (a ^ b) < 0);
}

fn magnitude(v: i64) u64 {
    const bits: u64 = @bitCast(v);
    return if (v < 0) 0 -% bits else bits;
}

fn signed(v: u64, negative: bool) i64 {
    if (v > (@as(u64, 1) << 63) - 1 + @intFromBool(negative)) host.reject(too_large);
    return @bitCast(if (negative) 0 -% v else v);
}

/// a · b / c, rounded down, with all 128 bits of the product.
pub fn mulDiv(a: u64, b: u64, c: u64) u64 {
    if (c == 0) host.reject("a division by zero");
    const al = a & 0xffffffff;
    const ah = a >> 32;
    const bl = b & 0xffffffff;
    const bh = b >> 32;
    const ll = al * bl;
    const m = ah * bl + (ll >> 32);
    const n = al * bh + (m & 0xffffffff);
    const low = n << 32 | (ll & 0xffffffff);
    const high = ah * bh + (m >> 32) + (n >> 32);
    if (high == 0) return low / c;
    if (high >= c) host.reject(too_large);
    // Two digits of 32 bits, each guessed from the divisor's first digit and then put right (Knuth, volume 2, 4.3.1 D).
    const shift: u6 = @intCast(@clz(c));
    const d = c << shift;
    const top = if (shift == 0) high else high << shift | low >> @intCast(64 - @as(u32, shift));
    const rest = low << shift;
    const q1 = digit(top, rest >> 32, d);
    const next = (top << 32 | rest >> 32) -% q1 *% d;
    return q1 << 32 | digit(next, rest & 0xffffffff, d);
}

/// The digit of (top · 2^32 + next) / d, for top below d, whose highest bit is set.
fn digit(top: u64, next: u64, d: u64) u64 {
    const d1 = d >> 32;
    const d0 = d & 0xffffffff;
    var q = top / d1;
    var r = top % d1;
    while (q >> 32 != 0 or q * d0 > (r << 32 | next)) {
        q -= 1;
        r += d1;
        if (r >> 32 != 0) break;
    }
    return q;
}

/// The square root, rounded down.
pub fn isqrt(value: u64) u64 {
    var v = value;
    var root: u64 = 0;
    var bit: u64 = 1 << 62;
    while (bit != 0) : (bit >>= 2) {
        if (v >= root + bit) {
            v -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}
