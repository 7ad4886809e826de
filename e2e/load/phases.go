package load

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/evmts/channels/sidecar"
)

// play is the load itself.
func (r *run) play(ctx context.Context) (err error) {
	ctx, abandon := context.WithCancel(ctx)
	played, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	defer abandon() // what is still under way after a failure tells nothing more
	all.Go(func() { r.m.run(played, meterEvery) })
	playing := make(chan struct{})
	all.Go(func() { defer close(playing); r.f.play(ctx, played) })
	r.load, err = r.spend(ctx, func(ctx context.Context) error { return r.during(ctx, time.Now()) })
	if err != nil {
		return err
	}
	if r.sum.Loaded, err = r.memory(ctx); err != nil {
		return err
	}
	stop()
	r.o.Progress("no more events; what was submitted gets its answer, raids that ended are settled")
	<-playing
	select {
	case err := <-r.f.errs:
		return err
	default:
		return nil
	}
}

// during tells how it goes, and kills a sidecar in the middle.
func (r *run) during(ctx context.Context, began time.Time) error {
	end := time.NewTimer(r.o.Duration)
	defer end.Stop()
	tick := time.NewTicker(min(progressEach, r.o.Duration/4))
	defer tick.Stop()
	middle := make(<-chan time.Time)
	if r.o.Kill {
		middle = time.After(r.o.Duration / 2)
	}
	killed := make(chan error, 1)
	under := false
	for {
		select {
		case <-tick.C:
			r.o.Progress(r.status(ctx, began))
		case <-middle:
			under = true
			go func() { killed <- r.kill(ctx) }()
		case err := <-killed:
			if under = false; err != nil {
				return err
			}
		case err := <-r.f.errs:
			return err
		case <-r.d.Chain.Node.Done():
			return errors.New("the chain has ended")
		case <-end.C:
			if !under {
				return nil
			}
			return <-killed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// status is a line for whoever waits.
func (r *run) status(ctx context.Context, began time.Time) string {
	took := time.Since(began).Seconds()
	text := fmt.Sprintf("%4.0f s: %d raids live, %d ended, %d of them settled", took, r.f.live.Load(), r.f.finished.Load(), r.f.settled.Load())
	if m, err := scrape(ctx, r.d.Sidecars[0].MetricsURL()); err == nil {
		text += fmt.Sprintf("; %.0f channels open, %.0f events in the operator's journals", m.sum("op_channels_channels", `"open"`), m["op_channels_events_total"])
	}
	if blocks, err := r.w.between(began, time.Now()); err == nil {
		text += fmt.Sprintf("; %d blocks", len(blocks))
	}
	return text
}

// kill ends the last sidecar at a moment of its own choosing and starts it again. It has caught up when no channel waits for the
// chain any more and every Update has all signatures, or is younger than the load is.
func (r *run) kill(ctx context.Context) error {
	last := len(r.d.Sidecars) - 1
	s := r.d.Sidecars[last]
	r.m.read()
	at := time.Now()
	if err := r.d.Kill9(last); err != nil {
		return err
	}
	r.o.Progress("killed " + s.Name + " with SIGKILL")
	if err := sleep(ctx, downTime); err != nil {
		return err
	}
	started := time.Now()
	if err := r.d.Restart(ctx, last); err != nil {
		return err
	}
	answered := time.Now()
	limit := time.NewTimer(agreeTimeout)
	defer limit.Stop()
	for {
		m, err := scrape(ctx, s.MetricsURL())
		if err == nil && m["op_channels_engine_tick_time_seconds"] > 0 && m["op_channels_engine_head"] > 0 && m.sum("op_channels_channels", `"waiting"`) == 0 {
			break
		}
		select {
		case <-time.After(redial):
		case <-limit.C:
			return fmt.Errorf("%s has not caught up in %s: %.0f channels wait for the chain (%v)", s.Name, agreeTimeout, m.sum("op_channels_channels", `"waiting"`), err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.outage = [2]time.Time{at, time.Now()}
	r.sum.Restart = &Restart{
		Name: s.Name, Channels: len(r.f.games()), AnsweredSeconds: answered.Sub(started).Seconds(), CaughtUpSeconds: r.outage[1].Sub(started).Seconds(),
	}
	r.o.Progress(fmt.Sprintf("%s is back: it answers after %.1f s, has caught up after %.1f s", s.Name, r.sum.Restart.AnsweredSeconds, r.sum.Restart.CaughtUpSeconds))
	return nil
}

// agree waits until all sidecars have the same head of every channel, signed by everybody.
func (r *run) agree(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	games := r.f.games()
	work := make(chan *game)
	g, together := newGroup(ctx)
	for range beatsAtOnce {
		g.run(func() error {
			for game := range work {
				if err := r.agreeOn(together, game); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.run(func() error {
		defer close(work)
		for _, game := range games {
			select {
			case work <- game:
			case <-together.Done():
				return together.Err()
			}
		}
		return nil
	})
	r.note("all participants have the same head of every channel, signed by everybody", g.wait())
	for _, s := range r.d.Sidecars {
		for _, path := range []string{"/healthz", "/readyz"} {
			body, status, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d%s", s.RPCPort, path))
			if err == nil && status != 200 {
				err = fmt.Errorf("status %d: %s", status, body)
			}
			r.note(fmt.Sprintf("%s says that it is well (%s)", s.Name, path), err)
		}
	}
	return nil
}

func (r *run) agreeOn(ctx context.Context, g *game) error {
	for {
		var infos []sidecar.ChannelInfo
		var err error
		for _, h := range r.f.hubs {
			var info sidecar.ChannelInfo
			if info, err = h.get(ctx, g.id); err != nil {
				break
			}
			infos = append(infos, info)
		}
		if err == nil && same(infos) {
			return nil
		}
		select {
		case <-time.After(redial):
		case <-ctx.Done():
			var at []string
			for _, i := range infos {
				at = append(at, fmt.Sprintf("%s at %d with %d in flight", i.Status, i.HeadSeq, i.InFlight))
			}
			return fmt.Errorf("channel %s: %v: %w", g.id, at, errors.Join(err, ctx.Err()))
		}
	}
}

func same(infos []sidecar.ChannelInfo) bool {
	for _, i := range infos {
		if i.Supported == nil || *i.Supported != *infos[0].Supported || i.InFlight != 0 || i.HeadSeq != i.Supported.Seq || i.Status == "waiting" || i.Status == "halted" {
			return false
		}
	}
	return true
}

func (r *run) stopSidecars(ctx context.Context) error {
	for _, s := range r.d.Sidecars {
		var err error
		if !s.Running() {
			err = errors.New("it has ended")
		}
		r.note(s.Name+" runs until it is stopped", err)
	}
	r.stopHubs()
	r.hubs.Wait()
	r.note("the sidecars stop in order", r.d.StopSidecars(ctx))
	return nil
}

func (r *run) audit(ctx context.Context) error {
	began := time.Now()
	last := began
	a, err := audit(ctx, r.d, r.f.games(), r.o.Sample, func(done, total int) {
		if time.Since(last) > progressEach {
			last = time.Now()
			r.o.Progress(fmt.Sprintf("%d of %d journals are replayed", done, total))
		}
	})
	r.sum.Audit = a
	if err != nil {
		return err
	}
	var lost, differ, none error
	if a.LostCount > 0 {
		lost = fmt.Errorf("%d are not there, the first is %s", a.LostCount, a.Lost[0])
	}
	if len(a.Differ) > 0 {
		differ = fmt.Errorf("%d are not, the first is %s", len(a.Differ), a.Differ[0])
	}
	if a.Acknowledged == 0 {
		none = errors.New("none was acknowledged")
	}
	r.note("events were acknowledged", none)
	r.note("every acknowledged event is in the journals of all participants", lost)
	r.note("every journal replays to the same root for all participants", differ)
	var unsettled error
	if f, s := r.f.finished.Load(), r.f.settled.Load(); f != s {
		unsettled = fmt.Errorf("%d ended, %d are settled", f, s)
	}
	r.note("every raid that ended is paid out and settled into the World", unsettled)
	for _, s := range r.d.Sidecars {
		l, err := readLog(s.Name, s.LogFile)
		if err != nil {
			return err
		}
		r.sum.Logs = append(r.sum.Logs, l)
		if len(l.Errors) > 0 {
			err = fmt.Errorf("%v", l.Errors)
		}
		r.note("the log of "+s.Name+" has no errors", err)
	}
	return nil
}

// events is what the players saw.
func (r *run) events() {
	var all, calm []float64
	for _, g := range r.f.games() {
		for _, p := range g.seats {
			for _, f := range p.Final() {
				if f.At.Before(r.load.from.at) || f.At.After(r.load.to.at) {
					continue
				}
				all = append(all, ms(f.Took))
				if f.At.Before(r.outage[0]) || f.At.Add(-f.Took).After(r.outage[1]) {
					calm = append(calm, ms(f.Took))
				}
			}
		}
	}
	if r.outage[0].IsZero() {
		calm = append([]float64(nil), all...)
	}
	seconds := r.load.to.at.Sub(r.load.from.at).Seconds()
	r.sum.Events = Events{
		Acknowledged: len(all), PerSecond: float64(len(all)) / seconds, FinalAfter: spreadOf(calm), WithTheKill: spreadOf(all),
		RaidsEnded: int(r.f.finished.Load()), RaidsSettled: int(r.f.settled.Load()),
	}
}

// SummaryFile is where a load leaves its summary.
func SummaryFile(dir string) string { return filepath.Join(dir, "summary.json") }
