package eventstore

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/evmts/channels/channel"
)

var update = flag.Bool("update", false, "write the golden files of kinds and versions that have none; those that exist never change")

func filled[T ~[32]byte | ~[20]byte](b byte) (v T) {
	for i := range len(v) {
		v[i] = b
	}
	return v
}

func samples() []EventBody {
	var (
		ch    = filled[Hash](0xc1)
		head  = Head{JournalRoot: filled[Hash](0x10), Seq: 1234, StateHash: filled[Hash](0x20)}
		place = Place{Block: 70_000, BlockHash: filled[Hash](0xb1), LogIndex: 5, TxHash: filled[Hash](0x7a)}
		who   = filled[Address](0xaa)
		money = Amount{31: 200, 30: 3}
		asset = filled[Address](0xee)
	)
	return []EventBody{
		&ObjectiveCreated{ch, "directfund-0xc1", "directfund"},
		&ObjectiveApproved{ch, "directfund-0xc1"},
		&ObjectiveRejected{ch, string(channel.CodePolicy), "directfund-0xc1", "the peer is on the deny list"},
		&ObjectiveCranked{ch, "directfund-0xc1", "running", "deposit of participant 1"},
		&ObjectiveCompleted{ch, "directfund-0xc1", "funded"},
		&ChannelCreated{ch, filled[Hash](1), filled[Hash](2), []Address{who, asset}, filled[Hash](3)},
		&StateSigned{ch, head, who},
		&StateReceived{ch, head, who},
		&SupportedUpdated{ch, head},
		&ChannelFinalized{ch, "concluded", 1234, filled[Hash](0x20)},
		&DepositDetected{money, asset, ch, 1, place},
		&AllocationUpdated{money, asset, "top-up", ch, who, place},
		&ChallengeRegistered{who, ch, 1_700_000_000, head, place},
		&ChallengeCleared{ch, "checkpoint", place, 1235},
		&Concluded{ch, place, 1234, filled[Hash](0x20)},
		&WithdrawCompleted{money, asset, ch, place, who},
		&MessageSent{512, ch, "01HXY", who, "propose"},
		&MessageReceived{512, ch, "01HXY", who, "propose"},
		&MessageAcked{ch, "01HXY", who},
		&MessageDropped{ch, string(channel.CodeSignature), "01HXY", who, "signed by a stranger"},
	}
}

// A golden file is one line of hex, the record, and one of JSON, what it says.
func TestF1_GoldenFilesOfAll20Kinds(t *testing.T) {
	bodies := samples()
	require.Len(t, bodies, 20)
	require.Len(t, nodeSchemas, 20)
	seen := map[EventKind]bool{}
	for _, body := range bodies {
		kind := body.Kind()
		seen[kind] = true
		require.Equal(t, common.Hash(filled[Hash](0xc1)), body.ChannelID())
		event := NewNodeEvent(1_700_000_000_123, body)
		record, id, err := nodeSchemas.encode(event)
		require.NoError(t, err)
		event.ID, event.Index = id, 42
		shown, err := json.Marshal(event)
		require.NoError(t, err)
		path := filepath.Join("testdata", "nodelog", string(kind)+".v1.golden")
		content := hex.EncodeToString(record) + "\n" + string(shown) + "\n"
		if _, err := os.Stat(path); *update && os.IsNotExist(err) {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		}
		golden, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(golden), content, kind)
	}
	require.Len(t, seen, 20)
}

// Every golden file ever written is still read, whatever the newest version is.
func TestF1_OldVersionsStayReadable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "nodelog", "*.golden"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 20)
	for _, file := range files {
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		line, shown, _ := strings.Cut(string(golden), "\n")
		record, err := hex.DecodeString(line)
		require.NoError(t, err)
		event, err := nodeSchemas.decode(record)
		require.NoError(t, err, file)
		require.True(t, strings.HasPrefix(filepath.Base(file), string(event.Body.Kind())+".v"))
		event.Index = 42
		again, err := json.Marshal(event)
		require.NoError(t, err)
		require.JSONEq(t, shown, string(again), file)
	}
}

// ackedV2 stands for a change that a kind may see later.
type ackedV2 struct {
	Attempts uint32  `msgpack:"attempts" json:"attempts"`
	Channel  Hash    `msgpack:"channel" json:"channel"`
	Message  string  `msgpack:"message" json:"message"`
	Peer     Address `msgpack:"peer" json:"peer"`
}

func (*ackedV2) Kind() EventKind          { return KindMessageAcked }
func (b *ackedV2) ChannelID() common.Hash { return common.Hash(b.Channel) }

