package sidecar

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/lifecycle"
	"github.com/evmts/channels/protocols/play"
)

const replayPage = 256

// deriveRange derives the entries after `at` up to seq `to` from the store and compares each leaf with the one kept.
func deriveRange(store *eventstore.Store, rules *channel.Rules, at play.Point, to uint64, visit func(play.Point, eventstore.JournalEntry) error) error {
	domain := rules.Params.Domain()
	for at.Seq < to {
		page, err := store.Entries(rules.ID(), at.Seq+1, int(min(replayPage, to-at.Seq)))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("the journal ends at %d, before %d", at.Seq, to)
		}
		for _, s := range page {
			next, err := deriveEntry(rules, domain, at, s)
			if err != nil {
				return err
			}
			if err := visit(next, s); err != nil {
				return err
			}
			at = next
		}
	}
	return nil
}

func deriveEntry(rules *channel.Rules, domain channel.Domain, at play.Point, s eventstore.JournalEntry) (play.Point, error) {
	seq := at.Seq + 1
	var state *channel.State
	var verdict channel.Verdict
	if ev := s.Entry.Event; ev != nil {
		if int(ev.Author) >= len(rules.Params.Participants) {
			return at, channel.Refuse(channel.CodeDiverged, "entry %d has no author", seq)
		}
		if err := ev.Signature.Verify(domain.Digest(ev.Event), rules.Params.Participants[ev.Author].Signer); err != nil {
			return at, channel.Refuse(channel.CodeSignature, "entry %d: %v", seq, err)
		}
		state, verdict = rules.Apply(at.State, seq, &ev.Event)
	} else {
		state, verdict = rules.ApplyTopUp(at.State, seq)
	}
	if err := verdict.Err(); err != nil {
		return at, fmt.Errorf("entry %d: %w", seq, err)
	}
	hash := state.Hash()
	if hash != s.StateHash {
		return at, channel.Refuse(channel.CodeDiverged, "entry %d derives to state %s, the journal says %s", seq, hash, s.StateHash)
	}
	leaf := channel.LeafHash(s.Entry.Hash(rules.ID()), hash)
	return play.Point{Seq: seq, State: state, Hash: hash, Journal: at.Journal.Append(leaf)}, nil
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

// Replay derives a channel of a store from its genesis to seq (or, with all, to the end), checking authors' signatures,
// every leaf, and the participants' signatures on the supported Update when it is reached.
func Replay(store *eventstore.Store, modules Modules, id common.Hash, seq *uint64, progress func(done, total uint64)) (*ReplayReport, error) {
	rec, err := store.Channel(id)
	if err != nil {
		return nil, err
	}
	var m channel.Module
	if !rec.Params.IsLedger() {
		if m, err = modules.Get(rec.Params.ModuleHash); err != nil {
			return nil, channel.Refuse(channel.CodeUnknownModule, "%v", err)
		}
	}
	rules, err := channel.NewRules(&rec.Params, rec.Funding, m)
	if err != nil {
		return nil, err
	}
	at, err := lifecycle.StartOf(rules, rec.GenesisInput)
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
	hasSupported := err == nil
	if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
		return nil, err
	}
	rep := &ReplayReport{Channel: id}
	check := func(p play.Point) error {
		if !hasSupported || p.Seq != supported.Seq {
			return nil
		}
		if p.Update(id) != supported {
			return channel.Refuse(channel.CodeDiverged, "the journal derives to another head at %d than everybody signed", p.Seq)
		}
		if err := checkSupport(rules, supported, sigs); err != nil {
			return err
		}
		rep.Supported = true
		return nil
	}
	if err := check(at); err != nil {
		return nil, err
	}
	err = deriveRange(store, rules, at, to, func(p play.Point, _ eventstore.JournalEntry) error {
		at = p
		if progress != nil {
			progress(p.Seq, to)
		}
		return check(p)
	})
	if err != nil {
		return nil, err
	}
	rep.Supported = rep.Supported && at.Seq == supported.Seq
	rep.Seq, rep.JournalRoot, rep.StateHash = at.Seq, at.Journal.Root(), at.Hash
	rep.State, rep.Terminal = at.State, at.State.Header.Terminal
	if rep.Terminal && m != nil {
		effects, verdict := rules.Effects(at.State)
		if err := verdict.Err(); err != nil {
			return nil, fmt.Errorf("effects: %w", err)
		}
		rep.Effects = effects
	}
	return rep, nil
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

type replayed struct {
	id     common.Hash
	result protocols.Replayed
}

// startReplay derives the journal again beside the loop.
func (e *Engine) startReplay(c *running, seq uint64) {
	id := c.id
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
