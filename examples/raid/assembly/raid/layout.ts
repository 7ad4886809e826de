// The bytes of the raid's state: little-endian, fixed size for a given party and dungeon.
// README.md draws them; raid.go reads them.

import { bail } from "../channel/host";

/** First byte of every state of this version. */
export const VERSION: u8 = 2;

// The head.
export const HEAD: u32 = 104;
const PHASE = 1;
const OUTCOME = 2;
const KEEPER = 3;
const SEATS = 4;
const ROOMS = 5;
const ROOM = 6;
const MAX_ROUNDS = 7;
const ROUND = 8;
const PENDING = 10;
const SILENT = 12;
const NAMESPACE = 16;
const IN_WORLD = 30;
const SEED = 32;
const MONSTER_HP = 64;
const TICKET_SEED = 72;

// One room: kind, attack, defence, item (1 byte each), hp per hero, gold (2 bytes each).
export const ROOM_SIZE: u32 = 8;

// One seat.
export const SEAT_SIZE: u32 = 92;
const CLASS = 20;
const GEAR = 21;
const HP = 22;
const ACTION = 24;
const TARGET = 25;
const BAG = 26;
const OWNED = 50;
const BROUGHT = 51;
const DAMAGE = 52;
const HEALED = 56;
const LINK = 60;

/** The last two bytes: the length of it all, by which `effects` finds the beginning. */
export const FOOT: u32 = 2;

export namespace Phase {
  export const Commit: u32 = 0;
  export const Act: u32 = 1;
  export const Reveal: u32 = 2;
  export const Over: u32 = 3;
}

export namespace Outcome {
  export const Won: u32 = 1;
  export const Wiped: u32 = 2;
  export const OutOfTime: u32 = 3;
  export const Abandoned: u32 = 4;
  export const CalledOff: u32 = 5;
}

export namespace Action {
  export const Attack: u8 = 1;
  export const Defend: u8 = 2;
  export const Heal: u8 = 3;
  export const Use: u8 = 4;
}

export namespace Item {
  export const Potion: u32 = 1;
  export const Sword: u32 = 2;
  export const Shield: u32 = 3;
  export const Gold: u32 = 4;
  export const Gem: u32 = 5;
  export const Scale: u32 = 6;
  export const Count: u32 = 6;
}

/** What a hero brings along, in one byte: potions in bits 0-1, a sword in bit 2, a shield in bit 3. */
export namespace Pack {
  export const MaxPotions: u32 = 3;
  /** Items that can be brought are the first ones: potion, sword, shield. */
  export const Items: u32 = 3;

  export function most(item: u32): u32 { return item == Item.Potion ? MaxPotions : 1; }
  export function bits(item: u32, count: u32): u32 { return item == Item.Potion ? count : count << item; }
  export function count(pack: u32, item: u32): u32 {
    if (item > Items) return 0;
    return item == Item.Potion ? pack & MaxPotions : (pack >> item) & 1;
  }
}

/** The state that this call works on, and its first seat. */
let app: usize = 0;
let first: usize = 0;

export function open(at: usize): void {
  app = at;
}

export function sizeOf(seats: u32, rooms: u32): u32 {
  return HEAD + rooms * ROOM_SIZE + seats * SEAT_SIZE + FOOT;
}

/** Refuses bytes that no call of this module can have written. `expected` seats, 0 when the caller cannot know. */
export function check(length: u32, expected: u32): void {
  const whole = length >= HEAD + FOOT && load<u8>(app) == VERSION && length == sizeOf(seats(), rooms());
  if (!whole || (expected != 0 && expected != seats())) bail("this is not the state of a raid");
  first = app + HEAD + rooms() * ROOM_SIZE;
}

export function phase(): u32 { return load<u8>(app, PHASE); }
export function setPhase(v: u32): void { store<u8>(app, <u8>v, PHASE); }
export function outcome(): u32 { return load<u8>(app, OUTCOME); }
export function setOutcome(v: u32): void { store<u8>(app, <u8>v, OUTCOME); }
export function keeper(): u32 { return load<u8>(app, KEEPER); }
export function seats(): u32 { return load<u8>(app, SEATS); }
export function rooms(): u32 { return load<u8>(app, ROOMS); }
/** The room that the party is in, from 0; all rooms cleared: rooms(). */
export function room(): u32 { return load<u8>(app, ROOM); }
export function setRoom(v: u32): void { store<u8>(app, <u8>v, ROOM); }
export function maxRounds(): u32 { return load<u8>(app, MAX_ROUNDS); }
/** From 1; 0 while commitments are collected. */
export function round(): u32 { return load<u16>(app, ROUND); }
export function setRound(v: u32): void { store<u16>(app, <u16>v, ROUND); }
/** The seats (bits) that owe something in this phase. */
export function pending(): u32 { return load<u16>(app, PENDING); }
export function setPending(v: u32): void { store<u16>(app, <u16>v, PENDING); }
/** The seats that ended the raid by silence. */
export function silent(): u32 { return load<u16>(app, SILENT); }
export function setSilent(v: u32): void { store<u16>(app, <u16>v, SILENT); }
/** 14 bytes. */
export function namespace_(): usize { return app + NAMESPACE; }
export function inWorld(): bool { return load<u8>(app, IN_WORLD) != 0; }
export function setInWorld(): void { store<u8>(app, 1, IN_WORLD); }
/** The seed of the ticket that the raid is played for, zero without one. */
export function ticketSeed(): usize { return app + TICKET_SEED; }
/** The seed of the last round that was resolved. */
export function seed(): usize { return app + SEED; }
export function monsterHp(): u32 { return load<u32>(app, MONSTER_HP); }
export function setMonsterHp(v: u32): void { store<u32>(app, v, MONSTER_HP); }

