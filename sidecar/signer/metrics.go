package signer

import "github.com/prometheus/client_golang/prometheus"

// Results of requests, the values of the label of op_channels_signer_requests_total.
const (
	resultSigned      = "signed"
	resultRefused     = "refused"     // the signer says no
	resultUnreachable = "unreachable" // no answer, or one of a gateway
	resultInvalid     = "invalid"     // an answer that is no signature of the key
	resultBusy        = "busy"        // too many requests wait for it
)

var results = []string{resultSigned, resultRefused, resultUnreachable, resultInvalid, resultBusy}

// Metrics of all remote signers of a process, by key.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	up       *prometheus.GaugeVec
	pending  *prometheus.GaugeVec
}

// NewMetrics registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	const ns, sub = "op_channels", "signer"
	key := []string{"key"}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "requests_total", Help: "Questions to a remote signer for a signature, each try counted, by result.",
		}, []string{"key", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "seconds", Help: "Time from the wish for a signature to the signature, with what waits and is tried again.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 16),
		}, key),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "up", Help: "1 when the remote signer answered last, and signed what it was asked last.",
		}, key),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "pending", Help: "Signatures that are waited for.",
		}, key),
	}
	r.MustRegister(m.requests, m.seconds, m.up, m.pending)
	return m
}

// begin shows the series of a key before their first change: an alert sees an increase only of what was there.
func (m *Metrics) begin(key string) {
	for _, result := range results {
		m.requests.WithLabelValues(key, result)
	}
	m.up.WithLabelValues(key).Set(0)
	m.pending.WithLabelValues(key).Set(0)
	m.seconds.WithLabelValues(key)
}
