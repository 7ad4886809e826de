package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/stretchr/testify/require"
)

// world is a devnet of its own, whose World has another policy than the shared one's.
func world(t *testing.T, o devnet.Options) *devnet.Devnet {
	t.Helper()
	o.Dir, o.Root, o.Binary, o.OpStack = filepath.Join(t.TempDir(), "devnet"), network(t).Options.Root, shared.binary(), onOpStack
	d, err := devnet.Start(within(t, 2*time.Minute), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, d.Stop(ctx))
	})
	return d
}

// The raid in a World that takes nobody's word: the operator's sidecar publishes the journal, which stands when the window is
// over, or has it executed; then it settles. Alice's sidecar verifies meanwhile, and finds nothing wrong.
func TestU1_RaidInAWorldThatTrustsNobody(t *testing.T) {
	for name, o := range map[string]devnet.Options{
		"optimistic": {Modes: adjudicator.ModeOptimistic, Window: 3 * time.Second},
		"executed":   {Modes: adjudicator.ModeExecuted},
	} {
		t.Run(name, func(t *testing.T) {
			o.BlockTime = time.Second // a window needs a clock
			o.Args = func(name string) []string {
				operator := []string{"--publish"}
				if o.Modes == adjudicator.ModeOptimistic { // an attestor, but of another World: this one is not even asked
					operator = append(operator, "--attest", "world=0x00000000000000000000000000000000000000aa")
				}
				return map[string][]string{"operator": operator, "alice": {"--verifier"}}[name]
			}
			d := world(t, o)
			sum, err := story.Tell(within(t, 2*time.Minute), d, story.Options{})
			require.NoError(t, err)
			require.True(t, sum.OK)
			require.NotEmpty(t, sum.Records)
			log, err := os.ReadFile(d.Sidecars[0].LogFile)
			require.NoError(t, err)
			require.Equal(t, o.Modes == adjudicator.ModeExecuted, strings.Contains(string(log), "takes no attestations for this module"),
				"whoever attests for a World tries that first, and publishes when it is refused")
			for _, tx := range sum.Transactions {
				t.Logf("%s: %d gas", tx.Kind, tx.GasUsed)
			}
		})
	}
}

// The demo of the fraud, with its own checks.
func TestA11_AForgedRaidThatEverybodySignedLosesInOneTransaction(t *testing.T) {
	d := world(t, devnet.Options{
		ChainOnly: true, Modes: adjudicator.ModeOptimistic, Window: time.Minute, BlockTime: time.Second,
		Args: func(name string) []string { return map[string][]string{"bob": {"--verifier"}}[name] },
	})
	for name, guard := range map[string]*devnet.Sidecar{"a verifier": nil, "the sidecar of one of them": d.Sidecars[2]} {
		t.Run(name, func(t *testing.T) { forged(t, d, guard) })
	}
}

func forged(t *testing.T, d *devnet.Devnet, guard *devnet.Sidecar) {
	sum, err := story.TellFraud(within(t, 2*time.Minute), d, story.Options{Guard: guard})
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.Equal(t, sum.Forged.Leaf, sum.Proof.Leaf)
	t.Logf("leaf %d of %d: %d gas, %.1f s after the publication", sum.Proof.Leaf, sum.Events, sum.Proof.GasUsed, sum.Proof.Seconds)
}
