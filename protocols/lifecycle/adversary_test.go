package lifecycle_test

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/play"
	"github.com/stretchr/testify/require"
)

// sign is what a dishonest participant does with its own key.
func (c *cluster) sign(i int, m channel.Message) channel.Signature {
	n := c.nodes[i]
	sig, err := channel.Sign(n.cfg.Rules.Params.Domain().Digest(m), n.key)
	require.NoError(c.t, err)
	return sig
}

// event is one that participant i signs, as good as its own node would make it.
func (c *cluster) event(i int, nonce uint64, payload string) channel.SignedEvent {
	e := channel.Event{ChannelID: c.id(), Author: uint8(i), Nonce: nonce, Timestamp: c.now, Payload: []byte(payload)}
	return channel.SignedEvent{Event: e, Signature: c.sign(i, e)}
}

func (c *cluster) id() common.Hash { return c.nodes[0].cfg.Rules.ID() }

// extend derives the entries after the given point, as an honest node would.
func (c *cluster) extend(at play.Point, events ...channel.SignedEvent) (play.Point, []channel.Entry) {
	var entries []channel.Entry
	for i := range events {
		state, verdict := c.nodes[0].cfg.Rules.Apply(at.State, at.Seq+1, &events[i].Event)
		require.NoError(c.t, verdict.Err())
		entry := channel.Entry{Event: &events[i]}
		at = play.Point{Seq: at.Seq + 1, State: state, Hash: state.Hash(), Journal: at.Journal.Append(channel.LeafHash(entry.Hash(c.id()), state.Hash()))}
		entries = append(entries, entry)
	}
	return at, entries
}

func (c *cluster) head(i int) play.Point {
	p, ok := c.nodes[i].life.Play()
	require.True(c.t, ok)
	return p.Head()
}

// tell gives a message to a node, through the wire format.
func (c *cluster) tell(from, to int, body protocols.Body) {
	b, err := protocols.Message{Channel: c.id(), Body: body}.Encode()
	require.NoError(c.t, err)
	m, err := protocols.DecodeMessage(b)
	require.NoError(c.t, err)
	c.input(c.nodes[to], protocols.Received{From: uint8(from), Body: m.Body, Now: c.now})
}

// stored is everything durable of a node, and how much it signed.
func (n *node) stored() string {
	d := *n.disk
	return fmt.Sprint(len(d.entries), d.hashes, d.signed, d.supported, d.sigs, d.pending, d.close, n.signatures) + dump(d.objectives["directfund"]) + dump(d.objectives["directdefund"])
}

// refuses demands that a message leaves nothing behind but a counted drop or a coded refusal.
func (c *cluster) refuses(from, to int, body protocols.Body, codes ...channel.Code) {
	c.t.Helper()
	n := c.nodes[to]
	before, status := n.stored(), c.status()
	n.drops = nil
	c.tell(from, to, body)
	require.Equal(c.t, before, n.stored(), "something was stored or signed")
	require.Equal(c.t, status, c.status())
	var got []channel.Code
	for _, d := range n.drops {
		require.EqualValues(c.t, from, d.From)
		got = append(got, d.Code)
	}
	require.Equal(c.t, codes, got, "%v", n.drops)
}

// halts demands that a node stops for good, keeps the evidence over a restart, and signs nothing again.
func (c *cluster) halts(i int, code channel.Code, evidence ...channel.Update) {
	c.t.Helper()
	n := c.nodes[i]
	check := func() {
		c.t.Helper()
		p, _ := n.life.Play()
		h, ok := p.Halt()
		require.True(c.t, ok, "%d did not halt\n%s", i, c.status())
		require.Equal(c.t, code, h.Code)
		var got []channel.Update
		for _, e := range h.Evidence {
			got = append(got, e.Update)
		}
		require.Equal(c.t, evidence, got)
	}
	check()
	before := n.stored()
	c.crash(i)
	c.restart(i)
	c.author(i, 9000, "more")
	c.stabilize()
	c.tick(60)
	c.stabilize()
	check()
	require.Equal(c.t, before, n.stored(), "a halted node signed or stored something")
	require.Equal(c.t, channel.CodePhase, n.answered[9000].refused.Code)
}

