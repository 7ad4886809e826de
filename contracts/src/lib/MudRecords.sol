// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";

/// @notice Names and bytes of records in effects and snapshots (docs/encoding.md 24, 25).
library MudRecords {
    uint256 private constant WORD = 32;

    function name(bytes32 resourceId, bytes32[] memory key) internal pure returns (bytes32) {
        return keccak256(abi.encode(resourceId, key));
    }

    /// @dev Reads exactly what `abi.encode(bytes staticData, bytes32 encodedLengths, bytes dynamicData)` gives:
    ///
    ///     0x60 | lengths | at = 0x80 + |static| padded | |static| | static, padded | |dynamic| | dynamic, padded
    ///
    /// and never reverts.
    function decode(bytes memory data)
        internal
        pure
        returns (bool ok, bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData)
    {
        // Lengths above the whole are refused first, so that nothing overflows.
        if (data.length < 5 * WORD || _word(data, 0) != 3 * WORD) return (false, "", lengths, "");
        uint256 size = _word(data, 3 * WORD);
        if (size > data.length) return (false, "", lengths, "");
        uint256 at = 4 * WORD + _padded(size);
        if (at + WORD > data.length || _word(data, 2 * WORD) != at) return (false, "", lengths, "");
        size = _word(data, at);
        if (size > data.length || at + WORD + _padded(size) != data.length) return (false, "", lengths, "");

        bytes32 packed;
        (staticData, packed, dynamicData) = abi.decode(data, (bytes, bytes32, bytes));
        // The padding is zero.
        ok = keccak256(abi.encode(staticData, packed, dynamicData)) == keccak256(data);
        lengths = EncodedLengths.wrap(packed);
    }

    function _padded(uint256 size) private pure returns (uint256) {
        return (size + WORD - 1) / WORD * WORD;
    }

    /// @dev The caller has checked the length.
    function _word(bytes memory data, uint256 at) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 0x20), at))
        }
    }
}
