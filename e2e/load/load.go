package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/plugin"
)

// Options of a load.
type Options struct {
	Dir      string
	Root     string // of the repository; empty: found from the working directory
	Binary   string // op-channels
	OpStack  bool   // op-geth with op-node and op-batcher instead of anvil
	Channels int    // open at a time, the raids included
	Raids    int    // that are played at a time
	Duration time.Duration
	// Baseline is how long the chain is measured without sidecars, before and again after the load.
	Baseline time.Duration
	// Pace is the mean time that a player of a raid takes to choose; dice are shown at once.
	Pace time.Duration
	// Heartbeat is the time between two events of a channel that nobody plays; 0: it has none.
	Heartbeat time.Duration
	// Kill lets the last sidecar be killed in the middle, and started again.
	Kill bool
	// Sample is how many journals of each participant are replayed in processes of their own; all are in this one.
	Sample   int
	Progress func(text string)
}

const (
	blockTime = time.Second
	// nice is how far the sidecars give way to the sequencer: as ops/systemd/op-channels.service has it.
	nice = 10
	// Limit is the most by which the chain may become slower, in percent.
	Limit        = 5.0
	settleTime   = 5 * time.Second // after a start, before anything is measured
	downTime     = 2 * time.Second // of the sidecar that is killed
	agreeTimeout = 2 * time.Minute
	progressEach = 10 * time.Second
	maxIdle      = 30 * time.Second // in which all channels are open and nothing happens but blocks
)

// ErrSlowed means that the chain was slowed by more than Limit.
var ErrSlowed = errors.New("the sidecars slow the chain")

