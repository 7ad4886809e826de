package eventstore

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// First bytes of keys.
const (
	spaceStore     = 0x00
	spaceChannel   = 'c'
	spaceEvent     = 'e'
	spaceFact      = 'f'
	spaceFeed      = 'g'
	spaceCursor    = 'k'
	spaceMeta      = 'm'
	spaceObjective = 'o'
)

// What follows a channel's id.
const (
	subChannel   = 0x01
	subSigned    = 0x02
	subSupported = 0x03
	subClose     = 0x04
	subPending   = 0x05
	subEntry     = 0x06
	subSnapshot  = 0x07
	subFact      = 0x08
	subFrozen    = 0x09
)

var schemaKey = append([]byte{spaceStore}, "schema"...)

const channelKeyLen = 1 + common.HashLength + 1

func channelKey(id common.Hash, sub byte) []byte {
	b := make([]byte, 0, channelKeyLen+12)
	b = append(b, spaceChannel)
	b = append(b, id[:]...)
	return append(b, sub)
}

func seqKey(id common.Hash, sub byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(channelKey(id, sub), seq)
}

func closeKey(id common.Hash, inDispute bool) []byte {
	k := channelKey(id, subClose)
	if inDispute {
		return append(k, 1)
	}
	return append(k, 0)
}

func indexKey(space byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), space), index)
}

func factKey(block uint64, logIndex uint32) []byte {
	return binary.BigEndian.AppendUint32(indexKey(spaceFact, block), logIndex)
}

func factIndexKey(id common.Hash, block uint64, logIndex uint32) []byte {
	return binary.BigEndian.AppendUint32(seqKey(id, subFact, block), logIndex)
}

func namedKey(space byte, name string) []byte {
	return append(append(make([]byte, 0, 1+len(name)), space), name...)
}

// after is the smallest key above all that start with prefix. No prefix in use ends in 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// tail64 is the number at the end of a key.
func tail64(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

var subNames = map[byte]string{
	subChannel: "channel", subSigned: "signed", subSupported: "supported", subClose: "close", subPending: "pending",
	subEntry: "entry", subSnapshot: "snapshot", subFact: "fact index", subFrozen: "frozen",
}

// describeKey names a key for people.
func describeKey(key []byte) string {
	switch {
	case len(key) == 0:
		return "(none)"
	case key[0] == spaceChannel && len(key) >= channelKeyLen:
		id, sub, rest := common.Hash(key[1:33]), key[33], key[34:]
		if len(rest) == 8 {
			return fmt.Sprintf("%s %d of channel %s", subNames[sub], tail64(rest), id)
		}
		return fmt.Sprintf("%s of channel %s", subNames[sub], id)
	case key[0] == spaceEvent && len(key) == 9:
		return fmt.Sprintf("node event %d", tail64(key))
	case key[0] == spaceFeed && len(key) == 9:
		return fmt.Sprintf("feed %d", tail64(key))
	case key[0] == spaceFact && len(key) == 13:
		return fmt.Sprintf("fact at block %d log %d", binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint32(key[9:]))
	case key[0] == spaceCursor, key[0] == spaceMeta, key[0] == spaceObjective:
		return fmt.Sprintf("%s %q", map[byte]string{spaceCursor: "cursor", spaceMeta: "meta", spaceObjective: "objective"}[key[0]], key[1:])
	}
	return fmt.Sprintf("%#x", key)
}
