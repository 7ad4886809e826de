package pushfeed

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the program that answers op-node: op_channels_push_feed_*.
type Metrics struct {
	Answers   *prometheus.HistogramVec // seconds, by method
	Dropped   *prometheus.CounterVec   // by reason
	Forwarded *prometheus.CounterVec   // by sidecar and result
	Unreached prometheus.Counter
	Started   prometheus.Counter
}

// Why a block was not handed on, the values of the label of op_channels_push_feed_dropped_total.
const (
	droppedSlow = "slow" // newer ones came before a sidecar took it
	droppedSize = "size" // too large, or too many at once
)

// NewMetrics makes them; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	const ns, sub = "op_channels", "push_feed"
	m := &Metrics{
		Answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "answer_seconds", Help: "Time to answer op-node, by method; with an op-conductor behind the feed that one's is in it.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 3, 12),
		}, []string{"method"}),
		Dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "dropped_total", Help: "Blocks that were answered and not handed on: slow (sidecars), size.",
		}, []string{"reason"}),
		Forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "forwarded_total", Help: "Blocks handed to sidecars, by sidecar and result.",
		}, []string{"sidecar", "result"}),
		Unreached: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "upstream_errors_total", Help: "Requests of op-node that the op-conductor behind the feed did not answer.",
		}),
		Started: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "sequencer_starts_total", Help: "Times that the sequencer of an op-node that came up was started (--start-sequencer).",
		}),
	}
	for _, reason := range []string{droppedSlow, droppedSize} {
		m.Dropped.WithLabelValues(reason)
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.Answers), reg.Register(m.Dropped), reg.Register(m.Forwarded), reg.Register(m.Unreached), reg.Register(m.Started))
}

func (m *Metrics) answer(method string, since time.Time) {
	m.Answers.WithLabelValues(method).Observe(time.Since(since).Seconds())
}
