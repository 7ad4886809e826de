//! What init gets: abi.encode(Params, Funding[], bytes genesisInput) (docs/encoding.md 14, 21, 25).

const host = @import("host.zig");
const AbiReader = @import("abi.zig").AbiReader;
const Output = @import("event.zig").Output;

// Words of abi.encode(Params) (docs/protocol.md 1).
const participants_word = 2;
const beneficiaries_word = 3;
const sequencer_word = 8;

/// Bytes before the configuration (docs/encoding.md 25).
const prefix_size = 160;

pub const Genesis = struct {
    seats: u32,
    beneficiaries: u32,
    assets: u32,
    /// seats + beneficiaries: the columns of the funds.
    columns: u32,
    /// The seat that orders events.
    sequencer: u32,
    /// The configuration, whose hash is checked: usually MessagePack.
    config: []const u8,
    /// The 14 bytes of the World's namespace that effects are written to, if there is a World.
    namespace: ?*const [14]u8,
    participants: AbiReader,
    funding: AbiReader,

    pub fn read(bytes: []const u8) Genesis {
        const input = AbiReader{ .input = bytes };
        const params = input.tail(0);
        const participants = params.tail(participants_word);
        const seats = participants.uint(0);
        if (seats < 2 or seats > 16) host.reject("a channel has 2 to 16 participants");
        _ = participants.word(2 * seats); // all of them are there
        const sequencer = params.uint(sequencer_word);
        if (sequencer >= seats) host.reject("the sequencer is no participant");
        const beneficiaries = params.tail(beneficiaries_word).uint(0);
        if (beneficiaries > 8) host.reject("too many elements");
        const funding = input.tail(1);
        const assets = funding.uint(0);
        if (assets > 8) host.reject("too many elements");
        const text = input.tail(2).bytes();
        if (text.len < prefix_size) host.reject("the input ends too early");
        const config = text[prefix_size..];
        if (!host.same(&host.keccak256(config), text[96..128])) host.reject("configHash does not fit the configuration");
        const world = text[32..64];
        const id = text[64..96];
        var namespace: ?*const [14]u8 = null;
        if ((host.word64(world, 0) | host.word64(world, 8) | host.word64(world, 16) | host.word64(world, 24)) != 0) {
            if (id[0] != 'n' or id[1] != 's' or (host.word64(id, 16) | host.word64(id, 24)) != 0) {
                host.reject("namespaceId is \"ns\" and 14 bytes of namespace");
            }
            namespace = id[2..16];
        }
        return .{
            .seats = seats,
            .beneficiaries = beneficiaries,
            .assets = assets,
            .columns = seats + beneficiaries,
            .sequencer = sequencer,
            .config = config,
            .namespace = namespace,
            .participants = participants,
            .funding = funding.skip(1),
        };
    }

    /// The 20 bytes of a participant's owner: the wallet that pays, is paid, and plays in the World.
    pub fn owner(self: Genesis, seat: u32) *const [20]u8 {
        if (seat >= self.seats) host.reject("no such participant");
        return self.participants.word(2 + 2 * seat)[12..32];
    }

    /// An output in which everybody has what it paid, with an app of `length` zero bytes.
    pub fn output(self: Genesis, length: u32) Output {
        const out = Output.new(self.assets, self.columns, length);
        for (0..self.assets) |asset| {
            const a: u32 = @intCast(asset);
            const amounts = self.funding.tail(a).tail(1);
            if (amounts.uint(0) != self.seats) host.reject("funding lacks an amount");
            const stakes = amounts.slice(1, self.seats);
            const to: [*]u8 = out.funds.word(a, 0);
            @memcpy(to[0..stakes.len], stakes);
        }
        return out;
    }
};
