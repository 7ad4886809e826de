// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {InitModule} from "@latticexyz/world/src/modules/init/InitModule.sol";
import {AccessManagementSystem} from "@latticexyz/world/src/modules/init/implementations/AccessManagementSystem.sol";
import {BalanceTransferSystem} from "@latticexyz/world/src/modules/init/implementations/BalanceTransferSystem.sol";
import {BatchCallSystem} from "@latticexyz/world/src/modules/init/implementations/BatchCallSystem.sol";
import {RegistrationSystem} from "@latticexyz/world/src/modules/init/RegistrationSystem.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {World} from "@latticexyz/world/src/World.sol";

import {Adjudicator} from "../src/Adjudicator.sol";
import {Policies} from "../src/Policies.sol";
import {Publications} from "../src/Publications.sol";
import {Policy} from "../src/interfaces/IPolicies.sol";
import {Chunk, Standing, Witness} from "../src/interfaces/IPublications.sol";
import {Journal} from "../src/lib/Journal.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Event, Funding, Params, StateView, TopUp} from "../src/Types.sol";
import {ChannelTest, Deal, Ending} from "./ChannelTest.sol";
import {JournalTree} from "./JournalTree.sol";
import {MachineTest, ModuleFile} from "./MachineTest.sol";

/// @dev A played game. Leaf i is `(eventHash of entries[i], claims[i])`; entries[0] is the genesis input. `states` are those that
/// δ gives, `claims` what the participants signed: the same when they are honest.
struct Game {
    Deal d;
    bytes[] entries;
    bytes[] states;
    bytes32[] claims;
}

