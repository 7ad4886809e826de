package mudbridge_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/mudbridge"
	"github.com/evmts/channels/mudbridge/worlddeploy"
)

// The first account that anvil funds.
const ownerKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

// startAnvil gives the URL of a chain that lives as long as the test.
func startAnvil(t *testing.T) string {
	t.Helper()
	requireToolchain(t)
	cmd := exec.Command(filepath.Join(root, "node_modules", ".bin", "anvil"), "--port", "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // npm's anvil is a script that starts the binary: stop both
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
		_ = cmd.Wait() // reports the kill
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			go func() { // anvil must not block on a full pipe
				for lines.Scan() {
				}
			}()
			return "http://" + address
		}
	}
	t.Fatalf("anvil did not start: %v", lines.Err())
	return ""
}

// world is a World on a chain of its own, and the key that owns it.
type world struct {
	t      *testing.T
	ctx    context.Context
	client *ethclient.Client
	key    *ecdsa.PrivateKey
	worlddeploy.Deployment
}

func deployWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	url := startAnvil(t)
	key, err := crypto.HexToECDSA(ownerKey)
	require.NoError(t, err)
	start := time.Now()
	d, err := worlddeploy.Run(ctx, worlddeploy.Config{Script: filepath.Join(root, "examples", "raid", "world", "deploy.mjs"), RPC: url, Key: key})
	require.NoError(t, err)
	t.Logf("World deployed in %s", time.Since(start).Round(time.Millisecond))
	client, err := ethclient.DialContext(ctx, url)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &world{t, ctx, client, key, d}
}

func (w *world) owner() common.Address { return crypto.PubkeyToAddress(w.key.PublicKey) }

// send executes a call to the World by its owner.
func (w *world) send(calldata []byte) {
	w.t.Helper()
	nonce, err := w.client.PendingNonceAt(w.ctx, w.owner())
	require.NoError(w.t, err)
	tx, err := types.SignNewTx(w.key, types.LatestSignerForChainID(new(big.Int).SetUint64(w.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(w.ChainID), Nonce: nonce, To: &w.World, Data: calldata,
		Gas: 5_000_000, GasFeeCap: big.NewInt(100e9), GasTipCap: big.NewInt(1),
	})
	require.NoError(w.t, err)
	require.NoError(w.t, w.client.SendTransaction(w.ctx, tx))
	require.EqualValues(w.t, types.ReceiptStatusSuccessful, w.receipt(tx.Hash()).Status)
}

// receipt asks often, because anvil mines at once; it ends with the test's context.
func (w *world) receipt(tx common.Hash) *types.Receipt {
	w.t.Helper()
	ask := time.NewTicker(2 * time.Millisecond)
	defer ask.Stop()
	for {
		receipt, err := w.client.TransactionReceipt(w.ctx, tx)
		if !errors.Is(err, ethereum.NotFound) {
			require.NoError(w.t, err)
			return receipt
		}
		<-ask.C
	}
}

// replay derives a record from the World's logs alone.
func (w *world) replay(table mudbridge.Table, key []common.Hash) mudbridge.Record {
	w.t.Helper()
	logs, err := w.client.FilterLogs(w.ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(w.WorldBlock),
		Addresses: []common.Address{w.World},
		Topics:    [][]common.Hash{mudbridge.StoreTopics(), {table.ID.Hash()}},
	})
	require.NoError(w.t, err)
	require.NotEmpty(w.t, logs)
	record := table.Value.ZeroRecord()
	for _, log := range logs {
		decoded, err := mudbridge.DecodeStoreLog(log)
		require.NoError(w.t, err)
		require.Equal(w.t, w.World, decoded.World)
		require.Equal(w.t, table.ID, decoded.Table)
		if hexutil.Encode(key[0][:]) == hexutil.Encode(decoded.Key[0][:]) {
			record, err = table.Value.Apply(record, decoded.Change)
			require.NoError(w.t, err)
		}
	}
	return record
}

