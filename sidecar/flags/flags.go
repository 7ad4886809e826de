// Package flags declares the options of `op-channels run`, in the manner of the op-stack's services: every flag has an
// environment variable OP_CHANNELS_… and can stand in the file that --config names.
package flags

import (
	"fmt"
	"os"
	"time"

	"github.com/BurntSushi/toml"
	opservice "github.com/ethereum-optimism/optimism/op-service"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/oppprof"
	oprpc "github.com/ethereum-optimism/optimism/op-service/rpc"
	"github.com/evmts/channels/plugin"
	"github.com/urfave/cli/v2"
)

// EnvVarPrefix starts every environment variable.
const EnvVarPrefix = "OP_CHANNELS"

func env(name string) []string { return opservice.PrefixEnvVar(EnvVarPrefix, name) }

// DefaultL2EthRPC is where an execution client of this machine listens.
const DefaultL2EthRPC = "http://127.0.0.1:8545"

// The flags, by name.
var (
	Config = &cli.StringFlag{Name: "config", EnvVars: env("CONFIG"), Usage: "TOML `FILE` with any of these options by flag name; flags and environment win over it"}

	L2EthRPC = &cli.StringSliceFlag{Name: "l2-eth-rpc", EnvVars: env("L2_ETH_RPC"), Value: cli.NewStringSlice(DefaultL2EthRPC),
		Usage: "JSON-RPC `URL` of the L2 execution client (http, ws, or the path of an IPC socket); of several, separated by commas, the first that works is used"}
	ChainID     = &cli.Uint64Flag{Name: "chain-id", EnvVars: env("CHAIN_ID"), Usage: "chain `ID` that the node must have"}
	Adjudicator = &cli.StringFlag{Name: "adjudicator", EnvVars: env("ADJUDICATOR"), Usage: "`ADDRESS` of the Adjudicator contract"}
	Settlement  = &cli.StringFlag{Name: "settlement", EnvVars: env("SETTLEMENT"), Usage: "`ADDRESS` of the MudSettlement contract; without it no World is served"}
	StartBlock  = &cli.Uint64Flag{Name: "start-block", EnvVars: env("START_BLOCK"), Usage: "`BLOCK` below which there is nothing of the contracts to see"}
	Trust       = &cli.StringFlag{Name: "trust", EnvVars: env("TRUST"), Value: "safe",
		Usage: "`LEVEL` that a block must have before its deposits and conclusions count: unsafe, safe or finalized; --trust-… say otherwise for one of them"}
	PollInterval = &cli.DurationFlag{Name: "poll-interval", EnvVars: env("POLL_INTERVAL"), Value: time.Second, Usage: "how often a node without subscriptions is asked for its heads"}

	MaxHeadAge = &cli.DurationFlag{Name: "max-head-age", EnvVars: env("MAX_HEAD_AGE"), Value: time.Minute,
		Usage: "/readyz says no when the newest block is older, because the chain stands still or the node is behind; 0: never"}
	FundsInterval = &cli.DurationFlag{Name: "funds-interval", EnvVars: env("FUNDS_INTERVAL"), Value: 30 * time.Second,
		Usage: "how often the owner's balance is compared with what the node may have to pay"}

	DataDir = &cli.StringFlag{Name: "data-dir", EnvVars: env("DATA_DIR"), Value: "op-channels-data", Usage: "`FOLDER` of journals and signatures; lose it and open channels must be disputed"}
	Modules = &cli.StringSliceFlag{Name: "module", EnvVars: env("MODULES"), Usage: "`FILE` of a module (.wasm, with its manifest in .json beside it), or a folder of them"}

	SessionKey = &cli.StringFlag{Name: "session-key", EnvVars: env("SESSION_KEY"),
		Usage: "`FILE` with the session key in hex: signs events and updates, and is the node's identity among peers"}
	AttestorKey = &cli.StringFlag{Name: "attestor-key", EnvVars: env("ATTESTOR_KEY"), Usage: "`FILE` with the attestor key in hex, for a World's attestor"}

	AttestWorlds = &cli.StringSliceFlag{Name: "attest", EnvVars: env("ATTEST"),
		Usage: "`world=ADDRESS` to attest for with --attestor-key, may be repeated; none: every World of the settlement that names the key"}
	Publish = &cli.BoolFlag{Name: "publish", EnvVars: env("PUBLISH"),
		Usage: "put the journals of our finished channels on chain for Worlds that take no attestation of ours, and settle them when nobody disproved them; risks the World's bond from the owner's wallet"}
	Verifier = &cli.BoolFlag{Name: "verifier", EnvVars: env("VERIFIER"),
		Usage: "replay every journal that anybody publishes for a World of this settlement, and disprove wrong ones from the owner's wallet"}

	P2PListen = &cli.StringSliceFlag{Name: "p2p.listen", EnvVars: env("P2P_LISTEN"), Value: cli.NewStringSlice("/ip4/127.0.0.1/tcp/9777"), Usage: "`MULTIADDR` to accept peers on"}
	P2PPeers  = &cli.StringSliceFlag{Name: "p2p.peer", EnvVars: env("P2P_PEERS"), Usage: "`MULTIADDR` with /p2p/ID of a peer to stay connected to"}
	P2PAllow  = &cli.StringSliceFlag{Name: "p2p.allow", EnvVars: env("P2P_ALLOW"), Usage: "session `ADDRESS` that may be a peer; none: those that --p2p.peer and channels_addPeer name"}
	P2PDeny   = &cli.StringSliceFlag{Name: "p2p.deny", EnvVars: env("P2P_DENY"), Usage: "session `ADDRESS` that may not be a peer, proposer or participant"}
	P2POpen   = &cli.BoolFlag{Name: "p2p.accept-unknown", EnvVars: env("P2P_ACCEPT_UNKNOWN"), Usage: "let peers connect that nobody named, as a public operator does"}

	PolicyAsk      = &cli.BoolFlag{Name: "policy.ask", EnvVars: env("POLICY_ASK"), Usage: "leave every incoming proposal to channels_approve; without it those that cost nothing, or stay within --policy.max-stake, are accepted"}
	PolicyAllow    = &cli.StringSliceFlag{Name: "policy.allow", EnvVars: env("POLICY_ALLOW"), Usage: "session `ADDRESS` whose proposals are considered; none: every peer's"}
	PolicyWindow   = &cli.UintFlag{Name: "policy.min-window", EnvVars: env("POLICY_MIN_WINDOW"), Value: 3600, Usage: "shortest challenge window to accept, in `SECONDS`"}
	PolicyMaxStake = &cli.StringSliceFlag{Name: "policy.max-stake", EnvVars: env("POLICY_MAX_STAKE"), Usage: "`ASSET=AMOUNT`: most to pay into one channel, in the smallest unit, and accepted without asking; other assets are then refused. Without it proposals that cost us wait for channels_approve"}

	Stall  = &cli.DurationFlag{Name: "stall", EnvVars: env("STALL"), Value: 5 * time.Second, Usage: "messages are sent again after this long without progress"}
	Skew   = &cli.DurationFlag{Name: "skew", EnvVars: env("SKEW"), Value: 30 * time.Second, Usage: "how far an event's timestamp may be ahead of the clock"}
	Margin = &cli.DurationFlag{Name: "funding-margin", EnvVars: env("FUNDING_MARGIN"), Value: 2 * time.Minute, Usage: "no deposit later than this before the funding deadline"}
	Turn   = &cli.DurationFlag{Name: "conclude-turn", EnvVars: env("CONCLUDE_TURN"), Value: 30 * time.Second, Usage: "time left to each participant before us to send the conclusion"}

	JWTSecret = &cli.StringFlag{Name: "rpc.jwt-secret", EnvVars: env("RPC_JWT_SECRET"), Usage: "`FILE` with 32 bytes in hex; required when the RPC listens beyond loopback"}
)

