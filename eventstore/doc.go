// Package eventstore keeps what a sidecar must never lose or contradict: journals, signatures, objectives, chain facts,
// snapshots and the node's own log, in one Pebble database with one writer.
//
// # Promises
//
//   - A batch is written whole or not at all. Commit with sync returns after the write-ahead log is on disk (fsync);
//     then everything committed before it is on disk too, because the log is one sequence.
//   - A journal only grows by one entry after the last (ErrNotAppend), nothing in it is ever overwritten.
//   - The record of what was signed cannot be contradicted (protocol §3, S1, S2, S5): another Update at the same or a
//     lower seq, an Update that is not the root of the journal kept here, an Update after a Close, a second Close in a
//     phase are all ErrContradiction, and nothing of their batch is written.
//   - A copy made by Backup signs no more Updates for the channels it holds (S6, ErrFrozen).
//   - After an error of the disk the store is poisoned: every later Commit fails with ErrPoisoned. What the kernel keeps
//     after a failed fsync is unknown, so the only honest way on is a restart, which reads back what is really there.
//
// # Checksums
//
// Pebble checks a CRC-32C of every write-ahead log record and of every sstable block when it reads them; records carry
// none of their own. What Pebble finds, and every record that does not decode, is ErrCorrupt with the key named. Journals
// are checked beyond that: Check and Verify rebuild the root and compare it with what was signed.
//
// # Keys
//
// Integers are big-endian, so that the order of keys is the order of numbers. id is a channelId.
//
//	0x00 "schema"                          schema version of the whole store, 4 bytes
//	'c' ‖ id(32) ‖ 0x01                    channel
//	'c' ‖ id(32) ‖ 0x02                    signed: the newest Update signed by this node
//	'c' ‖ id(32) ‖ 0x03                    supported: the newest Update signed by all
//	'c' ‖ id(32) ‖ 0x04 ‖ inDispute(1)     Close signed by this node
//	'c' ‖ id(32) ‖ 0x05 ‖ nonce(8)         pending: own event that is not in the journal yet
//	'c' ‖ id(32) ‖ 0x06 ‖ seq(8)           entry, seq from 1; leaf 0 is in the channel record
//	'c' ‖ id(32) ‖ 0x07 ‖ seq(8)           snapshot of the state after seq
//	'c' ‖ id(32) ‖ 0x08 ‖ block(8) ‖ log(4)  index of facts by channel, no value
//	'c' ‖ id(32) ‖ 0x09                    frozen: this copy is a backup
//	'e' ‖ index(8)                         node event
//	'f' ‖ block(8) ‖ log(4)                fact
//	'g' ‖ index(8)                         feed: what was committed, in order
//	'k' ‖ name                             cursor
//	'm' ‖ key                              meta
//	'o' ‖ objective id                     objective
//
// # Records
//
// Every record starts with its version. A decoder refuses other versions (code "version"), trailing bytes and fields
// out of bounds (code "malformed"); only one encoding of a value is accepted.
//
//	channel    | 1 | RLP [abi(Params), abi(Funding[]), genesis input, me, created at, status, stateHash_0]
//	signed     | 1 | seq 8 | journalRoot 32 | stateHash 32 |
//	supported  | 1 | seq 8 | journalRoot 32 | stateHash 32 | n 1 | n signatures of 65 |
//	close      | 1 | seq 8 | stateHash 32 |
//	pending    | 1 | author 1 | notAfter 8 | timestamp 8 | signature 65, zero before it is signed | payload |
//	entry      | 1 | 0 | stateHash 32 | author 1 | nonce 8 | notAfter 8 | timestamp 8 | signature 65 | payload |
//	           | 1 | 1 | stateHash 32 | top-up index 4 |
//	snapshot   | 1 | n 1 | n peaks of 32 | state |
//	objective  | 1 | RLP [kind, channel, status, version, data]
//	fact       | 1 | RLP [block hash, tx hash, channel, kind, data]
//	cursor     | 1 | number 8 | hash 32 |
//	node event | 1 | MessagePack {body, kind, time, v}, see EventBody
//	feed       | 1 | 0 | channel 32 | seq 8 |
//	           | 1 | 1 | node event index 8 |
//	frozen     | 1 | UNIX seconds 8 |
package eventstore
