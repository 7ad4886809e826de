package eventstore

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// Report is what Check and Verify found about a channel that is in order.
type Report struct {
	Channel      common.Hash
	LastSeq      uint64
	JournalRoot  common.Hash
	StateHash    common.Hash // the last leaf's
	SignedSeq    *uint64     // nil: nothing signed
	SupportedSeq *uint64     // nil: nothing supported
	Snapshots    int
	Signatures   int // checked by Verify
}

// Tree rebuilds the whole journal of a channel, for proofs.
func (s *Store) Tree(id common.Hash) (*channel.Tree, error) {
	tree := new(channel.Tree)
	err := s.walk(id, func(w *walker) error { tree.Append(w.leaf); return nil })
	if err != nil {
		return nil, err
	}
	return tree, nil
}

// walker is at one leaf of a journal.
type walker struct {
	r         pebble.Reader
	channel   *ChannelRecord
	seq       uint64
	entry     channel.Entry // none at seq 0
	stateHash common.Hash
	leaf      common.Hash
}

// walk visits every leaf in one consistent view of the store.
func (s *Store) walk(id common.Hash, visit func(*walker) error) error {
	release, err := s.use()
	if err != nil {
		return err
	}
	defer release()
	snap := s.db.NewSnapshot()
	defer snap.Close() //nolint:errcheck // it frees memory, and cannot fail
	c, err := readChannel(snap, id)
	if err != nil {
		return err
	}
	w := &walker{r: snap, channel: c, stateHash: c.StateHash, leaf: channel.LeafHash(c.Params.GenesisHash, c.StateHash)}
	if err := visit(w); err != nil {
		return err
	}
	return scanEntries(snap, id, 0, func(seq uint64, value []byte) (bool, error) {
		if seq != w.seq+1 {
			return false, corrupt(seqKey(id, subEntry, w.seq+1), errors.New("missing in the journal"))
		}
		w.seq = seq
		if w.entry, w.stateHash, err = decodeEntry(id, value); err != nil {
			return false, corrupt(seqKey(id, subEntry, seq), err)
		}
		w.leaf = channel.LeafHash(w.entry.Hash(id), w.stateHash)
		err := visit(w)
		return err == nil, err
	})
}

// Check reads all of a channel and compares its parts: the journal has no gap, its roots are those of the signed and the
// supported Update and of every snapshot, snapshots are the states that leaves name. It runs no module and checks no
// signature. The error names the first record that is wrong.
func (s *Store) Check(id common.Hash) (*Report, error) { return s.check(id, false) }

// Verify is Check and, beyond it, every event's and every supported Update's signature.
func (s *Store) Verify(id common.Hash) (*Report, error) { return s.check(id, true) }

// checker holds what leaves are compared with.
type checker struct {
	report     *Report
	signatures bool
	domain     channel.Domain
	shape      channel.Shape
	journal    channel.Journal
	signed     *channel.Update
	supported  *channel.Update
	close      *channel.Close
	sigs       []channel.Signature
}

func (s *Store) check(id common.Hash, signatures bool) (*Report, error) {
	k := &checker{report: &Report{Channel: id}, signatures: signatures}
	err := s.walk(id, func(w *walker) error {
		if w.seq == 0 {
			if err := k.start(w); err != nil {
				return err
			}
		}
		return k.leaf(w)
	})
	if err != nil {
		return nil, fmt.Errorf("check channel %s: %w", id, err)
	}
	return k.report, k.end(id)
}

