// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The ways in which it is shown that effects follow from a journal; bits of `Policy.modes` (docs/protocol.md §6).
library Modes {
    uint8 internal constant ATTESTED = 1;
    uint8 internal constant EXECUTED = 2;
    uint8 internal constant OPTIMISTIC = 4;
    uint8 internal constant ALL = ATTESTED | EXECUTED | OPTIMISTIC;
}

/// @notice What an effect does (docs/encoding.md 24).
library Ops {
    uint8 internal constant SET = 0;
    uint8 internal constant DELETE = 1;
    uint8 internal constant INCREMENT = 2;
    uint8 internal constant CALL = 3;

    /// @dev Replaces a whole record, so that it must still be what the channel was played over.
    function isWhole(uint8 op) internal pure returns (bool) {
        return op <= DELETE;
    }
}
