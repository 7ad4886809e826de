package sidecar_test

import (
	"context"
	"crypto/ecdsa"
	"path/filepath"
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
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// still is a chain on which nothing happens: channels without stakes are funded from the start, and these tests are about
// what happens between sidecars. What happens on a chain is tested on one, in e2e.
type still struct{ steps chan sidecar.ChainStep }

func newStill() *still {
	s := &still{make(chan sidecar.ChainStep, 1)}
	pos := sidecar.BlockPos{Number: 1, Hash: common.Hash{1}, Time: uint64(time.Now().Unix())}
	s.steps <- sidecar.ChainStep{Head: pos}
	return s
}
func (s *still) Steps() <-chan sidecar.ChainStep  { return s.steps }
func (s *still) Submit(sidecar.TxRequest)         {}
func (s *still) Results() <-chan sidecar.TxResult { return nil }

type peer struct {
	key    *ecdsa.PrivateKey
	net    *p2p.Transport
	engine *sidecar.Engine
	api    *sidecar.API
	store  *eventstore.Store
	dir    string
	module channel.Module
	reg    *prometheus.Registry
	// metrics are the engine's, where a test needs them.
	metrics *sidecar.Metrics
	stop    func()
}

func startPeer(t testing.TB, seed byte, dir string, module []byte, options derivation.Options) *peer {
	return startPeerWith(t, seed, dir, module, options, sidecar.Policy{})
}

func startPeerWith(t testing.TB, seed byte, dir string, module []byte, options derivation.Options, policy sidecar.Policy) *peer {
	t.Helper()
	return startPeerAs(t, seed, dir, module, options, func(c *sidecar.EngineConfig) { c.Policy = policy })
}

// startPeerAs lets a test change what the engine is made of.
func startPeerAs(t testing.TB, seed byte, dir string, module []byte, options derivation.Options, change func(*sidecar.EngineConfig)) *peer {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte{seed}))
	require.NoError(t, err)
	logger := log.NewLogger(log.DiscardHandler())
	p := &peer{key: key, dir: dir, reg: prometheus.NewRegistry()}
	p.metrics = sidecar.NewMetrics(p.reg)
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
	cfg := sidecar.EngineConfig{
		Keys: sidecar.Keys{Session: key, Owner: key}, ChainID: 901, Adjudicator: common.Address{0xad},
		Stall: 2 * time.Second, Skew: 30 * time.Second, Margin: time.Minute, Turn: 10 * time.Second,
		Store: p.store, Network: p.net, Chain: newStill(), Modules: sidecar.ModulesOf(library),
		Metrics: p.metrics, Log: logger,
	}
	change(&cfg)
	p.engine, err = sidecar.NewEngine(cfg)
	require.NoError(t, err)
	p.api = sidecar.NewAPI(p.engine, nil)
	go func() { _ = p.engine.Run() }()
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, p.engine.Stop(ctx))
		require.NoError(t, p.net.Close(ctx))
		require.NoError(t, p.store.Close())
		require.NoError(t, runtime.Close())
	})
	t.Cleanup(p.stop)
	return p
}

// pair is two sidecars over loopback libp2p with an open channel; the first is the sequencer.
func pair(t testing.TB, module []byte, options derivation.Options) (a, b *peer, id common.Hash) {
	a, b = startPeer(t, 1, t.TempDir(), module, options), startPeer(t, 2, t.TempDir(), module, options)
	acquaint(t, a, b)
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

func acquaint(t testing.TB, a, b *peer) {
	require.NoError(t, a.net.AddPeer(b.net.Address(), b.net.Addrs()))
	require.NoError(t, b.net.AddPeer(a.net.Address(), a.net.Addrs()))
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
