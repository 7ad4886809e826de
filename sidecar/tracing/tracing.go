// Package tracing sends spans of what a sidecar does to an OpenTelemetry collector (OTLP over HTTP), so that the life of one
// event can be followed over all nodes that had a part in it.
//
// Nothing of it travels between sidecars: no message has a field for it. The id of a trace is computed from what every
// node knows, the channel and the event's place in its journal, and so are the ids of the spans that others hang on:
//
//	trace of an event    H("op-channels event" ‖ channel ‖ seq)[:16]
//	trace of a channel   H("op-channels channel" ‖ channel)[:16]
//	span of a node       H(trace ‖ "node" ‖ session address)[:8]
//	root of an event     H(trace ‖ "root")[:8]
//
// H is keccak256, seq 8 bytes big-endian. Whether a trace is recorded follows from its id too, so all nodes with one ratio record the
// same ones. A span holds the channel's id, seq, kinds, sizes and codes: no payload, no signature, no address of a node.
//
// A collector that is slow or gone costs spans, which are counted, and nothing else.
package tracing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go. What it leaves out, the variables OTEL_EXPORTER_OTLP_* and OTEL_RESOURCE_ATTRIBUTES may say.
type Config struct {
	Enabled  bool
	Endpoint string  // URL of the collector; empty: OTEL_EXPORTER_OTLP_ENDPOINT, or port 4318 of this machine
	Sample   float64 // share of the traces that are recorded, 0 to 1
}

// Check finds what cannot work.
func (c Config) Check() error {
	if c.Sample < 0 || c.Sample > 1 || c.Sample != c.Sample {
		return fmt.Errorf("a share of %v cannot be recorded: give a number from 0 to 1", c.Sample)
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("the collector's endpoint is no URL of OTLP over HTTP: give http://HOST:4318 or https://…")
	}
	return nil
}

const (
	maxWaiting = 4096 // spans that are not exported yet; beyond that they are dropped
	batchSize  = 512
	batchEvery = time.Second
	patience   = 10 * time.Second // for one export
	farewell   = 3 * time.Second  // for what is left when the sidecar stops
)

// Tracer makes spans for one node. A nil Tracer makes none and costs nothing.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	sampler  sdktrace.Sampler
	self     common.Address
}

// New starts to export. It does not connect: a collector that is down keeps nobody from starting. Without Enabled it gives nil.
func New(ctx context.Context, cfg Config, version string, self common.Address, logger log.Logger, registry prometheus.Registerer) (*Tracer, error) {
	m := newMetrics(registry)
	if !cfg.Enabled {
		return nil, nil
	}
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{})} // a batch that fails is lost, and counted
	if cfg.Endpoint == "" && os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		cfg.Endpoint = "http://127.0.0.1:4318" // the library's default is the same with TLS
	}
	if cfg.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(cfg.Endpoint))
	}
	otlp, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "op-channels"), attribute.String("service.version", version), attribute.String("service.instance.id", self.Hex()),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	out := &counted{next: otlp, metrics: m, log: logger}
	batches := sdktrace.NewBatchSpanProcessor(out, sdktrace.WithMaxQueueSize(maxWaiting), sdktrace.WithMaxExportBatchSize(batchSize),
		sdktrace.WithBatchTimeout(batchEvery), sdktrace.WithExportTimeout(patience))
	sampler := sdktrace.TraceIDRatioBased(cfg.Sample)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sampler)), sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(&bounded{SpanProcessor: batches, out: out}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(out.fault)) // otherwise they go to the standard error of the process
	logger.Info("Traces are recorded", "share", cfg.Sample)
	return &Tracer{provider: provider, tracer: provider.Tracer("op-channels"), sampler: sampler, self: self}, nil
}

// Close exports what is left, for three seconds.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("tracing: %w", err)
	}
	return nil
}

// Life is the trace of one thing. The zero value records nothing.
type Life struct {
	t    *Tracer
	id   trace.TraceID
	root trace.SpanID
	node trace.SpanID
}

// Event is the trace of the event at seq of a channel.
func (t *Tracer) Event(channel common.Hash, seq uint64) Life {
	if t == nil {
		return Life{}
	}
	return t.life([]byte("op-channels event"), channel[:], binary.BigEndian.AppendUint64(nil, seq))
}

// Channel is the trace of a channel's objectives and transactions.
func (t *Tracer) Channel(channel common.Hash) Life {
	if t == nil {
		return Life{}
	}
	return t.life([]byte("op-channels channel"), channel[:])
}

func (t *Tracer) life(of ...[]byte) Life {
	l := Life{t: t, id: trace.TraceID(crypto.Keccak256(of...)[:16])}
	if t.sampler.ShouldSample(sdktrace.SamplingParameters{TraceID: l.id}).Decision != sdktrace.RecordAndSample {
		return Life{}
	}
	l.root = trace.SpanID(crypto.Keccak256(l.id[:], []byte("root"))[:8])
	l.node = trace.SpanID(crypto.Keccak256(l.id[:], []byte("node"), t.self[:])[:8])
	return l
}

