// Package table reads and writes what the small games of the examples have in common: the genesis input, the head of
// their states, and keys that hide a choice.
//
// The app part of a state, little-endian; its module's source is examples/internal/assembly/state.ts:
//
//	 0  version   1  phase   2  outcome   3  seats   4  pending seats, bits (2)   6  silent seats, bits (2)
//	 8  the game's own (8)  16  namespace (14)      30  in a world               31  zero
//	32  owners (20 each), then the game's own, then the length of all of it (2)
package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/vmihailenco/msgpack/v5"
)

// ErrState says that bytes are not the state of the game.
var ErrState = errors.New("not a state of this game")

const (
	headSize  = 32
	ownerSize = 20
	footSize  = 2
	maxSeats  = 16
)

// Over is the phase of every game that is decided.
const Over = 9

// World says where the outcome of a game goes. All zero: the game leaves no records.
type World struct {
	Settlement  common.Address // the contract that writes the records
	World       common.Address
	NamespaceID common.Hash // NamespaceID("arena")
	Ticket      common.Hash
}

// Input is a channel's genesis input: abi.encode(settlement, world, namespaceId, configHash, ticket) ‖ configuration
// (docs/encoding.md 25). The configuration is any value that MessagePack can write.
func (w World) Input(config any) ([]byte, error) {
	packed, err := Pack(config)
	if err != nil {
		return nil, err
	}
	in := make([]byte, 0, 160+len(packed))
	in = append(in, common.LeftPadBytes(w.Settlement[:], 32)...)
	in = append(in, common.LeftPadBytes(w.World[:], 32)...)
	in = append(in, w.NamespaceID[:]...)
	in = append(in, crypto.Keccak256(packed)...)
	in = append(in, w.Ticket[:]...)
	return append(in, packed...), nil
}

// NamespaceID is MUD's resource id of a namespace of at most 14 bytes.
func NamespaceID(namespace string) (id common.Hash) {
	copy(id[:], "ns")
	copy(id[2:16], namespace)
	return id
}

// TableID is MUD's resource id of an on-chain table of a namespace: "tb" ‖ namespace (14) ‖ name (16).
func TableID(namespace, name string) (id common.Hash) {
	copy(id[:], "tb")
	copy(id[2:16], namespace)
	copy(id[16:], name)
	return id
}

// Pack writes a value in MessagePack: structs as maps in the order of their fields, integers as short as they can be.
func Pack(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// Payload packs a move. It is for values that always encode: strings, bytes, integers.
func Payload(v any) []byte {
	b, err := Pack(v)
	if err != nil {
		panic(err) // a move holds nothing that MessagePack cannot write
	}
	return b
}

// Head is what every state of these games begins with, and the game's own bytes.
type Head struct {
	Phase, Outcome  uint8
	Pending, Silent uint16
	Fields          [8]byte // the game's own part of the head
	Namespace       [14]byte
	InWorld         bool
	Owners          []common.Address
	Rest            []byte // the game's own bytes, without the length at the end; shares memory with the state
}

// Seats is the number of participants.
func (h *Head) Seats() int { return len(h.Owners) }

// Owes says whether a seat owes a move.
func (h *Head) Owes(seat uint8) bool { return seat < maxSeats && h.Pending>>seat&1 == 1 }

// Open reads the app part from the end of a State (header ‖ funds ‖ app); the app part alone will do, too. It fails
// with ErrState.
func Open(state []byte, version uint8) (*Head, error) {
	if len(state) < headSize+footSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrState, len(state))
	}
	size := int(binary.LittleEndian.Uint16(state[len(state)-footSize:]))
	if size > len(state) || size < headSize+footSize {
		return nil, fmt.Errorf("%w: its length says %d of %d bytes", ErrState, size, len(state))
	}
	app := state[len(state)-size:]
	seats := int(app[3])
	rest := headSize + seats*ownerSize
	if app[0] != version || seats < 2 || seats > maxSeats || rest+footSize > size {
		return nil, fmt.Errorf("%w: version %d, %d seats, %d bytes", ErrState, app[0], seats, size)
	}
	h := &Head{
		Phase: app[1], Outcome: app[2], Pending: binary.LittleEndian.Uint16(app[4:]), Silent: binary.LittleEndian.Uint16(app[6:]),
		Fields: [8]byte(app[8:16]), Namespace: [14]byte(app[16:30]), InWorld: app[30] == 1, Rest: app[rest : size-footSize],
	}
	for i := range seats {
		h.Owners = append(h.Owners, common.Address(app[headSize+i*ownerSize:headSize+(i+1)*ownerSize]))
	}
	return h, nil
}

// Commitment is what a seat shows of a key before it opens it: keccak256(seat (1 byte) ‖ key).
func Commitment(seat uint8, key common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte{seat}, key[:])
}

// Key hides a choice: 31 bytes that follow from a secret and a number, and the choice in the last byte. The secret must
// be fresh for each channel and the number for each key (Secret makes one), or others know what is hidden.
func Key(secret common.Hash, number uint32, choice uint8) common.Hash {
	key := crypto.Keccak256Hash([]byte("key"), secret[:], binary.BigEndian.AppendUint32(nil, number))
	key[31] = choice
	return key
}

// Secret derives the secret of one channel from a key that its holder keeps: a restarted process comes to the same one.
func Secret(key []byte, channelID common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte("table secret"), crypto.Keccak256(key), channelID[:])
}

// Mix is a deterministic number for a bot to choose by.
func Mix(secret common.Hash, number uint32) uint64 {
	return binary.BigEndian.Uint64(crypto.Keccak256([]byte("mix"), secret[:], binary.BigEndian.AppendUint32(nil, number)))
}
