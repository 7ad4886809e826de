// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ChannelView, IAdjudicator} from "./interfaces/IAdjudicator.sol";
import {AttestedClaim, AttestorSignature, IMudSettlement, Mode, Permission, Policy} from "./interfaces/IMudSettlement.sol";
import {Messages} from "./lib/Messages.sol";
import {MudWorld} from "./lib/MudWorld.sol";
import {Outcome} from "./lib/Outcome.sol";
import {Signatures} from "./lib/Signatures.sol";
import {Terms} from "./lib/Terms.sol";
import {Attestation, AttestedEffects, Effect, Funding, Join, Params, StateView, Status} from "./Types.sol";

/// @title MudSettlement
/// @dev NatSpec is in the interface. A mode shows that `effects` follow from the Final state; what is then written,
/// and within which limits, is the same for all of them: `_begin`, the mode's own proof, `_apply`.
contract MudSettlement is IMudSettlement, ReentrancyGuardTransient {
    /* STORAGE */

    struct StoredPolicy {
        uint64 revision;
        address owner; // of the namespace, when the policy was set
        Policy policy;
    }

    /// @dev What the genesis input names, and who may write there.
    struct Target {
        bytes32 channelId;
        address world;
        bytes32 namespaceId;
        uint64 revision;
        Policy policy;
    }

    uint8 private constant OP_INCREMENT = 2;
    uint8 private constant OP_CALL = 3;
    uint256 private constant MAX_ATTESTORS = 16;
    uint256 private constant MAX_PERMISSIONS = 32;
    uint256 private constant MAX_EFFECTS = 32;
    uint256 private constant MAX_EFFECT_BYTES = 8 * 1024;
    uint256 private constant MAX_GENESIS_BYTES = 16 * 1024;
    uint256 private constant GENESIS_HEAD = 160;

    /// @inheritdoc IMudSettlement
    address public immutable adjudicator;

    mapping(address world => mapping(bytes32 namespaceId => mapping(bytes32 pair => StoredPolicy))) private _policies;
    /// @inheritdoc IMudSettlement
    mapping(address world => mapping(bytes32 namespaceId => uint64)) public policyRevision;
    /// @inheritdoc IMudSettlement
    mapping(bytes32 channelId => bool) public isSettled;

    constructor(address adjudicator_) {
        adjudicator = adjudicator_;
    }

    /* POLICY */

    /// @inheritdoc IMudSettlement
    function setPolicy(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash, Policy calldata policy)
        external
        nonReentrant
    {
        if (!MudWorld.isSafeNamespace(namespaceId)) revert BadNamespace(namespaceId);
        address owner = MudWorld.namespaceOwner(world, namespaceId);
        if (msg.sender != owner) revert NotNamespaceOwner(owner);
        // The ledger has no rules that effects could follow.
        if (moduleHash == 0) revert NoModule();
        _requireAttestors(policy);
        _requirePermissions(policy, namespaceId);

        uint64 revision = ++policyRevision[world][namespaceId];
        StoredPolicy storage stored = _policies[world][namespaceId][_pair(moduleHash, configHash)];
        stored.revision = revision;
        stored.owner = owner;
        stored.policy.mode = policy.mode;
        stored.policy.threshold = policy.threshold;
        stored.policy.minFundingAsset = policy.minFundingAsset;
        stored.policy.minFunding = policy.minFunding;
        stored.policy.attestors = policy.attestors;
        delete stored.policy.permissions;
        for (uint256 i; i < policy.permissions.length; ++i) {
            stored.policy.permissions.push(policy.permissions[i]);
        }
        emit PolicySet(world, namespaceId, moduleHash, configHash, revision, policy);
    }

    /// @inheritdoc IMudSettlement
    function policyOf(address world, bytes32 namespaceId, bytes32 moduleHash, bytes32 configHash)
        external
        view
        returns (Policy memory policy, uint64 revision)
    {
        StoredPolicy storage stored = _policies[world][namespaceId][_pair(moduleHash, configHash)];
        return (stored.policy, stored.revision);
    }

    /* SETTLEMENT */

    /// @inheritdoc IMudSettlement
    function settleAttested(AttestedClaim calldata claim) external nonReentrant {
        Effect[] memory effects = claim.effects;
        Target memory target = _begin(claim.params, claim.funding, claim.state, claim.genesisInput, claim.joins);
        if (target.policy.mode != Mode.Attested) revert NotAllowed();
        _requireAttested(target, claim.state, effects, claim.attestors);

        isSettled[target.channelId] = true;
        emit Settled(target.channelId, target.world, target.namespaceId, effects.length, target.revision);

        _apply(target, effects);
    }

    /* INTERNAL: WHAT EVERY MODE CHECKS */

    /// @dev The channel is over, not settled, meant for this settlement, allowed by the World and wanted by every owner.
    function _begin(
        Params calldata params,
        Funding[] calldata funding,
        StateView calldata state,
        bytes calldata genesisInput,
        bytes[] calldata joins
    ) internal view returns (Target memory target) {
        target.channelId = Terms.channelId(params);
        if (isSettled[target.channelId]) revert AlreadySettled();
        ChannelView memory c = IAdjudicator(adjudicator).channel(target.channelId);
        _requireFinal(c, state, params.participants.length);
        _requireTarget(target, params, genesisInput);
        _requireStake(target.policy, params, funding);
        _requireConsent(target.channelId, params, c.deposits, joins);
    }

    /// @dev Effects come from terminal states only: who could end a channel early could pick a flattering moment.
    function _requireFinal(ChannelView memory c, StateView calldata state, uint256 participants) internal pure {
        if (c.status != Status.Final) revert NotFinal();
        if (Outcome.stateHash(state) != c.stateHash) revert WrongState();
        (, bool terminal) = Outcome.readHeader(state.header, participants);
        if (!terminal) revert WrongState();
    }

    function _requireTarget(Target memory target, Params calldata params, bytes calldata genesisInput) internal view {
        if (keccak256(genesisInput) != params.genesisHash) revert WrongGenesis();
        if (genesisInput.length < GENESIS_HEAD || genesisInput.length > MAX_GENESIS_BYTES) revert WrongGenesis();
        if (Outcome.word(genesisInput, 1) > type(uint160).max) revert WrongGenesis();
        if (Outcome.word(genesisInput, 0) != uint160(address(this))) revert WrongGenesis();
        if (Outcome.word(genesisInput, 4) != 0) revert TicketNotZero();
        target.world = address(uint160(Outcome.word(genesisInput, 1)));
        target.namespaceId = bytes32(Outcome.word(genesisInput, 2));

        bytes32 pair = _pair(params.moduleHash, bytes32(Outcome.word(genesisInput, 3)));
        StoredPolicy storage stored = _policies[target.world][target.namespaceId][pair];
        if (stored.policy.mode == Mode.None) revert NotAllowed();
        // What a former owner allowed does not bind the next one.
        if (stored.owner != MudWorld.namespaceOwner(target.world, target.namespaceId)) revert NotAllowed();
        target.revision = stored.revision;
        target.policy = stored.policy;
    }

    function _requireStake(Policy memory policy, Params calldata params, Funding[] calldata funding) internal pure {
        Terms.requireFunding(params, funding);
        if (policy.minFunding == 0) return;
        for (uint256 a; a < funding.length; ++a) {
            if (funding[a].asset == policy.minFundingAsset && Outcome.pot(funding[a]) >= policy.minFunding) return;
        }
        revert FundingTooSmall();
    }

    /// @dev Anyone can write a stranger's wallet into Params. Only a deposit or a Join by that wallet makes it a player.
    function _requireConsent(bytes32 channelId, Params calldata params, uint128 deposits, bytes[] calldata joins) internal view {
        if (joins.length != params.participants.length) revert WrongJoinCount();
        uint128 ofFirst; // the bits of participant 0, one per asset
        for (uint256 a; a < Terms.MAX_ASSETS; ++a) {
            ofFirst |= uint128(1) << uint128(Terms.MAX_PARTICIPANTS * a);
        }
        bytes32 separator = _domainSeparator();
        for (uint256 i; i < joins.length; ++i) {
            if (deposits & (ofFirst << uint128(i)) != 0) continue;
            bytes32 digest = Messages.digest(separator, Messages.hash(Join(channelId, params.participants[i].signer)));
            if (!Signatures.isByWallet(params.participants[i].owner, digest, joins[i])) revert NoConsent(i);
        }
    }

    /* INTERNAL: THE ATTESTED MODE */

    /// @dev An attestor vouches for the journal, and, while no machine on chain derives them, for the effects.
    function _requireAttested(
        Target memory target,
        StateView calldata state,
        Effect[] memory effects,
        AttestorSignature[] calldata signatures
    ) internal view {
        bytes memory encoded = abi.encode(effects);
        if (effects.length > MAX_EFFECTS || encoded.length > MAX_EFFECT_BYTES) revert TooManyEffects();
        if (signatures.length < target.policy.threshold) revert NotEnoughAttestors();

        bytes32 separator = _domainSeparator();
        ChannelView memory c = IAdjudicator(adjudicator).channel(target.channelId);
        bytes32 journal = Messages.digest(separator, Messages.hash(Attestation(target.channelId, c.seq, c.journalRoot, c.stateHash)));
        bytes32 derived =
            Messages.digest(separator, Messages.hash(AttestedEffects(target.channelId, Outcome.stateHash(state), keccak256(encoded))));
        for (uint256 i; i < signatures.length; ++i) {
            uint8 index = signatures[i].index;
            // Ascending: nobody counts twice.
            if (index >= target.policy.attestors.length || (i != 0 && index <= signatures[i - 1].index)) {
                revert NotEnoughAttestors();
            }
            address attestor = target.policy.attestors[index];
            if (!Signatures.isBy(attestor, journal, signatures[i].attestation)) revert BadAttestorSignature(index);
            if (!Signatures.isBy(attestor, derived, signatures[i].effects)) revert BadAttestorSignature(index);
        }
    }

    /* INTERNAL: EFFECTS */

    /// @dev Writes all effects within the policy's permissions, or reverts.
    function _apply(Target memory target, Effect[] memory effects) internal {
        uint256[] memory used = new uint256[](target.policy.permissions.length);
        for (uint256 i; i < effects.length; ++i) {
            if (effects[i].op == OP_INCREMENT) _increment(target, used, effects[i], i);
            else if (effects[i].op == OP_CALL) _call(target, used, effects[i], i);
            else revert EffectNotAllowed(i);
        }
    }

    function _increment(Target memory target, uint256[] memory used, Effect memory effect, uint256 at) internal {
        if (effect.data.length != 64) revert BadEffect(at);
        (uint256 field, int256 delta) = abi.decode(effect.data, (uint256, int256));
        if (field > type(uint8).max) revert BadEffect(at);
        // casting to 'uint8' is safe because the word was compared with its maximum
        // forge-lint: disable-next-line(unsafe-typecast)
        uint8 index = uint8(field);

        uint256 p = _permitted(target.policy.permissions, effect, index, 0, at);
        Permission memory permission = target.policy.permissions[p];
        uint256 size = MudWorld.magnitude(delta);
        if (size > (delta < 0 ? permission.maxDecrease : permission.maxIncrease)) revert EffectNotAllowed(at);
        used[p] += size; // at most 32 values below 2^128
        if (used[p] > permission.perChannel) revert EffectNotAllowed(at);

        MudWorld.increment(target.world, effect.resourceId, effect.key, index, delta, at);
    }

    function _call(Target memory target, uint256[] memory used, Effect memory effect, uint256 at) internal {
        if (effect.data.length < 4 || effect.key.length != 0) revert BadEffect(at);
        uint256 p = _permitted(target.policy.permissions, effect, 0, bytes4(effect.data), at);
        if (++used[p] > target.policy.permissions[p].perChannel) revert EffectNotAllowed(at);

        IBaseWorld(target.world).call(ResourceId.wrap(effect.resourceId), effect.data);
    }

    /// @dev Which permission covers this effect. Permissions name resources of the policy's namespace only.
    function _permitted(Permission[] memory permissions, Effect memory effect, uint8 field, bytes4 selector, uint256 at)
        internal
        pure
        returns (uint256 index)
    {
        for (; index < permissions.length; ++index) {
            Permission memory p = permissions[index];
            if (p.resourceId == effect.resourceId && p.op == effect.op && p.field == field && p.selector == selector) return index;
        }
        revert EffectNotAllowed(at);
    }

    /* INTERNAL: WHAT A POLICY MAY SAY */

    function _requireAttestors(Policy calldata policy) internal pure {
        uint256 n = policy.attestors.length;
        bool revoked = policy.mode == Mode.None;
        if (n > MAX_ATTESTORS || policy.threshold > n || (policy.threshold == 0) != revoked || (n == 0) != revoked) {
            revert BadAttestors();
        }
        for (uint256 i; i < n; ++i) {
            if (policy.attestors[i] <= (i == 0 ? address(0) : policy.attestors[i - 1])) revert BadAttestors();
        }
    }

    function _requirePermissions(Policy calldata policy, bytes32 namespaceId) internal pure {
        Permission[] calldata all = policy.permissions;
        if (all.length > (policy.mode == Mode.None ? 0 : MAX_PERMISSIONS)) revert BadPermission(all.length);
        for (uint256 i; i < all.length; ++i) {
            Permission calldata p = all[i];
            bool ok = p.op == OP_INCREMENT
                ? MudWorld.isTableOf(p.resourceId, namespaceId) && p.selector == 0
                : p.op == OP_CALL && MudWorld.isSystemOf(p.resourceId, namespaceId) && p.field == 0 && p.maxIncrease == 0
                    && p.maxDecrease == 0;
            for (uint256 j; j < i && ok; ++j) {
                ok = all[j].resourceId != p.resourceId || all[j].op != p.op || all[j].field != p.field || all[j].selector != p.selector;
            }
            if (!ok) revert BadPermission(i);
        }
    }

    /* INTERNAL: NAMES */

    function _pair(bytes32 moduleHash, bytes32 configHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(moduleHash, configHash));
    }

    /// @dev Every message of the protocol is in the adjudicator's domain.
    function _domainSeparator() internal view returns (bytes32) {
        return Messages.domainSeparator(block.chainid, adjudicator);
    }
}
