package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// endpoint is one execution client. What it says counts only after it has shown that it is of the right chain, and that is
// asked again after every new connection: behind the same address there may be another node by then.
type endpoint struct {
	name     string // host and port: addresses of hosted nodes carry keys in their paths
	url      string
	local    *Local   // instead of url: a client in this process
	secrets  []string // what of the address is not for logs, as it may stand in an error
	cfg      *Config
	metrics  *chainMetrics
	expected *identity
	verify   bool // receipts

	connects atomic.Uint64 // connections made so far, or suspected
	checked  atomic.Uint64 // value of connects at the last check of the chain

	dialMu sync.Mutex
	client *rpc.Client // nil: not connected yet

	// Guarded by the mutex of nodes.
	fault   Fault     // the last one, empty when it works
	strikes int       // faults in a row
	until   time.Time // not to be used before, if there is a choice
	seen    BlockRef  // its newest block, as the watch saw it
	moved   time.Time // since when seen is what it is
	alive   bool      // it answered the last probe
}

// identity is what all nodes of one chain agree on: the block a chain starts with. It comes from the op-node, or else from the
// first endpoint that answers.
type identity struct {
	mu      sync.Mutex
	genesis BlockRef // number and hash; a zero hash: not known yet
}

// localEndpoint is the client in this process.
func localEndpoint(cfg *Config, m *chainMetrics, id *identity) *endpoint {
	e := &endpoint{name: cfg.Local.Name, local: cfg.Local, cfg: cfg, metrics: m, expected: id, verify: cfg.VerifyReceipts, moved: time.Now()}
	e.connects.Store(1)
	return e
}

// newEndpoint does not connect. index tells endpoints on one host apart.
func newEndpoint(address string, index int, cfg *Config, m *chainMetrics, id *identity) (*endpoint, error) {
	e := &endpoint{url: address, cfg: cfg, metrics: m, expected: id, verify: cfg.VerifyReceipts, moved: time.Now()}
	e.connects.Store(1)
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: address %d is malformed", ErrConfig, index+1) // the error would show a key in it
	case u.Host != "":
		e.name = u.Host
		if len(u.RequestURI()) > 1 { // net/http hides a password, but no path
			e.secrets = append(e.secrets, u.RequestURI())
		}
		if u.User != nil {
			e.secrets = append(e.secrets, u.User.String())
		}
	default:
		e.name = filepath.Base(address)
	}
	return e, nil
}

func (e *endpoint) isHTTP() bool { return strings.HasPrefix(e.url, "http") }

// connect gives the connection. One over WebSocket or IPC that breaks is made anew by the client itself.
func (e *endpoint) connect(ctx context.Context) (*rpc.Client, error) {
	e.dialMu.Lock()
	defer e.dialMu.Unlock()
	if e.client != nil {
		return e.client, nil
	}
	if e.local != nil {
		e.client = e.local.Attach()
		return e.client, nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RequestTimeout)
	defer cancel()
	options := []rpc.ClientOption{rpc.WithWebsocketMessageSizeLimit(maxMessage)}
	if e.isHTTP() {
		dialer := &net.Dialer{Timeout: e.cfg.RequestTimeout}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			e.connects.Add(1)
			return dialer.DialContext(ctx, network, addr)
		}
		options = append(options, rpc.WithHTTPClient(&http.Client{Transport: transport}))
	}
	client, err := rpc.DialOptions(ctx, e.url, options...)
	if err != nil {
		e.metrics.rpcErrors.WithLabelValues("connect").Inc()
		return nil, fmt.Errorf("connect to %s: %w: %w", e.name, e.hide(err), ErrUnreachable)
	}
	e.client = client
	return client, nil
}

// hide takes the address, with a key that may be in it, out of an error.
func (e *endpoint) hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range e.secrets {
		text = strings.ReplaceAll(text, s, "…")
	}
	if text == err.Error() {
		return err
	}
	return hidden{err, text}
}

type hidden struct {
	error
	text string
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.error }

func (e *endpoint) close() {
	e.dialMu.Lock()
	defer e.dialMu.Unlock()
	if e.client != nil {
		e.client.Close()
	}
}

