package channel

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// The golden vectors in testdata/ are read by Go, Solidity and TypeScript. After a wanted change of the bytes:
//
//	go test ./channel -run TestVectors -update
var update = flag.Bool("update", false, "rewrite testdata/*.json")

// golden writes the generated vectors when asked, requires that the file holds exactly them, and gives back what the file
// says: the checks that follow run on the file, not on the generator's values.
func golden[T any](t *testing.T, name string, generated T) (fromFile T) {
	t.Helper()
	want, err := json.MarshalIndent(generated, "", " ")
	require.NoError(t, err)
	want = append(want, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%s is not what the generator makes: run with -update and read the difference", path)
	d := json.NewDecoder(bytes.NewReader(got))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&fromFile))
	return fromFile
}

type vectors[C any] struct {
	Cases []C `json:"cases"`
}

// number is a JSON number while every reader keeps it exact (below 2^53), else a decimal string.
type number struct{ uint256.Int }

const exactInJSON = 1 << 53

func (n number) MarshalJSON() ([]byte, error) {
	if n.LtUint64(exactInJSON) {
		return []byte(n.Dec()), nil
	}
	return []byte(`"` + n.Dec() + `"`), nil
}

func (n *number) UnmarshalJSON(b []byte) error {
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	return n.SetFromDecimal(string(b))
}

// numbers is an array of which all members have the same JSON type, as typed readers want it.
type numbers []number

func (a numbers) MarshalJSON() ([]byte, error) {
	asStrings := false
	for _, n := range a {
		asStrings = asStrings || !n.LtUint64(exactInJSON)
	}
	out := []byte{'['}
	for i, n := range a {
		if i > 0 {
			out = append(out, ',')
		}
		if asStrings {
			out = append(out, '"')
		}
		out = append(out, n.Dec()...)
		if asStrings {
			out = append(out, '"')
		}
	}
	return append(out, ']'), nil
}

func num(v uint64) number { return number{*uint256.NewInt(v)} }

func nums(vs ...uint64) numbers {
	out := numbers{}
	for _, v := range vs {
		out = append(out, num(v))
	}
	return out
}

func amounts(vs []uint256.Int) numbers {
	out := numbers{}
	for _, v := range vs {
		out = append(out, number{v})
	}
	return out
}

func (a numbers) uint64s() []uint64 {
	out := make([]uint64, len(a))
	for i := range a {
		out[i] = a[i].Uint64()
	}
	return out
}

func (a numbers) amounts() []uint256.Int {
	out := make([]uint256.Int, len(a))
	for i := range a {
		out[i] = a[i].Int
	}
	return out
}

// Deterministic material: key i, address i, hash of a label.

func testKey(i int) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(fmt.Sprintf("channels test key %d", i))))
	if err != nil {
		panic(err)
	}
	return key
}

func testSigner(i int) common.Address { return crypto.PubkeyToAddress(testKey(i).PublicKey) }

func testAddress(label string, i int) common.Address {
	return common.BytesToAddress(crypto.Keccak256([]byte(fmt.Sprintf("%s %d", label, i))))
}

func testHash(label string) common.Hash { return crypto.Keccak256Hash([]byte(label)) }

func testBytes(label string, n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		out = append(out, crypto.Keccak256([]byte(fmt.Sprintf("%s %d", label, i)))...)
	}
	return out[:n]
}

const maxUint64 uint64 = 1<<64 - 1

var maxUint256 = func() (v uint256.Int) { v.SetAllOne(); return }()

// The oracle: ABI encoding by hand. enc is one value's encoding; a dynamic one is referred to by an offset in its frame.
type enc struct {
	bytes   []byte
	dynamic bool
}

func wordOf(v uint64) enc {
	b := make([]byte, 32)
	binary.BigEndian.PutUint64(b[24:], v)
	return enc{b, false}
}

func wordOfInt(v *big.Int) enc { return enc{common.LeftPadBytes(v.Bytes(), 32), false} }

func wordOfHash(h common.Hash) enc { return enc{h[:], false} }

func wordOfAddress(a common.Address) enc { return enc{common.LeftPadBytes(a[:], 32), false} }

func wordOfBool(b bool) enc {
	if b {
		return wordOf(1)
	}
	return wordOf(0)
}

func bytesOf(b []byte) enc {
	padded := append([]byte(nil), b...)
	for len(padded)%32 != 0 {
		padded = append(padded, 0)
	}
	return enc{append(wordOf(uint64(len(b))).bytes, padded...), true}
}

// frameOf is a tuple: static members in place, dynamic ones behind, found by their distance from the frame's start.
func frameOf(members ...enc) enc {
	head, dynamic := 0, false
	for _, m := range members {
		if m.dynamic {
			head, dynamic = head+32, true
		} else {
			head += len(m.bytes)
		}
	}
	var heads, tails []byte
	for _, m := range members {
		if m.dynamic {
			heads = append(heads, wordOf(uint64(head+len(tails))).bytes...)
			tails = append(tails, m.bytes...)
		} else {
			heads = append(heads, m.bytes...)
		}
	}
	return enc{append(heads, tails...), dynamic}
}

func listOf(members []enc) enc {
	return enc{append(wordOf(uint64(len(members))).bytes, frameOf(members...).bytes...), true}
}

func listBy[T any](items []T, f func(T) enc) enc {
	members := make([]enc, len(items))
	for i, item := range items {
		members[i] = f(item)
	}
	return listOf(members)
}

// oneArgument is abi.encode(value).
func oneArgument(value enc) []byte { return frameOf(value).bytes }

func oracleParams(p *Params) enc {
	return frameOf(
		wordOfInt(p.ChainID.ToBig()), wordOfAddress(p.Adjudicator),
		listBy(p.Participants, func(m Participant) enc { return frameOf(wordOfAddress(m.Signer), wordOfAddress(m.Owner)) }),
		listBy(p.Beneficiaries, wordOfAddress), listBy(p.Guarantors, wordOfAddress),
		wordOf(p.Nonce), wordOf(uint64(p.Window)), wordOf(uint64(p.ForceQuota)), wordOf(uint64(p.Sequencer)),
		wordOfHash(p.ModuleHash), wordOfHash(p.GenesisHash), wordOfHash(p.FundingHash), wordOf(p.FundingDeadline), wordOfBool(p.IsVirtual),
	)
}

func oracleFunding(f Funding) enc {
	return listBy(f, func(s Stake) enc {
		return frameOf(wordOfAddress(s.Asset), listBy(s.Amounts, func(v uint256.Int) enc { return wordOfInt(v.ToBig()) }))
	})
}

func oracleEffects(effects []Effect) enc {
	e := listBy(effects, func(e Effect) enc {
		t := frameOf(wordOf(uint64(e.Op)), wordOfHash(e.ResourceID), listBy(e.Key, wordOfHash), bytesOf(e.Data))
		return t
	})
	return e
}

func hash(b []byte) common.Hash { return crypto.Keccak256Hash(b) }

func hexBytes(b []byte) hexutil.Bytes {
	if b == nil {
		return hexutil.Bytes{}
	}
	return b
}
