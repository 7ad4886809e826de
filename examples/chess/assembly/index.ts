// Chess: a module of a channel. Rules and layout are in ../README.md.

import { allocate as heapAllocate, bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { Call, EVENT, TOP_UP, openTerminal } from "../../internal/assembly/call";
import { Records } from "../../internal/assembly/records";
import { takeAll } from "../../internal/assembly/stakes";
import { OVER, end, outcome, owes, phase, setSilent } from "../../internal/assembly/state";
import * as B from "./board";
import { claim, drawn, fallen, flagFell, move, setUp, spend, won } from "./game";
import { genesis } from "./genesis";
import { Outcome, Reason, VERSION, offer, plies, setOffer, turn } from "./layout";

const MOVES = "an event is {move}, {move, draw}, {accept}, {claim}, {flag} or {resign}";

// The fields of a payload.
const MOVE: u32 = 1;
const DRAW: u32 = 2;
const ACCEPT: u32 = 4;
const CLAIM: u32 = 8;
const FLAG: u32 = 16;
const RESIGN: u32 = 32;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

export function init(ptr: u32, len: u32): u64 {
  return genesis(ptr, len);
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const call = new Call(VERSION, statePtr, stateLen, eventPtr, eventLen);
  if (call.kind == EVENT) {
    play(call);
  } else if (call.kind == TOP_UP) {
    if (plies() != 0) bail("the game has begun; stakes are fixed");
    call.funds.check(2);
  } else if (plies() < 2) {
    end(Outcome.CalledOff);
  } else {
    setSilent(1 << turn());
    won(1 - turn(), Reason.Silence);
  }
  if (phase() == OVER && outcome() < Outcome.Drawn) takeAll(call.funds, outcome() - Outcome.Won);
  return call.answer();
}

export function effects(statePtr: u32, stateLen: u32): u64 {
  openTerminal(VERSION, statePtr, stateLen);
  const records = new Records(8);
  const how = outcome();
  if (how != 0 && how != Outcome.CalledOff) {
    for (let i: u32 = 0; i < 2; i++) {
      records.add("ChessRecord", i, 0, 0, 1);
      records.add("ChessRecord", i, 0, how == Outcome.Drawn ? 3 : how == Outcome.Won + i ? 1 : 2, 1);
    }
  }
  return records.answer();
}

/** For tests: how many leaves the tree of legal moves of a State has at a depth. */
export function perft(statePtr: u32, stateLen: u32, depth: u32): u64 {
  openTerminal(VERSION, statePtr, stateLen);
  setUp();
  return B.perft(depth);
}

function play(call: Call): void {
  const reader = new MsgPackReader(call.payload, call.end);
  let fields: u32 = 0;
  let text: usize = 0;
  let size: u32 = 0;
  for (let n = reader.map(2); n > 0; n--) {
    reader.string();
    let f: u32 = 0;
    if (reader.is("move")) f = MOVE;
    else if (reader.is("draw")) f = DRAW;
    else if (reader.is("accept")) f = ACCEPT;
    else if (reader.is("claim")) f = CLAIM;
    else if (reader.is("flag")) f = FLAG;
    else if (reader.is("resign")) f = RESIGN;
    else bail(MOVES);
    if (fields & f) bail("a field appears twice");
    fields |= f;
    if (f == MOVE) {
      reader.string();
      text = reader.start;
      size = reader.length;
    } else if (reader.uint(1) != 1) {
      bail("this field is 1 or not there");
    }
  }
  reader.done();
  const seat = call.author;
  if (fields == RESIGN) {
    won(1 - seat, Reason.Resigned);
  } else if (fields == FLAG) {
    if (seat == turn()) bail("your own clock runs; move or resign");
    if (!fallen(call.time)) bail("the flag has not fallen");
    flagFell();
  } else if (fields == ACCEPT) {
    if (offer() != 2 - seat) bail("the other has not offered a draw");
    drawn(Reason.Agreed);
  } else if (fields == CLAIM) {
    owes(seat);
    claim();
  } else if (fields == MOVE || fields == (MOVE | DRAW)) {
    owes(seat);
    if (size != 4 && size != 5) bail("a move is from and to, as e2e4, and perhaps q, r, b or n");
    const from = square(text);
    const to = square(text + 2);
    const into = size == 5 ? promotion(load<u8>(text, 4)) : 0;
    if (fallen(call.time)) {
      flagFell();
      return;
    }
    spend(call.time);
    setUp();
    move(from, to, into);
    setOffer(fields & DRAW ? 1 + seat : 0);
  } else {
    bail(MOVES);
  }
}

function square(at: usize): u32 {
  const file = <u32>load<u8>(at) - 0x61;
  const rank = <u32>load<u8>(at, 1) - 0x31;
  if (file > 7 || rank > 7) bail("a square is a1 to h8");
  return (rank << 3) | file;
}

function promotion(letter: u32): u32 {
  if (letter == 0x71) return B.QUEEN;
  if (letter == 0x72) return B.ROOK;
  if (letter == 0x62) return B.BISHOP;
  if (letter != 0x6e) bail("a pawn becomes q, r, b or n");
  return B.KNIGHT;
}
