package channel

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// messageCase is one signed message. F holds its fields under their EIP-712 names.
type messageCase[F messageFields] struct {
	Name            string         `json:"name"`
	ChainID         number         `json:"chainId"`
	Adjudicator     common.Address `json:"adjudicator"`
	Message         F              `json:"message"`
	Encoded         hexutil.Bytes  `json:"encoded"` // abi.encode(struct), one argument
	StructHash      common.Hash    `json:"structHash"`
	DomainSeparator common.Hash    `json:"domainSeparator"`
	Digest          common.Hash    `json:"digest"`
	PrivateKey      hexutil.Bytes  `json:"privateKey"`
	Signer          common.Address `json:"signer"`
	Signature       Signature      `json:"signature"`
}

type messageFields interface {
	message() Message
	encoded() enc // abi encoding by hand
}

type eventFields struct {
	ChannelID common.Hash   `json:"channelId"`
	Author    number        `json:"author"`
	Nonce     number        `json:"nonce"`
	NotAfter  number        `json:"notAfter"`
	Timestamp number        `json:"timestamp"`
	Payload   hexutil.Bytes `json:"payload"`
}

func (f eventFields) message() Message {
	return Event{f.ChannelID, uint8(f.Author.Uint64()), f.Nonce.Uint64(), f.NotAfter.Uint64(), f.Timestamp.Uint64(), f.Payload}
}

func (f eventFields) encoded() enc {
	return frameOf(wordOfHash(f.ChannelID), wordOf(f.Author.Uint64()), wordOf(f.Nonce.Uint64()), wordOf(f.NotAfter.Uint64()),
		wordOf(f.Timestamp.Uint64()), bytesOf(f.Payload))
}

// headFields are the fields of Update, Attestation and Challenge.
type headFields struct {
	ChannelID   common.Hash `json:"channelId"`
	Seq         number      `json:"seq"`
	JournalRoot common.Hash `json:"journalRoot"`
	StateHash   common.Hash `json:"stateHash"`
}

func (f headFields) update() Update {
	return Update{f.ChannelID, f.Seq.Uint64(), f.JournalRoot, f.StateHash}
}
func (f headFields) encoded() enc {
	return frameOf(wordOfHash(f.ChannelID), wordOf(f.Seq.Uint64()), wordOfHash(f.JournalRoot), wordOfHash(f.StateHash))
}

type updateFields struct{ headFields }
type attestationFields struct{ headFields }
type challengeFields struct{ headFields }

func (f updateFields) message() Message      { return f.update() }
func (f attestationFields) message() Message { return Attestation(f.update()) }
func (f challengeFields) message() Message   { return Challenge(f.update()) }

type closeFields struct {
	ChannelID common.Hash `json:"channelId"`
	Seq       number      `json:"seq"`
	StateHash common.Hash `json:"stateHash"`
	InDispute bool        `json:"inDispute"`
}

func (f closeFields) message() Message {
	return Close{f.ChannelID, f.Seq.Uint64(), f.StateHash, f.InDispute}
}
func (f closeFields) encoded() enc {
	return frameOf(wordOfHash(f.ChannelID), wordOf(f.Seq.Uint64()), wordOfHash(f.StateHash), wordOfBool(f.InDispute))
}

type joinFields struct {
	ChannelID common.Hash    `json:"channelId"`
	Signer    common.Address `json:"signer"`
}

func (f joinFields) message() Message { return Join(f) }
func (f joinFields) encoded() enc {
	return frameOf(wordOfHash(f.ChannelID), wordOfAddress(f.Signer))
}

type activateFields struct {
	ChannelID common.Hash `json:"channelId"`
}

func (f activateFields) message() Message { return Activate(f) }
func (f activateFields) encoded() enc     { return frameOf(wordOfHash(f.ChannelID)) }

type forceFields struct {
	ChannelID common.Hash `json:"channelId"`
	EventHash common.Hash `json:"eventHash"`
}

func (f forceFields) message() Message { return Force(f) }
func (f forceFields) encoded() enc {
	return frameOf(wordOfHash(f.ChannelID), wordOfHash(f.EventHash))
}

