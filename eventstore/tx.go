package eventstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// rootsKept is how many of a journal's last roots a head remembers at least: signatures on up to 64 Updates may be on
// their way (protocol §3), and each is compared with the root at its seq.
const rootsKept = 128

// head is the end of a journal, and what was promised about it, as the applier remembers them. It is a value; roots and
// states share arrays between copies, which is safe because they are only appended to by one goroutine and a dropped
// copy is never read again.
type head struct {
	standing
	journal channel.Journal
	first   uint64        // seq of roots[0]
	roots   []common.Hash // up to the last
	states  []common.Hash // stateHash at the same seqs
}

// standing is read once per channel, so that the checks of every later signature need no read. Only the applier writes
// the records that it mirrors.
type standing struct {
	participants, guarantors int
	signed, supported        *channel.Update // nil: none
	supportedBy              int             // signatures recorded under supported
	closed                   bool            // this node signed a Close, of either phase
	frozen                   bool
	pending                  int // own events that are not in the journal yet
}

func (h head) last() uint64 { return h.journal.Size() - 1 }

func (h head) extend(leaf, stateHash common.Hash) head {
	h.journal = h.journal.Append(leaf)
	if len(h.roots) >= 2*rootsKept {
		h.first += rootsKept
		h.roots, h.states = slices.Clone(h.roots[rootsKept:]), slices.Clone(h.states[rootsKept:])
	}
	h.roots, h.states = append(h.roots, h.journal.Root()), append(h.states, stateHash)
	return h
}

func (t *tx) head(id common.Hash) (head, error) {
	if h, ok := t.heads[id]; ok {
		return h, nil
	}
	if h, ok := t.s.heads[id]; ok {
		return h, nil
	}
	h, err := loadHead(t.pb, id, ^uint64(0))
	if err != nil {
		return h, err
	}
	if h.standing, err = loadStanding(t.pb, id); err != nil {
		return h, err
	}
	t.heads[id] = h
	return h, nil
}

func loadStanding(r pebble.Reader, id common.Hash) (st standing, err error) {
	c, err := readChannel(r, id)
	if err != nil {
		return st, err
	}
	st.participants, st.guarantors = len(c.Params.Participants), len(c.Params.Guarantors)
	st.signed, err = find(r, channelKey(id, subSigned), func(b []byte) (channel.Update, error) { return decodeSigned(id, b) })
	if err != nil {
		return st, err
	}
	st.supported, err = find(r, channelKey(id, subSupported), func(b []byte) (channel.Update, error) {
		u, sigs, err := decodeSupported(id, b)
		st.supportedBy = len(sigs)
		return u, err
	})
	if err != nil {
		return st, err
	}
	for _, inDispute := range []bool{false, true} {
		c, err := find(r, closeKey(id, inDispute), func(b []byte) (channel.Close, error) { return decodeClose(id, inDispute, b) })
		if err != nil {
			return st, err
		}
		st.closed = st.closed || c != nil
	}
	at, err := find(r, channelKey(id, subFrozen), decodeFrozen)
	st.frozen = at != nil
	if err != nil {
		return st, err
	}
	err = ascend(r, channelKey(id, subPending), nil, func(_, _ []byte) (bool, error) { st.pending++; return true, nil })
	return st, err
}

