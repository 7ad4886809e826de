package raid

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

func TestA1_BringingIsBoundedByTheSnapshot(t *testing.T) {
	h := newHost(t)
	s := ticketed(Pack{})
	s.loot = func(seat int, item Item) uint32 {
		return map[int][4]uint32{1: {0, 2, 1, 0}, 2: {0, 9, 0, 3}}[seat][item]
	}
	g := newGame(t, h, s, 1)
	const tooMuch = "you bring more than you owned when the ticket was bought"
	bring := func(v any) []byte {
		return pack(t, map[string]any{"do": "commit", "tip": anyHash[:], "class": "mage", "bring": v})
	}
	g.refused(1, CommitBringing(anyHash, Mage, Pack{Potions: 3}), tooMuch)
	g.refused(1, CommitBringing(anyHash, Mage, Pack{Shields: 1}), tooMuch)
	g.refused(2, CommitBringing(anyHash, Mage, Pack{Potions: 1, Swords: 1}), tooMuch)
	for name, c := range map[string]struct {
		v      any
		reason string
	}{
		"four potions": {map[string]int{"potion": 4}, "an integer is too large"}, "two shields": {map[string]int{"shield": 2}, "an integer is too large"},
		"2^32 + 1": {map[string]uint64{"sword": 1<<32 + 1}, "an integer is too large"},
		"negative": {map[string]int{"potion": -1}, "expected an unsigned integer"},
		"gold":     {map[string]int{"gold": 1}, "item is potion, sword or shield"},
		"list":     {[]string{"potion"}, "expected a map"},
		"too many": {map[string]int{"potion": 1, "sword": 1, "shield": 1, "gold": 1}, "too many elements"},
	} {
		t.Run(name, func(t *testing.T) { g.refused(2, bring(c.v), c.reason) })
	}
	twice := append([]byte{0x84}, pack(t, map[string]any{"do": "commit"})[1:]...)
	twice = append(twice, pack(t, map[string]any{"tip": anyHash[:]})[1:]...)
	twice = append(twice, pack(t, map[string]any{"class": "mage"})[1:]...)
	potion := pack(t, map[string]int{"potion": 1})[1:]
	g.refused(2, append(append(append(twice, pack(t, "bring")...), 0x82), append(potion, potion...)...), "a field appears twice")
	g.refused(0, bring(map[string]int{"potion": 1}), "wrong fields for this move")
	g.refused(0, pack(t, map[string]any{"do": "commit", "tip": anyHash[:], "bring": map[string]int{}}), "wrong fields for this move")

	g.must(1, CommitBringing(anyHash, Mage, Pack{Potions: 2, Swords: 1}))
	g.must(2, bring(map[string]int{"potion": 3, "sword": 0, "shield": 1}))
	raid := g.raid()
	require.Equal(t, Pack{Potions: 2, Swords: 1}, raid.Seats[1].Brought)
	require.Equal(t, [itemCount]uint32{2, 1}, raid.Seats[1].Bag)
	require.Equal(t, Pack{Potions: 3, Shields: 1}, raid.Seats[2].Brought)
	require.Equal(t, [itemCount]uint32{3, 0, 1}, raid.Seats[2].Bag)

	// Nobody owns anything without a ticket, and nobody has to bring anything with one.
	g = newGame(t, h, defaultSetup(), 1)
	g.refused(1, CommitBringing(anyHash, Mage, Pack{Potions: 1}), tooMuch)
	g.must(1, CommitBringing(anyHash, Mage, Pack{}))
	g = newGame(t, h, ticketed(MaxPack), 1)
	g.refused(1, pack(t, map[string]any{"do": "attack", "bring": map[string]int{}}), "first commit to your dice")
	g.must(1, Commit(anyHash, Mage))
	require.Zero(t, g.raid().Seats[1].Brought)
	require.Zero(t, g.raid().Seats[1].Bag)
}

// What a hero brought serves as what it found does, once.
func TestU1_BroughtItemsAreUsed(t *testing.T) {
	g := newGame(t, newHost(t), ticketed(MaxPack), 1)
	for i, bot := range g.bots {
		bot.Pack = MaxPack
		g.bots[i] = bot
	}
	raid := g.until(phase(PhaseAct))
	require.EqualValues(t, 1, raid.Seats[1].Carries(Sword))
	g.must(1, Use(Sword))
	raid = g.until(func(s *State) bool { return s.Round == 2 })
	require.True(t, raid.Seats[1].Wears(Sword))
	require.Zero(t, raid.Seats[1].Carries(Sword))
	require.Equal(t, -1, raid.Seats[1].Net(Sword, Won))
	require.Equal(t, -1, raid.Seats[1].Net(Sword, Wiped))
	require.Equal(t, 0, raid.Seats[1].Net(Potion, Won), "what was not used goes home")
	g.refused(1, Use(Sword), "you do not carry this item")
}

