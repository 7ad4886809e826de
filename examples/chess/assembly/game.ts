// A move on the board, the clock, and how a game ends.

import { allocate, bail, keccak256 } from "../../raid/assembly/channel/host";
import { end, setPending } from "../../internal/assembly/state";
import * as B from "./board";
import {
  MAX_SEEN, Outcome, Reason, baseTime, clock, halfmoves, history, increment, kingOf, last, passedOver, plies, rights, seen, setClock,
  setHalfmoves, setKing, setLast, setPassedOver, setPlies, setReason, setRights, setSeen, setTimes, setTurn, squares, times, turn,
} from "./layout";

/** So that nobody authors more events than the manifest's maxEvents: 250 moves each, and one more to end it. */
const MAX_PLIES: u32 = 500;
const FIFTY: u32 = 100;
const SEVENTY_FIVE: u32 = 150;

/** Sets the board up from the state. */
export function setUp(): void {
  const ep = passedOver();
  B.read(squares(), turn() << 3, rights(), ep == 0 ? 0 : B.wide(ep - 1), B.wide(kingOf(0)), B.wide(kingOf(1)));
  B.analyse();
}

/** Makes the move if it is legal; `into` is 0 or the piece that a pawn becomes. */
export function move(from: u32, to: u32, into: u32): void {
  const q = B.wide(from);
  const t = B.wide(to);
  const p = B.pieceAt(q);
  if (p == 0) bail("there is no piece on this square");
  if ((p & B.BLACK) != B.side) bail("this is not your piece");
  let k = B.moves(q);
  while (k > 0 && B.target(k - 1) != t) k--;
  if (k == 0) bail(B.inCheck() ? "this move is not legal; you are in check" : "this move is not legal");
  if (B.promotes(q, t) != (into != 0)) bail(into != 0 ? "only a pawn on the last rank is promoted" : "say what the pawn becomes: q, r, b or n");
  const final = B.make(q, t, into);
  setPlies(plies() + 1);
  settle(final);
}

/** Takes the position over into the state, and ends the game where the rules do. */
export function settle(final: bool): void {
  B.analyse();
  B.keepPassed();
  B.write(squares());
  setTurn(B.side >> 3);
  setRights(B.castling);
  setPassedOver(B.passed == 0 ? 0 : B.narrowed(B.passed) + 1);
  setKing(0, B.narrowed(B.whiteKing));
  setKing(1, B.narrowed(B.blackKing));
  if (final) {
    setHalfmoves(0);
    setSeen(0);
  } else {
    setHalfmoves(halfmoves() + 1);
  }
  remember();
  setPending(1 << turn());
  if (!B.canMove()) {
    if (B.inCheck()) won(1 - turn(), Reason.Mate);
    else drawn(Reason.Stalemate);
  } else if (B.dead()) {
    drawn(Reason.Material);
  } else if (times() >= 5) {
    drawn(Reason.Fivefold);
  } else if (halfmoves() >= SEVENTY_FIVE) {
    drawn(Reason.SeventyFive);
  } else if (plies() >= MAX_PLIES) {
    drawn(Reason.MoveLimit);
  }
}

/** Counts how often this position has been on the board: 8 bytes of keccak256(squares ‖ turn ‖ rights ‖ passed) stand for each. */
function remember(): void {
  const text = allocate(72);
  memory.copy(text, squares(), 64);
  store<u64>(text, <u64>(turn() | (rights() << 8) | (passedOver() << 16)), 64);
  const hash = allocate(32);
  keccak256(text, 72, hash);
  const id = load<u64>(hash);
  const n = seen();
  let count: u32 = 1;
  for (let at = history(0), stop = history(n); at < stop; at += 8) count += u32(load<u64>(at) == id);
  setTimes(count);
  if (n < MAX_SEEN) {
    store<u64>(history(n), id);
    setSeen(n + 1);
  }
}

export function won(seat: u32, why: u32): void {
  setReason(why);
  end(Outcome.Won + seat);
}

export function drawn(why: u32): void {
  setReason(why);
  end(Outcome.Drawn);
}

/** The clock of the seat that moves has run out at this time. The first move of a game takes no time. */
export function fallen(time: u64): bool {
  return baseTime() != 0 && last() != 0 && time - last() > <u64>clock(turn());
}

/** The flag of the seat that moves has fallen: it has lost, unless the other has nothing to win with. */
export function flagFell(): void {
  const loser = turn();
  setUp();
  if (B.bare((1 - loser) << 3)) drawn(Reason.Flag);
  else won(1 - loser, Reason.Flag);
}

/** Takes the time of a move off its clock. */
export function spend(time: u64): void {
  const seat = turn();
  if (baseTime() != 0 && last() != 0) setClock(seat, clock(seat) - <u32>(time - last()) + increment());
  setLast(time);
}

/** A draw may be claimed: three times the same position, or fifty moves without capture and pawn's move. */
export function claim(): void {
  if (times() >= 3) drawn(Reason.Threefold);
  else if (halfmoves() >= FIFTY) drawn(Reason.Fifty);
  else bail("nothing to claim: the position has not been there three times, nor fifty moves gone without capture or pawn");
}
