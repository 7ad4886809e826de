package pushfeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	starterPeriod  = 500 * time.Millisecond
	starterTimeout = 2 * time.Second
)

// Starter starts the sequencer of an op-node that comes up, which an op-conductor does otherwise: with --conductor.enabled an op-node waits
// for that, whatever its other flags are.
//
// It starts only what it saw come up. A sequencer that is stopped while its op-node runs was stopped by somebody, and so was, for
// all that can be known, one that is stopped when Starter begins.
type Starter struct {
	url     string
	metrics *Metrics
	log     log.Logger
	cancel  context.CancelFunc
	done    chan struct{}
}

// NewStarter begins to look at the op-node with this address, which must serve its admin namespace.
func NewStarter(url string, m *Metrics, logger log.Logger) *Starter {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Starter{url: url, metrics: m, log: logger, cancel: cancel, done: make(chan struct{})}
	go s.run(ctx)
	return s
}

// Close ends it.
func (s *Starter) Close() {
	s.cancel()
	<-s.done
}

func (s *Starter) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(starterPeriod)
	defer tick.Stop()
	first, due, said := true, false, ""
	for {
		active, err := s.active(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && unanswered(err): // it is down: when it is up again it has to be started
			due = true
		case err != nil:
			said = s.say(said, "The op-node does not tell whether it sequences: it needs --rpc.enable-admin", err)
		case active:
			due, said = false, ""
		case due:
			if err := s.start(ctx); err != nil {
				said = s.say(said, "The sequencer cannot be started yet, trying again", err)
				break
			}
			due, said = false, ""
			s.metrics.Started.Inc()
			s.log.Info("Started the sequencer of the op-node that came up")
		case first:
			s.log.Warn("The sequencer is stopped, and was before this program began: if nobody wants that, call admin_startSequencer of the op-node")
		}
		first = first && err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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

func (s *Starter) active(ctx context.Context) (active bool, err error) {
	err = s.call(ctx, &active, "admin_sequencerActive")
	return active, err
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
	c, err := rpc.DialContext(ctx, s.url)
	if err != nil {
		return fmt.Errorf("connect to the op-node: %w", err)
	}
	defer c.Close()
	if err := c.CallContext(ctx, result, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
