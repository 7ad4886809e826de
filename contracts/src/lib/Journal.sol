// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The journal's Merkle tree: the shape and proofs of RFC 9162 §2.1, with keccak256.
/// @dev A root does not commit to its size, so sizes must come from a signed Update and leaves are given as
/// (eventHash, stateHash), never as a hash (docs/encoding.md 10). Proofs run from the leaf upwards.
library Journal {
    /// @notice The head of a growing tree: how many leaves it has, and the roots of the perfect subtrees they fall into,
    /// largest first (a compact range). Everything about the leaves so far that later roots depend on.
    /// @param count Of `peaks` that are in use: as many as `size` has one bits.
    struct Range {
        uint64 size;
        uint256 count;
        bytes32[] peaks;
    }

    uint256 private constant MAX_PEAKS = 64;

    function leaf(bytes32 eventHash, bytes32 stateHash) internal pure returns (bytes32) {
        return hashed(0x00, eventHash, stateHash);
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return hashed(0x01, left, right);
    }

    /// @dev keccak256(prefix ‖ a ‖ b). Loops hash thousands of these: no memory is allocated.
    function hashed(uint256 prefix, bytes32 a, bytes32 b) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore8(0x00, prefix)
            mstore(0x01, a)
            mstore(0x21, b)
            hash := keccak256(0x00, 0x41)
            // The 65th byte is the highest of the free memory pointer, which is zero.
            mstore8(0x40, 0)
        }
    }

    /* RANGES */

    /// @dev `ok` is false when there are not as many peaks as `size` leaves have.
    function open(uint64 size, bytes32[] calldata peaks) internal pure returns (bool ok, Range memory range) {
        uint256 ones;
        for (uint256 rest = size; rest != 0; rest &= rest - 1) {
            ++ones;
        }
        if (peaks.length != ones) return (false, range);
        range = Range(size, ones, new bytes32[](MAX_PEAKS));
        for (uint256 i; i < ones; ++i) {
            range.peaks[i] = peaks[i];
        }
        return (true, range);
    }

    /// @dev Callers keep the size below 2^64 - 1: it never exceeds a seq + 1.
    function append(Range memory range, bytes32 hash) internal pure {
        uint256 count = range.count;
        bytes32[] memory peaks = range.peaks;
        // Each low one bit of the size is a perfect subtree that the new leaf completes a larger one with.
        for (uint256 rest = range.size; rest & 1 == 1; rest >>= 1) {
            hash = node(peaks[--count], hash);
        }
        peaks[count] = hash;
        range.count = count + 1;
        range.size += 1;
    }

    /// @dev The root of a tree that has leaves.
    function rootOf(Range memory range) internal pure returns (bytes32 hash) {
        uint256 i = range.count - 1;
        hash = range.peaks[i];
        while (i != 0) {
            hash = node(range.peaks[--i], hash);
        }
    }

    /// @dev H(size ‖ peaks), words: what a journal's leaves so far are.
    function digest(Range memory range) internal pure returns (bytes32 hash) {
        bytes32[] memory peaks = range.peaks;
        uint256 size = range.size;
        uint256 count = range.count;
        assembly ("memory-safe") {
            // For a moment the size stands where the array's length is, in front of the peaks.
            let length := mload(peaks)
            mstore(peaks, size)
            hash := keccak256(peaks, shl(5, add(count, 1)))
            mstore(peaks, length)
        }
    }

    /* PROOFS */

    /// @dev RFC 9162 §2.1.3.2.
    function includes(bytes32 root, uint64 size, uint64 index, bytes32 eventHash, bytes32 stateHash, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= size) return false;
        uint256 fn = index;
        uint256 sn = size - 1;
        bytes32 hash = leaf(eventHash, stateHash);
        for (uint256 i; i < proof.length; ++i) {
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                hash = node(proof[i], hash);
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                hash = node(hash, proof[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return sn == 0 && hash == root;
    }

    /// @dev RFC 9162 §2.1.4.2. Equal sizes: the proof is empty and the roots are equal. An empty tree does not exist.
    function extends(bytes32 firstRoot, uint64 first, bytes32 secondRoot, uint64 second, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (first == 0 || first > second) return false;
        if (first == second) return proof.length == 0 && firstRoot == secondRoot;
        if (proof.length == 0) return false;

        uint256 fn = first - 1;
        uint256 sn = second - 1;
        while (fn & 1 == 1) {
            fn >>= 1;
            sn >>= 1;
        }
        // A first tree of 2^k leaves is a subtree of the second: its root is not repeated in the proof.
        uint256 next = fn == 0 ? 0 : 1;
        bytes32 a = fn == 0 ? firstRoot : proof[0];
        bytes32 b = a;
        for (uint256 i = next; i < proof.length; ++i) {
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                a = node(proof[i], a);
                b = node(proof[i], b);
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                b = node(b, proof[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return sn == 0 && a == firstRoot && b == secondRoot;
    }
}