// game is an open channel of three with a few supported events, in which the participants named are dishonest.
func game(t *testing.T, sequencer int) *cluster {
	c := openCluster(t, options{n: 3, sequencer: sequencer})
	for i, payload := range []string{"a", "b", "c"} {
		c.author(i, uint64(500+i), payload)
		c.stabilize()
	}
	require.EqualValues(t, 3, c.head(0).Seq)
	c.dishonest = true
	return c
}

func (c *cluster) append(from uint64, entries []channel.Entry, u channel.Update, signer int) protocols.Append {
	return protocols.Append{From: from, Entries: entries, Update: u, Signature: c.sign(signer, u)}
}

func TestAttack4_SequencerEquivocates(t *testing.T) {
	one := func(c *cluster, payload string) (channel.Update, protocols.Append) {
		at, entries := c.extend(c.head(1), c.event(0, 2, payload))
		u := at.Update(c.id())
		return u, c.append(4, entries, u, 0)
	}
	t.Run("two Appends at one seq", func(t *testing.T) {
		c := game(t, 0)
		u, a := one(c, "left")
		v, b := one(c, "right")
		c.tell(0, 1, a)
		require.Equal(t, u, *c.nodes[1].disk.signed)
		c.tell(0, 1, b)
		require.Equal(t, u, *c.nodes[1].disk.signed, "S1")
		c.halts(1, channel.CodeConflict, u, v)
	})
	t.Run("the other one comes from a participant who got it", func(t *testing.T) {
		c := game(t, 0)
		u, a := one(c, "left")
		v, b := one(c, "right")
		c.tell(0, 1, a)
		c.tell(2, 1, protocols.CatchUp{From: 4, Entries: b.Entries, Heads: []protocols.Head{{
			Update: v, Signatures: []channel.Signature{b.Signature, {}, {}},
		}}})
		c.halts(1, channel.CodeConflict, u, v)
	})
	t.Run("beside a supported one", func(t *testing.T) {
		c := game(t, 0)
		p, _ := c.nodes[1].life.Play()
		at, entries := c.extend(c.nodes[0].cfg.Start, c.event(0, 1, "x"), c.event(1, 1, "y"), c.event(2, 1, "z"))
		v := at.Update(c.id())
		c.tell(0, 1, c.append(1, entries, v, 0))
		c.halts(1, channel.CodeConflict, p.Supported().Update, v)
	})
	t.Run("the same one twice is no evidence", func(t *testing.T) {
		c := game(t, 0)
		_, a := one(c, "left")
		c.tell(0, 1, a)
		before := c.nodes[1].stored()
		c.tell(0, 1, a)
		require.Equal(t, before, c.nodes[1].stored())
		require.False(t, c.nodes[1].halted)
	})
}

