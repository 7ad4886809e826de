// The position, and which moves are legal in it.
//
// The board is kept on 12 rows of 16 squares, of which the middle is the board and the rest is off it: square
// q = (rank + 2) · 16 + 4 + file. A step that leaves the board meets OFF, so no other test is needed. Every instruction is
// paid for on chain, so pins and checks are found once, and a move is legal or not without being tried.

import { allocate } from "../../raid/assembly/channel/host";

export const WHITE: u32 = 0;
export const BLACK: u32 = 8;
export const PAWN: u32 = 1;
export const KNIGHT: u32 = 2;
export const BISHOP: u32 = 3;
export const ROOK: u32 = 4;
export const QUEEN: u32 = 5;
export const KING: u32 = 6;

const OFF: u8 = 0x80;
/** Of a square: whose piece it holds (with COLOUR), or off the board. An empty square looks like WHITE's. */
const COLOUR: u32 = 0x88;
const TYPE: u32 = 7;
const ROW: u32 = 16;
const FIRST: u32 = 36;
const SQUARES: u32 = 192;

// Steps: rook's, then bishop's; then the knight's.
// @ts-ignore: memory.data is the compiler's
const STEPS = memory.data<i8>([1, -1, 16, -16, 15, -15, 17, -17]);
// @ts-ignore: memory.data is the compiler's
const JUMPS = memory.data<i8>([14, -14, 18, -18, 31, -31, 33, -33]);

// Castling rights.
const KINGSIDE: u32 = 1; // of white; of black 4
const QUEENSIDE: u32 = 2; // of white; of black 8

let board: usize = 0;
/** Of each square, when the king is in check by one piece: whether a move to it ends the check. */
let evasion: usize = 0;
/** Of each square: the step along which its piece is pinned to the king, 0 when it is free. */
let pins: usize = 0;
let checkers: u32 = 0;
/** The targets that `moves` found. */
let list: usize = 0;

/** Who moves: WHITE or BLACK. */
export let side: u32 = 0;
export let castling: u32 = 0;
/** The square that a pawn has passed over, 0 for none. */
export let passed: u32 = 0;
export let whiteKing: u32 = 0;
export let blackKing: u32 = 0;

/** 0..63 (a1, b1, …, h8) to a square of the wide board. */
export function wide(s: u32): u32 {
  return ((s >> 3) << 4) + (s & 7) + FIRST;
}

export function narrowed(q: u32): u32 {
  return (((q >> 4) - 2) << 3) + (q & 15) - 4;
}

function piece(q: u32): u32 {
  return load<u8>(board + q);
}

export function pieceAt(q: u32): u32 {
  return piece(q);
}

/** Reads 64 bytes and what belongs to them. */
export function read(squares: usize, side_: u32, castling_: u32, passed_: u32, whiteKing_: u32, blackKing_: u32): void {
  board = allocate(SQUARES * 3 + 64);
  evasion = board + SQUARES;
  pins = evasion + SQUARES;
  list = pins + SQUARES;
  memory.fill(board, OFF, SQUARES);
  for (let r: u32 = 0; r < 8; r++) store<u64>(board + FIRST + r * ROW, load<u64>(squares + (r << 3)));
  side = side_;
  castling = castling_;
  passed = passed_;
  whiteKing = whiteKing_;
  blackKing = blackKing_;
}

/** The inverse of read, for the squares. */
export function write(squares: usize): void {
  for (let r: u32 = 0; r < 8; r++) store<u64>(squares + (r << 3), load<u64>(board + FIRST + r * ROW));
}

function king(): u32 {
  return side == WHITE ? whiteKing : blackKing;
}

/** A piece of `by` attacks the square. */
export function attacked(q: u32, by: u32): bool {
  const theirKing = by | KING;
  for (let d: u32 = 0; d < 8; d++) {
    const step = <u32>load<i8>(STEPS + d);
    let t = q + step;
    let p = piece(t);
    if (p == theirKing) return true;
    while (p == 0) {
      t += step;
      p = piece(t);
    }
    if ((p & COLOUR) == by && slides(p & TYPE, d)) return true;
  }
  const knight = by | KNIGHT;
  for (let d: u32 = 0; d < 8; d++) if (piece(q + <u32>load<i8>(JUMPS + d)) == knight) return true;
  const pawn = by | PAWN;
  const back: u32 = by == WHITE ? -16 : 16;
  return piece(q + back - 1) == pawn || piece(q + back + 1) == pawn;
}

function slides(type: u32, d: u32): bool {
  return type == QUEEN || type == (d < 4 ? ROOK : BISHOP);
}

