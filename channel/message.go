package channel

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// EIP-712 type strings (docs/encoding.md 2).
const (
	domainType      = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
	eventType       = "Event(bytes32 channelId,uint8 author,uint64 nonce,uint64 notAfter,uint64 timestamp,bytes payload)"
	updateType      = "Update(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)"
	closeType       = "Close(bytes32 channelId,uint64 seq,bytes32 stateHash,bool inDispute)"
	joinType        = "Join(bytes32 channelId,address signer)"
	activateType    = "Activate(bytes32 channelId)"
	attestationType = "Attestation(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)"
	challengeType   = "Challenge(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)"
	forceType       = "Force(bytes32 channelId,bytes32 eventHash)"

	domainName    = "Channels"
	domainVersion = "1"
)

var (
	eventTypeHash       = crypto.Keccak256Hash([]byte(eventType))
	updateTypeHash      = crypto.Keccak256Hash([]byte(updateType))
	closeTypeHash       = crypto.Keccak256Hash([]byte(closeType))
	joinTypeHash        = crypto.Keccak256Hash([]byte(joinType))
	activateTypeHash    = crypto.Keccak256Hash([]byte(activateType))
	attestationTypeHash = crypto.Keccak256Hash([]byte(attestationType))
	challengeTypeHash   = crypto.Keccak256Hash([]byte(challengeType))
	forceTypeHash       = crypto.Keccak256Hash([]byte(forceType))
	domainTypeHash      = crypto.Keccak256Hash([]byte(domainType))
)

// Domain is an EIP-712 domain separator: it binds what is signed to one chain and one adjudicator.
type Domain common.Hash

// NewDomain is the domain {name: "Channels", version: "1", chainId, verifyingContract: adjudicator}.
func NewDomain(chainID *uint256.Int, adjudicator common.Address) Domain {
	id := chainID.Bytes32()
	return Domain(hashWords(domainTypeHash, crypto.Keccak256Hash([]byte(domainName)), crypto.Keccak256Hash([]byte(domainVersion)),
		common.Hash(id), addressWord(adjudicator)))
}

// Message is something that can be signed.
type Message interface {
	// StructHash is the EIP-712 hashStruct of the message.
	StructHash() common.Hash
}

// Digest is what is signed: H(0x1901 ‖ domain ‖ hashStruct).
func (d Domain) Digest(m Message) common.Hash {
	h := m.StructHash()
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, d[:], h[:])
}

// Update is a signed journal head. The tree has seq + 1 leaves and stateHash is the last one's.
type Update struct {
	ChannelID   common.Hash `json:"channelId"`
	Seq         uint64      `json:"seq"`
	JournalRoot common.Hash `json:"journalRoot"`
	StateHash   common.Hash `json:"stateHash"`
}

// StructHash implements Message.
func (u Update) StructHash() common.Hash {
	return hashWords(updateTypeHash, u.ChannelID, uintWord(u.Seq), u.JournalRoot, u.StateHash)
}

// Close is the consent to end a channel at a state, cooperatively or in a dispute.
type Close struct {
	ChannelID common.Hash `json:"channelId"`
	Seq       uint64      `json:"seq"`
	StateHash common.Hash `json:"stateHash"`
	InDispute bool        `json:"inDispute"`
}

// StructHash implements Message.
func (c Close) StructHash() common.Hash {
	return hashWords(closeTypeHash, c.ChannelID, uintWord(c.Seq), c.StateHash, boolWord(c.InDispute))
}

// Join is an owner's consent that a session key plays for it.
type Join struct {
	ChannelID common.Hash    `json:"channelId"`
	Signer    common.Address `json:"signer"`
}

// StructHash implements Message.
func (j Join) StructHash() common.Hash {
	return hashWords(joinTypeHash, j.ChannelID, addressWord(j.Signer))
}

// Activate says that each ledger of the signer holds the guarantee for a virtual channel.
type Activate struct {
	ChannelID common.Hash `json:"channelId"`
}

// StructHash implements Message.
func (a Activate) StructHash() common.Hash { return hashWords(activateTypeHash, a.ChannelID) }

// Attestation is an attestor's word that it replayed the journal to this head.
type Attestation Update

// StructHash implements Message.
func (a Attestation) StructHash() common.Hash {
	return hashWords(attestationTypeHash, a.ChannelID, uintWord(a.Seq), a.JournalRoot, a.StateHash)
}

// Challenge starts a dispute at an Update.
type Challenge Update

// StructHash implements Message.
func (c Challenge) StructHash() common.Hash {
	return hashWords(challengeTypeHash, c.ChannelID, uintWord(c.Seq), c.JournalRoot, c.StateHash)
}

// Force is a participant's wish to have an event executed on chain, on its own quota.
type Force struct {
	ChannelID common.Hash `json:"channelId"`
	EventHash common.Hash `json:"eventHash"`
}

// StructHash implements Message.
func (f Force) StructHash() common.Hash { return hashWords(forceTypeHash, f.ChannelID, f.EventHash) }

func hashWords(words ...common.Hash) common.Hash {
	buf := make([]byte, 0, 7*32)
	for i := range words {
		buf = append(buf, words[i][:]...)
	}
	return crypto.Keccak256Hash(buf)
}

func uintWord(v uint64) (w common.Hash) {
	binary.BigEndian.PutUint64(w[24:], v)
	return w
}

func boolWord(v bool) (w common.Hash) {
	if v {
		w[31] = 1
	}
	return w
}

func addressWord(a common.Address) (w common.Hash) {
	copy(w[12:], a[:])
	return w
}
