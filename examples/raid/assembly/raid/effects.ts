// What the World remembers: increments of two tables of the genesis' namespace.
//
//   RaidResult  key (address player)                 fields raids, wins (uint32), xp, damage (uint64)
//   Loot        key (address player, uint32 itemId)  field amount (uint32)
//
// Loot changes by what a hero carries out less what it brought. What is lost comes first and never falls away, or
// it would be in the World still; ticket.ts keeps parties so small that it fits.
//
// Every increment is one effect, and a channel may have 32 of them in 8 KiB: for a party of up to six heroes that
// lose nothing all the results fit. What does not fit is dropped from the end of the order xp, wins, raids, damage,
// loot (rare items first), and within one of these the smallest amounts first.

import { putWord } from "../channel/abi";
import { allocate, answer, bail, narrow } from "../channel/host";
import {
  Item, Outcome, Pack, brought, carried, damage, healed, inWorld, isHero, namespace_, outcome, owner, room, seats, silent,
} from "./layout";

const MAX_EFFECTS: u32 = 32;
const MAX_BYTES: u32 = 8 << 10;
/** Bytes of one effect with one key word, its offset included; each further key word adds 32. */
const EFFECT_SIZE: u32 = 320;
const OP_INCREMENT: u32 = 2;

const XP_PER_ROOM: u32 = 10;
const XP_OF_VICTORY: u32 = 50;

// Fields of RaidResult.
const RAIDS: u32 = 0;
const WINS: u32 = 1;
const XP: u32 = 2;
const DAMAGE: u32 = 3;

/** One increment that is to be written; 16 bytes: seat, item (0: RaidResult), field, delta (signed). */
const RECORD: u32 = 16;
let records: usize = 0;
let count: u32 = 0;
let bytes: u32 = 64; // the array's offset and length
/** What each hero gains, or loses, in the field at hand: 4 bytes for each seat. */
let gains: usize = 0;

export function writeEffects(): u64 {
  records = allocate(MAX_EFFECTS * RECORD);
  gains = allocate(seats() << 2);
  const end = outcome();
  if (inWorld() && end != 0 && end != Outcome.CalledOff) {
    for (let item: u32 = 1; item <= Pack.Items; item++) lose(item);
    take(0, XP);
    if (end == Outcome.Won) take(0, WINS);
    take(0, RAIDS);
    take(0, DAMAGE);
    if (end == Outcome.Won) for (let item: u32 = Item.Count; item > 0; item--) take(item, 0);
  }
  return encode();
}

/** How much the hero in seat `i` gains. Who fell silent has taken part, and that is all. */
function gain(i: u32, item: u32, f: u32): u32 {
  if (!isHero(i)) return 0;
  if (item != 0) {
    const had = brought(i, item);
    return carried(i, item) > had ? carried(i, item) - had : 0;
  }
  if (f == RAIDS) return 1;
  if (silent() & (1 << i)) return 0;
  if (f == WINS) return 1;
  if (f == DAMAGE) return damage(i);
  return damage(i) + healed(i) + room() * XP_PER_ROOM + (outcome() == Outcome.Won ? XP_OF_VICTORY : 0);
}

/** How many effects of `size` bytes fit still. */
function spaceFor(size: u32): u32 {
  return min((MAX_BYTES - bytes) / size, MAX_EFFECTS - count);
}

/** Takes from all heroes what they brought and do not carry any more. Whatever the outcome: what is used is gone. */
function lose(item: u32): void {
  for (let i: u32 = 0, n = seats(); i < n; i++) {
    const had = brought(i, item);
    const left = carried(i, item);
    if (had <= left) continue;
    if (spaceFor(EFFECT_SIZE + 32) == 0) bail("more is lost than effects can say");
    bytes += EFFECT_SIZE + 32;
    store<u32>(gains + (i << 2), left - had);
    record(i, item, 0);
  }
}

/** Takes the gains of all heroes in one field; where not all of them fit, the greatest. */
function take(item: u32, f: u32): void {
  const size = item == 0 ? EFFECT_SIZE : EFFECT_SIZE + 32;
  let space = spaceFor(size);
  if (space == 0) return;
  const n = seats();
  let gainers: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const g = gain(i, item, f);
    store<u32>(gains + (i << 2), g);
    gainers += u32(g != 0);
  }
  bytes += min(gainers, space) * size;
  if (gainers <= space) {
    for (let i: u32 = 0; i < n; i++) if (load<u32>(gains + (i << 2)) != 0) record(i, item, f);
  } else {
    for (; space > 0; space--) record(greatest(n), item, f);
  }
}

/** The first seat with the greatest gain that is not recorded yet. */
function greatest(n: u32): u32 {
  let best: u32 = 0;
  let most: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const g = load<u32>(gains + (i << 2));
    if (g > most) {
      most = g;
      best = i;
    }
  }
  return best;
}

function record(i: u32, item: u32, f: u32): void {
  const at = records + count * RECORD;
  store<u32>(at, i);
  store<u32>(at, item, 4);
  store<u32>(at, f, 8);
  store<u32>(at, load<u32>(gains + (i << 2)), 12);
  store<u32>(gains + (i << 2), 0);
  count++;
}

/** abi.encode(Effect[]). */
function encode(): u64 {
  const out = allocate(bytes);
  memory.fill(out, 0, bytes);
  let at = putWord(putWord(out, 32), count);
  const base = at; // element offsets count from here
  const tables = allocate(64);
  tableId(tables, namespace_(), "RaidResult");
  tableId(tables + 32, namespace_(), "Loot");
  at += count << 5;
  for (let k: u32 = 0; k < count; k++) {
    putWord(base + (k << 5), <u32>(at - base));
    at = encodeEffect(at, records + k * RECORD, tables);
  }
  return answer(out, bytes);
}

function encodeEffect(start: usize, entry: usize, tables: usize): usize {
  const item = load<u32>(entry, 4);
  const keys: u32 = item == 0 ? 1 : 2;
  let at = putWord(start, OP_INCREMENT);
  memory.copy(at, item == 0 ? tables : tables + 32, 32);
  at = putWord(at + 32, 128);
  at = putWord(at, 160 + (keys << 5));
  at = putWord(at, keys);
  memory.copy(at + 12, owner(load<u32>(entry)), 20);
  at += 32;
  if (item != 0) at = putWord(at, item);
  at = putWord(at, 64); // length of data
  at = putWord(at, load<u32>(entry, 8));
  const delta = load<i32>(entry, 12);
  if (delta < 0) memory.fill(at, 0xff, 28);
  return putWord(at, delta);
}

/** "tb" ‖ namespace (14) ‖ name (16). */
export function tableId(at: usize, namespace: usize, name: string): void {
  memory.fill(at, 0, 32);
  store<u16>(at, 0x6274);
  memory.copy(at + 2, namespace, 14);
  narrow(name, at + 16);
}
