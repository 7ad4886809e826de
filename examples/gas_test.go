package examples

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/raid"
)

// TestA9_RaidsOnChain plays raids whose every call the contract carries out as well, and holds the table of its gas.
func TestA9_RaidsOnChain(t *testing.T) {
	input, err := raid.Genesis{Settlement: play.Address(1), World: play.Address(2), NamespaceID: raid.NamespaceID(raid.Namespace), Config: raid.DefaultConfig()}.Input()
	require.NoError(t, err)
	o := play.NewOnChain(t, play.Load(t, "raid/raid", raid.Wasm), 6)
	for seed := range byte(3) {
		s := play.Setup{Seats: 3, Assets: 1, Input: input}
		if seed == 2 {
			s = play.Setup{Seats: 16, Assets: channel.MaxAssets, Beneficiaries: channel.MaxBeneficiaries, Input: input}
		}
		var bots []play.Player
		for seat := range s.Seats {
			bots = append(bots, raid.NewBot(uint8(seat), common.Hash{seed, byte(seat)}))
		}
		g := play.New(t, o, s, bots, nil)
		g.Finish(2000, func([]byte) string { return "reduce" })
		_, v := g.Rules.Effects(g.State)
		require.NoError(t, v.Err())
	}
	o.GasTable("raid-gas.txt")
	o.WriteVectors("../contracts/test/vectors/raid.json")
}

// TestA9_CounterOnChain does so with the smallest module.
func TestA9_CounterOnChain(t *testing.T) {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	o := play.NewOnChain(t, m, 8)
	g := play.New(t, o, play.Setup{Seats: 2, Assets: 1, Input: make([]byte, 160)}, nil, nil)
	for i := range 10 {
		g.Must("count", i%2, []byte("anything"))
	}
	g.Must("end", 0, counter.PayloadEnd)
	_, v := g.Rules.Effects(g.State)
	require.NoError(t, v.Err())
	o.GasTable("counter-gas.txt")
	o.WriteVectors("../contracts/test/vectors/counter.json")
}
