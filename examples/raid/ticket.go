package raid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// ErrTicket says that ticket, records and genesis do not fit together: the module would reject them.
var ErrTicket = errors.New("raid: ticket does not fit")

// MaxTicketHeroes is the largest party with a ticket: what six heroes can lose, three kinds of items each, always fits into
// the effects of a channel, and their records into a snapshot.
const MaxTicketHeroes = 6

// DefaultDungeon is the number under which world/deploy.mjs writes DefaultConfig into a World.
const DefaultDungeon uint32 = 1

// Names of the World's tables, in the genesis' namespace.
const (
	TableDungeon = "Dungeon"    // key (uint32 dungeonId), fields maxRounds uint8, rooms bytes
	TableLoot    = "Loot"       // key (address player, uint32 itemId), field amount uint32
	TableResult  = "RaidResult" // key (address player), fields raids uint32, wins uint32, xp uint64, damage uint64
)

// Ticket is what a channel is played for: the struct of contracts/src/interfaces/ITickets.sol, which its contract seals.
type Ticket struct {
	Number      uint256.Int
	World       common.Address
	NamespaceID common.Hash
	ModuleHash  common.Hash
	ConfigHash  common.Hash // DungeonConfigHash
	Revision    uint64      // of the World's policy
	Block       uint256.Int // of the snapshot
	OwnersHash  common.Hash // OwnersHash of all participants
	Snapshot    common.Hash // SnapshotHash of the records
	Seed        common.Hash // enters every round's dice
}

// Record is one record of a World as it was (ITickets.sol).
type Record struct {
	ResourceID     common.Hash
	Key            []common.Hash
	StaticData     []byte
	EncodedLengths common.Hash
	DynamicData    []byte
}

// RecordKey is a record's name (ITickets.sol).
type RecordKey struct {
	ResourceID common.Hash
	Key        []common.Hash
}

// TicketKeys lists the records of a snapshot, in the order in which the module wants them: the dungeon, then potions, swords
// and shields of each hero's owner in the order of seats. owners are those of all participants, the keeper's included, and
// keeper is its seat. It fails with ErrTicket where the module would refuse the party.
func TicketKeys(namespace [14]byte, dungeon uint32, owners []common.Address, keeper int) ([]RecordKey, error) {
	if keeper < 0 || keeper >= len(owners) {
		return nil, fmt.Errorf("%w: seat %d of the keeper is none of %d", ErrTicket, keeper, len(owners))
	}
	heroes := append(append([]common.Address(nil), owners[:keeper]...), owners[keeper+1:]...)
	if len(heroes) < minSeats-1 || len(heroes) > MaxTicketHeroes {
		return nil, fmt.Errorf("%w: a party with a ticket has %d to %d heroes, not %d", ErrTicket, minSeats-1, MaxTicketHeroes, len(heroes))
	}
	keys := []RecordKey{{TableID(namespace, TableDungeon), []common.Hash{uintWord(dungeon)}}}
	seen := make(map[common.Address]bool)
	for _, owner := range heroes {
		if seen[owner] {
			return nil, fmt.Errorf("%w: %s owns two heroes; give each an owner of its own", ErrTicket, owner)
		}
		seen[owner] = true
		for item := Potion; item <= Shield; item++ {
			keys = append(keys, RecordKey{TableID(namespace, TableLoot), []common.Hash{common.BytesToHash(owner[:]), uintWord(uint32(item))}})
		}
	}
	return keys, nil
}

func uintWord(v uint32) (w common.Hash) {
	binary.BigEndian.PutUint32(w[28:], v)
	return w
}

// LootRecord is a record of the table Loot; one that nobody wrote reads as amount 0.
func LootRecord(namespace [14]byte, owner common.Address, item Item, amount uint32) Record {
	return Record{
		ResourceID: TableID(namespace, TableLoot), Key: []common.Hash{common.BytesToHash(owner[:]), uintWord(uint32(item))},
		StaticData: binary.BigEndian.AppendUint32(nil, amount),
	}
}

// DungeonRecord is a dungeon as a record of the table Dungeon: rooms are 8 bytes each, kind (1), hp (2), attack (1),
// defence (1), item (1), gold (2), big-endian. It fails with ErrConfig.
func DungeonRecord(namespace [14]byte, dungeon uint32, c Config) (Record, error) {
	if err := c.check(); err != nil {
		return Record{}, err
	}
	r := Record{
		ResourceID: TableID(namespace, TableDungeon), Key: []common.Hash{uintWord(dungeon)}, StaticData: []byte{c.MaxRounds},
	}
	for _, room := range c.Rooms {
		r.DynamicData = append(r.DynamicData, byte(room.Kind))
		r.DynamicData = binary.BigEndian.AppendUint16(r.DynamicData, room.HP)
		r.DynamicData = append(r.DynamicData, room.Attack, room.Defence, byte(room.Item))
		r.DynamicData = binary.BigEndian.AppendUint16(r.DynamicData, room.Gold)
	}
	r.EncodedLengths = lengthsOf(len(r.DynamicData))
	return r, nil
}

// lengthsOf is MUD's encodedLengths of one dynamic field: 7 bytes of the total, 5 of the field, from the right.
func lengthsOf(size int) (w common.Hash) {
	binary.BigEndian.PutUint32(w[28:], uint32(size))
	binary.BigEndian.PutUint32(w[21:], uint32(size))
	return w
}

