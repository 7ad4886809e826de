// What reduce gets, and what it gives back (docs/encoding.md 4-6, 21-22).

import { AbiReader } from "./abi";
import { Funds } from "./funds";
import { allocate, answer, reject, reversed } from "./host";

export namespace Kind {
  /** A participant's event: its payload is what the author signed. */
  export const Event: u32 = 0;
  /** The chain took money in: payload = asset (1 byte) ‖ amount (32). The funds are raised already. */
  export const TopUp: u32 = 1;
  /** Nobody moved: author 0xff, no payload. The module decides what silence costs. */
  export const Timeout: u32 = 2;
}

const PREFIX: u32 = 32;

/** The 32 bytes before the payload, little-endian, and the payload. */
export class Event {
  kind: u32;
  author: u32;
  seats: u32;
  assets: u32;
  columns: u32;
  time: u64;
  seq: u64;
  nonce: u64;
  payload: usize;
  length: u32;

  constructor(ptr: usize, len: u32) {
    if (len < PREFIX) reject("the input ends too early");
    this.kind = load<u8>(ptr);
    this.author = load<u8>(ptr, 1);
    this.seats = load<u8>(ptr, 2);
    this.assets = load<u8>(ptr, 3);
    this.columns = load<u8>(ptr, 4);
    this.time = load<u64>(ptr, 8);
    this.seq = load<u64>(ptr, 16);
    this.nonce = load<u64>(ptr, 24);
    this.payload = ptr + PREFIX;
    this.length = len - PREFIX;
    if (this.columns < this.seats) reject("the input ends too early");
  }
}

/** A state: header (N + 3 words) ‖ funds ‖ app. */
export class State {
  app: usize;
  length: u32;
  private base: usize;
  private seats: u32;
  private assets: u32;
  private columns: u32;

  /** The sizes of a state come with the event. */
  constructor(ptr: usize, len: u32, event: Event) {
    this.base = ptr;
    this.seats = event.seats;
    this.assets = event.assets;
    this.columns = event.columns;
    const size = ((event.seats + 3) << 5) + this.fundsSize();
    if (len < size) reject("the input ends too early");
    this.app = ptr + size;
    this.length = len - size;
  }

  lastTimestamp(): u64 { return this.header(0); }
  /** Nonce of the last event of a participant that was accepted. */
  nonce(seat: u32): u64 {
    if (seat >= this.seats) reject("no such participant");
    return this.header(1 + seat);
  }
  topUps(): u64 { return this.header(this.seats + 1); }
  terminal(): bool { return this.header(this.seats + 2) != 0; }

  /** A result with these funds and an app of `length` bytes, which begins as the state's does. */
  result(length: u32): Result {
    const r = new Result(this.assets, this.columns, length);
    memory.copy(r.funds.base, this.app - this.fundsSize(), this.fundsSize());
    memory.copy(r.app, this.app, min(length, this.length));
    return r;
  }

  private fundsSize(): u32 { return (this.assets * this.columns) << 5; }
  private header(index: u32): u64 { return reversed(load<u64>(this.base + (index << 5), 24)); }
}

/** What init and reduce give: terminal (1 byte) ‖ funds ‖ app. Starts as zeros. */
export class Result {
  funds: Funds;
  app: usize;
  private base: usize;
  private size: u32;

  constructor(assets: u32, columns: u32, length: u32) {
    const fundsSize = (assets * columns) << 5;
    const size = 1 + fundsSize + length;
    const base = allocate(size);
    this.size = size;
    this.base = base;
    this.funds = new Funds(base + 1, assets, columns);
    this.app = base + 1 + fundsSize;
  }

  /** No event follows: the channel can be closed with these funds, and effects are run. */
  end(): void { store<u8>(this.base, 1); }

  answer(): u64 { return answer(this.base, this.size); }
}
