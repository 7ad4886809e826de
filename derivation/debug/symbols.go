package debug

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/wasm"
)

const (
	// maxNameRunes bounds a name of a function; what is longer is cut.
	maxNameRunes = 120
	// wasmHeader is the length of the magic and the version of a binary.
	wasmHeader = 8
)

// Symbols says what the instructions of a lowered program are in the .wasm file that it comes from.
type Symbols struct {
	program *lower.Program
	offsets []uint32
	imports int
	names   []string // by function of the program
}

// ReadSymbols reads a module. Functions have the names of the name section, else those that they are exported under,
// else f and their number in the file, imports counted. The error wraps derivation.ErrModule.
func ReadSymbols(binary []byte) (*Symbols, error) {
	l, err := derivation.Lower(binary)
	if err != nil {
		return nil, err
	}
	m, err := wasm.Decode(binary)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", derivation.ErrModule, err)
	}
	s := &Symbols{program: l.Program, offsets: l.Offsets, imports: len(m.Imports), names: make([]string, len(m.Functions))}
	said := functionNames(binary)
	for _, e := range m.Exports {
		if e.Kind == wasm.ExternFunction && said[e.Index] == "" {
			said[e.Index] = clean(e.Name)
		}
	}
	taken := make(map[string]bool)
	for i := range s.names {
		index := uint32(s.imports + i)
		name := said[index]
		switch {
		case name == "":
			name = fmt.Sprintf("f%d", index)
		case taken[name]:
			name = fmt.Sprintf("%s#%d", name, index)
		}
		taken[name], s.names[i] = true, name
	}
	return s, nil
}

// Program is the lowered module.
func (s *Symbols) Program() *lower.Program { return s.program }

// Name is the name of a function of the program.
func (s *Symbols) Name(function int) string { return s.names[function] }

// Index is the number of a function of the program in the .wasm file, imports counted.
func (s *Symbols) Index(function int) int { return s.imports + function }

// Offset is where the instruction at pc comes from, in bytes of the .wasm file.
func (s *Symbols) Offset(pc int) int { return int(s.offsets[pc]) }

// Find is the function with a name, or with that last part of a name if there is only one.
func (s *Symbols) Find(name string) (function int, ok bool) {
	matches := 0
	for i, n := range s.names {
		if n == name {
			return i, true
		}
		if Short(n) == name {
			function = i
			matches++
		}
	}
	return function, matches == 1
}

// Short is the last part of a name that compilers made of a path: what stands behind the last / or ::.
func Short(name string) string {
	for _, separator := range []string{"/", "::"} {
		if i := strings.LastIndex(name, separator); i >= 0 && i+len(separator) < len(name) {
			name = name[i+len(separator):]
		}
	}
	return name
}

// Instr is the instruction at pc in words, with the names of what it calls.
func (s *Symbols) Instr(pc int) string {
	in := s.program.Code[pc]
	switch in.Op {
	case lower.Call:
		return "call " + s.names[s.program.FunctionAt(int(in.C))]
	case lower.Enter:
		_, locals, slots := in.Frame()
		return fmt.Sprintf("enter %s, %d locals, %d slots", s.names[in.B], locals, slots)
	case lower.Constant:
		return fmt.Sprintf("constant %#x", s.program.Constants[in.C])
	}
	return in.String()
}

// clean makes a name that a module gives fit for a table: without spaces and of bounded length.
func clean(name string) string {
	name = strings.ReplaceAll(Printable(name), " ", "?")
	if r := []rune(name); len(r) > maxNameRunes {
		name = string(r[:maxNameRunes-1]) + "…"
	}
	return name
}

// Printable makes a text that anybody may have written safe to show on a terminal: what is not printable becomes ?.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// section is what is left of a part of a binary.
type section []byte

func (s *section) number() (uint32, bool) {
	v, n := binary.Uvarint(*s)
	if n <= 0 || v>>32 != 0 {
		return 0, false
	}
	*s = (*s)[n:]
	return uint32(v), true
}

func (s *section) bytes() (section, bool) {
	n, ok := s.number()
	if !ok || uint64(n) > uint64(len(*s)) {
		return nil, false
	}
	out := (*s)[:n]
	*s = (*s)[n:]
	return out, true
}

// functionNames reads the name section of a binary that was accepted. Nothing checks that section, so it may say
// anything: what cannot be read is left out.
func functionNames(binary []byte) map[uint32]string {
	names := make(map[uint32]string)
	for s := section(binary[min(wasmHeader, len(binary)):]); len(s) > 0; {
		id := s[0]
		s = s[1:]
		content, ok := s.bytes()
		if !ok {
			break
		}
		if id != 0 {
			continue
		}
		if title, ok := content.bytes(); !ok || string(title) != "name" {
			continue
		}
		for len(content) > 0 {
			kind := content[0]
			content = content[1:]
			part, ok := content.bytes()
			if !ok {
				break
			}
			if kind == 1 {
				part.functions(names)
			}
		}
	}
	return names
}

// functions reads the map of function names: count, then index and name each.
func (s section) functions(names map[uint32]string) {
	count, ok := s.number()
	for ; ok && count > 0; count-- {
		var index uint32
		var name section
		if index, ok = s.number(); !ok {
			return
		}
		if name, ok = s.bytes(); ok && len(name) > 0 && index < wasm.MaxFunctions+wasm.MaxImports {
			names[index] = clean(string(name))
		}
	}
}
