package proof_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
)

// TestA11_HonestJournalsAreRight: whatever is played by the rules, with rejected entries or without, has no wrong leaf.
func TestA11_HonestJournalsAreRight(t *testing.T) {
	seeds(t, 60, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, random.IntN(40), random.IntN(2) == 0)
		fault, err := proof.Check(t.Context(), p.rules, p.journal, p.update)
		require.NoError(t, err)
		require.Nil(t, fault)
		c, err := proof.NewChecker(p.rules, p.journal, p.update)
		require.NoError(t, err)
		_, err = c.Witness()
		require.ErrorIs(t, err, proof.ErrNoFault)
		for i := range p.journal.Leaves {
			require.EqualValues(t, i, c.Next())
			require.False(t, c.Done())
			require.Equal(t, i == len(p.journal.Leaves)-1, c.Step())
		}
		require.True(t, c.Done() && c.Step())
	})
}

// proven checks that a fault is provable: everything that `disprove` compares fits, by the oracle of package channel, and δ gives
// something else than the leaf says.
func proven(t *testing.T, p *played, w *proof.Witness) {
	t.Helper()
	id, size := p.rules.ID(), p.update.Seq+1
	if w.Index == 0 {
		require.Equal(t, p.rules.Params.GenesisHash, crypto.Keccak256Hash(w.Entry))
		require.NoError(t, channel.VerifyInclusion(p.rules.Params.GenesisHash, w.StateHash, 0, size, w.Proof, p.update.JournalRoot))
		require.True(t, w.PreviousEventHash == common.Hash{} && len(w.PreviousProof) == 0 && len(w.PreviousState) == 0)
		state, v := p.rules.Genesis(w.Entry)
		require.True(t, v.Status != channel.Accepted || state.Hash() != w.StateHash)
		return
	}
	entry := p.journal.Leaves[w.Index].Entry
	encoded, err := proof.EncodeEntry(entry)
	require.NoError(t, err)
	require.Equal(t, encoded, w.Entry)
	require.NoError(t, channel.VerifyInclusion(entry.Hash(id), w.StateHash, w.Index, size, w.Proof, p.update.JournalRoot))
	previous, err := channel.DecodeState(w.PreviousState, p.rules.Shape())
	require.NoError(t, err)
	require.NoError(t, channel.VerifyInclusion(w.PreviousEventHash, previous.Hash(), w.Index-1, size, w.PreviousProof, p.update.JournalRoot))
	state, v := derive(p.rules, previous, w.Index, entry)
	if v.Status != channel.Accepted {
		state = previous
	}
	require.NotEqual(t, state.Hash(), w.StateHash)
}

// wrongAt checks that the first wrong leaf is found, said and proven.
func wrongAt(t *testing.T, p *played, seq uint64) *proof.Fault {
	t.Helper()
	c, err := proof.NewChecker(p.rules, p.journal, p.update)
	require.NoError(t, err)
	for !c.Step() {
	}
	f := c.Fault()
	require.NotNil(t, f, "leaf %d is wrong and nobody sees it", seq)
	require.Equal(t, seq, f.Seq)
	require.Equal(t, p.journal.Leaves[seq].StateHash, f.Claimed)
	require.NotEqual(t, f.Claimed, f.Derived)
	require.Contains(t, f.Text(p.rules.Shape(), nil), f.What())
	w, err := c.Witness()
	require.NoError(t, err)
	require.Equal(t, seq, w.Index)
	proven(t, p, w)
	return f
}

// TestAttack6_EveryWrongStateIsFound: everybody signs one leaf with another state, wherever it is.
func TestAttack6_EveryWrongStateIsFound(t *testing.T) {
	seeds(t, 40, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, 1+random.IntN(30), false)
		for i := range p.journal.Leaves {
			forged := p.forge(func(j *proof.Journal) { j.Leaves[i].StateHash[random.IntN(32)] ^= 1 << random.IntN(8) })
			wrongAt(t, forged, uint64(i))
			// The rest goes on from the forged state: still the first one is what is wrong.
			rest := p.forge(func(j *proof.Journal) {
				for k := i; k < len(j.Leaves); k++ {
					j.Leaves[k].StateHash[3] ^= 0x40
				}
			})
			wrongAt(t, rest, uint64(i))
		}
	})
}

