package verifier

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
)

// task is one publication. Who may touch what is said at each group.
type task struct {
	// Fixed.
	adjudicator.Published
	log    types.Log // without its data
	order  uint64
	ctx    context.Context // ends when the publication is gone
	cancel context.CancelFunc

	// The queue's, under its lock.
	running, loaded bool
	spent           time.Duration
	notBefore       time.Time

	// Of whoever runs it; the queue's while nobody does.
	work     work
	first    uint64 // block of the first chunk; 0: not known
	failures int    // in a row

	// The main loop's.
	state
}

// work is what is in memory of a publication, and how far it is.
type work struct {
	update   *channel.Update // what the channel ended with
	rules    *channel.Rules
	chunks   *chunks
	checker  *proof.Checker
	progress proof.Progress // survives drop
}

// drop forgets everything that can be loaded again.
func (w *work) drop() {
	if w.checker != nil {
		w.progress = w.checker.Progress()
	}
	*w = work{progress: w.progress}
}

// outcome is what one slice gave.
type outcome struct {
	task   *task
	ended  string       // settled, vetoed or disproved before it was checked, as a kind of Report
	head   bool         // ended was read at the node's head, which the feed has not reached
	epoch  uint64       // how often the chain was rewound before
	done   bool         // every leaf is derived, or the first wrong one is found
	fault  *proof.Fault // of a wrong journal
	shape  channel.Shape
	call   adjudicator.Call // disproves it
	leaves uint64           // derived so far
	total  uint64
	err    error

	failures int // in a row, err included
}

var (
	// errBehind means that the node does not know (any more) what the feed said.
	errBehind = errors.New("the node does not know the publication: it is behind, or the chain was reorganised")
	// errProgram means that what is registered is no module.
	errProgram = errors.New("the registered module is none, nobody can verify it: its World's owner should revoke the policy")
)

// slice works on a task for about as long as a slice is.
func (v *Verifier) slice(t *task) outcome {
	o := outcome{task: t, epoch: v.epoch.Load()}
	end := time.Now().Add(v.cfg.Slice)
	o.err = v.advance(t, &o, end)
	return o
}

func (v *Verifier) advance(t *task, o *outcome, end time.Time) (err error) {
	w := &t.work
	if w.update == nil {
		reader := v.reader
		if at := v.readAt.Load(); at != nil {
			reader = reader.At(at.Hash)
		} else {
			o.head = true
		}
		if o.ended, err = v.readStanding(t, reader); err != nil || o.ended != "" {
			return err
		}
	}
	if w.rules == nil {
		if w.rules, err = v.rules(t); err != nil {
			return err
		}
	}
	if w.checker == nil {
		if w.chunks == nil {
			w.chunks = newChunks(t, v.cfg.MaxBlockRange)
		}
		for !w.chunks.complete {
			if err := w.chunks.step(t.ctx, v.client, v.cfg.Contracts, v.cfg.RequestTimeout); err != nil {
				return err
			}
			if time.Now().After(end) {
				return nil
			}
		}
		j, err := w.chunks.journal(t.ChannelID)
		if err == nil {
			w.checker, err = proof.NewChecker(w.rules, j, *w.update)
		}
		w.chunks = nil
		if err != nil {
			t.first = 0 // perhaps what was known of the chunks was reorganised away
			return fmt.Errorf("the chunks in the logs: %w", err)
		}
		w.checker.Resume(w.progress)
	}
	c := w.checker
	before := c.Next()
	for !c.Step() && time.Now().Before(end) && t.ctx.Err() == nil {
	}
	v.metrics.leaves.Add(float64(c.Next() - before))
	o.leaves, o.total, o.done = c.Next(), w.update.Seq+1, c.Done()
	if f := c.Fault(); f != nil {
		witness, err := c.Witness()
		if err != nil {
			return err
		}
		if o.call, err = adjudicator.Disprove(v.cfg.Contracts.Publications, &t.Params, t.Funding, witness); err != nil {
			return err
		}
		o.fault, o.shape = f, w.rules.Shape()
	}
	return nil
}

// readStanding asks how the journal stands, and what the channel ended with.
func (v *Verifier) readStanding(t *task, r adjudicator.Reader) (ended string, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, v.cfg.RequestTimeout)
	defer cancel()
	standing, err := r.Standing(ctx, t.ChannelID)
	switch {
	case err != nil:
		return "", err
	case standing.Voided:
		return ReportDisproved, nil
	case standing.Vetoed:
		return ReportVetoed, nil
	case standing.Publisher != t.Publisher || standing.Deadline != t.Deadline:
		return "", errBehind
	}
	if v.cfg.Contracts.Settlement != (common.Address{}) {
		settled, err := r.IsSettled(ctx, t.ChannelID)
		if err != nil {
			return "", err
		}
		if settled {
			return ReportSettled, nil
		}
	}
	c, err := r.Channel(ctx, t.ChannelID)
	if err != nil {
		return "", err
	}
	if c.Status != adjudicator.StatusFinal {
		return "", errBehind
	}
	t.work.update = &channel.Update{ChannelID: t.ChannelID, Seq: c.Seq, JournalRoot: c.JournalRoot, StateHash: c.StateHash}
	return "", nil
}

