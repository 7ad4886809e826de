package raid

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata/story.txt")

// The default raid: two heroes and the keeper, in any seat, over many seeds.
func TestU1_RaidsOfBotsEndAndAreWonAndLost(t *testing.T) {
	h := newHost(t)
	outcomes := map[Outcome]int{}
	for seed := range uint64(90) {
		s := defaultSetup()
		s.keeper = int(seed % 3)
		s.assets = 1 + int(seed%2)
		g := newGame(t, h, s, seed)
		for {
			before, raid := g.state, g.raid()
			if !g.step() {
				break
			}
			requireRound(t, raid, g.raid())
			if !g.state.Header.Terminal {
				require.Equal(t, before.Funds, g.state.Funds, "stakes move at the end only")
			}
		}
		end := g.raid()
		require.True(t, end.Over() && g.state.Header.Terminal)
		require.GreaterOrEqual(t, g.events, 60, "seed %d", seed)
		require.LessOrEqual(t, g.events, 120, "seed %d", seed)
		for _, n := range g.state.Header.Nonces {
			require.LessOrEqual(t, n, uint64(MaxEvents))
		}
		require.Equal(t, payouts(g, end), funds(g))
		requireEffects(t, g, end)
		outcomes[end.Outcome]++
	}
	require.GreaterOrEqual(t, outcomes[Won], 20, outcomes)
	require.GreaterOrEqual(t, outcomes[Wiped], 10, outcomes)
	t.Log(outcomes)
}

// requireRound holds the module against the rules in round.go whenever a round has been decided.
func requireRound(t *testing.T, before, after *State) {
	t.Helper()
	if before.Phase != PhaseReveal || after.Phase == PhaseReveal {
		return
	}
	want := before.clone()
	for i := range want.Seats {
		want.Seats[i].Link = after.Seats[i].Link
	}
	want.resolve(after.Seed)
	require.Equal(t, want, after)
}

// Bigger parties, every class, the largest state.
func TestU1_PartiesOfEverySize(t *testing.T) {
	h := newHost(t)
	config := DefaultConfig()
	for len(config.Rooms) < maxRooms {
		config.Rooms = append([]Room{{Kind: Rat, HP: 5, Attack: 1, Item: Potion}}, config.Rooms...)
	}
	config.MaxRounds = maxRounds
	for heroes := 2; heroes <= 15; heroes++ {
		g := newGame(t, h, setup{heroes: heroes, keeper: heroes / 2, assets: 8, beneficiaries: heroes % 9, config: config}, uint64(heroes))
		for raid := g.raid(); g.step(); raid = g.raid() {
			requireRound(t, raid, g.raid())
		}
		require.True(t, g.state.Header.Terminal)
		require.LessOrEqual(t, len(g.state.App), channel.MaxApp)
		require.Equal(t, payouts(g, g.raid()), funds(g))
		requireEffects(t, g, g.raid())
	}
}

// The same seeds give the same journal of states, and the bot goes on from any of them without a memory.
func TestR6_RaidIsDeterministic(t *testing.T) {
	h := newHost(t)
	a, b := newGame(t, h, defaultSetup(), 5), newGame(t, h, defaultSetup(), 5)
	for a.step() {
		b.bots = newGame(t, h, defaultSetup(), 5).bots
		require.True(t, b.step())
		require.Equal(t, a.state.Hash(), b.state.Hash())
	}
}

// Each call starts from the same memory. One page, which is all that there is, does for the largest parties and the longest
// inputs: what is too long to mean anything is refused, and does not trap.
func TestR6_OnePageIsEnough(t *testing.T) {
	h := newHost(t)
	config := Config{MaxRounds: maxRounds}
	for range maxRooms {
		config.Rooms = append(config.Rooms, Room{Kind: Rat, HP: 4, Attack: 1, Item: Potion})
	}
	for _, s := range []setup{
		{heroes: 15, assets: 8, beneficiaries: 8, config: config},
		{heroes: MaxTicketHeroes, assets: 8, beneficiaries: 8, config: config, loot: func(int, Item) uint32 { return 9 }},
	} {
		input := s.input(t, h)
		input = append(input, make([]byte, channel.MaxGenesis-len(input))...)
		require.Equal(t, channel.RejectedByModule, genesis(t, s.rules(t, h), input).Status)
		g := newGame(t, h, s, 1)
		for again := true; again; again = g.step() {
			v := g.try(1, append(Attack(), make([]byte, channel.MaxPayload-len(Attack()))...))
			require.Contains(t, []channel.Status{channel.RejectedByModule, channel.RejectedTerminal}, v.Status, v.Text())
		}
		require.True(t, g.state.Header.Terminal)
		_, v := g.rules.Effects(g.state)
		require.NoError(t, v.Err())
	}
}

func TestU1_Story(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 3)
	g.finish()
	story := strings.Join(g.story, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("testdata/story.txt", []byte(story), 0o644))
	}
	want, err := os.ReadFile("testdata/story.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), story)
}

func TestU1_StoryNamesPlayers(t *testing.T) {
	g := newGame(t, newHost(t), defaultSetup(), 3)
	before := g.state.Bytes()
	payload, ok := g.bots[1].Next(before)
	require.True(t, ok)
	g.must(1, payload)
	lines, err := Describe(before, g.state.Bytes(), 1, payload, []string{"", "émile"})
	require.NoError(t, err)
	require.Equal(t, []string{"Émile the warrior joins and commits to the dice."}, lines)

	_, err = Describe(before, []byte("nonsense"), 1, payload, nil)
	require.ErrorIs(t, err, ErrState)
	_, err = Describe(before, g.state.Bytes(), 9, payload, nil)
	require.ErrorIs(t, err, ErrState)
}
