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

// rollup is the op-node. What is safe and what is final is its word, because it derives the chain from L1; the execution client repeats
// what its own op-node told it, which need not be one of ours.
type rollup struct {
	*endpoint
	log log.Logger

	mu      sync.Mutex
	known   status    // the newest it said
	silent  bool      // it does not answer
	next    time.Time // when to ask again while it does not
	outputs common.Hash
}

// status is the part of optimism_syncStatus that a feed needs.
type status struct {
	Safe      rollupRef `json:"safe_l2"`
	Finalized rollupRef `json:"finalized_l2"`
}

type rollupRef struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
}

// rollupConfig is the part of optimism_rollupConfig that says which chain it is.
type rollupConfig struct {
	ChainID uint64 `json:"l2_chain_id"`
	Genesis struct {
		L2 rollupRef `json:"l2"`
	} `json:"genesis"`
}

// output is what optimism_outputAtBlock gives.
type output struct {
	Version               common.Hash `json:"version"`
	OutputRoot            common.Hash `json:"outputRoot"`
	BlockRef              rollupRef   `json:"blockRef"`
	WithdrawalStorageRoot common.Hash `json:"withdrawalStorageRoot"`
	StateRoot             common.Hash `json:"stateRoot"`
}

func newRollup(cfg *Config, m *chainMetrics, id *identity, logger log.Logger) (*rollup, error) {
	e, err := newEndpoint(cfg.RollupRPC, 0, cfg, m, id)
	if err != nil {
		return nil, err
	}
	m.rollupUp.WithLabelValues(e.name).Set(0)
	return &rollup{endpoint: e, log: logger.New("op-node", e.name)}, nil
}

// check refuses an op-node of another chain. The first one says which block the chain starts with.
func (r *rollup) check(ctx context.Context) error {
	before := r.connects.Load()
	var c rollupConfig
	if err := r.call(ctx, "rollup_config", &c, "optimism_rollupConfig"); err != nil {
		return err
	}
	if c.ChainID != r.cfg.ChainID {
		return fmt.Errorf("the op-node %s has the L2 chain id %d, expected %d: %w", r.name, c.ChainID, r.cfg.ChainID, ErrWrongChain)
	}
	if c.Genesis.L2.Hash == (common.Hash{}) {
		return fmt.Errorf("the op-node %s does not say which block its chain starts with: %w", r.name, ErrUnreachable)
	}
	r.expected.mu.Lock()
	defer r.expected.mu.Unlock()
	genesis := &r.expected.genesis
	if genesis.Hash == (common.Hash{}) {
		genesis.Number, genesis.Hash = c.Genesis.L2.Number, c.Genesis.L2.Hash
	}
	if genesis.Number != c.Genesis.L2.Number || genesis.Hash != c.Genesis.L2.Hash {
		return fmt.Errorf("the chain of the op-node %s starts with block %d (%s), expected %d (%s): %w",
			r.name, c.Genesis.L2.Number, c.Genesis.L2.Hash, genesis.Number, genesis.Hash, ErrWrongChain)
	}
	r.checked.Store(min(r.connects.Load(), before+1))
	if !r.isHTTP() {
		r.checked.Store(before)
	}
	return nil
}

// statusTimeout bounds one question to the op-node while blocks are followed.
const statusTimeout = time.Second

// status is what the op-node says now. While it is silent it is what it said last: trust does not grow, and is not taken back.
//
// Blocks do not wait for it: it is given little time, and rarely while it is silent.
func (r *rollup) status(ctx context.Context) status {
	r.mu.Lock()
	known, wait := r.known, time.Now().Before(r.next)
	r.mu.Unlock()
	if wait {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var s status
	var err error
	if !r.isChecked() {
		err = r.check(ctx)
	}
	if err == nil {
		err = r.call(ctx, "sync_status", &s, "optimism_syncStatus")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if !r.silent && !errors.Is(err, context.Canceled) {
			r.log.Error("The op-node cannot be asked: safe and finalized stay where they are", "safe", r.known.Safe.Number,
				"finalized", r.known.Finalized.Number, "err", err, "do", "check that op-node runs and that --rollup-rpc is right")
			r.silent = true
		}
		r.metrics.rollupUp.WithLabelValues(r.name).Set(0)
		r.next = time.Now().Add(r.cfg.ProbeInterval)
		return r.known
	}
	if r.silent {
		r.log.Info("The op-node answers again", "safe", s.Safe.Number, "finalized", s.Finalized.Number)
		r.silent = false
	}
	r.metrics.rollupUp.WithLabelValues(r.name).Set(1)
	r.known = s
	return s
}

// headsBeside are the heads of an execution client with the op-node's word on trust. Both must be on one chain: a block that the op-node
// trusts and the client has otherwise, or not yet, is no level of anything.
func (r *rollup) headsBeside(ctx context.Context, e *endpoint) (h heads, err error) {
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
func (r *rollup) checkOutput(ctx context.Context, e *endpoint, safe BlockRef, header *rpcHeader) error {
	r.mu.Lock()
	done := r.outputs == safe.Hash
	r.mu.Unlock()
	if done || header == nil || header.Hash == nil || *header.Hash != safe.Hash {
		return nil
	}
	var o output
	if err := r.call(ctx, "output", &o, "optimism_outputAtBlock", hexutil.Uint64(safe.Number)); err != nil {
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
