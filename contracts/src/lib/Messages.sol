// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Activate, Attestation, Challenge, Close, Event, Force, Join, Update} from "../Types.sol";

/// @notice The EIP-712 messages of the protocol (docs/encoding.md 2). All share one domain, whose verifying contract is
/// the adjudicator, also when the settlement checks them.
library Messages {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant EVENT_TYPEHASH =
        keccak256("Event(bytes32 channelId,uint8 author,uint64 nonce,uint64 notAfter,uint64 timestamp,bytes payload)");
    bytes32 internal constant UPDATE_TYPEHASH = keccak256("Update(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)");
    bytes32 internal constant CLOSE_TYPEHASH = keccak256("Close(bytes32 channelId,uint64 seq,bytes32 stateHash,bool inDispute)");
    bytes32 internal constant JOIN_TYPEHASH = keccak256("Join(bytes32 channelId,address signer)");
    bytes32 internal constant ACTIVATE_TYPEHASH = keccak256("Activate(bytes32 channelId)");
    bytes32 internal constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)");
    bytes32 internal constant CHALLENGE_TYPEHASH =
        keccak256("Challenge(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)");
    bytes32 internal constant FORCE_TYPEHASH = keccak256("Force(bytes32 channelId,bytes32 eventHash)");

    bytes32 private constant NAME_HASH = keccak256("Channels");
    bytes32 private constant VERSION_HASH = keccak256("1");

    function domainSeparator(uint256 chainId, address adjudicator) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, chainId, adjudicator));
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    function hash(Event memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(EVENT_TYPEHASH, m.channelId, m.author, m.nonce, m.notAfter, m.timestamp, keccak256(m.payload)));
    }

    function hash(Update memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(UPDATE_TYPEHASH, m.channelId, m.seq, m.journalRoot, m.stateHash));
    }

    function hash(Close memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLOSE_TYPEHASH, m.channelId, m.seq, m.stateHash, m.inDispute));
    }

    function hash(Join memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(JOIN_TYPEHASH, m.channelId, m.signer));
    }

    function hash(Activate memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACTIVATE_TYPEHASH, m.channelId));
    }

    function hash(Attestation memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(ATTESTATION_TYPEHASH, m.channelId, m.seq, m.journalRoot, m.stateHash));
    }

    function hash(Challenge memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHALLENGE_TYPEHASH, m.channelId, m.seq, m.journalRoot, m.stateHash));
    }

    function hash(Force memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(FORCE_TYPEHASH, m.channelId, m.eventHash));
    }
}
