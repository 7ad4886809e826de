package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus"
)

// BlockRef names one block. Time is UNIX seconds.
type BlockRef struct {
	Number     uint64      `json:"number"`
	Hash       common.Hash `json:"hash"`
	ParentHash common.Hash `json:"parentHash"`
	Time       uint64      `json:"time"`
}

func (b BlockRef) String() string { return fmt.Sprintf("%d (%s)", b.Number, b.Hash.TerminalString()) }

// Config of a Chain.
type Config struct {
	// RPC are the JSON-RPC addresses of execution clients, separated by commas, the preferred one first: http(s), ws(s), or the path
	// of an IPC socket. New heads are pushed over the last two and asked for over the first. One is used at a time: when it is at
	// fault the next one, and the preferred one again when it works.
	RPC string
	// Local is an execution client in the same process, preferred to those of RPC, which may be empty then; nil: there is none.
	Local *Local
	// RollupRPC are the JSON-RPC addresses of op-nodes, separated by commas, the preferred one first: what is safe and final is the word of
	// one of them then, and they say which block the chain starts with. Empty: the tags of the execution client.
	RollupRPC string
	// ChainID that the nodes must have; another one is refused.
	ChainID uint64
	// Genesis is the block that the chain starts with, by number and hash. The zero hash: what RollupRPC says, or else the first
	// execution client that answers.
	Genesis BlockRef
	// VerifyReceipts has logs compared with what the hashes of their blocks commit to.
	VerifyReceipts bool
	// CheckOutputs has the op-node's output root at each safe block that is seen compared with the execution client's state root.
	CheckOutputs bool
	// StallTimeout is how long a node may have no new block while another one has, and how long there may be none at all before that
	// is said. 0: for ever.
	StallTimeout time.Duration
	// ProbeInterval is how often all nodes are looked at; 0: 5 s.
	ProbeInterval time.Duration
	// PollInterval is how often a node without subscriptions is asked for its heads; 0: 1 s.
	PollInterval time.Duration
	// RequestTimeout bounds one request; 0: 10 s.
	RequestTimeout time.Duration
	// Logger; nil: the process's root logger.
	Logger log.Logger
	// Registerer of the op_channels_chain_* metrics; nil: they are kept and not shown.
	Registerer prometheus.Registerer
}

func (c *Config) complete() error {
	switch {
	case c.ChainID == 0:
		return fmt.Errorf("%w: no chain id", ErrConfig)
	case c.PollInterval < 0 || c.RequestTimeout < 0 || c.ProbeInterval < 0 || c.StallTimeout < 0:
		return fmt.Errorf("%w: negative interval", ErrConfig)
	case c.CheckOutputs && c.RollupRPC == "":
		return fmt.Errorf("%w: outputs are the op-node's: its address is missing", ErrConfig)
	}
	if c.Local != nil {
		if err := c.Local.check(); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.PollInterval, time.Second}, {&c.RequestTimeout, 10 * time.Second}, {&c.ProbeInterval, defaultProbe}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if c.Logger == nil {
		c.Logger = log.Root()
	}
	return nil
}

// Chain is a connection to the nodes of one chain. It is safe for concurrent use.
type Chain struct {
	cfg     Config
	nodes   *nodes
	rollup  *rollups // nil: none
	genesis *identity
	rpc     *rpc.Client // over all nodes
	eth     *ethclient.Client
	log     log.Logger
	metrics *chainMetrics
	oracle  oracle
	built   builtBlocks

	stop    context.CancelFunc
	watched chan struct{} // the watch has ended
}

var (
	// ErrWrongChain is returned when a node belongs to another chain than the configured one.
	ErrWrongChain = errors.New("the node belongs to another chain: check the RPC address and the chain id in the configuration")
	// ErrUnreachable is returned when no node answers.
	ErrUnreachable = errors.New("the L2 node does not answer: check that it runs and that the RPC address is right")
	// ErrConfig is returned for settings that cannot work.
	ErrConfig = errors.New("invalid chain configuration")
)

