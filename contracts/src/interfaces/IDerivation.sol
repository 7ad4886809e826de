// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Effect, Event, Funding, Params, TopUp} from "../Types.sol";

/// @title IDerivation
/// @notice δ on chain (docs/protocol.md §2): the protocol's shell around a module, executed by the WasmMachine. Stateless.
/// `status` is that of docs/encoding.md 18; the first that applies. Only 0 or not 0 enters the protocol.
/// @dev Running out of EVM gas reverts and is never a status. The null module (moduleHash 0) has no δ: `NoModule`.
/// `state` is header ‖ funds ‖ app (docs/encoding.md 6); one that has not the shape of the channel reverts `BadState`.
/// Callers have checked that `params` and `funding` belong together.
interface IDerivation {
    error NoModule();
    error BadState();
    /// @notice The machine ran out of gas or answered what it never answers. Send more gas.
    error MachineOutOfGas();

    /// @notice The first state, `init(Params, Funding[], genesisInput)`. status 0: `state` and its hash, else both empty.
    function genesis(Params calldata params, Funding[] calldata funding, bytes calldata genesisInput)
        external
        view
        returns (uint8 status, bytes memory state, bytes32 stateHash);

    /// @notice δ for an author's event that would be leaf `seq`. status not 0: `state` is the one given.
    /// @param topUps What the chain recorded for the channel, in order.
    function applyEvent(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        Event calldata e
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash);

    /// @notice δ for the top-up leaf `index`: accepted only if index = header.topUps < topUps.length, else status 3 (2 when the index
    /// is right and the state terminal).
    function applyTopUp(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        uint32 index
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash);

    /// @notice What the adjudicator does when nobody moves. status not 0: the state stays.
    function applyTimeout(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        uint64 time
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash);

    /// @notice The effects of a terminal state. status not 0, or bytes that are not strictly `abi.encode(Effect[])` within
    /// the limits of docs/protocol.md §1 (then status 10): there are no effects.
    function effects(Params calldata params, Funding[] calldata funding, bytes calldata state)
        external
        view
        returns (uint8 status, Effect[] memory list);

    /// @notice H(abi.encode(H(header), H(funds), H(app))) of a state of the channel's shape.
    function stateHash(Params calldata params, Funding[] calldata funding, bytes calldata state) external pure returns (bytes32);

    function machine() external view returns (address);
    function registry() external view returns (address);
}
