package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
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
	// RPC is the node's JSON-RPC address: http(s), ws(s), or the path of an IPC socket. New heads are pushed over the
	// last two and asked for over the first.
	RPC string
	// ChainID that the node must have; another one is refused.
	ChainID uint64
	// PollInterval is how often a node without subscriptions is asked for its heads; 0: 1 s.
	PollInterval time.Duration
	// RequestTimeout bounds one request; 0: 10 s.
	RequestTimeout time.Duration
	// Logger; nil: the process's root logger.
	Logger log.Logger
	// Registerer of the op_channels_chain_* metrics; nil: they are kept and not shown.
	Registerer prometheus.Registerer
}

// Chain is a connection to a node of one chain. It is safe for concurrent use.
type Chain struct {
	cfg     Config
	rpc     *rpc.Client
	eth     *ethclient.Client
	log     log.Logger
	metrics *chainMetrics
}

var (
	// ErrWrongChain is returned when the node belongs to another chain than the configured one.
	ErrWrongChain = errors.New("the node belongs to another chain: check the RPC address and the chain id in the configuration")
	// ErrUnreachable is returned when the node does not answer.
	ErrUnreachable = errors.New("the L2 node does not answer: check that it runs and that the RPC address is right")
	// ErrConfig is returned for settings that cannot work.
	ErrConfig = errors.New("invalid chain configuration")
)

// Dial connects and refuses a node of another chain. It tries once: whoever starts before its node calls it again.
func Dial(ctx context.Context, cfg Config) (*Chain, error) {
	switch {
	case cfg.RPC == "":
		return nil, fmt.Errorf("%w: no RPC address", ErrConfig)
	case cfg.ChainID == 0:
		return nil, fmt.Errorf("%w: no chain id", ErrConfig)
	case cfg.PollInterval < 0 || cfg.RequestTimeout < 0:
		return nil, fmt.Errorf("%w: negative interval", ErrConfig)
	}
	if cfg.PollInterval == 0 {
		cfg.PollInterval = time.Second
	}
	if cfg.RequestTimeout == 0 {
		cfg.RequestTimeout = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = log.Root()
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, cfg.RequestTimeout)
	defer cancel()
	client, err := rpc.DialOptions(dialCtx, cfg.RPC, rpc.WithWebsocketMessageSizeLimit(maxMessage))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w: %w", cfg.RPC, err, ErrUnreachable)
	}
	c := &Chain{cfg: cfg, rpc: client, eth: ethclient.NewClient(client), log: cfg.Logger.New("module", "chain"), metrics: m}
	if err := c.checkChain(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return c, nil
}

// maxMessage bounds what a node may send over a WebSocket at once, in bytes: a range of logs of a busy chain is some MiB.
const maxMessage = 64 << 20

func (c *Chain) checkChain(ctx context.Context) error {
	var id hexutil.Uint64
	if err := c.call(ctx, "chain_id", &id, "eth_chainId"); err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("%s does not know its chain id: %w", c.cfg.RPC, ErrUnreachable)
	}
	if uint64(id) != c.cfg.ChainID {
		return fmt.Errorf("%s has chain id %d, expected %d: %w", c.cfg.RPC, uint64(id), c.cfg.ChainID, ErrWrongChain)
	}
	return nil
}

// call makes one request within RequestTimeout and counts its failure.
func (c *Chain) call(ctx context.Context, during string, result any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	if err := c.rpc.CallContext(ctx, result, method, args...); err != nil {
		return c.failed(during, method, err)
	}
	return nil
}

// failed wraps an error of the node; one without a JSON-RPC code means that the node did not answer.
func (c *Chain) failed(during, method string, err error) error {
	c.metrics.rpcErrors.WithLabelValues(during).Inc()
	var coded rpc.Error
	if errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", method, err)
	}
	return fmt.Errorf("%s: %w: %w", method, err, ErrUnreachable)
}

// Close ends the connection.
func (c *Chain) Close() { c.rpc.Close() }

// ChainID is the id of the chain, checked at Dial.
func (c *Chain) ChainID() uint64 { return c.cfg.ChainID }

// Client is the connection for typed calls (bindings, MUD reads).
func (c *Chain) Client() *ethclient.Client { return c.eth }

// Head is the node's newest block at a level, the zero BlockRef when the node has none at that level.
func (c *Chain) Head(ctx context.Context, level Level) (BlockRef, error) {
	h, err := c.heads(ctx)
	if err != nil {
		return BlockRef{}, err
	}
	return h.at(level), nil
}

// BlockTime is the timestamp of the newest block, UNIX seconds: the clock that contracts compare deadlines with.
func (c *Chain) BlockTime(ctx context.Context) (uint64, error) {
	b, err := c.Head(ctx, Unsafe)
	return b.Time, err
}

// Balance is what an account holds of the chain's coin at the newest block, in its smallest unit.
func (c *Chain) Balance(ctx context.Context, account common.Address) (*big.Int, error) {
	var b hexutil.Big
	if err := c.call(ctx, "balance", &b, "eth_getBalance", account, "latest"); err != nil {
		return nil, err
	}
	return b.ToInt(), nil
}
