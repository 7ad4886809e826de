package sidecar_test

import (
	"context"
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func submit(t testing.TB, p *peer, id common.Hash) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		out, err := p.api.Submit(ctx, id, hexutil.Bytes{0x01}, nil)
		if sidecar.ErrorCode(err) == channel.CodeNotReady && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
			continue
		}
		require.NoError(t, err)
		return out.Seq
	}
}

// TestR2_RestartGoesOn stops each side in turn, opens its store again in a new engine, and plays on (A13, F4).
func TestR2_RestartGoesOn(t *testing.T) {
	options := derivation.Options{PageLimit: 1}
	a, b, id := pair(t, counter.Wasm, options)
	want := uint64(0)
	for round := range 3 {
		for range 5 {
			want++
			require.Equal(t, want, submit(t, b, id))
			want++
			require.Equal(t, want, submit(t, a, id))
		}
		if round%2 == 0 {
			b.stop()
			b = startPeer(t, 2, b.dir, counter.Wasm, options)
		} else {
			a.stop()
			a = startPeer(t, 1, a.dir, counter.Wasm, options)
		}
		acquaint(t, a, b)
		waitOpen(t, a, id)
		waitOpen(t, b, id)
	}
	require.Equal(t, want+1, submit(t, b, id))
	var roots []common.Hash
	for _, p := range []*peer{a, b} {
		rep, err := p.api.Verify(context.Background(), id)
		require.NoError(t, err)
		require.Equal(t, want+1, rep.Seq)
		roots = append(roots, rep.JournalRoot)
		past := uint64(3)
		state, err := p.api.State(context.Background(), id, &past)
		require.NoError(t, err)
		require.Equal(t, past, state.Seq)
	}
	require.Equal(t, roots[0], roots[1])
}

// stranger is a transport of its own: it can say anything.
func stranger(t *testing.T, to *peer) *p2p.Transport {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("stranger")))
	require.NoError(t, err)
	return transport(t, key, to)
}

func transport(t *testing.T, key *ecdsa.PrivateKey, to *peer) *p2p.Transport {
	n, err := p2p.New(p2p.Config{Key: key, Network: "bench", Logger: log.NewLogger(log.DiscardHandler())})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = n.Close(ctx)
	})
	require.NoError(t, n.AddPeer(to.net.Address(), to.net.Addrs()))
	require.NoError(t, to.net.AddPeer(n.Address(), n.Addrs()))
	return n
}

// answerOf waits for the next message to a transport.
func answerOf(t *testing.T, n *p2p.Transport) protocols.Message {
	select {
	case in := <-n.Inbound():
		in.Ack()
		m, err := protocols.DecodeMessage(in.Body)
		require.NoError(t, err)
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

// droppedBy waits until a node has counted a drop with a code.
func droppedBy(t *testing.T, p *peer, code channel.Code) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, err := testutil.GatherAndCount(p.reg, "op_channels_messages_dropped_total")
		return err == nil && n > 0 && dropped(t, p, code) > 0
	}, 20*time.Second, 5*time.Millisecond, "no drop with code %s", code)
}

