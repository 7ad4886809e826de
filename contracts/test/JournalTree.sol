// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Journal} from "../src/lib/Journal.sol";

/// @dev RFC 9162 §2.1 read literally: recursive, slow, and with nothing in common with the library but the hashes.
library JournalTree {
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return _root(leaves, 0, leaves.length);
    }

    /// @dev PATH(index, leaves[:size]), from the leaf upwards.
    function proof(bytes32[] memory leaves, uint256 index, uint256 size) internal pure returns (bytes32[] memory out) {
        bytes32[] memory path = new bytes32[](64);
        uint256 n = _path(leaves, index, 0, size, path);
        out = _cut(path, n);
    }

    /// @dev The roots of the perfect subtrees that `size` leaves fall into, largest first.
    function range(bytes32[] memory leaves, uint256 size) internal pure returns (bytes32[] memory out) {
        bytes32[] memory peaks = new bytes32[](64);
        uint256 n;
        uint256 from;
        for (uint256 width = 1 << 63; width != 0; width >>= 1) {
            if (size & width == 0) continue;
            peaks[n++] = _root(leaves, from, from + width);
            from += width;
        }
        out = _cut(peaks, n);
    }

    function _root(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 k = _split(to - from);
        return Journal.node(_root(leaves, from, from + k), _root(leaves, from + k, to));
    }

    function _path(bytes32[] memory leaves, uint256 index, uint256 from, uint256 to, bytes32[] memory path)
        private
        pure
        returns (uint256 n)
    {
        if (to - from == 1) return 0;
        uint256 k = from + _split(to - from);
        if (index < k) {
            n = _path(leaves, index, from, k, path);
            path[n] = _root(leaves, k, to);
        } else {
            n = _path(leaves, index, k, to, path);
            path[n] = _root(leaves, from, k);
        }
        return n + 1;
    }

    function _split(uint256 n) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }

    function _cut(bytes32[] memory list, uint256 n) private pure returns (bytes32[] memory out) {
        out = new bytes32[](n);
        for (uint256 i; i < n; ++i) {
            out[i] = list[i];
        }
    }
}
