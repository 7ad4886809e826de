package raid

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// ErrConfig says that the module would refuse a dungeon.
var ErrConfig = errors.New("raid: dungeon out of bounds")

// Room is one room of the dungeon. The party meets the monster, and finds the item and the gold when it falls.
type Room struct {
	Kind    Kind
	HP      uint16 // for each hero of the party, 1..1000
	Attack  uint8  // 0..100
	Defence uint8  // 0..50
	Item    Item   // for one living hero; NoItem for none
	Gold    uint16 // for each living hero, 0..1000
}

// Config is a dungeon: 1..12 rooms, the boss in the last one, and the rounds (1..48) in which it must fall.
type Config struct {
	MaxRounds uint8
	Rooms     []Room
}

// DefaultConfig is the dungeon of the demo. With two heroes and the bot of this package a raid has 60 to 120
// events, and about two of three raids are won.
func DefaultConfig() Config {
	return Config{MaxRounds: 23, Rooms: []Room{
		{Kind: Rat, HP: 14, Attack: 3, Defence: 2, Item: Potion, Gold: 3},
		{Kind: Goblin, HP: 18, Attack: 4, Defence: 3, Item: Sword, Gold: 5},
		{Kind: Skeleton, HP: 20, Attack: 5, Defence: 3, Item: Shield, Gold: 8},
		{Kind: Troll, HP: 22, Attack: 7, Defence: 3, Item: Gem, Gold: 12},
		{Kind: Dragon, HP: 44, Attack: 26, Defence: 3, Item: Scale, Gold: 40},
	}}
}

// check says with ErrConfig what the module would refuse.
func (c Config) check() error {
	if c.MaxRounds == 0 || c.MaxRounds > maxRounds {
		return fmt.Errorf("%w: maxRounds is 1 to %d, not %d", ErrConfig, maxRounds, c.MaxRounds)
	}
	if len(c.Rooms) == 0 || len(c.Rooms) > maxRooms {
		return fmt.Errorf("%w: a dungeon has 1 to %d rooms, not %d", ErrConfig, maxRooms, len(c.Rooms))
	}
	for i, r := range c.Rooms {
		if r.Kind == 0 || r.Kind > kindCount || r.HP == 0 || r.HP > maxHP || r.Attack > maxAttack ||
			r.Defence > maxArmour || r.Item > itemCount || r.Gold > maxGold {
			return fmt.Errorf("%w: room %d: %+v", ErrConfig, i, r)
		}
	}
	return nil
}

type wireConfig struct {
	MaxRounds uint8       `msgpack:"maxRounds"`
	Rooms     [][6]uint16 `msgpack:"rooms"`
}

// Encode gives the configuration in MessagePack: {maxRounds, rooms: [[kind, hp, attack, defence, item, gold], …]}.
// It fails with ErrConfig where the module would reject.
func (c Config) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	wire := wireConfig{MaxRounds: c.MaxRounds}
	for _, r := range c.Rooms {
		wire.Rooms = append(wire.Rooms, [6]uint16{
			uint16(r.Kind), r.HP, uint16(r.Attack), uint16(r.Defence), uint16(r.Item), r.Gold,
		})
	}
	return encode(wire)
}

// encode writes structs as maps in the order of their fields, integers as short as they can be.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("raid: encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}
