// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FieldLayoutLib} from "@latticexyz/store/src/FieldLayout.sol";
import {IBaseWorld} from "@latticexyz/world/src/codegen/interfaces/IBaseWorld.sol";
import {InitModule} from "@latticexyz/world/src/modules/init/InitModule.sol";
import {AccessManagementSystem} from "@latticexyz/world/src/modules/init/implementations/AccessManagementSystem.sol";
import {BalanceTransferSystem} from "@latticexyz/world/src/modules/init/implementations/BalanceTransferSystem.sol";
import {BatchCallSystem} from "@latticexyz/world/src/modules/init/implementations/BatchCallSystem.sol";
import {RegistrationSystem} from "@latticexyz/world/src/modules/init/RegistrationSystem.sol";
import {ResourceId} from "@latticexyz/store/src/ResourceId.sol";
import {SchemaLib} from "@latticexyz/store/src/Schema.sol";
import {SchemaType} from "@latticexyz/schema-type/src/solidity/SchemaType.sol";
import {World} from "@latticexyz/world/src/World.sol";
import {WorldResourceIdLib} from "@latticexyz/world/src/WorldResourceId.sol";

import {Derivation} from "../src/Derivation.sol";
import {MudSettlement} from "../src/MudSettlement.sol";
import {Policies} from "../src/Policies.sol";
import {Publications} from "../src/Publications.sol";
import {Tickets} from "../src/Tickets.sol";
import {AttestorSignature, Claim, IMudSettlement} from "../src/interfaces/IMudSettlement.sol";
import {Permission, Policy} from "../src/interfaces/IPolicies.sol";
import {Messages} from "../src/lib/Messages.sol";
import {Modes} from "../src/lib/Modes.sol";
import {Attestation, Effect, StateView} from "../src/Types.sol";
import {ChannelTest, Deal, Ending} from "./ChannelTest.sol";
import {Echo} from "./Echo.sol";
import {GuildSystem} from "./mocks/GuildSystem.sol";

/// @dev What `settleAttested` is given.
struct Attested {
    Claim claim;
    AttestorSignature[] attestors;
}

