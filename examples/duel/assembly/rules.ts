// One round: both actions and the dice of both keys. Blows fall at the same moment.

import { Dice } from "../../raid/assembly/channel/dice";
import { end } from "../../internal/assembly/state";
import {
  Action, Outcome, charge, dealt, heroClass, hp, key, maxRounds, round, seed, setCharge, setDealt, setHp, setLast, setRound,
} from "./layout";

// Of each class: hit points, power, armour, the lowest throw of a twenty-sided die that doubles a blow.
// @ts-ignore: memory.data is the compiler's
const CLASSES = memory.data<u8>([
  62, 9, 4, 20, // knight
  54, 9, 3, 17, // rogue
  50, 12, 2, 19, // mage
  56, 10, 3, 19, // monk
]);

const GUARD: u32 = 6;
const FEINT: u32 = 4;
const CHARGE: u32 = 7;
const MOST_CHARGES: u32 = 2;

function stat(i: u32, k: u32): u32 {
  return load<u8>(CLASSES + (heroClass(i) << 2) + k);
}

export function maxHp(i: u32): u32 {
  return stat(i, 0);
}

function actionOf(i: u32): u32 {
  return load<u8>(key(i), 31);
}

/** Plays the round whose seed is in the state, or decides the duel. */
export function resolve(): void {
  const dice = new Dice(seed());
  const hurt1 = blow(0, 1, dice);
  const hurt0 = blow(1, 0, dice);
  wound(0, 1, hurt1);
  wound(1, 0, hurt0);
  for (let i: u32 = 0; i < 2; i++) {
    setCharge(i, actionOf(i) == Action.Focus ? min(charge(i) + 1, MOST_CHARGES) : 0);
    setLast(i, actionOf(i) + 1);
  }
  setRound(round() + 1);
  const left0 = hp(0);
  const left1 = hp(1);
  if (left0 == 0 && left1 == 0) end(Outcome.Drawn);
  else if (left0 == 0) end(Outcome.Won0 + 1);
  else if (left1 == 0) end(Outcome.Won0);
  else if (round() == maxRounds()) byShare(left0 * maxHp(1), left1 * maxHp(0));
}

/** Time is out: who has the greater part of its hit points left has won. */
function byShare(a: u32, b: u32): void {
  end(a == b ? Outcome.Drawn : a > b ? Outcome.Won0 : Outcome.Won0 + 1);
}

/** What fighter `i` does to its foe. */
function blow(i: u32, foe: u32, dice: Dice): u32 {
  dice.cast(i);
  const mine = actionOf(i);
  const theirs = actionOf(foe);
  const die = dice.die(1, 6);
  if (mine == Action.Focus) return 0;
  if (mine == Action.Guard) return theirs == Action.Strike ? die : 0; // a riposte
  if (mine == Action.Feint && theirs != Action.Guard) return theirs == Action.Focus ? die : 0;
  const d20 = dice.die(0, 20);
  if (d20 == 1) return 0;
  let power = stat(i, 1) + die + charge(i) * CHARGE;
  let armour = stat(foe, 2);
  if (mine == Action.Feint) {
    power += FEINT; // past the guard and the armour
    armour = 0;
  } else if (theirs == Action.Guard) {
    armour += GUARD;
  }
  const hurt = power > armour ? power - armour : 1;
  return d20 >= stat(i, 3) ? hurt << 1 : hurt;
}

function wound(by: u32, i: u32, hurt: u32): void {
  const left = hp(i);
  const taken = min(hurt, left);
  setHp(i, left - taken);
  setDealt(by, dealt(by) + taken);
}
