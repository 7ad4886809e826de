// The crafting session: a module of a channel. Rules and layout are in ../README.md.

import { allocate as heapAllocate, bail } from "../../raid/assembly/channel/host";
import { Call, EVENT, TOP_UP, openTerminal } from "../../internal/assembly/call";
import { Records } from "../../internal/assembly/records";
import { outcome, seats } from "../../internal/assembly/state";
import { genesis } from "./genesis";
import { Outcome, VERSION, count, crafts, initial, items, workshop } from "./layout";
import { play, timeout } from "./work";

const MAX_RECORDS: u32 = 22;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

export function init(ptr: u32, len: u32): u64 {
  return genesis(ptr, len);
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const call = new Call(VERSION, statePtr, stateLen, eventPtr, eventLen);
  if (call.kind == EVENT) play(call.author, call.payload, call.end, call.funds);
  else if (call.kind == TOP_UP) call.funds.check(seats()); // fees may be paid of it
  else timeout(call.funds);
  return call.answer();
}

/** What each crafter has more or less than at the beginning, and how often it has crafted. */
export function effects(statePtr: u32, stateLen: u32): u64 {
  openTerminal(VERSION, statePtr, stateLen);
  const how = outcome();
  if (how == 0) bail("the session is not over");
  const records = new Records(MAX_RECORDS);
  for (let i: u32 = 0, n = seats(); i < n && how != Outcome.CalledOff; i++) {
    if (i == workshop()) continue;
    records.add("Crafter", i, 0, 0, crafts(i));
    for (let item: u32 = 1; item <= items(); item++) records.add("Inventory", i, item, 0, <i32>(count(i, item) - initial(i, item)));
  }
  return records.answer();
}
