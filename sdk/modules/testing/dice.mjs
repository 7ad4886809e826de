// The player's side of commit and reveal.

import { keccak256 } from "viem";

/** A chain of `length` links from a secret of 32 bytes: commit to `tip`, then reveal `next()` once in each round. */
export class Chain {
  constructor(seat, secret, length) {
    this.links = [secret];
    for (let i = 0; i < length; i++) {
      this.links.push(keccak256(new Uint8Array([seat, ...this.links.at(-1)]), "bytes"));
    }
    this.tip = this.links.pop();
  }

  /** The link before the last one shown. */
  next() {
    const link = this.links.pop();
    if (link === undefined) throw new Error("the chain is used up: make it as long as the game can be");
    return link;
  }
}
