package eventstore

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// Bounds of one batch: operations, and bytes of what is written.
const (
	MaxBatch      = 1 << 16
	MaxBatchBytes = 64 << 20
)

// Batch collects writes for one Commit. It may be used again after Commit, which always leaves it empty; it is not safe
// for concurrent use. A value that is out of bounds is noticed when it is put; what depends on records, when the batch
// is committed. Either way Commit returns the first error and writes nothing.
type Batch struct {
	ops   []func(*tx) error
	bytes int
	err   error
}

// NewBatch makes an empty batch.
func (s *Store) NewBatch() *Batch { return new(Batch) }

// Reset empties the batch.
func (b *Batch) Reset() { *b = Batch{} }

// Len is the number of operations.
func (b *Batch) Len() int { return len(b.ops) }

// Err is the first error so far, the one Commit would return without looking at the store.
func (b *Batch) Err() error { return b.err }

// add takes an operation that writes about so many bytes.
func (b *Batch) add(bytes int, err error, op func(*tx) error) {
	b.bytes += bytes
	if err == nil && (len(b.ops) >= MaxBatch || b.bytes > MaxBatchBytes) {
		err = invalid("a batch has at most %d operations and %d bytes", MaxBatch, MaxBatchBytes)
	}
	if b.err == nil {
		b.err = err
	}
	if b.err == nil {
		b.ops = append(b.ops, op)
	}
}

// PutChannel records a channel. Later only the status may differ, anything else is ErrContradiction.
func (b *Batch) PutChannel(id common.Hash, c ChannelRecord) {
	if err := c.validate(id); err != nil {
		b.add(0, err, nil)
		return
	}
	c.ID = id
	value := encodeChannel(&c)
	b.add(len(value), nil, func(t *tx) error { return t.putChannel(&c, value) })
}

// AppendEntry adds the entry after the journal's last, as of this batch; stateHash is the state's after it. Any other
// seq is ErrNotAppend. The store checks neither signatures nor states.
func (b *Batch) AppendEntry(id common.Hash, seq uint64, e channel.Entry, stateHash common.Hash) {
	switch {
	case e.Event == nil:
	case e.Event.ChannelID != id:
		b.add(0, invalid("entry %d of channel %s is an event of channel %s", seq, id, e.Event.ChannelID), nil)
		return
	case len(e.Event.Payload) > channel.MaxPayload:
		b.add(0, invalid("entry %d of channel %s: payload of %d bytes, at most %d", seq, id, len(e.Event.Payload), channel.MaxPayload), nil)
		return
	case e.Event.Signature.IsZero():
		b.add(0, invalid("entry %d of channel %s has no signature", seq, id), nil)
		return
	}
	value, leaf := encodeEntry(e, stateHash), channel.LeafHash(e.Hash(id), stateHash)
	b.add(len(value), nil, func(t *tx) error { return t.appendEntry(id, seq, value, leaf) })
}

// PutSigned records that this node signs the Update, before the signature leaves (protocol §3, S1-S2). It must be a head
// of the journal kept here; the same Update again is no change; any other at the same or a lower seq, and any after a
// Close, is ErrContradiction; in a channel from a backup every new one is ErrFrozen.
func (b *Batch) PutSigned(id common.Hash, u channel.Update) {
	b.add(0, sameID(id, u.ChannelID), func(t *tx) error { return t.putSigned(u) })
}

// PutSupported records an Update with the signatures of all participants (and, if given, guarantors) in order. An older
// one than recorded is no change: the recorded one supports it. It may lie beyond the journal kept here, as with a
// tower or a hub; where it does not, it must be a head of it.
func (b *Batch) PutSupported(id common.Hash, u channel.Update, sigs []channel.Signature) {
	err := sameID(id, u.ChannelID)
	for i := range sigs {
		if sigs[i].IsZero() && err == nil {
			err = invalid("supported Update %d of channel %s: signature %d is missing", u.Seq, id, i)
		}
	}
	value := encodeSupported(u, sigs)
	b.add(len(value), err, func(t *tx) error { return t.putSupported(u, len(sigs), value) })
}

