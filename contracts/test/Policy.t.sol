// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {IMudSettlement, Mode, Permission, Policy} from "../src/interfaces/IMudSettlement.sol";
import {GuildSystem} from "./mocks/GuildSystem.sol";
import {SettlementTest} from "./SettlementTest.sol";

contract PolicyTest is SettlementTest {
    function _refused(Policy memory p, bytes memory revertData) internal {
        vm.prank(gameMaster);
        vm.expectRevert(revertData);
        settlement.setPolicy(address(world), namespaceId, MODULE, CONFIG, p);
    }

    function _badAttestors(Policy memory p) internal {
        _refused(p, abi.encodeWithSelector(IMudSettlement.BadAttestors.selector));
    }

    function _badPermission(Policy memory p, uint256 index) internal {
        _refused(p, abi.encodeWithSelector(IMudSettlement.BadPermission.selector, index));
    }

    function _namespaceRefused(bytes32 id, bytes4 selector) internal {
        vm.prank(gameMaster);
        vm.expectPartialRevert(selector);
        settlement.setPolicy(address(world), id, MODULE, CONFIG, standardPolicy());
    }

    /* WHAT WORKS */

    function test_PolicyIsReadBackAndRevised() public {
        Policy memory p = standardPolicy();
        p.minFunding = 5;
        p.minFundingAsset = address(token);
        vm.expectEmit(address(settlement));
        emit IMudSettlement.PolicySet(address(world), namespaceId, MODULE, CONFIG, 2, p);
        setPolicy(p);
        (Policy memory back, uint64 revision) = settlement.policyOf(address(world), namespaceId, MODULE, CONFIG);
        assertEq(abi.encode(back), abi.encode(p));
        assertEq(revision, 2);
        assertEq(settlement.policyRevision(address(world), namespaceId), 2);

        // A shorter one leaves nothing of the longer one behind.
        p.attestors = new address[](1);
        p.attestors[0] = stranger;
        p.threshold = 1;
        p.permissions = new Permission[](1);
        p.permissions[0] = permission(XP);
        setPolicy(p);
        (back, revision) = settlement.policyOf(address(world), namespaceId, MODULE, CONFIG);
        assertEq(abi.encode(back), abi.encode(p));
        assertEq(revision, 3);
    }

    function test_RevocationClearsEverything() public {
        Policy memory none;
        setPolicy(none);
        (Policy memory back, uint64 revision) = settlement.policyOf(address(world), namespaceId, MODULE, CONFIG);
        assertEq(abi.encode(back), abi.encode(none));
        assertEq(revision, 2);
    }

    function testFuzz_PairsAreSeparate(bytes32 module, bytes32 config) public view {
        (Policy memory p, uint64 revision) = settlement.policyOf(address(world), namespaceId, module, config);
        bool ours = module == MODULE && config == CONFIG;
        assertEq(uint8(p.mode), uint8(ours ? Mode.Attested : Mode.None));
        assertEq(revision, ours ? 1 : 0);
    }

    /* ATTACK 19: WHO AND WHERE */

    function testFuzz_Attack19_OnlyTheNamespaceOwner(address by) public {
        vm.assume(by != gameMaster);
        vm.prank(by);
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.NotNamespaceOwner.selector, gameMaster));
        settlement.setPolicy(address(world), namespaceId, MODULE, CONFIG, standardPolicy());
    }

    function test_Attack19_RootAndCoreNamespacesAreRefused() public {
        // This contract created the World and owns these namespaces: still not.
        bytes14[3] memory core = [bytes14(""), bytes14("store"), bytes14("world")];
        for (uint256 i; i < 3; ++i) {
            bytes32 id = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace(core[i]));
            vm.expectRevert(abi.encodeWithSelector(IMudSettlement.BadNamespace.selector, id));
            settlement.setPolicy(address(world), id, MODULE, CONFIG, standardPolicy());
        }
    }

    function testFuzz_Attack19_IdsThatAreNoNamespaceAreRefused(bytes16 name, bytes2 kind) public {
        vm.assume(name != 0);
        _namespaceRefused(namespaceId | bytes32(uint256(uint128(name))), IMudSettlement.BadNamespace.selector);
        vm.assume(kind != "ns");
        _namespaceRefused(bytes32(kind) | (namespaceId << 16 >> 16), IMudSettlement.BadNamespace.selector);
    }

    function test_Attack19_UnregisteredNamespaceHasNoOwner() public {
        _namespaceRefused(ResourceId.unwrap(WorldResourceIdLib.encodeNamespace("nowhere")), IMudSettlement.NotNamespaceOwner.selector);
    }

    function test_Attack19_NotAWorld() public {
        vm.prank(gameMaster);
        vm.expectRevert();
        settlement.setPolicy(stranger, namespaceId, MODULE, CONFIG, standardPolicy());
    }

    function test_LedgersHaveNoEffects() public {
        vm.prank(gameMaster);
        vm.expectRevert(IMudSettlement.NoModule.selector);
        settlement.setPolicy(address(world), namespaceId, 0, CONFIG, standardPolicy());
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

    function test_RevocationMustBeEmpty() public {
        Policy memory p = standardPolicy();
        p.mode = Mode.None;
        _badAttestors(p);
        p.threshold = 0;
        p.attestors = new address[](0);
        _badPermission(p, 10);
        p.permissions = new Permission[](0);
        setPolicy(p);
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
    }

    function testFuzz_PermissionKinds(uint8 op) public {
        vm.assume(op != 2);
        Policy memory p = standardPolicy();
        p.permissions[0].op = op; // set and delete are not for this mode; a table is not called
        _badPermission(p, 0);
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
        p.permissions[7] = permission(2);
        _badPermission(p, 7);
        p = standardPolicy();
        p.permissions = new Permission[](33);
        _badPermission(p, 33);
    }
}
