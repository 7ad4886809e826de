package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	opcrypto "github.com/ethereum-optimism/optimism/op-service/crypto"
	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	txmetrics "github.com/ethereum-optimism/optimism/op-service/txmgr/metrics"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"
)

// TxFlagDefaults are the defaults of the transaction flags for an L2: one confirmation, low fees, quick receipts.
var TxFlagDefaults = txmgr.DefaultFlagValues{
	NumConfirmations:          1,
	SafeAbortNonceTooLowCount: 3,
	FeeLimitMultiplier:        5,
	FeeLimitThresholdGwei:     1, // below it fees rise without a limit: far above what an L2 usually takes
	MinTipCapGwei:             0.001,
	MinBaseFeeGwei:            0.001,
	RebroadcastInterval:       4 * time.Second,
	ResubmissionTimeout:       12 * time.Second,
	NetworkTimeout:            10 * time.Second,
	RetryInterval:             500 * time.Millisecond,
	MaxRetries:                10,
	TxNotInMempoolTimeout:     time.Minute,
	// A transaction may be wedged behind one that a reorganisation took: after so long the call is made anew.
	TxSendTimeout:        2 * time.Minute,
	ReceiptQueryInterval: 500 * time.Millisecond,
	CellProofTime:        ^uint64(0),
	BlobTipCapPercentile: 60,
	BlobTipCapRange:      20,
}

// TxFlags are the transaction flags that op-stack services have (private-key, mnemonic, signer.*, txmgr.*), with our
// defaults. txmgr.ReadCLIConfig reads them.
func TxFlags(envPrefix string) []cli.Flag {
	return txmgr.CLIFlagsWithDefaults(envPrefix, TxFlagDefaults)
}

// SubmitterConfig of a Submitter.
type SubmitterConfig struct {
	// Tx is as of any op-stack service; its L1RPCURL is replaced by the chain's nodes. It names the key:
	// PrivateKey (hex), Mnemonic and HDPath, or SignerCLIConfig for a remote signer.
	Tx txmgr.CLIConfig
	// Signer signs for From with a key that is elsewhere; nil: Tx names the key.
	Signer opcrypto.SignerFactory
	From   common.Address
	// QueueSize bounds the requests that wait, are sent, or whose Result was not taken; 0: 256.
	QueueSize int
	// MaxPending bounds the transactions that are sent and not yet mined; 0: 16.
	MaxPending int
	// MaxAttempts is how often a request is sent again after the transaction manager gave up on it; 0: 3.
	MaxAttempts int
	// PoolTimeout is how long to wait for transactions of the same account that are in the pool at the start, left by
	// a process that ended; then they are replaced. 0: Tx.ResubmissionTimeout.
	PoolTimeout time.Duration
	// DecodeRevert reads the contracts' own errors; ok is false for data that it does not know. May be nil.
	DecodeRevert func(data []byte) (reason string, ok bool)
	// Metrics of the transaction manager; nil: none.
	Metrics txmetrics.TxMetricer
	// Force says when a transaction goes through L1.
	Force ForceConfig
	// GasCap is the highest gas limit of one transaction; 0: MaxTxGas.
	GasCap uint64
}

// Request is one call to send.
type Request struct {
	ID       string         // the caller's name for it; comes back in the Result
	To       common.Address // the contract
	Data     []byte
	Value    *big.Int // nil: 0
	GasLimit uint64   // 0: estimated, plus a fifth
	// Group names what the call belongs to, such as a channel: whether the contracts take it depends on no earlier call of another group. Calls
	// without one depend on all.
	Group string
}

// Result is what became of a Request. Err is nil when the transaction was mined with effect. Otherwise it is, or wraps,
// ErrReverted (a *RevertError), ErrInsufficientFunds, ErrGasCap, ErrFeeCap, ErrNotForced, ErrClosed, or what the transaction manager gave up with.
type Result struct {
	ID      string
	TxHash  common.Hash    // zero when nothing was sent
	Receipt *types.Receipt // nil when nothing was mined
	Forced  *Forced        // nil when it was not sent through L1
	Err     error
	// When its last simulation began and ended, and the pool took it; zero: it did not come so far.
	Simulating, Simulated, Published time.Time
}

