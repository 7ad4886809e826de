package channel

import (
	"encoding/binary"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// Event is one author's move. Times are UNIX seconds; NotAfter is a seq, 0 = no limit.
type Event struct {
	ChannelID common.Hash   `json:"channelId"`
	Author    uint8         `json:"author"`
	Nonce     uint64        `json:"nonce"`
	NotAfter  uint64        `json:"notAfter"`
	Timestamp uint64        `json:"timestamp"`
	Payload   hexutil.Bytes `json:"payload"`
}

// StructHash is the eventHash in the journal's leaves.
func (e Event) StructHash() common.Hash {
	return hashWords(eventTypeHash, e.ChannelID, uintWord(uint64(e.Author)), uintWord(e.Nonce), uintWord(e.NotAfter),
		uintWord(e.Timestamp), crypto.Keccak256Hash(e.Payload))
}

// SignedEvent is an Event with its author's signature over the digest.
type SignedEvent struct {
	Event
	Signature Signature `json:"signature"`
}

// TopUp is money added on chain while the channel is open. The chain numbers the top-ups of a channel from 0.
type TopUp struct {
	Index       uint32 `json:"index"`
	Participant uint8  `json:"participant"`
	Asset       uint8  `json:"asset"`
	Amount      Amount `json:"amount"`
}

// MarshalJSON has a value receiver, because a TopUp that is not addressable would write amount as an array of limbs.
func (t TopUp) MarshalJSON() ([]byte, error) {
	type plain TopUp
	return json.Marshal((*plain)(&t))
}

// TopUpHash is the eventHash of a top-up's leaf: H(0x02 ‖ channelId ‖ index).
func TopUpHash(channelID common.Hash, index uint32) common.Hash {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], index)
	return crypto.Keccak256Hash([]byte{0x02}, channelID[:], b[:])
}

// Entry is what a journal holds at one seq above 0: a signed event, or a top-up by its index.
type Entry struct {
	Event *SignedEvent `json:"event,omitempty" rlp:"nil"`
	TopUp uint32       `json:"topUp,omitempty"` // counts only when Event is nil
}

// Hash is the entry's eventHash.
func (e Entry) Hash(channelID common.Hash) common.Hash {
	if e.Event != nil {
		return e.Event.StructHash()
	}
	return TopUpHash(channelID, e.TopUp)
}

// System event kinds (docs/encoding.md 21-22).
const (
	kindEvent   = 0
	kindTopUp   = 1
	kindTimeout = 2

	timeoutAuthor = 0xff
	inputPrefix   = 32
)

// reduceInput is the event as `reduce` gets it.
func reduceInput(shape Shape, kind, author uint8, time, seq, nonce uint64, payload []byte) []byte {
	b := make([]byte, inputPrefix+len(payload))
	b[0], b[1], b[2], b[3], b[4] = kind, author, uint8(shape.Participants), uint8(shape.Assets), uint8(shape.Holders())
	binary.LittleEndian.PutUint64(b[8:], time)
	binary.LittleEndian.PutUint64(b[16:], seq)
	binary.LittleEndian.PutUint64(b[24:], nonce)
	copy(b[inputPrefix:], payload)
	return b
}
