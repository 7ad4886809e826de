package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	txmetrics "github.com/ethereum-optimism/optimism/op-service/txmgr/metrics"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
)

// ForceConfig says when transactions go through L1, where the L2's sequencer can delay but not drop them.
type ForceConfig struct {
	// L1RPC is the JSON-RPC address of an L1 execution client; empty: nothing is forced.
	L1RPC string
	// Portal is the OptimismPortal on L1; zero: the one that the op-node names.
	Portal common.Address
	// Always sends everything through L1.
	Always bool
	// After is how long the L2 may build blocks without a transaction of ours before what waits goes through L1; 0: for ever.
	After time.Duration
	// MaxBaseFeeGwei and MaxTipCapGwei bound what a unit of gas may cost on L1; 0: no bound.
	MaxBaseFeeGwei, MaxTipCapGwei float64
	// LostAfter is how long a deposit's transaction may be gone from L1 before it is sent again; 0: 15 s.
	LostAfter time.Duration
	// PollInterval is how often L1 is asked for a receipt; 0: 1 s.
	PollInterval time.Duration
}

// Check finds settings that cannot work.
func (c ForceConfig) Check() error {
	switch {
	case c.After < 0 || c.LostAfter < 0 || c.PollInterval < 0 || c.MaxBaseFeeGwei < 0 || c.MaxTipCapGwei < 0:
		return fmt.Errorf("%w: negative time or fee of what is forced through L1", ErrConfig)
	case c.Always && c.L1RPC == "":
		return fmt.Errorf("%w: --force-through-l1 needs --l1-eth-rpc: the address of an L1 execution client", ErrConfig)
	case c.Portal != (common.Address{}) && c.L1RPC == "":
		return fmt.Errorf("%w: --l1-portal needs --l1-eth-rpc: the address of an L1 execution client", ErrConfig)
	}
	return nil
}

// DefaultForceAfter is longer than it takes to bump a fee a few times, and short beside the windows of the protocol.
const DefaultForceAfter = 3 * time.Minute

// l1TxDefaults are those of transactions on L1: as op-challenger's, whose transactions are as urgent, with one confirmation, because what
// counts is that the L2 has the deposit.
var l1TxDefaults = func() txmgr.DefaultFlagValues {
	d := txmgr.DefaultChallengerFlagValues
	d.NumConfirmations, d.ReceiptQueryInterval = 1, time.Second
	d.MinTipCapGwei, d.MinBaseFeeGwei = 0.01, 0.01
	d.BlobTipCapPercentile, d.BlobTipCapRange = 60, 20
	d.RebroadcastInterval = 12 * time.Second
	return d
}()

const (
	// l1GasMargin: what the portal burns depends on the L1 block that the deposit is in. What is not used is not paid.
	l1GasMargin = 2 // a half
	// MaxTxGas is the most gas that a transaction may have (EIP-7825).
	MaxTxGas = params.MaxTxGas
	// defaultLostAfter is longer than it takes until L1 has a transaction again that a reorganisation only moved to another block.
	// Sending it again takes the same nonce, so that both are mined only when the first comes back at that moment.
	defaultLostAfter = 15 * time.Second
)

// l1 is the chain below, as far as transactions are forced through it.
type l1 struct {
	cfg     ForceConfig
	from    common.Address
	portal  common.Address
	chainID *big.Int
	eth     *ethclient.Client
	log     log.Logger
	name    *endpoint // its host, and what of its address is not for logs
	timeout time.Duration

	newManager func() (*txmgr.SimpleTxManager, error)
	// Used by one deposit at a time, and by close after it.
	mgr *txmgr.SimpleTxManager
}

// rollupPortal is the part of optimism_rollupConfig that says where deposits are made.
type rollupPortal struct {
	L1ChainID uint64         `json:"l1_chain_id"`
	Portal    common.Address `json:"deposit_contract_address"`
}

// portal asks the op-nodes until one answers.
func (r *rollups) portal(ctx context.Context) (p rollupPortal, err error) {
	for _, n := range r.all {
		if err = n.call(ctx, "rollup_config", &p, "optimism_rollupConfig"); err == nil {
			return p, nil
		}
	}
	return p, err
}

// dialL1 connects and refuses an L1 that has not the portal of the L2.
func dialL1(ctx context.Context, chain *Chain, sending *SubmitterConfig) (_ *l1, err error) {
	cfg := sending.Force
	if cfg.LostAfter == 0 {
		cfg.LostAfter = defaultLostAfter
	}
	if cfg.PollInterval == 0 {
		cfg.PollInterval = l1TxDefaults.ReceiptQueryInterval
	}
	l := &l1{cfg: cfg, portal: cfg.Portal, timeout: chain.cfg.RequestTimeout}
	if l.name, err = newEndpoint(cfg.L1RPC, 0, &chain.cfg, chain.metrics, chain.genesis); err != nil {
		return nil, err
	}
	l.log = chain.log.New("l1", l.name.name)
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if l.eth, err = ethclient.DialContext(ctx, cfg.L1RPC); err != nil {
		return nil, fmt.Errorf("connect to L1 at %s: %w", l.name.name, l.name.hide(err))
	}
	defer func() {
		if err != nil {
			l.eth.Close()
		}
	}()
	if l.chainID, err = l.eth.ChainID(ctx); err != nil {
		return nil, fmt.Errorf("ask %s for its chain id: %w: check --l1-eth-rpc", l.name.name, l.name.hide(err))
	}
	if err := l.findPortal(ctx, chain); err != nil {
		return nil, err
	}
	return l, l.connectManager(sending)
}

