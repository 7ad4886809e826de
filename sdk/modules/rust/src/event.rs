//! What reduce gets, and what it gives back (docs/encoding.md 4-6, 21-22).

use crate::abi::SHORT;
use crate::funds::{word64, Funds};
use crate::host::{allocate, reject, Answer};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A participant's event: its payload is what the author signed.
    Event,
    /// The chain took money in: payload = asset (1 byte) ‖ amount (32). The funds are raised already.
    TopUp,
    /// Nobody moved: author 0xff, no payload. The module decides what silence costs.
    Timeout,
    Unknown,
}

/// The 32 bytes before the payload, little-endian, and the payload.
pub struct Event {
    pub kind: Kind,
    pub author: u32,
    pub seats: u32,
    pub assets: u32,
    pub columns: u32,
    pub time: u64,
    pub seq: u64,
    pub nonce: u64,
    pub payload: &'static [u8],
}

impl Event {
    pub fn read(input: &'static [u8]) -> Self {
        if input.len() < 32 {
            reject(SHORT)
        }
        let (prefix, payload) = input.split_at(32);
        let e = Event {
            kind: match prefix[0] {
                0 => Kind::Event,
                1 => Kind::TopUp,
                2 => Kind::Timeout,
                _ => Kind::Unknown,
            },
            author: prefix[1] as u32,
            seats: prefix[2] as u32,
            assets: prefix[3] as u32,
            columns: prefix[4] as u32,
            time: word64(prefix, 8).swap_bytes(),
            seq: word64(prefix, 16).swap_bytes(),
            nonce: word64(prefix, 24).swap_bytes(),
            payload,
        };
        if e.columns < e.seats {
            reject(SHORT)
        }
        e
    }
}

/// A state: header (N + 3 words) ‖ funds ‖ app.
pub struct State {
    header: &'static [u8],
    funds: &'static [u8],
    assets: u32,
    columns: u32,
    pub app: &'static [u8],
}

impl State {
    /// The sizes of a state come with the event.
    pub fn read(input: &'static [u8], event: &Event) -> Self {
        let header = ((event.seats + 3) << 5) as usize;
        let funds = ((event.assets * event.columns) << 5) as usize;
        if input.len() < header + funds {
            reject(SHORT)
        }
        let (header, rest) = input.split_at(header);
        let (funds, app) = rest.split_at(funds);
        State { header, funds, assets: event.assets, columns: event.columns, app }
    }

    pub fn last_timestamp(&self) -> u64 {
        self.word(0)
    }

    /// Nonce of the last event of a participant that was accepted.
    pub fn nonce(&self, seat: u32) -> u64 {
        if seat >= self.seats() {
            reject("no such participant")
        }
        self.word(1 + seat)
    }

    pub fn top_ups(&self) -> u64 {
        self.word(self.seats() + 1)
    }

    pub fn terminal(&self) -> bool {
        self.word(self.seats() + 2) != 0
    }

    /// An output with these funds and an app of `length` bytes, which begins as the state's does.
    pub fn output(&self, length: u32) -> Output {
        let mut out = Output::new(self.assets, self.columns, length);
        out.funds.words_all().copy_from_slice(self.funds);
        let same = self.app.len().min(length as usize);
        out.app[..same].copy_from_slice(&self.app[..same]);
        out
    }

    fn seats(&self) -> u32 {
        (self.header.len() >> 5) as u32 - 3
    }

    fn word(&self, index: u32) -> u64 {
        word64(self.header, ((index as usize) << 5) + 24)
    }
}

/// What init and reduce give: terminal (1 byte) ‖ funds ‖ app. Starts as zeros.
pub struct Output {
    pub funds: Funds,
    pub app: &'static mut [u8],
    base: *mut u8,
    size: usize,
}

impl Output {
    pub fn new(assets: u32, columns: u32, length: u32) -> Self {
        let funds = ((assets * columns) << 5) as usize;
        let all = allocate(1 + funds as u32 + length);
        let (base, size) = (all.as_mut_ptr(), all.len());
        let (words, app) = all[1..].split_at_mut(funds);
        Output { funds: Funds::new(words, assets, columns), app, base, size }
    }

    /// No event follows: the channel can be closed with these funds, and effects are run.
    pub fn end(&mut self) {
        // The first byte belongs to neither funds nor app.
        unsafe { *self.base = 1 }
    }
}

impl From<Output> for Answer {
    fn from(out: Output) -> Answer {
        let Output { base, size, .. } = out;
        // The two slices of it are gone with `out`.
        let all: &'static [u8] = unsafe { core::slice::from_raw_parts(base, size) };
        all.into()
    }
}
