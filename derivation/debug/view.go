package debug

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/meter"
)

// Line is an instruction in a View.
type Line struct {
	PC      int
	Offset  int // in the .wasm file
	Text    string
	Current bool
	Break   bool
}

// Frame is a call in a View.
type Frame struct {
	Function string
	PC       int // where it continues
	Offset   int
}

// Change is up to 16 bytes of memory, aligned, that are not what they were at the start.
type Change struct {
	At            int
	Before, After []byte
}

// View is what there is to see of a Session.
type View struct {
	Function     string
	Index        int // of the function in the .wasm file
	PC, Offset   int
	Steps        int // instructions since the entry began
	Status       string
	Fuel, Limit  uint64
	Height       int // of the stack, in slots
	Code         []Line
	Params       int // so many of the Locals are parameters
	Locals       []uint64
	Operands     []uint64 // the top last
	Globals      []uint64
	Stack        []Frame // the innermost first
	ChangedBytes int
	Changes      []Change
	MemoryAt     int // of Memory, the bytes that the command m asked for
	Memory       []byte
	Said         []string // emit, log and reject
	Output       []byte   // of a call that is done
	Ended        bool
}

// View describes the present: around lines of code before and after the instruction, and at most so many changes.
func (s *Session) View(around, changes int) View {
	m := s.machine
	v := View{Steps: s.steps - s.start, Status: m.Status().String(), Fuel: m.FuelUsed(), Limit: s.fuel, Height: m.Height(), Globals: m.Globals(), Said: s.said.lines}
	if e := s.end; e != nil {
		v.Ended, v.Status, v.Fuel, v.Said, v.Output = true, e.status.String(), e.fuel, e.said, e.output
		if e.status == machine.Trapped {
			v.Status += ": " + e.trap.String()
		}
	}
	if m.Status() == machine.Running {
		s.fill(&v, around)
	}
	v.ChangedBytes, v.Changes = differ(s.before, m.Memory(), changes)
	if s.shown.size > 0 && int(s.shown.at) < len(m.Memory()) {
		v.MemoryAt = int(s.shown.at)
		v.Memory = m.Memory()[v.MemoryAt:min(v.MemoryAt+int(s.shown.size), len(m.Memory()))]
	}
	return v
}

// fill fills in what a running machine has.
func (s *Session) fill(v *View, around int) {
	m, p := s.machine, s.symbols.program
	f := m.Function()
	v.PC, v.Offset, v.Function, v.Index = m.PC(), s.symbols.Offset(m.PC()), s.symbols.Name(f), s.symbols.Index(f)
	first, last := int(p.Functions[f].Entry), len(p.Code)
	if f+1 < len(p.Functions) {
		last = int(p.Functions[f+1].Entry)
	}
	for pc := max(first, v.PC-around); pc < min(last, v.PC+around+1); pc++ {
		v.Code = append(v.Code, Line{pc, s.symbols.Offset(pc), s.symbols.Instr(pc), pc == v.PC, s.stops[pc]})
	}
	v.Params, v.Locals, v.Operands = int(p.Functions[f].Params), m.Locals(), m.Operands()
	v.Stack = append(v.Stack, Frame{v.Function, v.PC, v.Offset})
	for i := range m.Depth() - 1 {
		pc := m.Caller(i)
		v.Stack = append(v.Stack, Frame{s.symbols.Name(p.FunctionAt(pc)), pc, s.symbols.Offset(pc)})
	}
}

// differ finds what has changed in a memory that may have grown.
func differ(before, after []byte, limit int) (count int, out []Change) {
	const row = 16
	zero := make([]byte, row)
	for at := 0; at < len(after); at += row {
		old, now := zero, after[at:at+row] // a memory consists of whole pages
		if at < len(before) {
			old = before[at : at+row]
		}
		if bytes.Equal(old, now) {
			continue
		}
		for i := range now {
			if old[i] != now[i] {
				count++
			}
		}
		if len(out) < limit {
			out = append(out, Change{at, old, now})
		}
	}
	return count, out
}

// panel is a titled part of what is shown.
type panel struct {
	title string
	lines []string
}

