package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ethereum/go-ethereum/cmd/utils"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/metrics"
	"github.com/ethereum/go-ethereum/node"
	"github.com/urfave/cli/v2"

	// The tracers of debug_trace… register themselves.
	_ "github.com/ethereum/go-ethereum/eth/tracers/js"
	_ "github.com/ethereum/go-ethereum/eth/tracers/live"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native"
)

// instance names the folder within the data folder, and the IPC socket: op-geth's, so that either can go on where the other was.
const instance = "geth"

func newStack(ctx *cli.Context) (*node.Node, error) {
	cfg := node.DefaultConfig
	cfg.Name, cfg.Version, cfg.IPCPath = instance, fullVersion(), instance+".ipc"
	cfg.HTTPModules = append(slices.Clone(cfg.HTTPModules), "eth")
	cfg.WSModules = append(slices.Clone(cfg.WSModules), "eth")
	utils.SetNodeConfig(ctx, &cfg)
	stack, err := node.New(&cfg)
	if err != nil {
		return nil, fmt.Errorf("make the node: %w", err)
	}
	return stack, nil
}

// newNode makes a node with everything that op-geth serves. Faults in op-geth's own flags end the process, as they do there.
func newNode(ctx *cli.Context) (*node.Node, *eth.EthAPIBackend, error) {
	stack, err := newStack(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg := ethconfig.Defaults
	utils.SetEthConfig(ctx, stack, &cfg)
	overrides := chainOverrides(ctx)
	cfg.OverrideOsaka, cfg.OverrideBPO1, cfg.OverrideBPO2, cfg.OverrideVerkle = overrides.OverrideOsaka, overrides.OverrideBPO1, overrides.OverrideBPO2, overrides.OverrideVerkle
	cfg.OverrideOptimismCanyon, cfg.OverrideOptimismEcotone, cfg.OverrideOptimismFjord = overrides.OverrideOptimismCanyon, overrides.OverrideOptimismEcotone, overrides.OverrideOptimismFjord
	cfg.OverrideOptimismGranite, cfg.OverrideOptimismHolocene, cfg.OverrideOptimismIsthmus = overrides.OverrideOptimismGranite, overrides.OverrideOptimismHolocene, overrides.OverrideOptimismIsthmus
	cfg.OverrideOptimismJovian, cfg.OverrideOptimismKarst, cfg.OverrideOptimismInterop = overrides.OverrideOptimismJovian, overrides.OverrideOptimismKarst, overrides.OverrideOptimismInterop
	if err := setUpMetrics(ctx); err != nil {
		return nil, nil, errors.Join(err, stack.Close())
	}
	backend, service := utils.RegisterEthService(stack, &cfg)
	filters := utils.RegisterFilterAPI(stack, backend, &cfg)
	if ctx.IsSet(utils.GraphQLEnabledFlag.Name) {
		utils.RegisterGraphQLService(stack, backend, filters, stack.Config())
	}
	if url := ctx.String(utils.EthStatsURLFlag.Name); url != "" {
		utils.RegisterEthStatsService(stack, backend, url)
	}
	var target common.Hash
	if text := ctx.String(utils.SyncTargetFlag.Name); text != "" {
		if !common.IsHexHash(text) {
			return nil, nil, errors.Join(fmt.Errorf("--%s: %q is no block's hash", utils.SyncTargetFlag.Name, text), stack.Close())
		}
		target = common.HexToHash(text)
	}
	utils.RegisterSyncOverrideService(stack, service, target, ctx.Bool(utils.ExitWhenSyncedFlag.Name))
	if err := catalyst.Register(stack, service); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("serve the engine API: %w", err), stack.Close())
	}
	return stack, backend, nil
}

// chainOverrides are the forks' times that the command line sets.
func chainOverrides(ctx *cli.Context) core.ChainOverrides {
	at := func(f *cli.Uint64Flag) *uint64 {
		if !ctx.IsSet(f.Name) {
			return nil
		}
		v := ctx.Uint64(f.Name)
		return &v
	}
	return core.ChainOverrides{
		OverrideOsaka: at(utils.OverrideOsaka), OverrideBPO1: at(utils.OverrideBPO1), OverrideBPO2: at(utils.OverrideBPO2), OverrideVerkle: at(utils.OverrideVerkle),
		OverrideOptimismCanyon: at(utils.OverrideOptimismCanyon), OverrideOptimismEcotone: at(utils.OverrideOptimismEcotone),
		OverrideOptimismFjord: at(utils.OverrideOptimismFjord), OverrideOptimismGranite: at(utils.OverrideOptimismGranite),
		OverrideOptimismHolocene: at(utils.OverrideOptimismHolocene), OverrideOptimismIsthmus: at(utils.OverrideOptimismIsthmus),
		OverrideOptimismJovian: at(utils.OverrideOptimismJovian), OverrideOptimismKarst: at(utils.OverrideOptimismKarst),
		OverrideOptimismInterop: at(utils.OverrideOptimismInterop),
	}
}

