//! Fair dice and cards from commit-reveal. Everybody commits to the tip of a hash chain; in each round everybody reveals
//! the link before the last one shown. All the links of a round, hashed together, are the round's seed: nobody knows it
//! before the last link is shown, and nobody can choose it. The last one to reveal can only keep silent, which the game's
//! timeout rule must make dear. A link is bound to its seat: who copies another's tip can never reveal.

const host = @import("host.zig");

/// `link` is what seat `seat` hashed to get `tip`: tip = keccak256(seat (1 byte) ‖ link).
pub fn precedes(seat: u32, link: *const [32]u8, tip: *const [32]u8) bool {
    var text: [33]u8 = undefined;
    text[0] = @truncate(seat);
    @memcpy(text[1..], link);
    return host.same(&host.keccak256(&text), tip);
}

/// Collects the links of a round, in the order of seats.
pub const Pool = struct {
    text: []u8,
    used: usize = 0,

    pub fn new(seats: u32) Pool {
        return .{ .text = host.allocate((seats << 5) + 4) };
    }

    pub fn add(self: *Pool, link: *const [32]u8) void {
        if (self.used + 36 > self.text.len) host.reject("too many links");
        @memcpy(self.text[self.used..][0..32], link);
        self.used += 32;
    }

    /// keccak256(links ‖ round (4 bytes, little-endian)).
    pub fn seed(self: *Pool, round: u32) [32]u8 {
        put32(self.text[self.used..][0..4], round);
        return host.keccak256(self.text[0 .. self.used + 4]);
    }
};

/// Eight dice, cast as often as needed: keccak256(seed ‖ salt (4 bytes, little-endian)), read as eight integers.
pub const Dice = struct {
    text: [36]u8,
    hash: [32]u8 = [_]u8{0} ** 32,

    pub fn new(seed: *const [32]u8) Dice {
        var d = Dice{ .text = undefined };
        @memcpy(d.text[0..32], seed);
        return d;
    }

    pub fn cast(self: *Dice, salt: u32) void {
        put32(self.text[32..36], salt);
        self.hash = host.keccak256(&self.text);
    }

    /// Die `k` (0..7) of the last cast, with `sides` sides, 1..sides. For few sides the bias of 2^32 mod sides is below 10^-7.
    pub fn die(self: *const Dice, k: u32, sides: u32) u32 {
        if (k > 7 or sides == 0) host.reject("no such die");
        return get32(&self.hash, k) % sides +% 1;
    }
};

/// Numbers without bias, as many as needed: block i is keccak256(seed ‖ salt ‖ i), both 4 bytes, little-endian.
pub const Random = struct {
    text: [40]u8,
    hash: [32]u8 = undefined,
    block: u32 = 0,
    used: u32 = 8,

    pub fn new(seed: *const [32]u8, salt: u32) Random {
        var r = Random{ .text = undefined };
        @memcpy(r.text[0..32], seed);
        put32(r.text[32..36], salt);
        return r;
    }

    /// 0..n-1, each as likely: what would favour the small ones is thrown away.
    pub fn below(self: *Random, n: u32) u32 {
        if (n == 0) host.reject("a choice of none");
        const fair = @as(u64, 1 << 32) / n * n;
        while (true) {
            const v = self.next();
            if (v < fair) return v % n;
        }
    }

    fn next(self: *Random) u32 {
        if (self.used == 8) {
            put32(self.text[36..40], self.block);
            self.hash = host.keccak256(&self.text);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        return get32(&self.hash, self.used - 1);
    }
};

/// Puts cards, one byte each, into an order that nobody chose (Fisher and Yates, from the last card).
pub fn shuffle(random: *Random, cards: []u8) void {
    var i = cards.len;
    while (i > 1) : (i -= 1) {
        const j = random.below(i);
        const last = cards[i - 1];
        cards[i - 1] = cards[j];
        cards[j] = last;
    }
}

fn put32(at: *[4]u8, value: u32) void {
    @as(*align(1) u32, @ptrCast(at)).* = value;
}

fn get32(hash: *const [32]u8, k: u32) u32 {
    return @as(*align(1) const u32, @ptrCast(hash[k << 2 ..][0..4])).*;
}
