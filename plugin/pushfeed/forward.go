package pushfeed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	maxTargets     = 8
	forwardTimeout = time.Second // a sidecar that takes longer does not need this block any more
	maxRest        = time.Second
)

// Forwarder hands blocks on to sidecars, each at its own pace.
type Forwarder struct {
	targets []*target
	metrics *Metrics
	log     log.Logger
	client  *http.Client
	auth    rpc.HTTPAuth // nil: none

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

type target struct {
	url, name string
	ring      *ring
}

// NewForwarder starts to hand on to these addresses. auth signs requests, nil does not.
func NewForwarder(addresses []string, auth rpc.HTTPAuth, m *Metrics, logger log.Logger) (*Forwarder, error) {
	if len(addresses) > maxTargets {
		return nil, fmt.Errorf("%d sidecars are given, %d are possible", len(addresses), maxTargets)
	}
	f := &Forwarder{metrics: m, log: logger, auth: auth, client: &http.Client{
		Transport: &http.Transport{IdleConnTimeout: idleTimeout, DisableCompression: true}, Timeout: forwardTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is no address of a sidecar's push feed: http://HOST:PORT is wanted", a)
		}
		f.targets = append(f.targets, &target{a, u.Host, newRing()})
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	for _, t := range f.targets {
		f.wg.Go(func() { f.run(ctx, t) })
	}
	return f, nil
}

// Forward takes a request for all sidecars. It never waits.
func (f *Forwarder) Forward(request []byte) {
	for _, t := range f.targets {
		if n := t.ring.put(request); n > 0 {
			f.metrics.Dropped.WithLabelValues(droppedSlow).Add(float64(n))
		}
	}
}

func (f *Forwarder) run(ctx context.Context, t *target) {
	rest, down := 50*time.Millisecond, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.ring.ready:
		}
		for b := t.ring.take(); b != nil && ctx.Err() == nil; b = t.ring.take() {
			err := f.post(ctx, t.url, b)
			if err == nil {
				f.metrics.Forwarded.WithLabelValues(t.name, "ok").Inc()
				if down {
					f.log.Info("The sidecar takes blocks again", "sidecar", t.name)
				}
				rest, down = 50*time.Millisecond, false
				continue
			}
			f.metrics.Forwarded.WithLabelValues(t.name, "failed").Inc()
			level := log.LevelDebug
			if !down {
				level = log.LevelWarn
			}
			f.log.Log(level, "A block could not be handed to a sidecar, which polls meanwhile", "sidecar", t.name, "err", err)
			down = true
			select {
			case <-ctx.Done():
				return
			case <-time.After(rest):
			}
			rest = min(2*rest, maxRest)
		}
	}
}

func (f *Forwarder) post(ctx context.Context, address string, b []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if f.auth != nil {
		if err := f.auth(r.Header); err != nil {
			return err
		}
	}
	in, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer in.Body.Close()
	_, _ = io.CopyN(io.Discard, in.Body, maxAnswer) // so that the connection can be used again
	if in.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", in.Status)
	}
	return nil
}

// Close ends it; what waits is dropped.
func (f *Forwarder) Close() {
	f.cancel()
	f.wg.Wait()
}
