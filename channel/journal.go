package channel

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
)

// hasher is RFC 9162's tree hasher over keccak256 (it implements merkle.LogHasher).
type hasher struct{}

func (hasher) EmptyRoot() []byte               { return crypto.Keccak256(nil) }
func (hasher) HashLeaf(data []byte) []byte     { return crypto.Keccak256([]byte{0x00}, data) }
func (hasher) HashChildren(l, r []byte) []byte { return crypto.Keccak256([]byte{0x01}, l, r) }
func (hasher) Size() int                       { return 32 }

var ranges = compact.RangeFactory{Hash: hasher{}.HashChildren}

// LeafHash is leaf_i = H(0x00 ‖ eventHash ‖ stateHash).
func LeafHash(eventHash, stateHash common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte{0x00}, eventHash[:], stateHash[:])
}

// Journal is the head of the log: its size and the roots of the perfect subtrees it falls into (at most 64). It is a
// value: Append returns the longer journal and leaves the old one as it was. The zero Journal is empty.
type Journal struct {
	size  uint64
	peaks []common.Hash
}

// RestoreJournal makes a Journal of what Size and Peaks gave.
func RestoreJournal(size uint64, peaks []common.Hash) (Journal, error) {
	if size == math.MaxUint64 { // its next leaf would have no seq
		return Journal{}, Refuse(CodeMalformed, "a journal of %d leaves is longer than any", size)
	}
	if len(peaks) != compact.RangeSize(0, size) {
		return Journal{}, Refuse(CodeMalformed, "a journal of %d leaves has %d peaks, not %d", size, compact.RangeSize(0, size), len(peaks))
	}
	return Journal{size, slices.Clone(peaks)}, nil
}

// Size is the number of leaves, seq + 1 of the last.
func (j Journal) Size() uint64 { return j.size }

// Peaks are the roots of the perfect subtrees from left to right, a copy.
func (j Journal) Peaks() []common.Hash { return slices.Clone(j.peaks) }

// Append adds a leaf hash.
func (j Journal) Append(leaf common.Hash) Journal {
	r, err := ranges.NewRange(0, j.size, toBytes(j.peaks))
	if err == nil {
		err = r.Append(leaf[:], nil)
	}
	if err != nil {
		panic(fmt.Sprintf("journal of %d leaves with %d peaks: %v", j.size, len(j.peaks), err)) // the constructors keep these in step
	}
	return Journal{j.size + 1, toHashes(r.Hashes())}
}

// Root is the tree's root, H("") when empty.
func (j Journal) Root() common.Hash {
	if j.size == 0 {
		return common.BytesToHash(hasher{}.EmptyRoot())
	}
	root := j.peaks[len(j.peaks)-1]
	for i := len(j.peaks) - 2; i >= 0; i-- {
		root = common.BytesToHash(hasher{}.HashChildren(j.peaks[i][:], root[:]))
	}
	return root
}

// Tree holds every leaf, so it can prove. 64 bytes per leaf.
type Tree struct {
	levels [][]common.Hash // levels[0] are the leaves; only perfect subtrees are stored
}

// ErrNoSuchLeaf is returned when a proof is asked beyond the tree.
var ErrNoSuchLeaf = errors.New("no such leaf or size in this journal")

// Append adds a leaf hash.
func (t *Tree) Append(leaf common.Hash) {
	for level := 0; ; level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, nil)
		}
		t.levels[level] = append(t.levels[level], leaf)
		n := len(t.levels[level])
		if n%2 == 1 {
			return
		}
		leaf = common.BytesToHash(hasher{}.HashChildren(t.levels[level][n-2][:], t.levels[level][n-1][:]))
	}
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 {
	if len(t.levels) == 0 {
		return 0
	}
	return uint64(len(t.levels[0]))
}