/// @dev A real World with one namespace, one table with fields of many types, and one System; all contracts, with a real module
/// on the real machine.
abstract contract SettlementTest is ChannelTest {
    bytes14 internal constant NAMESPACE = "raid";
    bytes32 internal constant CONFIG = keccak256("config");
    uint32 internal constant MIN_POLICY_WINDOW = 60;

    // The fields of the table `Hero`; its key is (address, uint32).
    uint8 internal constant XP = 0; // uint32
    uint8 internal constant GOLD = 1; // uint256
    uint8 internal constant KARMA = 2; // int16
    uint8 internal constant ALIVE = 3; // bool
    uint8 internal constant TAG = 4; // bytes4
    uint8 internal constant LEVEL = 5; // uint8
    uint8 internal constant DEPTH = 6; // int256
    uint8 internal constant PATRON = 7; // address
    uint8 internal constant NAME = 8; // string

    Derivation internal derivation;
    Policies internal policies;
    Tickets internal tickets;
    Publications internal publications;
    MudSettlement internal settlement;
    bytes32 internal module;

    IBaseWorld internal world;
    GuildSystem internal guild;
    bytes32 internal namespaceId;
    ResourceId internal heroId;
    ResourceId internal guildId;
    address internal gameMaster = makeAddr("game master");
    uint256[] internal attestorKeys;

    function setUp() public virtual override {
        super.setUp();
        deployAll();
        world = newWorld();
        namespaceId = ResourceId.unwrap(WorldResourceIdLib.encodeNamespace(NAMESPACE));
        heroId = WorldResourceIdLib.encode("tb", NAMESPACE, "Hero");
        guildId = WorldResourceIdLib.encode("sy", NAMESPACE, "Guild");
        guild = new GuildSystem();
        buildNamespace(world);

        // Keys whose addresses ascend.
        attestorKeys = [key(200), key(201), key(202)];
        for (uint256 i; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (vm.addr(attestorKeys[j]) < vm.addr(attestorKeys[i])) {
                    (attestorKeys[i], attestorKeys[j]) = (attestorKeys[j], attestorKeys[i]);
                }
            }
        }
        setPolicy(standardPolicy());
    }

    /* CONTRACTS */

    function deployAll() internal {
        (derivation, module) = Echo.deploy();
        policies = new Policies(MIN_POLICY_WINDOW);
        tickets = new Tickets(address(policies));
        publications = new Publications(address(adjudicator), address(derivation), address(policies));
        settlement = newSettlement();
    }

    function newSettlement() internal returns (MudSettlement) {
        return new MudSettlement(address(adjudicator), address(derivation), address(policies), address(publications), address(tickets));
    }

    /* WORLD */

    function newWorld() internal returns (IBaseWorld w) {
        World made = new World();
        made.initialize(
            new InitModule(new AccessManagementSystem(), new BalanceTransferSystem(), new BatchCallSystem(), new RegistrationSystem())
        );
        return IBaseWorld(address(made));
    }

    function buildNamespace(IBaseWorld w) internal {
        vm.startPrank(gameMaster);
        w.registerNamespace(ResourceId.wrap(namespaceId));
        registerHeroes(w, heroId);
        w.registerSystem(guildId, guild, false);
        w.grantAccess(heroId, address(settlement));
        w.grantAccess(guildId, address(settlement));
        vm.stopPrank();
    }

    function registerHeroes(IBaseWorld w, ResourceId tableId) internal {
        SchemaType[] memory keys = new SchemaType[](2);
        (keys[0], keys[1]) = (SchemaType.ADDRESS, SchemaType.UINT32);
        SchemaType[] memory values = new SchemaType[](9);
        values[XP] = SchemaType.UINT32;
        values[GOLD] = SchemaType.UINT256;
        values[KARMA] = SchemaType.INT16;
        values[ALIVE] = SchemaType.BOOL;
        values[TAG] = SchemaType.BYTES4;
        values[LEVEL] = SchemaType.UINT8;
        values[DEPTH] = SchemaType.INT256;
        values[PATRON] = SchemaType.ADDRESS;
        values[NAME] = SchemaType.STRING;
        uint256[] memory lengths = new uint256[](8);
        for (uint256 i; i < 8; ++i) {
            lengths[i] = values[i].getStaticByteLength();
        }
        w.registerTable(
            tableId, FieldLayoutLib.encode(lengths, 1), SchemaLib.encode(keys), SchemaLib.encode(values), new string[](2), new string[](9)
        );
    }

    function heroKey(uint256 i) internal returns (bytes32[] memory k) {
        k = new bytes32[](2);
        (k[0], k[1]) = (bytes32(uint256(uint160(owner(i)))), bytes32(uint256(7)));
    }

    /// @dev The field's bytes, lowest bits first, as a number.
    function read(uint256 hero, uint8 field) internal returns (uint256 value) {
        bytes memory data = world.getField(heroId, heroKey(hero), field);
        for (uint256 i; i < data.length; ++i) {
            value = value << 8 | uint8(data[i]);
        }
    }

    /* POLICIES */

    function permission(uint8 field) internal view returns (Permission memory) {
        return Permission(ResourceId.unwrap(heroId), 2, field, 0, type(uint128).max, type(uint128).max, type(uint128).max);
    }

    function callPermission(bytes4 selector, uint128 perChannel) internal view returns (Permission memory) {
        return Permission(ResourceId.unwrap(guildId), 3, 0, selector, 0, 0, perChannel);
    }

    /// @dev Attested, by 2 of 3; every field and `award` allowed.
    function standardPolicy() internal view returns (Policy memory p) {
        p.modes = Modes.ATTESTED;
        p.threshold = 2;
        p.attestors = new address[](3);
        for (uint256 i; i < 3; ++i) {
            p.attestors[i] = vm.addr(attestorKeys[i]);
        }
        p.permissions = new Permission[](10);
        for (uint8 field; field < 9; ++field) {
            p.permissions[field] = permission(field);
        }
        p.permissions[9] = callPermission(GuildSystem.award.selector, 2);
    }

    function setPolicy(Policy memory p) internal {
        setPolicyAs(gameMaster, p);
    }

    function setPolicyAs(address by, Policy memory p) internal {
        vm.prank(by);
        policies.setPolicy(address(world), namespaceId, module, CONFIG, p);
    }

    /* CHANNELS */

    function genesisInput() internal view returns (bytes memory) {
        return genesisInput(bytes32(0));
    }

    function genesisInput(bytes32 ticketHash) internal view returns (bytes memory) {
        return bytes.concat(abi.encode(address(settlement), address(world), namespaceId, CONFIG, ticketHash), "dungeon 7");
    }

    function mudDeal(bytes memory genesis) internal returns (Deal memory d) {
        d = deal(3);
        d.params.moduleHash = module;
        d.params.genesisHash = keccak256(genesis);
    }

    /// @dev An ending whose state has these effects.
    function played(Deal memory d, uint256 slot, bool terminal, Effect[] memory effects) internal view returns (Ending memory e) {
        return playedTo(d, slot, terminal, Echo.app(effects));
    }

    function playedTo(Deal memory d, uint256 slot, bool terminal, bytes memory app) internal view returns (Ending memory e) {
        e.state = StateView(header(d.params.participants.length, terminal), toBytes(winner(d, slot)), keccak256(app));
        resign(d, e, terminal);
    }

    function increment(uint256 hero, uint8 field, int256 delta) internal returns (Effect memory) {
        return Effect(2, ResourceId.unwrap(heroId), heroKey(hero), abi.encode(field, delta));
    }

    function award(uint256 hero, uint256 amount) internal returns (Effect memory) {
        return Effect(3, ResourceId.unwrap(guildId), new bytes32[](0), abi.encodeCall(GuildSystem.award, (owner(hero), amount)));
    }

    function one(Effect memory e) internal pure returns (Effect[] memory all) {
        all = new Effect[](1);
        all[0] = e;
    }

    function two(Effect memory a, Effect memory b) internal pure returns (Effect[] memory all) {
        all = new Effect[](2);
        (all[0], all[1]) = (a, b);
    }

    /* CLAIMS */

    /// @dev Funds the channel and ends it at a terminal state with these effects; the first two attestors sign.
    function finished(Effect[] memory effects) internal returns (Attested memory) {
        return finish(mudDeal(genesisInput()), genesisInput(), effects);
    }

    function finish(Deal memory d, bytes memory genesis, Effect[] memory effects) internal returns (Attested memory) {
        return finishWith(d, genesis, Echo.app(effects));
    }

    function finishWith(Deal memory d, bytes memory genesis, bytes memory app) internal returns (Attested memory) {
        fund(d);
        Ending memory e = playedTo(d, 0, true, app);
        conclude(d, e);
        return attestedClaim(d, e, genesis, app);
    }

    function claimOf(Deal memory d, Ending memory e, bytes memory genesis, Effect[] memory effects)
        internal
        view
        returns (Attested memory)
    {
        return attestedClaim(d, e, genesis, Echo.app(effects));
    }

    function attestedClaim(Deal memory d, Ending memory e, bytes memory genesis, bytes memory app)
        internal
        view
        returns (Attested memory c)
    {
        c.claim.params = d.params;
        c.claim.funding = d.funding;
        c.claim.state = bytes.concat(e.state.header, e.state.funds, app);
        c.claim.genesisInput = genesis;
        c.claim.joins = new bytes[](d.params.participants.length);
        attest(c, e, 2);
    }

    /// @dev The first `count` attestors sign the journal.
    function attest(Attested memory c, Ending memory e, uint256 count) internal view {
        c.attestors = new AttestorSignature[](count);
        for (uint256 i; i < count; ++i) {
            c.attestors[i] = attestation(i, e);
        }
    }

    function attestation(uint256 i, Ending memory e) internal view returns (AttestorSignature memory) {
        return AttestorSignature(
            uint8(i),
            sign(attestorKeys[i], Messages.hash(Attestation(e.update.channelId, e.update.seq, e.update.journalRoot, e.update.stateHash)))
        );
    }

    function settle(Attested memory c) internal {
        settlement.settleAttested(c.claim, c.attestors);
    }

    function refused(Attested memory c, bytes4 selector) internal {
        refusedWith(c, abi.encodePacked(selector));
    }

    function refused(Attested memory c, bytes4 selector, uint256 index) internal {
        refusedWith(c, abi.encodeWithSelector(selector, index));
    }

    function refusedWith(Attested memory c, bytes memory revertData) internal {
        vm.expectRevert(revertData);
        settlement.settleAttested(c.claim, c.attestors);
        assertFalse(settlement.isSettled(keccak256(abi.encode(c.claim.params))));
    }
}
