// Fair dice from commit-reveal. Everybody commits to the tip of a hash chain; in each round everybody reveals
// the link before the last one shown. All the links of a round, hashed together, are the round's seed: nobody
// knows it before the last link is shown, and nobody can choose it. The last one to reveal can only keep
// silent, which the game's timeout rule must make dear.
//
// A link is bound to its seat: who copies another's tip can never reveal.

import { allocate, keccak256, same } from "./host";

/** `link` is what seat `seat` hashed to get `tip`: tip = keccak256(seat (1 byte) ‖ link). */
export function precedes(seat: u32, link: usize, tip: usize): bool {
  const at = allocate(72);
  store<u8>(at, <u8>seat);
  memory.copy(at + 1, link, 32);
  keccak256(at, 33, at + 40);
  return same(at + 40, tip, 32);
}

/** Collects the links of a round, in the order of seats. */
export class Pool {
  private base: usize;
  private used: usize = 0;

  constructor(seats: u32) {
    this.base = allocate(((<usize>seats) << 5) + 4);
  }

  add(link: usize): void {
    memory.copy(this.base + this.used, link, 32);
    this.used += 32;
  }

  /** out = keccak256(links ‖ round (4 bytes, little-endian)). */
  seed(round: u32, out: usize): void {
    store<u32>(this.base + this.used, round);
    keccak256(this.base, this.used + 4, out);
  }
}

/** Eight dice, cast as often as needed: keccak256(seed ‖ salt (4 bytes, little-endian)), read as eight integers. */
export class Dice {
  private base: usize;

  constructor(seed: usize) {
    this.base = allocate(68);
    memory.copy(this.base, seed, 32);
  }

  cast(salt: u32): void {
    store<u32>(this.base, salt, 32);
    keccak256(this.base, 36, this.base + 36);
  }

  /** Die `k` (0..7) of the last cast, with `sides` sides, 1..sides. For few sides the bias of 2^32 mod sides is below 10^-7. */
  die(k: u32, sides: u32): u32 {
    return (load<u32>(this.base + (k << 2), 36) % sides) + 1;
  }
}