// RootAt is the root of the first size leaves.
func (t *Tree) RootAt(size uint64) (common.Hash, error) {
	if size == 0 || size > t.Size() {
		return common.Hash{}, fmt.Errorf("root of %d leaves of %d: %w", size, t.Size(), ErrNoSuchLeaf)
	}
	ids := compact.RangeNodes(0, size, nil)
	root := t.node(ids[len(ids)-1])
	for i := len(ids) - 2; i >= 0; i-- {
		left := t.node(ids[i])
		root = common.BytesToHash(hasher{}.HashChildren(left[:], root[:]))
	}
	return root, nil
}

func (t *Tree) node(id compact.NodeID) common.Hash { return t.levels[id.Level][id.Index] }

// InclusionProof proves leaf index in the tree of the first size leaves (RFC 9162 §2.1.3), from the leaf upwards.
func (t *Tree) InclusionProof(index, size uint64) ([]common.Hash, error) {
	if index >= size || size > t.Size() {
		return nil, fmt.Errorf("inclusion of leaf %d in %d of %d: %w", index, size, t.Size(), ErrNoSuchLeaf)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("inclusion of leaf %d in %d: %w", index, size, err)
	}
	return t.rehash(nodes)
}

// ConsistencyProof proves that the first `first` leaves are a prefix of the first `second` (RFC 9162 §2.1.4). It is
// empty when they are equal; first = 0 does not exist.
func (t *Tree) ConsistencyProof(first, second uint64) ([]common.Hash, error) {
	if first == 0 || first > second || second > t.Size() {
		return nil, fmt.Errorf("consistency of %d with %d of %d: %w", first, second, t.Size(), ErrNoSuchLeaf)
	}
	nodes, err := proof.Consistency(first, second)
	if err != nil {
		return nil, fmt.Errorf("consistency of %d with %d: %w", first, second, err)
	}
	return t.rehash(nodes)
}

func (t *Tree) rehash(nodes proof.Nodes) ([]common.Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h := t.node(id)
		hashes[i] = h[:]
	}
	out, err := nodes.Rehash(hashes, hasher{}.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("assemble proof: %w", err)
	}
	return toHashes(out), nil
}

// VerifyInclusion checks that (eventHash, stateHash) is leaf index of the tree with this size and root. A root does not
// commit to its size: size must come from a signed Update.
func VerifyInclusion(eventHash, stateHash common.Hash, index, size uint64, path []common.Hash, root common.Hash) error {
	leaf := LeafHash(eventHash, stateHash)
	if err := proof.VerifyInclusion(hasher{}, index, size, leaf[:], toBytes(path), root[:]); err != nil {
		return Refuse(CodeMalformed, "inclusion proof of leaf %d of %d: %s", index, size, proofFault(err))
	}
	return nil
}

// VerifyConsistency checks that the tree (first, firstRoot) is a prefix of (second, secondRoot).
func VerifyConsistency(first, second uint64, path []common.Hash, firstRoot, secondRoot common.Hash) error {
	if first == 0 {
		return Refuse(CodeMalformed, "consistency with an empty journal proves nothing")
	}
	if first > second {
		return Refuse(CodeMalformed, "a journal of %d leaves cannot be a prefix of one of %d", first, second)
	}
	if err := proof.VerifyConsistency(hasher{}, first, second, toBytes(path), firstRoot[:], secondRoot[:]); err != nil {
		return Refuse(CodeMalformed, "consistency proof of %d with %d leaves: %s", first, second, proofFault(err))
	}
	return nil
}

// proofFault puts hashes in hex; the library prints them as lists of decimals over several lines.
func proofFault(err error) string {
	var m proof.RootMismatchError
	if errors.As(err, &m) {
		return fmt.Sprintf("it leads to root %x, expected %x", m.CalculatedRoot, m.ExpectedRoot)
	}
	return err.Error()
}

func toBytes(hashes []common.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func toHashes(b [][]byte) []common.Hash {
	out := make([]common.Hash, len(b))
	for i := range b {
		out[i] = common.BytesToHash(b[i])
	}
	return out
}