/// @dev Games that Go played (derivation/onchain_journal_test.go), on the real machine, with a real World's policies.
abstract contract PublicationTest is ChannelTest, MachineTest {
    address internal constant ADJUDICATOR = address(0xAD);
    address internal constant WORLD = address(0x3071);
    uint128 internal constant BOND = 1 ether;
    uint32 internal constant POLICY_WINDOW = 1 days;
    uint8 internal constant EVENT = 0;
    uint8 internal constant TOP_UP = 1;

    struct JournalFile {
        string name;
        uint256 module;
        bytes params;
        bytes funding;
        bytes genesis;
        bytes[] entries;
        bytes[] states;
        bytes32[] keys;
    }

    Policies internal policies;
    Publications internal publications;
    address internal gameMaster = makeAddr("game master");
    address internal guardian = makeAddr("guardian");
    address internal publisher = makeAddr("publisher");
    address internal prover = makeAddr("prover");
    JournalFile[] private _files;

    function setUp() public virtual override {
        super.setUp();
        deployMachine();
        deployCodeTo("Adjudicator.sol:Adjudicator", abi.encode(uint32(60)), ADJUDICATOR);
        adjudicator = Adjudicator(ADJUDICATOR);
        policies = new Policies(60);
        publications = new Publications(ADJUDICATOR, address(derivation), address(policies));
        vm.deal(publisher, 100 ether);

        string memory json = testdata("journals.json");
        ModuleFile[] memory modules = modulesOf(json);
        for (uint256 i; i < modules.length; ++i) {
            register(modules[i]);
        }
        JournalFile[] memory files = abi.decode(
            vm.parseJsonTypeArray(
                json,
                ".journals",
                "JournalFile(string name,uint256 module,bytes params,bytes funding,bytes genesis,bytes[] entries,bytes[] states,bytes32[] keys)"
            ),
            (JournalFile[])
        );
        _newWorld(bytes32(slice(files[0].genesis, 64, 96)));
        for (uint256 i; i < files.length; ++i) {
            _files.push(files[i]);
            setPolicy(game(files[i].name), standardPolicy());
        }
    }

    function _newWorld(bytes32 namespaceId) private {
        deployCodeTo("World.sol:World", WORLD);
        World(payable(WORLD))
            .initialize(
                new InitModule(new AccessManagementSystem(), new BalanceTransferSystem(), new BatchCallSystem(), new RegistrationSystem())
            );
        vm.prank(gameMaster);
        IBaseWorld(WORLD).registerNamespace(ResourceId.wrap(namespaceId));
    }

    /* POLICY */

    function standardPolicy() internal view returns (Policy memory p) {
        p.modes = Modes.EXECUTED | Modes.OPTIMISTIC;
        p.window = POLICY_WINDOW;
        p.guardian = guardian;
        p.bond = BOND;
        p.maxJournalBytes = 100_000;
    }

    function setPolicy(Game memory g, Policy memory p) internal {
        vm.prank(gameMaster);
        policies.setPolicy(WORLD, bytes32(slice(g.entries[0], 64, 96)), g.d.params.moduleHash, bytes32(slice(g.entries[0], 96, 128)), p);
    }

    /* GAMES */

    function game(string memory name) internal view returns (Game memory g) {
        for (uint256 i; i < _files.length; ++i) {
            if (keccak256(bytes(_files[i].name)) != keccak256(bytes(name))) continue;
            JournalFile memory f = _files[i];
            g.d.params = abi.decode(f.params, (Params));
            g.d.funding = abi.decode(f.funding, (Funding[]));
            g.d.keys = new uint256[](f.keys.length);
            for (uint256 k; k < f.keys.length; ++k) {
                g.d.keys[k] = uint256(f.keys[k]);
            }
            g.states = f.states;
            g.entries = new bytes[](f.states.length);
            g.claims = new bytes32[](f.states.length);
            for (uint256 k; k < f.states.length; ++k) {
                g.entries[k] = k == 0 ? f.genesis : f.entries[k - 1];
                g.claims[k] = hashOf(g, f.states[k]);
            }
            return g;
        }
        revert("no such game");
    }

    /// @dev The same game in another channel: its events name that one. States do not know the channel.
    function again(Game memory g) internal pure returns (Game memory) {
        g.d.params.nonce += 1;
        return rekeyed(g);
    }

    /// @dev After a change of the Params.
    function rekeyed(Game memory g) internal pure returns (Game memory) {
        for (uint256 i = 1; i < g.entries.length; ++i) {
            if (uint8(g.entries[i][0]) != EVENT) continue;
            Event memory e = eventOf(g.entries[i]);
            e.channelId = idOf(g.d);
            g.entries[i] = entryOf(e);
        }
        return g;
    }

    function size(Game memory g) internal pure returns (uint256) {
        return g.entries.length;
    }

    function hashOf(Game memory g, bytes memory state) internal pure returns (bytes32) {
        return stateHash(viewOf(g, state));
    }

    function viewOf(Game memory g, bytes memory state) internal pure returns (StateView memory v) {
        uint256 n = g.d.params.participants.length;
        uint256 header = 32 * (n + 3);
        uint256 funds = header + 32 * g.d.funding.length * (n + g.d.params.beneficiaries.length);
        return StateView(slice(state, 0, header), slice(state, header, funds), keccak256(slice(state, funds, state.length)));
    }

    function eventOf(bytes memory entry) internal pure returns (Event memory) {
        return abi.decode(slice(entry, 1, entry.length), (Event));
    }

    function entryOf(Event memory e) internal pure returns (bytes memory) {
        return bytes.concat(hex"00", abi.encode(e));
    }

    function eventHash(Game memory g, uint256 i) internal pure returns (bytes32) {
        bytes memory entry = g.entries[i];
        if (i == 0) return keccak256(entry);
        if (uint8(entry[0]) == EVENT) return Messages.hash(eventOf(entry));
        return keccak256(bytes.concat(hex"02", idOf(g.d), slice(entry, 1, 5)));
    }

    function leaves(Game memory g) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](size(g));
        for (uint256 i; i < out.length; ++i) {
            out[i] = Journal.leaf(eventHash(g, i), g.claims[i]);
        }
    }

    /// @dev The genesis commits to its input, so a game with another one is another channel.
    function truncate(Game memory g, uint256 to) internal pure returns (Game memory cut) {
        cut.d = g.d;
        (cut.entries, cut.states, cut.claims) = (new bytes[](to), new bytes[](to), new bytes32[](to));
        for (uint256 i; i < to; ++i) {
            (cut.entries[i], cut.states[i], cut.claims[i]) = (g.entries[i], g.states[i], g.claims[i]);
        }
    }

    /* ENDINGS */

    function endingOf(Game memory g) internal view returns (Ending memory e) {
        uint256 last = size(g) - 1;
        e.state = viewOf(g, g.states[last]);
        e.update.channelId = idOf(g.d);
        e.update.seq = uint64(last);
        e.update.journalRoot = JournalTree.root(leaves(g));
        e.update.stateHash = hashOf(g, g.states[last]);
        signUpdate(g.d, e);
        if (e.state.header[e.state.header.length - 1] == 0) signClose(g.d, e);
    }

    /// @dev Everybody signs what the game claims, and it is final on chain.
    function finish(Game memory g) internal {
        fund(g.d);
        conclude(g.d, endingOf(g));
    }

    /* CHUNKS */

    function packed(bytes memory entry) internal pure returns (bytes memory) {
        if (uint8(entry[0]) != EVENT) return entry;
        Event memory e = eventOf(entry);
        return abi.encodePacked(uint8(0), e.author, e.nonce, e.notAfter, e.timestamp, uint16(e.payload.length), e.payload);
    }

    /// @dev Leaves from..to-1 of which leaf 0 is no entry.
    function chunk(Game memory g, uint256 from, uint256 to, bool withClaims) internal pure returns (Chunk memory c) {
        c.first = uint64(from);
        c.range = JournalTree.range(leaves(g), from);
        for (uint256 i = from == 0 ? 1 : from; i < to; ++i) {
            c.entries = bytes.concat(c.entries, packed(g.entries[i]), withClaims ? abi.encode(g.claims[i]) : bytes(""));
        }
    }

    function publish(Game memory g, address by, uint256 value, Chunk memory c) internal {
        vm.prank(by);
        publications.publish{value: value}(g.d.params, g.d.funding, g.entries[0], g.claims[0], c);
    }

    function publishAll(Game memory g) internal {
        publish(g, publisher, BOND, chunk(g, 0, size(g), true));
    }

    function standing(Game memory g) internal view returns (Standing memory) {
        return publications.standing(idOf(g.d));
    }

    /* PROOFS */

    /// @dev What an honest verifier sends for leaf i, whose predecessor is right.
    function witness(Game memory g, uint256 i) internal pure returns (Witness memory w) {
        bytes32[] memory all = leaves(g);
        w.index = uint64(i);
        w.entry = g.entries[i];
        w.stateHash = g.claims[i];
        w.proof = JournalTree.proof(all, i, all.length);
        if (i == 0) return w;
        w.previousEventHash = eventHash(g, i - 1);
        w.previousProof = JournalTree.proof(all, i - 1, all.length);
        w.previousState = g.states[i - 1];
    }

    function _none() internal pure returns (TopUp[] memory) {
        return new TopUp[](0);
    }

    function disprove(Game memory g, Witness memory w) internal {
        vm.prank(prover);
        publications.disprove(g.d.params, g.d.funding, w);
    }

    /* ACCOUNTS */

    function assertBalanced(bytes32[] memory ids, address[] memory accounts) internal view {
        uint256 owed;
        for (uint256 i; i < ids.length; ++i) {
            owed += publications.standing(ids[i]).bond;
        }
        for (uint256 i; i < accounts.length; ++i) {
            owed += publications.credits(accounts[i]);
        }
        assertEq(address(publications).balance, owed);
    }
}
