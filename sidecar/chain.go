package sidecar

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/protocols"
)

// Chain is what the engine needs of an L2: facts in order, and transactions.
type Chain interface {
	Steps() <-chan ChainStep
	// Submit takes a transaction; it never blocks. How it ended comes on Results.
	Submit(TxRequest)
	Results() <-chan TxResult
}

// BlockPos is a block; Time in UNIX seconds.
type BlockPos struct {
	Number uint64
	Hash   common.Hash
	Time   uint64
}

// ChainStep is one advance of the chain, applied as a whole.
type ChainStep struct {
	Rewind *BlockPos // everything above this block is gone; such a step has no facts
	Facts  []ChainFact
	Head   BlockPos // newest block delivered
	// Safe and Finalized are the newest delivered blocks of these levels; zero when the node has none.
	Safe, Finalized BlockPos
}

// FactKind names what happened on chain.
type FactKind string

const (
	FactDeposited FactKind = "deposited"
	FactFunded    FactKind = "funded"
	FactRefunded  FactKind = "refunded"
	FactConcluded FactKind = "concluded"
	FactSettled   FactKind = "settled"
	FactPublished FactKind = "published" // the whole journal is on chain
	FactExecuted  FactKind = "executed"  // the chain ran every leaf
	FactDisproved FactKind = "disproved"
	FactVetoed    FactKind = "vetoed"
)

// ChainFact is one event of a contract, about one channel.
type ChainFact struct {
	Channel   common.Hash
	Kind      FactKind
	Block     uint64
	BlockHash common.Hash
	LogIndex  uint32
	TxHash    common.Hash
	Detail    FactDetail
}

// FactDetail are the fields of all kinds; each uses its own.
type FactDetail struct {
	Participant uint8
	Asset       common.Address
	Amount      channel.Amount
	Seq         uint64
	JournalRoot common.Hash
	StateHash   common.Hash
	Deadline    uint64 `rlp:"optional"` // published: UNIX seconds
}

type chainFact = ChainFact

// TxRequest is a transaction that a channel needs, with what it is built from.
type TxRequest struct {
	Channel  common.Hash
	Tx       protocols.Tx
	Params   *channel.Params
	Funding  channel.Funding
	Rules    *channel.Rules
	Me       uint8
	Conclude *Conclusion // conclude, publish and settle
	Settle   *Settlement // publish and settle
}

// Conclusion is the state a channel ends at and the consent to it.
type Conclusion struct {
	Update     channel.Update
	Signatures []channel.Signature
	Closes     []channel.Signature // nil at a terminal state
	State      *channel.State
}

// Settlement is what an attestor or publisher brings to a World.
type Settlement struct {
	World       World
	Genesis     []byte
	Joins       []channel.Signature // by participant, zero where the deposit is the consent
	Attestation channel.Signature   // zero: the journal is published
}

// TxResult is how a TxRequest ended.
type TxResult struct {
	Channel common.Hash
	Tx      protocols.Tx
	Mined   []MinedTx // what it took, in order; none when the chain had it already
	Took    []TxStep  // how long, for traces
	Err     error
}

// TxStep is a part of a transaction's way: build, simulate, send, mine. One that was not reached has no times.
type TxStep struct {
	Name       string
	Start, End time.Time
}

// MinedTx is a transaction that was mined, successful or not.
type MinedTx struct {
	Hash    common.Hash
	Block   uint64
	GasUsed uint64
	Forced  *plugin.Forced // nil: it was not sent through L1
}

// chainState is the loop's picture of the chain.
type chainState struct {
	head            BlockPos
	safe, finalized BlockPos // zero when the nodes have none
}

// Cursors in the store: how far the chain was read, and the older blocks a reorganisation while we are down goes back to.
const (
	cursorName      = "chain"
	cursorSafe      = "chain-safe"
	cursorFinalized = "chain-finalized"
)

func (e *Engine) restoreChain() error {
	if err := e.chain.restoreLevels(e.cfg.Store); err != nil {
		return err
	}
	for _, c := range e.channels {
		facts, err := e.cfg.Store.Facts(c.id)
		if err != nil {
			return fmt.Errorf("read the facts of %s: %w", c.id, err)
		}
		for _, f := range facts {
			fact := ChainFact{Channel: f.Channel, Kind: FactKind(f.Kind), Block: f.Block, BlockHash: f.BlockHash, LogIndex: f.LogIndex, TxHash: f.TxHash}
			if err := rlp.DecodeBytes(f.Data, &fact.Detail); err != nil {
				return fmt.Errorf("fact %s of %s in block %d: %w", f.Kind, c.id, f.Block, err)
			}
			c.facts = append(c.facts, fact)
		}
	}
	return nil
}

