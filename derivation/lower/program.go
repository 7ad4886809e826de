package lower

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/derivation/wasm"
)

var (
	// ErrModule means that a module cannot be lowered: it is above a limit of the format.
	ErrModule = errors.New("derivation/lower: the module cannot be lowered")
	// ErrProgram means that bytes are not a lowered program.
	ErrProgram = errors.New("derivation/lower: not a lowered program")
)

// Instr is one instruction. What B and C mean depends on Op. Here C counts instructions, locals, globals and constants;
// in the encoding it counts bytes.
type Instr struct {
	Op Op
	B  uint16
	C  uint32
}

func (i Instr) String() string {
	switch i.Op {
	case Enter:
		p, l, f := i.Frame()
		return fmt.Sprintf("enter function %d, %d params, %d locals, %d slots", i.B, p, l, f)
	case Unwind:
		return fmt.Sprintf("unwind keep %d, drop %d", i.B, i.C)
	case Table, Return:
		return fmt.Sprintf("%s %d", i.Op, i.B)
	case CallHost:
		return fmt.Sprintf("call_host %s", HostNames[min(int(i.B), len(HostNames)-1)])
	case CallIndirect:
		return fmt.Sprintf("call_indirect type %d", i.B)
	case Fuel, Jump, JumpIf, JumpUnless, Call, LocalGet, LocalSet, LocalTee, GlobalGet, GlobalSet, Const, Constant:
		return fmt.Sprintf("%s %d", i.Op, i.C)
	}
	if i.Op >= I32Load && i.Op <= I64Store32 {
		return fmt.Sprintf("%s offset=%d", i.Op, i.C)
	}
	return i.Op.String()
}

// Frame unpacks C of Enter: the number of parameters, of locals including the parameters, and the frame's stack slots.
func (i Instr) Frame() (params, locals, slots int) {
	return int(i.C >> 24), int(i.C >> 12 & 0xfff), int(i.C & 0xfff)
}

// HostNames are the host functions by number.
var HostNames = [...]string{"keccak256", "emit", "log", "reject"}

// hostNumber is the number of a host function.
func hostNumber(name string) (uint16, bool) {
	for i, n := range HostNames {
		if n == name {
			return uint16(i), true
		}
	}
	return 0, false
}

// hostArity is the number of operands that a host function takes; none gives any.
func hostArity(host uint16) int { return len(wasm.Host[HostNames[host]].Params) }

// Entries of a program, in the order of its header.
const (
	Allocate = iota
	Init
	Reduce
	Effects
	EntryCount
)

// EntryNames are the exports behind the entries.
var EntryNames = [EntryCount]string{"allocate", "init", "reduce", "effects"}

// None is the entry of a program that lacks it: modules of this system have all four, other modules need not.
const None = 0xffffffff

// Function describes a function: its instructions are those from Entry to the next function's.
type Function struct {
	Entry   uint32 // its Enter
	Type    uint16
	Params  uint8
	Results uint8
	Locals  uint16 // parameters included
	Height  uint16 // operands at most
}

// Element is an entry of the table.
type Element struct {
	Kind     uint16 // ElementNull, ElementFunction, or ElementHost + number of the host function
	Type     uint16
	Function uint32 // index, when Kind is ElementFunction
}

// Kinds of elements.
const (
	ElementNull uint16 = iota
	ElementFunction
	ElementHost
)

// Program is a lowered module.
type Program struct {
	Code      []Instr
	Constants []uint64
	Globals   []uint64 // after the start function
	Table     []Element
	Memory    []byte // after the start function; nil without memory
	MaxPages  uint32 // that memory.grow can reach before the manifest's limit is applied
	Entries   [EntryCount]uint32
	Functions []Function
}

// Pages is the size of the memory at the beginning of a call.
func (p *Program) Pages() uint32 { return uint32(len(p.Memory) / wasm.PageSize) }

// Hash is the programHash that a manifest commits to: keccak256 of the encoding.
func (p *Program) Hash() common.Hash { return crypto.Keccak256Hash(p.Encode()) }

// FunctionAt is the index of the function that an instruction belongs to.
func (p *Program) FunctionAt(pc int) int {
	lo, hi := 0, len(p.Functions)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; int(p.Functions[mid].Entry) <= pc {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// CallArity is the number of operands that a Call or CallIndirect of this program takes as parameters and gives.
func (p *Program) CallArity(call Instr) (params, results int) {
	switch call.Op {
	case Call:
		f := p.Functions[p.FunctionAt(int(call.C))]
		return int(f.Params), int(f.Results)
	case CallIndirect:
		return int(call.C >> 8), int(call.C & 0xff)
	}
	return 0, 0
}
