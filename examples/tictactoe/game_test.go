package tictactoe

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
)

func loadAll(tb testing.TB) []*derivation.Module {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	var out []*derivation.Module
	for _, lang := range Languages {
		wasm, err := Wasm(lang)
		require.NoError(tb, err)
		m, err := e.Load(wasm, Options())
		require.NoError(tb, err, lang)
		out = append(out, m)
	}
	return out
}

// table is one game played in four languages at once: whatever is done is done to all, and must give the same.
type table struct {
	tb     testing.TB
	rules  []*channel.Rules
	states []*channel.State
	seq    uint64
	fuel   []uint64 // the most that one event took, by language
}

type setup struct {
	genesis       Genesis
	stakes        [][2]uint64 // by asset
	beneficiaries int
}

func inWorld() setup {
	return setup{genesis: Genesis{Settlement: common.Address{0x5e}, World: common.Address{0x30}, Namespace: "arcade"}, stakes: [][2]uint64{{1000, 2001}}}
}

func (s setup) rules(tb testing.TB, m channel.Module, input []byte) *channel.Rules {
	p := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad}, Window: 3600, ForceQuota: 5,
		ModuleHash: m.Manifest().Hash(), GenesisHash: channel.GenesisHash(input), FundingDeadline: 1_800_000_000,
	}
	for i := range 2 {
		p.Participants = append(p.Participants, channel.Participant{Signer: common.Address{1, byte(i)}, Owner: common.Address{0xa0, byte(i)}})
	}
	for i := range s.beneficiaries {
		p.Beneficiaries = append(p.Beneficiaries, common.Address{3, byte(i)})
	}
	var f channel.Funding
	for a, st := range s.stakes {
		f = append(f, channel.Stake{Asset: common.Address{byte(a)}, Amounts: []uint256.Int{*uint256.NewInt(st[0]), *uint256.NewInt(st[1])}})
	}
	p.FundingHash = f.Hash()
	r, err := channel.NewRules(p, f, m)
	require.NoError(tb, err)
	return r
}

func sit(tb testing.TB, modules []*derivation.Module, s setup) *table {
	tb.Helper()
	t := &table{tb: tb, fuel: make([]uint64, len(modules))}
	input := s.genesis.Input()
	for _, m := range modules {
		r := s.rules(tb, m, input)
		state, v := r.Genesis(input)
		require.NoError(tb, v.Err())
		t.rules, t.states = append(t.rules, r), append(t.states, state)
	}
	t.agree(t.states)
	return t
}

// agree requires that the states are one state.
func (t *table) agree(states []*channel.State) {
	t.tb.Helper()
	for i := range states {
		require.Equal(t.tb, states[0].Bytes(), states[i].Bytes(), Languages[i])
		require.Equal(t.tb, states[0].Hash(), states[i].Hash(), Languages[i])
	}
}

// do applies something to all four, and goes on from the new state if it was accepted.
func (t *table) do(apply func(r *channel.Rules, s *channel.State, seq uint64) (*channel.State, channel.Verdict)) channel.Verdict {
	t.tb.Helper()
	next := make([]*channel.State, len(t.rules))
	var first channel.Verdict
	for i, r := range t.rules {
		var v channel.Verdict
		next[i], v = apply(r, t.states[i], t.seq+1)
		if i == 0 {
			first = v
		}
		require.Equal(t.tb, first.Status, v.Status, "%s: %s, %s: %s", Languages[0], first.Text(), Languages[i], v.Text())
		require.Equal(t.tb, first.Reason, v.Reason, Languages[i])
		t.fuel[i] = max(t.fuel[i], v.Fuel)
	}
	if first.Status == channel.Accepted {
		t.agree(next)
		t.states = next
		t.seq++
	}
	return first
}

func (t *table) play(seat uint8, payload []byte) channel.Verdict {
	t.tb.Helper()
	return t.do(func(r *channel.Rules, s *channel.State, seq uint64) (*channel.State, channel.Verdict) {
		e := &channel.Event{ChannelID: r.ID(), Author: seat, Timestamp: 1_700_000_000 + seq, Payload: payload}
		if int(seat) < len(s.Header.Nonces) {
			e.Nonce = s.Header.Nonces[seat] + 1
		}
		return r.Apply(s, seq, e)
	})
}