func TestA2_JournalIsRewrittenOrTruncated(t *testing.T) {
	c := game(t, 0)
	start := c.nodes[0].cfg.Start
	other := []channel.SignedEvent{c.event(0, 1, "x"), c.event(1, 1, "y"), c.event(2, 1, "z"), c.event(0, 2, "w")}

	t.Run("a longer journal with another past", func(t *testing.T) {
		at, entries := c.extend(start, other...)
		u := at.Update(c.id())
		sigs := []channel.Signature{c.sign(0, u), {}, c.sign(2, u)}
		// From anyone but the sequencer it might be a bad copy: it is dropped. The entries we have are not looked at again.
		c.refuses(2, 1, protocols.CatchUp{From: 1, Entries: entries, Heads: []protocols.Head{{Update: u, Signatures: sigs}}}, channel.CodeDiverged)
		// As a part it needs a proof that our journal is a prefix, which does not exist.
		longer, more := c.extend(at, c.event(1, 2, "v"))
		v := longer.Update(c.id())
		head := protocols.Head{Update: v, Signatures: []channel.Signature{c.sign(0, v), {}, {}}}
		var tree channel.Tree
		tree.Append(start.Journal.Peaks()[0])
		state := start
		for _, e := range append(entries, more...) {
			state, _ = c.extend(state, *e.Event)
			tree.Append(channel.LeafHash(e.Hash(c.id()), state.Hash))
		}
		proof, err := tree.ConsistencyProof(5, 6)
		require.NoError(t, err)
		for _, p := range [][]common.Hash{nil, proof, make([]common.Hash, 64)} {
			c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries[3:], Heads: []protocols.Head{head}, Proof: p}, channel.CodeMalformed)
			c.refuses(0, 1, protocols.CatchUp{From: 4, Entries: entries[3:], Heads: []protocols.Head{head}, Proof: p}, channel.CodeMalformed)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		at, entries := c.extend(start, other[:2]...)
		c.refuses(0, 1, c.append(1, entries, at.Update(c.id()), 0)) // older than our head: no news
	})
	t.Run("the size lies", func(t *testing.T) {
		u := c.head(1).Update(c.id())
		u.Seq = 7
		head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
		c.refuses(2, 1, protocols.CatchUp{From: 4, Heads: []protocols.Head{head}}, channel.CodeMalformed)
	})
	t.Run("rewritten by the sequencer itself", func(t *testing.T) {
		at, entries := c.extend(start, other...)
		u := at.Update(c.id())
		c.tell(0, 1, c.append(1, entries, u, 0))
		c.halts(1, channel.CodeDiverged, u)
	})
}

func TestA3_TwoFinalStates(t *testing.T) {
	c := game(t, 0)
	mine, a := c.extend(c.head(1), c.event(0, 2, "end"))
	theirs, b := c.extend(c.head(1), c.event(2, 2, "end"))
	c.tell(0, 1, c.append(4, a, mine.Update(c.id()), 0))
	c.tell(0, 2, c.append(4, b, theirs.Update(c.id()), 0))
	c.stabilize() // each gets the other's countersignature, on another Update
	for _, i := range []int{1, 2} {
		p, _ := c.nodes[i].life.Play()
		require.EqualValues(t, 3, p.Supported().Update.Seq, "neither final state can be supported")
	}
	c.tell(0, 1, c.append(4, b, theirs.Update(c.id()), 0))
	c.halts(1, channel.CodeConflict, mine.Update(c.id()), theirs.Update(c.id()))
}

