package verifier

import (
	"math"

	"github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the op_channels_verifier_* metrics.
type Metrics struct {
	seen      prometheus.Counter
	checked   *prometheus.CounterVec
	leaves    prometheus.Counter
	proofs    *prometheus.CounterVec
	open      prometheus.Gauge
	stuck     prometheus.Gauge
	unproven  prometheus.Gauge
	nearest   prometheus.Gauge
	checkTime prometheus.Histogram
}

// Results, the values of the labels.
const (
	resultRight = "right"
	resultWrong = "wrong"

	proofSent      = "sent"
	proofConfirmed = "confirmed"
	proofFailed    = "failed"
)

// NewMetrics registers the metrics; a nil registry keeps them to itself.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	f := metrics.With(registry)
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "op_channels", Subsystem: "verifier", Name: name, Help: help}
	}
	m := &Metrics{
		seen:     f.NewCounter(prometheus.CounterOpts(opts("publications_seen_total", "Published journals seen, again after a reorganisation."))),
		checked:  f.NewCounterVec(prometheus.CounterOpts(opts("publications_checked_total", "Published journals derived, by result.")), []string{"result"}),
		leaves:   f.NewCounter(prometheus.CounterOpts(opts("leaves_total", "Leaves derived."))),
		proofs:   f.NewCounterVec(prometheus.CounterOpts(opts("proofs_total", "Proofs of fraud, by what became of them.")), []string{"result"}),
		open:     f.NewGauge(prometheus.GaugeOpts(opts("publications_open", "Published journals that are not checked yet."))),
		stuck:    f.NewGauge(prometheus.GaugeOpts(opts("publications_stuck", "Published journals that could not be checked so far: alert on any."))),
		unproven: f.NewGauge(prometheus.GaugeOpts(opts("publications_unproven", "Wrong journals that the chain does not know to be wrong yet."))),
		nearest: f.NewGauge(prometheus.GaugeOpts(opts("nearest_deadline_seconds",
			"Seconds until the first journal that is not checked, or wrong and not disproved, can be settled; negative when it could be already, +Inf when there is none."))),
		checkTime: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "op_channels", Subsystem: "verifier", Name: "check_seconds", Help: "Working time from a publication to its verdict.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600},
		}),
	}
	m.nearest.Set(math.Inf(1))
	for _, r := range []string{resultRight, resultWrong} {
		m.checked.WithLabelValues(r)
	}
	for _, r := range []string{proofSent, proofConfirmed, proofFailed} {
		m.proofs.WithLabelValues(r)
	}
	return m
}
