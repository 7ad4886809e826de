//! __NAME__: the game of 21.

const channels = @import("channels");
const reject = channels.reject;

pub const panic = channels.panic;

comptime {
    channels.module(@This());
}

const goal = 21;

/// The app, little-endian.
const App = extern struct {
    total: u32 align(1),
    turn: u32 align(1), // the seat that is to move
};

pub fn init(genesis: channels.Genesis) channels.Answer {
    return genesis.output(@sizeOf(App)).answer();
}

pub fn reduce(state: channels.State, event: channels.Event) channels.Answer {
    if (state.app.len != @sizeOf(App)) reject("this is not a state of the game");
    const out = state.output(@sizeOf(App));
    const app: *App = @ptrCast(out.app.ptr);
    switch (event.kind) {
        .event => {
            if (event.author != app.turn) reject("it is not your turn");
            app.total += readMove(event.payload);
            app.turn = (event.author + 1) % event.seats;
            if (app.total >= goal) {
                for (0..event.assets) |asset| {
                    for (0..event.seats) |seat| out.funds.transferAll(@intCast(asset), @intCast(seat), event.author);
                }
                out.end();
            }
        },
        .timeout => out.end(),
        else => {},
    }
    return out.answer();
}

pub fn effects(_: []const u8) channels.Answer {
    var out = channels.Effects.new();
    return out.answer();
}

/// {add: 1..3}
fn readMove(payload: []const u8) u32 {
    var r = channels.MsgPackReader{ .rest = payload };
    if (r.map(1) != 1 or !channels.same(r.string(), "add")) reject("a move is {add}");
    const add: u32 = @intCast(r.uint(3));
    r.done();
    if (add == 0) reject("add 1, 2 or 3");
    return add;
}
