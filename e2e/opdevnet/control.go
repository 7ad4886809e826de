package opdevnet

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
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

// StopSequencer keeps op-node from building blocks; it follows L1 on. What it took back by then stays away until StartSequencer.
func (s *Stack) StopSequencer(ctx context.Context) error {
	if _, err := s.Status(ctx); err != nil { // connects
		return err
	}
	var head common.Hash
	if err := s.node.CallContext(ctx, &head, "admin_stopSequencer"); err != nil {
		return fmt.Errorf("stop the sequencer: %w", err)
	}
	return nil
}

// StartSequencer lets op-node build on the block that it has.
func (s *Stack) StartSequencer(ctx context.Context) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if err := s.node.CallContext(ctx, nil, "admin_startSequencer", status.UnsafeL2.Hash); err != nil {
		return fmt.Errorf("start the sequencer: %w", err)
	}
	return nil
}
