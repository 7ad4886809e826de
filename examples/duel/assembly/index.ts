// The duel: a module of a channel. Rules and layout are in ../README.md.

import { Pool, precedes } from "../../raid/assembly/channel/dice";
import { allocate as heapAllocate, bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { Call, EVENT, TOP_UP, openTerminal } from "../../internal/assembly/call";
import { Opening } from "../../internal/assembly/genesis";
import { Records } from "../../internal/assembly/records";
import { takeAll } from "../../internal/assembly/stakes";
import { OVER, end, outcome, owes, paid, pending, phase, setPending, setPhase, setSilent } from "../../internal/assembly/state";
import { change } from "./elo";
import {
  Action, Outcome, Phase, REST, VERSION, dealt, key, round, seed, setHeroClass, setHp, setMaxRounds, setRating, setStake,
} from "./layout";
import { maxHp, resolve } from "./rules";

const BOTH: u32 = 3;
const MAX_ROUNDS: u32 = 48;
const MAX_STAKE: u32 = 64;
const MAX_RATING: u32 = 4000;
const SHAPE = "the configuration is {rounds, k, fighters}";

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

/** The configuration is {rounds, k, fighters: [[class, rating], [class, rating]]}, in this order. */
export function init(ptr: u32, len: u32): u64 {
  const opening = new Opening(ptr, len, 2, 2, 256);
  const config = opening.config;
  if (config.map(3) != 3) bail(SHAPE);
  named(config, "rounds");
  const rounds = config.uint(MAX_ROUNDS);
  if (rounds == 0) bail("rounds is 1 to 48");
  setMaxRounds(rounds);
  named(config, "k");
  setStake(config.uint(MAX_STAKE));
  named(config, "fighters");
  if (config.array(2) != 2) bail("there are two fighters");
  for (let i: u32 = 0; i < 2; i++) {
    if (config.array(2) != 2) bail("a fighter is [class, rating]");
    setHeroClass(i, config.uint(3));
    setHp(i, maxHp(i));
    setRating(i, config.uint(MAX_RATING));
  }
  config.done();
  setPending(BOTH);
  return opening.answer(VERSION, REST);
}

function named(config: MsgPackReader, name: string): void {
  config.string();
  if (!config.is(name)) bail(SHAPE);
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const call = new Call(VERSION, statePtr, stateLen, eventPtr, eventLen);
  const begun = phase() != Phase.Hide || round() != 0;
  if (call.kind == EVENT) {
    play(call);
  } else if (call.kind == TOP_UP) {
    if (begun) bail("the duel has begun; stakes are fixed");
    call.funds.check(2);
  } else if (!begun) {
    end(Outcome.CalledOff);
  } else {
    const quiet = pending();
    setSilent(quiet);
    end(quiet == BOTH ? Outcome.Drawn : Outcome.Won0 + (1 - ctz(quiet)));
  }
  if (phase() == OVER && outcome() < Outcome.Drawn) takeAll(call.funds, outcome() - Outcome.Won0);
  return call.answer();
}

/** {hide: bytes32}, {key: bytes32} or {yield: 1}. */
function play(call: Call): void {
  const reader = new MsgPackReader(call.payload, call.end);
  const author = call.author;
  if (reader.map(1) != 1) bail("a move is {hide}, {key} or {yield}");
  reader.string();
  if (reader.is("yield")) {
    if (reader.uint(1) != 1) bail("to yield is {yield: 1}");
    reader.done();
    end(Outcome.Won0 + (1 - author));
  } else if (reader.is("hide")) {
    const hidden = reader.bytes32();
    reader.done();
    if (phase() != Phase.Hide) bail("both have chosen; open what you hid");
    owes(author);
    memory.copy(key(author), hidden, 32);
    if (paid(author)) next(Phase.Open);
  } else if (reader.is("key")) {
    const shown = reader.bytes32();
    reader.done();
    if (phase() != Phase.Open) bail("first both hide their action");
    owes(author);
    if (!precedes(author, shown, key(author))) bail("this key does not open what you hid");
    if (<u32>load<u8>(shown, 31) > Action.Focus) bail("an action is 0 strike, 1 guard, 2 feint or 3 focus");
    memory.copy(key(author), shown, 32);
    if (!paid(author)) return;
    const pool = new Pool(2);
    pool.add(key(0));
    pool.add(key(1));
    pool.seed(round(), seed());
    resolve();
    if (phase() != OVER) next(Phase.Hide);
  } else {
    bail("a move is {hide}, {key} or {yield}");
  }
}

function next(p: u32): void {
  setPhase(p);
  setPending(BOTH);
}

// Fields of DuelRanking.
const RATING: u32 = 0;
const DUELS: u32 = 1;
const WON: u32 = 2; // LOST 3, DRAWN 4
const DEALT: u32 = 5;

export function effects(statePtr: u32, stateLen: u32): u64 {
  openTerminal(VERSION, statePtr, stateLen);
  const records = new Records(8);
  const how = outcome();
  if (how != 0 && how != Outcome.CalledOff) {
    const delta = change();
    for (let i: u32 = 0; i < 2; i++) {
      records.add("DuelRanking", i, 0, RATING, i == 0 ? delta : -delta);
      records.add("DuelRanking", i, 0, DUELS, 1);
      records.add("DuelRanking", i, 0, how == Outcome.Drawn ? WON + 2 : how == Outcome.Won0 + i ? WON : WON + 1, 1);
      records.add("DuelRanking", i, 0, DEALT, dealt(i));
    }
  }
  return records.answer();
}
