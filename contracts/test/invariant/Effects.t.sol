// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {MudSettlement} from "../../src/MudSettlement.sol";
import {Policy} from "../../src/interfaces/IPolicies.sol";
import {Attested, SettlementTest} from "../SettlementTest.sol";

/// @dev Finishes channels, settles and settles again, opens and closes the System and the table, sets and revokes the policy.
contract EffectsHandler is SettlementTest {
    bytes[] private _claims; // encoded, as structs this deep do not fit storage
    uint256[] private _amounts;
    mapping(bytes32 id => uint256) public settlements;
    uint256 public expectedXp;

    function finishOne(uint8 amount) external {
        if (_claims.length == 8) return;
        Attested memory c = finished(two(increment(1, XP, int256(uint256(amount))), award(1, amount)));
        _claims.push(abi.encode(c));
        _amounts.push(amount);
    }

    function settle(uint256 k) external {
        if (_claims.length == 0) return;
        Attested memory c = abi.decode(_claims[k % _claims.length], (Attested));
        settle(c);
        ++settlements[keccak256(abi.encode(c.claim.params))];
        expectedXp += _amounts[k % _claims.length];
    }

    function close(bool closed) external {
        guild.setClosed(closed);
    }

    function access(bool granted) external {
        vm.startPrank(gameMaster);
        if (granted) world.grantAccess(heroId, address(settlement));
        else world.revokeAccess(heroId, address(settlement));
        vm.stopPrank();
    }

    function revise(bool allowed) external {
        Policy memory p;
        if (allowed) p = standardPolicy();
        setPolicy(p);
    }

    function count() external view returns (uint256) {
        return _claims.length;
    }

    function id(uint256 k) external view returns (bytes32) {
        return keccak256(abi.encode(abi.decode(_claims[k], (Attested)).claim.params));
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
}

contract EffectsInvariant is Test {
    EffectsHandler internal handler;

    function setUp() public {
        handler = new EffectsHandler();
        handler.setUp();
        bytes4[] memory selectors = new bytes4[](5);
        selectors[0] = handler.finishOne.selector;
        selectors[1] = bytes4(keccak256("settle(uint256)"));
        selectors[2] = handler.close.selector;
        selectors[3] = handler.access.selector;
        selectors[4] = handler.revise.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
        targetContract(address(handler));
    }

    /// @dev Effects of a channel are written at most once, all or none, and only then is it settled.
    /// forge-config: default.invariant.runs = 16
    function invariant_C3_EffectsAreWrittenAtMostOnce() public {
        for (uint256 k; k < handler.count(); ++k) {
            bytes32 id = handler.id(k);
            assertLe(handler.settlements(id), 1);
            assertEq(handler.target().isSettled(id), handler.settlements(id) == 1);
        }
        assertEq(handler.xp(), handler.expectedXp());
        assertEq(handler.awards(), handler.expectedXp());
    }
}
