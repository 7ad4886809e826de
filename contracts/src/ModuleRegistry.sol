// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SSTORE2} from "solady/utils/SSTORE2.sol";
import {IModuleRegistry} from "./interfaces/IModuleRegistry.sol";
import {WasmMachine} from "./lib/WasmMachine.sol";
import {Manifest} from "./Types.sol";

/// @title ModuleRegistry
/// @dev NatSpec is in the interface. Everything is named by its content, so nothing needs an owner and nothing can change.
contract ModuleRegistry is IModuleRegistry {
    struct Program {
        uint32 size;
        address[] chunks;
    }

    /// @dev What a contract can hold behind the zero byte that keeps it from being called (EIP-170).
    uint256 internal constant CHUNK_SIZE = 24_575;
    uint256 internal constant MAX_CHUNKS = 16;
    uint32 internal constant MAX_PAGES = 16;
    /// @dev Where the header of a lowered program has the most pages, in 2 bytes.
    uint256 internal constant MAX_PAGES_AT = 8;
    uint8 internal constant ALL_FLAGS = 3;
    /// @dev A whole transaction of a proof stays below 15 million gas: a call of the machine, and up to 1.2 million for
    /// 21,000, 36 KB of calldata and the shell around it.
    uint256 internal constant MAX_MACHINE_GAS = 13_800_000;

    mapping(bytes32 programHash => Program) private _programs;
    mapping(bytes32 moduleHash => Manifest) private _modules;

    /* PROGRAMS */

    /// @inheritdoc IModuleRegistry
    function store(bytes calldata data) external returns (address chunk) {
        if (data.length == 0 || data.length > CHUNK_SIZE) revert BadChunkSize(data.length);
        bytes memory copy = data;
        chunk = _addressOf(copy);
        if (chunk.code.length != 0) return chunk;
        SSTORE2.writeCounterfactual(copy, 0);
        emit ChunkStored(chunk, data.length);
    }

    /// @inheritdoc IModuleRegistry
    function registerProgram(address[] calldata chunks) external returns (bytes32 programHash) {
        if (chunks.length == 0 || chunks.length > MAX_CHUNKS) revert BadChunks();
        bytes memory program = new bytes(_sizeOf(chunks));
        for (uint256 i; i < chunks.length; ++i) {
            _copy(chunks[i], program, i * CHUNK_SIZE);
        }
        programHash = keccak256(program);
        Program storage p = _programs[programHash];
        if (p.size != 0) return programHash;

        p.size = uint32(program.length);
        p.chunks = chunks;
        emit ProgramRegistered(programHash, program.length, chunks);
    }

    /* MODULES */

    /// @inheritdoc IModuleRegistry
    function registerModule(Manifest calldata manifest) external returns (bytes32 moduleHash) {
        moduleHash = keccak256(abi.encode(manifest));
        if (isRegistered(moduleHash)) return moduleHash;
        Program storage p = _programs[manifest.programHash];
        if (p.size == 0) revert UnknownProgram(manifest.programHash);
        if (manifest.fuelLimit == 0 || manifest.pageLimit > MAX_PAGES || manifest.flags > ALL_FLAGS) revert BadManifest();
        uint256 gas_ = gasBound(manifest.fuelLimit, _pages(manifest.pageLimit, p.chunks[0]), p.size);
        if (gas_ > MAX_MACHINE_GAS) revert TooExpensive(gas_);

        _modules[moduleHash] = manifest;
        emit ModuleRegistered(moduleHash, manifest);
    }

    /* VIEWS */

    /// @inheritdoc IModuleRegistry
    function programOf(bytes32 programHash) external view returns (address[] memory chunks, uint256 size) {
        Program storage p = _programs[programHash];
        return (p.chunks, p.size);
    }

    /// @inheritdoc IModuleRegistry
    function moduleOf(bytes32 moduleHash) external view returns (Manifest memory manifest, address[] memory chunks) {
        if (!isRegistered(moduleHash)) revert UnknownModule(moduleHash);
        manifest = _modules[moduleHash];
        chunks = _programs[manifest.programHash].chunks;
    }

    /// @inheritdoc IModuleRegistry
    function isRegistered(bytes32 moduleHash) public view returns (bool) {
        return _modules[moduleHash].fuelLimit != 0;
    }

    /// @inheritdoc IModuleRegistry
    function gasBound(uint64 fuelLimit, uint32 pages, uint256 programBytes) public pure returns (uint256) {
        return WasmMachine.gasBound(fuelLimit, pages, programBytes, (programBytes + CHUNK_SIZE - 1) / CHUNK_SIZE);
    }

    /* INTERNAL */

    /// @dev Of the program that the chunks are. Only the last one is shorter than it could be.
    function _sizeOf(address[] calldata chunks) internal view returns (uint256 size) {
        for (uint256 i; i < chunks.length; ++i) {
            uint256 length = chunks[i].code.length;
            if (length < 2 || length > CHUNK_SIZE + 1) revert NotAChunk(chunks[i]);
            if (i + 1 < chunks.length && length != CHUNK_SIZE + 1) revert BadChunks();
            size += length - 1;
        }
    }

    /// @dev Copies a chunk's bytes to where they belong in the program. That `store` made the chunk shows in its address, which
    /// depends on all its bytes and on this contract.
    function _copy(address chunk, bytes memory program, uint256 at) internal view {
        bytes memory data;
        bytes32 before;
        assembly ("memory-safe") {
            let size := sub(extcodesize(chunk), 1)
            extcodecopy(chunk, add(add(program, 0x20), at), 1, size)
            // For a moment the word in front, the end of the chunk before, holds the length of this one.
            data := add(program, at)
            before := mload(data)
            mstore(data, size)
        }
        if (_addressOf(data) != chunk) revert NotAChunk(chunk);
        assembly ("memory-safe") {
            mstore(data, before)
        }
    }

    /// @dev How many pages the memory can reach: the manifest's limit, or less when the program's header says so.
    function _pages(uint32 pageLimit, address chunk) internal view returns (uint32) {
        uint32 most = uint16(bytes2(SSTORE2.read(chunk, MAX_PAGES_AT, MAX_PAGES_AT + 2)));
        return most < pageLimit ? most : pageLimit;
    }

    /// @dev The library leaves dirt above the address.
    function _addressOf(bytes memory data) internal view returns (address) {
        return address(uint160(uint256(uint160(SSTORE2.predictCounterfactualAddress(data, 0)))));
    }
}
