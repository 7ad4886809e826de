// Package e2e holds scenarios that run through real processes: a chain, a MUD World, and sidecars that are started, fed with
// bad input, and killed. What they share is in e2e/devnet and e2e/story.
//
// The chain is anvil. With the build tag opstack it is op-geth with op-node and op-batcher (`make test-op`).
package e2e
