// What a participant may do: the payload of an event, checked against the state.

import { Pool, precedes } from "../channel/dice";
import { bail } from "../channel/host";
import { MsgPackReader } from "../channel/msgpack";
import {
  Action, Item, Pack, Phase, carried, everyone, gear, isHero, link, lives, owned, pending, phase, round, seats, seed,
  setAction, setBrought, setHeroClass, setHp, setPending, setPhase, ticketSeed,
} from "./layout";
import { maxHp, nextRound, resolve } from "./rules";

// The fields that a payload has, beside "do".
const TIP: u32 = 1;
const CLASS: u32 = 2;
const ON: u32 = 4;
const ITEM: u32 = 8;
const LINK: u32 = 16;
const BRING: u32 = 32;

/** A payload, read: a map {do, …} in any order of keys, each once, none unknown. */
class Move {
  verb: u32 = 0;
  fields: u32 = 0;
  bytes: usize = 0;
  number: u32 = 0;
  pack: u32 = 0;

  constructor(reader: MsgPackReader) {
    const n = reader.map(4);
    for (let i: u32 = 0; i < n; i++) {
      reader.string();
      if (reader.is("do")) {
        if (this.verb != 0) bail("a field appears twice");
        reader.string();
        this.verb = verbOf(reader);
      } else if (reader.is("tip")) {
        this.once(TIP);
        this.bytes = reader.bytes32();
      } else if (reader.is("class")) {
        this.once(CLASS);
        reader.string();
        this.number = classOf(reader);
      } else if (reader.is("on")) {
        this.once(ON);
        this.number = reader.uint(0xff);
      } else if (reader.is("item")) {
        this.once(ITEM);
        reader.string();
        this.number = itemOf(reader);
      } else if (reader.is("link")) {
        this.once(LINK);
        this.bytes = reader.bytes32();
      } else if (reader.is("bring")) {
        this.once(BRING);
        this.pack = packOf(reader);
      } else {
        bail("unknown field");
      }
    }
    reader.done();
    if (this.verb == 0) bail("do is commit, attack, defend, heal, use or reveal");
  }

  private once(field: u32): void {
    if (this.fields & field) bail("a field appears twice");
    this.fields |= field;
  }

  /** The payload has exactly these fields. */
  has(fields: u32): void {
    if (this.fields != fields) bail("wrong fields for this move");
  }
}

const COMMIT: u32 = 5;
const REVEAL: u32 = 6;

function verbOf(r: MsgPackReader): u32 {
  if (r.is("attack")) return Action.Attack;
  if (r.is("defend")) return Action.Defend;
  if (r.is("heal")) return Action.Heal;
  if (r.is("use")) return Action.Use;
  if (r.is("commit")) return COMMIT;
  if (r.is("reveal")) return REVEAL;
  bail("do is commit, attack, defend, heal, use or reveal");
  return 0;
}

function classOf(r: MsgPackReader): u32 {
  if (r.is("warrior")) return 1;
  if (r.is("cleric")) return 2;
  if (r.is("rogue")) return 3;
  if (r.is("mage")) return 4;
  bail("class is warrior, cleric, rogue or mage");
  return 0;
}

function itemOf(r: MsgPackReader): u32 {
  if (r.is("potion")) return Item.Potion;
  if (r.is("sword")) return Item.Sword;
  if (r.is("shield")) return Item.Shield;
  bail("item is potion, sword or shield");
  return 0;
}

/** {potion: 0..3, sword: 0..1, shield: 0..1}, each key once or not at all, as a Pack. */
function packOf(r: MsgPackReader): u32 {
  let pack: u32 = 0;
  let seen: u32 = 0;
  for (let n = r.map(Pack.Items); n > 0; n--) {
    r.string();
    const item = itemOf(r);
    if (seen & (1 << item)) bail("a field appears twice");
    seen |= 1 << item;
    pack |= Pack.bits(item, r.uint(Pack.most(item)));
  }
  return pack;
}

/** Applies the payload that seat `author` signed. */
export function play(author: u32, payload: usize, length: u32): void {
  if (author >= seats()) bail("the author has no seat");
  const move = new Move(new MsgPackReader(payload, payload + length));
  const now = phase();
  if (now == Phase.Over) bail("the raid is over");
  if (move.verb == COMMIT) {
    if (now != Phase.Commit) bail("the dice are committed already");
    owes(author);
    commit(author, move);
  } else if (move.verb == REVEAL) {
    if (now == Phase.Commit) bail("first commit to your dice");
    if (now == Phase.Act) bail("it is not yet time to reveal");
    owes(author);
    reveal(author, move);
  } else {
    if (now == Phase.Commit) bail("first commit to your dice");
    if (!isHero(author)) bail("the keeper does not fight, it only reveals");
    if (now == Phase.Reveal) bail("it is not yet time to act; reveal");
    if (!lives(author)) bail("the dead do not act, they only reveal");
    owes(author);
    choose(author, move);
  }
}

function owes(author: u32): void {
  if (!(pending() & (1 << author))) bail("you are done; wait for the others");
}

/** The seat owes nothing more in this phase. True when nobody does. */
function paid(author: u32): bool {
  setPending(pending() & ~(1 << author));
  return pending() == 0;
}

function commit(author: u32, move: Move): void {
  if (isHero(author)) {
    move.has(TIP | CLASS | (move.fields & BRING));
    bring(author, move.pack);
    setHeroClass(author, move.number);
    setHp(author, maxHp(author));
  } else {
    move.has(TIP);
  }
  memory.copy(link(author), move.bytes, 32);
  if (paid(author)) nextRound();
}

/** What the hero takes along is its owner's in the World, as far as the ticket's snapshot goes. */
function bring(author: u32, pack: u32): void {
  for (let item: u32 = 1; item <= Pack.Items; item++) {
    if (Pack.count(pack, item) > Pack.count(owned(author), item)) bail("you bring more than you owned when the ticket was bought");
  }
  setBrought(author, pack);
}

function choose(author: u32, move: Move): void {
  let target: u32 = 0;
  if (move.verb == Action.Heal) {
    move.has(ON);
    target = move.number;
    if (target >= seats() || !lives(target)) bail("only a living hero can be healed");
  } else if (move.verb == Action.Use) {
    move.has(ITEM);
    target = move.number;
    if (carried(author, target) == 0) bail("you do not carry this item");
    if (gear(author) & (1 << target)) bail("you wear one of these already");
  } else {
    move.has(0);
  }
  setAction(author, move.verb, target);
  if (paid(author)) {
    setPhase(Phase.Reveal);
    setPending(everyone());
  }
}

function reveal(author: u32, move: Move): void {
  move.has(LINK);
  if (!precedes(author, move.bytes, link(author))) bail("this is not the next link of your chain");
  memory.copy(link(author), move.bytes, 32);
  if (!paid(author)) return;
  const n = seats();
  const pool = new Pool(n + 1);
  pool.add(ticketSeed());
  for (let i: u32 = 0; i < n; i++) pool.add(link(i));
  pool.seed(round(), seed());
  resolve();
}
