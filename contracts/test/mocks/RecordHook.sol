// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {StoreHook} from "@latticexyz/store/src/StoreHook.sol";

/// @dev Runs in the World before a record is set.
contract RecordHook is StoreHook {
    enum Way {
        Nothing,
        Revert,
        Strike
    }

    Way public way;
    address private _target;
    bytes[] private _data;
    uint256 public tried;
    uint256 public succeeded;

    function behave(Way way_) external {
        way = way_;
    }

    /// @dev One more call to try.
    function aim(address target, bytes calldata data) external {
        _target = target;
        _data.push(data);
    }

    function onBeforeSetRecord(ResourceId, bytes32[] memory, bytes memory, EncodedLengths, bytes memory, FieldLayout) public override {
        require(way != Way.Revert, "hooked");
        if (way != Way.Strike) return;
        for (uint256 i; i < _data.length; ++i) {
            ++tried;
            (bool ok,) = _target.call(_data[i]);
            if (ok) ++succeeded;
        }
    }
}
