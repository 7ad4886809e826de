// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Funding, Params} from "../Types.sol";

/// @notice What is known about the journal of a channel.
/// @param voided A leaf is proven wrong: nothing of this channel is ever settled.
/// @param executed The chain ran every leaf.
/// @param vetoed The guardian took the publication back; another one is not possible.
/// @param publisher Who published the whole journal; zero when nobody did.
/// @param deadline From then on (t ≥ deadline) the publication stands.
/// @param bond What the publisher still has at stake.
/// @param revision The policy revision that the publication began under.
struct Standing {
    bool voided;
    bool executed;
    bool vetoed;
    address publisher;
    uint64 deadline;
    uint64 revision;
    uint128 bond;
}

/// @notice A chunk of a journal: entries `first`, `first + 1`, …
/// @param range Of the leaves before `first`: the roots of the perfect subtrees of their tree, largest first (as many as
/// `first` has one bits).
/// @param entries Packed, one after the other, big-endian:
///     event   0x00 ‖ author (1) ‖ nonce (8) ‖ notAfter (8) ‖ timestamp (8) ‖ length (2) ‖ payload [‖ stateHash (32)]
///     top-up  0x01 ‖ index (4) [‖ stateHash (32)]
/// with stateHash in `publish`, without in `execute`, which derives it. Leaf 0 is no entry: its eventHash is the genesisHash,
/// and in `publish` its stateHash is `genesisState`.
struct Chunk {
    uint64 first;
    bytes32[] range;
    bytes entries;
}

/// @notice One wrong leaf (docs/encoding.md 28).
/// @param index Of the leaf.
/// @param entry Kind (1 byte: 0 event, 1 top-up) ‖ abi.encode(Event), or the top-up's index in 4 bytes. Leaf 0: the genesis input.
/// @param stateHash What the leaf says.
/// @param proof Inclusion of leaf `index` in the signed root, of size seq + 1, from the leaf upwards (RFC 9162 §2.1.3).
/// @param previousEventHash Of leaf index − 1; leaf 0: zero.
/// @param previousProof Inclusion of leaf index − 1; leaf 0: empty.
/// @param previousState The bytes whose hash leaf index − 1 has; leaf 0: empty.
struct Witness {
    uint64 index;
    bytes entry;
    bytes32 stateHash;
    bytes32[] proof;
    bytes32 previousEventHash;
    bytes32[] previousProof;
    bytes previousState;
}

/// @title IPublications
/// @notice Shows that the journal of a Final channel follows its module, or that it does not (docs/protocol.md §6): published
/// and open to proofs of fraud, or executed leaf by leaf. Holds the publishers' bonds; no owner.
interface IPublications {
    /// @notice Entries `first`… of a journal, for whoever verifies. The chunk with `first` 0 has the genesis as well (empty and zero
    /// in the others); it also starts this publisher's journal over, so that what it published before does not count.
    event ChunkPublished(
        bytes32 indexed channelId,
        address indexed publisher,
        uint64 first,
        uint64 next,
        bytes genesisInput,
        bytes32 genesisState,
        bytes entries
    );
    /// @notice The whole journal is there; it stands from `deadline` on unless somebody disproves a leaf before it is settled.
    event Published(
        bytes32 indexed channelId,
        address indexed publisher,
        address indexed world,
        uint64 deadline,
        uint128 bond,
        Params params,
        Funding[] funding
    );
    /// @notice Leaf `index` is wrong: δ gives `status` and `derived`, the leaf says `claimed`.
    event Disproved(
        bytes32 indexed channelId,
        address indexed prover,
        uint64 index,
        uint8 status,
        bytes32 derived,
        bytes32 claimed,
        uint128 reward,
        uint128 burnt
    );
    event Vetoed(bytes32 indexed channelId, address indexed guardian);
    /// @notice The chain ran leaves `first`..`next − 1`.
    event Executed(bytes32 indexed channelId, uint64 first, uint64 next, bytes32 stateHash, bool complete);
    event BondReleased(bytes32 indexed channelId, address indexed publisher, uint128 bond);
    event Withdrawn(address indexed account, uint256 amount);

