package evm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// Addresses in the EVM's memory. Slots come first, then what Unwind puts aside, the frames, the program.
const (
	slotBytes   = 32
	savedWords  = wasm.MaxResults + wasm.MaxParams
	savedAt     = len(slots) * slotBytes
	framesAt    = savedAt + savedWords*32
	frameWords  = meter.StackLimit * meter.LocalsPerSlot
	programAt   = framesAt + frameWords*32
	codeAt      = programAt + 64
	handlerSize = 64 // the format's factor of op
)

// slots are the words at the beginning of the memory. frame is the first because it is read most and PUSH0 is cheapest.
var slots = [...]string{
	"frame",   // address of the first local
	"fuel",    // that is left, negative when a charge failed
	"rr",      // top - 32
	"limit1",  // base - 32 + n: the least rr - ea for an access of n bytes
	"limit2",  //
	"limit4",  //
	"limit8",  //
	"top",     // behind the module's memory
	"base",    // where it begins
	"globals", // addresses of sections
	"constants",
	"table",
	"elements", // how many the table has
	"maxpages", // that memory.grow can reach
	"segments", // end of the segments
	"argument", // index of the argument that is copied in
	"data",     // its place in calldata
	"begins",   // instruction that is found behind the return of allocate
	"ends",     // and behind the return of the entry
	"keep",     // ip, during a long handler
	"count",    // of operands that Unwind keeps
	"drop",     // and drops
	"start",    // of a range of the module's memory
	"end",      //
	"out",      //
	"size",     //
}

// Fork names the hard fork whose instructions the machine uses: PUSH0, MCOPY.
const Fork = "cancun"

// Program is bytecode and how it reads.
type Program struct {
	Code    []byte
	Listing string
	labels  map[string]int
}

// variant is what makes the machine of the contract.
var variant = []part{{"arguments and entry", callEntry}, {"output", output}}

// Machine generates the machine.
func Machine() (*Program, error) { return generate(nil, variant...) }

// part is a piece of the machine's text.
type part struct{ name, text string }

// shared are the parts that every variant has.
var shared = []part{{"calls", calls}, {"host functions", hosts}, {"reversing bytes", reversal}, {"the end", ends}, {"reading the program", load}}

// generate assembles the handlers and parts. edit, if it is not nil, may change any text: tests plant mistakes with it.
func generate(edit func(name, text string) string, parts ...part) (*Program, error) {
	if edit == nil {
		edit = func(_, text string) string { return text }
	}
	a := &assembler{labels: map[string]int{}, constants: map[string]uint64{
		"CODE": uint64(codeAt), "PROGRAM": uint64(programAt), "FRAMETOP": uint64(programAt), "SAVED": uint64(savedAt),
		"M32": 1<<32 - 1, "M64": 1<<64 - 1, "TWICE32": 1<<32 + 1,
		"STACKLIMIT": meter.StackLimit, "INPUTWORD": meter.InputWord, "OUTPUTWORD": meter.OutputWord, "BULKWORD": meter.BulkWord, "GROWPAGE": meter.GrowPage,
		"HOSTCALL": meter.HostCall, "HASHCALL": meter.HashCall, "HASHWORD": meter.HashWord, "NOTICEWORD": meter.NoticeWord,
	}, macros: map[string]string{
		"next":  "8 add dup1 mload 240 shr jump",
		"go":    "dup1 mload 240 shr jump",
		"c":     "mload 192 shr M32 and",
		"b":     "mload 224 shr 0xffff and",
		"words": "31 add 5 shr",
		// a range from its address and size, at its place in the EVM's memory
		"inside":    "add $top mload sub dup1 $base mload sgt @trap jumpi",
		"flip":      reverseWord(),
		"charge":    "$fuel mload sub dup1 $fuel mstore 0 sgt @oof jumpi",
		"TWICE64":   "0x10000000000000001",
		"EVERYBYTE": "0x0101010101010101010101010101010101010101010101010101010101010101",
	}}
	for i, name := range slots {
		a.constants["$"+name] = uint64(i * slotBytes)
	}
	a.heading("instruction 0 is none: execution begins here")
	a.write("@start jump")
	var (
		long  []lower.Op
		texts []string
	)
	for _, op := range lower.Ops() {
		a.fill(handlerSize * int(op))
		text, ok := handlers[op]
		if !ok {
			return nil, fmt.Errorf("derivation/evm: %s has no handler", op)
		}
		text = edit(op.String(), text)
		a.heading("%d %s", op, op)
		if a.size(text)+1 <= handlerSize {
			a.write(fmt.Sprintf("do.%s: %s", op, text))
			continue
		}
		long, texts = append(long, op), append(texts, text)
		a.write(fmt.Sprintf("do.%s: @on.%s jump", op, op))
	}
	for i, op := range long {
		a.heading("%s, where there is room", op)
		a.write(fmt.Sprintf("on.%s: %s", op, texts[i]))
	}
	for _, p := range slices.Concat(shared, parts) {
		a.heading("%s", p.name)
		a.write(edit(p.name, p.text))
	}
	code, err := a.finish()
	if err != nil {
		return nil, err
	}
	return &Program{Code: code, Listing: a.listing(), labels: a.labels}, nil
}

// size is the number of bytes that a text makes.
func (a *assembler) size(text string) int {
	b := &assembler{labels: map[string]int{}, constants: a.constants, macros: a.macros}
	b.write(text)
	return len(b.code)
}

// chain writes n pieces of code of the same size and a label behind them; piece i is followed by i - 1 more.
func chain(n int, label string, piece func(i int) string) string {
	var b strings.Builder
	for i := n; i > 0; i-- {
		fmt.Fprintf(&b, "%s.%d: %s\n", label, i, piece(i))
	}
	fmt.Fprintf(&b, "%s:\n", label)
	return b.String()
}
