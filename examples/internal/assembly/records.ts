// Increments of tables of the genesis' namespace, as `effects` returns them: abi.encode(Effect[]). A channel may have 32
// effects in 8 KiB; each game is bounded so that all of its own fit.

import { putWord } from "../../raid/assembly/channel/abi";
import { allocate, answer, narrow } from "../../raid/assembly/channel/host";
import { inWorld, namespace_, owner } from "./state";

const OP_INCREMENT: u32 = 2;
/** Bytes of an effect with two words of key, without its offset. */
const EFFECT: u32 = 320;

export class Records {
  private body: usize;
  private at: usize;
  private offsets: usize;
  private count: u32 = 0;

  constructor(most: u32) {
    this.body = allocate(most * EFFECT);
    memory.fill(this.body, 0, most * EFFECT);
    this.at = this.body;
    this.offsets = allocate(most << 2);
  }

  /**
   * table[owner of the seat].field += delta, or table[owner, item].field with an item. Nothing when delta is 0 or there is
   * no world.
   */
  add(table: string, seat: u32, item: u32, field: u32, delta: i32): void {
    if (delta == 0 || !inWorld()) return;
    store<u32>(this.offsets + (this.count << 2), <u32>(this.at - this.body));
    this.count++;
    const keys: u32 = item == 0 ? 1 : 2;
    let at = putWord(this.at, OP_INCREMENT);
    store<u16>(at, 0x6274); // "tb" ‖ namespace (14) ‖ name (16)
    memory.copy(at + 2, namespace_(), 14);
    narrow(table, at + 16);
    at = putWord(at + 32, 128);
    at = putWord(at, 160 + (keys << 5));
    at = putWord(at, keys);
    memory.copy(at + 12, owner(seat), 20);
    at += 32;
    if (item != 0) at = putWord(at, item);
    at = putWord(at, 64); // length of data
    at = putWord(at, field);
    if (delta < 0) memory.fill(at, 0xff, 28);
    this.at = putWord(at, <u32>delta);
  }

  answer(): u64 {
    const heads = this.count << 5;
    const length = <u32>(this.at - this.body);
    const out = allocate(64 + heads + length);
    memory.fill(out, 0, 64 + heads);
    putWord(out, 32);
    putWord(out + 32, this.count);
    for (let k: u32 = 0; k < this.count; k++) putWord(out + 64 + (k << 5), heads + load<u32>(this.offsets + (k << 2)));
    memory.copy(out + 64 + heads, this.body, length);
    return answer(out, 64 + heads + length);
  }
}