func TestAttack14_ForgedSignaturesInEveryMessage(t *testing.T) {
	c := game(t, 0)
	at, entries := c.extend(c.head(1), c.event(2, 2, "d"))
	u := at.Update(c.id())
	good := c.sign(0, u)
	high := good // the same signature with the other s
	new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(good[32:64])).FillBytes(high[32:64])
	high[64] ^= 27 ^ 28
	wrong := map[string]channel.Signature{
		"zero": {}, "foreign": c.sign(2, u), "our own": c.sign(1, u), "another message": c.sign(0, channel.Attestation(u)),
		"bad v": func() channel.Signature { s := good; s[64] = 29; return s }(), "flipped v": func() channel.Signature { s := good; s[64] ^= 27 ^ 28; return s }(),
		"malleable": high, "garbage": {1, 2, 3}, "all ones": channel.Signature(bytes.Repeat([]byte{0xff}, 65)),
	}
	for name, sig := range wrong {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refuses(0, 1, protocols.Append{From: 4, Entries: entries, Update: u, Signature: sig}, channel.CodeSignature)
			head := protocols.Head{Update: u, Signatures: []channel.Signature{sig, {}, c.sign(2, u)}}
			codes := []channel.Code{channel.CodeSignature}
			if sig.IsZero() {
				codes = nil // a head that the sequencer has not signed yet is no news
			}
			c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{head}}, codes...)

			e := c.event(2, 2, "d")
			e.Signature = sig
			forged := []channel.Entry{{Event: &e}}
			c.refuses(0, 1, c.append(4, forged, u, 0), channel.CodeSignature)
			c.refuses(2, 0, protocols.Submit{Event: e}, channel.CodeSignature)

			cl := channel.Close{ChannelID: c.id(), Seq: 3, StateHash: c.head(1).Hash}
			c.refuses(2, 1, protocols.CloseConsent{Close: cl, Signature: sig}, channel.CodeSignature)
		})
	}
	c.t = t
	// A Countersign is kept while its Update is unknown, and dropped when it comes.
	delete(wrong, "foreign") // here it is 2's own
	for _, sig := range wrong {
		c.refuses(2, 1, protocols.Countersign{Seq: 4, Signature: sig})
	}
	c.nodes[1].drops = nil
	c.tell(0, 1, protocols.Append{From: 4, Entries: entries, Update: u, Signature: good})
	require.Len(t, c.nodes[1].drops, 1, "the newest of the early ones was bad")
	require.Equal(t, channel.CodeSignature, c.nodes[1].drops[0].Code)
	for _, sig := range wrong {
		c.refuses(2, 1, protocols.Countersign{Seq: 4, Signature: sig}, channel.CodeSignature)
	}
	p, _ := c.nodes[1].life.Play()
	require.EqualValues(t, 3, p.Supported().Update.Seq)
	c.tell(2, 1, protocols.Countersign{Seq: 4, Signature: c.sign(2, u)})
	p, _ = c.nodes[1].life.Play()
	require.EqualValues(t, 4, p.Supported().Update.Seq)
}

func TestAttack14_ForgedAccept(t *testing.T) {
	c := newCluster(t, options{n: 2})
	c.quiet = true
	c.propose(0)
	c.net = nil
	u := c.nodes[0].cfg.Start.Update(c.id())
	other := u
	other.StateHash[0]++ // Accept with another genesis
	for name, sig := range map[string]channel.Signature{
		"zero": {}, "the proposer's own": c.sign(0, u), "another genesis": c.sign(1, other), "a Join": c.sign(1, channel.Join{ChannelID: c.id()}),
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refuses(1, 0, protocols.Accept{Signature: sig, Want: true}, channel.CodeSignature)
		})
	}
	c.t = t
	c.tell(1, 0, protocols.Accept{Signature: c.sign(1, u)})
	require.Equal(t, "funding", c.nodes[0].life.Status())
}

// TestAttack21_JoinIsTheOwners: who pays nothing takes part only with its owner's consent.
func TestAttack21_JoinIsTheOwners(t *testing.T) {
	c := newCluster(t, options{n: 2, free: []int{1}})
	c.quiet = true
	c.propose(0)
	c.net = nil
	u := c.nodes[0].cfg.Start.Update(c.id())
	by := func(key *ecdsa.PrivateKey, m channel.Join) channel.Signature {
		s, err := channel.Sign(c.nodes[0].cfg.Rules.Params.Domain().Digest(m), key)
		require.NoError(t, err)
		return s
	}
	owner, join := c.nodes[1].owner, channel.Join{ChannelID: c.id(), Signer: crypto.PubkeyToAddress(c.nodes[1].key.PublicKey)}
	other := join
	other.Signer = crypto.PubkeyToAddress(c.nodes[0].key.PublicKey)
	elsewhere := join
	elsewhere.ChannelID[0]++
	for name, sig := range map[string]channel.Signature{
		"none": {}, "by the session key": by(c.nodes[1].key, join), "for another session key": by(owner, other), "for another channel": by(owner, elsewhere),
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refuses(1, 0, protocols.Accept{Signature: c.sign(1, u), Join: sig}, channel.CodeSignature)
		})
	}
	c.t = t
	c.tell(1, 0, protocols.Accept{Signature: c.sign(1, u), Join: by(owner, join)})
	require.Equal(t, "funding", c.nodes[0].life.Status())
}

