package story

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/mudbridge"
)

// FraudSummary is what came of the forged raid. Amounts are decimal, in the coin's smallest unit.
type FraudSummary struct {
	OK           bool               `json:"ok"`
	Error        string             `json:"error,omitempty"`
	Checks       Checks             `json:"checks"`
	ChannelID    common.Hash        `json:"channelId"`
	ModuleHash   common.Hash        `json:"moduleHash"`
	World        common.Address     `json:"world"`
	Events       uint64             `json:"events"`
	JournalRoot  common.Hash        `json:"journalRoot"`
	Forged       Forgery            `json:"forged"`
	Proof        Proof              `json:"proof"`
	Bond         string             `json:"bond"`
	Refused      string             `json:"refused"` // what the settlement says to the colluders
	Transactions []Transaction      `json:"transactions"`
	Seconds      map[string]float64 `json:"seconds"`
}

// Forgery is the impossible step.
type Forgery struct {
	Leaf    uint64      `json:"leaf"`
	Author  string      `json:"author"`
	Event   string      `json:"event"` // its payload, for people
	Player  string      `json:"player"`
	Gold    uint32      `json:"gold"` // out of nothing
	Claimed common.Hash `json:"claimed"`
	Right   common.Hash `json:"right"`
}

// Proof is the transaction that ended it.
type Proof struct {
	TxHash   common.Hash    `json:"txHash"`
	By       common.Address `json:"by"`
	Leaf     uint64         `json:"leaf"`
	Why      string         `json:"why"`
	GasUsed  uint64         `json:"gasUsed"`
	Calldata int            `json:"calldata"` // bytes
	Reward   string         `json:"reward"`
	Burnt    string         `json:"burnt"`
	Seconds  float64        `json:"seconds"` // since the journal was published
}

// Write writes the summary as JSON.
func (s *FraudSummary) Write(path string) error { return writeJSON(path, s) }

const (
	forgedGold    = 1_000_000
	lucky         = 1         // seat of the hero who gets it
	forgedAfter   = 30        // events
	maxProofGas   = 5_000_000 // so that it can be forced in through L1
	fraudTimeout  = 90 * time.Second
	disprovePoll  = 50 * time.Millisecond
	disproveLimit = 60 * time.Second
)

// guard is a process that verifies.
type guard interface {
	Address() common.Address // sends the proof
	Log() string
	Exited() <-chan struct{}
	Stop(ctx context.Context) error
}

// guarding is a sidecar with --verifier.
type guarding struct{ *devnet.Sidecar }

func (g guarding) Address() common.Address        { return g.Owner() }
func (g guarding) Log() string                    { return g.LogFile }
func (g guarding) Stop(ctx context.Context) error { return g.Terminate(ctx) }

// fraud is one run of the story.
type fraud struct {
	d   *devnet.Devnet
	o   Options
	sum *FraudSummary
	c   *colluders

	verifier  guard
	had       *big.Int // the verifier, before the publication
	published time.Time
}

