// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {SchemaLib} from "@latticexyz/store/src/Schema.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {IPolicies, Policy} from "../src/interfaces/IPolicies.sol";
import {ITickets, Record, RecordKey, Ticket} from "../src/interfaces/ITickets.sol";
import {GameTest, Pass} from "./GameTest.sol";
import {FakeWorld} from "./mocks/FakeWorld.sol";

/// @dev Buying: the price, the policy, the owners, the snapshot.
/// forge-config: default.fuzz.runs = 64
contract TicketEnterTest is GameTest {
    function _enterRefused(address[] memory owners_, RecordKey[] memory keys, bytes memory revertData) internal {
        vm.prank(buyer);
        vm.expectRevert(revertData);
        tickets.enter{value: PRICE}(address(world), namespaceId, module, CONFIG, owners_, keys);
        assertEq(address(tickets).balance, 0);
        assertEq(tickets.entries(), 0);
    }

    function _badKeys(RecordKey[] memory keys, uint256 index) internal {
        _enterRefused(owners(2), keys, abi.encodeWithSelector(ITickets.BadKeys.selector, index));
    }

    /* WHAT WORKS */

    function test_Attack20_TicketIsOfExactlyThisMoment() public {
        putItem(1, owner(0), 10, "sword");
        putItem(2, owner(1), 20, "a shield whose name is longer than one word of storage can be");
        uint256 at = block.number;
        Pass memory pass = buy(items(1, 3));

        assertEq(pass.records.length, 3);
        for (uint256 i; i < 3; ++i) {
            assertEq(abi.encode(pass.records[i]), abi.encode(itemRecord(1 + i)));
        }
        assertEq(pass.records[2].staticData, new bytes(25)); // item 3 does not exist: zeros, and no dynamic data
        assertEq(pass.records[2].dynamicData, "");
        Ticket memory expected = Ticket({
            number: 1,
            world: address(world),
            namespaceId: namespaceId,
            moduleHash: module,
            configHash: CONFIG,
            revision: 2,
            block: at,
            ownersHash: keccak256(abi.encode(owners(3))),
            snapshot: keccak256(abi.encode(address(world), at, pass.records)),
            seed: blockhash(at + 2)
        });
        assertEq(abi.encode(pass.ticket), abi.encode(expected));
        assertEq(pass.hash, keccak256(abi.encode(expected)));
        assertTrue(tickets.isSealed(pass.hash));
    }

    function test_EnteredSaysEverything() public {
        putItem(1, owner(0), 10, "sword");
        Record[] memory records = new Record[](1);
        records[0] = itemRecord(1);
        Ticket memory t;
        (t.number, t.world, t.namespaceId, t.moduleHash, t.configHash) = (1, address(world), namespaceId, module, CONFIG);
        (t.revision, t.block, t.ownersHash) = (2, block.number, keccak256(abi.encode(owners(2))));
        t.snapshot = keccak256(abi.encode(address(world), block.number, records));
        address[] memory two_ = owners(2);
        vm.expectEmit(address(tickets));
        emit ITickets.Entered(1, address(world), namespaceId, block.number + 2, t, records);
        assertEq(enter(two_, items(1, 1)), 1);
        assertEq(tickets.entries(), 1);
        assertEq(enter(two_, items(1, 0)), 2);
    }

    function test_MostRecords() public {
        for (uint256 i; i < 32; ++i) {
            putItem(i, owner(0), 1, "a name of one and a half words, no more, no less");
        }
        Pass memory pass = buy(items(0, 32));
        assertEq(pass.records.length, 32);
        _badKeysLater(items(0, 33), 33);
    }

    function _badKeysLater(RecordKey[] memory keys, uint256 index) internal {
        address[] memory two_ = owners(2);
        vm.prank(buyer);
        vm.expectRevert(abi.encodeWithSelector(ITickets.BadKeys.selector, index));
        tickets.enter{value: PRICE}(address(world), namespaceId, module, CONFIG, two_, keys);
    }

    /// @dev The bound is on key, static and dynamic bytes together: 32 + 25 + 4 and the name.
    function test_MostBytes() public {
        putItem(1, owner(0), 1, string(new bytes(8 * 1024 - 61)));
        enter(owners(2), items(1, 1));
        _badKeysLater(items(1, 2), 1);
        putItem(1, owner(0), 1, string(new bytes(8 * 1024 - 60)));
        _badKeysLater(items(1, 1), 0);
    }

    /* THE PRICE */

    function testFuzz_Attack10_ExactlyThePrice(uint256 value) public {
        value = bound(value, 0, 1 ether);
        address[] memory two_ = owners(2);
        vm.prank(buyer);
        if (value != PRICE) vm.expectRevert(abi.encodeWithSelector(ITickets.WrongPrice.selector, PRICE));
        tickets.enter{value: value}(address(world), namespaceId, module, CONFIG, two_, items(1, 1));
        assertEq(address(tickets).balance, value == PRICE ? PRICE : 0);
        assertEq(tickets.credits(gameMaster), value == PRICE ? PRICE : 0);
    }

    function test_FreeTicketsCreditNobody() public {
        Policy memory p = gamePolicy();
        p.ticketPrice = 0;
        setPolicy(p);
        address[] memory two_ = owners(2);
        tickets.enter(address(world), namespaceId, module, CONFIG, two_, items(1, 1));
        assertEq(tickets.credits(gameMaster), 0);
        vm.expectRevert(abi.encodeWithSelector(ITickets.WrongPrice.selector, 0));
        tickets.enter{value: 1}(address(world), namespaceId, module, CONFIG, two_, items(1, 1));
    }

    function test_ThePriceGoesToWhoOwnsTheNamespaceNow() public {
        enter(owners(2), items(1, 1));
        vm.prank(gameMaster);
        world.transferOwnership(ResourceId.wrap(namespaceId), stranger);
        _refusedWith(IPolicies.NotAllowed.selector);
        setPolicyAs(stranger, gamePolicy());
        enter(owners(2), items(1, 1));
        assertEq(tickets.credits(gameMaster), PRICE);
        assertEq(tickets.credits(stranger), PRICE);
    }

    /* THE POLICY */

    function _refusedWith(bytes4 selector) internal {
        address[] memory two_ = owners(2);
        vm.prank(buyer);
        vm.expectRevert(selector);
        tickets.enter{value: PRICE}(address(world), namespaceId, module, CONFIG, two_, items(1, 1));
    }

    function test_Attack19_NoPolicyNoTicket() public {
        address[] memory two_ = owners(2);
        vm.startPrank(buyer);
        vm.expectRevert(IPolicies.NotAllowed.selector);
        tickets.enter{value: PRICE}(stranger, namespaceId, module, CONFIG, two_, items(1, 0));
        vm.expectRevert(IPolicies.NotAllowed.selector);
        tickets.enter{value: PRICE}(address(world), namespaceId, MODULE, CONFIG, two_, items(1, 0));
        vm.expectRevert(IPolicies.NotAllowed.selector);
        tickets.enter{value: PRICE}(address(world), namespaceId, module, bytes32(0), two_, items(1, 0));
        vm.stopPrank();
        Policy memory none;
        setPolicy(none);
        _refusedWith(IPolicies.NotAllowed.selector);
    }

    /* OWNERS */

    function testFuzz_Attack10_OwnerCount(uint8 n, uint8 zero) public {
        address[] memory all = owners(bound(n, 0, 20));
        bool ok = all.length >= 2 && all.length <= 16;
        if (ok && zero < all.length) (ok, all[zero]) = (false, address(0));
        if (ok) enter(all, items(1, 1));
        else _enterRefused(all, items(1, 1), abi.encodeWithSelector(ITickets.BadOwners.selector));
    }

    /* KEYS */

    function testFuzz_Attack20_NoRecordTwice(uint8 a, uint8 b) public {
        (a, b) = (a % 8, b % 8);
        vm.assume(a != b);
        RecordKey[] memory keys = items(1, 8);
        keys[a] = keys[b];
        _badKeys(keys, a > b ? a : b);
    }

    function testFuzz_Attack19_TablesOfTheNamespaceOnly(bytes14 other, bytes2 kind) public {
        RecordKey[] memory keys = items(1, 2);
        if (other != NAMESPACE) {
            keys[1].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("tb", other, "Item"));
            _badKeys(keys, 1);
        }
        if (kind != "tb") {
            keys[1].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode(kind, NAMESPACE, "Item"));
            _badKeys(keys, 1);
        }
    }

    function test_Attack19_NoTablesOfTheWorldItself() public {
        bytes14[3] memory core = [bytes14(""), bytes14("store"), bytes14("world")];
        for (uint256 i; i < 3; ++i) {
            RecordKey[] memory keys = items(1, 1);
            keys[0].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("tb", core[i], "NamespaceOwner"));
            keys[0].key[0] = namespaceId;
            _badKeys(keys, 0);
        }
    }

    function test_Attack20_TableMustExist() public {
        RecordKey[] memory keys = items(1, 1);
        keys[0].resourceId = ResourceId.unwrap(WorldResourceIdLib.encode("tb", NAMESPACE, "Nothing"));
        _badKeys(keys, 0);
    }

    /// @dev One record has one name: otherwise a module that reads the address only would count it twice.
    function testFuzz_Attack20_KeysAreOfTheTablesTypes(uint256 dirt, uint8 count) public {
        RecordKey[] memory keys = new RecordKey[](1);
        keys[0] = RecordKey(ResourceId.unwrap(heroId), heroKey(0));
        enter(owners(2), keys);
        keys[0].key[0] |= bytes32(bound(dirt, 1, type(uint96).max) << 160);
        _badKeysLater(keys, 0);
        keys[0].key = heroKey(0);
        keys[0].key[1] = bytes32(bound(dirt, uint256(1) << 32, type(uint256).max));
        _badKeysLater(keys, 0);
        count %= 8;
        if (count == 2) count = 3;
        keys[0].key = new bytes32[](count);
        _badKeysLater(keys, 0);
    }

    /* ATTACK 19: A WORLD IS WHATEVER SOMEBODY NAMES */

    function _fake() internal returns (FakeWorld fake) {
        SchemaType[] memory one_ = new SchemaType[](1);
        one_[0] = SchemaType.BYTES32;
        uint256[] memory lengths = new uint256[](1);
        lengths[0] = 32;
        fake = new FakeWorld(FieldLayoutLib.encode(lengths, 0), SchemaLib.encode(one_), SchemaLib.encode(one_));
        vm.prank(address(fake));
        policies.setPolicy(address(fake), namespaceId, module, CONFIG, gamePolicy());
    }

    function _enterFake(FakeWorld fake, uint256 count) internal returns (uint256) {
        return tickets.enter{value: PRICE}(address(fake), namespaceId, module, CONFIG, owners(2), items(1, count));
    }

    function test_Attack19_FakeWorldEarnsWhatItIsPaid() public {
        FakeWorld fake = _fake();
        enter(owners(2), items(1, 1));
        vm.deal(address(this), 1 ether);
        _enterFake(fake, 2);
        assertEq(tickets.credits(address(fake)), PRICE);
        assertEq(tickets.credits(gameMaster), PRICE);
        assertEq(address(tickets).balance, 2 * PRICE);
    }

    /// @dev While it is asked it cannot enter, withdraw or set a policy, nor do anything else that lasts.
    function test_Attack16_FakeWorldCannotReenter() public {
        FakeWorld fake = _fake();
        vm.deal(address(this), 1 ether);
        vm.deal(address(fake), 1 ether);
        address[] memory two_ = owners(2);
        bytes[3] memory tries = [
            abi.encodeCall(tickets.enter, (address(fake), namespaceId, module, CONFIG, two_, items(1, 0))),
            abi.encodeCall(tickets.withdraw, (stranger)),
            abi.encodeCall(tickets.seal, (1))
        ];
        _enterFake(fake, 0); // so that there is something to withdraw and to seal
        vm.roll(block.number + 3);
        for (uint256 i; i < tries.length; ++i) {
            fake.behave(FakeWorld.Way.Strike, address(tickets), tries[i]);
            _enterFake(fake, 2);
        }
        fake.behave(
            FakeWorld.Way.Strike,
            address(policies),
            abi.encodeCall(policies.setPolicy, (address(fake), namespaceId, module, CONFIG, gamePolicy()))
        );
        _enterFake(fake, 1);
        assertEq(tickets.entries(), 5);
        assertEq(tickets.credits(address(fake)), 5 * PRICE);
        assertEq(address(tickets).balance, 5 * PRICE);
    }

    function test_Attack19_FakeWorldThatRevertsDisownsOrBloats() public {
        FakeWorld fake = _fake();
        vm.deal(address(this), 1 ether);
        address[] memory two_ = owners(2);
        fake.behave(FakeWorld.Way.Revert, address(0), "");
        vm.expectRevert(bytes("no"));
        tickets.enter{value: PRICE}(address(fake), namespaceId, module, CONFIG, two_, items(1, 1));
        fake.behave(FakeWorld.Way.Disown, address(0), "");
        vm.expectRevert(IPolicies.NotAllowed.selector);
        tickets.enter{value: PRICE}(address(fake), namespaceId, module, CONFIG, two_, items(1, 1));
        fake.behave(FakeWorld.Way.Bloat, address(0), "");
        vm.expectRevert(abi.encodeWithSelector(ITickets.BadKeys.selector, 24)); // 332 bytes each
        tickets.enter{value: PRICE}(address(fake), namespaceId, module, CONFIG, two_, items(1, 32));
        assertEq(address(tickets).balance, 0);
    }
}
