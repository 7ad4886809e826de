package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/oppprof"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	txmetrics "github.com/ethereum-optimism/optimism/op-service/txmgr/metrics"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v2"
)

// Exit codes of `op-channels verify --once`, beside 0: nothing is wrong, and 1: it could not run.
const (
	exitFraud    = 3 // something was wrong, and is disproved (or, with --dry-run, provable)
	exitUnproven = 4 // something is wrong and not disproved, or could not be checked
)

func verifyEnv(name string) []string { return []string{flags.EnvVarPrefix + "_" + name} }

var (
	verifyRPC = &cli.StringSliceFlag{
		Name: flags.L2EthRPC.Name, Aliases: []string{"l2-rpc"}, EnvVars: flags.L2EthRPC.EnvVars, Value: cli.NewStringSlice(flags.DefaultL2EthRPC), Usage: flags.L2EthRPC.Usage,
	}
	verifyID = &cli.Uint64Flag{Name: flags.ChainID.Name, EnvVars: flags.ChainID.EnvVars, Usage: "chain `ID` that the node must have; without it the node's is taken"}

	verifySettlement = &cli.StringFlag{Name: flags.Settlement.Name, EnvVars: flags.Settlement.EnvVars, Usage: "`ADDRESS` of the MudSettlement contract, which knows all others"}
	publicationsFlag = &cli.StringFlag{Name: "publications", EnvVars: verifyEnv("PUBLICATIONS"), Usage: "`ADDRESS` of the Publications contract, instead of a settlement's: guards every settlement that works with it"}
	deploymentFlag   = &cli.StringFlag{Name: "deployment", EnvVars: verifyEnv("DEPLOYMENT"), Usage: "JSON `FILE` with the settlement's address, such as the devnet.json of a devnet"}
	worldFlag        = &cli.StringSliceFlag{Name: "world", EnvVars: verifyEnv("WORLDS"), Usage: "`ADDRESS` of a World to guard, may be repeated; none: all"}
	fromBlockFlag    = &cli.Uint64Flag{Name: "from-block", EnvVars: verifyEnv("FROM_BLOCK"), Usage: "`BLOCK` to look from; without it: 32 days ago, no window that began earlier can be open"}
	onceFlag         = &cli.BoolFlag{Name: "once", EnvVars: verifyEnv("ONCE"), Usage: "end when everything that is published is dealt with: 0 nothing is wrong, 3 fraud was disproved, 4 fraud that is not disproved or a journal that cannot be checked"}
	dryRunFlag       = &cli.BoolFlag{Name: "dry-run", EnvVars: verifyEnv("DRY_RUN"), Usage: "build and simulate proofs, send none; needs no key"}
	workersFlag      = &cli.IntFlag{Name: "workers", EnvVars: verifyEnv("WORKERS"), Usage: "`NUMBER` of journals to derive at the same time; 0: one per processor"}
)

func verifyCommand() *cli.Command {
	list := []cli.Flag{
		flags.Config, verifyRPC, verifyID, verifySettlement, publicationsFlag, deploymentFlag, worldFlag, fromBlockFlag, onceFlag, dryRunFlag, workersFlag,
		flags.PollInterval, flags.MaxHeadAge, jsonFlag,
	}
	list = append(list, flags.Follow()...)
	list = append(list, flags.Send()...)
	list = append(list, oplog.CLIFlags(flags.EnvVarPrefix)...)
	list = append(list, opmetrics.CLIFlags(flags.EnvVarPrefix)...)
	list = append(list, flags.PprofFlags()...)
	return &cli.Command{
		Name: "verify", Usage: "guard Worlds: derive published journals again, and disprove what is wrong",
		Description: `Watches the chain for journals that are published to change MUD Worlds, derives every leaf again, and disproves a wrong one in
one transaction before its window ends. It needs a node and a key with some of the chain's coin for the proof; half of the
publisher's bond is the reward. It is in no channel and needs no file: journals are in the logs, programs in the registry.

   OP_CHANNELS_PRIVATE_KEY=0x… op-channels verify --l2-rpc http://127.0.0.1:8545 --settlement 0x…
   op-channels verify --l2-rpc http://127.0.0.1:8545 --settlement 0x… --once --dry-run    # only look

docs/verifiers.md says what to watch and how to run more than one.`,
		Flags:  cliapp.ProtectFlags(append(list, plugin.TxFlags(flags.EnvVarPrefix)...)),
		Action: verify,
	}
}

