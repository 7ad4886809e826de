// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

contract Token is ERC20("Token", "TKN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Keeps 1 % of every transfer.
contract FeeToken is Token {
    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        super._update(from, to, amount - amount / 100);
        super._update(from, address(0xfee), amount / 100);
    }
}

/// @dev Calls sender and receiver back, as ERC-777 does; contracts only.
contract CallbackToken is Token {
    function _update(address from, address to, uint256 amount) internal override {
        _tell(from, from, to, amount);
        super._update(from, to, amount);
        _tell(to, from, to, amount);
    }

    function _tell(address whom, address from, address to, uint256 amount) private {
        if (whom.code.length == 0) return;
        try ICallback(whom).tokensMoved(from, to, amount) {} catch {}
    }
}

interface ICallback {
    function tokensMoved(address from, address to, uint256 amount) external;
}

/// @dev Answers nothing, like the first tokens.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @dev Takes deposits honestly, then misbehaves on the way out.
contract EvilToken is Token {
    enum Way {
        Honest,
        Revert,
        ReturnFalse,
        ReturnTwo,
        BurnGas,
        Bomb,
        Destroyed
    }

    Way public way;

    function behave(Way way_) external {
        way = way_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (way == Way.Revert) revert("no");
        if (way == Way.ReturnFalse) return false;
        if (way == Way.ReturnTwo) {
            assembly {
                mstore(0, 2)
                return(0, 32)
            }
        }
        if (way == Way.BurnGas) {
            while (true) {}
        }
        if (way == Way.Bomb) {
            assembly {
                revert(0, 60000)
            }
        }
        return super.transfer(to, amount);
    }
}
