// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDerivation} from "../../src/interfaces/IDerivation.sol";
import {Standing} from "../../src/interfaces/IPublications.sol";
import {Effect, Event, Funding, Params, TopUp} from "../../src/Types.sol";

/// @dev Stands for Derivation with the echo module until the machine is there.
contract DerivationDouble is IDerivation {
    function effects(Params calldata, Funding[] calldata, bytes calldata state) external pure returns (uint8, Effect[] memory) {
        bytes calldata n = state[state.length - 4:];
        uint256 size = uint256(uint8(n[0])) | uint256(uint8(n[1])) << 8 | uint256(uint8(n[2])) << 16;
        bytes calldata output = state[state.length - 4 - size:state.length - 4];
        if (size > 8192) return (10, new Effect[](0));
        Effect[] memory list = abi.decode(output, (Effect[]));
        return list.length > 32 ? (10, new Effect[](0)) : (0, list);
    }

    function genesis(Params calldata, Funding[] calldata, bytes calldata) external pure returns (uint8, bytes memory, bytes32) {
        revert();
    }

    function applyEvent(Params calldata, Funding[] calldata, TopUp[] calldata, bytes calldata, uint64, Event calldata)
        external
        pure
        returns (uint8, bytes memory, bytes32)
    {
        revert();
    }

    function applyTopUp(Params calldata, Funding[] calldata, TopUp[] calldata, bytes calldata, uint64, uint32)
        external
        pure
        returns (uint8, bytes memory, bytes32)
    {
        revert();
    }

    function applyTimeout(Params calldata, Funding[] calldata, TopUp[] calldata, bytes calldata, uint64, uint64)
        external
        pure
        returns (uint8, bytes memory, bytes32)
    {
        revert();
    }

    function stateHash(Params calldata, Funding[] calldata, bytes calldata) external pure returns (bytes32) {
        revert();
    }

    function machine() external pure returns (address) {
        revert();
    }

    function registry() external pure returns (address) {
        revert();
    }
}

contract PublicationsDouble {
    mapping(bytes32 => Standing) private _standing;

    function standing(bytes32 id) external view returns (Standing memory) {
        return _standing[id];
    }

    function put(bytes32 id, Standing memory s) external {
        _standing[id] = s;
    }
}