/** Finds checks and pins for the side to move. Before `moves`. */
export function analyse(): void {
  memory.fill(evasion, 0, SQUARES << 1);
  checkers = 0;
  const k = king();
  const them = side ^ BLACK;
  for (let d: u32 = 0; d < 8; d++) {
    const step = <u32>load<i8>(STEPS + d);
    let t = k + step;
    while (piece(t) == 0) t += step;
    let p = piece(t);
    if ((p & COLOUR) == side) {
      const shield = t;
      t += step;
      while (piece(t) == 0) t += step;
      p = piece(t);
      if ((p & COLOUR) == them && slides(p & TYPE, d)) store<u8>(pins + shield, <u8>step);
    } else if ((p & COLOUR) == them && slides(p & TYPE, d)) {
      checkers++;
      for (; t != k; t -= step) store<u8>(evasion + t, 1);
    }
  }
  const knight = them | KNIGHT;
  for (let d: u32 = 0; d < 8; d++) {
    const t = k + <u32>load<i8>(JUMPS + d);
    if (piece(t) == knight) checkedFrom(t);
  }
  const pawn = them | PAWN;
  const ahead: u32 = side == WHITE ? 16 : -16;
  if (piece(k + ahead - 1) == pawn) checkedFrom(k + ahead - 1);
  if (piece(k + ahead + 1) == pawn) checkedFrom(k + ahead + 1);
}

function checkedFrom(t: u32): void {
  checkers++;
  store<u8>(evasion + t, 1);
}

export function inCheck(): bool {
  return checkers != 0;
}

let found: u32 = 0;

/** Target k of the last `moves`. */
export function target(k: u32): u32 {
  return load<u8>(list + k);
}

/** Notes a target if it ends the check, when there is one. */
function to(t: u32): void {
  if (checkers == 0 || load<u8>(evasion + t) != 0) reach(t);
}

function reach(t: u32): void {
  store<u8>(list + found, <u8>t);
  found++;
}

/** Finds the legal targets of the piece on a square; gives how many. Promotions count once. */
export function moves(q: u32): u32 {
  found = 0;
  const p = piece(q);
  if (p == 0 || (p & COLOUR) != side) return 0;
  const type = p & TYPE;
  if (type == KING) {
    kingMoves(q);
  } else if (checkers < 2) {
    if (type == PAWN) pawnMoves(q);
    else if (type == KNIGHT) knightMoves(q);
    else slide(q, type == BISHOP ? 4 : 0, type == ROOK ? 4 : 8);
  }
  return found;
}

/** The square can be moved to: it is empty or holds one of theirs. */
function open(v: u32): bool {
  return v == 0 || (v & COLOUR) == (side ^ BLACK);
}

function pinned(q: u32): u32 {
  return <u32>load<i8>(pins + q);
}

/** A pinned piece may only move along its pin. */
function free(pin: u32, step: u32): bool {
  return pin == 0 || pin == step || pin == -step;
}

function knightMoves(q: u32): void {
  if (pinned(q) != 0) return;
  for (let d: u32 = 0; d < 8; d++) {
    const t = q + <u32>load<i8>(JUMPS + d);
    if (open(piece(t))) to(t);
  }
}

function slide(q: u32, from: u32, end: u32): void {
  const pin = pinned(q);
  for (let d = from; d < end; d++) {
    const step = <u32>load<i8>(STEPS + d);
    if (!free(pin, step)) continue;
    let t = q + step;
    while (piece(t) == 0) {
      to(t);
      t += step;
    }
    if (open(piece(t))) to(t);
  }
}

function kingMoves(q: u32): void {
  const them = side ^ BLACK;
  const own = piece(q);
  store<u8>(board + q, 0); // it does not hide what lies behind it
  for (let d: u32 = 0; d < 8; d++) {
    const t = q + <u32>load<i8>(STEPS + d);
    if (open(piece(t)) && !attacked(t, them)) reach(t);
  }
  store<u8>(board + q, <u8>own);
  if (checkers != 0) return;
  const rights = side == WHITE ? castling : castling >> 2;
  if (rights & KINGSIDE && piece(q + 1) == 0 && piece(q + 2) == 0 && !attacked(q + 1, them) && !attacked(q + 2, them)) reach(q + 2);
  if (rights & QUEENSIDE && piece(q - 1) == 0 && piece(q - 2) == 0 && piece(q - 3) == 0 && !attacked(q - 1, them) && !attacked(q - 2, them)) reach(q - 2);
}

function pawnMoves(q: u32): void {
  const pin = pinned(q);
  const ahead: u32 = side == WHITE ? 16 : -16;
  if (piece(q + ahead) == 0 && free(pin, ahead)) {
    to(q + ahead);
    const home: u32 = side == WHITE ? 3 : 8;
    if (q >> 4 == home && piece(q + 2 * ahead) == 0) to(q + 2 * ahead);
  }
  capture(q, pin, ahead - 1);
  capture(q, pin, ahead + 1);
}

function capture(q: u32, pin: u32, step: u32): void {
  const t = q + step;
  const v = piece(t);
  if (v == 0) {
    if (t == passed && enPassant(q, t)) reach(t);
  } else if ((v & COLOUR) == (side ^ BLACK) && free(pin, step)) {
    to(t);
  }
}

/** Two pawns leave a rank at once, so this move is tried. */
function enPassant(q: u32, t: u32): bool {
  const them = side ^ BLACK;
  const victim = t + (side == WHITE ? -16 : 16);
  store<u8>(board + q, 0);
  store<u8>(board + victim, 0);
  store<u8>(board + t, <u8>(side | PAWN));
  const ok = !attacked(king(), them);
  store<u8>(board + q, <u8>(side | PAWN));
  store<u8>(board + victim, <u8>(them | PAWN));
  store<u8>(board + t, 0);
  return ok;
}

