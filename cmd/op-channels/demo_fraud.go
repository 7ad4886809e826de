package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/urfave/cli/v2"
)

func demoFraudCommand() *cli.Command {
	return &cli.Command{
		Name: "demo-fraud", Usage: "let a whole party sign a forged raid, and watch it lose",
		Description: `Starts anvil, deploys the contracts and a MUD World that takes published journals, and starts a verifier as a process of its own.
Operator, alice and bob collude: they play a raid, agree that alice has found a million gold, sign everything, are paid out as they
agreed, and publish the journal. The verifier, which nobody told, disproves the one impossible step in one transaction: the
World has no record, half of the bond is the verifier's, the other half is burnt. Exits with 1 when any check fails.

Everything that it writes is in --dir: summary.json and logs. Needs Node.js and the npm packages of the repository (make deps).`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: filepath.Join("build", "demo-fraud"), Usage: "`FOLDER` for everything that it writes; what an earlier demo left there is deleted"},
			&cli.DurationFlag{Name: "block-time", Value: time.Second, Usage: "`DURATION` of a block, in whole seconds; 0: a block per transaction"},
			&cli.DurationFlag{Name: "window", Value: time.Minute, Usage: "`DURATION` in which the World lets a published journal be disproved"},
			jsonFlag,
		},
		Action: runDemoFraud,
	}
}

func runDemoFraud(ctx *cli.Context) (err error) {
	run, stop := interruptible(ctx)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	out := newDisplay(ctx)
	began := time.Now()
	d, err := devnet.Start(run, devnet.Options{
		Dir: ctx.String("dir"), Binary: binary, BlockTime: ctx.Duration("block-time"), Progress: out.step, ChainOnly: true,
		Modes: adjudicator.ModeOptimistic, Window: ctx.Duration("window"),
	})
	if err != nil {
		return interrupted(run, err)
	}
	defer func() { err = errors.Join(err, stopDevnet(run, d)) }()
	setup := time.Since(began).Seconds()
	sum, err := story.TellFraud(run, d, story.Options{Step: out.step, Line: out.line})
	out.end()
	sum.Seconds["setup"] = setup
	sum.Seconds["total"] += setup
	path := filepath.Join(d.Options.Dir, "summary.json")
	if werr := sum.Write(path); werr != nil {
		return errors.Join(err, werr)
	}
	if serr := show(ctx, sum, func(w io.Writer) { printFraud(w, sum, path) }); serr != nil {
		return errors.Join(err, serr)
	}
	if err != nil {
		return fmt.Errorf("the demo failed: %w (logs are in %s)", interrupted(run, err), filepath.Join(d.Options.Dir, "logs"))
	}
	return nil
}

func printFraud(w io.Writer, s *story.FraudSummary, path string) {
	fmt.Fprintf(w, "\nchannel       %s\nmodule        %s\nevents        %d\njournal root  %s, signed by all three\n\n", s.ChannelID, s.ModuleHash, s.Events, s.JournalRoot)
	fmt.Fprintf(w, "THE FORGERY   event %d, by %s: %s\n              ... and %s has %d gold out of nothing\n              the rules give  %s\n              they signed     %s\n\n",
		s.Forged.Leaf, s.Forged.Author, s.Forged.Event, s.Forged.Player, s.Forged.Gold, s.Forged.Right, s.Forged.Claimed)
	fmt.Fprintf(w, "THE PROOF     leaf %d is wrong: %s\n              one transaction, %d gas, %d bytes of calldata, %.1f s after the publication\n              %s\n",
		s.Proof.Leaf, s.Proof.Why, s.Proof.GasUsed, s.Proof.Calldata, s.Proof.Seconds, s.Proof.TxHash)
	fmt.Fprintf(w, "              bond %s: %s to the verifier, %s burnt\n\n", story.Ether(amountOf(s.Bond)), story.Ether(amountOf(s.Proof.Reward)), story.Ether(amountOf(s.Proof.Burnt)))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "TRANSACTION\tBY\tBLOCK\tGAS\tHASH")
	for _, x := range s.Transactions {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", x.Kind, x.By, x.Block, x.GasUsed, x.TxHash)
	}
	t.Flush()
	fmt.Fprintf(w, "\nTHE WORLD     has no record. The settlement says: %s\n", s.Refused)
	printChecks(w, s.Checks)
	fmt.Fprintf(w, "\n%.1f s in all (%.1f s to set up), written to %s\n", s.Seconds["total"], s.Seconds["setup"], path)
}

func printChecks(w io.Writer, checks story.Checks) {
	fmt.Fprintln(w, "\nCHECKS")
	for _, c := range checks {
		word, why := "ok    ", ""
		if !c.OK {
			word, why = "FAILED", ": "+c.Detail
		}
		fmt.Fprintf(w, "  %s %s%s\n", word, c.Name, why)
	}
}