// check says what cannot be loaded.
func (o *Options) check() error {
	switch {
	case o.Raids < 1 || o.Channels < o.Raids:
		return fmt.Errorf("%d raids in %d channels: at least one raid, and not more than channels", o.Raids, o.Channels)
	case o.Channels > maxChannels:
		return fmt.Errorf("%d channels: a sidecar holds 20,000, those of raids that ended included; up to %d are possible here", o.Channels, maxChannels)
	case o.Duration < 10*time.Second || o.Baseline < 5*time.Second:
		return fmt.Errorf("%s of load and %s of the chain alone: at least 10 s and 5 s show anything", o.Duration, o.Baseline)
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return nil
}

const maxChannels = 10_000

// run is one load.
type run struct {
	o     Options
	d     *devnet.Devnet
	f     *fleet
	w     *watch
	m     *meter
	sum   *Summary
	pprof []int // ports, by sidecar

	stopHubs context.CancelFunc
	hubs     sync.WaitGroup
	baseline []span
	load     span
	same     span         // alone with the gas of the load
	outage   [2]time.Time // from the kill until the sidecar had caught up
}

// span is a phase of the chain's work.
type span struct {
	from, to reading
	node     [2]series // op-node's metrics
}

// Run brings up a devnet, measures it and ends it. The Summary is what is known when it ends. An error wraps story.ErrCheck when a
// promise was not kept, and ErrSlowed when that was the chain's pace.
func Run(ctx context.Context, o Options) (sum *Summary, err error) {
	sum = &Summary{Seconds: make(map[string]float64)}
	defer func() {
		if err != nil {
			sum.OK, sum.Error = false, err.Error()
		}
	}()
	if err := o.check(); err != nil {
		return sum, err
	}
	sum.describe(&o)
	r := &run{o: o, sum: sum, m: newMeter()}
	if err := r.start(ctx); err != nil {
		return sum, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.close(stop))
	}()
	began := time.Now()
	for _, part := range []struct {
		name, text string
		run        func(context.Context) error
	}{
		{"before", fmt.Sprintf("the chain alone for %s", o.Baseline), r.alone},
		{"sidecars", "starting the sidecars", r.startSidecars},
		{"open", fmt.Sprintf("opening %d channels with stakes on chain", o.Channels), r.open},
		{"load", fmt.Sprintf("%d raids are played for %s, %d channels are open beside them", o.Raids, o.Duration, o.Channels-o.Raids), r.play},
		{"agree", "waiting until all agree on every channel", r.agree},
		{"stop", "stopping the sidecars", r.stopSidecars},
		{"after", fmt.Sprintf("the chain alone for %s", o.Baseline), r.alone},
		{"control", fmt.Sprintf("the chain alone for %s, with as much gas per block as in the load", o.Baseline), r.control},
		{"audit", "looking for every acknowledged event in the journals of all participants", r.audit},
	} {
		o.Progress(part.text)
		start := time.Now()
		err := part.run(ctx)
		sum.Seconds[part.name] = time.Since(start).Seconds()
		if err != nil {
			return sum, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	sum.Seconds["total"] = time.Since(began).Seconds()
	if err := r.compare(); err != nil {
		return sum, err
	}
	err = sum.Checks.Verdict()
	if err == nil && o.OpStack && !sum.Pace.OK {
		err = fmt.Errorf("%w: %s", ErrSlowed, sum.Pace.Text)
	}
	sum.OK = err == nil
	return sum, err
}

func (r *run) note(name string, err error) {
	c := story.Check{Name: name, OK: err == nil}
	if err != nil {
		c.Detail = err.Error()
	}
	r.sum.Checks = append(r.sum.Checks, c)
}

func (r *run) start(ctx context.Context) (err error) {
	if r.pprof, err = child.FreePorts(3); err != nil {
		return err
	}
	ports := map[string]int{"operator": r.pprof[0], "alice": r.pprof[1], "bob": r.pprof[2]}
	r.d, err = devnet.Start(ctx, devnet.Options{
		Dir: r.o.Dir, Root: r.o.Root, Binary: r.o.Binary, OpStack: r.o.OpStack, BlockTime: blockTime, ChainOnly: true, Progress: r.o.Progress, Nice: nice,
		Args: func(name string) []string {
			return []string{
				"--log.level", "info", "--pprof.enabled", "--pprof.port", fmt.Sprint(ports[name]),
				"--txmgr.receipt-query-interval", plugin.TxFlagDefaults.ReceiptQueryInterval.String(), // the devnet is in more of a hurry
			}
		},
	})
	if err != nil {
		return err
	}
	r.watchProcesses()
	r.w, err = watchBlocks(ctx, r.d.Chain.Node.WebSocketURL())
	return err
}

func (r *run) watchProcesses() {
	if s := r.d.Chain.OpStack; s != nil {
		r.m.add("op-geth", s.Geth.PID)
		r.m.add("op-node", s.Node.PID)
		r.m.add("op-batcher", s.Batcher.PID)
		r.m.add("anvil (L1)", s.L1.PID)
	} else if n, ok := r.d.Chain.Node.(interface{ PID() int }); ok {
		r.m.add("anvil", n.PID)
	}
	for _, s := range r.d.Sidecars {
		r.m.add(s.Name, func() int {
			if !s.Running() {
				return 0
			}
			return s.PID()
		})
	}
	r.m.add("players (this program)", os.Getpid)
}

func (r *run) close(ctx context.Context) error {
	if r.stopHubs != nil {
		r.stopHubs()
		r.hubs.Wait()
	}
	if r.w != nil {
		r.w.close()
	}
	return r.d.Stop(ctx)
}

// spend measures a phase of a given length, or of what happens in it.
func (r *run) spend(ctx context.Context, during func(context.Context) error) (s span, err error) {
	if s.node[0], err = r.nodeMetrics(ctx); err != nil {
		return s, err
	}
	s.from = r.m.now()
	if err := during(ctx); err != nil {
		return s, err
	}
	s.to = r.m.now()
	s.node[1], err = r.nodeMetrics(ctx)
	return s, err
}

func (r *run) nodeMetrics(ctx context.Context) (series, error) {
	if r.d.Chain.OpStack == nil {
		return nil, nil
	}
	return scrape(ctx, r.d.Chain.OpStack.NodeMetricsURL())
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alone lets the chain work without sidecars.
func (r *run) alone(ctx context.Context) error {
	if err := sleep(ctx, settleTime); err != nil {
		return err
	}
	s, err := r.spend(ctx, func(ctx context.Context) error { return sleep(ctx, r.o.Baseline) })
	r.baseline = append(r.baseline, s)
	return err
}

func (r *run) startSidecars(ctx context.Context) error {
	for _, s := range r.d.Sidecars {
		if err := s.Start(); err != nil {
			return err
		}
	}
	for _, s := range r.d.Sidecars {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	r.f = newFleet(r.d, r.o)
	var hubCtx context.Context
	hubCtx, r.stopHubs = context.WithCancel(context.WithoutCancel(ctx))
	for _, h := range r.f.hubs {
		r.hubs.Go(func() { h.run(hubCtx) })
	}
	if err := sleep(ctx, settleTime); err != nil {
		return err
	}
	idle := r.m.now()
	if err := sleep(ctx, min(r.o.Baseline, maxIdle)); err != nil {
		return err
	}
	m := r.m.between(idle, r.m.now(), runtime.NumCPU())
	var err error
	if r.sum.Empty, err = r.memory(ctx); err != nil {
		return err
	}
	for i := range r.sum.Empty {
		r.sum.Empty[i].Cores = find(m.Processes, r.sum.Empty[i].Name).Cores
	}
	return nil
}

func (r *run) open(ctx context.Context) error {
	began := time.Now()
	from := r.m.now()
	err := r.f.open(ctx, r.o.Channels, func(total int) {
		if total%100 == 0 {
			r.o.Progress(fmt.Sprintf("%d channels are open after %.0f s", total, time.Since(began).Seconds()))
		}
	})
	if err != nil {
		return err
	}
	r.sum.Opening = r.m.between(from, r.m.now(), runtime.NumCPU())
	if err := sleep(ctx, settleTime); err != nil {
		return err
	}
	idle := r.m.now()
	if err := sleep(ctx, min(r.o.Baseline, maxIdle)); err != nil {
		return err
	}
	r.sum.Idle = r.m.between(idle, r.m.now(), runtime.NumCPU())
	r.sum.Opened, err = r.memory(ctx)
	return err
}

// memory is what the sidecars hold, after a garbage collection.
func (r *run) memory(ctx context.Context) (out []Process, err error) {
	now := r.m.now()
	for i, s := range r.d.Sidecars {
		p := Process{Name: s.Name, RSS: now.usage[s.Name].rss, PSS: now.usage[s.Name].pss, OpenFiles: now.usage[s.Name].files}
		if err := r.heap(ctx, i, &p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// heap collects the garbage of a sidecar and asks what is left.
func (r *run) heap(ctx context.Context, i int, p *Process) error {
	s := r.d.Sidecars[i]
	_, status, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/heap?gc=1", r.pprof[i]))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return fmt.Errorf("heap of %s: %w", s.Name, err)
	}
	m, err := scrape(ctx, s.MetricsURL())
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	p.LiveHeap, p.Goroutines = uint64(m["go_memstats_heap_alloc_bytes"]), int(m["go_goroutines"])
	return nil
}
