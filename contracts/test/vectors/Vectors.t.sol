// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Messages} from "../../src/lib/Messages.sol";
import {Outcome} from "../../src/lib/Outcome.sol";
import {Signatures} from "../../src/lib/Signatures.sol";
import {Activate, Attestation, Challenge, Close, Effect, Event, Force, Funding, Join, Params, StateView, Update} from "../../src/Types.sol";

/// @dev The golden files that Go writes and every language reads. A file without cases fails.
/// The struct names below are schemas: `parseJsonTypeArray` picks the fields they list.
abstract contract VectorTest is Test {
    function read(string memory file, string memory schema) internal view returns (bytes memory) {
        return vm.parseJsonTypeArray(vm.readFile(string.concat("channel/testdata/", file)), ".cases", schema);
    }
}

contract EncodingVectorsTest is VectorTest {
    struct ParamsCase {
        string name;
        bytes encoded;
        bytes32 channelId;
    }

    struct FundingCase {
        string name;
        bytes encoded;
        bytes32 fundingHash;
    }

    struct EffectsCase {
        string name;
        bytes encoded;
        bytes32 effectsHash;
    }

    struct StateCase {
        string name;
        uint256 participants;
        uint256 beneficiaries;
        uint256 assets;
        uint256 topUps;
        bool terminal;
        bytes header;
        bytes funds;
        bytes app;
        bytes32 headerHash;
        bytes32 fundsHash;
        bytes32 appHash;
        bytes32 stateHash;
    }

    struct ManifestCase {
        string name;
        bytes32 programHash;
        uint64 fuelLimit;
        uint32 pageLimit;
        uint32 maxEvents;
        uint8 flags;
        bytes32 moduleHash;
    }

    function test_F2_Params() public view {
        ParamsCase[] memory cases =
            abi.decode(read("params.json", "ParamsCase(string name,bytes encoded,bytes32 channelId)"), (ParamsCase[]));
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            Params memory params = abi.decode(cases[i].encoded, (Params));
            assertEq(abi.encode(params), cases[i].encoded, cases[i].name);
            assertEq(keccak256(abi.encode(params)), cases[i].channelId, cases[i].name);
        }
    }

    function test_F2_Funding() public view {
        FundingCase[] memory cases =
            abi.decode(read("funding.json", "FundingCase(string name,bytes encoded,bytes32 fundingHash)"), (FundingCase[]));
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            Funding[] memory funding = abi.decode(cases[i].encoded, (Funding[]));
            assertEq(abi.encode(funding), cases[i].encoded, cases[i].name);
            assertEq(keccak256(abi.encode(funding)), cases[i].fundingHash, cases[i].name);
        }
    }

    function test_F2_Effects() public view {
        EffectsCase[] memory cases =
            abi.decode(read("effects.json", "EffectsCase(string name,bytes encoded,bytes32 effectsHash)"), (EffectsCase[]));
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            Effect[] memory effects = abi.decode(cases[i].encoded, (Effect[]));
            assertEq(abi.encode(effects), cases[i].encoded, cases[i].name);
            assertEq(keccak256(abi.encode(effects)), cases[i].effectsHash, cases[i].name);
        }
    }

    function test_F2_State() public view {
        StateCase[] memory cases = abi.decode(
            read(
                "state.json",
                "StateCase(string name,uint256 participants,uint256 beneficiaries,uint256 assets,uint256 topUps,bool terminal,bytes header,bytes funds,bytes app,bytes32 headerHash,bytes32 fundsHash,bytes32 appHash,bytes32 stateHash)"
            ),
            (StateCase[])
        );
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            StateCase memory c = cases[i];
            assertEq(keccak256(c.header), c.headerHash, c.name);
            assertEq(keccak256(c.funds), c.fundsHash, c.name);
            assertEq(keccak256(c.app), c.appHash, c.name);
            assertEq(this.stateHash(StateView(c.header, c.funds, c.appHash)), c.stateHash, c.name);
            (uint32 topUps, bool terminal) = this.readHeader(c.header, c.participants);
            assertEq(topUps, c.topUps, c.name);
            assertEq(terminal, c.terminal, c.name);
            assertEq(c.funds.length, c.assets * (c.participants + c.beneficiaries) * 32, c.name);
        }
    }

    function test_F2_Manifest() public view {
        ManifestCase[] memory cases = abi.decode(
            read(
                "manifest.json",
                "ManifestCase(string name,bytes32 programHash,uint64 fuelLimit,uint32 pageLimit,uint32 maxEvents,uint8 flags,bytes32 moduleHash)"
            ),
            (ManifestCase[])
        );
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            ManifestCase memory c = cases[i];
            assertEq(keccak256(abi.encode(c.programHash, c.fuelLimit, c.pageLimit, c.maxEvents, c.flags)), c.moduleHash, c.name);
        }
    }

    function stateHash(StateView calldata state) external pure returns (bytes32) {
        return Outcome.stateHash(state);
    }

    function readHeader(bytes calldata header, uint256 participants) external pure returns (uint32, bool) {
        return Outcome.readHeader(header, participants);
    }
}

