package adjudicator

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// ErrLog is returned for a log of our contracts that they cannot have written.
var ErrLog = errors.New("malformed log")

// FactID identifies a fact: the same log in another block is another fact.
type FactID struct {
	BlockHash common.Hash `json:"blockHash"`
	LogIndex  uint        `json:"logIndex"`
}

// Fact is one thing that a contract did.
type Fact struct {
	ID     FactID      `json:"id"`
	Block  uint64      `json:"block"` // number
	TxHash common.Hash `json:"txHash"`
	Body   Body        `json:"body"`
}

// Body is one of the types below.
type Body interface {
	// Kind is the event's name in Solidity.
	Kind() string
	// Channel is the channel that the fact is about; ok is false for facts about no channel.
	Channel() (id common.Hash, ok bool)
}

type (
	// Deposited: a participant's owner paid its entry of an asset.
	Deposited struct {
		ChannelID   common.Hash    `json:"channelId"`
		Participant uint8          `json:"participant"`
		Asset       common.Address `json:"asset"`
		Amount      channel.Amount `json:"amount"`
	}
	// Funded: the last missing entry arrived.
	Funded struct {
		ChannelID common.Hash `json:"channelId"`
	}
	// Refunded: the funding stayed incomplete and every deposit went back.
	Refunded struct {
		ChannelID common.Hash `json:"channelId"`
	}
	// Concluded: the channel is Final by agreement.
	Concluded struct {
		ChannelID   common.Hash `json:"channelId"`
		Seq         uint64      `json:"seq"`
		JournalRoot common.Hash `json:"journalRoot"`
		StateHash   common.Hash `json:"stateHash"`
	}
	// Paid: an amount left the channel and arrived.
	Paid struct {
		ChannelID common.Hash    `json:"channelId"`
		Asset     common.Address `json:"asset"`
		To        common.Address `json:"to"`
		Amount    channel.Amount `json:"amount"`
	}
	// Credited: an amount left the channel but its transfer failed; To can withdraw it.
	Credited struct {
		ChannelID common.Hash    `json:"channelId"`
		Asset     common.Address `json:"asset"`
		To        common.Address `json:"to"`
		Amount    channel.Amount `json:"amount"`
	}
	// Withdrawn: an account took its credit out.
	Withdrawn struct {
		Account common.Address `json:"account"`
		Asset   common.Address `json:"asset"`
		To      common.Address `json:"to"`
		Amount  channel.Amount `json:"amount"`
	}
	// PolicySet: the owner of a namespace replaced its policy for a pair.
	PolicySet struct {
		World       common.Address `json:"world"`
		NamespaceID common.Hash    `json:"namespaceId"`
		ModuleHash  common.Hash    `json:"moduleHash"`
		ConfigHash  common.Hash    `json:"configHash"`
		Revision    uint64         `json:"revision"`
		Policy      Policy         `json:"policy"`
	}
	// Settled: the effects of a channel were written.
	Settled struct {
		ChannelID   common.Hash    `json:"channelId"`
		World       common.Address `json:"world"`
		NamespaceID common.Hash    `json:"namespaceId"`
		Effects     channel.Amount `json:"effects"` // how many
		Revision    uint64         `json:"revision"`
	}
)

func (Deposited) Kind() string { return "Deposited" }
func (Funded) Kind() string    { return "Funded" }
func (Refunded) Kind() string  { return "Refunded" }
func (Concluded) Kind() string { return "Concluded" }
func (Paid) Kind() string      { return "Paid" }
func (Credited) Kind() string  { return "Credited" }
func (Withdrawn) Kind() string { return "Withdrawn" }
func (PolicySet) Kind() string { return "PolicySet" }
func (Settled) Kind() string   { return "Settled" }

func (f Deposited) Channel() (common.Hash, bool) { return f.ChannelID, true }
func (f Funded) Channel() (common.Hash, bool)    { return f.ChannelID, true }
func (f Refunded) Channel() (common.Hash, bool)  { return f.ChannelID, true }
func (f Concluded) Channel() (common.Hash, bool) { return f.ChannelID, true }
func (f Paid) Channel() (common.Hash, bool)      { return f.ChannelID, true }
func (f Credited) Channel() (common.Hash, bool)  { return f.ChannelID, true }
func (f Settled) Channel() (common.Hash, bool)   { return f.ChannelID, true }
func (Withdrawn) Channel() (common.Hash, bool)   { return common.Hash{}, false }
func (PolicySet) Channel() (common.Hash, bool)   { return common.Hash{}, false }

// decoder makes the Body of one event.
type decoder struct {
	event abi.Event
	body  func(*types.Log) (Body, error)
}

var adjudicatorEvents, settlementEvents = decoders()