// findPortal takes the op-node's word for the portal's address; one that is configured must be the same.
func (l *l1) findPortal(ctx context.Context, chain *Chain) error {
	if chain.rollup != nil {
		r, err := chain.rollup.portal(ctx)
		if err != nil {
			return err
		}
		switch {
		case l.chainID.Cmp(new(big.Int).SetUint64(r.L1ChainID)) != 0:
			return fmt.Errorf("L1 at %s has the chain id %s, the op-node's is %d: %w", l.name.name, l.chainID, r.L1ChainID, ErrWrongChain)
		case l.portal != (common.Address{}) && l.portal != r.Portal:
			return fmt.Errorf("the op-node's portal is %s, not %s: leave --l1-portal out: %w", r.Portal, l.portal, ErrWrongChain)
		}
		l.portal = r.Portal
	}
	if l.portal == (common.Address{}) {
		return fmt.Errorf("%w: where are deposits made? Give --l1-portal ADDRESS, the OptimismPortal of the L2 on L1, or --rollup-rpc", ErrConfig)
	}
	code, err := l.eth.CodeAt(ctx, l.portal, nil)
	if err != nil {
		return fmt.Errorf("look for the portal on L1: %w", l.name.hide(err))
	}
	if len(code) == 0 {
		return fmt.Errorf("there is no contract at the portal %s on L1 %s: check --l1-eth-rpc and --l1-portal: %w", l.portal, l.chainID, ErrWrongChain)
	}
	return nil
}

func (l *l1) connectManager(sending *SubmitterConfig) error {
	tx := txmgr.NewCLIConfig(l.cfg.L1RPC, l1TxDefaults)
	tx.NetworkTimeout, tx.MaxBaseFeeGwei, tx.MaxTipCapGwei = sending.Tx.NetworkTimeout, l.cfg.MaxBaseFeeGwei, l.cfg.MaxTipCapGwei
	tx.ReceiptQueryInterval, tx.AlreadyPublishedCustomErrs = l.cfg.PollInterval, []string{alreadyInAnvil}
	cfg, err := sending.manager(tx, l.log)
	if err != nil {
		return fmt.Errorf("transaction manager of L1: %w", l.name.hide(err))
	}
	cfg.Backend.Close()
	cfg.Backend = &l1Backend{l.eth}
	l.newManager = func() (*txmgr.SimpleTxManager, error) {
		m, err := txmgr.NewSimpleTxManagerFromConfig("op-channels-l1", l.log, new(txmetrics.NoopTxMetrics), cfg)
		if err != nil {
			return nil, fmt.Errorf("transaction manager of L1: %w", l.name.hide(err))
		}
		return m, nil
	}
	if l.mgr, err = l.newManager(); err != nil {
		return err
	}
	l.from = l.mgr.From()
	return nil
}

// l1Backend outlives the managers that use it.
type l1Backend struct{ *ethclient.Client }

// Close leaves the connection open.
func (*l1Backend) Close() {}

// SendTransaction remembers the hash before the transaction leaves.
func (b *l1Backend) SendTransaction(ctx context.Context, tx *types.Transaction) error {
	if j, ok := ctx.Value(jobKey{}).(*job); ok {
		j.sendingL1(tx.Hash())
	}
	return b.Client.SendTransaction(ctx, tx)
}

// CallContract answers the manager's own simulation: the deposit was simulated already.
func (*l1Backend) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, nil
}

func (l *l1) close() {
	l.mgr.Close()
	l.eth.Close()
}

// forcedCall is what is forced: a call on the L2, its gas there, and what is minted for it.
type forcedCall struct {
	to    common.Address
	value *big.Int
	data  []byte
	gas   uint64
	mint  *big.Int
}