func TestF1_NewVersionLiftsTheOld(t *testing.T) {
	later := maps.Clone(nodeSchemas)
	later[KindMessageAcked] = []schema{of[MessageAcked](func(b EventBody) EventBody {
		old := b.(*MessageAcked)
		return &ackedV2{Attempts: 1, Channel: old.Channel, Message: old.Message, Peer: old.Peer}
	}), of[ackedV2](nil)}

	old, id, err := nodeSchemas.encode(NewNodeEvent(5, &MessageAcked{Message: "m"}))
	require.NoError(t, err)
	event, err := later.decode(old)
	require.NoError(t, err)
	require.Equal(t, &ackedV2{Attempts: 1, Message: "m"}, event.Body)
	require.Equal(t, id, event.ID, "the id stays what it was when it was written")

	record, id2, err := later.encode(NewNodeEvent(5, &ackedV2{Attempts: 3, Message: "m"}))
	require.NoError(t, err)
	require.NotEqual(t, id, id2)
	event, err = later.decode(record)
	require.NoError(t, err)
	require.Equal(t, &ackedV2{Attempts: 3, Message: "m"}, event.Body)
	_, err = nodeSchemas.decode(record)
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeVersion}, "an older program says so")
}

func TestF1_TwoNodesAgreeOnTheIDOfOneFact(t *testing.T) {
	ids := map[common.Hash]EventKind{}
	for _, body := range samples() {
		_, mine, err := nodeSchemas.encode(NewNodeEvent(1, body))
		require.NoError(t, err)
		_, theirs, err := nodeSchemas.encode(NodeEvent{Index: 7, Time: 2_000, Body: body})
		require.NoError(t, err)
		id, err := EventID(body)
		require.NoError(t, err)
		require.Equal(t, mine, theirs)
		require.Equal(t, mine, id)
		require.Empty(t, ids[id])
		ids[id] = body.Kind()
	}
	a, _ := EventID(&StateSigned{Head: Head{Seq: 1}})
	b, _ := EventID(&StateSigned{Head: Head{Seq: 2}})
	require.NotEqual(t, a, b)
}

// sortedKeys walks MessagePack and fails at a map whose keys do not ascend.
func sortedKeys(t *testing.T, d *msgpack.Decoder) {
	code, err := d.PeekCode()
	require.NoError(t, err)
	if code&0xf0 == 0x80 || code == 0xde {
		n, err := d.DecodeMapLen()
		require.NoError(t, err)
		var keys []string
		for range n {
			key, err := d.DecodeString()
			require.NoError(t, err)
			keys = append(keys, key)
			sortedKeys(t, d)
		}
		require.True(t, slices.IsSorted(keys), "%v", keys)
		return
	}
	require.NoError(t, d.Skip())
}

func TestR5_NodeEventsAreCanonicalMessagePack(t *testing.T) {
	for _, body := range samples() {
		record, _, err := nodeSchemas.encode(NewNodeEvent(1, body))
		require.NoError(t, err)
		sortedKeys(t, msgpack.NewDecoder(strings.NewReader(string(record[1:]))))
		event, err := nodeSchemas.decode(record)
		require.NoError(t, err)
		require.Equal(t, body, event.Body)
		for i := range record {
			_, err := nodeSchemas.decode(record[:i])
			require.Error(t, err, "%s cut at %d", body.Kind(), i)
		}
		_, err = nodeSchemas.decode(append(slices.Clone(record), 0))
		require.Error(t, err)
	}
	loose, err := msgpack.Marshal(map[string]any{"v": uint64(1), "time": uint64(1), "kind": "message.acked", "body": map[string]any{}})
	require.NoError(t, err)
	_, err = nodeSchemas.decode(append([]byte{recordVersion}, loose...))
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeMalformed})
	_, _, err = nodeSchemas.encode(NewNodeEvent(1, (*strange)(nil)))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = json.Marshal(NodeEvent{})
	require.Error(t, err)
}

type strange struct{}

func (*strange) Kind() EventKind        { return "strange" }
func (*strange) ChannelID() common.Hash { return common.Hash{} }

func FuzzNodeEvent(f *testing.F) {
	for _, body := range samples() {
		record, _, err := nodeSchemas.encode(NewNodeEvent(1_700_000_000_000, body))
		require.NoError(f, err)
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		event, err := nodeSchemas.decode(b)
		if err != nil {
			return
		}
		again, id, err := nodeSchemas.encode(event)
		require.NoError(t, err)
		require.Equal(t, b, again, "all kinds are at version 1, so what decodes is what is encoded")
		require.Equal(t, event.ID, id)
	})
}
