package lower

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/evmts/channels/derivation/wasm"
)

// input reads big-endian numbers; what it lacks is zero and remembered.
type input struct {
	b     []byte
	short bool
}

func (r *input) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return make([]byte, n) // n is bounded by every caller
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *input) u8() uint8   { return r.take(1)[0] }
func (r *input) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *input) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *input) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProgram, fmt.Sprintf(format, args...))
}

// Decode reads a lowered program and verifies it: no instruction, jump, index or operand height of what it accepts can
// lead a machine astray, and every loop costs fuel. Bytes that it accepts are those that Encode gives back. The error
// wraps ErrProgram.
func Decode(b []byte) (*Program, error) {
	p, err := decode(b)
	if err != nil {
		return nil, err
	}
	if err := p.verify(); err != nil {
		return nil, err
	}
	if !bytes.Equal(p.Encode(), b) {
		return nil, bad("the encoding is not the canonical one")
	}
	return p, nil
}

func decode(b []byte) (*Program, error) {
	r := &input{b: b}
	if [4]byte(r.take(4)) != magic || r.u16() != Version {
		return nil, bad("magic or version is not known")
	}
	over := false
	count := func(v uint32, limit int) int {
		over = over || v > uint32(limit)
		return int(min(v, uint32(limit)))
	}
	pages, maxPages := count(uint32(r.u16()), wasm.MaxPages), count(uint32(r.u16()), wasm.MaxPages)
	globals, table, functions := count(uint32(r.u16()), wasm.MaxGlobals), count(uint32(r.u16()), wasm.MaxTableEntries), count(uint32(r.u16()), wasm.MaxFunctions)
	code, constants := count(r.u32(), MaxInstructions), count(r.u32(), MaxConstants)
	runs, image := count(r.u32(), MaxSegments), count(r.u32(), pages*wasm.PageSize)
	switch {
	case over || pages > maxPages:
		return nil, bad("a count is above its limit")
	case len(b) != headerBytes+instrBytes*code+constantBytes*constants+wordBytes*globals+elementBytes*table+segmentBytes*runs+image+functionBytes*functions:
		return nil, bad("%d bytes are not what the header says", len(b))
	}
	p := &Program{MaxPages: uint32(maxPages), Code: make([]Instr, code), Functions: make([]Function, functions)}
	var entries [EntryCount]uint32
	for i := range entries {
		entries[i] = r.u32()
	}
	r.take(16)
	for i := range p.Code {
		op := r.u16()
		in := Instr{Op(op >> opShift), r.u16(), r.u32()}
		if !in.Op.Valid() || op&(1<<opShift-1) != 0 || in.C%in.Op.scale() != 0 {
			return nil, bad("instruction %d is none", i)
		}
		in.C /= in.Op.scale()
		p.Code[i] = in
	}
	for range constants {
		p.Constants = append(p.Constants, r.u64())
	}
	for range globals {
		r.take(wordBytes - 8)
		p.Globals = append(p.Globals, r.u64())
	}
	elements := r.take(elementBytes * table)
	if pages > 0 || maxPages > 0 {
		p.Memory = make([]byte, pages*wasm.PageSize)
	}
	if err := p.fill(r, runs); err != nil {
		return nil, err
	}
	at := make(map[uint32]uint32, functions)
	for i := range p.Functions {
		f := Function{Entry: r.u32(), Type: r.u16(), Params: r.u8(), Results: r.u8(), Locals: r.u16(), Height: r.u16()}
		r.take(4)
		at[f.Entry] = uint32(i)
		f.Entry /= instrBytes
		p.Functions[i] = f
	}
	for i, e := range entries {
		f, ok := at[e]
		if e == None {
			f = None
		} else if !ok {
			return nil, bad("entry %s is not the beginning of a function", EntryNames[i])
		}
		p.Entries[i] = f
	}
	for r := (&input{b: elements}); len(r.b) > 0; {
		e := Element{Kind: r.u16(), Type: r.u16()}
		f, ok := at[r.u32()]
		if e.Kind == ElementFunction {
			if !ok {
				return nil, bad("an element of the table is not the beginning of a function")
			}
			e.Function = f
		}
		p.Table = append(p.Table, e)
	}
	return p, nil
}

// fill reads segments into the memory.
func (p *Program) fill(r *input, runs int) error {
	d := input{b: r.take(segmentBytes * runs)}
	for range runs {
		at, size := d.u32(), d.u32()
		if uint64(at)+uint64(size) > uint64(len(p.Memory)) || int(size) > len(r.b) {
			return bad("a segment is outside of the memory")
		}
		for i, v := range r.take(int(size)) {
			p.Memory[int(at+size)-1-i] = v
		}
	}
	return nil
}
