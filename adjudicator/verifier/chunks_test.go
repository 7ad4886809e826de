package verifier

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/adjudicator/proof"
)

var (
	at = adjudicator.Contracts{Publications: common.Address{0x9b}}
	id = common.Hash{0xc1}
	by = common.Address{0xb1}
)

// logs answers like a node that holds these logs.
type logs struct {
	all      []types.Log
	maxRange uint64 // more blocks are refused; 0: no limit
	spoil    func([]types.Log) []types.Log
	asked    int
	given    int // bytes
}

func (l *logs) FilterLogs(_ context.Context, q ethereum.FilterQuery) (out []types.Log, err error) {
	l.asked++
	from, to := q.FromBlock.Uint64(), q.ToBlock.Uint64()
	if l.maxRange > 0 && to-from+1 > l.maxRange {
		return nil, errors.New("block range is too wide")
	}
	for _, x := range l.all {
		if x.BlockNumber < from || x.BlockNumber > to || x.Topics[1] != q.Topics[1][0] || x.Topics[2] != q.Topics[2][0] {
			continue
		}
		out = append(out, x)
		l.given += len(x.Data)
	}
	if l.spoil != nil {
		out = l.spoil(out)
	}
	return out, nil
}

// add appends a chunk with so many top-up entries.
func (l *logs) add(t *testing.T, block uint64, publisher common.Address, first uint64, entries int) (next uint64) {
	t.Helper()
	meta, err := bindings.PublicationsMetaData.ParseABI()
	require.NoError(t, err)
	event := meta.Events["ChunkPublished"]
	packed, err := proof.Pack(id, make([]proof.Leaf, entries), true)
	require.NoError(t, err)
	next = max(first, 1) + uint64(entries)
	var genesis []byte
	if first == 0 {
		genesis = []byte{byte(block), byte(block >> 8)}
	}
	var rest abi.Arguments = event.Inputs.NonIndexed()
	data, err := rest.Pack(first, next, genesis, [32]byte{byte(block)}, packed)
	require.NoError(t, err)
	l.all = append(l.all, types.Log{
		Address: at.Publications, Topics: []common.Hash{event.ID, id, common.BytesToHash(publisher[:])}, Data: data, BlockNumber: block, Index: uint(len(l.all)),
	})
	return next
}

func publication(block, first uint64) *task {
	t := newTask(1, 1)
	t.ChannelID, t.Publisher, t.first = id, by, first
	t.log.BlockNumber, t.log.Index = block, 1<<30
	return t
}

// collect makes requests until the chunks are complete.
func collect(t *testing.T, c *chunks, node *logs) (failures int) {
	t.Helper()
	for range 1000 {
		if c.complete {
			return failures
		}
		if err := c.step(t.Context(), node, at, time.Second); err != nil {
			failures++
		}
	}
	t.Fatalf("the chunks are not complete after 1000 requests")
	return
}

// TestAttack18_ChunksAreFound wherever the first one is, known or not, by a node that answers few blocks at a time or many.
func TestAttack18_ChunksAreFound(t *testing.T) {
	for _, maxRange := range []uint64{0, 7, 1} {
		for _, known := range []bool{true, false} {
			node := &logs{maxRange: maxRange}
			node.add(t, 3, by, 0, 2) // given up
			node.add(t, 4, by, 3, 2)
			node.add(t, 90, common.Address{1}, 0, 5) // somebody else's
			next := node.add(t, 100, by, 0, 3)
			next = node.add(t, 100, by, next, 1)
			node.add(t, 120, common.Address{1}, 6, 5)
			next = node.add(t, 230, by, next, 4)
			task := publication(230, 0)
			if known {
				task.first = 100
			}
			c := newChunks(task, 2000)
			failures := collect(t, c, node)
			require.Equal(t, maxRange != 0, failures > 0)
			j, err := c.journal(id)
			require.NoError(t, err)
			require.Len(t, j.Leaves, int(next))
			require.Equal(t, []byte{100, 0}, j.Genesis)
			require.Equal(t, common.Hash{100}, j.Leaves[0].StateHash)
		}
	}
}

// TestAttack18_WhatThePublisherGaveUpIsNotRead: before the first chunk it may have published any amount.
func TestAttack18_WhatThePublisherGaveUpIsNotRead(t *testing.T) {
	node := &logs{}
	for block := uint64(1); block < 900; block++ {
		node.add(t, block, by, 0, 200)
	}
	one := len(node.all[0].Data)
	node.add(t, 900, by, 0, 3)
	c := newChunks(publication(1000, 900), 2000)
	collect(t, c, node)
	require.Equal(t, 1, node.asked)
	require.Less(t, node.given, one)

	node.given = 0
	c = newChunks(publication(1000, 0), 2000)
	collect(t, c, node)
	require.LessOrEqual(t, node.given, 2*backwards*one, "looking backwards it reads some blocks too many, but not all")
	j, err := c.journal(id)
	require.NoError(t, err)
	require.Len(t, j.Leaves, 4)
}

func TestAttack18_ALyingNodeIsNotBelieved(t *testing.T) {
	node := &logs{}
	node.add(t, 5, by, 0, 3)
	node.add(t, 5, common.Address{1}, 0, 3)
	other := node.all[1]
	for name, spoil := range map[string]func([]types.Log) []types.Log{
		"another publisher's": func(l []types.Log) []types.Log { return append(l, other) },
		"another contract's": func(l []types.Log) []types.Log {
			l = slices.Clone(l)
			l[0].Address = common.Address{5}
			return l
		},
		"malformed": func(l []types.Log) []types.Log {
			l = slices.Clone(l)
			l[0].Data = l[0].Data[:40]
			return l
		},
	} {
		node.spoil = spoil
		c := newChunks(publication(6, 5), 2000)
		require.Error(t, c.step(t.Context(), node, at, time.Second), name)
		require.False(t, c.complete)
	}
	// What it leaves out is missed.
	node.spoil = func([]types.Log) []types.Log { return nil }
	c := newChunks(publication(6, 5), 2000)
	require.NoError(t, c.step(t.Context(), node, at, time.Second))
	_, err := c.journal(id)
	require.ErrorIs(t, err, proof.ErrJournal)
	c = newChunks(publication(6, 0), 2000)
	for err = nil; err == nil; {
		err = c.step(t.Context(), node, at, time.Second)
	}
	require.ErrorIs(t, err, errNoChunks)
	node.asked = 0
	c = newChunks(publication(100*farthest, 0), 2000)
	for err = nil; err == nil; {
		err = c.step(t.Context(), node, at, time.Second)
	}
	require.ErrorIs(t, err, errNoChunks)
	require.LessOrEqual(t, node.asked, farthest/backwards+10, "it looks to the beginning of the chain")
}

// TestAttack18_NoMoreThanAJournalCanHave is kept, whatever a node sends.
func TestAttack18_NoMoreThanAJournalCanHave(t *testing.T) {
	node := &logs{}
	next := node.add(t, 1, by, 0, 10_000)
	for range 4 {
		next = node.add(t, 2, by, next, 10_000)
	}
	c := newChunks(publication(3, 1), 2000)
	require.ErrorIs(t, c.step(t.Context(), node, at, time.Second), proof.ErrJournal)
	require.LessOrEqual(t, len(c.parts), 3)
}
