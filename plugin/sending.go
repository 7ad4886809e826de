package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
)

// sent is the answer of the transaction manager for a job.
type sent struct {
	job *job
	txmgr.SendResponse
}

// flight is the set of jobs that the transaction manager has. A job joins when the pool has taken the one before it, so that the
// pool never has a gap in the nonces: a transaction behind a gap would sit there, to be mined after its job was sent
// again. When the manager gives up on one it forgets its nonces; nothing is sent until the others have ended too.
type flight struct {
	jobs   []*job // in the order of their nonces
	failed bool
	again  []*job // to be sent again when the others have ended
}

// open tells whether another job may join.
func (f *flight) open(limit int) bool {
	n := len(f.jobs)
	return !f.failed && n < limit && (n == 0 || f.jobs[n-1].isPublished())
}

// run is the only goroutine that sends.
func (s *Submitter) run() {
	defer close(s.done)
	defer close(s.results)
	answers := make(chan sent, s.cfg.MaxPending)
	f := &flight{}
	pause := minBackoff
	var retry <-chan time.Time // set while the node does not answer
	inclusion, stop := s.inclusionTick()
	defer stop()
	for {
		if f.failed && len(f.jobs) == 0 {
			s.requeue(f.again)
			f = &flight{}
		}
		j, closing := s.head()
		if closing && len(f.jobs) == 0 {
			s.refuseWaiting()
			return
		}
		if j == nil && len(f.jobs) == 0 { // the next one is tried in the ordinary way
			s.inclusion.reset()
			s.censored = false
		}
		ready := j != nil && !closing && retry == nil && f.open(s.cfg.MaxPending)
		if ready {
			switch early, err := s.send(f, j, answers); {
			case err == nil:
				pause = minBackoff
				continue
			case early: // wait for the answer of an earlier one
			case errors.Is(err, errPoolBusy):
				retry = time.After(s.cfg.Tx.ReceiptQueryInterval)
			default:
				s.log.Warn("could not simulate a transaction, trying again", "id", j.ID, "err", err, "pause", pause)
				retry, pause = time.After(pause), min(2*pause, maxBackoff)
			}
		}
		select {
		case a := <-answers:
			s.answered(f, a)
		case <-s.wake:
		case <-inclusion:
			s.checkInclusion(f)
		case <-retry:
			retry = nil
		case <-s.ctx.Done():
			f.failed = true // nothing new; what is sent answers soon
			if len(f.jobs) > 0 {
				s.answered(f, <-answers)
			}
		}
	}
}

func (s *Submitter) head() (j *job, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		j = s.waiting[0]
	}
	return j, s.closing
}

func (s *Submitter) dropHead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.Delete(s.waiting, 0, 1)
}

func (s *Submitter) requeue(jobs []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.Insert(s.waiting, 0, jobs...)
}

func (s *Submitter) refuseWaiting() {
	s.mu.Lock()
	jobs := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, j := range jobs {
		s.deliver(j, Result{TxHash: j.lastHash(), Err: fmt.Errorf("request %s: %w", j.ID, ErrClosed)})
	}
}

// send simulates the head of the queue and hands it to the transaction manager. With an error the job stays where it is: early says
// that it may work once the jobs before it are mined, otherwise the node did not answer.
func (s *Submitter) send(f *flight, j *job, answers chan<- sent) (early bool, err error) {
	if err := s.waitForPool(); err != nil {
		return false, err
	}
	if len(f.jobs) == 0 {
		if err := s.closeGap(); err != nil {
			return false, err
		}
	}
	if receipt := s.minedMeanwhile(j); receipt != nil { // since it was given up: its call would be refused for its own effect
		s.dropHead()
		s.included()
		s.deliver(j, s.receiptResult(j, receipt))
		return false, nil
	}
	if s.forces() {
		if len(f.jobs) > 0 {
			return true, errAlone
		}
		return false, s.startForced(f, j, answers)
	}
	gas, err := s.simulate(j)
	if err == nil {
		err = s.withinGasCap(gas)
	}
	if err == nil {
		err = s.affordable(j, gas)
	}
	switch {
	case isVerdict(err):
		if f.mayHelp(j, err) {
			return true, err
		}
		s.dropHead()
		s.deliver(j, Result{Err: fmt.Errorf("request %s: %w", j.ID, err)})
		return false, nil
	case err != nil:
		return false, err
	}
	s.dropHead()
	f.jobs = append(f.jobs, j)
	j.forced = false
	answer := make(chan txmgr.SendResponse, 1)
	// The manager gives the transaction its nonce before this returns.
	ctx, abort := context.WithCancel(context.WithValue(s.ctx, jobKey{}, j))
	j.abort = abort
	s.mgr.SendAsync(ctx, txmgr.TxCandidate{To: &j.To, TxData: j.Data, Value: j.value(), GasLimit: gas}, answer)
	go func() {
		defer abort()
		answers <- sent{j, <-answer}
	}()
	return false, nil
}

