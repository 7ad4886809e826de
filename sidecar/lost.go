package sidecar

import (
	"errors"
	"slices"

	"github.com/evmts/channels/protocols"
)

// errLost is how a transaction ended that was mined in a block which nobody has any more.
var errLost = errors.New("it was mined, and a reorganisation took its block away before that was seen: it is sent again")

// unseenBlocks is how many blocks after that of the receipt may pass until its fact is missed: a pool brings back within a block or two what a
// reorganisation left out.
const unseenBlocks = 3

// unseen is a transaction of ours that has a receipt, and no fact yet. A receipt says what the chain was; facts say what it is.
type unseen struct {
	tx    protocols.Tx
	block uint64
}

// expect waits for the fact of a mined transaction.
func (c *running) expect(r TxResult) {
	if r.Err != nil || len(r.Mined) == 0 || len(factsOf(r.Tx)) == 0 {
		return
	}
	c.unseen = slices.DeleteFunc(c.unseen, func(u unseen) bool { return u.tx == r.Tx })
	c.unseen = append(c.unseen, unseen{r.Tx, r.Mined[len(r.Mined)-1].Block})
}

// factsOf are the kinds of fact of which one follows from a transaction, whoever sent it; none: nothing is said on chain.
func factsOf(tx protocols.Tx) []FactKind {
	switch tx.Kind {
	case protocols.TxDeposit:
		return []FactKind{FactDeposited}
	case protocols.TxRefund:
		return []FactKind{FactRefunded}
	case protocols.TxConclude:
		return []FactKind{FactConcluded}
	case protocols.TxSettle:
		return []FactKind{FactSettled}
	case protocols.TxPublish:
		return []FactKind{FactPublished, FactExecuted}
	}
	return nil
}

// shows tells whether the chain, as far as it was delivered, has what a transaction was for.
func (c *running) shows(tx protocols.Tx) bool {
	kinds, funding := factsOf(tx), c.Rules().Funding
	return slices.ContainsFunc(c.facts, func(f chainFact) bool {
		if tx.Kind == protocols.TxDeposit {
			return f.Kind == FactDeposited && slices.Contains(depositsOf(f, funding), protocols.Deposit{Participant: c.Me(), Asset: tx.Asset})
		}
		return slices.Contains(kinds, f.Kind)
	})
}

// lost are the transactions whose blocks were delivered long enough ago without their facts.
func (c *running) lost(head uint64) (out []protocols.Tx) {
	c.unseen = slices.DeleteFunc(c.unseen, func(u unseen) bool {
		switch {
		case c.shows(u.tx):
			return true // from here on a reorganisation takes back a fact, which is seen
		case head < u.block+unseenBlocks:
			return false
		}
		out = append(out, u.tx)
		return true
	})
	return out
}
