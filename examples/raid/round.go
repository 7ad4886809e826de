package raid

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// The module's rules of a round, written a second time: a state does not say who hit whom, so the story replays
// the round from the state before it and its seed. The tests hold the two against each other.

type stats struct{ hp, attack, defence, healing, critical uint16 }

var classStats = [...]stats{
	Warrior: {64, 9, 4, 4, 20},
	Cleric:  {52, 6, 3, 14, 20},
	Rogue:   {54, 9, 2, 4, 17},
	Mage:    {46, 12, 1, 6, 20},
}

// MaxHP is what a hero of a class starts with, and cannot be healed above.
func (c Class) MaxHP() uint16 {
	if int(c) >= len(classStats) {
		return 0
	}
	return classStats[c].hp
}

// Healing is what a hero of a class gives back at least.
func (c Class) Healing() uint16 {
	if int(c) >= len(classStats) {
		return 0
	}
	return classStats[c].healing
}

const (
	swordAttack     = 4
	shieldDefence   = 3
	potionHeals     = 25
	defendDefence   = 5
	defendWeight    = 3
	restHeals       = 6
	heroesPerStrike = 2
	saltStrike      = 0x100
	saltLoot        = 0x200
)

// dice are the eight dice of one throw.
type dice common.Hash

func throw(seed common.Hash, salt int) dice {
	return dice(crypto.Keccak256Hash(seed[:], binary.LittleEndian.AppendUint32(nil, uint32(salt))))
}

func (d dice) die(k int, sides uint32) uint32 {
	return binary.LittleEndian.Uint32(d[4*k:])%sides + 1
}

// beat is one thing that happened in a round.
type beat struct {
	what   beatKind
	seat   int    // who acts, is struck, or finds
	on     int    // who is healed
	item   Item   // what is used or found
	points uint16 // damage, hit points or gold
	fumble bool   // missed
	lucky  bool   // doubled
}

type beatKind uint8

const (
	beatStrike beatKind = iota // a hero strikes the monster
	beatDefend                 // a hero raises its guard
	beatHeal                   // a hero heals another
	beatUse                    // a hero uses an item
	beatSlain                  // the monster falls
	beatGold                   // each living hero finds gold
	beatFind                   // a hero finds the room's item
	beatRest                   // the party moves on
	beatStruck                 // the monster strikes a hero
	beatDeath                  // a hero falls
)

func (s *State) attack(i int) uint32 {
	a := uint32(classStats[s.Seats[i].Class].attack)
	if s.Seats[i].Wears(Sword) {
		a += swordAttack
	}
	return a
}

func (s *State) defence(i int) uint32 {
	d := uint32(classStats[s.Seats[i].Class].defence)
	if s.Seats[i].Wears(Shield) {
		d += shieldDefence
	}
	if s.Seats[i].Action == ActDefend {
		d += defendDefence
	}
	return d
}

func blow(power, die, defence uint32) uint32 {
	return max(power+die, defence+1) - defence
}

// resolve plays the round of a seed on s, whose heroes have all chosen.
func (s *State) resolve(seed common.Hash) (beats []beat) {
	s.Seed = seed
	room := s.Rooms[s.Room]
	for i := range s.Seats {
		if s.Seats[i].Alive() {
			beats = append(beats, s.act(i, room))
		}
	}
	if s.MonsterHP == 0 {
		beats = append(beats, s.loot(room)...)
	} else {
		beats = append(beats, s.struck(room)...)
	}
	for i := range s.Seats {
		s.Seats[i].Action, s.Seats[i].Target, s.Seats[i].Pending = NoAction, 0, false
	}
	s.next()
	return beats
}

func (s *State) next() {
	s.Phase = PhaseOver
	switch {
	case int(s.Room) == len(s.Rooms):
		s.Outcome = Won
	case s.Living() == 0:
		s.Outcome = Wiped
	case s.Round == uint16(s.MaxRounds):
		s.Outcome = OutOfTime
	default:
		s.Phase = PhaseAct
		s.Round++
		for i := range s.Seats {
			s.Seats[i].Pending = s.Seats[i].Alive()
		}
	}
}

