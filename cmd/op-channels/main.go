// Command op-channels is the sidecar and its tools: it runs next to an L2's node, opens channels for its owner, and lets
// people look into journals and modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/urfave/cli/v2"
)

// version is set by the linker for releases.
var version = "v0.1.0-dev"

func main() {
	app := newApp()
	// Commands that have something to end in order wait for signals themselves; the others end at once, as any tool does.
	if err := app.RunContext(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "op-channels:", err)
		os.Exit(exitCode(err))
	}
}

func exitCode(err error) int {
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return 1
}

func newApp() *cli.App {
	app := cli.NewApp()
	app.Name = "op-channels"
	app.Version = version
	app.Usage = "event-sourced state channels for op-stack L2s and MUD worlds"
	app.Description = `Players open a channel, play at network speed without fees, and settle into a MUD World.

Start here:
   op-channels demo               play a whole raid on a development chain
   op-channels demo-fraud         let a whole party sign a forged raid, and watch it lose
   op-channels devnet             keep such a chain and three sidecars running
   op-channels run --help         the sidecar itself`
	app.ExitErrHandler = func(*cli.Context, error) {} // main prints errors, once
	app.Commands = []*cli.Command{runCommand(), channelCommand(), journalCommand(), moduleCommand(), nodeCommand(), verifyCommand(), pushFeedCommand(), ticketCommand(), devnetCommand(), demoCommand(), demoFraudCommand(), loadCommand()}
	refuseLateFlags(app.Commands)
	return app
}

// refuseLateFlags makes a flag behind an argument an error: the parser would take it for an argument and drop it.
func refuseLateFlags(commands []*cli.Command) {
	for _, c := range commands {
		refuseLateFlags(c.Subcommands)
		action := c.Action
		if action == nil {
			continue
		}
		c.Action = func(ctx *cli.Context) error {
			for _, a := range ctx.Args().Slice() {
				if strings.HasPrefix(a, "--") {
					return fmt.Errorf("%s stands behind an argument: put the flags of `%s` before %s", a, ctx.Command.Name, ctx.Args().First())
				}
			}
			return action(ctx)
		}
	}
}

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "run the sidecar",
		Description: `The session key signs events and updates and is the node's identity among peers; the owner's key
(--private-key) pays stakes and receives payouts. Both are needed:

   openssl rand -hex 32 > session.key && chmod 600 session.key
   OP_CHANNELS_PRIVATE_KEY=0x… op-channels run --session-key session.key \
      --l2-eth-rpc http://127.0.0.1:8545 --chain-id 901 --adjudicator 0x… --module raid.wasm

Every option has an environment variable OP_CHANNELS_… and can stand in a TOML file named by --config.`,
		Flags: cliapp.ProtectFlags(flags.Run()),
		Action: cliapp.LifecycleCmd(func(ctx *cli.Context, close context.CancelCauseFunc) (cliapp.Lifecycle, error) {
			cfg, err := sidecar.ConfigFromCLI(ctx, version)
			if err != nil {
				return nil, err
			}
			logger := oplog.NewLogger(oplog.AppOut(ctx), cfg.Log)
			oplog.SetGlobalLogHandler(logger.Handler())
			return sidecar.NewService(cfg, logger, close), nil
		}),
	}
}
