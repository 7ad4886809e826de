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
	value *big.Int          // stakes of ours in the chain's coin that are not deposited yet
	gas   map[string]uint64 // by purpose
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
	o := obligations{value: new(big.Int), gas: make(map[string]uint64), bonds: make(map[bondFor]uint64)}
	for _, c := range e.channels {
		funding := c.Rules().Funding
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
				o.gas[forDeposit] += gasDeposit
				if s.Asset == (common.Address{}) {
					o.value.Add(o.value, s.Amounts[c.Me()].ToBig())
				}
			}
		}
		if c.Defund().Phase() != directdefund.Final {
			o.gas[forConclude] += gasConclude + gasConcludePart*uint64(len(c.Rules().Params.Participants)*max(1, len(funding)))
		}
		e.owedToWorld(c, o)
	}
	return o
}

// owedToWorld counts what bringing the channel's outcome to its World may take.
func (e *Engine) owedToWorld(c *running, o obligations) {
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
	o.gas[forPublish] += gasSettle
	if !e.cfg.Publish || c.View().Proven {
		return
	}
	entries := uint64(1)
	if p, ok := c.Play(); ok {
		entries += p.Supported().Update.Seq
	}
	o.gas[forPublish] += gasPublish + gasRelease + gasPublishEntry*entries
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
		o.gas[forProof] = gasProof
	}
	price, err := t.link.chain.Client().SuggestGasPrice(ctx)
	if err != nil {
		return fmt.Errorf("read the price of gas: %w", err)
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
	price.Mul(price, big.NewInt(feeMargin))
	for what, gas := range o.gas {
		wei[what] = new(big.Int).Mul(new(big.Int).SetUint64(gas), price)
	}
	if wei[forDeposit] == nil {
		wei[forDeposit] = new(big.Int)
	}
	wei[forDeposit].Add(wei[forDeposit], o.value)
	t.tell(balance, wei)
	return nil
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
	missing := new(big.Int).Sub(sum, balance)
	switch {
	case missing.Sign() <= 0 && !t.said.IsZero():
		t.said = time.Time{}
		t.log.Info("The owner can pay again for what this node may have to send", about...)
	case missing.Sign() > 0 && time.Since(t.said) > remind:
		t.said = time.Now()
		t.log.Warn("The owner cannot pay for what this node may have to send: send it some of the chain's coin", append(about, "missing", ether(missing))...)
	}
}

func ether(wei *big.Int) float64 {
	f, _ := new(big.Float).Quo(new(big.Float).SetInt(wei), big.NewFloat(params.Ether)).Float64()
	return f
}
