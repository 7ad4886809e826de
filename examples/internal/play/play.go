// Package play drives games of the examples through the protocol's δ and the metered engine, for their tests: it checks
// the sums at every step, counts payload bytes, and keeps the most fuel that each kind of call took.
package play

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/internal/table"
)

// Update says that golden files are to be written: go test -update.
var Update = flag.Bool("update", false, "rewrite the golden files in testdata")

// StartTime is the time of the first event that no test has set.
const StartTime = 1_700_000_000

var (
	compiler    = sync.OnceValues(func() (*derivation.Engine, error) { return derivation.NewEngine(derivation.Config{}) })
	interpreter = sync.OnceValues(func() (*derivation.Engine, error) {
		return derivation.NewEngine(derivation.Config{}.WithInterpreter())
	})
)

// Long scales what a test plays: CHANNELS_LONG=1 plays thirty times as much.
func Long(n int) int {
	if os.Getenv("CHANNELS_LONG") != "" {
		return 30 * n
	}
	return n
}

// Load gives the module of NAME.wasm and NAME.manifest.json in the current directory; wasm must be the same bytes.
func Load(tb testing.TB, name string, wasm []byte) *derivation.Module {
	tb.Helper()
	e, err := compiler()
	require.NoError(tb, err)
	return load(tb, e, name, wasm)
}

func load(tb testing.TB, e *derivation.Engine, name string, wasm []byte) *derivation.Module {
	tb.Helper()
	raw, err := os.ReadFile(name + derivation.ManifestSuffix)
	require.NoError(tb, err)
	var o derivation.Options
	require.NoError(tb, json.Unmarshal(raw, &o))
	m, err := e.Load(wasm, o)
	require.NoError(tb, err)
	fromFile, err := derivation.NewLibrary(e).AddFile(name + ".wasm")
	require.NoError(tb, err)
	require.Equal(tb, m.Hash(), fromFile.Hash())
	return m
}

// BothEngines plays the same game on the compiler and on the interpreter: the same states and the same fuel. It gives the
// first of the two.
func BothEngines(tb testing.TB, name string, wasm []byte, finish func(m channel.Module, fuel map[string]uint64) *Game) *Game {
	tb.Helper()
	e, err := interpreter()
	require.NoError(tb, err)
	fuel, other := map[string]uint64{}, map[string]uint64{}
	a, b := finish(Load(tb, name, wasm), fuel), finish(load(tb, e, name, wasm), other)
	require.Equal(tb, a.State.Hash(), b.State.Hash())
	require.Equal(tb, a.Rules.Module.Effects(a.State.Bytes()), b.Rules.Module.Effects(b.State.Bytes()))
	require.NotEmpty(tb, fuel)
	require.Equal(tb, fuel, other)
	return a
}

// Foreign gives the module states and events that the shell would never give: it refuses them, and relies on nothing that
// the shell checks before it. payload is one that the seat 0 may author now.
func Foreign(g *Game, payload []byte) {
	shape := g.Rules.Shape()
	event := append(make([]byte, 32), payload...)
	event[2], event[3], event[4] = byte(shape.Participants), byte(shape.Assets), byte(shape.Holders())
	state := g.State.Bytes()
	require.Equal(g.TB, channel.Accepted, g.Rules.Module.Reduce(state, event).Status)
	app := len(state) - len(g.State.App)
	for name, change := range map[string]func(s, e []byte) ([]byte, []byte){
		"no event":      func(s, _ []byte) ([]byte, []byte) { return s, nil },
		"cut event":     func(s, e []byte) ([]byte, []byte) { return s, e[:31] },
		"no state":      func(_, e []byte) ([]byte, []byte) { return nil, e },
		"cut state":     func(s, e []byte) ([]byte, []byte) { return s[:len(s)-1], e },
		"longer state":  func(s, e []byte) ([]byte, []byte) { return append(s, 0), e },
		"version":       func(s, e []byte) ([]byte, []byte) { s[app]++; return s, e },
		"state's seats": func(s, e []byte) ([]byte, []byte) { s[app+3] = 255; return s, e },
		"more seats":    func(s, e []byte) ([]byte, []byte) { e[2]++; return s, e },
		"more assets":   func(s, e []byte) ([]byte, []byte) { e[3] = 255; return s, e },
		"fewer columns": func(s, e []byte) ([]byte, []byte) { e[4] = 1; return s, e },
		"no such seat":  func(s, e []byte) ([]byte, []byte) { e[1] = e[2]; return s, e },
	} {
		s, e := change(append([]byte(nil), state...), append([]byte(nil), event...))
		r := g.Rules.Module.Reduce(s, e)
		require.Equal(g.TB, channel.RejectedByModule, r.Status, "%s: %s", name, r.Reason)
		if name != "no event" && name != "cut event" && name != "no such seat" && name != "more seats" && name != "more assets" && name != "fewer columns" {
			require.Equal(g.TB, channel.RejectedByModule, g.Rules.Module.Effects(s).Status, name)
		}
	}
}

