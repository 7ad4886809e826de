package crafting

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/examples/internal/table"
)

// Bot plays one seat, the workshop's included. It keeps nothing between calls.
type Bot struct {
	// Purse is the most that a crafter pays in fees, in FeeUnit; the bot does not see the funds.
	Purse uint64

	seat   uint8
	secret common.Hash
}

// NewBot plays a seat. The secret must be fresh for each channel (table.Secret): it makes the workshop's chain.
func NewBot(seat uint8, secret common.Hash) *Bot { return &Bot{seat: seat, secret: secret} }

// Next is the payload that the seat should author on a state; ok is false when it has to wait.
func (b *Bot) Next(state []byte) (payload []byte, ok bool) {
	s, err := Decode(state)
	if err != nil || int(b.seat) >= len(s.Benches) || s.Phase == Over {
		return nil, false
	}
	if b.seat == s.Workshop {
		if !s.Owes(b.seat) {
			return nil, false
		}
		if s.Phase == Open {
			return OpenWorkshop(Chain(b.seat, b.secret, int(s.Rolls))), true
		}
		return ShowLink(Chain(b.seat, b.secret, int(s.Rolls)-int(s.Used)-1)), s.Used < s.Rolls
	}
	me := s.Benches[b.seat]
	if s.Phase == Open || me.Done || me.Busy > 0 {
		return nil, false
	}
	number := me.Crafts<<8 | uint32(me.Gifts)
	if p, ok := b.gift(s, number); ok {
		return p, true
	}
	first := table.Mix(b.secret, number)
	for k := range uint64(len(s.Recipes)) {
		r := int((first + k) % uint64(len(s.Recipes)))
		if s.Used < s.Rolls && !s.Lacks(int(b.seat), r) && uint64(s.Recipes[r].Fee)*uint64(me.Crafts+1) <= b.Purse {
			return Craft(uint8(r), table.Key(b.secret, number, 0)), true
		}
	}
	return Done(), true
}

// gift gives the next crafter one of an item now and then.
func (b *Bot) gift(s *State, number uint32) ([]byte, bool) {
	me := s.Benches[b.seat]
	mix := table.Mix(b.secret, number|1<<31)
	item := (mix >> 8) % uint64(s.Items)
	to := (int(b.seat) + 1) % len(s.Benches)
	if to == int(s.Workshop) {
		to = (to + 1) % len(s.Benches)
	}
	if mix%4 != 0 || to == int(b.seat) || me.Now[item] == 0 || me.Gifts >= 16 {
		return nil, false
	}
	return Give(uint8(item)+1, 1, uint8(to)), true
}
