package proof

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

var (
	// ErrJournal is returned for a journal that is not the one that was signed, or that cannot be put together.
	ErrJournal = errors.New("not the journal that was signed")
	// ErrBudget is returned when not even one entry fits the budget of a chunk.
	ErrBudget = errors.New("an entry is larger than a chunk may be: allow more bytes or more gas per chunk")
)

// Journal is a whole journal as it is published.
type Journal struct {
	Genesis []byte // the genesis input
	Leaves  []Leaf // from leaf 0, never empty
}

// Bytes is what the policy's maxJournalBytes counts: genesis input and packed entries with their stateHashes.
func (j *Journal) Bytes() int {
	n := len(j.Genesis)
	for i := 1; i < len(j.Leaves); i++ {
		n += packedLen(j.Leaves[i], true)
	}
	return n
}

// eventHash of leaf i of a channel.
func (j *Journal) eventHash(p *channel.Params, id common.Hash, i int) common.Hash {
	if i == 0 {
		return p.GenesisHash
	}
	return j.Leaves[i].Entry.Hash(id)
}

// Tree is the journal's Merkle tree.
func (j *Journal) Tree(p *channel.Params) *channel.Tree {
	id, t := p.ID(), &channel.Tree{}
	for i := range j.Leaves {
		t.Append(channel.LeafHash(j.eventHash(p, id, i), j.Leaves[i].StateHash))
	}
	return t
}

// Chunk is a part of a journal as IPublications takes it: entries First, First + 1, … The chunk with First 0 stands for leaf 0
// too.
type Chunk struct {
	First   uint64
	Range   []common.Hash // roots of the perfect subtrees of the tree of the First leaves before, largest first
	Entries []byte        // packed
}

// Budget bounds a chunk.
type Budget struct {
	Bytes   int // of packed entries
	Entries int // 0: as many as fit Bytes
}

// Split cuts a journal into chunks for its publication. Every chunk but the last is as large as the budget allows.
func (j *Journal) Split(p *channel.Params, budget Budget) ([]Chunk, error) {
	s := splitter{j: j, p: p, id: p.ID(), states: true}
	size := 0
	for i := 1; i < len(j.Leaves); i++ {
		n := packedLen(j.Leaves[i], true)
		if n > budget.Bytes {
			return nil, fmt.Errorf("%w: entry %d has %d bytes, a chunk %d", ErrBudget, i, n, budget.Bytes)
		}
		if size+n > budget.Bytes || budget.Entries > 0 && i-s.begin() >= budget.Entries {
			if err := s.cut(i); err != nil {
				return nil, err
			}
			size = 0
		}
		size += n
	}
	err := s.cut(len(j.Leaves))
	return s.chunks, err
}

// splitter cuts a journal from front to back.
type splitter struct {
	j      *Journal
	p      *channel.Params
	id     common.Hash
	states bool

	next   int // first leaf that is in no chunk
	head   channel.Journal
	chunks []Chunk
}

// begin is the first entry of the chunk that is being filled.
func (s *splitter) begin() int { return max(s.next, 1) }

// cut ends the chunk before leaf end.
func (s *splitter) cut(end int) error {
	entries, err := Pack(s.id, s.j.Leaves[s.begin():end], s.states)
	if err != nil {
		return err
	}
	s.chunks = append(s.chunks, Chunk{uint64(s.next), s.head.Peaks(), entries})
	for ; s.next < end; s.next++ {
		s.head = s.head.Append(channel.LeafHash(s.j.eventHash(s.p, s.id, s.next), s.j.Leaves[s.next].StateHash))
	}
	return nil
}

// Execution is a chunk for `execute`, with the state that it starts from: of leaf First − 1, empty for the first.
type Execution struct {
	Chunk
	State []byte
}

// Gas bounds what one chunk of an execution may cost.
type Gas struct {
	Limit    uint64 // of one chunk's calls of the machine
	Overhead uint64 // of one call beside its fuel
}

// Execute cuts an honest journal into chunks whose leaves the chain can run: a leaf counts for its fuel, which bounds its gas, and
// the overhead. A journal with a wrong leaf is an error: it cannot be executed.
func (j *Journal) Execute(r *channel.Rules, u channel.Update, gas Gas) ([]Execution, error) {
	c, err := NewChecker(r, j, u)
	if err != nil {
		return nil, err
	}
	s := splitter{j: j, p: r.Params, id: r.ID()}
	states := [][]byte{nil}
	var spent uint64
	for i := range j.Leaves {
		var before []byte
		if c.state != nil {
			before = c.state.Bytes()
		}
		c.Step()
		if f := c.Fault(); f != nil {
			return nil, fmt.Errorf("%w: leaf %d is wrong: %s", ErrJournal, f.Seq, f.Verdict.Text())
		}
		cost := c.verdict.Fuel + gas.Overhead
		if cost > gas.Limit {
			return nil, fmt.Errorf("%w: leaf %d may cost %d gas, a chunk %d", ErrBudget, i, cost, gas.Limit)
		}
		if i > s.next && spent+cost > gas.Limit {
			if err := s.cut(i); err != nil {
				return nil, err
			}
			states, spent = append(states, before), 0
		}
		spent += cost
	}
	if err := s.cut(len(j.Leaves)); err != nil {
		return nil, err
	}
	out := make([]Execution, len(s.chunks))
	for i, c := range s.chunks {
		out[i] = Execution{c, states[i]}
	}
	return out, nil
}

// Part is what the log of one chunk says.
type Part struct {
	First, Next uint64
	Entries     []byte
}

// Join puts the parts of a publication together, in their order. Payloads are views of the parts.
func Join(id common.Hash, genesis []byte, genesisState common.Hash, parts []Part) (*Journal, error) {
	j := &Journal{Genesis: genesis, Leaves: []Leaf{{StateHash: genesisState}}}
	size := len(genesis)
	for i, p := range parts {
		if want := uint64(len(j.Leaves)); p.First != want && (i > 0 || p.First != 0) {
			return nil, fmt.Errorf("%w: chunk %d begins at leaf %d, expected %d", ErrJournal, i, p.First, want)
		}
		if size += len(p.Entries); size > MaxJournalBytes+channel.MaxGenesis {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrJournal, MaxJournalBytes)
		}
		leaves, err := Unpack(id, p.Entries, true)
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
		j.Leaves = append(j.Leaves, leaves...)
		if p.Next != uint64(len(j.Leaves)) {
			return nil, fmt.Errorf("%w: chunk %d ends before leaf %d, its log says %d", ErrJournal, i, len(j.Leaves), p.Next)
		}
	}
	if len(parts) == 0 || parts[0].First != 0 {
		return nil, fmt.Errorf("%w: there is no first chunk", ErrJournal)
	}
	return j, nil
}
