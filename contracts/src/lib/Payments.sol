// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {IAdjudicator} from "../interfaces/IAdjudicator.sol";

/// @notice Transfers that can neither stop the caller nor make it pay for what the payee or the token returns.
library Payments {
    /// @dev Enough for a smart wallet's receive hook.
    uint256 internal constant COIN_GAS = 50_000;
    /// @dev Enough for a proxied token with hooks; whatever needs more is credited and withdrawn without a cap.
    uint256 internal constant TOKEN_GAS = 250_000;
    /// @dev The price of the CALL itself: cold account, value, creation of the payee, plus our own work around it.
    uint256 private constant CALL_GAS = 50_000;

    /// @return ok False if the transfer failed. Reverts, rather than fails, when the caller sent too little gas to try.
    function trySend(address asset, address to, uint256 amount) internal returns (bool ok) {
        uint256 cap = asset == address(0) ? COIN_GAS : TOKEN_GAS;
        // The EVM hands over at most 63/64 of what is left: without this floor a caller could starve the payee's call
        // and have a good transfer count as failed.
        if (gasleft() < cap * 64 / 63 + CALL_GAS) revert IAdjudicator.InsufficientGas();
        if (asset == address(0)) return SafeTransferLib.trySafeTransferETH(to, amount, cap);

        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        uint256 size;
        uint256 result;
        assembly ("memory-safe") {
            // At most one word of the answer is copied, so that a huge one costs the token's own gas only.
            mstore(0x00, 0)
            ok := call(cap, asset, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            size := returndatasize()
            result := mload(0x00)
        }
        // Tokens answer true, or nothing at all; an address without code also "answers" nothing.
        return ok && (size == 0 ? asset.code.length != 0 : size >= 32 && result == 1);
    }
}
