package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/directdefund"
	"github.com/evmts/channels/protocols/directfund"
	"github.com/evmts/channels/protocols/lifecycle"
	"github.com/evmts/channels/protocols/play"
)

const objectiveVersion = 1

// record puts what must be durable into the batch. The commit waits for the disk unless all of it can be derived again.
func (e *Engine) record(c *running, r protocols.Record) {
	b := e.batch
	if s, ok := r.(protocols.RecordSupported); !ok || !s.Derivable {
		e.wait = true
	}
	switch r := r.(type) {
	case protocols.RecordEntry:
		b.AppendEntry(c.id, r.Seq, r.Entry, r.StateHash)
		if e.cfg.Store.SnapshotDue(c.id, r.Seq) {
			b.PutSnapshot(c.id, r.Seq, r.State.Bytes(), r.Journal.Peaks())
		}
		e.cfg.Metrics.Events.Inc()
	case protocols.RecordSigned:
		b.PutSigned(c.id, r.Update)
		e.recordKnown(c, r)
	case protocols.RecordSupported:
		b.PutSupported(c.id, r.Update, r.Signatures)
	case protocols.RecordPending:
		b.PutPending(c.id, r.Event)
	case protocols.RecordPlaced:
		b.DeletePending(c.id, r.Nonce)
	case protocols.RecordClose:
		b.PutClose(c.id, r.Close)
	case protocols.RecordObjective:
		b.PutObjective(objectiveID(c.id, r.Name), eventstore.ObjectiveRecord{
			Kind: r.Name, Channel: c.id, Status: c.Status(), Data: r.Data, Version: objectiveVersion,
		})
	}
	e.log(c, r)
}

// knownName is the record of the others' signatures that came with the newest Update we signed.
const knownName = "play-known"

// recordKnown keeps the others' signatures beside our own decision to sign: with them the Update is supported as soon as
// ours exists, and ours comes out the same after a crash.
func (e *Engine) recordKnown(c *running, r protocols.RecordSigned) {
	if !slices.ContainsFunc(r.Known, func(s channel.Signature) bool { return !s.IsZero() }) {
		return
	}
	data, err := rlp.EncodeToBytes(protocols.Head{Update: r.Update, Signatures: r.Known})
	if err != nil {
		panic(err) // the type is fixed and encodable
	}
	e.batch.PutObjective(objectiveID(c.id, knownName), eventstore.ObjectiveRecord{
		Kind: knownName, Channel: c.id, Data: data, Version: objectiveVersion,
	})
}

// known reads what recordKnown wrote, if it was about this Update.
func (e *Engine) known(id common.Hash, signed channel.Update) ([]channel.Signature, error) {
	o, err := e.cfg.Store.Objective(objectiveID(id, knownName))
	if errors.Is(err, eventstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var h protocols.Head
	if err := rlp.DecodeBytes(o.Data, &h); err != nil {
		return nil, fmt.Errorf("signatures known beside the signed Update: %w", err)
	}
	if h.Update != signed {
		return nil, nil
	}
	return h.Signatures, nil
}

func objectiveID(id common.Hash, name string) string { return name + "/" + id.Hex() }

// recordStatus keeps the word for where the channel stands, for those who read the store without the engine.
func (e *Engine) recordStatus(c *running) {
	if s := c.Status(); s != c.status {
		e.traces.phase(c, c.status, s)
		c.status = s
		c.record.Status = s
		e.batch.PutChannel(c.id, c.record)
	}
}

func (e *Engine) lifecycleConfig(r *channel.Rules, genesis []byte, start play.Point, me uint8) *lifecycle.Config {
	world, _ := worldOf(genesis)
	served := world.Settlement != (common.Address{}) && world.Settlement == e.cfg.Settlement
	return &lifecycle.Config{
		Rules: r, Genesis: genesis, Start: start, Me: me,
		Attest: served && e.attests(world.World), Publish: served && e.cfg.Publish,
		Margin: uint64(e.cfg.Margin.Seconds()), Skew: uint64(e.cfg.Skew.Seconds()),
		Stall: uint64(max(1, e.cfg.Stall.Seconds())), Turn: uint64(max(1, e.cfg.Turn.Seconds())),
	}
}

// restore brings every channel of the store back to where it was, and repeats what the end of the process cut off.
func (e *Engine) restore() error {
	for rec, err := range e.cfg.Store.Channels() {
		if err != nil {
			return fmt.Errorf("read the channels: %w", err)
		}
		if err := e.restoreChannel(*rec); err != nil {
			return fmt.Errorf("restore channel %s: %w", rec.ID, err)
		}
	}
	return e.restoreChain()
}

func (e *Engine) restoreChannel(rec eventstore.ChannelRecord) error {
	rules, err := e.rules(&rec.Params, rec.Funding)
	if err != nil {
		return err
	}
	start, err := lifecycle.StartOf(rules, rec.GenesisInput)
	if err != nil {
		return err
	}
	if start.Hash != rec.StateHash {
		return fmt.Errorf("the genesis derives to %s now, but to %s when the channel was made: the module's engine is not deterministic or the store is damaged",
			start.Hash, rec.StateHash)
	}
	r := lifecycle.Restored{Objectives: make(map[string][]byte)}
	for _, name := range []string{directfund.Name, play.Name, directdefund.Name} {
		o, err := e.cfg.Store.Objective(objectiveID(rec.ID, name))
		if err == nil {
			r.Objectives[name] = o.Data
		} else if !errors.Is(err, eventstore.ErrNotFound) {
			return err
		}
	}
	supported, sigs, err := e.cfg.Store.Supported(rec.ID)
	if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
		return err
	}
	if err == nil {
		if r.Play, err = e.restorePlay(rec, rules, supported, sigs); err != nil {
			return err
		}
	}
	cfg := e.lifecycleConfig(rules, rec.GenesisInput, start, rec.Me)
	life, acts, err := lifecycle.Restore(cfg, r)
	if err != nil {
		return err
	}
	c := e.add(life, rec)
	c.status = rec.Status
	e.collect(c, acts)
	e.touched[c.id] = struct{}{}
	return nil
}

