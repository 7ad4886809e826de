// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Journal} from "../../src/lib/Journal.sol";
import {JournalTree} from "../JournalTree.sol";
import {VectorTest} from "./Vectors.t.sol";

contract JournalVectorsTest is VectorTest {
    struct JournalCase {
        string name;
        bytes32[] leaves;
        bytes32[] eventHashes;
        bytes32[] stateHashes;
        bytes32[] roots;
        Inclusion[] inclusion;
        Consistency[] consistency;
    }

    struct Inclusion {
        uint64 index;
        uint64 size;
        bytes32[] proof;
    }

    struct Consistency {
        uint64 first;
        uint64 second;
        bytes32[] proof;
    }

    function test_F2_Attack5_Journal() public view {
        JournalCase[] memory cases = _cases();
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            JournalCase memory c = cases[i];
            assertEq(c.roots.length, c.leaves.length, c.name);
            assertGt(c.inclusion.length + c.consistency.length, 0, c.name);
            for (uint256 k; k < c.leaves.length; ++k) {
                assertEq(Journal.leaf(c.eventHashes[k], c.stateHashes[k]), c.leaves[k], c.name);
                assertEq(_root(c.leaves, 0, k + 1), c.roots[k], c.name);
            }
            for (uint256 k; k < c.inclusion.length; ++k) {
                _checkInclusion(c, c.inclusion[k]);
            }
            for (uint256 k; k < c.consistency.length; ++k) {
                _checkConsistency(c, c.consistency[k]);
            }
        }
    }

    /// @dev A range that grows leaf by leaf, and one that is opened anywhere and goes on, lead to the same roots.
    function test_F2_Attack5_Ranges() public view {
        JournalCase[] memory cases = _cases();
        for (uint256 i; i < cases.length; ++i) {
            JournalCase memory c = cases[i];
            (, Journal.Range memory grown) = this.openRange(0, new bytes32[](0));
            for (uint256 k; k < c.leaves.length; ++k) {
                Journal.append(grown, c.leaves[k]);
                assertEq(grown.size, k + 1, c.name);
                assertEq(Journal.rootOf(grown), c.roots[k], c.name);
                bytes32[] memory peaks = JournalTree.range(c.leaves, k + 1);
                (bool ok, Journal.Range memory opened) = this.openRange(uint64(k + 1), peaks);
                assertTrue(ok, c.name);
                assertEq(Journal.rootOf(opened), c.roots[k], c.name);
                assertEq(Journal.digest(opened), Journal.digest(grown), c.name);
                assertEq(Journal.digest(opened), keccak256(bytes.concat(abi.encode(k + 1), abi.encodePacked(peaks))), c.name);
                (ok,) = this.openRange(uint64(k + 1), new bytes32[](peaks.length + 1));
                assertFalse(ok, c.name);
                if (k + 1 < c.leaves.length) {
                    Journal.append(opened, c.leaves[k + 1]);
                    assertEq(Journal.rootOf(opened), c.roots[k + 1], c.name);
                }
            }
        }
    }

    function openRange(uint64 size, bytes32[] calldata peaks) external pure returns (bool, Journal.Range memory) {
        return Journal.open(size, peaks);
    }

    /// @dev Why sizes come from signed Updates and leaves are never given as a hash: the last leaf of 7 "is" leaf 3 of 4.
    function test_Attack5_ARootDoesNotCommitToItsSize() public view {
        JournalCase[] memory cases = _cases();
        for (uint256 i; i < cases.length; ++i) {
            JournalCase memory c = cases[i];
            if (c.leaves.length != 7) continue;
            for (uint256 k; k < c.inclusion.length; ++k) {
                Inclusion memory p = c.inclusion[k];
                if (p.size != 7 || p.index != 6) continue;
                assertTrue(this.includes(c.roots[6], 4, 3, c.eventHashes[6], c.stateHashes[6], p.proof));
                return;
            }
        }
        revert("no proof of leaf 6 of 7 in the vectors");
    }

    function _cases() internal view returns (JournalCase[] memory) {
        return abi.decode(
            read(
                "journal.json",
                "JournalCase(string name,bytes32[] leaves,bytes32[] eventHashes,bytes32[] stateHashes,bytes32[] roots,Inclusion[] inclusion,Consistency[] consistency)Inclusion(uint64 index,uint64 size,bytes32[] proof)Consistency(uint64 first,uint64 second,bytes32[] proof)"
            ),
            (JournalCase[])
        );
    }

    /// @dev The proof as it is, and with every way of being slightly wrong.
    function _checkInclusion(JournalCase memory c, Inclusion memory p) internal view {
        bytes32 root = c.roots[p.size - 1];
        bytes32 e = c.eventHashes[p.index];
        bytes32 s = c.stateHashes[p.index];
        assertTrue(this.includes(root, p.size, p.index, e, s, p.proof), c.name);
        assertFalse(this.includes(~root, p.size, p.index, e, s, p.proof), c.name);
        assertFalse(this.includes(root, p.size, p.index, ~e, s, p.proof), c.name);
        assertFalse(this.includes(root, p.size, p.index, e, ~s, p.proof), c.name);
        assertFalse(this.includes(root, p.size, p.size, e, s, p.proof), c.name);
        assertFalse(this.includes(root, p.size, p.index, e, s, _longer(p.proof)), c.name);
        if (p.proof.length != 0) {
            assertFalse(this.includes(root, p.size, p.index, e, s, _shorter(p.proof)), c.name);
            assertFalse(this.includes(root, p.size, p.index ^ 1, e, s, p.proof), c.name);
            assertFalse(this.includes(root, 1, 0, e, s, p.proof), c.name);
        }
    }

    function _checkConsistency(JournalCase memory c, Consistency memory p) internal view {
        bytes32 first = c.roots[p.first - 1];
        bytes32 second = c.roots[p.second - 1];
        assertTrue(this.extends(first, p.first, second, p.second, p.proof), c.name);
        assertFalse(this.extends(~first, p.first, second, p.second, p.proof), c.name);
        assertFalse(this.extends(first, p.first, ~second, p.second, p.proof), c.name);
        assertFalse(this.extends(first, 0, second, p.second, p.proof), c.name);
        assertFalse(this.extends(first, p.first, second, p.second, _longer(p.proof)), c.name);
        if (p.first != p.second) {
            assertFalse(this.extends(second, p.second, first, p.first, p.proof), c.name);
            assertFalse(this.extends(first, p.first, first, p.second, p.proof), c.name);
            assertFalse(this.extends(first, p.first, second, p.second, _shorter(p.proof)), c.name);
        }
    }

    /// @dev RFC 9162 §2.1.1, read literally: the oracle.
    function _root(bytes32[] memory leaves, uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 k = 1;
        while (k * 2 < to - from) k *= 2;
        return Journal.node(_root(leaves, from, from + k), _root(leaves, from + k, to));
    }

    function _longer(bytes32[] memory proof) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](proof.length + 1);
        for (uint256 i; i < proof.length; ++i) {
            out[i] = proof[i];
        }
    }

    function _shorter(bytes32[] memory proof) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](proof.length - 1);
        for (uint256 i; i < out.length; ++i) {
            out[i] = proof[i];
        }
    }

    function includes(bytes32 root, uint64 size, uint64 index, bytes32 e, bytes32 s, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Journal.includes(root, size, index, e, s, proof);
    }

    function extends(bytes32 firstRoot, uint64 first, bytes32 secondRoot, uint64 second, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Journal.extends(firstRoot, first, secondRoot, second, proof);
    }
}