// loadHead builds the head of the journal's first upTo + 1 leaves, or of all when there are fewer, from the newest
// snapshot below and the entries after it.
func loadHead(r pebble.Reader, id common.Hash, upTo uint64) (h head, err error) {
	genesis, err := readChannel(r, id)
	if err != nil {
		return h, err
	}
	var journal channel.Journal
	first := uint64(0)
	snap, err := readSnapshot(r, id, upTo)
	switch {
	case err == nil && snap.Seq > 0:
		if journal, err = channel.RestoreJournal(snap.Seq+1, snap.Peaks); err != nil {
			return h, corrupt(seqKey(id, subSnapshot, snap.Seq), err)
		}
		value, err := get(r, seqKey(id, subEntry, snap.Seq))
		if err != nil {
			return h, corrupt(seqKey(id, subEntry, snap.Seq), err)
		}
		stateHash, err := entryStateHash(value)
		if err != nil {
			return h, corrupt(seqKey(id, subEntry, snap.Seq), err)
		}
		first = snap.Seq
		h = head{journal: journal, first: first, roots: []common.Hash{journal.Root()}, states: []common.Hash{stateHash}}
	case err != nil && !errors.Is(err, ErrNotFound):
		return h, err
	default:
		h = head{}.extend(channel.LeafHash(genesis.Params.GenesisHash, genesis.StateHash), genesis.StateHash)
	}
	if upTo == first {
		return h, nil
	}
	err = scanEntries(r, id, first+1, func(seq uint64, value []byte) (bool, error) {
		if seq != h.last()+1 {
			return false, corrupt(seqKey(id, subEntry, h.last()+1), errors.New("missing in the journal"))
		}
		e, stateHash, err := decodeEntry(id, value)
		if err != nil {
			return false, corrupt(seqKey(id, subEntry, seq), err)
		}
		h = h.extend(channel.LeafHash(e.Hash(id), stateHash), stateHash)
		return seq < upTo, nil
	})
	return h, err
}

// reaching is h, or an older head, such that seq is among what it remembers. seq must be in the journal.
func (t *tx) reaching(h head, id common.Hash, seq uint64) (head, error) {
	if seq >= h.first {
		return h, nil
	}
	return loadHead(t.pb, id, seq)
}

// checkHead refuses an Update that is not a head of the journal kept here. Its seq must be in the journal.
func (t *tx) checkHead(h head, u channel.Update) error {
	h, err := t.reaching(h, u.ChannelID, u.Seq)
	if err != nil {
		return err
	}
	i := u.Seq - h.first
	switch {
	case h.states[i] != u.StateHash:
		return contradiction(u.ChannelID, "Update %d has state %s, the journal %s", u.Seq, u.StateHash, h.states[i])
	case h.roots[i] != u.JournalRoot:
		return contradiction(u.ChannelID, "Update %d has root %s, the journal %s", u.Seq, u.JournalRoot, h.roots[i])
	}
	return nil
}

func (t *tx) putChannel(c *ChannelRecord, value []byte) error {
	key := channelKey(c.ID, subChannel)
	old, found, err := t.has(key)
	if err != nil {
		return err
	}
	if found {
		before, err := decodeChannel(c.ID, old)
		if err != nil {
			return corrupt(key, err)
		}
		if !sameChannel(before, c) {
			return contradiction(c.ID, "only the status of a channel may change")
		}
	}
	return t.set(key, value)
}

func (t *tx) appendEntry(id common.Hash, seq uint64, value []byte, leaf common.Hash) error {
	h, err := t.head(id)
	if err != nil {
		return fmt.Errorf("append entry %d to channel %s: %w", seq, id, err)
	}
	if seq != h.last()+1 {
		return fmt.Errorf("append entry %d to channel %s, which ends at %d: %w", seq, id, h.last(), ErrNotAppend)
	}
	stateHash, err := entryStateHash(value)
	if err != nil {
		return err
	}
	t.heads[id] = h.extend(leaf, stateHash)
	if err := t.set(seqKey(id, subEntry, seq), value); err != nil {
		return err
	}
	return t.publish(feedItem{feedEntry, id, seq})
}

func (t *tx) putSigned(u channel.Update) error {
	id := u.ChannelID
	h, err := t.head(id)
	switch {
	case err != nil:
		return fmt.Errorf("sign Update %d of channel %s: %w", u.Seq, id, err)
	case h.signed != nil && *h.signed == u:
		return nil
	case h.signed != nil && u.Seq <= h.signed.Seq:
		return contradiction(id, "Update %d (root %s) must not be signed: Update %d (root %s) was",
			u.Seq, u.JournalRoot, h.signed.Seq, h.signed.JournalRoot)
	case h.frozen:
		return fmt.Errorf("sign Update %d of channel %s: %w and must sign no more Updates; close it cooperatively or dispute", u.Seq, id, ErrFrozen)
	case h.closed:
		return contradiction(id, "Update %d must not be signed after a Close", u.Seq)
	case u.Seq > h.last():
		return fmt.Errorf("sign Update %d of channel %s, whose journal ends at %d: %w", u.Seq, id, h.last(), ErrNotAppend)
	}
	if err := t.checkHead(h, u); err != nil {
		return err
	}
	h.signed = &u
	t.heads[id] = h
	return t.set(channelKey(id, subSigned), encodeUpdate(u))
}