/** The side to move has a legal move. After `analyse`. */
export function canMove(): bool {
  if (moves(king()) != 0) return true;
  for (let q = FIRST; q < FIRST + 8 * ROW; q = (q & 15) == 11 ? q + 9 : q + 1) if (moves(q) != 0) return true;
  return false;
}

/** A pawn that moves to the square must be promoted. */
export function promotes(from: u32, to: u32): bool {
  return (piece(from) & TYPE) == PAWN && (to >> 4 == 2 || to >> 4 == 9);
}

/** Rights that are lost when a piece leaves or reaches the square. */
function lost(q: u32): u32 {
  switch (q) {
    case 40: return 3;
    case 36: return 2;
    case 43: return 1;
    case 152: return 12;
    case 148: return 8;
    case 155: return 4;
  }
  return 0;
}

/** Makes a legal move; `into` is the piece that a pawn becomes, or 0. True when it cannot be undone: a pawn's move or a capture. */
export function make(from: u32, to: u32, into: u32): bool {
  const p = piece(from);
  const type = p & TYPE;
  let final = piece(to) != 0 || type == PAWN;
  store<u8>(board + from, 0);
  store<u8>(board + to, <u8>(into != 0 ? side | into : p));
  const ahead: u32 = side == WHITE ? 16 : -16;
  if (type == PAWN && to == passed && passed != 0) store<u8>(board + to - ahead, 0);
  passed = type == PAWN && to == from + 2 * ahead ? from + ahead : 0;
  castling &= ~(lost(from) | lost(to));
  if (type == KING) {
    if (side == WHITE) whiteKing = to;
    else blackKing = to;
    if (to == from + 2) shift(from + 3, from + 1);
    else if (to == from - 2) shift(from - 4, from - 1);
  }
  side ^= BLACK;
  return final;
}

function shift(from: u32, to: u32): void {
  store<u8>(board + to, <u8>piece(from));
  store<u8>(board + from, 0);
}

/** Forgets the passed square when no pawn can capture there, so that equal positions have equal bytes. After `analyse`. */
export function keepPassed(): void {
  if (passed == 0) return;
  const pawn = side | PAWN;
  const back: u32 = side == WHITE ? -16 : 16;
  for (let dx: u32 = -1; ; dx += 2) {
    const q = passed + back + dx;
    if (piece(q) == pawn && enPassant(q, passed)) return;
    if (dx == 1) break;
  }
  passed = 0;
}

/** Neither side can ever give mate: kings, and one knight, or bishops of one colour of squares. */
export function dead(): bool {
  let knights: u32 = 0;
  let bishops: u32 = 0; // bits: on dark, on light squares
  for (let q = FIRST; q < FIRST + 8 * ROW; q = (q & 15) == 11 ? q + 9 : q + 1) {
    const p = piece(q);
    if (p == 0) continue;
    const type = p & TYPE;
    if (type == KING) continue;
    if (type == KNIGHT) knights++;
    else if (type == BISHOP) bishops |= 1 << (((q >> 4) + q) & 1);
    else return false;
    if (knights > 1 || (knights == 1 && bishops != 0) || bishops == 3) return false;
  }
  return true;
}

/** A side has nothing but its king. */
export function bare(colour: u32): bool {
  for (let q = FIRST; q < FIRST + 8 * ROW; q = (q & 15) == 11 ? q + 9 : q + 1) {
    const p = piece(q);
    if (p != 0 && (p & COLOUR) == colour && (p & TYPE) != KING) return false;
  }
  return true;
}

/** Counts the leaves of the tree of legal moves. For tests: known for many positions. */
export function perft(depth: u32): u64 {
  analyse();
  const frame = allocate(SQUARES + 64);
  memory.copy(frame, board, SQUARES);
  const side_ = side;
  const castling_ = castling;
  const passed_ = passed;
  const whiteKing_ = whiteKing;
  const blackKing_ = blackKing;
  let leaves: u64 = 0;
  for (let q = FIRST; q < FIRST + 8 * ROW; q = (q & 15) == 11 ? q + 9 : q + 1) {
    const n = moves(q);
    if (n == 0) continue;
    memory.copy(frame + SQUARES, list, n);
    for (let k: u32 = 0; k < n; k++) {
      const t = <u32>load<u8>(frame + SQUARES + k);
      const promoted = promotes(q, t);
      if (depth == 1) {
        leaves += promoted ? 4 : 1;
        continue;
      }
      for (let into: u32 = promoted ? KNIGHT : 0; ; into++) {
        make(q, t, into);
        leaves += perft(depth - 1);
        memory.copy(board, frame, SQUARES);
        side = side_;
        castling = castling_;
        passed = passed_;
        whiteKing = whiteKing_;
        blackKing = blackKing_;
        if (!promoted || into == QUEEN) break;
      }
    }
    analyse();
  }
  heap.free(frame);
  return leaves;
}
