package evm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
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
	request  request
	program  *lower.Program
}

// face loads a module; nil when its start function fails.
func face(t testing.TB, c *chain, m modgen.Module) *versus {
	e, err := derivation.NewEngine(derivation.Config{}.WithInstances(1))
	require.NoError(t, err)
	loaded, err := e.Load(m.Binary, derivation.Options{FuelLimit: m.FuelLimit, PageLimit: m.PageLimit})
	if err != nil {
		require.ErrorContains(t, err, "start function")
		require.NoError(t, e.Close())
		return nil
	}
	p := loaded.Program()
	return &versus{compiled: loaded, close: e.Close, program: p, request: request{fuel: m.FuelLimit, pages: m.PageLimit, entry: lower.Reduce,
		maxOutput: derivation.MaxResultBytes, chunks: c.store(p.Encode(), chunkBytes)}}
}

// call compares one call of reduce on all three. The terminal byte of the output is the shell's to check, on chain too.
func (v *versus) call(t testing.TB, c *chain, state, event []byte) verdict {
	r := v.request
	r.arguments = [][]byte{state, event}
	want := expected(t, v.program, &r)
	got, gas := c.run(t, &r)
	require.Equal(t, want, got, "event %x", event)
	_ = gas
	compiled := v.compiled.Reduce(state, event)
	status := uint8(compiled.Status)
	if compiled.Status == channel.RejectedOutput && want.status == 0 {
		require.Greater(t, want.output[0], uint8(1))
	} else {
		require.Equal(t, want.status, status)
		require.Equal(t, string(want.output), string(compiled.Output))
	}
	require.Equal(t, want.fuel, compiled.Fuel)
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
	var c *chain
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
			statuses[v.call(t, c, []byte("state"), event).status]++
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

var errNever = errors.New(fmt.Sprint())
