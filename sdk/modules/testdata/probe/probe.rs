//! A module that only tests call: what the parts of the SDK give for given arguments. probe.md says what the bytes are.
#![no_std]

use channels_module::{
    allocate, fixed, half, key_address, key_uint, module, move_all, move_amount, precedes, reject, shuffle, split, system_id, table_id,
    Answer, Dice, Effects, Event, Genesis, MsgPackReader, Pool, Random, State, Word,
};

module!(init, reduce, effects);

struct Out {
    bytes: &'static mut [u8],
    size: usize,
}

impl Out {
    fn put(&mut self, v: u64, bytes: usize) {
        self.copy(&v.to_le_bytes()[..bytes]);
    }

    fn copy(&mut self, from: &[u8]) {
        self.bytes[self.size..self.size + from.len()].copy_from_slice(from);
        self.size += from.len();
    }
}

fn u32_at(p: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]])
}

fn u64_at(p: &[u8], at: usize) -> u64 {
    u32_at(p, at) as u64 | (u32_at(p, at + 4) as u64) << 32
}

fn word_at(p: &[u8], at: usize) -> &Word {
    p[at..at + 32].try_into().unwrap_or_else(|_| reject("unknown probe"))
}

fn init(genesis: Genesis) -> Answer {
    genesis.output(0).into()
}

fn reduce(state: State, event: Event) -> Answer {
    let mut out = Out { bytes: allocate(8192), size: 0 };
    out.put(0, 1);
    let p = event.payload;
    match p[0] {
        0 => unpack_all(&mut out, p),
        1 => return funds(&state, &p[1..], event.columns as usize),
        2 => dice(&mut out, p),
        3 => cards(&mut out, p),
        4 => maths(&mut out, p[1], u64_at(p, 2), u64_at(p, 10), u64_at(p, 18)),
        5 => {
            for v in [event.kind as u64, event.author as u64, event.seats as u64, event.assets as u64, event.columns as u64] {
                out.put(v, 8)
            }
            for v in [event.time, event.seq, event.nonce, p.len() as u64, state.last_timestamp()] {
                out.put(v, 8)
            }
            for seat in 0..event.seats {
                out.put(state.nonce(seat), 8)
            }
            out.put(state.top_ups(), 8);
            out.put(state.terminal() as u64, 8);
        }
        _ => reject("unknown probe"),
    }
    let Out { bytes, size } = out;
    let bytes: &'static [u8] = bytes;
    (&bytes[..size]).into()
}

fn unpack_all(out: &mut Out, p: &[u8]) {
    let n = p[1] as usize;
    let mut r = MsgPackReader::new(&p[2 + n..]);
    for schema in &p[2..2 + n] {
        match schema {
            b'u' => out.put(r.uint(u64::MAX), 8),
            b'c' => out.put(r.uint(255), 8),
            b'b' => out.put(r.boolean() as u64, 1),
            b's' | b'x' => {
                let content = if *schema == b's' { r.string() } else { r.bytes() };
                out.put(content.len() as u64, 4);
                out.copy(content);
            }
            b'h' => out.copy(r.bytes32()),
            b'a' => out.put(r.array(16) as u64, 4),
            b'm' => out.put(r.map(16) as u64, 4),
            b'd' => r.done(),
            _ => reject("unknown schema"),
        }
    }
}

