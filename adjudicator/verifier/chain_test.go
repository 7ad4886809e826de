package verifier_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/plugin/anvil"
)

// TestA11_ForgedOutcomeLoses: both players sign a million that the rules did not give them. A verifier that knows nothing but the
// chain disproves it in one transaction; half of the bond is its, half is burnt, and nothing is ever settled.
func TestA11_ForgedOutcomeLoses(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(40).forge(40, rich).conclude()
	p := g.publish(7)
	require.Equal(t, c.world.World, p.World)
	burnt := c.balance(common.Address{})

	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.once())
	require.Equal(t, []string{"seen", "wrong", "sending", "disproved"}, v.kinds())
	wrong, end := v.seen[1], v.seen[3]
	require.EqualValues(t, 40, wrong.Fault.Seq)
	require.Equal(t, g.journal.Leaves[40].StateHash, wrong.Fault.Claimed)
	require.Contains(t, wrong.Fault.Text, "leaf 40, event 20 of participant 0 is wrong: the rules give state")
	require.Contains(t, wrong.Fault.Text, "false -> true")
	require.Equal(t, c.address(prover), *end.By)
	require.Positive(t, end.Gas)
	require.LessOrEqual(t, end.Gas, uint64(5_000_000))
	t.Logf("disproved for %d gas", end.Gas)

	s := g.standing()
	require.True(t, s.Voided)
	require.True(t, s.Bond.IsZero())
	half := new(big.Int).SetUint64(coin / 2)
	require.EqualValues(t, uint64(coin/2), end.Reward.Uint64())
	receipt, err := c.eth.TransactionReceipt(t.Context(), *end.TxHash)
	require.NoError(t, err)
	block, err := c.eth.HeaderByNumber(t.Context(), receipt.BlockNumber)
	require.NoError(t, err)
	require.Zero(t, block.Coinbase, "tips go where bonds are burnt")
	tip := new(big.Int).Sub(receipt.EffectiveGasPrice, block.BaseFee)
	tip.Mul(tip, new(big.Int).SetUint64(receipt.GasUsed))
	require.Zero(t, new(big.Int).Sub(c.balance(common.Address{}), burnt).Cmp(tip.Add(tip, half)))
	fee := new(big.Int).Mul(receipt.EffectiveGasPrice, new(big.Int).SetUint64(receipt.GasUsed))
	start := new(big.Int).Mul(big.NewInt(10_000), big.NewInt(coin))
	require.Zero(t, c.balance(c.address(prover)).Cmp(start.Add(start, half).Sub(start, fee)))

	require.NoError(t, c.node.Advance(t.Context(), 2*window*time.Second))
	require.NoError(t, c.node.Mine(t.Context(), 1))
	require.Equal(t, "Void", c.refused(publisher)(adjudicator.SettleOptimistic(c.contracts.Settlement, g.claim())))
	require.Equal(t, "NothingToWithdraw", c.refused(publisher)(adjudicator.ReleaseBond(c.contracts.Publications, g.id())))
}

// TestA11_RightOutcomeStands: the verifier sends nothing, the window passes, the effects land, the bond comes back.
func TestA11_RightOutcomeStands(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(12).conclude()
	g.publish(0)
	v := c.guard(prover, verifier.Config{})
	v.until(verifier.ReportRight, g.id())
	require.Equal(t, []string{"seen", "right"}, v.kinds())
	nonce, err := c.eth.NonceAt(t.Context(), c.address(prover), nil)
	require.NoError(t, err)
	require.Zero(t, nonce)
	v.stop()

	witness, err := g.journal.Witness(g.rules, 7, g.states[6])
	require.NoError(t, err)
	require.Equal(t, "LeafIsRight", c.refused(prover)(adjudicator.Disprove(c.contracts.Publications, g.rules.Params, channel.Funding{}, witness)))
	require.Equal(t, "NotProven", c.refused(publisher)(adjudicator.SettleOptimistic(c.contracts.Settlement, g.claim())))
	require.NoError(t, c.node.Advance(t.Context(), (window+1)*time.Second))
	require.NoError(t, c.node.Mine(t.Context(), 1))
	facts := c.send(publisher)(adjudicator.SettleOptimistic(c.contracts.Settlement, g.claim()))
	settled, ok := facts[len(facts)-1].Body.(adjudicator.Settled)
	require.True(t, ok)
	require.Equal(t, adjudicator.ModeOptimistic, settled.Mode)
	c.send(other)(adjudicator.ReleaseBond(c.contracts.Publications, g.id()))
	credit, err := c.reader.BondCredits(t.Context(), c.address(publisher))
	require.NoError(t, err)
	require.Equal(t, bond, credit)
	c.send(publisher)(adjudicator.WithdrawBond(c.contracts.Publications, c.address(publisher)))
}

