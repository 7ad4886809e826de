package modules

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// U6: dice and decks that anybody can check with a dozen lines of another language.
func TestU6_Dice(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(4, 4))
	for round := range 100 {
		seat, salt, sides := byte(rng.IntN(16)), rng.Uint32(), 1+rng.Uint32()>>rng.IntN(32)
		if round == 0 {
			sides = 0
		}
		link := crypto.Keccak256(le32(rng.Uint32()))
		tip := crypto.Keccak256([]byte{seat}, link)
		if round%2 == 1 {
			tip = crypto.Keccak256([]byte{seat + 1}, link)
		}
		payload := append(append(append([]byte{2, seat}, link...), tip...), le32(salt)...)
		payload = append(payload, le32(sides)...)
		n := rng.IntN(17)
		payload = append(payload, byte(n))
		var links []byte
		for range n {
			links = append(links, crypto.Keccak256(le32(rng.Uint32()))...)
		}
		got, reason := p.run(t, "dice", append(payload, links...))
		if sides == 0 {
			require.Equal(t, "no such die", reason)
			continue
		}
		seed := crypto.Keccak256(links, le32(salt))
		want := append([]byte{byte(1 - round%2)}, seed...)
		cast := crypto.Keccak256(seed, le32(salt))
		for k := range 8 {
			want = append(want, le32(binary.LittleEndian.Uint32(cast[4*k:])%sides+1)...)
		}
		require.Equal(t, want, got)
	}
}

// stream is the Random of the SDKs in Go.
type stream struct {
	seed  []byte
	salt  uint32
	block uint32
	words []uint32
}

func (s *stream) below(n uint32) uint32 {
	for {
		if len(s.words) == 0 {
			h := crypto.Keccak256(s.seed, le32(s.salt), le32(s.block))
			for k := range 8 {
				s.words = append(s.words, binary.LittleEndian.Uint32(h[4*k:]))
			}
			s.block++
		}
		v := s.words[0]
		s.words = s.words[1:]
		if uint64(v) < 1<<32/uint64(n)*uint64(n) {
			return v % n
		}
	}
}

func TestU6_Shuffle(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 100 {
		seed, salt, n := crypto.Keccak256(le32(rng.Uint32())), rng.Uint32(), byte(rng.IntN(256))
		bound := 1 + rng.Uint32()>>rng.IntN(32)
		switch round {
		case 0:
			bound = 0
		case 1:
			bound = 1<<31 + 1 // nearly half of all numbers are thrown away
		case 2:
			n = 52
		}
		payload := append(append(append([]byte{3}, seed...), le32(salt)...), n)
		got, reason := p.run(t, "shuffle", append(payload, le32(bound)...))
		if bound == 0 {
			require.Equal(t, "a choice of none", reason)
			continue
		}
		var want []byte
		s := &stream{seed: seed, salt: salt}
		for range 12 {
			want = append(want, le32(s.below(bound))...)
		}
		deck := make([]byte, n)
		for i := range deck {
			deck[i] = byte(i)
		}
		s = &stream{seed: seed, salt: salt ^ 1}
		for i := len(deck); i > 1; i-- {
			j := s.below(uint32(i))
			deck[i-1], deck[j] = deck[j], deck[i-1]
		}
		require.Equal(t, append(want, deck...), got)
	}
}

// Fixed point against numbers without limit.
func TestF11_Maths(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(6, 6))
	edges := []uint64{0, 1, 2, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	number := func() uint64 {
		if rng.IntN(3) == 0 {
			return edges[rng.IntN(len(edges))]
		}
		v := rng.Uint64() >> rng.IntN(64)
		if rng.IntN(2) == 0 {
			v = -v
		}
		return v
	}
	refused := map[string]int{}
	for range 4000 {
		op, a, b, c := byte(rng.IntN(8)), number(), number(), number()
		payload := []byte{4, op}
		for _, v := range []uint64{a, b, c} {
			payload = binary.LittleEndian.AppendUint64(payload, v)
		}
		want, reason := maths(op, a, b, c)
		got, why := p.run(t, "maths", payload)
		require.Equal(t, reason, why, "%d: %d %d %d", op, a, b, c)
		if why == "" {
			require.Equal(t, want, binary.LittleEndian.Uint64(got), "%d: %d %d %d", op, a, b, c)
		}
		refused[why]++
	}
	require.Len(t, refused, 3, "%v", refused)
}

func maths(op byte, a, b, c uint64) (uint64, string) {
	u := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	i := func(v uint64) *big.Int { return big.NewInt(int64(v)) }
	unsigned := op < 2
	var v *big.Int
	switch {
	case op == 0 && c == 0, op == 5 && b == 0:
		return 0, "a division by zero"
	case op == 0:
		v = u(0).Div(u(0).Mul(u(a), u(b)), u(c))
	case op == 1:
		v = u(0).Sqrt(u(a))
	case op == 2:
		v = u(0).Add(i(a), i(b))
	case op == 3:
		v = u(0).Sub(i(a), i(b))
	case op == 4:
		v = u(0).Quo(u(0).Mul(i(a), i(b)), u(1<<32))
	case op == 5:
		v = u(0).Quo(u(0).Mul(i(a), u(1<<32)), i(b))
	case op == 6:
		v = u(0).Rsh(i(a), 32)
	default:
		v = u(0).Mul(big.NewInt(int64(int32(a))), u(1<<32))
	}
	if unsigned {
		if !v.IsUint64() {
			return 0, "a number is too large"
		}
		return v.Uint64(), ""
	}
	if !v.IsInt64() {
		return 0, "a number is too large"
	}
	return uint64(v.Int64()), ""
}
