package mudbridge_test

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/mudbridge"
)

// Attack 29. Each decoder, on bytes of anybody: it never panics, and what it accepts encodes to the same bytes.

func FuzzDecodeResourceID(f *testing.F) {
	var v struct {
		IDs []common.Hash `json:"ids"`
	}
	load(f, "resources.json", &v)
	for _, id := range v.IDs {
		f.Add(id[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := common.BytesToHash(b)
		id, err := mudbridge.DecodeResourceID(w)
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrResourceID)
			return
		}
		again, err := mudbridge.NewResourceID(id.Type(), id.Namespace(), id.Name())
		require.NoError(t, err)
		require.Equal(t, w, again.Hash())
	})
}

func FuzzDecodeSchema(f *testing.F) {
	var v struct{ Schemas, FieldLayouts []common.Hash }
	load(f, "schemas.json", &v)
	for i := range v.Schemas {
		f.Add(v.Schemas[i][:])
		f.Add(v.FieldLayouts[i][:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := common.BytesToHash(b)
		if s, err := mudbridge.DecodeSchema(w); err != nil {
			require.ErrorIs(t, err, mudbridge.ErrSchema)
		} else {
			require.Equal(t, w, s.Word())
			if s.Len() > 0 {
				_, err := mudbridge.DecodeFieldLayout(s.Layout().Hash())
				require.NoError(t, err)
			}
			values, err := s.DecodeRecord(s.ZeroRecord())
			require.NoError(t, err, "every schema has a record of zeros")
			require.Len(t, values, s.Len())
		}
		if l, err := mudbridge.DecodeFieldLayout(w); err != nil {
			require.ErrorIs(t, err, mudbridge.ErrFieldLayout)
		} else {
			total := 0
			for i := range l.NumStatic() {
				total += l.FieldLength(i)
			}
			require.Equal(t, l.StaticLength(), total)
		}
		if e, err := mudbridge.DecodeEncodedLengths(w); err != nil {
			require.ErrorIs(t, err, mudbridge.ErrEncodedLengths)
		} else {
			again, err := mudbridge.NewEncodedLengths(e.At(0), e.At(1), e.At(2), e.At(3), e.At(4))
			require.NoError(t, err)
			require.Equal(t, w, again.Hash())
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	var v recordVectors
	load(f, "records.json", &v)
	for i := range v.Schemas {
		f.Add(v.Schemas[i][:], []byte(v.StaticData[i]), v.EncodedLengths[i][:], []byte(v.DynamicData[i]))
	}
	f.Fuzz(func(t *testing.T, schema, static, lengths, dynamic []byte) {
		s, err := mudbridge.DecodeSchema(common.BytesToHash(schema))
		if err != nil {
			return
		}
		r := mudbridge.Record{StaticData: static, EncodedLengths: mudbridge.EncodedLengths(common.BytesToHash(lengths)), DynamicData: dynamic}
		values, err := s.DecodeRecord(r)
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrRecord)
			return
		}
		again, err := s.EncodeRecord(values...)
		require.NoError(t, err)
		requireSameRecord(t, r, again)
		require.NotEmpty(t, mudbridge.FormatValue(values))
	})
}

func FuzzDecodeKey(f *testing.F) {
	var v struct {
		Schemas   []common.Hash
		KeyTuples []hexutil.Bytes
	}
	load(f, "keys.json", &v)
	for i := range v.Schemas {
		f.Add(v.Schemas[i][:], []byte(v.KeyTuples[i]))
	}
	f.Fuzz(func(t *testing.T, schema, tuple []byte) {
		s, err := mudbridge.DecodeSchema(common.BytesToHash(schema))
		if err != nil {
			return
		}
		key := words(tuple[:len(tuple)/common.HashLength*common.HashLength])
		values, err := s.DecodeKey(key)
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrKey)
			return
		}
		again, err := s.EncodeKey(values...)
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}

func FuzzStoreLog(f *testing.F) {
	var v struct {
		Schemas, Topics0, TableIds []common.Hash
		LogCounts                  []int
		Data                       []hexutil.Bytes
	}
	load(f, "histories.json", &v)
	next := 0
	for i, count := range v.LogCounts {
		for range count {
			f.Add(v.Topics0[next][:], v.TableIds[next][:], []byte(v.Data[next]), v.Schemas[i][:], make([]byte, 40), uint8(5), uint8(9))
			next++
		}
	}
	f.Fuzz(func(t *testing.T, topic, table, data, schema, before []byte, length0, length1 uint8) {
		log := types.Log{Topics: []common.Hash{common.BytesToHash(topic), common.BytesToHash(table)}, Data: data}
		decoded, err := mudbridge.DecodeStoreLog(log)
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrStoreLog)
			return
		}
		s, err := mudbridge.DecodeSchema(common.BytesToHash(schema))
		if err != nil {
			return
		}
		record := s.ZeroRecord()
		if s.NumDynamic() >= 2 && len(before) >= int(length0)+int(length1) {
			record.EncodedLengths, err = mudbridge.NewEncodedLengths(uint64(length0), uint64(length1))
			require.NoError(t, err)
			record.DynamicData = before[:int(length0)+int(length1)]
		}
		kept := bytes.Clone(record.DynamicData)
		next, err := s.Apply(record, decoded.Change)
		require.True(t, bytes.Equal(kept, record.DynamicData), "the record before stays what it was")
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrRecord)
			return
		}
		require.NoError(t, next.Check(s))
	})
}

