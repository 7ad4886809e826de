// Package opgeth runs a sidecar inside op-geth: one call of Register on a node.Node before it starts.
//
//	node.Node ── starts, stops last to first ──▶ Plugin ── starts again and again ──▶ sidecar.Service
//	eth backend ── heads, headers, receipts by calls (plugin.Local) ──▶ its feed
//	the node's endpoints: channels_* ──▶ whichever Service runs
//
// # What it may cost the node
//
// A sidecar that cannot start, or ends, is started again while the node goes on (Config.Required says otherwise for the start). Its feed
// never holds a block up: the one subscription to new heads is served by a goroutine that does nothing else and keeps at most one wake-up, and
// blocks are read without the chain's lock, as the node's own RPC reads them. Process, memory and processors are shared, however: what runs out
// for one runs out for both, and a crash of one ends both. Whoever cannot have that runs op-channels beside the node.
//
// # Who may call it
//
// channels_* moves money. It is on the node's authenticated endpoint (the engine's, with its JWT) and its IPC socket, and on the public HTTP
// and WebSocket endpoints only with Config.Public, for whose modules it must be named as well. The namespace admin is the node's.
package opgeth
