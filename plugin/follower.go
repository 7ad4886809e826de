package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
)

// follower is the state of one Follow.
type follower struct {
	c      *Chain
	cfg    FeedConfig
	filter filter
	out    chan<- Step
	log    log.Logger

	node   *endpoint // what the Step at hand is asked of: one Step never mixes two nodes
	source *endpoint // what the last Step came from

	started bool
	cursor  BlockRef   // the newest delivered block
	recent  []BlockRef // delivered blocks, ascending, the cursor last; with gaps where ranges were asked for
	last    heads      // what the last Step said

	span        uint64    // blocks of the next range: halved when the node refuses, doubled when it does not
	batch       uint64    // blocks of the next batch, likewise: nodes bound batches, and one request that fails spoils all
	behindSince time.Time // since when the node has been behind the cursor
	built       expectation
}

// advance delivers at most one Step, all of it from one node. more is true when there may be another one at once.
func (f *follower) advance(ctx context.Context) (more bool, err error) {
	if err := f.node.ensure(ctx); err != nil {
		return false, err
	}
	h, err := f.c.heads(ctx, f.node)
	if err != nil {
		return false, err
	}
	if !f.started {
		if ok, err := f.start(ctx, h); !ok || err != nil {
			return false, err
		}
	}
	f.c.metrics.lag.Set(float64(h.latest.Number) - float64(f.cursor.Number))
	stands, wait, err := f.cursorStands(ctx, h)
	switch {
	case err != nil || wait:
		return false, err
	case !stands:
		ancestor, err := f.ancestor(ctx, h)
		if err != nil {
			return false, err
		}
		return true, f.rewind(ctx, ancestor, h)
	case h.latest.Number == f.cursor.Number:
		return false, f.emitLevels(ctx, h)
	}
	// A range is asked for final blocks only: they cannot be reorganised between two requests.
	if h.finalized.Number >= f.cursor.Number+rangeWorthwhile {
		return true, f.extendByRange(ctx, h)
	}
	if err := f.extendByBlock(ctx, h); err != nil {
		return false, err
	}
	return f.cursor.Number < h.latest.Number, nil
}

// start settles where to begin; false while the node does not have that block yet.
func (f *follower) start(ctx context.Context, h heads) (bool, error) {
	f.cursor = f.cfg.From
	if f.cursor.Hash == (common.Hash{}) {
		b, ok, err := f.node.header(ctx, f.cursor.Number)
		if err != nil {
			return false, err
		}
		if !ok {
			f.log.Info("waiting for the node to reach the first block", "want", f.cursor.Number, "has", h.latest.Number)
			return false, nil
		}
		f.cursor = b
	}
	for _, b := range f.cfg.Known {
		if b.Hash != (common.Hash{}) && b.Number < f.cursor.Number {
			f.recent = append(f.recent, b)
		}
	}
	slices.SortFunc(f.recent, func(a, b BlockRef) int { return cmp.Compare(a.Number, b.Number) })
	f.recent = append(slices.CompactFunc(f.recent, func(a, b BlockRef) bool { return a.Number == b.Number }), f.cursor)
	f.started = true
	f.log.Info("following the chain", "node", f.node.name, "from", f.cursor, "latest", h.latest.Number, "safe", h.safe.Number, "finalized", h.finalized.Number)
	return true, nil
}

// cursorStands tells whether the cursor is still on the node's chain. wait is true when that cannot be told yet: the
// node is behind what was delivered, as one of several behind a balancer can be, or the chain was rolled back.
func (f *follower) cursorStands(ctx context.Context, h heads) (stands, wait bool, err error) {
	if h.latest.Number >= f.cursor.Number {
		f.behindSince = time.Time{}
		switch {
		case h.latest.Hash == f.cursor.Hash:
			f.cursor = h.latest // one that was kept over a restart is number and hash only, but Steps tell the time
			return true, false, nil
		case h.latest.Number == f.cursor.Number:
			return false, false, nil
		case h.latest.ParentHash == f.cursor.Hash:
			return true, false, nil
		}
		b, ok, err := f.node.header(ctx, f.cursor.Number)
		if err == nil && !ok {
			err = fmt.Errorf("block %d is below latest and missing: %w", f.cursor.Number, errInconsistent)
		}
		return b.Hash == f.cursor.Hash, false, err
	}
	if known, ok := f.known(h.latest.Number); ok && known.Hash != h.latest.Hash {
		return false, false, nil
	}
	if f.behindSince.IsZero() {
		f.behindSince = time.Now()
	}
	grace := f.cfg.RewindGrace
	if f.node != f.source && f.source != nil { // it never said that it had more
		grace = max(grace, f.c.cfg.StallTimeout)
	}
	return false, time.Since(f.behindSince) < grace, nil
}

