// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    WASM_MACHINE_GAS_BASE,
    WASM_MACHINE_GAS_CHUNK,
    WASM_MACHINE_GAS_PROGRAM_WORD,
    WASM_MACHINE_MEMORY_WORDS
} from "../machine/WasmMachineCode.sol";

/// @dev Calls the machine of `derivation/evm`: one call of a module, from its lowered program, on chain.
library WasmMachine {
    /// @dev `chunks` are contracts whose code is 0x00 and then bytes of the program; one after the other they are the
    /// program. `fuelLimit` and `pageLimit` are the manifest's.
    struct Program {
        address[] chunks;
        uint64 fuelLimit;
        uint32 pageLimit;
    }

    /// @dev Entries of a lowered program.
    uint8 internal constant INIT = 1;
    uint8 internal constant REDUCE = 2;
    uint8 internal constant EFFECTS = 3;

    /// @dev Statuses (docs/encoding.md 18) that the machine gives.
    uint8 internal constant RETURNED = 0;
    uint8 internal constant REJECTED = 7;
    uint8 internal constant TRAPPED = 8;
    uint8 internal constant OUT_OF_FUEL = 9;
    uint8 internal constant WRONG_OUTPUT = 10;

    /// @dev The machine gave no verdict: it had too little gas, or it is not there, or the program is none. Send more gas.
    error MachineOutOfGas();

    /// @dev Calls `entry` with `arguments`. Anything but a verdict reverts, so that no amount of gas can choose one: a call
    /// that runs out returns nothing, whatever is left to the caller (EIP-150).
    /// @return status RETURNED, REJECTED, TRAPPED, OUT_OF_FUEL or WRONG_OUTPUT (empty, or longer than `maxOutput`)
    /// @return output 1 to `maxOutput` bytes when status is RETURNED, otherwise none
    /// @return fuel used; `program.fuelLimit` when it ran out
    function execute(address machine, Program memory program, uint8 entry, uint256 maxOutput, bytes[] memory arguments)
        internal
        view
        returns (uint8 status, bytes memory output, uint64 fuel)
    {
        bytes memory data = encode(program, entry, maxOutput, arguments);
        bool well;
        uint256[3] memory words;
        uint256 returned;
        assembly ("memory-safe") {
            well := staticcall(gas(), machine, add(data, 32), mload(data), 0, 0)
            returned := returndatasize()
            if lt(returned, 96) { well := 0 }
            if well { returndatacopy(words, 0, 96) }
        }
        uint256 size = words[2];
        if (!well || words[1] > program.fuelLimit || size > maxOutput || returned != 96 + (size + 31) / 32 * 32) revert MachineOutOfGas();
        if ((words[0] == RETURNED) != (size > 0) || words[0] > WRONG_OUTPUT || (words[0] != RETURNED && words[0] < REJECTED)) {
            revert MachineOutOfGas();
        }
        output = new bytes(size);
        assembly ("memory-safe") {
            returndatacopy(add(output, 32), 96, size)
        }
        return (uint8(words[0]), output, uint64(words[1]));
    }

    /// @dev The most gas that a call takes; it has to be given 64/63 of it. `pages` is the smaller of the page limit and the
    /// program's maximum, `chunks` how many contracts hold the program.
    function gasBound(uint64 fuelLimit, uint32 pages, uint256 programBytes, uint256 chunks) internal pure returns (uint256) {
        uint256 p = (programBytes + 31) / 32;
        uint256 w = WASM_MACHINE_MEMORY_WORDS + p + 2048 * uint256(pages);
        return WASM_MACHINE_GAS_BASE + fuelLimit + 3 * w + w * w / 512 + WASM_MACHINE_GAS_PROGRAM_WORD * p + WASM_MACHINE_GAS_CHUNK * chunks;
    }

    /// @dev The machine's calldata: fuelLimit, pageLimit, entry, maxOutput, C chunks, A arguments, C addresses, A sizes in
    /// words, then the bytes of the arguments without padding. Written once, because a state may have 23 KiB.
    function encode(Program memory program, uint8 entry, uint256 maxOutput, bytes[] memory arguments)
        private
        pure
        returns (bytes memory data)
    {
        address[] memory chunks = program.chunks;
        uint256 size = 32 * (6 + chunks.length + arguments.length);
        for (uint256 i = 0; i < arguments.length; i++) {
            size += arguments[i].length;
        }
        data = new bytes(size);
        uint256 to;
        assembly ("memory-safe") {
            to := add(data, 32)
        }
        to = put(to, program.fuelLimit);
        to = put(to, program.pageLimit);
        to = put(to, entry);
        to = put(to, maxOutput);
        to = put(to, chunks.length);
        to = put(to, arguments.length);
        for (uint256 i = 0; i < chunks.length; i++) {
            to = put(to, uint160(chunks[i]));
        }
        for (uint256 i = 0; i < arguments.length; i++) {
            to = put(to, arguments[i].length);
        }
        for (uint256 i = 0; i < arguments.length; i++) {
            bytes memory argument = arguments[i];
            assembly ("memory-safe") {
                mcopy(to, add(argument, 32), mload(argument))
                to := add(to, mload(argument))
            }
        }
    }

    /// @dev Writes a word and gives where the next one goes. `to` lies in what `encode` allocated.
    function put(uint256 to, uint256 word) private pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(to, word)
        }
        return to + 32;
    }
}
