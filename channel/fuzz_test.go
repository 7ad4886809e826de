package channel

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

// Every decoder: no panic, nothing but the canonical encoding, and what was read is written back as it was.

func FuzzDecodeParams(f *testing.F) {
	_, all := goldenParams()
	for _, p := range all {
		f.Add(p.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeParams(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) || p.ID() != hash(b) {
			t.Fatal("another encoding of the same params was read")
		}
		if !bytes.Equal(oneArgument(oracleParams(p)), b) {
			t.Fatal("not what Solidity writes")
		}
		_ = p.Validate()
	})
}

func FuzzDecodeFunding(f *testing.F) {
	for _, c := range goldenFunding() {
		f.Add([]byte(c.Encoded), uint8(c.Participants.Uint64()))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		funding, err := DecodeFunding(b)
		if err != nil {
			return
		}
		if !bytes.Equal(oneArgument(oracleFunding(funding)), b) {
			t.Fatal("not what Solidity writes")
		}
		if funding.Validate(int(n)) == nil && len(funding.Pot()) != len(funding) {
			t.Fatal("a pot per asset")
		}
	})
}

func FuzzDecodeEffects(f *testing.F) {
	for _, effects := range goldenEffects() {
		f.Add(EncodeEffects(effects))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		effects, err := DecodeEffects(b)
		if err != nil {
			return
		}
		if len(b) > MaxEffectBytes || len(effects) > MaxEffects {
			t.Fatal("above the limits")
		}
		if !bytes.Equal(oneArgument(oracleEffects(effects)), b) {
			t.Fatal("not what Solidity writes")
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	states := goldenStates()
	for _, c := range states.Cases {
		f.Add(append(append(append([]byte(nil), c.Header...), c.Funds...), c.App...), uint8(c.Participants.Uint64()), uint8(c.Beneficiaries.Uint64()), uint8(c.Assets.Uint64()))
	}
	for _, c := range states.Refused {
		f.Add([]byte(c.Header), uint8(c.Participants.Uint64()), uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, n, beneficiaries, assets uint8) {
		shape := Shape{int(n % (MaxParticipants + 1)), int(beneficiaries % (MaxBeneficiaries + 1)), int(assets % (MaxAssets + 1))}
		if h, err := DecodeHeader(b, shape); err == nil && !bytes.Equal(h.Encode(), b) {
			t.Fatal("a header is not written back as it was")
		}
		s, err := DecodeState(b, shape)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Bytes(), b) {
			t.Fatal("a state is not written back as it was")
		}
		h, fu, a := hash(b[:shape.HeaderLen()]), hash(b[shape.HeaderLen():shape.HeaderLen()+shape.FundsLen()]), hash(b[shape.HeaderLen()+shape.FundsLen():])
		if s.Hash() != hash(append(append(h[:], fu[:]...), a[:]...)) {
			t.Fatal("another hash")
		}
		Sums(s.Funds, shape)
	})
}

func FuzzSignature(f *testing.F) {
	f.Add(make([]byte, 65), []byte("0x"))
	s, _ := Sign(testHash("digest"), testKey(0))
	text, _ := s.MarshalText()
	f.Add(s[:], text)
	f.Fuzz(func(t *testing.T, b, text []byte) {
		digest := testHash("digest")
		if s, err := ParseSignature(b); err == nil {
			if !bytes.Equal(s[:], b) {
				t.Fatal("read as another")
			}
			signer, err := s.Recover(digest)
			if (err == nil) != (err == nil && s.Verify(digest, signer) == nil) {
				t.Fatal("Recover and Verify disagree")
			}
		}
		var s Signature
		if s.UnmarshalText(text) == nil {
			back, err := s.MarshalText()
			if err != nil || !bytes.EqualFold(back, text) {
				t.Fatal("text is not written back as it was")
			}
			if _, err := ParseSignature(s[:]); err != nil && !s.IsZero() {
				t.Fatal("text may say what bytes may not")
			}
		}
	})
}

// readHashes cuts b into hashes; the rest is dropped.
func readHashes(b []byte) (out []common.Hash) {
	for ; len(b) >= 32; b = b[32:] {
		out = append(out, common.Hash(b[:32]))
	}
	return out
}

func flat(hashes []common.Hash) (b []byte) {
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// The fuzzer looks for a proof that is accepted and not the tree's own.
func FuzzVerifyInclusion(f *testing.F) {
	const n = 21
	tree, leaves := testTree(n)
	root := oracleRoot(leaves)
	for i := range uint64(n) {
		path, _ := tree.InclusionProof(i, n)
		f.Add(i, uint64(n), flat(path))
	}
	f.Add(maxUint64, maxUint64, []byte{})
	f.Add(uint64(0), uint64(1)<<63+1, make([]byte, 64*32))
	f.Fuzz(func(t *testing.T, index, size uint64, b []byte) {
		path := readHashes(b)
		event, state := testLeaf(int(index % n))
		if VerifyInclusion(event, state, index, size, path, root) != nil || size != n {
			return // other sizes may verify: encoding 10
		}
		want, err := tree.InclusionProof(index, n)
		if err != nil || !bytes.Equal(flat(want), flat(path)) {
			t.Fatalf("a second proof of leaf %d", index)
		}
	})
}

func FuzzVerifyConsistency(f *testing.F) {
	const n = 21
	tree, leaves := testTree(n)
	for i := uint64(1); i <= n; i++ {
		path, _ := tree.ConsistencyProof(i, n)
		f.Add(i, uint64(n), flat(path))
	}
	f.Add(uint64(0), uint64(0), []byte{})
	f.Add(maxUint64-1, maxUint64, make([]byte, 64*32))
	f.Add(uint64(1)<<63, maxUint64, make([]byte, 64*32))
	f.Fuzz(func(t *testing.T, first, second uint64, b []byte) {
		path := readHashes(b)
		rootOf := func(size uint64) common.Hash { return oracleRoot(leaves[:min(size, n)]) }
		if VerifyConsistency(first, second, path, rootOf(first), rootOf(second)) != nil {
			return
		}
		if second > n {
			return // the verifier knows no sizes but those given; equal roots of 21 and 21 "more" leaves may agree
		}
		want, err := tree.ConsistencyProof(first, second)
		if err != nil || !bytes.Equal(flat(want), flat(path)) {
			t.Fatalf("a second proof of %d in %d", first, second)
		}
	})
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A few KiB from a stranger must not become megabytes: many elements that all point at one long one.
func TestA10_HostileEncodingsAllocateLittle(t *testing.T) {
	const limit = 256 << 10
	words := func(n int) []byte { return make([]byte, 32*n) }
	put := func(b []byte, i int, v int) { binary.BigEndian.PutUint64(b[32*i+24:], uint64(v)) }

	total := maxEncodedFunding / 32
	for _, count := range []int{MaxAssets, total / 2, total * 3 / 4} {
		b := words(total)
		put(b, 0, 32)
		put(b, 1, count)
		for i := range count {
			put(b, 2+i, 32*count) // a stake right behind the offsets
		}
		put(b, 2+count+1, 64)                // its amounts
		put(b, 2+count+2, total-(2+count+3)) // as many as there is room for
		for i := 2 + count + 3; i < total; i++ {
			for j := range 32 {
				b[32*i+j] = 0xff
			}
		}
		got := allocated(func() {
			if _, err := DecodeFunding(b); err == nil {
				t.Fatal("accepted")
			}
		})
		if got > limit {
			t.Errorf("funding of %d bytes and %d stakes made %d bytes", len(b), count, got)
		}
	}
	total = MaxEffectBytes / 32
	for _, count := range []int{MaxEffects, total / 2, total * 3 / 4} {
		b := words(total)
		put(b, 0, 32)
		put(b, 1, count)
		for i := range count {
			put(b, 2+i, 32*count)
		}
		at := 2 + count
		put(b, at+2, 32*4)              // key
		put(b, at+3, 32*4)              // data, at the same place
		put(b, at+4, total-(2+count+5)) // words of key, bytes of data
		got := allocated(func() {
			if _, err := DecodeEffects(b); err == nil {
				t.Fatal("accepted")
			}
		})
		if got > limit {
			t.Errorf("effects of %d bytes and %d effects made %d bytes", len(b), count, got)
		}
	}
	b := append(words(1), bytes.Repeat([]byte{0xff}, maxEncodedParams-32)...)
	put(b, 0, 32)
	if got := allocated(func() { _, _ = DecodeParams(b) }); got > limit {
		t.Errorf("params made %d bytes", got)
	}
}
