package crafting

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/internal/table"
)

const namespace = "smithy"

// Items of the tests' smithy.
const (
	ore = 1 + iota
	wood
	ingot
	sword
	fineSword
	masterSword
)

func config(crafters int) Config {
	c := Config{Items: 6, Rolls: 40, Recipes: []Recipe{
		{Fee: 0, Needs: [3]Ingredient{{ore, 3}}, Common: ingot, Fine: ingot, Master: ingot, FineAt: 101, MasterAt: 101},
		{Fee: 5, Needs: [3]Ingredient{{ingot, 2}, {wood, 1}}, Common: sword, Fine: fineSword, Master: masterSword, FineAt: 60, MasterAt: 90},
		{Fee: 1, Needs: [3]Ingredient{{sword, 1}, {ore, 1}, {wood, 2}}, Common: 0, Fine: fineSword, Master: masterSword, FineAt: 50, MasterAt: 95},
	}}
	if crafters > 3 {
		c = Config{Items: 2, Rolls: 60, Recipes: []Recipe{{Fee: 2, Needs: [3]Ingredient{{2, 2}}, Common: 1, Fine: 1, Master: 2, FineAt: 50, MasterAt: 95}}}
	}
	for i := range crafters {
		row := make([]uint16, c.Items)
		row[0], row[1] = uint16(30+i), uint16(12-i)
		c.Stock = append(c.Stock, row)
	}
	return c
}

func setup(crafters, workshop int) play.Setup {
	return play.Setup{Seats: crafters + 1, Sequencer: workshop, Assets: 1, World: play.World(namespace), Config: config(crafters).wire(),
		Stake: func(asset, seat int) uint64 { return uint64(20_000_000_003 + 17*seat + 1009*asset) }}
}

func secret(seed uint64, seat int) common.Hash {
	return crypto.Keccak256Hash(fmt.Appendf(nil, "%d/%d", seed, seat))
}

func game(t testing.TB, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return gameOn(t, play.Load(t, "crafting", Wasm), s, seed, fuel)
}

func gameOn(t testing.TB, m channel.Module, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	var bots []play.Player
	for i := range s.Seats {
		bot := NewBot(uint8(i), secret(seed, i))
		bot.Purse = 20
		bots = append(bots, bot)
	}
	return play.New(t, m, s, bots, fuel)
}

func decode(g *play.Game) *State {
	s, err := Decode(g.State.Bytes())
	require.NoError(g.TB, err)
	return s
}

func kind(payload []byte) string { return string(payload[2 : 2+payload[1]&31]) }

// model keeps the books of a session from its events alone.
type model struct {
	config  Config
	shop    int
	now     map[int][]int64 // by seat
	busy    map[int]int
	salts   map[int]common.Hash
	paid    []int64 // by seat
	crafts  map[int]int64
	made    []int64 // of each item, minus what was consumed
	quality [3]int
}

func newModel(c Config, workshop int) *model {
	m := &model{config: c, shop: workshop, now: map[int][]int64{}, busy: map[int]int{}, salts: map[int]common.Hash{}, crafts: map[int]int64{},
		paid: make([]int64, len(c.Stock)+1), made: make([]int64, c.Items)}
	row := 0
	for seat := range len(c.Stock) + 1 {
		if seat == workshop {
			continue
		}
		for _, n := range c.Stock[row] {
			m.now[seat] = append(m.now[seat], int64(n))
		}
		row++
	}
	return m
}