func verify(ctx *cli.Context) (err error) {
	if ctx.Args().Present() {
		return fmt.Errorf("verify takes no argument %q: see op-channels verify --help", ctx.Args().First())
	}
	if err := flags.LoadFile(ctx); err != nil {
		return err
	}
	run, stop := interruptible(ctx)
	defer stop()
	logger := oplog.NewLogger(ctx.App.ErrWriter, oplog.ReadCLIConfig(ctx))
	oplog.SetGlobalLogHandler(logger.Handler())
	registry, feed := opmetrics.NewRegistry(), new(watchedFeed)
	if m := opmetrics.ReadCLIConfig(ctx); m.Enabled {
		server, err := serveVerifier(m, registry, feed, ctx.Duration(flags.MaxHeadAge.Name))
		if err != nil {
			return fmt.Errorf("start the metrics server: %w", err)
		}
		defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(run))) }()
	}
	p := oppprof.ReadCLIConfig(ctx)
	profiles := oppprof.New(p.ListenEnabled, p.ListenAddr, p.ListenPort, p.ProfileType, p.ProfileDir, p.ProfileFilename)
	if err := errors.Join(p.Check(), profiles.Start()); err != nil {
		return fmt.Errorf("start pprof: %w", err)
	}
	defer func() { err = errors.Join(err, profiles.Stop(context.WithoutCancel(run))) }()
	chain, err := dialChain(run, ctx, logger, registry)
	if err != nil {
		return err
	}
	defer chain.Close()
	feed.Feed = chain
	cfg, err := verifierConfig(run, ctx, chain.Client())
	if err != nil {
		return err
	}
	deps := verifier.Deps{Feed: feed, Client: chain.Client(), Log: logger, Metrics: verifier.NewMetrics(registry)}
	if !cfg.DryRun {
		force, err := flags.ReadForce(ctx)
		if err != nil {
			return err
		}
		sender, err := proofSender(ctx, chain, registry, force)
		if err != nil {
			return err
		}
		defer func() {
			over, cancel := context.WithTimeout(context.WithoutCancel(run), stopTimeout)
			defer cancel()
			err = errors.Join(err, sender.Close(over))
		}()
		deps.Sender = sender
	}
	report, flush := reporter(ctx)
	deps.Report = report
	v, err := verifier.New(cfg, deps)
	if err != nil {
		return err
	}
	err = v.Run(run)
	flush()
	if err != nil && run.Err() != nil && !cfg.Once {
		return nil // that is how a service ends
	}
	if err != nil {
		return interrupted(run, err)
	}
	return verdict(ctx, v.Summary())
}

func dialChain(run context.Context, ctx *cli.Context, logger log.Logger, registry *prometheus.Registry) (*plugin.Chain, error) {
	id := ctx.Uint64(verifyID.Name)
	urls := ctx.StringSlice(verifyRPC.Name)
	if len(urls) == 0 {
		return nil, fmt.Errorf("--%s is empty: give the address of an execution client", verifyRPC.Name)
	}
	if id == 0 {
		asking, cancel := context.WithTimeout(run, 10*time.Second)
		defer cancel()
		c, err := ethclient.DialContext(asking, urls[0])
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", urls[0], err)
		}
		defer c.Close()
		n, err := c.ChainID(asking)
		if err != nil {
			return nil, fmt.Errorf("ask %s for its chain id: %w", urls[0], err)
		}
		id = n.Uint64()
	}
	return plugin.Dial(run, plugin.Config{
		RPC: strings.Join(urls, ","), RollupRPC: strings.Join(ctx.StringSlice(flags.RollupRPC.Name), ","), ChainID: id,
		VerifyReceipts: ctx.Bool(flags.VerifyReceipts.Name), CheckOutputs: ctx.Bool(flags.CheckOutputs.Name),
		StallTimeout: ctx.Duration(flags.StallTimeout.Name), PollInterval: ctx.Duration(flags.PollInterval.Name), Logger: logger, Registerer: registry,
	})
}

func verifierConfig(run context.Context, ctx *cli.Context, client *ethclient.Client) (cfg verifier.Config, err error) {
	cfg = verifier.Config{
		FromBlock: ctx.Uint64(fromBlockFlag.Name), DryRun: ctx.Bool(dryRunFlag.Name), Once: ctx.Bool(onceFlag.Name), Workers: ctx.Int(workersFlag.Name),
	}
	for _, w := range ctx.StringSlice(worldFlag.Name) {
		a, err := address("--world", w)
		if err != nil {
			return cfg, err
		}
		cfg.Worlds = append(cfg.Worlds, a)
	}
	cfg.Contracts, err = contractsOf(run, ctx, client)
	return cfg, err
}

