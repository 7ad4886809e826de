package raid_test

import (
	"context"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/mudbridge"
	"github.com/evmts/channels/mudbridge/worlddeploy"
	"github.com/evmts/channels/plugin/anvil"
)

// world is a real World on a chain of its own, as deploy.mjs leaves it.
type world struct {
	t      *testing.T
	ctx    context.Context
	node   *anvil.Node
	reader *mudbridge.Reader
	worlddeploy.Deployment
}

func deploy(t *testing.T) *world {
	binary, err := filepath.Abs(filepath.Join("..", "..", "node_modules", ".bin", "anvil"))
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Fatal("anvil is missing: run `make deps`")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	if os.Getenv(anvil.BinaryEnv) != "" {
		binary = ""
	}
	node, err := anvil.Start(ctx, anvil.Options{Binary: binary})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close()) })
	d, err := worlddeploy.Run(ctx, worlddeploy.Config{Script: filepath.Join("world", "deploy.mjs"), RPC: node.URL(), Key: anvil.Keys()[0]})
	require.NoError(t, err)
	return &world{t, ctx, node, mudbridge.NewReader(ethclient.NewClient(node.Client()), d.World), d}
}

// read gives a record as a ticket's snapshot has it.
func (w *world) read(key raid.RecordKey) raid.Record {
	r, err := w.reader.RawRecord(w.ctx, mudbridge.ResourceID(key.ResourceID), key.Key)
	require.NoError(w.t, err)
	return raid.Record{
		ResourceID: key.ResourceID, Key: key.Key, StaticData: r.StaticData, EncodedLengths: r.EncodedLengths.Hash(), DynamicData: r.DynamicData,
	}
}

// write is the game master's.
func (w *world) write(r raid.Record) {
	lengths, err := mudbridge.DecodeEncodedLengths(r.EncodedLengths)
	require.NoError(w.t, err)
	receipt, err := w.node.Send(w.ctx, anvil.Keys()[0], &w.World, new(big.Int), mudbridge.SetRecordCall(
		mudbridge.ResourceID(r.ResourceID), r.Key, mudbridge.Record{StaticData: r.StaticData, EncodedLengths: lengths, DynamicData: r.DynamicData}))
	require.NoError(w.t, err)
	require.EqualValues(w.t, types.ReceiptStatusSuccessful, receipt.Status)
}

func equal(t *testing.T, want, got raid.Record) {
	t.Helper()
	require.Equal(t, want.ResourceID, got.ResourceID)
	require.Equal(t, want.Key, got.Key)
	require.Equal(t, common.Bytes2Hex(want.StaticData), common.Bytes2Hex(got.StaticData))
	require.Equal(t, want.EncodedLengths, got.EncodedLengths)
	require.Equal(t, common.Bytes2Hex(want.DynamicData), common.Bytes2Hex(got.DynamicData))
}

// A real World has the tables, and the default dungeon, and gives the very bytes that the module demands of a snapshot:
// also for what nobody wrote.
func TestC3_RecordsAreThoseOfARealWorld(t *testing.T) {
	w := deploy(t)
	require.Equal(t, raid.NamespaceID(raid.Namespace), w.NamespaceID.Hash())
	for _, table := range []string{raid.TableDungeon, raid.TableLoot, raid.TableResult} {
		require.Equal(t, raid.TableID(raid.Namespace, table), w.Tables[table].TableID.Hash(), table)
	}
	hero := common.HexToAddress("0xa11ce00000000000000000000000000000000001")
	keys, err := raid.TicketKeys(raid.Namespace, raid.DefaultDungeon, []common.Address{hero, {1}, {2}}, 2)
	require.NoError(t, err)

	dungeon, err := raid.DungeonRecord(raid.Namespace, raid.DefaultDungeon, raid.DefaultConfig())
	require.NoError(t, err)
	equal(t, dungeon, w.read(keys[0]))
	equal(t, raid.LootRecord(raid.Namespace, hero, raid.Potion, 0), w.read(keys[1]))
	w.write(raid.LootRecord(raid.Namespace, hero, raid.Shield, 1<<31))
	equal(t, raid.LootRecord(raid.Namespace, hero, raid.Shield, 1<<31), w.read(keys[3]))

	// A dungeon that nobody wrote is one that the module refuses, and one that the game master writes can be entered.
	keys[0].Key[0][31] = 9
	missing := w.read(keys[0])
	require.Equal(t, []byte{0}, missing.StaticData)
	require.Empty(t, missing.DynamicData)
	_, err = raid.DecodeDungeon(missing)
	require.ErrorIs(t, err, raid.ErrConfig)
	other, err := raid.DungeonRecord(raid.Namespace, 9, raid.Config{MaxRounds: 7, Rooms: []raid.Room{{Kind: raid.Rat, HP: 300, Gold: 999}}})
	require.NoError(t, err)
	w.write(other)
	equal(t, other, w.read(keys[0]))
}
