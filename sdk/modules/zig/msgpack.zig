//! A strict reader of the part of MessagePack that payloads and configurations need: unsigned integers of any width,
//! booleans, strings, byte strings, arrays, maps. Anything else is refused: nil, floats, negative numbers, extensions,
//! more or fewer bytes than the value has. Every refusal is a rejection of the event.

const host = @import("host.zig");

pub const MsgPackReader = struct {
    rest: []const u8,

    /// An unsigned integer not above `max`.
    pub fn uint(self: *MsgPackReader, max: u64) u64 {
        const tag = self.one();
        const v: u64 = switch (tag) {
            0...0x7f => tag,
            0xcc...0xcf => self.take(width(tag - 0xcc)),
            0xd0...0xd3 => positive: {
                const size = width(tag - 0xd0);
                const v = self.take(size);
                if (v >> @intCast(size * 8 - 1) != 0) host.reject("expected an unsigned integer");
                break :positive v;
            },
            else => host.reject("expected an unsigned integer"),
        };
        if (v > max) host.reject("an integer is too large");
        return v;
    }

    /// true or false.
    pub fn boolean(self: *MsgPackReader) bool {
        return switch (self.one()) {
            0xc2 => false,
            0xc3 => true,
            else => host.reject("expected true or false"),
        };
    }

    /// A string, as its bytes: they need not be UTF-8.
    pub fn string(self: *MsgPackReader) []const u8 {
        const tag = self.one();
        return self.content(switch (tag) {
            0xa0...0xbf => tag & 31,
            0xd9...0xdb => self.take(width(tag - 0xd9)),
            else => host.reject("expected a string"),
        });
    }

    /// A byte string.
    pub fn bytes(self: *MsgPackReader) []const u8 {
        const tag = self.one();
        if (tag < 0xc4 or tag > 0xc6) host.reject("expected bytes");
        return self.content(self.take(width(tag - 0xc4)));
    }

    /// A byte string of exactly 32 bytes.
    pub fn bytes32(self: *MsgPackReader) *const [32]u8 {
        const b = self.bytes();
        if (b.len != 32) host.reject("expected 32 bytes");
        return b[0..32];
    }

    /// The head of an array: how many values follow, at most `max`.
    pub fn array(self: *MsgPackReader, max: u32) u32 {
        return self.count(0x90, 0xdc, max, "expected an array");
    }

    /// The head of a map: how many keys and values follow, at most `max`.
    pub fn map(self: *MsgPackReader, max: u32) u32 {
        return self.count(0x80, 0xde, max, "expected a map");
    }

    /// Nothing may follow.
    pub fn done(self: *const MsgPackReader) void {
        if (self.rest.len != 0) host.reject("bytes follow the value");
    }

    fn count(self: *MsgPackReader, fix: u32, wide: u32, max: u32, otherwise: []const u8) u32 {
        const tag = self.one();
        const n: u64 = if (tag & 0xf0 == fix)
            tag & 15
        else if (tag == wide)
            self.take(2)
        else if (tag == wide + 1)
            self.take(4)
        else
            host.reject(otherwise);
        if (n > max) host.reject("too many elements");
        return @intCast(n);
    }

    fn content(self: *MsgPackReader, length: u64) []const u8 {
        if (length > self.rest.len) host.reject("the input ends too early");
        const n: usize = @intCast(length);
        const out = self.rest[0..n];
        self.rest = self.rest[n..];
        return out;
    }

    fn one(self: *MsgPackReader) u32 {
        return @truncate(self.take(1));
    }

    /// `size` bytes as a big-endian integer.
    fn take(self: *MsgPackReader, size: u32) u64 {
        var v: u64 = 0;
        for (self.content(size)) |b| v = v << 8 | b;
        return v;
    }
};

/// 1, 2, 4, 8 bytes.
fn width(log2: u32) u32 {
    return @as(u32, 1) << @truncate(log2);
}
