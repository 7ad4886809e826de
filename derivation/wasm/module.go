package wasm

import "slices"

// ValueType is the type of a value. The subset has two.
type ValueType byte

const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
)

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case 0x7d:
		return "f32"
	case 0x7c:
		return "f64"
	case 0x7b:
		return "v128"
	case 0x70:
		return "funcref"
	case 0x6f:
		return "externref"
	case unknown:
		return "unknown"
	}
	return "unknown type"
}

// PageSize is the size of a memory page in bytes.
const PageSize = 64 << 10

// What a binary may have at most. Compilers stay far below; the numbers keep the work of loading small and the
// program within what fits into contracts (24 KiB each) and into one transaction.
const (
	MaxBinaryBytes   = 256 << 10
	MaxTypes         = 1_000
	MaxParams        = 32
	MaxResults       = 16
	MaxImports       = 64
	MaxFunctions     = 4_096
	MaxGlobals       = 1_024
	MaxExports       = 1_024
	MaxTableEntries  = 4_096
	MaxElements      = 1_024
	MaxDataSegments  = 1_024
	MaxFunctionBytes = 32 << 10
	MaxNameBytes     = 256
	MaxCustom        = 64
	MaxPages         = 16  // 1 MiB costs an EVM 2.8 million gas
	MaxLocals        = 256 // parameters included: a frame of the chain's machine
	MaxHeight        = 256 // operands of one function at a time: the EVM's stack has 1,024 slots
	MaxNesting       = 256 // blocks inside blocks
	MaxTargets       = 1_024
	MaxFlow          = 256 << 10 // branches × (parameters and locals) of one function, see Function.Flow
	MaxModuleFlow    = 1 << 20   // and of all functions together
)

// FuncType is the type of a function or block.
type FuncType struct {
	Params  []ValueType
	Results []ValueType
}

// Equal reports whether two types are the same type.
func (t FuncType) Equal(o FuncType) bool {
	return slices.Equal(t.Params, o.Params) && slices.Equal(t.Results, o.Results)
}

func (t FuncType) String() string { return valueList(t.Params) + " -> " + valueList(t.Results) }

func valueList(ts []ValueType) string {
	s := "("
	for i, t := range ts {
		if i > 0 {
			s += ", "
		}
		s += t.String()
	}
	return s + ")"
}

// Import is an imported function; nothing else can be imported.
type Import struct {
	Module string
	Name   string
	Type   uint32
	Offset int
}

// Range is the size of a memory in pages or of a table in entries. Max is meant only when HasMax.
type Range struct {
	Min, Max uint32
	HasMax   bool
	Offset   int
}

// Global is a module's own global variable. Init holds the bits of the value, zero-extended for i32.
type Global struct {
	Type    ValueType
	Mutable bool
	Init    uint64
}

// ExternKind is what an export names.
type ExternKind byte

const (
	ExternFunction ExternKind = iota
	ExternTable
	ExternMemory
	ExternGlobal
)

func (k ExternKind) String() string {
	switch k {
	case ExternFunction:
		return "function"
	case ExternTable:
		return "table"
	case ExternMemory:
		return "memory"
	case ExternGlobal:
		return "global"
	}
	return "unknown kind"
}

// Export gives one of the module's parts a name.
type Export struct {
	Name   string
	Kind   ExternKind
	Index  uint32
	Offset int
}

// Element is an active segment of the table.
type Element struct {
	At        uint32
	Functions []uint32
}

// Data is an active segment of the memory.
type Data struct {
	At    uint32
	Bytes []byte
}

// Function is a defined function whose body is valid.
type Function struct {
	Type   uint32
	Locals []ValueType // without the parameters
	Body   []byte      // instructions, the final end included
	Offset int         // of Body in the file
	Height int         // operands on the stack at most, at any point of the body that can be reached
	Leaf   bool        // no call and no call_indirect that can be reached
	Unwind []uint16    // by br, br_if, br_table and return in the body: operands that it drops and keeps, 0 when it drops none or is dead code; the most of any target
	Flow   int         // block, loop, if, else, end, br, br_if and targets of br_table, times (parameters and locals + 1): a compiler that builds SSA form takes time for each such pair
}

// Module is a decoded, valid binary of the subset. Function indices count the imports first.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Functions []Function
	Table     *Range
	Memory    *Range
	Globals   []Global
	Exports   []Export
	Start     *uint32
	Elements  []Element
	Data      []Data
}

// FunctionType is the type of the function with the index; the index must exist.
func (m *Module) FunctionType(index uint32) FuncType { return m.Types[m.typeIndex(index)] }

func (m *Module) typeIndex(index uint32) uint32 {
	if int(index) < len(m.Imports) {
		return m.Imports[index].Type
	}
	return m.Functions[int(index)-len(m.Imports)].Type
}

// FunctionCount is the number of functions, imports included.
func (m *Module) FunctionCount() int { return len(m.Imports) + len(m.Functions) }

// TypeID is the index of the first type that is the same as type t, which must exist: call_indirect compares types by
// what they say, so this is what identifies one.
func (m *Module) TypeID(t uint32) uint32 {
	for i := range t {
		if m.Types[i].Equal(m.Types[t]) {
			return i
		}
	}
	return t
}

// TypeIndex is the index of the type of the function with the index; the index must exist.
func (m *Module) TypeIndex(function uint32) uint32 { return m.typeIndex(function) }
