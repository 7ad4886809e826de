package sidecar_test

import (
	"context"
	"crypto/ecdsa"
	"net/http"
	"sync"
	"testing"
	"time"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/tictactoe"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/evmts/channels/sidecar/signer/signertest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func remoteKey(t testing.TB, seed string) (*ecdsa.PrivateKey, *signertest.Server) {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(seed)))
	require.NoError(t, err)
	s := signertest.New(key, "account_signTypedData").Start()
	t.Cleanup(s.Close)
	return key, s
}

func dialSigner(t testing.TB, s *signertest.Server, name string) *signer.Client {
	cfg := signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: s.URL(), Address: s.Address().Hex()}}
	c, err := signer.New(cfg, name, log.NewLogger(log.DiscardHandler()), signer.NewMetrics(prometheus.NewRegistry()))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// gate lets answers of a signer through when it is open.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) hold(_ http.ResponseWriter, r *http.Request, _ *signertest.Call) bool {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return false
	case <-r.Context().Done():
		return true
	}
}

func proposal(a *peer, genesis []byte, peers ...*peer) sidecar.OpenArgs {
	args := sidecar.OpenArgs{GenesisHex: genesis, NoWait: true}
	args.ModuleHash, args.ForceQuota = a.module.Manifest().Hash(), 256
	for _, p := range peers {
		args.Participants = append(args.Participants, channel.Participant{Signer: p.engine.SessionAddress(), Owner: p.engine.OwnerAddress()})
	}
	return args
}

// TestF4_AnOwnerElsewhere: a Join comes from a remote signer. Until it is there nothing of ours is sent; the loop does not wait
// for it; a process that ends meanwhile asks again; a signer that refuses is asked again.
func TestF4_AnOwnerElsewhere(t *testing.T) {
	options := derivation.Options{PageLimit: 1}
	_, server := remoteKey(t, "owner")
	g := newGate()
	server.Misbehave(g.hold)
	elsewhere := func(c *sidecar.EngineConfig) {
		c.Keys.Owner, c.Keys.OwnerSigner = nil, dialSigner(t, server, "owner")
		c.Stall = time.Second
	}
	a, b := startPeer(t, 1, t.TempDir(), counter.Wasm, options), startPeerAs(t, 2, t.TempDir(), counter.Wasm, options, elsewhere)
	acquaint(t, a, b)
	require.Equal(t, server.Address(), b.engine.OwnerAddress())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id, err := a.api.Open(ctx, proposal(a, make([]byte, 160), a, b))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(server.Calls()) == 1 }, 20*time.Second, time.Millisecond)
	call := server.Calls()[0]
	require.Equal(t, "Join", call.Data.PrimaryType)
	require.Equal(t, id.Hex(), call.Data.Message["channelId"])
	require.Equal(t, b.engine.SessionAddress().Hex(), call.Data.Message["signer"])

	// The loop turns, and what is durable says so: Update 0 is signed, the Join is not there.
	info, err := b.api.Get(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "signing", info.Status)
	require.Equal(t, "our own signatures", info.WaitingFor)
	signed, err := b.store.Signed(id)
	require.NoError(t, err)
	require.Zero(t, signed.Seq)
	require.Never(t, func() bool { return len(server.Calls()) > 1 }, 300*time.Millisecond, 10*time.Millisecond, "one question at a time")

	b.stop()
	b = startPeerAs(t, 2, b.dir, counter.Wasm, options, elsewhere)
	acquaint(t, a, b)
	require.Eventually(t, func() bool { return len(server.Calls()) == 2 }, 20*time.Second, time.Millisecond, "the next process asks again")
	server.Misbehave(func(w http.ResponseWriter, _ *http.Request, c *signertest.Call) bool {
		if len(server.Calls()) > 3 {
			return false
		}
		signertest.Answer(w, nil, nil, &signertest.Error{Code: -32000, Message: "not on a Sunday"})
		return true
	})
	notes, cancelNotes := b.engine.Subscribe(id)
	defer cancelNotes()
	close(g.open) // the second question is answered; had it been refused, a third would follow
	waitOpen(t, b, id)
	waitOpen(t, a, id)
	for n := range notes {
		require.NotEqual(t, protocols.NoteRefused, n.Kind)
		if n.Kind == protocols.NoteOpen {
			break
		}
	}
	require.EqualValues(t, 1, submit(t, b, id))

	// A refusal is said with its code, and asked again after a stall.
	other, err := a.api.Open(ctx, proposal(a, make([]byte, 160), b, a))
	require.NoError(t, err)
	said, cancelSaid := b.engine.Subscribe(other)
	defer cancelSaid()
	refusals := 0
	for n := range said {
		if n.Kind == protocols.NoteRefused {
			refusals++
			require.Equal(t, channel.CodeSigner, n.Code)
			require.Contains(t, n.Text, "not on a Sunday")
		}
		if n.Kind == protocols.NoteOpen {
			break
		}
	}
	require.Equal(t, 1, refusals)
	waitOpen(t, a, other)
}

// obliging is a chain that does what it is asked: a conclusion and a settlement are facts in the next block. What the
// contracts make of them is tested on a chain, in e2e.
type obliging struct {
	steps   chan sidecar.ChainStep
	results chan sidecar.TxResult
	mu      sync.Mutex
	block   uint64
	asked   []sidecar.TxRequest
	loses   map[protocols.TxKind]bool // the next one is mined, and its block is gone before anybody sees it
	late    chan sidecar.TxRequest    // conclusions: somebody else was first, and the test says when ours is refused; nil: ours are taken
}

