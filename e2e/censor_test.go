//go:build opstack

package e2e

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/opdevnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// censored is a devnet whose sidecars reach the chain through somebody who can drop what they send. Alice may force her transactions after
// five seconds, Bob forces all of his.
func censored(t *testing.T) (*devnet.Devnet, *opdevnet.Censor) {
	t.Helper()
	var censor *opdevnet.Censor
	d := world(t, devnet.Options{Attach: func(name string, c *devnet.Chain) (at devnet.Attachment, err error) {
		if censor == nil {
			if censor, err = opdevnet.NewCensor(c.Node.URL()); err != nil {
				return at, err
			}
			t.Cleanup(func() { _ = censor.Close() })
		}
		at = devnet.Attachment{L2EthRPC: censor.WebSocketURL(), Args: []string{"--conclude-turn", "1s"}}
		l1 := c.OpStack.L1.URL()
		switch name {
		case "alice":
			at.L2EthRPC = censor.URL()
			at.Args = append(at.Args, "--l1-eth-rpc", l1, "--rollup-rpc", c.OpStack.NodeURL(), "--force-after", "5s")
		case "bob":
			at.Args = append(at.Args, "--l1-eth-rpc", l1, "--l1-portal", c.OpStack.Rollup.DepositContractAddress.Hex(), "--force-through-l1",
				"--conclude-turn", "10m") // so that it falls to Alice
		}
		return at, nil
	}})
	return d, censor
}

func l1Eth(d *devnet.Devnet) *ethclient.Client {
	return ethclient.NewClient(d.Chain.OpStack.L1.Client())
}

func read(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

// forcedTx waits until a sidecar has sent a transaction of a kind, and gives what became of it on both chains.
func forcedTx(ctx context.Context, t *testing.T, d *devnet.Devnet, i int, id common.Hash, kind string) (info sidecar.TxInfo, receipt, l1 *types.Receipt) {
	t.Helper()
	require.NoError(t, await(ctx, d.Sidecars[i], id, func(c *sidecar.ChannelInfo) bool {
		for _, tx := range c.Transactions {
			if tx.Kind == kind {
				info = tx
				return true
			}
		}
		return false
	}))
	require.NotNil(t, info.L1TxHash, "%s was not forced", kind)
	receipt, err := d.Chain.Eth.TransactionReceipt(ctx, info.TxHash)
	require.NoError(t, err)
	require.EqualValues(t, types.DepositTxType, receipt.Type)
	require.Equal(t, types.ReceiptStatusSuccessful, receipt.Status)
	l1, err = l1Eth(d).TransactionReceipt(ctx, *info.L1TxHash)
	require.NoError(t, err)
	on, err := l1Eth(d).HeaderByNumber(ctx, l1.BlockNumber)
	require.NoError(t, err)
	in, err := d.Chain.Eth.HeaderByNumber(ctx, receipt.BlockNumber)
	require.NoError(t, err)
	t.Logf("%s of %s: %d gas on the L2, %d on L1; in an L2 block %d s after that of L1", kind, d.Sidecars[i].Name, receipt.GasUsed, l1.GasUsed, in.Time-on.Time)
	return info, receipt, l1
}

// The sequencer drops all that Alice sends, and at the end what everybody sends: her stake gets in through L1, the raid is played, and
// she ends the channel through L1. Everybody is paid.
func TestA26_ACensoredPlayerStakesAndConcludesThroughL1(t *testing.T) {
	d, censor := censored(t)
	ctx := within(t, 2*time.Minute)
	operator, alice := d.Sidecars[0], d.Sidecars[1]
	censor.Set(alice.Owner(), opdevnet.Swallow)
	began := time.Now()
	id := openRaid(ctx, t, d)
	t.Logf("open %s after the proposal", time.Since(began).Round(time.Second))
	require.NotEmpty(t, censor.Dropped(alice.Owner()))
	stake, _, _ := forcedTx(ctx, t, d, 1, id, "deposit")
	forcedTx(ctx, t, d, 2, id, "deposit")
	// What was dropped can never be mined: the deposit has its nonce.
	dropped := censor.Dropped(alice.Owner())[0]
	require.NotEqual(t, dropped.Hash(), stake.TxHash)
	require.ErrorContains(t, d.Chain.Eth.SendTransaction(ctx, dropped), "nonce too low")

	// The one who would conclude is refused too.
	for _, s := range []*devnet.Sidecar{operator, alice} {
		censor.Set(s.Owner(), opdevnet.Refuse)
	}
	played := make(chan error, len(d.Sidecars))
	for i := range d.Sidecars {
		go func() { played <- d.Player(i).Play(ctx, id) }()
	}
	for range d.Sidecars {
		require.NoError(t, <-played)
	}
	began = time.Now()
	forcedTx(ctx, t, d, 1, id, "conclude")
	t.Logf("concluded %s after the end of the raid", time.Since(began).Round(time.Second))
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, hasStatus("final")))
	}
	reader := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts)
	held, err := reader.Held(ctx, id, common.Address{})
	require.NoError(t, err)
	require.True(t, held.IsZero(), "everybody is paid")

	log, err := os.ReadFile(alice.LogFile)
	require.NoError(t, err)
	require.Contains(t, string(log), "The sequencer builds blocks without our transactions")
	metrics := read(ctx, t, alice.MetricsURL())
	require.Contains(t, metrics, `op_channels_chain_forced_total{result="success"} 2`)
	require.Contains(t, metrics, "op_channels_chain_censored 1")
	// The operator is let in again, and serves the World.
	for _, s := range []*devnet.Sidecar{operator, alice} {
		censor.Set(s.Owner(), opdevnet.Pass)
	}
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, hasStatus("settled")))
	}
}

