package sidecar_test

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/tracing/tracingtest"
	"github.com/stretchr/testify/require"
)

// BenchmarkClosedLoop is one author that waits for each event to be signed by both and durable with both: its own answer,
// and the sequencer's record of the Update with all signatures. answer-µs is what the author waits for.
func BenchmarkClosedLoop(b *testing.B) {
	sequencer, author, id := pair(b, counter.Wasm, derivation.Options{PageLimit: 1})
	closedLoop(b, sequencer, author, id)
}

// BenchmarkClosedLoopTraced is the same with every event, or none, recorded by both.
func BenchmarkClosedLoopTraced(b *testing.B) {
	for _, share := range []float64{0, 0.01, 1} {
		b.Run(fmt.Sprintf("share=%v", share), func(b *testing.B) {
			c := tracingtest.Start(nil)
			b.Cleanup(c.Close)
			sequencer, author, id := traced(b, c, share, counter.Wasm, derivation.Options{PageLimit: 1})
			closedLoop(b, sequencer, author, id)
		})
	}
}

func closedLoop(b *testing.B, sequencer, author *peer, id common.Hash) {
	notes, cancel := sequencer.engine.Subscribe(id)
	defer cancel()
	payload := hexutil.Bytes{0x01}
	var both, answer []time.Duration
	for b.Loop() {
		start := time.Now()
		out, err := author.api.Submit(context.Background(), id, payload, nil)
		require.NoError(b, err)
		answer = append(answer, time.Since(start))
		for n := range notes {
			if n.Kind == protocols.NoteSupported && n.Seq >= out.Seq {
				break
			}
		}
		both = append(both, time.Since(start))
	}
	slices.Sort(answer)
	b.ReportMetric(float64(answer[len(answer)/2].Microseconds()), "answer-µs")
	report(b, both)
}

// BenchmarkPipelined keeps 64 events of an independent module on their way.
func BenchmarkPipelined(b *testing.B) {
	_, author, id := pair(b, counter.Wasm, counter.Options())
	payload := hexutil.Bytes{0x01}
	slots := make(chan struct{}, 64)
	var mu sync.Mutex
	var took []time.Duration
	errs := make(chan error, 1)
	n := 0
	for b.Loop() {
		slots <- struct{}{}
		n++
		go func() {
			defer func() { <-slots }()
			start := time.Now()
			if _, err := author.api.Submit(context.Background(), id, payload, nil); err != nil {
				select {
				case errs <- err:
				default:
				}
			}
			mu.Lock()
			took = append(took, time.Since(start))
			mu.Unlock()
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
	report(b, took)
	info, err := author.api.Get(context.Background(), id)
	require.NoError(b, err)
	require.EqualValues(b, n, info.Supported.Seq, "every event is in the journal and supported")
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBlockWithManyChannels is what every block and every second cost while nothing happens in the channels that are open.
func BenchmarkBlockWithManyChannels(b *testing.B) {
	const channels = 1000
	a, other, first := pair(b, counter.Wasm, counter.Options())
	ctx := context.Background()
	info, err := a.api.Get(ctx, first)
	require.NoError(b, err)
	args := sidecar.OpenArgs{GenesisHex: info.Genesis}
	args.Participants, args.ModuleHash, args.ForceQuota = info.Params.Participants, info.Params.ModuleHash, info.Params.ForceQuota
	for i := range channels - 1 {
		args.Nonce = uint64(i + 1)
		id, err := a.api.Open(ctx, args)
		require.NoError(b, err)
		waitOpen(b, other, id)
	}
	now := time.Now()
	for n := uint64(2); b.Loop(); n++ {
		pos := sidecar.BlockPos{Number: n, Hash: common.BigToHash(new(big.Int).SetUint64(n)), Time: uint64(now.Unix())}
		require.NoError(b, a.engine.Step(sidecar.ChainStep{Head: pos, Safe: pos, Finalized: pos}))
		require.NoError(b, a.engine.Tick())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*channels), "ns/channel")
}
