package raid

import (
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
)

var anyHash = crypto.Keccak256Hash([]byte("any"))

func pack(t testing.TB, v any) []byte {
	b, err := msgpack.Marshal(v)
	require.NoError(t, err)
	return b
}

func phase(p Phase) func(*State) bool { return func(s *State) bool { return s.Phase == p } }

// Seats of the default raid: 0 the keeper, 1 the warrior, 2 the cleric.
func TestA1_CommitPhase(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	g.refused(1, Attack(), "first commit to your dice")
	g.refused(0, Reveal(anyHash), "first commit to your dice")
	g.refused(0, Commit(anyHash, Mage), "wrong fields for this move")
	g.refused(1, Commit(anyHash, NoClass), "wrong fields for this move")
	g.refused(1, pack(t, map[string]any{"do": "commit", "tip": anyHash[:], "class": "wizard"}), "class is warrior, cleric, rogue or mage")
	g.refused(1, pack(t, map[string]any{"do": "commit", "class": "mage"}), "wrong fields for this move")
	g.refused(1, pack(t, map[string]any{"do": "commit", "tip": anyHash[1:], "class": "mage"}), "expected 32 bytes")
	g.must(1, Commit(anyHash, Rogue))
	g.refused(1, Commit(anyHash, Rogue), "you are done; wait for the others")
	g.refused(1, Commit(crypto.Keccak256Hash([]byte("another")), Rogue), "you are done; wait for the others")
	require.Equal(t, Rogue.MaxHP(), g.raid().Seats[1].HP)
}

func TestA1_ActPhase(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	s := g.until(phase(PhaseAct))
	link, ok := g.bots[1].chain(s).Link(s.Round)
	require.True(t, ok)
	g.refused(1, Reveal(link), "it is not yet time to reveal")
	g.refused(0, Attack(), "the keeper does not fight, it only reveals")
	g.refused(1, Commit(anyHash, Mage), "the dice are committed already")
	g.refused(1, Use(Sword), "you do not carry this item")
	g.refused(1, Use(Gem), "item is potion, sword or shield")
	g.refused(1, Heal(0), "only a living hero can be healed")
	g.refused(1, Heal(3), "only a living hero can be healed")
	g.refused(1, Heal(200), "only a living hero can be healed")
	g.must(1, Heal(2))
	g.refused(1, Attack(), "you are done; wait for the others")
}

func TestA1_RevealPhase(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	s := g.until(phase(PhaseReveal))
	chain := g.bots[1].chain(s)
	link, _ := chain.Link(1)
	later, _ := chain.Link(2)
	other, _ := g.bots[2].chain(s).Link(1)
	const wrong = "this is not the next link of your chain"
	g.refused(1, Attack(), "it is not yet time to act; reveal")
	g.refused(1, Reveal(anyHash), wrong)
	g.refused(1, Reveal(chain.Tip()), wrong)
	g.refused(1, Reveal(later), wrong)
	g.refused(1, Reveal(other), wrong)
	g.must(1, Reveal(link))
	g.refused(1, Reveal(link), "you are done; wait for the others")
	g.refused(1, Reveal(later), "you are done; wait for the others")
	s = g.until(phase(PhaseAct))
	s = g.until(phase(PhaseReveal))
	require.EqualValues(t, 2, s.Round)
	g.refused(1, Reveal(link), wrong)
	g.must(1, Reveal(later))
}

// Who copies another's tip cannot learn its own link from the other's.
func TestU6_CopiedCommitmentCannotBeRevealed(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	s := g.raid()
	tip := g.bots[1].chain(s).Tip()
	g.must(1, Commit(tip, Warrior))
	g.must(2, Commit(tip, Cleric))
	g.must(0, Commit(g.bots[0].chain(s).Tip(), NoClass))
	g.must(1, Attack())
	g.must(2, Attack())
	link, _ := g.bots[1].chain(s).Link(1)
	g.must(1, Reveal(link))
	g.refused(2, Reveal(link), "this is not the next link of your chain")
}

// Every reveal changes the dice: none alone decides them.
func TestU6_SeedDependsOnEveryReveal(t *testing.T) {
	h := newHost(t)
	seeds := map[common.Hash]bool{}
	for changed := -1; changed < 3; changed++ {
		g := newGame(t, h, defaultSetup(), 1)
		if changed >= 0 {
			g.bots[changed] = NewBot(uint8(changed), anyHash)
		}
		seeds[g.until(func(s *State) bool { return s.Round == 2 }).Seed] = true
	}
	require.Len(t, seeds, 4)
}

