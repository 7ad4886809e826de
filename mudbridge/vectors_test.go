package mudbridge_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/mudbridge"
)

// load reads one of the files that testdata/generate.mjs wrote.
func load(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, into))
}

func parseSchema(t testing.TB, abiTypes string) mudbridge.Schema {
	t.Helper()
	var names []string
	if abiTypes != "" {
		names = strings.Split(abiTypes, ",")
	}
	s, err := mudbridge.ParseSchema(names...)
	require.NoError(t, err)
	return s
}

// parseValue turns a value of a vector into the Go value that decoders must give for it.
func parseValue(t testing.TB, typ mudbridge.SchemaType, v any) any {
	t.Helper()
	if elem, ok := typ.Elem(); ok {
		list := make([]any, len(v.([]any)))
		for i, item := range v.([]any) {
			list[i] = parseValue(t, elem, item)
		}
		return list
	}
	switch name := typ.String(); {
	case typ == mudbridge.Bool:
		return v.(bool)
	case typ == mudbridge.String:
		return v.(string)
	case typ == mudbridge.Address:
		return common.HexToAddress(v.(string))
	case strings.HasPrefix(name, "bytes"):
		return []byte(hexutil.MustDecode(v.(string)))
	case strings.HasPrefix(name, "uint"):
		n, err := uint256.FromDecimal(v.(string))
		require.NoError(t, err)
		if typ.StaticLength() <= 8 {
			return n.Uint64()
		}
		return n
	default:
		n, ok := new(big.Int).SetString(v.(string), 10)
		require.True(t, ok)
		if typ.StaticLength() <= 8 {
			return n.Int64()
		}
		return n
	}
}

func parseValues(t testing.TB, s mudbridge.Schema, text string) []any {
	t.Helper()
	var raw []any
	require.NoError(t, json.Unmarshal([]byte(text), &raw))
	require.Len(t, raw, s.Len())
	values := make([]any, len(raw))
	for i, v := range raw {
		values[i] = parseValue(t, s.Type(i), v)
	}
	return values
}

// requireSame compares values by what they mean: big.Int may differ in its internals.
func requireSame(t testing.TB, want, got []any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.IsType(t, want[i], got[i])
		require.Equal(t, mudbridge.FormatValue(want[i]), mudbridge.FormatValue(got[i]))
	}
}

func TestC3_VectorsSchemaTypes(t *testing.T) {
	var v struct {
		Names   []string
		Lengths []int
	}
	load(t, "schematypes.json", &v)
	require.Len(t, v.Names, 198)
	for i, name := range v.Names {
		typ, err := mudbridge.ParseSchemaType(name)
		require.NoError(t, err)
		require.EqualValues(t, i, typ, name)
		require.Equal(t, name, typ.String())
		require.Equal(t, v.Lengths[i], typ.StaticLength(), name)
		require.Equal(t, v.Lengths[i] == 0, typ.Dynamic(), name)
	}
}

func TestC3_VectorsResources(t *testing.T) {
	var v struct {
		Types, Namespaces, Names, Labels []string
		IDs                              []common.Hash `json:"ids"`
		NamespaceIDs                     []common.Hash `json:"namespaceIds"`
	}
	load(t, "resources.json", &v)
	require.NotEmpty(t, v.IDs)
	for i, want := range v.IDs {
		id, err := mudbridge.NewResourceID(mudbridge.ResourceType(v.Types[i]), v.Namespaces[i], v.Names[i])
		require.NoError(t, err)
		require.Equal(t, want, id.Hash())
		require.Equal(t, v.NamespaceIDs[i], id.NamespaceID().Hash())
		require.Equal(t, v.Labels[i], id.Label())

		decoded, err := mudbridge.DecodeResourceID(want)
		require.NoError(t, err)
		require.Equal(t, v.Types[i], string(decoded.Type()))
		require.Equal(t, v.Namespaces[i], decoded.Namespace())
		require.Equal(t, v.Names[i], decoded.Name())
		namespace, name := mudbridge.SplitLabel(v.Labels[i])
		require.Equal(t, [2]string{v.Namespaces[i], v.Names[i]}, [2]string{namespace, name})
	}
}

func TestC3_VectorsSchemas(t *testing.T) {
	var v struct {
		AbiTypes              []string
		TypeBytes             []hexutil.Bytes
		Schemas, FieldLayouts []common.Hash
	}
	load(t, "schemas.json", &v)
	require.Greater(t, len(v.Schemas), 200)
	for i, abiTypes := range v.AbiTypes {
		s := parseSchema(t, abiTypes)
		require.Equal(t, v.Schemas[i], s.Word(), abiTypes)
		require.Equal(t, v.FieldLayouts[i], s.Layout().Hash(), abiTypes)

		decoded, err := mudbridge.DecodeSchema(v.Schemas[i])
		require.NoError(t, err)
		require.Equal(t, s, decoded)
		for j, b := range v.TypeBytes[i] {
			require.EqualValues(t, b, decoded.Type(j))
		}
		layout, err := mudbridge.DecodeFieldLayout(v.FieldLayouts[i])
		require.NoError(t, err)
		require.Equal(t, s.StaticLength(), layout.StaticLength())
		require.Equal(t, s.NumStatic(), layout.NumStatic())
		require.Equal(t, s.NumDynamic(), layout.NumDynamic())
		for j := range s.NumStatic() {
			require.Equal(t, s.Type(j).StaticLength(), layout.FieldLength(j))
		}
	}
}

