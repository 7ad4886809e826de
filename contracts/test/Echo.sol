// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDerivation} from "../src/interfaces/IDerivation.sol";
import {IModuleRegistry} from "../src/interfaces/IModuleRegistry.sol";
import {IPublications} from "../src/interfaces/IPublications.sol";
import {Effect} from "../src/Types.sol";
import {DerivationDouble, PublicationsDouble} from "./mocks/Doubles.sol";

/// @dev The module of derivation/echo_test.go, which does what it is told:
///
///     init     returns what stands before the last 4 bytes of its input, which are the length of it, little-endian
///     reduce   returns the payload
///     effects  returns what stands before the last 4 bytes of the state, likewise
library Echo {
    function deploy() internal returns (IModuleRegistry registry, IDerivation derivation, bytes32 module) {
        derivation = new DerivationDouble();
        module = keccak256("echo");
        registry = IModuleRegistry(address(0));
    }

    function publications(address, address, address, address) internal returns (IPublications) {
        return IPublications(address(new PublicationsDouble()));
    }

    /// @dev An app with these effects.
    function app(Effect[] memory effects) internal pure returns (bytes memory) {
        return tailed(abi.encode(effects));
    }

    function tailed(bytes memory data) internal pure returns (bytes memory) {
        uint256 n = data.length;
        return bytes.concat(data, bytes1(uint8(n)), bytes1(uint8(n >> 8)), bytes1(uint8(n >> 16)), bytes1(uint8(n >> 24)));
    }
}