func TestA1_DeadHeroesOnlyReveal(t *testing.T) {
	h := newHost(t)
	s := setup{heroes: 3, assets: 1, config: Config{MaxRounds: 40, Rooms: []Room{{Kind: Dragon, HP: 900, Attack: 40}}}}
	g := newGame(t, h, s, 1)
	raid := g.until(func(s *State) bool { return s.Phase == PhaseAct && s.Living() < 3 })
	dead, alive := 0, 0
	for i, seat := range raid.Seats {
		if seat.IsHero && !seat.Alive() {
			dead = i
		} else if seat.IsHero {
			alive = i
		}
	}
	require.False(t, raid.Seats[dead].Pending)
	g.refused(dead, Attack(), "the dead do not act, they only reveal")
	g.refused(alive, Heal(uint8(dead)), "only a living hero can be healed")
	raid = g.until(phase(PhaseReveal))
	require.True(t, raid.Seats[dead].Pending)
	link, _ := g.bots[dead].chain(raid).Link(raid.Round)
	g.must(dead, Reveal(link))
	require.Equal(t, Wiped, g.finish().Outcome)
}

func TestA1_ItemsAreUsedByTheirOwnerOnce(t *testing.T) {
	h := newHost(t)
	s := setup{heroes: 2, assets: 1, config: Config{MaxRounds: 40, Rooms: []Room{
		{Kind: Rat, HP: 1, Item: Sword}, {Kind: Rat, HP: 1, Item: Potion}, {Kind: Troll, HP: 400, Attack: 1},
	}}}
	for seed := uint64(0); ; seed++ {
		g := newGame(t, h, s, seed)
		raid := g.until(func(s *State) bool { return s.Phase == PhaseAct && s.Room == 2 })
		if raid.Seats[1].Carries(Sword) == 0 && !raid.Seats[1].Wears(Sword) || raid.Seats[1].Carries(Potion) == 0 {
			continue // found by the other hero
		}
		g.refused(2, Use(Sword), "you do not carry this item")
		if !raid.Seats[1].Wears(Sword) {
			g.must(1, Use(Sword))
			raid = g.until(func(s *State) bool { return s.Round == raid.Round+1 })
		}
		require.True(t, raid.Seats[1].Wears(Sword))
		require.Zero(t, raid.Seats[1].Carries(Sword), "a sword that is taken up wears out")
		g.refused(1, Use(Sword), "you do not carry this item")
		g.must(1, Use(Potion))
		raid = g.until(func(s *State) bool { return s.Round == raid.Round+1 })
		require.Zero(t, raid.Seats[1].Carries(Potion))
		g.refused(1, Use(Potion), "you do not carry this item")
		return
	}
}

func TestA1_MalformedPayloads(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	g.until(phase(PhaseAct))
	wide := []byte{0x82, 0xa2, 'd', 'o', 0xa4, 'h', 'e', 'a', 'l', 0xa2, 'o', 'n'}
	for name, c := range map[string]struct {
		payload []byte
		reason  string
	}{
		"empty":              {nil, "the input ends too early"},
		"no map":             {pack(t, "attack"), "expected a map"},
		"nil":                {[]byte{0xc0}, "expected a map"},
		"no verb":            {pack(t, map[string]any{}), "do is commit, attack, defend, heal, use or reveal"},
		"only a field":       {pack(t, map[string]any{"item": "sword"}), "do is commit, attack, defend, heal, use or reveal"},
		"unknown verb":       {pack(t, map[string]any{"do": "dance"}), "do is commit, attack, defend, heal, use or reveal"},
		"verb no string":     {pack(t, map[string]any{"do": 1}), "expected a string"},
		"unknown field":      {pack(t, map[string]any{"do": "attack", "hard": true}), "unknown field"},
		"field of another":   {pack(t, map[string]any{"do": "attack", "on": 1}), "wrong fields for this move"},
		"field missing":      {pack(t, map[string]any{"do": "heal"}), "wrong fields for this move"},
		"item number":        {pack(t, map[string]any{"do": "use", "item": 2}), "expected a string"},
		"on text":            {pack(t, map[string]any{"do": "heal", "on": "bob"}), "expected an unsigned integer"},
		"on negative":        {append(wide[:len(wide):len(wide)], 0xff), "expected an unsigned integer"},
		"on negative wide":   {append(wide[:len(wide):len(wide)], 0xd1, 0xff, 0xff), "expected an unsigned integer"},
		"on float":           {pack(t, map[string]any{"do": "heal", "on": 1.0}), "expected an unsigned integer"},
		"on too large":       {pack(t, map[string]any{"do": "heal", "on": uint64(1 << 40)}), "an integer is too large"},
		"on cut":             {append(wide[:len(wide):len(wide)], 0xcd, 0), "the input ends too early"},
		"key no string":      {[]byte{0x81, 1, 1}, "expected a string"},
		"twice":              {append([]byte{0x82}, append(pack(t, map[string]any{"do": "attack"})[1:], pack(t, map[string]any{"do": "attack"})[1:]...)...), "a field appears twice"},
		"field twice":        {append([]byte{0x83}, append(pack(t, map[string]any{"item": "sword"})[1:], append(pack(t, map[string]any{"item": "sword"})[1:], pack(t, map[string]any{"do": "use"})[1:]...)...)...), "a field appears twice"},
		"trailing bytes":     {append(Attack(), 0), "bytes follow the value"},
		"cut":                {Attack()[:5], "the input ends too early"},
		"too many":           {append([]byte{0x8f}, make([]byte, 64)...), "too many elements"},
		"map32 of 4 billion": {[]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, "too many elements"},
		"str32 of 4 billion": {[]byte{0x81, 0xdb, 0xff, 0xff, 0xff, 0xff}, "the input ends too early"},
	} {
		t.Run(name, func(t *testing.T) { g.refused(1, c.payload, c.reason) })
	}
}