// DecodeDungeon reads what DungeonRecord writes. It fails with ErrConfig where the module would refuse the dungeon.
func DecodeDungeon(r Record) (Config, error) {
	n := len(r.DynamicData)
	if len(r.StaticData) != 1 || n%roomSize != 0 || n > maxRooms*roomSize || r.EncodedLengths != lengthsOf(n) {
		return Config{}, fmt.Errorf("%w: not a record of the table %s", ErrConfig, TableDungeon)
	}
	c := Config{MaxRounds: r.StaticData[0]}
	for b := r.DynamicData; len(b) > 0; b = b[roomSize:] {
		c.Rooms = append(c.Rooms, Room{
			Kind: Kind(b[0]), HP: binary.BigEndian.Uint16(b[1:]), Attack: b[3], Defence: b[4], Item: Item(b[5]), Gold: binary.BigEndian.Uint16(b[6:]),
		})
	}
	return c, c.check()
}

// The ABI's own structs, as go-ethereum packs them.
type (
	abiTicket struct {
		Number      *big.Int
		World       common.Address
		NamespaceID [32]byte
		ModuleHash  [32]byte
		ConfigHash  [32]byte
		Revision    uint64
		Block       *big.Int
		OwnersHash  [32]byte
		Snapshot    [32]byte
		Seed        [32]byte
	}
	abiRecord struct {
		ResourceID     [32]byte
		Key            [][32]byte
		StaticData     []byte
		EncodedLengths [32]byte
		DynamicData    []byte
	}
)

var (
	addressType = abiType("address")
	uintType    = abiType("uint256")
	bytesType   = abiType("bytes")
	ticketType  = abiType("tuple", field("number", "uint256"), field("world", "address"), field("namespaceID", "bytes32"),
		field("moduleHash", "bytes32"), field("configHash", "bytes32"), field("revision", "uint64"), field("block", "uint256"),
		field("ownersHash", "bytes32"), field("snapshot", "bytes32"), field("seed", "bytes32"))
	recordsType = abiType("tuple[]", field("resourceID", "bytes32"), field("key", "bytes32[]"), field("staticData", "bytes"),
		field("encodedLengths", "bytes32"), field("dynamicData", "bytes"))

	ticketArguments   = abi.Arguments{ticketType}
	snapshotArguments = abi.Arguments{addressType, uintType, recordsType}
	ownersArguments   = abi.Arguments{abiType("address[]")}
	recordsArguments  = abi.Arguments{recordsType}
	restArguments     = abi.Arguments{bytesType, ticketType, recordsType}
)

func field(name, typ string) abi.ArgumentMarshaling {
	return abi.ArgumentMarshaling{Name: name, Type: typ}
}

func abiType(name string, components ...abi.ArgumentMarshaling) abi.Argument {
	t, err := abi.NewType(name, "", components)
	if err != nil {
		panic(err) // a constant
	}
	return abi.Argument{Type: t}
}

func packABI(args abi.Arguments, values ...any) []byte {
	b, err := args.Pack(values...)
	if err != nil {
		panic(err) // the values are of these types
	}
	return b
}

func (t Ticket) abi() abiTicket {
	return abiTicket{
		t.Number.ToBig(), t.World, t.NamespaceID, t.ModuleHash, t.ConfigHash, t.Revision, t.Block.ToBig(), t.OwnersHash, t.Snapshot, t.Seed,
	}
}

func abiRecords(records []Record) []abiRecord {
	out := make([]abiRecord, len(records))
	for i, r := range records {
		key := make([][32]byte, len(r.Key))
		for k, word := range r.Key {
			key[k] = word
		}
		out[i] = abiRecord{r.ResourceID, key, r.StaticData, r.EncodedLengths, r.DynamicData}
	}
	return out
}

// Hash is the fifth word of the genesis input: H(abi.encode(Ticket)).
func (t Ticket) Hash() common.Hash { return crypto.Keccak256Hash(packABI(ticketArguments, t.abi())) }

// SnapshotHash is what a ticket says of its records: H(abi.encode(world, block, Record[])).
func SnapshotHash(world common.Address, block *uint256.Int, records []Record) common.Hash {
	return crypto.Keccak256Hash(packABI(snapshotArguments, world, block.ToBig(), abiRecords(records)))
}

// OwnersHash is what a ticket says of the participants: H(abi.encode(address[])) of their owners, in the order of seats.
func OwnersHash(owners []common.Address) common.Hash {
	return crypto.Keccak256Hash(packABI(ownersArguments, owners))
}

// encodeRest is what follows the head of a genesis input with a ticket.
func encodeRest(config []byte, t Ticket, records []Record) []byte {
	return packABI(restArguments, config, t.abi(), abiRecords(records))
}

func decodeRest(rest []byte) (config []byte, t Ticket, records []Record, err error) {
	values, err := restArguments.Unpack(rest)
	if err != nil {
		return nil, t, nil, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	config = values[0].([]byte)
	a := *abi.ConvertType(values[1], new(abiTicket)).(*abiTicket)
	t = Ticket{
		World: a.World, NamespaceID: a.NamespaceID, ModuleHash: a.ModuleHash, ConfigHash: a.ConfigHash, Revision: a.Revision,
		OwnersHash: a.OwnersHash, Snapshot: a.Snapshot, Seed: a.Seed,
	}
	t.Number.SetFromBig(a.Number)
	t.Block.SetFromBig(a.Block)
	for _, r := range *abi.ConvertType(values[2], new([]abiRecord)).(*[]abiRecord) {
		key := make([]common.Hash, len(r.Key))
		for k, word := range r.Key {
			key[k] = word
		}
		records = append(records, Record{r.ResourceID, key, r.StaticData, r.EncodedLengths, r.DynamicData})
	}
	if !bytes.Equal(encodeRest(config, t, records), rest) {
		return nil, t, nil, fmt.Errorf("%w: ticket and records are not encoded as Solidity does", ErrGenesis)
	}
	return config, t, records, nil
}
