// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDerivation} from "../interfaces/IDerivation.sol";
import {Funding, Params} from "../Types.sol";

/// @notice States as bytes, header ‖ funds ‖ app (docs/encoding.md 4-6), whole and strict.
library States {
    /// @notice The fixed lengths of a channel's states.
    /// @param holders N + b: everyone who can hold funds.
    /// @param header Bytes of the header.
    /// @param funds Bytes of the funds.
    struct Shape {
        uint256 participants;
        uint256 holders;
        uint256 assets;
        uint256 header;
        uint256 funds;
    }

    /// @notice What the shell reads of a header, beside the nonces.
    struct Header {
        uint64 lastTimestamp;
        uint32 topUps;
        bool terminal;
    }

    uint256 internal constant MAX_APP = 16 * 1024;
    uint256 private constant WORD = 32;

    function shapeOf(Params calldata params, Funding[] calldata funding) internal pure returns (Shape memory) {
        uint256 participants = params.participants.length;
        uint256 holders = participants + params.beneficiaries.length;
        return Shape(participants, holders, funding.length, (participants + 3) * WORD, funding.length * holders * WORD);
    }

    /// @dev Reverts BadState unless the bytes are a state of this shape: lengths, and each header word within its type.
    function open(Shape memory shape, bytes calldata state) internal pure returns (Header memory h) {
        uint256 fixed_ = shape.header + shape.funds;
        if (state.length < fixed_ || state.length > fixed_ + MAX_APP) revert IDerivation.BadState();
        uint256 n = shape.participants;
        for (uint256 i; i <= n; ++i) {
            if (word(state, i) > type(uint64).max) revert IDerivation.BadState();
        }
        uint256 topUps = word(state, n + 1);
        uint256 terminal = word(state, n + 2);
        if (topUps > type(uint32).max || terminal > 1) revert IDerivation.BadState();
        return Header(uint64(word(state, 0)), uint32(topUps), terminal == 1);
    }

    /// @dev The last nonce that `author` used, in a state that was opened.
    function nonce(bytes calldata state, uint256 author) internal pure returns (uint64) {
        return uint64(word(state, 1 + author));
    }

    /// @dev H(abi.encode(H(header), H(funds), H(app))). Reverts BadState when there is no room for header and funds.
    function hash(Shape memory shape, bytes calldata state) internal pure returns (bytes32) {
        uint256 app = shape.header + shape.funds;
        if (state.length < app) revert IDerivation.BadState();
        return join(keccak256(state[:shape.header]), keccak256(state[shape.header:app]), keccak256(state[app:]));
    }

    /// @dev The same of a state in memory that has the shape.
    function hashOf(Shape memory shape, bytes memory state) internal pure returns (bytes32) {
        uint256 app = shape.header + shape.funds;
        return join(slice(state, 0, shape.header), slice(state, shape.header, app), slice(state, app, state.length));
    }

    /// @dev keccak256 of `data[from:to]`; the caller knows that it lies within.
    function slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(add(add(data, 0x20), from), sub(to, from))
        }
    }

    function join(bytes32 header, bytes32 funds, bytes32 app) private pure returns (bytes32) {
        return keccak256(abi.encode(header, funds, app));
    }

    /// @dev Beyond the end it reads what follows, so the caller has checked the length.
    function word(bytes calldata data, uint256 index) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(data.offset, shl(5, index)))
        }
    }

    /// @dev The caller knows that the word lies within.
    function wordOf(bytes memory data, uint256 index) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(data, shl(5, add(index, 1))))
        }
    }

    /// @dev The caller knows that the word lies within.
    function setWord(bytes memory data, uint256 index, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(data, shl(5, add(index, 1))), value)
        }
    }
}
