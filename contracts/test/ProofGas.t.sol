// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {console} from "forge-std/console.sol";
import {Event, Funding, Manifest, Params, Participant, Update} from "../src/Types.sol";
import {Chunk, Witness} from "../src/interfaces/IPublications.sol";
import {WasmMachine} from "../src/lib/WasmMachine.sol";
import {AdjudicatorHarness} from "./AdjudicatorHarness.sol";
import {JournalTree} from "./JournalTree.sol";
import {ModuleFile} from "./MachineTest.sol";
import {Game, PublicationTest} from "./PublicationTest.sol";

/// @dev Whole transactions: 21,000, calldata, everything cold. The ceilings are what must not be passed unnoticed.
/// forge-config: default.isolate = true
contract ProofGasTest is PublicationTest {
    /// @dev docs/protocol.md §5: a proof within the default limits can be forced in through L1, the dearest fits a transaction.
    uint256 internal constant DEFAULT_CEILING = 5_000_000;
    uint256 internal constant LARGEST_CEILING = 15_000_000;
    /// @dev EIP-7825.
    uint256 internal constant TRANSACTION_CAP = 16_777_216;

    // Go's, in derivation/limits.go.
    uint64 internal defaultFuel;
    uint32 internal defaultPages;
    uint256 internal maxMachineGas;
    uint256 internal shellGas;

    function setUp() public override {
        super.setUp();
        string memory json = testdata("gasbound.json");
        defaultFuel = uint64(vm.parseJsonUint(json, ".defaultFuelLimit"));
        defaultPages = uint32(vm.parseJsonUint(json, ".defaultPageLimit"));
        maxMachineGas = vm.parseJsonUint(json, ".maxMachineGas");
        shellGas = vm.parseJsonUint(json, ".shellGas");
    }

    function _spent(string memory what, uint256 ceiling) internal view returns (uint256 gas_) {
        gas_ = vm.lastCallGas().gasTotalUsed;
        console.log(what, gas_);
        assertLt(gas_, ceiling, what);
    }

    function _forge(Game memory g, uint256 i) internal pure {
        g.claims[i] = keccak256(abi.encode("a million gold", g.claims[i]));
    }

    /* WHAT IS PLAYED */

    function test_Gas_Publish() public {
        string[2] memory names = ["counter", "raid"];
        for (uint256 i; i < names.length; ++i) {
            Game memory g = game(names[i]);
            finish(g);
            publishAll(g);
            uint256 gas_ = _spent(string.concat("publish, whole ", names[i]), 400_000 + 6_000 * size(g));
            console.log("  leaves", size(g), "gas per leaf", gas_ / size(g));
        }
        Game memory first = again(game("raid"));
        finish(first);
        publish(first, publisher, 0, chunk(first, 0, 1, true));
        uint256 empty = _spent("publish, first chunk without an entry", 200_000);
        publish(first, publisher, 0, chunk(first, 1, 101, true));
        uint256 hundred = _spent("publish, 100 entries of a raid", 700_000);
        console.log("  gas per entry", (hundred - empty) / 100, "bytes per entry", chunk(first, 1, 101, true).entries.length / 100);
    }

    function test_Gas_Disprove() public {
        Game memory g = game("counter");
        _forge(g, 6);
        finish(g);
        publishAll(g);
        disprove(g, witness(g, 6));
        _spent("disprove, an event of counter", 700_000);

        uint256 dearest = _dearest();
        uint256[3] memory at = [uint256(0), 60, dearest];
        string[3] memory names = ["disprove, genesis of a raid", "disprove, event 60 of a raid", "disprove, dearest event of a raid"];
        for (uint256 i; i < at.length; ++i) {
            g = game("raid");
            g.d.params.nonce = uint64(1 + i);
            g = rekeyed(g);
            _forge(g, at[i]);
            finish(g);
            publishAll(g);
            disprove(g, witness(g, at[i]));
            _spent(names[i], 3_000_000);
        }
    }

    /// @dev The leaf whose proof takes most.
    function _dearest() internal returns (uint256 at) {
        Game memory g = game("raid");
        finish(g);
        uint256 most;
        for (uint256 i = 1; i + 1 < size(g); ++i) {
            uint256 gas_ = this.measure(g, i);
            if (gas_ > most) (most, at) = (gas_, i);
        }
        console.log("  dearest event is", at);
    }

    function measure(Game memory g, uint256 i) external returns (uint256) {
        (bool ok,) = address(publications).call(abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, witness(g, i))));
        assertFalse(ok);
        return vm.lastCallGas().gasTotalUsed;
    }

    function test_Gas_Execute() public {
        Game memory g = game("raid");
        finish(g);
        publications.execute(g.d.params, g.d.funding, g.entries[0], "", chunk(g, 0, 21, false));
        uint256 gas_ = _spent("execute, genesis and 20 events of a raid", 14_000_000);
        console.log("  gas per leaf", gas_ / 21);
        g = game("counter");
        finish(g);
        publications.execute(g.d.params, g.d.funding, g.entries[0], "", chunk(g, 0, size(g), false));
        _spent("execute, whole counter", 2_000_000);
    }

    /* THE DEAREST THERE CAN BE */

    /// @dev 16 participants, 8 beneficiaries, 8 assets, 16 KiB of app, 4 KiB of payload, hardly a zero among them; a journal of
    /// 2^20 leaves. What the module does is the command's.
    function _largest(uint64 fuelLimit, uint32 pageLimit, uint8 command) internal returns (Game memory g, Witness memory w) {
        AdjudicatorHarness harness = AdjudicatorHarness(ADJUDICATOR);
        deployCodeTo("AdjudicatorHarness.sol:AdjudicatorHarness", abi.encode(uint32(60)), ADJUDICATOR);
        ModuleFile memory puppet = modulesOf(testdata("journals.json"))[1];
        g.d.params.moduleHash = registry.registerModule(Manifest(puppet.programHash, fuelLimit, pageLimit, 0, 0));
        _fill(g);
        bytes memory state = _state();

        Event memory e;
        e.channelId = idOf(g.d);
        (e.author, e.nonce, e.timestamp) = (15, type(uint64).max / 3 + 1, type(uint64).max);
        e.payload = _bytes(4096, "payload");
        e.payload[0] = bytes1(command);
        w.index = 1 << 19;
        w.entry = entryOf(e);
        w.stateHash = keccak256("a million gold");
        w.previousState = state;
        w.previousEventHash = keccak256("event");
        (bytes32[] memory path, bytes32[] memory previous, bytes32 root) =
            _proofs(_leaf(e, w.stateHash), hashOf(g, state), w.previousEventHash);
        (w.proof, w.previousProof) = (path, previous);
        harness.finalize(idOf(g.d), Update(idOf(g.d), (1 << 20) - 1, root, hashOf(g, state)));
    }

    function _fill(Game memory g) internal view {
        Params memory p = g.d.params;
        (p.chainId, p.adjudicator, p.window, p.forceQuota) = (block.chainid, ADJUDICATOR, 3600, 200);
        p.participants = new Participant[](16);
        p.beneficiaries = new address[](8);
        g.d.funding = new Funding[](8);
        for (uint256 i; i < 16; ++i) {
            p.participants[i] =
                Participant(address(bytes20(keccak256(abi.encode("signer", i)))), address(bytes20(keccak256(abi.encode("owner", i)))));
            if (i < 8) p.beneficiaries[i] = address(bytes20(keccak256(abi.encode("beneficiary", i))));
            if (i < 8) g.d.funding[i] = Funding(address(bytes20(keccak256(abi.encode("asset", i)))), new uint256[](16));
        }
        for (uint256 i; i < 128; ++i) {
            g.d.funding[i / 16].amounts[i % 16] = uint256(keccak256(abi.encode("amount", i))) >> 8;
        }
        commit(g.d);
    }

    function _state() internal pure returns (bytes memory state) {
        state = abi.encode(type(uint64).max / 2);
        for (uint256 i; i < 16; ++i) {
            state = bytes.concat(state, abi.encode(uint256(type(uint64).max / 3)));
        }
        state = bytes.concat(state, abi.encode(uint256(0)), abi.encode(false));
        return bytes.concat(state, _bytes(8 * 24 * 32, "funds"), _bytes(16 * 1024, "app"));
    }

    function _bytes(uint256 n, string memory label) internal pure returns (bytes memory out) {
        for (uint256 i; i < n / 32; ++i) {
            out = bytes.concat(out, keccak256(abi.encode(label, i)));
        }
    }

    function _leaf(Event memory e, bytes32 stateHash_) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", _eventHash(e), stateHash_));
    }

    function _eventHash(Event memory e) internal pure returns (bytes32) {
        Game memory g;
        g.entries = new bytes[](2);
        g.entries[1] = entryOf(e);
        return eventHash(g, 1);
    }

    /// @dev Leaves 2^19 − 1 and 2^19 of 2^20: each is at the edge of its half, so both paths have 20 nodes.
    function _proofs(bytes32 leaf, bytes32 previousState, bytes32 previousEvent)
        internal
        pure
        returns (bytes32[] memory path, bytes32[] memory previous, bytes32 root)
    {
        path = new bytes32[](20);
        previous = new bytes32[](20);
        bytes32 right = leaf;
        bytes32 left = keccak256(bytes.concat(hex"00", previousEvent, previousState));
        for (uint256 i; i < 19; ++i) {
            path[i] = keccak256(abi.encode("right", i));
            previous[i] = keccak256(abi.encode("left", i));
            right = keccak256(bytes.concat(hex"01", right, path[i]));
            left = keccak256(bytes.concat(hex"01", previous[i], left));
        }
        (path[19], previous[19]) = (left, right);
        root = keccak256(bytes.concat(hex"01", left, right));
    }

    /// @dev An endless loop in a state of every limit.
    function test_Attack15_Attack26_TheDearestProofFitsATransaction() public {
        (Game memory g, Witness memory w) = _largest(defaultFuel, defaultPages, 0x03);
        disprove(g, w);
        _spent("disprove, endless loop within the default limits", DEFAULT_CEILING);
        assertTrue(standing(g).voided);
    }

    /// @dev What a proof costs beside the machine: calldata, the shell, the journal, the bond. Go's limits
    /// count on it.
    function test_Attack15_TheShellLeavesTheMachineItsGas() public {
        (Game memory g, Witness memory w) = _largest(defaultFuel, defaultPages, 0x07);
        uint256 inside = this.machineGas(g, w);
        disprove(g, w);
        uint256 whole = _spent("disprove, the largest state that is accepted", DEFAULT_CEILING);
        assertTrue(standing(g).voided);
        console.log("  of it in the machine", inside);
        console.log("  beside the machine", whole - inside);
        assertLt(whole - inside, shellGas);
        assertLe(shellGas + maxMachineGas, LARGEST_CEILING);
        // A program of two chunks that uses all its fuel and all its pages.
        assertLe(shellGas + registry.gasBound(defaultFuel, defaultPages, 2 * CHUNK_SIZE), DEFAULT_CEILING);
    }

    /// @dev The same call as the proof makes, alone.
    function machineGas(Game memory g, Witness memory w) external view returns (uint256 gas_) {
        Event memory e = eventOf(w.entry);
        (Manifest memory m, address[] memory chunks) = registry.moduleOf(g.d.params.moduleHash);
        bytes memory input = bytes.concat(hex"000f10081800000000ffffffffffffff", new bytes(16), e.payload);
        bytes memory call_ = bytes.concat(
            abi.encode(m.fuelLimit, m.pageLimit, WasmMachine.REDUCE, 24 * 1024, chunks.length, 2, chunks[0]),
            abi.encode(w.previousState.length, input.length),
            w.previousState,
            input
        );
        assertEq(chunks.length, 1);
        gas_ = gasleft();
        (bool ok, bytes memory answer) = machine.staticcall(call_);
        gas_ -= gasleft();
        assertTrue(ok && answer.length > 3 * 32);
        assertEq(uint256(bytes32(answer)), 0);
    }

    function test_Attack15_TheLargestModulesProofFitsATransaction() public {
        bytes memory program = modulesOf(testdata("journals.json"))[1].program;
        uint64 fuel = uint64(maxMachineGas - (registry.gasBound(1, 1, program.length) - 1));
        (Game memory g, Witness memory w) = _largest(fuel, 1, 0x03);
        bytes memory data = abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, w));
        uint256 before = vm.snapshotState();
        vm.prank(prover);
        (bool ok,) = address(publications).call(data);
        assertTrue(ok);
        uint256 used = _spent("disprove, endless loop within the largest limits", LARGEST_CEILING);
        assertTrue(standing(g).voided);
        vm.revertToState(before);
        // Not all gas can be handed on (EIP-150): the limit must be above what is used, but below the cap.
        uint256 intrinsic = _intrinsic(data);
        for (uint256 limit = used; limit < TRANSACTION_CAP; limit += 50_000) {
            before = vm.snapshotState();
            (ok,) = address(publications).call{gas: limit - intrinsic}(data);
            vm.revertToState(before);
            if (!ok) continue;
            console.log("  least gas limit", limit);
            return;
        }
        revert("the dearest proof does not fit a transaction");
    }

    function _intrinsic(bytes memory data) internal pure returns (uint256 gas_) {
        gas_ = 21_000;
        for (uint256 i; i < data.length; ++i) {
            gas_ += data[i] == 0 ? 4 : 16;
        }
    }
}