func TestA10_NotAParticipant(t *testing.T) {
	c := game(t, 0)
	e := c.event(2, 2, "d")
	at, entries := c.extend(c.head(1), e)
	u := at.Update(c.id())
	head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
	for _, from := range []int{1, 3, 255} { // ourselves, and nobody
		for _, body := range []protocols.Body{
			c.append(4, entries, u, 0), protocols.Submit{Event: e}, protocols.Countersign{Seq: 3}, protocols.Sync{Seq: 9},
			protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{head}}, protocols.Diverged{Seq: 3}, protocols.Refusal{Ref: common.Hash{1}},
			protocols.Refusal{}, protocols.Proposal{}, protocols.Accept{},
			protocols.CloseConsent{Close: channel.Close{ChannelID: c.id()}},
		} {
			c.refuses(from, 1, body, channel.CodeNotParticipant)
		}
	}
	require.Empty(t, c.net)
}

func TestS3_OnlyTheSequencerAppends(t *testing.T) {
	c := game(t, 0)
	at, entries := c.extend(c.head(1), c.event(2, 2, "d"))
	u := at.Update(c.id())
	c.refuses(2, 1, c.append(4, entries, u, 2), channel.CodePolicy)
	c.refuses(2, 1, c.append(4, entries, u, 0), channel.CodePolicy) // even with the sequencer's signature: it comes as a CatchUp
	c.refuses(2, 0, c.append(4, entries, u, 2), channel.CodePolicy)
	c.refuses(2, 1, protocols.Submit{Event: c.event(2, 2, "d")}, channel.CodePolicy)
	c.refuses(2, 1, protocols.Refusal{Ref: common.Hash{1}, Code: "x"}, channel.CodeNotParticipant)
}

func TestA2_AppendThatDoesNotFit(t *testing.T) {
	c := game(t, 0)
	at, entries := c.extend(c.head(1), c.event(2, 2, "d"), c.event(0, 2, "e"))
	first, _ := c.extend(c.head(1), c.event(2, 2, "d"))
	c.refuses(0, 1, c.append(5, entries[1:], at.Update(c.id()), 0), channel.CodeGap)
	require.Len(t, c.net, 1, "it asks for what is missing")
	c.net = nil
	u := first.Update(c.id())
	head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
	c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{head}}, channel.CodeMalformed) // beyond the Update
	c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries}, channel.CodeMalformed)                                // without a head
	c.refuses(2, 1, protocols.CatchUp{From: 4, Heads: []protocols.Head{{Update: u, Signatures: head.Signatures[:2]}}}, channel.CodeMalformed)
	c.refuses(2, 1, protocols.CatchUp{From: 1<<64 - 3, Entries: entries, Heads: []protocols.Head{head}}, channel.CodeGap)
	c.net = nil
	elsewhere := u
	elsewhere.ChannelID[0]++
	c.refuses(0, 1, c.append(4, entries[:1], elsewhere, 0), channel.CodeUnknownChannel)
	top := channel.Entry{TopUp: 0}
	c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: []channel.Entry{top}, Heads: []protocols.Head{head}}, channel.CodeRejected)
	author := c.event(2, 2, "d")
	author.Author = 9
	c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: []channel.Entry{{Event: &author}}, Heads: []protocols.Head{head}}, channel.CodeNotParticipant)
}

func TestS8_EventFromTheFuture(t *testing.T) {
	c := game(t, 0)
	e := channel.Event{ChannelID: c.id(), Author: 2, Nonce: 2, Timestamp: c.now + 31, Payload: []byte("d")}
	s := channel.SignedEvent{Event: e, Signature: c.sign(2, e)}
	at, entries := c.extend(c.head(1), s)
	c.refuses(0, 1, c.append(4, entries, at.Update(c.id()), 0), channel.CodePolicy)
	c.refuses(2, 0, protocols.Submit{Event: s}, channel.CodePolicy)
	c.now++ // 30 s is what the clocks may differ by
	c.tell(0, 1, c.append(4, entries, at.Update(c.id()), 0))
	require.EqualValues(t, 4, c.nodes[1].disk.signed.Seq)
}

