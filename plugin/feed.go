package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

// Step is one advance of the feed. Steps are to be applied in order, each as a whole.
type Step struct {
	// Rewind, when set, is the newest block that still stands: everything derived from blocks above it is to be
	// forgotten. Such a Step has no Logs.
	Rewind *BlockRef
	// Logs of all blocks after the previous Step's Unsafe up to this one's, in the chain's order.
	Logs []types.Log
	// Unsafe is the newest block that was delivered: the cursor to keep, and the From of the next Follow.
	Unsafe BlockRef
	// Safe and Finalized are the node's, or Unsafe where the node is further. The zero BlockRef: the node has none.
	Safe, Finalized BlockRef
}

// At is the newest delivered block at a level: what happened in blocks up to its number has that level. ok is false when
// the node has no block at that level.
func (s Step) At(l Level) (b BlockRef, ok bool) {
	b = heads{s.Unsafe, s.Safe, s.Finalized}.at(l)
	return b, b.Hash != common.Hash{}
}

// FeedConfig says what to follow and from where.
type FeedConfig struct {
	Addresses []common.Address // contracts whose logs are wanted; empty: all
	Topics    [][]common.Hash  // as in eth_getLogs: per position the alternatives, empty: anything

	// From is the cursor: Unsafe of the last Step that was kept. For a first start it is the block before the contracts
	// were deployed, with a zero Hash.
	From BlockRef
	// Known are older blocks that were delivered and kept, such as Safe and Finalized of the last Step. When From was
	// reorganised away while nobody was following, the newest of them that still stands is where the feed goes back to.
	Known []BlockRef
	// Start is the block below which there is nothing to see; a reorganisation deeper than what is remembered and than
	// what is final goes back to it. 0 with a zero From.Hash: From.Number.
	Start uint64

	MaxBlockRange uint64        // blocks per request while catching up on final blocks; 0: 2,000
	History       int           // hashes of delivered blocks to remember; 0: 1,024
	RewindGrace   time.Duration // how long a node may be behind what it said before that counts as a rewind; 0: 5 s
	MaxBackoff    time.Duration // longest pause after failed requests; 0: 15 s
}

const (
	defaultMaxRange  = 2000
	defaultHistory   = 1024
	defaultGrace     = 5 * time.Second
	maxBackoff       = 15 * time.Second
	minBackoff       = 50 * time.Millisecond
	persistent       = time.Second
	blocksPerBatch   = 50  // of headers and of logs by block hash; public nodes refuse batches above 100
	rangeWorthwhile  = 64  // from how many final blocks on a range is asked for
	subscribedFactor = 5   // heads are also polled when they are pushed, this much more rarely: pushes get lost
	pushedHeads      = 128 // pushed heads that may wait
)

// errInconsistent means that answers of the node do not fit together, as happens when the chain is reorganised between
// two requests: it is tried again.
var errInconsistent = errors.New("the node's answers do not fit together")

// Follow delivers everything after cfg.From, then follows the chain, until ctx ends or the node turns out to belong to another
// chain (ErrWrongChain). All other errors are logged, counted and tried again. It blocks while nobody takes Steps from out, and
// never closes out.
func (c *Chain) Follow(ctx context.Context, cfg FeedConfig, out chan<- Step) error {
	if cfg.MaxBlockRange == 0 {
		cfg.MaxBlockRange = defaultMaxRange
	}
	if cfg.History == 0 {
		cfg.History = defaultHistory
	}
	if cfg.RewindGrace == 0 {
		cfg.RewindGrace = defaultGrace
	}
	if cfg.MaxBackoff == 0 {
		cfg.MaxBackoff = maxBackoff
	}
	if cfg.History < 1 || cfg.RewindGrace < 0 || cfg.MaxBackoff < minBackoff {
		return fmt.Errorf("%w: history %d, rewind grace %s, longest pause %s", ErrConfig, cfg.History, cfg.RewindGrace, cfg.MaxBackoff)
	}
	if cfg.Start == 0 && cfg.From.Hash == (common.Hash{}) {
		cfg.Start = cfg.From.Number
	}
	f := &follower{
		c: c, cfg: cfg, out: out, filter: filter{slices.Clone(cfg.Addresses), slices.Clone(cfg.Topics)},
		span: cfg.MaxBlockRange, batch: blocksPerBatch, log: c.log.New("feed", "logs"),
	}
	return f.run(ctx)
}

// run alternates between advancing and waiting for something new.
func (f *follower) run(ctx context.Context) error {
	pushed := make(chan json.RawMessage, pushedHeads)
	var sub *rpc.ClientSubscription
	defer func() {
		if sub != nil {
			sub.Unsubscribe()
		}
	}()
	canPush, doubtful, pause := true, false, minBackoff
	for {
		if sub == nil && canPush {
			sub, canPush = f.subscribe(ctx, pushed)
		}
		more, err := false, error(nil)
		if doubtful { // behind the same address there may be another node by now
			err = f.c.checkChain(ctx)
		}
		if err == nil {
			more, err = f.advance(ctx)
		}
		doubtful = errors.Is(err, ErrUnreachable)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrWrongChain):
			return err
		case errors.Is(err, errInconsistent):
			level := log.LevelDebug
			if pause > persistent {
				level = log.LevelWarn // a reorganisation is over by now: the node contradicts itself
			}
			f.log.Log(level, "the chain changed between two requests, trying again", "err", err, "pause", pause)
		case err != nil:
			f.log.Warn("could not follow the chain, trying again", "err", err, "pause", pause, "delivered", f.cursor.Number)
		case more:
			pause = minBackoff
			continue
		}
		wait := f.c.cfg.PollInterval
		if sub != nil {
			wait *= subscribedFactor
		}
		if err != nil {
			wait, pause = pause, min(2*pause, f.cfg.MaxBackoff)
		} else {
			pause = minBackoff
		}
		timer := time.NewTimer(wait)
		var ended <-chan error
		if sub != nil {
			ended = sub.Err()
		}
		heads := pushed
		if err != nil {
			heads = nil // a node that pushes but does not answer must not be asked at the rate of its pushes
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-heads:
		case err := <-ended:
			f.log.Warn("the node stopped pushing heads, subscribing again", "err", err)
			sub = nil
		}
		timer.Stop()
		drain(pushed)
	}
}

func drain(pushed chan json.RawMessage) {
	for {
		select {
		case <-pushed:
		default:
			return
		}
	}
}

// subscribe asks for pushed heads; possible is false when the transport cannot push.
func (f *follower) subscribe(ctx context.Context, pushed chan json.RawMessage) (sub *rpc.ClientSubscription, possible bool) {
	ctx, cancel := context.WithTimeout(ctx, f.c.cfg.RequestTimeout)
	defer cancel()
	sub, err := f.c.rpc.EthSubscribe(ctx, pushed, "newHeads")
	switch {
	case err == nil:
		return sub, true
	case errors.Is(err, rpc.ErrNotificationsUnsupported):
		f.log.Debug("this transport does not push heads, polling", "interval", f.c.cfg.PollInterval)
		return nil, false
	default:
		f.c.metrics.rpcErrors.WithLabelValues("subscribe").Inc()
		f.log.Debug("could not subscribe to new heads, polling for now", "err", err)
		return nil, true
	}
}
