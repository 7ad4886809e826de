package raid

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// funds are what each holder has, per asset, in a form to compare.
func funds(g *game) string {
	shape := g.rules.Shape()
	out := make([][]*big.Int, shape.Assets)
	for a := range out {
		for p := range shape.Holders() {
			out[a] = append(out[a], g.amount(a, p).ToBig())
		}
	}
	return fmt.Sprint(out)
}

// payouts says with big integers what README.md says in words, from the channel's funding.
func payouts(g *game, end *State) string {
	shape := g.rules.Shape()
	out := make([][]*big.Int, shape.Assets)
	for a, stake := range g.rules.Funding {
		for p := range shape.Holders() {
			v := new(big.Int)
			if p < len(stake.Amounts) {
				v = stake.Amounts[p].ToBig()
			}
			out[a] = append(out[a], v)
		}
		switch end.Outcome {
		case Won:
			shareOut(out[a], end)
		case Wiped:
			for i, seat := range end.Seats {
				if seat.IsHero {
					half := new(big.Int).Rsh(out[a][i], 1)
					out[a][i].Sub(out[a][i], half)
					out[a][end.Keeper].Add(out[a][end.Keeper], half)
				}
			}
		case Abandoned:
			forfeit(out[a], end)
		}
	}
	return fmt.Sprint(out)
}

func shareOut(amounts []*big.Int, end *State) {
	whole, best := new(big.Int), -1
	points := make([]*big.Int, len(end.Seats))
	for i, seat := range end.Seats {
		points[i] = new(big.Int)
		if seat.IsHero {
			points[i].SetUint64(uint64(seat.Damage) + uint64(seat.Healed) + 1)
			whole.Add(whole, points[i])
			if best < 0 || points[i].Cmp(points[best]) > 0 {
				best = i
			}
		}
	}
	prize := new(big.Int).Set(amounts[end.Keeper])
	rest := amounts[end.Keeper]
	for i := range end.Seats {
		share := new(big.Int).Mul(prize, points[i])
		share.Div(share, whole)
		if i != int(end.Keeper) {
			amounts[i].Add(amounts[i], share)
			rest.Sub(rest, share)
		}
	}
	amounts[best].Add(amounts[best], rest)
	amounts[end.Keeper] = new(big.Int)
}

func forfeit(amounts []*big.Int, end *State) {
	var faithful []int
	for i, seat := range end.Seats {
		if !seat.Silent {
			faithful = append(faithful, i)
		}
	}
	if len(faithful) == 0 {
		return
	}
	pool := new(big.Int)
	for i, seat := range end.Seats {
		if seat.Silent {
			half := new(big.Int).Rsh(amounts[i], 1)
			amounts[i].Sub(amounts[i], half)
			pool.Add(pool, half)
		}
	}
	part, rest := new(big.Int).DivMod(pool, big.NewInt(int64(len(faithful))), new(big.Int))
	for _, i := range faithful {
		amounts[i].Add(amounts[i], part)
	}
	amounts[faithful[0]].Add(amounts[faithful[0]], rest)
}

// restake is the game from its genesis with other amounts, per asset and seat.
func (g *game) restake(s setup, amount func(asset, seat int) uint256.Int) channel.Verdict {
	f := g.rules.Funding
	for a := range f {
		for i := range f[a].Amounts {
			f[a].Amounts[i] = amount(a, i)
		}
	}
	g.rules.Params.FundingHash = f.Hash()
	rules, err := channel.NewRules(g.rules.Params, f, g.rules.Module)
	require.NoError(g.tb, err)
	g.rules = rules
	var v channel.Verdict
	g.state, v = rules.Genesis(s.input(g.tb, rules.Module))
	return v
}

// tooMuch is the least stake that is refused, 2^124.
func tooMuch() *uint256.Int { return new(uint256.Int).Lsh(uint256.NewInt(1), 124) }

func less(a *uint256.Int, b uint64) uint256.Int { return *new(uint256.Int).SubUint64(a, b) }

// Whatever the amounts, every ending pays out the pot to the last wei.
func TestAttack12_EveryEndingConservesEveryAmount(t *testing.T) {
	h := newHost(t)
	var zero, one uint256.Int
	one.SetOne()
	carry := *new(uint256.Int).Lsh(&one, 64)
	columns := [][]uint256.Int{
		{less(tooMuch(), 1), less(tooMuch(), 2), less(tooMuch(), 3)}, {zero, zero, zero}, {one, one, one},
		{less(tooMuch(), 1), zero, one}, {zero, one, less(tooMuch(), 1)}, {less(&carry, 1), less(&carry, 1), carry},
	}
	outcomes := map[string]bool{}
	for seed := uint64(0); len(outcomes) < 5 && seed < 60; seed++ {
		for _, s := range []setup{
			{heroes: 2, assets: len(columns), beneficiaries: 1, config: DefaultConfig()},
			{heroes: 15, keeper: 3, assets: len(columns), config: Config{MaxRounds: 40, Rooms: []Room{{Kind: Rat, HP: uint16(3 + 997*(seed%2)), Attack: 90}}}},
		} {
			g := newGame(t, h, s, seed)
			v := g.restake(s, func(a, i int) uint256.Int { return columns[a][(i+s.heroes+1-s.keeper)%(s.heroes+1)%3] })
			require.NoError(t, v.Err())
			end := g.finish()
			require.Equal(t, payouts(g, end), funds(g), end.Outcome)
			outcomes[fmt.Sprint(s.heroes, end.Outcome)] = true
		}
	}
	require.Subset(t, outcomes, map[string]bool{"2 won": true, "2 wiped": true, "2 out of time": true, "15 won": true, "15 wiped": true})
}

