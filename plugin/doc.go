// Package plugin attaches a sidecar to its L2 node: it follows heads and logs, and sends transactions.
//
// It speaks standard Ethereum JSON-RPC, so op-geth, op-reth and anvil serve alike. It knows nothing of channels: logs go
// out as they are, and calldata comes in ready.
//
// # Trust
//
// A block is unsafe when the sequencer gossiped it, safe when it can be derived from data on L1, final when that data is
// final on L1 (Level). Unsafe blocks can be reorganised; what depends on a block says which level it wants.
//
// # Feed
//
// Chain.Follow turns a chain that reorganises into a sequence of Steps without gaps or duplicates:
//
//	Step{Logs of blocks 11..13, Unsafe 13}  Step{Rewind 12}  Step{Logs of blocks 13'..14', Unsafe 14'}
//
// Everything derived from blocks above Rewind is to be forgotten; the next Steps bring what replaced them. Whoever stores
// Step.Unsafe together with what it derived from the Step can stop at any time and go on from there: a reorganisation
// that happened meanwhile is found by the hash.
//
// # Transactions
//
// Submitter sends calls in the order in which they were submitted, over op-service's transaction manager, and reports
// what became of each.
package plugin