// Setup is a channel before it begins.
type Setup struct {
	Seats, Sequencer, Beneficiaries, Assets int
	World                                   table.World
	Config                                  any
	Input                                   []byte                       // genesis input, if it is not made of World and Config
	Stake                                   func(asset, seat int) uint64 // by default odd amounts, so that nothing divides
}

// Address makes an address of a number.
func Address(n uint64) common.Address { return common.BigToAddress(new(big.Int).SetUint64(n)) }

// Owner is the wallet of a seat in every game of these tests.
func Owner(seat int) common.Address { return Address(uint64(0xA000 + seat)) }

// World is a world with a namespace.
func World(namespace string) table.World {
	return table.World{Settlement: Address(0x5E), World: Address(0x30), NamespaceID: table.NamespaceID(namespace)}
}

// Rules are the channel's, and its genesis input.
func (s Setup) Rules(tb testing.TB, m channel.Module) (*channel.Rules, []byte) {
	tb.Helper()
	input := s.Input
	if input == nil {
		var err error
		input, err = s.World.Input(s.Config)
		require.NoError(tb, err)
	}
	return s.RulesFor(tb, m, input), input
}

// RulesFor are the channel's rules for any genesis input.
func (s Setup) RulesFor(tb testing.TB, m channel.Module, input []byte) *channel.Rules {
	tb.Helper()
	p := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: Address(0xAD), Nonce: 7, Window: 3600, ForceQuota: channel.MaxForceQuota,
		Sequencer: uint8(s.Sequencer), ModuleHash: m.Manifest().Hash(), GenesisHash: crypto.Keccak256Hash(input), FundingDeadline: 1_800_000_000,
	}
	for i := range s.Seats {
		p.Participants = append(p.Participants, channel.Participant{Signer: Address(uint64(0x100 + i)), Owner: Owner(i)})
	}
	for i := range s.Beneficiaries {
		p.Beneficiaries = append(p.Beneficiaries, Address(uint64(0xB000+i)))
	}
	stake := s.Stake
	if stake == nil {
		stake = func(asset, seat int) uint64 { return uint64(1_000_003 + 17*seat + 1009*asset) }
	}
	var f channel.Funding
	for a := range s.Assets {
		st := channel.Stake{Asset: Address(uint64(a))}
		for i := range s.Seats {
			st.Amounts = append(st.Amounts, *uint256.NewInt(stake(a, i)))
		}
		f = append(f, st)
	}
	p.FundingHash = f.Hash()
	r, err := channel.NewRules(p, f, m)
	require.NoError(tb, err)
	return r
}

// Player decides what a seat authors on a state (header ‖ funds ‖ app); ok is false when it owes nothing.
type Player interface {
	Next(state []byte) (payload []byte, ok bool)
}

// Game is a channel in progress.
type Game struct {
	TB      testing.TB
	Rules   *channel.Rules
	State   *channel.State
	Seq     uint64
	Time    uint64 // of the next event; grows by one with each
	Players []Player
	Payload int               // bytes of all accepted payloads
	Fuel    map[string]uint64 // the most that a kind of call took; shared between games that are given one map
}

// New begins a game. fuel may be nil.
func New(tb testing.TB, m channel.Module, s Setup, players []Player, fuel map[string]uint64) *Game {
	tb.Helper()
	rules, input := s.Rules(tb, m)
	if fuel == nil {
		fuel = map[string]uint64{}
	}
	g := &Game{TB: tb, Rules: rules, Time: StartTime, Players: players, Fuel: fuel}
	var v channel.Verdict
	g.State, v = rules.Genesis(input)
	require.NoError(tb, v.Err())
	g.spent("init", v.Fuel)
	g.sums()
	return g
}

// Fork is the same game, to be continued in another way.
func (g *Game) Fork() *Game {
	c := *g
	r := *g.Rules
	c.Rules = &r
	return &c
}

func (g *Game) spent(kind string, fuel uint64) { g.Fuel[kind] = max(g.Fuel[kind], fuel) }

// sums checks that what all hold is what was paid in.
func (g *Game) sums() {
	shape := g.Rules.Shape()
	for a, pot := range g.Rules.Pot(g.State.Header.TopUps) {
		sum := new(uint256.Int)
		for p := range shape.Holders() {
			v := g.State.Amount(shape, a, p)
			sum.Add(sum, &v)
		}
		require.True(g.TB, sum.Eq(&pot), "asset %d: %s of %s", a, sum, &pot)
	}
}

