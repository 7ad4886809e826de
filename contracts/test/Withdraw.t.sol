// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {ChannelTest, Deal} from "./ChannelTest.sol";
import {StdStorage, stdStorage} from "forge-std/StdStorage.sol";
import {CallbackToken, EvilToken} from "./mocks/Tokens.sol";
import {ReentrantWallet, RevertingWallet, Wallet} from "./mocks/Wallets.sol";

contract WithdrawTest is ChannelTest {
    using stdStorage for StdStorage;

    RevertingWallet internal wallet;

    function setUp() public override {
        super.setUp();
        wallet = new RevertingWallet();
    }

    function _credit(address asset, uint256 amount) internal {
        Deal memory d = deal(2, 0, assetsOf(asset));
        d.funding[0].amounts[0] = amount;
        d.funding[0].amounts[1] = 0;
        d.params.participants[0].owner = address(wallet);
        commit(d);
        fund(d);
        conclude(d, ending(d, winner(d, 0), true));
    }

    function _withdraw(address asset, address to) internal returns (bytes memory) {
        return wallet.run(address(adjudicator), 0, abi.encodeCall(adjudicator.withdraw, (asset, to)));
    }

    function testFuzz_CreditsOfManyChannelsGoOutTogetherOnce(uint96 first, uint96 second) public {
        vm.assume(first != 0 && second != 0);
        _credit(address(0), first);
        _credit(address(0), second);
        uint256 sum = uint256(first) + second;
        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Withdrawn(address(wallet), address(0), stranger, sum);
        assertEq(_withdraw(address(0), stranger), abi.encode(sum));
        assertEq(stranger.balance, sum);
        vm.expectRevert(IAdjudicator.NothingToWithdraw.selector);
        _withdraw(address(0), stranger);
    }

    function test_OnlyTheCreditedAccount() public {
        _credit(address(0), STAKE);
        vm.prank(stranger);
        vm.expectRevert(IAdjudicator.NothingToWithdraw.selector);
        adjudicator.withdraw(address(0), stranger);
    }

    function test_AssetsAreSeparate() public {
        _credit(address(0), STAKE);
        vm.expectRevert(IAdjudicator.NothingToWithdraw.selector);
        _withdraw(address(token), stranger);
    }

    function test_Attack16_FailedWithdrawalKeepsTheCredit() public {
        _credit(address(0), STAKE);
        vm.expectRevert();
        _withdraw(address(0), address(wallet));
        assertEq(adjudicator.credits(address(0), address(wallet)), STAKE);
        _withdraw(address(0), stranger);
        assertEq(stranger.balance, STAKE);
    }

    function test_Attack16_FailedTokenWithdrawalKeepsTheCredit() public {
        EvilToken evil = new EvilToken();
        evil.behave(EvilToken.Way.ReturnFalse);
        _credit(address(evil), STAKE);
        vm.expectRevert();
        _withdraw(address(evil), stranger);
        assertEq(adjudicator.credits(address(evil), address(wallet)), STAKE);
        evil.behave(EvilToken.Way.Honest);
        _withdraw(address(evil), stranger);
        assertEq(evil.balanceOf(stranger), STAKE);
    }

    /// @dev A deposit is measured by the balance before and after: nothing may leave in between.
    function test_Attack16_NoWithdrawalInsideADeposit() public {
        CallbackToken callback = new CallbackToken();
        ReentrantWallet depositor = new ReentrantWallet();
        callback.mint(address(adjudicator), STAKE);
        stdstore.target(address(adjudicator)).sig("credits(address,address)").with_key(address(callback)).with_key(address(depositor))
            .checked_write(STAKE);
        Deal memory d = deal(2, 0, assetsOf(address(callback)));
        d.params.participants[0].owner = address(depositor);
        callback.mint(address(depositor), STAKE);
        depositor.run(address(callback), 0, abi.encodeCall(callback.approve, (address(adjudicator), STAKE)));
        depositor.aim(address(adjudicator), abi.encodeCall(adjudicator.withdraw, (address(callback), stranger)));
        depositor.run(address(adjudicator), 0, abi.encodeCall(adjudicator.deposit, (d.params, d.funding, 0, 0)));
        assertTrue(depositor.tried());
        assertFalse(depositor.succeeded());
        assertEq(adjudicator.held(idOf(d), address(callback)), STAKE);
        assertEq(callback.balanceOf(address(adjudicator)), 2 * STAKE);
    }

    function test_Attack16_WithdrawIsNotReentered() public {
        Reentering again = new Reentering();
        wallet = RevertingWallet(payable(address(again)));
        _credit(address(0), STAKE);
        vm.deal(address(adjudicator), address(adjudicator).balance + 10 * STAKE);
        again.open(address(adjudicator));
        _withdraw(address(0), address(again));
        assertTrue(again.tried());
        assertEq(address(again).balance, STAKE);
    }
}

/// @dev Refuses coins until it is opened, then withdraws again on receipt.
contract Reentering is Wallet {
    address private _target;
    bool public tried;

    function open(address target) external {
        _target = target;
    }

    receive() external payable override {
        require(_target != address(0));
        tried = true;
        (bool ok,) = _target.call(abi.encodeCall(IAdjudicator.withdraw, (address(0), address(this))));
        require(!ok);
    }
}
