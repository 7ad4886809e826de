//! Reads what Solidity's abi.encode wrote. Every read is checked against the end of the input; integers above 32 bits are
//! read as words, because nothing that a module counts is larger.

use crate::funds::word64;
use crate::host::reject;

pub(crate) const SHORT: &str = "the input ends too early";

/// A view of words. `base` is where offsets inside it count from.
#[derive(Clone, Copy)]
pub struct AbiReader {
    input: &'static [u8],
    base: usize,
}

impl AbiReader {
    pub fn new(input: &'static [u8]) -> Self {
        AbiReader { input, base: 0 }
    }

    /// Word `index`.
    pub fn word(&self, index: u32) -> &'static [u8; 32] {
        self.slice(index, 1).try_into().unwrap_or_else(|_| reject(SHORT))
    }

    /// `count` words from `index`.
    pub fn slice(&self, index: u32, count: u32) -> &'static [u8] {
        let at = self.base as u64 + ((index as u64) << 5);
        let end = at + ((count as u64) << 5);
        if end > self.input.len() as u64 {
            reject(SHORT)
        }
        &self.input[at as usize..end as usize]
    }

    /// Word `index` as an integer below 2^32.
    pub fn uint(&self, index: u32) -> u32 {
        let word = self.word(index);
        let last = word64(word, 24);
        if (word64(word, 0) | word64(word, 8) | word64(word, 16) | last >> 32) != 0 {
            reject("an integer is too large")
        }
        last as u32
    }

    /// What the offset in word `index` points to.
    pub fn tail(&self, index: u32) -> AbiReader {
        let at = self.base as u64 + self.uint(index) as u64;
        if at > self.input.len() as u64 {
            reject(SHORT)
        }
        AbiReader { input: self.input, base: at as usize }
    }

    /// The same view without its first `words` words: elements of an array after its length.
    pub fn skip(&self, words: u32) -> AbiReader {
        self.slice(0, words);
        AbiReader { input: self.input, base: self.base + ((words as usize) << 5) }
    }

    /// The content of a `bytes` whose length is word 0.
    pub fn bytes(&self) -> &'static [u8] {
        let length = self.uint(0);
        let at = self.base as u64 + 32;
        if at + length as u64 > self.input.len() as u64 {
            reject(SHORT)
        }
        &self.input[at as usize..at as usize + length as usize]
    }
}
