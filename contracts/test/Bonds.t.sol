// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IPolicies, Policy} from "../src/interfaces/IPolicies.sol";
import {IPublications} from "../src/interfaces/IPublications.sol";
import {Game, PublicationTest} from "./PublicationTest.sol";
import {Prover} from "./mocks/Provers.sol";

/// @dev Vetoes, bonds and their ways back.
contract BondsTest is PublicationTest {
    function _published(bool forged) internal returns (Game memory g) {
        g = game("counter");
        if (forged) g.claims[4] = keccak256("a million gold");
        finish(g);
        publishAll(g);
    }

    function _balanced(Game memory g, address one) internal view {
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = idOf(g.d);
        address[] memory accounts = new address[](2);
        (accounts[0], accounts[1]) = (publisher, one);
        assertBalanced(ids, accounts);
    }

    function _veto(Game memory g, address by) internal {
        vm.prank(by);
        publications.veto(g.d.params, g.entries[0]);
    }

    /* RELEASE */

    function test_Release_AfterTheWindow() public {
        Game memory g = _published(false);
        bytes32 id = idOf(g.d);
        vm.warp(block.timestamp + POLICY_WINDOW - 1);
        vm.expectRevert(IPublications.WindowOpen.selector);
        publications.releaseBond(id);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(address(publications));
        emit IPublications.BondReleased(id, publisher, BOND);
        publications.releaseBond(id);
        assertEq(publications.credits(publisher), BOND);
        assertEq(standing(g).publisher, publisher);
        _balanced(g, prover);
        vm.expectRevert(IPublications.NothingToWithdraw.selector);
        publications.releaseBond(id);

        address payout = makeAddr("payout");
        vm.prank(publisher);
        assertEq(publications.withdraw(payout), BOND);
        assertEq(payout.balance, BOND);
        assertEq(address(publications).balance, 0);
        vm.prank(publisher);
        vm.expectRevert(IPublications.NothingToWithdraw.selector);
        publications.withdraw(payout);
    }

    function test_Release_NothingOfAVoidPublication() public {
        Game memory g = _published(true);
        disprove(g, witness(g, 4));
        vm.warp(block.timestamp + POLICY_WINDOW);
        bytes32 id = idOf(g.d);
        vm.expectRevert(IPublications.NothingToWithdraw.selector);
        publications.releaseBond(id);
        assertEq(publications.credits(publisher), 0);
    }

    function test_Release_NothingOfAnUnknownChannel() public {
        vm.expectRevert(IPublications.NothingToWithdraw.selector);
        publications.releaseBond(keccak256("unknown"));
    }

    /* VETO */

    /// @dev An event that the machine could not execute would make a wrong leaf unprovable: the guardian steps in.
    function test_Attack28_TheGuardianVetoes() public {
        Game memory g = _published(false);
        vm.expectRevert(IPublications.NotGuardian.selector);
        _veto(g, stranger);
        vm.warp(block.timestamp + POLICY_WINDOW - 1);
        vm.expectEmit(address(publications));
        emit IPublications.Vetoed(idOf(g.d), guardian);
        _veto(g, guardian);
        assertTrue(standing(g).vetoed);
        assertEq(standing(g).bond, 0);
        assertEq(publications.credits(publisher), BOND);
        _balanced(g, prover);

        vm.expectRevert(IPublications.AlreadyVoid.selector);
        _veto(g, guardian);
        vm.expectRevert(IPublications.AlreadyPublished.selector);
        this.publishExternal(g);
    }

    function publishExternal(Game memory g) external {
        publishAll(g);
    }

    function test_Attack28_NoVetoAfterTheWindow() public {
        Game memory g = _published(false);
        vm.warp(block.timestamp + POLICY_WINDOW);
        vm.expectRevert(IPublications.WindowClosed.selector);
        _veto(g, guardian);
        Game memory none = again(game("counter"));
        vm.expectRevert(IPublications.WindowClosed.selector);
        _veto(none, guardian);
    }

    /// @dev The publication keeps its policy, but who may veto is for the owner of the World to say until the end.
    function test_Attack28_ANewGuardianReplacesTheOld() public {
        Game memory g = _published(false);
        Policy memory p = standardPolicy();
        p.guardian = makeAddr("new guardian");
        setPolicy(g, p);
        vm.expectRevert(IPublications.NotGuardian.selector);
        _veto(g, guardian);
        _veto(g, p.guardian);
        assertTrue(standing(g).vetoed);
    }

    function test_Attack28_NobodyIsNoGuardian() public {
        Game memory g = _published(false);
        Policy memory p = standardPolicy();
        p.guardian = address(0);
        setPolicy(g, p);
        vm.expectRevert(IPublications.NotGuardian.selector);
        _veto(g, guardian);
        Policy memory none;
        setPolicy(g, none);
        vm.expectRevert(IPolicies.NotAllowed.selector);
        _veto(g, guardian);
    }

    function test_Attack28_AVetoedJournalCanStillBeVoided() public {
        Game memory g = _published(true);
        _veto(g, guardian);
        disprove(g, witness(g, 4));
        assertTrue(standing(g).voided);
        assertEq(publications.credits(publisher), BOND);
        assertEq(prover.balance, 0);
        _balanced(g, prover);
    }

    function test_Attack28_NoVetoOfWhatIsVoid() public {
        Game memory g = _published(true);
        disprove(g, witness(g, 4));
        vm.expectRevert(IPublications.AlreadyVoid.selector);
        _veto(g, guardian);
    }

    /* ATTACK 23: RECYCLED BONDS */

    /// @dev Who disproves its own publication loses the burnt half, whoever copies the proof.
    function test_Attack23_HalfIsAlwaysBurnt() public {
        Game memory g = _published(true);
        uint256 before = publisher.balance;
        uint256 burnt = address(0).balance;
        vm.prank(publisher);
        publications.disprove(g.d.params, g.d.funding, witness(g, 4));
        assertEq(publisher.balance - before, BOND / 2);
        assertEq(address(0).balance - burnt, BOND / 2);
    }

    function test_Attack23_AnOddBondBurnsTheOddWei() public {
        Game memory g = game("counter");
        Policy memory p = standardPolicy();
        p.bond = 3;
        setPolicy(g, p);
        g.claims[4] = keccak256("a million gold");
        finish(g);
        publish(g, publisher, 3, chunk(g, 0, size(g), true));
        uint256 burnt = address(0).balance;
        disprove(g, witness(g, 4));
        assertEq(prover.balance, 1);
        assertEq(address(0).balance - burnt, 2);
    }

    function test_Attack23_NoBondNoReward() public {
        Game memory g = game("counter");
        Policy memory p = standardPolicy();
        p.bond = 0;
        setPolicy(g, p);
        g.claims[4] = keccak256("a million gold");
        finish(g);
        publish(g, publisher, 0, chunk(g, 0, size(g), true));
        disprove(g, witness(g, 4));
        assertTrue(standing(g).voided);
    }

    /* ATTACK 16: RECEIVERS */

    function test_Attack16_AProverThatCannotReceiveIsCredited() public {
        Prover.Mood[2] memory moods = [Prover.Mood.Refuses, Prover.Mood.Burns];
        for (uint256 i; i < moods.length; ++i) {
            Prover p = new Prover(moods[i]);
            Game memory g = game("counter");
            g.d.params.nonce = uint64(50 + i);
            g = rekeyed(g);
            g.claims[4] = keccak256("a million gold");
            finish(g);
            publishAll(g);
            p.run(address(publications), 0, abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, witness(g, 4))));
            assertTrue(standing(g).voided);
            assertEq(publications.credits(address(p)), BOND / 2);
            _balanced(g, address(p));

            bytes memory withdraw = abi.encodeCall(publications.withdraw, (address(p)));
            if (moods[i] == Prover.Mood.Refuses) {
                vm.expectRevert(IPublications.WithdrawFailed.selector);
                p.run(address(publications), 0, withdraw);
            }
            p.change(Prover.Mood.Takes);
            p.run(address(publications), 0, withdraw);
            assertEq(address(p).balance, BOND / 2);
            assertEq(publications.credits(address(p)), 0);
        }
    }

    /// @dev From inside the reward every function of the contract is closed.
    function test_Attack16_TheRewardIsNoWayIn() public {
        Game memory g = _published(true);
        Game memory other = again(game("counter"));
        other.claims[4] = keccak256("a million gold");
        finish(other);
        publishAll(other);
        bytes[6] memory calls = [
            abi.encodeCall(publications.disprove, (g.d.params, g.d.funding, witness(g, 4))),
            abi.encodeCall(publications.disprove, (other.d.params, other.d.funding, witness(other, 4))),
            abi.encodeCall(publications.withdraw, (prover)),
            abi.encodeCall(publications.releaseBond, (idOf(other.d))),
            abi.encodeCall(publications.veto, (other.d.params, other.entries[0])),
            abi.encodeCall(publications.execute, (g.d.params, g.d.funding, g.entries[0], "", chunk(g, 0, 2, false)))
        ];
        for (uint256 i; i < calls.length; ++i) {
            uint256 before = vm.snapshotState();
            Prover p = new Prover(Prover.Mood.CallsBack);
            p.arm(address(publications), calls[i]);
            p.run(address(publications), 0, calls[0]);
            assertFalse(p.wentThrough());
            assertEq(address(p).balance + publications.credits(address(p)), BOND / 2);
            assertFalse(standing(other).voided);
            assertEq(address(publications).balance, BOND + publications.credits(address(p)));
            vm.revertToState(before);
        }
    }

    function test_Attack16_WithdrawIsNoWayIn() public {
        Prover p = new Prover(Prover.Mood.CallsBack);
        vm.deal(address(p), BOND);
        Game memory g = game("counter");
        finish(g);
        p.run(
            address(publications),
            BOND,
            abi.encodeCall(publications.publish, (g.d.params, g.d.funding, g.entries[0], g.claims[0], chunk(g, 0, size(g), true)))
        );
        Game memory other = again(game("counter"));
        other.claims[4] = keccak256("a million gold");
        finish(other);
        publishAll(other); // another's bond lies there
        vm.warp(block.timestamp + POLICY_WINDOW);
        publications.releaseBond(idOf(g.d));
        bytes[3] memory calls = [
            abi.encodeCall(publications.withdraw, (address(p))),
            abi.encodeCall(publications.releaseBond, (idOf(other.d))),
            abi.encodeCall(publications.disprove, (other.d.params, other.d.funding, witness(other, 4)))
        ];
        for (uint256 i; i < calls.length; ++i) {
            uint256 before = vm.snapshotState();
            p.arm(address(publications), calls[i]);
            p.run(address(publications), 0, abi.encodeCall(publications.withdraw, (address(p))));
            assertFalse(p.wentThrough()); // although the hook has all the gas it could want
            assertEq(address(p).balance, BOND);
            assertEq(address(publications).balance, BOND);
            assertFalse(standing(other).voided);
            vm.revertToState(before);
        }
    }

    /// @dev Coins come with a last chunk only.
    function test_Bonds_NoOtherWayIn() public {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        (bool ok,) = address(publications).call{value: 1}("");
        assertFalse(ok);
    }
}
