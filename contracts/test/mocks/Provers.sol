// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev An account that publishes and disproves, and whose receive hook can refuse, waste gas, or call back.
contract Prover {
    enum Mood {
        Takes,
        Refuses,
        Burns,
        CallsBack
    }

    Mood public mood;
    address public target;
    bytes public data;
    bool public wentThrough;

    constructor(Mood mood_) payable {
        mood = mood_;
    }

    function change(Mood mood_) external {
        mood = mood_;
    }

    /// @dev What the hook calls.
    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function run(address to, uint256 value, bytes calldata call_) external {
        (bool ok, bytes memory why) = to.call{value: value}(call_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(why, 0x20), mload(why))
            }
        }
    }

    receive() external payable {
        if (mood == Mood.Refuses) revert("no");
        if (mood == Mood.Burns) while (true) {}
        if (mood == Mood.CallsBack) {
            (bool ok,) = target.call(data);
            wentThrough = wentThrough || ok;
        }
    }
}
