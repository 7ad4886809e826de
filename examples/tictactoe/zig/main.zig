//! Tic-tac-toe for two and their stakes. Rules and layout are in ../README.md.

const channels = @import("channels");
const reject = channels.reject;

pub const panic = channels.panic;

comptime {
    channels.module(@This());
}

// The app: 64 bytes, little-endian.
const size = 64;
const version = 1;
const outcome_at = 1;
const turn_at = 2;
const moves_at = 3;
const marks_at = 4; // of each seat, 2 bytes: bit k is square k
const namespace_at = 8;
const in_world_at = 22;
const winner_at = 23; // 1 + seat, 0 nobody
const owners_at = 24;

const playing = 0;
const won = 1;
const drawn = 2;
const forfeited = 3;

// Fields of the World's table.
const games = 0;
const wins = 1;

pub fn init(genesis: channels.Genesis) channels.Answer {
    if (genesis.seats != 2) reject("tic-tac-toe is for two");
    const first = readOne(genesis.config, "first", 1, "the configuration is {first}");
    const out = genesis.output(size);
    const app = out.app[0..size];
    app[0] = version;
    app[turn_at] = @intCast(first);
    if (genesis.namespace) |namespace| {
        app[in_world_at] = 1;
        @memcpy(app[namespace_at..][0..14], namespace);
    }
    inline for (0..2) |seat| @memcpy(app[owners_at + 20 * seat ..][0..20], genesis.owner(seat));
    return out.answer();
}

pub fn reduce(state: channels.State, event: channels.Event) channels.Answer {
    const app = check(state.app);
    if (event.seats != 2) reject("tic-tac-toe is for two");
    if (app[outcome_at] != playing) reject("the game is over");
    const out = state.output(size);
    switch (event.kind) {
        .event => play(out, event),
        .top_up => if (app[moves_at] != 0) reject("the game has begun; stakes are fixed"),
        .timeout => win(out, 1 - app[turn_at], forfeited),
        else => reject("unknown kind of event"),
    }
    return out.answer();
}

pub fn effects(state: []const u8) channels.Answer {
    if (state.len < size) reject("the input ends too early");
    const app = check(state[state.len - size ..]);
    var out = channels.Effects.new();
    if (app[outcome_at] != playing and app[in_world_at] != 0) {
        const table = channels.tableId(app[namespace_at..][0..14], "TicTacToe");
        inline for (0..2) |seat| {
            const key = [_]channels.Word{channels.keyAddress(app[owners_at + 20 * seat ..][0..20])};
            _ = out.increment(&table, &key, games, 1);
            if (app[winner_at] == 1 + seat) _ = out.increment(&table, &key, wins, 1);
        }
    }
    return out.answer();
}

/// Refuses bytes that no call of this module can have written.
fn check(app: []const u8) *const [size]u8 {
    if (app.len != size or app[0] != version or app[turn_at] > 1) reject("this is not the state of a game of tic-tac-toe");
    return app[0..size];
}

/// A map of one key whose value is at most `max`.
fn readOne(input: []const u8, key: []const u8, max: u64, otherwise: []const u8) u32 {
    var r = channels.MsgPackReader{ .rest = input };
    if (r.map(1) != 1 or !channels.same(r.string(), key)) reject(otherwise);
    const value = r.uint(max);
    r.done();
    return @intCast(value);
}

fn play(out: channels.Output, event: channels.Event) void {
    const app = out.app[0..size];
    const seat = event.author;
    if (seat != app[turn_at]) reject("it is not your turn");
    // 0 1 2 / 3 4 5 / 6 7 8
    const at: u4 = @intCast(readOne(event.payload, "at", 8, "a move is {at}"));
    const square = @as(u16, 1) << at;
    const marks: *align(1) [2]u16 = @ptrCast(app[marks_at..][0..4]);
    if ((marks[0] | marks[1]) & square != 0) reject("this square is taken");
    marks[seat] |= square;
    app[moves_at] +%= 1;
    if (hasLine(marks[seat])) {
        win(out, @intCast(seat), won);
    } else if (app[moves_at] == 9) {
        finish(out, drawn);
    } else {
        app[turn_at] = @intCast(1 - seat);
    }
}

fn hasLine(marks: u16) bool {
    for ([_]u16{ 0x007, 0x038, 0x1c0, 0x049, 0x092, 0x124, 0x111, 0x054 }) |line| {
        if (marks & line == line) return true;
    }
    return false;
}

/// The winner takes everything of every asset.
fn win(out: channels.Output, seat: u8, outcome: u8) void {
    out.app[winner_at] = 1 + seat;
    for (0..out.funds.assets) |asset| out.funds.transferAll(@intCast(asset), 1 - seat, seat);
    finish(out, outcome);
}

/// Nobody moves any more. A draw leaves every stake with its owner.
fn finish(out: channels.Output, outcome: u8) void {
    out.app[outcome_at] = outcome;
    out.end();
}
