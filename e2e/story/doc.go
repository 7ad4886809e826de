// Package story plays the first raid on a development chain from the opening to the records in the World, and checks on
// the way everything that it promised: that is the demo, and a scenario test.
//
// Nothing that is checked is taken from where it was made: states are derived again by a spectator, amounts and records are
// read from the chain, and the journals are replayed by fresh processes.
package story