func TestA9_SequencerSignsWhatItDidNotDerive(t *testing.T) {
	for name, change := range map[string]func(*channel.Update){
		"state": func(u *channel.Update) { u.StateHash[0]++ }, "root": func(u *channel.Update) { u.JournalRoot[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			c := game(t, 0)
			at, entries := c.extend(c.head(1), c.event(2, 2, "d"))
			u := at.Update(c.id())
			change(&u)
			head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
			c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{head}}, channel.CodeDiverged)
			c.tell(0, 1, c.append(4, entries, u, 0))
			c.halts(1, channel.CodeDiverged, u)
		})
	}
	t.Run("a rejected event", func(t *testing.T) { // S4
		c := game(t, 0)
		e := c.event(2, 2, "no")
		u := c.head(1).Update(c.id())
		u.Seq++
		entries := []channel.Entry{{Event: &e}}
		head := protocols.Head{Update: u, Signatures: []channel.Signature{c.sign(0, u), {}, {}}}
		c.refuses(2, 1, protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{head}}, channel.CodeRejected)
		c.tell(0, 1, c.append(4, entries, u, 0))
		c.halts(1, channel.CodeDiverged, u)
	})
	t.Run("a skipped nonce", func(t *testing.T) { // attack 7
		c := game(t, 0)
		e := c.event(2, 1, "old")
		u := c.head(1).Update(c.id())
		u.Seq++
		c.tell(0, 1, c.append(4, []channel.Entry{{Event: &e}}, u, 0))
		c.halts(1, channel.CodeDiverged, u)
	})
}

func TestA9_DivergedIsAnothersWord(t *testing.T) {
	c := game(t, 0)
	c.refuses(2, 1, protocols.Diverged{Seq: 3, StateHash: common.Hash{1}})
	require.Contains(t, c.nodes[1].notes[len(c.nodes[1].notes)-1], "participant 2 derives state")
	c.refuses(2, 1, protocols.Sync{Seq: 3, Root: common.Hash{1}, Supported: 3}, channel.CodeDiverged)
}

func TestAttack25_OwnSignatureOnAnUnknownUpdate(t *testing.T) {
	for name, me := range map[string]int{"follower": 1, "sequencer": 0} {
		t.Run(name, func(t *testing.T) {
			c := game(t, 0)
			at, entries := c.extend(c.head(me), c.event(2, 2, "d"))
			u := at.Update(c.id())
			sigs := []channel.Signature{c.sign(0, u), c.sign(1, u), c.sign(2, u)}
			c.tell(2, me, protocols.CatchUp{From: 4, Entries: entries, Heads: []protocols.Head{{Update: u, Signatures: sigs}}})
			c.halts(me, channel.CodeConflict, u)
		})
	}
	t.Run("a store from before comes back as the sequencer", func(t *testing.T) {
		c := game(t, 0)
		old := *c.nodes[0].disk
		old.objectives = map[string][]byte{"directfund": old.objectives["directfund"]}
		old.entries, old.hashes = old.entries[:2:2], old.hashes[:2:2]
		old.tree = channel.Tree{}
		old.tree.Append(c.nodes[0].cfg.Start.Journal.Peaks()[0])
		for i, e := range old.entries {
			old.tree.Append(channel.LeafHash(e.Hash(c.id()), old.hashes[i]))
		}
		at, _ := c.extend(c.nodes[0].cfg.Start, *old.entries[0].Event, *old.entries[1].Event)
		u := at.Update(c.id())
		old.signed, old.supported = &u, &u
		old.sigs = []channel.Signature{c.sign(0, u), c.sign(1, u), c.sign(2, u)}
		old.pending = map[uint64]channel.SignedEvent{2: c.event(0, 2, "something else")}
		c.author(1, 600, "d") // somebody goes on meanwhile
		c.stabilize()
		signed := c.nodes[0].signatures
		c.crash(0)
		c.nodes[0].disk = &old
		c.restart(0)
		p, _ := c.nodes[0].life.Play()
		require.EqualValues(t, 2, p.Head().Seq, "it orders nothing before it heard from everybody")
		c.stabilize()
		p, _ = c.nodes[0].life.Play()
		h, ok := p.Halt()
		require.True(t, ok, c.status())
		require.EqualValues(t, 4, h.Seq)
		require.Equal(t, signed+1, c.nodes[0].signatures, "nothing was signed but the pending event")
	})
}

