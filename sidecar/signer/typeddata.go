package signer

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/evmts/channels/channel"
	"github.com/holiman/uint256"
)

// Request is what a key is asked to sign: a message, in the domain of one adjudicator on one chain.
type Request struct {
	ChainID     uint256.Int
	Adjudicator common.Address
	Message     channel.Message
}

// Digest is what the signature is over.
func (r Request) Digest() common.Hash {
	return channel.NewDomain(&r.ChainID, r.Adjudicator).Digest(r.Message)
}

// typedData is the JSON of EIP-712, in the order in which people read it.
type typedData struct {
	Types       map[string][]field `json:"types"`
	PrimaryType string             `json:"primaryType"`
	Domain      domain             `json:"domain"`
	Message     map[string]any     `json:"message"`
}

type field struct {
	Name string `json:"name"`
	Type string `json:"type"`

	value any
}

type domain struct {
	Name              string `json:"name"`
	Version           string `json:"version"`
	ChainID           any    `json:"chainId"`
	VerifyingContract string `json:"verifyingContract"`
}

var domainFields = []field{
	{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"},
}

// maxExact is the largest integer that every reader of JSON takes for what it is.
const maxExact = 1<<53 - 1

// TypedData is the request in the JSON of EIP-712: what a signer shows, and what its rules look at. Integers are decimal
// strings; the chain's id is a number where every reader of JSON can hold it, because some signers want one there. That it says what
// Digest says is checked with a second implementation before anybody is asked.
func (r Request) TypedData() ([]byte, error) {
	name, fields := fieldsOf(r.Message)
	if fields == nil {
		return nil, channel.Refuse(channel.CodeInternal, "there is no EIP-712 type for a %T", r.Message)
	}
	data := typedData{
		Types: map[string][]field{"EIP712Domain": domainFields, name: fields}, PrimaryType: name, Message: make(map[string]any, len(fields)),
		Domain: domain{Name: "Channels", Version: "1", ChainID: r.ChainID.Dec(), VerifyingContract: r.Adjudicator.Hex()},
	}
	if r.ChainID.IsUint64() && r.ChainID.Uint64() <= maxExact {
		data.Domain.ChainID = r.ChainID.Uint64()
	}
	for _, f := range fields {
		data.Message[f.Name] = f.value
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("typed data of %s: %w", name, err)
	}
	var shown apitypes.TypedData
	if err := json.Unmarshal(raw, &shown); err != nil {
		return nil, fmt.Errorf("typed data of %s: %w", name, err)
	}
	digest, _, err := apitypes.TypedDataAndHash(shown)
	if err != nil {
		return nil, fmt.Errorf("typed data of %s: %w", name, err)
	}
	if want := r.Digest(); common.BytesToHash(digest) != want {
		return nil, channel.Refuse(channel.CodeInternal, "the typed data of %s hashes to %x, but %s is to be signed: nobody is asked", name, digest, want)
	}
	return raw, nil
}

// fieldsOf gives a message's EIP-712 type (docs/encoding.md 2) and its values; none for what is no message of ours.
func fieldsOf(m channel.Message) (name string, fields []field) {
	hash := func(name string, v common.Hash) field { return field{name, "bytes32", v.Hex()} }
	number := func(name, kind string, v uint64) field { return field{name, kind, strconv.FormatUint(v, 10)} }
	head := func(u channel.Update) []field {
		return []field{hash("channelId", u.ChannelID), number("seq", "uint64", u.Seq), hash("journalRoot", u.JournalRoot), hash("stateHash", u.StateHash)}
	}
	switch m := m.(type) {
	case channel.Event:
		return "Event", []field{
			hash("channelId", m.ChannelID), number("author", "uint8", uint64(m.Author)), number("nonce", "uint64", m.Nonce),
			number("notAfter", "uint64", m.NotAfter), number("timestamp", "uint64", m.Timestamp), {"payload", "bytes", hexutil.Encode(m.Payload)},
		}
	case channel.Update:
		return "Update", head(m)
	case channel.Attestation:
		return "Attestation", head(channel.Update(m))
	case channel.Challenge:
		return "Challenge", head(channel.Update(m))
	case channel.Close:
		return "Close", []field{
			hash("channelId", m.ChannelID), number("seq", "uint64", m.Seq), hash("stateHash", m.StateHash), {"inDispute", "bool", m.InDispute},
		}
	case channel.Join:
		return "Join", []field{hash("channelId", m.ChannelID), {"signer", "address", m.Signer.Hex()}}
	case channel.Activate:
		return "Activate", []field{hash("channelId", m.ChannelID)}
	case channel.Force:
		return "Force", []field{hash("channelId", m.ChannelID), hash("eventHash", m.EventHash)}
	}
	return "", nil
}
