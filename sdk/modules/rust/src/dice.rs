//! Fair dice and cards from commit-reveal. Everybody commits to the tip of a hash chain; in each round everybody reveals
//! the link before the last one shown. All the links of a round, hashed together, are the round's seed: nobody knows it
//! before the last link is shown, and nobody can choose it. The last one to reveal can only keep silent, which the game's
//! timeout rule must make dear. A link is bound to its seat: who copies another's tip can never reveal.

use crate::host::{allocate, keccak256, reject, same};

/// `link` is what seat `seat` hashed to get `tip`: tip = keccak256(seat (1 byte) ‖ link).
pub fn precedes(seat: u32, link: &[u8; 32], tip: &[u8; 32]) -> bool {
    let mut text = [0; 33];
    text[0] = seat as u8;
    text[1..].copy_from_slice(link);
    same(&keccak256(&text), tip)
}

/// Collects the links of a round, in the order of seats.
pub struct Pool {
    text: &'static mut [u8],
    used: usize,
}

impl Pool {
    pub fn new(seats: u32) -> Self {
        Pool { text: allocate((seats << 5) + 4), used: 0 }
    }

    pub fn add(&mut self, link: &[u8; 32]) {
        if self.used + 36 > self.text.len() {
            reject("too many links")
        }
        self.text[self.used..self.used + 32].copy_from_slice(link);
        self.used += 32;
    }

    /// keccak256(links ‖ round (4 bytes, little-endian)).
    pub fn seed(&mut self, round: u32) -> [u8; 32] {
        self.text[self.used..self.used + 4].copy_from_slice(&round.to_le_bytes());
        keccak256(&self.text[..self.used + 4])
    }
}

fn uint(hash: &[u8; 32], k: u32) -> u32 {
    let at = (k << 2) as usize;
    match hash.get(at..at + 4).and_then(|b| b.try_into().ok()) {
        Some(b) => u32::from_le_bytes(b),
        None => reject("no such die"),
    }
}

/// Eight dice, cast as often as needed: keccak256(seed ‖ salt (4 bytes, little-endian)), read as eight integers.
pub struct Dice {
    text: [u8; 36],
    hash: [u8; 32],
}

impl Dice {
    pub fn new(seed: &[u8; 32]) -> Self {
        let mut text = [0; 36];
        text[..32].copy_from_slice(seed);
        Dice { text, hash: [0; 32] }
    }

    pub fn cast(&mut self, salt: u32) {
        self.text[32..].copy_from_slice(&salt.to_le_bytes());
        self.hash = keccak256(&self.text);
    }

    /// Die `k` (0..7) of the last cast, with `sides` sides, 1..sides. For few sides the bias of 2^32 mod sides is below 10^-7.
    pub fn die(&self, k: u32, sides: u32) -> u32 {
        if k > 7 || sides == 0 {
            reject("no such die")
        }
        (uint(&self.hash, k) % sides).wrapping_add(1)
    }
}

/// Numbers without bias, as many as needed: block i is keccak256(seed ‖ salt ‖ i), both 4 bytes, little-endian.
pub struct Random {
    text: [u8; 40],
    hash: [u8; 32],
    block: u32,
    used: u32,
}

impl Random {
    pub fn new(seed: &[u8; 32], salt: u32) -> Self {
        let mut text = [0; 40];
        text[..32].copy_from_slice(seed);
        text[32..36].copy_from_slice(&salt.to_le_bytes());
        Random { text, hash: [0; 32], block: 0, used: 8 }
    }

    /// 0..n-1, each as likely: what would favour the small ones is thrown away.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            reject("a choice of none")
        }
        let fair = 0x1_0000_0000 / n as u64 * n as u64;
        loop {
            let v = self.next();
            if (v as u64) < fair {
                return v % n;
            }
        }
    }

    fn next(&mut self) -> u32 {
        if self.used == 8 {
            self.text[36..].copy_from_slice(&self.block.to_le_bytes());
            self.hash = keccak256(&self.text);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        uint(&self.hash, self.used - 1)
    }
}

/// Puts cards, one byte each, into an order that nobody chose (Fisher and Yates, from the last card).
pub fn shuffle(random: &mut Random, cards: &mut [u8]) {
    for i in (1..cards.len()).rev() {
        let j = random.below(i as u32 + 1) as usize;
        cards.swap(i, j);
    }
}