func (m *model) event(t testing.TB, seat int, payload []byte) {
	var p struct {
		Craft, Give, To, Done uint8
		Count                 int64
		Salt, Link, Tip       []byte
	}
	dec := map[string]any{}
	require.NoError(t, msgpack.Unmarshal(payload, &dec))
	num := func(k string) int64 {
		switch v := dec[k].(type) {
		case int8:
			return int64(v)
		case uint16:
			return int64(v)
		case uint8:
			return int64(v)
		}
		return 0
	}
	p.Craft, p.Give, p.To, p.Count = uint8(num("craft")), uint8(num("give")), uint8(num("to")), num("count")
	switch kind(payload) {
	case "craft":
		for _, n := range m.config.Recipes[p.Craft].Needs {
			if n.Count > 0 {
				m.now[seat][n.Item-1] -= int64(n.Count)
			}
		}
		m.busy[seat], m.salts[seat] = int(p.Craft), common.Hash(dec["salt"].([]byte))
	case "give":
		m.now[seat][p.Give-1] -= p.Count
		m.now[int(p.To)][p.Give-1] += p.Count
	case "link":
		for who, r := range m.busy {
			recipe, salt := m.config.Recipes[r], m.salts[who]
			h := crypto.Keccak256(dec["link"].([]byte), salt[:], binary.LittleEndian.AppendUint32(nil, uint32(who)))
			roll := binary.LittleEndian.Uint32(h)%100 + 1
			item, q := recipe.Common, 0
			if roll >= uint32(recipe.MasterAt) {
				item, q = recipe.Master, 2
			} else if roll >= uint32(recipe.FineAt) {
				item, q = recipe.Fine, 1
			}
			if item > 0 {
				m.now[who][item-1]++
				m.made[item-1]++
			}
			for _, n := range recipe.Needs {
				if n.Count > 0 {
					m.made[n.Item-1] -= int64(n.Count)
				}
			}
			m.quality[q]++
			m.crafts[who]++
			m.paid[who] -= int64(recipe.Fee) * FeeUnit
			m.paid[m.shop] += int64(recipe.Fee) * FeeUnit
		}
		clear(m.busy)
	}
}

// check compares the books with the state, and shows that nothing came from nowhere: for each item, what all have and
// what lies in crafts is what there was at first, plus what crafts made, minus what they took.
func (m *model) check(g *play.Game) {
	s := decode(g)
	for item := range int(m.config.Items) {
		var have, first int64
		for i, b := range s.Benches {
			if i == int(s.Workshop) {
				require.Zero(g.TB, b.Now[item])
				continue
			}
			require.Equal(g.TB, m.now[i][item], int64(b.Now[item]))
			have += int64(b.Now[item])
			first += int64(b.First[item])
			if b.Busy > 0 {
				for _, n := range s.Recipes[b.Busy-1].Needs {
					if int(n.Item) == item+1 {
						have += int64(n.Count)
					}
				}
			}
		}
		require.Equal(g.TB, first+m.made[item], have, "item %d", item+1)
	}
	for i, paid := range m.paid {
		require.Equal(g.TB, 20_000_000_003+17*int64(i)+paid, int64(g.Holds(0, i)))
	}
}

func requireRecords(g *play.Game, m *model) {
	want := map[string]int64{}
	s := decode(g)
	for i, now := range m.now {
		if m.crafts[i] > 0 {
			want[fmt.Sprintf("Crafter/%d/0/0", i)] = m.crafts[i]
		}
		for item, n := range now {
			if d := n - int64(s.Benches[i].First[item]); d != 0 {
				want[fmt.Sprintf("Inventory/%d/%d/0", i, item+1)] = d
			}
		}
	}
	require.Equal(g.TB, want, g.Records(namespace))
}

func TestU3_SessionsOfBotsConserveItems(t *testing.T) {
	fuel := map[string]uint64{}
	var quality [3]int
	for seed := range uint64(play.Long(60)) {
		crafters := 1 + int(seed%7)
		s := setup(crafters, int(seed/7)%(crafters+1))
		s.Beneficiaries = int(seed % 3)
		if seed%20 == 19 {
			s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		}
		g := game(t, s, seed, fuel)
		m := newModel(config(crafters), s.Sequencer)
		for range 2000 {
			before := g.State.Bytes()
			seat, ok := g.Step(kind)
			if !ok {
				break
			}
			payload, _ := g.Players[seat].Next(before)
			m.event(t, seat, payload)
			m.check(g)
		}
		require.True(t, g.State.Header.Terminal)
		require.Equal(t, Closed, decode(g).Outcome)
		requireRecords(g, m)
		for q := range quality {
			quality[q] += m.quality[q]
		}
		for _, n := range g.State.Header.Nonces {
			require.LessOrEqual(t, n, uint64(241), "maxEvents of the manifest")
		}
	}
	t.Log("common, fine, master:", quality)
	require.Greater(t, quality[1], 50)
	require.Greater(t, quality[2], 10)
	s := setup(7, 7) // the last seat, so that all seven craft before it
	s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
	g := game(t, s, 1, fuel)
	for range 30 {
		if g.Step(kind); len(busySeats(g)) == 7 {
			break
		}
	}
	require.Len(t, busySeats(g), 7)
	g.Timeout(play.StartTime + 9999)
	g.Step(kind)
	play.FuelTable(t, fuel)
}

