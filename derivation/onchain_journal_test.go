package derivation_test

import (
	"bytes"
	"crypto/ecdsa"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

// Where the tests of the contracts put what the journals name.
var (
	onChainAdjudicator = common.HexToAddress("0x00000000000000000000000000000000000000AD")
	onChainSettlement  = common.HexToAddress("0x0000000000000000000000000000000000005E77")
	onChainWorld       = common.HexToAddress("0x0000000000000000000000000000000000003071")
	onChainNamespace   = raid.NamespaceID(raid.Namespace)
	onChainConfig      = crypto.Keccak256Hash([]byte("config"))
)

// onChainJournal is a played game. Leaf i has states[i]; leaf i above 0 has entries[i-1].
type onChainJournal struct {
	Name    string          `json:"name"`
	Module  uint64          `json:"module"` // index of the module
	Params  hexutil.Bytes   `json:"params"`
	Funding hexutil.Bytes   `json:"funding"`
	Genesis hexutil.Bytes   `json:"genesis"`
	Entries []hexutil.Bytes `json:"entries"` // kind (1 byte) ‖ abi.encode(Event) or a top-up's index
	States  []hexutil.Bytes `json:"states"`
	Keys    []common.Hash   `json:"keys"` // of the participants
}

// table plays one channel and keeps its journal.
type table struct {
	t     *testing.T
	keys  []*ecdsa.PrivateKey
	rules *channel.Rules
	state *channel.State
	onChainJournal
}

func newTable(t *testing.T, name string, module uint64, m *derivation.Module, players int, beneficiaries []common.Address, genesis []byte) *table {
	tb := &table{t: t, keys: signers(t, players)}
	stake := channel.Stake{}
	params := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: onChainAdjudicator, Beneficiaries: beneficiaries, Window: 3600, ForceQuota: 200, Sequencer: uint8(players - 1),
		ModuleHash: m.Hash(), GenesisHash: channel.GenesisHash(genesis), FundingDeadline: 1_700_086_400,
	}
	for i, key := range tb.keys {
		params.Participants = append(params.Participants, channel.Participant{Signer: crypto.PubkeyToAddress(key.PublicKey), Owner: common.Address{0: 0xee, 19: byte(i + 1)}})
		stake.Amounts = append(stake.Amounts, *uint256.NewInt(uint64(1000 * (i + 1))))
		tb.Keys = append(tb.Keys, common.BigToHash(key.D))
	}
	funding := channel.Funding{stake}
	params.FundingHash = funding.Hash()
	var err error
	tb.rules, err = channel.NewRules(params, funding, m)
	require.NoError(t, err)
	var v channel.Verdict
	tb.state, v = tb.rules.Genesis(genesis)
	require.Equal(t, channel.Accepted, v.Status, v.Text())
	tb.Name, tb.Module, tb.Params, tb.Funding, tb.Genesis = name, module, params.Encode(), funding.Encode(), genesis
	tb.States = append(tb.States, tb.state.Bytes())
	return tb
}

func (tb *table) next(author uint8, payload []byte) *channel.Event {
	seq := uint64(len(tb.States))
	return &channel.Event{ChannelID: tb.rules.ID(), Author: author, Nonce: tb.state.Header.Nonces[author] + 1, Timestamp: 1_700_000_000 + seq, Payload: payload}
}

// put appends an event, also one that is rejected: the state then stays.
func (tb *table) put(e *channel.Event, want channel.Status) {
	next, v := tb.rules.Apply(tb.state, uint64(len(tb.States)), e)
	require.Equal(tb.t, want, v.Status, v.Text())
	if next != nil {
		tb.state = next
	}
	tb.Entries = append(tb.Entries, append([]byte{0}, encodeEvent(tb.t, e)...))
	tb.States = append(tb.States, tb.state.Bytes())
}

func (tb *table) play(author uint8, payload []byte) {
	tb.put(tb.next(author, payload), channel.Accepted)
}

func (tb *table) putTopUp(index uint32, want channel.Status) {
	_, v := tb.rules.ApplyTopUp(tb.state, uint64(len(tb.States)))
	require.Equal(tb.t, want, v.Status)
	i := wordHash(uint64(index))
	tb.Entries = append(tb.Entries, append([]byte{1}, i[28:]...))
	tb.States = append(tb.States, tb.state.Bytes())
}

