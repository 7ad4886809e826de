// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {AdjudicatorHarness} from "./AdjudicatorHarness.sol";
import {ChannelTest, Deal, Ending} from "./ChannelTest.sol";
import {RevertingWallet} from "./mocks/Wallets.sol";

contract PayoutTest is ChannelTest {
    function setUp() public override {
        super.setUp();
        adjudicator = new AdjudicatorHarness(60);
    }

    /// @dev A channel that is Final but has paid nobody, as after a dispute.
    function _final(Deal memory d, Ending memory e) internal {
        fund(d);
        AdjudicatorHarness(address(adjudicator)).finalize(idOf(d), e.update);
    }

    function testFuzz_EachSlotOnceInAnyOrder(uint256 seed, uint8[32] memory order) public {
        Deal memory d = deal(5, 3, assetsOf(address(0), address(token)));
        uint256[] memory words = split(d, seed);
        Ending memory e = ending(d, words, true);
        _final(d, e);
        for (uint256 k; k < 40; ++k) {
            uint8 slot = k < 32 ? order[k] % 8 : uint8(k - 32);
            adjudicator.payout(d.params, d.funding, e.state, slot);
            address to = slot < 5 ? owner(slot) : d.params.beneficiaries[slot - 5];
            assertEq(to.balance, words[slot]);
            assertEq(token.balanceOf(to), words[8 + slot]);
        }
        assertEq(address(adjudicator).balance + token.balanceOf(address(adjudicator)), 0);
        assertEq(adjudicator.held(idOf(d), address(0)) + adjudicator.held(idOf(d), address(token)), 0);
        assertEq(adjudicator.channel(idOf(d)).paid, uint192(0xff) | (uint192(0xff) << 24));
    }

    function test_A3_NothingMoreAfterConclude() public {
        Deal memory d = deal(2);
        fund(d);
        Deal memory other = deal(2);
        fund(other);
        Ending memory e = ending(d, winner(d, 0), true);
        conclude(d, e);
        adjudicator.payout(d.params, d.funding, e.state, 0);
        adjudicator.payout(d.params, d.funding, e.state, 1);
        assertEq(owner(0).balance, 2 * STAKE);
        assertEq(address(adjudicator).balance, 2 * STAKE);
    }

    function test_A2_OnlyTheFinalState() public {
        Deal memory d = deal(2);
        Ending memory e = ending(d, winner(d, 0), true);
        _final(d, e);
        Ending memory wrong = ending(d, winner(d, 1), true);
        vm.expectRevert(IAdjudicator.WrongState.selector);
        adjudicator.payout(d.params, d.funding, wrong.state, 1);
    }

    function test_NotBeforeFinal() public {
        Deal memory d = deal(2);
        fund(d);
        Ending memory e = ending(d, winner(d, 0), true);
        vm.expectRevert(IAdjudicator.WrongStatus.selector);
        adjudicator.payout(d.params, d.funding, e.state, 0);
    }

    function test_NotByAnotherFunding() public {
        Deal memory d = deal(2, 0, assetsOf(address(0), address(token)));
        Ending memory e = ending(d, winner(d, 0), true);
        _final(d, e);
        (d.funding[0], d.funding[1]) = (d.funding[1], d.funding[0]);
        vm.expectRevert(IAdjudicator.WrongFunding.selector);
        adjudicator.payout(d.params, d.funding, e.state, 0);
    }

    function testFuzz_SlotsOutsideAreRefused(uint8 slot) public {
        Deal memory d = deal(2, 1, assetsOf(address(0)));
        Ending memory e = ending(d, winner(d, 2), true);
        _final(d, e);
        if (slot >= 3) vm.expectRevert(IAdjudicator.BadIndex.selector);
        adjudicator.payout(d.params, d.funding, e.state, slot);
    }

    function test_VirtualChannelsPayNobody() public {
        Deal memory d = deal(2, 0, new address[](0));
        d.params.isVirtual = true;
        Ending memory e = ending(d, new uint256[](0), true);
        AdjudicatorHarness(address(adjudicator)).finalize(idOf(d), e.update);
        vm.expectRevert(IAdjudicator.VirtualChannel.selector);
        adjudicator.payout(d.params, d.funding, e.state, 0);
    }

    function test_Attack16_RefusedPayoutIsCreditedOnce() public {
        RevertingWallet wallet = new RevertingWallet();
        Deal memory d = deal(2);
        d.params.participants[0].owner = address(wallet);
        Ending memory e = ending(d, winner(d, 0), true);
        _final(d, e);
        adjudicator.payout(d.params, d.funding, e.state, 0);
        adjudicator.payout(d.params, d.funding, e.state, 0);
        assertEq(adjudicator.credits(address(0), address(wallet)), 2 * STAKE);
    }

    /// @dev Whatever state is Final, no more leaves than the channel holds.
    function test_A8_MoreThanHeldCannotLeave() public {
        Deal memory other = deal(2);
        fund(other);
        Deal memory d = deal(2);
        uint256[] memory words = new uint256[](2);
        words[1] = 2 * STAKE + 1;
        Ending memory e = ending(d, words, true);
        _final(d, e);
        vm.expectRevert(); // arithmetic underflow of `held`
        adjudicator.payout(d.params, d.funding, e.state, 1);
        assertEq(address(adjudicator).balance, 4 * STAKE);
    }
}