// Try applies a payload and says how δ judged it; the game goes on from the new state if it was accepted.
func (g *Game) Try(seat int, payload []byte) channel.Verdict {
	e := &channel.Event{ChannelID: g.Rules.ID(), Author: uint8(seat), Timestamp: g.Time, Payload: payload}
	if seat < len(g.State.Header.Nonces) {
		e.Nonce = g.State.Header.Nonces[seat] + 1
	}
	next, v := g.Rules.Apply(g.State, g.Seq+1, e)
	if v.Status == channel.Accepted {
		g.State = next
		g.Seq++
		g.Time++
		g.Payload += len(payload)
		g.sums()
	}
	return v
}

// Must is Try that has to be accepted; kind names the call in the table of fuel.
func (g *Game) Must(kind string, seat int, payload []byte) {
	g.TB.Helper()
	v := g.Try(seat, payload)
	require.NoError(g.TB, v.Err())
	g.spent(kind, v.Fuel)
}

// Refused is Try that the module has to reject with a reason, which ends in `reason`; the state is the same after.
func (g *Game) Refused(seat int, payload []byte, reason string) {
	g.TB.Helper()
	before := g.State
	v := g.Try(seat, payload)
	require.Equal(g.TB, channel.RejectedByModule, v.Status, v.Text())
	_, said, _ := strings.Cut(v.Reason, ": ")
	require.Equal(g.TB, reason, said)
	require.Same(g.TB, before, g.State)
}

// Step lets the first player that owes something move, and says who. No bot's move may be refused.
func (g *Game) Step(kind func(payload []byte) string) (seat int, ok bool) {
	g.TB.Helper()
	state := g.State.Bytes()
	for i, p := range g.Players {
		if payload, ok := p.Next(state); ok {
			g.Must(kind(payload), i, payload)
			return i, true
		}
	}
	return 0, false
}

// Finish plays to the end, at most `most` events.
func (g *Game) Finish(most int, kind func(payload []byte) string) {
	g.TB.Helper()
	for range most {
		if _, ok := g.Step(kind); !ok {
			break
		}
	}
	require.True(g.TB, g.State.Header.Terminal, "the game did not end")
}

// Timeout is the game after the chain's timeout event at a time.
func (g *Game) Timeout(at uint64) *Game {
	g.TB.Helper()
	c := g.Fork()
	next, v := c.Rules.Timeout(c.State, c.Seq+1, at)
	require.NoError(g.TB, v.Err())
	require.True(g.TB, next.Header.Terminal, "a timeout ends every game")
	c.State = next
	c.spent("timeout", v.Fuel)
	c.sums()
	return c
}

// TopUp raises a stake.
func (g *Game) TopUp(seat, asset int, amount uint64) channel.Verdict {
	g.TB.Helper()
	index := len(g.Rules.TopUps)
	g.Rules.TopUps = append(g.Rules.TopUps[:index:index], channel.TopUp{
		Index: uint32(index), Participant: uint8(seat), Asset: uint8(asset), Amount: *uint256.NewInt(amount),
	})
	next, v := g.Rules.ApplyTopUp(g.State, g.Seq+1)
	if v.Status == channel.Accepted {
		g.State = next
		g.Seq++
		g.sums()
	} else {
		g.Rules.TopUps = g.Rules.TopUps[:index]
	}
	return v
}

// Holds is what a holder has of an asset.
func (g *Game) Holds(asset, holder int) uint64 {
	v := g.State.Amount(g.Rules.Shape(), asset, holder)
	require.True(g.TB, v.IsUint64())
	return v.Uint64()
}

// Records are the increments of a terminal state by "Table/owner's seat/item/field"; a table without an item has 0.
func (g *Game) Records(namespace string) map[string]int64 {
	g.TB.Helper()
	effects, v := g.Rules.Effects(g.State)
	require.NoError(g.TB, v.Err())
	g.spent("effects", v.Fuel)
	out := map[string]int64{}
	for _, e := range effects {
		require.Equal(g.TB, uint8(channel.EffectIncrement), e.Op)
		prefix := table.TableID(namespace, "")
		require.Equal(g.TB, prefix[:16], e.ResourceID[:16])
		require.Len(g.TB, e.Data, 64)
		owner := common.BytesToAddress(e.Key[0][12:])
		seat := slices.IndexFunc([]int{0, 1, 2, 3, 4, 5, 6, 7}, func(i int) bool { return Owner(i) == owner })
		item := uint64(0)
		if len(e.Key) == 2 {
			item = e.Key[1].Big().Uint64()
		}
		delta := new(uint256.Int).SetBytes(e.Data[32:])
		value := int64(delta.Uint64())
		require.True(g.TB, new(uint256.Int).SetUint64(uint64(value)).Eq(delta) || value < 0 && new(uint256.Int).Neg(uint256.NewInt(uint64(-value))).Eq(delta))
		require.NotZero(g.TB, value)
		name := fmt.Sprintf("%s/%d/%d/%d", strings.TrimRight(string(e.ResourceID[16:]), "\x00"), seat, item, new(uint256.Int).SetBytes(e.Data[:32]).Uint64())
		require.NotContains(g.TB, out, name)
		out[name] = value
	}
	return out
}

