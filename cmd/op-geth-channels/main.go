// Command op-geth-channels is op-geth with the op-channels sidecar inside: it takes op-geth's flags and, with "channels." before their names,
// those of `op-channels run`. Without --channels it is op-geth alone. What works on a data folder besides, such as db and snapshot, is
// left to op-geth: the folder is the same.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/evmts/channels/plugin/opgeth"
	"github.com/urfave/cli/v2"
)

// version is set by the linker for releases.
var version = "v0.1.0-dev"

func main() {
	if err := newApp().Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "op-geth-channels:", err)
		os.Exit(1)
	}
}

func newApp() *cli.App {
	app := cli.NewApp()
	app.Name = "op-geth-channels"
	app.Usage = "op-geth with the op-channels sidecar inside"
	app.Version = fullVersion()
	app.Flags = allFlags()
	app.Before = setUpLogs
	app.Commands = []*cli.Command{initCommand()}
	app.ExitErrHandler = func(*cli.Context, error) {} // main prints errors, once
	app.Action = run
	return app
}

// fullVersion names both: op-geth's is that of the module this was built with.
func fullVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/ethereum/go-ethereum" && d.Replace != nil {
				return d.Replace.Version + "-channels-" + version
			}
		}
	}
	return "channels-" + version
}

func run(ctx *cli.Context) error {
	if ctx.NArg() > 0 {
		return fmt.Errorf("there is no command %q: see --help, and use op-geth for what works on a data folder", ctx.Args().First())
	}
	stack, backend, err := newNode(ctx)
	if err != nil {
		return err
	}
	defer stack.Close() // it says ErrNodeStopped after a signal
	if ctx.Bool(opgeth.EnabledFlag.Name) {
		if _, err := opgeth.Register(stack, backend, opgeth.ConfigFromCLI(ctx, version)); err != nil {
			return err
		}
	} else {
		log.Info("The sidecar is off", "on", "--"+opgeth.EnabledFlag.Name)
	}
	return serve(ctx, stack)
}

// serve runs the node until a signal ends it.
func serve(ctx *cli.Context, stack *node.Node) error {
	startNode(ctx, stack)
	stack.Wait()
	return nil
}
