package settle_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/settle"
	"github.com/stretchr/testify/require"
)

var (
	head    = channel.Update{ChannelID: common.Hash{1}, Seq: 9, JournalRoot: common.Hash{2}, StateHash: common.Hash{3}}
	final   = protocols.ChainView{Time: 1, Funded: true, Final: true, FinalSeq: 9, FinalHash: head.StateHash}
	effects = []channel.Effect{{Op: channel.EffectIncrement, Key: []common.Hash{}, Data: []byte{1}}}
	tx      = protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxSettle}}
)

// replaying is an attestor's objective that waits for its replay.
func replaying(t *testing.T) settle.Objective {
	o, acts := settle.New(&settle.Config{Attest: true, Stall: 5}).Crank(protocols.Progress{Supported: head, Terminal: true})
	require.Empty(t, acts)
	o, acts = o.Crank(final)
	require.Equal(t, []protocols.Action{protocols.Replay{Seq: 9}}, acts)
	return o
}

func TestA11_NothingIsAttestedButWhatTheReplayDerives(t *testing.T) {
	other := head
	other.StateHash[0]++
	for name, c := range map[string]struct {
		in    protocols.Replayed
		phase settle.Phase
	}{
		"the replay failed":  {protocols.Replayed{Update: head, Effects: effects, Err: "diverged at 3"}, settle.Failed},
		"it led elsewhere":   {protocols.Replayed{Update: other, Effects: effects}, settle.Failed},
		"there is no effect": {protocols.Replayed{Update: head}, settle.Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			o, acts := replaying(t).Crank(c.in)
			require.Equal(t, c.phase, o.Phase())
			for _, a := range acts {
				require.IsType(t, protocols.Notify{}, a, "nothing is signed or submitted")
			}
			o, acts = o.Crank(protocols.Tick{Now: 100})
			require.Empty(t, acts)
			_, acts = o.Crank(final)
			require.Empty(t, acts, "not again for the same end")
		})
	}
}

func TestA11_NotForUs(t *testing.T) {
	attest, hash := true, final
	hash.FinalHash[0]++
	seq := final
	seq.FinalSeq++
	for name, c := range map[string]struct {
		attest   bool
		terminal bool
		view     protocols.ChainView
	}{
		"no attestor":         {!attest, true, final},
		"not terminal":        {attest, false, final},
		"another end, state":  {attest, true, hash},
		"another end, seq":    {attest, true, seq},
		"not final":           {attest, true, protocols.ChainView{Time: 1, Funded: true}},
		"settled by somebody": {attest, true, protocols.ChainView{Time: 1, Final: true, FinalSeq: 9, FinalHash: head.StateHash, Settled: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := settle.New(&settle.Config{Attest: c.attest, Stall: 5}).Crank(protocols.Progress{Supported: head, Terminal: c.terminal})
			_, acts := o.Crank(c.view)
			for _, a := range acts {
				require.IsType(t, protocols.Notify{}, a)
			}
		})
	}
}

