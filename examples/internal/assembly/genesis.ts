// Reads what `init` gets, abi.encode(Params, Funding[], bytes genesisInput), up to the game's own configuration.

import { AbiReader } from "../../raid/assembly/channel/abi";
import { Funds } from "../../raid/assembly/channel/funds";
import { allocate, answer, bail, keccak256, same } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { base, create, namespace_, open, owner } from "./state";

const MAX_ASSETS: u32 = 8;
const MAX_BENEFICIARIES: u32 = 8;
// Words of abi.encode(Params) (docs/protocol.md 1).
const PARTICIPANTS: u32 = 2;
const BENEFICIARIES: u32 = 3;
const SEQUENCER: u32 = 8;
// The words before the configuration (docs/encoding.md 25).
const WORLD: u32 = 1;
const NAMESPACE: u32 = 2;
const CONFIG_HASH: u32 = 3;
const PREFIX: u32 = 160;

export class Opening {
  seats: u32 = 0;
  sequencer: u32 = 0;
  assets: u32 = 0;
  private columns: u32 = 0;
  private result: usize = 0;
  private participants: AbiReader = new AbiReader(0, 0);
  private prefix: AbiReader = new AbiReader(0, 0);
  config: MsgPackReader = new MsgPackReader(0, 0);

  /** Copies the funds; refuses other numbers of seats. The state will have at most `most` bytes. */
  constructor(ptr: usize, len: u32, least: u32, greatest: u32, most: u32) {
    const input = new AbiReader(ptr, ptr + len);
    const params = input.tail(0);
    this.participants = params.tail(PARTICIPANTS);
    this.seats = this.participants.uint(0);
    if (this.seats < least || this.seats > greatest) bail("wrong number of participants for this game");
    this.sequencer = params.uint(SEQUENCER);
    if (this.sequencer >= this.seats) bail("the sequencer is no participant");
    const beneficiaries = params.tail(BENEFICIARIES).uint(0);
    if (beneficiaries > MAX_BENEFICIARIES) bail("too many elements");

    const raw = input.tail(2);
    const length = raw.uint(0);
    const text = raw.bytes();
    if (length < PREFIX) bail("the input ends too early");
    this.prefix = new AbiReader(text, text + PREFIX);
    const hash = allocate(32);
    keccak256(text + PREFIX, length - PREFIX, hash);
    if (!same(hash, this.prefix.word(CONFIG_HASH), 32)) bail("configHash does not fit the configuration");
    this.config = new MsgPackReader(text + PREFIX, text + length);

    const funding = input.tail(1);
    this.assets = funding.uint(0);
    if (this.assets > MAX_ASSETS) bail("too many elements");
    this.columns = this.seats + beneficiaries;
    const size = 1 + this.fundsSize() + most;
    this.result = allocate(size);
    memory.fill(this.result, 0, size);
    const stakes = funding.skip(1);
    for (let a: u32 = 0; a < this.assets; a++) {
      const amounts = stakes.tail(a).tail(1);
      if (amounts.uint(0) != this.seats) bail("funding lacks an amount");
      amounts.word(this.seats); // all of them are there
      memory.copy(this.result + 1 + ((a * this.columns) << 5), amounts.word(1), this.seats << 5);
    }
    new Funds(this.result + 1, this.assets, this.columns).check(this.seats);
    open(this.result + 1 + this.fundsSize());
    store<u8>(base(), <u8>this.seats, 3);
  }

  private fundsSize(): u32 {
    return (this.assets * this.columns) << 5;
  }

  /** Writes head and owners and gives the answer of `init`. The game's own bytes, `rest` of them, come before or after. */
  answer(version: u32, rest: u32): u64 {
    const size = create(version, this.seats, rest);
    for (let i: u32 = 0; i < this.seats; i++) {
      // A participant is two words, signer and owner; an address is the last 20 bytes of its word.
      memory.copy(owner(i), this.participants.word(2 + 2 * i) + 12, 20);
    }
    this.world();
    return answer(this.result, 1 + this.fundsSize() + size);
  }

  /** Keeps the namespace's 14 bytes, if there is a world to write to. */
  private world(): void {
    const world = this.prefix.word(WORLD);
    if ((load<u64>(world) | load<u64>(world + 8) | load<u64>(world + 16) | load<u64>(world + 24)) == 0) return;
    const id = this.prefix.word(NAMESPACE);
    if (load<u8>(id) != 0x6e || load<u8>(id + 1) != 0x73 || (load<u64>(id + 16) | load<u64>(id + 24)) != 0) {
      bail("namespaceId is \"ns\" and 14 bytes of namespace");
    }
    memory.copy(namespace_(), id + 2, 14);
    store<u8>(base(), 1, 30);
  }
}
