package channel

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// Four participants, two assets, 1 KiB of app: the size of a raid.
func benchRules(b *testing.B) (*Rules, *State) {
	f := fundingBy(2, 4, small)
	p := paramsFor(4, f)
	stakes := (&Rules{Funding: f, shape: ShapeOf(p, f)}).stakes()
	m := trivial{Manifest{ProgramHash: testHash("bench")}, append(append([]byte{0}, stakes...), testBytes("app", 1024)...)}
	p.ModuleHash, p.GenesisHash = m.manifest.Hash(), hash(nil)
	r, err := NewRules(p, f, m)
	require.NoError(b, err)
	s, v := r.Genesis(nil)
	require.NoError(b, v.Err())
	return r, s
}

// trivial answers every call with the same output.
type trivial struct {
	manifest Manifest
	output   []byte
}

func (m trivial) Manifest() Manifest        { return m.manifest }
func (m trivial) Init([]byte) Result        { return Result{Output: m.output} }
func (m trivial) Reduce(_, _ []byte) Result { return Result{Output: m.output} }
func (m trivial) Effects([]byte) Result     { return Result{Output: EncodeEffects(nil)} }

func BenchmarkChannelID(b *testing.B) {
	p := paramsFor(4, fundingBy(2, 4, small))
	for b.Loop() {
		p.ID()
	}
}

func BenchmarkDecodeParams(b *testing.B) {
	encoded := paramsFor(4, fundingBy(2, 4, small)).Encode()
	for b.Loop() {
		if _, err := DecodeParams(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStateHash(b *testing.B) {
	_, s := benchRules(b)
	for b.Loop() {
		s.Hash()
	}
}

func BenchmarkUpdateDigest(b *testing.B) {
	d := NewDomain(uint256.NewInt(31337), testAdjudicator)
	u := Update{testHash("channel"), 1, testHash("root"), testHash("state")}
	for b.Loop() {
		d.Digest(u)
	}
}

func BenchmarkSign(b *testing.B) {
	digest, key := testHash("digest"), testKey(0)
	for b.Loop() {
		if _, err := Sign(digest, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecover(b *testing.B) {
	digest := testHash("digest")
	s, err := Sign(digest, testKey(0))
	require.NoError(b, err)
	for b.Loop() {
		if _, err := s.Recover(digest); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJournalAppendAndRoot(b *testing.B) {
	var j Journal
	leaf := testHash("leaf")
	for b.Loop() {
		j = j.Append(leaf)
		j.Root()
	}
}

func BenchmarkTreeAppend(b *testing.B) {
	var tree Tree
	leaf := testHash("leaf")
	for b.Loop() {
		tree.Append(leaf)
	}
}

func BenchmarkConsistencyProofOf10000(b *testing.B) {
	var tree Tree
	for range 10_000 {
		tree.Append(testHash("leaf"))
	}
	for b.Loop() {
		if _, err := tree.ConsistencyProof(7777, 10_000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	r, s := benchRules(b)
	e := Event{ChannelID: r.ID(), Nonce: 1, Payload: testBytes("payload", 64)}
	for b.Loop() {
		if _, v := r.Apply(s, 1, &e); v.Status != Accepted {
			b.Fatal(v)
		}
	}
}
