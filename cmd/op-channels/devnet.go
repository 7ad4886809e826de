package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
)

// opStackFlag runs an environment on the real thing.
var opStackFlag = &cli.BoolFlag{Name: "op-stack", Usage: "the chain is op-geth with op-node and op-batcher (built by make op-binaries) instead of anvil"}

func devnetCommand() *cli.Command {
	dir := &cli.StringFlag{Name: "dir", Value: filepath.Join("build", "devnet"), Usage: "`FOLDER` of the devnet; what an earlier one left there is deleted at the start"}
	return &cli.Command{
		Name: "devnet", Usage: "keep a development chain, a MUD World and three sidecars running",
		Description: `Starts anvil (or an op-stack), deploys the contracts and a MUD World, starts the sidecars of the L2's operator, of alice and of bob, and
keeps them running until interrupted. Writes devnet.json (addresses, keys, RPC URLs) and open.json (a raid to open) into
--dir, and says what to type next. Needs Node.js and the npm packages of the repository (make deps).

Keys and money are worth nothing: everyone knows them.`,
		Flags: []cli.Flag{
			dir,
			&cli.DurationFlag{Name: "block-time", Value: time.Second, Usage: "`DURATION` of a block, in whole seconds; 0: a block per transaction"},
			opStackFlag,
			jsonFlag,
		},
		Action: runDevnet,
		Subcommands: []*cli.Command{{
			Name: "ticket", Usage: "buy a ticket for another raid of a running devnet and write it into open.json",
			Description: `A ticket settles one raid: it fixes what the dungeon and the heroes' belongings were, and brings a seed that nobody knew.`,
			Flags:       []cli.Flag{dir},
			Action: func(ctx *cli.Context) error {
				f, err := devnet.ReadFile(ctx.String("dir"))
				if err != nil {
					return err
				}
				path, err := writeOpenRequest(ctx.Context, f, ctx.String("dir"))
				if err == nil {
					fmt.Fprintln(ctx.App.Writer, path)
				}
				return err
			},
		}, {
			Name: "play", Usage: "let bots play an open raid of a running devnet to its end", ArgsUsage: "CHANNEL",
			Flags: []cli.Flag{
				dir,
				&cli.StringFlag{Name: "by-hand", Usage: "`NAME` of a sidecar whose actions you choose yourself, with `op-channels channel event`"},
				&cli.DurationFlag{Name: "pace", Usage: "`DURATION` that a bot thinks before an event"},
			},
			Action: playDevnet,
		}},
	}
}

func runDevnet(ctx *cli.Context) (err error) {
	if ctx.Args().Present() {
		return fmt.Errorf("devnet takes no argument %q: see op-channels devnet --help", ctx.Args().First())
	}
	run, stop := interruptible(ctx)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	out := newDisplay(ctx)
	d, err := devnet.Start(run, devnet.Options{
		Dir: ctx.String("dir"), Binary: binary, Ports: true, BlockTime: ctx.Duration("block-time"), OpStack: ctx.Bool(opStackFlag.Name), Progress: out.step,
	})
	if err != nil {
		return interrupted(run, err)
	}
	defer func() { err = errors.Join(err, stopDevnet(run, d)) }()
	open, err := writeOpenRequest(run, d.File(), d.Options.Dir)
	if err != nil {
		return err
	}
	if err := show(ctx, d.File(), func(w io.Writer) { printDevnet(w, d, open) }); err != nil {
		return err
	}
	return waitDevnet(run, d)
}

// waitDevnet ends when the user interrupts, or when a part of the devnet ends by itself.
func waitDevnet(run context.Context, d *devnet.Devnet) error {
	ended := make(chan error, len(d.Sidecars)+1)
	stop := make(chan struct{})
	defer close(stop)
	watch := func(done <-chan struct{}, what string) {
		select {
		case <-done:
			ended <- fmt.Errorf("%s has ended: see %s", what, filepath.Join(d.Options.Dir, "logs"))
		case <-stop:
		}
	}
	go watch(d.Chain.Node.Done(), "the chain")
	for _, s := range d.Sidecars {
		go watch(s.Exited(), "the sidecar of "+s.Name)
	}
	select {
	case err := <-ended:
		return err
	case <-run.Done():
		return nil
	}
}

// writeOpenRequest buys a ticket and writes a raid of all sidecars with it, as `op-channels channel open` takes it.
func writeOpenRequest(ctx context.Context, f devnet.File, dir string) (string, error) {
	req, err := f.RaidRequest(ctx)
	if err != nil {
		return "", err
	}
	// Left to the sidecar, so that it does not matter when the file is used.
	req.Nonce, req.FundingDeadline = 0, 0
	b, err := json.MarshalIndent(req, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode open.json: %w", err)
	}
	path := filepath.Join(dir, "open.json")
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("write open.json: %w", err)
	}
	return path, nil
}

