package p2p

// ring is a FIFO queue without a bound of its own: its users bound it. It
// reuses its memory, and gives it back when it runs empty after a burst.
type ring[T any] struct {
	buf  []T // length is zero or a power of two
	head int
	n    int
}

const (
	ringMin  = 16
	ringKeep = 1024
)

func (r *ring[T]) len() int { return r.n }

func (r *ring[T]) at(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring[T]) push(v T) {
	if r.n == len(r.buf) {
		grown := make([]T, max(ringMin, 2*len(r.buf)))
		for i := range r.n {
			grown[i] = *r.at(i)
		}
		r.buf, r.head = grown, 0
	}
	r.n++
	*r.at(r.n - 1) = v
}

func (r *ring[T]) pop() T {
	var zero T
	front := r.at(0)
	v := *front
	*front = zero // what was referenced must be collectable
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > ringKeep {
		r.buf, r.head = nil, 0
	}
	return v
}