func worldHead() []byte {
	return bytes.Join([][]byte{common.LeftPadBytes(onChainSettlement[:], 32), common.LeftPadBytes(onChainWorld[:], 32), onChainNamespace[:], onChainConfig[:], make([]byte, 32)}, nil)
}

func counterJournal(t *testing.T, module uint64, m *derivation.Module) onChainJournal {
	tb := newTable(t, "counter", module, m, 2, []common.Address{{0: 0xbe}}, worldHead())
	for i := range 11 {
		tb.play(uint8(i%2), bytes.Repeat([]byte{byte(i)}, i))
	}
	tb.play(1, counter.PayloadEnd)
	require.True(t, tb.state.Header.Terminal)
	return tb.onChainJournal
}

// puppetJournal has a leaf of every way to be rejected. Nobody honest signs such a leaf; it is right as long as the state
// stays.
func puppetJournal(t *testing.T, module uint64, m *derivation.Module) onChainJournal {
	funds := func(a, b uint64) []byte { x, y := wordHash(a), wordHash(b); return append(x[:], y[:]...) }
	tb := newTable(t, "puppet", module, m, 2, nil, append(worldHead(), ordered(puppetReturn, result(0, funds(1000, 2000), []byte("begin"))...)...))
	with := func(change func(*channel.Event)) *channel.Event {
		e := tb.next(0, []byte{puppetDigest})
		change(e)
		return e
	}
	tb.play(0, []byte{puppetDigest, 1})
	tb.put(with(func(e *channel.Event) { e.Author = 2 }), channel.RejectedAuthor)
	tb.put(with(func(e *channel.Event) { e.Nonce = 1 }), channel.RejectedNonce)
	tb.put(with(func(e *channel.Event) { e.NotAfter = 1 }), channel.RejectedNotAfter)
	for command, want := range puppetFails {
		if want != channel.Accepted {
			tb.put(tb.next(1, []byte{byte(command)}), want)
		}
	}
	tb.putTopUp(0, channel.RejectedAuthor)
	tb.put(tb.next(1, ordered(puppetReturn, result(0, funds(1000, 2001), nil)...)), channel.RejectedSums)
	tb.play(1, append(ordered(puppetDigest), bytes.Repeat([]byte{5}, channel.MaxPayload-1)...))
	tb.play(0, ordered(puppetReturn, result(1, funds(0, 3000), tailedEffects(puppetReturn, channel.EncodeEffects(nil)...))...))
	tb.put(tb.next(1, nil), channel.RejectedTerminal)
	return tb.onChainJournal
}

func raidJournal(t *testing.T, module uint64, m *derivation.Module) onChainJournal {
	genesis, err := raid.Genesis{Settlement: onChainSettlement, World: onChainWorld, NamespaceID: onChainNamespace, Config: raid.DefaultConfig()}.Input()
	require.NoError(t, err)
	tb := newTable(t, "raid", module, m, 3, nil, genesis)
	var bots []*raid.Bot
	for i := range tb.keys {
		bots = append(bots, raid.NewBot(uint8(i), crypto.Keccak256Hash([]byte{byte(i)})))
	}
	for moved := true; moved && !tb.state.Header.Terminal; {
		moved = false
		for seat, bot := range bots {
			if payload, ok := bot.Next(tb.state.Bytes()); ok {
				tb.play(uint8(seat), payload)
				moved = true
				break
			}
		}
	}
	require.True(t, tb.state.Header.Terminal)
	return tb.onChainJournal
}

// TestC2_OnChainJournals writes and checks games that were played, for the tests of publications.
func TestC2_OnChainJournals(t *testing.T) {
	engine := newEngine(t, derivation.Config{})
	load := func(wasm []byte, o derivation.Options) *derivation.Module {
		m, err := engine.Load(wasm, o)
		require.NoError(t, err)
		return m
	}
	c, p, r := load(counter.Wasm, counter.Options()), load(puppet().Bytes(), puppetOptions(false)), load(raid.Wasm, raidOptions())
	onChainFile(t, "journals.json", map[string]any{
		"modules":  []onChainModule{onChainModuleOf("counter", c), onChainModuleOf("puppet", p), onChainModuleOf("raid", r)},
		"journals": []onChainJournal{counterJournal(t, 0, c), puppetJournal(t, 1, p), raidJournal(t, 2, r)},
	})
}
