// One module, as docs/encoding.md 21-24 say.

import { keccak256 } from "viem";

const PAGE = 65536;
const MAX_RESULT = 1 + 8 * 24 * 32 + 16384;
const MAX_EFFECTS = 8192;
const MAX_REASON = 256;

/** What the protocol calls the statuses (docs/encoding.md 18). */
export const Status = Object.freeze({
  accepted: "accepted",
  terminal: "state is terminal",
  author: "unknown author",
  oversize: "payload too large",
  rejected: "rejected by the module",
  trap: "module trapped",
  output: "malformed or too large output",
  sums: "funds do not sum to the pot",
});

class Rejection extends Error {}

export class Module {
  /** `wasm` are the bytes of the module; `pageLimit` is the manifest's. Throws when they are not a module of a channel. */
  constructor(wasm, { pageLimit = 4 } = {}) {
    this.pageLimit = pageLimit;
    this.compiled = new WebAssembly.Module(wasm);
    const known = ["keccak256", "emit", "log", "reject"];
    for (const { module, name } of WebAssembly.Module.imports(this.compiled)) {
      if (module !== "channels" || !known.includes(name)) throw new Error(`the import ${module}.${name} is unknown`);
    }
    const exports = new Set(WebAssembly.Module.exports(this.compiled).map((e) => e.name));
    for (const name of ["memory", "allocate", "init", "reduce", "effects"]) {
      if (!exports.has(name)) throw new Error(`the export ${name} is missing`);
    }
  }

  init(input) {
    return this.call("init", input);
  }

  reduce(state, event) {
    return this.call("reduce", state, event);
  }

  effects(state) {
    return this.call("effects", state);
  }

  /** {status, reason, output, log, emitted} of one call in a fresh instance. Never throws for what a module does. */
  call(name, ...inputs) {
    const result = { status: Status.accepted, reason: "", output: new Uint8Array(), log: [], emitted: [] };
    let memory;
    const read = (ptr, len) => {
      const [at, size] = [ptr >>> 0, len >>> 0];
      if (at + size > memory.buffer.byteLength) throw new WebAssembly.RuntimeError("a range outside of the memory");
      return new Uint8Array(memory.buffer.slice(at, at + size));
    };
    const write = (ptr, bytes) => {
      if ((ptr >>> 0) + bytes.length > memory.buffer.byteLength) throw new WebAssembly.RuntimeError("a range outside of the memory");
      new Uint8Array(memory.buffer).set(bytes, ptr >>> 0);
    };
    const text = (bytes) => new TextDecoder().decode(bytes);
    try {
      const instance = new WebAssembly.Instance(this.compiled, {
        channels: {
          keccak256: (ptr, len, out) => write(out, keccak256(read(ptr, len), "bytes")),
          emit: (ptr, len) => void result.emitted.push(read(ptr, len)),
          log: (ptr, len) => void result.log.push(text(read(ptr, len))),
          reject: (ptr, len) => {
            result.reason = text(read(ptr, len).slice(0, MAX_REASON));
            throw new Rejection();
          },
        },
      });
      memory = instance.exports.memory;
      const args = [];
      for (const input of inputs) {
        const ptr = instance.exports.allocate(input.length);
        write(ptr, input);
        args.push(ptr, input.length);
      }
      const answer = BigInt.asUintN(64, instance.exports[name](...args));
      if (memory.buffer.byteLength > this.pageLimit * PAGE) throw new WebAssembly.RuntimeError("more memory than the page limit");
      result.output = read(Number(answer >> 32n), Number(answer & 0xffffffffn));
    } catch (error) {
      if (error instanceof Rejection) return { ...result, status: Status.rejected };
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
        return { ...result, status: Status.trap, reason: error.message };
      }
      throw error;
    }
    const { output } = result;
    const malformed =
      output.length === 0 || output.length > (name === "effects" ? MAX_EFFECTS : MAX_RESULT) || (name !== "effects" && output[0] > 1);
    return malformed ? { ...result, status: Status.output, output: new Uint8Array() } : result;
  }
}
