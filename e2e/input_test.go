package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// Bad events over RPC: each has its code, none enters the journal, and the raid goes on to its end.
func TestA1_BadEventsAreRefusedAndTheRaidGoesOn(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	id := openRaid(ctx, t, d)
	alice := dial(ctx, t, d.Sidecars[1])
	unknown := common.HexToHash("0xdead")
	for name, test := range map[string]struct {
		method string
		args   []any
		code   channel.Code
	}{
		"bytes that are no MessagePack":   {"submit", []any{id, hexutil.Bytes{0xc1}}, channel.CodeRejected},
		"an empty payload":                {"submit", []any{id, hexutil.Bytes{}}, channel.CodeRejected},
		"a verb that the module lacks":    {"submit", []any{id, hexutil.Bytes("\x81\xa2do\xa5dance")}, channel.CodeRejected},
		"a move in another phase":         {"submit", []any{id, hexutil.Bytes(raid.Attack())}, channel.CodeRejected},
		"a payload above 4 KiB":           {"submit", []any{id, hexutil.Bytes(make([]byte, channel.MaxPayload+1))}, channel.CodeTooLarge},
		"a submit to an unknown channel":  {"submit", []any{unknown, hexutil.Bytes(raid.Attack())}, channel.CodeUnknownChannel},
		"closing an unknown channel":      {"close", []any{unknown}, channel.CodeUnknownChannel},
		"approving an unknown channel":    {"approve", []any{unknown}, channel.CodeUnknownChannel},
		"the state of an unknown channel": {"state", []any{unknown, nil}, channel.CodeUnknownChannel},
		"a state in the future":           {"state", []any{id, 1_000_000}, channel.CodeGap},
		"entries of an unknown channel":   {"entries", []any{unknown, 1, 10}, channel.CodeUnknownChannel},
		"verifying an unknown channel":    {"verify", []any{unknown}, channel.CodeUnknownChannel},
		"an address without a peer id":    {"addPeer", []any{"/ip4/127.0.0.1/tcp/1"}, channel.CodeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			requireCode(ctx, t, alice, test.code, test.method, test.args...)
		})
	}
	t.Run("arguments that are no JSON of the method", func(t *testing.T) {
		for _, args := range [][]any{{"0x12"}, {id, "no hex"}, {id}, {}} {
			err := alice.CallContext(ctx, nil, "channels_submit", args...)
			var coded rpc.Error
			require.ErrorAs(t, err, &coded)
			require.Equal(t, -32602, coded.ErrorCode())
		}
	})
	var info sidecar.ChannelInfo
	require.NoError(t, alice.CallContext(ctx, &info, "channels_get", id))
	require.Zero(t, info.HeadSeq, "nothing of it was stored")

	playAll(ctx, t, d, id)
	requireCode(ctx, t, alice, channel.CodePhase, "submit", id, hexutil.Bytes(raid.Attack()))
}

func requireCode(ctx context.Context, t *testing.T, c *rpc.Client, want channel.Code, method string, args ...any) {
	t.Helper()
	err := c.CallContext(ctx, nil, "channels_"+method, args...)
	require.Error(t, err)
	require.Equal(t, want, sidecar.ErrorCode(err), "%v", err)
	var coded rpc.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, -38000, coded.ErrorCode())
}

// playAll plays a raid to its end and waits until the chain has it.
func playAll(ctx context.Context, t *testing.T, d *devnet.Devnet, id common.Hash) {
	t.Helper()
	errs := make(chan error, len(d.Sidecars))
	for i := range d.Sidecars {
		go func() { errs <- d.Player(i).Play(ctx, id) }()
	}
	for range d.Sidecars {
		require.NoError(t, <-errs)
	}
	require.NoError(t, await(ctx, d.Sidecars[0], id, hasStatus("settled")))
}

