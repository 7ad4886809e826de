package derivation

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

var (
	// ErrDiverged means that the journal says one thing and the rules give another; the error is a *Divergence.
	ErrDiverged = errors.New("derivation: the journal diverges from the rules")
	// ErrGenesis means that the module refuses the genesis input: there is no leaf 0.
	ErrGenesis = errors.New("derivation: the genesis is rejected")
	// ErrSigner means that an event in the journal is not signed by its author.
	ErrSigner = errors.New("derivation: an event is not signed by its author")
)

// Source is the content of a journal.
type Source interface {
	// Entry is the journal's entry at a seq above 0 and the stateHash of its leaf. The zero hash means that the leaf is
	// not known: the entry is then derived, but not compared with anything.
	Entry(seq uint64) (channel.Entry, common.Hash, error)
}

// Snapshot is a derived state and the journal's head there.
type Snapshot struct {
	Seq   uint64
	State []byte        // header ‖ funds ‖ app
	Peaks []common.Hash // of the journal with Seq + 1 leaves
}

// Snapshots keep derived states, so that replay need not begin at the genesis. They are a cache: what they give is
// checked against the leaf when the leaf is known.
type Snapshots interface {
	// Newest is the newest snapshot at or below a seq, nil when there is none.
	Newest(atOrBelow uint64) (*Snapshot, error)
	// Keep is called with every snapshot worth keeping.
	Keep(Snapshot) error
}

// Position is a state that was derived, and where.
type Position struct {
	Seq     uint64
	State   *channel.State
	Journal channel.Journal // with Seq + 1 leaves
	Verdict channel.Verdict // of the entry at Seq
}

// Update is what would be signed at this position.
func (p *Position) Update(channelID common.Hash) channel.Update {
	return channel.Update{ChannelID: channelID, Seq: p.Seq, JournalRoot: p.Journal.Root(), StateHash: p.State.Hash()}
}

// Divergence is the first leaf of a journal that is not right.
type Divergence struct {
	Seq      uint64
	Expected common.Hash    // the leaf's stateHash
	Got      common.Hash    // what the rules give
	Status   channel.Status // of the entry; an entry that is rejected must leave the state as it was
	Reason   string
}

func (d *Divergence) Error() string {
	said := d.Status.String()
	if d.Reason != "" {
		said += ": " + d.Reason
	}
	return fmt.Sprintf("derivation: leaf %d is not right: its stateHash is %s, the rules give %s (%s)", d.Seq, d.Expected, d.Got, said)
}

func (d *Divergence) Unwrap() error { return ErrDiverged }

// DefaultSnapshotInterval is how many events lie between two snapshots.
const DefaultSnapshotInterval = 1000

// ReplayConfig chooses how a Replayer works. The zero value is ready to use; each With… returns a changed copy.
type ReplayConfig struct {
	snapshots  Snapshots
	interval   uint64
	signatures bool
	genesis    common.Hash
}

// WithSnapshots starts from snapshots and keeps one every interval events; 0 means DefaultSnapshotInterval.
func (c ReplayConfig) WithSnapshots(s Snapshots, interval uint64) ReplayConfig {
	if interval == 0 {
		interval = DefaultSnapshotInterval
	}
	c.snapshots, c.interval = s, interval
	return c
}

// WithSignatures checks each event's signature, about 60 µs each.
func (c ReplayConfig) WithSignatures() ReplayConfig {
	c.signatures = true
	return c
}

// WithGenesisState compares the state that the genesis gives with leaf 0.
func (c ReplayConfig) WithGenesisState(stateHash common.Hash) ReplayConfig {
	c.genesis = stateHash
	return c
}

// Replayer derives the states of one journal. It is safe for concurrent use.
type Replayer struct {
	rules   *channel.Rules
	genesis []byte
	source  Source
	config  ReplayConfig

	mu   sync.Mutex
	last *Position // where the last At ended, so that going forward costs the difference only
}

// NewReplayer replays what source holds under the rules, from a genesis input. The module in rules may be one that
// Engine.Load gave, or nil for a ledger.
func NewReplayer(rules *channel.Rules, genesis []byte, source Source, config ReplayConfig) *Replayer {
	return &Replayer{rules: rules, genesis: genesis, source: source, config: config}
}

// At derives the state at a seq, from the nearest position known below it. Every leaf on the way is compared; the error
// is a *Divergence at the first that is not right.
func (r *Replayer) At(ctx context.Context, seq uint64) (*Position, error) {
	p, err := r.nearest(seq)
	if err != nil {
		return nil, err
	}
	if p, err = r.forward(ctx, p, seq); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.last = p
	r.mu.Unlock()
	return p, nil
}

// Verify derives everything from the genesis to a seq and trusts no snapshot. When expected is not nil, root, seq and
// stateHash of the journal must be those that it names.
func (r *Replayer) Verify(ctx context.Context, seq uint64, expected *channel.Update) (*Position, error) {
	p, err := r.begin()
	if err != nil {
		return nil, err
	}
	if p, err = r.forward(ctx, p, seq); err != nil {
		return nil, err
	}
	if expected != nil {
		if got := p.Update(r.rules.ID()); got != *expected {
			return nil, fmt.Errorf("%w: the update says root %s and state %s at seq %d, the journal gives root %s and state %s at seq %d",
				ErrDiverged, expected.JournalRoot, expected.StateHash, expected.Seq, got.JournalRoot, got.StateHash, got.Seq)
		}
	}
	return p, nil
}

