// The bytes of a session's state after head and owners: the workshop's last link (32), recipes (16 each), benches.
// README.md draws them.

import { field, own, seats, setField } from "../../internal/assembly/state";

export const VERSION: u32 = 0x23;
const LINK: u32 = 32;
export const RECIPE: u32 = 16;
/** A bench without its items: recipe + 1 (1), gifts (1), zero (2), crafts (4), salt (32). */
const BENCH: u32 = 40;
/** Of one item: how many at the beginning, how many now. */
const ITEM: u32 = 8;

export namespace Phase {
  export const Open: u32 = 0;
  export const Work: u32 = 1;
}

export namespace Outcome {
  export const Closed: u32 = 1;
  export const Abandoned: u32 = 2;
  export const CalledOff: u32 = 3;
}

export function items(): u32 { return field(0); }
export function recipes(): u32 { return field(1); }
export function workshop(): u32 { return field(2); }
/** How many links the workshop's chain has, and how many are shown. */
export function rolls(): u32 { return field(3); }
export function used(): u32 { return field(4); }
export function setUsed(v: u32): void { setField(4, v); }
/** Seats (bits) of crafters who have finished. */
export function done(): u32 { return field(5); }
export function setDone(v: u32): void { setField(5, v); }

export function create(items: u32, recipes: u32, workshop: u32, rolls: u32): void {
  setField(0, items);
  setField(1, recipes);
  setField(2, workshop);
  setField(3, rolls);
}

export function size(): u32 {
  return LINK + recipes() * RECIPE + seats() * benchSize();
}
function benchSize(): u32 { return BENCH + items() * ITEM; }

export function link(): usize { return own(); }
/** fee (4), three times item and count (6), common, fine, master (3), fineAt, masterAt (2), zero. */
export function recipe(r: u32): usize { return own() + LINK + r * RECIPE; }
export function fee(r: u32): u32 { return load<u32>(recipe(r)); }
export function ingredient(r: u32, k: u32): u32 { return load<u8>(recipe(r) + (k << 1), 4); }
export function needed(r: u32, k: u32): u32 { return load<u8>(recipe(r) + (k << 1), 5); }
/** q: 0 common, 1 fine, 2 master. */
export function product(r: u32, q: u32): u32 { return load<u8>(recipe(r) + q, 10); }
export function fineAt(r: u32): u32 { return load<u8>(recipe(r), 13); }
export function masterAt(r: u32): u32 { return load<u8>(recipe(r), 14); }

function bench(i: u32): usize { return own() + LINK + recipes() * RECIPE + i * benchSize(); }
/** 1 + the recipe in progress, 0 when the bench is free. */
export function busy(i: u32): u32 { return load<u8>(bench(i)); }
export function setBusy(i: u32, v: u32): void { store<u8>(bench(i), <u8>v); }
/** How often the crafter has given something away. */
export function gifts(i: u32): u32 { return load<u8>(bench(i), 1); }
export function setGifts(i: u32, v: u32): void { store<u8>(bench(i), <u8>v, 1); }
export function crafts(i: u32): u32 { return load<u32>(bench(i), 4); }
export function setCrafts(i: u32, v: u32): void { store<u32>(bench(i), v, 4); }
export function salt(i: u32): usize { return bench(i) + 8; }
/** Items count from 1. */
function cell(i: u32, item: u32): usize { return bench(i) + BENCH + (item - 1) * ITEM; }
export function initial(i: u32, item: u32): u32 { return load<u32>(cell(i, item)); }
export function setInitial(i: u32, item: u32, v: u32): void { store<u32>(cell(i, item), v); }
export function count(i: u32, item: u32): u32 { return load<u32>(cell(i, item), 4); }
export function setCount(i: u32, item: u32, v: u32): void { store<u32>(cell(i, item), v, 4); }
