// The bytes of a duel's state after head and owners: the seed of the last round (32), then each fighter (48).
// README.md draws them.

import { field, own, setField } from "../../internal/assembly/state";

export const VERSION: u32 = 0x22;
const SEED: u32 = 32;
const FIGHTER: u32 = 48;
export const REST: u32 = SEED + 2 * FIGHTER;

export namespace Phase {
  export const Hide: u32 = 0;
  export const Open: u32 = 1;
}

export namespace Outcome {
  export const Won0: u32 = 1; // Won0 + seat
  export const Drawn: u32 = 3;
  export const CalledOff: u32 = 4;
}

export namespace Action {
  export const Strike: u32 = 0;
  export const Guard: u32 = 1;
  export const Feint: u32 = 2;
  export const Focus: u32 = 3;
}

/** From 0. */
export function round(): u32 { return field(0); }
export function setRound(v: u32): void { setField(0, v); }
export function maxRounds(): u32 { return field(1); }
export function setMaxRounds(v: u32): void { setField(1, v); }
/** The most that a rating can change. */
export function stake(): u32 { return field(2); }
export function setStake(v: u32): void { setField(2, v); }

export function seed(): usize { return own(); }
function fighter(i: u32): usize { return own() + SEED + i * FIGHTER; }
/** 0 knight, 1 rogue, 2 mage, 3 monk. */
export function heroClass(i: u32): u32 { return load<u8>(fighter(i)); }
export function setHeroClass(i: u32, v: u32): void { store<u8>(fighter(i), <u8>v); }
/** Blows that focus has prepared, 0 to 2. */
export function charge(i: u32): u32 { return load<u8>(fighter(i), 1); }
export function setCharge(i: u32, v: u32): void { store<u8>(fighter(i), <u8>v, 1); }
export function hp(i: u32): u32 { return load<u16>(fighter(i), 2); }
export function setHp(i: u32, v: u32): void { store<u16>(fighter(i), <u16>v, 2); }
export function rating(i: u32): u32 { return load<u16>(fighter(i), 4); }
export function setRating(i: u32, v: u32): void { store<u16>(fighter(i), <u16>v, 4); }
/** 1 + the action of the last round, 0 before. */
export function setLast(i: u32, v: u32): void { store<u8>(fighter(i), <u8>v, 6); }
export function dealt(i: u32): u32 { return load<u32>(fighter(i), 8); }
export function setDealt(i: u32, v: u32): void { store<u32>(fighter(i), v, 8); }
/** The commitment in the phase Hide and Open; the key once it is opened. */
export function key(i: u32): usize { return fighter(i) + 16; }
