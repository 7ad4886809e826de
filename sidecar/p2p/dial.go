package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

// wanted says whether a link to the peer should exist. Called with mu.
func (r *remote) wanted() bool {
	return !r.removed && !r.closing && (r.static || r.queue.len() > 0)
}

// maybeDial starts dialling when there is reason to. Called with mu.
func (r *remote) maybeDial() {
	if r.dialing || !r.shouldDial() || !r.t.enter() {
		return
	}
	r.dialing = true
	go func() {
		defer r.t.wg.Done()
		r.dialLoop(r.t.ctx)
	}()
}

func (r *remote) shouldDial() bool {
	return r.wanted() && len(r.where) > 0 && len(r.links) == 0 && r.handshakes == 0
}

// dialLoop tries until there is a link or no reason for one. It exists only
// while it is needed: idle peers cost no goroutine.
func (r *remote) dialLoop(ctx context.Context) {
	for {
		r.mu.Lock()
		if ctx.Err() != nil || !r.shouldDial() {
			r.dialing = false
			r.mu.Unlock()
			return
		}
		wait := time.Until(r.notBefore)
		r.mu.Unlock()
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-r.kick:
			case <-ctx.Done():
			}
			timer.Stop()
			continue
		}
		l, err := r.dial(ctx)
		if err == nil {
			r.t.m.dials.WithLabelValues("ok").Inc()
			r.t.wg.Add(1) // this goroutine is counted, so this cannot meet a finished Wait
			go func() {
				defer r.t.wg.Done()
				l.run()
			}()
			continue
		}
		r.t.m.dials.WithLabelValues("failed").Inc()
		r.mu.Lock()
		var refused *errRefusal
		var bye *errGoodbye
		code := Code(0)
		switch {
		case errors.As(err, &refused):
			code = refused.code
		case errors.As(err, &bye):
			code = bye.code
		}
		r.postpone(code)
		r.t.log.Debug("Dial failed", "peer", r.addr, "attempts", r.attempts, "retry", time.Until(r.notBefore), "err", err)
		r.mu.Unlock()
	}
}

// postpone sets when to try next after an attempt that failed, or ended, with
// code. Called with mu.
func (r *remote) postpone(code Code) {
	limits := &r.t.cfg.Limits
	wait := limits.BackoffMin << min(r.attempts, 16)
	wait = min(wait, limits.BackoffMax)
	if code.lasting() {
		wait = limits.RefusedRetry
		r.refused = code
	}
	r.attempts++
	wait = wait/2 + rand.N(wait+1) // ±50 %, so that peers of one node do not come back at once
	r.notBefore = time.Now().Add(wait)
	if until, banned := r.t.offenders.bannedUntil(r.addr); banned && until.After(r.notBefore) {
		r.notBefore = until
	}
}

// dial connects, opens a stream and exchanges hellos.
func (r *remote) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, r.t.cfg.Limits.DialTimeout)
	defer cancel()
	r.mu.Lock()
	id, where := r.id, r.where
	r.mu.Unlock()
	h := r.t.host
	h.store.ClearAddrs(id)
	h.store.AddAddrs(id, where, peerstore.PermanentAddrTTL)
	h.Backoff().Clear(id) // we have a backoff of our own, per peer
	s, err := h.NewStream(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", r.addr, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	l, err := r.greet(s)
	stop()
	if err != nil {
		r.t.handshakeFailed(r, s, err)
		return nil, fmt.Errorf("greet %s: %w", r.addr, err)
	}
	return l, nil
}

// greet negotiates the protocol as the side that opened the stream.
func (r *remote) greet(s network.Stream) (*link, error) {
	if err := s.SetDeadline(time.Now().Add(r.t.cfg.Limits.HandshakeTimeout)); err != nil {
		return nil, fmt.Errorf("set negotiation deadline: %w", err)
	}
	err := msmux.SelectProtoOrFail(protocol.ID(ProtocolID), s)
	if errors.Is(err, msmux.ErrNotSupported[protocol.ID]{}) {
		return nil, &errRefusal{goodbye{CodeVersion, "the peer does not speak " + ProtocolID + "; use the same release on both sides"}}
	}
	if err != nil {
		return nil, fmt.Errorf("negotiate %s: %w", ProtocolID, err)
	}
	if err := s.SetProtocol(ProtocolID); err != nil {
		return nil, fmt.Errorf("account the stream: %w", err)
	}
	return r.handshake(s)
}
