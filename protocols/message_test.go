package protocols_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew: only for a new version of the protocol")

func sig(b byte) (s channel.Signature) {
	for i := range s {
		s[i] = b + byte(i)
	}
	return s
}

// samples is one message of each kind, every field set.
func samples() []protocols.Message {
	id := common.HexToHash("0xc1")
	event := channel.SignedEvent{Event: channel.Event{ChannelID: id, Author: 2, Nonce: 300, NotAfter: 7, Timestamp: 1_700_000_000, Payload: []byte("\x81\xa4move\xa2e4")}, Signature: sig(1)}
	update := channel.Update{ChannelID: id, Seq: 6, JournalRoot: common.HexToHash("0x07"), StateHash: common.HexToHash("0x08")}
	entries := []channel.Entry{{Event: &event}, {TopUp: 5}}
	msg := func(b protocols.Body) protocols.Message { return protocols.Message{Channel: id, Body: b} }
	return []protocols.Message{
		msg(protocols.Proposal{Params: []byte("params"), Funding: []byte("funding"), Genesis: []byte("genesis")}),
		msg(protocols.Accept{Signature: sig(2), Join: sig(3), Want: true}),
		msg(protocols.Refusal{Ref: event.StructHash(), Code: "stale", Text: "too late"}),
		msg(protocols.Submit{Event: event}),
		msg(protocols.Append{From: 5, Entries: entries, Update: update, Signature: sig(4)}),
		msg(protocols.Countersign{Seq: 6, Signature: sig(5)}),
		msg(protocols.Sync{Seq: 6, Root: update.JournalRoot, Supported: 4}),
		msg(protocols.CatchUp{From: 5, Entries: entries, Heads: []protocols.Head{{Update: update, Signatures: []channel.Signature{sig(6), {}}}}, Proof: []common.Hash{{9}, {10}}}),
		msg(protocols.CloseConsent{Close: channel.Close{ChannelID: id, Seq: 6, StateHash: update.StateHash, InDispute: true}, Signature: sig(7)}),
		msg(protocols.Diverged{Seq: 6, EventHash: event.StructHash(), StateHash: common.HexToHash("0x0b")}),
	}
}

// TestMessages_Golden pins the wire format: one message of each kind.
func TestMessages_Golden(t *testing.T) {
	path := filepath.Join("testdata", "messages.json")
	type row struct {
		Kind  string `json:"kind"`
		Bytes string `json:"bytes"`
	}
	var rows []row
	for i, m := range samples() {
		require.EqualValues(t, i+1, m.Kind(), "one of each kind")
		b, err := m.Encode()
		require.NoError(t, err)
		rows = append(rows, row{m.Kind().String(), "0x" + hex.EncodeToString(b)})
		back, err := protocols.DecodeMessage(b)
		require.NoError(t, err)
		require.Equal(t, m, back)
	}
	require.Equal(t, "kind(11)", protocols.Kind(len(rows)+1).String(), "a kind without a sample")
	got, err := json.MarshalIndent(rows, "", "  ")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "the wire format changed")
}

// wire is a message as any peer can make it, valid or not.
func wire(t *testing.T, kind uint8, id, body any) []byte {
	b, err := rlp.EncodeToBytes([]any{kind, id, body})
	require.NoError(t, err)
	return b
}

