package sidecar_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/tictactoe"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/evmts/channels/sidecar/tracing/tracingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// tracer sends the spans of the node with this seed to a collector.
func tracer(t testing.TB, c *tracingtest.Collector, seed byte, share float64) *tracing.Tracer {
	tr, err := tracing.New(t.Context(), tracing.Config{Enabled: true, Endpoint: c.URL, Sample: share}, "test", addressOf(t, seed), log.NewLogger(log.DiscardHandler()), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, tr.Close(ctx))
	})
	return tr
}

// addressOf is the session address of the node with this seed.
func addressOf(t testing.TB, seed byte) common.Address {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte{seed}))
	require.NoError(t, err)
	return crypto.PubkeyToAddress(key.PublicKey)
}

func traced(t testing.TB, c *tracingtest.Collector, share float64, module []byte, options derivation.Options) (a, b *peer, id common.Hash) {
	with := func(seed byte) func(*sidecar.EngineConfig) {
		return func(cfg *sidecar.EngineConfig) { cfg.Tracer = tracer(t, c, seed, share) }
	}
	a, b = startPeerAs(t, 1, t.TempDir(), module, options, with(1)), startPeerAs(t, 2, t.TempDir(), module, options, with(2))
	acquaint(t, a, b)
	id, err := a.api.Open(t.Context(), proposal(a, make([]byte, 160), a, b))
	require.NoError(t, err)
	waitOpen(t, a, id)
	waitOpen(t, b, id)
	return a, b, id
}

func traceOf(kind string, id common.Hash, seq ...uint64) string {
	raw := slices.Concat([]byte("op-channels "+kind), id[:])
	for _, s := range seq {
		raw = binary.BigEndian.AppendUint64(raw, s)
	}
	return hex.EncodeToString(crypto.Keccak256(raw)[:16])
}

// awaitSpans waits until a trace has these spans, by "node name", and no others.
func awaitSpans(t *testing.T, c *tracingtest.Collector, trace string, names map[common.Address][]string) map[string]tracingtest.Span {
	t.Helper()
	var want, got []string
	for node, list := range names {
		for _, name := range list {
			want = append(want, node.Hex()+" "+name)
		}
	}
	slices.Sort(want)
	out := make(map[string]tracingtest.Span)
	require.Eventually(t, func() bool {
		got = got[:0]
		for _, s := range c.Spans(trace) {
			got = append(got, s.Node+" "+s.Name)
			out[s.Node+" "+s.Name] = s
		}
		slices.Sort(got)
		return slices.Equal(want, got)
	}, 20*time.Second, 10*time.Millisecond, "wanted %v\ngot %v", want, &got)
	return out
}

// inOrder checks that one span ends before the next begins.
func inOrder(t *testing.T, spans ...tracingtest.Span) {
	t.Helper()
	for i := 1; i < len(spans); i++ {
		require.LessOrEqual(t, spans[i-1].EndTimeUnixNano, spans[i].StartTimeUnixNano, "%s of %s, then %s of %s", spans[i-1].Name, spans[i-1].Node, spans[i].Name, spans[i].Node)
	}
}