// TestAttack6_EveryMutationIsWrongOrUnpublishable changes what a journal says in every other way and has everybody sign it. Either the
// journal is another right one, as when a rejected event is replaced by another rejected one, or a leaf is wrong and proven; never is a
// leaf wrong that the oracle finds right.
func TestAttack6_EveryMutationIsWrongOrUnpublishable(t *testing.T) {
	changes := map[string]func(random *rand.Rand, j *proof.Journal) (first int){
		"swapped events": func(random *rand.Rand, j *proof.Journal) int {
			i := 1 + random.IntN(len(j.Leaves)-2)
			j.Leaves[i].Entry, j.Leaves[i+1].Entry = j.Leaves[i+1].Entry, j.Leaves[i].Entry
			return i
		},
		"author": func(random *rand.Rand, j *proof.Journal) int {
			return event(random, j, func(e *channel.Event) { e.Author ^= 1 })
		},
		"nonce": func(random *rand.Rand, j *proof.Journal) int {
			return event(random, j, func(e *channel.Event) { e.Nonce++ })
		},
		"timestamp": func(random *rand.Rand, j *proof.Journal) int {
			return event(random, j, func(e *channel.Event) { e.Timestamp += 5000 })
		},
		"notAfter": func(random *rand.Rand, j *proof.Journal) int {
			return event(random, j, func(e *channel.Event) { e.NotAfter = 1 })
		},
		"payload": func(random *rand.Rand, j *proof.Journal) int {
			return event(random, j, func(e *channel.Event) { e.Payload = []byte{0xc3} })
		},
		"event dropped": func(random *rand.Rand, j *proof.Journal) int {
			i := 1 + random.IntN(len(j.Leaves)-1)
			j.Leaves = append(j.Leaves[:i], j.Leaves[i+1:]...)
			return i
		},
		"event repeated": func(random *rand.Rand, j *proof.Journal) int {
			i := 1 + random.IntN(len(j.Leaves)-1)
			j.Leaves = append(j.Leaves[:i:i], append([]proof.Leaf{j.Leaves[i]}, j.Leaves[i:]...)...)
			return i
		},
		"event replaced by a top-up": func(random *rand.Rand, j *proof.Journal) int {
			i := 1 + random.IntN(len(j.Leaves)-1)
			j.Leaves[i].Entry = channel.Entry{TopUp: 0}
			return i
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			wrong := 0
			seeds(t, 40, func(t *testing.T, random *rand.Rand) {
				p := play(t, random, 3+random.IntN(20), false)
				var first int
				forged := p.forge(func(j *proof.Journal) { first = change(random, j) })
				want, isWrong := oracle(forged)
				if !isWrong {
					fault, err := proof.Check(t.Context(), forged.rules, forged.journal, forged.update)
					require.NoError(t, err)
					require.Nil(t, fault)
					return
				}
				wrong++
				require.GreaterOrEqual(t, want, uint64(first))
				wrongAt(t, forged, want)
			})
			require.Positive(t, wrong, "the change changes nothing")
		})
	}
}

func event(random *rand.Rand, j *proof.Journal, change func(*channel.Event)) int {
	for {
		i := 1 + random.IntN(len(j.Leaves)-1)
		if e := j.Leaves[i].Entry.Event; e != nil {
			change(&e.Event)
			return i
		}
		if len(j.Leaves) == 2 {
			return i
		}
	}
}

// oracle is the definition of right and wrong, from the back: the first leaf whose predecessors are all right and that is not what a
// replay from the genesis gives.
func oracle(p *played) (seq uint64, wrong bool) {
	state, v := p.rules.Genesis(p.journal.Genesis)
	hashes := []common.Hash{}
	if v.Status == channel.Accepted {
		hashes = append(hashes, state.Hash())
		for i := 1; i < len(p.journal.Leaves); i++ {
			if next, v := derive(p.rules, state, uint64(i), p.journal.Leaves[i].Entry); v.Status == channel.Accepted {
				state = next
			}
			hashes = append(hashes, state.Hash())
		}
	}
	for i := len(p.journal.Leaves) - 1; i >= 0; i-- {
		if i >= len(hashes) || hashes[i] != p.journal.Leaves[i].StateHash {
			seq, wrong = uint64(i), true
		}
	}
	return seq, wrong
}

