package proof

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// Checker derives a journal leaf by leaf until the first wrong one. It serves one goroutine; the work of one Step is bounded by the
// module's fuel limit, so that whoever checks many journals can turn to another one after each.
type Checker struct {
	rules   *channel.Rules
	journal *Journal
	seq     uint64

	next    int            // leaf to derive
	state   *channel.State // after leaf next − 1
	hash    common.Hash    // of state
	verdict channel.Verdict
	fault   *Fault
}

// Fault is the first wrong leaf of a journal.
type Fault struct {
	Seq     uint64
	Entry   channel.Entry   // of leaf 0: the zero value
	Verdict channel.Verdict // δ's word on the entry, init's on leaf 0
	Derived common.Hash     // the stateHash that would be right; zero when init rejects the genesis
	Claimed common.Hash     // what the leaf says

	Previous *channel.State // before the entry; nil for leaf 0
	Right    *channel.State // what Derived is the hash of; nil when init rejects the genesis
}

// NewChecker begins with leaf 0. The error wraps ErrJournal when the journal does not give what the update, the one that the
// channel ended with, commits to: then it is somebody else's journal, and says nothing.
func NewChecker(r *channel.Rules, j *Journal, u channel.Update) (*Checker, error) {
	if u.ChannelID != r.ID() {
		return nil, fmt.Errorf("%w: the update is of channel %s, not %s", ErrJournal, u.ChannelID, r.ID())
	}
	if n := uint64(len(j.Leaves)); n == 0 || n != u.Seq+1 {
		return nil, fmt.Errorf("%w: it has %d leaves, the update is at seq %d", ErrJournal, n, u.Seq)
	}
	if channel.GenesisHash(j.Genesis) != r.Params.GenesisHash {
		return nil, fmt.Errorf("%w: the genesis input does not hash to the params' genesisHash", ErrJournal)
	}
	if last := j.Leaves[u.Seq].StateHash; last != u.StateHash {
		return nil, fmt.Errorf("%w: the last leaf has state %s, the update %s", ErrJournal, last, u.StateHash)
	}
	root, err := j.Tree(r.Params).RootAt(u.Seq + 1)
	if err != nil {
		return nil, err
	}
	if root != u.JournalRoot {
		return nil, fmt.Errorf("%w: its root is %s, the update's %s", ErrJournal, root, u.JournalRoot)
	}
	return &Checker{rules: r, journal: j, seq: u.Seq}, nil
}

// Next is the leaf that Step derives.
func (c *Checker) Next() uint64 { return uint64(c.next) }

// Done tells whether nothing is left to derive: every leaf is right, or Fault is the first that is not.
func (c *Checker) Done() bool { return c.fault != nil || c.next > int(c.seq) }

// Fault is the first wrong leaf, nil when none was found so far.
func (c *Checker) Fault() *Fault { return c.fault }

// Step derives one leaf and tells whether it was the last to look at.
func (c *Checker) Step() (done bool) {
	if c.Done() {
		return true
	}
	var state *channel.State
	leaf := c.journal.Leaves[c.next]
	if c.next == 0 {
		state, c.verdict = c.rules.Genesis(c.journal.Genesis)
	} else {
		state, c.verdict = c.apply(leaf.Entry)
	}
	right, hash := c.state, c.hash // a rejected entry changes nothing
	if c.verdict.Status == channel.Accepted {
		right, hash = state, state.Hash()
	}
	if right == nil || hash != leaf.StateHash {
		c.fault = &Fault{
			Seq: uint64(c.next), Entry: leaf.Entry, Verdict: c.verdict, Derived: hash, Claimed: leaf.StateHash, Previous: c.state, Right: right,
		}
		return true
	}
	c.state, c.hash = right, hash
	c.next++
	return c.Done()
}

func (c *Checker) apply(e channel.Entry) (*channel.State, channel.Verdict) {
	if e.Event != nil {
		return c.rules.Apply(c.state, uint64(c.next), &e.Event.Event)
	}
	if want := c.state.Header.TopUps; e.TopUp != want && !c.state.Header.Terminal {
		return nil, channel.Verdict{Status: channel.RejectedAuthor, Reason: fmt.Sprintf("top-up %d is out of order, %d is next", e.TopUp, want)}
	}
	return c.rules.ApplyTopUp(c.state, uint64(c.next))
}

// Progress is how far a Checker came, to go on later without the journal in memory.
type Progress struct {
	Next  uint64
	State *channel.State // after leaf Next − 1; nil at the beginning
}

// Progress is how far the checker is.
func (c *Checker) Progress() Progress { return Progress{uint64(c.next), c.state} }

// Resume goes on where another Checker of the same journal, under the same rules, was.
func (c *Checker) Resume(p Progress) {
	if p.State == nil || p.Next == 0 || p.Next > c.seq+1 {
		return
	}
	c.next, c.state, c.hash = int(p.Next), p.State, p.State.Hash()
}

// Check derives a whole journal. The fault is nil when every leaf is right.
func Check(ctx context.Context, r *channel.Rules, j *Journal, u channel.Update) (*Fault, error) {
	c, err := NewChecker(r, j, u)
	if err != nil {
		return nil, err
	}
	for !c.Step() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("checking leaf %d: %w", c.next, err)
		}
	}
	return c.fault, nil
}