func dropped(t *testing.T, p *peer, code channel.Code) (total float64) {
	families, err := p.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "op_channels_messages_dropped_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "code" && l.GetValue() == string(code) {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}

// TestAttack29_BadMessages: each kind of wrong message from a peer is a counted drop, nothing is stored, the node goes on.
func TestAttack29_BadMessages(t *testing.T) {
	a, b, id := pair(t, counter.Wasm, derivation.Options{PageLimit: 1})
	require.EqualValues(t, 1, submit(t, b, id))
	s := stranger(t, a)
	send := func(body protocols.Body, ch common.Hash) {
		raw, err := protocols.Message{Channel: ch, Body: body}.Encode()
		require.NoError(t, err)
		require.NoError(t, s.Send(a.net.Address(), raw))
	}
	before, err := a.store.LastSeq(id)
	require.NoError(t, err)

	require.NoError(t, s.Send(a.net.Address(), []byte("not a message")))
	droppedBy(t, a, channel.CodeMalformed)
	send(protocols.Sync{Seq: 1}, common.Hash{0xde, 0xad})
	droppedBy(t, a, channel.CodeUnknownChannel)
	send(protocols.Sync{Seq: 1}, id)
	droppedBy(t, a, channel.CodeNotParticipant)

	after, err := a.store.LastSeq(id)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.EqualValues(t, 2, submit(t, b, id), "the node goes on")
}

// TestR4_Proposals: what is wrong with a proposal goes back with a code, and nothing is stored.
func TestR4_Proposals(t *testing.T) {
	a := startPeer(t, 1, t.TempDir(), counter.Wasm, derivation.Options{PageLimit: 1})
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("proposer")))
	require.NoError(t, err)
	s := transport(t, key, a)
	me := crypto.PubkeyToAddress(key.PublicKey)
	base := func() *channel.Params {
		p := &channel.Params{
			Adjudicator: common.Address{0xad}, Nonce: 1, Window: 60, ForceQuota: 64, FundingDeadline: uint64(time.Now().Unix()) + 3600,
			ModuleHash: a.module.Manifest().Hash(), GenesisHash: channel.GenesisHash(make([]byte, 160)), FundingHash: channel.Funding{}.Hash(),
			Participants: []channel.Participant{{Signer: me, Owner: me}, {Signer: a.engine.SessionAddress(), Owner: a.engine.OwnerAddress()}},
		}
		p.ChainID.SetUint64(901)
		return p
	}
	for name, c := range map[string]struct {
		change func(*channel.Params)
		code   channel.Code
	}{
		"another chain":      {func(p *channel.Params) { p.ChainID.SetUint64(902) }, channel.CodeParams},
		"unknown module":     {func(p *channel.Params) { p.ModuleHash[0] ^= 1 }, channel.CodeUnknownModule},
		"another genesis":    {func(p *channel.Params) { p.GenesisHash[0] ^= 1 }, channel.CodeParams},
		"another funding":    {func(p *channel.Params) { p.FundingHash[0] ^= 1 }, channel.CodeParams},
		"not for us":         {func(p *channel.Params) { p.Participants[1].Signer = common.Address{7} }, channel.CodeNotParticipant},
		"payout to another":  {func(p *channel.Params) { p.Participants[1].Owner = common.Address{7} }, channel.CodePolicy},
		"proposer outside":   {func(p *channel.Params) { p.Participants[0].Signer = common.Address{7} }, channel.CodeNotParticipant},
		"deadline too far":   {func(p *channel.Params) { p.FundingDeadline += 8 * 24 * 3600 }, channel.CodeParams},
		"deadline too near":  {func(p *channel.Params) { p.FundingDeadline = uint64(time.Now().Unix()) }, channel.CodeParams},
		"quota out of range": {func(p *channel.Params) { p.ForceQuota = 257 }, channel.CodeParams},
	} {
		t.Run(name, func(t *testing.T) {
			p := base()
			c.change(p)
			raw, err := protocols.Message{Channel: p.ID(), Body: protocols.Proposal{
				Params: p.Encode(), Funding: channel.Funding{}.Encode(), Genesis: make([]byte, 160),
			}}.Encode()
			require.NoError(t, err)
			require.NoError(t, s.Send(a.net.Address(), raw))
			m := answerOf(t, s)
			refusal, ok := m.Body.(protocols.Refusal)
			require.True(t, ok, "answered with %s", m.Kind())
			require.Equal(t, string(c.code), refusal.Code, refusal.Text)
			_, err = a.store.Channel(p.ID())
			require.Error(t, err, "nothing is stored")
		})
	}
}

// TestA1_RPCErrors: wrong requests get a code that says what to do.
func TestA1_RPCErrors(t *testing.T) {
	a, b, id := pair(t, counter.Wasm, derivation.Options{PageLimit: 1})
	ctx := context.Background()
	code := func(err error) channel.Code { require.Error(t, err); return sidecar.ErrorCode(err) }

	_, err := a.api.Submit(ctx, common.Hash{1}, nil, nil)
	require.Equal(t, channel.CodeUnknownChannel, code(err))
	_, err = a.api.Get(ctx, common.Hash{1})
	require.Equal(t, channel.CodeUnknownChannel, code(err))
	_, err = a.api.Entries(ctx, common.Hash{1}, 1, 10)
	require.Equal(t, channel.CodeUnknownChannel, code(err))
	_, err = b.api.Submit(ctx, id, make([]byte, channel.MaxPayload+1), nil)
	require.Equal(t, channel.CodeTooLarge, code(err))
	far := uint64(99)
	_, err = a.api.State(ctx, id, &far)
	require.Equal(t, channel.CodeGap, code(err))
	_, err = a.api.Open(ctx, sidecar.OpenArgs{})
	require.Equal(t, channel.CodeParams, code(err))

	end, err := b.api.Submit(ctx, id, counter.PayloadEnd, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, end.Seq)
	_, err = b.api.Submit(ctx, id, hexutil.Bytes{1}, nil)
	require.Equal(t, channel.CodePhase, code(err))
}

