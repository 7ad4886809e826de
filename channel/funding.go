package channel

import (
	"bytes"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Stake is what the participants pay in one asset; Amounts[i] comes from participants[i].owner, in the asset's smallest
// unit. Asset zero is the chain's coin.
type Stake struct {
	Asset   common.Address `json:"asset"`
	Amounts []uint256.Int  `json:"amounts"`
}

// Funding is what goes into a channel, one Stake per asset.
type Funding []Stake

type wireStake struct {
	Asset   common.Address
	Amounts []*big.Int
}

var fundingArgs = tupleArgument("tuple[]", []abi.ArgumentMarshaling{
	{Name: "asset", Type: "address"}, {Name: "amounts", Type: "uint256[]"},
})

func (f Funding) wire() []wireStake {
	out := make([]wireStake, len(f))
	for i, s := range f {
		out[i] = wireStake{s.Asset, make([]*big.Int, len(s.Amounts))}
		for j := range s.Amounts {
			out[i].Amounts[j] = s.Amounts[j].ToBig()
		}
	}
	return out
}

// Encode is abi.encode(Funding[]).
func (f Funding) Encode() []byte { return pack(fundingArgs, f.wire()) }

// Hash is fundingHash = H(abi.encode(Funding[])).
func (f Funding) Hash() common.Hash { return crypto.Keccak256Hash(f.Encode()) }

const maxEncodedFunding = 32 * (2 + MaxAssets*(4+MaxParticipants))

// DecodeFunding reads what Encode wrote and nothing else.
func DecodeFunding(b []byte) (Funding, error) {
	if len(b) > maxEncodedFunding {
		return nil, Refuse(CodeMalformed, "funding is %d bytes long, at most %d are possible", len(b), maxEncodedFunding)
	}
	r := &reader{b}
	r.skip(1)
	f := make(Funding, r.count())
	if len(f) > MaxAssets {
		return nil, Refuse(CodeMalformed, "%d assets, allowed are %d", len(f), MaxAssets)
	}
	r.skip(len(f))
	for i := range f {
		f[i].Asset = r.address()
		r.skip(1)
		f[i].Amounts = make([]uint256.Int, r.count())
		for j := range f[i].Amounts {
			f[i].Amounts[j] = r.uint256()
		}
	}
	if !bytes.Equal(f.Encode(), b) {
		return nil, Refuse(CodeMalformed, "funding is not in the canonical ABI encoding")
	}
	return f, nil
}

// Validate checks the bounds for n participants: distinct assets, an amount for each participant, sums below 2^256.
func (f Funding) Validate(n int) error {
	if len(f) > MaxAssets {
		return Refuse(CodeParams, "%d assets, allowed are %d", len(f), MaxAssets)
	}
	for i, s := range f {
		if len(s.Amounts) != n {
			return Refuse(CodeParams, "asset %d has %d amounts for %d participants", i, len(s.Amounts), n)
		}
		for _, other := range f[:i] {
			if other.Asset == s.Asset {
				return Refuse(CodeParams, "asset %s appears twice", s.Asset)
			}
		}
		if _, overflow := sum(s.Amounts); overflow {
			return Refuse(CodeParams, "the pot of asset %d does not fit 256 bits", i)
		}
	}
	return nil
}

// Pot is the sum per asset. Funding must be valid.
func (f Funding) Pot() []uint256.Int {
	pot := make([]uint256.Int, len(f))
	for i, s := range f {
		pot[i], _ = sum(s.Amounts)
	}
	return pot
}

func sum(amounts []uint256.Int) (total uint256.Int, overflow bool) {
	for i := range amounts {
		if _, o := total.AddOverflow(&total, &amounts[i]); o {
			overflow = true
		}
	}
	return total, overflow
}
