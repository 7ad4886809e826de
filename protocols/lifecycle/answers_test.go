package lifecycle_test

import (
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

func TestS7_NoEventOnAPartThatNobodySigned(t *testing.T) {
	c := game(t, 0)
	at := c.head(1)
	for i := range 4 { // the sequencer goes ahead; a part of it reaches 1
		at, _ = c.extend(at, c.event(0, uint64(2+i), "ahead"))
	}
	_, entries := c.extend(c.head(1), c.event(0, 2, "ahead"), c.event(0, 3, "ahead"), c.event(0, 4, "ahead"), c.event(0, 5, "ahead"))
	u := at.Update(c.id())
	tree, state := c.nodes[0].disk.tree, c.head(1)
	for _, e := range entries {
		state, _ = c.extend(state, *e.Event)
		tree.Append(channel.LeafHash(e.Hash(c.id()), state.Hash))
	}
	proof, err := tree.ConsistencyProof(6, 8)
	require.NoError(t, err)
	head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
	c.tell(0, 1, protocols.CatchUp{From: 4, Entries: entries[:2], Heads: []protocols.Head{head}, Proof: proof})
	p, _ := c.nodes[1].life.Play()
	require.EqualValues(t, 5, p.Head().Seq)
	require.Zero(t, p.InFlight())
	before := c.nodes[1].stored()
	c.author(1, 600, "too early")
	require.Equal(t, channel.CodeNotReady, c.nodes[1].answered[600].refused.Code)
	require.Equal(t, before, c.nodes[1].stored())
}

func TestAttack4_EquivocationBesideASupportedUpdateWithAnotherInFlight(t *testing.T) {
	c := game(t, 0)
	p, _ := c.nodes[1].life.Play()
	old := p.Supported().Update
	at, entries := c.extend(c.head(1), c.event(0, 2, "d"))
	c.tell(0, 1, c.append(4, entries, at.Update(c.id()), 0))
	other := old
	other.StateHash[0]++
	c.tell(0, 1, c.append(3, c.nodes[0].disk.entries[2:3], other, 0))
	c.halts(1, channel.CodeConflict, old, other)
}

// TestA13_StaleIsNoRefusal: a sequencer that restarted does not know which event of a nonce it ordered, only that one was.
// Its author learns by the journal whether it is this one.
func TestA13_StaleIsNoRefusal(t *testing.T) {
	c := openCluster(t, options{n: 2})
	c.author(1, 600, "a")
	again := c.net[0]
	c.deliver(0)
	c.net = nil // the Append is lost
	c.crash(0)
	c.restart(0)
	c.net = []envelope{again}
	c.deliver(0)
	require.Len(t, c.net, 1)
	c.deliver(0)
	require.NotContains(t, c.nodes[1].answered, uint64(600), "the event stands: it was not refused")
	require.NotEmpty(t, c.nodes[1].disk.pending)
	c.stabilize()
	require.Nil(t, c.nodes[1].answered[600].refused)
	require.Contains(t, c.nodes[1].answered, uint64(600))
	require.Empty(t, c.nodes[1].disk.pending)
}

// TestA13_RefusedIsRefused: a second copy of an event that was refused is not ordered when the state has changed.
func TestA13_RefusedIsRefused(t *testing.T) {
	c := openCluster(t, options{n: 2, independent: true})
	c.author(1, 600, "a")
	c.author(1, 601, "b")
	first, second := c.net[0], c.net[1]
	c.net = []envelope{second} // the first is late: the second does not follow
	c.stabilize()
	require.Equal(t, channel.CodeRejected, c.nodes[1].answered[601].refused.Code)
	c.net = []envelope{first, second}
	c.stabilize()
	require.Nil(t, c.nodes[1].answered[600].refused)
	require.Equal(t, "1:a ", string(c.head(0).State.App), "its author was told that it does not stand")
}

// TestS5_NothingAfterTheEnd: an Update in flight when the channel ends on chain is not signed again by a restart.
func TestS5_NothingAfterTheEnd(t *testing.T) {
	c := game(t, 0)
	at, entries := c.extend(c.head(1), c.event(0, 2, "d"))
	c.tell(0, 1, c.append(4, entries, at.Update(c.id()), 0))
	c.net = nil
	c.view.Final, c.view.FinalSeq, c.view.FinalHash = true, 3, c.nodes[1].disk.supported.StateHash
	c.show()
	signed := c.nodes[1].signatures
	c.crash(1)
	c.restart(1)
	c.tick(60)
	require.Equal(t, signed, c.nodes[1].signatures)
	for _, e := range c.net {
		m, err := protocols.DecodeMessage(e.msg)
		require.NoError(t, err)
		require.NotEqual(t, protocols.KindCountersign, m.Kind())
	}
}