func (v *Verifier) rules(t *task) (*channel.Rules, error) {
	m, err := v.modules.get(t.ctx, t.Params.ModuleHash)
	if err != nil {
		return nil, err
	}
	// No top-ups: the adjudicator records none yet, so the chain rejects each.
	r, err := channel.NewRules(&t.Params, t.Funding, m)
	if err != nil {
		return nil, err
	}
	if r.ID() != t.ChannelID {
		return nil, fmt.Errorf("the log's params are those of channel %s: the node lies", r.ID())
	}
	return r, nil
}

// chunks collects the logs of a publication's chunks, a request at a time. Forwards from the block of the first one: nothing else of
// this publisher is between the first chunk and the last, so that what is read is at most the journal. Where that block is not known it
// is looked for backwards, by few blocks at a time: before the first chunk there may be any amount of chunks that the publisher gave up,
// which may not fill the memory.
type chunks struct {
	t        *task
	max      uint64 // blocks per request forwards
	span     uint64 // of the next request
	next     uint64 // block to go on with
	back     bool   // looking for the first chunk
	complete bool
	parts    []proof.Part
	genesis  []byte
	state    common.Hash
	bytes    int
}

// backwards bounds the blocks of one request when the first chunk is looked for, farthest how far back it can be: all chunks come within
// a day, and blocks are no quicker than five a second.
const (
	backwards = 64
	farthest  = 5 * 24 * 3600
)

func newChunks(t *task, maxRange uint64) *chunks {
	c := &chunks{t: t, max: maxRange, span: maxRange, next: t.first}
	if t.first == 0 || t.first > t.log.BlockNumber {
		c.back, c.span, c.next = true, 1, t.log.BlockNumber
	}
	return c
}

var errNoChunks = errors.New("the chunks of the publication are not in the logs: the node does not keep them, or leaves them out")

// step makes one request.
func (c *chunks) step(ctx context.Context, client LogReader, at adjudicator.Contracts, timeout time.Duration) error {
	from, to := c.next, min(c.next+c.span-1, c.t.log.BlockNumber)
	if c.back {
		from, to = c.next-min(c.span-1, c.next), c.next
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	logs, err := client.FilterLogs(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(to), Addresses: []common.Address{at.Publications},
		Topics: [][]common.Hash{{adjudicator.ChunkPublishedTopic}, {c.t.ChannelID}, {common.BytesToHash(c.t.Publisher[:])}},
	})
	if err != nil {
		c.span = max(1, c.span/2) // nodes bound range or answer, in many words
		return fmt.Errorf("read the chunks in blocks %d to %d: %w", from, to, err)
	}
	found, err := c.take(logs, at)
	if err != nil {
		return err
	}
	if !c.back {
		c.next, c.span = to+1, min(2*c.span, c.max)
		c.complete = to == c.t.log.BlockNumber
		return nil
	}
	switch {
	case found != 0: // forwards from here
		c.back, c.next, c.span = false, found, c.max
	case from == 0 || from+farthest < c.t.log.BlockNumber:
		return errNoChunks
	default:
		c.next, c.span = from-1, min(2*c.span, backwards)
	}
	return nil
}

// take keeps the chunks of these logs; when looking backwards it gives the block of the newest first chunk instead.
func (c *chunks) take(logs []types.Log, at adjudicator.Contracts) (first uint64, err error) {
	for _, l := range logs {
		p := &c.t.log
		if l.BlockNumber > p.BlockNumber || l.BlockNumber == p.BlockNumber && l.Index > p.Index {
			continue
		}
		f, ok, err := at.DecodeLog(l)
		if err != nil {
			return 0, err
		}
		chunk, isChunk := f.Body.(adjudicator.ChunkPublished)
		if !ok || !isChunk || chunk.ChannelID != c.t.ChannelID || chunk.Publisher != c.t.Publisher {
			return 0, fmt.Errorf("log %d of block %d was not asked for: the node lies", l.Index, l.BlockNumber)
		}
		if chunk.First == 0 {
			first = l.BlockNumber
			c.parts, c.bytes = nil, 0 // the publisher began again
			c.genesis, c.state = chunk.GenesisInput, chunk.GenesisState
		}
		if c.back {
			continue
		}
		if c.bytes += len(chunk.Entries); c.bytes > proof.MaxJournalBytes {
			return 0, fmt.Errorf("%w: more than %d bytes of entries", proof.ErrJournal, proof.MaxJournalBytes)
		}
		c.parts = append(c.parts, proof.Part{First: chunk.First, Next: chunk.Next, Entries: chunk.Entries})
	}
	return first, nil
}

func (c *chunks) journal(id common.Hash) (*proof.Journal, error) {
	return proof.Join(id, c.genesis, c.state, c.parts)
}
