package evmrun

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/evmts/channels/derivation/lower"
)

// Invocation is a call of one function on a Chain whose machine is evm.Harness.
type Invocation struct {
	Fuel       uint64
	Pages      uint32
	Program    *lower.Program // memory and globals included
	Function   uint32
	Parameters []uint64
}

// Left is everything that an invocation leaves behind.
type Left struct {
	Status  uint8
	Fuel    uint64
	Results []uint64
	Globals []uint64
	Memory  []byte
}

// Invoke carries out one function.
func (c *Chain) Invoke(i *Invocation) (l Left, err error) {
	f := i.Program.Functions[i.Function]
	b := word(i.Fuel)
	chunks := c.Store(i.Program.Encode(), 1<<30) // one contract: the limit is the chain's, not the EVM's
	for _, v := range []uint64{uint64(i.Pages), 8 * uint64(f.Entry), uint64(len(i.Parameters)), uint64(len(chunks)), uint64(f.Results)} {
		b = append(b, word(v)...)
	}
	for _, a := range chunks {
		b = append(b, common.LeftPadBytes(a[:], 32)...)
	}
	for _, p := range i.Parameters {
		b = append(b, word(p)...)
	}
	out, _, err := c.Call(b, Plenty)
	if err != nil {
		return l, fmt.Errorf("derivation/evm: the call failed: %w", err)
	}
	words := func(n uint64) (w []uint64) {
		for range n {
			if len(out) < 32 || !new(uint256.Int).SetBytes(out[:32]).IsUint64() {
				err = ErrAnswer
				return make([]uint64, n)
			}
			w, out = append(w, new(uint256.Int).SetBytes(out[:32]).Uint64()), out[32:]
		}
		return w
	}
	head := words(3)
	l.Status, l.Fuel = uint8(head[0]), head[1]
	if head[2] > uint64(f.Results) {
		return l, ErrAnswer
	}
	l.Results, l.Globals = words(head[2]), words(uint64(len(i.Program.Globals)))
	l.Memory = slices.Clone(out)
	slices.Reverse(l.Memory)
	return l, err
}
