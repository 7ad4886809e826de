// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Derivation} from "../src/Derivation.sol";
import {ModuleRegistry} from "../src/ModuleRegistry.sol";
import {WASM_MACHINE_CODE_HASH, WasmMachineCode} from "../src/machine/WasmMachineCode.sol";
import {Manifest} from "../src/Types.sol";

/// @dev A module as the golden files have it.
struct ModuleFile {
    string name;
    bytes program;
    bytes32 programHash;
    uint64 fuelLimit;
    uint32 pageLimit;
    uint32 maxEvents;
    uint8 flags;
    bytes32 moduleHash;
}

/// @dev The real machine, with a registry and δ over it.
abstract contract MachineTest is Test {
    uint256 internal constant CHUNK_SIZE = 24_575;
    string internal constant MODULE_SCHEMA =
        "ModuleFile(string name,bytes program,bytes32 programHash,uint64 fuelLimit,uint32 pageLimit,uint32 maxEvents,uint8 flags,bytes32 moduleHash)";

    address internal machine;
    ModuleRegistry internal registry;
    Derivation internal derivation;

    function deployMachine() internal {
        machine = deployCode(WasmMachineCode.INIT_CODE);
        assertEq(machine.codehash, WASM_MACHINE_CODE_HASH);
        registry = new ModuleRegistry();
        derivation = new Derivation(machine, address(registry));
    }

    function deployCode(bytes memory initCode) internal returns (address at) {
        assembly ("memory-safe") {
            at := create(0, add(initCode, 0x20), mload(initCode))
        }
        assertTrue(at != address(0));
    }

    function testdata(string memory file) internal view returns (string memory) {
        return vm.readFile(string.concat("contracts/test/testdata/", file));
    }

    function modulesOf(string memory json) internal pure returns (ModuleFile[] memory) {
        return abi.decode(vm.parseJsonTypeArray(json, ".modules", MODULE_SCHEMA), (ModuleFile[]));
    }

    function manifestOf(ModuleFile memory m) internal pure returns (Manifest memory) {
        return Manifest(m.programHash, m.fuelLimit, m.pageLimit, m.maxEvents, m.flags);
    }

    function register(ModuleFile memory m) internal {
        assertEq(registry.registerProgram(storeAll(m.program)), m.programHash, m.name);
        assertEq(registry.registerModule(manifestOf(m)), m.moduleHash, m.name);
    }

    function storeAll(bytes memory program) internal returns (address[] memory chunks) {
        chunks = new address[]((program.length + CHUNK_SIZE - 1) / CHUNK_SIZE);
        for (uint256 i; i < chunks.length; ++i) {
            uint256 end = (i + 1) * CHUNK_SIZE < program.length ? (i + 1) * CHUNK_SIZE : program.length;
            chunks[i] = registry.store(slice(program, i * CHUNK_SIZE, end));
        }
    }

    function slice(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory out) {
        out = new bytes(to - from);
        assembly ("memory-safe") {
            mcopy(add(out, 0x20), add(add(data, 0x20), from), sub(to, from))
        }
    }
}
