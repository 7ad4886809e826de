// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId, ResourceIdLib, ResourceIdInstance} from "@latticexyz/store/src/ResourceId.sol";
import {Schema} from "@latticexyz/store/src/Schema.sol";
import {RESOURCE_TABLE} from "@latticexyz/store/src/storeResourceTypes.sol";
import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {NamespaceOwner} from "@latticexyz/world/src/codegen/tables/NamespaceOwner.sol";
import {ROOT_NAMESPACE_ID, STORE_NAMESPACE_ID, WORLD_NAMESPACE_ID} from "@latticexyz/world/src/constants.sol";
import {WorldResourceIdInstance} from "@latticexyz/world/src/WorldResourceId.sol";
import {RESOURCE_NAMESPACE, RESOURCE_SYSTEM} from "@latticexyz/world/src/worldResourceTypes.sol";
import {IMudSettlement} from "../interfaces/IMudSettlement.sol";

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

    /* WRITES */

    /// @dev Adds `delta` to a static integer field of a table that exists. `at` is the effect's index, for errors.
    function increment(address world, bytes32 table, bytes32[] memory key, uint8 field, int256 delta, uint256 at) internal {
        ResourceId tableId = ResourceId.wrap(table);
        FieldLayout layout = IBaseWorld(world).getFieldLayout(tableId);
        if (layout.isEmpty() || field >= layout.numStaticFields()) revert IMudSettlement.BadLayout(at);
        if (IBaseWorld(world).getKeySchema(tableId).numFields() != key.length) revert IMudSettlement.BadLayout(at);
        SchemaType kind = IBaseWorld(world).getValueSchema(tableId).atIndex(field);
        uint256 width = layout.atIndex(field) * BITS;
        if (kind > SchemaType.INT256 || kind.getStaticByteLength() * BITS != width) revert IMudSettlement.BadLayout(at);

        // The field is left-aligned and followed by its neighbours.
        bytes32 stored = IBaseWorld(world).getStaticField(tableId, key, field, layout);
        (bool ok, uint256 value) = kind <= SchemaType.UINT256 ? addUnsigned(stored, delta, width) : addSigned(stored, delta, width);
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
