//! The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves, moves from
//! one cell to another of the same asset, so the sums cannot change, down to the last wei.
//!
//! `transfer_all` works on words. A game that divides amounts reckons in cells of 128 bits, because wide numbers are dear
//! on chain: words are unpacked into cells, one asset at a time, and packed again. No participant may have 2^124 or more
//! of an asset then, which `check` establishes for the first funds and for each top-up, so that sixteen fit a cell.

use crate::host::reject;

pub type Cell = u128;

pub struct Funds {
    words: &'static mut [u8],
    assets: u32,
    columns: u32,
}

impl Funds {
    /// `words` has a word for each column of each asset.
    pub(crate) fn new(words: &'static mut [u8], assets: u32, columns: u32) -> Self {
        Funds { words, assets, columns }
    }

    pub fn assets(&self) -> u32 {
        self.assets
    }

    pub fn columns(&self) -> u32 {
        self.columns
    }

    pub(crate) fn words_all(&mut self) -> &mut [u8] {
        self.words
    }

    /// The words of `count` columns of an asset, from `column` on.
    pub fn words(&mut self, asset: u32, column: u32, count: u32) -> &mut [u8] {
        if asset >= self.assets || column > self.columns || count > self.columns - column {
            reject("no such column of the funds")
        }
        let at = ((asset * self.columns + column) as usize) << 5;
        &mut self.words[at..at + ((count as usize) << 5)]
    }

    /// The word that says what `column` holds of `asset`.
    pub fn word(&mut self, asset: u32, column: u32) -> &mut [u8; 32] {
        self.words(asset, column, 1).try_into().unwrap_or_else(|_| reject("no such column of the funds"))
    }

    /// All that `from` holds of an asset goes to `to`. Amounts may be of any size: a pot fits a word.
    pub fn transfer_all(&mut self, asset: u32, from: u32, to: u32) {
        let source = *self.word(asset, from);
        let target = self.word(asset, to);
        if from == to {
            return;
        }
        let mut carry = false;
        for i in (0..32).step_by(8).rev() {
            let (sum, first) = word64(&source, i).overflowing_add(word64(target, i));
            let (all, second) = sum.overflowing_add(carry as u64);
            carry = first | second;
            target[i..i + 8].copy_from_slice(&reversed(all).to_le_bytes());
        }
        if carry {
            reject("an amount is too large")
        }
        *self.word(asset, from) = [0; 32];
    }

    /// Refuses amounts of 2^124 and more in the first `count` columns.
    pub fn check(&mut self, count: u32) {
        for asset in 0..self.assets {
            for column in 0..count {
                let word = self.word(asset, column);
                if (word64(word, 0) | word64(word, 8)) != 0 || word[16] > 15 {
                    reject("a stake is 2^124 or more")
                }
            }
        }
    }

    /// Fills cells with the first columns of an asset.
    pub fn unpack(&mut self, asset: u32, cells: &mut [Cell]) {
        if cells.is_empty() {
            return;
        }
        let words = self.words(asset, 0, cells.len() as u32);
        for (cell, word) in cells.iter_mut().zip(words.chunks_exact(32)) {
            *cell = (word64(word, 16) as u128) << 64 | word64(word, 24) as u128;
        }
    }

    /// The inverse of unpack.
    pub fn pack(&mut self, asset: u32, cells: &[Cell]) {
        if cells.is_empty() {
            return;
        }
        let words = self.words(asset, 0, cells.len() as u32);
        for (cell, word) in cells.iter().zip(words.chunks_exact_mut(32)) {
            word[16..24].copy_from_slice(&reversed((*cell >> 64) as u64).to_le_bytes());
            word[24..32].copy_from_slice(&reversed(*cell as u64).to_le_bytes());
        }
    }
}

/// Eight bytes at `at` as a big-endian integer.
#[inline(always)]
pub(crate) fn word64(word: &[u8], at: usize) -> u64 {
    match word.get(at..at + 8).and_then(|b| b.try_into().ok()) {
        Some(b) => reversed(u64::from_le_bytes(b)),
        None => reject("the input ends too early"),
    }
}

/// The bytes of `v` in the opposite order, in fewer steps than the compiler's: bytes in pairs, then pairs in eights.
#[inline(always)]
pub(crate) fn reversed(v: u64) -> u64 {
    let pairs = (v & 0x00ff_00ff_00ff_00ff) << 8 | v >> 8 & 0x00ff_00ff_00ff_00ff;
    (pairs & 0x0000_ffff_0000_ffff).rotate_right(16) | pairs.rotate_left(16) & 0x0000_ffff_0000_ffff
}

/// from -= amount, to += amount; refuses when `from` holds less.
pub fn move_amount(from: &mut Cell, to: &mut Cell, amount: Cell) {
    if *from < amount {
        reject("a cell holds too little")
    }
    *from -= amount;
    *to = to.wrapping_add(amount);
}

/// to += from, from = 0.
pub fn move_all(from: &mut Cell, to: &mut Cell) {
    *to = to.wrapping_add(*from);
    *from = 0;
}

/// value / 2, rounded down.
pub fn half(value: Cell) -> Cell {
    value >> 1
}

/// Divides `pot` by weight: adds pot · weight / sum of weights, rounded down, to each cell, and leaves in pot what does not
/// divide, less than the number of cells. The sum of the weights is 1 to 2^32 - 1. One weight for each cell.
///
/// With pot = q · whole + r a share is q · weight + r · weight / whole, so only the pot needs a long division.
pub fn split(pot: &mut Cell, weights: &[u32], cells: &mut [Cell]) {
    if weights.len() != cells.len() {
        reject("one weight for each cell")
    }
    let by = weights.iter().fold(0u64, |sum, w| sum + *w as u64);
    if by == 0 || by >> 32 != 0 {
        reject("weights sum to nothing or to too much")
    }
    // By digits of 32 bits: a division of 128 bits would be a loop of its own.
    let mut q = [0u64; 4];
    let mut r = 0u64;
    for i in (0..4).rev() {
        let d = r << 32 | (*pot >> (32 * i)) as u32 as u64;
        q[i] = d / by;
        r = d % by;
    }
    let mut left = 0u64;
    for (cell, weight) in cells.iter_mut().zip(weights) {
        let w = *weight as u64;
        if w == 0 {
            continue;
        }
        let f = r * w;
        left += f % by;
        let p0 = q[0] * w + f / by;
        let p1 = q[1] * w + (p0 >> 32);
        let p2 = q[2] * w + (p1 >> 32);
        let high = p2.wrapping_add((q[3] * w) << 32);
        let share = (high as u128) << 64 | (p1 << 32 | p0 & 0xffff_ffff) as u128;
        *cell = cell.wrapping_add(share);
    }
    *pot = (left / by) as u128;
}
