package proof

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/evmts/channels/channel"
)

// Difference is one part of a state that differs between two.
type Difference struct {
	Part string `json:"part"` // lastTimestamp, nonces[i], topUps, terminal, funds[asset][holder], app
	From string `json:"from"`
	To   string `json:"to"`
}

// Diff lists where two states of one shape differ: of the app, which only its module can read, the lengths and the first byte.
func Diff(shape channel.Shape, from, to *channel.State) (out []Difference) {
	note := func(part string, a, b any) {
		if from, to := fmt.Sprint(a), fmt.Sprint(b); from != to {
			out = append(out, Difference{part, from, to})
		}
	}
	note("lastTimestamp", from.Header.LastTimestamp, to.Header.LastTimestamp)
	for i := range min(len(from.Header.Nonces), len(to.Header.Nonces)) {
		note(fmt.Sprintf("nonces[%d]", i), from.Header.Nonces[i], to.Header.Nonces[i])
	}
	note("topUps", from.Header.TopUps, to.Header.TopUps)
	note("terminal", from.Header.Terminal, to.Header.Terminal)
	for a := range shape.Assets {
		for p := range shape.Holders() {
			x, y := from.Amount(shape, a, p), to.Amount(shape, a, p)
			note(fmt.Sprintf("funds[%d][%d]", a, p), x.Dec(), y.Dec())
		}
	}
	if string(from.App) != string(to.App) {
		at := 0
		for at < min(len(from.App), len(to.App)) && from.App[at] == to.App[at] {
			at++
		}
		note("app", fmt.Sprintf("%d bytes", len(from.App)), fmt.Sprintf("%d bytes, other from byte %d", len(to.App), at))
	}
	return out
}

// What says which leaf it is, in a few words.
func (f *Fault) What() string {
	switch e := f.Entry.Event; {
	case f.Seq == 0:
		return "leaf 0, the genesis"
	case e != nil:
		return fmt.Sprintf("leaf %d, event %d of participant %d", f.Seq, e.Nonce, e.Author)
	default:
		return fmt.Sprintf("leaf %d, top-up %d", f.Seq, f.Entry.TopUp)
	}
}

// Why says in one sentence what is wrong with the leaf.
func (f *Fault) Why() string {
	said := strings.Map(printable, f.Verdict.Text()) // some of it is the module's, which may be anybody's
	switch {
	case f.Right == nil:
		return fmt.Sprintf("the module refuses the genesis (%s), so no state is right", said)
	case f.Verdict.Status != channel.Accepted:
		return fmt.Sprintf("the rules reject it (%s), so the state must stay %s; the leaf says %s", said, f.Derived, f.Claimed)
	default:
		return fmt.Sprintf("the rules give state %s; the leaf says %s", f.Derived, f.Claimed)
	}
}

// printable keeps a terminal from obeying a text.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// Text explains the fault to people, over several lines. A journal holds no states, only their hashes: what the leaf claims can be shown
// only to somebody who has that state.
func (f *Fault) Text(shape channel.Shape, claimed *channel.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is wrong: %s.\n", f.What(), f.Why())
	list := func(title string, from, to *channel.State) {
		fmt.Fprintf(&b, "%s\n", title)
		for _, d := range Diff(shape, from, to) {
			fmt.Fprintf(&b, "  %-16s %s -> %s\n", d.Part, d.From, d.To)
		}
	}
	if f.Previous != nil && f.Right != nil && f.Verdict.Status == channel.Accepted {
		list("By the rules it changes:", f.Previous, f.Right)
	}
	if claimed != nil && f.Right != nil && claimed.Hash() == f.Claimed {
		list("The state that was signed differs from the right one in:", f.Right, claimed)
	}
	return b.String()
}
