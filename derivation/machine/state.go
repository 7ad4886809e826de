package machine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// ErrState means that bytes are not the state of a machine that executes the program.
var ErrState = errors.New("derivation/machine: not a state of this program")

const (
	stateVersion = 1
	// maxArgument bounds an argument in an encoded state; package derivation allows less.
	maxArgument = 1 << 20
)

var stateMagic = [4]byte{0, 'm', 'c', 'h'}

// Encode gives the whole state, as the package doc draws it.
func (m *Machine) Encode() []byte {
	u16, u32, u64 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32, binary.BigEndian.AppendUint64
	b := make([]byte, 0, 124+8*m.sp+12*len(m.frames)+8*len(m.globals)+len(m.memory))
	b = u16(append(b, stateMagic[:]...), stateVersion)
	b = append(b, byte(m.status), byte(m.trap), byte(m.entry), byte(len(m.args)), byte(m.next), 0)
	hash := m.program.Hash()
	b = u32(append(b, hash[:]...), 0)
	b = u64(u64(b, m.limit), uint64(m.fuel))
	for _, v := range []int{m.pc, m.base, m.sp, len(m.frames), int(m.height), int(m.maxPages), len(m.memory) / wasm.PageSize} {
		b = u32(b, uint32(v))
	}
	for _, v := range m.params {
		b = u64(b, v)
	}
	for _, v := range m.stack[:m.sp] {
		b = u64(b, v)
	}
	for _, f := range m.frames {
		b = u32(u32(u32(b, f.back), f.base), f.slots)
	}
	for _, v := range m.globals {
		b = u64(b, v)
	}
	b = append(b, m.memory...)
	for _, a := range m.args {
		b = append(u32(b, uint32(len(a))), a...)
	}
	return b
}

// decoder reads numbers; what it lacks is zero and remembered.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.short, d.b = true, nil
		return make([]byte, n) // n is bounded by every caller
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u8() int     { return int(d.take(1)[0]) }
func (d *decoder) u32() uint32 { return binary.BigEndian.Uint32(d.take(4)) }
func (d *decoder) u64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }

// Restore makes a machine in a state that Encode gave for the same program. It accepts only states that instructions
// can continue from: frames, operands and heights are those that the program has there. The error wraps ErrState.
func Restore(p *lower.Program, b []byte) (*Machine, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
	}
	d := &decoder{b: b}
	if [4]byte(d.take(4)) != stateMagic || binary.BigEndian.Uint16(d.take(2)) != stateVersion {
		return nil, bad("magic or version is not known")
	}
	m := &Machine{program: p, stack: make([]uint64, maxStack)}
	m.status, m.trap, m.entry = Status(d.u8()), Trap(d.u8()), d.u8()
	args := d.u8()
	m.next = d.u8()
	if d.u8() != 0 || m.status > Rejected || m.trap >= trapEnd || (m.trap != NoTrap) != (m.status == Trapped) || m.entry > noEntry || args > 2 || m.next > args {
		return nil, bad("status, entry or arguments are impossible")
	}
	if hash := common.Hash(d.take(32)); d.u32() != 0 || hash != p.Hash() {
		return nil, bad("it belongs to program %s", hash)
	}
	m.limit, m.fuel = d.u64(), int64(d.u64())
	pc, base, sp, frames, height, maxPages, pages := d.u32(), d.u32(), d.u32(), d.u32(), d.u32(), d.u32(), d.u32()
	if int64(m.limit) < m.fuel || int64(m.limit) < 0 || (m.fuel < 0) != (m.status == OutOfFuel) {
		return nil, bad("%d of %d fuel", m.fuel, m.limit)
	}
	if sp > maxStack || base > sp || frames > meter.StackLimit || height > meter.StackLimit+1<<12 || maxPages > p.MaxPages || pages > maxPages || pages < p.Pages() || uint64(pc) > uint64(len(p.Code)) {
		return nil, bad("a count is above its limit")
	}
	m.pc, m.base, m.sp, m.height, m.maxPages = int(pc), int(base), int(sp), height, maxPages
	for i := range m.params {
		m.params[i] = d.u64()
	}
	for i := range m.stack[:m.sp] {
		m.stack[i] = d.u64()
	}
	for range frames {
		m.frames = append(m.frames, frame{d.u32(), d.u32(), d.u32()})
	}
	for range p.Globals {
		m.globals = append(m.globals, d.u64())
	}
	m.memory = append([]byte(nil), d.take(int(pages)*wasm.PageSize)...)
	for range args {
		n := d.u32()
		if n > maxArgument {
			return nil, bad("an argument of %d bytes", n)
		}
		m.args = append(m.args, append([]byte(nil), d.take(int(n))...))
	}
	if d.short || len(d.b) != 0 {
		return nil, bad("its length is wrong")
	}
	if err := m.check(); err != nil {
		return nil, bad("%v", err)
	}
	return m, nil
}

