package sidecar

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/protocols/directdefund"
	"github.com/evmts/channels/protocols/directfund"
	"github.com/evmts/channels/protocols/settle"
)

// What transactions may take, in gas: above what contracts/README.md measures, for the largest channels that are usual.
const (
	gasDeposit      = 200_000 // with the approval of a token
	gasConclude     = 150_000 // or a refund, which takes less
	gasConcludePart = 60_000  // for each participant and asset: a signature, a payout
	gasSettle       = 1_500_000
	gasPublish      = 400_000
	gasPublishEntry = 6_000
	gasRelease      = 150_000
	gasProof        = 16_777_216 // the most that a chain takes (EIP-7825)
)

// And how much calldata they have, in bytes, which is what L1 takes its fee for.
const (
	dataCall        = 2 << 10 // with the channel's params and funding
	dataPart        = 1 << 10 // for each participant: keys, signatures, joins
	dataSettle      = 16 << 10
	dataEntry       = 256 // of a journal
	dataRelease     = 256
	dataProof       = 128 << 10 // the largest transaction that nodes take
	dataParticipant = 32        // for each asset: an amount
)

// load is what transactions take together.
type load struct{ txs, bytes, gas uint64 }

func (l load) and(gas, bytes uint64) load { return load{l.txs + 1, l.bytes + bytes, l.gas + gas} }

// feeMargin is by how much the fee may rise until the transactions are due.
const feeMargin = 2

// maxPolicies bounds how many Worlds are asked for their bond at one look.
const maxPolicies = 64

// Purposes of what may have to be paid, the values of the label of op_channels_owner_obligations_ether.
const (
	forDeposit  = "deposit"
	forConclude = "conclude"
	forPublish  = "publish" // with what follows: the settlement, the bond's way back
	forBond     = "bond"
	forProof    = "proof"
)

var purposes = []string{forDeposit, forConclude, forPublish, forBond, forProof}

// bondFor is a World whose bond may have to be put down, for so many channels.
type bondFor struct {
	world  World
	module common.Hash
}

// obligations is what the open channels may make this node send, as the loop sees it.
type obligations struct {
	value *big.Int        // stakes of ours in the chain's coin that are not deposited yet
	loads map[string]load // by purpose
	bonds map[bondFor]uint64
}

// obligations looks at all channels.
func (e *Engine) obligations(ctx context.Context) (obligations, error) {
	seen := make(chan obligations, 1)
	if err := e.do(ctx, func() { seen <- e.owed() }); err != nil {
		return obligations{}, err
	}
	return <-seen, nil
}

// owed runs in the loop.
func (e *Engine) owed() obligations {
	o := obligations{value: new(big.Int), loads: make(map[string]load), bonds: make(map[bondFor]uint64)}
	for _, c := range e.channels {
		funding := c.Rules().Funding
		people, assets := uint64(len(c.Rules().Params.Participants)), uint64(len(funding))
		size := dataCall + people*(dataPart+dataParticipant*assets)
		switch c.Fund().Phase() {
		case directfund.Asking, directfund.Abandoned: // nothing is promised, or everything is back
			continue
		case directfund.Signing, directfund.Funding:
			for _, s := range funding {
				if s.Amounts[c.Me()].IsZero() || slices.ContainsFunc(c.facts, func(f chainFact) bool {
					return f.Kind == FactDeposited && f.Detail.Participant == c.Me() && f.Detail.Asset == s.Asset
				}) {
					continue
				}
				o.loads[forDeposit] = o.loads[forDeposit].and(gasDeposit, size)
				if s.Asset == (common.Address{}) {
					o.value.Add(o.value, s.Amounts[c.Me()].ToBig())
				}
			}
		}
		if c.Defund().Phase() != directdefund.Final {
			o.loads[forConclude] = o.loads[forConclude].and(gasConclude+gasConcludePart*people*max(1, assets), 2*size)
		}
		e.owedToWorld(c, o, size)
	}
	return o
}

