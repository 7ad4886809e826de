// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Vm} from "forge-std/Vm.sol";
import {Policy} from "../src/interfaces/IPolicies.sol";
import {IPolicies} from "../src/interfaces/IPolicies.sol";
import {Chunk, IPublications, Standing} from "../src/interfaces/IPublications.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Event, Funding, Params} from "../src/Types.sol";
import {Ending} from "./ChannelTest.sol";
import {JournalTree} from "./JournalTree.sol";
import {Game, PublicationTest} from "./PublicationTest.sol";

contract PublishTest is PublicationTest {
    function setUp() public override {
        super.setUp();
        finish(game("counter"));
    }

    function _expect(bytes4 selector) internal {
        vm.expectRevert(selector);
    }

    function _published(Game memory m) internal view {
        Standing memory s = standing(m);
        assertEq(s.publisher, publisher);
        assertEq(s.deadline, block.timestamp + POLICY_WINDOW);
        assertEq(s.bond, BOND);
        assertFalse(s.voided || s.executed || s.vetoed);
        assertEq(address(publications).balance, BOND);
    }

    /* HONEST */

    function test_Publish_InOneChunk() public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, size(m), true);
        vm.expectEmit(address(publications));
        emit IPublications.ChunkPublished(idOf(m.d), publisher, 0, uint64(size(m)), m.entries[0], m.claims[0], c.entries);
        vm.expectEmit(address(publications));
        emit IPublications.Published(idOf(m.d), publisher, WORLD, uint64(block.timestamp) + POLICY_WINDOW, BOND, m.d.params, m.d.funding);
        publish(m, publisher, BOND, c);
        _published(m);
        (uint64 next, bytes32 digest) = publications.progress(idOf(m.d), publisher);
        assertEq(next, 0);
        assertEq(digest, 0);
    }

    /// forge-config: default.fuzz.runs = 48
    function testFuzz_Publish_InAnyChunks(uint256 seed) public {
        Game memory m = game("counter");
        uint256 from;
        while (from < size(m)) {
            uint256 to = from + 1 + uint256(keccak256(abi.encode(seed, from))) % (size(m) - from);
            bool last = to == size(m);
            publish(m, publisher, last ? BOND : 0, chunk(m, from, to, true));
            (uint64 next,) = publications.progress(idOf(m.d), publisher);
            assertEq(next, last ? 0 : to);
            from = to;
        }
        _published(m);
    }

    function test_Publish_EveryGame() public {
        string[2] memory names = ["puppet", "raid"];
        for (uint256 i; i < names.length; ++i) {
            Game memory m = game(names[i]);
            finish(m);
            publishAll(m);
            assertEq(standing(m).publisher, publisher);
        }
    }

    /// @dev A journal of leaf 0 alone.
    function test_Publish_OnlyTheGenesis() public {
        Game memory m = truncate(game("puppet"), 1);
        finish(m);
        publishAll(m);
        assertEq(standing(m).publisher, publisher);
    }

    /// @dev Whoever published a part may begin again, for instance under a new policy.
    function test_Publish_StartsOver() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, 4, true));
        Policy memory p = standardPolicy();
        p.bond = BOND / 4;
        p.window = 60;
        setPolicy(m, p);
        uint256 before = vm.snapshotState();

        publish(m, publisher, BOND, chunk(m, 4, size(m), true)); // the policy it began under
        _published(m);

        vm.revertToState(before);
        publish(m, publisher, BOND / 4, chunk(m, 0, size(m), true));
        assertEq(standing(m).deadline, block.timestamp + 60);
        assertEq(standing(m).bond, BOND / 4);
    }

    /* ATTACK 18: WHAT CANNOT BE PUBLISHED */

    function test_Attack18_HalfPublished() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, size(m) - 1, true));
        assertEq(standing(m).publisher, address(0));
        assertEq(standing(m).deadline, 0);
    }

    function test_Attack18_OthersCannotDisturb() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, 5, true));
        Chunk memory rest = chunk(m, 5, size(m), true);
        vm.deal(stranger, BOND);
        _expect(IPublications.WrongProgress.selector);
        publish(m, stranger, BOND, rest);
        // The stranger publishes a part of its own and stalls.
        publish(m, stranger, 0, chunk(m, 0, 2, true));
        publish(m, publisher, BOND, rest);
        _published(m);
        rest = chunk(m, 2, size(m), true);
        _expect(IPublications.AlreadyPublished.selector);
        publish(m, stranger, BOND, rest);
    }

    function test_Attack18_ChunksMustFollow() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, 5, true));
        Chunk memory c = chunk(m, 4, size(m), true);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, BOND, c);
        c = chunk(m, 6, size(m), true);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, BOND, c);
        c = chunk(m, 5, size(m), true);
        c.range[0] ^= bytes32(uint256(1));
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, BOND, c);
        c = chunk(m, 5, size(m), true);
        c.range = new bytes32[](3);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, BOND, c);
        c = chunk(m, 5, 5, true);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, 0, c);
        c = chunk(m, 0, 5, true);
        c.range = new bytes32[](1);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, 0, c);
    }

    /// @dev Chunks that lie far back may be out of a verifier's reach, and so may the policy they began under be.
    function test_Attack18_ChunksDoNotLieFarBack() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, 5, true));
        vm.warp(block.timestamp + 1 days);
        uint256 before = vm.snapshotState();
        publish(m, publisher, BOND, chunk(m, 5, size(m), true));
        vm.revertToState(before);
        vm.warp(block.timestamp + 1);
        Chunk memory c = chunk(m, 5, size(m), true);
        _expect(IPublications.TooLate.selector);
        publish(m, publisher, BOND, c);
        publish(m, publisher, BOND, chunk(m, 0, size(m), true));
        _published(m);
    }

    /// @dev Other leaves first, then the true range: what was logged would not be what was signed.
    function test_Attack18_HiddenChunks() public {
        Game memory m = game("counter");
        Game memory other = game("counter");
        other.claims[2] ^= bytes32(uint256(1));
        publish(other, publisher, 0, chunk(other, 0, 5, true));
        Chunk memory c = chunk(m, 5, size(m), true);
        _expect(IPublications.WrongProgress.selector);
        publish(m, publisher, BOND, c);
        c = chunk(other, 5, size(m), true);
        _expect(IPublications.WrongJournal.selector);
        publish(m, publisher, BOND, c);
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_Attack18_AnyOtherBytesAreRefused(uint256 at, uint8 bit) public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, size(m), true);
        at %= c.entries.length;
        c.entries[at] ^= bytes1(uint8(1 << (bit % 8)));
        vm.deal(publisher, BOND);
        vm.prank(publisher);
        (bool ok, bytes memory why) = address(publications).call{value: BOND}(
            abi.encodeCall(publications.publish, (m.d.params, m.d.funding, m.entries[0], m.claims[0], c))
        );
        assertFalse(ok);
        bytes4 reason = bytes4(why);
        assertTrue(
            reason == IPublications.BadEntry.selector || reason == IPublications.WrongJournal.selector
                || reason == IPublications.WrongBond.selector,
            "unexpected reason"
        );
        assertEq(standing(m).publisher, address(0));
    }

    function testFuzz_Attack18_Attack29_Junk(bytes calldata junk) public {
        Game memory m = game("counter");
        Chunk memory c;
        c.entries = junk;
        vm.deal(publisher, BOND);
        vm.prank(publisher);
        (bool ok,) = address(publications).call{value: BOND}(
            abi.encodeCall(publications.publish, (m.d.params, m.d.funding, m.entries[0], m.claims[0], c))
        );
        assertFalse(ok);
    }

    function test_Attack18_MalformedEntries() public {
        Game memory m = game("counter");
        bytes[6] memory bad = [
            bytes(hex"02000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"), // kind
            hex"00", // cut off
            hex"0100000000", // a top-up without its stateHash
            bytes.concat(abi.encodePacked(uint8(0), uint8(0), uint64(1), uint64(0), uint64(0), uint16(10)), new bytes(9 + 32)),
            bytes.concat(abi.encodePacked(uint8(0), uint8(0), uint64(1), uint64(0), uint64(0), uint16(4097)), new bytes(4097 + 32)),
            bytes.concat(abi.encodePacked(uint8(0), uint8(0), uint64(1), uint64(0), uint64(0), uint16(4096)), new bytes(4096 + 31))
        ];
        for (uint256 i; i < bad.length; ++i) {
            Chunk memory c = Chunk(0, new bytes32[](0), bad[i]);
            vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(1)));
            publish(m, publisher, 0, c);
        }
        bytes memory longest = abi.encodePacked(uint8(0), uint8(0), uint64(1), uint64(0), uint64(0), uint16(4096));
        publish(m, publisher, 0, Chunk(0, new bytes32[](0), bytes.concat(longest, new bytes(4096 + 32))));
    }

    function test_Attack18_MoreLeavesThanSigned() public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, size(m), true);
        c.entries = bytes.concat(c.entries, packed(m.entries[1]), m.claims[1]);
        vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(size(m))));
        publish(m, publisher, BOND, c);
    }

    /// @dev All sign an Update whose seq is smaller than its tree: a proof could show its last leaf as an earlier one.
    function test_Attack5_Attack18_TruncatedJournal() public {
        Game memory m = again(game("counter"));
        finish(m);
        publishAll(m); // the same game with the true size

        m = again(m);
        Game memory cut = truncate(m, 8);
        fund(m.d);
        Ending memory e = endingOf(m);
        e.update.seq = 7;
        signUpdate(m.d, e);
        conclude(m.d, e);
        Chunk memory c = chunk(cut, 0, 8, true);
        _expect(IPublications.WrongJournal.selector);
        publish(cut, publisher, BOND, c);
        c = chunk(m, 0, size(m), true);
        vm.expectRevert(abi.encodeWithSelector(IPublications.BadEntry.selector, uint64(8)));
        publish(m, publisher, BOND, c);
    }

    /// @dev All sign a state that is not the last leaf's.
    function test_Attack6_Attack18_LastLeafAgainstTheUpdate() public {
        Game memory m = again(game("counter"));
        fund(m.d);
        Ending memory e = endingOf(m);
        e.state.appHash = keccak256("a million gold");
        e.update.stateHash = stateHash(e.state);
        signUpdate(m.d, e);
        conclude(m.d, e);
        Chunk memory c = chunk(m, 0, size(m), true);
        _expect(IPublications.WrongJournal.selector);
        publish(m, publisher, BOND, c);
    }

    function test_Attack18_TooManyBytes() public {
        Game memory m = game("counter");
        Policy memory p = standardPolicy();
        Chunk memory c = chunk(m, 0, size(m), true);
        uint32 exact = uint32(m.entries[0].length + c.entries.length);
        p.maxJournalBytes = exact - 1;
        setPolicy(m, p);
        _expect(IPublications.TooManyBytes.selector);
        publish(m, publisher, BOND, c);
        publish(m, publisher, 0, chunk(m, 0, size(m) - 1, true));
        c = chunk(m, size(m) - 1, size(m), true);
        _expect(IPublications.TooManyBytes.selector);
        publish(m, publisher, BOND, c);
        p.maxJournalBytes = uint32(m.entries[0].length) - 1;
        setPolicy(m, p);
        c = chunk(m, 0, 1, true);
        _expect(IPublications.TooManyBytes.selector);
        publish(m, publisher, 0, c);
        p.maxJournalBytes = exact;
        setPolicy(m, p);
        publishAll(m);
    }

    /* WHAT MAY BE PUBLISHED, AND FOR WHAT */

    function test_Publish_OnlyWhatIsFinal() public {
        Game memory m = game("raid");
        Chunk memory c = chunk(m, 0, 5, true);
        _expect(IPublications.NotFinal.selector);
        publish(m, publisher, 0, c);
        fund(m.d);
        _expect(IPublications.NotFinal.selector);
        publish(m, publisher, 0, c);
    }

    function test_Publish_GenesisAndFundingAreTheChannels() public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, 5, true);
        m.d.funding[0].amounts[0] += 1;
        _expect(IPublications.WrongFunding.selector);
        publish(m, publisher, 0, c);
        m = game("counter");
        m.entries[0][0] ^= 0x01;
        _expect(IPublications.WrongGenesis.selector);
        publish(m, publisher, 0, c);
        m = game("counter");
        m.entries[0] = slice(m.entries[0], 0, 159);
        _expect(IPublications.WrongGenesis.selector);
        publish(m, publisher, 0, c);
    }

    function test_Publish_ADirtyWorldIsNone() public {
        Game memory m = game("puppet");
        m.entries[0][32] = 0x01;
        m.d.params.genesisHash = keccak256(m.entries[0]);
        m = truncate(m, 1);
        finish(m);
        Chunk memory c = chunk(m, 0, 1, true);
        _expect(IPublications.WrongGenesis.selector);
        publish(m, publisher, BOND, c);
    }

    function test_Publish_ThePolicyMustAllowIt() public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, 5, true);
        Policy memory p = standardPolicy();
        p.modes = Modes.EXECUTED;
        (p.window, p.bond, p.guardian) = (0, 0, address(0));
        setPolicy(m, p);
        _expect(IPublications.NotAllowed.selector);
        publish(m, publisher, 0, c);
        Policy memory none;
        setPolicy(m, none);
        _expect(IPolicies.NotAllowed.selector);
        publish(m, publisher, 0, c);
    }

    function test_Publish_ARevokedPolicyStopsTheRest() public {
        Game memory m = game("counter");
        publish(m, publisher, 0, chunk(m, 0, 5, true));
        Policy memory none;
        setPolicy(m, none);
        Chunk memory c = chunk(m, 5, size(m), true);
        _expect(IPolicies.NotAllowed.selector);
        publish(m, publisher, BOND, c);
        setPolicy(m, standardPolicy());
        _expect(IPolicies.NotAllowed.selector);
        publish(m, publisher, BOND, c);
        publish(m, publisher, BOND, chunk(m, 0, size(m), true));
        _published(m);
    }

    function test_Publish_TheBondIsExactAndLast() public {
        Game memory m = game("counter");
        Chunk memory c = chunk(m, 0, size(m), true);
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPublications.WrongBond.selector, BOND));
            publish(m, publisher, i == 0 ? BOND - 1 : BOND + 1, c);
        }
        c = chunk(m, 0, 5, true);
        vm.expectRevert(abi.encodeWithSelector(IPublications.WrongBond.selector, uint128(0)));
        publish(m, publisher, BOND, c);
    }

    function test_Publish_OnlyRegisteredModules() public {
        Game memory m = game("counter");
        m.d.params.moduleHash = keccak256("not registered");
        setPolicy(m, standardPolicy());
        m = truncate(rekeyed(m), 3);
        finish(m);
        Chunk memory c = chunk(m, 0, 3, true);
        _expect(IPublications.UnknownModule.selector);
        publish(m, publisher, BOND, c);
    }

    function test_Publish_Once() public {
        Game memory m = game("counter");
        publishAll(m);
        Chunk memory c = chunk(m, 0, size(m), true);
        _expect(IPublications.AlreadyPublished.selector);
        publish(m, publisher, BOND, c);
    }

    /// @dev The log alone has the whole journal: what a verifier reads is what the root commits to.
    function test_Attack18_TheLogHasTheWholeJournal() public {
        Game memory m = game("counter");
        vm.recordLogs();
        publish(m, publisher, 0, chunk(m, 0, 3, true));
        publish(m, publisher, 0, chunk(m, 3, 7, true));
        publish(m, publisher, BOND, chunk(m, 7, size(m), true));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bytes memory all;
        uint64 at;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IPublications.ChunkPublished.selector) continue;
            (uint64 first, uint64 next, bytes memory genesis, bytes32 genesisState, bytes memory entries) =
                abi.decode(logs[i].data, (uint64, uint64, bytes, bytes32, bytes));
            assertEq(first, at);
            assertEq(genesis, at == 0 ? m.entries[0] : bytes(""));
            assertEq(genesisState, at == 0 ? m.claims[0] : bytes32(0));
            at = next;
            all = bytes.concat(all, entries);
        }
        assertEq(all, chunk(m, 0, size(m), true).entries);
        assertEq(at, size(m));
    }
}
