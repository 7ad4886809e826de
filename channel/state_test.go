package channel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttack29_DecodeStateIsStrict(t *testing.T) {
	shape := Shape{2, 1, 2}
	header := Header{5, []uint64{1, 2}, 3, false}.Encode()
	least := append(append([]byte(nil), header...), make([]byte, shape.FundsLen())...)
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"empty", nil, false},
		{"header only", header, false},
		{"a byte of funds missing", least[:len(least)-1], false},
		{"no app", least, true},
		{"one byte of app", append(append([]byte(nil), least...), 1), true},
		{"16 KiB of app", append(append([]byte(nil), least...), make([]byte, MaxApp)...), true},
		{"a byte above 16 KiB", append(append([]byte(nil), least...), make([]byte, MaxApp+1)...), false},
		{"terminal 2", setWord(least, 4, wordOf(2).bytes), false},
		{"nonce above 64 bits", dirty(least, 2), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := DecodeState(c.b, shape)
			if !c.ok {
				requireMalformed(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.b, s.Bytes())
		})
	}
}

// The buffer may be a database's or the network's and be used again.
func TestF2_DecodeStateKeepsNothingOfItsInput(t *testing.T) {
	shape := Shape{2, 0, 1}
	s := &State{Header{5, []uint64{1, 2}, 3, false}, testBytes("funds", shape.FundsLen()), testBytes("app", 10)}
	b := s.Bytes()
	back, err := DecodeState(b, shape)
	require.NoError(t, err)
	for i := range b {
		b[i] = 0xee
	}
	require.Equal(t, s.Hash(), back.Hash())
}

func TestF2_SumsDetectOverflow(t *testing.T) {
	shape := Shape{2, 1, 2}
	funds := func(words ...uint64) []byte {
		var b []byte
		for _, w := range words {
			b = append(b, wordOf(w).bytes...)
		}
		return b
	}
	sums, ok := Sums(funds(1, 2, 3, 10, 20, 30), shape)
	require.True(t, ok)
	require.Equal(t, []uint64{6, 60}, []uint64{sums[0].Uint64(), sums[1].Uint64()})

	full := maxUint256.Bytes32()
	_, ok = Sums(setWord(funds(0, 0, 0, 0, 0, 0), 2, full[:]), shape)
	require.True(t, ok, "2^256 - 1 fits")
	for i := range 6 {
		b := setWord(funds(1, 1, 1, 1, 1, 1), i, full[:])
		_, ok = Sums(b, shape)
		require.False(t, ok, "word %d", i)
	}
	for _, n := range []int{0, 1, 31, 191, 193, 224} {
		_, ok = Sums(make([]byte, n), shape)
		require.False(t, ok, "%d bytes of funds", n)
	}
	sums, ok = Sums(nil, Shape{2, 0, 0})
	require.True(t, ok)
	require.Empty(t, sums)
}

// Each of the three parts is under the hash, and bytes cannot move from one to another.
func TestF2_StateHashCoversEveryPart(t *testing.T) {
	s := func() *State {
		return &State{Header{5, []uint64{1, 2}, 3, false}, testBytes("funds", 64), testBytes("app", 10)}
	}
	seen := map[string]bool{}
	for _, change := range []func(s *State){
		func(s *State) {},
		func(s *State) { s.Header.LastTimestamp++ },
		func(s *State) { s.Header.Nonces[1]++ },
		func(s *State) { s.Header.TopUps++ },
		func(s *State) { s.Header.Terminal = true },
		func(s *State) { s.Header.Nonces = []uint64{1, 2, 0} },
		func(s *State) { s.Funds[0]++ },
		func(s *State) { s.App[9]++ },
		func(s *State) { s.App = nil },
		func(s *State) { s.Funds, s.App = s.Funds[:63], append(s.Funds[63:64:64], s.App...) },
	} {
		one := s()
		change(one)
		key := one.Hash().Hex()
		require.False(t, seen[key])
		seen[key] = true
	}
}