var (
	// ErrQueueFull is returned by Submit when QueueSize requests are under way.
	ErrQueueFull = errors.New("too many transactions are under way: try again when results have come in")
	// ErrClosed is returned by Submit after Close, and in the Results of what Close cut short.
	ErrClosed = errors.New("the transaction queue is closed")
	// ErrUnderWay is returned by Submit for an ID that has no Result yet.
	ErrUnderWay = errors.New("a request with this id is under way")
	// ErrInsufficientFunds means that the account cannot pay value and fees.
	ErrInsufficientFunds = errors.New("the account that sends transactions cannot pay for this one: send it some of the chain's coin")
)

// ErrGasCap means that a call needs more gas than one transaction of ours may have.
var ErrGasCap = errors.New("the call needs more gas than --tx.gas-cap allows: raise it if the chain takes that much, or make the call smaller")

// Submitter sends calls from one account, in the order of Submit: their nonces follow that order. Its methods never wait
// for the chain.
//
// Up to MaxPending transactions are in the pool at a time. Each call is simulated before it is sent. When the simulation fails
// while earlier calls of its Group are pending, it may only be early: it is repeated when they are mined, so that an approve and the
// deposit that needs it can be submitted together. So it is when the account cannot pay, as any of them may bring money.
//
// With an L1 (ForceConfig) calls are sent as deposits there, one at a time: all of them, or when the L2 builds blocks and leaves ours out.
// Then the ordinary transaction and the deposit may both be mined. Whichever is first has the effect: a deposit takes the account's next
// nonce on the L2, so that the ordinary one is invalid afterwards; and the other way round the deposit reverts, because calls have their
// effect once. Calls that do not (buying a ticket, a plain transfer) must not be given to a Submitter that forces by policy.
//
// What is under way when the process ends is not remembered, but may be mined. The next Submitter of the account waits for that
// before it sends, on the L2 and on L1, so that a call that has its effect once, as every call of the protocol does, is refused by
// simulation when it is submitted again.
type Submitter struct {
	chain   *Chain
	cfg     SubmitterConfig
	from    common.Address
	log     log.Logger
	results chan Result

	ctx    context.Context // ends what is sent
	cancel context.CancelFunc
	wake   chan struct{} // there is something to do
	done   chan struct{} // the loop has ended, results is closed

	started time.Time
	// Used by the loop only, and by Close after it.
	mgr        *txmgr.SimpleTxManager
	newManager func() (*txmgr.SimpleTxManager, error)
	poolClear  bool // nothing of a previous process is in the pool
	censored   bool // the sequencer leaves our transactions out

	l1         *l1       // nil: nothing is forced
	lookedAtL1 time.Time // for deposits of a previous process
	inclusion  inclusion

	nextNonce atomic.Uint64 // behind the highest that was sent

	mu      sync.Mutex
	waiting []*job          // in the order of Submit
	ids     map[string]bool // under way
	order   uint64          // of the next job
	closing bool
}

// job is a Request on its way.
type job struct {
	Request
	order    uint64
	since    time.Time
	attempts int
	answer   chan<- Result // nil: Results
	abort    context.CancelFunc
	forced   bool // through L1

	mu        sync.Mutex
	hashes    []common.Hash // of every transaction that was signed for it
	nonce     *uint64       // of the last one
	l1        []common.Hash // of those on L1
	deposit   *Forced       // what is on L1
	landing   common.Hash   // and its transaction on the L2
	published bool          // the pool took one of them
	at        [3]time.Time  // Simulating, Simulated, Published of its Result
	fatal     error         // why trying on is useless
}

// alreadyInAnvil is what anvil says where geth says "already known".
const alreadyInAnvil = "transaction already imported"

