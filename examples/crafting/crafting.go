// Package crafting is a crafting session in a channel, with items that the module verifies: the module, payloads, the
// state, and bots. The rules are in README.md, the module's source in assembly/.
//
// The head of a state is drawn in examples/internal/table. The game's own bytes of the head are the number of items, of
// recipes, the workshop's seat, the links of its chain, how many it has shown, and the seats that are done (bits). After the
// owners come the last link (32), the recipes, 16 bytes each, and a bench for each seat, 40 bytes and 8 for each item:
//
//	recipe  fee (4), three times item and count (6), common, fine, master (3), fineAt, masterAt (2), zero
//	bench   recipe in progress + 1, gifts, zero (2), crafts (4), salt (32), then for each item how many at first (4), now (4)
package crafting

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/examples/internal/table"
)

// Wasm is the module, as examples/build.mjs builds it from assembly/.
//
//go:embed crafting.wasm
var Wasm []byte

// FeeUnit is what one unit of a recipe's fee is of the first asset.
const FeeUnit = 1_000_000_000

const (
	version    = 0x23
	recipeSize = 16
	benchSize  = 40
	itemSize   = 8

	maxItems   = 16
	maxRolls   = 120
	maxRecipes = 16
	maxStock   = 10000
	maxNeeded  = 99
	never      = 101
	maxRecords = 22
)

// ErrConfig says that the module would refuse a configuration.
var ErrConfig = errors.New("crafting: configuration out of bounds")

// Phase is what the session waits for.
type Phase uint8

const (
	Open Phase = 0 // the workshop commits to its chain
	Work Phase = 1
	Over Phase = table.Over
)

// Outcome is how a session ended.
type Outcome uint8

const (
	Undecided Outcome = iota
	Closed            // everyone has finished, or nobody moved while nothing was owed
	Abandoned         // the workshop owed a link and fell silent
	CalledOff         // the workshop never opened
)

// Ingredient is an item, counted from 1, and how many of it a craft takes, at most 99.
type Ingredient struct{ Item, Count uint8 }

// Recipe makes one item of up to three ingredients. A roll of 1 to 100 decides which: Common, from FineAt on Fine, from
// MasterAt on Master; item 0 is nothing, and 101 is never reached.
type Recipe struct {
	Fee                  uint32 // for the workshop, in FeeUnit
	Needs                [3]Ingredient
	Common, Fine, Master uint8
	FineAt, MasterAt     uint8 // 1 to 101, FineAt not above MasterAt
}

// Config is a session: 1 to 16 items, a chain of 1 to 120 rolls, 1 to 16 recipes, and what each crafter has at first, in
// the order of seats without the workshop's. crafters · (items + 1) is at most 22.
type Config struct {
	Items   uint8
	Rolls   uint8
	Recipes []Recipe
	Stock   [][]uint16
}

type wireConfig struct {
	Items   uint8        `msgpack:"items"`
	Rolls   uint8        `msgpack:"rolls"`
	Recipes [][12]uint32 `msgpack:"recipes"`
	Stock   [][]uint16   `msgpack:"stock"`
}

func (c Config) wire() wireConfig {
	w := wireConfig{Items: c.Items, Rolls: c.Rolls, Stock: c.Stock}
	for _, r := range c.Recipes {
		row := [12]uint32{r.Fee, 7: uint32(r.Common), 8: uint32(r.Fine), 9: uint32(r.Master), 10: uint32(r.FineAt), 11: uint32(r.MasterAt)}
		for k, n := range r.Needs {
			row[1+2*k], row[2+2*k] = uint32(n.Item), uint32(n.Count)
		}
		w.Recipes = append(w.Recipes, row)
	}
	return w
}

// check says what the module would refuse.
func (c Config) check() error {
	if c.Items == 0 || c.Items > maxItems || c.Rolls == 0 || c.Rolls > maxRolls || len(c.Recipes) == 0 || len(c.Recipes) > maxRecipes ||
		len(c.Stock) == 0 || len(c.Stock)*(int(c.Items)+1) > maxRecords {
		return fmt.Errorf("%w: %d items, %d rolls, %d recipes, %d crafters", ErrConfig, c.Items, c.Rolls, len(c.Recipes), len(c.Stock))
	}
	for i, row := range c.Stock {
		if len(row) != int(c.Items) {
			return fmt.Errorf("%w: row %d of the stock has %d numbers", ErrConfig, i, len(row))
		}
		for _, n := range row {
			if n > maxStock {
				return fmt.Errorf("%w: row %d of the stock has %d of an item, allowed are %d", ErrConfig, i, n, maxStock)
			}
		}
	}
	for i, r := range c.Recipes {
		seen := map[uint8]bool{}
		bad := r.Common > c.Items || r.Fine > c.Items || r.Master > c.Items || r.FineAt == 0 || r.FineAt > r.MasterAt || r.MasterAt > never
		for _, n := range r.Needs {
			bad = bad || (n.Item == 0) != (n.Count == 0) || n.Item > c.Items || n.Count > maxNeeded || n.Item != 0 && seen[n.Item]
			seen[n.Item] = true
		}
		delete(seen, 0)
		if bad || len(seen) == 0 {
			return fmt.Errorf("%w: recipe %d: %+v", ErrConfig, i, r)
		}
	}
	return nil
}

// Genesis is a session and where its outcome goes.
type Genesis struct {
	World  table.World
	Config Config
}

