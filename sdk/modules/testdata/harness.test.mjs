import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Chain, Channel, Module, pack } from "../testing/index.mjs";

const read = (path) => readFileSync(new URL(path, import.meta.url));
const probe = new Module(read("./probe/rust.wasm"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

function event(...payload) {
  const prefix = new Uint8Array(32);
  prefix.set([0, 0, 2, 0, 2]);
  return new Uint8Array([...prefix, ...payload]);
}

test("numbers are packed as small as they go, and read back by a module", () => {
  for (const [value, want] of [
    [0, "00"], [127, "7f"], [128, "cc80"], [255, "ccff"], [256, "cd0100"], [65536, "ce00010000"], [2n ** 64n - 1n, "cfffffffffffffffff"],
    [-1, "ff"], [-32, "e0"], [-33, "d0df"], [-(2n ** 63n), "d38000000000000000"], [true, "c3"], [false, "c2"], [null, "c0"],
    ["at", "a26174"], ["x".repeat(32), "d920" + "78".repeat(32)], [new Uint8Array([1]), "c40101"], [[1, [2]], "92019102"], [{ at: 8 }, "81a2617408"],
  ]) {
    assert.equal(hex(pack(value)), want, String(value));
  }
  assert.throws(() => pack(1.5), /no integer/);
  assert.throws(() => pack(2n ** 64n), /64 bits/);
  const schema = [..."ud"].map((c) => c.charCodeAt(0));
  const { output } = probe.reduce(new Uint8Array(160), event(0, 2, ...schema, ...pack(2n ** 40n)));
  assert.equal(hex(output), "00" + "0000000000010000");
});

test("a refusal, a trap and a bad answer are results", () => {
  const state = new Uint8Array(160);
  assert.deepEqual(pick(probe.reduce(state, event(9))), { status: "rejected by the module", reason: "unknown probe" });
  assert.equal(probe.reduce(state, event()).status, "module trapped");
  assert.equal(probe.reduce(state, event(0, 1, 0x75, 0x07)).status, "accepted");
  assert.throws(() => new Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])), /export memory is missing/);
});

test("no call sees what another left behind", () => {
  const state = new Uint8Array(160);
  const once = probe.reduce(state, event(4, 1, 81, ...new Array(23).fill(0)));
  probe.reduce(state, event(9));
  const twice = probe.reduce(state, event(4, 1, 81, ...new Array(23).fill(0)));
  assert.equal(hex(once.output), "00" + "09" + "00".repeat(7));
  assert.deepEqual(once, twice);
});

test("links of a chain are what the dice want", () => {
  const chain = new Chain(3, new Uint8Array(32).fill(7), 2);
  let tip = chain.tip;
  for (let i = 0; i < 2; i++) {
    const link = chain.next();
    const { output } = probe.reduce(new Uint8Array(160), event(2, 3, ...link, ...tip, 0, 0, 0, 0, 6, 0, 0, 0, 0));
    assert.equal(output[1], 1);
    tip = link;
  }
  assert.throws(() => chain.next(), /used up/);
});

test("the shell refuses what the protocol refuses", () => {
  const game = new Channel(new Module(read("../../../examples/tictactoe/zig.wasm")), { config: { first: 0 } });
  assert.equal(game.play(2, { at: 0 }).status, "unknown author");
  assert.equal(game.play(0, new Uint8Array(4097)).status, "payload too large");
  assert.throws(() => game.effects(), /terminal/);
  assert.throws(() => new Channel(game.module, { config: { first: 2 } }), /genesis is refused.*too large/);
});

function pick({ status, reason }) {
  return { status, reason };
}
