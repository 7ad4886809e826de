// One channel, as the protocol's shell drives its module (docs/encoding.md 4-6, 17-25): headers, nonces, sums, hashes.
// Signatures are left out: a test is all the players.

import { concat, decodeAbiParameters, encodeAbiParameters, keccak256, pad, stringToHex, toBytes, toHex, zeroAddress, zeroHash } from "viem";

import { Status } from "./module.mjs";
import { pack } from "./msgpack.mjs";

const PARAMS = {
  type: "tuple",
  components: [
    { name: "chainId", type: "uint256" },
    { name: "adjudicator", type: "address" },
    { name: "participants", type: "tuple[]", components: [{ name: "signer", type: "address" }, { name: "owner", type: "address" }] },
    { name: "beneficiaries", type: "address[]" },
    { name: "guarantors", type: "address[]" },
    { name: "nonce", type: "uint64" },
    { name: "window", type: "uint32" },
    { name: "forceQuota", type: "uint16" },
    { name: "sequencer", type: "uint8" },
    { name: "moduleHash", type: "bytes32" },
    { name: "genesisHash", type: "bytes32" },
    { name: "fundingHash", type: "bytes32" },
    { name: "fundingDeadline", type: "uint64" },
    { name: "isVirtual", type: "bool" },
  ],
};
const FUNDING = { type: "tuple[]", components: [{ name: "asset", type: "address" }, { name: "amounts", type: "uint256[]" }] };
const EFFECTS = {
  type: "tuple[]",
  components: [
    { name: "op", type: "uint8" },
    { name: "resourceId", type: "bytes32" },
    { name: "key", type: "bytes32[]" },
    { name: "data", type: "bytes" },
  ],
};
const GENESIS = [{ type: "address" }, { type: "address" }, { type: "bytes32" }, { type: "bytes32" }, { type: "bytes32" }];

const MAX_PAYLOAD = 4096;

const bytesOf = (value) => (value instanceof Uint8Array ? value : new Uint8Array(pack(value)));
const address = (n) => pad(toHex(n), { size: 20 });
const word = (v) => toBytes(v, { size: 32 });
const join = (...parts) => concat(parts.map((p) => (p instanceof Uint8Array ? p : new Uint8Array(p))));

export class Channel {
  /**
   * Opens a channel of a Module. `options`:
   *
   *     participants   how many, or their owners' addresses
   *     beneficiaries  addresses, none by default
   *     funding        [{asset?, amounts: [bigint for each participant]}], none by default
   *     config         an object, which is packed, or bytes; none by default
   *     world          {settlement, world, namespace}: where effects would go, nowhere by default
   *     sequencer      a seat, 0 by default
   *
   * Throws when the module refuses: such a channel cannot exist.
   */
  constructor(module, { participants = 2, beneficiaries = [], funding = [], config = new Uint8Array(), world, sequencer = 0 } = {}) {
    const owners = Array.isArray(participants) ? participants : Array.from({ length: participants }, (_, i) => address(0xa000 + i));
    this.module = module;
    this.seats = owners.length;
    this.assets = funding.length;
    this.columns = owners.length + beneficiaries.length;
    this.seq = 0;
    this.time = 1_700_000_000;
    const stakes = funding.map(({ asset, amounts }, i) => ({ asset: asset ?? address(i), amounts: amounts.map(BigInt) }));
    this.pot = stakes.map(({ amounts }) => amounts.reduce((a, b) => a + b, 0n));

    const configBytes = bytesOf(config);
    const prefix = encodeAbiParameters(GENESIS, [
      world?.settlement ?? zeroAddress,
      world?.world ?? zeroAddress,
      world ? concat(["0x6e73", stringToHex(world.namespace, { size: 14 }), pad("0x", { size: 16 })]) : zeroHash,
      keccak256(configBytes),
      zeroHash,
    ]);
    const input = concat([prefix, toHex(configBytes)]);
    const params = {
      chainId: 31337n, adjudicator: address(0xad), guarantors: [], nonce: 0n, window: 3600, forceQuota: 256, sequencer, beneficiaries,
      participants: owners.map((owner, i) => ({ signer: address(0x100 + i), owner })),
      moduleHash: pad("0x01", { size: 32 }), genesisHash: keccak256(input), fundingDeadline: 1_800_000_000n, isVirtual: false,
      fundingHash: keccak256(encodeAbiParameters([FUNDING], [stakes])),
    };
    const init = toBytes(encodeAbiParameters([PARAMS, FUNDING, { type: "bytes" }], [params, stakes, input]));
    const header = { lastTimestamp: 0n, nonces: owners.map(() => 0n), topUps: 0n };
    const verdict = this.#finish(header, this.pot, module.init(init));
    if (verdict.status !== Status.accepted) throw new Error(`the genesis is refused: ${verdict.status}: ${verdict.reason}`);
  }

