// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths, EncodedLengthsLib} from "@latticexyz/store/src/EncodedLengths.sol";
import {IStoreEvents} from "@latticexyz/store/src/IStoreEvents.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {BEFORE_SET_RECORD} from "@latticexyz/store/src/storeHookTypes.sol";
import {System} from "@latticexyz/world/src/System.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {AttestorSignature, Claim, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Record} from "../src/interfaces/ITickets.sol";
import {Effect} from "../src/Types.sol";
import {Game, GameTest, Pass} from "./GameTest.sol";
import {RecordHook} from "./mocks/RecordHook.sol";

/// @dev Effects that replace or delete whole records.
/// forge-config: default.fuzz.runs = 32
contract SettleRecordsTest is GameTest {
    function setUp() public override {
        super.setUp();
        putItem(1, owner(0), 10, "sword");
        putItem(2, owner(1), 20, "shield");
    }

    /// @dev Over a ticket for items 1, 2 and 3, of which 3 does not exist; executed.
    function _claim(Effect[] memory effects) internal returns (Claim memory c) {
        Game memory g = honest(buy(items(1, 3)), effects);
        c = end(g);
        execute(g);
    }

    function _settleOne(Effect memory e) internal {
        settlement.settleExecuted(_claim(one(e)));
    }

    function _refusedAt(Claim memory c, bytes4 selector, uint256 index) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, index));
        settlement.settleExecuted(c);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.params))));
    }

    function _oneRefused(Effect memory e, bytes4 selector) internal {
        _refusedAt(_claim(two(increment(0, XP, 1), e)), selector, 1);
        assertEq(read(0, XP), 0);
    }

    /* WHAT WORKS */

    function testFuzz_C3_SetReplacesTheWholeRecord(address holder, uint32 power, string calldata name) public {
        vm.assume(bytes(name).length < 2000);
        Effect memory e = setItem(1, holder, power, name);
        (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) = itemData(holder, power, name);
        Claim memory c = _claim(one(e));
        vm.expectEmit(address(world));
        emit IStoreEvents.Store_SetRecord(itemId, itemKey(1), staticData, lengths, dynamicData);
        settlement.settleExecuted(c);
        Record memory r = itemRecord(1);
        assertEq(r.staticData, staticData);
        assertEq(r.encodedLengths, EncodedLengths.unwrap(lengths));
        assertEq(r.dynamicData, dynamicData);
        assertEq(holderOf(2), owner(1));
    }

    function test_C3_SetMakesARecordThatWasNotThere() public {
        _settleOne(setItem(3, owner(2), 30, "helmet"));
        assertEq(holderOf(3), owner(2));
    }

    function test_C3_DeleteLeavesNothing() public {
        Claim memory c = _claim(two(deleteItem(1), deleteItem(3)));
        vm.expectEmit(address(world));
        emit IStoreEvents.Store_DeleteRecord(itemId, itemKey(1));
        settlement.settleExecuted(c);
        assertEq(itemRecord(1).staticData, new bytes(25));
        assertEq(itemRecord(1).dynamicData, "");
    }

    /* ATTACK 20: COMPARE AND SET */

    function test_Attack20_OnlyWhatIsInTheSnapshot() public {
        putItem(4, owner(0), 40, "boots");
        _oneRefused(setItem(4, owner(2), 40, "boots"), IMudSettlement.Changed.selector);
        _oneRefused(deleteItem(4), IMudSettlement.Changed.selector);
        assertEq(holderOf(4), owner(0));
    }

    /// @dev Any difference is one: in static data, in dynamic data, in its presence.
    function testFuzz_Attack20_AnyChangeSinceTheSnapshot(uint8 what, bool deleting) public {
        Claim memory c = _claim(one(deleting ? deleteItem(1) : setItem(1, owner(2), 99, "mine")));
        if (what % 4 == 0) putItem(1, owner(0), 11, "sword");
        if (what % 4 == 1) putItem(1, owner(0), 10, "Sword");
        if (what % 4 == 2) putItem(1, owner(0), 10, "swords");
        if (what % 4 == 3) {
            vm.prank(gameMaster);
            world.deleteRecord(itemId, itemKey(1));
        }
        _refusedAt(c, IMudSettlement.Changed.selector, 0);
        putItem(1, owner(0), 10, "sword");
        settlement.settleExecuted(c);
    }

    /// @dev Each record once, even when the first effect changed nothing: what would the second be compared with?
    function testFuzz_Attack20_EachRecordOnce(uint8 first, uint8 second) public {
        Effect[3] memory kinds = [setItem(1, owner(0), 10, "sword"), setItem(1, owner(2), 1, "other"), deleteItem(1)];
        Effect[] memory effects = new Effect[](3);
        (effects[0], effects[1], effects[2]) = (kinds[first % 3], deleteItem(2), kinds[second % 3]);
        Policy memory p = gamePolicy();
        p.permissions[3].perChannel = 5;
        setPolicy(p);
        _refusedAt(_claim(effects), IMudSettlement.Changed.selector, 2);
        assertEq(holderOf(1), owner(0));
        assertEq(holderOf(2), owner(1));
    }

    /// @dev An increment before a set changes the record; behind it, it adds to what was set.
    function test_Attack20_IncrementsAndSetsOfOneRecord() public {
        Policy memory p = gamePolicy();
        p.permissions[0] = Permission(ResourceId.unwrap(itemId), 2, 1, 0, 100, 100, 100);
        setPolicy(p);
        Effect memory more = Effect(2, ResourceId.unwrap(itemId), itemKey(1), abi.encode(uint8(1), int256(5)));
        _refusedAt(_claim(two(more, setItem(1, owner(0), 50, "sword"))), IMudSettlement.Changed.selector, 1);
        settlement.settleExecuted(_claim(two(setItem(1, owner(0), 50, "sword"), more)));
        assertEq(uint32(bytes4(world.getStaticField(itemId, itemKey(1), 1, world.getFieldLayout(itemId)))), 55);
    }

    /// @dev A System that the channel itself calls may sell the item in the same transaction.
    function test_Attack20_SoldByACallOfTheSameChannel() public {
        MarketSystem market = new MarketSystem();
        ResourceId marketId = WorldResourceIdLib.encode("sy", NAMESPACE, "Market");
        vm.prank(gameMaster);
        world.registerSystem(marketId, market, true);
        Policy memory p = gamePolicy();
        p.permissions[4] = Permission(ResourceId.unwrap(marketId), 3, 0, MarketSystem.sell.selector, 0, 0, 1);
        setPolicy(p);
        (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) = itemData(stranger, 10, "sword");
        bytes memory sell = abi.encodeCall(MarketSystem.sell, (itemId, itemKey(1), staticData, lengths, dynamicData));
        Effect memory e = Effect(3, ResourceId.unwrap(marketId), new bytes32[](0), sell);
        _refusedAt(_claim(two(e, setItem(1, owner(2), 99, "mine"))), IMudSettlement.Changed.selector, 1);
        assertEq(holderOf(1), owner(0));
        settlement.settleExecuted(_claim(two(setItem(1, owner(2), 99, "mine"), e)));
        assertEq(holderOf(1), stranger);
    }

    /* PERMISSIONS */

    function test_Attack22_SetAndDeleteAreCounted() public {
        Policy memory p = gamePolicy();
        (p.permissions[2].perChannel, p.permissions[3].perChannel) = (1, 1);
        setPolicy(p);
        _refusedAt(_claim(two(setItem(1, owner(2), 1, "a"), setItem(2, owner(2), 1, "b"))), IMudSettlement.EffectNotAllowed.selector, 1);
        _refusedAt(_claim(two(deleteItem(1), deleteItem(2))), IMudSettlement.EffectNotAllowed.selector, 1);
        settlement.settleExecuted(_claim(two(setItem(1, owner(2), 1, "a"), deleteItem(2))));
    }

    function test_Attack22_AttestorsNeverReplaceRecords() public {
        for (uint256 i; i < 2; ++i) {
            Game memory g = honest(buy(items(1, 3)), two(increment(0, XP, 1), i == 0 ? setItem(1, owner(2), 1, "x") : deleteItem(1)));
            Claim memory c = end(g);
            AttestorSignature[] memory attestors = attestGame(g);
            vm.expectRevert(abi.encodeWithSelector(IMudSettlement.EffectNotAllowed.selector, 1));
            settlement.settleAttested(c, attestors);
            execute(g);
            settlement.settleExecuted(c);
        }
        assertEq(read(0, XP), 2);
    }

    function test_PermissionOfAnotherTableOrOp() public {
        Effect memory e = deleteItem(1);
        (e.resourceId, e.key) = (ResourceId.unwrap(heroId), heroKey(0));
        _oneRefused(e, IMudSettlement.EffectNotAllowed.selector);
        Policy memory p = gamePolicy();
        p.permissions[3] = permission(KARMA);
        setPolicy(p);
        _oneRefused(deleteItem(1), IMudSettlement.EffectNotAllowed.selector);
    }

    /* ENCODING AND LAYOUT */

    function _withData(bytes memory data) internal view returns (Effect memory) {
        return Effect(0, ResourceId.unwrap(itemId), itemKey(1), data);
    }

    function testFuzz_Attack29_SetDataIsCanonical(uint256 at, uint8 bit) public {
        bytes memory data = setItem(1, owner(2), 1, "dagger").data;
        // Every bit outside of the record itself: offsets, lengths, padding.
        at = bound(at, 0, data.length - 1);
        bool content = (at >= 32 && at < 64) || (at >= 128 && at < 128 + 25) || (at >= 192 && at < 192 + 10);
        vm.assume(!content);
        data[at] ^= bytes1(uint8(1) << (bit % 8));
        Claim memory c = _claim(one(_withData(data)));
        // A length that takes some of the padding with it is canonical again: then it is the table that it does not fit.
        bool isLength = (at >= 96 && at < 128) || (at >= 160 && at < 192);
        try settlement.settleExecuted(c) {
            fail();
        } catch (bytes memory why) {
            bool ofLayout = isLength && bytes4(why) == IMudSettlement.BadLayout.selector;
            assertTrue(ofLayout || bytes4(why) == IMudSettlement.BadEffect.selector);
        }
    }

    function testFuzz_Attack29_JunkIsNoRecord(bytes memory data) public {
        vm.assume(data.length < 3000); // the dictionary holds the code of contracts
        _oneRefused(_withData(data), IMudSettlement.BadEffect.selector);
    }

    function test_Attack29_DeleteHasNoData() public {
        Effect memory e = deleteItem(1);
        e.data = hex"00";
        _oneRefused(e, IMudSettlement.BadEffect.selector);
    }

    function _layoutRefused(bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) internal {
        _oneRefused(_withData(abi.encode(staticData, lengths, dynamicData)), IMudSettlement.BadLayout.selector);
    }

    function test_Attack29_RecordsFitTheTable() public {
        (bytes memory s, EncodedLengths l, bytes memory d) = itemData(owner(2), 1, "dagger");
        _layoutRefused(bytes.concat(s, hex"00"), l, d);
        _layoutRefused(slice(s, 0, 24), l, d);
        _layoutRefused("", l, d);
        _layoutRefused(bytes.concat(slice(s, 0, 24), hex"02"), l, d); // bool
        _layoutRefused(s, l, bytes.concat(d, hex"00"));
        _layoutRefused(s, l, slice(d, 0, 9));
        _layoutRefused(s, EncodedLengths.wrap(0), d);
        _layoutRefused(s, EncodedLengthsLib.pack(3, 7), d); // one and a half runes
        _layoutRefused(s, EncodedLengthsLib.pack(4, 5, 1), d); // three dynamic fields
        _layoutRefused(s, EncodedLengths.wrap(bytes32(uint256(EncodedLengths.unwrap(l)) + 1)), d); // another total
        settlement.settleExecuted(_claim(one(_withData(abi.encode(s, EncodedLengthsLib.pack(10, 0), d))))); // five runes, no name
    }

    /* ONCE, ALL OR NONE, RETRYABLE */

    function _hook(RecordHook.Way way) internal returns (RecordHook hook) {
        hook = new RecordHook();
        hook.behave(way);
        vm.prank(gameMaster);
        world.registerStoreHook(itemId, hook, BEFORE_SET_RECORD);
    }

    function test_Attack16_HookThatRevertsIsRetried() public {
        RecordHook hook = _hook(RecordHook.Way.Revert);
        Claim memory c = _claim(two(increment(0, XP, 5), setItem(1, owner(2), 1, "x")));
        vm.expectRevert(bytes("hooked"));
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 0);
        assertEq(settlement.usedBy(keccak256(abi.encode(c.ticket))), 0);
        hook.behave(RecordHook.Way.Nothing);
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 5);
    }

    function test_Attack16_HookDoesNotReenter() public {
        RecordHook hook = _hook(RecordHook.Way.Strike);
        Claim memory a = _claim(one(setItem(1, owner(2), 1, "x")));
        Claim memory b = _claim(one(increment(0, XP, 5)));
        bytes[3] memory tries = [
            abi.encodeCall(settlement.settleExecuted, (b)),
            abi.encodeCall(settlement.settleOptimistic, (b)),
            abi.encodeCall(settlement.settleExecuted, (a))
        ];
        for (uint256 i; i < 3; ++i) {
            hook.aim(address(settlement), tries[i]);
        }
        settlement.settleExecuted(a);
        assertEq(hook.tried(), 3);
        assertEq(hook.succeeded(), 0);
        settlement.settleExecuted(b);
        assertEq(read(0, XP), 5);
    }

    function test_RetryableAfterAccessIsGranted() public {
        Claim memory c = _claim(two(increment(0, XP, 5), deleteItem(1)));
        vm.prank(gameMaster);
        world.revokeAccess(itemId, address(settlement));
        vm.expectRevert();
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 0);
        vm.prank(gameMaster);
        world.grantAccess(itemId, address(settlement));
        settlement.settleExecuted(c);
        assertEq(read(0, XP), 5);
    }
}

/// @dev Writes what it is told, in the name of the namespace.
contract MarketSystem is System {
    function sell(ResourceId table, bytes32[] calldata key, bytes calldata s, EncodedLengths l, bytes calldata d) external {
        IBaseWorld(_world()).setRecord(table, key, s, l, d);
    }
}