// begin derives leaf 0.
func (r *Replayer) begin() (*Position, error) {
	state, v := r.rules.Genesis(r.genesis)
	if v.Status != channel.Accepted {
		return nil, fmt.Errorf("%w: %s", ErrGenesis, v.Text())
	}
	got := state.Hash()
	if want := r.config.genesis; want != (common.Hash{}) && want != got {
		return nil, &Divergence{0, want, got, v.Status, v.Reason}
	}
	leaf := channel.LeafHash(r.rules.Params.GenesisHash, got)
	return &Position{0, state, channel.Journal{}.Append(leaf), v}, nil
}

// nearest is the highest known position at or below a seq.
func (r *Replayer) nearest(seq uint64) (*Position, error) {
	r.mu.Lock()
	best := r.last
	r.mu.Unlock()
	if best != nil && best.Seq > seq {
		best = nil
	}
	if r.config.snapshots != nil {
		s, err := r.config.snapshots.Newest(seq)
		if err != nil {
			return nil, fmt.Errorf("derivation: looking for a snapshot at or below seq %d: %w", seq, err)
		}
		if s != nil && s.Seq <= seq && (best == nil || s.Seq > best.Seq) {
			return r.restore(s)
		}
	}
	if best != nil {
		return best, nil
	}
	return r.begin()
}

func (r *Replayer) restore(s *Snapshot) (*Position, error) {
	state, err := channel.DecodeState(s.State, r.rules.Shape())
	if err != nil {
		return nil, fmt.Errorf("derivation: the snapshot at seq %d: %w", s.Seq, err)
	}
	journal, err := channel.RestoreJournal(s.Seq+1, s.Peaks)
	if err != nil {
		return nil, fmt.Errorf("derivation: the snapshot at seq %d: %w", s.Seq, err)
	}
	want := r.config.genesis
	if s.Seq > 0 {
		if _, want, err = r.source.Entry(s.Seq); err != nil {
			return nil, fmt.Errorf("derivation: reading the entry at seq %d: %w", s.Seq, err)
		}
	}
	if got := state.Hash(); want != (common.Hash{}) && want != got {
		return nil, fmt.Errorf("%w: the snapshot at seq %d has the state %s, the leaf there %s; delete the snapshots and replay", ErrDiverged, s.Seq, got, want)
	}
	return &Position{Seq: s.Seq, State: state, Journal: journal}, nil
}

// forward derives from p to seq. It does not change p.
func (r *Replayer) forward(ctx context.Context, p *Position, seq uint64) (*Position, error) {
	for p.Seq < seq {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("derivation: replaying seq %d: %w", p.Seq+1, err)
		}
		next, err := r.step(p)
		if err != nil {
			return nil, err
		}
		p = next
		if r.config.snapshots != nil && p.Seq%r.config.interval == 0 {
			if err := r.config.snapshots.Keep(Snapshot{p.Seq, p.State.Bytes(), p.Journal.Peaks()}); err != nil {
				return nil, fmt.Errorf("derivation: keeping the snapshot at seq %d: %w", p.Seq, err)
			}
		}
	}
	return p, nil
}

func (r *Replayer) step(p *Position) (*Position, error) {
	seq := p.Seq + 1
	entry, want, err := r.source.Entry(seq)
	if err != nil {
		return nil, fmt.Errorf("derivation: reading the entry at seq %d: %w", seq, err)
	}
	if err := r.checkSigner(seq, entry); err != nil {
		return nil, err
	}
	state, verdict := r.apply(p.State, seq, entry)
	if verdict.Status != channel.Accepted {
		state = p.State
	}
	got := state.Hash()
	if want != (common.Hash{}) && want != got {
		return nil, &Divergence{seq, want, got, verdict.Status, verdict.Reason}
	}
	leaf := channel.LeafHash(entry.Hash(r.rules.ID()), got)
	return &Position{seq, state, p.Journal.Append(leaf), verdict}, nil
}

func (r *Replayer) apply(prev *channel.State, seq uint64, entry channel.Entry) (*channel.State, channel.Verdict) {
	if entry.Event != nil {
		return r.rules.Apply(prev, seq, &entry.Event.Event)
	}
	if entry.TopUp != prev.Header.TopUps {
		return nil, channel.Verdict{Status: channel.RejectedAuthor, Reason: fmt.Sprintf("top-up %d is out of order, %d is next", entry.TopUp, prev.Header.TopUps)}
	}
	return r.rules.ApplyTopUp(prev, seq)
}

func (r *Replayer) checkSigner(seq uint64, entry channel.Entry) error {
	if !r.config.signatures || entry.Event == nil {
		return nil
	}
	e := entry.Event
	if int(e.Author) >= len(r.rules.Params.Participants) {
		return fmt.Errorf("%w: the event at seq %d has the author %d of %d", ErrSigner, seq, e.Author, len(r.rules.Params.Participants))
	}
	signer := r.rules.Params.Participants[e.Author].Signer
	if err := e.Signature.Verify(r.rules.Params.Domain().Digest(e.Event), signer); err != nil {
		return fmt.Errorf("%w: the event at seq %d: %w", ErrSigner, seq, err)
	}
	return nil
}