// TellFraud plays a raid in which everybody colludes, on a devnet without sidecars, and watches it lose against a verifier that
// nobody told about it. The summary is what is known when it ends.
func TellFraud(ctx context.Context, d *devnet.Devnet, o Options) (sum *FraudSummary, err error) {
	ctx, cancel := context.WithTimeout(ctx, fraudTimeout)
	defer cancel()
	if o.Step == nil {
		o.Step = func(string) {}
	}
	if o.Line == nil {
		o.Line = func(uint64, string) {}
	}
	f := &fraud{d: d, o: o, sum: &FraudSummary{
		ModuleHash: d.Module, World: d.Chain.World.World, Seconds: make(map[string]float64),
	}}
	sum = f.sum
	defer func() {
		if err != nil {
			sum.OK, sum.Error = false, err.Error()
		}
		if f.verifier != nil {
			err = errors.Join(err, f.verifier.Stop(context.WithoutCancel(ctx)))
		}
	}()
	began := time.Now()
	for _, part := range []struct {
		name, step string
		run        func(context.Context) error
	}{
		{"watch", "a stranger starts a verifier: it knows the contracts' addresses and has a key with some gas money", f.watch},
		{"play", "operator, alice and bob play a raid, and agree on one step that the rules do not allow", f.play},
		{"sign", "all three sign the journal, pay their stakes, and end the channel: the chain pays out as they agreed", f.conclude},
		{"publish", "they publish the journal and risk the World's bond: unless somebody disproves a step, the records land", f.publish},
		{"proof", "the verifier replays the journal", f.await},
		{"settle", "the colluders try to settle nevertheless", f.settle},
	} {
		o.Step(part.step)
		start := time.Now()
		err := part.run(ctx)
		sum.Seconds[part.name] = time.Since(start).Seconds()
		if err != nil {
			return sum, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	sum.Seconds["total"] = time.Since(began).Seconds()
	err = sum.Checks.Verdict()
	sum.OK = err == nil
	return sum, err
}

func (f *fraud) watch(ctx context.Context) error {
	if s := f.o.Guard; s != nil {
		f.verifier = guarding{s}
		return s.Restart(ctx)
	}
	v, err := f.d.StartVerifier(ctx)
	if err == nil {
		f.verifier = v
	}
	return err
}

// play forges the state after some event in the middle: a hero finds a million gold that no monster dropped.
func (f *fraud) play(ctx context.Context) (err error) {
	if f.c, err = gather(ctx, f.d); err != nil {
		return err
	}
	var describing error
	err = f.c.play(func(seq uint64, at *raid.State, state []byte) ([]byte, error) {
		if seq < forgedAfter || at.Phase != raid.PhaseAct || !at.Seats[lucky].Alive() {
			return nil, nil // not after a round
		}
		f.sum.Forged.Leaf, f.sum.Forged.Player, f.sum.Forged.Gold = seq, f.d.Sidecars[lucky].Name, forgedGold
		return raid.WithLoot(state, lucky, raid.Gold, forgedGold)
	}, func(seq uint64, e *channel.Event, before, after *channel.State) {
		lines, err := raid.Describe(before.Bytes(), after.Bytes(), e.Author, e.Payload, f.o.Names)
		describing = errors.Join(describing, err)
		for _, line := range lines {
			f.o.Line(seq, line)
		}
		if f.c.forged == 0 && f.sum.Forged.Leaf == 0 {
			f.sum.Forged.Author, f.sum.Forged.Event = f.d.Sidecars[e.Author].Name, strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
		}
		if f.c.forged == seq-1 && f.c.forged != 0 {
			f.o.Line(f.c.forged, fmt.Sprintf("** and %s has %d gold. No monster dropped it; everybody will sign it. **", f.sum.Forged.Player, uint32(forgedGold)))
		}
	})
	if err := errors.Join(err, describing); err != nil {
		return err
	}
	u := f.c.update()
	f.sum.ChannelID, f.sum.Events, f.sum.JournalRoot = u.ChannelID, u.Seq, u.JournalRoot
	f.sum.Forged.Claimed, f.sum.Forged.Right = f.c.journal.Leaves[f.c.forged].StateHash, f.c.before.Hash()
	end, err := raid.Decode(f.c.state.Bytes())
	if err != nil {
		return err
	}
	f.sum.Checks.check("the forged gold is still there at the end", atLeast(uint64(end.Seats[lucky].Carries(raid.Gold)), forgedGold))
	return nil
}

func (f *fraud) conclude(ctx context.Context) error {
	if err := f.c.fund(ctx); err != nil {
		return err
	}
	receipt, err := f.c.conclude(ctx)
	if err != nil {
		return err
	}
	f.note("conclude", f.d.Sidecars[0].Name, receipt)
	r := adjudicator.NewReader(f.d.Chain.Eth, f.d.Chain.Contracts)
	onChain, err := r.Channel(ctx, f.c.rules.ID())
	if err != nil {
		return err
	}
	f.sum.Checks.check("the channel is final with everybody's signatures: their money is theirs", equal(onChain.Status, adjudicator.StatusFinal))
	return nil
}

func (f *fraud) note(kind, by string, r *types.Receipt) {
	f.sum.Transactions = append(f.sum.Transactions, Transaction{kind, by, r.TxHash, r.BlockNumber.Uint64(), r.GasUsed})
}

func (f *fraud) publish(ctx context.Context) (err error) {
	bond := devnet.Bond()
	f.sum.Bond = bond.Dec()
	if f.had, err = balance(ctx, f.d, f.verifier.Address()); err != nil {
		return err
	}
	receipts, err := f.c.publish(ctx, bond)
	if err != nil {
		return err
	}
	f.published = time.Now()
	for _, r := range receipts {
		f.note("publish", f.d.Sidecars[0].Name, r)
	}
	return nil
}

// await waits until the chain says that a leaf was disproved; nobody tells the verifier anything.
func (f *fraud) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, disproveLimit)
	defer cancel()
	r := adjudicator.NewReader(f.d.Chain.Eth, f.d.Chain.Contracts)
	for {
		standing, err := r.Standing(ctx, f.c.rules.ID())
		if err != nil {
			return fmt.Errorf("%w; the verifier's log: %s", err, f.verifier.Log())
		}
		if standing.Voided {
			return f.proof(ctx)
		}
		select {
		case <-f.verifier.Exited():
			return fmt.Errorf("the verifier has ended: see %s", f.verifier.Log())
		case <-time.After(disprovePoll):
		case <-ctx.Done():
			return fmt.Errorf("%w: nobody disproved the journal; the verifier's log: %s", ErrCheck, f.verifier.Log())
		}
	}
}

func (f *fraud) proof(ctx context.Context) error {
	f.sum.Proof.Seconds = time.Since(f.published).Seconds()
	logs, err := f.d.Chain.Eth.FilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{f.d.Chain.Contracts.Publications}})
	if err != nil {
		return fmt.Errorf("read the logs of the publications: %w", err)
	}
	for _, l := range logs {
		fact, known, err := f.d.Chain.Contracts.DecodeLog(l)
		if err != nil {
			return err
		}
		d, ok := fact.Body.(adjudicator.Disproved)
		if !known || !ok || d.ChannelID != f.c.rules.ID() {
			continue
		}
		return f.examine(ctx, l.TxHash, d)
	}
	return fmt.Errorf("%w: the journal is void, but no log says why", ErrCheck)
}

