// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Calls the WasmMachine (src/machine), which executes one call of a module's lowered program.
library WasmMachine {
    /// @dev The machine ran out of gas or answered what it never answers. Send more gas.
    error MachineOutOfGas();

    uint8 internal constant INIT = 1;
    uint8 internal constant REDUCE = 2;
    uint8 internal constant EFFECTS = 3;

    struct Program {
        address[] chunks;
        uint64 fuelLimit;
        uint32 pageLimit;
    }

    uint256 private constant HEAD_WORDS = 6;
    uint256 private constant RESULT_WORDS = 3;

    function execute(address machine, Program memory program, uint8 entry, uint256 maxOutput, bytes[] memory arguments)
        internal
        view
        returns (uint8 status, bytes memory output, uint64 fuel)
    {
        bytes memory head = abi.encodePacked(
            uint256(program.fuelLimit), uint256(program.pageLimit), uint256(entry), maxOutput, program.chunks.length, arguments.length
        );
        for (uint256 i; i < program.chunks.length; ++i) {
            head = bytes.concat(head, bytes32(uint256(uint160(program.chunks[i]))));
        }
        for (uint256 i; i < arguments.length; ++i) {
            head = bytes.concat(head, bytes32(arguments[i].length));
        }
        for (uint256 i; i < arguments.length; ++i) {
            head = bytes.concat(head, arguments[i]);
        }
        (bool ok, bytes memory result) = machine.staticcall(head);
        if (!ok || result.length < RESULT_WORDS * 32) revert MachineOutOfGas();
        (uint256 s, uint256 f, uint256 n) = abi.decode(result, (uint256, uint256, uint256));
        if (s > 11 || f > type(uint64).max || n > result.length - RESULT_WORDS * 32) revert MachineOutOfGas();
        assembly ("memory-safe") {
            output := add(result, 0x60)
            mstore(output, n)
        }
        return (uint8(s), output, uint64(f));
    }
}