func (t *tx) putSupported(u channel.Update, signatures int, value []byte) error {
	id := u.ChannelID
	h, err := t.head(id)
	switch {
	case err != nil:
		return fmt.Errorf("supported Update %d of channel %s: %w", u.Seq, id, err)
	case signatures != h.participants && signatures != h.participants+h.guarantors:
		return invalid("supported Update %d of channel %s has %d signatures, needed are those of all %d participants",
			u.Seq, id, signatures, h.participants)
	case h.supported != nil && u.Seq < h.supported.Seq:
		return nil
	case h.supported != nil && u.Seq == h.supported.Seq && u != *h.supported:
		return contradiction(id, "two supported Updates at seq %d: roots %s and %s", u.Seq, h.supported.JournalRoot, u.JournalRoot)
	case h.supported != nil && u == *h.supported && h.supportedBy >= signatures:
		return nil
	}
	if u.Seq <= h.last() {
		if err := t.checkHead(h, u); err != nil {
			return err
		}
	}
	h.supported, h.supportedBy = &u, signatures
	t.heads[id] = h
	return t.set(channelKey(id, subSupported), value)
}

func (t *tx) putPending(id common.Hash, e *channel.SignedEvent, value []byte) error {
	h, err := t.head(id)
	if err != nil {
		return fmt.Errorf("pending event %d of channel %s: %w", e.Nonce, id, err)
	}
	key := seqKey(id, subPending, e.Nonce)
	old, found, err := t.has(key)
	if err != nil {
		return err
	}
	if found {
		before, err := decodePending(id, e.Nonce, old)
		if err != nil {
			return corrupt(key, err)
		}
		if e.Signature.IsZero() && before.StructHash() == e.StructHash() {
			return nil // the signed form, or the same
		}
		return t.set(key, value)
	}
	if h.pending >= MaxPending {
		return invalid("channel %s has %d pending events, no more are kept", id, h.pending)
	}
	// Counted, not scanned: pending events come and go, and a scan would step over the tombstone of each that went.
	h.pending++
	t.heads[id] = h
	return t.set(key, value)
}

func (t *tx) deletePending(id common.Hash, nonce uint64) error {
	key := seqKey(id, subPending, nonce)
	_, found, err := t.has(key)
	if err != nil || !found {
		return err
	}
	h, err := t.head(id)
	if err != nil {
		return fmt.Errorf("pending event %d of channel %s: %w", nonce, id, err)
	}
	h.pending--
	t.heads[id] = h
	return t.delete(key)
}

func (t *tx) putClose(c channel.Close) error {
	id := c.ChannelID
	key := closeKey(id, c.InDispute)
	value := encodeClose(c)
	old, found, err := t.has(key)
	switch {
	case err != nil:
		return err
	case found && bytes.Equal(old, value):
		return nil
	case found:
		return contradiction(id, "a Close (in dispute: %t) was signed already, with other contents", c.InDispute)
	}
	h, err := t.head(id)
	if err != nil {
		return fmt.Errorf("sign Close of channel %s: %w", id, err)
	}
	// In a dispute the chain may be ahead of the journal and on another branch, and a guarantor holds no journal.
	if !c.InDispute && c.Seq <= h.last() {
		there, err := t.reaching(h, id, c.Seq)
		if err != nil {
			return err
		}
		if here := there.states[c.Seq-there.first]; here != c.StateHash {
			return contradiction(id, "Close names state %s at seq %d, the journal has %s", c.StateHash, c.Seq, here)
		}
	}
	h.closed = true
	t.heads[id] = h
	return t.set(key, value)
}

