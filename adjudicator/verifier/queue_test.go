package verifier

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newTask makes a task with a deadline.
func newTask(deadline, order uint64) *task {
	t := &task{order: order}
	t.Deadline = deadline
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// job is a task with the work that it needs; what it has had so far.
type job struct {
	*task
	needs, had time.Duration
}

// run works in slices of one second until all is done or it took too long, and gives when each was done.
func run(t *testing.T, q *queue, jobs []*job, limit time.Duration) map[*task]time.Duration {
	t.Helper()
	of, done, clock := map[*task]*job{}, map[*task]time.Duration{}, time.Duration(0)
	for _, j := range jobs {
		of[j.task] = j
		q.add(j.task)
	}
	for clock < limit && q.waiting() > 0 {
		next, ok := q.take(t.Context())
		require.True(t, ok)
		j := of[next]
		used := min(time.Second, j.needs-j.had)
		j.had += used
		clock += used
		over := j.had == j.needs
		if over {
			done[next] = clock
		}
		q.put(next, used, over, time.Time{})
		require.LessOrEqual(t, q.loaded, q.room)
	}
	return done
}

// TestAttack28_HostileJournalsDoNotHoldUpShortOnes: whatever deadlines a hundred long journals have, a short one is done as if it were
// alone, give or take a slice for each that is new as well.
func TestAttack28_HostileJournalsDoNotHoldUpShortOnes(t *testing.T) {
	var jobs []*job
	for i := range uint64(100) {
		jobs = append(jobs, &job{task: newTask(60, i), needs: 700 * time.Second})
	}
	short := &job{task: newTask(1_000_000, 1000), needs: 10 * time.Millisecond}
	done := run(t, newQueue(4), append(jobs, short), 10*time.Minute)
	require.Contains(t, done, short.task)
	require.LessOrEqual(t, done[short.task], 201*time.Second, "a slice for each that is as new, and as many for the most urgent")
}

// TestAttack28_TheMostUrgentJournalGetsHalfOfTheTime: a long journal with the earliest deadline is done in twice its time, although new
// ones come all the time and there is room for few.
func TestAttack28_TheMostUrgentJournalGetsHalfOfTheTime(t *testing.T) {
	urgent := &job{task: newTask(10, 0), needs: 100 * time.Second}
	jobs := []*job{urgent}
	for i := range uint64(500) {
		jobs = append(jobs, &job{task: newTask(20+i, 1+i), needs: 50 * time.Second})
	}
	done := run(t, newQueue(3), jobs, 5*time.Minute)
	require.Contains(t, done, urgent.task)
	require.LessOrEqual(t, done[urgent.task], 201*time.Second)
}

// TestA11_EveryJournalIsDone: random jobs, random room; all are done in the sum of their times, and none is loaded at the end.
func TestA11_EveryJournalIsDone(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		q := newQueue(3 + random.IntN(5)) // one that runs, the most urgent, and another
		var jobs []*job
		var sum time.Duration
		for i := range uint64(1 + random.IntN(30)) {
			j := &job{task: newTask(random.Uint64N(100), i), needs: time.Duration(1+random.IntN(9000)) * time.Millisecond}
			sum += j.needs
			jobs = append(jobs, j)
		}
		done := run(t, q, jobs, sum+time.Second)
		require.Len(t, done, len(jobs))
		require.Zero(t, q.loaded)
		require.Zero(t, q.waiting())
	}
}

// TestQueueWaitsForTheTimeOfARetry, and is woken by something new.
func TestQueueWaitsForTheTimeOfARetry(t *testing.T) {
	q := newQueue(2)
	now := time.Unix(1000, 0)
	q.now = func() time.Time { return now }
	later := newTask(1, 1)
	q.add(later)
	got, ok := q.take(t.Context())
	require.True(t, ok && got == later)
	q.put(later, 0, false, now.Add(time.Hour))
	chosen, retry := q.next()
	require.Nil(t, chosen)
	require.Equal(t, idle, retry)
	now = now.Add(time.Hour - time.Second)
	_, retry = q.next()
	require.Equal(t, time.Second, retry)
	now = now.Add(time.Second)
	chosen, _ = q.next()
	require.Same(t, later, chosen)
	q.put(later, 0, false, now.Add(time.Hour))

	taken := make(chan *task, 1)
	go func() {
		got, _ := q.take(t.Context())
		taken <- got
	}()
	other := newTask(2, 2)
	q.add(other)
	require.Same(t, other, <-taken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, ok = q.take(ctx)
	require.False(t, ok)
}

// TestQueueForgetsWhatWasRemoved: also while it runs, and it can come back.
func TestQueueForgetsWhatWasRemoved(t *testing.T) {
	q := newQueue(2)
	a := newTask(1, 1)
	q.add(a)
	q.add(a)
	require.Equal(t, 1, q.waiting())
	got, _ := q.take(t.Context())
	require.Same(t, a, got)
	q.remove(a)
	require.Equal(t, 1, q.loaded, "it runs")
	q.put(a, time.Second, false, time.Time{})
	require.Zero(t, q.loaded)
	require.Zero(t, q.waiting())
	q.add(a)
	got, _ = q.take(t.Context())
	require.Same(t, a, got)
	require.Equal(t, time.Second, a.spent)
	q.put(a, 0, true, time.Time{})
	require.Zero(t, q.loaded+q.waiting())
}

// TestQueueTurnsBetweenDeadlineAndTime.
func TestQueueTurnsBetweenDeadlineAndTime(t *testing.T) {
	q := newQueue(10)
	urgent, fresh := newTask(1, 1), newTask(2, 2)
	urgent.spent = time.Hour
	q.add(urgent)
	q.add(fresh)
	var order []*task
	for range 6 {
		got, _ := q.take(t.Context())
		order = append(order, got)
		q.put(got, 0, false, time.Time{})
	}
	require.Equal(t, 3, len(slices.DeleteFunc(slices.Clone(order), func(x *task) bool { return x != urgent })))
	for i := range order[1:] {
		require.NotSame(t, order[i], order[i+1])
	}
}