func FuzzEffect(f *testing.F) {
	table := lootTable(f)
	key := lootKey(f, table)
	record, err := table.EncodeRecord(2, -5, true, "sword")
	require.NoError(f, err)
	system, err := mudbridge.NewResourceID(mudbridge.TypeSystem, "raid", "RaidSystem")
	require.NoError(f, err)
	for _, e := range []channel.Effect{
		mudbridge.SetEffect(table.ID, key, record), mudbridge.DeleteEffect(table.ID, key), increment(f, table, 0, 1),
		increment(f, table, 1, -40000), mudbridge.CallEffect(system, [4]byte{1, 2, 3, 4}, []byte{5}),
	} {
		var tuple []byte
		for _, w := range e.Key {
			tuple = append(tuple, w[:]...)
		}
		f.Add(e.Op, e.ResourceID[:], tuple, []byte(e.Data))
	}
	f.Fuzz(func(t *testing.T, op uint8, resource, tuple, data []byte) {
		e := channel.Effect{
			Op: op, ResourceID: common.BytesToHash(resource), Data: data,
			Key: words(tuple[:len(tuple)/common.HashLength*common.HashLength]),
		}
		require.NotEmpty(t, mudbridge.Describe(e, &table))
		require.NotEmpty(t, mudbridge.Describe(e, nil))
		if err := mudbridge.CheckEffect(e); err != nil {
			require.ErrorIs(t, err, mudbridge.ErrEffect)
			return
		}
		id := mudbridge.ResourceID(e.ResourceID)
		var again channel.Effect
		switch e.Op {
		case channel.EffectSet:
			r, err := mudbridge.DecodeSet(e.Data)
			require.NoError(t, err)
			again = mudbridge.SetEffect(id, e.Key, r)
		case channel.EffectDelete:
			again = mudbridge.DeleteEffect(id, e.Key)
		case channel.EffectIncrement:
			field, delta, err := mudbridge.DecodeIncrement(e.Data)
			require.NoError(t, err)
			again, err = mudbridge.IncrementEffect(id, e.Key, field, delta)
			require.NoError(t, err)
		default:
			selector, arguments, err := mudbridge.DecodeCall(e.Data)
			require.NoError(t, err)
			again = mudbridge.CallEffect(id, selector, arguments)
		}
		require.Equal(t, channel.EncodeEffects([]channel.Effect{e}), channel.EncodeEffects([]channel.Effect{again}))

		next, err := table.ApplyEffect(record, e)
		if err != nil {
			require.ErrorIs(t, err, mudbridge.ErrEffect)
			return
		}
		_, err = table.Value.DecodeRecord(next)
		require.NoError(t, err)
	})
}

func FuzzWorldAnswer(f *testing.F) {
	id, err := mudbridge.TableID("raid__Loot")
	require.NoError(f, err)
	f.Add([]byte{}, []byte{}, []byte{}, []byte{})
	f.Add(make([]byte, 96), make([]byte, 32), []byte{}, []byte{})
	names := common.FromHex("0x000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000161" +
		"00000000000000000000000000000000000000000000000000000000000000")
	key, value := parseSchema(f, "address"), parseSchema(f, "uint32")
	static := append(append(value.Layout().Hash().Bytes(), key.Word().Bytes()...), value.Word().Bytes()...)
	f.Add(static, names, names, []byte{})
	f.Fuzz(func(t *testing.T, static, keyNames, fieldNames, tail []byte) {
		r := mudbridge.Record{StaticData: static, DynamicData: append(bytes.Clone(keyNames), fieldNames...)}
		lengths, err := mudbridge.NewEncodedLengths(uint64(len(keyNames)), uint64(len(fieldNames)))
		require.NoError(t, err)
		r.EncodedLengths = lengths
		answer := append([]byte(mudbridge.SetEffect(id, nil, r).Data), tail...) // the same encoding as getRecord's result
		table, err := mudbridge.NewReader(&hostileWorld{answer: answer}, common.Address{1}).Table(t.Context(), id)
		if err != nil {
			return
		}
		require.Len(t, table.FieldNames, table.Value.Len())
		require.Len(t, table.KeyNames, table.Key.Len())
	})
}
