// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// The vocabulary of docs/protocol.md §1, one struct per term, fields in the order that is hashed.
// `abi.encode` of these structs, with one argument, is what ids and hashes are made of (docs/encoding.md 1).

/// @dev `signer` is the session key that plays; `owner` is the wallet that pays the stake, receives the payout and is
/// the player in the World.
struct Participant {
    address signer;
    address owner;
}

struct Params {
    uint256 chainId;
    address adjudicator;
    Participant[] participants;
    address[] beneficiaries;
    address[] guarantors;
    uint64 nonce;
    uint32 window;
    uint16 forceQuota;
    uint8 sequencer;
    bytes32 moduleHash;
    bytes32 genesisHash;
    bytes32 fundingHash;
    uint64 fundingDeadline;
    bool isVirtual;
}

/// @dev `amounts[i]` is paid by `participants[i].owner`; `asset` 0 is the chain's coin.
struct Funding {
    address asset;
    uint256[] amounts;
}

struct Event {
    bytes32 channelId;
    uint8 author;
    uint64 nonce;
    uint64 notAfter;
    uint64 timestamp;
    bytes payload;
}

/// @dev The signed journal head: the tree has `seq + 1` leaves and `stateHash` is the last leaf's.
struct Update {
    bytes32 channelId;
    uint64 seq;
    bytes32 journalRoot;
    bytes32 stateHash;
}

struct Close {
    bytes32 channelId;
    uint64 seq;
    bytes32 stateHash;
    bool inDispute;
}

/// @dev A wallet's consent to be the owner behind `signer` in a channel whose outcome is written to a World.
struct Join {
    bytes32 channelId;
    address signer;
}

struct Activate {
    bytes32 channelId;
}

struct Attestation {
    bytes32 channelId;
    uint64 seq;
    bytes32 journalRoot;
    bytes32 stateHash;
}

struct Challenge {
    bytes32 channelId;
    uint64 seq;
    bytes32 journalRoot;
    bytes32 stateHash;
}

struct Force {
    bytes32 channelId;
    bytes32 eventHash;
}

/// @dev A lock inside a ledger channel. `amounts` follow the ledger's Funding; `index` is the virtual channel's
/// participant and `side` the ledger's participant that stands for it.
struct Guarantee {
    bytes32 target;
    uint8 index;
    uint8 side;
    uint256[] amounts;
}

/// @dev A record for a MUD World. `op`: 0 set, 1 delete, 2 increment, 3 call (docs/encoding.md 24).
struct Effect {
    uint8 op;
    bytes32 resourceId;
    bytes32[] key;
    bytes data;
}

/// @dev A state opened as far as money needs it. `header` is N + 3 words, `funds` is assets · (N + beneficiaries) words.
struct StateView {
    bytes header;
    bytes funds;
    bytes32 appHash;
}

/// @dev What a module is beside its program (docs/encoding.md 16): moduleHash = H(abi.encode(Manifest)). `flags` bit 0 sparse,
/// bit 1 independent.
struct Manifest {
    bytes32 programHash;
    uint64 fuelLimit;
    uint32 pageLimit;
    uint32 maxEvents;
    uint8 flags;
}

/// @dev A stake that was raised after funding, as the chain recorded it.
struct TopUp {
    uint8 participant;
    uint8 assetIndex;
    uint256 amount;
}

enum Status {
    None,
    Collect,
    Play,
    Final
}
