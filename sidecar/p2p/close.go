package p2p

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// Close writes what the peers' windows allow, says goodbye, and ends. When ctx
// ends first, links are cut. What the peers have not acknowledged is lost.
// Inbound and Events are closed when it returns. Safe to call more than once.
func (t *Transport) Close(ctx context.Context) error {
	t.life.Lock()
	if t.closed {
		t.life.Unlock()
		select {
		case <-t.ended:
			return t.endErr
		case <-ctx.Done():
			return fmt.Errorf("wait for the transport to close: %w", ctx.Err())
		}
	}
	t.closed = true // no goroutine is added from here on
	t.life.Unlock()

	t.mu.Lock()
	peers := t.peers
	t.peers = nil
	t.mu.Unlock()
	var links []*link
	for _, r := range peers {
		r.mu.Lock()
		r.closing = true // no link is established from here on
		for _, l := range r.links {
			l.say(goodbye{CodeShutdown, "the node stops"})
			links = append(links, l)
		}
		r.mu.Unlock()
	}
	for _, l := range links {
		select {
		case <-l.written:
		case <-ctx.Done():
		}
	}
	t.cancel() // dials and pumps
	left := 0
	for _, r := range peers {
		r.mu.Lock()
		for len(r.links) > 0 { // readers that wait for the user
			r.retire(r.links[0], ending{code: CodeShutdown, text: "the node stops"})
		}
		if r.ackTimer != nil {
			r.ackTimer.Stop()
		}
		left += r.queue.len()
		r.mu.Unlock()
	}
	for _, l := range links { // the peers close in turn once they have read the goodbye
		select {
		case <-l.finished:
		case <-ctx.Done():
		}
	}
	err := t.host.close() // cuts what is left
	t.wg.Wait()
	t.conns.stop()
	close(t.inbound)
	t.eventC()
	t.evWG.Wait()
	if err != nil {
		err = fmt.Errorf("close libp2p: %w", err)
	}
	t.log.Info("Closed peer-to-peer transport", "unacknowledged", left)
	t.endErr = err
	close(t.ended)
	return err
}

// connections closes connections on which no link comes about: they would hold
// places that peers need.
type connections struct {
	timeout time.Duration
	dropped func()

	mu     sync.Mutex
	timers map[network.Conn]*time.Timer
}

func newConnections(timeout time.Duration, dropped func()) *connections {
	return &connections{timeout: timeout, dropped: dropped, timers: make(map[network.Conn]*time.Timer)}
}

func (c *connections) opened(conn network.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers == nil {
		return
	}
	c.timers[conn] = time.AfterFunc(c.timeout, func() {
		if c.forget(conn) {
			c.dropped()
			_ = conn.Close()
		}
	})
}

func (c *connections) settled(conn network.Conn) { c.forget(conn) }
func (c *connections) closed(conn network.Conn)  { c.forget(conn) }

func (c *connections) forget(conn network.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer, ok := c.timers[conn]
	if ok {
		timer.Stop()
		delete(c.timers, conn)
	}
	return ok
}

func (c *connections) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, timer := range c.timers {
		timer.Stop()
	}
	c.timers = nil
}
