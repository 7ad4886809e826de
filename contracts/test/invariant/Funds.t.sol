// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Adjudicator} from "../../src/Adjudicator.sol";
import {ChannelView} from "../../src/interfaces/IAdjudicator.sol";
import {Status} from "../../src/Types.sol";
import {Token} from "../mocks/Tokens.sol";
import {FundsHandler} from "./FundsHandler.sol";

/// @dev A8: conservation, over several concurrent channels, in the coin and in tokens, good and evil.
contract FundsInvariant is Test {
    FundsHandler internal handler;
    Adjudicator internal adjudicator;

    function setUp() public {
        handler = new FundsHandler();
        handler.setUp();
        adjudicator = handler.check();
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = bytes4(keccak256("pay(uint256,uint256,uint256)"));
        selectors[1] = handler.payAll.selector;
        selectors[2] = handler.refund.selector;
        selectors[3] = bytes4(keccak256("conclude(uint256)"));
        selectors[4] = handler.endInDispute.selector;
        selectors[5] = handler.payout.selector;
        selectors[6] = handler.withdraw.selector;
        selectors[7] = handler.misbehave.selector;
        selectors[8] = handler.gift.selector;
        selectors[9] = handler.wait.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
        targetContract(address(handler));
    }

    function invariant_A3_A8_FundsAreConserved() public view {
        _requireConservation();
        _requireSolvency();
        _requireOneEnding();
    }

    /// @dev Paid plus credited never exceeds what arrived, per channel and asset; the rest is what `held` says.
    function _requireConservation() internal view {
        for (uint256 k; k < handler.CHANNELS(); ++k) {
            bytes32 id = handler.ids(k);
            for (uint256 a; a < 3; ++a) {
                address asset = handler.assets(a);
                assertLe(handler.left(id, asset), handler.received(id, asset));
                assertEq(adjudicator.held(id, asset), handler.received(id, asset) - handler.left(id, asset));
            }
        }
    }

    /// @dev All channels and all credits could be paid at once.
    function _requireSolvency() internal view {
        for (uint256 a; a < 3; ++a) {
            address asset = handler.assets(a);
            uint256 owed = handler.credited(asset);
            for (uint256 k; k < handler.CHANNELS(); ++k) {
                owed += adjudicator.held(handler.ids(k), asset);
            }
            uint256 has = asset == address(0) ? address(adjudicator).balance : Token(asset).balanceOf(address(adjudicator));
            assertGe(has, owed);
        }
    }

    /// @dev One ending per channel; a refunded channel never ends, a funded one is never refunded.
    function _requireOneEnding() internal view {
        for (uint256 k; k < handler.CHANNELS(); ++k) {
            bytes32 id = handler.ids(k);
            ChannelView memory c = adjudicator.channel(id);
            assertLe(handler.finals(id), 1);
            assertEq(c.status == Status.Final, handler.finals(id) == 1);
            if (c.refunded) assertFalse(c.funded || c.status == Status.Final);
            for (uint256 a; a < 3; ++a) {
                address asset = handler.assets(a);
                if (c.funded) assertEq(handler.received(id, asset), handler.potOf(k, asset));
                if (c.refunded) assertEq(adjudicator.held(id, asset), 0);
            }
        }
    }

    /// @dev The handler reaches every kind of ending: the invariants above are not about nothing.
    function test_EveryEndingIsReached() public {
        handler.payAll(0);
        handler.conclude(0);
        handler.payAll(3); // one of its owners burns all gas it is given
        handler.conclude(3);
        handler.payAll(1);
        handler.endInDispute(1);
        for (uint8 slot; slot < 5; ++slot) {
            try handler.payout(1, slot) {} catch {}
        }
        handler.pay(2, 0, 0);
        for (uint256 i; i < 3; ++i) {
            handler.wait(12 hours - 1);
        }
        handler.refund(2);
        assertEq(handler.concluded(), 2);
        assertEq(handler.refunded(), 1);
        assertEq(handler.finals(handler.ids(1)), 1);
        assertGt(handler.left(handler.ids(0), address(0)), 0);
        assertGt(handler.left(handler.ids(1), handler.assets(1)), 0);
        assertGt(handler.credited(address(0)), 0);
        for (uint256 w; w < 5; ++w) {
            try handler.withdraw(w, 0) {} catch {}
        }
        assertGt(handler.withdrawn(), 0);
        assertEq(handler.credited(address(0)), 0);
        invariant_A3_A8_FundsAreConserved();
    }
}
