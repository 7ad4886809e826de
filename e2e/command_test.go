package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// command is a running op-channels, as a user starts it in the repository.
type command struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	output []string
	exited chan struct{}
	err    error
}

func start(t *testing.T, args ...string) *command {
	t.Helper()
	d := network(t)
	cmd := exec.Command(d.Options.Binary, onChain(args)...)
	cmd.Dir = d.Options.Root
	return begin(t, cmd)
}

// onChain has demo and devnet run on the chain that the tests run on.
func onChain(args []string) []string {
	if onOpStack {
		return append(args, "--op-stack")
	}
	return args
}

func begin(t *testing.T, cmd *exec.Cmd) *command {
	t.Helper()
	c := &command{t: t, cmd: cmd, lines: make(chan string, 4096), exited: make(chan struct{})}
	out, in, err := os.Pipe()
	require.NoError(t, err)
	c.cmd.Stdout, c.cmd.Stderr = in, in
	require.NoError(t, c.cmd.Start())
	require.NoError(t, in.Close())
	go func() {
		defer close(c.lines)
		defer out.Close()
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			c.lines <- scan.Text()
		}
	}()
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // of a test that failed; otherwise it has ended
		<-c.exited
	})
	return c
}

// until reads the output up to a line that matches.
func (c *command) until(pattern string) {
	c.t.Helper()
	want, deadline := regexp.MustCompile(pattern), time.After(time.Minute)
	for {
		select {
		case line, ok := <-c.lines:
			require.True(c.t, ok, "it ended: %s", strings.Join(c.output, "\n"))
			c.output = append(c.output, line)
			if want.MatchString(line) {
				return
			}
		case <-deadline:
			require.Fail(c.t, "no such line", "%s in %s", pattern, strings.Join(c.output, "\n"))
		}
	}
}

// end sends a signal and gives the exit code and the rest of the output.
func (c *command) end(s os.Signal) (int, string) {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(s))
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		require.Fail(c.t, "it does not end")
	}
	var rest []string
	for line := range c.lines {
		rest = append(rest, line)
	}
	return c.cmd.ProcessState.ExitCode(), strings.Join(rest, "\n")
}