    error NotFinal();
    error WrongGenesis();
    error WrongFunding();
    /// @notice The policy of the channel's World has not this mode.
    error NotAllowed();
    /// @notice The module is not registered: nobody could disprove anything.
    error UnknownModule();
    /// @notice A complete publication is there already.
    error AlreadyPublished();
    error AlreadyVoid();
    /// @notice The chunk does not go on where this publisher, or the execution, is.
    error WrongProgress();
    /// @notice The chunk with leaf 0 is more than a day old: start over with `first` 0.
    error TooLate();
    /// @notice Entry `seq` is malformed, over a limit, or there are more than the Update has.
    error BadEntry(uint64 seq);
    error TooManyBytes();
    /// @notice The leaves do not give the signed root, or the last one has not the Update's stateHash.
    error WrongJournal();
    error WrongBond(uint128 bond);
    /// @notice The witness is not what the root commits to.
    error BadWitness();
    /// @notice δ gives exactly what the leaf says.
    error LeafIsRight();
    error NotGuardian();
    error WindowClosed();
    error WindowOpen();
    error NothingToWithdraw();
    error WithdrawFailed();

    /// @notice Publishes a chunk of the journal of a Final channel for the optimistic mode. Progress is per publisher, nobody
    /// can disturb another's. A chunk with `first` 0 starts over, under the policy in force now, which the publication then keeps.
    /// The last chunk comes within a day of the first, carries the bond, exactly, and opens the window; no other takes coins. Journals with an entry that cannot be
    /// packed (a payload over 4 KiB, another channel's event) cannot be published: no honest participant signs one.
    /// @param genesisInput Always: it names World and policy.
    /// @param genesisState The stateHash of leaf 0; read with `first` 0 only.
    function publish(
        Params calldata params,
        Funding[] calldata funding,
        bytes calldata genesisInput,
        bytes32 genesisState,
        Chunk calldata chunk
    ) external payable;

    /// @notice Proves that a leaf of the journal of a Final channel is wrong: it is void for good. Half of a bond goes to the
    /// sender, half is burnt. Needs no publication. Reverts LeafIsRight when it is not wrong.
    function disprove(Params calldata params, Funding[] calldata funding, Witness calldata witness) external;

    /// @notice The guardian of the policy in force now takes a publication back inside its window; the publisher gets its bond back.
    function veto(Params calldata params, bytes calldata genesisInput) external;

    /// @notice Runs the next leaves of the journal of a Final channel for the executed mode. Anyone, from any progress that was
    /// reached. With `chunk.first` 0 it begins with leaf 0, `state` is empty. Under the policy in force now.
    /// @param state After leaf first − 1.
    function execute(
        Params calldata params,
        Funding[] calldata funding,
        bytes calldata genesisInput,
        bytes calldata state,
        Chunk calldata chunk
    ) external;

    /// @notice Credits the bond of a publication that stands, past its deadline, to its publisher.
    function releaseBond(bytes32 channelId) external;
    function credits(address account) external view returns (uint256);
    function withdraw(address to) external returns (uint256 amount);

    function standing(bytes32 channelId) external view returns (Standing memory);
    /// @notice How many leaves of the journal this publisher has published, and the digest of where that is.
    function progress(bytes32 channelId, address publisher) external view returns (uint64 next, bytes32 digest);
    /// @notice Whether the chain ran the leaves that lead to this range, state and `next`.
    function reached(bytes32 channelId, uint64 next, bytes32[] calldata range, bytes32 stateHash) external view returns (bool);

    function adjudicator() external view returns (address);
    function derivation() external view returns (address);
    function policies() external view returns (address);
}