func busySeats(g *play.Game) (out []int) {
	for i, b := range decode(g).Benches {
		if b.Busy > 0 {
			out = append(out, i)
		}
	}
	return out
}

// Random moves, most of them wrong: whatever is accepted keeps the books, whatever is refused changes nothing.
func TestU3_RandomMovesCannotDuplicateItems(t *testing.T) {
	accepted, refused := 0, 0
	for seed := range uint64(play.Long(20)) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		g := game(t, setup(3, 1), seed, nil)
		m := newModel(config(3), 1)
		for range 150 {
			seat := rnd.IntN(4)
			var payload []byte
			switch rnd.IntN(8) {
			case 0, 1, 2:
				payload = Craft(uint8(rnd.IntN(4)), secret(rnd.Uint64(), 0))
			case 3, 4:
				payload = Give(uint8(rnd.IntN(8)), uint32(rnd.IntN(12)), uint8(rnd.IntN(5)))
			case 5:
				payload = OpenWorkshop(secret(rnd.Uint64(), 1))
				if rnd.IntN(2) == 0 {
					payload = ShowLink(secret(rnd.Uint64(), 1))
				}
			default:
				seat = 1
				p, ok := g.Players[1].Next(g.State.Bytes())
				if !ok {
					continue
				}
				payload = p
			}
			if g.State.Header.Terminal {
				break
			}
			if kind(payload) == "tip" && seat == 1 {
				payload, _ = g.Players[1].Next(g.State.Bytes()) // an honest workshop, so that crafts are finished
				if payload == nil {
					continue
				}
			}
			before := g.State
			v := g.Try(seat, payload)
			if v.Status == channel.Accepted {
				m.event(t, seat, payload)
				accepted++
			} else {
				require.Equal(t, channel.RejectedByModule, v.Status, v.Text())
				require.Same(t, before, g.State)
				refused++
			}
			m.check(g)
		}
		end := g.Timeout(play.StartTime + 9999)
		for i, b := range decode(end).Benches { // what lay in crafts is back
			for item, n := range b.Now {
				want := int64(0)
				if i != 1 {
					want = m.now[i][item]
				}
				if was := decode(g).Benches[i].Busy; was > 0 {
					for _, need := range config(3).Recipes[was-1].Needs {
						if int(need.Item) == item+1 {
							want += int64(need.Count)
						}
					}
				}
				require.Equal(t, want, int64(n))
			}
		}
	}
	require.Greater(t, accepted, 300)
	require.Greater(t, refused, 300)
}

func TestR6_GoldenSession(t *testing.T) {
	g := play.BothEngines(t, "crafting", Wasm, func(m channel.Module, fuel map[string]uint64) *play.Game {
		g := gameOn(t, m, setup(3, 0), 7, fuel)
		g.Finish(2000, kind)
		return g
	})
	play.Golden(t, "final.txt", fmt.Sprintf("%d events, %d bytes of payload\n%s\n", g.Seq, g.Payload, g.State.Hash()))
}

func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) { play.BuiltFromSource(t, "crafting", Wasm) }

