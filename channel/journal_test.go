package channel

import (
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

func TestF1_JournalAndTreeAgreeWithTheOracle(t *testing.T) {
	const n = 300
	tree, leaves := testTree(n)
	require.Equal(t, uint64(n), tree.Size())
	require.Equal(t, oracleRoot(nil), Journal{}.Root())
	require.Zero(t, Journal{}.Size())
	var j Journal
	for i, leaf := range leaves {
		j = j.Append(leaf)
		want := oracleRoot(leaves[:i+1])
		require.Equal(t, want, j.Root(), "journal of %d", i+1)
		require.Equal(t, uint64(i+1), j.Size())
		root, err := tree.RootAt(uint64(i + 1))
		require.NoError(t, err)
		require.Equal(t, want, root, "tree of %d", i+1)
	}
	rng := rand.New(rand.NewSource(1))
	for range 300 {
		size := 1 + rng.Intn(n)
		index, first := rng.Intn(size), 1+rng.Intn(size)
		path, err := tree.InclusionProof(uint64(index), uint64(size))
		require.NoError(t, err)
		require.Equal(t, oracleInclusion(index, leaves[:size]), path)
		path, err = tree.ConsistencyProof(uint64(first), uint64(size))
		require.NoError(t, err)
		require.Equal(t, oracleConsistency(first, leaves[:size]), path)
	}
}

// A Journal is a value: two children of one parent, and changes of what went in or came out, do not touch each other.
func TestF1_JournalIsAValue(t *testing.T) {
	_, leaves := testTree(40)
	for n := range 33 {
		var parent Journal
		for _, leaf := range leaves[:n] {
			parent = parent.Append(leaf)
		}
		rootBefore, peaksBefore := parent.Root(), append([]common.Hash(nil), parent.Peaks()...)
		a, b := parent.Append(leaves[n]), parent.Append(leaves[n+1])
		require.Equal(t, oracleRoot(leaves[:n+1]), a.Root())
		require.Equal(t, oracleRoot(append(append([]common.Hash(nil), leaves[:n]...), leaves[n+1])), b.Root())
		a = a.Append(leaves[n+2])
		require.Equal(t, oracleRoot(append(append([]common.Hash(nil), leaves[:n+1]...), leaves[n+2])), a.Root())
		require.Equal(t, rootBefore, parent.Root())
		require.Equal(t, peaksBefore, append([]common.Hash(nil), parent.Peaks()...))

		for i := range parent.Peaks() {
			parent.Peaks()[i] = common.Hash{0xee}
		}
		require.Equal(t, rootBefore, parent.Root(), "what Peaks gave belongs to the caller")

		restored, err := RestoreJournal(parent.Size(), peaksBefore)
		require.NoError(t, err)
		for i := range peaksBefore {
			peaksBefore[i] = common.Hash{0xee}
		}
		require.Equal(t, rootBefore, restored.Root(), "what RestoreJournal got belongs to the caller")
		require.Equal(t, parent.Append(leaves[n]).Root(), restored.Append(leaves[n]).Root())
	}
}

func TestF1_RestoreJournalRefusesAnotherNumberOfPeaks(t *testing.T) {
	for _, c := range []struct {
		size  uint64
		peaks int
		ok    bool
	}{
		{0, 0, true}, {0, 1, false}, {1, 0, false}, {1, 1, true}, {1, 2, false}, {2, 1, true}, {2, 2, false}, {3, 2, true},
		{7, 3, true}, {7, 2, false}, {8, 1, true}, {1 << 63, 1, true}, {maxUint64 - 1, 63, true}, {maxUint64 - 1, 64, false},
		{maxUint64, 64, false}, // a leaf more has no seq
	} {
		j, err := RestoreJournal(c.size, make([]common.Hash, c.peaks))
		if !c.ok {
			require.ErrorIs(t, err, &Refusal{Code: CodeMalformed}, "%d leaves, %d peaks", c.size, c.peaks)
			continue
		}
		require.NoError(t, err, "%d leaves, %d peaks", c.size, c.peaks)
		require.NotPanics(t, func() { require.Equal(t, c.size+1, j.Append(common.Hash{1}).Size()) })
	}
}

func TestF1_TreeRefusesWhatItDoesNotHold(t *testing.T) {
	tree, _ := testTree(5)
	for _, size := range []uint64{0, 6, maxUint64} {
		_, err := tree.RootAt(size)
		require.ErrorIs(t, err, ErrNoSuchLeaf, "root of %d", size)
	}
	for _, q := range [][2]uint64{{0, 0}, {5, 5}, {4, 6}, {0, 6}, {maxUint64, 5}, {0, maxUint64}, {maxUint64, maxUint64}} {
		_, err := tree.InclusionProof(q[0], q[1])
		require.ErrorIs(t, err, ErrNoSuchLeaf, "inclusion %v", q)
	}
	for _, q := range [][2]uint64{{0, 0}, {0, 5}, {3, 2}, {5, 6}, {6, 6}, {maxUint64, maxUint64}} {
		_, err := tree.ConsistencyProof(q[0], q[1])
		require.ErrorIs(t, err, ErrNoSuchLeaf, "consistency %v", q)
	}
	_, err := new(Tree).RootAt(1)
	require.ErrorIs(t, err, ErrNoSuchLeaf)
}

// mutations of a proof: each hash changed, dropped, doubled; one added at either end; neighbours swapped.
func mutations(path []common.Hash) (out [][]common.Hash) {
	clone := func() []common.Hash { return append([]common.Hash(nil), path...) }
	for i := range path {
		m := clone()
		m[i][31] ^= 1
		out = append(out, m)
		out = append(out, append(clone()[:i], path[i+1:]...))
		out = append(out, append(append(clone()[:i], path[i]), path[i:]...))
		if i > 0 {
			m = clone()
			m[i], m[i-1] = m[i-1], m[i]
			out = append(out, m)
		}
	}
	return append(out, append(clone(), common.Hash{}), append([]common.Hash{{}}, path...))
}

func requireMalformed(t *testing.T, err error, context ...any) {
	t.Helper()
	require.ErrorIs(t, err, &Refusal{Code: CodeMalformed}, context...)
}

func TestA2_Attack5_MutatedInclusionProofsFail(t *testing.T) {
	const n = 21
	tree, _ := testTree(n)
	for size := uint64(1); size <= n; size++ {
		root, err := tree.RootAt(size)
		require.NoError(t, err)
		for index := range size {
			path, err := tree.InclusionProof(index, size)
			require.NoError(t, err)
			event, state := testLeaf(int(index))
			require.NoError(t, VerifyInclusion(event, state, index, size, path, root))

			otherEvent, otherState := testLeaf(int(index) + 1)
			requireMalformed(t, VerifyInclusion(otherEvent, state, index, size, path, root), "another event")
			requireMalformed(t, VerifyInclusion(event, otherState, index, size, path, root), "another state")
			requireMalformed(t, VerifyInclusion(state, event, index, size, path, root), "event and state swapped")
			requireMalformed(t, VerifyInclusion(event, state, index, size, path, common.Hash{}), "another root")
			for other := range size {
				if other != index {
					requireMalformed(t, VerifyInclusion(event, state, other, size, path, root), "leaf %d as %d", index, other)
				}
			}
			requireMalformed(t, VerifyInclusion(event, state, size, size, path, root))
			requireMalformed(t, VerifyInclusion(event, state, index, 0, path, root))
			for _, m := range mutations(path) {
				requireMalformed(t, VerifyInclusion(event, state, index, size, m, root))
			}
		}
	}
}

func TestF2_ProofRefusalsAreReadable(t *testing.T) {
	event, state := testLeaf(0)
	leaf := LeafHash(event, state)
	require.EqualError(t, VerifyInclusion(event, state, 0, 1, nil, common.Hash{}),
		"malformed: inclusion proof of leaf 0 of 1: it leads to root "+leaf.Hex()[2:]+", expected "+common.Hash{}.Hex()[2:])
	require.EqualError(t, VerifyConsistency(2, 1, nil, leaf, leaf), "malformed: a journal of 2 leaves cannot be a prefix of one of 1")
}

// A node is no leaf: its two children cannot be passed off as event and state (domain separation).
func TestA2_NodeIsNoLeaf(t *testing.T) {
	_, leaves := testTree(4)
	root := oracleRoot(leaves)
	left, right := oracleRoot(leaves[:2]), oracleRoot(leaves[2:])
	requireMalformed(t, VerifyInclusion(left, right, 0, 1, nil, root))
	requireMalformed(t, VerifyInclusion(leaves[0], leaves[1], 0, 2, []common.Hash{right}, root))
}

func TestA2_Attack5_RewrittenHistoriesAreInconsistent(t *testing.T) {
	const n = 21
	tree, leaves := testTree(n)
	roots := make([]common.Hash, n+1)
	for size := 1; size <= n; size++ {
		roots[size] = oracleRoot(leaves[:size])
	}
	for second := uint64(1); second <= n; second++ {
		for first := uint64(1); first <= second; first++ {
			path, err := tree.ConsistencyProof(first, second)
			require.NoError(t, err)
			require.NoError(t, VerifyConsistency(first, second, path, roots[first], roots[second]))
			for _, m := range mutations(path) {
				requireMalformed(t, VerifyConsistency(first, second, m, roots[first], roots[second]), "%d in %d", first, second)
			}
			// Truncated, and every single old leaf rewritten, with the proof an attacker would make of the new history.
			requireMalformed(t, VerifyConsistency(0, second, nil, oracleRoot(nil), roots[second]))
			if first < second {
				requireMalformed(t, VerifyConsistency(second, first, path, roots[second], roots[first]), "shortened")
			}
			for i := range first {
				forged := append([]common.Hash(nil), leaves[:second]...)
				forged[i][0] ^= 1
				requireMalformed(t, VerifyConsistency(first, second, oracleConsistency(int(first), forged), roots[first], oracleRoot(forged)),
					"leaf %d of %d rewritten", i, first)
			}
			if second < n { // an event inserted before the end of the old journal
				forged := append(append(append([]common.Hash(nil), leaves[:first-1]...), common.Hash{7}), leaves[first-1:second]...)
				requireMalformed(t, VerifyConsistency(first, second+1, oracleConsistency(int(first), forged), roots[first], oracleRoot(forged)),
					"inserted before %d", first)
			}
		}
	}
}

// Encoding 10: a root does not commit to its size. The last leaf of a tree of 7 is also the last leaf of a tree of 4 with
// the same root, so the size must come from a signed Update and never from the proof.
func TestAttack5_RootDoesNotCommitToItsSize(t *testing.T) {
	tree, leaves := testTree(7)
	root := oracleRoot(leaves)
	path, err := tree.InclusionProof(6, 7)
	require.NoError(t, err)
	event, state := testLeaf(6)
	require.NoError(t, VerifyInclusion(event, state, 6, 7, path, root), "the truth")
	require.NoError(t, VerifyInclusion(event, state, 3, 4, path, root), "the lie that nobody may be able to tell")
	requireMalformed(t, VerifyInclusion(event, state, 3, 7, path, root), "with the signed size it fails")
	require.NoError(t, VerifyInclusion(event, state, 5, 6, path, root), "another one")
	requireMalformed(t, VerifyInclusion(event, state, 2, 4, path, root), "only as the last leaf of a smaller tree")
	// Rebuilding the root from seq + 1 leaves, as the settlement does, is what establishes a size.
	require.NotEqual(t, root, oracleRoot(leaves[:4]))
}
