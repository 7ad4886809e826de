package opgeth

import (
	"fmt"
	"io"
	"strings"

	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/urfave/cli/v2"
)

// Prefix stands before the names of the sidecar's options among the node's own, many of which would be the same.
const Prefix = "channels."

const category = "OP-CHANNELS"

// The flags that only a sidecar inside a node has.
var (
	EnabledFlag  = &cli.BoolFlag{Name: "channels", Usage: "Run the op-channels sidecar inside this node", Category: category}
	RequiredFlag = &cli.BoolFlag{Name: Prefix + "required", Category: category,
		Usage: "Do not start the node when the sidecar cannot start; without it the node goes on and the sidecar is tried again"}
	PublicFlag = &cli.BoolFlag{Name: Prefix + "public", Category: category,
		Usage: "Let --http.api and --ws.api name channels: whoever reaches those endpoints spends the owner's money. Without it: the authenticated endpoint and IPC"}
	OwnRPCFlag = &cli.BoolFlag{Name: Prefix + "rpc.enabled", Category: category,
		Usage: "Serve the sidecar's RPC on a port of its own as well, as the other channels.rpc options say"}
)

// hosts are the options that the node has for the sidecar too.
var hosts = []string{"log.", "pprof."}

// options are the sidecar's own that a node's command line takes.
func options() (out []cli.Flag) {
next:
	for _, f := range flags.Run() {
		for _, h := range hosts {
			if strings.HasPrefix(f.Names()[0], h) {
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

// Flags are those for the command line of a node: every option of `op-channels run` with Prefix before its name, and what only a sidecar in
// a node has. The environment variables OP_CHANNELS_… and the file of --channels.config are those of op-channels.
func Flags() []cli.Flag {
	out := []cli.Flag{EnabledFlag, RequiredFlag, PublicFlag, OwnRPCFlag}
	for _, f := range options() {
		name := Prefix + f.Names()[0]
		doc, _ := f.(cli.DocGenerationFlag) // every flag of the library is one
		usage := doc.GetUsage()
		switch f := f.(type) {
		case *cli.BoolFlag:
			out = append(out, &cli.BoolFlag{Name: name, Usage: usage, Category: category, Value: f.Value, Hidden: f.Hidden})
		case *cli.StringSliceFlag:
			out = append(out, &cli.StringSliceFlag{Name: name, Usage: usage, Category: category, DefaultText: doc.GetDefaultText(), Hidden: f.Hidden})
		default: // what a value may be is known to the sidecar
			out = append(out, &cli.StringFlag{Name: name, Usage: usage, Category: category, DefaultText: doc.GetDefaultText()})
		}
	}
	return out
}

// ConfigFromCLI reads Flags.
func ConfigFromCLI(ctx *cli.Context, version string) Config {
	args := arguments(ctx)
	return Config{
		Required: ctx.Bool(RequiredFlag.Name), Public: ctx.Bool(PublicFlag.Name), OwnRPC: ctx.Bool(OwnRPCFlag.Name),
		Sidecar: func() (*sidecar.Config, error) { return read(args, version) },
	}
}

// arguments are those of `op-channels run` that say the same.
func arguments(ctx *cli.Context) (args []string) {
	for _, f := range options() {
		name := f.Names()[0]
		if !ctx.IsSet(Prefix + name) {
			continue
		}
		switch f.(type) {
		case *cli.BoolFlag:
			args = append(args, fmt.Sprintf("--%s=%t", name, ctx.Bool(Prefix+name)))
		case *cli.StringSliceFlag:
			for _, v := range ctx.StringSlice(Prefix + name) {
				args = append(args, "--"+name+"="+v)
			}
		default:
			args = append(args, "--"+name+"="+ctx.String(Prefix+name))
		}
	}
	return args
}

// read parses arguments, environment and file as `op-channels run` does.
func read(args []string, version string) (cfg *sidecar.Config, err error) {
	app := &cli.App{
		Name: "op-channels", Flags: cliapp.ProtectFlags(flags.Run()), HideHelp: true, HideVersion: true, Writer: io.Discard, ErrWriter: io.Discard,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return err },
		Action: func(ctx *cli.Context) error {
			if cfg, err = sidecar.ConfigFromCLI(ctx, version); err != nil {
				return err
			}
			if !ctx.IsSet(flags.L2EthRPC.Name) { // its default is the node beside the sidecar
				cfg.L2EthRPC = ""
			}
			if !ctx.IsSet(flags.DataDir.Name) {
				cfg.DataDir = ""
			}
			return nil
		},
	}
	if err := app.Run(append([]string{app.Name}, args...)); err != nil {
		return nil, fmt.Errorf("the sidecar's options, here with %q before their names or without it in the file of --%sconfig: %w", Prefix, Prefix, err)
	}
	return cfg, nil
}