// contractsOf finds the contracts that --settlement, --publications or --deployment name.
func contractsOf(run context.Context, ctx *cli.Context, client *ethclient.Client) (c adjudicator.Contracts, err error) {
	settlement, publications := ctx.String(verifySettlement.Name), ctx.String(publicationsFlag.Name)
	if path := ctx.String(deploymentFlag.Name); path != "" && settlement == "" && publications == "" {
		if settlement, err = deployedSettlement(path); err != nil {
			return c, err
		}
	}
	asking, cancel := context.WithTimeout(run, 30*time.Second)
	defer cancel()
	switch {
	case settlement != "":
		at, err := address("--settlement", settlement)
		if err != nil {
			return c, err
		}
		if c, err = adjudicator.Discover(asking, client, at); err != nil {
			return c, err
		}
		if publications != "" && !strings.EqualFold(publications, c.Publications.Hex()) {
			return c, fmt.Errorf("the settlement works with publications %s, not with --publications %s: give one of the two", c.Publications, publications)
		}
	case publications != "":
		at, err := address("--publications", publications)
		if err != nil {
			return c, err
		}
		if c, err = adjudicator.DiscoverPublications(asking, client, at); err != nil {
			return c, err
		}
	default:
		return c, errors.New("say which contracts are meant: --settlement ADDRESS, --publications ADDRESS, or --deployment FILE")
	}
	return c, nil
}

func address(flag, text string) (common.Address, error) {
	if !common.IsHexAddress(text) {
		return common.Address{}, fmt.Errorf("%s %q is no address (0x and 40 hex digits)", flag, text)
	}
	return common.HexToAddress(text), nil
}

