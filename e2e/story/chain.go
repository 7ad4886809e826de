package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/mudbridge"
	"github.com/evmts/channels/sidecar"
)

// readChain compares what the chain holds with what the spectator derived.
func (t *teller) readChain(ctx context.Context) error {
	receipts, err := t.transactions(ctx)
	if err != nil {
		return err
	}
	if err := t.contracts(ctx); err != nil {
		return err
	}
	if err := t.payouts(ctx, receipts); err != nil {
		return err
	}
	return t.records(ctx)
}

// transactions collects what the sidecars sent, by sidecar.
func (t *teller) transactions(ctx context.Context) ([][]*types.Receipt, error) {
	out := make([][]*types.Receipt, len(t.clients))
	kinds := make(map[string]int)
	for i, c := range t.clients {
		var info sidecar.ChannelInfo
		if err := c.CallContext(ctx, &info, "channels_get", t.sum.ChannelID); err != nil {
			return nil, err
		}
		for _, tx := range info.Transactions {
			r, err := t.d.Chain.Eth.TransactionReceipt(ctx, tx.TxHash)
			if err != nil {
				return nil, fmt.Errorf("receipt of %s: %w", tx.TxHash, err)
			}
			kinds[tx.Kind]++
			out[i] = append(out[i], r)
			t.sum.Transactions = append(t.sum.Transactions, Transaction{tx.Kind, t.d.Sidecars[i].Name, r.TxHash, r.BlockNumber.Uint64(), r.GasUsed})
		}
	}
	slices.SortStableFunc(t.sum.Transactions, func(a, b Transaction) int { return int(a.Block) - int(b.Block) })
	want := map[string]int{"deposit": len(t.clients), "conclude": 1, "settle": 1}
	switch t.d.Options.Modes {
	case adjudicator.ModeOptimistic:
		want["publish"], want["release"] = 1, 2 // the bond becomes a credit, and is withdrawn
	case adjudicator.ModeExecuted:
		want["publish"] = kinds["publish"] // as many as the gas of the raid takes
	}
	var err error
	if !maps.Equal(kinds, want) {
		err = fmt.Errorf("got %v, want %v", kinds, want)
	}
	t.sum.Checks.check("one deposit each, one conclusion, one settlement, and the journal on chain where the World wants that", err)
	return out, nil
}

func (t *teller) contracts(ctx context.Context) error {
	r := adjudicator.NewReader(t.d.Chain.Eth, t.d.Chain.Contracts)
	c, err := r.Channel(ctx, t.sum.ChannelID)
	if err != nil {
		return err
	}
	t.sum.Checks.check("the chain has the channel as final", equal(c.Status, adjudicator.StatusFinal))
	t.sum.Checks.check("the chain has the journal root that everybody signed", equal(c.JournalRoot, t.sum.JournalRoot))
	t.sum.Checks.check("the chain has the last state", equal(c.StateHash, t.sum.StateHash))
	for _, s := range t.args.Funding {
		held, err := r.Held(ctx, t.sum.ChannelID, s.Asset)
		if err != nil {
			return err
		}
		t.sum.Checks.check("nothing of the pot is left in the contract", equal(held.Dec(), "0"))
	}
	settled, err := r.IsSettled(ctx, t.sum.ChannelID)
	if err != nil {
		return err
	}
	t.sum.Checks.check("the World's settlement is done", equal(settled, true))
	return nil
}

// payouts compares the last state's funds with the contract's Paid events and with the owners' balances.
func (t *teller) payouts(ctx context.Context, receipts [][]*types.Receipt) error {
	paid := make(map[common.Address]*big.Int)
	for _, list := range receipts {
		for _, r := range list {
			if err := t.addPaid(paid, r); err != nil {
				return err
			}
		}
	}
	var conserved big.Int
	for i, s := range t.d.Sidecars {
		final, stake := t.watcher.state.Amount(t.rules.Shape(), 0, i), t.args.Funding[0].Amounts[i]
		got := paid[s.Owner()]
		if got == nil {
			got = new(big.Int)
		}
		conserved.Add(&conserved, got)
		fees := new(big.Int)
		for _, r := range receipts[i] {
			fees.Add(fees, devnet.Fees(r))
		}
		t.sum.Payouts = append(t.sum.Payouts, Payout{s.Name, s.Owner(), stake.Dec(), final.Dec(), got.String(), fees.String()})
		t.sum.Checks.check("the contract paid "+s.Name+" what the last state says", equal(got.String(), final.Dec()))
		if err := t.balance(ctx, i, len(receipts[i]), stake.ToBig(), final.ToBig(), fees); err != nil {
			return err
		}
	}
	pot := t.args.Funding.Pot()[0]
	t.sum.Checks.check("the payouts add up to the pot", equal(conserved.String(), pot.Dec()))
	return nil
}

