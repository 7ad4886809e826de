package raid

import (
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

func TestU1_Genesis(t *testing.T) {
	h := newHost(t)
	g := newGame(t, h, setup{heroes: 2, keeper: 1, assets: 2, beneficiaries: 1, config: DefaultConfig()}, 1)
	s := g.raid()
	require.Equal(t, DefaultConfig().Rooms, s.Rooms)
	require.Equal(t, DefaultConfig().MaxRounds, s.MaxRounds)
	require.EqualValues(t, 1, s.Keeper)
	require.Equal(t, Namespace, s.Namespace)
	require.True(t, s.InWorld)
	require.Equal(t, []int{0, 1, 2}, s.Waiting())
	require.EqualValues(t, 28, s.MonsterHP, "the rat has 14 for each of two heroes")
	for i, seat := range s.Seats {
		require.Equal(t, Seat{Owner: owner(i), IsHero: i != 1, Pending: true}, seat)
	}
	require.Equal(t, "1000003", g.amount(0, 0).Dec())
	require.Equal(t, "1001029", g.amount(1, 1).Dec())
	require.Equal(t, "0", g.amount(1, 3).Dec(), "a beneficiary has nothing")
}

// genesis gives what δ says of a genesis input.
func genesis(t testing.TB, r *channel.Rules, input []byte) channel.Verdict {
	_, v := rulesFor(t, r, input).Genesis(input)
	return v
}

// withConfig is a genesis input around any bytes of configuration.
func withConfig(config []byte) []byte {
	in := make([]byte, 160)
	copy(in[96:], crypto.Keccak256(config))
	return append(in, config...)
}

func TestA1_GenesisRefused(t *testing.T) {
	h := newHost(t)
	r := defaultSetup().rules(t, h)
	good, err := DefaultConfig().Encode()
	require.NoError(t, err)
	require.NoError(t, genesis(t, r, withConfig(good)).Err())
	room := []int{1, 1, 1, 1, 1, 1}
	rooms := func(n int) (out [][]int) {
		for range n {
			out = append(out, room)
		}
		return out
	}
	config := func(v any) []byte { return withConfig(pack(t, v)) }
	with := func(field, value int) []byte {
		changed := append([]int(nil), room...)
		changed[field] = value
		return config(map[string]any{"maxRounds": 1, "rooms": [][]int{changed}})
	}
	const shape = "the configuration is {maxRounds, rooms}"
	for name, c := range map[string]struct {
		input  []byte
		reason string
	}{
		"empty":             {nil, "the input ends too early"},
		"short":             {make([]byte, 159), "the input ends too early"},
		"other config":      {append(withConfig(good), 0), "configHash does not fit the configuration"},
		"no config":         {withConfig(nil), "the input ends too early"},
		"trailing bytes":    {withConfig(append(good, 0)), "bytes follow the value"},
		"not a map":         {config(1), "expected a map"},
		"one key":           {config(map[string]any{"maxRounds": 1}), shape},
		"three keys":        {config(map[string]any{"maxRounds": 1, "rooms": rooms(1), "x": 1}), "too many elements"},
		"unknown key":       {config(map[string]any{"maxRounds": 1, "room": rooms(1)}), shape},
		"twice":             {withConfig(append([]byte{0x82}, append(pack(t, map[string]int{"maxRounds": 1})[1:], pack(t, map[string]int{"maxRounds": 1})[1:]...)...)), shape},
		"no rounds":         {config(map[string]any{"maxRounds": 0, "rooms": rooms(1)}), "maxRounds is 1 to 48"},
		"too many rounds":   {config(map[string]any{"maxRounds": 49, "rooms": rooms(1)}), "maxRounds is 1 to 48"},
		"no rooms":          {config(map[string]any{"maxRounds": 1, "rooms": rooms(0)[:0:0]}), "expected an array"},
		"zero rooms":        {config(map[string]any{"maxRounds": 1, "rooms": []int{}}), "a dungeon has 1 to 12 rooms"},
		"too many rooms":    {config(map[string]any{"maxRounds": 1, "rooms": rooms(13)}), "too many elements"},
		"short room":        {config(map[string]any{"maxRounds": 1, "rooms": [][]int{room[1:]}}), "a room is six numbers"},
		"kind 0":            {with(0, 0), "a monster has a kind and hit points"},
		"kind too large":    {with(0, 8), "an integer is too large"},
		"hp 0":              {with(1, 0), "a monster has a kind and hit points"},
		"hp too large":      {with(1, 1001), "an integer is too large"},
		"attack too large":  {with(2, 101), "an integer is too large"},
		"defence too large": {with(3, 51), "an integer is too large"},
		"item too large":    {with(4, 7), "an integer is too large"},
		"gold too large":    {with(5, 1001), "an integer is too large"},
		"negative":          {with(2, -1), "expected an unsigned integer"},
	} {
		t.Run(name, func(t *testing.T) {
			v := genesis(t, r, c.input)
			require.Equal(t, channel.RejectedByModule, v.Status, v.Text())
			require.Equal(t, "raid: "+c.reason, v.Reason)
		})
	}
}

func TestAttack19_NamespaceIsChecked(t *testing.T) {
	r := defaultSetup().rules(t, newHost(t))
	for name, id := range map[string]common.Hash{
		"zero": {}, "table": TableID(Namespace, ""), "system": common.HexToHash("0x7379"), "with a name": func() common.Hash {
			id := NamespaceID(Namespace)
			id[31] = 1
			return id
		}(),
	} {
		g := Genesis{World: address(1), NamespaceID: id, Config: DefaultConfig()}
		input, err := g.Input()
		require.NoError(t, err)
		v := genesis(t, r, input)
		require.Equal(t, `raid: namespaceId is "ns" and 14 bytes of namespace`, v.Reason, name)
	}
}

func TestU1_SizesOfParties(t *testing.T) {
	h := newHost(t)
	for heroes, reason := range map[int]string{1: "raid: a party is a keeper and 2 to 15 heroes", 2: "", 15: ""} {
		s := setup{heroes: heroes, assets: 1, config: DefaultConfig()}
		require.Equal(t, reason, genesis(t, s.rules(t, h), s.input(t, h)).Reason)
	}
}

// The bounds of Encode are the module's.
func TestU1_EncodeRefusesWhatTheModuleWould(t *testing.T) {
	r := defaultSetup().rules(t, newHost(t))
	rnd := rand.New(rand.NewPCG(1, 2))
	around := func(limit int) int { return max(0, limit-1+rnd.IntN(3)) * min(1, rnd.IntN(8)) }
	good := 0
	for range 400 {
		c := Config{MaxRounds: uint8(around(maxRounds))}
		for range 1 + rnd.IntN(2) {
			c.Rooms = append(c.Rooms, Room{
				Kind: Kind(1 + rnd.IntN(int(kindCount))), HP: uint16(around(maxHP)), Attack: uint8(around(maxAttack)),
				Defence: uint8(around(maxArmour)), Item: Item(rnd.IntN(int(itemCount) + 1)), Gold: uint16(around(maxGold)),
			})
		}
		_, err := c.Encode()
		wire := map[string]any{"maxRounds": c.MaxRounds}
		var rooms [][]int
		for _, room := range c.Rooms {
			rooms = append(rooms, []int{int(room.Kind), int(room.HP), int(room.Attack), int(room.Defence), int(room.Item), int(room.Gold)})
		}
		wire["rooms"] = rooms
		v := genesis(t, r, withConfig(pack(t, wire)))
		require.Equal(t, err == nil, v.Status == channel.Accepted, "%+v: %v, %s", c, err, v.Text())
		if err != nil {
			require.ErrorIs(t, err, ErrConfig)
		} else {
			good++
		}
	}
	require.Greater(t, good, 20)
	require.Less(t, good, 380)
	_, err := Genesis{}.Input()
	require.ErrorIs(t, err, ErrConfig)
}
