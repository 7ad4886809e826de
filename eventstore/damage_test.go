package eventstore

import (
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

// Every record of a channel is damaged in turn, as no program of ours writes it: the read names the record.
func TestF4_DamagedRecordsAreNamed(t *testing.T) {
	c := newScript(1, 2)
	s := played(t, vfs.NewMem(), c, 20)
	require.NoError(t, commit(s, func(b *Batch) {
		c.snapshot(b, 20)
		b.PutClose(c.id, channel.Close{ChannelID: c.id, Seq: 20, StateHash: c.hashes[20]})
		b.PutFact(Fact{Block: 1, Channel: c.id})
		b.PutCursor("k", 1, common.Hash{})
		b.PutObjective("o", ObjectiveRecord{})
		b.Log(NewNodeEvent(1, &ObjectiveApproved{Objective: "o"}))
	}))
	check := func() error { _, err := s.Check(c.id); return err }
	rows := []struct {
		key  []byte
		name string
		read func() error
	}{
		{channelKey(c.id, subChannel), "channel of channel", check},
		{channelKey(c.id, subSigned), "signed of channel", check},
		{channelKey(c.id, subSupported), "supported of channel", check},
		{closeKey(c.id, false), "close of channel", check},
		{seqKey(c.id, subEntry, 7), "entry 7 of channel", check},
		{seqKey(c.id, subEntry, 8), "entry 8 of channel", check},
		{seqKey(c.id, subSnapshot, 20), "snapshot 20 of channel", check},
		{factKey(1, 0), "fact at block 1 log 0", func() error { _, err := s.Facts(c.id); return err }},
		{namedKey(spaceCursor, "k"), `cursor "k"`, func() error { _, err := s.Cursor("k"); return err }},
		{namedKey(spaceObjective, "o"), `objective "o"`, func() error { _, err := s.Objective("o"); return err }},
		{indexKey(spaceEvent, 0), "node event 0", func() error { _, err := s.NodeEvents(0, 1); return err }},
	}
	for _, row := range rows {
		good, err := get(s.db, row.key)
		require.NoError(t, err)
		require.NoError(t, row.read())
		for what, bad := range map[string][]byte{
			"empty": {}, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 0), "version": append([]byte{2}, good[1:]...),
		} {
			if row.name == "entry 8 of channel" && what == "longer" {
				continue // a payload may be longer; what is signed then differs, below
			}
			require.NoError(t, s.db.Set(row.key, bad, pebble.NoSync))
			err := row.read()
			require.ErrorIs(t, err, ErrCorrupt, "%s %s", row.name, what)
			require.ErrorContains(t, err, "docs/operators.md")
			if what == "version" {
				require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeVersion}, row.name)
				require.ErrorContains(t, err, row.name)
			}
		}
		require.NoError(t, s.db.Set(row.key, good, pebble.NoSync))
		require.NoError(t, row.read())
	}
	// A2: an entry rewritten in its own form is caught by the root, a missing one by the gap.
	key := seqKey(c.id, subEntry, 8)
	good, err := get(s.db, key)
	require.NoError(t, err)
	require.NoError(t, s.db.Set(key, encodeEntry(channel.Entry{Event: c.event(8, 9)}, c.hashes[8]), pebble.NoSync))
	require.ErrorContains(t, check(), "the journal has root")
	require.NoError(t, s.db.Delete(key, pebble.NoSync))
	require.ErrorContains(t, check(), "missing in the journal")
	require.NoError(t, s.db.Set(key, good, pebble.NoSync))
	require.NoError(t, check())
	require.NoError(t, s.db.DeleteRange(seqKey(c.id, subEntry, 20), seqKey(c.id, subEntry, 21), pebble.NoSync))
	require.ErrorContains(t, check(), "which was signed")
}

// A bit that rots in a table on disk is found by the database's checksum when it is read.
func TestF4_RottenTableIsErrCorrupt(t *testing.T) {
	fs, c := vfs.NewMem(), newScript(1, 2)
	s := played(t, fs, c, 50)
	require.NoError(t, s.db.Flush())
	require.NoError(t, s.Close())
	names, err := fs.List("db")
	require.NoError(t, err)
	rotten := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		data, err := fs.UnsafeGetFileDataBuffer("db/" + name)
		require.NoError(t, err)
		data[len(data)/4] ^= 0x10
		rotten++
	}
	require.NotZero(t, rotten)
	s, err = Open("db", WithFS(fs))
	if err == nil {
		_, err = s.Check(c.id)
		_ = s.Close()
	}
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestF1_A1_VerifyChecksEverySignature(t *testing.T) {
	c := newScript(1, 3)
	c.signing = true
	s := played(t, vfs.NewMem(), c, 12)
	report, err := s.Verify(c.id)
	require.NoError(t, err)
	require.Equal(t, 3+11, report.Signatures, "three under the Update, eleven events and one top-up")

	forged := newScript(2, 3)
	forged.signing = true
	forged.grow(5)
	forged.entries[3].Event.Signature[40] ^= 1
	s2 := played(t, vfs.NewMem(), forged, 5)
	_, err = s2.Check(forged.id)
	require.NoError(t, err)
	_, err = s2.Verify(forged.id)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "entry 3")
}