func (f *follower) known(number uint64) (BlockRef, bool) {
	i := sort.Search(len(f.recent), func(i int) bool { return f.recent[i].Number >= number })
	if i < len(f.recent) && f.recent[i].Number == number {
		return f.recent[i], true
	}
	return BlockRef{}, false
}

// ancestor is the newest delivered block that the node still has. Where memory ends it is a block that cannot have
// changed since it was delivered, the final one, or else the very beginning: going back further than necessary is safe,
// because what still stands is delivered again.
func (f *follower) ancestor(ctx context.Context, h heads) (BlockRef, error) {
	for end := len(f.recent); end > 0; {
		begin := max(0, end-int(f.batch))
		numbers := make([]uint64, 0, f.batch)
		for _, b := range f.recent[begin:end] {
			if b.Number <= h.latest.Number {
				numbers = append(numbers, b.Number)
			}
		}
		if len(numbers) > 0 {
			now, ok, err := f.node.headers(ctx, numbers)
			if err != nil {
				f.batch = max(1, f.batch/2)
				return BlockRef{}, err
			}
			for i := len(now) - 1; i >= 0; i-- {
				if ok[i] && now[i].Hash == f.recent[begin+i].Hash {
					return now[i], nil
				}
			}
		}
		end = begin
	}
	// Nothing that was delivered is there. Another chain behind the same address looks just like this.
	if err := f.node.check(ctx); err != nil {
		return BlockRef{}, err
	}
	final := h.finalized
	if final.Hash != (common.Hash{}) && final.Number < f.recent[0].Number && final.Number >= f.cfg.Start {
		f.log.Warn("the reorganisation is deeper than what is remembered, going back to the final block", "cursor", f.cursor, "final", final)
		return final, nil
	}
	b, ok, err := f.node.header(ctx, min(f.cfg.Start, h.latest.Number))
	if err == nil && !ok {
		err = fmt.Errorf("block %d is missing: %w", f.cfg.Start, errInconsistent)
	}
	if err == nil {
		f.log.Error("delivered blocks are gone although they were final or older than what is remembered: starting over", "cursor", f.cursor, "start", b)
	}
	return b, err
}

func (f *follower) rewind(ctx context.Context, to BlockRef, h heads) error {
	f.c.metrics.rewinds.Inc()
	if f.cursor.Number > to.Number {
		f.c.metrics.rewound.Add(float64(f.cursor.Number - to.Number))
	}
	f.log.Warn("the chain was reorganised", "to", to, "delivered", f.cursor)
	i := sort.Search(len(f.recent), func(i int) bool { return f.recent[i].Number >= to.Number })
	return f.emit(ctx, Step{Rewind: &to, Unsafe: to}, i, []BlockRef{to}, h)
}

// extendByBlock delivers the next blocks one by one, by hash.
func (f *follower) extendByBlock(ctx context.Context, h heads) (err error) {
	defer func() {
		if err != nil {
			f.batch = max(1, f.batch/2)
		} else {
			f.batch = min(2*f.batch, blocksPerBatch)
		}
	}()
	blocks, headers := []BlockRef{h.latest}, []*rpcHeader{h.header}
	if h.latest.ParentHash != f.cursor.Hash {
		count := min(f.batch, h.latest.Number-f.cursor.Number)
		numbers := make([]uint64, count)
		for i := range numbers {
			numbers[i] = f.cursor.Number + 1 + uint64(i)
		}
		full, found, ok, err := f.node.fullHeaders(ctx, numbers)
		if err != nil {
			return err
		}
		headers, blocks = full, blocks[:0]
		parent := f.cursor.Hash
		for i := range found {
			if !ok[i] || found[i].ParentHash != parent {
				break // reorganised meanwhile: deliver what fits, the next advance finds the rest
			}
			blocks, parent = append(blocks, found[i]), found[i].Hash
		}
		if len(blocks) == 0 {
			return fmt.Errorf("block %d does not follow %s: %w", numbers[0], f.cursor, errInconsistent)
		}
	}
	logs, err := f.node.logsOfBlocks(ctx, f.filter, blocks)
	if err == nil && f.node.verify {
		err = f.node.verifyLogs(ctx, f.filter, blocks, headers, logs)
	}
	if err != nil {
		return err
	}
	return f.emit(ctx, Step{Logs: logs, Unsafe: blocks[len(blocks)-1]}, len(f.recent), blocks, h)
}

