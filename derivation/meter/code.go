package meter

import "github.com/evmts/channels/derivation/wasm"

// Instructions that are only written, never looked at.
const (
	opI32GtU  = 0x4b
	opI64LtS  = 0x53
	opI64GtU  = 0x56
	opI32Add  = 0x6a
	opI64Add  = 0x7c
	opI64Sub  = 0x7d
	opI64Mul  = 0x7e
	opI64ShrU = 0x88
	void      = 0x40
)

// code writes the instructions of one function.
type code struct {
	w                      *rewriter
	b                      []byte
	fuelLocal, heightLocal uint32
}

func (c *code) op(op wasm.Opcode) { c.b = append(c.b, byte(op)) }

func (c *code) index(op wasm.Opcode, i uint32) { c.b = wasm.AppendU32(append(c.b, byte(op)), i) }

func (c *code) local(op wasm.Opcode, i uint32) { c.index(op, i) }

func (c *code) constant(v int64) { c.b = wasm.AppendI64(append(c.b, byte(wasm.OpI64Const)), v) }

// trapIf takes an i32 and traps when it is not zero. Which trap it was, the host reads from the injected globals.
func (c *code) trapIf() {
	c.b = append(c.b, byte(wasm.OpIf), void, byte(wasm.OpUnreachable), byte(wasm.OpEnd))
}

// charge takes off what amount leaves on the stack as an i64.
func (c *code) charge(amount func()) {
	c.index(wasm.OpGlobalGet, c.w.fuel)
	amount()
	c.b = append(c.b, opI64Sub)
	c.local(wasm.OpLocalTee, c.fuelLocal)
	c.index(wasm.OpGlobalSet, c.w.fuel)
	c.local(wasm.OpLocalGet, c.fuelLocal)
	c.constant(0)
	c.b = append(c.b, opI64LtS)
	c.trapIf()
}

// chargeWords takes off base + rate per started 32 bytes of the length in the given local.
func (c *code) chargeWords(base, rate int64, length uint32) {
	c.charge(func() {
		c.local(wasm.OpLocalGet, length)
		c.op(wasm.OpI64ExtendU)
		c.constant(31)
		c.b = append(c.b, opI64Add)
		c.constant(5)
		c.b = append(c.b, opI64ShrU)
		c.constant(rate)
		c.b = append(c.b, opI64Mul)
		c.constant(base)
		c.b = append(c.b, opI64Add)
	})
}

// addHeight adds n to the height of the stack.
func (c *code) addHeight(n int64) {
	c.index(wasm.OpGlobalGet, c.w.height)
	c.b = wasm.AppendI64(append(c.b, byte(wasm.OpI32Const)), n)
	c.b = append(c.b, opI32Add)
	c.index(wasm.OpGlobalSet, c.w.height)
}

// enter puts a frame on the stack. The new height is stored even when it is too much: that is how the host tells this
// trap from others. A leaf need not store it otherwise, because nobody reads it before the leaf returns.
func (c *code) enter(frame uint32, leaf bool) {
	c.index(wasm.OpGlobalGet, c.w.height)
	c.b = wasm.AppendI64(append(c.b, byte(wasm.OpI32Const)), int64(frame))
	c.b = append(c.b, opI32Add)
	c.local(wasm.OpLocalTee, c.heightLocal)
	if !leaf {
		c.index(wasm.OpGlobalSet, c.w.height)
		c.local(wasm.OpLocalGet, c.heightLocal)
	}
	c.b = wasm.AppendI64(append(c.b, byte(wasm.OpI32Const)), StackLimit)
	c.b = append(c.b, opI32GtU, byte(wasm.OpIf), void)
	if leaf {
		c.local(wasm.OpLocalGet, c.heightLocal)
		c.index(wasm.OpGlobalSet, c.w.height)
	}
	c.b = append(c.b, byte(wasm.OpUnreachable), byte(wasm.OpEnd))
}

// body writes the instructions with a charge in front of each basic block. The instructions of a block are held back
// until its end is known. Dead code is left out. The function's final end is written as it is; for a function that is
// not a leaf it closes the block that all ways out lead to.
func (c *code) body(in *wasm.Instructions, f *wasm.Function, entry uint64) error {
	var (
		block   []byte // instructions of the open basic block
		cost    = Block + entry
		nesting uint32 // blocks of the module that are open
		dead    bool   // nothing reaches what follows
		deep    int    // blocks that were opened in dead code
		unwinds = f.Unwind
	)
	flush := func() {
		if !dead {
			due := int64(cost)
			c.charge(func() { c.constant(due) })
		}
		c.b = append(c.b, block...)
		block, cost, dead = block[:0], Block, false
	}
	for in.Next() {
		i, unwound := &in.In, uint16(0)
		if i.Op.Branches() {
			unwound, unwinds = unwinds[0], unwinds[1:]
		}
		if dead {
			switch i.Op {
			case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
				deep++
				continue
			case wasm.OpElse, wasm.OpEnd:
				if deep > 0 {
					if i.Op == wasm.OpEnd {
						deep--
					}
					continue
				}
			default:
				continue
			}
		}
		cost += Charge(i, unwound, nesting)
		switch i.Op {
		case wasm.OpNop:
		case wasm.OpBlock:
			nesting++
			block = append(block, i.Raw...)
		case wasm.OpLoop, wasm.OpIf:
			nesting++
			block = append(block, i.Raw...)
			flush()
		case wasm.OpElse, wasm.OpBrIf:
			block = append(block, i.Raw...)
			flush()
		case wasm.OpEnd:
			block = append(block, i.Raw...)
			if nesting == 0 {
				cost += Weight(wasm.OpReturn)
			} else {
				nesting--
			}
			flush()
		case wasm.OpReturn:
			if f.Leaf {
				block = append(block, i.Raw...)
			} else {
				block = wasm.AppendU32(append(block, byte(wasm.OpBr)), nesting)
			}
			flush()
			dead = true
		case wasm.OpBr, wasm.OpBrTable, wasm.OpUnreachable:
			block = append(block, i.Raw...)
			flush()
			dead = true
		default:
			block = c.plain(block, i)
		}
	}
	return in.Err()
}

// plain appends an instruction that does not end a basic block.
func (c *code) plain(block []byte, i *wasm.Instr) []byte {
	call := func(f uint32) []byte { return wasm.AppendU32(append(block, byte(wasm.OpCall)), f) }
	switch i.Op {
	case wasm.OpCall:
		return call(c.w.target(i.Index))
	case wasm.OpMemoryCopy:
		return call(c.w.copy())
	case wasm.OpMemoryFill:
		return call(c.w.fill())
	case wasm.OpMemoryGrow:
		return call(c.w.grow())
	}
	return append(block, i.Raw...)
}
