package derivation_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
)

func newEngine(t testing.TB, config derivation.Config) *derivation.Engine {
	t.Helper()
	e, err := derivation.NewEngine(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// engines are the three ways to run a module; everything must agree on all.
func engines(t testing.TB) map[string]*derivation.Engine {
	return map[string]*derivation.Engine{
		"compiler":    newEngine(t, derivation.Config{}),
		"interpreter": newEngine(t, derivation.Config{}.WithInterpreter()),
		"machine":     newEngine(t, derivation.Config{}.WithMachine()),
	}
}

// world is a two-player channel with one beneficiary over a module.
type world struct {
	params  *channel.Params
	funding channel.Funding
	rules   *channel.Rules
	input   []byte
}

func newWorld(t testing.TB, m channel.Module, genesis []byte) *world {
	t.Helper()
	w := &world{input: genesis}
	w.funding = channel.Funding{{Asset: common.Address{}, Amounts: []uint256.Int{*uint256.NewInt(100), *uint256.NewInt(50)}}}
	w.params = &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad},
		Participants:  []channel.Participant{{Signer: common.Address{1}, Owner: common.Address{11}}, {Signer: common.Address{2}, Owner: common.Address{12}}},
		Beneficiaries: []common.Address{{21}}, Window: 60, ForceQuota: 8,
		ModuleHash: m.Manifest().Hash(), GenesisHash: channel.GenesisHash(genesis), FundingHash: w.funding.Hash(), FundingDeadline: 1_800_000_000,
	}
	var err error
	w.rules, err = channel.NewRules(w.params, w.funding, m)
	require.NoError(t, err)
	return w
}

func (w *world) event(author uint8, nonce uint64, payload []byte) *channel.Event {
	return &channel.Event{ChannelID: w.rules.ID(), Author: author, Nonce: nonce, Timestamp: 1_700_000_000 + nonce, Payload: payload}
}

// eventInput is the event as reduce gets it (docs/encoding.md 21), for two participants, one asset, three holders.
func eventInput(kind byte, payload []byte) []byte {
	return append(append([]byte{kind, 0, 2, 1, 3}, make([]byte, 27)...), payload...)
}
