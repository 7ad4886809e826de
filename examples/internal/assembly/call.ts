// One call of `reduce` or `effects`: takes the input apart, and puts the answer together.

import { Funds } from "../../raid/assembly/channel/funds";
import { allocate, answer, bail } from "../../raid/assembly/channel/host";
import { FOOT, HEAD, OVER, check, open, phase } from "./state";

const EVENT_PREFIX: u32 = 32;

export const EVENT: u32 = 0;
export const TOP_UP: u32 = 1;
export const TIMEOUT: u32 = 2;

/** An event upon a state; the state that the accessors see is a copy that becomes the answer. */
export class Call {
  kind: u32 = 0;
  author: u32 = 0;
  time: u64 = 0;
  payload: usize = 0;
  end: usize = 0;
  funds: Funds = new Funds(0, 0, 0);
  private result: usize = 0;
  private size: u32 = 0;

  /** Refuses every event after the end. */
  constructor(version: u32, statePtr: usize, stateLen: u32, eventPtr: usize, eventLen: u32) {
    if (eventLen < EVENT_PREFIX) bail("the input ends too early");
    this.kind = <u32>load<u8>(eventPtr);
    this.author = <u32>load<u8>(eventPtr, 1);
    this.time = load<u64>(eventPtr, 8);
    this.payload = eventPtr + EVENT_PREFIX;
    this.end = eventPtr + eventLen;
    const seats = <u32>load<u8>(eventPtr, 2);
    const assets = <u32>load<u8>(eventPtr, 3);
    const columns = <u32>load<u8>(eventPtr, 4);
    const header = (seats + 3) << 5;
    const fundsSize = (assets * columns) << 5;
    if (columns < seats || stateLen < header + fundsSize) bail("the input ends too early");
    this.size = 1 + stateLen - header;
    this.result = allocate(this.size);
    store<u8>(this.result, 0);
    memory.copy(this.result + 1, statePtr + header, stateLen - header);
    open(this.result + 1 + fundsSize);
    check(version, stateLen - header - fundsSize, seats);
    this.funds = new Funds(this.result + 1, assets, columns);
    if (this.kind == EVENT && this.author >= seats) bail("the author has no seat");
    if (phase() == OVER) bail("the game is over");
  }

  answer(): u64 {
    store<u8>(this.result, u8(phase() == OVER));
    return answer(this.result, this.size);
  }
}

/** Opens the state that `effects` gets. No event says how many seats and assets there are: the state's own length does. */
export function openTerminal(version: u32, statePtr: usize, stateLen: u32): void {
  if (stateLen < HEAD + FOOT) bail("the input ends too early");
  const size = <u32>load<u16>(statePtr + stateLen - FOOT);
  if (size > stateLen || size < HEAD + FOOT) bail("the input ends too early");
  open(statePtr + stateLen - size);
  check(version, size, 0);
}