// Dial connects and refuses nodes of another chain. It tries each once: whoever starts before its node calls it again. One execution
// client that works is enough, and so is one op-node of those that are configured.
func Dial(ctx context.Context, cfg Config) (*Chain, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	c := &Chain{cfg: cfg, genesis: &identity{genesis: cfg.Genesis}, log: cfg.Logger.New("module", "chain"), metrics: m, watched: make(chan struct{})}
	if c.nodes, err = newNodes(&c.cfg, m, c.genesis); err != nil {
		return nil, err
	}
	if cfg.RollupRPC != "" {
		if c.rollup, err = newRollups(&c.cfg, m, c.genesis, c.log); err != nil {
			return nil, err
		}
		if err := c.rollup.check(ctx); err != nil {
			c.rollup.close()
			return nil, err
		}
	}
	if err := c.nodes.on(ctx, func(*endpoint) error { return nil }); err != nil {
		c.close()
		return nil, err
	}
	if c.rpc, err = rpc.DialOptions(ctx, "http://nodes", rpc.WithHTTPClient(&http.Client{Transport: &forwarder{c.nodes}})); err != nil {
		c.close()
		return nil, err
	}
	c.eth = ethclient.NewClient(c.rpc)
	watching, stop := context.WithCancel(context.Background())
	c.stop = stop
	go func() {
		defer close(c.watched)
		c.nodes.watch(watching, c.rollup)
	}()
	return c, nil
}

// maxMessage bounds what a node may send over a WebSocket at once, in bytes: a range of logs of a busy chain is some MiB.
const maxMessage = 64 << 20

// heads are the newest blocks per level, as one execution client and the op-node see them.
func (c *Chain) heads(ctx context.Context, e *endpoint) (heads, error) {
	if c.rollup == nil {
		return e.heads(ctx)
	}
	return c.rollup.headsBeside(ctx, e)
}

// Close ends the connections.
func (c *Chain) Close() {
	c.stop()
	<-c.watched
	c.rpc.Close()
	c.close()
}

func (c *Chain) close() {
	c.nodes.close()
	if c.rollup != nil {
		c.rollup.close()
	}
}

// Genesis is the block that the chain starts with.
func (c *Chain) Genesis() BlockRef {
	c.genesis.mu.Lock()
	defer c.genesis.mu.Unlock()
	return c.genesis.genesis
}

// ChainID is the id of the chain, checked for every node.
func (c *Chain) ChainID() uint64 { return c.cfg.ChainID }

// Client asks whichever node is in use, for typed calls (bindings, MUD reads).
func (c *Chain) Client() *ethclient.Client { return c.eth }

// Head is the newest block at a level, the zero BlockRef when there is none at that level.
func (c *Chain) Head(ctx context.Context, level Level) (b BlockRef, err error) {
	err = c.nodes.on(ctx, func(e *endpoint) error {
		h, err := c.heads(ctx, e)
		b = h.at(level)
		return err
	})
	return b, err
}

// BlockTime is the timestamp of the newest block, UNIX seconds: the clock that contracts compare deadlines with.
func (c *Chain) BlockTime(ctx context.Context) (uint64, error) {
	b, err := c.Head(ctx, Unsafe)
	return b.Time, err
}

// Balance is what an account holds of the chain's coin at the newest block, in its smallest unit.
func (c *Chain) Balance(ctx context.Context, account common.Address) (*big.Int, error) {
	var b hexutil.Big
	err := c.nodes.on(ctx, func(e *endpoint) error { return e.call(ctx, "balance", &b, "eth_getBalance", account, "latest") })
	if err != nil {
		return nil, err
	}
	return b.ToInt(), nil
}

// failed wraps an error of Client; one without a JSON-RPC code means that no node answered.
func (c *Chain) failed(during, method string, err error) error {
	c.metrics.rpcErrors.WithLabelValues(during).Inc()
	var coded rpc.Error
	if errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", method, err)
	}
	return fmt.Errorf("%s: %w: %w", method, err, ErrUnreachable)
}