var (
	errPoolBusy = errors.New("transactions of a previous process are in the pool")
	errAlone    = errors.New("a deposit waits for everything before it")
)

// isVerdict tells whether an error is about the call, not about a node: it is the call's Result.
func isVerdict(err error) bool {
	return errors.Is(err, ErrReverted) || errors.Is(err, ErrInsufficientFunds) || errors.Is(err, ErrGasCap) || errors.Is(err, ErrFeeCap) ||
		errors.Is(err, ErrNotForced)
}

// withinGasCap refuses what would need more gas than one transaction of ours may have.
func (s *Submitter) withinGasCap(gas uint64) error {
	if gas <= s.cfg.GasCap {
		return nil
	}
	return fmt.Errorf("%d gas, at most %d: %w", gas, s.cfg.GasCap, ErrGasCap)
}

// waitForPool makes sure that simulation sees what a previous process of this account has sent.
func (s *Submitter) waitForPool() error {
	if s.poolClear {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	mined, err := s.chain.eth.NonceAt(ctx, s.From(), nil)
	if err != nil {
		return s.chain.failed("nonce", "nonce", err)
	}
	pending, err := s.chain.eth.PendingNonceAt(ctx, s.From())
	if err != nil {
		return s.chain.failed("nonce", "nonce", err)
	}
	if pending > mined {
		if time.Since(s.started) < s.cfg.PoolTimeout {
			return errPoolBusy
		}
		s.log.Warn("transactions of a previous process are not mined, replacing them", "count", pending-mined)
	}
	if s.l1 != nil {
		if err := s.waitForDeposits(); err != nil {
			return err
		}
	}
	s.poolClear = true
	return nil
}

// leaves notes a transaction that is about to be sent.
func (s *Submitter) leaves(tx *types.Transaction) {
	s.inclusion.leaves(tx)
	for n := tx.Nonce(); ; {
		next := s.nextNonce.Load()
		if n < next || s.nextNonce.CompareAndSwap(next, n+1) {
			return
		}
	}
}

// closeGap has the manager count nonces anew when transactions that were mined are neither in the chain nor in the pool any more: a
// reorganisation took them, and what is sent behind the gap would wait there for ever.
func (s *Submitter) closeGap() error {
	next := s.nextNonce.Load()
	if next == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	pending, err := s.chain.eth.PendingNonceAt(ctx, s.from)
	if err != nil {
		return s.chain.failed("nonce", "nonce", err)
	}
	if pending >= next {
		return nil
	}
	s.log.Warn("transactions that were sent are gone, as after a reorganisation: counting nonces anew", "next", next, "now", pending)
	fresh, err := s.newManager()
	if err != nil {
		return err
	}
	s.mgr.Close()
	s.mgr = fresh
	s.nextNonce.Store(pending)
	return nil
}

// gasMargin is added to an estimate, as the state may be another when the transaction is mined.
const gasMargin = 5 // a fifth

// withMargin keeps below the cap: what needs nearly as much as a transaction may have, as a proof may, is sent with that.
func (s *Submitter) withMargin(gas uint64) uint64 {
	return min(gas+gas/gasMargin, max(gas, s.cfg.GasCap))
}

// simulate gives the gas limit to send with.
func (s *Submitter) simulate(j *job) (gas uint64, err error) {
	defer j.simulated(time.Now())
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	msg := ethereum.CallMsg{From: s.From(), To: &j.To, Value: j.value(), Data: j.Data, Gas: j.GasLimit}
	if j.GasLimit != 0 {
		_, err = s.chain.eth.CallContract(ctx, msg, nil)
		gas = j.GasLimit
	} else {
		gas, err = s.chain.eth.EstimateGas(ctx, msg)
		gas = s.withMargin(gas)
	}
	return gas, s.simulated(err)
}

// simulated tells what an error of a simulation means.
func (s *Submitter) simulated(err error) error {
	if err == nil {
		return nil
	}
	if revert, ok := asRevert(err, s.cfg.DecodeRevert); ok {
		return revert
	}
	if isInsufficientFunds(err) {
		return fmt.Errorf("%s: %w: %w", s.From(), ErrInsufficientFunds, err)
	}
	return s.chain.failed("simulate", "simulation", err)
}

func (j *job) value() *big.Int {
	if j.Value == nil {
		return new(big.Int)
	}
	return j.Value
}

// answered takes a job out of the flight: delivered, or to be sent again.
func (s *Submitter) answered(f *flight, a sent) {
	i := slices.Index(f.jobs, a.job)
	f.jobs = slices.Delete(f.jobs, i, i+1)
	if a.job.forced {
		s.forcedAnswer(a.job, a)
		return
	}
	if a.Err == nil {
		s.included()
		s.deliver(a.job, s.receiptResult(a.job, a.Receipt))
		return
	}
	f.failed = true
	if receipt := s.minedMeanwhile(a.job); receipt != nil {
		s.included()
		s.deliver(a.job, s.receiptResult(a.job, receipt))
		return
	}
	if !s.patient() {
		a.job.attempts++
	}
	if s.ctx.Err() != nil {
		s.deliver(a.job, Result{TxHash: a.job.lastHash(), Err: fmt.Errorf("request %s: %w", a.job.ID, ErrClosed)})
		return
	}
	if err := a.job.fatalErr(); err != nil {
		s.deliver(a.job, Result{TxHash: a.job.lastHash(), Err: fmt.Errorf("request %s: %s: %w", a.job.ID, s.From(), err)})
		return
	}
	if a.job.attempts >= s.cfg.MaxAttempts {
		s.deliver(a.job, Result{TxHash: a.job.lastHash(), Err: fmt.Errorf("request %s: gave up after %d attempts: %w", a.job.ID, a.job.attempts, a.Err)})
		return
	}
	s.log.Warn("sending a transaction again", "id", a.job.ID, "forced", s.censored, "err", a.Err)
	s.chain.metrics.txs.WithLabelValues(txResent).Inc()
	a.job.restart()
	f.again = append(f.again, a.job)
	slices.SortFunc(f.again, func(a, b *job) int { return cmp.Compare(a.order, b.order) })
}

// minedMeanwhile looks for a receipt of any transaction that was signed for a job, so that none is sent twice. It asks
// until the node answers: not knowing is no reason to send again.
func (s *Submitter) minedMeanwhile(j *job) *types.Receipt {
	pause := minBackoff
	for _, hash := range j.allHashes() {
		for s.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
			receipt, err := s.chain.eth.TransactionReceipt(ctx, hash)
			cancel()
			if err == nil {
				return receipt
			}
			if errors.Is(err, ethereum.NotFound) {
				break
			}
			s.log.Warn("could not ask for a receipt, trying again", "id", j.ID, "tx", hash, "err", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
			pause = min(2*pause, maxBackoff)
		}
	}
	return nil
}

// patient tells whether a job is kept that the transaction manager gave up: it will be forced, or it is too early to tell.
func (s *Submitter) patient() bool {
	if s.l1 == nil {
		return false
	}
	s.inclusion.mu.Lock()
	since := s.inclusion.since
	s.inclusion.mu.Unlock()
	return s.censored || (s.cfg.Force.After > 0 && !since.IsZero() && time.Since(since) < 2*s.cfg.Force.After)
}

// receiptResult tells whether a mined transaction had its effect, and if not, why: the call is repeated on the state
// before its block, which is where it ran unless transactions before it in the block matter.
func (s *Submitter) receiptResult(j *job, receipt *types.Receipt) Result {
	r := Result{TxHash: receipt.TxHash, Receipt: receipt}
	if receipt.Status == types.ReceiptStatusSuccessful {
		return r
	}
	revert := &RevertError{Mined: true}
	msg := ethereum.CallMsg{From: s.From(), To: &j.To, Value: j.value(), Data: j.Data, Gas: j.GasLimit}
	for _, block := range []*big.Int{new(big.Int).Sub(receipt.BlockNumber, common.Big1), receipt.BlockNumber} {
		ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
		_, err := s.chain.eth.CallContract(ctx, msg, block)
		cancel()
		if found, ok := asRevert(err, s.cfg.DecodeRevert); ok {
			revert.Data, revert.Reason = found.Data, found.Reason
			break
		}
	}
	if revert.Reason == "" {
		revert.Reason = fmt.Sprintf("the reason cannot be found out afterwards (gas used %d)", receipt.GasUsed)
	}
	r.Err = fmt.Errorf("request %s: %w", j.ID, revert)
	return r
}

func (j *job) allHashes() []common.Hash {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.hashes)
}

