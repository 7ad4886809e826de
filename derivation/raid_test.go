package derivation_test

import (
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/raid"
)

func raidOptions() derivation.Options {
	return derivation.Options{PageLimit: raid.PageLimit, MaxEvents: raid.MaxEvents}
}

// journal is a played game: what a store would hold of it.
type journal struct {
	rules   *channel.Rules
	genesis []byte
	entries []channel.Entry
	hashes  []common.Hash // stateHash by seq
	states  [][]byte      // by seq
	inputs  [][]byte      // of reduce, by seq - 1: the event as the shell gives it
	fuel    uint64        // of the most expensive reduce
}

var errNoEntry = errors.New("no such entry")

// Entry makes the journal a derivation.Source.
func (j *journal) Entry(seq uint64) (channel.Entry, common.Hash, error) {
	if seq == 0 || seq > uint64(len(j.entries)) {
		return channel.Entry{}, common.Hash{}, errNoEntry
	}
	return j.entries[seq-1], j.hashes[seq], nil
}

// recorder sees what the shell gives to the module.
type recorder struct {
	channel.Module
	events [][]byte
}

func (r *recorder) Reduce(state, event []byte) channel.Result {
	r.events = append(r.events, append([]byte(nil), event...))
	return r.Module.Reduce(state, event)
}

// playRaid lets bots play a raid of two heroes to its end, with signed events.
func playRaid(t testing.TB, m channel.Module) *journal {
	t.Helper()
	genesis, err := raid.Genesis{Config: raid.DefaultConfig()}.Input()
	require.NoError(t, err)
	funding := channel.Funding{{Amounts: []uint256.Int{*uint256.NewInt(1000), *uint256.NewInt(2000), *uint256.NewInt(3000)}}}
	params := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad}, Window: 3600, ForceQuota: raid.MaxEvents, Sequencer: 2,
		ModuleHash: m.Manifest().Hash(), GenesisHash: channel.GenesisHash(genesis), FundingHash: funding.Hash(), FundingDeadline: 1_800_000_000,
	}
	keys := signers(t, 3)
	var bots []*raid.Bot
	for i, key := range keys {
		params.Participants = append(params.Participants, channel.Participant{Signer: crypto.PubkeyToAddress(key.PublicKey), Owner: common.Address{byte(i + 1)}})
		bots = append(bots, raid.NewBot(uint8(i), crypto.Keccak256Hash([]byte{byte(i)})))
	}
	rec := &recorder{Module: m}
	rules, err := channel.NewRules(params, funding, rec)
	require.NoError(t, err)
	state, v := rules.Genesis(genesis)
	require.Equal(t, channel.Accepted, v.Status, v.Reason)
	j := &journal{genesis: genesis, hashes: []common.Hash{state.Hash()}, states: [][]byte{state.Bytes()}}
	for moved := true; moved && !state.Header.Terminal; {
		moved = false
		for seat, bot := range bots {
			payload, ok := bot.Next(state.Bytes())
			if !ok {
				continue
			}
			seq := uint64(len(j.hashes))
			e := channel.Event{ChannelID: rules.ID(), Author: uint8(seat), Nonce: state.Header.Nonces[seat] + 1, Timestamp: 1_700_000_000 + seq, Payload: payload}
			sig, err := channel.Sign(params.Domain().Digest(e), keys[seat])
			require.NoError(t, err)
			next, v := rules.Apply(state, seq, &e)
			require.Equal(t, channel.Accepted, v.Status, v.Text())
			state, moved, j.fuel = next, true, max(j.fuel, v.Fuel)
			j.entries = append(j.entries, channel.Entry{Event: &channel.SignedEvent{Event: e, Signature: sig}})
			j.hashes, j.states = append(j.hashes, state.Hash()), append(j.states, state.Bytes())
			break
		}
	}
	require.True(t, state.Header.Terminal)
	require.Greater(t, len(j.entries), 20)
	j.inputs = rec.events
	j.rules, err = channel.NewRules(params, funding, m)
	require.NoError(t, err)
	return j
}

// TestU1_F11_RaidOnAllEngines plays the raid on one engine and repeats it on the others: bytes, status, fuel.
func TestU1_F11_RaidOnAllEngines(t *testing.T) {
	all := engines(t)
	m, err := all["compiler"].Load(raid.Wasm, raidOptions())
	require.NoError(t, err)
	j := playRaid(t, m)
	t.Logf("raid: %d events, most fuel of one %d, module %+v", len(j.entries), j.fuel, m.Info())
	require.Less(t, j.fuel, uint64(derivation.DefaultFuelLimit))
	last := j.states[len(j.states)-1]
	for name, engine := range all {
		other, err := engine.Load(raid.Wasm, raidOptions())
		require.NoError(t, err)
		require.Equal(t, m.Hash(), other.Hash())
		for i, event := range j.inputs {
			require.Equal(t, m.Reduce(j.states[i], event), other.Reduce(j.states[i], event), name)
			// The same event again is a move out of turn or a repetition: a rejection, the same everywhere.
			require.Equal(t, m.Reduce(j.states[i+1], event), other.Reduce(j.states[i+1], event), name)
		}
		require.Equal(t, m.Effects(last), other.Effects(last), name)
	}
	require.Equal(t, channel.Accepted, m.Effects(last).Status)
}
