package mudbridge_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/mudbridge"
)

func word(hex string) common.Hash {
	return common.BytesToHash(hexutil.MustDecode(hex + strings.Repeat("0", 66-len(hex))))
}

// Attack 29: malformed everything.

func TestAttack29_ResourceIDs(t *testing.T) {
	for name, w := range map[string]common.Hash{
		"unknown type":          word("0x7878726169640000"),
		"zero":                  {},
		"text after a zero":     word("0x74627200610000"),
		"name after a zero":     word("0x7462726169640000000000000000000000610062"),
		"not UTF-8":             word("0x7462ff"),
		"a namespace with name": word("0x6e73726169640000000000000000000061"),
	} {
		_, err := mudbridge.DecodeResourceID(w)
		require.ErrorIs(t, err, mudbridge.ErrResourceID, name)
		var id mudbridge.ResourceID
		require.ErrorIs(t, id.UnmarshalText([]byte(w.Hex())), mudbridge.ErrResourceID, name)
		require.Equal(t, w.Hex(), mudbridge.ResourceID(w).String(), "what is no id prints as hex")
	}
	for name, parts := range map[string][3]string{
		"unknown type":        {"xx", "raid", "Loot"},
		"long namespace":      {"tb", "fifteen_bytes__", "Loot"},
		"long name":           {"tb", "raid", "seventeen_bytes__"},
		"zero in the name":    {"tb", "raid", "Lo\x00ot"},
		"trailing zero":       {"tb", "raid\x00a", ""},
		"not UTF-8":           {"tb", "raid", "\xff"},
		"namespace with name": {"ns", "raid", "Loot"},
	} {
		_, err := mudbridge.NewResourceID(mudbridge.ResourceType(parts[0]), parts[1], parts[2])
		require.ErrorIs(t, err, mudbridge.ErrResourceID, name)
	}
	var id mudbridge.ResourceID
	require.ErrorIs(t, id.UnmarshalText([]byte("0x12")), mudbridge.ErrResourceID)

	loot, err := mudbridge.TableID("raid__Loot")
	require.NoError(t, err)
	text, err := json.Marshal(loot)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &id))
	require.Equal(t, loot, id)
	require.Equal(t, "tb:raid:Loot", loot.String())
	rooted, err := mudbridge.TableID("Rooted")
	require.NoError(t, err)
	require.Equal(t, "tb:<root>:Rooted", rooted.String())
}

func TestAttack29_SchemasAndLayouts(t *testing.T) {
	for name, hex := range map[string]string{
		"wrong static length":    "0x00050100_03",
		"count above the types":  "0x00040200_03",
		"bytes after the fields": "0x00040100_0303",
		"unknown type":           "0x00000001_c6",
		"static after dynamic":   "0x00040101_c403",
		"six dynamic fields":     "0x00000006_c4c4c4c4c4c4",
		"29 fields":              "0x001d1d00" + strings.Repeat("00", 28),
		"255 and 255 fields":     "0x0000ffff",
		"dynamic counted static": "0x00000100_c4",
	} {
		_, err := mudbridge.DecodeSchema(word(strings.ReplaceAll(hex, "_", "")))
		require.ErrorIs(t, err, mudbridge.ErrSchema, name)
	}
	empty, err := mudbridge.DecodeSchema(common.Hash{})
	require.NoError(t, err, "the key schema of a singleton")
	require.Zero(t, empty.Len())

	for name, hex := range map[string]string{
		"empty":                  "0x",
		"wrong static length":    "0x00050100_04",
		"zero length":            "0x00040200_0400",
		"33 bytes":               "0x00210100_21",
		"bytes after the fields": "0x00040100_0404",
		"six dynamic fields":     "0x00000006",
		"29 fields":              "0x001d1800_" + strings.Repeat("01", 28),
		"255 and 5 fields":       "0x0000ff05",
	} {
		_, err := mudbridge.DecodeFieldLayout(word(strings.ReplaceAll(hex, "_", "")))
		require.ErrorIs(t, err, mudbridge.ErrFieldLayout, name)
	}
	layout := parseSchema(t, "uint32,address").Layout()
	require.Zero(t, layout.FieldLength(-1))
	require.Zero(t, layout.FieldLength(2))

	for _, names := range [][]string{{"uint7"}, {"bytes33"}, {"uint"}, {"bytes[]"}, {"string[]"}, {"uint8[][]"}, {"bytes", "uint8"}} {
		_, err := mudbridge.ParseSchema(names...)
		require.ErrorIs(t, err, mudbridge.ErrSchema, "%v", names)
	}
	_, err = mudbridge.NewSchema(mudbridge.SchemaType(198))
	require.ErrorIs(t, err, mudbridge.ErrSchema)
	_, err = mudbridge.NewSchema(make([]mudbridge.SchemaType, 29)...)
	require.ErrorIs(t, err, mudbridge.ErrSchema)
	_, err = mudbridge.ArrayOf(mudbridge.String)
	require.ErrorIs(t, err, mudbridge.ErrSchema)
	array, err := mudbridge.ArrayOf(mudbridge.Address)
	require.NoError(t, err)
	require.Equal(t, "address[]", array.String())
	require.Equal(t, "SchemaType(255)", mudbridge.SchemaType(255).String())
}