// find reads a record that may be missing.
func find[T any](r pebble.Reader, key []byte, decode func([]byte) (T, error)) (*T, error) {
	value, err := get(r, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := decode(value)
	if err != nil {
		return nil, corrupt(key, err)
	}
	return &v, nil
}

func (k *checker) start(w *walker) (err error) {
	id := w.channel.ID
	k.domain, k.shape = w.channel.Params.Domain(), channel.ShapeOf(&w.channel.Params, w.channel.Funding)
	k.signed, err = find(w.r, channelKey(id, subSigned), func(b []byte) (channel.Update, error) { return decodeSigned(id, b) })
	if err != nil {
		return err
	}
	k.supported, err = find(w.r, channelKey(id, subSupported), func(b []byte) (u channel.Update, err error) {
		u, k.sigs, err = decodeSupported(id, b)
		return u, err
	})
	if err != nil {
		return err
	}
	k.close, err = find(w.r, closeKey(id, false), func(b []byte) (channel.Close, error) { return decodeClose(id, false, b) })
	if err != nil {
		return err
	}
	if k.signed != nil {
		k.report.SignedSeq = &k.signed.Seq
	}
	if k.supported != nil {
		k.report.SupportedSeq = &k.supported.Seq
		if k.signatures {
			return k.supportedSignatures(w)
		}
	}
	return nil
}

func (k *checker) supportedSignatures(w *walker) error {
	p := &w.channel.Params
	signers := make([]common.Address, 0, maxSignatures)
	for _, part := range p.Participants {
		signers = append(signers, part.Signer)
	}
	signers = append(signers, p.Guarantors...)
	digest := k.domain.Digest(k.supported)
	for i, sig := range k.sigs {
		if i >= len(signers) {
			break
		}
		if err := sig.Verify(digest, signers[i]); err != nil {
			return corrupt(channelKey(w.channel.ID, subSupported), fmt.Errorf("signature %d: %w", i, err))
		}
		k.report.Signatures++
	}
	if len(k.sigs) < len(p.Participants) || len(k.sigs) > len(signers) {
		return corrupt(channelKey(w.channel.ID, subSupported), malformed("%d signatures of %d participants", len(k.sigs), len(p.Participants)))
	}
	return nil
}

func (k *checker) leaf(w *walker) error {
	id := w.channel.ID
	k.journal = k.journal.Append(w.leaf)
	k.report.LastSeq, k.report.StateHash, k.report.JournalRoot = w.seq, w.stateHash, k.journal.Root()
	here := channel.Update{ChannelID: id, Seq: w.seq, JournalRoot: k.report.JournalRoot, StateHash: w.stateHash}
	if k.signed != nil && k.signed.Seq == w.seq && *k.signed != here {
		return corrupt(channelKey(id, subSigned), fmt.Errorf("the journal has root %s and state %s at %d, signed were %s and %s",
			here.JournalRoot, here.StateHash, w.seq, k.signed.JournalRoot, k.signed.StateHash))
	}
	if k.supported != nil && k.supported.Seq == w.seq && *k.supported != here {
		return corrupt(channelKey(id, subSupported), fmt.Errorf("the journal has root %s and state %s at %d, supported are %s and %s",
			here.JournalRoot, here.StateHash, w.seq, k.supported.JournalRoot, k.supported.StateHash))
	}
	if k.close != nil && k.close.Seq == w.seq && k.close.StateHash != w.stateHash {
		return corrupt(closeKey(id, false), fmt.Errorf("the journal has state %s at %d, the Close names %s", w.stateHash, w.seq, k.close.StateHash))
	}
	if err := k.snapshot(w); err != nil {
		return err
	}
	if !k.signatures || w.entry.Event == nil {
		return nil
	}
	key := seqKey(id, subEntry, w.seq)
	e := w.entry.Event
	if int(e.Author) >= len(w.channel.Params.Participants) {
		return corrupt(key, malformed("author %d", e.Author))
	}
	if err := e.Signature.Verify(k.domain.Digest(e.Event), w.channel.Params.Participants[e.Author].Signer); err != nil {
		return corrupt(key, err)
	}
	k.report.Signatures++
	return nil
}

func (k *checker) snapshot(w *walker) error {
	key := seqKey(w.channel.ID, subSnapshot, w.seq)
	snap, err := find(w.r, key, func(b []byte) (*Snapshot, error) { return decodeSnapshot(w.seq, b) })
	if err != nil || snap == nil {
		return err
	}
	state, err := channel.DecodeState((*snap).State, k.shape)
	if err != nil {
		return corrupt(key, err)
	}
	restored, err := channel.RestoreJournal(w.seq+1, (*snap).Peaks)
	if err != nil {
		return corrupt(key, err)
	}
	if state.Hash() != w.stateHash || restored.Root() != k.report.JournalRoot {
		return corrupt(key, errors.New("it is not the journal's state and head there"))
	}
	k.report.Snapshots++
	return nil
}

func (k *checker) end(id common.Hash) error {
	if k.signed != nil && k.signed.Seq > k.report.LastSeq {
		return fmt.Errorf("check channel %s: %w", id, corrupt(seqKey(id, subEntry, k.report.LastSeq+1),
			fmt.Errorf("the journal ends before Update %d, which was signed", k.signed.Seq)))
	}
	return nil
}