// Raids for a ticket, to every outcome, with a timeout tried on every state: payouts, records and rounds are what the rules say.
func TestAttack20_EveryOutcomeSettlesWhatWasUsed(t *testing.T) {
	h := newHost(t)
	outcomes, lost, kept, won := map[Outcome]int{}, 0, 0, 0
	for seed := range uint64(60) {
		s := setup{heroes: 2 + int(seed%5), keeper: int(seed % 3), assets: 1, config: DefaultConfig()}
		s.loot = func(seat int, item Item) uint32 { return uint32(seed+uint64(seat)*uint64(item)) % 5 }
		if seed%7 == 0 {
			s.config.MaxRounds = 5
		}
		g := newGame(t, h, s, seed)
		for i, bot := range g.bots {
			if bot.Pack = MaxPack; i%2 == 1 {
				bot.Pack = Pack{Potions: uint8(seed % 4)}
			}
		}
		for {
			before := g.raid()
			if next, v := g.rules.Timeout(g.state, g.seq+1, 1_900_000_000); v.Status == channel.Accepted {
				checkTimeout(t, g, before, next)
			}
			if !g.step() {
				break
			}
			requireRound(t, before, g.raid())
		}
		end := g.raid()
		require.Equal(t, payouts(g, end), funds(g))
		requireEffects(t, g, end)
		outcomes[end.Outcome]++
		for _, seat := range end.Seats {
			for item := Potion; item <= Shield; item++ {
				switch net := seat.Net(item, end.Outcome); {
				case net < 0:
					lost++
				case net > 0:
					won++
				case seat.Brought.Count(item) > 0:
					kept++
				}
			}
		}
	}
	require.Positive(t, outcomes[Won], outcomes)
	require.Positive(t, outcomes[Wiped], outcomes)
	require.Positive(t, outcomes[OutOfTime], outcomes)
	t.Logf("%v: %d items lost, %d brought home again, %d won", outcomes, lost, kept, won)
	require.True(t, lost > 20 && kept > 20 && won > 3)
}

// pantry is a party that uses everything it brings: as many losses as there can be.
func pantry(t *testing.T, h channel.Module) *game {
	s := setup{heroes: MaxTicketHeroes, keeper: 2, assets: 1, loot: func(int, Item) uint32 { return 3 }, config: Config{
		MaxRounds: 48, Rooms: []Room{{Kind: Rat, HP: 60, Gold: 5, Item: Gem}, {Kind: Rat, HP: 1, Gold: 5, Item: Scale}},
	}}
	g := newGame(t, h, s, 3)
	for _, bot := range g.bots {
		bot.Pack = MaxPack
	}
	for raid := g.until(phase(PhaseAct)); !raid.Over(); raid = g.raid() {
		seat := raid.Waiting()[0]
		if me := raid.Seats[seat]; raid.Phase == PhaseAct && me.Carries(Potion) > 0 {
			g.must(seat, Use(Potion))
		} else {
			require.True(t, g.step()) // swords and shields first, then the rat
		}
	}
	require.Equal(t, Won, g.raid().Outcome)
	return g
}

// Losses are never dropped: they come first, and the largest party's fit. What is gained falls away instead.
func TestAttack20_LossesAreNeverDropped(t *testing.T) {
	h := newHost(t)
	g := pantry(t, h)
	end := g.raid()
	effects := requireEffects(t, g, end)
	got, want := read(t, effects), gains(t, end)
	losses := 0
	for r, v := range want {
		if v < 0 {
			require.Equal(t, v, got[r])
			losses++
		}
	}
	require.Equal(t, 3*MaxTicketHeroes, losses)
	require.Less(t, len(got), len(want), "there is more to gain than fits")
	for i, e := range effects {
		require.Equal(t, i < losses, signed(e.Data[32:]).Sign() < 0, "effect %d", i)
	}
}

