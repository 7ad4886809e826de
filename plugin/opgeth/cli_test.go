package opgeth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/stretchr/testify/require"
)

// TestOptionsAreThoseOfOpChannels: every option of `op-channels run` has a flag, but those that the node has itself.
func TestOptionsAreThoseOfOpChannels(t *testing.T) {
	have := make(map[string]bool)
	for _, f := range Flags() {
		require.False(t, have[f.Names()[0]], "twice: %s", f.Names()[0])
		have[f.Names()[0]] = true
	}
	for _, f := range flags.Run() {
		name := f.Names()[0]
		require.Equal(t, !strings.HasPrefix(name, "log.") && !strings.HasPrefix(name, "pprof."), have[Prefix+name], name)
	}
}

func TestOptionsOfAllSources(t *testing.T) {
	h := newHost(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "op-channels.toml")
	// The same file as `op-channels run` takes, with options that have no meaning here.
	require.NoError(t, os.WriteFile(file, []byte("funds-interval = \"7s\"\nturn-unused = 1\n"), 0o600))
	args := h.options(adjudicator.Contracts{Adjudicator: [20]byte{1}}, "--channels.config", file)
	_, err := parse(t, args...).Sidecar()
	require.ErrorContains(t, err, `no option "turn-unused"`)
	require.NoError(t, os.WriteFile(file, []byte("funds-interval = \"7s\"\nstart-block = 5\n[log]\nlevel = \"debug\"\n[p2p]\naccept-unknown = true\n"), 0o600))
	t.Setenv("OP_CHANNELS_CONCLUDE_TURN", "9s")
	cfg, err := parse(t, append(args, "--channels.l2-verify-receipts=false", "--channels.start-block", "6",
		"--channels.policy.max-stake", "0x0000000000000000000000000000000000000001=1", "--channels.policy.max-stake", "0x0000000000000000000000000000000000000002=2")...).Sidecar()
	require.NoError(t, err)
	require.EqualValues(t, 7e9, cfg.FundsInterval, "file")
	require.EqualValues(t, 9e9, cfg.Turn, "environment")
	require.EqualValues(t, 6, cfg.StartBlock, "the command line wins")
	require.False(t, cfg.VerifyReceipts)
	require.True(t, cfg.P2PAcceptUnknown)
	require.Len(t, cfg.Policy.MaxStake, 2)
	require.Empty(t, cfg.L2EthRPC, "no other node is asked unless one is named")
	require.Empty(t, cfg.DataDir, "the node's folder")
	require.Equal(t, "test", cfg.Version)

	named, err := parse(t, append(args, "--channels.l2-eth-rpc", "http://a,http://b", "--channels.data-dir", "/d")...).Sidecar()
	require.NoError(t, err)
	require.Equal(t, "http://a,http://b", named.L2EthRPC)
	require.Equal(t, "/d", named.DataDir)
}

// TestMissingOptionsSayWhereTheyGo: the sidecar speaks of its options without the prefix.
func TestMissingOptionsSayWhereTheyGo(t *testing.T) {
	_, err := parse(t, "--channels", "--channels.chain-id", "901").Sidecar()
	require.ErrorContains(t, err, "--adjudicator is missing")
	require.ErrorContains(t, err, `here with "channels." before their names`)
	_, err = parse(t, "--channels", "--channels.chain-id", "many").Sidecar()
	require.ErrorContains(t, err, "chain-id")
}
