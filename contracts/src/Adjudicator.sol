// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ChannelView, IAdjudicator} from "./interfaces/IAdjudicator.sol";
import {Messages} from "./lib/Messages.sol";
import {Outcome} from "./lib/Outcome.sol";
import {Payments} from "./lib/Payments.sol";
import {Signatures} from "./lib/Signatures.sol";
import {Terms} from "./lib/Terms.sol";
import {Close, Funding, Params, StateView, Status, Update} from "./Types.sol";

/// @title Adjudicator
/// @dev NatSpec is in the interface. Every function: require, write state, emit, and only then transfer.
contract Adjudicator is IAdjudicator, ReentrancyGuardTransient {
    /* STORAGE */

    /// @dev `paid` and `deposits` are bit sets, so that a channel costs four slots however many people play in it.
    struct Channel {
        Status status;
        bool known; // Params and Funding were checked; `missing` is meaningful
        bool refunded;
        uint8 missing;
        uint128 deposits; // bit 16 · asset + participant
        uint64 seq;
        uint192 paid; // bit 24 · asset + slot
        bytes32 stateHash;
        bytes32 journalRoot;
    }

    uint256 internal constant EVERYONE = type(uint256).max;
    uint256 private constant MAX_SLOTS = Terms.MAX_PARTICIPANTS + Terms.MAX_BENEFICIARIES;

    /// @inheritdoc IAdjudicator
    uint32 public immutable minWindow;

    mapping(bytes32 id => Channel) private _channels;
    /// @inheritdoc IAdjudicator
    mapping(bytes32 id => mapping(address asset => uint256)) public held;
    /// @inheritdoc IAdjudicator
    mapping(address asset => mapping(address account => uint256)) public credits;

    constructor(uint32 minWindow_) {
        minWindow = minWindow_;
    }

    /* FUNDING */

    /// @inheritdoc IAdjudicator
    function deposit(Params calldata params, Funding[] calldata funding, uint8 index, uint8 assetIndex) external payable nonReentrant {
        bytes32 id = _open(params, funding, true);
        Channel storage c = _channels[id];
        if (params.isVirtual) revert VirtualChannel();
        if (index >= params.participants.length || assetIndex >= funding.length) revert BadIndex();
        if (msg.sender != params.participants[index].owner) revert NotOwner();
        if (block.timestamp >= params.fundingDeadline) revert FundingClosed();

        address asset = funding[assetIndex].asset;
        uint256 amount = funding[assetIndex].amounts[index];
        if (amount == 0) revert NothingDue();
        uint128 bit = _depositBit(index, assetIndex);
        if (c.deposits & bit != 0) revert AlreadyDeposited();
        if (msg.value != (asset == address(0) ? amount : 0)) revert WrongAmount();

        c.deposits |= bit;
        c.missing -= 1;
        held[id][asset] += amount;
        emit Deposited(id, index, asset, amount);
        if (c.missing == 0) emit Funded(id);

        if (asset != address(0)) _pull(asset, amount);
    }

    /// @inheritdoc IAdjudicator
    function refund(Params calldata params, Funding[] calldata funding) external nonReentrant {
        bytes32 id = Terms.channelId(params);
        Channel storage c = _channels[id];
        Terms.requireFunding(params, funding);
        if (block.timestamp < params.fundingDeadline) revert FundingOpen();
        uint128 deposits = c.deposits;
        if (deposits == 0) revert NothingToRefund();
        if (c.missing == 0) revert FullyFunded();

        c.deposits = 0;
        c.refunded = true;
        emit Refunded(id);

        for (uint256 a; a < funding.length; ++a) {
            held[id][funding[a].asset] = 0;
        }
        for (uint256 a; a < funding.length; ++a) {
            for (uint256 i; i < params.participants.length; ++i) {
                if (deposits & _depositBit(i, a) == 0) continue;
                _send(id, funding[a].asset, params.participants[i].owner, funding[a].amounts[i]);
            }
        }
    }

    /* ENDING */

    /// @inheritdoc IAdjudicator
    function conclude(
        Params calldata params,
        Funding[] calldata funding,
        Update calldata update,
        bytes[] calldata signatures,
        bytes[] calldata closeSignatures,
        StateView calldata state
    ) external nonReentrant {
        bytes32 id = _open(params, funding, false);
        if (params.isVirtual) revert VirtualChannel();
        if (_channels[id].missing != 0) revert NotFunded();
        if (_channels[id].status > Status.Collect) revert WrongStatus();
        _requireSupported(id, params, update, signatures);
        _requireOutcome(params, funding, update.stateHash, state, closeSignatures.length == 0);
        if (closeSignatures.length != 0) _requireClose(id, params, update, closeSignatures);

        _finalize(id, update);
        emit Concluded(id, update.seq, update.journalRoot, update.stateHash);

        _pay(id, params, funding, state, EVERYONE);
    }

    /// @inheritdoc IAdjudicator
    function payout(Params calldata params, Funding[] calldata funding, StateView calldata state, uint8 slot) external nonReentrant {
        bytes32 id = Terms.channelId(params);
        Terms.requireFunding(params, funding);
        if (params.isVirtual) revert VirtualChannel();
        if (_channels[id].status != Status.Final) revert WrongStatus();
        if (Outcome.stateHash(state) != _channels[id].stateHash) revert WrongState();
        if (slot >= _slots(params)) revert BadIndex();

        _pay(id, params, funding, state, slot);
    }

    /// @inheritdoc IAdjudicator
    function withdraw(address asset, address to) external nonReentrant returns (uint256 amount) {
        amount = credits[asset][msg.sender];
        if (amount == 0) revert NothingToWithdraw();

        credits[asset][msg.sender] = 0;
        emit Withdrawn(msg.sender, asset, to, amount);

        if (asset != address(0)) SafeERC20.safeTransfer(IERC20(asset), to, amount);
        else Address.sendValue(payable(to), amount);
    }

    /* VIEWS */

    /// @inheritdoc IAdjudicator
    function domainSeparator() public view returns (bytes32) {
        return Messages.domainSeparator(block.chainid, address(this));
    }

    /// @inheritdoc IAdjudicator
    function channelId(Params calldata params) external pure returns (bytes32) {
        return Terms.channelId(params);
    }

    /// @inheritdoc IAdjudicator
    function channel(bytes32 id) external view returns (ChannelView memory) {
        Channel storage c = _channels[id];
        return ChannelView({
            status: c.status,
            funded: c.known && c.missing == 0,
            refunded: c.refunded,
            missing: c.missing,
            deposits: c.deposits,
            paid: c.paid,
            seq: c.seq,
            stateHash: c.stateHash,
            journalRoot: c.journalRoot
        });
    }

    /// @inheritdoc IAdjudicator
    function hasDeposited(bytes32 id, uint8 index, uint8 assetIndex) external view returns (bool) {
        if (index >= Terms.MAX_PARTICIPANTS || assetIndex >= Terms.MAX_ASSETS) return false;
        return _channels[id].deposits & _depositBit(index, assetIndex) != 0;
    }

    /* INTERNAL: CHECKS */

    /// @dev The first call for a channel checks everything its id commits to; later calls only that Funding is the same.
    function _open(Params calldata params, Funding[] calldata funding, bool depositing) internal returns (bytes32 id) {
        id = Terms.channelId(params);
        Terms.requireFunding(params, funding);
        Channel storage c = _channels[id];
        if (c.known) return id;

        if (params.chainId != block.chainid || params.adjudicator != address(this)) revert WrongDomain();
        Terms.requireParams(params, minWindow);
        if (depositing && params.fundingDeadline > block.timestamp + Terms.MAX_FUNDING_PERIOD) revert FundingDeadlineTooFar();
        c.known = true;
        c.missing = Terms.missing(funding, params.participants.length);
    }

    /// @dev Supported: signed by all participants.
    function _requireSupported(bytes32 id, Params calldata params, Update calldata update, bytes[] calldata signatures) internal view {
        if (update.channelId != id) revert WrongChannel();
        if (signatures.length != params.participants.length) revert WrongSignatureCount();
        bytes32 digest = Messages.digest(domainSeparator(), Messages.hash(update));
        for (uint256 i; i < signatures.length; ++i) {
            if (!Signatures.isBy(params.participants[i].signer, digest, signatures[i])) revert BadSignature(i);
        }
    }

    /// @dev Everybody, guarantors included, agreed to end here.
    function _requireClose(bytes32 id, Params calldata params, Update calldata update, bytes[] calldata signatures) internal view {
        uint256 participants = params.participants.length;
        if (signatures.length != participants + params.guarantors.length) revert WrongSignatureCount();
        bytes32 digest = Messages.digest(domainSeparator(), Messages.hash(Close(id, update.seq, update.stateHash, false)));
        for (uint256 i; i < signatures.length; ++i) {
            address signer = i < participants ? params.participants[i].signer : params.guarantors[i - participants];
            if (!Signatures.isBy(signer, digest, signatures[i])) revert BadSignature(i);
        }
    }

    /// @dev The state can be paid out from what the channel holds.
    function _requireOutcome(
        Params calldata params,
        Funding[] calldata funding,
        bytes32 stateHash,
        StateView calldata state,
        bool mustBeTerminal
    ) internal pure {
        if (Outcome.stateHash(state) != stateHash) revert WrongState();
        (uint32 topUps, bool terminal) = Outcome.readHeader(state.header, params.participants.length);
        if (mustBeTerminal && !terminal) revert NotTerminal();
        // Nothing records top-ups in this deployment, so a state that counts one is paid with money that is not there.
        if (topUps != 0) revert BadTopUps();
        Outcome.requireSums(state.funds, funding, _slots(params));
        if (params.moduleHash == 0 && state.appHash != Outcome.noGuarantees()) revert GuaranteeLives();
    }

    /* INTERNAL: STATE */

    function _finalize(bytes32 id, Update calldata update) internal {
        Channel storage c = _channels[id];
        c.status = Status.Final;
        c.seq = update.seq;
        c.stateHash = update.stateHash;
        c.journalRoot = update.journalRoot;
    }

    /// @dev Pays one slot, or everyone, of a Final channel whatever of `state.funds` has not been paid. First everything
    /// is marked as paid and taken from `held`, then it is sent.
    function _pay(bytes32 id, Params calldata params, Funding[] calldata funding, StateView calldata state, uint256 only) internal {
        uint256 slots = _slots(params);
        uint192 before = _channels[id].paid;
        uint192 paid = before;
        for (uint256 i; i < funding.length * slots; ++i) {
            uint192 bit = _paidBit(i % slots, i / slots);
            if (paid & bit != 0 || (only != EVERYONE && only != i % slots)) continue;
            paid |= bit;
            // Checked: more than is held cannot leave, whatever the state says.
            held[id][funding[i / slots].asset] -= Outcome.word(state.funds, i);
        }
        _channels[id].paid = paid;

        for (uint256 i; i < funding.length * slots; ++i) {
            if ((paid ^ before) & _paidBit(i % slots, i / slots) == 0) continue;
            uint256 amount = Outcome.word(state.funds, i);
            if (amount != 0) _send(id, funding[i / slots].asset, _payee(params, i % slots), amount);
        }
    }

    /* INTERNAL: TRANSFERS */

    function _pull(address asset, uint256 amount) internal {
        uint256 before = IERC20(asset).balanceOf(address(this));
        SafeERC20.safeTransferFrom(IERC20(asset), msg.sender, address(this), amount);
        uint256 arrived = IERC20(asset).balanceOf(address(this)) - before;
        if (arrived != amount) revert WrongAmount();
    }

    /// @dev The amount has left `held`. Whoever refuses it finds it in `credits`: nobody's refusal stops the others.
    function _send(bytes32 id, address asset, address to, uint256 amount) internal {
        if (Payments.trySend(asset, to, amount)) {
            emit Paid(id, asset, to, amount);
            return;
        }
        // Only a token that lies about its supply can overflow; it must not block what is paid in the other assets.
        uint256 credit = credits[asset][to];
        credits[asset][to] = amount > type(uint256).max - credit ? type(uint256).max : credit + amount;
        emit Credited(id, asset, to, amount);
    }

    /* INTERNAL: PLACES */

    function _slots(Params calldata params) internal pure returns (uint256) {
        return params.participants.length + params.beneficiaries.length;
    }

    function _payee(Params calldata params, uint256 slot) internal pure returns (address) {
        uint256 participants = params.participants.length;
        return slot < participants ? params.participants[slot].owner : params.beneficiaries[slot - participants];
    }

    function _depositBit(uint256 index, uint256 assetIndex) internal pure returns (uint128) {
        return uint128(1) << uint128(Terms.MAX_PARTICIPANTS * assetIndex + index);
    }

    function _paidBit(uint256 slot, uint256 assetIndex) internal pure returns (uint192) {
        return uint192(1) << uint192(MAX_SLOTS * assetIndex + slot);
    }
}