// A state that cannot come from this genesis, with more losses than effects can say: there are no effects at all.
func TestAttack20_MoreLossesThanFitAreNotCut(t *testing.T) {
	h := newHost(t)
	g := newGame(t, h, setup{heroes: 15, assets: 1, config: DefaultConfig()}, 1)
	state := g.state.Bytes()
	app := state[len(state)-len(g.state.App):]
	app[1], app[2] = byte(PhaseOver), byte(Wiped)
	for i := range 16 {
		app[headSize+len(DefaultConfig().Rooms)*roomSize+i*seatSize+51] = 3 | 1<<2 | 1<<3
	}
	r := h.Effects(state)
	require.Equal(t, channel.RejectedByModule, r.Status)
	require.Equal(t, "raid: more is lost than effects can say", r.Reason)
}

var errUnderflow = errors.New("underflow")

// ledger is a World's counters; settle writes all effects or none, as the settlement contract does.
type ledger map[record]int64

func (l ledger) settle(t *testing.T, effects []channel.Effect) error {
	after := ledger{}
	for r, v := range read(t, effects) {
		if after[r] = l[r] + v; after[r] < 0 {
			return errUnderflow
		}
	}
	for r, v := range after {
		l[r] = v
	}
	return nil
}

func TestAttack20_AnItemSoldAfterTheSnapshotAndOneInTwoChannels(t *testing.T) {
	h := newHost(t)
	s := ticketed(Pack{Swords: 1})
	s.config = Config{MaxRounds: 40, Rooms: []Room{{Kind: Rat, HP: 9, Gold: 3}}}
	play := func(seed uint64) []channel.Effect {
		g := newGame(t, h, s, seed)
		for _, bot := range g.bots {
			bot.Pack = MaxPack
		}
		require.Equal(t, Won, g.finish().Outcome)
		return requireEffects(t, g, g.raid())
	}
	sword := func(seat int) record { return record{TableID(Namespace, TableLoot), owner(seat), Sword, 0} }
	world := ledger{sword(1): 1, sword(2): 1}
	a, b := play(1), play(2)
	require.NoError(t, world.settle(t, a))
	require.Zero(t, world[sword(1)])
	gold := world[record{TableID(Namespace, TableLoot), owner(1), Gold, 0}]
	require.EqualValues(t, 3, gold)
	require.ErrorIs(t, world.settle(t, b), errUnderflow, "the same swords in a second channel")
	require.Equal(t, gold, world[record{TableID(Namespace, TableLoot), owner(1), Gold, 0}])

	world = ledger{sword(2): 1} // the warrior has sold its sword
	require.ErrorIs(t, world.settle(t, a), errUnderflow)
	world[sword(1)]++ // and bought one again
	require.NoError(t, world.settle(t, a))
}

// A round's seed is keccak256(ticket's seed ‖ links ‖ round): the ticket's players could not know it when they bought it.
func TestU6_TicketSeedEntersTheDice(t *testing.T) {
	h := newHost(t)
	for _, s := range []setup{ticketed(Pack{}), defaultSetup()} {
		g := newGame(t, h, s, 1)
		for round := uint16(1); round < 4; round++ {
			var links []byte
			raid := g.until(func(s *State) bool { return s.Phase == PhaseReveal && s.Round == round && len(s.Waiting()) == 3 })
			for _, bot := range g.bots {
				link, ok := bot.chain(raid).Link(round)
				require.True(t, ok)
				links = append(links, link[:]...)
			}
			var seed common.Hash
			if s.loot != nil {
				seed = ticketSeed
			}
			raid = g.until(func(s *State) bool { return s.Round > round || s.Over() })
			require.Equal(t, crypto.Keccak256Hash(seed[:], links, binary.LittleEndian.AppendUint32(nil, uint32(round))), raid.Seed)
		}
	}
}

func TestU1_StoryTellsWhatIsBrought(t *testing.T) {
	for pack, want := range map[Pack]string{
		{}: "", {Potions: 1}: " with a potion", {Potions: 3}: " with 3 potions", {Swords: 1, Shields: 1}: " with a sword and a shield",
		{Potions: 2, Swords: 1, Shields: 1}: " with 2 potions, a sword and a shield",
	} {
		g := newGame(t, newHost(t), ticketed(MaxPack), 3)
		before := g.state.Bytes()
		payload := CommitBringing(anyHash, Rogue, pack)
		g.must(1, payload)
		lines, err := Describe(before, g.state.Bytes(), 1, payload, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"Alice the rogue joins" + want + " and commits to the dice."}, lines)
	}
	g := newGame(t, newHost(t), ticketed(MaxPack), 3)
	g.until(phase(PhaseAct))
	require.Equal(t, Pack{Potions: 1}, g.raid().Seats[1].Brought, "a bot brings a potion")
}
