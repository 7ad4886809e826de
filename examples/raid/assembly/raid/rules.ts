// One round: the heroes act in the order of their seats, then the monster strikes, then the room is looted
// if it fell. Everything is decided by the round's seed.

import { Dice } from "../channel/dice";
import { allocate } from "../channel/host";
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
  const dice = new Dice(seed());
  for (let i: u32 = 0; i < n; i++) if (lives(i)) act(i, dice);
  if (monsterHp() == 0) {
    loot(dice);
    enter(room() + 1);
    if (room() < rooms()) rest();
  } else {
    strikes(dice);
  }
  for (let i: u32 = 0; i < n; i++) setAction(i, 0, 0);

  if (room() == rooms()) end(Outcome.Won);
  else if (living() == 0) end(Outcome.Wiped);
  else if (round() == maxRounds()) end(Outcome.OutOfTime);
  else nextRound();
}

function act(i: u32, dice: Dice): void {
  dice.cast(i);
  const what = action(i);
  if (what == Action.Attack) strike(i, dice);
  else if (what == Action.Heal) addHealed(i, heal(target(i), stat(i, 3) + dice.die(1, 6)));
  else if (what == Action.Use) use(i, target(i));
}

function strike(i: u32, dice: Dice): void {
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

/** What is used is used up: a potion at once, sword and shield with the raid. Nobody carries them out. */
function use(i: u32, item: u32): void {
  setCarried(i, item, carried(i, item) - 1);
  if (item == Item.Potion) heal(i, POTION_HEALS);
  else setGear(i, gear(i) | (1 << item));
}

/** The monster's blows, each at a hero who still lives. A hero has one chance to be struck, a defender more. */
function strikes(dice: Dice): void {
  const n = seats();
  const chances = allocate(n); // one byte for each seat
  let all: u32 = 0;
  let standing: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const c: u32 = !lives(i) ? 0 : defends(i) ? DEFEND_WEIGHT : 1;
    store<u8>(chances + i, <u8>c);
    all += c;
    standing += u32(c != 0);
  }
  const count: u32 = 1 + (standing - 1) / HEROES_PER_STRIKE;
  for (let s: u32 = 0; s < count && all != 0; s++) {
    dice.cast(SALT_STRIKE + s);
    let victim: u32 = 0;
    for (let at = dice.die(0, all); ; victim++) { // ends: at <= all
      const c = <u32>load<u8>(chances + victim);
      if (at <= c) break;
      at -= c;
    }
    strikeBack(victim, dice);
    if (!lives(victim)) {
      all -= <u32>load<u8>(chances + victim);
      store<u8>(chances + victim, 0);
    }
  }
}

function strikeBack(victim: u32, dice: Dice): void {
  const d20 = dice.die(1, 20);
  if (d20 == 1) return;
  let hurt = blow(monsterAttack(), dice.die(2, 6), defenceOf(victim));
  if (d20 == 20) hurt <<= 1;
  const left = hp(victim);
  setHp(victim, hurt < left ? left - hurt : 0);
}

/** Gold for each of the living, the room's item for one of them. */
function loot(dice: Dice): void {
  dice.cast(SALT_LOOT);
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
