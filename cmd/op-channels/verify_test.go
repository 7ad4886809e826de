package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/mudbridge/worlddeploy"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// op runs op-channels and gives what it prints and its exit code.
func op(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	var w, e bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &w, &e
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err = app.RunContext(ctx, append([]string{"op-channels"}, args...)); err != nil {
		code = exitCode(err)
	}
	return w.String(), code, err
}

// forgedOnChain is a chain on which a journal is published whose last leaf gives a million that nobody earned.
func forgedOnChain(t *testing.T) (url string, c adjudicator.Contracts) {
	t.Helper()
	ctx := t.Context()
	n, err := anvil.Start(context.Background(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	eth, key := ethclient.NewClient(n.Client()), anvil.Keys()[0]
	send := func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return n.Send(ctx, key, &c.To, c.Value, c.Data)
	}
	must := func(call adjudicator.Call, err error) {
		t.Helper()
		require.NoError(t, err)
		r, err := send(ctx, call)
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Status)
	}
	c, _, err = adjudicator.Deploy(ctx, eth, send, 1, common.Hash{})
	require.NoError(t, err)
	w, err := worlddeploy.Run(ctx, worlddeploy.Config{Script: filepath.Join("..", "..", "examples", "raid", "world", "deploy.mjs"), RPC: n.URL(), Key: key})
	require.NoError(t, err)
	engine, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	m, err := engine.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	_, _, err = adjudicator.Register(ctx, eth, send, c.Registry, m.Program().Encode(), m.Manifest())
	require.NoError(t, err)
	must(adjudicator.SetPolicy(c.Policies, w.World, w.NamespaceID.Hash(), m.Hash(), common.Hash{}, adjudicator.Policy{
		Modes: adjudicator.ModeOptimistic, Window: 600, Bond: *uint256.NewInt(1e18), MaxJournalBytes: 1 << 20,
	}))

	genesis := slices.Concat(common.LeftPadBytes(c.Settlement[:], 32), common.LeftPadBytes(w.World[:], 32), w.NamespaceID.Hash().Bytes(), make([]byte, 64))
	p := &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: c.Adjudicator, Window: 60, ForceQuota: 4, ModuleHash: m.Hash(),
		GenesisHash: channel.GenesisHash(genesis), FundingHash: channel.Funding{}.Hash(), FundingDeadline: 1 << 40,
	}
	signers := anvil.Keys()[3:5]
	for _, k := range signers {
		a := crypto.PubkeyToAddress(k.PublicKey)
		p.Participants = append(p.Participants, channel.Participant{Signer: a, Owner: a})
	}
	rules, err := channel.NewRules(p, channel.Funding{}, m)
	require.NoError(t, err)
	first, v := rules.Genesis(genesis)
	require.Equal(t, channel.Accepted, v.Status)
	e := channel.Event{ChannelID: rules.ID(), Nonce: 1, Payload: counter.PayloadEnd}
	last, v := rules.Apply(first, 1, &e)
	require.Equal(t, channel.Accepted, v.Status)
	last.App[2] = 0x0f
	j := &proof.Journal{Genesis: genesis, Leaves: []proof.Leaf{
		{StateHash: first.Hash()}, {Entry: channel.Entry{Event: &channel.SignedEvent{Event: e}}, StateHash: last.Hash()},
	}}
	root, err := j.Tree(p).RootAt(2)
	require.NoError(t, err)
	u := channel.Update{ChannelID: rules.ID(), Seq: 1, JournalRoot: root, StateHash: last.Hash()}
	var signatures []channel.Signature
	for _, k := range signers {
		s, err := channel.Sign(p.Domain().Digest(u), k)
		require.NoError(t, err)
		signatures = append(signatures, s)
	}
	must(adjudicator.Conclude(p, channel.Funding{}, u, signatures, nil, last))
	calls, err := adjudicator.PublishAll(c.Publications, p, channel.Funding{}, j, proof.Budget{Bytes: 50_000}, *uint256.NewInt(1e18))
	require.NoError(t, err)
	for _, call := range calls {
		must(call, nil)
	}
	return n.URL(), c
}

