package duel

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/internal/table"
)

const namespace = "arena"

func config(a, b Class, ra, rb uint16) Config {
	return Config{Rounds: 30, K: 32, Fighters: [2]Fighter{{Class: a, Rating: ra}, {Class: b, Rating: rb}}}
}

func setup(c Config) play.Setup {
	return play.Setup{Seats: 2, Assets: 1, World: play.World(namespace), Config: c}
}

func secret(seed uint64, seat int) common.Hash {
	return crypto.Keccak256Hash(fmt.Appendf(nil, "%d/%d", seed, seat))
}

func game(t testing.TB, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return gameOn(t, play.Load(t, "duel", Wasm), s, seed, fuel)
}

func gameOn(t testing.TB, m channel.Module, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return play.New(t, m, s, []play.Player{NewBot(0, secret(seed, 0)), NewBot(1, secret(seed, 1))}, fuel)
}

func decode(g *play.Game) *State {
	s, err := Decode(g.State.Bytes())
	require.NoError(g.TB, err)
	return s
}

func kind(payload []byte) string { return string(payload[2 : 2+payload[1]&31]) }

// model plays one round as README.md says it, from the two keys.
func model(s State, keys [2]common.Hash) State {
	seed := crypto.Keccak256(keys[0][:], keys[1][:], binary.LittleEndian.AppendUint32(nil, uint32(s.Round)))
	stats := [...][4]int{{62, 9, 4, 20}, {54, 9, 3, 17}, {50, 12, 2, 19}, {56, 10, 3, 19}}
	var hurt [2]int
	for i := range 2 {
		d := crypto.Keccak256(seed, binary.LittleEndian.AppendUint32(nil, uint32(i)))
		d20, d6 := int(binary.LittleEndian.Uint32(d)%20)+1, int(binary.LittleEndian.Uint32(d[4:])%6)+1
		mine, theirs := Action(keys[i][31]), Action(keys[1-i][31])
		me, foe := stats[s.Fighter[i].Class], stats[s.Fighter[1-i].Class]
		h := 0
		switch {
		case mine == Guard && theirs == Strike, mine == Feint && theirs == Focus:
			hurt[i] = d6
			continue
		case mine == Strike && theirs == Guard:
			h = me[1] + d6 + 7*int(s.Fighter[i].Charge) - foe[2] - 6
		case mine == Strike:
			h = me[1] + d6 + 7*int(s.Fighter[i].Charge) - foe[2]
		case mine == Feint && theirs == Guard:
			h = me[1] + d6 + 7*int(s.Fighter[i].Charge) + 4
		default:
			continue
		}
		h = max(h, 1)
		if d20 >= me[3] {
			h *= 2
		}
		if d20 != 1 {
			hurt[i] = h
		}
	}
	for i := range 2 {
		f, foe := &s.Fighter[i], &s.Fighter[1-i]
		taken := min(hurt[i], int(foe.HP))
		foe.HP -= uint16(taken)
		f.Dealt += uint32(taken)
		f.Key = keys[i]
		f.Last = keys[i][31] + 1
		if Action(keys[i][31]) == Focus {
			f.Charge = min(f.Charge+1, 2)
		} else {
			f.Charge = 0
		}
	}
	s.Round++
	s.Seed = common.Hash(seed)
	share := func(i int) int { return int(s.Fighter[i].HP) * int(s.Fighter[1-i].Class.MaxHP()) }
	done := s.Fighter[0].HP == 0 || s.Fighter[1].HP == 0 || s.Round == s.Rounds
	s.Phase = Hide
	if done {
		s.Phase = Over
		switch {
		case share(0) > share(1):
			s.Outcome = Won0
		case share(0) < share(1):
			s.Outcome = Won1
		default:
			s.Outcome = Drawn
		}
	}
	s.Head = nil
	return s
}

// gains is what the rating of seat 0 changes by, with Elo's formula in floating point.
func gains(s *State) float64 {
	score := map[Outcome]float64{Won0: 1, Won1: 0, Drawn: 0.5}[s.Outcome]
	d := math.Max(-800, math.Min(800, float64(s.Fighter[1].Rating)-float64(s.Fighter[0].Rating)))
	return float64(s.K) * (score - 1/(1+math.Pow(10, d/400)))
}

