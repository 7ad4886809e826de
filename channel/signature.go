package channel

import (
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Signature is r ‖ s ‖ v with v 27 or 28 and low s. The zero value means "none".
type Signature [65]byte

// ErrSignature is wrapped by every refusal of a signature.
var ErrSignature = errors.New("invalid signature")

var halfOrder = new(big.Int).Rsh(crypto.S256().Params().N, 1)

// Sign signs a digest with a key held in this process.
func Sign(digest common.Hash, key *ecdsa.PrivateKey) (s Signature, err error) {
	raw, err := crypto.Sign(digest[:], key)
	if err != nil {
		return s, fmt.Errorf("sign digest %s: %w", digest, err)
	}
	copy(s[:], raw)
	s[64] += 27
	return s, nil
}

// ParseSignature checks the form: length, v, low s, non-zero r and s.
func ParseSignature(b []byte) (s Signature, err error) {
	if len(b) != len(s) {
		return s, fmt.Errorf("%w: %d bytes instead of 65", ErrSignature, len(b))
	}
	copy(s[:], b)
	return s, s.check()
}

func (s Signature) check() error {
	r, sv := new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:64])
	switch {
	case s[64] != 27 && s[64] != 28:
		return fmt.Errorf("%w: v is %d, not 27 or 28", ErrSignature, s[64])
	case r.Sign() == 0 || r.Cmp(crypto.S256().Params().N) >= 0:
		return fmt.Errorf("%w: r out of range", ErrSignature)
	case sv.Sign() == 0 || sv.Cmp(halfOrder) > 0:
		return fmt.Errorf("%w: s out of range (only the low half is accepted)", ErrSignature)
	}
	return nil
}

// Recover is the address that signed the digest.
func (s Signature) Recover(digest common.Hash) (common.Address, error) {
	if err := s.check(); err != nil {
		return common.Address{}, err
	}
	raw := s
	raw[64] -= 27
	pub, err := crypto.Ecrecover(digest[:], raw[:])
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	var a common.Address
	copy(a[:], crypto.Keccak256(pub[1:])[12:])
	return a, nil
}

// Verify refuses a signature that is not the signer's over the digest.
func (s Signature) Verify(digest common.Hash, signer common.Address) error {
	got, err := s.Recover(digest)
	if err != nil {
		return err
	}
	if got != signer {
		return fmt.Errorf("%w: signed by %s, expected %s", ErrSignature, got, signer)
	}
	return nil
}

// IsZero tells whether there is no signature.
func (s Signature) IsZero() bool { return s == Signature{} }

// MarshalText is 0x-prefixed hex; 0x alone is "none".
func (s Signature) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return []byte("0x"), nil
	}
	return []byte("0x" + hex.EncodeToString(s[:])), nil
}

// UnmarshalText reads what MarshalText wrote and checks the form. "None" is read too; Recover and Verify refuse it.
func (s *Signature) UnmarshalText(text []byte) error {
	if string(text) == "0x" {
		*s = Signature{}
		return nil
	}
	if len(text) != 132 || text[0] != '0' || text[1] != 'x' {
		return fmt.Errorf("%w: expected 0x and 130 hex digits", ErrSignature)
	}
	b, err := hex.DecodeString(string(text[2:]))
	if err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, err)
	}
	*s, err = ParseSignature(b)
	return err
}
