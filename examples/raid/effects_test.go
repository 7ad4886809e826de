package raid

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

// Fields of the table RaidResult, in its order.
const (
	fieldRaids = iota
	fieldWins
	fieldXP
	fieldDamage
)

// record names one counter of the World.
type record struct {
	table common.Hash
	owner common.Address
	item  Item
	field uint8
}

// gains is what README.md says that a raid adds to the World's counters, or takes from them.
func gains(t testing.TB, end *State) map[record]int64 {
	out := map[record]int64{}
	if !end.InWorld || end.Outcome == Undecided || end.Outcome == CalledOff {
		return out
	}
	result, loot := TableID(end.Namespace, "RaidResult"), TableID(end.Namespace, "Loot")
	for _, seat := range end.Seats {
		if !seat.IsHero {
			continue
		}
		add := func(field uint8, v int64) { out[record{result, seat.Owner, NoItem, field}] += v }
		add(fieldRaids, 1)
		for item := Potion; item <= itemCount; item++ {
			brought, carried := int64(seat.Brought.Count(item)), int64(seat.Carries(item))
			switch {
			case end.Outcome == Won:
				out[record{loot, seat.Owner, item, 0}] += carried - brought
			case carried < brought: // what it brought and used is gone, and what it found stays behind
				out[record{loot, seat.Owner, item, 0}] += carried - brought
			}
			require.EqualValues(t, out[record{loot, seat.Owner, item, 0}], seat.Net(item, end.Outcome))
		}
		if seat.Silent {
			continue
		}
		xp := int64(seat.Damage) + int64(seat.Healed) + 10*int64(end.Room)
		if end.Outcome == Won {
			add(fieldWins, 1)
			xp += 50
		}
		add(fieldXP, xp)
		add(fieldDamage, int64(seat.Damage))
	}
	for r, v := range out {
		if v == 0 {
			delete(out, r)
		}
	}
	return out
}

// signed reads an int256.
func signed(word []byte) *big.Int {
	v := new(big.Int).SetBytes(word)
	if v.Bit(255) == 1 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	return v
}

// read decodes the effects as the World's settlement does.
func read(t testing.TB, effects []channel.Effect) map[record]int64 {
	out := map[record]int64{}
	for _, e := range effects {
		require.Equal(t, uint8(channel.EffectIncrement), e.Op)
		require.Len(t, e.Data, 64)
		field, delta := new(big.Int).SetBytes(e.Data[:32]), signed(e.Data[32:])
		require.True(t, field.IsUint64() && field.Uint64() < 4)
		require.True(t, delta.IsInt64() && delta.Sign() != 0)
		r := record{table: e.ResourceID, owner: common.BytesToAddress(e.Key[0][12:]), field: uint8(field.Uint64())}
		require.Equal(t, make([]byte, 12), e.Key[0][:12])
		if len(e.Key) == 2 {
			require.Equal(t, make([]byte, 28), e.Key[1][:28])
			r.item = Item(binary.BigEndian.Uint32(e.Key[1][28:]))
		} else {
			require.Len(t, e.Key, 1)
		}
		require.NotContains(t, out, r)
		out[r] = delta.Int64()
	}
	return out
}

// requireEffects runs the module's effects: right where they are, and all there for parties of up to six.
func requireEffects(t *testing.T, g *game, end *State) []channel.Effect {
	t.Helper()
	effects, v := g.rules.Effects(g.state)
	require.NoError(t, v.Err())
	got, want := read(t, effects), gains(t, end)
	if len(want) <= channel.MaxEffects && len(channel.EncodeEffects(effects)) < channel.MaxEffectBytes-352 {
		require.Equal(t, want, got)
	}
	for r, v := range got {
		require.Equal(t, want[r], v, r)
	}
	return effects
}

