// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Funding, Params} from "../Types.sol";
import {Record, Ticket} from "./ITickets.sol";

/// @notice The word of one attestor that it replayed the journal.
/// @param index Its position in the policy's attestors; strictly ascending over the list.
/// @param attestation Its signature on `Attestation{channelId, seq, journalRoot, stateHash}`.
struct AttestorSignature {
    uint8 index;
    bytes attestation;
}

/// @notice A finished channel.
/// @param state The whole terminal state that the channel ended with, header ‖ funds ‖ app: its effects are derived from it.
/// @param genesisInput The bytes behind `params.genesisHash`; they start with the 160 bytes of docs/encoding.md 25.
/// @param joins One per participant: empty where its owner deposited, else the owner's signature on
/// `Join{channelId, signer}` (ECDSA or ERC-1271).
/// @param ticket The ticket behind the genesis input's fifth word; all zero when that is zero.
/// @param snapshot The records behind `ticket.snapshot`, needed for set and delete only; empty otherwise.
struct Claim {
    Params params;
    Funding[] funding;
    bytes state;
    bytes genesisInput;
    bytes[] joins;
    Ticket ticket;
    Record[] snapshot;
}

/// @title IMudSettlement
/// @notice Writes the effects of finished channels into MUD Worlds, within what each namespace's owner allows
/// (docs/protocol.md §6). What the effects are is executed on chain, from the state; that the state follows from the journal
/// is shown in one of three ways, by the policy. One settlement serves any number of Worlds; no funds, no owner.
/// @dev Grant it access table by table (`world.grantAccess(tableId, settlement)`), never to the whole namespace.
interface IMudSettlement {
    /* EVENTS */

    /// @notice The effects of a channel were written, all of them, under the policy of `revision`, by mode 1 attested,
    /// 2 executed or 4 optimistic.
    event Settled(bytes32 indexed channelId, address indexed world, bytes32 namespaceId, uint256 effects, uint64 revision, uint8 mode);

    /* ERRORS */

    /// @notice The effects of this channel were written before.
    error AlreadySettled();
    /// @notice The channel is not Final in the adjudicator.
    error NotFinal();
    /// @notice The state is not the one the channel ended with, or not terminal.
    error WrongState();
    /// @notice The genesis input is not the one behind the Params, too long, or names no or another settlement.
    error WrongGenesis();
    /// @notice The Funding is not the one that the Params commit to.
    error WrongFunding();
    /// @notice No policy allows this module, config and mode in that namespace, or the namespace has another owner since.
    error NotAllowed();
    /// @notice The policy wants a ticket, or the ticket is not sealed, or not for this World, pair and these owners.
    error WrongTicket();
    /// @notice This ticket has settled another channel.
    error TicketUsed();
    /// @notice The records are not those of the ticket's snapshot.
    error WrongSnapshot();
    /// @notice A leaf of the journal is proven wrong, or the guardian vetoed.
    error Void();
    /// @notice executed: not every leaf was run. optimistic: no complete publication, or its window is still open.
    error NotProven();
    /// @notice The pot is smaller than the policy's minimum.
    error FundingTooSmall();
    /// @notice `joins` does not have one entry per participant.
    error WrongJoinCount();
    /// @notice The owner of participant `index` neither deposited nor signed a valid Join.
    error NoConsent(uint256 index);
    /// @notice Fewer attestors than the threshold, or not in ascending order.
    error NotEnoughAttestors();
    /// @notice A signature of the attestor at `index` of the policy is malformed or not its own.
    error BadAttestorSignature(uint256 index);
    /// @notice `effects(state)` failed with this status (docs/encoding.md 18): the channel has no effects.
    error NoEffects(uint8 status);
    /// @notice Effect `index` does what no permission or mode allows, or more than its limits.
    error EffectNotAllowed(uint256 index);
    /// @notice Effect `index` is not encoded as docs/encoding.md 24 says.
    error BadEffect(uint256 index);
    /// @notice Effect `index` does not fit the table's layout in the World.
    error BadLayout(uint256 index);
    /// @notice Effect `index` would take the field out of its type's range.
    error OutOfRange(uint256 index);
    /// @notice Effect `index` sets or deletes a record that is not in the snapshot, or is not any more what it was.
    error Changed(uint256 index);

    /* SETTLEMENT */

    /// @notice Attested: the attestors say that they replayed the journal. Lands at once; increment and call only. Writes all
    /// effects or none, once; when the World refuses a write the whole call reverts and may be tried again.
    function settleAttested(Claim calldata claim, AttestorSignature[] calldata attestors) external;

    /// @notice Executed: the chain ran every leaf (`Publications.execute`).
    function settleExecuted(Claim calldata claim) external;

    /// @notice Optimistic: the journal is published, and nobody disproved a leaf in the window.
    function settleOptimistic(Claim calldata claim) external;

    /// @notice Whether the effects of a channel have been written.
    function isSettled(bytes32 channelId) external view returns (bool);

    /// @notice The channel that a ticket has settled, zero for none.
    function usedBy(bytes32 ticketHash) external view returns (bytes32 channelId);

    function adjudicator() external view returns (address);
    function derivation() external view returns (address);
    function policies() external view returns (address);
    function publications() external view returns (address);
    function tickets() external view returns (address);
}
