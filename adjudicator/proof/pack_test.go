package proof_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
)

// TestAttack18_SplitAndJoin: however a journal is cut, the chunks fit the budget, their ranges lead to the signed root, and together
// they are the journal.
func TestAttack18_SplitAndJoin(t *testing.T) {
	seeds(t, 40, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, random.IntN(60), true)
		budget := proof.Budget{Bytes: 110 + random.IntN(1000), Entries: random.IntN(9)}
		chunks, err := p.journal.Split(p.rules.Params, budget)
		require.NoError(t, err)
		var parts []proof.Part
		next, total := uint64(0), len(p.journal.Genesis)
		for _, c := range chunks {
			require.Equal(t, next, c.First)
			require.LessOrEqual(t, len(c.Entries), budget.Bytes)
			head, err := channel.RestoreJournal(c.First, c.Range)
			require.NoError(t, err)
			leaves, err := proof.Unpack(p.rules.ID(), c.Entries, true)
			require.NoError(t, err)
			if budget.Entries > 0 {
				require.LessOrEqual(t, len(leaves), budget.Entries)
			}
			if c.First == 0 {
				head = head.Append(channel.LeafHash(p.rules.Params.GenesisHash, p.journal.Leaves[0].StateHash))
			}
			for _, l := range leaves {
				head = head.Append(channel.LeafHash(l.Entry.Hash(p.rules.ID()), l.StateHash))
			}
			next, total = head.Size(), total+len(c.Entries)
			parts = append(parts, proof.Part{First: c.First, Next: next, Entries: c.Entries})
			if next == p.update.Seq+1 {
				require.Equal(t, p.update.JournalRoot, head.Root())
			}
		}
		require.Equal(t, p.update.Seq+1, next)
		require.Equal(t, p.journal.Bytes(), total)
		back, err := proof.Join(p.rules.ID(), p.journal.Genesis, p.journal.Leaves[0].StateHash, parts)
		require.NoError(t, err)
		require.Equal(t, bare(p.journal), bare(back))

		broken := map[string][]proof.Part{"nothing": nil, "no first chunk": parts[1:], "twice": append(append([]proof.Part{}, parts...), parts[len(parts)-1])}
		if len(parts) > 2 {
			broken["a gap"] = append(append([]proof.Part{}, parts[0]), parts[2:]...)
			swapped := append([]proof.Part{}, parts...)
			swapped[1], swapped[2] = swapped[2], swapped[1]
			broken["out of order"] = swapped
		}
		lying := append([]proof.Part{}, parts...)
		lying[0].Next++
		broken["another number"] = lying
		for name, b := range broken {
			_, err := proof.Join(p.rules.ID(), p.journal.Genesis, common.Hash{}, b)
			require.ErrorIs(t, err, proof.ErrJournal, name)
		}
	})
}

// bare is a journal as it can be compared: nil and empty payloads are the same.
func bare(j *proof.Journal) proof.Journal {
	out := proof.Journal{Genesis: append([]byte{}, j.Genesis...)}
	for _, l := range j.Leaves {
		if e := l.Entry.Event; e != nil {
			c := *e
			c.Payload = append([]byte{}, c.Payload...)
			l.Entry.Event = &c
		}
		out.Leaves = append(out.Leaves, l)
	}
	return out
}

func TestSplitSaysWhatDoesNotFit(t *testing.T) {
	p := play(t, rand.New(rand.NewPCG(2, 2)), 9, true)
	_, err := p.journal.Split(p.rules.Params, proof.Budget{Bytes: 36})
	require.ErrorIs(t, err, proof.ErrBudget)
	j := p.forge(func(j *proof.Journal) {
		j.Leaves[9].Entry.Event.Payload = make([]byte, channel.MaxPayload+1)
	}).journal
	_, err = j.Split(p.rules.Params, proof.Budget{Bytes: 1 << 20})
	require.ErrorIs(t, err, proof.ErrEntry)
	j = p.forge(func(j *proof.Journal) { j.Leaves[9].Entry.Event.ChannelID[0]++ }).journal
	_, err = j.Split(p.rules.Params, proof.Budget{Bytes: 1 << 20})
	require.ErrorIs(t, err, proof.ErrEntry)
}

// TestExecuteCutsWhereTheGasEnds: every chunk starts from the state that the one before left, and stays within the gas.
func TestExecuteCutsWhereTheGasEnds(t *testing.T) {
	seeds(t, 20, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, random.IntN(30), true)
		gas := proof.Gas{Limit: 200_000 + random.Uint64N(400_000), Overhead: 20_000}
		list, err := p.journal.Execute(p.rules, p.update, gas)
		require.NoError(t, err)
		seq := 0
		for i, e := range list {
			require.EqualValues(t, seq, e.First)
			leaves, err := proof.Unpack(p.rules.ID(), e.Entries, false)
			require.NoError(t, err)
			if i == 0 {
				require.Empty(t, e.State)
				seq = 1
			} else {
				require.Equal(t, p.states[e.First-1].Bytes(), e.State)
				require.NotEmpty(t, leaves)
			}
			require.LessOrEqual(t, uint64(len(leaves))*gas.Overhead, gas.Limit)
			seq += len(leaves)
		}
		require.EqualValues(t, p.update.Seq+1, seq)
		_, err = p.journal.Execute(p.rules, p.update, proof.Gas{Limit: 100, Overhead: 101})
		require.ErrorIs(t, err, proof.ErrBudget)
		forged := p.forge(func(j *proof.Journal) { j.Leaves[len(j.Leaves)-1].StateHash = common.Hash{1} })
		_, err = forged.journal.Execute(forged.rules, forged.update, gas)
		require.ErrorIs(t, err, proof.ErrJournal)
	})
}

func TestAttack29_MalformedEntriesAreRefused(t *testing.T) {
	id := common.Hash{1}
	e := channel.Entry{Event: &channel.SignedEvent{Event: channel.Event{ChannelID: id, Payload: []byte("hello")}}}
	b, err := proof.Pack(id, []proof.Leaf{{Entry: e}, {Entry: channel.Entry{TopUp: 3}}}, true)
	require.NoError(t, err)
	require.Len(t, b, 28+5+32+5+32)
	for n := 1; n < len(b); n++ {
		if n == 65 {
			continue // one whole entry
		}
		_, err = proof.Unpack(id, b[:n], true)
		require.ErrorIs(t, err, proof.ErrEntry, "%d bytes", n)
	}
	long := common.CopyBytes(b)
	long[26], long[27] = 0x10, 0x01 // 4097
	for name, bad := range map[string][]byte{"kind": {2, 0, 0, 0, 0}, "payload": append(long, make([]byte, 5000)...), "huge": make([]byte, proof.MaxJournalBytes+1)} {
		_, err = proof.Unpack(id, bad, true)
		require.ErrorIs(t, err, proof.ErrEntry, name)
	}
}

func FuzzUnpack(f *testing.F) {
	id := common.Hash{7}
	p := play(f, rand.New(rand.NewPCG(9, 9)), 12, true)
	for _, states := range []bool{true, false} {
		b, err := proof.Pack(p.rules.ID(), p.journal.Leaves[1:], states)
		require.NoError(f, err)
		f.Add(b, states)
	}
	f.Fuzz(func(t *testing.T, b []byte, states bool) {
		leaves, err := proof.Unpack(id, b, states)
		if err != nil {
			return
		}
		again, err := proof.Pack(id, leaves, states)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x becomes %x (%v)", b, again, err)
		}
	})
}
