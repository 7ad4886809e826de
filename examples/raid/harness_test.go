package raid

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

var errReject = errors.New("reject")

// host runs the module as docs/encoding.md 21-24 says, on a fresh instance for each call.
type host struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	reason   string
}

func newHost(tb testing.TB) *host {
	ctx := context.Background()
	h := &host{runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2&^api.CoreFeatureSIMD&^api.CoreFeatureReferenceTypes).WithMemoryLimitPages(PageLimit))}
	tb.Cleanup(func() { _ = h.runtime.Close(ctx) })
	_, err := h.runtime.NewHostModuleBuilder("channels").
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, ptr, size, out uint32) {
		b, ok := m.Memory().Read(ptr, size)
		if !ok || !m.Memory().Write(out, crypto.Keccak256(b)) {
			panic("keccak256 outside of the memory")
		}
	}).Export("keccak256").
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, ptr, size uint32) {
		b, ok := m.Memory().Read(ptr, size)
		if !ok || size > 256 {
			panic("reject outside of the memory or with too long a text")
		}
		h.reason = string(b)
		panic(errReject)
	}).Export("reject").Instantiate(ctx)
	require.NoError(tb, err)
	h.compiled, err = h.runtime.CompileModule(ctx, Wasm)
	require.NoError(tb, err)
	return h
}

func (h *host) call(name string, inputs ...[]byte) channel.Result {
	ctx := context.Background()
	m, err := h.runtime.InstantiateModule(ctx, h.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		panic(err)
	}
	defer m.Close(ctx)
	var args []uint64
	for _, in := range inputs {
		r, err := m.ExportedFunction("allocate").Call(ctx, uint64(len(in)))
		if err != nil || !m.Memory().Write(uint32(r[0]), in) {
			panic("allocate failed")
		}
		args = append(args, r[0], uint64(len(in)))
	}
	r, err := m.ExportedFunction(name).Call(ctx, args...)
	switch {
	case errors.Is(err, errReject):
		return channel.Result{Status: channel.RejectedByModule, Reason: h.reason}
	case err != nil:
		return channel.Result{Status: channel.RejectedTrap, Reason: err.Error()}
	}
	out, ok := m.Memory().Read(uint32(r[0]>>32), uint32(r[0]))
	if !ok {
		return channel.Result{Status: channel.RejectedOutput}
	}
	return channel.Result{Output: append([]byte(nil), out...)}
}

func (h *host) Manifest() channel.Manifest {
	return channel.Manifest{ProgramHash: crypto.Keccak256Hash(Wasm), FuelLimit: 1 << 20, PageLimit: PageLimit, MaxEvents: MaxEvents}
}
func (h *host) Init(input []byte) channel.Result          { return h.call("init", input) }
func (h *host) Reduce(state, event []byte) channel.Result { return h.call("reduce", state, event) }
func (h *host) Effects(state []byte) channel.Result       { return h.call("effects", state) }

// setup is a raid before it begins.
type setup struct {
	heroes        int
	keeper        int
	beneficiaries int
	assets        int
	config        Config
	noWorld       bool
	owners        func(seat int) common.Address    // by default all different
	loot          func(seat int, item Item) uint32 // what owners have in the World; set: the channel is played for a ticket
	stake         func(asset, seat int) uint64     // by default odd amounts, so that nothing divides
}

func owner(seat int) common.Address {
	return common.BigToAddress(uint256.NewInt(uint64(0xA000 + seat)).ToBig())
}

func (s setup) owner(seat int) common.Address {
	if s.owners != nil {
		return s.owners(seat)
	}
	return owner(seat)
}

func address(n uint64) common.Address { return common.BigToAddress(uint256.NewInt(n).ToBig()) }

const testDungeon = 7

var ticketSeed = crypto.Keccak256Hash([]byte("the hash of a later block"))

func (s setup) genesis(tb testing.TB, m channel.Module) Genesis {
	g := Genesis{}
	if !s.noWorld {
		g.Settlement, g.World, g.NamespaceID = address(0x5E), address(0x30), NamespaceID(Namespace)
	}
	if s.loot == nil {
		g.Config = s.config
		return g
	}
	dungeon, err := DungeonRecord(Namespace, testDungeon, s.config)
	require.NoError(tb, err)
	g.Dungeon, g.Records = testDungeon, []Record{dungeon}
	var owners []common.Address
	for seat := range s.heroes + 1 {
		owners = append(owners, s.owner(seat))
		for item := Potion; item <= Shield && seat != s.keeper; item++ {
			g.Records = append(g.Records, LootRecord(Namespace, s.owner(seat), item, s.loot(seat, item)))
		}
	}
	g.Ticket = &Ticket{
		Number: *uint256.NewInt(3), World: g.World, NamespaceID: g.NamespaceID, ModuleHash: m.Manifest().Hash(),
		ConfigHash: DungeonConfigHash(testDungeon), Revision: 2, Block: *uint256.NewInt(1234), OwnersHash: OwnersHash(owners), Seed: ticketSeed,
	}
	g.seal()
	return g
}

// seal makes the ticket one for the records of g, as Tickets.enter does.
func (g *Genesis) seal() {
	g.Ticket.Snapshot = SnapshotHash(g.Ticket.World, &g.Ticket.Block, g.Records)
}

