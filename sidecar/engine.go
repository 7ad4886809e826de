// Package sidecar is the daemon: it gives the pure objectives a disk, a network, a chain, keys, a clock and an API.
//
// One engine loop owns everything that changes (R1). Its inputs are requests of the API, messages of peers, steps of the
// chain with results of transactions, and time. It takes what is at hand, cranks the objectives, and then, in this order
// (docs/protocol.md §3, S1; R2): commits all records with one fsync, signs, sends. An input that is wrong is answered or
// counted and never ends the loop; a disk that fails does.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/lifecycle"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/evmts/channels/sidecar/tracing"
)

// Network is what the engine needs of a transport; p2p.Transport is the one that runs.
type Network interface {
	Send(to common.Address, body []byte) error
	Inbound() <-chan p2p.Inbound
	Events() <-chan p2p.Event
	Penalize(addr common.Address, reason string)
}

// Modules finds an installed module by its hash.
type Modules interface {
	Get(hash common.Hash) (channel.Module, error)
}

// EngineConfig is what an Engine is made of.
type EngineConfig struct {
	Keys        Keys
	ChainID     uint64
	Adjudicator common.Address
	Settlement  common.Address // zero: this node serves no World
	// AttestWorlds are those that the attestor signs for; none: every World of the settlement.
	AttestWorlds []common.Address
	Publish      bool // publish the journals of our finished channels where their World wants them
	Policy       Policy
	Trust        Trust
	Stall        time.Duration // messages are sent again after this long without progress
	Skew         time.Duration // how far an event's timestamp may be ahead of our clock
	Margin       time.Duration // no deposit later than this before the funding deadline
	Turn         time.Duration // left to each participant before us to conclude
	Store        *eventstore.Store
	Network      Network
	Chain        Chain
	Modules      Modules
	Metrics      *Metrics
	Tracer       *tracing.Tracer // nil: no traces
	Log          log.Logger
	Now          func() time.Time
}

const (
	maxBatch      = 256 // inputs taken before one commit
	requestBuffer = 256
	maxChannels   = 20_000
	maxRequests   = 10_000 // answers that are waited for
)

// Engine is the one loop.
type Engine struct {
	cfg     EngineConfig
	session common.Address
	owner   common.Address

	requests chan func()
	replays  chan replayed
	// signatures are those of remote signers; signing ends their questions.
	signatures chan signed
	signing    context.Context
	hangUp     context.CancelFunc
	stop       chan struct{}
	done       chan struct{}
	refusing   atomic.Bool // no new channels: the admin's wish
	err        error       // why the loop ended; read after done

	// Everything below belongs to the loop.
	channels map[common.Hash]*running
	peers    map[common.Address]map[common.Hash]struct{} // channels by the other participants' session keys
	touched  map[common.Hash]struct{}
	batch    *eventstore.Batch
	wait     bool // the batch must be on disk before anything is done that follows from it
	after    []deferred
	acks     []func()
	asked    map[asked]struct{} // of remote signers
	waiting  map[uint64]chan<- Answer
	nextID   uint64
	chain    chainState
	subs     subscriptions
	traces   *traces
}

// running is a channel in memory.
type running struct {
	lifecycle.Lifecycle
	id     common.Hash
	record eventstore.ChannelRecord
	facts  []chainFact
	txs    map[protocols.Tx]bool // on their way
	unseen []unseen              // mined, and their facts not delivered yet
	status string                // as recorded
	gas    []TxInfo              // transactions of ours since the start
	ended  time.Time             // when its end was seen on chain and the replay began; zero: not, or it is attested

	// For traces only.
	tracks     []*track // events on their way, in the order of seq
	phaseSince time.Time
	traced     bool // its end is told
	txsSince   map[protocols.Tx]time.Time
}

type deferred struct {
	id     common.Hash
	action protocols.Action
}

// Answer ends a Request.
type Answer struct {
	Seq uint64
	Err error
}