func (j *job) lastHash() common.Hash {
	j.mu.Lock()
	landing := j.landing
	j.mu.Unlock()
	if landing != (common.Hash{}) {
		return landing
	}
	if h := j.allHashes(); len(h) > 0 {
		return h[len(h)-1]
	}
	return common.Hash{}
}

// jobKey finds the job in the context that the transaction manager passes to its backend.
type jobKey struct{}

// recordingBackend is the node as the transaction manager sees it.
type recordingBackend struct {
	txmgr.ETHBackend
	timeout   time.Duration
	gasCap    uint64
	published func()                   // called when the pool took a job's transaction
	leaves    func(*types.Transaction) // called with every transaction that leaves
}

// Close leaves the connection open: it outlives the manager.
func (b *recordingBackend) Close() {}

// CallContract answers the manager's own simulation. The Submitter has simulated the call already; the manager would take a
// refusal for a fault of the node and repeat it for a minute.
func (b *recordingBackend) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, nil
}

// EstimateGas answers when a fee is bumped: the gas limit may rise with it, up to the cap.
func (b *recordingBackend) EstimateGas(ctx context.Context, msg ethereum.CallMsg) (uint64, error) {
	gas, err := b.ETHBackend.EstimateGas(ctx, msg)
	if err == nil && gas > b.gasCap {
		return 0, fmt.Errorf("%d gas, at most %d: %w", gas, b.gasCap, ErrGasCap)
	}
	return gas, err
}

