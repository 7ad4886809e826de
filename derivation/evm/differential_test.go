package evm_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/modgen"
)

func randomBytes(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 11)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// versus is a generated module in wazero, in the reference machine and on the chain.
type versus struct {
	compiled *derivation.Module
	close    func() error
	request  evmrun.Request
	program  *lower.Program
	size     int
}

// face loads a module; nil when its start function fails.
func face(t testing.TB, c *evmrun.Chain, m modgen.Module) *versus {
	e, err := derivation.NewEngine(derivation.Config{}.WithInstances(1))
	require.NoError(t, err)
	loaded, err := e.Load(m.Binary, derivation.Options{FuelLimit: m.FuelLimit, PageLimit: m.PageLimit})
	if err != nil {
		require.ErrorContains(t, err, "start function")
		require.NoError(t, e.Close())
		return nil
	}
	p := loaded.Program().Encode()
	return &versus{compiled: loaded, close: e.Close, program: loaded.Program(), size: len(p), request: evmrun.Request{Fuel: m.FuelLimit, Pages: m.PageLimit, Entry: lower.Reduce,
		MaxOutput: derivation.MaxResultBytes, Chunks: c.Store(p, 0)}}
}

// call compares one call of reduce on all three. The terminal byte of the output is the shell's to check, on chain too.
func (v *versus) call(t testing.TB, c *evmrun.Chain, state, event []byte) evmrun.Verdict {
	r := v.request
	r.Arguments = [][]byte{state, event}
	want := expected(t, v.program, &r)
	got, gas := run(t, c, &r)
	require.Equal(t, want, got, "event %x", event)
	require.LessOrEqual(t, gas, evm.GasBound(want.Fuel, min(r.Pages, v.program.MaxPages), v.size))
	compiled := v.compiled.Reduce(state, event)
	status := uint8(compiled.Status)
	if compiled.Status == channel.RejectedOutput && want.Status == 0 {
		require.Greater(t, want.Output[0], uint8(1))
	} else {
		require.Equal(t, want.Status, status)
		require.Equal(t, string(want.Output), string(compiled.Output))
	}
	require.Equal(t, want.Fuel, compiled.Fuel)
	return want
}

// TestA9_MachineOnChainAgreesWithTheOthers compares calls of random modules: status, fuel and output in wazero, in the
// reference machine and in the contract. 4,096 calls by default, with CHANNELS_LONG 320,000, or as many as CHANNELS_CASES
// says; CHANNELS_SEED continues somewhere else.
func TestA9_MachineOnChainAgreesWithTheOthers(t *testing.T) {
	cases, seed := uint64(4_096), uint64(1)
	if os.Getenv("CHANNELS_LONG") != "" {
		cases = 320_000
	}
	for name, into := range map[string]*uint64{"CHANNELS_CASES": &cases, "CHANNELS_SEED": &seed} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err, name)
			*into = n
		}
	}
	statuses, modules := map[uint8]uint64{}, 0
	var c *evmrun.Chain
	for done := uint64(0); done < cases; seed++ {
		if modules%64 == 0 {
			c = newChain(t) // what was stored would pile up
		}
		rng := rand.New(rand.NewPCG(seed, 13))
		v := face(t, c, modgen.Generate(randomBytes(seed, 64+rng.IntN(4000))))
		if v == nil {
			continue
		}
		modules++
		for i := range 32 {
			event := randomBytes(seed<<16|uint64(i), rng.IntN(96))
			if i%4 == 0 { // small numbers take other paths
				for k := range event {
					event[k] &= event[(k*7+3)%len(event)] & 7
				}
			}
			statuses[v.call(t, c, []byte("state"), event).Status]++
			if t.Failed() {
				t.Fatalf("seed %d, call %d", seed, i)
			}
			done++
		}
		require.NoError(t, v.close())
	}
	t.Logf("%d modules, statuses %v", modules, statuses)
	for _, s := range []uint8{0, 8, 9} {
		require.Greater(t, statuses[s], cases/100, "the modules must be of every kind: %d", s)
	}
}

// FuzzMachine compares the contract with wazero and the reference machine, on the module and the event that the bytes
// choose: status, fuel, output, and that the gas is within its bound.
func FuzzMachine(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(randomBytes(seed, 200+300*int(seed)), randomBytes(seed+100, 64))
	}
	p, err := evm.Machine()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, choices, event []byte) {
		if len(event) > 4096 {
			return
		}
		c, err := evmrun.New(p.Code)
		require.NoError(t, err)
		v := face(t, c, modgen.Generate(choices))
		if v == nil {
			return
		}
		v.call(t, c, []byte("state"), event)
		v.call(t, c, nil, nil)
		require.NoError(t, v.close())
	})
}
