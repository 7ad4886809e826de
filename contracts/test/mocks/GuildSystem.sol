// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {System} from "@latticexyz/world/src/System.sol";

/// @dev A System that settlements may call; closed, so that only grantees can.
contract GuildSystem is System {
    mapping(address => uint256) public awards;
    address public lastSender;
    bool public closed;

    function award(address hero, uint256 amount) external {
        require(!closed, "closed");
        lastSender = _msgSender();
        awards[hero] += amount;
    }

    function drain(address hero) external {
        awards[hero] = 0;
    }

    function setClosed(bool closed_) external {
        closed = closed_;
    }
}
