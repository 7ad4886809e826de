// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {console} from "forge-std/console.sol";
import {Claim} from "../src/interfaces/IMudSettlement.sol";
import {Policy} from "../src/interfaces/IPolicies.sol";
import {Effect} from "../src/Types.sol";
import {Deal, Ending} from "./ChannelTest.sol";
import {Game, GameTest} from "./GameTest.sol";
import {Attested, SettlementTest} from "./SettlementTest.sol";

/// @dev Whole transactions: with 21,000 and calldata, cold storage, payees that hold coins already. The ceilings are what
/// must not be passed unnoticed; the exact figures are in contracts/.gas-snapshot.
/// forge-config: default.isolate = true
contract GasTest is SettlementTest {
    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 4; ++i) {
            vm.deal(owner(i), 10 ether);
            token.mint(owner(i), 10 ether);
            vm.prank(owner(i));
            token.approve(address(adjudicator), type(uint256).max);
        }
        Policy memory p = standardPolicy();
        p.threshold = 1;
        p.attestors = new address[](1);
        p.attestors[0] = vm.addr(attestorKeys[0]);
        setPolicy(p);
    }

    function _spent(string memory what, uint256 ceiling) internal view {
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        console.log(what, gas_);
        assertLt(gas_, ceiling);
    }

    function _pay(Deal memory d, uint256 i, uint256 value) internal {
        vm.prank(owner(i));
        adjudicator.deposit{value: value}(d.params, d.funding, uint8(i), 0);
    }

    function test_Gas_Deposit() public {
        Deal memory d = deal(2);
        _pay(d, 0, STAKE);
        _spent("deposit coin, first of 2", 95_000);
        _pay(d, 1, STAKE);
        _spent("deposit coin, last of 2", 65_000);
        Deal memory t = deal(2, 0, assetsOf(address(token)));
        _pay(t, 0, 0);
        _spent("deposit token, first of 2", 140_000);
        _pay(t, 1, 0);
        _spent("deposit token, last of 2", 95_000);
    }

    function test_Gas_Conclude() public {
        _conclude(2, true, "conclude, 2 participants, terminal update");
        _conclude(3, true, "conclude, 3 participants, terminal update");
        _conclude(2, false, "conclude, 2 participants, close of all");
    }

    function _conclude(uint256 n, bool terminal, string memory what) internal {
        Deal memory d = deal(n);
        for (uint256 i; i < n; ++i) {
            _pay(d, i, STAKE);
        }
        Ending memory e = ending(d, split(d, 1), terminal);
        conclude(d, e);
        _spent(what, 220_000);
    }

    function test_Gas_Refund() public {
        Deal memory d = deal(2);
        _pay(d, 0, STAKE);
        vm.warp(d.params.fundingDeadline);
        adjudicator.refund(d.params, d.funding);
        _spent("refund, 1 of 2", 70_000);
    }

    function test_Gas_Settle() public {
        Effect[] memory effects = new Effect[](6);
        for (uint256 i; i < 3; ++i) {
            effects[2 * i] = increment(i, XP, 50);
            effects[2 * i + 1] = increment(i, GOLD, 7);
        }
        Deal memory d = mudDeal(genesisInput());
        for (uint256 i; i < 3; ++i) {
            _pay(d, i, STAKE);
        }
        Ending memory e = played(d, 0, true, effects);
        conclude(d, e);
        Attested memory c = claimOf(d, e, genesisInput(), effects);
        attest(c, e, 1);
        settle(c);
        _spent("settle, 3 participants, 1 attestor, 6 increments in 3 fresh records", 900_000);
    }

    function test_Gas_SetPolicy() public {
        setPolicy(standardPolicy());
        _spent("set policy, 3 attestors, 10 permissions", 1_500_000);
        policies.inForce(address(world), namespaceId, module, CONFIG, 0);
        _spent("read that policy", 60_000);
    }
}

/// @dev The same of tickets and of the other modes, with the echo module (232 bytes of WASM, so that the machine's own part is
/// its least) and journals of three leaves.
/// forge-config: default.isolate = true
contract GameGasTest is GameTest {
    function _spent(string memory what, uint256 ceiling) internal view {
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        console.log(what, gas_);
        assertLt(gas_, ceiling);
    }

    function test_Gas_Ticket() public {
        for (uint256 i = 1; i < 11; ++i) {
            putItem(i, owner(0), 10, "sword");
        }
        vm.roll(100);
        uint256 number = enter(owners(3), items(1, 1));
        _spent("enter, first ticket, 1 record", 350_000);
        number = enter(owners(3), items(1, 1));
        _spent("enter, 1 record", 320_000);
        number = enter(owners(3), items(1, 10));
        _spent("enter, 10 records", 700_000);
        vm.roll(103);
        tickets.seal(number);
        _spent("seal", 80_000);
    }

    function _play(Effect[] memory effects) internal returns (Game memory g, Claim memory c) {
        g = honest(buy(items(1, 3)), effects);
        c = end(g);
    }

    function test_Gas_SettleRecords() public {
        putItem(1, owner(0), 10, "sword");
        putItem(2, owner(1), 10, "shield");
        (Game memory g, Claim memory c) = _play(two(setItem(1, owner(1), 11, "sword, won"), deleteItem(2)));
        execute(g);
        _spent("execute, 3 leaves", 1_500_000);
        settlement.settleExecuted(c);
        _spent("settle executed, 3 participants, set and delete one of 3 records", 800_000);

        (g, c) = _play(one(increment(0, XP, 5)));
        publish(g);
        _spent("publish, 3 leaves", 800_000);
        vm.warp(block.timestamp + WINDOW);
        settlement.settleOptimistic(c);
        _spent("settle optimistic, 3 participants, 1 increment", 500_000);
    }
}