// TestF12_TheLifeOfAnEvent: one trace over two sidecars that exchange nothing for it, with the order that everything rests on: durable,
// then signed, then sent.
func TestF12_TheLifeOfAnEvent(t *testing.T) {
	c := tracingtest.Start(nil)
	t.Cleanup(c.Close)
	a, b, id := traced(t, c, 1, counter.Wasm, derivation.Options{PageLimit: 1})
	payload := []byte("nobody else's business")
	out, err := b.api.Submit(t.Context(), id, payload, nil)
	require.NoError(t, err)
	trace := traceOf("event", id, out.Seq)
	sequencer, author := a.engine.SessionAddress(), b.engine.SessionAddress()
	spans := awaitSpans(t, c, trace, map[common.Address][]string{
		sequencer: {"sequence", "wait", "derive", "persist", "sign", "send", "support"},
		author:    {"event", "follow", "author.persist", "author.sign", "author.send", "derive", "persist", "sign", "send", "support"},
	})
	of := func(node common.Address, name string) tracingtest.Span { return spans[node.Hex()+" "+name] }
	root := of(author, "event")
	require.Empty(t, root.Parent)
	for node, part := range map[common.Address]string{sequencer: "sequence", author: "follow"} {
		p := of(node, part)
		require.Equal(t, root.ID, p.Parent)
		require.Equal(t, id.Hex(), p.About["channel"])
		require.EqualValues(t, out.Seq, p.About["seq"])
		require.EqualValues(t, 1, p.About["author"])
		require.EqualValues(t, len(payload), p.About["payload.bytes"])
		require.Equal(t, true, p.About["supported"])
		require.Equal(t, []string{traceOf("channel", id)}, p.Links)
		for key, s := range spans {
			if s.Node == node.Hex() && s.Name != part && s.Name != "event" {
				require.Equal(t, p.ID, s.Parent, key)
				require.LessOrEqual(t, p.StartTimeUnixNano, s.StartTimeUnixNano, key)
				require.GreaterOrEqual(t, p.EndTimeUnixNano, s.EndTimeUnixNano, key)
			}
		}
		inOrder(t, of(node, "derive"), of(node, "persist"), of(node, "sign"), of(node, "send"))
		require.LessOrEqual(t, of(node, "sign").EndTimeUnixNano, of(node, "support").EndTimeUnixNano)
	}
	require.Equal(t, "countersign received", of(sequencer, "sequence").Events[0].Name)
	inOrder(t, of(author, "author.persist"), of(author, "author.sign"), of(author, "author.send"))
	inOrder(t, of(author, "author.sign"), of(sequencer, "derive"), of(author, "derive"))
	require.LessOrEqual(t, of(author, "author.send").StartTimeUnixNano, of(sequencer, "wait").StartTimeUnixNano)
	require.GreaterOrEqual(t, root.EndTimeUnixNano, of(author, "sign").EndTimeUnixNano)
	require.Empty(t, c.Faults())

	// Nothing of what was played leaves the node this way.
	update, sigs, err := a.store.Supported(id)
	require.NoError(t, err)
	for _, body := range c.Bodies() {
		for _, secret := range [][]byte{payload, sigs[0][:32], sigs[1][:32], update.StateHash[:]} {
			require.False(t, bytes.Contains(body, secret))
			require.False(t, bytes.Contains(body, []byte(hex.EncodeToString(secret))))
		}
	}
}

