package pushfeed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/evmts/channels/plugin"
)

// ErrPayload is returned for a block that is malformed, or whose hash is not what it says.
var ErrPayload = errors.New("invalid payload")

// maxItems bounds the transactions of a block, by the commas in a request: what is small in digits could be large in memory.
const maxItems = 1 << 17

// decode reads the block of a commit and computes its hash again.
func decode(body []byte) (b plugin.BlockRef, err error) {
	bad := func(format string, args ...any) (plugin.BlockRef, error) {
		return plugin.BlockRef{}, fmt.Errorf("%w: %w", ErrPayload, fmt.Errorf(format, args...))
	}
	if n := bytes.Count(body, []byte{','}); n > maxItems {
		return bad("%d items, allowed are %d", n, maxItems)
	}
	var call struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return bad("%w", err)
	}
	if call.Method != methodCommit || len(call.Params) != 1 {
		return bad("not one payload of %s", methodCommit)
	}
	var env eth.ExecutionPayloadEnvelope
	if err := json.Unmarshal(call.Params[0], &env); err != nil {
		return bad("%w", err)
	}
	p := env.ExecutionPayload
	switch {
	case p == nil:
		return bad("no executionPayload")
	case uint64(p.BlockNumber) > math.MaxInt64 || p.BlockNumber == 0:
		return bad("block number %d", uint64(p.BlockNumber))
	}
	if actual, ok := env.CheckBlockHash(); !ok {
		return bad("block %d says that it is %s, it is %s", uint64(p.BlockNumber), p.BlockHash, actual)
	}
	return plugin.BlockRef{Number: uint64(p.BlockNumber), Hash: p.BlockHash, ParentHash: p.ParentHash, Time: uint64(p.Timestamp)}, nil
}
