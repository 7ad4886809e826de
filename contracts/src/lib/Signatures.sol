// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @notice Strict signatures: 65 bytes r ‖ s ‖ v, v 27 or 28, low s, nothing else (docs/encoding.md 11).
library Signatures {
    /// @dev False for every malformed signature and for a zero signer; never reverts.
    function isBy(address signer, bytes32 digest, bytes memory signature) internal pure returns (bool) {
        // tryRecover refuses other lengths and high s; the precompile refuses other v, zero and overflowing r and s.
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        return err == ECDSA.RecoverError.NoError && recovered == signer && signer != address(0);
    }

    /// @dev ECDSA is tried first, also for a wallet with code (an EIP-7702 account may still sign with its key);
    /// then ERC-1271 (docs/encoding.md 12).
    function isByWallet(address wallet, bytes32 digest, bytes memory signature) internal view returns (bool) {
        if (isBy(wallet, digest, signature)) return true;
        return wallet.code.length != 0 && SignatureChecker.isValidERC1271SignatureNow(wallet, digest, signature);
    }
}
