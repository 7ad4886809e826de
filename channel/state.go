package channel

import (
	"bytes"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Amount is a quantity of an asset in its smallest unit.
type Amount = uint256.Int

const word = 32

// Shape fixes the lengths of a state's header and funds.
type Shape struct {
	Participants, Beneficiaries, Assets int
}

// ShapeOf is the shape of every state of a channel.
func ShapeOf(p *Params, f Funding) Shape {
	return Shape{len(p.Participants), len(p.Beneficiaries), len(f)}
}

// Holders is N + b: everyone who can hold funds.
func (s Shape) Holders() int { return s.Participants + s.Beneficiaries }

// HeaderLen is the header's length in bytes.
func (s Shape) HeaderLen() int { return word * (s.Participants + 3) }

// FundsLen is the funds' length in bytes.
func (s Shape) FundsLen() int { return word * s.Assets * s.Holders() }

// Header is the protocol's own part of a state.
type Header struct {
	LastTimestamp uint64   `json:"lastTimestamp"`
	Nonces        []uint64 `json:"nonces"` // the last nonce accepted per author
	TopUps        uint32   `json:"topUps"` // top-ups counted so far
	Terminal      bool     `json:"terminal"`
}

// Encode is the header's N + 3 words.
func (h Header) Encode() []byte {
	b := make([]byte, word*(len(h.Nonces)+3))
	put := func(i int, v uint64) { binary.BigEndian.PutUint64(b[i*word+24:], v) }
	put(0, h.LastTimestamp)
	for i, n := range h.Nonces {
		put(1+i, n)
	}
	put(1+len(h.Nonces), uint64(h.TopUps))
	if h.Terminal {
		put(2+len(h.Nonces), 1)
	}
	return b
}

// DecodeHeader refuses another length, a word above its type, and a terminal other than 0 or 1.
func DecodeHeader(b []byte, shape Shape) (h Header, err error) {
	if len(b) != shape.HeaderLen() {
		return h, Refuse(CodeMalformed, "header is %d bytes, expected %d", len(b), shape.HeaderLen())
	}
	words := make([]uint64, shape.Participants+3)
	for i := range words {
		w := b[i*word : (i+1)*word]
		for _, x := range w[:24] {
			if x != 0 {
				return h, Refuse(CodeMalformed, "header word %d does not fit 64 bits", i)
			}
		}
		words[i] = binary.BigEndian.Uint64(w[24:])
	}
	n := shape.Participants
	if words[1+n] > 1<<32-1 || words[2+n] > 1 {
		return h, Refuse(CodeMalformed, "header: topUps %d or terminal %d out of range", words[1+n], words[2+n])
	}
	return Header{words[0], words[1 : 1+n : 1+n], uint32(words[1+n]), words[2+n] == 1}, nil
}

// State is a channel's state after an event: the protocol's header, the funds, the module's own bytes.
// States are immutable once made; they share slices.
type State struct {
	Header Header
	Funds  []byte // asset-major words, Shape.FundsLen bytes
	App    []byte
}

// Bytes is header ‖ funds ‖ app, what modules and contracts get.
func (s *State) Bytes() []byte {
	b := make([]byte, 0, word*(len(s.Header.Nonces)+3)+len(s.Funds)+len(s.App))
	b = append(b, s.Header.Encode()...)
	b = append(b, s.Funds...)
	return append(b, s.App...)
}

// DecodeState is the inverse of Bytes. It copies b, which may be a database's or the network's buffer.
func DecodeState(b []byte, shape Shape) (*State, error) {
	h, f := shape.HeaderLen(), shape.FundsLen()
	if len(b) < h+f || len(b) > h+f+MaxApp {
		return nil, Refuse(CodeMalformed, "state is %d bytes, expected %d to %d", len(b), h+f, h+f+MaxApp)
	}
	header, err := DecodeHeader(b[:h], shape)
	if err != nil {
		return nil, err
	}
	b = bytes.Clone(b)
	return &State{header, b[h : h+f : h+f], b[h+f:]}, nil
}

// HashParts are the three hashes under a state's hash.
func (s *State) HashParts() (header, funds, app common.Hash) {
	return crypto.Keccak256Hash(s.Header.Encode()), crypto.Keccak256Hash(s.Funds), crypto.Keccak256Hash(s.App)
}

// Hash is stateHash = H(abi.encode(H(header), H(funds), H(app))).
func (s *State) Hash() common.Hash { return hashWords3(s.HashParts()) }

func hashWords3(a, b, c common.Hash) common.Hash { return hashWords(a, b, c) }

// Amount is what holder p (participants first, then beneficiaries) has of asset a. The state is of this shape, p < N + b
// and a < assets.
func (s *State) Amount(shape Shape, a, p int) (v Amount) {
	i := word * (a*shape.Holders() + p)
	v.SetBytes32(s.Funds[i : i+word])
	return v
}

// Sums adds up the funds per asset; ok is false when a sum does not fit 256 bits or the funds have another length.
func Sums(funds []byte, shape Shape) (sums []Amount, ok bool) {
	sums, ok = make([]Amount, shape.Assets), true
	if len(funds) != shape.FundsLen() {
		return sums, false
	}
	var v Amount
	for a := range sums {
		for p := 0; p < shape.Holders(); p++ {
			i := word * (a*shape.Holders() + p)
			v.SetBytes32(funds[i : i+word])
			if _, overflow := sums[a].AddOverflow(&sums[a], &v); overflow {
				ok = false
			}
		}
	}
	return sums, ok
}
