package eventstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// MaxRead bounds how many records one call returns; larger limits are taken as this.
const MaxRead = 10_000

// get copies a value out.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := r.Get(key)
	if err != nil {
		return nil, dbError(key, err)
	}
	out := bytes.Clone(value)
	if err := closer.Close(); err != nil {
		return nil, dbError(key, err)
	}
	return out, nil
}

// scan walks the keys from lower to before upper until visit returns false. What visit is given is valid only until it
// returns.
func scan(r pebble.Reader, lower, upper []byte, backwards bool, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return dbError(lower, err)
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = dbError(lower, cerr)
		}
	}()
	start, step := it.First, it.Next
	if backwards {
		start, step = it.Last, it.Prev
	}
	for ok := start(); ok; ok = step() {
		value, err := it.ValueAndErr()
		if err != nil {
			return dbError(it.Key(), err)
		}
		if more, err := visit(it.Key(), value); err != nil || !more {
			return err
		}
	}
	return nil
}

// ascend walks the keys with a prefix, from a first one (nil: from the start).
func ascend(r pebble.Reader, prefix, first []byte, visit func(key, value []byte) (bool, error)) error {
	if first == nil {
		first = prefix
	}
	return scan(r, first, after(prefix), false, visit)
}

// descend walks the keys with a prefix from the last.
func descend(r pebble.Reader, prefix []byte, visit func(key, value []byte) (bool, error)) error {
	return scan(r, prefix, after(prefix), true, visit)
}

func scanEntries(r pebble.Reader, id common.Hash, from uint64, visit func(seq uint64, value []byte) (bool, error)) error {
	return ascend(r, channelKey(id, subEntry), seqKey(id, subEntry, from), func(key, value []byte) (bool, error) {
		return visit(tail64(key), value)
	})
}

func readChannel(r pebble.Reader, id common.Hash) (*ChannelRecord, error) {
	key := channelKey(id, subChannel)
	value, err := get(r, key)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrUnknownChannel
	}
	if err != nil {
		return nil, err
	}
	c, err := decodeChannel(id, value)
	if err != nil {
		return nil, corrupt(key, err)
	}
	return c, nil
}

func readSnapshot(r pebble.Reader, id common.Hash, atOrBelow uint64) (snap *Snapshot, err error) {
	upper := after(seqKey(id, subSnapshot, atOrBelow))
	err = scan(r, channelKey(id, subSnapshot), upper, true, func(key, value []byte) (bool, error) {
		if snap, err = decodeSnapshot(tail64(key), value); err != nil {
			return false, corrupt(key, err)
		}
		return false, nil
	})
	if err == nil && snap == nil {
		err = ErrNotFound
	}
	return snap, err
}

// record reads and decodes one record.
func record[T any](s *Store, key []byte, decode func([]byte) (T, error)) (v T, err error) {
	release, err := s.use()
	if err != nil {
		return v, err
	}
	defer release()
	value, err := get(s.db, key)
	if err != nil {
		return v, err
	}
	if v, err = decode(value); err != nil {
		return v, corrupt(key, err)
	}
	return v, nil
}

// Channel is the record of a channel, or ErrUnknownChannel.
func (s *Store) Channel(id common.Hash) (*ChannelRecord, error) {
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	defer release()
	return readChannel(s.db, id)
}