func (t *table) timeout() channel.Verdict {
	t.tb.Helper()
	return t.do(func(r *channel.Rules, s *channel.State, seq uint64) (*channel.State, channel.Verdict) {
		return r.Timeout(s, seq, 1_750_000_000)
	})
}

func (t *table) game() *State {
	s, err := Decode(t.states[0].App)
	require.NoError(t.tb, err)
	return s
}

func (t *table) amount(asset, holder int) uint64 {
	v := t.states[0].Amount(t.rules[0].Shape(), asset, holder)
	return v.Uint64()
}

func (t *table) effects() []channel.Effect {
	t.tb.Helper()
	var all [][]channel.Effect
	for i, r := range t.rules {
		effects, v := r.Effects(t.states[i])
		require.NoError(t.tb, v.Err(), Languages[i])
		t.fuel[i] = max(t.fuel[i], v.Fuel)
		all = append(all, effects)
		require.Equal(t.tb, all[0], effects, Languages[i])
	}
	return all[0]
}

// turns plays squares in order, from the seat that begins.
func (t *table) turns(squares ...uint8) {
	t.tb.Helper()
	for _, square := range squares {
		require.NoError(t.tb, t.play(t.game().Turn, Move(square)).Err())
	}
}

func TestC2_TheWinnerTakesAll(t *testing.T) {
	modules := loadAll(t)
	s := inWorld()
	s.stakes, s.beneficiaries = [][2]uint64{{1000, 2001}, {0, 7}, {1 << 60, 1<<64 - 1}}, 2
	s.genesis.First = 1
	g := sit(t, modules, s)
	g.turns(4, 0, 2, 1)
	require.EqualValues(t, 4, g.game().Moves)
	g.turns(6) // 2 4 6
	end := g.game()
	require.Equal(t, Won, end.Outcome)
	require.Equal(t, 1, end.Winner)
	require.True(t, g.states[0].Header.Terminal)
	require.Zero(t, g.amount(0, 0))
	require.EqualValues(t, 3001, g.amount(0, 1))
	require.EqualValues(t, 7, g.amount(1, 1))
	whole := g.states[0].Amount(g.rules[0].Shape(), 2, 1)
	require.Equal(t, "0x10fffffffffffffff", whole.Hex())
	require.Zero(t, g.amount(0, 2))

	table := common.Hash{}
	copy(table[:], "tbarcade")
	copy(table[16:], "TicTacToe")
	increment := func(owner byte, field byte) channel.Effect {
		data := make([]byte, 64)
		data[31], data[63] = field, 1
		return channel.Effect{Op: channel.EffectIncrement, ResourceID: table, Data: data,
			Key: []common.Hash{common.BytesToHash(common.Address{0xa0, owner}.Bytes())}}
	}
	require.Equal(t, []channel.Effect{increment(0, 0), increment(1, 0), increment(1, 1)}, g.effects())
	require.Equal(t, channel.RejectedTerminal, g.play(0, Move(8)).Status)
}

func TestC2_ADrawReturnsTheStakes(t *testing.T) {
	g := sit(t, loadAll(t), inWorld())
	g.turns(0, 1, 2, 4, 3, 5, 7, 6, 8)
	require.Equal(t, Drawn, g.game().Outcome)
	require.Equal(t, NoWinner, g.game().Winner)
	require.EqualValues(t, 1000, g.amount(0, 0))
	require.EqualValues(t, 2001, g.amount(0, 1))
	require.Len(t, g.effects(), 2)
}

func TestC2_EveryLineWins(t *testing.T) {
	modules := loadAll(t)
	for _, line := range [][3]uint8{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}} {
		g := sit(t, modules, inWorld())
		var others []uint8
		for k := uint8(0); k < 9; k++ {
			if k != line[0] && k != line[1] && k != line[2] {
				others = append(others, k)
			}
		}
		g.turns(line[0], others[0], line[1], others[1], line[2])
		require.Equal(t, Won, g.game().Outcome, line)
		require.Equal(t, 0, g.game().Winner)
	}
}

