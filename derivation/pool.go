package derivation

import "sync"

// pool lets a bounded number of calls run, each with an instance of its own that earlier calls left.
type pool[T any] struct {
	create func() (T, error)
	slots  chan struct{} // one token per call that may run
	mu     sync.Mutex
	idle   []T // the last one used is at the end: its memory is the one in the cache
	over   bool
}

func newPool[T any](calls int, create func() (T, error)) *pool[T] {
	p := &pool[T]{create: create, slots: make(chan struct{}, calls)}
	for range calls {
		p.slots <- struct{}{}
	}
	return p
}

// acquire waits for a slot and gives an instance that is idle, or a new one.
func (p *pool[T]) acquire() (in T, err error) {
	<-p.slots
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		p.slots <- struct{}{}
		return in, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		in = p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return in, nil
	}
	p.mu.Unlock()
	if in, err = p.create(); err != nil {
		p.slots <- struct{}{}
	}
	return in, err
}

// put makes an instance available again.
func (p *pool[T]) put(in T) {
	p.mu.Lock()
	p.idle = append(p.idle, in)
	p.mu.Unlock()
	p.slots <- struct{}{}
}

// drop gives back the slot of an instance that is not to be used again.
func (p *pool[T]) drop() { p.slots <- struct{}{} }

// close waits until no call runs and lets none start.
func (p *pool[T]) close() {
	for range cap(p.slots) {
		<-p.slots
	}
	p.mu.Lock()
	p.over, p.idle = true, nil
	p.mu.Unlock()
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}
