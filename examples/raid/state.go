package raid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
)

// ErrState says that bytes are not the state of a raid.
var ErrState = errors.New("raid: not the state of a raid")

const (
	version  = 2
	headSize = 104
	roomSize = 8
	seatSize = 92
	footSize = 2
	bagAt    = 26 // in a seat
)

// Seat is one participant in the raid. The keeper's has an owner and a link only.
type Seat struct {
	Owner   common.Address
	Class   Class
	Gear    uint8 // bits 1 << item of what the hero has taken up
	HP      uint16
	Action  Action // chosen for this round
	Target  uint8  // the seat that is healed, the item that is used
	Bag     [itemCount]uint32
	Owned   Pack // what the owner had in the World when the ticket was bought: the most that the hero may bring
	Brought Pack // what the hero brought; it is in the Bag until it is used
	Damage  uint32
	Healed  uint32
	Link    common.Hash // the last verified link of the chain, its tip at first
	IsHero  bool
	Pending bool // owes something in this phase
	Silent  bool // ended the raid by silence
}

// Pack is what a hero brings along: up to three potions, a sword and a shield.
type Pack struct {
	Potions, Swords, Shields uint8
}

// MaxPack is the most that a hero may bring.
var MaxPack = Pack{Potions: 3, Swords: 1, Shields: 1}

func decodePack(b byte) Pack { return Pack{b & 3, b >> 2 & 1, b >> 3 & 1} }

// Count says how many of an item are in the pack.
func (p Pack) Count(i Item) uint16 {
	switch i {
	case Potion:
		return uint16(p.Potions)
	case Sword:
		return uint16(p.Swords)
	case Shield:
		return uint16(p.Shields)
	}
	return 0
}

// Within is the part of the pack that is in another as well.
func (p Pack) Within(most Pack) Pack {
	return Pack{min(p.Potions, most.Potions), min(p.Swords, most.Swords), min(p.Shields, most.Shields)}
}

// Net is by how much the owner's Loot of an item changes when the raid ends here: what is carried out less what was brought
// after a victory, otherwise what was used of what was brought, as a negative number.
func (s Seat) Net(i Item, outcome Outcome) int {
	net := int(s.Carries(i)) - int(s.Brought.Count(i))
	if outcome != Won {
		net = min(net, 0)
	}
	return net
}

// Carries says how many of an item the hero has.
func (s Seat) Carries(i Item) uint32 {
	if i == NoItem || i > itemCount {
		return 0
	}
	return s.Bag[i-1]
}

// Wears says whether the hero has taken up a Sword or a Shield.
func (s Seat) Wears(i Item) bool { return i <= itemCount && s.Gear&(1<<i) != 0 }

// Alive is false for the keeper and before the hero's commitment.
func (s Seat) Alive() bool { return s.HP > 0 }

// State is a raid at one point of its journal.
type State struct {
	Phase      Phase
	Outcome    Outcome
	Keeper     uint8 // seat of the sequencer
	Room       uint8 // the room that the party is in, from 0; len(Rooms) when all are cleared
	MaxRounds  uint8
	Round      uint16 // from 1; 0 while commitments are collected
	Namespace  [14]byte
	InWorld    bool        // there is a world to write records to
	Seed       common.Hash // of the last round that was resolved
	MonsterHP  uint32
	TicketSeed common.Hash // the ticket's seed, zero without one
	Rooms      []Room
	Seats      []Seat
}

// Decode reads the app part from the end of a State (header ‖ funds ‖ app); the app part alone will do, too.
func Decode(state []byte) (*State, error) {
	if len(state) < headSize+footSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrState, len(state))
	}
	size := int(binary.LittleEndian.Uint16(state[len(state)-footSize:]))
	if size > len(state) || size < headSize+footSize {
		return nil, fmt.Errorf("%w: its length says %d of %d bytes", ErrState, size, len(state))
	}
	app := state[len(state)-size:]
	seats, rooms := int(app[4]), int(app[5])
	if app[0] != version || seats < minSeats || seats > maxSeats || rooms == 0 || rooms > maxRooms ||
		size != headSize+rooms*roomSize+seats*seatSize+footSize {
		return nil, fmt.Errorf("%w: version %d, %d seats, %d rooms, %d bytes", ErrState, app[0], seats, rooms, size)
	}
	s := &State{
		Phase: Phase(app[1]), Outcome: Outcome(app[2]), Keeper: app[3], Room: app[6], MaxRounds: app[7],
		Round: binary.LittleEndian.Uint16(app[8:]), Namespace: [14]byte(app[16:30]), InWorld: app[30] == 1,
		Seed: common.Hash(app[32:64]), MonsterHP: binary.LittleEndian.Uint32(app[64:]), TicketSeed: common.Hash(app[72:104]),
		Rooms: make([]Room, rooms), Seats: make([]Seat, seats),
	}
	if s.Phase > PhaseOver || s.Outcome > CalledOff || int(s.Keeper) >= seats || int(s.Room) > rooms {
		return nil, fmt.Errorf("%w: phase %d, outcome %d, keeper %d, room %d", ErrState, s.Phase, s.Outcome, s.Keeper, s.Room)
	}
	for i := range s.Rooms {
		s.Rooms[i] = decodeRoom(app[headSize+i*roomSize:])
		if s.Rooms[i].Item > itemCount {
			return nil, fmt.Errorf("%w: item %d in room %d", ErrState, s.Rooms[i].Item, i)
		}
	}
	pending, silent := binary.LittleEndian.Uint16(app[10:]), binary.LittleEndian.Uint16(app[12:])
	for i := range s.Seats {
		seat, err := decodeSeat(app[headSize+rooms*roomSize+i*seatSize:])
		if err != nil {
			return nil, fmt.Errorf("seat %d: %w", i, err)
		}
		seat.IsHero = i != int(s.Keeper)
		seat.Pending, seat.Silent = pending>>i&1 == 1, silent>>i&1 == 1
		s.Seats[i] = seat
	}
	if err := s.consistent(); err != nil {
		return nil, err
	}
	return s, nil
}

