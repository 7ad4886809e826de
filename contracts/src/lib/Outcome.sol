// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Funding, Guarantee, StateView} from "../Types.sol";
import {IAdjudicator} from "../interfaces/IAdjudicator.sol";

/// @notice Strict reading of the parts of a state that money needs.
///
///     header  lastTimestamp | nonces[0..N-1] | topUps | terminal          N + 3 words (docs/encoding.md 4)
///     funds   word a·(N + b) + slot, slots: participants, beneficiaries   assets · (N + b) words (docs/encoding.md 5)
library Outcome {
    uint256 private constant WORD = 32;

    function stateHash(StateView calldata state) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(state.header), keccak256(state.funds), state.appHash));
    }

    /// @dev The app of a ledger channel in which no guarantee lives.
    function noGuarantees() internal pure returns (bytes32) {
        return keccak256(abi.encode(new Guarantee[](0)));
    }

    function readHeader(bytes calldata header, uint256 participants) internal pure returns (uint32 topUps, bool terminal) {
        if (header.length != (participants + 3) * WORD) revert IAdjudicator.BadHeader();
        for (uint256 i; i <= participants; ++i) {
            if (word(header, i) > type(uint64).max) revert IAdjudicator.BadHeader();
        }
        uint256 topUpsWord = word(header, participants + 1);
        uint256 terminalWord = word(header, participants + 2);
        if (topUpsWord > type(uint32).max || terminalWord > 1) revert IAdjudicator.BadHeader();
        // casting to 'uint32' is safe because the word was compared with its maximum
        // forge-lint: disable-next-line(unsafe-typecast)
        return (uint32(topUpsWord), terminalWord == 1);
    }

    /// @dev Reverts unless the funds have their fixed size and sum to the pot of every asset.
    function requireSums(bytes calldata funds, Funding[] calldata funding, uint256 slots) internal pure {
        if (funds.length != funding.length * slots * WORD) revert IAdjudicator.BadFunds();
        for (uint256 a; a < funding.length; ++a) {
            uint256 left = pot(funding[a]);
            for (uint256 slot; slot < slots; ++slot) {
                uint256 amount = word(funds, a * slots + slot);
                if (amount > left) revert IAdjudicator.WrongSum(a);
                left -= amount;
            }
            if (left != 0) revert IAdjudicator.WrongSum(a);
        }
    }

    /// @dev Reverts on overflow; a Funding that passed `Terms.missing` does not overflow.
    function pot(Funding calldata entry) internal pure returns (uint256 sum) {
        for (uint256 i; i < entry.amounts.length; ++i) {
            sum += entry.amounts[i];
        }
    }

    /// @dev The caller has checked the length.
    function word(bytes calldata data, uint256 index) internal pure returns (uint256) {
        return uint256(bytes32(data[index * WORD:(index + 1) * WORD]));
    }
}
