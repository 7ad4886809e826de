package sidecar

import (
	"context"
	"net/http"
	"time"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
)

// HoldLoop keeps the engine's loop from turning until release; it returns when the loop is held.
func (s *Service) HoldLoop(release <-chan struct{}) {
	held := make(chan struct{})
	go func() { _ = s.engine.do(context.Background(), func() { close(held); <-release }) }()
	<-held
}

// Probe is /healthz and /readyz with a patience of their own.
func (s *Service) Probe(within time.Duration) http.Handler {
	p := &probe{s: s, within: within}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", p.healthz)
	mux.HandleFunc("/readyz", p.readyz)
	return mux
}

// Link is the service's chain.
func (s *Service) Link() *Link { return s.chain }

// Calls are what a request would send.
func (l *Link) Calls(req TxRequest) ([]adjudicator.Call, error) { return l.calls(req) }

// Head is the newest block of the chain.
func (l *Link) Head(ctx context.Context) (plugin.BlockRef, error) {
	return l.chain.Head(ctx, plugin.Unsafe)
}

// Step gives the loop a step of the chain, and Tick its tick; they return when it has been taken.
func (e *Engine) Step(s ChainStep) error { return e.do(context.Background(), func() { e.onStep(s) }) }
func (e *Engine) Tick() error            { return e.do(context.Background(), e.onTick) }
