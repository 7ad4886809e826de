package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/trie"
)

var (
	// ErrForged is returned when a node says what its blocks do not commit to.
	ErrForged = errors.New("the node says what its blocks do not commit to: use another node")
	// ErrUnsupported is returned for a node that lacks a method.
	ErrUnsupported = errors.New("the node does not serve eth_getBlockReceipts: use one that does, or do not verify receipts (--l2-verify-receipts=false)")
)

// verifyLogs compares what the node said about logs with what the hashes of their blocks commit to: a block's hash with its header,
// the header's receipts root with the receipts, and the receipts with the logs. Receipts are asked for where logs were given, and where
// the header's bloom filter says that there may be some that were not. The hash of the transaction of a log is not committed to
// by receipts; nothing is derived from it.
func (e *endpoint) verifyLogs(ctx context.Context, f filter, blocks []BlockRef, headers []*rpcHeader, logs []types.Log) error {
	for i, b := range blocks {
		h, err := e.verifyHeader(b, headers[i])
		if err != nil {
			return err
		}
		n := 0
		for n < len(logs) && logs[n].BlockNumber == b.Number {
			n++
		}
		if n > 0 || f.mayMatch(h.Bloom) {
			if err := e.verifyBlock(ctx, f, b, h.ReceiptHash, logs[:n]); err != nil {
				return err
			}
		}
		logs = logs[n:]
	}
	if len(logs) > 0 {
		return fmt.Errorf("%s: a log of block %d, which was not asked for: %w", e.name, logs[0].BlockNumber, errInconsistent)
	}
	return nil
}

// verifyFar is verifyLogs for logs of a range of blocks, of which the node shows only those with logs: one that is left out goes
// unnoticed here, unlike among blocks that are followed one by one.
func (e *endpoint) verifyFar(ctx context.Context, f filter, logs []types.Log) error {
	var blocks []BlockRef
	for i := range logs {
		if n := len(blocks); n == 0 || blocks[n-1].Number != logs[i].BlockNumber {
			blocks = append(blocks, BlockRef{Number: logs[i].BlockNumber, Hash: logs[i].BlockHash})
		}
	}
	for chunk := range slices.Chunk(blocks, blocksPerBatch) {
		numbers := make([]uint64, len(chunk))
		for i, b := range chunk {
			numbers[i] = b.Number
		}
		headers, refs, ok, err := e.fullHeaders(ctx, numbers)
		if err != nil {
			return err
		}
		for i, b := range chunk {
			if !ok[i] || refs[i].Hash != b.Hash {
				return fmt.Errorf("%s: a log of %s, which is not the final block of that number: %w", e.name, b, errInconsistent)
			}
		}
		n := 0
		for n < len(logs) && logs[n].BlockNumber <= chunk[len(chunk)-1].Number {
			n++
		}
		if err := e.verifyLogs(ctx, f, refs, headers, logs[:n]); err != nil {
			return err
		}
		logs = logs[n:]
	}
	return nil
}

// verifyHeader gives the header of a block if it has the block's hash.
func (e *endpoint) verifyHeader(b BlockRef, raw *rpcHeader) (*types.Header, error) {
	h := raw.header
	if h == nil {
		h = new(types.Header)
		if err := json.Unmarshal(raw.raw, h); err != nil {
			return nil, fmt.Errorf("%s: header of %s: %w: %w", e.name, b, err, ErrForged)
		}
	}
	if h.Hash() != b.Hash {
		return nil, fmt.Errorf("%s: the header of %s has the hash %s: %w", e.name, b, h.Hash(), ErrForged)
	}
	return h, nil
}

const methodNotFound = -32601

func (e *endpoint) verifyBlock(ctx context.Context, f filter, b BlockRef, root common.Hash, logs []types.Log) error {
	receipts, err := e.receipts(ctx, b)
	if err != nil {
		return err
	}
	if receipts == nil || slices.Contains(receipts, nil) {
		return fmt.Errorf("%s has no receipts of %s: %w", e.name, b, errInconsistent)
	}
	if got := types.DeriveSha(receipts, trie.NewStackTrie(nil)); got != root {
		return fmt.Errorf("%s: the receipts of %s have the root %s, the block commits to %s: %w", e.name, b, got, root, ErrForged)
	}
	e.metrics.verified.Inc()
	index, found := uint(0), 0
	for _, r := range receipts {
		for _, l := range r.Logs {
			if f.matches(l) {
				if found == len(logs) || !sameLog(l, &logs[found]) || logs[found].Index != index {
					return fmt.Errorf("%s: log %d of %s is not among those it gave as it should be: %w", e.name, index, b, ErrForged)
				}
				found++
			}
			index++
		}
	}
	if found != len(logs) {
		return fmt.Errorf("%s: log %d of %s is in none of the block's receipts: %w", e.name, logs[found].Index, b, ErrForged)
	}
	return nil
}

func (e *endpoint) receipts(ctx context.Context, b BlockRef) (receipts types.Receipts, err error) {
	if e.local != nil {
		if receipts, err = e.local.Backend.GetReceipts(ctx, b.Hash); err != nil {
			err = e.failedHere("receipts", "the receipts of a block", err)
		}
		return receipts, err
	}
	err = e.call(ctx, "receipts", &receipts, "eth_getBlockReceipts", b.Hash)
	var coded rpc.Error
	if errors.As(err, &coded) && coded.ErrorCode() == methodNotFound {
		err = fmt.Errorf("%s: %w: %w", e.name, err, ErrUnsupported)
	}
	return receipts, err
}

func sameLog(a, b *types.Log) bool {
	return a.Address == b.Address && slices.Equal(a.Topics, b.Topics) && bytes.Equal(a.Data, b.Data)
}

// mayMatch tells whether a block with this bloom filter can have a log that is wanted.
func (f filter) mayMatch(bloom types.Bloom) bool {
	if len(f.addresses) > 0 && !slices.ContainsFunc(f.addresses, func(a common.Address) bool { return bloom.Test(a.Bytes()) }) {
		return false
	}
	for _, alternatives := range f.topics {
		if len(alternatives) > 0 && !slices.ContainsFunc(alternatives, func(t common.Hash) bool { return bloom.Test(t.Bytes()) }) {
			return false
		}
	}
	return bloom != types.Bloom{}
}
