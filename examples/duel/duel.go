// Package duel is a duel in an arena, in a channel: the module, payloads, the state, and a bot. The rules are in README.md,
// the module's source in assembly/.
//
// The head of a state is drawn in examples/internal/table. The game's own bytes of the head are round (from 0), the most
// rounds, and k; after the owners come the seed of the last round (32) and the fighters, 48 bytes each:
//
//	 0  class   1  charge   2  hp (2)   4  rating (2)   6  last action + 1   7  zero   8  damage dealt (4)
//	12  zero (4)           16  the commitment; once it is opened, the key (32)
package duel

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/examples/internal/table"
)

// Wasm is the module, as examples/build.mjs builds it from assembly/.
//
//go:embed duel.wasm
var Wasm []byte

const (
	version     = 0x22
	fighterSize = 48

	maxRounds = 48
	maxK      = 64
	maxRating = 4000
)

// ErrConfig says that the module would refuse a configuration.
var ErrConfig = errors.New("duel: configuration out of bounds")

// Phase is what the duel waits for.
type Phase uint8

const (
	Hide Phase = 0 // both commit to an action and to their dice
	Open Phase = 1 // both open what they hid
	Over Phase = table.Over
)

// Outcome is how a duel ended.
type Outcome uint8

const (
	Undecided Outcome = iota
	Won0              // by seat 0
	Won1
	Drawn
	CalledOff // somebody hid no first action
)

// Class is a fighter's trade.
type Class uint8

const (
	Knight Class = iota
	Rogue
	Mage
	Monk
)

var maxHP = [...]uint16{Knight: 62, Rogue: 54, Mage: 50, Monk: 56}

// MaxHP is what a fighter begins with.
func (c Class) MaxHP() uint16 { return maxHP[c%4] }

// Action is what a fighter does in a round.
type Action uint8

const (
	Strike Action = iota
	Guard
	Feint
	Focus
)

// Fighter is one of the two in the configuration; Rating is its rating when the channel opens, 0 to 4000.
type Fighter struct {
	_msgpack struct{} `msgpack:",as_array"`
	Class    Class
	Rating   uint16
}

// Config is a duel of 1 to 48 rounds; K, 0 to 64, is the most that a rating can change.
type Config struct {
	Rounds   uint8      `msgpack:"rounds"`
	K        uint8      `msgpack:"k"`
	Fighters [2]Fighter `msgpack:"fighters"`
}

// Genesis is a duel and where its outcome goes.
type Genesis struct {
	World  table.World
	Config Config
}

// Input is the channel's genesis input. It fails with ErrConfig.
func (g Genesis) Input() ([]byte, error) {
	c := g.Config
	bad := c.Rounds == 0 || c.Rounds > maxRounds || c.K > maxK
	for _, f := range c.Fighters {
		bad = bad || f.Class > Monk || f.Rating > maxRating
	}
	if bad {
		return nil, fmt.Errorf("%w: %+v", ErrConfig, c)
	}
	return g.World.Input(c)
}

// HideAction commits to an action and to dice: the key is table.Key(secret, number, action), different in each round.
func HideAction(seat uint8, key common.Hash) []byte {
	c := table.Commitment(seat, key)
	return table.Payload(map[string][]byte{"hide": c[:]})
}

// OpenAction shows the key that HideAction committed to.
func OpenAction(key common.Hash) []byte { return table.Payload(map[string][]byte{"key": key[:]}) }

// Yield gives the duel up.
func Yield() []byte { return table.Payload(map[string]uint8{"yield": 1}) }

// Seat is a fighter at one point of the duel.
type Seat struct {
	Class  Class
	Charge uint8 // 0 to 2
	HP     uint16
	Rating uint16
	Last   uint8 // 1 + the action of the last round
	Dealt  uint32
	Key    common.Hash // the commitment; once it is opened, the key
}

// State is a duel at one point of its journal.
type State struct {
	*table.Head
	Phase   Phase
	Outcome Outcome
	Round   uint8 // from 0
	Rounds  uint8
	K       uint8
	Seed    common.Hash // of the last round
	Fighter [2]Seat
}

// Decode reads the end of a State (header ‖ funds ‖ app). It fails with table.ErrState.
func Decode(state []byte) (*State, error) {
	h, err := table.Open(state, version)
	if err != nil {
		return nil, fmt.Errorf("duel: %w", err)
	}
	s := &State{Head: h, Phase: Phase(h.Phase), Outcome: Outcome(h.Outcome), Round: h.Fields[0], Rounds: h.Fields[1], K: h.Fields[2]}
	if h.Seats() != 2 || len(h.Rest) != 32+2*fighterSize || s.Outcome > CalledOff || s.Phase > Open && s.Phase != Over {
		return nil, fmt.Errorf("duel: %w: phase %d, outcome %d, %d bytes", table.ErrState, s.Phase, s.Outcome, len(h.Rest))
	}
	s.Seed = common.Hash(h.Rest[:32])
	for i := range s.Fighter {
		b := h.Rest[32+i*fighterSize:]
		f := Seat{Class: Class(b[0]), Charge: b[1], HP: binary.LittleEndian.Uint16(b[2:]), Rating: binary.LittleEndian.Uint16(b[4:]),
			Last: b[6], Dealt: binary.LittleEndian.Uint32(b[8:]), Key: common.Hash(b[16:48])}
		if f.Class > Monk || f.Charge > 2 || f.HP > f.Class.MaxHP() || f.Last > uint8(Focus)+1 {
			return nil, fmt.Errorf("duel: %w: fighter %d: %+v", table.ErrState, i, f)
		}
		s.Fighter[i] = f
	}
	return s, nil
}

// Bot plays one seat with actions that follow from its secret and the state. It keeps nothing between calls.
type Bot struct {
	seat   uint8
	secret common.Hash
}

// NewBot plays a seat. The secret must be fresh for each channel (table.Secret): it makes the bot's dice.
func NewBot(seat uint8, secret common.Hash) *Bot { return &Bot{seat, secret} }

// Next is the payload that the seat should author on a state; ok is false when it owes nothing.
func (b *Bot) Next(state []byte) (payload []byte, ok bool) {
	s, err := Decode(state)
	if err != nil || !s.Owes(b.seat) {
		return nil, false
	}
	key := table.Key(b.secret, uint32(s.Round), uint8(b.choose(s)))
	switch s.Phase {
	case Hide:
		return HideAction(b.seat, key), true
	case Open:
		return OpenAction(key), true
	}
	return nil, false
}

// choose strikes when charged, guards when weak, and mixes the rest so that nobody can count on it.
func (b *Bot) choose(s *State) Action {
	me, foe := s.Fighter[b.seat], s.Fighter[1-b.seat]
	weights := [4]uint64{Strike: 5, Guard: 2, Feint: 2, Focus: 2}
	if me.Charge > 0 {
		weights[Strike], weights[Focus] = 8, 1
	}
	if foe.Charge > 0 || 3*me.HP < me.Class.MaxHP() {
		weights[Guard] = 5
	}
	if foe.Last == uint8(Guard)+1 {
		weights[Feint] = 4
	}
	var sum uint64
	for _, w := range weights {
		sum += w
	}
	at := table.Mix(b.secret, uint32(s.Round)) % sum
	for a, w := range weights {
		if at < w {
			return Action(a)
		}
		at -= w
	}
	return Strike
}
