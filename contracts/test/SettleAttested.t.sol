// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {System} from "@latticexyz/world/src/System.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {Adjudicator} from "../src/Adjudicator.sol";
import {MudSettlement} from "../src/MudSettlement.sol";
import {AttestorSignature, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {IPolicies, Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Effect, Join} from "../src/Types.sol";
import {Deal, Ending} from "./ChannelTest.sol";
import {ContractWallet, Wallet} from "./mocks/Wallets.sol";
import {Echo} from "./Echo.sol";
import {Attested, SettlementTest} from "./SettlementTest.sol";

/// @dev Who may settle what, where. What effects may do is in SettleEffects.t.sol.
/// forge-config: default.fuzz.runs = 64
contract SettleAttestedTest is SettlementTest {
    function _xp() internal returns (Effect[] memory) {
        return one(increment(1, XP, 50));
    }

    /* WHAT WORKS */

    function test_C3_EffectsLandInTheWorld() public {
        Effect[] memory effects = new Effect[](3);
        effects[0] = increment(1, XP, 50);
        effects[1] = increment(2, GOLD, 1e30);
        effects[2] = award(0, 5);
        Attested memory c = finished(effects);
        bytes32 id = keccak256(abi.encode(c.claim.params));
        vm.expectEmit(address(settlement));
        emit IMudSettlement.Settled(id, address(world), namespaceId, 3, 1, 1);
        vm.prank(stranger);
        settle(c);

        assertEq(read(1, XP), 50);
        assertEq(read(2, GOLD), 1e30);
        assertEq(guild.awards(owner(0)), 5);
        assertEq(guild.lastSender(), address(settlement));
        assertTrue(settlement.isSettled(id));
    }

    function test_TwoChannelsAddToOneRecord() public {
        settle(finished(_xp()));
        settle(finished(_xp()));
        assertEq(read(1, XP), 100);
    }

    function test_NoEffectsIsAnOutcomeToo() public {
        settle(finished(new Effect[](0)));
    }

    function test_OneSettlementServesManyWorlds() public {
        settle(finished(_xp()));
        IBaseWorld first = world;
        world = newWorld();
        buildNamespace(world);
        setPolicy(standardPolicy());
        settle(finished(one(increment(1, XP, 7))));
        assertEq(read(1, XP), 7);
        world = first;
        assertEq(read(1, XP), 50);
    }

    function test_AnyTwoOfThreeAttestors() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        Ending memory e = played(d, 0, true, _xp());
        conclude(d, e);
        Attested memory c = claimOf(d, e, genesisInput(), _xp());
        (c.attestors[0], c.attestors[1]) = (attestation(0, e), attestation(2, e));
        settle(c);
    }

    function test_TerminalStateMayEndByCloseToo() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        Ending memory e = played(d, 0, true, _xp());
        signClose(d, e);
        conclude(d, e);
        settle(claimOf(d, e, genesisInput(), _xp()));
    }

    /* ONCE, ALL OR NONE, RETRYABLE */

    function test_Attack13_OncePerChannel() public {
        Attested memory c = finished(_xp());
        settle(c);
        vm.expectRevert(IMudSettlement.AlreadySettled.selector);
        settle(c);
        assertEq(read(1, XP), 50);
    }

    function test_AllOrNoneAndRetryable() public {
        Attested memory c = finished(two(increment(1, XP, 50), award(1, 1)));
        guild.setClosed(true);
        vm.expectRevert("closed");
        settle(c);
        assertEq(read(1, XP), 0);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.claim.params))));
        guild.setClosed(false);
        settle(c);
        assertEq(read(1, XP), 50);
    }

    function test_RetryableAfterAccessIsGranted() public {
        vm.prank(gameMaster);
        world.revokeAccess(heroId, address(settlement));
        Attested memory c = finished(_xp());
        vm.expectRevert();
        settle(c);
        vm.prank(gameMaster);
        world.grantAccess(heroId, address(settlement));
        settle(c);
        assertEq(read(1, XP), 50);
    }

    function test_Attack16_SettlementIsNotReentered() public {
        // The namespace's owner itself tries: its System calls settleAttested while effects are being written.
        ReentrantSystem evil = new ReentrantSystem();
        ResourceId evilId = WorldResourceIdLib.encode("sy", NAMESPACE, "Evil");
        vm.startPrank(gameMaster);
        world.registerSystem(evilId, evil, true);
        vm.stopPrank();
        Policy memory p = standardPolicy();
        p.permissions[9] = callPermission(ReentrantSystem.strike.selector, 1);
        p.permissions[9].resourceId = ResourceId.unwrap(evilId);
        setPolicy(p);

        Attested memory second = finished(_xp());
        Attested memory first =
            finished(one(Effect(3, ResourceId.unwrap(evilId), new bytes32[](0), abi.encodeCall(ReentrantSystem.strike, ()))));
        evil.aim(address(settlement), abi.encodeCall(settlement.settleAttested, (second.claim, second.attestors)));
        settle(first);
        assertTrue(evil.tried());
        assertFalse(evil.succeeded());
        settle(second);
    }

    /* ATTACK 6: FINAL AND TERMINAL ONLY */

    function test_NotBeforeFinal() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        Ending memory e = played(d, 0, true, _xp());
        refused(claimOf(d, e, genesisInput(), _xp()), IMudSettlement.NotFinal.selector);
    }

    function test_Attack6_FlatteringNonTerminalStateHasNoEffects() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        Ending memory e = played(d, 0, false, _xp());
        conclude(d, e);
        refused(claimOf(d, e, genesisInput(), _xp()), IMudSettlement.WrongState.selector);
    }

    function test_A3_AnotherTerminalStateThanTheFinalOne() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        conclude(d, played(d, 0, true, _xp()));
        Ending memory other = played(d, 1, true, _xp());
        refused(claimOf(d, other, genesisInput(), _xp()), IMudSettlement.WrongState.selector);
    }

    /* ATTACK 13, 18: ATTESTORS SIGN THIS JOURNAL, AND EFFECTS ARE DERIVED */

    function test_A2_AttestationOfAnotherJournal() public {
        Deal memory d = mudDeal(genesisInput());
        fund(d);
        Ending memory e = played(d, 0, true, _xp());
        conclude(d, e);
        bytes32 root = e.update.journalRoot;
        e.update.journalRoot = keccak256("rewritten");
        refused(claimOf(d, e, genesisInput(), _xp()), IMudSettlement.BadAttestorSignature.selector, 0);
        e.update.journalRoot = root;
        e.update.seq += 1;
        refused(claimOf(d, e, genesisInput(), _xp()), IMudSettlement.BadAttestorSignature.selector, 0);
        e.update.seq -= 1;
        settle(claimOf(d, e, genesisInput(), _xp()));
    }

    function testFuzz_A11_EffectsAreThoseOfTheFinalState(int256 delta) public {
        vm.assume(delta != 50);
        Attested memory c = finished(_xp());
        bytes memory state = c.claim.state;
        uint256 funds = (3 + 3 + 3) * 32;
        c.claim.state = bytes.concat(_head(state, funds), Echo.app(one(increment(1, XP, delta))));
        refused(c, IMudSettlement.WrongState.selector);
        c.claim.state = bytes.concat(_head(state, funds), Echo.app(two(increment(1, XP, 50), increment(1, XP, 50))));
        refused(c, IMudSettlement.WrongState.selector);
        c.claim.state = state;
        settle(c);
    }

    /// @dev Bytes moved between the parts of a state, or missing, are another state.
    function testFuzz_A3_StateIsExactlyTheFinalOne(uint256 cut, uint8 bit) public {
        Attested memory c = finished(_xp());
        bytes memory state = c.claim.state;
        c.claim.state = _head(state, bound(cut, 0, state.length - 1));
        refused(c, IMudSettlement.WrongState.selector);
        uint256 at = bound(cut, 0, state.length - 1);
        state[at] = bytes1(uint8(state[at]) ^ uint8(1 << (bit % 8)));
        c.claim.state = state;
        refused(c, IMudSettlement.WrongState.selector);
    }

    function _head(bytes memory data, uint256 length) internal pure returns (bytes memory head) {
        head = new bytes(length);
        for (uint256 i; i < length; ++i) {
            head[i] = data[i];
        }
    }

    function test_Attack6_MalformedEffectsAreNoEffects() public {
        bytes memory encoded = abi.encode(_xp());
        encoded[31] = 0x40; // another offset than abi.encode writes
        refused(finishWith(mudDeal(genesisInput()), genesisInput(), Echo.tailed(encoded)), IMudSettlement.NoEffects.selector, 10);
        refused(finishWith(mudDeal(genesisInput()), genesisInput(), Echo.tailed("")), IMudSettlement.NoEffects.selector, 10);
        // The module traps: the length points before its memory.
        refused(finishWith(mudDeal(genesisInput()), genesisInput(), hex"ffffffff"), IMudSettlement.NoEffects.selector, 8);
    }

    function test_Attack13_AttestationsOfAnotherChannel() public {
        Attested memory first = finished(_xp());
        Attested memory second = finished(_xp());
        second.attestors = first.attestors;
        refused(second, IMudSettlement.BadAttestorSignature.selector, 0);
    }

    function test_Attack13_OtherChain() public {
        Attested memory c = finished(_xp());
        vm.chainId(block.chainid + 1);
        refused(c, IMudSettlement.BadAttestorSignature.selector, 0);
    }

    function test_Attack13_OtherSettlement() public {
        Attested memory c = finished(_xp());
        MudSettlement second = newSettlement();
        vm.prank(gameMaster);
        world.grantAccess(heroId, address(second));
        vm.expectRevert(IMudSettlement.WrongGenesis.selector);
        second.settleAttested(c.claim, c.attestors);
        settle(c);
    }

    function test_Attack13_OtherAdjudicator() public {
        // Final in an adjudicator that anyone may have deployed is not Final here.
        Adjudicator real = adjudicator;
        adjudicator = new Adjudicator(60);
        Attested memory c = finished(_xp());
        adjudicator = real;
        refused(c, IMudSettlement.NotFinal.selector);
    }

    /* ATTACK 14: ATTESTORS' SIGNATURES */

    function test_Attack14_DuplicateAttestorsCountOnce() public {
        Attested memory c = finished(_xp());
        c.attestors[1] = c.attestors[0];
        refused(c, IMudSettlement.NotEnoughAttestors.selector);
        c.attestors[1].index = 1;
        refused(c, IMudSettlement.BadAttestorSignature.selector, 1);
    }

    function test_Attack14_AttestorsMustAscend() public {
        Attested memory c = finished(_xp());
        (c.attestors[0], c.attestors[1]) = (c.attestors[1], c.attestors[0]);
        refused(c, IMudSettlement.NotEnoughAttestors.selector);
    }

    function test_Attack14_ThresholdMustBeMet() public {
        Attested memory c = finished(_xp());
        AttestorSignature[] memory all = c.attestors;
        c.attestors = new AttestorSignature[](1);
        c.attestors[0] = all[0];
        refused(c, IMudSettlement.NotEnoughAttestors.selector);
        c.attestors = new AttestorSignature[](0);
        refused(c, IMudSettlement.NotEnoughAttestors.selector);
        c.attestors = all;
        c.attestors[1].index = 3;
        refused(c, IMudSettlement.NotEnoughAttestors.selector);
    }

    function test_Attack14_MalleableAttestation() public {
        Attested memory c = finished(_xp());
        c.attestors[0].attestation = _flip(c.attestors[0].attestation);
        refused(c, IMudSettlement.BadAttestorSignature.selector, 0);
        c = finished(_xp());
        c.attestors[1].attestation = _flip(c.attestors[1].attestation);
        refused(c, IMudSettlement.BadAttestorSignature.selector, 1);
    }

    function testFuzz_Attack14_JunkAttestation(bytes memory junk) public {
        Attested memory c = finished(_xp());
        c.attestors[0].attestation = junk;
        refused(c, IMudSettlement.BadAttestorSignature.selector, 0);
    }

    function _flip(bytes memory signature) internal pure returns (bytes memory) {
        bytes32 r;
        uint256 s;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
        }
        return abi.encodePacked(r, CURVE_ORDER - s, uint8(signature[64]) == 27 ? uint8(28) : uint8(27));
    }

    /* ATTACK 19: WHERE THE EFFECTS GO */

    function _genesisRefused(bytes memory genesis, bytes4 selector) internal {
        refused(finish(mudDeal(genesis), genesis, _xp()), selector);
    }

    function test_Attack19_GenesisNamesEverything() public {
        bytes32 ns = namespaceId;
        address w = address(world);
        address s = address(settlement);
        _genesisRefused("", IMudSettlement.WrongGenesis.selector);
        _genesisRefused(new bytes(160), IMudSettlement.WrongGenesis.selector); // all zero: no effects
        _genesisRefused(abi.encode(s, w, ns, CONFIG), IMudSettlement.WrongGenesis.selector);
        _genesisRefused(bytes.concat(genesisInput(), new bytes(16 * 1024)), IMudSettlement.WrongGenesis.selector);
        _genesisRefused(abi.encode(w, w, ns, CONFIG, 0), IMudSettlement.WrongGenesis.selector);
        _genesisRefused(abi.encode(uint256(uint160(s)) + (1 << 160), w, ns, CONFIG, 0), IMudSettlement.WrongGenesis.selector);
        _genesisRefused(abi.encode(s, uint256(uint160(w)) + (1 << 160), ns, CONFIG, 0), IMudSettlement.WrongGenesis.selector);
        _genesisRefused(abi.encode(s, w, ns, CONFIG, 1), IMudSettlement.WrongTicket.selector);
        _genesisRefused(abi.encode(s, w, ns, keccak256("other"), 0), IPolicies.NotAllowed.selector);
        _genesisRefused(abi.encode(s, stranger, ns, CONFIG, 0), IPolicies.NotAllowed.selector);
        _genesisRefused(abi.encode(s, w, keccak256("other"), CONFIG, 0), IPolicies.NotAllowed.selector);
        _genesisRefused(abi.encode(s, w, WorldResourceIdLib.encodeNamespace(""), CONFIG, 0), IPolicies.NotAllowed.selector);
    }

    function test_Attack19_GenesisIsTheOneOfTheParams() public {
        Attested memory c = finished(_xp());
        c.claim.genesisInput = bytes.concat(c.claim.genesisInput, "!");
        refused(c, IMudSettlement.WrongGenesis.selector);
    }

    function test_Attack19_OtherModuleHasNoPolicy() public {
        Deal memory d = mudDeal(genesisInput());
        d.params.moduleHash = keccak256("other module");
        refused(finish(d, genesisInput(), _xp()), IPolicies.NotAllowed.selector);
    }

    function test_Attack19_FakeWorldReachesItselfOnly() public {
        // The attacker owns the namespace of the same name in a World of its own, and is its attestor.
        IBaseWorld real = world;
        world = newWorld();
        buildNamespace(world);
        setPolicy(standardPolicy());
        settle(finished(_xp()));
        assertEq(read(1, XP), 50);
        world = real;
        assertEq(read(1, XP), 0);
    }

    function test_Attack19_RegistrantOfAnotherNamespaceCannotReachOurs() public {
        // A stranger's namespace in the same World, with a policy of its own that names our table, is refused when set;
        // and with a policy for its own table it still cannot write ours.
        bytes32 other = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace("thief"));
        ResourceId own = WorldResourceIdLib.encode("tb", "thief", "Hero");
        vm.startPrank(stranger);
        world.registerNamespace(ResourceId.wrap(other));
        registerHeroes(world, own);
        world.grantAccess(own, address(settlement));
        Policy memory p = standardPolicy();
        vm.expectRevert(abi.encodeWithSelector(IPolicies.BadPermission.selector, 0));
        policies.setPolicy(address(world), other, module, CONFIG, p);
        p.permissions = new Permission[](1);
        p.permissions[0] = permission(XP);
        p.permissions[0].resourceId = ResourceId.unwrap(own);
        policies.setPolicy(address(world), other, module, CONFIG, p);
        vm.stopPrank();

        bytes memory genesis = abi.encode(address(settlement), address(world), other, CONFIG, bytes32(0));
        refused(finish(mudDeal(genesis), genesis, _xp()), IMudSettlement.EffectNotAllowed.selector, 0);
    }

    function test_Attack19_FormerOwnersPolicyIsVoid() public {
        Attested memory c = finished(_xp());
        vm.prank(gameMaster);
        world.transferOwnership(ResourceId.wrap(namespaceId), stranger);
        refused(c, IPolicies.NotAllowed.selector);
        vm.prank(stranger);
        policies.setPolicy(address(world), namespaceId, module, CONFIG, standardPolicy());
        settle(c);
    }

    function test_Attack22_RotatedAttestorsNoLongerCount() public {
        Attested memory c = finished(_xp());
        Policy memory p = standardPolicy();
        p.attestors = new address[](1);
        p.attestors[0] = vm.addr(key(300));
        p.threshold = 1;
        setPolicy(p);
        refused(c, IMudSettlement.BadAttestorSignature.selector, 0);
    }

    function test_Attack22_RevokedPairNoLongerCounts() public {
        Attested memory c = finished(_xp());
        Policy memory none;
        setPolicy(none);
        refused(c, IPolicies.NotAllowed.selector);
    }

    /// @dev Everybody lies: the players sign a journal that was never played, the quorum attests it. What lands in the World is
    /// what the owner's limits allow, per channel; what is above them does not.
    function testFuzz_Attack22_DishonestQuorumIsBounded(int8[6] calldata xp, int8[6] calldata gold, uint8 channels) public {
        uint128 most = 100;
        Policy memory p = standardPolicy();
        (p.permissions[XP].maxIncrease, p.permissions[XP].maxDecrease, p.permissions[XP].perChannel) = (60, 0, most);
        (p.permissions[GOLD].maxIncrease, p.permissions[GOLD].maxDecrease, p.permissions[GOLD].perChannel) = (60, 20, most);
        setPolicy(p);
        settle(finished(one(increment(1, GOLD, 60))));
        uint256 settled = 1;
        for (uint256 k; k < 1 + channels % 3; ++k) {
            Effect[] memory effects = new Effect[](12);
            for (uint256 i; i < 6; ++i) {
                (effects[2 * i], effects[2 * i + 1]) = (increment(1, XP, xp[(i + k) % 6]), increment(1, GOLD, gold[(i * k) % 6]));
            }
            Attested memory c = finished(effects);
            try settlement.settleAttested(c.claim, c.attestors) {
                ++settled;
            } catch {}
        }
        assertLe(read(1, XP), (settled - 1) * most);
        assertLe(read(1, GOLD), settled * most);
        // And the bound is what they get, not more.
        settle(finished(two(increment(2, XP, 60), increment(2, XP, 40))));
        assertEq(read(2, XP), most);
        refused(finished(two(increment(2, XP, 60), increment(2, XP, 41))), IMudSettlement.EffectNotAllowed.selector, 1);
        refused(finished(one(increment(2, XP, 61))), IMudSettlement.EffectNotAllowed.selector, 0);
        refused(finished(one(increment(2, XP, -1))), IMudSettlement.EffectNotAllowed.selector, 0);
    }

    /* MINIMUM FUNDING */

    function testFuzz_MinimumFunding(uint256 minimum) public {
        Policy memory p = standardPolicy();
        p.minFunding = minimum;
        setPolicy(p);
        Attested memory c = finished(_xp());
        if (minimum > 3 * STAKE) refused(c, IMudSettlement.FundingTooSmall.selector);
        else settle(c);
    }

    function test_MinimumFundingIsInItsAsset() public {
        Policy memory p = standardPolicy();
        p.minFunding = 1;
        p.minFundingAsset = address(token);
        setPolicy(p);
        Attested memory c = finished(_xp());
        refused(c, IMudSettlement.FundingTooSmall.selector);
        c.claim.funding[0].asset = address(token);
        refused(c, IMudSettlement.WrongFunding.selector);
    }

    /* ATTACK 21: CONSENT */

    /// @dev The victim is named as player 2 with an entry of 0, so that nobody needs its deposit.
    function _naming(address victim) internal returns (Deal memory d, Ending memory e, Attested memory c) {
        Effect[] memory effects = one(increment(2, XP, 1));
        d = mudDeal(genesisInput());
        d.params.participants[2].owner = victim;
        d.funding[0].amounts[2] = 0;
        commit(d);
        fund(d);
        e = played(d, 0, true, effects);
        conclude(d, e);
        c = claimOf(d, e, genesisInput(), effects);
    }

    function _join(Deal memory d, uint256 ownerKey) internal view returns (bytes memory) {
        return sign(ownerKey, Messages.hash(Join(idOf(d), d.params.participants[2].signer)));
    }

    function test_Attack21_VictimNamedWithoutConsent() public {
        (Deal memory d,, Attested memory c) = _naming(vm.addr(key(400)));
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _join(d, d.keys[2]); // the session key is not the wallet
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _join(d, d.keys[0]);
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = sign(key(400), Messages.hash(Join(idOf(d), d.params.participants[0].signer))); // another session key
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = sign(key(400), Messages.hash(Join(keccak256("other channel"), d.params.participants[2].signer)));
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _flip(_join(d, key(400)));
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _join(d, key(400));
        settle(c);
    }

    function test_Attack21_ContractWalletJoinsByErc1271() public {
        ContractWallet wallet = new ContractWallet(vm.addr(key(401)));
        (Deal memory d,, Attested memory c) = _naming(address(wallet));
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _join(d, key(402));
        refused(c, IMudSettlement.NoConsent.selector, 2);
        c.claim.joins[2] = _join(d, key(401));
        settle(c);
    }

    function test_Attack21_WalletWithCodeMayStillSignWithItsKey() public {
        address delegated = vm.addr(key(403));
        vm.etch(delegated, address(new Wallet()).code); // as EIP-7702 does; no isValidSignature
        (Deal memory d,, Attested memory c) = _naming(delegated);
        c.claim.joins[2] = _join(d, key(403));
        settle(c);
    }

    function test_Attack21_ContractThatAnswersNothingDoesNotJoin() public {
        (Deal memory d,, Attested memory c) = _naming(address(token));
        c.claim.joins[2] = _join(d, key(404));
        refused(c, IMudSettlement.NoConsent.selector, 2);
    }

    function test_Attack21_DepositIsPerParticipant() public {
        (,, Attested memory c) = _naming(owner(0)); // owner 0 deposited for player 0, not for player 2
        refused(c, IMudSettlement.NoConsent.selector, 2);
    }

    function testFuzz_Attack29_JoinCount(uint8 count) public {
        Attested memory c = finished(_xp());
        vm.assume(count != 3);
        c.claim.joins = new bytes[](count);
        refused(c, IMudSettlement.WrongJoinCount.selector);
    }
}

contract ReentrantSystem is System {
    address private _target;
    bytes private _data;
    bool public tried;
    bool public succeeded;

    function aim(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function strike() external {
        tried = true;
        (succeeded,) = _target.call(_data);
    }
}
