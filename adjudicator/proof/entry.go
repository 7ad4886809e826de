package proof

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// ErrEntry is returned for packed entries that are malformed, and for entries that have no packed form.
var ErrEntry = errors.New("malformed journal entry")

// MaxJournalBytes bounds the packed entries and the genesis input of one journal, in bytes: no policy allows more.
const MaxJournalBytes = 1 << 20

// Kinds of packed entries and their lengths without payload and stateHash.
const (
	kindEvent = 0
	kindTopUp = 1

	eventBytes = 1 + 1 + 8 + 8 + 8 + 2
	topUpBytes = 1 + 4
)

// Leaf is what a journal says at one seq. Of leaf 0 the Entry is the zero value and means nothing.
type Leaf struct {
	Entry     channel.Entry // an event's Signature is not part of what is published
	StateHash common.Hash
}

// AppendEntry packs an entry of a channel.
func AppendEntry(b []byte, id common.Hash, e channel.Entry) ([]byte, error) {
	if e.Event == nil {
		return binary.BigEndian.AppendUint32(append(b, kindTopUp), e.TopUp), nil
	}
	v := &e.Event.Event
	switch {
	case v.ChannelID != id:
		return b, fmt.Errorf("%w: an event of channel %s in the journal of %s cannot be published", ErrEntry, v.ChannelID, id)
	case len(v.Payload) > channel.MaxPayload:
		return b, fmt.Errorf("%w: a payload of %d bytes cannot be published, allowed are %d", ErrEntry, len(v.Payload), channel.MaxPayload)
	}
	b = append(b, kindEvent, v.Author)
	b = binary.BigEndian.AppendUint64(b, v.Nonce)
	b = binary.BigEndian.AppendUint64(b, v.NotAfter)
	b = binary.BigEndian.AppendUint64(b, v.Timestamp)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v.Payload)))
	return append(b, v.Payload...), nil
}

// Pack packs leaves, without leaf 0; states says whether the stateHashes are in it.
func Pack(id common.Hash, leaves []Leaf, states bool) (b []byte, err error) {
	for _, l := range leaves {
		if b, err = AppendEntry(b, id, l.Entry); err != nil {
			return nil, err
		}
		if states {
			b = append(b, l.StateHash[:]...)
		}
	}
	return b, nil
}

// Unpack reads what Pack wrote and nothing else. Payloads are views of b.
func Unpack(id common.Hash, b []byte, states bool) ([]Leaf, error) {
	if len(b) > MaxJournalBytes {
		return nil, fmt.Errorf("%w: %d bytes of entries, at most %d can be published", ErrEntry, len(b), MaxJournalBytes)
	}
	var leaves []Leaf
	for len(b) > 0 {
		l, rest, err := unpack(id, b)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(leaves), err)
		}
		b = rest
		if states {
			if len(b) < common.HashLength {
				return nil, fmt.Errorf("entry %d: %w: its stateHash is cut off", len(leaves), ErrEntry)
			}
			l.StateHash, b = common.Hash(b[:common.HashLength]), b[common.HashLength:]
		}
		leaves = append(leaves, l)
	}
	return leaves, nil
}

func unpack(id common.Hash, b []byte) (l Leaf, rest []byte, err error) {
	switch {
	case b[0] == kindTopUp && len(b) >= topUpBytes:
		l.Entry.TopUp = binary.BigEndian.Uint32(b[1:])
		return l, b[topUpBytes:], nil
	case b[0] == kindEvent && len(b) >= eventBytes:
		size := int(binary.BigEndian.Uint16(b[26:]))
		if size > channel.MaxPayload {
			return l, nil, fmt.Errorf("%w: a payload of %d bytes, allowed are %d", ErrEntry, size, channel.MaxPayload)
		}
		if len(b) < eventBytes+size {
			return l, nil, fmt.Errorf("%w: its payload is cut off", ErrEntry)
		}
		l.Entry.Event = &channel.SignedEvent{Event: channel.Event{
			ChannelID: id, Author: b[1], Nonce: binary.BigEndian.Uint64(b[2:]), NotAfter: binary.BigEndian.Uint64(b[10:]),
			Timestamp: binary.BigEndian.Uint64(b[18:]), Payload: b[eventBytes : eventBytes+size : eventBytes+size],
		}}
		return l, b[eventBytes+size:], nil
	case b[0] > kindTopUp:
		return l, nil, fmt.Errorf("%w: unknown kind %d", ErrEntry, b[0])
	}
	return l, nil, fmt.Errorf("%w: it is cut off", ErrEntry)
}

// packedLen is the number of bytes that Pack needs for a leaf.
func packedLen(l Leaf, states bool) int {
	n := topUpBytes
	if l.Entry.Event != nil {
		n = eventBytes + len(l.Entry.Event.Payload)
	}
	if states {
		n += common.HashLength
	}
	return n
}
