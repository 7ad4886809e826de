// The first state: {base, increment}, or {base, increment, start: [squares, turn, rights, passed, halfmoves]}, in this order.

import { bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { Opening } from "../../internal/assembly/genesis";
import { OVER, phase } from "../../internal/assembly/state";
import * as B from "./board";
import { settle, setUp } from "./game";
import {
  REST, VERSION, setBaseTime, setClock, setHalfmoves, setIncrement, setKing, setPassedOver, setRights, setTurn, squares, passedOver,
  rights, turn,
} from "./layout";

const MAX_BASE: u32 = 864000;
const MAX_INCREMENT: u32 = 3600;
const SHAPE = "the configuration is {base, increment} and perhaps start";
// @ts-ignore: memory.data is the compiler's
const HOME = memory.data<u8>([4, 2, 3, 5, 6, 3, 2, 4]);

export function genesis(ptr: usize, len: u32): u64 {
  const opening = new Opening(ptr, len, 2, 2, 32 + 40 + REST + 2);
  const config = opening.config;
  const keys = config.map(3);
  if (keys < 2) bail(SHAPE);
  named(config, "base");
  const base = config.uint(MAX_BASE);
  named(config, "increment");
  const increment = config.uint(MAX_INCREMENT);
  setBaseTime(base);
  setIncrement(increment);
  setClock(0, base);
  setClock(1, base);
  let half: u32 = 0;
  if (keys == 3) {
    named(config, "start");
    half = start(config);
  } else {
    usual();
  }
  config.done();
  place();
  setUp();
  const ep = passedOver();
  settle(true); // counts the position as seen once
  setHalfmoves(half);
  if (phase() == OVER) bail("the start position is decided already");
  if (passedOver() != ep) bail("no pawn can capture on the passed square");
  return opening.answer(VERSION, REST);
}

function named(config: MsgPackReader, name: string): void {
  config.string();
  if (!config.is(name)) bail(SHAPE);
}

function usual(): void {
  const at = squares();
  for (let f: u32 = 0; f < 8; f++) {
    const p = load<u8>(HOME + f);
    store<u8>(at + f, p);
    store<u8>(at + f, 1, 8);
    store<u8>(at + f, 9, 48);
    store<u8>(at + f, p | 8, 56);
  }
  setRights(15);
}

/** Squares are 32 bytes: two of them in each, the lower half first. Gives the half-moves. */
function start(config: MsgPackReader): u32 {
  if (config.array(5) != 5) bail("start is [squares, turn, rights, passed, halfmoves]");
  const packed = config.bytes32();
  for (let k: u32 = 0; k < 32; k++) {
    const two = <u32>load<u8>(packed + k);
    store<u8>(squares() + (k << 1), <u8>(two & 15));
    store<u8>(squares() + (k << 1), <u8>(two >> 4), 1);
  }
  setTurn(config.uint(1));
  setRights(config.uint(15));
  setPassedOver(config.uint(64));
  return config.uint(99);
}

/** Finds the kings; refuses what cannot be on a board. */
function place(): void {
  const at = squares();
  let kings: u32 = 0;
  let men: u32 = 0; // white's in the low half, black's in the high half
  for (let s: u32 = 0; s < 64; s++) {
    const p = <u32>load<u8>(at + s);
    if (p == 0) continue;
    const type = p & 7;
    const seat = p >> 3;
    if (type == 0 || type > B.KING) bail("there is no such piece");
    if (type == B.PAWN && (s < 8 || s >= 56)) bail("a pawn stands on the first or last rank");
    men += 1 << (seat << 4);
    if (type == B.KING) {
      if (kings & (1 << seat)) bail("each side has one king");
      kings |= 1 << seat;
      setKing(seat, s);
    }
  }
  if (kings != 3) bail("each side has one king");
  if ((men & 0xffff) > 16 || men >> 16 > 16) bail("a side has at most sixteen pieces");
  const r = rights();
  if ((r & 3 && !is(4, 6)) || (r & 1 && !is(7, 4)) || (r & 2 && !is(0, 4))
    || (r & 12 && !is(60, 14)) || (r & 4 && !is(63, 12)) || (r & 8 && !is(56, 12))) bail("castling needs king and rook at home");
  const ep = passedOver();
  if (ep != 0) {
    const s = ep - 1;
    const white = turn() == 0;
    const row: u32 = white ? 5 : 2;
    const victim = white ? s - 8 : s + 8;
    const origin = white ? s + 8 : s - 8;
    if (s >> 3 != row || !is(s, 0) || !is(origin, 0) || !is(victim, white ? 9 : 1)) bail("no pawn has passed over this square");
  }
  setUp();
  const them = turn() == 0 ? B.blackKing : B.whiteKing;
  if (B.attacked(them, turn() << 3)) bail("who is not to move is in check");
}

function is(s: u32, p: u32): bool {
  return <u32>load<u8>(squares() + s) == p;
}
