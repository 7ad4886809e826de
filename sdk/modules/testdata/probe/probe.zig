//! A module that only tests call: what the parts of the SDK give for given arguments. probe.md says what the bytes are.

const channels = @import("channels");
const fixed = channels.fixed;
const funds = channels.funds;

pub const panic = channels.panic;

comptime {
    channels.module(@This());
}

const Out = struct {
    bytes: []u8,
    size: usize = 0,

    fn put(self: *Out, value: u64, bytes: u32) void {
        var v = value;
        for (0..bytes) |_| {
            self.bytes[self.size] = @truncate(v);
            self.size += 1;
            v >>= 8;
        }
    }

    fn copy(self: *Out, from: []const u8) void {
        @memcpy(self.bytes[self.size..][0..from.len], from);
        self.size += from.len;
    }
};

fn u32At(p: []const u8, at: usize) u32 {
    return @as(*align(1) const u32, @ptrCast(p[at..][0..4])).*;
}

fn u64At(p: []const u8, at: usize) u64 {
    return @as(*align(1) const u64, @ptrCast(p[at..][0..8])).*;
}

pub fn init(genesis: channels.Genesis) channels.Answer {
    return genesis.output(0).answer();
}

pub fn reduce(state: channels.State, event: channels.Event) channels.Answer {
    var out = Out{ .bytes = channels.allocate(8192) };
    out.put(0, 1);
    const p = event.payload;
    switch (p[0]) {
        0 => unpackAll(&out, p),
        1 => return moveFunds(state, p[1..], event.columns),
        2 => dice(&out, p),
        3 => cards(&out, p),
        4 => maths(&out, p[1], u64At(p, 2), u64At(p, 10), u64At(p, 18)),
        5 => {
            for ([_]u32{ @intFromEnum(event.kind), event.author, event.seats, event.assets, event.columns }) |v| out.put(v, 8);
            for ([_]u64{ event.time, event.seq, event.nonce, p.len, state.lastTimestamp() }) |v| out.put(v, 8);
            for (0..event.seats) |seat| out.put(state.nonce(@intCast(seat)), 8);
            out.put(state.topUps(), 8);
            out.put(@intFromBool(state.terminal()), 8);
        },
        else => channels.reject("unknown probe"),
    }
    return .{ .bytes = out.bytes[0..out.size] };
}

fn unpackAll(out: *Out, p: []const u8) void {
    const n = p[1];
    var r = channels.MsgPackReader{ .rest = p[2 + @as(usize, n) ..] };
    for (p[2..][0..n]) |schema| {
        switch (schema) {
            'u' => out.put(r.uint(0xffffffffffffffff), 8),
            'c' => out.put(r.uint(255), 8),
            'b' => out.put(@intFromBool(r.boolean()), 1),
            's', 'x' => {
                const content = if (schema == 's') r.string() else r.bytes();
                out.put(content.len, 4);
                out.copy(content);
            },
            'h' => out.copy(r.bytes32()),
            'a' => out.put(r.array(16), 4),
            'm' => out.put(r.map(16), 4),
            'd' => r.done(),
            else => channels.reject("unknown schema"),
        }
    }
}

fn moveFunds(state: channels.State, script: []const u8, columns: u32) channels.Answer {
    const result = state.output(0);
    const f = result.funds;
    var all = [_]channels.Cell{0} ** 24;
    const cells = all[0..columns];
    var at: usize = 0;
    while (at < script.len) : (at += 4) {
        const a = script[at + 1];
        const b = script[at + 2];
        const c = script[at + 3];
        switch (script[at]) {
            0 => f.transferAll(a, b, c),
            1 => f.check(a),
            2 => {
                f.unpack(a, cells);
                funds.move(&cells[b], &cells[c], funds.half(cells[b]));
                f.pack(a, cells);
            },
            3 => {
                f.unpack(a, cells);
                var pot: channels.Cell = 0;
                funds.moveAll(&cells[b], &pot);
                var weights: [24]u32 = undefined;
                for (weights[0..columns], 0..) |*w, i| w.* = if (i == b) 0 else @as(u32, @intCast(i)) * 7 * c;
                funds.split(&pot, weights[0..columns], cells);
                funds.moveAll(&pot, &cells[b]);
                f.pack(a, cells);
            },
            4 => {
                f.unpack(a, cells);
                funds.move(&cells[b], &cells[b + 1], cells[c]);
                f.pack(a, cells);
            },
            else => {},
        }
    }
    return result.answer();
}

fn dice(out: *Out, p: []const u8) void {
    const salt = u32At(p, 66);
    out.put(@intFromBool(channels.precedes(p[1], p[2..34], p[34..66])), 1);
    var pool = channels.Pool.new(p[74]);
    for (0..p[74]) |i| pool.add(p[75 + 32 * i ..][0..32]);
    const seed = pool.seed(salt);
    out.copy(&seed);
    var d = channels.Dice.new(&seed);
    d.cast(salt);
    for (0..8) |k| out.put(d.die(@intCast(k), u32At(p, 70)), 4);
}

fn cards(out: *Out, p: []const u8) void {
    const salt = u32At(p, 33);
    var r = channels.Random.new(p[1..33], salt);
    for (0..12) |_| out.put(r.below(u32At(p, 38)), 4);
    const start = out.size;
    for (0..p[37]) |i| out.put(i, 1);
    r = channels.Random.new(p[1..33], salt ^ 1);
    channels.shuffle(&r, out.bytes[start..out.size]);
}

fn maths(out: *Out, op: u8, a: u64, b: u64, c: u64) void {
    const x: i64 = @bitCast(a);
    const y: i64 = @bitCast(b);
    out.put(switch (op) {
        0 => fixed.mulDiv(a, b, c),
        1 => fixed.isqrt(a),
        2 => @bitCast(fixed.add(x, y)),
        3 => @bitCast(fixed.sub(x, y)),
        4 => @bitCast(fixed.mul(x, y)),
        5 => @bitCast(fixed.div(x, y)),
        6 => @bitCast(@as(i64, fixed.floor(x))),
        7 => @bitCast(fixed.fromInt(@truncate(x))),
        else => 0,
    }, 8);
}

pub fn effects(script: []const u8) channels.Answer {
    var e = channels.Effects.new();
    const table = channels.tableId("abcdefghijklmn", "Probe");
    const system = channels.systemId("abcdefghijklmn", "ProbeSystemIsLong");
    var at: usize = 0;
    while (at < script.len) : (at += 18) {
        const p = script[at..][0..18];
        const a = u32At(p, 2);
        const b = u32At(p, 6);
        const n = p[1];
        const room = channels.allocate(@as(u32, n) << 5);
        const keys = @as([*]channels.Word, @ptrCast(room.ptr))[0..n];
        for (keys, 0..) |*key, i| {
            const address = [_]u8{@truncate(a + i)} ** 20;
            key.* = if (i & 1 == 1) channels.keyAddress(&address) else channels.keyUint(@as(u64, a) + i);
        }
        const bytes = channels.allocate(a + b + 64);
        for (bytes[0..@min(a + b, 300)], 0..) |*byte, i| byte.* = @truncate(i * 3);
        _ = switch (p[0]) {
            0 => e.set(&table, keys, bytes[0..a], channels.keyUint(b), bytes[a..][0..b]),
            1 => e.remove(&table, keys),
            2 => e.increment(&table, keys, a, @bitCast(u64At(p, 10))),
            3 => e.call(&system, bytes[0..b]),
            else => true,
        };
    }
    return e.answer();
}