// extendByRange delivers a range of final blocks.
func (f *follower) extendByRange(ctx context.Context, h heads) error {
	from, to := f.cursor.Number+1, min(h.finalized.Number, f.cursor.Number+f.span)
	end, ok, err := f.node.header(ctx, to)
	if err == nil && !ok {
		err = fmt.Errorf("final block %d is missing: %w", to, errInconsistent)
	}
	if err != nil {
		return err
	}
	logs, err := f.node.logsOfRange(ctx, f.filter, from, to)
	if err == nil && f.node.verify {
		err = f.node.verifyFar(ctx, f.filter, logs)
	}
	if err != nil {
		if ctx.Err() == nil && f.span > 1 { // nodes bound the range, or the answer, in many words
			f.span = max(1, f.span/2)
			f.log.Debug("asking for fewer blocks at a time", "blocks", f.span, "err", err)
		}
		return err
	}
	f.span = min(2*f.span, f.cfg.MaxBlockRange)
	return f.emit(ctx, Step{Logs: logs, Unsafe: end}, len(f.recent), []BlockRef{end}, h)
}

// emitLevels delivers a Step when only the trust in delivered blocks changed.
func (f *follower) emitLevels(ctx context.Context, h heads) error {
	h = f.keepTrust(h, f.cursor)
	told := f.last.latest.Hash != common.Hash{} // a follower that starts at the head says so once, or nobody would know it
	if told && capAt(h.safe, f.cursor).Hash == f.last.safe.Hash && capAt(h.finalized, f.cursor).Hash == f.last.finalized.Hash {
		return nil
	}
	return f.emit(ctx, Step{Unsafe: f.cursor}, len(f.recent), nil, h)
}

// keepTrust fills in for a node that names no block of a level although one was named before, as after its restart: that block is as safe as it
// was while it is among those that are delivered, up to end.
func (f *follower) keepTrust(h heads, end BlockRef) heads {
	for _, level := range [...]struct{ now, was *BlockRef }{{&h.safe, &f.last.safe}, {&h.finalized, &f.last.finalized}} {
		if level.now.Hash == (common.Hash{}) && level.was.Number <= end.Number {
			*level.now = *level.was
		}
	}
	if h.safe.Number < h.finalized.Number {
		h.safe = h.finalized
	}
	return h
}

// capAt is b, or the end of what was delivered where the node is further.
func capAt(b, end BlockRef) BlockRef {
	if b.Number >= end.Number && b.Hash != (common.Hash{}) {
		return end
	}
	return b
}

// emit completes a Step with the levels, delivers it, and only then moves the cursor: of what is remembered the first
// keep blocks stay, and the Step's follow.
func (f *follower) emit(ctx context.Context, s Step, keep int, blocks []BlockRef, h heads) error {
	h = f.keepTrust(h, s.Unsafe)
	s.Safe, s.Finalized = capAt(h.safe, s.Unsafe), capAt(h.finalized, s.Unsafe)
	for _, b := range [...]BlockRef{s.Safe, s.Finalized} {
		if known, ok := f.known(b.Number); ok && b.Hash != (common.Hash{}) && known.Hash != b.Hash && b.Number < s.Unsafe.Number {
			return fmt.Errorf("the node trusts %s, delivered was %s: %w", b, known, errInconsistent)
		}
	}
	if err := f.node.ensure(ctx); err != nil { // the connection may have been made anew while this Step was asked for
		return err
	}
	select {
	case f.out <- s:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.source = f.node
	f.cursor, f.last = s.Unsafe, heads{latest: s.Unsafe, safe: s.Safe, finalized: s.Finalized}
	f.recent, f.behindSince = append(f.recent[:keep], blocks...), time.Time{}
	if extra := len(f.recent) - f.cfg.History; extra > 0 {
		f.recent = slices.Delete(f.recent, 0, extra)
	}
	m := f.c.metrics
	m.logs.Add(float64(len(s.Logs)))
	m.lag.Set(max(0, float64(h.latest.Number)-float64(f.cursor.Number)))
	for level, b := range [...]BlockRef{s.Unsafe, s.Safe, s.Finalized} {
		m.head.WithLabelValues(Level(level).String()).Set(float64(b.Number))
	}
	return nil
}
