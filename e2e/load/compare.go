package load

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/evmts/channels/e2e/devnet"
)

// control lets the chain work without sidecars, but with transactions: blocks that are full take longer than empty ones whoever sends
// what is in them. Tickets are bought, which raids need too, for as much gas per second as the load took.
func (r *run) control(ctx context.Context) error {
	blocks, err := r.w.between(r.load.from.at, r.load.to.at)
	if err != nil {
		return err
	}
	load := blocksOf(blockTime, blocks)
	if load.Built == 0 {
		return fmt.Errorf("no block came in the load")
	}
	idle := 0.0 // what every block takes by itself
	if blocks, err = r.w.between(r.baseline[0].from.at, r.baseline[0].to.at); err != nil {
		return err
	}
	if b := blocksOf(blockTime, blocks); b.Built > 0 {
		idle = float64(b.GasUsed) / float64(b.Built)
	}
	wanted := (float64(load.GasUsed)/float64(load.Built) - idle) / blockTime.Seconds() // gas per second
	r.same, err = r.spend(ctx, func(ctx context.Context) error { return r.burn(ctx, wanted) })
	return err
}

// burn buys tickets for about so much gas per second.
func (r *run) burn(ctx context.Context, perSecond float64) error {
	began, used, each := time.Now(), 0.0, 0.0
	for time.Since(began) < r.o.Baseline {
		count := 1
		if each > 0 { // what is due by the time that these are mined
			count = int(math.Round((perSecond*(time.Since(began)+blockTime).Seconds() - used) / each))
		}
		if count < 1 || perSecond <= 0 {
			if err := sleep(ctx, blockTime/2); err != nil {
				return err
			}
			continue
		}
		count = min(count, devnet.MaxTickets)
		gas, err := r.d.BuyTickets(ctx, count)
		if err != nil {
			return err
		}
		used += float64(gas)
		each = float64(gas) / float64(count)
	}
	return nil
}

// chain is what the chain did in a phase.
func (r *run) chain(s span) (c Chain, blocks []arrival, err error) {
	if blocks, err = r.w.between(s.from.at, s.to.at); err != nil {
		return c, nil, err
	}
	c = Chain{Blocks: blocksOf(blockTime, blocks), Machine: r.m.between(s.from, s.to, runtime.NumCPU())}
	c.sequencer(s.node[0], s.node[1])
	return c, blocks, nil
}

// compare sets the chain with the sidecars beside the chain alone.
func (r *run) compare() error {
	sum := r.sum
	phases := []struct {
		name string
		span span
		into *Chain
	}{{"before", r.baseline[0], &sum.Before}, {"load", r.load, &sum.Load}, {"after", r.baseline[1], &sum.After}, {"control", r.same, &sum.Control}}
	table := bytes.NewBufferString("phase,number,time,seen_unix_ms,gas\n")
	var alone [][]arrival
	for _, p := range phases {
		c, blocks, err := r.chain(p.span)
		if err != nil {
			return err
		}
		*p.into = c
		if p.into == &sum.Before || p.into == &sum.After { // empty
			alone = append(alone, blocks)
		}
		for _, b := range blocks {
			fmt.Fprintf(table, "%s,%d,%d,%d,%d\n", p.name, b.number, b.time, b.at.UnixMilli(), b.gas)
		}
		if r.o.OpStack { // anvil keeps its clock by itself
			var err error
			if b := c.Blocks; b.Missed > 0 || b.Reordered > 0 || b.Built == 0 {
				err = fmt.Errorf("%d built, %d slots without a block, %d out of order", b.Built, b.Missed, b.Reordered)
			}
			r.note("the chain has a block for every slot ("+p.name+")", err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.o.Dir, "blocks.csv"), table.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the blocks: %w", err)
	}
	sum.Alone = blocksOf(blockTime, alone...)
	r.events()
	sum.perChannel()
	sum.Pace = paceOf(sum)
	return nil
}
