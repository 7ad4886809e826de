// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Funding, Params, StateView, Status, Update} from "../Types.sol";

/// @notice What the adjudicator knows about one channel.
/// @param status None until somebody ends or disputes the channel, Final when its outcome is fixed.
/// @param funded Every entry of the Funding has arrived (or all of them are zero and the channel was used).
/// @param refunded The deposits went back because the funding stayed incomplete; the channel is dead.
/// @param missing Entries of the Funding that have not arrived; meaningful after the first deposit only.
/// @param deposits One bit per arrived entry: bit `16 * assetIndex + participantIndex`.
/// @param paid One bit per paid amount of the outcome: bit `24 * assetIndex + slot`, slots being the participants and
/// then the beneficiaries.
/// @param seq Seq of the Update that ended the channel; its tree has `seq + 1` leaves.
/// @param stateHash The state whose funds are paid out.
/// @param journalRoot Root of the journal that the participants signed.
struct ChannelView {
    Status status;
    bool funded;
    bool refunded;
    uint8 missing;
    uint128 deposits;
    uint192 paid;
    uint64 seq;
    bytes32 stateHash;
    bytes32 journalRoot;
}

/// @title IAdjudicator
/// @notice Holds the stakes of channels and pays them out by what the participants signed (docs/protocol.md §5).
/// It has no owner, cannot be upgraded or paused, and every function may be called by anyone except `deposit`.
/// @dev Every function takes the channel's `Params` and recomputes the channel id; `Funding[]` is checked against
/// `params.fundingHash`. "Before a deadline" means `block.timestamp < deadline`.
interface IAdjudicator {
    /* EVENTS */

    /// @notice `participants[index].owner` paid its entry of `asset`.
    event Deposited(bytes32 indexed channelId, uint8 index, address asset, uint256 amount);

    /// @notice The last missing entry arrived: the channel may be played.
    event Funded(bytes32 indexed channelId);

    /// @notice The funding stayed incomplete and every deposit went back; `Paid` or `Credited` follow, one per deposit.
    event Refunded(bytes32 indexed channelId);

    /// @notice The channel is Final by agreement; `Paid` or `Credited` follow, one per non-zero amount.
    event Concluded(bytes32 indexed channelId, uint64 seq, bytes32 journalRoot, bytes32 stateHash);

    /// @notice `amount` of `asset` left the channel and arrived at `to`.
    event Paid(bytes32 indexed channelId, address asset, address indexed to, uint256 amount);

    /// @notice `amount` of `asset` left the channel but the transfer failed: `to` may `withdraw` it.
    event Credited(bytes32 indexed channelId, address asset, address indexed to, uint256 amount);

    /// @notice `account` took its credit in `asset` out to `to`.
    event Withdrawn(address indexed account, address asset, address to, uint256 amount);

    /* ERRORS */

    /// @notice The Params name another chain or another adjudicator.
    error WrongDomain();
    /// @notice Fewer than 2 or more than 16 participants.
    error BadParticipantCount();
    /// @notice A participant's or guarantor's key is zero or used twice.
    error BadSigner(uint256 index);
    /// @notice An owner or beneficiary is the zero address.
    error ZeroPayee();
    /// @notice More than 8 beneficiaries.
    error TooManyBeneficiaries();
    /// @notice More than 4 guarantors.
    error TooManyGuarantors();
    /// @notice The window is shorter than this deployment's minimum or longer than 30 days.
    error BadWindow();
    /// @notice The force quota is not within 1..256.
    error BadForceQuota();
    /// @notice The sequencer is not a participant.
    error BadSequencer();
    /// @notice The Funding is not the one that the Params commit to.
    error WrongFunding();
    /// @notice More than 8 assets, an asset twice, a wrong number of amounts, or a pot above the range of uint256.
    error BadFunding();
    /// @notice The operation is not for virtual channels.
    error VirtualChannel();
    /// @notice There is no such participant, beneficiary or asset.
    error BadIndex();
    /// @notice Only the owner of the participant may pay its entry.
    error NotOwner();
    /// @notice The entry is zero: nothing is due.
    error NothingDue();
    /// @notice The entry was paid before.
    error AlreadyDeposited();
    /// @notice Another amount than the exact entry arrived (wrong value sent, or a token that takes a fee).
    error WrongAmount();
    /// @notice The funding deadline has passed.
    error FundingClosed();
    /// @notice The funding deadline is more than 7 days after the first deposit.
    error FundingDeadlineTooFar();
    /// @notice The funding deadline has not passed.
    error FundingOpen();
    /// @notice The channel is fully funded: it ends by `conclude` or dispute, not by `refund`.
    error FullyFunded();
    /// @notice The channel has no deposits to give back.
    error NothingToRefund();
    /// @notice Not every entry of the Funding has arrived.
    error NotFunded();
    /// @notice The channel is Final or in a phase in which this is not possible.
    error WrongStatus();
    /// @notice The Update belongs to another channel.
    error WrongChannel();
    /// @notice The number of signatures is not the number of signers.
    error WrongSignatureCount();
    /// @notice Signature `index` of the list is malformed or not by the expected key.
    error BadSignature(uint256 index);
    /// @notice The header has another length, a word above its type, or a terminal flag other than 0 or 1.
    error BadHeader();
    /// @notice The funds do not have assets · (N + beneficiaries) words.
    error BadFunds();
    /// @notice The state is not the one that was signed or fixed.
    error WrongState();
    /// @notice The state counts more top-ups than were recorded.
    error BadTopUps();
    /// @notice The state is not terminal, so that a Close of everyone is needed.
    error NotTerminal();
    /// @notice The funds of asset `assetIndex` do not sum to the pot.
    error WrongSum(uint256 assetIndex);
    /// @notice A ledger channel with a live guarantee does not close cooperatively.
    error GuaranteeLives();
    /// @notice Too little gas to give every payee a fair try; send the transaction with more gas.
    error InsufficientGas();
    /// @notice The caller has no credit in this asset.
    error NothingToWithdraw();
    /// @notice The transfer of the credit failed; try another `to`.
    error TransferFailed();