// TestAttack6_GenesisThatTheModuleRejects: no leaf 0 is right.
func TestAttack6_GenesisThatTheModuleRejects(t *testing.T) {
	p := play(t, rand.New(rand.NewPCG(1, 1)), 4, true)
	m := module.Manifest()
	m.FuelLimit = 1 // init runs out of fuel
	starved := starvedModule{module, m}
	params := *p.rules.Params
	params.ModuleHash = m.Hash()
	rules, err := channel.NewRules(&params, p.rules.Funding, starved)
	require.NoError(t, err)
	q := &played{rules: rules, journal: p.journal}
	q = q.forge(func(j *proof.Journal) {
		for i := range j.Leaves {
			if e := j.Leaves[i].Entry.Event; e != nil {
				e.ChannelID = rules.ID()
			}
		}
	})
	f := wrongAt(t, q, 0)
	require.Equal(t, channel.RejectedOutOfFuel, f.Verdict.Status)
	require.Nil(t, f.Right)
	require.Zero(t, f.Derived)
	require.Contains(t, f.Text(rules.Shape(), nil), "refuses the genesis")
}

// TestTextCannotDisturbATerminal: what a module says in a rejection may be anything.
func TestTextCannotDisturbATerminal(t *testing.T) {
	f := &proof.Fault{Seq: 0, Verdict: channel.Verdict{Status: channel.RejectedByModule, Reason: "\x1b[2Jall is well\r\n"}}
	require.Contains(t, f.Why(), "?[2Jall is well??")
	require.NotContains(t, f.Text(channel.Shape{}, nil), "\x1b")
}

type starvedModule struct {
	channel.Module
	manifest channel.Manifest
}

func (m starvedModule) Manifest() channel.Manifest { return m.manifest }
func (m starvedModule) Init([]byte) channel.Result {
	return channel.Result{Status: channel.RejectedOutOfFuel, Fuel: m.manifest.FuelLimit}
}

// TestA11_TopUpsCountInOrder: a top-up that the chain recorded is right once, in its order, and wrong otherwise.
func TestA11_TopUpsCountInOrder(t *testing.T) {
	p := play(t, rand.New(rand.NewPCG(3, 1)), 0, false)
	for len(p.rules.Funding) == 0 {
		p = play(t, rand.New(rand.NewPCG(rand.Uint64(), 1)), 0, false)
	}
	rules, err := channel.NewRules(p.rules.Params, p.rules.Funding, module)
	require.NoError(t, err)
	topUp := channel.TopUp{Index: 0, Participant: 1, Asset: 0}
	topUp.Amount.SetUint64(7)
	rules.TopUps = []channel.TopUp{topUp}
	counted, v := rules.ApplyTopUp(p.states[0], 1)
	require.Equal(t, channel.Accepted, v.Status, v.Text())
	q := &played{rules: rules, journal: &proof.Journal{Genesis: p.journal.Genesis, Leaves: []proof.Leaf{
		p.journal.Leaves[0], {Entry: channel.Entry{TopUp: 0}, StateHash: counted.Hash()}, {Entry: channel.Entry{TopUp: 0}, StateHash: counted.Hash()},
	}}}
	q.sign()
	fault, err := proof.Check(t.Context(), rules, q.journal, q.update)
	require.NoError(t, err)
	require.Nil(t, fault)
	wrongAt(t, q.forge(func(j *proof.Journal) { j.Leaves[1].Entry.TopUp = 1 }), 1)
	f := wrongAt(t, q.forge(func(j *proof.Journal) { j.Leaves[2].StateHash = common.Hash{1} }), 2)
	require.Equal(t, channel.RejectedAuthor, f.Verdict.Status)
	require.Equal(t, "leaf 2, top-up 0", f.What())
}

