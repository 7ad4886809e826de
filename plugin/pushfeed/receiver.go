package pushfeed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/plugin"
	"github.com/prometheus/client_golang/prometheus"
)

// Chain is what a Receiver tells of blocks; plugin.Chain is the one that runs.
type Chain interface {
	// Built must not wait.
	Built(plugin.BlockRef)
	HasBlock(ctx context.Context, hash common.Hash) (plugin.BlockRef, bool, error)
}

// Results of a pushed payload, the values of the label of op_channels_chain_pushed_payloads_total.
const (
	resultBuilt     = "built"
	resultDuplicate = "duplicate"
	resultInvalid   = "invalid" // malformed, or of another hash
	resultForeign   = "foreign" // its parent is neither the block before nor one of the execution client's
	resultDropped   = "dropped" // newer ones came first, or it was too large
)

const (
	parentTimeout = 5 * time.Second
	// lookPause is between one look at a block and the next: each may cost the execution client some questions, and whoever pushes must not
	// decide how many. What comes faster waits, and the oldest go.
	lookPause = 20 * time.Millisecond
	// maxUnchecked is how many blocks in a row may stand on nothing but the one before: so far, and no further, blocks can be made up.
	maxUnchecked = 4
)

// Receiver is a sidecar's end of the feed: it answers at once, and looks at blocks in a goroutine of its own.
type Receiver struct {
	chain  Chain
	any    bool // takes requests by whatever host name
	log    log.Logger
	desk   desk
	ring   *ring
	cancel context.CancelFunc
	done   chan struct{}

	payloads *prometheus.CounterVec
	answers  prometheus.Histogram
	age      prometheus.Gauge
	total    [5]atomic.Uint64 // as results

	unchecked int // blocks taken for children of the one before since the execution client was asked

	mu   sync.Mutex
	last plugin.BlockRef // the newest that was taken, and when
	at   time.Time
}

var results = [...]string{resultBuilt, resultDuplicate, resultInvalid, resultForeign, resultDropped}

// Status is what a Receiver has seen. Built is zero before the first block.
type Status struct {
	Built     plugin.BlockRef `json:"built"`
	At        uint64          `json:"at"` // UNIX seconds when it came
	Taken     uint64          `json:"taken"`
	Duplicate uint64          `json:"duplicate"`
	Invalid   uint64          `json:"invalid"`
	Foreign   uint64          `json:"foreign"`
	Dropped   uint64          `json:"dropped"`
}

// NewReceiver starts to look at what comes. anyHost takes requests by whatever host name they came, for who asks for a secret.
func NewReceiver(chain Chain, anyHost bool, reg prometheus.Registerer, logger log.Logger) (*Receiver, error) {
	const ns, sub = "op_channels", "chain"
	ctx, cancel := context.WithCancel(context.Background())
	r := &Receiver{
		chain: chain, any: anyHost, log: logger, desk: newDesk(), ring: newRing(), cancel: cancel, done: make(chan struct{}),
		payloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "pushed_payloads_total", Help: "Blocks that were pushed, by result: built, duplicate, invalid, foreign, dropped.",
		}, []string{"result"}),
		answers: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "pushed_answer_seconds", Help: "Time to answer the push of a block.", Buckets: prometheus.ExponentialBuckets(50e-6, 3, 12),
		}),
		age: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "pushed_time_seconds", Help: "UNIX time when the newest pushed block came; 0: none yet.",
		}),
	}
	for _, result := range results {
		r.payloads.WithLabelValues(result)
	}
	if reg != nil {
		if err := errors.Join(reg.Register(r.payloads), reg.Register(r.answers), reg.Register(r.age)); err != nil {
			cancel()
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	go r.run(ctx)
	return r, nil
}

// ServeHTTP answers the push of a block. It waits for nothing but the request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	start := time.Now()
	if status, text := local(q, r.any); text != "" {
		http.Error(w, text, status)
		return
	}
	body, whole, leave, err := r.desk.take(q.Body)
	defer leave()
	if err != nil {
		http.Error(w, "the request ended early", http.StatusBadRequest)
		return
	}
	req, err := parseHead(body)
	switch {
	case err != nil:
		req.refuse(w, codeMalformed, err.Error())
		return
	case req.method != methodCommit:
		drain(q.Body)
		req.refuse(w, codeNoMethod, "this is the push feed of a sidecar, not a conductor: point --conductor.rpc of op-node at `op-channels push-feed`, which a sidecar cannot hold up")
		return
	case whole:
		r.count(resultDropped, r.ring.put(body))
	default:
		r.count(resultDropped, 1)
		drain(q.Body)
	}
	req.answer(w, nil)
	r.answers.Observe(time.Since(start).Seconds())
}

func (r *Receiver) count(result string, n int) {
	if n == 0 {
		return
	}
	r.payloads.WithLabelValues(result).Add(float64(n))
	for i, name := range results {
		if name == result {
			r.total[i].Add(uint64(n))
		}
	}
}

func (r *Receiver) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.ring.ready:
		}
		for body := r.ring.take(); body != nil && ctx.Err() == nil; body = r.ring.take() {
			pause := time.After(lookPause)
			result, err := r.look(ctx, body)
			r.count(result, 1)
			if err != nil {
				r.log.Debug("A pushed block is not taken", "why", result, "err", err)
			}
			select {
			case <-pause:
			case <-ctx.Done():
				return
			}
		}
	}
}

// look checks one block and tells the chain of it.
func (r *Receiver) look(ctx context.Context, body []byte) (result string, err error) {
	b, err := decode(body)
	if err != nil {
		return resultInvalid, err
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if b.Hash == last.Hash {
		return resultDuplicate, nil
	}
	r.unchecked++
	if b.ParentHash != last.Hash || b.Number != last.Number+1 || b.Time < last.Time || r.unchecked > maxUnchecked {
		asking, cancel := context.WithTimeout(ctx, parentTimeout)
		parent, ok, err := r.chain.HasBlock(asking, b.ParentHash)
		cancel()
		if err != nil {
			return resultForeign, fmt.Errorf("look for the parent of %s: %w", b, err)
		}
		if !ok || b.Number != parent.Number+1 || b.Time < parent.Time {
			return resultForeign, fmt.Errorf("the parent of %s, %s, is not on this chain", b, b.ParentHash)
		}
		r.unchecked = 0
	}
	r.mu.Lock()
	r.last, r.at = b, time.Now()
	r.mu.Unlock()
	r.age.SetToCurrentTime()
	r.chain.Built(b)
	return resultBuilt, nil
}

// Status is for people.
func (r *Receiver) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Built: r.last, Taken: r.total[0].Load(), Duplicate: r.total[1].Load(), Invalid: r.total[2].Load(), Foreign: r.total[3].Load(), Dropped: r.total[4].Load()}
	if !r.at.IsZero() {
		s.At = uint64(r.at.Unix())
	}
	return s
}

// Close ends it; what waits is dropped.
func (r *Receiver) Close() {
	r.cancel()
	<-r.done
}
