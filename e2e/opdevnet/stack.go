package opdevnet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/plugin/anvil"
)

// Options of a Stack.
type Options struct {
	Dir         string // for everything it writes: an empty folder, or one that does not exist
	Logs        string // folder of the logs; empty: logs in Dir
	Binaries    Binaries
	Anvil       string        // the binary of L1; empty: anvil.Find
	ChainID     uint64        // of the L2; 0: 901
	BlockTime   time.Duration // of the L2, in whole seconds; 0: a second
	L1BlockTime time.Duration // in whole seconds, not less than the L2's; 0: twice the L2's
	Port        int           // of the L2's RPC; 0: a free one
	NodePort    int           // of op-node's RPC; 0: a free one
	NodeArgs    []string      // more options of op-node
	GethArgs    []string      // more arguments of op-geth, which has an IPC socket then
	Progress    func(step string)
}

// Stack is a running op-stack chain.
type Stack struct {
	L1     *anvil.Node
	Rollup *rollup.Config
	// The L2's programs. Whoever stops one starts it again, or stops the Stack.
	Geth, Node, Batcher *Program

	opts    Options
	beacon  *Beacon
	genesis *core.Genesis
	port    int // of op-geth's RPC, over HTTP and WebSocket
	engine  int
	nodeRPC int
	batcher int
	metrics int // of op-node
	client  *rpc.Client
	node    *rpc.Client

	doneOnce sync.Once
	done     chan struct{}
}

const (
	defaultChainID = 901
	// l1Poll is how often op-node and op-batcher ask for news: what a devnet waits for.
	l1Poll = 500 * time.Millisecond
	// recommit is how often op-geth fills the block that it builds with what has come into its pool. Its default, 2 s, is longer than
	// a block here: what follows from a block would not be in the next one.
	recommit = "100ms"
)

// batcherKey is the account that pays for batches on L1: the last one, which nobody else uses there.
func batcherKey() (key string, address common.Address) {
	keys := anvil.Keys()
	k := keys[len(keys)-1]
	return hexutil.Encode(crypto.FromECDSA(k)), crypto.PubkeyToAddress(k.PublicKey)
}

