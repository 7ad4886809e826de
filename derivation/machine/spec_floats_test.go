package machine_test

import (
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/wasm"
)

// Many modules of the suite mix functions of integers with a few that use floats. withoutFloats cuts the latter out, so
// that the assertions about the former can be run: each function that uses a float, or calls one that does, gets the body
// "unreachable", and float types become integers of the same size. tainted are the functions that were cut out or lead
// to such. ok is false for binaries that have more than floats that this system does not accept.
func withoutFloats(b []byte) (rest []byte, tainted map[uint32]bool, ok bool) {
	defer func() {
		if recover() != nil { // the suite's malformed binaries: read beyond the end
			ok = false
		}
	}()
	c := &cutter{in: b[8:], tainted: map[uint32]bool{}, calls: map[uint32][]uint32{}, indirect: map[uint32]bool{}, out: append([]byte(nil), b[:8]...)}
	for len(c.in) > 0 && !c.failed {
		id := c.byte()
		size := c.u()
		c.section(id, c.in[:size], c.in[size:])
	}
	if c.failed {
		return nil, nil, false
	}
	c.spread()
	c.write()
	if c.hasStart && c.tainted[c.start] {
		return nil, nil, false
	}
	return c.out, c.tainted, true
}

type section struct {
	id      byte
	content []byte
}

type cutter struct {
	in, out  []byte
	failed   bool
	sections []section

	floatType    []bool
	functions    []uint32 // types
	floatGlobal  []bool
	elements     []uint32
	bodies       [][]byte
	tainted      map[uint32]bool
	calls        map[uint32][]uint32
	indirect     map[uint32]bool
	start        uint32
	hasStart     bool
	current      uint32
	currentFloat bool
}

func (c *cutter) byte() byte {
	v := c.in[0]
	c.in = c.in[1:]
	return v
}

func (c *cutter) u() uint32 { return uint32(c.s()) }

