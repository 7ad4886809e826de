package raid

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// vector is a genesis input with a ticket, as contracts/test/vectors/RaidTicketVectors.t.sol reads it.
type vector struct {
	Name         string           `json:"name"`
	Input        hexutil.Bytes    `json:"input"`
	Owners       []common.Address `json:"owners"`
	OwnersHash   common.Hash      `json:"ownersHash"`
	Dungeon      uint64           `json:"dungeon"`
	ConfigHash   common.Hash      `json:"configHash"`
	Snapshot     common.Hash      `json:"snapshot"`
	TicketHash   common.Hash      `json:"ticketHash"`
	RecordsCount uint64           `json:"recordsCount"`
	Amounts      []uint64         `json:"amounts"`
	MaxRounds    uint64           `json:"maxRounds"`
	Rooms        hexutil.Bytes    `json:"rooms"`
}

func vectors(t *testing.T, h channel.Module) (out []vector) {
	long := Config{MaxRounds: maxRounds}
	for i := range maxRooms {
		long.Rooms = append(long.Rooms, Room{Kind: Kind(1 + i%7), HP: uint16(1000 - i), Attack: uint8(100 - i), Defence: uint8(50 - i), Item: Item(i % 7), Gold: uint16(1000 - i)})
	}
	for name, s := range map[string]setup{
		"two heroes":   {heroes: 2, assets: 1, config: DefaultConfig(), loot: func(_ int, item Item) uint32 { return uint32(item) }},
		"three heroes": {heroes: 3, keeper: 1, assets: 1, config: Config{MaxRounds: 1, Rooms: []Room{{Kind: Rat, HP: 1}}}, loot: func(int, Item) uint32 { return 0 }},
		"six heroes":   {heroes: 6, keeper: 6, assets: 1, config: long, loot: func(seat int, item Item) uint32 { return ^uint32(seat * int(item)) }},
	} {
		g := s.genesis(t, h)
		g.Ticket.ModuleHash = crypto.Keccak256Hash([]byte("a module")) // else every change of the module would change the file
		input, err := g.Input()
		require.NoError(t, err)
		v := vector{Name: name, Input: input, Dungeon: testDungeon, ConfigHash: g.Ticket.ConfigHash, Snapshot: g.Ticket.Snapshot,
			OwnersHash: g.Ticket.OwnersHash, TicketHash: g.Ticket.Hash(), RecordsCount: uint64(len(g.Records)),
			MaxRounds: uint64(s.config.MaxRounds), Rooms: g.Records[0].DynamicData}
		for seat := range s.heroes + 1 {
			v.Owners = append(v.Owners, owner(seat))
			for item := Potion; item <= Shield && seat != s.keeper; item++ {
				v.Amounts = append(v.Amounts, uint64(s.loot(seat, item)))
			}
		}
		out = append(out, v)
	}
	return out
}

// Solidity reads the same file and comes to the same hashes; the module, which encodes the snapshot by itself, does in every
// test with a ticket.
func TestF2_TicketVectors(t *testing.T) {
	h := newHost(t)
	made := map[string]vector{}
	for _, v := range vectors(t, h) {
		made[v.Name] = v
	}
	var file struct {
		Cases []vector `json:"cases"`
	}
	if *update {
		for _, name := range []string{"two heroes", "three heroes", "six heroes"} {
			file.Cases = append(file.Cases, made[name])
		}
		b, err := json.MarshalIndent(file, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("testdata/ticket.json", append(b, '\n'), 0o644))
	}
	b, err := os.ReadFile("testdata/ticket.json")
	require.NoError(t, err)
	file.Cases = nil
	require.NoError(t, json.Unmarshal(b, &file))
	require.Len(t, file.Cases, len(made))
	for _, v := range file.Cases {
		require.Equal(t, made[v.Name], v)
		g, err := DecodeGenesis(v.Input)
		require.NoError(t, err)
		require.Equal(t, v.TicketHash, g.Ticket.Hash())
		require.EqualValues(t, testDungeon, g.Dungeon)
		keys, err := TicketKeys(Namespace, testDungeon, v.Owners, len(v.Owners)-1)
		if v.Name == "six heroes" {
			require.NoError(t, err)
			require.Len(t, g.Records, len(keys))
			for i, key := range keys {
				require.Equal(t, key, RecordKey{g.Records[i].ResourceID, g.Records[i].Key})
			}
		}
	}
}

