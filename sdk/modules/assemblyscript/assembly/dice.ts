// Fair dice and cards from commit-reveal. Everybody commits to the tip of a hash chain; in each round everybody reveals
// the link before the last one shown. All the links of a round, hashed together, are the round's seed: nobody
// knows it before the last link is shown, and nobody can choose it. The last one to reveal can only keep
// silent, which the game's timeout rule must make dear.
//
// A link is bound to its seat: who copies another's tip can never reveal.

import { allocate, keccak256, reject, same } from "./host";

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
  private size: usize;

  constructor(seats: u32) {
    this.size = (<usize>seats) << 5;
    this.base = allocate(this.size + 4);
  }

  add(link: usize): void {
    if (this.used == this.size) reject("too many links");
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
    if (k > 7 || sides == 0) reject("no such die");
    return (load<u32>(this.base + (k << 2), 36) % sides) + 1;
  }
}

/** Numbers without bias, as many as needed: block i is keccak256(seed ‖ salt ‖ i), both 4 bytes, little-endian. */
export class Random {
  private base: usize;
  private block: u32 = 0;
  private used: u32 = 8;

  constructor(seed: usize, salt: u32) {
    this.base = allocate(72);
    memory.copy(this.base, seed, 32);
    store<u32>(this.base, salt, 32);
  }

  /** 0..n-1, each as likely: what would favour the small ones is thrown away. */
  below(n: u32): u32 {
    if (n == 0) reject("a choice of none");
    const fair: u64 = (<u64>0x100000000 / <u64>n) * <u64>n;
    let v = this.next();
    while (<u64>v >= fair) v = this.next();
    return v % n;
  }

  private next(): u32 {
    if (this.used == 8) {
      store<u32>(this.base, this.block, 36);
      keccak256(this.base, 40, this.base + 40);
      this.block++;
      this.used = 0;
    }
    return load<u32>(this.base + (this.used++ << 2), 40);
  }
}

/** Puts `count` cards, one byte each, into an order that nobody chose (Fisher and Yates, from the last card). */
export function shuffle(random: Random, cards: usize, count: u32): void {
  for (let i = count; i > 1; i--) {
    const j = random.below(i);
    const last = load<u8>(cards + i - 1);
    store<u8>(cards + i - 1, load<u8>(cards + j));
    store<u8>(cards + j, last);
  }
}
