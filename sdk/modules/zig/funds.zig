//! The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves, moves from
//! one cell to another of the same asset, so the sums cannot change, down to the last wei.
//!
//! `transferAll` works on words. A game that divides amounts reckons in cells of 128 bits, because wide numbers are dear
//! on chain: words are unpacked into cells, one asset at a time, and packed again. No participant may have 2^124 or more
//! of an asset then, which `check` establishes for the first funds and for each top-up, so that sixteen fit a cell.

const host = @import("host.zig");

pub const Cell = u128;

pub const Funds = struct {
    base: [*]u8,
    assets: u32,
    columns: u32,

    /// The word that says what `column` holds of `asset`.
    pub fn word(self: Funds, asset: u32, column: u32) *[32]u8 {
        if (asset >= self.assets or column >= self.columns) host.reject("no such column of the funds");
        return self.base[(asset * self.columns + column) << 5 ..][0..32];
    }

    /// All that `from` holds of an asset goes to `to`. Amounts may be of any size: a pot fits a word.
    pub fn transferAll(self: Funds, asset: u32, from: u32, to: u32) void {
        const source = self.word(asset, from);
        const target = self.word(asset, to);
        if (source == target) return;
        var carry: u1 = 0;
        inline for (.{ 24, 16, 8, 0 }) |i| {
            const sum = @addWithOverflow(host.word64(source, i), host.word64(target, i));
            const all = @addWithOverflow(sum[0], carry);
            carry = sum[1] | all[1];
            put64(target, i, all[0]);
            put64(source, i, 0);
        }
        if (carry != 0) host.reject("an amount is too large");
    }

    /// Refuses amounts of 2^124 and more in the first `count` columns.
    pub fn check(self: Funds, count: u32) void {
        for (0..self.assets) |a| {
            for (0..count) |p| {
                const at = self.word(@intCast(a), @intCast(p));
                if ((host.word64(at, 0) | host.word64(at, 8)) != 0 or at[16] > 15) host.reject("a stake is 2^124 or more");
            }
        }
    }

    /// Fills cells with the first columns of an asset.
    pub fn unpack(self: Funds, asset: u32, cells: []Cell) void {
        for (cells, 0..) |*cell, p| {
            const at = self.word(asset, @intCast(p));
            cell.* = @as(u128, host.word64(at, 16)) << 64 | host.word64(at, 24);
        }
    }

    /// The inverse of unpack.
    pub fn pack(self: Funds, asset: u32, cells: []const Cell) void {
        for (cells, 0..) |cell, p| {
            const at = self.word(asset, @intCast(p));
            put64(at, 16, @truncate(cell >> 64));
            put64(at, 24, @truncate(cell));
        }
    }
};

fn put64(word: *[32]u8, comptime at: usize, value: u64) void {
    @as(*align(1) u64, @ptrCast(word[at..])).* = @byteSwap(value);
}

/// from -= amount, to += amount; refuses when `from` holds less.
pub fn move(from: *Cell, to: *Cell, amount: Cell) void {
    if (from.* < amount) host.reject("a cell holds too little");
    from.* -= amount;
    to.* +%= amount;
}

/// to += from, from = 0. Different cells.
pub fn moveAll(from: *Cell, to: *Cell) void {
    to.* +%= from.*;
    from.* = 0;
}

/// value / 2, rounded down.
pub fn half(value: Cell) Cell {
    return value >> 1;
}

/// Divides `pot` by weight: adds pot · weight / sum of weights, rounded down, to each cell, and leaves in pot what does not
/// divide, less than the number of cells. The sum of the weights is 1 to 2^32 - 1. One weight for each cell.
///
/// With pot = q · whole + r a share is q · weight + r · weight / whole, so only the pot needs a long division.
pub fn split(pot: *Cell, weights: []const u32, cells: []Cell) void {
    if (weights.len != cells.len) host.reject("one weight for each cell");
    var by: u64 = 0;
    for (weights) |w| by += w;
    if (by == 0 or by >> 32 != 0) host.reject("weights sum to nothing or to too much");
    // By digits of 32 bits: a division of 128 bits would be a loop of its own.
    var q: [4]u64 = undefined;
    var r: u64 = 0;
    inline for (.{ 3, 2, 1, 0 }) |i| {
        const d = r << 32 | @as(u32, @truncate(pot.* >> (32 * i)));
        q[i] = d / by;
        r = d % by;
    }
    var left: u64 = 0;
    for (cells, weights) |*cell, weight| {
        const w: u64 = weight;
        if (w == 0) continue;
        const f = r * w;
        left += f % by;
        const p0 = q[0] * w + f / by;
        const p1 = q[1] * w + (p0 >> 32);
        const p2 = q[2] * w + (p1 >> 32);
        const high = p2 +% (q[3] * w << 32);
        cell.* +%= @as(u128, high) << 64 | ((p1 << 32) | (p0 & 0xffffffff));
    }
    pot.* = left / by;
}
