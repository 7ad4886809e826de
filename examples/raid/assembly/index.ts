// The raid: a module of a channel. Rules and layout are in README.md; the interface is docs/encoding.md 17-25.

import { AbiReader } from "./channel/abi";
import { Funds } from "./channel/funds";
import { allocate as heapAllocate, answer, bail } from "./channel/host";
import { writeEffects } from "./raid/effects";
import { genesis } from "./raid/genesis";
import { FOOT, HEAD, Phase, check, open, phase } from "./raid/layout";
import { play } from "./raid/moves";
import { settle, timeout } from "./raid/settle";

const EVENT_PREFIX: u32 = 32;

// Kinds of events.
const EVENT: u32 = 0;
const TOP_UP: u32 = 1;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

/** abi.encode(Params, Funding[], bytes genesisInput) → the first state. */
export function init(ptr: u32, len: u32): u64 {
  return genesis(new AbiReader(ptr, ptr + len));
}

/** State, event → terminal (1 byte) ‖ funds ‖ app. */
export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  if (eventLen < EVENT_PREFIX) bail("the input ends too early");
  const kind = <u32>load<u8>(eventPtr);
  const author = <u32>load<u8>(eventPtr, 1);
  const seats = <u32>load<u8>(eventPtr, 2);
  const assets = <u32>load<u8>(eventPtr, 3);
  const columns = <u32>load<u8>(eventPtr, 4);
  const header = (seats + 3) << 5;
  const fundsSize = (assets * columns) << 5;
  if (columns < seats || stateLen < header + fundsSize) bail("the input ends too early");
  const appSize = stateLen - header - fundsSize;

  const result = <u32>heapAllocate(1 + fundsSize + appSize);
  store<u8>(result, 0);
  memory.copy(result + 1, statePtr + header, fundsSize + appSize);
  open(result + 1 + fundsSize);
  check(appSize, seats);
  const funds = new Funds(result + 1, assets, columns);

  if (phase() == Phase.Over) bail("the raid is over");
  if (kind == EVENT) {
    play(author, eventPtr + EVENT_PREFIX, eventLen - EVENT_PREFIX);
    if (phase() == Phase.Over) settle(funds);
  } else if (kind == TOP_UP) {
    // The funds are raised already; stakes are fixed once the party has entered.
    if (phase() != Phase.Commit) bail("the party has entered; stakes are fixed");
    funds.check(seats);
  } else {
    timeout(funds);
  }
  if (phase() == Phase.Over) store<u8>(result, 1);
  return answer(result, 1 + fundsSize + appSize);
}

/** A terminal State → abi.encode(Effect[]). No event says how many seats and assets there are: the app's own length does. */
export function effects(statePtr: u32, stateLen: u32): u64 {
  if (stateLen < HEAD + FOOT) bail("the input ends too early");
  const size = <u32>load<u16>(statePtr + stateLen - FOOT);
  if (size > stateLen) bail("the input ends too early");
  open(statePtr + stateLen - size);
  check(size, 0);
  return writeEffects();
}