func TestC3_WorldOnAnvil(t *testing.T) {
	w := deployWorld(t)
	reader := mudbridge.NewReader(w.client, w.World)

	t.Run("schemas are those of mud.config.ts", func(t *testing.T) {
		require.Len(t, w.Tables, 3)
		for label, want := range map[string]string{
			"Dungeon": "(uint32)(uint8,bytes)", "RaidResult": "(address)(uint32,uint32,uint64,uint64)", "Loot": "(address,uint32)(uint32)",
		} {
			id, err := mudbridge.TableID("raid__" + label)
			require.NoError(t, err)
			registered, err := reader.Table(w.ctx, id)
			require.NoError(t, err)
			printed, err := w.Tables[label].Schema()
			require.NoError(t, err)
			require.Equal(t, printed, registered)
			require.Equal(t, want, registered.Key.String()+registered.Value.String())
			require.Equal(t, registered.Value.Layout().Hash(), w.Tables[label].FieldLayout)
		}
	})

	t.Run("owner and access", func(t *testing.T) {
		owner, err := reader.NamespaceOwner(w.ctx, w.NamespaceID)
		require.NoError(t, err)
		require.Equal(t, w.owner(), owner)
		loot, other := w.Tables["Loot"].TableID, w.Tables["RaidResult"].TableID
		settlement := common.HexToAddress("0x5e771e")
		hasAccess := func(id mudbridge.ResourceID, who common.Address) bool {
			ok, err := reader.HasAccess(w.ctx, id, who)
			require.NoError(t, err)
			return ok
		}
		require.True(t, hasAccess(loot, owner), "through the namespace")
		require.False(t, hasAccess(loot, settlement))
		w.send(mudbridge.GrantAccessCall(loot, settlement))
		require.True(t, hasAccess(loot, settlement))
		require.False(t, hasAccess(other, settlement), "the grant is for one table")
		w.send(mudbridge.RevokeAccessCall(loot, settlement))
		require.False(t, hasAccess(loot, settlement))

		fresh, err := mudbridge.NamespaceID("fresh")
		require.NoError(t, err)
		w.send(mudbridge.RegisterNamespaceCall(fresh))
		w.send(mudbridge.TransferOwnershipCall(fresh, settlement))
		owner, err = reader.NamespaceOwner(w.ctx, fresh)
		require.NoError(t, err)
		require.Equal(t, settlement, owner)
	})

	t.Run("static records", func(t *testing.T) {
		table, err := reader.Table(w.ctx, w.Tables["RaidResult"].TableID)
		require.NoError(t, err)
		player := common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
		key, err := table.EncodeKey(player)
		require.NoError(t, err)
		row, err := reader.Record(w.ctx, table.ID, player)
		require.NoError(t, err)
		require.Equal(t, []any{uint64(0), uint64(0), uint64(0), uint64(0)}, row.Values, "never set reads as zeros")

		record, err := table.EncodeRecord(1, 1, 120, uint64(1)<<40)
		require.NoError(t, err)
		w.send(mudbridge.SetRecordCall(table.ID, key, record))
		before, err := w.client.BlockNumber(w.ctx)
		require.NoError(t, err)
		raids, err := table.Value.EncodeField(0, 2)
		require.NoError(t, err)
		w.send(mudbridge.SetFieldCall(table.ID, key, 0, raids))
		xp, err := table.Value.EncodeField(2, 300)
		require.NoError(t, err)
		w.send(mudbridge.SpliceStaticDataCall(table.ID, key, uint64(table.Value.StaticOffset(2)), xp))

		row, err = reader.Record(w.ctx, table.ID, player)
		require.NoError(t, err)
		require.Equal(t, []any{uint64(2), uint64(1), uint64(300), uint64(1) << 40}, row.Values)
		got, err := row.Uint64("xp")
		require.NoError(t, err)
		require.EqualValues(t, 300, got)
		row, err = reader.At(new(big.Int).SetUint64(before)).Record(w.ctx, table.ID, player)
		require.NoError(t, err)
		require.Equal(t, []any{uint64(1), uint64(1), uint64(120), uint64(1) << 40}, row.Values, "as of an older block")

		onChain, err := reader.RawRecord(w.ctx, table.ID, key)
		require.NoError(t, err)
		requireSameRecord(t, onChain, w.replay(table, key))

		// What ApplyEffect foretells is what the bytes in the World's storage are.
		slot, err := w.client.StorageAt(w.ctx, w.World, mudbridge.StaticDataSlot(table.ID, key), nil)
		require.NoError(t, err)
		require.Equal(t, onChain.StaticData, slot[:table.Value.StaticLength()])
		effect, err := mudbridge.IncrementEffect(table.ID, key, 2, big.NewInt(-50))
		require.NoError(t, err)
		expected, err := table.ApplyEffect(onChain, effect)
		require.NoError(t, err)
		w.send(mudbridge.SetRecordCall(table.ID, key, expected))
		row, err = reader.Record(w.ctx, table.ID, player)
		require.NoError(t, err)
		require.Equal(t, uint64(250), row.Values[2])
		require.Equal(t, "raid__RaidResult[0xf39F…2266].xp -= 50", mudbridge.Describe(effect, &table))

		w.send(mudbridge.DeleteRecordCall(table.ID, key))
		onChain, err = reader.RawRecord(w.ctx, table.ID, key)
		require.NoError(t, err)
		requireSameRecord(t, table.Value.ZeroRecord(), onChain)
		requireSameRecord(t, onChain, w.replay(table, key))
	})

	t.Run("dynamic records", func(t *testing.T) { w.dynamicRecords(t, reader) })

	t.Run("what is not there", func(t *testing.T) {
		id, err := mudbridge.TableID("raid__Nothing")
		require.NoError(t, err)
		_, err = reader.Record(w.ctx, id, common.Address{})
		require.ErrorIs(t, err, mudbridge.ErrTableNotFound)
		_, err = reader.Record(w.ctx, w.Tables["Loot"].TableID, common.Address{})
		require.ErrorIs(t, err, mudbridge.ErrKey, "a key of two fields")
		_, err = mudbridge.NewReader(w.client, w.owner()).Record(w.ctx, w.Tables["Loot"].TableID, common.Address{}, 1)
		require.ErrorIs(t, err, mudbridge.ErrWorldAnswer)
		require.ErrorContains(t, err, "is there a World")
		_, err = reader.NamespaceOwner(w.ctx, w.Tables["Loot"].TableID)
		require.ErrorIs(t, err, mudbridge.ErrResourceID)
	})
}

