// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice What a channel is played for (docs/encoding.md 25). The genesis input's fifth word is H(abi.encode(Ticket)), so that
/// a module's `init` can check all of it without asking anybody.
/// @param number Counts the entries of this contract, from 1.
/// @param revision The policy revision of the pair when the ticket was bought.
/// @param block When the snapshot was taken.
/// @param ownersHash H(abi.encode(address[])) of the participants' owners, in the channel's order.
/// @param snapshot H(abi.encode(address world, uint256 block, Record[])).
/// @param seed The hash of a block after the snapshot's, which nobody knew when the ticket was bought.
struct Ticket {
    uint256 number;
    address world;
    bytes32 namespaceId;
    bytes32 moduleHash;
    bytes32 configHash;
    uint64 revision;
    uint256 block;
    bytes32 ownersHash;
    bytes32 snapshot;
    bytes32 seed;
}

/// @notice One record of a World as it was.
struct Record {
    bytes32 resourceId;
    bytes32[] key;
    bytes staticData;
    bytes32 encodedLengths;
    bytes dynamicData;
}

/// @notice A record's name.
struct RecordKey {
    bytes32 resourceId;
    bytes32[] key;
}

/// @title ITickets
/// @notice Sells entry to channels that change a World, with a snapshot of the records that they are played over and a seed.
interface ITickets {
    /// @notice `enter` was called: the snapshot's records are in the log, for the genesis input. `seal` can be called after
    /// block `seedBlock`, and only within the 256 blocks behind it.
    event Entered(
        uint256 indexed number, address indexed world, bytes32 indexed namespaceId, uint256 seedBlock, Ticket ticket, Record[] records
    );
    /// @notice The ticket has its seed: `ticketHash` goes into the genesis input.
    event Sealed(uint256 indexed number, bytes32 indexed ticketHash, Ticket ticket);
    event Withdrawn(address indexed account, uint256 amount);

    /// @notice Exactly the policy's ticket price has to be sent.
    error WrongPrice(uint256 price);
    /// @notice A channel has 2 to 16 owners, none zero.
    error BadOwners();
    /// @notice Key `index`: at most 32 records, at most 8 KiB of keys, static and dynamic data together, each of an on-chain table
    /// of the policy's namespace, with a key of the table's types, none twice.
    error BadKeys(uint256 index);
    /// @notice No such entry, or it is sealed already.
    error NotOpen(uint256 number);
    /// @notice The seed's block has no hash yet.
    error TooEarly(uint256 seedBlock);
    /// @notice The seed's block is too old: the entry is void. Enter again.
    error TooLate(uint256 seedBlock);
    error NothingToWithdraw();
    error WithdrawFailed();

    /// @notice Buys a ticket. Anyone may, for anyone: a ticket is no consent.
    /// @dev Reverts IPolicies.NotAllowed when the pair has no policy in force.
    /// @param owners The participants' owners, in the channel's order.
    /// @param keys The records whose values the channel is played over.
    function enter(
        address world,
        bytes32 namespaceId,
        bytes32 moduleHash,
        bytes32 configHash,
        address[] calldata owners,
        RecordKey[] calldata keys
    ) external payable returns (uint256 number);

    /// @notice Gives the ticket its seed, blockhash(seedBlock). Anyone, once.
    function seal(uint256 number) external returns (bytes32 ticketHash);

    /// @notice Whether this is the hash of a sealed ticket.
    function isSealed(bytes32 ticketHash) external view returns (bool);

    /// @notice What namespace owners earned by tickets and have not withdrawn.
    function credits(address account) external view returns (uint256);
    function withdraw(address to) external returns (uint256 amount);

    /// @notice How many entries there were: the number of the newest.
    function entries() external view returns (uint256);
    function policies() external view returns (address);
}
