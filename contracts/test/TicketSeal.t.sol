// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITickets, Ticket} from "../src/interfaces/ITickets.sol";
import {GameTest} from "./GameTest.sol";
import {ReentrantWallet, RevertingWallet} from "./mocks/Wallets.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";

/// @dev The seed of a ticket, and what its sellers earned.
/// forge-config: default.fuzz.runs = 64
contract TicketSealTest is GameTest {
    /* SEAL */

    function testFuzz_TheSeedsBlockIsBehindAndRecent(uint16 later) public {
        uint256 at = block.number;
        uint256 number = enter(owners(3), items(1, 1));
        vm.roll(at + later);
        uint256 seedBlock = at + 2;
        if (block.number <= seedBlock) {
            vm.expectRevert(abi.encodeWithSelector(ITickets.TooEarly.selector, seedBlock));
            tickets.seal(number);
        } else if (block.number > seedBlock + 256) {
            vm.expectRevert(abi.encodeWithSelector(ITickets.TooLate.selector, seedBlock));
            tickets.seal(number);
        } else {
            assertTrue(tickets.isSealed(tickets.seal(number)));
        }
    }

    function test_SealBounds() public {
        uint256 at = block.number;
        uint256 number = enter(owners(3), items(1, 1));
        vm.roll(at + 2);
        vm.expectRevert(abi.encodeWithSelector(ITickets.TooEarly.selector, at + 2));
        tickets.seal(number);
        vm.roll(at + 2 + 257);
        vm.expectRevert(abi.encodeWithSelector(ITickets.TooLate.selector, at + 2));
        tickets.seal(number);
        vm.roll(at + 2 + 256);
        vm.setBlockhash(at + 2, keccak256("seed"));
        vm.prank(stranger); // anyone
        tickets.seal(number);
    }

    function test_SealedSaysEverything() public {
        uint256 number = enter(owners(3), items(1, 0));
        Ticket memory t;
        (t.number, t.world, t.namespaceId, t.moduleHash, t.configHash) = (1, address(world), namespaceId, module, CONFIG);
        (t.revision, t.block, t.ownersHash) = (2, block.number, keccak256(abi.encode(owners(3))));
        t.snapshot = keccak256(abi.encode(address(world), block.number, new bytes32[](0)));
        vm.roll(block.number + 3);
        vm.setBlockhash(t.block + 2, keccak256("seed"));
        t.seed = keccak256("seed");
        bytes32 hash = keccak256(abi.encode(t));
        assertFalse(tickets.isSealed(hash));
        vm.expectEmit(address(tickets));
        emit ITickets.Sealed(number, hash, t);
        assertEq(tickets.seal(number), hash);
        assertTrue(tickets.isSealed(hash));
    }

    function test_Attack20_OnceAndOnlyWhatWasEntered() public {
        uint256 number = enter(owners(3), items(1, 1));
        vm.roll(block.number + 3);
        tickets.seal(number);
        vm.expectRevert(abi.encodeWithSelector(ITickets.NotOpen.selector, number));
        tickets.seal(number);
        vm.expectRevert(abi.encodeWithSelector(ITickets.NotOpen.selector, 0));
        tickets.seal(0);
        vm.expectRevert(abi.encodeWithSelector(ITickets.NotOpen.selector, 2));
        tickets.seal(2);
    }

    /// @dev Two tickets of one block differ, though everything else is equal.
    function test_Attack20_EqualEntriesAreTwoTickets() public {
        uint256 a = enter(owners(3), items(1, 1));
        uint256 b = enter(owners(3), items(1, 1));
        vm.roll(block.number + 3);
        assertNotEq(tickets.seal(a), tickets.seal(b));
    }

    function testFuzz_NothingElseIsSealed(bytes32 hash) public {
        buy(items(1, 1));
        assertFalse(tickets.isSealed(hash));
    }

    /* WITHDRAW */

    function test_Attack16_EarningsAreWithdrawnOnce() public {
        enter(owners(3), items(1, 1));
        enter(owners(3), items(1, 1));
        vm.expectRevert(ITickets.NothingToWithdraw.selector);
        tickets.withdraw(stranger);
        vm.startPrank(gameMaster);
        vm.expectEmit(address(tickets));
        emit ITickets.Withdrawn(gameMaster, 2 * PRICE);
        assertEq(tickets.withdraw(stranger), 2 * PRICE);
        assertEq(stranger.balance, 2 * PRICE);
        assertEq(address(tickets).balance, 0);
        vm.expectRevert(ITickets.NothingToWithdraw.selector);
        tickets.withdraw(stranger);
    }

    function test_Attack16_RefusedWithdrawalStaysACredit() public {
        enter(owners(3), items(1, 1));
        RevertingWallet wallet = new RevertingWallet();
        vm.startPrank(gameMaster);
        vm.expectRevert(ITickets.WithdrawFailed.selector);
        tickets.withdraw(address(wallet));
        assertEq(tickets.credits(gameMaster), PRICE);
        tickets.withdraw(stranger);
    }

    function test_Attack16_WithdrawIsNotReentered() public {
        ReentrantWallet wallet = new ReentrantWallet();
        vm.prank(gameMaster);
        world.transferOwnership(ResourceId.wrap(namespaceId), address(wallet));
        setPolicyAs(address(wallet), gamePolicy());
        enter(owners(3), items(1, 1));
        vm.prank(address(wallet));
        tickets.withdraw(stranger); // leaves 0
        enter(owners(3), items(1, 1));
        vm.deal(address(tickets), 5 ether); // as if others' earnings were there
        wallet.aim(address(tickets), abi.encodeCall(tickets.withdraw, (address(wallet))));
        wallet.run(address(tickets), 0, abi.encodeCall(tickets.withdraw, (address(wallet))));
        assertTrue(wallet.tried());
        assertFalse(wallet.succeeded());
        assertEq(address(wallet).balance, PRICE);
    }

    function test_CoinsAreNotTakenByAccident() public {
        (bool ok,) = address(tickets).call{value: 1}("");
        assertFalse(ok);
    }
}
