// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId, ResourceIdInstance} from "@latticexyz/store/src/ResourceId.sol";
import {RESOURCE_TABLE} from "@latticexyz/store/src/storeResourceTypes.sol";
import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {NamespaceOwner} from "@latticexyz/world/src/codegen/tables/NamespaceOwner.sol";
import {ROOT_NAMESPACE_ID, STORE_NAMESPACE_ID, WORLD_NAMESPACE_ID} from "@latticexyz/world/src/constants.sol";
import {WorldResourceIdInstance} from "@latticexyz/world/src/WorldResourceId.sol";
import {RESOURCE_NAMESPACE, RESOURCE_SYSTEM} from "@latticexyz/world/src/worldResourceTypes.sol";
import {IMudSettlement} from "../interfaces/IMudSettlement.sol";
import {Record} from "../interfaces/ITickets.sol";
import {MudLayout} from "./MudLayout.sol";

/// @notice Reads and writes of a MUD World from outside it. MUD itself checks little of what it is told to write: it
/// takes the caller's layout and key as they are. So the layout is read from the World and compared first.
library MudWorld {
    using WorldResourceIdInstance for ResourceId;
    using ResourceIdInstance for ResourceId;

    uint256 private constant BITS = 8;

    /* IDS */

    /// @dev Root, `store` and `world` hold the World's own tables (owners, grants, systems): writing there is owning it.
    function isSafeNamespace(bytes32 namespaceId) internal pure returns (bool) {
        ResourceId id = ResourceId.wrap(namespaceId);
        return ResourceId.unwrap(id.getNamespaceId()) == namespaceId && id.getType() == RESOURCE_NAMESPACE
            && namespaceId != ResourceId.unwrap(ROOT_NAMESPACE_ID) && namespaceId != ResourceId.unwrap(STORE_NAMESPACE_ID)
            && namespaceId != ResourceId.unwrap(WORLD_NAMESPACE_ID);
    }

    function isTableOf(bytes32 resourceId, bytes32 namespaceId) internal pure returns (bool) {
        ResourceId id = ResourceId.wrap(resourceId);
        return id.getType() == RESOURCE_TABLE && ResourceId.unwrap(id.getNamespaceId()) == namespaceId;
    }

    function isSystemOf(bytes32 resourceId, bytes32 namespaceId) internal pure returns (bool) {
        ResourceId id = ResourceId.wrap(resourceId);
        return id.getType() == RESOURCE_SYSTEM && ResourceId.unwrap(id.getNamespaceId()) == namespaceId;
    }

    /* READS */

    /// @dev Zero for a namespace that is not registered.
    function namespaceOwner(address world, bytes32 namespaceId) internal view returns (address) {
        bytes32[] memory key = new bytes32[](1);
        key[0] = namespaceId;
        return address(bytes20(IBaseWorld(world).getStaticField(NamespaceOwner._tableId, key, 0, NamespaceOwner._fieldLayout)));
    }

    /// @return ok Whether the table exists and has such keys.
    function layoutOf(address world, bytes32 table, bytes32[] memory key) internal view returns (bool ok, FieldLayout layout) {
        layout = IBaseWorld(world).getFieldLayout(ResourceId.wrap(table));
        ok = !layout.isEmpty() && MudLayout.isKey(IBaseWorld(world).getKeySchema(ResourceId.wrap(table)), key);
    }

    /// @dev A record that does not exist reads as zeros and empty.
    function read(address world, bytes32 table, bytes32[] memory key, FieldLayout layout) internal view returns (Record memory r) {
        (r.resourceId, r.key) = (table, key);
        EncodedLengths lengths;
        (r.staticData, lengths, r.dynamicData) = IBaseWorld(world).getRecord(ResourceId.wrap(table), key, layout);
        r.encodedLengths = EncodedLengths.unwrap(lengths);
    }

    /* WRITES: `at` is the effect's index, for errors */

    /// @dev Replaces a record that still is what it was.
    function set(address world, Record memory was, bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData, uint256 at)
        internal
    {
        ResourceId tableId = ResourceId.wrap(was.resourceId);
        FieldLayout layout = _requireUnchanged(world, was, at);
        if (!MudLayout.fits(layout, IBaseWorld(world).getValueSchema(tableId), staticData, lengths, dynamicData)) {
            revert IMudSettlement.BadLayout(at);
        }
        IBaseWorld(world).setRecord(tableId, was.key, staticData, lengths, dynamicData);
    }

    /// @dev Deletes a record that still is what it was.
    function remove(address world, Record memory was, uint256 at) internal {
        _requireUnchanged(world, was, at);
        IBaseWorld(world).deleteRecord(ResourceId.wrap(was.resourceId), was.key);
    }

    function _requireUnchanged(address world, Record memory was, uint256 at) private view returns (FieldLayout layout) {
        bool ok;
        (ok, layout) = layoutOf(world, was.resourceId, was.key);
        if (!ok) revert IMudSettlement.BadLayout(at);
        Record memory now_ = read(world, was.resourceId, was.key, layout);
        if (keccak256(abi.encode(now_)) != keccak256(abi.encode(was))) revert IMudSettlement.Changed(at);
    }

    /// @dev Adds `delta` to a static integer field.
    function increment(address world, bytes32 table, bytes32[] memory key, uint8 field, int256 delta, uint256 at) internal {
        ResourceId tableId = ResourceId.wrap(table);
        (bool ok, FieldLayout layout) = layoutOf(world, table, key);
        if (!ok || field >= layout.numStaticFields()) revert IMudSettlement.BadLayout(at);
        SchemaType kind = IBaseWorld(world).getValueSchema(tableId).atIndex(field);
        uint256 width = layout.atIndex(field) * BITS;
        if (kind > SchemaType.INT256 || kind.getStaticByteLength() * BITS != width) revert IMudSettlement.BadLayout(at);

        // The field is left-aligned and followed by its neighbours.
        bytes32 stored = IBaseWorld(world).getStaticField(tableId, key, field, layout);
        uint256 value;
        (ok, value) = kind <= SchemaType.UINT256 ? addUnsigned(stored, delta, width) : addSigned(stored, delta, width);
        if (!ok) revert IMudSettlement.OutOfRange(at);
        IBaseWorld(world).setStaticField(tableId, key, field, toField(value, width), layout);
    }

    /* ARITHMETIC */

    /// @dev `stored` holds a uint of `width` bits in its highest bits.
    function addUnsigned(bytes32 stored, int256 delta, uint256 width) internal pure returns (bool, uint256) {
        uint256 value = uint256(stored) >> (256 - width);
        uint256 size = magnitude(delta);
        if (delta < 0) return size > value ? (false, 0) : (true, value - size);
        uint256 max = type(uint256).max >> (256 - width);
        return size > max - value ? (false, 0) : (true, value + size);
    }

    /// @dev `stored` holds an int of `width` bits in its highest bits; the result is its two's complement.
    function addSigned(bytes32 stored, int256 delta, uint256 width) internal pure returns (bool, uint256) {
        unchecked {
            int256 value = int256(uint256(stored)) >> (256 - width);
            int256 sum = value + delta;
            if ((delta >= 0) != (sum >= value)) return (false, 0);
            int256 max = int256(type(uint256).max >> (257 - width));
            return sum > max || sum < -max - 1 ? (false, 0) : (true, uint256(sum));
        }
    }

    /// @dev |delta|, also for the smallest int256.
    function magnitude(int256 delta) internal pure returns (uint256) {
        unchecked {
            return delta < 0 ? 0 - uint256(delta) : uint256(delta);
        }
    }

    /// @dev The lowest `width` bits, big-endian, as MUD stores a static field.
    function toField(uint256 value, uint256 width) internal pure returns (bytes memory data) {
        data = new bytes(width / BITS);
        assembly ("memory-safe") {
            // `data` has a whole word of room: memory is allocated in words.
            mstore(add(data, 0x20), shl(sub(256, width), value))
        }
    }
}
