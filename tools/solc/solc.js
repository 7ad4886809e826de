#!/usr/bin/env node
// The npm build of solc, dressed as the native compiler that forge expects (`solc = "tools/solc/solc.js"`).
//
// The input is copied to the WASM heap by hand: the package's own wrapper copies it to the 5 MB stack and dies
// with "memory access out of bounds" on inputs the size of a MUD World.
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const soljson = createRequire(import.meta.url)("solc/soljson.js");
const args = process.argv.slice(2);

function writeAll(buffer) {
  for (let offset = 0; offset < buffer.length; ) {
    try {
      offset += writeSync(1, buffer, offset);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error; // a full pipe: try again
    }
  }
}

if (args.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface\nVersion: " + soljson.UTF8ToString(soljson._solidity_version()));
} else if (args.includes("--standard-json")) {
  const input = readFileSync(0);
  const pointer = soljson._solidity_alloc(input.length + 1);
  soljson.HEAPU8.set(input, pointer);
  soljson.HEAPU8[pointer + input.length] = 0;
  writeAll(Buffer.from(soljson.UTF8ToString(soljson._solidity_compile(pointer, 0, 0))));
} else {
  console.error("solc.js: only --version and --standard-json are supported, got: " + args.join(" "));
  process.exit(1);
}
