package signer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// number reads what the golden files have: decimal, as a number or as a text.
type number struct{ uint256.Int }

func (n *number) UnmarshalJSON(b []byte) error { return n.SetFromDecimal(strings.Trim(string(b), `"`)) }

type fields struct {
	ChannelID   common.Hash    `json:"channelId"`
	Author      number         `json:"author"`
	Nonce       number         `json:"nonce"`
	NotAfter    number         `json:"notAfter"`
	Timestamp   number         `json:"timestamp"`
	Payload     hexutil.Bytes  `json:"payload"`
	Seq         number         `json:"seq"`
	JournalRoot common.Hash    `json:"journalRoot"`
	StateHash   common.Hash    `json:"stateHash"`
	InDispute   bool           `json:"inDispute"`
	Signer      common.Address `json:"signer"`
	EventHash   common.Hash    `json:"eventHash"`
}

func (f fields) message(kind string) channel.Message {
	u := channel.Update{ChannelID: f.ChannelID, Seq: f.Seq.Uint64(), JournalRoot: f.JournalRoot, StateHash: f.StateHash}
	return map[string]channel.Message{
		"Event": channel.Event{
			ChannelID: f.ChannelID, Author: uint8(f.Author.Uint64()), Nonce: f.Nonce.Uint64(), NotAfter: f.NotAfter.Uint64(), Timestamp: f.Timestamp.Uint64(), Payload: f.Payload,
		},
		"Update": u, "Attestation": channel.Attestation(u), "Challenge": channel.Challenge(u),
		"Close": channel.Close{ChannelID: f.ChannelID, Seq: f.Seq.Uint64(), StateHash: f.StateHash, InDispute: f.InDispute},
		"Join":  channel.Join{ChannelID: f.ChannelID, Signer: f.Signer}, "Activate": channel.Activate{ChannelID: f.ChannelID},
		"Force": channel.Force{ChannelID: f.ChannelID, EventHash: f.EventHash},
	}[kind]
}

// TestF2_TypedDataSaysWhatIsSigned: for every message of the golden files the JSON hashes, by another implementation, to the
// digest that Go, Solidity and TypeScript agree on, and shows the same type.
func TestF2_TypedDataSaysWhatIsSigned(t *testing.T) {
	types, err := os.ReadFile(filepath.Join("..", "..", "docs", "encoding.md"))
	require.NoError(t, err)
	for _, kind := range []string{"Event", "Update", "Close", "Join", "Activate", "Attestation", "Challenge", "Force"} {
		t.Run(kind, func(t *testing.T) {
			var file struct {
				Cases []struct {
					Name        string         `json:"name"`
					ChainID     number         `json:"chainId"`
					Adjudicator common.Address `json:"adjudicator"`
					Message     fields         `json:"message"`
					Digest      common.Hash    `json:"digest"`
				} `json:"cases"`
			}
			raw, err := os.ReadFile(filepath.Join("..", "..", "channel", "testdata", strings.ToLower(kind)+".json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, &file))
			require.NotEmpty(t, file.Cases)
			for _, c := range file.Cases {
				r := signer.Request{ChainID: c.ChainID.Int, Adjudicator: c.Adjudicator, Message: c.Message.message(kind)}
				require.Equal(t, c.Digest, r.Digest(), c.Name)
				data, err := r.TypedData()
				require.NoError(t, err, c.Name)
				var shown apitypes.TypedData
				require.NoError(t, json.Unmarshal(data, &shown))
				digest, _, err := apitypes.TypedDataAndHash(shown)
				require.NoError(t, err)
				require.Equal(t, c.Digest, common.BytesToHash(digest), c.Name)
				require.Equal(t, kind, shown.PrimaryType)
				require.Contains(t, string(types), string(shown.EncodeType(kind))+"\n", "as docs/encoding.md has it")
				require.Contains(t, string(types), string(shown.EncodeType("EIP712Domain"))+"\n")
			}
		})
	}
}

// TestTypedDataIsReadable: what a person or a rule of the signer looks at. The chain's id is a number, everything larger a text.
func TestTypedDataIsReadable(t *testing.T) {
	r := signer.Request{ChainID: *uint256.NewInt(901), Adjudicator: common.Address{0xad}, Message: channel.Attestation{ChannelID: common.Hash{1}, Seq: 1<<63 + 1}}
	data, err := r.TypedData()
	require.NoError(t, err)
	require.JSONEq(t, `{
		"types": {
			"EIP712Domain": [
				{"name": "name", "type": "string"}, {"name": "version", "type": "string"}, {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}
			],
			"Attestation": [
				{"name": "channelId", "type": "bytes32"}, {"name": "seq", "type": "uint64"}, {"name": "journalRoot", "type": "bytes32"}, {"name": "stateHash", "type": "bytes32"}
			]
		},
		"primaryType": "Attestation",
		"domain": {"name": "Channels", "version": "1", "chainId": 901, "verifyingContract": "0xAD00000000000000000000000000000000000000"},
		"message": {
			"channelId": "0x0100000000000000000000000000000000000000000000000000000000000000", "seq": "9223372036854775809",
			"journalRoot": "0x0000000000000000000000000000000000000000000000000000000000000000",
			"stateHash": "0x0000000000000000000000000000000000000000000000000000000000000000"
		}
	}`, string(data))
	_, err = signer.Request{Message: foreign{}}.TypedData()
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeInternal}, "what is no message of the protocol is not signed")
}

type foreign struct{}

func (foreign) StructHash() common.Hash { return common.Hash{} }