func requireRecords(t *testing.T, g *play.Game) {
	t.Helper()
	end := decode(g)
	got := g.Records(namespace)
	delta := got["DuelRanking/0/0/0"]
	require.Equal(t, -delta, got["DuelRanking/1/0/0"], "what one gains the other loses")
	want := gains(end)
	if want < 0 && float64(end.Fighter[0].Rating) < -want {
		want = -float64(end.Fighter[0].Rating)
	} else if want > 0 && float64(end.Fighter[1].Rating) < want {
		want = float64(end.Fighter[1].Rating)
	}
	require.InDelta(t, want, float64(delta), 0.6, "%+v", end)
	for i := range 2 {
		require.GreaterOrEqual(t, int64(end.Fighter[i].Rating)+got[fmt.Sprintf("DuelRanking/%d/0/0", i)], int64(0))
		require.EqualValues(t, 1, got[fmt.Sprintf("DuelRanking/%d/0/1", i)])
		require.EqualValues(t, end.Fighter[i].Dealt, got[fmt.Sprintf("DuelRanking/%d/0/5", i)])
		field := 3
		if end.Outcome == Drawn {
			field = 4
		} else if end.Outcome == Won0+Outcome(i) {
			field = 2
		}
		for f := 2; f <= 4; f++ {
			require.Equal(t, f == field, got[fmt.Sprintf("DuelRanking/%d/0/%d", i, f)] == 1)
		}
	}
}

func TestU2_DuelsOfBots(t *testing.T) {
	fuel := map[string]uint64{}
	outcomes, wins := map[Outcome]int{}, map[Class]int{}
	for seed := range uint64(play.Long(160)) {
		a, b := Class(seed%4), Class(seed/4%4)
		c := config(a, b, uint16(seed*131%4001), uint16(seed*977%4001))
		if seed%3 == 0 {
			c.Fighters[1].Rating = min(c.Fighters[0].Rating+uint16(seed), 4000)
		}
		if seed%7 == 0 {
			c.Fighters[0].Rating = uint16(seed % 5)
		}
		if seed%11 == 0 {
			c.Rounds = 3
		}
		s := setup(c)
		s.Assets, s.Beneficiaries, s.Sequencer = int(seed%3), int(seed%2), int(seed/2%2)
		if seed%50 == 49 {
			s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		}
		g := game(t, s, seed, fuel)
		for {
			before := decode(g)
			if _, ok := g.Step(kind); !ok {
				break
			}
			after := decode(g)
			if after.Round == before.Round {
				continue
			}
			want := model(*before, [2]common.Hash{after.Fighter[0].Key, after.Fighter[1].Key})
			got := *after
			got.Head = nil
			require.Equal(t, want, got)
		}
		end := decode(g)
		require.True(t, g.State.Header.Terminal)
		for asset := range s.Assets {
			for p := range 2 {
				want := uint64(1_000_003 + 17*p + 1009*asset)
				if end.Outcome == Won0+Outcome(p) {
					want = uint64(2_000_006 + 17 + 2*1009*asset)
				} else if end.Outcome != Drawn {
					want = 0
				}
				require.Equal(t, want, g.Holds(asset, p))
			}
		}
		requireRecords(t, g)
		outcomes[end.Outcome]++
		if a != b && end.Outcome != Drawn {
			wins[[]Class{a, b}[end.Outcome-Won0]]++
		}
		for _, n := range g.State.Header.Nonces {
			require.LessOrEqual(t, n, uint64(97), "maxEvents of the manifest")
		}
	}
	t.Log(outcomes, "wins by class", wins)
	require.Greater(t, outcomes[Won0], 30)
	require.Greater(t, outcomes[Won1], 30)
	require.Greater(t, outcomes[Drawn], 0)
	for c := range Monk + 1 {
		require.Greater(t, wins[c], 8, "no class is hopeless")
	}
	s := setup(config(Knight, Mage, 1500, 1500))
	s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
	g := game(t, s, 1, fuel)
	g.Step(kind)
	g.Step(kind)
	g.Step(kind)
	g.Timeout(play.StartTime + 9999)
	g.Must("yield", 0, Yield())
	play.FuelTable(t, fuel)
}

// Elo over every difference of ratings and every outcome, within rounding of the formula.
func TestU2_EloIsWithinRoundingOfTheFormula(t *testing.T) {
	for _, k := range []uint8{0, 1, 16, 32, 64} {
		for _, d := range []uint16{0, 1, 12, 13, 24, 25, 26, 99, 100, 137, 200, 333, 400, 512, 799, 800, 801, 2000} {
			for _, better := range []int{0, 1} {
				for _, who := range []int{0, 1, 2} {
					c := config(Knight, Rogue, 2000, 2000)
					c.K = k
					c.Fighters[better].Rating += d
					g := game(t, setup(c), 1, nil)
					if who < 2 {
						g.Must("yield", 1-who, Yield())
					} else { // nobody moves any more: drawn
						for range 4 {
							g.Step(kind)
						}
						g = g.Timeout(play.StartTime + 9999)
						require.Equal(t, Drawn, decode(g).Outcome)
					}
					delta := g.Records(namespace)["DuelRanking/0/0/0"]
					require.InDelta(t, gains(decode(g)), float64(delta), 0.55, "k %d, difference %d, better %d, won by %d", k, d, better, who)
				}
			}
		}
	}
}

