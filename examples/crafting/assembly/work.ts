// What crafters and the workshop may do. Items only ever move: from a crafter into a craft and back, from one crafter to
// another, and out of a finished craft.

import { Pool, precedes } from "../../raid/assembly/channel/dice";
import { Funds, CELL, half, move, moveAll, split, zeros } from "../../raid/assembly/channel/funds";
import { allocate, bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { end, phase, seats, setPending, setPhase, setSilent } from "../../internal/assembly/state";
import {
  Outcome, Phase, busy, count, crafts, done, fee, fineAt, gifts, ingredient, items, link, masterAt, needed, product, recipes, rolls, salt,
  setBusy, setCount, setCrafts, setDone, setGifts, setUsed, used, workshop,
} from "./layout";

const MAX_GIVEN: u32 = 1000000;
/** So that nobody authors more events than the manifest's maxEvents: 120 crafts, 120 gifts, done. */
const MAX_GIFTS: u32 = 120;
/** Fees are in units of 10^9 of the first asset: gwei of a coin. */
const FEE_UNIT: u64 = 1000000000;
const MOVES = "a move is {tip}, {link}, {craft, salt}, {give, count, to} or {done}";

// The fields of a payload.
const TIP: u32 = 1;
const LINK: u32 = 2;
const CRAFT: u32 = 4;
const SALT: u32 = 8;
const GIVE: u32 = 16;
const COUNT: u32 = 32;
const TO: u32 = 64;
const DONE: u32 = 128;

export function play(author: u32, payload: usize, end_: usize, funds: Funds): void {
  const reader = new MsgPackReader(payload, end_);
  let fields: u32 = 0;
  let bytes: usize = 0;
  let what: u32 = 0;
  let howMany: u32 = 0;
  let to: u32 = 0;
  for (let n = reader.map(3); n > 0; n--) {
    reader.string();
    let f: u32 = 0;
    if (reader.is("tip")) f = TIP;
    else if (reader.is("link")) f = LINK;
    else if (reader.is("craft")) f = CRAFT;
    else if (reader.is("salt")) f = SALT;
    else if (reader.is("give")) f = GIVE;
    else if (reader.is("count")) f = COUNT;
    else if (reader.is("to")) f = TO;
    else if (reader.is("done")) f = DONE;
    else bail(MOVES);
    if (fields & f) bail("a field appears twice");
    fields |= f;
    if (f & (TIP | LINK | SALT)) bytes = reader.bytes32();
    else if (f == COUNT) howMany = reader.uint(MAX_GIVEN);
    else if (f == TO) to = reader.uint(0xff);
    else what = reader.uint(0xff);
  }
  reader.done();
  if (fields == TIP || fields == LINK) {
    if (author != workshop()) bail("only the workshop shows its chain");
    if (fields == TIP) openWorkshop(bytes);
    else showLink(author, bytes, funds);
    return;
  }
  if (fields != (CRAFT | SALT) && fields != (GIVE | COUNT | TO) && fields != DONE) bail(MOVES);
  if (author == workshop()) bail("the workshop does not craft, it only shows its chain");
  if (phase() == Phase.Open) bail("wait for the workshop to open");
  if (done() & (1 << author)) bail("you have finished");
  if (fields == DONE) finish(author, what);
  else if (fields & GIVE) give(author, what, howMany, to);
  else craft(author, what, bytes, funds);
}

function openWorkshop(tip: usize): void {
  if (phase() != Phase.Open) bail("the workshop is open already");
  memory.copy(link(), tip, 32);
  setPhase(Phase.Work);
  setPending(0);
}

function craft(author: u32, r: u32, bytes: usize, funds: Funds): void {
  if (r >= recipes()) bail("there is no such recipe");
  if (busy(author) != 0) bail("your bench is busy; wait for the workshop");
  if (used() == rolls()) bail("the workshop has no rolls left");
  for (let k: u32 = 0; k < 3; k++) {
    if (needed(r, k) != 0 && count(author, ingredient(r, k)) < needed(r, k)) bail("you lack an ingredient");
  }
  if (fee(r) != 0 && !canPay(author, r, funds)) bail("your stake does not cover the fee");
  for (let k: u32 = 0; k < 3; k++) take(author, r, k, false);
  memory.copy(salt(author), bytes, 32);
  setBusy(author, r + 1);
  setPending(1 << workshop());
}

/** An ingredient goes into the craft, or back. */
function take(author: u32, r: u32, k: u32, back: bool): void {
  const n = needed(r, k);
  if (n == 0) return;
  const item = ingredient(r, k);
  setCount(author, item, back ? count(author, item) + n : count(author, item) - n);
}

function price(r: u32): u64 {
  return <u64>fee(r) * FEE_UNIT;
}

/** The fee is paid when the craft is finished; a bench has one craft at a time, so the stake is still there then. */
function canPay(author: u32, r: u32, funds: Funds): bool {
  if (funds.assets == 0) return false;
  const n = seats();
  const cells = zeros(n);
  funds.unpack(0, n, cells);
  const cell = cells + author * CELL;
  return load<u64>(cell, 8) != 0 || load<u64>(cell) >= price(r);
}

function give(author: u32, item: u32, n: u32, to: u32): void {
  if (item == 0 || item > items()) bail("there is no such item");
  if (to >= seats() || to == author || to == workshop()) bail("to is the seat of another crafter");
  if (n == 0 || count(author, item) < n) bail("you do not have so many");
  if (gifts(author) == MAX_GIFTS) bail("you have given 120 times, that is all");
  setGifts(author, gifts(author) + 1);
  setCount(author, item, count(author, item) - n);
  setCount(to, item, count(to, item) + n);
}

function finish(author: u32, what: u32): void {
  if (what != 1) bail("to finish is {done: 1}");
  if (busy(author) != 0) bail("your bench is busy; wait for the workshop");
  setDone(done() | (1 << author));
  if (done() == crafters()) end(Outcome.Closed);
}

function crafters(): u32 {
  return ((1 << seats()) - 1) & ~(1 << workshop());
}

/** Finishes every craft in progress: its roll comes from the workshop's link and the crafter's salt. */
function showLink(author: u32, bytes: usize, funds: Funds): void {
  if (phase() == Phase.Open) bail("open the workshop with {tip} first");
  const n = seats();
  let working: u32 = 0;
  for (let i: u32 = 0; i < n; i++) working += u32(busy(i) != 0);
  if (working == 0) bail("no craft waits for a roll");
  if (!precedes(author, bytes, link())) bail("this is not the next link of your chain");
  memory.copy(link(), bytes, 32);
  setUsed(used() + 1);
  setPending(0);
  const cells = zeros(n);
  if (funds.assets != 0) funds.unpack(0, n, cells);
  const hash = allocate(32);
  const sum = zeros(1);
  for (let i: u32 = 0; i < n; i++) {
    if (busy(i) == 0) continue;
    const r = busy(i) - 1;
    const pool = new Pool(2);
    pool.add(link());
    pool.add(salt(i));
    pool.seed(i, hash);
    const roll = load<u32>(hash) % 100 + 1;
    const item = product(r, roll >= masterAt(r) ? 2 : roll >= fineAt(r) ? 1 : 0);
    if (item != 0) setCount(i, item, count(i, item) + 1);
    setCrafts(i, crafts(i) + 1);
    store<u64>(sum, price(r));
    move(cells + i * CELL, cells + workshop() * CELL, sum);
    clear(i);
  }
  if (funds.assets != 0) funds.pack(0, n, cells);
}

function clear(i: u32): void {
  setBusy(i, 0);
  memory.fill(salt(i), 0, 32);
}

/**
 * Nobody moved in time. If crafts wait for the workshop, their ingredients go back and half of the workshop's stake, in each
 * asset, goes to those who waited, in equal parts, what does not divide to the first. Otherwise the session ends as it is.
 */
export function timeout(funds: Funds): void {
  if (phase() == Phase.Open) {
    setSilent(1 << workshop());
    end(Outcome.CalledOff);
    return;
  }
  const n = seats();
  const weights = allocate(n << 2);
  let waiting: u32 = 0;
  let first: u32 = 0;
  for (let i: u32 = n; i-- > 0; ) {
    store<u32>(weights + (i << 2), u32(busy(i) != 0));
    if (busy(i) == 0) continue;
    for (let k: u32 = 0; k < 3; k++) take(i, busy(i) - 1, k, true);
    clear(i);
    waiting++;
    first = i;
  }
  if (waiting == 0) {
    setSilent(crafters() & ~done());
    end(Outcome.Closed);
    return;
  }
  setSilent(1 << workshop());
  end(Outcome.Abandoned);
  const cells = zeros(n);
  const pot = zeros(1);
  const part = zeros(1);
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, n, cells);
    half(cells + workshop() * CELL, part);
    move(cells + workshop() * CELL, pot, part);
    split(pot, weights, waiting, cells, n);
    moveAll(pot, cells + first * CELL);
    funds.pack(a, n, cells);
  }
}