// TestC2_ExecutedJournal: the chain runs every leaf of a journal, in chunks; of a forged one it does not come to the end.
func TestC2_ExecutedJournal(t *testing.T) {
	c := newChain(t, anvil.Options{})
	for name, g := range map[string]*game{"right": c.play(5).conclude(), "forged": c.play(5).forge(3, rich).conclude()} {
		honest := *g.journal
		honest.Leaves = append([]proof.Leaf{}, honest.Leaves...)
		states := honestStates(t, g)
		for i := range honest.Leaves {
			honest.Leaves[i].StateHash = states[i].Hash()
		}
		h := *g
		h.journal = &honest
		list, err := honest.Execute(g.rules, h.update(), proof.Gas{Limit: 4_000_000, Overhead: 1_500_000})
		require.NoError(t, err)
		require.Greater(t, len(list), 2)
		about := adjudicator.Publication{Params: g.rules.Params, GenesisInput: honest.Genesis}
		for i, e := range list {
			call, err := adjudicator.Execute(c.contracts.Publications, about, e)
			require.NoError(t, err)
			if name == "forged" && i == len(list)-1 {
				require.Equal(t, "WrongJournal", c.refused(other)(call, nil))
				continue
			}
			facts := c.send(other)(call, nil)
			done, ok := facts[0].Body.(adjudicator.Executed)
			require.True(t, ok)
			require.Equal(t, i == len(list)-1, done.Complete)
			require.Equal(t, states[done.Next-1].Hash(), done.StateHash)
			if !done.Complete {
				reached, err := c.reader.Reached(t.Context(), g.id(), done.Next, list[i+1].Range, done.StateHash)
				require.NoError(t, err)
				require.True(t, reached)
			}
		}
		require.Equal(t, name == "right", g.standing().Executed)
		if name == "right" {
			facts := c.send(publisher)(adjudicator.SettleExecuted(c.contracts.Settlement, g.claim()))
			require.Equal(t, adjudicator.ModeExecuted, facts[len(facts)-1].Body.(adjudicator.Settled).Mode)
		}
	}
}

func honestStates(t *testing.T, g *game) []*channel.State {
	state, v := g.rules.Genesis(g.journal.Genesis)
	require.Equal(t, channel.Accepted, v.Status)
	out := []*channel.State{state}
	for i := 1; i < len(g.journal.Leaves); i++ {
		if next, v := g.rules.Apply(state, uint64(i), &g.journal.Leaves[i].Entry.Event.Event); v.Status == channel.Accepted {
			state = next
		}
		out = append(out, state)
	}
	return out
}

