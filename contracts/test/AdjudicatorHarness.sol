// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Adjudicator} from "../src/Adjudicator.sol";
import {Update} from "../src/Types.sol";

/// @dev Final without payment, as a dispute ends: the only way to see `payout` at work on its own.
contract AdjudicatorHarness is Adjudicator {
    constructor(uint32 minWindow_) Adjudicator(minWindow_) {}

    function finalize(bytes32 id, Update calldata update) external {
        _finalize(id, update);
    }
}
