// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {WasmMachine} from "../src/lib/WasmMachine.sol";
import {WASM_MACHINE_CODE_HASH, WasmMachineCode} from "../src/machine/WasmMachineCode.sol";

/// @dev Returns, or reverts with, whatever it was made with.
contract Parrot {
    bytes private _answer;
    bool private _fails;

    constructor(bytes memory answer, bool fails) {
        _answer = answer;
        _fails = fails;
    }

    fallback() external {
        bytes memory answer = _answer;
        bool fails = _fails;
        assembly ("memory-safe") {
            if fails { revert(add(answer, 32), mload(answer)) }
            return(add(answer, 32), mload(answer))
        }
    }
}

/// @dev The machine on forge's EVM against vectors that Go wrote: another implementation of the EVM than Go's tests use.
contract WasmMachineTest is Test {
    struct Case {
        string name;
        uint64 fuelLimit;
        uint32 pageLimit;
        uint8 entry;
        uint256 maxOutput;
        bytes[] arguments;
        uint8 status;
        uint64 fuel;
        bytes output;
        uint256 gas;
    }

    struct Bound {
        uint64 fuelLimit;
        uint32 pages;
        uint256 programBytes;
        uint256 chunks;
        uint256 gas;
    }

    uint256 internal constant CHUNK = 24_575;

    address internal machine;

    function setUp() public {
        machine = deploy(WasmMachineCode.INIT_CODE);
    }

    /* TOOLS */

    function deploy(bytes memory initCode) internal returns (address at) {
        assembly ("memory-safe") {
            at := create2(0, add(initCode, 32), mload(initCode), 0)
        }
        require(at != address(0), "not deployed");
    }

    /// @dev A data contract: STOP, then bytes.
    function store(bytes memory data) internal returns (address) {
        return deploy(bytes.concat(hex"61", bytes2(uint16(data.length + 1)), hex"80600a5f395ff3", hex"00", data));
    }

    function stored(bytes memory program, uint256 size) internal returns (address[] memory chunks) {
        chunks = new address[]((program.length + size - 1) / size);
        for (uint256 i; i < chunks.length; ++i) {
            uint256 from = i * size;
            uint256 n = program.length - from < size ? program.length - from : size;
            bytes memory part = new bytes(n);
            for (uint256 k; k < n; ++k) {
                part[k] = program[from + k];
            }
            chunks[i] = store(part);
        }
    }

    function load(string memory name) internal view returns (bytes memory program, Case[] memory cases) {
        string memory json = vm.readFile(string.concat("contracts/test/vectors/", name));
        program = vm.parseJsonBytes(json, ".program");
        cases = abi.decode(
            vm.parseJsonTypeArray(
                json,
                ".cases",
                "Case(string name,uint64 fuelLimit,uint32 pageLimit,uint8 entry,uint256 maxOutput,bytes[] arguments,uint8 status,uint64 fuel,bytes output,uint256 gas)"
            ),
            (Case[])
        );
    }

    /// @dev From outside, so that gas can be chosen and a revert seen. `gas` is what the call of the machine took, with
    /// what the library adds.
    function execute(address at, WasmMachine.Program memory program, Case memory c)
        public
        view
        returns (uint8 status, bytes memory output, uint64 fuel, uint256 gas)
    {
        gas = gasleft();
        (status, output, fuel) = WasmMachine.execute(at, program, c.entry, c.maxOutput, c.arguments);
        gas -= gasleft();
    }

    function check(string memory file, uint256 size) internal {
        (bytes memory bytecode, Case[] memory cases) = load(file);
        address[] memory chunks = stored(bytecode, size);
        assertGt(cases.length, 0);
        for (uint256 i; i < cases.length; ++i) {
            checkCase(cases[i], chunks, bytecode.length);
        }
    }

    function checkCase(Case memory c, address[] memory chunks, uint256 programBytes) internal view {
        (uint8 status, bytes memory output, uint64 fuel, uint256 gas) =
            this.execute(machine, WasmMachine.Program(chunks, c.fuelLimit, c.pageLimit), c);
        assertEq(status, c.status, c.name);
        assertEq(fuel, c.fuel, c.name);
        assertEq(output, c.output, c.name);
        // The library copies arguments and output, and expands its own memory for them.
        uint256 copied = c.output.length;
        for (uint256 k; k < c.arguments.length; ++k) {
            copied += c.arguments[k].length;
        }
        uint256 most = WasmMachine.gasBound(c.fuel, c.pageLimit, programBytes, chunks.length);
        assertLe(gas, most + 30_000 + 3 * copied, c.name);
        assertGe(gas + 2_500 * chunks.length, c.gas, c.name); // the chunks are warm here, they were not in Go
    }

    /* THE MACHINE */

    function test_F11_CodeIsWhatTheListingSays() public view {
        assertEq(machine.codehash, WASM_MACHINE_CODE_HASH);
        assertEq(keccak256(machine.code), WASM_MACHINE_CODE_HASH);
        assertLe(machine.code.length, 24_576);
    }

    function test_A9_Ends() public {
        check("ends.json", CHUNK);
    }

    function test_A9_Counter() public {
        check("counter.json", CHUNK);
    }

    function test_A9_RockPaperScissors() public {
        check("rps.json", CHUNK);
    }

    function test_A9_Raid() public {
        check("raid.json", CHUNK);
    }

    function test_A9_AProgramInManyChunks() public {
        check("counter.json", 777);
    }

    function test_A11_GasBoundIsTheSameInGo() public view {
        string memory json = vm.readFile("contracts/test/vectors/ends.json");
        Bound[] memory bounds = abi.decode(
            vm.parseJsonTypeArray(json, ".bounds", "Bound(uint64 fuelLimit,uint32 pages,uint256 programBytes,uint256 chunks,uint256 gas)"),
            (Bound[])
        );
        assertGt(bounds.length, 0);
        for (uint256 i; i < bounds.length; ++i) {
            Bound memory b = bounds[i];
            assertEq(WasmMachine.gasBound(b.fuelLimit, b.pages, b.programBytes, b.chunks), b.gas);
        }
    }

    /* VERDICTS ARE NOT FOR SALE */

    /// @dev With too little gas there is no verdict, whatever is left to the caller: all or nothing, at each amount.
    function test_Attack18_GasCannotChooseAVerdict() public {
        (bytes memory bytecode, Case[] memory cases) = load("ends.json");
        address[] memory chunks = stored(bytecode, CHUNK);
        for (uint256 i; i < cases.length; ++i) {
            Case memory c = cases[i];
            WasmMachine.Program memory program = WasmMachine.Program(chunks, c.fuelLimit, c.pageLimit);
            (,,, uint256 needed) = this.execute(machine, program, c);
            uint256 verdicts;
            uint256 refusals;
            for (uint256 k; k < 40; ++k) {
                uint256 gas = needed * (k + 1) / 32 + 977 * k; // to a quarter above what it takes
                try this.execute{gas: gas}(machine, program, c) returns (uint8 status, bytes memory output, uint64 fuel, uint256) {
                    assertEq(status, c.status, c.name);
                    assertEq(fuel, c.fuel, c.name);
                    assertEq(output, c.output, c.name);
                    ++verdicts;
                } catch (bytes memory reason) {
                    // Either the library said so, or there was not even enough for that.
                    assertTrue(reason.length == 0 || bytes4(reason) == WasmMachine.MachineOutOfGas.selector, c.name);
                    ++refusals;
                }
            }
            assertGt(verdicts, 0, c.name);
            assertGt(refusals, 20, c.name);
        }
    }

    function testFuzz_Attack18_GasCannotChooseAVerdict(uint256 which, uint256 gas) public {
        (bytes memory bytecode, Case[] memory cases) = load("ends.json");
        Case memory c = cases[which % cases.length];
        WasmMachine.Program memory program = WasmMachine.Program(stored(bytecode, CHUNK), c.fuelLimit, c.pageLimit);
        gas = bound(gas, 0, 1_000_000);
        try this.execute{gas: gas}(machine, program, c) returns (uint8 status, bytes memory output, uint64 fuel, uint256) {
            assertEq(status, c.status);
            assertEq(fuel, c.fuel);
            assertEq(output, c.output);
        } catch (bytes memory reason) {
            assertTrue(reason.length == 0 || bytes4(reason) == WasmMachine.MachineOutOfGas.selector);
        }
    }

    function one() internal pure returns (WasmMachine.Program memory program, Case memory c) {
        program.fuelLimit = 1000;
        program.pageLimit = 1;
        c.entry = WasmMachine.REDUCE;
        c.maxOutput = 40;
        c.arguments = new bytes[](2);
    }

    function refuse(bytes memory answer, bool fails) internal {
        (WasmMachine.Program memory program, Case memory c) = one();
        address parrot = address(new Parrot(answer, fails));
        vm.expectRevert(WasmMachine.MachineOutOfGas.selector);
        this.execute(parrot, program, c);
    }

    function test_Attack18_WhatIsNoVerdictIsRefused() public {
        (WasmMachine.Program memory program, Case memory c) = one();
        bytes32 word = bytes32(uint256(1));
        address parrot = address(new Parrot(abi.encodePacked(uint256(0), uint256(1000), uint256(1), word), false));
        (uint8 status, bytes memory output, uint64 fuel,) = this.execute(parrot, program, c);
        assertEq(status, WasmMachine.RETURNED);
        assertEq(output, hex"00");
        assertEq(fuel, 1000);

        refuse("", false);
        refuse(abi.encodePacked(uint256(0), uint256(1000), uint256(1), word), true); // a revert that looks like a verdict
        refuse(abi.encodePacked(uint256(8), uint256(1000), uint248(0)), false); // 95 bytes
        refuse(abi.encodePacked(uint256(0), uint256(1000), uint256(0)), false); // returned nothing
        refuse(abi.encodePacked(uint256(8), uint256(1000), uint256(1), word), false); // trapped and returned
        refuse(abi.encodePacked(uint256(0), uint256(1000), uint256(33), word), false); // less than it says
        refuse(abi.encodePacked(uint256(0), uint256(1000), uint256(32), word, word), false); // more
        refuse(abi.encodePacked(uint256(0), uint256(1000), uint256(41), word, word), false); // above maxOutput
        refuse(abi.encodePacked(uint256(0), uint256(1000), type(uint256).max, word), false);
        refuse(abi.encodePacked(uint256(0), uint256(1001), uint256(1), word), false); // more fuel than there is
        for (uint256 s = 1; s < 7; ++s) {
            refuse(abi.encodePacked(s, uint256(1000), uint256(0)), false); // not the machine's to say
        }
        refuse(abi.encodePacked(uint256(11), uint256(1000), uint256(0)), false);
        refuse(abi.encodePacked(type(uint256).max, uint256(1000), uint256(0)), false);
        for (uint256 s = 7; s < 11; ++s) {
            parrot = address(new Parrot(abi.encodePacked(s, uint256(7), uint256(0)), false));
            (status, output, fuel,) = this.execute(parrot, program, c);
            assertEq(status, s);
            assertEq(output.length, 0);
            assertEq(fuel, 7);
        }
    }

    /// @dev No machine, no program, a chunk that is not there: no verdict.
    function test_Attack18_WhatIsMissingIsNoVerdict() public {
        (bytes memory bytecode, Case[] memory cases) = load("ends.json");
        WasmMachine.Program memory program = WasmMachine.Program(stored(bytecode, CHUNK), cases[0].fuelLimit, cases[0].pageLimit);
        vm.expectRevert(WasmMachine.MachineOutOfGas.selector);
        this.execute(address(0xdead), program, cases[0]);
        program.chunks[0] = address(0xdead);
        vm.expectRevert(WasmMachine.MachineOutOfGas.selector);
        this.execute(machine, program, cases[0]);
        program.chunks = new address[](0);
        vm.expectRevert(WasmMachine.MachineOutOfGas.selector);
        this.execute{gas: 5_000_000}(machine, program, cases[0]);
    }

    /// @dev A program that nobody verified can give any verdict about itself. It writes nothing and calls nobody.
    function testFuzz_Attack18_AnyProgramIsHarmless(bytes memory junk, uint256 seed) public {
        vm.assume(junk.length > 0);
        bytes memory program = bytes.concat(hex"006c6f770001000100100001000000", junk);
        (, Case[] memory cases) = load("ends.json");
        (bytes memory good,) = load("ends.json");
        if (seed % 2 == 0) {
            for (uint256 i; i < 8; ++i) {
                good[uint256(keccak256(abi.encode(seed, i))) % good.length] = junk[i % junk.length];
            }
            program = good;
        }
        address[] memory chunks = stored(program, CHUNK);
        vm.record();
        try this.execute{gas: 3_000_000}(machine, WasmMachine.Program(chunks, 300_000, 2), cases[0]) returns (
            uint8, bytes memory output, uint64 fuel, uint256
        ) {
            assertLe(output.length, cases[0].maxOutput);
            assertLe(fuel, 300_000);
        } catch {}
        (, bytes32[] memory writes) = vm.accesses(machine);
        assertEq(writes.length, 0);
    }
}