// TestAttack6_EveryKindOfForgeryIsDisproved: the variants of a wrong leaf, all published at the same time as right journals.
func TestAttack6_EveryKindOfForgeryIsDisproved(t *testing.T) {
	c := newChain(t, anvil.Options{})
	forged := map[string]*game{
		"genesis":       c.play(6).forge(0, rich),
		"in the middle": c.play(9).forge(4, rich),
		"last leaf":     c.play(6).forge(6, rich),
		"header":        c.play(6).forge(2, func(s *channel.State) { s.Header.LastTimestamp++ }),
		"rejected event with a changed state": func() *game {
			g := c.play(6)
			g.journal.Leaves[3].Entry.Event.Nonce += 5
			return g
		}(),
		"wrong author": func() *game {
			g := c.play(6)
			g.journal.Leaves[3].Entry.Event.Author ^= 1
			return g
		}(),
		"swapped events": func() *game {
			g := c.play(6)
			l := g.journal.Leaves
			l[2].Entry, l[3].Entry = l[3].Entry, l[2].Entry
			return g
		}(),
		"a top-up that the chain does not know": func() *game {
			g := c.play(6)
			g.journal.Leaves[3].Entry = channel.Entry{TopUp: 0}
			return g
		}(),
	}
	want := map[common.Hash]uint64{}
	for name, g := range forged {
		fault, err := proof.Check(t.Context(), g.rules, g.journal, g.update())
		require.NoError(t, err, name)
		require.NotNil(t, fault, name)
		want[g.id()] = fault.Seq
		g.conclude().publish(3)
	}
	right := []*game{c.play(1).conclude(), c.play(5).conclude()}
	for _, g := range right {
		g.publish(2)
	}
	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: len(forged) + len(right), Right: len(right), Wrong: len(forged), Disproved: len(forged)}, v.once())
	for _, r := range v.seen {
		if r.Kind == verifier.ReportWrong {
			require.Equal(t, want[r.ChannelID], r.Fault.Seq)
		}
	}
	for name, g := range forged {
		require.True(t, g.standing().Voided, name)
	}
	for _, g := range right {
		require.False(t, g.standing().Voided)
	}
}

// TestAttack18_StalledAndForeignChunksDoNotHide: other publishers' chunks, chunks that were given up and published again, and a
// publication that was never completed are between the chunks of a forged one.
func TestAttack18_StalledAndForeignChunksDoNotHide(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g, stalled := c.play(20).forge(11, rich).conclude(), c.play(8).forge(3, rich).conclude()
	calls := g.calls(4)
	require.Greater(t, len(calls), 3)
	c.send(publisher)(stalled.calls(2)[0], nil)
	c.send(other)(calls[0], nil)
	c.send(publisher)(calls[0], nil)
	c.send(publisher)(calls[1], nil)
	c.send(other)(calls[1], nil)
	for i, call := range calls { // from the beginning
		c.send(publisher)(call, nil)
		if i == 1 {
			c.send(other)(calls[2], nil)
			require.NoError(t, c.node.Mine(t.Context(), 200))
		}
	}
	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.once())
	require.True(t, g.standing().Voided)
	require.Equal(t, "AlreadyVoid", c.refused(other)(calls[3], nil))

	// The first chunk is below the first block that is looked at.
	late := c.play(20).forge(11, rich).conclude()
	calls = late.calls(4)
	for _, call := range calls[:3] {
		c.send(publisher)(call, nil)
	}
	require.NoError(t, c.node.Mine(t.Context(), 300))
	from, err := c.eth.BlockNumber(t.Context())
	require.NoError(t, err)
	for _, call := range calls[3:] {
		c.send(publisher)(call, nil)
	}
	v = c.guard(prover, verifier.Config{Once: true, FromBlock: from, MaxBlockRange: 50})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.once())
}

// TestAttack18_OldPublicationsAreNotLookedAt: the look-back ends where no window can be open any more.
func TestAttack18_OldPublicationsAreNotLookedAt(t *testing.T) {
	c := newChain(t, anvil.Options{})
	c.play(4).forge(2, rich).conclude().publish(0)
	require.NoError(t, c.node.Advance(t.Context(), 40*24*time.Hour))
	for range 5 {
		require.NoError(t, c.node.Mine(t.Context(), 1))
	}
	g := c.play(4).forge(2, rich).conclude()
	g.publish(0)
	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.once())
	require.True(t, g.standing().Voided)
}

