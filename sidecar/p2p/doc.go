// Package p2p carries messages between sidecars in order, exactly once per
// sender process, over links that are bound to Ethereum addresses.
//
// A node's libp2p identity is its secp256k1 session key. The peer ID of such a
// key contains the public key, so the noise handshake proves the Ethereum
// address of the other side and no further handshake is needed. Nothing but
// TCP, noise and yamux is spoken: there is no discovery, no relay, no address
// exchange. Peers are those that were added, so nobody can be surrounded by
// strangers (A7), and every queue, frame and wait is bounded (A10).
//
// # Delivery
//
// Each side numbers its messages to one peer from 1 under a random session,
// which names one lifetime of the peer entry in one process. A message stays
// in the sender's queue until it is acknowledged; the receiver acknowledges
// when its user has made durable what the message caused ([Inbound.Ack]). After
// a reconnection the hellos say where each side stands, the sender resumes
// there, and the receiver drops what it has already passed on. When the
// receiving process restarts, messages that were delivered but not yet
// acknowledged are delivered again to the new process: users must treat them as
// idempotent. When the sending process restarts its queue is gone: users
// resynchronise on [Connected].
//
// Both sides may dial at once. Both links then work: messages are sent on the
// newest, received on either, and the side with the lower address retires the
// older one.
//
// # Wire
//
// Protocol id "/op-channels/1.0.0", negotiated by multistream-select, one
// long-lived stream per link in both directions. A stream is a row of frames.
// All uvarints are unsigned LEB128 in the shortest form; fixed integers are
// big-endian; a decoder refuses anything longer than its limit before it
// allocates, and anything left over.
//
//	frame    ┌────────────────┬───────────┬────────────────┐
//	         │ length uvarint │ type byte │ body           │   length = 1 + len(body)
//	         └────────────────┴───────────┴────────────────┘   ≤ 1 + 10 + 1 MiB
//
//	0x01 hello     version uvarint ‖ len uvarint ‖ network (≤ 128 bytes, UTF-8)
//	               ‖ session 8 bytes (not zero) ‖ first uvarint (≥ 1)
//	               ‖ known session 8 bytes ‖ next uvarint
//	               ‖ window messages uvarint (≥ 1) ‖ window bytes uvarint (≥ 1 MiB)
//	0x02 data      id uvarint (≥ 1) ‖ message (≤ 1 MiB)
//	0x03 ack       id uvarint (≥ 1)
//	0x04 goodbye   code byte (≥ 1) ‖ text (≤ 256 bytes, UTF-8)
//
// hello is the first frame in each direction and never repeated. session is the
// sender's, first its lowest unacknowledged id. known session is the last
// session its author saw from the other side (0: none) and next the id expected
// in it (0 when none). The windows bound what the other side may have
// unacknowledged in flight. A hello of another version keeps its meaning up to
// version only.
//
// ack is cumulative: everything up to id is durable at its author. goodbye ends
// the link and says why; see [Code].
package p2p
