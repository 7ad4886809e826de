package sidecar

import (
	"github.com/evmts/channels/protocols"
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
	AttestSeconds   prometheus.Histogram
	Channels        *prometheus.GaugeVec
	Facts           *prometheus.GaugeVec
	FactsWaiting    *prometheus.GaugeVec
	InFlight        prometheus.Gauge
	ChainHead       prometheus.Gauge
	HeadTime        prometheus.Gauge
	TrustedTime     *prometheus.GaugeVec
	TickTime        prometheus.Gauge
	Balance         prometheus.Gauge
	Obligations     *prometheus.GaugeVec
	FundsErrors     prometheus.Counter
	L1Balance       prometheus.Gauge
	L1Obligations   prometheus.Gauge
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
		AttestSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Name: "attestation_seconds", Help: "Time from a channel's end on chain to our attestation: the replay of its journal, and the signature.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 18),
		}),
		Channels: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Name: "channels", Help: "Channels by status."}, []string{"status"}),
		Facts: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Name: "facts", Help: "Facts on chain about channels of ours, by kind and trust level."},
			[]string{"kind", "level"}),
		FactsWaiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: ns, Name: "facts_waiting", Help: "Facts on chain about channels of ours that do not count yet, by kind and the trust level that they need.",
		}, []string{"kind", "needs"}),
		InFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "updates_in_flight", Help: "Updates that wait for support."}),
		ChainHead: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "engine_head", Help: "Newest block that the engine has applied."}),
		HeadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Name: "engine_head_time_seconds", Help: "UNIX time of the newest block that the engine has applied; 0: none yet.",
		}),
		TrustedTime: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: ns, Name: "engine_trusted_time_seconds", Help: "UNIX time of the newest block whose facts of a group count (--trust and its overrides); 0: none yet.",
		}, []string{"facts"}),
		TickTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Name: "engine_tick_time_seconds", Help: "UNIX time when the engine loop last took its tick, which comes every second.",
		}),
		Balance: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Name: "owner_balance_ether", Help: "What the owner's account holds of the chain's coin.",
		}),
		Obligations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: ns, Name: "owner_obligations_ether", Help: "What this node may have to pay for its open channels and as a verifier, by purpose; an estimate, with the fees for data on L1 and of the chain's operator.",
		}, []string{"purpose"}),
		FundsErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Name: "owner_checks_failed_total", Help: "Comparisons of the owner's balance with its obligations that could not be made.",
		}),
		L1Balance: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Name: "owner_l1_balance_ether", Help: "What the owner's account holds on L1; 0 without --l1-eth-rpc.",
		}),
		L1Obligations: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Name: "owner_l1_obligations_ether", Help: "What it would cost on L1 to force through it all that this node may have to send; 0 without --l1-eth-rpc.",
		}),
		Up: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "up", Help: "1 when the sidecar runs."}),
	}
	r.MustRegister(m.Events, m.Messages, m.MessagesDropped, m.Transactions, m.CommitSeconds, m.FinalSeconds, m.AttestSeconds, m.Channels, m.Facts, m.FactsWaiting, m.InFlight,
		m.ChainHead, m.HeadTime, m.TrustedTime, m.TickTime, m.Balance, m.Obligations, m.FundsErrors, m.L1Balance, m.L1Obligations, m.Up)
	// A series that begins with its first failure has no increase that an alert could see: what alerts look at begins at 0.
	for _, kind := range []protocols.TxKind{protocols.TxDeposit, protocols.TxRefund, protocols.TxConclude, protocols.TxSettle, protocols.TxPublish, protocols.TxRelease} {
		for _, result := range []string{txMined, txFailed, txHeld, txNeedless} {
			m.Transactions.WithLabelValues(kind.String(), result)
		}
	}
	for group := range (Trust{}).groups() {
		m.TrustedTime.WithLabelValues(string(group))
	}
	for _, purpose := range purposes {
		m.Obligations.WithLabelValues(purpose)
	}
	return m
}

// observe sets the gauges; it runs in the loop.
func (m *Metrics) observe(e *Engine) {
	m.Channels.Reset()
	for _, status := range []string{"open", "halted"} { // shown and watched: there before the first one
		m.Channels.WithLabelValues(status)
	}
	inFlight := 0
	for _, c := range e.channels {
		m.Channels.WithLabelValues(c.Status()).Inc()
		if p, ok := c.Play(); ok {
			inFlight += p.InFlight()
		}
	}
	m.InFlight.Set(float64(inFlight))
	m.HeadTime.Set(float64(e.chain.head.Time))
	for group, level := range e.cfg.Trust.groups() {
		m.TrustedTime.WithLabelValues(string(group)).Set(float64(e.chain.at(level).Time))
	}
	m.TickTime.SetToCurrentTime()
	e.observeFacts()
}
