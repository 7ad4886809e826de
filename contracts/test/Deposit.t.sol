// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Adjudicator} from "../src/Adjudicator.sol";
import {ChannelView, IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {Participant, Status} from "../src/Types.sol";
import {ChannelTest, Deal} from "./ChannelTest.sol";
import {CallbackToken, FeeToken, SilentToken, Token} from "./mocks/Tokens.sol";
import {ReentrantWallet} from "./mocks/Wallets.sol";

contract DepositTest is ChannelTest {
    function _deposit(Deal memory d, uint256 i, uint256 a, uint256 value, bytes memory revertData) internal {
        address by = d.params.participants[i].owner;
        vm.deal(by, value);
        vm.prank(by);
        if (revertData.length != 0) vm.expectRevert(revertData);
        adjudicator.deposit{value: value}(d.params, d.funding, uint8(i), uint8(a));
    }

    function _refused(Deal memory d, bytes4 selector) internal {
        _deposit(d, 0, 0, STAKE, abi.encodeWithSelector(selector));
    }

    function _refused(Deal memory d, bytes memory revertData) internal {
        _deposit(d, 0, 0, STAKE, revertData);
    }

    /* WHAT WORKS */

    function test_F3_EveryoneDepositsInAnyOrder() public {
        Deal memory d = deal(3, 0, assetsOf(address(0), address(token)));
        bytes32 id = idOf(d);
        assertEq(adjudicator.channelId(d.params), id);

        pay(d, 2, 1);
        pay(d, 0, 0);
        ChannelView memory c = adjudicator.channel(id);
        assertEq(c.missing, 4);
        assertFalse(c.funded);
        assertTrue(adjudicator.hasDeposited(id, 2, 1));
        assertTrue(adjudicator.hasDeposited(id, 0, 0));
        assertFalse(adjudicator.hasDeposited(id, 0, 1));
        assertFalse(adjudicator.hasDeposited(id, 2, 0));

        pay(d, 0, 1);
        pay(d, 1, 0);
        pay(d, 1, 1);
        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Deposited(id, 2, address(0), STAKE);
        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Funded(id);
        _deposit(d, 2, 0, STAKE, "");

        c = adjudicator.channel(id);
        assertTrue(c.funded);
        assertEq(c.missing, 0);
        assertEq(uint8(c.status), uint8(Status.None));
        assertEq(adjudicator.held(id, address(0)), 3 * STAKE);
        assertEq(adjudicator.held(id, address(token)), 3 * STAKE);
        assertEq(address(adjudicator).balance, 3 * STAKE);
        assertEq(token.balanceOf(address(adjudicator)), 3 * STAKE);
    }

    function test_ZeroEntryNeedsNoDepositAndIsNone() public {
        Deal memory d = deal(2);
        d.funding[0].amounts[1] = 0;
        commit(d);
        _deposit(d, 1, 0, 0, abi.encodeWithSelector(IAdjudicator.NothingDue.selector));
        pay(d, 0, 0);
        assertTrue(adjudicator.channel(idOf(d)).funded);
        assertFalse(adjudicator.hasDeposited(idOf(d), 1, 0));
    }

    function test_TokenThatAnswersNothingIsAccepted() public {
        SilentToken silent = new SilentToken();
        Deal memory d = deal(2, 0, assetsOf(address(silent)));
        fund(d);
        assertTrue(adjudicator.channel(idOf(d)).funded);
    }

    function testFuzz_DepositsAreExact(uint256[16] memory amounts, uint8 participants, uint8 count) public {
        uint256 n = bound(participants, 2, 16);
        uint256 assets = bound(count, 1, 8);
        address[] memory list = new address[](assets);
        for (uint256 a = 1; a < assets; ++a) {
            list[a] = address(new Token());
        }
        Deal memory d = deal(n, 0, list);
        for (uint256 a; a < assets; ++a) {
            for (uint256 i; i < n; ++i) {
                d.funding[a].amounts[i] = bound(amounts[(i + a) % 16], 0, 1e30);
            }
        }
        commit(d);
        fund(d);
        bytes32 id = idOf(d);
        uint256 due;
        for (uint256 a; a < assets; ++a) {
            assertEq(adjudicator.held(id, list[a]), pot(d, a));
            assertEq(balance(list[a], address(adjudicator)), pot(d, a));
            for (uint256 i; i < n; ++i) {
                assertEq(adjudicator.hasDeposited(id, uint8(i), uint8(a)), d.funding[a].amounts[i] != 0);
                if (d.funding[a].amounts[i] != 0) ++due;
            }
        }
        assertEq(adjudicator.channel(id).funded, due != 0);
    }

    /* ATTACK 10: DEPOSIT GRIEFING */

    function testFuzz_Attack10_OnlyTheOwnerMayDeposit(address by) public {
        Deal memory d = deal(2);
        vm.assume(by != d.params.participants[0].owner);
        vm.deal(by, STAKE);
        vm.prank(by);
        vm.expectRevert(IAdjudicator.NotOwner.selector);
        adjudicator.deposit{value: STAKE}(d.params, d.funding, 0, 0);
    }

    function testFuzz_Attack10_OnlyTheExactAmount(uint256 value) public {
        vm.assume(value != STAKE);
        _deposit(deal(2), 0, 0, value, abi.encodeWithSelector(IAdjudicator.WrongAmount.selector));
    }

    function test_Attack10_NoCoinBesideAToken() public {
        Deal memory d = deal(2, 0, assetsOf(address(token)));
        address by = d.params.participants[0].owner;
        token.mint(by, STAKE);
        vm.prank(by);
        token.approve(address(adjudicator), STAKE);
        _deposit(d, 0, 0, 1, abi.encodeWithSelector(IAdjudicator.WrongAmount.selector));
    }

    function test_Attack10_NotTwice() public {
        Deal memory d = deal(2);
        pay(d, 0, 0);
        _refused(d, IAdjudicator.AlreadyDeposited.selector);
    }

    function testFuzz_Attack10_NotAfterTheDeadline(uint256 late) public {
        Deal memory d = deal(2);
        pay(d, 1, 0);
        vm.warp(d.params.fundingDeadline + bound(late, 0, 1000 days));
        _refused(d, IAdjudicator.FundingClosed.selector);
    }

    function test_Attack10_OneSecondBeforeTheDeadlineIsInTime() public {
        Deal memory d = deal(2);
        vm.warp(d.params.fundingDeadline - 1);
        pay(d, 0, 0);
        assertEq(adjudicator.channel(idOf(d)).missing, 1);
    }

    function testFuzz_Attack10_TheDeadlineIsBounded(uint64 deadline) public {
        Deal memory d = deal(2);
        uint64 limit = uint64(block.timestamp + 7 days);
        d.params.fundingDeadline = uint64(bound(deadline, limit + 1, type(uint64).max));
        _refused(d, IAdjudicator.FundingDeadlineTooFar.selector);
        d.params.fundingDeadline = limit;
        pay(d, 0, 0);
    }

    function test_Attack10_OthersFundingIsRefused() public {
        Deal memory d = deal(2);
        d.funding[0].amounts[1] = 2 * STAKE;
        _refused(d, IAdjudicator.WrongFunding.selector);
    }

    function test_Attack10_FrontRunningAnotherChannelDoesNotCount() public {
        Deal memory d = deal(2);
        Deal memory other = deal(2);
        pay(other, 0, 0);
        assertEq(adjudicator.channel(idOf(d)).deposits, 0);
        pay(d, 0, 0);
    }

    function test_IndexesOutsideAreRefused() public {
        Deal memory d = deal(2);
        vm.expectRevert(IAdjudicator.BadIndex.selector);
        adjudicator.deposit(d.params, d.funding, 2, 0);
        vm.expectRevert(IAdjudicator.BadIndex.selector);
        adjudicator.deposit(d.params, d.funding, 0, 1);
        assertFalse(adjudicator.hasDeposited(idOf(d), 16, 0));
        assertFalse(adjudicator.hasDeposited(idOf(d), 0, 8));
    }

    function test_VirtualChannelsTakeNoDeposits() public {
        Deal memory d = deal(2);
        d.params.isVirtual = true;
        _refused(d, IAdjudicator.VirtualChannel.selector);
    }

    /* ATTACK 13: REPLAY */

    function testFuzz_Attack13_OtherChain(uint256 chainId) public {
        Deal memory d = deal(2);
        vm.assume(chainId != block.chainid);
        d.params.chainId = chainId;
        _refused(d, IAdjudicator.WrongDomain.selector);
    }

    function testFuzz_Attack13_OtherAdjudicator(address other) public {
        Deal memory d = deal(2);
        vm.assume(other != address(adjudicator));
        d.params.adjudicator = other;
        _refused(d, IAdjudicator.WrongDomain.selector);
    }

    /* ATTACK 16: TOKENS */

    function test_Attack16_FeeOnTransferIsRefused() public {
        FeeToken fee = new FeeToken();
        Deal memory d = deal(2, 0, assetsOf(address(fee)));
        address by = d.params.participants[0].owner;
        fee.mint(by, STAKE);
        vm.prank(by);
        fee.approve(address(adjudicator), STAKE);
        vm.prank(by);
        vm.expectRevert(IAdjudicator.WrongAmount.selector);
        adjudicator.deposit(d.params, d.funding, 0, 0);
    }

    function test_Attack16_AddressWithoutCodeIsNoToken() public {
        Deal memory d = deal(2, 0, assetsOf(makeAddr("nothing")));
        vm.prank(d.params.participants[0].owner);
        vm.expectRevert();
        adjudicator.deposit(d.params, d.funding, 0, 0);
        assertEq(adjudicator.channel(idOf(d)).deposits, 0);
    }

    function test_Attack16_CallbackTokenCannotDepositTwiceWithOneTransfer() public {
        CallbackToken callback = new CallbackToken();
        ReentrantWallet wallet = new ReentrantWallet();
        Deal memory d = deal(2, 0, assetsOf(address(callback)));
        d.params.participants[0].owner = address(wallet);
        d.params.participants[1].owner = address(wallet);
        callback.mint(address(wallet), 2 * STAKE);
        wallet.run(address(callback), 0, abi.encodeCall(callback.approve, (address(adjudicator), 2 * STAKE)));
        wallet.aim(address(adjudicator), abi.encodeCall(adjudicator.deposit, (d.params, d.funding, 1, 0)));

        wallet.run(address(adjudicator), 0, abi.encodeCall(adjudicator.deposit, (d.params, d.funding, 0, 0)));
        assertTrue(wallet.tried());
        assertFalse(wallet.succeeded(), "entered again");
        assertEq(adjudicator.held(idOf(d), address(callback)), STAKE);
        assertEq(callback.balanceOf(address(adjudicator)), STAKE);
    }

    function test_PlainTransfersAreRefused() public {
        vm.deal(address(this), 1);
        (bool ok,) = address(adjudicator).call{value: 1}("");
        assertFalse(ok);
    }

    /* ATTACK 29: MALFORMED PARAMS */

    function test_Attack29_ParticipantCount() public {
        Deal memory d = deal(2);
        Participant[] memory all = d.params.participants;
        d.params.participants = new Participant[](1);
        d.params.participants[0] = all[0];
        _refused(d, IAdjudicator.BadParticipantCount.selector);

        d = deal(17);
        _refused(d, IAdjudicator.BadParticipantCount.selector);

        d = deal(16, 8, assetsOf(address(0)));
        pay(d, 15, 0);
    }

    function test_Attack29_Lists() public {
        Deal memory d = deal(2, 9, assetsOf(address(0)));
        _refused(d, IAdjudicator.TooManyBeneficiaries.selector);
        d = deal(2);
        for (uint256 i; i < 4; ++i) {
            addGuarantor(d);
        }
        pay(d, 0, 0);
        addGuarantor(d);
        _refused(d, IAdjudicator.TooManyGuarantors.selector);
    }

    function test_Attack14_SignersAreDistinctAndNotZero() public {
        Deal memory d = deal(3);
        d.params.participants[2].signer = d.params.participants[0].signer;
        _refused(d, abi.encodeWithSelector(IAdjudicator.BadSigner.selector, 2));
        d.params.participants[2].signer = address(0);
        _refused(d, abi.encodeWithSelector(IAdjudicator.BadSigner.selector, 2));

        d = deal(2);
        addGuarantor(d);
        addGuarantor(d);
        d.params.guarantors[1] = d.params.guarantors[0];
        _refused(d, abi.encodeWithSelector(IAdjudicator.BadSigner.selector, 3));
        d.params.guarantors[1] = d.params.participants[1].signer;
        _refused(d, abi.encodeWithSelector(IAdjudicator.BadSigner.selector, 3));
        d.params.guarantors[1] = address(0);
        _refused(d, abi.encodeWithSelector(IAdjudicator.BadSigner.selector, 3));
    }

    function test_Attack29_PayeesAreNotZeroAndMayRepeat() public {
        Deal memory d = deal(2, 2, assetsOf(address(0)));
        d.params.participants[1].owner = address(0);
        _refused(d, IAdjudicator.ZeroPayee.selector);
        d.params.participants[1].owner = d.params.participants[0].owner;
        d.params.beneficiaries[1] = address(0);
        _refused(d, IAdjudicator.ZeroPayee.selector);
        d.params.beneficiaries[1] = d.params.participants[0].owner;
        pay(d, 1, 0);
    }

    function testFuzz_Attack29_Window(uint32 window) public {
        Deal memory d = deal(2);
        d.params.window = window;
        if (window < 60 || window > 30 days) _refused(d, IAdjudicator.BadWindow.selector);
        else pay(d, 0, 0);
    }

    function test_DevnetMayUseShortWindows() public {
        adjudicator = new Adjudicator(1);
        Deal memory d = deal(2);
        d.params.window = 1;
        pay(d, 0, 0);
    }

    function testFuzz_Attack29_ForceQuota(uint16 quota) public {
        Deal memory d = deal(2);
        d.params.forceQuota = quota;
        if (quota == 0 || quota > 256) _refused(d, IAdjudicator.BadForceQuota.selector);
        else pay(d, 0, 0);
    }

    function testFuzz_Attack29_Sequencer(uint8 sequencer) public {
        Deal memory d = deal(3);
        d.params.sequencer = sequencer;
        if (sequencer >= 3) _refused(d, IAdjudicator.BadSequencer.selector);
        else pay(d, 0, 0);
    }

    function test_Attack29_FundingShape() public {
        Deal memory d = deal(2, 0, assetsOf(address(0), address(0)));
        _refused(d, IAdjudicator.BadFunding.selector);

        d = deal(2);
        d.funding[0].amounts = new uint256[](3);
        d.funding[0].amounts[0] = STAKE;
        commit(d);
        _refused(d, IAdjudicator.BadFunding.selector);

        address[] memory nine = new address[](9);
        for (uint256 a; a < 9; ++a) {
            nine[a] = address(uint160(a));
        }
        _refused(deal(2, 0, nine), IAdjudicator.BadFunding.selector);
    }

    function testFuzz_Attack29_PotOverflow(uint256 a, uint256 b) public {
        a = bound(a, 1, type(uint256).max);
        b = bound(b, type(uint256).max - a + 1, type(uint256).max);
        Deal memory d = deal(2, 0, assetsOf(address(token)));
        d.funding[0].amounts[0] = a;
        d.funding[0].amounts[1] = b;
        commit(d);
        _deposit(d, 0, 0, 0, abi.encodeWithSelector(IAdjudicator.BadFunding.selector));
    }
}
