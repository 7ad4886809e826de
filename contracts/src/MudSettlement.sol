// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ChannelView, IAdjudicator} from "./interfaces/IAdjudicator.sol";
import {IDerivation} from "./interfaces/IDerivation.sol";
import {AttestorSignature, Claim, IMudSettlement} from "./interfaces/IMudSettlement.sol";
import {IPolicies, Permission, Policy} from "./interfaces/IPolicies.sol";
import {IPublications, Standing} from "./interfaces/IPublications.sol";
import {ITickets, Record} from "./interfaces/ITickets.sol";
import {Messages} from "./lib/Messages.sol";
import {Modes, Ops} from "./lib/Modes.sol";
import {MudRecords} from "./lib/MudRecords.sol";
import {MudWorld} from "./lib/MudWorld.sol";
import {Outcome} from "./lib/Outcome.sol";
import {Signatures} from "./lib/Signatures.sol";
import {States} from "./lib/States.sol";
import {Terms} from "./lib/Terms.sol";
import {Attestation, Effect, Funding, Join, Params, Status} from "./Types.sol";

/// @title MudSettlement
/// @dev NatSpec is in the interface. A mode shows that the Final state follows from the journal; what is then derived from it
/// and written, and within which limits, is the same for all of them: `_begin`, the mode's own proof, `_settle`.
contract MudSettlement is IMudSettlement, ReentrancyGuardTransient {
    using States for States.Shape;

    /* STORAGE */

    /// @dev The channel, what its genesis input names, and who may write there.
    struct Target {
        bytes32 channelId;
        ChannelView channel;
        Standing standing;
        address world;
        bytes32 namespaceId;
        bytes32 configHash;
        bytes32 ticketHash;
        uint64 revision;
        Policy policy;
    }

    /// @dev While effects are written.
    /// @param used Per permission: the sum of magnitudes, or how many effects.
    /// @param snapshot The ticket's records, if an effect needs one, and the hashes of their names.
    /// @param taken One bit per record that this channel has set or deleted.
    struct Progress {
        uint256[] used;
        Record[] snapshot;
        bytes32[] names;
        uint256 taken;
    }

    uint256 private constant MAX_GENESIS_BYTES = 16 * 1024;
    uint256 private constant GENESIS_HEAD = 160;

    /// @inheritdoc IMudSettlement
    address public immutable adjudicator;
    /// @inheritdoc IMudSettlement
    address public immutable derivation;
    /// @inheritdoc IMudSettlement
    address public immutable policies;
    /// @inheritdoc IMudSettlement
    address public immutable publications;
    /// @inheritdoc IMudSettlement
    address public immutable tickets;

    /// @inheritdoc IMudSettlement
    mapping(bytes32 channelId => bool) public isSettled;
    /// @inheritdoc IMudSettlement
    mapping(bytes32 ticketHash => bytes32 channelId) public usedBy;

    constructor(address adjudicator_, address derivation_, address policies_, address publications_, address tickets_) {
        adjudicator = adjudicator_;
        derivation = derivation_;
        policies = policies_;
        publications = publications_;
        tickets = tickets_;
    }

    /* SETTLEMENT */

    /// @inheritdoc IMudSettlement
    function settleAttested(Claim calldata claim, AttestorSignature[] calldata attestors) external nonReentrant {
        Target memory target = _begin(claim, Modes.ATTESTED);
        _requireAttested(target, attestors);
        _settle(target, claim, Modes.ATTESTED);
    }

    /// @inheritdoc IMudSettlement
    function settleExecuted(Claim calldata claim) external nonReentrant {
        Target memory target = _begin(claim, Modes.EXECUTED);
        if (!target.standing.executed) revert NotProven();
        _settle(target, claim, Modes.EXECUTED);
    }

    /// @inheritdoc IMudSettlement
    function settleOptimistic(Claim calldata claim) external nonReentrant {
        Target memory target = _begin(claim, Modes.OPTIMISTIC);
        if (target.standing.vetoed) revert Void();
        if (target.standing.publisher == address(0) || block.timestamp < target.standing.deadline) revert NotProven();
        _settle(target, claim, Modes.OPTIMISTIC);
    }

    /* INTERNAL: WHAT EVERY MODE CHECKS */

    /// @dev The channel is over, not settled, not void, meant for this settlement, allowed by the World and wanted by every owner.
    function _begin(Claim calldata claim, uint8 mode) internal view returns (Target memory target) {
        target.channelId = Terms.channelId(claim.params);
        if (isSettled[target.channelId]) revert AlreadySettled();
        target.channel = IAdjudicator(adjudicator).channel(target.channelId);
        _requireFinal(target.channel, claim);
        target.standing = IPublications(publications).standing(target.channelId);
        if (target.standing.voided) revert Void();
        _readGenesis(target, claim);
        _requirePolicy(target, claim, mode);
        _requireTicket(target, claim);
        _requireStake(target.policy, claim.funding);
        _requireConsent(target, claim.params, claim.joins);
    }

    /// @dev Effects come from terminal states only: who could end a channel early could pick a flattering moment.
    function _requireFinal(ChannelView memory c, Claim calldata claim) internal pure {
        if (c.status != Status.Final) revert NotFinal();
        Terms.requireFunding(claim.params, claim.funding);
        States.Shape memory shape = States.shapeOf(claim.params, claim.funding);
        if (claim.state.length < shape.header + shape.funds || shape.hash(claim.state) != c.stateHash) revert WrongState();
        if (!shape.open(claim.state).terminal) revert WrongState();
    }

    function _readGenesis(Target memory target, Claim calldata claim) internal view {
        bytes calldata input = claim.genesisInput;
        if (keccak256(input) != claim.params.genesisHash) revert WrongGenesis();
        if (input.length < GENESIS_HEAD || input.length > MAX_GENESIS_BYTES) revert WrongGenesis();
        if (Outcome.word(input, 1) > type(uint160).max) revert WrongGenesis();
        if (Outcome.word(input, 0) != uint160(address(this))) revert WrongGenesis();
        target.world = address(uint160(Outcome.word(input, 1)));
        target.namespaceId = bytes32(Outcome.word(input, 2));
        target.configHash = bytes32(Outcome.word(input, 3));
        target.ticketHash = bytes32(Outcome.word(input, 4));
    }

    /// @dev Whose word counts: the policy that the ticket was bought under, else the one that the publication began under,
    /// else the newest.
    function _requirePolicy(Target memory target, Claim calldata claim, uint8 mode) internal view {
        uint64 revision;
        if (target.ticketHash != 0) {
            // A ticket that does not exist cannot choose a revision.
            if (keccak256(abi.encode(claim.ticket)) != target.ticketHash) revert WrongTicket();
            if (!ITickets(tickets).isSealed(target.ticketHash)) revert WrongTicket();
            revision = claim.ticket.revision;
        } else if (mode == Modes.OPTIMISTIC) {
            revision = target.standing.revision;
        }
        (target.policy, target.revision) =
            IPolicies(policies).inForce(target.world, target.namespaceId, claim.params.moduleHash, target.configHash, revision);
        if (target.policy.modes & mode == 0) revert NotAllowed();
    }

    /// @dev The ticket is for exactly this game, and has not settled another channel.
    function _requireTicket(Target memory target, Claim calldata claim) internal view {
        if (target.ticketHash == 0) {
            if (target.policy.needsTicket) revert WrongTicket();
            return;
        }
        if (usedBy[target.ticketHash] != 0) revert TicketUsed();
        if (claim.ticket.world != target.world || claim.ticket.namespaceId != target.namespaceId) revert WrongTicket();
        if (claim.ticket.moduleHash != claim.params.moduleHash || claim.ticket.configHash != target.configHash) revert WrongTicket();
        address[] memory owners = new address[](claim.params.participants.length);
        for (uint256 i; i < owners.length; ++i) {
            owners[i] = claim.params.participants[i].owner;
        }
        if (keccak256(abi.encode(owners)) != claim.ticket.ownersHash) revert WrongTicket();
    }

    function _requireStake(Policy memory policy, Funding[] calldata funding) internal pure {
        if (policy.minFunding == 0) return;
        for (uint256 a; a < funding.length; ++a) {
            if (funding[a].asset == policy.minFundingAsset && Outcome.pot(funding[a]) >= policy.minFunding) return;
        }
        revert FundingTooSmall();
    }

    /// @dev Anyone can write a stranger's wallet into Params. Only a deposit or a Join by that wallet makes it a player.
    function _requireConsent(Target memory target, Params calldata params, bytes[] calldata joins) internal view {
        if (joins.length != params.participants.length) revert WrongJoinCount();
        uint128 ofFirst; // the bits of participant 0, one per asset
        for (uint256 a; a < Terms.MAX_ASSETS; ++a) {
            ofFirst |= uint128(1) << uint128(Terms.MAX_PARTICIPANTS * a);
        }
        bytes32 separator = _domainSeparator();
        for (uint256 i; i < joins.length; ++i) {
            if (target.channel.deposits & (ofFirst << uint128(i)) != 0) continue;
            bytes32 digest = Messages.digest(separator, Messages.hash(Join(target.channelId, params.participants[i].signer)));
            if (!Signatures.isByWallet(params.participants[i].owner, digest, joins[i])) revert NoConsent(i);
        }
    }

    /* INTERNAL: THE ATTESTED MODE */

    /// @dev The newest attestors of the policy vouch for the whole journal.
    function _requireAttested(Target memory target, AttestorSignature[] calldata signatures) internal view {
        ChannelView memory c = target.channel;
        // A mode without attestors does not exist; should a policy ever say so, nobody's word is not enough.
        if (signatures.length == 0 || signatures.length < target.policy.threshold) revert NotEnoughAttestors();
        bytes32 digest =
            Messages.digest(_domainSeparator(), Messages.hash(Attestation(target.channelId, c.seq, c.journalRoot, c.stateHash)));
        for (uint256 i; i < signatures.length; ++i) {
            uint8 index = signatures[i].index;
            // Ascending: nobody counts twice.
            if (index >= target.policy.attestors.length || (i != 0 && index <= signatures[i - 1].index)) {
                revert NotEnoughAttestors();
            }
            if (!Signatures.isBy(target.policy.attestors[index], digest, signatures[i].attestation)) revert BadAttestorSignature(index);
        }
    }

    /* INTERNAL: EFFECTS */

    /// @dev Derives the effects, marks channel and ticket, and writes all of them or reverts.
    function _settle(Target memory target, Claim calldata claim, uint8 mode) internal {
        (uint8 status, Effect[] memory effects) = IDerivation(derivation).effects(claim.params, claim.funding, claim.state);
        if (status != 0) revert NoEffects(status);
        Progress memory progress;
        progress.used = new uint256[](target.policy.permissions.length);
        _readSnapshot(progress, target, claim, effects);

        isSettled[target.channelId] = true;
        if (target.ticketHash != 0) usedBy[target.ticketHash] = target.channelId;
        emit Settled(target.channelId, target.world, target.namespaceId, effects.length, target.revision, mode);

        for (uint256 i; i < effects.length; ++i) {
            uint8 op = effects[i].op;
            if (op == Ops.INCREMENT) _increment(target, progress, effects[i], i);
            else if (op == Ops.CALL) _call(target, progress, effects[i], i);
            else if (Ops.isWhole(op) && mode != Modes.ATTESTED) _replace(target, progress, effects[i], i);
            else revert EffectNotAllowed(i);
        }
    }

    /// @dev Only set and delete need it.
    function _readSnapshot(Progress memory progress, Target memory target, Claim calldata claim, Effect[] memory effects) internal pure {
        bool needed;
        for (uint256 i; i < effects.length; ++i) {
            needed = needed || Ops.isWhole(effects[i].op);
        }
        if (!needed || target.ticketHash == 0) return;
        bytes32 hash = keccak256(abi.encode(claim.ticket.world, claim.ticket.block, claim.snapshot));
        if (hash != claim.ticket.snapshot) revert WrongSnapshot();
        progress.snapshot = claim.snapshot; // as many as the ticket has: 32 at most
        progress.names = new bytes32[](claim.snapshot.length);
        for (uint256 i; i < progress.names.length; ++i) {
            progress.names[i] = MudRecords.name(progress.snapshot[i].resourceId, progress.snapshot[i].key);
        }
    }

    function _increment(Target memory target, Progress memory progress, Effect memory effect, uint256 at) internal {
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
        progress.used[p] += size; // at most 32 values below 2^128
        if (progress.used[p] > permission.perChannel) revert EffectNotAllowed(at);

        MudWorld.increment(target.world, effect.resourceId, effect.key, index, delta, at);
    }

    function _call(Target memory target, Progress memory progress, Effect memory effect, uint256 at) internal {
        if (effect.data.length < 4 || effect.key.length != 0) revert BadEffect(at);
        _count(target, progress, effect, bytes4(effect.data), at);
        IBaseWorld(target.world).call(ResourceId.wrap(effect.resourceId), effect.data);
    }

    /// @dev Sets or deletes a record that is what it was when the ticket was bought. Once per channel: what a second effect on the
    /// same record would be compared with is nothing that anybody signed.
    function _replace(Target memory target, Progress memory progress, Effect memory effect, uint256 at) internal {
        _count(target, progress, effect, 0, at);
        bytes32 name = MudRecords.name(effect.resourceId, effect.key);
        uint256 r;
        while (r < progress.names.length && progress.names[r] != name) ++r;
        uint256 bit = uint256(1) << r;
        if (r == progress.names.length || progress.taken & bit != 0) revert Changed(at);
        progress.taken |= bit;

        if (effect.op == Ops.DELETE) {
            if (effect.data.length != 0) revert BadEffect(at);
            return MudWorld.remove(target.world, progress.snapshot[r], at);
        }
        (bool ok, bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) = MudRecords.decode(effect.data);
        if (!ok) revert BadEffect(at);
        MudWorld.set(target.world, progress.snapshot[r], staticData, lengths, dynamicData, at);
    }

    /// @dev For permissions that count effects.
    function _count(Target memory target, Progress memory progress, Effect memory effect, bytes4 selector, uint256 at) internal pure {
        uint256 p = _permitted(target.policy.permissions, effect, 0, selector, at);
        if (++progress.used[p] > target.policy.permissions[p].perChannel) revert EffectNotAllowed(at);
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

    /* INTERNAL: NAMES */

    /// @dev Every message of the protocol is in the adjudicator's domain.
    function _domainSeparator() internal view returns (bytes32) {
        return Messages.domainSeparator(block.chainid, adjudicator);
    }
}
