package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum-optimism/optimism/op-service/httputil"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/oppprof"
	oprpc "github.com/ethereum-optimism/optimism/op-service/rpc"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/prometheus/client_golang/prometheus"
)

// Service is a running sidecar: store, modules, chain, peers, engine and API.
type Service struct {
	cfg     *Config
	log     log.Logger
	close   context.CancelCauseFunc
	stopped atomic.Bool

	store   *eventstore.Store
	modules *derivation.Library
	runtime *derivation.Engine
	chain   *Link
	guard   *guard
	funds   *treasurer
	push    *pushFeed // nil: off
	net     *p2p.Transport
	engine  *Engine
	rpc     *oprpc.Server // nil: whoever has the service inside serves it
	probe   *probe
	metrics *httputil.HTTPServer
	pprof   *oppprof.Service
	tracer  *tracing.Tracer
}

var _ cliapp.Lifecycle = (*Service)(nil)

// NewService makes a service; Start runs it. close is called when the engine ends by itself.
func NewService(cfg *Config, logger log.Logger, close context.CancelCauseFunc) *Service {
	return &Service{cfg: cfg, log: logger, close: close}
}

// Start opens everything in the order that makes each part ready before the next needs it.
func (s *Service) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	cfg := *s.cfg // with clients for the keys that are elsewhere, beside the caller's
	s.cfg = &cfg
	c := s.cfg
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	registry := opmetrics.NewRegistry()
	metrics := NewMetrics(registry)
	signers := signer.NewMetrics(registry)
	if c.Keys, err = c.dialSigners(func(cfg signer.Config, key string) (*signer.Client, error) {
		return signer.New(cfg, key, s.log, signers)
	}); err != nil {
		return err
	}
	session := crypto.PubkeyToAddress(c.Keys.Session.PublicKey)
	if s.tracer, err = tracing.New(ctx, c.Tracing, c.Version, session, s.log, registry); err != nil {
		return err
	}
	if s.runtime, err = derivation.NewEngine(derivation.Config{}); err != nil {
		return err
	}
	s.modules = derivation.NewLibrary(s.runtime)
	if err := InstallModules(s.modules, c.Modules); err != nil {
		return err
	}
	if s.store, err = eventstore.Open(filepath.Join(c.DataDir, "store"), eventstore.WithLogger(s.log)); err != nil {
		return err
	}
	if s.chain, err = NewLink(ctx, c, s.store, s.log, registry); err != nil {
		return err
	}
	if s.net, err = p2p.New(p2p.Config{
		Key: c.Keys.Session, Listen: c.P2PListen, Static: c.P2PPeers, Network: fmt.Sprintf("%d/%s", c.ChainID, c.Adjudicator),
		AllowList: c.P2PAllow, DenyList: c.P2PDeny, AcceptUnknown: c.P2PAcceptUnknown, Logger: s.log, Registerer: registry,
	}); err != nil {
		return err
	}
	if s.engine, err = NewEngine(EngineConfig{
		Keys: c.Keys, ChainID: c.ChainID, Adjudicator: c.Adjudicator, Settlement: c.Settlement, AttestWorlds: c.AttestWorlds, Publish: c.Publish, Policy: c.Policy, Trust: c.Trust,
		Stall: c.Stall, Skew: c.Skew, Margin: c.Margin, Turn: c.Turn,
		Store: s.store, Network: s.net, Chain: s.chain, Modules: ModulesOf(s.modules), Metrics: metrics, Tracer: s.tracer, Log: s.log,
	}); err != nil {
		return err
	}
	go func() {
		if err := s.engine.Run(); err != nil {
			s.close(err)
		}
	}()
	s.chain.Start()
	if c.PushFeed.Enabled {
		if err := s.startPushFeed(registry); err != nil {
			return err
		}
	}
	if c.Verify {
		if s.guard, err = s.chain.Guard(registry, func(err error) { s.close(err) }); err != nil {
			return err
		}
	}
	s.funds = startTreasurer(s.engine, s.chain, metrics, c.FundsInterval, s.log)
	if err := s.serve(registry); err != nil {
		return err
	}
	metrics.Up.Set(1)
	s.log.Info("op-channels is up", "session", s.engine.SessionAddress(), "owner", s.engine.OwnerAddress(), "rpc", s.RPCEndpoint(), "p2p", s.net.Addrs())
	return nil
}

// serve starts the RPC and metrics servers. Browsers of other sites must not reach a wallet's RPC: no CORS, and only
// local names as Host.
func (s *Service) serve(registry *prometheus.Registry) error {
	s.probe = &probe{s: s, within: turnTimeout}
	if !s.cfg.Hosted {
		if err := s.serveRPC(); err != nil {
			return err
		}
	}
	if s.cfg.Metrics.Enabled {
		var err error
		if s.metrics, err = opmetrics.StartServer(registry, s.cfg.Metrics.ListenAddr, s.cfg.Metrics.ListenPort); err != nil {
			return fmt.Errorf("start the metrics server: %w", err)
		}
	}
	c := s.cfg.Pprof
	s.pprof = oppprof.New(c.ListenEnabled, c.ListenAddr, c.ListenPort, c.ProfileType, c.ProfileDir, c.ProfileFilename)
	if err := s.pprof.Start(); err != nil {
		return fmt.Errorf("start pprof: %w", err)
	}
	return nil
}