contract MessageVectorsTest is VectorTest {
    struct MessageCase {
        string name;
        uint256 chainId;
        address adjudicator;
        bytes encoded;
        bytes32 structHash;
        bytes32 domainSeparator;
        bytes32 digest;
        uint256 privateKey;
        address signer;
        bytes signature;
    }

    struct SignatureCase {
        string name;
        bytes32 digest;
        bytes signature;
        address signer;
        bool valid;
    }

    function _check(string memory file, function(bytes memory) pure returns (bytes32, bytes memory) decode) internal view {
        MessageCase[] memory cases = abi.decode(
            read(
                file,
                "MessageCase(string name,uint256 chainId,address adjudicator,bytes encoded,bytes32 structHash,bytes32 domainSeparator,bytes32 digest,uint256 privateKey,address signer,bytes signature)"
            ),
            (MessageCase[])
        );
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            MessageCase memory c = cases[i];
            (bytes32 structHash, bytes memory encoded) = decode(c.encoded);
            assertEq(encoded, c.encoded, c.name);
            assertEq(structHash, c.structHash, c.name);
            assertEq(Messages.domainSeparator(c.chainId, c.adjudicator), c.domainSeparator, c.name);
            assertEq(Messages.digest(c.domainSeparator, structHash), c.digest, c.name);
            assertEq(vm.addr(c.privateKey), c.signer, c.name);
            assertTrue(Signatures.isBy(c.signer, c.digest, c.signature), c.name);
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(c.privateKey, c.digest); // RFC 6979: one signature
            assertEq(abi.encodePacked(r, s, v), c.signature, c.name);
        }
    }

    function test_F2_Event() public view {
        _check("event.json", _event);
    }

    function test_F2_Update() public view {
        _check("update.json", _update);
    }

    function test_F2_Close() public view {
        _check("close.json", _close);
    }

    function test_F2_Join() public view {
        _check("join.json", _join);
    }

    function test_F2_Activate() public view {
        _check("activate.json", _activate);
    }

    function test_F2_Attestation() public view {
        _check("attestation.json", _attestation);
    }

    function test_F2_Challenge() public view {
        _check("challenge.json", _challenge);
    }

    function test_F2_Force() public view {
        _check("force.json", _force);
    }

    function test_Attack14_Signatures() public view {
        SignatureCase[] memory cases = abi.decode(
            read("signature.json", "SignatureCase(string name,bytes32 digest,bytes signature,address signer,bool valid)"), (SignatureCase[])
        );
        uint256 valid;
        for (uint256 i; i < cases.length; ++i) {
            SignatureCase memory c = cases[i];
            assertEq(Signatures.isBy(c.signer, c.digest, c.signature), c.valid, c.name);
            if (c.valid) ++valid;
        }
        assertGt(valid, 0);
        assertGt(cases.length - valid, 0);
    }

    function _event(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Event memory m = abi.decode(b, (Event));
        return (Messages.hash(m), abi.encode(m));
    }

    function _update(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Update memory m = abi.decode(b, (Update));
        return (Messages.hash(m), abi.encode(m));
    }

    function _close(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Close memory m = abi.decode(b, (Close));
        return (Messages.hash(m), abi.encode(m));
    }

    function _join(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Join memory m = abi.decode(b, (Join));
        return (Messages.hash(m), abi.encode(m));
    }

    function _activate(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Activate memory m = abi.decode(b, (Activate));
        return (Messages.hash(m), abi.encode(m));
    }

    function _attestation(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Attestation memory m = abi.decode(b, (Attestation));
        return (Messages.hash(m), abi.encode(m));
    }

    function _challenge(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Challenge memory m = abi.decode(b, (Challenge));
        return (Messages.hash(m), abi.encode(m));
    }

    function _force(bytes memory b) internal pure returns (bytes32, bytes memory) {
        Force memory m = abi.decode(b, (Force));
        return (Messages.hash(m), abi.encode(m));
    }
}
