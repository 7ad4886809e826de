package machine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

type specValue struct {
	Type  string
	Value any
}

type specCommand struct {
	Type, Filename string
	Line           int
	ModuleType     string `json:"module_type"`
	Action         struct {
		Type, Field, Module string
		Args                []specValue
	}
	Expected []specValue
}

func specBits(t *testing.T, vs []specValue) (out []uint64, ok bool) {
	for _, v := range vs {
		s, isText := v.Value.(string)
		if v.Type != "i32" && v.Type != "i64" || !isText {
			return nil, false
		}
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		out = append(out, n)
	}
	return out, true
}

const (
	specFuel  = 1 << 40
	specPages = 65536 // the suite grows memories to what the specification allows
)

var harness = sync.OnceValues(evm.Harness)

// trio is one module of a script on the three engines, and in the contract.
type trio struct {
	module  *wasm.Module
	metered *meter.Metered
	wazero  [2]api.Module // compiler, interpreter
	machine *machine.Machine
	chain   *evmrun.Chain // the contract, with a way in for single functions
	exports map[string]wasm.Export
	stale   bool            // a call that would have changed memory or globals may have been skipped
	tainted map[uint32]bool // functions that were cut out because they use floats, or call such
}

func newTrio(t *testing.T, runtimes [2]wazero.Runtime, m *wasm.Module, where string) *trio {
	out, err := meter.RewriteAll(m, specPages, specFuel)
	require.NoError(t, err, where)
	x := &trio{module: m, metered: out, exports: map[string]wasm.Export{}}
	for i, r := range runtimes {
		x.wazero[i], err = r.InstantiateWithConfig(context.Background(), out.Binary, wazero.NewModuleConfig().WithName("").WithStartFunctions())
		require.NoError(t, err, where)
	}
	l, err := machine.Lower(m, specFuel)
	require.NoError(t, err, where)
	if m.Memory != nil { // the page limit of this system is below what the suite needs
		if l.Program.MaxPages = specPages; m.Memory.HasMax {
			l.Program.MaxPages = m.Memory.Max
		}
	}
	x.machine, err = machine.New(l.Program, specPages)
	require.NoError(t, err, where)
	harness, err := harness()
	require.NoError(t, err)
	x.chain, err = evmrun.New(harness.Code)
	require.NoError(t, err)
	for _, e := range m.Exports {
		x.exports[e.Name] = e
	}
	if l.Program.MaxPages <= wasm.MaxPages {
		decoded, err := lower.Decode(l.Program.Encode())
		require.NoError(t, err, where)
		require.Equal(t, l.Program.Encode(), decoded.Encode(), where)
	}
	return x
}

// stateful reports whether a call can change what a later one gives.
func (x *trio) stateful() bool { return x.module.Memory != nil || len(x.metered.Globals) > 0 }

func (x *trio) close(t *testing.T) {
	for _, m := range x.wazero {
		require.NoError(t, m.Close(context.Background()))
	}
}

// outcome is everything that a call leaves behind.
type outcome struct {
	results []uint64
	trap    string
	fuel    uint64
	memory  string
	globals []uint64
}

// specTraps are wazero's words for the traps of the machine; stack exhaustion is told by the height.
var specTraps = map[string]string{
	"unreachable": "unreachable", "out of bounds memory access": "out of bounds memory access", "integer divide by zero": "integer divide by zero",
	"integer overflow": "integer overflow", "invalid table access": "undefined table element", "indirect call type mismatch": "indirect call type mismatch",
}

// compiled calls a function on wazero.
func (x *trio) compiled(i int, name string, args []uint64, results []wasm.ValueType) (o outcome) {
	m := x.wazero[i]
	fuel, height := m.ExportedGlobal(meter.FuelExport).(api.MutableGlobal), m.ExportedGlobal(meter.HeightExport).(api.MutableGlobal)
	fuel.Set(specFuel)
	height.Set(0)
	got, err := m.ExportedFunction(name).Call(context.Background(), args...)
	switch {
	case height.Get() > meter.StackLimit:
		o.trap = machine.TrapStack.String()
	case err != nil:
		line, _, _ := strings.Cut(err.Error(), "\n")
		o.trap = specTraps[strings.TrimSuffix(strings.TrimPrefix(line, "wasm error: "), " (recovered by wazero)")]
		if o.trap == "" {
			o.trap = line
		}
	default:
		o.results = narrow(got, results)
	}
	o.fuel = specFuel - fuel.Get()
	if memory := m.Memory(); x.module.Memory != nil {
		view, _ := memory.Read(0, memory.Size())
		o.memory = digest(view)
	}
	for _, g := range x.metered.Globals {
		v := m.ExportedGlobal(meter.GlobalExport(g)).Get()
		if x.module.Globals[g].Type == wasm.I32 {
			v = uint64(uint32(v))
		}
		o.globals = append(o.globals, v)
	}
	return o
}