// TestA13_RestartInTheMiddle: a verifier ends at any point, another begins with nothing and finishes.
func TestA13_RestartInTheMiddle(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(30).forge(30, rich).conclude()
	g.publish(9)
	for _, kind := range []string{verifier.ReportSeen, verifier.ReportWrong} {
		require.NoError(t, c.node.SetAutomine(t.Context(), false)) // nothing that it sends is mined
		v := c.guard(prover, verifier.Config{})
		v.until(kind, g.id())
		v.stop()
		require.False(t, g.standing().Voided)
	}
	require.NoError(t, c.node.SetAutomine(t.Context(), true))
	v := c.guard(prover, verifier.Config{})
	v.until(verifier.ReportDisproved, g.id())
	v.stop()
	require.True(t, g.standing().Voided)
	// And one that comes when everything is over sends nothing.
	before, err := c.eth.NonceAt(t.Context(), c.address(other), nil)
	require.NoError(t, err)
	v = c.guard(other, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 1, Closed: 1}, v.once())
	after, err := c.eth.NonceAt(t.Context(), c.address(other), nil)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestAttack24_AProofThatWasReorganisedAwayIsSentAgain.
func TestAttack24_AProofThatWasReorganisedAwayIsSentAgain(t *testing.T) {
	for name, reorganise := range map[string]func(c *chain, n uint64) error{
		"replaced": func(c *chain, n uint64) error { return c.node.Reorg(t.Context(), n) },
		"dropped":  func(c *chain, n uint64) error { return c.node.Rollback(t.Context(), n) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, anvil.Options{})
			g := c.play(10).forge(5, rich).conclude()
			g.publish(0)
			published, err := c.eth.BlockNumber(t.Context())
			require.NoError(t, err)
			v := c.guard(prover, verifier.Config{})
			v.until(verifier.ReportDisproved, g.id())
			require.True(t, g.standing().Voided)

			head, err := c.eth.BlockNumber(t.Context())
			require.NoError(t, err)
			require.Greater(t, head, published)
			require.NoError(t, reorganise(c, head-published))
			require.NoError(t, c.node.Mine(t.Context(), 2))
			v.until(verifier.ReportGone, g.id())
			v.until(verifier.ReportDisproved, g.id())
			v.stop()
			require.True(t, g.standing().Voided)
			require.Equal(t, 1, v.v.Summary().Disproved)
		})
	}
}

// TestAttack24_APublicationThatWasReorganisedAwayIsForgotten, and seen again where it comes back.
func TestAttack24_APublicationThatWasReorganisedAwayIsForgotten(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(10).forge(5, rich).conclude()
	v := c.guard(prover, verifier.Config{DryRun: true})
	before, err := c.eth.BlockNumber(t.Context())
	require.NoError(t, err)
	g.publish(4)
	v.until(verifier.ReportProof, g.id())
	head, err := c.eth.BlockNumber(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.node.Rollback(t.Context(), head-before))
	require.NoError(t, c.node.Mine(t.Context(), 1))
	v.until(verifier.ReportGone, g.id())
	g.publish(5)
	v.until(verifier.ReportProof, g.id())
	v.stop()
	require.False(t, g.standing().Voided)
}

// TestAttack23_TwoVerifiersRace: one proof lands, the other verifier is content, and nobody else is paid.
func TestAttack23_TwoVerifiersRace(t *testing.T) {
	c := newChain(t, anvil.Options{})
	var games []*game
	for range 3 {
		games = append(games, c.play(10).forge(5, rich).conclude())
	}
	a, b := c.guard(prover, verifier.Config{}), c.guard(other, verifier.Config{})
	for _, g := range games {
		g.publish(4)
	}
	for _, g := range games {
		x, y := a.until(verifier.ReportDisproved, g.id()), b.until(verifier.ReportDisproved, g.id())
		require.Equal(t, x.By, y.By)
		require.Equal(t, x.TxHash, y.TxHash)
	}
	a.stop()
	b.stop()
	require.Zero(t, a.v.Summary().Unproven+b.v.Summary().Unproven)
	require.Equal(t, 0, c.balance(c.contracts.Publications).Sign(), "every bond has left: half to a prover, half burnt")
}

