// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {EncodedLengths, EncodedLengthsLib} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout, FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {Schema, SchemaLib} from "@latticexyz/store/src/Schema.sol";
import {Test} from "forge-std/Test.sol";

import {MudLayout} from "../src/lib/MudLayout.sol";
import {MudRecords} from "../src/lib/MudRecords.sol";

/// @dev Keys, records and their encoding, against what Solidity itself encodes.
contract MudLayoutTest is Test {
    function _schema(SchemaType kind) internal pure returns (Schema) {
        SchemaType[] memory one = new SchemaType[](1);
        one[0] = kind;
        return SchemaLib.encode(one);
    }

    function _isKey(SchemaType kind, bytes32 word) internal pure returns (bool) {
        bytes32[] memory key = new bytes32[](1);
        key[0] = word;
        return MudLayout.isKey(_schema(kind), key);
    }

    /* KEYS */

    /// @dev abi.decode of the standard library is the oracle: it refuses dirty words of every static type.
    function testFuzz_Attack29_KeyWordsAreThoseThatSolidityDecodes(uint8 kind, uint256 word, uint8 shift, bool negate) public view {
        kind %= 98;
        word >>= shift;
        if (negate) word = ~word;
        if (kind >= 64 && kind < 96) word <<= shift; // bytesN are on the left
        bool ok;
        try this.decodes(SchemaType(kind), bytes32(word)) returns (bool fits) {
            ok = fits;
        } catch {}
        assertEq(_isKey(SchemaType(kind), bytes32(word)), ok);
    }

    /// @dev Some widths by the compiler's own check; the rest by its definition.
    function decodes(SchemaType kind, bytes32 word) external pure returns (bool) {
        bytes memory b = abi.encode(word);
        if (kind == SchemaType.UINT8) return abi.decode(b, (uint8)) >= 0;
        if (kind == SchemaType.UINT24) return abi.decode(b, (uint24)) >= 0;
        if (kind == SchemaType.UINT32) return abi.decode(b, (uint32)) >= 0;
        if (kind == SchemaType.UINT256) return true;
        if (kind == SchemaType.INT8) return abi.decode(b, (int8)) == int256(uint256(word));
        if (kind == SchemaType.INT64) return abi.decode(b, (int64)) == int256(uint256(word));
        if (kind == SchemaType.INT256) return true;
        if (kind == SchemaType.BYTES1) return abi.decode(b, (bytes1)) == word;
        if (kind == SchemaType.BYTES20) return abi.decode(b, (bytes20)) == word;
        if (kind == SchemaType.BYTES32) return true;
        if (kind == SchemaType.BOOL) return abi.decode(b, (bool)) || word == 0;
        if (kind == SchemaType.ADDRESS) return abi.decode(b, (address)) == address(uint160(uint256(word)));
        uint256 bits = (uint256(uint8(kind)) % 32 + 1) * 8;
        if (kind < SchemaType.INT8) return uint256(word) <= type(uint256).max >> (256 - bits);
        if (kind < SchemaType.BYTES1) {
            int256 value = int256(uint256(word));
            int256 max = int256(type(uint256).max >> (257 - bits));
            return value <= max && value >= -max - 1;
        }
        return word & bytes32(type(uint256).max >> bits) == 0;
    }

    function testFuzz_Attack29_KeyCount(uint8 fields, uint8 words) public pure {
        fields %= 6;
        words %= 8;
        SchemaType[] memory kinds = new SchemaType[](fields);
        assertEq(MudLayout.isKey(SchemaLib.encode(kinds), new bytes32[](words)), fields == words);
    }

    function test_Attack29_DynamicTypesAreNoKeys() public pure {
        // MUD's own World does not register such a key; another World may say that it did.
        assertFalse(_isKey(SchemaType.STRING, 0));
        assertFalse(_isKey(SchemaType.UINT8_ARRAY, 0));
    }

    /* RECORDS */

    /// @dev uint16, bool; bool[], uint24[], bytes.
    function _table() internal pure returns (FieldLayout layout, Schema schema) {
        SchemaType[] memory kinds = new SchemaType[](5);
        (kinds[0], kinds[1]) = (SchemaType.UINT16, SchemaType.BOOL);
        (kinds[2], kinds[3], kinds[4]) = (SchemaType.BOOL_ARRAY, SchemaType.UINT24_ARRAY, SchemaType.BYTES);
        uint256[] memory lengths = new uint256[](2);
        (lengths[0], lengths[1]) = (2, 1);
        return (FieldLayoutLib.encode(lengths, 3), SchemaLib.encode(kinds));
    }

    function _fits(bytes memory s, EncodedLengths l, bytes memory d) internal pure returns (bool) {
        (FieldLayout layout, Schema schema) = _table();
        return MudLayout.fits(layout, schema, s, l, d);
    }

    function testFuzz_Attack29_WholeElements(uint16 a, bool b, bool[] memory flags, uint24[] memory numbers, bytes memory rest)
        public
        pure
    {
        vm.assume(rest.length < 4096);
        bytes memory d;
        for (uint256 i; i < flags.length; ++i) {
            d = bytes.concat(d, bytes1(flags[i] ? 1 : 0));
        }
        for (uint256 i; i < numbers.length; ++i) {
            d = bytes.concat(d, bytes3(numbers[i]));
        }
        d = bytes.concat(d, rest);
        bytes memory s = abi.encodePacked(a, b);
        EncodedLengths l = EncodedLengthsLib.pack(flags.length, 3 * numbers.length, rest.length);
        assertTrue(_fits(s, l, d));
        assertFalse(_fits(s, l, bytes.concat(d, hex"00")));
        assertFalse(_fits(bytes.concat(s, hex"00"), l, d));
        assertFalse(_fits(s, EncodedLengthsLib.pack(flags.length, 3 * numbers.length + 1, rest.length), bytes.concat(d, hex"00")));
        assertFalse(_fits(s, EncodedLengthsLib.pack(flags.length, 3 * numbers.length, rest.length, 1), bytes.concat(d, hex"00")));
        // A length for a fourth field that the table does not have, and that the total does not count.
        assertFalse(_fits(s, EncodedLengths.wrap(EncodedLengths.unwrap(l) | bytes32(uint256(1) << (56 + 3 * 40))), d));
        s[2] = 0x02;
        assertFalse(_fits(s, l, d));
        if (flags.length == 0) return;
        s[2] = 0x01;
        d[flags.length - 1] = 0x02;
        assertFalse(_fits(s, l, d));
    }

    function testFuzz_Attack29_AnyLengthsNeverRevert(bytes32 lengths, bytes memory s, bytes memory d) public pure {
        _fits(s, EncodedLengths.wrap(lengths), d);
    }

    function test_Attack29_LayoutThatDisagreesWithTheSchema() public pure {
        (FieldLayout layout, Schema schema) = _table();
        uint256[] memory lengths = new uint256[](2);
        (lengths[0], lengths[1]) = (1, 2);
        assertTrue(MudLayout.fits(layout, schema, new bytes(3), EncodedLengths.wrap(0), ""));
        assertFalse(MudLayout.fits(FieldLayoutLib.encode(lengths, 3), schema, new bytes(3), EncodedLengths.wrap(0), ""));
        (lengths[0], lengths[1]) = (2, 1);
        assertFalse(MudLayout.fits(FieldLayoutLib.encode(lengths, 2), schema, new bytes(3), EncodedLengths.wrap(0), ""));
        assertFalse(MudLayout.fits(layout, _schema(SchemaType.UINT24), new bytes(3), EncodedLengths.wrap(0), ""));
    }

    /* ENCODING */

    function testFuzz_C3_RecordsAreDecodedAsEncoded(bytes memory s, bytes32 l, bytes memory d) public pure {
        (bool ok, bytes memory s2, EncodedLengths l2, bytes memory d2) = MudRecords.decode(abi.encode(s, l, d));
        assertTrue(ok);
        assertEq(s2, s);
        assertEq(EncodedLengths.unwrap(l2), l);
        assertEq(d2, d);
    }

    /// @dev Whatever is accepted is what abi.encode writes.
    function testFuzz_Attack29_OnlyTheCanonicalEncoding(bytes memory s, bytes memory d, uint256 at, uint256 word, uint256 cut) public pure {
        bytes memory data = abi.encode(s, bytes32(0), d);
        at = bound(at, 0, data.length / 32 - 1) * 32;
        if (word % 2 == 0) word %= 400; // plausible offsets and lengths
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), at), word)
            if lt(cut, mload(data)) { mstore(data, cut) }
        }
        (bool ok, bytes memory s2, EncodedLengths l2, bytes memory d2) = MudRecords.decode(data);
        if (ok) assertEq(abi.encode(s2, l2, d2), data);
    }

    function testFuzz_Attack29_JunkNeverReverts(bytes memory junk) public pure {
        (bool ok, bytes memory s, EncodedLengths l, bytes memory d) = MudRecords.decode(junk);
        if (ok) assertEq(abi.encode(s, l, d), junk);
    }
}