// startNode starts everything and leaves signals to op-geth's own handling: the first ends the node in order, the tenth at once.
func startNode(ctx *cli.Context, stack *node.Node) { utils.StartNode(ctx, stack, false) }

// setUpMetrics serves the node's metrics as its flags say. The sidecar's are of another kind and have a port of their own.
func setUpMetrics(ctx *cli.Context) error {
	c := metrics.DefaultConfig
	c.Enabled, c.HTTP, c.Port = ctx.Bool(utils.MetricsEnabledFlag.Name), ctx.String(utils.MetricsHTTPFlag.Name), ctx.Int(utils.MetricsPortFlag.Name)
	c.EnableInfluxDB, c.EnableInfluxDBV2 = ctx.Bool(utils.MetricsEnableInfluxDBFlag.Name), ctx.Bool(utils.MetricsEnableInfluxDBV2Flag.Name)
	if c.EnableInfluxDB && c.EnableInfluxDBV2 {
		return fmt.Errorf("--%s and --%s exclude each other", utils.MetricsEnableInfluxDBFlag.Name, utils.MetricsEnableInfluxDBV2Flag.Name)
	}
	c.InfluxDBEndpoint, c.InfluxDBDatabase = ctx.String(utils.MetricsInfluxDBEndpointFlag.Name), ctx.String(utils.MetricsInfluxDBDatabaseFlag.Name)
	c.InfluxDBUsername, c.InfluxDBPassword = ctx.String(utils.MetricsInfluxDBUsernameFlag.Name), ctx.String(utils.MetricsInfluxDBPasswordFlag.Name)
	c.InfluxDBTags, c.InfluxDBInterval = ctx.String(utils.MetricsInfluxDBTagsFlag.Name), ctx.Duration(utils.MetricsInfluxDBIntervalFlag.Name)
	c.InfluxDBToken, c.InfluxDBBucket = ctx.String(utils.MetricsInfluxDBTokenFlag.Name), ctx.String(utils.MetricsInfluxDBBucketFlag.Name)
	c.InfluxDBOrganization = ctx.String(utils.MetricsInfluxDBOrganizationFlag.Name)
	if !c.Enabled { // a port without metrics is the default, not a fault
		return nil
	}
	utils.SetupMetrics(&c)
	return nil
}

func initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "write the first block into a new data folder", ArgsUsage: "genesis.json",
		Flags:  slices.Concat([]cli.Flag{utils.CachePreimagesFlag, utils.OverrideOptimismKarst}, utils.DatabaseFlags),
		Action: initGenesis,
	}
}

// initGenesis does what `geth init` does.
func initGenesis(ctx *cli.Context) (err error) {
	if ctx.NArg() != 1 {
		return errors.New("give the file of the genesis: op-geth-channels init --datadir FOLDER genesis.json")
	}
	text, err := os.ReadFile(ctx.Args().First())
	if err != nil {
		return fmt.Errorf("read the genesis: %w", err)
	}
	genesis := new(core.Genesis)
	if err := json.Unmarshal(text, genesis); err != nil {
		return fmt.Errorf("genesis %s: %w", ctx.Args().First(), err)
	}
	stack, err := newStack(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	db := utils.MakeChainDatabase(ctx, stack, false)
	defer func() { err = errors.Join(err, db.Close()) }()
	tries := utils.MakeTrieDatabase(ctx, stack, db, ctx.Bool(utils.CachePreimagesFlag.Name), false, genesis.IsVerkle())
	defer func() { err = errors.Join(err, tries.Close()) }()
	overrides := chainOverrides(ctx)
	_, hash, incompatible, err := core.SetupGenesisBlockWithOverride(db, tries, genesis, &overrides, nil)
	if err == nil && incompatible != nil {
		err = incompatible
	}
	if err != nil {
		return fmt.Errorf("write the genesis: %w", err)
	}
	log.Info("Wrote the first block", "hash", hash)
	return nil
}
