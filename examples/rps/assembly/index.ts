// Rock, paper, scissors, best of n: a module of a channel. Rules and layout are in ../README.md.

import { precedes } from "../../raid/assembly/channel/dice";
import { allocate as heapAllocate, bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { Call, EVENT, TOP_UP, openTerminal } from "../../internal/assembly/call";
import { Opening } from "../../internal/assembly/genesis";
import { Records } from "../../internal/assembly/records";
import { takeAll } from "../../internal/assembly/stakes";
import {
  OVER, end, field, outcome, owes, own, pending, phase, setField, setPending, setPhase, setSilent, silent,
} from "../../internal/assembly/state";

const VERSION: u32 = 0x21;
/** The game's own bytes: the leader's commitment. */
const REST: u32 = 32;

// Phases: the leader hides, the other answers, the leader opens.
const HIDE: u32 = 0;
const ANSWER: u32 = 1;
const OPEN: u32 = 2;

// Outcomes.
const WON_BY_0: u32 = 1; // WON_BY_0 + seat
const DRAWN: u32 = 3;
const CALLED_OFF: u32 = 4;

// Bytes of the head.
const BEST_OF: u32 = 0;
const ROUND: u32 = 1; // from 0
const WINS: u32 = 2; // WINS + seat
const HAND: u32 = 4; // the answer of this round
const LAST: u32 = 5; // LAST + seat: hand of the last round, 1 + rock, paper, scissors

const MAX_BEST_OF: u32 = 9;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

/** The configuration is {bestOf}. */
export function init(ptr: u32, len: u32): u64 {
  const opening = new Opening(ptr, len, 2, 2, 160);
  const config = opening.config;
  if (config.map(1) != 1) bail("the configuration is {bestOf}");
  config.string();
  if (!config.is("bestOf")) bail("the configuration is {bestOf}");
  const n = config.uint(MAX_BEST_OF);
  if ((n & 1) == 0) bail("bestOf is 1, 3, 5, 7 or 9");
  config.done();
  setField(BEST_OF, n);
  setPending(1);
  return opening.answer(VERSION, REST);
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const call = new Call(VERSION, statePtr, stateLen, eventPtr, eventLen);
  if (call.kind == EVENT) {
    play(call);
  } else if (call.kind == TOP_UP) {
    if (phase() != HIDE || field(ROUND) != 0) bail("the match has begun; stakes are fixed");
    call.funds.check(2);
  } else if (phase() == HIDE && field(ROUND) == 0) {
    end(CALLED_OFF);
  } else {
    setSilent(pending());
    end(WON_BY_0 + (1 - ctz(pending())));
  }
  if (phase() == OVER && outcome() < DRAWN) takeAll(call.funds, outcome() - WON_BY_0);
  return call.answer();
}

export function effects(statePtr: u32, stateLen: u32): u64 {
  openTerminal(VERSION, statePtr, stateLen);
  const records = new Records(8);
  const how = outcome();
  if (how != 0 && how != CALLED_OFF) {
    for (let i: u32 = 0; i < 2; i++) {
      records.add("RpsRanking", i, 0, 0, 1);
      records.add("RpsRanking", i, 0, how == DRAWN ? 3 : how - WON_BY_0 == i ? 1 : 2, 1);
      records.add("RpsRanking", i, 0, 4, field(WINS + i));
    }
  }
  return records.answer();
}

/** {hide: bytes32}, {hand: 0..2} or {key: bytes32}, by the phase. */
function play(call: Call): void {
  const reader = new MsgPackReader(call.payload, call.end);
  if (reader.map(1) != 1) bail("a move is {hide}, {hand} or {key}");
  reader.string();
  let verb: u32 = 0;
  if (reader.is("hide")) verb = HIDE;
  else if (reader.is("hand")) verb = ANSWER;
  else if (reader.is("key")) verb = OPEN;
  else bail("a move is {hide}, {hand} or {key}");
  const hand = verb == ANSWER ? reader.uint(0xff) : 0;
  const bytes = verb != ANSWER ? reader.bytes32() : 0;
  reader.done();
  owes(call.author);
  if (verb != phase()) bail(phase() == HIDE ? "hide your hand first" : phase() == ANSWER ? "answer with your hand" : "open what you hid");
  if (verb == HIDE) {
    memory.copy(own(), bytes, 32);
  } else if (verb == ANSWER) {
    if (hand > 2) bail("a hand is 0 rock, 1 paper or 2 scissors");
    setField(HAND, hand);
  } else {
    if (!precedes(call.author, bytes, own())) bail("this key does not open what you hid");
    const shown = <u32>load<u8>(bytes, 31);
    if (shown > 2) bail("a hand is 0 rock, 1 paper or 2 scissors");
    score(call.author, shown, field(HAND));
    return;
  }
  setPhase(verb + 1);
  setPending(3 ^ pending());
}

/** The round's leader showed `a`, the other `b`. */
function score(leader: u32, a: u32, b: u32): void {
  setField(LAST + leader, a + 1);
  setField(LAST + 1 - leader, b + 1);
  memory.fill(own(), 0, 32);
  if (a != b) {
    const winner = (a + 3 - b) % 3 == 1 ? leader : 1 - leader;
    setField(WINS + winner, field(WINS + winner) + 1);
  }
  const round = field(ROUND) + 1;
  setField(ROUND, round);
  const w0 = field(WINS);
  const w1 = field(WINS + 1);
  const need = (field(BEST_OF) >> 1) + 1;
  if (w0 >= need || w1 >= need || round == 3 * field(BEST_OF) + 2) {
    end(w0 == w1 ? DRAWN : WON_BY_0 + u32(w1 > w0));
  } else {
    setPhase(HIDE);
    setPending(1 << (round & 1));
  }
}
