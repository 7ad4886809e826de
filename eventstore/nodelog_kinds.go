package eventstore

import (
	"encoding/hex"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/vmihailenco/msgpack/v5"
)

// The 20 kinds.
const (
	KindObjectiveCreated   EventKind = "objective.created"
	KindObjectiveApproved  EventKind = "objective.approved"
	KindObjectiveRejected  EventKind = "objective.rejected"
	KindObjectiveCranked   EventKind = "objective.cranked"
	KindObjectiveCompleted EventKind = "objective.completed"

	KindChannelCreated   EventKind = "channel.created"
	KindStateSigned      EventKind = "channel.state-signed"
	KindStateReceived    EventKind = "channel.state-received"
	KindSupportedUpdated EventKind = "channel.supported-updated"
	KindChannelFinalized EventKind = "channel.finalized"

	KindDepositDetected     EventKind = "chain.deposit-detected"
	KindAllocationUpdated   EventKind = "chain.allocation-updated"
	KindChallengeRegistered EventKind = "chain.challenge-registered"
	KindChallengeCleared    EventKind = "chain.challenge-cleared"
	KindConcluded           EventKind = "chain.concluded"
	KindWithdrawCompleted   EventKind = "chain.withdraw-completed"

	KindMessageSent     EventKind = "message.sent"
	KindMessageReceived EventKind = "message.received"
	KindMessageAcked    EventKind = "message.acked"
	KindMessageDropped  EventKind = "message.dropped"
)

func of[T any, P interface {
	*T
	EventBody
}](lift func(EventBody) EventBody) schema {
	return schema{func() EventBody { return P(new(T)) }, lift}
}

var nodeSchemas = schemas{
	KindObjectiveCreated:   {of[ObjectiveCreated](nil)},
	KindObjectiveApproved:  {of[ObjectiveApproved](nil)},
	KindObjectiveRejected:  {of[ObjectiveRejected](nil)},
	KindObjectiveCranked:   {of[ObjectiveCranked](nil)},
	KindObjectiveCompleted: {of[ObjectiveCompleted](nil)},

	KindChannelCreated:   {of[ChannelCreated](nil)},
	KindStateSigned:      {of[StateSigned](nil)},
	KindStateReceived:    {of[StateReceived](nil)},
	KindSupportedUpdated: {of[SupportedUpdated](nil)},
	KindChannelFinalized: {of[ChannelFinalized](nil)},

	KindDepositDetected:     {of[DepositDetected](nil)},
	KindAllocationUpdated:   {of[AllocationUpdated](nil)},
	KindChallengeRegistered: {of[ChallengeRegistered](nil)},
	KindChallengeCleared:    {of[ChallengeCleared](nil)},
	KindConcluded:           {of[Concluded](nil)},
	KindWithdrawCompleted:   {of[WithdrawCompleted](nil)},

	KindMessageSent:     {of[MessageSent](nil)},
	KindMessageReceived: {of[MessageReceived](nil)},
	KindMessageAcked:    {of[MessageAcked](nil)},
	KindMessageDropped:  {of[MessageDropped](nil)},
}

// Hash is a common.Hash that MessagePack stores as 32 bytes of bin and JSON shows as hex.
type Hash common.Hash

// Address is a common.Address that MessagePack stores as 20 bytes of bin and JSON shows as hex.
type Address common.Address

// Amount is 32 bytes big-endian in MessagePack and a decimal string in JSON: assets are counted in their smallest unit.
type Amount [32]byte

// AmountOf makes an Amount.
func AmountOf(v *uint256.Int) Amount { return v.Bytes32() }

func decodeFixed(d *msgpack.Decoder, to []byte) error {
	b, err := d.DecodeBytes()
	if err != nil {
		return err
	}
	if len(b) != len(to) {
		return fmt.Errorf("%d bytes instead of %d", len(b), len(to))
	}
	copy(to, b)
	return nil
}

func hexText(b []byte) ([]byte, error) { return []byte("0x" + hex.EncodeToString(b)), nil }

// EncodeMsgpack implements msgpack.CustomEncoder.
func (h Hash) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeBytes(h[:]) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (h *Hash) DecodeMsgpack(d *msgpack.Decoder) error { return decodeFixed(d, h[:]) }

