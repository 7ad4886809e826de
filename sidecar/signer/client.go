// Package signer asks a remote signer for signatures over the protocol's messages, so that a key need not lie beside the
// sidecar.
//
// A message goes out as the typed data of EIP-712, whole, so that the signer can show what it signs and restrict it: an
// attestor's to Attestation, an owner's to Join, both to one chain and one adjudicator. What comes back counts only if it is
// this key's signature over this message, in the one form that the contracts take. It may come late or never: whoever asks
// must not wait for it with anything else.
package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
)

// Auto tries the methods one after the other until the signer knows one.
const Auto = "auto"

// The JSON-RPC methods by which signers sign typed data, in the order of Auto. Web3Signer takes the data as a text, the
// others as an object.
const (
	methodV4         = "eth_signTypedData_v4"
	methodClef       = "account_signTypedData"
	methodWeb3Signer = "eth_signTypedData"
)

// Methods are those that Config.Method may name beside Auto.
var Methods = []string{methodV4, methodClef, methodWeb3Signer}

// Config says where a key is.
type Config struct {
	opsigner.CLIConfig        // endpoint, address, headers, TLS: as for op-service's signer
	Method             string // Auto, or one of Methods
}

// Check finds what cannot work.
func (c Config) Check() error {
	if err := c.CLIConfig.Check(); err != nil || !c.Enabled() {
		return err
	}
	if !common.IsHexAddress(c.CLIConfig.Address) || c.KeyAddress() == (common.Address{}) {
		return fmt.Errorf("the signer's address %q is none: give the address of the key that it holds", c.CLIConfig.Address)
	}
	if c.Method != "" && c.Method != Auto && !slices.Contains(Methods, c.Method) {
		return fmt.Errorf("no signer is asked by %q: give %s or one of %s", c.Method, Auto, strings.Join(Methods, ", "))
	}
	return checkEndpoint(c.Endpoint, c.TLSConfig.Enabled)
}

// KeyAddress is that of the key; zero without one.
func (c Config) KeyAddress() common.Address {
	if !c.Enabled() {
		return common.Address{}
	}
	return common.HexToAddress(c.CLIConfig.Address)
}

const (
	maxConcurrent = 16               // questions at a time
	attempts      = 3                // of one Sign
	patience      = 10 * time.Second // for one answer
	overall       = 45 * time.Second // for one Sign, with waiting for a place among the concurrent ones
	firstPause    = 250 * time.Millisecond
	probeEvery    = 15 * time.Second
	methodUnknown = -32601 // of JSON-RPC
)

// Client speaks for one key that a remote signer holds.
type Client struct {
	key     string // "attestor" or "owner": in metrics, logs and texts
	address common.Address
	log     log.Logger
	metrics *Metrics
	rpc     *rpc.Client
	stop    func()
	slots   chan struct{}
	close   context.CancelFunc
	done    chan struct{}

	methods []string
	method  atomic.Int32 // index of the one that worked last

	mu     sync.Mutex
	down   string    // why it cannot be reached, for everybody; empty: it can
	denied string    // why it did not sign what it was asked last
	at     time.Time // when it did not
	said   string    // what was logged last
}