// maxHashes bounds the fee bumps that are remembered per job.
const maxHashes = 64

// SendTransaction remembers the hash before the transaction leaves, and does not return before the node has answered, whatever
// becomes of ctx: a request that is given up may still arrive, after its job was sent again.
func (b *recordingBackend) SendTransaction(ctx context.Context, tx *types.Transaction) error {
	j, isJob := ctx.Value(jobKey{}).(*job)
	if isJob {
		j.sending(tx)
	}
	b.leaves(tx)
	answered, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	err := b.ETHBackend.SendTransaction(answered, tx)
	switch {
	case !isJob:
	case err == nil || isKnown(err):
		j.setPublished()
		b.published()
	case isInsufficientFunds(err):
		j.setFatal(fmt.Errorf("%w: %w", ErrInsufficientFunds, err))
		j.abort() // the manager would try for TxNotInMempoolTimeout, with everything behind it waiting
	}
	return err
}

func isInsufficientFunds(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "insufficient funds")
}

// isKnown tells whether the pool has the transaction already.
func isKnown(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, txpool.ErrAlreadyKnown.Error()) || strings.Contains(text, alreadyInAnvil)
}

func (j *job) sending(tx *types.Transaction) {
	j.mu.Lock()
	defer j.mu.Unlock()
	nonce := tx.Nonce()
	j.nonce = &nonce
	j.hashes = remember(j.hashes, tx.Hash())
}

// sendingL1 is sending for a transaction on L1.
func (j *job) sendingL1(hash common.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.l1 = remember(j.l1, hash)
}

func remember(hashes []common.Hash, hash common.Hash) []common.Hash {
	if slices.Contains(hashes, hash) {
		return hashes
	}
	hashes = append(hashes, hash)
	return slices.Delete(hashes, 0, max(0, len(hashes)-maxHashes))
}

func (j *job) lastNonce() (nonce uint64, sent bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.nonce == nil {
		return 0, false
	}
	return *j.nonce, true
}

func (j *job) l1Hashes() []common.Hash {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.l1)
}

func (j *job) forcedBy(on *types.Receipt, tx common.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fee := new(big.Int)
	if on.EffectiveGasPrice != nil {
		fee.Mul(on.EffectiveGasPrice, new(big.Int).SetUint64(on.GasUsed))
	}
	j.deposit, j.landing = &Forced{L1Tx: on.TxHash, L1Gas: on.GasUsed, L1Fee: fee}, tx
}

func (j *job) forcedResult() *Forced {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.deposit
}

func (j *job) setPublished() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.published {
		j.at[2] = time.Now()
	}
	j.published = true
}

// simulated notes a simulation that began at start and ends now.
func (j *job) simulated(start time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at = [3]time.Time{start, time.Now()}
}

func (j *job) restart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.published = false
}

func (j *job) isPublished() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.published
}

func (j *job) setFatal(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fatal = err
}

func (j *job) fatalErr() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fatal
}