// A workshop that dislikes a roll can only keep silent, and pays for it.
func TestU3_Silence(t *testing.T) {
	g := game(t, setup(3, 1), 3, nil)
	off := g.Timeout(play.StartTime + 9999)
	require.Equal(t, CalledOff, decode(off).Outcome)
	require.Empty(t, off.Records(namespace))
	require.Equal(t, g.State.Funds, off.State.Funds)

	g.Step(kind)
	idle := g.Timeout(play.StartTime + 9999)
	require.Equal(t, Closed, decode(idle).Outcome)
	require.EqualValues(t, 0b1101, decode(idle).Silent)
	require.Equal(t, g.State.Funds, idle.State.Funds)
	require.Empty(t, idle.Records(namespace))

	g.Must("craft", 0, Craft(0, secret(1, 1)))
	g.Must("craft", 3, Craft(0, secret(1, 2)))
	late := g.Timeout(play.StartTime + 9999)
	end := decode(late)
	require.Equal(t, Abandoned, end.Outcome)
	require.EqualValues(t, 0b0010, end.Silent)
	half := g.Holds(0, 1) / 2
	require.Equal(t, g.Holds(0, 1)-half, late.Holds(0, 1))
	require.Equal(t, g.Holds(0, 0)+half/2+half%2, late.Holds(0, 0))
	require.Equal(t, g.Holds(0, 2), late.Holds(0, 2), "who did not wait gets nothing")
	require.Equal(t, g.Holds(0, 3)+half/2, late.Holds(0, 3))
	require.EqualValues(t, 30, end.Benches[0].Now[ore-1], "the ore is back")
	require.Empty(t, late.Records(namespace))
}

func TestA1_Refusals(t *testing.T) {
	g := game(t, setup(3, 1), 1, nil)
	salt := secret(9, 9)
	const moves = "a move is {tip}, {link}, {craft, salt}, {give, count, to} or {done}"
	g.Refused(0, Craft(0, salt), "wait for the workshop to open")
	g.Refused(0, Done(), "wait for the workshop to open")
	g.Refused(0, OpenWorkshop(salt), "only the workshop shows its chain")
	g.Refused(1, ShowLink(salt), "open the workshop with {tip} first")
	g.Refused(1, Craft(0, salt), "the workshop does not craft, it only shows its chain")
	tip := func(k int) common.Hash { return Chain(1, secret(1, 1), k) }
	g.Must("tip", 1, OpenWorkshop(tip(40)))
	g.Refused(1, OpenWorkshop(tip(40)), "the workshop is open already")
	g.Refused(1, ShowLink(tip(39)), "no craft waits for a roll")
	g.Cases(0, map[string]play.Case{
		"empty": {nil, "the input ends too early"}, "no map": {table.Payload("craft"), "expected a map"},
		"no keys": {table.Payload(map[string]int{}), moves}, "unknown": {table.Payload(map[string]int{"smelt": 1}), moves},
		"no salt":   {table.Payload(map[string]int{"craft": 1}), moves},
		"too many":  {table.Payload(map[string]int{"craft": 1, "salt": 1, "give": 1, "to": 1}), "too many elements"},
		"mixed":     {table.Payload(map[string]int{"craft": 1, "give": 1, "to": 1}), moves},
		"trailing":  {append(Done(), 0), "bytes follow the value"},
		"twice":     {[]byte{0x82, 0xa4, 'd', 'o', 'n', 'e', 1, 0xa4, 'd', 'o', 'n', 'e', 1}, "a field appears twice"},
		"no recipe": {Craft(3, salt), "there is no such recipe"}, "lacks": {Craft(1, salt), "you lack an ingredient"},
		"done 0": {table.Payload(map[string]int{"done": 0}), "to finish is {done: 1}"},
		"item 0": {Give(0, 1, 2), "there is no such item"}, "item 7": {Give(7, 1, 2), "there is no such item"},
		"to self": {Give(ore, 1, 0), "to is the seat of another crafter"}, "to workshop": {Give(ore, 1, 1), "to is the seat of another crafter"},
		"to nobody": {Give(ore, 1, 4), "to is the seat of another crafter"}, "gives none": {Give(ore, 0, 2), "you do not have so many"},
		"gives more": {Give(ore, 31, 2), "you do not have so many"}, "gives far more": {Give(ore, 1<<30, 2), "an integer is too large"},
	})
	g.Must("craft", 0, Craft(0, salt))
	g.Refused(0, Craft(0, salt), "your bench is busy; wait for the workshop")
	g.Refused(0, Done(), "your bench is busy; wait for the workshop")
	g.Refused(1, ShowLink(tip(38)), "this is not the next link of your chain")
	g.Refused(1, ShowLink(tip(40)), "this is not the next link of your chain")
	g.Refused(1, ShowLink(Chain(0, secret(1, 1), 39)), "this is not the next link of your chain")
	g.Must("link", 1, ShowLink(tip(39)))
	require.EqualValues(t, 1, decode(g).Benches[0].Now[ingot-1])
	require.EqualValues(t, 27, decode(g).Benches[0].Now[ore-1])
	g.Refused(1, ShowLink(tip(38)), "no craft waits for a roll")
	g.Must("done", 0, Done())
	g.Refused(0, Craft(0, salt), "you have finished")
	g.Refused(0, Give(ore, 1, 2), "you have finished")
	g.Must("give", 2, Give(ore, 3, 0))
	require.EqualValues(t, 30, decode(g).Benches[0].Now[ore-1], "who has finished can still be given something")
	g.Must("done", 2, Done())
	g.Must("done", 3, Done())
	require.Equal(t, channel.RejectedTerminal, g.Try(0, Done()).Status)
}