// Golden compares text with testdata/name, or writes it with -update.
func Golden(tb testing.TB, name, text string) {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *Update {
		require.NoError(tb, os.MkdirAll("testdata", 0o755))
		require.NoError(tb, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(tb, err, "run go test with -update")
	require.Equal(tb, string(want), text, "%s: run go test with -update if the change is meant", path)
}

// FuelTable holds all figures against the budget of a call, and those of everyday runs against testdata/fuel.txt and
// README.md.
func FuelTable(tb testing.TB, fuel map[string]uint64) {
	tb.Helper()
	var golden, rows strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(fuel)) {
		require.Less(tb, fuel[kind], uint64(derivation.DefaultFuelLimit), kind)
		fmt.Fprintf(&golden, "%s %d\n", kind, fuel[kind])
		fmt.Fprintf(&rows, "| %s | %d |\n", kind, fuel[kind])
	}
	if Long(1) > 1 { // other games than those of the table
		return
	}
	Golden(tb, "fuel.txt", golden.String())
	readme, err := os.ReadFile("README.md")
	require.NoError(tb, err)
	if *Update {
		old := regexp.MustCompile(`(?s)(\| call \| most fuel \|\n\|---\|---\|\n).*?(\n[^|]|$)`)
		readme = old.ReplaceAll(readme, []byte("${1}"+strings.TrimSuffix(rows.String(), "\n")+"${2}"))
		require.NoError(tb, os.WriteFile("README.md", readme, 0o644))
	}
	require.Contains(tb, string(readme), "| call | most fuel |\n|---|---|\n"+rows.String(), "run go test with -update")
}

// BuiltFromSource checks that NAME.wasm is what examples/build.mjs makes of assembly/, and integer-only.
func BuiltFromSource(tb testing.TB, name string, wasm []byte) {
	tb.Helper()
	if _, err := os.Stat("../../node_modules/assemblyscript"); err != nil {
		tb.Skip("the module was NOT compared with its source: the AssemblyScript compiler is missing, run `make deps`")
	}
	out := filepath.Join(tb.TempDir(), "out.wasm")
	text, err := exec.Command("node", "../build.mjs", name, out).CombinedOutput()
	require.NoError(tb, err, string(text))
	built, err := os.ReadFile(out)
	require.NoError(tb, err)
	require.Equal(tb, wasm, built, "the source was changed without running node examples/build.mjs %s", name)
}

// NoTrap says that a verdict is one that rules give: accepted, or refused with a reason.
func NoTrap(tb testing.TB, v channel.Verdict) {
	tb.Helper()
	switch v.Status {
	case channel.Accepted, channel.RejectedByModule, channel.RejectedAuthor, channel.RejectedOversize, channel.RejectedTerminal:
	default:
		require.Fail(tb, v.Text())
	}
}

// Cases refuse each payload by a seat with its reason.
func (g *Game) Cases(seat int, cases map[string]Case) {
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		g.TB.Log(name)
		g.Refused(seat, cases[name].Payload, cases[name].Reason)
	}
}

// Case is a payload that is to be refused.
type Case = struct {
	Payload []byte
	Reason  string
}

// ErrorsAt runs genesis inputs that init has to refuse.
func ErrorsAt(tb testing.TB, m channel.Module, s Setup, cases map[string]GenesisCase) {
	tb.Helper()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		input, err := s.World.Input(c.Config)
		require.NoError(tb, err)
		_, v := s.RulesFor(tb, m, input).Genesis(input)
		require.Equal(tb, channel.RejectedByModule, v.Status, "%s: %s", name, v.Text())
		_, said, _ := strings.Cut(v.Reason, ": ")
		require.Equal(tb, c.Reason, said, name)
	}
}

// GenesisCase is a configuration that is to be refused.
type GenesisCase = struct {
	Config any
	Reason string
}
