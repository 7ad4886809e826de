// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Vm} from "forge-std/Vm.sol";

import {Derivation} from "../src/Derivation.sol";
import {ModuleRegistry} from "../src/ModuleRegistry.sol";
import {WasmMachineCode} from "../src/machine/WasmMachineCode.sol";
import {Effect, Manifest} from "../src/Types.sol";

/// @dev The module of derivation/echo_test.go, which does what it is told:
///
///     init     returns what stands before the last 4 bytes of its input: they are its length, little-endian
///     reduce   returns the payload
///     effects  returns what stands before the last 4 bytes of the state, likewise
library Echo {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev The real machine, with the module registered.
    function deploy() internal returns (Derivation derivation, bytes32 module) {
        ModuleRegistry registry = new ModuleRegistry();
        derivation = new Derivation(deployMachine(), address(registry));
        string memory json = vm.readFile(string.concat(vm.projectRoot(), "/contracts/test/testdata/echo.json"));
        address[] memory chunks = new address[](1);
        chunks[0] = registry.store(vm.parseJsonBytes(json, ".program"));
        module = registry.registerModule(
            Manifest({
                programHash: registry.registerProgram(chunks),
                fuelLimit: uint64(vm.parseJsonUint(json, ".fuelLimit")),
                pageLimit: uint32(vm.parseJsonUint(json, ".pageLimit")),
                maxEvents: uint32(vm.parseJsonUint(json, ".maxEvents")),
                flags: uint8(vm.parseJsonUint(json, ".flags"))
            })
        );
        require(module == vm.parseJsonBytes32(json, ".moduleHash"), "echo.json names another module");
    }

    function deployMachine() internal returns (address machine) {
        bytes memory code = WasmMachineCode.INIT_CODE;
        assembly ("memory-safe") {
            machine := create(0, add(code, 0x20), mload(code))
        }
        require(machine != address(0), "the machine was not deployed");
    }

    /// @dev An app with these effects.
    function app(Effect[] memory effects) internal pure returns (bytes memory) {
        return tailed(abi.encode(effects));
    }

    function tailed(bytes memory data) internal pure returns (bytes memory) {
        uint256 n = data.length;
        return bytes.concat(data, bytes1(uint8(n)), bytes1(uint8(n >> 8)), bytes1(uint8(n >> 16)), bytes1(uint8(n >> 24)));
    }

    /// @dev A genesis input with this head, for which init returns `result`: init's input ends with it only when nothing is padded.
    function genesis(bytes memory head, bytes memory result) internal pure returns (bytes memory) {
        uint256 over = (head.length + result.length + 4) % 32;
        return bytes.concat(head, new bytes(over == 0 ? 0 : 32 - over), tailed(result));
    }
}
