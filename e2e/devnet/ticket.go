package devnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/plugin/anvil"
)

// entrance buys tickets on a development chain. One at a time: they are paid from one account.
type entrance struct {
	client    *rpc.Client
	contracts adjudicator.Contracts
	world     common.Address
	namespace common.Hash
	module    common.Hash
	buyer     *ecdsa.PrivateKey
}

// MaxTickets are as many as can be bought together: a ticket is sealed within 256 blocks, and a chain may make one for each.
const MaxTickets = 100

// geneses buys tickets for raids of these owners (the first keeps the dungeon), waits for their seeds, and gives the geneses that
// are played with them. As many blocks pass as for one.
func (e *entrance) geneses(ctx context.Context, owners []common.Address, count int) ([]raid.Genesis, error) {
	if count < 1 || count > MaxTickets {
		return nil, fmt.Errorf("%d tickets: 1 to %d can be bought together", count, MaxTickets)
	}
	enter, err := e.enter(owners)
	if err != nil {
		return nil, err
	}
	entered, err := sendFor[adjudicator.Entered](ctx, e, slices.Repeat([]adjudicator.Call{enter}, count))
	if err != nil {
		return nil, fmt.Errorf("buy tickets: %w", err)
	}
	seals, seedBlock := make([]adjudicator.Call, count), uint64(0)
	for i, f := range entered {
		seedBlock = max(seedBlock, f.SeedBlock.Uint64())
		if seals[i], err = adjudicator.Seal(e.contracts.Tickets, f.Number); err != nil {
			return nil, err
		}
	}
	if err := e.pass(ctx, seedBlock); err != nil {
		return nil, err
	}
	sealed, err := sendFor[adjudicator.Sealed](ctx, e, seals)
	if err != nil {
		return nil, fmt.Errorf("seal tickets: %w", err)
	}
	games := make([]raid.Genesis, count)
	for i := range games {
		ticket := raid.Ticket(sealed[i].Ticket)
		games[i] = raid.Genesis{Settlement: e.contracts.Settlement, World: e.world, NamespaceID: e.namespace, Dungeon: raid.DefaultDungeon, Ticket: &ticket}
		for _, r := range entered[i].Records {
			games[i].Records = append(games[i].Records, raid.Record{
				ResourceID: r.ResourceID, Key: r.Key, StaticData: r.StaticData, EncodedLengths: r.EncodedLengths, DynamicData: r.DynamicData,
			})
		}
	}
	return games, nil
}

// BuyTickets buys tickets that nobody plays for, at most MaxTickets, and tells what gas they took: transactions of the kind that raids need,
// without sidecars.
func (d *Devnet) BuyTickets(ctx context.Context, count int) (gas uint64, err error) {
	if count < 1 || count > MaxTickets {
		return 0, fmt.Errorf("%d tickets: 1 to %d can be bought together", count, MaxTickets)
	}
	owners := make([]common.Address, len(d.Sidecars))
	for i, s := range d.Sidecars {
		owners[i] = s.Owner()
	}
	e := d.entrance()
	call, err := e.enter(owners)
	if err != nil {
		return 0, err
	}
	receipts, err := anvil.SendAll(ctx, e.client, e.buyer, slices.Repeat([]anvil.Call{{To: call.To, Value: call.Value, Data: call.Data}}, count))
	for _, r := range receipts {
		gas += r.GasUsed
	}
	return gas, err
}

// enter is the call that buys a ticket.
func (e *entrance) enter(owners []common.Address) (adjudicator.Call, error) {
	wanted, err := raid.TicketKeys(raid.Namespace, raid.DefaultDungeon, owners, 0)
	if err != nil {
		return adjudicator.Call{}, err
	}
	keys := make([]adjudicator.RecordKey, len(wanted))
	for i, k := range wanted {
		keys[i] = adjudicator.RecordKey{ResourceID: k.ResourceID, Key: k.Key}
	}
	return adjudicator.Enter(e.contracts.Tickets, e.world, e.namespace, e.module, raid.DungeonConfigHash(raid.DefaultDungeon), owners, keys, ticketPrice())
}

// pass makes the chain go past a block, whether it mines by itself or not: a transaction that does nothing needs another block.
func (e *entrance) pass(ctx context.Context, number uint64) error {
	self := adjudicator.Call{To: crypto.PubkeyToAddress(e.buyer.PublicKey), Value: new(big.Int)}
	head, err := ethclient.NewClient(e.client).BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	for head <= number {
		receipt, err := send(ctx, e.client, e.buyer, self)
		if err != nil {
			return fmt.Errorf("wait for block %d: %w", number+1, err)
		}
		head = receipt.BlockNumber.Uint64()
	}
	return nil
}

// sendFor sends calls and finds what the contract said in the transaction of each.
func sendFor[F adjudicator.Body](ctx context.Context, e *entrance, calls []adjudicator.Call) (found []F, err error) {
	list := make([]anvil.Call, len(calls))
	for i, c := range calls {
		list[i] = anvil.Call{To: c.To, Value: c.Value, Data: c.Data}
	}
	receipts, err := anvil.SendAll(ctx, e.client, e.buyer, list)
	if err != nil {
		return nil, err
	}
	for _, r := range receipts {
		f, err := factIn[F](e, r)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

func factIn[F adjudicator.Body](e *entrance, receipt *types.Receipt) (found F, err error) {
	if receipt.Status != types.ReceiptStatusSuccessful {
		return found, fmt.Errorf("transaction %s reverted", receipt.TxHash)
	}
	for _, l := range receipt.Logs {
		fact, known, err := e.contracts.DecodeLog(*l)
		if err != nil {
			return found, err
		}
		if f, ok := fact.Body.(F); known && ok {
			return f, nil
		}
	}
	return found, fmt.Errorf("transaction %s has no %T in its log", receipt.TxHash, found)
}
