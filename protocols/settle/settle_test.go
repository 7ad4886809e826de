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
	attested := channel.AttestedEffects{ChannelID: head.ChannelID, StateHash: head.StateHash, EffectsHash: channel.EffectsHash(effects)}
	require.Equal(t, []protocols.Action{
		protocols.Sign{Message: channel.Attestation(head), Key: protocols.AttestorKey}, protocols.Sign{Message: attested, Key: protocols.AttestorKey},
	}, acts)
	o, acts = o.Crank(protocols.Signed{Message: channel.Attestation{}, Signature: channel.Signature{9}})
	require.Empty(t, acts, "not what was asked for")
	o, acts = o.Crank(protocols.Signed{Message: channel.Attestation(head), Signature: channel.Signature{1}})
	require.Empty(t, acts)
	o, acts = o.Crank(protocols.Signed{Message: attested, Signature: channel.Signature{2}})
	require.Equal(t, []protocols.Action{tx}, acts)
	u, e, a, b := o.Settlement()
	require.Equal(t, head, u)
	require.Equal(t, effects, e)
	require.Equal(t, [2]channel.Signature{{1}, {2}}, [2]channel.Signature{a, b})

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