type namedMessage[F messageFields] struct {
	name   string
	fields F
}

// messageVectors signs each message in two domains and checks the file against go-ethereum's EIP-712 implementation.
func messageVectors[F messageFields](t *testing.T, file, primaryType, typeString string, messages []namedMessage[F]) {
	domains := []struct {
		name        string
		chainID     uint256.Int
		adjudicator common.Address
	}{
		{"", *uint256.NewInt(31337), testAdjudicator},
		{", another chain", *uint256.NewInt(901), testAdjudicator},
		{", another adjudicator", *uint256.NewInt(31337), testAddress("adjudicator", 1)},
		{", largest chainId", maxUint256, testAdjudicator},
	}
	var out vectors[messageCase[F]]
	for i, m := range messages {
		for j, d := range domains {
			if i > 0 && j > 0 {
				break // the domains matter once
			}
			key := testKey(i)
			domain := NewDomain(&d.chainID, d.adjudicator)
			digest := domain.Digest(m.fields.message())
			signature, err := Sign(digest, key)
			require.NoError(t, err)
			out.Cases = append(out.Cases, messageCase[F]{
				Name: m.name + d.name, ChainID: number{d.chainID}, Adjudicator: d.adjudicator, Message: m.fields,
				Encoded: oneArgument(m.fields.encoded()), StructHash: m.fields.message().StructHash(), DomainSeparator: common.Hash(domain),
				Digest: digest, PrivateKey: crypto.FromECDSA(key), Signer: testSigner(i), Signature: signature,
			})
		}
	}
	seen := map[common.Hash]string{}
	for _, c := range golden(t, file, out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			require.Empty(t, seen[c.Digest], "two cases with one digest")
			seen[c.Digest] = c.Name

			m := c.Message.message()
			domain := NewDomain(&c.ChainID.Int, c.Adjudicator)
			require.Equal(t, c.DomainSeparator, common.Hash(domain))
			require.Equal(t, c.StructHash, m.StructHash())
			require.Equal(t, c.Digest, domain.Digest(m))

			data := typedData(t, c, primaryType, typeString)
			separator, err := data.HashStruct("EIP712Domain", data.Domain.Map())
			require.NoError(t, err)
			require.Equal(t, c.DomainSeparator, common.BytesToHash(separator))
			structHash, err := data.HashStruct(primaryType, data.Message)
			require.NoError(t, err)
			require.Equal(t, c.StructHash, common.BytesToHash(structHash))
			digest, _, err := apitypes.TypedDataAndHash(data)
			require.NoError(t, err)
			require.Equal(t, c.Digest, common.BytesToHash(digest))

			require.Equal(t, c.Encoded, hexutil.Bytes(oneArgument(c.Message.encoded())))

			key, err := crypto.ToECDSA(c.PrivateKey)
			require.NoError(t, err)
			require.Equal(t, c.Signer, crypto.PubkeyToAddress(key.PublicKey))
			require.NoError(t, c.Signature.Verify(c.Digest, c.Signer))
			again, err := Sign(c.Digest, key)
			require.NoError(t, err)
			require.Equal(t, c.Signature, again, "signing is deterministic")
		})
	}
}