  /** What the author does; the payload is an object, which is packed, or bytes. Gives {status, reason, log, emitted}. */
  play(author, payload, { time = ++this.time } = {}) {
    const bytes = bytesOf(payload);
    if (this.terminal) return refusal(Status.terminal);
    if (author >= this.seats) return refusal(Status.author);
    if (bytes.length > MAX_PAYLOAD) return refusal(Status.oversize);
    const header = structuredClone(this.header);
    header.lastTimestamp = max(header.lastTimestamp, BigInt(time));
    header.nonces[author] += 1n;
    return this.#reduce(header, this.pot, this.bytes(), this.#event(0, author, header.lastTimestamp, header.nonces[author], bytes));
  }

  /** The chain's clock ran out: nobody moved. */
  timeout({ time = ++this.time } = {}) {
    if (this.terminal) return refusal(Status.terminal);
    const header = structuredClone(this.header);
    header.lastTimestamp = max(header.lastTimestamp, BigInt(time));
    return this.#reduce(header, this.pot, this.bytes(), this.#event(2, 0xff, header.lastTimestamp, 0n, new Uint8Array()));
  }

  /** A participant paid more in on chain. */
  topUp(participant, asset, amount) {
    if (this.terminal) return refusal(Status.terminal);
    if (participant >= this.seats || asset >= this.assets) return refusal(Status.author);
    const header = structuredClone(this.header);
    header.topUps += 1n;
    const pot = this.pot.with(asset, this.pot[asset] + BigInt(amount));
    const funds = this.funds.slice();
    funds.set(word(this.amount(asset, participant) + BigInt(amount)), 32 * (asset * this.columns + participant));
    const event = this.#event(1, participant, header.lastTimestamp, 0n, join([asset], word(BigInt(amount))));
    return this.#reduce(header, pot, join(this.#headerBytes(header, false), funds, this.app), event);
  }

  /** The effects of a terminal state: [{op, resourceId, key, data}]. Throws when there are none to be had. */
  effects() {
    if (!this.terminal) throw new Error("effects come from terminal states only");
    const result = this.module.effects(this.bytes());
    if (result.status !== Status.accepted) throw new Error(`${result.status}: ${result.reason}`);
    const [effects] = decodeAbiParameters([EFFECTS], result.output);
    if (encodeAbiParameters([EFFECTS], [effects]) !== toHex(result.output)) throw new Error("effects are not in the canonical ABI encoding");
    return effects.map((e) => ({ ...e }));
  }

  /** What a participant or, after them, a beneficiary holds of an asset. */
  amount(asset, holder) {
    const at = 32 * (asset * this.columns + holder);
    return BigInt(toHex(this.funds.slice(at, at + 32)));
  }

  /** The bytes of the state: header ‖ funds ‖ app. */
  bytes() {
    return join(this.#headerBytes(this.header, this.terminal), this.funds, this.app);
  }

  stateHash() {
    return keccak256(join(...[this.#headerBytes(this.header, this.terminal), this.funds, this.app].map((b) => keccak256(b, "bytes"))));
  }

  #headerBytes(header, terminal) {
    return join(...[header.lastTimestamp, ...header.nonces, header.topUps, terminal ? 1n : 0n].map(word));
  }

  #event(kind, author, time, nonce, payload) {
    const event = new Uint8Array(32 + payload.length);
    event.set([kind, author, this.seats, this.assets, this.columns]);
    const view = new DataView(event.buffer);
    view.setBigUint64(8, time, true);
    view.setBigUint64(16, BigInt(this.seq + 1), true);
    view.setBigUint64(24, nonce, true);
    event.set(payload, 32);
    return event;
  }

  #reduce(header, pot, state, event) {
    const verdict = this.#finish(header, pot, this.module.reduce(state, event));
    if (verdict.status === Status.accepted) this.seq++;
    return verdict;
  }

  /** Takes a result over if it is one; otherwise nothing changes. */
  #finish(header, pot, { status, reason, output, log, emitted }) {
    if (status !== Status.accepted) return { status, reason, log, emitted };
    const size = 1 + 32 * this.assets * this.columns;
    if (output.length < size || output.length > size + 16384) return { status: Status.output, reason, log, emitted };
    const funds = output.slice(1, size);
    for (let a = 0; a < this.assets; a++) {
      let sum = 0n;
      for (let p = 0; p < this.columns; p++) {
        const at = 32 * (a * this.columns + p);
        sum += BigInt(toHex(funds.slice(at, at + 32)));
      }
      if (sum !== pot[a]) return { status: Status.sums, reason, log, emitted };
    }
    Object.assign(this, { header, pot, funds, app: output.slice(size), terminal: output[0] === 1 });
    return { status, reason, log, emitted };
  }
}

function refusal(status) {
  return { status, reason: "", log: [], emitted: [] };
}

function max(a, b) {
  return a > b ? a : b;
}