// restorePlay derives the head again from the newest snapshot and the entries after it.
func (e *Engine) restorePlay(rec eventstore.ChannelRecord, rules *channel.Rules, supported channel.Update, sigs []channel.Signature) (*play.Restored, error) {
	signed, err := e.cfg.Store.Signed(rec.ID)
	if err != nil {
		return nil, fmt.Errorf("the signed Update is missing beside a supported one: %w", err)
	}
	pending, err := e.cfg.Store.Pending(rec.ID)
	if err != nil {
		return nil, err
	}
	r := &play.Restored{Signed: signed, Pending: pending}
	if r.Known, err = e.known(rec.ID, signed); err != nil {
		return nil, err
	}
	r.Supported = play.Supported{Update: supported, Signatures: sigs}
	last, err := e.cfg.Store.LastSeq(rec.ID)
	if err != nil {
		return nil, err
	}
	if supported.Seq > last {
		return nil, fmt.Errorf("the supported Update is at %d, but the journal ends at %d", supported.Seq, last)
	}
	derived := replayer(e.cfg.Store, rules, &rec, true)
	at, err := derived.At(context.Background(), supported.Seq)
	if err != nil {
		return nil, err
	}
	r.Supported.State = at.State
	if at, err = derived.At(context.Background(), last); err != nil {
		return nil, err
	}
	r.Head = play.Point{Seq: last, State: at.State, Hash: at.State.Hash(), Journal: at.Journal}
	return r, nil
}

// recall derives the state at an older Update from the newest snapshot below it: at most one snapshot interval of events.
func (e *Engine) recall(c *running, a protocols.Recall) {
	at, err := replayer(e.cfg.Store, c.Rules(), &c.record, true).At(context.Background(), a.Update.Seq)
	if err == nil && at.Update(c.id) != a.Update {
		err = channel.Refuse(channel.CodeDiverged, "the journal here has root %s at %d, everybody signed %s", at.Update(c.id).JournalRoot, a.Update.Seq, a.Update.JournalRoot)
	}
	if err != nil {
		e.cfg.Log.Error("Cannot take up an Update that everybody signed", "channel", c.id, "seq", a.Update.Seq, "err", err)
		return
	}
	e.crank(c.id, protocols.Recalled{Update: a.Update, Signatures: a.Signatures, State: at.State})
}

func (e *Engine) rules(p *channel.Params, f channel.Funding) (*channel.Rules, error) {
	var m channel.Module
	if !p.IsLedger() {
		var err error
		if m, err = e.cfg.Modules.Get(p.ModuleHash); err != nil {
			return nil, channel.Refuse(channel.CodeUnknownModule, "%v", err)
		}
	}
	return channel.NewRules(p, f, m)
}

// add puts a channel into memory.
func (e *Engine) add(life lifecycle.Lifecycle, rec eventstore.ChannelRecord) *running {
	c := &running{Lifecycle: life, id: life.Rules().ID(), record: rec, txs: make(map[protocols.Tx]bool), phaseSince: time.Now()}
	e.channels[c.id] = c
	for i, p := range rec.Params.Participants {
		if uint8(i) == rec.Me {
			continue
		}
		if e.peers[p.Signer] == nil {
			e.peers[p.Signer] = make(map[common.Hash]struct{})
		}
		e.peers[p.Signer][c.id] = struct{}{}
	}
	return c
}