func TestA12_SettleSurvivesFailuresAndReorgs(t *testing.T) {
	o, acts := replaying(t).Crank(protocols.Replayed{Update: head, Effects: effects})
	require.Equal(t, []protocols.Action{protocols.Sign{Message: channel.Attestation(head), Key: protocols.AttestorKey}}, acts)
	o, acts = o.Crank(protocols.Signed{Message: channel.Attestation{}, Signature: channel.Signature{9}})
	require.Empty(t, acts, "not what was asked for")
	o, acts = o.Crank(protocols.Signed{Message: channel.Attestation(head), Signature: channel.Signature{1}})
	require.Equal(t, []protocols.Action{tx}, acts)
	u, a := o.Settlement()
	require.Equal(t, head, u)
	require.Equal(t, channel.Signature{1}, a)

	o, _ = o.Crank(protocols.Tick{Now: 100})
	o, acts = o.Crank(protocols.Submitted{Tx: tx.Tx, Err: "reverted"})
	require.IsType(t, protocols.Notify{}, acts[0])
	o, acts = o.Crank(protocols.Tick{Now: 104})
	require.Empty(t, acts, "not before a stall has passed")
	o, acts = o.Crank(protocols.Tick{Now: 105})
	require.Equal(t, []protocols.Action{tx}, acts)

	done := final
	done.Settled = true
	o, _ = o.Crank(done)
	require.Equal(t, settle.Settled, o.Phase())
	o, acts = o.Crank(final) // the settlement's block is gone, the conclusion's is not
	require.Equal(t, []protocols.Action{protocols.Replay{Seq: 9}}, acts)
	o, _ = o.Crank(protocols.ChainView{Time: 2, Funded: true})
	require.Equal(t, settle.Watching, o.Phase())
	_, acts = o.Crank(final)
	require.Equal(t, []protocols.Action{protocols.Replay{Seq: 9}}, acts)
}

var publish = protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxPublish}}

// published is a publisher's objective whose journal is on its way to the chain.
func published(t *testing.T, attest bool) settle.Objective {
	o, _ := settle.New(&settle.Config{Attest: attest, Publish: true, Stall: 5}).Crank(protocols.Progress{Supported: head, Terminal: true})
	o, acts := o.Crank(final)
	require.Equal(t, []protocols.Action{protocols.Replay{Seq: 9}}, acts)
	o, acts = o.Crank(protocols.Replayed{Update: head, Effects: effects})
	if attest {
		o, _ = o.Crank(protocols.Signed{Message: channel.Attestation(head), Signature: channel.Signature{1}})
		o, acts = o.Crank(protocols.Submitted{Tx: tx.Tx, Err: "the World takes no attestation"})
		require.Len(t, acts, 2)
		acts = acts[1:]
	}
	require.Equal(t, []protocols.Action{publish}, acts)
	require.Equal(t, settle.Publishing, o.Phase())
	u, a := o.Settlement()
	require.Equal(t, head, u)
	require.True(t, a.IsZero(), "nobody attests")
	return o
}

// standing is final with a publication that stands from 50 on.
func standing(time uint64) protocols.ChainView {
	v := final
	v.Time, v.Proven, v.Deadline = time, true, 50
	return v
}

func TestU1_APublisherSettlesWhenTheWindowIsOver(t *testing.T) {
	for _, attest := range []bool{false, true} {
		o, acts := published(t, attest).Crank(standing(10))
		require.Empty(t, acts)
		require.Equal(t, settle.Standing, o.Phase())
		o, acts = o.Crank(standing(49))
		require.Empty(t, acts, "before a deadline means t < deadline")
		o, acts = o.Crank(standing(50))
		require.Equal(t, []protocols.Action{tx}, acts)
		_, acts = o.Crank(standing(51))
		require.Empty(t, acts, "once is enough")
	}
}

// The bond comes back after the settlement, also when a restart made us forget who published.
func TestU1_TheBondIsTakenBack(t *testing.T) {
	release := protocols.SubmitTx{Tx: protocols.Tx{Kind: protocols.TxRelease}}
	settled := standing(60)
	settled.Settled = true
	for _, o := range []settle.Objective{published(t, false), settle.New(&settle.Config{Publish: true, Stall: 5})} {
		o, acts := o.Crank(settled)
		require.Equal(t, release, acts[len(acts)-1])
		o, _ = o.Crank(protocols.Tick{Now: 100})
		o, _ = o.Crank(protocols.Submitted{Tx: release.Tx, Err: "no node"})
		_, acts = o.Crank(protocols.Tick{Now: 105})
		require.Equal(t, []protocols.Action{release}, acts)
	}
	_, acts := settle.New(&settle.Config{Attest: true, Stall: 5}).Crank(settled)
	require.Len(t, acts, 1, "an attestor risks none")
}

