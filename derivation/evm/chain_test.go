package evm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
)

func newChain(t testing.TB) *evmrun.Chain {
	p, err := evm.Machine()
	require.NoError(t, err)
	c, err := evmrun.New(p.Code)
	require.NoError(t, err)
	return c
}

func run(t testing.TB, c *evmrun.Chain, r *evmrun.Request) (evmrun.Verdict, uint64) {
	v, gas, err := c.Run(r)
	require.NoError(t, err)
	return v, gas
}

// expected is what the reference machine says.
func expected(t testing.TB, p *lower.Program, r *evmrun.Request) (v evmrun.Verdict) {
	m, err := machine.New(p, r.Pages)
	require.NoError(t, err)
	return begin(m, r)
}

// begin carries out a call on the reference machine.
func begin(m *machine.Machine, r *evmrun.Request) (v evmrun.Verdict) {
	m.Begin(r.Entry, r.Arguments, r.Fuel)
	m.Finish()
	v.Fuel = m.FuelUsed()
	switch m.Status() {
	case machine.OutOfFuel:
		v.Status = 9
	case machine.Rejected:
		v.Status = 7
	case machine.Trapped:
		v.Status = 8
	default:
		if n := uint64(len(m.Output())); n == 0 || n > r.MaxOutput {
			v.Status = 10
		} else {
			v.Output = m.Output()
		}
	}
	return v
}
