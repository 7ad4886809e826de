//! What a module of a channel asks of its host, and how it answers.
//!
//! The host calls allocate(len), writes the input there, and calls init, reduce or effects; the answer is
//! ptr << 32 | len (docs/encoding.md 21-24). Every call starts from the same snapshot of the memory, so nothing is
//! ever freed.

const std = @import("std");

const import = struct {
    extern "channels" fn keccak256(ptr: [*]const u8, len: u32, out: [*]u8) void;
    extern "channels" fn emit(ptr: [*]const u8, len: u32) void;
    extern "channels" fn log(ptr: [*]const u8, len: u32) void;
    extern "channels" fn reject(ptr: [*]const u8, len: u32) void;
};

/// keccak256 of some bytes.
pub fn keccak256(text: []const u8) [32]u8 {
    var out: [32]u8 = undefined;
    import.keccak256(text.ptr, text.len, &out);
    return out;
}

/// Hands bytes to whoever watches the derivation. Never part of the state.
pub fn emit(notice: []const u8) void {
    import.emit(notice.ptr, notice.len);
}

/// Writes a line for the module's developer. Never part of the state.
pub fn log(message: []const u8) void {
    import.log(message.ptr, message.len);
}

/// Refuses the event: the call ends here and the state stays as it was. At most 256 bytes; players read it.
pub fn reject(reason: []const u8) noreturn {
    @setCold(true);
    import.reject(reason.ptr, reason.len);
    @trap();
}

/// A panic is a trap, which refuses the event without a reason for players.
pub fn panic(_: []const u8, _: ?*std.builtin.StackTrace, _: ?usize) noreturn {
    @setCold(true);
    @trap();
}

extern var __heap_base: u8; // from the linker: the first byte behind stack and data
var free: usize = 0;

/// Memory for `len` bytes, all zero, aligned to 8. The memory grows at need, up to the module's own maximum; beyond that
/// the call traps.
pub fn allocate(len: u32) []u8 {
    if (free == 0) free = (@intFromPtr(&__heap_base) + 7) & ~@as(usize, 7);
    const at = free;
    const end = (@as(u64, at) + len + 7) & ~@as(u64, 7);
    const have = @as(u64, @wasmMemorySize(0)) << 16;
    if (end > have and @wasmMemoryGrow(0, @intCast((end - have + 0xffff) >> 16)) == -1) @trap();
    free = @intCast(end);
    return @as([*]u8, @ptrFromInt(at))[0..len];
}

/// The answer of a call: bytes that stay where they are.
pub const Answer = struct {
    bytes: []const u8,

    pub fn value(self: Answer) u64 {
        return @as(u64, @intFromPtr(self.bytes.ptr)) << 32 | self.bytes.len;
    }
};

/// The same bytes. std.mem.eql would do, in more steps.
pub fn same(a: []const u8, b: []const u8) bool {
    if (a.len != b.len) return false;
    for (a, b) |x, y| if (x != y) return false;
    return true;
}

/// Eight bytes of a word at `at`, which is below 25, as a big-endian integer.
pub fn word64(word: *const [32]u8, comptime at: usize) u64 {
    return @byteSwap(@as(*align(1) const u64, @ptrCast(word[at..])).*);
}