// owedToWorld counts what bringing the channel's outcome to its World may take.
func (e *Engine) owedToWorld(c *running, o obligations, size uint64) {
	world, ok := worldOf(c.Genesis())
	if !ok || world.Settlement == (common.Address{}) || world.Settlement != e.cfg.Settlement {
		return
	}
	if !e.cfg.Publish && !e.cfg.Keys.Attests() {
		return
	}
	switch c.Settle().Phase() {
	case settle.Settled, settle.Failed, settle.Nothing, settle.Void:
		return
	}
	size += uint64(len(c.Genesis()))
	o.loads[forPublish] = o.loads[forPublish].and(gasSettle, size+dataSettle)
	if !e.cfg.Publish || c.View().Proven {
		return
	}
	entries := uint64(1)
	if p, ok := c.Play(); ok {
		entries += p.Supported().Update.Seq
	}
	journal := entries * dataEntry
	chunks := 1 + journal/chunkBytes
	l := o.loads[forPublish].and(gasPublish+gasPublishEntry*entries, journal+chunks*size)
	l.txs += chunks - 1
	o.loads[forPublish] = l.and(gasRelease/2, dataRelease).and(gasRelease/2, dataRelease)
	o.bonds[bondFor{world, c.Rules().Params.ModuleHash}]++
}

// treasurer compares what the owner has with what the node may have to pay, and says when it is not enough.
type treasurer struct {
	engine  *Engine
	link    *Link
	metrics *Metrics
	log     log.Logger
	every   time.Duration
	said    time.Time // when it was last said that the money is short; zero: it is not
	saidL1  time.Time // and that on L1

	cancel context.CancelFunc
	done   chan struct{}
}

const (
	defaultFundsInterval = 30 * time.Second
	fundsTimeout         = 30 * time.Second // a node that does not answer must not hide that nothing is known
)

// remind is how often a shortage that stays is said again.
const remind = time.Hour