func TestAttack29_ForeignStatesAndEvents(t *testing.T) {
	play.Foreign(game(t, setup(3, 0), 1, nil), OpenWorkshop(common.Hash{}))
}

func TestU3_FeesAndRollsRunOut(t *testing.T) {
	s := setup(1, 0)
	c := Config{Items: 2, Rolls: 3, Stock: [][]uint16{{50, 0}}, Recipes: []Recipe{
		{Fee: 7, Needs: [3]Ingredient{{1, 1}}, Common: 2, Fine: 2, Master: 2, FineAt: 1, MasterAt: 1},
		{Needs: [3]Ingredient{{1, 1}}, Common: 2, Fine: 2, Master: 2, FineAt: 1, MasterAt: 1},
	}}
	s.Config = c.wire()
	g := game(t, s, 1, nil)
	chain := func(k int) common.Hash { return Chain(0, secret(1, 0), k) }
	g.Must("tip", 0, OpenWorkshop(chain(3)))
	for k, recipe := range []uint8{0, 0, 1} {
		if k == 2 {
			g.Refused(1, Craft(0, common.Hash{}), "your stake does not cover the fee")
			require.NoError(t, g.TopUp(1, 0, 7).Err(), "stakes can be topped up while the session lasts")
		}
		g.Must("craft", 1, Craft(recipe, common.Hash{}))
		g.Must("link", 0, ShowLink(chain(2-k)))
	}
	require.EqualValues(t, 20_000_000_003+17+7-14*FeeUnit, g.Holds(0, 1))
	g.Refused(1, Craft(1, common.Hash{}), "the workshop has no rolls left")
	g.Must("done", 1, Done())
	require.Equal(t, map[string]int64{"Crafter/1/0/0": 3, "Inventory/1/1/0": -3, "Inventory/1/2/0": 3}, g.Records(namespace))

	s.Assets = 0
	g = game(t, s, 1, nil)
	g.Must("tip", 0, OpenWorkshop(chain(3)))
	g.Refused(1, Craft(0, common.Hash{}), "your stake does not cover the fee")
	g.Must("craft", 1, Craft(1, common.Hash{}))
	g.Must("link", 0, ShowLink(chain(2)))
}

func TestA10_GiftsAreBounded(t *testing.T) {
	g := game(t, setup(2, 0), 1, nil)
	g.Step(kind)
	for k := range 120 {
		from := 1
		if k%2 == 1 {
			from = 2
		}
		g.Must("give", from, Give(ore, 1, uint8(3-from)))
		g.Must("give", 3-from, Give(ore, 1, uint8(from)))
	}
	g.Refused(1, Give(ore, 1, 2), "you have given 120 times, that is all")
	require.EqualValues(t, 30, decode(g).Benches[1].Now[ore-1])
}

// The quality of an item depends on both, the workshop's link and the crafter's salt.
func TestU6_RollsDependOnBoth(t *testing.T) {
	made := map[string]int{}
	for seed := range uint64(40) {
		for _, shop := range []uint64{1, 2} {
			s := setup(1, 0)
			c := config(1)
			c.Stock[0][ingot-1] = 2
			s.Config = c.wire()
			g := game(t, s, shop, nil)
			g.Step(kind)
			g.Must("craft", 1, Craft(1, secret(seed, 5)))
			g.Step(kind)
			now := decode(g).Benches[1].Now
			made[fmt.Sprint(shop, now[sword-1:])]++
		}
	}
	require.Len(t, made, 6, "each workshop's link gives each quality, by the salt: %v", made)
}

