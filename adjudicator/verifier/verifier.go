package verifier

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
)

// Config of a Verifier. The contracts' addresses are needed, everything else has a default.
type Config struct {
	// Contracts that are watched and asked: Adjudicator, Registry and Publications are needed. Without Settlement nobody notices that
	// a channel was settled.
	Contracts adjudicator.Contracts
	// Worlds to guard; none: all.
	Worlds []common.Address
	// FromBlock is where to look from. 0: the first block of the LookBack.
	FromBlock uint64
	// LookBack is how far back the first chunk of a publication can be whose window is open; 0: 32 days, for the longest window, the day
	// in which all chunks come, and another.
	LookBack time.Duration
	// DryRun builds and simulates proofs and sends none.
	DryRun bool
	// Once ends Run when everything that was published before it began is checked, and what is wrong is disproved, or could not be
	// in three attempts.
	Once bool

	Workers        int           // that derive at the same time; 0: GOMAXPROCS
	Slice          time.Duration // of a worker's time; 0: 100 ms
	MaxLoaded      int           // journals in memory, at most some MiB each; 0: 32
	MaxWaiting     int           // publications that wait to be checked; above it the chain is read no further; 0: 4,096
	MaxModules     int           // modules in memory; 0: 16
	MaxBlockRange  uint64        // blocks of one request for logs; 0: 2,000
	RequestTimeout time.Duration // 0: 10 s
	Retry          time.Duration // pause after a failure, doubled up to 64 times as much; 0: 1 s
	WarnBefore     time.Duration // a publication that is not dealt with this long before its deadline is an alert; 0: 10 minutes
}

func (c Config) withDefaults() Config {
	set := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	setInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.LookBack, 32*24*time.Hour)
	set(&c.Slice, 100*time.Millisecond)
	set(&c.RequestTimeout, 10*time.Second)
	set(&c.Retry, time.Second)
	set(&c.WarnBefore, 10*time.Minute)
	setInt(&c.Workers, runtime.GOMAXPROCS(0))
	setInt(&c.MaxLoaded, 32)
	setInt(&c.MaxWaiting, 4096)
	setInt(&c.MaxModules, 16)
	c.MaxLoaded = max(c.MaxLoaded, c.Workers+2) // one that runs and the most urgent are never put aside
	if c.MaxBlockRange == 0 {
		c.MaxBlockRange = 2000
	}
	return c
}

// ErrConfig is returned for a configuration that cannot work.
var ErrConfig = errors.New("invalid verifier configuration")

// Client is the part of an Ethereum client that a Verifier needs; *ethclient.Client is one.
type Client interface {
	adjudicator.Backend
	adjudicator.CodeReader
	LogReader
	EstimateGas(ctx context.Context, msg ethereum.CallMsg) (uint64, error)
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
}

// LogReader reads logs.
type LogReader interface {
	FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error)
}

// Feed follows a chain; *plugin.Chain is one.
type Feed interface {
	Follow(ctx context.Context, cfg plugin.FeedConfig, out chan<- plugin.Step) error
	Head(ctx context.Context, level plugin.Level) (plugin.BlockRef, error)
}

// Sender sends transactions, with fees that rise until they are mined; *plugin.Submitter is one.
type Sender interface {
	Send(ctx context.Context, r plugin.Request) (plugin.Result, error)
	From() common.Address
}

// Deps are what a Verifier works with. What is not said to be optional is needed.
type Deps struct {
	Feed    Feed
	Client  Client
	Sender  Sender       // optional with DryRun
	Log     log.Logger   // optional
	Metrics *Metrics     // optional
	Report  func(Report) // optional; called by one goroutine, which waits for it
}

// Verifier watches a chain. It is made by New and runs once.
type Verifier struct {
	cfg     Config
	feed    Feed
	client  Client
	sender  Sender
	reader  adjudicator.Reader
	modules *modules
	log     log.Logger
	metrics *Metrics
	report  func(Report)
	queue   *queue

	outcomes chan outcome
	proofs   chan proofResult

	readAt atomic.Pointer[plugin.BlockRef] // the feed's end, which reads agree with; nil while it catches up
	epoch  atomic.Uint64                   // how often the chain was rewound

	// The main loop's.
	tasks    map[adjudicator.FactID]*task
	begins   map[sequence]uint64 // block of the first chunk of what is being published
	cursor   plugin.BlockRef
	target   uint64 // block that Once has to reach
	caughtUp bool
	order    uint64
	sends    uint64
	goal     sync.WaitGroup
	summary  Summary
}

// sequence names what one publisher publishes.
type sequence struct {
	channel   common.Hash
	publisher common.Address
}

