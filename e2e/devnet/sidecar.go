package devnet

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/e2e/opdevnet"
	"github.com/evmts/channels/sidecar"
	"github.com/evmts/channels/sidecar/flags"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Sidecar is one `op-channels run`, a process of its own with its own keys, ports and data.
type Sidecar struct {
	Name        string
	RPCPort     int
	MetricsPort int
	Multiaddr   string // with /p2p/ID
	DataDir     string
	LogFile     string
	SessionKey  *ecdsa.PrivateKey
	OwnerKey    *ecdsa.PrivateKey
	AttestorKey *ecdsa.PrivateKey // nil: it attests for no World

	binary      string
	args        []string
	sessionFile string
	nice        int
	proc        process

	ownerElsewhere bool // with a remote signer

	// Of one that runs inside op-geth; otherwise nothing.
	host        *opdevnet.Program
	config, ipc string
}

// process is what a sidecar runs in.
type process interface {
	PID() int
	Running() bool
	Exited() <-chan struct{}
	Err() error
	Kill() error
	Terminate(context.Context) error
}

// ErrSidecar means that a sidecar did not come up, or ended by itself.
var ErrSidecar = errors.New("sidecar failed")

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
	readyPoll    = 20 * time.Millisecond
)

// newSidecar gives a sidecar its keys and files.
func newSidecar(o *Options, name string, owner *ecdsa.PrivateKey, p2pPort, rpcPort, metricsPort int) (*Sidecar, error) {
	s := &Sidecar{
		nice: o.Nice,
		Name: name, RPCPort: rpcPort, MetricsPort: metricsPort, OwnerKey: owner, binary: o.Binary,
		DataDir: filepath.Join(o.Dir, "data", name), LogFile: filepath.Join(o.Dir, "logs", name+".log"),
	}
	var err error
	if s.SessionKey, err = crypto.GenerateKey(); err != nil {
		return nil, fmt.Errorf("make the session key of %s: %w", name, err)
	}
	if s.sessionFile, err = writeKey(o.Dir, name+".session.key", s.SessionKey); err != nil {
		return nil, err
	}
	id, err := peerID(s.SessionKey)
	if err != nil {
		return nil, fmt.Errorf("peer id of %s: %w", name, err)
	}
	s.Multiaddr = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", p2pPort, id)
	s.args = []string{
		"run", flag(flags.DataDir), s.DataDir, flag(flags.SessionKey), s.sessionFile,
		flag(flags.P2PListen), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", p2pPort),
		"--rpc.addr", "127.0.0.1", "--rpc.port", strconv.Itoa(rpcPort),
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", strconv.Itoa(metricsPort),
		flag(flags.PolicyMaxStake), "0x0000000000000000000000000000000000000000=10000000000000000000",
		"--log.level", "debug", "--log.color=false",
	}
	return s, nil
}

func flag(f interface{ Names() []string }) string { return "--" + f.Names()[0] }

// attest gives the sidecar an attestor's key.
func (s *Sidecar) attest(o *Options) (err error) {
	if s.AttestorKey, err = crypto.GenerateKey(); err != nil {
		return fmt.Errorf("make the attestor's key: %w", err)
	}
	if o.Signer != nil {
		return s.elsewhere(o, "attestor.signer", s.AttestorKey)
	}
	file, err := writeKey(o.Dir, s.Name+".attestor.key", s.AttestorKey)
	s.args = append(s.args, flag(flags.AttestorKey), file)
	return err
}

// payElsewhere gives the owner's key to the signer, if there is one.
func (s *Sidecar) payElsewhere(o *Options) error {
	if o.Signer == nil {
		return nil
	}
	s.ownerElsewhere = true
	return s.elsewhere(o, "signer", s.OwnerKey)
}

func (s *Sidecar) elsewhere(o *Options, flags string, key *ecdsa.PrivateKey) error {
	endpoint, err := o.Signer(key)
	if err != nil {
		return fmt.Errorf("give a key of %s to the signer: %w", s.Name, err)
	}
	s.args = append(s.args, "--"+flags+".endpoint", endpoint, "--"+flags+".address", crypto.PubkeyToAddress(key.PublicKey).Hex(), "--"+flags+".tls.enabled=false")
	return nil
}

