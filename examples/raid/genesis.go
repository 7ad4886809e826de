package raid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/vmihailenco/msgpack/v5"
)

// ErrGenesis says that bytes are not the genesis input of a raid.
var ErrGenesis = errors.New("raid: not the genesis input of a raid")

const headOfGenesis = 160

// Genesis says which dungeon is played and where the outcome goes. With World zero the raid leaves no records.
//
// Without a ticket the dungeon is Config, and nobody can bring anything. With one it is the World's dungeon of that number,
// as it was in the snapshot, and heroes can bring what their owners had.
type Genesis struct {
	Settlement  common.Address // the contract that writes the records
	World       common.Address
	NamespaceID common.Hash // NamespaceID(Namespace)

	Config Config // without a ticket

	Ticket  *Ticket
	Dungeon uint32   // with a ticket
	Records []Record // with a ticket: the records of TicketKeys, as in the log of Tickets.enter
}

type wireDungeon struct {
	Dungeon uint32 `msgpack:"dungeon"`
}

// DungeonConfig is the configuration of raids with a ticket in MessagePack: {dungeon}.
func DungeonConfig(dungeon uint32) []byte {
	b, err := encode(wireDungeon{dungeon})
	if err != nil {
		panic(err) // an integer always encodes
	}
	return b
}

// DungeonConfigHash is the configHash that a World's policy and a ticket name for raids of a dungeon.
func DungeonConfigHash(dungeon uint32) common.Hash {
	return crypto.Keccak256Hash(DungeonConfig(dungeon))
}

// Input is the channel's genesis input: abi.encode(settlement, world, namespaceId, configHash, ticket), then the
// configuration in MessagePack, or with a ticket abi.encode(bytes config, Ticket ticket, Record[] records) (docs/encoding.md
// 25). It fails with ErrConfig or ErrTicket where the module would reject, but for what only Params know: the module and
// the owners.
func (g Genesis) Input() ([]byte, error) {
	if g.Ticket == nil {
		config, err := g.Config.Encode()
		if err != nil {
			return nil, err
		}
		return g.input(crypto.Keccak256Hash(config), common.Hash{}, config), nil
	}
	if err := g.checkTicket(); err != nil {
		return nil, err
	}
	config := DungeonConfig(g.Dungeon)
	return g.input(crypto.Keccak256Hash(config), g.Ticket.Hash(), encodeRest(config, *g.Ticket, g.Records)), nil
}

func (g Genesis) input(configHash, ticket common.Hash, rest []byte) []byte {
	in := make([]byte, 0, headOfGenesis+len(rest))
	in = append(in, common.LeftPadBytes(g.Settlement[:], 32)...)
	in = append(in, common.LeftPadBytes(g.World[:], 32)...)
	in = append(in, g.NamespaceID[:]...)
	in = append(in, configHash[:]...)
	in = append(in, ticket[:]...)
	return append(in, rest...)
}

func (g Genesis) checkTicket() error {
	t := g.Ticket
	switch {
	case g.World == common.Address{}:
		return fmt.Errorf("%w: a ticket is for a World, and there is none", ErrTicket)
	case t.World != g.World || t.NamespaceID != g.NamespaceID:
		return fmt.Errorf("%w: it is for namespace %s of World %s", ErrTicket, t.NamespaceID, t.World)
	case g.NamespaceID != NamespaceID(g.namespace()):
		return fmt.Errorf("%w: %s is not the id of a namespace", ErrTicket, g.NamespaceID)
	case t.ConfigHash != DungeonConfigHash(g.Dungeon):
		return fmt.Errorf("%w: it is for another dungeon than %d", ErrTicket, g.Dungeon)
	case SnapshotHash(t.World, &t.Block, g.Records) != t.Snapshot:
		return fmt.Errorf("%w: the records are not those of its snapshot; take them from the log of Tickets.enter", ErrTicket)
	}
	return g.checkRecords()
}

func (g Genesis) namespace() [14]byte { return [14]byte(g.NamespaceID[2:16]) }

// checkRecords builds the records of TicketKeys from the amounts and rooms of the given ones, as the module does, and sees
// whether the snapshot is of these.
func (g Genesis) checkRecords() error {
	if len(g.Records) == 0 {
		return fmt.Errorf("%w: there are no records; enter with the keys of TicketKeys", ErrTicket)
	}
	dungeon, err := DecodeDungeon(g.Records[0])
	if err != nil {
		return err
	}
	var owners []common.Address
	for i := 1; i < len(g.Records); i += int(Shield) {
		if len(g.Records[i].Key) != 2 {
			return fmt.Errorf("%w: record %d is no item of a hero; enter with the keys of TicketKeys", ErrTicket, i)
		}
		owners = append(owners, common.Address(g.Records[i].Key[0][12:]))
	}
	owners = append(owners, common.Address{}) // the keeper's seat: no records
	keys, err := TicketKeys(g.namespace(), g.Dungeon, owners, len(owners)-1)
	if err != nil {
		return err
	}
	first, err := DungeonRecord(g.namespace(), g.Dungeon, dungeon)
	if err != nil {
		return err
	}
	want := []Record{first}
	for i := 1; i < len(keys) && i < len(g.Records) && len(g.Records[i].StaticData) == 4; i++ {
		owner, item := owners[(i-1)/int(Shield)], Item(1+(i-1)%int(Shield))
		want = append(want, LootRecord(g.namespace(), owner, item, binary.BigEndian.Uint32(g.Records[i].StaticData)))
	}
	if len(want) != len(keys) || SnapshotHash(g.World, &g.Ticket.Block, want) != g.Ticket.Snapshot {
		return fmt.Errorf("%w: the snapshot has not exactly the records of TicketKeys; enter with those", ErrTicket)
	}
	return nil
}

// DecodeGenesis reads what Input writes, and nothing else. It fails with ErrGenesis, ErrConfig or ErrTicket.
func DecodeGenesis(input []byte) (Genesis, error) {
	if len(input) < headOfGenesis || len(input) > channel.MaxGenesis {
		return Genesis{}, fmt.Errorf("%w: it has %d to %d bytes, not %d", ErrGenesis, headOfGenesis, channel.MaxGenesis, len(input))
	}
	g := Genesis{
		Settlement: common.BytesToAddress(input[:32]), World: common.BytesToAddress(input[32:64]), NamespaceID: common.Hash(input[64:96]),
	}
	config := input[headOfGenesis:]
	if common.Hash(input[128:160]) == (common.Hash{}) {
		var wire wireConfig
		if err := msgpack.Unmarshal(config, &wire); err != nil {
			return Genesis{}, fmt.Errorf("%w: configuration: %w", ErrGenesis, err)
		}
		g.Config.MaxRounds = wire.MaxRounds
		for _, r := range wire.Rooms {
			g.Config.Rooms = append(g.Config.Rooms, Room{Kind(r[0]), r[1], uint8(r[2]), uint8(r[3]), Item(r[4]), r[5]})
		}
	} else {
		var wire wireDungeon
		config, t, records, err := decodeRest(config)
		if err != nil {
			return Genesis{}, err
		}
		if err := msgpack.Unmarshal(config, &wire); err != nil {
			return Genesis{}, fmt.Errorf("%w: configuration: %w", ErrGenesis, err)
		}
		g.Ticket, g.Records, g.Dungeon = &t, records, wire.Dungeon
	}
	again, err := g.Input()
	if err != nil {
		return Genesis{}, err
	}
	if !bytes.Equal(again, input) {
		return Genesis{}, fmt.Errorf("%w: not in the encoding of this package, or a hash in its head is wrong", ErrGenesis)
	}
	return g, nil
}
