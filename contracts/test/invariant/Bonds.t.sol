// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Publications} from "../../src/Publications.sol";
import {Chunk, IPublications, Standing, Witness} from "../../src/interfaces/IPublications.sol";
import {Game, PublicationTest} from "../PublicationTest.sol";

/// @dev Everything that moves bonds, in any order, over channels of which every second one is forged.
contract BondsInvariantTest is PublicationTest {
    uint256 internal constant CHANNELS = 4;

    bytes32[] internal ids;
    address[] internal accounts;
    /// @dev What was done so far: an order that does nothing proves nothing.
    uint256 public published;
    uint256 public voided;
    uint256 public vetoed;
    uint256 public released;
    uint256 public withdrawn;

    function setUp() public override {
        super.setUp();
        (accounts) = new address[](3);
        (accounts[0], accounts[1], accounts[2]) = (publisher, prover, stranger);
        vm.deal(stranger, 100 ether);
        for (uint256 i; i < CHANNELS; ++i) {
            Game memory g = _game(i);
            finish(g);
            ids.push(idOf(g.d));
        }
        bytes4[] memory selectors = new bytes4[](6);
        selectors[0] = this.doPublish.selector;
        selectors[1] = this.doDisprove.selector;
        selectors[2] = this.doVeto.selector;
        selectors[3] = this.doRelease.selector;
        selectors[4] = this.doWithdraw.selector;
        selectors[5] = this.doWait.selector;
        targetContract(address(this));
        targetSelector(FuzzSelector(address(this), selectors));
    }

    function _game(uint256 i) internal view returns (Game memory g) {
        g = game("counter");
        g.d.params.nonce = uint64(1000 + i);
        g = truncate(rekeyed(g), 6);
        if (i % 2 == 1) g.claims[3] = keccak256("a million gold");
    }

    function doPublish(uint256 i, bool byStranger, uint256 parts) external {
        i %= CHANNELS;
        Game memory g = _game(i);
        address by = byStranger ? stranger : publisher;
        if (by.balance < BOND) return;
        (uint64 next,) = publications.progress(ids[i], by);
        uint256 to = parts % 3 == 0 ? size(g) : next + 1 + parts % (size(g) - next);
        try this.publishExternal(g, by, to == size(g) ? BOND : 0, chunk(g, next, to, true)) {
            if (to == size(g)) ++published;
        } catch {}
    }

    function publishExternal(Game memory g, address by, uint256 value, Chunk memory c) external {
        publish(g, by, value, c);
    }

    function doDisprove(uint256 i, uint256 leaf, bool byPublisher) external {
        Game memory g = _game(i % CHANNELS);
        vm.prank(byPublisher ? publisher : prover);
        try publications.disprove(g.d.params, g.d.funding, witness(g, leaf % size(g))) {
            assertEq((i % CHANNELS) % 2, 1, "a right journal was struck");
            ++voided;
        } catch {}
    }

    function doVeto(uint256 i) external {
        Game memory g = _game(i % CHANNELS);
        vm.prank(guardian);
        try publications.veto(g.d.params, g.entries[0]) {
            ++vetoed;
        } catch {}
    }

    function doRelease(uint256 i) external {
        try publications.releaseBond(ids[i % CHANNELS]) {
            ++released;
        } catch {}
    }

    function doWithdraw(uint256 i) external {
        address by = accounts[i % accounts.length];
        vm.prank(by);
        try publications.withdraw(by) {
            ++withdrawn;
        } catch {}
    }

    function doWait(uint256 time) external {
        vm.warp(block.timestamp + time % POLICY_WINDOW);
    }

    /// @dev The steps do happen.
    function test_TheStepsAreTaken() public {
        for (uint256 i; i < CHANNELS; ++i) {
            this.doPublish(i, i == 0, 0);
        }
        assertEq(published, CHANNELS);
        this.doDisprove(1, 3, true);
        this.doVeto(0);
        this.doWait(POLICY_WINDOW - 1);
        this.doWait(1);
        this.doRelease(2);
        this.doWithdraw(0);
        assertEq(voided * vetoed * released * withdrawn, 1);
        this.invariant_Attack23_BalanceIsBondsAndCredits();
        this.invariant_Attack6_ARightJournalIsNeverVoid();
        this.invariant_Attack23_NoBondIsCountedTwice();
    }

    /// @dev What the contract holds is exactly what it owes.
    function invariant_Attack23_BalanceIsBondsAndCredits() public view {
        assertBalanced(ids, accounts);
    }

    function invariant_Attack6_ARightJournalIsNeverVoid() public view {
        for (uint256 i; i < CHANNELS; i += 2) {
            assertFalse(publications.standing(ids[i]).voided);
        }
    }

    /// @dev A publication that is void, vetoed or released has nothing at stake.
    function invariant_Attack23_NoBondIsCountedTwice() public view {
        for (uint256 i; i < CHANNELS; ++i) {
            Standing memory s = publications.standing(ids[i]);
            if (s.voided || s.vetoed || s.publisher == address(0)) assertEq(s.bond, 0);
            assertLe(s.bond, BOND);
        }
    }
}