// NewSubmitter checks the key and starts sending.
func NewSubmitter(chain *Chain, cfg SubmitterConfig) (*Submitter, error) {
	if cfg.QueueSize == 0 {
		cfg.QueueSize = 256
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 16
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 3
	}
	if cfg.PoolTimeout == 0 {
		cfg.PoolTimeout = cfg.Tx.ResubmissionTimeout
	}
	if cfg.GasCap == 0 {
		cfg.GasCap = MaxTxGas
	}
	if err := cfg.Force.Check(); err != nil {
		return nil, err
	}
	if cfg.QueueSize < 1 || cfg.MaxPending < 1 || cfg.MaxAttempts < 1 {
		return nil, fmt.Errorf("%w: queue of %d, %d pending, %d attempts", ErrConfig, cfg.QueueSize, cfg.MaxPending, cfg.MaxAttempts)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = new(txmetrics.NoopTxMetrics)
	}
	node, _ := chain.nodes.current()
	url, served, err := chain.managerURL()
	if err != nil {
		return nil, fmt.Errorf("transaction manager: %w", err)
	}
	defer served()
	cfg.Tx.L1RPCURL = url
	cfg.Tx.AlreadyPublishedCustomErrs = append(slices.Clone(cfg.Tx.AlreadyPublishedCustomErrs), alreadyInAnvil)
	if cfg.Signer == nil && cfg.Tx.PrivateKey == "" && cfg.Tx.Mnemonic == "" && !cfg.Tx.SignerCLIConfig.Enabled() {
		return nil, fmt.Errorf("%w: no key to send transactions with: give a private key, a mnemonic or a remote signer", ErrConfig)
	}
	txCfg, err := cfg.manager(cfg.Tx, chain.log)
	if err != nil {
		return nil, fmt.Errorf("transaction manager: %w", node.hide(err))
	}
	if txCfg.ChainID.Cmp(new(big.Int).SetUint64(chain.cfg.ChainID)) != 0 {
		txCfg.Backend.Close()
		return nil, fmt.Errorf("transactions would go to chain %s, expected %d: %w", txCfg.ChainID, chain.cfg.ChainID, ErrWrongChain)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Submitter{
		chain: chain, cfg: cfg, results: make(chan Result, cfg.QueueSize), ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		done: make(chan struct{}), ids: make(map[string]bool), started: time.Now(),
	}
	txCfg.Backend.Close() // it is of one node
	txCfg.Backend = &recordingBackend{chain.eth, chain.cfg.RequestTimeout, s.cfg.GasCap, s.signal, s.leaves}
	s.newManager = func() (*txmgr.SimpleTxManager, error) {
		m, err := txmgr.NewSimpleTxManagerFromConfig("op-channels", chain.log, cfg.Metrics, txCfg)
		if err != nil {
			return nil, fmt.Errorf("transaction manager: %w", err)
		}
		return m, nil
	}
	if s.mgr, err = s.newManager(); err != nil {
		cancel()
		return nil, err
	}
	s.from = s.mgr.From()
	s.log = chain.log.New("from", s.from)
	if cfg.Force.L1RPC != "" {
		if s.l1, err = dialL1(ctx, chain, &cfg); err != nil {
			cancel()
			return nil, err
		}
		s.log.Info("transactions can be forced through L1", "l1", s.l1.chainID, "portal", s.l1.portal, "always", cfg.Force.Always, "after", cfg.Force.After)
	}
	go s.run()
	return s, nil
}

// manager is how a transaction manager is set up that signs with our key, on whichever chain tx names.
func (c *SubmitterConfig) manager(tx txmgr.CLIConfig, logger log.Logger) (*txmgr.Config, error) {
	tx.PrivateKey, tx.Mnemonic, tx.HDPath, tx.SignerCLIConfig = c.Tx.PrivateKey, c.Tx.Mnemonic, c.Tx.HDPath, c.Tx.SignerCLIConfig
	if c.Signer == nil {
		return txmgr.NewConfig(tx, logger)
	}
	unused, err := crypto.GenerateKey() // it wants some key to start with
	if err != nil {
		return nil, err
	}
	tx.PrivateKey, tx.Mnemonic, tx.SignerCLIConfig = hexutil.Encode(crypto.FromECDSA(unused)), "", opsigner.CLIConfig{}
	cfg, err := txmgr.NewConfig(tx, logger)
	if err == nil {
		cfg.Signer, cfg.From = c.Signer(cfg.ChainID), c.From
	}
	return cfg, err
}

// From is the account that sends.
func (s *Submitter) From() common.Address { return s.from }

// Results gives one Result per accepted Request, in the order in which they end. It is closed by Close.
func (s *Submitter) Results() <-chan Result { return s.results }

// Submit takes a request and returns at once; its Result comes through Results.
func (s *Submitter) Submit(r Request) error { return s.submit(r, nil) }

// Send submits a request and waits for its Result, which does not come through Results. When ctx ends first the request stays under
// way.
func (s *Submitter) Send(ctx context.Context, r Request) (Result, error) {
	answer := make(chan Result, 1)
	if err := s.submit(r, answer); err != nil {
		return Result{ID: r.ID}, err
	}
	select {
	case result := <-answer:
		return result, result.Err
	case <-ctx.Done():
		return Result{ID: r.ID}, fmt.Errorf("request %s: %w", r.ID, ctx.Err())
	}
}

func (s *Submitter) submit(r Request, answer chan<- Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return fmt.Errorf("submit %s: %w", r.ID, ErrClosed)
	case s.ids[r.ID]:
		return fmt.Errorf("submit %s: %w", r.ID, ErrUnderWay)
	case len(s.ids)+len(s.results) >= s.cfg.QueueSize:
		return fmt.Errorf("submit %s: %w", r.ID, ErrQueueFull)
	}
	s.ids[r.ID] = true
	s.waiting = append(s.waiting, &job{Request: r, order: s.order, since: time.Now(), answer: answer})
	s.order++
	s.chain.metrics.txPending.Inc()
	s.signal()
	return nil
}

