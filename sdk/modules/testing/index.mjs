// Runs a module off chain as the engine does, for tests in plain JavaScript: a fresh instance for each call, the host's
// keccak256, and a refusal as a result. Fuel is not counted here: `op-channels module check` does that.

export { Channel } from "./channel.mjs";
export { Module } from "./module.mjs";
export { pack } from "./msgpack.mjs";
export { Chain } from "./dice.mjs";