func TestU2_RatingsStayAboveZero(t *testing.T) {
	g := game(t, setup(config(Knight, Rogue, 3, 5)), 1, nil)
	g.Must("yield", 0, Yield())
	require.EqualValues(t, -3, g.Records(namespace)["DuelRanking/0/0/0"])
}

func TestR6_GoldenDuel(t *testing.T) {
	g := play.BothEngines(t, "duel", Wasm, func(m channel.Module, fuel map[string]uint64) *play.Game {
		g := gameOn(t, m, setup(config(Rogue, Monk, 1400, 1525)), 7, fuel)
		g.Finish(200, kind)
		return g
	})
	play.Golden(t, "final.txt", fmt.Sprintf("%d events, %d bytes of payload\n%s\n", g.Seq, g.Payload, g.State.Hash()))
}

func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) { play.BuiltFromSource(t, "duel", Wasm) }

// Who is silent alone has lost: the one too who has seen the other's key and dislikes the round.
func TestU2_SilenceLoses(t *testing.T) {
	g := game(t, setup(config(Mage, Monk, 1500, 1500)), 3, nil)
	for {
		late := g.Timeout(play.StartTime + 9999)
		end, now := decode(late), decode(g)
		switch {
		case now.Round == 0 && now.Phase == Hide:
			require.Equal(t, CalledOff, end.Outcome)
			require.Empty(t, late.Records(namespace))
		case now.Pending == 3:
			require.Equal(t, Drawn, end.Outcome)
			require.Equal(t, g.State.Funds, late.State.Funds)
		default:
			loser := 0
			if now.Owes(1) {
				loser = 1
			}
			require.Equal(t, Won0+Outcome(1-loser), end.Outcome)
			require.Zero(t, late.Holds(0, loser))
			requireRecords(t, late)
		}
		if now.Outcome == Undecided {
			require.Equal(t, now.Pending&3, end.Silent|map[bool]uint16{true: now.Pending}[end.Outcome == CalledOff])
		}
		g.Step(kind)
		if g.State.Header.Terminal {
			return
		}
	}
}

func TestA1_Refusals(t *testing.T) {
	g := game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	key := table.Key(secret(1, 0), 0, uint8(Strike))
	const moves = "a move is {hide}, {key} or {yield}"
	g.Cases(0, map[string]play.Case{
		"empty":     {nil, "the input ends too early"},
		"no map":    {table.Payload([]int{1}), "expected a map"},
		"two keys":  {table.Payload(map[string]int{"yield": 1, "key": 1}), "too many elements"},
		"no keys":   {table.Payload(map[string]int{}), moves},
		"unknown":   {table.Payload(map[string]int{"strike": 1}), moves},
		"yield 0":   {table.Payload(map[string]int{"yield": 0}), "to yield is {yield: 1}"},
		"yield 2":   {table.Payload(map[string]int{"yield": 2}), "an integer is too large"},
		"short":     {table.Payload(map[string][]byte{"hide": key[1:]}), "expected 32 bytes"},
		"trailing":  {append(HideAction(0, key), 0), "bytes follow the value"},
		"trailing2": {append(Yield(), 0), "bytes follow the value"},
		"too early": {OpenAction(key), "first both hide their action"},
	})
	require.Equal(t, channel.RejectedAuthor, g.Try(2, Yield()).Status)
	g.Must("hide", 0, HideAction(0, key))
	g.Refused(0, HideAction(0, key), "it is not your turn; wait for the other")
	g.Refused(0, OpenAction(key), "first both hide their action")
	other := table.Key(secret(1, 1), 0, 4)
	g.Must("hide", 1, HideAction(1, other))
	g.Refused(1, HideAction(1, other), "both have chosen; open what you hid")
	g.Refused(1, OpenAction(other), "an action is 0 strike, 1 guard, 2 feint or 3 focus")
	g.Refused(1, OpenAction(key), "this key does not open what you hid")
	g.Refused(0, OpenAction(table.Key(secret(1, 0), 0, uint8(Guard))), "this key does not open what you hid")
	g.Must("key", 0, OpenAction(key))
	g.Refused(0, OpenAction(key), "it is not your turn; wait for the other")
	require.Equal(t, Won0, decode(g.Timeout(play.StartTime+9999)).Outcome)
}

