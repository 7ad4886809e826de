// What init gets: abi.encode(Params, Funding[], bytes genesisInput) (docs/encoding.md 14, 21, 25).

import { AbiReader } from "./abi";
import { Result } from "./event";
import { allocate, keccak256, reject, same } from "./host";

const MIN_SEATS: u32 = 2;
const MAX_SEATS: u32 = 16;
const MAX_BENEFICIARIES: u32 = 8;
const MAX_ASSETS: u32 = 8;

// Words of abi.encode(Params) (docs/protocol.md 1).
const PARTICIPANTS: u32 = 2;
const BENEFICIARIES: u32 = 3;
const SEQUENCER: u32 = 8;

// The words before the configuration (docs/encoding.md 25).
const WORLD: u32 = 1;
const NAMESPACE: u32 = 2;
const CONFIG_HASH: u32 = 3;
const PREFIX: u32 = 160;

export class Genesis {
  seats: u32;
  beneficiaries: u32;
  assets: u32;
  /** seats + beneficiaries: the columns of the funds. */
  columns: u32;
  /** The seat that orders events. */
  sequencer: u32;
  /** The configuration, whose hash is checked: usually MessagePack. */
  config: usize;
  configLength: u32;
  /** There is a World to write effects to. */
  inWorld: bool = false;
  /** The 14 bytes of its namespace; meaningful only inWorld. */
  namespace: usize;

  private participants: AbiReader;
  private funding: AbiReader;

  constructor(ptr: usize, len: u32) {
    const input = new AbiReader(ptr, ptr + len);
    const params = input.tail(0);
    const participants = params.tail(PARTICIPANTS);
    const seats = participants.uint(0);
    if (seats < MIN_SEATS || seats > MAX_SEATS) reject("a channel has 2 to 16 participants");
    participants.word(2 * seats); // all of them are there
    const sequencer = params.uint(SEQUENCER);
    if (sequencer >= seats) reject("the sequencer is no participant");
    const beneficiaries = params.tail(BENEFICIARIES).uint(0);
    if (beneficiaries > MAX_BENEFICIARIES) reject("too many elements");
    const funding = input.tail(1);
    const assets = funding.uint(0);
    if (assets > MAX_ASSETS) reject("too many elements");
    const raw = input.tail(2);
    const length = raw.uint(0);
    const text = raw.bytes();
    if (length < PREFIX) reject("the input ends too early");
    const prefix = new AbiReader(text, text + PREFIX);

    this.seats = seats;
    this.beneficiaries = beneficiaries;
    this.assets = assets;
    this.columns = seats + beneficiaries;
    this.sequencer = sequencer;
    this.participants = participants;
    this.funding = funding.skip(1);
    this.config = text + PREFIX;
    this.configLength = length - PREFIX;
    const id = prefix.word(NAMESPACE);
    this.namespace = id + 2;

    const hash = allocate(32);
    keccak256(this.config, this.configLength, hash);
    if (!same(hash, prefix.word(CONFIG_HASH), 32)) reject("configHash does not fit the configuration");
    const world = prefix.word(WORLD);
    if ((load<u64>(world) | load<u64>(world, 8) | load<u64>(world, 16) | load<u64>(world, 24)) != 0) {
      if (load<u16>(id) != 0x736e || (load<u64>(id, 16) | load<u64>(id, 24)) != 0) {
        reject('namespaceId is "ns" and 14 bytes of namespace');
      }
      this.inWorld = true;
    }
  }

  /** Address of the 20 bytes of a participant's owner: the wallet that pays, is paid, and plays in the World. */
  owner(seat: u32): usize {
    if (seat >= this.seats) reject("no such participant");
    return this.participants.word(2 + 2 * seat) + 12;
  }

  /** A result in which everybody has what it paid, with an app of `length` zero bytes. */
  result(length: u32): Result {
    const r = new Result(this.assets, this.columns, length);
    for (let a: u32 = 0; a < this.assets; a++) {
      const amounts = this.funding.tail(a).tail(1);
      if (amounts.uint(0) != this.seats) reject("funding lacks an amount");
      amounts.word(this.seats); // all of them are there
      memory.copy(r.funds.word(a, 0), amounts.word(1), this.seats << 5);
    }
    return r;
  }
}
