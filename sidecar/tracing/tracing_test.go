package tracing_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/evmts/channels/sidecar/tracing/tracingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func start(t testing.TB, cfg tracing.Config) (*tracing.Tracer, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	tr, err := tracing.New(t.Context(), cfg, "test", common.Address{0xaa}, log.NewLogger(log.DiscardHandler()), registry)
	require.NoError(t, err)
	return tr, registry
}

// spans are op_channels_tracing_spans_total by result.
func spans(t testing.TB, registry *prometheus.Registry, result string) int {
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "op_channels_tracing_spans_total" && m.GetLabel()[0].GetValue() == result {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("no metric for %s", result)
	return 0
}

func collector(t testing.TB, hold func(*http.Request)) *tracingtest.Collector {
	c := tracingtest.Start(hold)
	t.Cleanup(c.Close)
	return c
}

var id = common.Hash{0x1d}

// TestTheIdsFollowFromWhatEverybodyKnows: as the package doc draws them; two nodes agree without a word.
func TestTheIdsFollowFromWhatEverybodyKnows(t *testing.T) {
	c := collector(t, nil)
	tr, registry := start(t, tracing.Config{Enabled: true, Endpoint: c.URL, Sample: 1})
	at := time.Unix(1_800_000_000, 0)
	life := tr.Event(id, 7)
	life.Root(tracing.Span{Name: "event", Start: at, End: at.Add(9)})
	life.Node(tracing.Span{Name: "follow", Start: at.Add(1), End: at.Add(8), Links: []tracing.Life{tr.Channel(id), {}}, Marks: []tracing.Mark{{Name: "mark", At: at.Add(5)}}})
	life.Step(tracing.Span{Name: "sign", Start: at.Add(2), End: at.Add(4), About: []attribute.KeyValue{attribute.Int("n", 5)}}).
		Step(tracing.Span{Name: "below", Start: at.Add(3), End: at.Add(4)})
	require.NoError(t, tr.Close(t.Context()))
	require.Empty(t, c.Faults())

	trace := crypto.Keccak256([]byte("op-channels event"), id[:], []byte{0, 0, 0, 0, 0, 0, 0, 7})[:16]
	node := common.Address{0xaa}
	rootID := hex.EncodeToString(crypto.Keccak256(trace, []byte("root"))[:8])
	nodeID := hex.EncodeToString(crypto.Keccak256(trace, []byte("node"), node[:])[:8])
	got := map[string]tracingtest.Span{}
	for _, s := range c.Spans(hex.EncodeToString(trace)) {
		got[s.Name] = s
	}
	require.Len(t, got, 4)
	require.Equal(t, []string{rootID, ""}, []string{got["event"].ID, got["event"].Parent})
	require.Equal(t, []string{nodeID, rootID}, []string{got["follow"].ID, got["follow"].Parent})
	require.Equal(t, nodeID, got["sign"].Parent)
	require.Equal(t, got["sign"].ID, got["below"].Parent)
	require.Equal(t, map[string]any{"n": int64(5)}, got["sign"].About)
	require.EqualValues(t, at.Add(2).UnixNano(), got["sign"].StartTimeUnixNano)
	require.EqualValues(t, at.Add(4).UnixNano(), got["sign"].EndTimeUnixNano)
	require.Equal(t, node.Hex(), got["sign"].Node)
	require.Equal(t, "mark", got["follow"].Events[0].Name)
	channelTrace := hex.EncodeToString(crypto.Keccak256([]byte("op-channels channel"), id[:])[:16])
	require.Equal(t, []string{channelTrace}, got["follow"].Links, "a life that is not recorded is no link")
	require.Equal(t, 4, spans(t, registry, "exported"))
}

// TestAllNodesRecordTheSame: the share is taken by the trace's id, as OpenTelemetry does it.
func TestAllNodesRecordTheSame(t *testing.T) {
	c := collector(t, nil)
	const share = 0.25
	tr, _ := start(t, tracing.Config{Enabled: true, Endpoint: c.URL, Sample: share})
	other, _ := start(t, tracing.Config{Enabled: true, Endpoint: c.URL, Sample: share})
	defer func() { require.NoError(t, tr.Close(t.Context())); require.NoError(t, other.Close(t.Context())) }()
	rule, recorded := sdktrace.TraceIDRatioBased(share), 0
	for seq := range uint64(2000) {
		is := tr.Event(id, seq).Recorded()
		require.Equal(t, is, other.Event(id, seq).Recorded())
		trace := crypto.Keccak256([]byte("op-channels event"), id[:], binary.BigEndian.AppendUint64(nil, seq))[:16]
		require.Equal(t, rule.ShouldSample(sdktrace.SamplingParameters{TraceID: [16]byte(trace)}).Decision == sdktrace.RecordAndSample, is)
		if is {
			recorded++
		}
	}
	require.InDelta(t, 2000*share, recorded, 150)
}

// TestOffIsNothing: no tracer, no connection, and everything can be called.
func TestOffIsNothing(t *testing.T) {
	tr, registry := start(t, tracing.Config{Endpoint: "nonsense", Sample: 7})
	require.Nil(t, tr)
	life := tr.Event(id, 1)
	require.False(t, life.Recorded())
	life.Root(tracing.Span{})
	life.Node(tracing.Span{})
	life.Step(tracing.Span{}).Step(tracing.Span{})
	tr.Channel(id).Step(tracing.Span{})
	require.NoError(t, tr.Close(t.Context()))
	require.Zero(t, spans(t, registry, "exported"))
}

// TestA10_ACollectorThatHangsCostsSpansOnly: what cannot wait is dropped and counted, at once; what waits is bounded; the end does not
// wait for it either.
func TestA10_ACollectorThatHangsCostsSpansOnly(t *testing.T) {
	release := make(chan struct{})
	c := collector(t, func(r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	tr, registry := start(t, tracing.Config{Enabled: true, Endpoint: c.URL, Sample: 1})
	const many = 20_000
	at := time.Now()
	for seq := range uint64(many) {
		tr.Event(id, seq).Root(tracing.Span{Name: "event", Start: at, End: at})
	}
	lost := spans(t, registry, "dropped")
	require.GreaterOrEqual(t, lost, many-4096-512)
	require.Zero(t, spans(t, registry, "exported"))
	close(release)
	require.Eventually(t, func() bool { return spans(t, registry, "exported") == many-lost }, 20*time.Second, 5*time.Millisecond)
	tr.Event(id, many).Root(tracing.Span{Name: "event", Start: at, End: at})
	require.Eventually(t, func() bool { return spans(t, registry, "exported") == many-lost+1 }, 20*time.Second, 5*time.Millisecond, "it goes on")
	require.NoError(t, tr.Close(t.Context()))
}

// TestF4_ACollectorThatIsGone: spans are lost and counted, it is said once and without the address, and the end comes.
func TestF4_ACollectorThatIsGone(t *testing.T) {
	c := tracingtest.Start(nil)
	c.Close()
	var text strings.Builder
	registry := prometheus.NewRegistry()
	tr, err := tracing.New(t.Context(), tracing.Config{Enabled: true, Endpoint: c.URL + "/secret", Sample: 1}, "test", common.Address{}, log.NewLogger(log.LogfmtHandlerWithLevel(&text, log.LevelDebug)), registry)
	require.NoError(t, err)
	for seq := range uint64(10) {
		tr.Event(id, seq).Root(tracing.Span{Name: "event", Start: time.Now(), End: time.Now()})
	}
	require.Eventually(t, func() bool { return spans(t, registry, "failed") == 10 }, 20*time.Second, 5*time.Millisecond)
	tr.Event(id, 11).Root(tracing.Span{Name: "event", Start: time.Now(), End: time.Now()})
	require.NoError(t, tr.Close(context.Background()))
	require.Equal(t, 11, spans(t, registry, "failed"))
	require.Equal(t, 1, strings.Count(text.String(), "Spans are lost"), text.String())
	require.NotContains(t, text.String(), "secret")
}

// TestTheUsualVariables: what the flags leave out, the environment may say.
func TestTheUsualVariables(t *testing.T) {
	seen := make(chan string, 10)
	c := collector(t, func(r *http.Request) { seen <- r.Header.Get("X-Tenant") })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=raids")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	tr, _ := start(t, tracing.Config{Enabled: true, Sample: 1})
	tr.Event(id, 1).Root(tracing.Span{Name: "event", Start: time.Now(), End: time.Now()})
	require.NoError(t, tr.Close(t.Context()))
	require.Equal(t, "raids", <-seen)
	require.Empty(t, c.Faults())
	require.Contains(t, string(c.Bodies()[0]), "deployment.environment")
}

func TestConfigOfTraces(t *testing.T) {
	require.NoError(t, tracing.Config{}.Check())
	for _, bad := range []tracing.Config{{Sample: -0.1}, {Sample: 1.1}, {Endpoint: "collector:4318"}, {Endpoint: "grpc://collector:4317"}, {Endpoint: "http://"}} {
		require.Error(t, bad.Check(), fmt.Sprint(bad))
	}
}

// BenchmarkSpan is what one recorded span costs the loop, and one that is not recorded.
func BenchmarkSpan(b *testing.B) {
	c := collector(b, nil)
	for _, share := range []float64{0, 1} {
		b.Run(fmt.Sprintf("share=%v", share), func(b *testing.B) {
			tr, _ := start(b, tracing.Config{Enabled: true, Endpoint: c.URL, Sample: share})
			at, seq := time.Now(), uint64(0)
			for b.Loop() {
				seq++
				tr.Event(id, seq).Step(tracing.Span{Name: "sign", Start: at, End: at})
			}
			require.NoError(b, tr.Close(context.Background()))
		})
	}
}
