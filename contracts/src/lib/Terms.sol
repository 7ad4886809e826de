// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Funding, Params} from "../Types.sol";
import {IAdjudicator} from "../interfaces/IAdjudicator.sol";

/// @notice The limits of docs/protocol.md §1 and docs/encoding.md 13-15 on what a channel may be.
library Terms {
    uint256 internal constant MAX_PARTICIPANTS = 16;
    uint256 internal constant MAX_BENEFICIARIES = 8;
    uint256 internal constant MAX_GUARANTORS = 4;
    uint256 internal constant MAX_ASSETS = 8;
    uint256 internal constant MAX_WINDOW = 30 days;
    uint256 internal constant MAX_FORCE_QUOTA = 256;
    uint256 internal constant MAX_FUNDING_PERIOD = 7 days;

    function channelId(Params calldata params) internal pure returns (bytes32) {
        return keccak256(abi.encode(params));
    }

    function requireFunding(Params calldata params, Funding[] calldata funding) internal pure {
        if (keccak256(abi.encode(funding)) != params.fundingHash) revert IAdjudicator.WrongFunding();
    }

    function requireParams(Params calldata params, uint256 minWindow) internal pure {
        uint256 participants = params.participants.length;
        if (participants < 2 || participants > MAX_PARTICIPANTS) revert IAdjudicator.BadParticipantCount();
        if (params.beneficiaries.length > MAX_BENEFICIARIES) revert IAdjudicator.TooManyBeneficiaries();
        if (params.guarantors.length > MAX_GUARANTORS) revert IAdjudicator.TooManyGuarantors();
        if (params.window < minWindow || params.window > MAX_WINDOW) revert IAdjudicator.BadWindow();
        if (params.forceQuota == 0 || params.forceQuota > MAX_FORCE_QUOTA) revert IAdjudicator.BadForceQuota();
        if (params.sequencer >= participants) revert IAdjudicator.BadSequencer();

        address[] memory keys = new address[](participants + params.guarantors.length);
        for (uint256 i; i < keys.length; ++i) {
            keys[i] = i < participants ? params.participants[i].signer : params.guarantors[i - participants];
            if (keys[i] == address(0)) revert IAdjudicator.BadSigner(i);
            for (uint256 j; j < i; ++j) {
                if (keys[j] == keys[i]) revert IAdjudicator.BadSigner(i);
            }
            if (i < participants && params.participants[i].owner == address(0)) revert IAdjudicator.ZeroPayee();
        }
        for (uint256 i; i < params.beneficiaries.length; ++i) {
            if (params.beneficiaries[i] == address(0)) revert IAdjudicator.ZeroPayee();
        }
    }

    /// @dev Checks the Funding's shape and counts the entries that need a deposit.
    function missing(Funding[] calldata funding, uint256 participants) internal pure returns (uint8 entries) {
        if (funding.length > MAX_ASSETS) revert IAdjudicator.BadFunding();
        for (uint256 a; a < funding.length; ++a) {
            if (funding[a].amounts.length != participants) revert IAdjudicator.BadFunding();
            for (uint256 b; b < a; ++b) {
                if (funding[b].asset == funding[a].asset) revert IAdjudicator.BadFunding();
            }
            uint256 pot;
            for (uint256 i; i < participants; ++i) {
                uint256 amount = funding[a].amounts[i];
                if (amount == 0) continue;
                if (amount > type(uint256).max - pot) revert IAdjudicator.BadFunding();
                pot += amount;
                ++entries; // at most 8 assets of 16 entries
            }
        }
    }
}
