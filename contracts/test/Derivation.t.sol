// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {console} from "forge-std/console.sol";
import {IDerivation} from "../src/interfaces/IDerivation.sol";
import {IModuleRegistry} from "../src/interfaces/IModuleRegistry.sol";
import {Effect, Event, Funding, Params, TopUp} from "../src/Types.sol";
import {MachineTest, ModuleFile} from "./MachineTest.sol";

/// @dev δ against what Go gives (derivation/onchain_test.go).
contract DerivationTest is MachineTest {
    uint8 internal constant GENESIS = 0;
    uint8 internal constant EVENT = 1;
    uint8 internal constant TOP_UP = 2;
    uint8 internal constant TIMEOUT = 3;
    uint8 internal constant EFFECTS = 4;

    struct ChannelFile {
        bytes params;
        bytes funding;
    }

    struct CaseFile {
        string name;
        uint8 kind;
        uint256 channel;
        bytes topUps;
        bytes state;
        bytes32 seq;
        bytes entry;
        bytes32 number;
        uint8 status;
        bytes output;
        bytes32 stateHash;
    }

    ChannelFile[] internal channels;
    CaseFile[] internal cases;

    function setUp() public {
        deployMachine();
    }

    /* VECTORS */

    function _load() internal returns (CaseFile[] memory list, ChannelFile[] memory all) {
        string memory json = testdata("delta.json");
        ModuleFile[] memory modules = modulesOf(json);
        for (uint256 i; i < modules.length; ++i) {
            register(modules[i]);
        }
        all = abi.decode(vm.parseJsonTypeArray(json, ".channels", "ChannelFile(bytes params,bytes funding)"), (ChannelFile[]));
        list = abi.decode(
            vm.parseJsonTypeArray(
                json,
                ".cases",
                "CaseFile(string name,uint8 kind,uint256 channel,bytes topUps,bytes state,bytes32 seq,bytes entry,bytes32 number,uint8 status,bytes output,bytes32 stateHash)"
            ),
            (CaseFile[])
        );
    }

    function test_C2_A9_StatusAndStateAreThoseOfGo() public {
        (CaseFile[] memory list, ChannelFile[] memory all) = _load();
        assertGt(list.length, 250);
        uint256 seen;
        for (uint256 i; i < list.length; ++i) {
            CaseFile memory c = list[i];
            this.check(c, all[c.channel]);
            seen |= 1 << c.status;
        }
        assertEq(seen, (1 << 12) - 1, "every status");
    }

    /// @dev External so that memory is given back after every case.
    function check(CaseFile memory c, ChannelFile memory channel_) external view {
        Params memory params = abi.decode(channel_.params, (Params));
        Funding[] memory funding = abi.decode(channel_.funding, (Funding[]));
        if (c.kind == EFFECTS) {
            (uint8 s, Effect[] memory effects) = derivation.effects(params, funding, c.state);
            assertEq(s, c.status, c.name);
            if (s == 0) assertEq(abi.encode(effects), c.output, c.name);
            return;
        }
        (uint8 status, bytes memory next, bytes32 hash) = _run(c, params, funding);
        assertEq(status, c.status, c.name);
        assertEq(hash, c.stateHash, c.name);
        if (hash != 0) assertEq(derivation.stateHash(params, funding, next), hash, c.name);
        else assertEq(next.length, 0, c.name);
        if (status != 0 && c.kind != GENESIS) assertEq(next, c.state, c.name);
    }

    function _run(CaseFile memory c, Params memory params, Funding[] memory funding) internal view returns (uint8, bytes memory, bytes32) {
        if (c.kind == GENESIS) return derivation.genesis(params, funding, c.state);
        TopUp[] memory topUps = abi.decode(c.topUps, (TopUp[]));
        uint64 seq = uint64(uint256(c.seq));
        if (c.kind == EVENT) return derivation.applyEvent(params, funding, topUps, c.state, seq, abi.decode(c.entry, (Event)));
        if (c.kind == TOP_UP) return derivation.applyTopUp(params, funding, topUps, c.state, seq, uint32(uint256(c.number)));
        require(c.kind == TIMEOUT);
        return derivation.applyTimeout(params, funding, topUps, c.state, seq, uint64(uint256(c.number)));
    }

    /* GAS */

    /// @dev Whatever gas a caller gives: the right verdict, or a revert.
    function test_Attack15_GasNeverChoosesTheStatus() public {
        (CaseFile[] memory list, ChannelFile[] memory all) = _load();
        uint256 reverted;
        uint256 answered;
        bool[12] memory tried;
        for (uint256 i; i < list.length; ++i) {
            CaseFile memory c = list[i];
            if (tried[c.status] && c.kind != EFFECTS) continue;
            tried[c.status] = true;
            uint256 enough = _enough(c, all[c.channel]);
            for (uint256 k; k < 24; ++k) {
                // Evenly over the whole range, and close to the edge.
                uint256 gas_ = k < 12 ? enough * (k + 1) / 13 : enough - (enough >> (k - 10));
                if (_answers(c, all[c.channel], gas_)) ++answered;
                else ++reverted;
            }
        }
        assertGt(reverted, 100);
        assertGt(answered, 10);
    }

    function _enough(CaseFile memory c, ChannelFile memory channel_) internal returns (uint256) {
        uint256 before = gasleft();
        this.check(c, channel_);
        return (before - gasleft()) * 65 / 64 + 20_000;
    }

    /// @dev False when it reverts; `check` asserts that the answer is the right one, with the reason of its own.
    function _answers(CaseFile memory c, ChannelFile memory channel_, uint256 gas_) internal returns (bool ok) {
        bytes memory why;
        (ok, why) = address(this).call{gas: gas_}(abi.encodeCall(this.check, (c, channel_)));
        if (!ok && why.length != 0) assertEq(bytes4(why), IDerivation.MachineOutOfGas.selector, c.name);
    }

    /* WHAT IS NOT A STATUS */

    function test_Attack29_MalformedStatesRevert() public {
        (CaseFile[] memory list, ChannelFile[] memory all) = _load();
        for (uint256 i; i < list.length; ++i) {
            if (list[i].kind != EVENT || list[i].status != 0) continue;
            _malformed(list[i], all[list[i].channel]);
            return;
        }
        fail();
    }

    function _malformed(CaseFile memory c, ChannelFile memory channel_) internal {
        Params memory params = abi.decode(channel_.params, (Params));
        Funding[] memory funding = abi.decode(channel_.funding, (Funding[]));
        uint256 n = params.participants.length;
        uint256 fixed_ = 32 * (n + 3 + funding.length * (n + params.beneficiaries.length));
        for (uint256 word; word < n + 3; ++word) {
            bytes memory state = bytes.concat(c.state);
            uint256 first = word == n + 1 ? 27 : word == n + 2 ? 31 : 23;
            for (uint256 at; at <= first; ++at) {
                state[32 * word + at] = bytes1(uint8(word == n + 2 && at == 31 ? 2 : 1));
                _refused(params, funding, state, c);
                state[32 * word + at] = 0;
            }
        }
        _refused(params, funding, slice(c.state, 0, fixed_ - 1), c);
        _refused(params, funding, "", c);
        _refused(params, funding, bytes.concat(slice(c.state, 0, fixed_), new bytes(16 * 1024 + 1)), c);
    }

    function _refused(Params memory params, Funding[] memory funding, bytes memory state, CaseFile memory c) internal {
        Event memory e = abi.decode(c.entry, (Event));
        TopUp[] memory none = new TopUp[](0);
        vm.expectRevert(IDerivation.BadState.selector);
        derivation.applyEvent(params, funding, none, state, 1, e);
        vm.expectRevert(IDerivation.BadState.selector);
        derivation.applyTopUp(params, funding, none, state, 1, 0);
        vm.expectRevert(IDerivation.BadState.selector);
        derivation.applyTimeout(params, funding, none, state, 1, 0);
        vm.expectRevert(IDerivation.BadState.selector);
        derivation.effects(params, funding, state);
        vm.expectRevert(IDerivation.BadState.selector);
        derivation.stateHash(params, funding, state);
    }

    function test_C2_NoModuleHasNoDelta() public {
        (CaseFile[] memory list, ChannelFile[] memory all) = _load();
        Params memory params = abi.decode(all[0].params, (Params));
        Funding[] memory funding = abi.decode(all[0].funding, (Funding[]));
        params.moduleHash = 0;
        vm.expectRevert(IDerivation.NoModule.selector);
        derivation.genesis(params, funding, list[0].state);
        params.moduleHash = keccak256("not registered");
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.UnknownModule.selector, params.moduleHash));
        derivation.genesis(params, funding, list[0].state);
    }
}
