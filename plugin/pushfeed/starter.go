package pushfeed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	starterPeriod  = 250 * time.Millisecond
	starterTimeout = 2 * time.Second
)

// Starter starts the sequencer of an op-node that comes up, which an op-conductor does otherwise: with --conductor.enabled an op-node waits
// for that, whatever its other flags are.
//
// What sequenced when its op-node went away sequences again when that is back, and so does what comes up after Starter has begun. A sequencer that
// is stopped while its op-node runs was stopped by somebody, and stays so, also over a restart of either; and so was, for all that
// can be known, one that is stopped when Starter begins.
type Starter struct {
	metrics *Metrics
	log     log.Logger
	client  *rpc.Client
	dials   atomic.Uint64 // connections made: another one means another process at the other end
	cancel  context.CancelFunc
	done    chan struct{}
}

// NewStarter begins to look at the op-node with this address, which must serve its admin namespace.
func NewStarter(url string, m *Metrics, logger log.Logger) (*Starter, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Starter{metrics: m, log: logger, cancel: cancel, done: make(chan struct{})}
	dialer := net.Dialer{Timeout: starterTimeout}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		s.dials.Add(1)
		return dialer.DialContext(ctx, network, address)
	}}
	var err error
	if s.client, err = rpc.DialOptions(ctx, url, rpc.WithHTTPClient(&http.Client{Transport: transport})); err != nil {
		cancel()
		return nil, fmt.Errorf("the address of the op-node: %w", err)
	}
	go s.run(ctx)
	return s, nil
}

// Close ends it.
func (s *Starter) Close() {
	s.cancel()
	<-s.done
	s.client.Close()
}

// lookout is what Starter knows of the op-node.
type lookout struct {
	up        bool   // it has answered
	sequenced bool   // when it was last seen
	dials     uint64 // then
	due       bool   // it is to be started when it can be
	said      string
}

func (s *Starter) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(starterPeriod)
	defer tick.Stop()
	var l lookout
	for {
		s.look(ctx, &l)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Starter) look(ctx context.Context, l *lookout) {
	var active bool
	err := s.call(ctx, &active, "admin_sequencerActive")
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && unanswered(err):
		l.due = l.due || !l.up || l.sequenced
		return
	case err != nil:
		l.said = s.say(l.said, "The op-node does not tell whether it sequences: it needs --rpc.enable-admin", err)
		return
	}
	l.due = l.due || l.sequenced && s.dials.Load() != l.dials // it was gone and back between two looks
	switch {
	case active:
		l.due, l.said = false, ""
	case l.due:
		if err := s.start(ctx); err != nil {
			l.said = s.say(l.said, "The sequencer cannot be started yet, trying again", err)
			return
		}
		active, l.due, l.said = true, false, ""
		s.metrics.Started.Inc()
		s.log.Info("Started the sequencer of the op-node that came up")
	case !l.up:
		s.log.Warn("The sequencer is stopped, and was before this program began: if nobody wants that, call admin_startSequencer of the op-node")
	case l.sequenced:
		s.log.Warn("Somebody stopped the sequencer: it stays so until admin_startSequencer of the op-node is called")
	}
	l.up, l.sequenced, l.dials = true, active, s.dials.Load()
}

// say logs what is not said already.
func (s *Starter) say(before, text string, err error) string {
	if now := text + err.Error(); now != before {
		s.log.Warn(text, "err", err)
		return now
	}
	return before
}

// unanswered tells whether nobody answered, as while a program is down; an error with a code or a status is an answer.
func unanswered(err error) bool {
	var coded rpc.Error
	var status rpc.HTTPError
	return !errors.As(err, &coded) && !errors.As(err, &status) && !errors.Is(err, context.DeadlineExceeded)
}

// start starts the sequencer on the newest block that the op-node has.
func (s *Starter) start(ctx context.Context) error {
	var status struct {
		Unsafe struct {
			Hash common.Hash `json:"hash"`
		} `json:"unsafe_l2"`
	}
	if err := s.call(ctx, &status, "optimism_syncStatus"); err != nil {
		return err
	}
	if status.Unsafe.Hash == (common.Hash{}) {
		return errors.New("it has no block yet")
	}
	return s.call(ctx, nil, "admin_startSequencer", status.Unsafe.Hash)
}

func (s *Starter) call(ctx context.Context, result any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, starterTimeout)
	defer cancel()
	if err := s.client.CallContext(ctx, result, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