func TestA1_GenesisRefused(t *testing.T) {
	m := play.Load(t, "crafting", Wasm)
	with := func(reason string, change func(c *Config)) play.GenesisCase {
		c := config(3)
		change(&c)
		_, err := Genesis{Config: c}.Input()
		require.ErrorIs(t, err, ErrConfig, reason)
		return play.GenesisCase{Config: c.wire(), Reason: reason}
	}
	const big, shape = "an integer is too large", "the configuration is {items, rolls, recipes, stock}"
	play.ErrorsAt(t, m, setup(3, 0), map[string]play.GenesisCase{
		"no items": with("there are 1 to 16 items", func(c *Config) { c.Items = 0 }), "items": with(big, func(c *Config) { c.Items = 17 }),
		"records":  with("crafters times items + 1 is at most 22", func(c *Config) { c.Items = 7 }),
		"no rolls": with("rolls is 1 to 120", func(c *Config) { c.Rolls = 0 }), "rolls": with(big, func(c *Config) { c.Rolls = 121 }),
		"no recipes":  with("expected an array", func(c *Config) { c.Recipes = nil }),
		"recipes":     with("too many elements", func(c *Config) { c.Recipes = make([]Recipe, 17) }),
		"row":         with("a row of stock has one number for each item", func(c *Config) { c.Stock[1] = c.Stock[1][1:] }),
		"stock":       with(big, func(c *Config) { c.Stock[1][2] = 10001 }),
		"nothing":     with("nothing is made of nothing", func(c *Config) { c.Recipes[0].Needs = [3]Ingredient{} }),
		"half":        with("an ingredient has an item and a count", func(c *Config) { c.Recipes[0].Needs[1].Item = 1 }),
		"twice":       with("an ingredient appears twice", func(c *Config) { c.Recipes[0].Needs[2] = c.Recipes[0].Needs[0] }),
		"other item":  with(big, func(c *Config) { c.Recipes[0].Needs[1] = Ingredient{7, 1} }),
		"count":       with(big, func(c *Config) { c.Recipes[0].Needs[1] = Ingredient{2, 100} }),
		"product":     with(big, func(c *Config) { c.Recipes[0].Master = 7 }),
		"fine 0":      with("fineAt is at least 1 and not above masterAt", func(c *Config) { c.Recipes[0].FineAt = 0 }),
		"fine later":  with("fineAt is at least 1 and not above masterAt", func(c *Config) { c.Recipes[1].FineAt = 91 }),
		"master late": with(big, func(c *Config) { c.Recipes[1].MasterAt = 102 }),
		"shape":       {table.World{}, shape}, "none": {map[string]int{}, shape}, "no map": {1, "expected a map"},
	})
	rows := setup(2, 0)
	play.ErrorsAt(t, m, rows, map[string]play.GenesisCase{"rows": {config(3).wire(), "stock has one row for each crafter"}})
	_, err := Genesis{Config: config(7)}.Input()
	require.NoError(t, err)
	rows.Seats = 9
	play.ErrorsAt(t, m, rows, map[string]play.GenesisCase{"nine": {config(3).wire(), "wrong number of participants for this game"}})
}

// Any payload by anyone at any time is accepted by the rules or refused by them, and keeps the items.
func FuzzPayload(f *testing.F) {
	var stages []*play.Game
	g := game(f, setup(3, 1), 1, nil)
	for stage := range byte(12) {
		stages = append(stages, g.Fork())
		for seat := range byte(4) {
			f.Add(stage, seat, Give(ore, 2, seat))
			f.Add(stage, seat, Craft(stage%4, common.Hash{}))
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
	g := game(f, setup(3, 1), 1, nil)
	for range 9 {
		f.Add(g.State.Bytes())
		g.Step(kind)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		s, err := Decode(state)
		if err != nil {
			require.ErrorIs(t, err, table.ErrState)
			return
		}
		for seat := range uint8(s.Seats()) {
			NewBot(seat, common.Hash{}).Next(state)
		}
	})
}