// s reads a LEB128 without its sign: the numbers looked at are not negative.
func (c *cutter) s() (v uint64) {
	for shift := 0; ; shift += 7 {
		b := c.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func float(t byte) bool { return t == asm.F32 || t == asm.F64 }

// integer is the type that stands for a float.
func integer(t byte) byte {
	if float(t) {
		return t + 2
	}
	return t
}

func (c *cutter) section(id byte, content, after []byte) {
	c.in = content
	var out []byte
	switch id {
	case 0, 12:
		c.in = after
		return
	case 1:
		out = c.types()
	case 2:
		c.failed = true
	case 3:
		for range c.u() {
			c.functions = append(c.functions, c.u())
		}
		out = content
	case 6:
		out = c.globals()
	case 8:
		c.start, c.hasStart, out = c.u(), true, content
	case 9:
		c.segments()
		out = content
	case 10:
		for range c.u() {
			size := c.u()
			c.bodies = append(c.bodies, c.in[:size])
			c.in = c.in[size:]
		}
		for i, body := range c.bodies {
			c.current, c.in = uint32(i), body
			c.body()
		}
	default:
		out = content
	}
	c.sections = append(c.sections, section{id, out})
	c.in = after
}

func (c *cutter) types() (out []byte) {
	n := c.u()
	out = asm.U(int(n))
	for range n {
		out = append(out, c.byte())
		has := false
		for range 2 {
			k := c.u()
			out = append(out, asm.U(int(k))...)
			for range k {
				t := c.byte()
				has = has || float(t)
				out = append(out, integer(t))
			}
		}
		c.floatType = append(c.floatType, has)
	}
	return out
}

func (c *cutter) globals() (out []byte) {
	n := c.u()
	out = asm.U(int(n))
	for range n {
		t, mutable := c.byte(), c.byte()
		c.floatGlobal = append(c.floatGlobal, float(t))
		out = append(out, integer(t), mutable)
		before := c.in
		c.instruction()
		c.byte() // end
		if float(t) {
			out = append(out, map[byte]byte{asm.F32: 0x41, asm.F64: 0x42}[t], 0, 0x0b)
		} else {
			out = append(out, before[:len(before)-len(c.in)]...)
		}
	}
	return out
}

func (c *cutter) segments() {
	for range c.u() {
		if c.u() != 0 { // only the form that 1.0 has
			c.failed = true
			return
		}
		c.instruction()
		c.byte()
		for range c.u() {
			c.elements = append(c.elements, c.u())
		}
	}
}

func (c *cutter) body() {
	c.currentFloat = c.floatType[c.functions[c.current]]
	for range c.u() {
		c.u()
		c.currentFloat = float(c.byte()) || c.currentFloat
	}
	for len(c.in) > 0 && !c.failed {
		c.instruction()
	}
	if c.currentFloat {
		c.tainted[c.current] = true
	}
}

// instruction reads one and notes floats and calls.
func (c *cutter) instruction() {
	switch op := c.byte(); {
	case op >= 0x02 && op <= 0x04:
		switch t := c.in[0]; {
		case t == asm.Void || t == asm.I32 || t == asm.I64:
			c.byte()
		case float(t):
			c.byte()
			c.currentFloat = true
		default:
			c.currentFloat = c.floatType[c.u()] || c.currentFloat
		}
	case op == 0x0c, op == 0x0d, op >= 0x20 && op <= 0x22:
		c.u()
	case op == 0x0e:
		for range c.u() + 1 {
			c.u()
		}
	case op == 0x10:
		c.calls[c.current] = append(c.calls[c.current], c.u())
	case op == 0x11:
		c.currentFloat = c.floatType[c.u()] || c.currentFloat
		c.byte()
		c.indirect[c.current] = true
	case op == 0x23, op == 0x24:
		c.currentFloat = c.floatGlobal[c.u()] || c.currentFloat
	case op >= 0x28 && op <= 0x3e:
		c.u()
		c.u()
		c.currentFloat = c.currentFloat || op == 0x2a || op == 0x2b || op == 0x38 || op == 0x39
	case op == 0x3f, op == 0x40:
		c.byte()
	case op == 0x41, op == 0x42:
		c.s()
	case op == 0x43, op == 0x44:
		c.in = c.in[4<<(op-0x43):]
		c.currentFloat = true
	case op == 0xfc:
		switch n := c.u(); {
		case n < 8:
			c.currentFloat = true
		case n == 10:
			c.in = c.in[2:]
		case n == 11:
			c.in = c.in[1:]
		default:
			c.failed = true
		}
	default:
		known := wasm.Opcode(op).Known()
		c.currentFloat = c.currentFloat || !known
		// Without floats, what is not known is not of this suite's first version.
		c.failed = c.failed || !known && !(op >= 0x5b && op <= 0x66 || op >= 0x8b && op <= 0xbf)
	}
}

// spread taints whatever can lead to a tainted function.
func (c *cutter) spread() {
	table := func() bool {
		for _, f := range c.elements {
			if c.tainted[f] {
				return true
			}
		}
		return false
	}
	for changed := true; changed; {
		changed = false
		for f := range uint32(len(c.bodies)) {
			taint := c.indirect[f] && table()
			for _, to := range c.calls[f] {
				taint = taint || c.tainted[to]
			}
			if taint && !c.tainted[f] {
				c.tainted[f], changed = true, true
			}
		}
	}
}

func (c *cutter) write() {
	for _, s := range c.sections {
		if s.id == 10 {
			s.content = asm.U(len(c.bodies))
			for i, body := range c.bodies {
				if c.tainted[uint32(i)] {
					body = []byte{0, 0x00, 0x0b}
				}
				s.content = append(append(s.content, asm.U(len(body))...), body...)
			}
		}
		c.out = append(append(append(c.out, s.id), asm.U(len(s.content))...), s.content...)
	}
}
