package sidecar

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the engine; names start with op_channels_.
type Metrics struct {
	Registry        *prometheus.Registry
	Events          prometheus.Counter
	Messages        *prometheus.CounterVec
	MessagesDropped *prometheus.CounterVec
	Transactions    *prometheus.CounterVec
	CommitSeconds   prometheus.Histogram
	FinalSeconds    prometheus.Histogram
	Channels        *prometheus.GaugeVec
	Facts           *prometheus.GaugeVec
	InFlight        prometheus.Gauge
	ChainHead       prometheus.Gauge
	Up              prometheus.Gauge
}

// NewMetrics registers the engine's metrics.
func NewMetrics(r *prometheus.Registry) *Metrics {
	const ns = "op_channels"
	m := &Metrics{
		Registry: r,
		Events:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: ns, Name: "events_total", Help: "Journal entries derived and stored."}),
		Messages: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Name: "messages_total", Help: "Protocol messages."},
			[]string{"direction", "kind"}),
		MessagesDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Name: "messages_dropped_total", Help: "Protocol messages that were not acted upon, by reason.",
		}, []string{"direction", "kind", "code"}),
		Transactions: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Name: "transactions_total", Help: "Transactions by result."},
			[]string{"kind", "result"}),
		CommitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Name: "commit_seconds", Help: "Time of a durable commit.", Buckets: prometheus.ExponentialBuckets(50e-6, 2, 14),
		}),
		FinalSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Name: "event_final_seconds", Help: "Time from authoring an event here to its support by everybody.",
			Buckets: prometheus.ExponentialBuckets(250e-6, 2, 16),
		}),
		Channels: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Name: "channels", Help: "Channels by status."}, []string{"status"}),
		Facts: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Name: "facts", Help: "Facts on chain about channels of ours, by kind and trust level."},
			[]string{"kind", "level"}),
		InFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "updates_in_flight", Help: "Updates that wait for support."}),
		ChainHead: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "engine_head", Help: "Newest block that the engine has applied."}),
		Up:        prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "up", Help: "1 when the sidecar runs."}),
	}
	r.MustRegister(m.Events, m.Messages, m.MessagesDropped, m.Transactions, m.CommitSeconds, m.FinalSeconds, m.Channels, m.Facts, m.InFlight, m.ChainHead, m.Up)
	return m
}

// observe sets the gauges; it runs in the loop.
func (m *Metrics) observe(e *Engine) {
	m.Channels.Reset()
	inFlight := 0
	for _, c := range e.channels {
		m.Channels.WithLabelValues(c.Status()).Inc()
		if p, ok := c.Play(); ok {
			inFlight += p.InFlight()
		}
	}
	m.InFlight.Set(float64(inFlight))
	e.observeFacts()
}