var errShape = errors.New("the stack is not one that the program makes")

// check refuses stacks that the program cannot have: a machine relies on them.
func (m *Machine) check() error {
	p := m.program
	if m.status != Running {
		return m.checkEnded()
	}
	heights, err := p.Heights()
	if err != nil {
		return err
	}
	if m.entry != noEntry && (p.Entries[m.entry] == lower.None || p.Entries[lower.Allocate] == lower.None || m.entry == lower.Allocate || 2*len(m.args) != int(p.Functions[p.Entries[m.entry]].Params)) {
		return errors.New("the entry does not take these arguments")
	}
	if m.entry == noEntry && len(m.args) != 0 || len(m.frames) == 0 || m.pc >= len(p.Code) || m.height > meter.StackLimit {
		return errShape
	}
	pc, base, top, slots := m.pc, m.base, m.sp, uint32(0)
	for i := len(m.frames) - 1; i >= 0; i-- {
		f := m.frames[i]
		fn := p.FunctionAt(pc)
		of := p.Functions[fn]
		_, _, want := p.Code[of.Entry].Frame()
		operands := int(heights[pc])
		if i < len(m.frames)-1 { // a caller: what the call takes is off, what it gives is not on yet
			call := p.Code[pc-1]
			pops, pushes := p.CallArity(call)
			if call.Op != lower.Call && call.Op != lower.CallIndirect || operands < 0 || !m.calls(call, i+1, pops, pushes) {
				return errShape
			}
			operands -= pushes
		}
		if operands < 0 || pc == int(of.Entry) || f.slots != uint32(want) || base+int(of.Locals)+operands != top {
			return errShape
		}
		slots += f.slots
		if i == 0 {
			if f.back != 0 || f.base != 0 || base != 0 || !m.entered(fn) {
				return errShape
			}
			break
		}
		if f.back == 0 || uint64(f.back) >= uint64(len(p.Code)) || uint64(f.base) > uint64(base) {
			return errShape
		}
		top, base, pc = base, int(f.base), int(f.back)
	}
	if slots != m.height {
		return errShape
	}
	return nil
}

// calls reports whether the function of frame i is one that a call can enter.
func (m *Machine) calls(call lower.Instr, i, pops, pushes int) bool {
	pc := m.pc
	if i < len(m.frames)-1 {
		pc = int(m.frames[i+1].back)
	}
	callee := m.program.Functions[m.program.FunctionAt(pc)]
	if call.Op == lower.Call {
		return call.C == callee.Entry
	}
	return call.B == callee.Type && pops == int(callee.Params) && pushes == int(callee.Results)
}

// entered reports whether the outermost function is the one that the call is in.
func (m *Machine) entered(fn int) bool {
	switch {
	case m.entry == noEntry:
		return true
	case m.next < len(m.args):
		return m.program.Entries[lower.Allocate] == uint32(fn)
	}
	return m.program.Entries[m.entry] == uint32(fn)
}

// checkEnded refuses what the readers of an ended call could not read.
func (m *Machine) checkEnded() error {
	if m.status == Done && len(m.frames) != 0 || m.base+int(m.locals()) > m.sp && len(m.frames) != 0 {
		return errShape
	}
	if m.status == Done && m.entry != noEntry {
		if ptr, size := m.stack[0]>>32, m.stack[0]&0xffffffff; m.sp != 1 || ptr+size > uint64(len(m.memory)) {
			return errShape
		}
	}
	return nil
}