// Cursor is where the feed goes on after a restart; ok is false at the first start.
func Cursor(store *eventstore.Store) (pos BlockPos, ok bool, err error) {
	cur, err := store.Cursor(cursorName)
	if errors.Is(err, eventstore.ErrNotFound) {
		return pos, false, nil
	}
	return BlockPos{Number: cur.Number, Hash: cur.Hash}, err == nil, err
}

// onStep applies one advance of the chain.
func (e *Engine) onStep(s ChainStep) {
	if s.Rewind != nil {
		e.cfg.Log.Warn("The chain reorganised", "to", s.Rewind.Number, "hash", s.Rewind.Hash)
		e.batch.RewindFacts(s.Rewind.Number, s.Rewind.Hash)
		e.batch.PutCursor(cursorName, s.Rewind.Number, s.Rewind.Hash)
		for _, c := range e.channels {
			c.facts = slices.DeleteFunc(slices.Clone(c.facts), func(f chainFact) bool { return f.Block > s.Rewind.Number })
		}
	}
	for _, f := range s.Facts {
		c := e.channels[f.Channel]
		if c == nil {
			continue // somebody else's channel
		}
		data, err := rlp.EncodeToBytes(f.Detail)
		if err != nil {
			e.cfg.Log.Error("Cannot encode a fact", "kind", f.Kind, "err", err)
			continue
		}
		e.batch.PutFact(eventstore.Fact{
			Block: f.Block, BlockHash: f.BlockHash, LogIndex: f.LogIndex, TxHash: f.TxHash, Channel: f.Channel, Kind: string(f.Kind), Data: data,
		})
		c.facts = append(slices.Clone(c.facts), f)
		e.logFact(c, f)
		e.cfg.Log.Info("Seen on chain", "channel", f.Channel, "fact", f.Kind, "block", f.Block, "tx", f.TxHash, "needs", e.cfg.Trust.Needs(f.Kind, c.Rules().Funding))
	}
	if s.Rewind == nil {
		e.batch.PutCursor(cursorName, s.Head.Number, s.Head.Hash)
	}
	for name, b := range map[string]BlockPos{cursorSafe: s.Safe, cursorFinalized: s.Finalized} {
		if b.Hash != (common.Hash{}) {
			e.batch.PutCursor(name, b.Number, b.Hash)
		}
	}
	e.chain = chainState{head: s.Head, safe: s.Safe, finalized: s.Finalized}
	for id, c := range e.channels {
		e.crank(id, e.view(c))
		for _, tx := range c.lost(s.Head.Number) {
			e.cfg.Log.Warn("Transaction lost", "channel", id, "kind", tx.Kind, "err", errLost)
			e.crank(id, protocols.Submitted{Tx: tx, Err: errLost.Error()})
		}
	}
	e.cfg.Metrics.ChainHead.Set(float64(s.Head.Number))
}

// view is the picture of the chain for one channel: what happened up to the newest block that is trusted enough for what it is. What is
// seen besides is told apart.
func (e *Engine) view(c *running) protocols.ChainView {
	funding := c.Rules().Funding
	v := protocols.ChainView{Time: e.chain.at(e.cfg.Trust.Of(funding)).Time}
	v.Seen.Time = e.chain.head.Time
	if v.Seen.Time != 0 {
		for _, f := range c.facts {
			see(&v.Seen, f, funding)
		}
	}
	if v.Time == 0 { // no block has the level yet
		return v
	}
	v.Funded = !slices.ContainsFunc(funding, func(s channel.Stake) bool {
		return slices.ContainsFunc(s.Amounts, func(a channel.Amount) bool { return !a.IsZero() })
	})
	for _, f := range c.facts {
		if !e.counts(f, funding) {
			continue
		}
		switch f.Kind {
		case FactDeposited:
			v.Deposited = append(v.Deposited, depositsOf(f, funding)...)
		case FactFunded:
			v.Funded = true
		case FactRefunded:
			v.Refunded = true
		case FactConcluded:
			v.Final, v.FinalSeq, v.FinalHash = true, f.Detail.Seq, f.Detail.StateHash
		case FactSettled:
			v.Settled = true
		case FactPublished:
			v.Proven, v.Deadline = true, f.Detail.Deadline
		case FactDisproved, FactVetoed:
			v.Void = true
		}
	}
	for _, f := range c.facts {
		if f.Kind == FactExecuted && e.counts(f, funding) { // whoever published besides: there is no window
			v.Proven, v.Deadline = true, 0
		}
	}
	return v
}

