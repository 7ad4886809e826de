package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// What a transaction pays on an L2 beside its gas: for its data on L1, and to the chain's operator. The GasPriceOracle says how much; on a
// chain without it both are nothing.

// gasPriceOracle is a predeploy of every op-stack chain.
var gasPriceOracle = common.HexToAddress("0x420000000000000000000000000000000000000F")

// oracleMethod is a view of the oracle with one argument, that gives wei.
func oracleMethod(name, argument string) abi.Method {
	return abi.NewMethod(name, name, abi.Function, "view", false, false, abi.Arguments{{Type: abiType(argument)}}, abi.Arguments{{Type: abiType("uint256")}})
}

var (
	getL1Fee           = oracleMethod("getL1Fee", "bytes")
	getL1FeeUpperBound = oracleMethod("getL1FeeUpperBound", "uint256") // since Fjord
	getOperatorFee     = oracleMethod("getOperatorFee", "uint256")     // since Isthmus
)

// oracle remembers whether the chain has one, and what was said about it.
type oracle struct {
	mu     sync.Mutex
	known  bool
	exists bool
	said   map[string]bool
}

// errNoFee means that the oracle has no such function or refuses: an older fork's.
var errNoFee = errors.New("the chain's GasPriceOracle does not say")

// askOracle gives 0 where there is none.
func (c *Chain) askOracle(ctx context.Context, m abi.Method, arg any) (*big.Int, error) {
	o := &c.oracle
	o.mu.Lock()
	known, exists := o.known, o.exists
	o.mu.Unlock()
	if !known {
		code, err := c.eth.CodeAt(ctx, gasPriceOracle, nil)
		if err != nil {
			return nil, c.failed("fees", "look for the GasPriceOracle", err)
		}
		exists = len(code) > 0
		o.mu.Lock()
		o.known, o.exists = true, exists
		o.mu.Unlock()
	}
	if !exists {
		return new(big.Int), nil
	}
	args, err := m.Inputs.Pack(arg)
	if err != nil {
		return nil, fmt.Errorf("ask the GasPriceOracle: %w", err)
	}
	out, err := c.eth.CallContract(ctx, ethereum.CallMsg{To: &gasPriceOracle, Data: append(common.CopyBytes(m.ID), args...)}, nil)
	var coded rpc.Error
	if err != nil && !errors.As(err, &coded) {
		return nil, c.failed("fees", m.Name, err)
	}
	if err != nil || len(out) != 32 {
		c.sayOnce(m.Name, err)
		return nil, fmt.Errorf("%s: %w", m.Name, errNoFee)
	}
	return new(big.Int).SetBytes(out), nil
}

func (c *Chain) sayOnce(method string, err error) {
	o := &c.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.said[method] {
		return
	}
	if o.said == nil {
		o.said = make(map[string]bool)
	}
	o.said[method] = true
	c.log.Warn("The GasPriceOracle refuses: fees for data on L1 are estimated in another way, or left out", "method", method, "err", err)
}

// L1Fee is what a transaction pays for its data on L1, as its unsigned form tells: what it is charged differs by what the signature adds
// and by what L1's fees do meanwhile.
func (c *Chain) L1Fee(ctx context.Context, unsigned []byte) (*big.Int, error) {
	return c.optional(c.askOracle(ctx, getL1Fee, unsigned))
}

// unsignedHead is more than what an unsigned transaction has beside its calldata, in bytes.
const unsignedHead = 128

// literalRun: where data does not compress, FastLZ adds a byte to each 32 at most. The oracle's own upper bound adds one to each 255, which
// signatures and hashes go beyond.
const literalRun = 32

// L1FeeBound is the most that a transaction with so many bytes of calldata pays for its data on L1 at present.
func (c *Chain) L1FeeBound(ctx context.Context, calldata int) (*big.Int, error) {
	size := calldata + unsignedHead
	fee, err := c.askOracle(ctx, getL1FeeUpperBound, big.NewInt(int64(size+size/literalRun)))
	if errors.Is(err, errNoFee) { // before Fjord data that does not compress cost the most
		dear := make([]byte, calldata+unsignedHead)
		for i := range dear {
			dear[i] = 0xff
		}
		return c.L1Fee(ctx, dear)
	}
	return fee, err
}

// OperatorFee is what a transaction with so much gas pays to the chain's operator.
func (c *Chain) OperatorFee(ctx context.Context, gas uint64) (*big.Int, error) {
	return c.optional(c.askOracle(ctx, getOperatorFee, new(big.Int).SetUint64(gas)))
}