// The limits of contracts/src/Tickets.sol: at most 32 records, at most 8 KiB of them; and of the genesis input, 16 KiB.
func TestAttack20_TheLargestSnapshotIsWithinTheLimits(t *testing.T) {
	for _, v := range vectors(t, newHost(t)) {
		g, err := DecodeGenesis(v.Input)
		require.NoError(t, err)
		require.LessOrEqual(t, len(g.Records), 32)
		require.LessOrEqual(t, len(packABI(recordsArguments, abiRecords(g.Records))), 8<<10, "however they are counted")
		require.LessOrEqual(t, len(v.Input), channel.MaxGenesis)
	}
}

func TestU1_GenesisIsDecodedAsItIsEncoded(t *testing.T) {
	h := newHost(t)
	for _, s := range []setup{defaultSetup(), ticketed(MaxPack), {heroes: 2, config: DefaultConfig(), noWorld: true}} {
		want := s.genesis(t, h)
		input, err := want.Input()
		require.NoError(t, err)
		got, err := DecodeGenesis(input)
		require.NoError(t, err)
		again, err := got.Input()
		require.NoError(t, err)
		require.Equal(t, input, again)
		require.Equal(t, want.Config, got.Config)
		require.Equal(t, want.Ticket, got.Ticket)
		require.Equal(t, want.Dungeon, got.Dungeon)
		require.Len(t, got.Records, len(want.Records))
		if s.loot != nil {
			config, err := DecodeDungeon(got.Records[0])
			require.NoError(t, err)
			require.Equal(t, s.config, config)
		}
		for i := range input {
			b := bytes.Clone(input)
			b[i] ^= 0xff
			if i >= 12 && i < 32 || s.loot == nil && i >= 44 && i < 96 { // addresses and namespace are free
				continue
			}
			_, err := DecodeGenesis(b)
			require.Error(t, err, i)
		}
	}
	_, err := DecodeGenesis(make([]byte, channel.MaxGenesis+1))
	require.ErrorIs(t, err, ErrGenesis)
	_, err = DecodeGenesis(nil)
	require.ErrorIs(t, err, ErrGenesis)
}

func TestU1_TicketKeys(t *testing.T) {
	owners := []common.Address{address(1), address(2), address(3)}
	keys, err := TicketKeys(Namespace, 9, owners, 1)
	require.NoError(t, err)
	want := []RecordKey{{TableID(Namespace, "Dungeon"), []common.Hash{common.BigToHash(uint256.NewInt(9).ToBig())}}}
	for _, owner := range []common.Address{address(1), address(3)} {
		for item := range uint64(3) {
			want = append(want, RecordKey{TableID(Namespace, "Loot"), []common.Hash{
				common.BytesToHash(owner[:]), common.BigToHash(uint256.NewInt(item + 1).ToBig()),
			}})
		}
	}
	require.Equal(t, want, keys)
	for name, c := range map[string]struct {
		owners []common.Address
		keeper int
	}{
		"no keeper": {owners, 3}, "keeper below": {owners, -1}, "one hero": {owners[:2], 0},
		"seven heroes": {make([]common.Address, 8), 0}, "the same owner": {append(owners, owners[0]), 1},
	} {
		_, err := TicketKeys(Namespace, 9, c.owners, c.keeper)
		require.ErrorIs(t, err, ErrTicket, name)
	}
}

func TestC3_DungeonRecord(t *testing.T) {
	r, err := DungeonRecord(Namespace, 1, Config{MaxRounds: 48, Rooms: []Room{{Kind: Dragon, HP: 0x0102, Attack: 3, Defence: 4, Item: Scale, Gold: 0x0304}}})
	require.NoError(t, err)
	require.Equal(t, Record{
		ResourceID: TableID(Namespace, TableDungeon), Key: []common.Hash{common.HexToHash("0x01")}, StaticData: []byte{48},
		EncodedLengths: common.HexToHash("0x0000000000000000000000000000000000000000000000000800000000000008"),
		DynamicData:    []byte{7, 1, 2, 3, 4, 6, 3, 4},
	}, r)
	_, err = DungeonRecord(Namespace, 1, Config{})
	require.ErrorIs(t, err, ErrConfig)
}
