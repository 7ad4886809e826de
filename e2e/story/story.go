package story

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
)

// Options say who listens.
type Options struct {
	MinEvents uint64                            // that a raid must have to be told; 0: 60
	Pace      time.Duration                     // time that a player thinks before an event
	Step      func(text string)                 // what begins now
	Line      func(seq uint64, text string)     // one line of the raid
	Progress  func(seq uint64, end *raid.State) // after every event
	Names     []string                          // of the seats in the lines; empty: those of the raid
	Guard     *devnet.Sidecar                   // a fraud's: its sidecar verifies, instead of a process that does nothing else
}

const (
	defaultMinEvents = 60
	openTimeout      = 30 * time.Second
	playTimeout      = 3 * time.Minute // without Pace; a raid takes a second
	closeTimeout     = 30 * time.Second
)

// teller is one run of the story.
type teller struct {
	d       *devnet.Devnet
	o       Options
	sum     *Summary
	clients []*rpc.Client
	args    sidecar.OpenArgs
	rules   *channel.Rules
	before  uint64 // block before the opening
	watcher *spectator
}

// Tell plays a raid on a devnet, stops its sidecars and checks everything. The Summary is what is known when it ends; an
// error wraps ErrCheck when a promise was not kept, and names it.
func Tell(ctx context.Context, d *devnet.Devnet, o Options) (sum *Summary, err error) {
	defer func() {
		if err != nil {
			sum.OK, sum.Error = false, err.Error()
		}
	}()
	if o.MinEvents == 0 {
		o.MinEvents = defaultMinEvents
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	t := &teller{d: d, o: o, sum: &Summary{ModuleHash: d.Module, World: d.Chain.World.World, Seconds: make(map[string]float64)}}
	defer func() {
		for _, c := range t.clients {
			c.Close()
		}
	}()
	began := time.Now()
	for _, part := range []struct {
		name, step string
		run        func(context.Context) error
	}{
		{"open", "opening the channel: everybody signs the genesis and pays its stake", t.open},
		{"play", "the raid", t.play},
		{"close", "closing: one transaction pays everybody", t.close},
		{"settle", "settling: the operator attests, loot and XP go into the World", t.settle},
		{"chain", "reading back payouts and records from the chain", t.readChain},
		{"verify", "stopping the sidecars, replaying each journal in a fresh process", t.verify},
	} {
		o.Step(part.step)
		start := time.Now()
		err := part.run(ctx)
		t.sum.Seconds[part.name] = time.Since(start).Seconds()
		if err != nil {
			return t.sum, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	t.sum.Seconds["total"] = time.Since(began).Seconds()
	err = t.sum.Checks.Verdict()
	t.sum.OK = err == nil
	return t.sum, err
}

func (t *teller) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for _, s := range t.d.Sidecars {
		c, err := s.Dial(ctx)
		if err != nil {
			return err
		}
		t.clients = append(t.clients, c)
	}
	if t.args, err = t.d.RaidRequest(ctx); err != nil {
		return err
	}
	// A raid worth telling: long enough, and won, so that there is loot to bring home.
	if err := t.d.Foresee(&t.args, func(end *raid.State, events uint64) bool {
		return end.Outcome == raid.Won && events >= t.o.MinEvents
	}); err != nil {
		return err
	}
	params := t.d.Params(t.args)
	if t.rules, err = t.d.Rules(params, t.args.Funding); err != nil {
		return err
	}
	t.sum.ChannelID = t.rules.ID()
	if t.before, err = t.d.Chain.Eth.BlockNumber(ctx); err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	var id common.Hash
	if err := t.clients[0].CallContext(ctx, &id, "channels_open", t.args); err != nil {
		return err
	}
	t.sum.Checks.check("the channel has the id that its params give", equal(id, t.sum.ChannelID))
	for i, c := range t.clients {
		if err := waitFor(ctx, c, id, "open"); err != nil {
			return fmt.Errorf("%s: %w", t.d.Sidecars[i].Name, err)
		}
	}
	return nil
}

func (t *teller) play(ctx context.Context) (err error) {
	timeout := playTimeout + time.Duration(raid.MaxEvents*len(t.clients))*t.o.Pace
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if t.watcher, err = newSpectator(t.clients[0], t.rules, t.args.GenesisHex); err != nil {
		return err
	}
	var describing error
	t.watcher.told = func(seq uint64, e *channel.Event, before, after *channel.State) {
		lines, err := raid.Describe(before.Bytes(), after.Bytes(), e.Author, e.Payload, t.o.Names)
		describing = errors.Join(describing, err)
		for _, line := range lines {
			if t.o.Line != nil {
				t.o.Line(seq, line)
			}
		}
		if now, err := raid.Decode(after.Bytes()); err == nil && t.o.Progress != nil {
			t.o.Progress(seq, now)
		}
	}
	id := t.sum.ChannelID
	players := make([]*devnet.Player, len(t.d.Sidecars))
	errs := make([]error, len(players)+1)
	var all sync.WaitGroup
	for i := range players {
		players[i] = t.d.Player(i)
		players[i].Pace = t.o.Pace
		all.Go(func() {
			if errs[i] = players[i].Play(ctx, id); errs[i] != nil {
				cancel() // the others would wait for ever
			}
		})
	}
	errs[len(players)] = t.watcher.follow(ctx)
	if errs[len(players)] != nil {
		cancel()
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var samples []time.Duration
	for _, p := range players {
		for _, f := range p.Final() {
			samples = append(samples, f.Took)
		}
	}
	t.sum.Latency = latencyOf(samples)
	end, err := raid.Decode(t.watcher.state.Bytes())
	if err != nil {
		return err
	}
	at := t.watcher.update()
	t.sum.Events, t.sum.JournalRoot, t.sum.StateHash, t.sum.Outcome = at.Seq, at.JournalRoot, at.StateHash, end.Outcome.String()
	t.sum.Checks.check("every line of the story could be told", describing)
	t.sum.Checks.check(fmt.Sprintf("the raid has %d events or more", t.o.MinEvents), atLeast(at.Seq, t.o.MinEvents))
	t.sum.Checks.check("the raid was won", equal(end.Outcome, raid.Won))
	return nil
}

// close waits: the supported terminal Update is enough, and the sequencer sends the conclusion by itself.
func (t *teller) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	for i, c := range t.clients {
		if err := waitFor(ctx, c, t.sum.ChannelID, "final", "settled"); err != nil {
			return fmt.Errorf("%s: %w", t.d.Sidecars[i].Name, err)
		}
	}
	return nil
}

func (t *teller) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	last := "settle"
	if t.d.Options.Modes == adjudicator.ModeOptimistic {
		last = "release" // of the publisher's bond
	}
	// The fact can be seen on chain a moment before the sender has its receipt, which says what it cost.
	return watch(ctx, t.clients[0], t.sum.ChannelID, func(info *sidecar.ChannelInfo) (bool, error) {
		mined := slices.ContainsFunc(info.Transactions, func(tx sidecar.TxInfo) bool { return tx.Kind == last })
		return info.Status == "settled" && mined, nil
	})
}

// Ether writes an amount of the coin's smallest unit for people.
func Ether(wei *big.Int) string {
	f := new(big.Rat).SetFrac(wei, big.NewInt(1e18))
	return f.FloatString(6) + " ETH"
}

func equal[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func atMost(got, want uint64) error {
	if got > want {
		return fmt.Errorf("got %d, want %d or less", got, want)
	}
	return nil
}

func atLeast(got, want uint64) error {
	if got < want {
		return fmt.Errorf("got %d, want %d or more", got, want)
	}
	return nil
}
