package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/httputil"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// watchedFeed is a feed that remembers the newest block that the verifier has taken.
type watchedFeed struct {
	verifier.Feed
	head atomic.Pointer[plugin.BlockRef]
}

// Follow implements verifier.Feed.
func (f *watchedFeed) Follow(ctx context.Context, cfg plugin.FeedConfig, out chan<- plugin.Step) error {
	steps, ended := make(chan plugin.Step), make(chan error, 1)
	go func() { ended <- f.Feed.Follow(ctx, cfg, steps) }()
	for {
		select {
		case err := <-ended:
			return err
		case s := <-steps:
			select {
			case out <- s:
				f.head.Store(&s.Unsafe)
			case err := <-ended: // nobody takes it any more
				return err
			}
		}
	}
}

// readiness is the answer of /readyz. A block counts when the verifier has taken it, so one that hangs grows old here too.
func (f *watchedFeed) readiness(maxAge time.Duration, now time.Time) sidecar.Readiness {
	out := sidecar.Readiness{Version: version, Checks: make(map[string]sidecar.Check)}
	reason := ""
	head := f.head.Load()
	if head == nil {
		reason = "no block was seen yet: it looks back over all windows that can be open, or the node does not answer; see the log"
	} else {
		out.Head, out.Trusted = head.Number, head.Number
		if age := now.Sub(time.Unix(int64(head.Time), 0)).Round(time.Second); maxAge > 0 && age > maxAge {
			reason = fmt.Sprintf("the newest block taken, %d, is %s old, more than --max-head-age: the chain stands still, or the verifier is behind it", head.Number, age)
		}
	}
	out.Checks["chain"] = sidecar.Check{OK: reason == "", Reason: reason}
	out.Ready = reason == ""
	return out
}

// serveVerifier serves /metrics, /healthz and /readyz. A verifier has no RPC; one that ends ends its process, so that /healthz has
// nothing else to say.
func serveVerifier(cfg opmetrics.CLIConfig, registry *prometheus.Registry, f *watchedFeed, maxAge time.Duration) (*httputil.HTTPServer, error) {
	write := func(w http.ResponseWriter, ok bool, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
	}
	mux := http.NewServeMux()
	mux.Handle("/", promhttp.InstrumentMetricHandler(registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { write(w, true, sidecar.Health{Version: version}) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := f.readiness(maxAge, time.Now())
		write(w, r.Ready, r)
	})
	return httputil.StartHTTPServer(net.JoinHostPort(cfg.ListenAddr, strconv.Itoa(cfg.ListenPort)), mux)
}
