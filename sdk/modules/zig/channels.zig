//! The SDK for modules of channels. What each part does is said once for all languages in sdk/modules/README.md.
//!
//! The root file of a module says
//!
//!     const channels = @import("channels");
//!     pub const panic = channels.panic;
//!     comptime { channels.module(@This()); }
//!
//! and has `pub fn init(Genesis) Answer`, `pub fn reduce(State, Event) Answer`, `pub fn effects([]const u8) Answer`.

const host = @import("host.zig");
const event = @import("event.zig");
const dice = @import("dice.zig");
const records = @import("effects.zig");

pub const fixed = @import("fixed.zig");
pub const funds = @import("funds.zig");

pub const AbiReader = @import("abi.zig").AbiReader;
pub const Answer = host.Answer;
pub const Cell = funds.Cell;
pub const Dice = dice.Dice;
pub const Effects = records.Effects;
pub const Event = event.Event;
pub const Funds = funds.Funds;
pub const Genesis = @import("genesis.zig").Genesis;
pub const Kind = event.Kind;
pub const MsgPackReader = @import("msgpack.zig").MsgPackReader;
pub const Output = event.Output;
pub const Pool = dice.Pool;
pub const Random = dice.Random;
pub const State = event.State;
pub const Word = records.Word;

pub const allocate = host.allocate;
pub const emit = host.emit;
pub const keccak256 = host.keccak256;
pub const keyAddress = records.keyAddress;
pub const keyUint = records.keyUint;
pub const log = host.log;
pub const panic = host.panic;
pub const precedes = dice.precedes;
pub const reject = host.reject;
pub const same = host.same;
pub const shuffle = dice.shuffle;
pub const systemId = records.systemId;
pub const tableId = records.tableId;

/// Exports what the host calls.
pub fn module(comptime m: type) void {
    const entries = struct {
        fn allocateEntry(len: u32) callconv(.C) [*]u8 {
            return host.allocate(len).ptr;
        }

        fn initEntry(ptr: [*]const u8, len: u32) callconv(.C) u64 {
            return m.init(Genesis.read(ptr[0..len])).value();
        }

        fn reduceEntry(state_ptr: [*]const u8, state_len: u32, event_ptr: [*]const u8, event_len: u32) callconv(.C) u64 {
            const e = Event.read(event_ptr[0..event_len]);
            return m.reduce(State.read(state_ptr[0..state_len], e), e).value();
        }

        fn effectsEntry(state_ptr: [*]const u8, state_len: u32) callconv(.C) u64 {
            return m.effects(state_ptr[0..state_len]).value();
        }
    };
    @export(entries.allocateEntry, .{ .name = "allocate" });
    @export(entries.initEntry, .{ .name = "init" });
    @export(entries.reduceEntry, .{ .name = "reduce" });
    @export(entries.effectsEntry, .{ .name = "effects" });
}