func (t *teller) addPaid(paid map[common.Address]*big.Int, r *types.Receipt) error {
	for _, l := range r.Logs {
		fact, ok, err := t.d.Chain.Contracts.DecodeLog(*l)
		if err != nil {
			return err
		}
		p, isPaid := fact.Body.(adjudicator.Paid)
		if !ok || !isPaid || p.ChannelID != t.sum.ChannelID {
			continue
		}
		if paid[p.To] == nil {
			paid[p.To] = new(big.Int)
		}
		paid[p.To].Add(paid[p.To], p.Amount.ToBig())
	}
	return nil
}

// balance checks that an owner's wallet moved by stake, payout and the fees of the transactions that are known, and by
// nothing else.
func (t *teller) balance(ctx context.Context, i, known int, stake, final, fees *big.Int) error {
	s, eth, before := t.d.Sidecars[i], t.d.Chain.Eth, new(big.Int).SetUint64(t.before)
	had, err := eth.BalanceAt(ctx, s.Owner(), before)
	if err != nil {
		return fmt.Errorf("balance of %s: %w", s.Name, err)
	}
	has, err := eth.BalanceAt(ctx, s.Owner(), nil)
	if err != nil {
		return fmt.Errorf("balance of %s: %w", s.Name, err)
	}
	from, err := eth.NonceAt(ctx, s.Owner(), before)
	if err != nil {
		return fmt.Errorf("nonce of %s: %w", s.Name, err)
	}
	to, err := eth.NonceAt(ctx, s.Owner(), nil)
	if err != nil {
		return fmt.Errorf("nonce of %s: %w", s.Name, err)
	}
	want := new(big.Int).Sub(had, stake)
	want.Add(want, final).Sub(want, fees)
	t.sum.Checks.check("the wallet of "+s.Name+" holds what it must", errors.Join(equal(has.String(), want.String()), equal(to-from, uint64(known))))
	return nil
}

// place is one record of the World.
type place struct {
	table mudbridge.ResourceID
	key   string // its words
}

// records applies the effects that the module derives to the records before the raid, and compares with those after.
func (t *teller) records(ctx context.Context) error {
	effects, verdict := t.rules.Effects(t.watcher.state)
	if err := verdict.Err(); err != nil {
		return fmt.Errorf("derive the effects: %w", err)
	}
	now := mudbridge.NewReader(t.d.Chain.Eth, t.d.Chain.World.World)
	old := now.At(new(big.Int).SetUint64(t.before))
	want := make(map[place]mudbridge.Record)
	var order []place
	keys := make(map[place][]common.Hash)
	touched := make(map[string]bool)
	for _, e := range effects {
		table, err := now.Table(ctx, mudbridge.ResourceID(e.ResourceID))
		if err != nil {
			return err
		}
		at := placeOf(e)
		if _, seen := want[at]; !seen {
			if want[at], err = old.RawRecord(ctx, table.ID, e.Key); err != nil {
				return err
			}
			order, keys[at] = append(order, at), e.Key
		}
		if want[at], err = table.ApplyEffect(want[at], e); err != nil {
			return fmt.Errorf("apply %s: %w", mudbridge.Describe(e, &table), err)
		}
		touched[table.ID.Label()] = true
	}
	for _, label := range []string{"raid__RaidResult", "raid__Loot"} {
		t.sum.Checks.check("the raid leaves records in "+label, equal(touched[label], true))
	}
	var wrong error
	for _, at := range order {
		got, err := now.RawRecord(ctx, at.table, keys[at])
		if err != nil {
			return err
		}
		if !sameRecord(got, want[at]) {
			wrong = errors.Join(wrong, fmt.Errorf("%s %x: got %x, want %x", at.table, keys[at], got.StaticData, want[at].StaticData))
		}
		if err := t.addRecord(ctx, now, at, keys[at], got); err != nil {
			return err
		}
	}
	t.sum.Checks.check("the World's records are what the module derives", wrong)
	return nil
}

func placeOf(e channel.Effect) place {
	var key []byte
	for _, w := range e.Key {
		key = append(key, w[:]...)
	}
	return place{mudbridge.ResourceID(e.ResourceID), string(key)}
}

func sameRecord(a, b mudbridge.Record) bool {
	return bytes.Equal(a.StaticData, b.StaticData) && a.EncodedLengths == b.EncodedLengths && bytes.Equal(a.DynamicData, b.DynamicData)
}

func (t *teller) addRecord(ctx context.Context, r *mudbridge.Reader, at place, key []common.Hash, record mudbridge.Record) error {
	table, err := r.Table(ctx, at.table)
	if err != nil {
		return err
	}
	row, err := table.DecodeRow(key, record)
	if err != nil {
		return err
	}
	player := common.BytesToAddress(key[0][:]).Hex()
	for _, s := range t.d.Sidecars {
		if s.Owner().Hex() == player {
			player = s.Name
		}
	}
	t.sum.Records = append(t.sum.Records, Record{table.ID.Label(), player, row.NameMap(), row.String()})
	return nil
}
