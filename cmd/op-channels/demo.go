package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/ctxinterrupt"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/examples/raid"
	"github.com/urfave/cli/v2"
)

// stopTimeout bounds the clean-up of a devnet; what has not ended then is killed.
const stopTimeout = 30 * time.Second

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "play a whole raid on a development chain and check every promise",
		Description: `Starts anvil (or an op-stack), deploys the contracts and a MUD World, starts three sidecars as processes of their own (the L2's operator,
alice and bob), opens a channel, plays a raid of 60 and more events, closes it, reads payouts, loot and experience back
from the chain, and replays each sidecar's journal in a fresh process. Exits with 1 when any check fails, and names it.

Everything that it writes is in --dir: summary.json, devnet.json, logs, the sidecars' data. Needs Node.js and the npm
packages of the repository (make deps).`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: filepath.Join("build", "demo"), Usage: "`FOLDER` for everything that it writes; what an earlier demo left there is deleted"},
			&cli.DurationFlag{Name: "block-time", Value: time.Second, Usage: "`DURATION` of a block, in whole seconds; 0: a block per transaction"},
			opStackFlag,
			&cli.DurationFlag{Name: "pace", Usage: "`DURATION` that a player thinks before an event, for those who want to read along"},
			&cli.BoolFlag{Name: "keep", Usage: "keep chain and sidecars running at the end, until interrupted"},
			jsonFlag,
		},
		Action: runDemo,
	}
}

func runDemo(ctx *cli.Context) (err error) {
	run, stop := interruptible(ctx)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	out := newDisplay(ctx)
	began := time.Now()
	d, err := devnet.Start(run, devnet.Options{Dir: ctx.String("dir"), Binary: binary, BlockTime: ctx.Duration("block-time"), OpStack: ctx.Bool(opStackFlag.Name), Progress: out.step})
	if err != nil {
		return interrupted(run, err)
	}
	defer func() { err = errors.Join(err, stopDevnet(run, d)) }()
	setup := time.Since(began).Seconds()
	sum, err := story.Tell(run, d, story.Options{Pace: ctx.Duration("pace"), Step: out.step, Line: out.line, Progress: out.progress})
	out.end()
	sum.Seconds["setup"] = setup
	sum.Seconds["total"] += setup
	path := filepath.Join(d.Options.Dir, "summary.json")
	if werr := sum.Write(path); werr != nil {
		return errors.Join(err, werr)
	}
	if serr := show(ctx, sum, func(w io.Writer) { printSummary(w, d, sum, path) }); serr != nil {
		return errors.Join(err, serr)
	}
	if err != nil {
		return fmt.Errorf("the demo failed: %w (the sidecars' logs are in %s)", interrupted(run, err), filepath.Join(d.Options.Dir, "logs"))
	}
	if ctx.Bool("keep") {
		return keepDemo(run, ctx, d)
	}
	return nil
}

// interruptible is a context that ends with the first SIGINT or SIGTERM.
func interruptible(ctx *cli.Context) (run context.Context, stop func()) {
	host, stop := ctxinterrupt.WithSignalWaiter(ctx.Context)
	return ctxinterrupt.WithCancelOnInterrupt(host), stop
}

// keepDemo starts the sidecars again, which were stopped to read their journals.
func keepDemo(run context.Context, ctx *cli.Context, d *devnet.Devnet) error {
	for i := range d.Sidecars {
		if err := d.Restart(run, i); err != nil {
			return interrupted(run, err)
		}
	}
	if err := d.WriteFile(); err != nil {
		return err
	}
	fmt.Fprintf(ctx.App.ErrWriter, "chain and sidecars keep running (see %s); interrupt to end them\n", d.Path())
	<-run.Done()
	return nil
}

func stopDevnet(run context.Context, d *devnet.Devnet) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(run), stopTimeout)
	defer cancel()
	return d.Stop(ctx)
}

// interrupted says so when that is why something failed.
func interrupted(run context.Context, err error) error {
	if err != nil && run.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func printSummary(w io.Writer, d *devnet.Devnet, s *story.Summary, path string) {
	fmt.Fprintf(w, "\nchannel       %s\nmodule        %s\nevents        %d, final after p50 %.1f ms, p99 %.1f ms\njournal root  %s\noutcome       %s\n\n",
		s.ChannelID, s.ModuleHash, s.Events, s.Latency.P50, s.Latency.P99, s.JournalRoot, s.Outcome)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "PARTICIPANT\tOWNER\tSTAKE\tPAID OUT\tGAINED")
	for _, p := range s.Payouts {
		stake, paid := amountOf(p.Stake), amountOf(p.Paid)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.Owner, story.Ether(stake), story.Ether(paid), story.Ether(new(big.Int).Sub(paid, stake)))
	}
	t.Flush()
	fmt.Fprintln(w)
	fmt.Fprintln(t, "TRANSACTION\tBY\tBLOCK\tGAS\tHASH")
	for _, x := range s.Transactions {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", x.Kind, x.By, x.Block, x.GasUsed, x.TxHash)
	}
	t.Flush()
	fmt.Fprintf(w, "\nRECORDS in the World %s, read back\n", s.World)
	for _, r := range s.Records {
		fmt.Fprintf(w, "  %-6s %s\n", r.Player, r.Text)
	}
	printChecks(w, s.Checks)
	fmt.Fprintf(w, "\n%.1f s in all (%.1f s to set up), written to %s\n", s.Seconds["total"], s.Seconds["setup"], path)
}

func amountOf(decimal string) *big.Int {
	v, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return new(big.Int)
	}
	return v
}

// display tells the story: lines, and on a terminal a bar below them.
type display struct {
	w     io.Writer
	tty   bool
	began time.Time
	bar   string
}

func newDisplay(ctx *cli.Context) *display {
	d := &display{w: ctx.App.Writer, began: time.Now()}
	if ctx.Bool(jsonFlag.Name) {
		d.w = io.Discard
	} else if f, ok := ctx.App.Writer.(*os.File); ok {
		info, err := f.Stat()
		d.tty = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return d
}

func (d *display) print(format string, args ...any) {
	if d.bar != "" {
		fmt.Fprint(d.w, "\r\x1b[K")
	}
	fmt.Fprintf(d.w, format+"\n", args...)
	if d.bar != "" {
		fmt.Fprint(d.w, d.bar)
	}
}

func (d *display) step(text string) {
	d.end()
	d.print("%5.1fs  %s", time.Since(d.began).Seconds(), text)
}

func (d *display) line(seq uint64, text string) { d.print("  %4d  %s", seq, text) }

const barWidth = 30

// progress shows how far the party is in the dungeon: rooms, and the hit points of the monster before it.
func (d *display) progress(seq uint64, s *raid.State) {
	if !d.tty {
		return
	}
	done := float64(s.Room)
	if _, hp, ok := s.Monster(); ok && hp > 0 && s.Round > 0 {
		done += 1 - float64(s.MonsterHP)/float64(hp)
	}
	n := min(barWidth, int(done/float64(len(s.Rooms))*barWidth))
	d.bar = fmt.Sprintf("  [%s%s] room %d of %d, event %d", strings.Repeat("#", n), strings.Repeat("-", barWidth-n),
		min(int(s.Room)+1, len(s.Rooms)), len(s.Rooms), seq)
	fmt.Fprint(d.w, "\r\x1b[K"+d.bar)
}

// end takes the bar away.
func (d *display) end() {
	if d.bar != "" {
		fmt.Fprint(d.w, "\r\x1b[K")
		d.bar = ""
	}
}
