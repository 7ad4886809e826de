// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Adjudicator} from "../src/Adjudicator.sol";
import {ChannelView, IAdjudicator} from "../src/interfaces/IAdjudicator.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Close, Funding, Params, Participant, StateView, Status, Update} from "../src/Types.sol";
import {Token} from "./mocks/Tokens.sol";

/// @dev A channel with its keys, and what its participants would do.
struct Deal {
    Params params;
    Funding[] funding;
    uint256[] keys; // participants, then guarantors
}

/// @dev A state with everything `conclude` needs.
struct Ending {
    Update update;
    bytes[] signatures;
    bytes[] closeSignatures;
    StateView state;
}

abstract contract ChannelTest is Test {
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes32 internal constant MODULE = keccak256("module");
    uint256 internal constant STAKE = 1 ether;

    Adjudicator internal adjudicator;
    Token internal token;
    address internal stranger = makeAddr("stranger");
    uint64 private _nonce;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        adjudicator = new Adjudicator(60);
        token = new Token();
    }

    /* DEALS */

    function owner(uint256 i) internal returns (address) {
        return makeAddr(string.concat("owner", vm.toString(i)));
    }

    function key(uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("signer", i)));
    }

    /// @dev n participants, b beneficiaries; every participant stakes STAKE of every asset.
    function deal(uint256 n, uint256 b, address[] memory assets) internal returns (Deal memory d) {
        d.funding = new Funding[](assets.length);
        for (uint256 a; a < assets.length; ++a) {
            d.funding[a].asset = assets[a];
            d.funding[a].amounts = new uint256[](n);
            for (uint256 i; i < n; ++i) {
                d.funding[a].amounts[i] = STAKE;
            }
        }
        d.keys = new uint256[](n);
        d.params.chainId = block.chainid;
        d.params.adjudicator = address(adjudicator);
        d.params.participants = new Participant[](n);
        for (uint256 i; i < n; ++i) {
            d.keys[i] = key(i);
            d.params.participants[i] = Participant(vm.addr(key(i)), owner(i));
        }
        d.params.beneficiaries = new address[](b);
        for (uint256 i; i < b; ++i) {
            d.params.beneficiaries[i] = makeAddr(string.concat("beneficiary", vm.toString(i)));
        }
        d.params.nonce = ++_nonce;
        d.params.window = 1 hours;
        d.params.forceQuota = 8;
        d.params.moduleHash = MODULE;
        d.params.genesisHash = keccak256("genesis");
        d.params.fundingDeadline = uint64(block.timestamp + 1 days);
        commit(d);
    }

    function deal(uint256 n) internal returns (Deal memory) {
        return deal(n, 0, assetsOf(address(0)));
    }

    function assetsOf(address asset) internal pure returns (address[] memory assets) {
        assets = new address[](1);
        assets[0] = asset;
    }

    function assetsOf(address first, address second) internal pure returns (address[] memory assets) {
        assets = new address[](2);
        (assets[0], assets[1]) = (first, second);
    }

    /// @dev After a change of d.funding.
    function commit(Deal memory d) internal pure {
        d.params.fundingHash = keccak256(abi.encode(d.funding));
    }

    function addGuarantor(Deal memory d) internal pure {
        uint256 n = d.keys.length;
        uint256[] memory keys = new uint256[](n + 1);
        for (uint256 i; i < n; ++i) {
            keys[i] = d.keys[i];
        }
        keys[n] = key(100 + n);
        d.keys = keys;
        address[] memory guarantors = new address[](d.params.guarantors.length + 1);
        for (uint256 i; i + 1 < guarantors.length; ++i) {
            guarantors[i] = d.params.guarantors[i];
        }
        guarantors[guarantors.length - 1] = vm.addr(keys[n]);
        d.params.guarantors = guarantors;
    }

    function idOf(Deal memory d) internal pure returns (bytes32) {
        return keccak256(abi.encode(d.params));
    }

    /* DEPOSITS */

    function give(address asset, address to, uint256 amount) internal {
        if (asset == address(0)) vm.deal(to, to.balance + amount);
        else Token(asset).mint(to, amount);
    }

    function balance(address asset, address of_) internal view returns (uint256) {
        return asset == address(0) ? of_.balance : Token(asset).balanceOf(of_);
    }

    /// @dev Gives the owner what it needs and deposits the entry.
    function pay(Deal memory d, uint256 i, uint256 a) internal {
        address asset = d.funding[a].asset;
        address by = d.params.participants[i].owner;
        uint256 amount = d.funding[a].amounts[i];
        give(asset, by, amount);
        if (asset != address(0)) {
            vm.prank(by);
            (bool ok,) = asset.call(abi.encodeCall(IERC20.approve, (address(adjudicator), amount))); // some answer nothing
            assertTrue(ok);
        }
        vm.prank(by);
        adjudicator.deposit{value: asset == address(0) ? amount : 0}(d.params, d.funding, uint8(i), uint8(a));
    }

    function fund(Deal memory d) internal {
        for (uint256 a; a < d.funding.length; ++a) {
            for (uint256 i; i < d.funding[a].amounts.length; ++i) {
                if (d.funding[a].amounts[i] != 0) pay(d, i, a);
            }
        }
    }

    function pot(Deal memory d, uint256 a) internal pure returns (uint256 sum) {
        for (uint256 i; i < d.funding[a].amounts.length; ++i) {
            sum += d.funding[a].amounts[i];
        }
    }

    /* STATES */

    function header(uint256 n, bool terminal) internal view returns (bytes memory h) {
        h = abi.encode(block.timestamp);
        for (uint256 i; i < n; ++i) {
            h = bytes.concat(h, abi.encode(uint256(i + 3)));
        }
        return bytes.concat(h, abi.encode(uint256(0)), abi.encode(terminal));
    }

    function stateHash(StateView memory s) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(s.header), keccak256(s.funds), s.appHash));
    }

    /// @dev Everything to one slot.
    function winner(Deal memory d, uint256 slot) internal pure returns (uint256[] memory words) {
        uint256 slots = d.params.participants.length + d.params.beneficiaries.length;
        words = new uint256[](d.funding.length * slots);
        for (uint256 a; a < d.funding.length; ++a) {
            words[a * slots + slot] = pot(d, a);
        }
    }

    /// @dev The pot of every asset cut at random.
    function split(Deal memory d, uint256 seed) internal pure returns (uint256[] memory words) {
        uint256 slots = d.params.participants.length + d.params.beneficiaries.length;
        words = new uint256[](d.funding.length * slots);
        for (uint256 a; a < d.funding.length; ++a) {
            uint256 left = pot(d, a);
            for (uint256 slot; slot + 1 < slots; ++slot) {
                uint256 part = uint256(keccak256(abi.encode(seed, a, slot))) % (left + 1);
                words[a * slots + slot] = part;
                left -= part;
            }
            words[a * slots + slots - 1] = left;
        }
    }

    function toBytes(uint256[] memory words) internal pure returns (bytes memory out) {
        out = new bytes(words.length * 32);
        for (uint256 i; i < words.length; ++i) {
            uint256 word = words[i];
            assembly {
                mstore(add(add(out, 32), mul(i, 32)), word)
            }
        }
    }

    /* SIGNATURES */

    function sign(uint256 key_, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key_, Messages.digest(adjudicator.domainSeparator(), structHash));
        return abi.encodePacked(r, s, v);
    }

    function signAll(uint256[] memory keys, uint256 count, bytes32 structHash) internal view returns (bytes[] memory signatures) {
        signatures = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            signatures[i] = sign(keys[i], structHash);
        }
    }

    function signUpdate(Deal memory d, Ending memory e) internal view {
        e.signatures = signAll(d.keys, d.params.participants.length, Messages.hash(e.update));
    }

    function signClose(Deal memory d, Ending memory e) internal view {
        e.closeSignatures = signAll(d.keys, d.keys.length, Messages.hash(Close(idOf(d), e.update.seq, e.update.stateHash, false)));
    }

    /* ENDINGS */

    function ending(Deal memory d, uint256[] memory words, bool terminal) internal view returns (Ending memory e) {
        e.state = StateView(header(d.params.participants.length, terminal), toBytes(words), keccak256("app"));
        resign(d, e, terminal);
    }

    /// @dev After a change of e.state.
    function resign(Deal memory d, Ending memory e, bool terminal) internal view {
        e.update = Update(idOf(d), 61, keccak256("root"), stateHash(e.state));
        signUpdate(d, e);
        if (terminal) delete e.closeSignatures;
        else signClose(d, e);
    }

    function conclude(Deal memory d, Ending memory e) internal {
        adjudicator.conclude(d.params, d.funding, e.update, e.signatures, e.closeSignatures, e.state);
    }
}
