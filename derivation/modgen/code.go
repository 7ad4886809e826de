package modgen

import "github.com/evmts/channels/derivation/internal/asm"

// statement writes code that leaves the operands as they are.
func (g *generator) statement(depth int) {
	if g.deep(depth) {
		return
	}
	switch g.below(20) {
	case 0, 1, 2:
		t := g.valueType()
		if at, ok := g.local(t); ok {
			g.expression(t, depth+1)
			g.put(asm.Set(at))
		}
	case 3, 4:
		t := g.valueType()
		if at, ok := g.global(t); ok {
			g.expression(t, depth+1)
			g.put(asm.GlobalSet(at))
		}
	case 5, 6:
		g.storeMemory(depth)
	case 7:
		g.bulk(depth)
	case 8, 9:
		g.blockOfAnyType(depth)
	case 10:
		g.loop(depth)
	case 11, 12:
		g.expression(i32, depth+1)
		g.put(asm.Op(0x04, asm.Void))
		g.labels = append(g.labels, nil)
		g.statement(depth + 1)
		if g.below(2) == 0 {
			g.put(asm.Op(0x05))
			g.statement(depth + 1)
			g.statement(depth + 1)
		}
		g.labels = g.labels[:len(g.labels)-1]
		g.put(asm.Op(0x0b))
	case 13, 14:
		g.branch(depth)
	case 15:
		g.branchTable(depth)
	case 16:
		g.call(depth)
	case 17:
		g.indirect(depth)
	case 18:
		g.host(depth)
	case 19:
		g.rare(depth)
	}
}

// rare writes what ends the call or makes dead code.
func (g *generator) rare(depth int) {
	switch g.below(6) {
	case 0:
		g.put(asm.Op(0x01)) // nop
	case 1, 2: // return, with what follows dead; only on a condition, so that most calls go on
		g.expression(i32, depth+1)
		g.nested(0x04, []byte{asm.Void}, signature{}, func() {
			g.expressions(g.labels[0], depth+1)
			g.put(asm.Op(0x0f))
			g.statement(depth + 1)
		})
	case 3:
		g.expression(i32, depth+1)
		g.nested(0x04, []byte{asm.Void}, signature{}, func() {
			g.put(asm.Op(0x00))
			g.statement(depth + 1)
		})
	case 4:
		g.expression(g.valueType(), depth+1)
		g.put(asm.Op(0x1a))
	case 5:
		g.expression(i32, depth+1)
		g.put(asm.Op(0x40, 0, 0x1a)) // memory.grow
	}
}

// address writes an i32 that mostly is inside of the memory.
func (g *generator) address(depth int) {
	g.expression(i32, depth+1)
	if g.below(12) != 1 {
		g.put(asm.Const32(0xfff0), asm.Op(0x71))
	}
}

func (g *generator) offset() int {
	if g.below(10) == 1 {
		return 65530 + g.below(20)
	}
	return g.below(16)
}

func (g *generator) storeMemory(depth int) {
	g.address(depth)
	ops := []byte{0x36, 0x37, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e}
	op := ops[g.below(len(ops))]
	t := byte(i32)
	if op == 0x37 || op >= 0x3c {
		t = i64
	}
	g.expression(t, depth+1)
	g.put(asm.Store(op, g.offset()))
}

func (g *generator) bulk(depth int) {
	g.address(depth)
	g.address(depth)
	g.expression(i32, depth+1)
	if g.below(8) != 1 {
		g.put(asm.Const32(0x1ff), asm.Op(0x71))
	}
	if g.below(2) == 0 {
		g.put(asm.Op(0xfc, 10, 0, 0))
	} else {
		g.put(asm.Op(0xfc, 11, 0))
	}
}

// blockOfAnyType writes a block or an if with parameters and results.
func (g *generator) blockOfAnyType(depth int) {
	i := g.below(len(signatures))
	s := signatures[i]
	g.expressions(s.params, depth+1)
	inside := func() {
		g.store(s.params)
		g.statement(depth + 1)
		g.statement(depth + 1)
		g.expressions(s.results, depth+1)
	}
	if g.below(2) == 0 {
		g.nested(0x02, g.blockType(i), s, inside)
	} else {
		g.expression(i32, depth+1)
		g.nested(0x04, g.blockType(i), s, func() {
			inside()
			g.put(asm.Op(0x05))
			inside()
		})
	}
	g.store(s.results)
}

