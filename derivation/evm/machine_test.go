package evm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/examples/counter"
)

func TestCounter(t *testing.T) {
	p, err := evm.Machine()
	require.NoError(t, err)
	t.Logf("%d bytes", len(p.Code))
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(t, err)
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	c := newChain(t)
	program := m.Program().Encode()
	r := &evmrun.Request{Fuel: m.Manifest().FuelLimit, Pages: m.Manifest().PageLimit, Entry: lower.Reduce, MaxOutput: derivation.MaxResultBytes,
		Chunks: c.Store(program, 0), Arguments: [][]byte{make([]byte, 300), make([]byte, 40)}}
	want := expected(t, m.Program(), r)
	got, gas := run(t, c, r)
	t.Log(want, gas)
	require.Equal(t, want, got)
}
