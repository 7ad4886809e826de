package devnet

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/examples/raid"
)

// ticketPoll is how often the chain is looked at while a ticket waits for its seed.
const ticketPoll = 50 * time.Millisecond

// Genesis buys a ticket for a raid of these owners (the first keeps the dungeon), waits for its seed, and gives the genesis
// that is played with it. The game's server pays: here the chain's deployer.
func (d *Devnet) Genesis(ctx context.Context, owners []common.Address) (raid.Genesis, error) {
	c := d.Chain
	c.entering.Lock() // transactions of one account, one after the other
	defer c.entering.Unlock()
	g := raid.Genesis{
		Settlement: c.Contracts.Settlement, World: c.World.World, NamespaceID: c.World.NamespaceID.Hash(), Dungeon: raid.DefaultDungeon,
	}
	wanted, err := raid.TicketKeys(raid.Namespace, g.Dungeon, owners, 0)
	if err != nil {
		return g, err
	}
	keys := make([]adjudicator.RecordKey, len(wanted))
	for i, k := range wanted {
		keys[i] = adjudicator.RecordKey{ResourceID: k.ResourceID, Key: k.Key}
	}
	call, err := adjudicator.Enter(c.Contracts.Tickets, g.World, g.NamespaceID, d.Module, raid.DungeonConfigHash(g.Dungeon), owners, keys, ticketPrice())
	if err != nil {
		return g, err
	}
	receipt, err := c.send(ctx, call)
	if err != nil {
		return g, fmt.Errorf("buy a ticket: %w", err)
	}
	entered, err := factIn[adjudicator.Entered](c, receipt)
	if err != nil {
		return g, err
	}
	if err := c.passBlock(ctx, entered.SeedBlock.Uint64()); err != nil {
		return g, err
	}
	if call, err = adjudicator.Seal(c.Contracts.Tickets, entered.Number); err != nil {
		return g, err
	}
	if receipt, err = c.send(ctx, call); err != nil {
		return g, fmt.Errorf("seal the ticket: %w", err)
	}
	sealed, err := factIn[adjudicator.Sealed](c, receipt)
	if err != nil {
		return g, err
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

// passBlock waits until the chain is past a block. A chain that mines a block per transaction is made to mine.
func (c *Chain) passBlock(ctx context.Context, number uint64) error {
	for {
		head, err := c.Eth.BlockNumber(ctx)
		if err != nil {
			return fmt.Errorf("read the chain's head: %w", err)
		}
		if head > number {
			return nil
		}
		if !c.interval {
			if err := c.Node.Mine(ctx, number+1-head); err != nil {
				return err
			}
			continue
		}
		select {
		case <-time.After(ticketPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// factIn finds what a contract said in a transaction.
func factIn[F adjudicator.Body](c *Chain, receipt *types.Receipt) (found F, err error) {
	for _, l := range receipt.Logs {
		fact, known, err := c.Contracts.DecodeLog(*l)
		if err != nil {
			return found, err
		}
		if f, ok := fact.Body.(F); known && ok {
			return f, nil
		}
	}
	return found, fmt.Errorf("transaction %s has no %T in its log", receipt.TxHash, found)
}