func TestAttack29_EncodedLengths(t *testing.T) {
	_, err := mudbridge.NewEncodedLengths(1 << 40)
	require.ErrorIs(t, err, mudbridge.ErrEncodedLengths)
	_, err = mudbridge.NewEncodedLengths(1, 1, 1, 1, 1, 1)
	require.ErrorIs(t, err, mudbridge.ErrEncodedLengths)
	_, err = mudbridge.DecodeEncodedLengths(common.HexToHash("0x01"))
	require.ErrorIs(t, err, mudbridge.ErrEncodedLengths, "a total without fields")
	e, err := mudbridge.NewEncodedLengths(1, 2)
	require.NoError(t, err)
	require.Zero(t, e.At(-1))
	require.Zero(t, e.At(5))
}

func TestAttack29_Values(t *testing.T) {
	tooBig := new(big.Int).Lsh(big.NewInt(1), 256)
	for name, test := range map[string]struct {
		typ   string
		value any
	}{
		"uint8 above":            {"uint8", 256},
		"uint8 below":            {"uint8", -1},
		"int8 above":             {"int8", 128},
		"int8 below":             {"int8", -129},
		"uint256 above":          {"uint256", tooBig},
		"int256 above":           {"int256", new(big.Int).Rsh(tooBig, 1)},
		"nil number":             {"uint64", (*big.Int)(nil)},
		"nil uint256":            {"uint64", (*uint256.Int)(nil)},
		"nil":                    {"uint64", nil},
		"text for a number":      {"uint64", "1"},
		"number for a bool":      {"bool", 1},
		"short bytes4":           {"bytes4", []byte{1, 2, 3}},
		"hash for bytes4":        {"bytes4", common.Hash{}},
		"bytes for an address":   {"address", make([]byte, 20)},
		"string that is no text": {"string", "\xff"},
		"bytes for a string":     {"string", []byte("a")},
		"typed slice":            {"uint8[]", []uint8{1}},
		"element above":          {"uint8[]", []any{1, 256}},
	} {
		_, err := parseSchema(t, test.typ).EncodeRecord(test.value)
		require.ErrorIs(t, err, mudbridge.ErrValue, name)
		require.ErrorIs(t, err, mudbridge.ErrRecord, name)
	}
	_, err := parseSchema(t, "uint8").EncodeRecord()
	require.ErrorIs(t, err, mudbridge.ErrRecord)
	for _, n := range []any{int(7), int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7), big.NewInt(7), uint256.NewInt(7)} {
		r, err := parseSchema(t, "uint24").EncodeRecord(n)
		require.NoError(t, err)
		require.Equal(t, []byte{0, 0, 7}, r.StaticData, "%T", n)
	}
	r, err := parseSchema(t, "bytes32").EncodeRecord(common.HexToHash("0x07"))
	require.NoError(t, err)
	require.Equal(t, common.HexToHash("0x07").Bytes(), r.StaticData)
	_, err = parseSchema(t, "uint8").EncodeField(1, 1)
	require.ErrorIs(t, err, mudbridge.ErrFieldNotFound)
	_, err = parseSchema(t, "uint8").EncodeField(0, 256)
	require.ErrorIs(t, err, mudbridge.ErrValue)
}

func lengths(t *testing.T, l ...uint64) mudbridge.EncodedLengths {
	t.Helper()
	e, err := mudbridge.NewEncodedLengths(l...)
	require.NoError(t, err)
	return e
}

