// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IPolicies, Permission, Policy} from "./interfaces/IPolicies.sol";
import {Modes, Ops} from "./lib/Modes.sol";
import {MudWorld} from "./lib/MudWorld.sol";

/// @title Policies
/// @dev NatSpec is in the interface. A revision never changes, so it is kept as the code of a contract: cheaper than storage to
/// write, far cheaper to read, and nothing of a longer predecessor can be left behind.
contract Policies is IPolicies {
    /* STORAGE */

    /// @param revision The newest.
    /// @param revoked The newest that revoked the pair: no older one comes back, whatever is set later.
    struct Latest {
        uint64 revision;
        uint64 revoked;
    }

    uint256 private constant MAX_ATTESTORS = 16;
    uint256 private constant MAX_PERMISSIONS = 32;
    uint256 private constant MAX_WINDOW = 30 days;
    uint256 private constant MAX_JOURNAL_BYTES = 1 << 20;

    /// @inheritdoc IPolicies
    uint32 public immutable minWindow;

    mapping(bytes32 pair => Latest) private _latest;
    /// @dev The contract whose code is abi.encode(address owner of the namespace then, Policy).
    mapping(bytes32 pair => mapping(uint64 revision => address)) private _stored;
    /// @inheritdoc IPolicies
    mapping(address world => mapping(bytes32 namespaceId => uint64)) public policyRevision;

    constructor(uint32 minWindow_) {
        minWindow = minWindow_;
    }

    /* SETTING */

    /// @inheritdoc IPolicies
    function setPolicy(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, Policy calldata policy) external {
        if (!MudWorld.isSafeNamespace(namespaceId)) revert BadNamespace(namespaceId);
        address owner = MudWorld.namespaceOwner(world, namespaceId);
        if (msg.sender != owner || owner == address(0)) revert NotNamespaceOwner(owner);
        // The ledger has no rules that effects could follow.
        if (moduleHash == 0) revert NoModule();
        _requireShape(policy);
        _requireAttestors(policy);
        _requirePermissions(policy, namespaceId);

        bytes32 pair = _pair(world, namespaceId, moduleHash, configHash);
        uint64 revision = ++policyRevision[world][namespaceId];
        _latest[pair].revision = revision;
        if (policy.modes == 0) _latest[pair].revoked = revision;
        _stored[pair][revision] = SSTORE2.write(abi.encode(owner, policy));
        emit PolicySet(world, namespaceId, moduleHash, configHash, revision, policy);
    }

    /* READING */

    /// @inheritdoc IPolicies
    function policyOf(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash)
        external
        view
        returns (Policy memory policy, uint64 revision)
    {
        bytes32 pair = _pair(world, namespaceId, moduleHash, configHash);
        revision = _latest[pair].revision;
        if (revision != 0) (, policy) = _read(pair, revision);
    }

    /// @inheritdoc IPolicies
    function inForce(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, uint64 revision)
        external
        view
        returns (Policy memory policy, uint64 at)
    {
        bytes32 pair = _pair(world, namespaceId, moduleHash, configHash);
        Latest memory latest = _latest[pair];
        at = revision == 0 ? latest.revision : revision;
        // Of a pair that was never set all are 0; of a revoked one the newest is the revocation itself.
        if (at <= latest.revoked || _stored[pair][at] == address(0)) revert NotAllowed();

        // What a former owner allowed does not bind the next one.
        address owner = MudWorld.namespaceOwner(world, namespaceId);
        address by;
        (by, policy) = _read(pair, at);
        if (by != owner) revert NotAllowed();
        if (at == latest.revision) return (policy, at);

        Policy memory newest;
        (by, newest) = _read(pair, latest.revision);
        if (by != owner) revert NotAllowed();
        policy.attestors = newest.attestors;
        policy.threshold = newest.threshold;
        // Where nobody attests any more, an empty list of attestors must not be enough.
        if (newest.modes & Modes.ATTESTED == 0) policy.modes &= ~Modes.ATTESTED;
    }

    /* INTERNAL: WHAT A POLICY MAY SAY */

    function _requireShape(Policy calldata p) internal view {
        bool ok = p.modes <= Modes.ALL;
        if (p.modes == 0) ok = !p.needsTicket && p.ticketPrice == 0 && p.minFundingAsset == address(0) && p.minFunding == 0;
        if (p.modes & Modes.OPTIMISTIC != 0) ok = ok && p.window >= minWindow && p.window <= MAX_WINDOW;
        else ok = ok && p.window == 0 && p.guardian == address(0) && p.bond == 0;
        if (p.modes & (Modes.OPTIMISTIC | Modes.EXECUTED) != 0) {
            ok = ok && p.maxJournalBytes != 0 && p.maxJournalBytes <= MAX_JOURNAL_BYTES;
        } else {
            ok = ok && p.maxJournalBytes == 0;
        }
        if (!ok) revert BadPolicy();
    }

    function _requireAttestors(Policy calldata p) internal pure {
        uint256 n = p.attestors.length;
        bool none = p.modes & Modes.ATTESTED == 0;
        if (n > MAX_ATTESTORS || p.threshold > n || (p.threshold == 0) != none || (n == 0) != none) revert BadAttestors();
        for (uint256 i; i < n; ++i) {
            if (p.attestors[i] <= (i == 0 ? address(0) : p.attestors[i - 1])) revert BadAttestors();
        }
    }

    function _requirePermissions(Policy calldata policy, bytes32 namespaceId) internal pure {
        Permission[] calldata all = policy.permissions;
        if (all.length > (policy.modes == 0 ? 0 : MAX_PERMISSIONS)) revert BadPermission(all.length);
        for (uint256 i; i < all.length; ++i) {
            Permission calldata p = all[i];
            bool ok = p.op == Ops.CALL
                ? MudWorld.isSystemOf(p.resourceId, namespaceId)
                : p.op < Ops.CALL && MudWorld.isTableOf(p.resourceId, namespaceId) && p.selector == 0;
            if (p.op != Ops.INCREMENT) ok = ok && p.field == 0 && p.maxIncrease == 0 && p.maxDecrease == 0;
            if (ok && Ops.isWhole(p.op)) {
                // Attestors may not replace records, and without a ticket there is no snapshot to compare with.
                ok = policy.modes & ~Modes.ATTESTED != 0;
                if (ok && !policy.needsTicket) revert BadPolicy();
            }
            for (uint256 j; j < i && ok; ++j) {
                ok = all[j].resourceId != p.resourceId || all[j].op != p.op || all[j].field != p.field || all[j].selector != p.selector;
            }
            if (!ok) revert BadPermission(i);
        }
    }

    /* INTERNAL: NAMES */

    function _read(bytes32 pair, uint64 revision) internal view returns (address owner, Policy memory policy) {
        return abi.decode(SSTORE2.read(_stored[pair][revision]), (address, Policy));
    }

    function _pair(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(world, namespaceId, moduleHash, configHash));
    }
}
