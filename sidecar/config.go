package sidecar

import (
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/oppprof"
	oprpc "github.com/ethereum-optimism/optimism/op-service/rpc"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/holiman/uint256"
	"github.com/urfave/cli/v2"
)

// Config is everything that `op-channels run` is told.
type Config struct {
	Version string

	// Local is an execution client in this process that has the sidecar inside; nil: all are reached by L2EthRPC.
	Local *plugin.Local
	// Hosted leaves the RPC to whoever has the sidecar inside: nothing is listened on for it.
	Hosted bool

	L2EthRPC      string // addresses, separated by commas
	RollupRPC     string // addresses, separated by commas; empty: no op-node is asked
	ChainID       uint64
	Adjudicator   common.Address
	Settlement    common.Address
	StartBlock    uint64
	Trust         Trust
	PollInterval  time.Duration
	StallTimeout  time.Duration
	FundsInterval time.Duration // how often the owner's balance is compared with what may have to be paid; 0: 30 s
	MaxHeadAge    time.Duration // an older newest block makes the sidecar not ready; 0: none does

	VerifyReceipts, CheckOutputs bool

	DataDir string
	Modules []string
	Keys    Keys
	// OwnerSigner and AttestorSigner name the remote signers of keys that are not here.
	OwnerSigner, AttestorSigner signer.Config
	// AttestWorlds are those that we attest for; none: every World of the settlement that names our attestor key.
	AttestWorlds []common.Address
	Publish      bool // journals of finished channels, for Worlds that want them on chain
	Verify       bool // disprove wrong journals that anybody publishes

	P2PListen, P2PPeers []string
	P2PAllow, P2PDeny   []common.Address
	P2PAcceptUnknown    bool

	Policy                    Policy
	Stall, Skew, Margin, Turn time.Duration

	PushFeed  PushFeedConfig
	JWTSecret []byte
	RPC       oprpc.CLIConfig
	Log       oplog.CLIConfig
	Metrics   opmetrics.CLIConfig
	Pprof     oppprof.CLIConfig
	Tracing   tracing.Config
	Tx        txmgr.CLIConfig
	GasCap    uint64             // highest gas limit of a transaction; 0: plugin.MaxTxGas
	Force     plugin.ForceConfig // what goes through L1
}

// ConfigFromCLI reads flags, environment and file.
func ConfigFromCLI(ctx *cli.Context, version string) (*Config, error) {
	if err := flags.LoadFile(ctx); err != nil {
		return nil, err
	}
	r := reader{ctx: ctx}
	cfg := &Config{
		Version: version, L2EthRPC: strings.Join(ctx.StringSlice(flags.L2EthRPC.Name), ","), RollupRPC: strings.Join(ctx.StringSlice(flags.RollupRPC.Name), ","), ChainID: ctx.Uint64(flags.ChainID.Name),
		Adjudicator: r.address(flags.Adjudicator.Name), Settlement: r.address(flags.Settlement.Name),
		StartBlock: ctx.Uint64(flags.StartBlock.Name), PollInterval: ctx.Duration(flags.PollInterval.Name),
		StallTimeout: ctx.Duration(flags.StallTimeout.Name), VerifyReceipts: ctx.Bool(flags.VerifyReceipts.Name), CheckOutputs: ctx.Bool(flags.CheckOutputs.Name),
		Publish: ctx.Bool(flags.Publish.Name), Verify: ctx.Bool(flags.Verifier.Name),
		DataDir: ctx.String(flags.DataDir.Name), Modules: ctx.StringSlice(flags.Modules.Name),
		P2PListen: ctx.StringSlice(flags.P2PListen.Name), P2PPeers: ctx.StringSlice(flags.P2PPeers.Name),
		P2PAllow: r.addresses(flags.P2PAllow.Name), P2PDeny: r.addresses(flags.P2PDeny.Name), P2PAcceptUnknown: ctx.Bool(flags.P2POpen.Name),
		Policy: Policy{
			Ask: ctx.Bool(flags.PolicyAsk.Name), Allow: r.addresses(flags.PolicyAllow.Name), Deny: r.addresses(flags.P2PDeny.Name),
			MinWindow: uint32(ctx.Uint(flags.PolicyWindow.Name)), MaxStake: r.stakes(flags.PolicyMaxStake.Name),
		},
		Stall: ctx.Duration(flags.Stall.Name), Skew: ctx.Duration(flags.Skew.Name), Margin: ctx.Duration(flags.Margin.Name), Turn: ctx.Duration(flags.Turn.Name),
		RPC: oprpc.ReadCLIConfig(ctx), Log: oplog.ReadCLIConfig(ctx), Metrics: opmetrics.ReadCLIConfig(ctx),
		Pprof: oppprof.ReadCLIConfig(ctx), MaxHeadAge: ctx.Duration(flags.MaxHeadAge.Name), FundsInterval: ctx.Duration(flags.FundsInterval.Name), Tx: txmgr.ReadCLIConfig(ctx), GasCap: ctx.Uint64(flags.GasCap.Name),
	}
	var err error
	if cfg.Force, err = flags.ReadForce(ctx); err != nil {
		r.err = errors.Join(r.err, err)
	}
	cfg.Trust = r.trust(flags.Trust.Name, flags.TrustDeposits.Name, flags.TrustConclusions.Name, flags.TrustPublications.Name, flags.TrustDepositsAbove.Name)
	for _, s := range ctx.StringSlice(flags.AttestWorlds.Name) {
		world, ok := strings.CutPrefix(s, "world=")
		if !ok {
			r.note(flags.AttestWorlds.Name, fmt.Errorf("%q is not world=ADDRESS", s))
			continue
		}
		cfg.AttestWorlds = append(cfg.AttestWorlds, r.parse(flags.AttestWorlds.Name, world))
	}
	cfg.Keys.Session = r.keyFile(flags.SessionKey.Name)
	cfg.Keys.Attestor = r.keyFile(flags.AttestorKey.Name)
	if cfg.Tx.PrivateKey != "" {
		cfg.Keys.Owner, err = crypto.HexToECDSA(strings.TrimPrefix(cfg.Tx.PrivateKey, "0x"))
		r.note("private-key", err)
	}
	cfg.OwnerSigner = signer.Config{CLIConfig: cfg.Tx.SignerCLIConfig, Method: ctx.String(flags.SignerMethod.Name)}
	cfg.AttestorSigner = flags.ReadAttestorSigner(ctx)
	cfg.Tracing = flags.ReadTracing(ctx)
	cfg.JWTSecret = r.secretFile(flags.JWTSecret.Name)
	cfg.PushFeed = PushFeedConfig{ctx.Bool(flags.PushFeed.Name), ctx.String(flags.PushFeedAddr.Name), ctx.Int(flags.PushFeedPort.Name), r.secretFile(flags.PushFeedSecret.Name)}
	return cfg, errors.Join(r.err, cfg.Check())
}

