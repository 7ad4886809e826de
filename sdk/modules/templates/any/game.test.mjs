// Plays __NAME__.wasm as the engine does, off chain.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Channel, Module } from "./sdk/testing/index.mjs";

const module = new Module(readFileSync(new URL("./__NAME__.wasm", import.meta.url)));

function open() {
  return new Channel(module, { participants: 2, funding: [{ amounts: [100n, 150n] }] });
}

test("who reaches 21 takes all", () => {
  const game = open();
  for (let i = 0; i < 7; i++) assert.equal(game.play(i % 2, { add: 3 }).reason, "");
  assert.equal(game.terminal, true);
  assert.equal(game.amount(0, 0), 250n);
  assert.deepEqual(game.effects(), []);
});

test("what is refused changes nothing", () => {
  const game = open();
  const before = game.stateHash();
  assert.equal(game.play(1, { add: 1 }).reason, "it is not your turn");
  assert.equal(game.play(0, { add: 4 }).reason, "an integer is too large");
  assert.equal(game.play(0, { add: 0 }).reason, "add 1, 2 or 3");
  assert.equal(game.play(0, { take: 1 }).reason, "a move is {add}");
  assert.equal(game.stateHash(), before);
});

test("silence returns the stakes", () => {
  const game = open();
  game.play(0, { add: 2 });
  assert.equal(game.timeout().status, "accepted");
  assert.equal(game.terminal, true);
  assert.equal(game.amount(0, 0), 100n);
  assert.equal(game.amount(0, 1), 150n);
});
