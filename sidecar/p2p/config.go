package p2p

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrConfig reports a configuration that cannot work.
var ErrConfig = errors.New("p2p configuration")

// Config says who the node is, whom it listens to, and its bounds. The zero
// value of every field but Key and Network is a sensible default.
type Config struct {
	// Key is the session key; its address is the node's address.
	Key *ecdsa.PrivateKey
	// Listen are multiaddrs to accept connections on. Default: a free port on
	// 127.0.0.1. Only TCP.
	Listen []string
	// ProtocolVersion is the version of what the messages mean. Peers of
	// another version are refused. Default 1.
	ProtocolVersion uint64
	// Network names what peers must have in common, such as
	// "<chain id>/<adjudicator>". 1..128 bytes of UTF-8. Peers of another
	// network are refused.
	Network string
	// AllowList, when not empty, are the only addresses that may be peers.
	// They may connect without having been added.
	AllowList []common.Address
	// DenyList are addresses that may not be peers.
	DenyList []common.Address
	// AcceptUnknown lets addresses connect that were not added, as a hub
	// wants. They are added without multiaddrs, and forgotten when room is
	// needed and they are away.
	AcceptUnknown bool
	// Static are multiaddrs, ending in /p2p/<id>, of peers to stay connected to.
	Static []string
	// Limits are the bounds; zero fields take the values of DefaultLimits.
	Limits Limits
	// Logger defaults to log.Root().
	Logger log.Logger
	// Registerer receives the metrics; nil keeps them unregistered.
	Registerer prometheus.Registerer
}

// Limits bound what peers can make the node spend.
type Limits struct {
	QueueMessages      int           // unacknowledged messages per peer, also while it is away
	QueueBytes         int           // and their bytes
	TotalQueueBytes    int           // bytes queued for all peers together
	WindowMessages     int           // messages of one peer that the user has not acknowledged
	WindowBytes        int           // and their bytes; at least MaxMessage
	InboundBuffer      int           // messages waiting in the Inbound channel, of all peers
	Peers              int           // peers known at a time
	Strangers          int           // connections from addresses that are no peers, waiting for their refusal
	ConnectionsPerIP   int           // connections of one IP address or /56
	PenaltiesPerSecond int           // invalid messages per second before a ban
	BanDuration        time.Duration // how long a ban lasts
	AckDelay           time.Duration // how long an acknowledgement may wait for company
	DialTimeout        time.Duration // TCP, noise, yamux and stream
	HandshakeTimeout   time.Duration // protocol negotiation and hello
	WriteTimeout       time.Duration // one write to a peer that does not read
	Keepalive          time.Duration // interval at which an idle connection is probed
	BackoffMin         time.Duration // first wait after a failed dial, doubled each time
	BackoffMax         time.Duration // longest wait
	RefusedRetry       time.Duration // wait after a refusal that time alone will not mend
}

// DefaultLimits returns the limits used where Config.Limits has zeros.
func DefaultLimits() Limits {
	return Limits{
		QueueMessages:      8192,
		QueueBytes:         32 << 20,
		TotalQueueBytes:    256 << 20,
		WindowMessages:     1024,
		WindowBytes:        8 << 20,
		InboundBuffer:      256,
		Peers:              1024,
		Strangers:          32,
		ConnectionsPerIP:   64,
		PenaltiesPerSecond: 100, // R8
		BanDuration:        10 * time.Minute,
		AckDelay:           2 * time.Millisecond,
		DialTimeout:        10 * time.Second,
		HandshakeTimeout:   10 * time.Second,
		WriteTimeout:       10 * time.Second,
		Keepalive:          10 * time.Second,
		BackoffMin:         100 * time.Millisecond,
		BackoffMax:         30 * time.Second,
		RefusedRetry:       time.Minute,
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Key == nil {
		return c, fmt.Errorf("%w: no session key", ErrConfig)
	}
	if len(c.Network) == 0 || len(c.Network) > maxNetwork || !utf8.ValidString(c.Network) {
		return c, fmt.Errorf("%w: network must be 1 to %d bytes of UTF-8, is %q", ErrConfig, maxNetwork, c.Network)
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	if c.ProtocolVersion == 0 {
		c.ProtocolVersion = 1
	}
	if c.Logger == nil {
		c.Logger = log.Root()
	}
	l, d := &c.Limits, DefaultLimits()
	for _, f := range []struct {
		name   string
		v      *int
		d, min int
	}{
		{"QueueMessages", &l.QueueMessages, d.QueueMessages, 1},
		{"QueueBytes", &l.QueueBytes, d.QueueBytes, MaxMessage},
		{"TotalQueueBytes", &l.TotalQueueBytes, d.TotalQueueBytes, MaxMessage},
		{"WindowMessages", &l.WindowMessages, d.WindowMessages, 1},
		{"WindowBytes", &l.WindowBytes, d.WindowBytes, MaxMessage},
		{"InboundBuffer", &l.InboundBuffer, d.InboundBuffer, 1},
		{"Peers", &l.Peers, d.Peers, 1},
		{"Strangers", &l.Strangers, d.Strangers, 1},
		{"ConnectionsPerIP", &l.ConnectionsPerIP, d.ConnectionsPerIP, 1},
		{"PenaltiesPerSecond", &l.PenaltiesPerSecond, d.PenaltiesPerSecond, 1},
	} {
		if *f.v == 0 {
			*f.v = f.d
		}
		if *f.v < f.min {
			return c, fmt.Errorf("%w: limit %s is %d, must be at least %d", ErrConfig, f.name, *f.v, f.min)
		}
	}
	for _, f := range []struct {
		name string
		v    *time.Duration
		d    time.Duration
	}{
		{"BanDuration", &l.BanDuration, d.BanDuration},
		{"AckDelay", &l.AckDelay, d.AckDelay},
		{"DialTimeout", &l.DialTimeout, d.DialTimeout},
		{"HandshakeTimeout", &l.HandshakeTimeout, d.HandshakeTimeout},
		{"WriteTimeout", &l.WriteTimeout, d.WriteTimeout},
		{"Keepalive", &l.Keepalive, d.Keepalive},
		{"BackoffMin", &l.BackoffMin, d.BackoffMin},
		{"BackoffMax", &l.BackoffMax, d.BackoffMax},
		{"RefusedRetry", &l.RefusedRetry, d.RefusedRetry},
	} {
		if *f.v == 0 {
			*f.v = f.d
		}
		if *f.v < 0 {
			return c, fmt.Errorf("%w: limit %s is negative", ErrConfig, f.name)
		}
	}
	return c, nil
}