func TestC3_TablesOfTheWorld(t *testing.T) {
	require.Equal(t, "0x"+
		"7462"+"7261696400000000000000000000"+"52616964526573756c74000000000000", TableID(Namespace, "RaidResult").Hex())
	require.Equal(t, "0x"+
		"7462"+"7261696400000000000000000000"+"4c6f6f74000000000000000000000000", TableID(Namespace, "Loot").Hex())
	require.Equal(t, "0x"+
		"6e73"+"7261696400000000000000000000"+"00000000000000000000000000000000", NamespaceID(Namespace).Hex())
}

func TestC3_ThePartyOfTheDemoFitsWhole(t *testing.T) {
	h := newHost(t)
	won := 0
	for seed := uint64(0); won < 5; seed++ {
		for _, heroes := range []int{2, 3} {
			g := newGame(t, h, setup{heroes: heroes, assets: 1, config: DefaultConfig()}, seed)
			if end := g.finish(); end.Outcome == Won {
				effects, v := g.rules.Effects(g.state)
				require.NoError(t, v.Err())
				require.Equal(t, gains(t, end), read(t, effects))
				won++
			}
		}
	}
}

// What does not fit is dropped by rank: xp of everyone first.
func TestC3_BigPartiesKeepWhatMattersMost(t *testing.T) {
	s := setup{heroes: 15, assets: 1, config: Config{MaxRounds: 40, Rooms: []Room{
		{Kind: Rat, HP: 3, Item: Scale, Gold: 9}, {Kind: Goblin, HP: 3, Item: Sword, Gold: 9},
	}}}
	g := newGame(t, newHost(t), s, 1)
	end := g.finish()
	require.Equal(t, Won, end.Outcome)
	effects := requireEffects(t, g, end)
	require.LessOrEqual(t, len(channel.EncodeEffects(effects)), channel.MaxEffectBytes)
	xp, wins := 0, 0
	for r := range read(t, effects) {
		switch {
		case r.table == TableID(Namespace, "RaidResult") && r.field == fieldXP:
			xp++
		case r.field == fieldWins:
			wins++
		}
	}
	require.Equal(t, 15, xp)
	require.Equal(t, len(effects)-15, wins)
	require.Len(t, effects, (channel.MaxEffectBytes-64)/320)
}

func TestC3_NoWorldNoEffects(t *testing.T) {
	s := defaultSetup()
	s.noWorld = true
	g := newGame(t, newHost(t), s, 1)
	g.finish()
	effects, v := g.rules.Effects(g.state)
	require.NoError(t, v.Err())
	require.Empty(t, effects)
}

// The tables are the genesis', not a namespace that the module knows.
func TestAttack19_TablesFollowTheNamespaceOfTheGenesis(t *testing.T) {
	h := newHost(t)
	other := [14]byte{'o', 't', 'h', 'e', 'r', 13: '!'}
	s := defaultSetup()
	gen := s.genesis(t, h)
	gen.NamespaceID = NamespaceID(other)
	input, err := gen.Input()
	require.NoError(t, err)
	g := newGame(t, h, s, 1)
	g.rules = rulesFor(t, g.rules, input)
	var v channel.Verdict
	g.state, v = g.rules.Genesis(input)
	require.NoError(t, v.Err())
	end := g.finish()
	require.Equal(t, other, end.Namespace)
	effects := requireEffects(t, g, end)
	require.NotEmpty(t, effects)
	require.Equal(t, "tbother", string(effects[0].ResourceID[:7]))
	require.Equal(t, byte('!'), effects[0].ResourceID[15])
}

// The module ends the call on anything that is no terminal state of its own.
func TestAttack29_EffectsOfForeignBytes(t *testing.T) {
	h := newHost(t)
	for _, b := range [][]byte{nil, {1}, make([]byte, 73), make([]byte, 400), append(make([]byte, 400), 0xff, 0xff)} {
		require.Equal(t, channel.RejectedByModule, h.Effects(b).Status)
	}
	g := newGame(t, h, defaultSetup(), 1)
	res := h.Effects(g.state.Bytes())
	require.Equal(t, channel.Accepted, res.Status)
	require.Equal(t, channel.EncodeEffects(nil), res.Output, "an undecided raid has no effects")
}
