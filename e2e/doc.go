// Package e2e holds scenarios that run through real processes: anvil, a MUD World, and sidecars that are started, fed with
// bad input, and killed. What they share is in e2e/devnet and e2e/story.
package e2e
