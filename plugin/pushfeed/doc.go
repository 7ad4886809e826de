// Package pushfeed takes the blocks that an op-node builds, at the moment it has built them, without standing in its way.
//
// An op-node with --conductor.enabled gives each block to an op-conductor before it puts it into its own execution client, and builds nothing
// while that does not answer. So two programs share the work:
//
//	op-node ── conductor_* ──▶ Conductor (op-channels push-feed) ── Forwarder ──▶ Receiver (sidecar) ──▶ plugin.Chain.Built
//	                              │ may pass everything on to a real op-conductor
//
// Conductor is what op-node depends on. It reads a request, answers from memory, and keeps nothing: no disk, no store, no lock that anybody
// holds for long, and no look at the block. Forwarder hands blocks on in its own time, drops the oldest when a sidecar is slow, and
// never makes Conductor wait. Receiver is the sidecar's end. It is no conductor, so that no op-node can be made to depend on a sidecar.
//
// Receiver checks what it gets: the hash is computed again from the payload, and the parent must be the block before or one that the
// execution client has. What is left is still only a hint that a block is to be looked for (plugin.Chain.Built).
//
// # Requests
//
// JSON-RPC over HTTP, one request each, Content-Type application/json:
//
//	{"jsonrpc":"2.0","id":7,"method":"conductor_commitUnsafePayload","params":[{"executionPayload":{…},"parentBeaconBlockRoot":"0x…"}]}
//
// Between Forwarder and Receiver the same bytes travel on.
package pushfeed
