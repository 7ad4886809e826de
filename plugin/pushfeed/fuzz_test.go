package pushfeed_test

import (
	"encoding/json"
	"testing"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin/pushfeed"
)

// FuzzDecode: whatever is pushed does not panic, and what is taken has the hash that it says.
func FuzzDecode(f *testing.F) {
	params, err := json.Marshal(block(7, 70, common.Hash{6}, eth.Data{1, 2, 3}))
	require.NoError(f, err)
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"conductor_commitUnsafePayload","params":[` + string(params) + `]}`))
	f.Add([]byte(`{"id":1,"method":"conductor_commitUnsafePayload","params":[{"executionPayload":{"withdrawals":[null],"transactions":null}}]}`))
	f.Add([]byte(`{"params":[null],"method":"conductor_commitUnsafePayload"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := pushfeed.Decode(body)
		if err != nil {
			require.ErrorIs(t, err, pushfeed.ErrPayload)
			return
		}
		var call struct {
			Params []*eth.ExecutionPayloadEnvelope
		}
		require.NoError(t, json.Unmarshal(body, &call))
		actual, ok := call.Params[0].CheckBlockHash()
		require.True(t, ok)
		require.Equal(t, actual, b.Hash)
	})
}

// FuzzParseHead: what is read of the beginning of a request is what is read of all of it.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"conductor_leader","params":[{"a":[1]}]}`))
	f.Add([]byte(`{"params":[],"method":"m","id":"x"}`))
	f.Add([]byte(`[{"id":1}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		id, method, err := pushfeed.ParseHead(body)
		if err != nil {
			require.ErrorIs(t, err, pushfeed.ErrRequest)
			return
		}
		require.NotEmpty(t, method)
		require.LessOrEqual(t, len(id), 128)
		require.True(t, json.Valid([]byte(id)))
	})
}