func (f *fraud) examine(ctx context.Context, hash common.Hash, d adjudicator.Disproved) error {
	tx, _, err := f.d.Chain.Eth.TransactionByHash(ctx, hash)
	if err != nil {
		return fmt.Errorf("read the proof: %w", err)
	}
	receipt, err := f.d.Chain.Eth.TransactionReceipt(ctx, hash)
	if err != nil {
		return fmt.Errorf("read the receipt of the proof: %w", err)
	}
	f.note("disprove", "the verifier", receipt)
	f.sum.Proof.TxHash, f.sum.Proof.By, f.sum.Proof.Leaf = hash, d.Prover, d.Index
	f.sum.Proof.GasUsed, f.sum.Proof.Calldata = receipt.GasUsed, len(tx.Data())
	f.sum.Proof.Reward, f.sum.Proof.Burnt = d.Reward.Dec(), d.Burnt.Dec()
	f.sum.Proof.Why = "the rules accept the event, and give another state than the one that all three signed"
	if d.Status != uint8(channel.Accepted) {
		f.sum.Proof.Why = fmt.Sprintf("the rules reject the event (%s), and the state changed", channel.Status(d.Status))
	}

	f.sum.Checks.check("the verifier disproved it, in one transaction", equal(d.Prover, f.verifier.Address()))
	f.sum.Checks.check("it named the forged leaf and no other", equal(d.Index, f.c.forged))
	f.sum.Checks.check("the chain derived the state that the rules give", equal(d.Derived, f.sum.Forged.Right))
	f.sum.Checks.check("the proof costs 5 million gas at most", atMost(receipt.GasUsed, maxProofGas))
	fees := devnet.Fees(receipt)
	half := new(big.Int).Div(bondOf(f.sum.Bond), big.NewInt(2))
	now, err := balance(ctx, f.d, f.verifier.Address())
	if err != nil {
		return err
	}
	want := new(big.Int).Add(f.had, half)
	f.sum.Checks.check("half of the bond is the verifier's", equal(now.String(), want.Sub(want, fees).String()))
	// The block's fees go to the address that bonds are burnt at, so the contract's own balance is looked at.
	if now, err = balance(ctx, f.d, f.d.Chain.Contracts.Publications); err != nil {
		return err
	}
	f.sum.Checks.check("the other half is burnt, nothing is left of it", errors.Join(equal(f.sum.Proof.Burnt, half.String()), equal(now.String(), "0")))
	return nil
}

func bondOf(decimal string) *big.Int {
	v, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return new(big.Int)
	}
	return v
}

// settle is refused, also when the window is over; and the World has nothing.
func (f *fraud) settle(ctx context.Context) error {
	claim, err := f.c.claim()
	if err != nil {
		return err
	}
	call, err := adjudicator.SettleOptimistic(f.d.Chain.Contracts.Settlement, claim)
	if err != nil {
		return err
	}
	if err := f.d.Chain.Pass(ctx, f.d.Options.Window+time.Second); err != nil {
		return err
	}
	from := crypto.PubkeyToAddress(f.d.Sidecars[0].OwnerKey.PublicKey)
	_, err = f.d.Chain.Eth.CallContract(ctx, ethereum.CallMsg{From: from, To: &call.To, Data: call.Data}, nil)
	name := "nothing: it would go through"
	var data rpc.DataError
	if errors.As(err, &data) {
		if text, ok := data.ErrorData().(string); ok {
			if r, ok := adjudicator.ParseRevert(common.FromHex(text)); ok {
				name, f.sum.Refused = r.Name, r.Error()
			}
		}
	} else if err != nil {
		return fmt.Errorf("simulate the settlement: %w", err)
	}
	f.sum.Checks.check("the settlement refuses the journal after the window too", equal(name, "Void"))
	return f.records(ctx)
}

func (f *fraud) records(ctx context.Context) error {
	effects, verdict := f.c.rules.Effects(f.c.state)
	if err := verdict.Err(); err != nil {
		return fmt.Errorf("derive the effects: %w", err)
	}
	reader := mudbridge.NewReader(f.d.Chain.Eth, f.d.Chain.World.World)
	var wrong error
	gold := false
	for _, e := range effects {
		table, err := reader.Table(ctx, mudbridge.ResourceID(e.ResourceID))
		if err != nil {
			return err
		}
		gold = gold || table.ID.Label() == "raid__Loot"
		record, err := reader.RawRecord(ctx, table.ID, e.Key)
		if err != nil {
			return err
		}
		for _, b := range record.StaticData {
			if b != 0 {
				wrong = errors.Join(wrong, fmt.Errorf("%s has %x", table.ID.Label(), record.StaticData))
			}
		}
	}
	f.sum.Checks.check("their journal would have written loot", equal(gold, true))
	f.sum.Checks.check("the World has no record of it", wrong)
	return nil
}
