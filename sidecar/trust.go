package sidecar

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin"
	"github.com/holiman/uint256"
)

// Trust is the level that the block of a fact must have before it counts, by what is lost when that block goes again. The zero value
// takes everything as soon as it is seen.
type Trust struct {
	// Deposits that are believed too early let somebody play with money that is not there.
	Deposits plugin.Level
	// DepositsAbove want a higher level of the deposits of channels with large stakes.
	DepositsAbove []StakeTrust
	// Conclusions that are believed too early let this node take a channel for done that has to be concluded, refunded or settled again.
	Conclusions plugin.Level
	// Publications start windows. What follows from one is a transaction of ours that the contract checks again.
	Publications plugin.Level
}

// StakeTrust is the level that a channel's deposits need when all its stakes in an asset together are above an amount.
type StakeTrust struct {
	Asset common.Address
	Above channel.Amount // in the asset's smallest unit
	Level plugin.Level
}

// TrustOf is one level for everything.
func TrustOf(l plugin.Level) Trust { return Trust{Deposits: l, Conclusions: l, Publications: l} }

// FactGroup are the kinds of facts that one level is chosen for.
type FactGroup string

// The groups, by the names of their flags. Refusals of a journal always count at once: believing one too early only makes this node wait.
const (
	GroupDeposits     FactGroup = "deposits"
	GroupConclusions  FactGroup = "conclusions"
	GroupPublications FactGroup = "publications"
	GroupRefusals     FactGroup = "refusals"
)

// groupLargeDeposits are those above all amounts of DepositsAbove, in metrics.
const groupLargeDeposits FactGroup = "large_deposits"

// Group says which level a kind of fact needs.
func (k FactKind) Group() FactGroup {
	switch k {
	case FactDeposited, FactFunded:
		return GroupDeposits
	case FactPublished, FactExecuted:
		return GroupPublications
	case FactDisproved, FactVetoed:
		return GroupRefusals
	}
	return GroupConclusions // concluded, refunded, settled: ends. What is new is one until somebody decides
}

// Needs is the level that a fact about a channel with this funding must have before it counts.
func (t Trust) Needs(k FactKind, funding channel.Funding) plugin.Level {
	switch k.Group() {
	case GroupDeposits:
		return t.deposits(funding)
	case GroupPublications:
		return t.Publications
	case GroupRefusals:
		return plugin.Unsafe
	}
	return t.Conclusions
}

// deposits looks at all stakes of a channel, not at ours: the others' are what we can win. An asset that no rule names needs the
// surest level of all rules, because nobody said what it is worth.
func (t Trust) deposits(funding channel.Funding) plugin.Level {
	level := t.Deposits
	if len(t.DepositsAbove) == 0 {
		return level
	}
	for _, s := range funding {
		pot, named := potOf(s), false
		for _, r := range t.DepositsAbove {
			if r.Asset == s.Asset {
				named = true
				if pot.Gt(&r.Above) {
					level = max(level, r.Level)
				}
			}
		}
		if !named && !pot.IsZero() {
			level = max(level, t.surestAbove())
		}
	}
	return level
}

// potOf is the sum of a stake, or the greatest amount when there is more than that.
func potOf(s channel.Stake) (sum uint256.Int) {
	for _, a := range s.Amounts {
		if _, over := sum.AddOverflow(&sum, &a); over {
			return *new(uint256.Int).SetAllOne()
		}
	}
	return sum
}

func (t Trust) surestAbove() (level plugin.Level) {
	for _, r := range t.DepositsAbove {
		level = max(level, r.Level)
	}
	return level
}

// Of is the level that a channel with this funding waits for before time passes for it: facts of all kinds count up to there, so that a
// deadline is not taken for missed while what was in time does not count yet.
func (t Trust) Of(funding channel.Funding) plugin.Level {
	return max(t.deposits(funding), t.Conclusions, t.Publications)
}

// surest is the highest level that any channel waits for.
func (t Trust) surest() plugin.Level {
	return max(t.Deposits, t.surestAbove(), t.Conclusions, t.Publications)
}

// groups are the levels that are waited for, by what for.
func (t Trust) groups() map[FactGroup]plugin.Level {
	return map[FactGroup]plugin.Level{
		GroupDeposits: t.Deposits, groupLargeDeposits: max(t.Deposits, t.surestAbove()), GroupConclusions: t.Conclusions, GroupPublications: t.Publications,
	}
}

// maxStakeTrust bounds the rules, each of which is looked at for every fact.
const maxStakeTrust = 64

func (t Trust) check() error {
	if len(t.DepositsAbove) > maxStakeTrust {
		return fmt.Errorf("--trust-deposits-above is given %d times, %d are enough", len(t.DepositsAbove), maxStakeTrust)
	}
	for _, r := range t.DepositsAbove {
		if r.Level <= t.Deposits {
			return fmt.Errorf("--trust-deposits-above %s=%s:%s has no effect: all deposits need %s", r.Asset, r.Above.Dec(), r.Level, t.Deposits)
		}
	}
	return nil
}

// parseStakeTrust reads ASSET=AMOUNT:LEVEL.
func parseStakeTrust(s string) (r StakeTrust, err error) {
	asset, rest, ok := strings.Cut(s, "=")
	amount, level, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || !common.IsHexAddress(asset) {
		return r, fmt.Errorf("%q is not ASSET=AMOUNT:LEVEL", s)
	}
	above, err := uint256.FromDecimal(amount)
	if err != nil {
		return r, fmt.Errorf("%q: the amount %q is no number in the asset's smallest unit: %w", s, amount, err)
	}
	r.Asset, r.Above = common.HexToAddress(asset), *above
	r.Level, err = plugin.ParseLevel(level)
	return r, err
}

// trust reads the flags. What is not said for a group is --trust, except for publications.
func (r *reader) trust(all, deposits, conclusions, publications, above string) (t Trust) {
	level := func(flag, otherwise string) plugin.Level {
		word := r.ctx.String(flag)
		if word == "" {
			word = otherwise
		}
		l, err := plugin.ParseLevel(word)
		r.note(flag, err)
		return l
	}
	usual := r.ctx.String(all)
	if _, err := plugin.ParseLevel(usual); err != nil {
		r.note(all, err)
		return t
	}
	t = Trust{Deposits: level(deposits, usual), Conclusions: level(conclusions, usual), Publications: level(publications, usual)}
	for _, s := range r.ctx.StringSlice(above) {
		rule, err := parseStakeTrust(s)
		r.note(above, err)
		t.DepositsAbove = append(t.DepositsAbove, rule)
	}
	return t
}
