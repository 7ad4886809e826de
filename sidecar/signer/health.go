package signer

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// What /readyz says; anybody may read it.
const (
	notYet      = "the signer has not answered yet: check that it runs and can be reached; see the log"
	unreachable = "the signer does not answer: check that it runs and can be reached; what waits for it is asked again"
	refuses     = "the signer refused what it was asked last: check its rules and its log; it is asked again"
	invalid     = "the signer's last answer was no signature of the key: check the address and what the signer holds"
)

// forget is how long a refusal counts that is not repeated: what was refused may not be wanted any more.
const forget = 10 * time.Minute

// Reason says why no signature can be expected, or nothing.
func (s *Client) Reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault()
}

func (s *Client) fault() string {
	if s.down == "" && time.Since(s.at) < forget {
		return s.denied
	}
	return s.down
}

func (s *Client) count(result string) { s.metrics.requests.WithLabelValues(s.key, result).Inc() }

func (s *Client) fails(f *fault) {
	switch f.result {
	case resultUnreachable:
		s.reachable(unreachable)
	case resultInvalid:
		s.signs(invalid)
	default:
		s.signs(refuses)
	}
}

// signs notes how a question for a signature ended that was answered: "" with one.
func (s *Client) signs(denied string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.denied, s.at = "", denied, time.Now()
	s.tell()
}

// reachable notes whether there was an answer at all.
func (s *Client) reachable(down string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	s.tell()
}

func (s *Client) tell() {
	now := s.fault()
	up := 0.0
	if now == "" {
		up = 1
	}
	s.metrics.up.WithLabelValues(s.key).Set(up)
	switch {
	case s.said == now && now != "" || s.said == working && now == "":
	case now == "":
		s.said = working
		s.log.Info("The remote signer works")
	default:
		s.said = now
		s.log.Warn("A remote signer has a fault", "what", now)
	}
}

const working = "works"

// watch looks whether the signer is there while nobody asks it for anything.
func (s *Client) watch(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		s.probe(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// probe asks what signers answer without rules; not knowing the method is an answer too. It cannot tell whether the signer
// would sign, so it does not mend a refusal.
func (s *Client) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var accounts any
	err := s.rpc.CallContext(ctx, &accounts, "eth_accounts")
	var said rpc.Error
	switch {
	case err == nil || errors.As(err, &said):
		s.reachable("")
	case !errors.Is(ctx.Err(), context.Canceled): // otherwise we are closing
		s.reachable(unreachable)
	}
}
