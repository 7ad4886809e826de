package sidecar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
)

const replayPage = 256

// journalSource reads a journal of a store in pages. It is for one Replayer at a time.
type journalSource struct {
	store *eventstore.Store
	id    common.Hash
	page  []eventstore.JournalEntry
}

// Entry implements derivation.Source.
func (s *journalSource) Entry(seq uint64) (channel.Entry, common.Hash, error) {
	if len(s.page) == 0 || seq < s.page[0].Seq || seq > s.page[len(s.page)-1].Seq {
		page, err := s.store.Entries(s.id, seq, replayPage)
		if err != nil {
			return channel.Entry{}, common.Hash{}, err
		}
		if len(page) == 0 || page[0].Seq != seq {
			return channel.Entry{}, common.Hash{}, fmt.Errorf("the journal has no entry %d", seq)
		}
		s.page = page
	}
	e := s.page[seq-s.page[0].Seq]
	return e.Entry, e.StateHash, nil
}

// storedSnapshots are those that the engine put into the store.
type storedSnapshots struct {
	store *eventstore.Store
	id    common.Hash
}

// Newest implements derivation.Snapshots.
func (s storedSnapshots) Newest(atOrBelow uint64) (*derivation.Snapshot, error) {
	snap, err := s.store.Snapshot(s.id, atOrBelow)
	if errors.Is(err, eventstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &derivation.Snapshot{Seq: snap.Seq, State: snap.State, Peaks: snap.Peaks}, nil
}

// Keep implements derivation.Snapshots; only the engine writes.
func (storedSnapshots) Keep(derivation.Snapshot) error { return nil }

// replayer derives a channel of a store; snapshots make it quick, without them everything is derived from the genesis and
// every author's signature is checked.
func replayer(store *eventstore.Store, rules *channel.Rules, rec *eventstore.ChannelRecord, snapshots bool) *derivation.Replayer {
	cfg := derivation.ReplayConfig{}.WithGenesisState(rec.StateHash)
	if snapshots {
		cfg = cfg.WithSnapshots(storedSnapshots{store, rec.ID}, 0)
	} else {
		cfg = cfg.WithSignatures()
	}
	return derivation.NewReplayer(rules, rec.GenesisInput, &journalSource{store: store, id: rec.ID}, cfg)
}

// ReplayReport is what a replay from genesis found.
type ReplayReport struct {
	Channel     common.Hash      `json:"channelId"`
	Seq         uint64           `json:"seq"`
	JournalRoot common.Hash      `json:"journalRoot"`
	StateHash   common.Hash      `json:"stateHash"`
	Supported   bool             `json:"supported"` // carries everyone's signature, all checked
	Terminal    bool             `json:"terminal"`
	State       *channel.State   `json:"-"`
	Effects     []channel.Effect `json:"effects,omitempty"`
}

// rulesOf finds the module and makes the rules of a recorded channel.
func rulesOf(modules Modules, rec *eventstore.ChannelRecord) (*channel.Rules, error) {
	var m channel.Module
	if !rec.Params.IsLedger() {
		var err error
		if m, err = modules.Get(rec.Params.ModuleHash); err != nil {
			return nil, channel.Refuse(channel.CodeUnknownModule, "%v", err)
		}
	}
	return channel.NewRules(&rec.Params, rec.Funding, m)
}

// Replay derives a channel of a store from its genesis to seq (nil: to the end). It trusts nothing of what is stored but
// the events: authors' signatures, every leaf, and the participants' signatures on the supported Update are checked.
func Replay(store *eventstore.Store, modules Modules, id common.Hash, seq *uint64, progress func(done, total uint64)) (*ReplayReport, error) {
	rec, err := store.Channel(id)
	if err != nil {
		return nil, err
	}
	rules, err := rulesOf(modules, rec)
	if err != nil {
		return nil, err
	}
	last, err := store.LastSeq(id)
	if err != nil {
		return nil, err
	}
	to := last
	if seq != nil {
		if to = *seq; to > last {
			return nil, channel.Refuse(channel.CodeGap, "the journal ends at %d", last)
		}
	}
	supported, sigs, err := store.Supported(id)
	signed := err == nil
	if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
		return nil, err
	}
	r, ctx := replayer(store, rules, rec, false), context.Background()
	rep := &ReplayReport{Channel: id}
	if signed && supported.Seq <= to {
		at, err := derive(ctx, r, supported.Seq, progress)
		if err != nil {
			return nil, err
		}
		if at.Update(id) != supported {
			return nil, channel.Refuse(channel.CodeDiverged, "the journal derives to another head at %d than everybody signed", supported.Seq)
		}
		if err := checkSupport(rules, supported, sigs); err != nil {
			return nil, err
		}
		rep.Supported = supported.Seq == to
	}
	at, err := derive(ctx, r, to, progress)
	if err != nil {
		return nil, err
	}
	head := at.Update(id)
	rep.Seq, rep.JournalRoot, rep.StateHash = to, head.JournalRoot, head.StateHash
	rep.State, rep.Terminal = at.State, at.State.Header.Terminal
	if rep.Terminal && rules.Module != nil {
		effects, verdict := rules.Effects(at.State)
		if err := verdict.Err(); err != nil {
			return nil, fmt.Errorf("effects: %w", err)
		}
		rep.Effects = effects
	}
	return rep, nil
}

// derive goes forward in strides, so that progress can be shown. A journal that honest nodes signed holds no rejected
// event (S4), although such a leaf can be right.
func derive(ctx context.Context, r *derivation.Replayer, to uint64, progress func(done, total uint64)) (at *derivation.Position, err error) {
	for seq := uint64(0); ; seq = min(to, seq+replayPage) {
		if at, err = r.At(ctx, seq); err != nil {
			return nil, channel.Refuse(channel.CodeDiverged, "%v", err)
		}
		if progress != nil {
			progress(seq, to)
		}
		if seq == to {
			return at, nil
		}
	}
}

func checkSupport(r *channel.Rules, u channel.Update, sigs []channel.Signature) error {
	digest := r.Params.Domain().Digest(u)
	for i, p := range r.Params.Participants {
		if i >= len(sigs) {
			return channel.Refuse(channel.CodeSignature, "Update %d lacks the signature of participant %d", u.Seq, i)
		}
		if err := sigs[i].Verify(digest, p.Signer); err != nil {
			return channel.Refuse(channel.CodeSignature, "Update %d, participant %d: %v", u.Seq, i, err)
		}
	}
	return nil
}

// onReplayed is the end of a replay.
func (e *Engine) onReplayed(r replayed) {
	if c := e.channels[r.id]; c != nil {
		result := "ok"
		if r.result.Err != "" {
			result = "failed"
		}
		e.traces.during(r.id, "replay", c.ended, result)
	}
	e.crank(r.id, r.result)
}

type replayed struct {
	id     common.Hash
	result protocols.Replayed
}

// startReplay derives the journal again beside the loop.
func (e *Engine) startReplay(c *running, seq uint64) {
	id := c.id
	c.ended = time.Now()
	go func() {
		rep, err := Replay(e.cfg.Store, e.cfg.Modules, id, &seq, nil)
		out := protocols.Replayed{}
		switch {
		case err != nil:
			out.Err = err.Error()
		case !rep.Supported:
			out.Err = fmt.Sprintf("the journal at %d is not supported by everybody", seq)
		default:
			out.Update = channel.Update{ChannelID: id, Seq: rep.Seq, JournalRoot: rep.JournalRoot, StateHash: rep.StateHash}
			out.Effects = rep.Effects
		}
		select {
		case e.replays <- replayed{id, out}:
		case <-e.done:
		}
	}()
}