// New makes a Verifier; Run starts it.
func New(cfg Config, d Deps) (*Verifier, error) {
	c := cfg.Contracts
	switch {
	case c.Adjudicator == (common.Address{}) || c.Registry == (common.Address{}) || c.Publications == (common.Address{}):
		return nil, fmt.Errorf("%w: the addresses of adjudicator, registry and publications are needed; the settlement's says them (adjudicator.Discover)", ErrConfig)
	case d.Feed == nil || d.Client == nil:
		return nil, fmt.Errorf("%w: no connection to a node", ErrConfig)
	case d.Sender == nil && !cfg.DryRun:
		return nil, fmt.Errorf("%w: nothing to send proofs with: give a key, or ask for a dry run", ErrConfig)
	}
	cfg = cfg.withDefaults()
	if d.Log == nil {
		d.Log = log.Root()
	}
	if d.Metrics == nil {
		d.Metrics = NewMetrics(nil)
	}
	if d.Report == nil {
		d.Report = func(Report) {}
	}
	reader := adjudicator.NewReader(d.Client, c)
	return &Verifier{
		cfg: cfg, feed: d.Feed, client: d.Client, sender: d.Sender, reader: reader,
		modules: &modules{reader: reader, code: d.Client, timeout: cfg.RequestTimeout, limit: cfg.MaxModules},
		log:     d.Log.New("module", "verifier"), metrics: d.Metrics, report: d.Report, queue: newQueue(cfg.MaxLoaded),
		outcomes: make(chan outcome), proofs: make(chan proofResult),
		tasks: make(map[adjudicator.FactID]*task), begins: make(map[sequence]uint64),
	}, nil
}

// maxBegins bounds the publications under way whose first block is remembered. Of others it is looked for.
const maxBegins = 1 << 16

// Summary says what Run has done. It is for after Run.
func (v *Verifier) Summary() Summary { return v.summary }

// Run watches until ctx ends, or with Once until there is nothing left to do, which is no error.
func (v *Verifier) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer v.goal.Wait()
	defer cancel()
	from, err := v.start(ctx)
	if err != nil {
		return err
	}
	steps, ended := make(chan plugin.Step), make(chan error, 1)
	v.goal.Go(func() {
		c := v.cfg.Contracts
		addresses := []common.Address{c.Publications}
		if c.Settlement != (common.Address{}) {
			addresses = append(addresses, c.Settlement)
		}
		// Chunks make logs large: few blocks at a time.
		ended <- v.feed.Follow(ctx, plugin.FeedConfig{Addresses: addresses, From: plugin.BlockRef{Number: from}, MaxBlockRange: min(v.cfg.MaxBlockRange, feedRange)}, steps)
	})
	for range v.cfg.Workers {
		v.goal.Go(func() { v.work(ctx) })
	}
	tick := time.NewTicker(min(time.Second, v.cfg.Retry))
	defer tick.Stop()
	for {
		reading := steps
		if v.queue.waiting() >= v.cfg.MaxWaiting {
			reading = nil
		}
		select {
		case <-ctx.Done():
			v.count()
			return ctx.Err()
		case err := <-ended:
			v.count()
			return fmt.Errorf("follow the chain: %w", err)
		case s := <-reading:
			v.step(ctx, s)
		case o := <-v.outcomes:
			v.checked(o)
		case p := <-v.proofs:
			v.proved(p)
		case <-tick.C:
		}
		v.pursue(ctx)
		if v.cfg.Once && v.finished() {
			v.count()
			return nil
		}
	}
}

const feedRange = 128

