// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Record, Ticket} from "../../src/interfaces/ITickets.sol";

/// @dev Genesis inputs of the raid with a ticket, as its Go package writes them and its module takes them: Solidity decodes
/// them and comes to the same hashes.
contract RaidTicketVectorsTest is Test {
    struct TicketCase {
        string name;
        bytes input;
        address[] owners;
        bytes32 ownersHash;
        uint256 dungeon;
        bytes32 configHash;
        bytes32 snapshot;
        bytes32 ticketHash;
        uint256 recordsCount;
        uint256[] amounts;
        uint256 maxRounds;
        bytes rooms;
    }

    string private constant SCHEMA = "TicketCase(string name,bytes input,address[] owners,bytes32 ownersHash,uint256 dungeon,bytes32 configHash,"
        "bytes32 snapshot,bytes32 ticketHash,uint256 recordsCount,uint256[] amounts,uint256 maxRounds,bytes rooms)";

    bytes32 private constant DUNGEON = bytes32(abi.encodePacked(bytes2("tb"), bytes14("raid"), bytes16("Dungeon")));
    bytes32 private constant LOOT = bytes32(abi.encodePacked(bytes2("tb"), bytes14("raid"), bytes16("Loot")));

    function test_F2_Attack20_GenesisInputsWithTickets() public view {
        string memory file = vm.readFile("examples/raid/testdata/ticket.json");
        TicketCase[] memory cases = abi.decode(vm.parseJsonTypeArray(file, ".cases", SCHEMA), (TicketCase[]));
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            this.check(cases[i]);
        }
    }

    function check(TicketCase calldata c) external pure {
        (,, bytes32 namespaceId, bytes32 configHash, bytes32 ticketHash) =
            abi.decode(c.input[:160], (address, address, bytes32, bytes32, bytes32));
        (bytes memory config, Ticket memory ticket, Record[] memory records) = abi.decode(c.input[160:], (bytes, Ticket, Record[]));
        assertEq(abi.encode(config, ticket, records), c.input[160:], c.name);

        assertEq(namespaceId, bytes32(abi.encodePacked(bytes2("ns"), bytes14("raid"))), c.name);
        assertEq(keccak256(config), configHash, c.name);
        assertEq(configHash, c.configHash, c.name);
        assertEq(ticket.configHash, c.configHash, c.name);
        assertEq(keccak256(abi.encode(ticket)), ticketHash, c.name);
        assertEq(ticketHash, c.ticketHash, c.name);
        assertEq(keccak256(abi.encode(ticket.world, ticket.block, records)), c.snapshot, c.name);
        assertEq(ticket.snapshot, c.snapshot, c.name);
        assertEq(keccak256(abi.encode(c.owners)), c.ownersHash, c.name);
        assertEq(ticket.ownersHash, c.ownersHash, c.name);
        _checkRecords(c, records);
    }

    function _checkRecords(TicketCase calldata c, Record[] memory records) internal pure {
        assertEq(records.length, c.recordsCount, c.name);
        assertEq(records.length, 1 + c.amounts.length, c.name);
        assertEq(records[0].resourceId, DUNGEON, c.name);
        assertEq(records[0].key.length, 1, c.name);
        assertEq(uint256(records[0].key[0]), c.dungeon, c.name);
        assertEq(records[0].staticData, abi.encodePacked(uint8(c.maxRounds)), c.name);
        assertEq(records[0].dynamicData, c.rooms, c.name);
        assertEq(uint256(records[0].encodedLengths), (c.rooms.length << 56) | c.rooms.length, c.name);
        for (uint256 k = 1; k < records.length; ++k) {
            assertEq(records[k].resourceId, LOOT, c.name);
            assertEq(records[k].key.length, 2, c.name);
            assertEq(uint256(records[k].key[1]), 1 + (k - 1) % 3, c.name);
            assertEq(records[k].staticData, abi.encodePacked(uint32(c.amounts[k - 1])), c.name);
            assertEq(records[k].encodedLengths, bytes32(0), c.name);
            assertEq(records[k].dynamicData.length, 0, c.name);
        }
    }
}
