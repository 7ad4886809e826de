// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Effect, Funding, Params, StateView} from "../Types.sol";

/// @notice How the effects of a channel are shown to follow the rules. None: the pair is not allowed.
enum Mode {
    None,
    Attested
}

/// @notice One thing that effects may do. Whatever no permission names is refused.
/// @param resourceId The table (increment) or the System (call), in the policy's namespace.
/// @param op 2 increment, 3 call.
/// @param field increment: the field's index in the value schema; call: 0.
/// @param selector call: the System's function; increment: 0.
/// @param maxIncrease increment: largest positive delta of one effect; call: 0.
/// @param maxDecrease increment: largest negative delta of one effect, as a magnitude; call: 0.
/// @param perChannel increment: largest sum of the deltas' magnitudes over the channel; call: most calls per channel.
struct Permission {
    bytes32 resourceId;
    uint8 op;
    uint8 field;
    bytes4 selector;
    uint128 maxIncrease;
    uint128 maxDecrease;
    uint128 perChannel;
}

/// @notice What the owner of a namespace allows one (moduleHash, configHash) pair to do.
/// @param mode None revokes the pair; everything else must then be empty.
/// @param threshold How many attestors must sign, 1..attestors.length.
/// @param minFundingAsset The asset in which channels must have a stake.
/// @param minFunding The smallest pot in that asset; 0 allows channels without a stake.
/// @param attestors Keys, strictly ascending, at most 16.
/// @param permissions At most 32, no two for the same (resourceId, op, field, selector).
struct Policy {
    Mode mode;
    uint8 threshold;
    address minFundingAsset;
    uint256 minFunding;
    address[] attestors;
    Permission[] permissions;
}

/// @notice The word of one attestor.
/// @param index Its position in the policy's attestors; strictly ascending over the list.
/// @param attestation Its signature on `Attestation{channelId, seq, journalRoot, stateHash}`.
/// @param effects Its signature on `AttestedEffects{channelId, stateHash, effectsHash}`.
struct AttestorSignature {
    uint8 index;
    bytes attestation;
    bytes effects;
}

/// @notice Everything `settleAttested` needs.
/// @param state The channel's terminal state.
/// @param genesisInput The bytes behind `params.genesisHash`; they start with the 160 bytes of docs/encoding.md 25.
/// @param effects What the module derives from the state, in its order.
/// @param joins One per participant: empty where its owner deposited, else the owner's signature on
/// `Join{channelId, signer}` (ECDSA or ERC-1271).
/// @param attestors At least the policy's threshold of them.
struct AttestedClaim {
    Params params;
    Funding[] funding;
    StateView state;
    bytes genesisInput;
    Effect[] effects;
    bytes[] joins;
    AttestorSignature[] attestors;
}

/// @title IMudSettlement
/// @notice Writes the effects of finished channels into MUD Worlds, within what each namespace's owner allows
/// (docs/protocol.md §6). One settlement serves any number of Worlds; it holds no funds and has no owner.
/// @dev Grant it access table by table (`world.grantAccess(tableId, settlement)`), never to the whole namespace.
interface IMudSettlement {
    /* EVENTS */

    /// @notice The owner of `namespaceId` in `world` replaced its policy for a pair. `revision` counts all changes of
    /// that namespace's policies, from 1.
    event PolicySet(
        address indexed world, bytes32 indexed namespaceId, bytes32 moduleHash, bytes32 configHash, uint64 revision, Policy policy
    );

    /// @notice The effects of a channel were written, all of them, under the policy of `revision`.
    event Settled(bytes32 indexed channelId, address indexed world, bytes32 namespaceId, uint256 effects, uint64 revision);

    /* ERRORS */

    /// @notice Not a namespace id, or one that is never allowed: root, `store`, `world`.
    error BadNamespace(bytes32 namespaceId);
    /// @notice Only the namespace's owner in that World may set its policy.
    error NotNamespaceOwner(address owner);
    /// @notice A policy is for a pair with a module.
    error NoModule();
    /// @notice The threshold or the list of attestors is not as `Policy` demands.
    error BadAttestors();
    /// @notice A permission is not as `Permission` demands, or names another namespace, or appears twice.
    error BadPermission(uint256 index);
    /// @notice The effects of this channel were written before.
    error AlreadySettled();
    /// @notice The channel is not Final in the adjudicator.
    error NotFinal();
    /// @notice The state is not the one the channel ended with, or not terminal.
    error WrongState();
    /// @notice The genesis input is not the one behind the Params, too long, or names no or another settlement.
    error WrongGenesis();
    /// @notice Tickets are not sold by this settlement; the genesis input's ticket must be zero.
    error TicketNotZero();
    /// @notice The Funding is not the one that the Params commit to.
    error WrongFunding();
    /// @notice No policy allows this module and config in that namespace, or the namespace has another owner since.
    error NotAllowed();
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
    /// @notice More than 32 effects, or more than 8 KiB of them.
    error TooManyEffects();
    /// @notice Effect `index` does what no permission allows, or more than its limits.
    error EffectNotAllowed(uint256 index);
    /// @notice Effect `index` is not encoded as docs/encoding.md 24 says.
    error BadEffect(uint256 index);
    /// @notice Effect `index` does not fit the table's layout in the World.
    error BadLayout(uint256 index);
    /// @notice Effect `index` would take the field out of its type's range.
    error OutOfRange(uint256 index);

    /* POLICY */

    /// @notice Sets what a (moduleHash, configHash) pair may do in a namespace. It counts from now on, also for channels
    /// in play: attestors and limits are those at settlement.
    function setPolicy(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, Policy calldata policy) external;

    /// @notice The policy of a pair and the revision that set it; `Mode.None` and 0 when there is none.
    function policyOf(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash)
        external
        view
        returns (Policy memory policy, uint64 revision);

    /// @notice How often policies of this namespace were set.
    function policyRevision(address world, bytes32 namespaceId) external view returns (uint64);

    /* SETTLEMENT */

    /// @notice Writes the effects of a channel into the World that its genesis input names, all or none, once.
    /// When the World refuses a write the whole call reverts and may be tried again.
    function settleAttested(AttestedClaim calldata claim) external;

    /// @notice Whether the effects of a channel have been written.
    function isSettled(bytes32 channelId) external view returns (bool);

    /// @notice The adjudicator whose Final channels are settled here.
    function adjudicator() external view returns (address);
}