func TestAttack29_Records(t *testing.T) {
	type r = mudbridge.Record
	for name, test := range map[string]struct {
		types  string
		record mudbridge.Record
	}{
		"static data missing":       {"uint32", r{}},
		"static data too long":      {"uint32", r{StaticData: make([]byte, 5)}},
		"bool that is none":         {"bool", r{StaticData: []byte{2}}},
		"dynamic data missing":      {"bytes", r{EncodedLengths: lengths(t, 1)}},
		"dynamic data too long":     {"bytes", r{DynamicData: []byte{1}}},
		"a terabyte promised":       {"bytes", r{EncodedLengths: lengths(t, 1<<40-1)}},
		"total is wrong":            {"bytes", r{EncodedLengths: mudbridge.EncodedLengths(common.HexToHash("0x01")), DynamicData: []byte{1}}},
		"field that does not exist": {"bytes", r{EncodedLengths: lengths(t, 0, 1), DynamicData: []byte{1}}},
		"no dynamic fields":         {"bool", r{StaticData: []byte{1}, EncodedLengths: lengths(t, 1), DynamicData: []byte{1}}},
		"half an element":           {"uint16[]", r{EncodedLengths: lengths(t, 3), DynamicData: make([]byte, 3)}},
		"bool element that is none": {"bool[]", r{EncodedLengths: lengths(t, 2), DynamicData: []byte{0, 2}}},
		"string that is no text":    {"string", r{EncodedLengths: lengths(t, 1), DynamicData: []byte{0xff}}},
	} {
		_, err := parseSchema(t, test.types).DecodeRecord(test.record)
		require.ErrorIs(t, err, mudbridge.ErrRecord, name)
	}
}

func TestAttack29_Keys(t *testing.T) {
	for name, test := range map[string]struct {
		types string
		key   common.Hash
	}{
		"uint32 with more":             {"uint32", common.HexToHash("0x0100000000")},
		"address with more":            {"address", common.HexToHash("0x010000000000000000000000000000000000000000")},
		"bytes4 on the right":          {"bytes4", common.HexToHash("0x01")},
		"bool 2":                       {"bool", common.HexToHash("0x02")},
		"negative int8, not extended":  {"int8", common.HexToHash("0xff")},
		"positive int8, sign extended": {"int8", word("0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff01")},
	} {
		_, err := parseSchema(t, test.types).DecodeKey([]common.Hash{test.key})
		require.ErrorIs(t, err, mudbridge.ErrKey, name)
	}
	_, err := parseSchema(t, "uint8").DecodeKey(nil)
	require.ErrorIs(t, err, mudbridge.ErrKey)
	_, err = parseSchema(t, "string").DecodeKey(make([]common.Hash, 1))
	require.ErrorIs(t, err, mudbridge.ErrKey)
	_, err = parseSchema(t, "string").EncodeKey("a")
	require.ErrorIs(t, err, mudbridge.ErrKey)
	_, err = parseSchema(t, "uint8").EncodeKey(256)
	require.ErrorIs(t, err, mudbridge.ErrKey)
	_, err = parseSchema(t, "uint8").EncodeKey()
	require.ErrorIs(t, err, mudbridge.ErrKey)
}

