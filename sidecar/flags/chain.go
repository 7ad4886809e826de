package flags

import (
	"time"

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