// TestAttack26_TheFeeRisesUntilTheProofIsMined: the first offer is too low for every block.
func TestAttack26_TheFeeRisesUntilTheProofIsMined(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(10).forge(5, rich).conclude()
	g.publish(0)
	ctx := t.Context()
	require.NoError(t, c.node.SetAutomine(ctx, false))
	v := c.guard(prover, verifier.Config{})
	v.until(verifier.ReportSending, g.id())
	pending := func() *big.Int {
		var content struct {
			Pending map[string]map[string]struct {
				Price string `json:"maxFeePerGas"`
			} `json:"pending"`
			Queued map[string]map[string]struct {
				Price string `json:"maxFeePerGas"`
			} `json:"queued"`
		}
		require.NoError(t, c.node.Client().CallContext(ctx, &content, "txpool_content"))
		for _, txs := range content.Pending {
			for _, tx := range txs {
				price, _ := new(big.Int).SetString(tx.Price, 0)
				return price
			}
		}
		return nil
	}
	require.Eventually(t, func() bool { return pending() != nil }, patience, 10*time.Millisecond)
	first := pending()
	require.NoError(t, c.node.Client().CallContext(ctx, nil, "anvil_setNextBlockBaseFeePerGas", "0x"+new(big.Int).Mul(first, big.NewInt(3)).Text(16)))
	require.NoError(t, c.node.Mine(ctx, 1))
	require.False(t, g.standing().Voided, "the offer was high enough, the test shows nothing")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx := t.Context(); ctx.Err() == nil && !func() bool { s, err := c.reader.Standing(ctx, g.id()); return err == nil && s.Voided }(); {
			_ = c.node.Mine(ctx, 1) // the chain goes on until the proof is in
			time.Sleep(50 * time.Millisecond)
		}
	}()
	r := v.until(verifier.ReportDisproved, g.id())
	<-done
	v.stop()
	tx, _, err := c.eth.TransactionByHash(context.Background(), *r.TxHash)
	require.NoError(t, err)
	require.Equal(t, 1, tx.GasFeeCap().Cmp(first), "the offer did not rise")
}

// TestAttack28_ALongJournalDoesNotKeepItFromOthers: with one worker and a long journal that is more urgent, a forged short one is
// disproved first.
func TestAttack28_ALongJournalDoesNotKeepItFromOthers(t *testing.T) {
	c := newChain(t, anvil.Options{})
	long := c.play(3000).forge(3000, rich).conclude()
	long.publish(1000)
	short := c.play(4).forge(4, rich).conclude()
	short.publish(0)
	v := c.guard(prover, verifier.Config{Once: true, Workers: 1, Slice: time.Microsecond, MaxLoaded: 1})
	require.Equal(t, verifier.Summary{Seen: 2, Wrong: 2, Disproved: 2}, v.once())
	var order []common.Hash
	for _, r := range v.seen {
		if r.Kind == verifier.ReportWrong {
			order = append(order, r.ChannelID)
		}
	}
	require.Equal(t, []common.Hash{short.id(), long.id()}, order)
}

// TestA11_DryRunSendsNothing and needs no key.
func TestA11_DryRunSendsNothing(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(6).forge(3, rich).conclude()
	g.publish(0)
	v := c.guard(0, verifier.Config{Once: true, DryRun: true})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Unproven: 1, Provable: 1}, v.once())
	require.Equal(t, []string{"seen", "wrong", "proof"}, v.kinds())
	require.Positive(t, v.seen[2].Gas)
	require.False(t, g.standing().Voided)
}

// TestA11_VetoedIsLeftAlone: the guardian was quicker; the publisher has its bond back, and there is nothing to prove it for.
func TestA11_VetoedIsLeftAlone(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(6).forge(3, rich).conclude()
	g.publish(0)
	c.send(other)(adjudicator.Veto(c.contracts.Publications, g.rules.Params, g.journal.Genesis))
	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 1, Closed: 1}, v.once())
	require.False(t, g.standing().Voided)
}

// TestC3_OnlyTheWorldsThatAreGuarded: a verifier of another World does not look at this one.
func TestC3_OnlyTheWorldsThatAreGuarded(t *testing.T) {
	c := newChain(t, anvil.Options{})
	g := c.play(6).forge(3, rich).conclude()
	g.publish(0)
	v := c.guard(prover, verifier.Config{Once: true, Worlds: []common.Address{{1}}})
	require.Zero(t, v.once())
	v = c.guard(prover, verifier.Config{Once: true, Worlds: []common.Address{{1}, c.world.World}})
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.once())
}

