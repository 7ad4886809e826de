package raid

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

// ticketed is the default raid, played for a ticket; owners have what have says.
func ticketed(have Pack) setup {
	s := defaultSetup()
	s.loot = func(_ int, item Item) uint32 { return uint32(have.Count(item)) }
	return s
}

// raw is the genesis input of g, whatever it says.
func (g Genesis) raw() []byte {
	config := DungeonConfig(g.Dungeon)
	return g.input(crypto.Keccak256Hash(config), g.Ticket.Hash(), encodeRest(config, *g.Ticket, g.Records))
}

func TestU1_TicketGenesis(t *testing.T) {
	h := newHost(t)
	s := setup{heroes: 6, keeper: 2, assets: 1, config: DefaultConfig(), loot: func(seat int, item Item) uint32 {
		return []uint32{0, 1, 2, 3, 4, 256, math.MaxUint32}[(seat+int(item))%7]
	}}
	g := newGame(t, h, s, 1)
	raid := g.raid()
	require.Equal(t, DefaultConfig().Rooms, raid.Rooms)
	require.Equal(t, DefaultConfig().MaxRounds, raid.MaxRounds)
	require.Equal(t, ticketSeed, raid.TicketSeed)
	require.True(t, raid.InWorld)
	for i, seat := range raid.Seats {
		want := Pack{}
		if i != s.keeper {
			have := func(item Item) uint8 { return uint8(min(s.loot(i, item), uint32(MaxPack.Count(item)))) }
			want = Pack{have(Potion), have(Sword), have(Shield)}
		}
		require.Equal(t, Seat{Owner: owner(i), IsHero: i != s.keeper, Pending: true, Owned: want}, seat)
	}

	g = newGame(t, h, defaultSetup(), 1)
	require.Zero(t, g.raid().TicketSeed)
	require.Zero(t, g.raid().Seats[1].Owned)
}

const wrongSet = "the snapshot is the dungeon and each hero's potions, swords and shields, in this order and nothing else"

func TestAttack20_TheSetOfRecordsIsComplete(t *testing.T) {
	h := newHost(t)
	s := setup{heroes: 3, keeper: 1, assets: 1, config: DefaultConfig(), loot: func(int, Item) uint32 { return 2 }}
	rules := s.rules(t, h)
	refused := func(name, reason string, change func(g *Genesis)) {
		g := s.genesis(t, h)
		change(&g)
		for i := range g.Records { // what a World would answer
			if g.Records[i].StaticData == nil {
				g.Records[i].StaticData = []byte{}
			}
		}
		g.seal()
		v := genesis(t, rules, g.raw())
		require.Equal(t, channel.RejectedByModule, v.Status, name)
		require.Equal(t, "raid: "+reason, v.Reason, name)
		if _, err := g.Input(); name != "the keeper's items" { // only Params know who keeps the dungeon
			require.Error(t, err, name)
		}
	}
	n := len(s.genesis(t, h).Records)
	require.Equal(t, 10, n)
	require.NoError(t, genesis(t, rules, s.genesis(t, h).raw()).Err())

	for i := range n {
		refused(fmt.Sprintf("without record %d", i), wrongSet, func(g *Genesis) { g.Records = slices.Delete(g.Records, i, i+1) })
		refused(fmt.Sprintf("record %d twice", i), wrongSet, func(g *Genesis) { g.Records = slices.Insert(g.Records, i, g.Records[i]) })
		refused(fmt.Sprintf("record %d in another's place", i), wrongSet, func(g *Genesis) { g.Records[i] = g.Records[(i+1)%n] })
		for k := range i {
			refused(fmt.Sprintf("records %d and %d swapped", k, i), wrongSet, func(g *Genesis) {
				g.Records[k], g.Records[i] = g.Records[i], g.Records[k]
			})
		}
		refused(fmt.Sprintf("record %d of another table", i), wrongSet, func(g *Genesis) { g.Records[i].ResourceID = TableID(Namespace, TableResult) })
		refused(fmt.Sprintf("record %d of another namespace", i), wrongSet, func(g *Genesis) { g.Records[i].ResourceID[2] ^= 1 })
		refused(fmt.Sprintf("record %d with another key", i), wrongSet, func(g *Genesis) { g.Records[i].Key[0][31] ^= 1 })
		refused(fmt.Sprintf("record %d with a dirty key", i), wrongSet, func(g *Genesis) { g.Records[i].Key[0][0] ^= 1 })
		refused(fmt.Sprintf("record %d with more key", i), wrongSet, func(g *Genesis) { g.Records[i].Key = append(g.Records[i].Key, common.Hash{}) })
		refused(fmt.Sprintf("record %d with more static data", i), wrongSet, func(g *Genesis) { g.Records[i].StaticData = append(g.Records[i].StaticData, 0) })
		refused(fmt.Sprintf("record %d with other lengths", i), wrongSet, func(g *Genesis) { g.Records[i].EncodedLengths[31] ^= 1 })
	}
	refused("no record", wrongSet, func(g *Genesis) { g.Records = nil })
	refused("the dungeon alone", wrongSet, func(g *Genesis) { g.Records = g.Records[:1] })
	refused("the keeper's items", wrongSet, func(g *Genesis) {
		for item := Potion; item <= Shield; item++ {
			g.Records = append(g.Records, LootRecord(Namespace, owner(s.keeper), item, 1))
		}
	})
	refused("gold", wrongSet, func(g *Genesis) { g.Records[3] = LootRecord(Namespace, owner(0), Gold, 1) })
	refused("an item with dynamic data", wrongSet, func(g *Genesis) { g.Records[1].DynamicData = []byte{0} })
	refused("less static data", wrongSet, func(g *Genesis) { g.Records[1].StaticData = g.Records[1].StaticData[1:] })
	const none = "the world has no such dungeon"
	refused("no such dungeon", none, func(g *Genesis) {
		g.Records[0].StaticData, g.Records[0].EncodedLengths, g.Records[0].DynamicData = []byte{0}, common.Hash{}, nil
	})
	refused("half a room", none, func(g *Genesis) { g.Records[0].DynamicData = g.Records[0].DynamicData[1:] })
	refused("too many rooms", none, func(g *Genesis) { g.Records[0].DynamicData = make([]byte, 104) })
}

