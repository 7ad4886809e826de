// Elo's rating in integers. What seat 0 gains, seat 1 loses.

import { outcome } from "../../internal/assembly/state";
import { Outcome, rating, stake } from "./layout";

/** 10,000 / (1 + 10^(-d / 400)) for d = 0, 25, …, 800: what the better player is expected to score. */
// @ts-ignore: memory.data is the compiler's
const EXPECTED = memory.data<u16>([
  5000, 5359, 5715, 6063, 6401, 6725, 7034, 7325, 7597, 7850, 8083, 8296, 8490, 8666, 8823, 8965, 9091,
  9203, 9302, 9390, 9468, 9536, 9595, 9648, 9693, 9733, 9768, 9799, 9825, 9848, 9868, 9886, 9901,
]);
const STEP: u32 = 25;
const FURTHEST: u32 = 800;
const WHOLE: i32 = 10000;

/** Change of seat 0's rating; seat 1's is the opposite. A rating never falls below 0. */
export function change(): i32 {
  const how = outcome();
  if (how == 0 || how == Outcome.CalledOff) return 0;
  const better: u32 = rating(1) > rating(0) ? 1 : 0;
  const d = min(rating(better) - rating(1 - better), FURTHEST);
  const score: i32 = how == Outcome.Drawn ? WHOLE / 2 : how == Outcome.Won0 + better ? WHOLE : 0;
  let delta = rounded(<i32>stake() * (score - expected(d)));
  const loser: u32 = delta < 0 ? better : 1 - better;
  const most = <i32>rating(loser);
  if (delta > most) delta = most;
  if (delta < -most) delta = -most;
  return better == 0 ? delta : -delta;
}

function expected(d: u32): i32 {
  const at = EXPECTED + ((d / STEP) << 1);
  const low = <u32>load<u16>(at);
  const rest = d % STEP;
  if (rest == 0) return <i32>low;
  return <i32>(low + (<u32>load<u16>(at, 2) - low) * rest / STEP);
}

/** v / WHOLE to the nearest integer, halves away from zero. */
function rounded(v: i32): i32 {
  return v < 0 ? -((WHOLE / 2 - v) / WHOLE) : (v + WHOLE / 2) / WHOLE;
}
