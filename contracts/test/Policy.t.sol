// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {IPolicies, Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Modes} from "../src/lib/Modes.sol";
import {GuildSystem} from "./mocks/GuildSystem.sol";
import {SettlementTest} from "./SettlementTest.sol";

/// @dev What the owner of a namespace may say, and who is that. What still counts later is in PolicyInForce.t.sol.
contract PolicyTest is SettlementTest {
    function _refused(Policy memory p, bytes memory revertData) internal {
        vm.prank(gameMaster);
        vm.expectRevert(revertData);
        policies.setPolicy(address(world), namespaceId, module, CONFIG, p);
    }

    function _badPolicy(Policy memory p) internal {
        _refused(p, abi.encodeWithSelector(IPolicies.BadPolicy.selector));
    }

    function _badAttestors(Policy memory p) internal {
        _refused(p, abi.encodeWithSelector(IPolicies.BadAttestors.selector));
    }

    function _badPermission(Policy memory p, uint256 index) internal {
        _refused(p, abi.encodeWithSelector(IPolicies.BadPermission.selector, index));
    }

    function _namespaceRefused(bytes32 id, bytes4 selector) internal {
        vm.prank(gameMaster);
        vm.expectPartialRevert(selector);
        policies.setPolicy(address(world), id, module, CONFIG, standardPolicy());
    }

    function _policyOf() internal view returns (Policy memory p, uint64 revision) {
        return policies.policyOf(address(world), namespaceId, module, CONFIG);
    }

    /// @dev All three modes, with a ticket, a window and a bond.
    function _full() internal returns (Policy memory p) {
        p = standardPolicy();
        p.modes = Modes.ALL;
        p.window = 1 days;
        p.guardian = makeAddr("guardian");
        p.bond = 1 ether;
        p.maxJournalBytes = 100_000;
        p.needsTicket = true;
        p.ticketPrice = 0.1 ether;
        p.minFundingAsset = address(token);
        p.minFunding = 5;
    }

    function _recordPermission(uint8 op) internal view returns (Permission memory) {
        return Permission(ResourceId.unwrap(heroId), op, 0, 0, 0, 0, 3);
    }

    /* WHAT WORKS */

    function test_PolicyIsReadBackAndRevised() public {
        Policy memory p = _full();
        vm.expectEmit(address(policies));
        emit IPolicies.PolicySet(address(world), namespaceId, module, CONFIG, 2, p);
        setPolicy(p);
        (Policy memory back, uint64 revision) = _policyOf();
        assertEq(abi.encode(back), abi.encode(p));
        assertEq(revision, 2);
        assertEq(policies.policyRevision(address(world), namespaceId), 2);

        // A shorter one leaves nothing of the longer one behind.
        p.attestors = new address[](1);
        p.attestors[0] = stranger;
        p.threshold = 1;
        p.permissions = new Permission[](1);
        p.permissions[0] = permission(XP);
        setPolicy(p);
        (back, revision) = _policyOf();
        assertEq(abi.encode(back), abi.encode(p));
        assertEq(revision, 3);
    }

    function test_LargestPolicy() public {
        Policy memory p = _full();
        p.attestors = new address[](16);
        for (uint256 i; i < 16; ++i) {
            p.attestors[i] = address(uint160(i + 1));
        }
        p.permissions = new Permission[](32);
        for (uint8 i; i < 32; ++i) {
            p.permissions[i] = permission(i);
        }
        setPolicy(p);
        (Policy memory back,) = _policyOf();
        assertEq(abi.encode(back), abi.encode(p));
    }

    function test_RevocationClearsEverything() public {
        Policy memory none;
        setPolicy(none);
        (Policy memory back, uint64 revision) = _policyOf();
        assertEq(abi.encode(back), abi.encode(none));
        assertEq(revision, 2);
    }

    function testFuzz_PairsAreSeparate(bytes32 module_, bytes32 config) public view {
        (Policy memory p, uint64 revision) = policies.policyOf(address(world), namespaceId, module_, config);
        bool ours = module_ == module && config == CONFIG;
        assertEq(p.modes, ours ? Modes.ATTESTED : 0);
        assertEq(revision, ours ? 1 : 0);
    }

    /* ATTACK 19: WHO AND WHERE */

    function testFuzz_Attack19_OnlyTheNamespaceOwner(address by) public {
        vm.assume(by != gameMaster);
        vm.prank(by);
        vm.expectRevert(abi.encodeWithSelector(IPolicies.NotNamespaceOwner.selector, gameMaster));
        policies.setPolicy(address(world), namespaceId, module, CONFIG, standardPolicy());
    }

    function test_Attack19_RootAndCoreNamespacesAreRefused() public {
        // This contract created the World and owns these namespaces: still not.
        bytes14[3] memory core = [bytes14(""), bytes14("store"), bytes14("world")];
        for (uint256 i; i < 3; ++i) {
            bytes32 id = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace(core[i]));
            vm.expectRevert(abi.encodeWithSelector(IPolicies.BadNamespace.selector, id));
            policies.setPolicy(address(world), id, module, CONFIG, standardPolicy());
        }
    }

    function testFuzz_Attack19_IdsThatAreNoNamespaceAreRefused(bytes16 name, bytes2 kind) public {
        vm.assume(name != 0);
        _namespaceRefused(namespaceId | bytes32(uint256(uint128(name))), IPolicies.BadNamespace.selector);
        vm.assume(kind != "ns");
        _namespaceRefused(bytes32(kind) | (namespaceId << 16 >> 16), IPolicies.BadNamespace.selector);
    }

    function test_Attack19_UnregisteredNamespaceHasNoOwner() public {
        bytes32 id = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace("nowhere"));
        _namespaceRefused(id, IPolicies.NotNamespaceOwner.selector);
        vm.prank(address(0));
        vm.expectRevert(abi.encodeWithSelector(IPolicies.NotNamespaceOwner.selector, address(0)));
        policies.setPolicy(address(world), id, module, CONFIG, standardPolicy());
    }

    function test_Attack19_NotAWorld() public {
        vm.prank(gameMaster);
        vm.expectRevert();
        policies.setPolicy(stranger, namespaceId, module, CONFIG, standardPolicy());
    }

    function test_LedgersHaveNoEffects() public {
        vm.prank(gameMaster);
        vm.expectRevert(IPolicies.NoModule.selector);
        policies.setPolicy(address(world), namespaceId, 0, CONFIG, standardPolicy());
    }

    /* MODES */

    function testFuzz_ModesAreThree(uint8 modes) public {
        modes %= 16;
        Policy memory p = _full();
        p.modes = modes;
        if (modes > 7) return _badPolicy(p);
        if (modes & Modes.OPTIMISTIC == 0) (p.window, p.guardian, p.bond) = (0, address(0), 0);
        if (modes & (Modes.OPTIMISTIC | Modes.EXECUTED) == 0) p.maxJournalBytes = 0;
        if (modes & Modes.ATTESTED == 0) (p.threshold, p.attestors) = (0, new address[](0));
        if (modes == 0) {
            _badPolicy(p);
            Policy memory none;
            p = none;
        }
        setPolicy(p);
        (Policy memory back,) = _policyOf();
        assertEq(abi.encode(back), abi.encode(p));
    }

    /// @dev What belongs to a mode that is not there must be empty: nobody should believe in a guardian that does not exist.
    function test_NothingForModesThatAreNotThere() public {
        Policy memory p = standardPolicy();
        p.window = 1 days;
        _badPolicy(p);
        p = standardPolicy();
        p.guardian = stranger;
        _badPolicy(p);
        p = standardPolicy();
        p.bond = 1;
        _badPolicy(p);
        p = standardPolicy();
        p.maxJournalBytes = 1;
        _badPolicy(p);
        p = _full();
        p.modes = Modes.EXECUTED | Modes.OPTIMISTIC;
        _badAttestors(p);
        p.threshold = 0;
        _badAttestors(p);
        p.attestors = new address[](0);
        setPolicy(p);
    }

    function testFuzz_Window(uint32 window) public {
        Policy memory p = _full();
        p.window = window;
        if (window < MIN_POLICY_WINDOW || window > 30 days) _badPolicy(p);
        else setPolicy(p);
    }

    function test_WindowBounds() public {
        Policy memory p = _full();
        p.window = MIN_POLICY_WINDOW - 1;
        _badPolicy(p);
        p.window = MIN_POLICY_WINDOW;
        setPolicy(p);
        p.window = 30 days;
        setPolicy(p);
        p.window = 30 days + 1;
        _badPolicy(p);
    }

    function test_JournalBytes() public {
        Policy memory p = _full();
        p.maxJournalBytes = 0;
        _badPolicy(p);
        p.maxJournalBytes = (1 << 20) + 1;
        _badPolicy(p);
        p.maxJournalBytes = 1 << 20;
        setPolicy(p);
    }

    function test_RevocationMustBeEmpty() public {
        Policy memory p = standardPolicy();
        p.modes = 0;
        _badAttestors(p);
        p.threshold = 0;
        p.attestors = new address[](0);
        _badPermission(p, 10);
        p.permissions = new Permission[](0);
        p.needsTicket = true;
        _badPolicy(p);
        p.needsTicket = false;
        p.ticketPrice = 1;
        _badPolicy(p);
        p.ticketPrice = 0;
        p.minFunding = 1;
        _badPolicy(p);
        p.minFunding = 0;
        p.minFundingAsset = stranger;
        _badPolicy(p);
        p.minFundingAsset = address(0);
        setPolicy(p);
    }

    /* ATTESTORS */

    function testFuzz_Attack14_AttestorsAscendStrictly(uint8 a, uint8 b) public {
        a = uint8(bound(a, 0, 2));
        b = uint8(bound(b, 0, 2));
        vm.assume(a >= b);
        Policy memory p = standardPolicy();
        address[] memory all = p.attestors;
        p.attestors = new address[](2);
        (p.attestors[0], p.attestors[1]) = (all[a], all[b]);
        _badAttestors(p);
    }

    function testFuzz_AttestorCountAndThreshold(uint8 n, uint8 k) public {
        n = uint8(bound(n, 0, 20));
        Policy memory p = standardPolicy();
        p.attestors = new address[](n);
        for (uint256 i; i < n; ++i) {
            p.attestors[i] = address(uint160(i + 1));
        }
        p.threshold = k;
        if (n == 0 || n > 16 || k == 0 || k > n) _badAttestors(p);
        else setPolicy(p);
    }

    function test_Attack14_ZeroIsNoAttestor() public {
        Policy memory p = standardPolicy();
        p.attestors[0] = address(0);
        _badAttestors(p);
    }

    /* PERMISSIONS */

    function testFuzz_Attack19_PermissionsStayInTheNamespace(bytes14 other) public {
        vm.assume(other != NAMESPACE);
        Policy memory p = standardPolicy();
        p.permissions[3].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("tb", other, "Hero"));
        _badPermission(p, 3);
        p = standardPolicy();
        p.permissions[9].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("sy", other, "Guild"));
        _badPermission(p, 9);
        p = _full();
        p.permissions[0] = _recordPermission(0);
        p.permissions[0].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("tb", other, "Hero"));
        _badPermission(p, 0);
    }

    function testFuzz_PermissionKinds(uint8 op) public {
        vm.assume(op != 2);
        Policy memory p = standardPolicy();
        p.permissions[0].op = op; // an increment's limits are for increments only
        _badPermission(p, 0);
        p.permissions[0] = _recordPermission(op);
        _badPermission(p, 0); // set and delete are not for attestors; a table is not called; there is no more
    }

    function test_Attack22_AttestorsMayNotReplaceRecords() public {
        for (uint8 op; op < 2; ++op) {
            Policy memory p = standardPolicy();
            p.needsTicket = true;
            p.permissions[4] = _recordPermission(op);
            _badPermission(p, 4);
            p.modes |= Modes.EXECUTED;
            p.maxJournalBytes = 1000;
            setPolicy(p);
        }
    }

    function test_Attack20_ReplacingRecordsNeedsATicket() public {
        for (uint8 op; op < 2; ++op) {
            Policy memory p = _full();
            p.permissions[4] = _recordPermission(op);
            p.needsTicket = false;
            _badPolicy(p);
            p.needsTicket = true;
            setPolicy(p);
        }
    }

    function test_PermissionShapes() public {
        Policy memory p = standardPolicy();
        p.permissions[0].resourceId = ResourceId.unwrap(guildId);
        _badPermission(p, 0);
        p = standardPolicy();
        p.permissions[0].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("ot", NAMESPACE, "Hero"));
        _badPermission(p, 0);
        p = standardPolicy();
        p.permissions[0].selector = GuildSystem.award.selector;
        _badPermission(p, 0);
        p = standardPolicy();
        p.permissions[9].field = 1;
        _badPermission(p, 9);
        p = standardPolicy();
        p.permissions[9].maxIncrease = 1;
        _badPermission(p, 9);
        p = standardPolicy();
        p.permissions[9].maxDecrease = 1;
        _badPermission(p, 9);
        p = standardPolicy();
        p.permissions[9].resourceId = ResourceId.unwrap(heroId);
        _badPermission(p, 9);
        p = standardPolicy();
        p.permissions[7] = permission(2);
        _badPermission(p, 7);
        p = standardPolicy();
        p.permissions = new Permission[](33);
        _badPermission(p, 33);
    }

    function testFuzz_ShapesOfSetAndDelete(uint8 op, uint8 field, bytes4 selector, uint128 up, uint128 down) public {
        Policy memory p = _full();
        p.permissions[1] = _recordPermission(op % 2);
        (p.permissions[1].field, p.permissions[1].selector) = (field, selector);
        (p.permissions[1].maxIncrease, p.permissions[1].maxDecrease) = (up, down);
        if (field == 0 && selector == 0 && up == 0 && down == 0) setPolicy(p);
        else _badPermission(p, 1);
        p.permissions[1] = _recordPermission(op % 2);
        setPolicy(p);
        p.permissions[5] = _recordPermission(op % 2);
        _badPermission(p, 5); // twice
    }
}
