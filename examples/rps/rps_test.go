package rps

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/internal/table"
)

const namespace = "arcade"

func setup(bestOf uint8) play.Setup {
	return play.Setup{Seats: 2, Assets: 1, World: play.World(namespace), Config: Config{BestOf: bestOf}}
}

func secret(seed uint64, seat int) common.Hash {
	return crypto.Keccak256Hash(fmt.Appendf(nil, "%d/%d", seed, seat))
}

func game(t testing.TB, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return gameOn(t, play.Load(t, "rps", Wasm), s, seed, fuel)
}

func gameOn(t testing.TB, m channel.Module, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return play.New(t, m, s, []play.Player{NewBot(0, secret(seed, 0)), NewBot(1, secret(seed, 1))}, fuel)
}

func decode(g *play.Game) *State {
	s, err := Decode(g.State.Bytes())
	require.NoError(g.TB, err)
	return s
}

// kind names a call in the table of fuel.
func kind(payload []byte) string { return string(payload[2 : 2+payload[1]&31]) }

// model is the match as README.md says it, from the hands alone.
func model(bestOf int, hand func(round, seat int) int) (wins [2]int, rounds int, winner int) {
	for rounds < 3*bestOf+2 && wins[0] <= bestOf/2 && wins[1] <= bestOf/2 {
		switch (hand(rounds, 0) - hand(rounds, 1) + 3) % 3 {
		case 1:
			wins[0]++
		case 2:
			wins[1]++
		}
		rounds++
	}
	switch {
	case wins[0] > wins[1]:
		return wins, rounds, 0
	case wins[1] > wins[0]:
		return wins, rounds, 1
	}
	return wins, rounds, -1
}

func TestU4_MatchesOfBots(t *testing.T) {
	fuel := map[string]uint64{}
	outcomes, total, most := map[Outcome]int{}, 0, 0
	matches := play.Long(150)
	for seed := range uint64(matches) {
		s := setup([]uint8{3, 1, 3, 9}[seed%4])
		s.Assets, s.Beneficiaries, s.Sequencer = int(seed%3), int(seed%2), int(seed/2%2)
		if seed%50 == 49 {
			s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		}
		g := game(t, s, seed, fuel)
		g.Finish(200, kind)
		end := decode(g)
		wins, rounds, winner := model(int(end.BestOf), func(r, seat int) int { return int(table.Mix(secret(seed, seat), uint32(r)) % 3) })
		require.Equal(t, wins, [2]int{int(end.Wins[0]), int(end.Wins[1])})
		require.EqualValues(t, rounds, end.Round)
		for a := range s.Assets {
			for p := range 2 {
				want := uint64(1_000_003 + 17*p + 1009*a)
				if winner >= 0 {
					want = uint64(2_000_006 + 17 + 2*1009*a)
				}
				if winner == 1-p {
					want = 0
				}
				require.Equal(t, want, g.Holds(a, p))
			}
		}
		requireRecords(t, g, end, winner)
		outcomes[end.Outcome]++
		if end.BestOf == 3 {
			total += g.Payload
			most = max(most, g.Payload)
		}
		for _, n := range g.State.Header.Nonces {
			require.LessOrEqual(t, n, uint64(44), "maxEvents of the manifest")
		}
	}
	require.Greater(t, outcomes[Won0], 20)
	require.Greater(t, outcomes[Won1], 20)
	require.Less(t, most, 1024)
	t.Logf("outcomes %v, payload of best of 3: mean %d, most %d bytes", outcomes, total/(matches/2), most)
	for name, how := range map[string]func() *play.Game{"timeout": func() *play.Game {
		s := setup(9)
		s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		g := game(t, s, 1, fuel)
		g.Step(kind)
		return g.Timeout(play.StartTime + 9999)
	}} {
		require.True(t, how().State.Header.Terminal, name)
	}
	play.FuelTable(t, fuel)
}

func requireRecords(t *testing.T, g *play.Game, end *State, winner int) {
	t.Helper()
	want := map[string]int64{}
	for p := range 2 {
		field := 3
		if winner == p {
			field = 1
		} else if winner == 1-p {
			field = 2
		}
		want[fmt.Sprintf("RpsRanking/%d/0/0", p)] = 1
		want[fmt.Sprintf("RpsRanking/%d/0/%d", p, field)] = 1
		if end.Wins[p] > 0 {
			want[fmt.Sprintf("RpsRanking/%d/0/4", p)] = int64(end.Wins[p])
		}
	}
	require.Equal(t, want, g.Records(namespace))
}