// TestAttack18_AnotherJournalSaysNothing: what does not give the signed root is refused before anything is derived from it.
func TestAttack18_AnotherJournalSaysNothing(t *testing.T) {
	seeds(t, 20, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, 2+random.IntN(20), true)
		for name, change := range map[string]func(j *proof.Journal, u *channel.Update){
			"truncated": func(j *proof.Journal, _ *channel.Update) { j.Leaves = j.Leaves[:len(j.Leaves)-1] },
			"longer":    func(j *proof.Journal, _ *channel.Update) { j.Leaves = append(j.Leaves, j.Leaves[1]) },
			"empty":     func(j *proof.Journal, _ *channel.Update) { j.Leaves = nil },
			"state":     func(j *proof.Journal, _ *channel.Update) { j.Leaves[random.IntN(len(j.Leaves))].StateHash[1]++ },
			"event": func(j *proof.Journal, _ *channel.Update) {
				event(random, j, func(e *channel.Event) { e.Timestamp++ })
			},
			"genesis":       func(j *proof.Journal, _ *channel.Update) { j.Genesis = append(common.CopyBytes(j.Genesis), 1) },
			"other channel": func(_ *proof.Journal, u *channel.Update) { u.ChannelID[0]++ },
			"last state":    func(_ *proof.Journal, u *channel.Update) { u.StateHash[0]++ },
			"seq":           func(_ *proof.Journal, u *channel.Update) { u.Seq-- },
			"root":          func(_ *proof.Journal, u *channel.Update) { u.JournalRoot[0]++ },
		} {
			q := p.forge(func(*proof.Journal) {})
			u := p.update
			change(q.journal, &u)
			_, err := proof.NewChecker(q.rules, q.journal, u)
			require.ErrorIs(t, err, proof.ErrJournal, name)
		}
	})
}

// TestCheckerResumesWhereItWas: a journal that was put aside is found wrong at the same leaf, with the same proof.
func TestCheckerResumesWhereItWas(t *testing.T) {
	seeds(t, 10, func(t *testing.T, random *rand.Rand) {
		p := play(t, random, 5+random.IntN(20), false)
		last := len(p.journal.Leaves) - 1
		forged := p.forge(func(j *proof.Journal) { j.Leaves[last].StateHash[0]++ })
		whole, err := proof.NewChecker(forged.rules, forged.journal, forged.update)
		require.NoError(t, err)
		for !whole.Step() {
		}
		want, err := whole.Witness()
		require.NoError(t, err)
		var at proof.Progress
		for steps := 0; ; steps++ {
			c, err := proof.NewChecker(forged.rules, forged.journal, forged.update)
			require.NoError(t, err)
			c.Resume(at)
			require.EqualValues(t, steps, c.Next())
			if !c.Step() {
				at = c.Progress()
				continue
			}
			require.Equal(t, whole.Fault(), c.Fault())
			got, err := c.Witness()
			require.NoError(t, err)
			require.Equal(t, want, got)
			return
		}
	})
}

func TestCheckEndsWithItsContext(t *testing.T) {
	p := play(t, rand.New(rand.NewPCG(1, 1)), 10, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := proof.Check(ctx, p.rules, p.journal, p.update)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTextNamesWhatDiffers(t *testing.T) {
	p := play(t, rand.New(rand.NewPCG(5, 1)), 6, true)
	for len(p.rules.Funding) == 0 {
		p = play(t, rand.New(rand.NewPCG(rand.Uint64(), 1)), 6, true)
	}
	last := len(p.states) - 1
	rich := *p.states[last]
	rich.Funds = common.CopyBytes(rich.Funds)
	rich.Funds[30] = 0x77
	rich.App = append(common.CopyBytes(rich.App), 1)
	forged := p.forge(func(j *proof.Journal) { j.Leaves[last].StateHash = rich.Hash() })
	f := wrongAt(t, forged, uint64(last))
	text := f.Text(p.rules.Shape(), &rich)
	for _, want := range []string{"the rules give state", "terminal", "false -> true", "funds[0][0]", "9 bytes, other from byte 8"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, f.Text(p.rules.Shape(), p.states[last]), "funds[0][0]", "a state that nobody claimed")
}
