package verifier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/adjudicator"
)

// state is what the main loop knows of a publication.
type state struct {
	ended   string // disproved, vetoed or settled, as a kind of Report; empty: it can be settled, now or later
	endedAt uint64 // block; that of the feed's end when it was found by asking
	told    bool   // that it ended
	report  Report // to tell when the attempt to prove that is under way has ended

	parked   bool // it has ended by the word of a head that the feed has not reached
	fault    *Fault
	call     adjudicator.Call // disproves it
	counted  bool             // as disproved
	stuck    int              // failures in a row to check it
	proving  bool             // an attempt is under way
	attempts int              // to prove
	minedAt  uint64           // block of our proof, while the feed has not told of it
	mined    common.Hash      // our proof
	gas      uint64           // that it used
	dry      bool             // the dry run is over
	again    time.Time        // of the next attempt
	warned   bool
	progress time.Time // when it was last told
}

// checked takes what a slice gave.
func (v *Verifier) checked(o outcome) {
	t := o.task
	if t.ctx.Err() != nil {
		return // gone meanwhile
	}
	switch {
	case o.err != nil:
		t.stuck = o.failures
		if t.stuck == 1 || t.stuck%10 == 0 {
			v.log.Error("a publication cannot be checked, trying again", "channel", t.ChannelID, "failures", t.stuck, "deadline", t.Deadline, "err", o.err)
			v.tell(t, Report{Kind: ReportStuck, Error: o.err.Error()})
		}
		return
	case o.ended != "":
		switch {
		case t.ended != "": // the feed was quicker
		case o.epoch != v.epoch.Load(): // it may be what was reorganised away
			v.queue.add(t)
		case o.head && !v.caughtUp:
			t.parked = true
		case o.head:
			v.queue.add(t)
		default: // what ended it was before the look-back
			v.end(t, o.ended, adjudicator.Fact{Block: v.cursor.Number}, Report{})
		}
		return
	}
	t.stuck = 0
	switch {
	case t.fault != nil: // found before, by a slice that was under way when it was queued again
	case !o.done:
		if now := time.Now(); now.Sub(t.progress) >= time.Second && o.total > 0 {
			t.progress = now
			v.tell(t, Report{Kind: ReportProgress, Leaves: o.leaves, Total: o.total})
		}
	case o.fault == nil:
		if t.ended != "" {
			v.summary.Closed--
		}
		v.summary.Right++
		v.metrics.checked.WithLabelValues(resultRight).Inc()
		v.metrics.checkTime.Observe(t.took().Seconds())
		v.log.Info("a published journal is right", "channel", t.ChannelID, "leaves", o.total)
		v.tell(t, Report{Kind: ReportRight, Leaves: o.leaves, Total: o.total})
		v.drop(adjudicator.FactID{BlockHash: t.log.BlockHash, LogIndex: t.log.Index}, t)
	default:
		f := o.fault
		t.fault = &Fault{
			Seq: f.Seq, What: f.What(), Why: f.Why(), Text: f.Text(o.shape, nil), Status: uint8(f.Verdict.Status), Derived: f.Derived, Claimed: f.Claimed,
		}
		t.call = o.call
		v.summary.Wrong++
		v.metrics.checked.WithLabelValues(resultWrong).Inc()
		v.metrics.checkTime.Observe(t.took().Seconds())
		v.log.Error("FRAUD: a published journal has a wrong leaf", "channel", t.ChannelID, "world", t.World, "publisher", t.Publisher, "leaf", f.Seq,
			"what", t.fault.What, "why", t.fault.Why, "deadline", t.Deadline)
		v.tell(t, Report{Kind: ReportWrong, Leaves: o.leaves, Total: o.total})
		if t.ended != "" { // it ended while the last slice was under way
			v.summary.Closed--
			if t.ended == ReportDisproved {
				v.countDisproved(t)
			}
		}
	}
}

// took is the working time that the task had. It is not queued any more, so nobody changes it.
func (t *task) took() time.Duration { return t.spent }

// end takes that a publication cannot be settled any more, or is.
func (v *Verifier) end(t *task, kind string, f adjudicator.Fact, r Report) {
	if t.ended == "" && t.fault == nil {
		v.queue.remove(t)
		v.summary.Closed++
	}
	t.ended, t.endedAt = kind, f.Block
	if kind == ReportDisproved && t.fault != nil {
		v.countDisproved(t)
	}
	if kind == ReportSettled && t.fault != nil {
		v.log.Error("FRAUD SETTLED: the effects of a journal with a wrong leaf are written; nothing can be done any more", "channel", t.ChannelID, "world", t.World)
	}
	if t.told {
		return
	}
	r.Kind = kind
	if f.TxHash != (common.Hash{}) {
		r.TxHash = &f.TxHash
		if f.TxHash == t.mined {
			r.Gas = t.gas
		}
	}
	if t.proving {
		t.report = r // the gas is known when the attempt ends
		return
	}
	t.told = true
	v.tell(t, r)
}