// The longest best of three: every round a draw. Its whole journal has less than a kilobyte of payload.
func TestU4_LongestMatchIsBelowOneKilobyte(t *testing.T) {
	g := game(t, setup(3), 1, nil)
	for round := range 11 {
		leader := round & 1
		key := table.Key(secret(1, leader), uint32(round), uint8(Paper))
		g.Must("hide", leader, HideHand(uint8(leader), key))
		g.Must("hand", 1-leader, ShowHand(Paper))
		g.Must("key", leader, OpenHand(key))
	}
	require.Equal(t, Drawn, decode(g).Outcome)
	require.Equal(t, 946, g.Payload)
	require.EqualValues(t, 33, g.Seq)
	require.Equal(t, g.Holds(0, 0)+17, g.Holds(0, 1))
	requireRecords(t, g, decode(g), -1)
}

func TestR6_GoldenMatch(t *testing.T) {
	g := play.BothEngines(t, "rps", Wasm, func(m channel.Module, fuel map[string]uint64) *play.Game {
		g := gameOn(t, m, setup(5), 7, fuel)
		g.Finish(100, kind)
		return g
	})
	play.Golden(t, "final.txt", fmt.Sprintf("%d events\n%s\n", g.Seq, g.State.Hash()))
}

func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) { play.BuiltFromSource(t, "rps", Wasm) }

// Who owes a move when time is out loses: the leader too who does not like the answer.
func TestU4_SilenceLoses(t *testing.T) {
	g := game(t, setup(3), 3, nil)
	off := g.Timeout(play.StartTime + 4000)
	require.Equal(t, CalledOff, decode(off).Outcome)
	require.Equal(t, g.State.Funds, off.State.Funds)
	require.Empty(t, off.Records(namespace))
	pot := g.Holds(0, 0) + g.Holds(0, 1)
	for {
		if _, ok := g.Step(kind); !ok || decode(g).Phase == Over {
			return
		}
		owing := 0
		if decode(g).Owes(1) {
			owing = 1
		}
		late := g.Timeout(play.StartTime + 4000)
		end := decode(late)
		require.Equal(t, Won0+Outcome(1-owing), end.Outcome)
		require.EqualValues(t, 1<<owing, end.Silent)
		require.Equal(t, pot, late.Holds(0, 1-owing))
		require.EqualValues(t, 1, late.Records(namespace)[fmt.Sprintf("RpsRanking/%d/0/2", owing)])
	}
}

func TestA1_Refusals(t *testing.T) {
	g := game(t, setup(3), 1, nil)
	key := table.Key(secret(1, 0), 0, uint8(Rock))
	const moves = "a move is {hide}, {hand} or {key}"
	g.Cases(0, map[string]play.Case{
		"empty":      {nil, "the input ends too early"},
		"no map":     {table.Payload("rock"), "expected a map"},
		"two keys":   {table.Payload(map[string]int{"hand": 1, "key": 1}), "too many elements"},
		"no keys":    {table.Payload(map[string]int{}), moves},
		"unknown":    {table.Payload(map[string]int{"foot": 1}), moves},
		"short hide": {table.Payload(map[string][]byte{"hide": key[1:]}), "expected 32 bytes"},
		"trailing":   {append(HideHand(0, key), 0), "bytes follow the value"},
		"answer now": {ShowHand(Rock), "hide your hand first"},
		"open now":   {OpenHand(key), "hide your hand first"},
		"negative":   {table.Payload(map[string]int{"hand": -1}), "expected an unsigned integer"},
	})
	g.Refused(1, HideHand(1, key), "it is not your turn; wait for the other")
	require.Equal(t, channel.RejectedAuthor, g.Try(2, ShowHand(Rock)).Status)
	g.Must("hide", 0, HideHand(0, key))
	g.Refused(0, HideHand(0, key), "it is not your turn; wait for the other")
	g.Refused(0, OpenHand(key), "it is not your turn; wait for the other")
	g.Refused(1, HideHand(1, key), "answer with your hand")
	g.Refused(1, ShowHand(3), "a hand is 0 rock, 1 paper or 2 scissors")
	g.Must("hand", 1, ShowHand(Paper))
	g.Refused(1, ShowHand(Scissors), "it is not your turn; wait for the other")
	g.Refused(0, OpenHand(table.Key(secret(1, 0), 0, uint8(Scissors))), "this key does not open what you hid")
	g.Refused(0, ShowHand(Scissors), "open what you hid")
	g.Must("key", 0, OpenHand(key))
	require.Equal(t, [2]uint8{0, 1}, decode(g).Wins)

	// A leader that hid no hand cannot open it, and loses by silence.
	bad := table.Key(secret(1, 1), 1, 7)
	g.Must("hide", 1, HideHand(1, bad))
	g.Must("hand", 0, ShowHand(Rock))
	g.Refused(1, OpenHand(bad), "a hand is 0 rock, 1 paper or 2 scissors")
	require.Equal(t, Won0, decode(g.Timeout(play.StartTime+9999)).Outcome)
}

