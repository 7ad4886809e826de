//! A strict reader of the part of MessagePack that payloads and configurations need: unsigned integers of any width,
//! booleans, strings, byte strings, arrays, maps. Anything else is refused: nil, floats, negative numbers, extensions,
//! more or fewer bytes than the value has. Every refusal is a rejection of the event.

use crate::abi::SHORT;
use crate::host::reject;

pub struct MsgPackReader<'a> {
    rest: &'a [u8],
}

impl<'a> MsgPackReader<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        MsgPackReader { rest: input }
    }

    /// An unsigned integer not above `max`.
    pub fn uint(&mut self, max: u64) -> u64 {
        let tag = self.take(1) as u32;
        let v = match tag {
            0..=0x7f => tag as u64,
            0xcc..=0xcf => self.take(1 << (tag - 0xcc)),
            0xd0..=0xd3 => {
                let size = 1 << (tag - 0xd0);
                let v = self.take(size);
                if v >> (size * 8 - 1) != 0 {
                    reject("expected an unsigned integer")
                }
                v
            }
            _ => reject("expected an unsigned integer"),
        };
        if v > max {
            reject("an integer is too large")
        }
        v
    }

    /// true or false.
    pub fn boolean(&mut self) -> bool {
        match self.take(1) {
            0xc2 => false,
            0xc3 => true,
            _ => reject("expected true or false"),
        }
    }

    /// A string, as its bytes: they need not be UTF-8. Compare with b"…".
    pub fn string(&mut self) -> &'a [u8] {
        let tag = self.take(1) as u32;
        let length = match tag {
            0xa0..=0xbf => (tag & 31) as u64,
            0xd9..=0xdb => self.take(1 << (tag - 0xd9)),
            _ => reject("expected a string"),
        };
        self.content(length)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> &'a [u8] {
        let tag = self.take(1) as u32;
        if !(0xc4..=0xc6).contains(&tag) {
            reject("expected bytes")
        }
        let length = self.take(1 << (tag - 0xc4));
        self.content(length)
    }

    /// A byte string of exactly 32 bytes.
    pub fn bytes32(&mut self) -> &'a [u8; 32] {
        self.bytes().try_into().unwrap_or_else(|_| reject("expected 32 bytes"))
    }

    /// The head of an array: how many values follow, at most `max`.
    pub fn array(&mut self, max: u32) -> u32 {
        self.count(0x90, 0xdc, max, "expected an array")
    }

    /// The head of a map: how many keys and values follow, at most `max`.
    pub fn map(&mut self, max: u32) -> u32 {
        self.count(0x80, 0xde, max, "expected a map")
    }

    /// Nothing may follow.
    pub fn done(&self) {
        if !self.rest.is_empty() {
            reject("bytes follow the value")
        }
    }

    fn count(&mut self, fix: u32, wide: u32, max: u32, otherwise: &str) -> u32 {
        let tag = self.take(1) as u32;
        let n = if tag & 0xf0 == fix {
            (tag & 15) as u64
        } else if tag == wide {
            self.take(2)
        } else if tag == wide + 1 {
            self.take(4)
        } else {
            reject(otherwise)
        };
        if n > max as u64 {
            reject("too many elements")
        }
        n as u32
    }

    fn content(&mut self, length: u64) -> &'a [u8] {
        if length > self.rest.len() as u64 {
            reject(SHORT)
        }
        let (content, rest) = self.rest.split_at(length as usize);
        self.rest = rest;
        content
    }

    /// `size` bytes as a big-endian integer.
    fn take(&mut self, size: u32) -> u64 {
        self.content(size as u64).iter().fold(0, |v, b| v << 8 | *b as u64)
    }
}