    /* FUNDS */

    /// @notice Pays the caller's entry `funding[assetIndex].amounts[index]`, in full, once, before the funding deadline.
    /// The last entry makes the channel funded.
    /// @dev ETH: `msg.value` is the amount. ERC-20: approve the adjudicator first; tokens that take a fee are refused.
    /// The first deposit checks every limit of docs/protocol.md §1 and docs/encoding.md 13-15.
    /// @param index The participant, whose owner must be `msg.sender`.
    /// @param assetIndex The position of the asset in `funding`.
    function deposit(Params calldata params, Funding[] calldata funding, uint8 index, uint8 assetIndex) external payable;

    /// @notice Gives every depositor its own deposit back when the funding deadline passed and an entry is missing.
    function refund(Params calldata params, Funding[] calldata funding) external;

    /// @notice Ends a funded channel by agreement and pays everyone at once.
    /// @param update The journal head, signed by all participants.
    /// @param signatures The participants' signatures on `update`, in order.
    /// @param closeSignatures Empty when the state is terminal; otherwise signatures of all participants and then all
    /// guarantors on `Close{channelId, update.seq, update.stateHash, inDispute: false}`.
    /// @param state The state behind `update.stateHash`; its funds sum to the pot of every asset.
    /// @dev A payee that refuses the transfer, or burns the gas given to it, is credited for `withdraw`. For a ledger
    /// channel (null module) `state.appHash` must be that of an empty `Guarantee[]`.
    function conclude(
        Params calldata params,
        Funding[] calldata funding,
        Update calldata update,
        bytes[] calldata signatures,
        bytes[] calldata closeSignatures,
        StateView calldata state
    ) external;

    /// @notice Pays one payee of a Final channel what it has not been paid yet, in every asset. Does nothing when all
    /// of it was paid.
    /// @param slot Which payee: the participants (paid to their owners) and then the beneficiaries.
    function payout(Params calldata params, Funding[] calldata funding, StateView calldata state, uint8 slot) external;

    /// @notice Sends the caller's credits in `asset` to `to`.
    /// @return amount What was sent.
    function withdraw(address asset, address to) external returns (uint256 amount);

    /* VIEWS */

    /// @notice The shortest `params.window` this deployment accepts, in seconds.
    function minWindow() external view returns (uint32);

    /// @notice The EIP-712 domain separator of every message of the protocol.
    function domainSeparator() external view returns (bytes32);

    /// @notice `keccak256(abi.encode(params))`.
    function channelId(Params calldata params) external pure returns (bytes32);

    /// @notice What is known about a channel; all zero for an unknown one.
    function channel(bytes32 id) external view returns (ChannelView memory);

    /// @notice How much of `asset` the adjudicator still holds for a channel: what arrived minus what was paid or credited.
    function held(bytes32 id, address asset) external view returns (uint256);

    /// @notice Whether `participants[index].owner` has paid its entry of the asset at `assetIndex`.
    function hasDeposited(bytes32 id, uint8 index, uint8 assetIndex) external view returns (bool);

    /// @notice What `account` can `withdraw` in `asset`.
    function credits(address asset, address account) external view returns (uint256);
}