// TestF12_NodesRecordTheSameEvents: with a share of the events, a trace has the spans of both nodes or none.
func TestF12_NodesRecordTheSameEvents(t *testing.T) {
	c := tracingtest.Start(nil)
	t.Cleanup(c.Close)
	a, b, id := traced(t, c, 0.5, counter.Wasm, derivation.Options{PageLimit: 1})
	const events = 40
	for i := range uint64(events) {
		require.Equal(t, i+1, submit(t, []*peer{a, b}[i%2], id))
	}
	require.Eventually(t, func() bool {
		roots, parts := map[string]bool{}, map[string]int{}
		for _, s := range c.Spans("") {
			switch s.Name {
			case "event":
				roots[s.TraceID] = true
			case "sequence", "follow":
				parts[s.TraceID]++
			}
		}
		if len(roots) == 0 || len(roots) != len(parts) || len(roots) == events {
			return false
		}
		for trace := range roots {
			if parts[trace] != 2 {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
}

// TestA10_AHangingCollectorDoesNotHoldTheLoop: events are played while nothing of them can be told, and the node stops.
func TestA10_AHangingCollectorDoesNotHoldTheLoop(t *testing.T) {
	asked, release := make(chan struct{}, 1000), make(chan struct{})
	c := tracingtest.Start(func(r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(c.Close)
	a, b, id := traced(t, c, 1, counter.Wasm, derivation.Options{PageLimit: 1})
	t.Cleanup(func() { close(release) }) // before the tracers say what is left
	require.EqualValues(t, 1, submit(t, b, id))
	<-asked // it hangs now
	for i := range uint64(700) {
		require.Equal(t, i+2, submit(t, []*peer{a, b}[i%2], id))
	}
}

// TestF12_TheLifeOfAChannel: phases, the replay, what went to the chain and from which event it followed.
func TestF12_TheLifeOfAChannel(t *testing.T) {
	c := tracingtest.Start(nil)
	t.Cleanup(c.Close)
	wasm, err := tictactoe.Wasm("c")
	require.NoError(t, err)
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("attestor")))
	require.NoError(t, err)
	a := startPeerAs(t, 1, t.TempDir(), wasm, tictactoe.Options(), func(cfg *sidecar.EngineConfig) {
		cfg.Keys.Attestor, cfg.Settlement, cfg.Chain, cfg.Tracer = key, common.Address{0x5e}, newObliging(), tracer(t, c, 1, 1)
	})
	b := startPeer(t, 2, t.TempDir(), wasm, tictactoe.Options())
	acquaint(t, a, b)
	id := game(t, a, b)
	me := a.engine.SessionAddress()
	trace := traceOf("channel", id)
	want := []string{"channel", "participant", "asking", "signing", "open", "concluding", "final", "replay", "transaction", "transaction"}
	var spans []tracingtest.Span
	require.Eventually(t, func() bool {
		spans = c.Spans(trace)
		var names []string
		for _, s := range spans {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		slices.Sort(want)
		return slices.Equal(want, names)
	}, 20*time.Second, 10*time.Millisecond, "%v", &spans)
	by := map[string]tracingtest.Span{}
	for _, s := range spans {
		require.Equal(t, me.Hex(), s.Node)
		if s.Name == "transaction" {
			s.Name = s.About["kind"].(string)
			require.Equal(t, "mined", s.About["result"])
			require.Equal(t, []string{traceOf("event", id, 5)}, s.Links, "the event it follows from")
		}
		by[s.Name] = s
	}
	require.Equal(t, by["channel"].ID, by["participant"].Parent)
	for _, name := range []string{"signing", "open", "replay", "conclude", "settle"} {
		require.Equal(t, by["participant"].ID, by[name].Parent, name)
	}
	inOrder(t, by["asking"], by["signing"], by["open"], by["concluding"], by["final"])
	require.Equal(t, "concluding", by["open"].About["then"])
	require.Equal(t, "settled", by["final"].About["then"])
	inOrder(t, by["replay"], by["settle"])
}

// TestF12_TheLifeOfATransaction on a real chain: built, simulated, sent, mined.
func TestF12_TheLifeOfATransaction(t *testing.T) {
	c := tracingtest.Start(nil)
	t.Cleanup(c.Close)
	g := newGroundWith(t, sidecar.TrustOf(plugin.Unsafe), [2]*tracing.Tracer{tracer(t, c, 1, 1), nil})
	g.open()
	var deposit tracingtest.Span
	below := map[string]tracingtest.Span{}
	require.Eventually(t, func() bool {
		for _, s := range c.Spans(traceOf("channel", g.id)) {
			if s.Name == "transaction" {
				deposit = s
			}
		}
		for _, s := range c.Spans(traceOf("channel", g.id)) {
			if s.Parent == deposit.ID && deposit.ID != "" {
				below[s.Name] = s
			}
		}
		return len(below) == 4
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "deposit", deposit.About["kind"])
	require.Positive(t, deposit.About["gas"])
	inOrder(t, below["build"], below["simulate"], below["send"], below["mine"])
	require.LessOrEqual(t, deposit.StartTimeUnixNano, below["build"].StartTimeUnixNano)
}
