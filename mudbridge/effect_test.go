package mudbridge_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/mudbridge"
)

// lootTable is raid__Loot with a signed field and a string, so that every effect has something to do.
func lootTable(t testing.TB) mudbridge.Table {
	t.Helper()
	id, err := mudbridge.TableID("raid__Loot")
	require.NoError(t, err)
	table, err := mudbridge.NewTable(id, parseSchema(t, "address,uint32"), parseSchema(t, "uint32,int16,bool,string"),
		[]string{"player", "itemId"}, []string{"amount", "luck", "equipped", "name"})
	require.NoError(t, err)
	return table
}

func lootKey(t testing.TB, table mudbridge.Table) []common.Hash {
	t.Helper()
	key, err := table.EncodeKey(common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), 3)
	require.NoError(t, err)
	return key
}

func increment(t testing.TB, table mudbridge.Table, field uint8, delta int64) channel.Effect {
	t.Helper()
	e, err := mudbridge.IncrementEffect(table.ID, lootKey(t, table), field, big.NewInt(delta))
	require.NoError(t, err)
	return e
}

func TestC3_EffectsAreBuiltDecodedAndDescribed(t *testing.T) {
	table := lootTable(t)
	key := lootKey(t, table)
	record, err := table.EncodeRecord(2, -5, true, "sword")
	require.NoError(t, err)
	system, err := mudbridge.NewResourceID(mudbridge.TypeSystem, "raid", "RaidSystem")
	require.NoError(t, err)

	effects := []channel.Effect{
		mudbridge.SetEffect(table.ID, key, record),
		mudbridge.DeleteEffect(table.ID, key),
		increment(t, table, 0, 1),
		increment(t, table, 1, -7),
		mudbridge.CallEffect(system, [4]byte{1, 2, 3, 4}, []byte{5}),
	}
	require.NoError(t, mudbridge.CheckEffects(effects))
	again, err := channel.DecodeEffects(channel.EncodeEffects(effects))
	require.NoError(t, err)
	require.Equal(t, effects, again)

	set, err := mudbridge.DecodeSet(effects[0].Data)
	require.NoError(t, err)
	requireSameRecord(t, record, set)
	field, delta, err := mudbridge.DecodeIncrement(effects[3].Data)
	require.NoError(t, err)
	require.EqualValues(t, 1, field)
	require.EqualValues(t, -7, delta.Int64())
	selector, arguments, err := mudbridge.DecodeCall(effects[4].Data)
	require.NoError(t, err)
	require.Equal(t, [4]byte{1, 2, 3, 4}, selector)
	require.Equal(t, []byte{5}, arguments)

	want := []string{
		`raid__Loot[0xf39F…2266, 3] = {amount: 2, luck: -5, equipped: true, name: "sword"}`,
		`delete raid__Loot[0xf39F…2266, 3]`,
		`raid__Loot[0xf39F…2266, 3].amount += 1`,
		`raid__Loot[0xf39F…2266, 3].luck -= 7`,
		`raid__RaidSystem.0x01020304(0x05)`,
	}
	for i, e := range effects {
		require.Equal(t, want[i], mudbridge.Describe(e, &table))
	}
}

// The bytes of encoding 24, written down by hand.
func TestC3_EffectDataBytes(t *testing.T) {
	table := lootTable(t)
	require.Equal(t, hexutil.MustDecode("0x"+
		"0000000000000000000000000000000000000000000000000000000000000001"+
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), []byte(increment(t, table, 1, -1).Data))
	record := mudbridge.Record{StaticData: []byte{1, 2}, EncodedLengths: lengths(t, 1), DynamicData: []byte{3}}
	require.Equal(t, hexutil.MustDecode("0x"+
		"0000000000000000000000000000000000000000000000000000000000000060"+
		"0000000000000000000000000000000000000000000000000100000000000001"+
		"00000000000000000000000000000000000000000000000000000000000000a0"+
		"0000000000000000000000000000000000000000000000000000000000000002"+
		"0102000000000000000000000000000000000000000000000000000000000000"+
		"0000000000000000000000000000000000000000000000000000000000000001"+
		"0300000000000000000000000000000000000000000000000000000000000000"), []byte(mudbridge.SetEffect(table.ID, nil, record).Data))
}

