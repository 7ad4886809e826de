package p2p

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "op_channels_p2p"

// Reasons why something was dropped, as labels of op_channels_p2p_dropped_total.
const (
	dropDuplicate  = "duplicate"    // already passed on in this session
	dropMalformed  = "malformed"    // a frame that breaks the protocol; its link is dropped
	dropQueueFull  = "queue_full"   // refused by Send
	dropRemoved    = "peer_removed" // queued for, or received from, a peer that was removed
	dropRetired    = "retired_link" // arrived on a link that is being closed; the sender sends it again
	dropEvent      = "event"        // an event about a stranger while the user reads none
	dropConnection = "connection"   // connection of no use within the handshake timeout
)

type metrics struct {
	messages  *prometheus.CounterVec // direction, result
	bytes     *prometheus.CounterVec // direction
	dropped   *prometheus.CounterVec // reason
	refused   *prometheus.CounterVec // by, code
	dials     *prometheus.CounterVec // result
	resends   prometheus.Counter
	bans      prometheus.Counter
	penalties prometheus.Counter
	queued    prometheus.Gauge
	queuedB   prometheus.Gauge
	connected prometheus.Gauge
	ackRTT    prometheus.Histogram

	// Resolved labels of the hot paths.
	outQueued, outSent, outAcked, inDelivered, inAcked prometheus.Counter
	bytesIn, bytesOut, duplicates                      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	m := &metrics{
		messages:  counter("messages_total", "Messages by direction and what became of them.", "direction", "result"),
		bytes:     counter("bytes_total", "Bytes of frames by direction.", "direction"),
		dropped:   counter("dropped_total", "Messages, frames, events and connections dropped, by reason.", "reason"),
		refused:   counter("refused_total", "Links refused, by side that refused and code.", "by", "code"),
		dials:     counter("dials_total", "Dials by result.", "result"),
		resends:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "resends_total", Help: "Messages written again after a reconnection."}),
		bans:      prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "bans_total", Help: "Peers banned for too many invalid messages."}),
		penalties: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "penalties_total", Help: "Invalid messages counted against peers."}),
		queued:    gauge("queue_length", "Messages queued for all peers, unacknowledged ones included."),
		queuedB:   gauge("queue_bytes", "Bytes queued for all peers, unacknowledged ones included."),
		connected: gauge("peers_connected", "Peers with an established link."),
		ackRTT: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "ack_rtt_seconds",
			Help:    "Time from writing a message to its acknowledgement, which includes making it durable at the peer.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 18)}),
	}
	m.outQueued = m.messages.WithLabelValues("out", "queued")
	m.outSent = m.messages.WithLabelValues("out", "sent")
	m.outAcked = m.messages.WithLabelValues("out", "acked")
	m.inDelivered = m.messages.WithLabelValues("in", "delivered")
	m.inAcked = m.messages.WithLabelValues("in", "acked")
	m.bytesIn, m.bytesOut = m.bytes.WithLabelValues("in"), m.bytes.WithLabelValues("out")
	m.duplicates = m.dropped.WithLabelValues(dropDuplicate)
	if reg == nil {
		return m, nil
	}
	var done []prometheus.Collector
	for _, c := range []prometheus.Collector{m.messages, m.bytes, m.dropped, m.refused, m.dials, m.resends, m.bans, m.penalties,
		m.queued, m.queuedB, m.connected, m.ackRTT} {
		if err := reg.Register(c); err != nil {
			for _, d := range done {
				reg.Unregister(d)
			}
			return nil, fmt.Errorf("register p2p metrics: %w", errors.Join(ErrConfig, err))
		}
		done = append(done, c)
	}
	return m, nil
}

func (m *metrics) drop(reason string, n int) {
	if n > 0 {
		m.dropped.WithLabelValues(reason).Add(float64(n))
	}
}
