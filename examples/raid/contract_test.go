package raid

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/stretchr/testify/require"
)

// onChain is the module on the metering engine and on the chain's machine at once: each call is compared.
type onChain struct {
	*metered
	tb     testing.TB
	chain  *evmrun.Chain
	chunks []common.Address
	size   int
	calls  int
	gas    map[string]uint64 // the most that each kind of call took
}

func newOnChain(tb testing.TB) *onChain {
	machine, err := evm.Machine()
	require.NoError(tb, err)
	c := &onChain{metered: newMetered(tb), tb: tb, gas: map[string]uint64{}}
	c.chain, err = evmrun.New(machine.Code)
	require.NoError(tb, err)
	program := c.Program().Encode()
	c.chunks, c.size = c.chain.Store(program, 0), len(program)
	return c
}

func (c *onChain) compare(call string, entry int, max uint64, want channel.Result, arguments ...[]byte) channel.Result {
	c.tb.Helper()
	v, gas, err := c.chain.Run(&evmrun.Request{
		Fuel: FuelLimit, Pages: PageLimit, Entry: entry, MaxOutput: max, Chunks: c.chunks, Arguments: arguments,
	})
	require.NoError(c.tb, err)
	require.Equal(c.tb, uint8(want.Status), v.Status, call)
	require.Equal(c.tb, want.Fuel, v.Fuel, call)
	require.Equal(c.tb, string(want.Output), string(v.Output), call)
	require.LessOrEqual(c.tb, gas, evm.GasBound(v.Fuel, PageLimit, c.size), call)
	c.calls++
	if gas > c.gas[call] {
		c.gas[call] = gas
	}
	return want
}

func (c *onChain) Init(input []byte) channel.Result {
	return c.compare("init", lower.Init, derivation.MaxResultBytes, c.metered.Init(input), input)
}
func (c *onChain) Reduce(state, event []byte) channel.Result {
	return c.compare(c.call, lower.Reduce, derivation.MaxResultBytes, c.metered.Reduce(state, event), state, event)
}
func (c *onChain) Effects(state []byte) channel.Result {
	return c.compare("effects", lower.Effects, channel.MaxEffectBytes, c.metered.Effects(state), state)
}

// Raids with and without a ticket, refused genesis inputs among them: engine and contract agree on status, fuel and output of
// every call.
func TestA9_TheContractPlaysTheSameRaid(t *testing.T) {
	c := newOnChain(t)
	s := setup{heroes: 3, keeper: 1, assets: 2, config: DefaultConfig(), loot: func(seat int, item Item) uint32 { return uint32(seat) + uint32(item) }}
	rules := s.rules(t, c)
	input := s.input(t, c)
	for i := 40; i < len(input); i += 97 {
		b := append([]byte(nil), input...)
		b[i] ^= 0x10
		require.NotEqual(t, channel.Accepted, genesis(t, rules, b).Status)
	}
	for seed, s := range []setup{
		s, {heroes: 2, assets: 1, config: DefaultConfig()},
		{heroes: 15, keeper: 4, assets: 8, beneficiaries: 8, config: Config{MaxRounds: 9, Rooms: []Room{{Kind: Rat, HP: 9, Item: Gem, Gold: 1}}}},
		{heroes: MaxTicketHeroes, assets: 8, config: Config{MaxRounds: 9, Rooms: []Room{{Kind: Rat, HP: 30, Item: Gem, Gold: 1}}}, loot: func(int, Item) uint32 { return 9 }},
	} {
		playOut(t, c, s, uint64(seed), func(*Bot) {})
	}
	require.Greater(t, c.calls, 200)
	t.Logf("%d calls, gas at most %v, program of %d bytes", c.calls, c.gas, c.size)
}