func (t *tx) putSnapshot(id common.Hash, snap *Snapshot) error {
	what := func(err error) error { return fmt.Errorf("snapshot %d of channel %s: %w", snap.Seq, id, err) }
	h, err := t.head(id)
	if err != nil {
		return what(err)
	}
	if snap.Seq > h.last() {
		return what(fmt.Errorf("the journal ends at %d: %w", h.last(), ErrNotAppend))
	}
	if snap.Seq < h.last() {
		if h, err = loadHead(t.pb, id, snap.Seq); err != nil {
			return what(err)
		}
	}
	c, err := readChannel(t.pb, id)
	if err != nil {
		return what(err)
	}
	state, err := channel.DecodeState(snap.State, channel.ShapeOf(&c.Params, c.Funding))
	switch {
	case err != nil:
		return what(invalid("%v", err))
	case state.Hash() != h.states[snap.Seq-h.first]:
		return contradiction(id, "the snapshot at %d is not the journal's state", snap.Seq)
	case !slices.Equal(snap.Peaks, h.journal.Peaks()):
		return contradiction(id, "the snapshot at %d does not have the journal's peaks", snap.Seq)
	}
	if err := t.set(seqKey(id, subSnapshot, snap.Seq), encodeSnapshot(snap.State, snap.Peaks)); err != nil {
		return err
	}
	return t.pruneSnapshots(id)
}

func (t *tx) pruneSnapshots(id common.Hash) error {
	kept := 0
	var drop [][]byte
	err := descend(t.pb, channelKey(id, subSnapshot), func(key, _ []byte) (bool, error) {
		if tail64(key) == 0 {
			return false, nil
		}
		if kept++; kept > t.s.snapshotsKept {
			drop = append(drop, bytes.Clone(key))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, key := range drop {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putFact(f *Fact, value []byte) error {
	key := factKey(f.Block, f.LogIndex)
	old, found, err := t.has(key)
	switch {
	case err != nil:
		return err
	case found && bytes.Equal(old, value):
		return nil
	case found:
		return fmt.Errorf("fact at block %d log %d: %w: another one is recorded there; rewind first", f.Block, f.LogIndex, ErrContradiction)
	}
	if err := t.sameBlock(f.Block, f.BlockHash); err != nil {
		return err
	}
	if err := t.set(factIndexKey(f.Channel, f.Block, f.LogIndex), nil); err != nil {
		return err
	}
	return t.set(key, value)
}

// sameBlock refuses a block hash when facts of another one at the number are recorded.
func (t *tx) sameBlock(number uint64, hash common.Hash) error {
	return ascend(t.pb, indexKey(spaceFact, number), nil, func(key, value []byte) (bool, error) {
		f, err := decodeFact(number, 0, value)
		if err != nil {
			return false, corrupt(key, err)
		}
		if f.BlockHash != hash {
			return false, fmt.Errorf("block %d %s: %w: facts of %s are recorded there; rewind to an older block first",
				number, hash, ErrContradiction, f.BlockHash)
		}
		return false, nil
	})
}

func (t *tx) rewindFacts(to Cursor) error {
	if err := t.sameBlock(to.Number, to.Hash); err != nil {
		return err
	}
	var drop [][]byte
	if to.Number != ^uint64(0) {
		err := ascend(t.pb, []byte{spaceFact}, indexKey(spaceFact, to.Number+1), func(key, value []byte) (bool, error) {
			block, logIndex := binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint32(key[9:])
			f, err := decodeFact(block, logIndex, value)
			if err != nil {
				return false, corrupt(key, err)
			}
			drop = append(drop, bytes.Clone(key), factIndexKey(f.Channel, block, logIndex))
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	for _, key := range drop {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	var names [][]byte
	err := ascend(t.pb, []byte{spaceCursor}, nil, func(key, value []byte) (bool, error) {
		c, err := decodeCursor(value)
		if err != nil {
			return false, corrupt(key, err)
		}
		if c.Number > to.Number {
			names = append(names, bytes.Clone(key))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, key := range names {
		if err := t.set(key, encodeCursor(to)); err != nil {
			return err
		}
	}
	return nil
}
