package sidecar_test

import (
	"context"
	"crypto/ecdsa"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// still is a chain on which nothing happens: channels without stakes are funded from the start, and the benchmarks are
// about what happens between two sidecars.
type still struct{ steps chan sidecar.ChainStep }

func newStill() *still {
	s := &still{make(chan sidecar.ChainStep, 1)}
	pos := sidecar.BlockPos{Number: 1, Hash: common.Hash{1}, Time: uint64(time.Now().Unix())}
	s.steps <- sidecar.ChainStep{Head: pos, Trusted: pos}
	return s
}
func (s *still) Steps() <-chan sidecar.ChainStep   { return s.steps }
func (s *still) Submit(sidecar.TxRequest)          {}
func (s *still) Results() <-chan sidecar.TxResult { return nil }

type peer struct {
	key    *ecdsa.PrivateKey
	net    *p2p.Transport
	engine *sidecar.Engine
	api    *sidecar.API
	store  *eventstore.Store
	dir    string
	module channel.Module
}

func startPeer(t testing.TB, seed byte, module []byte, options derivation.Options) *peer {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte{seed}))
	require.NoError(t, err)
	logger := log.NewLogger(log.DiscardHandler())
	p := &peer{key: key, dir: t.TempDir()}
	runtime, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	library := derivation.NewLibrary(runtime)
	m, err := library.Add("module", module, options)
	require.NoError(t, err)
	p.module = m
	p.store, err = eventstore.Open(filepath.Join(p.dir, "store"), eventstore.WithLogger(logger))
	require.NoError(t, err)
	p.net, err = p2p.New(p2p.Config{Key: key, Network: "bench", Logger: logger})
	require.NoError(t, err)
	p.engine, err = sidecar.NewEngine(sidecar.EngineConfig{
		Keys: sidecar.Keys{Session: key, Owner: key}, ChainID: 901, Adjudicator: common.Address{0xad},
		Stall: 2 * time.Second, Skew: 30 * time.Second, Margin: time.Minute, Turn: 10 * time.Second,
		Store: p.store, Network: p.net, Chain: newStill(), Modules: sidecar.ModulesOf(library),
		Metrics: sidecar.NewMetrics(prometheus.NewRegistry()), Log: logger,
	})
	require.NoError(t, err)
	p.api = sidecar.NewAPI(p.engine, nil)
	go func() { _ = p.engine.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, p.engine.Stop(ctx))
		require.NoError(t, p.net.Close(ctx))
		require.NoError(t, p.store.Close())
		require.NoError(t, runtime.Close())
	})
	return p
}

// pair is two sidecars over loopback libp2p with an open channel; the first is the sequencer.
func pair(t testing.TB, module []byte, options derivation.Options) (a, b *peer, id common.Hash) {
	a, b = startPeer(t, 1, module, options), startPeer(t, 2, module, options)
	require.NoError(t, a.net.AddPeer(b.net.Address(), b.net.Addrs()))
	require.NoError(t, b.net.AddPeer(a.net.Address(), a.net.Addrs()))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	args := sidecar.OpenArgs{GenesisHex: make(hexutil.Bytes, 160)}
	args.ModuleHash = a.module.Manifest().Hash()
	for _, p := range []*peer{a, b} {
		args.Participants = append(args.Participants, channel.Participant{Signer: p.engine.SessionAddress(), Owner: p.engine.OwnerAddress()})
	}
	args.ForceQuota = 256
	id, err := a.api.Open(ctx, args)
	require.NoError(t, err)
	waitOpen(t, b, id)
	return a, b, id
}

func waitOpen(t testing.TB, p *peer, id common.Hash) {
	out, cancel := p.engine.Subscribe(id)
	defer cancel()
	deadline := time.After(30 * time.Second)
	for {
		if info, err := p.api.Get(context.Background(), id); err == nil && info.Status == "open" {
			return
		}
		select {
		case <-out:
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Fatal("the channel did not open")
		}
	}
}

// BenchmarkClosedLoop is one author that waits for each event to be signed by both and durable on both.
func BenchmarkClosedLoop(b *testing.B) {
	_, author, id := pair(b, counter.Wasm, derivation.Options{PageLimit: 1})
	payload := hexutil.Bytes{0x01}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		_, err := author.api.Submit(context.Background(), id, payload, nil)
		require.NoError(b, err)
		took = append(took, time.Since(start))
	}
	report(b, took)
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