// Both keys make the seed: none alone decides the dice.
func TestU6_DiceDependOnBothKeys(t *testing.T) {
	seeds := map[common.Hash]bool{}
	for changed := range 3 {
		g := game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
		if changed < 2 {
			g.Players[changed] = NewBot(uint8(changed), common.Hash{9})
		}
		for range 4 {
			g.Step(kind)
		}
		seeds[decode(g).Seed] = true
	}
	require.Len(t, seeds, 3)
}

func TestU6_CopiedCommitmentCannotBeOpened(t *testing.T) {
	g := game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	key := table.Key(secret(1, 0), 0, uint8(Guard))
	g.Must("hide", 0, HideAction(0, key))
	g.Must("hide", 1, HideAction(0, key))
	g.Must("key", 0, OpenAction(key))
	g.Refused(1, OpenAction(key), "this key does not open what you hid")
}

func TestA1_NothingAfterTheEnd(t *testing.T) {
	g := game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	g.Must("yield", 1, Yield())
	require.Equal(t, Won0, decode(g).Outcome)
	require.Equal(t, channel.RejectedTerminal, g.Try(0, Yield()).Status)
	r := g.Rules.Module.Reduce(g.State.Bytes(), append([]byte{0, 0, 2, 1, 2}, append(make([]byte, 27), Yield()...)...))
	require.Equal(t, "duel: the game is over", r.Reason)
}

func TestAttack29_ForeignStatesAndEvents(t *testing.T) {
	play.Foreign(game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil), HideAction(0, common.Hash{}))
}

func TestAttack11_TopUps(t *testing.T) {
	g := game(t, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	require.NoError(t, g.TopUp(1, 0, 500).Err())
	g.Step(kind)
	require.NoError(t, g.TopUp(0, 0, 1).Err())
	g.Step(kind)
	require.Equal(t, "duel: the duel has begun; stakes are fixed", g.TopUp(0, 0, 500).Reason)
	g.Finish(200, kind)
}

func TestA1_GenesisRefused(t *testing.T) {
	m := play.Load(t, "duel", Wasm)
	good := config(Knight, Rogue, 1500, 1500)
	with := func(change func(c *Config)) play.GenesisCase {
		c := good
		change(&c)
		_, err := Genesis{Config: c}.Input()
		require.ErrorIs(t, err, ErrConfig)
		return play.GenesisCase{Config: c, Reason: "an integer is too large"}
	}
	type pairs = map[string]any
	const shape = "the configuration is {rounds, k, fighters}"
	zero := with(func(c *Config) { c.Rounds = 0 })
	zero.Reason = "rounds is 1 to 48"
	play.ErrorsAt(t, m, setup(good), map[string]play.GenesisCase{
		"no rounds": zero, "rounds": with(func(c *Config) { c.Rounds = 49 }), "k": with(func(c *Config) { c.K = 65 }),
		"class": with(func(c *Config) { c.Fighters[0].Class = 4 }), "rating": with(func(c *Config) { c.Fighters[1].Rating = 4001 }),
		"one key": {pairs{"rounds": 1}, shape}, "no map": {1, "expected a map"}, "four": {pairs{"a": 1, "b": 1, "c": 1, "d": 1}, "too many elements"},
		"other": {struct{ A, B, C int }{}, shape},
		"three fighters": {struct {
			R int         `msgpack:"rounds"`
			K int         `msgpack:"k"`
			F [3]struct{} `msgpack:"fighters"`
		}{R: 1}, "too many elements"},
	})
	_, err := Genesis{Config: good}.Input()
	require.NoError(t, err)
	solo := setup(good)
	solo.Seats = 3
	play.ErrorsAt(t, m, solo, map[string]play.GenesisCase{"three": {good, "wrong number of participants for this game"}})
}

// Any payload by anyone at any time is accepted by the rules or refused by them.
func FuzzPayload(f *testing.F) {
	var stages []*play.Game
	g := game(f, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	for stage := range byte(9) {
		stages = append(stages, g.Fork())
		for seat := range byte(2) {
			key := table.Key(secret(1, int(seat)), 0, 1)
			for _, p := range [][]byte{HideAction(seat, key), OpenAction(key), Yield(), nil} {
				f.Add(stage, seat, p)
			}
			if p, ok := g.Players[seat].Next(g.State.Bytes()); ok {
				f.Add(stage, seat, p)
			}
		}
		g.Step(kind)
	}
	f.Fuzz(func(t *testing.T, stage, seat byte, payload []byte) {
		g := stages[int(stage)%len(stages)].Fork()
		g.TB, g.Fuel = t, map[string]uint64{}
		play.NoTrap(t, g.Try(int(seat), payload))
		decode(g)
	})
}

func FuzzDecode(f *testing.F) {
	g := game(f, setup(config(Knight, Rogue, 1500, 1500)), 1, nil)
	for range 9 {
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