// requireGone waits until nobody listens where the devnet's processes did.
func requireGone(t *testing.T, f devnet.File) {
	t.Helper()
	addresses := []string{f.RPC}
	if f.OpStack != nil {
		addresses = append(addresses, f.OpStack.Node, f.OpStack.L1)
	}
	for _, s := range f.Sidecars {
		addresses = append(addresses, s.RPC, s.Metrics)
	}
	for _, a := range addresses {
		u, err := url.Parse(a)
		require.NoError(t, err)
		for deadline := time.Now().Add(10 * time.Second); ; {
			c, err := net.Dial("tcp", u.Host)
			if err != nil {
				break
			}
			require.NoError(t, c.Close())
			require.True(t, time.Now().Before(deadline), "%s still listens", a)
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// What `op-channels devnet` tells to type is typed here.
func TestU1_DevnetTellsCommandsThatWork(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	dir := filepath.Join(t.TempDir(), "devnet")
	c := start(t, "devnet", "--dir", dir, "--block-time", "0")
	c.until("^Interrupt to end it")
	f, err := devnet.ReadFile(dir)
	require.NoError(t, err)
	var told []string
	for _, line := range c.output {
		if cmd, ok := strings.CutPrefix(line, "   "); ok && strings.TrimSpace(cmd) != "" {
			told = append(told, cmd)
		}
	}
	find := func(words string) string {
		t.Helper()
		for _, cmd := range told {
			if strings.Contains(cmd, words) {
				return cmd
			}
		}
		require.Fail(t, "it does not tell", "%s in %v", words, told)
		return ""
	}
	export := find("export OP_CHANNELS_RPC")
	id := ""
	shell := func(words string) *exec.Cmd {
		script := export + "\n" + strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(find(words)), "&"), "CHANNEL", id)
		script = strings.ReplaceAll(script, "OP_"+id+"S_RPC", "OP_CHANNELS_RPC") // the variable's name has the word, too
		cmd := exec.CommandContext(ctx, "sh", "-ec", strings.Replace(script, "\n", "\nexec ", 1))
		cmd.Dir = c.cmd.Dir
		return cmd
	}
	run := func(words string) string {
		t.Helper()
		out, err := shell(words).CombinedOutput()
		require.NoError(t, err, "%s: %s", words, out)
		return strings.TrimSpace(string(out))
	}

	watch := begin(t, shell("channel watch"))
	id = run("channel open")
	require.Contains(t, run("channel list"), id)
	run("devnet play --dir " + dir + " CHANNEL")
	watch.until("settled")
	watch.end(os.Interrupt)

	run("devnet ticket")
	id = run("channel open")
	play := begin(t, shell("--by-hand alice"))
	require.NoError(t, await(ctx, sidecarOf(f, 1), common.HexToHash(id), func(i *sidecar.ChannelInfo) bool { return i.Supported != nil && i.Supported.Seq >= 4 }))
	require.Contains(t, run("channel event"), "final at seq 5")
	require.Contains(t, run("channel show"), "status      open")
	play.end(os.Interrupt)
	require.Contains(t, run("verify"), "0 publications", "the raid was attested")

	code, rest := c.end(os.Interrupt)
	require.Zero(t, code, rest)
	requireGone(t, f)
}

// sidecarOf reaches a sidecar that another program started.
func sidecarOf(f devnet.File, i int) *devnet.Sidecar {
	u, err := url.Parse(f.Sidecars[i].RPC)
	if err != nil {
		panic(err) // a file that devnet wrote
	}
	port := 0
	if err := json.Unmarshal([]byte(u.Port()), &port); err != nil {
		panic(err)
	}
	return &devnet.Sidecar{Name: f.Sidecars[i].Name, RPCPort: port}
}

func TestU1_DemoWritesItsSummary(t *testing.T) {
	d := network(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // the demo's own promise
	defer cancel()
	dir := filepath.Join(t.TempDir(), "demo")
	cmd := exec.CommandContext(ctx, d.Options.Binary, onChain([]string{"demo", "--dir", dir, "--json"})...)
	cmd.Dir = d.Options.Root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	written, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	require.NoError(t, err)
	require.JSONEq(t, string(written), string(out))
	var sum story.Summary
	require.NoError(t, json.Unmarshal(out, &sum))
	require.True(t, sum.OK)
	require.GreaterOrEqual(t, sum.Events, uint64(60))
	require.NotZero(t, sum.ChannelID)
	require.NotZero(t, sum.JournalRoot)
	require.Positive(t, sum.Latency.P99)
	t.Logf("%.1f s, p50 %.1f ms, p99 %.1f ms", sum.Seconds["total"], sum.Latency.P50, sum.Latency.P99)
	f, err := devnet.ReadFile(dir)
	require.NoError(t, err)
	requireGone(t, f)
}

// Ctrl-C in the middle of a raid, and the death of the demo itself: neither leaves a process behind.
func TestU1_DemoLeavesNothingRunning(t *testing.T) {
	for name, signal := range map[string]os.Signal{"interrupted": os.Interrupt, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "demo")
			c := start(t, "demo", "--dir", dir, "--block-time", "0", "--pace", "200ms")
			c.until("Round 1:")
			f, err := devnet.ReadFile(dir)
			require.NoError(t, err)
			code, rest := c.end(signal)
			require.NotZero(t, code)
			if signal == os.Interrupt {
				require.Equal(t, 1, code)
				require.Contains(t, rest, "interrupted")
				require.NotContains(t, rest, "did not end", "every sidecar heeds SIGTERM")
			}
			requireGone(t, f)
		})
	}
}

