// Package rps is rock, paper, scissors, best of n, in a channel: the module, payloads, the state, and a bot. The rules
// are in README.md, the module's source in assembly/.
//
// The head of a state is drawn in examples/internal/table. The game's own bytes of the head are bestOf, round (from 0),
// wins of each seat (2), the answer of this round, and the hands of the last round (2; 1 rock, 2 paper, 3 scissors); after
// the owners come the leader's commitment (32).
package rps

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/examples/internal/table"
)

// Wasm is the module, as examples/build.mjs builds it from assembly/.
//
//go:embed rps.wasm
var Wasm []byte

const version = 0x21

// ErrConfig says that the module would refuse a configuration.
var ErrConfig = errors.New("rps: bestOf is 1, 3, 5, 7 or 9")

// Phase is what the match waits for.
type Phase uint8

const (
	Hide   Phase = 0 // the leader of the round commits to a hand
	Answer Phase = 1 // the other shows its hand
	Open   Phase = 2 // the leader opens what it hid
	Over   Phase = table.Over
)

// Outcome is how a match ended.
type Outcome uint8

const (
	Undecided Outcome = iota
	Won0              // by seat 0
	Won1
	Drawn
	CalledOff // the first leader never hid a hand
)

// Hand is what a player shows.
type Hand uint8

const (
	Rock Hand = iota
	Paper
	Scissors
)

// Config is a match: the player with more than half of BestOf wins has won.
type Config struct {
	BestOf uint8 `msgpack:"bestOf"`
}

// Genesis is a match and where its outcome goes.
type Genesis struct {
	World  table.World
	Config Config
}

// Input is the channel's genesis input. It fails with ErrConfig.
func (g Genesis) Input() ([]byte, error) {
	if g.Config.BestOf%2 == 0 || g.Config.BestOf > 9 {
		return nil, fmt.Errorf("%w, not %d", ErrConfig, g.Config.BestOf)
	}
	return g.World.Input(g.Config)
}

// HideHand commits to a hand: the key is table.Key(secret, number, hand), and nobody can read the hand from it.
func HideHand(seat uint8, key common.Hash) []byte {
	c := table.Commitment(seat, key)
	return table.Payload(map[string][]byte{"hide": c[:]})
}

// ShowHand answers.
func ShowHand(h Hand) []byte { return table.Payload(map[string]uint8{"hand": uint8(h)}) }

// OpenHand shows the key that HideHand committed to.
func OpenHand(key common.Hash) []byte { return table.Payload(map[string][]byte{"key": key[:]}) }

// State is a match at one point of its journal.
type State struct {
	*table.Head
	Phase   Phase
	Outcome Outcome
	BestOf  uint8
	Round   uint8 // from 0
	Wins    [2]uint8
	Answer  Hand // of this round, in the phase Open
	Last    [2]uint8
	Hidden  common.Hash
}

// Decode reads the end of a State (header ‖ funds ‖ app). It fails with table.ErrState.
func Decode(state []byte) (*State, error) {
	h, err := table.Open(state, version)
	if err != nil {
		return nil, fmt.Errorf("rps: %w", err)
	}
	f := h.Fields
	s := &State{Head: h, Phase: Phase(h.Phase), Outcome: Outcome(h.Outcome), BestOf: f[0], Round: f[1], Wins: [2]uint8(f[2:4]), Answer: Hand(f[4]), Last: [2]uint8(f[5:7])}
	if h.Seats() != 2 || len(h.Rest) != 32 || s.Outcome > CalledOff || s.Phase > Open && s.Phase != Over || s.Answer > Scissors || s.Last[0] > 3 || s.Last[1] > 3 {
		return nil, fmt.Errorf("rps: %w: phase %d, outcome %d, %d bytes", table.ErrState, s.Phase, s.Outcome, len(h.Rest))
	}
	s.Hidden = common.Hash(h.Rest)
	return s, nil
}

// Leader is the seat that hides its hand in this round.
func (s *State) Leader() uint8 { return s.Round & 1 }

// Bot plays one seat with hands that follow from its secret. It keeps nothing between calls.
type Bot struct {
	seat   uint8
	secret common.Hash
}

// NewBot plays a seat. The secret must be fresh for each channel (table.Secret).
func NewBot(seat uint8, secret common.Hash) *Bot { return &Bot{seat, secret} }

// Next is the payload that the seat should author on a state; ok is false when it owes nothing.
func (b *Bot) Next(state []byte) (payload []byte, ok bool) {
	s, err := Decode(state)
	if err != nil || !s.Owes(b.seat) {
		return nil, false
	}
	hand := Hand(table.Mix(b.secret, uint32(s.Round)) % 3)
	key := table.Key(b.secret, uint32(s.Round), uint8(hand))
	switch s.Phase {
	case Hide:
		return HideHand(b.seat, key), true
	case Answer:
		return ShowHand(hand), true
	case Open:
		return OpenHand(key), true
	}
	return nil, false
}