// NewEngine reads the store and makes an engine that goes on where it ended. Run starts it.
func NewEngine(cfg EngineConfig) (*Engine, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Engine{
		cfg: cfg, session: crypto.PubkeyToAddress(cfg.Keys.Session.PublicKey), owner: cfg.Keys.OwnerAddress(),
		requests: make(chan func(), requestBuffer), replays: make(chan replayed, 16), stop: make(chan struct{}), done: make(chan struct{}),
		channels: make(map[common.Hash]*running), peers: make(map[common.Address]map[common.Hash]struct{}),
		touched: make(map[common.Hash]struct{}), batch: cfg.Store.NewBatch(), waiting: make(map[uint64]chan<- Answer),
		signatures: make(chan signed, maxAsked), asked: make(map[asked]struct{}), traces: newTraces(cfg.Tracer),
	}
	e.signing, e.hangUp = context.WithCancel(context.Background())
	if err := e.restore(); err != nil {
		return nil, err
	}
	return e, nil
}

// Run is the loop; it returns when Stop is called (nil) or when the node cannot keep its promises any more.
func (e *Engine) Run() error {
	defer close(e.done)
	defer e.hangUp()
	defer func() { e.traces.end(e.channels) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	if e.err = e.settle(); e.err != nil {
		return e.err
	}
	for {
		select {
		case <-e.stop:
			return nil
		case m := <-e.cfg.Network.Inbound():
			e.onInbound(m)
		case ev := <-e.cfg.Network.Events():
			e.onPeer(ev)
		case fn := <-e.requests:
			fn()
		case s := <-e.cfg.Chain.Steps():
			e.onStep(s)
		case r := <-e.cfg.Chain.Results():
			e.onTxResult(r)
		case r := <-e.replays:
			e.onReplayed(r)
		case s := <-e.signatures:
			e.onSigned(s)
		case <-tick.C:
			e.onTick()
		case <-e.cfg.Store.Failed():
			e.err = fmt.Errorf("engine: %w", e.cfg.Store.Err())
			return e.err
		}
		e.drain()
		if e.err = e.settle(); e.err != nil {
			e.cfg.Log.Error("The engine stops: it cannot keep what it would promise", "err", e.err)
			return e.err
		}
	}
}

// drain takes what else is at hand, so that one fsync serves many inputs.
func (e *Engine) drain() {
	for range maxBatch {
		select {
		case m := <-e.cfg.Network.Inbound():
			e.onInbound(m)
		case fn := <-e.requests:
			fn()
		default:
			return
		}
	}
}

// Stop ends the loop after the batch at hand and waits for it.
func (e *Engine) Stop(ctx context.Context) error {
	select {
	case <-e.stop:
	default:
		close(e.stop)
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the engine: %w", ctx.Err())
	}
}

// Done is closed when the loop has ended.
func (e *Engine) Done() <-chan struct{} { return e.done }

// ErrStopped is returned to requests that the loop can no longer take.
var ErrStopped = errors.New("the sidecar is shutting down")

// do runs fn in the loop and waits for it.
func (e *Engine) do(ctx context.Context, fn func()) error {
	ran := make(chan struct{})
	select {
	case e.requests <- func() { fn(); close(ran) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return ErrStopped
	}
	select {
	case <-ran:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return ErrStopped
	}
}

func (e *Engine) now() uint64 { return uint64(e.cfg.Now().Unix()) }

// crank gives one input to a channel and keeps what it asks for until the next commit.
func (e *Engine) crank(id common.Hash, in protocols.Input) {
	c := e.channels[id]
	if c == nil {
		return
	}
	start := e.traces.now()
	next, acts := c.Lifecycle.Crank(in)
	c.Lifecycle = next
	e.traces.cranked(c, in, acts, start)
	e.collect(c, acts)
	e.touched[id] = struct{}{}
}

// collect puts records into the batch and everything else behind the commit.
func (e *Engine) collect(c *running, acts []protocols.Action) {
	for _, a := range acts {
		if r, ok := a.(protocols.Record); ok {
			e.record(c, r)
		} else {
			e.after = append(e.after, deferred{c.id, a})
		}
	}
}

// settle commits, signs and sends until nothing is left to do.
func (e *Engine) settle() error {
	e.flush()
	for e.batch.Len() > 0 || len(e.after) > 0 || len(e.touched) > 0 {
		if e.batch.Len() > 0 {
			start := time.Now()
			if err := e.cfg.Store.Commit(e.batch, e.wait); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			e.wait = false
			e.cfg.Metrics.CommitSeconds.Observe(time.Since(start).Seconds())
			e.traces.committed(start)
		}
		todo := e.after
		e.after = nil
		for _, d := range todo {
			if err := e.act(d); err != nil {
				return err
			}
		}
		if len(e.after) == 0 && e.batch.Len() == 0 {
			e.flush()
		}
	}
	for _, ack := range e.acks {
		ack()
	}
	e.acks = e.acks[:0]
	return nil
}

// flush lets the channels that got something do what is done once for many inputs.
func (e *Engine) flush() {
	if len(e.touched) == 0 {
		return
	}
	ids := e.touched
	e.touched = make(map[common.Hash]struct{})
	now := e.now()
	for id := range ids {
		c := e.channels[id]
		if c == nil {
			continue
		}
		start := e.traces.now()
		next, acts := c.Lifecycle.Crank(protocols.Flush{Now: now})
		c.Lifecycle = next
		e.traces.cranked(c, protocols.Flush{}, acts, start)
		e.collect(c, acts)
		e.recordStatus(c)
	}
}

// act carries out an action after the commit.
func (e *Engine) act(d deferred) error {
	c := e.channels[d.id]
	if c == nil {
		return nil
	}
	switch a := d.action.(type) {
	case protocols.Sign:
		return e.sign(c, a)
	case protocols.Send:
		start := e.traces.now()
		e.send(c, a.To, a.Body)
		e.traces.sent(c, a.Body, start)
	case protocols.SendEntries:
		e.sendEntries(c, a)
	case protocols.SubmitTx:
		e.submit(c, a.Tx)
	case protocols.Replay:
		e.startReplay(c, a.Seq)
	case protocols.Recall:
		e.recall(c, a)
	case protocols.Notify:
		e.notify(c, a.Event)
	case protocols.Respond:
		answer := Answer{Seq: a.Seq}
		if a.Err != nil {
			answer.Err = a.Err
		}
		e.answer(a.ID, answer)
	case protocols.Drop:
		e.dropped(c.participant(a.From), a.Code, a.Text)
	}
	return nil
}

func (c *running) participant(i uint8) common.Address {
	if ps := c.Rules().Params.Participants; int(i) < len(ps) {
		return ps[i].Signer
	}
	return common.Address{}
}

func (e *Engine) send(c *running, to uint8, body protocols.Body) {
	e.sendTo(c.participant(to), protocols.Message{Channel: c.id, Body: body})
}

// sendTo hands a message to the transport. A full queue is no error: what matters is told again after a stall.
func (e *Engine) sendTo(to common.Address, m protocols.Message) {
	b, err := m.Encode()
	if err == nil {
		err = e.cfg.Network.Send(to, b)
	}
	if err != nil {
		e.cfg.Metrics.MessagesDropped.WithLabelValues("out", m.Kind().String(), "send").Inc()
		e.cfg.Log.Debug("Message not sent", "to", to, "kind", m.Kind(), "channel", m.Channel, "err", err)
		return
	}
	e.cfg.Metrics.Messages.WithLabelValues("out", m.Kind().String()).Inc()
}

// sendEntries reads the journal and sends what fits, with the proof that it belongs to the newest head.
func (e *Engine) sendEntries(c *running, a protocols.SendEntries) {
	m := protocols.CatchUp{From: a.From, Heads: a.Heads}
	last := a.Heads[len(a.Heads)-1].Update.Seq
	if a.From <= last {
		entries, err := e.readEntries(c.id, a.From, last)
		if err != nil {
			e.cfg.Log.Error("Cannot read the journal for a peer", "channel", c.id, "from", a.From, "err", err)
			return
		}
		m.Entries = entries
		if end := a.From + uint64(len(entries)) - 1; end < last {
			tree, err := e.cfg.Store.Tree(c.id)
			if err == nil {
				m.Proof, err = tree.ConsistencyProof(end+1, last+1)
			}
			if err != nil {
				e.cfg.Log.Error("Cannot prove the journal to a peer", "channel", c.id, "err", err)
				return
			}
		}
	}
	e.send(c, a.To, m)
}

func (e *Engine) readEntries(id common.Hash, from, to uint64) (out []channel.Entry, err error) {
	stored, err := e.cfg.Store.Entries(id, from, int(min(to-from+1, protocols.MaxEntries)))
	size := 0
	for _, s := range stored {
		if s.Entry.Event != nil {
			size += len(s.Entry.Event.Payload)
		}
		if size += 256; size > protocols.MaxEntriesBytes && len(out) > 0 {
			break
		}
		out = append(out, s.Entry)
	}
	return out, err
}

// onInbound is a message of a peer. Nothing of a bad one is stored; it is counted, and too many end in a ban (R8).
func (e *Engine) onInbound(in p2p.Inbound) {
	e.acks = append(e.acks, in.Ack)
	m, err := protocols.DecodeMessage(in.Body)
	if err != nil {
		e.dropped(in.From, channel.CodeMalformed, err.Error())
		return
	}
	e.cfg.Metrics.Messages.WithLabelValues("in", m.Kind().String()).Inc()
	c := e.channels[m.Channel]
	if c == nil {
		if p, ok := m.Body.(protocols.Proposal); ok {
			e.onProposal(in.From, m.Channel, p)
			return
		}
		e.dropped(in.From, channel.CodeUnknownChannel, fmt.Sprintf("%s for channel %s", m.Kind(), m.Channel))
		return
	}
	i := c.Rules().Params.Index(in.From)
	if i < 0 {
		e.dropped(in.From, channel.CodeNotParticipant, fmt.Sprintf("%s for channel %s", m.Kind(), m.Channel))
		return
	}
	e.crank(m.Channel, protocols.Received{From: uint8(i), Body: m.Body, Now: e.now()})
}

// harmless are the drops that honest peers cause: by restarting, by being early or late.
var harmless = map[channel.Code]bool{
	channel.CodeNotReady: true, channel.CodePhase: true, channel.CodeGap: true, channel.CodeStale: true, channel.CodeBusy: true,
	channel.CodeUnknownChannel: true, channel.CodeRejected: true,
}

func (e *Engine) dropped(from common.Address, code channel.Code, text string) {
	e.cfg.Metrics.MessagesDropped.WithLabelValues("in", "", string(code)).Inc()
	e.cfg.Log.Debug("Message dropped", "from", from, "code", code, "why", text)
	if !harmless[code] {
		e.cfg.Network.Penalize(from, string(code)+": "+text)
	}
}

func (e *Engine) onPeer(ev p2p.Event) {
	if ev.Kind != p2p.Connected {
		e.cfg.Log.Info("Peer", "event", ev.Kind, "peer", ev.Peer, "reason", ev.Reason)
		return
	}
	e.cfg.Log.Info("Peer connected", "peer", ev.Peer)
	for id := range e.peers[ev.Peer] {
		if i := e.channels[id].Rules().Params.Index(ev.Peer); i >= 0 {
			e.crank(id, protocols.Connected{Peer: uint8(i)})
		}
	}
}

func (e *Engine) onTick() {
	now := e.now()
	for id := range e.channels {
		e.crank(id, protocols.Tick{Now: now})
	}
	e.cfg.Metrics.observe(e)
}

func (e *Engine) answer(id uint64, a Answer) {
	if ch, ok := e.waiting[id]; ok {
		delete(e.waiting, id)
		ch <- a // buffered by whoever asked
	}
}
