// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Manifest} from "../Types.sol";

/// @title IModuleRegistry
/// @notice Keeps lowered programs (derivation/lower) as data contracts, so that everybody can execute them on chain.
/// Anyone registers anything; what is registered is its own hash, so nobody can register something else under it.
/// @dev The registry does not verify programs, it only names them: whoever pins a moduleHash has lowered the module.
interface IModuleRegistry {
    /// @notice `chunk` is a contract whose code is 0x00 ‖ the bytes given.
    event ChunkStored(address indexed chunk, uint256 size);
    /// @notice The chunks, one after the other, are the program.
    event ProgramRegistered(bytes32 indexed programHash, uint256 size, address[] chunks);
    event ModuleRegistered(bytes32 indexed moduleHash, Manifest manifest);

    /// @notice Nothing, or more than a contract's code can hold (24,575 bytes).
    error BadChunkSize(uint256 size);
    /// @notice This address was not made by `store`.
    error NotAChunk(address chunk);
    /// @notice A program has 1 to 16 chunks, all but the last of 24,575 bytes.
    error BadChunks();
    /// @notice `registerProgram` comes first.
    error UnknownProgram(bytes32 programHash);
    /// @notice `registerModule` comes first.
    error UnknownModule(bytes32 moduleHash);
    /// @notice A call of this module may need `gas`, more than one transaction can prove.
    error TooExpensive(uint256 gas);
    /// @notice Fuel 0, pages above 16, or flags that have no meaning.
    error BadManifest();

    /// @notice Stores a piece of a program. Storing the same again changes nothing and gives the same address.
    function store(bytes calldata data) external returns (address chunk);

    /// @notice Registers the program that the chunks are. Again: no-op.
    function registerProgram(address[] calldata chunks) external returns (bytes32 programHash);

    /// @notice Registers a module: a registered program with its limits (docs/encoding.md 16). Refused when a call within
    /// the fuel limit could need more gas than a proof may cost. Again: no-op.
    function registerModule(Manifest calldata manifest) external returns (bytes32 moduleHash);

    /// @notice The chunks of a program, empty when it is not registered.
    function programOf(bytes32 programHash) external view returns (address[] memory chunks, uint256 size);

    /// @notice What a module is. Reverts with UnknownModule.
    function moduleOf(bytes32 moduleHash) external view returns (Manifest memory manifest, address[] memory chunks);

    /// @notice Whether `registerModule` was called for it.
    function isRegistered(bytes32 moduleHash) external view returns (bool);

    /// @notice The most gas that one call of the machine needs: derivation/evm's GasBound.
    /// @param pages The smaller of the manifest's limit and the most that the program can have.
    function gasBound(uint64 fuelLimit, uint32 pages, uint256 programBytes) external pure returns (uint256);
}
