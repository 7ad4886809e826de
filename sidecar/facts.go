package sidecar

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/plugin"
)

// level is how far a block can be trusted to stay, by the newest blocks that the nodes call safe and final.
func (s *chainState) level(block uint64) plugin.Level {
	at := func(b BlockPos) bool { return b.Hash != (common.Hash{}) && block <= b.Number }
	switch {
	case at(s.finalized):
		return plugin.Finalized
	case at(s.safe):
		return plugin.Safe
	}
	return plugin.Unsafe
}

// at is the newest delivered block of a level; the zero BlockPos when there is none yet.
func (s *chainState) at(l plugin.Level) BlockPos {
	switch l {
	case plugin.Finalized:
		return s.finalized
	case plugin.Safe:
		return s.safe
	}
	return s.head
}

// restoreLevels takes up what was safe and final before a restart, until the feed says more.
func (s *chainState) restoreLevels(store *eventstore.Store) error {
	for name, b := range map[string]*BlockPos{cursorSafe: &s.safe, cursorFinalized: &s.finalized} {
		c, err := store.Cursor(name)
		if errors.Is(err, eventstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the cursor %s: %w", name, err)
		}
		*b = BlockPos{Number: c.Number, Hash: c.Hash}
	}
	return nil
}

// observeFacts counts the facts of all channels by kind and level.
func (e *Engine) observeFacts() {
	type need struct {
		kind  FactKind
		level plugin.Level
	}
	count, waiting := make(map[FactKind]*[plugin.Finalized + 1]float64), make(map[need]float64)
	for _, c := range e.channels {
		for _, f := range c.facts {
			if count[f.Kind] == nil {
				count[f.Kind] = new([plugin.Finalized + 1]float64)
			}
			count[f.Kind][e.chain.level(f.Block)]++
			n := need{f.Kind, e.cfg.Trust.Needs(f.Kind, c.Rules().Funding)}
			waiting[n] += 0 // shown before the first one waits
			if !e.counts(f, c.Rules().Funding) {
				waiting[n]++
			}
		}
	}
	e.cfg.Metrics.Facts.Reset()
	for kind, levels := range count {
		for l, n := range levels {
			e.cfg.Metrics.Facts.WithLabelValues(string(kind), plugin.Level(l).String()).Set(n)
		}
	}
	e.cfg.Metrics.FactsWaiting.Reset()
	for n, facts := range waiting {
		e.cfg.Metrics.FactsWaiting.WithLabelValues(string(n.kind), n.level.String()).Set(facts)
	}
}

// factOf makes a fact of the engine of what a contract said; ok is false for what the engine does not need.
func factOf(f adjudicator.Fact) (out ChainFact, ok bool) {
	id, ok := f.Body.Channel()
	if !ok {
		return out, false
	}
	out = ChainFact{Channel: id, Block: f.Block, BlockHash: f.ID.BlockHash, LogIndex: uint32(f.ID.LogIndex), TxHash: f.TxHash}
	switch b := f.Body.(type) {
	case adjudicator.Deposited:
		out.Kind = FactDeposited
		out.Detail = FactDetail{Participant: b.Participant, Asset: b.Asset, Amount: b.Amount}
	case adjudicator.Funded:
		out.Kind = FactFunded
	case adjudicator.Refunded:
		out.Kind = FactRefunded
	case adjudicator.Concluded:
		out.Kind = FactConcluded
		out.Detail = FactDetail{Seq: b.Seq, JournalRoot: b.JournalRoot, StateHash: b.StateHash}
	case adjudicator.Settled:
		out.Kind = FactSettled
	case adjudicator.Published:
		out.Kind = FactPublished
		out.Detail = FactDetail{Deadline: b.Deadline}
	case adjudicator.Executed:
		if !b.Complete {
			return out, false
		}
		out.Kind = FactExecuted
		out.Detail = FactDetail{StateHash: b.StateHash}
	case adjudicator.Disproved:
		out.Kind = FactDisproved
		out.Detail = FactDetail{Seq: b.Index}
	case adjudicator.Vetoed:
		out.Kind = FactVetoed
	default:
		return out, false
	}
	return out, true
}