// TestAttack15_WithoutMoneyItSaysSoAndGoesOn: an account that cannot pay is a failure that is told; with money it works.
func TestAttack15_WithoutMoneyItSaysSoAndGoesOn(t *testing.T) {
	c := newChain(t, anvil.Options{})
	require.NoError(t, c.node.SetBalance(t.Context(), c.address(prover), big.NewInt(1)))
	g := c.play(6).forge(3, rich).conclude()
	g.publish(0)
	v := c.guard(prover, verifier.Config{})
	require.NotEmpty(t, v.until(verifier.ReportFailed, g.id()).Error)
	require.NoError(t, c.node.SetBalance(t.Context(), c.address(prover), big.NewInt(coin)))
	v.until(verifier.ReportDisproved, g.id())
	v.stop()
	require.Equal(t, verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, v.v.Summary())
}

// garbage is a module that is registered and none: only its manifest exists.
type garbage struct{ manifest channel.Manifest }

func (g garbage) Manifest() channel.Manifest             { return g.manifest }
func (garbage) Init([]byte) channel.Result               { return channel.Result{} }
func (garbage) Reduce(_, _ []byte) (r channel.Result)    { return r }
func (garbage) Effects(_ []byte) (result channel.Result) { return result }

// TestAttack29_AModuleThatIsNone: a World's owner allowed bytes that are no program. The verifier says so and checks the others.
func TestAttack29_AModuleThatIsNone(t *testing.T) {
	c := newChain(t, anvil.Options{})
	program := []byte("no program at all")
	manifest := channel.Manifest{ProgramHash: crypto.Keccak256Hash(program), FuelLimit: 1000, PageLimit: 1}
	sender := func(ctx context.Context, call adjudicator.Call) (*types.Receipt, error) {
		return c.node.Send(ctx, c.keys[owner], &call.To, call.Value, call.Data)
	}
	hash, receipts, err := adjudicator.Register(t.Context(), c.eth, sender, c.contracts.Registry, program, manifest)
	require.NoError(t, err)
	require.Len(t, receipts, 3)
	_, receipts, err = adjudicator.Register(t.Context(), c.eth, sender, c.contracts.Registry, program, manifest)
	require.NoError(t, err)
	require.Empty(t, receipts, "registered twice")
	c.send(owner)(adjudicator.SetPolicy(c.contracts.Policies, c.world.World, c.world.NamespaceID.Hash(), hash, c.config, adjudicator.Policy{
		Modes: adjudicator.ModeOptimistic, Window: window, Bond: bond, MaxJournalBytes: 1 << 20,
	}))
	g := c.play(3)
	p := *g.rules.Params
	p.ModuleHash = hash
	g.rules, err = channel.NewRules(&p, channel.Funding{}, garbage{manifest})
	require.NoError(t, err)
	for _, l := range g.journal.Leaves[1:] {
		l.Entry.Event.ChannelID = g.rules.ID()
	}
	g.conclude().publish(0)
	right := c.play(4).conclude()
	right.publish(0)

	v := c.guard(prover, verifier.Config{Once: true})
	require.Equal(t, verifier.Summary{Seen: 2, Right: 1, Stuck: 1}, v.once())
	require.Contains(t, v.kinds(), verifier.ReportStuck)
	for _, r := range v.seen {
		if r.Kind == verifier.ReportStuck {
			require.Equal(t, g.id(), r.ChannelID)
			require.Contains(t, r.Error, "nobody can verify it")
		}
	}
}

// TestVerifierRefusesWhatCannotWork.
func TestVerifierRefusesWhatCannotWork(t *testing.T) {
	all := adjudicator.Predict(1, common.Hash{})
	for _, cfg := range []verifier.Config{{}, {Contracts: all}, {Contracts: adjudicator.Contracts{Settlement: all.Settlement}, DryRun: true}} {
		_, err := verifier.New(cfg, verifier.Deps{})
		require.ErrorIs(t, err, verifier.ErrConfig)
	}
}

