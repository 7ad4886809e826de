// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ChannelView, IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {ChannelTest, Deal, Ending} from "./ChannelTest.sol";
import {CallbackToken} from "./mocks/Tokens.sol";
import {ReentrantWallet, RevertingWallet} from "./mocks/Wallets.sol";

contract RefundTest is ChannelTest {
    function test_Attack10_EveryDepositorGetsItsOwnBack() public {
        Deal memory d = deal(3, 0, assetsOf(address(0), address(token)));
        bytes32 id = idOf(d);
        pay(d, 0, 0);
        pay(d, 0, 1);
        pay(d, 2, 1);
        vm.warp(d.params.fundingDeadline);

        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Refunded(id);
        vm.prank(stranger);
        adjudicator.refund(d.params, d.funding);

        assertEq(owner(0).balance, STAKE);
        assertEq(token.balanceOf(owner(0)), STAKE);
        assertEq(token.balanceOf(owner(2)), STAKE);
        assertEq(owner(1).balance + owner(2).balance + token.balanceOf(owner(1)), 0);
        assertEq(adjudicator.held(id, address(0)) + adjudicator.held(id, address(token)), 0);
        ChannelView memory c = adjudicator.channel(id);
        assertTrue(c.refunded);
        assertFalse(c.funded);
        assertEq(c.deposits, 0);
    }

    function testFuzz_AnySubsetIsRefundedExactly(uint16 mask, uint8 participants) public {
        uint256 n = bound(participants, 2, 16);
        Deal memory d = deal(n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            d.funding[0].amounts[i] = i + 1;
        }
        commit(d);
        for (uint256 i; i < n; ++i) {
            if (mask >> i & 1 == 0) continue;
            pay(d, i, 0);
            ++count;
        }
        vm.warp(d.params.fundingDeadline);
        if (count == 0) vm.expectRevert(IAdjudicator.NothingToRefund.selector);
        else if (count == n) vm.expectRevert(IAdjudicator.FullyFunded.selector);
        adjudicator.refund(d.params, d.funding);
        if (count == 0 || count == n) return;
        for (uint256 i; i < n; ++i) {
            assertEq(owner(i).balance, mask >> i & 1 == 0 ? 0 : i + 1);
        }
        assertEq(address(adjudicator).balance, 0);
    }

    function test_NotBeforeTheDeadline() public {
        Deal memory d = deal(2);
        pay(d, 0, 0);
        vm.warp(d.params.fundingDeadline - 1);
        vm.expectRevert(IAdjudicator.FundingOpen.selector);
        adjudicator.refund(d.params, d.funding);
    }

    function test_NotTwice() public {
        Deal memory d = deal(2);
        pay(d, 0, 0);
        vm.warp(d.params.fundingDeadline);
        adjudicator.refund(d.params, d.funding);
        vm.expectRevert(IAdjudicator.NothingToRefund.selector);
        adjudicator.refund(d.params, d.funding);
    }

    function test_NotFromAnotherFunding() public {
        Deal memory d = deal(2);
        pay(d, 0, 0);
        vm.warp(d.params.fundingDeadline);
        d.funding[0].amounts[0] = 2 * STAKE;
        vm.expectRevert(IAdjudicator.WrongFunding.selector);
        adjudicator.refund(d.params, d.funding);
    }

    function test_Attack10_RefundedChannelIsDead() public {
        Deal memory d = deal(2);
        pay(d, 0, 0);
        vm.warp(d.params.fundingDeadline);
        adjudicator.refund(d.params, d.funding);

        address by = d.params.participants[1].owner;
        vm.deal(by, STAKE);
        vm.prank(by);
        vm.expectRevert(IAdjudicator.FundingClosed.selector);
        adjudicator.deposit{value: STAKE}(d.params, d.funding, 1, 0);

        Ending memory e = ending(d, winner(d, 0), true);
        vm.expectRevert(IAdjudicator.NotFunded.selector);
        conclude(d, e);
    }

    function test_Attack16_RefusingDepositorIsCredited() public {
        RevertingWallet wallet = new RevertingWallet();
        Deal memory d = deal(3);
        d.params.participants[0].owner = address(wallet);
        pay(d, 0, 0);
        pay(d, 1, 0);
        vm.warp(d.params.fundingDeadline);
        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Credited(idOf(d), address(0), address(wallet), STAKE);
        adjudicator.refund(d.params, d.funding);
        assertEq(adjudicator.credits(address(0), address(wallet)), STAKE);
        assertEq(owner(1).balance, STAKE);
    }

    function test_Attack16_RefundIsNotReentered() public {
        CallbackToken callback = new CallbackToken();
        ReentrantWallet wallet = new ReentrantWallet();
        Deal memory d = deal(3, 0, assetsOf(address(callback)));
        // A second channel's money lies in the same contract.
        Deal memory other = deal(2, 0, assetsOf(address(callback)));
        fund(other);
        d.params.participants[0].owner = address(wallet);
        pay(d, 0, 0);
        pay(d, 1, 0);
        vm.warp(d.params.fundingDeadline);
        wallet.aim(address(adjudicator), abi.encodeCall(adjudicator.refund, (d.params, d.funding)));
        adjudicator.refund(d.params, d.funding);
        assertTrue(wallet.tried());
        assertFalse(wallet.succeeded());
        assertEq(callback.balanceOf(address(wallet)), STAKE);
        assertEq(callback.balanceOf(owner(1)), STAKE);
        assertEq(adjudicator.held(idOf(other), address(callback)), 2 * STAKE);
        assertEq(callback.balanceOf(address(adjudicator)), 2 * STAKE);
    }
}
