package opdevnet

import (
	"context"
	"fmt"
	"time"
)

// HoldL1 keeps L1 from making blocks until ReleaseL1: what is reorganised then cannot become final meanwhile.
func (s *Stack) HoldL1(ctx context.Context) error { return s.paceL1(ctx, 0) }

// ReleaseL1 gives L1 its pace again.
func (s *Stack) ReleaseL1(ctx context.Context) error {
	return s.paceL1(ctx, uint64(s.opts.L1BlockTime/time.Second))
}

func (s *Stack) paceL1(ctx context.Context, seconds uint64) error {
	if err := s.L1.Client().CallContext(ctx, nil, "evm_setIntervalMining", seconds); err != nil {
		return fmt.Errorf("set the block time of L1: %w", err)
	}
	return nil
}

// SetRecoverMode makes the sequencer build blocks without the pool's transactions, or with them again.
func (s *Stack) SetRecoverMode(ctx context.Context, on bool) error {
	if _, err := s.Status(ctx); err != nil { // connects
		return err
	}
	if err := s.node.CallContext(ctx, nil, "admin_setRecoverMode", on); err != nil {
		return fmt.Errorf("set the sequencer's recover mode: %w", err)
	}
	return nil
}