// loop writes a loop that goes on while an expression says so: fuel ends those that would not end.
func (g *generator) loop(depth int) {
	types := []int{0, 1, 4, 8}
	i := types[g.below(len(types))]
	s := signatures[i]
	g.expressions(s.params, depth+1)
	g.nested(0x03, g.blockType(i), s, func() {
		g.store(s.params)
		g.statement(depth + 1)
		g.statement(depth + 1)
		g.expressions(s.params, depth+1)
		g.expression(i32, depth+1)
		g.put(asm.BrIf(0))
		g.store(s.params)
		g.expressions(s.results, depth+1)
	})
	g.store(s.results)
}

// branch writes a br_if to any label, or in an arm of its own a br, whose rest is dead.
func (g *generator) branch(depth int) {
	at := g.below(len(g.labels))
	types := g.labels[len(g.labels)-1-at]
	if g.below(2) == 0 {
		g.expressions(types, depth+1)
		g.expression(i32, depth+1)
		g.put(asm.BrIf(at))
		g.store(types)
		return
	}
	g.expression(i32, depth+1)
	g.nested(0x04, []byte{asm.Void}, signature{}, func() {
		g.expression(g.valueType(), depth+1) // an operand that the branch drops
		g.expressions(types, depth+1)
		g.put(asm.Br(at + 1))
		g.put(asm.Op(0x1a)) // dead: any operand will do
		g.statement(depth + 1)
	})
}

// branchTable writes a br_table over labels that take the same, in an arm of its own.
func (g *generator) branchTable(depth int) {
	types := g.labels[g.below(len(g.labels))]
	g.nested(0x02, []byte{asm.Void}, signature{}, func() {
		g.nested(0x02, []byte{asm.Void}, signature{}, func() {
			if g.below(3) == 0 {
				types = nil
			}
			g.expressions(types, depth+1)
			g.expression(i32, depth+1)
			n := g.below(6)
			b := append([]byte{0x0e}, asm.U(n)...)
			for range n + 1 {
				to, ok := g.label(types)
				if !ok { // cannot be: the types are those of a label, or the block's around
					to = 0
				}
				b = append(b, asm.U(to)...)
			}
			g.put(b)
		})
		g.statement(depth + 1)
	})
}

func (g *generator) call(depth int) {
	if len(g.functions) == 0 {
		return
	}
	i := g.below(len(g.functions))
	s := signatures[g.functions[i]]
	g.expressions(s.params, depth+1)
	g.put(asm.Call(generated + i))
	g.store(s.results)
}

func (g *generator) indirect(depth int) {
	i := g.below(len(signatures))
	s := signatures[i]
	g.expressions(s.params, depth+1)
	g.expression(i32, depth+1)
	if g.below(4) != 1 {
		g.put(asm.Const32(int32(g.table)), asm.Op(0x70)) // rem_u
	}
	g.put(asm.CallIndirect(i))
	g.store(s.results)
}

func (g *generator) host(depth int) {
	f := g.below(10)
	g.address(depth)
	g.expression(i32, depth+1)
	if g.below(8) != 1 {
		g.put(asm.Const32(0xff), asm.Op(0x71))
	}
	switch {
	case f < 5:
		g.address(depth)
		g.put(asm.Call(keccak))
	case f == 5: // reject, rarely
		g.put(asm.Call(1))
	default:
		g.put(asm.Call(2 + f%2))
	}
}

// Numeric instructions by what they take and give.
var (
	unary32   = []byte{0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1}
	binary32  = []byte{0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x6d, 0x6e, 0x6f, 0x70}
	compare64 = []byte{0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a}
	unary64   = []byte{0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4}
	binary64  = []byte{0x7c, 0x7d, 0x7e, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x7f, 0x80, 0x81, 0x82}
	loads32   = []byte{0x28, 0x2c, 0x2d, 0x2e, 0x2f}
	loads64   = []byte{0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35}
)