func TestAttack29_Effects(t *testing.T) {
	table := lootTable(t)
	key := lootKey(t, table)
	system, err := mudbridge.NewResourceID(mudbridge.TypeSystem, "raid", "RaidSystem")
	require.NoError(t, err)
	rooted, err := mudbridge.TableID("Rooted")
	require.NoError(t, err)
	offchain, err := mudbridge.NewResourceID(mudbridge.TypeOffchainTable, "raid", "Log")
	require.NoError(t, err)
	good := increment(t, table, 0, 1)
	change := func(f func(*channel.Effect)) channel.Effect {
		e := good
		f(&e)
		return e
	}
	for name, e := range map[string]channel.Effect{
		"unknown op":             change(func(e *channel.Effect) { e.Op = 4 }),
		"no resource":            change(func(e *channel.Effect) { e.ResourceID = common.Hash{} }),
		"table of a system":      change(func(e *channel.Effect) { e.ResourceID = system.Hash() }),
		"off-chain table":        change(func(e *channel.Effect) { e.ResourceID = offchain.Hash() }),
		"attack 19, root":        change(func(e *channel.Effect) { e.ResourceID = rooted.Hash() }),
		"attack 19, namespace":   change(func(e *channel.Effect) { e.ResourceID = table.ID.NamespaceID().Hash() }),
		"long key":               change(func(e *channel.Effect) { e.Key = make([]common.Hash, 29) }),
		"data cut":               change(func(e *channel.Effect) { e.Data = e.Data[:63] }),
		"data added":             change(func(e *channel.Effect) { e.Data = append(e.Data[:64:64], make([]byte, 32)...) }),
		"field above uint8":      change(func(e *channel.Effect) { e.Data = append(common.HexToHash("0x0100").Bytes(), make([]byte, 32)...) }),
		"field above 27":         change(func(e *channel.Effect) { e.Data = append(common.HexToHash("0x1c").Bytes(), make([]byte, 32)...) }),
		"delete with data":       change(func(e *channel.Effect) { e.Op = channel.EffectDelete }),
		"set with other data":    change(func(e *channel.Effect) { e.Op = channel.EffectSet }),
		"set with wrong lengths": mudbridge.SetEffect(table.ID, key, mudbridge.Record{EncodedLengths: lengths(t, 1)}),
		"set with wrong total":   mudbridge.SetEffect(table.ID, key, mudbridge.Record{EncodedLengths: mudbridge.EncodedLengths(common.HexToHash("0x01")), DynamicData: []byte{1}}),
		"call of a table":        mudbridge.CallEffect(table.ID, [4]byte{}, nil),
		"call with a key":        {Op: channel.EffectCall, ResourceID: system.Hash(), Key: key, Data: make([]byte, 4)},
		"call without selector":  {Op: channel.EffectCall, ResourceID: system.Hash(), Data: make([]byte, 3)},
		"far too much":           mudbridge.CallEffect(system, [4]byte{}, make([]byte, channel.MaxEffectBytes)),
	} {
		require.ErrorIs(t, mudbridge.CheckEffect(e), mudbridge.ErrEffect, name)
		require.ErrorIs(t, mudbridge.CheckEffects([]channel.Effect{good, e}), mudbridge.ErrEffect, name)
		require.NotEmpty(t, mudbridge.Describe(e, &table), name)
		require.NotEmpty(t, mudbridge.Describe(e, nil), name)
		_, err := table.ApplyEffect(table.Value.ZeroRecord(), e)
		require.ErrorIs(t, err, mudbridge.ErrEffect, name)
	}

	many := make([]channel.Effect, channel.MaxEffects+1)
	for i := range many {
		many[i] = good
	}
	require.ErrorIs(t, mudbridge.CheckEffects(many), mudbridge.ErrEffect)
	require.ErrorContains(t, mudbridge.CheckEffects(many), "33 effects")
	require.ErrorContains(t, mudbridge.CheckEffects(many[:channel.MaxEffects]), "at most 8192")
	require.NoError(t, mudbridge.CheckEffects(many[:16]))
	_, err = mudbridge.IncrementEffect(table.ID, key, 0, new(big.Int).Lsh(big.NewInt(1), 255))
	require.ErrorIs(t, err, mudbridge.ErrEffect)
	_, err = mudbridge.IncrementEffect(table.ID, key, 0, nil)
	require.ErrorIs(t, err, mudbridge.ErrEffect)
	least := new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 255))
	e, err := mudbridge.IncrementEffect(table.ID, key, 0, least)
	require.NoError(t, err)
	_, delta, err := mudbridge.DecodeIncrement(e.Data)
	require.NoError(t, err)
	require.Zero(t, least.Cmp(delta))
}

