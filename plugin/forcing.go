package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// Forced is what it took to send a call through L1.
type Forced struct {
	L1Tx  common.Hash // the transaction that made the deposit
	L1Gas uint64      // what it used, with what the portal burnt for gas on the L2
	L1Fee *big.Int    // and what that cost, in wei
}

const (
	// builtWithout is how many blocks the L2 must have built since a transaction was sent before its absence means anything.
	builtWithout = 3
	// pendingDeposits is how many blocks of L1 are searched at the start for deposits of a process that ended.
	pendingDeposits = 256
	// remindForced is how often it is said that a deposit is still not on the L2.
	remindForced = time.Minute
	// maxForceAttempts bounds how often a deposit is tried that L1 does not take; one that L1 lost is sent again without bound.
	maxForceAttempts = 3
)

// inclusion tells whether the L2 takes what is sent: since when there is something in its pool, or refused by it, and which block was the
// newest then.
type inclusion struct {
	mu     sync.Mutex
	since  time.Time // zero: nothing was sent after the last one was mined
	feeCap *big.Int  // of the newest transaction
	block  uint64
	known  bool // block
}

func (i *inclusion) leaves(tx *types.Transaction) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.since.IsZero() {
		i.since = time.Now()
	}
	i.feeCap = tx.GasFeeCap()
}

func (i *inclusion) reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.since, i.known = time.Time{}, false
}

// refused tells whether transactions are left out of blocks that are built. One that offers less than a block's base fee cannot be in it.
func (i *inclusion) refused(head *types.Header, after time.Duration) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.since.IsZero():
		return false
	case head.BaseFee != nil && i.feeCap.Cmp(head.BaseFee) < 0, !i.known:
		if i.known {
			i.since = time.Now()
		}
		i.block, i.known = head.Number.Uint64(), true
		return false
	}
	return time.Since(i.since) >= after && head.Number.Uint64() >= i.block+builtWithout
}

// inclusionTick is how often it is looked whether the L2 takes what is sent.
func (s *Submitter) inclusionTick() (tick <-chan time.Time, stop func()) {
	after := s.cfg.Force.After
	if s.l1 == nil || after == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(min(max(after/8, 50*time.Millisecond), 5*time.Second))
	return t.C, t.Stop
}

// forces tells whether the next request goes through L1.
func (s *Submitter) forces() bool { return s.l1 != nil && (s.cfg.Force.Always || s.censored) }