func TestAttack17a_CloseKeptOrReplayed(t *testing.T) {
	c := game(t, 0)
	hash := c.head(1).Hash
	good := channel.Close{ChannelID: c.id(), Seq: 3, StateHash: hash}
	consent := func(m channel.Close) protocols.CloseConsent {
		return protocols.CloseConsent{Close: m, Signature: c.sign(2, m)}
	}
	elsewhere, dispute := good, good
	elsewhere.ChannelID[0]++
	dispute.InDispute = true
	c.refuses(2, 1, consent(elsewhere), channel.CodeMalformed)
	c.refuses(2, 1, consent(dispute), channel.CodeMalformed)
	c.tell(2, 1, consent(good))
	second := good
	second.Seq = 2
	c.refuses(2, 1, consent(second), channel.CodeConflict)
	c.refuses(2, 1, consent(good)) // the same again is no news

	c.close(1, 700)
	c.net = nil
	require.EqualValues(t, 3, c.nodes[1].disk.close.Seq)
	at, entries := c.extend(c.head(1), c.event(2, 2, "d"))
	u := at.Update(c.id())
	c.refuses(0, 1, c.append(4, entries, u, 0), channel.CodePhase) // nothing received later counts
	c.author(1, 701, "d")
	require.Equal(t, channel.CodePhase, c.nodes[1].answered[701].refused.Code)
	// The last one names another head: this cannot be concluded, and we do not sign another.
	other := channel.Close{ChannelID: c.id(), Seq: 2, StateHash: hash}
	c.tell(0, 1, protocols.CloseConsent{Close: other, Signature: c.sign(0, other)})
	require.Equal(t, "consenting", c.nodes[1].life.Status())
	require.EqualValues(t, 3, c.nodes[1].disk.close.Seq)
}

func TestAttack3_SignatureWithheldUntilAfterTheClose(t *testing.T) {
	c := game(t, 0)
	at, entries := c.extend(c.head(1), c.event(2, 2, "d"))
	u := at.Update(c.id())
	c.tell(0, 1, c.append(4, entries, u, 0)) // 1 signs 4; 2 does not
	cl := channel.Close{ChannelID: c.id(), Seq: 3, StateHash: c.head(2).Hash}
	c.tell(2, 1, protocols.CloseConsent{Close: cl, Signature: c.sign(2, cl)})
	c.close(1, 700)
	require.Equal(t, cl, *c.nodes[1].disk.close)
	c.net = nil
	c.refuses(2, 1, protocols.Countersign{Seq: 4, Signature: c.sign(2, u)}) // nothing received later counts
	c.tell(0, 1, protocols.CloseConsent{Close: cl, Signature: c.sign(0, cl)})
	require.Equal(t, "concluding", c.nodes[1].life.Status())
	v, sigs, closes := c.nodes[1].life.Defund().Conclusion()
	require.EqualValues(t, 3, v.Seq)
	c.checkConclusion(v, sigs, closes)
	c.crash(1)
	c.restart(1)
	v, _, _ = c.nodes[1].life.Defund().Conclusion()
	require.EqualValues(t, 3, v.Seq)
}