func number(v uint64) string {
	if v < 10 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%d (%#x)", v, v)
}

// head is one line on where the call is.
func (v *View) head() string {
	where := ""
	if v.Function != "" {
		where = fmt.Sprintf("%s (function %d) at %d, .wasm %#x; ", v.Function, v.Index, v.PC, v.Offset)
	}
	return fmt.Sprintf("%s%d executed; %d of %d fuel; stack %d of %d; %s", where, v.Steps, v.Fuel, v.Limit, v.Height, meter.StackLimit, v.Status)
}

func (v *View) code() []string {
	var out []string
	for _, l := range v.Code {
		mark := []byte("  ")
		if l.Break {
			mark[0] = '*'
		}
		if l.Current {
			mark[1] = '>'
		}
		out = append(out, fmt.Sprintf("%s %6d  %6x  %s", mark, l.PC, l.Offset, l.Text))
	}
	return out
}

// panels are all the parts but the code.
func (v *View) panels() []panel {
	var out []panel
	add := func(title string, lines []string) {
		if len(lines) > 0 {
			out = append(out, panel{title, lines})
		}
	}
	var lines []string
	for i, x := range v.Locals {
		kind := "local"
		if i < v.Params {
			kind = "param"
		}
		lines = append(lines, fmt.Sprintf("%s %d  %s", kind, i, number(x)))
	}
	add("locals", lines)
	lines = nil
	for i := len(v.Operands) - 1; i >= 0; i-- {
		lines = append(lines, number(v.Operands[i]))
	}
	add("operands, top first", lines)
	lines = nil
	for _, f := range v.Stack {
		lines = append(lines, fmt.Sprintf("%s  %d, .wasm %#x", f.Function, f.PC, f.Offset))
	}
	add("calls, innermost first", lines)
	add("said", v.Said)
	add("memory", dump(v.MemoryAt, v.Memory))
	if len(v.Output) > 0 {
		shown := v.Output[:min(len(v.Output), maxMemoryView)]
		add(fmt.Sprintf("output, %d bytes", len(v.Output)), dump(0, shown))
	}
	lines = nil
	for _, c := range v.Changes {
		lines = append(lines, fmt.Sprintf("%06x - %x", c.At, c.Before), fmt.Sprintf("       + %x", c.After))
	}
	if len(lines) > 0 {
		add(fmt.Sprintf("memory, changed bytes: %d", v.ChangedBytes), lines)
	}
	lines = nil
	for i, x := range v.Globals {
		lines = append(lines, fmt.Sprintf("global %d  %s", i, number(x)))
	}
	add("globals", lines)
	return out
}

// dump shows bytes as numbers and letters.
func dump(at int, b []byte) (out []string) {
	for i := 0; i < len(b); i += 16 {
		row := b[i:min(i+16, len(b))]
		letters := bytes.Clone(row)
		for j, c := range letters {
			if c < ' ' || c > '~' {
				letters[j] = '.'
			}
		}
		out = append(out, fmt.Sprintf("%06x  % -47x  %s", at+i, row, letters))
	}
	return out
}

// Text shows a view as lines, for files and for terminals that cannot be painted on.
func (v *View) Text() string {
	var b strings.Builder
	fmt.Fprintln(&b, v.head())
	for _, l := range v.code() {
		fmt.Fprintln(&b, l)
	}
	for _, s := range v.panels() {
		fmt.Fprintf(&b, "-- %s\n", s.title)
		for _, l := range s.lines {
			fmt.Fprintf(&b, "   %s\n", l)
		}
	}
	return b.String()
}

// fit makes a text exactly so wide.
func fit(s string, width int) string {
	r := []rune(s)
	if len(r) > width {
		if width < 1 {
			return ""
		}
		return string(r[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-len(r))
}

// Screen shows a view as a screen of that many columns and rows: the code at the left, everything else at the right. Bold
// and inverse are ANSI.
func (v *View) Screen(width, height int) []string {
	left := min(max(width/2, 30), 64, width)
	right := max(width-left-3, 0)
	var side []string
	for _, s := range v.panels() {
		side = append(side, "\x1b[1m"+fit(s.title, right)+"\x1b[0m")
		for _, l := range s.lines {
			side = append(side, fit("  "+l, right))
		}
	}
	code := v.code()
	rows := []string{"\x1b[7m" + fit(" "+v.head(), width) + "\x1b[0m"}
	for i := range max(height-1, 0) {
		row := strings.Repeat(" ", left)
		if i < len(code) {
			row = fit(code[i], left)
			if v.Code[i].Current {
				row = "\x1b[7m" + row + "\x1b[0m"
			}
		}
		if i < len(side) && right > 0 {
			row += " │ " + side[i]
		}
		rows = append(rows, row)
	}
	return rows
}