// narrow cuts what wazero leaves open: the upper half of an i32.
func narrow(values []uint64, types []wasm.ValueType) (out []uint64) {
	for i, v := range values {
		if types[i] == wasm.I32 {
			v = uint64(uint32(v))
		}
		out = append(out, v)
	}
	return out
}

// digest stands for a memory: its size and a hash, or for huge ones of the suite a part.
func digest(b []byte) string {
	part := b[:min(len(b), 1<<20)]
	h := uint64(14695981039346656037)
	for _, v := range part {
		h = (h ^ uint64(v)) * 1099511628211
	}
	return fmt.Sprintf("%d %x", len(b), h)
}

// chainPages bounds the memories that are built up in the EVM: 64 MiB.
const chainPages = 1024

// onChain is a copy of what a call begins with, for the contract; nil when that is too large.
func (x *trio) onChain(function uint32, args []uint64) *evmrun.Invocation {
	if len(x.machine.Memory()) > chainPages*wasm.PageSize {
		return nil
	}
	p := *x.machine.Program()
	p.MaxPages = min(p.MaxPages, math.MaxUint16) // the encoding has no more, and no test that remains needs it
	p.Memory, p.Globals = bytes.Clone(x.machine.Memory()), slices.Clone(x.machine.Globals())
	return &evmrun.Invocation{Fuel: specFuel, Pages: math.MaxUint16, Program: &p, Function: function, Parameters: args}
}

// contract compares what the contract leaves behind with what the reference machine has just left; whether it ran.
func (x *trio) contract(t *testing.T, i *evmrun.Invocation, where string) bool {
	if i == nil || len(x.machine.Memory()) > chainPages*wasm.PageSize {
		return false
	}
	got, err := x.chain.Invoke(i)
	require.NoError(t, err, where)
	want := map[machine.Status]uint8{machine.Done: 0, machine.Rejected: 7, machine.Trapped: 8, machine.OutOfFuel: 9}[x.machine.Status()]
	require.Equal(t, want, got.Status, where)
	require.Equal(t, x.machine.FuelUsed(), got.Fuel, where)
	if want == 0 {
		require.Equal(t, append([]uint64(nil), x.machine.Operands()...), got.Results, where)
	}
	require.Equal(t, append([]uint64(nil), x.machine.Globals()...), got.Globals, where)
	require.True(t, bytes.Equal(x.machine.Memory(), got.Memory), "memory: %s", where)
	return true
}

func (x *trio) reference(function uint32, args []uint64) (o outcome) {
	x.machine.Invoke(function, args, specFuel)
	switch x.machine.Finish() {
	case machine.Done:
		o.results = append(o.results, x.machine.Operands()...)
	case machine.Trapped:
		o.trap = x.machine.Trap().String()
	default:
		o.trap = x.machine.Status().String()
	}
	o.fuel = x.machine.FuelUsed()
	if x.module.Memory != nil {
		o.memory = digest(x.machine.Memory())
	}
	for _, g := range x.metered.Globals {
		o.globals = append(o.globals, x.machine.Globals()[g])
	}
	return o
}

// skip says why an assertion cannot be run, empty if it can.
func (x *trio) skip(c *specCommand, argsOK, expectedOK bool) string {
	e, ok := x.exports[c.Action.Field]
	switch {
	case c.Action.Type != "invoke":
		return "reads a global"
	case c.Action.Module != "":
		return "another module"
	case !argsOK || !expectedOK:
		return "floats or references in the assertion"
	case !ok || e.Kind != wasm.ExternFunction:
		return "no such function"
	case x.tainted[e.Index]:
		return "the function uses floats"
	}
	return ""
}

func specScripts(t *testing.T, each func(file string, commands []specCommand)) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal", "integration_test", "spectest", "v[12]", "testdata", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		var script struct{ Commands []specCommand }
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &script), file)
		each(file, script.Commands)
	}
}

