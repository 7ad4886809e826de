package wasm

// BlockType is the type of a block: an index into the types, one result, or nothing.
type BlockType struct {
	Index  int32 // ≥ 0: Types[Index]
	Result ValueType
}

// Instr is one decoded instruction.
type Instr struct {
	Op     Opcode
	Offset int // in the file
	Raw    []byte

	Index   uint32    // local, global, function or type; label depth of br and br_if; alignment exponent of loads and stores
	Block   BlockType // block, loop, if
	Const   int64     // i32.const (sign-extended), i64.const; offset of loads and stores
	Targets []uint32  // br_table, the default last
}

// BlockType gives the parameters and results of a block whose index has been checked.
func (m *Module) BlockType(t BlockType) FuncType {
	switch {
	case t.Index >= 0:
		return m.Types[t.Index]
	case t.Result != 0:
		return FuncType{Results: []ValueType{t.Result}}
	}
	return FuncType{}
}

// Instructions walks a body. Next returns false after the last instruction or at the first error, which Err returns.
type Instructions struct {
	r    reader
	fn   int
	base int // offset of the body in the file
	err  error
	In   Instr
}

// Instructions walks the body of defined function i (imports not counted).
func (m *Module) Instructions(i int) *Instructions {
	f := &m.Functions[i]
	return &Instructions{r: reader{f.Body, 0, len(f.Body)}, fn: i + len(m.Imports), base: f.Offset}
}

// Next decodes the next instruction into In, which is overwritten by the call after.
func (s *Instructions) Next() bool {
	if s.err != nil || s.r.left() == 0 {
		return false
	}
	start := s.r.pos
	s.In = Instr{Offset: s.base + start}
	if err := s.r.instr(&s.In); err != nil {
		err.Function, err.Offset = s.fn, s.In.Offset
		if err.Kind != ErrMalformed {
			err.Op = s.In.Op.String()
		}
		s.err = err
		return false
	}
	s.In.Raw = s.r.b[start:s.r.pos]
	return true
}

// Err is the error that stopped Next, nil at the regular end.
func (s *Instructions) Err() error { return s.err }

// instr reads the opcode and the immediates; offsets in its errors are set by the caller.
func (r *reader) instr(in *Instr) *Error {
	wrap := func(err error) *Error {
		if err == nil {
			return nil
		}
		return err.(*Error) // the reader's methods return no other type
	}
	b, err := r.byte("the code")
	if err != nil {
		return wrap(err)
	}
	in.Op = Opcode(b)
	if b == 0xfc {
		n, err := r.u32("the instruction after the prefix 0xfc")
		if err != nil {
			return wrap(err)
		}
		if n >= uint32(len(names)-int(Prefixed)) {
			return fail(ErrMalformed, 0, "there is no instruction 0xfc %d", n)
		}
		in.Op = Prefixed + Opcode(n)
	}
	if !in.Op.Known() {
		if int(in.Op) < len(names) && names[in.Op] == "" && b < 0xfb {
			return fail(ErrMalformed, 0, "there is no instruction 0x%02x", b)
		}
		return fail(ErrNotAccepted, 0, "%s", refusal(in.Op))
	}
	return wrap(r.immediates(in))
}

func (r *reader) immediates(in *Instr) (err error) {
	zero := func(what string) error {
		b, err := r.byte(what)
		if err == nil && b != 0 {
			err = fail(ErrNotAccepted, 0, "is not accepted: %s is %d; there is one memory and one table, with index 0", what, b)
		}
		return err
	}
	switch op := in.Op; {
	case op == OpBlock || op == OpLoop || op == OpIf:
		in.Block, err = r.blockType()
	case op == OpBr || op == OpBrIf:
		in.Index, err = r.u32("a label")
	case op == OpBrTable:
		var n int
		if n, err = r.count(MaxTargets, "targets of br_table"); err != nil {
			return err
		}
		in.Targets = make([]uint32, n+1)
		for i := range in.Targets {
			if in.Targets[i], err = r.u32("a label"); err != nil {
				return err
			}
		}
	case op == OpCall || op == OpLocalGet || op == OpLocalSet || op == OpLocalTee || op == OpGlobalGet || op == OpGlobalSet:
		in.Index, err = r.u32("an index")
	case op == OpCallIndirect:
		if in.Index, err = r.u32("a type index"); err == nil {
			err = zero("the table")
		}
	case op >= OpI32Load && op <= OpI64Store32:
		if in.Index, err = r.u32("an alignment"); err == nil {
			var offset uint32
			offset, err = r.u32("an offset")
			in.Const = int64(offset)
		}
	case op == OpMemorySize || op == OpMemoryGrow || op == OpMemoryFill:
		err = zero("the memory")
	case op == OpMemoryCopy:
		if err = zero("the memory"); err == nil {
			err = zero("the memory")
		}
	case op == OpI32Const:
		in.Const, err = r.sint(32, "an i32 constant")
	case op == OpI64Const:
		in.Const, err = r.sint(64, "an i64 constant")
	}
	return err
}

func (r *reader) blockType() (BlockType, error) {
	v, err := r.sint(33, "a block type")
	if err != nil {
		return BlockType{}, err
	}
	switch {
	case v >= 0 && v < MaxTypes:
		return BlockType{Index: int32(v)}, nil
	case v == -64:
		return BlockType{Index: -1}, nil
	case v == -1:
		return BlockType{Index: -1, Result: I32}, nil
	case v == -2:
		return BlockType{Index: -1, Result: I64}, nil
	case v < -2 && v > -64:
		return BlockType{}, fail(ErrNotAccepted, 0, "is not accepted: its result is %s; only i32 and i64 are", ValueType(v&0x7f))
	}
	return BlockType{}, fail(ErrInvalid, 0, "there is no type %d", v)
}
