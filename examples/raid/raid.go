// Package raid is the raid party, a game in a channel: it embeds the module and gives Go programs what they
// need to play it, to watch it, and to tell its story. The rules are in README.md, the module's source in
// assembly/.
//
// The app part of a state, little-endian:
//
//	 0  version 2    1  phase       2  outcome     3  keeper's seat
//	 4  seats        5  rooms       6  room        7  maxRounds
//	 8  round (2)   10  pending seats, bits (2)   12  silent seats, bits (2)   14  zero (2)
//	16  namespace (14)             30  in a world  31  zero
//	32  seed of the last round (32)
//	64  hp of the monster (4)      68  zero (4)
//	72  seed of the ticket (32)
//	104 rooms · 8:   kind, attack, defence, item, hp per hero (2), gold (2)
//	    seats · 92:  owner (20), class, gear, hp (2), action, target, bag (6 · 4), owned, brought,
//	                 damage (4), healed (4), link (32)
//	    length of all of it (2)
package raid

import (
	_ "embed"

	"github.com/ethereum/go-ethereum/common"
)

// Wasm is the module, as build.sh builds it from assembly/.
//
//go:embed raid.wasm
var Wasm []byte

// Manifest is raid.manifest.json, which stands beside raid.wasm wherever it is installed: its limits are part of the
// module's hash.
//
//go:embed raid.manifest.json
var Manifest []byte

const (
	// MaxEvents is the most events that one participant can have accepted: a commitment, and an action and a
	// reveal in each of 48 rounds. It belongs into the module's manifest.
	MaxEvents = 1 + 2*maxRounds
	// FuelLimit is enough for every call. The dearest one is the victory of fifteen heroes over eight assets, 2.4
	// million; the party of the demo stays below one.
	FuelLimit = 3_500_000
	// PageLimit is the most pages of 64 KiB that the module's memory can have.
	PageLimit = 1

	minSeats  = 3
	maxSeats  = 16
	maxRooms  = 12
	maxRounds = 48
	maxHP     = 1000
	maxAttack = 100
	maxArmour = 50
	maxGold   = 1000
)

// Phase is what the raid waits for.
type Phase uint8

const (
	PhaseCommit Phase = iota // everyone commits to its dice
	PhaseAct                 // living heroes choose
	PhaseReveal              // everyone reveals its next link
	PhaseOver
)

var phaseNames = [...]string{"commit", "act", "reveal", "over"}

func (p Phase) String() string { return name(phaseNames[:], int(p)) }

// Outcome is how the raid ended.
type Outcome uint8

const (
	Undecided Outcome = iota
	Won               // the last monster fell
	Wiped             // the last hero fell
	OutOfTime         // maxRounds passed
	Abandoned         // somebody fell silent after the first round had begun
	CalledOff         // somebody did not commit
)

var outcomeNames = [...]string{"undecided", "won", "wiped", "out of time", "abandoned", "called off"}

func (o Outcome) String() string { return name(outcomeNames[:], int(o)) }

// Class is a hero's trade. The keeper has none.
type Class uint8

const (
	NoClass Class = iota
	Warrior
	Cleric
	Rogue
	Mage
)

var classNames = [...]string{"none", "warrior", "cleric", "rogue", "mage"}

func (c Class) String() string { return name(classNames[:], int(c)) }

// Item is what heroes find; its number is the itemId of the Loot table.
type Item uint8

const (
	NoItem Item = iota
	Potion
	Sword
	Shield
	Gold
	Gem
	Scale
	itemCount = Scale
)

var itemNames = [...]string{"nothing", "potion", "sword", "shield", "gold", "gem", "dragon scale"}

func (i Item) String() string { return name(itemNames[:], int(i)) }

// Kind is a monster's kind. It changes nothing but the story.
type Kind uint8

const (
	Rat Kind = 1 + iota
	Goblin
	Skeleton
	Wraith
	Troll
	Minotaur
	Dragon
	kindCount = Dragon
)

var kindNames = [...]string{"nothing", "Rat", "Goblin", "Skeleton", "Wraith", "Troll", "Minotaur", "Dragon"}

func (k Kind) String() string { return name(kindNames[:], int(k)) }

// Action is what a hero does in a round.
type Action uint8

const (
	NoAction Action = iota
	ActAttack
	ActDefend
	ActHeal
	ActUse
)

var actionNames = [...]string{"none", "attack", "defend", "heal", "use"}

func (a Action) String() string { return name(actionNames[:], int(a)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}

// Namespace is the MUD namespace of the tables of this example, left-aligned in 14 bytes.
var Namespace = namespaceOf("raid")

func namespaceOf(s string) (n [14]byte) {
	copy(n[:], s)
	return n
}

// NamespaceID is MUD's resource id of a namespace: "ns" ‖ namespace ‖ 16 zero bytes.
func NamespaceID(namespace [14]byte) (id common.Hash) {
	copy(id[:], "ns")
	copy(id[2:], namespace[:])
	return id
}

// TableID is MUD's resource id of an on-chain table: "tb" ‖ namespace ‖ name, cut or zero-padded to 16 bytes.
func TableID(namespace [14]byte, name string) (id common.Hash) {
	copy(id[:], "tb")
	copy(id[2:], namespace[:])
	copy(id[16:], name)
	return id
}