// New makes a client. It connects to nothing: a signer that is down keeps nobody from starting.
func New(cfg Config, key string, logger log.Logger, metrics *Metrics) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("signer of the %s key: %w", key, err)
	}
	httpClient, stop, err := newHTTP(cfg.TLSConfig, logger)
	if err != nil {
		return nil, fmt.Errorf("signer of the %s key: %w", key, err)
	}
	c, err := rpc.DialOptions(context.Background(), cfg.Endpoint, rpc.WithHTTPClient(httpClient), rpc.WithHeaders(cfg.Headers))
	if err != nil {
		stop()
		return nil, fmt.Errorf("signer of the %s key: %w", key, hide(err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Client{
		key: key, address: cfg.KeyAddress(), log: logger.New("key", key, "address", cfg.KeyAddress()), metrics: metrics, rpc: c, stop: stop,
		slots: make(chan struct{}, maxConcurrent), close: cancel, done: make(chan struct{}), methods: Methods, down: notYet,
	}
	if cfg.Method != "" && cfg.Method != Auto {
		s.methods = []string{cfg.Method}
	}
	metrics.begin(key)
	go s.watch(ctx)
	return s, nil
}

// Close ends it; questions under way end with their context.
func (s *Client) Close() {
	s.close()
	<-s.done
	s.rpc.Close()
	s.stop()
}

// Address is the key's.
func (s *Client) Address() common.Address { return s.address }

// Sign asks for a signature. It waits for the signer, tries again when it does not answer, and takes at most 45 seconds; the
// error is a *channel.Refusal with the code signer or signature, or ctx's.
func (s *Client) Sign(ctx context.Context, r Request) (channel.Signature, error) {
	s.metrics.pending.WithLabelValues(s.key).Inc()
	defer s.metrics.pending.WithLabelValues(s.key).Dec()
	start := time.Now()
	data, err := r.TypedData()
	if err != nil {
		return channel.Signature{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, overall)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) { // nobody wants it any more
			return channel.Signature{}, ctx.Err()
		}
		s.count(resultBusy)
		return channel.Signature{}, channel.Refuse(channel.CodeSigner, "the signer of the %s key is too slow for all that waits for it: it is asked again", s.key)
	}
	sig, err := s.persist(ctx, r.Digest(), data)
	if err == nil {
		s.metrics.seconds.WithLabelValues(s.key).Observe(time.Since(start).Seconds())
	}
	return sig, err
}

// persist tries again what had no answer. A signer that refuses, or answers wrongly, is not pressed.
func (s *Client) persist(ctx context.Context, digest common.Hash, data []byte) (sig channel.Signature, err error) {
	pause := firstPause
	for try := 1; ; try++ {
		var f *fault
		if sig, f = s.once(ctx, digest, data); f == nil {
			s.count(resultSigned)
			s.signs("")
			return sig, nil
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return channel.Signature{}, ctx.Err()
		}
		s.count(f.result)
		s.fails(f)
		if f.result != resultUnreachable || try == attempts || ctx.Err() != nil {
			return channel.Signature{}, f.refusal(s.key)
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return channel.Signature{}, f.refusal(s.key)
		}
	}
}

// fault is why there is no signature.
type fault struct {
	result string
	err    error
}

func (f *fault) refusal(key string) *channel.Refusal {
	switch f.result {
	case resultInvalid:
		return channel.Refuse(channel.CodeSignature, "the signer of the %s key answers with what is no signature of it: %s: check its address and what the signer holds", key, clip(f.err))
	case resultRefused:
		return channel.Refuse(channel.CodeSigner, "the signer of the %s key refuses: %s: check its rules and its log", key, clip(f.err))
	}
	return channel.Refuse(channel.CodeSigner, "the signer of the %s key does not answer: %s: it is asked again", key, clip(f.err))
}

// clip bounds and quotes what others wrote.
func clip(err error) string {
	const most = 200
	text := err.Error()
	return fmt.Sprintf("%q", text[:min(len(text), most)])
}

// once asks by each method until the signer knows one.
func (s *Client) once(ctx context.Context, digest common.Hash, data []byte) (sig channel.Signature, f *fault) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, method := range s.order() {
		var answer string
		err := s.rpc.CallContext(ctx, &answer, method, s.address, argument(method, data))
		var unknown rpc.Error
		if errors.As(err, &unknown) && unknown.ErrorCode() == methodUnknown {
			f = &fault{resultRefused, fmt.Errorf("it does not know %s", strings.Join(s.methods, ", "))}
			continue
		}
		if err != nil {
			return sig, classify(err)
		}
		if sig, err = read(answer, digest, s.address); err != nil {
			return sig, &fault{resultInvalid, err}
		}
		s.method.Store(int32(slices.Index(s.methods, method)))
		return sig, nil
	}
	return sig, f
}

// order is the methods with the one that worked last at the front.
func (s *Client) order() []string {
	known := s.method.Load()
	if known <= 0 {
		return s.methods
	}
	return append([]string{s.methods[known]}, slices.Delete(slices.Clone(s.methods), int(known), int(known)+1)...)
}

func argument(method string, data []byte) any {
	if method == methodWeb3Signer {
		return string(data)
	}
	return json.RawMessage(data)
}

// read takes 65 bytes with v 0, 1, 27 or 28 and low s that are the key's signature over the digest, and nothing else.
func read(answer string, digest common.Hash, key common.Address) (channel.Signature, error) {
	raw, err := hexutil.Decode(answer)
	if err != nil {
		return channel.Signature{}, fmt.Errorf("%w: it is not in hex", channel.ErrSignature)
	}
	if len(raw) == len(channel.Signature{}) && raw[64] < 2 {
		raw[64] += 27
	}
	sig, err := channel.ParseSignature(raw)
	if err != nil {
		return channel.Signature{}, err
	}
	return sig, sig.Verify(digest, key)
}

// classify tells who says no from who does not answer.
func classify(err error) *fault {
	var said rpc.Error
	var status rpc.HTTPError
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case errors.As(err, &said):
		return &fault{resultRefused, fmt.Errorf("%s (%d)", said.Error(), said.ErrorCode())}
	case errors.As(err, &status):
		if status.StatusCode >= 500 || status.StatusCode == http.StatusTooManyRequests {
			return &fault{resultUnreachable, errors.New(status.Status)}
		}
		return &fault{resultRefused, errors.New(status.Status)}
	case errors.As(err, &syntax), errors.As(err, &shape):
		return &fault{resultInvalid, err}
	}
	return &fault{resultUnreachable, hide(err)}
}

// hide leaves the address out of an error: it may hold a secret.
func hide(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
