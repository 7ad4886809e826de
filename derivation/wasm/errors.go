package wasm

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrMalformed: the bytes are not a WebAssembly binary.
	ErrMalformed = errors.New("malformed binary")
	// ErrInvalid: the binary is well-formed, but breaks a validation rule of the specification.
	ErrInvalid = errors.New("invalid module")
	// ErrNotAccepted: valid WebAssembly, but outside of the deterministic subset.
	ErrNotAccepted = errors.New("not accepted")
	// ErrLimit: a count or size is above what a module may have.
	ErrLimit = errors.New("above a limit")
	// ErrABI: the imports or exports are not those of a module.
	ErrABI = errors.New("not the module interface")
)

// Error says what is wrong with a binary and where.
type Error struct {
	Kind     error  // one of the Err… values of this package
	Function int    // index of the function, imports counted; -1 outside of code
	Offset   int    // byte offset in the file; -1 when the fault has no place
	Op       string // name of the instruction, empty outside of code
	Text     string // what is wrong and, where that helps, what to do
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("wasm: ")
	if e.Function >= 0 {
		fmt.Fprintf(&b, "function %d, ", e.Function)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, "offset 0x%x: ", e.Offset)
	}
	if e.Op != "" {
		b.WriteString(e.Op)
		if e.Kind == ErrNotAccepted {
			b.WriteByte(' ') // the text goes on "is not accepted: …"
		} else {
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Text)
	return b.String()
}

func (e *Error) Unwrap() error { return e.Kind }

func fail(kind error, offset int, format string, args ...any) *Error {
	return &Error{Kind: kind, Function: -1, Offset: offset, Text: fmt.Sprintf(format, args...)}
}
