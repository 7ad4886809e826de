package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
)

// Fault is what can be wrong with an endpoint, the label `fault` of op_channels_chain_endpoint_faults_total.
type Fault string

// The faults.
const (
	FaultUnreachable  Fault = "unreachable"  // it does not answer
	FaultWrongChain   Fault = "wrong_chain"  // another chain id, or another first block
	FaultStalled      Fault = "stalled"      // no new block, while another endpoint has some
	FaultForged       Fault = "forged"       // logs or headers that are not what the block's hash commits to
	FaultInconsistent Fault = "inconsistent" // answers that do not fit together, for longer than a reorganisation lasts
	FaultUnsupported  Fault = "unsupported"  // it lacks a method
)

// allFaults are shown from the start: a counter that begins with its first increment hides that from Prometheus's increase().
var allFaults = []Fault{FaultUnreachable, FaultWrongChain, FaultStalled, FaultForged, FaultInconsistent, FaultUnsupported}

// advice is what an operator does about a fault; it goes into the log beside it.
var advice = map[Fault]string{
	FaultUnreachable:  "check that the node runs and that its address is right",
	FaultWrongChain:   "the address leads to a node of another chain: correct it, or the chain id",
	FaultStalled:      "look at the node's log: it does not get blocks from its op-node, or its disk is full",
	FaultForged:       "do not use this node: what it says about logs is not what its blocks commit to",
	FaultInconsistent: "look at the node's log, and whether a balancer mixes nodes behind this address",
	FaultUnsupported:  "use a node that serves eth_getBlockReceipts, or --l2-verify-receipts=false",
}

const (
	maxEndpoints = 8
	firstPenalty = time.Second
	maxPenalty   = time.Minute
	longPenalty  = 5 * time.Minute // of a node that says what is not so
	defaultProbe = 5 * time.Second
)

// nodes are the endpoints of a chain, the preferred one first. One of them is current, and everything is asked there; which one that
// is changes when it has a fault, or when a better one works again.
type nodes struct {
	all     []*endpoint
	cfg     *Config
	log     log.Logger
	metrics *chainMetrics

	mu      sync.Mutex
	at      int
	changed chan struct{} // closed and replaced when the current one changes
	stalled time.Time     // since when no endpoint has had a new block; zero: one has
}

// addresses splits a list of addresses.
func addresses(list string) (out []string, err error) {
	for a := range strings.SplitSeq(list, ",") {
		if a = strings.TrimSpace(a); a != "" {
			out = append(out, a)
		}
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("%w: no RPC address", ErrConfig)
	case len(out) > maxEndpoints:
		return nil, fmt.Errorf("%w: %d RPC addresses, allowed are %d", ErrConfig, len(out), maxEndpoints)
	}
	return out, nil
}

func newNodes(cfg *Config, m *chainMetrics, id *identity) (*nodes, error) {
	var list []string
	if cfg.Local == nil || cfg.RPC != "" {
		var err error
		if list, err = addresses(cfg.RPC); err != nil {
			return nil, err
		}
	}
	n := &nodes{cfg: cfg, log: cfg.Logger.New("module", "chain"), metrics: m, changed: make(chan struct{})}
	names := make(map[string]int)
	if cfg.Local != nil {
		n.all, names[cfg.Local.Name] = append(n.all, localEndpoint(cfg, m, id)), 1
	}
	for i, a := range list {
		e, err := newEndpoint(a, i, cfg, m, id)
		if err != nil {
			return nil, err
		}
		if names[e.name]++; names[e.name] > 1 {
			e.name = fmt.Sprintf("%s#%d", e.name, names[e.name])
		}
		n.all = append(n.all, e)
	}
	for _, e := range n.all {
		for _, f := range allFaults {
			m.faults.WithLabelValues(e.name, string(f))
		}
	}
	n.show()
	return n, nil
}

// current is the endpoint to ask, and a channel that is closed when that is another one.
func (n *nodes) current() (*endpoint, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all[n.at], n.changed
}

// to makes another endpoint the current one.
func (n *nodes) to(i int, why string) {
	if i == n.at {
		return
	}
	n.log.Warn("Switching to another node", "from", n.all[n.at].name, "to", n.all[i].name, "why", why)
	n.at = i
	n.metrics.failovers.Inc()
	close(n.changed)
	n.changed = make(chan struct{})
	n.show()
}

func (n *nodes) show() {
	for i, e := range n.all {
		n.metrics.endpointCurrent.WithLabelValues(e.name).Set(flag(i == n.at))
		n.metrics.endpointUp.WithLabelValues(e.name).Set(flag(e.fault == ""))
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// faultOf says what an error shows about the endpoint that gave it; "" is nothing.
func faultOf(err error) Fault {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, ErrWrongChain):
		return FaultWrongChain
	case errors.Is(err, ErrForged):
		return FaultForged
	case errors.Is(err, ErrUnreachable):
		return FaultUnreachable
	}
	return ""
}

// blame notes a fault of an endpoint. If it is the current one and there is a better one, that becomes the current one. Penalties grow with
// the faults that an endpoint had while it was current: one that comes and goes is not to be switched to each time.
func (n *nodes) blame(e *endpoint, f Fault, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	level := log.LevelWarn
	if e.fault == f { // said before
		level = log.LevelDebug
	}
	n.log.Log(level, "A node has a fault", "node", e.name, "fault", f, "do", advice[f], "err", err)
	current, now := e == n.all[n.at], time.Now()
	switch {
	case f == FaultForged || f == FaultWrongChain || f == FaultUnsupported:
		e.until = now.Add(longPenalty)
	case current:
		e.until = now.Add(min(firstPenalty<<min(e.strikes, 10), maxPenalty))
	}
	if current {
		e.strikes++
	}
	e.fault, e.alive = f, false
	n.metrics.faults.WithLabelValues(e.name, string(f)).Inc()
	if current {
		n.to(n.best(), string(f))
	}
	n.show()
}

