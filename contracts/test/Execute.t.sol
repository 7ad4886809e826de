// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Policy} from "../src/interfaces/IPolicies.sol";
import {Chunk, IPublications} from "../src/interfaces/IPublications.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Ending} from "./ChannelTest.sol";
import {JournalTree} from "./JournalTree.sol";
import {Game, PublicationTest} from "./PublicationTest.sol";

contract ExecuteTest is PublicationTest {
    /// @dev Runs leaves from..to-1.
    function _execute(Game memory g, uint256 from, uint256 to) internal {
        _execute(g, chunk(g, from, to, false), from == 0 ? bytes("") : g.states[from - 1]);
    }

    function _execute(Game memory g, Chunk memory c, bytes memory state) internal {
        vm.prank(stranger);
        publications.execute(g.d.params, g.d.funding, g.entries[0], state, c);
    }

    function _reached(Game memory g, uint256 to) internal view returns (bool) {
        return publications.reached(idOf(g.d), uint64(to), JournalTree.range(leaves(g), to), g.claims[to - 1]);
    }

    /* HONEST */

    function test_Execute_InOneTransaction() public {
        string[2] memory names = ["counter", "puppet"];
        for (uint256 i; i < names.length; ++i) {
            Game memory g = game(names[i]);
            finish(g);
            uint256 last = size(g) - 1;
            vm.expectEmit(address(publications));
            emit IPublications.Executed(idOf(g.d), 0, uint64(size(g)), g.claims[last], true);
            _execute(g, 0, size(g));
            assertTrue(standing(g).executed);
        }
    }

    function test_Execute_ARaidOverSeveralTransactions() public {
        Game memory g = game("raid");
        finish(g);
        uint256 from;
        while (from < size(g)) {
            uint256 to = from + 40 < size(g) ? from + 40 : size(g);
            _execute(g, from, to);
            assertEq(standing(g).executed, to == size(g));
            if (to < size(g)) assertTrue(_reached(g, to));
            from = to;
        }
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_Execute_InAnyChunks(uint256 seed) public {
        Game memory g = game(seed % 2 == 0 ? "counter" : "puppet");
        finish(g);
        uint256 from;
        while (from < size(g)) {
            uint256 to = from + 1 + uint256(keccak256(abi.encode(seed, from))) % (size(g) - from);
            _execute(g, from, to);
            from = to;
        }
        assertTrue(standing(g).executed);
    }

    /// @dev Progress is named by its content: two executors help each other, whatever parts they do.
    function test_Attack18_AnyoneGoesOn() public {
        Game memory g = game("counter");
        finish(g);
        _execute(g, 0, 5);
        _execute(g, 0, 3);
        _execute(g, 3, 7);
        _execute(g, 5, 9);
        assertTrue(_reached(g, 9));
        _execute(g, 7, size(g));
        assertTrue(standing(g).executed);
    }

    /* WHAT IS NOT EXECUTED */

    /// @dev The chain derives the states itself: a forged one just leads elsewhere than the signed root.
    function test_Attack6_AForgedJournalIsNeverExecuted() public {
        Game memory g = game("counter");
        g.claims[4] = keccak256("a million gold");
        finish(g);
        Chunk memory c = chunk(g, 0, size(g), false);
        vm.expectRevert(IPublications.WrongJournal.selector);
        _execute(g, c, "");
        _execute(g, 0, 4);
        c = chunk(g, 4, size(g), false);
        vm.expectRevert(IPublications.WrongJournal.selector);
        _execute(g, c, g.states[3]);
        assertFalse(standing(g).executed);
    }

    function test_Attack6_OtherEventsAreNotTheJournal() public {
        Game memory g = game("counter");
        finish(g);
        Chunk memory c = chunk(g, 0, size(g), false);
        c.entries[10] ^= 0x01; // inside the first nonce
        vm.expectRevert(IPublications.WrongJournal.selector);
        _execute(g, c, "");
    }

    function test_Attack6_LastLeafAgainstTheUpdate() public {
        Game memory g = game("counter");
        fund(g.d);
        Ending memory e = endingOf(g);
        e.state.appHash = keccak256("a million gold");
        e.update.stateHash = stateHash(e.state);
        signUpdate(g.d, e);
        conclude(g.d, e);
        Chunk memory c = chunk(g, 0, size(g), false);
        vm.expectRevert(IPublications.WrongJournal.selector);
        _execute(g, c, "");
    }

    function test_Attack5_TruncatedJournal() public {
        Game memory g = game("counter");
        fund(g.d);
        Ending memory e = endingOf(g);
        e.update.seq = 7;
        signUpdate(g.d, e);
        conclude(g.d, e);
        Chunk memory c = chunk(g, 0, 8, false);
        vm.expectRevert(IPublications.WrongJournal.selector);
        _execute(g, c, "");
        c = chunk(g, 0, 9, false);
        vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(8)));
        _execute(g, c, "");
    }

    function test_Attack6_ARejectedGenesisIsNotExecuted() public {
        Game memory g = game("puppet");
        g.entries[0] = bytes.concat(slice(g.entries[0], 0, 160), hex"02");
        g.d.params.genesisHash = keccak256(g.entries[0]);
        g = truncate(rekeyed(g), 2);
        finish(g);
        Chunk memory c = chunk(g, 0, 2, false);
        vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(0)));
        _execute(g, c, "");
    }

    function test_Attack18_OnlyFromWhatWasReached() public {
        Game memory g = game("counter");
        finish(g);
        Chunk memory c = chunk(g, 4, 6, false);
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(g, c, g.states[3]);
        _execute(g, 0, 4);

        bytes memory other = bytes.concat(g.states[3]);
        other[other.length - 1] ^= 0x01;
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(g, c, other);
        c.range[0] ^= bytes32(uint256(1));
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(g, c, g.states[3]);
        c.range = new bytes32[](2);
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(g, c, g.states[3]);
        c = chunk(g, 4, 4, false);
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(g, c, g.states[3]);

        // Another channel of the same game has its own progress.
        Game memory twin = again(game("counter"));
        finish(twin);
        c = chunk(twin, 4, 6, false);
        vm.expectRevert(IPublications.WrongProgress.selector);
        _execute(twin, c, twin.states[3]);
    }

    function test_Attack18_MalformedEntries() public {
        Game memory g = game("counter");
        finish(g);
        bytes[3] memory bad = [bytes(hex"02"), hex"0100000000ff", hex"000000"];
        for (uint256 i; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(i == 1 ? 2 : 1)));
            _execute(g, Chunk(0, new bytes32[](0), bad[i]), "");
        }
    }

    function test_Attack18_TooManyBytes() public {
        Game memory g = game("counter");
        finish(g);
        Chunk memory all = chunk(g, 0, size(g), false);
        Policy memory p = standardPolicy();
        p.maxJournalBytes = uint32(g.entries[0].length + all.entries.length) - 1;
        setPolicy(g, p);
        vm.expectRevert(IPublications.TooManyBytes.selector);
        _execute(g, all, "");
        _execute(g, 0, 7);
        Chunk memory c = chunk(g, 7, size(g), false);
        vm.expectRevert(IPublications.TooManyBytes.selector);
        _execute(g, c, g.states[6]);
        p.maxJournalBytes += 1;
        setPolicy(g, p);
        _execute(g, 7, size(g));
        assertTrue(standing(g).executed);
    }

    function test_Execute_ThePolicyMustAllowIt() public {
        Game memory g = game("counter");
        finish(g);
        Policy memory p = standardPolicy();
        p.modes = Modes.OPTIMISTIC;
        setPolicy(g, p);
        Chunk memory c = chunk(g, 0, size(g), false);
        vm.expectRevert(IPublications.NotAllowed.selector);
        _execute(g, c, "");
    }

    function test_Execute_OnlyWhatIsFinalAndNotVoid() public {
        Game memory g = game("counter");
        Chunk memory c = chunk(g, 0, size(g), false);
        vm.expectRevert(IPublications.NotFinal.selector);
        _execute(g, c, "");
        g.claims[3] = keccak256("a million gold");
        finish(g);
        disprove(g, witness(g, 3));
        vm.expectRevert(IPublications.AlreadyVoid.selector);
        _execute(g, c, "");
    }

    /* ATTACK 15 */

    /// @dev Running out of gas in the middle leaves nothing behind; it never makes a leaf of a rejected event.
    function test_Attack15_TooLittleGasExecutesNothing() public {
        Game memory g = game("puppet");
        finish(g);
        bytes memory data = abi.encodeCall(publications.execute, (g.d.params, g.d.funding, g.entries[0], "", chunk(g, 0, size(g), false)));
        uint256 before = vm.snapshotState();
        uint256 enough = gasleft();
        (bool ok,) = address(publications).call(data);
        enough -= gasleft();
        assertTrue(ok);
        vm.revertToState(before);
        uint256 failed;
        for (uint256 k = 1; k <= 60; ++k) {
            before = vm.snapshotState();
            (ok,) = address(publications).call{gas: enough * k / 50}(data);
            assertEq(standing(g).executed, ok);
            if (!ok) ++failed;
            vm.revertToState(before);
        }
        assertGt(failed, 30);
        assertLt(failed, 60);
    }
}
