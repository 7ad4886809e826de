//! Tic-tac-toe for two and their stakes. Rules and layout are in ../README.md.
#![no_std]

use channels_module::{key_address, module, reject, table_id, Answer, Effects, Event, Genesis, Kind, MsgPackReader, Output, State};

// The app: 64 bytes, little-endian.
const SIZE: usize = 64;
const VERSION: u8 = 1;
const OUTCOME: usize = 1;
const TURN: usize = 2;
const MOVES: usize = 3;
const MARKS: usize = 4; // of each seat, 2 bytes: bit k is square k
const NAMESPACE: usize = 8;
const IN_WORLD: usize = 22;
const WINNER: usize = 23; // 1 + seat, 0 nobody
const OWNERS: usize = 24;

const PLAYING: u8 = 0;
const WON: u8 = 1;
const DRAWN: u8 = 2;
const FORFEITED: u8 = 3;

// Fields of the World's table.
const GAMES: u32 = 0;
const WINS: u32 = 1;

module!(init, reduce, effects);

fn init(genesis: Genesis) -> Answer {
    if genesis.seats != 2 {
        reject("tic-tac-toe is for two")
    }
    let first = read_one(genesis.config, b"first", 1, "the configuration is {first}");
    let mut out = genesis.output(SIZE as u32);
    let app = &mut out.app;
    app[0] = VERSION;
    app[TURN] = first as u8;
    if let Some(namespace) = genesis.namespace {
        app[IN_WORLD] = 1;
        app[NAMESPACE..NAMESPACE + 14].copy_from_slice(namespace);
    }
    for seat in 0..2 {
        let at = OWNERS + 20 * seat;
        app[at..at + 20].copy_from_slice(genesis.owner(seat as u32));
    }
    out.into()
}

fn reduce(state: State, event: Event) -> Answer {
    let app = check(state.app);
    if event.seats != 2 {
        reject("tic-tac-toe is for two")
    }
    if app[OUTCOME] != PLAYING {
        reject("the game is over")
    }
    let mut out = state.output(SIZE as u32);
    match event.kind {
        Kind::Event => play(&mut out, &event),
        Kind::TopUp => {
            if app[MOVES] != 0 {
                reject("the game has begun; stakes are fixed")
            }
        }
        Kind::Timeout => win(&mut out, 1 - app[TURN], FORFEITED),
        Kind::Unknown => reject("unknown kind of event"),
    }
    out.into()
}

fn effects(state: &'static [u8]) -> Answer {
    if state.len() < SIZE {
        reject("the input ends too early")
    }
    let app = check(&state[state.len() - SIZE..]);
    let mut out = Effects::new();
    if app[OUTCOME] != PLAYING && app[IN_WORLD] != 0 {
        let table = table_id(&app[NAMESPACE..NAMESPACE + 14], "TicTacToe");
        for seat in 0..2 {
            let at = OWNERS + 20 * seat;
            let key = [key_address(&app[at..at + 20])];
            out.increment(&table, &key, GAMES, 1);
            if app[WINNER] == 1 + seat as u8 {
                out.increment(&table, &key, WINS, 1);
            }
        }
    }
    out.into()
}

/// Refuses bytes that no call of this module can have written.
fn check(app: &[u8]) -> &[u8; SIZE] {
    match <&[u8; SIZE]>::try_from(app) {
        Ok(app) if app[0] == VERSION && app[TURN] <= 1 => app,
        _ => reject("this is not the state of a game of tic-tac-toe"),
    }
}

/// A map of one key whose value is at most `max`.
fn read_one(input: &[u8], key: &[u8], max: u64, otherwise: &str) -> u32 {
    let mut r = MsgPackReader::new(input);
    if r.map(1) != 1 || r.string() != key {
        reject(otherwise)
    }
    let value = r.uint(max);
    r.done();
    value as u32
}

fn play(out: &mut Output, event: &Event) {
    let app = &mut out.app;
    let seat = event.author;
    if seat != app[TURN] as u32 {
        reject("it is not your turn")
    }
    // 0 1 2 / 3 4 5 / 6 7 8
    let square = 1u16 << read_one(event.payload, b"at", 8, "a move is {at}");
    let marks = |app: &[u8], seat: usize| u16::from_le_bytes([app[MARKS + 2 * seat], app[MARKS + 2 * seat + 1]]);
    if (marks(app, 0) | marks(app, 1)) & square != 0 {
        reject("this square is taken")
    }
    let mine = marks(app, seat as usize) | square;
    let at = MARKS + 2 * seat as usize;
    app[at..at + 2].copy_from_slice(&mine.to_le_bytes());
    app[MOVES] = app[MOVES].wrapping_add(1);
    if has_line(mine) {
        win(out, seat as u8, WON)
    } else if app[MOVES] == 9 {
        finish(out, DRAWN)
    } else {
        app[TURN] = 1 - seat as u8
    }
}

fn has_line(marks: u16) -> bool {
    const LINES: [u16; 8] = [0x007, 0x038, 0x1c0, 0x049, 0x092, 0x124, 0x111, 0x054];
    LINES.iter().any(|line| marks & line == *line)
}

/// The winner takes everything of every asset.
fn win(out: &mut Output, seat: u8, outcome: u8) {
    out.app[WINNER] = 1 + seat;
    for asset in 0..out.funds.assets() {
        out.funds.transfer_all(asset, 1 - seat as u32, seat as u32);
    }
    finish(out, outcome)
}

/// Nobody moves any more. A draw leaves every stake with its owner.
fn finish(out: &mut Output, outcome: u8) {
    out.app[OUTCOME] = outcome;
    out.end();
}
