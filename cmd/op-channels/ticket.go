package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/urfave/cli/v2"
)

// TicketRequest is what `ticket buy` takes.
type TicketRequest struct {
	World       common.Address          `json:"world"`
	NamespaceID common.Hash             `json:"namespaceId"`
	ModuleHash  common.Hash             `json:"moduleHash"`
	ConfigHash  common.Hash             `json:"configHash"`
	Owners      []common.Address        `json:"owners"` // of the participants, in the channel's order
	Keys        []adjudicator.RecordKey `json:"keys"`   // of the records that the game is played over
}

// TicketBought is what `ticket buy` prints: everything that a genesis input says of a ticket.
type TicketBought struct {
	TicketHash common.Hash          `json:"ticketHash"` // the fifth word of the genesis input
	Ticket     adjudicator.Ticket   `json:"ticket"`
	Records    []adjudicator.Record `json:"records"`
	Price      string               `json:"price"` // in the coin's smallest unit
	GasUsed    uint64               `json:"gasUsed"`
}

// ticketTimeout is generous: the seed is that of the second block after the entry.
const (
	ticketTimeout = 10 * time.Minute
	seedPoll      = 250 * time.Millisecond
)

func ticketCommand() *cli.Command {
	list := []cli.Flag{verifyRPC, verifyID, verifySettlement, deploymentFlag, flags.PollInterval, jsonFlag}
	list = append(list, oplog.CLIFlags(flags.EnvVarPrefix)...)
	return &cli.Command{
		Name: "ticket", Usage: "tickets: entry to channels that change a World, with a snapshot of what they are played over",
		Subcommands: []*cli.Command{{
			Name: "buy", Usage: "buy a ticket, wait for its seed, and print what the genesis input needs", ArgsUsage: "FILE",
			Description: `FILE says who plays and over which records: {"world": "0x…", "namespaceId": "0x…", "moduleHash": "0x…", "configHash": "0x…",
"owners": ["0x…"], "keys": [{"resourceId": "0x…", "key": ["0x…"]}]}. The price is the World's policy's, and is paid by the key.

   OP_CHANNELS_PRIVATE_KEY=0x… op-channels ticket buy --json --settlement 0x… party.json`,
			Flags: append(list, plugin.TxFlags(flags.EnvVarPrefix)...), Action: buyTicket,
		}},
	}
}

func buyTicket(ctx *cli.Context) (err error) {
	if ctx.Args().Len() != 1 {
		return errors.New("give the FILE that says who plays and over which records: see op-channels ticket buy --help")
	}
	b, err := os.ReadFile(ctx.Args().First())
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var req TicketRequest
	if err := json.Unmarshal(b, &req); err != nil {
		return fmt.Errorf("the request in %s: %w", ctx.Args().First(), err)
	}
	var out TicketBought
	err = withSender(ctx, ticketTimeout, func(run context.Context, s onChain) error {
		out, err = (&buyer{s}).buy(run, req)
		return err
	})
	if err != nil {
		return err
	}
	return show(ctx, out, func(w io.Writer) {
		fmt.Fprintf(w, "ticket        %s (number %s)\nsnapshot      %s of %d records in block %s\nseed          %s\npaid          %s, and %d gas\n", out.TicketHash,
			out.Ticket.Number.Dec(), out.Ticket.Snapshot, len(out.Records), out.Ticket.Block.Dec(), out.Ticket.Seed, out.Price, out.GasUsed)
		fmt.Fprintln(w, "use --json for what the genesis input needs")
	})
}

// buyer enters and seals.
type buyer struct{ onChain }

func (b *buyer) buy(ctx context.Context, req TicketRequest) (out TicketBought, err error) {
	reader := adjudicator.NewReader(b.chain.Client(), b.contracts)
	policy, _, err := reader.InForce(ctx, req.World, req.NamespaceID, req.ModuleHash, req.ConfigHash, 0)
	if err != nil {
		return out, err
	}
	call, err := adjudicator.Enter(b.contracts.Tickets, req.World, req.NamespaceID, req.ModuleHash, req.ConfigHash, req.Owners, req.Keys, policy.TicketPrice)
	if err != nil {
		return out, err
	}
	receipt, err := b.send(ctx, "enter", call)
	if err != nil {
		return out, err
	}
	entered, err := said[adjudicator.Entered](b, receipt)
	if err != nil {
		return out, err
	}
	out.Price, out.Records, out.GasUsed = policy.TicketPrice.Dec(), entered.Records, receipt.GasUsed
	if err := b.pass(ctx, entered.SeedBlock.Uint64()); err != nil {
		return out, fmt.Errorf("ticket %s is bought and waits for its seed: %w", entered.Number.Dec(), err)
	}
	if call, err = adjudicator.Seal(b.contracts.Tickets, entered.Number); err != nil {
		return out, err
	}
	if receipt, err = b.send(ctx, "seal", call); err != nil {
		return out, fmt.Errorf("ticket %s is bought and not sealed: %w", entered.Number.Dec(), err)
	}
	sealed, err := said[adjudicator.Sealed](b, receipt)
	out.TicketHash, out.Ticket, out.GasUsed = sealed.TicketHash, sealed.Ticket, out.GasUsed+receipt.GasUsed
	return out, err
}

func (b *buyer) send(ctx context.Context, what string, call adjudicator.Call) (*types.Receipt, error) {
	r, err := b.sender.Send(ctx, plugin.Request{ID: "ticket/" + what, To: call.To, Data: call.Data, Value: call.Value})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return r.Receipt, nil
}

// pass waits until the chain is past a block.
func (b *buyer) pass(ctx context.Context, number uint64) error {
	for {
		head, err := b.chain.Client().BlockNumber(ctx)
		if err != nil {
			return fmt.Errorf("read the chain's head: %w", err)
		}
		if head > number {
			return nil
		}
		select {
		case <-time.After(seedPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// said finds what a contract said in a transaction.
func said[F adjudicator.Body](b *buyer, receipt *types.Receipt) (found F, err error) {
	for _, l := range receipt.Logs {
		fact, known, err := b.contracts.DecodeLog(*l)
		if err != nil {
			return found, err
		}
		if f, ok := fact.Body.(F); known && ok {
			return f, nil
		}
	}
	return found, fmt.Errorf("transaction %s has no %T in its log", receipt.TxHash, found)
}