// MarshalText is 0x-prefixed hex.
func (h Hash) MarshalText() ([]byte, error) { return hexText(h[:]) }

// EncodeMsgpack implements msgpack.CustomEncoder.
func (a Address) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeBytes(a[:]) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (a *Address) DecodeMsgpack(d *msgpack.Decoder) error { return decodeFixed(d, a[:]) }

// MarshalText is checksummed hex.
func (a Address) MarshalText() ([]byte, error) { return []byte(common.Address(a).Hex()), nil }

// EncodeMsgpack implements msgpack.CustomEncoder.
func (a Amount) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeBytes(a[:]) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (a *Amount) DecodeMsgpack(d *msgpack.Decoder) error { return decodeFixed(d, a[:]) }

// MarshalText is decimal.
func (a Amount) MarshalText() ([]byte, error) {
	return []byte(new(uint256.Int).SetBytes32(a[:]).Dec()), nil
}

// Place is where on a chain something happened.
type Place struct {
	Block     uint64 `msgpack:"block" json:"block"`
	BlockHash Hash   `msgpack:"blockHash" json:"blockHash"`
	LogIndex  uint32 `msgpack:"logIndex" json:"logIndex"`
	TxHash    Hash   `msgpack:"txHash" json:"txHash"`
}

// Head is a signed journal head.
type Head struct {
	JournalRoot Hash   `msgpack:"journalRoot" json:"journalRoot"`
	Seq         uint64 `msgpack:"seq" json:"seq"`
	StateHash   Hash   `msgpack:"stateHash" json:"stateHash"`
}

// ObjectiveCreated: an objective was proposed, here or by a peer.
type ObjectiveCreated struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	Objective string `msgpack:"objective" json:"objective"`
	Protocol  string `msgpack:"protocol" json:"protocol"` // directfund, play, directdefund, …
}

// ObjectiveApproved: policy or a person agreed.
type ObjectiveApproved struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	Objective string `msgpack:"objective" json:"objective"`
}

// ObjectiveRejected: policy, a person or the rules refused.
type ObjectiveRejected struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	Code      string `msgpack:"code" json:"code"` // channel.Code
	Objective string `msgpack:"objective" json:"objective"`
	Reason    string `msgpack:"reason" json:"reason"`
}

// ObjectiveCranked: an input moved the objective.
type ObjectiveCranked struct {
	Channel    Hash   `msgpack:"channel" json:"channel"`
	Objective  string `msgpack:"objective" json:"objective"`
	Status     string `msgpack:"status" json:"status"`
	WaitingFor string `msgpack:"waitingFor" json:"waitingFor"`
}

// ObjectiveCompleted: the objective has nothing left to do.
type ObjectiveCompleted struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	Objective string `msgpack:"objective" json:"objective"`
	Outcome   string `msgpack:"outcome" json:"outcome"`
}

// ChannelCreated: state 0 was derived.
type ChannelCreated struct {
	Channel      Hash      `msgpack:"channel" json:"channel"`
	GenesisHash  Hash      `msgpack:"genesisHash" json:"genesisHash"`
	ModuleHash   Hash      `msgpack:"moduleHash" json:"moduleHash"`
	Participants []Address `msgpack:"participants" json:"participants"` // signers, in order
	StateHash    Hash      `msgpack:"stateHash" json:"stateHash"`
}

// StateSigned: this node signed an Update.
type StateSigned struct {
	Channel Hash    `msgpack:"channel" json:"channel"`
	Head    Head    `msgpack:"head" json:"head"`
	Signer  Address `msgpack:"signer" json:"signer"`
}

// StateReceived: a valid signature of somebody else on an Update arrived.
type StateReceived struct {
	Channel Hash    `msgpack:"channel" json:"channel"`
	Head    Head    `msgpack:"head" json:"head"`
	Signer  Address `msgpack:"signer" json:"signer"`
}

// SupportedUpdated: an Update has every participant's signature.
type SupportedUpdated struct {
	Channel Hash `msgpack:"channel" json:"channel"`
	Head    Head `msgpack:"head" json:"head"`
}

