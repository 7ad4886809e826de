package channel

import (
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// reader reads an ABI encoding front to back, in the order in which Solidity writes it. It looks at no offset, narrows
// without checking, and gives zeros beyond the end: whoever uses it encodes what was read and compares. That makes any
// other encoding an error, and keeps memory in proportion to the input (go-ethereum's decoder follows offsets, so that
// 5 KiB whose elements all point at one long list become 5 MiB).
type reader struct{ rest []byte }

func (r *reader) word() (w common.Hash) {
	if len(r.rest) < word {
		r.rest = nil
		return w
	}
	copy(w[:], r.rest)
	r.rest = r.rest[word:]
	return w
}

func (r *reader) skip(words int) {
	r.rest = r.rest[min(words*word, len(r.rest)):]
}

func (r *reader) uint() uint64 { w := r.word(); return binary.BigEndian.Uint64(w[24:]) }

func (r *reader) uint256() (v uint256.Int) { w := r.word(); v.SetBytes32(w[:]); return v }

func (r *reader) address() common.Address { w := r.word(); return common.Address(w[12:]) }

// count is a list's length, at most the words that are left: each member has one.
func (r *reader) count() int { return int(min(r.uint(), uint64(len(r.rest)/word))) }

// bytes is a `bytes` with its padding.
func (r *reader) bytes() []byte {
	n := int(min(r.uint(), uint64(len(r.rest))))
	b := slices.Clone(r.rest[:n])
	r.skip((n + word - 1) / word)
	return b
}

func (r *reader) addresses() []common.Address {
	out := make([]common.Address, r.count())
	for i := range out {
		out[i] = r.address()
	}
	return out
}
