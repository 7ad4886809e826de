// What the states of the games have in common: a head, the owners, and at the very end the length of it all, by which
// `effects` finds the beginning. Little-endian. examples/internal/table reads the same bytes in Go.
//
//    0  version   1  phase   2  outcome   3  seats   4  pending seats, bits (2)   6  silent seats, bits (2)
//    8  the game's own (8)  16  namespace (14)      30  in a world               31  zero
//   32  owners (20 each), then the game's own, then the length (2)

import { bail } from "../../raid/assembly/channel/host";

export const HEAD: u32 = 32;
export const OWNER: u32 = 20;
export const FOOT: u32 = 2;
/** The phase of every game that is decided. */
export const OVER: u32 = 9;

let app: usize = 0;

/** All accessors work on the state at this address. */
export function open(at: usize): void {
  app = at;
}

/** Address of the game's own bytes, after the owners. */
export function own(): usize {
  return app + HEAD + seats() * OWNER;
}

export function base(): usize { return app; }
export function phase(): u32 { return load<u8>(app, 1); }
export function setPhase(v: u32): void { store<u8>(app, <u8>v, 1); }
export function outcome(): u32 { return load<u8>(app, 2); }
export function seats(): u32 { return load<u8>(app, 3); }
/** Seats (bits) that owe a move. */
export function pending(): u32 { return load<u16>(app, 4); }
export function setPending(v: u32): void { store<u16>(app, <u16>v, 4); }
/** Seats (bits) that ended the game by silence. */
export function silent(): u32 { return load<u16>(app, 6); }
export function setSilent(v: u32): void { store<u16>(app, <u16>v, 6); }
/** One of the game's own bytes in the head, k = 0..7. */
export function field(k: u32): u32 { return load<u8>(app + k, 8); }
export function setField(k: u32, v: u32): void { store<u8>(app + k, <u8>v, 8); }
export function namespace_(): usize { return app + 16; }
export function inWorld(): bool { return load<u8>(app, 30) != 0; }
export function owner(i: u32): usize { return app + HEAD + i * OWNER; }

/** Writes what never changes over zero bytes and gives the size of the state. `rest` is the size of the game's own bytes. */
export function create(version: u32, count: u32, rest: u32): u32 {
  const size = HEAD + count * OWNER + rest + FOOT;
  store<u8>(app, <u8>version);
  store<u8>(app, <u8>count, 3);
  store<u16>(app + size - FOOT, <u16>size);
  return size;
}

/** Refuses bytes that this module cannot have written; `expected` seats, 0 when the caller cannot know. */
export function check(version: u32, size: u32, expected: u32): void {
  if (size < HEAD + FOOT || <u32>load<u8>(app) != version || <u32>load<u16>(app + size - FOOT) != size
    || HEAD + seats() * OWNER + FOOT > size || (expected != 0 && expected != seats())) bail("this is not a state of this game");
}

/** The game is decided. */
export function end(how: u32): void {
  store<u8>(app, <u8>how, 2);
  setPhase(OVER);
  setPending(0);
}

/** Refuses who owes nothing. */
export function owes(author: u32): void {
  if (!(pending() & (1 << author))) bail("it is not your turn; wait for the other");
}

/** The seat owes nothing more in this phase. True when nobody does. */
export function paid(author: u32): bool {
  setPending(pending() & ~(1 << author));
  return pending() == 0;
}
