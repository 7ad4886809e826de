// Reads what Solidity's abi.encode wrote, and writes its words. Every read is checked against the end of the
// input; integers above 32 bits are read as words, because nothing that a module counts is larger.

import { reject } from "./host";

/** A view of words. `base` is where offsets inside it count from. */
export class AbiReader {
  constructor(public base: usize, public end: usize) {}

  /** Address of word `index`. */
  word(index: u32): usize {
    const at = (<u64>this.base) + ((<u64>index) << 5);
    if (at + 32 > <u64>this.end) reject("the input ends too early");
    return <usize>at;
  }

  /** Word `index` as an integer below 2^32. */
  uint(index: u32): u32 {
    const at = this.word(index);
    if ((load<u64>(at) | load<u64>(at + 8) | load<u64>(at + 16) | <u64>load<u32>(at + 24)) != 0) {
      reject("an integer is too large");
    }
    return bswap<u32>(load<u32>(at + 28));
  }

  /** What the offset in word `index` points to. */
  tail(index: u32): AbiReader {
    const at = (<u64>this.base) + (<u64>this.uint(index));
    if (at > <u64>this.end) reject("the input ends too early");
    return new AbiReader(<usize>at, this.end);
  }

  /** The same view without its first `words` words: elements of an array after its length. */
  skip(words: u32): AbiReader {
    this.word(words - 1);
    return new AbiReader(this.base + ((<usize>words) << 5), this.end);
  }

  /** Address of the content of a `bytes` whose length is word 0. Its length is `this.uint(0)`. */
  bytes(): usize {
    const at = this.base + 32;
    if ((<u64>at) + (<u64>this.uint(0)) > <u64>this.end) reject("the input ends too early");
    return at;
  }
}

/** Writes an integer below 2^32 as a word over 32 zero bytes and gives the address after it. */
export function putWord(at: usize, value: u32): usize {
  store<u32>(at, bswap<u32>(value), 28);
  return at + 32;
}