// Any MessagePack library will do: what matters is the value, not its width or the order of keys.
func TestR5_EveryWidthOfAValueIsTheSame(t *testing.T) {
	h := newHost(t)
	for _, on := range []any{uint8(2), uint16(2), uint32(2), uint64(2), int8(2), int16(2), int32(2), int64(2)} {
		g := newGame(t, h, defaultSetup(), 1)
		g.until(phase(PhaseAct))
		g.must(1, pack(t, map[string]any{"on": on, "do": "heal"}))
		require.EqualValues(t, 2, g.raid().Seats[1].Target)
	}
	g := newGame(t, h, defaultSetup(), 1)
	g.until(phase(PhaseAct))
	g.must(1, []byte{0xdf, 0, 0, 0, 1, 0xdb, 0, 0, 0, 2, 'd', 'o', 0xda, 0, 6, 'a', 't', 't', 'a', 'c', 'k'})
	require.Equal(t, ActAttack, g.raid().Seats[1].Action)
}

func TestA1_NothingAfterTheEnd(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	g.finish()
	require.Equal(t, channel.RejectedTerminal, g.try(1, Attack()).Status)
	event := append(make([]byte, 32), Attack()...)
	shape := g.rules.Shape()
	event[1], event[2], event[3], event[4] = 1, byte(shape.Participants), byte(shape.Assets), byte(shape.Holders())
	for kind := byte(0); kind < 3; kind++ {
		event[0] = kind
		res := h(g).Reduce(g.state.Bytes(), event)
		require.Equal(t, channel.RejectedByModule, res.Status)
		require.Equal(t, "raid: the raid is over", res.Reason)
	}
}

func h(g *game) channel.Module { return g.rules.Module }

// The module relies on nothing that the shell checks before it.
func TestAttack29_ForeignStatesAndEvents(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 1)
	state := g.state.Bytes()
	event := append(make([]byte, 32), Commit(anyHash, Mage)...)
	event[1], event[2], event[3], event[4] = 1, 3, 1, 3
	require.Equal(t, channel.Accepted, h(g).Reduce(state, event).Status)
	for name, change := range map[string]func(s, e []byte) ([]byte, []byte){
		"no event":      func(s, e []byte) ([]byte, []byte) { return s, nil },
		"cut event":     func(s, e []byte) ([]byte, []byte) { return s, e[:31] },
		"no state":      func(s, e []byte) ([]byte, []byte) { return nil, e },
		"cut state":     func(s, e []byte) ([]byte, []byte) { return s[:len(s)-1], e },
		"longer state":  func(s, e []byte) ([]byte, []byte) { return append(s, 0), e },
		"version":       func(s, e []byte) ([]byte, []byte) { s[len(s)-len(g.state.App)] = 9; return s, e },
		"more seats":    func(s, e []byte) ([]byte, []byte) { e[2] = 4; return s, e },
		"more assets":   func(s, e []byte) ([]byte, []byte) { e[3] = 255; return s, e },
		"fewer columns": func(s, e []byte) ([]byte, []byte) { e[4] = 2; return s, e },
		"no such seat":  func(s, e []byte) ([]byte, []byte) { e[1] = 3; return s, e },
	} {
		s, e := change(append([]byte(nil), state...), append([]byte(nil), event...))
		res := h(g).Reduce(s, e)
		require.Equal(t, channel.RejectedByModule, res.Status, name)
		require.True(t, strings.HasPrefix(res.Reason, "raid: "), res.Reason)
	}
}
