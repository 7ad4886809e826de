package channel

import (
	"bytes"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// Effect operations (docs/encoding.md 24).
const (
	EffectSet       = 0
	EffectDelete    = 1
	EffectIncrement = 2
	EffectCall      = 3
)

// Effect is one change of a MUD World that a terminal state derives. For calls, ResourceID is the system and Key is empty.
type Effect struct {
	Op         uint8         `json:"op"`
	ResourceID common.Hash   `json:"resourceId"`
	Key        []common.Hash `json:"key"`
	Data       hexutil.Bytes `json:"data"`
}

type wireEffect struct {
	Op         uint8
	ResourceId [32]byte
	Key        [][32]byte
	Data       []byte
}

var effectsArgs = tupleArgument("tuple[]", []abi.ArgumentMarshaling{
	{Name: "op", Type: "uint8"}, {Name: "resourceId", Type: "bytes32"}, {Name: "key", Type: "bytes32[]"}, {Name: "data", Type: "bytes"},
})

// EncodeEffects is abi.encode(Effect[]).
func EncodeEffects(effects []Effect) []byte {
	w := make([]wireEffect, len(effects))
	for i, e := range effects {
		w[i] = wireEffect{e.Op, e.ResourceID, make([][32]byte, len(e.Key)), e.Data}
		for j, k := range e.Key {
			w[i].Key[j] = k
		}
	}
	return pack(effectsArgs, w)
}

// EffectsHash is H(abi.encode(Effect[])).
func EffectsHash(effects []Effect) common.Hash { return crypto.Keccak256Hash(EncodeEffects(effects)) }

// DecodeEffects reads what EncodeEffects wrote and nothing else, within the limits on number and bytes.
func DecodeEffects(b []byte) ([]Effect, error) {
	if len(b) > MaxEffectBytes {
		return nil, Refuse(CodeMalformed, "effects are %d bytes, allowed are %d", len(b), MaxEffectBytes)
	}
	r := &reader{b}
	r.skip(1)
	effects := make([]Effect, r.count())
	if len(effects) > MaxEffects {
		return nil, Refuse(CodeMalformed, "%d effects, allowed are %d", len(effects), MaxEffects)
	}
	r.skip(len(effects))
	for i := range effects {
		e := &effects[i]
		e.Op, e.ResourceID = uint8(r.uint()), r.word()
		if e.Op > EffectCall {
			return nil, Refuse(CodeMalformed, "effect %d has unknown op %d", i, e.Op)
		}
		r.skip(2)
		e.Key = make([]common.Hash, r.count())
		for j := range e.Key {
			e.Key[j] = r.word()
		}
		e.Data = r.bytes()
	}
	if !bytes.Equal(EncodeEffects(effects), b) {
		return nil, Refuse(CodeMalformed, "effects are not in the canonical ABI encoding")
	}
	return effects, nil
}