// Run are the flags of `op-channels run`.
func Run() []cli.Flag {
	out := []cli.Flag{
		Config, L2EthRPC, ChainID, Adjudicator, Settlement, StartBlock, Trust, TrustDeposits, TrustDepositsAbove, TrustConclusions, TrustPublications, PollInterval, MaxHeadAge, FundsInterval, DataDir, Modules, SessionKey, AttestorKey, AttestWorlds, Publish, Verifier,
		P2PListen, P2PPeers, P2PAllow, P2PDeny, P2POpen, PolicyAsk, PolicyAllow, PolicyWindow, PolicyMaxStake, Stall, Skew, Margin, Turn, JWTSecret,
	}
	out = append(out, Follow()...)
	out = append(out, Send()...)
	out = append(out, PushFeedFlags()...)
	out = append(out, Signers()...)
	out = append(out, Tracing()...)
	out = append(out, oprpc.CLIFlagsWithCategory(EnvVarPrefix, "", oprpc.CLIConfig{ListenAddr: "127.0.0.1", ListenPort: 9545})...)
	out = append(out, oplog.CLIFlags(EnvVarPrefix)...)
	out = append(out, opmetrics.CLIFlags(EnvVarPrefix)...)
	out = append(out, PprofFlags()...)
	return append(out, plugin.TxFlags(EnvVarPrefix)...)
}

// PprofFlags are op-service's, on loopback by default: a profile shows what is in memory, and taking one costs time.
func PprofFlags() []cli.Flag {
	out := oppprof.CLIFlags(EnvVarPrefix)
	for _, f := range out {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == oppprof.ListenAddrFlagName {
			s.Value = "127.0.0.1"
		}
	}
	return out
}

// LoadFile sets the options of the --config file that neither a flag nor the environment set. An option that does not
// exist is an error: a typo must not turn a safety setting off.
func LoadFile(ctx *cli.Context) error {
	path := ctx.String(Config.Name)
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the config file: %w", err)
	}
	var values map[string]any
	if err := toml.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	known := make(map[string]bool)
	for _, f := range ctx.Command.Flags {
		for _, n := range f.Names() {
			known[n] = true
		}
	}
	return setAll(ctx, path, "", values, known)
}

// setAll also takes TOML tables: [p2p] listen = … is p2p.listen.
func setAll(ctx *cli.Context, path, prefix string, values map[string]any, known map[string]bool) error {
	for key, v := range values {
		name := prefix + key
		if table, ok := v.(map[string]any); ok {
			if err := setAll(ctx, path, name+".", table, known); err != nil {
				return err
			}
			continue
		}
		if !known[name] {
			return fmt.Errorf("config file %s: there is no option %q (see op-channels run --help)", path, name)
		}
		if ctx.IsSet(name) {
			continue
		}
		items, ok := v.([]any)
		if !ok {
			items = []any{v}
		}
		for _, item := range items {
			if err := ctx.Set(name, fmt.Sprint(item)); err != nil {
				return fmt.Errorf("config file %s: option %s: %w", path, name, err)
			}
		}
	}
	return nil
}