// typedData reads the type from its string, so that the string itself is checked against a second implementation.
func typedData[F messageFields](t *testing.T, c messageCase[F], primaryType, typeString string) apitypes.TypedData {
	raw, err := json.Marshal(c.Message)
	require.NoError(t, err)
	var message map[string]any
	require.NoError(t, json.Unmarshal(raw, &message))
	data := apitypes.TypedData{
		Types: apitypes.Types{
			primaryType: fieldTypes(t, primaryType, typeString),
			"EIP712Domain": {
				{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"},
				{Name: "verifyingContract", Type: "address"},
			},
		},
		PrimaryType: primaryType,
		Domain: apitypes.TypedDataDomain{
			Name: "Channels", Version: "1", ChainId: (*math.HexOrDecimal256)(c.ChainID.ToBig()), VerifyingContract: c.Adjudicator.Hex(),
		},
		Message: message,
	}
	require.Equal(t, typeString, string(data.EncodeType(primaryType)))
	return data
}

func TestVectorsF2_Messages(t *testing.T) {
	id, root, state := testHash("channel"), testHash("root"), testHash("state")
	event := func(name string, author uint8, nonce, notAfter, timestamp uint64, payload []byte) namedMessage[eventFields] {
		return namedMessage[eventFields]{name, eventFields{id, num(uint64(author)), num(nonce), num(notAfter), num(timestamp), hexBytes(payload)}}
	}
	t.Run("Event", func(t *testing.T) {
		messageVectors(t, "event.json", "Event", "Event(bytes32 channelId,uint8 author,uint64 nonce,uint64 notAfter,uint64 timestamp,bytes payload)",
			[]namedMessage[eventFields]{
				event("move", 1, 7, 0, 1_800_000_000, testBytes("payload", 45)),
				event("empty payload", 0, 1, 0, 0, nil),
				event("one byte", 2, 3, 9, 1, []byte{0xff}),
				event("payload of a whole word", 2, 3, 9, 1, testBytes("payload", 32)),
				event("4 KiB payload, largest numbers", 255, maxUint64, maxUint64, maxUint64, testBytes("payload", MaxPayload)),
				event("2^53 is a string", 15, exactInJSON, exactInJSON-1, exactInJSON+1, []byte("x")),
			})
	})
	heads := []struct {
		name   string
		fields headFields
	}{
		{"head", headFields{id, num(64), root, state}},
		{"seq 0", headFields{id, num(0), root, state}},
		{"largest seq", headFields{id, num(maxUint64), root, state}},
		{"all zero", headFields{}},
	}
	t.Run("Update", func(t *testing.T) {
		var m []namedMessage[updateFields]
		for _, h := range heads {
			m = append(m, namedMessage[updateFields]{h.name, updateFields{h.fields}})
		}
		messageVectors(t, "update.json", "Update", "Update(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)", m)
	})
	t.Run("Attestation", func(t *testing.T) {
		var m []namedMessage[attestationFields]
		for _, h := range heads {
			m = append(m, namedMessage[attestationFields]{h.name, attestationFields{h.fields}})
		}
		messageVectors(t, "attestation.json", "Attestation", "Attestation(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)", m)
	})
	t.Run("Challenge", func(t *testing.T) {
		var m []namedMessage[challengeFields]
		for _, h := range heads {
			m = append(m, namedMessage[challengeFields]{h.name, challengeFields{h.fields}})
		}
		messageVectors(t, "challenge.json", "Challenge", "Challenge(bytes32 channelId,uint64 seq,bytes32 journalRoot,bytes32 stateHash)", m)
	})
	t.Run("Close", func(t *testing.T) {
		messageVectors(t, "close.json", "Close", "Close(bytes32 channelId,uint64 seq,bytes32 stateHash,bool inDispute)",
			[]namedMessage[closeFields]{
				{"cooperative", closeFields{id, num(64), state, false}},
				{"in dispute", closeFields{id, num(64), state, true}},
				{"largest seq", closeFields{id, num(maxUint64), state, true}},
			})
	})
	t.Run("Join", func(t *testing.T) {
		messageVectors(t, "join.json", "Join", "Join(bytes32 channelId,address signer)",
			[]namedMessage[joinFields]{{"join", joinFields{id, testSigner(7)}}, {"all bits", joinFields{id, common.MaxAddress}}})
	})
	t.Run("Activate", func(t *testing.T) {
		messageVectors(t, "activate.json", "Activate", "Activate(bytes32 channelId)",
			[]namedMessage[activateFields]{{"activate", activateFields{id}}})
	})
	t.Run("Force", func(t *testing.T) {
		messageVectors(t, "force.json", "Force", "Force(bytes32 channelId,bytes32 eventHash)",
			[]namedMessage[forceFields]{{"force", forceFields{id, testHash("event")}}})
	})
}