func TestC3_ApplyEffect(t *testing.T) {
	table := lootTable(t)
	key := lootKey(t, table)
	record, err := table.EncodeRecord(2, -5, true, "sword")
	require.NoError(t, err)

	next, err := table.ApplyEffect(record, increment(t, table, 0, 3))
	require.NoError(t, err)
	next, err = table.ApplyEffect(next, increment(t, table, 1, -10))
	require.NoError(t, err)
	values, err := table.Value.DecodeRecord(next)
	require.NoError(t, err)
	require.Equal(t, []any{uint64(5), int64(-15), true, "sword"}, values)

	next, err = table.ApplyEffect(record, mudbridge.DeleteEffect(table.ID, key))
	require.NoError(t, err)
	requireSameRecord(t, table.Value.ZeroRecord(), next)
	next, err = table.ApplyEffect(next, mudbridge.SetEffect(table.ID, key, record))
	require.NoError(t, err)
	requireSameRecord(t, record, next)

	other, err := mudbridge.TableID("raid__Other")
	require.NoError(t, err)
	noBool := record
	noBool.StaticData = append([]byte(nil), record.StaticData...)
	noBool.StaticData[table.Value.StaticOffset(2)] = 2
	for name, e := range map[string]channel.Effect{
		"attack 20, underflow": increment(t, table, 0, -3),
		"overflow":             increment(t, table, 0, 1<<32),
		"signed underflow":     increment(t, table, 1, -1<<15),
		"increment of a bool":  increment(t, table, 2, 1),
		"increment of a text":  increment(t, table, 3, 1),
		"no such field":        increment(t, table, 4, 1),
		"another table":        mudbridge.DeleteEffect(other, key),
		"short key":            mudbridge.DeleteEffect(table.ID, key[:1]),
		"key is no address":    mudbridge.DeleteEffect(table.ID, []common.Hash{{1}, key[1]}),
		"record of no schema":  mudbridge.SetEffect(table.ID, key, mudbridge.Record{StaticData: []byte{1}}),
		"bool that is none":    mudbridge.SetEffect(table.ID, key, noBool),
	} {
		_, err := table.ApplyEffect(record, e)
		require.ErrorIs(t, err, mudbridge.ErrEffect, name)
	}
	_, err = table.ApplyEffect(mudbridge.Record{}, increment(t, table, 0, 1))
	require.ErrorIs(t, err, mudbridge.ErrRecord)
}

func TestC3_DescribeWithoutATable(t *testing.T) {
	table := lootTable(t)
	e := increment(t, table, 1, 2)
	want := "raid__Loot[0x000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266, 0x0000000000000000000000000000000000000000000000000000000000000003].field1 += 2"
	require.Equal(t, want, mudbridge.Describe(e, nil))
	other := table
	other.ID[31] = 'x'
	require.Equal(t, want, mudbridge.Describe(e, &other), "a table that is not the effect's is not used")
}
