// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IModuleRegistry} from "../src/interfaces/IModuleRegistry.sol";
import {Manifest} from "../src/Types.sol";
import {MachineTest, ModuleFile} from "./MachineTest.sol";

/// @dev Code that begins with a zero byte as a chunk does, but that the registry did not make.
contract Foreign {
    constructor(bytes memory data) {
        bytes memory code = bytes.concat(hex"00", data);
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}

contract ModuleRegistryTest is MachineTest {
    struct BoundFile {
        uint64 fuelLimit;
        uint32 pages;
        uint256 programBytes;
        uint256 bound;
    }

    uint256 internal maxMachineGas;

    function setUp() public {
        deployMachine();
        maxMachineGas = vm.parseJsonUint(testdata("gasbound.json"), ".maxMachineGas");
    }

    /* CHUNKS */

    function testFuzz_Store_IsNamedByItsContent(bytes calldata data, address other) public {
        vm.assume(data.length != 0 && data.length <= CHUNK_SIZE);
        vm.expectEmit(false, false, false, true, address(registry));
        emit IModuleRegistry.ChunkStored(address(0), data.length);
        address chunk = registry.store(data);
        assertEq(chunk.code, bytes.concat(hex"00", data));
        vm.recordLogs();
        vm.prank(other);
        assertEq(registry.store(data), chunk);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_Store_Sizes() public {
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.BadChunkSize.selector, 0));
        registry.store("");
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.BadChunkSize.selector, CHUNK_SIZE + 1));
        registry.store(new bytes(CHUNK_SIZE + 1));
        assertEq(registry.store(new bytes(CHUNK_SIZE)).code.length, CHUNK_SIZE + 1);
    }

    /* PROGRAMS */

    function _noise(uint256 seed, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            assembly ("memory-safe") {
                // The last word may reach into the padding, which exists up to the next word.
                mstore(add(add(data, 0x20), i), word)
            }
        }
        assembly ("memory-safe") {
            mstore(0x40, and(add(mload(0x40), 0x3f), not(0x1f)))
        }
    }

    /// forge-config: default.fuzz.runs = 24
    function testFuzz_Program_IsTheConcatenation(uint256 seed, uint256 length) public {
        length = bound(length, 1, 3 * CHUNK_SIZE);
        bytes memory program = _noise(seed, length);
        address[] memory chunks = storeAll(program);
        vm.expectEmit(address(registry));
        emit IModuleRegistry.ProgramRegistered(keccak256(program), length, chunks);
        assertEq(registry.registerProgram(chunks), keccak256(program));
        (address[] memory stored, uint256 size) = registry.programOf(keccak256(program));
        assertEq(stored, chunks);
        assertEq(size, length);
        vm.recordLogs();
        assertEq(registry.registerProgram(chunks), keccak256(program));
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_Program_TheLargest() public {
        bytes memory program = _noise(1, 16 * CHUNK_SIZE);
        address[] memory chunks = storeAll(program);
        assertEq(chunks.length, 16);
        uint256 before = gasleft();
        assertEq(registry.registerProgram(chunks), keccak256(program));
        assertLt(before - gasleft(), 2_000_000);
    }

    function test_Program_ChunksAreOneToSixteenAndFull() public {
        vm.expectRevert(IModuleRegistry.BadChunks.selector);
        registry.registerProgram(new address[](0));
        vm.expectRevert(IModuleRegistry.BadChunks.selector);
        registry.registerProgram(new address[](17));
        address[] memory chunks = new address[](2);
        chunks[0] = registry.store(_noise(1, CHUNK_SIZE - 1));
        chunks[1] = registry.store(_noise(2, 10));
        vm.expectRevert(IModuleRegistry.BadChunks.selector);
        registry.registerProgram(chunks);
    }

    /// @dev A chunk that somebody else made could differ, or change: its address says that the registry did not make it.
    function test_Attack29_OnlyOwnChunks() public {
        bytes memory data = _noise(3, 100);
        address[6] memory foreign = [address(new Foreign(data)), machine, address(registry), makeAddr("nobody"), address(this), address(0)];
        for (uint256 i; i < foreign.length; ++i) {
            address[] memory chunks = new address[](1);
            chunks[0] = foreign[i];
            vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.NotAChunk.selector, foreign[i]));
            registry.registerProgram(chunks);
        }
        address[] memory mixed = new address[](2);
        mixed[0] = registry.store(_noise(4, CHUNK_SIZE));
        mixed[1] = foreign[0];
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.NotAChunk.selector, foreign[0]));
        registry.registerProgram(mixed);
        (mixed[0], mixed[1]) = (mixed[0], mixed[0]);
        registry.registerProgram(mixed); // the same twice is a program like any other
    }

    /// @dev Chunks whose code was tampered with (no EVM can do it) are noticed.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_Attack29_TamperedChunksAreNone(uint256 at, uint8 bit) public {
        bytes memory program = _noise(5, CHUNK_SIZE + 500);
        address[] memory chunks = storeAll(program);
        address victim = chunks[at % 2];
        bytes memory code = victim.code;
        at = (at >> 8) % code.length;
        if (at == 0) return; // the zero byte in front is no part of the program
        code[at] ^= bytes1(uint8(1 << (bit % 8)));
        vm.etch(victim, code);
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.NotAChunk.selector, victim));
        registry.registerProgram(chunks);
    }

    /* MODULES */

    function _program(uint16 pages) internal returns (bytes32) {
        bytes memory program = _noise(6, 5000);
        (program[8], program[9]) = (bytes1(uint8(pages >> 8)), bytes1(uint8(pages)));
        return registry.registerProgram(storeAll(program));
    }

    function test_Module_IsItsManifest() public {
        Manifest memory m = Manifest(_program(4), 1_000_000, 4, 0, 1);
        bytes32 hash = keccak256(abi.encode(m.programHash, m.fuelLimit, m.pageLimit, m.maxEvents, m.flags));
        assertFalse(registry.isRegistered(hash));
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.UnknownModule.selector, hash));
        registry.moduleOf(hash);
        vm.expectEmit(address(registry));
        emit IModuleRegistry.ModuleRegistered(hash, m);
        assertEq(registry.registerModule(m), hash);
        assertTrue(registry.isRegistered(hash));
        (Manifest memory stored, address[] memory chunks) = registry.moduleOf(hash);
        assertEq(abi.encode(stored), abi.encode(m));
        (address[] memory program,) = registry.programOf(m.programHash);
        assertEq(chunks, program);
        vm.recordLogs();
        assertEq(registry.registerModule(m), hash);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_Module_BadManifests() public {
        bytes32 program = _program(4);
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.UnknownProgram.selector, keccak256("none")));
        registry.registerModule(Manifest(keccak256("none"), 1_000_000, 4, 0, 0));
        Manifest[3] memory bad =
            [Manifest(program, 0, 4, 0, 0), Manifest(program, 1_000_000, 17, 0, 0), Manifest(program, 1_000_000, 4, 0, 4)];
        for (uint256 i; i < bad.length; ++i) {
            vm.expectRevert(IModuleRegistry.BadManifest.selector);
            registry.registerModule(bad[i]);
        }
    }

    /// @dev A module whose dearest call does not fit into one transaction could lie and never be disproved.
    function testFuzz_Attack15_TooExpensiveModulesAreRefused(uint64 fuel, uint32 pageLimit, uint16 programPages) public {
        fuel = uint64(bound(fuel, 1, 20_000_000));
        pageLimit = uint32(bound(pageLimit, 0, 16));
        programPages = uint16(bound(programPages, 0, 20));
        uint32 pages = programPages < pageLimit ? programPages : pageLimit;
        uint256 gas_ = registry.gasBound(fuel, pages, 5000);
        Manifest memory m = Manifest(_program(programPages), fuel, pageLimit, 0, 0);
        if (gas_ > maxMachineGas) vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.TooExpensive.selector, gas_));
        bytes32 hash = registry.registerModule(m);
        assertEq(registry.isRegistered(hash), gas_ <= maxMachineGas && hash != 0);
    }

    function test_Attack15_TheLimitIsExact() public {
        bytes32 program = _program(16);
        uint64 most = uint64(maxMachineGas - (registry.gasBound(1, 2, 5000) - 1));
        assertEq(registry.gasBound(most, 2, 5000), maxMachineGas);
        registry.registerModule(Manifest(program, most, 2, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.TooExpensive.selector, maxMachineGas + 1));
        registry.registerModule(Manifest(program, most + 1, 2, 0, 0));
        // No overflow turns the dearest into the cheapest.
        uint256 dearest = registry.gasBound(type(uint64).max, 16, 5000);
        vm.expectRevert(abi.encodeWithSelector(IModuleRegistry.TooExpensive.selector, dearest));
        registry.registerModule(Manifest(program, type(uint64).max, 16, 0, 0));
    }

    function test_C2_TheBoundIsThatOfGo() public view {
        string memory json = testdata("gasbound.json");
        BoundFile[] memory cases = abi.decode(
            vm.parseJsonTypeArray(json, ".cases", "BoundFile(uint64 fuelLimit,uint32 pages,uint256 programBytes,uint256 bound)"),
            (BoundFile[])
        );
        assertGt(cases.length, 100);
        for (uint256 i; i < cases.length; ++i) {
            assertEq(registry.gasBound(cases[i].fuelLimit, cases[i].pages, cases[i].programBytes), cases[i].bound);
        }
    }
}
