// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDerivation} from "./interfaces/IDerivation.sol";
import {IModuleRegistry} from "./interfaces/IModuleRegistry.sol";
import {Effects} from "./lib/Effects.sol";
import {States} from "./lib/States.sol";
import {Terms} from "./lib/Terms.sol";
import {WasmMachine} from "./lib/WasmMachine.sol";
import {Effect, Event, Funding, Manifest, Params, TopUp} from "./Types.sol";

/// @title Derivation
/// @dev NatSpec is in the interface. The mirror of Go's channel/transition.go: the same checks in the same order. A status
/// comes from a comparison or from what the machine returned, never from a call that failed.
contract Derivation is IDerivation {
    using States for States.Shape;

    /// @dev A channel's module, what its states look like, and the state before.
    /// @param pot What the funds must sum to per asset.
    struct Context {
        WasmMachine.Program program;
        bool sparse;
        States.Shape shape;
        States.Header header;
        uint256[] pot;
        uint64 seq;
    }

    /* CONSTANTS */

    // docs/encoding.md 18
    uint8 internal constant ACCEPTED = 0;
    uint8 internal constant WRONG_CHANNEL = 1;
    uint8 internal constant STATE_IS_TERMINAL = 2;
    uint8 internal constant WRONG_AUTHOR = 3;
    uint8 internal constant WRONG_NONCE = 4;
    uint8 internal constant PAST_NOT_AFTER = 5;
    uint8 internal constant OVERSIZE = 6;
    uint8 internal constant BAD_OUTPUT = 10;
    uint8 internal constant WRONG_SUMS = 11;

    uint8 internal constant KIND_EVENT = 0;
    uint8 internal constant KIND_TOP_UP = 1;
    uint8 internal constant KIND_TIMEOUT = 2;
    uint8 internal constant TIMEOUT_AUTHOR = 0xff;

    uint8 internal constant FLAG_SPARSE = 1;
    uint256 internal constant MAX_PAYLOAD = 4 * 1024;
    uint256 internal constant MAX_GENESIS = 16 * 1024;

    /// @inheritdoc IDerivation
    address public immutable machine;
    /// @inheritdoc IDerivation
    address public immutable registry;

    constructor(address machine_, address registry_) {
        machine = machine_;
        registry = registry_;
    }

    /* GENESIS */

    /// @inheritdoc IDerivation
    function genesis(Params calldata params, Funding[] calldata funding, bytes calldata genesisInput)
        external
        view
        returns (uint8 status, bytes memory state, bytes32 hash)
    {
        Context memory context = _context(params, funding);
        if (genesisInput.length > MAX_GENESIS) return (OVERSIZE, "", 0);
        if (keccak256(genesisInput) != params.genesisHash) return (WRONG_CHANNEL, "", 0);
        bytes[] memory arguments = new bytes[](1);
        arguments[0] = abi.encode(params, funding, genesisInput);
        (status, state) = _derive(context, WasmMachine.INIT, new bytes(context.shape.header), arguments);
        if (status == ACCEPTED) hash = context.shape.hashOf(state);
    }

    /* DELTA */

    /// @inheritdoc IDerivation
    function applyEvent(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        Event calldata e
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash) {
        Context memory context = _context(params, funding, topUps, state, seq);
        status = e.channelId == Terms.channelId(params) ? _admit(context, state, e) : WRONG_CHANNEL;
        if (status == ACCEPTED) (status, next) = _event(context, state, e);
        if (status != ACCEPTED) next = state;
        nextHash = context.shape.hashOf(next);
    }

    /// @inheritdoc IDerivation
    function applyTopUp(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        uint32 index
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash) {
        Context memory context = _context(params, funding, topUps, state, seq);
        if (index != context.header.topUps) status = WRONG_AUTHOR;
        else if (context.header.terminal) status = STATE_IS_TERMINAL;
        else if (index >= topUps.length) status = WRONG_AUTHOR;
        else (status, next) = _topUp(context, state, topUps[index]);
        if (status != ACCEPTED) next = state;
        nextHash = context.shape.hashOf(next);
    }

    /// @inheritdoc IDerivation
    function applyTimeout(
        Params calldata params,
        Funding[] calldata funding,
        TopUp[] calldata topUps,
        bytes calldata state,
        uint64 seq,
        uint64 time
    ) external view returns (uint8 status, bytes memory next, bytes32 nextHash) {
        Context memory context = _context(params, funding, topUps, state, seq);
        if (context.header.terminal) status = STATE_IS_TERMINAL;
        else (status, next) = _timeout(context, state, time);
        if (status != ACCEPTED) next = state;
        nextHash = context.shape.hashOf(next);
    }

    /* EFFECTS */

    /// @inheritdoc IDerivation
    function effects(Params calldata params, Funding[] calldata funding, bytes calldata state)
        external
        view
        returns (uint8 status, Effect[] memory list)
    {
        Context memory context = _context(params, funding);
        if (!context.shape.open(state).terminal) return (STATE_IS_TERMINAL, list);
        bytes[] memory arguments = new bytes[](1);
        arguments[0] = state;
        bytes memory output;
        (status, output,) = WasmMachine.execute(machine, context.program, WasmMachine.EFFECTS, Effects.MAX_BYTES, arguments);
        if (status != ACCEPTED) return (status, list);
        bool ok;
        (ok, list) = Effects.decode(output);
        if (!ok) status = BAD_OUTPUT;
    }

    /* VIEWS */

    /// @inheritdoc IDerivation
    function stateHash(Params calldata params, Funding[] calldata funding, bytes calldata state) external pure returns (bytes32) {
        States.Shape memory shape = States.shapeOf(params, funding);
        shape.open(state);
        return shape.hash(state);
    }

    /* INTERNAL: ENTRIES */

    /// @dev What the shell refuses before the module is asked, but for the channel.
    function _admit(Context memory context, bytes calldata state, Event calldata e) internal pure returns (uint8) {
        if (context.header.terminal) return STATE_IS_TERMINAL;
        if (e.author >= context.shape.participants) return WRONG_AUTHOR;
        uint64 last = States.nonce(state, e.author);
        if (e.nonce <= last || (!context.sparse && e.nonce - last != 1)) return WRONG_NONCE;
        if (e.notAfter != 0 && e.notAfter < context.seq) return PAST_NOT_AFTER;
        if (e.payload.length > MAX_PAYLOAD) return OVERSIZE;
        return ACCEPTED;
    }

    function _event(Context memory context, bytes calldata state, Event calldata e) internal view returns (uint8, bytes memory) {
        uint64 time = e.timestamp > context.header.lastTimestamp ? e.timestamp : context.header.lastTimestamp;
        bytes memory header = state[:context.shape.header];
        States.setWord(header, 0, time);
        States.setWord(header, 1 + uint256(e.author), e.nonce);
        bytes32 prefix = _prefix(context, KIND_EVENT, e.author, time, e.nonce);
        return _derive(context, WasmMachine.REDUCE, header, _arguments(state, bytes.concat(prefix, e.payload)));
    }

    /// @dev `reduce` gets a state whose funds and count of top-ups are raised already.
    function _topUp(Context memory context, bytes calldata state, TopUp calldata t) internal view returns (uint8, bytes memory) {
        if (t.participant >= context.shape.participants || t.assetIndex >= context.shape.assets) return (WRONG_AUTHOR, "");
        bytes32 prefix = _prefix(context, KIND_TOP_UP, t.participant, context.header.lastTimestamp, 0);
        bytes[] memory arguments = _arguments(state, bytes.concat(prefix, bytes1(t.assetIndex), bytes32(t.amount)));
        if (!_raise(context, arguments[0], t)) return (WRONG_SUMS, "");
        bytes memory header = state[:context.shape.header];
        States.setWord(header, context.shape.participants + 1, uint256(context.header.topUps) + 1);
        return _derive(context, WasmMachine.REDUCE, header, arguments);
    }

    /// @dev False when the amount does not fit.
    function _raise(Context memory context, bytes memory state, TopUp calldata t) internal pure returns (bool) {
        uint256 n = context.shape.participants;
        uint256 at = n + 3 + t.assetIndex * context.shape.holders + t.participant;
        uint256 amount = States.wordOf(state, at);
        if (amount > type(uint256).max - t.amount) return false;
        States.setWord(state, at, amount + t.amount);
        States.setWord(state, n + 1, uint256(context.header.topUps) + 1);
        unchecked {
            context.pot[t.assetIndex] += t.amount;
        }
        return true;
    }

    function _timeout(Context memory context, bytes calldata state, uint64 time) internal view returns (uint8, bytes memory) {
        if (time < context.header.lastTimestamp) time = context.header.lastTimestamp;
        bytes memory header = state[:context.shape.header];
        States.setWord(header, 0, time);
        bytes32 prefix = _prefix(context, KIND_TIMEOUT, TIMEOUT_AUTHOR, time, 0);
        return _derive(context, WasmMachine.REDUCE, header, _arguments(state, bytes.concat(prefix)));
    }

    function _arguments(bytes calldata state, bytes memory event_) internal pure returns (bytes[] memory arguments) {
        arguments = new bytes[](2);
        arguments[0] = state;
        arguments[1] = event_;
    }

    /* INTERNAL: RESULTS */

    /// @dev Runs the module and makes a state of what it returned. `header` has what the shell knows.
    function _derive(Context memory context, uint8 entry, bytes memory header, bytes[] memory arguments)
        internal
        view
        returns (uint8 status, bytes memory next)
    {
        uint256 most = 1 + context.shape.funds + States.MAX_APP;
        bytes memory output;
        (status, output,) = WasmMachine.execute(machine, context.program, entry, most, arguments);
        if (status == ACCEPTED) (status, next) = _finish(context.shape, header, context.pot, output);
    }

    /// @dev Checks terminal (1 byte) ‖ funds ‖ app, and the sums.
    function _finish(States.Shape memory shape, bytes memory header, uint256[] memory pot, bytes memory output)
        internal
        pure
        returns (uint8, bytes memory next)
    {
        uint256 fixed_ = 1 + shape.funds;
        if (output.length < fixed_ || output.length > fixed_ + States.MAX_APP || uint8(output[0]) > 1) return (BAD_OUTPUT, next);
        States.setWord(header, shape.participants + 2, uint8(output[0]));
        next = _join(header, output);
        uint256 at = shape.participants + 3;
        for (uint256 a; a < shape.assets; ++a) {
            uint256 sum;
            for (uint256 i; i < shape.holders; ++i) {
                uint256 amount = States.wordOf(next, at++);
                unchecked {
                    sum += amount;
                }
                if (sum < amount) return (WRONG_SUMS, "");
            }
            if (sum != pot[a]) return (WRONG_SUMS, "");
        }
        return (ACCEPTED, next);
    }

    /// @dev header ‖ what is behind the first byte of `output`.
    function _join(bytes memory header, bytes memory output) internal pure returns (bytes memory next) {
        assembly ("memory-safe") {
            next := mload(0x40)
            let head := mload(header)
            let rest := sub(mload(output), 1)
            mstore(next, add(head, rest))
            let to := add(next, 0x20)
            mcopy(to, add(header, 0x20), head)
            mcopy(add(to, head), add(output, 0x21), rest)
            mstore(0x40, and(add(add(to, add(head, rest)), 0x1f), not(0x1f)))
        }
    }

    /* INTERNAL: MONEY */

    /// @dev Per asset what the participants paid. A Funding within the limits does not overflow.
    function _pot(Funding[] calldata funding) internal pure returns (uint256[] memory pot) {
        pot = new uint256[](funding.length);
        for (uint256 a; a < pot.length; ++a) {
            uint256[] calldata amounts = funding[a].amounts;
            for (uint256 i; i < amounts.length; ++i) {
                unchecked {
                    pot[a] += amounts[i];
                }
            }
        }
    }

    /// @dev Adds the first `counted` top-ups. One of no asset of the channel was never accepted and counts nothing.
    function _count(uint256[] memory pot, TopUp[] calldata topUps, uint256 counted) internal pure {
        if (counted > topUps.length) counted = topUps.length;
        for (uint256 i; i < counted; ++i) {
            unchecked {
                if (topUps[i].assetIndex < pot.length) pot[topUps[i].assetIndex] += topUps[i].amount;
            }
        }
    }

    /* INTERNAL: MODULE */

    function _context(Params calldata params, Funding[] calldata funding) internal view returns (Context memory context) {
        if (params.moduleHash == 0) revert NoModule();
        (Manifest memory manifest, address[] memory chunks) = IModuleRegistry(registry).moduleOf(params.moduleHash);
        context.program = WasmMachine.Program(chunks, manifest.fuelLimit, manifest.pageLimit);
        context.sparse = manifest.flags & FLAG_SPARSE != 0;
        context.shape = States.shapeOf(params, funding);
        context.pot = _pot(funding);
    }

    /// @dev With the state before the entry that would be leaf `seq`.
    function _context(Params calldata params, Funding[] calldata funding, TopUp[] calldata topUps, bytes calldata state, uint64 seq)
        internal
        view
        returns (Context memory context)
    {
        context = _context(params, funding);
        context.header = context.shape.open(state);
        context.seq = seq;
        _count(context.pot, topUps, context.header.topUps);
    }

    /// @dev The 32 bytes in front of the payload (docs/encoding.md 21): kind, author, N, assets, N + b, three zeros, then
    /// little-endian time, seq, nonce.
    function _prefix(Context memory context, uint8 kind, uint8 author, uint64 time, uint64 nonce) internal pure returns (bytes32) {
        States.Shape memory shape = context.shape;
        uint256 word = (uint256(kind) << 248) | (uint256(author) << 240);
        word |= (uint256(uint8(shape.participants)) << 232) | (uint256(uint8(shape.assets)) << 224) | (uint256(uint8(shape.holders)) << 216);
        word |= (_reversed(time) << 128) | (_reversed(context.seq) << 64) | _reversed(nonce);
        return bytes32(word);
    }

    function _reversed(uint64 v) internal pure returns (uint256) {
        v = ((v & 0xff00ff00ff00ff00) >> 8) | ((v & 0x00ff00ff00ff00ff) << 8);
        v = ((v & 0xffff0000ffff0000) >> 16) | ((v & 0x0000ffff0000ffff) << 16);
        return uint64((v >> 32) | (v << 32));
    }
}