// deployedSettlement reads the settlement's address of a deployment file, whatever else is in it.
func deployedSettlement(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the deployment: %w", err)
	}
	var file struct {
		Settlement string `json:"settlement"`
		Contracts  struct {
			Settlement string `json:"settlement"`
		} `json:"contracts"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return "", fmt.Errorf("deployment %s: %w", path, err)
	}
	if file.Settlement == "" {
		file.Settlement = file.Contracts.Settlement
	}
	if file.Settlement == "" {
		return "", fmt.Errorf("deployment %s names no settlement", path)
	}
	return file.Settlement, nil
}

// proofSender sends for the key of the flags; what is bought twice when it is sent twice must not be forced.
func proofSender(ctx *cli.Context, chain *plugin.Chain, registry *prometheus.Registry, force plugin.ForceConfig) (*plugin.Submitter, error) {
	tx := txmgr.ReadCLIConfig(ctx)
	if tx.PrivateKey == "" && tx.Mnemonic == "" && !tx.SignerCLIConfig.Enabled() {
		return nil, errors.New("no key to send transactions with: set OP_CHANNELS_PRIVATE_KEY (verify --dry-run only looks and needs none)")
	}
	m := txmetrics.MakeTxMetrics("op_channels", opmetrics.With(registry))
	return plugin.NewSubmitter(chain, plugin.SubmitterConfig{
		Tx: tx, DecodeRevert: adjudicator.DecodeRevert, Metrics: &m, GasCap: ctx.Uint64(flags.GasCap.Name), Force: force,
	})
}

// onChain is what a command that sends transactions works with.
type onChain struct {
	chain     *plugin.Chain
	contracts adjudicator.Contracts
	sender    *plugin.Submitter
}

// withSender connects by the flags of ctx, and ends everything after do, which has the time limit and ends with an interrupt.
func withSender(ctx *cli.Context, limit time.Duration, do func(run context.Context, s onChain) error) (err error) {
	run, stop := interruptible(ctx)
	defer stop()
	defer func() { err = interrupted(run, err) }()
	limited, cancel := context.WithTimeout(run, limit)
	defer cancel()
	registry := prometheus.NewRegistry()
	var s onChain
	if s.chain, err = dialChain(limited, ctx, oplog.NewLogger(ctx.App.ErrWriter, oplog.ReadCLIConfig(ctx)), registry); err != nil {
		return err
	}
	defer s.chain.Close()
	if s.contracts, err = contractsOf(limited, ctx, s.chain.Client()); err != nil {
		return err
	}
	if s.sender, err = proofSender(ctx, s.chain, registry, plugin.ForceConfig{}); err != nil {
		return err
	}
	defer func() {
		over, cancel := context.WithTimeout(context.WithoutCancel(limited), stopTimeout)
		defer cancel()
		err = errors.Join(err, s.sender.Close(over))
	}()
	return do(limited, s)
}

// pendingReports bounds what waits to be printed.
const pendingReports = 1024

// reporter prints what happens: a line per thing for people, a JSON object per line for programs. Guarding does not wait for whoever
// reads: what does not fit is left out, and the log has it. flush ends it when everything is printed.
func reporter(ctx *cli.Context) (report func(verifier.Report), flush func()) {
	w := ctx.App.Writer
	show := func(r verifier.Report) { printReport(w, r, time.Now()) }
	if ctx.Bool(jsonFlag.Name) {
		enc := json.NewEncoder(w)
		show = func(r verifier.Report) { _ = enc.Encode(r) } // a pipe that nobody reads is no reason to stop
	}
	waiting, printed := make(chan verifier.Report, pendingReports), make(chan struct{})
	go func() {
		defer close(printed)
		for r := range waiting {
			show(r)
		}
	}()
	report = func(r verifier.Report) {
		select {
		case waiting <- r:
		default:
		}
	}
	return report, func() { close(waiting); <-printed }
}

func printReport(w io.Writer, r verifier.Report, now time.Time) {
	line := func(format string, args ...any) {
		text := strings.Map(func(c rune) rune {
			if !unicode.IsPrint(c) {
				return '?'
			}
			return c
		}, fmt.Sprintf(format, args...)) // nodes' errors are anybody's words
		fmt.Fprintf(w, "%s  %s  %s\n", now.Format(time.TimeOnly), r.ChannelID.TerminalString(), text)
	}
	switch r.Kind {
	case verifier.ReportSeen:
		left := time.Unix(int64(min(r.Deadline, 1<<40)), 0).Sub(now).Round(time.Second)
		line("published for World %s by %s, %s left", r.World, r.Publisher, left)
	case verifier.ReportProgress:
		line("derived %d of %d leaves", r.Leaves, r.Total)
	case verifier.ReportRight:
		line("right: all %d leaves", r.Total)
	case verifier.ReportWrong:
		line("FRAUD: %s is wrong: %s", r.Fault.What, r.Fault.Why)
		for _, detail := range strings.Split(strings.TrimSpace(r.Fault.Text), "\n")[1:] {
			line("  %s", detail)
		}
	case verifier.ReportProof:
		line("provable: the proof would use %d gas", r.Gas)
	case verifier.ReportSending:
		line("sending the proof")
	case verifier.ReportDisproved:
		line("%s", disprovedText(r))
	case verifier.ReportVetoed:
		line("vetoed by the World's guardian")
	case verifier.ReportSettled:
		if r.Fault != nil {
			line("SETTLED although it is wrong: nothing can be done any more")
			return
		}
		line("settled before it was checked")
	case verifier.ReportStuck:
		line("CANNOT BE CHECKED, trying again: %s", r.Error)
	case verifier.ReportFailed:
		line("the proof did not get through, trying again: %s", r.Error)
	case verifier.ReportGone:
		line("reorganised away")
	default:
		line("%s", r.Kind)
	}
}

func disprovedText(r verifier.Report) string {
	var b strings.Builder
	b.WriteString("disproved, void for good")
	if r.By != nil {
		fmt.Fprintf(&b, ", by %s", r.By)
	}
	if r.TxHash != nil {
		fmt.Fprintf(&b, " in %s", r.TxHash)
	}
	if r.Gas > 0 {
		fmt.Fprintf(&b, ", %d gas", r.Gas)
	}
	if r.Reward != nil {
		fmt.Fprintf(&b, ", reward %s wei", r.Reward.Dec())
	}
	return b.String()
}

// verdict prints the sum of a run with --once and makes the exit code of it.
func verdict(ctx *cli.Context, s verifier.Summary) error {
	if ctx.Bool(jsonFlag.Name) {
		if err := json.NewEncoder(ctx.App.Writer).Encode(map[string]verifier.Summary{"summary": s}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(ctx.App.Writer, "%d publications: %d right, %d wrong (%d disproved), %d over before, %d not checked\n", s.Seen, s.Right, s.Wrong, s.Disproved, s.Closed, s.Stuck)
	}
	switch {
	case s.Stuck > 0 || s.Unproven > s.Provable:
		return cli.Exit(fmt.Sprintf("%d publications are wrong and not disproved, %d could not be checked", s.Unproven-s.Provable, s.Stuck), exitUnproven)
	case s.Wrong > 0:
		return cli.Exit(fmt.Sprintf("%d publications are wrong", s.Wrong), exitFraud)
	}
	return nil
}