func (s *State) act(i int, room Room) beat {
	hero, d := &s.Seats[i], throw(s.Seed, i)
	switch hero.Action {
	case ActAttack:
		return s.strike(i, d, room)
	case ActDefend:
		return beat{what: beatDefend, seat: i}
	case ActHeal:
		healed := s.heal(int(hero.Target), uint32(hero.Class.Healing())+d.die(1, 6))
		hero.Healed += uint32(healed)
		return beat{what: beatHeal, seat: i, on: int(hero.Target), points: healed}
	}
	item, b := Item(hero.Target), beat{what: beatUse, seat: i, item: Item(hero.Target)}
	hero.Bag[item-1]--
	if item == Potion {
		b.points = s.heal(i, potionHeals)
	} else {
		hero.Gear |= 1 << item
	}
	return b
}

func (s *State) strike(i int, d dice, room Room) beat {
	b := beat{what: beatStrike, seat: i}
	d20 := d.die(0, 20)
	if d20 == 1 {
		b.fumble = true
		return b
	}
	hurt := blow(s.attack(i), d.die(1, 6), uint32(room.Defence))
	if d20 >= uint32(classStats[s.Seats[i].Class].critical) {
		b.lucky = true
		hurt *= 2
	}
	hurt = min(hurt, s.MonsterHP)
	s.MonsterHP -= hurt
	s.Seats[i].Damage += hurt
	b.points = uint16(hurt)
	return b
}

func (s *State) heal(i int, points uint32) uint16 {
	hero := &s.Seats[i]
	given := uint16(min(points, uint32(hero.Class.MaxHP()-hero.HP)))
	hero.HP += given
	return given
}

func (s *State) struck(room Room) (beats []beat) {
	count := 1 + (s.Living()-1)/heroesPerStrike
	for n := 0; n < count && s.Living() > 0; n++ {
		d := throw(s.Seed, saltStrike+n)
		i := s.victim(d)
		b := beat{what: beatStruck, seat: i}
		d20 := d.die(1, 20)
		if d20 == 1 {
			b.fumble = true
			beats = append(beats, b)
			continue
		}
		hurt := blow(uint32(room.Attack), d.die(2, 6), s.defence(i))
		if d20 == 20 {
			b.lucky = true
			hurt *= 2
		}
		b.points = uint16(hurt)
		beats = append(beats, b)
		s.Seats[i].HP -= uint16(min(hurt, uint32(s.Seats[i].HP)))
		if !s.Seats[i].Alive() {
			beats = append(beats, beat{what: beatDeath, seat: i})
		}
	}
	return beats
}

// victim draws a living hero; who defends has three tickets.
func (s *State) victim(d dice) int {
	var tickets []int
	for i, seat := range s.Seats {
		switch {
		case !seat.Alive():
		case seat.Action == ActDefend:
			for range defendWeight {
				tickets = append(tickets, i)
			}
		default:
			tickets = append(tickets, i)
		}
	}
	return tickets[d.die(0, uint32(len(tickets)))-1]
}

func (s *State) loot(room Room) []beat {
	beats := []beat{{what: beatSlain}, {what: beatGold, points: room.Gold}}
	d := throw(s.Seed, saltLoot)
	finder := int(d.die(0, uint32(s.Living())))
	for i := range s.Seats {
		hero := &s.Seats[i]
		if !hero.Alive() {
			continue
		}
		hero.Bag[Gold-1] += uint32(room.Gold)
		finder--
		if finder == 0 && room.Item != NoItem {
			hero.Bag[room.Item-1]++
			beats = append(beats, beat{what: beatFind, seat: i, item: room.Item})
		}
	}
	s.Room++
	if _, hp, ok := s.Monster(); ok {
		s.MonsterHP = hp
		for i := range s.Seats {
			if s.Seats[i].Alive() {
				s.heal(i, restHeals)
			}
		}
		beats = append(beats, beat{what: beatRest})
	}
	return beats
}
