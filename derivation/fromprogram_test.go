package derivation_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/examples/counter"
)

// TestC2_FromProgramGivesTheSameModule: what the chain keeps is enough to derive everything.
func TestC2_FromProgramGivesTheSameModule(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	encoded := m.Program().Encode()
	again, err := derivation.FromProgram(encoded, m.Manifest())
	require.NoError(t, err)
	clear(encoded) // the caller's bytes are not kept
	require.Equal(t, m.Hash(), again.Hash())
	require.Equal(t, m.Manifest(), again.Manifest())
	a, b := newWorld(t, m, nil), newWorld(t, again, nil)
	x, v := a.rules.Genesis(nil)
	require.Equal(t, channel.Accepted, v.Status, v.Text())
	y, w := b.rules.Genesis(nil)
	require.Equal(t, v, w)
	for i := uint64(1); i < 20; i++ {
		require.Equal(t, x, y)
		payload := []byte("x")
		if i == 19 {
			payload = counter.PayloadEnd
		}
		x, v = a.rules.Apply(x, i, a.event(0, i, payload))
		require.Equal(t, channel.Accepted, v.Status, v.Text())
		y, w = b.rules.Apply(y, i, b.event(0, i, payload))
		require.Equal(t, v, w)
	}
	require.True(t, x.Header.Terminal)
	require.Equal(t, m.Effects(x.Bytes()), again.Effects(y.Bytes()))
}

// TestAttack29_FromProgramRefusesJunk: anybody registers anything.
func TestAttack29_FromProgramRefusesJunk(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	encoded := m.Program().Encode()
	_, err = derivation.FromProgram(append(encoded, 0), m.Manifest())
	require.ErrorIs(t, err, derivation.ErrOtherModule)
	named := func(b []byte) channel.Manifest {
		x := m.Manifest()
		x.ProgramHash = crypto.Keccak256Hash(b)
		return x
	}
	for _, junk := range [][]byte{nil, {1, 2, 3}, append(common.CopyBytes(encoded), 0), encoded[:len(encoded)-1]} {
		_, err = derivation.FromProgram(junk, named(junk))
		require.ErrorIs(t, err, derivation.ErrModule)
		require.ErrorIs(t, err, lower.ErrProgram)
	}
	for entry := range lower.EntryCount {
		p, err := lower.Decode(encoded)
		require.NoError(t, err)
		p.Entries[entry] = lower.None
		without := p.Encode()
		_, err = derivation.FromProgram(without, named(without))
		require.ErrorIs(t, err, derivation.ErrModule, "no %s", lower.EntryNames[entry])
	}
	huge := m.Manifest()
	huge.FuelLimit = 1 << 63
	_, err = derivation.FromProgram(encoded, huge)
	require.ErrorIs(t, err, derivation.ErrOptions)

	none := m.Manifest()
	none.PageLimit = 0
	trapping, err := derivation.FromProgram(encoded, none)
	require.NoError(t, err)
	_, v := newWorld(t, trapping, nil).rules.Genesis(nil)
	require.Equal(t, channel.RejectedTrap, v.Status)
	require.Zero(t, v.Fuel)
}

func FuzzFromProgram(f *testing.F) {
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(f, err)
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(f, err)
	encoded := m.Program().Encode()
	f.Add(encoded, uint64(1000), uint32(1))
	f.Add(encoded[:len(encoded)/2], uint64(1000), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, fuel uint64, pages uint32) {
		manifest := channel.Manifest{ProgramHash: crypto.Keccak256Hash(b), FuelLimit: fuel % 100_000, PageLimit: pages % 17}
		m, err := derivation.FromProgram(b, manifest)
		if err != nil {
			return
		}
		for _, r := range []channel.Result{m.Init([]byte("x")), m.Reduce([]byte("x"), []byte("y")), m.Effects([]byte("x"))} {
			if r.Fuel > manifest.FuelLimit {
				t.Fatalf("%d fuel of %d", r.Fuel, manifest.FuelLimit)
			}
		}
	})
}
