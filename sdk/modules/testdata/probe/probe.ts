// A module that only tests call: what the parts of the SDK give for given arguments. probe.md says what the bytes are.

import {
  CELL, Dice, Effects, Event, Genesis, MsgPackReader, Pool, Random, State,
  addFixed, allocate as heapAllocate, answer, divFixed, floorFixed, half, isqrt, keccak256, move, moveAll, mulDiv, mulFixed,
  precedes, putAddress, putUint, reject, shuffle, split, subFixed, systemId, tableId, toFixed, zeros,
} from "../../assemblyscript/assembly";

let out: usize = 0;
let size: u32 = 0;

function put(v: u64, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++, v >>= 8) store<u8>(out + size++, <u8>v);
}

function copy(from: usize, length: u32): void {
  memory.copy(out + size, from, length);
  size += length;
}

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

export function init(ptr: u32, len: u32): u64 {
  return new Genesis(ptr, len).result(0).answer();
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const event = new Event(eventPtr, eventLen);
  const state = new State(statePtr, stateLen, event);
  out = heapAllocate(8192);
  put(0, 1);
  const p = event.payload;
  switch (<u32>load<u8>(p)) {
    case 0: unpackAll(p, event.length); break;
    case 1: return funds(state, p + 1, p + event.length, event.columns);
    case 2: dice(p); break;
    case 3: cards(p); break;
    case 4: maths(load<u8>(p, 1), load<u64>(p, 2), load<u64>(p, 10), load<u64>(p, 18)); break;
    case 5: {
      put(event.kind, 8); put(event.author, 8); put(event.seats, 8); put(event.assets, 8); put(event.columns, 8);
      put(event.time, 8); put(event.seq, 8); put(event.nonce, 8); put(event.length, 8);
      put(state.lastTimestamp(), 8);
      for (let i: u32 = 0; i < event.seats; i++) put(state.nonce(i), 8);
      put(state.topUps(), 8);
      put(u64(state.terminal()), 8);
      break;
    }
    default: reject("unknown probe");
  }
  return answer(out, size);
}

function unpackAll(p: usize, length: u32): void {
  const n = <u32>load<u8>(p, 1);
  const r = new MsgPackReader(p + 2 + n, length - 2 - n);
  for (let i: u32 = 0; i < n; i++) {
    switch (<u32>load<u8>(p + 2 + i)) {
      case 0x75: put(r.uint(u64.MAX_VALUE), 8); break; // u
      case 0x63: put(r.uint(255), 8); break; // c
      case 0x62: put(u64(r.boolean()), 1); break; // b
      case 0x73: r.string(); put(r.length, 4); copy(r.start, r.length); break; // s
      case 0x78: r.bytes(); put(r.length, 4); copy(r.start, r.length); break; // x
      case 0x68: copy(r.bytes32(), 32); break; // h
      case 0x61: put(r.array(16), 4); break; // a
      case 0x6d: put(r.map(16), 4); break; // m
      case 0x64: r.done(); break; // d
      default: reject("unknown schema");
    }
  }
}

function funds(state: State, p: usize, end: usize, columns: u32): u64 {
  const result = state.result(0);
  const f = result.funds;
  const cells = zeros(columns);
  const pot = zeros(1);
  const weights = heapAllocate(columns << 2);
  for (; p < end; p += 4) {
    const a = <u32>load<u8>(p, 1);
    const b = <u32>load<u8>(p, 2);
    const c = <u32>load<u8>(p, 3);
    switch (<u32>load<u8>(p)) {
      case 0: f.transferAll(a, b, c); break;
      case 1: f.check(a); break;
      case 2:
        f.unpack(a, columns, cells);
        half(cells + b * CELL, pot);
        move(cells + b * CELL, cells + c * CELL, pot);
        f.pack(a, columns, cells);
        break;
      case 3:
        f.unpack(a, columns, cells);
        memory.fill(pot, 0, CELL);
        moveAll(cells + b * CELL, pot);
        for (let i: u32 = 0; i < columns; i++) store<u32>(weights + (i << 2), i == b ? 0 : i * 7 * c);
        split(pot, weights, cells, columns);
        moveAll(pot, cells + b * CELL);
        f.pack(a, columns, cells);
        break;
      case 4:
        f.unpack(a, columns, cells);
        move(cells + b * CELL, cells + b * CELL + CELL, cells + c * CELL);
        f.pack(a, columns, cells);
        break;
    }
  }
  return result.answer();
}

function dice(p: usize): void {
  const salt = load<u32>(p, 66);
  put(u64(precedes(load<u8>(p, 1), p + 2, p + 34)), 1);
  const n = <u32>load<u8>(p, 74);
  const pool = new Pool(n);
  for (let i: u32 = 0; i < n; i++) pool.add(p + 75 + (i << 5));
  const seed = heapAllocate(32);
  pool.seed(salt, seed);
  copy(seed, 32);
  const d = new Dice(seed);
  d.cast(salt);
  for (let k: u32 = 0; k < 8; k++) put(d.die(k, load<u32>(p, 70)), 4);
}

function cards(p: usize): void {
  const salt = load<u32>(p, 33);
  const n = <u32>load<u8>(p, 37);
  const r = new Random(p + 1, salt);
  for (let k: u32 = 0; k < 12; k++) put(r.below(load<u32>(p, 38)), 4);
  const deck = out + size;
  for (let i: u32 = 0; i < n; i++) put(i, 1);
  shuffle(new Random(p + 1, salt ^ 1), deck, n);
}

function maths(op: u32, a: u64, b: u64, c: u64): void {
  let v: u64 = 0;
  switch (op) {
    case 0: v = mulDiv(a, b, c); break;
    case 1: v = isqrt(a); break;
    case 2: v = addFixed(a, b); break;
    case 3: v = subFixed(a, b); break;
    case 4: v = mulFixed(a, b); break;
    case 5: v = divFixed(a, b); break;
    case 6: v = <i64>floorFixed(a); break;
    case 7: v = toFixed(<i32>a); break;
  }
  put(v, 8);
}

export function effects(ptr: u32, len: u32): u64 {
  const e = new Effects();
  const ns = heapAllocate(16);
  for (let i: u32 = 0; i < 14; i++) store<u8>(ns + i, <u8>(0x61 + i));
  const table = tableId(ns, "Probe");
  const system = systemId(ns, "ProbeSystemIsLong");
  for (let p: usize = ptr; p < ptr + len; p += 18) {
    const n = <u32>load<u8>(p, 1);
    const a = load<u32>(p, 2);
    const b = load<u32>(p, 6);
    const keys = heapAllocate(n << 5);
    let at = keys;
    for (let i: u32 = 0; i < n; i++) {
      if (i & 1) {
        const address = heapAllocate(20);
        memory.fill(address, <u8>(a + i), 20);
        at = putAddress(at, address);
      } else {
        at = putUint(at, <u64>a + i);
      }
    }
    const bytes = heapAllocate(a + b + 64);
    for (let i: u32 = 0; i < min(a + b, 300); i++) store<u8>(bytes + i, <u8>(i * 3));
    switch (<u32>load<u8>(p)) {
      case 0: {
        const lengths = heapAllocate(32);
        putUint(lengths, b);
        e.set(table, keys, n, bytes, a, lengths, bytes + a, b);
        break;
      }
      case 1: e.remove(table, keys, n); break;
      case 2: e.increment(table, keys, n, a, load<i64>(p, 10)); break;
      case 3: e.call(system, bytes, b); break;
    }
  }
  return e.answer();
}
