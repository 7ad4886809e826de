// Package mudbridge speaks to MUD Worlds in their own bytes, so that what a channel decided can be written into
// ordinary MUD tables and what is in a World can be read, in Go. It encodes and decodes, and reads through a
// go-ethereum contract caller; it signs nothing and sends nothing.
//
// The encodings are those of MUD's store and world packages, version 2.2 (store protocol 2.0.2). They are pinned by
// vectors that MUD's own TypeScript packages wrote (testdata/generate.mjs) and that MUD's Solidity libraries check
// (contracts/test/MudVectors.t.sol). Every decoder is strict: what it accepts encodes to the same bytes again.
//
// # Resource id
//
// 32 bytes. Type is "tb" (table), "ot" (off-chain table), "ns" (namespace) or "sy" (system); namespace and name are
// padded with zeros on the right. A namespace's id has no name. The label people see is namespace__name.
//
//	 0      2                            16                              32
//	+------+----------------------------+--------------------------------+
//	| type |         namespace          |              name              |
//	+------+----------------------------+--------------------------------+
//
// # Schema
//
// 32 bytes: the total length of the static fields in bytes, how many static and dynamic fields there are, and one
// [SchemaType] per field, static ones first, at most 28 fields of which at most 5 dynamic. Unused bytes are zero.
//
//	 0              2         3         4                                32
//	+--------------+---------+---------+------+------+------ - - --------+
//	| staticLength | statics | dynamic | type | type | …            zero |
//	+--------------+---------+---------+------+------+------ - - --------+
//
// # Field layout
//
// The same frame, with the byte length of each static field in place of the types.
//
//	 0              2         3         4                                32
//	+--------------+---------+---------+------+------+------ - - --------+
//	| staticLength | statics | dynamic | len  | len  | …            zero |
//	+--------------+---------+---------+------+------+------ - - --------+
//
// # Key tuple
//
// One 32-byte word per key field, as abi.encode makes it: numbers and addresses on the right (negative numbers sign
// extended), bytesN on the left. Keys have static types only.
//
// # Record
//
// Three parts. Static data holds the static fields, packed big-endian without padding in the order of the schema.
// Dynamic data holds the dynamic fields one after the other: bytes and strings as they are, arrays as their elements
// packed like static fields. The encoded lengths say how long each dynamic field is, in bytes, and all of them
// together; the first field's length is next to the total, and fields that do not exist have length zero.
//
//	 0              5       10      15      20      25            32
//	+--------------+-------+-------+-------+-------+--------------+
//	| len 4 (5 B)  | len 3 | len 2 | len 1 | len 0 |  total (7 B) |
//	+--------------+-------+-------+-------+-------+--------------+
//
// # Values
//
// What Go values the decoders give for MUD types:
//
//	uint8 … uint64      uint64
//	uint72 … uint256    *uint256.Int
//	int8 … int64        int64
//	int72 … int256      *big.Int
//	bytes1 … bytes32    []byte of that length
//	bool                bool
//	address             common.Address
//	bytes               []byte
//	string              string (UTF-8)
//	T[]                 []any of what T gives
//
// The encoders take these, any Go integer, *big.Int or *uint256.Int in the range of the type, and common.Hash for
// bytes32.
//
// # Storage
//
// With h = keccak256(tableId ‖ key words), the static data starts at slot keccak256("mud.store") ^ h, the encoded
// lengths are at keccak256("mud.store.dynamicDataLength") ^ h, and dynamic field i starts at
// keccak256("mud.store.dynamicData") ^ (i in the first byte) ^ h; long data continues in the slots that follow.
//
// # Effects
//
// An effect (docs/protocol.md §1, docs/encoding.md 24) is {op, resourceId, key, data}; the data of each op:
//
//	set        abi.encode(bytes staticData, bytes32 encodedLengths, bytes dynamicData)
//	delete     nothing
//	increment  abi.encode(uint8 field, int256 delta)
//	call       selector (4 bytes) ‖ arguments; resourceId is a system, and there is no key
package mudbridge
