package profile

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/evmts/channels/derivation/debug"
)

// Geometry of the flame graph, in pixels.
const (
	flameWidth  = 1200
	flameMargin = 12
	flameHead   = 62
	flameRow    = 20
	letterWidth = 7.2 // of the font, rather too much than too little; names are cut to what fits
	// narrowest is the width below which a frame is left out, unless its function would not be seen at all.
	narrowest = 0.2
)

// flame draws one profile.
type flame struct {
	out     strings.Builder
	total   uint64
	keep    map[*Node]bool // the widest frame of each function
	deepest int
}

// FlameGraph writes the stacks of calls as an SVG without scripts: callers above what they call, as wide as their fuel;
// pointing at a frame shows its figures.
func (p *Profile) FlameGraph(w io.Writer, title string) error {
	root := p.Tree()
	f := &flame{total: max(root.Total, 1), keep: widest(root)}
	f.frame(root, 0, 0)
	height := flameHead + flameRow*(f.deepest+1) + flameMargin
	_, err := fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
<style>rect.f{stroke:#fff;stroke-width:.6}g:hover>rect.f{stroke:#000;stroke-width:1}text{pointer-events:none;fill:#1a1a1a}</style>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%d" y="26" font-size="17">%s</text>
<text x="%d" y="46" fill="#555">%s fuel in %s calls; as wide as the fuel, callers above callees; blue: host functions, grey: copying in and out</text>
%s</svg>
`, flameWidth, height, flameWidth, height, flameMargin, escape(cut(title, 110)), flameMargin, Group(root.Total), Group(root.Calls), f.out.String())
	return err
}

// widest gives one frame of each function, the one with most fuel.
func widest(root *Node) map[*Node]bool {
	best := make(map[key]*Node)
	var walk func(n *Node)
	walk = func(n *Node) {
		if b := best[n.key]; b == nil || n.Total > b.Total {
			best[n.key] = n
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(root)
	keep := make(map[*Node]bool, len(best))
	for _, n := range best {
		keep[n] = true
	}
	return keep
}

// frame draws a node whose fuel begins at from, and what it calls.
func (f *flame) frame(n *Node, from uint64, depth int) {
	scale := float64(flameWidth-2*flameMargin) / float64(f.total)
	if width := float64(n.Total) * scale; width >= narrowest || f.keep[n] {
		f.deepest = max(f.deepest, depth)
		x, y := flameMargin+float64(from)*scale, flameHead+flameRow*depth
		fmt.Fprintf(&f.out, `<g><title>%s: %s fuel (%.2f %%), %s of its own, %s calls, %s instructions</title><rect class="f" x="%.2f" y="%d" width="%.2f" height="%d" rx="2" fill="%s"/>`,
			escape(n.Name), Group(n.Total), 100*float64(n.Total)/float64(f.total), Group(n.Self), Group(n.Calls), Group(n.Operations), x, y, max(width, narrowest), flameRow-1, n.colour(depth))
		if label := label(n.Name, int((width-8)/letterWidth)); label != "" {
			fmt.Fprintf(&f.out, `<text x="%.2f" y="%d">%s</text>`, x+4, y+14, escape(label))
		}
		f.out.WriteString("</g>\n")
	}
	for _, c := range n.Children {
		f.frame(c, from, depth+1)
		from += c.Total
	}
}

// colour is the same for a function wherever it stands.
func (n *Node) colour(depth int) string {
	switch {
	case depth == 0:
		return "#e4e4e4"
	case n.Kind == Host:
		return "#9cc4ee"
	case n.Kind == Copying:
		return "#cfcfcf"
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, n.Name) // a hash's Write cannot fail
	v := h.Sum32()
	return fmt.Sprintf("hsl(%d,%d%%,%d%%)", 14+v%38, 78+v>>8%14, 66+v>>16%10)
}

// label is what of a name fits; its last part says most.
func label(name string, letters int) string {
	if utf8.RuneCountInString(name) > letters {
		name = debug.Short(name)
	}
	return cut(name, letters)
}

// cut shortens a text to so many letters; nothing is left of it when that would be too few to read.
func cut(s string, letters int) string {
	r := []rune(s)
	if len(r) <= letters {
		return s
	}
	if letters < 3 {
		return ""
	}
	return string(r[:letters-1]) + "…"
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder cannot fail
	return b.String()
}

// Group writes a number with a space between groups of three digits.
func Group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
