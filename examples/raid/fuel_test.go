package raid

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/stretchr/testify/require"
)

// metered is the module on the engine that counts fuel, and the most that each kind of call took.
type metered struct {
	*derivation.Module
	most map[string]uint64
	call string // the kind of reduce that comes next
}

func newMetered(tb testing.TB) *metered {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	m, err := e.Load(Wasm, derivation.Options{FuelLimit: FuelLimit, PageLimit: PageLimit, MaxEvents: MaxEvents})
	require.NoError(tb, err)
	return &metered{Module: m, most: map[string]uint64{}}
}

func (m *metered) note(call string, r channel.Result) channel.Result {
	m.most[call] = max(m.most[call], r.Fuel)
	return r
}
func (m *metered) Init(input []byte) channel.Result { return m.note("init", m.Module.Init(input)) }
func (m *metered) Reduce(state, event []byte) channel.Result {
	return m.note(m.call, m.Module.Reduce(state, event))
}
func (m *metered) Effects(state []byte) channel.Result {
	return m.note("effects", m.Module.Effects(state))
}

// name says what kind of call the next event of a state is.
func (m *metered) name(s *State) {
	m.call = s.Phase.String()
	if s.Phase == PhaseReveal && len(s.Waiting()) == 1 {
		m.call = "round"
	}
}

// counted is a module that is told what kind of reduce comes next.
type counted interface {
	channel.Module
	name(s *State)
	timeout()
}

func (m *metered) timeout() { m.call = "timeout" }

// playOut plays a raid to its end, with a timeout tried on every state.
func playOut(t *testing.T, m counted, s setup, seed uint64, prepare func(*Bot)) *game {
	g := newGame(t, m, s, seed)
	for _, bot := range g.bots {
		bot.Pack = MaxPack
		prepare(bot)
	}
	for again := true; again; {
		before := g.state
		m.timeout()
		if !g.raid().Over() {
			next, v := g.rules.Timeout(before, g.seq+1, 1_900_000_000)
			require.NoError(t, v.Err())
			_, v = g.rules.Effects(next)
			require.NoError(t, v.Err())
		}
		m.name(g.raid())
		again = g.step()
	}
	_, v := g.rules.Effects(g.state)
	require.NoError(t, v.Err())
	return g
}

// The dearest call of any kind, in the largest parties over the largest dungeons, fits the limit with room to spare.
func TestA9_TheDearestCallsKeepToTheirFuel(t *testing.T) {
	m := newMetered(t)
	config := Config{MaxRounds: maxRounds}
	for range maxRooms {
		config.Rooms = append(config.Rooms, Room{Kind: Rat, HP: 4, Attack: 60, Defence: 1, Item: Shield, Gold: 9})
	}
	outcomes := map[Outcome]int{}
	everything := func(int, Item) uint32 { return 1 << 30 }
	for seed := range uint64(3) {
		for _, s := range []setup{
			{heroes: 15, keeper: 15, assets: 8, beneficiaries: 8, config: config},
			{heroes: 15, keeper: 7, assets: 8, beneficiaries: 8, config: Config{MaxRounds: 9, Rooms: []Room{{Kind: Dragon, HP: 900, Attack: 100}}}},
			{heroes: 6, keeper: 6, assets: 8, beneficiaries: 8, config: config, loot: everything},
			{heroes: 6, keeper: 3, assets: 8, beneficiaries: 8, config: Config{MaxRounds: 48, Rooms: []Room{{Kind: Dragon, HP: 900, Attack: 100}}}, loot: everything},
		} {
			s.stake = func(asset, seat int) uint64 { return ^uint64(0) - uint64(asset*seat) }
			g := playOut(t, m, s, seed, func(b *Bot) { b.Class = Class(1 + seed%4) })
			outcomes[g.raid().Outcome]++
		}
	}
	var text strings.Builder
	for _, call := range slices.Sorted(maps.Keys(m.most)) {
		fmt.Fprintf(&text, "%s %d\n", call, m.most[call])
		require.LessOrEqual(t, m.most[call], uint64(FuelLimit)*5/6, "%s: keep room below the limit", call)
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/fuel.txt", []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/fuel.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), text.String(), "run go test -update, and go test ./examples -update")
	require.Positive(t, outcomes[Won], outcomes)
	require.Positive(t, outcomes[Wiped], outcomes)
}
