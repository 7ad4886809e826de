// Package load puts sidecars beside a sequencer under the load of a World: many open channels, of which some are raids that are
// played all the time. It measures the chain alone first, and with the load then, and afterwards looks for every event that a
// sidecar acknowledged in the journals of all participants.
//
// The raids are real: each has its ticket, its stakes on chain, dice and signatures of three participants, and ends with a conclusion
// and a settlement into the World. When one ends, an open channel takes its place and another is opened.
package load
