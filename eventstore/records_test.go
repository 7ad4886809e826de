package eventstore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

var fuzzID = newScript(1, 2).id

// decoders take a record apart and put it together again; what they accept must come out byte for byte.
var decoders = []struct {
	name  string
	again func([]byte) ([]byte, error)
}{
	{"channel", func(b []byte) ([]byte, error) {
		c, err := decodeChannel(fuzzID, b)
		if err != nil {
			return nil, err
		}
		return encodeChannel(c), nil
	}},
	{"signed", func(b []byte) ([]byte, error) { u, err := decodeSigned(fuzzID, b); return encodeUpdate(u), err }},
	{"supported", func(b []byte) ([]byte, error) {
		u, sigs, err := decodeSupported(fuzzID, b)
		return encodeSupported(u, sigs), err
	}},
	{"close", func(b []byte) ([]byte, error) { c, err := decodeClose(fuzzID, true, b); return encodeClose(c), err }},
	{"pending", func(b []byte) ([]byte, error) { e, err := decodePending(fuzzID, 9, b); return encodePending(e), err }},
	{"entry", func(b []byte) ([]byte, error) { e, h, err := decodeEntry(fuzzID, b); return encodeEntry(e, h), err }},
	{"snapshot", func(b []byte) ([]byte, error) {
		s, err := decodeSnapshot(6, b)
		if err != nil {
			return nil, err
		}
		return encodeSnapshot(s.State, s.Peaks), nil
	}},
	{"objective", func(b []byte) ([]byte, error) {
		o, err := decodeObjective("o", b)
		if err != nil {
			return nil, err
		}
		return encodeObjective(o), nil
	}},
	{"fact", func(b []byte) ([]byte, error) {
		f, err := decodeFact(3, 4, b)
		if err != nil {
			return nil, err
		}
		return encodeFact(f), nil
	}},
	{"cursor", func(b []byte) ([]byte, error) { c, err := decodeCursor(b); return encodeCursor(c), err }},
	{"feed", func(b []byte) ([]byte, error) { f, err := decodeFeed(b); return encodeFeed(f), err }},
	{"frozen", func(b []byte) ([]byte, error) { at, err := decodeFrozen(b); return encodeFrozen(at), err }},
}

func seeds() [][]byte {
	c := newScript(1, 2)
	c.grow(8)
	return [][]byte{
		encodeChannel(&c.record),
		encodeUpdate(c.update(7)),
		encodeSupported(c.update(7), c.signatures(c.update(7))),
		encodeClose(channel.Close{Seq: 4, StateHash: common.Hash{1}}),
		encodePending(*c.event(3, 3)),
		encodeEntry(c.entries[3], c.hashes[3]),
		encodeSnapshot(c.states[6].Bytes(), c.journals[6].Peaks()),
		encodeObjective(&ObjectiveRecord{Kind: "play", Status: "running", Data: []byte("data"), Version: 300}),
		encodeFact(&Fact{Kind: "Deposited", Data: []byte("data")}),
		encodeCursor(Cursor{5, common.Hash{5}}),
		encodeFeed(feedItem{feedEntry, common.Hash{3}, 4}),
		encodeFrozen(5),
		// second forms
		encodeEntry(c.entries[7], c.hashes[7]),
		encodeFeed(feedItem{kind: feedEvent, number: 4}),
	}
}

// Every record survives the round trip, and no cut, other version or, where lengths are fixed, longer form of it decodes.
func TestF4_RecordsAreStrict(t *testing.T) {
	for i, good := range seeds() {
		d := decoders[[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 10}[i]]
		again, err := d.again(good)
		require.NoError(t, err, d.name)
		require.Equal(t, good, again, d.name)
		for v := range 256 {
			bad := bytes.Clone(good)
			bad[0] = byte(v)
			if _, err := d.again(bad); v != recordVersion {
				require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeVersion}, d.name)
			}
		}
		for n := range good {
			again, err := d.again(good[:n])
			if err == nil {
				// The open end of a payload or state may be shorter; it is then another record.
				require.Contains(t, []string{"pending", "entry", "snapshot"}, d.name)
				require.Equal(t, good[:n], again)
			}
		}
	}
	_, err := decodeSnapshot(6, encodeSnapshot(make([]byte, maxState+1), make([]common.Hash, 3)))
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeMalformed})
	_, _, err = decodeEntry(fuzzID, encodeEntry(channel.Entry{Event: &channel.SignedEvent{Event: channel.Event{Payload: make([]byte, channel.MaxPayload+1)}}}, common.Hash{}))
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeMalformed})
}

func TestF4_KeysSortAsNumbers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		a, b := rng.Uint64()>>rng.IntN(64), rng.Uint64()>>rng.IntN(64)
		require.Equal(t, a < b, bytes.Compare(seqKey(fuzzID, subEntry, a), seqKey(fuzzID, subEntry, b)) < 0)
		require.Equal(t, a < b, bytes.Compare(factKey(a, 9), factKey(b, 3)) < 0)
		require.Negative(t, bytes.Compare(seqKey(fuzzID, subEntry, a), after(channelKey(fuzzID, subEntry))))
		require.Equal(t, a, tail64(seqKey(fuzzID, subEntry, a)))
	}
	require.Nil(t, after([]byte{0xff}))
	require.Equal(t, []byte{1}, after([]byte{0, 0xff}))
	for _, key := range [][]byte{nil, {0}, {spaceChannel}, {spaceEvent, 1}, {spaceFact}, schemaKey} {
		require.NotEmpty(t, describeKey(key))
	}
}

// One target for all fixed records: the first byte picks the decoder. Node events have their own.
func FuzzRecords(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		d := decoders[int(which)%len(decoders)]
		again, err := d.again(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%s: %x decodes, but is encoded as %x", d.name, b, again)
		}
	})
}