// deposit makes one on L1 and returns when it is mined there.
func (l *l1) deposit(ctx context.Context, c forcedCall) (*types.Receipt, error) {
	data, err := DepositCall(c.to, c.value, c.gas, c.data)
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	balance, err := l.eth.BalanceAt(asking, l.from, nil)
	if err != nil {
		return nil, fmt.Errorf("balance on L1: %w", l.name.hide(err))
	}
	if balance.Cmp(c.mint) < 0 {
		return nil, l.short(balance, c.mint, "what is minted on the L2")
	}
	gas, err := l.eth.EstimateGas(asking, ethereum.CallMsg{From: l.from, To: &l.portal, Value: c.mint, Data: data})
	if err != nil {
		if isInsufficientFunds(err) {
			return nil, l.short(balance, c.mint, "what is minted on the L2")
		}
		return nil, fmt.Errorf("simulate the deposit on L1: %w", l.name.hide(err))
	}
	gas = min(gas+gas/l1GasMargin, max(gas, MaxTxGas))
	_, price, err := offer(asking, l.mgr)
	if err != nil {
		return nil, fmt.Errorf("price of gas on L1: %w", l.name.hide(err))
	}
	cost := new(big.Int).Mul(price, new(big.Int).SetUint64(gas))
	if cost.Add(cost, c.mint); balance.Cmp(cost) < 0 {
		return nil, l.short(balance, cost, fmt.Sprintf("%d gas and what is minted on the L2", gas))
	}
	receipt, err := l.mgr.Send(ctx, txmgr.TxCandidate{To: &l.portal, TxData: data, Value: c.mint, GasLimit: gas})
	if err != nil {
		return nil, fmt.Errorf("send a deposit to L1: %w", l.name.hide(err))
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return nil, fmt.Errorf("%w: the deposit %s reverted on L1, as when others bought all gas for deposits of its block", ErrNotForced, receipt.TxHash)
	}
	return receipt, nil
}

func (l *l1) short(has, needs *big.Int, what string) error {
	return fmt.Errorf("%s on L1: has %s wei, needs %s for %s: %w", l.from, has, needs, what, ErrInsufficientFunds)
}

// price is what a unit of gas costs on L1 now, tip included.
func (l *l1) price(ctx context.Context) (*big.Int, error) {
	price, err := l.eth.SuggestGasPrice(ctx)
	if err != nil {
		return nil, fmt.Errorf("price of gas on L1: %w", l.name.hide(err))
	}
	return price, nil
}

// What a deposit takes on L1: measured at 100,000 gas and less beside what the portal burns, which is the call's gas on the L2 at the
// portal's price, at least a gwei, divided by L1's base fee, counted as at least a gwei.
const (
	depositShell   = 120_000
	depositPerByte = 40 // of calldata, where nothing of it is zero (EIP-7623)
	gwei           = 1_000_000_000
)

// ForcedCost is about what forcing calls with so much calldata and gas together costs on L1 now, and what the account has there; ok is
// false when nothing can be forced.
func (s *Submitter) ForcedCost(ctx context.Context, calls, bytes, gas uint64) (cost, balance *big.Int, ok bool, err error) {
	l := s.l1
	if l == nil {
		return nil, nil, false, nil
	}
	if balance, err = l.eth.BalanceAt(ctx, l.from, nil); err != nil {
		return nil, nil, true, fmt.Errorf("balance on L1: %w", l.name.hide(err))
	}
	head, err := l.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, nil, true, fmt.Errorf("newest block of L1: %w", l.name.hide(err))
	}
	price, err := l.price(ctx)
	if err != nil {
		return nil, nil, true, err
	}
	burnt := new(big.Int).Mul(new(big.Int).SetUint64(gas), big.NewInt(gwei))
	base := big.NewInt(gwei)
	if head.BaseFee != nil && head.BaseFee.Cmp(base) > 0 {
		base = head.BaseFee
	}
	units := burnt.Div(burnt, base)
	units.Add(units, new(big.Int).SetUint64(calls*depositShell+bytes*depositPerByte))
	return units.Mul(units, price), balance, true, nil
}

// ErrNotForced is in the Result of a call that cannot be forced through L1.
var ErrNotForced = errors.New("the call cannot be forced through L1")

// recount forgets nonces, as after a reorganisation of L1.
func (l *l1) recount() error {
	fresh, err := l.newManager()
	if err != nil {
		return err
	}
	l.mgr.Close()
	l.mgr = fresh
	return nil
}

// pending finds deposits of the account among the newest blocks of L1, as L2 transactions.
func (l *l1) pending(ctx context.Context, blocks uint64) ([]*types.Transaction, error) {
	head, err := l.eth.BlockNumber(ctx)
	if err != nil {
		return nil, fmt.Errorf("newest block of L1: %w", l.name.hide(err))
	}
	logs, err := l.eth.FilterLogs(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(head - min(head, blocks)), Addresses: []common.Address{l.portal},
		Topics: [][]common.Hash{{deposited}, {common.BytesToHash(l.from[:])}},
	})
	if err != nil {
		return nil, fmt.Errorf("deposits on L1: %w", l.name.hide(err))
	}
	var out []*types.Transaction
	for i := range logs {
		tx, err := Deposit(&logs[i])
		if err != nil {
			return nil, err
		}
		out = append(out, tx)
	}
	return out, nil
}
