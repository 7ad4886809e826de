package sidecar_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	optls "github.com/ethereum-optimism/optimism/op-service/tls"
	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// parse runs the options through the command line as `op-channels run` does.
func parse(t *testing.T, args ...string) (cfg *sidecar.Config, err error) {
	t.Helper()
	app := cli.NewApp()
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Writer, app.ErrWriter = os.Stderr, os.Stderr
	app.Commands = []*cli.Command{{Name: "run", Flags: flags.Run(), Action: func(ctx *cli.Context) error {
		var err error
		cfg, err = sidecar.ConfigFromCLI(ctx, "test")
		return err
	}}}
	err = app.Run(append([]string{"op-channels", "run"}, args...))
	return cfg, err
}

func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func needed(t *testing.T) []string {
	return []string{
		"--chain-id", "901", "--adjudicator", "0xaD00000000000000000000000000000000000000",
		"--session-key", write(t, "session.key", "0000000000000000000000000000000000000000000000000000000000000001"),
		"--private-key", "0x0000000000000000000000000000000000000000000000000000000000000002",
	}
}

func TestConfigDefaultsAreSafe(t *testing.T) {
	cfg, err := parse(t, needed(t)...)
	require.NoError(t, err)
	require.Equal(t, sidecar.Trust{Deposits: plugin.Safe, Conclusions: plugin.Safe, Publications: plugin.Unsafe}, cfg.Trust)
	require.Equal(t, "127.0.0.1", cfg.RPC.ListenAddr)
	require.Empty(t, cfg.Policy.MaxStake, "without a limit, whatever costs us waits for the owner")
	require.EqualValues(t, 3600, cfg.Policy.MinWindow)
	require.False(t, cfg.P2PAcceptUnknown)
	require.Nil(t, cfg.Keys.Attestor)
}

