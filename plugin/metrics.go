package plugin

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// chainMetrics are the op_channels_chain_* metrics.
type chainMetrics struct {
	head       *prometheus.GaugeVec
	lag        prometheus.Gauge
	logs       prometheus.Counter
	rewinds    prometheus.Counter
	rewound    prometheus.Counter
	rpcErrors  *prometheus.CounterVec
	verified   prometheus.Counter
	outputs    prometheus.Counter
	stalled    prometheus.Gauge
	headAge    prometheus.Gauge
	failovers  prometheus.Counter
	rollupUp   *prometheus.GaugeVec // by endpoint
	faults     *prometheus.CounterVec
	txs        *prometheus.CounterVec
	txPending  prometheus.Gauge
	txDuration prometheus.Histogram
	censored   prometheus.Gauge
	onL1       prometheus.Gauge
	forced     *prometheus.CounterVec
	l1Fee      prometheus.Counter

	forcedDuration prometheus.Histogram

	pushedHead   prometheus.Gauge
	pushedLead   prometheus.Histogram
	pushedMissed prometheus.Counter

	endpointUp, endpointCurrent, endpointHead *prometheus.GaugeVec // by endpoint
}

const metricsNamespace, metricsSubsystem = "op_channels", "chain"

// Results of a transaction, the values of the label of op_channels_chain_tx_total.
const (
	txSuccess  = "success"
	txReverted = "reverted" // mined, without effect
	txRefused  = "refused"  // the simulation failed, nothing was sent
	txFailed   = "failed"   // could not be sent
	txResent   = "resent"   // sent again with the same place in the order
)

// Results of a transaction that goes through L1, the values of the label of op_channels_chain_forced_total.
const (
	forcedSuccess  = "success"
	forcedReverted = "reverted" // on the L2, without effect
	forcedFailed   = "failed"   // L1 did not take it
	forcedLost     = "lost"     // L1 forgot it, and it is sent again
	forcedNeedless = "needless" // the L2 took the ordinary transaction first
)

