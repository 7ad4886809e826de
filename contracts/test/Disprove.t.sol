// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {IDerivation} from "../src/interfaces/IDerivation.sol";
import {IPublications, Standing, Witness} from "../src/interfaces/IPublications.sol";
import {Event} from "../src/Types.sol";
import {Ending} from "./ChannelTest.sol";
import {JournalTree} from "./JournalTree.sol";
import {Game, PublicationTest} from "./PublicationTest.sol";

contract DisproveTest is PublicationTest {
    /* WHAT THE COLLUDERS SIGN */

    /// @dev Everybody signs the game as it is claimed, and somebody publishes it.
    function _sign(Game memory g) internal {
        finish(g);
        publishAll(g);
        assertEq(standing(g).publisher, publisher);
    }

    /// @dev The proof of leaf i voids it, in one transaction, and the bond is split.
    function _void(Game memory g, uint256 i, uint8 status) internal {
        Witness memory w = witness(g, i);
        bytes32 derived = status != 0 && i == 0 ? bytes32(0) : hashOf(g, status == 0 ? g.states[i] : g.states[i - 1]);
        uint256 burnt = address(0).balance;
        uint256 before = prover.balance;
        vm.expectEmit(address(publications));
        emit IPublications.Disproved(idOf(g.d), prover, uint64(i), status, derived, g.claims[i], BOND / 2, BOND / 2);
        disprove(g, w);
        Standing memory s = standing(g);
        assertTrue(s.voided);
        assertEq(s.bond, 0);
        assertEq(prover.balance - before, BOND / 2);
        assertEq(address(0).balance - burnt, BOND / 2);
        assertEq(address(publications).balance, 0);
        vm.expectRevert(IPublications.AlreadyVoid.selector);
        disprove(g, w);
    }

    function _forged(Game memory g, uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("a million gold", g.claims[i]));
    }

    /* ATTACK 6: ALL COLLUDE */

    function test_Attack6_WrongGenesis() public {
        string[3] memory names = ["counter", "puppet", "raid"];
        for (uint256 i; i < names.length; ++i) {
            Game memory g = game(names[i]);
            g.claims[0] = _forged(g, 0);
            _sign(g);
            _void(g, 0, 0);
        }
    }

    /// @dev A genesis that the module rejects has no right leaf 0 at all.
    function test_Attack6_RejectedGenesis() public {
        bytes2[4] memory orders = [bytes2(0x0100), 0x0200, 0x0300, 0x0600];
        uint8[4] memory statuses = [7, 8, 9, 10];
        for (uint256 i; i < orders.length; ++i) {
            Game memory g = game("puppet");
            g.entries[0] = bytes.concat(slice(g.entries[0], 0, 160), orders[i]);
            g.d.params.genesisHash = keccak256(g.entries[0]);
            g = truncate(rekeyed(g), 2);
            if (i == 0) g.claims[0] = 0; // what δ gives for it is no state, not the state zero
            _sign(g);
            _void(g, 0, statuses[i]);
        }
    }

    function test_Attack6_WrongStateAnywhere() public {
        Game memory g = game("counter");
        for (uint256 i = 1; i + 1 < size(g); ++i) {
            g = again(game("counter"));
            g.d.params.nonce = uint64(100 + i);
            g = rekeyed(g);
            g.claims[i] = _forged(g, i);
            _sign(g);
            _void(g, i, 0);
        }
    }

    function test_Attack6_WrongStateInARaid() public {
        Game memory g = game("raid");
        g.claims[60] = _forged(g, 60);
        _sign(g);
        _void(g, 60, 0);
    }

    /// @dev A leaf moves the funds, the sum stays. The states that follow are derived from it and consistent.
    function test_Attack6_WrongFunds() public {
        Game memory g = game("counter");
        bytes memory stolen = bytes.concat(g.states[5]);
        uint256 at = 32 * 5;
        (stolen[at + 30], stolen[at + 31]) = (0x00, 0x00); // participant 0 had 1000
        (stolen[at + 62], stolen[at + 63]) = (0x0b, 0xb8); // participant 1 has 3000
        g.claims[5] = hashOf(g, stolen);
        _sign(g);
        _void(g, 5, 0);
    }

    /// @dev The last leaf, which is what effects come from, says what the rules did not give.
    function test_Attack6_WrongLastLeaf() public {
        Game memory g = game("counter");
        uint256 last = size(g) - 1;
        bytes memory right = g.states[last];
        g.states[last] = bytes.concat(right, "a million gold");
        g.claims[last] = hashOf(g, g.states[last]);
        _sign(g);
        g.states[last] = right;
        _void(g, last, 0);
    }

    function test_Attack5_SwappedEvents() public {
        Game memory g = game("counter");
        (g.entries[3], g.entries[4]) = (g.entries[4], g.entries[3]);
        _sign(g);
        // Author 1 moves where author 0 did: accepted, but another state.
        g.states[3] = _next(g, 3);
        _void(g, 3, 0);
    }

    /// @dev What δ gives for the entry of leaf i, after the state before it.
    function _next(Game memory g, uint256 i) internal view returns (bytes memory next) {
        (, next,) = derivation.applyEvent(g.d.params, g.d.funding, _none(), g.states[i - 1], uint64(i), eventOf(g.entries[i]));
    }

    function test_Attack5_InsertedEvent() public {
        Game memory g = game("counter");
        g.entries[6] = g.entries[4]; // once more: its nonce is used up
        _sign(g);
        _void(g, 6, 4);
    }

    function test_Attack6_WrongAuthor() public {
        Game memory g = game("counter");
        Event memory e = eventOf(g.entries[4]);
        e.author = 2;
        g.entries[4] = entryOf(e);
        _sign(g);
        _void(g, 4, 3);
    }

    function test_Attack7_WrongNonce() public {
        Game memory g = game("counter");
        Event memory e = eventOf(g.entries[4]);
        e.nonce += 1;
        g.entries[4] = entryOf(e);
        _sign(g);
        _void(g, 4, 4);
    }

    function test_Attack6_PastNotAfter() public {
        Game memory g = game("counter");
        Event memory e = eventOf(g.entries[4]);
        e.notAfter = 3;
        g.entries[4] = entryOf(e);
        _sign(g);
        _void(g, 4, 5);
    }

    /// @dev Every way to be rejected, with a state that changed all the same.
    function test_Attack6_RejectedEventWithChangedState() public {
        Game memory honest = game("puppet");
        uint8[11] memory statuses = [3, 4, 5, 7, 8, 9, 10, 8, 10, 3, 11]; // leaves 2..12 of puppetJournal
        for (uint256 k; k < statuses.length; ++k) {
            Game memory g = game("puppet");
            g.d.params.nonce = uint64(200 + k);
            g = rekeyed(g);
            assertEq(honest.claims[k + 2], honest.claims[k + 1], "the leaf is not one of a rejected event");
            g.claims[k + 2] = _forged(g, k + 2);
            _sign(g);
            _void(g, k + 2, statuses[k]);
        }
    }

    function test_Attack6_EventAfterTheEnd() public {
        Game memory g = game("puppet");
        uint256 last = size(g) - 1;
        g.states[last] = bytes.concat(g.states[last], "more");
        g.claims[last] = hashOf(g, g.states[last]);
        _sign(g);
        _void(g, last, 2);
    }

    /// @dev The adjudicator recorded none: whoever counts one claims money that is not there.
    function test_Attack11_TopUpThatWasNeverPaid() public {
        Game memory g = game("puppet");
        uint256 at = 11;
        assertEq(uint8(g.entries[at][0]), TOP_UP);
        bytes memory raised = bytes.concat(g.states[at]);
        raised[32 * 3 + 31] = 0x01;
        g.claims[at] = hashOf(g, raised);
        _sign(g);
        _void(g, at, 3);
    }

    /// @dev A payload over the limit cannot be published. It can be disproved without a publication if the state changed, and is
    /// right if it did not.
    function test_Attack29_OversizePayload() public {
        for (uint256 k; k < 2; ++k) {
            Game memory g = game("counter");
            g.d.params.nonce = uint64(300 + k);
            g = truncate(rekeyed(g), 6);
            Event memory e = eventOf(g.entries[5]);
            e.payload = new bytes(4097);
            g.entries[5] = entryOf(e);
            if (k == 0) (g.states[5], g.claims[5]) = (g.states[4], g.claims[4]);
            finish(g);
            Witness memory w = witness(g, 5);
            if (k == 0) vm.expectRevert(IPublications.LeafIsRight.selector);
            disprove(g, w);
            assertEq(standing(g).voided, k == 1);
        }
    }

    /* WHEN */

    function test_Attack6_WithoutAPublication() public {
        Game memory g = game("counter");
        g.claims[4] = _forged(g, 4);
        finish(g);
        uint256 before = prover.balance;
        disprove(g, witness(g, 4));
        assertTrue(standing(g).voided);
        assertEq(prover.balance, before);
        vm.expectRevert(IPublications.AlreadyVoid.selector);
        this.publishExternal(g);
    }

    function publishExternal(Game memory g) external {
        publishAll(g);
    }

    function test_Disprove_NeedsAFinalChannel() public {
        Game memory g = game("counter");
        g.claims[4] = _forged(g, 4);
        Witness memory w = witness(g, 4);
        vm.expectRevert(IPublications.NotFinal.selector);
        disprove(g, w);
        fund(g.d);
        vm.expectRevert(IPublications.NotFinal.selector);
        disprove(g, w);
    }

    function test_Disprove_AfterTheWindow() public {
        Game memory g = game("counter");
        g.claims[4] = _forged(g, 4);
        _sign(g);
        vm.warp(block.timestamp + POLICY_WINDOW);
        publications.releaseBond(idOf(g.d));
        disprove(g, witness(g, 4));
        assertTrue(standing(g).voided);
        assertEq(publications.credits(publisher), BOND);
        assertEq(address(publications).balance, BOND);
    }

    /* RIGHT LEAVES */

    function test_C2_RightLeavesStand() public {
        string[3] memory names = ["counter", "puppet", "raid"];
        for (uint256 k; k < names.length; ++k) {
            Game memory g = game(names[k]);
            _sign(g);
            for (uint256 i; i < size(g); ++i) {
                this.standsExternal(g, i);
            }
            assertFalse(standing(g).voided);
        }
    }

    /// @dev External so that memory is given back after every leaf.
    function standsExternal(Game memory g, uint256 i) external {
        Witness memory w = witness(g, i);
        vm.expectRevert(IPublications.LeafIsRight.selector);
        disprove(g, w);
    }

    /// forge-config: default.fuzz.runs = 400
    function testFuzz_C2_MutatedWitnessesNeverStrikeARightLeaf(uint256 seed) public {
        Game memory g = game(seed % 2 == 0 ? "counter" : "puppet");
        _sign(g);
        uint256 i = (seed >> 8) % size(g);
        Witness memory w = _mutated(witness(g, i), seed);
        vm.prank(prover);
        (bool ok,) = address(publications).call(abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, w)));
        assertFalse(ok, "a right journal was struck");
        assertFalse(standing(g).voided);
        assertEq(standing(g).bond, BOND);
    }

    /// @dev A mutated witness of a wrong leaf may do nothing, or void what is wrong; the true one still works afterwards.
    /// forge-config: default.fuzz.runs = 200
    function testFuzz_C2_MutatedWitnessesNeverSaveAWrongLeaf(uint256 seed) public {
        Game memory g = game("counter");
        uint256 i = (seed >> 8) % (size(g) - 1);
        g.claims[i] = _forged(g, i);
        _sign(g);
        Witness memory w = _mutated(witness(g, i), seed);
        vm.prank(prover);
        (bool ok, bytes memory why) = address(publications).call(abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, w)));
        if (!ok) {
            assertTrue(bytes4(why) != IPublications.LeafIsRight.selector || w.index != i, "a wrong leaf was called right");
            disprove(g, witness(g, i));
        }
        assertTrue(standing(g).voided);
    }

    /// @dev One thing about the witness is changed.
    function _mutated(Witness memory w, uint256 seed) internal pure returns (Witness memory) {
        w = abi.decode(abi.encode(w), (Witness)); // a copy: the game stays as it is
        uint256 what = (seed >> 16) % 9;
        uint256 at = seed >> 32;
        if (what == 0) w.index ^= uint64(1 << (at % 5));
        if (what == 1) _flip(w.entry, at);
        if (what == 2) w.stateHash ^= bytes32(1 << (at % 256));
        if (what == 3 && w.proof.length != 0) w.proof[at % w.proof.length] ^= bytes32(1 << ((at >> 8) % 256));
        if (what == 4) w.previousEventHash ^= bytes32(1 << (at % 256));
        if (what == 5 && w.previousProof.length != 0) w.previousProof[at % w.previousProof.length] ^= bytes32(1 << ((at >> 8) % 256));
        if (what == 6 && w.previousState.length != 0) _flip(w.previousState, at);
        if (what == 7) w.proof = w.previousProof;
        if (what == 8) w.previousState = bytes.concat(w.previousState, bytes1(uint8(at)));
        return w;
    }

    function _flip(bytes memory data, uint256 at) internal pure {
        uint256 i = (at >> 8) % data.length;
        data[i] ^= bytes1(uint8(1 << (at % 8)));
    }

    /// @dev A proof that is good against one channel is nothing against its honest twin.
    function test_Attack13_AProofOfAnotherChannel() public {
        Game memory honest = game("counter");
        _sign(honest);
        Game memory twin = again(game("counter"));
        twin.claims[4] = _forged(twin, 4);
        _sign(twin);
        Witness memory w = witness(twin, 4);
        vm.expectRevert(IPublications.BadWitness.selector);
        disprove(honest, w);
        disprove(twin, w);
        assertTrue(standing(twin).voided);
        assertFalse(standing(honest).voided);
    }

    /* WHAT THE ROOT COMMITS TO */

    /// @dev In a tree of 7 the last leaf looks like leaf 3 of 4: the size is the Update's, so that is no proof.
    function test_Attack5_AProofHasTheUpdatesSize() public {
        Game memory g = truncate(game("counter"), 7);
        _sign(g);
        Witness memory w = witness(g, 6);
        w.index = 3;
        vm.expectRevert(IPublications.BadWitness.selector);
        disprove(g, w);
    }

    function test_Attack29_MalformedEntries() public {
        Game memory g = game("counter");
        _sign(g);
        bytes[6] memory bad = [bytes(""), hex"00", hex"01", hex"0100000000ff", hex"02", hex"ff00000000"];
        for (uint256 i; i < bad.length; ++i) {
            Witness memory w = witness(g, 3);
            w.entry = bad[i];
            vm.prank(prover);
            (bool ok,) = address(publications).call(abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, w)));
            assertFalse(ok);
        }
        Witness memory beyond = witness(g, size(g) - 1);
        beyond.index = uint64(size(g));
        vm.expectRevert(IPublications.BadWitness.selector);
        disprove(g, beyond);
        beyond.index = type(uint64).max;
        vm.expectRevert(IPublications.BadWitness.selector);
        disprove(g, beyond);
    }

    /* ATTACK 15: GAS */

    function test_Attack15_NoAmountOfGasStrikesARightLeaf() public {
        Game memory g = game("raid");
        _sign(g);
        (uint256 enough, bytes memory data) = (0, abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, witness(g, 60))));
        enough = _spent(data);
        uint256 empty;
        for (uint256 k = 1; k <= 150; ++k) {
            (bool ok, bytes memory why) = address(publications).call{gas: enough * k / 120}(data);
            assertFalse(ok);
            if (why.length == 0) ++empty;
            else assertTrue(bytes4(why) == IPublications.LeafIsRight.selector || bytes4(why) == IDerivation.MachineOutOfGas.selector);
        }
        assertGt(empty, 0);
        assertFalse(standing(g).voided);
        assertEq(standing(g).bond, BOND);
    }

    function test_Attack15_TooLittleGasIsNoVerdictOnAWrongLeaf() public {
        Game memory g = game("raid");
        g.claims[60] = _forged(g, 60);
        _sign(g);
        bytes memory data = abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, witness(g, 60)));
        uint256 enough = _spent(data);
        uint256 failed;
        uint256 done;
        for (uint256 k = 1; k <= 150; ++k) {
            uint256 before = vm.snapshotState();
            vm.prank(prover);
            (bool ok, bytes memory why) = address(publications).call{gas: enough * k / 120}(data);
            assertEq(standing(g).voided, ok);
            if (ok) {
                ++done;
                assertEq(prover.balance + publications.credits(prover), BOND / 2, "the prover was starved of its reward");
            } else {
                ++failed;
                assertTrue(
                    why.length == 0 || bytes4(why) == IDerivation.MachineOutOfGas.selector
                        || bytes4(why) == IAdjudicator.InsufficientGas.selector
                );
            }
            vm.revertToState(before);
        }
        assertGt(failed, 50);
        assertGt(done, 10);
    }

    function _spent(bytes memory data) internal returns (uint256 spent) {
        uint256 before = vm.snapshotState();
        spent = gasleft();
        (bool ok,) = address(publications).call(data);
        spent -= gasleft();
        ok;
        vm.revertToState(before);
    }
}
