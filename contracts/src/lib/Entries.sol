// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Messages} from "./Messages.sol";

/// @notice The packed entries of a `Chunk` (interfaces/IPublications.sol), read one after the other without copying them.
///
///     event   0x00 ‖ author (1) ‖ nonce (8) ‖ notAfter (8) ‖ timestamp (8) ‖ length (2) ‖ payload
///     top-up  0x01 ‖ index (4)
library Entries {
    uint256 internal constant MAX_PAYLOAD = 4 * 1024;

    uint8 internal constant KIND_EVENT = 0;
    uint8 internal constant KIND_TOP_UP = 1;

    uint256 private constant EVENT_HEAD = 28;
    uint256 private constant TOP_UP_LENGTH = 5;

    /// @param index Of a top-up.
    /// @param payload Where the payload of an event begins in the entries, and its length.
    struct Entry {
        uint8 kind;
        uint8 author;
        uint64 nonce;
        uint64 notAfter;
        uint64 timestamp;
        uint32 index;
        uint256 payload;
        uint256 length;
    }

    /// @dev Reads the entry at `at` into `e`. `end` is where it ends, 0 when there is none: cut off, of an unknown kind, or
    /// with a payload over the limit, which no honest participant signs.
    function read(bytes calldata entries, uint256 at, Entry memory e) internal pure returns (uint256 end) {
        uint256 left = entries.length - at;
        if (left < TOP_UP_LENGTH) return 0;
        uint256 head; // 32 bytes; those behind the entries are not used
        assembly ("memory-safe") {
            head := calldataload(add(entries.offset, at))
        }
        uint256 kind = head >> 248;
        if (kind == KIND_TOP_UP) {
            e.kind = KIND_TOP_UP;
            e.index = uint32(head >> 216);
            return at + TOP_UP_LENGTH;
        }
        if (kind != KIND_EVENT || left < EVENT_HEAD) return 0;
        e.kind = KIND_EVENT;
        e.author = uint8(head >> 240);
        e.nonce = uint64(head >> 176);
        e.notAfter = uint64(head >> 112);
        e.timestamp = uint64(head >> 48);
        e.payload = at + EVENT_HEAD;
        e.length = uint16(head >> 32);
        if (e.length > MAX_PAYLOAD || e.length > left - EVENT_HEAD) return 0;
        return e.payload + e.length;
    }

    /// @dev The entry's eventHash (docs/encoding.md 3 and 8).
    function hash(bytes32 channelId, bytes calldata entries, Entry memory e) internal pure returns (bytes32) {
        if (e.kind == KIND_TOP_UP) return topUpHash(channelId, e.index);
        return eventHash(channelId, e, payloadOf(entries, e));
    }

    function payloadOf(bytes calldata entries, Entry memory e) internal pure returns (bytes calldata) {
        return entries[e.payload:e.payload + e.length];
    }

    function topUpHash(bytes32 channelId, uint32 index) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0x02), channelId, index));
    }

    /// @dev The same as `Messages.hash(Event)`, in memory that is used again: a chunk has hundreds of events.
    function eventHash(bytes32 channelId, Entry memory e, bytes calldata payload) private pure returns (bytes32 digest) {
        bytes32 typeHash = Messages.EVENT_TYPEHASH;
        (uint256 author, uint256 nonce, uint256 notAfter, uint256 time) = (e.author, e.nonce, e.notAfter, e.timestamp);
        assembly ("memory-safe") {
            let m := mload(0x40)
            calldatacopy(m, payload.offset, payload.length)
            let payloadHash := keccak256(m, payload.length)
            mstore(m, typeHash)
            mstore(add(m, 0x20), channelId)
            mstore(add(m, 0x40), author)
            mstore(add(m, 0x60), nonce)
            mstore(add(m, 0x80), notAfter)
            mstore(add(m, 0xa0), time)
            mstore(add(m, 0xc0), payloadHash)
            digest := keccak256(m, 0xe0)
        }
    }
}
