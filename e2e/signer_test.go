package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/signer/signertest"
	"github.com/stretchr/testify/require"
)

// The raid with an operator on whose disk lies no key but the session's: its owner joins and pays, and the attestor signs, by remote
// signers. The attestor's dies in the middle of its first answer. The loot is in the World all the same.
func TestU1_RaidWhoseOperatorHoldsNoKeys(t *testing.T) {
	servers := make(map[common.Address]*signertest.Server)
	d := world(t, devnet.Options{Signer: func(key *ecdsa.PrivateKey) (string, error) {
		s := signertest.New(key, "eth_signTypedData", "eth_signTransaction").Start()
		t.Cleanup(s.Close)
		servers[s.Address()] = s
		return s.URL(), nil
	}})
	operator := d.Sidecars[0]
	owner, attestor := servers[operator.Owner()], servers[operator.Attestor()]
	attestor.Misbehave(func(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
		if len(attestor.Calls()) > 1 {
			return false
		}
		panic(http.ErrAbortHandler)
	})
	require.Empty(t, operator.Env())

	sum, err := story.Tell(within(t, 2*time.Minute), d, story.Options{})
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.NotEmpty(t, sum.Records)
	attestations := attestor.Calls()
	require.Len(t, attestations, 2, "asked again")
	for _, c := range attestations {
		require.Equal(t, "Attestation", c.Data.PrimaryType)
		require.Equal(t, sum.ChannelID.Hex(), c.Data.Message["channelId"])
		require.Equal(t, sum.JournalRoot.Hex(), c.Data.Message["journalRoot"])
		require.Equal(t, d.Chain.Contracts.Adjudicator.Hex(), c.Data.Domain.VerifyingContract)
	}
	sent := 0
	for _, c := range owner.Calls() {
		if c.Transaction != nil {
			sent++
			continue
		}
		require.Equal(t, "Join", c.Data.PrimaryType)
		require.Equal(t, operator.Session().Hex(), c.Data.Message["signer"])
	}
	require.Positive(t, sent)
	for _, tx := range sum.Transactions {
		t.Logf("%s by %s in block %d", tx.Kind, tx.By, tx.Block)
	}
}

// attestations reads from a running sidecar how many it made, and how long one took.
func attestations(ctx context.Context, t *testing.T, s *devnet.Sidecar) (count int, mean time.Duration) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.MetricsURL(), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	var sum float64
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "op_channels_attestation_seconds_sum":
			sum = v
		case "op_channels_attestation_seconds_count":
			count = int(v)
		}
	}
	if count > 0 {
		mean = time.Duration(sum / float64(count) * float64(time.Second))
	}
	return count, mean
}

// The time of an attestation and the blocks until the loot is there, with keys here and elsewhere. What is asserted is the order; the
// figures are for docs/operators.md.
func TestU1_LootLandsWhenTheAttestorHasSigned(t *testing.T) {
	for name, elsewhere := range map[string]bool{"keys here": false, "keys elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			o := devnet.Options{BlockTime: time.Second}
			if elsewhere {
				o.Signer = func(key *ecdsa.PrivateKey) (string, error) {
					s := signertest.New(key, "account_signTypedData", "eth_signTransaction").Start()
					t.Cleanup(s.Close)
					return s.URL(), nil
				}
			}
			d := world(t, o)
			ctx := within(t, 2*time.Minute)
			const raids = 3
			blocks := make([]uint64, 0, raids)
			for range raids {
				id := playedRaid(ctx, t, d)
				require.NoError(t, await(ctx, d.Sidecars[0], id, hasStatus("settled")))
				concluded, settled := factBlocks(ctx, t, d.Sidecars[0], id)
				require.Less(t, concluded, settled, "the channel is final before its effects are written")
				blocks = append(blocks, settled-concluded)
			}
			count, mean := attestations(ctx, t, d.Sidecars[0])
			require.Equal(t, raids, count)
			t.Logf("replay and signature: %v; blocks from the conclusion to the loot: %v", mean, blocks)
		})
	}
}

// playedRaid is a raid that everybody plays to its end.
func playedRaid(ctx context.Context, t *testing.T, d *devnet.Devnet) common.Hash {
	t.Helper()
	id := openRaid(ctx, t, d)
	errs := make([]error, len(d.Sidecars))
	var all sync.WaitGroup
	for i := range d.Sidecars {
		all.Go(func() { errs[i] = d.Player(i).Play(ctx, id) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	return id
}

func factBlocks(ctx context.Context, t *testing.T, s *devnet.Sidecar, id common.Hash) (concluded, settled uint64) {
	t.Helper()
	var info sidecar.ChannelInfo
	require.NoError(t, dial(ctx, t, s).CallContext(ctx, &info, "channels_get", id))
	for _, f := range info.Facts {
		switch f.Kind {
		case sidecar.FactConcluded:
			concluded = f.Block
		case sidecar.FactSettled:
			settled = f.Block
		}
	}
	return concluded, settled
}
