// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {EncodedLengths, EncodedLengthsLib} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {SchemaLib} from "@latticexyz/store/src/Schema.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";
import {Vm} from "forge-std/Vm.sol";

import {AttestorSignature, Claim} from "../src/interfaces/IMudSettlement.sol";
import {Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Chunk, Witness} from "../src/interfaces/IPublications.sol";
import {ITickets, Record, RecordKey, Ticket} from "../src/interfaces/ITickets.sol";
import {Journal} from "../src/lib/Journal.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Effect, Event, StateView, Update} from "../src/Types.sol";
import {Deal, Ending} from "./ChannelTest.sol";
import {Echo} from "./Echo.sol";
import {SettlementTest} from "./SettlementTest.sol";
import {GuildSystem} from "./mocks/GuildSystem.sol";

/// @dev A sealed ticket with its snapshot.
struct Pass {
    Ticket ticket;
    bytes32 hash;
    Record[] records;
}

/// @dev A channel with a whole journal. Index i is leaf i; leaf 0 is the genesis, which has no event.
struct Game {
    Deal d;
    Pass pass;
    bytes genesis;
    Event[] events;
    bytes[] states;
}

/// @dev Channels that are really played, with the echo module, over tickets and a table of items.
abstract contract GameTest is SettlementTest {
    uint256 internal constant PRICE = 0.01 ether;
    uint128 internal constant BOND = 1 ether;
    uint32 internal constant WINDOW = 1 days;
    uint256 private constant MAX_LEAVES = 8;

    /// @dev Key (bytes32); address owner, uint32 power, bool magic; uint16[] runes, string name.
    ResourceId internal itemId;
    address internal guardian = makeAddr("guardian");
    address internal buyer = makeAddr("buyer");

    function setUp() public virtual override {
        super.setUp();
        itemId = WorldResourceIdLib.encode("tb", NAMESPACE, "Item");
        buildItems(world);
        setPolicy(gamePolicy());
        vm.deal(buyer, 100 ether);
    }

    /* WORLD */

    function buildItems(IBaseWorld w) internal {
        SchemaType[] memory keys = new SchemaType[](1);
        keys[0] = SchemaType.BYTES32;
        SchemaType[] memory values = new SchemaType[](5);
        (values[0], values[1], values[2]) = (SchemaType.ADDRESS, SchemaType.UINT32, SchemaType.BOOL);
        (values[3], values[4]) = (SchemaType.UINT16_ARRAY, SchemaType.STRING);
        uint256[] memory lengths = new uint256[](3);
        (lengths[0], lengths[1], lengths[2]) = (20, 4, 1);
        vm.startPrank(gameMaster);
        w.registerTable(
            itemId, FieldLayoutLib.encode(lengths, 2), SchemaLib.encode(keys), SchemaLib.encode(values), new string[](1), new string[](5)
        );
        w.grantAccess(itemId, address(settlement));
        vm.stopPrank();
    }

    function itemKey(uint256 item) internal pure returns (bytes32[] memory k) {
        k = new bytes32[](1);
        k[0] = bytes32(item);
    }

    /// @dev Two runes and a name of any length.
    function itemData(address holder, uint32 power, string memory name)
        internal
        pure
        returns (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData)
    {
        staticData = abi.encodePacked(holder, power, true);
        lengths = EncodedLengthsLib.pack(4, bytes(name).length);
        dynamicData = abi.encodePacked(uint16(7), uint16(8), name);
    }

    /// @dev What the game itself does, behind the channels' back.
    function putItem(uint256 item, address holder, uint32 power, string memory name) internal {
        (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) = itemData(holder, power, name);
        vm.prank(gameMaster);
        world.setRecord(itemId, itemKey(item), staticData, lengths, dynamicData);
    }

    function itemRecord(uint256 item) internal view returns (Record memory r) {
        (r.resourceId, r.key) = (ResourceId.unwrap(itemId), itemKey(item));
        EncodedLengths lengths;
        (r.staticData, lengths, r.dynamicData) = world.getRecord(itemId, itemKey(item));
        r.encodedLengths = EncodedLengths.unwrap(lengths);
    }

    function holderOf(uint256 item) internal view returns (address) {
        return address(bytes20(world.getStaticField(itemId, itemKey(item), 0, world.getFieldLayout(itemId))));
    }

    /* POLICY */

    function recordPermission(uint8 op, uint128 perChannel) internal view returns (Permission memory) {
        return Permission(ResourceId.unwrap(itemId), op, 0, 0, 0, 0, perChannel);
    }

    /// @dev All modes, a ticket; XP, gold, items and awards.
    function gamePolicy() internal view returns (Policy memory p) {
        p = standardPolicy();
        p.modes = Modes.ALL;
        p.window = WINDOW;
        p.guardian = guardian;
        p.bond = BOND;
        p.maxJournalBytes = 100_000;
        p.needsTicket = true;
        p.ticketPrice = uint128(PRICE);
        p.permissions = new Permission[](5);
        (p.permissions[0], p.permissions[1]) = (permission(XP), permission(GOLD));
        (p.permissions[2], p.permissions[3]) = (recordPermission(0, 3), recordPermission(1, 2));
        p.permissions[4] = callPermission(GuildSystem.award.selector, 2);
    }

    /// @dev All modes without a ticket, so without set and delete.
    function openPolicy() internal view returns (Policy memory p) {
        p = gamePolicy();
        p.needsTicket = false;
        Permission[] memory all = p.permissions;
        p.permissions = new Permission[](3);
        (p.permissions[0], p.permissions[1], p.permissions[2]) = (all[0], all[1], all[4]);
    }

    /* EFFECTS */

    function setItem(uint256 item, address holder, uint32 power, string memory name) internal view returns (Effect memory) {
        (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData) = itemData(holder, power, name);
        return Effect(0, ResourceId.unwrap(itemId), itemKey(item), abi.encode(staticData, lengths, dynamicData));
    }

    function deleteItem(uint256 item) internal view returns (Effect memory) {
        return Effect(1, ResourceId.unwrap(itemId), itemKey(item), "");
    }

    /* TICKETS */

    function owners(uint256 n) internal returns (address[] memory all) {
        all = new address[](n);
        for (uint256 i; i < n; ++i) {
            all[i] = owner(i);
        }
    }

    function items(uint256 first, uint256 count) internal view returns (RecordKey[] memory keys) {
        keys = new RecordKey[](count);
        for (uint256 i; i < count; ++i) {
            keys[i] = RecordKey(ResourceId.unwrap(itemId), itemKey(first + i));
        }
    }

    function enter(address[] memory owners_, RecordKey[] memory keys) internal returns (uint256) {
        vm.prank(buyer);
        return tickets.enter{value: PRICE}(address(world), namespaceId, module, CONFIG, owners_, keys);
    }

    /// @dev A sealed ticket for the three owners, with its records from the log.
    function buy(RecordKey[] memory keys) internal returns (Pass memory pass) {
        vm.recordLogs();
        uint256 number = enter(owners(3), keys);
        vm.roll(block.number + 3);
        pass.hash = tickets.seal(number);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == ITickets.Entered.selector) (,, pass.records) = abi.decode(logs[i].data, (uint256, Ticket, Record[]));
            if (logs[i].topics[0] == ITickets.Sealed.selector) pass.ticket = abi.decode(logs[i].data, (Ticket));
        }
    }

    /* PLAY */

    /// @dev Leaf 0 of a channel of three with this ticket (none: hash 0).
    function begin(Pass memory pass) internal returns (Game memory g) {
        return beginWith(deal(3), pass, abi.encode(address(settlement), address(world), namespaceId, CONFIG, pass.hash));
    }

    function beginWith(Deal memory d, Pass memory pass, bytes memory head) internal view returns (Game memory g) {
        (g.d, g.pass) = (d, pass);
        bytes memory funds = toBytes(winner(d, 0));
        g.genesis = Echo.genesis(head, bytes.concat(bytes1(0), funds, "begin"));
        d.params.moduleHash = module;
        d.params.genesisHash = keccak256(g.genesis);
        g.events = new Event[](1);
        g.states = new bytes[](1);
        g.states[0] = bytes.concat(new bytes((d.params.participants.length + 3) * 32), funds, "begin");
    }

    /// @dev One more leaf, right by the module: it does what the payload says.
    function play(Game memory g, uint8 author, bool terminal, bytes memory app) internal view {
        Event memory e;
        (e.channelId, e.author, e.nonce, e.timestamp) = (idOf(g.d), author, 1, uint64(block.timestamp));
        for (uint256 i = 1; i < g.events.length; ++i) {
            if (g.events[i].author == author) ++e.nonce;
        }
        bytes memory funds = toBytes(winner(g.d, author));
        e.payload = bytes.concat(bytes1(terminal ? 1 : 0), funds, app);
        uint256 n = g.d.params.participants.length;
        uint256[] memory words = new uint256[](n + 3);
        (words[0], words[1 + author]) = (block.timestamp, e.nonce);
        for (uint256 i = 1; i < g.events.length; ++i) {
            if (g.events[i].author != author && words[1 + g.events[i].author] < g.events[i].nonce) {
                words[1 + g.events[i].author] = g.events[i].nonce;
            }
        }
        if (terminal) words[n + 2] = 1;
        push(g, e, bytes.concat(toBytes(words), funds, app));
    }

    function push(Game memory g, Event memory e, bytes memory state) internal pure {
        Event[] memory events = new Event[](g.events.length + 1);
        bytes[] memory states = new bytes[](g.events.length + 1);
        for (uint256 i; i < g.events.length; ++i) {
            (events[i], states[i]) = (g.events[i], g.states[i]);
        }
        (events[g.events.length], states[g.events.length]) = (e, state);
        (g.events, g.states) = (events, states);
    }

    /// @dev A journal of three leaves with these effects: all of them right.
    function honest(Pass memory pass, Effect[] memory effects) internal returns (Game memory g) {
        g = begin(pass);
        play(g, 1, false, "round 1");
        play(g, 0, true, Echo.app(effects));
    }

    /// @dev The same, but everybody signs a last state with other effects than those that the event gives.
    function forged(Pass memory pass, Effect[] memory derived, Effect[] memory claimed) internal returns (Game memory g) {
        g = honest(pass, derived);
        bytes memory funds = toBytes(winner(g.d, 0));
        bytes memory state = g.states[2];
        bytes memory header = new bytes((g.d.params.participants.length + 3) * 32);
        for (uint256 i; i < header.length; ++i) {
            header[i] = state[i];
        }
        g.states[2] = bytes.concat(header, funds, Echo.app(claimed));
    }

    /* JOURNAL */

    function stateHashOf(Game memory g, uint256 i) internal view returns (bytes32) {
        return derivation.stateHash(g.d.params, g.d.funding, g.states[i]);
    }

    function eventHashOf(Game memory g, uint256 i) internal pure returns (bytes32) {
        return i == 0 ? g.d.params.genesisHash : Messages.hash(g.events[i]);
    }

    function leaves(Game memory g) internal view returns (bytes32[] memory all) {
        all = new bytes32[](g.events.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = Journal.leaf(eventHashOf(g, i), stateHashOf(g, i));
        }
    }

    /// @dev RFC 9162 §2.1.1, as it is written there.
    function rootOf(bytes32[] memory all, uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return all[from];
        uint256 k = 1;
        while (k * 2 < to - from) {
            k *= 2;
        }
        return Journal.node(rootOf(all, from, from + k), rootOf(all, from + k, to));
    }

    /// @dev RFC 9162 §2.1.3.1: the siblings of leaf `index`, from the leaf upwards.
    function proofOf(bytes32[] memory all, uint256 index) internal pure returns (bytes32[] memory proof) {
        bytes32[] memory path = new bytes32[](MAX_LEAVES);
        uint256 length = _path(all, index, 0, all.length, path);
        proof = new bytes32[](length);
        for (uint256 i; i < length; ++i) {
            proof[i] = path[i];
        }
    }

    function _path(bytes32[] memory all, uint256 index, uint256 from, uint256 to, bytes32[] memory path)
        private
        pure
        returns (uint256 length)
    {
        if (to - from == 1) return 0;
        uint256 k = 1;
        while (k * 2 < to - from) {
            k *= 2;
        }
        bool left = index < from + k;
        length = left ? _path(all, index, from, from + k, path) : _path(all, index, from + k, to, path);
        path[length] = left ? rootOf(all, from + k, to) : rootOf(all, from, from + k);
        return length + 1;
    }

    function updateOf(Game memory g) internal view returns (Update memory) {
        uint256 last = g.events.length - 1;
        return Update(idOf(g.d), uint64(last), rootOf(leaves(g), 0, last + 1), stateHashOf(g, last));
    }

    /* ENDING */

    /// @dev Funds the channel and concludes it with the journal's head, signed by all.
    function end(Game memory g) internal returns (Claim memory) {
        fund(g.d);
        return endFunded(g);
    }

    function endFunded(Game memory g) internal returns (Claim memory c) {
        Ending memory e;
        e.update = updateOf(g);
        e.state = viewOf(g);
        signUpdate(g.d, e);
        conclude(g.d, e);
        return claimOfGame(g);
    }

    function claimOfGame(Game memory g) internal pure returns (Claim memory c) {
        c.params = g.d.params;
        c.funding = g.d.funding;
        c.state = g.states[g.states.length - 1];
        c.genesisInput = g.genesis;
        c.joins = new bytes[](g.d.params.participants.length);
        c.ticket = g.pass.ticket;
        c.snapshot = g.pass.records;
    }

    function viewOf(Game memory g) internal pure returns (StateView memory s) {
        bytes memory state = g.states[g.states.length - 1];
        uint256 header = (g.d.params.participants.length + 3) * 32;
        uint256 app = header + g.d.funding.length * (g.d.params.participants.length + g.d.params.beneficiaries.length) * 32;
        s.header = slice(state, 0, header);
        s.funds = slice(state, header, app);
        s.appHash = keccak256(slice(state, app, state.length));
    }

    function slice(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i; i < part.length; ++i) {
            part[i] = data[from + i];
        }
    }

    /* PROOF */

    /// @dev The first two attestors sign the journal, whatever it says.
    function attestGame(Game memory g) internal view returns (AttestorSignature[] memory all) {
        Ending memory e;
        e.update = updateOf(g);
        all = new AttestorSignature[](2);
        (all[0], all[1]) = (attestation(0, e), attestation(1, e));
    }

    /// @dev Proves the last leaf wrong.
    function disprove(Game memory g) internal {
        uint256 last = g.events.length - 1;
        bytes32[] memory all = leaves(g);
        Witness memory w = Witness({
            index: uint64(last),
            entry: bytes.concat(bytes1(0), abi.encode(g.events[last])),
            stateHash: stateHashOf(g, last),
            proof: proofOf(all, last),
            previousEventHash: eventHashOf(g, last - 1),
            previousProof: proofOf(all, last - 1),
            previousState: g.states[last - 1]
        });
        vm.prank(makeAddr("verifier"));
        publications.disprove(g.d.params, g.d.funding, w);
    }

    /* PUBLISHING AND EXECUTING */

    function entriesOf(Game memory g, uint256 from, uint256 to, bool withStates) internal view returns (bytes memory entries) {
        for (uint256 i = from == 0 ? 1 : from; i < to; ++i) {
            Event memory e = g.events[i];
            entries = bytes.concat(
                entries,
                abi.encodePacked(uint8(0), e.author, e.nonce, e.notAfter, e.timestamp, uint16(e.payload.length), e.payload),
                withStates ? bytes.concat(stateHashOf(g, i)) : bytes("")
            );
        }
    }

    function publish(Game memory g) internal {
        bytes32 first = stateHashOf(g, 0);
        Chunk memory chunk = Chunk(0, new bytes32[](0), entriesOf(g, 0, g.events.length, true));
        vm.deal(stranger, BOND);
        vm.prank(stranger);
        publications.publish{value: BOND}(g.d.params, g.d.funding, g.genesis, first, chunk);
    }

    function execute(Game memory g) internal {
        publications.execute(g.d.params, g.d.funding, g.genesis, "", Chunk(0, new bytes32[](0), entriesOf(g, 0, g.events.length, false)));
    }
}