// Recorded tells whether spans of this life go anywhere.
func (l Life) Recorded() bool { return l.t != nil }

// Mark is a moment within a span.
type Mark struct {
	Name  string
	At    time.Time
	About []attribute.KeyValue
}

// Span is something that took time. Links name other lives that it belongs to.
type Span struct {
	Name       string
	Start, End time.Time
	About      []attribute.KeyValue
	Marks      []Mark
	Links      []Life
}

// Root records what everything else of the life hangs on: for an event, its author's wait for it.
func (l Life) Root(s Span) { l.record(s, trace.SpanID{}, l.root) }

// Node records this node's part, below the root.
func (l Life) Node(s Span) { l.record(s, l.root, l.node) }

// Step records something that this node did, below its part. Steps of what is given back are below this one.
func (l Life) Step(s Span) Life {
	if l.t == nil {
		return l
	}
	id := ids{}.NewSpanID(context.Background(), l.id)
	l.record(s, l.node, id)
	l.node = id
	return l
}

func (l Life) record(s Span, parent, id trace.SpanID) {
	if l.t == nil {
		return
	}
	ctx := context.WithValue(context.Background(), wanted{}, ids{l.id, id})
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: l.id, SpanID: parent, TraceFlags: trace.FlagsSampled, Remote: true,
		}))
	}
	var links []trace.Link
	for _, other := range s.Links {
		if other.t != nil {
			links = append(links, trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: other.id, SpanID: other.root, TraceFlags: trace.FlagsSampled, Remote: true,
			})})
		}
	}
	_, span := l.t.tracer.Start(ctx, s.Name, trace.WithTimestamp(s.Start), trace.WithAttributes(s.About...), trace.WithLinks(links...))
	for _, m := range s.Marks {
		span.AddEvent(m.Name, trace.WithTimestamp(m.At), trace.WithAttributes(m.About...))
	}
	span.End(trace.WithTimestamp(s.End))
}

// wanted is the key of a context with the ids that a span is to have.
type wanted struct{}

// ids gives spans the ids that their context wants; what it does not say is random.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

// NewIDs implements sdktrace.IDGenerator.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	want, _ := ctx.Value(wanted{}).(ids)
	return want.trace, g.NewSpanID(ctx, want.trace)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) (id trace.SpanID) {
	if want, _ := ctx.Value(wanted{}).(ids); want.span.IsValid() {
		return want.span
	}
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// Results of spans, the values of the label of op_channels_tracing_spans_total.
const (
	exported = "exported"
	dropped  = "dropped" // too many wait: the collector is slower than what happens
	failed   = "failed"  // the collector did not take them
)

func newMetrics(r prometheus.Registerer) *prometheus.CounterVec {
	m := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "op_channels", Subsystem: "tracing", Name: "spans_total", Help: "Spans by what became of them; see --tracing.enabled.",
	}, []string{"result"})
	r.MustRegister(m)
	for _, result := range []string{exported, dropped, failed} {
		m.WithLabelValues(result)
	}
	return m
}

// bounded drops spans when too many wait. The processor behind it would too, but it does not count them for us.
type bounded struct {
	sdktrace.SpanProcessor
	out *counted
}

// OnEnd never waits: there is room for what it passes on.
func (b *bounded) OnEnd(s sdktrace.ReadOnlySpan) {
	if b.out.waiting.Add(1) > maxWaiting {
		b.out.waiting.Add(-1)
		b.out.metrics.WithLabelValues(dropped).Inc()
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// counted is the exporter, with what is on its way.
type counted struct {
	next    sdktrace.SpanExporter
	metrics *prometheus.CounterVec
	log     log.Logger
	waiting atomic.Int64
	said    atomic.Int64 // UNIX seconds of the last warning
}

// ExportSpans implements sdktrace.SpanExporter.
func (c *counted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.next.ExportSpans(ctx, spans)
	c.waiting.Add(-int64(len(spans)))
	result := exported
	if err != nil {
		result = failed
	}
	c.metrics.WithLabelValues(result).Add(float64(len(spans)))
	return err
}

// Shutdown implements sdktrace.SpanExporter.
func (c *counted) Shutdown(ctx context.Context) error { return c.next.Shutdown(ctx) }

// fault says why spans are lost, at most once a minute.
func (c *counted) fault(err error) {
	now, last := time.Now().Unix(), c.said.Load()
	if now-last < 60 || !c.said.CompareAndSwap(last, now) {
		return
	}
	var u *url.Error
	if errors.As(err, &u) { // its text names the address, which may hold a secret
		err = u.Err
	}
	c.log.Warn("Spans are lost: the collector does not take them", "err", err)
}
