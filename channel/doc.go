// Package channel is the vocabulary of a state channel: parameters, events, states, the journal, the messages that are
// signed, and δ, the transition from one state to the next.
//
// It is pure: no I/O, no clock, no goroutine, no logger. What it encodes is read by Solidity and TypeScript too and pinned
// by the golden vectors in testdata/.
//
// # Bytes
//
// Identifiers and hashes (H = keccak256, ‖ = concatenation):
//
//	channelId   = H(abi.encode(Params))                 one argument: the bytes start with the word 0x20
//	fundingHash = H(abi.encode(Funding[]))
//	moduleHash  = H(abi.encode(programHash, fuelLimit, pageLimit, maxEvents, flags))   flags: bit 0 sparse, bit 1 independent
//	eventHash_i = EIP-712 struct hash of Event;         eventHash_0 = genesisHash = H(genesis input)
//	              top-up: H(0x02 ‖ channelId ‖ index)   index 4 bytes big-endian
//	leaf_i      = H(0x00 ‖ eventHash_i ‖ stateHash_i)   RFC 9162 §2.1.1
//	node        = H(0x01 ‖ left ‖ right)
//
// A State is header ‖ funds ‖ app. Every integer is a 32-byte big-endian word; there are no offsets or lengths:
//
//	+---------------+-----------+-----+-------------+--------+----------+
//	| lastTimestamp | nonces[0] | ... | nonces[N-1] | topUps | terminal |   header, N + 3 words
//	+---------------+-----------+-----+-------------+--------+----------+
//	| asset 0: participants 0..N-1, beneficiaries 0..b-1 | asset 1: ... |   funds, assets · (N + b) words
//	+----------------------------------------------------+--------------+
//	| the module's own bytes, at most 16 KiB                            |   app
//	+-------------------------------------------------------------------+
//	stateHash = H(abi.encode(H(header), H(funds), H(app)))
//
// What `reduce` gets beside the state:
//
//	byte 0     1      2   3       4      5-7   8-15   16-23  24-31  32..
//	    +------+------+---+-------+------+-----+------+------+------+---------+
//	    | kind |author| N | assets| N + b|  0  | time | seq  | nonce| payload |   time, seq, nonce little-endian
//	    +------+------+---+-------+------+-----+------+------+------+---------+
//	kind: 0 event, 1 top-up, 2 timeout
//
// and what `init` and `reduce` return: terminal (1 byte) ‖ funds (exact length) ‖ app.
//
// A signature is 65 bytes r ‖ s ‖ v over an EIP-712 digest, v 27 or 28, low s.
package channel
