// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice One thing that effects may do. Whatever no permission names is refused.
/// @param resourceId The table (set, delete, increment) or the System (call), in the policy's namespace.
/// @param op 0 set, 1 delete, 2 increment, 3 call.
/// @param field increment: the field's index in the value schema; otherwise 0.
/// @param selector call: the System's function; otherwise 0.
/// @param maxIncrease increment: largest positive delta of one effect; otherwise 0.
/// @param maxDecrease increment: largest negative delta of one effect, as a magnitude; otherwise 0.
/// @param perChannel increment: largest sum of the deltas' magnitudes over the channel; otherwise most effects per channel.
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
/// @param modes Bits: 1 attested, 2 executed, 4 optimistic. 0 revokes the pair; everything else must then be empty.
/// @param threshold attested: how many attestors must sign, 1..attestors.length; otherwise 0.
/// @param window optimistic: seconds from the last chunk of a publication in which it can be disproved, 60 s (the
/// deployment's minimum) to 30 days; otherwise 0.
/// @param guardian optimistic: may veto a publication inside the window; zero for none.
/// @param bond optimistic: what a publisher risks, in the chain's coin.
/// @param maxJournalBytes optimistic and executed: most bytes of entries and genesis input, at most 1 MiB.
/// @param needsTicket Channels must name a ticket. A policy with set or delete always needs one.
/// @param ticketPrice What `Tickets.enter` costs, in the chain's coin; it goes to the namespace's owner.
/// @param minFundingAsset The asset in which channels must have a stake.
/// @param minFunding The smallest pot in that asset; 0 allows channels without a stake.
/// @param attestors attested: keys, strictly ascending, at most 16.
/// @param permissions At most 32, no two for the same (resourceId, op, field, selector).
struct Policy {
    uint8 modes;
    uint8 threshold;
    uint32 window;
    address guardian;
    uint128 bond;
    uint32 maxJournalBytes;
    bool needsTicket;
    uint128 ticketPrice;
    address minFundingAsset;
    uint256 minFunding;
    address[] attestors;
    Permission[] permissions;
}

/// @title IPolicies
/// @notice What the owners of MUD namespaces allow channels to write (docs/protocol.md §6). No owner of its own, no funds.
interface IPolicies {
    /// @notice The owner of `namespaceId` in `world` replaced its policy for a pair. `revision` counts all changes of that
    /// namespace's policies, from 1.
    event PolicySet(
        address indexed world, bytes32 indexed namespaceId, bytes32 moduleHash, bytes32 configHash, uint64 revision, Policy policy
    );

    /// @notice Not a namespace id, or one that is never allowed: root, `store`, `world`.
    error BadNamespace(bytes32 namespaceId);
    /// @notice Only the namespace's owner in that World may set its policy.
    error NotNamespaceOwner(address owner);
    /// @notice A policy is for a pair with a module.
    error NoModule();
    /// @notice Modes, window, bond, guardian, byte limit or ticket are not as `Policy` demands.
    error BadPolicy();
    /// @notice The threshold or the list of attestors is not as `Policy` demands.
    error BadAttestors();
    /// @notice A permission is not as `Permission` demands, or names another namespace, or appears twice.
    error BadPermission(uint256 index);
    /// @notice No policy allows this: never set, revoked, of a former owner of the namespace, or no such revision.
    error NotAllowed();

    /// @notice Sets what a pair may do in a namespace, from now on. Older revisions stay readable: a ticket and a publication
    /// keep the one that they began under, but for attestors (always the current ones) and revocation (ends them all).
    function setPolicy(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, Policy calldata policy) external;

    /// @notice The newest policy of a pair and the revision that set it; modes 0 and revision 0 when there is none.
    function policyOf(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash)
        external
        view
        returns (Policy memory policy, uint64 revision);

    /// @notice The policy of a pair as `revision` set it (0: the newest), with the newest policy's attestors and threshold.
    /// Reverts NotAllowed when there is none, when the newest is revoked, or when either was set by somebody who does not own
    /// the namespace now.
    function inForce(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, uint64 revision)
        external
        view
        returns (Policy memory policy, uint64 at);

    /// @notice How often policies of this namespace were set.
    function policyRevision(address world, bytes32 namespaceId) external view returns (uint64);

    /// @notice The smallest window that a policy may have, in seconds.
    function minWindow() external view returns (uint32);
}