// Channels are all channels in the order of their ids. An error ends the loop.
func (s *Store) Channels() iter.Seq2[*ChannelRecord, error] {
	return func(yield func(*ChannelRecord, error) bool) {
		release, err := s.use()
		if err != nil {
			yield(nil, err)
			return
		}
		defer release()
		stopped := false
		err = eachChannel(s.db, func(id common.Hash, value []byte) (bool, error) {
			c, err := decodeChannel(id, value)
			if err != nil {
				return false, corrupt(channelKey(id, subChannel), err)
			}
			stopped = !yield(c, nil)
			return !stopped, nil
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// eachChannel jumps from channel to channel, without reading what lies between.
func eachChannel(r pebble.Reader, visit func(id common.Hash, value []byte) (bool, error)) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceChannel}, UpperBound: []byte{spaceChannel + 1}})
	if err != nil {
		return dbError([]byte{spaceChannel}, err)
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = dbError([]byte{spaceChannel}, cerr)
		}
	}()
	for ok := it.First(); ok; {
		key := it.Key()
		if len(key) < channelKeyLen {
			return corrupt(key, malformed("key of %d bytes", len(key)))
		}
		id := common.Hash(key[1:33])
		if key[33] == subChannel {
			value, err := it.ValueAndErr()
			if err != nil {
				return dbError(key, err)
			}
			if more, err := visit(id, value); err != nil || !more {
				return err
			}
		}
		// Facts about channels that are not ours have an index, but no record.
		ok = it.SeekGE(after(key[:33]))
	}
	return nil
}

// Signed is the newest Update that this node signed, or ErrNotFound.
func (s *Store) Signed(id common.Hash) (channel.Update, error) {
	return record(s, channelKey(id, subSigned), func(b []byte) (channel.Update, error) { return decodeSigned(id, b) })
}

// Supported is the newest supported Update with its signatures, or ErrNotFound.
func (s *Store) Supported(id common.Hash) (u channel.Update, sigs []channel.Signature, err error) {
	u, err = record(s, channelKey(id, subSupported), func(b []byte) (u channel.Update, err error) {
		u, sigs, err = decodeSupported(id, b)
		return u, err
	})
	return u, sigs, err
}

// Pending are the own events that are not in the journal yet, by nonce.
func (s *Store) Pending(id common.Hash) (events []channel.SignedEvent, err error) {
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	defer release()
	err = ascend(s.db, channelKey(id, subPending), nil, func(key, value []byte) (bool, error) {
		e, err := decodePending(id, tail64(key), value)
		if err != nil {
			return false, corrupt(key, err)
		}
		events = append(events, e)
		return true, nil
	})
	return events, err
}

// CloseSigned is the Close that this node signed in the phase, or ErrNotFound.
func (s *Store) CloseSigned(id common.Hash, inDispute bool) (channel.Close, error) {
	return record(s, closeKey(id, inDispute), func(b []byte) (channel.Close, error) { return decodeClose(id, inDispute, b) })
}

// Frozen tells whether the channel came back from a backup, and when that was made, in UNIX seconds.
func (s *Store) Frozen(id common.Hash) (at uint64, frozen bool, err error) {
	at, err = record(s, channelKey(id, subFrozen), decodeFrozen)
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return at, err == nil, err
}

// Entry is the journal's entry at seq, above 0, with the stateHash after it. ErrNotFound beyond the journal.
func (s *Store) Entry(id common.Hash, seq uint64) (channel.Entry, common.Hash, error) {
	e, err := record(s, seqKey(id, subEntry, seq), func(b []byte) (e JournalEntry, err error) {
		e.Entry, e.StateHash, err = decodeEntry(id, b)
		return e, err
	})
	return e.Entry, e.StateHash, err
}

// Entries are at most limit entries from seq from on; from 0 is taken as 1, because leaf 0 has no entry.
func (s *Store) Entries(id common.Hash, from uint64, limit int) (entries []JournalEntry, err error) {
	release, err := s.use()
	if err != nil || limit <= 0 {
		if err == nil {
			release()
		}
		return nil, err
	}
	defer release()
	limit = min(limit, MaxRead)
	err = scanEntries(s.db, id, from, func(seq uint64, value []byte) (bool, error) {
		e, stateHash, err := decodeEntry(id, value)
		if err != nil {
			return false, corrupt(seqKey(id, subEntry, seq), err)
		}
		entries = append(entries, JournalEntry{seq, e, stateHash})
		return len(entries) < limit, nil
	})
	return entries, err
}

