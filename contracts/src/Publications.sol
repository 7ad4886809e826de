// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ChannelView, IAdjudicator} from "./interfaces/IAdjudicator.sol";
import {IDerivation} from "./interfaces/IDerivation.sol";
import {IModuleRegistry} from "./interfaces/IModuleRegistry.sol";
import {IPolicies, Policy} from "./interfaces/IPolicies.sol";
import {Chunk, IPublications, Standing, Witness} from "./interfaces/IPublications.sol";
import {Entries} from "./lib/Entries.sol";
import {Journal} from "./lib/Journal.sol";
import {Messages} from "./lib/Messages.sol";
import {Modes} from "./lib/Modes.sol";
import {Payments} from "./lib/Payments.sol";
import {States} from "./lib/States.sol";
import {Terms} from "./lib/Terms.sol";
import {Event, Funding, Params, Status, TopUp} from "./Types.sol";

/// @title Publications
/// @dev NatSpec is in the interface. What a journal is, only the Update says that all participants signed; what is right, only
/// δ says. So nobody who calls this contract is trusted with anything: it compares. Every function: require, write state,
/// emit, and only then transfer.
contract Publications is IPublications, ReentrancyGuardTransient {
    using Journal for Journal.Range;

    /* STORAGE */

    /// @dev Where a publisher is. `digest` is that of the leaves so far (Journal.digest).
    /// @param began When the chunk with leaf 0 came.
    /// @param size Bytes of genesis input and entries so far.
    /// @param maxSize What the policy allows.
    struct Progress {
        uint64 next;
        uint64 began;
        uint64 revision;
        uint32 size;
        uint32 maxSize;
        bytes32 digest;
    }

    /// @dev What the genesis input begins with (docs/encoding.md 25), as far as policies are keyed by it.
    struct Target {
        address world;
        bytes32 namespaceId;
        bytes32 configHash;
    }

    /// @dev An execution on its way.
    /// @param end What the participants signed.
    /// @param hash Of `state`.
    /// @param status Of the entry that ran last, with what it gave.
    struct Run {
        bytes32 id;
        ChannelView end;
        Journal.Range range;
        bytes state;
        bytes32 hash;
        uint32 size;
        uint32 maxSize;
        uint8 status;
        bytes next;
        bytes32 nextHash;
    }

    /// @dev Whoever verifies looks back no further for the chunks: logs do not stay for ever on every node. It also bounds how long
    /// an old policy can be held on to.
    uint256 internal constant PUBLISHING_PERIOD = 1 days;
    uint256 internal constant GENESIS_HEAD = 160;
    uint256 internal constant MAX_GENESIS = 16 * 1024;
    uint256 internal constant HASH = 32;
    uint256 internal constant TOP_UP_ENTRY = 5;
    uint8 internal constant ACCEPTED = 0;
    /// @dev Nobody has this address.
    address internal constant BURN = address(0);

    /// @inheritdoc IPublications
    address public immutable adjudicator;
    /// @inheritdoc IPublications
    address public immutable derivation;
    /// @inheritdoc IPublications
    address public immutable policies;

    mapping(bytes32 channelId => Standing) private _standing;
    mapping(bytes32 channelId => mapping(address publisher => Progress)) private _progress;
    /// @dev Bytes of genesis input and entries that led there, 0 when nobody came there.
    mapping(bytes32 position => uint32) private _executed;
    /// @inheritdoc IPublications
    mapping(address account => uint256) public credits;

    constructor(address adjudicator_, address derivation_, address policies_) {
        adjudicator = adjudicator_;
        derivation = derivation_;
        policies = policies_;
    }

    /* PUBLISH */

    /// @inheritdoc IPublications
    function publish(
        Params calldata params,
        Funding[] calldata funding,
        bytes calldata genesisInput,
        bytes32 genesisState,
        Chunk calldata chunk
    ) external payable nonReentrant {
        bytes32 id = Terms.channelId(params);
        ChannelView memory c = _final(id, params, funding);
        if (_standing[id].publisher != address(0)) revert AlreadyPublished();
        Target memory target = _target(params, genesisInput);

        (Progress memory p, Policy memory policy, Journal.Range memory range) =
            _resume(id, params, target, genesisInput, genesisState, chunk);
        bytes32 last = _append(id, c.seq, range, chunk.entries, genesisState);
        p.size = _grown(p.size, chunk.entries.length, p.maxSize);
        _announce(id, chunk, range.size, genesisInput, genesisState);

        if (range.size <= c.seq) {
            if (msg.value != 0) revert WrongBond(0);
            p.next = range.size;
            p.digest = range.digest();
            _progress[id][msg.sender] = p;
            return;
        }
        if (range.rootOf() != c.journalRoot || last != c.stateHash) revert WrongJournal();
        if (chunk.first != 0) (policy,) = _policy(params, target, p.revision);
        _complete(id, params, funding, target.world, policy, p.revision);
    }

    /// @dev Where this chunk begins: at leaf 0, under the policy in force now, or where this publisher is.
    function _resume(
        bytes32 id,
        Params calldata params,
        Target memory target,
        bytes calldata genesisInput,
        bytes32 genesisState,
        Chunk calldata chunk
    ) internal view returns (Progress memory p, Policy memory policy, Journal.Range memory range) {
        bool ok;
        (ok, range) = Journal.open(chunk.first, chunk.range);
        if (!ok) revert WrongProgress();
        if (chunk.first != 0) {
            p = _progress[id][msg.sender];
            if (p.next != chunk.first || p.digest != range.digest() || chunk.entries.length == 0) revert WrongProgress();
            if (block.timestamp > p.began + PUBLISHING_PERIOD) revert TooLate();
            return (p, policy, range);
        }
        if (!IModuleRegistry(IDerivation(derivation).registry()).isRegistered(params.moduleHash)) revert UnknownModule();
        (policy, p.revision) = _policy(params, target, 0);
        if (policy.modes & Modes.OPTIMISTIC == 0) revert NotAllowed();
        p.began = uint64(block.timestamp);
        p.maxSize = policy.maxJournalBytes;
        p.size = _grown(0, genesisInput.length, p.maxSize);
        range.append(Journal.leaf(params.genesisHash, genesisState));
    }

    /// @dev Hashes the chunk's events and appends their leaves. Returns the stateHash of the last one.
    function _append(bytes32 id, uint64 seq, Journal.Range memory range, bytes calldata entries, bytes32 last)
        internal
        pure
        returns (bytes32)
    {
        Entries.Entry memory e;
        for (uint256 at; at < entries.length;) {
            uint256 end = range.size > seq ? 0 : Entries.read(entries, at, e);
            if (end == 0 || entries.length - end < HASH) revert BadEntry(range.size);
            last = bytes32(entries[end:end + HASH]);
            range.append(Journal.leaf(Entries.hash(id, entries, e), last));
            at = end + HASH;
        }
        return last;
    }

    /// @dev What a verifier needs, from the log alone. The genesis is in the chunk with leaf 0, where it was checked.
    function _announce(bytes32 id, Chunk calldata chunk, uint64 next, bytes calldata genesisInput, bytes32 genesisState) internal {
        if (chunk.first != 0) {
            genesisInput = genesisInput[:0];
            genesisState = 0;
        }
        emit ChunkPublished(id, msg.sender, chunk.first, next, genesisInput, genesisState, chunk.entries);
    }

    function _complete(bytes32 id, Params calldata params, Funding[] calldata funding, address world, Policy memory policy, uint64 revision)
        internal
    {
        if (msg.value != policy.bond) revert WrongBond(policy.bond);
        Standing storage s = _standing[id];
        s.publisher = msg.sender;
        s.deadline = uint64(block.timestamp) + policy.window;
        s.revision = revision;
        s.bond = policy.bond;
        delete _progress[id][msg.sender];
        emit Published(id, msg.sender, world, s.deadline, policy.bond, params, funding);
    }

    /// @inheritdoc IPublications
    function veto(Params calldata params, bytes calldata genesisInput) external nonReentrant {
        bytes32 id = Terms.channelId(params);
        Standing storage s = _standing[id];
        if (s.voided || s.vetoed) revert AlreadyVoid();
        if (block.timestamp >= s.deadline) revert WindowClosed();
        // The guardian of today's policy, not of the publication's: a key that was replaced has no say any more.
        (Policy memory policy,) = _policy(params, _target(params, genesisInput), 0);
        if (msg.sender != policy.guardian) revert NotGuardian();

        s.vetoed = true;
        credits[s.publisher] += s.bond;
        s.bond = 0;
        emit Vetoed(id, msg.sender);
    }

    /// @inheritdoc IPublications
    function releaseBond(bytes32 channelId) external nonReentrant {
        Standing storage s = _standing[channelId];
        uint128 bond = s.bond;
        if (bond == 0) revert NothingToWithdraw();
        if (block.timestamp < s.deadline) revert WindowOpen();

        s.bond = 0;
        credits[s.publisher] += bond;
        emit BondReleased(channelId, s.publisher, bond);
    }

    /// @inheritdoc IPublications
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw();

        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);

        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) revert WithdrawFailed();
    }

    /* DISPROVE */

    /// @inheritdoc IPublications
    function disprove(Params calldata params, Funding[] calldata funding, Witness calldata witness) external nonReentrant {
        bytes32 id = Terms.channelId(params);
        ChannelView memory c = _final(id, params, funding);
        _requireLeaves(id, params, funding, c, witness);
        (uint8 status, bytes32 derived) = _derive(params, funding, witness);
        // A rejected entry derives the state before it. A rejected genesis derives none: no leaf 0 is right.
        bool right = derived == witness.stateHash && (status == ACCEPTED || witness.index != 0);
        if (right) revert LeafIsRight();

        Standing storage s = _standing[id];
        uint128 bond = s.bond;
        uint128 reward = bond / 2;
        s.voided = true;
        s.bond = 0;
        emit Disproved(id, msg.sender, witness.index, status, derived, witness.stateHash, reward, bond - reward);

        if (reward != 0 && !Payments.trySend(address(0), msg.sender, reward)) credits[msg.sender] += reward;
        // An account without code takes any amount: this fails for want of gas only, and then everything does.
        if (bond != reward) SafeTransferLib.safeTransferETH(BURN, bond - reward);
    }

    /// @dev The signed root commits to what the witness says: the entry and the claim as leaf `index`, the state as that of the
    /// leaf before.
    function _requireLeaves(bytes32 id, Params calldata params, Funding[] calldata funding, ChannelView memory c, Witness calldata w)
        internal
        pure
    {
        bytes32 eventHash = w.index == 0 ? keccak256(w.entry) : _entryHash(id, w.entry);
        if (!Journal.includes(c.journalRoot, c.seq + 1, w.index, eventHash, w.stateHash, w.proof)) revert BadWitness();
        if (w.index == 0) {
            if (eventHash != params.genesisHash) revert BadWitness();
            return;
        }
        bytes32 previous = States.hash(States.shapeOf(params, funding), w.previousState);
        if (!Journal.includes(c.journalRoot, c.seq + 1, w.index - 1, w.previousEventHash, previous, w.previousProof)) revert BadWitness();
    }

    /// @dev kind (1 byte) ‖ abi.encode(Event), or the top-up's index in 4 bytes.
    function _entryHash(bytes32 id, bytes calldata entry) internal pure returns (bytes32) {
        if (entry.length == TOP_UP_ENTRY && uint8(entry[0]) == Entries.KIND_TOP_UP) {
            return Entries.topUpHash(id, uint32(bytes4(entry[1:])));
        }
        if (entry.length == 0 || uint8(entry[0]) != Entries.KIND_EVENT) revert BadWitness();
        return Messages.hash(abi.decode(entry[1:], (Event)));
    }

    /// @dev What δ, or the genesis, gives. The witness was checked.
    function _derive(Params calldata params, Funding[] calldata funding, Witness calldata w)
        internal
        view
        returns (uint8 status, bytes32 derived)
    {
        IDerivation d = IDerivation(derivation);
        if (w.index == 0) {
            (status,, derived) = d.genesis(params, funding, w.entry);
        } else if (uint8(w.entry[0]) == Entries.KIND_TOP_UP) {
            (status,, derived) = d.applyTopUp(params, funding, _topUps(), w.previousState, w.index, uint32(bytes4(w.entry[1:])));
        } else {
            Event memory e = abi.decode(w.entry[1:], (Event));
            (status,, derived) = d.applyEvent(params, funding, _topUps(), w.previousState, w.index, e);
        }
    }

    /* EXECUTE */

    /// @inheritdoc IPublications
    function execute(
        Params calldata params,
        Funding[] calldata funding,
        bytes calldata genesisInput,
        bytes calldata state,
        Chunk calldata chunk
    ) external nonReentrant {
        Run memory run = _begin(params, funding, genesisInput, state, chunk);
        run.size = _grown(run.size, chunk.entries.length, run.maxSize);
        _run(run, params, funding, chunk.entries);

        bool complete = run.range.size > run.end.seq;
        if (complete) {
            if (run.range.rootOf() != run.end.journalRoot || run.hash != run.end.stateHash) revert WrongJournal();
            _standing[run.id].executed = true;
        } else {
            _executed[_position(run.id, run.range, run.hash)] = run.size;
        }
        emit Executed(run.id, chunk.first, run.range.size, run.hash, complete);
    }

    /// @dev Where this chunk begins: behind leaf 0, which is derived here, or where somebody came.
    function _begin(
        Params calldata params,
        Funding[] calldata funding,
        bytes calldata genesisInput,
        bytes calldata state,
        Chunk calldata chunk
    ) internal view returns (Run memory run) {
        run.id = Terms.channelId(params);
        run.end = _final(run.id, params, funding);
        (Policy memory policy,) = _policy(params, _target(params, genesisInput), 0);
        if (policy.modes & Modes.EXECUTED == 0) revert NotAllowed();
        run.maxSize = policy.maxJournalBytes;

        bool ok;
        (ok, run.range) = Journal.open(chunk.first, chunk.range);
        if (!ok) revert WrongProgress();
        if (chunk.first == 0) {
            uint8 status;
            (status, run.state, run.hash) = IDerivation(derivation).genesis(params, funding, genesisInput);
            if (status != ACCEPTED) revert BadEntry(0);
            run.range.append(Journal.leaf(params.genesisHash, run.hash));
            run.size = _grown(0, genesisInput.length, run.maxSize);
        } else {
            run.state = state;
            run.hash = States.hash(States.shapeOf(params, funding), state);
            run.size = _executed[_position(run.id, run.range, run.hash)];
            if (run.size == 0 || chunk.entries.length == 0) revert WrongProgress();
        }
    }

    /// @dev Runs the entries and appends the leaves that they give. An entry that δ rejects gives a leaf with the state as it
    /// was.
    function _run(Run memory run, Params calldata params, Funding[] calldata funding, bytes calldata entries) internal view {
        run.state = _roomy(run.state, States.shapeOf(params, funding));
        Entries.Entry memory e;
        uint256 free = _mark();
        for (uint256 at; at < entries.length;) {
            uint256 end = run.range.size > run.end.seq ? 0 : Entries.read(entries, at, e);
            if (end == 0) revert BadEntry(run.range.size);
            _step(run, params, funding, entries, e);
            run.range.append(Journal.leaf(Entries.hash(run.id, entries, e), run.hash));
            at = end;
            // A step leaves several copies of the state behind it: without this they would pile up over the chunk.
            _release(free);
        }
    }

    /// @dev δ of one entry, and the new state into its buffer. What else it allocates is dead afterwards.
    function _step(Run memory run, Params calldata params, Funding[] calldata funding, bytes calldata entries, Entries.Entry memory e)
        internal
        view
    {
        if (e.kind == Entries.KIND_TOP_UP) {
            _applyTopUp(run, params, funding, e.index);
        } else {
            Event memory event_ = Event(run.id, e.author, e.nonce, e.notAfter, e.timestamp, Entries.payloadOf(entries, e));
            _applyEvent(run, params, funding, event_);
        }
        if (run.status != ACCEPTED) return;
        run.hash = run.nextHash;
        bytes memory state = run.state;
        bytes memory next = run.next;
        assembly ("memory-safe") {
            // Derivation gives states of the channel's shape only: there is room.
            mcopy(state, next, add(mload(next), 0x20))
        }
    }

    function _applyEvent(Run memory run, Params calldata params, Funding[] calldata funding, Event memory e) internal view {
        (run.status, run.next, run.nextHash) = IDerivation(derivation).applyEvent(params, funding, _topUps(), run.state, run.range.size, e);
    }

    function _applyTopUp(Run memory run, Params calldata params, Funding[] calldata funding, uint32 index) internal view {
        (run.status, run.next, run.nextHash) =
            IDerivation(derivation).applyTopUp(params, funding, _topUps(), run.state, run.range.size, index);
    }

    /* VIEWS */

    /// @inheritdoc IPublications
    function standing(bytes32 channelId) external view returns (Standing memory) {
        return _standing[channelId];
    }

    /// @inheritdoc IPublications
    function progress(bytes32 channelId, address publisher) external view returns (uint64 next, bytes32 digest) {
        Progress storage p = _progress[channelId][publisher];
        return (p.next, p.digest);
    }

    /// @inheritdoc IPublications
    function reached(bytes32 channelId, uint64 next, bytes32[] calldata range, bytes32 stateHash) external view returns (bool) {
        (bool ok, Journal.Range memory r) = Journal.open(next, range);
        return ok && _executed[_position(channelId, r, stateHash)] != 0;
    }

    /* INTERNAL: CHECKS */

    /// @dev The journal that the participants signed and ended with, of a channel whose parts are given.
    function _final(bytes32 id, Params calldata params, Funding[] calldata funding) internal view returns (ChannelView memory c) {
        if (keccak256(abi.encode(funding)) != params.fundingHash) revert WrongFunding();
        if (_standing[id].voided) revert AlreadyVoid();
        c = IAdjudicator(adjudicator).channel(id);
        if (c.status != Status.Final) revert NotFinal();
    }

    function _target(Params calldata params, bytes calldata genesisInput) internal pure returns (Target memory target) {
        if (genesisInput.length < GENESIS_HEAD || genesisInput.length > MAX_GENESIS) revert WrongGenesis();
        if (keccak256(genesisInput) != params.genesisHash) revert WrongGenesis();
        uint256 world = States.word(genesisInput, 1);
        if (world > type(uint160).max) revert WrongGenesis();
        return Target(address(uint160(world)), bytes32(States.word(genesisInput, 2)), bytes32(States.word(genesisInput, 3)));
    }

    function _policy(Params calldata params, Target memory t, uint64 revision) internal view returns (Policy memory, uint64) {
        return IPolicies(policies).inForce(t.world, t.namespaceId, params.moduleHash, t.configHash, revision);
    }

    function _grown(uint32 size, uint256 by, uint32 max) internal pure returns (uint32) {
        if (by > max || size > max - by) revert TooManyBytes();
        return size + uint32(by);
    }

    function _position(bytes32 id, Journal.Range memory range, bytes32 hash) internal pure returns (bytes32) {
        return keccak256(abi.encode(id, range.digest(), hash));
    }

    /// @dev The adjudicator records no top-ups: a leaf of one is rejected, and right when it leaves the state as it was.
    function _topUps() internal pure returns (TopUp[] memory) {
        return new TopUp[](0);
    }

    /* INTERNAL: MEMORY */

    /// @dev A copy of the state with room for any other of the channel.
    function _roomy(bytes memory state, States.Shape memory shape) internal pure returns (bytes memory buffer) {
        buffer = new bytes(shape.header + shape.funds + States.MAX_APP);
        assembly ("memory-safe") {
            mcopy(buffer, state, add(mload(state), 0x20))
        }
    }

    function _mark() internal pure returns (uint256 free) {
        assembly ("memory-safe") {
            free := mload(0x40)
        }
    }

    function _release(uint256 free) internal pure {
        assembly ("memory-safe") {
            mstore(0x40, free)
        }
    }
}
