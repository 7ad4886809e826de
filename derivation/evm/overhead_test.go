package evm_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
)

const maxOutput = 24 << 10

// returning is a module that grows its memory by some pages and then returns the first size bytes of it.
func returning(pages, grow, size int) asm.Module {
	m := asm.Reducer(nil, asm.Cat(asm.Const32(int32(grow)), asm.Op(0x40, 0, 0x1a), asm.Result(0, int64(size))))
	m.Pages, m.MaxPages = pages, 16
	return m
}

// overhead is what a call cost beyond fuel, memory, chunks and words of the program.
func overhead(l loaded, pages uint32, v evmrun.Verdict, gas uint64) int64 {
	return int64(gas) - int64(evm.GasBound(v.Fuel, pages, l.size)-evm.GasBase)
}

// TestA11_OverheadIsBounded: arguments and outputs of all sizes, memories of all sizes, and calls that end early.
func TestA11_OverheadIsBounded(t *testing.T) {
	c, worst := newChain(t), int64(-1<<40)
	look := func(name string, l loaded, pages uint32, v evmrun.Verdict, gas uint64) {
		if o := overhead(l, pages, v, gas); o > worst {
			worst = o
			t.Logf("%s: %d of %d", name, o, evm.GasBase)
		}
	}
	for pages := 1; pages <= 16; pages++ {
		l := load(t, c, returning(pages, 16-pages, maxOutput).Bytes())
		for _, a := range []int{0, 1, 31, 32, 33, 65, 5000, 23_169} {
			r := evmrun.Request{Fuel: 1 << 40, Pages: 16, Entry: lower.Reduce, MaxOutput: maxOutput, Arguments: [][]byte{make([]byte, a), randomBytes(1, a/2+1)}}
			v, gas := l.bounded(t, c, r)
			require.Zero(t, v.Status)
			require.Len(t, v.Output, maxOutput)
			look(fmt.Sprintf("%d pages at first, %d bytes of state", pages, a), l, 16, v, gas)
		}
	}
	for _, size := range []int{0, 1, 31, 32, 33, 64, 65, 97, maxOutput - 31, maxOutput - 1, maxOutput, maxOutput + 1, 65536, 65537} {
		l := load(t, c, returning(1, 0, size).Bytes())
		v, gas := l.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: 1, Entry: lower.Reduce, MaxOutput: maxOutput, Arguments: [][]byte{{1}, {2}}})
		look(fmt.Sprintf("%d bytes returned", size), l, 1, v, gas)
	}
	l := load(t, c, rounds(asm.Cat(asm.Const32(0), asm.Const32(40), asm.Const32(7), asm.Call(0))).Bytes())
	for fuel := range uint64(6000) { // runs out everywhere
		v, gas := l.bounded(t, c, evmrun.Request{Fuel: fuel, Pages: 2, Entry: lower.Reduce, MaxOutput: maxOutput, Arguments: [][]byte{make([]byte, 40), {3, 0, 0, 0}}})
		look(fmt.Sprintf("out of fuel after %d", fuel), l, 2, v, gas)
	}
	require.Greater(t, worst, int64(evm.GasBase)*85/100, "the constant is too large")
}

// TestA11_TheProgramIsPaid: programs of all sizes, and the images with most segments; many chunks, each with little.
func TestA11_TheProgramIsPaid(t *testing.T) {
	c := newChain(t)
	image := func(words, gap, pages int) asm.Module {
		m := returning(pages, 0, 32)
		m.MaxPages, m.Data = pages, nil
		rng := rand.New(rand.NewPCG(uint64(words), uint64(gap)))
		for at := 0; at+32*words <= pages*65536 && len(m.Data) < 1000; at += 32 * (words + gap) {
			b := make([]byte, 32*words)
			for i := range b {
				b[i] = byte(1 + rng.IntN(255))
			}
			m.Data = append(m.Data, asm.Segment{At: int32(at), Bytes: b})
		}
		return m
	}
	r := evmrun.Request{Fuel: 1 << 40, Entry: lower.Reduce, MaxOutput: maxOutput, Arguments: [][]byte{nil, nil}}
	worst := int64(-1 << 40)
	for _, shape := range [][3]int{{1, 4, 1}, {1, 4, 2}, {1, 5, 3}, {2, 4, 4}, {64, 4, 3}, {2040, 1, 1}, {400, 4, 3}} {
		m := image(shape[0], shape[1], shape[2])
		l := load(t, c, m.Bytes())
		r.Pages = uint32(shape[2])
		v, gas := l.bounded(t, c, r)
		o := overhead(l, r.Pages, v, gas)
		worst = max(worst, o)
		t.Logf("segments of %d words with %d between: program of %d bytes, %d beyond what its words pay", shape[0], shape[1], l.size, o)
	}
	large := returning(1, 0, 32)
	for range 12 {
		large.Funcs = append(large.Funcs, function(0, 0, 0, many(5_000, asm.Cat(asm.Get(0), asm.Op(0x1a)))))
		large.Funcs[len(large.Funcs)-1].Params = []byte{asm.I32}
	}
	l := load(t, c, large.Bytes())
	r.Pages = 1
	v, gas := l.bounded(t, c, r)
	t.Logf("program of %d bytes: %d", l.size, overhead(l, 1, v, gas))
	// Chunks cost what GasChunk says each.
	few, more := l, l
	more.chunks = c.Store(l.program.Encode(), l.size/100+1)
	_, gasMore := more.bounded(t, c, evmrun.Request{Fuel: 1 << 40, Pages: 16, Entry: r.Entry, MaxOutput: r.MaxOutput, Arguments: r.Arguments})
	require.LessOrEqual(t, gasMore-gas, evm.GasChunk*uint64(len(more.chunks)-len(few.chunks)))
	t.Logf("a chunk costs %d", (gasMore-gas)/uint64(len(more.chunks)-len(few.chunks)))
	require.Less(t, worst, int64(evm.GasBase))
}
