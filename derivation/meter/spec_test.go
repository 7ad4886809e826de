package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/derivation/wasm"
)

type specValue struct {
	Type  string
	Value any
}

type specScript struct {
	Commands []struct {
		Type, Filename string
		Line           int
		ModuleType     string `json:"module_type"`
		Action         struct {
			Type, Field, Module string
			Args                []specValue
		}
		Expected []specValue
	}
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

// metered is one module of a script on one engine.
type metered struct {
	api.Module
}

func (m metered) fuel() int64 { return int64(m.ExportedGlobal(FuelExport).Get()) }

// reset gives the instance new fuel and an empty stack, as the host does between calls.
func (m metered) reset() {
	m.ExportedGlobal(FuelExport).(api.MutableGlobal).Set(specFuel)
	m.ExportedGlobal(HeightExport).(api.MutableGlobal).Set(0)
}

const specFuel = 1 << 40

// TestF11_A9_SpecSuiteMetered runs the assertions of the official suite on rewritten modules: metering must change no
// result and no trap, and the compiler and the interpreter must agree on the fuel. Modules outside of the subset, and
// those that import from the suite's own host, are skipped and counted.
func TestF11_A9_SpecSuiteMetered(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal", "integration_test", "spectest", "v[12]", "testdata", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	ctx, counts := context.Background(), map[string]int{}
	features := api.CoreFeatureMutableGlobal | api.CoreFeatureSignExtensionOps | api.CoreFeatureMultiValue | api.CoreFeatureBulkMemoryOperations
	runtimes := [2]wazero.Runtime{
		wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features)),
		wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features)),
	}
	for _, r := range runtimes {
		defer func() { require.NoError(t, r.Close(ctx)) }()
	}
	for _, file := range files {
		var script specScript
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &script), file)
		var current []metered
		for _, c := range script.Commands {
			where := fmt.Sprintf("%s:%d", filepath.Base(file), c.Line)
			switch c.Type {
			case "module":
				for _, m := range current {
					require.NoError(t, m.Close(ctx))
				}
				current = nil
				b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
				require.NoError(t, err)
				m, err := wasm.Decode(b)
				if err != nil || len(m.Imports) > 0 {
					counts["modules skipped"]++
					continue
				}
				counts["modules"]++
				w := newRewriter(m, 65536)
				w.keepAll = true
				out, err := w.rewrite(specFuel)
				require.NoError(t, err, where)
				for _, r := range runtimes {
					instance, err := r.InstantiateWithConfig(ctx, out.Binary, wazero.NewModuleConfig().WithName("").WithStartFunctions())
					require.NoError(t, err, where)
					current = append(current, metered{instance})
				}
			case "assert_return", "assert_trap", "assert_exhaustion", "action":
				args, ok := specBits(t, c.Action.Args)
				want, ok2 := specBits(t, c.Expected)
				if c.Type == "assert_trap" || c.Type == "assert_exhaustion" {
					ok2 = true
				}
				if current == nil || !ok || !ok2 || c.Action.Type != "invoke" || c.Action.Module != "" || current[0].ExportedFunction(c.Action.Field) == nil {
					counts[c.Type+" skipped"]++
					continue
				}
				counts[c.Type]++
				var fuel [2]int64
				for i, m := range current {
					m.reset()
					got, err := m.ExportedFunction(c.Action.Field).Call(ctx, args...)
					fuel[i] = m.fuel()
					if c.Type == "assert_trap" || c.Type == "assert_exhaustion" {
						require.Error(t, err, where)
						require.Equal(t, c.Type == "assert_exhaustion", m.ExportedGlobal(HeightExport).Get() > StackLimit, where)
						continue
					}
					require.NoError(t, err, where)
					require.Zero(t, m.ExportedGlobal(HeightExport).Get(), where)
					require.Len(t, got, len(want), where)
					for j := range want {
						if c.Expected[j].Type == "i32" {
							got[j] = uint64(uint32(got[j])) // wazero leaves the upper half open
						}
						require.Equal(t, want[j], got[j], where)
					}
				}
				require.Equal(t, fuel[0], fuel[1], where)
				require.Less(t, fuel[0], int64(specFuel), where)
			}
		}
	}
	require.Equal(t, map[string]int{
		"modules": 516, "modules skipped": 1863, "assert_return": 7069, "assert_return skipped": 54453, "assert_trap": 227, "assert_trap skipped": 2639,
		"assert_exhaustion": 2, "assert_exhaustion skipped": 28, "action": 39, "action skipped": 158,
	}, counts)
}
