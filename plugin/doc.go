// Package plugin attaches a sidecar to its L2 nodes: it follows heads and logs, and sends transactions.
//
// It speaks standard Ethereum JSON-RPC, so op-geth, op-reth and anvil serve alike. It knows nothing of channels: logs go
// out as they are, and calldata comes in ready.
//
// # Nodes
//
// One of several execution clients is in use at a time, the most preferred that has no Fault. A Step is asked of one of them as a whole.
// Over every new connection a node shows first that it is of the right chain: chain id, and the block that the chain starts with.
// With Config.VerifyReceipts the logs of a block are compared with what its hash commits to: hash, header, receipts root,
// receipts, logs; among blocks that are followed one by one also for logs that were left out, by the header's bloom filter. That
// a block is the chain's follows from its hash being an ancestor of one that the op-node calls safe.
//
// A client in the same process (Config.Local) is one of them, the most preferred: its heads, headers and receipts come by calls instead of
// JSON-RPC, and everything said here holds for it too.
//
// # Trust
//
// A block is unsafe when the sequencer gossiped it, safe when it can be derived from data on L1, final when that data is
// final on L1 (Level). Unsafe blocks can be reorganised; what depends on a block says which level it wants. With
// Config.RollupRPC an op-node says what is safe and final, and the execution client must have that very block; while no op-node
// answers, trust stays where it was. Without one it is the execution client's tags.
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
// Chain.Built is a hint from elsewhere that the sequencer has made a block (package pushfeed): Follow then looks for it at once. A block
// counts only when the execution client has it.
//
// # Transactions
//
// Submitter sends calls in the order in which they were submitted, over op-service's transaction manager, and reports
// what became of each.
package plugin
