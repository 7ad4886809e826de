package wasm

// HostModule is the only module that can be imported from.
const HostModule = "channels"

// Host lists the functions that a module may import, and their types.
var Host = map[string]FuncType{
	"keccak256": {Params: []ValueType{I32, I32, I32}}, // (ptr, len, out): 32 bytes are written to out
	"emit":      {Params: []ValueType{I32, I32}},      // (ptr, len): a notice for whoever asked; no part of the result
	"log":       {Params: []ValueType{I32, I32}},      // (ptr, len): a line for people; no part of the result
	"reject":    {Params: []ValueType{I32, I32}},      // (ptr, len): the reason; does not return
}

// Required lists the functions that a module must export, and their types.
var Required = map[string]FuncType{
	"allocate": {Params: []ValueType{I32}, Results: []ValueType{I32}},
	"init":     {Params: []ValueType{I32, I32}, Results: []ValueType{I64}},
	"reduce":   {Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I64}},
	"effects":  {Params: []ValueType{I32, I32}, Results: []ValueType{I64}},
}

// MemoryName is the name under which a module must export its memory.
const MemoryName = "memory"

// requiredOrder makes the first error the same on every machine.
var requiredOrder = [...]string{"allocate", "init", "reduce", "effects"}

// CheckABI reports whether the module has the imports and exports of a module of this system, and at most pageLimit
// pages at the start. Exports beyond the required ones are allowed and never used.
func (m *Module) CheckABI(pageLimit uint32) error {
	for _, im := range m.Imports {
		want, ok := Host[im.Name]
		if im.Module != HostModule || !ok {
			return fail(ErrABI, im.Offset, "the import %q.%q is unknown: a module may import channels.keccak256, channels.emit, channels.log and channels.reject only "+
				"(AssemblyScript: build with --use abort=; Rust: panic=abort, no_std; C: -nostdlib)", im.Module, im.Name)
		}
		if got := m.Types[im.Type]; !got.Equal(want) {
			return fail(ErrABI, im.Offset, "the import %q.%q has the type %s, it must be %s", im.Module, im.Name, got, want)
		}
	}
	exports := make(map[string]Export, len(m.Exports))
	for _, e := range m.Exports {
		exports[e.Name] = e
	}
	memory, ok := exports[MemoryName]
	if !ok || memory.Kind != ExternMemory {
		return fail(ErrABI, -1, "the memory must be exported as %q", MemoryName)
	}
	for _, name := range requiredOrder {
		e, ok := exports[name]
		if !ok || e.Kind != ExternFunction {
			return fail(ErrABI, -1, "the function %q of type %s must be exported", name, Required[name])
		}
		if got := m.FunctionType(e.Index); !got.Equal(Required[name]) {
			return fail(ErrABI, e.Offset, "the export %q has the type %s, it must be %s", name, got, Required[name])
		}
	}
	if m.Memory.Min > pageLimit {
		return fail(ErrLimit, m.Memory.Offset, "the memory starts with %d pages of 64 KiB, the page limit is %d; raise the limit or build with less "+
			"initial memory (Rust, C, Zig: a smaller stack, -z stack-size=4096)", m.Memory.Min, pageLimit)
	}
	return nil
}