func (c *Chain) optional(fee *big.Int, err error) (*big.Int, error) {
	if errors.Is(err, errNoFee) {
		return new(big.Int), nil
	}
	return fee, err
}

// Fees are bounds of what transactions cost beside their gas, for sums over many of them.
type Fees struct {
	tx, large, operatorTx, operatorLarge *big.Int
}

const (
	largeData = 64 << 10
	largeGas  = 10_000_000
)

// Fees asks for what L1 and the operator take at present.
func (c *Chain) Fees(ctx context.Context) (f Fees, err error) {
	for _, q := range []struct {
		to  **big.Int
		ask func() (*big.Int, error)
	}{
		{&f.tx, func() (*big.Int, error) { return c.L1FeeBound(ctx, 0) }},
		{&f.large, func() (*big.Int, error) { return c.L1FeeBound(ctx, largeData) }},
		{&f.operatorTx, func() (*big.Int, error) { return c.OperatorFee(ctx, 0) }},
		{&f.operatorLarge, func() (*big.Int, error) { return c.OperatorFee(ctx, largeGas) }},
	} {
		if *q.to, err = q.ask(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// Of is a bound for so many transactions with so much calldata and gas together.
func (f Fees) Of(txs, bytes, gas uint64) *big.Int {
	n := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	part := func(each, large *big.Int, count, unit uint64) *big.Int {
		sum := new(big.Int).Mul(n(count), large)
		sum.Add(sum, n(unit-1)).Div(sum, n(unit)) // upwards
		return sum.Add(sum, new(big.Int).Mul(n(txs), each))
	}
	return new(big.Int).Add(part(f.tx, f.large, bytes, largeData), part(f.operatorTx, f.operatorLarge, gas, largeGas))
}

// ErrFeeCap means that a unit of gas costs more now than the flags allow.
var ErrFeeCap = errors.New("gas costs more than --txmgr.max-basefee, --txmgr.max-tip-cap or their namesakes for L1 allow: raise them, or wait")

// offer is what a transaction manager sends with: the tip, and the highest price of a unit of gas.
func offer(ctx context.Context, m *txmgr.SimpleTxManager) (tip, price *big.Int, err error) {
	tip, base, _, _, err := m.SuggestGasPriceCaps(ctx)
	if err != nil {
		if strings.Contains(err.Error(), "is too high: ") { // it has no error of its own for that, and would try for a minute
			return nil, nil, fmt.Errorf("%w: %w", ErrFeeCap, err)
		}
		return nil, nil, err
	}
	return tip, new(big.Int).Add(tip, new(big.Int).Mul(base, common.Big2)), nil
}

// affordable refuses a call that the account cannot pay for: its gas at the highest price that it may be sent with, its value, and what L1
// and the operator take. What cannot be found out is left to the node.
func (s *Submitter) affordable(j *job, gas uint64) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.chain.cfg.RequestTimeout)
	defer cancel()
	tip, price, err := offer(ctx, s.mgr)
	if errors.Is(err, ErrFeeCap) {
		return err
	}
	if err != nil {
		return nil
	}
	unsigned, err := types.NewTx(&types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(s.chain.cfg.ChainID), Nonce: 1 << 20, GasTipCap: tip, GasFeeCap: price, Gas: gas, To: &j.To, Value: j.value(), Data: j.Data,
	}).MarshalBinary()
	if err != nil {
		return nil
	}
	l1Fee, err := s.chain.L1Fee(ctx, unsigned)
	if err != nil {
		return nil
	}
	operator, err := s.chain.OperatorFee(ctx, gas)
	if err != nil {
		return nil
	}
	balance, err := s.chain.Balance(ctx, s.from)
	if err != nil {
		return nil
	}
	execution := new(big.Int).Mul(price, new(big.Int).SetUint64(gas))
	total := new(big.Int)
	for _, part := range []*big.Int{execution, l1Fee, operator, j.value()} {
		total.Add(total, part)
	}
	if balance.Cmp(total) >= 0 {
		return nil
	}
	return fmt.Errorf("%s has %s wei and lacks %s: %d gas may cost %s, its data on L1 %s, the operator's fee %s, and %s go with the call: %w",
		s.from, balance, new(big.Int).Sub(total, balance), gas, execution, l1Fee, operator, j.value(), ErrInsufficientFunds)
}