func TestAttack20_DungeonsOfTheWorldAreChecked(t *testing.T) {
	h := newHost(t)
	s := ticketed(Pack{})
	rules := s.rules(t, h)
	for name, c := range map[string]struct {
		at     int
		value  byte
		reason string
	}{
		"no kind": {0, 0, "a monster has a kind and hit points"}, "kind": {0, 8, "an integer is too large"},
		"hp": {1, 4, "an integer is too large"}, "attack": {3, 101, "an integer is too large"}, "defence": {4, 51, "an integer is too large"},
		"item": {5, 7, "an integer is too large"}, "gold": {6, 4, "an integer is too large"},
	} {
		g := s.genesis(t, h)
		g.Records[0].DynamicData[c.at] = c.value
		g.seal()
		require.Equal(t, "raid: "+c.reason, genesis(t, rules, g.raw()).Reason, name)
		_, err := g.Input()
		require.ErrorIs(t, err, ErrConfig, name)
	}
	for _, rounds := range []byte{0, maxRounds + 1} {
		g := s.genesis(t, h)
		g.Records[0].StaticData[0] = rounds
		g.seal()
		require.Equal(t, "raid: maxRounds is 1 to 48", genesis(t, rules, g.raw()).Reason)
	}
}

func TestAttack13_TheTicketIsForThisChannel(t *testing.T) {
	h := newHost(t)
	s := ticketed(Pack{})
	rules := s.rules(t, h)
	const snapshot = "the records are not those of the ticket's snapshot"
	for name, c := range map[string]struct {
		change func(g *Genesis)
		reason string
	}{
		"another world":        {func(g *Genesis) { g.Ticket.World[0] ^= 1 }, "the ticket is for another world"},
		"another namespace":    {func(g *Genesis) { g.Ticket.NamespaceID[3] ^= 1 }, "the ticket is for another world"},
		"another module":       {func(g *Genesis) { g.Ticket.ModuleHash[3] ^= 1 }, "the ticket is for another module"},
		"another dungeon":      {func(g *Genesis) { g.Ticket.ConfigHash[3] ^= 1 }, "the ticket is for another dungeon"},
		"other players":        {func(g *Genesis) { g.Ticket.OwnersHash = OwnersHash([]common.Address{owner(0), owner(2), owner(1)}) }, "the ticket is for other players"},
		"another snapshot":     {func(g *Genesis) { g.Ticket.Snapshot[3] ^= 1 }, snapshot},
		"another block":        {func(g *Genesis) { g.Ticket.Block.AddUint64(&g.Ticket.Block, 1) }, snapshot},
		"an amount":            {func(g *Genesis) { g.Records[1].StaticData[3]++ }, snapshot},
		"a room":               {func(g *Genesis) { g.Records[0].DynamicData[2]++ }, snapshot},
		"the rounds":           {func(g *Genesis) { g.Records[0].StaticData[0]-- }, snapshot},
		"snapshot of another":  {func(g *Genesis) { g.Ticket.Snapshot = SnapshotHash(address(0x31), &g.Ticket.Block, g.Records) }, snapshot},
		"no world":             {func(g *Genesis) { g.World, g.Ticket.World = common.Address{}, common.Address{} }, "a ticket is for a world"},
		"namespace with names": {func(g *Genesis) { g.NamespaceID[31], g.Ticket.NamespaceID[31] = 1, 1 }, `namespaceId is "ns" and 14 bytes of namespace`},
	} {
		g := s.genesis(t, h)
		c.change(&g)
		v := genesis(t, rules, g.raw())
		require.Equal(t, channel.RejectedByModule, v.Status, name)
		require.Equal(t, "raid: "+c.reason, v.Reason, name)
		_, err := g.Input()
		if name != "another module" && name != "other players" { // only Params know
			require.ErrorIs(t, err, ErrTicket, name)
		}
	}

	// Another ticket than the one that the head names, in any word.
	g := s.genesis(t, h)
	for word := range 10 {
		input := g.raw()
		input[headOfGenesis+32*(2+word)-1] ^= 1
		require.Equal(t, "raid: this is not the ticket that the channel names", genesis(t, rules, input).Reason)
	}
}

