package p2p

import (
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// maxOffenders bounds the memory about addresses that misbehaved.
const maxOffenders = 4096

// offenders counts invalid messages per address and second, and remembers bans.
type offenders struct {
	mu     sync.Mutex
	max    int
	ban    time.Duration
	now    func() time.Time
	counts map[common.Address]*offence
}

type offence struct {
	since time.Time // start of the second that count is about
	count int
	until time.Time // end of the ban, zero for none
}

func newOffenders(perSecond int, ban time.Duration, now func() time.Time) *offenders {
	return &offenders{max: perSecond, ban: ban, now: now, counts: make(map[common.Address]*offence)}
}

// count adds one invalid message. It returns the end of a ban that this message
// brought about.
func (o *offenders) count(addr common.Address) (until time.Time, banned bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	f := o.counts[addr]
	if f == nil {
		o.makeRoom(now)
		f = &offence{since: now}
		o.counts[addr] = f
	}
	if now.Before(f.until) {
		return f.until, false
	}
	if now.Sub(f.since) >= time.Second {
		f.since, f.count = now, 0
	}
	if f.count++; f.count <= o.max {
		return time.Time{}, false
	}
	f.count, f.until = 0, now.Add(o.ban)
	return f.until, true
}

// bannedUntil returns the end of the address's ban, and whether it is banned.
func (o *offenders) bannedUntil(addr common.Address) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.counts[addr]
	if f == nil || !o.now().Before(f.until) {
		return time.Time{}, false
	}
	return f.until, true
}

// makeRoom forgets what has passed, and when that is not enough the ban that
// ends first.
func (o *offenders) makeRoom(now time.Time) {
	if len(o.counts) < maxOffenders {
		return
	}
	var first common.Address
	var end time.Time
	for addr, f := range o.counts {
		passed := f.since.Add(time.Second)
		if f.until.After(passed) {
			passed = f.until
		}
		if !now.Before(passed) {
			delete(o.counts, addr)
			continue
		}
		if end.IsZero() || passed.Before(end) {
			first, end = addr, passed
		}
	}
	if len(o.counts) >= maxOffenders {
		delete(o.counts, first)
	}
}
