// The bytes of a game's state after head and owners. README.md draws them.

import { field, own, setField } from "../../internal/assembly/state";

export const VERSION: u32 = 0x24;

const HALFMOVES: u32 = 64;
const PLIES: u32 = 66;
const SEEN: u32 = 68;
const CLOCK: u32 = 72;
const INCREMENT: u32 = 80;
const BASE: u32 = 84;
const LAST: u32 = 88;
const HISTORY: u32 = 96;
/** Positions since the last capture or pawn's move, the present one included: the game is drawn at 150 half-moves. */
export const MAX_SEEN: u32 = 151;
export const REST: u32 = HISTORY + MAX_SEEN * 8;

export namespace Outcome {
  export const Won: u32 = 1; // Won + seat; seat 0 is white
  export const Drawn: u32 = 3;
  export const CalledOff: u32 = 4;
}

export namespace Reason {
  export const Mate: u32 = 1;
  export const Resigned: u32 = 2;
  export const Flag: u32 = 3;
  export const Silence: u32 = 4;
  export const Stalemate: u32 = 5;
  export const Agreed: u32 = 6;
  export const Threefold: u32 = 7;
  export const Fivefold: u32 = 8;
  export const Fifty: u32 = 9;
  export const SeventyFive: u32 = 10;
  export const Material: u32 = 11;
  export const MoveLimit: u32 = 12;
}

/** Seat that moves. */
export function turn(): u32 { return field(0); }
export function setTurn(v: u32): void { setField(0, v); }
/** Bits: white kingside, queenside, black kingside, queenside. */
export function rights(): u32 { return field(1); }
export function setRights(v: u32): void { setField(1, v); }
/** 1 + the square 0..63 that a pawn has passed over and can be captured on; 0 for none. */
export function passedOver(): u32 { return field(2); }
export function setPassedOver(v: u32): void { setField(2, v); }
/** 1 + the seat that offers a draw. */
export function offer(): u32 { return field(3); }
export function setOffer(v: u32): void { setField(3, v); }
/** How often the present position has been on the board. */
export function times(): u32 { return field(4); }
export function setTimes(v: u32): void { setField(4, v); }
export function setReason(v: u32): void { setField(5, v); }
/** Square 0..63 of a seat's king. */
export function kingOf(seat: u32): u32 { return field(6 + seat); }
export function setKing(seat: u32, v: u32): void { setField(6 + seat, v); }

export function squares(): usize { return own(); }
export function halfmoves(): u32 { return load<u16>(own(), HALFMOVES); }
export function setHalfmoves(v: u32): void { store<u16>(own(), <u16>v, HALFMOVES); }
export function plies(): u32 { return load<u16>(own(), PLIES); }
export function setPlies(v: u32): void { store<u16>(own(), <u16>v, PLIES); }
export function seen(): u32 { return load<u16>(own(), SEEN); }
export function setSeen(v: u32): void { store<u16>(own(), <u16>v, SEEN); }
/** Seconds that a seat has left. */
export function clock(seat: u32): u32 { return load<u32>(own() + (seat << 2), CLOCK); }
export function setClock(seat: u32, v: u32): void { store<u32>(own() + (seat << 2), v, CLOCK); }
export function increment(): u32 { return load<u32>(own(), INCREMENT); }
export function setIncrement(v: u32): void { store<u32>(own(), v, INCREMENT); }
/** 0: there is no clock. */
export function baseTime(): u32 { return load<u32>(own(), BASE); }
export function setBaseTime(v: u32): void { store<u32>(own(), v, BASE); }
/** When the last move was made. */
export function last(): u64 { return load<u64>(own(), LAST); }
export function setLast(v: u64): void { store<u64>(own(), v, LAST); }
export function history(k: u32): usize { return own() + HISTORY + (k << 3); }
