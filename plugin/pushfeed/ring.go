package pushfeed

import "sync"

// Bounds of what waits to be handed on. More than a few blocks are of no use: what is new is what is wanted.
const (
	ringBlocks = 16
	ringBytes  = 64 << 20
)

// ring holds requests that wait. Who puts one in never waits: the oldest go.
type ring struct {
	mu    sync.Mutex
	items [][]byte
	bytes int
	ready chan struct{} // there is something
}

func newRing() *ring { return &ring{ready: make(chan struct{}, 1)} }

// put adds an item and returns how many had to go for it.
func (r *ring) put(b []byte) (dropped int) {
	r.mu.Lock()
	r.items = append(r.items, b)
	r.bytes += len(b)
	for len(r.items) > ringBlocks || r.bytes > ringBytes && len(r.items) > 1 {
		r.bytes -= len(r.items[0])
		r.items[0] = nil
		r.items = r.items[1:]
		dropped++
	}
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
	return dropped
}

// take gives the oldest item; nil when there is none.
func (r *ring) take() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.items) == 0 {
		return nil
	}
	b := r.items[0]
	r.items[0] = nil
	r.items, r.bytes = r.items[1:], r.bytes-len(b)
	return b
}
