// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FieldLayout} from "@latticexyz/store/src/FieldLayout.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IPolicies, Policy} from "./interfaces/IPolicies.sol";
import {ITickets, Record, RecordKey, Ticket} from "./interfaces/ITickets.sol";
import {MudWorld} from "./lib/MudWorld.sol";

/// @title Tickets
/// @dev NatSpec is in the interface. A World is whatever address the buyer names: it is read by static calls only, so that it
/// can lie about itself but change nothing here; and its namespace's owner gets exactly what came in.
contract Tickets is ITickets {
    /* STORAGE */

    uint256 private constant MIN_OWNERS = 2;
    uint256 private constant MAX_OWNERS = 16;
    uint256 private constant MAX_RECORDS = 32;
    uint256 private constant MAX_RECORD_BYTES = 8 * 1024;
    /// @dev Blocks from the entry to the one whose hash is the seed: the next one is not enough where its builder may also choose
    /// which entries to include.
    uint256 private constant SEED_DELAY = 2;

    /// @inheritdoc ITickets
    address public immutable policies;

    /// @inheritdoc ITickets
    uint256 public entries;
    /// @dev The contract whose code is abi.encode(Ticket), without its seed; zero when sealed.
    mapping(uint256 number => address) private _open;
    /// @inheritdoc ITickets
    mapping(bytes32 ticketHash => bool) public isSealed;
    /// @inheritdoc ITickets
    mapping(address account => uint256) public credits;

    constructor(address policies_) {
        policies = policies_;
    }

    /* ENTRY */

    /// @inheritdoc ITickets
    function enter(
        address world,
        bytes32 namespaceId,
        bytes32 moduleHash,
        bytes32 configHash,
        address[] calldata owners,
        RecordKey[] calldata keys
    ) external payable returns (uint256 number) {
        Ticket memory t;
        (t.world, t.namespaceId, t.moduleHash, t.configHash) = (world, namespaceId, moduleHash, configHash);
        _requireOwners(owners);
        t.ownersHash = keccak256(abi.encode(owners));
        Policy memory policy;
        (policy, t.revision) = IPolicies(policies).inForce(world, namespaceId, moduleHash, configHash, 0);
        if (msg.value != policy.ticketPrice) revert WrongPrice(policy.ticketPrice);
        Record[] memory records = _read(world, namespaceId, keys);
        t.block = block.number;
        t.snapshot = keccak256(abi.encode(world, block.number, records));

        number = ++entries;
        t.number = number;
        _open[number] = SSTORE2.write(abi.encode(t));
        if (msg.value != 0) _credit(world, namespaceId);
        emit Entered(number, world, namespaceId, block.number + SEED_DELAY, t, records);
    }

    /// @inheritdoc ITickets
    function seal(uint256 number) external returns (bytes32 ticketHash) {
        address stored = _open[number];
        if (stored == address(0)) revert NotOpen(number);
        Ticket memory t = abi.decode(SSTORE2.read(stored), (Ticket));
        uint256 seedBlock = t.block + SEED_DELAY;
        if (block.number <= seedBlock) revert TooEarly(seedBlock);
        t.seed = blockhash(seedBlock);
        if (t.seed == 0) revert TooLate(seedBlock);

        ticketHash = keccak256(abi.encode(t));
        delete _open[number];
        isSealed[ticketHash] = true;
        emit Sealed(number, ticketHash, t);
    }

    /// @inheritdoc ITickets
    function withdraw(address to) external returns (uint256 amount) {
        amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw();

        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);

        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) revert WithdrawFailed();
    }

    /* INTERNAL */

    function _requireOwners(address[] calldata owners) internal pure {
        if (owners.length < MIN_OWNERS || owners.length > MAX_OWNERS) revert BadOwners();
        for (uint256 i; i < owners.length; ++i) {
            if (owners[i] == address(0)) revert BadOwners();
        }
    }

    /// @dev The policy is in force, so the namespace has an owner; only a fake World says otherwise a moment later.
    function _credit(address world, bytes32 namespaceId) internal {
        address owner = MudWorld.namespaceOwner(world, namespaceId);
        if (owner == address(0)) revert IPolicies.NotAllowed();
        credits[owner] += msg.value;
    }

    /// @dev The records as they are now. Keys are as MUD's own tables make them: otherwise one record could have two names.
    function _read(address world, bytes32 namespaceId, RecordKey[] calldata keys) internal view returns (Record[] memory records) {
        if (keys.length > MAX_RECORDS) revert BadKeys(keys.length);
        records = new Record[](keys.length);
        bytes32[] memory names = new bytes32[](keys.length);
        uint256 size;
        for (uint256 i; i < keys.length; ++i) {
            if (!MudWorld.isTableOf(keys[i].resourceId, namespaceId)) revert BadKeys(i);
            (bool ok, FieldLayout layout) = MudWorld.layoutOf(world, keys[i].resourceId, keys[i].key);
            if (!ok) revert BadKeys(i);
            names[i] = keccak256(abi.encode(keys[i]));
            for (uint256 j; j < i; ++j) {
                if (names[j] == names[i]) revert BadKeys(i);
            }
            Record memory r = MudWorld.read(world, keys[i].resourceId, keys[i].key, layout);
            size += 32 * r.key.length + r.staticData.length + r.dynamicData.length;
            if (size > MAX_RECORD_BYTES) revert BadKeys(i);
            records[i] = r;
        }
    }
}