// checkInclusion finds out whether the sequencer leaves our transactions out, and gives up those that are under way: they are forced.
// Not knowing is no reason to.
func (s *Submitter) checkInclusion(f *flight) {
	if s.forces() || len(f.jobs) == 0 || f.failed {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	head, err := s.chain.eth.HeaderByNumber(ctx, nil)
	if err != nil || !s.inclusion.refused(head, s.cfg.Force.After) {
		return
	}
	next, err := s.chain.eth.NonceAt(ctx, s.from, nil)
	if err != nil {
		return
	}
	oldest := f.jobs[0]
	if nonce, sent := oldest.lastNonce(); sent && next < nonce {
		s.log.Warn("a transaction waits behind a gap in the nonces, as after a reorganisation: it is made anew", "id", oldest.ID, "nonce", nonce, "next", next)
		s.inclusion.reset()
	} else {
		s.censored = true
		s.chain.metrics.censored.Set(1)
		s.log.Error("The sequencer builds blocks without our transactions: they are sent through L1", "oldest", oldest.ID, "waiting", time.Since(oldest.since).Round(time.Second),
			"block", head.Number, "do", "nothing for now; find out whether the node at --l2-eth-rpc or the sequencer drops them, or use another node")
	}
	f.failed = true
	for _, j := range f.jobs {
		j.abort()
	}
}

// included notes that the L2 took a transaction in the ordinary way.
func (s *Submitter) included() {
	s.inclusion.reset()
	if s.censored {
		s.log.Info("The sequencer takes our transactions again")
	}
	s.censored = false
	s.chain.metrics.censored.Set(0)
}

// simulateForced gives the call as a deposit: what it needs on the L2 is paid from the balance there, and minted as far as that is too low.
func (s *Submitter) simulateForced(j *job) (c forcedCall, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	c = forcedCall{to: j.To, value: j.value(), data: j.Data, gas: j.GasLimit, mint: new(big.Int)}
	if len(j.Data) > maxDepositData {
		return c, fmt.Errorf("the portal takes %d bytes of calldata, this call has %d: %w", maxDepositData, len(j.Data), ErrNotForced)
	}
	balance, err := s.chain.eth.BalanceAt(ctx, s.from, nil)
	if err != nil {
		return c, s.chain.failed("simulate", "balance", err)
	}
	call := map[string]any{"from": s.from, "to": j.To, "value": (*hexutil.Big)(c.value), "data": hexutil.Bytes(j.Data)}
	args := []any{call, "latest"}
	if balance.Cmp(c.value) < 0 {
		c.mint.Sub(c.value, balance)
		args = append(args, map[common.Address]any{s.from: map[string]any{"balance": (*hexutil.Big)(c.value)}})
	}
	if j.GasLimit != 0 {
		call["gas"] = hexutil.Uint64(j.GasLimit)
		var out hexutil.Bytes
		err = s.chain.rpc.CallContext(ctx, &out, "eth_call", args...)
	} else {
		var gas hexutil.Uint64
		err = s.chain.rpc.CallContext(ctx, &gas, "eth_estimateGas", args...)
		c.gas = s.withMargin(uint64(gas))
	}
	c.gas = max(c.gas, depositGas(len(j.Data)))
	return c, s.simulated(err)
}

// startForced hands the head of the queue to L1. It is alone on its way: a deposit takes a nonce on the L2, and what it changes there is what
// the next call is simulated on.
func (s *Submitter) startForced(f *flight, j *job, answers chan<- sent) error {
	c, err := s.simulateForced(j)
	if err == nil {
		err = s.withinGasCap(c.gas)
	}
	if isVerdict(err) {
		s.dropHead()
		s.deliver(j, Result{Err: fmt.Errorf("request %s: %w", j.ID, err)})
		return nil
	}
	if err != nil {
		return err
	}
	s.dropHead()
	f.jobs = append(f.jobs, j)
	j.forced = true
	ctx, abort := context.WithCancel(context.WithValue(s.ctx, jobKey{}, j))
	j.abort = abort
	go func() {
		defer abort()
		receipt, err := s.force(ctx, j, c)
		answers <- sent{j, txmgr.SendResponse{Receipt: receipt, Err: err}}
	}()
	return nil
}

// force makes a deposit on L1 and follows it until its receipt is on the L2, however long that takes: what is on L1 will be there.
func (s *Submitter) force(ctx context.Context, j *job, c forcedCall) (*types.Receipt, error) {
	pause := minBackoff
	for attempt := 1; ; {
		if receipt := s.minedMeanwhile(j); receipt != nil {
			return receipt, nil
		}
		on, err := s.l1.mined(ctx, j.l1Hashes())
		if err == nil && on == nil {
			s.log.Info("forcing a transaction through L1", "id", j.ID, "portal", s.l1.portal, "gas", c.gas, "value", c.value, "mint", c.mint)
			on, err = s.l1.deposit(ctx, c)
		}
		if err == nil {
			receipt, err := s.landed(ctx, j, on)
			if !errors.Is(err, errLost) {
				return receipt, err
			}
			s.log.Warn("L1 has lost a deposit, as in a reorganisation: sending it again", "id", j.ID)
			s.chain.metrics.forced.WithLabelValues(forcedLost).Inc()
			if err := s.l1.recount(); err != nil {
				return nil, err
			}
			continue
		}
		if ctx.Err() != nil {
			return nil, ErrClosed
		}
		if attempt++; attempt > maxForceAttempts || errors.Is(err, ErrInsufficientFunds) || errors.Is(err, ErrFeeCap) {
			return nil, err
		}
		s.log.Warn("could not force a transaction through L1, trying again", "id", j.ID, "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxBackoff)
	}
}

// errLost means that L1 has no trace of a deposit any more.
var errLost = errors.New("the deposit is gone from L1")

// landed waits for the L2 to have what L1 has. The deposit's hash on the L2 changes when L1 moves it to another block.
func (s *Submitter) landed(ctx context.Context, j *job, on *types.Receipt) (*types.Receipt, error) {
	tick := time.NewTicker(s.cfg.Tx.ReceiptQueryInterval)
	defer tick.Stop()
	var candidates []common.Hash
	var block common.Hash
	began, asked, seen, said := time.Now(), time.Now(), time.Now(), time.Now()
	s.chain.metrics.onL1.Inc()
	defer s.chain.metrics.onL1.Dec()
	for {
		if on != nil && on.BlockHash != block {
			tx, err := DepositIn(on, s.l1.portal, s.from)
			if err != nil {
				return nil, err
			}
			block, candidates = on.BlockHash, append(candidates, tx.Hash())
			candidates = candidates[max(0, len(candidates)-maxHashes):]
			j.forcedBy(on, tx.Hash())
			s.log.Info("a forced transaction is on L1, the L2 has to take it", "id", j.ID, "l1tx", on.TxHash, "l1block", on.BlockNumber, "l1gas", on.GasUsed, "tx", tx.Hash())
		}
		for _, hash := range candidates {
			if receipt, err := s.receipt(ctx, hash); err == nil {
				s.chain.metrics.forcedDuration.Observe(time.Since(began).Seconds())
				return receipt, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ErrClosed
		}
		if time.Since(asked) < s.l1.cfg.PollInterval {
			continue
		}
		var err error
		asked = time.Now()
		on, err = s.l1.mined(ctx, j.l1Hashes())
		switch {
		case on != nil || err != nil: // not knowing is no loss
			seen = time.Now()
		case time.Since(seen) > s.l1.cfg.LostAfter:
			return nil, errLost
		}
		if time.Since(said) > remindForced {
			said = time.Now()
			s.log.Warn("a forced transaction is on L1 and not yet on the L2: the L2 stands still, or is far behind L1", "id", j.ID, "since", time.Since(began).Round(time.Second))
		}
	}
}

func (s *Submitter) receipt(ctx context.Context, hash common.Hash) (*types.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	return s.chain.eth.TransactionReceipt(ctx, hash)
}

// mined finds the receipt of any of the transactions; nil: none is in a block.
func (l *l1) mined(ctx context.Context, hashes []common.Hash) (*types.Receipt, error) {
	for _, hash := range hashes {
		asking, cancel := context.WithTimeout(ctx, l.timeout)
		receipt, err := l.eth.TransactionReceipt(asking, hash)
		cancel()
		switch {
		case err == nil && receipt.Status == types.ReceiptStatusSuccessful:
			return receipt, nil
		case err != nil && !errors.Is(err, ethereum.NotFound):
			return nil, fmt.Errorf("receipt on L1: %w", l.name.hide(err))
		}
	}
	return nil, nil
}

// forcedAnswer ends a job that went through L1. When the sequencer took the ordinary transaction before the deposit, that one had the
// effect, and the deposit's failure means nothing.
func (s *Submitter) forcedAnswer(j *job, a sent) {
	if s.mgr != nil {
		s.renewManager() // the deposit took a nonce that the manager counts on
	}
	if a.Err != nil {
		s.chain.metrics.forced.WithLabelValues(forcedFailed).Inc()
		s.deliver(j, Result{TxHash: j.lastHash(), Forced: j.forcedResult(), Err: fmt.Errorf("request %s: through L1: %w", j.ID, a.Err)})
		return
	}
	receipt := a.Receipt
	if receipt.Status != types.ReceiptStatusSuccessful {
		if other := s.minedMeanwhile(j); other != nil && other.Status == types.ReceiptStatusSuccessful {
			receipt = other
		}
	}
	r := s.receiptResult(j, receipt)
	if receipt.Type != types.DepositTxType {
		s.chain.metrics.forced.WithLabelValues(forcedNeedless).Inc()
		s.included()
		s.deliver(j, r)
		return
	}
	result := forcedSuccess
	if r.Err != nil {
		result = forcedReverted
	}
	s.chain.metrics.forced.WithLabelValues(result).Inc()
	r.Forced = j.forcedResult()
	s.deliver(j, r)
}

// renewManager counts nonces anew.
func (s *Submitter) renewManager() {
	fresh, err := s.newManager()
	if err != nil {
		s.log.Error("cannot count nonces anew", "err", err)
		return
	}
	s.mgr.Close()
	s.mgr = fresh
	s.nextNonce.Store(0)
}

// waitForDeposits makes sure that simulation sees what a previous process of this account has forced: a call that is on L1 and not yet on
// the L2 would be sent again.
func (s *Submitter) waitForDeposits() error {
	if time.Since(s.lookedAtL1) < s.l1.cfg.PollInterval {
		return errPoolBusy
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	first := s.lookedAtL1.IsZero()
	s.lookedAtL1 = time.Now()
	waited := time.Since(s.started)
	patience := max(s.cfg.PoolTimeout, l1TxDefaults.ResubmissionTimeout)
	found, err := s.l1.pending(ctx, pendingDeposits)
	if err != nil {
		if waited < patience {
			return err
		}
		s.log.Warn("cannot tell whether L1 has deposits of a previous process: a call that it forced may be sent a second time, and revert", "err", err)
		return nil
	}
	for _, tx := range found {
		if _, err := s.receipt(ctx, tx.Hash()); errors.Is(err, ethereum.NotFound) {
			if first {
				s.log.Warn("a deposit of this account is on L1 and not yet on the L2, as of a process that ended: waiting for it", "tx", tx.Hash())
			}
			return errPoolBusy
		} else if err != nil {
			return s.chain.failed("receipt", "receipt", err)
		}
	}
	mined, err := s.l1.eth.NonceAt(ctx, s.from, nil)
	if err != nil {
		return fmt.Errorf("nonce on L1: %w", s.l1.name.hide(err))
	}
	pending, err := s.l1.eth.PendingNonceAt(ctx, s.from)
	if err != nil {
		return fmt.Errorf("nonce on L1: %w", s.l1.name.hide(err))
	}
	if pending > mined && waited < patience {
		return errPoolBusy
	}
	return nil
}
