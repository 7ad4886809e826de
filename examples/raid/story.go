package raid

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Nobody is the author of a timeout event (docs/encoding.md 22).
const Nobody uint8 = 0xff

var defaultNames = [...]string{
	"Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory", "Niaj", "Olivia", "Peggy", "Rupert",
}

// Describe tells what one accepted event did, in lines for people; a reveal that does not decide the round yet has
// none. before and after are States (header ‖ funds ‖
// app), author is the event's seat or Nobody for a timeout. names are by seat; without them heroes are Alice, Bob, …
// in the order of their seats. It fails with ErrState.
func Describe(before, after []byte, author uint8, payload []byte, names []string) ([]string, error) {
	b, err := Decode(before)
	if err != nil {
		return nil, fmt.Errorf("state before: %w", err)
	}
	a, err := Decode(after)
	if err != nil {
		return nil, fmt.Errorf("state after: %w", err)
	}
	if len(a.Seats) != len(b.Seats) || len(a.Rooms) != len(b.Rooms) {
		return nil, fmt.Errorf("%w: the states are of two raids", ErrState)
	}
	t := teller{before: b, after: a, names: names}
	if author == Nobody {
		return t.timeout(), nil
	}
	if int(author) >= len(a.Seats) {
		return nil, fmt.Errorf("%w: no seat %d", ErrState, author)
	}
	return t.event(int(author), payload), nil
}

type teller struct {
	before, after *State
	names         []string
	lines         []string
}

func (t *teller) say(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

func (t *teller) name(seat int) string {
	if seat < len(t.names) && t.names[seat] != "" {
		return t.names[seat]
	}
	keeper := int(t.after.Keeper)
	if seat == keeper {
		return "the Keeper"
	}
	if seat > keeper {
		seat--
	}
	return defaultNames[seat%len(defaultNames)]
}

// title is a name at the beginning of a sentence.
func (t *teller) title(seat int) string {
	first, size := utf8.DecodeRuneInString(t.name(seat))
	return string(unicode.ToUpper(first)) + t.name(seat)[size:]
}

func (t *teller) event(author int, raw []byte) []string {
	if !t.before.Seats[author].Pending || t.after.Seats[author].Pending && t.before.Phase == t.after.Phase {
		t.say("%s adds to the stakes.", t.title(author))
		return t.lines
	}
	switch t.before.Phase {
	case PhaseCommit:
		t.commit(author)
	case PhaseAct:
		t.choice(author, raw)
	}
	if t.before.Phase == PhaseReveal && t.after.Phase != PhaseReveal {
		t.round()
	} else if t.before.Phase == PhaseCommit && t.after.Phase == PhaseAct {
		t.meet()
	}
	return t.lines
}

func (t *teller) commit(author int) {
	seat := t.after.Seats[author]
	if seat.IsHero {
		t.say("%s the %s joins%s and commits to the dice.", t.title(author), seat.Class, luggage(seat.Brought))
	} else {
		t.say("%s opens the dungeon and commits to the dice.", t.title(author))
	}
}

// luggage tells what a hero brings: " with 2 potions and a sword".
func luggage(p Pack) string {
	var parts []string
	for item := Potion; item <= Shield; item++ {
		switch n := p.Count(item); n {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("a %s", item))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, item))
		}
	}
	switch n := len(parts); n {
	case 0:
		return ""
	case 1:
		return " with " + parts[0]
	default:
		return " with " + strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
}

func (t *teller) choice(author int, raw []byte) {
	var p payload
	if err := msgpack.Unmarshal(raw, &p); err != nil {
		p.Do = "something unheard of"
	}
	switch {
	case p.Do == "heal" && p.On != nil && int(*p.On) == author:
		t.say("%s reaches for the bandages.", t.title(author))
	case p.Do == "heal" && p.On != nil:
		t.say("%s turns to %s.", t.title(author), t.name(int(*p.On)))
	case p.Do == "use":
		t.say("%s reaches for the %s.", t.title(author), p.Item)
	case p.Do == "defend":
		t.say("%s takes a guard.", t.title(author))
	default:
		t.say("%s goes for the %s.", t.title(author), t.monster())
	}
}

