package devnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/examples/raid"
)

const (
	receiptPoll    = 20 * time.Millisecond
	receiptTimeout = 30 * time.Second
)

// entrance buys tickets on a development chain, from an account that the chain holds the key of.
type entrance struct {
	client    *rpc.Client
	contracts adjudicator.Contracts
	world     common.Address
	namespace common.Hash
	module    common.Hash
	buyer     common.Address
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

// pass makes the chain go past a block: a development chain does it at once.
func (e *entrance) pass(ctx context.Context, number uint64) error {
	head, err := ethclient.NewClient(e.client).BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	if head > number {
		return nil
	}
	if err := e.client.CallContext(ctx, nil, "anvil_mine", hexutil.Uint64(number+1-head)); err != nil {
		return fmt.Errorf("mine blocks: %w", err)
	}
	return nil
}

// sendFor sends a call and finds what the contract said in its transaction.
func sendFor[F adjudicator.Body](ctx context.Context, e *entrance, call adjudicator.Call) (found F, err error) {
	var hash common.Hash
	if err := e.client.CallContext(ctx, &hash, "eth_sendTransaction", map[string]any{
		"from": e.buyer, "to": call.To, "value": (*hexutil.Big)(call.Value), "data": hexutil.Bytes(call.Data),
	}); err != nil {
		return found, err
	}
	receipt, err := e.receipt(ctx, hash)
	if err != nil {
		return found, err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return found, fmt.Errorf("transaction %s reverted", hash)
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
	return found, fmt.Errorf("transaction %s has no %T in its log", hash, found)
}

func (e *entrance) receipt(ctx context.Context, hash common.Hash) (*types.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptTimeout)
	defer cancel()
	eth := ethclient.NewClient(e.client)
	for {
		receipt, err := eth.TransactionReceipt(ctx, hash)
		if err == nil || !errors.Is(err, ethereum.NotFound) {
			return receipt, err
		}
		select {
		case <-time.After(receiptPoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("transaction %s is not mined: %w", hash, ctx.Err())
		}
	}
}