// counts tells whether the block of a fact has the level that the fact needs.
func (e *Engine) counts(f chainFact, funding channel.Funding) bool {
	return e.chain.level(f.Block) >= e.cfg.Trust.Needs(f.Kind, funding)
}

func depositsOf(f chainFact, funding channel.Funding) (out []protocols.Deposit) {
	for a, s := range funding {
		if s.Asset == f.Detail.Asset {
			out = append(out, protocols.Deposit{Participant: f.Detail.Participant, Asset: uint8(a)})
		}
	}
	return out
}

// see notes a fact, whether it counts or not.
func see(s *protocols.Seen, f chainFact, funding channel.Funding) {
	switch f.Kind {
	case FactDeposited:
		s.Deposited = append(s.Deposited, depositsOf(f, funding)...)
	case FactRefunded:
		s.Refunded = true
	case FactConcluded:
		s.Final = true
	case FactSettled:
		s.Settled = true
	case FactPublished, FactExecuted:
		s.Proven = true
	}
}

// submit asks the chain for a transaction unless the same one is on its way.
func (e *Engine) submit(c *running, tx protocols.Tx) {
	if c.txs[tx] {
		return
	}
	req := TxRequest{Channel: c.id, Tx: tx, Params: c.Rules().Params, Funding: c.Rules().Funding, Rules: c.Rules(), Me: c.Me()}
	if p, ok := c.Play(); ok {
		u, sigs, closes := c.Defund().Conclusion()
		req.Conclude = &Conclusion{u, sigs, closes, p.Supported().State}
	}
	if tx.Kind == protocols.TxSettle || tx.Kind == protocols.TxPublish {
		u, attestation := c.Settle().Settlement()
		req.Conclude.Update = u
		world, _ := worldOf(c.Genesis())
		req.Settle = &Settlement{world, c.Genesis(), c.Fund().Joins(), attestation}
	}
	c.txs[tx] = true
	e.traces.asked(c, tx)
	e.cfg.Log.Info("Transaction", "channel", c.id, "kind", tx.Kind)
	e.cfg.Chain.Submit(req)
}

func (e *Engine) onTxResult(r TxResult) {
	out, result := protocols.Submitted{Tx: r.Tx}, resultWord(r.Err)
	if c := e.channels[r.Channel]; r.Err != nil && c != nil && c.shows(r.Tx) {
		e.cfg.Log.Info("Transaction needless", "channel", r.Channel, "kind", r.Tx.Kind, "why", "the chain has what it was for", "err", r.Err)
		result, r.Err = txNeedless, nil
	}
	if r.Err != nil {
		out.Err = r.Err.Error()
		e.cfg.Log.Warn("Transaction failed", "channel", r.Channel, "kind", r.Tx.Kind, "err", r.Err)
	}
	for _, tx := range r.Mined {
		e.cfg.Log.Info("Transaction mined", "channel", r.Channel, "kind", r.Tx.Kind, "tx", tx.Hash, "gas", tx.GasUsed, "forced", tx.Forced != nil)
	}
	e.cfg.Metrics.Transactions.WithLabelValues(r.Tx.Kind.String(), result).Inc()
	if c := e.channels[r.Channel]; c != nil {
		delete(c.txs, r.Tx)
		c.expect(r)
		e.traces.transaction(c, r)
		for _, tx := range r.Mined {
			info := TxInfo{Kind: r.Tx.Kind.String(), TxHash: tx.Hash, GasUsed: tx.GasUsed, Time: uint64(time.Now().Unix())}
			if f := tx.Forced; f != nil {
				info.L1TxHash, info.L1GasUsed = &f.L1Tx, f.L1Gas
			}
			c.gas = append(c.gas, info)
		}
	}
	e.crank(r.Channel, out)
}

// Results of transactions, the values of the label of op_channels_transactions_total.
const (
	txMined  = "mined"
	txFailed = "failed"
	txHeld   = "held" // not sent: the admin's wish
	// Refused, or without effect, because somebody else was first: a conclusion that another participant sent.
	txNeedless = "needless"
)

func resultWord(err error) string {
	if errors.Is(err, ErrQuiet) {
		return txHeld
	}
	if err != nil {
		return txFailed
	}
	return txMined
}
