// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ICallback} from "./Tokens.sol";

/// @dev Runs whatever the test tells it to, so that it can own a participant.
contract Wallet {
    receive() external payable virtual {}

    function run(address target, uint256 value, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory answer) = target.call{value: value}(data);
        if (!ok) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }
}

contract RevertingWallet is Wallet {
    receive() external payable override {
        revert("no");
    }
}

contract GasBurningWallet is Wallet {
    receive() external payable override {
        while (true) {}
    }
}

contract BombWallet is Wallet {
    receive() external payable override {
        assembly {
            return(0, 60000)
        }
    }
}

/// @dev Calls `target` back whenever coins or tokens arrive or leave, and remembers how that went.
contract ReentrantWallet is Wallet, ICallback {
    address public target;
    bytes public data;
    bool public tried;
    bool public succeeded;

    function aim(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    receive() external payable override {
        _strike();
    }

    function tokensMoved(address, address, uint256) external {
        _strike();
    }

    function _strike() private {
        if (target == address(0)) return;
        tried = true;
        (succeeded,) = target.call(data);
    }
}

/// @dev An ERC-1271 wallet with one key.
contract ContractWallet is Wallet {
    address public immutable key;

    constructor(address key_) {
        key = key_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address by, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        return err == ECDSA.RecoverError.NoError && by == key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}