func TestC3_VectorsEncodedLengths(t *testing.T) {
	var v struct {
		Lengths        []hexutil.Bytes
		EncodedLengths []common.Hash
	}
	load(t, "lengths.json", &v)
	require.NotEmpty(t, v.Lengths)
	list, err := abi.NewType("uint256[]", "", nil)
	require.NoError(t, err)
	for i, want := range v.EncodedLengths {
		values, err := abi.Arguments{{Type: list}}.Unpack(v.Lengths[i])
		require.NoError(t, err)
		var lengths []uint64
		var total uint64
		for _, n := range values[0].([]*big.Int) {
			lengths = append(lengths, n.Uint64())
			total += n.Uint64()
		}
		e, err := mudbridge.NewEncodedLengths(lengths...)
		require.NoError(t, err)
		require.Equal(t, want, e.Hash())
		decoded, err := mudbridge.DecodeEncodedLengths(want)
		require.NoError(t, err)
		require.Equal(t, total, decoded.Total())
		for j, n := range lengths {
			require.Equal(t, n, decoded.At(j))
		}
	}
}

func words(b []byte) []common.Hash {
	out := []common.Hash{}
	for ; len(b) > 0; b = b[common.HashLength:] {
		out = append(out, common.BytesToHash(b[:common.HashLength]))
	}
	return out
}

func TestC3_VectorsKeysAndSlots(t *testing.T) {
	var v struct {
		AbiTypes, Values                                           []string
		Schemas, TableIds, StaticSlots, LengthSlots, DynamicSlots3 []common.Hash
		KeyTuples                                                  []hexutil.Bytes
	}
	load(t, "keys.json", &v)
	require.Greater(t, len(v.KeyTuples), 200)
	for i, abiTypes := range v.AbiTypes {
		s := parseSchema(t, abiTypes)
		require.Equal(t, v.Schemas[i], s.Word())
		values := parseValues(t, s, v.Values[i])
		want := words(v.KeyTuples[i])

		key, err := s.EncodeKey(values...)
		require.NoError(t, err)
		require.Equal(t, want, key, "%s %s", abiTypes, v.Values[i])
		decoded, err := s.DecodeKey(want)
		require.NoError(t, err)
		requireSame(t, values, decoded)

		id := mudbridge.ResourceID(v.TableIds[i])
		require.Equal(t, v.StaticSlots[i], mudbridge.StaticDataSlot(id, key))
		require.Equal(t, v.LengthSlots[i], mudbridge.DynamicLengthSlot(id, key))
		require.Equal(t, v.DynamicSlots3[i], mudbridge.DynamicDataSlot(id, key, 3))
	}
}

type recordVectors struct {
	AbiTypes, Values        []string
	Schemas, FieldLayouts   []common.Hash
	StaticData, DynamicData []hexutil.Bytes
	EncodedLengths          []common.Hash
}

func (v recordVectors) record(i int) mudbridge.Record {
	return mudbridge.Record{StaticData: v.StaticData[i], EncodedLengths: mudbridge.EncodedLengths(v.EncodedLengths[i]), DynamicData: v.DynamicData[i]}
}

func requireSameRecord(t testing.TB, want, got mudbridge.Record) {
	t.Helper()
	require.Equal(t, hexutil.Bytes(want.StaticData).String(), hexutil.Bytes(got.StaticData).String())
	require.Equal(t, want.EncodedLengths.Hash(), got.EncodedLengths.Hash())
	require.Equal(t, hexutil.Bytes(want.DynamicData).String(), hexutil.Bytes(got.DynamicData).String())
}

func TestC3_VectorsRecords(t *testing.T) {
	var v recordVectors
	load(t, "records.json", &v)
	require.Greater(t, len(v.AbiTypes), 500)
	for i, abiTypes := range v.AbiTypes {
		s := parseSchema(t, abiTypes)
		require.Equal(t, v.Schemas[i], s.Word())
		require.Equal(t, v.FieldLayouts[i], s.Layout().Hash())
		values := parseValues(t, s, v.Values[i])
		encoded, err := s.EncodeRecord(values...)
		require.NoError(t, err)
		requireSameRecord(t, v.record(i), encoded)
		decoded, err := s.DecodeRecord(v.record(i))
		require.NoError(t, err)
		requireSame(t, values, decoded)
	}
}

func TestC3_VectorsHistories(t *testing.T) {
	var v struct {
		recordVectors
		LogCounts         []int
		Topics0, TableIds []common.Hash
		Data              []hexutil.Bytes
	}
	load(t, "histories.json", &v)
	require.NotEmpty(t, v.LogCounts)
	next, seen := 0, map[common.Hash]bool{}
	for i, count := range v.LogCounts {
		s := parseSchema(t, v.AbiTypes[i])
		record := s.ZeroRecord()
		for range count {
			log, err := mudbridge.DecodeStoreLog(types.Log{Topics: []common.Hash{v.Topics0[next], v.TableIds[next]}, Data: v.Data[next]})
			require.NoError(t, err)
			require.Equal(t, "raid__History", log.Table.Label())
			require.Len(t, log.Key, 1)
			record, err = s.Apply(record, log.Change)
			require.NoError(t, err, "history %d, log %d: %+v", i, next, log)
			seen[v.Topics0[next]] = true
			next++
		}
		requireSameRecord(t, v.record(i), record)
	}
	require.Equal(t, len(v.Data), next)
	require.Len(t, seen, len(mudbridge.StoreTopics()), "every kind of log occurs")
}

// The checked-in files are what MUD's packages give today.
func TestC3_VectorsAreReproducible(t *testing.T) {
	requireToolchain(t)
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "generate.mjs"), dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	written, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	checkedIn, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	require.NoError(t, err)
	require.Len(t, written, len(checkedIn))
	for _, file := range written {
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		want, err := os.ReadFile(filepath.Join("testdata", filepath.Base(file)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s changed: run node mudbridge/testdata/generate.mjs and look at the difference", filepath.Base(file))
	}
}