// Check finds settings that cannot work or are not safe together.
func (c *Config) Check() error {
	switch {
	case c.ChainID == 0:
		return errors.New("--chain-id is zero: give the L2's chain id")
	case c.Adjudicator == (common.Address{}):
		return errors.New("--adjudicator is missing: give the address of the Adjudicator contract on this chain")
	case c.Keys.Session == nil:
		return errors.New("--session-key is missing: make one with `openssl rand -hex 32` and keep the file private")
	case c.Keys.Owner == nil && !c.OwnerSigner.Enabled():
		return errors.New("--private-key is missing: the owner's key pays stakes and receives payouts; or give --signer.endpoint and --signer.address")
	case c.Keys.Owner != nil && c.OwnerSigner.Enabled():
		return errors.New("--private-key and --signer.endpoint both name the owner: give one")
	case c.Keys.Attestor != nil && c.AttestorSigner.Enabled():
		return errors.New("--attestor-key and --attestor.signer.endpoint both name the attestor: give one")
	case len(c.AttestWorlds) > 0 && c.AttestorAddress() == (common.Address{}):
		return errors.New("--attest needs --attestor-key or --attestor.signer.endpoint: give the key that the Worlds' policies name")
	case (c.Publish || c.Verify) && c.Settlement == (common.Address{}):
		return errors.New("--publish and --verifier need --settlement: give the address of the MudSettlement contract on this chain")
	case c.CheckOutputs && c.RollupRPC == "":
		return errors.New("--rollup-check-outputs needs --rollup-rpc: output roots are op-node's")
	case !c.Hosted && len(c.JWTSecret) == 0 && !isLoopback(c.RPC.ListenAddr):
		return fmt.Errorf("--rpc.addr %s is reachable from elsewhere: give --rpc.jwt-secret, as for an engine API, or listen on 127.0.0.1", c.RPC.ListenAddr)
	}
	if c.FundsInterval < 0 || c.MaxHeadAge < 0 {
		return errors.New("--funds-interval and --max-head-age cannot be negative: 0 stands for 30 s, and for no limit")
	}
	for flag, s := range map[string]signer.Config{"signer": c.OwnerSigner, "attestor.signer": c.AttestorSigner} {
		if err := s.Check(); err != nil {
			return fmt.Errorf("--%s.*: %w", flag, err)
		}
	}
	if err := c.Tracing.Check(); err != nil {
		return fmt.Errorf("--tracing.*: %w", err)
	}
	return errors.Join(c.Trust.check(), c.PushFeed.check(), c.RPC.Check(), c.Metrics.Check(), c.Pprof.Check())
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// reader collects what is wrong with flags.
type reader struct {
	ctx *cli.Context
	err error
}

func (r *reader) note(flag string, err error) {
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("--%s: %w", flag, err))
	}
}

func (r *reader) parse(flag, s string) common.Address {
	if !common.IsHexAddress(s) {
		r.note(flag, fmt.Errorf("%q is no address", s))
	}
	return common.HexToAddress(s)
}

func (r *reader) address(flag string) common.Address {
	if s := r.ctx.String(flag); s != "" {
		return r.parse(flag, s)
	}
	return common.Address{}
}

func (r *reader) addresses(flag string) (out []common.Address) {
	for _, s := range r.ctx.StringSlice(flag) {
		out = append(out, r.parse(flag, s))
	}
	return out
}

func (r *reader) stakes(flag string) map[common.Address]channel.Amount {
	out := make(map[common.Address]channel.Amount)
	for _, s := range r.ctx.StringSlice(flag) {
		asset, amount, ok := strings.Cut(s, "=")
		v, err := uint256.FromDecimal(amount)
		if !ok || err != nil {
			r.note(flag, fmt.Errorf("%q is not ASSET=AMOUNT", s))
			continue
		}
		out[r.parse(flag, asset)] = *v
	}
	return out
}

func (r *reader) keyFile(flag string) *ecdsa.PrivateKey {
	b := r.secretFile(flag)
	if b == nil {
		return nil
	}
	key, err := crypto.ToECDSA(b)
	r.note(flag, err)
	return key
}

// secretFile reads 32 bytes in hex.
func (r *reader) secretFile(flag string) []byte {
	path := r.ctx.String(flag)
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.note(flag, err)
		return nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), "0x"))
	if err == nil && len(b) != 32 {
		err = fmt.Errorf("%d bytes instead of 32", len(b))
	}
	if err != nil {
		r.note(flag, fmt.Errorf("%s: %w", path, err))
		return nil
	}
	return b
}