func TestAttack29_Tables(t *testing.T) {
	id, err := mudbridge.TableID("raid__Loot")
	require.NoError(t, err)
	namespace, err := mudbridge.NamespaceID("raid")
	require.NoError(t, err)
	key, value, dynamic := parseSchema(t, "address"), parseSchema(t, "uint32"), parseSchema(t, "string")
	one := []string{"a"}
	for name, build := range map[string]func() (mudbridge.Table, error){
		"no table":         func() (mudbridge.Table, error) { return mudbridge.NewTable(namespace, key, value, one, one) },
		"dynamic key":      func() (mudbridge.Table, error) { return mudbridge.NewTable(id, dynamic, value, one, one) },
		"no fields":        func() (mudbridge.Table, error) { return mudbridge.NewTable(id, key, mudbridge.Schema{}, one, nil) },
		"key name missing": func() (mudbridge.Table, error) { return mudbridge.NewTable(id, key, value, nil, one) },
		"name missing":     func() (mudbridge.Table, error) { return mudbridge.NewTable(id, key, value, one, nil) },
	} {
		_, err := build()
		require.Error(t, err, name)
	}
	table, err := mudbridge.NewTable(id, key, value, []string{"player"}, []string{"amount"})
	require.NoError(t, err)
	_, err = table.FieldIndex("level")
	require.ErrorIs(t, err, mudbridge.ErrFieldNotFound)
	_, err = table.EncodeRecord("many")
	require.ErrorContains(t, err, "raid__Loot")

	words, err := table.EncodeKey(common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"))
	require.NoError(t, err)
	record, err := table.EncodeRecord(3)
	require.NoError(t, err)
	row, err := table.DecodeRow(words, record)
	require.NoError(t, err)
	require.Equal(t, "raid__Loot[0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266]{amount: 3}", row.String())
	require.Equal(t, map[string]any{"player": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "amount": uint64(3)}, row.NameMap())
	_, err = row.Uint64("player")
	require.ErrorIs(t, err, mudbridge.ErrFieldNotFound, "a key is no field")
	_, err = table.DecodeRow(nil, record)
	require.ErrorIs(t, err, mudbridge.ErrKey)
}

func TestAttack29_StoreLogs(t *testing.T) {
	var v struct {
		Topics0, TableIds []common.Hash
		Data              []hexutil.Bytes
	}
	load(t, "histories.json", &v)
	good := types.Log{Topics: []common.Hash{v.Topics0[0], v.TableIds[0]}, Data: v.Data[0]}
	_, err := mudbridge.DecodeStoreLog(good)
	require.NoError(t, err)
	for name, log := range map[string]types.Log{
		"no topics":       {Data: good.Data},
		"one topic":       {Topics: good.Topics[:1], Data: good.Data},
		"three topics":    {Topics: append(good.Topics[:2:2], common.Hash{}), Data: good.Data},
		"unknown topic":   {Topics: []common.Hash{{1}, good.Topics[1]}, Data: good.Data},
		"no resource id":  {Topics: []common.Hash{good.Topics[0], {1}}, Data: good.Data},
		"no data":         {Topics: good.Topics},
		"data cut":        {Topics: good.Topics, Data: good.Data[:len(good.Data)-1]},
		"data added":      {Topics: good.Topics, Data: append(good.Data[:len(good.Data):len(good.Data)], make([]byte, 32)...)},
		"far too much":    {Topics: good.Topics, Data: make([]byte, 1<<20+1)},
		"another's shape": {Topics: []common.Hash{mudbridge.TopicSpliceDynamicData, good.Topics[1]}, Data: good.Data},
	} {
		_, err := mudbridge.DecodeStoreLog(log)
		require.ErrorIs(t, err, mudbridge.ErrStoreLog, name)
	}
}

func TestAttack29_Splices(t *testing.T) {
	s := parseSchema(t, "uint32,bytes,bytes")
	record := mudbridge.Record{StaticData: []byte{1, 2, 3, 4}, EncodedLengths: lengths(t, 3, 2), DynamicData: []byte{5, 6, 7, 8, 9}}
	for name, change := range map[string]mudbridge.Change{
		"static beyond the end":        mudbridge.SpliceStatic{Start: 3, Data: []byte{1, 2}},
		"static start beyond the end":  mudbridge.SpliceStatic{Start: 1<<48 - 1, Data: []byte{1}},
		"no such field":                mudbridge.SpliceDynamic{Field: 2, Start: 5, Lengths: lengths(t, 3, 2)},
		"before the field":             mudbridge.SpliceDynamic{Field: 1, Start: 2, DeleteCount: 1, Lengths: lengths(t, 3, 1)},
		"after the field":              mudbridge.SpliceDynamic{Field: 0, Start: 4, Lengths: lengths(t, 3, 2)},
		"deletes into the next field":  mudbridge.SpliceDynamic{Field: 0, Start: 2, DeleteCount: 2, Lengths: lengths(t, 1, 2)},
		"length not updated":           mudbridge.SpliceDynamic{Field: 0, Start: 3, Data: []byte{1}, Lengths: lengths(t, 3, 2)},
		"length of another field":      mudbridge.SpliceDynamic{Field: 0, Start: 3, Data: []byte{1}, Lengths: lengths(t, 4, 3)},
		"set to another static length": mudbridge.SetRecord{Record: mudbridge.Record{StaticData: []byte{1}}},
		"set to wrong lengths":         mudbridge.SetRecord{Record: mudbridge.Record{StaticData: []byte{1, 2, 3, 4}, EncodedLengths: lengths(t, 1)}},
	} {
		_, err := s.Apply(record, change)
		require.ErrorIs(t, err, mudbridge.ErrRecord, name)
	}
	_, err := s.Apply(mudbridge.Record{}, mudbridge.DeleteRecord{})
	require.ErrorIs(t, err, mudbridge.ErrRecord, "the record before is checked too")

	next, err := s.Apply(record, mudbridge.SpliceDynamic{Field: 0, Start: 3, Data: []byte{10}, Lengths: lengths(t, 4, 2)})
	require.NoError(t, err)
	require.Equal(t, []byte{5, 6, 7, 10, 8, 9}, next.DynamicData)
	require.Equal(t, []byte{5, 6, 7, 8, 9}, record.DynamicData, "the record before stays what it was")
}
