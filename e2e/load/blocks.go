package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// arrival is a block as somebody saw it who subscribes to the node's heads, as every sidecar does.
type arrival struct {
	at     time.Time
	number uint64
	time   uint64 // the block's own, UNIX seconds
	gas    uint64
}

// watch remembers every new block of a chain.
type watch struct {
	client *rpc.Client
	sub    *rpc.ClientSubscription
	done   chan struct{}

	mu     sync.Mutex
	blocks []arrival
	err    error
}

// watchBlocks has a connection of its own: a full one would delay what is measured.
func watchBlocks(ctx context.Context, url string) (*watch, error) {
	c, err := rpc.DialContext(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the chain: %w", err)
	}
	heads := make(chan *types.Header, 128)
	sub, err := c.EthSubscribe(ctx, heads, "newHeads")
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("subscribe to blocks: %w", err)
	}
	w := &watch{client: c, sub: sub, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			select {
			case h := <-heads:
				w.add(arrival{time.Now(), h.Number.Uint64(), h.Time, h.GasUsed})
			case err := <-sub.Err():
				w.mu.Lock()
				w.err = err
				w.mu.Unlock()
				return
			}
		}
	}()
	return w, nil
}

func (w *watch) add(a arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocks = append(w.blocks, a)
}

func (w *watch) close() {
	w.sub.Unsubscribe()
	<-w.done
	w.client.Close()
}

// between are the blocks that came in a span of time, and the one before.
func (w *watch) between(from, to time.Time) (out []arrival, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, fmt.Errorf("the subscription to blocks ended: %w", w.err)
	}
	for i, b := range w.blocks {
		if b.at.Before(from) && (i+1 >= len(w.blocks) || w.blocks[i+1].at.Before(from)) || b.at.After(to) {
			continue
		}
		out = append(out, b)
	}
	return out, nil
}

// Blocks is how a chain made blocks in a span of time. Times are milliseconds.
type Blocks struct {
	Seconds   float64 `json:"seconds"`  // from the first block of it to the last
	Built     int     `json:"built"`    // in these seconds
	Expected  float64 `json:"expected"` // by the block time
	Interval  Spread  `json:"intervalMs"`
	Delay     Spread  `json:"delayMs"`   // from the time that a block carries to when it was seen; can be negative
	Late      int     `json:"late"`      // intervals above one and a half block times
	Missed    int     `json:"missed"`    // slots of the block time without a block
	Reordered int     `json:"reordered"` // blocks that did not follow the one before: a reorganisation
	GasUsed   uint64  `json:"gasUsed"`
}

// Spread is what a number of measurements came to.
type Spread struct {
	Samples int     `json:"samples"`
	Mean    float64 `json:"mean"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

func spreadOf(samples []float64) Spread {
	if len(samples) == 0 {
		return Spread{}
	}
	slices.Sort(samples)
	sum := 0.0
	for _, s := range samples {
		sum += s
	}
	at := func(q float64) float64 { return samples[int(q*float64(len(samples)-1)+0.5)] }
	return Spread{len(samples), sum / float64(len(samples)), at(0.50), at(0.99), samples[len(samples)-1]}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// blocksOf joins spans of time, which need not follow each other: no interval goes from one into another.
func blocksOf(blockTime time.Duration, spans ...[]arrival) Blocks {
	var b Blocks
	var intervals, delays []float64
	for _, span := range spans {
		for i := 1; i < len(span); i++ {
			was, is := span[i-1], span[i]
			gap := is.at.Sub(was.at)
			intervals = append(intervals, ms(gap))
			delays = append(delays, ms(is.at.Sub(time.Unix(int64(is.time), 0))))
			b.Built++
			b.GasUsed += is.gas
			if gap > blockTime*3/2 {
				b.Late++
			}
			if is.number != was.number+1 {
				b.Reordered++
			} else if slots := time.Duration(is.time-was.time) * time.Second / blockTime; slots > 1 {
				b.Missed += int(slots) - 1
			}
		}
		if len(span) > 1 {
			b.Seconds += span[len(span)-1].at.Sub(span[0].at).Seconds()
		}
	}
	b.Expected = b.Seconds / blockTime.Seconds()
	b.Interval, b.Delay = spreadOf(intervals), spreadOf(delays)
	return b
}
