// Who gets what. Until the raid is decided everyone's column is its stake, and the keeper's is the prize.

import { Funds, half, move, moveAll, portion, zero } from "../channel/funds";
import { Outcome, Phase, heroes, keeper, isHero, outcome, pending, phase, seats, setSilent } from "./layout";
import { contribution, end } from "./rules";

/** Moves the funds as the outcome says; an outcome without a line here leaves every stake with its owner. */
export function settle(funds: Funds): void {
  for (let a: u32 = 0; a < funds.assets; a++) {
    if (outcome() == Outcome.Won) splitPrize(funds, a);
    else if (outcome() == Outcome.Wiped) payKeeper(funds, a);
  }
}

/** The keeper's prize goes to the heroes by contribution; what does not divide goes to the greatest contributor. */
function splitPrize(funds: Funds, asset: u32): void {
  const n = seats();
  let whole: u32 = 0;
  let best: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    whole += contribution(i);
    if (contribution(i) > contribution(best)) best = i;
  }
  const prize = zero();
  const share = zero();
  const from = funds.at(asset, keeper());
  memory.copy(prize, from, 32);
  for (let i: u32 = 0; i < n; i++) {
    if (!isHero(i)) continue;
    portion(prize, contribution(i), whole, share);
    move(from, funds.at(asset, i), share);
  }
  moveAll(from, funds.at(asset, best));
}

/** Half of each hero's stake, rounded down. */
function payKeeper(funds: Funds, asset: u32): void {
  const loss = zero();
  for (let i: u32 = 0, n = seats(); i < n; i++) {
    if (!isHero(i)) continue;
    const from = funds.at(asset, i);
    half(from, loss);
    move(from, funds.at(asset, keeper()), loss);
  }
}

/**
 * Nobody moved in time. Before the first round the raid is called off and every stake stays where it is.
 * After that each silent seat forfeits half of its stake, rounded down, to those who owe nothing, in equal
 * parts; what does not divide goes to the first of them. If everyone is silent nothing moves.
 */
export function timeout(funds: Funds): void {
  if (phase() == Phase.Commit) {
    end(Outcome.CalledOff);
    return;
  }
  const quiet = pending();
  setSilent(quiet);
  end(Outcome.Abandoned);
  const faithful = seats() - popcnt(quiet);
  if (faithful == 0) return;
  for (let a: u32 = 0; a < funds.assets; a++) forfeit(funds, a, quiet, faithful);
}

function forfeit(funds: Funds, asset: u32, quiet: u32, faithful: u32): void {
  const n = seats();
  const pool = zero();
  const part = zero();
  for (let i: u32 = 0; i < n; i++) {
    if (!(quiet & (1 << i))) continue;
    const from = funds.at(asset, i);
    half(from, part);
    move(from, pool, part);
  }
  portion(pool, 1, faithful, part);
  let first: i32 = -1;
  for (let i: u32 = 0; i < n; i++) {
    if (quiet & (1 << i)) continue;
    if (first < 0) first = i;
    move(pool, funds.at(asset, i), part);
  }
  moveAll(pool, funds.at(asset, first));
}
