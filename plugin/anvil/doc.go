// Package anvil runs Foundry's anvil, the development chain, as a child process of a test, the devnet or the demo.
//
// A Node listens on loopback only, on a port that the kernel picks, and ends with Close, with its context, or with the
// process that started it. Its keys are anvil's well-known ones: they are worth nothing outside a development chain.
package anvil