func (t *teller) monster() Kind {
	room, _, _ := t.before.Monster()
	return room.Kind
}

func (t *teller) meet() {
	room, hp, ok := t.after.Monster()
	if !ok {
		return
	}
	where := fmt.Sprintf("Room %d of %d", t.after.Room+1, len(t.after.Rooms))
	if int(t.after.Room) == len(t.after.Rooms)-1 {
		where = "The last room"
	}
	t.say("%s: a %s with %d hp waits.", where, room.Kind, hp)
}

// round replays the round that the last reveal has decided.
func (t *teller) round() {
	foe := t.monster()
	t.say("Round %d:", t.before.Round)
	for _, b := range t.before.clone().resolve(t.after.Seed) {
		t.beat(b, foe)
	}
	if t.after.Over() {
		t.ending()
		return
	}
	if t.after.Room != t.before.Room {
		t.meet()
	} else {
		t.say("  The %s has %d hp left; %s.", foe, t.after.MonsterHP, t.party())
	}
}

func (t *teller) party() string {
	var parts []string
	for i, seat := range t.after.Seats {
		switch {
		case !seat.IsHero:
		case seat.Alive():
			parts = append(parts, fmt.Sprintf("%s %d/%d", t.name(i), seat.HP, seat.Class.MaxHP()))
		default:
			parts = append(parts, t.name(i)+" has fallen")
		}
	}
	return strings.Join(parts, ", ")
}

func (t *teller) beat(b beat, foe Kind) {
	who := t.title(b.seat)
	switch b.what {
	case beatStrike:
		t.strike(b, who, fmt.Sprintf("the %s", foe))
	case beatDefend:
		t.say("  %s stands guard.", who)
	case beatHeal:
		t.say("  %s heals %s by %d.", who, t.name(b.on), b.points)
	case beatUse:
		t.use(b, who)
	case beatSlain:
		t.say("  The %s falls!", foe)
	case beatGold:
		if b.points > 0 {
			t.say("  Everyone standing finds %d gold.", b.points)
		}
	case beatFind:
		t.say("  %s finds a %s.", who, b.item)
	case beatRest:
		t.say("  The party catches its breath; %s.", t.party())
	case beatStruck:
		t.strike(b, fmt.Sprintf("The %s", foe), t.name(b.seat))
	case beatDeath:
		t.say("  %s falls.", who)
	}
}

func (t *teller) strike(b beat, who, whom string) {
	switch {
	case b.fumble:
		t.say("  %s misses %s.", who, whom)
	case b.points == 0:
		t.say("  %s strikes at the air.", who)
	case b.lucky:
		t.say("  %s strikes %s for %d, a mighty blow!", who, whom, b.points)
	default:
		t.say("  %s strikes %s for %d.", who, whom, b.points)
	}
}

func (t *teller) use(b beat, who string) {
	switch b.item {
	case Potion:
		t.say("  %s drinks a potion: %d hp.", who, b.points)
	default:
		t.say("  %s takes up the %s.", who, b.item)
	}
}

func (t *teller) ending() {
	switch t.after.Outcome {
	case Won:
		t.say("The dungeon is cleared! The party shares the prize.")
	case Wiped:
		t.say("The party is no more. The Keeper takes half of the stakes.")
	case OutOfTime:
		t.say("The torches burn out; the party withdraws with its stakes.")
	}
}

func (t *teller) timeout() []string {
	if t.after.Outcome == CalledOff {
		t.say("Not everyone committed in time: the raid is called off, all stakes go back.")
		return t.lines
	}
	for i, seat := range t.after.Seats {
		if seat.Silent {
			t.say("%s has fallen silent and forfeits half of the stake.", t.title(i))
		}
	}
	t.say("The raid is abandoned.")
	return t.lines
}
