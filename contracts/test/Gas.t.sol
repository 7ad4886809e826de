// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {console} from "forge-std/console.sol";
import {Policy} from "../src/interfaces/IPolicies.sol";
import {Effect} from "../src/Types.sol";
import {Deal, Ending} from "./ChannelTest.sol";
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
    }
}
