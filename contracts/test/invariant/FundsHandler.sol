// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AdjudicatorHarness} from "../AdjudicatorHarness.sol";
import {ChannelTest, Deal, Ending} from "../ChannelTest.sol";
import {Adjudicator} from "../../src/Adjudicator.sol";
import {Status} from "../../src/Types.sol";
import {EvilToken, Token} from "../mocks/Tokens.sol";
import {GasBurningWallet, RevertingWallet, Wallet} from "../mocks/Wallets.sol";

/// @dev Random deposits, refunds, conclusions, dispute ends, payouts, withdrawals, gifts and waiting, in six channels that
/// share their assets and some of their owners. It keeps its own books from what it sees arrive at and leave for wallets.
contract FundsHandler is ChannelTest {
    uint256 public constant CHANNELS = 6;

    bytes[] private _deals; // encoded: structs this deep are not copied to storage
    bytes[] private _endings; // what each channel will agree on
    bytes32[] public ids;
    address[] public assets;
    address[] public wallets;

    mapping(bytes32 id => mapping(address asset => uint256)) public received;
    mapping(bytes32 id => mapping(address asset => uint256)) public left; // paid or credited
    mapping(bytes32 id => uint256) public finals;
    uint256 public concluded;
    uint256 public refunded;
    uint256 public withdrawn;

    function setUp() public override {
        super.setUp();
        adjudicator = new AdjudicatorHarness(60);
        assets = [address(0), address(token), address(new EvilToken())];
        wallets = [owner(0), owner(1), address(new RevertingWallet()), address(new GasBurningWallet()), makeAddr("beneficiary0")];
        for (uint256 k; k < CHANNELS; ++k) {
            address[] memory own = new address[](k % 3 + 1);
            for (uint256 a; a < own.length; ++a) {
                own[a] = assets[(a + k) % 3];
            }
            Deal memory d = deal(2 + k % 3, k % 2, own);
            for (uint256 i; i < d.params.participants.length; ++i) {
                d.params.participants[i].owner = wallets[(i + k) % 4];
                for (uint256 a; a < own.length; ++a) {
                    d.funding[a].amounts[i] = uint256(keccak256(abi.encode(k, a, i))) % 10 ether;
                }
            }
            commit(d);
            ids.push(idOf(d));
            _deals.push(abi.encode(d));
            _endings.push(abi.encode(ending(d, split(d, k), k % 2 == 0)));
        }
    }

    /* WHAT MAY HAPPEN */

    function pay(uint256 k, uint256 i, uint256 a) external {
        Deal memory d = _deal(k %= CHANNELS);
        i %= d.params.participants.length;
        a %= d.funding.length;
        pay(d, i, a);
        received[ids[k]][d.funding[a].asset] += d.funding[a].amounts[i];
    }

    function payAll(uint256 k) external {
        Deal memory d = _deal(k %= CHANNELS);
        for (uint256 a; a < d.funding.length; ++a) {
            for (uint256 i; i < d.params.participants.length; ++i) {
                if (adjudicator.hasDeposited(ids[k], uint8(i), uint8(a)) || d.funding[a].amounts[i] == 0) continue;
                pay(d, i, a);
                received[ids[k]][d.funding[a].asset] += d.funding[a].amounts[i];
            }
        }
    }

    function refund(uint256 k) external {
        Deal memory d = _deal(k %= CHANNELS);
        uint256[3] memory before = _arrived();
        adjudicator.refund(d.params, d.funding);
        _book(k, before);
        ++refunded;
    }

    function conclude(uint256 k) external {
        uint256[3] memory before = _arrived();
        conclude(_deal(k %= CHANNELS), _ending(k));
        _book(k, before);
        ++finals[ids[k]];
        ++concluded;
    }

    /// @dev As a dispute will end: Final, nobody paid.
    function endInDispute(uint256 k) external {
        k %= CHANNELS;
        if (!adjudicator.channel(ids[k]).funded || adjudicator.channel(ids[k]).status != Status.None) return;
        AdjudicatorHarness(address(adjudicator)).finalize(ids[k], _ending(k).update);
        ++finals[ids[k]];
    }

    function payout(uint256 k, uint8 slot) external {
        Deal memory d = _deal(k %= CHANNELS);
        uint256[3] memory before = _arrived();
        adjudicator.payout(d.params, d.funding, _ending(k).state, slot % 5);
        _book(k, before);
    }

    function withdraw(uint256 w, uint256 a) external {
        address wallet = wallets[w % wallets.length];
        vm.prank(wallet);
        adjudicator.withdraw(assets[a % 3], makeAddr("vault"));
        ++withdrawn;
    }

    function misbehave(uint8 way) external {
        EvilToken(assets[2]).behave(EvilToken.Way(way % 6));
    }

    function gift(uint96 amount) external {
        token.mint(address(adjudicator), amount);
        vm.deal(address(adjudicator), address(adjudicator).balance + amount);
    }

    function wait(uint32 seconds_) external {
        vm.warp(block.timestamp + seconds_ % 12 hours);
    }

    /* WHAT IS SEEN */

    function check() external view returns (Adjudicator) {
        return adjudicator;
    }

    function credited(address asset) public view returns (uint256 sum) {
        for (uint256 w; w < wallets.length; ++w) {
            sum += adjudicator.credits(asset, wallets[w]);
        }
    }

    function potOf(uint256 k, address asset) external view returns (uint256) {
        Deal memory d = _deal(k);
        for (uint256 a; a < d.funding.length; ++a) {
            if (d.funding[a].asset == asset) return pot(d, a);
        }
        return 0;
    }

    /// @dev Per asset: what lies in wallets plus what is credited to them.
    function _arrived() private view returns (uint256[3] memory sums) {
        for (uint256 a; a < 3; ++a) {
            sums[a] = credited(assets[a]);
            for (uint256 w; w < wallets.length; ++w) {
                sums[a] += balance(assets[a], wallets[w]);
            }
        }
    }

    function _book(uint256 k, uint256[3] memory before) private {
        uint256[3] memory afterwards = _arrived();
        for (uint256 a; a < 3; ++a) {
            left[ids[k]][assets[a]] += afterwards[a] - before[a];
        }
    }

    function _deal(uint256 k) private view returns (Deal memory) {
        return abi.decode(_deals[k], (Deal));
    }

    function _ending(uint256 k) private view returns (Ending memory) {
        return abi.decode(_endings[k], (Ending));
    }
}
