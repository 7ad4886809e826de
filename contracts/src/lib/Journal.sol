// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The journal's Merkle tree: the shape and proofs of RFC 9162 §2.1, with keccak256.
/// @dev A root does not commit to its size, so sizes must come from a signed Update and leaves are given as
/// (eventHash, stateHash), never as a hash (docs/encoding.md 10). Proofs run from the leaf upwards.
library Journal {
    function leaf(bytes32 eventHash, bytes32 stateHash) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", eventHash, stateHash));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

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
