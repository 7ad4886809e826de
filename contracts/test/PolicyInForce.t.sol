// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";

import {IPolicies, Policy} from "../src/interfaces/IPolicies.sol";
import {Modes} from "../src/lib/Modes.sol";
import {SettlementTest} from "./SettlementTest.sol";

/// @dev Which policy still counts when a ticket, a publication or a claim asks.
contract PolicyInForceTest is SettlementTest {
    function _inForce(uint64 revision) internal view returns (Policy memory p, uint64 at) {
        return policies.inForce(address(world), namespaceId, module, CONFIG, revision);
    }

    function _dead(uint64 revision) internal {
        vm.expectRevert(IPolicies.NotAllowed.selector);
        policies.inForce(address(world), namespaceId, module, CONFIG, revision);
    }

    function _with(uint256 minFunding) internal view returns (Policy memory p) {
        p = standardPolicy();
        p.minFunding = minFunding;
    }

    function _revoke() internal {
        Policy memory none;
        setPolicy(none);
    }

    function test_NewestAndOlderOnes() public {
        setPolicy(_with(22));
        setPolicy(_with(33));
        (Policy memory p, uint64 at) = _inForce(0);
        assertEq(p.minFunding, 33);
        assertEq(at, 3);
        for (uint64 revision = 1; revision < 4; ++revision) {
            (p, at) = _inForce(revision);
            assertEq(at, revision);
            assertEq(abi.encode(p), abi.encode(_with(revision == 1 ? 0 : 11 * revision)));
        }
        _dead(4);
        _dead(type(uint64).max);
    }

    function test_NeverSet() public {
        vm.expectRevert(IPolicies.NotAllowed.selector);
        policies.inForce(address(world), namespaceId, module, keccak256("other"), 0);
        // A stranger that is no World is not even asked.
        vm.expectRevert(IPolicies.NotAllowed.selector);
        policies.inForce(stranger, namespaceId, module, CONFIG, 0);
    }

    /// @dev Revisions are counted per namespace, and belong to one pair.
    function test_RevisionOfAnotherPair() public {
        vm.prank(gameMaster);
        policies.setPolicy(address(world), namespaceId, module, keccak256("other"), _with(1));
        assertEq(policies.policyRevision(address(world), namespaceId), 2);
        _dead(2);
        vm.expectRevert(IPolicies.NotAllowed.selector);
        policies.inForce(address(world), namespaceId, module, keccak256("other"), 1);
    }

    function test_Attack22_AttestorsAreAlwaysTheNewest() public {
        Policy memory p = standardPolicy();
        p.attestors = new address[](1);
        p.attestors[0] = stranger;
        p.threshold = 1;
        p.minFunding = 7;
        setPolicy(p);
        (Policy memory old,) = _inForce(1);
        assertEq(abi.encode(old.attestors), abi.encode(p.attestors));
        assertEq(old.threshold, 1);
        assertEq(old.minFunding, 0);
    }

    /// @dev Without attestors in the newest policy, an older revision is not a mode in which zero signatures are enough.
    function test_Attack22_ModeWithoutAttestorsEndsForOlderRevisions() public {
        Policy memory p = standardPolicy();
        (p.modes, p.threshold, p.attestors) = (Modes.EXECUTED, 0, new address[](0));
        p.maxJournalBytes = 1000;
        Policy memory both = standardPolicy();
        both.modes |= Modes.EXECUTED;
        both.maxJournalBytes = 1000;
        setPolicy(both); // 2
        setPolicy(p); // 3
        (Policy memory old,) = _inForce(1);
        assertEq(old.modes, 0);
        (old,) = _inForce(2);
        assertEq(old.modes, Modes.EXECUTED);
        assertEq(old.attestors.length, 0);
        // And attestors that come later are none for a revision that had none.
        setPolicy(standardPolicy()); // 4
        (old,) = _inForce(3);
        assertEq(old.modes, Modes.EXECUTED);
    }

    function test_Attack22_RevocationEndsAllRevisionsForGood() public {
        setPolicy(_with(2));
        _revoke(); // 3
        for (uint64 revision; revision < 5; ++revision) {
            _dead(revision);
        }
        setPolicy(_with(4)); // 4: allowed again, but not what was revoked
        for (uint64 revision = 1; revision < 4; ++revision) {
            _dead(revision);
        }
        (Policy memory p, uint64 at) = _inForce(0);
        assertEq(p.minFunding, 4);
        assertEq(at, 4);
        (, at) = _inForce(4);
        assertEq(at, 4);
    }

    function test_RevocationIsOfOnePair() public {
        vm.prank(gameMaster);
        policies.setPolicy(address(world), namespaceId, module, keccak256("other"), _with(1));
        _revoke();
        policies.inForce(address(world), namespaceId, module, keccak256("other"), 0);
    }

    function test_Attack19_FormerOwner() public {
        vm.prank(gameMaster);
        world.transferOwnership(ResourceId.wrap(namespaceId), stranger);
        _dead(0);
        _dead(1);
        setPolicyAs(stranger, _with(5)); // 2
        _inForce(2);
        _dead(1);
        // Back again: what the one in between allowed does not count, nor its newest.
        vm.prank(stranger);
        world.transferOwnership(ResourceId.wrap(namespaceId), gameMaster);
        _dead(0);
        _dead(1);
        _dead(2);
        setPolicy(_with(6)); // 3
        (, uint64 at) = _inForce(1);
        assertEq(at, 1);
        _dead(2);
    }

    /// @dev Against a plain model: a list of what was set, by whom.
    function testFuzz_InForceIsTheModel(uint8[12] calldata steps, uint64 asked) public {
        address[2] memory owners = [gameMaster, stranger];
        uint256 who;
        uint256[] memory minimum = new uint256[](14); // 0: revoked
        uint256[] memory by = new uint256[](14);
        (minimum[1], by[1]) = (1, 0);
        vm.prank(gameMaster);
        policies.setPolicy(address(world), namespaceId, module, CONFIG, _with(1));
        uint256 last = 2;
        (minimum[2], by[2]) = (1, 0);
        minimum[1] = type(uint256).max; // the standard policy of setUp
        for (uint256 i; i < steps.length && last < 13; ++i) {
            if (steps[i] % 4 == 0) {
                vm.prank(owners[who]);
                world.transferOwnership(ResourceId.wrap(namespaceId), owners[1 - who]);
                who = 1 - who;
                continue;
            }
            Policy memory p;
            if (steps[i] % 4 != 1) p = _with(uint256(steps[i]) + 1);
            setPolicyAs(owners[who], p);
            (minimum[++last], by[last]) = (p.minFunding, who);
        }
        asked = uint64(bound(asked, 0, 15));
        uint256 at = asked == 0 ? last : asked;
        bool ok = at <= last && by[last] == who && at != 0 && by[at > last ? 0 : at] == who;
        for (uint256 i = at; i <= last && ok; ++i) {
            ok = minimum[i] != 0;
        }
        if (!ok) return _dead(asked);
        (Policy memory got, uint64 revision) = _inForce(asked);
        assertEq(revision, at);
        assertEq(got.minFunding, minimum[at] == type(uint256).max ? 0 : minimum[at]);
    }
}
