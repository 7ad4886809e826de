package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/protocols"
	"github.com/prometheus/client_golang/prometheus"
)

// Link joins the chain's feed and transactions (plugin) with what the contracts mean (adjudicator); it is the Chain of a
// running sidecar.
type Link struct {
	cfg    *Config
	log    log.Logger
	chain  *plugin.Chain
	sender *plugin.Submitter
	reader adjudicator.Reader
	store  *eventstore.Store
	from   plugin.BlockRef
	// contracts are those of the settlement; without one the adjudicator only.
	contracts adjudicator.Contracts
	known     []plugin.BlockRef // older blocks that were delivered: where to go back to when `from` was reorganised away meanwhile

	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	steps   chan ChainStep
	results chan TxResult
	builds  chan TxRequest

	quiet atomic.Bool // no journals are published: the admin's wish

	mu      sync.Mutex
	waiting map[string]*sending // by the Submitter's request ID
}

// sending is a TxRequest whose calls are under way.
type sending struct {
	req   TxRequest
	left  int
	mined []MinedTx
	took  []TxStep
	err   error
}

// ErrQuiet is why no journal is published after admin_stopPublishing; it is tried again.
var ErrQuiet = errors.New("publishing is stopped by admin_stopPublishing: it goes on after admin_startPublishing")

const (
	stepBuffer  = 16
	buildBuffer = 4096
)

// NewLink connects to the node and checks that it and the contracts are the configured ones.
func NewLink(ctx context.Context, cfg *Config, store *eventstore.Store, logger log.Logger, registry *prometheus.Registry) (*Link, error) {
	l := &Link{
		cfg: cfg, log: logger, store: store, steps: make(chan ChainStep, stepBuffer), results: make(chan TxResult, buildBuffer),
		builds: make(chan TxRequest, buildBuffer), waiting: make(map[string]*sending),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	var err error
	if l.chain, err = plugin.Dial(ctx, plugin.Config{
		RPC: cfg.L2EthRPC, Local: cfg.Local, RollupRPC: cfg.RollupRPC, ChainID: cfg.ChainID, VerifyReceipts: cfg.VerifyReceipts, CheckOutputs: cfg.CheckOutputs,
		StallTimeout: cfg.StallTimeout, PollInterval: cfg.PollInterval, Logger: logger, Registerer: registry,
	}); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx, store); err != nil {
		l.chain.Close()
		return nil, err
	}
	return l, nil
}

func (l *Link) prepare(ctx context.Context, store *eventstore.Store) (err error) {
	l.contracts = adjudicator.Contracts{Adjudicator: l.cfg.Adjudicator}
	if l.cfg.Settlement != (common.Address{}) {
		if l.contracts, err = adjudicator.Discover(ctx, l.chain.Client(), l.cfg.Settlement); err != nil {
			return err
		}
		if l.contracts.Adjudicator != l.cfg.Adjudicator {
			return fmt.Errorf("the settlement contract %s serves the adjudicator %s, not %s: check --settlement and --adjudicator",
				l.cfg.Settlement, l.contracts.Adjudicator, l.cfg.Adjudicator)
		}
	}
	l.reader = adjudicator.NewReader(l.chain.Client(), l.contracts)
	if _, err := l.reader.MinWindow(ctx); err != nil {
		return err
	}
	sending := plugin.SubmitterConfig{Tx: l.cfg.Tx, DecodeRevert: adjudicator.DecodeRevert, GasCap: l.cfg.GasCap, Force: l.cfg.Force}
	if remote := l.cfg.Keys.OwnerSigner; remote != nil {
		sending.Signer, sending.From = remote.Transactions, remote.Address()
	}
	if l.sender, err = plugin.NewSubmitter(l.chain, sending); err != nil {
		return err
	}
	if owner := l.cfg.OwnerAddress(); l.sender.From() != owner {
		return fmt.Errorf("transactions are sent by %s, but the owner's key is that of %s", l.sender.From(), owner)
	}
	pos, ok, err := Cursor(store)
	if err != nil {
		return fmt.Errorf("read the chain cursor: %w", err)
	}
	l.from = plugin.BlockRef{Number: pos.Number, Hash: pos.Hash}
	if !ok && l.cfg.StartBlock > 0 {
		l.from.Number = l.cfg.StartBlock - 1
	}
	if l.known, err = knownBlocks(store); err != nil {
		return fmt.Errorf("read the chain cursors: %w", err)
	}
	return nil
}

func knownBlocks(store *eventstore.Store) (out []plugin.BlockRef, err error) {
	for _, name := range []string{cursorSafe, cursorFinalized} {
		c, err := store.Cursor(name)
		if errors.Is(err, eventstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, plugin.BlockRef{Number: c.Number, Hash: c.Hash})
	}
	return out, nil
}

// Start begins to follow the chain.
func (l *Link) Start() {
	raw := make(chan plugin.Step)
	l.wg.Add(4)
	go func() {
		defer l.wg.Done()
		defer close(raw)
		err := l.chain.Follow(l.ctx, plugin.FeedConfig{
			Addresses: l.followed(), Topics: adjudicator.Topics(), From: l.from, Known: l.known, Start: l.cfg.StartBlock,
		}, raw)
		if err != nil && !errors.Is(err, context.Canceled) {
			l.log.Error("The chain can no longer be followed", "err", err)
		}
	}()
	go func() {
		defer l.wg.Done()
		for s := range raw {
			select {
			case l.steps <- l.read(s):
			case <-l.ctx.Done():
			}
		}
	}()
	go func() {
		defer l.wg.Done()
		for {
			select {
			case req := <-l.builds:
				l.build(req)
			case <-l.ctx.Done():
				return
			}
		}
	}()
	go func() {
		defer l.wg.Done()
		for {
			select {
			case r, ok := <-l.sender.Results():
				if !ok {
					return
				}
				l.sent(r)
			case <-l.ctx.Done():
				return
			}
		}
	}()
}

