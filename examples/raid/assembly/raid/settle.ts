// Who gets what. Until the raid is decided everyone's column is its stake, and the keeper's is the prize.

import { allocate } from "../channel/host";
import { CELL, Funds, half, move, moveAll, split, zeros } from "../channel/funds";
import { Outcome, Phase, isHero, keeper, outcome, pending, phase, seats, setSilent } from "./layout";
import { contribution, end } from "./rules";

/** Moves the funds as the outcome says; an outcome without a line here leaves every stake with its owner. */
export function settle(funds: Funds): void {
  if (outcome() == Outcome.Won) splitPrize(funds);
  else if (outcome() == Outcome.Wiped) payKeeper(funds);
}

/** The keeper's prize goes to the heroes by contribution; what does not divide goes to the greatest contributor. */
function splitPrize(funds: Funds): void {
  const n = seats();
  const points = allocate(n << 2);
  let whole: u32 = 0;
  let best: u32 = 0;
  let most: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const p = contribution(i);
    store<u32>(points + (i << 2), p);
    whole += p;
    if (p > most) {
      most = p;
      best = i;
    }
  }
  const cells = zeros(n);
  const prize = cells + keeper() * CELL;
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, n, cells);
    split(prize, points, whole, cells, n);
    moveAll(prize, cells + best * CELL);
    funds.pack(a, n, cells);
  }
}

/** Half of each hero's stake, rounded down. */
function payKeeper(funds: Funds): void {
  const n = seats();
  const cells = zeros(n);
  const loss = zeros(1);
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, n, cells);
    for (let i: u32 = 0; i < n; i++) {
      if (!isHero(i)) continue;
      half(cells + i * CELL, loss);
      move(cells + i * CELL, cells + keeper() * CELL, loss);
    }
    funds.pack(a, n, cells);
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
  if (faithful != 0) forfeit(funds, quiet, faithful);
}

function forfeit(funds: Funds, quiet: u32, faithful: u32): void {
  const n = seats();
  const cells = zeros(n);
  const weights = allocate(n << 2);
  for (let i: u32 = 0; i < n; i++) store<u32>(weights + (i << 2), u32(!(quiet & (1 << i))));
  const pool = zeros(1);
  const part = zeros(1);
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, n, cells);
    for (let i: u32 = 0; i < n; i++) {
      if (!(quiet & (1 << i))) continue;
      half(cells + i * CELL, part);
      move(cells + i * CELL, pool, part);
    }
    split(pool, weights, faithful, cells, n);
    moveAll(pool, cells + ctz(~quiet) * CELL);
    funds.pack(a, n, cells);
  }
}
