//! Records for tables of a MUD World: abi.encode(Effect[]) (docs/encoding.md 24).
//!
//! A channel may have 32 effects in 8 KiB. What does not fit is not added, and the method says so with false: write what
//! matters most first.

use crate::funds::reversed;
use crate::host::{allocate, Answer};

const MAX_EFFECTS: usize = 32;
const MAX_BYTES: usize = 8 << 10;
/// The array's offset and length, and an offset for each effect: room for it is kept before the first effect.
const MAX_HEAD: usize = 64 + MAX_EFFECTS * 32;

pub type Word = [u8; 32];

pub struct Effects {
    out: &'static mut [u8],
    at: usize,
    starts: [u32; MAX_EFFECTS],
    count: usize,
}

impl Effects {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Effects { out: allocate((MAX_HEAD + MAX_BYTES) as u32), at: MAX_HEAD, starts: [0; MAX_EFFECTS], count: 0 }
    }

    /// A static field of a record grows by `delta`, or shrinks. `field` is its index in the table's schema.
    pub fn increment(&mut self, table: &Word, key: &[Word], field: u32, delta: i64) -> bool {
        if !self.begin(2, table, key, 64) {
            return false;
        }
        self.uint(field as u64);
        if delta < 0 {
            self.out[self.at..self.at + 24].fill(0xff);
        }
        self.uint(delta as u64);
        true
    }

    /// A whole record, packed as MUD packs it.
    pub fn set(&mut self, table: &Word, key: &[Word], fixed: &[u8], lengths: &Word, dynamic: &[u8]) -> bool {
        let (first, second) = (padded(fixed.len()), padded(dynamic.len()));
        if !self.begin(0, table, key, 160 + first + second) {
            return false;
        }
        self.uint(96);
        self.bytes(lengths);
        self.uint(128 + first as u64);
        self.uint(fixed.len() as u64);
        self.bytes(fixed);
        self.uint(dynamic.len() as u64);
        self.bytes(dynamic);
        true
    }

    /// A record disappears.
    pub fn remove(&mut self, table: &Word, key: &[Word]) -> bool {
        self.begin(1, table, key, 0)
    }

    /// A call of a System: `data` is selector ‖ arguments.
    pub fn call(&mut self, system: &Word, data: &[u8]) -> bool {
        if !self.begin(3, system, &[], data.len()) {
            return false;
        }
        self.bytes(data);
        true
    }

    /// Everything of an effect before the content of its data. False when there is no room; otherwise there is room for all
    /// of it, so that what follows need not look again: 32 effects must stay well below the fuel limit.
    fn begin(&mut self, op: u64, resource: &Word, key: &[Word], size: usize) -> bool {
        // Each bound by itself first, so that the sum cannot wrap.
        if self.count == MAX_EFFECTS || key.len() > MAX_BYTES || size > MAX_BYTES {
            return false;
        }
        let used = 64 + (self.count << 5) + (self.at - MAX_HEAD);
        if used + 32 + 192 + (key.len() << 5) + padded(size) > MAX_BYTES {
            return false;
        }
        self.starts[self.count] = self.at as u32;
        self.count += 1;
        self.uint(op);
        self.bytes(resource);
        self.uint(128);
        self.uint(160 + ((key.len() as u64) << 5));
        self.uint(key.len() as u64);
        for word in key {
            self.bytes(word);
        }
        self.uint(size as u64);
        true
    }

    fn uint(&mut self, value: u64) {
        // SAFETY: begin, or the room that is kept for the head, has the whole word.
        unsafe { self.out.as_mut_ptr().add(self.at + 24).cast::<u64>().write_unaligned(reversed(value)) };
        self.at += 32;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // SAFETY: begin has counted these bytes.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.out.as_mut_ptr().add(self.at), bytes.len()) };
        self.at += (bytes.len() + 31) & !31;
    }
}

impl From<Effects> for Answer {
    fn from(mut effects: Effects) -> Answer {
        let end = effects.at;
        let head = MAX_HEAD - 64 - (effects.count << 5);
        effects.at = head;
        effects.uint(32);
        effects.uint(effects.count as u64);
        for k in 0..effects.count {
            // Offsets of elements count from behind the length.
            effects.uint(effects.starts[k] as u64 - head as u64 - 64);
        }
        let Effects { out, .. } = effects;
        let out: &'static [u8] = out;
        (&out[head..end]).into()
    }
}

fn padded(size: usize) -> usize {
    if size > MAX_BYTES {
        return MAX_BYTES + 1; // too much, whatever it is
    }
    (size + 31) & !31
}

/// The key word of an address of 20 bytes.
pub fn key_address(address: &[u8]) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address);
    word
}

/// The key word of an unsigned integer.
pub fn key_uint(value: u64) -> Word {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&reversed(value).to_le_bytes());
    word
}

/// "tb" ‖ namespace (14 bytes) ‖ name (ASCII, at most 16).
pub fn table_id(namespace: &[u8], name: &str) -> Word {
    resource_id(b"tb", namespace, name)
}

/// "sy" ‖ namespace ‖ name, for call.
pub fn system_id(namespace: &[u8], name: &str) -> Word {
    resource_id(b"sy", namespace, name)
}

fn resource_id(kind: &[u8; 2], namespace: &[u8], name: &str) -> Word {
    let mut word = [0; 32];
    word[..2].copy_from_slice(kind);
    word[2..16].copy_from_slice(namespace);
    let name = &name.as_bytes()[..name.len().min(16)];
    word[16..16 + name.len()].copy_from_slice(name);
    word
}