// PutPending records an own event that is not in the journal yet. Its signature may be zero: recorded before it is
// signed. Another event with its nonce replaces it, as the protocol's cancellation does.
func (b *Batch) PutPending(id common.Hash, e channel.SignedEvent) {
	err := sameID(id, e.ChannelID)
	if err == nil && len(e.Payload) > channel.MaxPayload {
		err = invalid("pending event %d of channel %s: payload of %d bytes, at most %d", e.Nonce, id, len(e.Payload), channel.MaxPayload)
	}
	value := encodePending(e)
	b.add(len(value), err, func(t *tx) error { return t.putPending(id, &e, value) })
}

// DeletePending forgets a pending event; none with this nonce is no error.
func (b *Batch) DeletePending(id common.Hash, nonce uint64) {
	b.add(0, nil, func(t *tx) error { return t.deletePending(id, nonce) })
}

// PutClose records that this node signs the Close, before the signature leaves (protocol §3, S5): one per channel and
// phase; the same again is no change.
func (b *Batch) PutClose(id common.Hash, c channel.Close) {
	b.add(0, sameID(id, c.ChannelID), func(t *tx) error { return t.putClose(c) })
}

// PutSnapshot keeps the state after seq (channel.State.Bytes) and the peaks of the journal's first seq + 1 leaves. Both
// must be those of the journal kept here. Older ones than the newest few are pruned; seq 0 stays.
func (b *Batch) PutSnapshot(id common.Hash, seq uint64, state []byte, peaks []common.Hash) {
	if len(state) > maxState || len(peaks) > 64 {
		b.add(0, invalid("snapshot %d of channel %s: %d bytes of state, %d peaks", seq, id, len(state), len(peaks)), nil)
		return
	}
	snap := &Snapshot{seq, append([]byte{}, state...), append([]common.Hash(nil), peaks...)}
	b.add(len(state), nil, func(t *tx) error { return t.putSnapshot(id, snap) })
}

// PutObjective records or replaces an objective.
func (b *Batch) PutObjective(id string, o ObjectiveRecord) {
	value := encodeObjective(&o)
	b.add(len(value), o.validate(id), func(t *tx) error { return t.set(namedKey(spaceObjective, id), value) })
}

// PutFact records what the chain said. The same fact again is no change; another one in its place, or another block hash
// at its number, is ErrContradiction until RewindFacts took the old branch away.
func (b *Batch) PutFact(f Fact) {
	value := encodeFact(&f)
	b.add(len(value), f.validate(), func(t *tx) error { return t.putFact(&f, value) })
}

// RewindFacts removes the facts of all blocks above number and sets every cursor beyond it back to (number, hash), the
// newest block that both branches share.
func (b *Batch) RewindFacts(number uint64, hash common.Hash) {
	b.add(0, nil, func(t *tx) error { return t.rewindFacts(Cursor{number, hash}) })
}

// PutCursor records how far something was read on a chain.
func (b *Batch) PutCursor(name string, number uint64, hash common.Hash) {
	b.add(0, checkName("cursor", name), func(t *tx) error { return t.set(namedKey(spaceCursor, name), encodeCursor(Cursor{number, hash})) })
}

// PutMeta records a value of the caller's own; nil removes it.
func (b *Batch) PutMeta(key string, value []byte) {
	err := checkName("meta", key)
	if err == nil && len(value) > MaxMeta {
		err = invalid("meta %q of %d bytes, at most %d", key, len(value), MaxMeta)
	}
	if value == nil {
		b.add(0, err, func(t *tx) error { return t.delete(namedKey(spaceMeta, key)) })
		return
	}
	value = append([]byte{}, value...)
	b.add(len(value), err, func(t *tx) error { return t.set(namedKey(spaceMeta, key), value) })
}

// Log adds to the node's own log; index and id are assigned here and at commit, those given are ignored.
func (b *Batch) Log(e NodeEvent) {
	value, _, err := nodeSchemas.encode(e)
	b.add(len(value), err, func(t *tx) error { return t.log(value) })
}

func sameID(id, named common.Hash) error {
	if id != named {
		return invalid("recorded for channel %s, but it names channel %s", id, named)
	}
	return nil
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName {
		return invalid("a %s name has 1 to %d bytes, not %d", what, MaxName, len(name))
	}
	return nil
}
