// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {Test} from "forge-std/Test.sol";

import {MudSettlement} from "../../src/MudSettlement.sol";
import {Tickets} from "../../src/Tickets.sol";
import {AttestorSignature, Claim} from "../../src/interfaces/IMudSettlement.sol";
import {Policy} from "../../src/interfaces/IPolicies.sol";
import {Effect} from "../../src/Types.sol";
import {Game, GameTest, Pass} from "../GameTest.sol";

/// @dev Buys tickets, plays one or more channels over each, proves them in one way or another, settles and settles again, while
/// the owner changes the policy, revokes it, opens and closes the System and the table, and sells the namespace.
contract EffectsHandler is GameTest {
    uint256 private constant MOST_GAMES = 8;

    bytes[] private _games; // encoded, as structs this deep do not fit storage
    uint256[] public amounts;
    uint256[] public limits; // per channel, in the policy that the game's ticket was bought under
    bytes32[] public ticketOf;
    uint256[] public settlements;
    uint256 public expectedXp;
    uint256 public withdrawn;
    uint256 public entered;
    uint256[] public modesSettled = new uint256[](3);
    uint128 private _limit = type(uint128).max;
    address private _master = gameMaster;

    /* THE OWNER */

    function revise(uint8 limit) external {
        Policy memory p;
        if (limit != 0) p = gamePolicy();
        if (limit != 0) p.permissions[0].perChannel = limit;
        setPolicyAs(_master, p);
        _limit = limit;
    }

    function sell() external {
        address next = _master == gameMaster ? stranger : gameMaster;
        vm.prank(_master);
        world.transferOwnership(ResourceId.wrap(namespaceId), next);
        _master = next;
    }

    function close(bool closed) external {
        guild.setClosed(closed);
    }

    function access(bool granted) external {
        vm.startPrank(_master);
        if (granted) world.grantAccess(heroId, address(settlement));
        else world.revokeAccess(heroId, address(settlement));
        vm.stopPrank();
    }

    function withdraw() external {
        vm.prank(_master);
        withdrawn += tickets.withdraw(_master);
    }

    /* THE PLAYERS */

    function playOne(uint8 amount) external {
        if (_games.length == MOST_GAMES) return;
        _play(buy(items(1, 1)), amount, _limit);
        ++entered;
    }

    /// @dev Another channel with the ticket of an earlier one.
    function playAgain(uint256 k, uint8 amount) external {
        if (_games.length == 0 || _games.length == MOST_GAMES) return;
        k %= _games.length;
        _play(abi.decode(_games[k], (Game)).pass, amount, limits[k]);
    }

    function _play(Pass memory pass, uint256 amount, uint256 limit) private {
        Game memory g = honest(pass, two(increment(1, XP, int256(amount)), award(1, amount)));
        end(g);
        _games.push(abi.encode(g));
        amounts.push(amount);
        limits.push(limit);
        ticketOf.push(pass.hash);
        settlements.push(0);
    }

    /* PROOF AND SETTLEMENT */

    function runAll(uint256 k) external {
        if (_games.length != 0) execute(abi.decode(_games[k % _games.length], (Game)));
    }

    function publishAll(uint256 k) external {
        if (_games.length != 0) publish(abi.decode(_games[k % _games.length], (Game)));
    }

    function veto(uint256 k) external {
        if (_games.length == 0) return;
        Game memory g = abi.decode(_games[k % _games.length], (Game));
        vm.prank(guardian);
        publications.veto(g.d.params, g.genesis);
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + time % (2 * WINDOW));
    }

    function settleOne(uint256 k, uint8 mode) external {
        if (_games.length == 0) return;
        k %= _games.length;
        Game memory g = abi.decode(_games[k], (Game));
        Claim memory c = claimOfGame(g);
        mode %= 3;
        if (mode == 0) settlement.settleAttested(c, attestGame(g));
        if (mode == 1) settlement.settleExecuted(c);
        if (mode == 2) settlement.settleOptimistic(c);
        ++settlements[k];
        ++modesSettled[mode];
        expectedXp += amounts[k];
    }

    /* VIEWS */

    function count() external view returns (uint256) {
        return _games.length;
    }

    function id(uint256 k) external view returns (bytes32) {
        return idOf(abi.decode(_games[k], (Game)).d);
    }

    function xp() external returns (uint256) {
        return read(1, XP);
    }

    function awards() external returns (uint256) {
        return guild.awards(owner(1));
    }

    function target() external view returns (MudSettlement) {
        return settlement;
    }

    function seller() external view returns (Tickets) {
        return tickets;
    }

    function sellers() external view returns (address, address) {
        return (gameMaster, stranger);
    }

    function price() external pure returns (uint256) {
        return PRICE;
    }
}

contract EffectsInvariant is Test {
    EffectsHandler internal handler;

    function setUp() public {
        handler = new EffectsHandler();
        handler.setUp();
        bytes4[] memory selectors = new bytes4[](14);
        selectors[0] = handler.playOne.selector;
        selectors[1] = handler.settleOne.selector;
        selectors[2] = handler.close.selector;
        selectors[3] = handler.access.selector;
        selectors[4] = handler.revise.selector;
        selectors[5] = handler.sell.selector;
        selectors[6] = handler.withdraw.selector;
        selectors[7] = handler.playAgain.selector;
        selectors[8] = handler.runAll.selector;
        selectors[9] = handler.publishAll.selector;
        selectors[10] = handler.veto.selector;
        selectors[11] = handler.wait_.selector;
        selectors[12] = handler.settleOne.selector;
        selectors[13] = handler.playOne.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
        targetContract(address(handler));
    }

    /// @dev Effects of a channel are written at most once, all or none, within the limits of the policy that its ticket was
    /// bought under; a ticket settles at most one channel; and what tickets cost is there until their sellers take it.
    /// forge-config: default.invariant.runs = 24
    /// forge-config: default.invariant.depth = 96
    function invariant_C3_Attack13_Attack22_EffectsAreWrittenAtMostOnceWithinTheLimits() public {
        for (uint256 k; k < handler.count(); ++k) {
            bytes32 id = handler.id(k);
            assertLe(handler.settlements(k), 1);
            assertEq(handler.target().isSettled(id), handler.settlements(k) == 1);
            if (handler.settlements(k) == 0) continue;
            assertLe(handler.amounts(k), handler.limits(k));
            assertEq(handler.target().usedBy(handler.ticketOf(k)), id);
        }
        assertEq(handler.xp(), handler.expectedXp());
        assertEq(handler.awards(), handler.expectedXp());

        Tickets tickets = handler.seller();
        (address a, address b) = handler.sellers();
        assertEq(address(tickets).balance, tickets.credits(a) + tickets.credits(b));
        assertEq(address(tickets).balance + handler.withdrawn(), handler.entered() * handler.price());
    }
}