// TestR4_StakesNeedTheOwner: nobody else decides what our wallet spends.
func TestR4_StakesNeedTheOwner(t *testing.T) {
	a := startPeer(t, 1, t.TempDir(), counter.Wasm, derivation.Options{PageLimit: 1})
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("proposer")))
	require.NoError(t, err)
	s := transport(t, key, a)
	me := crypto.PubkeyToAddress(key.PublicKey)
	for i, stake := range []uint64{1, 0} { // in the second one only the proposer pays
		funding := channel.Funding{{Amounts: []channel.Amount{*uint256.NewInt(5), *uint256.NewInt(stake)}}}
		p := &channel.Params{
			Adjudicator: common.Address{0xad}, Nonce: uint64(i), Window: 60, ForceQuota: 64, FundingDeadline: uint64(time.Now().Unix()) + 3600,
			ModuleHash: a.module.Manifest().Hash(), GenesisHash: channel.GenesisHash(make([]byte, 160)), FundingHash: funding.Hash(),
			Participants: []channel.Participant{{Signer: me, Owner: me}, {Signer: a.engine.SessionAddress(), Owner: a.engine.OwnerAddress()}},
		}
		p.ChainID.SetUint64(901)
		raw, err := protocols.Message{Channel: p.ID(), Body: protocols.Proposal{
			Params: p.Encode(), Funding: funding.Encode(), Genesis: make([]byte, 160),
		}}.Encode()
		require.NoError(t, err)
		require.NoError(t, s.Send(a.net.Address(), raw))
		want := "asking"
		if stake == 0 {
			want = "signing"
		}
		require.Eventually(t, func() bool {
			info, err := a.api.Get(context.Background(), p.ID())
			return err == nil && info.Status == want
		}, 20*time.Second, 5*time.Millisecond)
		if stake == 0 {
			continue
		}
		_, err = a.store.Signed(p.ID())
		require.Error(t, err, "nothing is signed before the owner decides")
		require.NoError(t, a.api.Reject(context.Background(), p.ID(), "no"))
		m := answerOf(t, s)
		require.Equal(t, protocols.KindRefusal, m.Kind())
	}
}

// TestR4_Policy: allow list, deny list, shortest window, stake limit, and leaving every proposal to the owner.
func TestR4_Policy(t *testing.T) {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("proposer")))
	require.NoError(t, err)
	me := crypto.PubkeyToAddress(key.PublicKey)
	limit := map[common.Address]channel.Amount{{}: *uint256.NewInt(10)}
	for name, c := range map[string]struct {
		policy sidecar.Policy
		stake  uint64
		code   channel.Code // empty: considered
		status string
	}{
		"allowed":          {sidecar.Policy{Allow: []common.Address{me}}, 0, "", "signing"},
		"not allowed":      {sidecar.Policy{Allow: []common.Address{{7}}}, 0, channel.CodePolicy, ""},
		"denied":           {sidecar.Policy{Deny: []common.Address{me}}, 0, channel.CodePolicy, ""},
		"window too short": {sidecar.Policy{MinWindow: 61}, 0, channel.CodePolicy, ""},
		"within the limit": {sidecar.Policy{MaxStake: limit}, 10, "", "signing"},
		"above the limit":  {sidecar.Policy{MaxStake: limit}, 11, channel.CodePolicy, ""},
		"ask":              {sidecar.Policy{Ask: true}, 0, "", "asking"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startPeerWith(t, 1, t.TempDir(), counter.Wasm, derivation.Options{PageLimit: 1}, c.policy)
			s := transport(t, key, a)
			funding := channel.Funding{{Amounts: []channel.Amount{{}, *uint256.NewInt(c.stake)}}}
			p := &channel.Params{
				Adjudicator: common.Address{0xad}, Window: 60, ForceQuota: 64, FundingDeadline: uint64(time.Now().Unix()) + 3600,
				ModuleHash: a.module.Manifest().Hash(), GenesisHash: channel.GenesisHash(make([]byte, 160)), FundingHash: funding.Hash(),
				Participants: []channel.Participant{{Signer: me, Owner: me}, {Signer: a.engine.SessionAddress(), Owner: a.engine.OwnerAddress()}},
			}
			p.ChainID.SetUint64(901)
			raw, err := protocols.Message{Channel: p.ID(), Body: protocols.Proposal{
				Params: p.Encode(), Funding: funding.Encode(), Genesis: make([]byte, 160),
			}}.Encode()
			require.NoError(t, err)
			require.NoError(t, s.Send(a.net.Address(), raw))
			if c.code != "" {
				refusal, ok := answerOf(t, s).Body.(protocols.Refusal)
				require.True(t, ok)
				require.Equal(t, string(c.code), refusal.Code, refusal.Text)
				return
			}
			require.Eventually(t, func() bool {
				info, err := a.api.Get(context.Background(), p.ID())
				return err == nil && info.Status == c.status
			}, 20*time.Second, 5*time.Millisecond)
		})
	}
}