// start finds the block before the first to look at.
func (v *Verifier) start(ctx context.Context) (from uint64, err error) {
	for pause := v.cfg.Retry; ; pause = min(2*pause, 64*v.cfg.Retry) {
		if from, err = v.lookBack(ctx); err == nil {
			v.log.Info("guarding Worlds", "publications", v.cfg.Contracts.Publications, "from", from+1, "worlds", len(v.cfg.Worlds), "dryRun", v.cfg.DryRun)
			return from, nil
		}
		v.log.Warn("could not find the block to begin with, trying again", "err", err, "pause", pause)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (v *Verifier) lookBack(ctx context.Context) (uint64, error) {
	head, err := v.feed.Head(ctx, plugin.Unsafe)
	if err != nil {
		return 0, err
	}
	v.target = head.Number
	if v.cfg.FromBlock > 0 {
		return v.cfg.FromBlock - 1, nil
	}
	back := uint64(v.cfg.LookBack / time.Second)
	if head.Time < back {
		return 0, nil
	}
	var failed error
	n := sort.Search(int(head.Number), func(n int) bool {
		if failed != nil {
			return true
		}
		ctx, cancel := context.WithTimeout(ctx, v.cfg.RequestTimeout)
		defer cancel()
		h, err := v.client.HeaderByNumber(ctx, new(big.Int).SetUint64(uint64(n)))
		if err != nil {
			failed = fmt.Errorf("header of block %d: %w", n, err)
			return true
		}
		return h.Time >= head.Time-back
	})
	return uint64(max(0, n-1)), failed
}

// work runs slices until ctx ends.
func (v *Verifier) work(ctx context.Context) {
	for {
		t, ok := v.queue.take(ctx)
		if !ok {
			return
		}
		begin := time.Now()
		o := v.slice(t)
		spent, over, again := time.Since(begin), o.done || o.ended != "", time.Time{}
		if o.err != nil {
			t.failures = min(t.failures+1, 1000)
			again = time.Now().Add(v.cfg.Retry << min(t.failures-1, 6))
		} else {
			t.failures = 0
		}
		o.failures = t.failures
		v.queue.put(t, spent, over, again)
		select {
		case v.outcomes <- o:
		case <-ctx.Done():
			return
		}
	}
}

// step takes what happened on the chain.
func (v *Verifier) step(ctx context.Context, s plugin.Step) {
	if s.Rewind != nil {
		v.rewind(s.Rewind.Number)
	}
	for _, l := range s.Logs {
		f, ok, err := v.cfg.Contracts.DecodeLog(l)
		if err != nil {
			v.log.Error("a log that the contracts cannot have written: check the node and the addresses", "err", err)
		}
		if ok && err == nil {
			v.fact(ctx, f, l)
		}
	}
	v.cursor = s.Unsafe
	if v.caughtUp = v.caughtUp || s.Unsafe.Number >= v.target; v.caughtUp {
		v.readAt.Store(&s.Unsafe)
		v.lookAgain()
	}
	v.forget(s)
}

func (v *Verifier) fact(ctx context.Context, f adjudicator.Fact, l types.Log) {
	switch b := f.Body.(type) {
	case adjudicator.ChunkPublished:
		key := sequence{b.ChannelID, b.Publisher}
		if b.First == 0 && (len(v.begins) < maxBegins || v.begins[key] != 0) {
			v.begins[key] = f.Block
		}
	case adjudicator.Published:
		key := sequence{b.ChannelID, b.Publisher}
		first := v.begins[key]
		delete(v.begins, key)
		if len(v.cfg.Worlds) > 0 && !slices.Contains(v.cfg.Worlds, b.World) {
			return
		}
		l.Data = nil
		v.order++
		t := &task{Published: b, log: l, order: v.order, first: first}
		t.ctx, t.cancel = context.WithCancel(ctx)
		v.tasks[f.ID] = t
		v.summary.Seen++
		v.metrics.seen.Inc()
		v.tell(t, Report{Kind: ReportSeen})
		v.queue.add(t)
	case adjudicator.Disproved:
		for _, t := range v.of(b.ChannelID) {
			by, reward := b.Prover, b.Reward
			v.end(t, ReportDisproved, f, Report{By: &by, Reward: &reward})
		}
	case adjudicator.Vetoed:
		for _, t := range v.of(b.ChannelID) {
			by := b.Guardian
			v.end(t, ReportVetoed, f, Report{By: &by})
		}
	case adjudicator.Settled:
		for _, t := range v.of(b.ChannelID) {
			v.end(t, ReportSettled, f, Report{})
		}
	}
}

func (v *Verifier) of(channelID common.Hash) (out []*task) {
	for _, t := range v.tasks {
		if t.ChannelID == channelID {
			out = append(out, t)
		}
	}
	return out
}

// lookAgain has publications checked that had ended by the word of a head that the feed had not reached: what ended them may have been
// reorganised away unseen.
func (v *Verifier) lookAgain() {
	for _, t := range v.tasks {
		if t.parked && t.ended == "" {
			v.queue.add(t)
		}
		t.parked = false
	}
}

// rewind forgets what happened above a block.
func (v *Verifier) rewind(to uint64) {
	v.epoch.Add(1)
	for key, first := range v.begins {
		if first > to {
			delete(v.begins, key)
		}
	}
	for id, t := range v.tasks {
		switch {
		case t.log.BlockNumber > to:
			v.drop(id, t)
			v.tell(t, Report{Kind: ReportGone})
		case t.ended != "" && t.endedAt > to:
			v.log.Warn("what ended a publication was reorganised away", "channel", t.ChannelID, "was", t.ended)
			t.ended, t.endedAt, t.told, t.report, t.minedAt = "", 0, false, Report{}, 0
			v.tell(t, Report{Kind: ReportGone})
			if t.fault == nil {
				v.summary.Closed--
				v.queue.add(t)
			}
			if t.counted {
				t.counted = false
				v.summary.Disproved--
			}
		}
	}
}

func (v *Verifier) drop(id adjudicator.FactID, t *task) {
	t.cancel()
	v.queue.remove(t)
	delete(v.tasks, id)
}

// remembered is how many blocks after its end a publication is kept when the node has no final blocks: the feed does not remember more.
const remembered = 1024

// forget drops what ended for good.
func (v *Verifier) forget(s plugin.Step) {
	for id, t := range v.tasks {
		if t.ended == "" || t.proving {
			continue
		}
		final := t.endedAt <= s.Finalized.Number
		if s.Finalized.Hash == (common.Hash{}) {
			final = t.endedAt+remembered < s.Unsafe.Number
		}
		if final {
			v.drop(id, t)
		}
	}
}

// tell completes a report with what is known of the publication.
func (v *Verifier) tell(t *task, r Report) {
	r.ChannelID, r.World, r.Publisher, r.Deadline, r.Block = t.ChannelID, t.World, t.Publisher, t.Deadline, t.log.BlockNumber
	if r.Fault == nil {
		r.Fault = t.fault
	}
	v.report(r)
}