func TestA6_SilenceLoses(t *testing.T) {
	modules := loadAll(t)
	for moves := range 3 {
		g := sit(t, modules, inWorld())
		g.turns([]uint8{0, 1, 2}[:moves]...)
		silent := g.game().Turn
		require.NoError(t, g.timeout().Err())
		require.Equal(t, Forfeited, g.game().Outcome)
		require.Equal(t, int(1-silent), g.game().Winner)
		require.EqualValues(t, 3001, g.amount(0, int(1-silent)))
		require.Len(t, g.effects(), 3)
	}
}

func TestC3_WithoutAWorldNoRecords(t *testing.T) {
	g := sit(t, loadAll(t), setup{stakes: [][2]uint64{{1, 1}}})
	g.turns(0, 3, 1, 4, 2)
	require.Empty(t, g.effects())
}

func TestA1_WhatIsRefused(t *testing.T) {
	g := sit(t, loadAll(t), inWorld())
	refused := func(seat uint8, payload []byte, reason string) {
		t.Helper()
		v := g.play(seat, payload)
		require.Equal(t, channel.RejectedByModule, v.Status, v.Text())
		require.Equal(t, reason, v.Reason)
	}
	refused(1, Move(0), "it is not your turn")
	g.turns(4)
	refused(0, Move(0), "it is not your turn")
	refused(1, Move(4), "this square is taken")
	refused(1, Move(9), "an integer is too large")
	refused(1, nil, "the input ends too early")
	refused(1, []byte{0xc0}, "expected a map")
	refused(1, []byte{0x80}, "a move is {at}")
	refused(1, append(Move(1), 0), "bytes follow the value")
	refused(1, []byte{0x81, 0xa2, 'a', 'x', 1}, "a move is {at}")
	refused(1, []byte{0x82, 0xa2, 'a', 't', 1, 0xa2, 'a', 't', 2}, "too many elements")
	refused(1, []byte{0x81, 0xa2, 'a', 't', 0xff}, "expected an unsigned integer")
	refused(1, []byte{0x81, 0xa2, 'a', 't', 0xd0, 0x80}, "expected an unsigned integer")
	g.turns(0)
}

// Top-ups are taken until the first move.
func TestF3_TopUps(t *testing.T) {
	modules := loadAll(t)
	for moves := range 2 {
		g := sit(t, modules, inWorld())
		g.turns([]uint8{0}[:moves]...)
		topUp := channel.TopUp{Participant: 1}
		topUp.Amount.SetUint64(500)
		v := g.do(func(r *channel.Rules, s *channel.State, seq uint64) (*channel.State, channel.Verdict) {
			r.TopUps = []channel.TopUp{topUp}
			return r.ApplyTopUp(s, seq)
		})
		if moves == 0 {
			require.NoError(t, v.Err())
			require.EqualValues(t, 2501, g.amount(0, 1))
		} else {
			require.Equal(t, "the game has begun; stakes are fixed", v.Reason)
		}
	}
}

// rounds is how many random games a run plays; CHANNELS_LONG plays many more.
func rounds(short int) int {
	if os.Getenv("CHANNELS_LONG") != "" {
		return 50 * short
	}
	return short
}

