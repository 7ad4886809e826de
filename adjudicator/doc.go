// Package adjudicator is the Go side of the protocol's contracts: calls to make, state to read, facts to take from logs,
// refusals to understand, and where the contracts are (docs/protocol.md §5, §6).
//
// It sends nothing and follows nothing: calls are values for whoever sends transactions, facts are made of logs that
// somebody else followed.
//
// # Addresses
//
// The contracts are deployed with CREATE2 through the deterministic deployer, so that their addresses follow from the
// creation code, the constructor's arguments and a salt (EIP-1014):
//
//	0x4e59b44847b379578588920cA78FbF26c0B4956C  takes  salt (32 bytes) ‖ creation code ‖ abi.encode(arguments)
//	address = H(0xff ‖ deployer ‖ salt ‖ H(creation code ‖ abi.encode(arguments)))[12:]
//
// # Facts
//
// A fact is one log, decoded strictly: other bytes that would decode to the same values are refused. Its identity is the
// hash of its block and the index of its log, so a reorganised log is another fact.
package adjudicator