func TestAttack29_MalformedMessages(t *testing.T) {
	id, good := common.Hash{1}, samples()
	event := good[3].Body.(protocols.Submit).Event
	big := event
	big.Payload = make([]byte, channel.MaxPayload+1)
	edge := event
	edge.Payload = make([]byte, channel.MaxPayload)
	entry := func(n int, e channel.Entry) []channel.Entry { return slices.Repeat([]channel.Entry{e}, n) }
	u := channel.Update{Seq: 6}
	encode := func(b protocols.Body) []byte {
		out, err := protocols.Message{Channel: id, Body: b}.Encode()
		require.NoError(t, err)
		return out
	}
	sync := encode(protocols.Sync{Seq: 1})
	for name, c := range map[string]struct {
		b    []byte
		code channel.Code // empty: accepted
	}{
		"nothing":                    {nil, channel.CodeMalformed},
		"not a list":                 {[]byte{0x80}, channel.CodeMalformed},
		"empty list":                 {[]byte{0xc0}, channel.CodeMalformed},
		"trailing byte":              {append(slices.Clone(sync), 0), channel.CodeMalformed},
		"cut short":                  {sync[:len(sync)-1], channel.CodeMalformed},
		"kind 0":                     {wire(t, 0, id, protocols.Sync{}), channel.CodeMalformed},
		"kind 11":                    {wire(t, 11, id, protocols.Sync{}), channel.CodeMalformed},
		"another kind's body":        {wire(t, 6, id, protocols.Sync{}), channel.CodeMalformed},
		"short channel id":           {wire(t, 7, []byte{1}, protocols.Sync{}), channel.CodeMalformed},
		"a field too many":           {wire(t, 7, id, []any{uint64(1), id, uint64(1), uint64(1)}), channel.CodeMalformed},
		"a field too few":            {wire(t, 7, id, []any{uint64(1), id}), channel.CodeMalformed},
		"a number with leading zero": {wire(t, 7, id, []any{[]byte{0, 1}, id, uint64(1)}), channel.CodeMalformed},
		"a number of 9 bytes":        {wire(t, 7, id, []any{bytes.Repeat([]byte{1}, 9), id, uint64(1)}), channel.CodeMalformed},
		"a signature of 64 bytes":    {wire(t, 6, id, []any{uint64(1), make([]byte, 64)}), channel.CodeMalformed},
		"a bool of 2":                {wire(t, 2, id, []any{sig(1), sig(1), uint64(2)}), channel.CodeMalformed},
		"more than a message":        {make([]byte, protocols.MaxMessageBytes+1), channel.CodeTooLarge},
		"payload too large":          {encode(protocols.Submit{Event: big}), channel.CodeMalformed},
		"payload at the limit":       {encode(protocols.Submit{Event: edge}), ""},
		"payload too large, entry":   {encode(protocols.Append{From: 6, Entries: entry(1, channel.Entry{Event: &big}), Update: u}), channel.CodeMalformed},
		"genesis too large":          {encode(protocols.Proposal{Genesis: make([]byte, channel.MaxGenesis+1)}), channel.CodeMalformed},
		"refusal code too long":      {encode(protocols.Refusal{Code: strings.Repeat("x", 33)}), channel.CodeMalformed},
		"refusal text too long":      {encode(protocols.Refusal{Text: strings.Repeat("x", 513)}), channel.CodeMalformed},
		"append of nothing":          {encode(protocols.Append{From: 6, Update: channel.Update{Seq: 5}}), channel.CodeMalformed},
		"append of leaf 0":           {encode(protocols.Append{From: 0, Entries: entry(1, channel.Entry{}), Update: channel.Update{}}), channel.CodeMalformed},
		"append past its Update":     {encode(protocols.Append{From: 6, Entries: entry(2, channel.Entry{}), Update: u}), channel.CodeMalformed},
		"append short of it":         {encode(protocols.Append{From: 5, Entries: entry(1, channel.Entry{}), Update: u}), channel.CodeMalformed},
		"append that wraps around":   {encode(protocols.Append{From: 1<<64 - 1, Entries: entry(8, channel.Entry{}), Update: u}), channel.CodeMalformed},
		"257 entries":                {encode(protocols.CatchUp{From: 1, Entries: entry(257, channel.Entry{})}), channel.CodeMalformed},
		"256 entries":                {encode(protocols.CatchUp{From: 1, Entries: entry(256, channel.Entry{})}), ""},
		"an event and a top-up":      {encode(protocols.CatchUp{From: 1, Entries: entry(1, channel.Entry{Event: &event, TopUp: 1})}), channel.CodeMalformed},
		"66 heads":                   {encode(protocols.CatchUp{From: 1, Heads: make([]protocols.Head, 66)}), channel.CodeMalformed},
		"17 signatures":              {encode(protocols.CatchUp{From: 1, Heads: []protocols.Head{{Signatures: make([]channel.Signature, 17)}}}), channel.CodeMalformed},
		"65 proof nodes":             {encode(protocols.CatchUp{From: 1, Proof: make([]common.Hash, 65)}), channel.CodeMalformed},
		"catch-up that wraps around": {encode(protocols.CatchUp{From: 1<<64 - 1, Entries: entry(2, channel.Entry{})}), channel.CodeMalformed},
		"catch-up from leaf 0":       {encode(protocols.CatchUp{}), channel.CodeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := protocols.DecodeMessage(c.b)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, &channel.Refusal{Code: c.code})
			require.Equal(t, protocols.Message{}, m)
		})
	}
}

// FuzzDecodeMessage: what decodes encodes to the same bytes, nothing panics, and memory stays in proportion to the input.
func FuzzDecodeMessage(f *testing.F) {
	for _, m := range samples() {
		b, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(slices.Clone(b), 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := protocols.DecodeMessage(b)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(64*len(b)+1<<20) {
			t.Fatalf("%d bytes allocated for a message of %d", used, len(b))
		}
		if err != nil {
			return
		}
		again, err := m.Encode()
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}