// Nothing of the input is free: whatever byte changes, the genesis is refused. Only the settlement's address is no concern
// of the module.
func TestAttack29_EveryByteOfTheGenesisCounts(t *testing.T) {
	h := newHost(t)
	s := ticketed(MaxPack)
	rules := s.rules(t, h)
	input := s.input(t, h)
	require.NoError(t, genesis(t, rules, input).Err())
	for i := 32; i < len(input); i++ {
		for _, change := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(input)
			b[i] ^= change
			v := genesis(t, rules, b)
			require.Equal(t, channel.RejectedByModule, v.Status, "byte %d: %s", i, v.Text())
		}
	}
	for _, cut := range []int{0, headOfGenesis, headOfGenesis + 383, headOfGenesis + 384, len(input) - 32, len(input) - 1} {
		require.Equal(t, channel.RejectedByModule, genesis(t, rules, input[:cut]).Status, cut)
	}
	require.Equal(t, "raid: "+wrongSet, genesis(t, rules, append(bytes.Clone(input), make([]byte, 32)...)).Reason)
}

func TestA1_ConfigurationsWithATicket(t *testing.T) {
	h := newHost(t)
	s := ticketed(Pack{})
	rules := s.rules(t, h)
	with := func(config []byte) string {
		g := s.genesis(t, h)
		g.Ticket.ConfigHash = crypto.Keccak256Hash(config)
		return genesis(t, rules, g.input(g.Ticket.ConfigHash, g.Ticket.Hash(), encodeRest(config, *g.Ticket, g.Records))).Reason
	}
	require.Empty(t, with(DungeonConfig(testDungeon)))
	require.Empty(t, with(pack(t, map[string]uint64{"dungeon": testDungeon})), "any width of an integer")
	require.Equal(t, "raid: "+wrongSet, with(DungeonConfig(testDungeon+1)))
	inline, err := DefaultConfig().Encode()
	require.NoError(t, err)
	const shape = "raid: with a ticket the configuration is {dungeon}"
	require.Equal(t, "raid: too many elements", with(inline))
	require.Equal(t, shape, with(pack(t, map[string]any{})))
	require.Equal(t, shape, with(pack(t, map[string]any{"maxRounds": 1})))
	require.Equal(t, "raid: an integer is too large", with(pack(t, map[string]any{"dungeon": uint64(1) << 32})))
	require.Equal(t, "raid: bytes follow the value", with(append(DungeonConfig(testDungeon), 0)))
	require.Equal(t, "raid: the input ends too early", with(nil))

	g := s.genesis(t, h)
	config := DungeonConfig(testDungeon)
	g.Ticket.ConfigHash[0]++
	require.Equal(t, "raid: configHash does not fit the configuration",
		genesis(t, rules, g.input(g.Ticket.ConfigHash, g.Ticket.Hash(), encodeRest(config, *g.Ticket, g.Records))).Reason)
	// Without a ticket there is no dungeon to name.
	require.Equal(t, "raid: too many elements", genesis(t, rules, withConfig(append([]byte{0x83}, config[1:]...))).Reason)
	require.Equal(t, "raid: the configuration is {maxRounds, rooms}", genesis(t, rules, withConfig(config)).Reason)
}

func TestAttack20_PartiesWithATicketAreBounded(t *testing.T) {
	h := newHost(t)
	for heroes, reason := range map[int]string{
		1: "raid: a party is a keeper and 2 to 15 heroes", 2: "", MaxTicketHeroes: "",
		MaxTicketHeroes + 1: "raid: with a ticket a party has at most 6 heroes", 10: "raid: with a ticket a party has at most 6 heroes",
	} {
		s := setup{heroes: heroes, keeper: heroes / 2, assets: 1, config: DefaultConfig(), loot: func(int, Item) uint32 { return 1 }}
		g := s.genesis(t, h)
		rules := s.rulesOf(t, h, g.raw())
		require.Equal(t, reason, genesis(t, rules, g.raw()).Reason)
		_, err := g.Input()
		require.Equal(t, reason == "", err == nil, heroes)
	}
	// Two heroes of one owner could bring the same sword; a keeper may play as well.
	s := setup{heroes: 3, keeper: 1, assets: 1, config: DefaultConfig(), loot: func(int, Item) uint32 { return 1 }}
	for same, reason := range map[[2]int]string{{0, 2}: "raid: with a ticket each hero has an owner of its own", {1, 3}: "", {0, 1}: ""} {
		s.owners = func(seat int) common.Address {
			if seat == same[1] {
				seat = same[0]
			}
			return owner(seat)
		}
		g := s.genesis(t, h)
		require.Equal(t, reason, genesis(t, s.rulesOf(t, h, g.raw()), g.raw()).Reason)
		_, err := g.Input()
		require.Equal(t, reason == "", err == nil)
	}
}
