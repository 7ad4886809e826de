package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/sidecar"
)

// hub is one connection to a sidecar for everybody who plays there. It comes back when the sidecar does.
type hub struct {
	side *devnet.Sidecar

	mu     sync.Mutex
	client *rpc.Client // nil: the sidecar is away
	wakes  map[common.Hash]chan struct{}
}

var errAway = errors.New("the sidecar is away")

const (
	redial      = 200 * time.Millisecond
	notesBuffer = 8192
	// nudge bounds how long anybody trusts to be told of a change: a connection that was lost may have swallowed the note.
	nudge = 5 * time.Second
)

func newHub(s *devnet.Sidecar) *hub { return &hub{side: s, wakes: make(map[common.Hash]chan struct{})} }

// run keeps the connection until ctx ends.
func (h *hub) run(ctx context.Context) {
	for ctx.Err() == nil {
		_ = h.connected(ctx) // the sidecar is away, or was killed: it is tried again
		select {
		case <-time.After(redial):
		case <-ctx.Done():
		}
	}
}

func (h *hub) connected(ctx context.Context) error {
	c, err := h.side.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	notes := make(chan sidecar.Notification, notesBuffer)
	sub, err := c.Subscribe(ctx, "channels", notes, "events")
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer sub.Unsubscribe()
	h.set(c)
	defer h.set(nil)
	for {
		select {
		case n := <-notes:
			h.wake(n.Channel)
		case err := <-sub.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// set changes the connection, and wakes everybody to look again.
func (h *hub) set(c *rpc.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.client = c
	for _, w := range h.wakes {
		signal(w)
	}
}

func (h *hub) wake(id common.Hash) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w, ok := h.wakes[id]; ok {
		signal(w)
	}
}

func signal(w chan struct{}) {
	select {
	case w <- struct{}{}:
	default:
	}
}

// listen gives a channel that has something whenever something happened to a channel of the sidecar. One listener for each at a time.
func (h *hub) listen(id common.Hash) (woken <-chan struct{}, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := make(chan struct{}, 1)
	h.wakes[id] = w
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.wakes[id] == w {
			delete(h.wakes, id)
		}
	}
}

// CallContext implements devnet.Caller.
func (h *hub) CallContext(ctx context.Context, result any, method string, args ...any) error {
	h.mu.Lock()
	c := h.client
	h.mu.Unlock()
	if c == nil {
		return errAway
	}
	return c.CallContext(ctx, result, method, args...)
}

// get asks for a channel.
func (h *hub) get(ctx context.Context, id common.Hash) (info sidecar.ChannelInfo, err error) {
	return info, h.CallContext(ctx, &info, "channels_get", id)
}

// await looks at a channel until it is as wished.
func (h *hub) await(ctx context.Context, id common.Hash, wish func(*sidecar.ChannelInfo) bool) error {
	woken, done := h.listen(id)
	defer done()
	last := "not seen"
	for {
		if info, err := h.get(ctx, id); err == nil {
			if wish(&info) {
				return nil
			}
			last = fmt.Sprintf("%s at %d, waiting for %q", info.Status, info.HeadSeq, info.WaitingFor)
		}
		select {
		case <-woken:
		case <-time.After(nudge):
		case <-ctx.Done():
			return fmt.Errorf("channel %s at %s is %s: %w", id, h.side.Name, last, ctx.Err())
		}
	}
}

func isStatus(wanted ...string) func(*sidecar.ChannelInfo) bool {
	return func(info *sidecar.ChannelInfo) bool {
		for _, w := range wanted {
			if info.Status == w {
				return true
			}
		}
		return false
	}
}