// load decodes a module of the suite. One that is refused for its floats only is tried again without the functions that
// use them.
func load(b []byte) (m *wasm.Module, tainted map[uint32]bool, why string) {
	m, err := wasm.Decode(b)
	if err != nil {
		if rest, cut, ok := withoutFloats(b); ok {
			if again, err := wasm.Decode(rest); err == nil && len(again.Imports) == 0 {
				return again, cut, ""
			}
		}
		var e *wasm.Error
		if errors.As(err, &e) && (strings.Contains(e.Text, "float") || strings.Contains(e.Text, "f32") || strings.Contains(e.Text, "f64")) {
			return nil, nil, "floats"
		}
		return nil, nil, "outside of the subset"
	}
	if len(m.Imports) > 0 {
		return nil, nil, "imports"
	}
	return m, nil, ""
}

// TestF11_A9_SpecSuiteOnAllEngines runs every assertion of the official suite that is in the accepted subset on the
// compiler and the interpreter, both metered, on the reference machine, and in the contract: results and traps must be
// those that the suite expects; traps, memory, globals and fuel must be the same on all four. What is skipped is counted
// by reason.
func TestF11_A9_SpecSuiteOnAllEngines(t *testing.T) {
	ctx, ran, skipped := context.Background(), map[string]int{}, map[string]int{}
	features := api.CoreFeatureMutableGlobal | api.CoreFeatureSignExtensionOps | api.CoreFeatureMultiValue | api.CoreFeatureBulkMemoryOperations
	runtimes := [2]wazero.Runtime{
		wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features)),
		wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features)),
	}
	for _, r := range runtimes {
		defer func() { require.NoError(t, r.Close(ctx)) }()
	}
	specScripts(t, func(file string, commands []specCommand) {
		var current *trio
		why := "no module"
		for i := range commands {
			c := &commands[i]
			where := fmt.Sprintf("%s:%d", filepath.Base(file), c.Line)
			switch c.Type {
			case "module":
				if current != nil {
					current.close(t)
				}
				current = nil
				b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
				require.NoError(t, err)
				m, tainted, reason := load(b)
				if why = reason; m == nil {
					skipped["module: "+why]++
					continue
				}
				ran["module"]++
				current = newTrio(t, runtimes, m, where)
				current.tainted = tainted
			case "assert_return", "assert_trap", "assert_exhaustion", "action":
				if current == nil {
					skipped["assertion: module with "+why]++
					continue
				}
				args, ok := specBits(t, c.Action.Args)
				want, ok2 := specBits(t, c.Expected)
				fails := c.Type == "assert_trap" || c.Type == "assert_exhaustion"
				if reason := current.skip(c, ok, ok2 || fails); reason != "" {
					skipped["assertion: "+reason]++
					current.stale = current.stale || c.Action.Type == "invoke" && current.stateful()
					continue
				}
				e := current.exports[c.Action.Field]
				invocation := current.onChain(e.Index, args)
				got := current.reference(e.Index, args)
				if current.contract(t, invocation, where) {
					ran["in the contract"]++
				} else {
					skipped["in the contract: memory above 64 MiB"]++
				}
				kind := c.Type
				if c.Type == "assert_exhaustion" {
					require.Equal(t, machine.TrapStack.String(), got.trap, where)
				} else if got.trap == machine.TrapStack.String() {
					kind += ", deeper than the stack limit" // the engines must still agree
				} else if current.stale {
					kind += ", engines compared only" // a call that was skipped may have changed what the suite expects
				} else if fails {
					require.NotEmpty(t, got.trap, where)
					require.NotEqual(t, machine.TrapStack.String(), got.trap, where)
				} else {
					require.Empty(t, got.trap, where)
					if c.Type == "assert_return" {
						require.Equal(t, want, got.results, where)
					}
				}
				ran[kind]++
				results := current.module.FunctionType(e.Index).Results
				for i := range current.wazero {
					require.Equal(t, got, current.compiled(i, c.Action.Field, args, results), where)
				}
			}
		}
		if current != nil {
			current.close(t)
		}
	})
	t.Logf("ran %v", ran)
	t.Logf("skipped %v", skipped)
	require.Equal(t, map[string]int{
		"module": 1594, "in the contract": 9491, "assert_return": 7837, "assert_trap": 311, "assert_exhaustion": 4, "action": 39, "assert_return, deeper than the stack limit": 1,
		"assert_return, engines compared only": 988, "assert_trap, engines compared only": 269, "action, engines compared only": 42,
	}, ran)
	require.Equal(t, map[string]int{
		"module: floats": 17, "module: imports": 37, "module: outside of the subset": 731,
		"assertion: module with floats": 543, "assertion: module with outside of the subset": 28193, "assertion: module with imports": 62,
		"assertion: another module": 15, "assertion: reads a global": 6,
		"assertion: floats or references in the assertion": 25632, "assertion: the function uses floats": 673,
	}, skipped)
}