func TestU1_AnExecutedJournalNeedsNoWindow(t *testing.T) {
	v := final
	v.Proven = true
	o, acts := published(t, false).Crank(v)
	require.Equal(t, []protocols.Action{tx}, acts)
	require.Equal(t, settle.Submitting, o.Phase())
}

// Somebody else may have published while we replayed.
func TestU1_OnePublicationIsEnough(t *testing.T) {
	o, _ := settle.New(&settle.Config{Publish: true, Stall: 5}).Crank(protocols.Progress{Supported: head, Terminal: true})
	o, _ = o.Crank(standing(10))
	o, acts := o.Crank(protocols.Replayed{Update: head, Effects: effects})
	require.Empty(t, acts)
	require.Equal(t, settle.Standing, o.Phase())
}

func TestA12_PublishingSurvivesFailuresAndReorgs(t *testing.T) {
	o, _ := published(t, false).Crank(protocols.Tick{Now: 100})
	o, acts := o.Crank(protocols.Submitted{Tx: publish.Tx, Err: "reverted"})
	require.IsType(t, protocols.Notify{}, acts[0])
	o, acts = o.Crank(protocols.Tick{Now: 105})
	require.Equal(t, []protocols.Action{publish}, acts)
	o, _ = o.Crank(standing(10))
	o, acts = o.Crank(final) // the publication's block is gone
	require.Equal(t, []protocols.Action{publish}, acts)
	require.Equal(t, settle.Publishing, o.Phase())
}

// A void journal is told once and nothing is sent any more, unless a reorg takes the proof away.
func TestA11_NothingIsSettledAfterAProof(t *testing.T) {
	o, _ := published(t, false).Crank(standing(10))
	void := standing(60)
	void.Void = true
	o, acts := o.Crank(void)
	require.Len(t, acts, 1)
	require.IsType(t, protocols.Notify{}, acts[0])
	require.Equal(t, settle.Void, o.Phase())
	o, acts = o.Crank(protocols.Tick{Now: 1000})
	require.Empty(t, acts)
	o, acts = o.Crank(void)
	require.Empty(t, acts)
	o, acts = o.Crank(standing(61))
	require.Equal(t, []protocols.Action{protocols.Replay{Seq: 9}}, acts)
	require.Equal(t, settle.Replaying, o.Phase())
}

// What is on chain and does not count yet is not sent again; what a reorg takes away before it counts is.
func TestTrust_WhatIsSeenIsNotSentAndWhatIsLostIs(t *testing.T) {
	seen := func(v protocols.ChainView) protocols.ChainView {
		v.Seen = protocols.Seen{Time: v.Time, Final: true, Proven: true, Settled: v.Proven}
		return v
	}
	o, acts := published(t, false).Crank(seen(final))
	require.Empty(t, acts)
	require.Equal(t, settle.Publishing, o.Phase(), "it does not count")
	o, _ = o.Crank(protocols.Tick{Now: 100})
	o, acts = o.Crank(protocols.Submitted{Tx: publish.Tx, Err: "published by somebody else"})
	require.IsType(t, protocols.Notify{}, acts[0])
	o, acts = o.Crank(protocols.Tick{Now: 105})
	require.Empty(t, acts, "there is one")
	o, acts = o.Crank(final)
	require.Equal(t, []protocols.Action{publish}, acts, "it is gone")

	o, acts = o.Crank(standing(50))
	require.Equal(t, []protocols.Action{tx}, acts)
	o, acts = o.Crank(seen(standing(51)))
	require.Empty(t, acts)
	require.Equal(t, settle.Submitting, o.Phase(), "it does not count")
	o, acts = o.Crank(standing(52))
	require.Equal(t, []protocols.Action{tx}, acts, "it is gone")
	counts := seen(standing(53))
	counts.Settled = true
	o, _ = o.Crank(counts)
	require.Equal(t, settle.Settled, o.Phase())
}