// Start brings up L1 and L2 and returns when the sequencer builds blocks and the batcher answers. When it fails, nothing is left
// running. ctx bounds the start only: Stop ends a Stack.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Stack{opts: o, done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	for _, part := range []struct {
		step string
		run  func(context.Context) error
	}{
		{"starting L1", s.startL1},
		{"writing the genesis", s.prepare},
		{"starting op-geth", s.startGeth},
		{"starting op-node", s.startNode},
		{"starting op-batcher", s.startBatcher},
	} {
		o.Progress(part.step)
		if err := part.run(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (o *Options) complete() (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("folder of the chain: %w", err)
	}
	if o.ChainID == 0 {
		o.ChainID = defaultChainID
	}
	if o.BlockTime == 0 {
		o.BlockTime = time.Second
	}
	if o.L1BlockTime == 0 {
		o.L1BlockTime = 2 * o.BlockTime
	}
	if o.BlockTime%time.Second != 0 || o.L1BlockTime%time.Second != 0 || o.BlockTime < time.Second || o.L1BlockTime < o.BlockTime {
		return fmt.Errorf("block times of %s on L2 and %s on L1: whole seconds are possible, and not less on L1", o.BlockTime, o.L1BlockTime)
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Logs == "" {
		o.Logs = filepath.Join(o.Dir, "logs")
	}
	for _, dir := range []string{o.Dir, o.Logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder of the chain: %w", err)
		}
	}
	return nil
}

// startL1 deploys the portal with a block per transaction and lets L1 have its pace then.
func (s *Stack) startL1(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.opts.Logs, "anvil.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of L1: %w", err)
	}
	s.L1, err = anvil.Start(context.WithoutCancel(ctx), anvil.Options{
		Binary: s.opts.Anvil, ChainID: l1ChainID, SlotsInEpoch: 1, Output: log, ExtraArgs: []string{"--hardfork", "prague"},
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	go func() {
		<-s.L1.Done()
		_ = log.Close() // nothing is written to it any more
		s.fail()
	}()
	portal, systemConfig, err := s.L1.DeployPortal(ctx, anvil.Keys()[0])
	if err != nil {
		return err
	}
	if err := s.L1.Client().CallContext(ctx, nil, "evm_setIntervalMining", uint64(s.opts.L1BlockTime/time.Second)); err != nil {
		return fmt.Errorf("set the block time of L1: %w", err)
	}
	anchor, err := ethclient.NewClient(s.L1.Client()).HeaderByNumber(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the block of L1 that the L2 begins after: %w", err)
	}
	if s.genesis, err = L2Genesis(s.opts.ChainID, anchor.Time); err != nil {
		return err
	}
	_, batcher := batcherKey()
	s.Rollup = rollupConfig(s.opts.ChainID, uint64(s.opts.BlockTime/time.Second), anchor, s.genesis.ToBlock().Header(), portal, systemConfig, batcher)
	return nil
}

func (s *Stack) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// prepare writes what the programs read, and takes ports for them.
func (s *Stack) prepare(ctx context.Context) (err error) {
	if s.beacon, err = startBeacon(s.Rollup.Genesis.L2Time, uint64(s.opts.L1BlockTime/time.Second)); err != nil {
		return err
	}
	for name, value := range map[string]any{"genesis.json": s.genesis, "rollup.json": s.Rollup, "l1.json": l1Config()} {
		b, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if err := os.WriteFile(s.path(name), append(b, '\n'), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	if err := os.WriteFile(s.path("jwt.hex"), []byte(hex.EncodeToString(secret[:])), 0o600); err != nil {
		return fmt.Errorf("write the secret between op-node and op-geth: %w", err)
	}
	ports, err := child.FreePorts(5)
	if err != nil {
		return err
	}
	if s.port = s.opts.Port; s.port == 0 {
		s.port = ports[0]
	}
	s.engine, s.nodeRPC, s.batcher, s.metrics = ports[1], ports[2], ports[3], ports[4]
	if s.opts.NodePort != 0 {
		s.nodeRPC = s.opts.NodePort
	}
	out, err := exec.CommandContext(ctx, s.opts.Binaries.Geth, "init", "--state.scheme=hash", "--datadir", s.path("geth"), s.path("genesis.json")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: op-geth does not take the genesis: %w: %s", ErrProgram, err, out[max(0, len(out)-logTail):])
	}
	return nil
}

func (s *Stack) program(name, binary string, ready func(context.Context) error, args ...string) *Program {
	return &Program{
		Name: name, LogFile: filepath.Join(s.opts.Logs, name+".log"), binary: binary, args: args, ready: ready, ended: func(*Program) { s.fail() },
	}
}

func (s *Stack) startGeth(ctx context.Context) error {
	port := strconv.Itoa(s.port)
	more := s.opts.GethArgs
	if len(more) == 0 {
		more = []string{"--ipcdisable"}
	}
	s.Geth = s.program("op-geth", s.opts.Binaries.Geth, s.gethReady, append([]string{
		"--datadir", s.path("geth"), "--networkid", strconv.FormatUint(s.opts.ChainID, 10), "--nodiscover", "--maxpeers", "0", "--port", "0",
		"--miner.recommit", recommit, "--syncmode", "full", "--gcmode", "archive", "--state.scheme=hash", "--cache", "256", "--rollup.disabletxpoolgossip=true",
		"--http", "--http.addr", "127.0.0.1", "--http.port", port, "--http.api", "eth,net,web3,txpool,debug,admin",
		"--ws", "--ws.addr", "127.0.0.1", "--ws.port", port, "--ws.api", "eth,net,web3,txpool,debug",
		"--authrpc.addr", "127.0.0.1", "--authrpc.port", strconv.Itoa(s.engine), "--authrpc.jwtsecret", s.path("jwt.hex"),
	}, more...)...)
	return s.Geth.Start(ctx)
}

// gethReady asks for the first block: it is the one that the rollup's configuration names.
func (s *Stack) gethReady(ctx context.Context) (err error) {
	if s.client == nil {
		if s.client, err = rpc.DialContext(ctx, s.URL()); err != nil {
			return fmt.Errorf("connect to op-geth: %w", err)
		}
	}
	var head *types.Header
	if err := s.client.CallContext(ctx, &head, "eth_getBlockByNumber", "0x0", false); err != nil {
		return err
	}
	if want := s.Rollup.Genesis.L2.Hash; head.Hash() != want {
		return fmt.Errorf("op-geth begins with block %s, expected %s", head.Hash(), want)
	}
	return nil
}

func (s *Stack) startNode(ctx context.Context) error {
	s.Node = s.program("op-node", s.opts.Binaries.Node, s.nodeReady, append([]string{
		"--l1", s.L1.URL(), "--l1.trustrpc", "--l1.rpckind=standard", "--l1.http-poll-interval=" + l1Poll.String(), "--l1.epoch-poll-interval=" + s.opts.L1BlockTime.String(),
		"--l1.beacon", s.beacon.url, "--l1.beacon.ignore", "--l1.runtime-config-reload-interval=0",
		"--l2", "http://127.0.0.1:" + strconv.Itoa(s.engine), "--l2.jwt-secret", s.path("jwt.hex"), "--l2.enginekind=geth",
		"--rollup.config", s.path("rollup.json"), "--rollup.l1-chain-config", s.path("l1.json"),
		"--sequencer.enabled", "--sequencer.l1-confs=0", "--verifier.l1-confs=0", "--p2p.disable",
		"--rpc.addr=127.0.0.1", "--rpc.port=" + strconv.Itoa(s.nodeRPC), "--rpc.enable-admin",
		"--metrics.enabled", "--metrics.addr=127.0.0.1", "--metrics.port=" + strconv.Itoa(s.metrics),
	}, s.opts.NodeArgs...)...)
	return s.Node.Start(ctx)
}

// nodeReady waits for the first block that the sequencer built.
func (s *Stack) nodeReady(ctx context.Context) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if status.UnsafeL2.Number == 0 {
		return errors.New("it has built no block")
	}
	return nil
}

func (s *Stack) startBatcher(ctx context.Context) error {
	key, _ := batcherKey()
	s.Batcher = s.program("op-batcher", s.opts.Binaries.Batcher, s.batcherReady,
		"--l1-eth-rpc", s.L1.URL(), "--l2-eth-rpc", s.URL(), "--rollup-rpc", s.NodeURL(), "--private-key", key,
		"--data-availability-type=calldata", "--max-channel-duration=1", "--sub-safety-margin=4", "--poll-interval="+l1Poll.String(),
		"--num-confirmations=1", "--txmgr.receipt-query-interval="+l1Poll.String(), "--throttle.unsafe-da-bytes-lower-threshold=0", "--rpc.addr=127.0.0.1", "--rpc.port="+strconv.Itoa(s.batcher),
	)
	return s.Batcher.Start(ctx)
}

func (s *Stack) batcherReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(s.batcher)+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// fail closes done.
func (s *Stack) fail() { s.doneOnce.Do(func() { close(s.done) }) }

// Done is closed when a program ended that nobody told to, and at the Stop.
func (s *Stack) Done() <-chan struct{} { return s.done }

// URL is op-geth's RPC over HTTP.
func (s *Stack) URL() string { return "http://127.0.0.1:" + strconv.Itoa(s.port) }

// WebSocketURL is op-geth's RPC over WebSocket, with subscriptions.
func (s *Stack) WebSocketURL() string { return "ws://127.0.0.1:" + strconv.Itoa(s.port) }

// EngineURL is op-geth's authenticated endpoint over HTTP, and JWTFile the secret that it wants.
func (s *Stack) EngineURL() string { return "http://127.0.0.1:" + strconv.Itoa(s.engine) }
func (s *Stack) JWTFile() string   { return s.path("jwt.hex") }

// IPCPath is op-geth's socket, which there is with GethArgs only: its path can be too long for the kernel.
func (s *Stack) IPCPath() string { return s.path("geth/geth.ipc") }

// NodeURL is op-node's RPC.
func (s *Stack) NodeURL() string { return "http://127.0.0.1:" + strconv.Itoa(s.nodeRPC) }

// NodeMetricsURL is where op-node tells its metrics.
func (s *Stack) NodeMetricsURL() string {
	return "http://127.0.0.1:" + strconv.Itoa(s.metrics) + "/metrics"
}

// Client is connected to op-geth.
func (s *Stack) Client() *rpc.Client { return s.client }

// Status is op-node's view of both chains: unsafe, safe and finalized heads.
func (s *Stack) Status(ctx context.Context) (*eth.SyncStatus, error) {
	if s.node == nil {
		c, err := rpc.DialContext(ctx, s.NodeURL()) // over HTTP: no connection is made yet
		if err != nil {
			return nil, fmt.Errorf("connect to op-node: %w", err)
		}
		s.node = c
	}
	var status eth.SyncStatus
	if err := s.node.CallContext(ctx, &status, "optimism_syncStatus"); err != nil {
		return nil, fmt.Errorf("ask op-node for its heads: %w", err)
	}
	return &status, nil
}

// Close is Stop without a context of its own: every program has its time to end.
func (s *Stack) Close() error { return s.Stop(context.Background()) }

// Stop ends everything, those first that use others. It may be called more than once.
func (s *Stack) Stop(ctx context.Context) error {
	var errs []error
	for _, p := range []*Program{s.Batcher, s.Node, s.Geth} {
		if p != nil {
			errs = append(errs, p.Stop(ctx))
		}
	}
	for _, c := range []*rpc.Client{s.client, s.node} {
		if c != nil {
			c.Close()
		}
	}
	if s.L1 != nil {
		errs = append(errs, s.L1.Close())
	}
	if s.beacon != nil {
		errs = append(errs, s.beacon.Close())
	}
	s.fail()
	return errors.Join(errs...)
}
