package machine

import (
	"fmt"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// Status says how far a call is.
type Status uint8

const (
	Idle      Status = iota // no call has begun
	Running                 // Run has more to do
	Done                    // the call returned
	Trapped                 // Trap says why
	OutOfFuel               // a charge made the fuel negative
	Rejected                // the module called reject
)

func (s Status) String() string {
	return [...]string{"idle", "running", "done", "trapped", "out of fuel", "rejected"}[min(s, Rejected)]
}

// Trap is a kind of trap.
type Trap uint8

const (
	NoTrap Trap = iota
	TrapUnreachable
	TrapMemory
	TrapDivideByZero
	TrapOverflow
	TrapTable
	TrapIndirectType
	TrapStack
	TrapHostPointer
	TrapAllocate
	TrapResult
	trapEnd
)

func (t Trap) String() string {
	return [...]string{"no trap", "unreachable", "out of bounds memory access", "integer divide by zero", "integer overflow", "undefined table element",
		"indirect call type mismatch", "stack exhausted", "host function got a range outside of the memory",
		"allocate gave a range outside of the memory", "the result is outside of the memory"}[min(t, TrapResult)]
}

// Host hears what a module tells people. The bytes are a view of the memory and must be copied to be kept.
type Host interface {
	Emit(b []byte)
	Log(b []byte)
	Reject(b []byte)
}

// maxStack is the most values that frames within meter.StackLimit hold, and the arguments of the entry.
const maxStack = meter.StackLimit*meter.LocalsPerSlot + wasm.MaxParams

// frame is a call of a function that has not returned.
type frame struct {
	back  uint32 // where the caller continues
	base  uint32 // of the caller
	slots uint32 // of the function itself
}

// noEntry is the entry of a function that was invoked by itself.
const noEntry = lower.EntryCount

// Machine executes a lowered program. It serves one goroutine.
type Machine struct {
	// Hook, if not nil, is called before each instruction. It may read the machine and must not change it.
	Hook func(*Machine)
	// Host, if not nil, hears what the module emits, logs and rejects with.
	Host Host

	program  *lower.Program
	maxPages uint32
	memory   []byte
	globals  []uint64
	stack    []uint64
	frames   []frame

	pc, sp, base int
	height       uint32
	limit        uint64
	fuel         int64
	status       Status
	trap         Trap

	entry  int
	args   [][]byte
	next   int // argument that is being copied in; len(args) when the entry runs
	params [4]uint64
	hasher hasher
}

// New makes a machine for a program that Lower or lower.Decode gave. pageLimit is the manifest's.
func New(p *lower.Program, pageLimit uint32) (*Machine, error) {
	if p.Pages() > pageLimit {
		return nil, fmt.Errorf("derivation/machine: the program starts with %d pages, the limit is %d", p.Pages(), pageLimit)
	}
	m := &Machine{program: p, maxPages: min(p.MaxPages, pageLimit), stack: make([]uint64, maxStack), globals: make([]uint64, len(p.Globals)),
		memory: make([]byte, len(p.Memory))}
	m.Reset()
	return m, nil
}

// Reset puts memory and globals back to the snapshot and forgets the call.
func (m *Machine) Reset() {
	if len(m.memory) != len(m.program.Memory) {
		m.memory = make([]byte, len(m.program.Memory))
	}
	copy(m.memory, m.program.Memory)
	copy(m.globals, m.program.Globals)
	m.frames, m.pc, m.sp, m.base, m.height = m.frames[:0], 0, 0, 0, 0
	m.status, m.trap, m.fuel, m.limit, m.args, m.next, m.params, m.entry = Idle, NoTrap, 0, 0, nil, 0, [4]uint64{}, noEntry
}

// Begin starts a call of an entry (lower.Init, lower.Reduce, lower.Effects) from the snapshot: the arguments are copied
// in as package derivation describes. The machine keeps args until the call ends. fuel must be below 2^63.
func (m *Machine) Begin(entry int, args [][]byte, fuel uint64) {
	m.Reset()
	m.status, m.entry, m.args, m.limit, m.fuel = Running, entry, args, fuel, int64(fuel)
	m.advance()
}

// Invoke starts a call of one function with parameters, from whatever memory and globals the machine has.
func (m *Machine) Invoke(function uint32, params []uint64, fuel uint64) {
	m.frames, m.base, m.height = m.frames[:0], 0, 0
	m.status, m.trap, m.entry, m.args, m.next, m.limit, m.fuel = Running, NoTrap, noEntry, nil, 0, fuel, int64(fuel)
	m.call(function, params)
}

// call enters a function with nothing else on the stack.
func (m *Machine) call(function uint32, params []uint64) {
	m.sp = copy(m.stack, params)
	m.pc, m.base = 0, 0
	m.enter(m.program.Functions[function].Entry, 0)
}

// enter makes the frame of the function that begins at entry; its parameters are the topmost operands.
func (m *Machine) enter(entry uint32, back int) bool {
	params, locals, slots := m.program.Code[entry].Frame()
	m.height += uint32(slots)
	if m.height > meter.StackLimit {
		m.stop(TrapStack)
		return false
	}
	m.frames = append(m.frames, frame{uint32(back), uint32(m.base), uint32(slots)})
	m.base = m.sp - params
	clear(m.stack[m.sp : m.base+locals])
	m.sp, m.pc = m.base+locals, int(entry)+1
	return true
}

// advance copies in the next argument or enters the entry.
func (m *Machine) advance() {
	if m.next == len(m.args) {
		m.call(m.program.Entries[m.entry], m.params[:m.program.Functions[m.program.Entries[m.entry]].Params])
		return
	}
	size := len(m.args[m.next])
	if !m.charge(meter.InputWord * meter.Words(size)) {
		return
	}
	m.call(m.program.Entries[lower.Allocate], []uint64{uint64(size)})
}

// returned is called when no frame is left.
func (m *Machine) returned() {
	if m.entry == noEntry {
		m.status = Done
		return
	}
	if m.next == len(m.args) {
		ptr, size := m.stack[0]>>32, m.stack[0]&0xffffffff
		if ptr+size > uint64(len(m.memory)) {
			m.stop(TrapResult)
		} else if m.charge(meter.OutputWord * meter.Words(int(size))) {
			m.status = Done
		}
		return
	}
	arg, ptr := m.args[m.next], uint64(uint32(m.stack[0]))
	if ptr+uint64(len(arg)) > uint64(len(m.memory)) {
		m.stop(TrapAllocate)
		return
	}
	copy(m.memory[ptr:], arg)
	m.params[2*m.next], m.params[2*m.next+1] = ptr, uint64(len(arg))
	m.next++
	m.advance()
}

func (m *Machine) charge(n uint64) bool {
	m.fuel -= int64(n)
	if m.fuel < 0 {
		m.status = OutOfFuel
		return false
	}
	return true
}

func (m *Machine) stop(t Trap) { m.status, m.trap = Trapped, t }

// Status says how far the call is.
func (m *Machine) Status() Status { return m.status }

// Trap is the kind of trap when Status is Trapped.
func (m *Machine) Trap() Trap { return m.trap }

// FuelUsed is the fuel that the call has used so far; all of it when it ran out.
func (m *Machine) FuelUsed() uint64 {
	if m.fuel < 0 {
		return m.limit
	}
	return m.limit - uint64(m.fuel)
}

// Output is a view of the bytes that the call returned, nil unless Status is Done.
func (m *Machine) Output() []byte {
	if m.status != Done || m.entry == noEntry {
		return nil
	}
	ptr, size := m.stack[0]>>32, m.stack[0]&0xffffffff
	return m.memory[ptr : ptr+size : ptr+size]
}

// Program is what the machine executes.
func (m *Machine) Program() *lower.Program { return m.program }

// PC is the index of the next instruction; after a trap, of the one behind the instruction that trapped.
func (m *Machine) PC() int { return m.pc }

// Instr is the instruction at PC, none behind the last.
func (m *Machine) Instr() lower.Instr {
	if m.pc >= len(m.program.Code) {
		return lower.Instr{}
	}
	return m.program.Code[m.pc]
}

// Function is the index of the function that is running, imports not counted.
func (m *Machine) Function() int { return m.program.FunctionAt(m.pc) }

// Depth is the number of calls that have not returned.
func (m *Machine) Depth() int { return len(m.frames) }

// Height is the height of the stack in slots, as package meter counts it.
func (m *Machine) Height() int { return int(m.height) }

// Caller is where the i-th call from the innermost continues when it returns.
func (m *Machine) Caller(i int) int { return int(m.frames[len(m.frames)-1-i].back) }

// Locals is a view of the parameters and locals of the function that is running.
func (m *Machine) Locals() []uint64 {
	if len(m.frames) == 0 {
		return nil
	}
	return m.stack[m.base : m.base+m.locals()]
}

// Operands is a view of the operands of the function that is running, the top last; after Invoke, of its results.
func (m *Machine) Operands() []uint64 {
	if len(m.frames) == 0 {
		return m.stack[:m.sp]
	}
	return m.stack[m.base+m.locals() : m.sp]
}

func (m *Machine) locals() int { return int(m.program.Functions[m.Function()].Locals) }

// Memory is a view of the memory.
func (m *Machine) Memory() []byte { return m.memory }

// Globals is a view of the globals.
func (m *Machine) Globals() []uint64 { return m.globals }