// ChannelFinalized: the channel reached its end, on chain or as refunded.
type ChannelFinalized struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	How       string `msgpack:"how" json:"how"` // concluded, disputed, refunded
	Seq       uint64 `msgpack:"seq" json:"seq"`
	StateHash Hash   `msgpack:"stateHash" json:"stateHash"`
}

// DepositDetected: a stake arrived.
type DepositDetected struct {
	Amount      Amount  `msgpack:"amount" json:"amount"`
	Asset       Address `msgpack:"asset" json:"asset"`
	Channel     Hash    `msgpack:"channel" json:"channel"`
	Participant uint8   `msgpack:"participant" json:"participant"`
	Place       Place   `msgpack:"place" json:"place"`
}

// AllocationUpdated: what the adjudicator holds or owes for the channel changed (top-up, payout, credit, reclaim).
type AllocationUpdated struct {
	Amount  Amount  `msgpack:"amount" json:"amount"`
	Asset   Address `msgpack:"asset" json:"asset"`
	Cause   string  `msgpack:"cause" json:"cause"`
	Channel Hash    `msgpack:"channel" json:"channel"`
	Holder  Address `msgpack:"holder" json:"holder"`
	Place   Place   `msgpack:"place" json:"place"`
}

// ChallengeRegistered: somebody started a dispute.
type ChallengeRegistered struct {
	Challenger Address `msgpack:"challenger" json:"challenger"`
	Channel    Hash    `msgpack:"channel" json:"channel"`
	Deadline   uint64  `msgpack:"deadline" json:"deadline"` // UNIX seconds, of the chain
	Head       Head    `msgpack:"head" json:"head"`
	Place      Place   `msgpack:"place" json:"place"`
}

// ChallengeCleared: a newer Update or an executed event answered a dispute.
type ChallengeCleared struct {
	Channel Hash   `msgpack:"channel" json:"channel"`
	How     string `msgpack:"how" json:"how"` // checkpoint, force, conclude
	Place   Place  `msgpack:"place" json:"place"`
	Seq     uint64 `msgpack:"seq" json:"seq"`
}

// Concluded: the channel is Final on chain.
type Concluded struct {
	Channel   Hash   `msgpack:"channel" json:"channel"`
	Place     Place  `msgpack:"place" json:"place"`
	Seq       uint64 `msgpack:"seq" json:"seq"`
	StateHash Hash   `msgpack:"stateHash" json:"stateHash"`
}

// WithdrawCompleted: money left the adjudicator.
type WithdrawCompleted struct {
	Amount  Amount  `msgpack:"amount" json:"amount"`
	Asset   Address `msgpack:"asset" json:"asset"`
	Channel Hash    `msgpack:"channel" json:"channel"`
	Place   Place   `msgpack:"place" json:"place"`
	To      Address `msgpack:"to" json:"to"`
}

// MessageSent: a message left for a peer.
type MessageSent struct {
	Bytes   uint32  `msgpack:"bytes" json:"bytes"`
	Channel Hash    `msgpack:"channel" json:"channel"`
	Message string  `msgpack:"message" json:"message"` // id
	Peer    Address `msgpack:"peer" json:"peer"`
	Type    string  `msgpack:"type" json:"type"`
}

// MessageReceived: a message of a peer was taken.
type MessageReceived struct {
	Bytes   uint32  `msgpack:"bytes" json:"bytes"`
	Channel Hash    `msgpack:"channel" json:"channel"`
	Message string  `msgpack:"message" json:"message"` // id
	Peer    Address `msgpack:"peer" json:"peer"`
	Type    string  `msgpack:"type" json:"type"`
}

// MessageAcked: a peer has a message of ours.
type MessageAcked struct {
	Channel Hash    `msgpack:"channel" json:"channel"`
	Message string  `msgpack:"message" json:"message"` // id
	Peer    Address `msgpack:"peer" json:"peer"`
}

// MessageDropped: a message was not taken, or given up.
type MessageDropped struct {
	Channel Hash    `msgpack:"channel" json:"channel"`
	Code    string  `msgpack:"code" json:"code"` // channel.Code
	Message string  `msgpack:"message" json:"message"`
	Peer    Address `msgpack:"peer" json:"peer"`
	Reason  string  `msgpack:"reason" json:"reason"`
}
