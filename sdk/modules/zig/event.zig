//! What reduce gets, and what it gives back (docs/encoding.md 4-6, 21-22).

const host = @import("host.zig");
const Funds = @import("funds.zig").Funds;

pub const Kind = enum(u8) {
    /// A participant's event: its payload is what the author signed.
    event = 0,
    /// The chain took money in: payload = asset (1 byte) ‖ amount (32). The funds are raised already.
    top_up = 1,
    /// Nobody moved: author 0xff, no payload. The module decides what silence costs.
    timeout = 2,
    _,
};

/// The 32 bytes before the payload, little-endian, and the payload.
pub const Event = struct {
    kind: Kind,
    author: u32,
    seats: u32,
    assets: u32,
    columns: u32,
    time: u64,
    seq: u64,
    nonce: u64,
    payload: []const u8,

    pub fn read(input: []const u8) Event {
        if (input.len < 32) host.reject("the input ends too early");
        const prefix = input[0..32];
        const e = Event{
            .kind = @enumFromInt(prefix[0]),
            .author = prefix[1],
            .seats = prefix[2],
            .assets = prefix[3],
            .columns = prefix[4],
            .time = @byteSwap(host.word64(prefix, 8)),
            .seq = @byteSwap(host.word64(prefix, 16)),
            .nonce = @byteSwap(host.word64(prefix, 24)),
            .payload = input[32..],
        };
        if (e.columns < e.seats) host.reject("the input ends too early");
        return e;
    }
};

/// A state: header (N + 3 words) ‖ funds ‖ app.
pub const State = struct {
    header: []const u8,
    funds: []const u8,
    app: []const u8,
    seats: u32,
    assets: u32,
    columns: u32,

    /// The sizes of a state come with the event.
    pub fn read(input: []const u8, event: Event) State {
        const header = (event.seats + 3) << 5;
        const size = header + (event.assets * event.columns << 5);
        if (input.len < size) host.reject("the input ends too early");
        return .{
            .header = input[0..header],
            .funds = input[header..size],
            .app = input[size..],
            .seats = event.seats,
            .assets = event.assets,
            .columns = event.columns,
        };
    }

    pub fn lastTimestamp(self: State) u64 {
        return self.word(0);
    }

    /// Nonce of the last event of a participant that was accepted.
    pub fn nonce(self: State, seat: u32) u64 {
        if (seat >= self.seats) host.reject("no such participant");
        return self.word(1 + seat);
    }

    pub fn topUps(self: State) u64 {
        return self.word(self.seats + 1);
    }

    pub fn terminal(self: State) bool {
        return self.word(self.seats + 2) != 0;
    }

    /// An output with these funds and an app of `length` bytes, which begins as the state's does.
    pub fn output(self: State, length: u32) Output {
        const out = Output.new(self.assets, self.columns, length);
        @memcpy(out.funds.base[0..self.funds.len], self.funds);
        const n = @min(length, self.app.len);
        @memcpy(out.app[0..n], self.app[0..n]);
        return out;
    }

    fn word(self: State, index: u32) u64 {
        return host.word64(self.header[index << 5 ..][0..32], 24);
    }
};

/// What init and reduce give: terminal (1 byte) ‖ funds ‖ app. Starts as zeros.
pub const Output = struct {
    funds: Funds,
    app: []u8,
    all: []u8,

    pub fn new(assets: u32, columns: u32, length: u32) Output {
        const funds = assets * columns << 5;
        const all = host.allocate(1 + funds + length);
        return .{ .funds = .{ .base = all.ptr + 1, .assets = assets, .columns = columns }, .app = all[1 + funds ..], .all = all };
    }

    /// No event follows: the channel can be closed with these funds, and effects are run.
    pub fn end(self: Output) void {
        self.all[0] = 1;
    }

    pub fn answer(self: Output) host.Answer {
        return .{ .bytes = self.all };
    }
};
