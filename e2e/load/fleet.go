package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
)

// game is one channel with its three seats.
type game struct {
	id    common.Hash
	seats []*devnet.Player
	bots  []*raid.Bot
	beats int // events of the time when it was only open
}

// fleet opens channels and plays them.
type fleet struct {
	d    *devnet.Devnet
	o    Options
	hubs []*hub

	mu   sync.Mutex
	all  []*game // every channel that was opened
	idle []*game // open, and nobody plays: heartbeats take from the front and give back at the end
	more chan struct{}

	live, finished, settled atomic.Int64
	errs                    chan error // of the load; one is enough to fail
}

const (
	// opening bounds the channels that are proposed and not open: a sidecar takes 64 of one peer.
	opening = 48
	// openTimeout is for one channel, with the sidecars busy and one of them perhaps away.
	openTimeout   = 2 * time.Minute
	finishTimeout = 2 * time.Minute
	patience      = 20 * time.Second
	beatsAtOnce   = 16
)

func newFleet(d *devnet.Devnet, o Options) *fleet {
	f := &fleet{d: d, o: o, more: make(chan struct{}, 1), errs: make(chan error, 1)}
	for _, s := range d.Sidecars {
		f.hubs = append(f.hubs, newHub(s))
	}
	return f
}

func (f *fleet) fail(err error) {
	select {
	case f.errs <- err:
	default:
	}
}

// open opens count channels and puts them among the idle ones. Tickets of the next ones are bought meanwhile.
func (f *fleet) open(ctx context.Context, count int, opened func(total int)) error {
	requests := make(chan sidecar.OpenArgs, devnet.MaxTickets)
	g, ctx := newGroup(ctx)
	g.run(func() error {
		defer close(requests)
		for left := count; left > 0; {
			batch, err := f.d.RaidRequests(ctx, min(left, devnet.MaxTickets))
			if err != nil {
				return err
			}
			left -= len(batch)
			for i, r := range batch {
				r.Nonce += uint64(i) // they are made in one moment
				select {
				case requests <- r:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	var done atomic.Int64
	for range opening {
		g.run(func() error {
			for r := range requests {
				if err := f.openOne(ctx, r); err != nil {
					return err
				}
				opened(int(done.Add(1)))
			}
			return nil
		})
	}
	return g.wait()
}

func (f *fleet) openOne(ctx context.Context, r sidecar.OpenArgs) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	r.NoWait = true
	id := f.d.Params(r).ID()
	if err := f.propose(ctx, r, id); err != nil {
		return err
	}
	for _, h := range f.hubs {
		if err := h.await(ctx, id, isStatus("open")); err != nil {
			return err
		}
	}
	g := &game{id: id}
	for i := range f.hubs {
		p := f.d.Player(i)
		p.Think, p.Patience, p.Pack = f.think, patience, new(raid.Pack) // what a hero has is brought into one raid at a time
		g.seats, g.bots = append(g.seats, p), append(g.bots, p.Bot(id))
	}
	f.mu.Lock()
	f.all = append(f.all, g)
	f.mu.Unlock()
	f.putIdle(g)
	return nil
}

// propose asks the first sidecar to open a channel, again when it was away.
func (f *fleet) propose(ctx context.Context, r sidecar.OpenArgs, id common.Hash) error {
	for {
		var got common.Hash
		err := f.hubs[0].CallContext(ctx, &got, "channels_open", r)
		switch code := sidecar.ErrorCode(err); {
		case err == nil && got != id:
			return fmt.Errorf("the channel is %s, its params give %s", got, id)
		case err == nil, code == channel.CodeExists:
			return nil
		case code != "" && code != channel.CodeBusy && code != channel.CodeNotReady:
			return fmt.Errorf("open %s: %s: %w", id, code, err)
		}
		select {
		case <-time.After(redial):
		case <-ctx.Done():
			return fmt.Errorf("open %s: %w", id, errors.Join(err, ctx.Err()))
		}
	}
}

// think is the time that a player of a raid takes: a person chooses, dice are shown by the program.
func (f *fleet) think(state []byte) time.Duration {
	if !devnet.IsChoice(state) || f.o.Pace <= 0 {
		return 0
	}
	return f.o.Pace/2 + rand.N(f.o.Pace)
}

func (f *fleet) putIdle(g *game) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, g)
	signal(f.more)
}

// takeIdle is the channel that waited longest; nil: there is none at the moment.
func (f *fleet) takeIdle() *game {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.idle) == 0 {
		return nil
	}
	g := f.idle[0]
	f.idle = f.idle[1:]
	if len(f.idle) > 0 {
		signal(f.more)
	}
	return g
}

// waitIdle waits for one.
func (f *fleet) waitIdle(ctx context.Context) *game {
	for {
		if g := f.takeIdle(); g != nil {
			return g
		}
		select {
		case <-f.more:
		case <-ctx.Done():
			return nil
		}
	}
}

// play keeps Raids raids going and the others' hearts beating while played lasts, and returns when everything that was submitted
// has its answer and every raid that ended is settled. ctx cuts that short.
func (f *fleet) play(ctx, played context.Context) {
	var all sync.WaitGroup
	refill := make(chan struct{}, f.o.Channels+f.o.Raids)
	for range f.o.Raids {
		all.Go(func() { f.raids(ctx, played, refill) })
	}
	all.Go(func() { f.heartbeats(played) })
	all.Go(func() { f.refill(ctx, played, refill) })
	all.Wait()
}

// raids plays one raid after the other.
func (f *fleet) raids(ctx, played context.Context, refill chan<- struct{}) {
	var ending sync.WaitGroup
	defer ending.Wait()
	for {
		g := f.waitIdle(played)
		if g == nil {
			return
		}
		f.live.Add(1)
		err := f.raid(played, g)
		f.live.Add(-1)
		if err != nil && played.Err() != nil {
			return
		}
		if err != nil {
			f.fail(fmt.Errorf("raid %s: %w", g.id, err))
			return
		}
		f.finished.Add(1)
		refill <- struct{}{}
		ending.Go(func() { f.finish(ctx, g) })
	}
}

// finish waits until the raid is in the World, and everybody knows that it is over.
func (f *fleet) finish(ctx context.Context, g *game) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	for i, h := range f.hubs {
		wanted := []string{"final", "settled"}
		if i == 0 { // the attestor
			wanted = wanted[1:]
		}
		if err := h.await(ctx, g.id, isStatus(wanted...)); err != nil {
			f.fail(fmt.Errorf("the raid is over: %w", err))
			return
		}
	}
	f.settled.Add(1)
}

