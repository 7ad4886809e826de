package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

// rollups are the op-nodes, the preferred one first. What is safe and what is final is the word of one of them, because it derives the
// chain from L1; the execution client repeats what its own op-node told it, which need not be one of ours.
//
// The next one takes over when it does not answer, or when another one knows more for StallTimeout; the preferred one again when it
// answers and knows no less. Trust does not shrink by such a change: an op-node that is behind what the last one said is not believed
// before it has come so far, unless the execution client has lost that block.
type rollups struct {
	all     []*rollup
	cfg     *Config
	log     log.Logger
	metrics *chainMetrics

	mu      sync.Mutex
	at      int
	known   status    // the newest that was said
	held    bool      // known is of another op-node than the one that is asked now
	failed  int       // questions in a row that were not answered
	silent  bool      // none answers
	next    time.Time // when to ask again while none does
	behind  time.Time // since when another one knows more; zero: none does
	outputs common.Hash
}

func newRollups(cfg *Config, m *chainMetrics, id *identity, logger log.Logger) (*rollups, error) {
	list, err := addresses(cfg.RollupRPC)
	if err != nil {
		return nil, err
	}
	r := &rollups{cfg: cfg, log: logger, metrics: m}
	names := make(map[string]int)
	for i, a := range list {
		e, err := newEndpoint(a, i, cfg, m, id)
		if err != nil {
			return nil, err
		}
		if names[e.name]++; names[e.name] > 1 {
			e.name = fmt.Sprintf("%s#%d", e.name, names[e.name])
		}
		m.rollupUp.WithLabelValues(e.name).Set(0)
		r.all = append(r.all, &rollup{e})
	}
	return r, nil
}

// check asks each op-node for its chain. One that answers is enough, and one of another chain is refused.
func (r *rollups) check(ctx context.Context) error {
	var errs []error
	for _, n := range r.all {
		err := n.check(ctx)
		if errors.Is(err, ErrWrongChain) {
			return err
		}
		if err != nil {
			errs = append(errs, err)
			r.log.Warn("An op-node does not answer", "op-node", n.name, "err", err)
		}
	}
	if len(errs) == len(r.all) {
		return errors.Join(errs...)
	}
	return nil
}

func (r *rollups) close() {
	for _, n := range r.all {
		n.close()
	}
}

func (r *rollups) current() *rollup {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[r.at]
}

// release lets the op-node that is asked now say less than the last one did.
func (r *rollups) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
}

// status is what the op-node in use says now. While none answers it is what was said last: trust does not grow, and is not taken back.
//
// Blocks do not wait for it: it is given little time, and rarely while none answers.
func (r *rollups) status(ctx context.Context) status {
	r.mu.Lock()
	at, known, wait := r.at, r.known, time.Now().Before(r.next)
	r.mu.Unlock()
	if wait {
		return known
	}
	s, err := r.all[at].status(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.fails(at, err)
	case r.at == at:
		r.says(s)
	}
	return r.known
}

// fails goes on to the next op-node, until all have failed in a row.
func (r *rollups) fails(at int, err error) {
	if r.at != at {
		return
	}
	r.failed++
	if len(r.all) > 1 {
		r.to((at+1)%len(r.all), "it does not answer", err)
	}
	if r.failed < len(r.all) {
		return
	}
	r.next = time.Now().Add(r.cfg.ProbeInterval)
	if !r.silent {
		r.log.Error("No op-node can be asked: safe and finalized stay where they are", "safe", r.known.Safe.Number,
			"finalized", r.known.Finalized.Number, "err", err, "do", "check that op-node runs and that --rollup-rpc is right")
		r.silent = true
	}
}

// to makes another op-node the one that is asked.
func (r *rollups) to(i int, why string, err error) {
	level := log.LevelWarn
	if r.silent { // said already
		level = log.LevelDebug
	}
	r.log.Log(level, "Asking another op-node what is safe", "from", r.all[r.at].name, "to", r.all[i].name, "why", why, "err", err)
	r.at, r.held, r.behind = i, true, time.Time{}
	r.metrics.failovers.Inc()
}

func (r *rollups) says(s status) {
	r.failed = 0
	if r.silent {
		r.log.Info("An op-node answers again", "op-node", r.all[r.at].name, "safe", s.Safe.Number, "finalized", s.Finalized.Number)
		r.silent = false
	}
	if r.held && !s.reaches(r.known) {
		return
	}
	r.known, r.held = s, false
}

// reaches tells whether nothing that o trusts is beyond what s does.
func (s status) reaches(o status) bool {
	return s.Safe.Number >= o.Safe.Number && s.Finalized.Number >= o.Finalized.Number
}