// TestConfigFileAlone: everything can stand in the file, what must be given too; what is nowhere is named.
func TestConfigFileAlone(t *testing.T) {
	t.Setenv("OP_CHANNELS_PRIVATE_KEY", "0x0000000000000000000000000000000000000000000000000000000000000002")
	lines := []string{
		`chain-id = 901`, `adjudicator = "0xaD00000000000000000000000000000000000000"`,
		`session-key = "` + write(t, "session.key", "0000000000000000000000000000000000000000000000000000000000000001") + `"`,
	}
	cfg, err := parse(t, "--config", write(t, "c.toml", strings.Join(lines, "\n")))
	require.NoError(t, err)
	require.EqualValues(t, 901, cfg.ChainID)
	for i, missing := range []string{"--chain-id", "--adjudicator", "--session-key"} {
		_, err := parse(t, "--config", write(t, "c.toml", strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")))
		require.ErrorContains(t, err, missing)
	}
}

// TestConfigFile: flag beats environment beats file; lists, tables and durations work; a typo is an error.
func TestConfigFile(t *testing.T) {
	t.Setenv("OP_CHANNELS_STALL", "7s")
	file := write(t, "c.toml", `
trust = "finalized"
stall = "9s"
skew = "11s"
data-dir = "from-the-file"
[p2p]
listen = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"]
[policy]
ask = true
max-stake = ["0x0000000000000000000000000000000000000000=5"]
`)
	cfg, err := parse(t, append(needed(t), "--config", file, "--data-dir", "from-the-flag")...)
	require.NoError(t, err)
	require.Equal(t, plugin.Finalized, cfg.Trust.Deposits)
	require.Equal(t, 7*time.Second, cfg.Stall)
	require.Equal(t, 11*time.Second, cfg.Skew)
	require.Equal(t, "from-the-flag", cfg.DataDir)
	require.Equal(t, []string{"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"}, cfg.P2PListen)
	require.True(t, cfg.Policy.Ask)
	five := cfg.Policy.MaxStake[common.Address{}]
	require.EqualValues(t, 5, five.Uint64())

	for text, want := range map[string]string{
		`polcy = true`:         `there is no option "polcy"`,
		"[p2p]\nlisen = []":    `there is no option "p2p.lisen"`,
		`trust = "certain"`:    "trust",
		`skew = "soon"`:        "skew",
		`= nonsense`:           "config file",
		`adjudicator = "0x12"`: "",
	} {
		_, err := parse(t, append(needed(t), "--config", write(t, "bad.toml", text))...)
		if want == "" { // a flag was given: the file's value does not count
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

// The Worlds to attest for are named one by one, and need a key.
func TestConfigAttest(t *testing.T) {
	const one, two = "0x1100000000000000000000000000000000000000", "0x2200000000000000000000000000000000000000"
	key := []string{"--attestor-key", write(t, "attestor.key", "0000000000000000000000000000000000000000000000000000000000000003")}
	cfg, err := parse(t, append(append(needed(t), key...), "--attest", "world="+one, "--attest", "world="+two)...)
	require.NoError(t, err)
	require.Equal(t, []common.Address{common.HexToAddress(one), common.HexToAddress(two)}, cfg.AttestWorlds)
	for attest, want := range map[string]string{"world=" + one: "--attestor-key", one: "world=ADDRESS", "world=0x12": "no address"} {
		_, err := parse(t, append(needed(t), "--attest", attest)...)
		require.ErrorContains(t, err, want)
	}
}

// A key is here or with a signer, not both; what cannot be a signer is named by its flags.
func TestConfigSigners(t *testing.T) {
	const address = "0x1100000000000000000000000000000000000000"
	key := write(t, "attestor.key", "0000000000000000000000000000000000000000000000000000000000000003")
	attestor := []string{"--attestor.signer.endpoint", "https://signer:9000", "--attestor.signer.address", address}
	cfg, err := parse(t, append(append(needed(t), attestor...), "--attestor.signer.header", "Authorization=a=b", "--attest", "world="+address,
		"--attestor.signer.typed-data-method", "eth_signTypedData", "--attestor.signer.tls.ca", "ca.crt")...)
	require.NoError(t, err)
	require.Equal(t, common.HexToAddress(address), cfg.AttestorAddress())
	require.Equal(t, "a=b", cfg.AttestorSigner.Headers.Get("Authorization"))
	require.Equal(t, "eth_signTypedData", cfg.AttestorSigner.Method)
	require.Equal(t, "ca.crt", cfg.AttestorSigner.TLSConfig.TLSCaCert)
	require.True(t, cfg.AttestorSigner.TLSConfig.Enabled, "as in op-service")
	require.False(t, cfg.OwnerSigner.Enabled())

	cfg, err = parse(t, append(needed(t), "--config", write(t, "signer.toml", `
[attestor.signer]
endpoint = "https://signer:9000"
address = "`+address+`"
header = ["Authorization=Bearer x"]
[attestor.signer.tls]
ca = "a.crt"
cert = "b.crt"
key = "c.key"
`))...)
	require.NoError(t, err)
	require.Equal(t, "Bearer x", cfg.AttestorSigner.Headers.Get("Authorization"))
	require.Equal(t, optls.CLIConfig{TLSCaCert: "a.crt", TLSCert: "b.crt", TLSKey: "c.key", Enabled: true}, cfg.AttestorSigner.TLSConfig)

	withoutOwner := needed(t)[:6]
	owner := []string{"--signer.endpoint", "https://signer:9000", "--signer.address", address}
	cfg, err = parse(t, append(withoutOwner, owner...)...)
	require.NoError(t, err)
	require.Nil(t, cfg.Keys.Owner)
	require.Equal(t, common.HexToAddress(address), cfg.OwnerAddress())
	t.Setenv("OP_CHANNELS_ATTESTOR_SIGNER_ENDPOINT", "http://other:9000")
	t.Setenv("OP_CHANNELS_ATTESTOR_SIGNER_ADDRESS", address)
	t.Setenv("OP_CHANNELS_ATTESTOR_SIGNER_TLS_ENABLED", "false")
	cfg, err = parse(t, needed(t)...)
	require.NoError(t, err)
	require.Equal(t, "http://other:9000", cfg.AttestorSigner.Endpoint)
	require.False(t, cfg.AttestorSigner.TLSConfig.Enabled)

	for want, args := range map[string][]string{
		"--private-key and --signer.endpoint":               owner,
		"--attestor-key and --attestor.signer.endpoint":     {"--attestor-key", key},
		"--attestor.signer.*: no signer is asked":           {"--attestor.signer.typed-data-method", "eth_sign"},
		"--attestor.signer.*: the signer's endpoint":        {"--attestor.signer.endpoint", "signer:9000"},
		"--attestor.signer.*: the signer's address \"0x1\"": {"--attestor.signer.address", "0x1"},
		"--attestor.signer.*: tls.enabled is on":            {"--attestor.signer.tls.enabled"},
	} {
		_, err := parse(t, append(needed(t), args...)...)
		require.ErrorContains(t, err, want)
	}
	_, err = parse(t, withoutOwner...)
	require.ErrorContains(t, err, "--private-key is missing")
}

// Traces are off, and few when they are on, unless somebody says more.
func TestConfigTracing(t *testing.T) {
	cfg, err := parse(t, needed(t)...)
	require.NoError(t, err)
	require.Equal(t, tracing.Config{Sample: 0.01}, cfg.Tracing)
	t.Setenv("OP_CHANNELS_TRACING_SAMPLE", "0.5")
	cfg, err = parse(t, append(needed(t), "--config", write(t, "tracing.toml", "[tracing]\nenabled = true\nendpoint = \"http://127.0.0.1:4318\""))...)
	require.NoError(t, err)
	require.Equal(t, tracing.Config{Enabled: true, Endpoint: "http://127.0.0.1:4318", Sample: 0.5}, cfg.Tracing)
	for _, bad := range [][]string{{"--tracing.sample", "2"}, {"--tracing.endpoint", "127.0.0.1:4318"}} {
		_, err := parse(t, append(needed(t), bad...)...)
		require.ErrorContains(t, err, "--tracing.*")
	}
}

// Several nodes can be given in every way that a list can; receipts are verified unless somebody says no.
func TestConfigNodes(t *testing.T) {
	cfg, err := parse(t, needed(t)...)
	require.NoError(t, err)
	require.Equal(t, flags.DefaultL2EthRPC, cfg.L2EthRPC)
	require.Empty(t, cfg.RollupRPC)
	require.True(t, cfg.VerifyReceipts)
	require.Equal(t, 30*time.Second, cfg.StallTimeout)
	const want = "ws://one:8546,http://two:8545"
	for name, args := range map[string][]string{
		"twice":  {"--l2-eth-rpc", "ws://one:8546", "--l2-eth-rpc", "http://two:8545"},
		"commas": {"--l2-eth-rpc", want},
		"file":   {"--config", write(t, "nodes.toml", `l2-eth-rpc = ["ws://one:8546", "http://two:8545"]`)},
	} {
		cfg, err := parse(t, append(needed(t), args...)...)
		require.NoError(t, err, name)
		require.Equal(t, want, cfg.L2EthRPC, name)
	}
	t.Setenv("OP_CHANNELS_L2_ETH_RPC", want)
	t.Setenv("OP_CHANNELS_L2_VERIFY_RECEIPTS", "false")
	cfg, err = parse(t, append(needed(t), "--rollup-rpc", "http://three:9545,http://four:9545", "--rollup-check-outputs", "--l2-stall", "0s")...)
	require.NoError(t, err)
	require.Equal(t, want, cfg.L2EthRPC)
	require.Equal(t, "http://three:9545,http://four:9545", cfg.RollupRPC)
	require.True(t, cfg.CheckOutputs)
	require.False(t, cfg.VerifyReceipts)
	require.Zero(t, cfg.StallTimeout)
	_, err = parse(t, append(needed(t), "--rollup-check-outputs")...)
	require.ErrorContains(t, err, "--rollup-rpc")
}

func TestConfigRefusesWhatIsNotSafe(t *testing.T) {
	secret := write(t, "jwt", "00000000000000000000000000000000000000000000000000000000000000ff")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"exposed without a secret":  {[]string{"--rpc.addr", "0.0.0.0"}, "--rpc.jwt-secret"},
		"exposed with a secret":     {[]string{"--rpc.addr", "0.0.0.0", "--rpc.jwt-secret", secret}, ""},
		"no such key file":          {[]string{"--attestor-key", "nowhere"}, "--attestor-key"},
		"short secret":              {[]string{"--rpc.jwt-secret", write(t, "short", "abcd")}, "2 bytes instead of 32"},
		"a key that is no key":      {[]string{"--attestor-key", write(t, "zero", "0000000000000000000000000000000000000000000000000000000000000000")}, "--attestor-key"},
		"a stake without an amount": {[]string{"--policy.max-stake", "0x0000000000000000000000000000000000000000"}, "ASSET=AMOUNT"},
		"an address that is none":   {[]string{"--p2p.deny", "bob"}, "is no address"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, append(needed(t), c.args...)...)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestConfigTrust: --trust is for what has no level of its own; publications have one.
func TestConfigTrust(t *testing.T) {
	cfg, err := parse(t, append(needed(t), "--trust", "finalized")...)
	require.NoError(t, err)
	require.Equal(t, sidecar.Trust{Deposits: plugin.Finalized, Conclusions: plugin.Finalized, Publications: plugin.Unsafe}, cfg.Trust)

	file := write(t, "c.toml", `
trust = "safe"
trust-deposits = "unsafe"
trust-publications = "safe"
trust-deposits-above = ["0x0000000000000000000000000000000000000000=1000:safe", "0x0000000000000000000000000000000000000000=5000:finalized"]
`)
	cfg, err = parse(t, append(needed(t), "--config", file, "--trust-conclusions", "finalized")...)
	require.NoError(t, err)
	require.Equal(t, sidecar.Trust{
		Deposits: plugin.Unsafe, Conclusions: plugin.Finalized, Publications: plugin.Safe, DepositsAbove: []sidecar.StakeTrust{
			{Above: *uint256.NewInt(1000), Level: plugin.Safe}, {Above: *uint256.NewInt(5000), Level: plugin.Finalized},
		},
	}, cfg.Trust)

	for flag, bad := range map[string][]string{
		"--trust":                {"", "certain"},
		"--trust-deposits":       {"certain"},
		"--trust-conclusions":    {"1"},
		"--trust-publications":   {"SAFE"},
		"--trust-deposits-above": {"0x01=1:safe", "1:safe", "0x0000000000000000000000000000000000000000=1", "0x0000000000000000000000000000000000000000=-1:finalized", "0x0000000000000000000000000000000000000000=1:sure", "0x0000000000000000000000000000000000000000=1:safe"},
	} {
		for _, value := range bad {
			_, err := parse(t, append(needed(t), flag, value)...)
			require.ErrorContains(t, err, flag, "%q", value)
		}
	}
}