// LastSeq is the seq of the journal's last leaf; 0 with nothing but the genesis. ErrUnknownChannel without a channel.
func (s *Store) LastSeq(id common.Hash) (last uint64, err error) {
	release, err := s.use()
	if err != nil {
		return 0, err
	}
	defer release()
	err = descend(s.db, channelKey(id, subEntry), func(key, _ []byte) (bool, error) {
		last = tail64(key)
		return false, nil
	})
	if err == nil && last == 0 {
		if _, err = get(s.db, channelKey(id, subChannel)); errors.Is(err, ErrNotFound) {
			err = ErrUnknownChannel
		}
	}
	return last, err
}

// Snapshot is the newest kept state at or below a seq, or ErrNotFound.
func (s *Store) Snapshot(id common.Hash, atOrBelow uint64) (*Snapshot, error) {
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	defer release()
	return readSnapshot(s.db, id, atOrBelow)
}

// Objective is one objective, or ErrNotFound.
func (s *Store) Objective(id string) (*ObjectiveRecord, error) {
	return record(s, namedKey(spaceObjective, id), func(b []byte) (*ObjectiveRecord, error) { return decodeObjective(id, b) })
}

// Objectives are all objectives in the order of their ids. An error ends the loop.
func (s *Store) Objectives() iter.Seq2[*ObjectiveRecord, error] {
	return func(yield func(*ObjectiveRecord, error) bool) {
		release, err := s.use()
		if err != nil {
			yield(nil, err)
			return
		}
		defer release()
		stopped := false
		err = ascend(s.db, []byte{spaceObjective}, nil, func(key, value []byte) (bool, error) {
			o, err := decodeObjective(string(key[1:]), value)
			if err != nil {
				return false, corrupt(key, err)
			}
			stopped = !yield(o, nil)
			return !stopped, nil
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// Facts are what the chain said about a channel, in the chain's order.
func (s *Store) Facts(id common.Hash) (facts []Fact, err error) {
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	defer release()
	snap := s.db.NewSnapshot()
	defer snap.Close() //nolint:errcheck // it frees memory, and cannot fail
	err = ascend(snap, channelKey(id, subFact), nil, func(key, _ []byte) (bool, error) {
		if len(key) != channelKeyLen+12 {
			return false, corrupt(key, malformed("key of %d bytes", len(key)))
		}
		block, logIndex := binary.BigEndian.Uint64(key[channelKeyLen:]), binary.BigEndian.Uint32(key[channelKeyLen+8:])
		value, err := get(snap, factKey(block, logIndex))
		if err != nil {
			return false, corrupt(factKey(block, logIndex), err)
		}
		f, err := decodeFact(block, logIndex, value)
		if err != nil {
			return false, corrupt(factKey(block, logIndex), err)
		}
		facts = append(facts, *f)
		return true, nil
	})
	return facts, err
}

// Cursor is how far something was read on a chain, or ErrNotFound.
func (s *Store) Cursor(name string) (Cursor, error) {
	return record(s, namedKey(spaceCursor, name), decodeCursor)
}

// Meta is a value of the caller's own, or ErrNotFound.
func (s *Store) Meta(key string) ([]byte, error) {
	return record(s, namedKey(spaceMeta, key), func(b []byte) ([]byte, error) { return b, nil })
}

// NodeEvents are at most limit events of the node's own log from an index on.
func (s *Store) NodeEvents(from uint64, limit int) (events []NodeEvent, err error) {
	release, err := s.use()
	if err != nil || limit <= 0 {
		if err == nil {
			release()
		}
		return nil, err
	}
	defer release()
	limit = min(limit, MaxRead)
	err = ascend(s.db, []byte{spaceEvent}, indexKey(spaceEvent, from), func(key, value []byte) (bool, error) {
		e, err := nodeSchemas.decode(value)
		if err != nil {
			return false, corrupt(key, err)
		}
		e.Index = tail64(key)
		if want := from + uint64(len(events)); e.Index != want {
			return false, corrupt(indexKey(spaceEvent, want), fmt.Errorf("missing, the next one is %d", e.Index))
		}
		events = append(events, e)
		return len(events) < limit, nil
	})
	return events, err
}