// TestA11_VerifyCommand runs op-channels verify against a forged journal on a real chain: what it prints, what it exits with.
func TestA11_VerifyCommand(t *testing.T) {
	url, c := forgedOnChain(t)
	base := []string{"verify", "--l2-rpc", url, "--once", "--poll-interval", "20ms", "--log.level", "crit", "--txmgr.receipt-query-interval", "20ms"}
	key := hexutil.Encode(crypto.FromECDSA(anvil.Keys()[6]))

	out, code, err := op(t, append(base, "--settlement", c.Settlement.Hex(), "--dry-run")...)
	require.Equal(t, exitFraud, code, "%v", err)
	for _, want := range []string{"FRAUD: leaf 1, event 1 of participant 0 is wrong", "terminal         false -> true", "provable: the proof would use", "1 wrong (0 disproved)"} {
		require.Contains(t, out, want)
	}
	_, code, err = op(t, append(base, "--settlement", c.Settlement.Hex())...)
	require.Equal(t, 1, code)
	require.ErrorContains(t, err, "--dry-run")

	out, code, err = op(t, append(base, "--publications", c.Publications.Hex(), "--private-key", key, "--json")...)
	require.Equal(t, exitFraud, code, "%v", err)
	require.Contains(t, out, `"kind":"disproved"`)
	require.Contains(t, out, `"disproved":1`)

	file := filepath.Join(t.TempDir(), "devnet.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"rpc": "x", "settlement": "`+c.Settlement.Hex()+`"}`), 0o600))
	out, code, err = op(t, append(base, "--deployment", file, "--dry-run")...)
	require.Zero(t, code, "%v", err)
	require.Contains(t, out, "1 over before")
}

func TestVerifyCommandSaysWhatItNeeds(t *testing.T) {
	n, err := anvil.Start(context.Background(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.json"), []byte(`{}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "none.json"), []byte(`nothing`), 0o600))
	for want, args := range map[string][]string{
		"say which contracts are meant": {},
		"is no address":                 {"--settlement", "0x12"},
		"--world \"x\" is no address":   {"--settlement", common.Address{1}.Hex(), "--world", "x"},
		"there is no contract at":       {"--settlement", common.Address{1}.Hex()},
		"of publications":               {"--publications", common.Address{1}.Hex()},
		"names no settlement":           {"--deployment", filepath.Join(dir, "empty.json")},
		"none.json: invalid":            {"--deployment", filepath.Join(dir, "none.json")},
		"read the deployment":           {"--deployment", filepath.Join(dir, "missing.json")},
		"takes no argument":             {"now"},
		"another chain":                 {"--chain-id", "5", "--settlement", common.Address{1}.Hex()},
	} {
		_, code, err := op(t, append([]string{"verify", "--l2-rpc", n.URL(), "--dry-run", "--log.level", "crit"}, args...)...)
		require.Equal(t, 1, code)
		require.ErrorContains(t, err, want)
	}
}

// TestVerifyPrintsEveryReport: a line with the channel for each, and nothing that a terminal would obey.
func TestVerifyPrintsEveryReport(t *testing.T) {
	by, tx, reward := common.Address{7}, common.Hash{8}, *uint256.NewInt(5)
	fault := &verifier.Fault{What: "leaf 3", Why: "so", Text: "leaf 3 is wrong: so.\nBy the rules it changes:\n  terminal false -> true\n"}
	for kind, want := range map[string]string{
		verifier.ReportSeen: "published for World", verifier.ReportProgress: "derived 2 of 9", verifier.ReportRight: "right: all 9",
		verifier.ReportWrong: "FRAUD: leaf 3 is wrong: so", verifier.ReportProof: "77 gas", verifier.ReportSending: "sending",
		verifier.ReportDisproved: "reward 5 wei", verifier.ReportVetoed: "vetoed", verifier.ReportSettled: "SETTLED", verifier.ReportStuck: "CANNOT BE CHECKED",
		verifier.ReportFailed: "did not get through", verifier.ReportGone: "reorganised", "new": "new",
	} {
		var b strings.Builder
		printReport(&b, verifier.Report{
			Kind: kind, ChannelID: common.Hash{0xab}, Leaves: 2, Total: 9, Fault: fault, By: &by, TxHash: &tx, Gas: 77, Reward: &reward, Error: "bad\x1b[2J\nnews",
		}, time.Unix(0, 0))
		require.Contains(t, b.String(), want)
		require.NotContains(t, b.String(), "\x1b")
		for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
			require.Contains(t, line, "ab0000")
		}
	}
}

func TestVerifyExitCodes(t *testing.T) {
	for _, c := range []struct {
		sum  verifier.Summary
		code int
	}{
		{verifier.Summary{}, 0}, {verifier.Summary{Seen: 2, Right: 2}, 0}, {verifier.Summary{Seen: 1, Closed: 1}, 0},
		{verifier.Summary{Seen: 1, Wrong: 1, Disproved: 1}, exitFraud}, {verifier.Summary{Seen: 1, Wrong: 1, Unproven: 1, Provable: 1}, exitFraud},
		{verifier.Summary{Seen: 1, Wrong: 1, Unproven: 1}, exitUnproven}, {verifier.Summary{Seen: 2, Right: 1, Stuck: 1}, exitUnproven},
	} {
		app := cli.NewApp()
		app.Writer = &bytes.Buffer{}
		var got error
		app.Action = func(ctx *cli.Context) error { got = verdict(ctx, c.sum); return nil }
		require.NoError(t, app.Run([]string{"x"}))
		if c.code == 0 {
			require.NoError(t, got)
			continue
		}
		var coder cli.ExitCoder
		require.True(t, errors.As(got, &coder))
		require.Equal(t, c.code, coder.ExitCode())
	}
}