func newObliging() *obliging {
	o := &obliging{steps: make(chan sidecar.ChainStep, 64), results: make(chan sidecar.TxResult, 64)}
	o.mine()
	return o
}

func (o *obliging) mine(facts ...sidecar.ChainFact) {
	o.block++
	pos := sidecar.BlockPos{Number: o.block, Hash: common.Hash{byte(o.block)}, Time: uint64(time.Now().Unix())}
	for i := range facts {
		facts[i].Block, facts[i].BlockHash = pos.Number, pos.Hash
	}
	o.steps <- sidecar.ChainStep{Head: pos, Facts: facts}
}

func (o *obliging) Steps() <-chan sidecar.ChainStep  { return o.steps }
func (o *obliging) Results() <-chan sidecar.TxResult { return o.results }
func (o *obliging) Submit(r sidecar.TxRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	if o.late != nil && r.Tx.Kind == protocols.TxConclude {
		o.late <- r
		return
	}
	o.results <- sidecar.TxResult{Channel: r.Channel, Tx: r.Tx, Mined: []sidecar.MinedTx{{Hash: common.Hash{byte(len(o.asked))}, Block: o.block + 1}}}
	if o.loses[r.Tx.Kind] {
		o.loses[r.Tx.Kind] = false
		for range 5 {
			o.mine()
		}
		return
	}
	switch r.Tx.Kind {
	case protocols.TxConclude:
		u := r.Conclude.Update
		o.mine(sidecar.ChainFact{Channel: r.Channel, Kind: sidecar.FactConcluded, Detail: sidecar.FactDetail{Seq: u.Seq, JournalRoot: u.JournalRoot, StateHash: u.StateHash}})
	case protocols.TxSettle:
		o.mine(sidecar.ChainFact{Channel: r.Channel, Kind: sidecar.FactSettled})
	}
}

func (o *obliging) requests(kind protocols.TxKind) (out []sidecar.TxRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.asked {
		if r.Tx.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}

// game is a finished game of tic-tac-toe that leaves records in a World: the first participant attests for it.
func game(t *testing.T, a, b *peer) (id common.Hash) {
	genesis := tictactoe.Genesis{Settlement: common.Address{0x5e}, World: common.Address{0x30}, Namespace: "arcade"}.Input()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id, err := a.api.Open(ctx, proposal(a, genesis, a, b))
	require.NoError(t, err)
	waitOpen(t, a, id)
	waitOpen(t, b, id)
	for i, square := range []uint8{0, 3, 1, 4, 2} {
		p := []*peer{a, b}[i%2]
		require.Eventually(t, func() bool {
			_, err := p.api.Submit(ctx, id, hexutil.Bytes(tictactoe.Move(square)), nil)
			return err == nil || sidecar.ErrorCode(err) != channel.CodeNotReady && sidecar.ErrorCode(err) != channel.CodeRejected
		}, 20*time.Second, time.Millisecond)
	}
	return id
}

// TestF4_AnAttestorElsewhere: after the replay the signer is asked for the attestation, once; everything else goes on while it
// thinks; the next process asks again; what it signs is what the settlement brings.
func TestF4_AnAttestorElsewhere(t *testing.T) {
	wasm, err := tictactoe.Wasm("c")
	require.NoError(t, err)
	_, server := remoteKey(t, "attestor")
	g := newGate()
	server.Misbehave(g.hold)
	attestors := newObliging()
	attests := func(c *sidecar.EngineConfig) {
		c.Keys.AttestorSigner = dialSigner(t, server, "attestor")
		c.Settlement, c.Chain = common.Address{0x5e}, attestors
	}
	a := startPeerAs(t, 1, t.TempDir(), wasm, tictactoe.Options(), attests)
	b := startPeer(t, 2, t.TempDir(), wasm, tictactoe.Options())
	acquaint(t, a, b)
	require.Equal(t, server.Address(), a.engine.AttestorAddress())
	id := game(t, a, b)

	require.Eventually(t, func() bool { return len(server.Calls()) == 1 }, 20*time.Second, time.Millisecond)
	call := server.Calls()[0]
	require.Equal(t, "Attestation", call.Data.PrimaryType)
	require.Equal(t, id.Hex(), call.Data.Message["channelId"])
	require.Equal(t, "5", call.Data.Message["seq"])
	info, err := a.api.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "our signature", info.WaitingFor)
	second := game(t, a, b) // the loop waits for nothing
	require.Eventually(t, func() bool { return len(server.Calls()) == 2 }, 20*time.Second, time.Millisecond)
	require.Empty(t, attestors.requests(protocols.TxSettle), "nothing is sent without the signature")

	a.stop()
	attestors.mu.Lock()
	attestors.mine() // what the next process sees first
	attestors.mu.Unlock()
	a = startPeerAs(t, 1, a.dir, wasm, tictactoe.Options(), attests)
	require.Eventually(t, func() bool { return len(server.Calls()) == 4 }, 20*time.Second, time.Millisecond, "both are asked for again")
	close(g.open)
	for _, id := range []common.Hash{id, second} {
		require.Eventually(t, func() bool {
			info, err := a.api.Get(t.Context(), id)
			return err == nil && info.Status == "settled"
		}, 20*time.Second, time.Millisecond)
	}
	requests := attestors.requests(protocols.TxSettle)
	require.Len(t, requests, 2)
	for _, r := range requests {
		digest := r.Params.Domain().Digest(channel.Attestation(r.Conclude.Update))
		require.NoError(t, r.Settle.Attestation.Verify(digest, server.Address()))
	}
}
