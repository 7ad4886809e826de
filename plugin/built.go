package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// What is built is waited for in the execution client a few times, at growing distances: 10, 20, 40 … ms, 1.3 s together. Then polling
// goes on as without.
const (
	builtPause = 10 * time.Millisecond
	builtTries = 7
)

// builtBlocks is the newest block that the sequencer has made, and who waits for one. The execution client may not have it yet.
type builtBlocks struct {
	mu     sync.Mutex
	newest BlockRef
	at     time.Time
	wake   chan struct{} // closed and replaced with each
}

// Built says that the sequencer has made a block. It is no fact: it only has every Follow look for it in the execution client at once and for
// a moment, instead of at its next poll. It never waits for anything.
func (c *Chain) Built(b BlockRef) {
	c.metrics.pushedHead.Set(float64(b.Number))
	m := &c.built
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newest, m.at = b, time.Now()
	if m.wake != nil {
		close(m.wake)
		m.wake = nil
	}
}

// NewestBuilt is the block that Built was last called with, and when; a zero time: never.
func (c *Chain) NewestBuilt() (BlockRef, time.Time) {
	c.built.mu.Lock()
	defer c.built.mu.Unlock()
	return c.built.newest, c.built.at
}

// next is a channel that is closed when a block is built.
func (m *builtBlocks) next() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wake == nil {
		m.wake = make(chan struct{})
	}
	return m.wake
}

// HasBlock tells whether the execution client in use has a block, on its chain or beside it.
func (c *Chain) HasBlock(ctx context.Context, hash common.Hash) (b BlockRef, ok bool, err error) {
	err = c.nodes.on(ctx, func(e *endpoint) error {
		var h *rpcHeader
		if err := e.call(ctx, "headers", &h, "eth_getBlockByHash", hash, false); err != nil {
			return err
		}
		b, ok = h.ref()
		ok = ok && b.Hash == hash
		return nil
	})
	return b, ok, err
}

// expectation is a built block that a follower waits for.
type expectation struct {
	block BlockRef
	since time.Time
	pause time.Duration
	tries int // left; 0: nothing is waited for
}

// expect begins to wait for the newest built block. One that comes while another is waited for gets no tries of its own: whoever can push
// must not decide how often a node is asked.
func (f *follower) expect() {
	b, at := f.c.NewestBuilt()
	if b.Number <= f.cursor.Number && f.started {
		f.meet(b, at)
		return
	}
	if f.built.tries == 0 {
		f.built.pause, f.built.tries = builtPause, builtTries
	}
	f.built.block, f.built.since = b, at
}

// look ends the waiting when the block is delivered or the tries are used up; otherwise it says after how long to ask again.
func (f *follower) look(wait time.Duration) time.Duration {
	x := &f.built
	switch {
	case x.tries == 0:
		return wait
	case f.cursor.Number >= x.block.Number:
		x.tries = 0
		f.meet(x.block, x.since)
		return wait
	}
	if x.tries--; x.tries == 0 {
		f.c.metrics.pushedMissed.Inc()
		return wait
	}
	wait, x.pause = min(wait, x.pause), 2*x.pause
	return wait
}

// meet measures how much sooner a block was pushed than delivered.
func (f *follower) meet(b BlockRef, since time.Time) {
	if known, ok := f.known(b.Number); ok && known.Hash == b.Hash {
		f.c.metrics.pushedLead.Observe(time.Since(since).Seconds())
	}
}