func (g *generator) pick(ops []byte) byte { return ops[g.below(len(ops))] }

func (g *generator) constant(t byte) {
	if v := g.interesting(); t == i32 {
		g.put(asm.Const32(int32(v)))
	} else {
		g.put(asm.Const64(v))
	}
}

// expression writes code that leaves one operand of a type.
func (g *generator) expression(t byte, depth int) {
	if g.deep(depth) {
		if at, ok := g.local(t); ok {
			g.put(asm.Get(at))
		} else {
			g.constant(t)
		}
		return
	}
	switch k := g.below(18); k {
	case 0, 1, 2:
		if at, ok := g.local(t); ok {
			g.put(asm.Get(at))
			return
		}
		g.constant(t)
	case 3:
		if at, ok := g.global(t); ok {
			g.put(asm.GlobalGet(at))
			return
		}
		g.constant(t)
	case 4:
		g.constant(t)
	case 5:
		if at, ok := g.local(t); ok {
			g.expression(t, depth+1)
			g.put(asm.Tee(at))
			return
		}
		g.constant(t)
	case 6, 7, 8, 9, 10:
		g.numeric(t, depth)
	case 11, 12:
		g.address(depth)
		ops := loads32
		if t == i64 {
			ops = loads64
		}
		g.put(asm.Load(g.pick(ops), g.offset()))
	case 13:
		g.expression(t, depth+1)
		g.expression(t, depth+1)
		g.expression(i32, depth+1)
		g.put(asm.Op(0x1b))
	case 14, 15: // statements inside of an expression: branches out of here drop operands
		i := map[byte]int{i32: 9, i64: 10}[t]
		op := byte(0x02 + g.below(2)) // block or loop
		g.nested(op, g.blockType(i), signatures[i], func() {
			g.statement(depth + 1)
			g.expression(t, depth+1)
		})
	case 16:
		i := map[byte]int{i32: 9, i64: 10}[t]
		g.expression(i32, depth+1)
		g.nested(0x04, g.blockType(i), signatures[i], func() {
			g.expression(t, depth+1)
			g.put(asm.Op(0x05))
			g.statement(depth + 1)
			g.expression(t, depth+1)
		})
	case 17:
		g.called(t, depth)
	}
}

func (g *generator) numeric(t byte, depth int) {
	k := g.below(8)
	switch {
	case t == i32 && k == 0:
		g.expression(i32, depth+1)
		g.put(asm.Op(g.pick(unary32)))
	case t == i32 && k == 1:
		g.expression(i64, depth+1)
		g.put(asm.Op([]byte{0x50, 0xa7}[g.below(2)])) // i64.eqz, i32.wrap_i64
	case t == i32 && k == 2:
		g.expression(i64, depth+1)
		g.expression(i64, depth+1)
		g.put(asm.Op(g.pick(compare64)))
	case t == i32 && k == 3 && g.below(4) == 0:
		g.put(asm.Op(0x3f, 0)) // memory.size
	case t == i32:
		g.expression(i32, depth+1)
		g.expression(i32, depth+1)
		g.put(asm.Op(g.pick(binary32)))
	case k == 0:
		g.expression(i64, depth+1)
		g.put(asm.Op(g.pick(unary64)))
	case k == 1:
		g.expression(i32, depth+1)
		g.put(asm.Op([]byte{0xac, 0xad}[g.below(2)]))
	default:
		g.expression(i64, depth+1)
		g.expression(i64, depth+1)
		g.put(asm.Op(g.pick(binary64)))
	}
}

// called writes a call of a function that gives one result of the type, if there is one.
func (g *generator) called(t byte, depth int) {
	for i, f := range g.functions {
		if s := signatures[f]; len(s.results) == 1 && s.results[0] == t {
			g.expressions(s.params, depth+1)
			g.put(asm.Call(generated + i))
			return
		}
	}
	g.constant(t)
}
