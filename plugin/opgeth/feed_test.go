package opgeth

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/plugin"
	"github.com/stretchr/testify/require"
)

// feed is a Follow of the emitter over a host, without RPC.
type feed struct {
	h     *host
	chain *plugin.Chain
	out   chan plugin.Step
	end   context.CancelFunc
	ended chan error

	logs    []types.Log
	at      plugin.Step
	rewinds []uint64
}

func (h *host) follow() *feed {
	h.t.Helper()
	c, err := plugin.Dial(h.t.Context(), plugin.Config{
		Local: h.local(), ChainID: chainID, VerifyReceipts: true, Logger: h.stack.Config().Logger, PollInterval: time.Hour, ProbeInterval: time.Hour,
	})
	require.NoError(h.t, err)
	f := &feed{h: h, chain: c, out: make(chan plugin.Step), ended: make(chan error, 1)}
	var ctx context.Context
	ctx, f.end = context.WithCancel(context.Background())
	go func() {
		f.ended <- c.Follow(ctx, plugin.FeedConfig{Addresses: []common.Address{emitter}, Topics: [][]common.Hash{{topic}}, RewindGrace: time.Millisecond}, f.out)
	}()
	return f
}

func (f *feed) stop() {
	f.h.t.Helper()
	f.end()
	require.ErrorIs(f.h.t, <-f.ended, context.Canceled)
	f.chain.Close()
}

// until applies Steps up to a block.
func (f *feed) until(head *types.Header) {
	f.h.t.Helper()
	for f.at.Unsafe.Hash != head.Hash() {
		select {
		case s := <-f.out:
			if s.Rewind != nil {
				f.rewinds = append(f.rewinds, s.Rewind.Number)
				for len(f.logs) > 0 && f.logs[len(f.logs)-1].BlockNumber > s.Rewind.Number {
					f.logs = f.logs[:len(f.logs)-1]
				}
			}
			f.logs, f.at = append(f.logs, s.Logs...), s
		case <-time.After(patience):
			f.h.t.Fatalf("at %s, not at %d:\n%s", f.at.Unsafe, head.Number, f.h.log)
		}
	}
}

// agrees compares what was delivered with what the node says by RPC.
func (f *feed) agrees() {
	f.h.t.Helper()
	want, err := f.h.client.FilterLogs(f.h.t.Context(), ethereum.FilterQuery{FromBlock: new(big.Int), Addresses: []common.Address{emitter}})
	require.NoError(f.h.t, err)
	require.Equal(f.h.t, want, f.logs)
}

// TestF7_HeadsAndLogsWithoutRPC: the feed of a node in the same process has what eth_getLogs would give, by pushed heads alone (it would
// poll once an hour) and with no request to the node's RPC, through backfill, new blocks and a reorganisation.
func TestF7_HeadsAndLogsWithoutRPC(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.begin()
	for i := range 150 { // enough final blocks for a range
		if i%10 == 0 {
			h.send(emitter, nil, []byte{byte(i)})
		} else {
			h.commit()
		}
	}
	f := h.follow()
	f.until(h.head())
	f.agrees()
	require.Len(t, f.logs, 15)
	require.Equal(t, h.head().Hash(), f.at.Safe.Hash, "every block is called safe")
	require.EqualValues(t, 128, f.at.Finalized.Number)

	h.send(emitter, nil, []byte("lost"))
	f.until(h.commit())
	require.Equal(t, []byte("lost"), f.logs[len(f.logs)-1].Data)

	// Two blocks go, others come: the log is gone and another one there.
	h.fork(150)
	h.send(emitter, nil, []byte("other"))
	for range 3 {
		h.commit()
	}
	f.until(h.head())
	require.Equal(t, []uint64{150}, f.rewinds)
	require.Equal(t, []byte("other"), f.logs[len(f.logs)-1].Data)
	require.Len(t, f.logs, 16)
	f.agrees()
	f.stop()
}

// TestF7_ASlowSidecarHoldsNoBlockUp: nobody takes Steps while more heads come than any queue holds; every block is made, and what was
// missed is delivered then.
func TestF7_ASlowSidecarHoldsNoBlockUp(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.begin()
	f := h.follow()
	f.until(h.commit()) // it follows
	for range 300 {
		h.commit() // fails when the chain waits for somebody
	}
	h.send(emitter, nil, []byte("late"))
	f.until(h.head())
	f.agrees()
	require.Len(t, f.logs, 1)
	require.Empty(t, f.rewinds)
	f.stop()
}

// TestF7_TheFeedOutlivesItsNode: a feed that is not stopped before the chain goes on asking, and neither crashes nor spins.
func TestF7_TheFeedOutlivesItsNode(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.begin()
	f := h.follow()
	f.until(h.commit())
	h.close()
	f.stop()
}

// TestF7_NothingIsSafeBeforeTheNodeSaysSo: op-geth knows no safe block until op-node has named one.
func TestF7_NothingIsSafeBeforeTheNodeSaysSo(t *testing.T) {
	h := newHost(t, t.TempDir())
	require.NoError(t, h.stack.Start())
	c, err := plugin.Dial(t.Context(), plugin.Config{Local: h.local(), ChainID: chainID, Logger: h.stack.Config().Logger})
	require.NoError(t, err)
	defer c.Close()
	for level, want := range map[plugin.Level]common.Hash{plugin.Unsafe: h.head().Hash(), plugin.Safe: {}, plugin.Finalized: {}} {
		b, err := c.Head(t.Context(), level)
		require.NoError(t, err)
		require.Equal(t, want, b.Hash, level)
	}
}

// TestA13_ANodeOfAnotherChainIsRefused, in this process as over RPC.
func TestA13_ANodeOfAnotherChainIsRefused(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.begin()
	for name, cfg := range map[string]plugin.Config{
		"chain id": {ChainID: 901},
		"genesis":  {ChainID: chainID, Genesis: plugin.BlockRef{Hash: common.Hash{1}}},
	} {
		cfg.Local = h.local()
		_, err := plugin.Dial(t.Context(), cfg)
		require.ErrorIs(t, err, plugin.ErrWrongChain, name)
	}
	_, err := plugin.Dial(t.Context(), plugin.Config{ChainID: chainID, Local: &plugin.Local{Name: Name}})
	require.ErrorIs(t, err, plugin.ErrConfig)
	_, err = plugin.Dial(t.Context(), plugin.Config{ChainID: chainID})
	require.ErrorIs(t, err, plugin.ErrConfig)
}