// followed are the contracts whose logs say something about channels; those of registry, policies and tickets are looked up
// when they are needed.
func (l *Link) followed() []common.Address {
	return adjudicator.Contracts{
		Adjudicator: l.contracts.Adjudicator, Publications: l.contracts.Publications, Settlement: l.contracts.Settlement,
	}.Addresses()
}

// Close ends the feed and the transactions.
func (l *Link) Close(ctx context.Context) error {
	err := l.sender.Close(ctx)
	l.cancel()
	l.wg.Wait()
	l.chain.Close()
	return err
}

// Steps and Results implement Chain.
func (l *Link) Steps() <-chan ChainStep  { return l.steps }
func (l *Link) Results() <-chan TxResult { return l.results }

func posOf(b plugin.BlockRef) BlockPos { return BlockPos{b.Number, b.Hash, b.Time} }

// read makes a step of the engine of one of the feed. A log that the contracts cannot have written is left out and said.
func (l *Link) read(s plugin.Step) ChainStep {
	out := ChainStep{Head: posOf(s.Unsafe)}
	if s.Rewind != nil {
		to := posOf(*s.Rewind)
		out.Rewind, out.Head = &to, to
	}
	out.Safe, out.Finalized = posOf(s.Safe), posOf(s.Finalized)
	for _, raw := range s.Logs {
		fact, known, err := l.reader.DecodeLog(raw)
		if err != nil {
			l.log.Error("A log of our contracts does not decode", "block", raw.BlockNumber, "tx", raw.TxHash, "err", err)
			continue
		}
		if known {
			if f, ok := factOf(fact); ok {
				out.Facts = append(out.Facts, f)
			}
		}
	}
	return out
}

// Submit implements Chain.
func (l *Link) Submit(req TxRequest) {
	select {
	case l.builds <- req:
	default:
		l.finish(req, TxResult{Err: errors.New("too many transactions wait: it is tried again")})
	}
}

func (l *Link) finish(req TxRequest, r TxResult) {
	r.Channel, r.Tx = req.Channel, req.Tx
	select {
	case l.results <- r:
	case <-l.ctx.Done():
	}
}

// build makes calldata and hands it to the submitter.
func (l *Link) build(req TxRequest) {
	start := time.Now()
	calls, err := l.calls(req)
	took := []TxStep{{"build", start, time.Now()}}
	if err != nil {
		l.finish(req, TxResult{Err: err, Took: took})
		return
	}
	if len(calls) == 0 { // what it is for is done already
		l.finish(req, TxResult{Took: took})
		return
	}
	s := &sending{req: req, left: len(calls), took: took}
	ids := make([]string, len(calls))
	l.mu.Lock()
	for i := range calls {
		ids[i] = fmt.Sprintf("%s/%s/%d/%d", req.Channel, req.Tx.Kind, req.Tx.Asset, i)
		l.waiting[ids[i]] = s
	}
	l.mu.Unlock()
	for i, c := range calls {
		if err := l.sender.Submit(plugin.Request{ID: ids[i], Group: req.Channel.Hex(), To: c.To, Data: c.Data, Value: c.Value}); err != nil {
			l.sent(plugin.Result{ID: ids[i], Err: err})
		}
	}
}

func (l *Link) sent(r plugin.Result) {
	l.mu.Lock()
	s := l.waiting[r.ID]
	delete(l.waiting, r.ID)
	if s == nil {
		l.mu.Unlock()
		return
	}
	s.left--
	if s.err == nil {
		s.err = r.Err
	}
	if r.Receipt != nil {
		s.mined = append(s.mined, MinedTx{r.TxHash, r.Receipt.BlockNumber.Uint64(), r.Receipt.GasUsed, r.Forced})
	}
	s.took = append(s.took, TxStep{"simulate", r.Simulating, r.Simulated}, TxStep{"send", r.Simulated, r.Published}, TxStep{"mine", r.Published, time.Now()})
	done, out := s.left == 0, TxResult{Mined: s.mined, Took: s.took, Err: s.err}
	l.mu.Unlock()
	if done {
		l.finish(s.req, out)
	}
}

func (l *Link) calls(req TxRequest) ([]adjudicator.Call, error) {
	one := func(c adjudicator.Call, err error) ([]adjudicator.Call, error) { return []adjudicator.Call{c}, err }
	switch req.Tx.Kind {
	case protocols.TxDeposit:
		return l.depositCalls(req)
	case protocols.TxRefund:
		return one(adjudicator.Refund(req.Params, req.Funding))
	case protocols.TxConclude:
		c := req.Conclude
		return one(adjudicator.Conclude(req.Params, req.Funding, c.Update, c.Signatures, c.Closes, c.State))
	case protocols.TxSettle:
		return l.settleCalls(req)
	case protocols.TxPublish:
		if l.quiet.Load() {
			return nil, ErrQuiet
		}
		return l.publishCalls(req)
	case protocols.TxRelease:
		return l.releaseCalls(req)
	}
	return nil, fmt.Errorf("no such transaction: %s", req.Tx.Kind)
}

func (l *Link) depositCalls(req TxRequest) ([]adjudicator.Call, error) {
	stake := req.Funding[req.Tx.Asset]
	deposit, err := adjudicator.Deposit(req.Params, req.Funding, int(req.Me), int(req.Tx.Asset))
	if err != nil || stake.Asset == (common.Address{}) {
		return []adjudicator.Call{deposit}, err
	}
	approve, err := adjudicator.Approve(stake.Asset, req.Params.Adjudicator, stake.Amounts[req.Me])
	return []adjudicator.Call{approve, deposit}, err
}
