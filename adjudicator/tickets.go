package adjudicator

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// Ticket is what a channel is played for (docs/encoding.md 25). The zero value is no ticket.
type Ticket struct {
	Number      channel.Amount `json:"number"`
	World       common.Address `json:"world"`
	NamespaceID common.Hash    `json:"namespaceId"`
	ModuleHash  common.Hash    `json:"moduleHash"`
	ConfigHash  common.Hash    `json:"configHash"`
	Revision    uint64         `json:"revision"`   // of the policy when it was bought
	Block       channel.Amount `json:"block"`      // of the snapshot
	OwnersHash  common.Hash    `json:"ownersHash"` // H(abi.encode(address[])) of the participants' owners
	Snapshot    common.Hash    `json:"snapshot"`   // H(abi.encode(address world, uint256 block, Record[]))
	Seed        common.Hash    `json:"seed"`       // zero before it is sealed
}

// Hash is H(abi.encode(Ticket)), the fifth word of the genesis input.
func (t Ticket) Hash() common.Hash {
	n, b, at := t.Number.Bytes32(), t.Block.Bytes32(), common.BytesToHash(t.World[:])
	var revision [32]byte
	new(big.Int).SetUint64(t.Revision).FillBytes(revision[:])
	return crypto.Keccak256Hash(n[:], at[:], t.NamespaceID[:], t.ModuleHash[:], t.ConfigHash[:], revision[:], b[:], t.OwnersHash[:], t.Snapshot[:], t.Seed[:])
}

func (t Ticket) wire() bindings.Ticket {
	return bindings.Ticket{
		Number: t.Number.ToBig(), World: t.World, NamespaceId: t.NamespaceID, ModuleHash: t.ModuleHash, ConfigHash: t.ConfigHash,
		Revision: t.Revision, Block: t.Block.ToBig(), OwnersHash: t.OwnersHash, Snapshot: t.Snapshot, Seed: t.Seed,
	}
}

func ticketOf(w bindings.Ticket) Ticket {
	return Ticket{
		Number: amount(w.Number), World: w.World, NamespaceID: w.NamespaceId, ModuleHash: w.ModuleHash, ConfigHash: w.ConfigHash,
		Revision: w.Revision, Block: amount(w.Block), OwnersHash: w.OwnersHash, Snapshot: w.Snapshot, Seed: w.Seed,
	}
}

// Record is one record of a World as it was.
type Record struct {
	ResourceID     common.Hash   `json:"resourceId"`
	Key            []common.Hash `json:"key"`
	StaticData     hexutil.Bytes `json:"staticData"`
	EncodedLengths common.Hash   `json:"encodedLengths"`
	DynamicData    hexutil.Bytes `json:"dynamicData"`
}

func records(list []Record) []bindings.Record {
	out := make([]bindings.Record, len(list))
	for i, r := range list {
		out[i] = bindings.Record{
			ResourceId: r.ResourceID, Key: words(r.Key), StaticData: r.StaticData, EncodedLengths: r.EncodedLengths, DynamicData: r.DynamicData,
		}
	}
	return out
}

func recordsOf(list []bindings.Record) []Record {
	out := make([]Record, len(list))
	for i, r := range list {
		out[i] = Record{r.ResourceId, hashes(r.Key), r.StaticData, r.EncodedLengths, r.DynamicData}
	}
	return out
}

func words(list []common.Hash) [][32]byte {
	out := make([][32]byte, len(list))
	for i, h := range list {
		out[i] = h
	}
	return out
}

func hashes(list [][32]byte) []common.Hash {
	out := make([]common.Hash, len(list))
	for i, h := range list {
		out[i] = h
	}
	return out
}

// RecordKey is a record's name.
type RecordKey struct {
	ResourceID common.Hash   `json:"resourceId"`
	Key        []common.Hash `json:"key"`
}

// Enter buys a ticket for a channel between owners, in the channel's order, over the records named by keys. price is the policy's.
func Enter(tickets, world common.Address, namespaceID, moduleHash, configHash common.Hash, owners []common.Address, keys []RecordKey, price channel.Amount) (Call, error) {
	list := make([]bindings.RecordKey, len(keys))
	for i, k := range keys {
		list[i] = bindings.RecordKey{ResourceId: k.ResourceID, Key: words(k.Key)}
	}
	data, err := ticketsABI.TryPackEnter(world, namespaceID, moduleHash, configHash, owners, list)
	c, err := call(tickets, data, err)
	if err == nil {
		c.Value = price.ToBig()
	}
	return c, err
}

// Seal gives a ticket its seed. Anyone may send it, after the seed's block and within the 256 blocks behind it.
func Seal(tickets common.Address, number channel.Amount) (Call, error) {
	data, err := ticketsABI.TryPackSeal(number.ToBig())
	return call(tickets, data, err)
}

// WithdrawTickets sends what the sender earned by tickets to an address.
func WithdrawTickets(tickets, to common.Address) (Call, error) {
	data, err := ticketsABI.TryPackWithdraw(to)
	return call(tickets, data, err)
}