// A stranger's verifier, which the sequencer refuses, disproves a forged journal through L1 before its window ends.
func TestA26_ACensoredVerifierDisprovesThroughL1(t *testing.T) {
	var censor *opdevnet.Censor
	d := world(t, devnet.Options{
		ChainOnly: true, Modes: adjudicator.ModeOptimistic, Window: time.Minute, BlockTime: time.Second,
		Attach: func(name string, c *devnet.Chain) (at devnet.Attachment, err error) {
			if name != "verifier" {
				return at, nil
			}
			if censor, err = opdevnet.NewCensor(c.Node.URL()); err != nil {
				return at, err
			}
			t.Cleanup(func() { _ = censor.Close() })
			keys := anvil.Keys()
			censor.Set(crypto.PubkeyToAddress(keys[len(keys)-2].PublicKey), opdevnet.Refuse)
			return devnet.Attachment{L2EthRPC: censor.WebSocketURL(), Args: []string{
				"--l1-eth-rpc", c.OpStack.L1.URL(), "--rollup-rpc", c.OpStack.NodeURL(), "--force-after", "5s",
			}}, nil
		},
	})
	ctx := within(t, 2*time.Minute)
	sum, err := story.TellFraud(ctx, d, story.Options{})
	require.NoError(t, err)
	require.True(t, sum.OK)
	receipt, err := d.Chain.Eth.TransactionReceipt(ctx, sum.Proof.TxHash)
	require.NoError(t, err)
	require.EqualValues(t, types.DepositTxType, receipt.Type)
	require.NotEmpty(t, censor.Dropped(sum.Proof.By))
	log, err := os.ReadFile(filepath.Join(d.Options.Dir, "logs", "verifier.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "The sequencer builds blocks without our transactions")
	l1gas := regexp.MustCompile(`l1gas=([0-9,]+)`).FindStringSubmatch(string(log))
	require.NotNil(t, l1gas)
	t.Logf("disproved %.1f s after the publication: %d gas on the L2, %s on L1, %d bytes", sum.Proof.Seconds, sum.Proof.GasUsed, l1gas[1], sum.Proof.Calldata)
}
