package evm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
)

// TestAttack18_NoAmountOfGasChoosesAVerdict: with the gas that a call takes it gives its verdict, with one less or any
// other amount below it gives nothing at all.
func TestAttack18_NoAmountOfGasChoosesAVerdict(t *testing.T) {
	c := newChain(t)
	p, err := lowered(endings())
	require.NoError(t, err)
	chunks, rng := c.Store(p.Encode(), 0), rand.New(rand.NewPCG(3, 4))
	for i, w := range ways {
		r := evmrun.Request{Fuel: 60_000, Pages: 2, Entry: lower.Reduce, MaxOutput: 1000, Chunks: chunks, Arguments: [][]byte{[]byte("a state"), {byte(i)}}}
		want, needed := run(t, c, &r)
		amounts := []uint64{0, 1, needed - 1}
		for range 300 {
			amounts = append(amounts, rng.Uint64N(needed))
		}
		for _, gas := range amounts {
			out, _, err := c.Call(r.Calldata(), gas)
			require.Error(t, err, "%s with %d of %d", w.name, gas, needed)
			require.Empty(t, out, w.name)
		}
		for _, gas := range []uint64{needed, needed + 1, 2 * needed} {
			out, used, err := c.Call(r.Calldata(), gas)
			require.NoError(t, err, w.name)
			require.Equal(t, needed, used)
			got, err := evmrun.Read(out)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// TestF11_MorePagesThanTheLimit: such a program is no module off chain; on chain it traps before its memory is paid for.
func TestF11_MorePagesThanTheLimit(t *testing.T) {
	c := newChain(t)
	m := asm.Reducer(nil, asm.Result(0, 1))
	m.Pages = 9
	l := load(t, c, m.Bytes())
	for limit := range uint32(9) {
		r := evmrun.Request{Fuel: 1 << 40, Pages: limit, Entry: lower.Reduce, MaxOutput: 9, Chunks: l.chunks, Arguments: [][]byte{nil, nil}}
		v, gas := run(t, c, &r)
		require.Equal(t, evmrun.Verdict{Status: 8}, v)
		require.Less(t, gas, evm.GasBound(0, 0, l.size))
	}
	v, _ := l.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: 9, Entry: lower.Reduce, MaxOutput: 9, Arguments: [][]byte{nil, nil}})
	require.Zero(t, v.Status)
}

// TestF11_AnySplitOfTheProgram: chunks are joined as they come, whatever their sizes, empty ones too.
func TestF11_AnySplitOfTheProgram(t *testing.T) {
	c := newChain(t)
	p, err := lowered(endings())
	require.NoError(t, err)
	b := p.Encode()
	r := evmrun.Request{Fuel: 300_000, Pages: 2, Entry: lower.Reduce, MaxOutput: 1000, Chunks: c.Store(b, 0), Arguments: [][]byte{nil, {15}}}
	want, _ := run(t, c, &r)
	require.Zero(t, want.Status)
	for _, size := range []int{1, 31, 32, 33, 1000, len(b) - 1} {
		r.Chunks = c.Store(b, size)
		got, _ := run(t, c, &r)
		require.Equal(t, want, got, "chunks of %d", size)
	}
	// A chunk that is missing is no program, and says nothing.
	r.Chunks[0][3] ^= 1
	out, _, err := c.Call(r.Calldata(), 10_000_000)
	require.Error(t, err)
	require.Empty(t, out)
}

// TestF11_InitCodeDeploysTheMachine runs what CREATE2 is given.
func TestF11_InitCodeDeploysTheMachine(t *testing.T) {
	p, err := evm.Machine()
	require.NoError(t, err)
	deployed, err := evmrun.New(evm.InitCode(p.Code)) // as code: it returns what is to be deployed
	require.NoError(t, err)
	code, _, err := deployed.Call(nil, evmrun.Plenty)
	require.NoError(t, err)
	require.Equal(t, p.Code, code)
}