// consistent refuses what no raid comes to, so that the story and the bot need not check.
func (s *State) consistent() error {
	if (s.Phase == PhaseAct || s.Phase == PhaseReveal) && (int(s.Room) == len(s.Rooms) || s.Living() == 0) {
		return fmt.Errorf("%w: a round with nobody to fight", ErrState)
	}
	for i, seat := range s.Seats {
		ok := true
		switch seat.Action {
		case ActHeal:
			ok = int(seat.Target) < len(s.Seats) && s.Seats[seat.Target].Alive()
		case ActUse:
			ok = seat.Carries(Item(seat.Target)) > 0
		}
		if !ok {
			return fmt.Errorf("%w: seat %d cannot do %s %d", ErrState, i, seat.Action, seat.Target)
		}
	}
	return nil
}

func decodeRoom(b []byte) Room {
	return Room{
		Kind: Kind(b[0]), Attack: b[1], Defence: b[2], Item: Item(b[3]),
		HP: binary.LittleEndian.Uint16(b[4:]), Gold: binary.LittleEndian.Uint16(b[6:]),
	}
}

func decodeSeat(b []byte) (Seat, error) {
	s := Seat{
		Owner: common.Address(b[:20]), Class: Class(b[20]), Gear: b[21], HP: binary.LittleEndian.Uint16(b[22:]),
		Action: Action(b[24]), Target: b[25],
		Owned: decodePack(b[50]), Brought: decodePack(b[51]), Damage: binary.LittleEndian.Uint32(b[52:]), Healed: binary.LittleEndian.Uint32(b[56:]), Link: common.Hash(b[60:92]),
	}
	if s.Class > Mage || s.Action > ActUse || s.HP > s.Class.MaxHP() {
		return Seat{}, fmt.Errorf("%w: class %d, action %d, hp %d", ErrState, s.Class, s.Action, s.HP)
	}
	for i := range s.Bag {
		s.Bag[i] = binary.LittleEndian.Uint32(b[bagAt+4*i:])
	}
	return s, nil
}

// Over says that the raid is decided: the state is terminal.
func (s *State) Over() bool { return s.Phase == PhaseOver }

// Heroes is the size of the party, the dead included.
func (s *State) Heroes() int { return len(s.Seats) - 1 }

// Living counts the heroes who live.
func (s *State) Living() int { return bits.OnesCount16(s.mask(Seat.Alive)) }

// Waiting lists the seats that owe something.
func (s *State) Waiting() (seats []int) {
	for i, seat := range s.Seats {
		if seat.Pending {
			seats = append(seats, i)
		}
	}
	return seats
}

// Monster is the room that the party is in, and the monster's hit points at first; ok is false when all have fallen.
func (s *State) Monster() (room Room, hp uint32, ok bool) {
	if int(s.Room) >= len(s.Rooms) {
		return Room{}, 0, false
	}
	room = s.Rooms[s.Room]
	return room, uint32(room.HP) * uint32(s.Heroes()), true
}

func (s *State) mask(f func(Seat) bool) (m uint16) {
	for i, seat := range s.Seats {
		if f(seat) {
			m |= 1 << i
		}
	}
	return m
}

func (s *State) clone() *State {
	c := *s
	c.Rooms = append([]Room(nil), s.Rooms...)
	c.Seats = append([]Seat(nil), s.Seats...)
	return &c
}

// WithLoot is a State (header ‖ funds ‖ app) in which a hero carries so much of an item: what somebody would have to forge. It
// fails with ErrState.
func WithLoot(state []byte, seat int, item Item, amount uint32) ([]byte, error) {
	s, err := Decode(state)
	if err != nil {
		return nil, err
	}
	if seat < 0 || seat >= len(s.Seats) || item == NoItem || item > itemCount {
		return nil, fmt.Errorf("%w: seat %d cannot carry item %d", ErrState, seat, item)
	}
	forged := bytes.Clone(state)
	fromEnd := footSize + (len(s.Seats)-seat)*seatSize - bagAt - 4*int(item-1)
	binary.LittleEndian.PutUint32(forged[len(forged)-fromEnd:], amount)
	return forged, nil
}