// Random games with random junk between the moves: four languages, one history.
func TestA9_RandomGames(t *testing.T) {
	modules := loadAll(t)
	rng := rand.New(rand.NewPCG(1, 2))
	outcomes := map[Outcome]int{}
	for range rounds(100) {
		s := inWorld()
		s.genesis.First, s.beneficiaries, s.stakes = uint8(rng.IntN(2)), rng.IntN(3), nil
		for range rng.IntN(4) {
			s.stakes = append(s.stakes, [2]uint64{rng.Uint64(), rng.Uint64()})
		}
		g := sit(t, modules, s)
		for !g.states[0].Header.Terminal {
			switch n := rng.IntN(100); {
			case n < 3:
				require.NoError(t, g.timeout().Err())
			case n < 30:
				g.play(uint8(rng.IntN(3)), junk(rng))
			default:
				before, seat, square := g.game(), uint8(rng.IntN(2)), uint8(rng.IntN(10))
				legal := seat == before.Turn && square < 9 && (before.Marks[0]|before.Marks[1])>>square&1 == 0
				require.Equal(t, legal, g.play(seat, Move(square)).Status == channel.Accepted)
				if legal {
					requireMove(t, before, g.game(), seat, square)
				}
			}
		}
		outcomes[g.game().Outcome]++
		g.effects()
	}
	require.Len(t, outcomes, 3, "%v", outcomes)
}

// requireMove holds a move against the rules, said in another way: a line is three squares of a magic square that sum to 15.
func requireMove(t *testing.T, before, after *State, seat, square uint8) {
	magic := [9]int{2, 7, 6, 9, 5, 1, 4, 3, 8}
	want := *before
	want.Marks[seat] |= 1 << square
	want.Moves++
	for a := range 9 {
		for b := range a {
			for c := range b {
				if marks := want.Marks[seat]; magic[a]+magic[b]+magic[c] == 15 && (marks>>a)&(marks>>b)&(marks>>c)&1 == 1 {
					want.Outcome, want.Winner = Won, int(seat)
				}
			}
		}
	}
	switch {
	case want.Outcome == Playing && want.Moves == 9:
		want.Outcome = Drawn
	case want.Outcome == Playing:
		want.Turn = 1 - seat
	}
	require.Equal(t, &want, after)
}

// junk is a payload that is nearly a move, or nothing like one.
func junk(rng *rand.Rand) []byte {
	b := Move(uint8(rng.IntN(9)))
	switch rng.IntN(4) {
	case 0:
		b = make([]byte, rng.IntN(24))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	case 1:
		b = b[:rng.IntN(len(b))]
	case 2:
		b = append(b, byte(rng.Uint32()))
	default:
		b[rng.IntN(len(b))] = byte(rng.Uint32())
	}
	return b
}

// same requires that all four answer a raw call alike. Fuel is each language's own.
func same(tb testing.TB, modules []*derivation.Module, call func(m *derivation.Module) channel.Result) channel.Result {
	tb.Helper()
	var first channel.Result
	for i, m := range modules {
		r := call(m)
		if i == 0 {
			first = r
		}
		require.Equal(tb, first.Status, r.Status, "%s: %s %s, %s: %s %s", Languages[0], first.Status, first.Reason, Languages[i], r.Status, r.Reason)
		require.Equal(tb, first.Reason, r.Reason, Languages[i])
		require.Equal(tb, first.Output, r.Output, Languages[i])
	}
	return first
}

// spoil changes some bytes, cuts or lengthens.
func spoil(rng *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + rng.IntN(3) {
		switch n := rng.IntN(10); {
		case n == 0 && len(b) > 0:
			b = b[:rng.IntN(len(b))]
		case n == 1:
			b = append(b, make([]byte, rng.IntN(64))...)
		case len(b) > 0:
			b[rng.IntN(len(b))] = []byte{0, 1, 2, 3, 0x20, 0xff, byte(rng.Uint32())}[rng.IntN(7)]
		}
	}
	return b
}

// Whatever the shell would never give a module: the four refuse it alike, with the same reason or the same trap.
func TestA9_RawJunk(t *testing.T) {
	modules := loadAll(t)
	rng := rand.New(rand.NewPCG(3, 4))
	s := inWorld()
	s.beneficiaries, s.stakes = 1, [][2]uint64{{5, 6}, {7, 8}}
	g := sit(t, modules, s)
	g.turns(4, 0)
	state := g.states[0].Bytes()
	event := append(make([]byte, 32), Move(8)...)
	event[2], event[3], event[4] = 2, 2, 3
	binary.LittleEndian.PutUint64(event[8:], 1_700_000_000)
	input := initInput(t, g.rules[0], s.genesis.Input())
	seen := map[string]int{}
	for range rounds(2000) {
		in, st, ev := spoil(rng, input), spoil(rng, state), event
		if rng.IntN(2) == 0 {
			ev = spoil(rng, event)
		}
		for _, r := range []channel.Result{
			same(t, modules, func(m *derivation.Module) channel.Result { return m.Init(in) }),
			same(t, modules, func(m *derivation.Module) channel.Result { return m.Reduce(st, ev) }),
			same(t, modules, func(m *derivation.Module) channel.Result { return m.Effects(st) }),
		} {
			seen[fmt.Sprint(r.Status, " ", r.Reason)]++
		}
	}
	require.Greater(t, len(seen), 12, "%v", seen)
	require.NotContains(t, fmt.Sprint(seen), "trap", "the SDK checks before it reads: %v", seen)
}

