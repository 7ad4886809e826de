// One round: the heroes act in the order of their seats, then the monster strikes, then the room is looted
// if it fell. Everything is decided by the round's seed.

import { Throw } from "../channel/dice";
import {
  Action, Item, Outcome, Phase,
  action, addDamage, addHealed, carried, damage, gear, healed, heroClass, heroes, hp, hpPerHero, isHero, living, lives,
  maxRounds, monsterAttack, monsterDefence, monsterHp, room, roomGold, roomItem, rooms, round, seats, seed,
  setAction, setCarried, setGear, setHp, setMonsterHp, setOutcome, setPending, setPhase, setRoom, setRound, target,
} from "./layout";

// Of each class: hit points, attack, defence, healing, the lowest throw of a twenty-sided die that doubles a hit.
const CLASS_SIZE: u32 = 5;
// @ts-ignore: memory.data is the compiler's
const CLASSES = memory.data<u8>([
  64, 9, 4, 4, 20, // warrior
  52, 6, 3, 14, 20, // cleric
  54, 9, 2, 4, 17, // rogue
  46, 12, 1, 6, 20, // mage
]);

const SWORD_ATTACK: u32 = 4;
const SHIELD_DEFENCE: u32 = 3;
const POTION_HEALS: u32 = 25;
const DEFEND_DEFENCE: u32 = 5;
/** Who defends draws the monster's eye: this many chances for one of another hero's. */
const DEFEND_WEIGHT: u32 = 3;
/** Hit points that the living get back between two rooms. */
const REST: u32 = 6;
/** The monster strikes once for every two living heroes, and at least once. */
const HEROES_PER_STRIKE: u32 = 2;

// Salts of throws: a hero's is its seat.
const SALT_STRIKE: u32 = 0x100;
const SALT_LOOT: u32 = 0x200;

function stat(i: u32, k: u32): u32 {
  return load<u8>(CLASSES + (heroClass(i) - 1) * CLASS_SIZE + k);
}

export function maxHp(i: u32): u32 {
  return stat(i, 0);
}

function attackOf(i: u32): u32 {
  return stat(i, 1) + (gear(i) & (1 << Item.Sword) ? SWORD_ATTACK : 0);
}

function defenceOf(i: u32): u32 {
  return stat(i, 2) + (gear(i) & (1 << Item.Shield) ? SHIELD_DEFENCE : 0) + (defends(i) ? DEFEND_DEFENCE : 0);
}

function defends(i: u32): bool {
  return action(i) == Action.Defend;
}

/** power + a six-sided die against a defence; a hit hurts by 1 at least. */
function blow(power: u32, die: u32, defence: u32): u32 {
  return power + die > defence ? power + die - defence : 1;
}

/** The party enters the first room or the next one. */
export function enter(next: u32): void {
  setRoom(next);
  if (next < rooms()) setMonsterHp(hpPerHero() * heroes());
}

/** The heroes who live choose again. */
export function nextRound(): void {
  setRound(round() + 1);
  setPhase(Phase.Act);
  setPending(living());
}

/** The raid is decided. */
export function end(outcome: u32): void {
  setOutcome(outcome);
  setPhase(Phase.Over);
  setPending(0);
}

/** Plays the round whose seed is in the state. */
export function resolve(): void {
  const n = seats();
  for (let i: u32 = 0; i < n; i++) if (lives(i)) act(i);
  if (monsterHp() == 0) {
    loot();
    enter(room() + 1);
    if (room() < rooms()) rest();
  } else {
    strikes();
  }
  for (let i: u32 = 0; i < n; i++) setAction(i, 0, 0);

  if (room() == rooms()) end(Outcome.Won);
  else if (living() == 0) end(Outcome.Wiped);
  else if (round() == maxRounds()) end(Outcome.OutOfTime);
  else nextRound();
}

function act(i: u32): void {
  const dice = new Throw(seed(), i);
  const what = action(i);
  if (what == Action.Attack) strike(i, dice);
  else if (what == Action.Heal) addHealed(i, heal(target(i), stat(i, 3) + dice.die(1, 6)));
  else if (what == Action.Use) use(i, target(i));
}

function strike(i: u32, dice: Throw): void {
  const d20 = dice.die(0, 20);
  if (d20 == 1) return;
  let hurt = blow(attackOf(i), dice.die(1, 6), monsterDefence());
  if (d20 >= stat(i, 4)) hurt <<= 1;
  const left = monsterHp();
  if (hurt > left) hurt = left;
  setMonsterHp(left - hurt);
  addDamage(i, hurt);
}

/** Gives hit points back and says how many. */
function heal(i: u32, points: u32): u32 {
  const missing = maxHp(i) - hp(i);
  if (points > missing) points = missing;
  setHp(i, hp(i) + points);
  return points;
}

function use(i: u32, item: u32): void {
  if (item == Item.Potion) {
    setCarried(i, item, carried(i, item) - 1);
    heal(i, POTION_HEALS);
  } else {
    setGear(i, gear(i) | (1 << item));
  }
}

function strikes(): void {
  const count: u32 = 1 + (popcnt(living()) - 1) / HEROES_PER_STRIKE;
  for (let s: u32 = 0; s < count; s++) {
    if (living() == 0) return;
    const dice = new Throw(seed(), SALT_STRIKE + s);
    const victim = chooseVictim(dice);
    const d20 = dice.die(1, 20);
    if (d20 == 1) continue;
    let hurt = blow(monsterAttack(), dice.die(2, 6), defenceOf(victim));
    if (d20 == 20) hurt <<= 1;
    const left = hp(victim);
    setHp(victim, hurt < left ? left - hurt : 0);
  }
}

function chooseVictim(dice: Throw): u32 {
  const n = seats();
  let weights: u32 = 0;
  for (let i: u32 = 0; i < n; i++) weights += weight(i);
  let at = dice.die(0, weights);
  for (let i: u32 = 0; i < n; i++) {
    const w = weight(i);
    if (at <= w) return i;
    at -= w;
  }
  return 0; // not reached: at <= weights
}

function weight(i: u32): u32 {
  return !lives(i) ? 0 : defends(i) ? DEFEND_WEIGHT : 1;
}

/** Gold for each of the living, the room's item for one of them. */
function loot(): void {
  const dice = new Throw(seed(), SALT_LOOT);
  const gold = roomGold();
  const item = roomItem();
  let finder = dice.die(0, popcnt(living()));
  for (let i: u32 = 0, n = seats(); i < n; i++) {
    if (!lives(i)) continue;
    setCarried(i, Item.Gold, carried(i, Item.Gold) + gold);
    if (--finder == 0 && item != 0) setCarried(i, item, carried(i, item) + 1);
  }
}

function rest(): void {
  for (let i: u32 = 0, n = seats(); i < n; i++) if (lives(i)) heal(i, REST);
}

/** What the prize is split by: never 0 for a hero, 0 for the keeper. */
export function contribution(i: u32): u32 {
  return isHero(i) ? damage(i) + healed(i) + 1 : 0;
}
