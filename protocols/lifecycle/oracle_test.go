package lifecycle_test

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

// disk is what survives a crash.
type disk struct {
	objectives map[string][]byte
	entries    []channel.Entry
	hashes     []common.Hash
	tree       channel.Tree
	signed     *channel.Update
	known      []channel.Signature // recorded with signed
	durable    *supportedRecord    // what a crash leaves of supported; nil: the newest
	supported  *channel.Update
	sigs       []channel.Signature
	pending    map[uint64]channel.SignedEvent
	close      *channel.Close
}

// supportedRecord is what a disk holds of the supported Update when a newer one was not waited for.
type supportedRecord struct {
	update *channel.Update
	sigs   []channel.Signature
}

func newDisk(start common.Hash) *disk {
	d := &disk{objectives: make(map[string][]byte), pending: make(map[uint64]channel.SignedEvent)}
	d.tree.Append(start)
	return d
}

// record makes something durable, and checks that an honest node may want this (docs/protocol.md §3).
func (c *cluster) record(n *node, r protocols.Record) {
	d, domain := n.disk, n.cfg.Rules.Params.Domain()
	if s, ok := r.(protocols.RecordSupported); !ok || !s.Derivable {
		d.durable = nil // one log: what came before is on disk with this
	} else if d.durable == nil {
		d.durable = &supportedRecord{d.supported, d.sigs}
	}
	switch r := r.(type) {
	case protocols.RecordEntry:
		require.EqualValues(c.t, len(d.entries)+1, r.Seq, "entries are appended in order")
		require.Equal(c.t, r.State.Hash(), r.StateHash)
		e := r.Entry.Event
		require.NoError(c.t, e.Signature.Verify(domain.Digest(e.Event), n.cfg.Rules.Params.Participants[e.Author].Signer), "the author signed it")
		d.entries, d.hashes = append(d.entries, r.Entry), append(d.hashes, r.StateHash)
		d.tree.Append(channel.LeafHash(r.Entry.Hash(n.cfg.Rules.ID()), r.StateHash))
		require.Equal(c.t, d.root(r.Seq), r.Journal.Root(), "S2: the journal is only ever extended")
	case protocols.RecordSigned:
		c.checkMaySign(n, r.Update)
		u := r.Update
		d.signed, d.known = &u, r.Known
	case protocols.RecordSupported:
		u := r.Update
		require.Equal(c.t, d.root(u.Seq), u.JournalRoot)
		for i, s := range r.Signatures {
			require.NoError(c.t, s.Verify(domain.Digest(u), n.cfg.Rules.Params.Participants[i].Signer), "R3: supported means all")
		}
		require.Len(c.t, r.Signatures, len(n.cfg.Rules.Params.Participants))
		if !c.dishonest {
			was, ok := c.supported[u.Seq]
			require.True(c.t, !ok || was == u, "two supported Updates at %d", u.Seq)
			c.supported[u.Seq] = u
		}
		if d.supported == nil || u.Seq >= d.supported.Seq {
			d.supported, d.sigs = &u, r.Signatures
		}
	case protocols.RecordPending:
		require.Nil(c.t, d.close, "S5: no Event after Close")
		if !n.cfg.Rules.Module.Manifest().Independent {
			require.EqualValues(c.t, len(d.entries), d.supported.Seq, "S7: the next event only on a supported head")
			require.Empty(c.t, d.pending, "S7: one event at a time")
		}
		d.pending[r.Event.Nonce] = r.Event
	case protocols.RecordPlaced:
		delete(d.pending, r.Nonce)
	case protocols.RecordClose:
		require.True(c.t, d.close == nil || *d.close == r.Close, "S5: at most one Close")
		require.Equal(c.t, d.supported.Seq, r.Close.Seq, "S5: for the supported head")
		require.Equal(c.t, d.supported.StateHash, r.Close.StateHash)
		require.True(c.t, n.asked, "S5: only when the owner asked")
		cl := r.Close
		d.close = &cl
	case protocols.RecordObjective:
		d.objectives[r.Name] = slices.Clone(r.Data)
	}
}

func (c *cluster) checkMaySign(n *node, u channel.Update) {
	d := n.disk
	require.False(c.t, n.halted, "nothing is signed after a halt, not even after a restart")
	require.Nil(c.t, d.close, "S5: no Update after Close")
	require.True(c.t, d.signed == nil || u.Seq > d.signed.Seq || u == *d.signed, "S1: one Update per seq, ever")
	require.LessOrEqual(c.t, u.Seq, uint64(len(d.entries)), "the whole journal up to seq is held")
	require.Equal(c.t, d.root(u.Seq), u.JournalRoot)
	require.Equal(c.t, n.cfg.Rules.ID(), u.ChannelID)
	if u.Seq > 0 {
		require.Equal(c.t, d.hashes[u.Seq-1], u.StateHash)
		require.True(c.t, n.seen.Funded, "S4: no Update above 0 before the channel is funded")
		require.False(c.t, n.seen.Final, "no Update after the end")
	}
}

// checkSign is asked before a signature is made.
func (c *cluster) checkSign(n *node, a protocols.Sign) {
	d := n.disk
	switch m := a.Message.(type) {
	case channel.Update:
		require.False(c.t, n.halted, "nothing is signed after a halt, not even after a restart")
		require.NotNil(c.t, d.signed)
		require.LessOrEqual(c.t, m.Seq, d.signed.Seq, "S1: durable before it is signed")
		was, ok := n.ever[m.Seq]
		require.True(c.t, !ok || was == m, "S1 across crashes")
		require.Equal(c.t, d.root(m.Seq), m.JournalRoot, "durable before it is signed")
		require.Nil(c.t, d.close, "S5: no Update after Close")
		n.ever[m.Seq] = m
	case channel.Event:
		require.Nil(c.t, d.close, "S5: no Event after Close")
		require.Contains(c.t, d.pending, m.Nonce, "durable before it is signed")
		require.Equal(c.t, d.pending[m.Nonce].StructHash(), m.StructHash())
	case channel.Join:
		require.Equal(c.t, protocols.OwnerKey, a.Key)
		require.Equal(c.t, channel.Join{ChannelID: n.cfg.Rules.ID(), Signer: n.cfg.Rules.Params.Participants[n.me].Signer}, m)
	case channel.Close:
		require.NotNil(c.t, d.close)
		require.Equal(c.t, *d.close, m)
	case channel.Attestation:
		require.True(c.t, n.seen.Final)
		require.Equal(c.t, d.root(m.Seq), m.JournalRoot)
	}
	n.signatures++
}

// root of the journal that is durable, up to seq.
func (d *disk) root(seq uint64) common.Hash {
	root, err := d.tree.RootAt(seq + 1)
	if err != nil {
		return common.Hash{}
	}
	return root
}

// checkConclusion is what the contract asks of a conclude.
func (c *cluster) checkConclusion(u channel.Update, sigs, closes []channel.Signature) {
	r := c.nodes[0].cfg.Rules
	require.Len(c.t, sigs, len(c.nodes))
	for i, p := range r.Params.Participants {
		require.NoError(c.t, sigs[i].Verify(r.Params.Domain().Digest(u), p.Signer))
		if closes != nil {
			cl := channel.Close{ChannelID: u.ChannelID, Seq: u.Seq, StateHash: u.StateHash}
			require.NoError(c.t, closes[i].Verify(r.Params.Domain().Digest(cl), p.Signer))
		}
	}
}
