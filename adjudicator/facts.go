package adjudicator

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
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

// Body is one of the types in bodies.go.
type Body interface {
	// Kind is the event's name in Solidity; where contracts share a name, the contract's stands before it.
	Kind() string
	// Channel is the channel that the fact is about; ok is false for facts about no channel.
	Channel() (id common.Hash, ok bool)
}

// decoder makes the Body of one event.
type decoder struct {
	event abi.Event
	body  func(*types.Log) (Body, error)
}

// factEvents are the events of each contract, by topic.
var factEvents = decoders()

// contractEvents are the events of the contracts, in the order of Contracts.Addresses.
type contractEvents struct {
	adjudicator, registry, policies, tickets, publications, settlement map[common.Hash]decoder
}

func (e contractEvents) all() []map[common.Hash]decoder {
	return []map[common.Hash]decoder{e.adjudicator, e.registry, e.policies, e.tickets, e.publications, e.settlement}
}

func decoders() (all contractEvents) {
	a, r, p, k, b, s := adjudicatorABI, registryABI, policiesABI, ticketsABI, publicationsABI, settlementABI
	all.adjudicator = events(bindings.AdjudicatorMetaData.ABI, map[string]func(*types.Log) (Body, error){
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
	all.registry = events(bindings.ModuleRegistryMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"ChunkStored": body(r.UnpackChunkStoredEvent, func(e *bindings.ModuleRegistryChunkStored) Body {
			return ChunkStored{e.Chunk, amount(e.Size)}
		}),
		"ProgramRegistered": body(r.UnpackProgramRegisteredEvent, func(e *bindings.ModuleRegistryProgramRegistered) Body {
			return ProgramRegistered{e.ProgramHash, amount(e.Size), e.Chunks}
		}),
		"ModuleRegistered": body(r.UnpackModuleRegisteredEvent, func(e *bindings.ModuleRegistryModuleRegistered) Body {
			return ModuleRegistered{e.ModuleHash, manifestOf(e.Manifest)}
		}),
	})
	all.policies = events(bindings.PoliciesMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"PolicySet": body(p.UnpackPolicySetEvent, func(e *bindings.PoliciesPolicySet) Body {
			return PolicySet{e.World, e.NamespaceId, e.ModuleHash, e.ConfigHash, e.Revision, policyOf(e.Policy)}
		}),
	})
	all.tickets = events(bindings.TicketsMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"Entered": body(k.UnpackEnteredEvent, func(e *bindings.TicketsEntered) Body {
			return Entered{amount(e.Number), e.World, e.NamespaceId, amount(e.SeedBlock), ticketOf(e.Ticket), recordsOf(e.Records)}
		}),
		"Sealed": body(k.UnpackSealedEvent, func(e *bindings.TicketsSealed) Body {
			return Sealed{amount(e.Number), e.TicketHash, ticketOf(e.Ticket)}
		}),
		"Withdrawn": body(k.UnpackWithdrawnEvent, func(e *bindings.TicketsWithdrawn) Body {
			return TicketsWithdrawn{e.Account, amount(e.Amount)}
		}),
	})
	all.publications = events(bindings.PublicationsMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"ChunkPublished": body(b.UnpackChunkPublishedEvent, func(e *bindings.PublicationsChunkPublished) Body {
			return ChunkPublished{e.ChannelId, e.Publisher, e.First, e.Next, e.GenesisInput, e.GenesisState, e.Entries}
		}),
		"Published": body(b.UnpackPublishedEvent, func(e *bindings.PublicationsPublished) Body {
			return Published{e.ChannelId, e.Publisher, e.World, e.Deadline, amount(e.Bond), paramsOf(e.Params), fundingOf(e.Funding)}
		}),
		"Disproved": body(b.UnpackDisprovedEvent, func(e *bindings.PublicationsDisproved) Body {
			return Disproved{e.ChannelId, e.Prover, e.Index, e.Status, e.Derived, e.Claimed, amount(e.Reward), amount(e.Burnt)}
		}),
		"Vetoed": body(b.UnpackVetoedEvent, func(e *bindings.PublicationsVetoed) Body { return Vetoed{e.ChannelId, e.Guardian} }),
		"Executed": body(b.UnpackExecutedEvent, func(e *bindings.PublicationsExecuted) Body {
			return Executed{e.ChannelId, e.First, e.Next, e.StateHash, e.Complete}
		}),
		"BondReleased": body(b.UnpackBondReleasedEvent, func(e *bindings.PublicationsBondReleased) Body {
			return BondReleased{e.ChannelId, e.Publisher, amount(e.Bond)}
		}),
		"Withdrawn": body(b.UnpackWithdrawnEvent, func(e *bindings.PublicationsWithdrawn) Body {
			return PublicationsWithdrawn{e.Account, amount(e.Amount)}
		}),
	})
	all.settlement = events(bindings.MudSettlementMetaData.ABI, map[string]func(*types.Log) (Body, error){
		"Settled": body(s.UnpackSettledEvent, func(e *bindings.MudSettlementSettled) Body {
			return Settled{e.ChannelId, e.World, e.NamespaceId, amount(e.Effects), e.Revision, Mode(e.Mode)}
		}),
	})
	return all
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

// ChunkPublishedTopic selects the chunks of journals in a log filter; channel and publisher are the next two topics.
var ChunkPublishedTopic = topicOf(factEvents.publications, "ChunkPublished")

var sealedTopic, enteredTopic = topicOf(factEvents.tickets, "Sealed"), topicOf(factEvents.tickets, "Entered")

// SealedTopics selects the seal of one ticket in a log filter.
func SealedTopics(ticketHash common.Hash) [][]common.Hash {
	return [][]common.Hash{{sealedTopic}, nil, {ticketHash}}
}

// EnteredTopics selects the purchase of one ticket, with its records, in a log filter.
func EnteredTopics(number channel.Amount) [][]common.Hash {
	return [][]common.Hash{{enteredTopic}, {number.Bytes32()}}
}

func topicOf(set map[common.Hash]decoder, name string) common.Hash {
	for id, d := range set {
		if d.event.Name == name {
			return id
		}
	}
	panic("no event " + name) // a constant of this package is misspelt
}

// Topics selects all facts in a log filter.
func Topics() [][]common.Hash {
	var first []common.Hash
	for _, set := range factEvents.all() {
		for id := range set {
			if !slices.Contains(first, id) { // two contracts share an event
				first = append(first, id)
			}
		}
	}
	return [][]common.Hash{first}
}

// DecodeLog makes a fact of a log. ok is false for logs of other contracts and for events that are no facts. An error
// means a log that our contracts cannot have written: a node that cannot be trusted, or wrong addresses.
func (c Contracts) DecodeLog(l types.Log) (f Fact, ok bool, err error) {
	var set map[common.Hash]decoder
	switch l.Address {
	case common.Address{}: // what is not configured has no facts
	case c.Adjudicator:
		set = factEvents.adjudicator
	case c.Registry:
		set = factEvents.registry
	case c.Policies:
		set = factEvents.policies
	case c.Tickets:
		set = factEvents.tickets
	case c.Publications:
		set = factEvents.publications
	case c.Settlement:
		set = factEvents.settlement
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
