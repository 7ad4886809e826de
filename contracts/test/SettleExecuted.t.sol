// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Claim, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {IPolicies, Policy} from "../src/interfaces/IPolicies.sol";
import {Chunk, IPublications} from "../src/interfaces/IPublications.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Effect} from "../src/Types.sol";
import {Game, GameTest, Pass} from "./GameTest.sol";

/// @dev The mode in which the chain ran every leaf.
contract SettleExecutedTest is GameTest {
    function _effects() internal returns (Effect[] memory all) {
        all = new Effect[](3);
        (all[0], all[1], all[2]) = (increment(0, XP, 50), setItem(1, owner(0), 11, "sword, won"), award(0, 5));
    }

    function _refused(Claim memory c, bytes4 selector) internal {
        vm.expectRevert(selector);
        settlement.settleExecuted(c);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.params))));
    }

    function test_C3_ExecutedEffectsLandAtOnce() public {
        putItem(1, owner(1), 10, "sword");
        Game memory g = honest(buy(items(1, 2)), _effects());
        Claim memory c = end(g);
        execute(g);
        vm.expectEmit(address(settlement));
        emit IMudSettlement.Settled(idOf(g.d), address(world), namespaceId, 3, 2, 2);
        vm.prank(stranger);
        settlement.settleExecuted(c);

        assertEq(read(0, XP), 50);
        assertEq(holderOf(1), owner(0));
        assertEq(guild.awards(owner(0)), 5);
        assertTrue(settlement.isSettled(idOf(g.d)));
        assertEq(settlement.usedBy(g.pass.hash), idOf(g.d));
        vm.expectRevert(IMudSettlement.AlreadySettled.selector);
        settlement.settleExecuted(c);
    }

    function test_NotBeforeEveryLeafRan() public {
        Game memory g = honest(buy(items(1, 2)), one(increment(0, XP, 1)));
        Claim memory c = end(g);
        _refused(c, IMudSettlement.NotProven.selector);
        publications.execute(g.d.params, g.d.funding, g.genesis, "", Chunk(0, new bytes32[](0), entriesOf(g, 0, 2, false)));
        _refused(c, IMudSettlement.NotProven.selector);

        // Somebody else goes on from there.
        bytes32[] memory range = new bytes32[](1);
        range[0] = rootOf(leaves(g), 0, 2);
        vm.prank(stranger);
        publications.execute(g.d.params, g.d.funding, g.genesis, g.states[1], Chunk(2, range, entriesOf(g, 2, 3, false)));
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 1);
    }

    function test_A11_ForgedLastLeafIsNeverExecuted() public {
        Game memory g = forged(buy(items(1, 2)), one(increment(0, GOLD, 1)), one(increment(0, GOLD, 1_000_000)));
        Claim memory c = end(g);
        vm.expectRevert(IPublications.WrongJournal.selector);
        execute(g);
        _refused(c, IMudSettlement.NotProven.selector);
        // Nor can what the module gives be claimed: it is not what the channel ended with.
        Game memory other = honest(g.pass, one(increment(0, GOLD, 1)));
        c.state = other.states[2];
        _refused(c, IMudSettlement.WrongState.selector);
        assertEq(read(0, GOLD), 0);
    }

    function test_A11_ForgedGenesisIsNeverExecuted() public {
        Game memory g = honest(buy(items(1, 2)), one(increment(0, GOLD, 1)));
        g.states[0] = bytes.concat(g.states[0], "rich");
        Claim memory c = end(g);
        vm.expectRevert(IPublications.WrongJournal.selector);
        execute(g);
        _refused(c, IMudSettlement.NotProven.selector);
    }

    /// @dev Whatever gas it is given, a settlement is whole or did not happen; too little is never "there are no effects", which
    /// would be read as a verdict.
    function test_Attack15_TooLittleGasNeverDecides() public {
        putItem(1, owner(1), 10, "sword");
        Game memory g = honest(buy(items(1, 2)), _effects());
        Claim memory c = end(g);
        execute(g);
        bytes memory data = abi.encodeCall(settlement.settleExecuted, (c));
        uint256 settled;
        uint256 failed;
        for (uint256 gas_ = 20_000; gas_ < 700_000; gas_ += 3_000) {
            uint256 before = vm.snapshotState();
            (bool ok, bytes memory answer) = address(settlement).call{gas: gas_}(data);
            assertEq(settlement.isSettled(idOf(g.d)), ok);
            assertEq(read(0, XP), ok ? 50 : 0);
            assertEq(guild.awards(owner(0)), ok ? 5 : 0);
            assertEq(holderOf(1), ok ? owner(0) : owner(1));
            if (!ok && answer.length >= 4) assertNotEq(bytes4(answer), IMudSettlement.NoEffects.selector);
            ok ? ++settled : ++failed;
            vm.revertToState(before);
        }
        assertGt(settled, 20);
        assertGt(failed, 20);
    }

    function test_ModeMustBeAllowed() public {
        Policy memory p = openPolicy();
        p.modes = Modes.ATTESTED | Modes.EXECUTED;
        (p.window, p.guardian, p.bond) = (0, address(0), 0);
        setPolicy(p);
        Pass memory none;
        Game memory g = honest(none, one(increment(0, XP, 1)));
        Claim memory c = end(g);
        execute(g);
        p.modes = Modes.ATTESTED;
        p.maxJournalBytes = 0;
        setPolicy(p);
        _refused(c, IPolicies.NotAllowed.selector);
        p.modes = Modes.ATTESTED | Modes.EXECUTED;
        p.maxJournalBytes = 1000;
        setPolicy(p);
        settlement.settleExecuted(c);
    }

    /// @dev A proof of one mode is none for another.
    function test_ExecutedIsNotPublished() public {
        Game memory g = honest(buy(items(1, 2)), one(increment(0, XP, 1)));
        Claim memory c = end(g);
        execute(g);
        vm.expectRevert(IMudSettlement.NotProven.selector);
        settlement.settleOptimistic(c);
    }

    function test_Attack13_ExecutionOfAnotherChannel() public {
        Game memory a = honest(buy(items(1, 1)), one(increment(0, XP, 1)));
        Game memory b = honest(buy(items(1, 1)), one(increment(0, XP, 2)));
        end(a);
        Claim memory c = end(b);
        execute(a);
        _refused(c, IMudSettlement.NotProven.selector);
    }

    function test_Attack22_RevokedPolicyEndsWhatWasExecuted() public {
        Game memory g = honest(buy(items(1, 2)), one(increment(0, XP, 1)));
        Claim memory c = end(g);
        execute(g);
        Policy memory none;
        setPolicy(none);
        _refused(c, IPolicies.NotAllowed.selector);
        setPolicy(gamePolicy());
        _refused(c, IPolicies.NotAllowed.selector); // the ticket is of a revoked revision
    }
}