fn funds(state: &State, script: &[u8], columns: usize) -> Answer {
    let mut result = state.output(0);
    let f = &mut result.funds;
    let mut all = [0u128; 24];
    let cells = &mut all[..columns];
    for step in script.chunks(4) {
        let (a, b, c) = (step[1] as u32, step[2] as usize, step[3] as usize);
        match step[0] {
            0 => f.transfer_all(a, b as u32, c as u32),
            1 => f.check(a),
            2 => {
                f.unpack(a, cells);
                let amount = half(cells[b]);
                let (mut from, mut to) = (cells[b], cells[c]);
                move_amount(&mut from, &mut to, amount);
                (cells[b], cells[c]) = (from, to);
                f.pack(a, cells);
            }
            3 => {
                f.unpack(a, cells);
                let mut pot = 0;
                move_all(&mut cells[b], &mut pot);
                let mut weights = [0u32; 24];
                for (i, w) in weights[..columns].iter_mut().enumerate() {
                    *w = if i == b { 0 } else { (i * 7 * c) as u32 };
                }
                split(&mut pot, &weights[..columns], cells);
                move_all(&mut pot, &mut cells[b]);
                f.pack(a, cells);
            }
            4 => {
                f.unpack(a, cells);
                let amount = cells[c];
                let (mut from, mut to) = (cells[b], cells[b + 1]);
                move_amount(&mut from, &mut to, amount);
                (cells[b], cells[b + 1]) = (from, to);
                f.pack(a, cells);
            }
            _ => {}
        }
    }
    result.into()
}

fn dice(out: &mut Out, p: &[u8]) {
    let salt = u32_at(p, 66);
    out.put(precedes(p[1] as u32, word_at(p, 2), word_at(p, 34)) as u64, 1);
    let mut pool = Pool::new(p[74] as u32);
    for i in 0..p[74] as usize {
        pool.add(word_at(p, 75 + 32 * i));
    }
    let seed = pool.seed(salt);
    out.copy(&seed);
    let mut d = Dice::new(&seed);
    d.cast(salt);
    for k in 0..8 {
        out.put(d.die(k, u32_at(p, 70)) as u64, 4);
    }
}

fn cards(out: &mut Out, p: &[u8]) {
    let salt = u32_at(p, 33);
    let mut r = Random::new(word_at(p, 1), salt);
    for _ in 0..12 {
        out.put(r.below(u32_at(p, 38)) as u64, 4);
    }
    let start = out.size;
    for i in 0..p[37] {
        out.put(i as u64, 1);
    }
    shuffle(&mut Random::new(word_at(p, 1), salt ^ 1), &mut out.bytes[start..out.size]);
}

fn maths(out: &mut Out, op: u8, a: u64, b: u64, c: u64) {
    let (x, y) = (a as i64, b as i64);
    let v = match op {
        0 => fixed::mul_div(a, b, c),
        1 => fixed::isqrt(a),
        2 => fixed::add(x, y) as u64,
        3 => fixed::sub(x, y) as u64,
        4 => fixed::mul(x, y) as u64,
        5 => fixed::div(x, y) as u64,
        6 => fixed::floor(x) as i64 as u64,
        7 => fixed::from_int(a as i32) as u64,
        _ => 0,
    };
    out.put(v, 8);
}

fn effects(script: &'static [u8]) -> Answer {
    let mut e = Effects::new();
    let namespace = *b"abcdefghijklmn";
    let table = table_id(&namespace, "Probe");
    let system = system_id(&namespace, "ProbeSystemIsLong");
    for p in script.chunks(18) {
        let (a, b) = (u32_at(p, 2), u32_at(p, 6));
        let mut keys = [[0; 32]; 4];
        let n = p[1] as usize;
        for (i, key) in keys[..n].iter_mut().enumerate() {
            *key = if i & 1 == 1 { key_address(&[(a as usize + i) as u8; 20]) } else { key_uint(a as u64 + i as u64) };
        }
        let bytes = allocate(a + b + 64);
        for i in 0..(a + b).min(300) {
            bytes[i as usize] = i.wrapping_mul(3) as u8;
        }
        let (fixed, dynamic) = (&bytes[..a as usize], &bytes[a as usize..(a + b) as usize]);
        match p[0] {
            0 => e.set(&table, &keys[..n], fixed, &key_uint(b as u64), dynamic),
            1 => e.remove(&table, &keys[..n]),
            2 => e.increment(&table, &keys[..n], a, u64_at(p, 10) as i64),
            3 => e.call(&system, &bytes[..b as usize]),
            _ => true,
        };
    }
    e.into()
}
