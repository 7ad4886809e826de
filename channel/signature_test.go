package channel

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

func TestAttack14_SignaturesAreMadeInTheStrictForm(t *testing.T) {
	parities := map[byte]bool{}
	for i := range 64 {
		digest := testHash(fmt.Sprintf("digest %d", i))
		s, err := Sign(digest, testKey(i%3))
		require.NoError(t, err)
		parsed, err := ParseSignature(s[:])
		require.NoError(t, err)
		require.Equal(t, s, parsed)
		got, err := s.Recover(digest)
		require.NoError(t, err)
		require.Equal(t, testSigner(i%3), got)
		require.ErrorIs(t, s.Verify(digest, testSigner(i%3+1)), ErrSignature)
		parities[s[64]] = true
	}
	require.Equal(t, map[byte]bool{27: true, 28: true}, parities)
}

// One changed bit anywhere: refused, or somebody else's.
func TestAttack14_EveryBitCounts(t *testing.T) {
	digest := testHash("digest")
	s, err := Sign(digest, testKey(0))
	require.NoError(t, err)
	for i := range 65 * 8 {
		bad := s
		bad[i/8] ^= 1 << (i % 8)
		require.ErrorIs(t, bad.Verify(digest, testSigner(0)), ErrSignature, "bit %d", i)
	}
	for i := range 32 * 8 {
		other := digest
		other[i/8] ^= 1 << (i % 8)
		require.ErrorIs(t, s.Verify(other, testSigner(0)), ErrSignature, "bit %d of the digest", i)
	}
}

func TestAttack14_NoSignatureIsNobodys(t *testing.T) {
	var none Signature
	require.True(t, none.IsZero())
	_, err := none.Recover(common.Hash{})
	require.ErrorIs(t, err, ErrSignature)
	require.ErrorIs(t, none.Verify(common.Hash{}, common.Address{}), ErrSignature)
	text, err := none.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "0x", string(text))
	var back Signature
	require.NoError(t, back.UnmarshalText(text))
	require.True(t, back.IsZero())
}

func TestAttack29_SignatureText(t *testing.T) {
	s, err := Sign(testHash("digest"), testKey(0))
	require.NoError(t, err)
	good, err := s.MarshalText()
	require.NoError(t, err)
	require.Len(t, good, 132)
	var back Signature
	require.NoError(t, back.UnmarshalText(good))
	require.Equal(t, s, back)
	for name, text := range map[string]string{
		"empty":             "",
		"no prefix":         string(good[2:]),
		"another prefix":    "0X" + string(good[2:]),
		"a digit short":     string(good[:131]),
		"a digit long":      string(good) + "0",
		"no hex":            string(good[:131]) + "g",
		"zeros written out": "0x" + strings.Repeat("0", 130),
		"v 0":               string(good[:130]) + "00",
		"space":             " " + string(good),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, new(Signature).UnmarshalText([]byte(text)), ErrSignature)
		})
	}
	require.NoError(t, back.UnmarshalText(bytes.Replace(good, []byte("a"), []byte("A"), -1)))
	require.Equal(t, s, back)
}

func TestF2_RefusalsCarryTheirCode(t *testing.T) {
	err := fmt.Errorf("open channel: %w", Refuse(CodeParams, "window of %d s", 0))
	require.ErrorIs(t, err, &Refusal{Code: CodeParams})
	require.NotErrorIs(t, err, &Refusal{Code: CodePolicy})
	require.NotErrorIs(t, err, &Refusal{Code: CodeParams, Detail: "another"})
	require.EqualError(t, err, "open channel: params: window of 0 s")
}
