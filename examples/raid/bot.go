package raid

import (
	"github.com/ethereum/go-ethereum/common"
)

// Bot plays one seat, the keeper's included. It keeps nothing between calls: a restarted process that has the
// same secret goes on where the journal stands.
type Bot struct {
	Class Class // of its hero; NewBot gives the party a mix
	Pack  Pack  // what its hero brings, as far as the owner has it; NewBot: a potion

	seat   uint8
	secret common.Hash
}

// NewBot plays a seat. The secret makes its dice and must be fresh for each channel (ChannelSecret).
func NewBot(seat uint8, secret common.Hash) *Bot {
	return &Bot{seat: seat, secret: secret, Pack: Pack{Potions: 1}}
}

// Next is the payload that the seat should author on a state (header ‖ funds ‖ app). ok is false when the seat
// owes nothing, the raid is over, or the bytes are no raid.
func (b *Bot) Next(state []byte) (payload []byte, ok bool) {
	s, err := Decode(state)
	if err != nil || int(b.seat) >= len(s.Seats) || !s.Seats[b.seat].Pending {
		return nil, false
	}
	switch s.Phase {
	case PhaseCommit:
		tip := b.chain(s).Tip()
		if b.seat == s.Keeper {
			return Commit(tip, NoClass), true
		}
		return CommitBringing(tip, b.class(s), b.Pack.Within(s.Seats[b.seat].Owned)), true
	case PhaseReveal:
		link, ok := b.chain(s).Link(s.Round)
		return Reveal(link), ok
	case PhaseAct:
		return b.choose(s), true
	}
	return nil, false
}

func (b *Bot) chain(s *State) Chain { return NewChain(b.seat, b.secret, s.MaxRounds) }

// class is the hero's: by default warrior, cleric, rogue, mage in the order of the heroes' seats.
func (b *Bot) class(s *State) Class {
	if b.Class != NoClass {
		return b.Class
	}
	hero := b.seat
	if b.seat > s.Keeper {
		hero--
	}
	return Warrior + Class(hero%4)
}

// choose takes up gear first, then saves lives, then strikes.
func (b *Bot) choose(s *State) []byte {
	me := s.Seats[b.seat]
	for _, gear := range []Item{Sword, Shield} {
		if me.Carries(gear) > 0 && !me.Wears(gear) {
			return Use(gear)
		}
	}
	if low(me) && me.Carries(Potion) > 0 {
		return Use(Potion)
	}
	if me.Class.Healing() > 10 {
		if worst := weakest(s); low(s.Seats[worst]) {
			return Heal(uint8(worst))
		}
	}
	if me.Class == Warrior && !low(me) && low(s.Seats[weakest(s)]) {
		return Defend()
	}
	return Attack()
}

// low says that a hero has less than half of its hit points.
func low(s Seat) bool { return 2*s.HP < s.Class.MaxHP() }

// weakest is the living hero with the smallest part of its hit points left.
func weakest(s *State) int {
	worst := -1
	for i, seat := range s.Seats {
		if !seat.Alive() {
			continue
		}
		if worst < 0 || uint32(seat.HP)*uint32(s.Seats[worst].Class.MaxHP()) < uint32(s.Seats[worst].HP)*uint32(seat.Class.MaxHP()) {
			worst = i
		}
	}
	return worst
}
