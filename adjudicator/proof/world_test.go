package proof_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
)

// played is a channel of the counter with a journal that its rules gave.
type played struct {
	rules   *channel.Rules
	journal *proof.Journal
	update  channel.Update
	states  []*channel.State
}

var module = func() *derivation.Module {
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	if err != nil {
		panic(err)
	}
	m, err := e.Load(counter.Wasm, counter.Options())
	if err != nil {
		panic(err)
	}
	return m
}()

func newRules(t testing.TB, participants, assets int, genesis []byte) *channel.Rules {
	t.Helper()
	p := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad}, Window: 60, ForceQuota: 8, FundingDeadline: 1_800_000_000,
		Beneficiaries: []common.Address{{21}}, ModuleHash: module.Hash(), GenesisHash: channel.GenesisHash(genesis),
	}
	var f channel.Funding
	for i := range participants {
		p.Participants = append(p.Participants, channel.Participant{Signer: common.Address{1, byte(i)}, Owner: common.Address{2, byte(i)}})
	}
	for a := range assets {
		s := channel.Stake{Asset: common.Address{byte(a)}}
		for i := range participants {
			s.Amounts = append(s.Amounts, *uint256.NewInt(uint64(100*a + i)))
		}
		f = append(f, s)
	}
	p.FundingHash = f.Hash()
	r, err := channel.NewRules(p, f, module)
	require.NoError(t, err)
	return r
}

// play makes a journal of random entries, every third or so one that the rules reject, and ends in a terminal state when end is set.
func play(t testing.TB, random *rand.Rand, entries int, end bool) *played {
	t.Helper()
	genesis := make([]byte, random.IntN(300))
	for i := range genesis {
		genesis[i] = byte(random.Uint32())
	}
	p := &played{rules: newRules(t, 2+random.IntN(3), random.IntN(3), genesis)}
	state, v := p.rules.Genesis(genesis)
	require.Equal(t, channel.Accepted, v.Status, v.Text())
	p.journal = &proof.Journal{Genesis: genesis, Leaves: []proof.Leaf{{StateHash: state.Hash()}}}
	p.states = []*channel.State{state}
	for seq := uint64(1); len(p.journal.Leaves) <= entries; seq++ {
		e := p.randomEntry(random, state, seq, end && len(p.journal.Leaves) == entries)
		if next, v := derive(p.rules, state, seq, e); v.Status == channel.Accepted {
			state = next
		}
		p.journal.Leaves = append(p.journal.Leaves, proof.Leaf{Entry: e, StateHash: state.Hash()})
		p.states = append(p.states, state)
	}
	p.sign()
	return p
}

func derive(r *channel.Rules, prev *channel.State, seq uint64, e channel.Entry) (*channel.State, channel.Verdict) {
	if e.Event == nil {
		if e.TopUp != prev.Header.TopUps {
			return nil, channel.Verdict{Status: channel.RejectedAuthor}
		}
		return r.ApplyTopUp(prev, seq)
	}
	return r.Apply(prev, seq, &e.Event.Event)
}

func (p *played) randomEntry(random *rand.Rand, state *channel.State, seq uint64, end bool) channel.Entry {
	author := random.IntN(len(state.Header.Nonces))
	e := channel.Event{
		ChannelID: p.rules.ID(), Author: uint8(author), Nonce: state.Header.Nonces[author] + 1, Timestamp: 1_700_000_000 + random.Uint64N(1000),
		Payload: make([]byte, random.IntN(40)),
	}
	if end {
		e.Payload = counter.PayloadEnd
		return channel.Entry{Event: &channel.SignedEvent{Event: e}}
	}
	for i := range e.Payload {
		e.Payload[i] = 'a' + byte(random.IntN(26))
	}
	switch random.IntN(12) {
	case 0:
		return channel.Entry{TopUp: random.Uint32N(3)}
	case 1:
		e.Nonce += 1 + random.Uint64N(3)
	case 2:
		e.Author = 200
	case 3:
		e.NotAfter = seq - 1 // 0 is no limit
	case 4:
		e.NotAfter = seq + random.Uint64N(3)
	}
	return channel.Entry{Event: &channel.SignedEvent{Event: e}}
}

// sign makes the update of what the journal says now.
func (p *played) sign() {
	n := uint64(len(p.journal.Leaves))
	root, err := p.journal.Tree(p.rules.Params).RootAt(n)
	if err != nil {
		panic(err)
	}
	p.update = channel.Update{ChannelID: p.rules.ID(), Seq: n - 1, JournalRoot: root, StateHash: p.journal.Leaves[n-1].StateHash}
}

// forge is the journal with the change made and signed by everybody.
func (p *played) forge(change func(j *proof.Journal)) *played {
	q := *p
	j := &proof.Journal{Genesis: p.journal.Genesis, Leaves: append([]proof.Leaf(nil), p.journal.Leaves...)}
	for i, l := range j.Leaves {
		if l.Entry.Event != nil {
			e := *l.Entry.Event
			j.Leaves[i].Entry.Event = &e
		}
	}
	change(j)
	q.journal = j
	q.sign()
	return &q
}

func seeds(t *testing.T, n int, f func(t *testing.T, random *rand.Rand)) {
	for seed := range uint64(n) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { f(t, rand.New(rand.NewPCG(seed, 4))) })
	}
}
