// Stakes of two players: until the end each column is its player's own.

import { CELL, Funds, half, move, moveAll, zeros } from "../../raid/assembly/channel/funds";

/** All of the loser's stake, in every asset, goes to the winner. */
export function takeAll(funds: Funds, winner: u32): void {
  const cells = zeros(2);
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, 2, cells);
    moveAll(cells + (1 - winner) * CELL, cells + winner * CELL);
    funds.pack(a, 2, cells);
  }
}

/** Half of a seat's stake, rounded down, in every asset, goes to another seat. */
export function takeHalf(funds: Funds, seats: u32, from: u32, to: u32): void {
  const cells = zeros(seats);
  const part = zeros(1);
  for (let a: u32 = 0; a < funds.assets; a++) {
    funds.unpack(a, seats, cells);
    half(cells + from * CELL, part);
    move(cells + from * CELL, cells + to * CELL, part);
    funds.pack(a, seats, cells);
  }
}
