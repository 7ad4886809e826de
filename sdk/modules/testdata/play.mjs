// Plays one game of tic-tac-toe off chain and prints the state hashes: scaffold_test.go plays it with the engine.

import { readFileSync } from "node:fs";

import { Channel, Module } from "../testing/index.mjs";

const address = (n) => "0x" + n.toString(16).padStart(40, "0");
const wasm = readFileSync(new URL("../../../examples/tictactoe/c.wasm", import.meta.url));
const game = new Channel(new Module(wasm), {
  participants: 2, beneficiaries: [address(3)], funding: [{ amounts: [1000n, 2001n] }], config: { first: 1 },
  world: { settlement: address(0x5e), world: address(0x30), namespace: "arcade" },
});
const hashes = [game.stateHash()];
const refused = [];
const step = (verdict) => {
  if (verdict.status === "accepted") hashes.push(game.stateHash());
  else refused.push({ status: verdict.status, reason: verdict.reason });
};
step(game.topUp(0, 0, 55n));
step(game.play(1, { at: 4 }));
step(game.play(0, { at: 0 }));
step(game.play(1, { at: 2 }));
step(game.play(0, { at: 4 }));
step(game.timeout({ time: 1_700_000_009 }));
step(game.timeout());
console.log(JSON.stringify({ hashes, refused, effects: game.effects() }));
