//! Reads what Solidity's abi.encode wrote. Every read is checked against the end of the input; integers above 32 bits are
//! read as words, because nothing that a module counts is larger.

const host = @import("host.zig");

/// A view of words. `base` is where offsets inside it count from.
pub const AbiReader = struct {
    input: []const u8,
    base: usize = 0,

    /// Word `index`.
    pub fn word(self: AbiReader, index: u32) *const [32]u8 {
        return self.slice(index, 1)[0..32];
    }

    /// `count` words from `index`.
    pub fn slice(self: AbiReader, index: u32, count: u32) []const u8 {
        const at = @as(u64, self.base) + (@as(u64, index) << 5);
        const end = at + (@as(u64, count) << 5);
        if (end > self.input.len) host.reject("the input ends too early");
        return self.input[@intCast(at)..@intCast(end)];
    }

    /// Word `index` as an integer below 2^32.
    pub fn uint(self: AbiReader, index: u32) u32 {
        const w = self.word(index);
        const last = host.word64(w, 24);
        if ((host.word64(w, 0) | host.word64(w, 8) | host.word64(w, 16) | last >> 32) != 0) host.reject("an integer is too large");
        return @truncate(last);
    }

    /// What the offset in word `index` points to.
    pub fn tail(self: AbiReader, index: u32) AbiReader {
        const at = @as(u64, self.base) + self.uint(index);
        if (at > self.input.len) host.reject("the input ends too early");
        return .{ .input = self.input, .base = @intCast(at) };
    }

    /// The same view without its first `words` words: elements of an array after its length.
    pub fn skip(self: AbiReader, words: u32) AbiReader {
        _ = self.slice(0, words);
        return .{ .input = self.input, .base = self.base + (words << 5) };
    }

    /// The content of a `bytes` whose length is word 0.
    pub fn bytes(self: AbiReader) []const u8 {
        const length = self.uint(0);
        const at = @as(u64, self.base) + 32;
        if (at + length > self.input.len) host.reject("the input ends too early");
        return self.input[@intCast(at)..][0..length];
    }
};