/** Writes what never changes. The memory is zero before. */
export function create(keeper: u32, seats: u32, rooms: u32, maxRounds: u32): void {
  store<u8>(app, VERSION);
  store<u8>(app, <u8>keeper, KEEPER);
  store<u8>(app, <u8>seats, SEATS);
  store<u8>(app, <u8>rooms, ROOMS);
  store<u8>(app, <u8>maxRounds, MAX_ROUNDS);
  first = app + HEAD + rooms * ROOM_SIZE;
  const size = sizeOf(seats, rooms);
  store<u16>(app + size - FOOT, <u16>size);
}

function roomAt(i: u32): usize { return app + HEAD + i * ROOM_SIZE; }

export function setRoomAt(i: u32, kind: u32, attack: u32, defence: u32, item: u32, hp: u32, gold: u32): void {
  const at = roomAt(i);
  store<u8>(at, <u8>kind);
  store<u8>(at, <u8>attack, 1);
  store<u8>(at, <u8>defence, 2);
  store<u8>(at, <u8>item, 3);
  store<u16>(at, <u16>hp, 4);
  store<u16>(at, <u16>gold, 6);
}
export function monsterAttack(): u32 { return load<u8>(roomAt(room()), 1); }
export function monsterDefence(): u32 { return load<u8>(roomAt(room()), 2); }
export function roomItem(): u32 { return load<u8>(roomAt(room()), 3); }
/** A monster has this much for each hero of the party. */
export function hpPerHero(): u32 { return load<u16>(roomAt(room()), 4); }
export function roomGold(): u32 { return load<u16>(roomAt(room()), 6); }

function seatAt(i: u32): usize { return first + i * SEAT_SIZE; }

/** The owner's address, 20 bytes. */
export function owner(i: u32): usize { return seatAt(i); }
/** 0 for the keeper and before the commitment. */
export function heroClass(i: u32): u32 { return load<u8>(seatAt(i), CLASS); }
export function setHeroClass(i: u32, v: u32): void { store<u8>(seatAt(i), <u8>v, CLASS); }
/** A bit per item in use, 1 << item. */
export function gear(i: u32): u32 { return load<u8>(seatAt(i), GEAR); }
export function setGear(i: u32, v: u32): void { store<u8>(seatAt(i), <u8>v, GEAR); }
export function hp(i: u32): u32 { return load<u16>(seatAt(i), HP); }
export function setHp(i: u32, v: u32): void { store<u16>(seatAt(i), <u16>v, HP); }
export function action(i: u32): u32 { return load<u8>(seatAt(i), ACTION); }
/** The seat that is healed, the item that is used. */
export function target(i: u32): u32 { return load<u8>(seatAt(i), TARGET); }
export function setAction(i: u32, action: u32, target: u32): void {
  store<u8>(seatAt(i), <u8>action, ACTION);
  store<u8>(seatAt(i), <u8>target, TARGET);
}
export function carried(i: u32, item: u32): u32 { return load<u32>(seatAt(i) + ((item - 1) << 2), BAG); }
export function setCarried(i: u32, item: u32, v: u32): void { store<u32>(seatAt(i) + ((item - 1) << 2), v, BAG); }
/** The Pack that the owner had in the World when the ticket was bought: the most that the hero may bring. */
export function owned(i: u32): u32 { return load<u8>(seatAt(i), OWNED); }
export function setOwned(i: u32, pack: u32): void { store<u8>(seatAt(i), <u8>pack, OWNED); }
/** The Pack that the hero brought. */
export function brought(i: u32, item: u32): u32 { return Pack.count(load<u8>(seatAt(i), BROUGHT), item); }
export function setBrought(i: u32, pack: u32): void {
  store<u8>(seatAt(i), <u8>pack, BROUGHT);
  for (let item: u32 = 1; item <= Pack.Items; item++) setCarried(i, item, Pack.count(pack, item));
}
export function damage(i: u32): u32 { return load<u32>(seatAt(i), DAMAGE); }
export function addDamage(i: u32, v: u32): void { store<u32>(seatAt(i), damage(i) + v, DAMAGE); }
export function healed(i: u32): u32 { return load<u32>(seatAt(i), HEALED); }
export function addHealed(i: u32, v: u32): void { store<u32>(seatAt(i), healed(i) + v, HEALED); }
/** The last verified link of the seat's chain, 32 bytes. */
export function link(i: u32): usize { return seatAt(i) + LINK; }

/** The keeper has no hero. */
export function isHero(i: u32): bool { return i != keeper(); }
export function lives(i: u32): bool { return hp(i) != 0; }
export function everyone(): u32 { return (1 << seats()) - 1; }
export function heroes(): u32 { return seats() - 1; }

/** The seats of heroes who live. */
export function living(): u32 {
  let mask: u32 = 0;
  for (let i: u32 = 0, n = seats(); i < n; i++) if (lives(i)) mask |= 1 << i;
  return mask;
}