func writeKey(dir, name string, key *ecdsa.PrivateKey) (string, error) {
	path := filepath.Join(dir, "keys", name)
	if err := os.WriteFile(path, []byte(hex.EncodeToString(crypto.FromECDSA(key))+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write a key: %w", err)
	}
	return path, nil
}

// peerID is the libp2p identity that belongs to a session key.
func peerID(key *ecdsa.PrivateKey) (peer.ID, error) {
	priv, err := libcrypto.UnmarshalSecp256k1PrivateKey(crypto.FromECDSA(key))
	if err != nil {
		return "", err
	}
	return peer.IDFromPrivateKey(priv)
}

// Session, Owner and Attestor are the addresses of the keys; Attestor is zero without one.
func (s *Sidecar) Session() common.Address { return crypto.PubkeyToAddress(s.SessionKey.PublicKey) }
func (s *Sidecar) Owner() common.Address   { return crypto.PubkeyToAddress(s.OwnerKey.PublicKey) }
func (s *Sidecar) Attestor() common.Address {
	if s.AttestorKey == nil {
		return common.Address{}
	}
	return crypto.PubkeyToAddress(s.AttestorKey.PublicKey)
}

// URL is the RPC over WebSocket, or over IPC inside op-geth; both have subscriptions.
func (s *Sidecar) URL() string {
	if s.host != nil {
		return s.ipc
	}
	return fmt.Sprintf("ws://127.0.0.1:%d", s.RPCPort)
}

// MetricsURL is where Prometheus reads.
func (s *Sidecar) MetricsURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d/metrics", s.MetricsPort)
}

// Dial connects to the RPC.
func (s *Sidecar) Dial(ctx context.Context) (*rpc.Client, error) {
	c, err := rpc.DialContext(ctx, s.URL())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.Name, err)
	}
	return c, nil
}

// Start runs the process without waiting for its RPC: see Ready.
func (s *Sidecar) Start() error {
	if s.host != nil {
		return s.startInside()
	}
	if s.Running() {
		return fmt.Errorf("%w: %s runs already", ErrSidecar, s.Name)
	}
	log, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", s.Name, err)
	}
	defer log.Close() // the child has its own descriptor
	// In the environment the key is readable by this user only; arguments are readable by everyone.
	binary, args := s.binary, s.args
	if s.nice > 0 { // nice becomes the program that it runs: it is the same process
		binary, args = "nice", append([]string{"-n", strconv.Itoa(s.nice), binary}, args...)
	}
	proc, err := child.Start(log, s.Env(), binary, args...)
	if err != nil {
		return err
	}
	s.proc = proc
	return nil
}

// Ready waits until the RPC answers. It fails when the process ends first, with the end of its log.
func (s *Sidecar) Ready(ctx context.Context) error {
	if s.proc == nil {
		return fmt.Errorf("%w: %s was not started", ErrSidecar, s.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		if err := s.ask(ctx); err == nil {
			return nil
		}
		select {
		case <-s.proc.Exited():
			return fmt.Errorf("%w: %s ended at its start (%v); the end of %s:\n%s", ErrSidecar, s.Name, s.proc.Err(), s.LogFile, child.Tail(s.LogFile, 2<<10))
		case <-ctx.Done():
			return fmt.Errorf("%w: the RPC of %s does not answer: %w; the end of %s:\n%s", ErrSidecar, s.Name, ctx.Err(), s.LogFile, child.Tail(s.LogFile, 2<<10))
		case <-tick.C:
		}
	}
}

func (s *Sidecar) ask(ctx context.Context) error {
	c, err := s.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var info sidecar.NodeInfo
	if err := c.CallContext(ctx, &info, "channels_nodeInfo"); err != nil {
		return err
	}
	if info.Session != s.Session() {
		return fmt.Errorf("%w: another node answers at %s", ErrSidecar, s.URL())
	}
	return nil
}

// Running tells whether the process runs.
func (s *Sidecar) Running() bool { return s.proc != nil && s.proc.Running() }

// PID is the number of the process that was started last.
func (s *Sidecar) PID() int { return s.proc.PID() }

// Kill9 ends the process wherever it is.
func (s *Sidecar) Kill9() error {
	if !s.Running() {
		return fmt.Errorf("%w: %s does not run", ErrSidecar, s.Name)
	}
	return s.proc.Kill()
}

// Restart starts the process again and waits for its RPC.
func (s *Sidecar) Restart(ctx context.Context) error {
	if err := s.Start(); err != nil {
		return err
	}
	return s.Ready(ctx)
}

// Terminate ends the process with SIGTERM and waits; it may have ended before.
func (s *Sidecar) Terminate(ctx context.Context) error {
	if s.proc == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := s.proc.Terminate(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", s.Name, err)
	}
	return nil
}

// Exited is closed when the process that was started last has ended.
func (s *Sidecar) Exited() <-chan struct{} { return s.proc.Exited() }

// Args are the arguments of the process; the key that pays is in its environment.
func (s *Sidecar) Args() []string { return slices.Clone(s.args) }

// Env is what is added to the process's environment.
func (s *Sidecar) Env() []string {
	if s.ownerElsewhere {
		return nil
	}
	return []string{flags.EnvVarPrefix + "_PRIVATE_KEY=" + hexutil.Encode(crypto.FromECDSA(s.OwnerKey))}
}
