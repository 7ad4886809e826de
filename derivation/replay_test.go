package derivation_test

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

func signers(t testing.TB, n int) []*ecdsa.PrivateKey {
	keys := make([]*ecdsa.PrivateKey, n)
	for i := range keys {
		k, err := crypto.ToECDSA(common.LeftPadBytes(big.NewInt(int64(i+1)).Bytes(), 32))
		require.NoError(t, err)
		keys[i] = k
	}
	return keys
}

// shelf keeps snapshots in memory.
type shelf struct {
	kept []derivation.Snapshot
	asks int
}

func (s *shelf) Keep(n derivation.Snapshot) error { s.kept = append(s.kept, n); return nil }

func (s *shelf) Newest(seq uint64) (best *derivation.Snapshot, err error) {
	s.asks++
	for i := range s.kept {
		if s.kept[i].Seq <= seq && (best == nil || s.kept[i].Seq > best.Seq) {
			best = &s.kept[i]
		}
	}
	return best, nil
}

func playedRaid(t testing.TB) *journal {
	m, err := newEngine(t, derivation.Config{}).Load(raid.Wasm, raidOptions())
	require.NoError(t, err)
	return playRaid(t, m)
}

// TestF1_F11_ReplayGivesTheSameStates: every seq, in any order, with and without snapshots, from what was kept before.
func TestF1_F11_ReplayGivesTheSameStates(t *testing.T) {
	j, ctx := playedRaid(t), context.Background()
	last := uint64(len(j.entries))
	kept := &shelf{}
	for name, config := range map[string]derivation.ReplayConfig{
		"plain":     derivation.ReplayConfig{}.WithGenesisState(j.hashes[0]),
		"snapshots": derivation.ReplayConfig{}.WithSnapshots(kept, 7),
		"signed":    derivation.ReplayConfig{}.WithSignatures().WithSnapshots(&shelf{}, 1),
	} {
		r := derivation.NewReplayer(j.rules, j.genesis, j, config)
		for _, seq := range []uint64{last, 0, 3, last / 2, last/2 + 1, 1, last - 1, 20} {
			p, err := r.At(ctx, seq)
			require.NoError(t, err, name)
			require.Equal(t, seq, p.Seq)
			require.Equal(t, j.states[seq], p.State.Bytes(), name)
			require.Equal(t, seq+1, p.Journal.Size(), name)
		}
		p, err := r.Verify(ctx, last, nil)
		require.NoError(t, err)
		u := p.Update(j.rules.ID())
		require.Equal(t, j.hashes[last], u.StateHash)
		_, err = r.Verify(ctx, last, &u)
		require.NoError(t, err)
		u.JournalRoot[0] ^= 1
		_, err = r.Verify(ctx, last, &u)
		require.ErrorIs(t, err, derivation.ErrDiverged)
		_, err = r.At(ctx, last+1)
		require.ErrorIs(t, err, errNoEntry)
	}
	require.NotEmpty(t, kept.kept)

	// A process that starts with the snapshots gives the same root and reads only what comes after them.
	fresh := derivation.NewReplayer(j.rules, []byte("not needed"), j, derivation.ReplayConfig{}.WithSnapshots(kept, 7))
	a, err := fresh.At(ctx, last)
	require.NoError(t, err)
	b, err := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}).At(ctx, last)
	require.NoError(t, err)
	require.Equal(t, b.Journal.Root(), a.Journal.Root())
}

// TestA2_F11_ReplayFindsTheFirstWrongLeaf covers attack 6: what everybody signed, but the rules do not give.
func TestA2_F11_ReplayFindsTheFirstWrongLeaf(t *testing.T) {
	ctx := context.Background()
	at := func(j *journal) error {
		_, err := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}).At(ctx, uint64(len(j.entries)))
		return err
	}
	j := playedRaid(t)
	right := j.hashes[9]
	j.hashes[9], j.hashes[12] = common.Hash{1}, common.Hash{2}
	var d *derivation.Divergence
	require.ErrorAs(t, at(j), &d)
	require.Equal(t, derivation.Divergence{Seq: 9, Expected: common.Hash{1}, Got: right, Status: channel.Accepted}, *d)
	require.ErrorContains(t, at(j), "leaf 9 is not right")

	// An event that the rules reject leaves the state as it was, so a leaf that says otherwise is wrong, and the status says why.
	j = playedRaid(t)
	e := *j.entries[4].Event
	e.Nonce += 5
	j.entries[4] = channel.Entry{Event: &e}
	require.ErrorAs(t, at(j), &d)
	require.Equal(t, uint64(5), d.Seq)
	require.Equal(t, j.hashes[4], d.Got)
	require.Equal(t, channel.RejectedNonce, d.Status)
	j.hashes[5] = j.hashes[4]
	require.ErrorAs(t, at(j), &d)
	require.Equal(t, uint64(6), d.Seq, "leaf 5 is right now: rejected and unchanged")

	// Leaves that are not known are derived and not compared.
	j = playedRaid(t)
	for i := range j.hashes {
		j.hashes[i] = common.Hash{}
	}
	require.NoError(t, at(j))

	_, err := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}.WithGenesisState(common.Hash{9})).At(ctx, 0)
	require.ErrorIs(t, err, derivation.ErrDiverged)
	_, err = derivation.NewReplayer(j.rules, []byte("another genesis"), j, derivation.ReplayConfig{}).At(ctx, 0)
	require.ErrorIs(t, err, derivation.ErrGenesis)
}

func TestF11_ReplayChecksSignaturesAndSnapshots(t *testing.T) {
	ctx := context.Background()
	j := playedRaid(t)
	j.entries[6].Event.Signature[10] ^= 1
	_, err := derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}).At(ctx, 10)
	require.NoError(t, err)
	_, err = derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}.WithSignatures()).At(ctx, 10)
	require.ErrorIs(t, err, derivation.ErrSigner)
	require.ErrorContains(t, err, "seq 7")

	for name, bad := range map[string]derivation.Snapshot{
		"another state": {Seq: 3, State: j.states[2], Peaks: make([]common.Hash, 1)},
		"no state":      {Seq: 3, State: []byte{1}, Peaks: make([]common.Hash, 1)},
		"peaks":         {Seq: 3, State: j.states[3]},
	} {
		_, err = derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}.WithSnapshots(&shelf{kept: []derivation.Snapshot{bad}}, 100)).At(ctx, 5)
		require.ErrorContains(t, err, "snapshot at seq 3", name)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = derivation.NewReplayer(j.rules, j.genesis, j, derivation.ReplayConfig{}).At(canceled, 5)
	require.ErrorIs(t, err, context.Canceled)
}

func TestF11_ReplayCountsTopUps(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	w := newWorld(t, m, nil)
	t1 := channel.TopUp{Index: 0, Participant: 1}
	t1.Amount.SetUint64(5)
	w.rules.TopUps = []channel.TopUp{t1}
	j := &journal{rules: w.rules, hashes: make([]common.Hash, 4), entries: []channel.Entry{{Event: &channel.SignedEvent{Event: *w.event(0, 1, nil)}}, {TopUp: 0}, {TopUp: 0}}}
	r := derivation.NewReplayer(w.rules, nil, j, derivation.ReplayConfig{})
	p, err := r.At(context.Background(), 2)
	require.NoError(t, err)
	require.EqualValues(t, 1, p.State.Header.TopUps)
	require.EqualValues(t, 55, p.State.Funds[63])
	p, err = r.At(context.Background(), 3)
	require.NoError(t, err)
	require.Equal(t, channel.RejectedAuthor, p.Verdict.Status)
	require.EqualValues(t, 1, p.State.Header.TopUps)
}