func (s *Submitter) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Balance is what the sending account holds.
func (s *Submitter) Balance(ctx context.Context) (*big.Int, error) {
	return s.chain.Balance(ctx, s.From())
}

// Close takes no more requests, gives up those that were not sent, waits for the others until ctx ends, then gives them
// up too. All Results are delivered before it returns, and Results is closed.
func (s *Submitter) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.signal()
	s.mu.Unlock()
	defer func() {
		s.mgr.Close()
		if s.l1 != nil {
			s.l1.close()
		}
	}()
	defer s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return fmt.Errorf("close: %w", ctx.Err())
	}
}

// deliver ends a job. There is room: every job has held a place in the queue.
func (s *Submitter) deliver(j *job, r Result) {
	r.ID = j.ID
	j.mu.Lock()
	r.Simulating, r.Simulated, r.Published = j.at[0], j.at[1], j.at[2]
	j.mu.Unlock()
	result := txSuccess
	var revert *RevertError
	switch {
	case r.Err == nil:
		s.chain.metrics.txDuration.Observe(time.Since(j.since).Seconds())
		s.log.Info("transaction mined", "id", j.ID, "tx", r.TxHash, "block", r.Receipt.BlockNumber, "gas", r.Receipt.GasUsed, "forced", r.Forced != nil)
	case errors.As(r.Err, &revert) && revert.Mined:
		result = txReverted
	case r.TxHash == common.Hash{}:
		result = txRefused
	default:
		result = txFailed
	}
	if r.Err != nil {
		s.log.Warn("transaction without effect", "id", j.ID, "tx", r.TxHash, "err", r.Err)
	}
	if r.Receipt != nil && r.Receipt.L1Fee != nil {
		fee, _ := new(big.Float).SetInt(r.Receipt.L1Fee).Float64()
		s.chain.metrics.l1Fee.Add(fee)
	}
	s.chain.metrics.txs.WithLabelValues(result).Inc()
	s.chain.metrics.txPending.Dec()
	s.mu.Lock()
	delete(s.ids, j.ID)
	if j.answer != nil {
		j.answer <- r
	} else {
		s.results <- r
	}
	s.mu.Unlock()
}

// mayHelp tells whether a refusal of a call may be over when what is pending is mined.
func (f *flight) mayHelp(j *job, err error) bool {
	return slices.ContainsFunc(f.jobs, func(before *job) bool {
		return j.Group == "" || before.Group == "" || before.Group == j.Group || errors.Is(err, ErrInsufficientFunds)
	})
}
