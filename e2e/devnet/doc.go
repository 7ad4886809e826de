// Package devnet brings up everything that a raid needs on one machine: a chain with the contracts and a MUD World, and
// sidecars as separate processes. The chain is anvil, or an op-stack of package opdevnet. The demo, `op-channels devnet` and the scenario tests all stand on it.
//
// Nothing in it is for production: the keys that pay are the public ones of every development chain.
//
//	DIR/devnet.json              what is where, see File
//	DIR/modules/                 raid.wasm with raid.manifest.json
//	DIR/keys/NAME.session.key    and operator.attestor.key, hex, 0600
//	DIR/data/NAME/               a sidecar's store
//	DIR/logs/NAME.log            its log; anvil.log is the chain's, with op-geth.log, op-node.log, op-batcher.log on an op-stack
//	DIR/chain/                   an op-stack's genesis and data
package devnet