// best is the first endpoint without a fault, or else the one whose penalty ended, or ends, first.
func (n *nodes) best() int {
	now, at := time.Now(), 0
	for i, e := range n.all {
		if e.fault == "" && !e.until.After(now) {
			return i
		}
		if e.until.Before(n.all[at].until) {
			at = i
		}
	}
	return at
}

// answers takes a fault back when a probe shows that an endpoint does again what it had not done. What only use can show, such as
// logs that are not its blocks', is forgiven after the penalty. The penalty stays in any case.
func (n *nodes) answers(e *endpoint, h heads) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	e.alive = true
	moves := h.latest.Hash != e.seen.Hash
	if moves {
		e.seen, e.moved = h.latest, now
	}
	n.metrics.endpointHead.WithLabelValues(e.name).Set(float64(e.seen.Number))
	switch e.fault {
	case "":
		if now.After(e.until.Add(maxPenalty)) {
			e.strikes = 0
		}
		return
	case FaultUnreachable:
	case FaultStalled:
		if !moves {
			return
		}
	default:
		if now.Before(e.until) {
			return
		}
	}
	n.log.Info("A node works again", "node", e.name, "after", e.fault)
	e.fault = ""
	n.show()
}

// allWrong tells whether no endpoint is of our chain.
func (n *nodes) allWrong() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.all {
		if e.fault != FaultWrongChain {
			return false
		}
	}
	return true
}

// on runs ask on the current endpoint, and on others while the node is at fault; each is tried once.
func (n *nodes) on(ctx context.Context, ask func(*endpoint) error) (err error) {
	tried := make(map[*endpoint]bool, len(n.all))
	for range n.all {
		e, _ := n.current()
		if tried[e] {
			break
		}
		tried[e] = true
		if err = e.ensure(ctx); err == nil {
			err = ask(e)
		}
		f := faultOf(err)
		if f == "" || ctx.Err() != nil {
			return err
		}
		n.blame(e, f, err)
	}
	return err
}

// watch looks after the endpoints, and the op-nodes if there are any, until ctx ends: whether they live, have the right chain, and move on.
func (n *nodes) watch(ctx context.Context, r *rollups) {
	tick := time.NewTicker(n.cfg.ProbeInterval)
	defer tick.Stop()
	for {
		n.probe(ctx)
		n.judge(time.Now())
		if r != nil {
			r.probe(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// probe asks every endpoint for its newest block.
func (n *nodes) probe(ctx context.Context) {
	var wg sync.WaitGroup
	for _, e := range n.all {
		wg.Go(func() {
			var h heads
			err := e.ensure(ctx)
			if err == nil {
				h, err = e.heads(ctx)
			}
			if ctx.Err() != nil {
				return
			}
			if f := faultOf(err); f != "" {
				n.blame(e, f, err)
				return
			}
			if err != nil {
				return
			}
			n.answers(e, h)
		})
	}
	wg.Wait()
}

// judge decides from what was probed which endpoint is current.
func (n *nodes) judge(now time.Time) {
	if late := n.late(now); late != nil {
		n.blame(late, FaultStalled, fmt.Errorf("no block after %s for %s, others have some", late.seen, now.Sub(late.moved).Round(time.Second)))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	current := n.all[n.at]
	for i, e := range n.all[:n.at] { // those that are preferred to it
		if e.alive && e.fault == "" && now.After(e.until) && e.seen.Number >= current.seen.Number {
			n.to(i, "the preferred node works")
			break
		}
	}
	n.alarm(now)
}

// late is the current endpoint if it stands still while another one moves.
func (n *nodes) late(now time.Time) *endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.all[n.at]
	if n.cfg.StallTimeout == 0 || e.seen.Hash == (common.Hash{}) || now.Sub(e.moved) < n.cfg.StallTimeout {
		return nil
	}
	for _, other := range n.all {
		if other != e && other.alive && other.fault == "" && other.seen.Number > e.seen.Number {
			return e
		}
	}
	return nil
}

// alarm says when no endpoint has had a new block for StallTimeout: then it is the chain that stands still, or the way to it.
func (n *nodes) alarm(now time.Time) {
	newest := time.Time{}
	for _, e := range n.all {
		if e.moved.After(newest) {
			newest = e.moved
		}
	}
	n.metrics.headAge.Set(now.Sub(newest).Seconds())
	if n.cfg.StallTimeout == 0 || now.Sub(newest) < n.cfg.StallTimeout {
		if !n.stalled.IsZero() {
			n.log.Info("There are new blocks again", "after", now.Sub(n.stalled).Round(time.Second))
		}
		n.stalled = time.Time{}
		n.metrics.stalled.Set(0)
		return
	}
	if n.stalled.IsZero() {
		n.stalled = newest
		n.log.Error("No node has a new block: nothing on chain can be seen or answered", "since", now.Sub(newest).Round(time.Second),
			"nodes", len(n.all), "do", "look at the sequencer and at the connections of the nodes; --l2-stall says after how long this is said")
	}
	n.metrics.stalled.Set(1)
}

func (n *nodes) close() {
	for _, e := range n.all {
		e.close()
	}
}
