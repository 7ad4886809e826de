package devnet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar/flags"
)

// Options of a Devnet.
type Options struct {
	Dir       string        // for everything it writes; what an earlier devnet left there is deleted
	Root      string        // of the repository; empty: found from the working directory
	Binary    string        // op-channels
	Names     []string      // of the sidecars; empty: operator, alice, bob. The first is the operator and the World's attestor
	Ports     bool          // 8545 for the chain and 9545, 9546, … for the sidecars' RPCs, where they are free; otherwise any
	OpStack   bool          // the chain is op-geth with op-node and op-batcher instead of anvil
	Inside    bool          // op-geth has the first sidecar inside; on an op-stack only
	ChainID   uint64        // 0: 901
	BlockTime time.Duration // in whole seconds; 0: a block per transaction, on an op-stack a second
	Window    time.Duration // in which a published journal can be disproved, in whole seconds; 0: a minute
	ChainOnly bool          // the sidecars get keys but are not started
	// Modes are those that the World's policy allows; zero: attested and optimistic.
	Modes adjudicator.Mode
	// Signer holds the keys of the operator's owner and of the attestor, and gives where it is asked for one; nil: they are with the
	// sidecar.
	Signer func(key *ecdsa.PrivateKey) (endpoint string, err error)
	// Nice is how far the sidecars give way to other processes, 0 to 19, as `nice` takes it.
	Nice int
	// Args are more options of a sidecar's run; nil: none.
	Args func(name string) []string
	// Attach says how a sidecar, or the verifier, reaches the chain; nil: as everybody does.
	Attach   func(name string, chain *Chain) (Attachment, error)
	Progress func(step string)
}

// Attachment is a sidecar's way to the chain.
type Attachment struct {
	L2EthRPC string   // empty: the chain's own
	Args     []string // more options of its run
}

// setupTimeout bounds Start, which takes a few seconds, and half a minute on an op-stack, where every transaction waits for its block.
const setupTimeout = 2 * time.Minute

// DefaultChainID is the id of the development chain.
const DefaultChainID = 901

// Devnet is a running environment.
type Devnet struct {
	Chain    *Chain
	Sidecars []*Sidecar
	Options  Options
	Module   common.Hash // moduleHash of the raid
	// Modules holds the raid, as the sidecars loaded it: for whoever wants to derive it again.
	Modules *derivation.Library

	engine *derivation.Engine
	module *derivation.Module
	lock   *os.File
}

var (
	// ErrDir means that the folder is not one that may be emptied.
	ErrDir = errors.New("the folder is not a devnet's: choose an empty one or one that does not exist")
	// ErrInUse means that another devnet runs in the folder.
	ErrInUse = errors.New("another devnet runs in this folder")
)

// Start brings up the chain, the World and the sidecars, and returns when all sidecars answer. When it fails, nothing
// is left running. ctx bounds the start only: Stop ends a Devnet.
func Start(ctx context.Context, o Options) (d *Devnet, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	d = &Devnet{Options: o}
	defer func() {
		if err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			err = errors.Join(err, d.Stop(stopCtx))
			d = nil
		}
	}()
	o.Progress("preparing " + o.Dir)
	if d.lock, err = prepareDir(o.Dir); err != nil {
		return d, err
	}
	return d, d.start(ctx)
}

// start does side by side what does not need each other: the World's deployer takes as long as everything else together.
func (d *Devnet) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	o := &d.Options
	o.Progress("starting the chain")
	if d.Chain, err = startChain(ctx, o); err != nil {
		return err
	}
	o.Progress("deploying the contracts and the World")
	// One after the other for the chain: both send from the same account.
	var worldErr, moduleErr error
	var side sync.WaitGroup
	side.Go(func() { moduleErr = d.installModule() })
	if err = d.Chain.deployContracts(ctx); err == nil {
		worldErr = d.Chain.deployWorld(ctx, o.Root)
	}
	side.Wait()
	if err := errors.Join(err, worldErr, moduleErr); err != nil {
		return err
	}
	if err := d.makeSidecars(); err != nil {
		return err
	}
	o.Progress("registering the module, setting the World's policy for raids")
	if err := d.Chain.register(ctx, d.module); err != nil {
		return err
	}
	if err := d.Chain.allow(ctx, d.Module, o, d.Sidecars[0].Attestor()); err != nil {
		return err
	}
	if o.BlockTime > 0 {
		if err := d.Chain.setBlockTime(ctx, o.BlockTime); err != nil {
			return err
		}
	}
	if o.ChainOnly {
		return nil
	}
	o.Progress("starting the sidecars")
	for _, s := range d.Sidecars {
		if err := s.Start(); err != nil {
			return err
		}
	}
	for _, s := range d.Sidecars {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	return d.WriteFile()
}

func (o *Options) complete() (err error) {
	if o.Root == "" {
		if o.Root, err = FindRoot(""); err != nil {
			return err
		}
	}
	if err := CheckDeps(o.Root); err != nil {
		return err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("folder of the devnet: %w", err)
	}
	if len(o.Names) == 0 {
		o.Names = []string{"operator", "alice", "bob"}
	}
	if len(o.Names) > len(anvil.Keys())-1 {
		return fmt.Errorf("%d sidecars: the chain has %d funded accounts, one deploys", len(o.Names), len(anvil.Keys()))
	}
	if o.Inside && !o.OpStack {
		return errors.New("a sidecar can run inside op-geth only: ask for an op-stack")
	}
	if o.ChainID == 0 {
		o.ChainID = DefaultChainID
	}
	if o.Window == 0 {
		o.Window = time.Minute
	}
	if o.Modes == 0 {
		o.Modes = adjudicator.ModeAttested | adjudicator.ModeOptimistic
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return nil
}

const marker = ".op-channels-devnet"

// prepareDir empties a folder that an earlier devnet used, and locks it.
func prepareDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the devnet: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the devnet: %w", err)
	}
	path := filepath.Join(dir, marker)
	if _, err := os.Stat(path); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrDir, dir)
	}
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the devnet: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: end it, or choose another with --dir", ErrInUse, dir), lock.Close())
	}
	for _, sub := range []string{"chain", "data", "keys", "logs", "modules"} {
		path := filepath.Join(dir, sub)
		if err := os.RemoveAll(path); err != nil {
			return nil, errors.Join(fmt.Errorf("empty the folder of the devnet: %w", err), lock.Close())
		}
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, errors.Join(fmt.Errorf("make the folder of the devnet: %w", err), lock.Close())
		}
	}
	return lock, nil
}

