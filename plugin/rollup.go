package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// rollup is one op-node.
type rollup struct{ *endpoint }

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

// statusTimeout bounds one question to an op-node while blocks are followed.
const statusTimeout = time.Second

// status is what the op-node says now.
func (r *rollup) status(ctx context.Context) (s status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	if !r.isChecked() {
		err = r.check(ctx)
	}
	if err == nil {
		err = r.call(ctx, "sync_status", &s, "optimism_syncStatus")
	}
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		r.metrics.rollupUp.WithLabelValues(r.name).Set(flag(err == nil))
	}
	return s, err
}