func TestA1_StakesAreBounded(t *testing.T) {
	s := defaultSetup()
	g := newGame(t, newHost(t), s, 1)
	for _, amount := range []*uint256.Int{tooMuch(), new(uint256.Int).Lsh(uint256.NewInt(1), 128), new(uint256.Int).Lsh(uint256.NewInt(1), 253)} {
		v := g.restake(s, func(_, i int) uint256.Int {
			if i == 2 {
				return *amount
			}
			return uint256.Int{}
		})
		require.Equal(t, "raid: a stake is 2^124 or more", v.Reason)
	}
	v := g.restake(s, func(_, i int) uint256.Int { return less(tooMuch(), uint64(i+1)) })
	require.NoError(t, v.Err())
	g.rules.TopUps = []channel.TopUp{{Participant: 1, Amount: *uint256.NewInt(1)}, {Index: 1, Participant: 1, Amount: *uint256.NewInt(1)}}
	next, v := g.rules.ApplyTopUp(g.state, 1)
	require.NoError(t, v.Err())
	g.state = next
	_, v = g.rules.ApplyTopUp(g.state, 2)
	require.Equal(t, "raid: a stake is 2^124 or more", v.Reason)
}

func TestU1_OutOfTimeLeavesTheStakes(t *testing.T) {
	s := defaultSetup()
	s.config.MaxRounds = 2
	g := newGame(t, newHost(t), s, 1)
	before := g.state.Funds
	require.Equal(t, OutOfTime, g.finish().Outcome)
	require.Equal(t, before, g.state.Funds)
}

// Silence at any point of a raid: the round's debtors pay, nobody else does, nothing is lost.
func TestA6_SilenceForfeitsHalfTheStake(t *testing.T) {
	h := newHost(t)
	s := setup{heroes: 4, keeper: 2, assets: 2, config: DefaultConfig()}
	g := newGame(t, h, s, 11)
	seen := map[Phase]bool{}
	for {
		raid := g.raid()
		next, v := g.rules.Timeout(g.state, g.seq+1, 1_900_000_000)
		if raid.Over() {
			require.NotEqual(t, channel.Accepted, v.Status)
			break
		}
		require.NoError(t, v.Err())
		require.True(t, next.Header.Terminal)
		checkTimeout(t, g, raid, next)
		seen[raid.Phase] = true
		require.True(t, g.step())
	}
	require.Len(t, seen, 3)
}

func checkTimeout(t *testing.T, g *game, raid *State, next *channel.State) {
	t.Helper()
	end, err := Decode(next.Bytes())
	require.NoError(t, err)
	after := &game{tb: t, rules: g.rules, state: next}
	require.Equal(t, payouts(after, end), funds(after))
	lines, err := Describe(g.state.Bytes(), next.Bytes(), Nobody, nil, nil)
	require.NoError(t, err)
	if raid.Phase == PhaseCommit {
		require.Equal(t, CalledOff, end.Outcome)
		require.Equal(t, g.state.Funds, next.Funds)
		require.Len(t, lines, 1)
	} else {
		require.Equal(t, Abandoned, end.Outcome)
		for i, seat := range raid.Seats {
			require.Equal(t, seat.Pending, end.Seats[i].Silent)
		}
		require.Len(t, lines, len(raid.Waiting())+1)
		if len(raid.Waiting()) == 1 { // the last one could have known the dice: it must lose by keeping silent
			i := raid.Waiting()[0]
			require.Equal(t, -1, after.amount(0, i).Cmp(g.amount(0, i)))
		}
	}
	requireEffects(t, after, end)
}

// Stakes grow before the first round only; the chain gives the rest back.
func TestAttack11_TopUps(t *testing.T) {
	h := newHost(t)
	g := newGame(t, h, setup{heroes: 2, assets: 2, config: DefaultConfig()}, 2)
	for i := range 3 {
		g.rules.TopUps = append(g.rules.TopUps, channel.TopUp{Index: uint32(i), Participant: uint8(i), Asset: uint8(i % 2), Amount: *uint256.NewInt(999)})
	}
	before := g.state.Bytes()
	for i := range 2 {
		had := g.amount(i%2, i)
		next, v := g.rules.ApplyTopUp(g.state, g.seq+1)
		require.NoError(t, v.Err())
		g.state = next
		require.Equal(t, had.AddUint64(had, 999), g.amount(i%2, i))
	}
	lines, err := Describe(before, g.state.Bytes(), 1, nil, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"Alice adds to the stakes."}, lines)

	g.until(func(s *State) bool { return s.Phase == PhaseAct })
	_, v := g.rules.ApplyTopUp(g.state, g.seq+1)
	require.Equal(t, "raid: the party has entered; stakes are fixed", v.Reason)
	g.finish()
}
