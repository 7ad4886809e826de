package evm

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// assembler turns text into EVM bytecode. A line is a list of words, then optionally ';' and a comment:
//
//	add       an instruction by its mnemonic, in lower case
//	12 0xff   the shortest PUSH of that number
//	$fuel     PUSH of the address of a memory slot
//	CODE      PUSH of a constant
//	PUSH2:7   PUSH2 of a number, however small
//	@trap     PUSH2 of a label's address
//	trap:     a label, which is a JUMPDEST
//	next      a macro
//
// Labels are always two bytes, so that one pass gives every address.
type assembler struct {
	constants map[string]uint64
	macros    map[string]string
	code      []byte
	labels    map[string]int
	uses      []use
	lines     []listed
	err       error
}

// use is a PUSH2 at an address whose label may not be known yet.
type use struct {
	at    int
	label string
}

// listed is a line of the listing.
type listed struct {
	at, end       int
	text, comment string
}

func (a *assembler) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("derivation/evm: at %#x: %s", len(a.code), fmt.Sprintf(format, args...))
	}
}

// heading is a line of the listing that has no code.
func (a *assembler) heading(format string, args ...any) {
	a.lines = append(a.lines, listed{len(a.code), len(a.code), "", fmt.Sprintf(format, args...)})
}

// write assembles lines.
func (a *assembler) write(text string) {
	for line := range strings.Lines(text) {
		words, comment, _ := strings.Cut(line, ";")
		at := len(a.code)
		for word := range strings.FieldsSeq(words) {
			a.word(word)
		}
		if words, comment = strings.Join(strings.Fields(words), " "), strings.TrimSpace(comment); words != "" || comment != "" {
			a.lines = append(a.lines, listed{at, len(a.code), words, comment})
		}
	}
}

func (a *assembler) word(w string) {
	if text, ok := a.macros[w]; ok {
		for word := range strings.FieldsSeq(text) {
			a.word(word)
		}
		return
	}
	if label, ok := strings.CutSuffix(w, ":"); ok {
		if _, twice := a.labels[label]; twice {
			a.fail("label %s is there twice", label)
		}
		a.labels[label] = len(a.code)
		a.code = append(a.code, opJumpdest)
		return
	}
	if label, ok := strings.CutPrefix(w, "@"); ok {
		a.uses = append(a.uses, use{len(a.code), label})
		a.code = append(a.code, opPush0+2, 0, 0)
		return
	}
	if number, ok := strings.CutPrefix(w, "PUSH2:"); ok { // two bytes, whatever the number
		v, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			a.fail("%q is not a number of two bytes", number)
		}
		a.code = append(a.code, opPush0+2, byte(v>>8), byte(v))
		return
	}
	if v, ok := a.constants[w]; ok {
		a.push(new(big.Int).SetUint64(v))
		return
	}
	if op, ok := opcodes[w]; ok {
		a.code = append(a.code, op.code)
		return
	}
	v, ok := new(big.Int).SetString(w, 0)
	if !ok || v.Sign() < 0 || v.BitLen() > 256 {
		a.fail("%q is not a word of the assembler", w)
		return
	}
	a.push(v)
}

func (a *assembler) push(v *big.Int) {
	b := v.Bytes()
	a.code = append(append(a.code, opPush0+byte(len(b))), b...)
}

// fill continues at an address, which must not be behind.
func (a *assembler) fill(at int) {
	if len(a.code) > at {
		a.fail("the code before %#x is %d bytes too long", at, len(a.code)-at)
		return
	}
	for len(a.code) < at {
		a.code = append(a.code, opInvalid)
	}
}

// finish resolves the labels.
func (a *assembler) finish() ([]byte, error) {
	for _, u := range a.uses {
		to, ok := a.labels[u.label]
		if !ok {
			a.fail("label %s is missing", u.label)
			continue
		}
		a.code[u.at+1], a.code[u.at+2] = byte(to>>8), byte(to)
	}
	return a.code, a.err
}

// listing is the code as people read it: address, bytes, words, comment.
func (a *assembler) listing() string {
	var b strings.Builder
	for _, l := range a.lines {
		if l.text == "" {
			fmt.Fprintf(&b, "\n; %s\n", l.comment)
			continue
		}
		code := hex.EncodeToString(a.code[l.at:l.end])
		text := fmt.Sprintf("%04x  %s", l.at, l.text)
		if l.comment != "" {
			text = fmt.Sprintf("%-68s ; %s", text, l.comment)
		}
		b.WriteString(text + "\n")
		for len(code) > 0 {
			n := min(len(code), 128)
			b.WriteString("      | " + code[:n] + "\n")
			code = code[n:]
		}
	}
	return b.String()
}