// suspect has the chain checked again before the next use.
func (e *endpoint) suspect() { e.connects.Add(1) }

func (e *endpoint) isChecked() bool { return e.checked.Load() == e.connects.Load() }

// ensure checks the chain if that has not been done over this connection.
func (e *endpoint) ensure(ctx context.Context) error {
	if e.isChecked() {
		return nil
	}
	return e.check(ctx)
}

// check refuses a node of another chain: by its id, and by the block that the chain starts with.
func (e *endpoint) check(ctx context.Context) error {
	before := e.connects.Load()
	e.expected.mu.Lock()
	genesis := e.expected.genesis
	e.expected.mu.Unlock()
	id, first, err := e.identify(ctx, genesis.Number)
	if err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("%s does not know its chain id: %w", e.name, ErrUnreachable)
	}
	if id != e.cfg.ChainID {
		return fmt.Errorf("%s has chain id %d, expected %d: %w", e.name, id, e.cfg.ChainID, ErrWrongChain)
	}
	b, ok := first.ref()
	if !ok {
		return fmt.Errorf("%s does not show block %d, which the chain starts with: %w", e.name, genesis.Number, ErrUnreachable)
	}
	e.expected.mu.Lock()
	if e.expected.genesis.Hash == (common.Hash{}) {
		e.expected.genesis = b
	}
	genesis = e.expected.genesis
	e.expected.mu.Unlock()
	if b.Hash != genesis.Hash {
		return fmt.Errorf("the chain of %s starts with %s, expected %s: %w", e.name, b.Hash, genesis.Hash, ErrWrongChain)
	}
	// This request may have opened one connection; any other one was not asked.
	e.checked.Store(min(e.connects.Load(), before+1))
	if !e.isHTTP() {
		e.checked.Store(before)
	}
	return nil
}

// identify asks for the chain id, 0 when the node does not know it, and for the block with a number.
func (e *endpoint) identify(ctx context.Context, number uint64) (uint64, *rpcHeader, error) {
	var first *rpcHeader
	if e.local != nil {
		first, err := e.local.byNumber(ctx, number)
		if err != nil {
			return 0, nil, e.failedHere("chain_id", "the first header", err)
		}
		if id := e.local.chainID(); id != nil && id.IsUint64() {
			return id.Uint64(), first, nil
		}
		return 0, first, nil
	}
	var id hexutil.Uint64
	batch := []rpc.BatchElem{
		{Method: "eth_chainId", Result: &id},
		{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(number), false}, Result: &first},
	}
	if err := e.batch(ctx, "chain_id", batch); err != nil {
		return 0, nil, err
	}
	for _, b := range batch {
		if b.Error != nil {
			return 0, nil, e.failed("chain_id", b.Method, b.Error)
		}
	}
	return uint64(id), first, nil
}

// call makes one request within RequestTimeout and counts its failure.
func (e *endpoint) call(ctx context.Context, during string, result any, method string, args ...any) error {
	client, err := e.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RequestTimeout)
	defer cancel()
	if err := client.CallContext(ctx, result, method, args...); err != nil {
		return e.failed(during, method, err)
	}
	return nil
}

func (e *endpoint) batch(ctx context.Context, during string, batch []rpc.BatchElem) error {
	client, err := e.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RequestTimeout)
	defer cancel()
	if err := client.BatchCallContext(ctx, batch); err != nil {
		return e.failed(during, batch[0].Method, err)
	}
	return nil
}

// failed wraps an error of the node; one without a JSON-RPC code means that the node did not answer.
func (e *endpoint) failed(during, method string, err error) error {
	e.metrics.rpcErrors.WithLabelValues(during).Inc()
	var coded rpc.Error
	if errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s of %s: %w", method, e.name, err)
	}
	e.suspect()
	return fmt.Errorf("%s of %s: %w: %w", method, e.name, e.hide(err), ErrUnreachable)
}

// failedHere is failed for a client in this process.
func (e *endpoint) failedHere(during, what string, err error) error {
	if errors.Is(err, errInconsistent) { // it answered
		return fmt.Errorf("%s of %s: %w", what, e.name, err)
	}
	return e.failed(during, what, err)
}
