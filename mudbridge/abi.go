package mudbridge

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

// maxABIBytes bounds what the decoders look at: far above any record that fits a block's gas, far below what hurts.
const maxABIBytes = 1 << 20

var errABI = errors.New("not in the canonical ABI encoding")

func abiArguments(types ...string) abi.Arguments {
	args := make(abi.Arguments, len(types))
	for i, t := range types {
		typ, err := abi.NewType(t, "", nil)
		if err != nil {
			panic(err) // a constant of this package is misspelt
		}
		args[i] = abi.Argument{Type: typ}
	}
	return args
}

// packABI encodes values of the right Go types, which callers in this package guarantee.
func packABI(args abi.Arguments, values ...any) []byte {
	b, err := args.Pack(values...)
	if err != nil {
		panic(err)
	}
	return b
}

// unpackABI reads what packABI writes and nothing else.
func unpackABI(args abi.Arguments, data []byte) ([]any, error) {
	if len(data) > maxABIBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), maxABIBytes)
	}
	values, err := args.Unpack(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errABI, err)
	}
	again, err := args.Pack(values...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errABI, err)
	}
	if !bytes.Equal(again, data) {
		return nil, errABI
	}
	return values, nil
}

func toWords(key []common.Hash) [][32]byte {
	words := make([][32]byte, len(key))
	for i, k := range key {
		words[i] = k
	}
	return words
}

func fromWords(words [][32]byte) []common.Hash {
	key := make([]common.Hash, len(words))
	for i, w := range words {
		key[i] = w
	}
	return key
}
