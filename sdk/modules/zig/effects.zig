//! Records for tables of a MUD World: abi.encode(Effect[]) (docs/encoding.md 24).
//!
//! A channel may have 32 effects in 8 KiB. What does not fit is not added, and the function says so with false: write what
//! matters most first.

const host = @import("host.zig");

const max_effects = 32;
const max_bytes = 8 << 10;
/// The array's offset and length, and an offset for each effect: room for it is kept before the first effect.
const max_head = 64 + max_effects * 32;

pub const Word = [32]u8;

pub const Effects = struct {
    out: [*]u8,
    at: usize = max_head,
    starts: [max_effects]u32 = [_]u32{0} ** max_effects,
    count: u32 = 0,

    pub fn new() Effects {
        return .{ .out = host.allocate(max_head + max_bytes).ptr };
    }

    /// A static field of a record grows by `delta`, or shrinks. `field` is its index in the table's schema.
    pub fn increment(self: *Effects, table: *const Word, key: []const Word, field: u32, delta: i64) bool {
        if (!self.begin(2, table, key, 64)) return false;
        self.uint(field);
        if (delta < 0) @memset(self.out[self.at..][0..24], 0xff);
        self.uint(@bitCast(delta));
        return true;
    }

    /// A whole record, packed as MUD packs it.
    pub fn set(self: *Effects, table: *const Word, key: []const Word, fixed: []const u8, lengths: Word, dynamic: []const u8) bool {
        const first = padded(fixed.len);
        if (!self.begin(0, table, key, 160 + first + padded(dynamic.len))) return false;
        self.uint(96);
        self.bytes(&lengths);
        self.uint(128 + first);
        self.uint(fixed.len);
        self.bytes(fixed);
        self.uint(dynamic.len);
        self.bytes(dynamic);
        return true;
    }

    /// A record disappears.
    pub fn remove(self: *Effects, table: *const Word, key: []const Word) bool {
        return self.begin(1, table, key, 0);
    }

    /// A call of a System: `data` is selector ‖ arguments.
    pub fn call(self: *Effects, system: *const Word, data: []const u8) bool {
        if (!self.begin(3, system, &.{}, data.len)) return false;
        self.bytes(data);
        return true;
    }

    pub fn answer(self: *Effects) host.Answer {
        const end = self.at;
        const head = max_head - 64 - (self.count << 5);
        self.at = head;
        self.uint(32);
        self.uint(self.count);
        // Offsets of elements count from behind the length.
        for (self.starts[0..self.count]) |start| self.uint(start - head - 64);
        return .{ .bytes = self.out[head..end] };
    }

    /// Everything of an effect before the content of its data. False when there is no room; otherwise there is room for all
    /// of it, so that what follows need not look again: 32 effects must stay well below the fuel limit.
    fn begin(self: *Effects, op: u64, resource: *const Word, key: []const Word, size: usize) bool {
        // Each bound by itself first, so that the sum cannot wrap.
        if (self.count == max_effects or key.len > max_bytes or size > max_bytes) return false;
        const used = 64 + (self.count << 5) + (self.at - max_head);
        if (used + 32 + 192 + (key.len << 5) + padded(size) > max_bytes) return false;
        self.starts[self.count] = self.at;
        self.count += 1;
        self.uint(op);
        self.bytes(resource);
        self.uint(128);
        self.uint(160 + (key.len << 5));
        self.uint(key.len);
        for (key) |*word| self.bytes(word);
        self.uint(size);
        return true;
    }

    fn uint(self: *Effects, value: u64) void {
        @as(*align(1) u64, @ptrCast(self.out + self.at + 24)).* = @byteSwap(value);
        self.at += 32;
    }

    fn bytes(self: *Effects, from: []const u8) void {
        @memcpy(self.out + self.at, from);
        self.at += (from.len + 31) & ~@as(usize, 31);
    }
};

fn padded(size: usize) usize {
    if (size > max_bytes) return max_bytes + 1; // too much, whatever it is
    return (size + 31) & ~@as(usize, 31);
}

/// The key word of an address.
pub fn keyAddress(address: *const [20]u8) Word {
    var word = [_]u8{0} ** 32;
    @memcpy(word[12..], address);
    return word;
}

/// The key word of an unsigned integer.
pub fn keyUint(value: u64) Word {
    var word = [_]u8{0} ** 32;
    @as(*align(1) u64, @ptrCast(word[24..])).* = @byteSwap(value);
    return word;
}

/// "tb" ‖ namespace ‖ name (ASCII, at most 16).
pub fn tableId(namespace: *const [14]u8, comptime name: []const u8) Word {
    return resourceId("tb", namespace, name);
}

/// "sy" ‖ namespace ‖ name, for call.
pub fn systemId(namespace: *const [14]u8, comptime name: []const u8) Word {
    return resourceId("sy", namespace, name);
}

fn resourceId(comptime kind: *const [2]u8, namespace: *const [14]u8, comptime name: []const u8) Word {
    var word = [_]u8{0} ** 32;
    @memcpy(word[0..2], kind);
    @memcpy(word[2..16], namespace);
    const n = @min(name.len, 16);
    @memcpy(word[16..][0..n], name[0..n]);
    return word;
}
