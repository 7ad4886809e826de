// __NAME__: the game of 21.

import {
  Effects, Event, Genesis, Kind, MsgPackReader, State, allocate as heapAllocate, reject,
} from "../sdk/assemblyscript/assembly";

// The app, little-endian: total (4 bytes), seat that is to move (4 bytes).
const TURN = 4;
const SIZE: u32 = 8;
const GOAL: u32 = 21;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

export function init(ptr: u32, len: u32): u64 {
  return new Genesis(ptr, len).result(SIZE).answer();
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const event = new Event(eventPtr, eventLen);
  const state = new State(statePtr, stateLen, event);
  if (state.length != SIZE) reject("this is not a state of the game");
  const result = state.result(SIZE);
  const app = result.app;
  if (event.kind == Kind.Event) {
    if (event.author != load<u32>(app, TURN)) reject("it is not your turn");
    const total = load<u32>(app) + readMove(new MsgPackReader(event.payload, event.length));
    store<u32>(app, total);
    store<u32>(app, (event.author + 1) % event.seats, TURN);
    if (total >= GOAL) {
      for (let asset: u32 = 0; asset < event.assets; asset++) {
        for (let seat: u32 = 0; seat < event.seats; seat++) result.funds.transferAll(asset, seat, event.author);
      }
      result.end();
    }
  } else if (event.kind == Kind.Timeout) {
    result.end();
  }
  return result.answer();
}

export function effects(statePtr: u32, stateLen: u32): u64 {
  return new Effects().answer();
}

/** {add: 1..3} */
function readMove(payload: MsgPackReader): u32 {
  if (payload.map(1) != 1) reject("a move is {add}");
  payload.string();
  if (!payload.is("add")) reject("a move is {add}");
  const add = <u32>payload.uint(3);
  payload.done();
  if (add == 0) reject("add 1, 2 or 3");
  return add;
}