func newMetrics(reg prometheus.Registerer) (*chainMetrics, error) {
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: n, Help: help}
	}
	m := &chainMetrics{
		head:      prometheus.NewGaugeVec(prometheus.GaugeOpts(name("head", "Number of the newest block delivered, by trust level.")), []string{"level"}),
		lag:       prometheus.NewGauge(prometheus.GaugeOpts(name("lag_blocks", "Blocks between the node's newest one and the newest delivered."))),
		logs:      prometheus.NewCounter(prometheus.CounterOpts(name("logs_total", "Logs delivered."))),
		rewinds:   prometheus.NewCounter(prometheus.CounterOpts(name("rewinds_total", "Reorganisations that reached delivered blocks."))),
		rewound:   prometheus.NewCounter(prometheus.CounterOpts(name("rewound_blocks_total", "Delivered blocks that were taken back."))),
		rpcErrors: prometheus.NewCounterVec(prometheus.CounterOpts(name("rpc_errors_total", "Failed requests to the node, by what was being done.")), []string{"during"}),
		verified:  prometheus.NewCounter(prometheus.CounterOpts(name("verified_blocks_total", "Blocks whose receipts were compared with their hash."))),
		outputs:   prometheus.NewCounter(prometheus.CounterOpts(name("checked_outputs_total", "Output roots of the op-node that agreed with the execution client."))),
		stalled:   prometheus.NewGauge(prometheus.GaugeOpts(name("stalled", "1 while no node has had a new block for --l2-stall."))),
		headAge:   prometheus.NewGauge(prometheus.GaugeOpts(name("head_age_seconds", "Time since any node was seen to have a new block."))),
		failovers: prometheus.NewCounter(prometheus.CounterOpts(name("failovers_total", "Changes of the node in use."))),
		rollupUp:  prometheus.NewGaugeVec(prometheus.GaugeOpts(name("rollup_up", "1 while the op-node answers.")), []string{"endpoint"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts(name("endpoint_faults_total", "Faults of nodes: unreachable, wrong_chain, stalled, forged, inconsistent, unsupported.")),
			[]string{"endpoint", "fault"}),
		pushedHead:   prometheus.NewGauge(prometheus.GaugeOpts(name("pushed_head", "Number of the newest block that was pushed as built."))),
		pushedMissed: prometheus.NewCounter(prometheus.CounterOpts(name("pushed_missed_total", "Pushed blocks that the execution client did not have within the time they are waited for."))),
		pushedLead: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "pushed_lead_seconds",
			Help: "Time from the push of a block to its delivery from the execution client, or to the push's notice if that was later.", Buckets: prometheus.ExponentialBuckets(.002, 2, 12),
		}),
		endpointUp:      prometheus.NewGaugeVec(prometheus.GaugeOpts(name("endpoint_up", "1 for a node without a fault.")), []string{"endpoint"}),
		endpointCurrent: prometheus.NewGaugeVec(prometheus.GaugeOpts(name("endpoint_current", "1 for the node in use.")), []string{"endpoint"}),
		endpointHead:    prometheus.NewGaugeVec(prometheus.GaugeOpts(name("endpoint_head", "Number of the newest block of a node.")), []string{"endpoint"}),
		txs:             prometheus.NewCounterVec(prometheus.CounterOpts(name("tx_total", "Transactions by result.")), []string{"result"}),
		txPending:       prometheus.NewGauge(prometheus.GaugeOpts(name("tx_pending", "Transactions accepted and not finished."))),
		txDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "tx_duration_seconds",
			Help:    "Time from submission to receipt.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 4, 8, 16, 32, 64, 128, 256},
		}),
	}
	m.censored = prometheus.NewGauge(prometheus.GaugeOpts(name("censored", "1 while the L2 builds blocks and leaves our transactions out.")))
	m.forced = prometheus.NewCounterVec(prometheus.CounterOpts(name("forced_total", "Transactions sent through L1: success, reverted, failed, lost, needless.")), []string{"result"})
	m.onL1 = prometheus.NewGauge(prometheus.GaugeOpts(name("forced_pending", "Transactions that are on L1 and that the L2 has not taken yet.")))
	m.l1Fee = prometheus.NewCounter(prometheus.CounterOpts(name("tx_l1_fee_wei_total", "What transactions paid on the L2 for their data on L1, in wei.")))
	m.forcedDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "forced_duration_seconds",
		Help:    "Time from a deposit's block on L1 to its receipt on the L2.",
		Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 16384},
	})
	for _, r := range []string{forcedSuccess, forcedReverted, forcedFailed, forcedLost, forcedNeedless} {
		m.forced.WithLabelValues(r) // a rule must see 0
	}
	if reg == nil {
		return m, nil
	}
	for _, err := range []error{
		register(reg, &m.head), register(reg, &m.lag), register(reg, &m.logs), register(reg, &m.rewinds), register(reg, &m.rewound),
		register(reg, &m.rpcErrors), register(reg, &m.txs), register(reg, &m.txPending), register(reg, &m.txDuration),
		register(reg, &m.verified), register(reg, &m.outputs), register(reg, &m.stalled), register(reg, &m.headAge), register(reg, &m.failovers),
		register(reg, &m.censored), register(reg, &m.forced), register(reg, &m.onL1), register(reg, &m.l1Fee), register(reg, &m.forcedDuration),
		register(reg, &m.rollupUp), register(reg, &m.faults), register(reg, &m.endpointUp), register(reg, &m.endpointCurrent), register(reg, &m.endpointHead),
		register(reg, &m.pushedHead), register(reg, &m.pushedLead), register(reg, &m.pushedMissed),
	} {
		if err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// register keeps what was registered before, so that a second connection in one process adds to the same figures.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var known prometheus.AlreadyRegisteredError
	if !errors.As(err, &known) {
		return err
	}
	existing, ok := known.ExistingCollector.(C)
	if !ok {
		return err
	}
	*c = existing
	return nil
}
