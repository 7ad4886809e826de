package sidecar

import (
	"github.com/evmts/channels/adjudicator"
)

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