func printDevnet(w io.Writer, d *devnet.Devnet, open string) {
	f := d.File()
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "chain %d\t%s\n", f.ChainID, f.RPC)
	if f.OpStack != nil {
		fmt.Fprintf(t, "op-node\t%s\nL1 %d\t%s\nOptimismPortal\t%s\n", f.OpStack.Node, f.OpStack.L1ChainID, f.OpStack.L1, f.OpStack.Portal)
	}
	fmt.Fprintf(t, "Adjudicator\t%s\nMudSettlement\t%s\nWorld\t%s\n", f.Adjudicator, f.Settlement, f.World)
	for _, label := range []string{"raid__RaidResult", "raid__Loot"} {
		fmt.Fprintf(t, "table %s\t%s\n", label, f.Tables[label])
	}
	fmt.Fprintf(t, "module raid\t%s\n", f.Module.Hash)
	t.Flush()
	fmt.Fprintln(w)
	fmt.Fprintln(t, "SIDECAR\tRPC\tOWNER\tSESSION KEY\tMETRICS")
	for _, s := range f.Sidecars {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.RPC, s.Owner.Address, s.Session, s.Metrics)
	}
	t.Flush()
	me := relative(d.Options.Binary)
	alice := f.Sidecars[len(f.Sidecars)-2]
	fmt.Fprintf(w, `
Everything is in %[1]s. Type next, in another terminal:

   export OP_CHANNELS_RPC=%[2]s
   %[3]s channel open %[4]s    # a raid of all three; prints CHANNEL
   %[3]s channel list
   %[3]s channel watch    # until interrupted
   %[3]s devnet play --dir %[5]s CHANNEL    # bots play it to the end

or choose the actions of %[6]s yourself, while bots do the rest:

   %[3]s devnet ticket --dir %[5]s    # one is good for one raid: this writes open.json again
   %[3]s channel open %[4]s
   %[3]s devnet play --dir %[5]s --by-hand %[6]s CHANNEL &
   %[3]s channel event --rpc %[7]s CHANNEL '{"do": "attack"}'
   %[3]s channel show CHANNEL

and guard the World, as anybody can:

   %[3]s verify --deployment %[8]s --once --dry-run

Interrupt to end it.
`, relative(d.Path()), f.Sidecars[0].RPC, me, relative(open), relative(d.Options.Dir), alice.Name, alice.RPC, relative(d.Path()))
}

// relative shortens a path for people.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	if !strings.Contains(rel, string(filepath.Separator)) {
		return "." + string(filepath.Separator) + rel
	}
	return rel
}

func playDevnet(ctx *cli.Context) error {
	f, err := devnet.ReadFile(ctx.String("dir"))
	if err != nil {
		return err
	}
	id, err := channelArg(ctx)
	if err != nil {
		return err
	}
	hand := ctx.String("by-hand")
	if hand != "" && !slices.ContainsFunc(f.Sidecars, func(s devnet.FileSidecar) bool { return s.Name == hand }) {
		return fmt.Errorf("--by-hand %s: there is no such sidecar in this devnet", hand)
	}
	if err := checkRaid(ctx.Context, f, id); err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx.Context)
	defer cancel()
	errs := make([]error, len(f.Sidecars))
	var all sync.WaitGroup
	for i, s := range f.Sidecars {
		p, err := f.Player(i)
		if err != nil {
			return err
		}
		p.ByHand, p.Pace = s.Name == hand, ctx.Duration("pace")
		all.Go(func() {
			if errs[i] = p.Play(run, id); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Fprintln(ctx.App.Writer, "the raid is over: see `op-channels channel show", id.Hex()+"`")
	return nil
}

// checkRaid refuses a channel that the bots would wait for without end.
func checkRaid(ctx context.Context, f devnet.File, id common.Hash) error {
	c, err := rpc.DialContext(ctx, f.Sidecars[0].RPC)
	if err != nil {
		return fmt.Errorf("the devnet of %s does not run: %w", devnet.FileName, err)
	}
	defer c.Close()
	var info sidecar.ChannelInfo
	if err := call(ctx, c, &info, "get", id); err != nil {
		return err
	}
	if info.Params.ModuleHash != f.Module.Hash || len(info.Params.Participants) != len(f.Sidecars) {
		return fmt.Errorf("channel %s is no raid of this devnet's sidecars", id)
	}
	return nil
}
