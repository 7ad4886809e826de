package evm

import (
	"fmt"
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

// Machine generates the machine.
func Machine() (*Program, error) { return generate(load, callEntry, output) }

func generate(parts ...string) (*Program, error) {
	a := &assembler{labels: map[string]int{}, constants: map[string]uint64{
		"CODE": uint64(codeAt), "PROGRAM": uint64(programAt), "FRAMETOP": uint64(programAt), "SAVED": uint64(savedAt),
		"M32": 1<<32 - 1, "M64": 1<<64 - 1, "TWICE32": 1<<32 + 1, "ONES": 0x0101010101010101,
		"STACKLIMIT": meter.StackLimit, "INPUTWORD": meter.InputWord, "BULKWORD": meter.BulkWord, "GROWPAGE": meter.GrowPage,
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
	var long []lower.Op
	for _, op := range lower.Ops() {
		a.fill(handlerSize * int(op))
		text, ok := handlers[op]
		if !ok {
			return nil, fmt.Errorf("derivation/evm: %s has no handler", op)
		}
		a.heading("%d %s", op, op)
		if a.size(text)+1 <= handlerSize {
			a.write(fmt.Sprintf("do.%s: %s", op, text))
			continue
		}
		long = append(long, op)
		a.write(fmt.Sprintf("do.%s: @on.%s jump", op, op))
	}
	for _, op := range long {
		a.heading("%s, where there is room", op)
		a.write(fmt.Sprintf("on.%s: %s", op, handlers[op]))
	}
	for _, part := range append([]string{calls, hosts, reversal, ends}, parts...) {
		a.write(part)
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
