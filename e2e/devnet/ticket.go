package devnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/examples/raid"
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

// genesis buys a ticket for a raid of these owners (the first keeps the dungeon), waits for its seed, and gives the genesis
// that is played with it.
func (e *entrance) genesis(ctx context.Context, owners []common.Address) (raid.Genesis, error) {
	g := raid.Genesis{Settlement: e.contracts.Settlement, World: e.world, NamespaceID: e.namespace, Dungeon: raid.DefaultDungeon}
	wanted, err := raid.TicketKeys(raid.Namespace, g.Dungeon, owners, 0)
	if err != nil {
		return g, err
	}
	keys := make([]adjudicator.RecordKey, len(wanted))
	for i, k := range wanted {
		keys[i] = adjudicator.RecordKey{ResourceID: k.ResourceID, Key: k.Key}
	}
	call, err := adjudicator.Enter(e.contracts.Tickets, e.world, e.namespace, e.module, raid.DungeonConfigHash(g.Dungeon), owners, keys, ticketPrice())
	if err != nil {
		return g, err
	}
	entered, err := sendFor[adjudicator.Entered](ctx, e, call)
	if err != nil {
		return g, fmt.Errorf("buy a ticket: %w", err)
	}
	if err := e.pass(ctx, entered.SeedBlock.Uint64()); err != nil {
		return g, err
	}
	if call, err = adjudicator.Seal(e.contracts.Tickets, entered.Number); err != nil {
		return g, err
	}
	sealed, err := sendFor[adjudicator.Sealed](ctx, e, call)
	if err != nil {
		return g, fmt.Errorf("seal the ticket: %w", err)
	}
	ticket := raid.Ticket(sealed.Ticket)
	g.Ticket = &ticket
	for _, r := range entered.Records {
		g.Records = append(g.Records, raid.Record{
			ResourceID: r.ResourceID, Key: r.Key, StaticData: r.StaticData, EncodedLengths: r.EncodedLengths, DynamicData: r.DynamicData,
		})
	}
	return g, nil
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

// sendFor sends a call and finds what the contract said in its transaction.
func sendFor[F adjudicator.Body](ctx context.Context, e *entrance, call adjudicator.Call) (found F, err error) {
	receipt, err := send(ctx, e.client, e.buyer, call)
	if err != nil {
		return found, err
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