func (s *Service) serveRPC() error {
	opts := []oprpc.Option{
		oprpc.WithHealthzHandler(http.HandlerFunc(s.probe.healthz)), oprpc.WithLogger(s.log), oprpc.WithWebsocketEnabled(), oprpc.WithCORSHosts(nil),
	}
	if len(s.cfg.JWTSecret) > 0 {
		opts = append(opts, oprpc.WithJWTSecret(s.cfg.JWTSecret))
	} else {
		opts = append(opts, oprpc.WithVHosts([]string{"localhost", "127.0.0.1"}))
	}
	s.rpc = oprpc.NewServer(s.cfg.RPC.ListenAddr, s.cfg.RPC.ListenPort, s.cfg.Version, opts...)
	s.rpc.AddAPI(rpc.API{Namespace: "channels", Service: NewAPI(s.engine, s)})
	s.rpc.AddHandler("/readyz", http.HandlerFunc(s.probe.readyz))
	if s.cfg.RPC.EnableAdmin {
		s.rpc.AddAPI(rpc.API{Namespace: "admin", Service: NewAdminAPI(s.engine, s.chain, s.log)})
	}
	if err := s.rpc.Start(); err != nil {
		return fmt.Errorf("start the RPC on %s:%d: %w", s.cfg.RPC.ListenAddr, s.cfg.RPC.ListenPort, err)
	}
	return nil
}

// Stop ends everything in the opposite order. Nothing is lost by stopping at any point: that is the store's business.
func (s *Service) Stop(ctx context.Context) (err error) {
	if s.stopped.Swap(true) {
		return nil
	}
	note := func(what string, e error) {
		if e != nil {
			err = errors.Join(err, fmt.Errorf("stop %s: %w", what, e))
		}
	}
	if s.rpc != nil {
		note("rpc", s.rpc.Stop())
	}
	if s.push != nil {
		note("push feed", s.push.Close(ctx))
	}
	if s.funds != nil {
		note("funds", s.funds.Close(ctx))
	}
	if s.engine != nil {
		note("engine", s.engine.Stop(ctx))
	}
	if s.net != nil {
		note("p2p", s.net.Close(ctx))
	}
	if s.guard != nil {
		note("verifier", s.guard.Close(ctx))
	}
	if s.chain != nil {
		note("chain", s.chain.Close(ctx))
	}
	if s.pprof != nil {
		note("pprof", s.pprof.Stop(ctx))
	}
	closeSigners(s.cfg.Keys)
	note("tracing", s.tracer.Close(ctx))
	if s.metrics != nil {
		note("metrics", s.metrics.Stop(ctx))
	}
	if s.store != nil {
		note("store", s.store.Close())
	}
	if s.runtime != nil {
		note("modules", s.runtime.Close())
	}
	s.log.Info("op-channels has stopped")
	return err
}

// Stopped tells whether Stop was called.
func (s *Service) Stopped() bool { return s.stopped.Load() }

// RPCEndpoint is the RPC's host:port; empty when it has none of its own.
func (s *Service) RPCEndpoint() string {
	if s.rpc == nil {
		return ""
	}
	return s.rpc.Endpoint()
}

// Ready answers as /readyz does. It may be asked after Start.
func (s *Service) Ready(w http.ResponseWriter, r *http.Request) { s.probe.readyz(w, r) }

// MetricsEndpoint is host:port of /metrics; empty without --metrics.enabled.
func (s *Service) MetricsEndpoint() string {
	if s.metrics == nil {
		return ""
	}
	return s.metrics.Addr().String()
}

// Info implements Node.
func (s *Service) Info() NodeInfo {
	return NodeInfo{
		Version: s.cfg.Version, Session: s.engine.SessionAddress(), Owner: s.engine.OwnerAddress(), Attestor: s.engine.AttestorAddress(),
		ChainID: s.cfg.ChainID, Adjudicator: s.cfg.Adjudicator, Settlement: s.cfg.Settlement, Multiaddrs: s.net.Addrs(),
		PushFeed: s.push.status(),
	}
}

// Peers implements Node.
func (s *Service) Peers() []Peer {
	out := []Peer{}
	for _, p := range s.net.Peers() {
		out = append(out, Peer{p.Address, p.Multiaddrs, p.Connected, p.Queued})
	}
	return out
}

// AddPeer implements Node.
func (s *Service) AddPeer(multiaddr string) (common.Address, error) {
	addr, err := p2p.ParsePeer(multiaddr)
	if err != nil {
		return addr, err
	}
	return addr, s.net.AddPeer(addr, []string{multiaddr})
}

// ModuleList implements Node.
func (s *Service) ModuleList() []ModuleInfo { return ModuleInfos(s.modules) }
