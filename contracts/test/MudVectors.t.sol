// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";
import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {EncodedLengths, EncodedLengthsLib} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout, FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {IStoreEvents} from "@latticexyz/store/src/IStoreEvents.sol";
import {ResourceId, ResourceIdLib} from "@latticexyz/store/src/ResourceId.sol";
import {Schema, SchemaLib} from "@latticexyz/store/src/Schema.sol";
import {StoreCore, StoreCoreInternal} from "@latticexyz/store/src/StoreCore.sol";
import {WorldResourceIdInstance, WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {MudLayout} from "../src/lib/MudLayout.sol";

/// @notice MUD's Solidity libraries agree with the vectors that the Go package mudbridge is tested on
/// (mudbridge/testdata, written by MUD's TypeScript packages). This contract is a store itself, so that records and
/// their histories go through MUD's own storage and logs.
contract MudVectorsTest is Test {
    using WorldResourceIdInstance for ResourceId;

    function setUp() public {
        StoreCore.initialize();
        StoreCore.registerInternalTables();
    }

    function _load(string memory name) internal view returns (string memory) {
        return vm.readFile(string.concat(vm.projectRoot(), "/mudbridge/testdata/", name, ".json"));
    }

    function test_C3_SchemaTypes() public view {
        uint256[] memory lengths = vm.parseJsonUintArray(_load("schematypes"), ".lengths");
        assertEq(lengths.length, uint256(type(SchemaType).max) + 1);
        for (uint256 i; i < lengths.length; i++) {
            assertEq(SchemaType(i).getStaticByteLength(), lengths[i]);
        }
    }

    function test_C3_ResourceIds() public view {
        string memory json = _load("resources");
        string[] memory types = vm.parseJsonStringArray(json, ".types");
        string[] memory namespaces = vm.parseJsonStringArray(json, ".namespaces");
        string[] memory names = vm.parseJsonStringArray(json, ".names");
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".ids");
        bytes32[] memory namespaceIds = vm.parseJsonBytes32Array(json, ".namespaceIds");
        assertGt(ids.length, 0);
        for (uint256 i; i < ids.length; i++) {
            bytes2 typeId = bytes2(bytes(types[i]));
            bytes14 namespace = bytes14(bytes(namespaces[i]));
            bytes16 name = bytes16(bytes(names[i]));
            ResourceId id = WorldResourceIdLib.encode(typeId, namespace, name);
            assertEq(id.unwrap(), ids[i]);
            assertEq(ResourceIdLib.encode(typeId, bytes30(bytes.concat(namespace, name))).unwrap(), ids[i]);
            assertEq(id.getNamespaceId().unwrap(), namespaceIds[i]);
            assertEq(WorldResourceIdLib.encodeNamespace(namespace).unwrap(), namespaceIds[i]);
            assertEq(id.getType(), typeId);
            assertEq(id.getName(), name);
        }
    }

    function test_C3_SchemasAndFieldLayouts() public view {
        string memory json = _load("schemas");
        bytes[] memory typeBytes = vm.parseJsonBytesArray(json, ".typeBytes");
        bytes32[] memory schemas = vm.parseJsonBytes32Array(json, ".schemas");
        bytes32[] memory fieldLayouts = vm.parseJsonBytes32Array(json, ".fieldLayouts");
        assertGt(schemas.length, 200);
        for (uint256 i; i < schemas.length; i++) {
            SchemaType[] memory types = new SchemaType[](typeBytes[i].length);
            uint256 statics;
            for (uint256 j; j < types.length; j++) {
                types[j] = SchemaType(uint8(typeBytes[i][j]));
                if (types[j].getStaticByteLength() > 0) statics++;
            }
            Schema schema = SchemaLib.encode(types);
            assertEq(schema.unwrap(), schemas[i]);
            schema.validate(false);

            uint256[] memory lengths = new uint256[](statics);
            for (uint256 j; j < statics; j++) {
                lengths[j] = types[j].getStaticByteLength();
            }
            FieldLayout layout = FieldLayoutLib.encode(lengths, types.length - statics);
            assertEq(layout.unwrap(), fieldLayouts[i]);
            layout.validate();
        }
    }

    function test_C3_EncodedLengths() public view {
        string memory json = _load("lengths");
        bytes[] memory lists = vm.parseJsonBytesArray(json, ".lengths");
        bytes32[] memory encoded = vm.parseJsonBytes32Array(json, ".encodedLengths");
        assertGt(lists.length, 0);
        for (uint256 i; i < lists.length; i++) {
            uint256[] memory l = abi.decode(lists[i], (uint256[]));
            EncodedLengths packed = _pack(l);
            assertEq(packed.unwrap(), encoded[i]);
            uint256 total;
            for (uint8 j; j < l.length; j++) {
                assertEq(packed.atIndex(j), l[j]);
                total += l[j];
            }
            assertEq(packed.total(), total);
        }
    }

    function _pack(uint256[] memory l) internal pure returns (EncodedLengths) {
        if (l.length == 0) return EncodedLengths.wrap(0);
        if (l.length == 1) return EncodedLengthsLib.pack(l[0]);
        if (l.length == 2) return EncodedLengthsLib.pack(l[0], l[1]);
        if (l.length == 3) return EncodedLengthsLib.pack(l[0], l[1], l[2]);
        if (l.length == 4) return EncodedLengthsLib.pack(l[0], l[1], l[2], l[3]);
        return EncodedLengthsLib.pack(l[0], l[1], l[2], l[3], l[4]);
    }

    function test_C3_StorageSlots() public view {
        string memory json = _load("keys");
        bytes[] memory keyTuples = vm.parseJsonBytesArray(json, ".keyTuples");
        bytes32[] memory tableIds = vm.parseJsonBytes32Array(json, ".tableIds");
        bytes32[] memory staticSlots = vm.parseJsonBytes32Array(json, ".staticSlots");
        bytes32[] memory lengthSlots = vm.parseJsonBytes32Array(json, ".lengthSlots");
        bytes32[] memory dynamicSlots = vm.parseJsonBytes32Array(json, ".dynamicSlots3");
        assertGt(keyTuples.length, 200);
        for (uint256 i; i < keyTuples.length; i++) {
            ResourceId tableId = ResourceId.wrap(tableIds[i]);
            bytes32[] memory key = _words(keyTuples[i]);
            assertEq(bytes32(StoreCoreInternal._getStaticDataLocation(tableId, key)), staticSlots[i]);
            assertEq(bytes32(StoreCoreInternal._getDynamicDataLengthLocation(tableId, key)), lengthSlots[i]);
            assertEq(bytes32(StoreCoreInternal._getDynamicDataLocation(tableId, key, 3)), dynamicSlots[i]);
        }
    }

    function _words(bytes memory data) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](data.length / 32);
        for (uint256 i; i < words.length; i++) {
            bytes32 word;
            assembly {
                word := mload(add(data, mul(32, add(i, 1))))
            }
            words[i] = word;
        }
    }

    /// @dev Every record of the vectors, written into MUD's store and read back.
    function test_C3_Records() public {
        string memory json = _load("records");
        bytes32[] memory schemas = vm.parseJsonBytes32Array(json, ".schemas");
        bytes32[] memory fieldLayouts = vm.parseJsonBytes32Array(json, ".fieldLayouts");
        bytes[] memory staticData = vm.parseJsonBytesArray(json, ".staticData");
        bytes32[] memory encodedLengths = vm.parseJsonBytes32Array(json, ".encodedLengths");
        bytes[] memory dynamicData = vm.parseJsonBytesArray(json, ".dynamicData");
        assertGt(schemas.length, 500);
        bytes32[] memory key = new bytes32[](0);
        for (uint256 i; i < schemas.length; i++) {
            ResourceId tableId = _registerTable("R", i, schemas[i], fieldLayouts[i], 0);
            StoreCore.setRecord(tableId, key, staticData[i], EncodedLengths.wrap(encodedLengths[i]), dynamicData[i]);
            _assertRecord(tableId, key, staticData[i], encodedLengths[i], dynamicData[i]);
        }
    }

    /// @dev The settlement's check of records takes every record of the vectors, and none with a byte or a length too many.
    function test_C3_Attack29_RecordsFitTheirTables() public view {
        string memory json = _load("records");
        bytes32[] memory schemas = vm.parseJsonBytes32Array(json, ".schemas");
        bytes32[] memory layouts = vm.parseJsonBytes32Array(json, ".fieldLayouts");
        bytes[] memory staticData = vm.parseJsonBytesArray(json, ".staticData");
        bytes32[] memory lengths = vm.parseJsonBytes32Array(json, ".encodedLengths");
        bytes[] memory dynamicData = vm.parseJsonBytesArray(json, ".dynamicData");
        for (uint256 i; i < schemas.length; i++) {
            (FieldLayout layout, Schema schema) = (FieldLayout.wrap(layouts[i]), Schema.wrap(schemas[i]));
            EncodedLengths l = EncodedLengths.wrap(lengths[i]);
            assertTrue(MudLayout.fits(layout, schema, staticData[i], l, dynamicData[i]));
            assertFalse(MudLayout.fits(layout, schema, bytes.concat(staticData[i], hex"00"), l, dynamicData[i]));
            assertFalse(MudLayout.fits(layout, schema, staticData[i], l, bytes.concat(dynamicData[i], hex"00")));
            l = EncodedLengths.wrap(bytes32(uint256(lengths[i]) + 1));
            assertFalse(MudLayout.fits(layout, schema, staticData[i], l, bytes.concat(dynamicData[i], hex"00")));
        }
    }

    /// @dev Every history of the vectors, carried out by MUD's store, emits the logs of the vectors and ends in their record.
    function test_C3_Histories() public {
        string memory json = _load("histories");
        bytes32[] memory schemas = vm.parseJsonBytes32Array(json, ".schemas");
        bytes32[] memory fieldLayouts = vm.parseJsonBytes32Array(json, ".fieldLayouts");
        uint256[] memory logCounts = vm.parseJsonUintArray(json, ".logCounts");
        bytes32[] memory topics0 = vm.parseJsonBytes32Array(json, ".topics0");
        bytes[] memory data = vm.parseJsonBytesArray(json, ".data");
        Expected memory expected = Expected({
            staticData: vm.parseJsonBytesArray(json, ".staticData"),
            encodedLengths: vm.parseJsonBytes32Array(json, ".encodedLengths"),
            dynamicData: vm.parseJsonBytesArray(json, ".dynamicData")
        });
        assertGt(schemas.length, 0);
        uint256 next;
        for (uint256 i; i < schemas.length; i++) {
            // An address key: the vectors' logs name one.
            ResourceId tableId = _registerTable(
                "H", i, schemas[i], fieldLayouts[i], bytes32(0x0014010061000000000000000000000000000000000000000000000000000000)
            );
            bytes32[] memory key = abi.decode(data[next], (bytes32[]));
            for (uint256 j; j < logCounts[i]; j++) {
                vm.recordLogs();
                _carryOut(tableId, topics0[next], data[next]);
                Vm.Log[] memory logs = vm.getRecordedLogs();
                assertEq(logs.length, 1);
                assertEq(logs[0].topics[0], topics0[next]);
                assertEq(logs[0].topics[1], tableId.unwrap());
                assertEq(logs[0].data, data[next]);
                next++;
            }
            _assertRecord(tableId, key, expected.staticData[i], expected.encodedLengths[i], expected.dynamicData[i]);
        }
        assertEq(next, data.length);
    }

    struct Expected {
        bytes[] staticData;
        bytes32[] encodedLengths;
        bytes[] dynamicData;
    }

    /// @dev Does to the store what the log says was done.
    function _carryOut(ResourceId tableId, bytes32 topic0, bytes memory data) internal {
        if (topic0 == IStoreEvents.Store_SetRecord.selector) {
            (bytes32[] memory key, bytes memory staticData, bytes32 encodedLengths, bytes memory dynamicData) =
                abi.decode(data, (bytes32[], bytes, bytes32, bytes));
            StoreCore.setRecord(tableId, key, staticData, EncodedLengths.wrap(encodedLengths), dynamicData);
        } else if (topic0 == IStoreEvents.Store_SpliceStaticData.selector) {
            (bytes32[] memory key, uint48 start, bytes memory spliced) = abi.decode(data, (bytes32[], uint48, bytes));
            StoreCore.spliceStaticData(tableId, key, start, spliced);
        } else if (topic0 == IStoreEvents.Store_SpliceDynamicData.selector) {
            (bytes32[] memory key, uint8 field, uint48 start, uint40 deleteCount,, bytes memory spliced) =
                abi.decode(data, (bytes32[], uint8, uint48, uint40, bytes32, bytes));
            for (uint8 i; i < field; i++) {
                start -= uint48(StoreCore.getDynamicFieldLength(tableId, key, i));
            }
            StoreCore.spliceDynamicData(tableId, key, field, uint40(start), deleteCount, spliced);
        } else {
            assertEq(topic0, IStoreEvents.Store_DeleteRecord.selector);
            StoreCore.deleteRecord(tableId, abi.decode(data, (bytes32[])));
        }
    }

    function _registerTable(string memory prefix, uint256 i, bytes32 schema, bytes32 fieldLayout, bytes32 keySchema)
        internal
        returns (ResourceId tableId)
    {
        tableId = WorldResourceIdLib.encode("tb", "raid", bytes16(bytes(string.concat(prefix, vm.toString(i)))));
        StoreCore.registerTable(
            tableId,
            FieldLayout.wrap(fieldLayout),
            Schema.wrap(keySchema),
            Schema.wrap(schema),
            new string[](Schema.wrap(keySchema).numFields()),
            new string[](Schema.wrap(schema).numFields())
        );
    }

    function _assertRecord(
        ResourceId tableId,
        bytes32[] memory key,
        bytes memory staticData,
        bytes32 encodedLengths,
        bytes memory dynamicData
    ) internal view {
        (bytes memory gotStatic, EncodedLengths gotLengths, bytes memory gotDynamic) = StoreCore.getRecord(tableId, key);
        assertEq(gotStatic, staticData);
        assertEq(gotLengths.unwrap(), encodedLengths);
        assertEq(gotDynamic, dynamicData);
    }
}
