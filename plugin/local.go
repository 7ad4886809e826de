package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/http"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
)

// Backend is what a feed reads of an execution client in the same process; *eth.EthAPIBackend of op-geth is one. What it gives is
// shared with the client: it is only read.
type Backend interface {
	ChainConfig() *params.ChainConfig
	// HeaderByNumber also knows the numbers that stand for latest, safe and finalized. A nil header: there is none.
	HeaderByNumber(context.Context, rpc.BlockNumber) (*types.Header, error)
	HeaderByHash(context.Context, common.Hash) (*types.Header, error)
	GetReceipts(ctx context.Context, block common.Hash) (types.Receipts, error)
	// SubscribeChainHeadEvent gives nil when the client is stopping. A subscriber that does not take an event holds the chain up.
	SubscribeChainHeadEvent(chan<- core.ChainHeadEvent) event.Subscription
}

// Local is an execution client in the same process. Heads, headers, receipts and logs come by calls of Backend; everything else, such
// as eth_call and transactions, over a connection without a socket. The same is checked as for a node that is reached by RPC.
type Local struct {
	Name    string // in logs and metrics
	Backend Backend
	// Attach gives a connection to the client's own JSON-RPC server. Each is closed by whoever asked for it.
	Attach func() *rpc.Client
}

var errNoHeader = errors.New("the client has no such header")

func (l *Local) check() error {
	if l.Name == "" || l.Backend == nil || l.Attach == nil {
		return fmt.Errorf("%w: a local client needs a name, a backend and a way to attach", ErrConfig)
	}
	return nil
}

// refOf makes what an answer to eth_getBlockByNumber would be read as.
func refOf(h *types.Header) *rpcHeader {
	if h == nil || h.Number == nil || !h.Number.IsUint64() {
		return nil
	}
	hash, number := h.Hash(), h.Number.Uint64()
	return &rpcHeader{
		Number: (*hexutil.Uint64)(&number), Hash: &hash, ParentHash: h.ParentHash, Time: hexutil.Uint64(h.Time), StateRoot: h.Root, header: h,
	}
}

// byNumber is the canonical block with a number, nil when there is none.
func (l *Local) byNumber(ctx context.Context, number uint64) (*rpcHeader, error) {
	if number > math.MaxInt64 {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := l.Backend.HeaderByNumber(ctx, rpc.BlockNumber(number))
	return refOf(h), err
}

// byTag are the newest blocks at all levels. A client that has none at a level says so with an error.
func (l *Local) byTag(ctx context.Context) (out [3]*rpcHeader, err error) {
	for i, tag := range [...]rpc.BlockNumber{rpc.LatestBlockNumber, rpc.SafeBlockNumber, rpc.FinalizedBlockNumber} {
		h, err := l.Backend.HeaderByNumber(ctx, tag)
		if err != nil && tag == rpc.LatestBlockNumber {
			return out, err
		}
		if err == nil {
			out[i] = refOf(h)
		}
	}
	return out, nil
}

// chainID is nil when the client does not know it.
func (l *Local) chainID() *big.Int {
	if c := l.Backend.ChainConfig(); c != nil {
		return c.ChainID
	}
	return nil
}

// logs of a block that a filter wants. The block's receipts are read only when its bloom filter says that there may be some.
func (l *Local) logs(ctx context.Context, f filter, h *types.Header) ([]types.Log, error) {
	out := []types.Log{}
	if !f.mayMatch(h.Bloom) {
		return out, nil
	}
	receipts, err := l.Backend.GetReceipts(ctx, h.Hash())
	if err != nil {
		return nil, err
	}
	if receipts == nil {
		return nil, fmt.Errorf("no receipts of block %d (%s): %w", h.Number, h.Hash(), errInconsistent)
	}
	for _, r := range receipts {
		for _, log := range r.Logs {
			if f.matches(log) {
				out = append(out, *log)
			}
		}
	}
	return out, nil
}

// logsOf are those of one block by hash, whether it is still canonical or not.
func (l *Local) logsOf(ctx context.Context, f filter, b BlockRef) ([]types.Log, error) {
	h, err := l.Backend.HeaderByHash(ctx, b.Hash)
	if err == nil && h == nil {
		err = fmt.Errorf("block %s is gone: %w", b, errInconsistent)
	}
	if err != nil {
		return nil, err
	}
	return l.logs(ctx, f, h)
}

// logsBetween are those of the canonical blocks from..to, both included.
func (l *Local) logsBetween(ctx context.Context, f filter, from, to uint64) ([]types.Log, error) {
	out := []types.Log{}
	for n := from; n <= to; n++ {
		h, err := l.byNumber(ctx, n)
		if err == nil && h == nil {
			err = fmt.Errorf("block %d: %w", n, errNoHeader)
		}
		if err != nil {
			return nil, err
		}
		logs, err := l.logs(ctx, f, h.header)
		if err != nil {
			return nil, err
		}
		out = append(out, logs...)
	}
	return out, nil
}

// subscribe says on woken that there is a new head, and drops that when nobody has looked at the one before: a feed asks for what it
// has missed. The chain waits for its subscribers while it imports a block, so that nothing else is done between two events.
func (l *Local) subscribe(woken chan<- json.RawMessage) (ethereum.Subscription, error) {
	heads := make(chan core.ChainHeadEvent, pushedHeads)
	sub := l.Backend.SubscribeChainHeadEvent(heads)
	if sub == nil {
		return nil, errors.New("the client is stopping")
	}
	return event.NewSubscription(func(quit <-chan struct{}) error {
		defer sub.Unsubscribe()
		for {
			select {
			case <-heads:
				select {
				case woken <- nil:
				default:
				}
			case err := <-sub.Err():
				return err
			case <-quit:
				return nil
			}
		}
	}), nil
}

// managerURL is an address that the transaction manager can ask for the chain id at its start: it dials by itself, and by addresses only.
// Everything after that goes through Chain.Client. done ends what is served here for a client in this process.
func (c *Chain) managerURL() (url string, done func(), err error) {
	e, _ := c.nodes.current()
	if e.local == nil {
		return e.url, func() {}, nil
	}
	server := rpc.NewServer()
	if err := server.RegisterName("eth", chainID(c.cfg.ChainID)); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	h := &http.Server{Handler: server, ReadHeaderTimeout: c.cfg.RequestTimeout}
	go func() { _ = h.Serve(l) }() // until done
	return "http://" + l.Addr().String(), func() {
		_ = h.Close() // nothing is lost
		server.Stop()
	}, nil
}

// chainID serves eth_chainId.
type chainID uint64

func (id chainID) ChainId() hexutil.Uint64 { return hexutil.Uint64(id) }