func (s setup) input(tb testing.TB, m channel.Module) []byte {
	input, err := s.genesis(tb, m).Input()
	require.NoError(tb, err)
	return input
}

func (s setup) rules(tb testing.TB, h channel.Module) *channel.Rules {
	return s.rulesOf(tb, h, s.input(tb, h))
}

// rulesOf are the rules for any genesis input.
func (s setup) rulesOf(tb testing.TB, h channel.Module, input []byte) *channel.Rules {
	p := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: address(0xAD), Nonce: 7, Window: 3600, ForceQuota: MaxEvents,
		Sequencer: uint8(s.keeper), ModuleHash: h.Manifest().Hash(), FundingDeadline: 1_800_000_000,
	}
	for i := range s.heroes + 1 {
		p.Participants = append(p.Participants, channel.Participant{Signer: address(uint64(0x100 + i)), Owner: s.owner(i)})
	}
	for i := range s.beneficiaries {
		p.Beneficiaries = append(p.Beneficiaries, address(uint64(0xB000+i)))
	}
	stake := s.stake
	if stake == nil {
		stake = func(asset, seat int) uint64 { return uint64(1_000_003 + 17*seat + 1009*asset) }
	}
	var f channel.Funding
	for a := range s.assets {
		st := channel.Stake{Asset: address(uint64(a))}
		for i := range s.heroes + 1 {
			st.Amounts = append(st.Amounts, *uint256.NewInt(stake(a, i)))
		}
		f = append(f, st)
	}
	p.FundingHash = f.Hash()
	p.GenesisHash = crypto.Keccak256Hash(input)
	r, err := channel.NewRules(p, f, h)
	require.NoError(tb, err)
	return r
}

func defaultSetup() setup { return setup{heroes: 2, assets: 1, config: DefaultConfig()} }

// rulesFor are the same rules for another genesis input.
func rulesFor(tb testing.TB, r *channel.Rules, input []byte) *channel.Rules {
	p := *r.Params
	p.GenesisHash = crypto.Keccak256Hash(input)
	out, err := channel.NewRules(&p, r.Funding, r.Module)
	require.NoError(tb, err)
	return out
}

// game is a raid in progress, driven through the protocol's δ: sums are checked at each step.
type game struct {
	tb     testing.TB
	rules  *channel.Rules
	state  *channel.State
	seq    uint64
	events int
	bots   []*Bot
	story  []string
}

func newGame(tb testing.TB, h channel.Module, s setup, seed uint64) *game {
	g := &game{tb: tb, rules: s.rules(tb, h)}
	var v channel.Verdict
	g.state, v = g.rules.Genesis(s.input(tb, h))
	require.NoError(tb, v.Err())
	for i := range s.heroes + 1 {
		g.bots = append(g.bots, NewBot(uint8(i), crypto.Keccak256Hash(fmt.Appendf(nil, "%d/%d", seed, i))))
	}
	return g
}

func (g *game) raid() *State {
	s, err := Decode(g.state.Bytes())
	require.NoError(g.tb, err)
	return s
}

// try applies a payload and says how δ judged it; the game goes on from the new state if it was accepted.
func (g *game) try(seat int, payload []byte) channel.Verdict {
	e := &channel.Event{ChannelID: g.rules.ID(), Author: uint8(seat), Timestamp: 1_700_000_000 + g.seq, Payload: payload}
	if seat < len(g.state.Header.Nonces) {
		e.Nonce = g.state.Header.Nonces[seat] + 1
	}
	next, v := g.rules.Apply(g.state, g.seq+1, e)
	if v.Status == channel.Accepted {
		g.state = next
		g.seq++
		g.events++
	}
	return v
}

func (g *game) must(seat int, payload []byte) {
	g.tb.Helper()
	require.NoError(g.tb, g.try(seat, payload).Err())
}

func (g *game) refused(seat int, payload []byte, reason string) {
	g.tb.Helper()
	before := g.state
	v := g.try(seat, payload)
	require.Equal(g.tb, channel.RejectedByModule, v.Status, v.Text())
	require.Equal(g.tb, "raid: "+reason, v.Reason)
	require.Same(g.tb, before, g.state)
}

// step lets the first bot that owes something move; false when the raid is over.
func (g *game) step() bool {
	before := g.state.Bytes()
	for i, bot := range g.bots {
		payload, ok := bot.Next(before)
		if !ok {
			continue
		}
		g.must(i, payload)
		lines, err := Describe(before, g.state.Bytes(), uint8(i), payload, nil)
		require.NoError(g.tb, err)
		g.story = append(g.story, lines...)
		return true
	}
	return false
}

// until plays on while the condition does not hold.
func (g *game) until(cond func(*State) bool) *State {
	g.tb.Helper()
	for !cond(g.raid()) {
		require.True(g.tb, g.step(), "the raid ended before")
	}
	return g.raid()
}

func (g *game) finish() *State {
	for g.step() {
	}
	require.True(g.tb, g.state.Header.Terminal)
	return g.raid()
}

func (g *game) amount(asset, holder int) *uint256.Int {
	v := g.state.Amount(g.rules.Shape(), asset, holder)
	return &v
}
