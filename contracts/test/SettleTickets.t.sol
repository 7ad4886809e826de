// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";

import {AttestorSignature, Claim, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {IPolicies, Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Record, RecordKey} from "../src/interfaces/ITickets.sol";
import {Effect} from "../src/Types.sol";
import {Deal} from "./ChannelTest.sol";
import {Game, GameTest, Pass} from "./GameTest.sol";

/// @dev What a ticket binds a channel to, when its effects are written.
/// forge-config: default.fuzz.runs = 32
contract SettleTicketsTest is GameTest {
    function _xp() internal returns (Effect[] memory) {
        return one(increment(0, XP, 50));
    }

    function _executed(Game memory g) internal returns (Claim memory c) {
        c = end(g);
        execute(g);
    }

    function _refused(Claim memory c, bytes4 selector) internal {
        vm.expectRevert(selector);
        settlement.settleExecuted(c);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.params))));
    }

    /// @dev A channel whose genesis input has this head, concluded; attested, as publications would look at the head themselves.
    function _headRefused(Deal memory d, Pass memory pass, bytes memory head, bytes4 selector) internal {
        Game memory g = beginWith(d, pass, head);
        play(g, 0, true, _app(_xp()));
        Claim memory c = end(g);
        AttestorSignature[] memory attestors = attestGame(g);
        vm.expectRevert(selector);
        settlement.settleAttested(c, attestors);
    }

    function _app(Effect[] memory effects) internal returns (bytes memory) {
        Pass memory none;
        Game memory g = honest(none, effects);
        bytes memory state = g.states[2];
        return slice(state, 9 * 32, state.length);
    }

    function _head(bytes32 ticketHash) internal view returns (bytes memory) {
        return abi.encode(address(settlement), address(world), namespaceId, CONFIG, ticketHash);
    }

    /* NEEDED, SEALED, ONCE */

    function test_Attack20_PolicyWantsATicket() public {
        Pass memory none;
        Claim memory c = _executed(honest(none, _xp()));
        _refused(c, IMudSettlement.WrongTicket.selector);
        // One that somebody bought does not help a channel whose genesis does not name it.
        c.ticket = buy(items(1, 1)).ticket;
        _refused(c, IMudSettlement.WrongTicket.selector);
    }

    function testFuzz_Attack20_TicketThatNobodySealed(bytes32 hash) public {
        Pass memory pass = buy(items(1, 1));
        vm.assume(hash != pass.hash && hash != 0);
        Pass memory fake = Pass(pass.ticket, hash, pass.records);
        _headRefused(deal(3), fake, _head(hash), IMudSettlement.WrongTicket.selector);
    }

    /// @dev A ticket of one's own making, hashed rightly, with the seed one likes.
    function testFuzz_Attack20_InventedTicket(bytes32 seed, uint64 revision) public {
        Pass memory pass = buy(items(1, 1));
        vm.assume(seed != pass.ticket.seed || revision != pass.ticket.revision);
        (pass.ticket.seed, pass.ticket.revision) = (seed, revision);
        pass.hash = keccak256(abi.encode(pass.ticket));
        _headRefused(deal(3), pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
    }

    function test_Attack20_ClaimWithAnotherTicket() public {
        Pass memory first = buy(items(1, 1));
        Claim memory c = _executed(honest(first, _xp()));
        c.ticket = buy(items(1, 1)).ticket;
        _refused(c, IMudSettlement.WrongTicket.selector);
        c.ticket = first.ticket;
        settlement.settleExecuted(c);
    }

    function test_Attack13_OneTicketSettlesOneChannel() public {
        Pass memory pass = buy(items(1, 1));
        Game memory a = honest(pass, _xp());
        Game memory b = honest(pass, one(increment(1, XP, 7)));
        Claim memory first = _executed(a);
        Claim memory second = _executed(b);
        settlement.settleExecuted(second);
        _refused(first, IMudSettlement.TicketUsed.selector);
        assertEq(settlement.usedBy(pass.hash), idOf(b.d));
        assertEq(read(0, XP), 0);
        assertEq(read(1, XP), 7);
    }

    function test_TicketIsNotUsedByWhatReverts() public {
        Pass memory pass = buy(items(1, 1));
        Claim memory bad = _executed(honest(pass, one(increment(0, XP, -1))));
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.OutOfRange.selector, 0));
        settlement.settleExecuted(bad);
        assertEq(settlement.usedBy(pass.hash), 0);
        settlement.settleExecuted(_executed(honest(pass, _xp())));
    }

    function test_TicketWherePoliciesDoNotNeedOne() public {
        setPolicy(openPolicy());
        Pass memory pass = buy(items(1, 1));
        settlement.settleExecuted(_executed(honest(pass, _xp())));
        assertTrue(settlement.usedBy(pass.hash) != 0);
    }

    /* ATTACK 20, 19: OF ANOTHER WORLD, NAMESPACE, PAIR, PARTY */

    function test_Attack20_TicketOfAnotherWorld() public {
        IBaseWorld real = world;
        world = newWorld();
        buildNamespace(world);
        buildItems(world);
        setPolicy(gamePolicy());
        Pass memory pass = buy(items(1, 1)); // its records are whatever the attacker likes
        world = real;
        assertEq(pass.ticket.revision, 1); // which exists here as well
        _headRefused(deal(3), pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
    }

    function test_Attack19_TicketOfAnotherNamespaceOrPair() public {
        // A cheap policy of the same owner for another config, and in another namespace.
        bytes32 otherConfig = keccak256("training");
        Policy memory p = gamePolicy();
        p.ticketPrice = 0;
        vm.prank(gameMaster);
        policies.setPolicy(address(world), namespaceId, module, otherConfig, p); // 3
        address[] memory three = owners(3);
        uint256 number = tickets.enter(address(world), namespaceId, module, otherConfig, three, items(1, 0));
        setPolicy(gamePolicy()); // 4
        vm.roll(block.number + 3);
        Pass memory pass;
        pass.hash = tickets.seal(number);
        (pass.ticket.number, pass.ticket.world, pass.ticket.namespaceId) = (number, address(world), namespaceId);
        (pass.ticket.moduleHash, pass.ticket.configHash, pass.ticket.revision) = (module, otherConfig, 3);
        (pass.ticket.block, pass.ticket.ownersHash) = (block.number - 3, keccak256(abi.encode(three)));
        pass.ticket.snapshot = keccak256(abi.encode(address(world), block.number - 3, new Record[](0)));
        pass.ticket.seed = blockhash(block.number - 1);
        assertEq(keccak256(abi.encode(pass.ticket)), pass.hash);
        _headRefused(deal(3), pass, _head(pass.hash), IPolicies.NotAllowed.selector);
        settlement.settleExecuted(
            _executed(
                _played(beginWith(deal(3), pass, abi.encode(address(settlement), address(world), namespaceId, otherConfig, pass.hash)))
            )
        );
    }

    /// @dev A namespace of the attacker's own, with the same pair, where a ticket costs nothing and revision 2 exists as well.
    function test_Attack19_TicketOfAnotherNamespace() public {
        bytes32 ours = namespaceId;
        bytes32 other = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace("thief"));
        Policy memory p = gamePolicy();
        p.ticketPrice = 0;
        p.permissions = new Permission[](0);
        vm.startPrank(stranger);
        world.registerNamespace(ResourceId.wrap(other));
        policies.setPolicy(address(world), other, module, CONFIG, p);
        policies.setPolicy(address(world), other, module, CONFIG, p);
        address[] memory three = owners(3);
        uint256 at = block.number;
        uint256 number = tickets.enter(address(world), other, module, CONFIG, three, items(1, 0));
        vm.stopPrank();
        vm.roll(at + 3);
        Pass memory pass;
        pass.hash = tickets.seal(number);
        pass.ticket.number = number;
        (pass.ticket.world, pass.ticket.namespaceId, pass.ticket.moduleHash) = (address(world), other, module);
        (pass.ticket.configHash, pass.ticket.revision, pass.ticket.block) = (CONFIG, 2, at);
        pass.ticket.ownersHash = keccak256(abi.encode(three));
        pass.ticket.snapshot = keccak256(abi.encode(address(world), at, new Record[](0)));
        pass.ticket.seed = blockhash(at + 2);
        assertEq(keccak256(abi.encode(pass.ticket)), pass.hash);
        policies.inForce(address(world), ours, module, CONFIG, 2);
        _headRefused(deal(3), pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
    }

    function _played(Game memory g) internal returns (Game memory) {
        play(g, 0, true, _app(_xp()));
        return g;
    }

    function test_Attack21_TicketOfOtherOwners() public {
        Pass memory pass = buy(items(1, 1));
        Deal memory d = deal(3);
        d.params.participants[2].owner = stranger;
        _headRefused(d, pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
        d = deal(3); // the same, in another order
        (d.params.participants[0].owner, d.params.participants[1].owner) = (owner(1), owner(0));
        _headRefused(d, pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
        _headRefused(deal(2), pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
        _headRefused(deal(4), pass, _head(pass.hash), IMudSettlement.WrongTicket.selector);
    }

    function test_Attack21_ATicketIsNoConsent() public {
        Pass memory pass = buy(items(1, 1));
        Deal memory d = deal(3);
        d.funding[0].amounts[2] = 0;
        commit(d);
        _headRefusedWith(d, pass, abi.encodeWithSelector(IMudSettlement.NoConsent.selector, 2));
    }

    function _headRefusedWith(Deal memory d, Pass memory pass, bytes memory revertData) internal {
        Game memory g = _played(beginWith(d, pass, _head(pass.hash)));
        Claim memory c = _executed(g);
        vm.expectRevert(revertData);
        settlement.settleExecuted(c);
    }

    /* ATTACK 20: WHAT HAPPENED SINCE */

    function test_Attack20_ItemSoldAfterTheSnapshot() public {
        putItem(1, owner(0), 10, "sword");
        Game memory g = honest(buy(items(1, 1)), two(increment(0, XP, 5), setItem(1, owner(1), 12, "sword, blessed")));
        Claim memory c = _executed(g);
        putItem(1, stranger, 10, "sword"); // sold meanwhile
        _changed(c, 1);
        assertEq(read(0, XP), 0);
        assertEq(holderOf(1), stranger);
        putItem(1, owner(0), 10, "sword"); // and bought back
        settlement.settleExecuted(c);
        assertEq(holderOf(1), owner(1));
    }

    function _changed(Claim memory c, uint256 index) internal {
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.Changed.selector, index));
        settlement.settleExecuted(c);
    }

    function test_Attack20_OneItemInTwoChannels() public {
        putItem(1, owner(0), 10, "potion");
        Claim memory a = _executed(honest(buy(items(1, 1)), two(deleteItem(1), increment(0, XP, 5))));
        Claim memory b = _executed(honest(buy(items(1, 1)), two(deleteItem(1), increment(0, XP, 6))));
        settlement.settleExecuted(a);
        _changed(b, 0);
        assertEq(read(0, XP), 5);
    }

    /// @dev The same with numbers, in any mode: what was spent elsewhere is not there.
    function test_Attack20_GoldSpentAfterTheSnapshot() public {
        setPolicy(gamePolicy());
        RecordKey[] memory keys = new RecordKey[](1);
        keys[0] = RecordKey(ResourceId.unwrap(heroId), heroKey(0));
        settlement.settleExecuted(_executed(honest(buy(keys), one(increment(0, GOLD, 100)))));
        Game memory a = honest(buy(keys), one(increment(0, GOLD, -100)));
        Game memory b = honest(buy(keys), two(increment(0, GOLD, -60), increment(0, XP, 5)));
        Claim memory first = _executed(a);
        Claim memory second = end(b);
        AttestorSignature[] memory attestors = attestGame(b);
        settlement.settleExecuted(first);
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.OutOfRange.selector, 0));
        settlement.settleAttested(second, attestors);
        assertEq(read(0, XP), 0);
    }

    /* SNAPSHOT */

    function testFuzz_Attack20_TheSnapshotIsTheTickets(uint8 what, uint8 which) public {
        putItem(1, owner(0), 10, "sword");
        putItem(2, owner(0), 10, "shield");
        putItem(3, owner(0), 10, "helmet");
        Game memory g = honest(buy(items(1, 3)), one(setItem(1, owner(1), 12, "taken")));
        Claim memory c = _executed(g);
        Record memory r = c.snapshot[which % 3];
        Record[] memory good = c.snapshot;
        what %= 8;
        if (what == 0) r.resourceId = ResourceId.unwrap(heroId);
        if (what == 1) r.key[0] ^= bytes32(uint256(1));
        if (what == 2) r.staticData[which % 25] ^= 0x01;
        if (what == 3) r.encodedLengths ^= bytes32(uint256(1));
        if (what == 4) r.dynamicData[0] ^= 0x01;
        if (what == 5) (c.snapshot[0], c.snapshot[1]) = (c.snapshot[1], c.snapshot[0]);
        if (what == 6) (c.snapshot = new Record[](2))[0] = good[0];
        if (what == 7) c.snapshot = new Record[](0);
        _refused(c, IMudSettlement.WrongSnapshot.selector);
    }

    function test_SnapshotIsForSetAndDeleteOnly() public {
        Game memory g = honest(buy(items(1, 3)), _xp());
        Claim memory c = _executed(g);
        c.snapshot = new Record[](0);
        settlement.settleExecuted(c);
    }

    /* REVISIONS */

    function testFuzz_TicketKeepsItsRevision(uint128 newPrice, uint8 limit) public {
        Pass memory pass = buy(items(1, 2)); // 2
        Policy memory p = gamePolicy();
        p.ticketPrice = newPrice;
        p.permissions[0].perChannel = limit;
        p.minFunding = 1000 ether;
        setPolicy(p); // 3
        Claim memory c = _executed(honest(pass, _xp()));
        vm.expectEmit(true, true, false, true, address(settlement));
        emit IMudSettlement.Settled(keccak256(abi.encode(c.params)), address(world), namespaceId, 1, 2, 2);
        settlement.settleExecuted(c);
    }

    function test_Attack22_TicketDoesNotKeepItsAttestors() public {
        Game memory g = honest(buy(items(1, 2)), _xp());
        Claim memory c = end(g);
        AttestorSignature[] memory old = attestGame(g);
        Policy memory p = gamePolicy();
        p.attestors = new address[](1);
        p.attestors[0] = vm.addr(key(300));
        p.threshold = 1;
        setPolicy(p);
        vm.expectRevert(abi.encodeWithSelector(IMudSettlement.BadAttestorSignature.selector, 0));
        settlement.settleAttested(c, old);
        attestorKeys[0] = key(300);
        AttestorSignature[] memory rotated = new AttestorSignature[](1);
        rotated[0] = attestGame(g)[0];
        settlement.settleAttested(c, rotated);
        assertEq(read(0, XP), 50);
    }

    /// @dev Whoever holds an old ticket cannot settle with nobody's word after the last attestor is gone.
    function test_Attack22_NoAttestorsIsNobodysWord() public {
        Game memory g = honest(buy(items(1, 2)), _xp());
        Claim memory c = end(g);
        Policy memory p = gamePolicy();
        (p.modes, p.threshold, p.attestors) = (2 | 4, 0, new address[](0));
        setPolicy(p);
        vm.expectRevert(IPolicies.NotAllowed.selector);
        settlement.settleAttested(c, new AttestorSignature[](0));
        execute(g);
        settlement.settleExecuted(c);
    }

    function test_Attack22_RevocationEndsTickets() public {
        Pass memory pass = buy(items(1, 2));
        Claim memory c = _executed(honest(pass, _xp()));
        Policy memory none;
        setPolicy(none);
        _refused(c, IPolicies.NotAllowed.selector);
        setPolicy(gamePolicy());
        _refused(c, IPolicies.NotAllowed.selector);
    }

    function test_Attack19_NewOwnerDoesNotKeepOldTickets() public {
        Claim memory c = _executed(honest(buy(items(1, 2)), _xp()));
        vm.prank(gameMaster);
        world.transferOwnership(ResourceId.wrap(namespaceId), stranger);
        _refused(c, IPolicies.NotAllowed.selector);
        setPolicyAs(stranger, gamePolicy());
        _refused(c, IPolicies.NotAllowed.selector);
    }
}
