// Package opdevnet runs a real op-stack chain on loopback: op-geth, op-node as its sequencer and op-batcher, with anvil as L1.
//
// The L2 begins in Jovian with the predeploys and preinstalls of that fork, as package op-core/nuts/state of optimism keeps
// them. Batches go to L1 as calldata, and the safe head follows from them. Three things differ from a chain in production:
//
//   - L1 has no consensus layer, so Beacon answers the few questions that op-node asks one. Nothing is ever read from blobs.
//   - The OptimismPortal is the one whose bytecode optimism ships for Go. It ships none of SystemConfig, so that a contract
//     that knows nothing but the limits of deposits stands in its place: the configuration never changes, and no withdrawal
//     can be proven.
//   - Everybody knows the keys.
//
// The programs are built by `make op-binaries` from the module in e2e/opstack, because they need other versions of modules
// than the project.
//
//	DIR/genesis.json, rollup.json, l1.json    what the L2 begins from
//	DIR/geth/                                 op-geth's data
//	DIR/logs/{anvil,op-geth,op-node,op-batcher}.log
package opdevnet
