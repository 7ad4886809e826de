package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum"
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
	b = heads{latest: s.Unsafe, safe: s.Safe, finalized: s.Finalized}.at(l)
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

// Follow delivers everything after cfg.From, then follows the chain, until ctx ends or all nodes turn out to belong to another
// chain (ErrWrongChain). All other errors are logged, counted and tried again, on another node if there is one that works. It blocks
// while nobody takes Steps from out, and never closes out.
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
	push := pusher{f: f, heads: make(chan json.RawMessage, pushedHeads)}
	defer push.stop()
	pause := minBackoff
	for {
		node, changed := f.c.nodes.current()
		built := f.c.built.next() // before asking: what is built meanwhile is not missed
		f.node = node
		push.from(ctx, node)
		more, err := f.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && more:
			pause = minBackoff
			continue
		case err != nil:
			f.report(err, pause)
			if f.c.nodes.allWrong() {
				return err
			}
			_, changed = f.c.nodes.current() // the change that this error made does not end the pause: all nodes may be down
		}
		wait := f.c.cfg.PollInterval
		if push.sub != nil {
			wait *= subscribedFactor
		}
		if err != nil {
			wait, pause = pause, min(2*pause, f.cfg.MaxBackoff)
		} else {
			pause = minBackoff
			wait = f.look(wait)
		}
		heads := push.heads
		if err != nil {
			heads, built = nil, nil // a node that does not answer must not be asked at the rate of pushes
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-heads:
		case <-built:
			f.expect()
		case <-changed:
			pause = minBackoff
		case err := <-push.ended():
			f.log.Warn("the node stopped pushing heads, subscribing again", "node", f.node.name, "err", err)
			f.node.suspect() // what answers from now on may be another node
			push.stop()
		}
		timer.Stop()
		push.drain()
	}
}

// report says what went wrong, and blames the node for what is its fault.
func (f *follower) report(err error, pause time.Duration) {
	fault := faultOf(err)
	switch {
	case errors.Is(err, ErrUnsupported):
		fault = FaultUnsupported
	case errors.Is(err, errInconsistent):
		level := log.LevelDebug
		if pause > persistent {
			level, fault = log.LevelWarn, FaultInconsistent // a reorganisation is over by now: the node contradicts itself
		}
		f.log.Log(level, "the chain changed between two requests, trying again", "node", f.node.name, "err", err, "pause", pause)
	default:
		f.log.Warn("could not follow the chain, trying again", "node", f.node.name, "err", err, "pause", pause, "delivered", f.cursor.Number)
	}
	if fault != "" {
		f.c.nodes.blame(f.node, fault, err)
	}
}

// pusher is the subscription to new heads at the node in use.
type pusher struct {
	f     *follower
	heads chan json.RawMessage
	node  *endpoint
	sub   ethereum.Subscription
	never bool // this transport cannot push
}

// from subscribes at a node, if it is another one or the subscription has ended.
func (p *pusher) from(ctx context.Context, e *endpoint) {
	if p.node != e {
		p.stop()
		p.drain()
		p.node, p.never = e, e.isHTTP()
	}
	if p.sub != nil || p.never {
		return
	}
	sub, err := p.subscribe(ctx, e)
	switch {
	case err == nil:
		p.sub = sub
	case errors.Is(err, rpc.ErrNotificationsUnsupported):
		p.never = true
	default:
		e.metrics.rpcErrors.WithLabelValues("subscribe").Inc()
		p.f.log.Debug("could not subscribe to new heads, polling for now", "node", e.name, "err", err)
	}
}

func (p *pusher) subscribe(ctx context.Context, e *endpoint) (ethereum.Subscription, error) {
	if e.local != nil {
		return e.local.subscribe(p.heads)
	}
	client, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RequestTimeout)
	defer cancel()
	return client.EthSubscribe(ctx, p.heads, "newHeads")
}

func (p *pusher) ended() <-chan error {
	if p.sub == nil {
		return nil
	}
	return p.sub.Err()
}

func (p *pusher) stop() {
	if p.sub != nil {
		go p.sub.Unsubscribe() // it asks the node, and waits 10 s for one that is silent
		p.sub = nil
	}
}

func (p *pusher) drain() {
	for {
		select {
		case <-p.heads:
		default:
			return
		}
	}
}