func startTreasurer(e *Engine, l *Link, m *Metrics, every time.Duration, logger log.Logger) *treasurer {
	if every <= 0 {
		every = defaultFundsInterval
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &treasurer{engine: e, link: l, metrics: m, log: logger, every: every, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if err := t.look(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrStopped) {
				m.FundsErrors.Inc()
				t.log.Warn("Cannot tell whether the owner's balance is enough, trying again", "err", err, "pause", every)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return t
}

// Close ends it.
func (t *treasurer) Close(ctx context.Context) error {
	t.cancel()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look compares once.
func (t *treasurer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fundsTimeout)
	defer cancel()
	o, err := t.engine.obligations(ctx)
	if err != nil {
		return fmt.Errorf("look at the channels: %w", err)
	}
	if t.link.cfg.Verify {
		o.loads[forProof] = load{1, dataProof, gasProof}
	}
	price, err := t.link.chain.Client().SuggestGasPrice(ctx)
	if err != nil {
		return fmt.Errorf("read the price of gas: %w", err)
	}
	fees, err := t.link.chain.Fees(ctx)
	if err != nil {
		return fmt.Errorf("read the fees of L1 and the operator: %w", err)
	}
	balance, err := t.link.chain.Balance(ctx, t.engine.owner)
	if err != nil {
		return fmt.Errorf("read the owner's balance: %w", err)
	}
	bonds, err := t.bonds(ctx, o.bonds)
	if err != nil {
		return err
	}
	wei := map[string]*big.Int{forBond: bonds}
	for what, l := range o.loads {
		sum := new(big.Int).Mul(new(big.Int).SetUint64(l.gas), price)
		sum.Add(sum, fees.Of(l.txs, l.bytes, l.gas))
		wei[what] = sum.Mul(sum, big.NewInt(feeMargin))
	}
	if wei[forDeposit] == nil {
		wei[forDeposit] = new(big.Int)
	}
	wei[forDeposit].Add(wei[forDeposit], o.value)
	t.tell(balance, wei)
	return t.lookAtL1(ctx, o)
}

// lookAtL1 compares what the owner has on L1 with what it would cost to force everything through it.
func (t *treasurer) lookAtL1(ctx context.Context, o obligations) error {
	sum := load{}
	for _, l := range o.loads {
		sum = load{sum.txs + l.txs, sum.bytes + l.bytes, sum.gas + l.gas}
	}
	cost, balance, ok, err := t.link.sender.ForcedCost(ctx, sum.txs, sum.bytes, sum.gas)
	if err != nil || !ok {
		return err
	}
	cost.Mul(cost, big.NewInt(feeMargin))
	t.metrics.L1Balance.Set(ether(balance))
	t.metrics.L1Obligations.Set(ether(cost))
	t.saidL1 = t.say(t.saidL1, new(big.Int).Sub(cost, balance), "on L1 for what this node may have to force through it", []any{
		"owner", t.engine.owner, "balance", ether(balance), "obligations", ether(cost),
	})
	return nil
}

// say warns once and then every hour while something is missing.
func (t *treasurer) say(said time.Time, missing *big.Int, what string, about []any) time.Time {
	switch {
	case missing.Sign() <= 0 && !said.IsZero():
		t.log.Info("The owner can pay again "+what, about...)
		return time.Time{}
	case missing.Sign() > 0 && time.Since(said) > remind:
		t.log.Warn("The owner cannot pay "+what+": send it some of the chain's coin", append(about, "missing", ether(missing))...)
		return time.Now()
	}
	return said
}

// bonds sums what Worlds want for journals that may have to be published. A World that takes none, or our attestation, wants nothing.
func (t *treasurer) bonds(ctx context.Context, wanted map[bondFor]uint64) (*big.Int, error) {
	sum, asked, dearest := new(big.Int), 0, new(big.Int)
	for b, channels := range wanted {
		each := dearest // beyond the bound the dearest that was seen stands for the rest
		if asked < maxPolicies {
			asked++
			bond, err := t.bond(ctx, b)
			if err != nil {
				return nil, fmt.Errorf("read the policy of World %s: %w", b.world.World, err)
			}
			each = bond
			if bond.Cmp(dearest) > 0 {
				dearest = bond
			}
		}
		sum.Add(sum, new(big.Int).Mul(each, new(big.Int).SetUint64(channels)))
	}
	return sum, nil
}

func (t *treasurer) bond(ctx context.Context, b bondFor) (*big.Int, error) {
	l := t.link
	policy, _, err := l.reader.InForce(ctx, b.world.World, b.world.NamespaceID, b.module, b.world.ConfigHash, 0)
	var refused adjudicator.Refusal
	if errors.As(err, &refused) && refused.Name == "NotAllowed" {
		return new(big.Int), nil // the World does not allow the module: nothing can be published for it
	}
	if err != nil {
		return nil, err
	}
	attested := policy.Modes&adjudicator.ModeAttested != 0 && t.engine.cfg.Keys.Attests() && slices.Contains(policy.Attestors, t.engine.AttestorAddress())
	if attested || policy.Modes&adjudicator.ModeOptimistic == 0 {
		return new(big.Int), nil
	}
	return policy.Bond.ToBig(), nil
}

// tell sets the gauges and says when money is short, once and then every hour.
func (t *treasurer) tell(balance *big.Int, wei map[string]*big.Int) {
	sum, about := new(big.Int), []any{"owner", t.engine.owner, "balance", ether(balance)}
	for _, what := range purposes {
		amount := wei[what]
		if amount == nil {
			amount = new(big.Int)
		}
		sum.Add(sum, amount)
		t.metrics.Obligations.WithLabelValues(what).Set(ether(amount))
		about = append(about, what, ether(amount))
	}
	t.metrics.Balance.Set(ether(balance))
	t.said = t.say(t.said, new(big.Int).Sub(sum, balance), "for what this node may have to send", about)
}

func ether(wei *big.Int) float64 {
	f, _ := new(big.Float).Quo(new(big.Float).SetInt(wei), big.NewFloat(params.Ether)).Float64()
	return f
}