// TestC3_TicketsAreWhatTheChainSays: bought, sealed, and hashed here as there.
func TestC3_TicketsAreWhatTheChainSays(t *testing.T) {
	c := newChain(t, anvil.Options{})
	price := *uint256.NewInt(7)
	c.send(owner)(adjudicator.SetPolicy(c.contracts.Policies, c.world.World, c.world.NamespaceID.Hash(), c.module.Hash(), c.config, adjudicator.Policy{
		Modes: adjudicator.ModeExecuted, MaxJournalBytes: 1 << 20, NeedsTicket: true, TicketPrice: price,
	}))
	policy, revision, err := c.reader.InForce(t.Context(), c.world.World, c.world.NamespaceID.Hash(), c.module.Hash(), c.config, 0)
	require.NoError(t, err)
	require.Equal(t, price, policy.TicketPrice)
	_, _, err = c.reader.InForce(t.Context(), c.world.World, c.world.NamespaceID.Hash(), common.Hash{1}, c.config, 0)
	require.Error(t, err)
	table := c.world.Tables["RaidResult"].TableID.Hash()
	keys := []adjudicator.RecordKey{{ResourceID: table, Key: []common.Hash{common.BytesToHash(c.address(0).Bytes())}}}
	owners := []common.Address{c.address(0), c.address(1)}
	enter := func(price channel.Amount) (adjudicator.Call, error) {
		return adjudicator.Enter(c.contracts.Tickets, c.world.World, c.world.NamespaceID.Hash(), c.module.Hash(), c.config, owners, keys, price)
	}
	require.Equal(t, "WrongPrice", c.refused(other)(enter(channel.Amount{})))
	entered, ok := c.send(other)(enter(price))[0].Body.(adjudicator.Entered)
	require.True(t, ok)
	require.Equal(t, revision, entered.Ticket.Revision)
	require.Len(t, entered.Records, 1)
	require.Equal(t, table, entered.Records[0].ResourceID)
	require.Equal(t, keys[0].Key, entered.Records[0].Key)
	require.Equal(t, "TooEarly", c.refused(other)(adjudicator.Seal(c.contracts.Tickets, entered.Number)))
	require.NoError(t, c.node.Mine(t.Context(), 4))
	sealed, ok := c.send(other)(adjudicator.Seal(c.contracts.Tickets, entered.Number))[0].Body.(adjudicator.Sealed)
	require.True(t, ok)
	require.NotZero(t, sealed.Ticket.Seed)
	require.Equal(t, sealed.TicketHash, sealed.Ticket.Hash())
	is, err := c.reader.IsSealed(t.Context(), sealed.TicketHash)
	require.NoError(t, err)
	require.True(t, is)
	used, err := c.reader.UsedBy(t.Context(), sealed.TicketHash)
	require.NoError(t, err)
	require.Zero(t, used)
	credit, err := c.reader.TicketCredits(t.Context(), c.address(owner))
	require.NoError(t, err)
	require.Equal(t, price, credit)
	c.send(owner)(adjudicator.WithdrawTickets(c.contracts.Tickets, c.address(owner)))
}

// TestC2_TheChainKeepsTheProgram: what was registered is read back, its gas is bounded as Go bounds it.
func TestC2_TheChainKeepsTheProgram(t *testing.T) {
	c := newChain(t, anvil.Options{})
	manifest, program, err := c.reader.Program(t.Context(), c.eth, c.module.Hash())
	require.NoError(t, err)
	require.Equal(t, c.module.Manifest(), manifest)
	require.Equal(t, c.module.Program().Encode(), program)
	bound, err := c.reader.GasBound(t.Context(), manifest.FuelLimit, manifest.PageLimit, len(program))
	require.NoError(t, err)
	require.Equal(t, evm.GasBound(manifest.FuelLimit, manifest.PageLimit, len(program)), bound)
	_, _, err = c.reader.Program(t.Context(), c.eth, common.Hash{1})
	require.Error(t, err)
	_, size, err := c.reader.ProgramOf(t.Context(), manifest.ProgramHash)
	require.NoError(t, err)
	require.EqualValues(t, len(program), size)
	chunks, _, err := c.reader.ProgramOf(t.Context(), common.Hash{1})
	require.NoError(t, err)
	require.Empty(t, chunks)
}
