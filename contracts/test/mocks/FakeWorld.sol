// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EncodedLengths} from "@latticexyz/store/src/EncodedLengths.sol";
import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {Schema} from "@latticexyz/store/src/Schema.sol";

/// @dev Claims to be a World, and does whatever its master tells it while it is asked.
contract FakeWorld {
    enum Way {
        Honest,
        Strike,
        Revert,
        Disown,
        Bloat
    }

    uint256 private constant GAS = 1_000_000; // what a forbidden write takes, it takes whole

    /// @dev It owns its namespace itself, so that it earns what tickets cost.
    address public owner = address(this);
    Way public way;
    uint256 public asked;
    address private _target;
    bytes private _data;
    FieldLayout private _layout;
    Schema private _keys;
    Schema private _values;

    constructor(FieldLayout layout, Schema keys, Schema values) {
        (_layout, _keys, _values) = (layout, keys, values);
    }

    function behave(Way way_, address target, bytes calldata data) external {
        (way, _target, _data) = (way_, target, data);
    }

    /// @dev All that is read from a World goes through here, as Policies and Tickets ask by static calls only.
    function _ask() private view {
        if (way == Way.Revert) revert("no");
        if (way == Way.Strike) {
            (bool ok,) = _target.staticcall{gas: GAS}(_data);
            require(!ok, "a call that changes state succeeded inside of a static call");
            // And what is not static is not possible at all.
            (ok,) = address(this).staticcall{gas: GAS}(abi.encodeCall(this.note, ()));
            require(!ok, "a World that was asked could change its own state");
        }
    }

    function note() external {
        ++asked;
    }

    function getStaticField(ResourceId, bytes32[] calldata, uint8, FieldLayout) external view returns (bytes32) {
        _ask();
        return way == Way.Disown ? bytes32(0) : bytes32(bytes20(owner));
    }

    function getFieldLayout(ResourceId) external view returns (FieldLayout) {
        _ask();
        return _layout;
    }

    function getKeySchema(ResourceId) external view returns (Schema) {
        _ask();
        return _keys;
    }

    function getValueSchema(ResourceId) external view returns (Schema) {
        _ask();
        return _values;
    }

    function getRecord(ResourceId, bytes32[] calldata, FieldLayout)
        external
        view
        returns (bytes memory staticData, EncodedLengths lengths, bytes memory dynamicData)
    {
        _ask();
        staticData = new bytes(way == Way.Bloat ? 300 : 32);
        return (staticData, lengths, dynamicData);
    }
}
