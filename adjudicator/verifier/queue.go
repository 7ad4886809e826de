package verifier

import (
	"context"
	"sync"
	"time"
)

// queue shares the workers' time among publications.
type queue struct {
	mu     sync.Mutex
	tasks  map[*task]bool // those that wait or run
	loaded int            // tasks that hold a journal or a part of one
	room   int            // how many may
	turn   bool           // whether the next slice goes by deadline
	wake   chan struct{}  // closed and replaced when something changed
	now    func() time.Time
}

func newQueue(room int) *queue {
	return &queue{tasks: make(map[*task]bool), room: room, wake: make(chan struct{}), now: time.Now}
}

func (q *queue) signal() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// add makes a task wait for its first or another slice.
func (q *queue) add(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.tasks[t] {
		q.tasks[t] = true
		q.signal()
	}
}

// remove takes a task out. One that runs goes on until its context ends, and is not put back.
func (q *queue) remove(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.tasks, t)
	if !t.running {
		q.unload(t)
	}
}

func (q *queue) unload(t *task) {
	if t.loaded {
		t.loaded = false
		q.loaded--
		t.work.drop()
	}
}

// waiting is how many tasks are not finished.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks)
}

// take gives the task whose turn it is. It waits while there is none; ok is false when ctx has ended.
func (q *queue) take(ctx context.Context) (t *task, ok bool) {
	for {
		q.mu.Lock()
		t, retry := q.next()
		wake := q.wake
		q.mu.Unlock()
		if t != nil {
			return t, true
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, false
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idle is how long to wait when no task waits for its time; something new wakes earlier.
const idle = time.Minute

// next chooses a task and marks it as running, or says when to look again.
func (q *queue) next() (chosen *task, retry time.Duration) {
	now := q.now()
	retry = idle
	var urgent *task // the earliest deadline of all, running or not
	better := earlier
	if !q.turn {
		better = fresher
	}
	for t := range q.tasks {
		if urgent == nil || earlier(t, urgent) {
			urgent = t
		}
		if wait := t.notBefore.Sub(now); !t.running && wait > 0 {
			retry = min(retry, wait)
		} else if !t.running && (chosen == nil || better(t, chosen)) {
			chosen = t
		}
	}
	if chosen == nil {
		return nil, retry
	}
	q.turn = !q.turn
	if !chosen.loaded {
		q.makeRoom(urgent)
		chosen.loaded = true
		q.loaded++
	}
	chosen.running = true
	return chosen, 0
}

// makeRoom puts a journal aside when there are as many as may be: the one that has had the most time, but not the most urgent.
func (q *queue) makeRoom(urgent *task) {
	if q.loaded < q.room {
		return
	}
	var aside *task
	for t := range q.tasks {
		if t.loaded && !t.running && t != urgent && (aside == nil || t.spent > aside.spent) {
			aside = t
		}
	}
	if aside != nil {
		q.unload(aside)
	}
}

func earlier(a, b *task) bool {
	if a.Deadline != b.Deadline {
		return a.Deadline < b.Deadline
	}
	return a.order < b.order
}

func fresher(a, b *task) bool {
	if a.spent != b.spent {
		return a.spent < b.spent
	}
	return earlier(a, b)
}

// put ends a slice. A task that is done leaves the queue; another one waits until notBefore.
func (q *queue) put(t *task, spent time.Duration, done bool, notBefore time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.running, t.spent, t.notBefore = false, t.spent+spent, notBefore
	if done {
		delete(q.tasks, t)
	}
	if !q.tasks[t] { // done, or removed meanwhile
		q.unload(t)
	}
	q.signal()
}
