package sidecar

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/sidecar/signer"
)

// Health is the answer of /healthz: the process runs and its engine loop turns. Anything else is for /readyz: a process that
// waits for its chain is not mended by a restart.
type Health struct {
	Version string `json:"version"`
	Reason  string `json:"reason,omitempty"` // why the answer is 503
}

// Readiness is the answer of /readyz: whether the sidecar can do its work now, and what each part says.
type Readiness struct {
	Ready   bool             `json:"ready"`
	Version string           `json:"version"`
	Head    uint64           `json:"head"`    // newest block that the engine has applied
	Trusted uint64           `json:"trusted"` // newest block up to which facts of every kind count
	Checks  map[string]Check `json:"checks"`
}

// Check is one part of Readiness. Its text is for anybody: it names no addresses of nodes and no files.
type Check struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // what is wrong and what to do
}

const (
	// turnTimeout is how long the loop may take for what is before a probe. A commit to a slow disk takes well below a second.
	turnTimeout = 5 * time.Second
	// probeAge is how long an answer is given again: probes come without a key, and must not fill the loop's queue.
	probeAge = 250 * time.Millisecond
)

// loopView is what the loop knows of the chain.
type loopView struct{ head, trusted BlockPos }

// look asks the loop; an error means that it does not turn.
func (e *Engine) look(within time.Duration) (loopView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	seen := make(chan loopView, 1) // the loop may come to it after ctx has ended
	if err := e.do(ctx, func() { seen <- loopView{e.chain.head, e.chain.at(e.cfg.Trust.surest())} }); err != nil {
		return loopView{}, err
	}
	return <-seen, nil
}

// probe answers /healthz and /readyz; one question at a time goes to the loop.
type probe struct {
	s      *Service
	within time.Duration // turnTimeout
	mu     sync.Mutex
	at     time.Time
	view   loopView
	err    error
}

// look is the newest answer of the loop.
func (p *probe) look() (loopView, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) > probeAge {
		p.view, p.err = p.s.engine.look(p.within)
		p.at = time.Now()
	}
	return p.view, p.err
}

func (p *probe) healthz(w http.ResponseWriter, _ *http.Request) {
	out := Health{Version: p.s.cfg.Version}
	if _, err := p.look(); err != nil {
		out.Reason = p.turnReason(err)
	}
	answer(w, out.Reason == "", out)
}

func (p *probe) readyz(w http.ResponseWriter, _ *http.Request) {
	out := p.readiness()
	answer(w, out.Ready, out)
}

func answer(w http.ResponseWriter, ok bool, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
}

func (p *probe) turnReason(err error) string {
	return fmt.Sprintf("the engine loop has not turned within %s (%v): see the log; if it stays, restart", p.within, err)
}

func (p *probe) readiness() Readiness {
	s := p.s
	view, err := p.look()
	out := Readiness{Ready: true, Version: s.cfg.Version, Head: view.head.Number, Trusted: view.trusted.Number, Checks: make(map[string]Check)}
	note := func(name, reason string) {
		out.Checks[name] = Check{reason == "", reason}
		out.Ready = out.Ready && reason == ""
	}
	if err != nil {
		note("engine", p.turnReason(err))
	} else {
		note("engine", "")
		note("chain", s.chainReason(view, time.Now()))
	}
	note("store", "")
	if s.store.Err() != nil {
		note("store", "the store stopped after a disk error: mend the disk, then restart")
	}
	note("modules", "")
	if len(s.modules.Modules()) == 0 {
		note("modules", "no module is installed, so no channel can be opened: give --module")
	}
	for name, remote := range map[string]*signer.Client{"owner": s.cfg.Keys.OwnerSigner, "attestor": s.cfg.Keys.AttestorSigner} {
		if remote != nil {
			note(name, remote.Reason())
		}
	}
	if s.guard != nil {
		note("verifier", "")
		select {
		case <-s.guard.done:
			note("verifier", "the verifier has ended: see the log, restart")
		default:
		}
	}
	return out
}

// chainReason says why the chain cannot be worked with, or nothing. The newest block's own time tells both a chain that stands still
// and a node that is behind.
func (s *Service) chainReason(v loopView, now time.Time) string {
	if v.head.Hash == (common.Hash{}) {
		return "no block was seen yet: the node does not answer, or does not have the block that was seen last; see the log"
	}
	age := now.Sub(time.Unix(int64(v.head.Time), 0)).Round(time.Second)
	if s.cfg.MaxHeadAge > 0 && age > s.cfg.MaxHeadAge {
		return fmt.Sprintf("the newest block, %d, is %s old, more than --max-head-age: the chain stands still, or the node is behind it", v.head.Number, age)
	}
	if v.trusted.Hash == (common.Hash{}) {
		return fmt.Sprintf("the node names no block that is %s, so not all deposits and conclusions count: wait for it, or choose another --trust", s.cfg.Trust.surest())
	}
	return ""
}