// Who copies another's commitment can never open it.
func TestU6_CopiedCommitmentCannotBeOpened(t *testing.T) {
	g := game(t, setup(3), 1, nil)
	key := table.Key(secret(1, 0), 0, uint8(Rock))
	g.Must("hide", 0, HideHand(0, key))
	g.Must("hand", 1, ShowHand(Rock))
	g.Must("key", 0, OpenHand(key))
	g.Must("hide", 1, HideHand(0, key))
	g.Must("hand", 0, ShowHand(Rock))
	g.Refused(1, OpenHand(key), "this key does not open what you hid")
}

func TestA1_NothingAfterTheEnd(t *testing.T) {
	g := game(t, setup(1), 2, nil)
	g.Finish(50, kind)
	require.Equal(t, channel.RejectedTerminal, g.Try(0, ShowHand(Rock)).Status)
	event := append([]byte{0, 0, 2, 1, 2}, make([]byte, 27)...)
	r := g.Rules.Module.Reduce(g.State.Bytes(), append(event, ShowHand(Rock)...))
	require.Equal(t, "rps: the game is over", r.Reason)
}

func TestAttack29_ForeignStatesAndEvents(t *testing.T) {
	play.Foreign(game(t, setup(3), 1, nil), HideHand(0, common.Hash{}))
}

func TestAttack11_TopUps(t *testing.T) {
	g := game(t, setup(3), 2, nil)
	require.NoError(t, g.TopUp(1, 0, 500).Err())
	g.Step(kind)
	require.Equal(t, "rps: the match has begun; stakes are fixed", g.TopUp(0, 0, 500).Reason)
	g.Finish(50, kind)
}

func TestA1_GenesisRefused(t *testing.T) {
	m := play.Load(t, "rps", Wasm)
	const shape, odd = "the configuration is {bestOf}", "bestOf is 1, 3, 5, 7 or 9"
	play.ErrorsAt(t, m, setup(3), map[string]play.GenesisCase{
		"even": {map[string]int{"bestOf": 2}, odd}, "zero": {map[string]int{"bestOf": 0}, odd},
		"eleven": {map[string]int{"bestOf": 11}, "an integer is too large"}, "other": {map[string]int{"best": 3}, shape},
		"none": {map[string]int{}, shape}, "more": {map[string]int{"bestOf": 3, "x": 1}, "too many elements"},
	})
	three := setup(3)
	three.Seats = 3
	play.ErrorsAt(t, m, three, map[string]play.GenesisCase{"three": {Config{3}, "wrong number of participants for this game"}})
	other := setup(3)
	other.World.NamespaceID[0] = 'x'
	play.ErrorsAt(t, m, other, map[string]play.GenesisCase{"namespace": {Config{3}, `namespaceId is "ns" and 14 bytes of namespace`}})
	for n := range uint8(12) {
		_, err := Genesis{Config: Config{n}}.Input()
		require.Equal(t, n%2 == 1 && n <= 9, err == nil)
	}
}

// Any payload by anyone at any time is accepted by the rules or refused by them.
func FuzzPayload(f *testing.F) {
	var stages []*play.Game
	g := game(f, setup(3), 1, nil)
	for range 7 {
		stages = append(stages, g.Fork())
		g.Step(kind)
	}
	key := table.Key(common.Hash{}, 0, 0)
	for stage := range byte(7) {
		for seat := range byte(2) {
			for _, p := range [][]byte{HideHand(seat, key), ShowHand(Rock), OpenHand(key), nil} {
				f.Add(stage, seat, p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, stage, seat byte, payload []byte) {
		g := stages[int(stage)%len(stages)].Fork()
		g.TB, g.Fuel = t, map[string]uint64{}
		play.NoTrap(t, g.Try(int(seat), payload))
		decode(g)
	})
}

func FuzzDecode(f *testing.F) {
	g := game(f, setup(3), 1, nil)
	for range 7 {
		f.Add(g.State.Bytes())
		g.Step(kind)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		if _, err := Decode(state); err != nil {
			require.ErrorIs(t, err, table.ErrState)
			return
		}
		for seat := range uint8(2) {
			NewBot(seat, common.Hash{}).Next(state)
		}
	})
}
