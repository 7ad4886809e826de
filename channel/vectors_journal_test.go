package channel

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

type inclusionVector struct {
	Index number        `json:"index"`
	Size  number        `json:"size"`
	Proof []common.Hash `json:"proof"`
}

type consistencyVector struct {
	First  number        `json:"first"`
	Second number        `json:"second"`
	Proof  []common.Hash `json:"proof"`
}

type journalCase struct {
	Name        string              `json:"name"`
	EventHashes []common.Hash       `json:"eventHashes"`
	StateHashes []common.Hash       `json:"stateHashes"`
	Leaves      []common.Hash       `json:"leaves"` // keccak256(0x00 ‖ eventHash ‖ stateHash)
	Roots       []common.Hash       `json:"roots"`  // roots[i] is the root of the first i + 1 leaves
	Inclusion   []inclusionVector   `json:"inclusion"`
	Consistency []consistencyVector `json:"consistency"`
}

// The oracle: RFC 9162 §2.1 word by word, recursive and slow.

func oracleSplit(n int) int { // the largest power of two below n
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func oracleRoot(leaves []common.Hash) common.Hash {
	switch len(leaves) {
	case 0:
		return crypto.Keccak256Hash()
	case 1:
		return leaves[0]
	}
	k := oracleSplit(len(leaves))
	l, r := oracleRoot(leaves[:k]), oracleRoot(leaves[k:])
	return crypto.Keccak256Hash([]byte{1}, l[:], r[:])
}

func oracleInclusion(m int, leaves []common.Hash) []common.Hash { // PATH(m, D[n])
	if len(leaves) == 1 {
		return []common.Hash{}
	}
	k := oracleSplit(len(leaves))
	if m < k {
		return append(oracleInclusion(m, leaves[:k]), oracleRoot(leaves[k:]))
	}
	return append(oracleInclusion(m-k, leaves[k:]), oracleRoot(leaves[:k]))
}

func oracleConsistency(m int, leaves []common.Hash) []common.Hash { // PROOF(m, D[n])
	return oracleSubproof(m, leaves, true)
}

func oracleSubproof(m int, leaves []common.Hash, whole bool) []common.Hash { // SUBPROOF(m, D[n], b)
	if m == len(leaves) {
		if whole {
			return []common.Hash{}
		}
		return []common.Hash{oracleRoot(leaves)}
	}
	k := oracleSplit(len(leaves))
	if m <= k {
		return append(oracleSubproof(m, leaves[:k], whole), oracleRoot(leaves[k:]))
	}
	return append(oracleSubproof(m-k, leaves[k:], false), oracleRoot(leaves[:k]))
}

// testLeaf gives the event and state hash of leaf i.
func testLeaf(i int) (event, state common.Hash) {
	return testHash(fmt.Sprintf("event %d", i)), testHash(fmt.Sprintf("state %d", i))
}

func testTree(n int) (*Tree, []common.Hash) {
	tree, leaves := new(Tree), []common.Hash{}
	for i := range n {
		leaf := LeafHash(testLeaf(i))
		tree.Append(leaf)
		leaves = append(leaves, leaf)
	}
	return tree, leaves
}

func journalVectorCase(t *testing.T, name string, n int, inclusion, consistency [][2]int) journalCase {
	tree, leaves := testTree(n)
	c := journalCase{Name: name, Leaves: leaves, Inclusion: []inclusionVector{}, Consistency: []consistencyVector{}}
	for i := range n {
		event, state := testLeaf(i)
		c.EventHashes, c.StateHashes = append(c.EventHashes, event), append(c.StateHashes, state)
		root, err := tree.RootAt(uint64(i + 1))
		require.NoError(t, err)
		c.Roots = append(c.Roots, root)
	}
	for _, q := range inclusion {
		proof, err := tree.InclusionProof(uint64(q[0]), uint64(q[1]))
		require.NoError(t, err)
		c.Inclusion = append(c.Inclusion, inclusionVector{num(uint64(q[0])), num(uint64(q[1])), proof})
	}
	for _, q := range consistency {
		proof, err := tree.ConsistencyProof(uint64(q[0]), uint64(q[1]))
		require.NoError(t, err)
		c.Consistency = append(c.Consistency, consistencyVector{num(uint64(q[0])), num(uint64(q[1])), proof})
	}
	return c
}

func goldenJournals(t *testing.T) (out vectors[journalCase]) {
	for _, n := range []int{1, 2, 3, 7, 8} {
		inclusion, consistency := [][2]int{}, [][2]int{}
		for i := range n {
			inclusion, consistency = append(inclusion, [2]int{i, n}), append(consistency, [2]int{i + 1, n})
		}
		out.Cases = append(out.Cases, journalVectorCase(t, fmt.Sprintf("%d leaves", n), n, inclusion, consistency))
	}
	var inclusion, consistency [][2]int
	for size := 1; size <= 20; size++ {
		for i := range size {
			inclusion, consistency = append(inclusion, [2]int{i, size}), append(consistency, [2]int{i + 1, size})
		}
	}
	out.Cases = append(out.Cases, journalVectorCase(t, "20 leaves, every proof of every size", 20, inclusion, consistency))
	out.Cases = append(out.Cases, journalVectorCase(t, "100 leaves", 100,
		[][2]int{{0, 100}, {1, 100}, {63, 64}, {63, 65}, {64, 65}, {63, 100}, {64, 100}, {95, 100}, {96, 100}, {98, 100}, {99, 100}, {50, 99}},
		[][2]int{{1, 100}, {2, 100}, {32, 100}, {63, 100}, {64, 100}, {65, 100}, {96, 100}, {97, 100}, {99, 100}, {100, 100}, {63, 64}, {64, 65}}))
	return out
}

func TestVectorsF2_Journal(t *testing.T) {
	for _, c := range golden(t, "journal.json", goldenJournals(t)).Cases {
		t.Run(c.Name, func(t *testing.T) {
			var j Journal
			for i := range c.Leaves {
				require.Equal(t, c.Leaves[i], hash(append(append([]byte{0}, c.EventHashes[i][:]...), c.StateHashes[i][:]...)))
				j = j.Append(LeafHash(c.EventHashes[i], c.StateHashes[i]))
				require.Equal(t, c.Roots[i], j.Root())
				require.Equal(t, c.Roots[i], oracleRoot(c.Leaves[:i+1]))
			}
			for _, q := range c.Inclusion {
				index, size := q.Index.Uint64(), q.Size.Uint64()
				require.Equal(t, q.Proof, oracleInclusion(int(index), c.Leaves[:size]))
				require.NoError(t, VerifyInclusion(c.EventHashes[index], c.StateHashes[index], index, size, q.Proof, c.Roots[size-1]))
			}
			for _, q := range c.Consistency {
				first, second := q.First.Uint64(), q.Second.Uint64()
				require.Equal(t, q.Proof, oracleConsistency(int(first), c.Leaves[:second]))
				require.NoError(t, VerifyConsistency(first, second, q.Proof, c.Roots[first-1], c.Roots[second-1]))
			}
		})
	}
}

type topUpCase struct {
	Name      string      `json:"name"`
	ChannelID common.Hash `json:"channelId"`
	Index     number      `json:"index"`
	EventHash common.Hash `json:"eventHash"`
}

func TestVectorsF2_TopUp(t *testing.T) {
	var out vectors[topUpCase]
	for _, index := range []uint32{0, 1, 0x01020304, 1<<32 - 1} {
		id := testHash("channel")
		out.Cases = append(out.Cases, topUpCase{fmt.Sprintf("top-up %d", index), id, num(uint64(index)), TopUpHash(id, index)})
	}
	for _, c := range golden(t, "topup.json", out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			preimage := append([]byte{2}, c.ChannelID[:]...)
			preimage = binary.BigEndian.AppendUint32(preimage, uint32(c.Index.Uint64()))
			require.Equal(t, c.EventHash, hash(preimage))
			require.Equal(t, c.EventHash, TopUpHash(c.ChannelID, uint32(c.Index.Uint64())))
			require.Equal(t, c.EventHash, Entry{TopUp: uint32(c.Index.Uint64())}.Hash(c.ChannelID))
		})
	}
}
