package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/evmts/channels/e2e/load"
	"github.com/urfave/cli/v2"
)

func loadCommand() *cli.Command {
	return &cli.Command{
		Name: "load", Usage: "measure what many channels cost, and what they do to the sequencer beside them",
		Description: `Starts a development chain, measures its blocks, starts three sidecars, opens --channels channels with stakes, and plays --raids of them all
the time: what ends is settled into the World and replaced. In the middle a sidecar is killed and started again. Afterwards it
measures the chain alone once more, without transactions and with as much gas per block as in the load, and looks for every
acknowledged event in the journals of all participants. Exits with 1 when one is lost, any check fails, or (with --op-stack) blocks
came more than 5 % slower.

Everything that it writes is in --dir: summary.json, logs, the sidecars' data. Needs Node.js and the npm packages of the repository
(make deps). Processor time and memory are read from /proc, so on Linux only.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: filepath.Join("build", "load"), Usage: "`FOLDER` for everything that it writes; what an earlier load left there is deleted"},
			opStackFlag,
			&cli.IntFlag{Name: "channels", Value: 1000, Usage: "how `MANY` are open, the raids included"},
			&cli.IntFlag{Name: "raids", Value: 100, Usage: "how `MANY` of them are played at a time"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Minute, Usage: "`DURATION` of the load, opening not included"},
			&cli.DurationFlag{Name: "baseline", Usage: "`DURATION` of the chain alone, before, after, and after with as much gas as in the load; 0: three tenths of the load's, at least 15 s"},
			&cli.DurationFlag{Name: "pace", Value: 4 * time.Second, Usage: "mean `DURATION` that a raid's player takes to choose; dice are shown at once"},
			&cli.DurationFlag{Name: "heartbeat", Value: time.Minute, Usage: "`DURATION` between two events of a channel that is no raid; 0: it has none"},
			&cli.BoolFlag{Name: "kill", Value: true, Usage: "kill a sidecar in the middle and start it again"},
			&cli.IntFlag{Name: "sample", Value: 10, Usage: "how `MANY` journals of each participant are replayed in processes of their own; all are by this one"},
			jsonFlag,
		},
		Action: runLoad,
	}
}

func runLoad(ctx *cli.Context) error {
	if ctx.Args().Present() {
		return fmt.Errorf("load takes no argument %q: see op-channels load --help", ctx.Args().First())
	}
	run, stop := interruptible(ctx)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir, out, baseline := ctx.String("dir"), newDisplay(ctx), ctx.Duration("baseline")
	if baseline == 0 {
		baseline = max(ctx.Duration("duration")*3/10, 15*time.Second)
	}
	sum, err := load.Run(run, load.Options{
		Dir: dir, Binary: binary, OpStack: ctx.Bool(opStackFlag.Name), Channels: ctx.Int("channels"), Raids: ctx.Int("raids"), Duration: ctx.Duration("duration"),
		Baseline: baseline, Pace: ctx.Duration("pace"), Heartbeat: ctx.Duration("heartbeat"), Kill: ctx.Bool("kill"), Sample: ctx.Int("sample"),
		Progress: out.step,
	})
	path := load.SummaryFile(dir)
	if _, serr := os.Stat(dir); serr == nil { // nothing was started when it is not there
		if werr := sum.Write(path); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if serr := show(ctx, sum, func(w io.Writer) {
		sum.Print(w)
		printChecks(w, sum.Checks)
		fmt.Fprintf(w, "\n%.0f s in all, written to %s\n", sum.Seconds["total"], path)
	}); serr != nil {
		return errors.Join(err, serr)
	}
	if err != nil {
		return fmt.Errorf("the load failed: %w (logs are in %s)", interrupted(run, err), filepath.Join(dir, "logs"))
	}
	return nil
}