// Input is the channel's genesis input. It fails with ErrConfig.
func (g Genesis) Input() ([]byte, error) {
	if err := g.Config.check(); err != nil {
		return nil, err
	}
	return g.World.Input(g.Config.wire())
}

// OpenWorkshop commits the workshop to its chain (Chain).
func OpenWorkshop(tip common.Hash) []byte { return table.Payload(map[string][]byte{"tip": tip[:]}) }

// ShowLink finishes every craft in progress.
func ShowLink(link common.Hash) []byte { return table.Payload(map[string][]byte{"link": link[:]}) }

// Craft begins a craft; the salt must be fresh.
func Craft(recipe uint8, salt common.Hash) []byte {
	return table.Payload(struct {
		Craft uint8  `msgpack:"craft"`
		Salt  []byte `msgpack:"salt"`
	}{recipe, salt[:]})
}

// Give hands items to another crafter.
func Give(item uint8, count uint32, to uint8) []byte {
	return table.Payload(struct {
		Give  uint8  `msgpack:"give"`
		Count uint32 `msgpack:"count"`
		To    uint8  `msgpack:"to"`
	}{item, count, to})
}

// Done says that the author has finished; the session ends when every crafter has.
func Done() []byte { return table.Payload(map[string]uint8{"done": 1}) }

// Chain is the workshop's: link 0 is the secret, link k = keccak256(seat ‖ link k−1); the tip is link `rolls`, and the
// n-th roll, from 1, shows link rolls − n. The secret must be fresh for each channel.
func Chain(seat uint8, secret common.Hash, k int) common.Hash {
	link := secret
	for range k {
		link = crypto.Keccak256Hash([]byte{seat}, link[:])
	}
	return link
}

// Bench is one seat's; the workshop's stays empty.
type Bench struct {
	Busy   uint8 // 1 + the recipe in progress
	Gifts  uint8 // how often it has given something away
	Crafts uint32
	Salt   common.Hash
	First  []uint32 // of each item, counted from 0 here
	Now    []uint32
	Done   bool
}

// State is a session at one point of its journal.
type State struct {
	*table.Head
	Phase       Phase
	Outcome     Outcome
	Workshop    uint8
	Items       uint8
	Rolls, Used uint8
	Link        common.Hash
	Recipes     []Recipe
	Benches     []Bench
}

// Decode reads the end of a State (header ‖ funds ‖ app). It fails with table.ErrState.
func Decode(state []byte) (*State, error) {
	h, err := table.Open(state, version)
	if err != nil {
		return nil, fmt.Errorf("crafting: %w", err)
	}
	f := h.Fields
	s := &State{Head: h, Phase: Phase(h.Phase), Outcome: Outcome(h.Outcome), Items: f[0], Workshop: f[2], Rolls: f[3], Used: f[4]}
	recipes, bench := int(f[1]), benchSize+itemSize*int(s.Items)
	if s.Items == 0 || s.Items > maxItems || recipes == 0 || recipes > maxRecipes || int(s.Workshop) >= h.Seats() || h.Seats() > 8 || s.Used > s.Rolls ||
		len(h.Rest) != 32+recipes*recipeSize+h.Seats()*bench || s.Outcome > CalledOff || s.Phase > Work && s.Phase != Over {
		return nil, fmt.Errorf("crafting: %w: %d items, %d recipes, %d bytes", table.ErrState, s.Items, recipes, len(h.Rest))
	}
	s.Link = common.Hash(h.Rest[:32])
	for i := range recipes {
		b := h.Rest[32+i*recipeSize:]
		r := Recipe{Fee: binary.LittleEndian.Uint32(b), Common: b[10], Fine: b[11], Master: b[12], FineAt: b[13], MasterAt: b[14]}
		for k := range r.Needs {
			r.Needs[k] = Ingredient{b[4+2*k], b[5+2*k]}
			if n := r.Needs[k]; n.Item > s.Items || (n.Item == 0) != (n.Count == 0) {
				return nil, fmt.Errorf("crafting: %w: recipe %d needs %d of item %d", table.ErrState, i, n.Count, n.Item)
			}
		}
		s.Recipes = append(s.Recipes, r)
	}
	for i := range h.Seats() {
		b := h.Rest[32+recipes*recipeSize+i*bench:]
		seat := Bench{Busy: b[0], Gifts: b[1], Crafts: binary.LittleEndian.Uint32(b[4:]), Salt: common.Hash(b[8:40]), Done: f[5]>>i&1 == 1}
		if int(seat.Busy) > recipes {
			return nil, fmt.Errorf("crafting: %w: seat %d crafts recipe %d", table.ErrState, i, seat.Busy)
		}
		for k := range int(s.Items) {
			at := b[benchSize+itemSize*k:]
			seat.First = append(seat.First, binary.LittleEndian.Uint32(at))
			seat.Now = append(seat.Now, binary.LittleEndian.Uint32(at[4:]))
		}
		s.Benches = append(s.Benches, seat)
	}
	return s, nil
}

// Lacks says whether a bench misses an ingredient of a recipe.
func (s *State) Lacks(seat int, recipe int) bool {
	for _, n := range s.Recipes[recipe].Needs {
		if n.Count > 0 && s.Benches[seat].Now[n.Item-1] < uint32(n.Count) {
			return true
		}
	}
	return false
}
