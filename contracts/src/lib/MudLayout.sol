// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {Schema} from "@latticexyz/store/src/Schema.sol";
import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";

/// @notice Whether keys and records are what a table's types can hold. A Store takes any words and bytes: a key with dirty upper
/// bits is a record that no typed table finds again, and a bool of 2 is one that Solidity treats as neither true nor false.
library MudLayout {
    uint256 private constant BITS = 8;
    uint256 private constant MAX_DYNAMIC_FIELDS = 5;

    /// @dev Each word is what abi.encode gives for a value of the field's type, as MUD's own tables make keys.
    function isKey(Schema keySchema, bytes32[] memory key) internal pure returns (bool) {
        if (key.length != keySchema.numFields()) return false;
        for (uint256 i; i < key.length; ++i) {
            if (!_isWord(keySchema.atIndex(i), uint256(key[i]))) return false;
        }
        return true;
    }

    function _isWord(SchemaType kind, uint256 word) private pure returns (bool) {
        uint256 width = kind.getStaticByteLength() * BITS;
        if (kind <= SchemaType.UINT256) return word >> width == 0;
        if (kind <= SchemaType.INT256) return uint256(int256(word << (256 - width)) >> (256 - width)) == word;
        if (kind <= SchemaType.BYTES32) return word << width == 0;
        if (kind == SchemaType.BOOL) return word <= 1;
        return kind == SchemaType.ADDRESS && word >> width == 0;
    }

    /// @dev A whole record of a table: lengths of all fields, whole elements of arrays, bools 0 or 1.
    function fits(FieldLayout layout, Schema schema, bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData)
        internal
        pure
        returns (bool)
    {
        if (schema.numStaticFields() != layout.numStaticFields() || schema.numDynamicFields() != layout.numDynamicFields()) {
            return false;
        }
        return _fitsStatic(layout, schema, staticData) && _fitsDynamic(schema, lengths, dynamicData);
    }

    function _fitsStatic(FieldLayout layout, Schema schema, bytes memory data) private pure returns (bool) {
        uint256 at;
        for (uint256 i; i < layout.numStaticFields(); ++i) {
            SchemaType kind = schema.atIndex(i);
            uint256 length = layout.atIndex(i);
            if (kind.getStaticByteLength() != length || at + length > data.length) return false;
            if (kind == SchemaType.BOOL && uint8(data[at]) > 1) return false;
            at += length;
        }
        return at == data.length;
    }

    function _fitsDynamic(Schema schema, EncodedLengths lengths, bytes memory data) private pure returns (bool) {
        uint256 first = schema.numStaticFields();
        uint256 fields = schema.numDynamicFields();
        uint256 at;
        for (uint256 i; i < MAX_DYNAMIC_FIELDS; ++i) {
            uint256 length = lengths.atIndex(uint8(i));
            if (i >= fields) {
                if (length != 0) return false;
                continue;
            }
            if (length > data.length - at || !_fitsArray(schema.atIndex(first + i), data, at, length)) return false;
            at += length;
        }
        return at == data.length && lengths.total() == at;
    }

    /// @dev The field at data[at : at + length], which exists.
    function _fitsArray(SchemaType kind, bytes memory data, uint256 at, uint256 length) private pure returns (bool) {
        if (kind < SchemaType.UINT8_ARRAY) return false;
        if (kind >= SchemaType.BYTES) return true;
        // The arrays are in the order of their elements.
        SchemaType element = SchemaType(uint8(kind) - uint8(SchemaType.UINT8_ARRAY));
        if (length % element.getStaticByteLength() != 0) return false;
        if (element != SchemaType.BOOL) return true;
        for (uint256 i; i < length; ++i) {
            if (uint8(data[at + i]) > 1) return false;
        }
        return true;
    }
}
