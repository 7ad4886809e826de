package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// rpcHeader is the part of a block that a feed needs. The hash is the node's word: chains differ in what they hash.
type rpcHeader struct {
	Number     *hexutil.Uint64 `json:"number"`
	Hash       *common.Hash    `json:"hash"`
	ParentHash common.Hash     `json:"parentHash"`
	Time       hexutil.Uint64  `json:"timestamp"`
	StateRoot  common.Hash     `json:"stateRoot"`

	raw    json.RawMessage // all of it, to be compared with the hash
	header *types.Header   // instead of raw, from a client in this process
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *rpcHeader) UnmarshalJSON(b []byte) error {
	type plain rpcHeader
	if err := json.Unmarshal(b, (*plain)(h)); err != nil {
		return err
	}
	h.raw = slices.Clone(b)
	return nil
}

func (h *rpcHeader) ref() (BlockRef, bool) {
	if h == nil || h.Number == nil || h.Hash == nil || *h.Hash == (common.Hash{}) {
		return BlockRef{}, false
	}
	return BlockRef{uint64(*h.Number), *h.Hash, h.ParentHash, uint64(h.Time)}, true
}

// heads are the node's newest blocks per level at one moment. A level that the node does not know is the zero BlockRef.
type heads struct {
	latest, safe, finalized BlockRef
	header                  *rpcHeader // of latest
}

func (h heads) at(l Level) BlockRef {
	switch l {
	case Finalized:
		return h.finalized
	case Safe:
		return h.safe
	default:
		return h.latest
	}
}

// heads asks for all levels in one request. A node that has no safe or finalized block yet (no batch has reached L1), or
// that does not know the tags, gives the zero BlockRef for them: nothing is safe. Counting confirmations instead would
// call blocks safe that only the sequencer has seen.
func (e *endpoint) heads(ctx context.Context) (h heads, err error) {
	headers, err := e.tagged(ctx)
	if err != nil {
		return h, err
	}
	var ok bool
	h.header = headers[0]
	if h.latest, ok = h.header.ref(); !ok {
		return h, fmt.Errorf("%s has no latest block: %w", e.name, ErrUnreachable)
	}
	h.safe, _ = headers[1].ref()
	h.finalized, _ = headers[2].ref()
	if h.safe.Number < h.finalized.Number {
		h.safe = h.finalized // what is final is safe, also when the node failed to say so
	}
	return h, nil
}

// tagged are the blocks latest, safe and finalized; nil where the node has none, or does not know the tag.
func (e *endpoint) tagged(ctx context.Context) (headers [3]*rpcHeader, err error) {
	if e.local != nil {
		if headers, err = e.local.byTag(ctx); err != nil {
			err = e.failedHere("heads", "the newest block", err)
		}
		return headers, err
	}
	tags := [...]string{"latest", "safe", "finalized"}
	batch := make([]rpc.BatchElem, len(tags))
	for i, tag := range tags {
		batch[i] = rpc.BatchElem{Method: "eth_getBlockByNumber", Args: []any{tag, false}, Result: &headers[i]}
	}
	if err := e.batch(ctx, "heads", batch); err != nil {
		return headers, err
	}
	if batch[0].Error != nil {
		return headers, e.failed("heads", batch[0].Method, batch[0].Error)
	}
	for i := range batch {
		if batch[i].Error != nil {
			headers[i] = nil
		}
	}
	return headers, nil
}

// headers are the canonical blocks with these numbers; ok[i] is false for a block that the node does not have.
func (e *endpoint) headers(ctx context.Context, numbers []uint64) (refs []BlockRef, ok []bool, err error) {
	_, refs, ok, err = e.fullHeaders(ctx, numbers)
	return refs, ok, err
}

func (e *endpoint) fullHeaders(ctx context.Context, numbers []uint64) (found []*rpcHeader, refs []BlockRef, ok []bool, err error) {
	if found, err = e.numbered(ctx, numbers); err != nil {
		return nil, nil, nil, err
	}
	refs, ok = make([]BlockRef, len(numbers)), make([]bool, len(numbers))
	for i := range numbers {
		refs[i], ok[i] = found[i].ref()
		if ok[i] && refs[i].Number != numbers[i] {
			return nil, nil, nil, fmt.Errorf("asked for block %d, got %d: %w", numbers[i], refs[i].Number, errInconsistent)
		}
	}
	return found, refs, ok, nil
}

func (e *endpoint) numbered(ctx context.Context, numbers []uint64) ([]*rpcHeader, error) {
	found := make([]*rpcHeader, len(numbers))
	if e.local != nil {
		for i, n := range numbers {
			var err error
			if found[i], err = e.local.byNumber(ctx, n); err != nil {
				return nil, e.failedHere("headers", "a header", err)
			}
		}
		return found, nil
	}
	batch := make([]rpc.BatchElem, len(numbers))
	for i, n := range numbers {
		batch[i] = rpc.BatchElem{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(n), false}, Result: &found[i]}
	}
	if err := e.batch(ctx, "headers", batch); err != nil {
		return nil, err
	}
	for i := range batch {
		if batch[i].Error != nil {
			return nil, e.failed("headers", batch[i].Method, batch[i].Error)
		}
	}
	return found, nil
}

