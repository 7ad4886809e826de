package flags

import (
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/plugin"
	"github.com/urfave/cli/v2"
)

// What says how the L2's nodes are followed and how far they are trusted.
var (
	TrustDeposits = &cli.StringFlag{Name: "trust-deposits", EnvVars: env("TRUST_DEPOSITS"),
		Usage: "`LEVEL` for deposits and the funding that they complete; without it that of --trust"}
	TrustDepositsAbove = &cli.StringSliceFlag{Name: "trust-deposits-above", EnvVars: env("TRUST_DEPOSITS_ABOVE"),
		Usage: "`ASSET=AMOUNT:LEVEL`: the higher level of deposits in channels whose stakes in an asset are together above an amount in the smallest unit; an asset that no rule names needs the surest of them"}
	TrustConclusions = &cli.StringFlag{Name: "trust-conclusions", EnvVars: env("TRUST_CONCLUSIONS"),
		Usage: "`LEVEL` for what ends a channel: conclusions, refunds and settlements; without it that of --trust"}
	TrustPublications = &cli.StringFlag{Name: "trust-publications", EnvVars: env("TRUST_PUBLICATIONS"), Value: "unsafe",
		Usage: "`LEVEL` for published and executed journals; disproofs and vetoes count as soon as they are seen"}

	RollupRPC = &cli.StringSliceFlag{Name: "rollup-rpc", EnvVars: env("ROLLUP_RPC"),
		Usage: "JSON-RPC `URL` of an op-node: what is safe and finalized is its word then, and it must be of the same chain; of several, separated by commas, the first that works is asked; without one the execution client's tags"}
	CheckOutputs = &cli.BoolFlag{Name: "rollup-check-outputs", EnvVars: env("ROLLUP_CHECK_OUTPUTS"),
		Usage: "compare the op-node's output root at each safe block with the execution client's state root"}
	VerifyReceipts = &cli.BoolFlag{Name: "l2-verify-receipts", EnvVars: env("L2_VERIFY_RECEIPTS"), Value: true,
		Usage: "compare logs with the receipts root of their blocks (eth_getBlockReceipts); a node that forges them is refused"}
	StallTimeout = &cli.DurationFlag{Name: "l2-stall", EnvVars: env("L2_STALL"), Value: 30 * time.Second,
		Usage: "how long an execution client may have no new block while another one has, and after how long without any that is said; 0 is for ever"}
)

// Follow are these flags.
func Follow() []cli.Flag {
	return []cli.Flag{RollupRPC, CheckOutputs, VerifyReceipts, StallTimeout}
}

// What says how transactions are sent, beside the flags of op-service's transaction manager.
var (
	GasCap = &cli.Uint64Flag{Name: "tx.gas-cap", EnvVars: env("TX_GAS_CAP"), Value: plugin.MaxTxGas,
		Usage: "highest `GAS` limit of one transaction; a call that needs more is refused before it is sent"}
	L1EthRPC = &cli.StringFlag{Name: "l1-eth-rpc", EnvVars: env("L1_ETH_RPC"),
		Usage: "JSON-RPC `URL` of an L1 execution client: transactions can be forced through L1, paid by the same key there; without it none are"}
	L1Portal = &cli.StringFlag{Name: "l1-portal", EnvVars: env("L1_PORTAL"),
		Usage: "`ADDRESS` of the L2's OptimismPortal on L1; with --rollup-rpc the op-node says it"}
	ForceThroughL1 = &cli.BoolFlag{Name: "force-through-l1", EnvVars: env("FORCE_THROUGH_L1"),
		Usage: "send every transaction as a deposit on L1, where the sequencer cannot drop it"}
	ForceAfter = &cli.DurationFlag{Name: "force-after", EnvVars: env("FORCE_AFTER"), Value: plugin.DefaultForceAfter,
		Usage: "with --l1-eth-rpc: force what waits when the L2 has built blocks for so long without a transaction of ours; 0: never"}
	L1MaxBaseFee = &cli.Float64Flag{Name: "l1.max-basefee", EnvVars: env("L1_MAX_BASEFEE"), Usage: "highest base fee on L1, in `GWEI`, at which anything is forced; 0: any"}
	L1MaxTipCap  = &cli.Float64Flag{Name: "l1.max-tip-cap", EnvVars: env("L1_MAX_TIP_CAP"), Usage: "highest tip on L1, in `GWEI`; 0: any"}
)

// Send are these flags.
func Send() []cli.Flag {
	return []cli.Flag{GasCap, L1EthRPC, L1Portal, ForceThroughL1, ForceAfter, L1MaxBaseFee, L1MaxTipCap}
}

// ReadForce reads how transactions are forced through L1.
func ReadForce(ctx *cli.Context) (plugin.ForceConfig, error) {
	f := plugin.ForceConfig{
		L1RPC: ctx.String(L1EthRPC.Name), Always: ctx.Bool(ForceThroughL1.Name), After: ctx.Duration(ForceAfter.Name),
		MaxBaseFeeGwei: ctx.Float64(L1MaxBaseFee.Name), MaxTipCapGwei: ctx.Float64(L1MaxTipCap.Name),
	}
	if s := ctx.String(L1Portal.Name); s != "" {
		if !common.IsHexAddress(s) {
			return f, fmt.Errorf("--%s: %q is no address", L1Portal.Name, s)
		}
		f.Portal = common.HexToAddress(s)
	}
	return f, f.Check()
}