func (v *Verifier) countDisproved(t *task) {
	if !t.counted {
		t.counted = true
		v.summary.Disproved++
		v.metrics.proofs.WithLabelValues(proofConfirmed).Inc()
	}
}

// pursue starts what is due: proofs, again after a reorganisation or a failure; and keeps the figures.
func (v *Verifier) pursue(ctx context.Context) {
	now, nearest, stuck, unproven := time.Now(), math.Inf(1), 0, 0
	for _, t := range v.tasks {
		if t.ended != "" {
			continue
		}
		left := time.Unix(int64(min(t.Deadline, 1<<40)), 0).Sub(now)
		nearest = min(nearest, left.Seconds())
		if t.stuck > 0 {
			stuck++
		}
		if left < v.cfg.WarnBefore && !t.warned && v.caughtUp {
			t.warned = true
			v.log.Error("a publication is close to its deadline and not dealt with", "channel", t.ChannelID, "wrong", t.fault != nil, "left", left.Round(time.Second))
		}
		if t.fault == nil {
			continue
		}
		unproven++
		if t.minedAt != 0 && v.cursor.Number >= t.minedAt {
			v.log.Warn("our proof was mined and is gone, sending it again", "channel", t.ChannelID, "block", t.minedAt)
			t.minedAt = 0
			v.tell(t, Report{Kind: ReportGone})
		}
		if t.proving || t.dry || t.minedAt != 0 || now.Before(t.again) {
			continue
		}
		t.proving = true
		v.sends++
		id, call := fmt.Sprintf("disprove %s, attempt %d", t.ChannelID, v.sends), t.call
		if !v.cfg.DryRun {
			v.tell(t, Report{Kind: ReportSending})
		}
		v.goal.Go(func() {
			select {
			case v.proofs <- v.prove(t, call, id):
			case <-ctx.Done():
			}
		})
	}
	v.metrics.nearest.Set(nearest)
	v.metrics.stuck.Set(float64(stuck))
	v.metrics.unproven.Set(float64(unproven))
	v.metrics.open.Set(float64(v.queue.waiting()))
}

// proved takes what became of an attempt.
func (v *Verifier) proved(p proofResult) {
	t := p.task
	t.proving = false
	if t.ctx.Err() != nil {
		return
	}
	if p.receipt != nil {
		t.mined, t.gas = p.receipt.TxHash, p.gas
	}
	if t.report.Kind != "" && !t.told { // the chain's word was quicker than the receipt
		t.told = true
		if t.report.TxHash != nil && *t.report.TxHash == t.mined {
			t.report.Gas = t.gas
		}
		v.tell(t, t.report)
	}
	switch {
	case p.err == nil && v.cfg.DryRun:
		t.dry = true
		v.tell(t, Report{Kind: ReportProof, Gas: p.gas})
	case p.err == nil:
		v.log.Info("a proof of fraud is mined", "channel", t.ChannelID, "tx", p.receipt.TxHash, "gas", p.gas)
		if t.ended == "" {
			t.minedAt = p.receipt.BlockNumber.Uint64()
		}
		t.attempts = 0
	case errors.Is(p.err, errVoid):
		t.again = time.Now().Add(v.cfg.Retry) // the feed tells soon; when it does not, there was a reorganisation
	case t.ended != "": // somebody else was quicker
	default:
		t.attempts++
		t.again = time.Now().Add(v.cfg.Retry << min(t.attempts-1, 6))
		v.metrics.proofs.WithLabelValues(proofFailed).Inc()
		v.log.Error("a proof of fraud did not get through, trying again", "channel", t.ChannelID, "attempts", t.attempts, "deadline", t.Deadline, "err", p.err)
		v.tell(t, Report{Kind: ReportFailed, Error: p.err.Error()})
	}
}

// enough is how many attempts Once makes.
const enough = 3

// finished tells whether Once is over.
func (v *Verifier) finished() bool {
	if !v.caughtUp {
		return false
	}
	for _, t := range v.tasks {
		over := t.ended != "" || t.stuck >= enough || t.fault != nil && (t.dry || t.attempts >= enough)
		if !over || t.proving {
			return false
		}
	}
	return true
}

// count completes the summary.
func (v *Verifier) count() {
	for _, t := range v.tasks {
		switch {
		case t.ended != "":
		case t.fault != nil:
			v.summary.Unproven++
			if t.dry {
				v.summary.Provable++
			}
		case t.stuck > 0:
			v.summary.Stuck++
		}
	}
}