func decoders() (adjudicator, settlement map[common.Hash]decoder) {
	a, s := adjudicatorABI, settlementABI
	adjudicator = events(bindings.AdjudicatorMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"Deposited": body(a.UnpackDepositedEvent, func(e *bindings.AdjudicatorDeposited) Body {
			return Deposited{e.ChannelId, e.Index, e.Asset, amount(e.Amount)}
		}),
		"Funded":   body(a.UnpackFundedEvent, func(e *bindings.AdjudicatorFunded) Body { return Funded{e.ChannelId} }),
		"Refunded": body(a.UnpackRefundedEvent, func(e *bindings.AdjudicatorRefunded) Body { return Refunded{e.ChannelId} }),
		"Concluded": body(a.UnpackConcludedEvent, func(e *bindings.AdjudicatorConcluded) Body {
			return Concluded{e.ChannelId, e.Seq, e.JournalRoot, e.StateHash}
		}),
		"Paid": body(a.UnpackPaidEvent, func(e *bindings.AdjudicatorPaid) Body {
			return Paid{e.ChannelId, e.Asset, e.To, amount(e.Amount)}
		}),
		"Credited": body(a.UnpackCreditedEvent, func(e *bindings.AdjudicatorCredited) Body {
			return Credited{e.ChannelId, e.Asset, e.To, amount(e.Amount)}
		}),
		"Withdrawn": body(a.UnpackWithdrawnEvent, func(e *bindings.AdjudicatorWithdrawn) Body {
			return Withdrawn{e.Account, e.Asset, e.To, amount(e.Amount)}
		}),
	})
	settlement = events(bindings.MudSettlementMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"PolicySet": body(s.UnpackPolicySetEvent, func(e *bindings.MudSettlementPolicySet) Body {
			return PolicySet{e.World, e.NamespaceId, e.ModuleHash, e.ConfigHash, e.Revision, policyOf(e.Policy)}
		}),
		"Settled": body(s.UnpackSettledEvent, func(e *bindings.MudSettlementSettled) Body {
			return Settled{e.ChannelId, e.World, e.NamespaceId, amount(e.Effects), e.Revision}
		}),
	})
	return adjudicator, settlement
}

func body[E any](unpack func(*types.Log) (*E, error), convert func(*E) Body) func(*types.Log) (Body, error) {
	return func(l *types.Log) (Body, error) {
		e, err := unpack(l)
		if err != nil {
			return nil, err
		}
		return convert(e), nil
	}
}

// events panics when a contract has an event that no decoder knows, or the other way round.
func events(meta string, bodies map[string]func(*types.Log) (Body, error)) map[common.Hash]decoder {
	parsed, err := abi.JSON(strings.NewReader(meta))
	if err != nil {
		panic(err) // the generated bindings are broken
	}
	out := map[common.Hash]decoder{}
	for name, event := range parsed.Events {
		if bodies[name] == nil {
			panic("no fact for the event " + name)
		}
		out[event.ID] = decoder{event, bodies[name]}
	}
	return out
}

// Topics selects all facts in a log filter.
func Topics() [][]common.Hash {
	var first []common.Hash
	for _, set := range []map[common.Hash]decoder{adjudicatorEvents, settlementEvents} {
		for id := range set {
			first = append(first, id)
		}
	}
	return [][]common.Hash{first}
}

// DecodeLog makes a fact of a log. ok is false for logs of other contracts and for events that are no facts. An error
// means a log that our contracts cannot have written: a node that cannot be trusted, or wrong addresses.
func (c Contracts) DecodeLog(l types.Log) (f Fact, ok bool, err error) {
	var set map[common.Hash]decoder
	switch l.Address {
	case c.Adjudicator:
		set = adjudicatorEvents
	case c.Settlement:
		set = settlementEvents
	default:
		return f, false, nil
	}
	if len(l.Topics) == 0 {
		return f, false, nil
	}
	d, known := set[l.Topics[0]]
	if !known {
		return f, false, nil
	}
	if l.Removed {
		return f, false, fmt.Errorf("%s in block %d: %w: it was reorganised away", d.event.Name, l.BlockNumber, ErrLog)
	}
	if err := d.strict(&l); err != nil {
		return f, false, fmt.Errorf("%s in block %d: %w: %w", d.event.Name, l.BlockNumber, ErrLog, err)
	}
	b, err := d.body(&l)
	if err != nil {
		return f, false, fmt.Errorf("%s in block %d: %w: %w", d.event.Name, l.BlockNumber, ErrLog, err)
	}
	return Fact{FactID{l.BlockHash, l.Index}, l.BlockNumber, l.TxHash, b}, true, nil
}

// strict refuses topics and data that are not exactly what the contract writes for these values.
func (d decoder) strict(l *types.Log) error {
	topics := l.Topics[1:]
	for _, in := range d.event.Inputs {
		if !in.Indexed {
			continue
		}
		if len(topics) == 0 {
			return errors.New("too few topics")
		}
		if in.Type.T == abi.AddressTy && !bytes.Equal(topics[0][:12], make([]byte, 12)) {
			return fmt.Errorf("%s is no address", in.Name)
		}
		topics = topics[1:]
	}
	if len(topics) > 0 {
		return errors.New("too many topics")
	}
	inputs := d.event.Inputs.NonIndexed()
	if len(inputs) == 0 {
		if len(l.Data) > 0 {
			return errors.New("unexpected data")
		}
		return nil
	}
	values, err := inputs.Unpack(l.Data)
	if err != nil {
		return err
	}
	again, err := inputs.Pack(values...)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, l.Data) {
		return errors.New("data is not in the canonical ABI encoding")
	}
	return nil
}