// recorder keeps what the shell gives to init.
type recorder struct {
	channel.Module
	input []byte
}

func (r *recorder) Init(input []byte) channel.Result {
	r.input = append([]byte(nil), input...)
	return r.Module.Init(input)
}

func initInput(t testing.TB, rules *channel.Rules, genesis []byte) []byte {
	rec := &recorder{Module: rules.Module}
	r, err := channel.NewRules(rules.Params, rules.Funding, rec)
	require.NoError(t, err)
	_, v := r.Genesis(genesis)
	require.NoError(t, v.Err())
	return rec.input
}

func FuzzReduce(f *testing.F) {
	modules := loadAll(f)
	g := sit(f, modules, inWorld())
	state := g.states[0].Bytes()
	event := append(make([]byte, 32), Move(8)...)
	event[2], event[3], event[4] = 2, 1, 2
	f.Add(state, event)
	f.Add(state, event[:32])
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, state, event []byte) {
		if len(state)+len(event) > 60<<10 {
			return // four pages hold this and the result in every language
		}
		same(t, modules, func(m *derivation.Module) channel.Result { return m.Reduce(state, event) })
		same(t, modules, func(m *derivation.Module) channel.Result { return m.Effects(state) })
	})
}

func TestA9_GenesisIsRefusedAlike(t *testing.T) {
	modules := loadAll(t)
	for reason, change := range map[string]func(input []byte){
		"configHash does not fit the configuration":     func(b []byte) { b[96]++ },
		`namespaceId is "ns" and 14 bytes of namespace`: func(b []byte) { b[64] = 't' },
		"an integer is too large":                       func(b []byte) { b[167] = 2; copy(b[96:], crypto.Keccak256(b[160:])) },
		"the configuration is {first}":                  func(b []byte) { b[162] = 'F'; copy(b[96:], crypto.Keccak256(b[160:])) },
	} {
		input := inWorld().genesis.Input()
		change(input)
		for i, m := range modules {
			_, v := inWorld().rules(t, m, input).Genesis(input)
			require.Equal(t, channel.RejectedByModule, v.Status, v.Text())
			require.Equal(t, reason, v.Reason, Languages[i])
		}
	}
}

// figures are what one language costs: bytes of the binary, and the fuel of init, the first move, the winning move, effects.
func figures(t testing.TB, m *derivation.Module) [5]uint64 {
	g := sit(t, []*derivation.Module{m}, inWorld())
	move := func(square uint8) uint64 {
		g.fuel[0] = 0
		g.turns(square)
		return g.fuel[0]
	}
	init := m.Init(initInput(t, g.rules[0], inWorld().genesis.Input())).Fuel
	first := move(4)
	move(0)
	move(2)
	move(1)
	last := move(6)
	require.True(t, g.states[0].Header.Terminal)
	g.fuel[0] = 0
	g.effects()
	return [5]uint64{uint64(m.Info().Bytes), init, first, last, g.fuel[0]}
}

// The table of README.md says what the checked-in modules cost.
func TestN_SizesAndFuel(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for i, m := range loadAll(t) {
		f := figures(t, m)
		require.Contains(t, string(readme), fmt.Sprintf("| %s | %d | %d | %d | %d | %d |", Languages[i], f[0], f[1], f[2], f[3], f[4]))
	}
}
