// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The most gas that one call of the WasmMachine can need: `GasBound` of Go's derivation/evm, with its constants.
/// The machine charges at least one fuel per gas, so beside the fuel there is only what comes before and after: memory of W
/// words, the program copied from its chunks, and the fixed part.
library MachineGas {
    /// @dev Fixed part: prologue, frames, epilogue and reversing the longest output.
    uint256 internal constant BASE = 100_000;
    /// @dev Words of memory beside program and pages.
    uint256 internal constant FIXED_WORDS = 2048;
    /// @dev Gas per word of the program: EXTCODECOPY and preparing the image.
    uint256 internal constant PER_PROGRAM_WORD = 60;
    /// @dev Gas per chunk: a cold account and its share of the loop.
    uint256 internal constant PER_CHUNK = 3_000;

    uint256 private constant CHUNK_SIZE = 24_575;
    uint256 private constant WORDS_PER_PAGE = 2048;

    function bound(uint64 fuelLimit, uint32 pageLimit, uint256 programBytes) internal pure returns (uint256) {
        uint256 programWords = (programBytes + 31) / 32;
        uint256 chunks = (programBytes + CHUNK_SIZE - 1) / CHUNK_SIZE;
        uint256 words = FIXED_WORDS + programWords + WORDS_PER_PAGE * uint256(pageLimit);
        return BASE + fuelLimit + 3 * words + words * words / 512 + PER_PROGRAM_WORD * programWords + PER_CHUNK * chunks;
    }
}
