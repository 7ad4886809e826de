// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Adjudicator} from "../src/Adjudicator.sol";
import {ChannelView, IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Close, Guarantee, StateView, Status, Update} from "../src/Types.sol";
import {ChannelTest, Deal, Ending} from "./ChannelTest.sol";
import {CallbackToken, EvilToken, SilentToken, Token} from "./mocks/Tokens.sol";
import {BombWallet, GasBurningWallet, ReentrantWallet, RevertingWallet} from "./mocks/Wallets.sol";

contract ConcludeTest is ChannelTest {
    function _refused(Deal memory d, Ending memory e, bytes4 selector) internal {
        vm.expectRevert(selector);
        conclude(d, e);
    }

    function _refused(Deal memory d, Ending memory e, bytes4 selector, uint256 index) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, index));
        conclude(d, e);
    }

    function _funded(uint256 n) internal returns (Deal memory d) {
        d = deal(n);
        fund(d);
    }

    /* WHAT WORKS */

    function test_F5_TerminalUpdatePaysEveryoneAtOnce() public {
        Deal memory d = deal(3, 1, assetsOf(address(0), address(token)));
        fund(d);
        uint256[] memory words = new uint256[](8);
        (words[0], words[2], words[3]) = (2 * STAKE, STAKE / 2, STAKE / 2); // coin: 2, 0, ½, beneficiary ½
        (words[4], words[7]) = (1, 3 * STAKE - 1);
        Ending memory e = ending(d, words, true);

        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Concluded(idOf(d), 61, e.update.journalRoot, e.update.stateHash);
        vm.expectEmit(address(adjudicator));
        emit IAdjudicator.Paid(idOf(d), address(0), owner(0), 2 * STAKE);
        vm.prank(stranger);
        conclude(d, e);

        assertEq(owner(0).balance, 2 * STAKE);
        assertEq(owner(1).balance, 0);
        assertEq(owner(2).balance, STAKE / 2);
        assertEq(d.params.beneficiaries[0].balance, STAKE / 2);
        assertEq(token.balanceOf(owner(0)), 1);
        assertEq(token.balanceOf(d.params.beneficiaries[0]), 3 * STAKE - 1);
        assertEq(address(adjudicator).balance + token.balanceOf(address(adjudicator)), 0);

        ChannelView memory c = adjudicator.channel(idOf(d));
        assertEq(uint8(c.status), uint8(Status.Final));
        assertEq(c.seq, 61);
        assertEq(c.stateHash, e.update.stateHash);
        assertEq(c.journalRoot, e.update.journalRoot);
        assertEq(adjudicator.held(idOf(d), address(0)), 0);
    }

    function test_F5_CloseOfEveryoneEndsAnUnfinishedChannel() public {
        Deal memory d = _funded(2);
        conclude(d, ending(d, winner(d, 1), false));
        assertEq(owner(1).balance, 2 * STAKE);
    }

    function test_GuarantorsSignTheCloseToo() public {
        Deal memory d = deal(2);
        addGuarantor(d);
        fund(d);
        Ending memory e = ending(d, winner(d, 1), false);
        bytes[] memory all = e.closeSignatures;
        e.closeSignatures = new bytes[](2);
        (e.closeSignatures[0], e.closeSignatures[1]) = (all[0], all[1]);
        _refused(d, e, IAdjudicator.WrongSignatureCount.selector);
        e.closeSignatures = all;
        e.closeSignatures[2] = all[1];
        _refused(d, e, IAdjudicator.BadSignature.selector, 2);
        signClose(d, e);
        conclude(d, e);
    }

    function testFuzz_AnySplitIsPaidExactly(uint256 seed, uint8 participants, uint8 beneficiaries, uint8 count) public {
        uint256 n = bound(participants, 2, 16);
        uint256 b = bound(beneficiaries, 0, 8);
        address[] memory assets = new address[](bound(count, 1, 4));
        for (uint256 a = 1; a < assets.length; ++a) {
            assets[a] = address(new Token());
        }
        Deal memory d = deal(n, b, assets);
        fund(d);
        uint256[] memory words = split(d, seed);
        conclude(d, ending(d, words, true));
        for (uint256 a; a < assets.length; ++a) {
            assertEq(balance(assets[a], address(adjudicator)), 0);
            for (uint256 slot; slot < n + b; ++slot) {
                address to = slot < n ? owner(slot) : d.params.beneficiaries[slot - n];
                assertEq(balance(assets[a], to), words[a * (n + b) + slot]);
            }
        }
    }

    function test_AllZeroFundingIsFundedFromTheStart() public {
        Deal memory d = deal(2);
        d.funding[0].amounts[0] = 0;
        d.funding[0].amounts[1] = 0;
        commit(d);
        conclude(d, ending(d, new uint256[](2), true));
        assertEq(uint8(adjudicator.channel(idOf(d)).status), uint8(Status.Final));
    }

    function test_NoAssetsAtAll() public {
        Deal memory d = deal(2, 0, new address[](0));
        conclude(d, ending(d, new uint256[](0), true));
        assertTrue(adjudicator.channel(idOf(d)).funded);
    }

    function test_SilentTokensPayOut() public {
        SilentToken silent = new SilentToken();
        Deal memory d = deal(2, 0, assetsOf(address(silent)));
        fund(d);
        conclude(d, ending(d, winner(d, 0), true));
        assertEq(silent.balanceOf(owner(0)), 2 * STAKE);
    }

    function test_OneOwnerInManySlots() public {
        Deal memory d = deal(2);
        d.params.participants[1].owner = owner(0);
        d.params.beneficiaries = new address[](1);
        d.params.beneficiaries[0] = owner(0);
        fund(d);
        uint256[] memory words = new uint256[](3);
        (words[0], words[1], words[2]) = (1, 2 * STAKE - 3, 2);
        conclude(d, ending(d, words, true));
        assertEq(owner(0).balance, 2 * STAKE);
    }

    /* THE LEDGER */

    function test_LedgerClosesOnlyWithoutGuarantees() public {
        Deal memory d = deal(2);
        d.params.moduleHash = 0;
        fund(d);
        Ending memory e = ending(d, winner(d, 0), false);
        Guarantee[] memory live = new Guarantee[](1);
        live[0] = Guarantee(keccak256("virtual"), 0, 1, new uint256[](1));
        e.state.appHash = keccak256(abi.encode(live));
        resign(d, e, false);
        _refused(d, e, IAdjudicator.GuaranteeLives.selector);
        e.state.appHash = keccak256(abi.encode(new Guarantee[](0)));
        resign(d, e, false);
        conclude(d, e);
        assertEq(owner(0).balance, 2 * STAKE);
    }

    /* ATTACK 10: PREMATURE CONCLUDE */

    function testFuzz_Attack10_UnfundedIsRefused(uint8 paid) public {
        Deal memory d = deal(3);
        for (uint256 i; i < 3; ++i) {
            if (paid >> i & 1 == 1 && i != paid % 3) pay(d, i, 0);
        }
        _refused(d, ending(d, winner(d, 0), true), IAdjudicator.NotFunded.selector);
    }

    function test_Attack10_UnfundedChannelCannotSpendOthersMoney() public {
        _funded(2);
        Deal memory d = deal(2);
        _refused(d, ending(d, winner(d, 0), true), IAdjudicator.NotFunded.selector);
    }

    /* A1, A2, A3: WHAT WAS NOT SIGNED BY ALL */

    function test_A3_TwoFinalStates_OnlyTheFirstCounts() public {
        Deal memory d = _funded(2);
        Ending memory first = ending(d, winner(d, 0), true);
        Ending memory second = ending(d, winner(d, 1), true);
        second.update.seq = 62;
        signUpdate(d, second);
        conclude(d, first);
        _refused(d, second, IAdjudicator.WrongStatus.selector);
        _refused(d, first, IAdjudicator.WrongStatus.selector);
        assertEq(owner(0).balance, 2 * STAKE);
    }

    function testFuzz_R3_SupportedMeansAll(uint8 missing, uint8 participants) public {
        uint256 n = bound(participants, 2, 16);
        uint256 who = missing % n;
        Deal memory d = _funded(n);
        Ending memory e = ending(d, winner(d, 0), true);
        e.signatures[who] = sign(key(99), Messages.hash(e.update));
        _refused(d, e, IAdjudicator.BadSignature.selector, who);
        e.signatures[who] = e.signatures[(who + 1) % n];
        _refused(d, e, IAdjudicator.BadSignature.selector, who);
    }

    function test_A2_RewrittenUpdateIsRefused() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        e.update.journalRoot = keccak256("rewritten");
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        e = ending(d, winner(d, 0), true);
        e.update.seq += 1;
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        e = ending(d, winner(d, 0), true);
        e.state.funds = toBytes(winner(d, 1));
        _refused(d, e, IAdjudicator.WrongState.selector);
        e.update.stateHash = stateHash(e.state);
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
    }

    function test_CloseMustNameThisEnding() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), false);
        bytes[] memory none;
        bytes[] memory close = e.closeSignatures;
        e.closeSignatures = none;
        _refused(d, e, IAdjudicator.NotTerminal.selector);
        e.closeSignatures = signAll(d.keys, 2, Messages.hash(Close(idOf(d), 60, e.update.stateHash, false)));
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        e.closeSignatures = signAll(d.keys, 2, Messages.hash(Close(idOf(d), 61, keccak256("other"), false)));
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        // Attack 17a: a Close for a dispute does not end a channel outside of one.
        e.closeSignatures = signAll(d.keys, 2, Messages.hash(Close(idOf(d), 61, e.update.stateHash, true)));
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        e.closeSignatures = close;
        e.closeSignatures[1] = close[0];
        _refused(d, e, IAdjudicator.BadSignature.selector, 1);
    }

    /* ATTACK 13: REPLAY */

    function test_Attack13_UpdateOfAnotherChannel() public {
        Deal memory d = _funded(2);
        Deal memory other = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        _refused(other, e, IAdjudicator.WrongChannel.selector);
        e.update.channelId = idOf(other);
        _refused(other, e, IAdjudicator.BadSignature.selector, 0);
    }

    function test_Attack13_OtherContract() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        Adjudicator second = new Adjudicator(60);
        vm.expectRevert(IAdjudicator.WrongDomain.selector);
        second.conclude(d.params, d.funding, e.update, e.signatures, e.closeSignatures, e.state);
    }

    function test_Attack13_OtherChain() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        vm.chainId(block.chainid + 1); // the chain forks with our contract on it
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
    }

    function test_Attack13_OtherMessage() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        // The same four fields under another type name.
        bytes32 attestation = keccak256(
            abi.encode(Messages.ATTESTATION_TYPEHASH, e.update.channelId, e.update.seq, e.update.journalRoot, e.update.stateHash)
        );
        e.signatures[0] = sign(d.keys[0], attestation);
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
    }

    /* ATTACK 14: SIGNATURES */

    function testFuzz_Attack14_HighSRefused(uint8 which) public {
        uint256 who = which % 3;
        Deal memory d = _funded(3);
        Ending memory e = ending(d, winner(d, 0), true);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(d.keys[who], Messages.digest(adjudicator.domainSeparator(), Messages.hash(e.update)));
        e.signatures[who] = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _refused(d, e, IAdjudicator.BadSignature.selector, who);
    }

    function testFuzz_Attack14_WrongLengthRefused(bytes memory junk) public {
        vm.assume(junk.length != 0);
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        bytes memory good = e.signatures[1];
        e.signatures[1] = bytes.concat(good, junk);
        _refused(d, e, IAdjudicator.BadSignature.selector, 1);
        e.signatures[1] = junk;
        _refused(d, e, IAdjudicator.BadSignature.selector, 1);
        // EIP-2098: 64 bytes of the same signature.
        e.signatures[1] = new bytes(64);
        for (uint256 i; i < 64; ++i) {
            e.signatures[1][i] = good[i];
        }
        _refused(d, e, IAdjudicator.BadSignature.selector, 1);
        e.signatures[1] = "";
        _refused(d, e, IAdjudicator.BadSignature.selector, 1);
    }

    function testFuzz_Attack14_OtherVRefused(uint8 v) public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        vm.assume(v != uint8(e.signatures[0][64]));
        e.signatures[0][64] = bytes1(v);
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
    }

    function testFuzz_Attack14_ZeroRecoveryIsNobody(bytes32 r, uint8 v) public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        e.signatures[0] = abi.encodePacked(bytes32(0), bytes32(0), v);
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);
        e.signatures[0] = abi.encodePacked(r, bytes32(0), uint8(27));
        _refused(d, e, IAdjudicator.BadSignature.selector, 0);

        // Nor can a zero signer be made a participant.
        Deal memory zero = deal(2, 0, new address[](0));
        zero.params.participants[0].signer = address(0);
        e = ending(zero, new uint256[](0), true);
        e.signatures[0] = new bytes(65);
        _refused(zero, e, IAdjudicator.BadSigner.selector, 0);
    }

    function test_Attack14_DuplicateSigners() public {
        // Never funded before: conclude itself refuses them.
        Deal memory d = deal(2, 0, new address[](0));
        d.params.participants[1].signer = d.params.participants[0].signer;
        d.keys[1] = d.keys[0];
        _refused(d, ending(d, new uint256[](0), true), IAdjudicator.BadSigner.selector, 1);
    }

    function test_Attack14_SignatureCount() public {
        Deal memory d = _funded(3);
        Ending memory e = ending(d, winner(d, 0), true);
        bytes[] memory all = e.signatures;
        e.signatures = new bytes[](2);
        (e.signatures[0], e.signatures[1]) = (all[0], all[1]);
        _refused(d, e, IAdjudicator.WrongSignatureCount.selector);
        e.signatures = new bytes[](4);
        (e.signatures[0], e.signatures[1], e.signatures[2], e.signatures[3]) = (all[0], all[1], all[2], all[2]);
        _refused(d, e, IAdjudicator.WrongSignatureCount.selector);
        e.signatures = new bytes[](0);
        _refused(d, e, IAdjudicator.WrongSignatureCount.selector);
    }

    /* ATTACK 12, 29: STATES THAT DO NOT FIT */

    function testFuzz_Attack29_FundsMustSumToThePot(uint256 word, uint8 slot) public {
        Deal memory d = _funded(3);
        uint256[] memory words = winner(d, 0);
        vm.assume(word != words[slot % 3]);
        words[slot % 3] = word;
        _refused(d, ending(d, words, true), IAdjudicator.WrongSum.selector, 0);
    }

    function test_Attack29_SumsMayNotWrapAround() public {
        Deal memory d = _funded(2);
        uint256[] memory words = new uint256[](2);
        (words[0], words[1]) = (type(uint256).max, 2 * STAKE + 1);
        _refused(d, ending(d, words, true), IAdjudicator.WrongSum.selector, 0);
    }

    function test_Attack29_AssetsAreNotMixed() public {
        Deal memory d = deal(2, 0, assetsOf(address(0), address(token)));
        fund(d);
        uint256[] memory words = winner(d, 0);
        (words[0], words[2]) = (words[0] + 1, words[2] - 1);
        _refused(d, ending(d, words, true), IAdjudicator.WrongSum.selector, 0);
        (words[0], words[2]) = (words[0] - 1, words[2]);
        _refused(d, ending(d, words, true), IAdjudicator.WrongSum.selector, 1);
    }

    function testFuzz_Attack29_FundsLength(uint8 length) public {
        Deal memory d = _funded(2);
        vm.assume(length != 64);
        Ending memory e = ending(d, winner(d, 0), true);
        e.state.funds = new bytes(length);
        resign(d, e, true);
        _refused(d, e, IAdjudicator.BadFunds.selector);
    }

    function testFuzz_Attack29_Header(uint256 word, uint8 position) public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        uint256 at = position % 5;
        bytes memory h = e.state.header;
        word = at == 4
            ? bound(word, 2, type(uint256).max)
            : bound(word, uint256(at == 3 ? type(uint32).max : type(uint64).max) + 1, type(uint256).max);
        assembly {
            mstore(add(add(h, 32), mul(at, 32)), word)
        }
        resign(d, e, true);
        _refused(d, e, IAdjudicator.BadHeader.selector);
    }

    function testFuzz_Attack29_HeaderLength(uint8 length) public {
        Deal memory d = _funded(2);
        vm.assume(length != 160);
        Ending memory e = ending(d, winner(d, 0), true);
        e.state.header = new bytes(length);
        resign(d, e, true);
        _refused(d, e, IAdjudicator.BadHeader.selector);
    }

    function testFuzz_Attack11_TopUpsThatNobodyPaidAreRefused(uint32 topUps) public {
        vm.assume(topUps != 0);
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        bytes memory h = e.state.header;
        assembly {
            mstore(add(h, 128), topUps)
        }
        resign(d, e, true);
        _refused(d, e, IAdjudicator.BadTopUps.selector);
    }

    function test_Attack29_OthersFunding() public {
        Deal memory d = _funded(2);
        Ending memory e = ending(d, winner(d, 0), true);
        d.funding[0].amounts[0] = 0;
        _refused(d, e, IAdjudicator.WrongFunding.selector);
    }

    function test_VirtualChannelsEndAtTheirHub() public {
        Deal memory d = deal(2, 0, new address[](0));
        d.params.isVirtual = true;
        _refused(d, ending(d, new uint256[](0), true), IAdjudicator.VirtualChannel.selector);
    }

    /* ATTACK 16: PAYEES AND TOKENS */

    function _paidTo(address bad) internal returns (Deal memory d) {
        d = deal(3);
        d.params.participants[1].owner = bad;
        fund(d);
        uint256[] memory words = new uint256[](3);
        (words[0], words[1], words[2]) = (STAKE / 2, 2 * STAKE, STAKE / 2);
        conclude(d, ending(d, words, true));
        assertEq(owner(0).balance, STAKE / 2);
        assertEq(owner(2).balance, STAKE / 2);
    }

    function test_Attack16_RevertingReceiverIsCredited() public {
        RevertingWallet wallet = new RevertingWallet();
        _paidTo(address(wallet));
        assertEq(adjudicator.credits(address(0), address(wallet)), 2 * STAKE);
        assertEq(address(adjudicator).balance, 2 * STAKE);
        wallet.run(address(adjudicator), 0, abi.encodeCall(adjudicator.withdraw, (address(0), stranger)));
        assertEq(stranger.balance, 2 * STAKE);
    }

    function test_Attack16_GasBurningReceiverIsCreditedAndCheap() public {
        GasBurningWallet wallet = new GasBurningWallet();
        uint256 before = gasleft();
        _paidTo(address(wallet));
        assertLt(before - gasleft(), 1_000_000);
        assertEq(adjudicator.credits(address(0), address(wallet)), 2 * STAKE);
    }

    function test_Attack16_ReturndataBombIsHarmless() public {
        BombWallet wallet = new BombWallet();
        uint256 before = gasleft();
        _paidTo(address(wallet));
        assertLt(before - gasleft(), 1_000_000);
        assertEq(address(wallet).balance + adjudicator.credits(address(0), address(wallet)), 2 * STAKE);
    }

    function test_Attack16_ReentrantReceiverGetsItsOwnOnly() public {
        ReentrantWallet wallet = new ReentrantWallet();
        RevertingWallet helper = new RevertingWallet();
        _paidTo(address(helper)); // 2 STAKE of somebody else's credit lie in the contract
        wallet.aim(address(adjudicator), abi.encodeCall(adjudicator.withdraw, (address(0), address(wallet))));
        Deal memory d = deal(2);
        d.params.participants[0].owner = address(wallet);
        fund(d);
        conclude(d, ending(d, winner(d, 0), true));
        assertTrue(wallet.tried());
        assertFalse(wallet.succeeded());
        assertEq(address(wallet).balance, 2 * STAKE);
        assertEq(address(adjudicator).balance, 2 * STAKE);
    }

    function test_Attack16_CallbackTokenCannotConcludeTwice() public {
        CallbackToken callback = new CallbackToken();
        ReentrantWallet wallet = new ReentrantWallet();
        Deal memory other = deal(2, 0, assetsOf(address(callback)));
        fund(other);
        Deal memory d = deal(2, 0, assetsOf(address(callback)));
        d.params.participants[0].owner = address(wallet);
        fund(d);
        Ending memory e = ending(d, winner(d, 0), true);
        wallet.aim(address(adjudicator), abi.encodeCall(adjudicator.payout, (d.params, d.funding, e.state, 0)));
        conclude(d, e);
        assertTrue(wallet.tried());
        assertFalse(wallet.succeeded());
        assertEq(callback.balanceOf(address(wallet)), 2 * STAKE);
        assertEq(callback.balanceOf(address(adjudicator)), 2 * STAKE);
    }

    function testFuzz_Attack16_EvilTokensCannotStopTheOthers(uint8 way) public {
        EvilToken evil = new EvilToken();
        Deal memory d = deal(2, 0, assetsOf(address(evil), address(0)));
        fund(d);
        EvilToken.Way w = EvilToken.Way(bound(way, 1, 6));
        if (w == EvilToken.Way.Destroyed) vm.etch(address(evil), "");
        else evil.behave(w);
        uint256 before = gasleft();
        conclude(d, ending(d, winner(d, 1), true));
        assertLt(before - gasleft(), 1_500_000);
        assertEq(owner(1).balance, 2 * STAKE);
        assertEq(adjudicator.credits(address(evil), owner(1)), 2 * STAKE);
        if (w == EvilToken.Way.Destroyed) return;
        evil.behave(EvilToken.Way.Honest);
        vm.prank(owner(1));
        adjudicator.withdraw(address(evil), owner(1));
        assertEq(evil.balanceOf(owner(1)), 2 * STAKE);
    }

    function test_Attack16_CreditsOfALyingTokenDoNotOverflow() public {
        EvilToken evil = new EvilToken();
        evil.behave(EvilToken.Way.Revert);
        for (uint256 round; round < 2; ++round) {
            Deal memory d = deal(2, 0, assetsOf(address(evil), address(0)));
            d.funding[0].amounts[0] = type(uint256).max;
            d.funding[0].amounts[1] = 0;
            commit(d);
            fund(d);
            conclude(d, ending(d, winner(d, 1), true));
            // The token forgets whom it owes: the second round can lie about its supply again.
            vm.store(address(evil), keccak256(abi.encode(address(adjudicator), 0)), 0);
            vm.store(address(evil), bytes32(uint256(2)), 0);
        }
        assertEq(owner(1).balance, 4 * STAKE);
        assertEq(adjudicator.credits(address(evil), owner(1)), type(uint256).max);
    }

    /// @dev Attack 15: with any gas the call either pays in full or reverts.
    function testFuzz_Attack15_LittleGasRevertsAndNeverCredits(uint256 gas_) public {
        Deal memory d = _funded(3);
        Ending memory e = ending(d, winner(d, 2), true);
        bytes memory data = abi.encodeCall(adjudicator.conclude, (d.params, d.funding, e.update, e.signatures, e.closeSignatures, e.state));
        (bool ok,) = address(adjudicator).call{gas: bound(gas_, 50_000, 500_000)}(data);
        assertEq(owner(2).balance, ok ? 3 * STAKE : 0);
        assertEq(adjudicator.credits(address(0), owner(2)), 0);
        assertEq(uint8(adjudicator.channel(idOf(d)).status), uint8(ok ? Status.Final : Status.None));
    }
}
