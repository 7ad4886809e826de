package raid

import (
	"github.com/ethereum/go-ethereum/common"
)

// payload is what an event of this game carries: {"do": verb} and the fields of that verb.
type payload struct {
	Do    string `msgpack:"do"`
	Tip   []byte `msgpack:"tip,omitempty"`
	Class string `msgpack:"class,omitempty"`
	On    *uint8 `msgpack:"on,omitempty"`
	Item  string `msgpack:"item,omitempty"`
	Link  []byte `msgpack:"link,omitempty"`
	Bring *bring `msgpack:"bring,omitempty"`
}

type bring struct {
	Potion uint8 `msgpack:"potion,omitempty"`
	Sword  uint8 `msgpack:"sword,omitempty"`
	Shield uint8 `msgpack:"shield,omitempty"`
}

// Commit opens the raid for a participant: the tip of its chain (Chain.Tip), and for heroes their class. The
// keeper's class is NoClass.
func Commit(tip common.Hash, class Class) []byte {
	p := payload{Do: "commit", Tip: tip[:]}
	if class != NoClass {
		p.Class = class.String()
	}
	return p.encode()
}

// CommitBringing is a hero's Commit with items that its owner had in the World when the ticket was bought (Seat.Owned).
func CommitBringing(tip common.Hash, class Class, pack Pack) []byte {
	p := payload{Do: "commit", Tip: tip[:], Class: class.String()}
	if pack != (Pack{}) {
		p.Bring = &bring{pack.Potions, pack.Swords, pack.Shields}
	}
	return p.encode()
}

// Attack strikes at the monster.
func Attack() []byte { return payload{Do: "attack"}.encode() }

// Defend raises the hero's defence for this round and draws the monster's blows to it.
func Defend() []byte { return payload{Do: "defend"}.encode() }

// Heal gives hit points to the living hero in a seat, perhaps the author's own.
func Heal(seat uint8) []byte { return payload{Do: "heal", On: &seat}.encode() }

// Use drinks a Potion, or takes up a Sword or a Shield for the rest of the raid.
func Use(item Item) []byte { return payload{Do: "use", Item: item.String()}.encode() }

// Reveal shows the link of the current round (Chain.Link).
func Reveal(link common.Hash) []byte { return payload{Do: "reveal", Link: link[:]}.encode() }

func (p payload) encode() []byte {
	b, err := encode(p)
	if err != nil {
		panic(err) // strings, bytes and a small integer always encode
	}
	return b
}