// A module is registered once; again is no error and costs nothing.
func TestC2_AModuleIsRegisteredOnce(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	dir := t.TempDir()
	require.NoError(t, writeCounter(dir))
	register := func() (out struct {
		ModuleHash   common.Hash
		Transactions []common.Hash
		GasUsed      uint64
	}) {
		cmd := exec.CommandContext(ctx, d.Options.Binary, "module", "register", "--json", "--l2-rpc", d.Chain.Node.URL(), "--deployment", d.Path(),
			"--txmgr.receipt-query-interval", "50ms", filepath.Join(dir, "counter.wasm"))
		cmd.Env = append(os.Environ(), "OP_CHANNELS_PRIVATE_KEY="+hexutil.Encode(crypto.FromECDSA(anvil.Keys()[8])))
		var problems bytes.Buffer
		cmd.Stderr = &problems
		b, err := cmd.Output()
		require.NoError(t, err, problems.String())
		require.NoError(t, json.Unmarshal(b, &out))
		return out
	}
	first := register()
	require.Len(t, first.Transactions, 3, "a piece, the program, its limits")
	require.Positive(t, first.GasUsed)
	registered, err := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts).IsRegistered(ctx, first.ModuleHash)
	require.NoError(t, err)
	require.True(t, registered)
	again := register()
	require.Equal(t, first.ModuleHash, again.ModuleHash)
	require.Empty(t, again.Transactions)
}

// A ticket bought by hand is one that the raid's genesis takes.
func TestU1_ATicketIsBoughtByHand(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	owners := make([]common.Address, len(d.Sidecars))
	for i, s := range d.Sidecars {
		owners[i] = s.Owner()
	}
	keys, err := raid.TicketKeys(raid.Namespace, raid.DefaultDungeon, owners, 0)
	require.NoError(t, err)
	request := map[string]any{
		"world": d.Chain.World.World, "namespaceId": d.Chain.World.NamespaceID.Hash(), "moduleHash": d.Module,
		"configHash": raid.DungeonConfigHash(raid.DefaultDungeon), "owners": owners,
	}
	var list []map[string]any
	for _, k := range keys {
		list = append(list, map[string]any{"resourceId": k.ResourceID, "key": k.Key})
	}
	request["keys"] = list
	b, err := json.Marshal(request)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "party.json")
	require.NoError(t, os.WriteFile(file, b, 0o600))

	cmd := exec.CommandContext(ctx, d.Options.Binary, "ticket", "buy", "--json", "--l2-rpc", d.Chain.Node.URL(), "--deployment", d.Path(),
		"--txmgr.receipt-query-interval", "50ms", file)
	cmd.Env = append(os.Environ(), "OP_CHANNELS_PRIVATE_KEY="+hexutil.Encode(crypto.FromECDSA(anvil.Keys()[8])))
	var problems bytes.Buffer
	cmd.Stderr = &problems
	done := make(chan struct{})
	go func() { // anvil makes blocks for transactions only, and the seed needs some; a sequencer makes them by itself
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				_ = d.Chain.Node.Client().CallContext(ctx, nil, "evm_mine") // only anvil knows it
			}
		}
	}()
	out, err := cmd.Output()
	close(done)
	require.NoError(t, err, problems.String())
	var bought struct {
		TicketHash common.Hash
		Ticket     adjudicator.Ticket
		Records    []adjudicator.Record
		Price      string
	}
	require.NoError(t, json.Unmarshal(out, &bought))
	require.Equal(t, bought.TicketHash, bought.Ticket.Hash())
	require.Equal(t, "1000000000000000", bought.Price)
	sealed, err := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts).IsSealed(ctx, bought.TicketHash)
	require.NoError(t, err)
	require.True(t, sealed)
	ticket := raid.Ticket(bought.Ticket)
	g := raid.Genesis{
		Settlement: d.Chain.Contracts.Settlement, World: d.Chain.World.World, NamespaceID: d.Chain.World.NamespaceID.Hash(),
		Dungeon: raid.DefaultDungeon, Ticket: &ticket,
	}
	for _, r := range bought.Records {
		g.Records = append(g.Records, raid.Record{
			ResourceID: r.ResourceID, Key: r.Key, StaticData: r.StaticData, EncodedLengths: r.EncodedLengths, DynamicData: r.DynamicData,
		})
	}
	_, err = g.Input()
	require.NoError(t, err)
}