// probe asks the op-nodes that are not in use, and decides whether one of them should be. Blocks are followed meanwhile.
func (r *rollups) probe(ctx context.Context) {
	if len(r.all) == 1 {
		return
	}
	at := r.current()
	said := make([]*status, len(r.all))
	var wg sync.WaitGroup
	for i, n := range r.all {
		if n == at {
			continue
		}
		wg.Go(func() {
			if s, err := n.status(ctx); err == nil {
				said[i] = &s
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[r.at] != at || ctx.Err() != nil {
		return
	}
	ahead := -1
	for i, s := range said {
		switch {
		case s == nil || !s.reaches(r.known):
		case i < r.at:
			r.to(i, "the preferred one answers", nil)
			return
		case s.Safe.Number > r.known.Safe.Number && ahead < 0:
			ahead = i
		}
	}
	switch {
	case ahead < 0:
		r.behind = time.Time{}
	case r.behind.IsZero():
		r.behind = time.Now()
	case r.cfg.StallTimeout > 0 && time.Since(r.behind) > r.cfg.StallTimeout:
		r.to(ahead, "it stands still, another one does not", nil)
	}
}

// headsBeside are the heads of an execution client with the op-node's word on trust. Both must be on one chain: a block that the op-node
// trusts and the client has otherwise, or not yet, is no level of anything.
func (r *rollups) headsBeside(ctx context.Context, e *endpoint) (h heads, err error) {
	s := r.status(ctx)
	refs := [...]rollupRef{s.Safe, s.Finalized}
	var found [len(refs) + 1]*rpcHeader
	batch := []rpc.BatchElem{{Method: "eth_getBlockByNumber", Args: []any{"latest", false}, Result: &found[0]}}
	for i, ref := range refs {
		batch = append(batch, rpc.BatchElem{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(ref.Number), false}, Result: &found[i+1]})
	}
	if err := e.batch(ctx, "heads", batch); err != nil {
		return h, err
	}
	for _, b := range batch {
		if b.Error != nil {
			return h, e.failed("heads", b.Method, b.Error)
		}
	}
	var ok bool
	h.header = found[0]
	if h.latest, ok = h.header.ref(); !ok {
		return h, fmt.Errorf("%s has no latest block: %w", e.name, ErrUnreachable)
	}
	levels := [...]*BlockRef{&h.safe, &h.finalized}
	for i, ref := range refs {
		if ref.Hash == (common.Hash{}) {
			continue
		}
		b, ok := found[i+1].ref()
		switch {
		case !ok && ref.Number > h.latest.Number:
			return h, fmt.Errorf("%s is at block %d, its op-node trusts block %d already: waiting for the execution client: %w",
				e.name, h.latest.Number, ref.Number, errInconsistent)
		case !ok || b.Hash != ref.Hash:
			r.release()
			return h, fmt.Errorf("the op-node trusts block %d (%s), %s has %s there: %w", ref.Number, ref.Hash, e.name, b.Hash, errInconsistent)
		}
		*levels[i] = b
	}
	if h.safe.Number < h.finalized.Number {
		h.safe = h.finalized
	}
	if r.cfg.CheckOutputs && h.safe.Hash != (common.Hash{}) {
		return h, r.checkOutput(ctx, e, h.safe, found[1])
	}
	return h, nil
}

// checkOutput compares the op-node's output root at its safe block with the execution client's header, once per safe block.
func (r *rollups) checkOutput(ctx context.Context, e *endpoint, safe BlockRef, header *rpcHeader) error {
	r.mu.Lock()
	done := r.outputs == safe.Hash
	r.mu.Unlock()
	if done || header == nil || header.Hash == nil || *header.Hash != safe.Hash {
		return nil
	}
	var o output
	if err := r.current().call(ctx, "output", &o, "optimism_outputAtBlock", hexutil.Uint64(safe.Number)); err != nil {
		r.log.Debug("No output root to compare with", "block", safe.Number, "err", err) // the state may be pruned
		return nil
	}
	if o.BlockRef.Hash != safe.Hash {
		return fmt.Errorf("the op-node's output at %d is of block %s: %w", safe.Number, o.BlockRef.Hash, errInconsistent)
	}
	root := crypto.Keccak256Hash(o.Version[:], o.StateRoot[:], o.WithdrawalStorageRoot[:], o.BlockRef.Hash[:])
	if root != o.OutputRoot || o.StateRoot != header.StateRoot {
		return fmt.Errorf("the op-node's output root at %s is %s over the state %s, %s has the state %s: %w",
			safe, o.OutputRoot, o.StateRoot, e.name, header.StateRoot, ErrForged)
	}
	r.metrics.outputs.Inc()
	r.mu.Lock()
	r.outputs = safe.Hash
	r.mu.Unlock()
	return nil
}
