package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/sidecar"
)

// Audit is what the journals hold of what was acknowledged.
type Audit struct {
	Channels     int      `json:"channels"`     // that were opened, all of them looked at
	Acknowledged int      `json:"acknowledged"` // events of which a sidecar said that everybody signed them
	Journaled    uint64   `json:"journaled"`    // events in the journals of one participant
	Replayed     int      `json:"replayed"`     // journals derived again from their genesis, all participants'
	FreshProcess int      `json:"freshProcess"` // of them by `op-channels journal verify`
	Lost         []string `json:"lost"`         // acknowledged events that a journal does not have; at most a hundred are named
	LostCount    int      `json:"lostCount"`
	Differ       []string `json:"differ"` // channels whose journals are not the same for all
}

const maxNamed = 100

func (a *Audit) lose(format string, args ...any) {
	if a.LostCount++; len(a.Lost) < maxNamed {
		a.Lost = append(a.Lost, fmt.Sprintf(format, args...))
	}
}

func (a *Audit) differs(format string, args ...any) {
	if len(a.Differ) < maxNamed {
		a.Differ = append(a.Differ, fmt.Sprintf(format, args...))
	}
}

// audit reads the data folders of sidecars that were stopped. Every journal is derived again with all signatures checked, the same as
// `op-channels journal verify` does; a sample goes through that command.
func audit(ctx context.Context, d *devnet.Devnet, games []*game, sample int, progress func(done, total int)) (*Audit, error) {
	a := &Audit{Channels: len(games), Lost: []string{}, Differ: []string{}}
	for _, g := range games {
		for _, p := range g.seats {
			a.Acknowledged += len(p.Final())
		}
	}
	first := make(map[common.Hash]*sidecar.ReplayReport)
	for i, s := range d.Sidecars {
		if err := a.store(ctx, d, i, games, first, func(done int) { progress(i*len(games)+done, len(d.Sidecars)*len(games)) }); err != nil {
			return a, fmt.Errorf("the data folder of %s: %w", s.Name, err)
		}
	}
	for _, rep := range first {
		a.Journaled += rep.Seq
	}
	for _, s := range d.Sidecars {
		for i := range min(sample, len(games)) {
			g := games[i*len(games)/min(sample, len(games))]
			j, err := story.VerifyJournal(ctx, d, s, g.id)
			if err != nil {
				return a, err
			}
			if want := first[g.id]; want == nil || j.Seq != want.Seq || j.JournalRoot != want.JournalRoot {
				a.differs("%s: %s ends at %d with root %s in a fresh process", s.Name, g.id, j.Seq, j.JournalRoot)
			}
			a.FreshProcess++
		}
	}
	return a, nil
}

// store looks through the folder of sidecar i. first holds what the sidecar before it has.
func (a *Audit) store(ctx context.Context, d *devnet.Devnet, i int, games []*game, first map[common.Hash]*sidecar.ReplayReport, progress func(int)) (err error) {
	store, err := eventstore.Open(filepath.Join(d.Sidecars[i].DataDir, "store"))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := store.Close(); err == nil {
			err = cerr
		}
	}()
	modules, name := sidecar.ModulesOf(d.Modules), d.Sidecars[i].Name
	for n, g := range games {
		if err := ctx.Err(); err != nil {
			return err
		}
		rep, err := sidecar.Replay(store, modules, g.id, nil, nil)
		if err != nil {
			a.differs("%s: %s: %v", name, g.id, err)
		} else {
			a.Replayed++
			was := first[g.id]
			switch {
			case i == 0:
				rep.State = nil // of thousands of journals
				first[g.id] = rep
			case was == nil || was.Seq != rep.Seq || was.JournalRoot != rep.JournalRoot || was.StateHash != rep.StateHash:
				a.differs("%s: %s ends at %d with root %s", name, g.id, rep.Seq, rep.JournalRoot)
			}
		}
		if err := a.events(store, name, g); err != nil {
			return err
		}
		progress(n + 1)
	}
	return nil
}

// events looks for everything that was acknowledged in a channel.
func (a *Audit) events(store *eventstore.Store, name string, g *game) error {
	last, err := store.LastSeq(g.id)
	if err != nil {
		return fmt.Errorf("journal of %s: %w", g.id, err)
	}
	entries := make(map[uint64]channel.Entry, last)
	for from := uint64(1); from <= last; {
		page, err := store.Entries(g.id, from, int(last-from+1))
		if err == nil && len(page) == 0 {
			err = errors.New("the store has no more entries")
		}
		if err != nil {
			return fmt.Errorf("journal of %s from %d to %d: %w", g.id, from, last, err)
		}
		for _, e := range page {
			entries[e.Seq] = e.Entry
		}
		from = page[len(page)-1].Seq + 1
	}
	for _, p := range g.seats {
		for _, f := range p.Final() {
			e := entries[f.Seq].Event
			if e == nil || e.Author != p.Seat || !bytes.Equal(e.Payload, f.Payload) {
				a.lose("%s: event %d of seat %d in %s", name, f.Seq, p.Seat, g.id)
			}
		}
	}
	return nil
}
