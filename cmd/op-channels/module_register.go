package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/urfave/cli/v2"
)

// Registration is what `module register` prints.
type Registration struct {
	ModuleHash   common.Hash    `json:"moduleHash"`
	ProgramHash  common.Hash    `json:"programHash"`
	Registry     common.Address `json:"registry"`
	Transactions []common.Hash  `json:"transactions"` // none: it was registered before
	GasUsed      uint64         `json:"gasUsed"`
}

const registerTimeout = 10 * time.Minute

func registerCommand() *cli.Command {
	list := []cli.Flag{verifyRPC, verifyID, verifySettlement, publicationsFlag, deploymentFlag, flags.PollInterval, jsonFlag}
	list = append(list, oplog.CLIFlags(flags.EnvVarPrefix)...)
	return &cli.Command{
		Name: "register", Usage: "put a module's program on chain, so that anybody can execute it there", ArgsUsage: "FILE",
		Description: `Stores the lowered program of NAME.wasm in pieces, and registers it with the limits of NAME.manifest.json beside it. What is on chain
already stays: it may be repeated, and anybody may do it, because what is registered is its own hash.

   OP_CHANNELS_PRIVATE_KEY=0x… op-channels module register --l2-rpc http://127.0.0.1:8545 --settlement 0x… my-game.wasm`,
		Flags: append(list, plugin.TxFlags(flags.EnvVarPrefix)...), Action: registerModule,
	}
}

func registerModule(ctx *cli.Context) (err error) {
	if ctx.Args().Len() != 1 {
		return errors.New("give the FILE of one module (.wasm)")
	}
	engine, err := derivation.NewEngine(derivation.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	module, err := derivation.NewLibrary(engine).AddFile(ctx.Args().First())
	if err != nil {
		return err
	}
	out := Registration{ModuleHash: module.Hash(), ProgramHash: module.Manifest().ProgramHash, Transactions: []common.Hash{}}
	err = withSender(ctx, registerTimeout, func(run context.Context, s onChain) error {
		sent := 0
		send := func(ctx context.Context, call adjudicator.Call) (*types.Receipt, error) {
			sent++
			r, err := s.sender.Send(ctx, plugin.Request{ID: fmt.Sprintf("register/%d", sent), To: call.To, Data: call.Data, Value: call.Value})
			return r.Receipt, err
		}
		out.Registry = s.contracts.Registry
		_, receipts, err := adjudicator.Register(run, s.chain.Client(), send, out.Registry, module.Program().Encode(), module.Manifest())
		for _, r := range receipts {
			out.Transactions = append(out.Transactions, r.TxHash)
			out.GasUsed += r.GasUsed
		}
		return err
	})
	if err != nil {
		return err
	}
	return show(ctx, out, func(w io.Writer) {
		fmt.Fprintf(w, "module hash   %s\nprogram hash  %s\nregistry      %s\n", out.ModuleHash, out.ProgramHash, out.Registry)
		if len(out.Transactions) == 0 {
			fmt.Fprintln(w, "it was registered before")
			return
		}
		fmt.Fprintf(w, "%d transactions, %d gas\n", len(out.Transactions), out.GasUsed)
	})
}
