package protocols

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
)

// Bounds of what peers send. A message that exceeds one is refused before it is decoded further.
const (
	MaxMessageBytes = 768 << 10
	// MaxEntries is the most journal entries in one message.
	MaxEntries = 256
	// MaxEntriesBytes is the most bytes of entries in one message, counted by Entry.Size.
	MaxEntriesBytes = 512 << 10
	// MaxInFlight is the most Updates above the newest supported one (docs/protocol.md §3).
	MaxInFlight  = 64
	maxRefusal   = 512
	maxProofLen  = 64
	maxCodeBytes = 32
)

// Kind is the first byte of a message.
type Kind uint8

const (
	KindProposal Kind = iota + 1
	KindAccept
	KindRefusal
	KindSubmit
	KindAppend
	KindCountersign
	KindSync
	KindCatchUp
	KindClose
	KindDiverged
)

var kindNames = [...]string{"", "proposal", "accept", "refusal", "submit", "append", "countersign", "sync", "catch_up", "close", "diverged"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Body is the content of a message: one of the types below.
type Body interface {
	kind() Kind
	check() error
}

// Message is what one participant tells another about one channel.
type Message struct {
	Channel common.Hash
	Body    Body
}

// Kind names the body's type.
func (m Message) Kind() Kind { return m.Body.kind() }

// Proposal asks the receiver to open a channel.
type Proposal struct {
	Params  []byte // abi.encode(Params)
	Funding []byte // abi.encode(Funding[])
	Genesis []byte
}

// Accept answers a Proposal: the sender's signature on Update 0, and its owner's Join (zero when the owner pays a stake
// and the deposit itself is the consent). Want asks for the receiver's Accept in return: the sender lacks it.
type Accept struct {
	Signature channel.Signature
	Join      channel.Signature
	Want      bool
}

// Refusal says why something was not done. Ref names it: an eventHash, or zero for the channel itself.
type Refusal struct {
	Ref  common.Hash
	Code string
	Text string
}

// Submit brings an event to the sequencer.
type Submit struct {
	Event channel.SignedEvent
}

// Append is the sequencer's: entries From..Update.Seq, and its signature on their head.
type Append struct {
	From      uint64
	Entries   []channel.Entry
	Update    channel.Update
	Signature channel.Signature
}

// Countersign is a participant's signature on the Update at Seq.
type Countersign struct {
	Seq       uint64
	Signature channel.Signature
}

// Sync says where the sender stands; the answer is a CatchUp.
type Sync struct {
	Seq       uint64      // newest leaf it holds
	Root      common.Hash // of the journal up to there
	Supported uint64
}

// Head is an Update with the signatures known for it; a missing one is zero.
type Head struct {
	Update     channel.Update
	Signatures []channel.Signature // by participant
}

// CatchUp sends entries that a Sync showed to be missing, from From on, and the heads that the sender knows, newest last.
// Proof shows that the journal after the last entry sent is a prefix of the newest head's.
type CatchUp struct {
	From    uint64
	Entries []channel.Entry
	Heads   []Head
	Proof   []common.Hash
}

// CloseConsent is a signed Close.
type CloseConsent struct {
	Close     channel.Close
	Signature channel.Signature
}

// Diverged says that the sender derived another leaf at Seq than the sequencer signed.
type Diverged struct {
	Seq       uint64
	EventHash common.Hash
	StateHash common.Hash // what the sender derived; zero if δ rejected the event
}

func (Proposal) kind() Kind     { return KindProposal }
func (Accept) kind() Kind       { return KindAccept }
func (Refusal) kind() Kind      { return KindRefusal }
func (Submit) kind() Kind       { return KindSubmit }
func (Append) kind() Kind       { return KindAppend }
func (Countersign) kind() Kind  { return KindCountersign }
func (Sync) kind() Kind         { return KindSync }
func (CatchUp) kind() Kind      { return KindCatchUp }
func (CloseConsent) kind() Kind { return KindClose }
func (Diverged) kind() Kind     { return KindDiverged }

func (m Proposal) check() error {
	if len(m.Genesis) > channel.MaxGenesis {
		return fmt.Errorf("genesis input of %d bytes, allowed are %d", len(m.Genesis), channel.MaxGenesis)
	}
	return nil
}
func (Accept) check() error { return nil }
func (m Refusal) check() error {
	if len(m.Code) > maxCodeBytes || len(m.Text) > maxRefusal {
		return fmt.Errorf("refusal of %d + %d bytes", len(m.Code), len(m.Text))
	}
	return nil
}
func (m Submit) check() error { return checkEvent(&m.Event) }
func (m Append) check() error {
	if len(m.Entries) == 0 || m.From == 0 || m.Update.Seq < m.From || m.Update.Seq != m.From+uint64(len(m.Entries))-1 {
		return fmt.Errorf("%d entries from %d do not end at %d", len(m.Entries), m.From, m.Update.Seq)
	}
	return checkEntries(m.Entries)
}
func (Countersign) check() error { return nil }
func (Sync) check() error        { return nil }
func (m CatchUp) check() error {
	if m.From == 0 || m.From+uint64(len(m.Entries)) < m.From || len(m.Heads) > MaxInFlight+1 || len(m.Proof) > maxProofLen {
		return fmt.Errorf("from %d, %d heads, %d proof nodes", m.From, len(m.Heads), len(m.Proof))
	}
	for _, h := range m.Heads {
		if len(h.Signatures) > channel.MaxParticipants {
			return fmt.Errorf("%d signatures", len(h.Signatures))
		}
	}
	return checkEntries(m.Entries)
}
func (CloseConsent) check() error { return nil }
func (Diverged) check() error     { return nil }

func checkEvent(e *channel.SignedEvent) error {
	if len(e.Payload) > channel.MaxPayload {
		return fmt.Errorf("payload of %d bytes, allowed are %d", len(e.Payload), channel.MaxPayload)
	}
	return nil
}

func checkEntries(entries []channel.Entry) error {
	if len(entries) > MaxEntries {
		return fmt.Errorf("%d entries, allowed are %d", len(entries), MaxEntries)
	}
	for _, e := range entries {
		if e.Event != nil {
			if e.TopUp != 0 {
				return fmt.Errorf("an entry that is both an event and top-up %d", e.TopUp)
			}
			if err := checkEvent(e.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// envelope is a message on the wire: RLP of [kind, channel, body].
type envelope struct {
	Kind    uint8
	Channel common.Hash
	Body    rlp.RawValue
}

// Encode is the message's bytes.
func (m Message) Encode() ([]byte, error) {
	body, err := rlp.EncodeToBytes(m.Body)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Kind(), err)
	}
	return rlp.EncodeToBytes(envelope{uint8(m.Kind()), m.Channel, body})
}

// DecodeMessage is strict: another length, kind, non-canonical RLP, trailing bytes or a bound exceeded are refused with
// CodeMalformed.
func DecodeMessage(b []byte) (Message, error) {
	if len(b) > MaxMessageBytes {
		return Message{}, channel.Refuse(channel.CodeTooLarge, "message of %d bytes, allowed are %d", len(b), MaxMessageBytes)
	}
	var e envelope
	if err := rlp.DecodeBytes(b, &e); err != nil {
		return Message{}, channel.Refuse(channel.CodeMalformed, "message: %v", err)
	}
	body, err := decodeBody(Kind(e.Kind), e.Body)
	if err == nil {
		err = body.check()
	}
	if err != nil {
		return Message{}, channel.Refuse(channel.CodeMalformed, "%s: %v", Kind(e.Kind), err)
	}
	return Message{e.Channel, body}, nil
}

func decodeBody(k Kind, raw []byte) (Body, error) {
	switch k {
	case KindProposal:
		return decodeAs[Proposal](raw)
	case KindAccept:
		return decodeAs[Accept](raw)
	case KindRefusal:
		return decodeAs[Refusal](raw)
	case KindSubmit:
		return decodeAs[Submit](raw)
	case KindAppend:
		return decodeAs[Append](raw)
	case KindCountersign:
		return decodeAs[Countersign](raw)
	case KindSync:
		return decodeAs[Sync](raw)
	case KindCatchUp:
		return decodeAs[CatchUp](raw)
	case KindClose:
		return decodeAs[CloseConsent](raw)
	case KindDiverged:
		return decodeAs[Diverged](raw)
	}
	return nil, fmt.Errorf("unknown kind")
}

func decodeAs[T Body](raw []byte) (Body, error) {
	var v T
	err := rlp.DecodeBytes(raw, &v)
	return v, err
}
