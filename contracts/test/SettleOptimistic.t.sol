// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AttestorSignature, Claim, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {IPolicies, Policy} from "../src/interfaces/IPolicies.sol";
import {Chunk, IPublications} from "../src/interfaces/IPublications.sol";
import {Effect} from "../src/Types.sol";
import {Game, GameTest, Pass} from "./GameTest.sol";

/// @dev The mode in which a journal is published, and stands unless somebody disproves a leaf.
/// forge-config: default.fuzz.runs = 32
contract SettleOptimisticTest is GameTest {
    function _refused(Claim memory c, bytes4 selector) internal {
        vm.expectRevert(selector);
        settlement.settleOptimistic(c);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.params))));
    }

    function _xp() internal returns (Effect[] memory) {
        return one(increment(0, XP, 50));
    }

    /// @dev Concluded and published, with the window open.
    function _published(Game memory g) internal returns (Claim memory c) {
        c = end(g);
        publish(g);
    }

    /* THE WINDOW */

    function test_C3_EffectsLandAfterTheWindow() public {
        putItem(1, owner(1), 10, "sword");
        Game memory g = honest(buy(items(1, 2)), two(increment(0, XP, 50), setItem(1, owner(0), 11, "sword, won")));
        Claim memory c = _published(g);
        uint256 deadline = block.timestamp + WINDOW;
        _refused(c, IMudSettlement.NotProven.selector);
        vm.warp(deadline - 1);
        _refused(c, IMudSettlement.NotProven.selector);
        vm.warp(deadline);
        vm.expectEmit(address(settlement));
        emit IMudSettlement.Settled(idOf(g.d), address(world), namespaceId, 2, 2, 4);
        vm.prank(makeAddr("anyone"));
        settlement.settleOptimistic(c);
        assertEq(read(0, XP), 50);
        assertEq(holderOf(1), owner(0));
        vm.expectRevert(IMudSettlement.AlreadySettled.selector);
        settlement.settleOptimistic(c);
    }

    function test_Attack18_UnpublishedAndHalfPublished() public {
        Game memory g = honest(buy(items(1, 2)), _xp());
        Claim memory c = end(g);
        vm.warp(block.timestamp + 60 days);
        _refused(c, IMudSettlement.NotProven.selector);
        bytes32 first = stateHashOf(g, 0);
        publications.publish(g.d.params, g.d.funding, g.genesis, first, Chunk(0, new bytes32[](0), entriesOf(g, 0, 2, true)));
        vm.warp(block.timestamp + 60 days);
        _refused(c, IMudSettlement.NotProven.selector);
        publish(g); // by somebody else, whole
        vm.warp(block.timestamp + WINDOW);
        settlement.settleOptimistic(c);
    }

    /* ATTACK 6: EVERYBODY SIGNED IT, AND IT LOSES */

    function _forged() internal returns (Game memory) {
        return forged(buy(items(1, 2)), one(increment(0, GOLD, 1)), one(increment(0, GOLD, 1_000_000)));
    }

    function test_A11_ForgedLeafIsDisprovedByAnyone() public {
        Game memory g = _forged();
        Claim memory c = _published(g);
        disprove(g);
        _refused(c, IMudSettlement.Void.selector);
        vm.warp(block.timestamp + WINDOW);
        _refused(c, IMudSettlement.Void.selector);
        assertEq(read(0, GOLD), 0);
        assertEq(makeAddr("verifier").balance, BOND / 2);
    }

    /// @dev Void is void in every mode: attestors that sign a forged journal lose against anyone who is faster.
    function test_A11_VoidForAttestorsToo() public {
        Game memory g = _forged();
        Claim memory c = end(g);
        AttestorSignature[] memory attestors = attestGame(g);
        disprove(g); // without any publication
        vm.expectRevert(IMudSettlement.Void.selector);
        settlement.settleAttested(c, attestors);
        vm.expectRevert(IMudSettlement.Void.selector);
        settlement.settleExecuted(c);
        _refused(c, IMudSettlement.Void.selector);
    }

    /// @dev The window is when the bond is at stake; a wrong leaf loses until somebody settles.
    function test_A11_DisprovedAfterTheWindowButBeforeSettlement() public {
        Game memory g = _forged();
        Claim memory c = _published(g);
        vm.warp(block.timestamp + WINDOW + 1);
        disprove(g);
        _refused(c, IMudSettlement.Void.selector);
    }

    function test_Attack6_RightLeavesCannotBeDisproved() public {
        Game memory g = honest(buy(items(1, 2)), _xp());
        Claim memory c = _published(g);
        vm.expectRevert(IPublications.LeafIsRight.selector);
        this.disproveExternally(g);
        vm.warp(block.timestamp + WINDOW);
        settlement.settleOptimistic(c);
    }

    function disproveExternally(Game memory g) external {
        disprove(g);
    }

    /* VETO */

    function test_Attack22_GuardianVetoes() public {
        Game memory g = honest(buy(items(1, 2)), _xp());
        Claim memory c = _published(g);
        vm.prank(guardian);
        publications.veto(g.d.params, g.genesis);
        vm.warp(block.timestamp + WINDOW);
        _refused(c, IMudSettlement.Void.selector);
        // It is a veto of publications: what the chain itself ran needs nobody's leave.
        execute(g);
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 50);
    }

    /* POLICY */

    function testFuzz_PublicationKeepsItsRevision(uint8 limit) public {
        setPolicy(openPolicy()); // 3
        Pass memory none;
        Game memory g = honest(none, _xp());
        Claim memory c = _published(g);
        Policy memory p = openPolicy();
        p.permissions[0].perChannel = limit;
        p.minFunding = 1000 ether;
        setPolicy(p); // 4: too late for this one
        vm.warp(block.timestamp + WINDOW);
        vm.expectEmit(address(settlement));
        emit IMudSettlement.Settled(idOf(g.d), address(world), namespaceId, 1, 3, 4);
        settlement.settleOptimistic(c);
    }

    function test_Attack22_RevocationEndsPublications() public {
        setPolicy(openPolicy());
        Pass memory nothing;
        Game memory g = honest(nothing, _xp());
        Claim memory c = _published(g);
        vm.warp(block.timestamp + WINDOW);
        Policy memory none;
        setPolicy(none);
        _refused(c, IPolicies.NotAllowed.selector);
        setPolicy(openPolicy());
        _refused(c, IPolicies.NotAllowed.selector);
        assertEq(read(0, XP), 0);
        // The journal is still right: it can be shown in another way, under what is allowed now.
        execute(g);
        settlement.settleExecuted(c);
    }

    /// @dev With a ticket, the ticket's revision says what may be written, however late the publication began.
    function test_TicketsRevisionCountsOverThePublications() public {
        Pass memory pass = buy(items(1, 2)); // 2
        Policy memory p = gamePolicy();
        p.permissions[0].perChannel = 49;
        setPolicy(p); // 3
        Game memory g = honest(pass, _xp());
        Claim memory c = _published(g);
        assertEq(publications.standing(idOf(g.d)).revision, 3);
        vm.warp(block.timestamp + WINDOW);
        settlement.settleOptimistic(c);
        assertEq(read(0, XP), 50);

        Game memory later = honest(buy(items(1, 2)), _xp());
        c = _published(later);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.EffectNotAllowed.selector, 0));
        settlement.settleOptimistic(c);
    }

    function test_ModeMustBeAllowedByTheTicketsRevision() public {
        Policy memory p = gamePolicy();
        p.modes = 3;
        (p.window, p.guardian, p.bond) = (0, address(0), 0);
        setPolicy(p);
        Pass memory pass = buy(items(1, 2));
        setPolicy(gamePolicy());
        Game memory g = honest(pass, _xp());
        Claim memory c = _published(g);
        vm.warp(block.timestamp + WINDOW);
        _refused(c, IPolicies.NotAllowed.selector);
        settlement.settleAttested(c, attestGame(g));
    }
}