// ModuleFile is the raid's module, with its manifest beside it.
func (d *Devnet) ModuleFile() string { return filepath.Join(d.Options.Dir, "modules", "raid.wasm") }

// installModule writes the raid's module for the sidecars and loads it from there, as they do.
func (d *Devnet) installModule() (err error) {
	path := d.ModuleFile()
	if err := os.WriteFile(path, raid.Wasm, 0o644); err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	if err := os.WriteFile(strings.TrimSuffix(path, ".wasm")+derivation.ManifestSuffix, raid.Manifest, 0o644); err != nil {
		return fmt.Errorf("write the module's manifest: %w", err)
	}
	if d.engine, err = derivation.NewEngine(derivation.Config{}); err != nil {
		return err
	}
	d.Modules = derivation.NewLibrary(d.engine)
	m, err := d.Modules.AddFile(path)
	if err != nil {
		return err
	}
	d.module, d.Module = m, m.Hash()
	return nil
}

// makeSidecars gives every sidecar keys and ports, and makes all known to each other.
func (d *Devnet) makeSidecars() error {
	o := &d.Options
	ports, err := child.FreePorts(3 * len(o.Names))
	if err != nil {
		return err
	}
	for i, name := range o.Names {
		rpcPort := ports[3*i]
		if o.Ports && isFree(firstRPCPort+i) {
			rpcPort = firstRPCPort + i
		}
		s, err := newSidecar(o, name, anvil.Keys()[i+1], ports[3*i+1], rpcPort, ports[3*i+2])
		if err != nil {
			return err
		}
		if i == 0 {
			if err := errors.Join(s.attest(o), s.payElsewhere(o)); err != nil {
				return err
			}
			if o.Inside {
				s.moveInto(o, d.Chain.OpStack)
			}
		}
		d.Sidecars = append(d.Sidecars, s)
	}
	for _, s := range d.Sidecars {
		at, err := d.attach(s.Name)
		if err != nil {
			return err
		}
		s.args = append(s.args,
			flag(flags.L2EthRPC), at.L2EthRPC, flag(flags.ChainID), fmt.Sprint(o.ChainID),
			flag(flags.Adjudicator), d.Chain.Contracts.Adjudicator.Hex(), flag(flags.Settlement), d.Chain.Contracts.Settlement.Hex(),
			flag(flags.Trust), "unsafe", flag(flags.PolicyWindow), fmt.Sprint(minWindow), flag(flags.Modules), filepath.Join(o.Dir, "modules"),
			flag(flags.Stall), "1s", flag(flags.Turn), "5s", "--txmgr.receipt-query-interval", "100ms",
		)
		s.args = append(s.args, at.Args...)
		if o.Args != nil {
			s.args = append(s.args, o.Args(s.Name)...)
		}
		for _, other := range d.Sidecars {
			if other != s {
				s.args = append(s.args, flag(flags.P2PPeers), other.Multiaddr)
			}
		}
	}
	return nil
}

// attach says how a process of that name reaches the chain.
func (d *Devnet) attach(name string) (at Attachment, err error) {
	if d.Options.Attach != nil {
		if at, err = d.Options.Attach(name, d.Chain); err != nil {
			return at, fmt.Errorf("attach %s: %w", name, err)
		}
	}
	if at.L2EthRPC == "" {
		at.L2EthRPC = d.Chain.Node.WebSocketURL()
	}
	return at, nil
}

// The ports that people expect.
const (
	chainPort    = 8545
	firstRPCPort = 9545
)

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && l.Close() == nil
}

func anvilIn(root string) string {
	path := filepath.Join(root, "node_modules", "@foundry-rs", "anvil-"+runtime.GOOS+"-"+runtime.GOARCH, "bin", "anvil")
	if _, err := os.Stat(path); err != nil {
		return "" // anvil.Find looks elsewhere
	}
	return path
}

// Kill9 ends sidecar i wherever it is.
func (d *Devnet) Kill9(i int) error { return d.Sidecars[i].Kill9() }

// Restart starts sidecar i again and waits for its RPC.
func (d *Devnet) Restart(ctx context.Context, i int) error { return d.Sidecars[i].Restart(ctx) }

// StopSidecars ends all sidecars in order (SIGTERM) and waits for them.
func (d *Devnet) StopSidecars(ctx context.Context) error {
	errs := make([]error, len(d.Sidecars))
	var all sync.WaitGroup
	for i, s := range d.Sidecars {
		all.Go(func() { errs[i] = s.Terminate(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Stop ends everything. It may be called more than once.
func (d *Devnet) Stop(ctx context.Context) error {
	err := d.StopSidecars(ctx)
	if d.Chain != nil {
		err = errors.Join(err, d.Chain.Node.Close())
	}
	if d.engine != nil {
		err = errors.Join(err, d.engine.Close())
		d.engine = nil
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
		d.lock = nil
	}
	return err
}