// Bad proposals: refused by the proposer's own node where it can know, otherwise by the other's, with its code.
func TestA1_BadProposalsAreRefused(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	operator := dial(ctx, t, d.Sidecars[0])
	good := func() sidecar.OpenArgs {
		req, err := d.RaidRequest(ctx)
		require.NoError(t, err)
		return req
	}
	count := func() int {
		var list []sidecar.ChannelInfo
		require.NoError(t, operator.CallContext(ctx, &list, "channels_list"))
		return len(list)
	}
	before := count()
	for name, test := range map[string]struct {
		spoil func(*sidecar.OpenArgs)
		code  channel.Code
	}{
		"a module that nobody has":         {func(r *sidecar.OpenArgs) { r.ModuleHash[0] ^= 1 }, channel.CodeUnknownModule},
		"a force quota below the module's": {func(r *sidecar.OpenArgs) { r.ForceQuota = raid.MaxEvents - 1 }, channel.CodePolicy},
		"a stake above our limit": {func(r *sidecar.OpenArgs) {
			r.Funding[0].Amounts[0] = *uint256.MustFromDecimal("10000000000000000001")
		}, channel.CodePolicy},
		"another owner for us":              {func(r *sidecar.OpenArgs) { r.Participants[0].Owner = r.Participants[1].Owner }, channel.CodePolicy},
		"a channel without us":              {func(r *sidecar.OpenArgs) { r.Participants[0].Signer = common.Address{1} }, channel.CodeNotParticipant},
		"one session key twice":             {func(r *sidecar.OpenArgs) { r.Participants[1].Signer = r.Participants[0].Signer }, channel.CodeParams},
		"one participant":                   {func(r *sidecar.OpenArgs) { r.Participants = r.Participants[:1] }, channel.CodeParams},
		"a sequencer that does not exist":   {func(r *sidecar.OpenArgs) { r.Sequencer = 3 }, channel.CodeParams},
		"amounts for fewer participants":    {func(r *sidecar.OpenArgs) { r.Funding[0].Amounts = r.Funding[0].Amounts[:2] }, channel.CodeParams},
		"a funding deadline in the past":    {func(r *sidecar.OpenArgs) { r.FundingDeadline = 1 }, channel.CodeParams},
		"a funding deadline next month":     {func(r *sidecar.OpenArgs) { r.FundingDeadline += 30 * 24 * 3600 }, channel.CodeParams},
		"a genesis that the module refuses": {func(r *sidecar.OpenArgs) { r.GenesisHex = r.GenesisHex[:len(r.GenesisHex)-1] }, channel.CodeRejected},
		"no genesis":                        {func(r *sidecar.OpenArgs) { r.GenesisHex = nil }, channel.CodeRejected},
	} {
		t.Run(name, func(t *testing.T) {
			req := good()
			test.spoil(&req)
			requireCode(ctx, t, operator, test.code, "open", req)
		})
	}
	require.Equal(t, before, count(), "nothing of it was stored")

	t.Run("a module that the others do not have", func(t *testing.T) {
		req := good()
		var modules []sidecar.ModuleInfo
		require.NoError(t, operator.CallContext(ctx, &modules, "channels_modules"))
		i := slices.IndexFunc(modules, func(m sidecar.ModuleInfo) bool { return m.Name == "counter.wasm" })
		require.GreaterOrEqual(t, i, 0, "the operator has the counter")
		req.ModuleHash = modules[i].Hash
		requireCode(ctx, t, operator, channel.CodeUnknownModule, "open", req)
		var list []sidecar.ChannelInfo
		require.NoError(t, dial(ctx, t, d.Sidecars[1]).CallContext(ctx, &list, "channels_list"))
		for _, info := range list {
			require.NotEqual(t, req.ModuleHash, info.Params.ModuleHash, "the other stores nothing of it")
		}
	})
	playAll(ctx, t, d, openRaid(ctx, t, d))
}

// startRefused runs a sidecar that must not start, and gives what it says.
func startRefused(t *testing.T, s *devnet.Sidecar, change func(args []string) []string) string {
	t.Helper()
	ctx := within(t, 30*time.Second)
	cmd := exec.CommandContext(ctx, network(t).Options.Binary, change(s.Args())...)
	cmd.Env = append(cmd.Environ(), s.Env()...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "it did start: %s", out.String())
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode(), out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1]
}

// with replaces the value of an option.
func with(option, value string) func([]string) []string {
	return func(args []string) []string {
		for i := range args {
			if args[i] == option && i+1 < len(args) {
				args[i+1] = value
				return args
			}
		}
		return append(args, option, value)
	}
}

func TestA1_SidecarRefusesToStart(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	bob := d.Sidecars[2]
	elsewhere := func(t *testing.T, more ...func([]string) []string) func([]string) []string {
		return func(args []string) []string {
			for _, change := range append(more, with("--data-dir", t.TempDir()), with("--rpc.port", "0"), with("--metrics.port", "0"),
				with("--p2p.listen", "/ip4/127.0.0.1/tcp/0")) {
				args = change(args)
			}
			return args
		}
	}
	t.Run("on another chain", func(t *testing.T) {
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--chain-id", "5"))), "another chain")
	})
	t.Run("without its contracts", func(t *testing.T) {
		nothing := "0x00000000000000000000000000000000000000aa"
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--settlement", nothing))), "no contract at")
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--adjudicator", nothing))), "serves the adjudicator")
	})
	t.Run("without its node", func(t *testing.T) {
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--l2-eth-rpc", "ws://127.0.0.1:1"))), "does not answer")
	})
	t.Run("twice on one data folder", func(t *testing.T) {
		same := elsewhere(t)
		said := startRefused(t, bob, func(args []string) []string { return with("--data-dir", bob.DataDir)(same(args)) })
		require.Contains(t, said, "in use by another process")
	})
	t.Run("without a session key", func(t *testing.T) {
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--session-key", filepath.Join(t.TempDir(), "none")))), "--session-key")
	})
	t.Run("reachable from elsewhere without a secret", func(t *testing.T) {
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--rpc.addr", "0.0.0.0"))), "--rpc.jwt-secret")
	})
	t.Run("with a policy that does not parse", func(t *testing.T) {
		require.Contains(t, startRefused(t, bob, elsewhere(t, with("--policy.max-stake", "much"))), "--policy.max-stake")
	})
	var info sidecar.NodeInfo
	require.NoError(t, dial(ctx, t, bob).CallContext(ctx, &info, "channels_nodeInfo"))
	require.Equal(t, bob.Session(), info.Session, "the one that ran before still runs")
}
