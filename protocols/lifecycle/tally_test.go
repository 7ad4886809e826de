package lifecycle_test

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/holiman/uint256"
)

// tally is a module whose app is a log of author and payload. The payload "end" is terminal and gives everything to the
// author; "no" is rejected. A module that is odd claims to be the same and derives something else from "odd", and rejects
// "odder" (A9).
type tally struct {
	n                   int   // participants, ten of one asset from everybody
	free                []int // but these
	independent, sparse bool
	odd                 bool
}

func (m tally) Manifest() channel.Manifest {
	return channel.Manifest{
		ProgramHash: crypto.Keccak256Hash([]byte("tally")), FuelLimit: 1, PageLimit: 1, Independent: m.independent, Sparse: m.sparse,
	}
}

func (m tally) Init([]byte) channel.Result {
	out := []byte{0}
	for i := range m.n {
		amount := uint64(10)
		if slices.Contains(m.free, i) {
			amount = 0
		}
		w := uint256.NewInt(amount).Bytes32()
		out = append(out, w[:]...)
	}
	return channel.Result{Output: out}
}

func (m tally) Reduce(state, event []byte) channel.Result {
	n, assets, holders := int(event[2]), int(event[3]), int(event[4])
	header := 32 * (n + 3)
	funds := slices.Clone(state[header : header+32*assets*holders])
	app := slices.Clone(state[header+len(funds):])
	author, payload := int(event[1]), string(event[32:])
	terminal := byte(0)
	switch {
	case payload == "no", payload == "odder" && m.odd:
		return channel.Result{Status: channel.RejectedByModule, Reason: "tally: no"}
	case payload == "odd" && m.odd:
		payload = "ODD"
	case payload == "end":
		terminal = 1
		var total, v uint256.Int
		for p := 0; p < holders; p++ {
			v.SetBytes32(funds[32*p : 32*p+32])
			total.Add(&total, &v)
			clear(funds[32*p : 32*p+32])
		}
		w := total.Bytes32()
		copy(funds[32*author:], w[:])
	}
	app = append(append(app, "0123456789abcdef"[author], ':'), payload...)
	app = append(app, ' ')
	return channel.Result{Output: append(append([]byte{terminal}, funds...), app...)}
}

func (tally) Effects([]byte) channel.Result {
	return channel.Result{Output: channel.EncodeEffects([]channel.Effect{{Op: channel.EffectIncrement, Key: []common.Hash{}, Data: []byte{1}}})}
}
