// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Effect} from "../Types.sol";

/// @notice Reads what a module's `effects` returned (docs/encoding.md 24). A decoder that reverts could not be told from one
/// that ran out of gas, so this one answers false instead; it never looks at an offset, gives zeros beyond the end, and what
/// it read must encode to the bytes it was given. Memory stays in proportion to the input.
library Effects {
    uint256 internal constant MAX_EFFECTS = 32;
    uint256 internal constant MAX_BYTES = 8 * 1024;

    uint256 private constant WORD = 32;
    uint256 private constant OP_CALL = 3;

    struct Reader {
        bytes data;
        uint256 at;
    }

    /// @dev True only for the bytes `abi.encode(list)` of at most 32 effects with known ops, at most 8 KiB.
    function decode(bytes memory data) internal pure returns (bool, Effect[] memory list) {
        if (data.length > MAX_BYTES) return (false, list);
        Reader memory r = Reader(data, WORD); // the first word is the array's offset
        uint256 count = readCount(r);
        if (count > MAX_EFFECTS) return (false, list);
        r.at += count * WORD; // the effects' offsets
        list = new Effect[](count);
        for (uint256 i; i < count; ++i) {
            Effect memory e = list[i];
            uint256 op = readWord(r);
            if (op > OP_CALL) return (false, new Effect[](0));
            e.op = uint8(op);
            e.resourceId = bytes32(readWord(r));
            r.at += 2 * WORD; // the offsets of key and data
            e.key = new bytes32[](readCount(r));
            for (uint256 j; j < e.key.length; ++j) {
                e.key[j] = bytes32(readWord(r));
            }
            e.data = readBytes(r);
        }
        bytes memory again = abi.encode(list);
        if (again.length != data.length || keccak256(again) != keccak256(data)) return (false, new Effect[](0));
        return (true, list);
    }

    function readWord(Reader memory r) private pure returns (uint256 value) {
        bytes memory data = r.data;
        uint256 at = r.at;
        r.at = at + WORD;
        if (at + WORD > data.length) return 0;
        assembly ("memory-safe") {
            value := mload(add(add(data, 0x20), at))
        }
    }

    /// @dev A length, at most the words that are left: each member has one.
    function readCount(Reader memory r) private pure returns (uint256) {
        uint256 value = readWord(r);
        uint256 left = r.at < r.data.length ? (r.data.length - r.at) / WORD : 0;
        return value < left ? value : left;
    }

    function readBytes(Reader memory r) private pure returns (bytes memory out) {
        uint256 length = readWord(r);
        uint256 left = r.at < r.data.length ? r.data.length - r.at : 0;
        if (length > left) length = left;
        out = new bytes(length);
        bytes memory data = r.data;
        uint256 at = r.at;
        assembly ("memory-safe") {
            mcopy(add(out, 0x20), add(add(data, 0x20), at), length)
        }
        r.at = at + ((length + WORD - 1) & ~(WORD - 1));
    }
}
