// Package proof is the pure part of fraud proofs (docs/protocol.md §6): how a journal is packed for its publication, and how the
// first leaf that is not right is found and proven.
//
// No I/O, no clock. What a journal gives depends on the Rules of the channel and on the journal alone, so everybody who looks
// finds the same leaf.
//
// # Entries
//
// A chunk of a journal carries its entries packed one after the other, big-endian, as IPublications.Chunk says:
//
//	event   0x00 ‖ author (1) ‖ nonce (8) ‖ notAfter (8) ‖ timestamp (8) ‖ length (2) ‖ payload [‖ stateHash (32)]
//	top-up  0x01 ‖ index (4) [‖ stateHash (32)]
//
// with the stateHash where the journal is published, without where the chain executes it. Leaf 0 is no entry: its eventHash is
// the genesisHash. An event of another channel has no packed form, and neither has a payload above channel.MaxPayload: journals
// that hold one cannot be published.
//
// # Right and wrong
//
// A leaf is right when its stateHash is what δ gives from the previous right leaf, or the previous stateHash when δ rejects the
// entry. Leaf 0 is right when `init` accepts and gives its stateHash. By induction everything before the first wrong leaf can be
// derived by whoever has the entries, so that leaf can be proven: Witness is all that `disprove` needs.
package proof
