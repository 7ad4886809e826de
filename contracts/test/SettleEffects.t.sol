// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {MudWorld} from "../src/lib/MudWorld.sol";
import {Effect} from "../src/Types.sol";
import {GuildSystem} from "./mocks/GuildSystem.sol";
import {Attested, SettlementTest} from "./SettlementTest.sol";

/// @dev What effects may do, whatever the module derives and everybody signs: the World's layout, the type's range, the policy's limits.
/// forge-config: default.fuzz.runs = 64
contract SettleEffectsTest is SettlementTest {
    function _settleOne(Effect memory e) internal {
        settle(finished(one(e)));
    }

    function _refusedAt(Effect memory e, bytes4 selector) internal {
        refused(finished(two(increment(0, XP, 1), e)), selector, 1);
        assertEq(read(0, XP), 0);
    }

    function _limit(uint8 field, uint128 up, uint128 down, uint128 perChannel) internal {
        Policy memory p = standardPolicy();
        (p.permissions[field].maxIncrease, p.permissions[field].maxDecrease) = (up, down);
        p.permissions[field].perChannel = perChannel;
        setPolicy(p);
    }

    /* RANGES */

    function testFuzz_Attack20_UnsignedFieldNeverWraps(uint8 start, int16 delta) public {
        _settleOne(increment(1, LEVEL, int256(uint256(start))));
        int256 sum = int256(uint256(start)) + delta;
        if (sum < 0 || sum > 255) {
            _refusedAt(increment(1, LEVEL, delta), IMudSettlement.OutOfRange.selector);
            assertEq(read(1, LEVEL), start);
        } else {
            _settleOne(increment(1, LEVEL, delta));
            assertEq(read(1, LEVEL), uint256(sum));
        }
    }

    function testFuzz_Attack20_SignedFieldNeverWraps(int16 start, int24 delta) public {
        _settleOne(increment(1, KARMA, start));
        int256 sum = int256(start) + delta;
        if (sum < type(int16).min || sum > type(int16).max) {
            _refusedAt(increment(1, KARMA, delta), IMudSettlement.OutOfRange.selector);
        } else {
            _settleOne(increment(1, KARMA, delta));
            assertEq(int16(uint16(read(1, KARMA))), sum);
        }
    }

    function test_NeighboursAreNotTouched() public {
        Effect[] memory effects = new Effect[](5);
        effects[0] = increment(1, XP, int256(uint256(type(uint32).max)));
        effects[1] = increment(1, GOLD, int256(uint256(type(uint128).max)));
        effects[2] = increment(1, KARMA, -1);
        effects[3] = increment(1, LEVEL, 255);
        effects[4] = increment(1, DEPTH, -7);
        settle(finished(effects));
        assertEq(read(1, XP), type(uint32).max);
        assertEq(read(1, GOLD), type(uint128).max);
        assertEq(int16(uint16(read(1, KARMA))), -1);
        assertEq(read(1, ALIVE), 0);
        assertEq(read(1, TAG), 0);
        assertEq(read(1, LEVEL), 255);
        assertEq(int256(read(1, DEPTH)), -7);
        assertEq(read(1, PATRON), 0);
    }

    function test_TheSmallestDeltaIsNoExploit() public {
        // |int256.min| does not fit int256; no limit is that large.
        _refusedAt(increment(1, DEPTH, type(int256).min), IMudSettlement.EffectNotAllowed.selector);
    }

    /// @dev The arithmetic against a plain oracle, at every width.
    /// forge-config: default.fuzz.runs = 2000
    function testFuzz_AddUnsigned(uint256 start, int256 delta, uint8 bytesWide) public pure {
        uint256 width = bound(bytesWide, 1, 32) * 8;
        uint256 max = type(uint256).max >> (256 - width);
        start = bound(start, 0, max);
        // The rest of the word belongs to other fields.
        bytes32 stored = bytes32(start << (256 - width)) | (width == 256 ? bytes32(0) : bytes32(type(uint256).max >> width));
        (bool ok, uint256 value) = MudWorld.addUnsigned(stored, delta, width);
        if (delta >= 0) {
            bool fits = uint256(delta) <= max - start;
            assertEq(ok, fits);
            if (fits) assertEq(value, start + uint256(delta));
        } else {
            uint256 size = delta == type(int256).min ? 1 << 255 : uint256(-delta);
            assertEq(ok, size <= start);
            if (ok) assertEq(value, start - size);
        }
    }

    /// forge-config: default.fuzz.runs = 2000
    function testFuzz_AddSigned(int256 start, int256 delta, uint8 bytesWide) public pure {
        uint256 width = bound(bytesWide, 1, 32) * 8;
        int256 max = width == 256 ? type(int256).max : int256((1 << (width - 1)) - 1);
        start = bound(start, -max - 1, max);
        bytes32 stored = bytes32(uint256(start) << (256 - width)) | (width == 256 ? bytes32(0) : bytes32(type(uint256).max >> width));
        (bool ok, uint256 value) = MudWorld.addSigned(stored, delta, width);
        bool fits;
        if ((start < 0) != (delta < 0)) fits = start + delta >= -max - 1 && start + delta <= max;
        else if (delta >= 0) fits = delta <= max - start;
        else fits = delta >= -max - 1 - start;
        assertEq(ok, fits);
        if (fits) assertEq(int256(value), start + delta);
    }

    /* LAYOUT */

    function test_Attack29_OnlyStaticIntegersOfTheTable() public {
        _refusedAt(increment(1, ALIVE, 1), IMudSettlement.BadLayout.selector);
        _refusedAt(increment(1, TAG, 1), IMudSettlement.BadLayout.selector);
        _refusedAt(increment(1, PATRON, 1), IMudSettlement.BadLayout.selector);
        _refusedAt(increment(1, NAME, 1), IMudSettlement.BadLayout.selector);
    }

    function testFuzz_Attack29_FieldsOutsideTheTable(uint8 field) public {
        vm.assume(field > NAME);
        Policy memory p = standardPolicy();
        p.permissions[0].field = field;
        setPolicy(p);
        refused(finished(one(increment(1, field, 1))), IMudSettlement.BadLayout.selector, 0);
    }

    function testFuzz_Attack29_KeyCount(uint8 count) public {
        vm.assume(count != 2);
        Effect memory e = increment(1, XP, 1);
        e.key = new bytes32[](count % 20 == 2 ? 3 : count % 20);
        _refusedAt(e, IMudSettlement.BadLayout.selector);
    }

    function test_Attack29_TableMustExist() public {
        bytes32 nothing = ResourceId.unwrap(WorldResourceIdLib.encode("tb", NAMESPACE, "Nothing"));
        Policy memory p = standardPolicy();
        p.permissions[1].resourceId = nothing;
        setPolicy(p);
        Effect memory e = increment(1, GOLD, 1);
        e.resourceId = nothing;
        _refusedAt(e, IMudSettlement.BadLayout.selector);
    }

    /// @dev MUD's own World checks this at registration; another implementation of its interface may not.
    function test_Attack29_LayoutThatDisagreesWithTheSchema() public {
        uint256[] memory lengths = new uint256[](1);
        lengths[0] = 2; // the schema says uint32
        vm.mockCall(address(world), abi.encodeCall(world.getFieldLayout, (heroId)), abi.encode(FieldLayoutLib.encode(lengths, 0)));
        refused(finished(one(increment(1, XP, 1))), IMudSettlement.BadLayout.selector, 0);
        vm.clearMockedCalls();
        _settleOne(increment(1, XP, 1));
    }

    function testFuzz_Attack29_IncrementData(bytes memory data) public {
        vm.assume(data.length != 64 && data.length < 7 * 1024);
        Effect memory e = increment(1, XP, 1);
        e.data = data;
        _refusedAt(e, IMudSettlement.BadEffect.selector);
    }

    function testFuzz_Attack29_FieldWord(uint256 field) public {
        field = bound(field, 256, type(uint256).max);
        Effect memory e = increment(1, XP, 1);
        e.data = abi.encode(field, int256(1));
        _refusedAt(e, IMudSettlement.BadEffect.selector);
    }

    /// @dev set and delete are not for attestors; there is nothing above 3.
    function testFuzz_OtherOpsAreRefused(uint8 op) public {
        vm.assume(op != 2 && op != 3);
        Effect memory e = increment(1, XP, 1);
        e.op = op;
        Attested memory c = finished(two(increment(0, XP, 1), e));
        if (op < 2) refused(c, IMudSettlement.EffectNotAllowed.selector, 1);
        else refused(c, IMudSettlement.NoEffects.selector, 10);
    }

    function testFuzz_Attack29_DirtyKeys(uint256 word, uint8 which) public {
        Effect memory e = increment(1, XP, 1);
        word = which % 2 == 0 ? bound(word, uint256(1) << 160, type(uint256).max) : bound(word, uint256(1) << 32, type(uint256).max);
        e.key[which % 2] = bytes32(word); // an address, a uint32
        _refusedAt(e, IMudSettlement.BadLayout.selector);
    }

    /* PERMISSIONS AND LIMITS */

    function testFuzz_Attack22_LimitPerEffect(uint32 up, uint32 down, int32 delta) public {
        _limit(GOLD, up, down, type(uint128).max);
        _settleOne(increment(2, DEPTH, 1));
        bool allowed = delta >= 0 ? uint32(delta) <= up : uint256(-int256(delta)) <= down;
        if (!allowed) _refusedAt(increment(1, GOLD, delta), IMudSettlement.EffectNotAllowed.selector);
        else if (delta < 0) _refusedAt(increment(1, GOLD, delta), IMudSettlement.OutOfRange.selector);
        else _settleOne(increment(1, GOLD, delta));
    }

    function testFuzz_Attack22_LimitPerChannel(uint16 limit, uint16 a, uint16 b) public {
        _limit(DEPTH, type(uint128).max, type(uint128).max, limit);
        // Up and down both count: otherwise the same effect could be undone and repeated without end.
        Attested memory c = finished(two(increment(1, DEPTH, int256(uint256(a))), increment(2, DEPTH, -int256(uint256(b)))));
        if (uint256(a) + b > limit) refused(c, IMudSettlement.EffectNotAllowed.selector, a > limit ? 0 : 1);
        else settle(c);
    }

    function test_LimitsStartAnewInEveryChannel() public {
        _limit(XP, 10, 0, 10);
        _settleOne(increment(1, XP, 10));
        _settleOne(increment(1, XP, 10));
        assertEq(read(1, XP), 20);
        refused(finished(two(increment(1, XP, 10), increment(1, XP, 1))), IMudSettlement.EffectNotAllowed.selector, 1);
    }

    function test_FieldsWithoutPermission() public {
        Policy memory p = standardPolicy();
        p.permissions = new Permission[](1);
        p.permissions[0] = permission(XP);
        setPolicy(p);
        _refusedAt(increment(1, GOLD, 1), IMudSettlement.EffectNotAllowed.selector);
        _refusedAt(award(1, 1), IMudSettlement.EffectNotAllowed.selector);
        _settleOne(increment(1, XP, 1));
    }

    function test_OtherTablesWithoutPermission() public {
        ResourceId second = WorldResourceIdLib.encode("tb", NAMESPACE, "Second");
        vm.startPrank(gameMaster);
        registerHeroes(world, second);
        world.grantAccess(second, address(settlement)); // access in MUD alone is not enough
        vm.stopPrank();
        Effect memory e = increment(1, XP, 1);
        e.resourceId = ResourceId.unwrap(second);
        _refusedAt(e, IMudSettlement.EffectNotAllowed.selector);
    }

    /* CALLS */

    function test_CallsAreCountedAndNamed() public {
        Effect[] memory effects = new Effect[](3);
        effects[0] = award(0, 1);
        effects[1] = award(1, 2);
        effects[2] = award(2, 3);
        refused(finished(effects), IMudSettlement.EffectNotAllowed.selector, 2);
        settle(finished(two(effects[0], effects[1])));
        assertEq(guild.awards(owner(0)) + guild.awards(owner(1)), 3);
    }

    function testFuzz_Attack19_OnlyTheAllowedSelector(bytes4 selector) public {
        vm.assume(selector != GuildSystem.award.selector);
        Effect memory e = award(1, 1);
        e.data = abi.encodeWithSelector(selector, owner(1));
        _refusedAt(e, IMudSettlement.EffectNotAllowed.selector);
    }

    function test_Attack19_NoGrantsThroughCoreSystems() public {
        // The World's own access system, by its id: in the root namespace, so no policy can name it.
        Effect memory e = award(1, 1);
        e.resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("sy", "", "AccessManagement"));
        e.data = abi.encodeWithSelector(bytes4(keccak256("grantAccess(bytes32,address)")), namespaceId, stranger);
        _refusedAt(e, IMudSettlement.EffectNotAllowed.selector);
    }

    function test_Attack29_CallData() public {
        Effect memory e = award(1, 1);
        e.data = hex"010203";
        _refusedAt(e, IMudSettlement.BadEffect.selector);
        e = award(1, 1);
        e.key = new bytes32[](1);
        _refusedAt(e, IMudSettlement.BadEffect.selector);
    }

    /* SIZE */

    function testFuzz_Attack29_EffectCount(uint8 count) public {
        Effect[] memory effects = new Effect[](bound(count, 20, 40));
        for (uint256 i; i < effects.length; ++i) {
            effects[i] = Effect(2, ResourceId.unwrap(heroId), heroKey(i % 3), abi.encode(XP, int256(1)));
        }
        // 32 increments with two keys are 32 · 320 + 64 bytes: more than 8 KiB.
        bool fits = effects.length <= 32 && abi.encode(effects).length <= 8 * 1024;
        Attested memory c = finished(effects);
        if (fits) settle(c);
        else refused(c, IMudSettlement.NoEffects.selector, 10);
    }

    function test_Attack29_EffectBytes() public {
        Effect memory e = award(1, 1);
        e.data = bytes.concat(e.data, new bytes(8 * 1024));
        refused(finished(one(e)), IMudSettlement.NoEffects.selector, 10);
    }

    function test_Attack29_ManySmallEffects() public {
        Effect[] memory effects = new Effect[](33);
        for (uint256 i; i < 33; ++i) {
            effects[i] = Effect(3, ResourceId.unwrap(guildId), new bytes32[](0), "");
        }
        assertLt(abi.encode(effects).length, 8 * 1024 + 1);
        refused(finished(effects), IMudSettlement.NoEffects.selector, 10);
    }
}