// raid plays a channel to its end, every seat at its own sidecar.
func (f *fleet) raid(ctx context.Context, g *game) error {
	seats, ctx := newGroup(ctx)
	for i := range g.seats {
		seats.run(func() error { return f.seat(ctx, g, i) })
	}
	return seats.wait()
}

func (f *fleet) seat(ctx context.Context, g *game, i int) error {
	h := f.hubs[i]
	woken, done := h.listen(g.id)
	defer done()
	for {
		over, err := g.seats[i].Turn(ctx, h, g.id, g.bots[i])
		switch {
		case over:
			return nil
		case err != nil && !errors.Is(err, devnet.ErrLost) && ctx.Err() == nil:
			return err
		}
		select {
		case <-woken:
		case <-time.After(nudge):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heartbeats lets every idle channel have an event now and then.
func (f *fleet) heartbeats(ctx context.Context) {
	if f.o.Heartbeat <= 0 || f.o.Channels <= f.o.Raids {
		return
	}
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, beatsAtOnce)
	tick := time.NewTicker(max(f.o.Heartbeat/time.Duration(f.o.Channels-f.o.Raids), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			continue // a sidecar is away, or behind
		}
		g := f.takeIdle()
		if g == nil {
			<-slots
			continue
		}
		under.Go(func() {
			defer func() { <-slots }()
			f.beat(ctx, g)
			f.putIdle(g)
		})
	}
}

// beat lets the next seat do what it owes, which is an event or nothing.
func (f *fleet) beat(ctx context.Context, g *game) {
	i := g.beats % len(g.seats)
	g.beats++
	p := g.seats[i]
	p.Think = nil
	defer func() { p.Think = f.think }()
	if _, err := p.Turn(ctx, f.hubs[i], g.id, g.bots[i]); err != nil && !errors.Is(err, devnet.ErrLost) && ctx.Err() == nil {
		f.fail(fmt.Errorf("heartbeat of %s: %w", g.id, err))
	}
}

// refill opens a channel for each raid that ended: several together when they end together.
func (f *fleet) refill(ctx, played context.Context, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
		case <-played.Done():
			return
		}
		count := 1
		for more := true; more && count < opening; {
			select {
			case <-ended:
				count++
			default:
				more = false
			}
		}
		// What has begun is ended: a channel that is half open when the load stops would be taken for a lost one.
		if err := f.open(ctx, count, func(int) {}); err != nil {
			f.fail(fmt.Errorf("open another channel: %w", err))
			return
		}
	}
}

// games are all channels that were open at some time.
func (f *fleet) games() []*game {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*game(nil), f.all...)
}
