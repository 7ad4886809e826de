package modgen_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/derivation/wasm"
)

// Choices are n random bytes.
func choices(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 7)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestA9_GeneratedModulesAreValidAndCoverTheSubset: every module is accepted, the same bytes give the same module, and
// every instruction of the subset occurs.
func TestA9_GeneratedModulesAreValidAndCoverTheSubset(t *testing.T) {
	seen := map[wasm.Opcode]int{}
	for seed := range uint64(400) {
		data := choices(seed, int(seed)*20)
		m := modgen.Generate(data)
		require.Equal(t, m, modgen.Generate(data))
		decoded, err := wasm.Decode(m.Binary)
		require.NoError(t, err, "seed %d", seed)
		require.NoError(t, decoded.CheckABI(m.PageLimit))
		for i := range decoded.Functions {
			for in := decoded.Instructions(i); in.Next(); {
				seen[in.In.Op]++
			}
		}
	}
	for _, op := range wasm.Accepted() {
		require.Positive(t, seen[op], op.String())
	}
}

func FuzzGenerate(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(choices(seed, 100<<seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := modgen.Generate(data)
		decoded, err := wasm.Decode(m.Binary)
		require.NoError(t, err)
		require.NoError(t, decoded.CheckABI(m.PageLimit))
	})
}