func (e *endpoint) header(ctx context.Context, number uint64) (BlockRef, bool, error) {
	refs, ok, err := e.headers(ctx, []uint64{number})
	if err != nil {
		return BlockRef{}, false, err
	}
	return refs[0], ok[0], nil
}

// filter is the address and topic part of eth_getLogs.
type filter struct {
	addresses []common.Address
	topics    [][]common.Hash
}

func (f filter) query() map[string]any {
	q := map[string]any{}
	if len(f.addresses) > 0 {
		q["address"] = f.addresses
	}
	if len(f.topics) > 0 {
		topics := make([]any, len(f.topics))
		for i, alternatives := range f.topics {
			if len(alternatives) > 0 { // null is "anything"
				topics[i] = alternatives
			}
		}
		q["topics"] = topics
	}
	return q
}

// logsOfBlocks asks by block hash, so that logs and heads cannot disagree: a block that was reorganised away in between
// is an error of the node, not an empty answer.
func (e *endpoint) logsOfBlocks(ctx context.Context, f filter, blocks []BlockRef) ([]types.Log, error) {
	found, err := e.logsByHash(ctx, f, blocks)
	if err != nil {
		return nil, err
	}
	var logs []types.Log
	for i, b := range blocks {
		if found[i] == nil { // null, which is not "no logs"
			return nil, fmt.Errorf("no answer about the logs of %s: %w", b, errInconsistent)
		}
		for _, l := range found[i] {
			if l.BlockHash != b.Hash || l.BlockNumber != b.Number {
				return nil, fmt.Errorf("a log of block %d (%s) among those of %s: %w", l.BlockNumber, l.BlockHash, b, errInconsistent)
			}
		}
		logs = append(logs, found[i]...)
	}
	return logs, f.check(logs)
}

func (e *endpoint) logsByHash(ctx context.Context, f filter, blocks []BlockRef) ([][]types.Log, error) {
	found := make([][]types.Log, len(blocks))
	if e.local != nil {
		for i, b := range blocks {
			var err error
			if found[i], err = e.local.logsOf(ctx, f, b); err != nil {
				return nil, e.failedHere("logs", "the logs of a block", err)
			}
		}
		return found, nil
	}
	batch := make([]rpc.BatchElem, len(blocks))
	for i, b := range blocks {
		q := f.query()
		q["blockHash"] = b.Hash
		batch[i] = rpc.BatchElem{Method: "eth_getLogs", Args: []any{q}, Result: &found[i]}
	}
	if err := e.batch(ctx, "logs", batch); err != nil {
		return nil, err
	}
	for i := range batch {
		if batch[i].Error != nil {
			return nil, e.failed("logs", batch[i].Method, batch[i].Error)
		}
	}
	return found, nil
}

// logsOfRange asks for the blocks from..to, both included.
func (e *endpoint) logsOfRange(ctx context.Context, f filter, from, to uint64) ([]types.Log, error) {
	logs, err := e.logsByRange(ctx, f, from, to)
	if err != nil {
		return nil, err
	}
	if logs == nil { // null, which is not "no logs"
		return nil, fmt.Errorf("no answer about the logs of %d to %d: %w", from, to, errInconsistent)
	}
	for i := range logs {
		if n := logs[i].BlockNumber; n < from || n > to {
			return nil, fmt.Errorf("a log of block %d among those of %d to %d: %w", n, from, to, errInconsistent)
		}
	}
	return logs, f.check(logs)
}

func (e *endpoint) logsByRange(ctx context.Context, f filter, from, to uint64) (logs []types.Log, err error) {
	if e.local != nil {
		if logs, err = e.local.logsBetween(ctx, f, from, to); err != nil {
			err = e.failedHere("logs", "the logs of a range", err)
		}
		return logs, err
	}
	q := f.query()
	q["fromBlock"], q["toBlock"] = hexutil.Uint64(from), hexutil.Uint64(to)
	return logs, e.call(ctx, "logs", &logs, "eth_getLogs", q)
}

// check refuses what was not asked for, and logs out of order or twice.
func (f filter) check(logs []types.Log) error {
	for i := range logs {
		l := &logs[i]
		switch {
		case l.Removed:
			return fmt.Errorf("log %d of block %d is marked as removed: %w", l.Index, l.BlockNumber, errInconsistent)
		case !f.matches(l):
			return fmt.Errorf("log %d of block %d by %s was not asked for: %w", l.Index, l.BlockNumber, l.Address, errInconsistent)
		case i > 0 && (l.BlockNumber < logs[i-1].BlockNumber || l.BlockNumber == logs[i-1].BlockNumber && l.Index <= logs[i-1].Index):
			return fmt.Errorf("log %d of block %d after log %d of block %d: %w", l.Index, l.BlockNumber, logs[i-1].Index, logs[i-1].BlockNumber, errInconsistent)
		}
	}
	return nil
}

func (f filter) matches(l *types.Log) bool {
	if len(f.addresses) > 0 && !slices.Contains(f.addresses, l.Address) {
		return false
	}
	for i, alternatives := range f.topics {
		if len(alternatives) > 0 && (i >= len(l.Topics) || !slices.Contains(alternatives, l.Topics[i])) {
			return false
		}
	}
	return true
}
