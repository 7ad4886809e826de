package mudbridge_test

import (
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/mudbridge"
)

// hostileWorld answers every call with the same bytes.
type hostileWorld struct {
	answer []byte
	err    error
	calls  int
}

func (h *hostileWorld) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	h.calls++
	return h.answer, h.err
}

func packAs(t *testing.T, types []string, values ...any) []byte {
	t.Helper()
	var args abi.Arguments
	for _, name := range types {
		typ, err := abi.NewType(name, "", nil)
		require.NoError(t, err)
		args = append(args, abi.Argument{Type: typ})
	}
	b, err := args.Pack(values...)
	require.NoError(t, err)
	return b
}

func packNames(t *testing.T, names ...string) []byte {
	return packAs(t, []string{"string[]"}, names)
}

// answerOf is what getRecord of the table of tables returns.
func answerOf(t *testing.T, words [3]common.Hash, keyNames, fieldNames []byte) []byte {
	t.Helper()
	s := parseSchema(t, "bytes32,bytes32,bytes32,bytes,bytes")
	r, err := s.EncodeRecord(words[0], words[1], words[2], keyNames, fieldNames)
	require.NoError(t, err)
	return packAs(t, []string{"bytes", "bytes32", "bytes"}, r.StaticData, [32]byte(r.EncodedLengths), r.DynamicData)
}

func TestAttack29_HostileWorld(t *testing.T) {
	id, err := mudbridge.TableID("raid__Loot")
	require.NoError(t, err)
	key, value := parseSchema(t, "address"), parseSchema(t, "uint32")
	good := [3]common.Hash{value.Layout().Hash(), key.Word(), value.Word()}
	with := func(i int, w common.Hash) [3]common.Hash {
		words := good
		words[i] = w
		return words
	}
	player, amount := packNames(t, "player"), packNames(t, "amount")

	ok := &hostileWorld{answer: answerOf(t, good, player, amount)}
	reader := mudbridge.NewReader(ok, common.Address{1})
	for range 3 {
		table, err := reader.Table(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "amount", table.FieldNames[0])
	}
	require.Equal(t, 1, ok.calls, "a schema is read once")
	_, err = reader.At(big.NewInt(1)).Table(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 2, ok.calls, "at another block it is read again")

	for name, answer := range map[string][]byte{
		"nothing":             nil,
		"junk":                make([]byte, 31),
		"junk in ABI":         make([]byte, 96),
		"far too much":        make([]byte, 1<<20+32),
		"words added":         append(answerOf(t, good, player, amount), make([]byte, 32)...),
		"no layout":           answerOf(t, with(0, common.Hash{1}), player, amount),
		"another layout":      answerOf(t, with(0, parseSchema(t, "uint64").Layout().Hash()), player, amount),
		"no key schema":       answerOf(t, with(1, common.Hash{1}), player, amount),
		"dynamic key":         answerOf(t, with(1, parseSchema(t, "string").Word()), player, amount),
		"no schema":           answerOf(t, with(2, common.Hash{1}), player, amount),
		"names are no ABI":    answerOf(t, good, []byte{1}, amount),
		"a million names":     answerOf(t, good, player, packAs(t, []string{"uint256", "uint256"}, big.NewInt(32), big.NewInt(1e6))),
		"a name too much":     answerOf(t, good, player, packNames(t, "amount", "more")),
		"record of no schema": packAs(t, []string{"bytes", "bytes32", "bytes"}, []byte{1}, [32]byte{}, []byte{}),
	} {
		_, err := mudbridge.NewReader(&hostileWorld{answer: answer}, common.Address{1}).Record(t.Context(), id, common.Address{})
		require.ErrorIs(t, err, mudbridge.ErrWorldAnswer, name)
	}

	down := errors.New("connection refused")
	reader = mudbridge.NewReader(&hostileWorld{err: down}, common.Address{1})
	_, err = reader.Record(t.Context(), id, common.Address{})
	require.ErrorIs(t, err, down)
	_, err = reader.HasAccess(t.Context(), id, common.Address{})
	require.ErrorIs(t, err, down)
	_, err = reader.NamespaceOwner(t.Context(), id.NamespaceID())
	require.ErrorIs(t, err, down)
}
