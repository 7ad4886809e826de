//! __NAME__: the game of 21.
#![no_std]

use channels_module::{module, reject, Answer, Effects, Event, Genesis, Kind, MsgPackReader, State};

// The app, little-endian: total (4 bytes), seat that is to move (4 bytes).
const SIZE: u32 = 8;
const GOAL: u32 = 21;

module!(init, reduce, effects);

fn init(genesis: Genesis) -> Answer {
    genesis.output(SIZE).into()
}

fn reduce(state: State, event: Event) -> Answer {
    if state.app.len() != SIZE as usize {
        reject("this is not a state of the game")
    }
    let mut out = state.output(SIZE);
    match event.kind {
        Kind::Event => {
            if event.author != word(&out.app[4..]) {
                reject("it is not your turn")
            }
            let total = word(out.app).saturating_add(read_move(event.payload));
            out.app[..4].copy_from_slice(&total.to_le_bytes());
            out.app[4..].copy_from_slice(&((event.author + 1) % event.seats).to_le_bytes());
            if total >= GOAL {
                for asset in 0..event.assets {
                    for seat in 0..event.seats {
                        out.funds.transfer_all(asset, seat, event.author);
                    }
                }
                out.end();
            }
        }
        Kind::Timeout => out.end(),
        _ => {}
    }
    out.into()
}

fn effects(_: &'static [u8]) -> Answer {
    Effects::new().into()
}

fn word(b: &[u8]) -> u32 {
    u32::from_le_bytes([b[0], b[1], b[2], b[3]])
}

/// {add: 1..3}
fn read_move(payload: &[u8]) -> u32 {
    let mut r = MsgPackReader::new(payload);
    if r.map(1) != 1 || r.string() != b"add" {
        reject("a move is {add}")
    }
    let add = r.uint(3) as u32;
    r.done();
    if add == 0 {
        reject("add 1, 2 or 3")
    }
    add
}