// dynamicRecords registers a table with every kind of field and drives it through all the ways to write.
func (w *world) dynamicRecords(t *testing.T, reader *mudbridge.Reader) {
	id, err := mudbridge.TableID("raid__Everything")
	require.NoError(t, err)
	value, err := mudbridge.ParseSchema("int8", "int256", "bytes5", "bool", "address", "uint256", "string", "bytes", "int16[]", "address[]", "bool[]")
	require.NoError(t, err)
	keySchema, err := mudbridge.ParseSchema("int32", "bytes4")
	require.NoError(t, err)
	table, err := mudbridge.NewTable(id, keySchema, value, []string{"a", "b"}, []string{"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10"})
	require.NoError(t, err)
	w.send(mudbridge.RegisterTableCall(table))
	registered, err := reader.Table(w.ctx, id)
	require.NoError(t, err)
	require.Equal(t, table, registered)

	keyValues := []any{int64(-7), []byte("key!")}
	key, err := table.EncodeKey(keyValues...)
	require.NoError(t, err)
	values := []any{
		int64(-1), new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 255)), []byte("fünf"), true, w.World, uint256.NewInt(7),
		"héros", []byte{}, []any{int64(-2), int64(3)}, []any{w.World, w.owner()}, []any{true, false, true},
	}
	record, err := table.EncodeRecord(values...)
	require.NoError(t, err)
	w.send(mudbridge.SetRecordCall(id, key, record))

	check := func(step string) {
		t.Helper()
		row, err := reader.Record(w.ctx, id, keyValues...)
		require.NoError(t, err, step)
		requireSame(t, values, row.Values)
		requireSame(t, keyValues, row.Key)
		onChain, err := reader.RawRecord(w.ctx, id, key)
		require.NoError(t, err, step)
		requireSameRecord(t, onChain, w.replay(table, key))
		// The storage slots are where the data is.
		lengths, err := w.client.StorageAt(w.ctx, w.World, mudbridge.DynamicLengthSlot(id, key), nil)
		require.NoError(t, err)
		require.Equal(t, onChain.EncodedLengths.Hash(), common.BytesToHash(lengths), step)
		first, err := w.client.StorageAt(w.ctx, w.World, mudbridge.DynamicDataSlot(id, key, 0), nil)
		require.NoError(t, err)
		n := min(onChain.EncodedLengths.At(0), common.HashLength)
		require.Equal(t, onChain.DynamicData[:n], first[:n], step)
	}
	check("setRecord")

	text, err := value.EncodeField(6, "a longer text than the one before, and longer than a word")
	require.NoError(t, err)
	w.send(mudbridge.SetFieldCall(id, key, 6, text))
	values[6] = string(text)
	check("setField of a string")

	w.send(mudbridge.PushCall(id, key, 1, []byte{1, 2, 3}))
	values[7] = []byte{1, 2, 3}
	w.send(mudbridge.PushCall(id, key, 2, []byte{0xff, 0xff}))
	values[8] = []any{int64(-2), int64(3), int64(-1)}
	check("push")

	w.send(mudbridge.PopCall(id, key, 3, common.AddressLength))
	values[9] = []any{w.World}
	check("pop")

	flag, err := value.EncodeField(3, false)
	require.NoError(t, err)
	w.send(mudbridge.SetFieldCall(id, key, 3, flag))
	values[3] = false
	check("setField of a bool")

	w.send(mudbridge.DeleteRecordCall(id, key))
	values, err = value.DecodeRecord(value.ZeroRecord())
	require.NoError(t, err)
	check("delete")

	// MUD stores what it is given: a reader must survive a record that no schema made.
	broken := record
	broken.StaticData = append([]byte(nil), record.StaticData...)
	broken.StaticData[value.StaticOffset(3)] = 2 // no bool
	w.send(mudbridge.SetRecordCall(id, key, broken))
	_, err = reader.Record(w.ctx, id, keyValues...)
	require.ErrorIs(t, err, mudbridge.ErrWorldAnswer)
	require.ErrorIs(t, err, mudbridge.ErrRecord)
	_, err = table.ApplyEffect(broken, mudbridge.DeleteEffect(id, key))
	require.NoError(t, err)
	require.NoError(t, mudbridge.CheckEffects([]channel.Effect{mudbridge.SetEffect(id, key, record)}))
}
